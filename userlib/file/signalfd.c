/* SPDX-License-Identifier: MIT */
/*
 * signalfd(2), through proc_hooks. Reads and polls are about the caller's signals, as on Linux. An epoll item may outlive the process
 * that made it, so pollers wait on the signalfd's own queue; a relay in the signal queue of every process that polled passes wake-ups
 * on. A relay goes with the signalfd or with the process, whichever ends first: relay_lock (spin; the queues' locks below it).
 */
#include "userlib/file/file_internal.h"
#include "userlib/base/string.h"
#include <linux/signalfd.h>

#define SIG_UNBLOCKABLE ((1ull << (9 - 1)) | (1ull << (19 - 1))) /* SIGKILL, SIGSTOP */

struct relay {
	struct waitq_entry w; /* .queue: a process's; .arg: the signalfd */
	struct list of_fd;    /* [relay_lock] */
};
struct signalfd {
	u64 mask;	    /* [a] */
	struct waitq wait;
	struct list relays; /* [relay_lock] */
};
struct raw_siginfo { /* siginfo_t of x86-64 */
	s32 signo, err, code, pad;
	union {
		struct { s32 pid; u32 uid; u64 value; } rt;
		struct { s32 tid, overrun; u64 value; } timer;
		struct { s32 pid; u32 uid; s32 status; u32 pad; s64 utime, stime; } chld;
		struct { u64 addr; u16 lsb; } fault;
		struct { s64 band; s32 fd; } poll;
		u8 raw[112];
	};
};
_Static_assert(sizeof(struct raw_siginfo) == 128, "siginfo");
static struct slab signalfd_slab = SLAB_INIT("signalfd", struct signalfd);
static struct slab relay_slab = SLAB_INIT("signalfd_relay", struct relay);
static struct spinlock relay_lock = SPINLOCK_INIT;
static const struct file_ops signalfd_ops;

static bool pass_on(struct waitq_entry *e, u32 events)
{
	struct signalfd *s = e->arg;

	waitq_wake(&s->wait, events);
	return false;
}

/* Wake-ups of the caller's signals reach s->wait. False: no memory. */
static bool relay_to(struct signalfd *s)
{
	struct waitq *q = proc_hooks->signal_waitq();
	struct relay *r, *n = NULL;

	spin_lock(&relay_lock);
	list_for_each(r, &s->relays, of_fd)
		if (r->w.queue == q)
			goto out;
	n = r = slab_zalloc(&relay_slab);
	if (n) {
		n->w = (struct waitq_entry){ .fn = pass_on, .arg = s, .mask = WAKE_ALL };
		list_add(&s->relays, &n->of_fd);
		waitq_add(q, &n->w);
	}
out:
	spin_unlock(&relay_lock);
	return r;
}

void signalfd_forget_queue(struct waitq *q)
{
	struct waitq_entry *e, *n;

	if (waitq_is_empty(q))
		return;
	spin_lock(&relay_lock);
	list_for_each_safe(e, n, &q->entries, node) {
		struct relay *r = container_of(e, struct relay, w);

		waitq_del(e);
		list_del(&r->of_fd);
		slab_free(&relay_slab, r);
	}
	spin_unlock(&relay_lock);
}

static void convert(const struct raw_siginfo *i, struct signalfd_siginfo *o)
{
	memset(o, 0, sizeof(*o));
	o->ssi_signo = (u32)i->signo;
	o->ssi_errno = i->err;
	o->ssi_code = i->code;
	if (i->code == -2) { /* SI_TIMER */
		o->ssi_tid = (u32)i->timer.tid;
		o->ssi_overrun = (u32)i->timer.overrun;
		o->ssi_ptr = i->timer.value;
		o->ssi_int = (s32)i->timer.value;
	} else if (i->code > 0 && i->code < 0x80 && i->signo == 17) { /* SIGCHLD */
		o->ssi_pid = (u32)i->chld.pid;
		o->ssi_uid = i->chld.uid;
		o->ssi_status = i->chld.status;
		o->ssi_utime = (u64)i->chld.utime;
		o->ssi_stime = (u64)i->chld.stime;
	} else if (i->code > 0 && i->code < 0x80 && i->signo == 29) { /* SIGIO */
		o->ssi_band = (u32)i->poll.band;
		o->ssi_fd = i->poll.fd;
	} else if (i->code > 0 && i->code < 0x80 && (i->signo == 11 || i->signo == 7 || i->signo == 4 || i->signo == 8)) {
		o->ssi_addr = i->fault.addr;
		o->ssi_addr_lsb = i->fault.lsb;
	} else {
		o->ssi_pid = (u32)i->rt.pid;
		o->ssi_uid = i->rt.uid;
		o->ssi_ptr = i->rt.value;
		o->ssi_int = (s32)i->rt.value;
	}
}

static bool take(struct signalfd *s, struct raw_siginfo *info)
{
	return proc_hooks->dequeue_signal(load_relaxed(&s->mask), info) > 0;
}

static ssize signalfd_read(struct file *f, struct iov_iter *it, s64 *pos, u32 rwf)
{
	struct signalfd *s = f->private;
	struct signalfd_siginfo out;
	struct raw_siginfo info;
	ssize done = 0, n;
	int r;

	(void)pos;
	if (it->count < sizeof(out))
		return -EINVAL;
	while (it->count >= sizeof(out)) {
		if (!take(s, &info)) {
			if (done)
				break;
			if (file_nonblock(f, rwf))
				return -EAGAIN;
			r = wait_event(proc_hooks->signal_waitq(), EPOLLIN, false, take(s, &info), TIME_FOREVER, true);
			if (r)
				return r;
		}
		convert(&info, &out);
		n = iter_copy_to(it, &out, sizeof(out));
		if (n != (ssize)sizeof(out))
			return done ? done : -EFAULT;
		done += n;
	}
	return done;
}

static u32 signalfd_poll(struct file *f, struct poll_table *pt)
{
	struct signalfd *s = f->private;

	poll_wait(pt, &s->wait);
	if (pt && !relay_to(s))
		return POLL_IN; /* rather one idle look more than a lost signal */
	return proc_hooks->pending_signals() & load_relaxed(&s->mask) ? POLL_IN : 0;
}

static void signalfd_info(struct file *f, char *buf, size_t size)
{
	struct signalfd *s = f->private;

	fmt(buf, size, "sigmask:\t%016llx\n", (unsigned long long)s->mask);
}

static void signalfd_release(struct file *f)
{
	struct signalfd *s = f->private;

	spin_lock(&relay_lock);
	while (!list_empty(&s->relays)) {
		struct relay *r = list_first(&s->relays, struct relay, of_fd);

		waitq_del(&r->w);
		list_del(&r->of_fd);
		slab_free(&relay_slab, r);
	}
	spin_unlock(&relay_lock);
	slab_free(&signalfd_slab, s);
}

static const struct file_ops signalfd_ops = {
	.name = "signalfd",
	.read = signalfd_read,
	.poll = signalfd_poll,
	.fdinfo = signalfd_info,
	.release = signalfd_release,
};

bool file_is_signalfd(const struct file *f)
{
	return f->ops == &signalfd_ops;
}

void signalfd_set_mask(struct file *f, u64 mask)
{
	struct signalfd *s = f->private;

	store_relaxed(&s->mask, mask & ~SIG_UNBLOCKABLE);
	waitq_wake_everyone(proc_hooks->signal_waitq());
	waitq_wake_everyone(&s->wait);
}

int signalfd_create(u64 mask, unsigned flags, struct file **out)
{
	struct signalfd *s = slab_zalloc(&signalfd_slab);
	int err;

	if (!s)
		return -ENOMEM;
	s->mask = mask & ~SIG_UNBLOCKABLE;
	waitq_init(&s->wait);
	list_init(&s->relays);
	err = file_alloc(&signalfd_ops, O_RDWR | (flags & FLAG_NONBLOCK), s, out);
	if (err)
		slab_free(&signalfd_slab, s);
	return err;
}
