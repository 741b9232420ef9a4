/* SPDX-License-Identifier: MIT */
/* eventfd(2), timerfd_create(2), signalfd(2), inotify(7), memfd_create(2). */
#include "userlib/file/file_internal.h"
#include "userlib/sys/sys_event_calls.h"
#include "userlib/sys/sys_util.h"
#include <linux/inotify.h>

long sys_eventfd2(unsigned count, int flags)
{
	struct file *f;
	int r;

	if (flags & ~(O_CLOEXEC | O_NONBLOCK | 1 /* EFD_SEMAPHORE */))
		return -EINVAL;
	r = eventfd_create(count, flags & 1, (unsigned)flags, &f);
	return r ? r : fd_install(f, flags & O_CLOEXEC);
}

long sys_eventfd(unsigned count)
{
	return sys_eventfd2(count, 0);
}

/* ---- timerfd ---- */

struct app_ts {
	s64 sec, nsec;
};
struct app_itimerspec {
	struct app_ts interval, value;
};

static int to_ns(const struct app_ts *t, s64 *ns)
{
	if (t->sec < 0 || t->nsec < 0 || t->nsec >= NSEC_PER_SEC)
		return -EINVAL;
	if (__builtin_mul_overflow(t->sec, NSEC_PER_SEC, ns) || __builtin_add_overflow(*ns, t->nsec, ns))
		*ns = TIME_FOREVER - 1;
	return 0;
}

static struct app_itimerspec from_ns(s64 value, s64 interval)
{
	return (struct app_itimerspec){ { interval / NSEC_PER_SEC, interval % NSEC_PER_SEC },
					{ value / NSEC_PER_SEC, value % NSEC_PER_SEC } };
}

long sys_timerfd_create(int clockid, int flags)
{
	struct file *f;
	int r;

	if (flags & ~(O_CLOEXEC | O_NONBLOCK))
		return -EINVAL;
	r = timerfd_create_file(clockid, (unsigned)flags, &f);
	return r ? r : fd_install(f, flags & O_CLOEXEC);
}

long sys_timerfd_settime(int fd, int flags, const void __app *value, void __app *old)
{
	struct app_itimerspec its;
	s64 v, i, ov, oi;
	struct file *f;
	long r;

	if (flags & ~3)
		return -EINVAL;
	if (copy_from_app(&its, value, sizeof(its)))
		return -EFAULT;
	if (to_ns(&its.value, &v) || to_ns(&its.interval, &i))
		return -EINVAL;
	f = fd_file(fd);
	if (!f)
		return -EBADF;
	r = file_is_timerfd(f) ? timerfd_set(f, flags, v, i, &ov, &oi) : -EINVAL;
	file_put(f);
	if (!r && old) {
		its = from_ns(ov, oi);
		r = copy_to_app(old, &its, sizeof(its));
	}
	return r;
}

long sys_timerfd_gettime(int fd, void __app *value)
{
	struct file *f = fd_file(fd);
	struct app_itimerspec its;
	s64 v, i;

	if (!f)
		return -EBADF;
	if (!file_is_timerfd(f)) {
		file_put(f);
		return -EINVAL;
	}
	timerfd_get(f, &v, &i);
	file_put(f);
	its = from_ns(v, i);
	return copy_to_app(value, &its, sizeof(its));
}

/* ---- signalfd ---- */

long sys_signalfd4(int fd, const u64 __app *mask, size_t size, int flags)
{
	struct file *f;
	long r;
	u64 m;

	if (flags & ~(O_CLOEXEC | O_NONBLOCK) || size != 8)
		return -EINVAL;
	if (copy_from_app(&m, mask, 8))
		return -EFAULT;
	if (fd == -1) {
		r = signalfd_create(m, (unsigned)flags, &f);
		return r ? r : fd_install(f, flags & O_CLOEXEC);
	}
	f = fd_file(fd);
	if (!f)
		return -EBADF;
	r = fd;
	if (file_is_signalfd(f))
		signalfd_set_mask(f, m);
	else
		r = -EINVAL;
	file_put(f);
	return r;
}

long sys_signalfd(int fd, const u64 __app *mask, size_t size)
{
	return sys_signalfd4(fd, mask, size, 0);
}

/* ---- inotify ---- */

long sys_inotify_init1(int flags)
{
	struct file *f;
	int r;

	if (flags & ~(O_CLOEXEC | O_NONBLOCK))
		return -EINVAL;
	r = inotify_create((unsigned)flags, &f);
	return r ? r : fd_install(f, flags & O_CLOEXEC);
}

long sys_inotify_init(void)
{
	return sys_inotify_init1(0);
}

long sys_inotify_add_watch(int fd, const char __app *name, u32 mask)
{
	struct file *f = fd_file(fd);
	struct at_path a;
	struct path p;
	long r;

	if (!f)
		return -EBADF;
	r = file_is_inotify(f) ? 0 : -EINVAL;
	if (!r)
		r = at_get(&a, AT_FDCWD, name, 0);
	if (r)
		goto out;
	r = at_resolve(&a, !(mask & IN_DONT_FOLLOW), &p);
	if (!r) {
		r = vfs_permission(&p, 4, a.w.cred);
		if (!r && (mask & IN_ONLYDIR) && (path_inode(&p)->mode & S_IFMT) != S_IFDIR)
			r = -ENOTDIR;
		if (!r)
			r = inotify_add(f, &p, mask & ~(u32)(IN_DONT_FOLLOW | IN_ONLYDIR));
		path_put(&p);
	}
	at_put(&a);
out:
	file_put(f);
	return r;
}

long sys_inotify_rm_watch(int fd, int wd)
{
	struct file *f = fd_file(fd);
	long r;

	if (!f)
		return -EBADF;
	r = file_is_inotify(f) ? inotify_rm(f, wd) : -EINVAL;
	file_put(f);
	return r;
}

/* ---- memfd ---- */

#define MFD_KNOWN 0x1bu /* CLOEXEC, ALLOW_SEALING, NOEXEC_SEAL, EXEC; no huge pages */

long sys_memfd_create(const char __app *name, unsigned flags)
{
	char n[251];
	struct file *f;
	ssize len;
	int r;

	if (flags & ~MFD_KNOWN || (flags & 0x18) == 0x18)
		return -EINVAL;
	len = strncpy_from_app(n, name, 250);
	if (len < 0)
		return len == -ENAMETOOLONG ? -EINVAL : len;
	r = memfd_create_file(n, flags, &uproc_self()->cred, &f);
	return r ? r : fd_install(f, flags & 1);
}
