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
#define AF_PACKET 17

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
	s->lip = s->rip = family == AF_INET ? IP4_ANY : IP6_ANY;
	s->rcvbuf = type == SOCK_STREAM ? TCP_RCVBUF_INIT : 212992;
	s->sndbuf = type == SOCK_STREAM ? 1u << 20 : 212992;
	s->rcvlowat = 1;
	s->hops = 64;
	s->pmtudisc = s->pmtudisc6 = 1; /* IP_PMTUDISC_WANT */
	s->mc_loop = s->mc_all = s->mc_loop6 = s->mc_all6 = true;
	s->mc_ttl = s->mc_hops = 1;
	s->csum_at = -1;
	s->ll_proto = 0;
	list_init(&s->errq);
	s->inode = ++next_inode;
	waitq_init(&s->wq);
	list_init(&s->hash_link);
	list_init(&s->dgrams);
	list_add_tail(&net_socks, &s->all_link);
	return s;
}

void sock_drop_dgrams(struct sock *s)
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
		sock_drop_dgrams(s);
		sock_err_drop_all(s);
		(void)filter_detach(s);
		slab_free(&sock_slab, s);
	}
	return left;
}

void sock_wake(struct sock *s, u32 events)
{
	waitq_wake(&s->wq, events);
}

void sock_wake_all(struct sock *s, u32 events)
{
	full_fence(); /* pairs with waitq_add */
	if (!waitq_is_empty(&s->wq))
		waitq_wake_n(&s->wq, events, ~0u);
}

/* ---- addresses ---- */

int addr_check(const struct sock *s, const struct net_addr *a)
{
	u16 family;

	if (a->len < 2)
		return -EINVAL;
	memcpy(&family, a->bytes, 2);
	if (s->family == AF_INET) {
		if (family == AF_INET || (family == AF_UNSPEC && !s->tcp)) /* ip(7): UDP takes both */
			return a->len < 16 ? -EINVAL : 0;
		return -EAFNOSUPPORT;
	}
	if (family == AF_INET && !s->tcp) /* datagrams of an IPv6 socket may be addressed so */
		return a->len < 16 ? -EINVAL : s->v6only ? -ENETUNREACH : 0;
	if (family != AF_INET6)
		return a->len < 24 ? -EINVAL : -EAFNOSUPPORT;
	if (a->len < 24)
		return -EINVAL;
	return s->v6only && ip_is4(ip6_addr(a->bytes + 8)) ? -ENETUNREACH : 0;
}

void sock_from_addr(const struct net_addr *a, struct ip_addr *ip, u16 *port)
{
	u16 family, p;
	u32 v4;

	memcpy(&family, a->bytes, 2);
	memcpy(&p, a->bytes + 2, 2);
	memcpy(&v4, a->bytes + 4, 4);
	*port = be16(p);
	*ip = family == AF_INET6 ? ip6_addr(a->bytes + 8) : ip4_addr(v4);
}

static bool covers(struct ip_addr bound, bool v6only, struct ip_addr ip)
{
	if (ip_is_any6(bound))
		return !v6only || !ip_is4(ip);
	return ip_is_any(bound) ? ip_is4(ip) : ip_eq(bound, ip);
}

bool sock_covers(const struct sock *s, struct ip_addr ip)
{
	return covers(s->lip, s->v6only, ip);
}

bool sock_overlaps(const struct sock *s, struct ip_addr ip, const struct sock *o)
{
	if (!ip_is_any(ip))
		return covers(o->lip, o->v6only, ip);
	if (!ip_is_any(o->lip))
		return covers(ip, s->v6only, o->lip);
	return !(ip_is4(ip) && o->v6only) && !(ip_is4(o->lip) && s->v6only);
}

/* What connecting or sending to the unspecified address means. */
static struct ip_addr own_loopback(const struct sock *s, struct ip_addr to)
{
	return ip_is4(to) || ip_is4(s->lip) ? IP4_LOOPBACK : IP6_LOOPBACK;
}

/* A socket bound to an address of one family has no way to the other. */
static bool same_family(const struct sock *s, struct ip_addr to)
{
	return ip_is_any6(s->lip) || ip_is4(s->lip) == ip_is4(to);
}

void sock_to_addr(int family, struct ip_addr ip, u16 port, struct net_addr *a)
{
	u16 f = (u16)family, p = be16(port);

	memset(a, 0, sizeof(*a));
	memcpy(a->bytes, &f, 2);
	memcpy(a->bytes + 2, &p, 2);
	if (family == AF_INET) {
		memcpy(a->bytes + 4, &ip.w[3], 4);
		a->len = 16;
		return;
	}
	a->len = 28;
	memcpy(a->bytes + 8, &ip, 16);
	if (ip_is_link_local(ip)) {
		u32 scope = (u32)net_eth.index;

		memcpy(a->bytes + 24, &scope, 4);
	}
}

/* ---- the API of net.h ---- */

static int default_protocol(int family, int type, int protocol)
{
	if (family == AF_PACKET)
		return 0;
	if (type == SOCK_RAW)
		return protocol;
	if (type == SOCK_DGRAM && protocol == IPPROTO_UDPLITE)
		return protocol;
	if (type == SOCK_DGRAM && protocol == (family == AF_INET ? IPPROTO_ICMP : IPPROTO_ICMPV6))
		return protocol;
	return type == SOCK_STREAM ? IPPROTO_TCP : IPPROTO_UDP;
}

int net_sock_create(int family, int type, int protocol, struct sock **out)
{
	int want = default_protocol(family, type, protocol);
	bool stream = type == SOCK_STREAM && family != AF_PACKET;
	struct sock *s;

	if (family != AF_INET && family != AF_INET6 && family != AF_PACKET)
		return -EAFNOSUPPORT;
	if (type != SOCK_DGRAM && type != SOCK_RAW && !stream)
		return -ESOCKTNOSUPPORT;
	if (family != AF_PACKET && type == SOCK_RAW && (protocol <= 0 || protocol > 255))
		return protocol > 255 || protocol < 0 ? -EINVAL : -EPROTONOSUPPORT;
	if (family != AF_PACKET && protocol && protocol != want)
		return -EPROTONOSUPPORT;
	net_lock_get();
	s = sock_alloc(family, type, want);
	if (s && stream && !tcp_conn_alloc(s)) {
		sock_bury(s);
		s = NULL;
	}
	if (s && family == AF_PACKET) {
		s->ll_proto = be16((u16)protocol);
		net_packet_socks++;
	} else if (s && type == SOCK_RAW) {
		net_raw_socks++;
		s->hdrincl = family == AF_INET && protocol == IPPROTO_RAW;
		s->csum_at = protocol == IPPROTO_ICMPV6 ? 2 : -1;
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
	net_packet_socks -= s->family == AF_PACKET;
	net_raw_socks -= s->family != AF_PACKET && s->type == SOCK_RAW;
	group_leave_all(s);
	sock_drop_dgrams(s);
	sock_bury(s);
	net_lock_put();
}

/* A link-local address needs its link: the only Ethernet there is, unless another is named. */
int sock_scope_check(const struct sock *s, const struct net_addr *a, struct ip_addr ip)
{
	u32 scope = 0;

	if (ip_is4(ip) || !ip_is_link_local(ip) || a->len < 28)
		return 0;
	memcpy(&scope, a->bytes + 24, 4);
	if (!scope && !s->bound_if && !(ip_is_multicast(ip) && s->mc_if6))
		return ip_is_multicast(ip) ? 0 : -EINVAL;
	return !scope || netif_by_index((int)scope) ? 0 : -ENODEV;
}

int sock_take_addr(const struct sock *s, const struct net_addr *a, struct ip_addr *ip, u16 *port)
{
	int r = addr_check(s, a);

	if (r)
		return r;
	sock_from_addr(a, ip, port);
	return sock_scope_check(s, a, *ip);
}

int sock_reach(const struct sock *s, struct ip_addr *ip)
{
	if (ip_is_any(*ip))
		*ip = own_loopback(s, *ip);
	return same_family(s, *ip) ? 0 : -ENETUNREACH;
}

int net_sock_bind(struct sock *s, const struct net_addr *a)
{
	int r = s->family == AF_PACKET ? 0 : addr_check(s, a);
	struct ip_addr ip;
	u16 port, family;

	if (s->family == AF_PACKET)
		return packet_bind(s, a);
	if (r)
		return r == -ENETUNREACH ? -EINVAL : r;
	memcpy(&family, a->bytes, 2);
	if (s->family == AF_INET6 && family != AF_INET6)
		return -EAFNOSUPPORT;
	sock_from_addr(a, &ip, &port);
	r = sock_scope_check(s, a, ip);
	if (r)
		return r;
	if (!ip_is_any(ip) && !ip_is_local(ip) && !s->freebind && !ip_is_broadcast(ip) && (!ip_is_multicast(ip) || s->tcp))
		return -EADDRNOTAVAIL;
	net_lock_get();
	if (s->type == SOCK_RAW) {
		s->lip = ip;
	} else if (s->bound || s->lport) {
		r = -EINVAL;
	} else if (!s->tcp) {
		r = udp_bind(s, ip, port);
	} else if (!port) {
		s->lip = ip;
		r = tcp_pick_port(s, ip, NULL, 0);
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

int net_sock_connect(struct sock *s, const struct net_addr *a, bool nonblock)
{
	struct ip_addr ip;
	u16 port;
	int r;

	if (a->len < 2)
		return -EINVAL;
	if (!s->tcp)
		return sock_dgram_connect(s, a);
	if (READ_ONCE(s->tcp->state) == TCP_LISTEN || READ_ONCE(s->tcp->state) >= TCP_ESTABLISHED) /* before the address is looked at */
		return -EISCONN;
	r = sock_take_addr(s, a, &ip, &port);
	if (!r)
		r = sock_reach(s, &ip);
	if (r || ip_is_multicast(ip))
		return r ? r : -ENETUNREACH;
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

int net_sock_shutdown(struct sock *s, int how)
{
	if (how < 0 || how > 2)
		return -EINVAL;
	if (s->tcp)
		return tcp_shutdown(s, how);
	if (!s->connected)
		return -ENOTCONN;
	s->shut |= (u8)(how + 1);
	sock_wake_all(s, EPOLLIN | EPOLLHUP);
	return 0;
}

int net_sock_name(struct sock *s, bool peer, struct net_addr *out)
{
	if (s->family == AF_PACKET) {
		if (peer)
			return -EOPNOTSUPP;
		packet_name(s, out);
		return 0;
	}
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
	if (s->error || !list_empty(&s->errq))
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

	net_sock_lock(s);
	if (s->tcp)
		r = s->tcp->state == TCP_LISTEN ? -EINVAL : (int)(output ? s->tcp->snd.len : tcp_readable(s->tcp));
	else if (!output && !list_empty(&s->dgrams))
		r = (int)list_first(&s->dgrams, struct dgram, link)->len;
	net_sock_unlock(s);
	return r;
}

bool net_sock_at_mark(struct sock *s)
{
	bool r;

	net_sock_lock(s);
	r = tcp_at_mark(s);
	net_sock_unlock(s);
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
