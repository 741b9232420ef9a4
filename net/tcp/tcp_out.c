/* SPDX-License-Identifier: MIT */
/* Segments out: what may be sent now (window, congestion window, Nagle, silly-window avoidance), headers, options, resets. */
#include "net/tcp/tcp.h"
#include "userlib/base/string.h"
#include <linux/in.h>

u32 tcp_rcv_window(const struct tcp_conn *c)
{
	u32 w = ring_space(&c->rcv, c->s->rcvbuf), floor = SEQ_GT(c->rcv_adv, c->rcv_nxt) ? c->rcv_adv - c->rcv_nxt : 0;

	w = MIN(w, 65535u << (c->wscale_ok ? c->rcv_wscale : 0));
	if (w < MIN(c->rcv_mss, c->s->rcvbuf / 2)) /* receiver's silly-window avoidance */
		w = 0;
	return MAX(w, floor); /* never shrink */
}

static u8 *put_u32(u8 *p, u32 v)
{
	v = be32(v);
	memcpy(p, &v, 4);
	return p + 4;
}

/* len: of the data that follows; SACK blocks only where they do not make the segment too large. */
static u32 build_options(struct tcp_conn *c, u8 *o, u8 flags, u32 len)
{
	u8 *p = o;

	if (flags & TH_SYN) {
		p = put_u32(p, 2u << 24 | 4u << 16 | MIN(ip_mss(c->s->rip), 65495u));
		if (!(flags & TH_ACK) || c->wscale_ok)
			p = put_u32(p, 1u << 24 | 3u << 16 | 3u << 8 | TCP_WSCALE);
		if (!(flags & TH_ACK) || c->sack_ok)
			p = put_u32(p, 1u << 24 | 1u << 16 | 4u << 8 | 2u);
	}
	if (c->ts_ok || (flags & TH_SYN && !(flags & TH_ACK))) {
		p = put_u32(p, 1u << 24 | 1u << 16 | 8u << 8 | 10u);
		p = put_u32(p, tcp_ts_now());
		p = put_u32(p, c->ts_recent);
	}
	if (flags & TH_ACK && !(flags & TH_SYN) && len + 28 <= c->mss)
		p += tcp_sack_option(c, p, 3);
	return (u32)(p - o);
}

/* One segment (or, with offload, a run of them): len bytes of the send ring from seq. */
static int send_segment(struct tcp_conn *c, u32 seq, u32 data_off, u32 len, u8 flags)
{
	struct sock *s = c->s;
	u8 opts[40], *p = net_tx + NET_HEADROOM;
	u32 olen = build_options(c, opts, flags, len), hlen = (u32)sizeof(struct tcp_hdr) + olen, w = tcp_rcv_window(c);
	struct tcp_hdr h = { .sport = be16(s->lport), .dport = be16(s->rport), .seq = be32(seq), .off = (u8)(hlen << 2),
			     .flags = flags };

	NET_INC(TcpOutSegs);
	if (len && SEQ_LT(seq, c->snd_max))
		NET_INC(TcpRetransSegs);
	if (flags & TH_RST)
		NET_INC(TcpOutRsts);
	if (flags & TH_ACK)
		h.ack = be32(c->rcv_nxt);
	h.wnd = be16((u16)MIN(flags & TH_SYN ? w : w >> (c->wscale_ok ? c->rcv_wscale : 0), 65535u));
	memcpy(p, &h, sizeof(h));
	memcpy(p + sizeof(h), opts, olen);
	if (len)
		ring_peek(&c->snd, data_off, p + hlen, len);
	if (flags & TH_ACK) {
		u32 edge = c->rcv_nxt + (flags & TH_SYN ? MIN(w, 65535u) : w);

		if (SEQ_GT(edge, c->rcv_adv))
			c->rcv_adv = edge;
		c->delack = c->ack_now = false;
		c->segs_unacked = 0;
		c->t_delack = 0;
	}
	return ip_output(s->lip, s->rip, IPPROTO_TCP, s->ttl, s->tos, p, hlen + len, 16, (u16)c->mss, (u16)hlen);
}

void tcp_send_syn(struct tcp_conn *c)
{
	c->snd_nxt = c->iss + 1;
	if (SEQ_LT(c->snd_max, c->snd_nxt))
		c->snd_max = c->snd_nxt;
	(void)send_segment(c, c->iss, 0, 0, c->state == TCP_SYN_RECEIVED ? TH_SYN | TH_ACK : TH_SYN);
}

void tcp_send_ack(struct tcp_conn *c)
{
	(void)send_segment(c, c->snd_max, 0, 0, TH_ACK);
}

/* A segment the peer must answer: old sequence, or one byte into a zero window. */
void tcp_send_probe(struct tcp_conn *c)
{
	(void)send_segment(c, c->snd_una - 1, 0, 0, TH_ACK);
}

void tcp_send_rst(struct tcp_conn *c)
{
	(void)send_segment(c, c->snd_max, 0, 0, TH_RST | TH_ACK);
}

/* RFC 9293 3.10.7.1: a reset for a segment that belongs to nothing. */
void tcp_reply_rst(const struct tcp_seg *g)
{
	u8 *p = net_tx + NET_HEADROOM;
	struct tcp_hdr h = { .sport = be16(g->dport), .dport = be16(g->sport), .off = 5 << 4 };

	if (g->flags & TH_RST)
		return;
	NET_INC(TcpOutRsts);
	if (g->flags & TH_ACK) {
		h.seq = be32(g->ack);
		h.flags = TH_RST;
	} else {
		h.ack = be32(g->seq + g->len + !!(g->flags & TH_SYN) + !!(g->flags & TH_FIN));
		h.flags = TH_RST | TH_ACK;
	}
	memcpy(p, &h, sizeof(h));
	(void)ip_output(g->dst, g->src, IPPROTO_TCP, 64, 0, p, sizeof(h), 16, 0, 0);
}

static bool may_send_data(const struct tcp_conn *c)
{
	return c->state == TCP_ESTABLISHED || c->state == TCP_CLOSE_WAIT || c->state == TCP_FIN_WAIT_1 ||
	       c->state == TCP_CLOSING || c->state == TCP_LAST_ACK;
}

/* Bytes (data + FIN) between snd_una and snd_nxt. */
static u32 in_flight(const struct tcp_conn *c)
{
	return c->snd_nxt - c->snd_una;
}

u32 tcp_resend(struct tcp_conn *c, u32 seq, u32 want)
{
	u32 off = seq - c->snd_una, len = off < c->snd.len ? MIN(want, c->snd.len - off) : 0;
	bool fin = c->fin_queued && len < want && off + len == c->snd.len && SEQ_GT(c->snd_max, seq + len);

	if (!len && !fin)
		return 0;
	c->total_retrans++;
	c->rtt_start = 0;
	(void)send_segment(c, seq, off, len, (u8)(TH_ACK | (len ? TH_PSH : 0) | (fin ? TH_FIN : 0)));
	tcp_rexmit_start(c);
	return len + fin;
}

void tcp_resend_first(struct tcp_conn *c)
{
	(void)tcp_resend(c, c->snd_una, c->mss);
}

static u32 segment_limit(const struct tcp_conn *c)
{
	struct ip_addr src;
	struct netif *n = ip_route(c->s->rip, &src);

	return n && n->tso && n != &net_lo ? (65000u / c->mss) * c->mss : c->mss;
}

/* Should `len` new bytes wait? Nagle, cork, sender's silly-window avoidance (RFC 9293 3.8.6.2.1, 3.7.4). */
static bool hold_back(const struct tcp_conn *c, u32 len, u32 avail)
{
	if (len >= c->mss || c->push)
		return false;
	if (len < avail && len < c->max_wnd / 2)
		return true; /* cut short by the window */
	if (c->fin_queued)
		return false;
	if (c->s->cork)
		return true;
	return !c->s->nodelay && in_flight(c) > 0;
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
	for (;;) {
		u32 off, wnd, room, avail, len;
		struct tcp_run sacked = { 0, 0 };
		bool fin_sent, fin;
		u8 flags = TH_ACK;

		while (SEQ_LT(c->snd_nxt, c->snd_max) && tcp_sack_next(c, c->snd_nxt, &sacked) && SEQ_LEQ(sacked.start, c->snd_nxt))
			c->snd_nxt = sacked.end; /* after a timeout: not what the peer has */
		off = in_flight(c);
		wnd = MIN(c->snd_wnd, c->cwnd + tcp_sack_credit(c));
		fin_sent = off > c->snd.len;

		if (fin_sent)
			break;
		avail = c->snd.len - off;
		room = wnd > off ? MIN(limit, wnd - off) : 0;
		len = MIN(avail, room);
		if (SEQ_LT(c->snd_nxt, c->snd_max) && tcp_sack_next(c, c->snd_nxt, &sacked))
			len = MIN(len, sacked.start - c->snd_nxt);
		if (len > c->mss && len < avail)
			len -= len % c->mss;
		fin = c->fin_queued && len == avail;
		if (!fin && (!len || hold_back(c, len, avail)))
			break;
		if (len && len == avail)
			flags |= TH_PSH;
		if (fin)
			flags |= TH_FIN;
		if (!c->rtt_start && SEQ_GEQ(c->snd_nxt, c->snd_max)) {
			c->rtt_seq = c->snd_nxt + len;
			c->rtt_start = clock_monotonic_ns();
		}
		if (send_segment(c, c->snd_nxt, off, len, flags) == -EAGAIN)
			break; /* the link is full: the retransmission timer tries again */
		c->snd_nxt += len + fin;
		if (SEQ_GT(c->snd_nxt, c->snd_max))
			c->snd_max = c->snd_nxt;
		sent = true;
		if (!c->t_rexmit)
			tcp_rexmit_start(c);
	}
	if (!sent && c->ack_now)
		tcp_send_ack(c);
	if (c->snd.len && c->snd_max == c->snd_una && !c->t_persist) { /* nothing out there that an ACK will follow */
		c->persist_shift = 0;
		c->t_persist = clock_monotonic_ns() + (c->snd_wnd ? TCP_RTO_MIN_NS : c->rto);
		tcp_timer_update(c);
	}
}
