/* SPDX-License-Identifier: MIT */
/* IPv6 (RFC 8200): header in and out, our addresses, routes and source selection (RFC 6724). Extension headers: ip6_ext.c. Under net_lock. */
#include "net/stack.h"
#include "userlib/base/string.h"
#include <linux/in.h>
#include <linux/in6.h>

static struct ifaddr6 *find_addr(struct netif *n, struct ip_addr ip)
{
	for (u32 i = 0; i < n->nr_addr6; i++)
		if (ip_eq(n->addr6[i].ip, ip))
			return &n->addr6[i];
	return NULL;
}

bool ip6_is_local(struct ip_addr ip)
{
	return find_addr(&net_lo, ip) || find_addr(&net_eth, ip);
}

static u32 scope_of(struct ip_addr a)
{
	if (a.b[0] == 0xff)
		return a.b[1] & 15;
	return ip_is_loopback(a) ? 1 : ip_is_link_local(a) ? 2 : 14;
}

static u32 common_bits(struct ip_addr a, struct ip_addr b)
{
	u32 n = 0;

	while (n < 128 && !((a.b[n / 8] ^ b.b[n / 8]) >> (7 - n % 8) & 1))
		n++;
	return n;
}

/* RFC 6724 5: rules 1, 2, 3, 6 (labels: ULA apart from global) and 8. NULL: no address at all. */
static const struct ifaddr6 *best_source(const struct netif *n, struct ip_addr dst)
{
	const struct ifaddr6 *best = NULL;
	u32 best_rank = 0;
	s64 now = clock_monotonic_ns();

	for (u32 i = 0; i < n->nr_addr6; i++) {
		const struct ifaddr6 *a = &n->addr6[i];
		u32 sa = scope_of(a->ip), sd = scope_of(dst), rank;
		bool ula = (a->ip.b[0] & 0xfe) == 0xfc, dst_ula = (dst.b[0] & 0xfe) == 0xfc;

		if (ip_eq(a->ip, dst))
			return a;
		/* the smallest scope that is large enough, else the largest */
		rank = (sa >= sd ? 32 - sa : sa) << 12 | (a->preferred_ns > now) << 10 | (ula == dst_ula) << 9 | common_bits(a->ip, dst);
		if (!best || rank > best_rank) {
			best = a;
			best_rank = rank;
		}
	}
	return best;
}

struct netif *ip6_route(struct netif *via, struct ip_addr dst, struct ip_addr *src, struct ip_addr *hop)
{
	const struct ifaddr6 *a;
	bool group = ip_is_multicast(dst);

	*hop = dst;
	if (ip_is_any6(dst) || (!group && ip6_is_local(dst)) || (group && (via == &net_lo || (dst.b[1] & 15) == 1))) {
		*src = ip_is_any6(dst) || group ? IP6_LOOPBACK : dst;
		return &net_lo;
	}
	if (!net_eth.index || via == &net_lo || ip_is_loopback(dst))
		return NULL;
	a = best_source(&net_eth, dst);
	if (!a)
		return NULL;
	*src = a->ip;
	if (group || ip_is_link_local(dst) || nd_on_link(dst) || nd_router(hop))
		return &net_eth;
	return NULL;
}

/* ---- out ---- */

static int link_send6(struct netif *n, struct ip_addr hop, u8 *p, u32 len, const struct ip_tx *t, struct tx_meta *m)
{
	if (n == &net_lo) {
		net_loop_queue(p, len, m);
		return 0;
	}
	if (ip_is_multicast(t->dst)) {
		if (t->loop)
			net_loop_queue_on(n, p, len, m);
		if (!t->ttl)
			return 0;
	}
	return eth_send(n, hop, p, len, m);
}

struct frag_hdr {
	u8 next, zero;
	u16 field;
	u32 id;
} attr_packed;

/* As in ip.c; `whole` is copied, for the first piece goes over it. */
static int send_in_pieces(struct netif *n, struct ip_addr hop, const struct ip6_hdr *first, const struct ip_tx *t, u8 *payload, u32 len, u32 mtu)
{
	struct ip6_hdr whole = *first;
	u32 off = 0, id = random_u32(), room = sizeof(struct ip6_hdr) + sizeof(struct frag_hdr);
	int r = 0;

	while (off < len && !r) {
		struct tx_meta m = { 0 };
		struct frag_hdr *f = (struct frag_hdr *)(payload + off) - 1;
		struct ip6_hdr *h = (struct ip6_hdr *)f - 1;
		u16 field;
		u32 n_data = ip_frag_next(off, len, mtu - room, &field);

		*h = whole;
		h->next = IPPROTO_FRAGMENT;
		h->len = be16((u16)(n_data + sizeof(*f)));
		*f = (struct frag_hdr){ whole.next, 0, be16((u16)((field & 0x1fff) << 3 | (field & 0x2000 ? 1 : 0))), id };
		NET_INC(Ip6FragCreates);
		r = link_send6(n, hop, (u8 *)h, n_data + room, t, &m);
		off += n_data;
	}
	return r;
}

int ip6_send(const struct ip_tx *t, u8 *payload, u32 len)
{
	u32 ext = t->router_alert ? 8 : 0, mtu, path;
	struct ip6_hdr *h = (struct ip6_hdr *)(payload - ext) - 1;
	struct ip_addr src, hop;
	struct netif *n = ip6_route(t->via, t->dst, &src, &hop);
	struct tx_meta m = { 0 };
	bool big;

	if (n == &net_eth && t->no_route && !ip_eq(hop, t->dst))
		n = NULL;
	if (!n) {
		net_drop(NET_DROP_no_route);
		return -ENETUNREACH;
	}
	path = t->pmtu >= 3 ? 0 : pmtu_get(t->dst);
	mtu = path ? MIN(path, n->mtu) : n->mtu;
	big = len + ext + sizeof(*h) > mtu && !(t->gso_size && n->tso6 && t->proto == IPPROTO_TCP);
	if (len + ext > 65535 || (big && (t->proto == IPPROTO_TCP || (t->pmtu >= 2 && t->pmtu != 5))))
		return -EMSGSIZE;
	NET_INC(Ip6OutRequests);
	if (!ip_is_any(t->src) || (t->proto == IPPROTO_ICMPV6 && t->router_alert))
		src = t->src;
	*h = (struct ip6_hdr){ .vtf = be32(6u << 28 | (u32)t->tos << 20 | (t->flow & 0xfffff)), .len = be16((u16)(len + ext)), .next = t->proto,
			       .hops = t->ttl, .src = src, .dst = t->dst };
	if (ext) { /* hop-by-hop: router alert, padding */
		h->next = IPPROTO_HOPOPTS;
		memcpy(h + 1, (u8[]){ t->proto, 0, 5, 2, 0, 0, 1, 0 }, 8);
	}
	ip_fill_csum(n, t, src, payload, len, (u32)sizeof(*h) + ext, big, &m);
	if (t->gso_size && len - t->l4_hdr_len > t->gso_size && n != &net_lo) {
		m.gso_size = t->gso_size;
		m.gso_v6 = true;
		m.hdr_len = (u16)(sizeof(*h) + t->l4_hdr_len);
	}
	if (big)
		return send_in_pieces(n, hop, h, t, payload, len, mtu);
	return link_send6(n, hop, (u8 *)h, len + ext + (u32)sizeof(*h), t, &m);
}

/* ---- in ---- */

/* Packets from the wire with addresses that cannot be there (RFC 4291 2.5.3, 2.7, 2.5.5.2). */
static bool is_spoofed(const struct netif *n, const struct ip6_hdr *h)
{
	if (ip_is_multicast(h->src))
		return true;
	if (n == &net_lo)
		return false;
	return ip_is_loopback(h->src) || ip_is_loopback(h->dst) || ip_is4(h->src) || ip_is4(h->dst) ||
	       (ip_is_multicast(h->dst) && (h->dst.b[1] & 15) <= 1);
}

/* Without extension headers, from one of our links to an address of ours. */
bool ip6_input_shared(struct netif *n, const u8 *p, u32 len, bool csum_ok)
{
	struct ip_rx rx = { .in = n, .hdr = p, .csum_ok = csum_ok, .hdr_len = sizeof(struct ip6_hdr) };
	struct ip6_hdr h;
	u32 data;

	if (len < sizeof(h))
		return false;
	memcpy(&h, p, sizeof(h));
	data = be16(h.len);
	if (data + sizeof(h) > len || is_spoofed(n, &h) || ip_is_multicast(h.dst) || ip_is_any(h.src))
		return false;
	if (n == &net_lo ? !ip6_is_local(h.dst) : !find_addr(n, h.dst))
		return false;
	rx.src = h.src;
	rx.dst = h.dst;
	rx.proto = h.next;
	rx.ttl = h.hops;
	rx.tos = (u8)(be32(h.vtf) >> 20);
	rx.flow = h.vtf & be32(0x0fffffff);
	if (!ip_deliver_shared(&rx, (u8 *)p + sizeof(h), data))
		return false;
	NET_INC(IpInReceives); /* as ip_input, which sees both families */
	NET_INC(Ip6InReceives);
	NET_INC(Ip6InDelivers);
	return true;
}

void ip6_input(struct netif *n, const u8 *p, u32 len, bool csum_ok)
{
	struct ip6_hdr h;
	u32 data;

	NET_INC(Ip6InReceives);
	if (len < sizeof(h))
		return net_drop(NET_DROP_runt);
	memcpy(&h, p, sizeof(h));
	data = be16(h.len);
	if (data + sizeof(h) > len) {
		NET_INC(Ip6InHdrErrors);
		return net_drop(NET_DROP_bad_header);
	}
	if (is_spoofed(n, &h))
		return net_drop(NET_DROP_not_ours);
	if (ip_is_multicast(h.dst) ? !mcast_is_member(n, h.dst) : n == &net_lo ? !ip6_is_local(h.dst) : !find_addr(n, h.dst))
		return net_drop(NET_DROP_not_ours);
	ip6_whole(n, (u8 *)p, data + (u32)sizeof(h), csum_ok, false);
}

void ip6_whole(struct netif *n, u8 *p, u32 len, bool csum_ok, bool reassembled)
{
	struct ip_rx rx = { .in = n, .hdr = p, .csum_ok = csum_ok };
	u32 off = sizeof(struct ip6_hdr);
	struct ip6_hdr h;
	u8 next;
	int r;

	memcpy(&h, p, sizeof(h));
	rx.src = h.src;
	rx.dst = h.dst;
	rx.ttl = h.hops;
	rx.tos = (u8)(be32(h.vtf) >> 20);
	rx.flow = h.vtf & be32(0x0fffffff);
	rx.multicast = ip_is_multicast(h.dst);
	next = h.next;
	r = ip6_skip_ext(p, len, &next, &off, rx.multicast, !reassembled);
	rx.hdr_len = off;
	rx.proto = next;
	if (r > 0) {
		rx.hdr_len = sizeof(h);
		return icmp_send_error(&rx, 4, (u8)(r - 1), off);
	}
	if (r)
		return;
	if (next == IPPROTO_FRAGMENT) {
		if (reassembled) /* a fragment inside a fragment */
			return net_drop(NET_DROP_fragment);
		return ip6_frag_input(n, p, off, len);
	}
	if (next == IPPROTO_NONE)
		return;
	NET_INC(Ip6InDelivers);
	if (!ip_deliver(&rx, p + off, len - off)) {
		net_drop(NET_DROP_no_socket);
		icmp_send_error(&rx, 4, 1, 6); /* unrecognized next header; the field is the header's, if no extension precedes */
	}
}
