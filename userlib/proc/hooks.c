/* SPDX-License-Identifier: MIT */
/*
 * What file/ asks of processes (struct proc_hooks). Kernel-internal uThreads may come here too (write-back, closing of last references):
 * they count as root without limits, sessions or signals.
 */
#include "userlib/proc/hooks.h"
#include "userlib/base/string.h"
#include "userlib/proc/proc_internal.h"
#include "userlib/proc/signal_internal.h"

static const struct cred kernel_cred = { .cap_effective = ~0ull };

static struct thread *current_thread(void)
{
	struct uthread *ut = uthread_self();

	return ut->flags & UTF_KERNEL || ut == &kt_self()->idle_ut ? NULL : (struct thread *)ut;
}

static struct uproc *current_proc(void)
{
	struct thread *t = current_thread();

	return t ? t->proc : NULL;
}

static void send_signal_self(int sig)
{
	struct thread *t = current_thread();
	struct ksiginfo info = { .si_signo = sig, .si_code = SIGINFO_USER };

	if (!t)
		return;
	info.rt.pid = t->proc->pid;
	info.rt.uid = t->proc->cred.uid;
	(void)signal_send_thread(t, sig, &info);
}

static void send_signal_owner(int owner, int sig, int code, int fd, int band)
{
	struct ksiginfo info = { .si_signo = sig, .si_code = code };
	struct uproc *p;

	if (code > 0 && code < SIGINFO_KERNEL) {
		info.poll.band = (u64)(u32)band;
		info.poll.fd = fd;
	}
	if (owner < 0) {
		(void)signal_send_pgrp(-owner, sig, code ? &info : NULL);
		return;
	}
	p = proc_find(owner);
	if (p) {
		(void)signal_send_proc(p, sig, code ? &info : NULL);
		proc_put(p);
	}
}

static int current_tgid(void)
{
	struct uproc *p = current_proc();

	return p ? p->pid : 0;
}

static const struct cred *current_cred(void)
{
	struct uproc *p = current_proc();

	return p ? &p->cred : &kernel_cred;
}

static u64 rlimit(int resource)
{
	struct uproc *p = current_proc();

	return p ? p->rlim[resource].rlim_cur : ~0ull;
}

static struct fdtab *current_files(void)
{
	struct uproc *p = current_proc();

	return p ? p->files : NULL;
}

static int current_session(void)
{
	struct uproc *p = current_proc();

	return p ? p->sid : 0;
}

static int current_pgrp(void)
{
	struct uproc *p = current_proc();

	return p ? p->pgid : 0;
}

static bool pgrp_in_session(int pgrp, int session)
{
	struct uproc *p;
	bool r = false;

	spin_lock(&proc_table_lock);
	list_for_each(p, &uproc_all, all_link)
		if (p->pgid == pgrp && p->sid == session) {
			r = true;
			break;
		}
	spin_unlock(&proc_table_lock);
	return r;
}

static bool hook_pgrp_is_orphaned(int pgrp)
{
	return pgrp_is_orphaned(pgrp, NULL);
}

static bool signal_is_ignored_or_blocked(int sig)
{
	struct thread *t = current_thread();

	if (!t)
		return true;
	return t->sigmask & SIG_BIT(sig) || READ_ONCE(t->proc->sighand->action[sig - 1].handler) == (u64)SIG_IGN;
}

static void *current_ctty(void)
{
	struct uproc *p = current_proc();

	return p ? READ_ONCE(p->ctty) : NULL;
}

/* Every member of a session knows its terminal. */
static void set_ctty(int session, void *tty)
{
	struct uproc *p;

	spin_lock(&proc_table_lock);
	list_for_each(p, &uproc_all, all_link)
		if (p->sid == session)
			p->ctty = tty;
	spin_unlock(&proc_table_lock);
}

static int dequeue_signal(u64 mask, void *siginfo128)
{
	struct thread *t = current_thread();
	struct ksiginfo info;
	int sig;

	if (!t)
		return 0;
	spin_lock(&t->proc->sighand->lock);
	sig = signal_dequeue_locked(t, mask, &info);
	signal_recalc(t);
	spin_unlock(&t->proc->sighand->lock);
	if (sig)
		memcpy(siginfo128, &info, sizeof(info));
	return sig;
}

static u64 pending_signals(void)
{
	struct thread *t = current_thread();
	u64 set;

	if (!t)
		return 0;
	spin_lock(&t->proc->sighand->lock);
	set = signal_pending_set(t);
	spin_unlock(&t->proc->sighand->lock);
	return set;
}

static struct waitq *signal_waitq(void)
{
	static struct waitq never = WAITQ_INIT(never);
	struct uproc *p = current_proc();

	return p ? &p->signal_wait : &never;
}

static const struct proc_hooks hooks = {
	.send_signal_self = send_signal_self,
	.send_signal_owner = send_signal_owner,
	.current_tgid = current_tgid,
	.current_cred = current_cred,
	.rlimit = rlimit,
	.current_files = current_files,
	.current_session = current_session,
	.current_pgrp = current_pgrp,
	.pgrp_in_session = pgrp_in_session,
	.pgrp_is_orphaned = hook_pgrp_is_orphaned,
	.signal_is_ignored_or_blocked = signal_is_ignored_or_blocked,
	.current_ctty = current_ctty,
	.set_ctty = set_ctty,
	.dequeue_signal = dequeue_signal,
	.pending_signals = pending_signals,
	.signal_waitq = signal_waitq,
};

void proc_hooks_init(void)
{
	proc_hooks = &hooks;
}
