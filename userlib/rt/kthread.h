/* SPDX-License-Identifier: MIT */
/* Between sched.c, kthread.c and trap.c only: host threads, sleeping, polling. */
#ifndef USERLIB_RT_KTHREAD_H
#define USERLIB_RT_KTHREAD_H

#include "userlib/rt/sched.h"

extern u64 kthread_xcr0; /* vector components the host enabled */
extern struct xlight {
	u64 opmask_offset, hi16_offset;
	bool usable; /* the host's XCR0 and the CPU allow the light image */
	bool xsavec; /* the CPU has the compacted form */
} kthread_xlight;
extern int kthread_wake_fd; /* the launcher's eventfd: wakes the watcher */

/* A kProc's memory is about to be freed: proc/ drops its address space's bookkeeping. Its host process is gone or never was. */
extern void (*kproc_gone_hook)(struct kproc *kp);

void finish_switch(void);
struct uthread *runq_pop(struct kthread *kt);
void sched_set_current(struct kthread *kt, struct uthread *ut);
void kthread_wake(struct kthread *kt);
/* Packets, timers, host signals; host_fds: also ask the host about host_fd_wait()ers. True if something was done. */
bool kthread_poll_once(bool host_fds);
void watcher_kick(void);
/* A uThread computes on and on: if nobody waits for packets, an idle or new kThread is to, or answers take a tick or, on a busy host, many. */
void kthread_want_watcher(struct kthread *kt);
void host_signal_note(int sig);
bool host_signals_run(void);

/* trap.c: host signal handlers of the calling host thread / process. */
void trap_thread_init(struct kthread *kt);
void trap_process_init(void);
/* Was kernel code interrupted? Is it on the way out to the program: then start that over and look at `work` again. */
bool trap_in_kernel(u64 rip, u64 rsp);
void trap_rewind_exit(u64 *rip, u64 *rsp);
void trap_run_call(struct trapframe *tf, void *fn, u64 a, u64 b, u64 c) noreturn_fn;
#define TRAP_SIG_KICK 34
#define TRAP_SIG_TICK 35

/* arch */
void kernel_entry_syscall(void);
void ctx_switch(u64 *save_rsp, u64 load_rsp);
void xsave_compact(void *area, u64 mask);
void xsave_standard(void *area, u64 mask);
long xstate_restore(const void *area, u64 mask);
/* The light image (switch.S): true if it was enough. Offsets of opmask and Hi16_ZMM in the standard format (CPUID leaf 0xd). */
u32 xsave_light(void *area, u64 opmask_offset, u64 hi16_offset);
u32 xrestore_light(const void *area, u64 opmask_offset, u64 hi16_offset);

#endif
