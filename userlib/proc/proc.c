/* SPDX-License-Identifier: MIT */
/*
 * The tables of processes and threads, their creation and lifetime. Starting them is clone.c and exec.c, ending them exit.c.
 * References: the table holds one on each uproc until it is reaped, every thread holds one on its uproc; a live thread holds one on itself.
 */
#include "userlib/proc/proc.h"
#include "userlib/proc/proc_internal.h"
#include "userlib/base/log.h"
#include "userlib/base/string.h"
#include "userlib/proc/mm.h"
#include "userlib/proc/timer_calls.h"

#define PID_MAX 4194304
#define PID_HASH 256

struct spinlock proc_table_lock;
struct list uproc_all = LIST_INIT(uproc_all);
struct uproc *proc_init;

static struct slab uproc_slab = SLAB_INIT("uproc", struct uproc);
static struct slab thread_slab = SLAB_INIT("thread", struct thread);
static struct list proc_hash[PID_HASH], thread_hash[PID_HASH];
static int last_pid;

void proc_tables_init(void)
{
	for (int i = 0; i < PID_HASH; i++) {
		list_init(&proc_hash[i]);
		list_init(&thread_hash[i]);
	}
}

static struct uproc *find_proc_locked(int pid)
{
	struct uproc *p;

	list_for_each(p, &proc_hash[(unsigned)pid % PID_HASH], hash_link)
		if (p->pid == pid)
			return p;
	return NULL;
}

static struct thread *find_thread_locked(int tid)
{
	struct thread *t;

	list_for_each(t, &thread_hash[(unsigned)tid % PID_HASH], hash_link)
		if (t->tid == tid)
			return t;
	return NULL;
}

struct uproc *proc_find_locked(int pid)
{
	return find_proc_locked(pid);
}

struct uproc *proc_find(int pid)
{
	struct uproc *p;

	spin_lock(&proc_table_lock);
	p = find_proc_locked(pid);
	if (p)
		ref_get(&p->ref);
	spin_unlock(&proc_table_lock);
	return p;
}

struct thread *thread_find(int tid)
{
	struct thread *t;

	spin_lock(&proc_table_lock);
	t = find_thread_locked(tid);
	if (t && !ref_get_unless_zero(&t->ref))
		t = NULL;
	spin_unlock(&proc_table_lock);
	return t;
}

/* In use as pid, tid, process group or session: not to be given out. */
static bool pid_used_locked(int pid)
{
	struct uproc *p;

	if (find_proc_locked(pid) || find_thread_locked(pid))
		return true;
	list_for_each(p, &uproc_all, all_link)
		if (p->pgid == pid || p->sid == pid)
			return true;
	return false;
}

int pid_alloc(void)
{
	int pid;

	spin_lock(&proc_table_lock);
	do {
		pid = ++last_pid;
		if (pid >= PID_MAX)
			pid = last_pid = 300;
	} while (pid_used_locked(pid));
	spin_unlock(&proc_table_lock);
	return pid;
}

struct uproc *uproc_alloc(void)
{
	struct uproc *p = slab_zalloc(&uproc_slab);

	if (!p)
		return NULL;
	ref_init(&p->ref);
	list_init(&p->children);
	list_init(&p->sibling);
	list_init(&p->hash_link);
	list_init(&p->all_link);
	list_init(&p->threads);
	list_init(&p->posix_timers);
	list_init(&p->sem_undos);
	waitq_init(&p->signal_wait);
	waitq_init(&p->wait_children);
	waitq_init(&p->stop_wait);
	list_init(&p->pending.queue);
	p->exit_signal = 17;
	p->dumpable = 1;
	p->start_ns = clock_boottime_ns();
	return p;
}

void proc_put(struct uproc *p)
{
	if (!ref_put(&p->ref))
		return;
	sigpending_flush(&p->pending);
	signalfd_forget_queue(&p->signal_wait);
	proc_args_drop(p);
	if (p->sighand && ref_put(&p->sighand->ref))
		kmem_free(p->sighand, sizeof(*p->sighand));
	slab_free(&uproc_slab, p);
}

struct thread *thread_alloc(struct uproc *p, int tid)
{
	struct thread *t = slab_zalloc(&thread_slab);

	if (!t)
		return NULL;
	ref_init(&t->ref);
	t->tid = tid;
	t->proc = proc_get(p);
	list_init(&t->group_link);
	list_init(&t->hash_link);
	list_init(&t->pending.queue);
	t->timer_slack_ns = 50000;
	t->altstack_flags = 2; /* SS_DISABLE */
	return t;
}

void thread_put(struct thread *t)
{
	if (!ref_put(&t->ref))
		return;
	sigpending_flush(&t->pending);
	proc_put(t->proc);
	slab_free(&thread_slab, t);
}

/* Makes p and its first thread visible. */
void proc_publish(struct uproc *p, struct thread *t, struct uproc *parent)
{
	spin_lock(&proc_table_lock);
	p->parent = parent;
	if (parent)
		list_add_tail(&parent->children, &p->sibling);
	list_add_tail(&proc_hash[(unsigned)p->pid % PID_HASH], &p->hash_link);
	list_add_tail(&uproc_all, &p->all_link);
	spin_unlock(&proc_table_lock);
	p->leader = t;
	thread_publish(t);
	cpu_limit_watch(p);
}

void thread_publish(struct thread *t)
{
	spin_lock(&proc_table_lock);
	list_add_tail(&thread_hash[(unsigned)t->tid % PID_HASH], &t->hash_link);
	spin_unlock(&proc_table_lock);
	spin_lock(&t->proc->lock);
	list_add_tail(&t->proc->threads, &t->group_link);
	t->proc->nr_threads++;
	spin_unlock(&t->proc->lock);
}

void thread_unpublish(struct thread *t)
{
	spin_lock(&proc_table_lock);
	list_del(&t->hash_link);
	spin_unlock(&proc_table_lock);
}

/* A thread that takes over the leader's id at exec keeps its struct; only the number changes. */
void thread_take_tid(struct thread *t, int tid)
{
	spin_lock(&proc_table_lock);
	list_del(&t->hash_link);
	t->tid = tid;
	list_add_tail(&thread_hash[(unsigned)tid % PID_HASH], &t->hash_link);
	spin_unlock(&proc_table_lock);
}

/* The process leaves the table for good; the caller then drops the table's reference. [proc_table_lock] */
void proc_remove_locked(struct uproc *p)
{
	list_del(&p->hash_link);
	list_del(&p->all_link);
	list_del(&p->sibling);
}

u64 proc_rlimit(int resource)
{
	return uproc_self()->rlim[resource].rlim_cur;
}

struct fs_ctx *fs_ctx_copy(struct fs_ctx *from)
{
	struct fs_ctx *fs = kmem_zalloc(sizeof(*fs));

	if (!fs)
		return NULL;
	ref_init(&fs->ref);
	spin_lock(&from->lock);
	fs->root = from->root;
	fs->cwd = from->cwd;
	fs->umask = from->umask;
	path_get(&fs->root);
	path_get(&fs->cwd);
	spin_unlock(&from->lock);
	return fs;
}

void fs_ctx_put(struct fs_ctx *fs)
{
	if (!ref_put(&fs->ref))
		return;
	path_put(&fs->root);
	path_put(&fs->cwd);
	kmem_free(fs, sizeof(*fs));
}

struct walk_ctx proc_walk_ctx_get(struct uproc *p)
{
	struct walk_ctx w = { .cred = &p->cred };
	struct fs_ctx *fs = p->fs;

	/* The caller's own, and nobody else could change them during its call. */
	if (p == uproc_self() && load_relaxed(&p->nr_threads) == 1 && load_relaxed(&fs->ref.count) == 1) {
		w.root = fs->root;
		w.cwd = fs->cwd;
		w.is_borrowed = true;
		return w;
	}
	spin_lock(&p->lock);
	fs = p->fs;
	ref_get(&fs->ref);
	spin_unlock(&p->lock);
	spin_lock(&fs->lock);
	w.root = fs->root;
	w.cwd = fs->cwd;
	path_get(&w.root);
	path_get(&w.cwd);
	spin_unlock(&fs->lock);
	fs_ctx_put(fs);
	return w;
}

void proc_walk_ctx_put(struct walk_ctx *w)
{
	if (w->is_borrowed)
		return;
	path_put(&w->root);
	path_put(&w->cwd);
}
