/* SPDX-License-Identifier: MIT */
/* Sockets: creation, addresses, names, dispatch to TCP, UDP and ping, readiness, listings. Options are in sock_opt.c. */
#include "net/stack.h"
#include "net/tcp/tcp.h"
#include "userlib/base/mem.h"
#include "userlib/base/string.h"
#include <linux/in.h>
#include <linux/in6.h>
#include <linux/socket.h>

#define AF_UNSPEC 0
#define AF_INET 2
#define AF_INET6 10
#define SOCK_STREAM 1
#define SOCK_DGRAM 2
#define SOCK_RAW 3
#define MSG_PEEK 2
#define MSG_TRUNC 0x20

static struct slab sock_slab = SLAB_INIT("sock", struct sock);
static u64 next_inode = 20000;

struct sock *sock_alloc(int family, int type, int protocol)
{
	struct sock *s = slab_zalloc(&sock_slab);

	if (!s)
		return NULL;
	s->family = family;
	s->type = type;
	s->protocol = protocol;
	s->ttl = 64;
	s->rcvbuf = type == SOCK_STREAM ? 1u << 20 : 212992;
	s->sndbuf = type == SOCK_STREAM ? 1u << 20 : 212992;
	s->rcvlowat = 1;
	s->inode = ++next_inode;
	waitq_init(&s->wq);
	list_init(&s->hash_link);
	list_init(&s->dgrams);
	list_add_tail(&net_socks, &s->all_link);
	return s;
}

static void drop_dgrams(struct sock *s)
{
	struct dgram *d, *n;

	list_for_each_safe(d, n, &s->dgrams, link) {
		list_del(&d->link);
		kmem_free(d, sizeof(*d) + d->len);
	}
	s->dgram_bytes = 0;
}

/* [net_lock] */
bool net_dead_sweep(s64 now)
{
	struct sock *s, *n;
	bool left = false;

	list_for_each_safe(s, n, &net_socks, all_link) {
		if (!s->dead)
			continue;
		if (now - s->dead_since < NSEC_PER_SEC) {
			left = true;
			continue;
		}
		list_del(&s->all_link);
		if (s->tcp)
			tcp_conn_free(s->tcp);
		drop_dgrams(s);
		slab_free(&sock_slab, s);
	}
	return left;
}

void sock_wake(struct sock *s, u32 events)
{
	waitq_wake(&s->wq, events);
}

/* ---- addresses ---- */

int addr_check(const struct sock *s, const struct net_addr *a)
{
	u16 family;

	if (a->len < 2)
		return -EINVAL;
	memcpy(&family, a->bytes, 2);
	if (family == AF_INET || (family == AF_UNSPEC && !s->tcp && s->family == AF_INET)) /* ip(7): UDP takes both */
		return a->len < 16 ? -EINVAL : 0;
	if (family != AF_INET6 || s->family != AF_INET6)
		return -EAFNOSUPPORT;
	if (a->len < 24)
		return -EINVAL;
	static const u8 mapped[12] = { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 255, 255 };
	static const u8 zero[15];

	if (!memcmp(a->bytes + 8, mapped, 12) || !memcmp(a->bytes + 8, zero, 15)) /* mapped, ::, ::1 */
		return 0;
	return -ENETUNREACH;
}

void sock_from_addr(const struct net_addr *a, u32 *ip, u16 *port)
{
	u16 family, p;

	memcpy(&family, a->bytes, 2);
	memcpy(&p, a->bytes + 2, 2);
	*port = be16(p);
	if (family != AF_INET6) {
		memcpy(ip, a->bytes + 4, 4);
	} else if (a->bytes[8 + 10] == 255) {
		memcpy(ip, a->bytes + 8 + 12, 4);
	} else {
		*ip = a->bytes[8 + 15] ? IP_V6_LOOPBACK : 0;
	}
}

bool sock_covers(const struct sock *s, u32 ip)
{
	if (s->lip)
		return s->lip == ip;
	if (s->family == AF_INET)
		return ip != IP_V6_LOOPBACK;
	return !s->v6only || ip == IP_V6_LOOPBACK;
}

bool sock_overlaps(const struct sock *s, u32 ip, const struct sock *o)
{
	if (ip && o->lip)
		return ip == o->lip;
	if (ip)
		return sock_covers(o, ip);
	if (o->lip) {
		struct sock any = { .family = s->family, .v6only = s->v6only };

		return sock_covers(&any, o->lip);
	}
	return !(s->family == AF_INET && o->v6only) && !(o->family == AF_INET && s->v6only);
}

/* What connecting or sending to the unspecified address means. */
static u32 own_loopback(const struct sock *s)
{
	return s->family == AF_INET6 ? IP_V6_LOOPBACK : net_lo.ip;
}

void sock_to_addr(int family, u32 ip, u16 port, struct net_addr *a)
{
	u16 f = (u16)family, p = be16(port);

	memset(a, 0, sizeof(*a));
	memcpy(a->bytes, &f, 2);
	memcpy(a->bytes + 2, &p, 2);
	if (family == AF_INET) {
		memcpy(a->bytes + 4, &ip, 4);
		a->len = 16;
		return;
	}
	a->len = 28;
	if (ip == IP_V6_LOOPBACK) {
		a->bytes[8 + 15] = 1; /* ::1 */
	} else if (ip) {
		a->bytes[8 + 10] = a->bytes[8 + 11] = 255;
		memcpy(a->bytes + 8 + 12, &ip, 4);
	}
}

/* ---- the API of net.h ---- */

int net_sock_create(int family, int type, int protocol, struct sock **out)
{
	struct sock *s;
	int want = type == SOCK_STREAM ? IPPROTO_TCP : IPPROTO_UDP;

	if (family != AF_INET && family != AF_INET6)
		return -EAFNOSUPPORT;
	if (type != SOCK_STREAM && type != SOCK_DGRAM)
		return type == SOCK_RAW ? -EPERM : -ESOCKTNOSUPPORT;
	if (type == SOCK_DGRAM && protocol == IPPROTO_ICMP && family == AF_INET)
		want = IPPROTO_ICMP;
	if (protocol && protocol != want)
		return -EPROTONOSUPPORT;
	net_lock_get();
	s = sock_alloc(family, type, want);
	if (s && type == SOCK_STREAM && !tcp_conn_alloc(s)) {
		sock_bury(s);
		s = NULL;
	}
	net_lock_put();
	if (!s)
		return -ENOMEM;
	*out = s;
	return 0;
}

void net_sock_close(struct sock *s)
{
	if (s->tcp) {
		tcp_close(s);
		return;
	}
	net_lock_get();
	drop_dgrams(s);
	sock_bury(s);
	net_lock_put();
}

int net_sock_bind(struct sock *s, const struct net_addr *a)
{
	int r = addr_check(s, a);
	u32 ip;
	u16 port;

	if (r)
		return r == -ENETUNREACH ? -EADDRNOTAVAIL : r;
	sock_from_addr(a, &ip, &port);
	if (ip && !ip_is_local(ip) && ip != 0xffffffff && (be32(ip) >> 28) != 14)
		return -EADDRNOTAVAIL;
	net_lock_get();
	if (s->bound || s->lport) {
		r = -EINVAL;
	} else if (!s->tcp) {
		r = udp_bind(s, ip, port);
	} else if (!port) {
		s->lip = ip;
		r = tcp_pick_port(s, ip, 0, 0);
	} else if (!tcp_port_free(s, ip, port)) {
		r = -EADDRINUSE;
	} else {
		s->lip = ip;
		s->lport = port;
	}
	if (!r)
		s->bound = true;
	net_lock_put();
	return r;
}

static int udp_connect(struct sock *s, const struct net_addr *a)
{
	u16 family;
	u32 ip, src;
	u16 port;
	int r = 0;

	memcpy(&family, a->bytes, 2);
	if (!family) { /* AF_UNSPEC dissolves */
		s->connected = false;
		s->rip = s->rport = 0;
		return 0;
	}
	r = addr_check(s, a);
	if (r)
		return r;
	sock_from_addr(a, &ip, &port);
	net_lock_get();
	if (!ip_route(ip, &src)) {
		r = -ENETUNREACH;
	} else {
		if (!s->lport && s->protocol == IPPROTO_UDP)
			r = udp_bind(s, s->lip ? s->lip : src, 0);
		if (!s->lip)
			s->lip = src;
		s->rip = ip ? ip : own_loopback(s);
		s->rport = port;
		s->connected = !r;
	}
	net_lock_put();
	return r;
}

int net_sock_connect(struct sock *s, const struct net_addr *a, bool nonblock)
{
	u32 ip;
	u16 port;
	int r;

	if (a->len < 2)
		return -EINVAL;
	if (!s->tcp)
		return udp_connect(s, a);
	if (READ_ONCE(s->tcp->state) == TCP_LISTEN || READ_ONCE(s->tcp->state) >= TCP_ESTABLISHED) /* before the address is looked at */
		return -EISCONN;
	r = addr_check(s, a);
	if (r)
		return r;
	sock_from_addr(a, &ip, &port);
	if (!ip)
		ip = own_loopback(s);
	return tcp_connect(s, ip, port, nonblock);
}

int net_sock_listen(struct sock *s, int backlog)
{
	return s->tcp ? tcp_listen(s, backlog) : -EOPNOTSUPP;
}

int net_sock_accept(struct sock *s, bool nonblock, struct sock **out)
{
	return s->tcp ? tcp_accept(s, nonblock, out) : -EOPNOTSUPP;
}

ssize net_sock_send(struct sock *s, struct iov_iter *it, const struct net_addr *to, u32 flags, bool nonblock)
{
	u32 ip = s->rip;
	u16 port = s->rport;
	ssize r;

	if (s->tcp)
		return tcp_send(s, it, flags, nonblock);
	if (to && to->len) {
		r = addr_check(s, to);
		if (r)
			return r;
		sock_from_addr(to, &ip, &port);
		if (!port && s->protocol == IPPROTO_UDP)
			return -EINVAL;
		if (!ip)
			ip = own_loopback(s);
	} else if (!s->connected) {
		return -EDESTADDRREQ;
	}
	if (s->shut & 2)
		return -EPIPE;
	net_lock_get();
	if (s->error) {
		r = -s->error;
		s->error = 0;
	} else {
		r = udp_send(s, it, ip, port, flags);
	}
	net_lock_put();
	return r;
}

static ssize take_dgram(struct sock *s, struct iov_iter *it, struct net_addr *from, u32 flags, u32 *out_flags)
{
	struct dgram *d = list_first(&s->dgrams, struct dgram, link);
	ssize r = 0;

	if (from)
		sock_to_addr(s->family, d->ip, d->port, from);
	if (d->len && it->count)
		r = iter_copy_to(it, d->data, d->len);
	if (r >= 0 && d->len > (u32)r) {
		*out_flags |= MSG_TRUNC;
		if (flags & MSG_TRUNC)
			r = d->len;
	}
	if (!(flags & MSG_PEEK)) {
		list_del(&d->link);
		s->dgram_bytes -= d->len + (u32)sizeof(*d);
		kmem_free(d, sizeof(*d) + d->len);
	}
	return r;
}

ssize net_sock_recv(struct sock *s, struct iov_iter *it, struct net_addr *from, u32 flags, bool nonblock, u32 *out_flags)
{
	s64 deadline = s->rcvtimeo ? clock_monotonic_ns() + s->rcvtimeo : TIME_FOREVER;
	ssize r;

	if (s->tcp) {
		if (from)
			from->len = 0;
		return tcp_recv(s, it, flags, nonblock);
	}
	for (;;) {
		net_lock_get();
		if (s->error) {
			r = -s->error;
			s->error = 0;
			net_lock_put();
			return r;
		}
		if (!list_empty(&s->dgrams)) {
			r = take_dgram(s, it, from, flags, out_flags);
			net_lock_put();
			return r;
		}
		net_lock_put();
		if (s->shut & 1)
			return 0;
		if (nonblock)
			return -EAGAIN;
		r = wait_event(&s->wq, EPOLLIN | EPOLLERR | EPOLLHUP, true, !list_empty(&s->dgrams) || s->error || s->shut & 1, deadline,
			       true);
		if (r)
			return r == -ETIMEDOUT ? -EAGAIN : s->rcvtimeo ? -EINTR : r;
	}
}

int net_sock_shutdown(struct sock *s, int how)
{
	if (how < 0 || how > 2)
		return -EINVAL;
	if (s->tcp)
		return tcp_shutdown(s, how);
	if (!s->connected)
		return -ENOTCONN;
	s->shut |= (u8)(how + 1);
	sock_wake(s, EPOLLIN | EPOLLHUP);
	return 0;
}

int net_sock_name(struct sock *s, bool peer, struct net_addr *out)
{
	if (peer && (s->tcp ? s->tcp->state < TCP_ESTABLISHED && !(s->connected && s->tcp->state == TCP_CLOSED && !s->error) : !s->connected))
		return -ENOTCONN;
	sock_to_addr(s->family, peer ? s->rip : s->lip, peer ? s->rport : s->lport, out);
	return 0;
}

u32 net_sock_poll(struct sock *s)
{
	u32 m = EPOLLOUT | EPOLLWRNORM;

	if (s->tcp)
		return tcp_poll(s);
	if (!list_empty(&s->dgrams) || s->shut & 1)
		m |= EPOLLIN | EPOLLRDNORM;
	if (s->error)
		m |= EPOLLERR;
	if (s->shut == 3)
		m |= EPOLLHUP;
	return m;
}

struct waitq *net_sock_waitq(struct sock *s)
{
	return &s->wq;
}

int net_sock_bytes(struct sock *s, bool output)
{
	int r = 0;

	net_lock_get();
	if (s->tcp)
		r = s->tcp->state == TCP_LISTEN ? -EINVAL : (int)(output ? s->tcp->snd.len : s->tcp->rcv.len);
	else if (!output && !list_empty(&s->dgrams))
		r = (int)list_first(&s->dgrams, struct dgram, link)->len;
	net_lock_put();
	return r;
}

void net_sock_set_owner(struct sock *s, u32 uid, u64 inode)
{
	net_lock_get();
	s->uid = uid;
	s->inode = inode;
	net_lock_put();
}

int net_sock_protocol(const struct sock *s)
{
	return s->protocol;
}
int net_sock_type(const struct sock *s)
{
	return s->type;
}
int net_sock_family(const struct sock *s)
{
	return s->family;
}

/* Linux's numbers for /proc/net/tcp. */
static int linux_state(const struct sock *s)
{
	static const u8 map[] = { 7, 10, 2, 3, 1, 4, 5, 8, 11, 9, 6 };

	return s->tcp ? map[s->tcp->state] : s->connected ? 1 : 7;
}

int net_sockinfo(unsigned n, int protocol, struct net_sockinfo *out)
{
	struct sock *s;
	int r = -ENOENT;

	net_lock_get();
	list_for_each(s, &net_socks, all_link) {
		if (s->dead || s->protocol != protocol || !s->lport || n--)
			continue;
		*out = (struct net_sockinfo){ .protocol = protocol, .family = s->family, .state = linux_state(s),
					      .lip = s->lip, .rip = s->rip, .lport = s->lport, .rport = s->rport,
					      .rx_queue = s->tcp ? s->tcp->rcv.len : s->dgram_bytes,
					      .tx_queue = s->tcp ? s->tcp->snd.len : 0, .uid = s->uid, .inode = s->inode };
		r = 0;
		break;
	}
	net_lock_put();
	return r;
}
