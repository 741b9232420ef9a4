/* SPDX-License-Identifier: MIT */
/*
 * Neighbour discovery (RFC 4861) and address configuration (RFC 4862): solicitations and advertisements, routers and prefixes learnt
 * from router advertisements, link-local and autoconfigured addresses, duplicate detection in its optimistic form (RFC 4429: an address
 * is used at once, without overriding others' caches, and given up if another has it). The cache is neigh.c's. Redirects are ignored.
 * All lists bounded. Under net_lock; one timer, armed while something is pending.
 */
#include "net/stack.h"
#include "userlib/base/log.h"
#include "userlib/base/string.h"
#include <linux/in.h>
#include <linux/in6.h>

#define ROUTERS 4
#define PREFIXES 8
#define RS_TRIES 3
#define RS_INTERVAL_NS (4 * NSEC_PER_SEC)
#define TWO_HOURS_NS (7200 * NSEC_PER_SEC)

#define NS 135
#define NA 136

static struct {
	struct ip_addr ip;
	s64 until;
} routers[ROUTERS];
static struct {
	struct ip_addr ip;
	u32 len;
	s64 until;
} prefixes[PREFIXES];
static struct netif *on;
static bool slaac, heard_router;
static u32 rs_sent;
static s64 rs_next;
static struct timer timer;
static u32 link_mtu; /* what the interface itself can */

static const struct ip_addr all_nodes = { .b = { 0xff, 2, [15] = 1 } }, all_routers = { .b = { 0xff, 2, [15] = 2 } };

static struct ip_addr solicited_node(struct ip_addr a)
{
	return (struct ip_addr){ .b = { 0xff, 2, [11] = 1, [12] = 0xff, a.b[13], a.b[14], a.b[15] } };
}

static void arm(s64 when)
{
	if (!timer_is_armed(&timer) || timer.expires_ns > when)
		timer_start(&timer, when);
}

/* ---- sending; the packet is built apart from net_tx, which may hold the one that waits for the answer ---- */

static u8 frame[NET_HEADROOM + 64];

static void send_nd(struct ip_addr src, struct ip_addr dst, u32 len)
{
	struct ip_tx t = { .src = src, .dst = dst, .proto = IPPROTO_ICMPV6, .ttl = 255, .pmtu = 1, .csum_at = 2, .via = on };
	u8 *p = frame + NET_HEADROOM;
	struct ip6_hdr *h = (struct ip6_hdr *)p - 1;
	u16 sum;
	struct tx_meta m = { 0 };

	NET_INC(Icmp6OutMsgs);
	*h = (struct ip6_hdr){ .vtf = be32(6u << 28), .len = be16((u16)len), .next = IPPROTO_ICMPV6, .hops = 255, .src = src, .dst = dst };
	memset(p + 2, 0, 2);
	sum = (u16)~csum_fold(csum_add(p, len, csum_pseudo(src, dst, t.proto, len)));
	memcpy(p + 2, &sum, 2);
	(void)eth_send(on, dst, (u8 *)h, len + (u32)sizeof(*h), &m);
}

static const struct ifaddr6 *own_link_local(void)
{
	for (u32 i = 0; i < on->nr_addr6; i++)
		if (ip_is_link_local(on->addr6[i].ip))
			return &on->addr6[i];
	return NULL;
}

/* Neighbour solicitation of target, from src (any: duplicate detection). */
static void send_ns(struct ip_addr src, struct ip_addr target, struct ip_addr dst)
{
	u8 *p = frame + NET_HEADROOM;

	memset(p, 0, 32);
	p[0] = NS;
	memcpy(p + 8, &target, 16);
	if (!ip_is_any(src)) {
		p[24] = 1; /* source link-layer address */
		p[25] = 1;
		memcpy(p + 26, on->mac, 6);
	}
	send_nd(src, dst, ip_is_any(src) ? 24 : 32);
}

void nd_solicit(struct netif *n, struct ip_addr target, const u8 *to_mac)
{
	struct ip_addr src, hop;

	if (!ip6_route(n, target, &src, &hop))
		return;
	if (ip_is_link_local(target) && own_link_local())
		src = own_link_local()->ip;
	send_ns(src, target, to_mac ? target : solicited_node(target));
}

static void send_na(struct ip_addr target, struct ip_addr to, bool solicited, bool override)
{
	u8 *p = frame + NET_HEADROOM;

	memset(p, 0, 32);
	p[0] = NA;
	p[4] = (u8)((solicited ? 0x40 : 0) | (override ? 0x20 : 0));
	memcpy(p + 8, &target, 16);
	p[24] = 2; /* target link-layer address */
	p[25] = 1;
	memcpy(p + 26, on->mac, 6);
	send_nd(target, to, 32);
}

static void send_rs(void)
{
	const struct ifaddr6 *a = own_link_local();
	u8 *p = frame + NET_HEADROOM;

	if (!a)
		return;
	memset(p, 0, 16);
	p[0] = 133;
	p[8] = 1;
	p[9] = 1;
	memcpy(p + 10, on->mac, 6);
	send_nd(a->ip, all_routers, 16);
}

/* ---- addresses ---- */

static struct ifaddr6 *own_addr(struct ip_addr ip)
{
	for (u32 i = 0; i < on->nr_addr6; i++)
		if (ip_eq(on->addr6[i].ip, ip))
			return &on->addr6[i];
	return NULL;
}

static struct ifaddr6 *add_addr(struct ip_addr ip, u32 len, bool autoconf, s64 valid, s64 preferred)
{
	struct ifaddr6 *a;

	if (on->nr_addr6 == IFADDR6_MAX)
		return NULL;
	a = &on->addr6[on->nr_addr6++];
	*a = (struct ifaddr6){ .ip = ip, .prefix_len = len, .optimistic = true, .autoconf = autoconf, .valid_ns = valid, .preferred_ns = preferred,
			       .dad_ns = clock_monotonic_ns() + NSEC_PER_SEC };
	(void)mcast_join(on, solicited_node(ip));
	send_ns(IP6_ANY, ip, solicited_node(ip));
	arm(a->dad_ns);
	net_changed(NET_CHANGE_ADDR | NET_CHANGE_ROUTE); /* the link's own prefix comes with the first */
	return a;
}

static void del_addr(struct ifaddr6 *a)
{
	mcast_leave(on, solicited_node(a->ip));
	*a = on->addr6[--on->nr_addr6];
	net_changed(NET_CHANGE_ADDR);
}

/* Modified EUI-64 (RFC 4291 appendix A) under a prefix of 64 bits. */
static struct ip_addr with_eui64(struct ip_addr prefix)
{
	const u8 *m = on->mac;

	memcpy(prefix.b + 8, (u8[8]){ m[0] ^ 2, m[1], m[2], 0xff, 0xfe, m[3], m[4], m[5] }, 8);
	return prefix;
}

static void duplicate(struct ifaddr6 *a)
{
	log_warn("net: an IPv6 address of this instance is in use by another host; given up");
	del_addr(a);
}

/* ---- routes ---- */

bool nd_on_link(struct ip_addr ip)
{
	s64 now = clock_monotonic_ns();

	for (u32 i = 0; i < PREFIXES; i++)
		if (prefixes[i].until > now && ip_in_prefix(ip, prefixes[i].ip, prefixes[i].len))
			return true;
	return false;
}

/* RFC 4861 6.3.6: one that is not known to be dead, else any. */
bool nd_router(struct ip_addr *out)
{
	s64 now = clock_monotonic_ns();
	bool found = false;

	for (u32 i = 0; i < ROUTERS; i++) {
		if (routers[i].until <= now)
			continue;
		if (!found || neigh_is_usable(routers[i].ip)) {
			*out = routers[i].ip;
			if (neigh_is_usable(*out))
				return true;
			found = true;
		}
	}
	return found;
}

int nd_route(unsigned n, struct ip_addr *dst, u32 *len, struct ip_addr *gw)
{
	s64 now = clock_monotonic_ns();

	*gw = IP6_ANY;
	for (u32 i = 0; i < PREFIXES; i++)
		if (prefixes[i].until > now && !n--) {
			*dst = prefixes[i].ip;
			*len = prefixes[i].len;
			return 0;
		}
	for (u32 i = 0; i < ROUTERS; i++)
		if (routers[i].until > now && !n--) {
			*dst = IP6_ANY;
			*len = 0;
			*gw = routers[i].ip;
			return 0;
		}
	return -ENOENT;
}

static void set_prefix(struct ip_addr ip, u32 len, s64 until)
{
	s64 now = clock_monotonic_ns();
	u32 at = PREFIXES;

	for (u32 i = 0; i < PREFIXES; i++) {
		if (prefixes[i].len == len && ip_eq(prefixes[i].ip, ip) && prefixes[i].until) {
			at = i;
			break;
		}
		if (at == PREFIXES && prefixes[i].until <= now)
			at = i;
	}
	if (at == PREFIXES)
		return;
	if ((prefixes[at].until > now) != (until > now))
		net_changed(NET_CHANGE_ROUTE);
	prefixes[at].ip = ip;
	prefixes[at].len = len;
	prefixes[at].until = until;
}

static void set_router(struct ip_addr ip, s64 until)
{
	s64 now = clock_monotonic_ns();
	u32 at = ROUTERS;

	for (u32 i = 0; i < ROUTERS; i++) {
		if (routers[i].until && ip_eq(routers[i].ip, ip)) {
			at = i;
			break;
		}
		if (at == ROUTERS && routers[i].until <= now)
			at = i;
	}
	if (at == ROUTERS)
		return;
	if ((routers[at].until > now) != (until > now))
		net_changed(NET_CHANGE_ROUTE);
	routers[at].ip = ip;
	routers[at].until = until;
}

/* ---- time ---- */

static void expire(struct timer *t)
{
	s64 now = clock_monotonic_ns(), next = TIME_FOREVER;

	(void)t;
	net_lock_get();
	for (u32 i = on->nr_addr6; i-- > 0;) {
		struct ifaddr6 *a = &on->addr6[i];

		if (a->valid_ns <= now) {
			del_addr(a);
			continue;
		}
		if (a->optimistic && a->dad_ns <= now) {
			a->optimistic = false;
			net_changed(NET_CHANGE_ADDR);
		}
		next = MIN(next, a->valid_ns);
		if (a->optimistic)
			next = MIN(next, a->dad_ns);
	}
	if (slaac && !heard_router && rs_sent < RS_TRIES) {
		if (rs_next <= now) {
			send_rs();
			rs_sent++;
			rs_next = now + RS_INTERVAL_NS;
		}
		next = MIN(next, rs_next);
	}
	if (next != TIME_FOREVER)
		timer_start(&timer, next);
	net_lock_put();
}

/* [net_lock] With the interface's static address already in addr6. */
void nd_start(struct netif *n, bool autoconf)
{
	struct ifaddr6 given = n->addr6[0];
	u32 nr = n->nr_addr6;
	s64 now = clock_monotonic_ns();

	on = n;
	slaac = autoconf;
	heard_router = false;
	rs_sent = 0;
	rs_next = now;
	link_mtu = n->mtu;
	n->nr_addr6 = 0;
	memset(routers, 0, sizeof(routers));
	memset(prefixes, 0, sizeof(prefixes));
	timer_stop(&timer); /* of a start before */
	timer_init(&timer, expire);
	if (n->mtu < IP6_MTU_MIN)
		return;
	(void)mcast_join(n, all_nodes);
	(void)add_addr(with_eui64((struct ip_addr){ .b = { 0xfe, 0x80 } }), 64, false, TIME_FOREVER, TIME_FOREVER);
	if (nr) {
		struct ip_addr net = given.ip;

		(void)add_addr(given.ip, given.prefix_len, false, TIME_FOREVER, TIME_FOREVER);
		for (u32 b = given.prefix_len; b < 128; b++)
			net.b[b / 8] &= (u8)~(0x80u >> b % 8);
		set_prefix(net, given.prefix_len, TIME_FOREVER);
		if (!ip_is_any(net_gateway6))
			set_router(net_gateway6, TIME_FOREVER);
	}
	if (slaac)
		arm(now);
}

/* ---- receiving ---- */

/* The link-layer address option of a type, and whether all options are well formed (RFC 4861 4.6: none of length 0). */
static bool options(const u8 *p, u32 len, u8 type, const u8 **mac)
{
	*mac = NULL;
	while (len) {
		u32 n;

		if (len < 8 || !(n = p[1] * 8u) || n > len)
			return false;
		if (p[0] == type && n == 8)
			*mac = p + 2;
		p += n;
		len -= n;
	}
	return true;
}

static void ns_input(const struct ip_rx *rx, const u8 *p, u32 len)
{
	struct ip_addr target = ip6_addr(p + 8);
	struct ifaddr6 *a = own_addr(target);
	const u8 *mac;

	if (!options(p + 24, len - 24, 1, &mac) || ip_is_multicast(target) || (ip_is_any(rx->src) && (mac || !rx->multicast)))
		return net_drop(NET_DROP_bad_header);
	if (!a)
		return;
	if (ip_is_any(rx->src)) { /* another one's duplicate detection */
		if (a->optimistic)
			return duplicate(a);
		return send_na(target, all_nodes, false, true);
	}
	if (mac)
		neigh_learn(on, rx->src, mac, NEIGH_MAKE | NEIGH_OVERRIDE);
	send_na(target, rx->src, true, !a->optimistic);
}

static void na_input(const struct ip_rx *rx, const u8 *p, u32 len)
{
	struct ip_addr target = ip6_addr(p + 8);
	struct ifaddr6 *a = own_addr(target);
	const u8 *mac;

	if (!options(p + 24, len - 24, 2, &mac) || ip_is_multicast(target) || (rx->multicast && p[4] & 0x40))
		return net_drop(NET_DROP_bad_header);
	if (a) {
		if (a->optimistic)
			duplicate(a);
		return;
	}
	neigh_learn(on, target, mac, (p[4] & 0x40 ? NEIGH_SOLICITED : 0u) | (p[4] & 0x20 ? NEIGH_OVERRIDE : 0u) | (p[4] & 0x80 ? NEIGH_ROUTER : 0u));
}

static s64 lifetime(u32 seconds, s64 now)
{
	s64 until;

	return seconds == ~0u || __builtin_add_overflow(now, seconds * NSEC_PER_SEC, &until) ? TIME_FOREVER : until;
}

/* RFC 4862 5.5.3: an address made from an autonomous prefix, its lifetime guarded by the two-hour rule. */
static void autoconf(struct ip_addr prefix, u32 valid, u32 preferred, s64 now)
{
	struct ip_addr ip = with_eui64(prefix);
	struct ifaddr6 *a = own_addr(ip);
	s64 until = lifetime(valid, now);

	if (!a) {
		if (valid)
			(void)add_addr(ip, 64, true, until, lifetime(preferred, now));
		return;
	}
	if (!a->autoconf)
		return;
	if (until > now + TWO_HOURS_NS || until > a->valid_ns)
		a->valid_ns = until;
	else if (a->valid_ns > now + TWO_HOURS_NS)
		a->valid_ns = now + TWO_HOURS_NS;
	a->preferred_ns = lifetime(preferred, now);
	if (a->valid_ns != TIME_FOREVER)
		arm(a->valid_ns);
}

static void prefix_option(const u8 *p, s64 now)
{
	struct ip_addr ip = ip6_addr(p + 16);
	u32 len = p[2], valid, preferred;

	memcpy(&valid, p + 4, 4);
	memcpy(&preferred, p + 8, 4);
	valid = be32(valid);
	preferred = be32(preferred);
	if (len > 128 || ip_is_link_local(ip) || ip_is_multicast(ip))
		return;
	for (u32 b = len; b < 128; b++)
		ip.b[b / 8] &= (u8)~(0x80u >> b % 8);
	if (p[3] & 0x80)
		set_prefix(ip, len, lifetime(valid, now));
	if (slaac && p[3] & 0x40 && len == 64 && preferred <= valid)
		autoconf(ip, valid, preferred, now);
}

static void ra_input(const struct ip_rx *rx, const u8 *p, u32 len)
{
	s64 now = clock_monotonic_ns();
	u32 left = len - 16, mtu;
	const u8 *o = p + 16, *mac;
	u16 life;

	if (!options(o, left, 1, &mac) || rx->src.b[0] != 0xfe || !ip_is_link_local(rx->src))
		return net_drop(NET_DROP_bad_header);
	if (!slaac)
		return; /* what was configured by hand stays as it is */
	heard_router = true;
	memcpy(&life, p + 6, 2);
	set_router(rx->src, now + be16(life) * NSEC_PER_SEC);
	if (mac)
		neigh_learn(on, rx->src, mac, NEIGH_MAKE | NEIGH_OVERRIDE | NEIGH_ROUTER);
	for (; left; left -= o[1] * 8u, o += o[1] * 8u) {
		if (o[0] == 3 && o[1] == 4)
			prefix_option(o, now);
		if (o[0] == 5 && o[1] == 1) {
			memcpy(&mtu, o + 4, 4);
			mtu = be32(mtu);
			if (mtu >= IP6_MTU_MIN && mtu <= link_mtu)
				on->mtu = mtu;
		}
	}
}

void nd_input(const struct ip_rx *rx, const u8 *p, u32 len)
{
	static const u8 least[] = { 8, 16, 24, 24, 40 };

	/* Hop limit 255: it comes from this link (RFC 4861 6.1, 7.1). */
	if (rx->in != on || rx->ttl != 255 || p[1] || len < least[p[0] - 133])
		return net_drop(NET_DROP_bad_header);
	switch (p[0]) {
	case 134:
		return ra_input(rx, p, len);
	case NS:
		return ns_input(rx, p, len);
	case NA:
		return na_input(rx, p, len);
	default:
		return; /* solicitations of routers; redirects */
	}
}
