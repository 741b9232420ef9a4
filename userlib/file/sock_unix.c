/* SPDX-License-Identifier: MIT */
/*
 * AF_UNIX sockets (unix(7)): names, connections, options. Data: sock_unix_io.c.
 *
 * unix_lock (spinlock) covers peers, names, pending connections of all of them; below it only qlock, and only in the collector
 * (sock_unix_gc.c, whose flight_lock is above both). A usock lives by
 * its file, by being somebody's peer, by being pending, and by look-ups.
 */
#include "userlib/file/sock_unix.h"
#include "base/hash.h"
#include "userlib/base/string.h"
#include "userlib/file/file_internal.h"
#include <linux/un.h>

#define BUCKETS 64u
#define DEFAULT_BUF 212992u
#define MAX_BUF (4 * 1024 * 1024u)
#define AF_UNIX 1
#define NAME_HEAD offsetof(struct sockaddr_un, sun_path)

struct spinlock unix_lock = SPINLOCK_INIT;
static struct list abstract[BUCKETS]; /* [unix_lock] zeroed = empty */
static struct list all_socks = LIST_INIT(all_socks); /* [unix_lock] usock.all_node */
static struct slab usock_slab = SLAB_INIT("unix_sock", struct usock);
static const struct sock_ops unix_ops;

static struct usock *usock_alloc(int type)
{
	struct usock *u = slab_zalloc(&usock_slab);

	if (!u)
		return NULL;
	ref_init(&u->ref);
	u->type = type;
	list_init(&u->queue);
	list_init(&u->pending);
	list_init(&u->pending_node);
	list_init(&u->hash_node);
	list_init(&u->all_node);
	list_init(&u->wake_list);
	list_init(&u->wake_node);
	list_init(&u->flight_node);
	mutex_init(&u->read_lock);
	waitq_init(&u->wait);
	waitq_init(&u->space);
	u->rcvbuf = u->sndbuf = DEFAULT_BUF;
	u->rcvlowat = 1;
	spin_lock(&unix_lock);
	list_add_tail(&all_socks, &u->all_node);
	spin_unlock(&unix_lock);
	return u;
}

void unix_put(struct usock *u)
{
	if (!ref_put(&u->ref))
		return;
	spin_lock(&unix_lock);
	list_del(&u->all_node);
	spin_unlock(&unix_lock);
	(void)unix_purge(u);
	slab_free(&usock_slab, u);
}

struct usock *unix_peer_get(struct usock *u)
{
	struct usock *p;

	spin_lock(&unix_lock);
	p = u->peer;
	if (p)
		ref_get(&p->ref);
	spin_unlock(&unix_lock);
	return p;
}

static void set_peer(struct usock *u, struct usock *p)
{
	struct usock *old;

	if (p)
		ref_get(&p->ref);
	spin_lock(&unix_lock);
	old = u->peer;
	u->peer = p;
	list_del(&u->wake_node);
	spin_unlock(&unix_lock);
	if (old)
		unix_put(old);
}

void unix_wake_writers(struct usock *u)
{
	struct usock *w;

	do {
		w = NULL;
		spin_lock(&unix_lock);
		if (!list_empty(&u->wake_list)) {
			w = list_first(&u->wake_list, struct usock, wake_node);
			list_del(&w->wake_node);
			ref_get(&w->ref); /* listed ones have not been released */
		}
		spin_unlock(&unix_lock);
		if (w) {
			waitq_wake(&w->wait, POLL_OUT);
			unix_put(w);
		}
	} while (w);
}

/* ---- names ---- */

static bool is_abstract(const u8 *name, u32 len)
{
	return len > NAME_HEAD && name[NAME_HEAD] == 0;
}

static struct list *bucket(const u8 *name, u32 len)
{
	struct list *b = &abstract[hash_bytes(name, len) & (BUCKETS - 1)];

	if (!b->next)
		list_init(b);
	return b;
}

/* unix_lock held. */
static struct usock *find_abstract(const u8 *name, u32 len)
{
	struct usock *u;

	list_for_each(u, bucket(name, len), hash_node)
		if (u->name_len == len && !memcmp(u->name, name, len))
			return u;
	return NULL;
}

static int bind_abstract(struct usock *u, const u8 *name, u32 len)
{
	int r = 0;

	spin_lock(&unix_lock);
	if (u->name_len) {
		r = -EINVAL;
	} else if (find_abstract(name, len)) {
		r = -EADDRINUSE;
	} else {
		memcpy(u->name, name, len);
		u->name_len = len;
		list_add(bucket(name, len), &u->hash_node);
	}
	spin_unlock(&unix_lock);
	return r;
}

static int autobind(struct usock *u)
{
	u8 name[NAME_HEAD + 8] = { AF_UNIX, 0 };

	if (load_relaxed(&u->name_len))
		return 0;
	for (int tries = 0; tries < 1000; tries++) {
		int r;

		fmt((char *)name + NAME_HEAD + 1, 6, "%05x", random_u32() & 0xfffff);
		r = bind_abstract(u, name, NAME_HEAD + 6);
		if (r != -EADDRINUSE)
			return r;
	}
	return -ENOSPC;
}

static int unix_bind(struct socket *s, const struct sock_addr *a)
{
	struct usock *u = s->priv;
	struct inode *i;
	int r = 0;

	if (a->len == NAME_HEAD)
		return autobind(u);
	if (is_abstract(a->bytes, a->len))
		return bind_abstract(u, a->bytes, a->len);
	if (!a->path.mnt)
		return -EINVAL;
	i = path_inode(&a->path);
	mutex_lock(&i->lock);
	spin_lock(&unix_lock);
	if (u->name_len) {
		r = -EINVAL;
	} else {
		/* The stored name ends with its zero, as getsockname shows it. */
		u32 len = (u32)(NAME_HEAD + strnlen((const char *)a->bytes + NAME_HEAD, a->len - NAME_HEAD));

		memcpy(u->name, a->bytes, len);
		u->name[len] = 0;
		u->name_len = len + 1;
		u->path = a->path;
		i->bound_sock = u;
	}
	spin_unlock(&unix_lock);
	if (!r)
		path_get(&a->path);
	mutex_unlock(&i->lock);
	return r;
}

int unix_lookup(const struct sock_addr *a, struct usock **out)
{
	struct usock *u = NULL;

	if (is_abstract(a->bytes, a->len)) {
		spin_lock(&unix_lock);
		u = find_abstract(a->bytes, a->len);
		if (u && !ref_get_unless_zero(&u->ref))
			u = NULL;
		spin_unlock(&unix_lock);
	} else if (a->path.mnt) {
		struct inode *i = path_inode(&a->path);

		mutex_lock(&i->lock);
		u = i->bound_sock;
		if (u && !ref_get_unless_zero(&u->ref))
			u = NULL;
		mutex_unlock(&i->lock);
	} else {
		return -EINVAL;
	}
	if (u && load_relaxed(&u->closed)) {
		unix_put(u);
		u = NULL;
	}
	*out = u;
	return u ? 0 : -ECONNREFUSED;
}

static void unbind(struct usock *u)
{
	spin_lock(&unix_lock);
	list_del(&u->hash_node);
	spin_unlock(&unix_lock);
	if (u->path.mnt) {
		struct inode *i = path_inode(&u->path);

		mutex_lock(&i->lock);
		if (i->bound_sock == u)
			i->bound_sock = NULL;
		mutex_unlock(&i->lock);
		path_put(&u->path);
	}
}

static int unix_name(struct socket *s, bool peer, struct sock_addr *out)
{
	struct usock *u = s->priv, *p = NULL, *who = u;

	if (peer) {
		p = who = unix_peer_get(u);
		if (!p)
			return -ENOTCONN;
	}
	spin_lock(&unix_lock);
	out->len = who->name_len;
	memcpy(out->bytes, who->name, who->name_len);
	spin_unlock(&unix_lock);
	if (!out->len) {
		out->len = NAME_HEAD;
		memset(out->bytes, 0, NAME_HEAD);
		out->bytes[0] = AF_UNIX;
	}
	if (p)
		unix_put(p);
	return 0;
}

/* ---- connections ---- */

static int unix_listen(struct socket *s, int backlog, const struct sock_cred *c)
{
	struct usock *u = s->priv;

	if (u->type == US_DGRAM)
		return -EOPNOTSUPP;
	if (!load_relaxed(&u->name_len) || load_relaxed(&u->was_connected))
		return -EINVAL;
	if (backlog < 0 || backlog > 4096)
		backlog = 4096;
	spin_lock(&unix_lock);
	u->backlog = (u32)backlog;
	u->own_cred = *c;
	u->listening = 1;
	spin_unlock(&unix_lock);
	waitq_wake_everyone(&u->space);
	return 0;
}

static bool backlog_full(const struct usock *l)
{
	return READ_ONCE(l->nr_pending) > READ_ONCE(l->backlog);
}

/* Puts the server's end on the listener's list. 0, 1 full, -ECONNREFUSED, -EISCONN. */
static int try_connect(struct usock *u, struct usock *l, struct usock *n)
{
	int r = 0;

	spin_lock(&unix_lock);
	if (!l->listening || l->closed || (l->shut & US_SHUT_RD)) {
		r = -ECONNREFUSED;
	} else if (u->listening) {
		r = -EINVAL;
	} else if (u->was_connected) {
		r = -EISCONN;
	} else if (backlog_full(l)) {
		r = 1;
	} else {
		memcpy(n->name, l->name, l->name_len);
		n->name_len = l->name_len;
		u->peer_cred = l->own_cred;
		n->peer = u;
		u->peer = n;
		ref_get(&u->ref);
		ref_get(&n->ref);
		n->was_connected = 1;
		u->was_connected = 1;
		ref_get(&n->ref);
		list_add_tail(&l->pending, &n->pending_node);
		l->nr_pending++;
	}
	spin_unlock(&unix_lock);
	return r;
}

static int connect_stream(struct usock *u, struct usock *l, bool nonblock, const struct sock_cred *c)
{
	struct usock *n = usock_alloc(u->type);
	int r;

	if (!n)
		return -ENOMEM;
	n->peer_cred = *c;
	n->passcred = l->passcred;
	for (;;) {
		r = try_connect(u, l, n);
		if (r <= 0)
			break;
		if (nonblock) {
			r = -EAGAIN;
			break;
		}
		r = wait_event(&l->space, WAKE_ALL, false, !backlog_full(l) || load_relaxed(&l->closed),
			       u->sndtimeo ? clock_monotonic_ns() + u->sndtimeo : TIME_FOREVER, true);
		if (r) {
			r = r == -ETIMEDOUT ? -EAGAIN : r;
			break;
		}
	}
	if (!r) {
		waitq_wake(&l->wait, POLL_IN);
		waitq_wake(&u->wait, POLL_OUT);
	}
	unix_put(n);
	return r;
}

static int unix_connect(struct socket *s, const struct sock_addr *a, bool nonblock, const struct sock_cred *c)
{
	struct usock *u = s->priv, *to;
	u16 family;
	int r;

	memcpy(&family, a->bytes, 2);
	if (family == 0 && u->type == US_DGRAM) { /* AF_UNSPEC */
		set_peer(u, NULL);
		return 0;
	}
	if (family != AF_UNIX)
		return -EINVAL;
	if (load_relaxed(&u->passcred) && u->type == US_DGRAM)
		(void)autobind(u);
	r = unix_lookup(a, &to);
	if (r)
		return r;
	if (to->type != u->type) {
		r = -EPROTOTYPE;
	} else if (u->type == US_DGRAM) {
		set_peer(u, to);
		store_relaxed(&u->was_connected, 1u);
		waitq_wake(&u->wait, POLL_OUT);
	} else {
		r = connect_stream(u, to, nonblock, c);
	}
	unix_put(to);
	return r;
}

static struct usock *take_pending(struct usock *l)
{
	struct usock *n = NULL;

	spin_lock(&unix_lock);
	if (!list_empty(&l->pending)) {
		n = list_first(&l->pending, struct usock, pending_node);
		list_del(&n->pending_node);
		l->nr_pending--;
	}
	spin_unlock(&unix_lock);
	return n;
}

static int unix_accept(struct socket *s, bool nonblock, unsigned flags, struct file **out)
{
	struct usock *l = s->priv, *n;
	int r;

	if (l->type == US_DGRAM)
		return -EOPNOTSUPP;
	if (!load_relaxed(&l->listening))
		return -EINVAL;
	n = take_pending(l);
	if (!n) {
		if (nonblock)
			return -EAGAIN;
		r = wait_event(&l->wait, EPOLLIN, true, (n = take_pending(l)) || (load_relaxed(&l->shut) & US_SHUT_RD),
			       l->rcvtimeo ? clock_monotonic_ns() + l->rcvtimeo : TIME_FOREVER, true);
		if (r)
			return r == -ETIMEDOUT ? -EAGAIN : r;
		if (!n)
			return -EINVAL;
	}
	waitq_wake_everyone(&l->space);
	r = socket_file_create(&unix_ops, AF_UNIX, l->type, 0, n, flags, out);
	if (!r) {
		store_relaxed(&n->ino, file_socket(*out)->id);
	} else {
		struct socket dead = { .priv = n };

		unix_ops.release(&dead);
	}
	return r;
}

static int unix_shutdown(struct socket *s, int how)
{
	struct usock *u = s->priv, *p;
	u32 bits = (u32)how + 1; /* SHUT_RD 0, SHUT_WR 1, SHUT_RDWR 2 */

	if (u->type != US_DGRAM && !load_relaxed(&u->was_connected) && !load_relaxed(&u->listening))
		return -ENOTCONN;
	p = unix_peer_get(u);
	atomic_fetch_or(&u->shut, bits);
	if (p && u->type != US_DGRAM)
		atomic_fetch_or(&p->shut, (bits & US_SHUT_RD ? US_SHUT_WR : 0) | (bits & US_SHUT_WR ? US_SHUT_RD : 0));
	waitq_wake_everyone(&u->wait);
	waitq_wake_everyone(&u->space);
	if (p) {
		waitq_wake_everyone(&p->wait);
		waitq_wake_everyone(&p->space);
		unix_put(p);
	}
	return 0;
}

static void unix_release(struct socket *s)
{
	struct usock *u = s->priv, *p, *n;
	bool unread;

	unbind(u);
	spin_lock(&unix_lock);
	u->closed = 1;
	u->listening = 0;
	p = u->peer;
	u->peer = NULL;
	list_del(&u->wake_node);
	spin_unlock(&unix_lock);
	while ((n = take_pending(u))) {
		struct socket dead = { .priv = n };

		unix_release(&dead); /* its peer sees the end; depth is one: pending sockets do not listen */
	}
	unread = unix_purge(u);
	if (p) {
		if (unread && u->type != US_DGRAM)
			store_relaxed(&p->err, ECONNRESET);
		waitq_wake_everyone(&p->wait);
		waitq_wake_everyone(&p->space);
		unix_put(p);
	}
	waitq_wake_everyone(&u->wait);
	waitq_wake_everyone(&u->space);
	unix_wake_writers(u);
	unix_put(u);
	unix_collect();
}

/* ---- /proc/net/unix ---- */

static int show_one(const struct usock *u, char *buf, size_t size)
{
	unsigned state = load_relaxed(&u->ino) ? (u->was_connected && u->type != US_DGRAM ? 3 : 1) : 2; /* SS_* */
	u32 len = u->name_len > NAME_HEAD ? u->name_len - NAME_HEAD : 0;
	int n = fmt(buf, size, "%016x: %08X %08X %08X %04X %02X %5lu%s", 0, u->ref.count, 0, u->listening ? 0x10000 : 0, u->type, state,
		    load_relaxed(&u->ino), len ? " " : "");
	bool abstract_name = len && !u->name[NAME_HEAD];

	if (len && !abstract_name)
		len--; /* its zero */
	for (u32 i = 0; i <= len; i++, n++)
		if ((size_t)n < size)
			buf[n] = i == len ? '\n' : u->name[NAME_HEAD + i] ? (char)u->name[NAME_HEAD + i] : '@';
	return n;
}

int unix_show(char *buf, size_t size)
{
	int n = fmt(buf, size, "Num       RefCount Protocol Flags    Type St Inode Path\n");
	struct usock *u;

	spin_lock(&unix_lock);
	list_for_each(u, &all_socks, all_node)
		n += show_one(u, (size_t)n < size ? buf + n : buf, (size_t)n < size ? size - (size_t)n : 0);
	spin_unlock(&unix_lock);
	return n;
}

/* ---- options ---- */

#define O_REUSEADDR 2
#define O_TYPE 3
#define O_ERROR 4
#define O_BROADCAST 6
#define O_SNDBUF 7
#define O_RCVBUF 8
#define O_KEEPALIVE 9
#define O_PRIORITY 12
#define O_LINGER 13
#define O_REUSEPORT 15
#define O_PASSCRED 16
#define O_PEERCRED 17
#define O_RCVLOWAT 18
#define O_RCVTIMEO 20
#define O_SNDTIMEO 21
#define O_PEERNAME 28
#define O_ACCEPTCONN 30
#define O_SNDBUFFORCE 32
#define O_RCVBUFFORCE 33
#define O_PROTOCOL 38
#define O_DOMAIN 39

static int set_buf(u32 *p, int v, u32 min)
{
	u32 n = v < 0 || (u32)v > MAX_BUF / 2 ? MAX_BUF : (u32)v * 2;

	store_relaxed(p, MAX(n, min));
	return 0;
}

static int set_timeo(s64 *p, const void *val, u32 len)
{
	s64 tv[2];

	if (len < sizeof(tv))
		return -EINVAL;
	memcpy(tv, val, sizeof(tv));
	if (tv[1] < 0 || tv[1] >= 1000000)
		return -EDOM;
	*p = tv[0] < 0 ? 0 : tv[0] > 1000000000 ? 0 : tv[0] * NSEC_PER_SEC + tv[1] * NSEC_PER_USEC;
	return 0;
}

static int unix_setopt(struct socket *s, int level, int name, const void *val, u32 len)
{
	struct usock *u = s->priv;
	int v;

	if (level != 1)
		return -EOPNOTSUPP;
	if (len < sizeof(v))
		return -EINVAL;
	memcpy(&v, val, sizeof(v));
	switch (name) {
	case O_SNDBUF:
	case O_SNDBUFFORCE:
		return set_buf(&u->sndbuf, v, 4608);
	case O_RCVBUF:
	case O_RCVBUFFORCE:
		return set_buf(&u->rcvbuf, v, 2304);
	case O_PASSCRED:
		store_relaxed(&u->passcred, v != 0);
		return 0;
	case O_RCVTIMEO:
		return set_timeo(&u->rcvtimeo, val, len);
	case O_SNDTIMEO:
		return set_timeo(&u->sndtimeo, val, len);
	case O_REUSEADDR: /* these mean nothing to unix sockets and are accepted by Linux */
	case O_REUSEPORT:
	case O_BROADCAST:
	case O_KEEPALIVE:
		if (v)
			(void)atomic_fetch_or(&u->told_opts, 1u << name);
		else
			(void)atomic_fetch_and(&u->told_opts, ~(1u << name));
		return 0;
	case O_PRIORITY:
		store_relaxed(&u->priority, (u32)v);
		return 0;
	case O_LINGER:
		if (len < sizeof(u->linger))
			return -EINVAL;
		memcpy(u->linger, val, sizeof(u->linger));
		u->linger[0] = u->linger[0] != 0;
		return 0;
	case O_RCVLOWAT:
		store_relaxed(&u->rcvlowat, v < 0 ? INT32_MAX : (u32)MAX(v, 1));
		return 0;
	default:
		return -ENOPROTOOPT;
	}
}

static int put_opt(void *val, u32 *len, const void *src, u32 n)
{
	*len = MIN(*len, n);
	memcpy(val, src, *len);
	return 0;
}

static int unix_getopt(struct socket *s, int level, int name, void *val, u32 *len)
{
	struct usock *u = s->priv;
	s64 tv[2];
	int v[1] = { 0 };

	if (level != 1)
		return -EOPNOTSUPP;
	switch (name) {
	case O_PEERCRED:
		return put_opt(val, len, &u->peer_cred, sizeof(u->peer_cred));
	case O_RCVTIMEO:
	case O_SNDTIMEO:
		tv[0] = (name == O_RCVTIMEO ? u->rcvtimeo : u->sndtimeo) / NSEC_PER_SEC;
		tv[1] = (name == O_RCVTIMEO ? u->rcvtimeo : u->sndtimeo) % NSEC_PER_SEC / NSEC_PER_USEC;
		return put_opt(val, len, tv, sizeof(tv));
	case O_LINGER:
		return put_opt(val, len, u->linger, sizeof(u->linger));
	case O_TYPE:
		v[0] = u->type;
		break;
	case O_DOMAIN:
		v[0] = AF_UNIX;
		break;
	case O_ERROR:
		v[0] = atomic_xchg(&u->err, 0);
		break;
	case O_SNDBUF:
		v[0] = (int)u->sndbuf;
		break;
	case O_RCVBUF:
		v[0] = (int)u->rcvbuf;
		break;
	case O_PASSCRED:
		v[0] = (int)u->passcred;
		break;
	case O_ACCEPTCONN:
		v[0] = (int)u->listening;
		break;
	case O_RCVLOWAT:
		v[0] = (int)u->rcvlowat;
		break;
	case O_PRIORITY:
		v[0] = (int)u->priority;
		break;
	case O_REUSEADDR:
	case O_REUSEPORT:
	case O_BROADCAST:
	case O_KEEPALIVE:
		v[0] = load_relaxed(&u->told_opts) >> name & 1;
		break;
	case O_PROTOCOL:
		break;
	default:
		return -ENOPROTOOPT;
	}
	return put_opt(val, len, v, sizeof(v[0]));
}

static long unix_ioctl(struct socket *s, unsigned cmd, unsigned long arg)
{
	(void)s;
	return netdev_ioctl(cmd, arg); /* if_nametoindex(3) asks a unix socket */
}

static const struct sock_ops unix_ops = {
	.bind = unix_bind,
	.connect = unix_connect,
	.listen = unix_listen,
	.accept = unix_accept,
	.name = unix_name,
	.send = unix_send,
	.recv = unix_recv,
	.shutdown = unix_shutdown,
	.setopt = unix_setopt,
	.getopt = unix_getopt,
	.poll = unix_poll,
	.bytes = unix_bytes,
	.ioctl = unix_ioctl,
	.release = unix_release,
};

struct usock *unix_of_file(const struct file *f)
{
	struct socket *s = file_is_socket(f) ? file_socket(f) : NULL;

	return s && s->ops == &unix_ops ? s->priv : NULL;
}

int unix_socket_create(int type, int protocol, unsigned flags, struct file **out)
{
	struct usock *u;
	int err;

	if (protocol && protocol != AF_UNIX)
		return -EPROTONOSUPPORT;
	if (type == 3) /* SOCK_RAW is SOCK_DGRAM here, as on Linux */
		type = US_DGRAM;
	if (type != US_STREAM && type != US_DGRAM && type != US_SEQPACKET)
		return -ESOCKTNOSUPPORT;
	u = usock_alloc(type);
	if (!u)
		return -ENOMEM;
	err = socket_file_create(&unix_ops, AF_UNIX, type, 0, u, flags, out);
	if (err)
		unix_put(u);
	else
		store_relaxed(&u->ino, file_socket(*out)->id);
	return err;
}

int unix_socket_pair(int type, unsigned flags, const struct sock_cred *c, struct file **a, struct file **b)
{
	struct usock *ua, *ub;
	int err = unix_socket_create(type, 0, flags, a);

	if (err)
		return err;
	err = unix_socket_create(type, 0, flags, b);
	if (err) {
		file_put(*a);
		return err;
	}
	ua = file_socket(*a)->priv;
	ub = file_socket(*b)->priv;
	set_peer(ua, ub);
	set_peer(ub, ua);
	ua->was_connected = ub->was_connected = 1;
	ua->peer_cred = ub->peer_cred = *c;
	return 0;
}
