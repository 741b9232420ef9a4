/* SPDX-License-Identifier: MIT */
/*
 * Segments in, in the order of RFC 9293 3.10.7: parse and find the connection; SYN_SENT; then for all others PAWS, sequence check, RST,
 * SYN; the ACK field is tcp_ack.c's, data and FIN are tcp_data.c's. RFC 5961 for resets, SYNs and ACKs of a blind attacker, RFC 7323 for
 * timestamps and PAWS. Called by ip.c and ip6.c under net_lock. Whatever comes is answered or counted.
 */
#include "net/tcp/tcp.h"
#include "userlib/base/string.h"
#include <linux/in.h>

/* RFC 5961 7: bounded for the whole instance, by a number that cannot be counted out from outside; and per connection. */
void tcp_challenge_ack(struct tcp_conn *c)
{
	static s64 window_start;
	static u32 budget;
	static struct spinlock lock;
	s64 now = clock_monotonic_ns();
	bool may;

	NET_INC(TCPSYNChallenge);
	if (now - c->refused_ns < TCP_REFUSE_NS)
		return net_drop(NET_DROP_ack_limit);
	spin_lock(&lock);
	if (!window_start || now - window_start > NSEC_PER_SEC) {
		window_start = now;
		budget = 500 + random_u32() % 501;
	}
	may = budget != 0;
	budget -= may;
	spin_unlock(&lock);
	if (!may)
		return net_drop(NET_DROP_ack_limit);
	c->refused_ns = now;
	NET_INC(TCPChallengeACK);
	tcp_send_ack(c);
}

/* The answer to an unacceptable segment. Without data at most two a second: two ends that disagree must not answer each other for ever. */
void tcp_refuse_with_ack(struct tcp_conn *c, const struct tcp_seg *g)
{
	s64 now = clock_monotonic_ns();

	if (!g->len && now - c->refused_ns < TCP_REFUSE_NS)
		return;
	c->refused_ns = now;
	tcp_send_ack(c);
}

static void syn_sent_input(struct tcp_conn *c, const struct tcp_seg *g)
{
	if (g->flags & TH_ACK && g->ack != c->iss + 1) {
		net_drop(NET_DROP_bad_ack);
		return tcp_reply_rst(g);
	}
	if (g->flags & TH_RST) {
		if (g->flags & TH_ACK)
			tcp_abort(c, ECONNREFUSED);
		else
			net_drop(NET_DROP_bad_rst);
		return;
	}
	if (!(g->flags & TH_SYN))
		return net_drop(NET_DROP_unexpected);
	tcp_opt_agree(c, g);
	c->ecn_ok = tcp_ecn_mode == 1 && (g->flags & (TH_ACK | TH_ECE | TH_CWR)) == (TH_ACK | TH_ECE) && !c->retries;
	if (!(g->flags & TH_ACK)) { /* simultaneous open */
		tcp_set_state(c, TCP_SYN_RECEIVED);
		tcp_send_syn(c);
		return;
	}
	c->snd_una = g->ack;
	if (!c->retries)
		tcp_rtt_sample(c, clock_monotonic_ns() - c->syn_sent_ns);
	tcp_established(c);
	tcp_send_ack(c);
}

static bool paws_ok(struct tcp_conn *c, const struct tcp_seg *g, s64 now)
{
	if (!c->ts_ok || !g->o.has_ts || g->flags & TH_RST || (s32)(g->o.ts_val - c->ts_recent) >= 0)
		return true;
	if (now - c->ts_recent_ns > 24 * 86400 * NSEC_PER_SEC) /* RFC 7323 5.5: too old to judge by */
		return true;
	NET_INC(PAWSEstab);
	net_drop(NET_DROP_paws);
	tcp_refuse_with_ack(c, g);
	return false;
}

/* A SYN that made this half-open connection, again: our answer was lost. */
static bool is_syn_again(const struct tcp_conn *c, const struct tcp_seg *g)
{
	return c->state == TCP_SYN_RECEIVED && (g->flags & (TH_SYN | TH_ACK | TH_RST)) == TH_SYN && g->seq == c->irs;
}

static void note_duplicate(struct tcp_conn *c, u32 start, u32 end)
{
	if (!c->sack_ok || start == end)
		return;
	c->has_dsack = true;
	c->dsack = (struct tcp_run){ start, end };
	NET_INC(TCPDSACKOldSent);
}

/* Is any of it in the window? Trims g to it. False: not acceptable, answered. */
static bool sequence_ok(struct tcp_conn *c, struct tcp_seg *g)
{
	u32 wnd = SEQ_GT(c->rcv_adv, c->rcv_nxt) ? c->rcv_adv - c->rcv_nxt : 0, dup;

	if (SEQ_LT(g->seq, c->rcv_nxt)) {
		dup = c->rcv_nxt - g->seq;
		if (g->flags & TH_RST) {
			net_drop(NET_DROP_bad_rst);
			return false;
		}
		if (g->flags & TH_SYN) {
			if (c->state > TCP_SYN_RECEIVED) {
				tcp_challenge_ack(c);
				return false;
			}
			g->flags &= (u8)~TH_SYN;
			g->seq++;
			dup--;
		}
		note_duplicate(c, g->seq, g->seq + MIN(dup, g->len));
		if (dup >= g->len + !!(g->flags & TH_FIN)) { /* nothing new but perhaps its ACK field */
			tcp_refuse_with_ack(c, g);
			dup = g->len;
			g->flags &= (u8)~TH_FIN;
		}
		g->data += dup;
		g->len -= dup;
		g->seq = c->rcv_nxt;
	}
	if (SEQ_GT(g->seq, c->rcv_nxt + wnd) || (wnd == 0 && g->len)) {
		if (!(g->flags & TH_RST))
			tcp_refuse_with_ack(c, g);
		if (wnd == 0)
			NET_INC(TCPZeroWindowDrop);
		net_drop(NET_DROP_window);
		if (wnd || g->seq != c->rcv_nxt || g->flags & (TH_RST | TH_SYN))
			return false;
		g->len = 0; /* a zero-window probe: its ACK field counts */
		g->flags &= (u8)~TH_FIN;
	}
	if (SEQ_GT(g->seq + g->len, c->rcv_nxt + wnd)) {
		net_drop(NET_DROP_window);
		g->len = c->rcv_nxt + wnd - g->seq;
		g->flags &= (u8)~TH_FIN;
	}
	return true;
}

static void rst_input(struct tcp_conn *c, const struct tcp_seg *g)
{
	if (g->seq != c->rcv_nxt)
		return tcp_challenge_ack(c);
	if (c->state == TCP_TIME_WAIT)
		return net_drop(NET_DROP_bad_rst); /* RFC 1337: no assassination */
	tcp_abort(c, c->state == TCP_SYN_RECEIVED ? ECONNREFUSED : c->state == TCP_CLOSE_WAIT ? EPIPE : ECONNRESET);
}

/* In TIME-WAIT: the peer has not seen our last ACK. */
static void fin_again(struct tcp_conn *c, s64 now)
{
	tcp_send_ack(c);
	c->t_life = now + 2 * TCP_MSL_NS;
	tcp_timer_update(c);
}

static void ecn_input(struct tcp_conn *c, const struct tcp_seg *g)
{
	if (!c->ecn_ok)
		return;
	if (g->flags & TH_CWR)
		c->ecn_echo = false;
	if (g->ce && g->len) {
		if (!c->ecn_echo)
			c->ack_now = true;
		c->ecn_echo = true;
	}
}

static void conn_input(struct tcp_conn *c, struct tcp_seg *g)
{
	s64 now = clock_monotonic_ns();

	c->segs_in++;
	if (c->state == TCP_SYN_SENT)
		return syn_sent_input(c, g);
	if (is_syn_again(c, g)) {
		if (now - c->refused_ns >= TCP_REFUSE_NS) {
			c->refused_ns = now;
			tcp_send_syn(c);
		}
		return;
	}
	if (!paws_ok(c, g, now))
		return;
	if (c->state == TCP_TIME_WAIT && (g->flags & (TH_FIN | TH_RST | TH_SYN)) == TH_FIN && SEQ_LT(g->seq, c->rcv_nxt))
		return fin_again(c, now);
	if (!sequence_ok(c, g))
		return;
	c->last_rx = now;
	c->keep_probes = 0;
	if (g->flags & TH_RST)
		return rst_input(c, g);
	if (g->flags & TH_SYN)
		return tcp_challenge_ack(c);
	if (!(g->flags & TH_ACK))
		return net_drop(NET_DROP_unexpected);
	if (c->ts_ok && g->o.has_ts && SEQ_LEQ(g->seq, c->last_ack) && (s32)(g->o.ts_val - c->ts_recent) >= 0) {
		c->ts_recent = g->o.ts_val;
		c->ts_recent_ns = now;
	}
	if (c->state == TCP_TIME_WAIT)
		return;
	ecn_input(c, g);
	if (!tcp_ack_input(c, g) || c->state == TCP_CLOSED)
		return;
	tcp_data_input(c, g);
	if (c->state != TCP_CLOSED)
		tcp_output(c);
}

/* A new SYN on a pair in TIME-WAIT that cannot be an old one (RFC 6191). */
static bool may_replace_time_wait(const struct tcp_conn *c, const struct tcp_seg *g)
{
	return c->state == TCP_TIME_WAIT && (g->flags & (TH_SYN | TH_ACK | TH_RST)) == TH_SYN &&
	       (SEQ_GT(g->seq, c->rcv_nxt) || (c->ts_ok && g->o.has_ts && (s32)(g->o.ts_val - c->ts_recent) > 0));
}

static void bad(enum net_drop why)
{
	NET_INC(TcpInErrs);
	net_drop(why);
}

/* g has its addresses. 0, or why the segment is none. */
static enum net_drop parse(struct tcp_seg *g, u8 *p, u32 len, bool csum_ok)
{
	struct tcp_hdr h;
	u32 hlen;

	if (len < sizeof(h))
		return NET_DROP_runt;
	memcpy(&h, p, sizeof(h));
	hlen = (h.off >> 4) * 4u;
	if (hlen < sizeof(h) || hlen > len)
		return NET_DROP_bad_header;
	if (!csum_ok && csum_fold(csum_add(p, len, csum_pseudo(g->src, g->dst, IPPROTO_TCP, len))) != 0xffff)
		return NET_DROP_csum;
	g->sport = be16(h.sport);
	g->dport = be16(h.dport);
	g->seq = be32(h.seq);
	g->ack = be32(h.ack);
	g->flags = h.flags;
	g->wnd = be16(h.wnd);
	g->up = be16(h.urg);
	g->data = p + hlen;
	g->len = len - hlen;
	tcp_opt_parse(&g->o, p + sizeof(h), hlen - (u32)sizeof(h));
	return 0;
}

/*
 * As a reader: plain segments of connections that somebody holds, whose processing cannot end them. What may change the connection's
 * state, and so the tables, is left to the writer.
 */
bool tcp_input_shared(struct ip_addr src, struct ip_addr dst, u8 *p, u32 len, u8 tos, bool csum_ok)
{
	struct tcp_seg g = { .src = src, .dst = dst, .ce = (tos & 3) == 3 };
	struct sock *s;
	bool plain;

	if (parse(&g, p, len, csum_ok) || (g.flags & (TH_FIN | TH_SYN | TH_RST | TH_ACK | TH_URG)) != TH_ACK)
		return false;
	s = tcp_find(dst, g.dport, src, g.sport);
	if (!s)
		return false;
	spin_lock(&s->lock);
	plain = tcp_is_plain(s->tcp);
	if (plain) {
		NET_INC(TcpInSegs);
		conn_input(s->tcp, &g);
	}
	spin_unlock(&s->lock);
	return plain;
}

void tcp_input(struct netif *n, struct ip_addr src, struct ip_addr dst, u8 *p, u32 len, u8 tos, bool csum_ok)
{
	struct tcp_seg g = { .src = src, .dst = dst, .ce = (tos & 3) == 3 };
	enum net_drop why;
	struct sock *s;

	(void)n;
	NET_INC(TcpInSegs);
	why = parse(&g, p, len, csum_ok);
	if (why == NET_DROP_csum)
		NET_INC(TcpInCsumErrors);
	if (why)
		return bad(why);
	s = tcp_find(dst, g.dport, src, g.sport);
	if (s && may_replace_time_wait(s->tcp, &g)) {
		NET_INC(TWRecycled);
		tcp_time_wait_end(s);
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
