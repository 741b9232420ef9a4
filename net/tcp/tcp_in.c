/* SPDX-License-Identifier: MIT */
/*
 * Segments in, in the order of RFC 9293 3.10.7: parse and find the connection; SYN_SENT; then for all others sequence check, RST, SYN,
 * ACK, data, FIN. RFC 5961 for resets and SYNs in the window (challenge ACK), RFC 7323 for timestamps and PAWS.
 */
#include "net/tcp/tcp.h"
#include "userlib/base/mem.h"
#include "userlib/base/string.h"
#include <linux/in.h>

static void parse_sack(struct tcp_seg *g, const u8 *p, u32 len)
{
	for (g->nr_sack = 0; len >= 8 && g->nr_sack < ARRAY_SIZE(g->sack); p += 8, len -= 8) {
		u32 v[2];

		memcpy(v, p, 8);
		g->sack[g->nr_sack++] = (struct tcp_run){ be32(v[0]), be32(v[1]) };
	}
}

static void parse_options(struct tcp_seg *g, const u8 *p, u32 len)
{
	g->opt_wscale = -1;
	while (len) {
		u32 n;

		if (p[0] == 0)
			return;
		if (p[0] == 1) {
			p++;
			len--;
			continue;
		}
		if (len < 2)
			return;
		n = p[1];
		if (n < 2 || n > len)
			return;
		if (p[0] == 2 && n == 4)
			g->opt_mss = (u16)(p[2] << 8 | p[3]);
		else if (p[0] == 3 && n == 3)
			g->opt_wscale = (s8)MIN(p[2], 14);
		else if (p[0] == 4 && n == 2)
			g->opt_sack = true;
		else if (p[0] == 5)
			parse_sack(g, p + 2, n - 2);
		else if (p[0] == 8 && n == 10) {
			u32 v[2];

			memcpy(v, p + 2, 8);
			g->has_ts = true;
			g->ts_val = be32(v[0]);
			g->ts_ecr = be32(v[1]);
		}
		p += n;
		len -= n;
	}
}

static void challenge_ack(struct tcp_conn *c)
{
	static s64 window_start;
	static u32 sent;
	s64 now = clock_monotonic_ns();

	if (now - window_start > NSEC_PER_SEC) {
		window_start = now;
		sent = 0;
	}
	if (sent++ < 100) {
		NET_INC(TCPChallengeACK);
		tcp_send_ack(c);
	}
}

/* The answer to an unacceptable segment. Without data at most two a second: two ends that disagree must not answer each other for ever. */
static void refuse_with_ack(struct tcp_conn *c, const struct tcp_seg *g)
{
	s64 now = clock_monotonic_ns();

	if (!g->len && now - c->refused_ns < 500 * NSEC_PER_MSEC)
		return;
	c->refused_ns = now;
	tcp_send_ack(c);
}

static void established(struct tcp_conn *c)
{
	struct sock *l = c->listener;

	c->retries = 0;
	c->t_rexmit = 0;
	c->s->connected = true;
	tcp_set_state(c, TCP_ESTABLISHED);
	c->last_rx = clock_monotonic_ns();
	if (c->s->keepalive) {
		c->t_keep = c->last_rx + c->keep_idle_s * NSEC_PER_SEC;
		tcp_timer_update(c);
	}
	if (l && l->tcp) {
		list_add_tail(&l->tcp->accept_queue, &c->accept_link);
		sock_wake(l, EPOLLIN);
	}
	sock_wake(c->s, EPOLLOUT);
}

static void syn_sent_input(struct tcp_conn *c, const struct tcp_seg *g)
{
	if (g->flags & TH_ACK && g->ack != c->iss + 1)
		return tcp_reply_rst(g);
	if (g->flags & TH_RST) {
		if (g->flags & TH_ACK)
			tcp_abort(c, ECONNREFUSED);
		return;
	}
	if (!(g->flags & TH_SYN))
		return;
	c->irs = g->seq;
	c->rcv_nxt = c->rcv_adv = g->seq + 1;
	c->mss = MIN((u32)(g->opt_mss ? MAX(g->opt_mss, TCP_MSS_MIN) : 536), ip_mss(c->s->rip));
	c->sack_ok = g->opt_sack;
	c->rcv_mss = c->mss;
	c->wscale_ok = g->opt_wscale >= 0;
	c->snd_wscale = c->wscale_ok ? (u8)g->opt_wscale : 0;
	c->ts_ok = g->has_ts;
	c->ts_recent = g->ts_val;
	if (c->ts_ok)
		c->mss -= 12;
	tcp_cc_init(c);
	c->snd_wnd = c->max_wnd = g->wnd;
	c->snd_wl1 = g->seq;
	c->snd_wl2 = g->ack;
	if (!(g->flags & TH_ACK)) { /* simultaneous open */
		tcp_set_state(c, TCP_SYN_RECEIVED);
		tcp_send_syn(c);
		return;
	}
	c->snd_una = g->ack;
	if (c->rtt_start && !c->retries)
		tcp_rtt_sample(c, clock_monotonic_ns() - c->rtt_start);
	c->rtt_start = 0;
	established(c);
	tcp_send_ack(c);
}

/* First: is any of it in the window? Trims g to it. False: not acceptable, answered. */
static bool sequence_ok(struct tcp_conn *c, struct tcp_seg *g)
{
	u32 wnd = SEQ_GT(c->rcv_adv, c->rcv_nxt) ? c->rcv_adv - c->rcv_nxt : 0, dup;
	s64 now = clock_monotonic_ns();

	if (c->ts_ok && g->has_ts && !(g->flags & TH_RST) && (s32)(g->ts_val - c->ts_recent) < 0 &&
	    now - c->ts_recent_ns < 24 * 86400 * NSEC_PER_SEC) {
		net_drop(NET_DROP_paws);
		refuse_with_ack(c, g);
		return false;
	}
	if (SEQ_LT(g->seq, c->rcv_nxt)) {
		dup = c->rcv_nxt - g->seq;
		if (g->flags & TH_SYN) {
			g->flags &= (u8)~TH_SYN;
			dup--;
		}
		if (dup >= g->len + !!(g->flags & TH_FIN)) { /* nothing new but perhaps its ACK field */
			if (g->flags & TH_RST)
				return false;
			refuse_with_ack(c, g);
			dup = g->len;
			g->flags &= (u8)~TH_FIN;
		}
		g->data += dup;
		g->len -= dup;
		g->seq = c->rcv_nxt;
	}
	if (SEQ_GT(g->seq, c->rcv_nxt + wnd) || (wnd == 0 && g->len)) {
		if (!(g->flags & TH_RST))
			refuse_with_ack(c, g);
		net_drop(NET_DROP_window);
		return false;
	}
	if (SEQ_GT(g->seq + g->len, c->rcv_nxt + wnd)) {
		g->len = c->rcv_nxt + wnd - g->seq;
		g->flags &= (u8)~TH_FIN;
	}
	return true;
}

static void sent_all_acked(struct tcp_conn *c)
{
	c->t_rexmit = c->t_probe = 0;
	c->retries = 0;
}

/* Our FIN is acknowledged. False: the connection is gone. */
static bool fin_acked(struct tcp_conn *c)
{
	switch (c->state) {
	case TCP_FIN_WAIT_1:
		tcp_set_state(c, TCP_FIN_WAIT_2);
		if (c->s->user_gone) { /* nobody will read: do not wait for ever */
			c->t_life = clock_monotonic_ns() + 2 * TCP_MSL_NS;
			tcp_timer_update(c);
		}
		return true;
	case TCP_CLOSING:
		tcp_enter_time_wait(c);
		return true;
	case TCP_LAST_ACK:
		tcp_set_state(c, TCP_CLOSED);
		list_del(&c->s->hash_link);
		if (c->s->user_gone)
			tcp_destroy(c);
		return false;
	default:
		return true;
	}
}

/* A segment that acknowledges new data always counts: else the right edge would move with snd_una, beyond what was offered. */
static void update_window(struct tcp_conn *c, const struct tcp_seg *g, bool advanced)
{
	if (advanced || SEQ_LT(c->snd_wl1, g->seq) || (c->snd_wl1 == g->seq && SEQ_LEQ(c->snd_wl2, g->ack))) {
		u32 w = g->wnd << c->snd_wscale;

		if (w && !c->snd_wnd)
			c->t_persist = 0;
		c->snd_wnd = w;
		c->max_wnd = MAX(c->max_wnd, w);
		c->snd_wl1 = g->seq;
		c->snd_wl2 = g->ack;
	}
}

/* Fifth: the ACK field. False: the connection is gone or the segment is to be dropped. */
static bool ack_input(struct tcp_conn *c, const struct tcp_seg *g)
{
	u32 acked, data, old_wnd = c->snd_wnd;
	bool fin, first_syn = c->state == TCP_SYN_RECEIVED;

	if (first_syn) {
		if (SEQ_LEQ(g->ack, c->snd_una) || SEQ_GT(g->ack, c->snd_max)) {
			tcp_reply_rst(g);
			return false;
		}
		c->snd_una = g->ack;
		c->snd_wnd = c->max_wnd = g->wnd << c->snd_wscale;
		c->snd_wl1 = g->seq;
		c->snd_wl2 = g->ack;
		established(c);
		return true;
	}
	if (SEQ_GT(g->ack, c->snd_max)) {
		refuse_with_ack(c, g);
		return false;
	}
	if (SEQ_LEQ(g->ack, c->snd_una)) {
		if (g->ack == c->snd_una) /* an old one's window counts from an old place */
			update_window(c, g, false);
		if (g->ack != c->snd_una || c->snd_max == c->snd_una)
			return true;
		if (c->sack_ok ? tcp_sack_input(c, g) != 0 : !g->len && !(g->flags & TH_FIN) && c->snd_wnd == old_wnd)
			tcp_cc_dupack(c);
		return true;
	}
	acked = g->ack - c->snd_una;
	data = MIN(acked, c->snd.len);
	fin = acked > data && c->fin_queued;
	if (c->ts_ok && g->has_ts && g->ts_ecr && !c->retries)
		tcp_rtt_sample(c, (s64)(s32)(tcp_ts_now() - g->ts_ecr) * NSEC_PER_MSEC);
	else if (c->rtt_start && SEQ_GEQ(g->ack, c->rtt_seq))
		tcp_rtt_sample(c, clock_monotonic_ns() - c->rtt_start);
	if (c->rtt_start && SEQ_GEQ(g->ack, c->rtt_seq))
		c->rtt_start = 0;
	ring_drop(&c->snd, data);
	c->snd_una = g->ack;
	if (SEQ_LT(c->snd_nxt, c->snd_una))
		c->snd_nxt = c->snd_una;
	c->retries = 0;
	c->probed = false;
	update_window(c, g, true);
	(void)tcp_sack_input(c, g);
	tcp_cc_ack(c, acked);
	if (c->snd_una == c->snd_max)
		sent_all_acked(c);
	else
		tcp_rexmit_start(c);
	if (data || fin)
		sock_wake(c->s, EPOLLOUT);
	return fin ? fin_acked(c) : true;
}

static void store_ooo(struct tcp_conn *c, const struct tcp_seg *g)
{
	struct tcp_ooo *o, *n;

	if (c->nr_ooo >= TCP_OOO_MAX || c->ooo_bytes + g->len > c->s->rcvbuf)
		return net_drop(NET_DROP_rcvbuf);
	list_for_each(o, &c->ooo, link) {
		if (o->seq == g->seq && o->len >= g->len)
			return;
		if (SEQ_GT(o->seq, g->seq))
			break;
	}
	n = kmem_alloc(sizeof(*n) + g->len);
	if (!n)
		return net_drop(NET_DROP_no_memory);
	NET_INC(TCPOFOQueue);
	c->last_ooo = g->seq;
	n->seq = g->seq;
	n->len = g->len;
	n->fin = g->flags & TH_FIN;
	memcpy(n->data, g->data, g->len);
	list_add_tail(&o->link, &n->link);
	c->nr_ooo++;
	c->ooo_bytes += g->len;
}

/* In-order bytes into the receive ring; false when there is no memory. */
static bool take_data(struct tcp_conn *c, const u8 *data, u32 len)
{
	if (!len)
		return true;
	if (ring_reserve(&c->rcv, len, c->s->rcvbuf)) {
		net_drop(NET_DROP_no_memory);
		return false;
	}
	ring_put(&c->rcv, data, len);
	c->rcv_nxt += len;
	return true;
}

/* Returns whether a FIN came up. */
static bool drain_ooo(struct tcp_conn *c)
{
	bool fin = false;

	while (!list_empty(&c->ooo)) {
		struct tcp_ooo *o = list_first(&c->ooo, struct tcp_ooo, link);
		u32 skip;

		if (SEQ_GT(o->seq, c->rcv_nxt))
			break;
		skip = c->rcv_nxt - o->seq;
		if (skip <= o->len) {
			if (!take_data(c, o->data + skip, o->len - skip))
				break;
			fin |= o->fin;
		}
		list_del(&o->link);
		c->nr_ooo--;
		c->ooo_bytes -= o->len;
		kmem_free(o, sizeof(*o) + o->len);
	}
	return fin;
}

static void fin_input(struct tcp_conn *c)
{
	c->rcv_nxt++;
	c->fin_received = true;
	c->ack_now = true;
	switch (c->state) {
	case TCP_ESTABLISHED:
		tcp_set_state(c, TCP_CLOSE_WAIT);
		break;
	case TCP_FIN_WAIT_1:
		tcp_set_state(c, TCP_CLOSING);
		break;
	case TCP_FIN_WAIT_2:
		tcp_enter_time_wait(c);
		break;
	default:
		break;
	}
	sock_wake(c->s, EPOLLIN | EPOLLRDHUP | (c->s->shut & 2 ? EPOLLHUP : 0));
}

static void schedule_ack(struct tcp_conn *c, u32 len)
{
	c->segs_unacked += len;
	if (c->segs_unacked >= 2 * c->rcv_mss || c->nr_ooo) {
		c->ack_now = true;
		return;
	}
	if (!c->delack) {
		c->delack = true;
		c->t_delack = clock_monotonic_ns() + TCP_DELACK_NS;
		tcp_timer_update(c);
	}
}

static void data_input(struct tcp_conn *c, const struct tcp_seg *g)
{
	bool fin = g->flags & TH_FIN, had_hole = c->nr_ooo;

	if (c->state != TCP_ESTABLISHED && c->state != TCP_FIN_WAIT_1 && c->state != TCP_FIN_WAIT_2)
		return;
	if (g->len && (c->s->user_gone && !c->listener && list_empty(&c->accept_link))) { /* data after close: RFC 9293 3.10.4 */
		tcp_send_rst(c);
		tcp_abort(c, ECONNRESET);
		return;
	}
	if (g->seq != c->rcv_nxt) {
		if (g->len || fin) {
			store_ooo(c, g);
			tcp_send_ack(c); /* duplicate ACK tells the hole */
		}
		return;
	}
	if (g->len > c->rcv_mss && g->len < 1460 * 2)
		c->rcv_mss = g->len;
	if (g->len) {
		if (!take_data(c, g->data, g->len))
			return;
		schedule_ack(c, g->len);
	}
	if (had_hole) {
		fin |= drain_ooo(c);
		c->ack_now = true;
	}
	if (g->len)
		sock_wake(c->s, EPOLLIN);
	if (fin)
		fin_input(c);
}

static void conn_input(struct tcp_conn *c, struct tcp_seg *g)
{
	s64 now = clock_monotonic_ns();

	if (c->state == TCP_SYN_SENT)
		return syn_sent_input(c, g);
	if (!sequence_ok(c, g))
		return;
	c->last_rx = now;
	c->keep_probes = 0;
	if (g->flags & TH_RST) {
		if (g->seq != c->rcv_nxt)
			return challenge_ack(c);
		return tcp_abort(c, c->state == TCP_SYN_RECEIVED ? ECONNREFUSED : c->state == TCP_CLOSE_WAIT ? EPIPE : ECONNRESET);
	}
	if (g->flags & TH_SYN)
		return challenge_ack(c);
	if (!(g->flags & TH_ACK))
		return;
	if (c->ts_ok && g->has_ts && SEQ_LEQ(g->seq, c->rcv_nxt)) {
		c->ts_recent = g->ts_val;
		c->ts_recent_ns = now;
	}
	if (c->state == TCP_TIME_WAIT) {
		if (g->flags & TH_FIN)
			tcp_send_ack(c);
		return;
	}
	if (!ack_input(c, g) || c->state == TCP_CLOSED)
		return;
	data_input(c, g);
	if (c->state != TCP_CLOSED)
		tcp_output(c);
}

void tcp_input(struct netif *n, struct ip_addr src, struct ip_addr dst, u8 *p, u32 len, bool csum_ok)
{
	struct tcp_hdr h;
	struct tcp_seg g = { .src = src, .dst = dst };
	struct sock *s;
	u32 hlen;

	(void)n;
	NET_INC(TcpInSegs);
	if (len < sizeof(h))
		return net_drop(NET_DROP_runt);
	memcpy(&h, p, sizeof(h));
	hlen = (h.off >> 4) * 4u;
	if (hlen < sizeof(h) || hlen > len)
		return net_drop(NET_DROP_bad_header);
	if (!csum_ok && csum_fold(csum_add(p, len, csum_pseudo(src, dst, IPPROTO_TCP, len))) != 0xffff)
		return net_drop(NET_DROP_csum);
	g.sport = be16(h.sport);
	g.dport = be16(h.dport);
	g.seq = be32(h.seq);
	g.ack = be32(h.ack);
	g.flags = h.flags;
	g.wnd = be16(h.wnd);
	g.data = p + hlen;
	g.len = len - hlen;
	parse_options(&g, p + sizeof(h), hlen - (u32)sizeof(h));
	s = tcp_find(dst, g.dport, src, g.sport);
	if (s && s->tcp->state == TCP_TIME_WAIT && g.flags & TH_SYN && !(g.flags & TH_ACK) &&
	    (SEQ_GT(g.seq, s->tcp->rcv_nxt) || (g.has_ts && (s32)(g.ts_val - s->tcp->ts_recent) > 0))) {
		/* safe reuse of the pair (RFC 6191) */
		struct tcp_conn *old = s->tcp;

		list_del(&s->hash_link);
		tcp_set_state(old, TCP_CLOSED);
		old->t_life = 0;
		if (s->user_gone)
			tcp_destroy(old);
		s = NULL;
	}
	if (s)
		return conn_input(s->tcp, &g);
	s = tcp_find_listener(dst, g.dport, ip_hash(g.src) + g.sport * 2654435761u);
	if (s)
		return tcp_listen_input(s, &g);
	net_drop(NET_DROP_no_socket);
	tcp_reply_rst(&g);
}
