/* SPDX-License-Identifier: MIT */
/*
 * Printing helpers of the differential guest programs. A guest program prints
 * what calls returned in words that are the same on every Linux system; it
 * never prints addresses, process ids, inode numbers or times. The runner
 * compares the output of the same binary on Linux and in an instance.
 */
#ifndef TESTS_GUEST_T_H
#define TESTS_GUEST_T_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* Print "what = value" or "what = -ENAME". Returns the value. */
static inline long t_val(const char *what, long r)
{
	if (r == -1)
		printf("%s = -%s\n", what, strerrorname_np(errno) ? strerrorname_np(errno) : "?");
	else
		printf("%s = %ld\n", what, r);
	fflush(stdout);
	return r;
}

/* As t_val, for results whose good value differs from run to run. */
static inline long t_ok(const char *what, long r)
{
	if (r == -1)
		printf("%s = -%s\n", what, strerrorname_np(errno) ? strerrorname_np(errno) : "?");
	else
		printf("%s ok\n", what);
	fflush(stdout);
	return r;
}

/* For functions that return an error number (pthread_*, posix_*). */
static inline int t_err(const char *what, int e)
{
	printf("%s = %s\n", what, e ? strerrorname_np(e) : "0");
	fflush(stdout);
	return e;
}

static inline void t_yes(const char *what, bool b)
{
	printf("%s: %s\n", what, b ? "yes" : "no");
	fflush(stdout);
}

#define R(call) t_val(#call, (long)(call))
#define OK(call) t_ok(#call, (long)(call))
#define E(call) t_err(#call, (call))
#define Y(cond) t_yes(#cond, (cond))

static inline void t_say(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
static inline void t_say(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vprintf(fmt, ap);
	va_end(ap);
	putchar('\n');
	fflush(stdout);
}

/* Describe a wait status in words. */
static inline void t_status(const char *what, int st)
{
	if (WIFEXITED(st))
		t_say("%s: exited %d", what, WEXITSTATUS(st));
	else if (WIFSIGNALED(st))
		t_say("%s: killed by SIG%s%s", what, sigabbrev_np(WTERMSIG(st)),
		      WCOREDUMP(st) ? " (core)" : "");
	else if (WIFSTOPPED(st))
		t_say("%s: stopped by SIG%s", what, sigabbrev_np(WSTOPSIG(st)));
	else if (WIFCONTINUED(st))
		t_say("%s: continued", what);
	else
		t_say("%s: odd status", what);
}

static inline void t_sleep_ms(long ms)
{
	struct timespec ts = { ms / 1000, ms % 1000 * 1000000 };

	while (nanosleep(&ts, &ts) == -1 && errno == EINTR)
		;
}

static inline uint64_t t_now_ns(clockid_t clk)
{
	struct timespec ts;

	clock_gettime(clk, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

/* Run fn in a forked child and report how it ended. */
static inline void t_child(const char *what, void (*fn)(void))
{
	int st = 0;
	pid_t pid;

	fflush(stdout);
	pid = fork();
	if (pid == 0) {
		fn();
		fflush(stdout);
		_exit(0);
	}
	if (pid < 0) {
		t_val("fork", -1);
		return;
	}
	waitpid(pid, &st, 0);
	t_status(what, st);
}

#endif
