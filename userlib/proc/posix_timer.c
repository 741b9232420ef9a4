/* SPDX-License-Identifier: MIT */
/*
 * timer_create(2) timers. Times of a timer are under its process's sighand lock, the list under timers_lock (taken first). The queue
 * entry is part of the timer; a periodic timer is armed again when its signal is taken, and then tells how many periods were lost.
 */
#include "userlib/base/string.h"
#include "userlib/proc/signal_internal.h"
#include "userlib/proc/timer_calls.h"

enum { EV_SIGNAL, EV_NONE, EV_THREAD, EV_THREAD_ID = 4 }; /* SIGEV_* */
#define CPU_POLL_MIN_NS NSEC_PER_MSEC

static struct slab timer_slab = SLAB_INIT("posix_timer", struct posix_timer);

/* Now on the timer's clock. [sighand lock may be held: so no look-ups and no process lock for thread clocks] */
static s64 timer_now(const struct posix_timer *tm)
{
	s64 now = 0;

	if (tm->cpu_thread)
		return thread_cpu_ns(tm->cpu_thread);
	if (clock_is_cpu(tm->clock))
		return load_relaxed(&tm->proc->cpu_ns_seen);
	return clock_now(tm->clock, &now) ? 0 : now;
}

/* Process CPU time needs the process lock, which comes before the sighand lock: sampled before. */
static void sample_cpu(struct posix_timer *tm)
{
	if (clock_is_cpu(tm->clock) && !tm->cpu_thread)
		store_relaxed(&tm->proc->cpu_ns_seen, proc_cpu_ns(tm->proc));
}

/* Arms for the expiry. CPU clocks cannot be waited for: looked at when they could be there at the earliest. [sighand lock] */
static void arm_locked(struct posix_timer *tm)
{
	s64 mono = clock_monotonic_ns(), left = tm->expires_ns - timer_now(tm);

	if (clock_is_cpu(tm->clock))
		left = MAX(tm->cpu_thread ? left : left / (s64)sched_nr_cores, CPU_POLL_MIN_NS);
	timer_start(&tm->timer, left > TIME_FOREVER - mono ? TIME_FOREVER : mono + left);
}

static void expire(struct timer *timer)
{
	struct posix_timer *tm = container_of(timer, struct posix_timer, timer);
	struct sighand *sh = tm->proc->sighand;
	bool due;

	sample_cpu(tm);
	spin_lock(&sh->lock);
	due = tm->expires_ns && timer_now(tm) >= tm->expires_ns;
	if (tm->expires_ns && !due)
		arm_locked(tm);
	spin_unlock(&sh->lock);
	if (due && tm->notify != EV_NONE)
		signal_send_timer(tm);
}

void posix_timer_rearm_locked(struct posix_timer *tm)
{
	s64 now, lost;

	tm->overrun_last = 0;
	if (tm->queued_gen != tm->gen) /* the signal of an earlier setting */
		return;
	if (!tm->interval_ns || !tm->expires_ns) {
		tm->expires_ns = 0;
		return;
	}
	now = timer_now(tm);
	lost = now > tm->expires_ns ? (now - tm->expires_ns) / tm->interval_ns : 0;
	tm->expires_ns += (lost + 1) * tm->interval_ns;
	tm->overrun_last = (u32)MIN(lost, (s64)INT32_MAX);
	arm_locked(tm);
}

/* [timers_lock] */
static struct posix_timer *find_locked(struct uproc *p, int id)
{
	struct posix_timer *tm;

	list_for_each(tm, &p->posix_timers, link)
		if (tm->id == id)
			return tm;
	return NULL;
}

static int check_event(struct app_sigevent *ev)
{
	struct thread *t;
	bool ours;

	if (ev->notify == EV_NONE)
		return 0;
	if (ev->notify == EV_THREAD_ID) {
		t = thread_find(ev->tid);
		if (!t)
			return -EINVAL;
		ours = t->proc == uproc_self();
		thread_put(t);
		if (!ours)
			return -EINVAL;
	} else if (ev->notify != EV_SIGNAL && ev->notify != EV_THREAD) {
		return -EINVAL;
	}
	return ev->signo < 1 || ev->signo > NSIG_MAX ? -EINVAL : 0;
}

static int check_clock(int clock, struct thread **t)
{
	struct uproc *p;
	s64 now;

	*t = NULL;
	if (clock_is_cpu(clock))
		return clock_cpu_target(clock, &p, t);
	if (clock == CLK_MONOTONIC_RAW || clock == CLK_REALTIME_COARSE || clock == CLK_MONOTONIC_COARSE)
		return -EOPNOTSUPP;
	if (clock == CLK_REALTIME_ALARM || clock == CLK_BOOTTIME_ALARM)
		return cred_capable(&uproc_self()->cred, CAP_WAKE_ALARM) ? 0 : -EPERM;
	return clock_now(clock, &now);
}

long posix_timer_create(int clock, const struct app_sigevent *user_ev, int *id)
{
	struct uproc *p = uproc_self();
	struct app_sigevent ev = { .signo = SIGALRM, .notify = EV_SIGNAL };
	struct posix_timer *tm;
	struct thread *t;
	int r;

	if (user_ev)
		ev = *user_ev;
	r = check_event(&ev);
	if (!r)
		r = check_clock(clock, &t);
	if (r)
		return r;
	tm = slab_zalloc(&timer_slab);
	if (!tm) {
		if (t)
			thread_put(t);
		return -EAGAIN;
	}
	timer_init(&tm->timer, expire);
	tm->proc = p;
	tm->cpu_thread = t;
	tm->clock = clock;
	tm->notify = ev.notify;
	tm->signo = ev.signo;
	tm->target_tid = ev.notify == EV_THREAD_ID ? ev.tid : 0;
	list_init(&tm->entry.link);
	tm->entry.timer = tm;
	tm->entry.info.si_signo = ev.signo;
	tm->entry.info.si_code = SIGINFO_TIMER;
	spin_lock(&p->timers_lock);
	tm->id = p->next_timer_id;
	p->next_timer_id = (p->next_timer_id + 1) & INT32_MAX;
	tm->entry.info.timer.timerid = tm->id;
	tm->entry.info.timer.value = user_ev ? ev.value : (u64)tm->id;
	list_add_tail(&p->posix_timers, &tm->link);
	spin_unlock(&p->timers_lock);
	*id = tm->id;
	return 0;
}

/* Interval and time to the next expiry. [sighand lock] */
static void state_locked(struct posix_timer *tm, s64 *left, s64 *interval)
{
	s64 now = timer_now(tm), exp = tm->expires_ns;

	*interval = tm->interval_ns;
	*left = 0;
	if (!exp)
		return;
	if (exp <= now && tm->interval_ns)
		exp += ((now - exp) / tm->interval_ns + 1) * tm->interval_ns;
	if (exp > now)
		*left = exp - now;
	else if (timer_is_armed(&tm->timer))
		*left = 1; /* due, but its callback has not run yet */
}

/* Finds timer `id` of the caller and takes both locks; NULL: none, no lock held. */
static struct posix_timer *lock_timer(struct uproc *p, int id)
{
	struct posix_timer *tm;
	s64 cpu = proc_cpu_ns(p);

	store_relaxed(&p->cpu_ns_seen, cpu);
	spin_lock(&p->timers_lock);
	tm = find_locked(p, id);
	if (tm)
		spin_lock(&p->sighand->lock);
	else
		spin_unlock(&p->timers_lock);
	return tm;
}

static void unlock_timer(struct uproc *p)
{
	spin_unlock(&p->sighand->lock);
	spin_unlock(&p->timers_lock);
}

long posix_timer_settime(int id, bool absolute, s64 value_ns, s64 interval_ns, s64 *old_left, s64 *old_interval)
{
	struct uproc *p = uproc_self();
	struct posix_timer *tm = lock_timer(p, id);

	if (!tm)
		return -EINVAL;
	state_locked(tm, old_left, old_interval);
	timer_stop(&tm->timer);
	tm->gen++;
	tm->interval_ns = interval_ns;
	tm->overrun_last = 0;
	tm->expires_ns = 0;
	if (value_ns) {
		s64 now = timer_now(tm);

		tm->expires_ns = absolute ? value_ns : now > TIME_FOREVER - value_ns ? TIME_FOREVER : now + value_ns;
		arm_locked(tm);
	}
	unlock_timer(p);
	return 0;
}

long posix_timer_gettime(int id, s64 *left, s64 *interval)
{
	struct uproc *p = uproc_self();
	struct posix_timer *tm = lock_timer(p, id);

	if (!tm)
		return -EINVAL;
	state_locked(tm, left, interval);
	unlock_timer(p);
	return 0;
}

long posix_timer_getoverrun(int id)
{
	struct uproc *p = uproc_self();
	struct posix_timer *tm = lock_timer(p, id);
	long r;

	if (!tm)
		return -EINVAL;
	r = (long)tm->overrun_last;
	unlock_timer(p);
	return r;
}

/* tm is off its process's list. */
static void destroy(struct posix_timer *tm)
{
	struct sighand *sh = tm->proc->sighand;

	spin_lock(&sh->lock);
	tm->expires_ns = 0;
	tm->notify = EV_NONE;
	spin_unlock(&sh->lock);
	timer_stop_sync(&tm->timer);
	spin_lock(&sh->lock);
	timer_stop(&tm->timer);
	if (tm->queued)
		signal_unqueue_timer_locked(tm);
	spin_unlock(&sh->lock);
	if (tm->cpu_thread)
		thread_put(tm->cpu_thread);
	slab_free(&timer_slab, tm);
}

long posix_timer_delete(int id)
{
	struct uproc *p = uproc_self();
	struct posix_timer *tm;

	spin_lock(&p->timers_lock);
	tm = find_locked(p, id);
	if (tm)
		list_del(&tm->link);
	spin_unlock(&p->timers_lock);
	if (!tm)
		return -EINVAL;
	destroy(tm);
	return 0;
}

/* exec and exit. */
void posix_timers_flush(struct uproc *p)
{
	for (;;) {
		struct posix_timer *tm = NULL;

		spin_lock(&p->timers_lock);
		if (!list_empty(&p->posix_timers)) {
			tm = list_first(&p->posix_timers, struct posix_timer, link);
			list_del(&tm->link);
		}
		spin_unlock(&p->timers_lock);
		if (!tm)
			return;
		destroy(tm);
	}
}
