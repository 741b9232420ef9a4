/* SPDX-License-Identifier: MIT */
/* Process groups, sessions, identities, limits, names, scheduling parameters, pty basics. */
#include "t.h"
#include <pty.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/sysinfo.h>
#include <sys/utsname.h>
#include <termios.h>

static void groups(void)
{
	int p[2], q[2], st;
	pid_t pid;
	char c;

	pipe(p);
	pipe(q);
	fflush(stdout);
	pid = fork();
	if (pid == 0) {
		Y(setpgid(0, 0) == 0 && getpgrp() == getpid());
		Y(getsid(0) == getsid(getppid()));
		write(p[1], "x", 1);
		read(q[0], &c, 1);
		Y(setsid() == -1 && errno == EPERM);
		_exit(0);
	}
	read(p[0], &c, 1);
	Y(getpgid(pid) == pid);
	R(kill(-pid, 0));
	Y(setpgid(pid, getpgrp()) == 0);
	Y(getpgid(pid) == getpgrp());
	Y(setpgid(pid, pid) == 0);
	write(q[1], "x", 1);
	Y(waitpid(-pid, &st, 0) == pid);
	R(kill(-pid, 0));
	R(setpgid(0, 0x7ffffff0));
	R(setpgid(0x7ffffff0, 0));
	R(setpgid(0, -5));
	R(getpgid(0x7ffffff0));
	R(getsid(0x7ffffff0));
	fflush(stdout);
	pid = fork();
	if (pid == 0) {
		Y(setsid() == getpid());
		Y(getsid(0) == getpid() && getpgrp() == getpid());
		R(open("/dev/tty", O_RDWR));
		if (fork() == 0) {
			Y(setsid() == getpid());
			_exit(0);
		}
		wait(NULL);
		/* a group kill reaches all of it */
		for (int i = 0; i < 3; i++)
			if (fork() == 0) {
				pause();
				_exit(0);
			}
		signal(SIGTERM, SIG_IGN);
		t_sleep_ms(20);
		kill(0, SIGTERM);
		for (int i = 0; i < 3; i++) {
			wait(&st);
			t_status("group member", st);
		}
		_exit(0);
	}
	waitpid(pid, &st, 0);
	t_status("session", st);
}

static void ptys(void)
{
	int m, s;
	char name[100], b[100] = "";
	struct termios t;
	struct winsize ws = { 24, 80, 0, 0 }, w2;

	if (openpty(&m, &s, name, NULL, &ws)) {
		t_val("openpty", -1);
		return;
	}
	Y(isatty(s) && isatty(m) && strncmp(name, "/dev/pts/", 9) == 0);
	R(ioctl(s, TIOCGWINSZ, &w2));
	t_say("%d x %d", w2.ws_col, w2.ws_row);
	R(write(m, "hello\n", 6));
	R(read(s, b, 100));
	R(read(m, b, 100));
	t_say("echo %zu bytes", strlen(b));
	tcgetattr(s, &t);
	t_say("icanon %d echo %d isig %d opost %d", !!(t.c_lflag & ICANON), !!(t.c_lflag & ECHO),
	      !!(t.c_lflag & ISIG), !!(t.c_oflag & OPOST));
	cfmakeraw(&t);
	R(tcsetattr(s, TCSANOW, &t));
	R(write(m, "ab", 2));
	R(read(s, b, 100));
	R(write(s, "x\n", 2));
	R(read(m, b, 100));
	R(tcgetpgrp(s));
	close(s);
	R(read(m, b, 100));
}

static void misc(void)
{
	struct utsname u;
	struct sysinfo si;
	struct rlimit r;
	struct sched_param sp = { 0 };
	char b[64];
	unsigned cpu = 999, node = 999;

	R(uname(&u));
	t_say("%s %s", u.sysname, u.machine);
	Y(strlen(u.release) > 2 && atoi(u.release) >= 5 && strlen(u.nodename) > 0);
	R(sysinfo(&si));
	Y(si.totalram > 0 && si.uptime > 0 && si.mem_unit >= 1 && si.procs > 0);
	R(prctl(PR_SET_NAME, "fifteen-chars-and-more"));
	R(prctl(PR_GET_NAME, b));
	t_say("%s", b);
	R(prctl(PR_GET_DUMPABLE));
	R(prctl(PR_SET_PDEATHSIG, SIGTERM));
	R(prctl(PR_SET_PDEATHSIG, 99));
	R(prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) >= 0);
	R(prctl(PR_SET_CHILD_SUBREAPER, 0));
	R(prctl(12345));
	R(getrandom(b, 64, 0));
	R(getrandom(b, 64, GRND_NONBLOCK));
	R(getrandom(b, 0, 0));
	R(getrandom(b, 1, 0x77));
	R(getentropy(b, 64));
	R(getentropy(b, 257));
	R(getrlimit(RLIMIT_STACK, &r));
	R(getrlimit(RLIMIT_NOFILE, &r));
	r.rlim_cur = 20;
	R(setrlimit(RLIMIT_NOFILE, &r));
	R(dup2(0, 20));
	R(dup2(0, 19));
	R(fcntl(0, F_DUPFD, 20));
	R(prlimit(0, RLIMIT_NOFILE, NULL, &r));
	R((long)r.rlim_cur);
	r.rlim_cur = r.rlim_max + 1;
	R(r.rlim_max == RLIM_INFINITY ? 0 : setrlimit(RLIMIT_NOFILE, &r) + 1);
	R(getrlimit(99, &r));
	R(prlimit(0x7ffffff0, RLIMIT_NOFILE, NULL, &r));
	R(sched_getscheduler(0));
	R(sched_getparam(0, &sp));
	R(sched_setscheduler(0, SCHED_OTHER, &sp));
	R(sched_setscheduler(0, SCHED_BATCH, &sp));
	R(sched_setscheduler(0, 99, &sp));
	R(sched_get_priority_max(SCHED_FIFO));
	R(sched_get_priority_min(SCHED_RR));
	R(sched_get_priority_max(99));
	R(sched_rr_get_interval(0, &(struct timespec){ 0, 0 }));
	R(sched_yield());
	R(syscall(SYS_getcpu, &cpu, &node, NULL));
	Y(cpu < 4096 && node < 64);
	R(getpriority(PRIO_PROCESS, 0));
	R(nice(3));
	R(getpriority(PRIO_PROCESS, 0));
	R(setpriority(PRIO_PROCESS, 0, 40));
	R(getpriority(PRIO_PROCESS, 0));
	R(getpriority(99, 0));
}

int main(void)
{
	groups();
	ptys();
	misc();
	return 0;
}
