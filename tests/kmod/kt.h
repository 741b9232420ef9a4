/* SPDX-License-Identifier: MIT */
/*
 * What the self-tests of junction.ko share: TAP lines, and short forms of the requests. A test is a function; run() prints its line. A
 * check that fails prints a comment and fails the test that it is in, it does not end it.
 */
#ifndef TESTS_KMOD_KT_H
#define TESTS_KMOD_KT_H

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "include/jabi/jabi_kmod.h"

static int kt_no, kt_failures, kt_bad;

/* Prints into one write, so that children and threads do not mix lines. */
__attribute__((format(printf, 1, 2))) static inline void kt_say(const char *fmt, ...)
{
	char b[512];
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(b, sizeof(b), fmt, ap);
	va_end(ap);
	if (n > (int)sizeof(b) - 1)
		n = sizeof(b) - 1;
	if (write(1, b, n) != n)
		_exit(99);
}

#define CHECK(cond, ...)                                                                     \
	do {                                                                                 \
		if (!(cond)) {                                                               \
			__atomic_fetch_add(&kt_bad, 1, __ATOMIC_RELAXED);                    \
			kt_say("# %s:%d: %s: ", __FILE__, __LINE__, #cond);                  \
			kt_say(" " __VA_ARGS__);                                             \
			kt_say(" (errno %d)\n", errno);                                      \
		}                                                                            \
	} while (0)
#define CHECK_ERR(call, err)                                                                  \
	do {                                                                                  \
		errno = 0;                                                                    \
		long r_ = (call);                                                             \
		CHECK(r_ == -1 && errno == (err), "returned %ld, wanted errno %d", r_, (err)); \
	} while (0)

static inline void kt_run(const char *name, void (*fn)(void))
{
	kt_bad = 0;
	fn();
	kt_no++;
	kt_failures += kt_bad != 0;
	kt_say("%sok %d %s\n", kt_bad ? "not " : "", kt_no, name);
}

static inline int kt_end(void)
{
	kt_say("1..%d\n", kt_no);
	return kt_failures != 0;
}

static inline void kt_sleep_us(unsigned int us)
{
	struct timespec t = { us / 1000000, us % 1000000 * 1000l };

	nanosleep(&t, NULL);
}

static inline unsigned long long kt_now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000000ull + t.tv_nsec;
}

/* Waits until cond is true; false after ten seconds (an emulated CPU is slow, and shared). */
#define WAIT_FOR(cond)                                                          \
	({                                                                      \
		unsigned long long end_ = kt_now_ns() + 10000000000ull;         \
		bool good_ = false;                                             \
		while (!(good_ = (cond)) && kt_now_ns() < end_)                 \
			kt_sleep_us(200);                                       \
		good_ || (cond);                                                \
	})

/* ---- requests ---- */

static inline int kt_open(void)
{
	int fd = open(JABI_KMOD_DEVICE, O_RDWR | O_CLOEXEC);

	if (fd < 0) {
		kt_say("Bail out! %s: errno %d\n", JABI_KMOD_DEVICE, errno);
		exit(1);
	}
	return fd;
}

static inline int kt_instance(int fd)
{
	struct jabi_kmod_rights a = { .size = sizeof(a), .rights = JABI_KMOD_RIGHT_ALL };

	return ioctl(fd, JABI_KMOD_INSTANCE, &a);
}

static inline int kt_register(int inst, unsigned int *slot)
{
	struct jabi_kmod_register a = { .size = sizeof(a) };
	int r = ioctl(inst, JABI_KMOD_REGISTER, &a);

	*slot = a.slot;
	return r;
}

static inline int kt_unregister(int inst, unsigned int slot)
{
	struct jabi_kmod_register a = { .size = sizeof(a), .slot = slot };

	return ioctl(inst, JABI_KMOD_UNREGISTER, &a);
}

static inline volatile struct jabi_kmod_thread *kt_line(int inst, unsigned int slot)
{
	return mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, inst, slot * 4096l);
}

static inline int kt_claim(int fd, unsigned int cpu, unsigned int deadline_us, unsigned int flags)
{
	struct jabi_kmod_claim a = { .size = sizeof(a), .flags = flags, .deadline_us = deadline_us };

	a.cpus[cpu / 64] = 1ull << cpu % 64;
	return ioctl(fd, JABI_KMOD_CLAIM, &a);
}

static inline volatile struct jabi_kmod_cpu *kt_cpu(int fd, unsigned int cpu)
{
	return mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, cpu * 4096l);
}

static inline int kt_cpus(int fd, unsigned long cmd, unsigned int cpu, unsigned long long vectors)
{
	struct jabi_kmod_cpus a = { .size = sizeof(a), .vectors = vectors };

	a.cpus[cpu / 64] = 1ull << cpu % 64;
	return ioctl(fd, cmd, &a);
}

/* Writes an order. The caller kicks. */
static inline unsigned int kt_order(volatile struct jabi_kmod_cpu *c, unsigned int slot)
{
	unsigned int gen = c->want.gen + 1;
	struct jabi_kmod_want w = { slot, gen };
	unsigned long long both;

	memcpy(&both, &w, 8);
	__atomic_store_n((unsigned long long *)&c->want, both, __ATOMIC_SEQ_CST);
	return gen;
}

static inline int kt_slot(int fd, unsigned int slot, struct jabi_kmod_slot *a)
{
	*a = (struct jabi_kmod_slot){ .size = sizeof(*a), .slot = slot };
	return ioctl(fd, JABI_KMOD_SLOT, a);
}

static inline bool kt_parked(int fd, unsigned int slot)
{
	struct jabi_kmod_slot a;

	return kt_slot(fd, slot, &a) == 0 && a.parked == 1;
}

static inline int kt_park(int inst, unsigned int slot, struct jabi_kmod_park *out)
{
	struct jabi_kmod_park a = { .size = sizeof(a), .slot = slot };
	int r = ioctl(inst, JABI_KMOD_PARK, &a);

	if (out)
		*out = a;
	return r;
}

static inline int kt_info(int fd, struct jabi_kmod_info *a)
{
	*a = (struct jabi_kmod_info){ .size = sizeof(*a) };
	return ioctl(fd, JABI_KMOD_INFO, a);
}

static inline int kt_send(int fd, unsigned int slot, unsigned long long vectors)
{
	struct jabi_kmod_send a = { .size = sizeof(a), .slot = slot, .vectors = vectors };

	return ioctl(fd, JABI_KMOD_UINTR_SEND, &a);
}

/* Scales rounds: KT_SCALE percent (make check-long under the debug kernel gives less). */
static inline unsigned long kt_rounds(unsigned long n)
{
	const char *s = getenv("KT_SCALE");
	unsigned long r = n * (s ? strtoul(s, NULL, 10) : 100) / 100;

	return r ? r : 1;
}

#endif
