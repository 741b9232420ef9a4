/* SPDX-License-Identifier: MIT */
/* Clocks, sleeps, interval timers and POSIX timers: order and minimum only, never values. */
#include "t.h"
#include <sys/resource.h>
#include <sys/time.h>
#include <sys/times.h>

static volatile int hits, val;

static void on(int s, siginfo_t *si, void *u)
{
	(void)s, (void)u;
	hits++;
	val = si->si_code == SI_TIMER ? si->si_int : -1;
}

static void burn(long ms)
{
	uint64_t end = t_now_ns(CLOCK_PROCESS_CPUTIME_ID) + (uint64_t)ms * 1000000;

	while (t_now_ns(CLOCK_PROCESS_CPUTIME_ID) < end)
		for (volatile int i = 0; i < 200000; i++)
			;
}

static void ids(void)
{
	static const int id[] = { CLOCK_REALTIME, CLOCK_MONOTONIC, CLOCK_PROCESS_CPUTIME_ID,
				  CLOCK_THREAD_CPUTIME_ID, CLOCK_MONOTONIC_RAW,
				  CLOCK_REALTIME_COARSE, CLOCK_MONOTONIC_COARSE, CLOCK_BOOTTIME,
				  CLOCK_TAI, 77 };
	struct timespec a, b, res;
	struct timeval tv;

	for (size_t i = 0; i < sizeof(id) / sizeof(id[0]); i++) {
		int r1 = clock_gettime(id[i], &a), back = 0;

		for (int k = 0; k < 1000 && r1 == 0; k++) {
			clock_gettime(id[i], &b);
			back += b.tv_sec < a.tv_sec || (b.tv_sec == a.tv_sec && b.tv_nsec < a.tv_nsec);
			back += b.tv_nsec < 0 || b.tv_nsec > 999999999;
			a = b;
		}
		t_say("clock %d: %d backwards %d syscall %ld", id[i], r1, back,
		      syscall(SYS_clock_gettime, id[i], &a));
	}
	R(clock_getres(CLOCK_MONOTONIC, &res));
	R(res.tv_nsec);
	R(clock_getres(CLOCK_MONOTONIC, NULL));
	R(clock_settime(CLOCK_MONOTONIC, &a));
	R(gettimeofday(&tv, NULL));
	Y(labs(tv.tv_sec - time(NULL)) <= 1);
	Y(labs((long)(t_now_ns(CLOCK_REALTIME) / 1000000000) - time(NULL)) <= 1);
	Y(times(&(struct tms){ 0 }) != -1);
}

static void sleeps(void)
{
	struct timespec ts = { 0, 30000000 }, rem = { 9, 9 };
	uint64_t t0 = t_now_ns(CLOCK_MONOTONIC), c0 = t_now_ns(CLOCK_PROCESS_CPUTIME_ID);

	R(nanosleep(&ts, &rem));
	Y(t_now_ns(CLOCK_MONOTONIC) - t0 >= 30000000);
	Y(t_now_ns(CLOCK_PROCESS_CPUTIME_ID) - c0 < 25000000);
	ts.tv_nsec = 1000000000;
	R(nanosleep(&ts, NULL));
	ts.tv_nsec = 0;
	R(nanosleep(&ts, NULL));
	clock_gettime(CLOCK_MONOTONIC, &ts);
	E(clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &ts, NULL));
	ts.tv_nsec += 20000000;
	ts.tv_sec += ts.tv_nsec / 1000000000;
	ts.tv_nsec %= 1000000000;
	E(clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &ts, NULL));
	Y(t_now_ns(CLOCK_MONOTONIC) >= (uint64_t)ts.tv_sec * 1000000000 + (uint64_t)ts.tv_nsec);
	ts = (struct timespec){ 0, 1000 };
	E(clock_nanosleep(CLOCK_THREAD_CPUTIME_ID, 0, &ts, NULL));
	E(clock_nanosleep(99, 0, &ts, NULL));
	R(syscall(SYS_nanosleep, (void *)8, NULL));
}

/* Bounded: on a busy machine a signal may be late. */
static void await_hits(int n)
{
	for (int i = 0; i < 100 && hits < n; i++)
		t_sleep_ms(50);
}

static void itimers(void)
{
	struct sigaction sa = { .sa_sigaction = on, .sa_flags = SA_SIGINFO | SA_RESTART };
	struct itimerval it = { { 0, 0 }, { 0, 20000 } }, old;

	sigaction(SIGALRM, &sa, NULL);
	sigaction(SIGVTALRM, &sa, NULL);
	sigaction(SIGPROF, &sa, NULL);
	R(setitimer(ITIMER_REAL, &it, NULL));
	R(getitimer(ITIMER_REAL, &old));
	Y(old.it_value.tv_usec > 0 && old.it_value.tv_usec <= 20000);
	await_hits(1);
	R(hits);
	it.it_interval.tv_usec = 5000;
	R(setitimer(ITIMER_REAL, &it, NULL));
	await_hits(6);
	Y(hits > 5);
	it.it_value.tv_usec = 0;
	R(setitimer(ITIMER_REAL, &it, NULL));
	hits = 0;
	it = (struct itimerval){ { 0, 0 }, { 0, 20000 } };
	R(setitimer(ITIMER_VIRTUAL, &it, NULL));
	burn(100);
	R(hits);
	R(setitimer(ITIMER_PROF, &it, NULL));
	burn(100);
	R(hits);
	R(setitimer(5, &it, NULL));
	it.it_value.tv_usec = 2000000;
	R(setitimer(ITIMER_REAL, &it, NULL));
	R(alarm(100));
	R(alarm(0));
}

static void ptimers(void)
{
	struct sigevent ev = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGALRM,
			       .sigev_value.sival_int = 4321 };
	struct itimerspec its = { { 0, 0 }, { 0, 20000000 } }, old;
	timer_t t, many[100];
	int n = 0;

	hits = 0;
	R(timer_create(CLOCK_MONOTONIC, &ev, &t));
	R(timer_settime(t, 0, &its, NULL));
	await_hits(1);
	t_say("hits %d value %d", hits, val);
	its.it_interval.tv_nsec = 1000000;
	sigset_t m;
	sigemptyset(&m);
	sigaddset(&m, SIGALRM);
	sigprocmask(SIG_BLOCK, &m, NULL);
	R(timer_settime(t, 0, &its, &old));
	t_sleep_ms(60);
	sigprocmask(SIG_UNBLOCK, &m, NULL);
	Y(timer_getoverrun(t) > 5);
	R(timer_gettime(t, &old));
	R(old.it_interval.tv_nsec);
	R(timer_delete(t));
	R(syscall(SYS_timer_delete, 12345));
	R(timer_create(99, &ev, &t));
	ev.sigev_signo = 99;
	R(timer_create(CLOCK_MONOTONIC, &ev, &t));
	ev.sigev_notify = SIGEV_NONE;
	for (int i = 0; i < 100; i++)
		n += timer_create(CLOCK_REALTIME, &ev, &many[i]) == 0;
	t_say("timers %d", n);
	for (int i = 0; i < n; i++)
		timer_delete(many[i]);
}

int main(void)
{
	struct rusage ru;

	ids();
	sleeps();
	itimers();
	ptimers();
	R(getrusage(RUSAGE_SELF, &ru));
	Y(ru.ru_utime.tv_sec * 1000000 + ru.ru_utime.tv_usec + ru.ru_stime.tv_usec > 50000);
	Y(ru.ru_maxrss > 0);
	R(getrusage(RUSAGE_THREAD, &ru));
	R(getrusage(77, &ru));
	return 0;
}
