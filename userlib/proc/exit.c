/* SPDX-License-Identifier: MIT */
/* How threads and processes end: thread_exit, group exit, what the parent is told. Waiting for it is wait.c. */
#include "userlib/base/log.h"
#include "userlib/base/string.h"
#include "userlib/file/tty.h"
#include "userlib/proc/futex.h"
#include "userlib/proc/ipc.h"
#include "userlib/proc/mm.h"
#include "userlib/proc/proc_internal.h"
#include "userlib/proc/timer_calls.h"
#include "userlib/proc/wait.h"
#include "userlib/rt/host.h"
#include <linux/signal.h>

void (*instance_exit_hook)(int wait_status);

void proc_wake_vfork_parent(struct uproc *p)
{
	struct thread *waiter;

	spin_lock(&p->lock);
	waiter = p->vfork_waiter;
	p->vfork_waiter = NULL;
	store_release(&p->vfork_done, 1u);
	if (waiter)
		uthread_unpark(&waiter->ut);
	spin_unlock(&p->lock);
}

/* Runs on another stack after the thread's last switch. */
static void reap_thread(struct uthread *ut)
{
	struct thread *t = (struct thread *)ut;
	struct kproc *kp = ut->kproc;

	uthread_destroy_stack(ut);
	thread_put(t);
	atomic_fetch_sub(&kp->nr_uthreads, 1u);
}

static void notify_parent_exit(struct uproc *p)
{
	struct uproc *parent;
	bool reap = false;
	int sig = p->exit_signal;
	struct ksiginfo info;

	wait_fill_siginfo(p, &info);
	spin_lock(&proc_table_lock);
	parent = p->parent;
	if (parent)
		proc_get(parent);
	spin_unlock(&proc_table_lock);
	if (!parent)
		reap = true;
	else if (sig == SIGCHLD) {
		struct ksigaction *sa = &parent->sighand->action[SIGCHLD - 1];

		reap = sa->handler == (u64)SIG_IGN || sa->flags & SA_NOCLDWAIT;
		if (sa->handler == (u64)SIG_IGN)
			sig = 0;
	}
	spin_lock(&proc_table_lock);
	p->zombie = 1;
	if (reap)
		proc_remove_locked(p);
	spin_unlock(&proc_table_lock);
	waitq_wake_everyone(&p->signal_wait); /* pidfds */
	if (parent) {
		if (sig)
			(void)signal_send_proc(parent, sig, &info);
		waitq_wake_everyone(&parent->wait_children);
		proc_put(parent);
	}
	if (reap)
		proc_put(p);
}

struct uproc *proc_reaper_locked(const struct uproc *p)
{
	for (struct uproc *a = p->parent; a; a = a->parent)
		if (a->child_subreaper && !a->exiting)
			return a;
	return NULL;
}

/* Children go to the nearest subreaper, else to nobody: then they are reaped when they end. */
static void reparent_children(struct uproc *p)
{
	struct uproc *c, *n, *reaper = NULL;
	struct list dead = LIST_INIT(dead);

	spin_lock(&proc_table_lock);
	reaper = proc_reaper_locked(p);
	list_for_each_safe(c, n, &p->children, sibling) {
		list_del(&c->sibling);
		c->parent = reaper;
		c->exit_signal = SIGCHLD;
		if (reaper)
			list_add_tail(&reaper->children, &c->sibling);
		else if (c->zombie) {
			proc_remove_locked(c);
			list_add(&dead, &c->sibling);
		}
		if (c->pdeath_signal && !c->zombie)
			(void)signal_send_proc(c, c->pdeath_signal, NULL);
	}
	spin_unlock(&proc_table_lock);
	list_for_each_safe(c, n, &dead, sibling) {
		list_del(&c->sibling);
		proc_put(c);
	}
	if (reaper)
		waitq_wake_everyone(&reaper->wait_children);
}

#define RSS_LOOK_MAX (4 * GiB) /* beyond this finding out what is resident takes too long for an exit */

/*
 * ru_maxrss, in KiB. A program that has its host process for itself: the host's own peak, which counts the kernel memory that the process
 * touched, too; so no more than the program has mapped. Several in one host process: what is resident now.
 */
static u64 peak_resident(struct uproc *p, struct mm *mm)
{
	struct mm_usage u;

	if (load_acquire(&p->kproc->nr_uthreads) == 1)
		return MIN(host_peak_rss_kib(), mm->total_vm / KiB);
	if (mm->total_vm >= RSS_LOOK_MAX)
		return 0;
	mm_usage(mm, &u);
	return u.resident / KiB;
}

static void release_files(struct uproc *p)
{
	struct fdtab *files = p->files;

	spin_lock(&p->lock); /* /proc looks at them */
	p->files = NULL;
	spin_unlock(&p->lock);
	if (files)
		fdtab_put(files);
}

static void release_resources(struct uproc *p)
{
	struct fs_ctx *fs = p->fs;
	struct mm *mm = p->mm;

	/* A vfork child's memory is its parent's: not worth a look at each of their exits. */
	if (mm && load_relaxed(&mm->ref.count) == 1)
		p->ru_maxrss = MAX(p->ru_maxrss, peak_resident(p, mm));
	signal_flush_exec(p); /* timers */
	spin_lock(&p->lock); /* /proc looks at it */
	p->mm = NULL;
	spin_unlock(&p->lock);
	release_files(p);
	if (mm) {
		/* Others live in this kProc: our mappings must go. Else they go with the host process. */
		if (mm->ref.count == 1 && load_acquire(&p->kproc->nr_uthreads) > 1)
			mm_release(mm);
		mm_put(mm);
	}
	proc_wake_vfork_parent(p);
	spin_lock(&p->lock);
	p->fs = NULL;
	spin_unlock(&p->lock);
	fs_ctx_put(fs);
	if (p->exe.mnt) {
		path_put(&p->exe);
		p->exe = (struct path){ 0 };
	}
}

static void last_thread_exit(struct uproc *p)
{
	if (p == proc_init && instance_exit_hook) {
		release_files(p); /* peers of its connections hear that they have ended */
		instance_exit_hook(p->exit_status);
	}
	if (p->sid == p->pid)
		tty_session_leader_exit(READ_ONCE(p->ctty), p->sid);
	ipc_sem_exit(p);
	release_resources(p);
	pgrp_check_orphaned(p);
	reparent_children(p);
	notify_parent_exit(p);
}

void thread_exit(int code)
{
	struct thread *t = thread_self();
	struct uproc *p = t->proc;
	bool last;

	t->exit_code = code;
	robust_list_exit(t);
	if (t->clear_child_tid && p->mm) {
		if (put_app(0u, t->clear_child_tid) == 0)
			futex_wake_addr(t->clear_child_tid, 1);
	}
	spin_lock(&p->lock);
	thread_cpu_account_locked(t);
	p->ru_nvcsw += t->ut.nr_switches;
	io_counts_add(&p->io, &t->io);
	t->io = (struct io_counts){ 0 };
	last = p->nr_threads == 1;
	if (last && !p->exiting) {
		p->exiting = 1;
		p->exit_status = (code & 0xff) << 8;
	}
	list_del(&t->group_link);
	p->nr_threads--;
	if (p->leader == t && !last)
		p->leader = list_first(&p->threads, struct thread, group_link);
	spin_unlock(&p->lock);
	thread_unpublish(t);
	signal_thread_gone(t);
	waitq_wake_everyone(&p->stop_wait); /* exec waits here for the others to go */
	if (last)
		last_thread_exit(p);
	sched_exit(reap_thread);
}

static void kill_thread(struct thread *t)
{
	store_release(&t->killed, 1u);
	store_release(&t->ut.signal_pending, 1u);
	uthread_unpark(&t->ut);
	sched_kick(&t->ut);
}

static void kill_others_locked(struct uproc *p, struct thread *self)
{
	struct thread *t;

	list_for_each(t, &p->threads, group_link)
		if (t != self)
			kill_thread(t);
}

void proc_exit_group(int wait_status)
{
	struct thread *t = thread_self();
	struct uproc *p = t->proc;

	spin_lock(&p->lock);
	if (!p->exiting) {
		p->exiting = 1;
		p->exit_status = wait_status;
		kill_others_locked(p, t);
	}
	spin_unlock(&p->lock);
	waitq_wake_everyone(&p->stop_wait);
	thread_exit(wait_status >> 8);
}

void proc_kill_other_threads(void)
{
	struct thread *t = thread_self();
	struct uproc *p = t->proc;

	spin_lock(&p->lock);
	kill_others_locked(p, t);
	spin_unlock(&p->lock);
	wait_event(&p->stop_wait, WAKE_ALL, false, READ_ONCE(p->nr_threads) == 1, TIME_FOREVER, false);
}
