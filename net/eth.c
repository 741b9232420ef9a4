/* SPDX-License-Identifier: MIT */
/* Ethernet frames in and out, and the addresses of groups (RFC 1112, RFC 2464). Resolution is neigh.c's. Under net_lock. */
#include "net/stack.h"
#include "userlib/base/string.h"

struct eth_hdr {
	u8 dst[6], src[6];
	u16 type;
} attr_packed;

int eth_out(struct netif *n, u8 *frame, u32 len, const struct tx_meta *m)
{
	int r;

	if (n->ops->own_lock)
		return n->ops->send(n, frame, len, m);
	spin_lock(&n->tx_lock);
	r = n->ops->send(n, frame, len, m);
	spin_unlock(&n->tx_lock);
	return r;
}

int eth_frame(struct netif *n, const u8 *dst, u16 type, u8 *l3, u32 len, const struct tx_meta *m)
{
	struct eth_hdr *e = (struct eth_hdr *)l3 - 1;
	struct tx_meta em = *m;

	memcpy(e->dst, dst, 6);
	memcpy(e->src, n->mac, 6);
	e->type = be16(type);
	if (em.csum_start)
		em.csum_start = (u16)(em.csum_start + sizeof(*e));
	if (em.hdr_len)
		em.hdr_len = (u16)(em.hdr_len + sizeof(*e));
	pcap_frame((u8 *)e, len + (u32)sizeof(*e), true);
	packet_tap(n, (u8 *)e, len + (u32)sizeof(*e), true);
	return eth_out(n, (u8 *)e, len + (u32)sizeof(*e), &em);
}

int eth_send(struct netif *n, struct ip_addr hop, u8 *l3, u32 len, const struct tx_meta *m)
{
	static const u8 all[6] = { 255, 255, 255, 255, 255, 255 };
	u16 type = ip_is4(hop) ? ETH_TYPE_IP : ETH_TYPE_IP6;

	if (ip_is_broadcast(hop))
		return eth_frame(n, all, type, l3, len, m);
	if (ip_is_multicast(hop)) {
		const u8 *g = hop.b;

		if (ip_is4(hop))
			return eth_frame(n, (u8[6]){ 1, 0, 0x5e, g[13] & 0x7f, g[14], g[15] }, type, l3, len, m);
		return eth_frame(n, (u8[6]){ 0x33, 0x33, g[12], g[13], g[14], g[15] }, type, l3, len, m);
	}
	return neigh_send(n, hop, l3, len, m);
}

bool eth_input_shared(struct netif *n, const u8 *f, u32 len, bool csum_ok)
{
	const struct eth_hdr *e = (const void *)f;

	if (len <= sizeof(*e) || memcmp(e->dst, n->mac, 6) || !memcmp(e->src, n->mac, 6))
		return false;
	if (e->type != be16(f[sizeof(*e)] >> 4 == 6 ? ETH_TYPE_IP6 : ETH_TYPE_IP))
		return false;
	return ip_input_shared(n, f + sizeof(*e), len - (u32)sizeof(*e), csum_ok);
}

void eth_input(struct netif *n, const u8 *f, u32 len, bool csum_ok)
{
	const struct eth_hdr *e = (const void *)f;

	if (len < sizeof(*e))
		return net_drop(NET_DROP_runt);
	pcap_frame(f, len, false);
	packet_tap(n, f, len, false);
	if (memcmp(e->dst, n->mac, 6) && !(e->dst[0] & 1))
		return net_drop(NET_DROP_not_ours);
	if (!memcmp(e->src, n->mac, 6))
		return net_drop(NET_DROP_not_ours); /* our own, or somebody posing as us */
	f += sizeof(*e);
	len -= (u32)sizeof(*e);
	switch (be16(e->type)) {
	case ETH_TYPE_IP:
	case ETH_TYPE_IP6:
		if (!len || (f[0] >> 4 == 6) != (e->type == be16(ETH_TYPE_IP6)))
			return net_drop(NET_DROP_bad_header);
		return ip_input(n, f, len, csum_ok);
	case ETH_TYPE_ARP:
		return arp_input(n, f, len);
	}
}
