/* SPDX-License-Identifier: MIT */
/* fork: copy-on-write, descriptors, wait statuses, many children, threads, atfork handlers. */
#include "t.h"
#include <pthread.h>
#include <sys/resource.h>

static int global = 1, order[10], norder;
static __thread int tls = 1;

static void before(void) { order[norder++ % 10] = 1; }
static void parent(void) { order[norder++ % 10] = 2; }
static void child(void) { order[norder++ % 10] = 3; }

static void cow(void)
{
	char *heap = malloc(1 << 20);
	int stack = 1, st, p[2];
	char b[100];

	memset(heap, 'p', 1 << 20);
	pipe(p);
	fflush(stdout);
	pid_t pid = fork();
	if (pid == 0) {
		global = 2;
		stack = 2;
		tls = 2;
		memset(heap, 'c', 1 << 20);
		snprintf(b, sizeof(b), "%d %d %d %c", global, stack, tls, heap[99999]);
		write(p[1], b, strlen(b) + 1);
		_exit(5);
	}
	Y(waitpid(pid, &st, 0) == pid);
	t_status("child", st);
	R(read(p[0], b, sizeof(b)));
	t_say("child saw %s; parent has %d %d %d %c", b, global, stack, tls, heap[99999]);
	pid = fork();
	if (pid == 0) {
		t_sleep_ms(50);
		_exit(heap[5] == 'p' ? 0 : 1);
	}
	memset(heap, 'q', 1 << 20);
	waitpid(pid, &st, 0);
	t_status("child keeps old memory", st);
	free(heap);
}

static void ids(void)
{
	int p[2], st;
	pid_t me = getpid(), pid, v[3];

	pipe(p);
	pid = fork();
	if (pid == 0) {
		v[0] = getpid();
		v[1] = getppid();
		v[2] = gettid();
		write(p[1], v, sizeof(v));
		_exit(0);
	}
	read(p[0], v, sizeof(v));
	waitpid(pid, &st, 0);
	Y(v[0] == pid && v[1] == me && v[2] == pid);
	R(kill(pid, 0));
	/* orphan: adopted by somebody else */
	fflush(stdout);
	pid = fork();
	if (pid == 0) {
		pid_t mid = getpid();

		if (fork() == 0) {
			while (getppid() == mid)
				t_sleep_ms(5);
			write(p[1], "orphan", 6);
			_exit(0);
		}
		_exit(0);
	}
	waitpid(pid, &st, 0);
	{
		char b[10] = "";

		R(read(p[0], b, 6));
		t_say("%s", b);
	}
}

static void waits(void)
{
	int st;
	siginfo_t si;
	struct rusage ru;
	pid_t pid;

	R(wait(&st));
	R(waitpid(-1, &st, WNOHANG));
	fflush(stdout);
	pid = fork();
	if (pid == 0) {
		t_sleep_ms(60);
		_exit(3);
	}
	R(waitpid(pid, &st, WNOHANG));
	R(waitpid(pid, &st, 0x4000));
	memset(&si, 0xff, sizeof(si));
	R(waitid(P_PID, (id_t)pid, &si, WEXITED | WNOHANG));
	R(si.si_pid);
	R(waitid(P_PID, (id_t)pid, &si, 0));
	R(waitid(P_PID, (id_t)pid, &si, WEXITED | WNOWAIT));
	t_say("code %d status %d signo %d pid right %d", si.si_code, si.si_status, si.si_signo,
	      si.si_pid == pid);
	Y(wait4(pid, &st, 0, &ru) == pid);
	t_status("wait4", st);
	Y(ru.ru_maxrss > 0);
	R(waitpid(pid, &st, 0));
	fflush(stdout);
	pid = fork();
	if (pid == 0)
		for (;;)
			pause();
	R(kill(pid, SIGSTOP));
	Y(waitpid(pid, &st, WUNTRACED) == pid);
	t_status("stopped", st);
	R(waitpid(pid, &st, WUNTRACED | WNOHANG));
	R(kill(pid, SIGCONT));
	Y(waitpid(pid, &st, WCONTINUED) == pid);
	t_status("continued", st);
	R(kill(pid, SIGKILL));
	R(waitid(P_ALL, 0, &si, WEXITED));
	t_say("code %d status %d", si.si_code, si.si_status);
	signal(SIGCHLD, SIG_IGN);
	fflush(stdout);
	if (fork() == 0)
		_exit(0);
	R(wait(&st));
	signal(SIGCHLD, SIG_DFL);
	R(waitid(77, 0, &si, WEXITED));
}

static volatile int chld;
static void on_chld(int s, siginfo_t *si, void *u)
{
	(void)s, (void)u;
	chld = si->si_status * 100 + si->si_code;
}

static void many(void)
{
	int st, good = 0;
	pid_t pid[50];

	fflush(stdout);
	for (int i = 0; i < 200; i++) {
		pid_t p = fork();

		if (p == 0)
			_exit(i & 0x7f);
		good += waitpid(p, &st, 0) == p && WEXITSTATUS(st) == (i & 0x7f);
	}
	t_say("200 in a row: %d good", good);
	good = 0;
	for (int i = 0; i < 50; i++) {
		pid[i] = fork();
		if (pid[i] == 0) {
			t_sleep_ms(100);
			_exit(i);
		}
	}
	for (int i = 49; i >= 0; i--)
		good += waitpid(pid[i], &st, 0) == pid[i] && WEXITSTATUS(st) == i;
	t_say("50 at once: %d good", good);
}

static void deep(int n)
{
	int st;
	pid_t p;

	if (n == 0)
		_exit(0);
	p = fork();
	if (p == 0)
		deep(n - 1);
	waitpid(p, &st, 0);
	_exit(WEXITSTATUS(st) + 1);
}
static void deep10(void) { deep(10); }

int main(void)
{
	struct sigaction sa = { .sa_sigaction = on_chld, .sa_flags = SA_SIGINFO | SA_RESTART };
	int st, fd = open("f", O_CREAT | O_RDWR, 0600);
	pid_t p;

	cow();
	ids();
	waits();
	sigaction(SIGCHLD, &sa, NULL);
	fflush(stdout);
	p = fork();
	if (p == 0)
		_exit(44);
	waitpid(p, &st, 0);
	t_say("SIGCHLD status*100+code %d", chld);
	write(fd, "0123456789", 10);
	lseek(fd, 2, SEEK_SET);
	fflush(stdout);
	p = fork();
	if (p == 0) {
		lseek(fd, 3, SEEK_CUR);
		close(fd);
		_exit(0);
	}
	waitpid(p, &st, 0);
	t_say("shared offset %ld", (long)lseek(fd, 0, SEEK_CUR));
	pthread_atfork(before, parent, child);
	p = fork();
	if (p == 0)
		_exit(order[0] * 10 + order[1]);
	waitpid(p, &st, 0);
	t_say("atfork child %d parent %d%d", WEXITSTATUS(st), order[0], order[1]);
	signal(SIGCHLD, SIG_DFL);
	many();
	t_child("ten generations", deep10);
	return 0;
}
