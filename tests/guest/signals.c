/* SPDX-License-Identifier: MIT */
/* Signals: queueing and order, SA_* flags, alternate stack, restart rules, waits. */
#include "t.h"
#include <poll.h>
#include <pthread.h>
#include <semaphore.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <ucontext.h>

static volatile int seen[100], nseen, vals[100];

static void note(int s, siginfo_t *si, void *uc)
{
	(void)uc;
	vals[nseen] = si ? si->si_code == SI_QUEUE ? si->si_int : si->si_code : 0;
	seen[nseen++] = s;
}

static void handler(int sig, int flags, void (*fn)(int, siginfo_t *, void *))
{
	struct sigaction sa = { .sa_sigaction = fn, .sa_flags = flags | SA_SIGINFO };

	sigaction(sig, &sa, NULL);
}

static void print_seen(const char *what)
{
	printf("%s:", what);
	for (int i = 0; i < nseen; i++)
		printf(" %s%d/%d", seen[i] >= SIGRTMIN ? "RT" : "",
		       seen[i] >= SIGRTMIN ? seen[i] - SIGRTMIN : seen[i], vals[i]);
	puts("");
	nseen = 0;
}

static void ordering(void)
{
	sigset_t all, old, pend;
	union sigval v;

	for (int s = 1; s < 65; s++)
		if (s != SIGKILL && s != SIGSTOP)
			handler(s, 0, note);
	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, &old);
	for (int i = 0; i < 3; i++) {
		v.sival_int = 10 + i;
		sigqueue(getpid(), SIGRTMIN + 3, v);
		v.sival_int = 20 + i;
		sigqueue(getpid(), SIGRTMIN + 1, v);
		v.sival_int = 30 + i;
		sigqueue(getpid(), SIGUSR1, v);
	}
	kill(getpid(), SIGTERM);
	kill(getpid(), SIGHUP);
	raise(SIGUSR2);
	sigpending(&pend);
	t_say("pending usr1 %d usr2 %d rt1 %d int %d", sigismember(&pend, SIGUSR1),
	      sigismember(&pend, SIGUSR2), sigismember(&pend, SIGRTMIN + 1),
	      sigismember(&pend, SIGINT));
	/* each handler masks nothing but itself, so frames nest: last shown first */
	sigprocmask(SIG_SETMASK, &old, NULL);
	print_seen("nested order");
	for (int s = 1; s < 65; s++)
		if (s != SIGKILL && s != SIGSTOP)
			signal(s, SIG_DFL);
}

static void flags(void)
{
	struct sigaction sa;
	sigset_t m;

	handler(SIGUSR1, SA_RESETHAND, note);
	raise(SIGUSR1);
	sigaction(SIGUSR1, NULL, &sa);
	Y(sa.sa_handler == SIG_DFL);
	print_seen("resethand");
	handler(SIGUSR1, SA_NODEFER | SA_RESTART, note);
	sigaction(SIGUSR1, NULL, &sa);
	t_say("flags %x", sa.sa_flags & ~0x04000000);
	R(sigaction(SIGKILL, &sa, NULL));
	R(sigaction(SIGSTOP, &sa, NULL));
	R(sigaction(0, &sa, NULL));
	R(sigaction(65, &sa, NULL));
	R(kill(getpid(), 0));
	R(kill(getpid(), 99));
	R(kill(0x7ffffff0, 0));
	R(syscall(SYS_tgkill, getpid(), 0x7ffffff0, 0));
	R(syscall(SYS_tgkill, -1, getpid(), 0));
	R(syscall(SYS_rt_sigprocmask, SIG_BLOCK, NULL, &m, 8));
	R(syscall(SYS_rt_sigprocmask, 77, &m, NULL, 8));
	R(syscall(SYS_rt_sigprocmask, SIG_BLOCK, &m, NULL, 4));
	sigemptyset(&m);
	sigaddset(&m, SIGKILL);
	sigprocmask(SIG_BLOCK, &m, NULL);
	sigprocmask(SIG_BLOCK, NULL, &m);
	t_say("kill blockable %d", sigismember(&m, SIGKILL));
	signal(SIGUSR1, SIG_IGN);
	sigemptyset(&m);
	sigaddset(&m, SIGUSR1);
	sigprocmask(SIG_BLOCK, &m, NULL);
	raise(SIGUSR1);
	sigpending(&m);
	t_say("ignored and blocked is pending %d", sigismember(&m, SIGUSR1));
	signal(SIGUSR1, SIG_IGN);
	sigpending(&m);
	t_say("after ignoring again %d", sigismember(&m, SIGUSR1));
	sigemptyset(&m);
	sigaddset(&m, SIGUSR1);
	sigprocmask(SIG_UNBLOCK, &m, NULL);
}

static char altstack[65536];
static volatile int on_alt;

static void alt_handler(int s, siginfo_t *si, void *uc)
{
	char here;
	stack_t ss;

	(void)s, (void)si, (void)uc;
	on_alt = &here >= altstack && &here < altstack + sizeof(altstack);
	sigaltstack(NULL, &ss);
	on_alt |= (ss.ss_flags & SS_ONSTACK) << 4;
}

static void altstacks(void)
{
	stack_t ss = { .ss_sp = altstack, .ss_size = sizeof(altstack) }, old;

	R(sigaltstack(NULL, &old));
	t_say("flags %d", old.ss_flags);
	R(sigaltstack(&ss, NULL));
	handler(SIGUSR2, SA_ONSTACK, alt_handler);
	raise(SIGUSR2);
	t_say("on alternate stack %x", on_alt);
	handler(SIGUSR2, 0, alt_handler);
	raise(SIGUSR2);
	t_say("without SA_ONSTACK %x", on_alt);
	ss.ss_size = 100;
	R(sigaltstack(&ss, NULL));
	ss.ss_flags = 77;
	R(sigaltstack(&ss, NULL));
	ss.ss_flags = SS_DISABLE;
	R(sigaltstack(&ss, &old));
	t_say("old size %zu flags %d", old.ss_size, old.ss_flags);
}

static pthread_t main_thread;
static void *kicker(void *arg)
{
	(void)arg;
	t_sleep_ms(40);
	pthread_kill(main_thread, SIGUSR1);
	return NULL;
}

static int kp[2];
static void *kicker_then_data(void *arg)
{
	kicker(arg);
	t_sleep_ms(40);
	write(kp[1], "data", 4);
	return NULL;
}

static void restart(int saflags)
{
	pthread_t t;
	char b[8];
	struct pollfd pf;
	struct epoll_event ev;
	int ep = epoll_create1(0), sv[2];
	struct timespec ts = { 2, 0 };
	sem_t sem;

	main_thread = pthread_self();
	handler(SIGUSR1, saflags, note);
	t_say("-- flags %s", saflags & SA_RESTART ? "restart" : "none");
	pipe(kp);
	pf = (struct pollfd){ kp[0], POLLIN, 0 };
#define KICK(fn, call)                              \
	do {                                        \
		pthread_create(&t, NULL, fn, NULL); \
		R(call);                            \
		pthread_join(t, NULL);              \
	} while (0)
	KICK(kicker_then_data, read(kp[0], b, 8));
	while (poll(&pf, 1, 0) == 1)
		read(kp[0], b, 8);
	KICK(kicker, poll(&pf, 1, 500));
	KICK(kicker, epoll_wait(ep, &ev, 1, 500));
	KICK(kicker, usleep(300000));
	KICK(kicker, clock_nanosleep(CLOCK_MONOTONIC, 0, &ts, NULL) == EINTR);
	KICK(kicker, pause());
	sem_init(&sem, 0, 0);
	{
		struct timespec abs;

		clock_gettime(CLOCK_REALTIME, &abs);
		abs.tv_nsec += 150000000;
		abs.tv_sec += abs.tv_nsec / 1000000000;
		abs.tv_nsec %= 1000000000;
		KICK(kicker, sem_timedwait(&sem, &abs));
	}
	socketpair(AF_UNIX, SOCK_STREAM, 0, sv);
	setsockopt(sv[0], SOL_SOCKET, SO_RCVTIMEO, &(struct timeval){ 0, 150000 }, sizeof(struct timeval));
	KICK(kicker, recv(sv[0], b, 8, 0));
	print_seen("signals");
}

static void waits(void)
{
	sigset_t m;
	siginfo_t si;
	struct timespec ts = { 0, 20000000 }, zero = { 0, 0 };
	union sigval v = { .sival_int = 77 };

	sigemptyset(&m);
	sigaddset(&m, SIGRTMIN);
	sigaddset(&m, SIGUSR1);
	sigprocmask(SIG_BLOCK, &m, NULL);
	R(sigtimedwait(&m, &si, &ts));
	R(sigtimedwait(&m, &si, &zero));
	sigqueue(getpid(), SIGRTMIN, v);
	kill(getpid(), SIGUSR1);
	R(sigtimedwait(&m, &si, &ts) == SIGUSR1);
	t_say("code %d pid mine %d", si.si_code, si.si_pid == getpid());
	R(sigwaitinfo(&m, &si) == SIGRTMIN);
	t_say("code %d value %d", si.si_code, si.si_int);
	ts.tv_nsec = -1;
	R(sigtimedwait(&m, &si, &ts));
	kill(getpid(), SIGUSR1);
	signal(SIGUSR1, SIG_DFL);
	{
		int s = 0;

		E(sigwait(&m, &s));
		Y(s == SIGUSR1);
	}
	sigprocmask(SIG_UNBLOCK, &m, NULL);
	nseen = 0;
	handler(SIGUSR2, 0, note);
	sigemptyset(&m);
	sigaddset(&m, SIGUSR2);
	sigprocmask(SIG_BLOCK, &m, NULL);
	kill(getpid(), SIGUSR2);
	sigemptyset(&m);
	R(sigsuspend(&m));
	print_seen("suspend");
	sigprocmask(SIG_BLOCK, NULL, &m);
	t_say("mask restored %d", sigismember(&m, SIGUSR2));
}

static void *target(void *arg)
{
	sigset_t m;
	int s;

	(void)arg;
	sigemptyset(&m);
	sigaddset(&m, SIGHUP);
	sigwait(&m, &s);
	return (void *)(long)s;
}

static void directed(void)
{
	sigset_t m;
	pthread_t t;
	void *r;

	sigemptyset(&m);
	sigaddset(&m, SIGHUP);
	pthread_sigmask(SIG_BLOCK, &m, NULL);
	pthread_create(&t, NULL, target, NULL);
	t_sleep_ms(20);
	kill(getpid(), SIGHUP);
	pthread_join(t, &r);
	t_say("sigwait in another thread got %ld", (long)r);
}

static void die_term(void) { raise(SIGTERM); }
static void die_abort(void) { abort(); }
static void die_kill(void) { kill(getpid(), SIGKILL); }
static void die_rt(void) { raise(SIGRTMIN + 5); }
static void die_quit(void) { raise(SIGQUIT); }
static void live_chld(void) { raise(SIGCHLD); raise(SIGWINCH); raise(SIGURG); raise(SIGCONT); }
static void die_alarm(void) { alarm(1); pause(); }

int main(void)
{
	ordering();
	flags();
	altstacks();
	restart(0);
	restart(SA_RESTART);
	waits();
	directed();
	t_child("SIGTERM", die_term);
	t_child("abort", die_abort);
	t_child("SIGKILL", die_kill);
	t_child("SIGQUIT", die_quit);
	t_child("real-time", die_rt);
	t_child("ignored by default", live_chld);
	t_child("alarm", die_alarm);
	return 0;
}
