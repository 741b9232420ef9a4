/* SPDX-License-Identifier: MIT */
/* Futex operations between real threads: who wakes, what is returned, no wake-up lost. */
#include "tests/unit/proc/stub_rt.h"
#include "userlib/proc/futex_internal.h"
#include <check.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#define PRIV FUTEX_PRIVATE_FLAG
#define MSEC 1000000ll

static struct uproc proc;
static struct thread *self;
static u32 *words; /* a page of program memory */

static void setup(void)
{
	stub_init(64 * MiB);
	futex_init();
	self = stub_thread_start(&proc, 1);
	stub_aspace = aspace_create(NULL, 0);
	proc.mm = mm_create(stub_aspace);
	words = (u32 *)mm_mmap(proc.mm, 0, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, NULL, 0);
	ck_assert_int_gt((long)words, 0);
}

static void teardown(void)
{
	for (unsigned i = 0; i < FUTEX_BUCKETS; i++) {
		ck_assert(list_empty(&futex_table[i].queue));
		ck_assert(list_empty(&futex_table[i].queue));
	}
	ck_assert_uint_eq(futex_nr_pi, 0);
}

struct job {
	pthread_t th;
	int tid;
	long (*fn)(struct job *j);
	long result;
	struct thread *t;
	u32 arg;
	u32 started;
};

static void *run(void *arg)
{
	struct job *j = arg;

	j->t = stub_thread_start(&proc, j->tid);
	store_release(&j->started, 1u);
	j->result = j->fn(j);
	stub_thread_gone(j->t);
	return NULL;
}

static void start(struct job *j, int tid, long (*fn)(struct job *), u32 arg)
{
	*j = (struct job){ .tid = tid, .fn = fn, .arg = arg };
	ck_assert_int_eq(pthread_create(&j->th, NULL, run, j), 0);
	while (!load_acquire(&j->started))
		sched_yield();
}

static unsigned queued(void)
{
	unsigned n = 0;

	for (unsigned i = 0; i < FUTEX_BUCKETS; i++) {
		struct futex_q *q;

		spin_lock(&futex_table[i].lock);
		list_for_each(q, &futex_table[i].queue, link)
			n++;
		spin_unlock(&futex_table[i].lock);
	}
	return n;
}
static void until_queued(unsigned n)
{
	for (int i = 0; queued() != n; i++) {
		usleep(100);
		ck_assert_int_lt(i, 20000);
	}
}
static long end(struct job *j)
{
	pthread_join(j->th, NULL);
	return j->result;
}

static long wait0(struct job *j)
{
	return futex_call(words, FUTEX_WAIT_BITSET | PRIV, 0, 0, NULL, j->arg ? j->arg : ~0u);
}

START_TEST(wait_refuses_changed_value_bad_address_bad_timeout)
{
	struct { s64 s, ns; } ts = { 0, 5 * MSEC }, bad = { 0, 1000000000 };

	words[0] = 1;
	ck_assert_int_eq(futex_call(words, FUTEX_WAIT | PRIV, 0, 0, NULL, 0), -EAGAIN);
	ck_assert_int_eq(futex_call((u32 *)((char *)words + 2), FUTEX_WAIT | PRIV, 1, 0, NULL, 0), -EINVAL);
	ck_assert_int_eq(futex_call((u32 *)0x1000, FUTEX_WAIT | PRIV, 1, 0, NULL, 0), -EFAULT);
	ck_assert_int_eq(futex_call((u32 *)0x1000, FUTEX_WAKE, 1, 0, NULL, 0), -EFAULT);
	ck_assert_int_eq(futex_call(words, FUTEX_WAIT | PRIV, 1, (u64)&bad, NULL, 0), -EINVAL);
	ck_assert_int_eq(futex_call(words, FUTEX_WAIT | PRIV, 1, (u64)&ts, NULL, 0), -ETIMEDOUT);
	ck_assert_int_eq(futex_call(words, FUTEX_WAIT_BITSET | PRIV, 1, 0, NULL, 0), -EINVAL);
	ts.ns = 0; /* absolute and long past */
	ck_assert_int_eq(futex_call(words, FUTEX_WAIT_BITSET | PRIV | FUTEX_CLOCK_REALTIME, 1, (u64)&ts, NULL, ~0u), -ETIMEDOUT);
	ck_assert_int_eq(futex_call(words, FUTEX_WAKE | FUTEX_CLOCK_REALTIME, 1, 0, NULL, 0), -ENOSYS);
	ck_assert_int_eq(futex_call(words, 100, 1, 0, NULL, 0), -ENOSYS);
}
END_TEST

START_TEST(wake_counts_order_and_bitsets)
{
	struct job j[3];

	start(&j[0], 10, wait0, 1);
	until_queued(1);
	start(&j[1], 11, wait0, 2);
	until_queued(2);
	start(&j[2], 12, wait0, 3);
	until_queued(3);
	ck_assert_int_eq(futex_call(words, FUTEX_WAKE_BITSET | PRIV, 10, 0, NULL, 4), 0);
	ck_assert_int_eq(futex_call(words, FUTEX_WAKE_BITSET | PRIV, 10, 0, NULL, 2), 2);
	ck_assert_int_eq(end(&j[1]), 0);
	ck_assert_int_eq(end(&j[2]), 0);
	ck_assert_int_eq(futex_call(words, FUTEX_WAKE, 10, 0, NULL, 0), 1);
	ck_assert_int_eq(end(&j[0]), 0);
}
END_TEST

START_TEST(interrupted_wait_restarts_as_signal7_says)
{
	struct { s64 s, ns; } ts = { 10, 0 };
	s64 deadline;

	self->ut.signal_pending = 1;
	ck_assert_int_eq(futex_call(words, FUTEX_WAIT | PRIV, 0, 0, NULL, 0), -ERESTARTSYS);
	ck_assert_int_eq(futex_call(words, FUTEX_WAIT | PRIV, 0, (u64)&ts, NULL, 0), -ERESTART_RESTARTBLOCK);
	deadline = (s64)self->restart_args[4];
	ck_assert_int_gt(deadline, clock_monotonic_ns() + 9000 * MSEC);
	self->ut.signal_pending = 0;
	self->restart_args[4] = (u64)(clock_monotonic_ns() + 2 * MSEC);
	ck_assert_int_eq(self->restart_fn(self), -ETIMEDOUT);
}
END_TEST

START_TEST(requeue_moves_waiters_and_wake_finds_them)
{
	struct job j[4];

	for (int i = 0; i < 4; i++)
		start(&j[i], 20 + i, wait0, 0);
	until_queued(4);
	ck_assert_int_eq(futex_call(words, FUTEX_CMP_REQUEUE | PRIV, 1, 100, words + 5, 7), -EAGAIN);
	ck_assert_int_eq(futex_call(words, FUTEX_CMP_REQUEUE | PRIV, 1, 2, words + 5, 0), 3);
	until_queued(3);
	ck_assert_int_eq(futex_call(words, FUTEX_WAKE | PRIV, 100, 0, NULL, 0), 1);
	ck_assert_int_eq(futex_call(words + 5, FUTEX_WAKE | PRIV, 100, 0, NULL, 0), 2);
	for (int i = 0; i < 4; i++)
		ck_assert_int_eq(end(&j[i]), 0);
}
END_TEST

START_TEST(wake_op_changes_compares_and_wakes_both)
{
	struct job j;

	words[9] = 5;
	start(&j, 30, wait0, 0);
	until_queued(1);
	ck_assert_int_eq(futex_call(words + 8, FUTEX_WAKE_OP | PRIV, 1, 1, words + 9, FUTEX_OP(FUTEX_OP_ADD, 3, FUTEX_OP_CMP_GT, 100)), 0);
	ck_assert_uint_eq(words[9], 8);
	ck_assert_int_eq(futex_call(words, FUTEX_WAKE_OP | PRIV, 1, 1, words + 9, FUTEX_OP(FUTEX_OP_SET, 1, FUTEX_OP_CMP_EQ, 8)), 1);
	ck_assert_uint_eq(words[9], 1);
	ck_assert_int_eq(end(&j), 0);
	ck_assert_int_eq(futex_call(words, FUTEX_WAKE_OP | PRIV, 1, 1, words + 9, FUTEX_OP(FUTEX_OP_ANDN, 1, FUTEX_OP_CMP_NE, -1)), 0);
	ck_assert_uint_eq(words[9], 0);
}
END_TEST

/* --- a mutex and a counter: no wake-up is lost --- */

static u32 counter;
static void lock(u32 *w)
{
	u32 c = 0;

	if (__atomic_compare_exchange_n(w, &c, 1, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST))
		return;
	while (atomic_xchg(w, 2u))
		futex_call(w, FUTEX_WAIT | PRIV, 2, 0, NULL, 0);
}
static void unlock(u32 *w)
{
	if (atomic_xchg(w, 0u) == 2)
		futex_call(w, FUTEX_WAKE | PRIV, 1, 0, NULL, 0);
}
static long hammer(struct job *j)
{
	for (u32 i = 0; i < j->arg; i++) {
		lock(words + 100);
		counter++;
		unlock(words + 100);
	}
	return 0;
}
START_TEST(mutex_of_four_threads_loses_nothing)
{
	struct job j[4];

	for (int i = 0; i < 4; i++)
		start(&j[i], 40 + i, hammer, 20000);
	for (int i = 0; i < 4; i++)
		end(&j[i]);
	ck_assert_uint_eq(counter, 80000);
}
END_TEST

/* --- PI --- */

static long pi_lock(struct job *j)
{
	(void)j;
	return futex_call(words, FUTEX_LOCK_PI | PRIV, 0, 0, NULL, 0);
}
static long pi_lock_unlock(struct job *j)
{
	long r = pi_lock(j);

	if (r)
		return r;
	if ((words[0] & FUTEX_TID_MASK) != (u32)j->tid)
		return -1;
	return futex_call(words, FUTEX_UNLOCK_PI | PRIV, 0, 0, NULL, 0);
}
START_TEST(pi_lock_is_handed_over_in_order)
{
	struct job a, b;

	ck_assert_int_eq(futex_call(words, FUTEX_UNLOCK_PI | PRIV, 0, 0, NULL, 0), -EPERM);
	ck_assert_int_eq(futex_call(words, FUTEX_TRYLOCK_PI | PRIV, 0, 0, NULL, 0), 0);
	ck_assert_uint_eq(words[0], 1);
	ck_assert_int_eq(futex_call(words, FUTEX_LOCK_PI | PRIV, 0, 0, NULL, 0), -EDEADLK);
	start(&a, 50, pi_lock_unlock, 0);
	until_queued(1);
	ck_assert_uint_eq(words[0], 1 | FUTEX_WAITERS);
	start(&b, 51, pi_lock_unlock, 0);
	until_queued(2);
	ck_assert_int_eq(futex_call(words, FUTEX_WAKE | PRIV, 1, 0, NULL, 0), -EINVAL);
	ck_assert_int_eq(futex_call(words, FUTEX_UNLOCK_PI | PRIV, 0, 0, NULL, 0), 0);
	ck_assert_int_eq(end(&a), 0);
	ck_assert_int_eq(end(&b), 0);
	ck_assert_uint_eq(words[0] & FUTEX_TID_MASK, 0);
}
END_TEST

START_TEST(pi_timeout_unknown_owner_and_trylock)
{
	struct { s64 s, ns; } past = { 1, 0 };
	struct job a;

	words[0] = 4242;
	ck_assert_int_eq(futex_call(words, FUTEX_LOCK_PI | PRIV, 0, 0, NULL, 0), -ESRCH);
	words[0] = 0;
	start(&a, 60, pi_lock, 0);
	ck_assert_int_eq(end(&a), 0);
	a.t = stub_thread_start(&proc, 60); /* lives on, elsewhere */
	self = stub_thread_start(&proc, 1);
	ck_assert_int_eq(futex_call(words, FUTEX_TRYLOCK_PI | PRIV, 0, 0, NULL, 0), -EAGAIN);
	ck_assert_int_eq(futex_call(words, FUTEX_LOCK_PI | PRIV, 0, (u64)&past, NULL, 0), -ETIMEDOUT);
}
END_TEST

static long pi_pair(struct job *j)
{
	u32 *mine = words + 20 + j->arg, *other = words + 21 - j->arg;
	long r = futex_call(mine, FUTEX_LOCK_PI | PRIV, 0, 0, NULL, 0);

	if (r)
		return r;
	__atomic_fetch_add(&words[30], 1, __ATOMIC_SEQ_CST);
	while (load_acquire(&words[30]) != 2)
		sched_yield();
	if (j->arg)
		usleep(20000);
	r = futex_call(other, FUTEX_LOCK_PI | PRIV, 0, 0, NULL, 0);
	if (!r)
		futex_call(other, FUTEX_UNLOCK_PI | PRIV, 0, 0, NULL, 0);
	futex_call(mine, FUTEX_UNLOCK_PI | PRIV, 0, 0, NULL, 0);
	return r;
}
START_TEST(pi_circle_gives_edeadlk_to_the_one_who_closes_it)
{
	struct job a, b;

	start(&a, 70, pi_pair, 0);
	start(&b, 71, pi_pair, 1);
	ck_assert_int_eq(end(&b), -EDEADLK);
	ck_assert_int_eq(end(&a), 0);
}
END_TEST

static long cond_wait(struct job *j)
{
	long r = futex_call(words, FUTEX_WAIT_REQUEUE_PI | PRIV, 0, 0, words + 1, 0);

	if (r)
		return r;
	if ((words[1] & FUTEX_TID_MASK) != (u32)j->tid)
		return -1;
	return futex_call(words + 1, FUTEX_UNLOCK_PI | PRIV, 0, 0, NULL, 0);
}
START_TEST(requeue_pi_gives_every_waiter_the_mutex_in_turn)
{
	struct job j[3];

	for (int i = 0; i < 3; i++)
		start(&j[i], 80 + i, cond_wait, 0);
	until_queued(3);
	ck_assert_int_eq(futex_call(words, FUTEX_CMP_REQUEUE_PI | PRIV, 1, 10, words + 2, 0), -EINVAL);
	ck_assert_int_eq(futex_call(words, FUTEX_CMP_REQUEUE_PI | PRIV, 2, 10, words + 1, 0), -EINVAL);
	ck_assert_int_eq(futex_call(words, FUTEX_CMP_REQUEUE | PRIV, 1, 10, words + 1, 0), -EINVAL);
	ck_assert_int_eq(futex_call(words, FUTEX_CMP_REQUEUE_PI | PRIV, 1, 10, words + 1, 0), 3);
	for (int i = 0; i < 3; i++)
		ck_assert_int_eq(end(&j[i]), 0);
	ck_assert_uint_eq(words[1] & FUTEX_TID_MASK, 0);
}
END_TEST

START_TEST(requeue_pi_of_one_waiter_queues_it_behind_the_owner)
{
	struct job j;

	ck_assert_int_eq(futex_call(words + 1, FUTEX_LOCK_PI | PRIV, 0, 0, NULL, 0), 0);
	start(&j, 85, cond_wait, 0);
	until_queued(1);
	ck_assert_int_eq(futex_call(words, FUTEX_CMP_REQUEUE_PI | PRIV, 1, 0, words + 1, 0), 1);
	ck_assert_uint_eq(words[1], 1 | FUTEX_WAITERS);
	ck_assert_int_eq(futex_call(words + 1, FUTEX_UNLOCK_PI | PRIV, 0, 0, NULL, 0), 0);
	ck_assert_int_eq(end(&j), 0);
}
END_TEST

/* --- death --- */

struct robust { u64 next; s64 offset; u64 pending; };
static struct { struct robust head; u64 node[2]; u32 word; } held;
static long die_holding(struct job *j)
{
	held.head.next = (u64)&held.node[0];
	held.head.offset = (char *)&held.word - (char *)&held.node[0];
	held.node[0] = (u64)&held.head;
	held.word = (u32)j->tid | FUTEX_WAITERS;
	j->t->robust_list = &held.head;
	robust_list_exit(j->t);
	return 0;
}
static long wait_held(struct job *j)
{
	(void)j;
	return futex_call(&held.word, FUTEX_WAIT | PRIV, 90 | FUTEX_WAITERS, 0, NULL, 0);
}
START_TEST(robust_list_marks_and_wakes)
{
	struct job a, b;

	held.word = 90 | FUTEX_WAITERS;
	start(&a, 91, wait_held, 0);
	until_queued(1);
	start(&b, 90, die_holding, 0);
	end(&b);
	ck_assert_int_eq(end(&a), 0);
	ck_assert_uint_eq(held.word, FUTEX_OWNER_DIED | FUTEX_WAITERS);
}
END_TEST

static long die_with_pi(struct job *j)
{
	long r = pi_lock(j);

	until_queued(2);
	robust_list_exit(j->t);
	return r;
}
START_TEST(dead_owner_of_pi_futex_bequeaths_it)
{
	struct job dead, a, b;

	start(&dead, 95, die_with_pi, 0);
	while ((load_acquire(words) & FUTEX_TID_MASK) != 95)
		sched_yield();
	start(&a, 96, pi_lock_unlock, 0);
	start(&b, 97, pi_lock_unlock, 0);
	ck_assert_int_eq(end(&dead), 0);
	ck_assert_int_eq(end(&a), 0);
	ck_assert_int_eq(end(&b), 0);
}
END_TEST

/* --- waitv --- */

struct wv { u64 val, uaddr; u32 flags, reserved; };
static long waitv3(struct job *j)
{
	struct wv v[3] = { { 0, (u64)words, 2 | PRIV, 0 }, { 0, (u64)(words + 1), 2 | PRIV, 0 }, { 0, (u64)(words + 2), 2 | PRIV, 0 } };

	(void)j;
	return futex_waitv_call(v, 3, 0, NULL, 0);
}
START_TEST(waitv_returns_the_index_that_was_woken)
{
	struct wv bad = { 0, (u64)words, 0, 0 }, stale = { 1, (u64)words, 2 | PRIV, 0 };
	struct { s64 s, ns; } past = { 0, 0 };
	struct job j;

	start(&j, 98, waitv3, 0);
	until_queued(3);
	ck_assert_int_eq(futex_call(words + 1, FUTEX_WAKE | PRIV, 1, 0, NULL, 0), 1);
	ck_assert_int_eq(end(&j), 1);
	ck_assert_int_eq(futex_waitv_call(&bad, 1, 0, NULL, 0), -EINVAL);
	ck_assert_int_eq(futex_waitv_call(&stale, 1, 0, NULL, 0), -EAGAIN);
	stale.val = 0;
	ck_assert_int_eq(futex_waitv_call(&stale, 1, 0, &past, 1), -ETIMEDOUT);
	ck_assert_int_eq(futex_waitv_call(&stale, 0, 0, NULL, 0), -EINVAL);
	ck_assert_int_eq(futex_waitv_call(&stale, 1, 1, NULL, 0), -EINVAL);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("futex");
	TCase *t = tcase_create("futex");
	SRunner *r;
	int failed;

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_set_timeout(t, 30);
	tcase_add_test(t, wait_refuses_changed_value_bad_address_bad_timeout);
	tcase_add_test(t, wake_counts_order_and_bitsets);
	tcase_add_test(t, interrupted_wait_restarts_as_signal7_says);
	tcase_add_test(t, requeue_moves_waiters_and_wake_finds_them);
	tcase_add_test(t, wake_op_changes_compares_and_wakes_both);
	tcase_add_test(t, mutex_of_four_threads_loses_nothing);
	tcase_add_test(t, pi_lock_is_handed_over_in_order);
	tcase_add_test(t, pi_timeout_unknown_owner_and_trylock);
	tcase_add_test(t, pi_circle_gives_edeadlk_to_the_one_who_closes_it);
	tcase_add_test(t, requeue_pi_gives_every_waiter_the_mutex_in_turn);
	tcase_add_test(t, requeue_pi_of_one_waiter_queues_it_behind_the_owner);
	tcase_add_test(t, robust_list_marks_and_wakes);
	tcase_add_test(t, dead_owner_of_pi_futex_bequeaths_it);
	tcase_add_test(t, waitv_returns_the_index_that_was_woken);
	suite_add_tcase(s, t);
	r = srunner_create(s);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed != 0;
}
