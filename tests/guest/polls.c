/* SPDX-License-Identifier: MIT */
/* poll, ppoll, select, pselect: events, negative fds, masks, timeouts, hang-up. */
#include "t.h"
#include <poll.h>
#include <pthread.h>
#include <sys/select.h>
#include <sys/socket.h>

static volatile int hits;

static void on_sig(int s)
{
	(void)s;
	hits++;
}

static void *poke(void *arg)
{
	t_sleep_ms(50);
	write(*(int *)arg, "x", 1);
	return NULL;
}

static void *kick(void *arg)
{
	t_sleep_ms(50);
	pthread_kill(*(pthread_t *)arg, SIGUSR1);
	return NULL;
}

int main(void)
{
	int p[2], sv[2], fd = open("f", O_CREAT | O_RDWR, 0600);
	struct pollfd pf[4];
	struct sigaction sa = { .sa_handler = on_sig };
	sigset_t none, usr;
	struct timespec zero = { 0, 0 }, t50 = { 0, 50000000 };
	struct timeval tv = { 0, 30000 };
	fd_set r, w, x;
	pthread_t t, self = pthread_self();
	uint64_t t0;

	pipe(p);
	pf[0] = (struct pollfd){ p[0], POLLIN, 99 };
	pf[1] = (struct pollfd){ p[1], POLLOUT, 99 };
	pf[2] = (struct pollfd){ -5, POLLIN, 99 };
	pf[3] = (struct pollfd){ fd, POLLIN | POLLOUT, 99 };
	R(poll(pf, 4, 0));
	t_say("%x %x %x %x", pf[0].revents, pf[1].revents, pf[2].revents, pf[3].revents);
	pf[2].fd = 77;
	R(poll(pf, 4, -1));
	t_say("%x %x %x %x", pf[0].revents, pf[1].revents, pf[2].revents, pf[3].revents);
	t0 = t_now_ns(CLOCK_MONOTONIC);
	R(poll(pf, 1, 30));
	Y(t_now_ns(CLOCK_MONOTONIC) - t0 >= 29000000);
	R(poll(NULL, 0, 10));
	R(poll((void *)8, 1, 10));
	pthread_create(&t, NULL, poke, &p[1]);
	R(poll(pf, 1, 5000));
	pthread_join(t, NULL);
	t_say("%x", pf[0].revents);
	close(p[1]);
	R(poll(pf, 1, 0));
	t_say("%x", pf[0].revents);
	{
		char c;

		read(p[0], &c, 1);
	}
	R(poll(pf, 1, 0));
	t_say("%x", pf[0].revents);
	close(p[0]);
	pipe(p);
	close(p[0]);
	pf[0] = (struct pollfd){ p[1], POLLOUT, 0 };
	R(poll(pf, 1, 0));
	t_say("%x", pf[0].revents);
	socketpair(AF_UNIX, SOCK_STREAM, 0, sv);
	pf[0] = (struct pollfd){ sv[0], POLLIN | POLLOUT | POLLRDHUP, 0 };
	R(poll(pf, 1, 0));
	t_say("%x", pf[0].revents);
	shutdown(sv[1], SHUT_WR);
	R(poll(pf, 1, 0));
	t_say("%x", pf[0].revents);
	close(sv[1]);
	R(poll(pf, 1, 0));
	t_say("%x", pf[0].revents);

	sigaction(SIGUSR1, &sa, NULL);
	sigemptyset(&none);
	sigemptyset(&usr);
	sigaddset(&usr, SIGUSR1);
	sigprocmask(SIG_BLOCK, &usr, NULL);
	raise(SIGUSR1);
	t_say("hits %d", hits);
	R(ppoll(NULL, 0, &zero, &none));
	t_say("hits %d", hits);
	raise(SIGUSR1);
	R(ppoll(NULL, 0, NULL, &none));
	t_say("hits %d", hits);
	raise(SIGUSR1);
	R(pselect(0, NULL, NULL, NULL, &t50, &none));
	t_say("hits %d", hits);
	R(ppoll(NULL, 0, &t50, &usr));
	sigprocmask(SIG_UNBLOCK, &usr, NULL);
	pthread_create(&t, NULL, kick, &self);
	R(poll(NULL, 0, 5000));
	pthread_join(t, NULL);
	t_say("hits %d", hits);
	sa.sa_flags = SA_RESTART;
	sigaction(SIGUSR1, &sa, NULL);
	pthread_create(&t, NULL, kick, &self);
	R(select(0, NULL, NULL, NULL, &(struct timeval){ 5, 0 }));
	pthread_join(t, NULL);

	pipe(p);
	FD_ZERO(&r);
	FD_ZERO(&w);
	FD_ZERO(&x);
	FD_SET(p[0], &r);
	FD_SET(p[1], &w);
	R(select(p[1] + 1, &r, &w, &x, NULL));
	t_say("%d %d", !!FD_ISSET(p[0], &r), !!FD_ISSET(p[1], &w));
	FD_SET(p[0], &r);
	R(select(p[0] + 1, &r, NULL, NULL, &tv));
	t_say("left %ld.%06ld", (long)tv.tv_sec, (long)tv.tv_usec);
	Y(!FD_ISSET(p[0], &r));
	/* 40: within the smallest descriptor table Linux makes; a bit beyond the table is ignored (select(2), BUGS) */
	FD_SET(40, &r);
	R(select(41, &r, NULL, NULL, &tv));
	R(select(-1, NULL, NULL, NULL, &tv));
	tv.tv_usec = -5;
	R(select(0, NULL, NULL, NULL, &tv));
	zero.tv_nsec = -1;
	R(ppoll(NULL, 0, &zero, NULL));
	return 0;
}
