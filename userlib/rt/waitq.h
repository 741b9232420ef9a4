/* SPDX-License-Identifier: MIT */
/*
 * Wait queues: who wants to hear of an event on an object. An entry is a callback, so the same queue serves blocked uThreads
 * (wait_event), poll/epoll and other kernel parts. The protocol has no lost wake-up: register, then check the condition, then park;
 * the waker changes the condition, then wakes.
 *
 * poll events are Linux's EPOLLIN, EPOLLOUT, ... bits (<linux/eventpoll.h>); WAKE_ALL means "any".
 */
#ifndef USERLIB_RT_WAITQ_H
#define USERLIB_RT_WAITQ_H

#include "base/list.h"
#include "userlib/rt/clock.h"
#include "userlib/rt/lock.h"
#include "userlib/rt/uthread.h"

#define WAKE_ALL 0xffffffffu

struct waitq {
	struct spinlock lock;
	struct list entries; /* [lock] */
};

struct waitq_entry {
	struct list node;    /* [waitq lock] */
	struct waitq *queue; /* [waitq lock] NULL = not linked */
	/* Called with the queue's lock held; must not take it nor park. Returns true if it consumed an exclusive wake-up. */
	bool (*fn)(struct waitq_entry *e, u32 events);
	void *arg;
	u32 mask;	     /* events it wants; fn is called only if they intersect */
	bool exclusive;	     /* at most one consuming exclusive entry is woken per wake */
};

#define WAITQ_INIT(q) { SPINLOCK_INIT, LIST_INIT((q).entries) }
void waitq_init(struct waitq *q);
void waitq_add(struct waitq *q, struct waitq_entry *e); /* exclusive entries go to the tail */
void waitq_del(struct waitq_entry *e);		       /* harmless if not linked */
/* Calls every non-exclusive entry whose mask meets `events`, and exclusive ones until `nr_exclusive` consumed it. */
void waitq_wake_n(struct waitq *q, u32 events, unsigned nr_exclusive);
static inline bool waitq_is_empty(const struct waitq *q)
{
	return load_acquire(&q->entries.next) == &q->entries;
}
/* The usual wake: all plain entries, one exclusive. A no-op without waiters (full fence inside: pairs with waitq_add). */
static inline void waitq_wake(struct waitq *q, u32 events)
{
	full_fence();
	if (!waitq_is_empty(q))
		waitq_wake_n(q, events, 1);
}
/* The same where a mutex_unlock (a locked exchange) lies between the change of the condition and this: no further fence. */
static inline void waitq_wake_unlocked(struct waitq *q, u32 events)
{
	if (!waitq_is_empty(q))
		waitq_wake_n(q, events, 1);
}
static inline void waitq_wake_everyone(struct waitq *q)
{
	full_fence();
	if (!waitq_is_empty(q))
		waitq_wake_n(q, WAKE_ALL, ~0u);
}

/* An entry that unparks the calling uThread, and is off the queue then. */
bool waitq_unpark_fn(struct waitq_entry *e, u32 events);
#define WAITQ_ENTRY_SELF(msk, excl) \
	{ .fn = waitq_unpark_fn, .arg = uthread_self(), .mask = (msk), .exclusive = (excl) }

/*
 * Parks until `cond` is true. deadline_ns: absolute CLOCK_MONOTONIC or TIME_FOREVER. interruptible: a pending signal ends it.
 * Result: 0, -ETIMEDOUT, -ERESTARTSYS. `cond` is evaluated without locks, many times.
 */
#define wait_event(q, msk, excl, cond, deadline_ns, interruptible)                                   \
	({                                                                                         \
		int we_r_ = 0;                                                                     \
		if (!(cond)) {                                                                     \
			struct waitq_entry we_e_ = WAITQ_ENTRY_SELF(msk, excl);                    \
			for (;;) {                                                                 \
				waitq_add((q), &we_e_);                                            \
				if (cond)                                                          \
					break;                                                     \
				if ((interruptible) && uthread_signal_pending()) {                 \
					we_r_ = -ERESTARTSYS;                                      \
					break;                                                     \
				}                                                                  \
				if (uthread_park(deadline_ns) == -ETIMEDOUT) {                     \
					if (!(cond))                                               \
						we_r_ = -ETIMEDOUT;                                \
					break;                                                     \
				}                                                                  \
				waitq_del(&we_e_);                                                 \
			}                                                                          \
			waitq_del(&we_e_);                                                         \
		}                                                                                  \
		we_r_;                                                                             \
	})

#endif
