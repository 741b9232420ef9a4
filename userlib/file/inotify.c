/* SPDX-License-Identifier: MIT */
/*
 * inotify(7). Marks hang on inode->watches; fs/ reports through fs_notify_hook. A mark holds its inode and belongs to one inotify file;
 * marks and queues of one file are under its mutex, the inode's list under watch_lock.
 */
#include "userlib/file/file_internal.h"
#include "userlib/base/string.h"
#include <linux/inotify.h>

#define MAX_QUEUED 16384u
#define MAX_WATCHES 65536u
#define EVENT_BITS 0xfffu

struct inotify {
	struct ref ref;
	struct spinlock lock;
	struct list events;  /* [lock] */
	u32 nr_events;	     /* [lock] */
	u32 bytes;	     /* [lock] */
	bool overflowed;     /* [lock] IN_Q_OVERFLOW is the last event */
	struct waitq wait;
	struct mutex marks_lock;
	struct list marks;   /* [marks_lock] */
	u32 nr_marks;	     /* [marks_lock] */
	int next_wd;
};
struct mark {
	struct ref ref;
	struct list inode_node; /* [inode->watch_lock] */
	struct list file_node;	/* [marks_lock] */
	struct inotify *owner;	/* [I] reference */
	struct inode *inode;	/* [I] reference */
	int wd;
	u32 mask;		/* [a] */
	u32 dead;		/* [a] */
};
struct event {
	struct list link;
	int wd;
	u32 mask, cookie, len; /* len: padded name bytes */
	char name[];
};
static struct slab inotify_slab = SLAB_INIT("inotify", struct inotify);
static struct slab mark_slab = SLAB_INIT("inotify_mark", struct mark);
static const struct file_ops inotify_ops;

static void inotify_put(struct inotify *n)
{
	if (!ref_put(&n->ref))
		return;
	while (!list_empty(&n->events)) {
		struct event *e = list_first(&n->events, struct event, link);

		list_del(&e->link);
		kmem_free(e, sizeof(*e) + e->len);
	}
	slab_free(&inotify_slab, n);
}

static void mark_put(struct mark *m)
{
	if (!ref_put(&m->ref))
		return;
	inode_put(m->inode);
	inotify_put(m->owner);
	slab_free(&mark_slab, m);
}

static void queue_event(struct inotify *n, int wd, u32 mask, u32 cookie, const char *name, unsigned len)
{
	u32 padded = len ? (u32)ROUND_UP(len + 1, (unsigned)sizeof(struct inotify_event)) : 0;
	struct event *e = kmem_zalloc(sizeof(*e) + padded), *last;
	bool drop = !e;

	if (e) {
		e->wd = wd;
		e->mask = mask;
		e->cookie = cookie;
		e->len = padded;
		if (len)
			memcpy(e->name, name, len);
	}
	spin_lock(&n->lock);
	if (e && !list_empty(&n->events)) {
		last = list_last(&n->events, struct event, link);
		drop = last->wd == wd && last->mask == mask && last->cookie == cookie && last->len == padded &&
		       !memcmp(last->name, e->name, padded); /* identical successive events are one */
	}
	if (e && !drop && n->nr_events >= MAX_QUEUED) {
		drop = n->overflowed;
		n->overflowed = true;
		e->wd = -1;
		e->mask = IN_Q_OVERFLOW;
		e->cookie = 0;
		n->bytes -= 0;
	}
	if (e && !drop) {
		list_add_tail(&n->events, &e->link);
		n->nr_events++;
		n->bytes += (u32)sizeof(struct inotify_event) + e->len;
	}
	spin_unlock(&n->lock);
	if (e && drop)
		kmem_free(e, sizeof(*e) + padded);
	waitq_wake(&n->wait, POLL_IN);
}

static void on_notify(struct inode *dir, struct inode *i, const char *name, unsigned len, u32 event, u32 cookie);

/* While nobody watches anything, fs/ is spared the reports: the hook is in place only while there are marks. */
static void count_marks(int by)
{
	static struct spinlock lock;
	static u32 nr;

	spin_lock(&lock);
	nr += (u32)by;
	store_release(&fs_notify_hook, nr ? on_notify : NULL);
	spin_unlock(&lock);
}

/* Takes the mark off its inode and its file. False: somebody else did. */
static bool detach(struct mark *m)
{
	struct inotify *n = m->owner;

	if (atomic_xchg(&m->dead, 1u))
		return false;
	spin_lock(&m->inode->watch_lock);
	list_del(&m->inode_node);
	spin_unlock(&m->inode->watch_lock);
	mutex_lock(&n->marks_lock);
	list_del(&m->file_node);
	n->nr_marks--;
	mutex_unlock(&n->marks_lock);
	count_marks(-1);
	mark_put(m);
	return true;
}

static void deliver(struct mark *m, u32 event, u32 cookie, const char *name, unsigned len)
{
	u32 mask = load_relaxed(&m->mask), bits = event & EVENT_BITS;

	if (load_relaxed(&m->dead))
		return;
	if (bits & mask) {
		queue_event(m->owner, m->wd, event & (EVENT_BITS | IN_ISDIR), cookie, name, len);
		if ((mask & IN_ONESHOT) && detach(m)) {
			queue_event(m->owner, m->wd, IN_IGNORED, 0, NULL, 0);
			return;
		}
	}
	if ((event & (IN_DELETE_SELF | IN_UNMOUNT)) && !name && detach(m)) {
		if (event & IN_UNMOUNT)
			queue_event(m->owner, m->wd, IN_UNMOUNT, 0, NULL, 0);
		queue_event(m->owner, m->wd, IN_IGNORED, 0, NULL, 0);
	}
}

/* All marks of i, in rounds of a few so that delivery runs without the lock. */
static void notify_inode(struct inode *i, u32 event, u32 cookie, const char *name, unsigned len)
{
	struct mark *batch[16], *m;
	u32 nr, skip = 0;

	if (!load_relaxed(&i->watches.next) || list_empty(&i->watches))
		return;
	do {
		u32 at = 0;

		nr = 0;
		spin_lock(&i->watch_lock);
		list_for_each(m, &i->watches, inode_node) {
			if (at++ < skip)
				continue;
			if (nr == ARRAY_SIZE(batch))
				break;
			ref_get(&m->ref);
			batch[nr++] = m;
		}
		spin_unlock(&i->watch_lock);
		skip += nr;
		for (u32 k = 0; k < nr; k++) {
			deliver(batch[k], event, cookie, name, len);
			mark_put(batch[k]);
		}
	} while (nr == ARRAY_SIZE(batch));
}

static void on_notify(struct inode *dir, struct inode *i, const char *name, unsigned len, u32 event, u32 cookie)
{
	bool names_only = event & (IN_CREATE | IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO);

	if ((event & IN_DELETE_SELF) && !(event & IN_ISDIR) && i)
		notify_inode(i, IN_ATTRIB, 0, NULL, 0); /* its link count changed */
	if (event & (IN_DELETE_SELF | IN_MOVE_SELF))
		event &= ~(u32)IN_ISDIR;
	if (dir)
		notify_inode(dir, event, cookie, name, len);
	if (i && !(dir && names_only))
		notify_inode(i, event, cookie, NULL, 0);
}

/* ---- the file ---- */

static ssize read_events(struct inotify *n, struct iov_iter *it)
{
	ssize done = 0;

	for (;;) {
		struct inotify_event h;
		struct event *e = NULL;
		bool small = false;

		spin_lock(&n->lock);
		if (!list_empty(&n->events)) {
			e = list_first(&n->events, struct event, link);
			small = it->count < sizeof(h) + e->len;
			if (!small) {
				list_del(&e->link);
				n->nr_events--;
				n->bytes -= (u32)sizeof(h) + e->len;
				if (e->mask & IN_Q_OVERFLOW)
					n->overflowed = false;
			}
		}
		spin_unlock(&n->lock);
		if (!e)
			return done;
		if (small)
			return done ? done : -EINVAL;
		h = (struct inotify_event){ .wd = e->wd, .mask = e->mask, .cookie = e->cookie, .len = e->len };
		if (iter_copy_to(it, &h, sizeof(h)) != (ssize)sizeof(h) || iter_copy_to(it, e->name, e->len) != (ssize)e->len) {
			kmem_free(e, sizeof(*e) + e->len);
			return done ? done : -EFAULT;
		}
		done += (ssize)(sizeof(h) + e->len);
		kmem_free(e, sizeof(*e) + e->len);
	}
}

static ssize inotify_read(struct file *f, struct iov_iter *it, s64 *pos, u32 rwf)
{
	struct inotify *n = f->private;
	ssize r;

	(void)pos;
	for (;;) {
		r = read_events(n, it);
		if (r)
			return r;
		if (file_nonblock(f, rwf))
			return -EAGAIN;
		r = wait_event(&n->wait, EPOLLIN, false, READ_ONCE(n->nr_events) != 0, TIME_FOREVER, true);
		if (r)
			return r;
	}
}

static u32 inotify_poll(struct file *f, struct poll_table *pt)
{
	struct inotify *n = f->private;

	poll_wait(pt, &n->wait);
	return READ_ONCE(n->nr_events) ? POLL_IN : 0;
}

static long inotify_ioctl(struct file *f, unsigned cmd, unsigned long arg)
{
	struct inotify *n = f->private;
	int bytes = (int)READ_ONCE(n->bytes);

	return cmd == 0x541b ? copy_to_app((void __app *)arg, &bytes, sizeof(bytes)) : -ENOTTY;
}

static struct mark *first_mark(struct inotify *n)
{
	struct mark *m = NULL;

	mutex_lock(&n->marks_lock);
	if (!list_empty(&n->marks)) {
		m = list_first(&n->marks, struct mark, file_node);
		ref_get(&m->ref);
	}
	mutex_unlock(&n->marks_lock);
	return m;
}

static void inotify_release(struct file *f)
{
	struct inotify *n = f->private;
	struct mark *m;

	while ((m = first_mark(n))) {
		if (!detach(m))
			uthread_yield(); /* another is about to take it off the list */
		mark_put(m);
	}
	inotify_put(n);
}

static const struct file_ops inotify_ops = {
	.can_async = true,
	.name = "inotify",
	.read = inotify_read,
	.poll = inotify_poll,
	.ioctl = inotify_ioctl,
	.release = inotify_release,
};

u32 inotify_discard(struct file *f)
{
	struct inotify *n = f->private;
	u32 seen = 0;

	spin_lock(&n->lock);
	while (!list_empty(&n->events)) {
		struct event *e = list_first(&n->events, struct event, link);

		seen |= e->len ? e->mask : 0;
		list_del(&e->link);
		kmem_free(e, sizeof(*e) + e->len);
	}
	n->nr_events = n->bytes = 0;
	n->overflowed = false;
	spin_unlock(&n->lock);
	return seen;
}

bool file_is_inotify(const struct file *f)
{
	return f->ops == &inotify_ops;
}

int inotify_create(unsigned flags, struct file **out)
{
	struct inotify *n = slab_zalloc(&inotify_slab);
	int err;

	if (!n)
		return -ENOMEM;
	ref_init(&n->ref);
	list_init(&n->events);
	list_init(&n->marks);
	waitq_init(&n->wait);
	mutex_init(&n->marks_lock);
	n->next_wd = 1;
	err = file_alloc(&inotify_ops, O_RDONLY | (flags & FLAG_NONBLOCK), n, out);
	if (err)
		slab_free(&inotify_slab, n);
	return err;
}

static int change_mark(struct mark *m, u32 mask)
{
	if (mask & IN_MASK_CREATE)
		return -EEXIST;
	store_relaxed(&m->mask, mask & IN_MASK_ADD ? load_relaxed(&m->mask) | (mask & ~IN_MASK_ADD) : mask);
	return m->wd;
}

int inotify_add(struct file *f, const struct path *p, u32 mask)
{
	struct inotify *n = f->private;
	struct inode *i = path_inode(p);
	struct mark *m;
	int r;

	if (!(mask & EVENT_BITS) || (mask & IN_MASK_ADD && mask & IN_MASK_CREATE))
		return -EINVAL;
	mutex_lock(&n->marks_lock);
	list_for_each(m, &n->marks, file_node) {
		if (m->inode == i && !load_relaxed(&m->dead)) {
			r = change_mark(m, mask);
			goto out;
		}
	}
	r = -ENOSPC;
	if (n->nr_marks >= MAX_WATCHES)
		goto out;
	r = -ENOMEM;
	m = slab_zalloc(&mark_slab);
	if (!m)
		goto out;
	ref_init(&m->ref);
	ref_get(&n->ref);
	m->owner = n;
	m->inode = inode_get(i);
	m->mask = mask & ~(IN_MASK_ADD | IN_MASK_CREATE);
	m->wd = r = n->next_wd++;
	list_add_tail(&n->marks, &m->file_node);
	n->nr_marks++;
	count_marks(1);
	spin_lock(&i->watch_lock);
	if (!i->watches.next)
		list_init(&i->watches);
	list_add_tail(&i->watches, &m->inode_node);
	spin_unlock(&i->watch_lock);
out:
	mutex_unlock(&n->marks_lock);
	return r;
}

int inotify_rm(struct file *f, int wd)
{
	struct inotify *n = f->private;
	struct mark *m, *found = NULL;

	mutex_lock(&n->marks_lock);
	list_for_each(m, &n->marks, file_node) {
		if (m->wd == wd) {
			found = m;
			ref_get(&m->ref);
			break;
		}
	}
	mutex_unlock(&n->marks_lock);
	if (!found)
		return -EINVAL;
	if (detach(found))
		queue_event(n, wd, IN_IGNORED, 0, NULL, 0);
	mark_put(found);
	return 0;
}
