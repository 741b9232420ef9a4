/* SPDX-License-Identifier: MIT */
/*
 * kProcs, kThreads, uThreads: the scheduler's own view. Lower layers use uthread.h; proc/ and entry/ use this.
 *
 * A uThread runs only on kThreads of its kProc (they have its memory). Run queues are per kThread, bounded only by the number of
 * uThreads (intrusive list), stealable within the kProc. State machine of a uThread (u32, atomic):
 *   RUNNING -> (park) PARKED -> (unpark) RUNNABLE -> (dispatch) RUNNING;  RUNNING -> (unpark) NOTIFIED -> (park) RUNNING
 * PARKED is only entered once the context is saved (sched.c, finish_switch), so a waker never runs a half-saved uThread.
 */
#ifndef USERLIB_RT_SCHED_H
#define USERLIB_RT_SCHED_H

#include "base/atomic.h"
#include "base/list.h"
#include "userlib/arch/x86_64/trapframe.h"
#include "userlib/rt/lock.h"
#include "userlib/rt/timer.h"
#include "userlib/rt/uthread.h"

enum ut_state { UT_RUNNING, UT_NOTIFIED, UT_PARKED, UT_RUNNABLE, UT_DEAD };

#define KSTACK_ORDER 3 /* 32 KiB of address space; only touched pages cost memory */
#define KSTACK_SIZE (PAGE_SIZE << KSTACK_ORDER)
#define XSAVE_SIZE 2752 /* x87..AVX-512 + PKRU, standard or compacted; AMX is not offered to programs */
#define XSAVE_MASK 0x2e7ull /* x87 SSE AVX, opmask ZMM_Hi256 Hi16_ZMM, PKRU */
#define MAX_CORES 64

struct kproc;
struct kthread;
struct net_ctx;

/* The runtime's part of a uThread; proc/ embeds it as first member of struct thread (proc.h). */
struct uthread {
	u64 ctx_rsp;	       /* [owner] saved kernel stack pointer while not running */
	u32 state;	       /* [a] enum ut_state */
	u32 flags;	       /* [owner] UTF_* */
	struct kproc *kproc;   /* [I] but for exec into a fresh kProc */
	struct kthread *kt;    /* [a] where it runs or ran last */
	struct list run_node;  /* [runq lock] */
	char *kstack;	       /* [I] lowest address */
	struct trapframe *tf;  /* [I] */
	void *xsave;	       /* [I] 64-byte aligned area under the trapframe */
	u64 fs_base;	       /* [owner] while not running */
	u32 signal_pending;    /* [a] proc/signal.c: something to look at before user mode / ends interruptible waits */
	u32 xstate_in_memory;  /* [owner] 0: in the registers; 1: in *xsave; 2: in both */
	u32 xstate_light;      /* [owner] *xsave holds a light image (switch.S) */
	u64 run_start, cpu_cycles; /* [owner] TSC: when dispatched; sum of finished slices */
	u64 nr_switches;
	u32 told_cpu;	       /* [owner] 1 + the core the program believes it is on (rseq), 0 = nobody wants to know */
	u32 ticks_user, ticks_sys; /* [owner] CPU-time ticks that found it in its program, in the kernel */
	u32 lost_flags;	       /* [owner] TF or AC the program had set when it called; the way out sets them again */
	u64 affinity;	       /* [a] cores the program asked for, 0: any. A view: it is shown one of them, whatever runs it */
	void (*kfn)(void *);   /* kernel-internal uThreads */
	void *karg;
	char name[16];
};
#define UTF_KERNEL 1 /* no program state */

struct kthread {
	/* offsets known to asm: trapframe.h */
	struct kthread *self;
	struct trapframe *kstack_tf;
	void *entry;
	u64 user_rsp;
	u32 work;  /* [a] */
	u32 work_pad;
	struct uthread *current;
	u32 cpu; /* what getcpu(2) shows: index within the instance's view of cores, one of current's affinity */
	u32 cpu_pad;
	void *vdso_clock_gettime;
	struct jabi_kmod_thread *ui_line; /* [owner] NULL: no user interrupts */
	u64 ui_rax;

	struct kproc *kproc;	   /* [I] */
	u64 idle_rsp;		   /* context of the idle loop */
	struct uthread *prev;	   /* what finish_switch deals with */
	u32 prev_action;
	u32 index;		   /* in kproc->kthreads */
	struct uthread *fpu_owner; /* whose vector state the registers hold */
	struct spinlock runq_lock;
	struct list runq;	   /* [runq_lock] */
	u32 runq_len;		   /* [a] */
	u32 eager;		   /* [owner] next wake-ups that fetch an idle kThread at once */
	u64 switch_tsc;		   /* [owner] TSC of the last dispatch */
	u64 runq_since;		   /* [runq_lock] TSC when it last became non-empty */
	u32 park_word;		   /* [a] futex: 1 = wake-up posted */
	u32 sleeping;		   /* [a] KT_AWAKE, KT_FUTEX, KT_WATCHER */
	int host_tid;		   /* [a] */
	u32 need_resched;	   /* [a] */
	u32 tick_seen;		   /* switches at the last tick: tells a long slice */
	u64 nr_switches, nr_traps, nr_syscalls, nr_ticks, nr_parks, nr_steals, nr_preempts;
	char *sched_stack, *alt_stack;
	char *ui_stack;		   /* [I] one page, NULL without the module */
	u32 kmod_slot;		   /* [a] 0 = not registered */
	u32 core_gen;		   /* [owner] of the last grant (cores.h) */
	u32 core_held, core_yield; /* [owner] holds a granted CPU; is asked for it */
	struct net_ctx *net;	   /* [owner] net/net_lock.h: the section it is in; never while it parks or switches */
	u32 net_line;		   /* [owner] the line it marked last */
	struct uthread idle_ut;	   /* uthread_self() on the scheduler stack: may not park */
};
enum { KT_AWAKE, KT_FUTEX, KT_WATCHER };

struct kproc {
	struct list link;		/* [kprocs lock] */
	int host_pid;			/* [I] */
	u32 id;
	struct spinlock lock;
	struct kthread *kthreads[MAX_CORES]; /* [lock] append only */
	u32 nr_kthreads;		/* [a] */
	u32 nr_live;			/* [lock] kThreads that have not exited */
	u64 idle_mask;			/* [a] bit per sleeping kThread */
	u32 nr_uthreads;		/* [a] uThreads that belong here */
	u32 dying;			/* [a] no uThreads left: kThreads leave one by one */
	void *aspace;			/* proc/mm.h struct aspace */
	int exit_code;
};

static always_inline struct kthread *kt_self(void)
{
	struct kthread *kt;

	__asm__ volatile("mov %%gs:0, %0" : "=r"(kt)); /* volatile: the uThread may have moved since the last look */
	return kt;
}
static always_inline struct kproc *kproc_self(void)
{
	return kt_self()->kproc;
}

/* CPU time of ut so far, running slice included. */
/* uthread_start_kernel in another kProc, which has uThreads all the while. */
int uthread_start_in(struct kproc *kp, const char *name, void (*fn)(void *arg), void *arg) must_check;
u64 uthread_cpu_ns(const struct uthread *ut);
/* kt->cpu anew; on kt itself, after a change of its current uThread's affinity. */
void sched_show_cpu(struct kthread *kt, const struct uthread *ut);
void sched_tsc_init(void);
extern u32 sched_nr_cores; /* kThreads per kProc at most, and what programs see as CPUs */
/* Unique among the kThreads of a kProc. */
static inline u32 kthread_core(const struct kthread *kt)
{
	return kt->index % sched_nr_cores;
}
extern struct list kproc_list;
extern struct spinlock kproc_list_lock;

/* Boot: makes the first kProc of the calling host thread and enters the idle loop with `first` runnable. Never returns. */
noreturn_fn void sched_boot(struct kproc *kp, struct uthread *first);
/* The calling host thread becomes kt: uthread_self() works from here on (its scheduler context). */
void kthread_adopt(struct kthread *kt);
struct kproc *kproc_create(void);
struct kthread *kthread_create(struct kproc *kp); /* memory only; the host thread comes with kthread_start/kthread_fork */
void kproc_free(struct kproc *kp);
int kthread_start(struct kthread *kt);		  /* a new host thread of this host process */
/* Host fork into kt's kProc: the child process starts on kt's scheduler stack with `first` as its only runnable uThread. 0 or -errno. */
int kthread_fork(struct kthread *kt, struct uthread *first);

/* Kernel stack + areas for a uThread inside `ut` (zeroed by the caller). fn runs first on its own stack. */
int uthread_init(struct uthread *ut, struct kproc *kp, void (*fn)(void *), void *arg);
void uthread_destroy_stack(struct uthread *ut);
void sched_enqueue(struct uthread *ut);	  /* makes a fresh (RUNNABLE) uThread runnable */
noreturn_fn void sched_exit(void (*reap)(struct uthread *)); /* current ends; reap(ut) runs on another stack */
void sched_kick(struct uthread *ut);	  /* if it is running user code now: makes its kThread look at `work` soon */
void sched_wake_idle(struct kproc *kp);	  /* one sleeping kThread, or a new one, helps */
void sched_check_resched(void);		  /* exit-to-user work: yields if the slice is over */
/* Leaves the kernel through the trapframe of the current uThread. */
noreturn_fn void return_to_user(void);
/* Host signals that arrived for the instance as a bit mask; taken by proc/ (host_signal_hook is called from the scheduler loop). */
extern void (*host_signal_hook)(int sig);
extern u64 instance_epoch;
/* Vector state of the current uThread: registers <-> memory. */
void xstate_save_current(void);		/* ut->xsave holds a compacted or standard image afterwards; registers stay valid */
void xstate_load_current(void);		/* registers := ut->xsave */

#endif
