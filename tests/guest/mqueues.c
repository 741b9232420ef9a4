/* SPDX-License-Identifier: MIT */
/* guest: cflags=-lrt */
/* POSIX message queues: priorities, limits, blocking and timeouts, poll, notification, names. */
#include "t.h"
#include <mqueue.h>
#include <poll.h>

static char name[40];
static volatile sig_atomic_t got, code, value;

static void on_notify(int sig, siginfo_t *si, void *u)
{
	(void)sig;
	(void)u;
	got++;
	code = si->si_code;
	value = si->si_value.sival_int;
}

static void none(int sig)
{
	(void)sig;
}

static mqd_t make(long n, long size)
{
	struct mq_attr a = { .mq_maxmsg = n, .mq_msgsize = size };

	return mq_open(name, O_RDWR | O_CREAT | O_EXCL, 0600, &a);
}

static void show_next(mqd_t q, int flags)
{
	char b[100];
	unsigned prio = 99;
	ssize_t n;

	(void)flags;
	n = mq_receive(q, b, sizeof(b), &prio);
	if (n < 0)
		t_val("receive", -1);
	else
		t_say("got %.*s, priority %u", (int)n, b, prio);
}

static void basics(void)
{
	struct mq_attr a, o;
	struct timespec ts;
	struct pollfd p;
	char b[200];
	mqd_t q;

	R(mq_open(name, O_RDWR));
	R(mq_open("/a/b", O_RDWR | O_CREAT, 0600, NULL));
	R(mq_open("/", O_RDWR | O_CREAT, 0600, NULL));
	R(mq_unlink(name));
	OK(q = make(4, 100));
	R(make(4, 100));
	R(mq_getattr(q, &a));
	t_say("max %ld size %ld flags %ld now %ld", a.mq_maxmsg, a.mq_msgsize, a.mq_flags, a.mq_curmsgs);
	R(mq_send(q, "low", 3, 1));
	R(mq_send(q, "high", 4, 9));
	R(mq_send(q, "high2", 5, 9));
	R(mq_send(q, "", 0, 0));
	R(mq_send(q, b, 101, 0));
	R(mq_send(q, b, 1, 32768));
	R(mq_receive(q, b, 99, NULL));
	p = (struct pollfd){ q, POLLIN | POLLOUT, 0 };
	R(poll(&p, 1, 0));
	R(p.revents);
	a.mq_flags = O_NONBLOCK;
	R(mq_setattr(q, &a, &o));
	R(o.mq_curmsgs);
	R(mq_send(q, "x", 1, 0));
	for (int i = 0; i < 5; i++)
		show_next(q, 0);
	R(poll(&p, 1, 0));
	R(p.revents);
	a.mq_flags = 0;
	R(mq_setattr(q, &a, NULL));
	clock_gettime(CLOCK_REALTIME, &ts);
	ts.tv_nsec += 20000000;
	if (ts.tv_nsec >= 1000000000)
		ts.tv_sec++, ts.tv_nsec -= 1000000000;
	R(mq_timedreceive(q, b, 200, NULL, &ts));
	ts.tv_nsec = -1;
	R(mq_timedreceive(q, b, 200, NULL, &ts));
	R(mq_send(0, "x", 1, 0));
	R(mq_send(99, "x", 1, 0));
	R(mq_close(q));
	OK(q = mq_open(name, O_RDONLY));
	R(mq_send(q, "x", 1, 0));
	R(mq_unlink(name));
	R(mq_open(name, O_RDWR));
	R(mq_close(q));
}

static void blocking(void)
{
	struct sigaction sa = { .sa_handler = none };
	char b[100];
	int st, ready[2];
	mqd_t q = make(2, 100);
	pid_t c;

	c = fork();
	if (c == 0)
		_exit(mq_receive(q, b, 100, NULL) == 5 && !memcmp(b, "hello", 5) ? 0 : 1);
	t_sleep_ms(50);
	R(mq_send(q, "hello", 5, 0));
	waitpid(c, &st, 0);
	t_status("receiver", st);
	mq_send(q, "1", 1, 0);
	mq_send(q, "2", 1, 0);
	c = fork();
	if (c == 0)
		_exit(mq_send(q, "3", 1, 5) == 0 ? 0 : 1);
	t_sleep_ms(50);
	show_next(q, 0);
	waitpid(c, &st, 0);
	t_status("sender", st);
	show_next(q, 0);
	show_next(q, 0);
	(void)!pipe(ready);
	c = fork();
	if (c == 0) {
		sigaction(SIGUSR1, &sa, NULL);
		(void)!write(ready[1], "", 1);
		_exit(mq_receive(q, b, 100, NULL) == -1 && errno == EINTR ? 0 : 1);
	}
	(void)!read(ready[0], b, 1);
	t_sleep_ms(100); /* till it waits */
	kill(c, SIGUSR1);
	waitpid(c, &st, 0);
	t_status("interrupted", st);
	close(ready[0]);
	close(ready[1]);
	mq_unlink(name);
	mq_close(q);
}

static void notification(void)
{
	struct sigaction sa = { .sa_sigaction = on_notify, .sa_flags = SA_SIGINFO };
	struct sigevent e = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR2, .sigev_value.sival_int = 42 };
	mqd_t q = make(4, 100);
	char b[100] = "";
	int fd;

	sigaction(SIGUSR2, &sa, NULL);
	R(mq_notify(q, &e));
	R(mq_notify(q, &e));
	if (fork() == 0)
		_exit(mq_notify(q, &e) == -1 && errno == EBUSY ? 0 : 1);
	wait(NULL);
	R(mq_send(q, "a", 1, 0));
	for (int i = 0; i < 100 && !got; i++)
		t_sleep_ms(5);
	Y(got == 1 && code == SI_MESGQ && value == 42);
	R(mq_send(q, "b", 1, 0));
	t_sleep_ms(10);
	R(got);
	R(mq_notify(q, &e));
	R(mq_send(q, "c", 1, 0));
	t_sleep_ms(10);
	R(got);
	for (int i = 0; i < 3; i++)
		show_next(q, 0);
	R(mq_notify(q, NULL));
	R(mq_send(q, "d", 1, 0));
	t_sleep_ms(10);
	R(got);
	fd = q;
	lseek(fd, 0, SEEK_SET);
	read(fd, b, 99);
	printf("%s", b);
	e.sigev_signo = 99;
	R(mq_notify(q, &e));
	mq_unlink(name);
	mq_close(q);
}

int main(void)
{
	snprintf(name, sizeof(name), "/guest-%d", getpid());
	basics();
	blocking();
	notification();
	return 0;
}
