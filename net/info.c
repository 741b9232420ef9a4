/* SPDX-License-Identifier: MIT */
/* What the stack tells about itself: routes, sockets and counters. Interfaces are in stack.c, neighbours in ip.c. */
#include "net/stack.h"
#include "net/tcp/tcp.h"
#include <linux/tcp.h>

u64 net_counter(enum net_counter n)
{
	return (u32)n < NET_COUNTER_COUNT ? net_ctx_sum(offsetof(struct net_ctx, stats) + (u32)n * sizeof(u64)) : 0;
}

const char *net_counter_name(enum net_counter n)
{
	static const char *const names[] = {
#define X(name) #name,
		NET_COUNTERS(X)
#undef X
	};

	return (u32)n < NET_COUNTER_COUNT ? names[n] : NULL;
}

static s64 seconds_left(s64 until)
{
	return until == TIME_FOREVER ? -1 : MAX((until - clock_monotonic_ns()) / NSEC_PER_SEC, 0);
}

int net_addrinfo(unsigned n, struct net_addrinfo *out)
{
	int r = -ENOENT;

	net_lock_get();
	for (struct netif *i = &net_lo; r && i; i = i == &net_lo && net_eth.index ? &net_eth : NULL) {
		if (i->ip && n-- == 0) {
			*out = (struct net_addrinfo){ .ip = ip4_addr(i->ip), .prefix_len = i->prefix_len, .ifindex = i->index,
						      .valid_s = -1, .preferred_s = -1 };
			r = 0;
		}
		for (u32 k = 0; r && k < i->nr_addr6; k++) {
			const struct ifaddr6 *a = &i->addr6[k];

			if (n--)
				continue;
			*out = (struct net_addrinfo){ .ip = a->ip, .prefix_len = a->prefix_len, .ifindex = i->index, .optimistic = a->optimistic,
						      .autoconf = a->autoconf, .valid_s = seconds_left(a->valid_ns),
						      .preferred_s = seconds_left(a->preferred_ns) };
			r = 0;
		}
	}
	net_lock_put();
	return r;
}

/* [net_lock] IPv6's: the loopback, the link's own prefix, then what nd.c knows. */
static int route6(unsigned n, struct net_routeinfo *out)
{
	*out = (struct net_routeinfo){ .v6 = true, .dst = IP6_LOOPBACK, .prefix_len = 128, .ifindex = net_lo.index };
	if (!n--)
		return 0;
	if (!net_eth.index || !net_eth.nr_addr6)
		return -ENOENT;
	out->ifindex = net_eth.index;
	out->dst = (struct ip_addr){ .b = { 0xfe, 0x80 } };
	out->prefix_len = 64;
	if (!n--)
		return 0;
	return nd_route(n, &out->dst, &out->prefix_len, &out->gateway);
}

/* The main table, most specific first: what ip_route does. */
int net_routeinfo(unsigned n, struct net_routeinfo *out)
{
	int r;

	if (net_eth.index && net_eth.ip && n-- == 0) {
		*out = (struct net_routeinfo){ .dst = ip4_addr(net_eth.ip & net_eth.mask), .prefix_len = net_eth.prefix_len,
					       .gateway = IP4_ANY, .prefsrc = ip4_addr(net_eth.ip), .ifindex = net_eth.index };
		return 0;
	}
	if (net_eth.index && net_gateway && n-- == 0) {
		*out = (struct net_routeinfo){ .dst = IP4_ANY, .gateway = ip4_addr(net_gateway), .prefsrc = ip4_addr(net_eth.ip),
					       .ifindex = net_eth.index };
		return 0;
	}
	net_lock_get();
	r = route6(n, out);
	net_lock_put();
	return r;
}

int net_route_get(struct ip_addr dst, struct net_routeinfo *out)
{
	struct ip_addr src, hop = dst;
	struct netif *n;

	net_lock_get();
	n = ip_route(dst, &src);
	if (n && !ip_is4(dst))
		(void)ip6_route(NULL, dst, &src, &hop);
	else if (n == &net_eth && ((ip4_of(dst) ^ net_eth.ip) & net_eth.mask) && !ip_is_multicast(dst))
		hop = ip4_addr(net_gateway);
	net_lock_put();
	if (!n)
		return -ENETUNREACH;
	*out = (struct net_routeinfo){ .v6 = !ip_is4(dst), .dst = dst, .prefix_len = ip_is4(dst) ? 32 : 128, .prefsrc = src, .ifindex = n->index,
				       .gateway = ip_eq(hop, dst) ? (ip_is4(dst) ? IP4_ANY : IP6_ANY) : hop };
	return 0;
}

/* Linux's numbers for /proc/net/tcp. */
static int linux_state(const struct sock *s)
{
	static const u8 map[] = { 7, 10, 2, 3, 1, 4, 5, 8, 11, 9, 6 };

	return s->tcp ? map[s->tcp->state] : s->connected ? 1 : 7;
}

/* [net_lock] */
static struct net_sockinfo sockinfo_of(const struct sock *s)
{
	int state = linux_state(s);
	bool listens = s->tcp && s->tcp->state == TCP_LISTEN;
	bool has_fin = s->tcp && (1u << state & (1u << 6 | 1u << 8 | 1u << 9 | 1u << 11)); /* the peer's FIN has come */

	return (struct net_sockinfo){ .protocol = s->protocol, .family = s->family, .state = state,
				      .lip = s->lip, .rip = s->rip, .lport = s->lport, .rport = s->rport,
				      .rx_queue = listens ? s->tcp->nr_accept : s->tcp ? s->tcp->rcv.len : s->dgram_bytes,
				      .tx_queue = listens ? s->tcp->backlog - !!s->tcp->backlog : s->tcp ? s->tcp->snd.len : 0,
				      .uid = s->uid, .inode = s->inode, .rcvbuf = s->rcvbuf, .sndbuf = s->sndbuf, .drops = s->dgram_drops,
				      .tos = s->family == 10 /* AF_INET6 */ ? s->tclass : s->tos, .shut = s->shut | has_fin, .v6only = s->v6only,
				      .congestion = s->tcp && s->tcp->cc ? s->tcp->cc->name : NULL };
}

int net_sockinfo(unsigned n, int protocol, struct net_sockinfo *out)
{
	struct sock *s;
	int r = -ENOENT;

	net_lock_get();
	list_for_each(s, &net_socks, all_link) {
		if (s->dead || s->protocol != protocol || !s->lport || n--)
			continue;
		*out = sockinfo_of(s);
		r = 0;
		break;
	}
	net_lock_put();
	return r;
}

u64 net_unsent(void)
{
	u64 n;

	net_lock_get();
	n = tcp_unsent() + neigh_waiting();
	net_lock_put();
	return n;
}

void net_sock_each(int protocol, void (*fn)(const struct net_sockinfo *si, const struct tcp_info *ti, void *arg), void *arg)
{
	struct net_sockinfo si;
	struct tcp_info ti;
	struct sock *s;

	net_lock_get();
	list_for_each(s, &net_socks, all_link) {
		if (s->dead || s->protocol != protocol || !s->lport)
			continue;
		si = sockinfo_of(s);
		if (s->tcp)
			tcp_info_fill(s->tcp, &ti);
		fn(&si, s->tcp ? &ti : NULL, arg);
	}
	net_lock_put();
}
