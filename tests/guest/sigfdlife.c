/* SPDX-License-Identifier: MIT */
/* A signalfd in an epoll set that outlives the process which put it there, and signalfds that go before their processes. */
#include "t.h"
#include <sys/epoll.h>
#include <sys/signalfd.h>

static sigset_t usr1;

static int add(int ep, int fd)
{
	struct epoll_event ev = { .events = EPOLLIN, .data.u32 = 7 };

	return epoll_ctl(ep, EPOLL_CTL_ADD, fd, &ev);
}

static int ready(int ep, int ms)
{
	struct epoll_event ev;

	return epoll_wait(ep, &ev, 1, ms);
}

/* A child registers and goes; its structures are used again by later children; then the registration goes. */
static int by_a_child(int rounds)
{
	int bad = 0;

	for (int i = 0; i < rounds; i++) {
		int ep = epoll_create1(0), fd = signalfd(-1, &usr1, SFD_NONBLOCK), st;
		pid_t c = fork();

		if (c == 0)
			_exit(add(ep, fd) ? 1 : 0);
		waitpid(c, &st, 0);
		bad += st != 0;
		for (int k = 0; k < 3; k++) {
			c = fork();
			if (c == 0) {
				int e2 = epoll_create1(0);

				if (add(e2, fd))
					_exit(1);
				kill(getpid(), SIGUSR1);
				_exit(ready(e2, 2000) == 1 ? 0 : 2);
			}
			waitpid(c, &st, 0);
			bad += st != 0;
		}
		if (i & 1)
			close(ep);
		close(fd);
		if (!(i & 1))
			close(ep);
	}
	return bad;
}

/* The parent registered; the child waits in epoll_wait for its own signal, and the parent for its own. */
static void shared_set(void)
{
	int ep = epoll_create1(0), fd = signalfd(-1, &usr1, SFD_NONBLOCK), st;
	struct signalfd_siginfo si;
	pid_t c;

	R(add(ep, fd));
	R(ready(ep, 0));
	c = fork();
	if (c == 0) {
		t_sleep_ms(100);
		kill(getppid(), SIGUSR1);
		_exit(0);
	}
	R(ready(ep, 5000));
	R(read(fd, &si, sizeof(si)) == sizeof(si) && si.ssi_pid == (unsigned)c);
	R(ready(ep, 0));
	waitpid(c, &st, 0);
}

int main(void)
{
	sigemptyset(&usr1);
	sigaddset(&usr1, SIGUSR1);
	sigprocmask(SIG_BLOCK, &usr1, NULL);
	R(by_a_child(20));
	shared_set();
	return 0;
}
