/* SPDX-License-Identifier: MIT */
/* Time sources. All ns. Unit tests replace these with a fake clock. */
#ifndef USERLIB_RT_CLOCK_H
#define USERLIB_RT_CLOCK_H

#include "base/types.h"

#define NSEC_PER_SEC 1000000000ll
#define NSEC_PER_MSEC 1000000ll
#define NSEC_PER_USEC 1000ll
#define TIME_FOREVER INT64_MAX

s64 clock_monotonic_ns(void); /* CLOCK_MONOTONIC; the base of every deadline in the kernel */
s64 clock_realtime_ns(void);
s64 clock_boottime_ns(void);
/* Unpredictable bytes (getrandom); never fails, never blocks. */
void random_bytes(void *buf, size_t len);
static inline u32 random_u32(void)
{
	u32 v;

	random_bytes(&v, sizeof(v));
	return v;
}

#endif
