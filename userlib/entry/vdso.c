/* SPDX-License-Identifier: MIT */
/*
 * The vDSO that programs see (vdso(7)): runs in the program, linked as a small shared object of its own and embedded in the kernel image
 * (vdso_image.S). Reaches per-kThread facts through GS. Time is the host's own vDSO function, called directly.
 */
#include "userlib/arch/x86_64/trapframe.h"
#include <linux/time_types.h>

struct tv {
	s64 sec, usec;
};
#define API __attribute__((visibility("default")))
typedef int (*gettime_fn)(int, struct __kernel_timespec *);

static long raw_call2(long nr, long a, long b)
{
	long r;

	__asm__ volatile("syscall" : "=a"(r) : "a"(nr), "D"(a), "S"(b) : "rcx", "r11", "memory");
	return r;
}

API int __vdso_clock_gettime(int clk, struct __kernel_timespec *ts);
API int __vdso_gettimeofday(struct tv *tv, void *tz);
API s64 __vdso_time(s64 *t);
API int __vdso_clock_getres(int clk, struct __kernel_timespec *ts);
API long __vdso_getcpu(u32 *cpu, u32 *node, void *unused_cache);

static inline int gettime(int clk, struct __kernel_timespec *ts)
{
	gettime_fn fn;

	__asm__ volatile("mov %%gs:%c1, %0" : "=r"(fn) : "i"(GS_VDSO));
	return fn ? fn(clk, ts) : (int)raw_call2(228, clk, (long)ts);
}

int __vdso_clock_gettime(int clk, struct __kernel_timespec *ts)
{
	return gettime(clk, ts);
}

int __vdso_gettimeofday(struct tv *tv, void *tz)
{
	struct __kernel_timespec ts;

	if (tz)
		return (int)raw_call2(96, (long)tv, (long)tz);
	if (tv) {
		gettime(0, &ts);
		tv->sec = ts.tv_sec;
		tv->usec = ts.tv_nsec / 1000;
	}
	return 0;
}

s64 __vdso_time(s64 *t)
{
	struct __kernel_timespec ts;

	gettime(5 /* CLOCK_REALTIME_COARSE */, &ts);
	if (t)
		*t = ts.tv_sec;
	return ts.tv_sec;
}

int __vdso_clock_getres(int clk, struct __kernel_timespec *ts)
{
	return (int)raw_call2(229, clk, (long)ts);
}

long __vdso_getcpu(u32 *cpu, u32 *node, void *unused_cache)
{
	u32 c;

	(void)unused_cache;
	__asm__ volatile("movl %%gs:%c1, %0" : "=r"(c) : "i"(GS_CPU));
	if (cpu)
		*cpu = c;
	if (node)
		*node = 0;
	return 0;
}
