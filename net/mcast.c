/* SPDX-License-Identifier: MIT */
/*
 * Groups an interface listens to, with counts of users, and their announcement: IGMPv2 (RFC 2236) and MLDv2 (RFC 3810, all sources), MLDv1
 * (RFC 2710) for a while after a querier of that version was heard. Bounded. Under net_lock; one timer while a report is due.
 */
#include "net/stack.h"
#include "userlib/base/string.h"
#include <linux/in.h>
#include <linux/in6.h>

#define GROUPS 64
#define UNSOLICITED_NS (2 * NSEC_PER_SEC)
#define V1_PRESENT_NS (260 * NSEC_PER_SEC)

static struct group {
	struct ip_addr ip;
	struct netif *on;
	u32 users;
	u8 reports; /* unsolicited ones still to send */
	s64 due;    /* 0: none */
} groups[GROUPS];
static struct timer timer;
static s64 v1_until;
static u8 frame[NET_HEADROOM + 96];

static bool is_silent(struct ip_addr g) /* never reported */
{
	if (ip_is4(g))
		return ip4_of(g) == be32(0xe0000001);
	return (g.b[1] & 15) <= 1 || ip_eq(g, (struct ip_addr){ .b = { 0xff, 2, [15] = 1 } });
}

static struct group *find(const struct netif *n, struct ip_addr ip)
{
	for (u32 i = 0; i < GROUPS; i++)
		if (groups[i].users && groups[i].on == n && ip_eq(groups[i].ip, ip))
			return &groups[i];
	return NULL;
}

bool mcast_is_member(const struct netif *n, struct ip_addr g)
{
	return is_silent(g) || find(n, g);
}

static void send_igmp(struct netif *n, u8 type, struct ip_addr g)
{
	struct ip_hdr *h = (struct ip_hdr *)(frame + NET_HEADROOM);
	u8 *p = (u8 *)(h + 1) + 4;
	struct tx_meta m = { 0 };
	u32 to = type == 0x17 ? be32(0xe0000002) : ip4_of(g), v4 = ip4_of(g);
	u16 sum;

	*h = (struct ip_hdr){ .vihl = 0x46, .tos = 0xc0, .len = be16(32), .frag = be16(0x4000), .ttl = 1, .proto = IPPROTO_IGMP, .src = n->ip, .dst = to };
	memcpy(h + 1, (u8[]){ 0x94, 4, 0, 0 }, 4); /* router alert */
	h->csum = (u16)~csum_fold(csum_add(h, 24, 0));
	memset(p, 0, 8);
	p[0] = type;
	memcpy(p + 4, &v4, 4);
	sum = (u16)~csum_fold(csum_add(p, 8, 0));
	memcpy(p + 2, &sum, 2);
	NET_INC(IpOutRequests);
	(void)eth_send(n, ip4_addr(to), (u8 *)h, 32, &m);
}

static struct ip_addr report_source(const struct netif *n)
{
	for (u32 i = 0; i < n->nr_addr6; i++)
		if (ip_is_link_local(n->addr6[i].ip) && !n->addr6[i].optimistic)
			return n->addr6[i].ip;
	return IP6_ANY; /* RFC 3590 */
}

static void send_mld(struct netif *n, struct ip_addr g, bool leave)
{
	bool v1 = clock_monotonic_ns() < v1_until;
	struct ip6_hdr *h = (struct ip6_hdr *)(frame + NET_HEADROOM);
	u8 *ext = (u8 *)(h + 1), *p = ext + 8;
	u32 len = v1 ? 24 : 28;
	struct ip_addr dst = !v1 ? (struct ip_addr){ .b = { 0xff, 2, [15] = 0x16 } } : leave ? (struct ip_addr){ .b = { 0xff, 2, [15] = 2 } } : g;
	struct tx_meta m = { 0 };
	u16 sum;

	*h = (struct ip6_hdr){ .vtf = be32(6u << 28), .len = be16((u16)(len + 8)), .next = IPPROTO_HOPOPTS, .hops = 1, .src = report_source(n), .dst = dst };
	memcpy(ext, (u8[]){ IPPROTO_ICMPV6, 0, 5, 2, 0, 0, 1, 0 }, 8);
	memset(p, 0, len);
	if (v1) {
		p[0] = leave ? 132 : 131;
		memcpy(p + 8, &g, 16);
	} else {
		p[0] = 143;
		p[7] = 1;
		p[8] = leave ? 3 : 4; /* CHANGE_TO_INCLUDE / CHANGE_TO_EXCLUDE, no sources */
		memcpy(p + 12, &g, 16);
	}
	sum = (u16)~csum_fold(csum_add(p, len, csum_pseudo(h->src, dst, IPPROTO_ICMPV6, len)));
	memcpy(p + 2, &sum, 2);
	NET_INC(Icmp6OutMsgs);
	(void)eth_send(n, dst, (u8 *)h, len + 48, &m);
}

static void report(struct group *g, bool leave)
{
	if (is_silent(g->ip) || !g->on->ops)
		return;
	if (!ip_is4(g->ip))
		send_mld(g->on, g->ip, leave);
	else if (g->on->ip)
		send_igmp(g->on, leave ? 0x17 : 0x16, g->ip);
}

static void expire(struct timer *t)
{
	s64 now = clock_monotonic_ns(), next = TIME_FOREVER;

	(void)t;
	net_lock_get();
	for (u32 i = 0; i < GROUPS; i++) {
		struct group *g = &groups[i];

		if (!g->users || !g->due)
			continue;
		if (g->due <= now) {
			report(g, false);
			g->reports -= g->reports != 0;
			g->due = g->reports ? now + UNSOLICITED_NS : 0;
		}
		if (g->due)
			next = MIN(next, g->due);
	}
	if (next != TIME_FOREVER)
		timer_start(&timer, next);
	net_lock_put();
}

static void schedule(struct group *g, s64 when)
{
	if (!timer.fn)
		timer_init(&timer, expire);
	if (!g->due || g->due > when)
		g->due = when;
	if (!timer_is_armed(&timer) || timer.expires_ns > g->due)
		timer_start(&timer, g->due);
}

int mcast_join(struct netif *n, struct ip_addr ip)
{
	struct group *g = find(n, ip);

	if (g) {
		g->users++;
		return 0;
	}
	for (g = groups; g < groups + GROUPS && g->users; g++)
		;
	if (g == groups + GROUPS)
		return -ENOBUFS;
	*g = (struct group){ .ip = ip, .on = n, .users = 1 };
	if (n != &net_lo && !is_silent(ip)) {
		report(g, false);
		g->reports = 1;
		schedule(g, clock_monotonic_ns() + UNSOLICITED_NS);
	}
	return 0;
}

void mcast_leave(struct netif *n, struct ip_addr ip)
{
	struct group *g = find(n, ip);

	if (!g || --g->users)
		return;
	if (n != &net_lo)
		report(g, true);
}

static void answer(const struct netif *n, bool v6, struct ip_addr which, s64 max_ns)
{
	s64 now = clock_monotonic_ns();

	for (u32 i = 0; i < GROUPS; i++) {
		struct group *g = &groups[i];

		if (!g->users || g->on != n || ip_is4(g->ip) == v6 || is_silent(g->ip) || (!ip_is_any(which) && !ip_eq(which, g->ip)))
			continue;
		schedule(g, now + 1 + (s64)(random_u32() % 1000) * (max_ns / 1000));
	}
}

static void heard(const struct netif *n, struct ip_addr ip)
{
	struct group *g = find(n, ip);

	if (g && !g->reports) /* somebody else has answered */
		g->due = 0;
}

void igmp_input(const struct ip_rx *rx, const u8 *p, u32 len)
{
	u32 v4;

	if (len < 8 || csum_fold(csum_add(p, len, 0)) != 0xffff)
		return net_drop(len < 8 ? NET_DROP_runt : NET_DROP_csum);
	memcpy(&v4, p + 4, 4);
	if (p[0] == 0x11)
		answer(rx->in, false, ip4_addr(v4), (p[1] ? MIN(p[1], 127) : 100) * 100 * NSEC_PER_MSEC);
	else if (p[0] == 0x12 || p[0] == 0x16)
		heard(rx->in, ip4_addr(v4));
}

/* RFC 3590, RFC 2710 5: from a link-local address with hop limit 1, or not at all. */
void mld_input(const struct ip_rx *rx, const u8 *p, u32 len)
{
	struct ip_addr g;
	u16 delay;

	if (len < 24 || rx->ttl != 1 || !ip_is_link_local(rx->src))
		return net_drop(NET_DROP_bad_header);
	g = ip6_addr(p + 8);
	if (p[0] == 131)
		return heard(rx->in, g);
	if (p[0] != 130)
		return;
	if (len == 24)
		v1_until = clock_monotonic_ns() + V1_PRESENT_NS;
	memcpy(&delay, p + 4, 2);
	answer(rx->in, true, g, MIN(be16(delay), 0x7fff) * NSEC_PER_MSEC);
}

int mcast_nth(unsigned n, int *ifindex, struct ip_addr *group, u32 *users)
{
	for (u32 i = 0; i < GROUPS; i++)
		if (groups[i].users && !n--) {
			*ifindex = groups[i].on->index;
			*group = groups[i].ip;
			*users = groups[i].users;
			return 0;
		}
	return -ENOENT;
}
