/* SPDX-License-Identifier: MIT */
/*
 * AF_PACKET (packet(7)): frames of the instance's own Ethernet interface, both ways, raw or without the link header; SO_ATTACH_FILTER.
 * No shared rings (PACKET_RX_RING), fan-out or time stamps of hardware: refused. The loopback interface has no frames here: it may be
 * bound and stays silent. Under net_lock.
 */
#include "net/stack.h"
#include "userlib/base/mem.h"
#include "userlib/base/string.h"
#include <linux/if_ether.h>
#include <linux/if_packet.h>

u32 net_raw_socks, net_packet_socks;

static bool takes(const struct sock *s, const struct netif *n, u16 proto, bool out)
{
	if (s->dead || s->family != 17 || (s->bound_if && s->bound_if != n->index))
		return false;
	if (out && s->ll_proto != ETH_P_ALL)
		return false; /* as on Linux: what leaves is seen by those who want all */
	return s->ll_proto == ETH_P_ALL || s->ll_proto == proto;
}

static u8 type_of(const struct netif *n, const u8 *f, bool out)
{
	static const u8 all[6] = { 255, 255, 255, 255, 255, 255 };

	if (out)
		return PACKET_OUTGOING;
	return !memcmp(f, all, 6) ? PACKET_BROADCAST : f[0] & 1 ? PACKET_MULTICAST : memcmp(f, n->mac, 6) ? PACKET_OTHERHOST : PACKET_HOST;
}

void packet_tap(struct netif *n, const u8 *f, u32 len, bool out)
{
	u16 proto = (u16)(f[12] << 8 | f[13]);
	struct sock *s;

	if (!net_packet_socks)
		return;
	list_for_each(s, &net_socks, all_link) {
		u32 cut = s->type == 3 ? 0 : ETH_HLEN, keep = len - cut;
		struct dgram *d;

		if (!takes(s, n, proto, out))
			continue;
		if (s->filter)
			keep = MIN(filter_run(s->filter, f + cut, len - cut, len - cut, proto, type_of(n, f, out), n->index), keep);
		if (!keep)
			continue;
		s->ll_seen++;
		d = s->dgram_bytes + keep + sizeof(*d) > s->rcvbuf && s->dgram_bytes ? NULL : kmem_alloc(sizeof(*d) + keep);
		if (!d) {
			s->ll_drops++;
			net_drop(NET_DROP_rcvbuf);
			continue;
		}
		*d = (struct dgram){ .ifindex = n->index, .ll_proto = be16(proto), .ll_type = type_of(n, f, out), .full_len = len - cut, .len = keep };
		if (s->rx_opts & (RX_STAMP | RX_STAMPNS))
			d->stamp_ns = clock_realtime_ns();
		memcpy(d->ll_addr, f + 6, 6);
		memcpy(d->data, f + cut, keep);
		list_add_tail(&s->dgrams, &d->link);
		s->dgram_bytes += keep + (u32)sizeof(*d);
		sock_wake(s, EPOLLIN);
	}
}

static int get_ll(const struct net_addr *a, struct sockaddr_ll *ll)
{
	if (a->len < sizeof(*ll))
		return -EINVAL;
	memcpy(ll, a->bytes, sizeof(*ll));
	return 0;
}

int packet_bind(struct sock *s, const struct net_addr *a)
{
	struct sockaddr_ll ll;
	int r = get_ll(a, &ll);

	if (r || ll.sll_family != 17)
		return -EINVAL;
	if (ll.sll_ifindex && !netif_by_index(ll.sll_ifindex))
		return -ENODEV;
	net_lock_get();
	s->bound_if = ll.sll_ifindex;
	if (ll.sll_protocol)
		s->ll_proto = be16(ll.sll_protocol);
	s->bound = true;
	net_lock_put();
	return 0;
}

static void put_ll(const struct netif *n, struct net_addr *out, u16 proto, u8 type, const u8 *addr)
{
	struct sockaddr_ll ll = { .sll_family = 17, .sll_protocol = proto, .sll_ifindex = n ? n->index : 0, .sll_hatype = n == &net_lo ? 772 : n ? 1 : 0,
				  .sll_pkttype = type, .sll_halen = n ? 6 : 0 };

	if (addr)
		memcpy(ll.sll_addr, addr, 6);
	memset(out, 0, sizeof(*out));
	memcpy(out->bytes, &ll, sizeof(ll));
	out->len = addr ? sizeof(ll) : offsetof(struct sockaddr_ll, sll_addr);
}

void packet_name(const struct sock *s, struct net_addr *out)
{
	const struct netif *n = netif_by_index(s->bound_if);

	put_ll(n, out, be16(s->ll_proto), 0, n ? n->mac : NULL);
}

void packet_from(const struct sock *s, const struct dgram *d, struct net_addr *from)
{
	(void)s;
	put_ll(netif_by_index(d->ifindex), from, d->ll_proto, d->ll_type, d->ll_addr);
}

/* Addresses that only packets which were routed here may have: not what comes ready-made. */
static bool has_loopback4(const u8 *p, u32 len)
{
	return len >= 20 && p[0] >> 4 == 4 && (p[12] == 127 || p[16] == 127);
}

ssize packet_send(struct sock *s, struct iov_iter *it, const struct net_addr *to)
{
	struct sockaddr_ll ll = { .sll_ifindex = s->bound_if, .sll_protocol = be16(s->ll_proto) };
	u8 *p = net_tx + NET_HEADROOM;
	u32 len = (u32)it->count;
	struct tx_meta m = { 0 };
	struct netif *n;
	int r = to && to->len ? get_ll(to, &ll) : 0;

	/* The family is not looked at, as on Linux. */
	if (r)
		return r;
	n = netif_by_index(ll.sll_ifindex);
	if (!n)
		return -ENXIO;
	if (it->count > n->mtu + (s->type == 3 ? ETH_HLEN : 0))
		return -EMSGSIZE;
	if (s->type == 3 && len < ETH_HLEN)
		return -EINVAL;
	if (len && iter_copy_from(it, p, len) != (ssize)len)
		return -EFAULT;
	if (!n->ops) { /* the loopback: what is IP is heard */
		u32 off = s->type == 3 ? ETH_HLEN : 0;

		if (len > off && has_loopback4(p + off, len - off))
			net_drop(NET_DROP_spoofed);
		else if (len > off)
			net_loop_queue(p + off, len - off, &m);
		return (ssize)len;
	}
	if (s->type != 3) {
		r = eth_frame(n, ll.sll_addr, be16(ll.sll_protocol), p, len, &m);
		return r < 0 ? r : (ssize)len;
	}
	packet_tap(n, p, len, true);
	pcap_frame(p, len, true);
	r = eth_out(n, p, len, &m);
	return r < 0 ? r : (ssize)len;
}

int packet_setopt(struct sock *s, int name, const void *val, u32 len)
{
	struct packet_mreq mr;
	int v = 0;

	if (name == PACKET_ADD_MEMBERSHIP || name == PACKET_DROP_MEMBERSHIP) { /* promiscuous: everything that reaches us is seen anyway */
		if (len < sizeof(mr))
			return -EINVAL;
		memcpy(&mr, val, sizeof(mr));
		return netif_by_index(mr.mr_ifindex) ? 0 : -ENODEV;
	}
	if (len < 4)
		return -EINVAL;
	memcpy(&v, val, 4);
	if (name != PACKET_AUXDATA)
		return -ENOPROTOOPT;
	s->rx_opts = (s->rx_opts & ~RX_AUXDATA) | (v ? RX_AUXDATA : 0);
	return 0;
}

int packet_getopt(struct sock *s, int name, void *val, u32 *len)
{
	struct tpacket_stats st = { s->ll_seen, s->ll_drops };
	int v = !!(s->rx_opts & RX_AUXDATA);

	if (name == PACKET_STATISTICS) {
		*len = MIN(*len, (u32)sizeof(st));
		memcpy(val, &st, *len);
		s->ll_seen = s->ll_drops = 0; /* reading starts over */
		return 0;
	}
	if (name != PACKET_AUXDATA)
		return -ENOPROTOOPT;
	*len = MIN(*len, 4u);
	memcpy(val, &v, *len);
	return 0;
}
