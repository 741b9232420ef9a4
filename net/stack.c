/* SPDX-License-Identifier: MIT */
/* What a section in the stack does at its beginning and end, the loopback, interfaces, configuration and slow tick. */
#include "net/stack.h"
#include "net/tcp/tcp.h"
#include "userlib/base/log.h"
#include "userlib/base/mem.h"
#include "userlib/base/string.h"
#include <linux/if.h>

struct netif net_lo, net_eth;
u32 net_gateway;
struct ip_addr net_gateway6;
void (*net_change_hook)(u32 what);
static u32 changed; /* [a] */
struct list net_socks = LIST_INIT(net_socks);

/* A packet for ourselves (hop unset), or one for the wire that a reader may not send. */
struct loop_packet {
	struct list link;
	struct netif *in;
	struct ip_addr hop;
	struct tx_meta meta;
	u32 len;
	bool csum_ok, to_wire;
	u8 data[]; /* NET_HEADROOM first, if it is for the wire */
};
static struct timer tick;

#define TICK_NS NSEC_PER_SEC

void net_lock_get(void)
{
	net_writer_enter();
}

static u32 packet_room(const struct loop_packet *p)
{
	return (u32)sizeof(*p) + p->len + (p->to_wire ? NET_HEADROOM : 0);
}

static void count_loop(struct net_ctx *c, const struct loop_packet *p)
{
	if (p->in != &net_lo || p->to_wire)
		return;
	c->lo_rx_packets++;
	c->lo_rx_bytes += p->len;
}

static void tell_changes(void)
{
	u32 what;

	if (likely(!load_relaxed(&changed)))
		return;
	what = atomic_xchg(&changed, 0u);
	if (what && net_change_hook)
		net_change_hook(what);
}

/* Packets for ourselves are processed here, after the sender's own work: no recursion, however long the exchange. */
void net_lock_put(void)
{
	while (!list_empty(&net_writer.loop)) {
		struct loop_packet *p = list_first(&net_writer.loop, struct loop_packet, link);

		list_del(&p->link);
		count_loop(&net_writer, p);
		if (p->in == &net_lo)
			pcap_loop(p->data, p->len);
		if (p->to_wire)
			(void)eth_send(p->in, p->hop, p->data + NET_HEADROOM, p->len, &p->meta);
		else
			ip_input(p->in, p->data, p->len, p->csum_ok);
		kmem_free(p, packet_room(p));
	}
	net_writer_leave();
	tell_changes();
}

/* Who looks at every packet, or may find one in any of many places, wants it alone. */
static bool all_alone(void)
{
	return net_pcap_on || net_packet_socks || net_raw_socks;
}

void net_read_get(void)
{
	net_reader_enter();
	if (likely(!all_alone()))
		return;
	net_reader_leave();
	net_lock_get();
}

void net_read_put(void)
{
	struct net_ctx *c = net_ctx();
	struct list rest = LIST_INIT(rest);

	if (c == &net_writer)
		return net_lock_put();
	while (!list_empty(&c->loop)) {
		struct loop_packet *p = list_first(&c->loop, struct loop_packet, link);

		if (p->to_wire || !ip_input_shared(p->in, p->data, p->len, p->csum_ok))
			break;
		list_del(&p->link);
		count_loop(c, p);
		kmem_free(p, packet_room(p));
	}
	list_splice_tail(&rest, &c->loop);
	net_reader_leave();
	if (!list_empty(&rest)) {
		net_lock_get();
		list_splice_tail(&net_writer.loop, &rest);
		return net_lock_put();
	}
	tell_changes();
}

void net_sock_lock(struct sock *s)
{
	net_read_get();
	spin_lock(&s->lock);
}

void net_sock_unlock(struct sock *s)
{
	spin_unlock(&s->lock);
	net_read_put();
}

void net_section_enter(enum net_section *in)
{
	if (*in != NET_OUTSIDE)
		return;
	net_read_get();
	*in = net_is_reader() ? NET_READING : NET_WRITING;
}

void net_section_leave(enum net_section *in)
{
	if (*in == NET_READING)
		net_read_put();
	else if (*in == NET_WRITING)
		net_lock_put();
	*in = NET_OUTSIDE;
}

void net_frame_in(struct netif *n, const u8 *frame, u32 len, bool csum_ok, enum net_section *in)
{
	net_section_enter(in);
	if (*in == NET_READING) {
		if (eth_input_shared(n, frame, len, csum_ok))
			return;
		net_section_leave(in);
		net_lock_get();
		*in = NET_WRITING;
	}
	eth_input(n, frame, len, csum_ok);
	net_section_leave(in); /* what follows may be for readers again */
}

void net_changed(u32 what)
{
	if ((load_relaxed(&changed) & what) != what)
		(void)atomic_fetch_or(&changed, what);
}

static struct loop_packet *loop_put(struct netif *in, const u8 *ip_packet, u32 len, bool csum_ok, bool to_wire)
{
	u32 head = to_wire ? NET_HEADROOM : 0;
	struct loop_packet *p = kmem_alloc(sizeof(*p) + head + len);

	if (!p) {
		net_drop(NET_DROP_no_memory);
		return NULL;
	}
	p->in = in;
	p->csum_ok = csum_ok;
	p->to_wire = to_wire;
	p->len = len;
	memcpy(p->data + head, ip_packet, len);
	list_add_tail(&net_ctx()->loop, &p->link);
	return p;
}

void net_loop_queue(const u8 *ip_packet, u32 len, const struct tx_meta *m)
{
	net_ctx()->lo_tx_packets++;
	net_ctx()->lo_tx_bytes += len;
	(void)loop_put(&net_lo, ip_packet, len, m->csum_start != 0, false);
}

void net_loop_queue_on(struct netif *n, const u8 *ip_packet, u32 len, const struct tx_meta *m)
{
	(void)loop_put(n, ip_packet, len, m->csum_start != 0, false);
}

int net_defer_send(struct netif *n, struct ip_addr hop, const u8 *ip_packet, u32 len, const struct tx_meta *m)
{
	struct loop_packet *p = loop_put(n, ip_packet, len, false, true);

	if (!p)
		return -ENOBUFS;
	p->hop = hop;
	p->meta = *m;
	return 0;
}

static void slow_tick(struct timer *t)
{
	s64 now = clock_monotonic_ns();

	net_lock_get();
	if (net_dead_sweep(now))
		timer_start(&tick, now + 2 * TICK_NS);
	net_lock_put();
	(void)t;
}

/* Armed when something was buried, so an idle stack has no timer. */
void sock_bury(struct sock *s)
{
	list_del(&s->hash_link);
	list_del(&s->all_link);
	s->dead = true;
	s->dead_since = clock_monotonic_ns();
	list_add_tail(&net_socks, &s->all_link);
	if (!timer_is_armed(&tick))
		timer_start(&tick, s->dead_since + 2 * TICK_NS);
}

void net_init(void)
{
	timer_init(&tick, slow_tick);
	net_lo = (struct netif){ .name = "lo", .index = 1, .flags = IFF_UP | IFF_LOOPBACK | IFF_RUNNING, .mtu = 65536,
				 .ip = be32(0x7f000001), .prefix_len = 8, .mask = be32(0xff000000),
				 .addr6 = { { .ip = IP6_LOOPBACK, .prefix_len = 128, .valid_ns = TIME_FOREVER, .preferred_ns = TIME_FOREVER } },
				 .nr_addr6 = 1, .csum_offload = true, .tso = true, .tso6 = true };
}

int net_configure(const struct net_config *c)
{
	struct netif *n = &net_eth;
	int r;

	if (c->tap_fd < 0 && c->port_ctl_fd < 0 && !c->is_xdp)
		return 0;
	*n = (struct netif){ .name = "eth0", .index = 2, .mtu = c->mtu ? c->mtu : 1500,
			     .flags = IFF_UP | IFF_RUNNING | IFF_BROADCAST | IFF_MULTICAST,
			     .ip = c->ip, .prefix_len = c->prefix_len };
	n->mask = c->prefix_len ? be32(~0u << (32 - c->prefix_len)) : 0;
	memcpy(n->mac, c->mac, 6);
	net_gateway = c->gateway;
	net_gateway6 = c->gateway6;
	if (!ip_is_any(c->ip6))
		n->addr6[n->nr_addr6++] = (struct ifaddr6){ .ip = c->ip6, .prefix_len = c->prefix_len6 };
	r = c->port_ctl_fd >= 0 ? nic_port_attach(n, c) : c->is_xdp ? nic_xdp_attach(n, c) : c->is_stream ? nic_stream_attach(n, c) : nic_tap_attach(n, c);
	if (r)
		return r;
	net_lock_get();
	pcap_start(c->pcap_fd);
	if (!c->is_quiet) {
		arp_announce(n);
		nd_start(n, ip_is_any(c->ip6));
	}
	net_lock_put();
	return 0;
}

struct netif *netif_by_index(int index)
{
	return index == net_lo.index ? &net_lo : index && index == net_eth.index ? &net_eth : NULL;
}

void net_link_down(struct netif *n)
{
	struct sock *s, *next;

	n->flags &= ~(u32)IFF_RUNNING;
	neigh_flush(n);
	net_changed(NET_CHANGE_LINK);
	list_for_each_safe(s, next, &net_socks, all_link)
		if (!s->dead && s->tcp && s->tcp->state != TCP_CLOSED && s->tcp->state != TCP_LISTEN && !ip_is_local(s->rip))
			tcp_abort(s->tcp, ENETDOWN);
}

int net_ifinfo(int index, struct net_ifinfo *out)
{
	struct netif *n = netif_by_index(index);

	if (!n)
		return -ENODEV;
	memset(out, 0, sizeof(*out));
	memcpy(out->name, n->name, sizeof(out->name));
	out->nic = n->ops ? n->ops->name : "loopback";
	out->index = n->index;
	out->flags = n->flags;
	out->mtu = n->mtu;
	memcpy(out->mac, n->mac, 6);
	out->ip = n->ip;
	out->prefix_len = n->prefix_len;
	out->gateway = n == &net_eth ? net_gateway : 0;
	out->rx_packets = n->rx_packets;
	out->rx_bytes = n->rx_bytes;
	out->rx_dropped = n->rx_dropped;
	out->tx_packets = n->tx_packets;
	out->tx_bytes = n->tx_bytes;
	out->tx_dropped = n->tx_dropped;
	if (n == &net_lo) {
		out->rx_packets = net_ctx_sum(offsetof(struct net_ctx, lo_rx_packets));
		out->rx_bytes = net_ctx_sum(offsetof(struct net_ctx, lo_rx_bytes));
		out->tx_packets = net_ctx_sum(offsetof(struct net_ctx, lo_tx_packets));
		out->tx_bytes = net_ctx_sum(offsetof(struct net_ctx, lo_tx_bytes));
	}
	return 0;
}
