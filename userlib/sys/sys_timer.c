/* SPDX-License-Identifier: MIT */
/* System calls on interval timers and POSIX timers: their structs in and out. The timers are proc/itimer.c and proc/posix_timer.c. */
#include "userlib/sys/sys_signal_calls.h"
#include "userlib/proc/timer_calls.h"
#include <linux/time_types.h>
#include <linux/time.h>

struct app_itimerval { /* struct itimerval and, with ns, struct itimerspec */
	s64 interval_sec, interval_frac, value_sec, value_frac;
};

static s64 to_ns(s64 sec, s64 frac, s64 unit_ns)
{
	return sec >= TIME_FOREVER / NSEC_PER_SEC ? TIME_FOREVER : sec * NSEC_PER_SEC + frac * unit_ns;
}

/* unit_ns: of the fraction, 1 or 1000. 0, -EFAULT, -EINVAL. */
static int get_interval(const void __app *src, s64 unit_ns, s64 *value_ns, s64 *interval_ns)
{
	struct app_itimerval v;
	s64 limit = NSEC_PER_SEC / unit_ns;

	if (copy_from_app(&v, src, sizeof(v)))
		return -EFAULT;
	if (v.interval_sec < 0 || v.value_sec < 0 || v.interval_frac < 0 || v.interval_frac >= limit || v.value_frac < 0 ||
	    v.value_frac >= limit)
		return -EINVAL;
	*value_ns = to_ns(v.value_sec, v.value_frac, unit_ns);
	*interval_ns = to_ns(v.interval_sec, v.interval_frac, unit_ns);
	return 0;
}

static int put_interval(void __app *dst, s64 unit_ns, s64 value_ns, s64 interval_ns)
{
	struct app_itimerval v = {
		.interval_sec = interval_ns / NSEC_PER_SEC, .interval_frac = interval_ns % NSEC_PER_SEC / unit_ns,
		.value_sec = value_ns / NSEC_PER_SEC, .value_frac = value_ns % NSEC_PER_SEC / unit_ns,
	};

	return copy_to_app(dst, &v, sizeof(v));
}

long sys_getitimer(int which, void __app *cur)
{
	s64 left, interval;
	int r = itimer_get(which, &left, &interval);

	return r ? r : put_interval(cur, NSEC_PER_USEC, left, interval);
}

long sys_setitimer(int which, const void __app *val, void __app *old)
{
	s64 value = 0, interval = 0, old_left, old_interval;
	int r = 0;

	if (val)
		r = get_interval(val, NSEC_PER_USEC, &value, &interval);
	if (!r)
		r = itimer_set(which, value, interval, &old_left, &old_interval);
	if (!r && old)
		r = put_interval(old, NSEC_PER_USEC, old_left, old_interval);
	return r;
}

/* The rest of an earlier alarm, rounded so that it is not 0 while one is set. */
long sys_alarm(unsigned seconds)
{
	s64 left, interval, sec;
	int r = itimer_set(ITIMER_REAL, seconds * NSEC_PER_SEC, 0, &left, &interval);

	if (r)
		return r;
	sec = left / NSEC_PER_SEC;
	if ((!sec && left) || left % NSEC_PER_SEC >= NSEC_PER_SEC / 2)
		sec++;
	return sec;
}

long sys_timer_create(int clock, const void __app *sev, int __app *uid)
{
	struct app_sigevent ev;
	int id;
	long r;

	if (sev && copy_from_app(&ev, sev, sizeof(ev)))
		return -EFAULT;
	r = posix_timer_create(clock, sev ? &ev : NULL, &id);
	if (r)
		return r;
	if (put_app(id, uid)) {
		(void)posix_timer_delete(id);
		return -EFAULT;
	}
	return 0;
}

long sys_timer_settime(int id, int flags, const void __app *val, void __app *old)
{
	s64 value, interval, old_left, old_interval;
	long r;

	if (!val)
		return -EINVAL;
	r = get_interval(val, 1, &value, &interval);
	if (!r)
		r = posix_timer_settime(id, flags & 1, value, interval, &old_left, &old_interval);
	if (!r && old)
		r = put_interval(old, 1, old_left, old_interval);
	return r;
}

long sys_timer_gettime(int id, void __app *cur)
{
	s64 left, interval;
	long r = posix_timer_gettime(id, &left, &interval);

	return r ? r : put_interval(cur, 1, left, interval);
}

long sys_timer_getoverrun(int id)
{
	return posix_timer_getoverrun(id);
}

long sys_timer_delete(int id)
{
	return posix_timer_delete(id);
}
