/* SPDX-License-Identifier: MIT */
/*
 * The ACK field (RFC 9293 3.10.7.4, fifth): what it acknowledges, the send window, and what it tells about loss (tcp_sack.c,
 * tcp_rack.c) and congestion (tcp_cc.c). Called by tcp_in.c under net_lock.
 */
#include "net/tcp/tcp.h"

/* A segment that acknowledges new data always counts: else the right edge would move with snd_una, beyond what was offered. */
static void update_window(struct tcp_conn *c, const struct tcp_seg *g, bool advanced)
{
	u32 w = g->wnd << c->snd_wscale;

	if (!advanced && !SEQ_LT(c->snd_wl1, g->seq) && !(c->snd_wl1 == g->seq && SEQ_LEQ(c->snd_wl2, g->ack)))
		return;
	if (w && !c->snd_wnd)
		c->t_persist = 0;
	c->snd_wnd = w;
	c->max_wnd = MAX(c->max_wnd, w);
	c->snd_wl1 = g->seq;
	c->snd_wl2 = g->ack;
	if (w)
		c->persist_shift = 0;
}

/* The handshake ends. False: the segment is to be dropped. */
static bool ack_syn(struct tcp_conn *c, const struct tcp_seg *g)
{
	struct tcp_conn *l = c->listener ? c->listener->tcp : NULL;

	if (SEQ_LEQ(g->ack, c->snd_una) || SEQ_GT(g->ack, c->snd_nxt)) {
		net_drop(NET_DROP_bad_ack);
		tcp_reply_rst(g);
		return false;
	}
	if (l && tcp_accept_full(l)) { /* our SYN goes again; until then there may be room */
		NET_INC(ListenOverflows);
		net_drop(NET_DROP_accept_queue);
		return false;
	}
	if (l && l->defer_accept_s && !g->len && !(g->flags & TH_FIN) && !c->accept_deferred) {
		c->accept_deferred = true; /* TCP_DEFER_ACCEPT: the first data shall wake the server; our SYN sent again ends the wait */
		c->t_rexmit = clock_monotonic_ns() + l->defer_accept_s * NSEC_PER_SEC;
		tcp_timer_update(c);
		return false;
	}
	c->snd_una = g->ack;
	c->snd_wnd = c->max_wnd = g->wnd << c->snd_wscale;
	c->snd_wl1 = g->seq;
	c->snd_wl2 = g->ack;
	if (!c->retries && c->syn_sent_ns)
		tcp_rtt_sample(c, clock_monotonic_ns() - c->syn_sent_ns);
	tcp_established(c);
	return true;
}

/* RFC 5961 5.2: an ACK of what was not sent, or of long ago, is an attacker's or an old duplicate's. */
static bool ack_plausible(struct tcp_conn *c, const struct tcp_seg *g)
{
	if (SEQ_GT(g->ack, c->snd_nxt)) {
		net_drop(NET_DROP_bad_ack);
		tcp_refuse_with_ack(c, g);
		return false;
	}
	if (SEQ_LT(g->ack, c->snd_una - MAX(c->max_wnd, 65535u))) {
		net_drop(NET_DROP_bad_ack);
		tcp_challenge_ack(c);
		return false;
	}
	return true;
}

static void rtt_from(struct tcp_conn *c, const struct tcp_seg *g, const struct tcp_delivery *d)
{
	if (d->rtt >= 0)
		tcp_rtt_sample(c, d->rtt);
	else if (d->sack_rtt >= 0)
		tcp_rtt_sample(c, d->sack_rtt);
	else if (d->acked && c->ts_ok && g->o.has_ts && g->o.ts_ecr) /* all was sent twice: the echo knows which arrived */
		tcp_rtt_sample(c, (s64)(s32)(tcp_ts_now(c) - g->o.ts_ecr) * NSEC_PER_MSEC);
}

/* New data is acknowledged. False: the connection is gone. */
static bool advance(struct tcp_conn *c, const struct tcp_seg *g, struct tcp_delivery *d)
{
	u32 data = MIN(d->acked, c->snd.len), dups = c->dup_acks * c->mss;
	bool fin = d->acked > data && c->fin_queued;

	tcp_recs_acked(c, g->ack, d);
	ring_drop(&c->snd, data);
	tcp_trim_later(c);
	c->snd_una = g->ack;
	c->bytes_acked += data;
	c->retries = c->black_holes = 0;
	c->soft_error = 0;
	if (c->snd_urg && SEQ_GEQ(c->snd_una, c->snd_up))
		c->snd_urg = false;
	if (SEQ_GT(c->snd_una, c->high_sacked))
		c->high_sacked = c->snd_una;
	if (!c->sack_ok) { /* what the duplicates stood for has been counted */
		u32 segs = (d->acked + c->mss - 1) / c->mss, twice = d->delivered > c->mss ? d->delivered - c->mss : 0;

		d->delivered -= MIN(dups, twice);
		c->dup_acks = c->ca >= CA_RECOVERY && c->dup_acks > segs - 1 ? c->dup_acks - (segs - 1) : 0;
	}
	if (data && !tcp_is_orphan(c) && c->snd.len <= c->s->sndbuf - MIN(c->s->sndbuf, c->s->sndbuf / 3))
		sock_wake(c->s, EPOLLOUT);
	return fin ? tcp_fin_acked(c) : true;
}

static bool is_duplicate(const struct tcp_conn *c, const struct tcp_seg *g, u32 old_wnd)
{
	return g->ack == c->snd_una && c->snd_una != c->snd_nxt && !g->len && !(g->flags & TH_FIN) && c->snd_wnd == old_wnd;
}

static void rearm(struct tcp_conn *c, const struct tcp_delivery *d)
{
	if (c->snd_una == c->snd_nxt) {
		c->t_rexmit = c->t_probe = c->t_reo = 0;
	} else if (d->acked) {
		tcp_rexmit_start(c);
		tcp_tlp_arm(c);
	}
}

bool tcp_ack_input(struct tcp_conn *c, const struct tcp_seg *g)
{
	u32 old_wnd = c->snd_wnd;
	struct tcp_delivery d = { .now = clock_monotonic_ns(), .rtt = -1, .sack_rtt = -1, .prior_una = c->snd_una };

	if (c->state == TCP_SYN_RECEIVED)
		return ack_syn(c, g);
	if (!ack_plausible(c, g))
		return false;
	c->last_ack_rx = d.now;
	c->persist_probes = 0;
	d.prior_pipe = tcp_pipe(c);
	d.ece = c->ecn_ok && g->flags & TH_ECE;
	if (SEQ_GT(g->ack, c->snd_una)) {
		c->last_ecr_acked = g->o.has_ts ? g->o.ts_ecr : 0;
		d.acked = g->ack - c->snd_una;
		if (!advance(c, g, &d))
			return false;
		if (c->state == TCP_TIME_WAIT)
			return true;
		update_window(c, g, true);
	} else {
		if (g->ack == c->snd_una) /* an old one's window counts from an old place */
			update_window(c, g, false);
		if (!c->sack_ok && is_duplicate(c, g, old_wnd)) {
			c->dup_acks++;
			d.delivered += c->mss;
		}
	}
	if (SEQ_GEQ(g->ack, d.prior_una))
		tcp_sack_input(c, g, &d);
	rtt_from(c, g, &d);
	tcp_rack_detect(c, &d);
	tcp_tlp_acked(c, g, &d);
	if (d.acked || d.delivered || d.newly_lost || d.dsack || d.ece)
		tcp_cc_ack(c, &d);
	if (d.delivered)
		NET_ADD(TCPDelivered, (d.delivered + c->mss - 1) / c->mss);
	rearm(c, &d);
	return true;
}
