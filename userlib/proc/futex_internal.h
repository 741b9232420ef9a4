/* SPDX-License-Identifier: MIT */
/*
 * Shared by futex.c (plain operations), futex_pi.c (priority-inheritance operations: ownership is kept, there are no priorities to
 * inherit) and futex_robust.c.
 *
 * A waiter lives on its kernel stack. It is queued in a bucket; whoever wakes it does everything under the bucket's lock, and the waiter
 * takes that lock once more before it returns, so a waker never touches a waiter that is gone. Requeueing changes q->bucket with both
 * locks held. Lock order: buckets by address; they are leaf locks, but program words are read under them (faults do not park).
 */
#ifndef USERLIB_PROC_FUTEX_INTERNAL_H
#define USERLIB_PROC_FUTEX_INTERNAL_H

#include "base/hash.h"
#include "userlib/base/string.h"
#include "userlib/proc/futex.h"
#include "userlib/proc/mm.h"
#include "userlib/proc/proc.h"
#include "userlib/rt/uaccess.h"
#include <linux/futex.h>

#ifndef FUTEX_LOCK_PI2
#define FUTEX_LOCK_PI2 13
#endif

struct futex_key {
	u64 object; /* mm id << 1, or backing object id << 1 | 1 */
	u64 where;  /* address, or offset */
};

struct futex_bucket {
	struct spinlock lock;
	struct list queue; /* [lock] */
} attr_aligned(64);

enum futex_kind {
	FQ_PLAIN,
	FQ_PI,		/* waits for the ownership of its word */
	FQ_REQUEUE_PI,	/* waits to be moved to a PI word (pi_key) */
};

struct futex_q {
	struct list link;	       /* [bucket lock] */
	struct futex_bucket *bucket;   /* [a] changed under both buckets' locks */
	struct futex_key key;	       /* [bucket lock] */
	struct futex_key pi_key;       /* [I] FQ_REQUEUE_PI: the only target allowed */
	u32 __app *word;	       /* [bucket lock] in the waiter's address space */
	struct uthread *ut;	       /* [I] */
	int tid;		       /* [I] */
	int owner_tid;		       /* [bucket lock] FQ_PI: whom it waits for */
	u32 bitset;		       /* [I] */
	u32 kind;		       /* [bucket lock] */
	u32 woken;		       /* [a] off the queue (plain), or owner now (PI) */
	u32 owner_died;		       /* [bucket lock] the waiter itself has to write the word: the old owner could not */
};

struct futex_timeout {
	s64 deadline; /* monotonic; TIME_FOREVER = none */
	bool given;
};

int futex_key_of(u32 __app *uaddr, bool private, struct futex_key *key) must_check;
struct futex_bucket *futex_bucket_of(const struct futex_key *key);
static inline bool futex_key_eq(const struct futex_key *a, const struct futex_key *b)
{
	return a->object == b->object && a->where == b->where;
}
void futex_lock_two(struct futex_bucket *a, struct futex_bucket *b);
void futex_unlock_two(struct futex_bucket *a, struct futex_bucket *b);
void futex_q_init(struct futex_q *q, u32 kind, u32 bitset);
/* [bucket lock] */
void futex_enqueue(struct futex_bucket *b, struct futex_q *q);
void futex_dequeue(struct futex_q *q);
void futex_wake_q(struct futex_q *q); /* off the queue and awake */
/* Locks the bucket q is in now. */
struct futex_bucket *futex_lock_q(struct futex_q *q);
/* Parks until woken, a signal or the deadline. 0, -ETIMEDOUT, -ERESTARTSYS. q stays as it is. */
int futex_sleep(struct futex_q *q, s64 deadline);
/* A word read outside locks, pages brought in if they can be. */
int futex_load(u32 __app *uaddr, u32 *val) must_check;
/* Same under a bucket lock that is dropped on a fault: 0, -EFAULT (lock dropped), -EAGAIN (lock dropped, try again). */
int futex_load_locked(struct futex_bucket *b, u32 __app *uaddr, u32 *val) must_check;
int futex_parse_timeout(const void __app *ts, bool absolute, bool realtime, struct futex_timeout *out) must_check;

/* futex_pi.c */
long futex_lock_pi(u32 __app *uaddr, bool private, const struct futex_timeout *to, bool try);
long futex_unlock_pi(u32 __app *uaddr, bool private);
long futex_wait_requeue_pi(u32 __app *uaddr, bool private, u32 val, const struct futex_timeout *to, u32 __app *uaddr2);
long futex_cmp_requeue_pi(u32 __app *uaddr, bool private, u32 nr_wake, u32 nr_requeue, u32 __app *uaddr2, u32 val3);

extern struct futex_bucket futex_table[];
#define FUTEX_BUCKETS 256u
extern u32 futex_nr_pi; /* [a] PI waiters anywhere */

#endif
