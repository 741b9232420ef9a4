/* SPDX-License-Identifier: MIT */
/*
 * One-shot timers on CLOCK_MONOTONIC, any number. The callback runs on a kThread's scheduler stack or at a scheduling point of any
 * kProc, without locks held; it may take spinlocks, unpark uThreads, and re-arm its own timer; it must not park nor touch program memory.
 */
#ifndef USERLIB_RT_TIMER_H
#define USERLIB_RT_TIMER_H

#include "base/list.h"

struct timer {
	s64 expires_ns;	  /* [shard lock] */
	u32 index;	  /* [shard lock] position in the heap + 1; 0 = not armed */
	u16 shard;	  /* [shard lock] */
	u16 running;	  /* [shard lock] the callback is being called */
	void (*fn)(struct timer *t);
};

void timer_init(struct timer *t, void (*fn)(struct timer *t));
/* (Re-)arms; an expiry in the past fires at the next scheduling point. Never fails: the heap grows by page, reserve at create. */
void timer_start(struct timer *t, s64 expires_ns);
/* True if it was armed. After timer_stop the callback may still be running elsewhere; timer_stop_sync waits for it to end
 * (not callable from the callback or with a lock that the callback takes). */
bool timer_stop(struct timer *t);
bool timer_stop_sync(struct timer *t);
static inline bool timer_is_armed(const struct timer *t)
{
	return t->index != 0;
}

/* Scheduler side. Runs what is due; returns the next expiry or TIME_FOREVER. */
s64 timer_run_expired(s64 now_ns);
s64 timer_next_expiry(void);

#endif
