/* SPDX-License-Identifier: MIT */
/* System calls that read clocks, sleep, and tell used CPU time. Timers are sys_timer.c. */
#include "userlib/sys/sys_signal_calls.h"
#include "userlib/base/string.h"
#include "userlib/proc/mm.h"
#include "userlib/proc/timer_calls.h"
#include <linux/time_types.h>
#include <linux/timex.h>

#define TIMER_ABSTIME_FLAG 1
#define TICKS_PER_SEC 100 /* USER_HZ */
#define NSEC_PER_TICK (NSEC_PER_SEC / TICKS_PER_SEC)
#define COARSE_RES_NS (4 * NSEC_PER_MSEC)

static int put_timespec(void __app *dst, s64 ns)
{
	struct __kernel_timespec ts = { .tv_sec = ns / NSEC_PER_SEC, .tv_nsec = ns % NSEC_PER_SEC };

	return copy_to_app(dst, &ts, sizeof(ts));
}

/* A time span or point; saturates at TIME_FOREVER. */
static int get_timespec(const void __app *src, s64 *ns)
{
	struct __kernel_timespec ts;

	if (copy_from_app(&ts, src, sizeof(ts)))
		return -EFAULT;
	if (ts.tv_sec < 0 || ts.tv_nsec < 0 || ts.tv_nsec >= NSEC_PER_SEC)
		return -EINVAL;
	*ns = ts.tv_sec >= TIME_FOREVER / NSEC_PER_SEC ? TIME_FOREVER : ts.tv_sec * NSEC_PER_SEC + ts.tv_nsec;
	return 0;
}

/* ---- sleeping ---- */

/* 0 when the deadline (CLOCK_MONOTONIC) has passed, -EINTR when a signal came first. */
static int sleep_until(s64 deadline_ns)
{
	for (;;) {
		if (uthread_park(deadline_ns) == -ETIMEDOUT || clock_monotonic_ns() >= deadline_ns)
			return 0;
		if (uthread_signal_pending())
			return -EINTR;
	}
}

/* restart_args: deadline, where the rest goes (or 0). */
static long sleep_relative(struct thread *t)
{
	s64 deadline = (s64)t->restart_args[0], left;
	void __app *rem = (void __app *)t->restart_args[1];

	if (sleep_until(deadline) == 0)
		return 0;
	left = deadline - clock_monotonic_ns();
	if (left <= 0)
		return 0;
	if (rem && put_timespec(rem, left))
		return -EFAULT;
	t->restart_fn = sleep_relative;
	return -ERESTART_RESTARTBLOCK;
}

static long start_sleep(s64 span_ns, void __app *rem)
{
	struct thread *t = thread_self();
	s64 now = clock_monotonic_ns();

	t->restart_args[0] = (u64)(span_ns > TIME_FOREVER - now ? TIME_FOREVER : now + span_ns);
	t->restart_args[1] = (u64)rem;
	return sleep_relative(t);
}

long sys_nanosleep(const void __app *req, void __app *rem)
{
	s64 ns;
	int r = get_timespec(req, &ns);

	return r ? r : start_sleep(ns, rem);
}

/* CPU clocks: looked at when they could be there at the earliest. */
static long sleep_cpu(int clock, s64 until, bool absolute, void __app *rem)
{
	s64 now;

	for (;;) {
		if (clock_now(clock, &now))
			return -EINVAL;
		if (now >= until)
			return 0;
		if (sleep_until(clock_monotonic_ns() + MAX((until - now) / (s64)sched_nr_cores, NSEC_PER_MSEC)) == 0)
			continue;
		if (!absolute && rem && put_timespec(rem, until - now))
			return -EFAULT;
		return absolute ? -ERESTARTNOHAND : -EINTR;
	}
}

static long sleep_absolute(int clock, s64 until)
{
	s64 now;

	for (;;) { /* again if the clock was set back meanwhile */
		if (clock_now(clock, &now))
			return -EINVAL;
		if (now >= until)
			return 0;
		if (sleep_until(until == TIME_FOREVER ? TIME_FOREVER : clock_monotonic_ns() + (until - now)))
			return -ERESTARTNOHAND;
	}
}

long sys_clock_nanosleep(int clock, int flags, const void __app *req, void __app *rem)
{
	bool absolute = flags & TIMER_ABSTIME_FLAG;
	s64 ns, now;
	int r;

	if (clock == CLK_THREAD_CPUTIME || clock_now(clock, &now))
		return -EINVAL;
	if (clock == CLK_MONOTONIC_RAW || clock == CLK_REALTIME_COARSE || clock == CLK_MONOTONIC_COARSE)
		return -EOPNOTSUPP;
	r = get_timespec(req, &ns);
	if (r)
		return r;
	if (clock_is_cpu(clock))
		return sleep_cpu(clock, absolute ? ns : ns > TIME_FOREVER - now ? TIME_FOREVER : now + ns, absolute, rem);
	return absolute ? sleep_absolute(clock, ns) : start_sleep(ns, rem);
}

/* ---- reading ---- */

long sys_clock_gettime(int clock, void __app *ts)
{
	s64 ns;
	int r = clock_now(clock, &ns);

	return r ? r : put_timespec(ts, ns);
}

/* The host's clock is not the instance's to set, whoever asks. */
long sys_clock_settime(int clock, const void __app *ts)
{
	s64 ns;
	int r = get_timespec(ts, &ns);

	if (r)
		return r;
	return clock == CLK_REALTIME ? -EPERM : -EINVAL;
}

long sys_clock_getres(int clock, void __app *ts)
{
	s64 now;

	if (clock_now(clock, &now))
		return -EINVAL;
	if (!ts)
		return 0;
	return put_timespec(ts, clock == CLK_REALTIME_COARSE || clock == CLK_MONOTONIC_COARSE ? COARSE_RES_NS : 1);
}

long sys_adjtimex(void __app *utx)
{
	struct __kernel_timex tx;
	s64 now = clock_realtime_ns();

	if (copy_from_app(&tx, utx, sizeof(tx)))
		return -EFAULT;
	if (tx.modes && tx.modes != ADJ_OFFSET_SS_READ)
		return -EPERM;
	memset(&tx, 0, sizeof(tx));
	tx.status = STA_UNSYNC;
	tx.maxerror = tx.esterror = 16000000;
	tx.constant = 2;
	tx.precision = 1;
	tx.tolerance = 32768000;
	tx.tick = 10000;
	tx.time.tv_sec = now / NSEC_PER_SEC;
	tx.time.tv_usec = now % NSEC_PER_SEC / NSEC_PER_USEC;
	return copy_to_app(utx, &tx, sizeof(tx)) ? -EFAULT : TIME_ERROR;
}

long sys_clock_adjtime(int clock, void __app *tx)
{
	s64 now;

	if (clock == CLK_REALTIME)
		return sys_adjtimex(tx);
	return clock_now(clock, &now) ? -EINVAL : -EOPNOTSUPP;
}

long sys_gettimeofday(void __app *utv, void __app *utz)
{
	s64 now = clock_realtime_ns(), tv[2] = { now / NSEC_PER_SEC, now % NSEC_PER_SEC / NSEC_PER_USEC };
	s32 tz[2] = { 0, 0 };

	if (utv && copy_to_app(utv, tv, sizeof(tv)))
		return -EFAULT;
	return utz && copy_to_app(utz, tz, sizeof(tz)) ? -EFAULT : 0;
}

long sys_settimeofday(const void __app *tv, const void __app *tz)
{
	(void)tv;
	(void)tz;
	return -EPERM;
}

long sys_time(s64 __app *t)
{
	s64 sec = clock_realtime_ns() / NSEC_PER_SEC;

	if (t && put_app(sec, t))
		return -EFAULT;
	return sec;
}

/* ---- used time ---- */

long sys_times(void __app *tms)
{
	struct uproc *p = uproc_self();
	u64 user, sys;
	s64 v[4];

	proc_cpu_split(p, &user, &sys);
	v[0] = (s64)user / NSEC_PER_TICK;
	v[1] = (s64)sys / NSEC_PER_TICK;
	v[2] = (s64)p->ru_children_utime_ns / NSEC_PER_TICK;
	v[3] = (s64)p->ru_children_stime_ns / NSEC_PER_TICK;
	if (tms && copy_to_app(tms, v, sizeof(v)))
		return -EFAULT;
	return clock_boottime_ns() / NSEC_PER_TICK;
}

struct app_rusage {
	s64 utime[2], stime[2];
	s64 maxrss, ixrss, idrss, isrss, minflt, majflt, nswap, inblock, oublock, msgsnd, msgrcv, nsignals, nvcsw, nivcsw;
};

static void set_times(struct app_rusage *ru, u64 user, u64 sys)
{
	ru->utime[0] = (s64)user / NSEC_PER_SEC;
	ru->utime[1] = (s64)user % NSEC_PER_SEC / NSEC_PER_USEC;
	ru->stime[0] = (s64)sys / NSEC_PER_SEC;
	ru->stime[1] = (s64)sys % NSEC_PER_SEC / NSEC_PER_USEC;
}

static void rusage_self(struct app_rusage *ru, struct uproc *p)
{
	struct thread *t;
	struct mm_usage u;
	u64 user, sys;

	proc_cpu_split(p, &user, &sys);
	set_times(ru, user, sys);
	spin_lock(&p->lock);
	ru->nvcsw = (s64)p->ru_nvcsw;
	list_for_each(t, &p->threads, group_link)
		ru->nvcsw += (s64)t->ut.nr_switches;
	spin_unlock(&p->lock);
	ru->minflt = (s64)p->ru_minflt;
	ru->majflt = (s64)p->ru_majflt;
	mm_usage(p->mm, &u);
	ru->maxrss = (s64)MAX(u.resident, p->ru_maxrss * KiB) / 1024;
}

long sys_getrusage(int who, void __app *uru)
{
	struct thread *t = thread_self();
	struct uproc *p = t->proc;
	struct app_rusage ru;
	u64 user, sys;

	memset(&ru, 0, sizeof(ru));
	switch (who) {
	case 0: /* RUSAGE_SELF */
		rusage_self(&ru, p);
		break;
	case -1: /* RUSAGE_CHILDREN */
		set_times(&ru, p->ru_children_utime_ns, p->ru_children_stime_ns);
		break;
	case 1: /* RUSAGE_THREAD */
		thread_cpu_split(t, &user, &sys);
		set_times(&ru, user, sys);
		ru.nvcsw = (s64)t->ut.nr_switches;
		break;
	default:
		return -EINVAL;
	}
	return copy_to_app(uru, &ru, sizeof(ru));
}
