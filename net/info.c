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

/* The main table, most specific first: what ip_route does. */
int net_routeinfo(unsigned n, struct net_routeinfo *out)
{
	if (net_eth.index && net_eth.ip && n-- == 0) {
		*out = (struct net_routeinfo){ .dst = net_eth.ip & net_eth.mask, .prefix_len = net_eth.prefix_len,
					       .prefsrc = net_eth.ip, .ifindex = net_eth.index };
		return 0;
	}
	if (net_eth.index && net_gateway && n == 0) {
		*out = (struct net_routeinfo){ .gateway = net_gateway, .prefsrc = net_eth.ip, .ifindex = net_eth.index };
		return 0;
	}
	return -ENOENT;
}
