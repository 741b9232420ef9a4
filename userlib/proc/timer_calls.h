/* SPDX-License-Identifier: MIT */
/* Clocks and timers of programs: what sys_time.c and sys_timer.c call. All times ns. */
#ifndef USERLIB_PROC_TIMER_CALLS_H
#define USERLIB_PROC_TIMER_CALLS_H

#include "userlib/proc/proc.h"

/* clockid_t */
#define CLK_REALTIME 0
#define CLK_MONOTONIC 1
#define CLK_PROCESS_CPUTIME 2
#define CLK_THREAD_CPUTIME 3
#define CLK_MONOTONIC_RAW 4
#define CLK_REALTIME_COARSE 5
#define CLK_MONOTONIC_COARSE 6
#define CLK_BOOTTIME 7
#define CLK_REALTIME_ALARM 8
#define CLK_BOOTTIME_ALARM 9
#define CLK_TAI 11

/* cpu_clock.c. Negative ids are CPU clocks of a process or thread (clock_getcpuclockid(3)). 0 or -EINVAL. */
int clock_now(int clock, s64 *ns) must_check;
static inline bool clock_is_cpu(int clock)
{
	return clock < 0 || clock == CLK_PROCESS_CPUTIME || clock == CLK_THREAD_CPUTIME;
}
s64 proc_cpu_ns(struct uproc *p);
s64 thread_cpu_ns(const struct thread *t);
/* User and system parts of what the process (without children) or a thread used. */
void proc_cpu_split(struct uproc *p, u64 *user_ns, u64 *sys_ns);
void thread_cpu_split(struct thread *t, u64 *user_ns, u64 *sys_ns);
void thread_cpu_account_locked(struct thread *t); /* t ends: its time becomes its process's. [t->proc->lock] */
/* The thread (reference, *t) or process (*p borrowed: the caller's) that a CPU clock id means. 0 or -EINVAL. */
int clock_cpu_target(int clock, struct uproc **p, struct thread **t) must_check;

/* posix_timer.c */
struct app_sigevent {
	u64 value;
	s32 signo, notify, tid;
	s32 pad[11];
};
_Static_assert(sizeof(struct app_sigevent) == 64, "sigevent");
long posix_timer_create(int clock, const struct app_sigevent *ev, int *id);
long posix_timer_settime(int id, bool absolute, s64 value_ns, s64 interval_ns, s64 *old_left, s64 *old_interval);
long posix_timer_gettime(int id, s64 *left, s64 *interval);
long posix_timer_getoverrun(int id);
long posix_timer_delete(int id);

/* itimer.c: which = ITIMER_REAL, ITIMER_VIRTUAL, ITIMER_PROF. old_* may be NULL. */
int itimer_get(int which, s64 *left, s64 *interval) must_check;
void cpu_limit_watch(struct uproc *p); /* RLIMIT_CPU is set, was changed or came with a fork */
int itimer_set(int which, s64 value_ns, s64 interval_ns, s64 *old_left, s64 *old_interval) must_check;

#endif
