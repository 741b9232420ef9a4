/* SPDX-License-Identifier: MIT */
/*
 * AF_NETLINK sockets: queues, groups, requests to the protocols. NETLINK_ROUTE (sock_netlink_route.c) and NETLINK_SOCK_DIAG
 * (sock_netlink_diag.c) answer; NETLINK_KOBJECT_UEVENT sockets exist and never receive anything. Locks: nl_lock (all sockets, memberships),
 * then a socket's lock; both short leaves.
 */
#include "userlib/file/netlink_internal.h"
#include "userlib/base/string.h"
#include <linux/rtnetlink.h>

#define F_NETLINK 16
#define MSG_PEEK_BIT 0x2u
#define MSG_CTRUNC_BIT 0x8u
#define MSG_TRUNC_BIT 0x20u
#define SOL_NETLINK_NR 270
#define REQUEST_TOLD_MAX 4096u
#define QUEUE_MAX 1024u /* datagrams of replies that nobody reads */
#define GROUPS_MAX 36u	/* RTNLGRP_MAX of Linux 6.1; more than it knows may not be joined */

static struct slab nlsock_slab = SLAB_INIT("netlink_sock", struct nlsock);
static u32 next_port = 0x80000000u;
static struct spinlock nl_lock;
static struct list nl_socks = LIST_INIT(nl_socks); /* [nl_lock] */
static u32 nr_members;				   /* [nl_lock] sockets of NETLINK_ROUTE with groups */

/* ---- writing ---- */

static void new_chunk(struct reply *r)
{
	r->c = page_alloc(1);
	if (!r->c) {
		r->err = -ENOBUFS;
		return;
	}
	r->c->len = r->c->group = 0;
	list_add_tail(&r->chunks, &r->c->link);
}

void *nl_put_raw(struct reply *r, const void *p, u32 len)
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

void nl_begin(struct reply *r, u16 type, const void *body, u32 len)
{
	struct nlmsghdr h = { .nlmsg_type = type, .nlmsg_flags = (u16)r->flags, .nlmsg_seq = r->seq, .nlmsg_pid = r->s ? r->s->port : 0 };

	if (!r->c || r->c->len > sizeof(r->c->data) - 1024)
		new_chunk(r);
	if (r->err)
		return;
	r->h = nl_put_raw(r, &h, sizeof(h));
	(void)nl_put_raw(r, body, len);
}

void nl_end(struct reply *r)
{
	if (!r->err)
		r->h->nlmsg_len = (u32)(r->c->data + r->c->len - (u8 *)r->h);
}

void nl_attr(struct reply *r, u16 type, const void *p, u32 len)
{
	struct rtattr a = { .rta_len = (u16)(sizeof(a) + len), .rta_type = type };

	(void)nl_put_raw(r, &a, sizeof(a));
	(void)nl_put_raw(r, p, len);
}

/* An error carries the whole request, unless NETLINK_CAP_ACK is set or there is no room for it. */
static void put_error(struct reply *r, const struct nlmsghdr *req, const u8 *body, u32 len, int err)
{
	struct nlmsgerr e = { .error = err, .msg = *req };
	bool whole = err && !(r->s->options & 1u << NETLINK_CAP_ACK) && len <= REQUEST_TOLD_MAX;

	r->flags = whole ? 0 : NLM_F_CAPPED;
	if (r->c && r->c->len + sizeof(*req) + sizeof(e) + len + 8 > sizeof(r->c->data))
		new_chunk(r);
	nl_begin(r, NLMSG_ERROR, &e, sizeof(e));
	if (whole)
		(void)nl_put_raw(r, body, len);
	nl_end(r);
}

/* ---- requests ---- */

void nl_done(struct reply *r, int err)
{
	nl_begin(r, NLMSG_DONE, &err, sizeof(err));
	nl_end(r);
}

const void *nl_find_attr(const u8 *p, u32 len, u16 type, u32 *size)
{
	struct rtattr a;

	for (u32 at = 0; len - at >= sizeof(a) && at <= len; at += RTA_ALIGN(a.rta_len)) {
		memcpy(&a, p + at, sizeof(a));
		if (a.rta_len < sizeof(a) || a.rta_len > len - at)
			break;
		if ((a.rta_type & NLA_TYPE_MASK) == type) {
			*size = a.rta_len - (u32)sizeof(a);
			return p + at + sizeof(a);
		}
	}
	*size = 0;
	return NULL;
}

static int request(struct reply *r, const struct nlmsghdr *h, const u8 *body, u32 len)
{
	if (h->nlmsg_type < NLMSG_MIN_TYPE)
		return 0;
	return r->s->protocol == NETLINK_SOCK_DIAG ? nl_diag_request(r, h, body, len) : nl_route_request(r, h, body, len);
}

static void handle(struct nlsock *s, const struct nlmsghdr *h, const u8 *body, u32 len)
{
	struct reply r = { .s = s, .seq = h->nlmsg_seq };
	int err;

	list_init(&r.chunks);
	err = request(&r, h, body, len);
	if (err || ((h->nlmsg_flags & NLM_F_ACK) && (h->nlmsg_flags & NLM_F_DUMP) != NLM_F_DUMP))
		put_error(&r, h, body, len, err);
	spin_lock(&s->lock);
	for (struct list *l = r.chunks.next; l != &r.chunks; l = l->next)
		s->nr++;
	list_splice_tail(&s->queue, &r.chunks);
	spin_unlock(&s->lock);
	waitq_wake(&s->wait, POLL_IN);
}

/* ---- groups ---- */

bool nl_has_members(void)
{
	return load_relaxed(&nr_members) != 0;
}

static void notice_put(struct nlsock *s, const struct chunk *from, u32 group)
{
	struct chunk *c = NULL;

	spin_lock(&s->lock);
	if ((s->nr + 1) * 512 <= s->rcvbuf)
		c = page_alloc(1);
	if (c) {
		memcpy(c->data, from->data, from->len);
		c->len = from->len;
		c->group = group;
		list_add_tail(&s->queue, &c->link);
		s->nr++;
	} else {
		s->overrun = !(s->options & 1u << NETLINK_NO_ENOBUFS);
	}
	spin_unlock(&s->lock);
	waitq_wake(&s->wait, POLL_IN);
}

void nl_multicast(struct reply *r, u32 group)
{
	struct chunk *c;
	struct nlsock *s;

	spin_lock(&nl_lock);
	list_for_each(c, &r->chunks, link)
		list_for_each(s, &nl_socks, all_link)
			if (s->protocol == NETLINK_ROUTE && s->groups >> (group - 1) & 1)
				notice_put(s, c, group);
	spin_unlock(&nl_lock);
	while (!list_empty(&r->chunks)) {
		c = list_first(&r->chunks, struct chunk, link);
		list_del(&c->link);
		page_free(c, 1);
	}
	r->c = NULL;
}

static void set_groups(struct nlsock *s, u64 add, u64 del)
{
	bool had, has;

	if (s->protocol == NETLINK_ROUTE && add)
		nl_route_watch();
	spin_lock(&nl_lock);
	had = s->groups != 0;
	s->groups = (s->groups & ~del) | add;
	has = s->groups != 0;
	if (s->protocol == NETLINK_ROUTE)
		nr_members += (u32)has - (u32)had;
	spin_unlock(&nl_lock);
}

static ssize nl_send(struct socket *so, struct sock_msg *m)
{
	struct nlsock *s = so->priv;
	size_t total = m->it->count, at = 0;
	u8 *buf;

	if (total > 32 * KiB)
		return -EMSGSIZE;
	if (READ_ONCE(s->nr) > QUEUE_MAX)
		return -ENOBUFS;
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

static struct chunk *take(struct nlsock *s)
{
	struct chunk *c = NULL;

	spin_lock(&s->lock);
	if (!list_empty(&s->queue)) {
		c = list_first(&s->queue, struct chunk, link);
		list_del(&c->link);
		s->nr--;
	}
	spin_unlock(&s->lock);
	return c;
}

static void put_back(struct nlsock *s, struct chunk *c)
{
	spin_lock(&s->lock);
	list_add(&s->queue, &c->link);
	s->nr++;
	spin_unlock(&s->lock);
}

static void put_pktinfo(struct sock_msg *m, u32 group)
{
	struct { u64 len; int level, type; u32 group, pad; } c = { 20, SOL_NETLINK_NR, NETLINK_PKTINFO, group, 0 };

	if (!m->ctl_out || m->ctl_room - m->ctl_used < 20) {
		m->out_flags |= MSG_CTRUNC_BIT;
		return;
	}
	memcpy(m->ctl_out + m->ctl_used, &c, MIN(sizeof(c), (size_t)(m->ctl_room - m->ctl_used)));
	m->ctl_used += MIN((u32)sizeof(c), m->ctl_room - m->ctl_used);
}

static ssize nl_recv(struct socket *so, struct sock_msg *m)
{
	struct nlsock *s = so->priv;
	bool peek = m->flags & MSG_PEEK_BIT;
	struct chunk *c;
	size_t want;
	ssize n;

	if (READ_ONCE(s->overrun)) {
		s->overrun = false;
		return -ENOBUFS;
	}
	c = take(s);
	if (!c) {
		if (m->nonblock)
			return -EAGAIN;
		n = wait_event(&s->wait, EPOLLIN, true, (c = take(s)), s->rcvtimeo ? clock_monotonic_ns() + s->rcvtimeo : TIME_FOREVER,
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
		struct sockaddr_nl a = { .nl_family = F_NETLINK, .nl_groups = c->group && c->group <= 32 ? 1u << (c->group - 1) : 0 };

		memcpy(m->addr->bytes, &a, sizeof(a));
		m->addr->len = sizeof(a);
	}
	if (n >= 0 && s->options & 1u << NETLINK_PKTINFO)
		put_pktinfo(m, c->group);
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
	if (s->port && s->port != n.nl_pid)
		return -EINVAL;
	if (!s->port)
		s->port = n.nl_pid ? n.nl_pid : (u32)proc_hooks->current_tgid();
	set_groups(s, n.nl_groups, s->groups & 0xffffffffu & ~(u64)n.nl_groups);
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
	struct sockaddr_nl a = { .nl_family = F_NETLINK, .nl_pid = peer ? 0 : s->port, .nl_groups = peer ? 0 : (u32)s->groups };

	memcpy(out->bytes, &a, sizeof(a));
	out->len = sizeof(a);
	return 0;
}

/* SOL_NETLINK */
static int set_netlink(struct nlsock *s, int name, u32 v)
{
	switch (name) {
	case NETLINK_ADD_MEMBERSHIP:
	case NETLINK_DROP_MEMBERSHIP:
		if (!v || v > GROUPS_MAX)
			return -EINVAL;
		set_groups(s, name == NETLINK_ADD_MEMBERSHIP ? 1ull << (v - 1) : 0, name == NETLINK_ADD_MEMBERSHIP ? 0 : 1ull << (v - 1));
		return 0;
	case NETLINK_BROADCAST_ERROR: /* a notice that a receiver loses is never its sender's error: programs send none */
	case NETLINK_NO_ENOBUFS:
	case NETLINK_EXT_ACK: /* no more is said than the errno, as when Linux has nothing to add */
	case NETLINK_CAP_ACK:
	case NETLINK_GET_STRICT_CHK:
	case NETLINK_PKTINFO:
		s->options = v ? s->options | 1u << name : s->options & ~(1u << name);
		return 0;
	default:
		return -ENOPROTOOPT;
	}
}

static int nl_setopt(struct socket *so, int level, int name, const void *val, u32 len)
{
	struct nlsock *s = so->priv;
	s64 tv[2];
	u32 v = 0;

	if (len < sizeof(v) && level != SOL_NETLINK_NR)
		return -EINVAL;
	memcpy(&v, val, len < sizeof(v) ? 0 : sizeof(v)); /* a short one of netlink's stands for 0 */
	if (level == 1 && (name == 7 || name == 32)) {
		s->sndbuf = v * 2;
	} else if (level == 1 && (name == 8 || name == 33)) {
		s->rcvbuf = v * 2;
	} else if (level == 1 && name == 20 && len >= sizeof(tv)) {
		memcpy(tv, val, sizeof(tv));
		s->rcvtimeo = tv[0] > 0 || tv[1] > 0 ? tv[0] * NSEC_PER_SEC + tv[1] * NSEC_PER_USEC : 0;
	} else if (level == SOL_NETLINK_NR) {
		return set_netlink(s, name, v);
	} else if (!(level == 1 && (name == 16 || name == 21 || name == 2))) {
		return -ENOPROTOOPT;
	}
	return 0;
}

static int get_netlink(const struct nlsock *s, int name, void *val, u32 *len)
{
	int v;

	switch (name) {
	case NETLINK_LIST_MEMBERSHIPS:
		memcpy(val, &s->groups, MIN(*len, (u32)sizeof(s->groups)));
		*len = sizeof(s->groups);
		return 0;
	case NETLINK_PKTINFO:
	case NETLINK_BROADCAST_ERROR:
	case NETLINK_NO_ENOBUFS:
	case NETLINK_EXT_ACK:
	case NETLINK_CAP_ACK:
	case NETLINK_GET_STRICT_CHK:
		v = s->options >> name & 1;
		break;
	default:
		return -ENOPROTOOPT;
	}
	if (*len < sizeof(v))
		return -EINVAL;
	*len = sizeof(v);
	memcpy(val, &v, sizeof(v));
	return 0;
}

static int nl_getopt(struct socket *so, int level, int name, void *val, u32 *len)
{
	struct nlsock *s = so->priv;
	int v;

	if (level == SOL_NETLINK_NR)
		return get_netlink(s, name, val, len);
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
	return POLL_OUT | (READ_ONCE(s->nr) || READ_ONCE(s->overrun) ? POLL_IN : 0) | (READ_ONCE(s->overrun) ? EPOLLERR : 0);
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

	set_groups(s, 0, ~0ull);
	spin_lock(&nl_lock);
	list_del(&s->all_link);
	spin_unlock(&nl_lock);
	while ((c = take(s)))
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
	spin_lock(&nl_lock);
	list_add_tail(&nl_socks, &s->all_link);
	spin_unlock(&nl_lock);
	err = socket_file_create(&netlink_ops, F_NETLINK, type, protocol, s, flags, out);
	if (err) {
		spin_lock(&nl_lock);
		list_del(&s->all_link);
		spin_unlock(&nl_lock);
		slab_free(&nlsock_slab, s);
	}
	return err;
}
