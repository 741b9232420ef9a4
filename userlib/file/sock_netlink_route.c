/* SPDX-License-Identifier: MIT */
/*
 * NETLINK_ROUTE: dumps of links, addresses, routes and neighbours, as getifaddrs(3), ip(8) and Go's net package ask for, and notices of
 * their changes to the members of the groups (ip monitor). A program cannot change them (-EPERM). Notices: the stack says what kind of
 * thing has changed; what is now is compared with what was told last. `busy` guards that; it may be taken with no lock held only.
 */
#include "userlib/base/string.h"
#include "userlib/file/netlink_internal.h"
#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>

#define ARPHRD_ETHER_NR 1
#define ARPHRD_LOOPBACK_NR 772
#define IFF_BROADCAST_BIT 2u
#define IFF_LOOPBACK_BIT 8u
#define IFF_RUNNING_BIT 0x40u
#define IFF_LOWER_UP_BIT 0x10000u

static void put_link(struct reply *r, u16 type, const struct net_ifinfo *i)
{
	bool lo = i->flags & IFF_LOOPBACK_BIT;
	struct ifinfomsg m = { .ifi_type = lo ? ARPHRD_LOOPBACK_NR : ARPHRD_ETHER_NR, .ifi_index = i->index, .ifi_flags = i->flags | (i->flags & IFF_RUNNING_BIT ? IFF_LOWER_UP_BIT : 0) };
	struct rtnl_link_stats64 st = { .rx_packets = i->rx_packets, .tx_packets = i->tx_packets, .rx_bytes = i->rx_bytes,
					.tx_bytes = i->tx_bytes, .rx_dropped = i->rx_dropped, .tx_dropped = i->tx_dropped };
	static const u8 bcast[6] = { 255, 255, 255, 255, 255, 255 }, zero[6];

	nl_begin(r, type, &m, sizeof(m));
	nl_attr(r, IFLA_IFNAME, i->name, (u32)strnlen(i->name, 15) + 1);
	nl_attr_u32(r, IFLA_TXQLEN, 1000);
	nl_attr_u8(r, IFLA_OPERSTATE, lo ? 0 : i->flags & IFF_RUNNING_BIT ? 6 : 2);
	nl_attr_u8(r, IFLA_LINKMODE, 0);
	nl_attr_u32(r, IFLA_MTU, i->mtu);
	nl_attr_u32(r, IFLA_GROUP, 0);
	nl_attr_u32(r, IFLA_NUM_TX_QUEUES, 1);
	nl_attr_u32(r, IFLA_NUM_RX_QUEUES, 1);
	nl_attr(r, IFLA_QDISC, lo ? "noqueue" : "pfifo_fast", lo ? 8 : 11);
	nl_attr(r, IFLA_ADDRESS, i->mac, 6);
	nl_attr(r, IFLA_BROADCAST, lo ? zero : bcast, 6);
	nl_attr_u8(r, IFLA_CARRIER, (i->flags & IFF_RUNNING_BIT) != 0);
	nl_attr(r, IFLA_STATS64, &st, sizeof(st));
	nl_end(r);
}

static void attr_ip(struct reply *r, u16 type, struct ip_addr a)
{
	if (ip_is4(a))
		nl_attr_u32(r, type, ip4_of(a));
	else
		nl_attr(r, type, &a, sizeof(a));
}

static u32 addr_flags(const struct net_addrinfo *a)
{
	return (a->autoconf ? 0 : IFA_F_PERMANENT) | (a->optimistic ? IFA_F_OPTIMISTIC | IFA_F_TENTATIVE : 0) | (a->preferred_s == 0 ? IFA_F_DEPRECATED : 0);
}

static void put_addr(struct reply *r, u16 type, const struct net_ifinfo *i, const struct net_addrinfo *a)
{
	struct ifa_cacheinfo ci = { .ifa_prefered = (u32)a->preferred_s, .ifa_valid = (u32)a->valid_s };
	bool v4 = ip_is4(a->ip);
	struct ifaddrmsg m = { .ifa_family = v4 ? NL_F_INET : NL_F_INET6, .ifa_prefixlen = (u8)a->prefix_len, .ifa_flags = (u8)addr_flags(a),
			       .ifa_scope = ip_is_loopback(a->ip) ? RT_SCOPE_HOST : ip_is_link_local(a->ip) ? RT_SCOPE_LINK : RT_SCOPE_UNIVERSE,
			       .ifa_index = (u32)i->index };
	u32 mask = v4 && a->prefix_len ? __builtin_bswap32(~0u << (32 - a->prefix_len)) : 0;

	nl_begin(r, type, &m, sizeof(m));
	attr_ip(r, IFA_ADDRESS, a->ip);
	if (v4) {
		attr_ip(r, IFA_LOCAL, a->ip);
		if (i->flags & IFF_BROADCAST_BIT)
			nl_attr_u32(r, IFA_BROADCAST, ip4_of(a->ip) | ~mask);
		nl_attr(r, IFA_LABEL, i->name, (u32)strnlen(i->name, 15) + 1);
	}
	nl_attr(r, IFA_CACHEINFO, &ci, sizeof(ci));
	nl_attr_u32(r, IFA_FLAGS, addr_flags(a));
	nl_end(r);
}

static void put_route(struct reply *r, u16 type, const struct net_routeinfo *i)
{
	bool host = ip_is_loopback(i->dst), gw = !ip_is_any(i->gateway);
	struct rtmsg m = { .rtm_family = i->v6 ? NL_F_INET6 : NL_F_INET, .rtm_dst_len = (u8)i->prefix_len,
			   .rtm_table = host && !i->v6 ? RT_TABLE_LOCAL : RT_TABLE_MAIN,
			   .rtm_protocol = gw ? RTPROT_BOOT : RTPROT_KERNEL,
			   .rtm_scope = i->v6 ? RT_SCOPE_UNIVERSE : host ? RT_SCOPE_HOST : gw ? RT_SCOPE_UNIVERSE : RT_SCOPE_LINK,
			   .rtm_type = host && !i->v6 ? RTN_LOCAL : RTN_UNICAST };

	nl_begin(r, type, &m, sizeof(m));
	nl_attr_u32(r, RTA_TABLE, m.rtm_table);
	if (i->prefix_len)
		attr_ip(r, RTA_DST, i->dst);
	if (gw)
		attr_ip(r, RTA_GATEWAY, i->gateway);
	if (!ip_is_any(i->prefsrc))
		attr_ip(r, RTA_PREFSRC, i->prefsrc);
	nl_attr_u32(r, RTA_OIF, (u32)i->ifindex);
	nl_end(r);
}

static void put_neigh(struct reply *r, u16 type, const struct net_neighinfo *i)
{
	struct ndmsg m = { .ndm_family = ip_is4(i->ip) ? NL_F_INET : NL_F_INET6, .ndm_ifindex = i->ifindex, .ndm_state = i->nud_state, .ndm_type = RTN_UNICAST };

	nl_begin(r, type, &m, sizeof(m));
	attr_ip(r, NDA_DST, i->ip);
	nl_attr(r, NDA_LLADDR, i->mac, 6);
	nl_end(r);
}

/* What a dump may be of, with NETLINK_GET_STRICT_CHK: as Linux, all of a header but the family and what it can filter by must be zero. */
struct filter {
	u8 family;
	u32 ifindex; /* 0: any */
	u32 table;
};

static bool all_zero(const u8 *p, u32 from, u32 to)
{
	for (u32 i = from; i < to; i++)
		if (p[i])
			return false;
	return true;
}

static int strict_filter(struct reply *r, u16 type, const u8 *body, u32 len, struct filter *f)
{
	static const struct { u16 type; u8 size, skip_at, skip_to; } rows[] = {
		{ RTM_GETLINK, sizeof(struct ifinfomsg), 0, 0 },
		{ RTM_GETADDR, sizeof(struct ifaddrmsg), 4, 8 },  /* ifa_index */
		{ RTM_GETROUTE, sizeof(struct rtmsg), 4, 8 },	  /* rtm_table, protocol, scope, type */
		{ RTM_GETNEIGH, sizeof(struct ndmsg), 10, 11 },	  /* ndm_flags */
	};
	u32 size;
	const void *p;

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		if (rows[i].type != type)
			continue;
		if (len < rows[i].size)
			return -EINVAL;
		if (!all_zero(body, 1, rows[i].skip_at ? rows[i].skip_at : rows[i].size) ||
		    (rows[i].skip_at && !all_zero(body, rows[i].skip_to, rows[i].size)))
			return -EINVAL;
		p = NULL;
		if (type == RTM_GETADDR)
			memcpy(&f->ifindex, body + 4, 4);
		else if (type == RTM_GETROUTE)
			p = nl_find_attr(body + rows[i].size, len - rows[i].size, RTA_OIF, &size);
		else if (type == RTM_GETNEIGH)
			p = nl_find_attr(body + rows[i].size, len - rows[i].size, NDA_IFINDEX, &size);
		if (p && size >= 4)
			memcpy(&f->ifindex, p, 4);
		if (type == RTM_GETROUTE) {
			f->table = body[4];
			p = nl_find_attr(body + rows[i].size, len - rows[i].size, RTA_TABLE, &size);
			if (p && size >= 4)
				memcpy(&f->table, p, 4);
		}
	}
	if (f->ifindex) {
		struct net_ifinfo ii;

		r->flags |= NLM_F_DUMP_FILTERED;
		return net_ifinfo((int)f->ifindex, &ii) ? -ENODEV : 0;
	}
	return 0;
}

static bool is_wanted(const struct filter *f, int ifindex)
{
	return !f->ifindex || f->ifindex == (u32)ifindex;
}

static int dump(struct reply *r, u16 type, const struct filter *f)
{
	bool v4 = f->family == 0 || f->family == NL_F_INET, v6 = f->family == 0 || f->family == NL_F_INET6;
	struct net_addrinfo ai;
	struct net_routeinfo ri;
	struct net_neighinfo ni;
	struct net_ifinfo ii;

	switch (type) {
	case RTM_GETLINK:
		for (int i = 1; !net_ifinfo(i, &ii); i++)
			put_link(r, RTM_NEWLINK, &ii);
		return 0;
	case RTM_GETADDR:
		for (int v = 0; v < 2; v++) /* as on Linux, family by family */
			for (unsigned i = 0; (v ? v6 : v4) && !net_addrinfo(i, &ai); i++)
				if (ip_is4(ai.ip) == !v && is_wanted(f, ai.ifindex) && !net_ifinfo(ai.ifindex, &ii))
					put_addr(r, RTM_NEWADDR, &ii, &ai);
		return 0;
	case RTM_GETROUTE:
		for (unsigned i = 0; !net_routeinfo(i, &ri); i++)
			if ((ri.v6 ? v6 : v4) && is_wanted(f, ri.ifindex) && (!f->table || f->table == RT_TABLE_MAIN))
				put_route(r, RTM_NEWROUTE, &ri);
		return 0;
	case RTM_GETNEIGH:
		for (unsigned i = 0; !net_neighinfo(i, &ni); i++)
			if ((ip_is4(ni.ip) ? v4 : v6) && is_wanted(f, ni.ifindex))
				put_neigh(r, RTM_NEWNEIGH, &ni);
		return 0;
	case RTM_GETRULE:
	case RTM_GETQDISC:
	case RTM_GETADDRLABEL:
		return 0;
	default:
		return -EOPNOTSUPP;
	}
}

static int get_link(struct reply *r, const u8 *body, u32 len)
{
	struct net_ifinfo ii;
	struct ifinfomsg m;
	const char *name;
	u32 size;

	if (len < sizeof(m))
		return -EINVAL;
	memcpy(&m, body, sizeof(m));
	name = nl_find_attr(body + sizeof(m), len - sizeof(m), IFLA_IFNAME, &size);
	if (!name)
		name = nl_find_attr(body + sizeof(m), len - sizeof(m), IFLA_ALT_IFNAME, &size);
	if (m.ifi_index <= 0 && !name)
		return -EINVAL;
	for (int i = 1; !net_ifinfo(i, &ii); i++) {
		if (m.ifi_index > 0 ? ii.index != m.ifi_index : strnlen(ii.name, sizeof(ii.name)) != strnlen(name, size) ||
								       memcmp(ii.name, name, strnlen(name, size)))
			continue;
		put_link(r, RTM_NEWLINK, &ii);
		return 0;
	}
	return -ENODEV;
}

static int get_route(struct reply *r, const u8 *body, u32 len)
{
	struct net_routeinfo ri;
	struct ip_addr dst = IP4_ANY;
	const void *p;
	u32 size;
	bool is6;
	int err;

	if (len < sizeof(struct rtmsg))
		return -EINVAL;
	is6 = body[0] == NL_F_INET6;
	if (!is6 && body[0] != NL_F_INET)
		return -EOPNOTSUPP;
	p = nl_find_attr(body + sizeof(struct rtmsg), len - (u32)sizeof(struct rtmsg), RTA_DST, &size);
	if (p && size < (is6 ? 16 : 4))
		return -EINVAL;
	if (is6)
		memset(&dst, 0, sizeof(dst));
	if (p)
		memcpy(is6 ? dst.b : dst.b + 12, p, is6 ? 16 : 4);
	err = net_route_get(dst, &ri);
	if (!err)
		put_route(r, RTM_NEWROUTE, &ri);
	return err;
}

int nl_route_request(struct reply *r, const struct nlmsghdr *h, const u8 *body, u32 len)
{
	struct filter f = { .family = len ? body[0] : 0 };
	int err = 0;

	if (((h->nlmsg_type - RTM_BASE) & 3) != 2) /* new, delete, set */
		return -EPERM;
	if ((h->nlmsg_flags & NLM_F_DUMP) != NLM_F_DUMP)
		return h->nlmsg_type == RTM_GETLINK ? get_link(r, body, len) :
		       h->nlmsg_type == RTM_GETROUTE ? get_route(r, body, len) : -EOPNOTSUPP;
	r->flags = NLM_F_MULTI;
	if (r->s->options & 1u << NETLINK_GET_STRICT_CHK)
		err = strict_filter(r, h->nlmsg_type, body, len, &f);
	if (err) {
		nl_done(r, err);
		return 0;
	}
	err = dump(r, h->nlmsg_type, &f);
	if (!err)
		nl_done(r, 0);
	return err;
}

/* ---- notices ---- */

#define LINKS 2u
#define ADDRS 16u
#define ROUTES 32u
#define NEIGHS 256u
static struct {
	struct net_ifinfo link[LINKS];
	struct net_addrinfo addr[ADDRS];
	struct net_routeinfo route[ROUTES];
	struct net_neighinfo neigh[NEIGHS];
	u32 links, addrs, routes, neighs;
} told, is; /* [busy] what the members know; what is */
static u32 busy, pending; /* [a] */

/* [busy] */
static void look(u32 what)
{
	if (what & NET_CHANGE_LINK)
		for (is.links = 0; is.links < LINKS && !net_ifinfo((int)is.links + 1, &is.link[is.links]);)
			is.links++;
	if (what & NET_CHANGE_ADDR)
		for (is.addrs = 0; is.addrs < ADDRS && !net_addrinfo(is.addrs, &is.addr[is.addrs]);)
			is.addrs++;
	if (what & NET_CHANGE_ROUTE)
		for (is.routes = 0; is.routes < ROUTES && !net_routeinfo(is.routes, &is.route[is.routes]);)
			is.routes++;
	if (what & NET_CHANGE_NEIGH)
		for (is.neighs = 0; is.neighs < NEIGHS && !net_neighinfo(is.neighs, &is.neigh[is.neighs]);)
			is.neighs++;
}

static void send_link(u16 type, u32 i)
{
	struct reply r = { 0 };

	list_init(&r.chunks);
	put_link(&r, type, &is.link[i]);
	nl_multicast(&r, RTNLGRP_LINK);
}

static void send_addr(u16 type, const struct net_addrinfo *a)
{
	struct reply r = { 0 };
	struct net_ifinfo ii;

	list_init(&r.chunks);
	if (net_ifinfo(a->ifindex, &ii))
		return;
	put_addr(&r, type, &ii, a);
	nl_multicast(&r, ip_is4(a->ip) ? RTNLGRP_IPV4_IFADDR : RTNLGRP_IPV6_IFADDR);
}

static void send_route(u16 type, const struct net_routeinfo *i)
{
	struct reply r = { 0 };

	list_init(&r.chunks);
	put_route(&r, type, i);
	nl_multicast(&r, i->v6 ? RTNLGRP_IPV6_ROUTE : RTNLGRP_IPV4_ROUTE);
}

static void send_neigh(u16 type, const struct net_neighinfo *i)
{
	struct reply r = { 0 };

	list_init(&r.chunks);
	put_neigh(&r, type, i);
	nl_multicast(&r, RTNLGRP_NEIGH);
}

static bool same_addr(const struct net_addrinfo *a, const struct net_addrinfo *b)
{
	return ip_eq(a->ip, b->ip) && a->ifindex == b->ifindex;
}
static bool same_route(const struct net_routeinfo *a, const struct net_routeinfo *b)
{
	return a->v6 == b->v6 && ip_eq(a->dst, b->dst) && a->prefix_len == b->prefix_len && ip_eq(a->gateway, b->gateway) && a->ifindex == b->ifindex;
}
static bool same_neigh(const struct net_neighinfo *a, const struct net_neighinfo *b)
{
	return ip_eq(a->ip, b->ip) && a->ifindex == b->ifindex;
}

/* Gone, then new or changed. A longer lifetime (each router advertisement's) is no news. */
static void tell_addrs(void)
{
	for (u32 k, i = 0; i < told.addrs; i++) {
		for (k = 0; k < is.addrs && !same_addr(&told.addr[i], &is.addr[k]); k++)
			;
		if (k == is.addrs)
			send_addr(RTM_DELADDR, &told.addr[i]);
	}
	for (u32 k, i = 0; i < is.addrs; i++) {
		for (k = 0; k < told.addrs && !same_addr(&told.addr[k], &is.addr[i]); k++)
			;
		if (k == told.addrs || told.addr[k].optimistic != is.addr[i].optimistic ||
		    !told.addr[k].preferred_s != !is.addr[i].preferred_s)
			send_addr(RTM_NEWADDR, &is.addr[i]);
	}
}

static void tell_routes(void)
{
	for (u32 k, i = 0; i < told.routes; i++) {
		for (k = 0; k < is.routes && !same_route(&told.route[i], &is.route[k]); k++)
			;
		if (k == is.routes)
			send_route(RTM_DELROUTE, &told.route[i]);
	}
	for (u32 k, i = 0; i < is.routes; i++) {
		for (k = 0; k < told.routes && !same_route(&told.route[k], &is.route[i]); k++)
			;
		if (k == told.routes)
			send_route(RTM_NEWROUTE, &is.route[i]);
	}
}

static void tell_neighs(void)
{
	for (u32 k, i = 0; i < told.neighs; i++) {
		for (k = 0; k < is.neighs && !same_neigh(&told.neigh[i], &is.neigh[k]); k++)
			;
		if (k == is.neighs)
			send_neigh(RTM_DELNEIGH, &told.neigh[i]);
	}
	for (u32 k, i = 0; i < is.neighs; i++) {
		for (k = 0; k < told.neighs && !same_neigh(&told.neigh[k], &is.neigh[i]); k++)
			;
		if (is.neigh[i].nud_state && (k == told.neighs || told.neigh[k].nud_state != is.neigh[i].nud_state ||
					      memcmp(told.neigh[k].mac, is.neigh[i].mac, 6)))
			send_neigh(RTM_NEWNEIGH, &is.neigh[i]);
	}
}

static void tell(u32 what)
{
	look(what);
	for (u32 i = 0; i < is.links; i++)
		if (what & NET_CHANGE_LINK &&
		    (i >= told.links || told.link[i].flags != is.link[i].flags || told.link[i].mtu != is.link[i].mtu))
			send_link(RTM_NEWLINK, i);
	if (what & NET_CHANGE_ADDR)
		tell_addrs();
	if (what & NET_CHANGE_ROUTE)
		tell_routes();
	if (what & NET_CHANGE_NEIGH)
		tell_neighs();
	memcpy(&told, &is, sizeof(told));
}

/* The stack's hook. Looking may itself lead here (packets wait for whoever releases net_lock): the outer one goes round again. */
static void on_change(u32 what)
{
	if (!nl_has_members())
		return;
	atomic_fetch_or(&pending, what);
	while (load_acquire(&pending) && !atomic_xchg(&busy, 1u)) {
		tell(atomic_xchg(&pending, 0u));
		store_release(&busy, 0u);
	}
}

void nl_route_watch(void)
{
	if (nl_has_members())
		return;
	while (atomic_xchg(&busy, 1u))
		cpu_pause();
	if (!nl_has_members()) {
		look(~0u);
		memcpy(&told, &is, sizeof(told));
		net_change_hook = on_change;
	}
	store_release(&busy, 0u);
}
