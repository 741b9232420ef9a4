/* SPDX-License-Identifier: MIT */
/* IPv6 (RFC 8200): header in and out, our addresses, routes. So far on the loopback interface. Under net_lock. */
#include "net/stack.h"
#include "userlib/base/string.h"
#include <linux/in.h>

struct ip6_hdr {
	u32 vtf; /* version, traffic class, flow label */
	u16 len;
	u8 next, hops;
	struct ip_addr src, dst;
} attr_packed;

bool ip6_is_local(struct ip_addr ip)
{
	for (u32 i = 0; i < net_lo.nr_addr6; i++)
		if (ip_eq(net_lo.addr6[i].ip, ip))
			return true;
	for (u32 i = 0; i < net_eth.nr_addr6; i++)
		if (ip_eq(net_eth.addr6[i].ip, ip))
			return true;
	return false;
}

struct netif *ip6_route(struct ip_addr dst, struct ip_addr *src)
{
	*src = ip_is_any6(dst) ? IP6_LOOPBACK : dst;
	return ip_is_any6(dst) || ip6_is_local(dst) ? &net_lo : NULL;
}

int ip6_output(struct ip_addr src, struct ip_addr dst, u8 proto, u8 hops, u8 tclass, u8 *payload, u32 len, u16 csum_at, u16 gso_size,
	       u16 l4_hdr_len)
{
	struct ip6_hdr *h = (struct ip6_hdr *)payload - 1;
	struct ip_addr route_src;
	struct netif *n = ip6_route(dst, &route_src);
	u16 v = 0;

	(void)gso_size, (void)l4_hdr_len;
	if (!n) {
		net_drop(NET_DROP_no_route);
		return -ENETUNREACH;
	}
	NET_INC(IpOutRequests);
	if (ip_is_any(src))
		src = route_src;
	if (len + sizeof(*h) > n->mtu)
		return -EMSGSIZE;
	*h = (struct ip6_hdr){ .vtf = be32(6u << 28 | (u32)tclass << 20), .len = be16((u16)len), .next = proto, .hops = hops,
			       .src = src, .dst = dst };
	if (csum_at != 0xffff) {
		memcpy(payload + csum_at, &v, 2);
		if (!n->csum_offload) {
			v = (u16)~csum_fold(csum_add(payload, len, csum_pseudo(src, dst, proto, len)));
			if (!v && proto == IPPROTO_UDP)
				v = 0xffff;
			memcpy(payload + csum_at, &v, 2);
		}
	}
	net_loop_queue((u8 *)h, len + (u32)sizeof(*h));
	return 0;
}

void ip6_input(struct netif *n, const u8 *p, u32 len, bool csum_ok)
{
	struct ip6_hdr h;
	u32 data;

	if (len < sizeof(h))
		return net_drop(NET_DROP_runt);
	memcpy(&h, p, sizeof(h));
	data = be16(h.len);
	if (data + sizeof(h) > len)
		return net_drop(NET_DROP_bad_header);
	if (!ip6_is_local(h.dst) || (n != &net_lo && (ip_is_loopback(h.src) || ip_is4(h.src))))
		return net_drop(NET_DROP_not_ours);
	NET_INC(IpInDelivers);
	p += sizeof(h);
	switch (h.next) {
	case IPPROTO_TCP:
		return tcp_input(n, h.src, h.dst, (u8 *)p, data, (u8)(be32(h.vtf) >> 20), csum_ok);
	case IPPROTO_UDP:
		return udp_input(n, h.src, h.dst, (u8 *)p, data, csum_ok);
	default:
		return net_drop(NET_DROP_no_socket);
	}
}
