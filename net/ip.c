/* SPDX-License-Identifier: MIT */
/* Ethernet, ARP, IPv4, ICMP echo and the Internet checksum. Fragments: ip_frag.c. */
#include "net/stack.h"
#include "userlib/base/mem.h"
#include "userlib/base/string.h"
#include <linux/if.h>
#include <linux/in.h>

struct eth_hdr {
	u8 dst[6], src[6];
	u16 type;
} attr_packed;
struct arp_pkt {
	u16 htype, ptype;
	u8 hlen, plen;
	u16 op;
	u8 sha[6];
	u32 spa;
	u8 tha[6];
	u32 tpa;
} attr_packed;
struct ip_hdr {
	u8 vihl, tos;
	u16 len, id, frag;
	u8 ttl, proto;
	u16 csum;
	u32 src, dst;
} attr_packed;
struct icmp_hdr {
	u8 type, code;
	u16 csum;
	u16 id, seq;
} attr_packed;

#define ETH_IP 0x0800
#define ETH_ARP 0x0806

/* ---- checksum (RFC 1071) ---- */

u64 csum_add(const void *data, u32 len, u64 sum)
{
	const u8 *p = data;

	for (; len >= 8; len -= 8, p += 8) {
		u64 v;

		__builtin_memcpy(&v, p, 8);
		sum += v;
		sum += sum < v;
	}
	if (len) {
		u64 v = 0;

		memcpy(&v, p, len);
		sum += v;
		sum += sum < v;
	}
	return sum;
}

u16 csum_fold(u64 sum)
{
	sum = (sum >> 32) + (u32)sum;
	sum = (sum >> 32) + (u32)sum;
	sum = (sum >> 16) + (sum & 0xffff);
	sum = (sum >> 16) + (sum & 0xffff);
	sum = (sum >> 16) + (sum & 0xffff);
	return (u16)sum;
}

/* Of either family: what mapping adds to an IPv4 address, 0xffff, is nothing in ones' complement. */
u64 csum_pseudo(struct ip_addr src, struct ip_addr dst, u8 proto, u32 len)
{
	u64 sum = be16(proto) + (u64)be16((u16)len) + be16((u16)(len >> 16));

	for (int i = 0; i < 4; i++)
		sum += (u64)src.w[i] + dst.w[i];
	return sum;
}

/* ---- neighbours ---- */

#define NEIGHBOURS 64
#define ARP_RETRY_NS NSEC_PER_SEC
#define ARP_LIFE_NS (300 * NSEC_PER_SEC)

struct neighbour {
	u32 ip;
	u8 mac[6];
	bool known;
	s64 asked_ns, known_ns;
	u8 *waiting; /* one packet kept until the answer comes */
	u32 waiting_len;
	u16 csum_start, csum_offset;
};
static struct neighbour neighbours[NEIGHBOURS];

static struct neighbour *neighbour_for(u32 ip, bool make)
{
	struct neighbour *n = NULL, *oldest = &neighbours[0];

	for (int i = 0; i < NEIGHBOURS; i++) {
		if (neighbours[i].ip == ip)
			return &neighbours[i];
		if (!neighbours[i].ip && !n)
			n = &neighbours[i];
		if (neighbours[i].known_ns < oldest->known_ns)
			oldest = &neighbours[i];
	}
	if (!make)
		return NULL;
	if (!n)
		n = oldest;
	kmem_free(n->waiting, n->waiting_len);
	*n = (struct neighbour){ .ip = ip };
	return n;
}

static const u8 broadcast_mac[6] = { 255, 255, 255, 255, 255, 255 };
static u8 arp_frame[NET_HEADROOM + 64];

static void arp_send(struct netif *n, u16 op, const u8 *to, u32 ip)
{
	u8 *f = arp_frame + NET_HEADROOM;
	struct eth_hdr *e = (void *)f;
	struct arp_pkt *a = (void *)(e + 1);
	struct tx_meta m = { 0 };

	memcpy(e->dst, op == 1 ? broadcast_mac : to, 6);
	memcpy(e->src, n->mac, 6);
	e->type = be16(ETH_ARP);
	*a = (struct arp_pkt){ .htype = be16(1), .ptype = be16(ETH_IP), .hlen = 6, .plen = 4, .op = be16(op),
			       .spa = n->ip, .tpa = ip };
	memcpy(a->sha, n->mac, 6);
	if (op != 1)
		memcpy(a->tha, to, 6);
	(void)n->ops->send(n, f, sizeof(*e) + sizeof(*a), &m);
}

static int eth_send(struct netif *n, u32 next_hop, u8 *ip, u32 len, struct tx_meta *m)
{
	struct eth_hdr *e = (struct eth_hdr *)ip - 1;
	struct neighbour *nb;
	s64 now;
	bool bcast = next_hop == 0xffffffff || next_hop == (n->ip | ~n->mask);

	e->type = be16(ETH_IP);
	memcpy(e->src, n->mac, 6);
	if (m->csum_start)
		m->csum_start = (u16)(m->csum_start + sizeof(*e));
	if (m->hdr_len)
		m->hdr_len = (u16)(m->hdr_len + sizeof(*e));
	if (bcast) {
		memcpy(e->dst, broadcast_mac, 6);
		return n->ops->send(n, (u8 *)e, len + (u32)sizeof(*e), m);
	}
	if ((be32(next_hop) >> 28) == 14) { /* multicast: RFC 1112 */
		u32 g = be32(next_hop);

		memcpy(e->dst, (u8[6]){ 1, 0, 0x5e, (u8)(g >> 16 & 0x7f), (u8)(g >> 8), (u8)g }, 6);
		return n->ops->send(n, (u8 *)e, len + (u32)sizeof(*e), m);
	}
	nb = neighbour_for(next_hop, true);
	now = clock_monotonic_ns();
	if (!nb->known || now - nb->known_ns > ARP_LIFE_NS) {
		if (now - nb->asked_ns > ARP_RETRY_NS || !nb->asked_ns) {
			nb->asked_ns = now;
			arp_send(n, 1, NULL, next_hop);
		}
		if (!nb->known) {
			u32 keep = len + (u32)sizeof(*e) + NET_HEADROOM;

			kmem_free(nb->waiting, nb->waiting_len);
			nb->waiting = m->gso_size ? NULL : kmem_alloc(keep);
			nb->waiting_len = keep;
			if (nb->waiting)
				memcpy(nb->waiting + NET_HEADROOM, e, len + sizeof(*e));
			nb->csum_start = m->csum_start;
			nb->csum_offset = m->csum_offset;
			return 0;
		}
	}
	memcpy(e->dst, nb->mac, 6);
	return n->ops->send(n, (u8 *)e, len + (u32)sizeof(*e), m);
}

static void arp_learn(struct netif *n, u32 ip, const u8 *mac, bool make)
{
	struct neighbour *nb = neighbour_for(ip, make);

	if (!nb)
		return;
	memcpy(nb->mac, mac, 6);
	nb->known = true;
	nb->known_ns = clock_monotonic_ns();
	if (nb->waiting) {
		struct tx_meta m = { .csum_start = nb->csum_start, .csum_offset = nb->csum_offset };
		u8 *w = nb->waiting;
		u32 len = nb->waiting_len;

		nb->waiting = NULL;
		memcpy(((struct eth_hdr *)(w + NET_HEADROOM))->dst, mac, 6);
		(void)n->ops->send(n, w + NET_HEADROOM, len - NET_HEADROOM, &m);
		kmem_free(w, len);
	}
}

int net_neighinfo(unsigned n, struct net_neighinfo *out)
{
	int r = -ENOENT;

	net_lock_get();
	for (u32 i = 0; i < NEIGHBOURS; i++) {
		const struct neighbour *nb = &neighbours[i];

		if (!nb->ip || n--)
			continue;
		*out = (struct net_neighinfo){ .ip = ip4_addr(nb->ip), .ifindex = net_eth.index,
					       .nud_state = !nb->known ? 1 /* INCOMPLETE */ :
						       clock_monotonic_ns() - nb->known_ns > ARP_LIFE_NS ? 4 /* STALE */ : 2 /* REACHABLE */ };
		memcpy(out->mac, nb->mac, 6);
		r = 0;
		break;
	}
	net_lock_put();
	return r;
}

static void arp_input(struct netif *n, const u8 *p, u32 len)
{
	struct arp_pkt a;

	if (len < sizeof(a))
		return net_drop(NET_DROP_runt);
	memcpy(&a, p, sizeof(a));
	if (a.htype != be16(1) || a.ptype != be16(ETH_IP) || a.hlen != 6 || a.plen != 4)
		return net_drop(NET_DROP_bad_header);
	if (a.spa)
		arp_learn(n, a.spa, a.sha, a.tpa == n->ip);
	if (a.op == be16(1) && a.tpa == n->ip && n->ip)
		arp_send(n, 2, a.sha, a.spa);
}

void eth_input(struct netif *n, const u8 *f, u32 len, bool csum_ok)
{
	const struct eth_hdr *e = (const void *)f;

	if (len < sizeof(*e))
		return net_drop(NET_DROP_runt);
	if (memcmp(e->dst, n->mac, 6) && !(e->dst[0] & 1))
		return net_drop(NET_DROP_not_ours);
	if (e->type == be16(ETH_IP))
		ip_input(n, f + sizeof(*e), len - (u32)sizeof(*e), csum_ok);
	else if (e->type == be16(ETH_ARP))
		arp_input(n, f + sizeof(*e), len - (u32)sizeof(*e));
}

/* ---- IPv4 ---- */

static bool is_local4(u32 ip)
{
	return (ip & net_lo.mask) == (net_lo.ip & net_lo.mask) || (net_eth.index && ip == net_eth.ip && ip);
}

bool ip_is_local(struct ip_addr ip)
{
	return ip_is4(ip) ? is_local4(ip4_of(ip)) : ip6_is_local(ip);
}

bool ip_is_broadcast(struct ip_addr ip)
{
	u32 v4 = ip4_of(ip);

	return ip_is4(ip) && (v4 == 0xffffffff || (net_eth.index && net_eth.ip && v4 == (net_eth.ip | ~net_eth.mask)));
}

static struct netif *route4(u32 dst, u32 *src)
{
	if (is_local4(dst) || !dst) {
		*src = (dst & net_lo.mask) == (net_lo.ip & net_lo.mask) || !dst ? net_lo.ip : dst;
		return &net_lo;
	}
	if (!net_eth.index)
		return NULL;
	*src = net_eth.ip;
	if ((dst & net_eth.mask) == (net_eth.ip & net_eth.mask) || dst == 0xffffffff || (be32(dst) >> 28) == 14 || net_gateway)
		return &net_eth;
	return NULL;
}

struct netif *ip_route(struct ip_addr dst, struct ip_addr *src)
{
	struct netif *n;
	u32 v4 = 0;

	if (!ip_is4(dst))
		return ip6_route(dst, src);
	n = route4(ip4_of(dst), &v4);
	*src = ip4_addr(v4);
	return n;
}

u32 ip_mss(struct ip_addr dst)
{
	struct ip_addr src;
	struct netif *n = ip_route(dst, &src);

	return MIN(n ? n->mtu : 1500u, 65535u) - (ip_is4(dst) ? 40 : 60);
}

static u16 ip_ids;

static int link_send4(struct netif *n, struct ip_hdr *h, u32 len, struct tx_meta *m)
{
	u32 hop = h->dst;

	if (n == &net_lo) {
		net_loop_queue((u8 *)h, len);
		return 0;
	}
	if ((hop & n->mask) != (n->ip & n->mask) && hop != 0xffffffff && (be32(hop) >> 28) != 14)
		hop = net_gateway;
	return eth_send(n, hop, (u8 *)h, len, m);
}

/* In pieces, first to last: each header overwrites the end of the piece before, which has gone. */
static int send_in_pieces(struct netif *n, const struct ip_hdr *whole, u8 *payload, u32 len)
{
	u32 off = 0;
	int r = 0;

	while (off < len && !r) {
		struct tx_meta m = { 0 };
		struct ip_hdr h = *whole, *at = (struct ip_hdr *)(payload + off) - 1;
		u16 field;
		u32 n_data = ip_frag_next(off, len, n->mtu, &field);

		h.len = be16((u16)(n_data + sizeof(h)));
		h.frag = be16(field);
		h.csum = 0;
		h.csum = (u16)~csum_fold(csum_add(&h, sizeof(h), 0));
		*at = h;
		NET_INC(IpFragCreates);
		r = link_send4(n, at, n_data + (u32)sizeof(h), &m);
		off += n_data;
	}
	return r;
}

int ip_output(struct ip_addr from, struct ip_addr to, u8 proto, u8 ttl, u8 tos, u8 *payload, u32 len, u16 csum_at, u16 gso_size,
	      u16 l4_hdr_len)
{
	struct ip_hdr *h = (struct ip_hdr *)payload - 1;
	u32 route_src, src = ip4_of(from), dst = ip4_of(to);
	struct tx_meta m = { 0 };
	struct netif *n;
	bool cut;

	if (!ip_is4(to))
		return ip6_output(from, to, proto, ttl, tos, payload, len, csum_at, gso_size, l4_hdr_len);
	n = route4(dst, &route_src);
	if (!n) {
		net_drop(NET_DROP_no_route);
		return -ENETUNREACH;
	}
	NET_INC(IpOutRequests);
	cut = proto != IPPROTO_TCP && len + sizeof(*h) > n->mtu;
	if (!dst)
		dst = net_lo.ip;
	if (!src)
		src = route_src;
	*h = (struct ip_hdr){ .vihl = 0x45, .tos = tos, .len = be16((u16)(len + sizeof(*h))), .id = be16(++ip_ids),
			      .frag = be16(0x4000), .ttl = ttl, .proto = proto, .src = src, .dst = dst };
	h->csum = (u16)~csum_fold(csum_add(h, sizeof(*h), 0));
	if (csum_at != 0xffff) {
		u64 pseudo = csum_pseudo(ip4_addr(src), ip4_addr(dst), proto, len);
		u16 v = 0;

		memcpy(payload + csum_at, &v, 2);
		if (n->csum_offload && !cut) {
			v = csum_fold(pseudo);
			m.csum_start = sizeof(*h);
			m.csum_offset = csum_at;
		} else {
			v = (u16)~csum_fold(csum_add(payload, len, pseudo));
			if (!v && proto == IPPROTO_UDP)
				v = 0xffff;
		}
		memcpy(payload + csum_at, &v, 2);
	}
	if (gso_size && len - l4_hdr_len > gso_size && n != &net_lo) {
		m.gso_size = gso_size;
		m.hdr_len = (u16)(sizeof(*h) + l4_hdr_len);
	}
	if (cut)
		return send_in_pieces(n, h, payload, len);
	if (len + sizeof(*h) > n->mtu && !m.gso_size)
		return -EMSGSIZE;
	return link_send4(n, h, len + (u32)sizeof(*h), &m);
}

/* Destination unreachable (RFC 792, 1122 3.2.2.1), for the protocol that sent what is quoted. */
static void icmp_unreachable(const u8 *p, u32 len)
{
	static const u8 errs[] = { ENETUNREACH, EHOSTUNREACH, ENOPROTOOPT, ECONNREFUSED, EMSGSIZE };
	int err = p[1] < sizeof(errs) ? errs[p[1]] : EHOSTUNREACH;
	struct ip_hdr in;
	u16 ports[2];
	u32 hlen;

	if (len < 8 + sizeof(in) + 8)
		return net_drop(NET_DROP_runt);
	memcpy(&in, p + 8, sizeof(in));
	hlen = (in.vihl & 15) * 4u;
	if (hlen < sizeof(in) || len < 8 + hlen + 8)
		return net_drop(NET_DROP_bad_header);
	memcpy(ports, p + 8 + hlen, 4);
	if (in.proto == IPPROTO_UDP)
		udp_icmp_error(ip4_addr(in.dst), be16(ports[0]), be16(ports[1]), p[1] == 3 ? ECONNREFUSED : EHOSTUNREACH);
	else if (in.proto == IPPROTO_TCP)
		tcp_icmp_error(ip4_addr(in.src), ip4_addr(in.dst), p + 8 + hlen, len - 8 - hlen, err, (u32)(p[6] << 8 | p[7]));
}

static void icmp_input(u32 src, u32 dst, const u8 *p, u32 len)
{
	struct icmp_hdr h;
	u8 *out = net_tx + NET_HEADROOM;

	NET_INC(IcmpInMsgs);
	if (len < sizeof(h))
		return net_drop(NET_DROP_runt);
	if (csum_fold(csum_add(p, len, 0)) != 0xffff)
		return net_drop(NET_DROP_csum);
	memcpy(&h, p, sizeof(h));
	if (h.type == 0)
		ping_input(ip4_addr(src), p, len);
	if (h.type == 3)
		icmp_unreachable(p, len);
	if (h.type != 8)
		return;
	NET_INC(IcmpInEchos);
	NET_INC(IcmpOutMsgs);
	NET_INC(IcmpOutEchoReps);
	memcpy(out, p, len);
	h.type = 0;
	h.csum = 0;
	memcpy(out, &h, sizeof(h));
	h.csum = (u16)~csum_fold(csum_add(out, len, 0));
	memcpy(out, &h, sizeof(h));
	(void)ip_output(ip4_addr(dst), ip4_addr(src), IPPROTO_ICMP, 64, 0, out, len, 0xffff, 0, 0);
}

void ip_input(struct netif *n, const u8 *p, u32 len, bool csum_ok)
{
	struct ip_hdr h;
	u32 hlen, total;
	bool bcast;

	NET_INC(IpInReceives);
	if (len && p[0] >> 4 == 6)
		return ip6_input(n, p, len, csum_ok);
	if (len < sizeof(h))
		return net_drop(NET_DROP_runt);
	memcpy(&h, p, sizeof(h));
	hlen = (h.vihl & 15) * 4u;
	total = be16(h.len);
	if (h.vihl >> 4 != 4 || hlen < 20 || total < hlen || total > len)
		return net_drop(NET_DROP_bad_header);
	if (csum_fold(csum_add(p, hlen, 0)) != 0xffff)
		return net_drop(NET_DROP_csum);
	bcast = n != &net_lo && (h.dst == 0xffffffff || h.dst == (n->ip | ~n->mask));
	if (!is_local4(h.dst) && !bcast)
		return net_drop(NET_DROP_not_ours);
	if (n != &net_lo && (h.src & net_lo.mask) == (net_lo.ip & net_lo.mask))
		return net_drop(NET_DROP_not_ours); /* spoofed loopback */
	if (h.frag & be16(0x3fff))
		return ip_frag_input(n, p, hlen, total);
	NET_INC(IpInDelivers);
	switch (h.proto) {
	case IPPROTO_TCP:
		return bcast ? net_drop(NET_DROP_not_ours) : tcp_input(n, ip4_addr(h.src), ip4_addr(h.dst), (u8 *)p + hlen, total - hlen, h.tos, csum_ok);
	case IPPROTO_UDP:
		return udp_input(n, ip4_addr(h.src), ip4_addr(h.dst), (u8 *)p + hlen, total - hlen, csum_ok);
	case IPPROTO_ICMP:
		return icmp_input(h.src, bcast ? n->ip : h.dst, p + hlen, total - hlen);
	default:
		return net_drop(NET_DROP_no_socket);
	}
}
