/* SPDX-License-Identifier: MIT */
/* IPv4 in and out, what both families share of routing and sending, and the hand-over to the transports. Under net_lock. */
#include "net/stack.h"
#include "userlib/base/string.h"
#include <linux/if.h>
#include <linux/in.h>
#include <linux/in6.h>

static bool is_local4(u32 ip)
{
	return (ip & net_lo.mask) == (net_lo.ip & net_lo.mask) || (net_eth.index && ip == net_eth.ip && ip);
}

static bool is_broadcast4(u32 ip)
{
	return ip == 0xffffffff || (net_eth.index && net_eth.ip && net_eth.prefix_len < 31 && ip == (net_eth.ip | ~net_eth.mask));
}

bool ip_is_local(struct ip_addr ip)
{
	return ip_is4(ip) ? is_local4(ip4_of(ip)) : ip6_is_local(ip);
}

bool ip_is_broadcast(struct ip_addr ip)
{
	return ip_is4(ip) && is_broadcast4(ip4_of(ip));
}

static bool on_link4(u32 dst)
{
	return net_eth.index && net_eth.ip && (dst & net_eth.mask) == (net_eth.ip & net_eth.mask);
}

static struct netif *route4(struct netif *via, u32 dst, u32 *src)
{
	bool group = dst == 0xffffffff || (be32(dst) >> 28) == 14;

	if (is_local4(dst) || !dst || (group && via == &net_lo)) {
		*src = (dst & net_lo.mask) == (net_lo.ip & net_lo.mask) || !dst || group ? net_lo.ip : dst;
		return via && via != &net_lo && !net_eth.index ? NULL : &net_lo;
	}
	if (!net_eth.index || via == &net_lo)
		return NULL;
	*src = net_eth.ip;
	return on_link4(dst) || group || net_gateway ? &net_eth : NULL;
}

struct netif *ip_route_via(struct netif *via, struct ip_addr dst, struct ip_addr *src)
{
	struct ip_addr hop;
	struct netif *n;
	u32 v4 = 0;

	if (!ip_is4(dst))
		return ip6_route(via, dst, src, &hop);
	n = route4(via, ip4_of(dst), &v4);
	*src = ip4_addr(v4);
	return n;
}

struct netif *ip_route(struct ip_addr dst, struct ip_addr *src)
{
	return ip_route_via(NULL, dst, src);
}

u32 ip_mtu(struct ip_addr dst)
{
	struct ip_addr src;
	struct netif *n = ip_route(dst, &src);
	u32 mtu = n ? n->mtu : 1500, path = pmtu_get(dst);

	return path ? MIN(path, mtu) : mtu;
}

u32 ip_mss(struct ip_addr dst)
{
	return MIN(ip_mtu(dst), 65535u) - (ip_is4(dst) ? 40 : 60);
}

/* ---- out ---- */

static u16 ip_ids; /* [a] */

static int link_send4(struct netif *n, struct ip_hdr *h, u32 len, const struct ip_tx *t, struct tx_meta *m)
{
	u32 hop = h->dst;

	if (n == &net_lo) {
		net_loop_queue((u8 *)h, len, m);
		return 0;
	}
	if ((be32(hop) >> 28) == 14 || is_broadcast4(hop)) {
		if (t->loop || is_broadcast4(hop))
			net_loop_queue_on(n, (u8 *)h, len, m);
		if ((be32(hop) >> 28) == 14 && !h->ttl)
			return 0;
	} else if (!on_link4(hop)) {
		hop = net_gateway;
	}
	return eth_send(n, ip4_addr(hop), (u8 *)h, len, m);
}

static void fill_header_csum(struct ip_hdr *h, u32 hlen)
{
	h->csum = 0;
	h->csum = (u16)~csum_fold(csum_add(h, hlen, 0));
}

/* In pieces, first to last: each header overwrites the end of the piece before, which has gone. Options go with the first piece only. */
static int send_in_pieces(struct netif *n, const struct ip_hdr *whole, const struct ip_tx *t, u8 *payload, u32 len, u32 mtu)
{
	u32 off = 0;
	int r = 0;

	while (off < len && !r) {
		struct tx_meta m = { 0 };
		struct ip_hdr h = *whole, *at = (struct ip_hdr *)(payload + off) - 1;
		u16 field;
		u32 n_data = ip_frag_next(off, len, mtu - (u32)sizeof(h), &field);

		h.vihl = 0x45;
		h.len = be16((u16)(n_data + sizeof(h)));
		h.frag = be16(field);
		fill_header_csum(&h, sizeof(h));
		*at = h;
		NET_INC(IpFragCreates);
		r = link_send4(n, at, n_data + (u32)sizeof(h), t, &m);
		off += n_data;
	}
	return r;
}

void ip_fill_csum(const struct netif *n, const struct ip_tx *t, struct ip_addr src, u8 *payload, u32 len, u32 hdr, bool cut, struct tx_meta *m)
{
	u64 pseudo = csum_pseudo(src, t->dst, t->proto, len);
	u16 v = 0;

	if (t->csum_at == 0xffff)
		return;
	memcpy(payload + t->csum_at, &v, 2);
	if (n->csum_offload && !cut && t->proto != IPPROTO_UDPLITE) { /* links know nothing of its coverage */
		v = csum_fold(pseudo);
		m->csum_start = (u16)hdr;
		m->csum_offset = t->csum_at;
	} else {
		v = (u16)~csum_fold(csum_add(payload, t->csum_len ? t->csum_len : len, pseudo));
		if (!v && (t->proto == IPPROTO_UDP || t->proto == IPPROTO_UDPLITE))
			v = 0xffff;
	}
	memcpy(payload + t->csum_at, &v, 2);
}

int ip_send(const struct ip_tx *t, u8 *payload, u32 len)
{
	u32 hlen = sizeof(struct ip_hdr) + (t->router_alert ? 4 : 0), route_src, dst = ip4_of(t->dst), mtu, path;
	struct ip_hdr *h = (struct ip_hdr *)(payload - hlen);
	struct tx_meta m = { 0 };
	struct netif *n;
	bool big, df = t->pmtu != 0 && t->pmtu != 4 && t->pmtu != 5;

	if (!ip_is4(t->dst))
		return ip6_send(t, payload, len);
	n = route4(t->via, dst, &route_src);
	if (n == &net_eth && t->no_route && !on_link4(dst) && !ip_is_multicast(t->dst) && !is_broadcast4(dst))
		n = NULL;
	if (!n) {
		net_drop(NET_DROP_no_route);
		return -ENETUNREACH;
	}
	path = t->pmtu >= 3 ? 0 : pmtu_get(t->dst);
	mtu = path ? MIN(path, n->mtu) : n->mtu;
	big = len + hlen > mtu && !(t->gso_size && n->tso && t->proto == IPPROTO_TCP);
	if (len + hlen > 65535 || (big && (t->proto == IPPROTO_TCP || (t->pmtu >= 2 && t->pmtu != 5))))
		return -EMSGSIZE;
	NET_INC(IpOutRequests);
	if (!dst)
		dst = net_lo.ip;
	*h = (struct ip_hdr){ .vihl = (u8)(0x40 | hlen / 4), .tos = t->tos, .len = be16((u16)(len + hlen)), .id = be16(atomic_fetch_add(&ip_ids, (u16)1)),
			      .frag = be16(df && !big ? 0x4000 : 0), .ttl = t->ttl, .proto = t->proto,
			      .src = ip_is_any(t->src) ? route_src : ip4_of(t->src), .dst = dst };
	if (t->router_alert)
		memcpy(h + 1, (u8[]){ 0x94, 4, 0, 0 }, 4);
	fill_header_csum(h, hlen);
	ip_fill_csum(n, t, ip4_addr(h->src), payload, len, hlen, big, &m);
	if (t->gso_size && len - t->l4_hdr_len > t->gso_size && n != &net_lo) {
		m.gso_size = t->gso_size;
		m.hdr_len = (u16)(hlen + t->l4_hdr_len);
	}
	if (big)
		return send_in_pieces(n, h, t, payload, len, mtu);
	return link_send4(n, h, len + hlen, t, &m);
}

int ip_output(struct ip_addr src, struct ip_addr dst, u8 proto, u8 ttl, u8 tos, u8 *payload, u32 len, u16 csum_at, u16 gso_size, u16 l4_hdr_len)
{
	struct ip_tx t = { .src = src, .dst = dst, .proto = proto, .ttl = ttl, .tos = tos, .pmtu = 1, .csum_at = csum_at,
			   .gso_size = gso_size, .l4_hdr_len = l4_hdr_len };

	return ip_send(&t, payload, len);
}

/* raw(7): checksum, length and, where zero, source and identification are filled in. */
int ip_send_raw4(struct netif *via, u8 *p, u32 len)
{
	struct ip_hdr *h = (struct ip_hdr *)p;
	struct ip_tx t = { .loop = true };
	struct tx_meta m = { 0 };
	struct netif *n;
	u32 src, hlen;

	if (len < sizeof(*h) || (hlen = (h->vihl & 15) * 4u) < sizeof(*h) || hlen > len)
		return -EINVAL;
	n = route4(via, h->dst, &src);
	if (!n)
		return -ENETUNREACH;
	if (len > n->mtu)
		return -EMSGSIZE;
	h->len = be16((u16)len);
	if (!h->src)
		h->src = src;
	if (!h->id)
		h->id = be16(atomic_fetch_add(&ip_ids, (u16)1));
	fill_header_csum(h, hlen);
	NET_INC(IpOutRequests);
	return link_send4(n, h, len, &t, &m);
}

/* ---- in ---- */

bool ip_deliver_shared(const struct ip_rx *rx, u8 *p, u32 len)
{
	if (rx->proto == IPPROTO_TCP)
		return tcp_input_shared(rx->src, rx->dst, p, len, rx->tos, rx->csum_ok);
	return rx->proto == IPPROTO_UDP && udp_input_shared(rx, p, len);
}

bool ip_deliver(const struct ip_rx *rx, u8 *p, u32 len)
{
	bool v6 = !ip_is4(rx->dst), raw = raw_input(rx, p, len);

	switch (rx->proto) {
	case IPPROTO_TCP:
		if (rx->multicast)
			net_drop(NET_DROP_not_ours);
		else
			tcp_input(rx->in, rx->src, rx->dst, p, len, rx->tos, rx->csum_ok);
		return true;
	case IPPROTO_UDP:
	case IPPROTO_UDPLITE:
		udp_input(rx, p, len);
		return true;
	case IPPROTO_ICMP:
		if (!v6)
			icmp_input(rx, p, len);
		return !v6 || raw;
	case IPPROTO_IGMP:
		if (!v6)
			igmp_input(rx, p, len);
		return !v6 || raw;
	case IPPROTO_ICMPV6:
		if (v6)
			icmp6_input(rx, p, len);
		return v6 || raw;
	default:
		return raw;
	}
}

/* Whole packets to our address from one that may be, with a transport whose sockets readers may feed. All else is ip_input's to judge. */
bool ip_input_shared(struct netif *n, const u8 *p, u32 len, bool csum_ok)
{
	struct ip_rx rx = { .in = n, .hdr = p, .csum_ok = csum_ok, .hdr_len = sizeof(struct ip_hdr) };
	struct ip_hdr h;
	u32 total;

	if (len && p[0] >> 4 == 6)
		return ip6_input_shared(n, p, len, csum_ok);
	if (len < sizeof(h))
		return false;
	memcpy(&h, p, sizeof(h));
	total = be16(h.len);
	if (h.vihl != 0x45 || total < sizeof(h) || total > len || h.frag & be16(0x3fff) || !is_local4(h.dst) || is_broadcast4(h.dst))
		return false;
	if ((be32(h.src) >> 28) >= 14 || !h.src)
		return false;
	if (n != &net_lo && (h.dst != n->ip || h.src == n->ip || (h.src & net_lo.mask) == (net_lo.ip & net_lo.mask)))
		return false;
	if (csum_fold(csum_add(p, sizeof(h), 0)) != 0xffff)
		return false;
	rx.src = ip4_addr(h.src);
	rx.dst = ip4_addr(h.dst);
	rx.proto = h.proto;
	rx.ttl = h.ttl;
	rx.tos = h.tos;
	if (!ip_deliver_shared(&rx, (u8 *)p + sizeof(h), total - (u32)sizeof(h)))
		return false;
	NET_INC(IpInReceives);
	NET_INC(IpInDelivers);
	return true;
}

void ip_input(struct netif *n, const u8 *p, u32 len, bool csum_ok)
{
	struct ip_rx rx = { .in = n, .hdr = p, .csum_ok = csum_ok };
	u32 hlen, total;
	struct ip_hdr h;
	bool bcast, group;

	NET_INC(IpInReceives);
	if (len && p[0] >> 4 == 6)
		return ip6_input(n, p, len, csum_ok);
	if (len < sizeof(h))
		return net_drop(NET_DROP_runt);
	memcpy(&h, p, sizeof(h));
	hlen = (h.vihl & 15) * 4u;
	total = be16(h.len);
	if (h.vihl >> 4 != 4 || hlen < 20 || total < hlen || total > len) {
		NET_INC(IpInHdrErrors);
		return net_drop(NET_DROP_bad_header);
	}
	if (csum_fold(csum_add(p, hlen, 0)) != 0xffff) {
		NET_INC(IpInHdrErrors);
		return net_drop(NET_DROP_csum);
	}
	bcast = is_broadcast4(h.dst);
	group = (be32(h.dst) >> 28) == 14;
	if (group ? !mcast_is_member(n, ip4_addr(h.dst)) : !bcast && (!is_local4(h.dst) || (n != &net_lo && h.dst != n->ip)))
		return net_drop(NET_DROP_not_ours);
	/* Sources that cannot be: loopback from the wire, groups, our own address coming from outside. */
	if ((be32(h.src) >> 28) >= 14 ||
	    (n != &net_lo && ((h.src & net_lo.mask) == (net_lo.ip & net_lo.mask) || (h.src && h.src == n->ip && !group && !bcast))))
		return net_drop(NET_DROP_not_ours);
	if (h.frag & be16(0x3fff))
		return ip_frag_input(n, p, hlen, total);
	NET_INC(IpInDelivers);
	rx.src = ip4_addr(h.src);
	rx.dst = ip4_addr(h.dst);
	rx.hdr_len = hlen;
	rx.proto = h.proto;
	rx.ttl = h.ttl;
	rx.tos = h.tos;
	rx.multicast = bcast || group;
	if (!ip_deliver(&rx, (u8 *)p + hlen, total - hlen)) {
		net_drop(NET_DROP_no_socket);
		if (!rx.multicast)
			icmp_send_error(&rx, 3, 2, 0); /* protocol unreachable */
	}
}
