/* SPDX-License-Identifier: MIT */
/* timerfd_create(2). All clocks run on the kernel's monotonic timers; absolute CLOCK_REALTIME times are converted when set. */
#include "userlib/file/file_internal.h"
#include "userlib/base/string.h"
#include "userlib/rt/timer.h"

#define CLK_REALTIME 0
#define CLK_MONOTONIC 1
#define CLK_BOOTTIME 7
#define CLK_REALTIME_ALARM 8
#define CLK_BOOTTIME_ALARM 9
#define ABSTIME 1

struct timerfd {
	struct spinlock lock;
	struct timer timer;
	int clockid;	  /* [I] */
	s64 expires_ns;	  /* [lock] monotonic; 0 = disarmed */
	s64 interval_ns;  /* [lock] */
	u64 ticks;	  /* [lock] */
	struct waitq wait;
};
static struct slab timerfd_slab = SLAB_INIT("timerfd", struct timerfd);
static const struct file_ops timerfd_ops;

/* Lock held. Counts what has expired by now and moves on. */
static void catch_up(struct timerfd *t, s64 now)
{
	u64 n = 1;

	if (!t->expires_ns || now < t->expires_ns)
		return;
	if (t->interval_ns) {
		n += (u64)(now - t->expires_ns) / (u64)t->interval_ns;
		t->expires_ns += (s64)n * t->interval_ns;
	} else {
		t->expires_ns = 0;
	}
	t->ticks += n;
}

/* An unread periodic timer goes on counting without being woken for each period: readers catch up. */
static void expired(struct timer *tm)
{
	struct timerfd *t = container_of(tm, struct timerfd, timer);

	spin_lock(&t->lock);
	catch_up(t, clock_monotonic_ns());
	spin_unlock(&t->lock);
	waitq_wake(&t->wait, POLL_IN);
}

static u64 take(struct timerfd *t)
{
	bool arm;
	s64 at;
	u64 n;

	spin_lock(&t->lock);
	catch_up(t, clock_monotonic_ns());
	n = t->ticks;
	t->ticks = 0;
	arm = n && t->interval_ns && t->expires_ns;
	at = t->expires_ns;
	if (arm)
		timer_start(&t->timer, at);
	spin_unlock(&t->lock);
	return n;
}

static ssize timerfd_read(struct file *f, struct iov_iter *it, s64 *pos, u32 rwf)
{
	struct timerfd *t = f->private;
	u64 n;
	int r;

	(void)pos;
	if (it->count < 8)
		return -EINVAL;
	n = take(t);
	if (!n) {
		if (file_nonblock(f, rwf))
			return -EAGAIN;
		r = wait_event(&t->wait, EPOLLIN, true, (n = take(t)) != 0, TIME_FOREVER, true);
		if (r)
			return r;
	}
	return iter_copy_to(it, &n, 8);
}

static u32 timerfd_poll(struct file *f, struct poll_table *pt)
{
	struct timerfd *t = f->private;
	u32 ev;

	poll_wait(pt, &t->wait);
	spin_lock(&t->lock);
	catch_up(t, clock_monotonic_ns());
	ev = t->ticks ? POLL_IN : 0;
	if (!ev && t->expires_ns && !timer_is_armed(&t->timer))
		timer_start(&t->timer, t->expires_ns);
	spin_unlock(&t->lock);
	return ev;
}

static void get_locked(struct timerfd *t, s64 *value, s64 *interval)
{
	s64 now = clock_monotonic_ns();

	catch_up(t, now);
	*interval = t->interval_ns;
	*value = t->expires_ns ? MAX(t->expires_ns - now, 1l) : 0;
}

void timerfd_get(struct file *f, s64 *value_ns, s64 *interval_ns)
{
	struct timerfd *t = f->private;

	spin_lock(&t->lock);
	get_locked(t, value_ns, interval_ns);
	spin_unlock(&t->lock);
}

static s64 clock_now(int clockid)
{
	switch (clockid) {
	case CLK_REALTIME:
	case CLK_REALTIME_ALARM:
		return clock_realtime_ns();
	case CLK_BOOTTIME:
	case CLK_BOOTTIME_ALARM:
		return clock_boottime_ns();
	default:
		return clock_monotonic_ns();
	}
}

int timerfd_set(struct file *f, int flags, s64 value_ns, s64 interval_ns, s64 *old_value, s64 *old_interval)
{
	struct timerfd *t = f->private;
	s64 now = clock_monotonic_ns(), at = 0;

	if (value_ns) {
		s64 rel = flags & ABSTIME ? value_ns - clock_now(t->clockid) : value_ns;

		if (__builtin_add_overflow(now, rel, &at))
			at = TIME_FOREVER - 1;
		if (at <= 0)
			at = 1;
	}
	(void)timer_stop_sync(&t->timer);
	spin_lock(&t->lock);
	get_locked(t, old_value, old_interval);
	t->ticks = 0;
	t->expires_ns = at;
	t->interval_ns = interval_ns;
	if (at)
		timer_start(&t->timer, at);
	spin_unlock(&t->lock);
	return 0;
}

static void timerfd_info(struct file *f, char *buf, size_t size)
{
	struct timerfd *t = f->private;
	s64 v, i;

	timerfd_get(f, &v, &i);
	fmt(buf, size, "clockid: %d\nticks: %llu\nsettime flags: 00\nit_value: (%lld, %lld)\nit_interval: (%lld, %lld)\n", t->clockid,
	    (unsigned long long)t->ticks, (long long)(v / NSEC_PER_SEC), (long long)(v % NSEC_PER_SEC), (long long)(i / NSEC_PER_SEC),
	    (long long)(i % NSEC_PER_SEC));
}

static void timerfd_release(struct file *f)
{
	struct timerfd *t = f->private;

	(void)timer_stop_sync(&t->timer);
	slab_free(&timerfd_slab, t);
}

static const struct file_ops timerfd_ops = {
	.name = "timerfd",
	.read = timerfd_read,
	.poll = timerfd_poll,
	.fdinfo = timerfd_info,
	.release = timerfd_release,
};

bool file_is_timerfd(const struct file *f)
{
	return f->ops == &timerfd_ops;
}

int timerfd_create_file(int clockid, unsigned flags, struct file **out)
{
	struct timerfd *t;
	int err;

	if (clockid != CLK_REALTIME && clockid != CLK_MONOTONIC && clockid != CLK_BOOTTIME && clockid != CLK_REALTIME_ALARM &&
	    clockid != CLK_BOOTTIME_ALARM)
		return -EINVAL;
	t = slab_zalloc(&timerfd_slab);
	if (!t)
		return -ENOMEM;
	waitq_init(&t->wait);
	timer_init(&t->timer, expired);
	t->clockid = clockid;
	err = file_alloc(&timerfd_ops, O_RDWR | (flags & FLAG_NONBLOCK), t, out);
	if (err)
		slab_free(&timerfd_slab, t);
	return err;
}
