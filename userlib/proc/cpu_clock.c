/* SPDX-License-Identifier: MIT */
/* Clocks as programs name them: wall clocks of the host, CPU time of our threads and processes. */
#include "userlib/proc/timer_calls.h"
#include "userlib/rt/clock_vdso.h"

/* A negative clock id: ~pid << 3 | thread << 2 | kind (2 = scheduler time). */
#define CPUCLOCK_PID(c) ((int)~((c) >> 3))
#define CPUCLOCK_PER_THREAD(c) ((c) & 4)
#define CPUCLOCK_KIND(c) ((c) & 3)

s64 thread_cpu_ns(const struct thread *t)
{
	return (s64)uthread_cpu_ns(&t->ut);
}

/*
 * What a tick found the thread doing stands for the time since the last one, as on Linux: the sum is exact, its parts are by share of
 * ticks, and neither part ever goes back. [t->proc->lock]
 */
static void split_locked(struct thread *t, u64 *user, u64 *sys)
{
	u64 all = (u64)thread_cpu_ns(t), nu = READ_ONCE(t->ut.ticks_user), ns = READ_ONCE(t->ut.ticks_sys);

	while (nu + ns > 0xffff) { /* so that the product fits */
		nu >>= 1;
		ns >>= 1;
	}
	*sys = ns ? all * ns / (nu + ns) : 0;
	*sys = MIN(MAX(*sys, t->told_sys_ns), all);
	*user = all - *sys;
	if (*user < t->told_user_ns && t->told_user_ns <= all) {
		*user = t->told_user_ns;
		*sys = all - *user;
	}
	t->told_user_ns = *user;
	t->told_sys_ns = *sys;
}

void thread_cpu_split(struct thread *t, u64 *user_ns, u64 *sys_ns)
{
	spin_lock(&t->proc->lock);
	split_locked(t, user_ns, sys_ns);
	spin_unlock(&t->proc->lock);
}

void thread_cpu_account_locked(struct thread *t)
{
	u64 user, sys;

	split_locked(t, &user, &sys);
	t->proc->ru_utime_ns += user;
	t->proc->ru_stime_ns += sys;
}

s64 proc_cpu_ns(struct uproc *p)
{
	struct thread *t;
	s64 ns;

	spin_lock(&p->lock);
	ns = (s64)(p->ru_utime_ns + p->ru_stime_ns);
	list_for_each(t, &p->threads, group_link)
		ns += thread_cpu_ns(t);
	spin_unlock(&p->lock);
	return ns;
}

void proc_cpu_split(struct uproc *p, u64 *user_ns, u64 *sys_ns)
{
	struct thread *t;

	spin_lock(&p->lock);
	*user_ns = p->ru_utime_ns;
	*sys_ns = p->ru_stime_ns;
	list_for_each(t, &p->threads, group_link) {
		u64 user, sys;

		split_locked(t, &user, &sys);
		*user_ns += user;
		*sys_ns += sys;
	}
	spin_unlock(&p->lock);
}

int clock_cpu_target(int clock, struct uproc **p, struct thread **t)
{
	struct thread *self = thread_self();
	int pid;

	*p = self->proc;
	*t = NULL;
	if (clock == CLK_PROCESS_CPUTIME)
		return 0;
	if (clock == CLK_THREAD_CPUTIME) {
		ref_get(&self->ref);
		*t = self;
		return 0;
	}
	if (clock >= 0 || CPUCLOCK_KIND(clock) == 3)
		return -EINVAL;
	pid = CPUCLOCK_PID(clock);
	if (!CPUCLOCK_PER_THREAD(clock))
		return pid == 0 || pid == self->proc->pid ? 0 : -EINVAL;
	*t = pid ? thread_find(pid) : self;
	if (!pid)
		ref_get(&self->ref);
	if (!*t)
		return -EINVAL;
	if ((*t)->proc == self->proc)
		return 0;
	thread_put(*t);
	*t = NULL;
	return -EINVAL;
}

static int cpu_clock_now(int clock, s64 *ns)
{
	struct uproc *p;
	struct thread *t;
	int r = clock_cpu_target(clock, &p, &t);

	if (!r) {
		*ns = t ? thread_cpu_ns(t) : proc_cpu_ns(p);
		if (t)
			thread_put(t);
		return 0;
	}
	/* The process clock of another one is readable. */
	if (clock >= 0 || CPUCLOCK_PER_THREAD(clock) || CPUCLOCK_KIND(clock) == 3)
		return r;
	p = proc_find(CPUCLOCK_PID(clock));
	if (!p)
		return -EINVAL;
	*ns = proc_cpu_ns(p);
	proc_put(p);
	return 0;
}

int clock_now(int clock, s64 *ns)
{
	switch (clock) {
	case CLK_REALTIME:
		*ns = clock_realtime_ns();
		return 0;
	case CLK_MONOTONIC:
		*ns = clock_monotonic_ns();
		return 0;
	case CLK_BOOTTIME:
	case CLK_BOOTTIME_ALARM:
		*ns = clock_boottime_ns();
		return 0;
	case CLK_REALTIME_ALARM:
		*ns = clock_realtime_ns();
		return 0;
	case CLK_MONOTONIC_RAW:
	case CLK_REALTIME_COARSE:
	case CLK_MONOTONIC_COARSE:
	case CLK_TAI:
		*ns = clock_read_ns(clock);
		return 0;
	default:
		return clock_is_cpu(clock) ? cpu_clock_now(clock, ns) : -EINVAL;
	}
}
