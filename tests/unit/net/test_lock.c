/* SPDX-License-Identifier: MIT */
/* The stack's lock with host threads: a writer is alone, readers are not kept from one another, each has a line of its own. */
#include "net/net_lock.h"
#include "tests/lib/sim_thread.h"
#include "tests/unit/net/suites.h"
#include <pthread.h>
#include <sched.h>

#define THREADS 12 /* more than there are lines */
#define ROUNDS 4000

static struct {
	u64 a, b;	 /* changed by writers only, and equal whenever nobody is at it */
	u32 in, most;	 /* [a] readers at this moment; the most seen */
	u32 together;	 /* [a] readers that wait inside for a second one */
	u64 torn, alone; /* what must not be: [a] a reader saw a change half done; a writer saw a reader */
	void *owner[64];
} shared;

struct worker {
	pthread_t thread;
	struct kthread kt;
	u32 index, write_every;
	u64 writes;
};

static void one_write(struct worker *w)
{
	net_writer_enter();
	if (load_acquire(&shared.in))
		atomic_fetch_add(&shared.alone, 1ull);
	WRITE_ONCE(shared.a, shared.a + 1);
	if (w->writes++ % 64 == 0)
		sched_yield(); /* in the middle of it */
	WRITE_ONCE(shared.b, shared.b + 1);
	NET_INC(IpInReceives);
	net_writer_leave();
}

static void one_read(struct worker *w, u32 round)
{
	u32 in, most;
	u64 b;

	net_reader_enter();
	in = atomic_fetch_add(&shared.in, 1u) + 1;
	for (most = load_relaxed(&shared.most); in > most && !atomic_cas(&shared.most, most, in); most = load_relaxed(&shared.most))
		;
	ck_assert_ptr_ne(net_ctx()->tx, NULL);
	WRITE_ONCE(*(u64 *)net_ctx()->tx, w->index); /* nobody else's frame */
	b = READ_ONCE(shared.b);
	if (round % 64 == 0)
		sched_yield();
	if (READ_ONCE(shared.a) != b || READ_ONCE(*(u64 *)net_ctx()->tx) != w->index)
		atomic_fetch_add(&shared.torn, 1ull);
	NET_INC(IpInReceives);
	atomic_fetch_sub(&shared.in, 1u);
	net_reader_leave();
}

static void *work(void *arg)
{
	struct worker *w = arg;

	sim_thread_init(&w->kt);
	for (u32 i = 0; i < ROUNDS; i++) {
		if (w->write_every && i % w->write_every == 0)
			one_write(w);
		else
			one_read(w, i);
	}
	return NULL;
}

START_TEST(test_exclusion)
{
	static struct worker w[THREADS];
	u64 before = net_counter(NET_IpInReceives), writes = 0;

	sim_many_threads = true;
	for (u32 i = 0; i < THREADS; i++) {
		w[i].index = i + 1;
		w[i].write_every = i % 3 == 0 ? 0 : i % 3 == 1 ? 5 : 50;
		ck_assert_int_eq(pthread_create(&w[i].thread, NULL, work, &w[i]), 0);
	}
	for (u32 i = 0; i < THREADS; i++) {
		ck_assert_int_eq(pthread_join(w[i].thread, NULL), 0);
		writes += w[i].writes;
	}
	ck_assert_uint_eq(shared.torn, 0);
	ck_assert_uint_eq(shared.alone, 0);
	ck_assert_uint_eq(shared.a, writes);
	ck_assert_uint_eq(shared.b, writes);
	ck_assert_uint_eq(net_counter(NET_IpInReceives) - before, (u64)THREADS * ROUNDS); /* no count is lost */
	ck_assert_uint_le(shared.most, NET_READERS);
}
END_TEST

/* Two readers are in at the same time: each waits inside for the other. */
static void *meet(void *arg)
{
	struct worker *w = arg;

	sim_thread_init(&w->kt);
	net_reader_enter();
	atomic_fetch_add(&shared.together, 1u);
	while (load_acquire(&shared.together) < 2)
		sched_yield();
	shared.owner[w->index] = net_ctx();
	net_reader_leave();
	return NULL;
}

START_TEST(test_readers_together)
{
	static struct worker w[2];

	sim_many_threads = true;
	shared.together = 0;
	for (u32 i = 0; i < 2; i++) {
		w[i].index = i;
		ck_assert_int_eq(pthread_create(&w[i].thread, NULL, meet, &w[i]), 0);
	}
	for (u32 i = 0; i < 2; i++)
		ck_assert_int_eq(pthread_join(w[i].thread, NULL), 0);
	ck_assert_ptr_ne(shared.owner[0], shared.owner[1]);
}
END_TEST

Suite *lock_suite(void)
{
	Suite *s = suite_create("net_lock");
	TCase *t = tcase_create("lock");

	tcase_set_timeout(t, 120);
	tcase_add_test(t, test_exclusion);
	tcase_add_test(t, test_readers_together);
	suite_add_tcase(s, t);
	return s;
}
