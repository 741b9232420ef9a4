/* SPDX-License-Identifier: MIT */
/* futex(2): keys, buckets, the plain operations (wait, wake, requeue, wake-op) and futex_waitv(2). */
#include "userlib/proc/futex_internal.h"
#include "userlib/base/mem.h"
#include <linux/time_types.h>

struct futex_bucket futex_table[FUTEX_BUCKETS];

void futex_init(void)
{
	unsigned i;

	for (i = 0; i < FUTEX_BUCKETS; i++) {
		spin_init(&futex_table[i].lock);
		list_init(&futex_table[i].queue);
	}
}

/* --- keys and buckets --- */

int futex_key_of(u32 __app *uaddr, bool private, struct futex_key *key)
{
	u64 addr = (u64)uaddr, offset = 0, id;
	struct mm *mm = uproc_self()->mm;
	u32 ignored;

	if (addr & 3)
		return -EINVAL;
	if (addr >= MM_TASK_SIZE)
		return -EFAULT;
	key->object = mm->id << 1;
	key->where = addr;
	if (private)
		return 0;
	id = mm_shared_key(mm, addr, &offset);
	if (id) {
		key->object = id << 1 | 1;
		key->where = offset;
		return 0;
	}
	return futex_load(uaddr, &ignored);
}

struct futex_bucket *futex_bucket_of(const struct futex_key *key)
{
	return &futex_table[hash_u64(key->object * 0x9e3779b97f4a7c15ull ^ key->where) & (FUTEX_BUCKETS - 1)];
}

void futex_lock_two(struct futex_bucket *a, struct futex_bucket *b)
{
	if (a > b) {
		spin_lock(&b->lock);
		spin_lock(&a->lock);
		return;
	}
	spin_lock(&a->lock);
	if (a != b)
		spin_lock(&b->lock);
}

void futex_unlock_two(struct futex_bucket *a, struct futex_bucket *b)
{
	spin_unlock(&a->lock);
	if (a != b)
		spin_unlock(&b->lock);
}

void futex_q_init(struct futex_q *q, u32 kind, u32 bitset)
{
	struct thread *t = thread_self();

	memset(q, 0, sizeof(*q));
	list_init(&q->link);
	q->ut = &t->ut;
	q->tid = t->tid;
	q->kind = kind;
	q->bitset = bitset;
}

void futex_enqueue(struct futex_bucket *b, struct futex_q *q)
{
	store_release(&q->bucket, b);
	list_add_tail(&b->queue, &q->link);
}

void futex_dequeue(struct futex_q *q)
{
	list_del(&q->link);
}

void futex_wake_q(struct futex_q *q)
{
	futex_dequeue(q);
	store_release(&q->woken, 1u);
	uthread_unpark(q->ut);
}

struct futex_bucket *futex_lock_q(struct futex_q *q)
{
	struct futex_bucket *b;

	for (;;) {
		b = load_acquire(&q->bucket);
		spin_lock(&b->lock);
		if (load_relaxed(&q->bucket) == b)
			return b;
		spin_unlock(&b->lock);
	}
}

int futex_sleep(struct futex_q *q, s64 deadline)
{
	while (!load_acquire(&q->woken)) {
		if (uthread_signal_pending())
			return -ERESTARTSYS;
		if (uthread_park(deadline) == -ETIMEDOUT)
			return -ETIMEDOUT;
	}
	return 0;
}

int futex_load(u32 __app *uaddr, u32 *val)
{
	if (!load_app_u32(uaddr, val))
		return 0;
	if (mm_fault_in(uproc_self()->mm, (u64)uaddr, sizeof(u32), false) && !load_app_u32(uaddr, val))
		return 0;
	return -EFAULT;
}

int futex_load_locked(struct futex_bucket *b, u32 __app *uaddr, u32 *val)
{
	if (!load_app_u32(uaddr, val))
		return 0;
	spin_unlock(&b->lock);
	return futex_load(uaddr, val) ? -EFAULT : -EAGAIN;
}

int futex_parse_timeout(const void __app *ts, bool absolute, bool realtime, struct futex_timeout *out)
{
	struct __kernel_timespec k;
	s64 ns, now;

	out->deadline = TIME_FOREVER;
	out->given = ts != NULL;
	if (!ts)
		return 0;
	now = clock_monotonic_ns();
	if (copy_from_app(&k, ts, sizeof(k)))
		return -EFAULT;
	if (k.tv_sec < 0 || k.tv_nsec < 0 || k.tv_nsec >= NSEC_PER_SEC)
		return -EINVAL;
	if (k.tv_sec > INT64_MAX / NSEC_PER_SEC / 2)
		return 0; /* beyond any clock */
	ns = k.tv_sec * NSEC_PER_SEC + k.tv_nsec;
	if (absolute && realtime)
		ns -= clock_realtime_ns();
	else if (absolute)
		ns -= now;
	if (ns < 0)
		ns = 0;
	out->deadline = ns > INT64_MAX / 2 ? TIME_FOREVER : now + ns;
	return 0;
}

/* --- wait --- */

/* Queues q if *uaddr is still val: 0, -EAGAIN (it is not), -EFAULT. q->key is set. */
static int wait_start(struct futex_q *q, u32 __app *uaddr, u32 val)
{
	struct futex_bucket *b = futex_bucket_of(&q->key);
	u32 cur;
	int r;

	for (;;) {
		spin_lock(&b->lock);
		r = futex_load_locked(b, uaddr, &cur);
		if (r == -EAGAIN)
			continue;
		if (r)
			return r;
		if (cur != val) {
			spin_unlock(&b->lock);
			return -EAGAIN;
		}
		q->word = uaddr;
		futex_enqueue(b, q);
		spin_unlock(&b->lock);
		return 0;
	}
}

/* After sleeping: off the queue. True if it had been woken. */
static bool wait_end(struct futex_q *q)
{
	struct futex_bucket *b = futex_lock_q(q);
	bool woken = q->woken;

	if (!woken)
		futex_dequeue(q);
	spin_unlock(&b->lock);
	return woken;
}

static long wait_restart(struct thread *t);

static long do_wait(u32 __app *uaddr, bool private, u32 val, u32 bitset, const struct futex_timeout *to)
{
	struct thread *t = thread_self();
	struct futex_q q;
	int r;

	if (!bitset)
		return -EINVAL;
	futex_q_init(&q, FQ_PLAIN, bitset);
	r = futex_key_of(uaddr, private, &q.key);
	if (!r)
		r = wait_start(&q, uaddr, val);
	if (r)
		return r;
	r = futex_sleep(&q, to->deadline);
	if (wait_end(&q))
		return 0;
	if (r != -ERESTARTSYS || !to->given)
		return r;
	t->restart_fn = wait_restart;
	t->restart_args[0] = (u64)uaddr;
	t->restart_args[1] = private;
	t->restart_args[2] = val;
	t->restart_args[3] = bitset;
	t->restart_args[4] = (u64)to->deadline;
	return -ERESTART_RESTARTBLOCK;
}

static long wait_restart(struct thread *t)
{
	struct futex_timeout to = { .deadline = (s64)t->restart_args[4], .given = true };

	return do_wait((u32 __app *)t->restart_args[0], t->restart_args[1], (u32)t->restart_args[2], (u32)t->restart_args[3], &to);
}

/* --- wake --- */

static long wake_key(const struct futex_key *key, int n, u32 bitset)
{
	struct futex_bucket *b = futex_bucket_of(key);
	struct futex_q *q, *next;
	long woken = 0;

	/* The lock is also the fence between the program's store before the call and our look at the queue: wait_start reads under it. */
	spin_lock(&b->lock);
	list_for_each_safe(q, next, &b->queue, link) {
		if (!futex_key_eq(&q->key, key))
			continue;
		if (q->kind != FQ_PLAIN) {
			woken = woken ? woken : -EINVAL;
			break;
		}
		if (!(q->bitset & bitset))
			continue;
		futex_wake_q(q);
		if (++woken >= n)
			break;
	}
	spin_unlock(&b->lock);
	return woken;
}

static long do_wake(u32 __app *uaddr, bool private, int n, u32 bitset)
{
	struct futex_key key;
	int r;

	if (!bitset)
		return -EINVAL;
	r = futex_key_of(uaddr, private, &key);
	return r ? r : wake_key(&key, n, bitset);
}

int futex_wake_addr(u32 __app *uaddr, int n)
{
	return (int)do_wake(uaddr, false, n, FUTEX_BITSET_MATCH_ANY);
}

/* --- requeue --- */

static long do_requeue(u32 __app *uaddr, bool private, u32 nr_wake, u32 nr_requeue, u32 __app *uaddr2, const u32 *cmp)
{
	struct futex_key k1, k2;
	struct futex_bucket *b1, *b2;
	struct futex_q *q, *next;
	u32 moved = 0, woken = 0, cur;
	int r = futex_key_of(uaddr, private, &k1);

	if (!r)
		r = futex_key_of(uaddr2, private, &k2);
	if (r)
		return r;
	if ((s32)nr_wake < 0 || (s32)nr_requeue < 0)
		return -EINVAL;
	b1 = futex_bucket_of(&k1);
	b2 = futex_bucket_of(&k2);
again:
	futex_lock_two(b1, b2);
	if (cmp) {
		r = load_app_u32(uaddr, &cur);
		if (r || cur != *cmp) {
			futex_unlock_two(b1, b2);
			if (!r)
				return -EAGAIN;
			if (futex_load(uaddr, &cur))
				return -EFAULT;
			goto again;
		}
	}
	list_for_each_safe(q, next, &b1->queue, link) {
		if (woken >= nr_wake && moved >= nr_requeue)
			break;
		if (!futex_key_eq(&q->key, &k1))
			continue;
		if (q->kind != FQ_PLAIN) {
			r = -EINVAL;
			break;
		}
		if (woken < nr_wake) {
			futex_wake_q(q);
			woken++;
			continue;
		}
		q->key = k2;
		q->word = uaddr2;
		if (b1 != b2) {
			futex_dequeue(q);
			futex_enqueue(b2, q);
		}
		moved++;
	}
	futex_unlock_two(b1, b2);
	return r ? r : (long)woken + moved; /* Linux counts both for both operations, whatever futex(2) says */
}

/* --- wake-op --- */

static int apply_op(u32 __app *uaddr, u32 op, u32 *old_out)
{
	u32 old, new, arg = (op >> 12) & 0xfff, seen;
	int r = load_app_u32(uaddr, &old);

	if (arg & 0x800)
		arg |= 0xfffff000u; /* sign */
	if (op & (FUTEX_OP_OPARG_SHIFT << 28))
		arg = 1u << (arg & 31);
	while (!r) {
		switch ((op >> 28) & 7) {
		case FUTEX_OP_SET:
			new = arg;
			break;
		case FUTEX_OP_ADD:
			new = old + arg;
			break;
		case FUTEX_OP_OR:
			new = old | arg;
			break;
		case FUTEX_OP_ANDN:
			new = old & ~arg;
			break;
		case FUTEX_OP_XOR:
			new = old ^ arg;
			break;
		default:
			return -ENOSYS;
		}
		r = cas_app_u32(uaddr, old, new, &seen);
		if (r != -EAGAIN)
			break;
		old = seen;
		r = 0;
	}
	*old_out = old;
	return r;
}

static bool compare_op(u32 op, u32 old)
{
	s32 arg = (s32)(op << 20) >> 20, v = (s32)old;

	switch ((op >> 24) & 15) {
	case FUTEX_OP_CMP_EQ:
		return v == arg;
	case FUTEX_OP_CMP_NE:
		return v != arg;
	case FUTEX_OP_CMP_LT:
		return v < arg;
	case FUTEX_OP_CMP_LE:
		return v <= arg;
	case FUTEX_OP_CMP_GT:
		return v > arg;
	default:
		return v >= arg;
	}
}

static long wake_locked(struct futex_bucket *b, const struct futex_key *key, int n)
{
	struct futex_q *q, *next;
	long woken = 0;

	list_for_each_safe(q, next, &b->queue, link) {
		if (!futex_key_eq(&q->key, key))
			continue;
		if (q->kind != FQ_PLAIN)
			return woken ? woken : -EINVAL;
		futex_wake_q(q);
		if (++woken >= n)
			break;
	}
	return woken;
}

static long do_wake_op(u32 __app *uaddr, bool private, int nr, int nr2, u32 __app *uaddr2, u32 op)
{
	struct futex_key k1, k2;
	struct futex_bucket *b1, *b2;
	u32 old;
	long woken, more;
	int r = futex_key_of(uaddr, private, &k1);

	if (!r)
		r = futex_key_of(uaddr2, private, &k2);
	if (r)
		return r;
	if (((op >> 24) & 15) > FUTEX_OP_CMP_GE || ((op >> 28) & 7) > FUTEX_OP_XOR)
		return -ENOSYS;
	b1 = futex_bucket_of(&k1);
	b2 = futex_bucket_of(&k2);
	for (;;) {
		futex_lock_two(b1, b2);
		r = apply_op(uaddr2, op, &old);
		if (!r)
			break;
		futex_unlock_two(b1, b2);
		if (r != -EFAULT || !mm_fault_in(uproc_self()->mm, (u64)uaddr2, sizeof(u32), true))
			return r;
	}
	woken = wake_locked(b1, &k1, nr);
	if (woken >= 0 && compare_op(op, old)) {
		more = wake_locked(b2, &k2, nr2);
		woken = more < 0 ? more : woken + more;
	}
	futex_unlock_two(b1, b2);
	return woken;
}

/* --- futex_waitv --- */

struct waitv_entry { /* struct futex_waitv */
	u64 val, uaddr;
	u32 flags, reserved;
};
#define WAITV_MAX 128u
#define WAITV_SIZE_U32 2u

/* Takes q[0..n) off their queues; the lowest index that had been woken, or -1. */
static int waitv_end(struct futex_q *q, u32 n)
{
	int first = -1;
	u32 i;

	for (i = 0; i < n; i++)
		if (wait_end(&q[i]) && first < 0)
			first = (int)i;
	return first;
}

static bool waitv_any(const struct futex_q *q, u32 n)
{
	u32 i;

	for (i = 0; i < n; i++)
		if (load_acquire(&q[i].woken))
			return true;
	return false;
}

static long waitv_run(struct futex_q *q, const struct waitv_entry *w, u32 n, s64 deadline)
{
	int r = 0, idx;
	u32 i;

	for (i = 0; i < n; i++) {
		futex_q_init(&q[i], FQ_PLAIN, FUTEX_BITSET_MATCH_ANY);
		r = futex_key_of((u32 __app *)w[i].uaddr, w[i].flags & FUTEX_PRIVATE_FLAG, &q[i].key);
		if (!r)
			r = wait_start(&q[i], (u32 __app *)w[i].uaddr, (u32)w[i].val);
		if (r)
			break;
	}
	while (!r && !waitv_any(q, n)) {
		if (uthread_signal_pending())
			r = -ERESTARTSYS;
		else if (uthread_park(deadline) == -ETIMEDOUT)
			r = -ETIMEDOUT;
	}
	idx = waitv_end(q, i);
	return idx >= 0 ? idx : r;
}

long futex_waitv_call(void __app *waiters, u32 nr, u32 flags, void __app *timeout, int clockid)
{
	struct waitv_entry *w;
	struct futex_timeout to;
	struct futex_q *q;
	long r = -ENOMEM;
	u32 i;

	if (flags || !nr || nr > WAITV_MAX || !waiters)
		return -EINVAL;
	if (timeout && clockid != 0 /* CLOCK_REALTIME */ && clockid != 1 /* CLOCK_MONOTONIC */)
		return -EINVAL;
	r = futex_parse_timeout(timeout, true, clockid == 0, &to);
	if (r)
		return r;
	w = kmem_alloc(nr * sizeof(*w));
	q = kmem_alloc(nr * sizeof(*q));
	if (!w || !q)
		r = -ENOMEM;
	else
		r = copy_from_app(w, waiters, nr * sizeof(*w));
	for (i = 0; !r && i < nr; i++)
		if ((w[i].flags & ~(WAITV_SIZE_U32 | FUTEX_PRIVATE_FLAG)) || !(w[i].flags & WAITV_SIZE_U32) || w[i].reserved ||
		    w[i].val > UINT32_MAX)
			r = -EINVAL;
	if (!r)
		r = waitv_run(q, w, nr, to.deadline);
	if (w)
		kmem_free(w, nr * sizeof(*w));
	if (q)
		kmem_free(q, nr * sizeof(*q));
	return r;
}

/* --- the call --- */

long futex_call(u32 __app *uaddr, int op, u32 val, u64 arg4, u32 __app *uaddr2, u32 val3)
{
	int cmd = op & FUTEX_CMD_MASK;
	bool private = op & FUTEX_PRIVATE_FLAG, realtime = op & FUTEX_CLOCK_REALTIME;
	struct futex_timeout to = { .deadline = TIME_FOREVER };
	bool timed = cmd == FUTEX_WAIT || cmd == FUTEX_WAIT_BITSET || cmd == FUTEX_LOCK_PI || cmd == FUTEX_LOCK_PI2 ||
		     cmd == FUTEX_WAIT_REQUEUE_PI;
	int r;

	if (realtime && cmd != FUTEX_WAIT && cmd != FUTEX_WAIT_BITSET && cmd != FUTEX_WAIT_REQUEUE_PI && cmd != FUTEX_LOCK_PI2)
		return -ENOSYS;
	if (timed) {
		r = futex_parse_timeout((const void __app *)arg4, cmd != FUTEX_WAIT, realtime || cmd == FUTEX_LOCK_PI, &to);
		if (r)
			return r;
	}
	switch (cmd) {
	case FUTEX_WAIT:
		return do_wait(uaddr, private, val, FUTEX_BITSET_MATCH_ANY, &to);
	case FUTEX_WAIT_BITSET:
		return do_wait(uaddr, private, val, val3, &to);
	case FUTEX_WAKE:
		return do_wake(uaddr, private, (int)val, FUTEX_BITSET_MATCH_ANY);
	case FUTEX_WAKE_BITSET:
		return do_wake(uaddr, private, (int)val, val3);
	case FUTEX_REQUEUE:
		return do_requeue(uaddr, private, val, (u32)arg4, uaddr2, NULL);
	case FUTEX_CMP_REQUEUE:
		return do_requeue(uaddr, private, val, (u32)arg4, uaddr2, &val3);
	case FUTEX_WAKE_OP:
		return do_wake_op(uaddr, private, (int)val, (int)arg4, uaddr2, val3);
	case FUTEX_LOCK_PI:
	case FUTEX_LOCK_PI2:
		return futex_lock_pi(uaddr, private, &to, false);
	case FUTEX_TRYLOCK_PI:
		return futex_lock_pi(uaddr, private, &to, true);
	case FUTEX_UNLOCK_PI:
		return futex_unlock_pi(uaddr, private);
	case FUTEX_WAIT_REQUEUE_PI:
		return futex_wait_requeue_pi(uaddr, private, val, &to, uaddr2);
	case FUTEX_CMP_REQUEUE_PI:
		return futex_cmp_requeue_pi(uaddr, private, val, (u32)arg4, uaddr2, val3);
	}
	return -ENOSYS;
}
