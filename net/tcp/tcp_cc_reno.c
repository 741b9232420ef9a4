/* SPDX-License-Identifier: MIT */
/* "reno": RFC 5681 (half on loss, one segment per window of ACKs), counted in bytes. Recovery is tcp_cc.c's. Under net_lock. */
#include "net/tcp/tcp.h"

static void reno_init(struct tcp_conn *c)
{
	c->cwnd_acc = 0;
}

static u32 reno_ssthresh(struct tcp_conn *c)
{
	return MIN(c->cwnd, MAX(c->snd_nxt - c->snd_una, c->cwnd / 2)) / 2; /* of what was used, RFC 5681 (4) */
}

static void reno_avoid(struct tcp_conn *c, u32 acked)
{
	c->cwnd_acc += acked;
	if (c->cwnd_acc >= c->cwnd) {
		c->cwnd_acc -= c->cwnd;
		c->cwnd += c->mss;
	}
}

static void reno_restart(struct tcp_conn *c, bool timeout)
{
	(void)timeout;
	c->cwnd_acc = 0;
}

const struct tcp_cc_ops tcp_cc_reno = {
	.name = "reno", .init = reno_init, .ssthresh = reno_ssthresh, .avoid = reno_avoid, .restart = reno_restart,
};
