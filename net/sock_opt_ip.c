/* SPDX-License-Identifier: MIT */
/* The options of ip(7), ipv6(7), raw(7) and icmp(7), by rows for those that are a number, by hand for the rest. Under net_lock. */
#include "net/stack.h"
#include "userlib/base/string.h"
#include <linux/icmp.h>
#include <linux/in.h>
#include <linux/in6.h>

/* A flag in rx_opts per option. */
static u32 rx_bit(int level, int name)
{
	static const struct { u8 v6, name; u16 bit; } rows[] = {
		{ 0, IP_PKTINFO, RX_PKTINFO }, { 0, IP_RECVTTL, RX_TTL }, { 0, IP_RECVTOS, RX_TOS }, { 0, IP_ORIGDSTADDR, RX_ORIGDST },
		{ 1, IPV6_RECVPKTINFO, RX_PKTINFO6 }, { 1, IPV6_RECVHOPLIMIT, RX_HOPS }, { 1, IPV6_RECVTCLASS, RX_TCLASS },
		{ 1, IPV6_FLOWINFO, RX_FLOW },
	};

	for (u32 i = 0; i < ARRAY_SIZE(rows); i++)
		if (rows[i].v6 == (level == IPPROTO_IPV6) && rows[i].name == name)
			return rows[i].bit;
	return 0;
}

/* A yes-or-no field per option; NULL: none. */
static bool *flag_of(struct sock *s, int level, int name)
{
	if (level == IPPROTO_IP)
		switch (name) {
		case IP_RECVERR: return &s->recv_err;
		case IP_MULTICAST_LOOP: return &s->mc_loop;
		case IP_MULTICAST_ALL: return &s->mc_all;
		case IP_FREEBIND: return &s->freebind;
		default: return NULL;
		}
	switch (name) {
	case IPV6_RECVERR: return &s->recv_err6;
	case IPV6_MULTICAST_LOOP: return &s->mc_loop6;
	case IPV6_MULTICAST_ALL: return &s->mc_all6;
	case IPV6_FREEBIND: return &s->freebind;
	default: return NULL;
	}
}

static int set_multicast_if4(struct sock *s, const void *val, u32 len)
{
	u32 v[3] = { 0 };
	struct netif *n;

	if (len < 4)
		return -EINVAL;
	if (len < 8) /* struct in_addr */
		memcpy(&v[1], val, 4);
	else
		memcpy(v, val, MIN(len, 12u));
	if (!v[1] && !v[2]) {
		s->mc_if = 0;
		return 0;
	}
	n = v[2] ? netif_by_index((int)v[2]) : v[1] == net_lo.ip ? &net_lo : net_eth.index && v[1] == net_eth.ip ? &net_eth : NULL;
	if (!n)
		return -EADDRNOTAVAIL;
	s->mc_if = n->index;
	return 0;
}

static int set_common(struct sock *s, int level, int name, int v, bool *done)
{
	bool *flag = flag_of(s, level, name);
	u32 bit = rx_bit(level, name);

	*done = true;
	if ((name == IP_MULTICAST_LOOP && level == IPPROTO_IP && (v & ~1)) || ((name == IPV6_MULTICAST_LOOP || name == IPV6_MULTICAST_ALL) &&
	    level == IPPROTO_IPV6 && (v & ~1)) || (name == IP_MULTICAST_ALL && level == IPPROTO_IP && (v & ~1)))
		return -EINVAL;
	if (flag) {
		*flag = v;
		if ((flag == &s->recv_err || flag == &s->recv_err6) && !v)
			sock_err_drop_all(s);
		return 0;
	}
	if (bit) {
		s->rx_opts = (s->rx_opts & ~bit) | (v ? bit : 0);
		return 0;
	}
	*done = false;
	return 0;
}

int sock_set_ip(struct sock *s, int name, const void *val, u32 len)
{
	bool done;
	int v = 0, r;

	switch (name) {
	case IP_ADD_MEMBERSHIP:
	case IP_DROP_MEMBERSHIP:
	case MCAST_JOIN_GROUP:
	case MCAST_LEAVE_GROUP:
		return s->tcp ? -EPROTO : group_setopt(s, IPPROTO_IP, name, val, len);
	case IP_MULTICAST_IF:
		return s->tcp ? -ENOPROTOOPT : set_multicast_if4(s, val, len);
	}
	if (len >= 4)
		memcpy(&v, val, 4);
	else if (len >= 1)
		v = *(const u8 *)val;
	else
		return -EINVAL;
	r = set_common(s, IPPROTO_IP, name, v, &done);
	if (done)
		return r;
	switch (name) {
	case IP_TOS:
		s->tos = (u8)(s->tcp ? v & ~3 : v); /* TCP's ECN bits are the stack's */
		return 0;
	case IP_TTL:
		if (v != -1 && (v < 1 || v > 255))
			return -EINVAL;
		s->ttl = v == -1 ? 64 : (u8)v;
		return 0;
	case IP_MTU_DISCOVER:
		if (v < 0 || v > 5)
			return -EINVAL;
		s->pmtudisc = (u8)v;
		return 0;
	case IP_MULTICAST_TTL:
		if (s->tcp || v < -1 || v > 255)
			return -EINVAL;
		s->mc_ttl = v == -1 ? 1 : (u8)v;
		return 0;
	case IP_BIND_ADDRESS_NO_PORT: /* ports are chosen at connect where the peer is known: as if always set */
		s->bind_no_port = v;
		return 0;
	case IP_HDRINCL:
		if (s->type != 3)
			return -ENOPROTOOPT;
		s->hdrincl = v;
		return 0;
	default:
		return -ENOPROTOOPT;
	}
}

/* TCP of an IPv6 socket has one hop limit and one class: the fields its segments are sent with. */
static void set_hops(struct sock *s, u8 v)
{
	s->hops = v;
	if (s->tcp && s->family == 10)
		s->ttl = v;
}

static int set_v6only(struct sock *s, int v)
{
	if (s->bound || s->lport)
		return -EINVAL;
	s->v6only = v;
	return 0;
}

static int set_csum_at(struct sock *s, int v)
{
	if (s->type != 3 || s->protocol == IPPROTO_ICMPV6)
		return s->type != 3 ? -ENOPROTOOPT : v == 2 ? 0 : -EINVAL;
	if (v > 0 && v & 1)
		return -EINVAL;
	s->csum_at = v < 0 ? -1 : v;
	return 0;
}

int sock_set_ip6(struct sock *s, int name, const void *val, u32 len)
{
	bool done;
	int v, r;

	if (s->family != 10)
		return -ENOPROTOOPT;
	if (name == IPV6_ADD_MEMBERSHIP || name == IPV6_DROP_MEMBERSHIP || name == MCAST_JOIN_GROUP || name == MCAST_LEAVE_GROUP)
		return s->tcp ? -EPROTO : group_setopt(s, IPPROTO_IPV6, name, val, len);
	if (len < 4)
		return -EINVAL;
	memcpy(&v, val, 4);
	r = set_common(s, IPPROTO_IPV6, name, v, &done);
	if (done)
		return r;
	switch (name) {
	case IPV6_V6ONLY:
		return set_v6only(s, v);
	case IPV6_TCLASS:
		if (v < -1 || v > 255)
			return -EINVAL;
		s->tclass = v == -1 ? 0 : (u8)v;
		if (s->tcp)
			s->tos = s->tclass & 0xfc;
		return 0;
	case IPV6_UNICAST_HOPS:
		if (v < -1 || v > 255)
			return -EINVAL;
		set_hops(s, v == -1 ? 64 : (u8)v);
		return 0;
	case IPV6_MULTICAST_HOPS:
		if (s->tcp)
			return -ENOPROTOOPT;
		if (v < -1 || v > 255)
			return -EINVAL;
		s->mc_hops = v == -1 ? 1 : (u8)v;
		return 0;
	case IPV6_MULTICAST_IF:
		if (s->tcp)
			return -ENOPROTOOPT;
		if (v && !netif_by_index(v))
			return -ENODEV;
		s->mc_if6 = v;
		return 0;
	case IPV6_MTU_DISCOVER:
		if (v < 0 || v > 5)
			return -EINVAL;
		s->pmtudisc6 = (u8)v;
		return 0;
	case IPV6_DONTFRAG:
		s->pmtudisc6 = v ? 2 : 1;
		return 0;
	case IPV6_CHECKSUM:
		return set_csum_at(s, v);
	default:
		return -ENOPROTOOPT;
	}
}

/* ---- reading ---- */

static int get_common(struct sock *s, int level, int name, int *v)
{
	bool *flag = flag_of(s, level, name);
	u32 bit = rx_bit(level, name);

	if (flag)
		*v = *flag;
	else if (bit)
		*v = !!(s->rx_opts & bit);
	return flag || bit ? 0 : -ENOPROTOOPT;
}

static int path_mtu(struct sock *s, int *v)
{
	if (!s->connected && !(s->tcp && s->rport))
		return -ENOTCONN;
	*v = (int)MIN(ip_mtu(s->rip), ip_is4(s->rip) ? 65535u : ~0u);
	return 0;
}

int sock_get_ip(struct sock *s, int name, int *v)
{
	switch (name) {
	case IP_TOS: *v = s->tos; return 0;
	case IP_TTL: *v = s->ttl; return 0;
	case IP_MTU_DISCOVER: *v = s->pmtudisc; return 0;
	case IP_MULTICAST_TTL: *v = s->mc_ttl; return 0;
	case IP_MTU: return path_mtu(s, v);
	case IP_BIND_ADDRESS_NO_PORT: *v = s->bind_no_port; return 0;
	case IP_MULTICAST_IF: {
		struct netif *n = netif_by_index(s->mc_if);

		*v = n ? (int)n->ip : 0;
		return 0;
	}
	case IP_HDRINCL:
		*v = s->hdrincl;
		return s->type == 3 ? 0 : -ENOPROTOOPT;
	default: return get_common(s, IPPROTO_IP, name, v);
	}
}

int sock_get_ip6(struct sock *s, int name, int *v)
{
	if (s->family != 10)
		return -EOPNOTSUPP;
	switch (name) {
	case IPV6_V6ONLY: *v = s->v6only; return 0;
	case IPV6_UNICAST_HOPS: *v = s->hops; return 0;
	case IPV6_MULTICAST_HOPS: *v = s->mc_hops; return 0;
	case IPV6_MULTICAST_IF: *v = s->mc_if6; return 0;
	case IPV6_TCLASS: *v = s->tclass; return 0;
	case IPV6_MTU_DISCOVER: *v = s->pmtudisc6; return 0;
	case IPV6_DONTFRAG: *v = s->pmtudisc6 == 2; return 0;
	case IPV6_MTU: return path_mtu(s, v);
	case IPV6_CHECKSUM:
		*v = s->csum_at;
		return s->type == 3 ? 0 : -ENOPROTOOPT;
	default: return get_common(s, IPPROTO_IPV6, name, v);
	}
}

/* ICMP_FILTER and ICMP6_FILTER of raw sockets: a bit set means "not this type". */
int sock_icmp_filter(struct sock *s, int level, int name, void *val, u32 *len, bool set)
{
	u32 size = level == IPPROTO_ICMPV6 ? 32 : 4;

	if (s->type != 3 || s->protocol != (level == IPPROTO_ICMPV6 ? IPPROTO_ICMPV6 : IPPROTO_ICMP) || name != 1)
		return -ENOPROTOOPT;
	*len = MIN(*len, size);
	if (set)
		memcpy(s->icmp_filter, val, *len);
	else
		memcpy(val, s->icmp_filter, *len);
	return 0;
}
