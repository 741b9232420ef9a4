/* SPDX-License-Identifier: MIT */
/*
 * PI futexes. The word holds the owner's thread id; FUTEX_WAITERS says that unlocking must come here. Ownership is handed to the longest
 * waiting thread. There are no priorities in this scheduler, so there is nothing to boost; everything else is as futex(2) says.
 *
 * Whoever gives a lock away marks the waiter woken and takes it off the queue; an owner that died could not write the word (it may be
 * mapped elsewhere in the waiter), so the waiter does that itself before it leaves the queue (q->owner_died).
 */
#include "userlib/proc/futex_internal.h"

u32 futex_nr_pi;

#define CHAIN_MAX 1024

/* The first waiter for ownership of key, or NULL. *more: others behind it; *plain: someone waits on the word in another way. */
static struct futex_q *first_pi(struct futex_bucket *b, const struct futex_key *key, bool *more, bool *plain)
{
	struct futex_q *q, *first = NULL;

	*more = *plain = false;
	list_for_each(q, &b->queue, link) {
		if (!futex_key_eq(&q->key, key))
			continue;
		if (q->kind != FQ_PI) {
			*plain = true;
			continue;
		}
		if (q->woken)
			continue; /* an heir about to write the word */
		if (first)
			*more = true;
		else
			first = q;
	}
	return first;
}

static bool has_heir(struct futex_bucket *b, const struct futex_key *key)
{
	struct futex_q *q;

	list_for_each(q, &b->queue, link)
		if (q->kind == FQ_PI && q->woken && futex_key_eq(&q->key, key))
			return true;
	return false;
}

/* The waiters that are left wait for someone else now. */
static void set_owner(struct futex_bucket *b, const struct futex_key *key, int tid)
{
	struct futex_q *q;

	list_for_each(q, &b->queue, link)
		if (q->kind == FQ_PI && futex_key_eq(&q->key, key))
			q->owner_tid = tid;
}

static bool thread_exists(int tid)
{
	struct thread *t = thread_find(tid);

	if (!t)
		return false;
	thread_put(t);
	return true;
}

/* What `tid` waits for: the owner of that PI futex, or 0. */
static int blocked_on(int tid)
{
	struct futex_q *q;
	int owner = 0;
	unsigned i;

	for (i = 0; i < FUTEX_BUCKETS && !owner; i++) {
		if (list_empty(&futex_table[i].queue)) /* a guess is enough here */
			continue;
		spin_lock(&futex_table[i].lock);
		list_for_each(q, &futex_table[i].queue, link)
			if (q->kind == FQ_PI && q->tid == tid && !q->woken)
				owner = q->owner_tid;
		spin_unlock(&futex_table[i].lock);
	}
	return owner;
}

/* Would waiting for `owner` close a circle? Only looked at when there are PI waiters at all. */
static bool deadlocks(int owner, int self)
{
	unsigned n;

	if (!load_relaxed(&futex_nr_pi))
		return false;
	for (n = 0; owner && n < CHAIN_MAX; n++) {
		if (owner == self)
			return true;
		owner = blocked_on(owner);
	}
	return owner != 0;
}

/* The program's word, changed from `old`: 0, -EAGAIN (look again), -EFAULT. */
static int cas_word(u32 __app *uaddr, u32 old, u32 new)
{
	u32 seen;

	return cas_app_u32(uaddr, old, new, &seen);
}

/*
 * [bucket lock] One try to own the word for tid: 0 = owned, -EAGAIN = word changed or fault (*fault), -EBUSY = someone has it and
 * FUTEX_WAITERS is set now (*owner), -EDEADLK.
 */
static int try_own(u32 __app *uaddr, int tid, bool others_wait, u32 *owner, bool set_waiters)
{
	u32 v, seen;
	int r = load_app_u32(uaddr, &v);

	if (r)
		return r;
	*owner = v & FUTEX_TID_MASK;
	if (*owner == (u32)tid)
		return -EDEADLK;
	if (!*owner)
		return cas_word(uaddr, v, (v & FUTEX_OWNER_DIED) | (u32)tid | (others_wait ? FUTEX_WAITERS : 0));
	if (set_waiters && !(v & FUTEX_WAITERS)) {
		r = cas_app_u32(uaddr, v, v | FUTEX_WAITERS, &seen);
		if (r)
			return r;
	}
	return -EBUSY;
}

/* Waits to be given the lock; q is queued as FQ_PI. 0, -ETIMEDOUT, -ERESTARTNOINTR. */
static int wait_owned(struct futex_q *q, s64 deadline)
{
	int r = futex_sleep(q, deadline);
	struct futex_bucket *b;
	bool more, plain;
	u32 v;

	for (;;) {
		b = futex_lock_q(q);
		if (!q->woken) {
			futex_dequeue(q);
			break;
		}
		if (!q->owner_died)
			break;
		(void)first_pi(b, &q->key, &more, &plain);
		if (load_app_u32(q->word, &v) ||
		    cas_word(q->word, v, (u32)q->tid | FUTEX_OWNER_DIED | (more ? FUTEX_WAITERS : 0)) == -EFAULT) {
			futex_dequeue(q);
			spin_unlock(&b->lock);
			atomic_fetch_sub(&futex_nr_pi, 1u);
			return -EFAULT;
		}
		if (!load_app_u32(q->word, &v) && (v & FUTEX_TID_MASK) == (u32)q->tid) {
			futex_dequeue(q);
			set_owner(b, &q->key, q->tid);
			break;
		}
		spin_unlock(&b->lock);
	}
	if (q->woken)
		r = 0;
	spin_unlock(&b->lock);
	atomic_fetch_sub(&futex_nr_pi, 1u);
	return r == -ERESTARTSYS ? -ERESTARTNOINTR : r;
}

/* [bucket lock held; released unless the result is -EBUSY and it was no mere try] Own it, or be told to wait. */
static int own_or_wait(struct futex_bucket *b, struct futex_q *q, u32 __app *uaddr, bool try, u32 *owner)
{
	bool more, plain;
	int r;
	struct futex_q *first = first_pi(b, &q->key, &more, &plain);

	if (plain) {
		spin_unlock(&b->lock);
		return -EINVAL;
	}
	r = try_own(uaddr, q->tid, first != NULL, owner, !try);
	if (!r)
		set_owner(b, &q->key, q->tid);
	if (r == -EBUSY && !try)
		return r;
	spin_unlock(&b->lock);
	return r;
}

long futex_lock_pi(u32 __app *uaddr, bool private, const struct futex_timeout *to, bool try)
{
	struct futex_q q;
	struct futex_bucket *b;
	u32 v, owner;
	int r;

	futex_q_init(&q, FQ_PI, FUTEX_BITSET_MATCH_ANY);
	r = futex_key_of(uaddr, private, &q.key);
	if (r)
		return r;
	b = futex_bucket_of(&q.key);
	for (;;) {
		bool known;

		r = futex_load(uaddr, &v);
		if (r)
			return r;
		owner = v & FUTEX_TID_MASK;
		known = !owner || owner == (u32)q.tid || thread_exists((int)owner);
		if (!try && known && owner != (u32)q.tid && deadlocks((int)owner, q.tid))
			return -EDEADLK;
		spin_lock(&b->lock);
		if (!known && !has_heir(b, &q.key)) {
			u32 again;

			r = load_app_u32(uaddr, &again);
			spin_unlock(&b->lock);
			if (!r && again == v)
				return -ESRCH;
			continue;
		}
		r = own_or_wait(b, &q, uaddr, try, &owner);
		if (r == -EBUSY && !try)
			break;
		if (r == -EBUSY)
			return -EWOULDBLOCK;
		if (r == -EAGAIN)
			continue;
		if (r == -EFAULT && mm_fault_in(uproc_self()->mm, (u64)uaddr, 4, true))
			continue;
		return r;
	}
	q.owner_tid = (int)owner;
	q.word = uaddr;
	futex_enqueue(b, &q);
	atomic_fetch_add(&futex_nr_pi, 1u);
	spin_unlock(&b->lock);
	return wait_owned(&q, to->deadline);
}

long futex_unlock_pi(u32 __app *uaddr, bool private)
{
	int tid = thread_self()->tid, r;
	struct futex_bucket *b;
	struct futex_key key;
	struct futex_q *first;
	bool more, plain;
	u32 v;

	r = futex_key_of(uaddr, private, &key);
	if (r)
		return r;
	b = futex_bucket_of(&key);
	for (;;) {
		r = futex_load(uaddr, &v);
		if (r)
			return r;
		if ((v & FUTEX_TID_MASK) != (u32)tid)
			return -EPERM;
		spin_lock(&b->lock);
		first = first_pi(b, &key, &more, &plain);
		if (!first && plain) {
			spin_unlock(&b->lock);
			return -EINVAL;
		}
		r = cas_word(uaddr, v, first ? (u32)first->tid | (more ? FUTEX_WAITERS : 0) : 0);
		if (!r && first) {
			set_owner(b, &key, first->tid);
			futex_wake_q(first);
		}
		spin_unlock(&b->lock);
		if (r == -EFAULT && mm_fault_in(uproc_self()->mm, (u64)uaddr, 4, true))
			continue;
		if (r != -EAGAIN)
			return r;
	}
}

/* --- requeue to a PI word: condition variables --- */

long futex_wait_requeue_pi(u32 __app *uaddr, bool private, u32 val, const struct futex_timeout *to, u32 __app *uaddr2)
{
	struct futex_bucket *b;
	struct futex_q q;
	u32 cur;
	int r;

	if (uaddr == uaddr2)
		return -EINVAL;
	futex_q_init(&q, FQ_REQUEUE_PI, FUTEX_BITSET_MATCH_ANY);
	r = futex_key_of(uaddr, private, &q.key);
	if (!r)
		r = futex_key_of(uaddr2, private, &q.pi_key);
	if (!r && futex_key_eq(&q.key, &q.pi_key))
		r = -EINVAL;
	if (r)
		return r;
	b = futex_bucket_of(&q.key);
	do {
		spin_lock(&b->lock);
		r = futex_load_locked(b, uaddr, &cur);
	} while (r == -EAGAIN);
	if (r)
		return r;
	if (cur != val) {
		spin_unlock(&b->lock);
		return -EWOULDBLOCK;
	}
	q.word = uaddr2;
	futex_enqueue(b, &q);
	spin_unlock(&b->lock);
	r = futex_sleep(&q, to->deadline);
	b = futex_lock_q(&q);
	if (q.kind == FQ_REQUEUE_PI) {
		if (!q.woken)
			futex_dequeue(&q);
		spin_unlock(&b->lock);
		if (q.woken)
			return 0; /* the requeuer took the lock for us */
		return r == -ERESTARTSYS ? -ERESTARTNOINTR : r;
	}
	spin_unlock(&b->lock);
	r = wait_owned(&q, to->deadline);
	/* the caller no longer waits where a restart would put it: it sees a spurious wake-up */
	return r == -ERESTARTNOINTR ? -EWOULDBLOCK : r;
}

/*
 * [both locks] The first waiter gets the PI word if it is free. 1 = it has it, 0 = somebody owns it (*owner; FUTEX_WAITERS set),
 * or -errno.
 */
static int own_for_first(struct futex_bucket *b1, const struct futex_key *k1, const struct futex_key *k2, u32 __app *uaddr2, u32 *owner)
{
	struct futex_q *q, *first = NULL;
	bool others = false;
	int r;

	list_for_each(q, &b1->queue, link) {
		if (!futex_key_eq(&q->key, k1))
			continue;
		if (q->kind != FQ_REQUEUE_PI || !futex_key_eq(&q->pi_key, k2))
			return -EINVAL;
		if (first) {
			others = true;
			break;
		}
		first = q;
	}
	if (!first)
		return 0;
	r = try_own(uaddr2, first->tid, others, owner, true);
	if (r == -EBUSY)
		return 0;
	if (r)
		return r;
	*owner = (u32)first->tid;
	futex_wake_q(first);
	return 1;
}

static u32 move_waiters(struct futex_bucket *b1, struct futex_bucket *b2, const struct futex_key *k1, const struct futex_key *k2, u32 max,
			u32 owner, int *err)
{
	struct futex_q *q, *next;
	u32 moved = 0;

	list_for_each_safe(q, next, &b1->queue, link) {
		if (moved >= max)
			break;
		if (!futex_key_eq(&q->key, k1))
			continue;
		if (q->kind != FQ_REQUEUE_PI || !futex_key_eq(&q->pi_key, k2)) {
			*err = -EINVAL;
			break;
		}
		q->key = *k2;
		q->kind = FQ_PI;
		q->owner_tid = (int)owner;
		atomic_fetch_add(&futex_nr_pi, 1u);
		futex_dequeue(q);
		futex_enqueue(b2, q);
		moved++;
	}
	return moved;
}

long futex_cmp_requeue_pi(u32 __app *uaddr, bool private, u32 nr_wake, u32 nr_requeue, u32 __app *uaddr2, u32 val3)
{
	struct futex_bucket *b1, *b2;
	struct futex_key k1, k2;
	u32 cur, owner = 0, moved = 0;
	int r, got = 0;

	if (nr_wake != 1 || (s32)nr_requeue < 0 || uaddr == uaddr2)
		return -EINVAL;
	r = futex_key_of(uaddr, private, &k1);
	if (!r)
		r = futex_key_of(uaddr2, private, &k2);
	if (!r && futex_key_eq(&k1, &k2))
		r = -EINVAL;
	if (r)
		return r;
	b1 = futex_bucket_of(&k1);
	b2 = futex_bucket_of(&k2);
	for (;;) {
		futex_lock_two(b1, b2);
		r = load_app_u32(uaddr, &cur);
		if (!r && cur != val3) {
			futex_unlock_two(b1, b2);
			return -EAGAIN;
		}
		if (!r) {
			got = own_for_first(b1, &k1, &k2, uaddr2, &owner);
			r = got < 0 ? got : 0;
		}
		if (!r)
			break;
		futex_unlock_two(b1, b2);
		if (r == -EFAULT) {
			if (!mm_fault_in(uproc_self()->mm, (u64)uaddr, 4, false) && !mm_fault_in(uproc_self()->mm, (u64)uaddr2, 4, true))
				return r;
		} else if (r != -EAGAIN) {
			return r;
		}
	}
	/* like Linux, one waiter in all is served even with nr_requeue 0: it is requeued if it could not have the lock */
	moved = move_waiters(b1, b2, &k1, &k2, got ? nr_requeue : nr_requeue + (nr_requeue < INT32_MAX), owner, &r);
	if (got && moved) { /* the new owner must come to the kernel to unlock */
		u32 v;

		if (!load_app_u32(uaddr2, &v) && !(v & FUTEX_WAITERS) && cas_word(uaddr2, v, v | FUTEX_WAITERS))
			r = r ? r : -EAGAIN;
	}
	futex_unlock_two(b1, b2);
	return r ? r : (long)moved + got;
}

/* --- an owner dies --- */

/* Hands every lock that tid owned and others wait for to the first of them. */
static void bequeath(struct futex_bucket *b, int tid)
{
	struct futex_q *q, *p;
	bool earlier;

	list_for_each(q, &b->queue, link) {
		if (q->kind != FQ_PI || q->owner_tid != tid || q->woken)
			continue;
		earlier = false;
		for (p = list_first(&b->queue, struct futex_q, link); p != q; p = list_next(p, link))
			if (p->kind == FQ_PI && p->woken && futex_key_eq(&p->key, &q->key))
				earlier = true;
		if (earlier)
			continue;
		q->owner_died = 1;
		store_release(&q->woken, 1u); /* stays queued until it has written the word */
		uthread_unpark(q->ut);
	}
}

void futex_exit_pi(struct thread *t)
{
	unsigned i;

	if (!load_relaxed(&futex_nr_pi))
		return;
	for (i = 0; i < FUTEX_BUCKETS; i++) {
		spin_lock(&futex_table[i].lock);
		bequeath(&futex_table[i], t->tid);
		spin_unlock(&futex_table[i].lock);
	}
}
