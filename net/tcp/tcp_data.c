/* SPDX-License-Identifier: MIT */
/*
 * What a segment carries: urgent pointer, data, FIN (RFC 9293 3.10.7.4, sixth to eighth; RFC 6093). Data out of order is written to its
 * place in the receive ring; only its ranges are remembered, so many small pieces cost no more than few large ones. Also when to
 * acknowledge. Called by tcp_in.c under net_lock.
 */
#include "net/tcp/tcp.h"
#include <linux/socket.h>

/* ---- urgent ---- */

static u32 copied_seq(const struct tcp_conn *c) /* the next byte for the user */
{
	return c->rcv_nxt - c->fin_received - c->rcv.len;
}

/* The pointer is taken to point behind the urgent byte, as all implementations do (RFC 6093 3.1). */
static void urgent_input(struct tcp_conn *c, const struct tcp_seg *g)
{
	u32 at = g->seq + g->up - 1;

	if (!g->up || SEQ_LT(at, copied_seq(c)) || SEQ_LT(at, c->rcv_nxt) || (c->rcv_urg && SEQ_LEQ(at, c->rcv_up)))
		return;
	c->rcv_up = at;
	c->rcv_urg = true;
	c->rcv_urg_read = false;
	sock_wake(c->s, EPOLLPRI);
}

/* ---- data ---- */

/* Adds [r.start, r.end) to the sorted runs. False: there are too many. */
static bool add_run(struct tcp_conn *c, struct tcp_run r)
{
	u32 i = 0, k;

	while (i < c->nr_ooo && SEQ_LT(c->ooo[i].end, r.start))
		i++;
	for (k = i; k < c->nr_ooo && SEQ_LEQ(c->ooo[k].start, r.end); k++) { /* swallow what it touches */
		if (SEQ_LT(c->ooo[k].start, r.start))
			r.start = c->ooo[k].start;
		if (SEQ_GT(c->ooo[k].end, r.end))
			r.end = c->ooo[k].end;
	}
	if (k == i) {
		if (c->nr_ooo == TCP_RUNS)
			return false;
		for (u32 n = c->nr_ooo++; n > i; n--)
			c->ooo[n] = c->ooo[n - 1];
	} else {
		for (u32 from = k, to = i + 1; from < c->nr_ooo; from++, to++)
			c->ooo[to] = c->ooo[from];
		c->nr_ooo -= k - i - 1;
	}
	c->ooo[i] = r;
	return true;
}

static bool is_known(const struct tcp_conn *c, u32 start, u32 end)
{
	for (u32 i = 0; i < c->nr_ooo; i++)
		if (SEQ_LEQ(c->ooo[i].start, start) && SEQ_LEQ(end, c->ooo[i].end))
			return true;
	return false;
}

static void store_ooo(struct tcp_conn *c, const struct tcp_seg *g)
{
	u32 off = g->seq - c->rcv_nxt;

	c->last_ooo = g->seq;
	if (g->flags & TH_FIN) {
		c->has_ooo_fin = true;
		c->ooo_fin = g->seq + g->len;
	}
	if (!g->len)
		return;
	if (is_known(c, g->seq, g->seq + g->len)) {
		if (c->sack_ok) {
			c->has_dsack = true;
			c->dsack = (struct tcp_run){ g->seq, g->seq + g->len };
			NET_INC(TCPDSACKOfoSent);
		}
		return;
	}
	if (ring_reserve(&c->rcv, off + g->len))
		return net_drop(NET_DROP_no_memory);
	if (!add_run(c, (struct tcp_run){ g->seq, g->seq + g->len }))
		return net_drop(NET_DROP_ooo);
	NET_INC(TCPOFOQueue);
	ring_put_ahead(&c->rcv, off, g->data, g->len);
}

/* In-order bytes into the receive ring; false when there is no memory. */
static bool take_data(struct tcp_conn *c, const u8 *data, u32 len)
{
	if (ring_reserve(&c->rcv, len)) {
		net_drop(NET_DROP_no_memory);
		return false;
	}
	ring_put_ahead(&c->rcv, 0, data, len);
	ring_take_ahead(&c->rcv, len);
	c->rcv_nxt += len;
	c->bytes_received += len;
	return true;
}

static void drain_ooo(struct tcp_conn *c)
{
	u32 n = 0;

	for (; n < c->nr_ooo && SEQ_LEQ(c->ooo[n].start, c->rcv_nxt); n++)
		if (SEQ_GT(c->ooo[n].end, c->rcv_nxt)) {
			u32 len = c->ooo[n].end - c->rcv_nxt;

			ring_take_ahead(&c->rcv, len);
			c->rcv_nxt += len;
			c->bytes_received += len;
		}
	for (u32 i = n; i < c->nr_ooo; i++)
		c->ooo[i - n] = c->ooo[i];
	c->nr_ooo -= n;
	if (!c->nr_ooo)
		c->rcv.ahead = 0;
}

/* Delayed ACK (RFC 9293 3.8.6.3): every second full segment at least, holes and a starting connection at once. */
static void schedule_ack(struct tcp_conn *c, u32 len)
{
	c->segs_unacked += len;
	if (c->segs_unacked >= 2 * c->rcv_mss || c->nr_ooo || (c->quick && !c->pingpong)) {
		c->quick -= c->quick && !c->pingpong;
		c->ack_now = true;
		return;
	}
	if (!c->delack) {
		c->delack = true;
		c->t_delack = clock_monotonic_ns() + TCP_DELACK_NS;
		tcp_timer_update(c);
	}
}

static bool refuse_after_close(struct tcp_conn *c, const struct tcp_seg *g)
{
	if (!g->len || !tcp_is_orphan(c)) /* nobody will read it: RFC 9293 3.10.4 */
		return false;
	NET_INC(TCPAbortOnData);
	tcp_send_rst(c);
	tcp_abort(c, ECONNRESET);
	return true;
}

void tcp_data_input(struct tcp_conn *c, struct tcp_seg *g)
{
	bool fin = g->flags & TH_FIN, had_hole = c->nr_ooo;

	if (c->state != TCP_ESTABLISHED && c->state != TCP_FIN_WAIT_1 && c->state != TCP_FIN_WAIT_2)
		return;
	if (refuse_after_close(c, g))
		return;
	if (g->flags & TH_URG)
		urgent_input(c, g);
	if (!g->len && !fin)
		return;
	c->data_segs_in++;
	if (g->seq != c->rcv_nxt) {
		store_ooo(c, g);
		c->ack_now = true; /* the duplicate ACK tells the hole */
		return;
	}
	if (g->len > c->rcv_mss && g->len <= c->adv_mss)
		c->rcv_mss = g->len;
	if (g->len) {
		if (!take_data(c, g->data, g->len))
			return;
		tcp_tune_rtt(c, g);
		schedule_ack(c, g->len);
	}
	if (had_hole) {
		drain_ooo(c);
		c->ack_now = true;
	}
	fin |= c->has_ooo_fin && c->rcv_nxt == c->ooo_fin;
	if (g->len && (fin || c->rcv.len >= c->s->rcvlowat))
		sock_wake(c->s, EPOLLIN | (c->rcv_urg ? EPOLLPRI : 0));
	if (fin)
		tcp_fin_input(c);
}

/* ---- what the user may read ---- */

u32 tcp_readable(const struct tcp_conn *c)
{
	u32 to_mark = c->rcv_up - copied_seq(c);

	if (!c->rcv_urg || to_mark >= c->rcv.len)
		return c->rcv.len;
	if (to_mark)
		return to_mark;
	return c->s->oobinline ? c->rcv.len : c->rcv.len - 1;
}

bool tcp_at_mark(const struct sock *s)
{
	return s->tcp && s->tcp->rcv_urg && s->tcp->rcv_up == copied_seq(s->tcp);
}
