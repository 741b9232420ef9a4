/* SPDX-License-Identifier: MIT */
/*
 * bulk: one TCP connection, one direction, for some seconds; the receiver says what it got, and that the bytes are right.
 *
 *   bulk listen PORT  send|recv SECONDS [CONGESTION]
 *   bulk connect HOST PORT send|recv SECONDS [CONGESTION]
 *
 * The receiver prints "BYTES NANOSECONDS", from the first byte to the last.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define PERIOD 65521 /* prime: no buffer size divides it */

static uint8_t pattern[PERIOD + 65536];

static int64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000000ll + t.tv_nsec;
}

static void fail(const char *what)
{
	perror(what);
	exit(1);
}

static void do_send(int fd, int secs)
{
	int64_t end = now_ns() + secs * 1000000000ll;
	uint64_t pos = 0;

	while (now_ns() < end) {
		ssize_t n = send(fd, pattern + pos % PERIOD, 65536, MSG_NOSIGNAL);

		if (n < 0)
			fail("send");
		pos += (uint64_t)n;
	}
	shutdown(fd, SHUT_WR);
	(void)!read(fd, pattern, 1); /* until the other end has read all */
}

static void do_recv(int fd)
{
	static uint8_t buf[65536];
	int64_t start = 0, end = 0;
	uint64_t pos = 0;
	ssize_t n;

	while ((n = read(fd, buf, sizeof(buf))) > 0) {
		if (!start)
			start = now_ns();
		if (memcmp(buf, pattern + pos % PERIOD, (size_t)n)) {
			fprintf(stderr, "wrong bytes after %llu\n", (unsigned long long)pos);
			exit(1);
		}
		pos += (uint64_t)n;
		end = now_ns();
	}
	if (n < 0)
		fail("read");
	printf("%llu %lld\n", (unsigned long long)pos, (long long)(end - start));
}

int main(int argc, char **argv)
{
	struct sockaddr_in a = { .sin_family = AF_INET };
	int fd = socket(AF_INET, SOCK_STREAM, 0), one = 1, at, secs;

	if (argc < 5)
		return 2;
	for (unsigned i = 0; i < sizeof(pattern); i++)
		pattern[i] = (uint8_t)((i % PERIOD) * 31 + (i % PERIOD) / 251);
	at = strcmp(argv[1], "listen") ? 4 : 3;
	a.sin_port = htons((uint16_t)atoi(argv[at - 1]));
	secs = atoi(argv[at + 1]);
	if (argc > at + 2 && setsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, argv[at + 2], (socklen_t)strlen(argv[at + 2])))
		fail(argv[at + 2]);
	if (at == 3) {
		int l = fd;

		setsockopt(l, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
		if (bind(l, (void *)&a, sizeof(a)) || listen(l, 1))
			fail("listen");
		fd = accept(l, NULL, NULL);
		if (fd < 0)
			fail("accept");
		close(l);
	} else {
		inet_pton(AF_INET, argv[2], &a.sin_addr);
		if (connect(fd, (void *)&a, sizeof(a)))
			fail("connect");
	}
	if (!strcmp(argv[at], "send"))
		do_send(fd, secs);
	else
		do_recv(fd);
	close(fd);
	return 0;
}
