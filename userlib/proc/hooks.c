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

static bool sigio_allowed(const struct file_owner *o, const struct uproc *p)
{
	const struct cred *c = &p->cred;

	return o->euid == 0 || o->euid == c->suid || o->euid == c->uid || o->uid == c->suid || o->uid == c->uid;
}

static void sigio_to(const struct file_owner *o, struct uproc *p, struct thread *t, int code, int fd)
{
	static const u16 bands[7] = { 0, 0x41, 0x304, 0x441 /* POLL_MSG */, 8, 0x82, 0x18 };
	struct ksiginfo info = { .si_signo = o->sig, .si_code = code };
	int r = -EAGAIN;

	if (!sigio_allowed(o, p))
		return;
	if (o->sig) {
		info.poll.band = bands[code];
		info.poll.fd = fd;
		r = t ? signal_send_thread(t, o->sig, &info) : signal_send_proc(p, o->sig, &info);
	}
	if (r == -EAGAIN) /* no details asked for, or no room for them */
		(void)(t ? signal_send_thread(t, SIGIO, NULL) : signal_send_proc(p, SIGIO, NULL));
}

/* Members of a group are told one by one: nothing may be held while signals are sent. */
static void sigio_to_group(const struct file_owner *o, int code, int fd)
{
	int last = 0;

	for (;;) {
		struct uproc *p, *next = NULL;

		spin_lock(&proc_table_lock);
		list_for_each(p, &uproc_all, all_link)
			if (p->pgid == o->pid && !p->zombie && p->pid > last && (!next || p->pid < next->pid))
				next = p;
		if (next)
			proc_get(next);
		spin_unlock(&proc_table_lock);
		if (!next)
			return;
		last = next->pid;
		sigio_to(o, next, NULL, code, fd);
		proc_put(next);
	}
}

static void send_sigio(const struct file_owner *o, int code, int fd)
{
	struct thread *t = o->type == 0 /* F_OWNER_TID */ ? thread_find(o->pid) : NULL;
	struct uproc *p;

	if (o->type == 2) /* F_OWNER_PGRP */
		return sigio_to_group(o, code, fd);
	if (t) {
		sigio_to(o, t->proc, t, code, fd);
		thread_put(t);
		return;
	}
	p = o->type == 1 ? proc_find(o->pid) : NULL;
	if (p) {
		sigio_to(o, p, NULL, code, fd);
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
	.send_sigio = send_sigio,
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
