/* SPDX-License-Identifier: MIT */
/* The futex operations by number. */
#include "t.h"
#include <limits.h>
#include <linux/futex.h>
#include <pthread.h>

static unsigned w1, w2;

static long fx(unsigned *a, int op, unsigned v, void *ts, unsigned *b, unsigned v3)
{
	return syscall(SYS_futex, a, op, v, ts, b, v3);
}

static void *waiter(void *arg)
{
	return (void *)fx(arg, FUTEX_WAIT_PRIVATE, 0, NULL, NULL, 0);
}

static void *bitwaiter(void *arg)
{
	return (void *)fx(&w1, FUTEX_WAIT_BITSET_PRIVATE, 0, NULL, NULL, (unsigned)(long)arg);
}

static void *vwaiter(void *arg)
{
	struct futex_waitv v[2] = { { 0, (uintptr_t)&w1, FUTEX_32 | FUTEX_PRIVATE_FLAG, 0 },
				    { 0, (uintptr_t)&w2, FUTEX_32 | FUTEX_PRIVATE_FLAG, 0 } };

	(void)arg;
	return (void *)syscall(449, v, 2, 0, NULL, 0);
}

static void spawn(pthread_t *t, int n, void *(*fn)(void *), void *arg)
{
	for (int i = 0; i < n; i++)
		pthread_create(&t[i], NULL, fn, arg);
	t_sleep_ms(50);
}

static long join(pthread_t *t, int n)
{
	long sum = 0;
	void *v;

	for (int i = 0; i < n; i++) {
		pthread_join(t[i], &v);
		sum += (long)v;
	}
	return sum;
}

int main(void)
{
	struct timespec t20 = { 0, 20000000 }, bad = { 0, -1 }, abs;
	pthread_t t[10];
	unsigned *sh = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	int st;

	R(fx(&w1, FUTEX_WAIT, 1, NULL, NULL, 0));
	R(fx(&w1, FUTEX_WAIT, 0, &t20, NULL, 0));
	R(fx(&w1, FUTEX_WAIT, 0, &bad, NULL, 0));
	R(fx((unsigned *)8, FUTEX_WAIT, 0, &t20, NULL, 0));
	R(fx((unsigned *)((char *)&w1 + 1), FUTEX_WAIT, 0, &t20, NULL, 0));
	R(fx(&w1, FUTEX_WAKE, 10, NULL, NULL, 0));
	R(fx(&w1, 99, 0, NULL, NULL, 0));
	clock_gettime(CLOCK_MONOTONIC, &abs);
	R(fx(&w1, FUTEX_WAIT_BITSET, 0, &abs, NULL, FUTEX_BITSET_MATCH_ANY));
	R(fx(&w1, FUTEX_WAIT_BITSET, 0, &abs, NULL, 0));
	clock_gettime(CLOCK_REALTIME, &abs);
	R(fx(&w1, FUTEX_WAIT_BITSET | FUTEX_CLOCK_REALTIME, 0, &abs, NULL, ~0u));
	spawn(t, 5, waiter, &w1);
	R(fx(&w1, FUTEX_WAKE_PRIVATE, 2, NULL, NULL, 0));
	R(fx(&w1, FUTEX_WAKE_PRIVATE, INT_MAX, NULL, NULL, 0));
	R(join(t, 5));
	spawn(t, 5, waiter, &w1);
	R(fx(&w1, FUTEX_REQUEUE_PRIVATE, 1, (void *)2, &w2, 0));
	R(fx(&w2, FUTEX_WAKE_PRIVATE, 10, NULL, NULL, 0));
	R(fx(&w1, FUTEX_CMP_REQUEUE_PRIVATE, 0, (void *)10, &w2, 5));
	R(fx(&w1, FUTEX_CMP_REQUEUE_PRIVATE, 0, (void *)10, &w2, 0));
	R(fx(&w2, FUTEX_WAKE_PRIVATE, 10, NULL, NULL, 0));
	R(join(t, 5));
	spawn(t, 1, bitwaiter, (void *)1);
	spawn(t + 1, 1, bitwaiter, (void *)2);
	R(fx(&w1, FUTEX_WAKE_BITSET_PRIVATE, 10, NULL, NULL, 4));
	R(fx(&w1, FUTEX_WAKE_BITSET_PRIVATE, 10, NULL, NULL, 2));
	R(fx(&w1, FUTEX_WAKE_BITSET_PRIVATE, 10, NULL, NULL, 1));
	R(join(t, 2));
	spawn(t, 2, waiter, &w1);
	spawn(t + 2, 2, waiter, &w2);
	R(fx(&w1, FUTEX_WAKE_OP_PRIVATE, 1, (void *)1, &w2,
	     FUTEX_OP(FUTEX_OP_ADD, 5, FUTEX_OP_CMP_EQ, 0)));
	R(w2);
	R(fx(&w1, FUTEX_WAKE_OP_PRIVATE, 10, (void *)10, &w2,
	     FUTEX_OP(FUTEX_OP_SET, 0, FUTEX_OP_CMP_LT, 3)));
	R(w2);
	R(fx(&w2, FUTEX_WAKE_PRIVATE, 10, NULL, NULL, 0));
	R(join(t, 4));
	spawn(t, 1, vwaiter, NULL);
	R(fx(&w2, FUTEX_WAKE_PRIVATE, 10, NULL, NULL, 0));
	R(join(t, 1));
	R(fx(&w1, FUTEX_LOCK_PI_PRIVATE, 0, NULL, NULL, 0));
	Y((w1 & FUTEX_TID_MASK) == (unsigned)gettid());
	R(fx(&w1, FUTEX_LOCK_PI_PRIVATE, 0, NULL, NULL, 0));
	R(fx(&w1, FUTEX_TRYLOCK_PI_PRIVATE, 0, NULL, NULL, 0));
	R(fx(&w1, FUTEX_UNLOCK_PI_PRIVATE, 0, NULL, NULL, 0));
	R(w1);
	R(fx(&w1, FUTEX_UNLOCK_PI_PRIVATE, 0, NULL, NULL, 0));
	if (fork() == 0) {
		t_sleep_ms(40);
		*sh = 1;
		_exit(fx(sh, FUTEX_WAKE, 10, NULL, NULL, 0) == 1 ? 3 : 4);
	}
	while (*sh == 0)
		fx(sh, FUTEX_WAIT, 0, NULL, NULL, 0);
	wait(&st);
	t_status("shared wake from a child", st);
	return 0;
}
