/* SPDX-License-Identifier: MIT */
/*
 * Segments out: what is lost first, then what may be sent now (windows, Nagle, silly-window avoidance), headers, resets, probes. All
 * under net_lock; nothing here waits. A link that is full (-EAGAIN) leaves the rest for tcp_link_room or a timer.
 */
#include "net/tcp/tcp.h"
#include "userlib/base/string.h"
#include <linux/in.h>

static struct list tx_waiters = LIST_INIT(tx_waiters); /* [net_lock; tx_waiters_lock among readers, who only add] */
static struct spinlock tx_waiters_lock;

int tcp_send_raw(struct ip_addr src, struct ip_addr dst, const struct tcp_hdr *h, const u8 *opts, u32 olen)
{
	u8 *p = net_tx + NET_HEADROOM;

	memcpy(p, h, sizeof(*h));
	if (olen)
		memcpy(p + sizeof(*h), opts, olen);
	NET_INC(TcpOutSegs);
	if (h->flags & TH_RST)
		NET_INC(TcpOutRsts);
	return ip_output(src, dst, IPPROTO_TCP, 64, 0, p, (u32)sizeof(*h) + olen, 16, 0, 0);
}

/* An ACK goes with it: what was owed is paid. */
static void ack_sent(struct tcp_conn *c, u32 edge)
{
	if (SEQ_GT(edge, c->rcv_adv))
		c->rcv_adv = edge;
	c->last_ack = c->rcv_nxt;
	c->delack = c->ack_now = false;
	c->segs_unacked = 0;
	c->t_delack = 0;
}

static void put_urgent(const struct tcp_conn *c, struct tcp_hdr *h, u32 seq)
{
	if (!c->snd_urg || !SEQ_LT(seq, c->snd_up))
		return;
	h->flags |= TH_URG;
	h->urg = be16((u16)MIN(c->snd_up - seq, 65535u));
}

/* RFC 3168 6.1: ECT on new data only; ECE until CWR comes; CWR once, on new data. */
static u8 put_ecn(struct tcp_conn *c, struct tcp_hdr *h, bool new_data)
{
	if (!c->ecn_ok || h->flags & (TH_SYN | TH_RST))
		return c->s->tos & 0xfc;
	if (c->ecn_echo)
		h->flags |= TH_ECE;
	if (!new_data)
		return c->s->tos & 0xfc;
	if (c->ecn_cwr_owed) {
		h->flags |= TH_CWR;
		c->ecn_cwr_owed = false;
	}
	return (u8)((c->s->tos & 0xfc) | 2); /* ECT(0) */
}

static void count_sent(struct tcp_conn *c, u32 len, bool again)
{
	u32 segs = len > c->mss ? (len + c->mss - 1) / c->mss : 1;

	NET_ADD(TcpOutSegs, segs);
	c->segs_out += segs;
	if (!len)
		return;
	c->data_segs_out += segs;
	c->bytes_sent += len;
	c->last_tx_data = clock_monotonic_ns();
	if (again) {
		NET_ADD(TcpRetransSegs, segs);
		c->bytes_retrans += len;
		c->total_retrans += segs;
	}
}

/* One segment (or, with offload, a run of them): len bytes of the send ring from seq. */
static int send_segment(struct tcp_conn *c, u32 seq, u32 len, u8 flags)
{
	struct sock *s = c->s;
	u8 opts[40], *p = net_tx + NET_HEADROOM, tos;
	u32 olen = tcp_opt_build(c, opts, flags, len), hlen = (u32)sizeof(struct tcp_hdr) + olen, w = tcp_rcv_window(c);
	bool again = len && SEQ_LT(seq, c->snd_nxt);
	struct tcp_hdr h = { .sport = be16(s->lport), .dport = be16(s->rport), .seq = be32(seq), .off = (u8)(hlen << 2),
			     .flags = flags };
	int r;

	if (flags & TH_RST)
		NET_INC(TcpOutRsts);
	if (flags & TH_ACK)
		h.ack = be32(c->rcv_nxt);
	h.wnd = be16((u16)MIN(flags & TH_SYN ? w : w >> (c->wscale_ok ? c->rcv_wscale : 0), 65535u));
	if (len)
		put_urgent(c, &h, seq);
	tos = put_ecn(c, &h, len && !again);
	memcpy(p, &h, sizeof(h));
	memcpy(p + sizeof(h), opts, olen);
	if (len)
		ring_peek(&c->snd, seq - c->snd_una, p + hlen, len);
	r = ip_output(s->lip, s->rip, IPPROTO_TCP, s->ttl, tos, p, hlen + len, 16, (u16)c->mss, (u16)hlen);
	if (r == -EAGAIN) {
		if (list_empty(&c->tx_wait)) {
			spin_lock(&tx_waiters_lock);
			list_add_tail(&tx_waiters, &c->tx_wait);
			spin_unlock(&tx_waiters_lock);
		}
		return r;
	}
	count_sent(c, len, again);
	if (flags & TH_ACK)
		ack_sent(c, c->rcv_nxt + (flags & TH_SYN ? MIN(w, 65535u) : w));
	return r;
}

/* [net_lock] Those that found the link full go on, each once: what finds it full again waits again. */
bool tcp_link_room(void)
{
	struct list now = LIST_INIT(now);
	bool any = !list_empty(&tx_waiters);

	list_splice_tail(&now, &tx_waiters);
	while (!list_empty(&now)) {
		struct tcp_conn *c = list_first(&now, struct tcp_conn, tx_wait);

		list_del(&c->tx_wait);
		tcp_output(c);
	}
	return any;
}

void tcp_send_syn(struct tcp_conn *c)
{
	bool answer = c->state == TCP_SYN_RECEIVED;
	u8 flags = answer ? TH_SYN | TH_ACK : TH_SYN;

	if (answer && c->ecn_ok)
		flags |= TH_ECE;
	else if (!answer && tcp_ecn_mode == 1 && !c->retries) /* not in a repetition: someone may drop what he does not know */
		flags |= TH_ECE | TH_CWR;
	c->snd_nxt = c->iss + 1;
	c->syn_sent_ns = clock_monotonic_ns();
	(void)send_segment(c, c->iss, 0, flags);
}

void tcp_send_ack(struct tcp_conn *c)
{
	(void)send_segment(c, c->snd_nxt, 0, TH_ACK);
}

/* A segment the peer must answer: its sequence number is old. */
void tcp_send_probe(struct tcp_conn *c)
{
	(void)send_segment(c, c->snd_una - 1, 0, TH_ACK);
}

void tcp_send_rst(struct tcp_conn *c)
{
	(void)send_segment(c, c->snd_nxt, 0, TH_RST | TH_ACK);
}

/* RFC 9293 3.10.7.1: a reset for a segment that belongs to nothing. */
void tcp_reply_rst(const struct tcp_seg *g)
{
	struct tcp_hdr h = { .sport = be16(g->dport), .dport = be16(g->sport), .off = 5 << 4 };

	if (g->flags & TH_RST)
		return;
	if (g->flags & TH_ACK) {
		h.seq = be32(g->ack);
		h.flags = TH_RST;
	} else {
		h.ack = be32(g->seq + g->len + !!(g->flags & TH_SYN) + !!(g->flags & TH_FIN));
		h.flags = TH_RST | TH_ACK;
	}
	(void)tcp_send_raw(g->dst, g->src, &h, NULL, 0);
}

static bool may_send_data(const struct tcp_conn *c)
{
	return c->state == TCP_ESTABLISHED || c->state == TCP_CLOSE_WAIT || c->state == TCP_FIN_WAIT_1 ||
	       c->state == TCP_CLOSING || c->state == TCP_LAST_ACK;
}

/* ---- again ---- */

int tcp_resend(struct tcp_conn *c, struct tcp_rec *r, u32 max)
{
	u32 off = r->seq - c->snd_una, len;
	bool fin;
	int err;

	if (r->end - r->seq > max && tcp_rec_split(c, r, r->seq + max))
		return -ENOMEM;
	len = off < c->snd.len ? MIN(r->end - r->seq, c->snd.len - off) : 0;
	fin = r->end - r->seq > len;
	if (!c->rtx_ts && c->ca >= CA_CWR)
		c->rtx_ts = tcp_ts_now(c) ? tcp_ts_now(c) : 1;
	err = send_segment(c, r->seq, len, (u8)(TH_ACK | (len ? TH_PSH : 0) | (fin ? TH_FIN : 0)));
	if (err == -EAGAIN)
		return err;
	c->undo_rtx += (r->end - r->seq + c->mss - 1) / c->mss;
	tcp_rec_sent_again(c, r);
	tcp_cc_sent(c, r->end - r->seq);
	return err;
}

/* What is marked lost, in order, as far as the congestion window lets it. False: the link is full, or the window. */
static bool send_lost(struct tcp_conn *c, u32 limit)
{
	struct tcp_rec *r;

	if (!c->lost_bytes)
		return true;
	for (r = list_first(&c->recs, struct tcp_rec, link); &r->link != &c->recs && c->lost_bytes; r = list_next(r, link)) {
		u32 pipe = tcp_pipe(c), room = c->cwnd > pipe ? c->cwnd - pipe : 0;

		if (!(r->flags & REC_LOST))
			continue;
		if (room < MIN(c->mss, r->end - r->seq)) {
			c->cwnd_limited = true;
			return false;
		}
		room = MIN(limit, room) / c->mss;
		if (tcp_resend(c, r, MAX(room, 1u) * c->mss) < 0)
			return false;
		if (!c->t_rexmit)
			tcp_rexmit_start(c);
	}
	return true;
}

/* ---- new ---- */

static u32 segment_limit(const struct tcp_conn *c)
{
	struct ip_addr src;
	struct netif *n;

	if (c->snd_urg) /* segments cut by the link would all carry the same pointer */
		return c->mss;
	n = ip_route(c->s->rip, &src);
	return n && (ip_is4(c->s->rip) ? n->tso : n->tso6) && n != &net_lo ? MAX(65000u / c->mss, 1u) * c->mss : c->mss;
}

/* Should `len` new bytes wait? Nagle (as Minshall has it), cork, sender's silly-window avoidance (RFC 9293 3.8.6.2.1, 3.7.4). */
static bool hold_back(const struct tcp_conn *c, u32 len, u32 avail)
{
	if (len >= c->mss || c->push || c->snd_urg)
		return false;
	if (len < avail && len < c->max_wnd / 2)
		return true; /* cut short by a window */
	if (c->fin_queued)
		return false;
	if (c->s->cork)
		return true;
	return !c->s->nodelay && SEQ_GT(c->snd_sml, c->snd_una) && SEQ_LEQ(c->snd_sml, c->snd_nxt);
}

static int send_new(struct tcp_conn *c, u32 len, bool fin, bool last)
{
	struct tcp_rec *r = tcp_rec_add(c, c->snd_nxt, c->snd_nxt + len + fin);
	int err;

	if (!r) {
		net_drop(NET_DROP_no_memory);
		return -ENOMEM;
	}
	err = send_segment(c, c->snd_nxt, len, (u8)(TH_ACK | (len && last ? TH_PSH : 0) | (fin ? TH_FIN : 0)));
	if (err == -EAGAIN) {
		tcp_rec_del(c, r);
		return err;
	}
	if (err == -EMSGSIZE) /* the route's MTU is smaller than it was: what was sent goes again in smaller pieces */
		tcp_pmtu_route_smaller(c);
	c->snd_nxt += len + fin;
	if (len && len < c->mss)
		c->snd_sml = c->snd_nxt;
	tcp_cc_sent(c, len + fin);
	return 0;
}

/* New data and the FIN, as far as the windows let them. True: something was sent. */
static bool send_fresh(struct tcp_conn *c, u32 limit)
{
	bool sent = false;

	c->cwnd_limited = false;
	for (;;) {
		u32 off = c->snd_nxt - c->snd_una, pipe = tcp_pipe(c), cwnd, avail, room, len, want;
		bool fin;

		if (off > c->snd.len) /* the FIN has gone */
			break;
		avail = c->snd.len - off;
		room = c->snd_wnd > off ? c->snd_wnd - off : 0;
		cwnd = c->cwnd > pipe ? c->cwnd - pipe : 0;
		want = MIN(avail, c->mss);
		if (cwnd < MIN(room, want))
			c->cwnd_limited = true;
		room = MIN(room, cwnd);
		room = MIN(room, limit);
		len = MIN(avail, room);
		if (len > c->mss && len < avail)
			len -= len % c->mss;
		fin = c->fin_queued && len == avail;
		if (!fin && (!len || hold_back(c, len, avail)))
			break;
		if (send_new(c, len, fin, len == avail))
			break; /* the timer below tries again */
		sent = true;
		if (!c->t_rexmit)
			tcp_rexmit_start(c);
	}
	if (c->cwnd < c->ssthresh && c->snd_nxt - c->snd_una >= c->cwnd / 2)
		c->cwnd_limited = true; /* slow start: half of it in use is reason to double it */
	return sent;
}

void tcp_output(struct tcp_conn *c)
{
	u32 limit;
	bool sent = false;

	if (!may_send_data(c)) {
		if (c->ack_now && c->state >= TCP_ESTABLISHED)
			tcp_send_ack(c);
		return;
	}
	limit = segment_limit(c);
	if (c->snd_nxt == c->snd_una && c->snd.len)
		tcp_cc_idle(c);
	if (send_lost(c, limit))
		sent = send_fresh(c, limit);
	if (sent) {
		if (clock_monotonic_ns() - c->last_rx < TCP_DELACK_NS)
			c->pingpong = true; /* they ask, we answer: ACKs can wait for the answer */
		tcp_tlp_arm(c);
		tcp_timer_update(c);
	}
	if (c->ack_now)
		tcp_send_ack(c);
	if (c->snd_nxt == c->snd_una && c->snd.len && !c->t_persist) /* nothing out there that an ACK will follow */
		tcp_persist_start(c);
}

bool tcp_tail_probe(struct tcp_conn *c)
{
	u32 off = c->snd_nxt - c->snd_una, avail = c->snd.len > off ? c->snd.len - off : 0, room = c->snd_wnd > off ? c->snd_wnd - off : 0, len;
	struct tcp_rec *r;

	room = MIN(room, c->mss);
	len = MIN(avail, room);
	if (len && (len == c->mss || len == avail)) {
		c->tlp_is_rtx = false;
		if (send_new(c, len, false, true))
			return false;
	} else {
		if (list_empty(&c->recs))
			return false;
		r = list_last(&c->recs, struct tcp_rec, link);
		if (r->end - r->seq > c->mss) {
			if (tcp_rec_split(c, r, r->end - c->mss))
				return false;
			r = list_last(&c->recs, struct tcp_rec, link);
		}
		if (r->flags & REC_SACKED)
			return false;
		c->tlp_is_rtx = true;
		if (tcp_resend(c, r, c->mss) < 0)
			return false;
	}
	c->tlp_out = true;
	c->tlp_end = c->snd_nxt;
	return true;
}
