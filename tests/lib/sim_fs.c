/* SPDX-License-Identifier: MIT */
/* See sim_fs.h. */
#include <pthread.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include "tests/lib/sim_fs.h"
#include "userlib/base/log.h"
#include "userlib/base/mem.h"
#include "userlib/rt/clock.h"
#include "userlib/rt/lock.h"
#include "userlib/rt/uaccess.h"
#include "userlib/rt/uthread.h"

/* Memory. */
static u64 live, page_bytes, limit = 4096 * MiB;
int sim_fail_after;
struct arena_info arena;

static bool fails(void)
{
	return sim_fail_after > 0 && --sim_fail_after == 0;
}
void sim_mem_set_limit(u64 bytes)
{
	limit = bytes;
}
u64 sim_mem_live(void)
{
	return live;
}
static void *take(size_t align, size_t size)
{
	void *p = NULL;

	if (fails() || posix_memalign(&p, align, size ? size : 1))
		return NULL;
	memset(p, 0xa5, size);
	__atomic_fetch_add(&live, 1, __ATOMIC_RELAXED);
	return p;
}
static void give(void *p)
{
	if (p)
		__atomic_fetch_sub(&live, 1, __ATOMIC_RELAXED);
	free(p);
}
void *page_alloc(unsigned order)
{
	void *p;

	if (page_bytes + (PAGE_SIZE << order) > limit)
		return NULL;
	p = take(PAGE_SIZE, PAGE_SIZE << order);
	if (p)
		__atomic_fetch_add(&page_bytes, PAGE_SIZE << order, __ATOMIC_RELAXED);
	return p;
}
void *page_alloc_zero(unsigned order)
{
	void *p = page_alloc(order);

	if (p)
		memset(p, 0, PAGE_SIZE << order);
	return p;
}
void page_free(void *p, unsigned order)
{
	__atomic_fetch_sub(&page_bytes, PAGE_SIZE << order, __ATOMIC_RELAXED);
	give(p);
}
u64 page_used_bytes(void)
{
	return page_bytes;
}
u64 mem_limit_bytes(void)
{
	return limit;
}
u64 mem_charged_bytes(void)
{
	return 0;
}
void *slab_alloc(struct slab *s)
{
	return take(16, s->size);
}
void *slab_zalloc(struct slab *s)
{
	void *p = take(16, s->size);

	if (p)
		memset(p, 0, s->size);
	return p;
}
void slab_free(struct slab *s, void *obj)
{
	memset(obj, 0x5a, s->size);
	give(obj);
}
void *kmem_alloc(size_t size)
{
	return size > 4 * MiB ? NULL : take(16, size);
}
void *kmem_zalloc(size_t size)
{
	void *p = kmem_alloc(size);

	if (p)
		memset(p, 0, size);
	return p;
}
void kmem_free(void *p, size_t size)
{
	if (p)
		memset(p, 0x5a, size);
	give(p);
}
char *kmem_strdup(const char *s, size_t len)
{
	char *p = kmem_alloc(len + 1);

	if (p) {
		memcpy(p, s, len);
		p[len] = 0;
	}
	return p;
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

/* Time. */
static s64 clock_offset;
void sim_clock_advance(s64 ns)
{
	clock_offset += ns;
}
static s64 now(clockid_t c)
{
	struct timespec ts;

	clock_gettime(c, &ts);
	return ts.tv_sec * NSEC_PER_SEC + ts.tv_nsec + clock_offset;
}
s64 clock_monotonic_ns(void)
{
	return now(CLOCK_MONOTONIC);
}
s64 clock_realtime_ns(void)
{
	return now(CLOCK_REALTIME);
}

/* uThreads are pthreads with a permit each. */
struct uthread {
	pthread_mutex_t m;
	pthread_cond_t c;
	bool permit, signal;
	struct uthread *next; /* never freed, but not lost either */
};
static struct uthread *all_uthreads;
static __thread struct uthread *self;
struct uthread *uthread_self(void)
{
	if (!self) {
		self = calloc(1, sizeof(*self));
		pthread_mutex_init(&self->m, NULL);
		pthread_cond_init(&self->c, NULL);
		self->next = __atomic_exchange_n(&all_uthreads, self, __ATOMIC_SEQ_CST);
	}
	return self;
}
int uthread_park(s64 deadline_ns)
{
	struct uthread *u = uthread_self();

	if (deadline_ns != TIME_FOREVER)
		panic("park with a deadline is not simulated");
	pthread_mutex_lock(&u->m);
	while (!u->permit)
		pthread_cond_wait(&u->c, &u->m);
	u->permit = false;
	pthread_mutex_unlock(&u->m);
	return 0;
}
void uthread_unpark(struct uthread *u)
{
	pthread_mutex_lock(&u->m);
	u->permit = true;
	pthread_cond_signal(&u->c);
	pthread_mutex_unlock(&u->m);
}
void uthread_yield(void)
{
	sched_yield();
}
bool uthread_signal_pending(void)
{
	return load_acquire(&uthread_self()->signal);
}
void sim_signal(struct uthread *u, bool pending)
{
	store_release(&u->signal, pending);
	uthread_unpark(u);
}

/* Locks. */
void spin_lock_slow(struct spinlock *l)
{
	while (!atomic_cas(&l->word, 0u, 1u))
		sched_yield();
}
void mutex_init(struct mutex *m)
{
	memset(m, 0, sizeof(*m));
	list_init(&m->waiters);
}
static u64 self_word(void)
{
	return (u64)(uintptr_t)uthread_self();
}
bool mutex_trylock(struct mutex *m)
{
	u64 none = 0;

	return __atomic_compare_exchange_n(&m->owner, &none, self_word(), false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
}
void mutex_lock(struct mutex *m)
{
	if (load_acquire(&m->owner) == self_word())
		panic("mutex taken twice by one thread");
	while (!mutex_trylock(m))
		sched_yield();
}
void mutex_unlock(struct mutex *m)
{
	if (m->owner != self_word())
		panic("mutex given back by another thread");
	store_release(&m->owner, (u64)0);
}

/* Program memory is the test's own; a base of (void *)8 stands for a bad pointer. */
#define BAD ((void *)8)
void iter_init_kernel(struct iov_iter *it, void *buf, size_t len)
{
	memset(it, 0, sizeof(*it));
	it->one = (struct iov_seg){ buf, len };
	it->seg = &it->one;
	it->nr_segs = 1;
	it->count = len;
	it->kernel = true;
}
void iter_init(struct iov_iter *it, struct iov_seg *segs, u32 nr, bool kernel)
{
	memset(it, 0, sizeof(*it));
	it->seg = segs;
	it->nr_segs = nr;
	it->kernel = kernel;
	for (u32 n = 0; n < nr; n++)
		it->count += segs[n].len;
}
void iter_advance(struct iov_iter *it, size_t len)
{
	it->count -= len;
	while (it->nr_segs) {
		size_t here = it->seg->len - it->seg_offset;

		if (len < here) {
			it->seg_offset += len;
			return;
		}
		len -= here;
		if (it->nr_segs == 1) {
			it->seg_offset = it->seg->len;
			return;
		}
		it->seg++;
		it->nr_segs--;
		it->seg_offset = 0;
	}
}
enum dir { TO, FROM, ZERO };
static ssize move(struct iov_iter *it, char *p, size_t len, enum dir d)
{
	size_t done = 0;

	len = MIN(len, it->count);
	while (done < len) {
		size_t n = MIN(it->seg->len - it->seg_offset, len - done);
		char *at = (char *)it->seg->base + it->seg_offset;

		if (it->seg->base == BAD)
			return done ? (ssize)done : -EFAULT;
		if (d == TO)
			memcpy(at, p + done, n);
		else if (d == FROM)
			memcpy(p + done, at, n);
		else
			memset(at, 0, n);
		done += n;
		iter_advance(it, n);
	}
	return (ssize)done;
}
ssize iter_copy_to(struct iov_iter *it, const void *src, size_t len)
{
	return move(it, (char *)(uintptr_t)src, len, TO);
}
ssize iter_copy_from(struct iov_iter *it, void *dst, size_t len)
{
	return move(it, dst, len, FROM);
}
ssize iter_zero(struct iov_iter *it, size_t len)
{
	return move(it, NULL, len, ZERO);
}
