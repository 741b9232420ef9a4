/* SPDX-License-Identifier: MIT */
/*
 * Messages of unix sockets: one queue per receiver. Descriptors in flight are bounded; they are closed from a list, not recursively, since
 * a closed socket's queue may hold the last reference to the next socket.
 */
#include "userlib/base/string.h"
#include "userlib/file/file_internal.h"
#include "userlib/file/sock_unix.h"

#define CHUNK (32 * KiB)
#define MSG_PEEK_BIT 0x2u
#define MSG_TRUNC_BIT 0x20u
#define MSG_DONTWAIT_BIT 0x40u
#define MSG_WAITALL_BIT 0x100u
#define MAX_DGRAMS 512u

static struct spinlock dead_lock = SPINLOCK_INIT;
static struct list dead = LIST_INIT(dead); /* [dead_lock] messages whose files are to be put */
static bool draining;			   /* [dead_lock] */

/* What a datagram weighs for its sender: about a Linux skb's truesize. */
static u32 weight(const struct umsg *b)
{
	return 256 + ROUND_UP(b->size + 320, 512);
}

/* A sender that waited for its datagrams to be read: poll says so when a quarter of the buffer is in use. */
static bool wmem_low(const struct usock *u)
{
	return READ_ONCE(u->wmem) * 4ull <= READ_ONCE(u->sndbuf);
}

static void free_mem(struct umsg *b)
{
	struct usock *u = b->sender;

	if (u) {
		atomic_fetch_sub(&u->wmem, weight(b));
		if (wmem_low(u))
			waitq_wake(&u->wait, POLL_OUT);
		unix_put(u);
	}
	if (b->files)
		kmem_free(b->files, SCM_MAX_FDS * sizeof(*b->files));
	kmem_free(b, sizeof(*b) + b->size);
}

void unix_free_msg(struct umsg *b)
{
	if (!b->nr_files) {
		free_mem(b);
		return;
	}
	unix_flight_end(b->files, b->nr_files);
	spin_lock(&dead_lock);
	list_add_tail(&dead, &b->link);
	if (draining) {
		spin_unlock(&dead_lock);
		return;
	}
	draining = true;
	while (!list_empty(&dead)) {
		b = list_first(&dead, struct umsg, link);
		list_del(&b->link);
		spin_unlock(&dead_lock);
		for (u32 i = 0; i < b->nr_files; i++)
			file_put(b->files[i]);
		free_mem(b);
		spin_lock(&dead_lock);
	}
	draining = false;
	spin_unlock(&dead_lock);
}

bool unix_purge(struct usock *u)
{
	struct list all;
	bool any;

	list_init(&all);
	spin_lock(&u->qlock);
	list_splice_tail(&all, &u->queue);
	u->queued = u->nr_queued = 0;
	spin_unlock(&u->qlock);
	any = !list_empty(&all);
	while (!list_empty(&all)) {
		struct umsg *b = list_first(&all, struct umsg, link);

		list_del(&b->link);
		unix_free_msg(b);
	}
	return any;
}

/* ---- sending ---- */

/* Datagram queues are bounded in number here and in bytes by what each sender may have outstanding. */
static bool has_room(const struct usock *to)
{
	if (to->type == US_DGRAM)
		return READ_ONCE(to->nr_queued) <= MAX_DGRAMS;
	return READ_ONCE(to->queued) < READ_ONCE(to->rcvbuf);
}

/* A message with the next `len` bytes. Descriptors are moved in when it is queued. */
static int make_msg(struct usock *u, struct sock_msg *m, size_t len, struct umsg **out)
{
	struct umsg *b = kmem_alloc(sizeof(*b) + len);
	ssize n;

	if (!b)
		return -ENOBUFS;
	memset(b, 0, sizeof(*b));
	b->size = b->len = (u32)len;
	b->cred = m->cred;
	n = len ? iter_copy_from(m->it, b->data, len) : 0;
	if (n != (ssize)len) {
		if (n > 0)
			iter_revert(m->it, (size_t)n);
		free_mem(b);
		return -EFAULT;
	}
	if (u->type == US_DGRAM) {
		spin_lock(&unix_lock);
		b->from_len = u->name_len;
		memcpy(b->from, u->name, u->name_len);
		spin_unlock(&unix_lock);
		ref_get(&u->ref);
		b->sender = u;
		atomic_fetch_add(&u->wmem, weight(b));
	}
	if (m->nr_files) {
		b->files = kmem_alloc(SCM_MAX_FDS * sizeof(*b->files));
		if (!b->files) {
			free_mem(b);
			return -ENOBUFS;
		}
	}
	*out = b;
	return 0;
}

static void move_files(struct umsg *b, struct sock_msg *m)
{
	memcpy(b->files, m->files, m->nr_files * sizeof(*b->files));
	b->nr_files = m->nr_files;
	m->nr_files = 0;
}

static bool gone(const struct usock *to)
{
	return load_relaxed(&to->closed) || (load_relaxed(&to->shut) & US_SHUT_RD);
}

/* 0 queued, 1 no room, -EPIPE. */
static int enqueue(struct usock *to, struct umsg *b)
{
	int r = 0;

	spin_lock(&to->qlock);
	if (gone(to)) {
		r = -EPIPE;
	} else if (!has_room(to)) {
		r = 1;
	} else {
		list_add_tail(&to->queue, &b->link);
		WRITE_ONCE(to->queued, to->queued + b->size + 256);
		WRITE_ONCE(to->nr_queued, to->nr_queued + 1);
	}
	spin_unlock(&to->qlock);
	return r;
}

static s64 timeout_deadline(s64 timeo)
{
	return timeo ? clock_monotonic_ns() + timeo : TIME_FOREVER;
}

/* signal(7): a call on a socket with a timeout set is never restarted. */
static int waited(int r, s64 deadline)
{
	if (r == -ETIMEDOUT)
		return -EAGAIN;
	return r == -ERESTARTSYS && deadline != TIME_FOREVER ? -EINTR : r;
}

/* Stream senders are bounded by the queue they fill. */
static bool wmem_fits(const struct usock *u)
{
	return u->type != US_DGRAM || READ_ONCE(u->wmem) < READ_ONCE(u->sndbuf);
}

/* own: what counts is what a datagram sender has outstanding, else the room at `to`. */
static int wait_room(struct usock *u, struct usock *to, struct sock_msg *m, s64 deadline, bool own)
{
	struct waitq *q = u->type == US_DGRAM && !own ? &to->space : &u->wait;
	int r;

	if (m->nonblock || (m->flags & MSG_DONTWAIT_BIT))
		return -EAGAIN;
	r = wait_event(q, WAKE_ALL, false,
		       (own ? wmem_fits(u) : has_room(to)) || gone(to) || (load_relaxed(&u->shut) & US_SHUT_WR), deadline, true);
	return waited(r, deadline);
}

/* Queues b (all of it) at `to`. Takes b. */
static int deliver(struct usock *u, struct usock *to, struct umsg *b, struct sock_msg *m, s64 deadline)
{
	u32 nr = m->nr_files;
	int r;

	if (nr) {
		r = unix_flight_begin(m->files, nr);
		if (r) {
			free_mem(b);
			return r;
		}
		move_files(b, m);
	}
	for (;;) {
		r = load_relaxed(&u->shut) & US_SHUT_WR ? -EPIPE : enqueue(to, b);
		if (r <= 0)
			break;
		r = wait_room(u, to, m, deadline, false);
		if (r)
			break;
	}
	if (r) {
		if (nr) { /* they stay the caller's */
			m->nr_files = nr;
			unix_flight_end(b->files, nr);
			b->nr_files = 0;
		}
		free_mem(b);
		return r;
	}
	waitq_wake(&to->wait, POLL_IN);
	return 0;
}

static ssize send_stream(struct usock *u, struct usock *to, struct sock_msg *m)
{
	s64 deadline = timeout_deadline(u->sndtimeo);
	ssize done = 0;
	int r = 0;

	if (gone(to) || (load_relaxed(&u->shut) & US_SHUT_WR))
		return -EPIPE;
	while (m->it->count) {
		size_t n = MIN(m->it->count, CHUNK);
		struct umsg *b;

		if (!has_room(to) && !gone(to)) {
			r = wait_room(u, to, m, deadline, false);
			if (r)
				break;
		}
		r = make_msg(u, m, n, &b);
		if (!r) {
			r = deliver(u, to, b, m, deadline);
			if (r)
				iter_revert(m->it, n);
		}
		if (r)
			break;
		done += (ssize)n;
	}
	return done ? done : r;
}

static ssize send_packet(struct usock *u, struct usock *to, struct sock_msg *m)
{
	size_t n = m->it->count;
	struct umsg *b;
	int r;

	if (n > u->sndbuf)
		return -EMSGSIZE;
	while (!wmem_fits(u) && !gone(to)) {
		r = wait_room(u, to, m, timeout_deadline(u->sndtimeo), true);
		if (r)
			return r;
	}
	r = make_msg(u, m, n, &b);
	if (!r)
		r = deliver(u, to, b, m, timeout_deadline(u->sndtimeo));
	return r ? r : (ssize)n;
}

static int pick_target(struct usock *u, struct sock_msg *m, struct usock **to)
{
	int err;

	if (m->addr && u->type == US_DGRAM) {
		err = unix_lookup(m->addr, to);
		if (!err && (*to)->type != US_DGRAM) {
			unix_put(*to);
			err = -EPROTOTYPE;
		}
		return err;
	}
	if (m->addr)
		return load_relaxed(&u->was_connected) ? -EISCONN : -EOPNOTSUPP;
	*to = unix_peer_get(u);
	if (*to)
		return 0;
	if (u->type == US_DGRAM)
		return -ENOTCONN;
	return load_relaxed(&u->was_connected) ? -EPIPE : -ENOTCONN;
}

ssize unix_send(struct socket *s, struct sock_msg *m)
{
	struct usock *u = s->priv, *to;
	int err = atomic_xchg(&u->err, 0);
	ssize r;

	if (m->flags & 1) /* MSG_OOB */
		return -EOPNOTSUPP;
	if (err)
		return -err;
	err = pick_target(u, m, &to);
	if (err)
		return err;
	r = u->type == US_STREAM ? send_stream(u, to, m) : send_packet(u, to, m);
	if (r == -EPIPE && u->type == US_DGRAM && !(load_relaxed(&u->shut) & US_SHUT_WR))
		r = load_relaxed(&to->closed) ? -ECONNREFUSED : -EPIPE;
	unix_put(to);
	return r;
}

/* ---- receiving ---- */

static struct umsg *head(struct usock *u)
{
	struct umsg *b = NULL;

	spin_lock(&u->qlock);
	if (!list_empty(&u->queue))
		b = list_first(&u->queue, struct umsg, link);
	spin_unlock(&u->qlock);
	return b;
}

static void unlink_head(struct usock *u, struct umsg *b)
{
	struct usock *peer;
	bool was_full;

	spin_lock(&u->qlock);
	was_full = !has_room(u);
	list_del(&b->link);
	WRITE_ONCE(u->queued, u->queued - (b->size + 256));
	WRITE_ONCE(u->nr_queued, u->nr_queued - 1);
	spin_unlock(&u->qlock);
	if (!was_full)
		return;
	waitq_wake_everyone(&u->space);
	unix_wake_writers(u);
	peer = unix_peer_get(u);
	if (peer) {
		waitq_wake(&peer->wait, POLL_OUT);
		unix_put(peer);
	}
}

static bool at_eof(struct usock *u)
{
	struct usock *p;
	bool eof;

	if (load_relaxed(&u->shut) & US_SHUT_RD)
		return true;
	if (u->type == US_DGRAM)
		return false;
	p = unix_peer_get(u);
	eof = !p || load_relaxed(&p->closed) || (load_relaxed(&p->shut) & US_SHUT_WR);
	if (p)
		unix_put(p);
	return eof;
}

/* The descriptors of a message that is not read to its end yet. */
static void drop_files(struct umsg *b)
{
	u32 n = b->nr_files;

	unix_flight_end(b->files, n);
	b->nr_files = 0;
	while (n)
		file_put(b->files[--n]);
}

/* Descriptors and credentials of b to the caller. */
static void take_ancillary(struct usock *u, struct umsg *b, struct sock_msg *m)
{
	bool peek = m->flags & MSG_PEEK_BIT;

	m->cred = b->cred;
	m->has_cred = load_relaxed(&u->passcred);
	if (!b->nr_files)
		return;
	if (!m->files) { /* read(2): as on Linux they are closed by the first read that reaches their message */
		if (!peek)
			drop_files(b);
		return;
	}
	for (u32 i = 0; i < b->nr_files; i++)
		m->files[m->nr_files++] = peek ? file_get(b->files[i]) : b->files[i];
	if (!peek) {
		unix_flight_end(b->files, b->nr_files);
		b->nr_files = 0;
	}
}

/* read_lock held. Bytes, 0 = nothing there, -EFAULT. */
static ssize copy_stream(struct usock *u, struct sock_msg *m)
{
	struct umsg *b = head(u);
	ssize done = 0;

	while (b && m->it->count) {
		bool had_files = b->nr_files;
		size_t want = MIN((size_t)(b->len - b->off), m->it->count);
		ssize n;

		n = iter_copy_to(m->it, b->data + b->off, want);
		if (n < (ssize)want) { /* as on Linux, a piece that does not fit the program's memory is not taken at all */
			if (n > 0)
				iter_revert(m->it, (size_t)n);
			return done ? done : -EFAULT;
		}
		done += n;
		take_ancillary(u, b, m);
		if (m->flags & MSG_PEEK_BIT) {
			if (had_files || b->link.next == &u->queue)
				break;
			b = list_entry(b->link.next, struct umsg, link);
			continue;
		}
		b->off += (u32)n;
		if (b->off == b->len) {
			unlink_head(u, b);
			unix_free_msg(b);
		}
		if (had_files)
			break;
		b = head(u);
	}
	return done;
}

static ssize copy_packet(struct usock *u, struct sock_msg *m, struct umsg *b)
{
	size_t want = MIN((size_t)b->len, m->it->count);
	ssize n = want ? iter_copy_to(m->it, b->data, want) : 0;

	if (n >= 0 && (size_t)n < want)
		n = -EFAULT;
	if (n >= 0) {
		if (want < b->len)
			m->out_flags |= MSG_TRUNC_BIT;
		if (m->flags & MSG_TRUNC_BIT)
			n = (ssize)b->len;
		take_ancillary(u, b, m);
		if (m->addr) {
			m->addr->len = b->from_len;
			memcpy(m->addr->bytes, b->from, b->from_len);
		}
	}
	if (!(m->flags & MSG_PEEK_BIT)) {
		unlink_head(u, b);
		unix_free_msg(b);
	}
	return n;
}

static int wait_data(struct usock *u, struct sock_msg *m, s64 deadline)
{
	int r;

	if (m->nonblock || (m->flags & MSG_DONTWAIT_BIT))
		return -EAGAIN;
	r = wait_event(&u->wait, EPOLLIN | EPOLLHUP | EPOLLERR | WAKE_PASS_ON, true, READ_ONCE(u->nr_queued) || at_eof(u) || load_relaxed(&u->err),
		       deadline, true);
	return waited(r, deadline);
}

/* One look at the queue. 1: something was done (*n), 0: empty. */
static bool recv_once(struct usock *u, struct sock_msg *m, ssize *n)
{
	struct umsg *b;
	bool more;

	mutex_lock(&u->read_lock);
	b = head(u);
	if (b)
		*n = u->type == US_STREAM ? copy_stream(u, m) : copy_packet(u, m, b);
	more = READ_ONCE(u->nr_queued);
	mutex_unlock(&u->read_lock);
	if (b && more)
		waitq_wake(&u->wait, WAKE_PASS_ON);
	return b;
}

ssize unix_recv(struct socket *s, struct sock_msg *m)
{
	struct usock *u = s->priv;
	s64 deadline = timeout_deadline(u->rcvtimeo);
	ssize done = 0, n = 0;
	int r;

	if (m->addr)
		m->addr->len = 0;
	if (u->type != US_DGRAM && !load_relaxed(&u->was_connected))
		return u->type == US_STREAM ? -EINVAL : -ENOTCONN;
	for (;;) {
		if (recv_once(u, m, &n)) {
			if (n < 0)
				return done ? done : n;
			done += n;
			if (u->type != US_STREAM || !m->it->count ||
			    (!(m->flags & MSG_WAITALL_BIT) && done >= (ssize)load_relaxed(&u->rcvlowat)) ||
			    (m->flags & MSG_PEEK_BIT) || m->nr_files)
				return done;
			continue;
		}
		r = atomic_xchg(&u->err, 0);
		if (r)
			return done ? done : -r;
		if (at_eof(u) && !READ_ONCE(u->nr_queued))
			return done;
		r = wait_data(u, m, deadline);
		if (r)
			return done ? done : r;
	}
}

/* As on Linux: a socket connected to one that is not connected back waits for room there; else only its own outstanding bytes count. */
static bool dgram_writable(struct usock *u, struct usock *p, struct poll_table *pt)
{
	if (!wmem_low(u))
		return false;
	if (!p || load_relaxed(&p->peer) == u || has_room(p) || gone(p))
		return true;
	if (!pt) /* a look only; who waits has registered before */
		return false;
	spin_lock(&unix_lock);
	if (u->peer == p && list_empty(&u->wake_node))
		list_add_tail(&p->wake_list, &u->wake_node);
	spin_unlock(&unix_lock);
	full_fence(); /* pairs with the wake in unlink_head: it sees us, or we see its room */
	return has_room(p) || gone(p);
}

u32 unix_poll(struct socket *s, struct poll_table *pt)
{
	struct usock *u = s->priv, *p;
	u32 ev = 0, shut = load_relaxed(&u->shut);

	poll_wait(pt, &u->wait);
	if (load_relaxed(&u->err))
		ev |= EPOLLERR;
	if (load_relaxed(&u->listening))
		return ev | (READ_ONCE(u->nr_pending) ? POLL_IN : 0);
	if (READ_ONCE(u->nr_queued) || (shut & US_SHUT_RD))
		ev |= POLL_IN;
	if (shut & US_SHUT_RD)
		ev |= EPOLLRDHUP;
	if (shut == (US_SHUT_RD | US_SHUT_WR))
		ev |= EPOLLHUP;
	p = unix_peer_get(u);
	if (u->type == US_DGRAM) {
		if (dgram_writable(u, p, pt))
			ev |= POLL_OUT;
	} else if (!load_relaxed(&u->was_connected)) {
		ev |= EPOLLHUP | POLL_OUT;
	} else if (!p || load_relaxed(&p->closed)) {
		ev |= POLL_IN | POLL_OUT | EPOLLHUP | EPOLLRDHUP;
	} else {
		if (load_relaxed(&p->shut) & US_SHUT_WR)
			ev |= POLL_IN | EPOLLRDHUP;
		if (has_room(p) || gone(p))
			ev |= POLL_OUT;
		if ((load_relaxed(&p->shut) & US_SHUT_WR) && (shut & US_SHUT_WR))
			ev |= EPOLLHUP;
	}
	if (p)
		unix_put(p);
	return ev;
}

int unix_bytes(struct socket *s, bool output)
{
	struct usock *u = s->priv;
	struct umsg *b;
	int n = 0;

	if (output)
		return 0;
	if (load_relaxed(&u->listening))
		return -EINVAL;
	spin_lock(&u->qlock);
	list_for_each(b, &u->queue, link) {
		n += (int)(b->len - b->off);
		if (u->type != US_STREAM)
			break;
	}
	spin_unlock(&u->qlock);
	return n;
}
