/* SPDX-License-Identifier: MIT */
/* System V message queues: msgget(2), msgsnd(2), msgrcv(2), msgctl(2). */
#include "userlib/base/string.h"
#include "userlib/proc/ipc.h"
#include "userlib/proc/pseudo.h"
#include <linux/msg.h>

#define MAX_MESSAGE 8192u
#define MAX_QUEUE 16384u

struct message {
	struct list link;
	s64 type;
	size_t size;
	char data[];
};
struct msg_queue { /* all [lock] */
	struct ipc_obj ipc; /* first */
	struct list messages;
	u64 cbytes, qnum, qbytes;
	u32 changes; /* [a] */
	int lspid, lrpid;
	s64 stime, rtime, ctime;
	struct waitq wait; /* senders and receivers */
};
static struct ipc_table queues = IPC_TABLE_INIT(queues);
static u64 total_messages, total_bytes; /* [lock] */

static struct msg_queue *find(int id)
{
	return (struct msg_queue *)ipc_find(&queues, id);
}

static void put(struct msg_queue *q)
{
	if (ref_put(&q->ipc.ref))
		kmem_free(q, sizeof(*q));
}

static void free_message(struct message *m)
{
	kmem_free(m, sizeof(*m) + m->size);
}

static void changed(struct msg_queue *q)
{
	atomic_fetch_add(&q->changes, 1u);
	waitq_wake_everyone(&q->wait);
}

static long create(int key, int flags)
{
	struct msg_queue *q = kmem_zalloc(sizeof(*q));
	int r;

	if (!q)
		return -ENOMEM;
	list_init(&q->messages);
	waitq_init(&q->wait);
	q->qbytes = MAX_QUEUE;
	r = ipc_add(&queues, &q->ipc, key, flags);
	if (r) {
		kmem_free(q, sizeof(*q));
		return r;
	}
	q->ctime = ipc_now();
	return q->ipc.id;
}

long sys_msgget(int key, int flags)
{
	struct msg_queue *q;
	long r;

	mutex_lock(&queues.lock);
	q = (struct msg_queue *)ipc_find_key(&queues, key);
	if (!q)
		r = key == IPC_PRIVATE || flags & IPC_CREAT ? create(key, flags) : -ENOENT;
	else if ((flags & (IPC_CREAT | IPC_EXCL)) == (IPC_CREAT | IPC_EXCL))
		r = -EEXIST;
	else
		r = ipc_allowed(&q->ipc, (u32)flags) ? q->ipc.id : -EACCES;
	mutex_unlock(&queues.lock);
	return r;
}

/* [lock, released while waiting] 0: look again; -EINTR, -EIDRM. Both calls are never restarted (signal(7)). */
static int wait_change(struct msg_queue *q)
{
	u32 seen = load_relaxed(&q->changes);
	int r;

	mutex_unlock(&queues.lock);
	r = wait_event(&q->wait, WAKE_ALL, false, load_acquire(&q->changes) != seen || load_acquire(&q->ipc.dead), TIME_FOREVER, true);
	mutex_lock(&queues.lock);
	return q->ipc.dead ? -EIDRM : r ? -EINTR : 0;
}

static int enqueue(struct msg_queue *q, struct message *m, int flags)
{
	int r;

	if (!ipc_allowed(&q->ipc, 0222))
		return -EACCES;
	while (q->cbytes + m->size > q->qbytes || q->qnum + 1 > q->qbytes) {
		if (flags & IPC_NOWAIT)
			return -EAGAIN;
		r = wait_change(q);
		if (r)
			return r;
	}
	list_add_tail(&q->messages, &m->link);
	q->cbytes += m->size;
	q->qnum++;
	total_bytes += m->size;
	total_messages++;
	q->lspid = uproc_self()->pid;
	q->stime = ipc_now();
	changed(q);
	return 0;
}

long sys_msgsnd(int id, const void __app *msg, size_t size, int flags)
{
	struct msg_queue *q;
	struct message *m;
	s64 type;
	long r;

	if (copy_from_app(&type, msg, sizeof(type)))
		return -EFAULT;
	if (size > MAX_MESSAGE || id < 0 || type < 1)
		return -EINVAL;
	m = kmem_alloc(sizeof(*m) + size);
	if (!m)
		return -ENOMEM;
	m->type = type;
	m->size = size;
	if (size && copy_from_app(m->data, (const char __app *)msg + sizeof(type), size)) {
		free_message(m);
		return -EFAULT;
	}
	mutex_lock(&queues.lock);
	q = find(id);
	if (q) {
		ref_get(&q->ipc.ref);
		r = enqueue(q, m, flags);
		put(q);
	} else {
		r = -EINVAL;
	}
	mutex_unlock(&queues.lock);
	if (r)
		free_message(m);
	return r;
}

/* [lock] */
static struct message *choose(struct msg_queue *q, s64 type, int flags)
{
	struct message *m, *best = NULL;
	s64 n = type;

	list_for_each(m, &q->messages, link) {
		if (flags & MSG_COPY) {
			if (!n--)
				return m;
		} else if (!type || (type > 0 && flags & MSG_EXCEPT ? m->type != type : m->type == type)) {
			return m;
		} else if (type < 0 && m->type <= (type == INT64_MIN ? INT64_MAX : -type) && (!best || m->type < best->type)) {
			best = m;
		}
	}
	return best;
}

/* [lock] The message taken out of q (a copy for MSG_COPY). */
static int dequeue(struct msg_queue *q, size_t size, s64 type, int flags, struct message **out)
{
	struct message *m;
	int r;

	if (!ipc_allowed(&q->ipc, 0444))
		return -EACCES;
	while (!(m = choose(q, type, flags))) {
		if (flags & IPC_NOWAIT)
			return -ENOMSG;
		r = wait_change(q);
		if (r)
			return r;
	}
	if (m->size > size && !(flags & MSG_NOERROR))
		return -E2BIG;
	if (flags & MSG_COPY) {
		*out = kmem_alloc(sizeof(*m) + m->size);
		if (!*out)
			return -ENOMEM;
		memcpy(*out, m, sizeof(*m) + m->size);
		return 0;
	}
	list_del(&m->link);
	q->cbytes -= m->size;
	q->qnum--;
	total_bytes -= m->size;
	total_messages--;
	q->lrpid = uproc_self()->pid;
	q->rtime = ipc_now();
	changed(q);
	*out = m;
	return 0;
}

long sys_msgrcv(int id, void __app *msg, size_t size, s64 type, int flags)
{
	struct message *m = NULL;
	struct msg_queue *q;
	long r;

	if (id < 0 || (s64)size < 0)
		return -EINVAL;
	if (flags & MSG_COPY && (flags & MSG_EXCEPT || !(flags & IPC_NOWAIT)))
		return -EINVAL;
	mutex_lock(&queues.lock);
	q = find(id);
	if (q) {
		ref_get(&q->ipc.ref);
		r = dequeue(q, size, type, flags, &m);
		put(q);
	} else {
		r = -EINVAL;
	}
	mutex_unlock(&queues.lock);
	if (r)
		return r;
	r = (long)MIN(size, m->size);
	if (copy_to_app(msg, &m->type, sizeof(m->type)) || (r && copy_to_app((char __app *)msg + sizeof(m->type), m->data, (size_t)r)))
		r = -EFAULT;
	free_message(m);
	return r;
}

static void fill_ds(const struct msg_queue *q, struct msqid64_ds *ds)
{
	memset(ds, 0, sizeof(*ds));
	ipc_fill_perm(&q->ipc, &ds->msg_perm);
	ds->msg_stime = q->stime;
	ds->msg_rtime = q->rtime;
	ds->msg_ctime = q->ctime;
	ds->msg_cbytes = q->cbytes;
	ds->msg_qnum = q->qnum;
	ds->msg_qbytes = q->qbytes;
	ds->msg_lspid = q->lspid;
	ds->msg_lrpid = q->lrpid;
}

static long stat(int id, int cmd, void __app *buf)
{
	struct msqid64_ds ds;
	struct msg_queue *q;
	long r;

	mutex_lock(&queues.lock);
	q = cmd == IPC_STAT ? find(id) : (struct msg_queue *)ipc_at(&queues, (u32)id);
	if (!q)
		r = -EINVAL;
	else if (cmd != MSG_STAT_ANY && !ipc_allowed(&q->ipc, 0444))
		r = -EACCES;
	else
		r = cmd == IPC_STAT ? 0 : q->ipc.id;
	if (r >= 0)
		fill_ds(q, &ds);
	mutex_unlock(&queues.lock);
	return r >= 0 && copy_to_app(buf, &ds, sizeof(ds)) ? -EFAULT : r;
}

static long info(int cmd, void __app *buf)
{
	struct msginfo i = { .msgpool = 16384 * 32, .msgmap = 16384, .msgmax = MAX_MESSAGE, .msgmnb = MAX_QUEUE, .msgmni = (int)IPC_SLOTS,
			     .msgssz = 16, .msgtql = 16384, .msgseg = 0xffff };
	long r;

	mutex_lock(&queues.lock);
	if (cmd == MSG_INFO) {
		i.msgpool = (int)queues.used;
		i.msgmap = (int)total_messages;
		i.msgtql = (int)total_bytes;
	}
	r = ipc_highest(&queues);
	mutex_unlock(&queues.lock);
	return copy_to_app(buf, &i, sizeof(i)) ? -EFAULT : r;
}

static void remove_queue(struct msg_queue *q)
{
	ipc_del(&queues, &q->ipc);
	total_messages -= q->qnum;
	total_bytes -= q->cbytes;
	while (!list_empty(&q->messages)) {
		struct message *m = list_first(&q->messages, struct message, link);

		list_del(&m->link);
		free_message(m);
	}
	changed(q);
	put(q);
}

static int set(struct msg_queue *q, const struct msqid64_ds *ds)
{
	int r;

	if (ds->msg_qbytes > MAX_QUEUE && !cred_capable(&uproc_self()->cred, CAP_SYS_RESOURCE))
		return -EPERM;
	r = ipc_set_perm(&q->ipc, &ds->msg_perm);
	if (r)
		return r;
	q->qbytes = ds->msg_qbytes;
	q->ctime = ipc_now();
	changed(q);
	return 0;
}

long sys_msgctl(int id, int cmd, void __app *buf)
{
	struct msqid64_ds ds;
	struct msg_queue *q;
	long r;

	if (id < 0 || cmd < 0)
		return -EINVAL;
	if (cmd == IPC_INFO || cmd == MSG_INFO)
		return info(cmd, buf);
	if (cmd == IPC_STAT || cmd == MSG_STAT || cmd == MSG_STAT_ANY)
		return stat(id, cmd, buf);
	if (cmd != IPC_SET && cmd != IPC_RMID)
		return -EINVAL;
	if (cmd == IPC_SET && copy_from_app(&ds, buf, sizeof(ds)))
		return -EFAULT;
	mutex_lock(&queues.lock);
	q = find(id);
	r = !q ? -EINVAL : !ipc_is_owner(&q->ipc) ? -EPERM : 0;
	if (!r && cmd == IPC_SET)
		r = set(q, &ds);
	else if (!r)
		remove_queue(q);
	mutex_unlock(&queues.lock);
	return r;
}

int ipc_msg_show(struct ptext *o)
{
	ptext_printf(o, "       key      msqid perms      cbytes       qnum lspid lrpid   uid   gid  cuid  cgid      stime      rtime      ctime\n");
	mutex_lock(&queues.lock);
	for (u32 i = 0; i < IPC_SLOTS; i++) {
		struct msg_queue *q = (struct msg_queue *)ipc_at(&queues, i);

		if (q)
			ptext_printf(o, "%10d %10d  %4o  %10lu %10lu %5d %5d %5u %5u %5u %5u %10ld %10ld %10ld\n", q->ipc.key, q->ipc.id,
				     q->ipc.mode, q->cbytes, q->qnum, q->lspid, q->lrpid, q->ipc.uid, q->ipc.gid, q->ipc.cuid,
				     q->ipc.cgid, q->stime, q->rtime, q->ctime);
	}
	mutex_unlock(&queues.lock);
	return 0;
}
