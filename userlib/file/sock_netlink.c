/* SPDX-License-Identifier: MIT */
/*
 * AF_NETLINK. NETLINK_SOCK_DIAG: dumps of IP sockets, without attributes.
 * NETLINK_ROUTE: dumps of links, addresses, routes and neighbours, as getifaddrs(3), ip(8) and Go's net package ask for. Changes
 * are refused (-EPERM); multicast groups may be joined and stay silent. NETLINK_KOBJECT_UEVENT sockets exist and never receive anything.
 */
#include "net/net.h"
#include "userlib/base/string.h"
#include "userlib/file/file_internal.h"
#include "userlib/file/socket.h"
#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <linux/sock_diag.h>

#define CHUNK_BYTES 8192u
#define F_INET 2
#define F_INET6 10
#define F_NETLINK 16
#define MSG_PEEK_BIT 0x2u
#define MSG_TRUNC_BIT 0x20u
#define ARPHRD_ETHER_NR 1
#define ARPHRD_LOOPBACK_NR 772
#define IFF_LOOPBACK_BIT 8u
#define IFF_BROADCAST_BIT 2u

struct chunk { /* one datagram */
	struct list link;
	u32 len;
	u8 data[CHUNK_BYTES - 24];
};
struct nlsock {
	struct spinlock lock;
	struct list queue; /* [lock] */
	u32 nr;		   /* [lock] */
	u32 port;	   /* [a] */
	u32 groups;
	int protocol; /* [I] */
	u32 rcvbuf, sndbuf;
	s64 rcvtimeo;
	struct waitq wait;
};
/* A reply being written. */
struct reply {
	struct nlsock *s;
	struct list chunks;
	struct chunk *c;
	struct nlmsghdr *h; /* the message being written */
	u32 seq, flags;
	int err;
};
static struct slab nlsock_slab = SLAB_INIT("netlink_sock", struct nlsock);
static u32 next_port = 0x80000000u;

/* ---- writing ---- */

static void new_chunk(struct reply *r)
{
	r->c = page_alloc(1);
	if (!r->c) {
		r->err = -ENOBUFS;
		return;
	}
	r->c->len = 0;
	list_add_tail(&r->chunks, &r->c->link);
}

static void *put_raw(struct reply *r, const void *p, u32 len)
{
	u8 *at;

	if (r->err || r->c->len + NLMSG_ALIGN(len) > sizeof(r->c->data)) {
		r->err = r->err ? r->err : -EMSGSIZE;
		return NULL;
	}
	at = r->c->data + r->c->len;
	memset(at, 0, NLMSG_ALIGN(len));
	if (p)
		memcpy(at, p, len);
	r->c->len += NLMSG_ALIGN(len);
	return at;
}

static void begin(struct reply *r, u16 type, const void *body, u32 len)
{
	struct nlmsghdr h = { .nlmsg_type = type, .nlmsg_flags = (u16)r->flags, .nlmsg_seq = r->seq, .nlmsg_pid = r->s->port };

	if (!r->c || r->c->len > sizeof(r->c->data) - 1024)
		new_chunk(r);
	if (r->err)
		return;
	r->h = put_raw(r, &h, sizeof(h));
	(void)put_raw(r, body, len);
}

static void end(struct reply *r)
{
	if (!r->err)
		r->h->nlmsg_len = (u32)(r->c->data + r->c->len - (u8 *)r->h);
}

static void attr(struct reply *r, u16 type, const void *p, u32 len)
{
	struct rtattr a = { .rta_len = (u16)(sizeof(a) + len), .rta_type = type };

	(void)put_raw(r, &a, sizeof(a));
	(void)put_raw(r, p, len);
}

static void attr_u32(struct reply *r, u16 type, u32 v)
{
	attr(r, type, &v, sizeof(v));
}

static void attr_u8(struct reply *r, u16 type, u8 v)
{
	attr(r, type, &v, sizeof(v));
}

static void put_link(struct reply *r, const struct net_ifinfo *i)
{
	bool lo = i->flags & IFF_LOOPBACK_BIT;
	struct ifinfomsg m = { .ifi_type = lo ? ARPHRD_LOOPBACK_NR : ARPHRD_ETHER_NR, .ifi_index = i->index, .ifi_flags = i->flags };
	struct rtnl_link_stats64 st = { .rx_packets = i->rx_packets, .tx_packets = i->tx_packets, .rx_bytes = i->rx_bytes,
					.tx_bytes = i->tx_bytes, .rx_dropped = i->rx_dropped, .tx_dropped = i->tx_dropped };
	static const u8 bcast[6] = { 255, 255, 255, 255, 255, 255 }, zero[6];

	begin(r, RTM_NEWLINK, &m, sizeof(m));
	attr(r, IFLA_IFNAME, i->name, (u32)strnlen(i->name, 15) + 1);
	attr_u32(r, IFLA_TXQLEN, 1000);
	attr_u8(r, IFLA_OPERSTATE, lo ? 0 : 6);
	attr_u8(r, IFLA_LINKMODE, 0);
	attr_u32(r, IFLA_MTU, i->mtu);
	attr_u32(r, IFLA_GROUP, 0);
	attr_u32(r, IFLA_NUM_TX_QUEUES, 1);
	attr_u32(r, IFLA_NUM_RX_QUEUES, 1);
	attr(r, IFLA_QDISC, lo ? "noqueue" : "pfifo_fast", lo ? 8 : 11);
	attr(r, IFLA_ADDRESS, i->mac, 6);
	attr(r, IFLA_BROADCAST, lo ? zero : bcast, 6);
	attr(r, IFLA_STATS64, &st, sizeof(st));
	end(r);
}

static void attr_ip(struct reply *r, u16 type, struct ip_addr a)
{
	if (ip_is4(a))
		attr_u32(r, type, ip4_of(a));
	else
		attr(r, type, &a, sizeof(a));
}

static u32 addr_flags(const struct net_addrinfo *a)
{
	return (a->autoconf ? 0 : IFA_F_PERMANENT) | (a->optimistic ? IFA_F_OPTIMISTIC | IFA_F_TENTATIVE : 0) | (a->preferred_s == 0 ? IFA_F_DEPRECATED : 0);
}

static void put_addr(struct reply *r, const struct net_ifinfo *i, const struct net_addrinfo *a)
{
	struct ifa_cacheinfo ci = { .ifa_prefered = (u32)a->preferred_s, .ifa_valid = (u32)a->valid_s };
	bool v4 = ip_is4(a->ip);
	struct ifaddrmsg m = { .ifa_family = v4 ? F_INET : F_INET6, .ifa_prefixlen = (u8)a->prefix_len, .ifa_flags = (u8)addr_flags(a),
			       .ifa_scope = ip_is_loopback(a->ip) ? RT_SCOPE_HOST : ip_is_link_local(a->ip) ? RT_SCOPE_LINK : RT_SCOPE_UNIVERSE,
			       .ifa_index = (u32)i->index };
	u32 mask = v4 && a->prefix_len ? __builtin_bswap32(~0u << (32 - a->prefix_len)) : 0;

	begin(r, RTM_NEWADDR, &m, sizeof(m));
	attr_ip(r, IFA_ADDRESS, a->ip);
	if (v4) {
		attr_ip(r, IFA_LOCAL, a->ip);
		if (i->flags & IFF_BROADCAST_BIT)
			attr_u32(r, IFA_BROADCAST, ip4_of(a->ip) | ~mask);
		attr(r, IFA_LABEL, i->name, (u32)strnlen(i->name, 15) + 1);
	}
	attr(r, IFA_CACHEINFO, &ci, sizeof(ci));
	attr_u32(r, IFA_FLAGS, addr_flags(a));
	end(r);
}

static void put_route(struct reply *r, const struct net_routeinfo *i)
{
	bool host = ip_is_loopback(i->dst), gw = !ip_is_any(i->gateway);
	struct rtmsg m = { .rtm_family = i->v6 ? F_INET6 : F_INET, .rtm_dst_len = (u8)i->prefix_len,
			   .rtm_table = host && !i->v6 ? RT_TABLE_LOCAL : RT_TABLE_MAIN,
			   .rtm_protocol = gw ? RTPROT_BOOT : RTPROT_KERNEL,
			   .rtm_scope = i->v6 ? RT_SCOPE_UNIVERSE : host ? RT_SCOPE_HOST : gw ? RT_SCOPE_UNIVERSE : RT_SCOPE_LINK,
			   .rtm_type = host && !i->v6 ? RTN_LOCAL : RTN_UNICAST };

	begin(r, RTM_NEWROUTE, &m, sizeof(m));
	attr_u32(r, RTA_TABLE, m.rtm_table);
	if (i->prefix_len)
		attr_ip(r, RTA_DST, i->dst);
	if (gw)
		attr_ip(r, RTA_GATEWAY, i->gateway);
	if (!ip_is_any(i->prefsrc))
		attr_ip(r, RTA_PREFSRC, i->prefsrc);
	attr_u32(r, RTA_OIF, (u32)i->ifindex);
	end(r);
}

static void put_neigh(struct reply *r, const struct net_neighinfo *i)
{
	struct ndmsg m = { .ndm_family = ip_is4(i->ip) ? F_INET : F_INET6, .ndm_ifindex = i->ifindex, .ndm_state = i->nud_state, .ndm_type = RTN_UNICAST };

	begin(r, RTM_NEWNEIGH, &m, sizeof(m));
	attr_ip(r, NDA_DST, i->ip);
	attr(r, NDA_LLADDR, i->mac, 6);
	end(r);
}

static void put_error(struct reply *r, const struct nlmsghdr *req, int err)
{
	struct nlmsgerr e = { .error = err, .msg = *req };

	r->flags = 0;
	begin(r, NLMSG_ERROR, &e, sizeof(e));
	end(r);
}

/* ---- requests ---- */

static int dump(struct reply *r, u16 type, u8 family)
{
	bool v4 = family == 0 || family == F_INET, v6 = family == 0 || family == F_INET6;
	struct net_addrinfo ai;
	struct net_routeinfo ri;
	struct net_neighinfo ni;
	struct net_ifinfo ii;

	switch (type) {
	case RTM_GETLINK:
		for (int i = 1; !net_ifinfo(i, &ii); i++)
			put_link(r, &ii);
		return 0;
	case RTM_GETADDR:
		for (int v = 0; v < 2; v++) /* as on Linux, family by family */
			for (unsigned i = 0; (v ? v6 : v4) && !net_addrinfo(i, &ai); i++)
				if (ip_is4(ai.ip) == !v && !net_ifinfo(ai.ifindex, &ii))
					put_addr(r, &ii, &ai);
		return 0;
	case RTM_GETROUTE:
		for (unsigned i = 0; !net_routeinfo(i, &ri); i++)
			if (ri.v6 ? v6 : v4)
				put_route(r, &ri);
		return 0;
	case RTM_GETNEIGH:
		for (unsigned i = 0; !net_neighinfo(i, &ni); i++)
			if (ip_is4(ni.ip) ? v4 : v6)
				put_neigh(r, &ni);
		return 0;
	case RTM_GETRULE:
	case RTM_GETQDISC:
	case RTM_GETADDRLABEL:
		return 0;
	default:
		return -EOPNOTSUPP;
	}
}

/* One link by index or name; one route by destination. */
static int get_one(struct reply *r, const struct nlmsghdr *h, const u8 *body, u32 len)
{
	struct net_routeinfo ri;
	struct net_ifinfo ii;
	struct ifinfomsg m;
	struct ip_addr dst = IP4_ANY;
	bool is6;
	int err;

	if (h->nlmsg_type == RTM_GETLINK && len >= sizeof(m)) {
		memcpy(&m, body, sizeof(m));
		for (int i = 1; !net_ifinfo(i, &ii); i++) {
			const struct rtattr *a = (const void *)(body + sizeof(m));

			if (m.ifi_index ? ii.index == m.ifi_index :
					  len >= sizeof(m) + sizeof(*a) && a->rta_len > sizeof(*a) && a->rta_len <= len - sizeof(m) &&
						  !strncmp((const char *)(a + 1), ii.name, a->rta_len - sizeof(*a))) {
				put_link(r, &ii);
				return 0;
			}
		}
		return -ENODEV;
	}
	if (h->nlmsg_type != RTM_GETROUTE || len < sizeof(struct rtmsg) + 8)
		return -EOPNOTSUPP;
	is6 = body[0] == F_INET6;
	if (is6 && len < sizeof(struct rtmsg) + 20)
		return -EINVAL;
	memcpy(is6 ? dst.b : dst.b + 12, body + sizeof(struct rtmsg) + 4, is6 ? 16 : 4);
	err = net_route_get(dst, &ri);
	if (!err)
		put_route(r, &ri);
	return err;
}

/* ---- NETLINK_SOCK_DIAG, as ss(8) asks ---- */

static void put_diag(struct reply *r, const struct net_sockinfo *si)
{
	bool v4 = si->family == F_INET;
	struct inet_diag_msg m = { .idiag_family = (u8)si->family, .idiag_state = (u8)si->state, .idiag_rqueue = si->rx_queue,
				   .idiag_wqueue = si->tx_queue, .idiag_uid = si->uid, .idiag_inode = (u32)si->inode };

	m.id.idiag_sport = __builtin_bswap16(si->lport);
	m.id.idiag_dport = __builtin_bswap16(si->rport);
	memcpy(m.id.idiag_src, v4 ? &si->lip.w[3] : &si->lip.w[0], v4 ? 4 : 16);
	memcpy(m.id.idiag_dst, v4 ? &si->rip.w[3] : &si->rip.w[0], v4 ? 4 : 16);
	m.id.idiag_cookie[0] = (u32)si->inode;
	m.id.idiag_cookie[1] = (u32)(si->inode >> 32);
	begin(r, SOCK_DIAG_BY_FAMILY, &m, sizeof(m));
	end(r);
}

/* IP sockets only: of the others the reader finds /proc. */
static int diag(struct reply *r, const struct nlmsghdr *h, const u8 *body, u32 len)
{
	struct inet_diag_req_v2 q;
	struct net_sockinfo si;
	int zero = 0;

	if (h->nlmsg_type != SOCK_DIAG_BY_FAMILY || len < 1)
		return -EINVAL;
	if (body[0] != F_INET && body[0] != F_INET6)
		return -ENOENT;
	if (len < sizeof(q))
		return -EINVAL;
	memcpy(&q, body, sizeof(q));
	if ((h->nlmsg_flags & NLM_F_DUMP) != NLM_F_DUMP)
		return -EOPNOTSUPP;
	r->flags = NLM_F_MULTI;
	for (unsigned n = 0; !net_sockinfo(n, q.sdiag_protocol, &si); n++)
		if (si.family == q.sdiag_family && q.idiag_states >> si.state & 1)
			put_diag(r, &si);
	begin(r, NLMSG_DONE, &zero, sizeof(zero));
	end(r);
	return 0;
}

static void handle(struct nlsock *s, const struct nlmsghdr *h, const u8 *body, u32 len)
{
	struct reply r = { .s = s, .seq = h->nlmsg_seq };
	u16 kind = (u16)((h->nlmsg_type - RTM_BASE) & 3); /* 0 new, 1 del, 2 get, 3 set */
	int err, zero = 0;

	list_init(&r.chunks);
	if (h->nlmsg_type < NLMSG_MIN_TYPE) {
		err = 0;
	} else if (s->protocol == NETLINK_SOCK_DIAG) {
		err = diag(&r, h, body, len);
	} else if (kind != 2) {
		err = -EPERM;
	} else if ((h->nlmsg_flags & NLM_F_DUMP) == NLM_F_DUMP) {
		r.flags = NLM_F_MULTI;
		err = dump(&r, h->nlmsg_type, len ? body[0] : 0);
		if (!err) {
			begin(&r, NLMSG_DONE, &zero, sizeof(zero));
			end(&r);
		}
	} else {
		err = get_one(&r, h, body, len);
	}
	if (err || ((h->nlmsg_flags & NLM_F_ACK) && (h->nlmsg_flags & NLM_F_DUMP) != NLM_F_DUMP))
		put_error(&r, h, err);
	spin_lock(&s->lock);
	for (struct list *l = r.chunks.next; l != &r.chunks; l = l->next)
		s->nr++;
	list_splice_tail(&s->queue, &r.chunks);
	spin_unlock(&s->lock);
	waitq_wake(&s->wait, POLL_IN);
}

static ssize nl_send(struct socket *so, struct sock_msg *m)
{
	struct nlsock *s = so->priv;
	size_t total = m->it->count, at = 0;
	u8 *buf;

	if (total > 32 * KiB)
		return -EMSGSIZE;
	if (!s->port)
		s->port = atomic_fetch_add(&next_port, 1u);
	buf = kmem_alloc(total + 1);
	if (!buf)
		return -ENOBUFS;
	if (iter_copy_from(m->it, buf, total) != (ssize)total) {
		kmem_free(buf, total + 1);
		return -EFAULT;
	}
	while ((so->protocol == NETLINK_ROUTE || so->protocol == NETLINK_SOCK_DIAG) && total - at >= sizeof(struct nlmsghdr)) {
		struct nlmsghdr h;

		memcpy(&h, buf + at, sizeof(h));
		if (h.nlmsg_len < sizeof(h) || h.nlmsg_len > total - at)
			break;
		if (h.nlmsg_flags & NLM_F_REQUEST)
			handle(s, &h, buf + at + NLMSG_HDRLEN, h.nlmsg_len - NLMSG_HDRLEN);
		at += NLMSG_ALIGN(h.nlmsg_len);
		if (at > total)
			break;
	}
	kmem_free(buf, total + 1);
	return (ssize)total;
}

static struct chunk *take(struct nlsock *s, bool peek)
{
	struct chunk *c = NULL;

	spin_lock(&s->lock);
	if (!list_empty(&s->queue)) {
		c = list_first(&s->queue, struct chunk, link);
		list_del(&c->link);
		s->nr--;
	}
	spin_unlock(&s->lock);
	(void)peek;
	return c;
}

static void put_back(struct nlsock *s, struct chunk *c)
{
	spin_lock(&s->lock);
	list_add(&s->queue, &c->link);
	s->nr++;
	spin_unlock(&s->lock);
}

static ssize nl_recv(struct socket *so, struct sock_msg *m)
{
	struct nlsock *s = so->priv;
	bool peek = m->flags & MSG_PEEK_BIT;
	struct chunk *c = take(s, peek);
	size_t want;
	ssize n;

	if (!c) {
		if (m->nonblock)
			return -EAGAIN;
		n = wait_event(&s->wait, EPOLLIN, true, (c = take(s, peek)), s->rcvtimeo ? clock_monotonic_ns() + s->rcvtimeo : TIME_FOREVER,
			       true);
		if (n)
			return n == -ETIMEDOUT ? -EAGAIN : n;
	}
	want = MIN((size_t)c->len, m->it->count);
	n = want ? iter_copy_to(m->it, c->data, want) : 0;
	if (n >= 0 && (size_t)n < want)
		n = -EFAULT;
	if (n >= 0 && want < c->len) {
		m->out_flags |= MSG_TRUNC_BIT;
		if (m->flags & MSG_TRUNC_BIT)
			n = (ssize)c->len;
	}
	if (m->addr) {
		struct sockaddr_nl a = { .nl_family = F_NETLINK };

		memcpy(m->addr->bytes, &a, sizeof(a));
		m->addr->len = sizeof(a);
	}
	if (peek)
		put_back(s, c);
	else
		page_free(c, 1);
	return n;
}

static int nl_bind(struct socket *so, const struct sock_addr *a)
{
	struct nlsock *s = so->priv;
	struct sockaddr_nl n;

	if (a->len < sizeof(n))
		return -EINVAL;
	memcpy(&n, a->bytes, sizeof(n));
	if (n.nl_family != F_NETLINK)
		return -EINVAL;
	if (s->port && n.nl_pid && s->port != n.nl_pid)
		return -EINVAL;
	if (!s->port)
		s->port = n.nl_pid ? n.nl_pid : (u32)proc_hooks->current_tgid();
	s->groups = n.nl_groups;
	return 0;
}

static int nl_connect(struct socket *so, const struct sock_addr *a, bool nonblock, const struct sock_cred *c)
{
	(void)so, (void)nonblock, (void)c;
	return a->len < sizeof(struct sockaddr_nl) ? -EINVAL : 0;
}

static int nl_name(struct socket *so, bool peer, struct sock_addr *out)
{
	struct nlsock *s = so->priv;
	struct sockaddr_nl a = { .nl_family = F_NETLINK, .nl_pid = peer ? 0 : s->port, .nl_groups = peer ? 0 : s->groups };

	memcpy(out->bytes, &a, sizeof(a));
	out->len = sizeof(a);
	return 0;
}

static int nl_setopt(struct socket *so, int level, int name, const void *val, u32 len)
{
	struct nlsock *s = so->priv;
	s64 tv[2];
	u32 v;

	if (len < sizeof(v))
		return -EINVAL;
	memcpy(&v, val, sizeof(v));
	if (level == 1 && (name == 7 || name == 32)) {
		s->sndbuf = v * 2;
	} else if (level == 1 && (name == 8 || name == 33)) {
		s->rcvbuf = v * 2;
	} else if (level == 1 && name == 20 && len >= sizeof(tv)) {
		memcpy(tv, val, sizeof(tv));
		s->rcvtimeo = tv[0] > 0 || tv[1] > 0 ? tv[0] * NSEC_PER_SEC + tv[1] * NSEC_PER_USEC : 0;
	} else if (!(level == 1 && (name == 16 || name == 21 || name == 2)) &&
		   !(level == 270 && (name == NETLINK_ADD_MEMBERSHIP || name == NETLINK_DROP_MEMBERSHIP || name == NETLINK_EXT_ACK ||
				      name == NETLINK_GET_STRICT_CHK || name == NETLINK_PKTINFO || name == NETLINK_NO_ENOBUFS ||
				      name == NETLINK_CAP_ACK))) {
		return -ENOPROTOOPT;
	}
	return 0;
}

static int nl_getopt(struct socket *so, int level, int name, void *val, u32 *len)
{
	struct nlsock *s = so->priv;
	int v;

	if (level != 1)
		return -ENOPROTOOPT;
	switch (name) {
	case 3:
		v = so->type;
		break;
	case 4:
		v = 0;
		break;
	case 7:
		v = (int)s->sndbuf;
		break;
	case 8:
		v = (int)s->rcvbuf;
		break;
	case 38:
		v = so->protocol;
		break;
	case 39:
		v = F_NETLINK;
		break;
	default:
		return -ENOPROTOOPT;
	}
	*len = MIN(*len, (u32)sizeof(v));
	memcpy(val, &v, *len);
	return 0;
}

static u32 nl_poll(struct socket *so, struct poll_table *pt)
{
	struct nlsock *s = so->priv;

	poll_wait(pt, &s->wait);
	return POLL_OUT | (READ_ONCE(s->nr) ? POLL_IN : 0);
}

static long nl_ioctl(struct socket *so, unsigned cmd, unsigned long arg)
{
	(void)so;
	return netdev_ioctl(cmd, arg);
}

static void nl_release(struct socket *so)
{
	struct nlsock *s = so->priv;
	struct chunk *c;

	while ((c = take(s, false)))
		page_free(c, 1);
	slab_free(&nlsock_slab, s);
}

static const struct sock_ops netlink_ops = {
	.bind = nl_bind,
	.connect = nl_connect,
	.name = nl_name,
	.send = nl_send,
	.recv = nl_recv,
	.setopt = nl_setopt,
	.getopt = nl_getopt,
	.poll = nl_poll,
	.ioctl = nl_ioctl,
	.release = nl_release,
};

int netlink_socket_create(int type, int protocol, unsigned flags, struct file **out)
{
	struct nlsock *s;
	int err;

	if (type != 2 && type != 3)
		return -ESOCKTNOSUPPORT;
	if (protocol != NETLINK_ROUTE && protocol != NETLINK_KOBJECT_UEVENT && protocol != NETLINK_SOCK_DIAG)
		return -EPROTONOSUPPORT;
	s = slab_zalloc(&nlsock_slab);
	if (!s)
		return -ENOMEM;
	s->protocol = protocol;
	list_init(&s->queue);
	waitq_init(&s->wait);
	s->rcvbuf = s->sndbuf = 212992;
	err = socket_file_create(&netlink_ops, F_NETLINK, type, protocol, s, flags, out);
	if (err)
		slab_free(&nlsock_slab, s);
	return err;
}
