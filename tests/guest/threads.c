/* SPDX-License-Identifier: MIT */
/* pthreads with stock glibc: lifetime, cancellation, locks of all kinds, TLS, names, affinity. */
#include "t.h"
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>

static __thread int tls = 5;
static pthread_mutex_t mu = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t cv = PTHREAD_COND_INITIALIZER;
static int counter, cleaned, turn;

static void *inc(void *arg)
{
	tls += (int)(long)arg;
	for (int i = 0; i < 20; i++) {
		pthread_mutex_lock(&mu);
		counter++;
		pthread_mutex_unlock(&mu);
	}
	return (void *)(long)tls;
}

static void create_join(void)
{
	pthread_t t[50];
	long sum = 0;
	void *v;

	for (int round = 0; round < 20; round++) {
		for (long i = 0; i < 50; i++)
			if (pthread_create(&t[i], NULL, inc, (void *)i))
				t_say("create failed");
		for (int i = 0; i < 50; i++) {
			pthread_join(t[i], &v);
			sum += (long)v;
		}
	}
	t_say("1000 threads: counter %d tls sum %ld mine %d", counter, sum, tls);
}

static void *alive(void *arg)
{
	pthread_barrier_wait(arg);
	pthread_barrier_wait(arg);
	return NULL;
}

static void many_at_once(void)
{
	static pthread_t t[500];
	pthread_barrier_t b;
	pthread_attr_t at;
	int n = 0;

	pthread_attr_init(&at);
	pthread_attr_setstacksize(&at, 65536);
	pthread_barrier_init(&b, NULL, 501);
	for (int i = 0; i < 500; i++)
		n += pthread_create(&t[i], &at, alive, &b) == 0;
	pthread_barrier_wait(&b);
	t_say("alive at once: %d", n);
	pthread_barrier_wait(&b);
	for (int i = 0; i < 500; i++)
		pthread_join(t[i], NULL);
}

static void cleanup(void *a)
{
	cleaned += (int)(long)a;
}

static void *in_read(void *arg)
{
	char c;

	pthread_cleanup_push(cleanup, (void *)1);
	read(*(int *)arg, &c, 1);
	pthread_cleanup_pop(0);
	return NULL;
}

static void *in_cond(void *arg)
{
	(void)arg;
	pthread_mutex_lock(&mu);
	pthread_cleanup_push((void (*)(void *))pthread_mutex_unlock, &mu);
	pthread_cond_wait(&cv, &mu);
	pthread_cleanup_pop(1);
	return NULL;
}

static void *in_spin(void *arg)
{
	(void)arg;
	pthread_setcanceltype(PTHREAD_CANCEL_ASYNCHRONOUS, NULL);
	for (;;)
		__asm__ volatile("pause");
}

static void cancel(void)
{
	int p[2];
	pthread_t t;
	void *v;
	void *(*fn[])(void *) = { in_read, in_cond, in_spin };

	pipe(p);
	for (int i = 0; i < 3; i++) {
		pthread_create(&t, NULL, fn[i], p);
		t_sleep_ms(20);
		E(pthread_cancel(t));
		pthread_join(t, &v);
		Y(v == PTHREAD_CANCELED);
	}
	t_say("cleaned %d", cleaned);
	E(pthread_mutex_trylock(&mu));
	pthread_mutex_unlock(&mu);
}

static void *lock_and_die(void *m)
{
	pthread_mutex_lock(m);
	return NULL;
}

static void mutexes(void)
{
	pthread_mutexattr_t a;
	pthread_mutex_t m;
	pthread_t t;
	struct timespec ts;

	pthread_mutexattr_init(&a);
	pthread_mutexattr_setrobust(&a, PTHREAD_MUTEX_ROBUST);
	pthread_mutex_init(&m, &a);
	pthread_create(&t, NULL, lock_and_die, &m);
	pthread_join(t, NULL);
	E(pthread_mutex_lock(&m));
	E(pthread_mutex_consistent(&m));
	E(pthread_mutex_unlock(&m));
	E(pthread_mutex_lock(&m));
	pthread_mutexattr_setprotocol(&a, PTHREAD_PRIO_INHERIT);
	pthread_mutex_init(&m, &a);
	pthread_create(&t, NULL, lock_and_die, &m);
	pthread_join(t, NULL);
	E(pthread_mutex_lock(&m));
	E(pthread_mutex_unlock(&m));
	E(pthread_mutex_lock(&m));
	pthread_mutexattr_init(&a);
	pthread_mutexattr_settype(&a, PTHREAD_MUTEX_ERRORCHECK);
	pthread_mutexattr_setprotocol(&a, PTHREAD_PRIO_INHERIT);
	pthread_mutex_init(&m, &a);
	E(pthread_mutex_lock(&m));
	E(pthread_mutex_lock(&m));
	E(pthread_mutex_unlock(&m));
	E(pthread_mutex_unlock(&m));
	pthread_mutex_init(&m, NULL);
	pthread_mutex_lock(&m);
	clock_gettime(CLOCK_REALTIME, &ts);
	ts.tv_nsec += 20000000;
	ts.tv_sec += ts.tv_nsec / 1000000000;
	ts.tv_nsec %= 1000000000;
	E(pthread_mutex_timedlock(&m, &ts));
}

static void *pong(void *arg)
{
	(void)arg;
	for (int i = 0; i < 500; i++) {
		pthread_mutex_lock(&mu);
		while (turn != 1)
			pthread_cond_wait(&cv, &mu);
		turn = 0;
		pthread_cond_broadcast(&cv);
		pthread_mutex_unlock(&mu);
	}
	return NULL;
}

static pthread_rwlock_t rw = PTHREAD_RWLOCK_INITIALIZER;
static int shared_a, shared_b, torn;

static void *rwuser(void *arg)
{
	for (int i = 0; i < 300; i++)
		if ((i + (long)arg) % 5 == 0) {
			pthread_rwlock_wrlock(&rw);
			shared_a++;
			sched_yield();
			shared_b++;
			pthread_rwlock_unlock(&rw);
		} else {
			pthread_rwlock_rdlock(&rw);
			__atomic_add_fetch(&torn, shared_a != shared_b, __ATOMIC_RELAXED);
			pthread_rwlock_unlock(&rw);
		}
	return NULL;
}

static void conds(void)
{
	pthread_t t, u[6];
	struct timespec ts;
	sem_t s;

	pthread_create(&t, NULL, pong, NULL);
	for (int i = 0; i < 500; i++) {
		pthread_mutex_lock(&mu);
		turn = 1;
		pthread_cond_broadcast(&cv);
		while (turn != 0)
			pthread_cond_wait(&cv, &mu);
		pthread_mutex_unlock(&mu);
	}
	pthread_join(t, NULL);
	t_say("500 turns");
	clock_gettime(CLOCK_REALTIME, &ts);
	pthread_mutex_lock(&mu);
	E(pthread_cond_timedwait(&cv, &mu, &ts));
	pthread_mutex_unlock(&mu);
	for (long i = 0; i < 6; i++)
		pthread_create(&u[i], NULL, rwuser, (void *)i);
	for (int i = 0; i < 6; i++)
		pthread_join(u[i], NULL);
	t_say("rwlock torn %d writes %d", torn, shared_a);
	sem_init(&s, 0, 1);
	R(sem_trywait(&s));
	R(sem_trywait(&s));
	R(sem_timedwait(&s, &ts));
}

static void *detached(void *arg)
{
	write(*(int *)arg, "d", 1);
	pthread_exit(NULL);
}

static void names(void)
{
	char n[20], path[64], b[64] = "";
	cpu_set_t set;
	pthread_attr_t at;
	pthread_t t;
	int fd, p[2];

	E(pthread_setname_np(pthread_self(), "guest-name"));
	E(pthread_setname_np(pthread_self(), "a name that is much too long"));
	E(pthread_getname_np(pthread_self(), n, sizeof(n)));
	t_say("%s", n);
	snprintf(path, sizeof(path), "/proc/self/task/%d/comm", gettid());
	fd = open(path, O_RDONLY);
	R(read(fd, b, sizeof(b)));
	t_say("%s", b);
	R(sched_getaffinity(0, sizeof(set), &set));
	Y(CPU_COUNT(&set) >= 1 && CPU_COUNT(&set) <= sysconf(_SC_NPROCESSORS_ONLN));
	R(sched_setaffinity(0, sizeof(set), &set));
	for (int cpu = 0; cpu < CPU_SETSIZE; cpu++) {
		cpu_set_t one;
		unsigned by_call, by_vdso;

		if (!CPU_ISSET(cpu, &set))
			continue;
		CPU_ZERO(&one);
		CPU_SET(cpu, &one);
		if (sched_setaffinity(0, sizeof(one), &one) || syscall(SYS_getcpu, &by_call, NULL, NULL) ||
		    by_call != (unsigned)cpu || getcpu(&by_vdso, NULL) || by_vdso != (unsigned)cpu)
			t_say("bound to a CPU and shown another");
	}
	R(sched_setaffinity(0, sizeof(set), &set));
	CPU_ZERO(&set);
	R(sched_setaffinity(0, sizeof(set), &set));
	R(sched_getaffinity(0, 1, &set));
	Y(sched_getcpu() >= 0);
	pipe(p);
	pthread_attr_init(&at);
	pthread_attr_setdetachstate(&at, PTHREAD_CREATE_DETACHED);
	E(pthread_create(&t, &at, detached, &p[1]));
	R(read(p[0], b, 1));
	Y(gettid() == getpid());
	E(pthread_getattr_np(pthread_self(), &at));
}

static void exit_from_thread(void);
static void *do_exit(void *arg)
{
	(void)arg;
	exit(7);
}
static void exit_from_thread(void)
{
	pthread_t t;

	pthread_create(&t, NULL, do_exit, NULL);
	pause();
}
static void *last(void *arg)
{
	(void)arg;
	t_sleep_ms(30);
	return NULL;
}
static void main_exits_first(void)
{
	pthread_t t;

	pthread_create(&t, NULL, last, NULL);
	pthread_exit(NULL);
}

int main(void)
{
	create_join();
	many_at_once();
	cancel();
	mutexes();
	conds();
	names();
	t_child("exit from a thread", exit_from_thread);
	t_child("main thread ends first", main_exits_first);
	return 0;
}
