/* SPDX-License-Identifier: MIT */
/*
 * Signals of directories that change (fcntl(2) F_NOTIFY): an inotify file of our own listens for a directory's file.
 *
 * Signals of input and output (O_ASYNC, fcntl(2) F_SETOWN, F_SETSIG): a file with O_ASYNC listens on its own queues as a poller would;
 * a wake-up puts it on the list of those to be told, and the signal goes out when the running call returns to its program, or from a
 * timer. It does not go out from the wake-up itself: that runs under the queue's lock, signals need locks above it.
 *
 * async_lock (spin, leaf but for the timer's) covers the list and every struct fasync.
 */
#include "userlib/file/file_internal.h"
#include "userlib/rt/sched.h"
#include "userlib/rt/timer.h"

#define MAX_QUEUES 4u

struct fasync {
	struct file *file;
	int fd;			 /* si_fd: the descriptor O_ASYNC was set with */
	struct file *inotify;	 /* [I] F_NOTIFY: reference */
	unsigned dn_mask;
	u32 pending;		 /* [async_lock] EPOLL*, not told yet */
	struct list link;	 /* [async_lock] on `due` */
	struct poll_table pt;
	struct waitq_entry e[MAX_QUEUES];
	u32 nr;
};
static struct slab fasync_slab = SLAB_INIT("fasync", struct fasync);
static struct spinlock async_lock = SPINLOCK_INIT;
static struct list due = LIST_INIT(due);
static u32 any_due; /* [a] */
static struct timer due_timer;

#define DN_MULTISHOT_BIT 0x80000000u
#define TOLD (EPOLLIN | EPOLLOUT | EPOLLPRI | EPOLLERR | EPOLLHUP)

static void run_due(struct timer *t)
{
	(void)t;
	file_async_run();
}

static bool on_wake(struct waitq_entry *e, u32 events)
{
	struct fasync *a = e->arg;
	struct kthread *kt = kt_self();

	if (!(events & TOLD))
		return false;
	if (a->inotify) {
		if (!(inotify_discard(a->inotify) & 0xfff))
			return false;
		events = EPOLLMSG;
	}
	if (events == WAKE_ALL) /* an end was closed or the like: as Linux tells it */
		events = EPOLLIN | EPOLLHUP;
	if (events & EPOLLIN) /* terminals wake readers and writers at once: input is what counts */
		events &= ~EPOLLOUT;
	spin_lock(&async_lock);
	a->pending |= events & (TOLD | EPOLLMSG);
	if (list_empty(&a->link))
		list_add_tail(&due, &a->link);
	if (!due_timer.fn)
		timer_init(&due_timer, run_due);
	store_release(&any_due, 1u);
	spin_unlock(&async_lock);
	timer_start(&due_timer, clock_monotonic_ns());
	if (kt->current != &kt->idle_ut)
		store_release(&kt->work, 1u);
	return false;
}

static void queue_on(struct poll_table *pt, struct waitq *q)
{
	struct fasync *a = container_of(pt, struct fasync, pt);

	if (a->nr == MAX_QUEUES)
		return;
	a->e[a->nr] = (struct waitq_entry){ .fn = on_wake, .arg = a, .mask = TOLD };
	waitq_add(q, &a->e[a->nr++]);
}

/* fcntl's POLL_* number of the most urgent event. */
static int code_of(u32 ev)
{
	return ev & EPOLLIN ? 1 : ev & EPOLLOUT ? 2 : ev & EPOLLMSG ? 3 : ev & EPOLLERR ? 4 : ev & EPOLLPRI ? 5 : 6;
}

void file_async_run_due(void)
{
	struct file_owner to;
	struct fasync *a;
	u32 ev;
	int fd;

	for (;;) {
		spin_lock(&async_lock);
		if (list_empty(&due)) {
			store_release(&any_due, 0u);
			spin_unlock(&async_lock);
			return;
		}
		a = list_first(&due, struct fasync, link);
		list_del(&a->link);
		ev = a->pending;
		a->pending = 0;
		fd = a->fd;
		to = a->file->async;
		spin_unlock(&async_lock);
		/* Linux tells of reading and of writing one by one. */
		for (u32 bits = EPOLLOUT; ev && to.pid && proc_hooks; ev &= ~bits) {
			bits = ev & EPOLLIN ? EPOLLIN | EPOLLHUP : ev & EPOLLOUT ? EPOLLOUT : ~0u;
			proc_hooks->send_sigio(&to, code_of(ev & bits), fd);
		}
	}
}

void file_async_run(void)
{
	if (load_acquire(&any_due))
		file_async_run_due();
}

void file_async_stop(struct file *f)
{
	struct fasync *a;

	spin_lock(&async_lock);
	a = f->fasync;
	f->fasync = NULL;
	spin_unlock(&async_lock);
	if (!a)
		return;
	for (u32 i = 0; i < a->nr; i++)
		waitq_del(&a->e[i]);
	spin_lock(&async_lock);
	list_del(&a->link);
	spin_unlock(&async_lock);
	if (a->inotify)
		file_put(a->inotify);
	slab_free(&fasync_slab, a);
}

static u32 inotify_mask(unsigned dn)
{
	/* DN_ACCESS, MODIFY, CREATE, DELETE, RENAME, ATTRIB */
	static const u32 in[6] = { 0x1, 0x2, 0x100 | 0x80, 0x200 | 0x40, 0x40, 0x4 };
	u32 m = dn & DN_MULTISHOT_BIT ? 0 : 0x80000000u /* IN_ONESHOT */;

	for (unsigned i = 0; i < 6; i++)
		if (dn & 1u << i)
			m |= in[i];
	return m;
}

int file_dnotify(struct file *f, int fd, unsigned mask)
{
	struct fasync *a;
	int r;

	if (!f->inode || (f->inode->mode & S_IFMT) != S_IFDIR)
		return -ENOTDIR;
	if (mask & ~DN_MULTISHOT_BIT && f->fasync)
		mask |= f->fasync->dn_mask; /* further requests add to what is asked for already */
	file_async_stop(f);
	if (!(mask & 0x3f))
		return mask & ~DN_MULTISHOT_BIT ? -EINVAL : 0;
	a = slab_zalloc(&fasync_slab);
	if (!a)
		return -ENOMEM;
	a->file = f;
	a->fd = fd;
	a->dn_mask = mask;
	list_init(&a->link);
	a->pt = (struct poll_table){ .queue = queue_on, .mask = TOLD };
	r = inotify_create(0, &a->inotify);
	if (!r)
		r = inotify_add(a->inotify, &f->path, inotify_mask(mask));
	if (r < 0) {
		if (a->inotify)
			file_put(a->inotify);
		slab_free(&fasync_slab, a);
		return r;
	}
	(void)file_poll(a->inotify, &a->pt);
	spin_lock(&async_lock);
	f->fasync = a;
	spin_unlock(&async_lock);
	return 0;
}

int file_async_start(struct file *f, int fd)
{
	struct fasync *a;

	if (!f->ops->can_async)
		return 0;
	a = slab_zalloc(&fasync_slab);
	if (!a)
		return -ENOMEM;
	a->file = f;
	a->fd = fd;
	list_init(&a->link);
	a->pt = (struct poll_table){ .queue = queue_on, .mask = TOLD };
	spin_lock(&async_lock);
	if (f->fasync) {
		f->fasync->fd = fd;
		spin_unlock(&async_lock);
		slab_free(&fasync_slab, a);
		return 0;
	}
	f->fasync = a;
	spin_unlock(&async_lock);
	(void)file_poll(f, &a->pt);
	return 0;
}

void file_async_owner(struct file *f, const struct file_owner *o, bool set)
{
	spin_lock(&async_lock);
	if (set) {
		int sig = f->async.sig;

		f->async = *o;
		f->async.sig = sig;
	} else {
		f->async.sig = o->sig;
	}
	spin_unlock(&async_lock);
}
