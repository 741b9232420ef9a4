/* SPDX-License-Identifier: MIT */
/* Shared by signal.c, signal_deliver.c, sigframe.c and the timers: queues and frames. Not for others. */
#ifndef USERLIB_PROC_SIGNAL_INTERNAL_H
#define USERLIB_PROC_SIGNAL_INTERNAL_H

#include "userlib/proc/proc.h"
#include <linux/signal.h>

/* <asm-generic/siginfo.h>, which cannot be included next to our own siginfo */
#define SIGINFO_USER 0
#define SIGINFO_KERNEL 0x80
#define SIGINFO_QUEUE (-1)
#define SIGINFO_TIMER (-2)
#define SIGINFO_TKILL (-6)
#define SIGINFO_DETHREAD (-7)

#define SIG_UNBLOCKABLE (SIG_BIT(SIGKILL) | SIG_BIT(SIGSTOP))
#define SIG_STOPPERS (SIG_BIT(SIGSTOP) | SIG_BIT(SIGTSTP) | SIG_BIT(SIGTTIN) | SIG_BIT(SIGTTOU))
#define SIG_DEFAULT_IGNORED (SIG_BIT(SIGCONT) | SIG_BIT(SIGCHLD) | SIG_BIT(SIGWINCH) | SIG_BIT(SIGURG))
#define SIG_SYNCHRONOUS                                                                                          \
	(SIG_BIT(SIGSEGV) | SIG_BIT(SIGBUS) | SIG_BIT(SIGILL) | SIG_BIT(SIGTRAP) | SIG_BIT(SIGFPE) | SIG_BIT(SIGSYS))

/* A timer_create(2) timer. Times and the queue entry are under the process's sighand lock. */
struct posix_timer {
	struct list link;     /* [proc->timers_lock] */
	struct uproc *proc;   /* [I] */
	struct thread *cpu_thread; /* [I] reference: CPU time of a thread; else NULL */
	struct timer timer;
	int id, clock;	      /* [I] */
	int notify, signo;    /* SIGEV_* */
	int target_tid;	      /* [I] SIGEV_THREAD_ID */
	s64 interval_ns;      /* 0 = one-shot */
	s64 expires_ns;	      /* on its clock; 0 = disarmed */
	u32 overrun_last;     /* periods lost before the signal taken last */
	u32 gen, queued_gen;  /* of the setting; and the one whose signal is queued */
	struct sigpending *queued; /* where the entry is, or NULL */
	struct sigqueue entry;
};

/* Takes one of `wanted` from t's queues, synchronous ones first: its number and *info, or 0. [sighand lock] */
int signal_dequeue_locked(struct thread *t, u64 wanted, struct ksiginfo *info);
/* What of both queues is pending. [sighand lock] */
static inline u64 signal_pending_set(const struct thread *t)
{
	return t->pending.set | t->proc->pending.set;
}
bool signal_is_ignored_locked(const struct thread *t, const struct uproc *p, int sig);
/* Owner only: replaces the mask; wakes another thread for process signals that this one no longer takes. */
void sigmask_set(u64 mask);
/* Removes the signals in `set` from a queue. [sighand lock] */
void sigpending_remove(struct sigpending *s, u64 set);
/* A thread is told to look: pending flag, wake-up, interrupt. */
void signal_wake_thread(struct thread *t);
/* Queues tm's own entry; counts an overrun if it still is queued. Called by the timer's expiry. */
void signal_send_timer(struct posix_timer *tm);
/* Takes the entry out of its queue undelivered. [sighand lock] */
void signal_unqueue_timer_locked(struct posix_timer *tm);
/* The entry left the queue: next period. [sighand lock] */
void posix_timer_rearm_locked(struct posix_timer *tm);
void posix_timers_flush(struct uproc *p);
void itimers_flush(struct uproc *p);

/* Builds the handler's frame on the program's stack and points tf at the handler. 0 or -EFAULT with nothing changed. */
int sigframe_push(struct trapframe *tf, int sig, const struct ksiginfo *info, const struct ksigaction *act, u64 old_mask,
		  bool restart) must_check;
/* t is on its alternate stack. */
bool sigframe_on_altstack(const struct thread *t, u64 sp);
#define SS_AUTODISARM_FLAG (1u << 31)

#endif
