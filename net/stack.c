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
u8 net_tx[NET_FRAME_MAX];
struct list net_socks = LIST_INIT(net_socks);

struct loop_packet {
	struct list link;
	u32 len;
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
	while (!list_empty(&loop_queue)) {
		struct loop_packet *p = list_first(&loop_queue, struct loop_packet, link);

		list_del(&p->link);
		net_lo.rx_packets++;
		net_lo.rx_bytes += p->len;
		ip_input(&net_lo, p->data, p->len, true);
		kmem_free(p, sizeof(*p) + p->len);
	}
	spin_unlock(&net_lock);
}

void net_loop_queue(const u8 *ip_packet, u32 len)
{
	struct loop_packet *p = kmem_alloc(sizeof(*p) + len);

	if (!p) {
		net_drop(NET_DROP_no_memory);
		return;
	}
	p->len = len;
	memcpy(p->data, ip_packet, len);
	net_lo.tx_packets++;
	net_lo.tx_bytes += len;
	list_add_tail(&loop_queue, &p->link);
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
				 .addr6 = { { IP6_LOOPBACK, 128 } }, .nr_addr6 = 1, .csum_offload = true, .tso = true };
}

int net_configure(const struct net_config *c)
{
	struct netif *n = &net_eth;

	if (c->tap_fd < 0 && c->port_ctl_fd < 0)
		return 0;
	*n = (struct netif){ .name = "eth0", .index = 2, .mtu = c->mtu ? c->mtu : 1500,
			     .flags = IFF_UP | IFF_RUNNING | IFF_BROADCAST | IFF_MULTICAST,
			     .ip = c->ip, .prefix_len = c->prefix_len };
	n->mask = c->prefix_len ? be32(~0u << (32 - c->prefix_len)) : 0;
	memcpy(n->mac, c->mac, 6);
	net_gateway = c->gateway;
	return c->port_ctl_fd >= 0 ? nic_port_attach(n, c) : nic_tap_attach(n, c);
}

void net_link_down(struct netif *n)
{
	struct sock *s, *next;

	n->flags &= ~(u32)IFF_RUNNING;
	list_for_each_safe(s, next, &net_socks, all_link)
		if (!s->dead && s->tcp && s->tcp->state != TCP_CLOSED && s->tcp->state != TCP_LISTEN && !ip_is_local(s->rip))
			tcp_abort(s->tcp, ENETDOWN);
}

int net_ifinfo(int index, struct net_ifinfo *out)
{
	struct netif *n = index == 1 ? &net_lo : index == 2 && net_eth.index ? &net_eth : NULL;

	if (!n)
		return -ENODEV;
	memset(out, 0, sizeof(*out));
	memcpy(out->name, n->name, sizeof(out->name));
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
