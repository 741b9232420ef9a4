/* SPDX-License-Identifier: MIT */
/* epoll (level, edge, one-shot, exclusive, nested), eventfd, timerfd, signalfd. */
#include "t.h"
#include <poll.h>
#include <pthread.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <sys/timerfd.h>

static int ep;

static void show(int timeout)
{
	struct epoll_event ev[8];
	int n = epoll_wait(ep, ev, 8, timeout);

	printf("wait %d:", n);
	for (int i = 0; i < n; i++)
		printf(" %x/%u", ev[i].events, ev[i].data.u32);
	puts("");
}

static void ctl(int op, int fd, unsigned events, unsigned tag)
{
	struct epoll_event ev = { .events = events, .data.u32 = tag };

	t_val("ctl", epoll_ctl(ep, op, fd, &ev));
}

static void *waiter(void *arg)
{
	struct epoll_event ev;

	(void)arg;
	return (void *)(long)epoll_wait(ep, &ev, 1, 5000);
}

static void *late(void *arg)
{
	t_sleep_ms(40);
	eventfd_write(*(int *)arg, 1);
	return NULL;
}

static void epolls(void)
{
	int p[2], q[2], e2, e3, d, f = open("f", O_CREAT | O_RDWR, 0600);
	char b[10];
	pthread_t t[4];
	long sum = 0;
	void *v;
	struct pollfd pf;

	R(epoll_create(0));
	R(epoll_create1(77));
	ep = epoll_create1(EPOLL_CLOEXEC);
	pipe(p);
	ctl(EPOLL_CTL_ADD, p[0], EPOLLIN, 1);
	ctl(EPOLL_CTL_ADD, p[0], EPOLLIN, 1);
	ctl(EPOLL_CTL_MOD, p[1], EPOLLIN, 1);
	ctl(EPOLL_CTL_DEL, p[1], EPOLLIN, 1);
	ctl(EPOLL_CTL_ADD, f, EPOLLIN, 1);
	ctl(EPOLL_CTL_ADD, ep, EPOLLIN, 1);
	ctl(EPOLL_CTL_ADD, 99, EPOLLIN, 1);
	ctl(99, p[1], EPOLLIN, 1);
	show(0);
	write(p[1], "abc", 3);
	show(0);
	show(0);
	ctl(EPOLL_CTL_MOD, p[0], EPOLLIN | EPOLLET, 2);
	show(0);
	show(0);
	write(p[1], "d", 1);
	show(0);
	read(p[0], b, 1);
	show(0);
	ctl(EPOLL_CTL_MOD, p[0], EPOLLIN | EPOLLONESHOT, 3);
	show(0);
	show(0);
	write(p[1], "e", 1);
	show(0);
	ctl(EPOLL_CTL_MOD, p[0], EPOLLIN | EPOLLONESHOT, 4);
	show(0);
	ctl(EPOLL_CTL_ADD, p[1], EPOLLOUT | EPOLLET, 5);
	show(0);
	show(0);
	d = dup(p[0]);
	ctl(EPOLL_CTL_ADD, d, EPOLLIN, 6);
	show(0);
	close(d);
	show(0);
	ctl(EPOLL_CTL_MOD, p[0], EPOLLIN, 7);
	close(p[1]);
	show(0);
	while (read(p[0], b, 10) > 0)
		;
	show(0);
	close(p[0]);
	show(10);
	R(epoll_wait(ep, NULL, 0, 0));
	R(epoll_wait(ep, (void *)b, -1, 0));
	R(epoll_wait(f, (void *)b, 1, 0));
	/* nested */
	pipe(q);
	e2 = epoll_create1(0);
	e3 = ep;
	ctl(EPOLL_CTL_ADD, e2, EPOLLIN, 8);
	ep = e2;
	ctl(EPOLL_CTL_ADD, q[0], EPOLLIN, 9);
	ctl(EPOLL_CTL_ADD, e3, EPOLLIN, 9);
	ep = e3;
	show(0);
	write(q[1], "x", 1);
	show(0);
	pf = (struct pollfd){ ep, POLLIN, 0 };
	R(poll(&pf, 1, 0));
	t_say("%x", pf.revents);
	ep = e2;
	show(0);
	read(q[0], b, 1);
	ep = e3;
	show(0);
	ctl(EPOLL_CTL_ADD, q[0], EPOLLIN | EPOLLEXCLUSIVE, 10);
	ctl(EPOLL_CTL_MOD, q[0], EPOLLIN, 10);
	ctl(EPOLL_CTL_DEL, q[0], 0, 0);
	ctl(EPOLL_CTL_ADD, q[0], EPOLLIN | EPOLLEXCLUSIVE | EPOLLONESHOT, 10);
	/* several threads on one set; one-shot wakes exactly one */
	ep = epoll_create1(0);
	d = eventfd(0, EFD_NONBLOCK);
	ctl(EPOLL_CTL_ADD, d, EPOLLIN | EPOLLET, 11);
	for (int i = 0; i < 4; i++)
		pthread_create(&t[i], NULL, waiter, NULL);
	for (int i = 0; i < 4; i++) {
		t_sleep_ms(15);
		eventfd_write(d, 1);
	}
	for (int i = 0; i < 4; i++) {
		pthread_join(t[i], &v);
		sum += (long)v;
	}
	t_say("woken %ld", sum);
	{
		sigset_t m;
		struct epoll_event ev;

		sigfillset(&m);
		R(epoll_pwait(ep, &ev, 1, 0, &m));
		R(epoll_pwait2(ep, &ev, 1, &(struct timespec){ 0, 1000000 }, NULL));
	}
}

static void eventfds(void)
{
	uint64_t v = 0;
	int e = eventfd(3, EFD_NONBLOCK), d;
	pthread_t t;
	struct pollfd pf = { e, POLLIN | POLLOUT, 0 };

	R(read(e, &v, 4));
	R(read(e, &v, 8));
	R((long)v);
	R(read(e, &v, 8));
	v = ~0ull;
	R(write(e, &v, 8));
	v = ~0ull - 1;
	R(write(e, &v, 8));
	R(poll(&pf, 1, 0));
	t_say("%x", pf.revents);
	v = 1;
	R(write(e, &v, 8));
	R(write(e, &v, 7));
	R(read(e, &v, 100));
	close(e);
	e = eventfd(2, EFD_SEMAPHORE | EFD_NONBLOCK);
	R(read(e, &v, 8));
	R((long)v);
	R(read(e, &v, 8));
	R(read(e, &v, 8));
	R(eventfd(0, 0x1234));
	d = eventfd(0, 0);
	pthread_create(&t, NULL, late, &d);
	R(read(d, &v, 8));
	pthread_join(t, NULL);
}

static void timerfds(void)
{
	struct itimerspec its = { { 0, 0 }, { 0, 20000000 } }, old;
	uint64_t n = 0;
	int fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK), f2;
	struct pollfd pf = { fd, POLLIN, 0 };

	R(timerfd_create(77, 0));
	R(timerfd_create(CLOCK_MONOTONIC, 1));
	R(timerfd_settime(fd, 0, &its, NULL));
	R(read(fd, &n, 8));
	R(poll(&pf, 1, 2000));
	R(read(fd, &n, 8));
	R((long)n);
	R(read(fd, &n, 8));
	its.it_interval.tv_nsec = 5000000;
	its.it_value.tv_nsec = 5000000;
	R(timerfd_settime(fd, 0, &its, &old));
	R(old.it_value.tv_sec + old.it_value.tv_nsec);
	t_sleep_ms(60);
	R(read(fd, &n, 8));
	Y(n >= 8);
	R(timerfd_gettime(fd, &old));
	R(old.it_interval.tv_nsec);
	its.it_value.tv_nsec = 0;
	R(timerfd_settime(fd, 0, &its, NULL));
	t_sleep_ms(15);
	R(read(fd, &n, 8));
	its.it_value.tv_nsec = 2000000000;
	R(timerfd_settime(fd, 0, &its, NULL));
	R(timerfd_settime(fd, 99, &its, NULL));
	R(timerfd_settime(0, 0, &old, NULL));
	f2 = timerfd_create(CLOCK_REALTIME, 0);
	clock_gettime(CLOCK_REALTIME, &its.it_value);
	its.it_interval.tv_nsec = 0;
	R(timerfd_settime(f2, TFD_TIMER_ABSTIME, &its, NULL));
	R(read(f2, &n, 8));
	R((long)n);
}

static void signalfds(void)
{
	struct signalfd_siginfo si[4];
	sigset_t m;
	int fd;
	union sigval sv = { .sival_int = 1234 };

	sigemptyset(&m);
	sigaddset(&m, SIGUSR1);
	sigaddset(&m, SIGRTMIN);
	sigaddset(&m, SIGKILL);
	sigprocmask(SIG_BLOCK, &m, NULL);
	fd = signalfd(-1, &m, SFD_NONBLOCK);
	R(read(fd, si, sizeof(si)));
	kill(getpid(), SIGUSR1);
	kill(getpid(), SIGUSR1);
	sigqueue(getpid(), SIGRTMIN, sv);
	sv.sival_int++;
	sigqueue(getpid(), SIGRTMIN, sv);
	R(read(fd, si, 10));
	R(read(fd, si, sizeof(si)) / (long)sizeof(si[0]));
	for (int i = 0; i < 3; i++)
		t_say("%s code %d int %d mine %d", si[i].ssi_signo == SIGUSR1 ? "USR1" : "RTMIN",
		      si[i].ssi_code, si[i].ssi_int, si[i].ssi_pid == (unsigned)getpid());
	sigemptyset(&m);
	R(signalfd(fd, &m, 0) == fd);
	kill(getpid(), SIGUSR1);
	R(read(fd, si, sizeof(si)));
	R(signalfd(0, &m, 0));
	R(signalfd(-1, &m, 3));
}

int main(void)
{
	epolls();
	eventfds();
	timerfds();
	signalfds();
	return 0;
}
