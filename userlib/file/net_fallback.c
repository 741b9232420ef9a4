/* SPDX-License-Identifier: MIT */
/* Weak defaults of net/ queries, so that a stack without them links: nothing to list. */
#include "net/net.h"

__attribute__((weak)) void net_sock_set_owner(struct sock *s, u32 uid, u64 inode)
{
	(void)s, (void)uid, (void)inode;
}

__attribute__((weak)) int net_sock_protocol(const struct sock *s)
{
	return net_sock_type(s) == 1 ? 6 : 17;
}

__attribute__((weak)) int net_routeinfo(unsigned n, struct net_routeinfo *out)
{
	(void)n, (void)out;
	return -ENOENT;
}

__attribute__((weak)) int net_neighinfo(unsigned n, struct net_neighinfo *out)
{
	(void)n, (void)out;
	return -ENOENT;
}
