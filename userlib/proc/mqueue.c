/* SPDX-License-Identifier: MIT */
/*
 * POSIX message queues: names, priorities, blocking calls, one-shot notification by signal. Not here: a file system to mount them with,
 * and notification by thread (SIGEV_THREAD goes through a netlink socket on Linux), which is refused.
 *
 * names_lock (mutex) covers the list of names; queue->lock (spin) a queue. A queue lives by its name and by its open files.
 */
#include "userlib/proc/mqueue.h"
#include "userlib/base/string.h"
#include "userlib/file/file_internal.h"
#include "userlib/proc/proc.h"
#include <linux/mqueue.h>

#define MAX_QUEUES 256u
#define MAX_PRIO 32768u
#define MSG_MAX 10
#define MSG_SIZE_MAX 8192
#define HARD_MSG_MAX 65536
#define HARD_SIZE_MAX (16 * 1024 * 1024)
#define ACCOUNT_BYTES 96u /* of bookkeeping for each message, towards RLIMIT_MSGQUEUE */
#define SIGEV_SIGNAL_NR 0
#define SIGEV_NONE_NR 1
#define SI_MESGQ_CODE (-3)

struct mq_message {
	struct list link;
	u32 prio;
	size_t len;
	char data[];
};
struct mqueue {
	struct ref ref;
	struct list link; /* [names_lock] unlinked: not in the list */
	char name[NAME_MAX_LEN + 1];
	u32 uid, gid, mode;
	s64 maxmsg, msgsize; /* [I] */
	struct spinlock lock;
	struct list messages; /* [lock] highest priority first */
	s64 count;	      /* [lock] */
	u64 bytes;	      /* [lock] */
	u32 receivers;	      /* [lock] waiting */
	struct waitq wait;
	/* mq_notify */
	struct uproc *notify; /* [lock] reference */
	u32 notify_kind;
	int notify_sig;
	u64 notify_value;
	s64 mtime;
};
static struct mutex names_lock = { .waiters = LIST_INIT(names_lock.waiters) };
static struct list names = LIST_INIT(names); /* [names_lock] */
static u32 nr_queues;			     /* [names_lock] */
static u64 accounted;			     /* [a] bytes of all queues: an instance is one user's */
static const struct file_ops mqueue_ops;

static u64 account_of(const struct mqueue *q)
{
	return (u64)q->maxmsg * ((u64)q->msgsize + ACCOUNT_BYTES);
}

static void queue_put(struct mqueue *q)
{
	if (!ref_put(&q->ref))
		return;
	while (!list_empty(&q->messages)) {
		struct mq_message *m = list_first(&q->messages, struct mq_message, link);

		list_del(&m->link);
		kmem_free(m, sizeof(*m) + m->len);
	}
	atomic_fetch_sub(&accounted, account_of(q));
	kmem_free(q, sizeof(*q));
}

static struct mqueue *find(const char *name) /* [names_lock] */
{
	struct mqueue *q;

	list_for_each(q, &names, link)
		if (!strcmp(q->name, name))
			return q;
	return NULL;
}

/* ---- notification ---- */

/* Takes the registration off; the process it was of, referenced. [lock] */
static struct uproc *take_notify(struct mqueue *q)
{
	struct uproc *p = q->notify;

	q->notify = NULL;
	return p;
}

static void notify(struct mqueue *q)
{
	struct ksiginfo info = { .si_signo = q->notify_sig, .si_code = SI_MESGQ_CODE };
	struct uproc *p;
	u32 kind;

	spin_lock(&q->lock);
	info.si_signo = q->notify_sig;
	info.rt.value = q->notify_value;
	kind = q->notify_kind;
	p = take_notify(q);
	spin_unlock(&q->lock);
	if (!p)
		return;
	info.rt.pid = uproc_self()->pid;
	info.rt.uid = uproc_self()->cred.uid;
	if (kind == SIGEV_SIGNAL_NR)
		(void)signal_send_proc(p, info.si_signo, &info);
	proc_put(p);
}

/* ---- files ---- */

static ssize mqueue_read(struct file *f, struct iov_iter *it, s64 *pos, u32 rwf)
{
	struct mqueue *q = f->private;
	char buf[80];
	int n, sig = 0, pid = 0, kind = 0;
	ssize r;

	(void)rwf;
	spin_lock(&q->lock);
	if (q->notify) {
		kind = (int)q->notify_kind;
		sig = kind == SIGEV_SIGNAL_NR ? q->notify_sig : 0;
		pid = q->notify->pid;
	}
	n = fmt(buf, sizeof(buf), "QSIZE:%-10lu NOTIFY:%-5d SIGNO:%-5d NOTIFY_PID:%-6d\n", q->bytes, kind, sig, pid);
	spin_unlock(&q->lock);
	if (*pos >= n)
		return 0;
	r = iter_copy_to(it, buf + *pos, (size_t)(n - *pos));
	if (r > 0)
		*pos += r;
	return r;
}

static s64 mqueue_seek(struct file *f, s64 off, int whence)
{
	s64 to = whence == 0 ? off : whence == 1 ? f->pos + off : -1;

	if (to < 0)
		return -EINVAL;
	f->pos = to;
	return to;
}

static u32 mqueue_poll(struct file *f, struct poll_table *pt)
{
	struct mqueue *q = f->private;
	s64 n;

	poll_wait(pt, &q->wait);
	n = READ_ONCE(q->count);
	return (n ? POLL_IN : 0) | (n < q->maxmsg ? POLL_OUT : 0);
}

static int mqueue_getattr(struct file *f, struct kstat *st)
{
	struct mqueue *q = f->private;

	st->mode = S_IFREG | q->mode;
	st->uid = q->uid;
	st->gid = q->gid;
	st->size = 80;
	st->dev = RDEV(0, 19);
	st->atime_ns = st->mtime_ns = st->ctime_ns = q->mtime;
	return 0;
}

static int mqueue_link_name(struct file *f, char *buf, size_t size)
{
	struct mqueue *q = f->private;

	return fmt(buf, size, "/%s%s", q->name, list_empty(&q->link) ? " (deleted)" : "");
}

/* Every close by the registered process ends its registration. */
static void mqueue_flush(struct file *f, void *owner_files)
{
	struct mqueue *q = f->private;
	struct uproc *p = NULL;

	(void)owner_files;
	spin_lock(&q->lock);
	if (q->notify == uproc_self())
		p = take_notify(q);
	spin_unlock(&q->lock);
	if (p)
		proc_put(p);
}

static void mqueue_release(struct file *f)
{
	struct mqueue *q = f->private;
	struct uproc *p;

	spin_lock(&q->lock);
	p = take_notify(q);
	spin_unlock(&q->lock);
	if (p)
		proc_put(p);
	queue_put(q);
}

static const struct file_ops mqueue_ops = {
	.name = "mqueue",
	.read = mqueue_read,
	.seek = mqueue_seek,
	.poll = mqueue_poll,
	.getattr = mqueue_getattr,
	.link_name = mqueue_link_name,
	.flush = mqueue_flush,
	.release = mqueue_release,
};

/* ---- open, unlink ---- */

static int get_name(char *name, const char __app *user)
{
	ssize n = strncpy_from_app(name, user, NAME_MAX_LEN + 1);

	if (n < 0)
		return (int)n;
	if (!n)
		return -ENOENT;
	if (!strcmp(name, ".") || !strcmp(name, ".."))
		return -EACCES;
	return strchr(name, '/') ? -EACCES : 0;
}

static int check_attr(const struct mq_attr *a, bool capable)
{
	if (a->mq_maxmsg <= 0 || a->mq_msgsize <= 0)
		return -EINVAL;
	if (a->mq_maxmsg > (capable ? HARD_MSG_MAX : MSG_MAX) || a->mq_msgsize > (capable ? HARD_SIZE_MAX : MSG_SIZE_MAX))
		return -EINVAL;
	return 0;
}

/* [names_lock] */
static int create(const char *name, unsigned mode, const struct mq_attr *a, struct mqueue **out)
{
	const struct cred *c = &uproc_self()->cred;
	struct mqueue *q;
	int r = a ? check_attr(a, cred_capable(c, CAP_SYS_RESOURCE)) : 0;

	if (r)
		return r;
	if (nr_queues >= MAX_QUEUES && !cred_capable(c, CAP_SYS_RESOURCE))
		return -ENOSPC;
	q = kmem_zalloc(sizeof(*q));
	if (!q)
		return -ENOMEM;
	q->maxmsg = a ? a->mq_maxmsg : MSG_MAX;
	q->msgsize = a ? a->mq_msgsize : MSG_SIZE_MAX;
	if (atomic_fetch_add(&accounted, account_of(q)) + account_of(q) > proc_rlimit(RLIMIT_MSGQUEUE)) {
		atomic_fetch_sub(&accounted, account_of(q));
		kmem_free(q, sizeof(*q));
		return -EMFILE;
	}
	ref_init(&q->ref);
	str_copy(q->name, name, sizeof(q->name));
	q->uid = c->fsuid;
	q->gid = c->fsgid;
	q->mode = mode & 07777 & ~uproc_self()->fs->umask;
	list_init(&q->messages);
	waitq_init(&q->wait);
	q->mtime = clock_realtime_ns();
	list_add_tail(&names, &q->link);
	nr_queues++;
	*out = q;
	return 0;
}

static bool may_open(const struct mqueue *q, int flags)
{
	static const u32 needs[4] = { 4, 2, 6, 6 };
	const struct cred *c = &uproc_self()->cred;
	u32 bits = q->mode;

	if (c->fsuid == q->uid)
		bits >>= 6;
	else if (c->fsgid == q->gid)
		bits >>= 3;
	return !(needs[flags & O_ACCMODE] & ~bits) || cred_capable(c, CAP_DAC_OVERRIDE);
}

/* [names_lock] The queue to open, referenced. */
static int get_queue(const char *name, int flags, unsigned mode, const struct mq_attr *a, struct mqueue **out)
{
	struct mqueue *q = find(name);
	int r = 0;

	if (!q) {
		if (!(flags & O_CREAT))
			return -ENOENT;
		r = create(name, mode, a, &q);
	} else if ((flags & (O_CREAT | O_EXCL)) == (O_CREAT | O_EXCL)) {
		return -EEXIST;
	} else if ((flags & O_ACCMODE) == 3) {
		return -EINVAL;
	} else if (!may_open(q, flags)) {
		return -EACCES;
	}
	if (r)
		return r;
	ref_get(&q->ref);
	*out = q;
	return 0;
}

long sys_mq_open(const char __app *uname, int flags, unsigned mode, const void __app *uattr)
{
	char name[NAME_MAX_LEN + 1];
	struct mq_attr a;
	struct mqueue *q;
	struct file *f;
	long r;

	if (uattr && flags & O_CREAT && get_app(a, (const struct mq_attr __app *)uattr))
		return -EFAULT;
	r = get_name(name, uname);
	if (r)
		return r;
	mutex_lock(&names_lock);
	r = get_queue(name, flags, mode, uattr ? &a : NULL, &q);
	mutex_unlock(&names_lock);
	if (r)
		return r;
	r = file_alloc(&mqueue_ops, (unsigned)flags & (O_ACCMODE | FLAG_NONBLOCK), q, &f);
	if (r) {
		queue_put(q);
		return r;
	}
	r = fdtab_install(uproc_self()->files, f, 0, proc_rlimit(RLIMIT_NOFILE), flags & O_CLOEXEC);
	if (r < 0)
		file_put(f);
	return r;
}

long sys_mq_unlink(const char __app *uname)
{
	char name[NAME_MAX_LEN + 1];
	const struct cred *c = &uproc_self()->cred;
	struct mqueue *q;
	long r = get_name(name, uname);

	if (r)
		return r;
	mutex_lock(&names_lock);
	q = find(name);
	if (!q) {
		r = -ENOENT;
	} else if (c->fsuid != q->uid && !cred_capable(c, CAP_FOWNER)) {
		r = -EACCES; /* the directory is sticky */
		q = NULL;
	} else {
		list_del(&q->link);
		nr_queues--;
	}
	mutex_unlock(&names_lock);
	if (q)
		queue_put(q);
	return r;
}

/* ---- messages ---- */

static int get_deadline(const void __app *timeout, s64 *deadline)
{
	s64 ts[2];

	*deadline = TIME_FOREVER;
	if (!timeout)
		return 0;
	if (copy_from_app(ts, timeout, sizeof(ts)))
		return -EFAULT;
	if (ts[0] < 0 || ts[1] < 0 || ts[1] >= NSEC_PER_SEC)
		return -EINVAL;
	if (ts[0] < 5000000000ll) /* absolute CLOCK_REALTIME */
		*deadline = MAX(1, clock_monotonic_ns() + ts[0] * NSEC_PER_SEC + ts[1] - clock_realtime_ns());
	return 0;
}

/* The referenced file of a queue open for `need` (FMODE_*). */
static int get_file(int fd, u32 need, struct file **out)
{
	struct file *f = fdtab_get(uproc_self()->files, fd);

	if (!f)
		return -EBADF;
	if (f->ops != &mqueue_ops || (f->mode_rw & need) != need) {
		file_put(f);
		return -EBADF;
	}
	*out = f;
	return 0;
}

static bool is_full(struct mqueue *q)
{
	return READ_ONCE(q->count) >= q->maxmsg;
}

/* 0 or 1 (full). *notified: the queue was empty and nobody waits for the message. */
static int insert(struct mqueue *q, struct mq_message *m, bool *tell)
{
	struct mq_message *at;
	struct list *after = &q->messages;

	spin_lock(&q->lock);
	if (is_full(q)) {
		spin_unlock(&q->lock);
		return 1;
	}
	list_for_each(at, &q->messages, link) {
		if (at->prio < m->prio)
			break;
		after = &at->link;
	}
	list_add(after, &m->link);
	*tell = !q->count && !q->receivers;
	WRITE_ONCE(q->count, q->count + 1);
	q->bytes += m->len;
	spin_unlock(&q->lock);
	return 0;
}

static long do_send(struct file *f, struct mq_message *m, s64 deadline)
{
	struct mqueue *q = f->private;
	bool tell = false;
	int r;

	while (insert(q, m, &tell)) {
		if (file_nonblock(f, 0))
			return -EAGAIN;
		r = wait_event(&q->wait, POLL_OUT, true, !is_full(q), deadline, true);
		if (r)
			return r;
	}
	waitq_wake(&q->wait, POLL_IN);
	if (tell)
		notify(q);
	return 0;
}

long sys_mq_timedsend(int fd, const char __app *msg, size_t len, unsigned prio, const void __app *timeout)
{
	struct mq_message *m;
	struct file *f;
	s64 deadline;
	long r = get_deadline(timeout, &deadline);

	if (r)
		return r;
	if (prio >= MAX_PRIO)
		return -EINVAL;
	r = get_file(fd, FMODE_WRITE, &f);
	if (r)
		return r;
	m = NULL;
	if (len > (size_t)((struct mqueue *)f->private)->msgsize)
		r = -EMSGSIZE;
	else if (!(m = kmem_alloc(sizeof(*m) + len)))
		r = -ENOMEM;
	if (!r) {
		m->prio = prio;
		m->len = len;
		r = len && copy_from_app(m->data, msg, len) ? -EFAULT : do_send(f, m, deadline);
		if (r)
			kmem_free(m, sizeof(*m) + len);
	}
	file_put(f);
	return r;
}

static struct mq_message *take(struct mqueue *q)
{
	struct mq_message *m = NULL;

	spin_lock(&q->lock);
	if (!list_empty(&q->messages)) {
		m = list_first(&q->messages, struct mq_message, link);
		list_del(&m->link);
		WRITE_ONCE(q->count, q->count - 1);
		q->bytes -= m->len;
	}
	spin_unlock(&q->lock);
	return m;
}

static void count_receiver(struct mqueue *q, bool more)
{
	spin_lock(&q->lock);
	q->receivers += more ? 1u : ~0u;
	spin_unlock(&q->lock);
}

static long do_receive(struct file *f, s64 deadline, struct mq_message **out)
{
	struct mqueue *q = f->private;
	int r;

	while (!(*out = take(q))) {
		if (file_nonblock(f, 0))
			return -EAGAIN;
		count_receiver(q, true);
		r = wait_event(&q->wait, POLL_IN, true, READ_ONCE(q->count), deadline, true);
		count_receiver(q, false);
		if (r)
			return r;
	}
	waitq_wake(&q->wait, POLL_OUT);
	return 0;
}

long sys_mq_timedreceive(int fd, char __app *msg, size_t len, unsigned __app *prio, const void __app *timeout)
{
	struct mq_message *m;
	struct file *f;
	s64 deadline;
	long r = get_deadline(timeout, &deadline);

	if (r)
		return r;
	r = get_file(fd, FMODE_READ, &f);
	if (r)
		return r;
	r = len < (size_t)((struct mqueue *)f->private)->msgsize ? -EMSGSIZE : do_receive(f, deadline, &m);
	file_put(f);
	if (r)
		return r;
	r = (long)m->len;
	if ((prio && put_app(m->prio, prio)) || (m->len && copy_to_app(msg, m->data, m->len)))
		r = -EFAULT;
	kmem_free(m, sizeof(*m) + m->len);
	return r;
}

/* ---- the rest ---- */

struct app_sigevent { /* struct sigevent */
	u64 value;
	s32 signo, notify;
};

static long set_notify(struct mqueue *q, const struct app_sigevent *e)
{
	long r = 0;

	spin_lock(&q->lock);
	if (q->notify) {
		r = -EBUSY;
	} else {
		q->notify = proc_get(uproc_self());
		q->notify_kind = (u32)e->notify;
		q->notify_sig = e->signo;
		q->notify_value = e->value;
	}
	spin_unlock(&q->lock);
	return r;
}

long sys_mq_notify(int fd, const void __app *sev)
{
	struct app_sigevent e;
	struct file *f;
	long r;

	if (sev && get_app(e, (const struct app_sigevent __app *)sev))
		return -EFAULT;
	if (sev && e.notify != SIGEV_NONE_NR && e.notify != SIGEV_SIGNAL_NR)
		return -EINVAL;
	if (sev && e.notify == SIGEV_SIGNAL_NR && (e.signo < 1 || e.signo > NSIG_MAX))
		return -EINVAL;
	r = get_file(fd, 0, &f);
	if (r)
		return r;
	if (sev)
		r = set_notify(f->private, &e);
	else
		mqueue_flush(f, NULL);
	file_put(f);
	return r;
}

long sys_mq_getsetattr(int fd, const void __app *unew, void __app *uold)
{
	struct mq_attr n, o = { 0 };
	struct mqueue *q;
	struct file *f;
	long r;

	if (unew && get_app(n, (const struct mq_attr __app *)unew))
		return -EFAULT;
	if (unew && n.mq_flags & ~(long)FLAG_NONBLOCK)
		return -EINVAL;
	r = get_file(fd, 0, &f);
	if (r)
		return r;
	q = f->private;
	o.mq_flags = load_relaxed(&f->flags) & FLAG_NONBLOCK;
	o.mq_maxmsg = q->maxmsg;
	o.mq_msgsize = q->msgsize;
	o.mq_curmsgs = READ_ONCE(q->count);
	if (unew && n.mq_flags & FLAG_NONBLOCK)
		atomic_fetch_or(&f->flags, FLAG_NONBLOCK);
	else if (unew)
		atomic_fetch_and(&f->flags, ~FLAG_NONBLOCK);
	file_put(f);
	return uold && copy_to_app(uold, &o, sizeof(o)) ? -EFAULT : 0;
}
