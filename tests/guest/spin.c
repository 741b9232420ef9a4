/* SPDX-License-Identifier: MIT */
/* Spinning threads, more than there are CPUs, do not keep others, timers or sockets from going on. */
#include "t.h"
#include <arpa/inet.h>
#include <pthread.h>
#include <sys/socket.h>

static volatile int stop;

static void *spin(void *arg)
{
	while (!stop)
		;
	return arg;
}

static void *echo(void *arg)
{
	char b[64];
	ssize_t n;

	while ((n = read(*(int *)arg, b, sizeof(b))) > 0)
		write(*(int *)arg, b, (size_t)n);
	return NULL;
}

int main(void)
{
	pthread_t t[8], e;
	int sv[2], good = 0;
	char b[8];
	uint64_t t0;

	socketpair(AF_UNIX, SOCK_STREAM, 0, sv);
	for (int i = 0; i < 8; i++)
		pthread_create(&t[i], NULL, spin, NULL);
	pthread_create(&e, NULL, echo, &sv[1]);
	t0 = t_now_ns(CLOCK_MONOTONIC);
	for (int i = 0; i < 10; i++) {
		t_sleep_ms(5);
		write(sv[0], "ping", 4);
		good += read(sv[0], b, 8) == 4;
	}
	t_say("echoes %d within 8 s: %d", good, t_now_ns(CLOCK_MONOTONIC) - t0 < 8000000000u);
	stop = 1;
	for (int i = 0; i < 8; i++)
		pthread_join(t[i], NULL);
	shutdown(sv[0], SHUT_RDWR);
	pthread_join(e, NULL);
	return 0;
}
