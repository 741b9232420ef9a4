/* SPDX-License-Identifier: MIT */
/* Connecting, sending and receiving of everything that is not a stream: UDP, ping, raw and packet sockets. Streams are handed to tcp/. */
#include "net/stack.h"
#include "net/tcp/tcp.h"
#include "userlib/base/mem.h"
#include "userlib/base/string.h"
#include <linux/in.h>

#define AF_INET 2
#define AF_INET6 10
#define AF_PACKET 17
#define SOCK_RAW 3
#define MSG_PEEK 2
#define MSG_DONTROUTE 4
#define MSG_CTRUNC 8
#define MSG_TRUNC 0x20
#define MSG_ERRQUEUE 0x2000
#define MSG_ZEROCOPY 0x4000000u

int sock_dgram_connect(struct sock *s, const struct net_addr *a)
{
	u16 family, port;
	struct ip_addr ip, src;
	struct netif *via = netif_by_index(s->bound_if);
	int r = 0;

	if (s->family == AF_PACKET)
		return -EOPNOTSUPP;
	memcpy(&family, a->bytes, 2);
	if (!family) { /* AF_UNSPEC dissolves */
		net_lock_get();
		s->connected = false;
		s->rip = s->family == AF_INET ? IP4_ANY : IP6_ANY;
		s->rport = 0;
		if (!s->bound)
			s->lip = s->rip;
		net_lock_put();
		return 0;
	}
	r = sock_take_addr(s, a, &ip, &port);
	if (!r)
		r = sock_reach(s, &ip);
	if (r)
		return r;
	net_lock_get();
	if (!via && ip_is_multicast(ip))
		via = netif_by_index(ip_is4(ip) ? s->mc_if : s->mc_if6);
	if (!ip_route_via(via, ip, &src)) {
		r = -ENETUNREACH;
	} else if (ip_is_broadcast(ip) && !s->broadcast) {
		r = -EACCES;
	} else {
		if (!s->lport && sock_is_udp(s)) {
			r = udp_bind(s, ip_is_any(s->lip) ? src : s->lip, 0);
			s->bound = false; /* no address was asked for */
		}
		if (ip_is_any(s->lip))
			s->lip = src;
		s->rip = ip;
		s->rport = s->type == SOCK_RAW ? 0 : port;
		s->connected = !r;
	}
	net_lock_put();
	return r;
}

/* ---- sending ---- */

static int destination(struct sock *s, const struct net_addr *to, struct send_ctl *c)
{
	u16 family = 0;
	int r;

	if (to && to->len >= 2)
		memcpy(&family, to->bytes, 2);
	if (!to || !to->len || (!family && s->family == AF_INET6)) {
		c->dst = s->rip;
		c->port = s->rport;
		return s->connected ? 0 : -EDESTADDRREQ;
	}
	r = sock_take_addr(s, to, &c->dst, &c->port);
	if (r)
		return r;
	if (!c->port && sock_is_udp(s))
		return -EINVAL;
	return sock_reach(s, &c->dst);
}

static ssize send_locked(struct sock *s, struct iov_iter *it, const struct net_addr *to, u32 flags, const void *ctl, u32 ctl_len)
{
	struct send_ctl c = { .src = s->family == AF_INET ? IP4_ANY : IP6_ANY };
	bool dontroute = s->dontroute;
	ssize r;

	if (s->error) {
		r = -s->error;
		s->error = 0;
		return r;
	}
	if (s->family == AF_PACKET)
		return packet_send(s, it, to);
	r = destination(s, to, &c);
	if (r)
		return r;
	c.ttl = ip_is4(c.dst) ? s->ttl : s->hops;
	c.tos = ip_is4(c.dst) ? s->tos : s->tclass;
	if (ctl_len) {
		r = cmsg_parse(s, ctl, ctl_len, &c);
		if (r)
			return r;
	}
	s->dontroute |= !!(flags & MSG_DONTROUTE);
	r = s->type == SOCK_RAW ? raw_send(s, it, &c) : udp_send(s, it, &c);
	s->dontroute = dontroute;
	if (r >= 0 && flags & MSG_ZEROCOPY && s->zerocopy)
		sock_err_zerocopy(s);
	return r;
}

ssize net_sock_sendmsg(struct sock *s, struct iov_iter *it, const struct net_addr *to, u32 flags, bool nonblock, const void *ctl, u32 ctl_len)
{
	ssize r;

	if (s->tcp) {
		r = tcp_send(s, it, flags & ~MSG_ZEROCOPY, nonblock);
		if (r < 0 || !(flags & MSG_ZEROCOPY) || !s->zerocopy)
			return r;
		net_sock_lock(s);
		sock_err_zerocopy(s);
		net_sock_unlock(s);
		return r;
	}
	if (s->shut & 2)
		return -EPIPE;
	if (!sock_is_udp(s) || !READ_ONCE(s->lport)) { /* one that takes a port while it sends, or has none */
		net_lock_get();
		r = send_locked(s, it, to, flags, ctl, ctl_len);
		net_lock_put();
		return r;
	}
	net_sock_lock(s);
	r = send_locked(s, it, to, flags, ctl, ctl_len);
	net_sock_unlock(s);
	return r;
}

ssize net_sock_send(struct sock *s, struct iov_iter *it, const struct net_addr *to, u32 flags, bool nonblock)
{
	return net_sock_sendmsg(s, it, to, flags, nonblock, NULL, 0);
}

/* ---- receiving ---- */

static ssize take_dgram(struct sock *s, struct iov_iter *it, struct net_addr *from, u32 flags, u32 *out_flags, struct net_cmsgs *cm)
{
	struct dgram *d = list_first(&s->dgrams, struct dgram, link);
	ssize r = 0;

	if (from && s->family == AF_PACKET)
		packet_from(s, d, from);
	else if (from)
		sock_to_addr(s->family, d->ip, s->type == SOCK_RAW && s->family == AF_INET6 ? 0 : d->port, from);
	if (d->len && it->count)
		r = iter_copy_to(it, d->data, d->len);
	if (r < 0)
		return r;
	if (d->len > (u32)r) {
		*out_flags |= MSG_TRUNC;
		if (flags & MSG_TRUNC)
			r = d->full_len;
	}
	if (cm)
		cmsg_of_dgram(s, d, cm);
	if (!(flags & MSG_PEEK)) {
		list_del(&d->link);
		s->dgram_bytes -= d->len + (u32)sizeof(*d);
		kmem_free(d, sizeof(*d) + d->len);
	}
	return r;
}

/* One round under the lock; -EAGAIN: nothing there. */
static ssize recv_locked(struct sock *s, struct iov_iter *it, struct net_addr *from, u32 flags, u32 *out_flags, struct net_cmsgs *cm)
{
	ssize r;

	if (flags & MSG_ERRQUEUE)
		return sock_err_recv(s, it, from, out_flags, cm);
	if (s->error) {
		r = -s->error;
		s->error = 0;
		return r;
	}
	if (list_empty(&s->dgrams))
		return s->shut & 1 ? 0 : -EAGAIN;
	return take_dgram(s, it, from, flags, out_flags, cm);
}

ssize net_sock_recvmsg(struct sock *s, struct iov_iter *it, struct net_addr *from, u32 flags, bool nonblock, u32 *out_flags,
		       struct net_cmsgs *cm)
{
	s64 deadline = s->rcvtimeo ? clock_monotonic_ns() + s->rcvtimeo : TIME_FOREVER;
	ssize r;

	if (s->tcp && !(flags & MSG_ERRQUEUE)) {
		if (from)
			from->len = 0;
		return tcp_recv(s, it, flags, nonblock, out_flags);
	}
	for (;;) {
		net_sock_lock(s);
		r = recv_locked(s, it, from, flags, out_flags, cm);
		net_sock_unlock(s);
		if (cm && cm->cut)
			*out_flags |= MSG_CTRUNC;
		if (r != -EAGAIN || nonblock || flags & MSG_ERRQUEUE)
			return r;
		r = wait_event(&s->wq, EPOLLIN | EPOLLERR | EPOLLHUP, true, !list_empty(&s->dgrams) || s->error || s->shut & 1, deadline,
			       true);
		if (r)
			return r == -ETIMEDOUT ? -EAGAIN : s->rcvtimeo ? -EINTR : r;
	}
}

ssize net_sock_recv(struct sock *s, struct iov_iter *it, struct net_addr *from, u32 flags, bool nonblock, u32 *out_flags)
{
	return net_sock_recvmsg(s, it, from, flags, nonblock, out_flags, NULL);
}
