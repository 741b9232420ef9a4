/* SPDX-License-Identifier: MIT */
/* Control data of IP sockets (ip(7), ipv6(7), socket(7)): what a received packet tells, and how one is to be sent. Under net_lock. */
#include "net/stack.h"
#include "userlib/base/string.h"
#include <asm/socket.h>
#include <linux/if_packet.h>
#include <linux/in.h>
#include <linux/in6.h>

struct cmsg {
	u64 len;
	s32 level, type;
};

void cmsg_put(struct net_cmsgs *cm, int level, int type, const void *data, u32 len)
{
	struct cmsg c = { sizeof(c) + len, level, type };
	u32 room = cm->room - cm->len, pad;

	if (room < sizeof(c)) {
		cm->cut = true;
		return;
	}
	if (c.len > room) {
		cm->cut = true;
		c.len = room;
	}
	memcpy(cm->buf + cm->len, &c, sizeof(c));
	memcpy(cm->buf + cm->len + sizeof(c), data, c.len - sizeof(c));
	pad = (u32)ROUND_UP(c.len, 8ull);
	if (pad > c.len && pad <= room)
		memset(cm->buf + cm->len + c.len, 0, pad - c.len);
	cm->len += MIN(pad, room);
}

static void put_int(struct net_cmsgs *cm, int level, int type, int v)
{
	cmsg_put(cm, level, type, &v, sizeof(v));
}

static void put_stamp(const struct sock *s, s64 ns, struct net_cmsgs *cm)
{
	s64 tv[2] = { ns / NSEC_PER_SEC, ns % NSEC_PER_SEC };

	if (!ns)
		return;
	if (s->rx_opts & RX_STAMPNS) {
		cmsg_put(cm, SOL_SOCKET, SO_TIMESTAMPNS_OLD, tv, sizeof(tv));
	} else if (s->rx_opts & RX_STAMP) {
		tv[1] /= 1000;
		cmsg_put(cm, SOL_SOCKET, SO_TIMESTAMP_OLD, tv, sizeof(tv));
	}
}

static void of_v4(const struct sock *s, const struct dgram *d, struct net_cmsgs *cm)
{
	struct netif *n = netif_by_index(d->ifindex);
	u32 dst = ip4_of(d->dst);

	if (s->rx_opts & RX_PKTINFO) {
		struct { int ifindex; u32 spec, dst; } pi = { d->ifindex, ip_is_multicast(d->dst) || ip_is_broadcast(d->dst) ? (n ? n->ip : 0) : dst, dst };

		cmsg_put(cm, IPPROTO_IP, IP_PKTINFO, &pi, sizeof(pi));
	}
	if (s->rx_opts & RX_TTL)
		put_int(cm, IPPROTO_IP, IP_TTL, d->ttl);
	if (s->rx_opts & RX_TOS)
		cmsg_put(cm, IPPROTO_IP, IP_TOS, &d->tos, 1);
	if (s->rx_opts & RX_ORIGDST) {
		struct net_addr a;

		sock_to_addr(2, d->dst, s->lport, &a);
		cmsg_put(cm, IPPROTO_IP, IP_ORIGDSTADDR, a.bytes, 16);
	}
}

void cmsg_of_dgram(struct sock *s, const struct dgram *d, struct net_cmsgs *cm)
{
	put_stamp(s, d->stamp_ns, cm);
	if (s->rx_opts & RX_DROPS && d->drops)
		cmsg_put(cm, SOL_SOCKET, SO_RXQ_OVFL, &d->drops, sizeof(d->drops));
	if (s->family == 17) {
		struct tpacket_auxdata aux = { .tp_status = TP_STATUS_USER, .tp_len = d->full_len, .tp_snaplen = d->len,
					       .tp_net = s->type == 3 ? ETH_HLEN : 0 };

		if (s->rx_opts & RX_AUXDATA)
			cmsg_put(cm, 263 /* SOL_PACKET */, PACKET_AUXDATA, &aux, sizeof(aux));
		return;
	}
	if (s->family == 10 && s->rx_opts & RX_PKTINFO6) {
		struct { struct ip_addr dst; int ifindex; } pi = { d->dst, d->ifindex };

		cmsg_put(cm, IPPROTO_IPV6, IPV6_PKTINFO, &pi, 20); /* struct in6_pktinfo */
	}
	if (ip_is4(d->dst))
		return of_v4(s, d, cm);
	if (s->rx_opts & RX_HOPS)
		put_int(cm, IPPROTO_IPV6, IPV6_HOPLIMIT, d->ttl);
	if (s->rx_opts & RX_FLOW && d->flow)
		cmsg_put(cm, IPPROTO_IPV6, IPV6_FLOWINFO, &d->flow, 4);
	if (s->rx_opts & RX_TCLASS)
		put_int(cm, IPPROTO_IPV6, IPV6_TCLASS, d->tos);
}

/* ---- sending ---- */

static int get_int(const u8 *p, u32 len, int *v)
{
	if (len == 1) {
		*v = p[0];
		return 0;
	}
	if (len < 4)
		return -EINVAL;
	memcpy(v, p, 4);
	return 0;
}

static int source(struct sock *s, struct ip_addr src, int ifindex, struct send_ctl *c)
{
	if (ifindex && !netif_by_index(ifindex))
		return -ENODEV;
	if (!ip_is_any(src) && !ip_is_local(src) && !s->freebind)
		return -EINVAL;
	if (s->bound_if && ifindex && s->bound_if != ifindex)
		return -EINVAL;
	if (!ip_is_any(src))
		c->src = src;
	if (ifindex)
		c->ifindex = ifindex;
	return 0;
}

static int parse_ip(struct sock *s, int type, const u8 *p, u32 len, struct send_ctl *c)
{
	u32 pi[3];
	int v, r;

	switch (type) {
	case IP_PKTINFO:
		if (len < sizeof(pi))
			return -EINVAL;
		memcpy(pi, p, sizeof(pi));
		return source(s, ip4_addr(pi[1]), (int)pi[0], c);
	case IP_TTL:
		r = get_int(p, len, &v);
		if (r || v < 1 || v > 255)
			return -EINVAL;
		c->ttl = (u8)v;
		c->ttl_set = true;
		return 0;
	case IP_TOS:
		r = get_int(p, len, &v);
		if (r || v < 0 || v > 255)
			return -EINVAL;
		c->tos = (u8)v;
		return 0;
	default:
		return -EINVAL;
	}
}

static int parse_ip6(struct sock *s, int type, const u8 *p, u32 len, struct send_ctl *c)
{
	struct ip_addr a;
	int v;

	if (type == IPV6_PKTINFO) {
		if (len < 20)
			return -EINVAL;
		a = ip6_addr(p);
		memcpy(&v, p + 16, 4);
		return source(s, ip_is_any(a) ? IP6_ANY : a, v, c);
	}
	if (len < 4)
		return -EINVAL;
	memcpy(&v, p, 4);
	if ((type != IPV6_HOPLIMIT && type != IPV6_TCLASS) || v < -1 || v > 255)
		return -EINVAL;
	if (type == IPV6_HOPLIMIT) {
		c->ttl = v < 0 ? 64 : (u8)v;
		c->ttl_set = true;
	} else {
		c->tos = v < 0 ? 0 : (u8)v;
	}
	return 0;
}

int cmsg_parse(struct sock *s, const u8 *p, u32 len, struct send_ctl *c)
{
	u32 at = 0;

	while (len - at >= sizeof(struct cmsg)) {
		struct cmsg h;
		u32 n;
		int r = 0;

		memcpy(&h, p + at, sizeof(h));
		if (h.len < sizeof(h) || h.len > len - at)
			return -EINVAL;
		n = (u32)h.len - (u32)sizeof(h);
		if (h.level == SOL_SOCKET)
			r = h.type == SO_MARK ? 0 : -EINVAL;
		else if (h.level == IPPROTO_IP && s->family != 17)
			r = parse_ip(s, h.type, p + at + sizeof(h), n, c);
		else if (h.level == IPPROTO_IPV6 && s->family == 10)
			r = parse_ip6(s, h.type, p + at + sizeof(h), n, c);
		if (r)
			return r;
		at += (u32)ROUND_UP(h.len, 8ull);
		if (at > len)
			break;
	}
	return 0;
}
