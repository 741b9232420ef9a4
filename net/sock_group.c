/* SPDX-License-Identifier: MIT */
/* Multicast memberships of sockets (ip(7), ipv6(7), RFC 3678 without sources). Source filters are refused. Under net_lock. */
#include "net/stack.h"
#include "userlib/base/mem.h"
#include "userlib/base/string.h"
#include <linux/in.h>
#include <linux/in6.h>

static struct netif *by_address(u32 ip)
{
	return ip && ip == net_lo.ip ? &net_lo : ip && net_eth.index && ip == net_eth.ip ? &net_eth : NULL;
}

static int join(struct sock *s, struct netif *n, struct ip_addr g)
{
	int r;

	if (!ip_is_multicast(g))
		return -EINVAL;
	if (!n)
		n = net_eth.index ? &net_eth : NULL;
	if (!n)
		return -ENODEV;
	for (u32 i = 0; i < s->nr_member; i++)
		if (s->member[i].ifindex == n->index && ip_eq(s->member[i].group, g))
			return -EADDRINUSE;
	if (s->nr_member == MEMBERSHIPS)
		return -ENOBUFS;
	if (!s->member)
		s->member = kmem_alloc(MEMBERSHIPS * sizeof(*s->member));
	if (!s->member)
		return -ENOMEM;
	r = mcast_join(n, g);
	if (!r)
		s->member[s->nr_member++] = (struct membership){ g, n->index };
	return r;
}

static int leave(struct sock *s, const struct netif *n, struct ip_addr g)
{
	for (u32 i = 0; i < s->nr_member; i++)
		if ((!n || s->member[i].ifindex == n->index) && ip_eq(s->member[i].group, g)) {
			mcast_leave(netif_by_index(s->member[i].ifindex), g);
			s->member[i] = s->member[--s->nr_member];
			return 0;
		}
	return -EADDRNOTAVAIL;
}

void group_leave_all(struct sock *s)
{
	while (s->nr_member)
		(void)leave(s, netif_by_index(s->member[0].ifindex), s->member[0].group);
	if (s->member)
		kmem_free(s->member, MEMBERSHIPS * sizeof(*s->member));
	s->member = NULL;
}

/* struct group_req: an index, then a sockaddr at 8. */
static int generic(struct sock *s, int level, int name, const u8 *val, u32 len)
{
	struct ip_addr g;
	u16 family;
	u32 index, v4;

	if (len < 8 + 28)
		return -EINVAL;
	memcpy(&index, val, 4);
	memcpy(&family, val + 8, 2);
	memcpy(&v4, val + 12, 4);
	if (family != (level == IPPROTO_IP ? 2 : 10))
		return -EADDRNOTAVAIL;
	g = level == IPPROTO_IP ? ip4_addr(v4) : ip6_addr(val + 16);
	if (index && !netif_by_index((int)index))
		return -ENODEV;
	return name == MCAST_JOIN_GROUP ? join(s, netif_by_index((int)index), g) : leave(s, netif_by_index((int)index), g);
}

int group_setopt(struct sock *s, int level, int name, const void *val, u32 len)
{
	u32 v[3] = { 0 };
	struct netif *n;
	u8 six[20];

	if (name == MCAST_JOIN_GROUP || name == MCAST_LEAVE_GROUP)
		return generic(s, level, name, val, len);
	if (level == IPPROTO_IP) { /* struct ip_mreq or ip_mreqn */
		if (len < 8)
			return -EINVAL;
		memcpy(v, val, MIN(len, 12u));
		n = v[2] ? netif_by_index((int)v[2]) : by_address(v[1]);
		if (!n && (v[2] || v[1]))
			return -ENODEV;
		return name == IP_ADD_MEMBERSHIP ? join(s, n, ip4_addr(v[0])) : leave(s, n, ip4_addr(v[0]));
	}
	if (len < sizeof(six))
		return -EINVAL;
	memcpy(six, val, sizeof(six));
	memcpy(v, six + 16, 4);
	n = netif_by_index((int)v[0]);
	if (v[0] && !n)
		return -ENODEV;
	return name == IPV6_ADD_MEMBERSHIP ? join(s, n, ip6_addr(six)) : leave(s, n, ip6_addr(six));
}
