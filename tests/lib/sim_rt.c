/* SPDX-License-Identifier: MIT */
/* See sim_rt.h. */
#include "tests/lib/sim_rt.h"
#include "userlib/base/log.h"
#include "userlib/base/mem.h"
#include "userlib/rt/clock.h"
#include "userlib/rt/host.h"
#include "userlib/rt/timer.h"
#include "userlib/rt/uaccess_arch.h"
#include "userlib/rt/uthread.h"
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <errno.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

/* Memory. */
struct arena_info arena = { .base = (char *)0x1000, .size = 0x1000 }; /* holds no object: test buffers pass as program memory */
static u64 live, live_bytes, fail_after;

void sim_fail_after(u64 n)
{
	fail_after = n;
}
void alloc_fail_after(u64 n)
{
	fail_after = n;
}
u64 sim_mem_live(void)
{
	return live;
}
u64 sim_mem_live_bytes(void)
{
	return live_bytes;
}
u64 slab_objects_in_use(void)
{
	return live;
}
static void *take(size_t align, size_t size)
{
	void *p = NULL;

	if (fail_after && --fail_after == 0)
		return NULL;
	if (posix_memalign(&p, align, size ? size : 1))
		return NULL;
	memset(p, 0xa5, size);
	live++;
	live_bytes += size;
	return p;
}
static void give(void *p, size_t size)
{
	if (!p)
		return;
	live--;
	live_bytes -= size;
	free(p);
}
static void *cleared(void *p, size_t size)
{
	return p ? memset(p, 0, size) : NULL;
}
void *page_alloc(unsigned order)
{
	return take(PAGE_SIZE, PAGE_SIZE << order);
}
void *page_alloc_zero(unsigned order)
{
	return cleared(page_alloc(order), PAGE_SIZE << order);
}
void page_free(void *p, unsigned order)
{
	give(p, PAGE_SIZE << order);
}
void *slab_alloc(struct slab *s)
{
	return take(16, s->size);
}
void *slab_zalloc(struct slab *s)
{
	return cleared(slab_alloc(s), s->size);
}
void slab_free(struct slab *s, void *obj)
{
	give(obj, s->size);
}
void *kmem_alloc(size_t size)
{
	return size > 4 * MiB ? NULL : take(16, size);
}
void *kmem_zalloc(size_t size)
{
	return cleared(kmem_alloc(size), size);
}
void kmem_free(void *p, size_t size)
{
	give(p, size);
}

/* Log. */
int log_level = LOG_WARN;
void log_msg(enum log_level level, const char *f, ...)
{
	va_list ap;

	if ((int)level > log_level)
		return;
	va_start(ap, f);
	vfprintf(stderr, f, ap);
	va_end(ap);
	fputc('\n', stderr);
}
void panic(const char *f, ...)
{
	va_list ap;

	va_start(ap, f);
	vfprintf(stderr, f, ap);
	va_end(ap);
	fputc('\n', stderr);
	abort();
}

/* Time and chance. The clock starts away from zero: code that takes 0 for "never" must not meet it by accident. */
static s64 now_ns = 1000 * NSEC_PER_SEC;
static u64 rng = 1;

s64 sim_now(void)
{
	return now_ns;
}
s64 clock_monotonic_ns(void)
{
	return now_ns;
}
s64 clock_boottime_ns(void)
{
	return now_ns;
}
s64 clock_realtime_ns(void)
{
	return 1600000000 * NSEC_PER_SEC + now_ns;
}
void sim_seed(u64 seed)
{
	rng = seed * 0x9e3779b97f4a7c15ull + 1;
}
u64 sim_random(void) /* splitmix64 */
{
	u64 z = rng += 0x9e3779b97f4a7c15ull;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ull;
	z = (z ^ z >> 27) * 0x94d049bb133111ebull;
	return z ^ z >> 31;
}
void random_bytes(void *buf, size_t len)
{
	for (u8 *p = buf; len; len--)
		*p++ = (u8)sim_random();
}

/* One uThread, that runs the world while it waits. */
struct uthread {
	bool permit, signal;
};
static struct uthread only;
static struct poll_source *sources;

void poll_source_register(struct poll_source *s)
{
	s->next = sources;
	sources = s;
}
static bool poll_all(void)
{
	bool did = false;

	for (struct poll_source *s = sources; s; s = s->next)
		did |= s->poll(s->arg);
	return did;
}
static bool step_before(s64 limit)
{
	s64 next;

	if (poll_all())
		return true;
	next = timer_next_expiry();
	if (next == TIME_FOREVER || next > limit)
		return false;
	if (next > now_ns)
		now_ns = next;
	return timer_run_expired(now_ns);
}
bool sim_step(void)
{
	return step_before(TIME_FOREVER);
}
void sim_run_for(s64 ns)
{
	s64 end = now_ns + ns;

	while (step_before(end))
		;
	now_ns = end;
}
bool sim_run_until(bool (*cond)(void *), void *arg, s64 max_ns)
{
	s64 end = now_ns + max_ns;

	while (!cond(arg))
		if (!step_before(end))
			return cond(arg);
	return true;
}
struct uthread *uthread_self(void)
{
	return &only;
}
int uthread_park(s64 deadline)
{
	while (!only.permit)
		if (!step_before(deadline)) {
			if (deadline == TIME_FOREVER)
				panic("simulation: everyone waits and nothing will happen");
			if (now_ns < deadline)
				now_ns = deadline;
			return -ETIMEDOUT;
		}
	only.permit = false;
	return 0;
}
void uthread_unpark(struct uthread *ut)
{
	ut->permit = true;
}
void uthread_yield(void)
{
	(void)sim_step();
}
bool uthread_signal_pending(void)
{
	return only.signal;
}
void sim_signal(bool pending)
{
	only.signal = pending;
	only.permit |= pending;
}

/* One thread: a lock that is not free is a bug of the code under test. A test of locks has several, and says so. */
bool sim_many_threads;
int host_futex_wait(u32 *word, u32 val, s64 timeout_ns)
{
	if (sim_many_threads) {
		struct timespec t = { .tv_nsec = (long)timeout_ns };

		nanosleep(&t, NULL);
		return 0;
	}
	(void)word;
	(void)val;
	(void)timeout_ns;
	panic("simulation: a lock is taken twice");
}
int host_futex_wake(u32 *word, int n)
{
	(void)word;
	(void)n;
	return 0;
}
int host_sched_yield(void)
{
	return 0;
}
long host_read(int fd, void *buf, size_t len)
{
	(void)fd;
	(void)buf;
	(void)len;
	return -EAGAIN;
}
long host_write(int fd, const void *buf, size_t len)
{
	(void)fd;
	(void)buf;
	return (long)len;
}

/* Program memory is the test's memory; NULL page pointers fault. */
size_t uaccess_copy(void *dst, const void *src, size_t n)
{
	if ((u64)dst < PAGE_SIZE || (u64)src < PAGE_SIZE)
		return n;
	memcpy(dst, src, n);
	return 0;
}
size_t uaccess_clear(void *dst, size_t n)
{
	if ((u64)dst < PAGE_SIZE)
		return n;
	memset(dst, 0, n);
	return 0;
}
int uaccess_load32(const u32 *p, u32 *out)
{
	*out = *p;
	return 0;
}
int uaccess_cas32(u32 *p, u32 expected, u32 desired, u32 *old)
{
	*old = *p;
	if (*p != expected)
		return -EAGAIN;
	*p = desired;
	return 0;
}
int uaccess_load8(const u8 *p)
{
	return *p;
}

/* For net/nic/nic_port.c: the real calls. */
int host_send_nothing(int fd)
{
	(void)fd;
	return -9;
}
int host_ppoll(void *pollfds, u32 n, s64 timeout_ns, const u64 *sigmask)
{
	(void)pollfds;
	(void)n;
	(void)timeout_ns;
	(void)sigmask;
	return -9;
}
long host_mmap(void *addr, size_t len, int prot, int flags, int fd, u64 off)
{
	void *p = mmap(addr, len, prot, flags, fd, (off_t)off);

	return p == MAP_FAILED ? -errno : (long)p;
}
int host_close(int fd)
{
	return close(fd) ? -errno : 0;
}
long host_recvmsg(int fd, void *msghdr, int flags)
{
	ssize_t n = recvmsg(fd, msghdr, flags);

	return n < 0 ? -errno : n;
}
