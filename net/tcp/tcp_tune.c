/* SPDX-License-Identifier: MIT */
/*
 * The receive window: what may be offered (never taken back, no silly windows: RFC 9293 3.8.6), and dynamic right-sizing: the buffer
 * grows so that twice what the user reads in a round trip fits, unless the user has set SO_RCVBUF. Under net_lock.
 */
#include "net/tcp/tcp.h"

u32 tcp_rcv_window(const struct tcp_conn *c)
{
	u32 w = ring_space(&c->rcv, c->s->rcvbuf), floor = SEQ_GT(c->rcv_adv, c->rcv_nxt) ? c->rcv_adv - c->rcv_nxt : 0;

	w = MIN(w, 65535u << (c->wscale_ok ? c->rcv_wscale : 0));
	if (w < MIN(c->rcv_mss, c->s->rcvbuf / 2))
		w = 0;
	return MAX(w, floor);
}

void tcp_tune_start(struct tcp_conn *c)
{
	struct sock *s = c->s;
	u32 want = 16 * MAX(c->rcv_mss, c->adv_mss);

	if (!s->rcvbuf_set && s->rcvbuf < want) /* links of large packets */
		s->rcvbuf = MIN(want, TCP_BUF_MAX);
	c->tune_ns = c->rtt_win_ns = clock_monotonic_ns();
	c->tune_space = MIN(s->rcvbuf, 10 * c->rcv_mss);
	c->rtt_win_seq = c->rcv_nxt + tcp_rcv_window(c);
}

static void rtt_sample(struct tcp_conn *c, s64 rtt, bool window)
{
	rtt = MAX(rtt, NSEC_PER_MSEC / 10);
	if (!c->rcv_rtt)
		c->rcv_rtt = rtt;
	else if (window) /* how long a window took is more than a round trip */
		c->rcv_rtt = MIN(c->rcv_rtt, rtt);
	else
		c->rcv_rtt += (rtt - c->rcv_rtt) / 8;
}

/* How long is a round trip, for one who only receives? What it takes to get an echo of a new timestamp, or a whole window. */
void tcp_tune_rtt(struct tcp_conn *c, const struct tcp_seg *g)
{
	s64 now = clock_monotonic_ns();

	if (c->ts_ok && g->o.has_ts && g->o.ts_ecr && g->o.ts_ecr != c->last_ecr && g->len >= c->rcv_mss) {
		s32 ms = (s32)(tcp_ts_now(c) - g->o.ts_ecr);

		c->last_ecr = g->o.ts_ecr;
		if (ms > 0)
			rtt_sample(c, ms * NSEC_PER_MSEC, false);
	}
	if (SEQ_GEQ(c->rcv_nxt, c->rtt_win_seq)) {
		rtt_sample(c, now - c->rtt_win_ns, true);
		c->rtt_win_ns = now;
		c->rtt_win_seq = c->rcv_nxt + tcp_rcv_window(c);
	}
}

/* The user has taken len bytes. */
void tcp_tune_copied(struct tcp_conn *c, u32 len)
{
	struct sock *s = c->s;
	s64 now = clock_monotonic_ns();
	u64 want;

	c->tune_copied += len;
	if (!c->rcv_rtt || now - c->tune_ns < c->rcv_rtt)
		return;
	if (c->tune_copied > c->tune_space) {
		want = 2ull * c->tune_copied + 16 * c->rcv_mss;
		want += want * (c->tune_copied - c->tune_space) / MAX(c->tune_space, 1u); /* it is growing: leave room for that */
		c->tune_space = c->tune_copied;
		if (!s->rcvbuf_set && want > s->rcvbuf)
			s->rcvbuf = (u32)MIN(want, (u64)TCP_BUF_MAX);
	}
	c->tune_copied = 0;
	c->tune_ns = now;
}
