/* SPDX-License-Identifier: MIT */
/*
 * Acting on pending signals before a thread goes back to its program: default actions, stopping, handler frames (sigframe.c), restarting
 * the interrupted system call (signal(7)). Runs on the thread's own kernel stack; no locks held on entry.
 */
#include "userlib/base/log.h"
#include "userlib/base/string.h"
#include "userlib/proc/mm.h"
#include "userlib/proc/signal_internal.h"
#include "userlib/proc/proc_internal.h"
#include "userlib/proc/wait.h"
#include "userlib/rt/jobctl.h"
#include <asm/unistd_64.h>

/* The internal restart code a system call ended with, 0 if none. */
static int restart_code(const struct trapframe *tf)
{
	s64 r = (s64)tf->rax;

	if (tf->orig_rax == ~0ull)
		return 0;
	if (r == -ERESTARTSYS || r == -ERESTARTNOINTR || r == -ERESTARTNOHAND || r == -ERESTART_RESTARTBLOCK)
		return (int)-r;
	return 0;
}

/* The next signal to act on, 0 if none; ignored ones are dropped on the way. *gen: see stop_process. */
static int next_signal(struct thread *t, struct ksiginfo *info, struct ksigaction *act, u32 *gen)
{
	struct uproc *p = t->proc;
	int sig;

	spin_lock(&p->sighand->lock);
	for (;;) {
		struct ksigaction *a;

		sig = signal_dequeue_locked(t, ~t->sigmask | SIG_UNBLOCKABLE, info);
		if (!sig)
			break;
		a = &p->sighand->action[sig - 1];
		if (a->handler == (u64)SIG_IGN && sig != SIGKILL && sig != SIGSTOP)
			continue;
		if (a->handler == (u64)SIG_DFL && SIG_BIT(sig) & SIG_DEFAULT_IGNORED)
			continue;
		*act = *a;
		if (sig == SIGKILL || sig == SIGSTOP)
			act->handler = (u64)SIG_DFL;
		if (act->handler != (u64)SIG_DFL && a->flags & SA_RESETHAND)
			a->handler = (u64)SIG_DFL;
		break;
	}
	*gen = p->cont_count;
	signal_recalc(t);
	spin_unlock(&p->sighand->lock);
	return sig;
}

/* gen: count of SIGCONTs when the stop signal was taken; a later one has cancelled it. */
static void stop_process(struct thread *t, int sig, u32 gen)
{
	struct uproc *p = t->proc;
	struct thread *o;
	bool stop = false;

	if (sig != SIGSTOP && pgrp_is_orphaned(p->pgid, NULL)) {
		/* nobody inside could continue it, but the shell that launched us can */
		if (jobctl_enabled && p->pgid == proc_init->pgid)
			jobctl_stop_instance();
		return;
	}
	spin_lock(&p->lock);
	if (p->cont_count == gen && !p->exiting && !p->stopped) {
		stop = true;
		p->stop_sig = (u32)sig;
		p->cont_notify = 0;
		store_release(&p->stopped, 1u);
		list_for_each(o, &p->threads, group_link)
			if (o != t)
				signal_wake_thread(o);
	}
	spin_unlock(&p->lock);
	if (stop)
		wait_notify_stop(p, sig);
}

/* Waits while the process is stopped; whoever goes on first tells the parent. */
static void stay_stopped(struct thread *t)
{
	struct uproc *p = t->proc;
	bool tell;

	if (load_acquire(&p->stopped))
		wait_event(&p->stop_wait, WAKE_ALL, false, !load_acquire(&p->stopped) || load_acquire(&t->killed), TIME_FOREVER,
			   false);
	if (!READ_ONCE(p->cont_notify))
		return;
	spin_lock(&p->lock);
	tell = p->cont_notify;
	p->cont_notify = 0;
	spin_unlock(&p->lock);
	if (tell)
		wait_notify_stop(p, 0);
}

/* The default action of a signal that is not ignored by default. */
static void default_action(struct thread *t, int sig, u32 gen)
{
	if (SIG_BIT(sig) & SIG_STOPPERS)
		stop_process(t, sig, gen);
	else
		proc_exit_group(sig); /* no core is ever dumped, so no 0x80 */
}

static bool needs_restart(struct trapframe *tf, const struct ksigaction *act)
{
	if (thread_self()->restart_now) { /* sigreturn wanted it, and now another signal comes first */
		thread_self()->restart_now = 0;
		return true;
	}
	switch (restart_code(tf)) {
	case ERESTARTNOINTR:
		return true;
	case ERESTARTSYS:
		if (act->flags & SA_RESTART)
			return true;
		tf->rax = (u64)-EINTR;
		return false;
	case ERESTARTNOHAND:
	case ERESTART_RESTARTBLOCK:
		tf->rax = (u64)-EINTR;
		return false;
	default:
		return false;
	}
}

static void run_handler(struct thread *t, struct trapframe *tf, int sig, const struct ksiginfo *info,
			const struct ksigaction *act)
{
	struct sighand *sh = t->proc->sighand;
	u64 old = t->restore_sigmask ? t->saved_sigmask : t->sigmask;

	if (sigframe_push(tf, sig, info, act, old, needs_restart(tf, act))) {
		struct ksiginfo segv = { .si_signo = SIGSEGV, .si_code = SIGINFO_KERNEL };

		if (sig == SIGSEGV) {
			spin_lock(&sh->lock);
			sh->action[SIGSEGV - 1].handler = (u64)SIG_DFL;
			spin_unlock(&sh->lock);
		}
		signal_force_self(SIGSEGV, &segv);
		return;
	}
	t->restore_sigmask = 0;
	t->restart_fn = NULL;
	sigmask_set(t->sigmask | act->mask | (act->flags & SA_NODEFER ? 0 : SIG_BIT(sig)));
}

/* No handler ran: the call is made again, or what is left of it. */
static void restart_without_handler(struct thread *t, struct trapframe *tf)
{
	int code = restart_code(tf);

	if (!code)
		return;
	if (code == ERESTART_RESTARTBLOCK)
		tf->orig_rax = __NR_restart_syscall;
	tf->rax = tf->orig_rax;
	t->restart_now = 1;
}

void signal_deliver_on_exit(struct trapframe *tf)
{
	struct thread *t = thread_self();

	for (;;) {
		struct ksiginfo info;
		struct ksigaction act;
		u32 gen;
		int sig;

		if (load_acquire(&t->killed))
			thread_exit(t->exit_code);
		stay_stopped(t);
		if (load_acquire(&t->killed))
			thread_exit(t->exit_code);
		sig = next_signal(t, &info, &act, &gen);
		if (!sig) {
			if (!t->restore_sigmask)
				break;
			sigmask_restore_saved();
			if (!load_acquire(&t->ut.signal_pending))
				break;
			continue;
		}
		if (act.handler == (u64)SIG_DFL)
			default_action(t, sig, gen);
		else
			run_handler(t, tf, sig, &info, &act);
	}
	restart_without_handler(t, tf);
}

#define TRAP_PAGE_FAULT 14
#define PF_WRITE 2
#define PF_EXEC 16
#define MAX_RETRIES 16 /* of one instruction: the map says it may, the host says no */

/* The map's opinion: true = run the instruction again, else *sig and *code are what the program gets. */
static bool page_fault(struct thread *t, u64 addr, u32 err, const struct trapframe *tf, int *sig, int *code)
{
	bool same = t->fault_addr == addr && t->fault_rip == tf->rip;

	t->fault_retries = same ? t->fault_retries + 1 : 0;
	t->fault_rip = tf->rip;
	switch (mm_fault(t->proc->mm, addr, err & PF_WRITE, err & PF_EXEC)) {
	case MM_FAULT_RETRY:
		return t->fault_retries < MAX_RETRIES;
	case MM_FAULT_MAPERR:
		*sig = SIGSEGV;
		*code = SEGV_MAPERR;
		return false;
	case MM_FAULT_ACCERR:
		*sig = SIGSEGV;
		*code = SEGV_ACCERR;
		return false;
	default:
		*sig = SIGBUS;
		*code = BUS_ADRERR;
		return false;
	}
}

/* tf->pad: trap number << 32 | error code, as the host's frame had them. */
void fault_from_host(int host_sig, u64 addr, int code, struct trapframe *tf)
{
	struct thread *t = thread_self();
	struct ksiginfo info;
	int sig = host_sig;
	u32 trap = (u32)(tf->pad >> 32), err = (u32)tf->pad;

	if (trap == TRAP_PAGE_FAULT && code != SIGINFO_KERNEL) {
		bool retry = page_fault(t, addr, err, tf, &sig, &code);

		t->fault_addr = addr;
		if (retry)
			return;
	}
	t->fault_addr = addr;
	t->fault_trap = trap;
	t->fault_err = err;
	memset(&info, 0, sizeof(info));
	info.si_signo = sig;
	info.si_code = code;
	info.fault.addr = addr;
	signal_force_self(sig, &info);
}
