/* SPDX-License-Identifier: MIT */
/*
 * setitimer(2): one wall-clock timer and two CPU-time timers per process, which survive exec, and RLIMIT_CPU, which is watched by the same
 * timer. All under timers_lock.
 */
#include "userlib/proc/signal_internal.h"
#include "userlib/proc/timer_calls.h"
#include <linux/time.h>

#define CPU_POLL_MIN_NS NSEC_PER_MSEC
#define CPU_LIMIT_MAX 1000000000ull /* seconds; beyond lies infinity */

static void real_expired(struct timer *timer)
{
	struct itimer *it = container_of(timer, struct itimer, timer);
	struct uproc *p = container_of(it, struct uproc, itimer_real);
	bool due;

	spin_lock(&p->timers_lock);
	due = it->expires_ns && it->expires_ns <= clock_monotonic_ns();
	if (due && it->interval_ns) {
		s64 now = clock_monotonic_ns();

		it->expires_ns += ((now - it->expires_ns) / it->interval_ns + 1) * it->interval_ns;
		timer_start(&it->timer, it->expires_ns);
	} else if (due) {
		it->expires_ns = 0;
	}
	spin_unlock(&p->timers_lock);
	if (due)
		(void)signal_send_proc(p, SIGALRM, NULL);
}

/* The wall-clock time until a CPU-time timer could be due at the earliest. [timers_lock] */
static void arm_cpu_timer(struct uproc *p, s64 user_ns, s64 all_ns)
{
	s64 left = TIME_FOREVER;

	if (p->itimer_virt.expires_cpu_ns)
		left = p->itimer_virt.expires_cpu_ns - user_ns;
	if (p->itimer_prof.expires_cpu_ns)
		left = MIN(left, p->itimer_prof.expires_cpu_ns - all_ns);
	if (p->rlim[RLIMIT_CPU].rlim_cur < CPU_LIMIT_MAX)
		left = MIN(left, (s64)p->rlim[RLIMIT_CPU].rlim_cur * NSEC_PER_SEC - all_ns);
	if (p->rlim[RLIMIT_CPU].rlim_max < CPU_LIMIT_MAX)
		left = MIN(left, (s64)p->rlim[RLIMIT_CPU].rlim_max * NSEC_PER_SEC - all_ns);
	if (left != TIME_FOREVER)
		timer_start(&p->cpu_timer, clock_monotonic_ns() + MAX(left / (s64)sched_nr_cores, CPU_POLL_MIN_NS));
}

static bool cpu_due(struct cpu_itimer *it, s64 now)
{
	if (!it->expires_cpu_ns || now < it->expires_cpu_ns)
		return false;
	it->expires_cpu_ns = it->interval_ns ? now - (now - it->expires_cpu_ns) % it->interval_ns + it->interval_ns : 0;
	return true;
}

/* The signal RLIMIT_CPU calls for now, or 0. The soft limit moves on by a second each time, as on Linux. */
static int cpu_limit_due(struct uproc *p, s64 all_ns)
{
	struct rlimit64 *l = &p->rlim[RLIMIT_CPU];
	int sig = 0;

	spin_lock(&p->lock);
	if (l->rlim_max < CPU_LIMIT_MAX && all_ns >= (s64)l->rlim_max * NSEC_PER_SEC) {
		sig = SIGKILL;
	} else if (l->rlim_cur < CPU_LIMIT_MAX && all_ns >= (s64)l->rlim_cur * NSEC_PER_SEC) {
		l->rlim_cur++;
		sig = SIGXCPU;
	}
	spin_unlock(&p->lock);
	return sig;
}

static void cpu_expired(struct timer *timer)
{
	struct uproc *p = container_of(timer, struct uproc, cpu_timer);
	bool virt, prof;
	u64 user, sys;
	int limit;

	proc_cpu_split(p, &user, &sys);
	limit = cpu_limit_due(p, (s64)(user + sys));
	spin_lock(&p->timers_lock);
	virt = cpu_due(&p->itimer_virt, (s64)user);
	prof = cpu_due(&p->itimer_prof, (s64)(user + sys));
	if (limit != SIGKILL && !load_acquire(&p->exiting))
		arm_cpu_timer(p, (s64)user, (s64)(user + sys));
	spin_unlock(&p->timers_lock);
	if (limit)
		(void)signal_send_proc(p, limit, NULL);
	if (virt)
		(void)signal_send_proc(p, SIGVTALRM, NULL);
	if (prof)
		(void)signal_send_proc(p, SIGPROF, NULL);
}

/* [timers_lock] now: on the timer's clock */
static void cpu_state(const struct cpu_itimer *it, s64 now, s64 *left, s64 *interval)
{
	*interval = it->interval_ns;
	*left = it->expires_cpu_ns ? MAX(it->expires_cpu_ns - now, 1000l) : 0;
}

static void real_state(const struct itimer *it, s64 *left, s64 *interval)
{
	*interval = it->interval_ns;
	*left = it->expires_ns ? MAX(it->expires_ns - clock_monotonic_ns(), 1000l) : 0;
}

int itimer_get(int which, s64 *left, s64 *interval)
{
	struct uproc *p = uproc_self();
	u64 user, sys;

	if (which < ITIMER_REAL || which > ITIMER_PROF)
		return -EINVAL;
	proc_cpu_split(p, &user, &sys);
	spin_lock(&p->timers_lock);
	if (which == ITIMER_REAL)
		real_state(&p->itimer_real, left, interval);
	else if (which == ITIMER_VIRTUAL)
		cpu_state(&p->itimer_virt, (s64)user, left, interval);
	else
		cpu_state(&p->itimer_prof, (s64)(user + sys), left, interval);
	spin_unlock(&p->timers_lock);
	return 0;
}

static void set_real(struct uproc *p, s64 value, s64 interval)
{
	struct itimer *it = &p->itimer_real;
	s64 now = clock_monotonic_ns();

	if (!it->timer.fn)
		timer_init(&it->timer, real_expired);
	timer_stop(&it->timer);
	it->expires_ns = !value ? 0 : value > TIME_FOREVER - now ? TIME_FOREVER : now + value;
	it->interval_ns = interval;
	if (value)
		timer_start(&it->timer, it->expires_ns);
}

int itimer_set(int which, s64 value, s64 interval, s64 *old_left, s64 *old_interval)
{
	struct uproc *p = uproc_self();
	struct cpu_itimer *it;
	u64 user, sys;
	s64 now, left, old;
	int r = itimer_get(which, &left, &old);

	if (r)
		return r;
	if (old_left)
		*old_left = left;
	if (old_interval)
		*old_interval = old;
	proc_cpu_split(p, &user, &sys);
	spin_lock(&p->timers_lock);
	if (which == ITIMER_REAL) {
		set_real(p, value, interval);
	} else {
		it = which == ITIMER_VIRTUAL ? &p->itimer_virt : &p->itimer_prof;
		now = (s64)(which == ITIMER_VIRTUAL ? user : user + sys);
		it->expires_cpu_ns = !value ? 0 : value > TIME_FOREVER - now ? TIME_FOREVER : now + value;
		it->interval_ns = interval;
		if (!p->cpu_timer.fn)
			timer_init(&p->cpu_timer, cpu_expired);
		timer_stop(&p->cpu_timer);
		arm_cpu_timer(p, (s64)user, (s64)(user + sys));
	}
	spin_unlock(&p->timers_lock);
	return 0;
}

void cpu_limit_watch(struct uproc *p)
{
	const struct rlimit64 *l = &p->rlim[RLIMIT_CPU];
	u64 user, sys;

	if (l->rlim_cur >= CPU_LIMIT_MAX && l->rlim_max >= CPU_LIMIT_MAX)
		return;
	proc_cpu_split(p, &user, &sys);
	spin_lock(&p->timers_lock);
	if (!p->cpu_timer.fn)
		timer_init(&p->cpu_timer, cpu_expired);
	if (!load_acquire(&p->exiting))
		arm_cpu_timer(p, (s64)user, (s64)(user + sys));
	spin_unlock(&p->timers_lock);
}

/* Exit: no callback runs afterwards. */
void itimers_flush(struct uproc *p)
{
	spin_lock(&p->timers_lock);
	p->itimer_real.expires_ns = p->itimer_real.interval_ns = 0;
	p->itimer_virt = p->itimer_prof = (struct cpu_itimer){ 0 };
	spin_unlock(&p->timers_lock);
	timer_stop_sync(&p->itimer_real.timer);
	timer_stop_sync(&p->cpu_timer);
}
