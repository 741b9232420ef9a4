/* SPDX-License-Identifier: MIT */
/* guest: time=60 */
/*
 * Sockets used by many threads at once over loopback: streams with a writer and a reader each, connections that come, go, are reset or shut
 * down under a blocked reader, datagrams both ways, and others that poll and ask meanwhile. Every byte is looked at.
 */
#include "t.h"
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#define CLIENTS 4
#define SERVERS 4
#define ROUNDS 120
#define PAIRS 2
#define DGRAMS 6000

static int family, lfd;
static struct sockaddr_storage where;
static socklen_t where_len;
static atomic_int over, bad, resets, echoed, watched[CLIENTS * 2];
static atomic_long bytes;

static void fail(const char *what, long a, long b)
{
	if (atomic_fetch_add(&bad, 1) < 5)
		printf("wrong: %s %ld %ld errno %d\n", what, a, b, errno);
}

static uint32_t next(uint32_t *x)
{
	*x = *x * 1664525u + 1013904223u;
	return *x >> 8;
}

static unsigned char at(uint32_t salt, size_t pos)
{
	return (unsigned char)(pos * 31 + pos / 251 + salt);
}

static int address(struct sockaddr_storage *a, int port)
{
	struct sockaddr_in *v4 = (void *)a;
	struct sockaddr_in6 *v6 = (void *)a;

	memset(a, 0, sizeof(*a));
	if (family == AF_INET) {
		*v4 = (struct sockaddr_in){ .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
		return sizeof(*v4);
	}
	*v6 = (struct sockaddr_in6){ .sin6_family = AF_INET6, .sin6_port = htons(port), .sin6_addr = in6addr_loopback };
	return sizeof(*v6);
}

/* ---- streams ---- */

static void *serve(void *arg)
{
	static _Thread_local char buf[30000];

	(void)arg;
	for (;;) {
		int fd = accept(lfd, NULL, NULL);
		ssize_t n, m, r;

		if (fd < 0)
			return NULL; /* shut down */
		while ((n = read(fd, buf, sizeof(buf))) > 0)
			for (m = 0; m < n; m += r) {
				r = send(fd, buf + m, (size_t)(n - m), MSG_NOSIGNAL);
				if (r <= 0)
					goto gone;
			}
gone:
		if (n < 0 && errno != ECONNRESET && errno != EPIPE)
			fail("server", n, 0);
		close(fd);
	}
}

struct flow {
	int fd;
	uint32_t salt;
	size_t total;
};

static void *write_all(void *arg)
{
	struct flow *f = arg;
	unsigned char buf[20000];
	uint32_t x = f->salt;
	size_t pos = 0;

	while (pos < f->total) {
		size_t n = 1 + next(&x) % sizeof(buf);
		ssize_t r;

		if (n > f->total - pos)
			n = f->total - pos;
		for (size_t i = 0; i < n; i++)
			buf[i] = at(f->salt, pos + i);
		for (size_t m = 0; m < n; m += (size_t)r) {
			r = send(f->fd, buf + m, n - m, MSG_NOSIGNAL);
			if (r <= 0) {
				fail("send", r, (long)pos);
				return NULL;
			}
		}
		pos += n;
	}
	if (shutdown(f->fd, SHUT_WR))
		fail("shutdown", 0, 0);
	return NULL;
}

static int dial(void)
{
	int fd = socket(family, SOCK_STREAM, 0);

	if (fd < 0 || connect(fd, (void *)&where, where_len)) {
		fail("connect", fd, 0);
		return -1;
	}
	return fd;
}

/* One thread sends, another reads it all back. */
static void echo_round(int slot, uint32_t salt)
{
	struct flow f = { .fd = dial(), .salt = salt, .total = 1 + salt % 300000 };
	static _Thread_local unsigned char buf[25000];
	uint32_t x = salt * 7 + 1;
	size_t pos = 0;
	pthread_t w;
	ssize_t r;

	if (f.fd < 0)
		return;
	atomic_store(&watched[slot], f.fd);
	pthread_create(&w, NULL, write_all, &f);
	for (;;) {
		if (next(&x) % 4 == 0) {
			struct pollfd p = { .fd = f.fd, .events = POLLIN };

			if (poll(&p, 1, 10000) != 1)
				fail("poll", p.revents, (long)pos);
		}
		r = recv(f.fd, buf, 1 + next(&x) % sizeof(buf), 0);
		if (r <= 0)
			break;
		for (ssize_t i = 0; i < r; i++)
			if (buf[i] != at(salt, pos + (size_t)i)) {
				fail("byte", (long)pos + i, buf[i]);
				break;
			}
		pos += (size_t)r;
	}
	pthread_join(w, NULL);
	if (r || pos != f.total)
		fail("stream", (long)pos, (long)f.total);
	atomic_store(&watched[slot], -1);
	close(f.fd);
	atomic_fetch_add(&bytes, (long)pos);
	atomic_fetch_add(&echoed, 1);
}

/* A reset while data is on its way. */
static void reset_round(uint32_t salt)
{
	struct linger l = { 1, 0 };
	char buf[5000];
	int fd = dial();

	if (fd < 0)
		return;
	memset(buf, 1, sizeof(buf));
	for (uint32_t i = 0; i < salt % 5; i++)
		(void)!send(fd, buf, sizeof(buf), MSG_NOSIGNAL);
	setsockopt(fd, SOL_SOCKET, SO_LINGER, &l, sizeof(l));
	close(fd);
	atomic_fetch_add(&resets, 1);
}

static void *read_blocked(void *arg)
{
	char c[100];
	ssize_t r;

	while ((r = recv(*(int *)arg, c, sizeof(c), 0)) > 0)
		;
	if (r && errno != ECONNRESET) /* the server writes to who reads no more */
		fail("blocked reader", r, 0);
	return NULL;
}

/* Somebody else ends a blocked read. */
static void shutdown_round(uint32_t salt)
{
	int fd = dial();
	pthread_t t;

	if (fd < 0)
		return;
	pthread_create(&t, NULL, read_blocked, &fd);
	for (uint32_t i = 0; i < salt % 4; i++)
		(void)!send(fd, "xyz", 3, MSG_NOSIGNAL);
	if (shutdown(fd, SHUT_RDWR))
		fail("shutdown both", 0, 0);
	pthread_join(t, NULL);
	close(fd);
}

static void *client(void *arg)
{
	int slot = (int)(intptr_t)arg;
	uint32_t x = (uint32_t)slot * 977 + 5;

	for (int i = 0; i < ROUNDS; i++) {
		echo_round(slot, next(&x));
		reset_round(next(&x));
		shutdown_round(next(&x));
	}
	return NULL;
}

/* Looks at what others use; numbers may be gone or somebody else's by then: only harm counts. */
static void *ask(void *arg)
{
	uint32_t x = 3;

	(void)arg;
	while (!atomic_load(&over)) {
		int fd = atomic_load(&watched[next(&x) % CLIENTS]), n, v;
		struct pollfd p = { .fd = fd, .events = POLLIN | POLLOUT };
		struct tcp_info ti;
		socklen_t len = sizeof(ti);

		if (fd < 0) {
			usleep(100);
			continue;
		}
		poll(&p, 1, 0);
		ioctl(fd, FIONREAD, &n);
		getsockopt(fd, IPPROTO_TCP, TCP_INFO, &ti, &len);
		len = sizeof(v);
		getsockopt(fd, SOL_SOCKET, SO_ERROR, &v, &len);
		v = (int)(next(&x) & 1);
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &v, sizeof(v));
		if (next(&x) % 8 == 0)
			usleep(50);
	}
	return NULL;
}

/* ---- datagrams ---- */

struct duo {
	int fd[2];
	uint32_t salt;
};

static void *answer(void *arg)
{
	struct duo *d = arg;
	unsigned char buf[9000];

	for (int i = 0; i < DGRAMS; i++) {
		ssize_t r = recv(d->fd[1], buf, sizeof(buf), 0);

		if (r < 0 || send(d->fd[1], buf, (size_t)r, 0) != r) {
			fail("datagram answer", r, i);
			return NULL;
		}
	}
	return NULL;
}

static void *question(void *arg)
{
	struct duo *d = arg;
	unsigned char buf[9000], got[9000];
	uint32_t x = d->salt;

	for (int i = 0; i < DGRAMS; i++) {
		size_t n = 1 + next(&x) % (i % 50 ? 1400 : 8900);
		ssize_t r;

		for (size_t k = 0; k < n; k++)
			buf[k] = at(d->salt + (uint32_t)i, k);
		if (send(d->fd[0], buf, n, 0) != (ssize_t)n)
			fail("datagram out", (long)n, i);
		r = recv(d->fd[0], got, sizeof(got), 0);
		if (r != (ssize_t)n || memcmp(buf, got, n)) {
			fail("datagram back", r, (long)n);
			return NULL;
		}
	}
	return NULL;
}

/* To where nobody is: errors come back while others are busy. */
static void *knock(void *arg)
{
	struct sockaddr_storage to;
	int fd = socket(family, SOCK_DGRAM, 0);
	socklen_t len = (socklen_t)address(&to, 9);

	(void)arg;
	if (connect(fd, (void *)&to, len))
		fail("connect", fd, 9);
	while (!atomic_load(&over)) {
		if (send(fd, "knock", 5, 0) != 5 && errno != ECONNREFUSED)
			fail("knock", 0, 0);
		usleep(200);
	}
	close(fd);
	return NULL;
}

static int bound(struct sockaddr_storage *a)
{
	socklen_t len = (socklen_t)address(a, 0);
	int fd = socket(family, SOCK_DGRAM, 0);

	if (bind(fd, (void *)a, len) || getsockname(fd, (void *)a, &len))
		fail("bind", fd, 0);
	return fd;
}

static void run(int f)
{
	pthread_t s[SERVERS], c[CLIENTS], q[PAIRS], a[PAIRS], other[2];
	struct duo d[PAIRS];

	family = f;
	where_len = (socklen_t)address(&where, 0);
	lfd = socket(family, SOCK_STREAM, 0);
	if (bind(lfd, (void *)&where, where_len) || getsockname(lfd, (void *)&where, &where_len) || listen(lfd, 64))
		fail("listen", lfd, 0);
	for (int i = 0; i < CLIENTS; i++)
		watched[i] = -1;
	over = echoed = resets = 0;
	bytes = 0;
	for (int i = 0; i < PAIRS; i++) {
		struct sockaddr_storage x, y;

		d[i] = (struct duo){ { bound(&x), bound(&y) }, (uint32_t)i * 31 + 9 };
		if (connect(d[i].fd[0], (void *)&y, where_len) || connect(d[i].fd[1], (void *)&x, where_len))
			fail("pair", i, 0);
		pthread_create(&a[i], NULL, answer, &d[i]);
		pthread_create(&q[i], NULL, question, &d[i]);
	}
	for (int i = 0; i < SERVERS; i++)
		pthread_create(&s[i], NULL, serve, NULL);
	for (int i = 0; i < CLIENTS; i++)
		pthread_create(&c[i], NULL, client, (void *)(intptr_t)i);
	pthread_create(&other[0], NULL, ask, NULL);
	pthread_create(&other[1], NULL, knock, NULL);
	for (int i = 0; i < CLIENTS; i++)
		pthread_join(c[i], NULL);
	for (int i = 0; i < PAIRS; i++) {
		pthread_join(q[i], NULL);
		pthread_join(a[i], NULL);
		close(d[i].fd[0]);
		close(d[i].fd[1]);
	}
	over = 1;
	pthread_join(other[0], NULL);
	pthread_join(other[1], NULL);
	shutdown(lfd, SHUT_RDWR);
	for (int i = 0; i < SERVERS; i++)
		pthread_join(s[i], NULL);
	close(lfd);
	printf("IPv%d: %d echoed, %ld bytes, %d reset, %d wrong\n", f == AF_INET ? 4 : 6, echoed, bytes, resets, bad);
}

int main(void)
{
	setvbuf(stdout, NULL, _IOLBF, 0);
	run(AF_INET);
	run(AF_INET6);
	return bad != 0;
}
