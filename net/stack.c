/* SPDX-License-Identifier: MIT */
/* The stack's lock, its loopback queue, interfaces, configuration and slow tick. */
#include "net/stack.h"
#include "net/tcp/tcp.h"
#include "userlib/base/log.h"
#include "userlib/base/mem.h"
#include "userlib/base/string.h"
#include <linux/if.h>

struct spinlock net_lock;
u64 net_stats[NET_COUNTER_COUNT];
struct netif net_lo, net_eth;
u32 net_gateway;
struct ip_addr net_gateway6;
void (*net_change_hook)(u32 what);
static u32 changed; /* [net_lock] */
u8 net_tx[NET_FRAME_MAX];
struct list net_socks = LIST_INIT(net_socks);

struct loop_packet {
	struct list link;
	struct netif *in;
	u32 len;
	bool csum_ok;
	u8 data[];
};
static struct list loop_queue = LIST_INIT(loop_queue); /* [net_lock] */
static struct timer tick;

#define TICK_NS NSEC_PER_SEC

void net_lock_get(void)
{
	spin_lock(&net_lock);
}

/* Packets for ourselves are processed here, after the sender's own work: no recursion, however long the exchange. */
void net_lock_put(void)
{
	u32 what;

	while (!list_empty(&loop_queue)) {
		struct loop_packet *p = list_first(&loop_queue, struct loop_packet, link);

		list_del(&p->link);
		p->in->rx_packets += p->in == &net_lo;
		p->in->rx_bytes += p->in == &net_lo ? p->len : 0;
		if (p->in == &net_lo)
			pcap_loop(p->data, p->len);
		ip_input(p->in, p->data, p->len, p->csum_ok);
		kmem_free(p, sizeof(*p) + p->len);
	}
	what = changed;
	changed = 0;
	spin_unlock(&net_lock);
	if (what && net_change_hook)
		net_change_hook(what);
}

void net_changed(u32 what)
{
	changed |= what;
}

static void loop_put(struct netif *in, const u8 *ip_packet, u32 len, bool csum_ok)
{
	struct loop_packet *p = kmem_alloc(sizeof(*p) + len);

	if (!p) {
		net_drop(NET_DROP_no_memory);
		return;
	}
	p->in = in;
	p->csum_ok = csum_ok;
	p->len = len;
	memcpy(p->data, ip_packet, len);
	list_add_tail(&loop_queue, &p->link);
}

void net_loop_queue(const u8 *ip_packet, u32 len, const struct tx_meta *m)
{
	net_lo.tx_packets++;
	net_lo.tx_bytes += len;
	loop_put(&net_lo, ip_packet, len, m->csum_start != 0);
}

void net_loop_queue_on(struct netif *n, const u8 *ip_packet, u32 len, const struct tx_meta *m)
{
	loop_put(n, ip_packet, len, m->csum_start != 0);
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
	return 0;
}
