/* SPDX-License-Identifier: MIT */
/*
 * "cubic": RFC 9438 in integers. W(t) = C (t - K)^3 + W_max with C = 0.4 segments/s^3 and beta = 0.7; never slower than Reno would be
 * (4.3). Time in ms, the cubic in thousandths of a segment: |t - K| is cut at 100 s, where the cube is 10^15. Under net_lock.
 */
#include "net/tcp/tcp.h"

#define BETA_NUM 7u /* beta = 7/10 */
#define T_MAX 100000

static void cubic_init(struct tcp_conn *c)
{
	c->cubic = (struct tcp_cubic){ 0 };
	c->cwnd_acc = 0;
}

/* Cube root, rounded down, bit by bit. */
static u32 cube_root(u64 v)
{
	u64 r = 0;

	for (int bit = 20; bit >= 0; bit--) {
		u64 t = r | 1ull << bit;

		if (t * t * t <= v)
			r = t;
	}
	return (u32)r;
}

static void begin_epoch(struct tcp_conn *c)
{
	struct tcp_cubic *q = &c->cubic;

	q->epoch_ns = clock_monotonic_ns();
	q->est_acc = 0;
	q->w_est = c->cwnd;
	if (c->cwnd < q->w_max) { /* K = cbrt((W_max - cwnd) / C), in ms */
		q->origin = q->w_max;
		q->k_ms = cube_root((u64)(q->w_max - c->cwnd) * 2500000000ull / c->mss);
	} else {
		q->origin = c->cwnd;
		q->k_ms = 0;
	}
}

static u32 w_cubic(const struct tcp_conn *c, s64 t_ms)
{
	const struct tcp_cubic *q = &c->cubic;
	s64 d = MAX(MIN(t_ms - q->k_ms, (s64)T_MAX), (s64)-T_MAX), milli_segs = 4 * d * d * d / 10000000;
	s64 w = (s64)q->origin + milli_segs * c->mss / 1000;

	return (u32)MIN(MAX(w, (s64)c->mss), (s64)1 << 30);
}

/* What Reno with the same beta would have: alpha = 3 (1 - beta) / (1 + beta) = 9/17 until it is where it was before the loss, then 1. */
static u32 reno_friendly(struct tcp_conn *c, u32 acked)
{
	struct tcp_cubic *q = &c->cubic;
	u64 step = (u64)acked * c->mss;

	if (q->w_est < q->prior)
		step = step * 9 / 17;
	step += q->est_acc; /* remainder of the division by the window */
	q->w_est += (u32)(step / c->cwnd);
	q->est_acc = (u32)(step % c->cwnd);
	return q->w_est;
}

static void cubic_avoid(struct tcp_conn *c, u32 acked)
{
	struct tcp_cubic *q = &c->cubic;
	s64 t;
	u32 target, est;
	u64 inc;

	if (!q->epoch_ns)
		begin_epoch(c);
	t = (clock_monotonic_ns() - q->epoch_ns) / NSEC_PER_MSEC;
	est = reno_friendly(c, acked);
	if (w_cubic(c, t) < est) {
		c->cwnd = MAX(c->cwnd, est);
		return;
	}
	target = w_cubic(c, t + c->srtt / NSEC_PER_MSEC);
	target = MIN(MAX(target, c->cwnd), c->cwnd + c->cwnd / 2);
	inc = (u64)(target - c->cwnd) * acked + c->cwnd_acc;
	c->cwnd_acc = (u32)(inc % c->cwnd);
	c->cwnd += (u32)(inc / c->cwnd);
}

static u32 cubic_ssthresh(struct tcp_conn *c)
{
	struct tcp_cubic *q = &c->cubic;
	u32 cwnd = c->cwnd;

	q->epoch_ns = 0;
	q->prior = cwnd;
	/* Fast convergence (4.7): a flow that did not get back to where it was leaves room. */
	q->w_max = cwnd < q->w_max ? (u32)((u64)cwnd * (10 + BETA_NUM) / 20) : cwnd;
	return (u32)((u64)cwnd * BETA_NUM / 10);
}

static void cubic_restart(struct tcp_conn *c, bool timeout)
{
	(void)timeout;
	c->cubic.epoch_ns = 0; /* time without sending does not count */
}

const struct tcp_cc_ops tcp_cc_cubic = {
	.name = "cubic", .init = cubic_init, .ssthresh = cubic_ssthresh, .avoid = cubic_avoid, .restart = cubic_restart,
};
