/* SPDX-License-Identifier: MIT */
/* poll(2), select(2), epoll_wait(2) and their variants with signal masks. */
#include "userlib/sys/sys_event_calls.h"
#include "userlib/file/file_internal.h"
#include "userlib/sys/sys_util.h"

#define POLL_NVAL 0x20u
#define FDSET_MAX_BYTES (64 * KiB)

struct app_ts {
	s64 sec, nsec;
};
struct app_pollfd {
	s32 fd;
	s16 events, revents;
};

/* Absolute deadline of a relative time; 0 = now, TIME_FOREVER. */
static s64 after(s64 sec, s64 nsec)
{
	s64 ns;

	if (!sec && !nsec)
		return 0;
	if (__builtin_mul_overflow(sec, NSEC_PER_SEC, &ns) || __builtin_add_overflow(ns, nsec, &ns) ||
	    __builtin_add_overflow(ns, clock_monotonic_ns(), &ns))
		return TIME_FOREVER;
	return ns;
}

static s64 after_ms(int ms)
{
	return ms < 0 ? TIME_FOREVER : after(ms / 1000, ms % 1000 * NSEC_PER_MSEC);
}

static int deadline_from(const void __app *ts, s64 *deadline)
{
	struct app_ts t;

	*deadline = TIME_FOREVER;
	if (!ts)
		return 0;
	if (copy_from_app(&t, ts, sizeof(t)))
		return -EFAULT;
	if (t.sec < 0 || t.nsec < 0 || t.nsec >= NSEC_PER_SEC)
		return -EINVAL;
	*deadline = after(t.sec, t.nsec);
	return 0;
}

/* What is left goes back to the program (Linux's habit in ppoll, select, pselect6); a bad address does not matter any more. */
static void put_rest(void __app *p, s64 deadline, s64 unit)
{
	s64 left = deadline ? deadline - clock_monotonic_ns() : 0;
	struct app_ts t;

	if (!p || deadline == TIME_FOREVER)
		return;
	if (left < 0)
		left = 0;
	t = (struct app_ts){ left / NSEC_PER_SEC, left % NSEC_PER_SEC / unit };
	if (copy_to_app(p, &t, sizeof(t)))
		return;
}

static int set_mask(const u64 __app *mask, size_t size)
{
	u64 m;

	if (!mask)
		return 0;
	if (size != 8)
		return -EINVAL;
	if (copy_from_app(&m, mask, 8))
		return -EFAULT;
	return sigmask_set_temp(&m);
}

/* An interrupted wait keeps its mask until the handler's frame is made: the handler runs under it (signal_deliver.c restores). */
static void restore_mask(long r)
{
	if (r != -EINTR && r != -ERESTARTNOHAND)
		sigmask_restore_saved();
}

/* ---- poll ---- */

static long poll_copied(struct app_pollfd *p, struct poll_ent *e, unsigned n, s64 deadline)
{
	long r;

	for (unsigned i = 0; i < n; i++) {
		e[i] = (struct poll_ent){ .events = (u16)p[i].events };
		if (p[i].fd < 0)
			continue;
		e[i].f = fd_file(p[i].fd);
		if (!e[i].f)
			e[i].revents = POLL_NVAL;
	}
	r = poll_files(e, n, deadline);
	for (unsigned i = 0; i < n; i++) {
		p[i].revents = (s16)e[i].revents;
		if (e[i].f)
			file_put(e[i].f);
	}
	return r;
}

static long do_poll(void __app *ufds, unsigned n, s64 deadline)
{
	struct app_pollfd fast[16], *p = fast;
	struct poll_ent fast_e[16], *e = fast_e;
	bool big = n > ARRAY_SIZE(fast);
	long r;

	if (n > nofile_limit())
		return -EINVAL;
	if (big) {
		p = kmem_alloc(n * sizeof(*p));
		e = kmem_alloc(n * sizeof(*e));
		r = -ENOMEM;
		if (!p || !e)
			goto out;
	}
	r = -EFAULT;
	if (n && copy_from_app(p, ufds, n * sizeof(*p)))
		goto out;
	r = poll_copied(p, e, n, deadline);
	if (r < 0)
		goto out;
	for (unsigned i = 0; i < n; i++) {
		char __app *at = (char __app *)ufds + i * sizeof(*p) + offsetof(struct app_pollfd, revents);

		if (copy_to_app(at, &p[i].revents, sizeof(p[i].revents))) {
			r = -EFAULT;
			break;
		}
	}
out:
	if (big) {
		if (p)
			kmem_free(p, n * sizeof(*p));
		if (e)
			kmem_free(e, n * sizeof(*e));
	}
	return r;
}

long sys_poll(void __app *fds, unsigned n, int timeout_ms)
{
	return do_poll(fds, n, after_ms(timeout_ms));
}

long sys_ppoll(void __app *fds, unsigned n, void __app *timeout, const u64 __app *mask, size_t size)
{
	s64 deadline;
	long r = deadline_from(timeout, &deadline);

	if (!r)
		r = set_mask(mask, size);
	if (r)
		return r;
	r = do_poll(fds, n, deadline);
	restore_mask(r);
	put_rest(timeout, deadline, 1);
	return r;
}

/* ---- select ---- */

#define SEL_IN (EPOLLRDNORM | EPOLLRDBAND | EPOLLIN | EPOLLHUP | EPOLLERR)
#define SEL_OUT (EPOLLWRBAND | EPOLLWRNORM | EPOLLOUT | EPOLLERR)
#define SEL_EX (EPOLLPRI)

struct selection {
	u64 *set[3]; /* in, then replaced by the result */
	u32 words;
	u32 nr;
	struct poll_ent *e;
	int *fd;
};

static const u32 sel_mask[3] = { SEL_IN, SEL_OUT, SEL_EX };

static u32 wanted(const struct selection *s, u32 fd)
{
	u32 ev = 0;

	for (int k = 0; k < 3; k++)
		if (s->set[k][fd / 64] >> (fd % 64) & 1)
			ev |= sel_mask[k];
	return ev;
}

static int open_selected(struct selection *s, u32 n)
{
	for (u32 fd = 0; fd < n; fd++) {
		u32 ev = wanted(s, fd);

		if (!ev)
			continue;
		s->e[s->nr] = (struct poll_ent){ .f = fd_file((int)fd), .events = ev };
		s->fd[s->nr] = (int)fd;
		if (!s->e[s->nr].f)
			return -EBADF;
		s->nr++;
	}
	return 0;
}

/* Bits of the result; how many. */
static long result_bits(struct selection *s)
{
	long bits = 0;

	for (u32 i = 0; i < s->nr; i++) {
		u32 fd = (u32)s->fd[i];

		for (int k = 0; k < 3; k++) {
			u64 bit = 1ull << (fd % 64);

			if (!(s->set[k][fd / 64] & bit))
				continue;
			/* poll_files adds ERR and HUP to every interest; the exception set does not count them */
			if (s->e[i].revents & sel_mask[k])
				bits++;
			else
				s->set[k][fd / 64] &= ~bit;
		}
	}
	return bits;
}

static long select_on(struct selection *s, u32 n, void __app *const user[3], s64 deadline)
{
	size_t bytes = (n + 7) / 8;
	long r;

	for (int k = 0; k < 3; k++)
		if (user[k] && copy_from_app(s->set[k], user[k], bytes))
			return -EFAULT;
	if (n % 64)
		for (int k = 0; k < 3; k++)
			s->set[k][s->words - 1] &= (1ull << (n % 64)) - 1;
	r = open_selected(s, n);
	if (!r)
		r = poll_files(s->e, s->nr, deadline);
	if (r >= 0)
		r = result_bits(s);
	for (u32 i = 0; i < s->nr; i++)
		file_put(s->e[i].f);
	if (r < 0)
		return r;
	for (int k = 0; k < 3; k++)
		if (user[k] && copy_to_app(user[k], s->set[k], ROUND_UP(bytes, 8ul)))
			return -EFAULT;
	return r;
}

static long do_select(int n, void __app *rd, void __app *wr, void __app *ex, s64 deadline)
{
	void __app *const user[3] = { rd, wr, ex };
	struct selection s = { 0 };
	u32 size = uproc_self()->files->size;
	size_t bytes, total;
	char *mem;
	long r;

	if (n < 0)
		return -EINVAL;
	if ((u32)n > size)
		n = (int)size;
	s.words = ((u32)n + 63) / 64;
	bytes = s.words * 8;
	total = 3 * bytes + (size_t)n * (sizeof(*s.e) + sizeof(*s.fd)) + 64;
	mem = kmem_zalloc(total);
	if (!mem)
		return -ENOMEM;
	for (int k = 0; k < 3; k++)
		s.set[k] = (u64 *)(mem + (size_t)k * bytes);
	s.e = (struct poll_ent *)(mem + 3 * bytes);
	s.fd = (int *)(s.e + n);
	r = select_on(&s, (u32)n, user, deadline);
	kmem_free(mem, total);
	return r == -EINTR ? -ERESTARTNOHAND : r;
}

long sys_select(int n, void __app *rd, void __app *wr, void __app *ex, void __app *timeout)
{
	s64 deadline = TIME_FOREVER;
	struct app_ts t;
	long r;

	if (timeout) {
		if (copy_from_app(&t, timeout, sizeof(t)))
			return -EFAULT;
		if (t.sec < 0 || t.nsec < 0)
			return -EINVAL;
		deadline = after(t.sec + t.nsec / 1000000, t.nsec % 1000000 * 1000);
	}
	r = do_select(n, rd, wr, ex, deadline);
	put_rest(timeout, deadline, 1000);
	return r;
}

long sys_pselect6(int n, void __app *rd, void __app *wr, void __app *ex, void __app *timeout, const void __app *sig)
{
	struct {
		u64 mask, size;
	} pack = { 0, 0 };
	s64 deadline;
	long r = deadline_from(timeout, &deadline);

	if (r)
		return r;
	if (sig && copy_from_app(&pack, sig, sizeof(pack)))
		return -EFAULT;
	r = set_mask((const u64 __app *)pack.mask, pack.size);
	if (r)
		return r;
	r = do_select(n, rd, wr, ex, deadline);
	restore_mask(r);
	put_rest(timeout, deadline, 1);
	return r;
}

/* ---- epoll ---- */

long sys_epoll_create1(int flags)
{
	struct file *f;
	int r;

	if (flags & ~O_CLOEXEC)
		return -EINVAL;
	r = epoll_create(0, &f);
	return r ? r : fd_install(f, flags & O_CLOEXEC);
}

long sys_epoll_create(int size)
{
	return size <= 0 ? -EINVAL : sys_epoll_create1(0);
}

long sys_epoll_ctl(int epfd, int op, int fd, void __app *event)
{
	struct epoll_event ev = { 0 };
	struct file *ep, *f;
	long r;

	if (op != EPOLL_CTL_DEL && copy_from_app(&ev, event, sizeof(ev)))
		return -EFAULT;
	ep = fd_file(epfd);
	if (!ep)
		return -EBADF;
	f = fd_file(fd);
	r = f ? epoll_ctl_file(ep, op, fd, f, ev.events, ev.data) : -EBADF;
	if (f)
		file_put(f);
	file_put(ep);
	return r;
}

#define EVENTS_FAST 32
#define EVENTS_MAX 1024

static long do_epoll_wait(int epfd, void __app *events, int max, s64 deadline)
{
	struct epoll_event fast[EVENTS_FAST], *evs = fast;
	struct file *ep;
	int cap;
	long r;

	if (max <= 0 || (size_t)max > INT32_MAX / sizeof(*evs))
		return -EINVAL;
	ep = fd_file(epfd);
	if (!ep)
		return -EBADF;
	r = -EINVAL;
	if (ep->ops != &epoll_file_ops)
		goto out;
	cap = MIN(max, EVENTS_MAX);
	if (cap > EVENTS_FAST) {
		evs = kmem_alloc((size_t)cap * sizeof(*evs));
		r = -ENOMEM;
		if (!evs)
			goto out;
	}
	r = epoll_wait_file(ep, evs, cap, deadline);
	if (r > 0 && copy_to_app(events, evs, (size_t)r * sizeof(*evs)))
		r = -EFAULT;
	if (evs != fast)
		kmem_free(evs, (size_t)cap * sizeof(*evs));
out:
	file_put(ep);
	return r;
}

long sys_epoll_wait(int epfd, void __app *events, int max, int timeout_ms)
{
	return do_epoll_wait(epfd, events, max, after_ms(timeout_ms));
}

long sys_epoll_pwait(int epfd, void __app *events, int max, int timeout_ms, const u64 __app *mask, size_t size)
{
	long r = set_mask(mask, size);

	if (r)
		return r;
	r = do_epoll_wait(epfd, events, max, after_ms(timeout_ms));
	restore_mask(r);
	return r;
}

long sys_epoll_pwait2(int epfd, void __app *events, int max, const void __app *timeout, const u64 __app *mask, size_t size)
{
	s64 deadline;
	long r = deadline_from(timeout, &deadline);

	if (!r)
		r = set_mask(mask, size);
	if (r)
		return r;
	r = do_epoll_wait(epfd, events, max, deadline);
	restore_mask(r);
	return r;
}
