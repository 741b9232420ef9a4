/* SPDX-License-Identifier: MIT */
/*
 * cleanrun COMMAND [ARG...]: runs a command in a process state that does not depend on who started the tests: no descriptors above
 * 2, no controlling terminal, default signals and an empty mask, umask 022, fixed soft limits, nice value 0. What a machine does not
 * allow (a higher hard limit, a better nice value) is left as it is: both sides of a comparison get the same. The environment is the
 * caller's matter (env -i).
 */
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <errno.h>
#include <sched.h>
#include <sys/personality.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

static void limit(int which, rlim_t soft, rlim_t hard)
{
	struct rlimit r;

	if (getrlimit(which, &r))
		return;
	if (r.rlim_max > hard || geteuid() == 0) /* root may raise it */
		r.rlim_max = hard;
	r.rlim_cur = soft < r.rlim_max ? soft : r.rlim_max;
	if (setrlimit(which, &r) && !getrlimit(which, &r)) {
		r.rlim_cur = soft < r.rlim_max ? soft : r.rlim_max;
		(void)setrlimit(which, &r);
	}
}

int main(int argc, char **argv)
{
	struct sched_param other = { 0 };
	sigset_t none;

	if (argc < 2)
		return 125;
	if (syscall(SYS_close_range, 3u, ~0u, 0u))
		for (int fd = 3; fd < 1024; fd++)
			close(fd);
	(void)setsid(); /* fails in a group leader, which a script's child is not */
	for (int s = 1; s < NSIG; s++)
		(void)signal(s, SIG_DFL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	umask(022);
	limit(RLIMIT_NOFILE, 1024, 20000);
	limit(RLIMIT_STACK, 8ul << 20, RLIM_INFINITY);
	limit(RLIMIT_CORE, 0, RLIM_INFINITY);
	limit(RLIMIT_MEMLOCK, 8ul << 20, 8ul << 20);
	limit(RLIMIT_AS, RLIM_INFINITY, RLIM_INFINITY);
	limit(RLIMIT_DATA, RLIM_INFINITY, RLIM_INFINITY);
	limit(RLIMIT_FSIZE, RLIM_INFINITY, RLIM_INFINITY);
	limit(RLIMIT_CPU, RLIM_INFINITY, RLIM_INFINITY);
	limit(RLIMIT_NICE, 0, 0);
	limit(RLIMIT_RTPRIO, 0, 0);
	(void)sched_setscheduler(0, SCHED_OTHER, &other);
	(void)setpriority(PRIO_PROCESS, 0, 0);
	(void)personality(PER_LINUX);
	execvp(argv[1], argv + 1);
	fprintf(stderr, "cleanrun: %s: %s\n", argv[1], strerror(errno));
	return errno == ENOENT ? 127 : 126;
}
