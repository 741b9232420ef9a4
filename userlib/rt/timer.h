/* SPDX-License-Identifier: MIT */
/*
 * One-shot timers on CLOCK_MONOTONIC, any number. The callback runs at a scheduling point of some kThread of any kProc, without locks
 * held; it may take spinlocks, unpark uThreads, re-arm or free its own timer; it must not park nor touch program memory.
 */
#ifndef USERLIB_RT_TIMER_H
#define USERLIB_RT_TIMER_H

#include "base/list.h"

struct timer {
	s64 expires_ns;			    /* [timer lock] */
	struct timer *child, *next, *prev;  /* [timer lock] pairing heap; prev = left sibling or parent */
	bool armed;			    /* [timer lock] */
	void (*fn)(struct timer *t);
};

void timer_init(struct timer *t, void (*fn)(struct timer *t));
/* (Re-)arms; an expiry in the past fires at the next scheduling point. Never fails. */
void timer_start(struct timer *t, s64 expires_ns);
/* True if it was armed. After timer_stop the callback may still be running elsewhere; timer_stop_sync waits for it to end
 * (not callable from the callback or with a lock that the callback takes). */
bool timer_stop(struct timer *t);
bool timer_stop_sync(struct timer *t);
static inline bool timer_is_armed(const struct timer *t)
{
	return t->armed;
}

/* Scheduler side. Runs what is due; returns true if anything ran. Next expiry: TIME_FOREVER if none. */
bool timer_run_expired(s64 now_ns);
s64 timer_next_expiry(void);

#endif
