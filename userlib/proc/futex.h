/* SPDX-License-Identifier: MIT */
/*
 * Futexes: futex(2) in full, futex_waitv(2), robust lists. Keys: (mm, address) for private ones, (backing object, offset) for shared
 * memory, so waiters of different kProcs meet. Wake-ups unpark directly.
 */
#ifndef USERLIB_PROC_FUTEX_H
#define USERLIB_PROC_FUTEX_H

#include "base/types.h"

struct thread;
struct mm;

/* Once at boot. */
void futex_init(void);
/*
 * futex(2) of the calling thread. timeout: address of a struct timespec or val2, as the operation has it. -ERESTARTSYS for an
 * interrupted wait without timeout, -ERESTART_RESTARTBLOCK (thread->restart_fn set) for a relative timeout, per futex(2)/signal(7).
 */
long futex_call(u32 __app *uaddr, int op, u32 val, u64 timeout_or_val2, u32 __app *uaddr2, u32 val3);
long futex_waitv_call(void __app *waiters, u32 nr, u32 flags, void __app *timeout, int clockid);
/* Wakes waiters on a word of the calling thread's mm: clear_child_tid. private and shared keys both match. */
int futex_wake_addr(u32 __app *uaddr, int n);
/* Thread exit, on that thread, its memory still mapped: walks the robust list and gives up PI futexes. */
void robust_list_exit(struct thread *t);
/* Number of PI locks whose kernel state the thread still owns is freed here too; called by robust_list_exit. */
void futex_exit_pi(struct thread *t);

#endif
