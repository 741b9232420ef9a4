/* SPDX-License-Identifier: MIT */
/*
 * Sending signals: queues, masks, who is woken. Acting on them is signal_deliver.c. Locks: uproc->lock, then sighand->lock; wait queues
 * are woken with neither held. Callable from timer callbacks: nothing here looks at "the current thread" but the mask functions.
 */
#include "userlib/proc/signal_internal.h"
#include "userlib/base/string.h"
#include "userlib/proc/proc_internal.h"
#include <linux/eventpoll.h>

static struct slab sigqueue_slab = SLAB_INIT("sigqueue", struct sigqueue);
static u64 nr_queued; /* [a] entries in all queues: RLIMIT_SIGPENDING counts per user, an instance is one user's */

static u64 blocked_by(const struct thread *t)
{
	return t->sigmask & ~t->sigwait_set;
}

void signal_wake_thread(struct thread *t)
{
	store_release(&t->ut.signal_pending, 1u);
	uthread_unpark(&t->ut);
	sched_kick(&t->ut);
}

void signal_recalc(struct thread *t)
{
	bool look = signal_pending_set(t) & ~blocked_by(t);

	if (look || load_acquire(&t->killed) || READ_ONCE(t->proc->stopped) || READ_ONCE(t->proc->cont_notify)) {
		store_release(&t->ut.signal_pending, 1u);
		if (kt_self()->current == &t->ut)
			store_release(&kt_self()->work, 1u);
	} else {
		store_release(&t->ut.signal_pending, 0u);
		/* kill_thread() sets killed, then signal_pending, without our lock: do not lose it. */
		full_fence();
		if (load_acquire(&t->killed) || READ_ONCE(t->proc->stopped))
			store_release(&t->ut.signal_pending, 1u);
	}
}

bool signal_is_ignored_locked(const struct thread *t, const struct uproc *p, int sig)
{
	const struct ksigaction *a = &p->sighand->action[sig - 1];

	if (sig == SIGKILL || sig == SIGSTOP)
		return false;
	if (t && t->sigmask & SIG_BIT(sig))
		return false; /* blocked: the action may change before it is unblocked */
	if (a->handler == (u64)SIG_IGN)
		return true;
	return a->handler == (u64)SIG_DFL && SIG_BIT(sig) & SIG_DEFAULT_IGNORED;
}

static void sigqueue_release(struct sigqueue *q)
{
	if (q->timer) {
		q->timer->queued = NULL;
		return;
	}
	atomic_fetch_sub(&nr_queued, 1ul);
	slab_free(&sigqueue_slab, q);
}

void sigpending_remove(struct sigpending *s, u64 set)
{
	struct sigqueue *q, *n;

	if (!(s->set & set))
		return;
	s->set &= ~set;
	list_for_each_safe(q, n, &s->queue, link)
		if (SIG_BIT(q->info.si_signo) & set) {
			list_del(&q->link);
			sigqueue_release(q);
		}
}

void sigpending_flush(struct sigpending *s)
{
	sigpending_remove(s, ~0ull);
}

/* The first entry of `sig`; the bit goes when it was the last one. */
static void take_entry(struct sigpending *s, int sig, struct ksiginfo *info)
{
	struct sigqueue *q, *first = NULL;
	bool more = false;

	list_for_each(q, &s->queue, link) {
		if (q->info.si_signo != sig)
			continue;
		if (first) {
			more = true;
			break;
		}
		first = q;
	}
	if (!more)
		s->set &= ~SIG_BIT(sig);
	if (!first) { /* no memory for an entry when it was sent */
		memset(info, 0, sizeof(*info));
		info->si_signo = sig;
		return;
	}
	*info = first->info;
	list_del(&first->link);
	if (first->timer) {
		struct posix_timer *tm = first->timer;

		tm->queued = NULL;
		posix_timer_rearm_locked(tm);
		info->timer.overrun = (s32)tm->overrun_last;
	} else {
		sigqueue_release(first);
	}
}

int signal_dequeue_locked(struct thread *t, u64 wanted, struct ksiginfo *info)
{
	struct sigpending *queues[2] = { &t->pending, &t->proc->pending };

	for (int i = 0; i < 2; i++) {
		u64 set = queues[i]->set & wanted;
		int sig;

		if (!set)
			continue;
		if (set & SIG_SYNCHRONOUS)
			set &= SIG_SYNCHRONOUS;
		sig = __builtin_ctzll(set) + 1;
		take_entry(queues[i], sig, info);
		return sig;
	}
	return 0;
}

/* ---- sending ---- */

/* Stop signals and SIGCONT cancel each other. [p->lock, sighand lock] True if stopped threads are to be woken. */
static bool stop_cont_interplay(struct uproc *p, int sig)
{
	struct thread *t;
	u64 drop = 0;
	bool wake = false;

	if (SIG_BIT(sig) & SIG_STOPPERS)
		drop = SIG_BIT(SIGCONT);
	else if (sig == SIGCONT)
		drop = SIG_STOPPERS;
	if (drop) {
		sigpending_remove(&p->pending, drop);
		list_for_each(t, &p->threads, group_link)
			sigpending_remove(&t->pending, drop);
	}
	if (sig == SIGCONT || sig == SIGKILL)
		p->cont_count++;
	if ((sig == SIGCONT || sig == SIGKILL) && p->stopped) {
		if (sig == SIGCONT)
			p->cont_notify = 1;
		store_release(&p->stopped, 0u);
		wake = true;
	}
	return wake;
}

static bool wants(const struct thread *t, int sig)
{
	return (!(blocked_by(t) & SIG_BIT(sig)) || SIG_BIT(sig) & SIG_UNBLOCKABLE) && !load_acquire(&t->killed);
}

/* Who takes a process-directed signal: the leader first, an unbothered thread before a busy one. [p->lock] */
static struct thread *choose_thread(struct uproc *p, int sig)
{
	struct thread *t, *second = NULL;

	if (p->leader && !list_empty(&p->leader->group_link) && wants(p->leader, sig))
		return p->leader;
	list_for_each(t, &p->threads, group_link) {
		if (!wants(t, sig))
			continue;
		if (!load_acquire(&t->ut.signal_pending))
			return t;
		second = t;
	}
	return second;
}

static int queue_entry(struct uproc *p, struct sigpending *s, int sig, const struct ksiginfo *info)
{
	struct sigqueue *q = NULL;
	bool override = sig < 32 && (!info || info->si_code >= 0);

	if (override || atomic_fetch_add(&nr_queued, 0ul) < p->rlim[RLIMIT_SIGPENDING].rlim_cur)
		q = slab_alloc(&sigqueue_slab);
	if (!q) {
		if (sig >= 32 && info && info->si_code != SIGINFO_USER)
			return -EAGAIN;
		s->set |= SIG_BIT(sig);
		return 0;
	}
	atomic_fetch_add(&nr_queued, 1ul);
	if (info) {
		q->info = *info;
	} else {
		memset(&q->info, 0, sizeof(q->info));
		q->info.si_code = SIGINFO_KERNEL;
	}
	q->info.si_signo = sig;
	q->timer = NULL;
	list_add_tail(&s->queue, &q->link);
	s->set |= SIG_BIT(sig);
	return 0;
}

/* t NULL: to the process. tm: the entry is the timer's. [p->lock] *wake_stopped: the caller wakes p->stop_wait. */
static int send_locked(struct uproc *p, struct thread *t, int sig, const struct ksiginfo *info, struct posix_timer *tm,
		       bool *wake_stopped)
{
	struct sigpending *s = t ? &t->pending : &p->pending;
	struct thread *to;
	int r = 0;

	spin_lock(&p->sighand->lock);
	*wake_stopped = stop_cont_interplay(p, sig);
	if (signal_is_ignored_locked(t ? t : p->leader, p, sig)) {
		if (tm) {
			tm->queued_gen = tm->gen;
			posix_timer_rearm_locked(tm);
		}
		goto out;
	}
	if (sig < 32 && s->set & SIG_BIT(sig) && !tm)
		goto out; /* standard signals do not queue */
	if (tm) {
		tm->queued = s;
		tm->queued_gen = tm->gen;
		list_add_tail(&s->queue, &tm->entry.link);
		s->set |= SIG_BIT(sig);
	} else {
		r = queue_entry(p, s, sig, info);
		if (r)
			goto out;
	}
	to = t ? (wants(t, sig) ? t : NULL) : choose_thread(p, sig);
	if (to)
		signal_wake_thread(to);
	if (sig == SIGKILL) { /* whoever comes first ends all */
		list_for_each(to, &p->threads, group_link)
			signal_wake_thread(to);
	}
out:
	spin_unlock(&p->sighand->lock);
	return r;
}

static int send(struct uproc *p, struct thread *t, int sig, const struct ksiginfo *info, struct posix_timer *tm)
{
	bool wake_stopped = false;
	int r = 0;

	if (sig < 1 || sig > NSIG_MAX)
		return -EINVAL;
	spin_lock(&p->lock);
	if (!list_empty(&p->threads) && (!t || !list_empty(&t->group_link)))
		r = send_locked(p, t, sig, info, tm, &wake_stopped);
	spin_unlock(&p->lock);
	if (wake_stopped)
		waitq_wake_everyone(&p->stop_wait);
	waitq_wake(&p->signal_wait, EPOLLIN);
	return r;
}

int signal_send_proc(struct uproc *p, int sig, const struct ksiginfo *info)
{
	return send(p, NULL, sig, info, NULL);
}

int signal_send_thread(struct thread *t, int sig, const struct ksiginfo *info)
{
	return send(t->proc, t, sig, info, NULL);
}

/* -ESRCH if the group has no members. */
int signal_send_pgrp(int pgid, int sig, const struct ksiginfo *info)
{
	struct uproc *p;
	int r = -ESRCH;

	spin_lock(&proc_table_lock);
	list_for_each(p, &uproc_all, all_link)
		if (p->pgid == pgid && !p->zombie) {
			int e = sig ? send(p, NULL, sig, info, NULL) : 0;

			if (r == -ESRCH || e == 0)
				r = e;
		}
	spin_unlock(&proc_table_lock);
	return r;
}

void signal_unqueue_timer_locked(struct posix_timer *tm)
{
	struct sigpending *s = tm->queued;
	struct sigqueue *q;

	tm->queued = NULL;
	list_del(&tm->entry.link);
	list_for_each(q, &s->queue, link)
		if (q->info.si_signo == tm->signo)
			return;
	s->set &= ~SIG_BIT(tm->signo);
}

void signal_send_timer(struct posix_timer *tm)
{
	struct thread *t = NULL;
	bool queued;

	spin_lock(&tm->proc->sighand->lock);
	queued = tm->queued;
	if (queued) /* of an earlier setting: stands for this one too */
		tm->queued_gen = tm->gen;
	spin_unlock(&tm->proc->sighand->lock);
	if (queued)
		return;
	if (tm->target_tid) {
		t = thread_find(tm->target_tid);
		if (!t)
			return;
	}
	if (!t || t->proc == tm->proc)
		(void)send(tm->proc, t, tm->signo, NULL, tm);
	if (t)
		thread_put(t);
}

/* ---- masks ---- */

/* Process signals that t does not take any more: another thread looks. [p->lock, sighand lock] */
static void retarget(struct uproc *p, struct thread *t, u64 set)
{
	struct thread *o;

	if (!set)
		return;
	list_for_each(o, &p->threads, group_link)
		if (o != t && set & ~blocked_by(o) && !load_acquire(&o->killed)) {
			signal_wake_thread(o);
			set &= blocked_by(o);
			if (!set)
				return;
		}
}

void sigmask_set(u64 mask)
{
	struct thread *t = thread_self();
	struct uproc *p = t->proc;

	mask &= ~SIG_UNBLOCKABLE;
	if (mask == t->sigmask)
		return;
	if (p->nr_threads > 1 && p->pending.set & mask & ~t->sigmask) {
		spin_lock(&p->lock);
		spin_lock(&p->sighand->lock);
		retarget(p, t, p->pending.set & mask & ~t->sigmask);
		spin_unlock(&p->sighand->lock);
		spin_unlock(&p->lock);
	}
	spin_lock(&p->sighand->lock);
	t->sigmask = mask;
	signal_recalc(t);
	spin_unlock(&p->sighand->lock);
}

int sigmask_set_temp(const u64 *mask)
{
	struct thread *t = thread_self();

	if (!mask)
		return 0;
	t->saved_sigmask = t->sigmask;
	t->restore_sigmask = 1;
	sigmask_set(*mask);
	return 0;
}

void sigmask_restore_saved(void)
{
	struct thread *t = thread_self();

	if (!t->restore_sigmask)
		return;
	t->restore_sigmask = 0;
	sigmask_set(t->saved_sigmask);
}

void signal_force_self(int sig, const struct ksiginfo *info)
{
	struct thread *t = thread_self();
	struct uproc *p = t->proc;
	struct ksigaction *a = &p->sighand->action[sig - 1];

	spin_lock(&p->sighand->lock);
	if (a->handler == (u64)SIG_IGN || t->sigmask & SIG_BIT(sig)) {
		a->handler = (u64)SIG_DFL;
		t->sigmask &= ~SIG_BIT(sig);
	}
	/* The synchronous one counts: an earlier one of this number that another process sent makes room. */
	sigpending_remove(&t->pending, SIG_BIT(sig));
	(void)queue_entry(p, &t->pending, sig, info);
	signal_recalc(t);
	spin_unlock(&p->sighand->lock);
}

/* A thread has left p->threads: process signals it was woken for go to another. */
void signal_thread_gone(struct thread *t)
{
	struct uproc *p = t->proc;

	spin_lock(&p->lock);
	spin_lock(&p->sighand->lock);
	sigpending_flush(&t->pending); /* timers' entries are not the thread's to keep */
	retarget(p, t, p->pending.set & ~blocked_by(t));
	spin_unlock(&p->sighand->lock);
	spin_unlock(&p->lock);
}

/* ---- life ---- */

void signal_init_proc(struct uproc *p)
{
	list_init(&p->pending.queue);
	list_init(&p->posix_timers);
	p->itimer_real.proc = p;
}

void signal_flush_exec(struct uproc *p)
{
	struct thread *t = thread_self();

	posix_timers_flush(p);
	if (p->exiting) {
		itimers_flush(p);
		return;
	}
	spin_lock(&p->sighand->lock);
	for (int i = 0; i < NSIG_MAX; i++) {
		struct ksigaction *a = &p->sighand->action[i];
		u64 keep = a->handler == (u64)SIG_IGN ? (u64)SIG_IGN : (u64)SIG_DFL;

		*a = (struct ksigaction){ .handler = keep };
	}
	spin_unlock(&p->sighand->lock);
	t->altstack_sp = t->altstack_size = 0;
	t->altstack_flags = SS_DISABLE;
	t->restart_fn = NULL;
}
