/* SPDX-License-Identifier: MIT */
/*
 * What the memory and futex code needs of the layers below and above, hosted: real host mappings, pthreads as uThreads (each with its own
 * struct kthread behind GS, as in an instance), an arena in a memfd. Not for tests of the scheduler.
 */
#include "tests/unit/proc/stub_rt.h"
#include "userlib/base/log.h"
#include "userlib/base/log_sink.h"
#include "userlib/rt/host.h"
#include <asm/prctl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>
#include <errno.h>

struct stub_thread {
	struct thread t; /* first */
	struct kthread kt;
	pthread_mutex_t lock;
	pthread_cond_t cond;
	bool permit;
};

struct aspace *stub_aspace;
u64 stub_rlimit[RLIM_NLIMITS];
static struct stub_thread *all[64];
static unsigned nr_all;
static pthread_mutex_t all_lock = PTHREAD_MUTEX_INITIALIZER;

#define ARENA_SIZE (64 * MiB)

static void sink(const char *line, size_t len)
{
	fwrite(line, 1, len, stderr);
	fputc('\n', stderr);
}

void stub_init(u64 limit)
{
	int fd = memfd_create("arena", 0);
	void *base;
	int i;

	if (fd < 0 || ftruncate(fd, ARENA_SIZE))
		abort();
	base = mmap(NULL, ARENA_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (base == MAP_FAILED)
		abort();
	log_sink = sink;
	panic_end = abort;
	page_init(base, 0, ARENA_SIZE, limit, fd, NULL);
	for (i = 0; i < RLIM_NLIMITS; i++)
		stub_rlimit[i] = RLIM64_INFINITY;
}

struct thread *stub_thread_start(struct uproc *p, int tid)
{
	struct stub_thread *s = calloc(1, sizeof(*s));

	s->t.tid = tid;
	s->t.proc = p;
	ref_init(&s->t.ref);
	s->kt.self = &s->kt;
	s->kt.current = &s->t.ut;
	pthread_mutex_init(&s->lock, NULL);
	pthread_condattr_t a;
	pthread_condattr_init(&a);
	pthread_condattr_setclock(&a, CLOCK_MONOTONIC);
	pthread_cond_init(&s->cond, &a);
	pthread_mutex_lock(&all_lock);
	all[nr_all++] = s;
	pthread_mutex_unlock(&all_lock);
	syscall(SYS_arch_prctl, ARCH_SET_GS, &s->kt);
	return &s->t;
}

void stub_thread_gone(struct thread *t)
{
	pthread_mutex_lock(&all_lock);
	for (unsigned i = 0; i < nr_all; i++)
		if (&all[i]->t == t)
			all[i] = all[--nr_all];
	pthread_mutex_unlock(&all_lock);
}

/* --- scheduling --- */

struct uthread *uthread_self(void)
{
	return kt_self()->current;
}

int uthread_park(s64 deadline)
{
	struct stub_thread *s = (struct stub_thread *)uthread_self();
	struct timespec ts = { deadline / NSEC_PER_SEC, deadline % NSEC_PER_SEC };
	int r = 0;

	pthread_mutex_lock(&s->lock);
	while (!s->permit && r != ETIMEDOUT) {
		if (deadline == TIME_FOREVER)
			pthread_cond_wait(&s->cond, &s->lock);
		else
			r = pthread_cond_timedwait(&s->cond, &s->lock, &ts);
	}
	if (s->permit)
		r = 0;
	s->permit = false;
	pthread_mutex_unlock(&s->lock);
	return r ? -ETIMEDOUT : 0;
}

void uthread_unpark(struct uthread *ut)
{
	struct stub_thread *s = (struct stub_thread *)ut;

	pthread_mutex_lock(&s->lock);
	s->permit = true;
	pthread_cond_signal(&s->cond);
	pthread_mutex_unlock(&s->lock);
}

bool uthread_signal_pending(void)
{
	return load_relaxed(&uthread_self()->signal_pending);
}

void spin_lock_slow(struct spinlock *l)
{
	while (!atomic_cas(&l->word, 0u, 1u))
		sched_yield();
}
void mutex_init(struct mutex *m) { m->owner = 0; spin_init(&m->lock); }
void mutex_lock(struct mutex *m)
{
	if (m->owner && m->owner == (u64)uthread_self())
		abort();
	spin_lock(&m->lock);
	m->owner = (u64)uthread_self();
}
void mutex_unlock(struct mutex *m)
{
	m->owner = 0;
	spin_unlock(&m->lock);
}

static s64 now(clockid_t c)
{
	struct timespec ts;

	clock_gettime(c, &ts);
	return ts.tv_sec * NSEC_PER_SEC + ts.tv_nsec;
}
s64 clock_monotonic_ns(void) { return now(CLOCK_MONOTONIC); }
s64 clock_realtime_ns(void) { return now(CLOCK_REALTIME); }
void random_bytes(void *buf, size_t len)
{
	if (syscall(SYS_getrandom, buf, len, 0) < 0)
		abort();
}

/* --- program memory: faults are asked of the host, not taken --- */

static bool readable(const void *p, size_t len)
{
	static int fds[2];

	if (!fds[1] && pipe(fds))
		abort();
	for (size_t i = 0; i < len; i += 4096) {
		char c;

		if (write(fds[1], (const char *)p + i, 1) != 1)
			return false;
		if (read(fds[0], &c, 1) != 1)
			abort();
	}
	return true;
}

void (*uaccess_prepare)(u64 addr, u64 len); /* never called: the copies below are the tests' own */
int copy_from_app(void *dst, const void *src, size_t len)
{
	if (!readable(src, len))
		return -EFAULT;
	memcpy(dst, src, len);
	return 0;
}
int copy_to_app(void *dst, const void *src, size_t len)
{
	if (!readable(dst, len))
		return -EFAULT;
	memcpy(dst, src, len);
	return 0;
}
int load_app_u32(const u32 *p, u32 *out)
{
	if (!readable(p, 4))
		return -EFAULT;
	*out = load_acquire(p);
	return 0;
}
int cas_app_u32(u32 *p, u32 expected, u32 desired, u32 *old)
{
	if (!readable(p, 4))
		return -EFAULT;
	*old = expected;
	return __atomic_compare_exchange_n(p, old, desired, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST) ? 0 : -EAGAIN;
}

/* --- host --- */

static long host_result(long r)
{
	return r == -1 ? -errno : r;
}
long host_mmap(void *addr, size_t len, int prot, int flags, int fd, u64 off)
{
	return host_result((long)mmap(addr, len, prot, flags, fd, (off_t)off));
}
int host_munmap(void *addr, size_t len) { return (int)host_result(munmap(addr, len)); }
int host_mprotect(void *addr, size_t len, int prot) { return (int)host_result(mprotect(addr, len, prot)); }
int host_madvise(void *addr, size_t len, int advice) { return (int)host_result(madvise(addr, len, advice)); }
long host_mremap(void *old, size_t old_len, size_t new_len, int flags, void *new_addr)
{
	return host_result(syscall(SYS_mremap, old, old_len, new_len, flags, new_addr));
}
int host_msync(void *addr, size_t len, int flags) { return (int)host_result(msync(addr, len, flags)); }
int host_mincore(void *addr, size_t len, unsigned char *vec) { return (int)host_result(mincore(addr, len, vec)); }
int host_mlock(const void *addr, size_t len) { return (int)host_result(mlock(addr, len)); }
int host_munlock(const void *addr, size_t len) { return (int)host_result(munlock(addr, len)); }

/* --- proc, fs --- */

struct aspace *mm_current_aspace(void);
struct aspace *mm_current_aspace(void) { return stub_aspace; }
u64 proc_rlimit(int resource) { return stub_rlimit[resource]; }
struct thread *thread_find(int tid)
{
	struct thread *t = NULL;

	pthread_mutex_lock(&all_lock);
	for (unsigned i = 0; i < nr_all; i++)
		if (all[i]->t.tid == tid)
			t = &all[i]->t;
	pthread_mutex_unlock(&all_lock);
	return t;
}
void thread_put(struct thread *t) { (void)t; }
void inode_put(struct inode *i) { ref_put(&i->ref); }
int inode_deny_write(struct inode *i) { (void)i; return 0; }
void inode_allow_write(struct inode *i) { (void)i; }
void path_get(const struct path *p) { (void)p; }
void path_put(struct path *p) { (void)p; }
ssize path_name(const struct path *p, const struct path *root, char *buf, size_t size, bool mark_deleted)
{
	(void)p;
	(void)root;
	(void)mark_deleted;
	return (ssize)str_copy(buf, "/file", size) + 1;
}

void (*uaccess_prepare)(u64 addr, u64 len);
u64 host_map_changes;
u64 host_page_faults(void) { return 0; }
u64 host_peak_rss_kib(void) { return 0; }

size_t copy_from_app_partial(void *dst, const void __app *src, size_t len)
{
	return copy_from_app(dst, src, len) ? 0 : len;
}

size_t copy_to_app_partial(void __app *dst, const void *src, size_t len)
{
	return copy_to_app(dst, src, len) ? 0 : len;
}

int kmod_file_map(int id, void *addr, u64 off, u64 len)
{
	(void)id;
	(void)addr;
	(void)off;
	(void)len;
	return -ENODEV;
}
