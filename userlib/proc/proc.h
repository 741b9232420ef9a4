/* SPDX-License-Identifier: MIT */
/*
 * Processes and threads as programs see them. struct thread = uThread + Linux's per-thread state; struct uproc = thread group.
 * Tables: pids are found through proc_find/thread_find (references returned). Lock order: proc_table_lock, uproc->lock, sighand lock, then leaf locks.
 */
#ifndef USERLIB_PROC_PROC_H
#define USERLIB_PROC_PROC_H

#include "fs/vfs.h"
#include "userlib/file/file.h"
#include "userlib/rt/sched.h"
#include "userlib/rt/waitq.h"
#include <linux/capability.h>
#include <linux/resource.h>

struct mm;
struct session;

#define NSIG_MAX 64
#define SIG_BIT(n) (1ull << ((n)-1))

/* Kernel form of a queued signal: siginfo_t's 128 bytes as programs read them. */
struct ksiginfo {
	s32 si_signo, si_errno, si_code, pad0;
	union {
		u8 raw[112];
		struct { s32 pid; u32 uid; u64 value; } rt;		  /* SI_USER, SI_QUEUE, SI_TKILL */
		struct { s32 timerid, overrun; u64 value; } timer;	  /* SI_TIMER */
		struct { s32 pid; u32 uid; s32 status; u32 pad; s64 utime, stime; } chld;
		struct { u64 addr; u64 pad[3]; } fault;			  /* SIGSEGV ... */
		struct { u64 band; s32 fd; } poll;
		struct { u64 call_addr; s32 syscall; u32 arch; } sys;
	};
};
_Static_assert(sizeof(struct ksiginfo) == 128, "siginfo");

struct ksigaction { /* layout of rt_sigaction(2)'s struct */
	u64 handler, flags, restorer, mask;
};

struct sigqueue {
	struct list link;
	struct ksiginfo info;
	struct posix_timer *timer; /* SI_TIMER: owner, not freed with the entry */
};
struct sigpending {
	u64 set;	   /* [sighand lock] */
	struct list queue; /* [sighand lock] struct sigqueue */
};
struct sighand { /* shared by CLONE_SIGHAND */
	struct ref ref;
	struct spinlock lock;
	struct ksigaction action[NSIG_MAX]; /* [lock] index sig-1 */
};

struct io_counts { /* what /proc/PID/io shows */
	u64 rchar, wchar, syscr, syscw;
};
static inline void io_counts_add(struct io_counts *to, const struct io_counts *c)
{
	to->rchar += c->rchar;
	to->wchar += c->wchar;
	to->syscr += c->syscr;
	to->syscw += c->syscw;
}

struct fs_ctx { /* shared by CLONE_FS */
	struct ref ref;
	struct spinlock lock; /* protects root, cwd, umask: copy with references under it */
	struct path root, cwd;
	u32 umask;
};

struct uproc {
	struct ref ref;
	int pid;			/* [I] tgid */
	struct spinlock lock;
	struct uproc *parent;		/* [proc_table_lock] */
	struct list children, sibling;	/* [proc_table_lock] */
	struct list hash_link, all_link; /* [proc_table_lock] */
	int pgid, sid;			/* [proc_table_lock] */
	struct list threads;		/* [lock] struct thread.group_link */
	u32 nr_threads;			/* [lock] */
	struct thread *leader;		/* [lock] */
	struct kproc *kproc;		/* [I] but for exec */
	struct mm *mm;			/* [lock] owned reference; shared by vfork until exec */
	struct fdtab *files;		/* [lock] owned reference (threads share the process's) */
	struct fs_ctx *fs;		/* [lock] */
	struct cred cred;		/* [lock] */
	struct sighand *sighand;
	struct sigpending pending;	/* [sighand lock] process-directed */
	struct waitq signal_wait;	/* signalfd and sigtimedwait listeners */
	struct rlimit64 rlim[16];	/* [lock] */
	struct proc_args *args;		/* [lock] reference: as at exec, for readers in other kProcs; comm is the leader's ut.name */
	int oom_score_adj;		/* [a] */
	struct path exe;		/* [lock] */
	void *ctty;			/* [proc_table_lock] of the session: see session */
	/* exit and wait */
	u32 exiting;			/* [a] group exit started */
	int exit_status;		/* [lock] wait(2) status */
	u32 zombie;			/* [proc_table_lock] */
	u32 stopped;			/* [lock] by a stop signal */
	u32 stop_sig;			/* [lock] */
	u32 cont_notify;		/* [lock] continued, the parent is yet to hear of it */
	u32 cont_count;			/* [lock] SIGCONT and SIGKILL sent: a stop that was decided before does not happen */
	u32 stop_report, cont_report;	/* [proc_table_lock] not yet waited for */
	struct waitq wait_children;	/* woken when a child changes state */
	struct waitq stop_wait;		/* stopped threads wait here */
	int exit_signal;		/* to the parent; usually SIGCHLD */
	struct thread *vfork_waiter;	/* [lock] released at exec or exit */
	u32 vfork_done;
	u64 ru_children_utime_ns, ru_children_stime_ns, ru_utime_ns, ru_stime_ns; /* [lock] reaped */
	struct io_counts io;		/* [lock] of threads that have ended and children waited for */
	u64 ru_maxrss, ru_minflt, ru_majflt, ru_nvcsw;
	s64 start_ns;			/* boottime */
	u32 dumpable, did_exec, child_subreaper;
	u32 no_new_privs, membarrier_ok; /* [a] prctl(2); registered for membarrier(2) */
	int pdeath_signal;
	/* timers */
	struct list posix_timers;	/* [timers_lock] */
	struct spinlock timers_lock;
	struct itimer { struct timer timer; s64 interval_ns, expires_ns; struct uproc *proc; } itimer_real;
	struct cpu_itimer { s64 expires_cpu_ns, interval_ns; } itimer_virt, itimer_prof; /* [timers_lock] expiry 0 = off */
	struct timer cpu_timer;		/* looks at the CPU-time timers */
	s64 cpu_ns_seen;		/* [a] CPU time at the last look, for CPU-time posix timers */
	int next_timer_id;		/* [timers_lock] */
	u64 nr_forks;
	struct list sem_undos;		/* ipc_sem.c: its lock */
};

struct thread {
	struct uthread ut;		/* first */
	struct ref ref;
	int tid;			/* [I] */
	struct uproc *proc;		/* [I] owned reference */
	struct list group_link;		/* [proc->lock] */
	struct io_counts io;		/* [owner] others may read them */
	struct list hash_link;		/* [proc_table_lock] */
	/* signals */
	u64 sigmask;			/* [sighand lock to change; owner reads] */
	u64 saved_sigmask;		/* restored after the handler frame: sigsuspend, ppoll... */
	u32 restore_sigmask;		/* [owner] saved_sigmask is valid */
	struct sigpending pending;	/* [sighand lock] */
	u64 sigwait_set;		/* [sighand lock] sigtimedwait under way: these count as wanted though blocked */
	u64 fault_addr;			/* [owner] cr2, trapno and error code of the last fault, for handler frames */
	u32 fault_trap, fault_err, fault_retries;
	u64 fault_rip;
	u64 altstack_sp, altstack_size; /* [owner] */
	u32 altstack_flags;
	/* futexes and thread exit */
	u32 __app *clear_child_tid;
	void __app *robust_list;
	u64 robust_list_len;
	void *pi_state;
	void __app *rseq;
	u32 rseq_len, rseq_sig;
	/* restart_syscall */
	long (*restart_fn)(struct thread *t);
	u64 restart_args[6];
	u32 restart_now;		/* [owner] signal_deliver_on_exit: dispatch tf->rax again */
	int exit_code;
	u32 killed;			/* [a] must exit at the next chance */
	u32 sched_policy, sched_priority; int nice;
	u64 timer_slack_ns;
	u64 told_user_ns, told_sys_ns;	/* [proc->lock] cpu_clock.c */
	u64 nr_syscalls;
	u64 strace_start_ns;
	const char *current_syscall;
};

static inline struct thread *thread_self(void)
{
	return (struct thread *)kt_self()->current;
}
static inline struct uproc *uproc_self(void)
{
	return thread_self()->proc;
}

/* Argument and environment strings at exec; shared by fork. procfs_args.c */
struct proc_args {
	struct ref ref;
	u32 arg_len, env_len;
	char data[];
};
void proc_args_capture(struct uproc *p);		  /* after exec, in the process's own kProc */
void proc_args_share(struct uproc *child, struct uproc *parent);
void proc_args_drop(struct uproc *p);

/* proc.c */
extern struct spinlock proc_table_lock;
extern struct list uproc_all;			      /* [proc_table_lock] all_link */
struct uproc *proc_find(int pid);		      /* reference or NULL; zombies too */
struct thread *thread_find(int tid);		      /* reference or NULL */
static inline struct uproc *proc_get(struct uproc *p) { ref_get(&p->ref); return p; }
void proc_put(struct uproc *p);
void thread_put(struct thread *t);
int pid_alloc(void);
u64 proc_rlimit(int resource);			      /* soft limit of the caller */
void proc_exit_group(int wait_status) noreturn_fn;    /* the calling thread and all others of its process */
void thread_exit(int code) noreturn_fn;
struct walk_ctx proc_walk_ctx_get(struct uproc *p);    /* referenced root and cwd; release with proc_walk_ctx_put */
void proc_walk_ctx_put(struct walk_ctx *w);
/* cred.c: capabilities(7). cap: CAP_* of <linux/capability.h> */
static inline bool cred_capable(const struct cred *c, unsigned cap) { return c->cap_effective >> cap & 1; }
extern const u64 cred_all_caps;
void cred_init_caps(struct cred *c);				      /* the first process: all for uid 0, none for others */
void cred_fix_caps_setuid(const struct cred *old, struct cred *n);    /* after a change of user ids */
void cred_fix_caps_exec(struct cred *n, bool set_id, bool no_new_privs); /* ids of n are those of the new program */

/* signal.c. info NULL = SI_KERNEL. 0 or -errno (-EAGAIN: queue limit). */
int signal_send_proc(struct uproc *p, int sig, const struct ksiginfo *info);
int signal_send_thread(struct thread *t, int sig, const struct ksiginfo *info);
int signal_send_pgrp(int pgid, int sig, const struct ksiginfo *info);
void signal_force_self(int sig, const struct ksiginfo *info); /* faults: unblocks/default if blocked or ignored */
int sigmask_set_temp(const u64 *mask);	  /* NULL = nothing; the wait then runs under *mask */
void sigmask_restore_saved(void);	  /* at normal return; does nothing if a handler took over */
void signal_thread_gone(struct thread *t); /* has left p->threads: process signals it was woken for go to another */
void signal_recalc(struct thread *t);	  /* [sighand lock] sets ut.signal_pending from masks and queues */
void signal_deliver_on_exit(struct trapframe *tf); /* exit work: actions, handler frames, syscall restart */
long signal_sigreturn(struct trapframe *tf);
/* The way out restores all registers, and these bits of rflags are set then. */
void sigframe_set_flags(struct trapframe *tf, u64 flags);
void signal_init_proc(struct uproc *p);
void signal_flush_exec(struct uproc *p);  /* handlers to default, timers away, altstack off */
void sigpending_flush(struct sigpending *s);
void fault_from_host(int host_sig, u64 addr, int code, struct trapframe *tf); /* a program fault caught by the trap entry */

#endif
