/* SPDX-License-Identifier: MIT */
/* guest: time=40 */
/* User and system parts of CPU time, and RLIMIT_CPU. */
#include "t.h"
#include <sys/resource.h>
#include <sys/times.h>

static double seconds(struct timeval t)
{
	return (double)t.tv_sec + (double)t.tv_usec / 1e6;
}

static void measure(const char *what, bool calls, int who)
{
	struct timespec a, b;
	struct rusage r0, r1;
	volatile unsigned long x = 0;
	double u, s;
	char buf[4096];
	int fd = open("/dev/zero", O_RDONLY);

	getrusage(who, &r0);
	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &a);
	do {
		if (calls)
			for (int i = 0; i < 50; i++)
				read(fd, buf, sizeof(buf));
		else
			for (int i = 0; i < 100000; i++)
				x += i;
		clock_gettime(CLOCK_THREAD_CPUTIME_ID, &b);
	} while ((b.tv_sec - a.tv_sec) * 1000 + (b.tv_nsec - a.tv_nsec) / 1000000 < 400);
	getrusage(who, &r1);
	u = seconds(r1.ru_utime) - seconds(r0.ru_utime);
	s = seconds(r1.ru_stime) - seconds(r0.ru_stime);
	t_say("%s: sum right %d, mostly %s", what, u + s > 0.35 && u + s < 0.8, u > s ? "user" : "system");
	close(fd);
}

static volatile sig_atomic_t xcpus;

static void on_xcpu(int sig)
{
	(void)sig;
	xcpus++;
}

static void burn(void)
{
	volatile unsigned long x = 0;

	for (;;)
		x++;
}

static void limits(void)
{
	struct rlimit rl = { 1, 3 };
	struct rusage ru;
	struct tms t0, t1;
	double sum;
	int st;
	pid_t c;

	times(&t0);
	fflush(stdout);
	c = fork();
	if (c == 0) {
		setrlimit(RLIMIT_CPU, &rl);
		signal(SIGXCPU, on_xcpu);
		if (fork() == 0) { /* the limit is inherited, the time is not */
			signal(SIGXCPU, SIG_DFL);
			burn();
		}
		wait(&st);
		t_status("inherited", st);
		while (!xcpus)
			;
		getrlimit(RLIMIT_CPU, &rl);
		t_say("soft limit now %lu", rl.rlim_cur);
		burn();
	}
	wait4(c, &st, 0, &ru);
	t_status("at the hard limit", st);
	sum = seconds(ru.ru_utime) + seconds(ru.ru_stime); /* 1 + 3 s, as exact as ticks are on a loaded machine */
	Y(sum > 2.5 && sum < 5.5);
	times(&t1);
	Y(t1.tms_cutime - t0.tms_cutime > 300);
}

int main(void)
{
	for (int i = 0; i < 2; i++) {
		measure("spinning", false, i ? RUSAGE_THREAD : RUSAGE_SELF);
		measure("calling", true, i ? RUSAGE_THREAD : RUSAGE_SELF);
	}
	limits();
	return 0;
}
