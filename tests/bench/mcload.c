/* SPDX-License-Identifier: MIT */
/*
 * A load for memcached, for make bench-net, the same binary on Linux and in an instance: "mcload ADDRESS PORT CONNECTIONS REQUESTS" keeps one request
 * in flight on each connection from one thread with epoll: nine gets to one set, 100-byte values, 1,000 keys that were set before. Prints
 * requests/s and the p50 and p99 in microseconds. Every answer is compared; a wrong one ends it with an error.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define KEYS  1000
#define VALUE 100
#define CONNS 1000

struct conn {
	int fd;
	uint64_t since;
	char want[256], got[256];
	size_t want_len, got_len;
};

static struct conn conns[CONNS];
static uint32_t *took; /* ns */
static long sent, done, total;

static void fail(const char *what)
{
	fprintf(stderr, "mcload: %s: %s\n", what, strerror(errno));
	exit(1);
}

static uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

static void value_of(long key, char *v)
{
	for (int i = 0; i < VALUE; i++)
		v[i] = (char)('a' + (key + i) % 26);
}

static void request(struct conn *c, long key, int set)
{
	char text[256], v[VALUE + 1] = { 0 };
	int n;

	value_of(key, v);
	if (set) {
		n = snprintf(text, sizeof(text), "set key%06ld 0 0 %d\r\n%s\r\n", key, VALUE, v);
		c->want_len = (size_t)snprintf(c->want, sizeof(c->want), "STORED\r\n");
	} else {
		n = snprintf(text, sizeof(text), "get key%06ld\r\n", key);
		c->want_len = (size_t)snprintf(c->want, sizeof(c->want),
					       "VALUE key%06ld 0 %d\r\n%s\r\nEND\r\n", key, VALUE,
					       v);
	}
	c->got_len = 0;
	c->since = now_ns();
	if (write(c->fd, text, (size_t)n) != n)
		fail("write");
}

/* True when the answer is complete. */
static int answer(struct conn *c)
{
	ssize_t n = read(c->fd, c->got + c->got_len, c->want_len - c->got_len);

	if (n <= 0)
		fail("read");
	c->got_len += (size_t)n;
	if (memcmp(c->got, c->want, c->got_len)) {
		fprintf(stderr, "mcload: a wrong answer: %.*s\n", (int)c->got_len, c->got);
		exit(1);
	}
	return c->got_len == c->want_len;
}

static void next(struct conn *c)
{
	long i = sent++;

	request(c, (i * 7919) % KEYS, i % 10 == 9);
}

static void load(int ep)
{
	struct epoll_event ev[64];

	while (done < total) {
		int n = epoll_wait(ep, ev, 64, 10000);

		if (n <= 0)
			fail("no answer");
		for (int i = 0; i < n; i++) {
			struct conn *c = ev[i].data.ptr;

			if (!answer(c))
				continue;
			took[done++] = (uint32_t)(now_ns() - c->since);
			if (sent < total)
				next(c);
		}
	}
}

static int before(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return x < y ? -1 : x > y;
}

int main(int argc, char **argv)
{
	struct sockaddr_in a = { .sin_family = AF_INET };
	int nr = argc == 5 ? atoi(argv[3]) : 0, ep = epoll_create1(0), one = 1;
	uint64_t t0;

	total = argc == 5 ? atol(argv[4]) : 0;
	if (nr < 1 || nr > CONNS || total < nr || inet_pton(AF_INET, argv[1], &a.sin_addr) != 1) {
		fprintf(stderr, "mcload ADDRESS PORT CONNECTIONS REQUESTS\n");
		return 2;
	}
	a.sin_port = htons((uint16_t)atoi(argv[2]));
	took = calloc((size_t)total, sizeof(*took));
	if (!took || ep < 0)
		fail("start");
	for (int i = 0; i < nr; i++) {
		struct epoll_event ev = { .events = EPOLLIN, .data.ptr = &conns[i] };

		conns[i].fd = socket(AF_INET, SOCK_STREAM, 0);
		if (conns[i].fd < 0 ||
		    setsockopt(conns[i].fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one)) ||
		    connect(conns[i].fd, (struct sockaddr *)&a, sizeof(a)) ||
		    epoll_ctl(ep, EPOLL_CTL_ADD, conns[i].fd, &ev))
			fail("connect");
	}
	for (long k = 0; k < KEYS; k++) {
		request(&conns[0], k, 1);
		while (!answer(&conns[0]))
			;
	}
	t0 = now_ns();
	for (int i = 0; i < nr; i++)
		next(&conns[i]);
	load(ep);
	t0 = now_ns() - t0;
	qsort(took, (size_t)total, sizeof(*took), before);
	printf("%.0f %.1f %.1f\n", (double)total * 1e9 / (double)t0, took[total / 2] / 1000.0,
	       took[total * 99 / 100] / 1000.0);
	return 0;
}
