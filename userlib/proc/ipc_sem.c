/* SPDX-License-Identifier: MIT */
/*
 * System V semaphores: semget(2), semop(2), semctl(2). An array's operations are done all or none, under the mutex of the kind; who
 * cannot go on waits for the array to change and tries again. SEM_UNDO amounts are kept per process and array.
 */
#include "userlib/base/string.h"
#include "userlib/proc/ipc.h"
#include "userlib/proc/pseudo.h"
#include <linux/sem.h>

#define MAX_SEMS 32000
#define MAX_OPS 500u
#define MAX_VALUE 32767

struct sem {
	int val, pid;
	u32 ncnt, zcnt;
};
struct sem_array { /* all [lock] */
	struct ipc_obj ipc; /* first */
	u32 nsems;
	u32 changes; /* [a] */
	s64 otime, ctime;
	struct waitq wait;
	struct list undos; /* struct sem_undo */
	struct sem sems[];
};
struct sem_undo { /* [lock] */
	struct list of_array, of_proc;
	struct sem_array *array; /* reference */
	s16 adj[];
};
static struct ipc_table sems = IPC_TABLE_INIT(sems);
static u32 total_sems; /* [lock] */

static struct sem_array *find(int id)
{
	return (struct sem_array *)ipc_find(&sems, id);
}

static void put(struct sem_array *a)
{
	if (ref_put(&a->ipc.ref))
		kmem_free(a, sizeof(*a) + a->nsems * sizeof(a->sems[0]));
}

static void changed(struct sem_array *a)
{
	atomic_fetch_add(&a->changes, 1u);
	waitq_wake_everyone(&a->wait);
}

/* ---- semget ---- */

static long create(int key, int nsems, int flags)
{
	struct sem_array *a;
	int r;

	if (nsems < 1 || nsems > MAX_SEMS)
		return -EINVAL;
	a = kmem_zalloc(sizeof(*a) + (size_t)nsems * sizeof(a->sems[0]));
	if (!a)
		return -ENOMEM;
	a->nsems = (u32)nsems;
	waitq_init(&a->wait);
	list_init(&a->undos);
	r = ipc_add(&sems, &a->ipc, key, flags);
	if (r) {
		kmem_free(a, sizeof(*a) + a->nsems * sizeof(a->sems[0]));
		return r;
	}
	a->ctime = ipc_now();
	total_sems += a->nsems;
	return a->ipc.id;
}

long sys_semget(int key, int nsems, int flags)
{
	struct sem_array *a;
	long r;

	if (nsems < 0 || nsems > MAX_SEMS)
		return -EINVAL;
	mutex_lock(&sems.lock);
	a = (struct sem_array *)ipc_find_key(&sems, key);
	if (!a)
		r = key == IPC_PRIVATE || flags & IPC_CREAT ? create(key, nsems, flags) : -ENOENT;
	else if ((flags & (IPC_CREAT | IPC_EXCL)) == (IPC_CREAT | IPC_EXCL))
		r = -EEXIST;
	else if ((u32)nsems > a->nsems)
		r = -EINVAL;
	else
		r = ipc_allowed(&a->ipc, (u32)flags) ? a->ipc.id : -EACCES;
	mutex_unlock(&sems.lock);
	return r;
}

/* ---- semop ---- */

/* [lock] The caller's undo record of a, made if there is none. */
static struct sem_undo *undo_of(struct sem_array *a)
{
	struct uproc *p = uproc_self();
	struct sem_undo *u;

	list_for_each(u, &p->sem_undos, of_proc)
		if (u->array == a)
			return u;
	u = kmem_zalloc(sizeof(*u) + a->nsems * sizeof(u->adj[0]));
	if (!u)
		return NULL;
	ref_get(&a->ipc.ref);
	u->array = a;
	list_add(&a->undos, &u->of_array);
	list_add(&p->sem_undos, &u->of_proc);
	return u;
}

static void free_undo(struct sem_undo *u)
{
	struct sem_array *a = u->array;

	list_del(&u->of_array);
	list_del(&u->of_proc);
	kmem_free(u, sizeof(*u) + a->nsems * sizeof(u->adj[0]));
	put(a);
}

static void take_back(struct sem_array *a, const struct sembuf *ops, u32 n)
{
	while (n--)
		a->sems[ops[n].sem_num].val -= ops[n].sem_op;
}

/* [lock] 0: done; 1: must wait, *at says for which operation; -errno. */
static int try_ops(struct sem_array *a, const struct sembuf *ops, u32 n, struct sem_undo *u, u32 *at)
{
	int r = 0;
	u32 i;

	for (i = 0; i < n && !r; i++) {
		struct sem *s = &a->sems[ops[i].sem_num];
		int v = s->val + ops[i].sem_op;

		if ((!ops[i].sem_op && s->val) || v < 0)
			r = ops[i].sem_flg & IPC_NOWAIT ? -EAGAIN : 1;
		else if (v > MAX_VALUE)
			r = -ERANGE;
		else if (ops[i].sem_flg & SEM_UNDO && (u->adj[ops[i].sem_num] - ops[i].sem_op > MAX_VALUE ||
						       u->adj[ops[i].sem_num] - ops[i].sem_op < -MAX_VALUE - 1))
			r = -ERANGE;
		else
			s->val = v;
	}
	if (r) {
		*at = i - 1;
		take_back(a, ops, i - 1);
		return r;
	}
	for (i = 0; i < n; i++) {
		a->sems[ops[i].sem_num].pid = uproc_self()->pid;
		if (ops[i].sem_flg & SEM_UNDO)
			u->adj[ops[i].sem_num] = (s16)(u->adj[ops[i].sem_num] - ops[i].sem_op);
	}
	a->otime = ipc_now();
	return 0;
}

/* [lock, released while waiting] What happened: 0 try again, -EINTR, -EAGAIN, -EIDRM. */
static int wait_change(struct sem_array *a, const struct sembuf *op, s64 deadline)
{
	struct sem *s = &a->sems[op->sem_num];
	u32 *count = op->sem_op ? &s->ncnt : &s->zcnt, seen = load_relaxed(&a->changes);
	int r;

	++*count;
	mutex_unlock(&sems.lock);
	r = wait_event(&a->wait, WAKE_ALL, false, load_acquire(&a->changes) != seen || load_acquire(&a->ipc.dead), deadline, true);
	mutex_lock(&sems.lock);
	--*count;
	if (a->ipc.dead)
		return -EIDRM;
	return r == -ETIMEDOUT ? -EAGAIN : r ? -EINTR : 0;
}

static int run_ops(struct sem_array *a, const struct sembuf *ops, u32 n, s64 deadline)
{
	bool undo = false, alter = false;
	struct sem_undo *u = NULL;
	u32 at = 0;
	int r = 0;

	for (u32 i = 0; i < n; i++) {
		if (ops[i].sem_num >= a->nsems)
			return -EFBIG;
		undo |= ops[i].sem_flg & SEM_UNDO && ops[i].sem_op;
		alter |= ops[i].sem_op != 0;
	}
	if (!ipc_allowed(&a->ipc, alter ? 0222 : 0444))
		return -EACCES;
	if (undo) {
		u = undo_of(a);
		if (!u)
			return -ENOMEM;
	}
	for (;;) {
		r = try_ops(a, ops, n, u, &at);
		if (!r && alter)
			changed(a);
		if (r <= 0)
			return r;
		r = wait_change(a, &ops[at], deadline);
		if (r)
			return r;
	}
}

static long do_semop(int id, void __app *usops, u32 n, s64 deadline)
{
	struct sembuf few[8], *ops = few;
	struct sem_array *a;
	long r;

	if (!n || id < 0)
		return -EINVAL;
	if (n > MAX_OPS)
		return -E2BIG;
	if (n > ARRAY_SIZE(few)) {
		ops = kmem_alloc(n * sizeof(*ops));
		if (!ops)
			return -ENOMEM;
	}
	r = copy_from_app(ops, usops, n * sizeof(*ops)) ? -EFAULT : 0;
	if (!r) {
		for (u32 i = 0; i < n; i++)
			ops[i].sem_flg = (short)(ops[i].sem_op ? ops[i].sem_flg : ops[i].sem_flg & ~SEM_UNDO);
		mutex_lock(&sems.lock);
		a = find(id);
		if (a) {
			ref_get(&a->ipc.ref);
			r = run_ops(a, ops, n, deadline);
			put(a);
		} else {
			r = -EINVAL;
		}
		mutex_unlock(&sems.lock);
	}
	if (ops != few)
		kmem_free(ops, n * sizeof(*ops));
	return r;
}

long sys_semop(int id, void __app *sops, unsigned n)
{
	return do_semop(id, sops, n, TIME_FOREVER);
}

long sys_semtimedop(int id, void __app *sops, unsigned n, const void __app *timeout)
{
	s64 ts[2], deadline = TIME_FOREVER;

	if (timeout) {
		if (copy_from_app(ts, timeout, sizeof(ts)))
			return -EFAULT;
		if (ts[0] < 0 || ts[1] < 0 || ts[1] >= NSEC_PER_SEC)
			return -EINVAL;
		if (ts[0] < 1000000000)
			deadline = clock_monotonic_ns() + ts[0] * NSEC_PER_SEC + ts[1];
	}
	return do_semop(id, sops, n, deadline);
}

void ipc_sem_exit(struct uproc *p)
{
	if (list_empty(&p->sem_undos)) /* nobody else is left to add to it */
		return;
	mutex_lock(&sems.lock);
	while (!list_empty(&p->sem_undos)) {
		struct sem_undo *u = list_first(&p->sem_undos, struct sem_undo, of_proc);
		struct sem_array *a = u->array;

		for (u32 i = 0; i < a->nsems && !a->ipc.dead; i++)
			if (u->adj[i]) {
				a->sems[i].val = MAX(0, MIN(MAX_VALUE, a->sems[i].val + u->adj[i]));
				a->sems[i].pid = p->pid;
			}
		changed(a);
		free_undo(u);
	}
	mutex_unlock(&sems.lock);
}

/* ---- semctl ---- */

static void fill_ds(const struct sem_array *a, struct semid64_ds *ds)
{
	memset(ds, 0, sizeof(*ds));
	ipc_fill_perm(&a->ipc, &ds->sem_perm);
	ds->sem_otime = a->otime;
	ds->sem_ctime = a->ctime;
	ds->sem_nsems = a->nsems;
}

static long stat(int id, int cmd, u64 arg)
{
	struct semid64_ds ds;
	struct sem_array *a;
	long r;

	mutex_lock(&sems.lock);
	a = cmd == IPC_STAT ? find(id) : (struct sem_array *)ipc_at(&sems, (u32)id);
	if (!a)
		r = -EINVAL;
	else if (cmd != SEM_STAT_ANY && !ipc_allowed(&a->ipc, 0444))
		r = -EACCES;
	else
		r = cmd == IPC_STAT ? 0 : a->ipc.id;
	if (r >= 0)
		fill_ds(a, &ds);
	mutex_unlock(&sems.lock);
	return r >= 0 && copy_to_app((void __app *)arg, &ds, sizeof(ds)) ? -EFAULT : r;
}

static long info(int cmd, u64 arg)
{
	struct seminfo i = { .semmap = 1024000000, .semmni = (int)IPC_SLOTS, .semmns = 1024000000, .semmnu = 1024000000, .semmsl = MAX_SEMS,
			     .semopm = (int)MAX_OPS, .semume = (int)MAX_OPS, .semusz = 20, .semvmx = MAX_VALUE, .semaem = MAX_VALUE };
	long r;

	mutex_lock(&sems.lock);
	if (cmd == SEM_INFO) {
		i.semusz = (int)sems.used;
		i.semaem = (int)total_sems;
	}
	r = ipc_highest(&sems);
	mutex_unlock(&sems.lock);
	return copy_to_app((void __app *)arg, &i, sizeof(i)) ? -EFAULT : r;
}

static void clear_undo(struct sem_array *a, u32 num)
{
	struct sem_undo *u;

	list_for_each(u, &a->undos, of_array)
		u->adj[num] = 0;
}

static long one_value(struct sem_array *a, u32 num, int cmd, int val)
{
	struct sem *s = &a->sems[num];

	switch (cmd) {
	case GETVAL:
		return s->val;
	case GETPID:
		return s->pid;
	case GETNCNT:
		return s->ncnt;
	case GETZCNT:
		return s->zcnt;
	default: /* SETVAL */
		s->val = val;
		s->pid = uproc_self()->pid;
		clear_undo(a, num);
		a->ctime = ipc_now();
		changed(a);
		return 0;
	}
}

static long value_call(int id, int num, int cmd, int val)
{
	struct sem_array *a;
	long r;

	mutex_lock(&sems.lock);
	a = find(id);
	if (!a)
		r = -EINVAL;
	else if (cmd == SETVAL && (num < 0 || (u32)num >= a->nsems))
		r = -EINVAL;
	else if (!ipc_allowed(&a->ipc, cmd == SETVAL ? 0222 : 0444))
		r = -EACCES;
	else if (num < 0 || (u32)num >= a->nsems)
		r = -EINVAL;
	else
		r = one_value(a, (u32)num, cmd, val);
	mutex_unlock(&sems.lock);
	return r;
}

static void set_all(struct sem_array *a, const u16 *v)
{
	for (u32 i = 0; i < a->nsems; i++) {
		a->sems[i].val = v[i];
		a->sems[i].pid = uproc_self()->pid;
		clear_undo(a, i);
	}
	a->ctime = ipc_now();
	changed(a);
}

/* GETALL, SETALL: the program's array is touched without the lock; its size is that of a removed or changed set at worst. */
static long all_values(int id, int cmd, u64 arg)
{
	u16 *v = kmem_zalloc(MAX_SEMS * sizeof(*v));
	struct sem_array *a;
	u32 n = 0;
	long r;

	if (!v)
		return -ENOMEM;
	mutex_lock(&sems.lock);
	a = find(id);
	r = !a ? -EINVAL : !ipc_allowed(&a->ipc, cmd == SETALL ? 0222 : 0444) ? -EACCES : 0;
	if (!r)
		n = a->nsems;
	for (u32 i = 0; i < n && cmd == GETALL; i++)
		v[i] = (u16)a->sems[i].val;
	mutex_unlock(&sems.lock);
	if (!r && cmd == GETALL)
		r = copy_to_app((void __app *)arg, v, n * sizeof(*v));
	if (!r && cmd == SETALL) {
		r = copy_from_app(v, (void __app *)arg, n * sizeof(*v));
		for (u32 i = 0; i < n && !r; i++)
			r = v[i] > MAX_VALUE ? -ERANGE : 0;
		mutex_lock(&sems.lock);
		if (!r && find(id) != a)
			r = -EIDRM;
		if (!r)
			set_all(a, v);
		mutex_unlock(&sems.lock);
	}
	kmem_free(v, MAX_SEMS * sizeof(*v));
	return r;
}

static void remove_array(struct sem_array *a)
{
	ipc_del(&sems, &a->ipc);
	total_sems -= a->nsems;
	changed(a);
	put(a);
}

static long change(int id, int cmd, const struct semid64_ds *ds)
{
	struct sem_array *a;
	long r;

	mutex_lock(&sems.lock);
	a = find(id);
	r = !a ? -EINVAL : !ipc_is_owner(&a->ipc) ? -EPERM : 0;
	if (!r && cmd == IPC_SET) {
		r = ipc_set_perm(&a->ipc, &ds->sem_perm);
		if (!r)
			a->ctime = ipc_now();
	} else if (!r) {
		remove_array(a);
	}
	mutex_unlock(&sems.lock);
	return r;
}

long sys_semctl(int id, int num, int cmd, u64 arg)
{
	struct semid64_ds ds;

	if (id < 0)
		return -EINVAL;
	switch (cmd) {
	case IPC_INFO:
	case SEM_INFO:
		return info(cmd, arg);
	case IPC_STAT:
	case SEM_STAT:
	case SEM_STAT_ANY:
		return stat(id, cmd, arg);
	case GETALL:
	case SETALL:
		return all_values(id, cmd, arg);
	case SETVAL:
		if ((int)arg < 0 || (int)arg > MAX_VALUE)
			return -ERANGE;
		/* fall through */
	case GETVAL:
	case GETPID:
	case GETNCNT:
	case GETZCNT:
		return value_call(id, num, cmd, (int)arg);
	case IPC_SET:
		if (copy_from_app(&ds, (void __app *)arg, sizeof(ds)))
			return -EFAULT;
		/* fall through */
	case IPC_RMID:
		return change(id, cmd, &ds);
	default:
		return -EINVAL;
	}
}

int ipc_sem_show(struct ptext *o)
{
	ptext_printf(o, "       key      semid perms      nsems   uid   gid  cuid  cgid      otime      ctime\n");
	mutex_lock(&sems.lock);
	for (u32 i = 0; i < IPC_SLOTS; i++) {
		struct sem_array *a = (struct sem_array *)ipc_at(&sems, i);

		if (a)
			ptext_printf(o, "%10d %10d  %4o %10u %5u %5u %5u %5u %10ld %10ld\n", a->ipc.key, a->ipc.id, a->ipc.mode, a->nsems,
				     a->ipc.uid, a->ipc.gid, a->ipc.cuid, a->ipc.cgid, a->otime, a->ctime);
	}
	mutex_unlock(&sems.lock);
	return 0;
}
