/* SPDX-License-Identifier: MIT */
/* Unix sockets: room for datagrams as poll tells it, descriptors in messages that are read plainly, sockets lost in their own queues. */
#include "t.h"
#include <poll.h>
#include <pthread.h>
#include <stddef.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>

static struct sockaddr_un addr;
static socklen_t addr_len;
static char big[30000];

static int dgram(const char *name)
{
	int s = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0);

	if (name) {
		addr.sun_family = AF_UNIX;
		addr.sun_path[0] = 0;
		snprintf(addr.sun_path + 1, 90, "%s-%d", name, getpid());
		addr_len = offsetof(struct sockaddr_un, sun_path) + 1 + strlen(addr.sun_path + 1);
		bind(s, (struct sockaddr *)&addr, addr_len);
	}
	return s;
}

static int writable(int fd, int ms)
{
	struct pollfd p = { fd, POLLOUT, 0 };

	return poll(&p, 1, ms) == 1 ? p.revents : 0;
}

static int rx;

static void *drain_later(void *arg)
{
	(void)arg;
	t_sleep_ms(80);
	while (recv(rx, big, sizeof(big), 0) > 0)
		;
	return NULL;
}

static int fill(int fd, size_t size)
{
	int n = 0;

	while (send(fd, big, size, 0) > 0)
		n++;
	return n > 5 ? errno : 0;
}

static void room(size_t size)
{
	int c = dgram(NULL), u, sv[2], ep = epoll_create1(0);
	struct epoll_event ev = { .events = EPOLLOUT };
	pthread_t t;

	rx = dgram("room");
	R(connect(c, (struct sockaddr *)&addr, addr_len));
	u = dgram(NULL);
	R(writable(c, 0));
	R(fill(c, size) == EAGAIN);
	R(writable(c, 0));
	R(writable(u, 0));
	R(epoll_ctl(ep, EPOLL_CTL_ADD, c, &ev));
	R(epoll_wait(ep, &ev, 1, 0));
	pthread_create(&t, NULL, drain_later, NULL);
	R(epoll_wait(ep, &ev, 1, 5000));
	pthread_join(t, NULL);
	R(writable(c, 0));
	R(fill(c, size) == EAGAIN);
	pthread_create(&t, NULL, drain_later, NULL);
	R(writable(c, 5000));
	pthread_join(t, NULL);
	R(fill(c, size) == EAGAIN);
	close(rx);
	R(writable(c, 1000));
	R(send(c, "x", 1, 0));
	close(c);
	close(u);
	close(ep);
	socketpair(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0, sv);
	R(fill(sv[0], size) == EAGAIN);
	R(writable(sv[0], 0));
	rx = sv[1];
	pthread_create(&t, NULL, drain_later, NULL);
	R(writable(sv[0], 5000));
	pthread_join(t, NULL);
	fcntl(sv[0], F_SETFL, 0);
	pthread_create(&t, NULL, drain_later, NULL);
	fill(sv[1], size);
	for (int i = 0; i < 3; i++)
		R(send(sv[0], big, size, 0) == (ssize_t)size);
	pthread_join(t, NULL);
	close(sv[0]);
	close(sv[1]);
}

static ssize_t give(int to, const void *buf, size_t len, const int *fds, int n)
{
	union { char b[CMSG_SPACE(16 * sizeof(int))]; struct cmsghdr h; } u;
	struct iovec v = { (void *)buf, len };
	struct msghdr m = { .msg_iov = &v, .msg_iovlen = 1 };

	if (n) {
		m.msg_control = u.b;
		m.msg_controllen = CMSG_SPACE(n * sizeof(int));
		u.h.cmsg_level = SOL_SOCKET;
		u.h.cmsg_type = SCM_RIGHTS;
		u.h.cmsg_len = CMSG_LEN(n * sizeof(int));
		memcpy(CMSG_DATA(&u.h), fds, n * sizeof(int));
	}
	return sendmsg(to, &m, 0);
}

/* One recvmsg: bytes, descriptors, flags. Closes what came. */
static void take(int from, size_t len, bool control, int flags)
{
	union { char b[CMSG_SPACE(16 * sizeof(int))]; struct cmsghdr h; } u;
	struct iovec v = { big, len };
	struct msghdr m = { .msg_iov = &v, .msg_iovlen = 1, .msg_control = control ? u.b : NULL,
			    .msg_controllen = control ? sizeof(u.b) : 0 };
	ssize_t r = recvmsg(from, &m, flags);
	struct cmsghdr *h = r >= 0 ? CMSG_FIRSTHDR(&m) : NULL;
	int n = h ? (h->cmsg_len - CMSG_LEN(0)) / sizeof(int) : 0;

	t_say("took %zd, %d descriptors, flags %x", r, n, m.msg_flags);
	for (int i = 0; i < n; i++)
		close(((int *)CMSG_DATA(h))[i]);
}

/* Is the other end of this pipe closed everywhere? */
static bool hung_up(int rd)
{
	struct pollfd p = { rd, POLLIN, 0 };

	return poll(&p, 1, 0) == 1 && p.revents & POLLHUP;
}

static void plain_reads(int type)
{
	int sv[2], p[2];
	char b[100];

	t_say("-- plain reads, type %d", type);
	socketpair(AF_UNIX, type, 0, sv);
	pipe(p);
	R(give(sv[0], "abcdef", 6, &p[1], 1));
	close(p[1]);
	Y(hung_up(p[0]));
	R(recv(sv[1], b, 2, MSG_PEEK));
	Y(hung_up(p[0]));
	R(read(sv[1], b, 2));
	Y(hung_up(p[0]));
	R(send(sv[0], "more", 4, 0));
	take(sv[1], 100, true, MSG_DONTWAIT);
	close(p[0]);
	pipe(p);
	R(give(sv[0], "abcdef", 6, &p[1], 1));
	close(p[1]);
	take(sv[1], 2, false, 0);
	Y(hung_up(p[0]));
	take(sv[1], 100, true, MSG_DONTWAIT);
	close(p[0]);
	pipe(p);
	R(send(sv[0], "xy", 2, 0));
	R(give(sv[0], "abcdef", 6, p, 2));
	R(send(sv[0], "zz", 2, 0));
	take(sv[1], 4, true, MSG_PEEK);
	take(sv[1], 100, true, MSG_DONTWAIT);
	take(sv[1], 100, true, MSG_DONTWAIT);
	take(sv[1], 100, true, MSG_DONTWAIT);
	for (int i = 0; i < 2; i++) {
		close(sv[i]);
		close(p[i]);
	}
}

/* Sends each end of a pair over the other, with the write end of a pipe along: it closes when the pair is collected. */
static int lost_pair(bool by_itself)
{
	int sv[2], p[2], fds[2];

	socketpair(AF_UNIX, SOCK_STREAM, 0, sv);
	pipe(p);
	fds[0] = sv[by_itself ? 1 : 0];
	fds[1] = p[1];
	give(sv[0], "a", 1, fds, 2);
	fds[0] = sv[by_itself ? 0 : 1];
	give(sv[1], "b", 1, fds, 1);
	close(p[1]);
	close(sv[0]);
	close(sv[1]);
	return p[0];
}

static bool wait_hup(int rd)
{
	int sv[2];

	for (int i = 0; i < 200 && !hung_up(rd); i++) {
		socketpair(AF_UNIX, SOCK_STREAM, 0, sv); /* the collector runs when unix sockets close */
		close(sv[0]);
		close(sv[1]);
		t_sleep_ms(5);
	}
	return hung_up(rd);
}

static void cycles(void)
{
	int bad = 0, sv[2], keep[2], l, c, p[2], fds[2];
	struct rlimit rl;
	char b[4];

	Y(wait_hup(lost_pair(true)));
	Y(wait_hup(lost_pair(false)));
	/* more than the bound on descriptors in flight, if they were kept */
	getrlimit(RLIMIT_NOFILE, &rl);
	for (int i = 0; i < 9000; i++) {
		socketpair(AF_UNIX, SOCK_DGRAM, 0, sv);
		bad += give(sv[0], "a", 1, sv, 2) != 1;
		close(sv[0]);
		close(sv[1]);
	}
	R(bad);
	/* reachable ones stay: keep[1] holds a message with sv, whose queue holds the pipe */
	socketpair(AF_UNIX, SOCK_STREAM, 0, keep);
	socketpair(AF_UNIX, SOCK_STREAM, 0, sv);
	pipe(p);
	give(sv[0], "p", 1, &p[1], 1);
	give(keep[0], "s", 1, sv, 2);
	close(p[1]);
	close(sv[0]);
	close(sv[1]);
	lost_pair(true);
	t_sleep_ms(30);
	Y(hung_up(p[0]));
	read(keep[1], b, 1); /* discards the pair, and with it the pipe */
	Y(wait_hup(p[0]));
	/* a listener in flight whose pending connection's queue holds it */
	l = socket(AF_UNIX, SOCK_STREAM, 0);
	addr.sun_family = AF_UNIX;
	snprintf(addr.sun_path + 1, 90, "listen-%d", getpid());
	addr_len = offsetof(struct sockaddr_un, sun_path) + 1 + strlen(addr.sun_path + 1);
	bind(l, (struct sockaddr *)&addr, addr_len);
	listen(l, 5);
	c = socket(AF_UNIX, SOCK_STREAM, 0);
	connect(c, (struct sockaddr *)&addr, addr_len);
	pipe(p);
	fds[0] = l;
	fds[1] = p[1];
	R(give(c, "l", 1, fds, 2));
	close(p[1]);
	close(l);
	close(c);
	Y(wait_hup(p[0]));
}

static int by_text(const void *a, const void *b)
{
	return strcmp(a, b);
}

/* /proc/net/unix: the lines of sockets with names of ours. */
static void listing(void)
{
	char line[300], name[40], path[] = "sock";
	struct sockaddr_un pa = { .sun_family = AF_UNIX };
	int l = socket(AF_UNIX, SOCK_STREAM, 0), c = socket(AF_UNIX, SOCK_STREAM, 0), d = dgram(NULL);
	unsigned long ino;
	unsigned ref, proto, flags, type, state;
	char found[8][120];
	struct stat st;
	FILE *f;
	int n = 0;

	t_say("-- listing");
	snprintf(name, sizeof(name), "@shown-%d", getpid());
	addr.sun_family = AF_UNIX;
	addr.sun_path[0] = 0;
	strcpy(addr.sun_path + 1, name + 1);
	addr_len = offsetof(struct sockaddr_un, sun_path) + strlen(name);
	bind(l, (struct sockaddr *)&addr, addr_len);
	listen(l, 5);
	connect(c, (struct sockaddr *)&addr, addr_len);
	strcpy(pa.sun_path, path);
	unlink(path);
	bind(d, (struct sockaddr *)&pa, sizeof(pa));
	f = fopen("/proc/net/unix", "r");
	fgets(line, sizeof(line), f);
	printf("%s", line);
	fstat(d, &st);
	while (fgets(line, sizeof(line), f)) {
		char shown[100] = "";

		if (sscanf(line, "%*x: %x %x %x %x %x %lu %99s", &ref, &proto, &flags, &type, &state, &ino, shown) < 6)
			continue;
		if (strcmp(shown, name) && strcmp(shown, path))
			continue;
		if (n < 8)
			snprintf(found[n++], sizeof(found[0]), "%s: protocol %x flags %x type %x state %x%s", shown[0] == '@' ? "@" : shown,
				 proto, flags, type, state, ino == st.st_ino ? ", the inode is right" : "");
	}
	fclose(f);
	qsort(found, n, sizeof(found[0]), by_text); /* Linux lists them by hash */
	for (int i = 0; i < n; i++)
		t_say("%s", found[i]);
	close(l);
	close(c);
	close(d);
	unlink(path);
}

int main(void)
{
	signal(SIGPIPE, SIG_IGN);
	room(1);
	room(20000);
	plain_reads(SOCK_STREAM);
	plain_reads(SOCK_SEQPACKET);
	plain_reads(SOCK_DGRAM);
	cycles();
	listing();
	return 0;
}
