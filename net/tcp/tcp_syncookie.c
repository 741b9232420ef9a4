/* SPDX-License-Identifier: MIT */
/*
 * SYN cookies: when the queue of half-open connections is full, what a SYN said is kept in our sequence number and timestamp instead of
 * in memory. Cookie: a keyed hash of addresses, ports and the peer's number, plus a minute counter and the index of the MSS, which a
 * second hash hides. Options go into the low bits of the timestamp. Valid for two minutes; under net_lock.
 */
#include "net/tcp/tcp.h"

#define COOKIE_BITS 24
#define COOKIE_MASK ((1u << COOKIE_BITS) - 1)
#define TS_BITS 6 /* 4 window scale (15: none), SACK, ECN */
#define NO_WSCALE 15u

static const u16 mss_table[] = { 536, 1300, 1440, 1460, 4312, 8960, 16344, 65483 };

static u32 hash(const struct tcp_seg *g, u32 isn, u32 count, u32 which)
{
	return (u32)tcp_keyed_hash(g->dst, g->dport, g->src, g->sport, (u64)which << 56 ^ (u64)count << 32 ^ isn ^ 0xc00c1e00000000ull);
}

static u32 minute(void)
{
	return (u32)(clock_monotonic_ns() / (60 * NSEC_PER_SEC));
}

static u32 make(const struct tcp_seg *g, u32 mss_index)
{
	u32 isn = g->seq, count = minute();

	return hash(g, isn, 0, 2) + isn + (count << COOKIE_BITS) + ((hash(g, isn, count, 3) + mss_index) & COOKIE_MASK);
}

/* The index of the MSS, or -1. isn: the peer's. */
static int check(const struct tcp_seg *g, u32 isn, u32 cookie)
{
	u32 count = minute(), age, v;

	cookie -= hash(g, isn, 0, 2) + isn;
	age = (count - (cookie >> COOKIE_BITS)) & 0xff;
	if (age > 1)
		return -1;
	v = (cookie - hash(g, isn, count - age, 3)) & COOKIE_MASK;
	return v < ARRAY_SIZE(mss_table) ? (int)v : -1;
}

static u32 ts_offset(const struct tcp_seg *g)
{
	return (u32)tcp_keyed_hash(g->dst, 0, g->src, 0, 4);
}

/* A timestamp of the last 64 ms at most that carries the options. */
static u32 ts_with_options(const struct tcp_seg *g, bool ecn)
{
	u32 now = tcp_ts_clock() + ts_offset(g), opts, v;

	opts = (g->o.wscale >= 0 ? (u32)g->o.wscale : NO_WSCALE) | (g->o.sack_ok ? 16u : 0) | (ecn ? 32u : 0);
	v = (now & ~((1u << TS_BITS) - 1)) | opts;
	return v > now ? v - (1u << TS_BITS) : v;
}

void tcp_cookie_send(struct sock *l, const struct tcp_seg *g)
{
	u32 mss = ip_mss(g->src), peer = g->o.mss ? g->o.mss : 536, i = ARRAY_SIZE(mss_table) - 1, olen, wnd;
	bool ts = g->o.has_ts, ecn = ts && tcp_ecn_mode && (g->flags & (TH_ECE | TH_CWR)) == (TH_ECE | TH_CWR);
	u8 opts[40];
	struct tcp_hdr h;

	while (i && mss_table[i] > peer)
		i--;
	l->tcp->cookie_ns = clock_monotonic_ns();
	NET_INC(SyncookiesSent);
	if (l->tcp->user_mss)
		mss = MIN(mss, l->tcp->user_mss);
	olen = tcp_opt_syn(opts, mss, ts && g->o.wscale >= 0 ? TCP_WSCALE : -1, ts && g->o.sack_ok, ts, ts_with_options(g, ecn), g->o.ts_val);
	wnd = MIN(l->rcvbuf, 65535u);
	h = (struct tcp_hdr){ .sport = be16(g->dport), .dport = be16(g->sport), .seq = be32(make(g, i)), .ack = be32(g->seq + 1),
			      .off = (u8)((sizeof(h) + olen) << 2), .flags = (u8)(TH_SYN | TH_ACK | (ecn ? TH_ECE : 0)), .wnd = be16((u16)wnd) };
	(void)tcp_send_raw(g->dst, g->src, &h, opts, olen);
}

struct tcp_conn *tcp_cookie_check(struct sock *l, const struct tcp_seg *g)
{
	struct tcp_seg syn = *g;
	struct tcp_conn *c;
	int i;

	if (!l->tcp->cookie_ns || clock_monotonic_ns() - l->tcp->cookie_ns > 180 * NSEC_PER_SEC || (g->flags & (TH_SYN | TH_RST | TH_ACK)) != TH_ACK)
		return NULL;
	i = check(g, g->seq - 1, g->ack - 1);
	if (i < 0) {
		NET_INC(SyncookiesFailed);
		return NULL;
	}
	syn.seq = g->seq - 1;
	syn.flags = TH_SYN;
	syn.o = (struct tcp_opts){ .wscale = -1, .mss = mss_table[i] };
	if (g->o.has_ts && g->o.ts_ecr) {
		u32 opts = (g->o.ts_ecr) & ((1u << TS_BITS) - 1);

		syn.o.has_ts = true;
		syn.o.ts_val = g->o.ts_val;
		syn.o.wscale = (opts & 15) == NO_WSCALE ? -1 : (s8)(opts & 15);
		syn.o.sack_ok = opts & 16;
		if (opts & 32)
			syn.flags |= TH_ECE | TH_CWR;
	}
	c = tcp_child_create(l, &syn);
	if (!c)
		return NULL;
	NET_INC(SyncookiesRecv);
	c->iss = c->snd_una = g->ack - 1;
	c->snd_nxt = g->ack;
	c->recover = c->rack_fack = c->high_sacked = c->hy_end = c->iss;
	c->syn_sent_ns = 0;
	c->rcv_adv = c->rcv_nxt + MIN(c->s->rcvbuf, 65535u); /* what the cookie's SYN offered */
	return c;
}
