/* SPDX-License-Identifier: MIT */
/*
 * Path MTU: what ICMP says (RFC 1191, 8201), believed only if it quotes something outstanding (RFC 5927), and black holes, where large
 * segments vanish and no ICMP comes (RFC 4821: smaller after repeated timeouts; the size is tried again after ten minutes). Also ICMP
 * errors for connections. Called by ip.c and ip6.c and the other TCP files, under net_lock.
 */
#include "net/tcp/tcp.h"
#include "userlib/base/string.h"

#define PMTU_LIFE_NS (600 * NSEC_PER_SEC)
#define PMTU_MIN4 552u /* as net.ipv4.route.min_pmtu */
#define PMTU_MIN6 1280u
#define BLACK_HOLE_MSS 1024u /* first guess, as net.ipv4.tcp_base_mss */
#define BLACK_HOLE_MSS_MIN 512u

static u32 headers(const struct tcp_conn *c)
{
	return ip_is4(c->s->rip) ? 40 : 60;
}

u32 tcp_pmtu_mss(const struct tcp_conn *c)
{
	u32 route = ip_mss(c->s->rip);

	if (!c->pmtu || clock_monotonic_ns() - c->pmtu_ns > PMTU_LIFE_NS)
		return route;
	return MIN(route, c->pmtu - headers(c));
}

void tcp_mss_update(struct tcp_conn *c)
{
	u32 path = tcp_pmtu_mss(c), mss = MIN(c->peer_mss ? c->peer_mss : 536, path);

	c->adv_mss = ip_mss(c->s->rip);
	if (c->user_mss) {
		mss = MIN(mss, c->user_mss);
		c->adv_mss = MIN(c->adv_mss, c->user_mss);
	}
	c->mss = MAX(mss, (u32)TCP_MSS_MIN) - (c->ts_ok ? 12u : 0);
}

/* From now on no packet larger than mtu; what is out there and larger goes again, cut. */
static void shrink(struct tcp_conn *c, u32 mtu)
{
	struct tcp_rec *r;
	u32 old = c->mss;

	c->pmtu = mtu;
	c->pmtu_ns = clock_monotonic_ns();
	tcp_mss_update(c);
	if (c->mss >= old)
		return;
	c->cwnd = MAX(c->cwnd / old * c->mss, c->mss); /* the same number of packets */
	list_for_each(r, &c->recs, link)
		if (r->end - r->seq > c->mss)
			tcp_rec_lost(c, r);
}

void tcp_pmtu_route_smaller(struct tcp_conn *c)
{
	shrink(c, ip_mss(c->s->rip) + headers(c));
}

void tcp_pmtu_black_hole(struct tcp_conn *c)
{
	u32 full = c->mss + (c->ts_ok ? 12 : 0), mss = full > BLACK_HOLE_MSS ? BLACK_HOLE_MSS : MAX(full / 2, BLACK_HOLE_MSS_MIN);
	bool large = !list_empty(&c->recs) && list_first(&c->recs, struct tcp_rec, link)->end - list_first(&c->recs, struct tcp_rec, link)->seq > mss;

	if (!large || mss >= full || ip_mss(c->s->rip) > 16384) /* the loopback has no holes */
		return;
	NET_INC(TCPMTUPFail);
	c->black_holes++;
	shrink(c, mss + headers(c));
}

static void too_big(struct tcp_conn *c, u32 mtu)
{
	u32 floor = ip_is4(c->s->rip) ? PMTU_MIN4 : PMTU_MIN6;

	if (!tcp_is_synchronized(c))
		return net_drop(NET_DROP_icmp);
	if (mtu < 68)
		mtu = 0;
	mtu = MAX(mtu, floor);
	if (mtu >= c->mss + (c->ts_ok ? 12 : 0) + headers(c))
		return net_drop(NET_DROP_icmp);
	shrink(c, mtu);
	tcp_output(c);
}

/*
 * ICMP about a segment that we sent from lip to rip; l4: its first bytes (at least 8). err: errno; mtu: of a "too big" message, with err
 * EMSGSIZE. An error ends an attempt to connect; on an established connection it is only what a timeout will be reported as.
 */
void tcp_icmp_error(struct ip_addr lip, struct ip_addr rip, const u8 *l4, u32 len, int err, u32 mtu)
{
	struct tcp_conn *c;
	struct sock *s;
	u16 ports[2];
	u32 seq;

	if (len < 8)
		return net_drop(NET_DROP_runt);
	memcpy(ports, l4, 4);
	memcpy(&seq, l4 + 4, 4);
	seq = be32(seq);
	s = tcp_find(lip, be16(ports[0]), rip, be16(ports[1]));
	if (!s || s->tcp->state == TCP_TIME_WAIT)
		return net_drop(NET_DROP_icmp);
	c = s->tcp;
	if (SEQ_LT(seq, c->snd_una) || SEQ_GEQ(seq, c->snd_nxt))
		return net_drop(NET_DROP_icmp);
	if (err == EMSGSIZE)
		return too_big(c, mtu);
	if (c->state == TCP_SYN_SENT)
		return tcp_abort(c, err);
	c->soft_error = err;
	if (s->recv_err)
		sock_wake(s, EPOLLERR);
}
