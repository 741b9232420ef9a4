/* SPDX-License-Identifier: MIT */
/*
 * 64-byte ping-pong for make bench-net, the same binary on Linux and in an instance: "pingpong serve PORT" echoes TCP and UDP, one blocking thread
 * each; "pingpong tcp|udp ADDRESS PORT N" does N round trips, one at a time, and prints p50, p99 and p99.9 in microseconds. A reply that
 * is not what was sent ends it with an error. No busy polling and no socket options but TCP_NODELAY.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define SIZE  64
#define WARM  1000
#define MAX_N 1000000

static struct sockaddr_in addr = { .sin_family = AF_INET };

static void die(const char *what)
{
	fprintf(stderr, "pingpong: %s: %s\n", what, strerror(errno));
	exit(1);
}

static int make(int type)
{
	int s = socket(AF_INET, type, 0), one = 1;

	if (s < 0 ||
	    (type == SOCK_STREAM && setsockopt(s, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one))))
		die("socket");
	return s;
}

static void *serve_udp(void *arg)
{
	int s = make(SOCK_DGRAM);

	(void)arg;
	if (bind(s, (struct sockaddr *)&addr, sizeof(addr)))
		die("bind");
	for (;;) {
		char buf[SIZE];
		struct sockaddr_in from;
		socklen_t len = sizeof(from);
		ssize_t n = recvfrom(s, buf, sizeof(buf), 0, (struct sockaddr *)&from, &len);

		if (n > 0)
			sendto(s, buf, (size_t)n, 0, (struct sockaddr *)&from, len);
	}
	return NULL;
}

/* False at the end of the connection. */
static int read_all(int s, char *buf)
{
	for (size_t got = 0; got < SIZE;) {
		ssize_t n = read(s, buf + got, SIZE - got);

		if (n <= 0)
			return 0;
		got += (size_t)n;
	}
	return 1;
}

static void serve_tcp(void)
{
	int l = make(SOCK_STREAM), one = 1;

	if (setsockopt(l, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) ||
	    bind(l, (struct sockaddr *)&addr, sizeof(addr)) || listen(l, 16))
		die("listen");
	for (;;) {
		int s = accept(l, NULL, NULL);
		char buf[SIZE];

		if (s < 0)
			die("accept");
		while (read_all(s, buf) && write(s, buf, SIZE) == SIZE)
			;
		close(s);
	}
}

static uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

static int before(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

static void ping(int type, long n)
{
	int s = make(type);
	uint64_t *took = calloc((size_t)n, sizeof(*took));
	struct timeval limit = { .tv_sec = 5 };

	if (!took || connect(s, (struct sockaddr *)&addr, sizeof(addr)) ||
	    setsockopt(s, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit)))
		die("connect");
	for (long i = -WARM; i < n; i++) {
		char out[SIZE], in[SIZE];
		uint64_t t0;

		memset(out, (int)(i & 0x7f), SIZE);
		memcpy(out, &i, sizeof(i));
		t0 = now_ns();
		if (write(s, out, SIZE) != SIZE || !read_all(s, in))
			die("no reply");
		if (i >= 0)
			took[i] = now_ns() - t0;
		if (memcmp(in, out, SIZE)) {
			fprintf(stderr, "pingpong: a wrong reply\n");
			exit(1);
		}
	}
	qsort(took, (size_t)n, sizeof(*took), before);
	printf("%.1f %.1f %.1f\n", (double)took[n / 2] / 1000, (double)took[n * 99 / 100] / 1000,
	       (double)took[n * 999 / 1000] / 1000);
}

int main(int argc, char **argv)
{
	pthread_t t;
	long n;

	if (argc == 3 && !strcmp(argv[1], "serve")) {
		addr.sin_port = htons((uint16_t)atoi(argv[2]));
		if (pthread_create(&t, NULL, serve_udp, NULL))
			die("pthread_create");
		serve_tcp();
	}
	n = argc == 5 ? atol(argv[4]) : 0;
	if (n < 1 || n > MAX_N || inet_pton(AF_INET, argv[2], &addr.sin_addr) != 1) {
		fprintf(stderr, "pingpong serve PORT | tcp|udp ADDRESS PORT N\n");
		return 2;
	}
	addr.sin_port = htons((uint16_t)atoi(argv[3]));
	ping(strcmp(argv[1], "udp") ? SOCK_STREAM : SOCK_DGRAM, n);
	return 0;
}
