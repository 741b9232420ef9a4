/* SPDX-License-Identifier: MIT */
/* What the stack tells about itself: routes and counters. Interfaces are in stack.c, sockets in sock.c, neighbours in ip.c. */
#include "net/stack.h"

u64 net_counter(enum net_counter n)
{
	return (u32)n < NET_COUNTER_COUNT ? load_relaxed(&net_stats[n]) : 0;
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

int net_addrinfo(unsigned n, struct net_addrinfo *out)
{
	int r = -ENOENT;

	net_lock_get();
	for (struct netif *i = &net_lo; r && i; i = i == &net_lo && net_eth.index ? &net_eth : NULL) {
		if (i->ip && n-- == 0) {
			*out = (struct net_addrinfo){ ip4_addr(i->ip), i->prefix_len, i->index };
			r = 0;
		}
		for (u32 k = 0; r && k < i->nr_addr6; k++)
			if (n-- == 0) {
				*out = (struct net_addrinfo){ i->addr6[k].ip, i->addr6[k].prefix_len, i->index };
				r = 0;
			}
	}
	net_lock_put();
	return r;
}

/* The main table, most specific first: what ip_route does. */
int net_routeinfo(unsigned n, struct net_routeinfo *out)
{
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
	if (n == 0) {
		*out = (struct net_routeinfo){ .v6 = true, .dst = IP6_LOOPBACK, .prefix_len = 128, .ifindex = net_lo.index };
		return 0;
	}
	return -ENOENT;
}
