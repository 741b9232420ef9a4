/* SPDX-License-Identifier: MIT */
/* System calls on signals: actions, masks, sending, waiting. Queues and delivery are proc/signal*.c. */
#include "userlib/sys/sys_signal_calls.h"
#include "userlib/base/string.h"
#include "userlib/proc/signal_internal.h"
#include <linux/time_types.h>

/* What rt_sigaction(2) keeps of the flags; others are cleared, which tells programs that they are unknown. */
#define SA_KNOWN                                                                                                      \
	(SA_NOCLDSTOP | SA_NOCLDWAIT | SA_SIGINFO | SA_ONSTACK | SA_RESTART | SA_NODEFER | SA_RESETHAND | SA_RESTORER | \
	 0x800ul /* SA_EXPOSE_TAGBITS */)

/* A signal that is ignored from now on does not stay pending. [p->lock, sighand lock] */
static void drop_everywhere(struct uproc *p, int sig)
{
	struct thread *t;

	sigpending_remove(&p->pending, SIG_BIT(sig));
	list_for_each(t, &p->threads, group_link)
		sigpending_remove(&t->pending, SIG_BIT(sig));
}

long sys_rt_sigaction(int sig, const void __app *act, void __app *old, size_t size)
{
	struct uproc *p = uproc_self();
	struct ksigaction na, oa;

	if (size != 8 || sig < 1 || sig > NSIG_MAX || (act && (sig == SIGKILL || sig == SIGSTOP)))
		return -EINVAL;
	if (act && copy_from_app(&na, act, sizeof(na)))
		return -EFAULT;
	spin_lock(&p->lock);
	spin_lock(&p->sighand->lock);
	oa = p->sighand->action[sig - 1];
	if (act) {
		na.mask &= ~SIG_UNBLOCKABLE;
		na.flags &= SA_KNOWN;
		p->sighand->action[sig - 1] = na;
		if (signal_is_ignored_locked(NULL, p, sig))
			drop_everywhere(p, sig);
	}
	spin_unlock(&p->sighand->lock);
	spin_unlock(&p->lock);
	if (old && copy_to_app(old, &oa, sizeof(oa)))
		return -EFAULT;
	return 0;
}

long sys_rt_sigprocmask(int how, const u64 __app *set, u64 __app *old, size_t size)
{
	struct thread *t = thread_self();
	u64 mask, before = t->sigmask;

	if (size != 8)
		return -EINVAL;
	if (set) {
		if (get_app(mask, set))
			return -EFAULT;
		switch (how) {
		case SIG_BLOCK:
			mask |= before;
			break;
		case SIG_UNBLOCK:
			mask = before & ~mask;
			break;
		case SIG_SETMASK:
			break;
		default:
			return -EINVAL;
		}
		sigmask_set(mask);
	}
	return old ? put_app(before, old) : 0;
}

long sys_rt_sigpending(u64 __app *set, size_t size)
{
	struct thread *t = thread_self();
	u64 v;

	if (size > 8)
		return -EINVAL;
	spin_lock(&t->proc->sighand->lock);
	v = signal_pending_set(t) & t->sigmask;
	spin_unlock(&t->proc->sighand->lock);
	return copy_to_app(set, &v, size);
}

/* Sleeps until one of `set` can be taken (number), another signal wants attention (-EINTR) or the deadline (-EAGAIN). */
static long wait_for_signal(u64 set, s64 deadline_ns, struct ksiginfo *info)
{
	struct thread *t = thread_self();
	struct sighand *sh = t->proc->sighand;
	long r = 0;

	for (;;) {
		spin_lock(&sh->lock);
		r = signal_dequeue_locked(t, set, info);
		if (!r && (signal_pending_set(t) & ~t->sigmask & ~set || load_acquire(&t->killed) || READ_ONCE(t->proc->stopped)))
			r = -EINTR;
		if (!r && deadline_ns <= clock_monotonic_ns())
			r = -EAGAIN;
		t->sigwait_set = r ? 0 : set;
		signal_recalc(t);
		spin_unlock(&sh->lock);
		if (r)
			return r;
		uthread_park(deadline_ns);
	}
}

long sys_rt_sigtimedwait(const u64 __app *uset, void __app *uinfo, const void __app *timeout, size_t size)
{
	struct __kernel_timespec ts;
	struct ksiginfo info;
	s64 deadline = TIME_FOREVER;
	u64 set;
	long r;

	if (size != 8)
		return -EINVAL;
	if (get_app(set, uset))
		return -EFAULT;
	if (timeout) {
		if (copy_from_app(&ts, timeout, sizeof(ts)))
			return -EFAULT;
		if (ts.tv_sec < 0 || ts.tv_nsec < 0 || ts.tv_nsec >= NSEC_PER_SEC)
			return -EINVAL;
		if (ts.tv_sec < 4000000000ll)
			deadline = clock_monotonic_ns() + ts.tv_sec * NSEC_PER_SEC + ts.tv_nsec;
	}
	r = wait_for_signal(set & ~SIG_UNBLOCKABLE, deadline, &info);
	if (r > 0 && uinfo && copy_to_app(uinfo, &info, sizeof(info)))
		return -EFAULT;
	return r;
}

long sys_pause(void)
{
	while (!uthread_signal_pending())
		uthread_park(TIME_FOREVER);
	return -ERESTARTNOHAND;
}

long sys_rt_sigsuspend(const u64 __app *uset, size_t size)
{
	u64 set;

	if (size != 8)
		return -EINVAL;
	if (get_app(set, uset))
		return -EFAULT;
	sigmask_set_temp(&set);
	return sys_pause();
}

long sys_sigaltstack(const void __app *uss, void __app *uold)
{
	struct thread *t = thread_self();
	struct { u64 sp; u32 flags, pad; u64 size; } ss, old;
	u64 rsp = t->ut.tf->rsp;
	bool on = sigframe_on_altstack(t, rsp);

	if (uss && copy_from_app(&ss, uss, sizeof(ss)))
		return -EFAULT;
	memset(&old, 0, sizeof(old));
	old.sp = t->altstack_sp;
	old.size = t->altstack_size;
	old.flags = (!t->altstack_size ? SS_DISABLE : on ? SS_ONSTACK : 0) | (t->altstack_flags & SS_AUTODISARM_FLAG);
	if (uss) {
		u32 mode = ss.flags & ~SS_AUTODISARM_FLAG;

		if (on)
			return -EPERM;
		if (mode != SS_DISABLE && mode != SS_ONSTACK && mode != 0)
			return -EINVAL;
		if (mode == SS_DISABLE)
			ss.sp = ss.size = 0;
		else if (ss.size < MINSIGSTKSZ)
			return -ENOMEM;
		t->altstack_sp = ss.sp;
		t->altstack_size = ss.size;
		t->altstack_flags = ss.flags;
	}
	return uold ? copy_to_app(uold, &old, sizeof(old)) : 0;
}

/* ---- sending ---- */

static bool may_signal(struct uproc *p, int sig)
{
	struct uproc *self = uproc_self();
	const struct cred *c = &self->cred, *o = &p->cred;

	if (p == self || cred_capable(c, CAP_KILL) || c->euid == o->suid || c->euid == o->uid || c->uid == o->suid || c->uid == o->uid)
		return true;
	return sig == SIGCONT && p->sid == self->sid;
}

static void user_info(struct ksiginfo *info, int sig, int code)
{
	struct uproc *self = uproc_self();

	memset(info, 0, sizeof(*info));
	info->si_signo = sig;
	info->si_code = code;
	info->rt.pid = self->pid;
	info->rt.uid = self->cred.uid;
}

static long send_checked(struct uproc *p, struct thread *t, int sig, const struct ksiginfo *info)
{
	if (!may_signal(p, sig))
		return -EPERM;
	if (!sig)
		return 0;
	return t ? signal_send_thread(t, sig, info) : signal_send_proc(p, sig, info);
}

/* pgid 0 = everybody but the first process and the caller's. */
static long kill_many(int pgid, int sig, const struct ksiginfo *info)
{
	struct uproc *self = uproc_self(), *p;
	long r = -ESRCH;

	spin_lock(&proc_table_lock);
	list_for_each(p, &uproc_all, all_link) {
		long e;

		if (pgid ? p->pgid != pgid : p->pid == 1 || p == self)
			continue;
		e = send_checked(p, NULL, sig, info);
		if (r == -ESRCH || e == 0)
			r = e;
	}
	spin_unlock(&proc_table_lock);
	return r;
}

static long send_to_pid(int pid, int sig, const struct ksiginfo *info)
{
	struct uproc *p = proc_find(pid);
	struct thread *t = NULL;
	long r;

	if (!p) { /* a thread's id names its process */
		t = thread_find(pid);
		if (!t)
			return -ESRCH;
		p = proc_get(t->proc);
		thread_put(t);
	}
	r = send_checked(p, NULL, sig, info);
	proc_put(p);
	return r;
}

long sys_kill(int pid, int sig)
{
	struct ksiginfo info;

	if (sig < 0 || sig > NSIG_MAX)
		return -EINVAL;
	if (pid == INT32_MIN)
		return -ESRCH;
	user_info(&info, sig, SIGINFO_USER);
	if (pid > 0)
		return send_to_pid(pid, sig, &info);
	return kill_many(pid == 0 ? uproc_self()->pgid : pid == -1 ? 0 : -pid, sig, &info);
}

/* tgid -1: any. */
static long send_to_thread(int tgid, int tid, int sig, const struct ksiginfo *info)
{
	struct thread *t = thread_find(tid);
	long r;

	if (!t)
		return -ESRCH;
	if (tgid != -1 && t->proc->pid != tgid)
		r = -ESRCH;
	else
		r = send_checked(t->proc, t, sig, info);
	thread_put(t);
	return r;
}

long sys_tgkill(int tgid, int tid, int sig)
{
	struct ksiginfo info;

	if (tgid <= 0 || tid <= 0 || sig < 0 || sig > NSIG_MAX)
		return -EINVAL;
	user_info(&info, sig, SIGINFO_TKILL);
	return send_to_thread(tgid, tid, sig, &info);
}

long sys_tkill(int tid, int sig)
{
	struct ksiginfo info;

	if (tid <= 0 || sig < 0 || sig > NSIG_MAX)
		return -EINVAL;
	user_info(&info, sig, SIGINFO_TKILL);
	return send_to_thread(-1, tid, sig, &info);
}

/* A program may not pretend to be the kernel or kill(2) towards others. */
static long take_info(struct ksiginfo *info, const void __app *uinfo, int target_pid, int sig)
{
	if (copy_from_app(info, uinfo, sizeof(*info)))
		return -EFAULT;
	if ((info->si_code >= 0 || info->si_code == SIGINFO_TKILL) && target_pid != uproc_self()->pid)
		return -EPERM;
	info->si_signo = sig;
	return sig < 0 || sig > NSIG_MAX ? -EINVAL : 0;
}

long sys_rt_sigqueueinfo(int pid, int sig, const void __app *uinfo)
{
	struct ksiginfo info;
	long r = take_info(&info, uinfo, pid, sig);

	return r ? r : send_to_pid(pid, sig, &info);
}

long sys_rt_tgsigqueueinfo(int tgid, int tid, int sig, const void __app *uinfo)
{
	struct ksiginfo info;
	long r;

	if (tgid <= 0 || tid <= 0)
		return -EINVAL;
	r = take_info(&info, uinfo, tgid, sig);
	return r ? r : send_to_thread(tgid, tid, sig, &info);
}

long sys_restart_syscall(void)
{
	struct thread *t = thread_self();
	long (*fn)(struct thread *t) = t->restart_fn;

	t->restart_fn = NULL;
	return fn ? fn(t) : -EINTR;
}

/* proc/pidfd.c: the same rights as kill(2). */
long signal_send_checked(struct uproc *p, int sig, const struct ksiginfo *info)
{
	struct ksiginfo own;

	if (!info) {
		user_info(&own, sig, SIGINFO_USER);
		info = &own;
	}
	return send_checked(p, NULL, sig, info);
}
