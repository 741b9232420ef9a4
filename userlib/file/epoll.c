/* SPDX-License-Identifier: MIT */
/*
 * epoll(7). A watched file's queues carry our entries; a wake-up puts the item on the ready list, so waiting is O(ready). Items do not
 * hold their file: its last reference removes them (epoll_file_release).
 *
 * Locks, in order: teardown_lock (removal of files and of whole epolls, nesting checks), epoll.ctl_lock of outer before inner ones,
 * the watched queue's lock, epoll.lock, and file.epitem_lock as a leaf. Wake-ups come with the queue's lock held.
 */
#include "userlib/file/file_internal.h"
#include "base/hash.h"
#include "userlib/base/string.h"

#define EP_PRIVATE (EPOLLWAKEUP | EPOLLONESHOT | EPOLLET | EPOLLEXCLUSIVE)
#define EP_MAX_NEST 4
#define FIRST_BUCKETS 16u

struct epoll {
	struct mutex ctl_lock;
	struct epitem **buckets; /* [ctl_lock] by (file, fd) */
	u32 nr_buckets, nr;	 /* [ctl_lock] */
	struct spinlock lock;
	struct list ready;	 /* [lock] */
	struct waitq wait;
};
struct ep_entry {
	struct waitq_entry w;
	struct ep_entry *next;
};
struct epitem {
	struct epitem *hash_next;   /* [ep->ctl_lock] */
	struct list ready_node;	    /* [ep->lock], or ctl_lock while on a scan's list */
	struct list file_node;	    /* [file->epitem_lock] */
	struct epoll *ep;
	struct file *file;
	int fd;
	u32 is_ready;		    /* [ep->lock] on the ready list or a scan's list */
	u32 events;		    /* [a] */
	u64 data;		    /* [ctl_lock] */
	struct ep_entry first;	    /* most files have one queue */
	struct ep_entry *more;	    /* [ctl_lock] */
	bool first_used, no_memory;
};
struct ep_table {
	struct poll_table pt;
	struct epitem *item;
};
static struct slab epoll_slab = SLAB_INIT("epoll", struct epoll);
static struct slab epitem_slab = SLAB_INIT("epitem", struct epitem);
static struct slab ep_entry_slab = SLAB_INIT("ep_entry", struct ep_entry);
static struct mutex teardown_lock;
static u32 teardown_ready; /* [a] 0 none, 1 being made, 2 ready */

static struct mutex *teardown(void)
{
	while (load_acquire(&teardown_ready) != 2) {
		if (atomic_cas(&teardown_ready, 0u, 1u)) {
			mutex_init(&teardown_lock);
			store_release(&teardown_ready, 2u);
		}
		cpu_pause();
	}
	return &teardown_lock;
}

static void make_ready(struct epitem *it)
{
	struct epoll *ep = it->ep;

	spin_lock(&ep->lock);
	if (!it->is_ready) {
		it->is_ready = 1;
		list_add_tail(&ep->ready, &it->ready_node);
	}
	spin_unlock(&ep->lock);
}

/* A watched queue was woken. Its lock is held. */
static bool on_wake(struct waitq_entry *e, u32 events)
{
	struct epitem *it = e->arg;
	u32 want = load_relaxed(&it->events);
	bool waited;

	if (!(want & ~EP_PRIVATE) || !(events & (want | EPOLLERR | EPOLLHUP)))
		return false;
	make_ready(it);
	waited = !waitq_is_empty(&it->ep->wait);
	waitq_wake(&it->ep->wait, POLL_IN);
	return waited;
}

static void queue_entry(struct poll_table *pt, struct waitq *q)
{
	struct epitem *it = container_of(pt, struct ep_table, pt)->item;
	struct ep_entry *e = &it->first;

	if (it->first_used) {
		e = slab_zalloc(&ep_entry_slab);
		if (!e) {
			it->no_memory = true;
			return;
		}
		e->next = it->more;
		it->more = e;
	}
	it->first_used = true;
	e->w = (struct waitq_entry){ .fn = on_wake, .arg = it, .mask = WAKE_ALL, .exclusive = it->events & EPOLLEXCLUSIVE };
	waitq_add(q, &e->w);
}

static u32 item_poll(struct epitem *it)
{
	u32 ev = load_relaxed(&it->events);

	if (!(ev & ~EP_PRIVATE))
		return 0;
	return file_poll(it->file, NULL) & (ev | EPOLLERR | EPOLLHUP) & ~EP_PRIVATE;
}

/* ---- the table of items ---- */

static u32 bucket_of(const struct epoll *ep, const struct file *f, int fd)
{
	return (u32)hash_u64((u64)f ^ (u64)(u32)fd << 48) & (ep->nr_buckets - 1);
}

static struct epitem *find(struct epoll *ep, const struct file *f, int fd)
{
	struct epitem *it = ep->buckets ? ep->buckets[bucket_of(ep, f, fd)] : NULL;

	while (it && (it->file != f || it->fd != fd))
		it = it->hash_next;
	return it;
}

static int grow_table(struct epoll *ep)
{
	u32 old_n = ep->nr_buckets, n = old_n ? old_n * 4 : FIRST_BUCKETS;
	struct epitem **old = ep->buckets, **t;

	if (old && (ep->nr < old_n * 2 || n > 256 * KiB))
		return 0;
	t = kmem_zalloc(n * sizeof(*t));
	if (!t)
		return old ? 0 : -ENOMEM;
	ep->buckets = t;
	ep->nr_buckets = n;
	for (u32 i = 0; i < old_n; i++) {
		while (old[i]) {
			struct epitem *it = old[i];
			u32 b = bucket_of(ep, it->file, it->fd);

			old[i] = it->hash_next;
			it->hash_next = t[b];
			t[b] = it;
		}
	}
	if (old)
		kmem_free(old, old_n * sizeof(*old));
	return 0;
}

static void unhash(struct epoll *ep, struct epitem *it)
{
	struct epitem **p = &ep->buckets[bucket_of(ep, it->file, it->fd)];

	while (*p != it)
		p = &(*p)->hash_next;
	*p = it->hash_next;
	ep->nr--;
}

/* ctl_lock held; the item is off the table. After the file's list nothing of the file is touched. */
static void destroy_item(struct epoll *ep, struct epitem *it)
{
	struct file *f = it->file;

	if (it->first_used)
		waitq_del(&it->first.w);
	while (it->more) {
		struct ep_entry *e = it->more;

		it->more = e->next;
		waitq_del(&e->w);
		slab_free(&ep_entry_slab, e);
	}
	spin_lock(&ep->lock);
	if (it->is_ready)
		list_del(&it->ready_node);
	spin_unlock(&ep->lock);
	spin_lock(&f->epitem_lock);
	list_del(&it->file_node);
	spin_unlock(&f->epitem_lock);
	slab_free(&epitem_slab, it);
}

void epoll_file_release(struct file *f)
{
	mutex_lock(teardown());
	for (;;) {
		struct epitem *it = NULL;
		struct epoll *ep;

		spin_lock(&f->epitem_lock);
		if (!list_empty(&f->epoll_items))
			it = list_first(&f->epoll_items, struct epitem, file_node);
		spin_unlock(&f->epitem_lock);
		if (!it)
			break;
		ep = it->ep; /* lives: its release needs the lock we hold */
		mutex_lock(&ep->ctl_lock);
		unhash(ep, it);
		destroy_item(ep, it);
		mutex_unlock(&ep->ctl_lock);
	}
	mutex_unlock(teardown());
}

static void epoll_release(struct file *f)
{
	struct epoll *ep = f->private;

	mutex_lock(teardown());
	mutex_lock(&ep->ctl_lock);
	for (u32 b = 0; b < ep->nr_buckets; b++) {
		while (ep->buckets[b]) {
			struct epitem *it = ep->buckets[b];

			ep->buckets[b] = it->hash_next;
			destroy_item(ep, it);
		}
	}
	mutex_unlock(&ep->ctl_lock);
	mutex_unlock(teardown());
	if (ep->buckets)
		kmem_free(ep->buckets, ep->nr_buckets * sizeof(*ep->buckets));
	slab_free(&epoll_slab, ep);
}

/* ---- epoll_ctl ---- */

/* teardown_lock held. -ELOOP if `ep` is below `from`, or the nest is too deep. */
static int check_nest(struct epoll *from, struct epoll *ep, int depth)
{
	int err = 0;

	if (from == ep || depth > EP_MAX_NEST)
		return -ELOOP;
	mutex_lock(&from->ctl_lock);
	for (u32 b = 0; b < from->nr_buckets && !err; b++)
		for (struct epitem *it = from->buckets[b]; it && !err; it = it->hash_next)
			if (it->file->ops == &epoll_file_ops)
				err = check_nest(it->file->private, ep, depth + 1);
	mutex_unlock(&from->ctl_lock);
	return err;
}

/* ctl_lock held. */
static int add_item(struct epoll *ep, int fd, struct file *f, u32 events, u64 data)
{
	struct ep_table t = { .pt = { .queue = queue_entry, .mask = events | EPOLLERR | EPOLLHUP } };
	struct epitem *it;
	u32 b, now;

	if (grow_table(ep))
		return -ENOMEM;
	it = slab_zalloc(&epitem_slab);
	if (!it)
		return -ENOMEM;
	it->ep = ep;
	it->file = f;
	it->fd = fd;
	it->events = events;
	it->data = data;
	list_init(&it->ready_node);
	atomic_fetch_or(&f->mode_rw, FMODE_EPOLL);
	spin_lock(&f->epitem_lock);
	list_add_tail(&f->epoll_items, &it->file_node);
	spin_unlock(&f->epitem_lock);
	t.item = it;
	now = file_poll(f, &t.pt) & (events | EPOLLERR | EPOLLHUP) & ~EP_PRIVATE;
	if (it->no_memory) {
		destroy_item(ep, it);
		return -ENOMEM;
	}
	b = bucket_of(ep, f, fd);
	it->hash_next = ep->buckets[b];
	ep->buckets[b] = it;
	ep->nr++;
	if (now) {
		make_ready(it);
		waitq_wake(&ep->wait, POLL_IN);
	}
	return 0;
}

static int mod_item(struct epoll *ep, struct epitem *it, u32 events, u64 data)
{
	if (it->events & EPOLLEXCLUSIVE || events & EPOLLEXCLUSIVE)
		return -EINVAL;
	it->data = data;
	store_relaxed(&it->events, events);
	full_fence(); /* wakers see the new events, or we see their change below */
	if (item_poll(it)) {
		make_ready(it);
		waitq_wake(&ep->wait, POLL_IN);
	}
	return 0;
}

#define EXCLUSIVE_OK (EPOLLIN | EPOLLOUT | EPOLLERR | EPOLLHUP | EPOLLWAKEUP | EPOLLET | EPOLLEXCLUSIVE)

int epoll_ctl_file(struct file *epf, int op, int fd, struct file *f, u32 events, u64 data)
{
	bool nested = f->ops == &epoll_file_ops && op == EPOLL_CTL_ADD;
	struct epoll *ep = epf->private;
	struct epitem *it;
	int r = 0;

	if (!f->ops->poll)
		return -EPERM;
	if (epf->ops != &epoll_file_ops || f == epf)
		return -EINVAL;
	if (op != EPOLL_CTL_DEL && (events & EPOLLEXCLUSIVE)) {
		if (op == EPOLL_CTL_MOD || f->ops == &epoll_file_ops || (events & ~EXCLUSIVE_OK))
			return -EINVAL;
	}
	events &= ~EPOLLWAKEUP; /* nothing suspends here */
	if (nested) {
		mutex_lock(teardown());
		r = check_nest(f->private, ep, 1);
	}
	if (!r) {
		mutex_lock(&ep->ctl_lock);
		it = find(ep, f, fd);
		switch (op) {
		case EPOLL_CTL_ADD:
			r = it ? -EEXIST : add_item(ep, fd, f, events, data);
			break;
		case EPOLL_CTL_MOD:
			r = it ? mod_item(ep, it, events, data) : -ENOENT;
			break;
		case EPOLL_CTL_DEL:
			r = it ? 0 : -ENOENT;
			if (it) {
				unhash(ep, it);
				destroy_item(ep, it);
			}
			break;
		default:
			r = -EINVAL;
		}
		mutex_unlock(&ep->ctl_lock);
	}
	if (nested)
		mutex_unlock(teardown());
	return r;
}

/* ---- waiting ---- */

/* Takes the ready list apart: items that are ready go to evs (or, evs NULL, only the first is looked for). Number found. */
static int collect(struct epoll *ep, struct epoll_event *evs, int max)
{
	struct list scan;
	struct epitem *it;
	int n = 0;

	list_init(&scan);
	mutex_lock(&ep->ctl_lock);
	spin_lock(&ep->lock);
	list_splice_tail(&scan, &ep->ready);
	spin_unlock(&ep->lock);
	while (!list_empty(&scan) && n < max) {
		u32 ev;

		it = list_first(&scan, struct epitem, ready_node);
		spin_lock(&ep->lock);
		list_del(&it->ready_node);
		it->is_ready = 0;
		spin_unlock(&ep->lock);
		full_fence(); /* a change after this look makes the item ready again */
		ev = item_poll(it);
		if (!ev)
			continue;
		if (evs) {
			evs[n].events = ev;
			evs[n].data = it->data;
			if (it->events & EPOLLONESHOT)
				store_relaxed(&it->events, it->events & EP_PRIVATE);
		}
		if (!evs || !(it->events & (EPOLLET | EPOLLONESHOT)))
			make_ready(it);
		n++;
	}
	if (!list_empty(&scan)) {
		spin_lock(&ep->lock);
		list_splice_tail(&scan, &ep->ready); /* the ones not looked at come first next time */
		list_splice_tail(&ep->ready, &scan);
		spin_unlock(&ep->lock);
	}
	mutex_unlock(&ep->ctl_lock);
	return n;
}

static bool any_ready(const struct epoll *ep)
{
	return load_acquire(&ep->ready.next) != &ep->ready;
}

int epoll_wait_file(struct file *f, struct epoll_event *evs, int max, s64 deadline_ns)
{
	struct epoll *ep = f->private;
	int n, r;

	for (;;) {
		n = any_ready(ep) ? collect(ep, evs, max) : 0;
		if (n) {
			if (any_ready(ep))
				waitq_wake(&ep->wait, WAKE_PASS_ON);
			return n;
		}
		if (!deadline_ns)
			return 0;
		r = wait_event(&ep->wait, EPOLLIN | WAKE_PASS_ON, true, any_ready(ep), deadline_ns, true);
		if (r == -ETIMEDOUT)
			return 0;
		if (r)
			return -EINTR;
	}
}

static u32 epoll_poll(struct file *f, struct poll_table *pt)
{
	struct epoll *ep = f->private;

	poll_wait(pt, &ep->wait);
	return any_ready(ep) && collect(ep, NULL, 1) ? POLL_IN : 0;
}

static void epoll_info(struct file *f, char *buf, size_t size)
{
	struct epoll *ep = f->private;
	size_t at = 0;

	buf[0] = 0;
	mutex_lock(&ep->ctl_lock);
	for (u32 b = 0; b < ep->nr_buckets; b++)
		for (struct epitem *it = ep->buckets[b]; it && at < size; it = it->hash_next)
			at += (size_t)fmt(buf + at, size - at, "tfd: %8d events: %8x data: %16llx\n", it->fd, it->events,
					  (unsigned long long)it->data);
	mutex_unlock(&ep->ctl_lock);
}

const struct file_ops epoll_file_ops = {
	.name = "eventpoll",
	.poll = epoll_poll,
	.fdinfo = epoll_info,
	.release = epoll_release,
};

int epoll_create(unsigned flags, struct file **out)
{
	struct epoll *ep = slab_zalloc(&epoll_slab);
	int err;

	(void)flags;
	if (!ep)
		return -ENOMEM;
	mutex_init(&ep->ctl_lock);
	list_init(&ep->ready);
	waitq_init(&ep->wait);
	err = file_alloc(&epoll_file_ops, O_RDWR, ep, out);
	if (err)
		slab_free(&epoll_slab, ep);
	return err;
}
