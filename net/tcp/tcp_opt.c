/* SPDX-License-Identifier: MIT */
/*
 * Options: parsing what came, building what goes (RFC 9293 3.2, 7323, 2018). The parser reads nothing beyond len and takes any bytes; an
 * option of the wrong length is skipped, a length that leads outside ends the list.
 */
#include "net/tcp/tcp.h"
#include "userlib/base/string.h"

enum { OPT_END, OPT_NOP, OPT_MSS, OPT_WSCALE, OPT_SACK_OK, OPT_SACK, OPT_TS = 8 };

static u32 get_u32(const u8 *p)
{
	u32 v;

	memcpy(&v, p, 4);
	return be32(v);
}

static void parse_sack(struct tcp_opts *o, const u8 *p, u32 len)
{
	for (o->nr_sack = 0; len >= 8 && o->nr_sack < ARRAY_SIZE(o->sack); p += 8, len -= 8)
		o->sack[o->nr_sack++] = (struct tcp_run){ get_u32(p), get_u32(p + 4) };
}

static void parse_one(struct tcp_opts *o, const u8 *p, u32 n)
{
	switch (p[0]) {
	case OPT_MSS:
		if (n == 4)
			o->mss = (u16)(p[2] << 8 | p[3]);
		break;
	case OPT_WSCALE:
		if (n == 3)
			o->wscale = (s8)MIN(p[2], 14); /* RFC 7323 2.3 */
		break;
	case OPT_SACK_OK:
		o->sack_ok |= n == 2;
		break;
	case OPT_SACK:
		if (n >= 10 && (n - 2) % 8 == 0)
			parse_sack(o, p + 2, n - 2);
		break;
	case OPT_TS:
		if (n == 10) {
			o->has_ts = true;
			o->ts_val = get_u32(p + 2);
			o->ts_ecr = get_u32(p + 6);
		}
		break;
	default:
		break;
	}
}

void tcp_opt_parse(struct tcp_opts *o, const u8 *p, u32 len)
{
	*o = (struct tcp_opts){ .wscale = -1 };
	while (len && p[0] != OPT_END) {
		u32 n = 1;

		if (p[0] != OPT_NOP) {
			if (len < 2 || p[1] < 2 || p[1] > len)
				return;
			n = p[1];
			parse_one(o, p, n);
		}
		p += n;
		len -= n;
	}
}

static u8 *put_u32(u8 *p, u32 v)
{
	v = be32(v);
	memcpy(p, &v, 4);
	return p + 4;
}

static u8 *put_ts(u8 *p, u32 val, u32 ecr)
{
	p = put_u32(p, 1u << 24 | 1u << 16 | OPT_TS << 8 | 10u);
	p = put_u32(p, val);
	return put_u32(p, ecr);
}

u32 tcp_opt_syn(u8 *out, u32 mss, s8 wscale, bool sack, bool ts, u32 ts_val, u32 ts_ecr)
{
	u8 *p = put_u32(out, (u32)OPT_MSS << 24 | 4u << 16 | MIN(mss, 65495u));

	if (wscale >= 0)
		p = put_u32(p, 1u << 24 | OPT_WSCALE << 16 | 3u << 8 | (u32)wscale);
	if (sack)
		p = put_u32(p, 1u << 24 | 1u << 16 | OPT_SACK_OK << 8 | 2u);
	if (ts)
		p = put_ts(p, ts_val, ts_ecr);
	return (u32)(p - out);
}

u32 tcp_opt_build(struct tcp_conn *c, u8 *out, u8 flags, u32 len)
{
	bool ask = !(flags & TH_ACK); /* a SYN asks for everything, its answer grants what was asked */
	u8 *p = out;

	if (flags & TH_SYN)
		return tcp_opt_syn(out, c->adv_mss, ask || c->wscale_ok ? (s8)c->rcv_wscale : -1, ask || c->sack_ok, ask || c->ts_ok,
				   tcp_ts_now(c), c->ts_recent);
	if (c->ts_ok)
		p = put_ts(p, tcp_ts_now(c), c->ts_recent);
	if (flags & TH_ACK && len + 28 <= c->mss) /* SACK only where it does not make the segment too large */
		p += tcp_sack_option(c, p, 3);
	return (u32)(p - out);
}

u32 tcp_ts_clock(void)
{
	return (u32)(clock_monotonic_ns() / NSEC_PER_MSEC);
}

/* Each pair of hosts sees a clock of its own (RFC 7323 7.1). */
u32 tcp_ts_now(const struct tcp_conn *c)
{
	return tcp_ts_clock() + c->ts_offset;
}

void tcp_opt_agree(struct tcp_conn *c, const struct tcp_seg *g)
{
	c->irs = g->seq;
	c->rcv_nxt = c->rcv_adv = c->last_ack = g->seq + 1;
	c->peer_mss = g->o.mss ? MAX(g->o.mss, TCP_MSS_MIN) : 536;
	c->sack_ok = g->o.sack_ok;
	c->wscale_ok = g->o.wscale >= 0;
	c->snd_wscale = c->wscale_ok ? (u8)g->o.wscale : 0;
	c->ts_ok = g->o.has_ts;
	c->ts_recent = g->o.ts_val;
	c->ts_recent_ns = clock_monotonic_ns();
	c->snd_wnd = c->max_wnd = g->wnd; /* never scaled in a SYN */
	c->snd_wl1 = g->seq;
	c->snd_wl2 = g->ack;
	tcp_mss_update(c);
	c->rcv_mss = MIN(c->mss, c->adv_mss);
	tcp_cc_init(c);
}
