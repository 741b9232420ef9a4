/* SPDX-License-Identifier: MIT */
/* Unix sockets: three types, descriptor passing, credentials, abstract names, errors. */
#include "t.h"
#include <pthread.h>
#include <stddef.h>
#include <sys/socket.h>
#include <sys/ioctl.h>
#include <sys/un.h>

static ssize_t send_fds(int s, int *fds, int n, const char *text)
{
	char cb[CMSG_SPACE(sizeof(int) * 8)] = "";
	struct iovec v = { (void *)text, strlen(text) };
	struct msghdr m = { .msg_iov = &v, .msg_iovlen = 1, .msg_control = cb,
			    .msg_controllen = CMSG_SPACE(sizeof(int) * (size_t)n) };
	struct cmsghdr *c = CMSG_FIRSTHDR(&m);

	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(sizeof(int) * (size_t)n);
	memcpy(CMSG_DATA(c), fds, sizeof(int) * (size_t)n);
	return sendmsg(s, &m, 0);
}

static int recv_fds(int s, int *fds, int max, size_t room)
{
	char cb[CMSG_SPACE(sizeof(int) * 8)], b[64] = "";
	struct iovec v = { b, sizeof(b) - 1 };
	struct msghdr m = { .msg_iov = &v, .msg_iovlen = 1, .msg_control = cb,
			    .msg_controllen = room };
	ssize_t n = recvmsg(s, &m, MSG_CMSG_CLOEXEC);
	struct cmsghdr *c = CMSG_FIRSTHDR(&m);
	int k = 0;

	if (c && c->cmsg_type == SCM_RIGHTS) {
		k = (int)((c->cmsg_len - CMSG_LEN(0)) / sizeof(int));
		memcpy(fds, CMSG_DATA(c), sizeof(int) * (size_t)(k < max ? k : max));
	}
	t_say("recv %zd \"%s\" fds %d trunc %d", n, b, k, !!(m.msg_flags & MSG_CTRUNC));
	return k;
}

static void rights(void)
{
	int sv[2], p[2], got[8], st;
	char b[16];

	socketpair(AF_UNIX, SOCK_STREAM, 0, sv);
	pipe(p);
	R(send_fds(sv[0], p, 2, "two"));
	recv_fds(sv[1], got, 8, CMSG_SPACE(sizeof(int) * 8));
	R(write(got[1], "through", 7));
	R(read(p[0], b, 16));
	Y(fcntl(got[0], F_GETFD) == FD_CLOEXEC);
	R(send_fds(sv[0], p, 2, "trunc"));
	recv_fds(sv[1], got, 8, CMSG_LEN(sizeof(int)));
	R(send_fds(sv[0], p, 1, "a"));
	R(write(sv[0], "b", 1));
	R(read(sv[1], b, 16));
	R(read(sv[1], b, 16));
	p[0] = 99;
	R(send_fds(sv[0], p, 1, "bad"));
	fflush(stdout);
	if (fork() == 0) {
		int q[2];

		pipe(q);
		write(q[1], "from child", 10);
		send_fds(sv[0], q, 1, "child");
		_exit(0);
	}
	wait(&st);
	recv_fds(sv[1], got, 8, CMSG_SPACE(sizeof(int) * 8));
	R(read(got[0], b, 16));
	R(read(got[0], b, 16));
}

static void creds(void)
{
	int sv[2], one = 1;
	struct ucred c;
	socklen_t l = sizeof(c);
	char cb[200], b[8];
	struct iovec v = { b, 8 };
	struct msghdr m = { .msg_iov = &v, .msg_iovlen = 1, .msg_control = cb,
			    .msg_controllen = sizeof(cb) };

	socketpair(AF_UNIX, SOCK_DGRAM, 0, sv);
	R(getsockopt(sv[0], SOL_SOCKET, SO_PEERCRED, &c, &l));
	Y(c.pid == getpid() && c.uid == getuid());
	R(setsockopt(sv[1], SOL_SOCKET, SO_PASSCRED, &one, sizeof(one)));
	R(write(sv[0], "x", 1));
	R(recvmsg(sv[1], &m, 0));
	for (struct cmsghdr *h = CMSG_FIRSTHDR(&m); h; h = CMSG_NXTHDR(&m, h)) {
		memcpy(&c, CMSG_DATA(h), sizeof(c));
		t_say("cmsg type %d mine %d", h->cmsg_type, c.pid == getpid());
	}
}

static void *client(void *arg)
{
	int s = socket(AF_UNIX, SOCK_STREAM, 0);
	char b[32];

	t_sleep_ms(20);
	connect(s, arg, sizeof(struct sockaddr_un));
	write(s, "request", 7);
	shutdown(s, SHUT_WR);
	read(s, b, sizeof(b));
	close(s);
	return NULL;
}

static void stream(void)
{
	struct sockaddr_un a = { AF_UNIX, "sock" }, peer;
	socklen_t l = sizeof(peer);
	int s = socket(AF_UNIX, SOCK_STREAM, 0), c, n;
	pthread_t t;
	char b[32] = "";

	R(connect(s, (void *)&a, sizeof(a)));
	R(bind(s, (void *)&a, sizeof(a)));
	R(connect(socket(AF_UNIX, SOCK_STREAM, 0), (void *)&a, sizeof(a)));
	R(bind(socket(AF_UNIX, SOCK_STREAM, 0), (void *)&a, sizeof(a)));
	R(accept(s, NULL, NULL));
	R(listen(s, 1));
	R(connect(socket(AF_UNIX, SOCK_DGRAM, 0), (void *)&a, sizeof(a)));
	pthread_create(&t, NULL, client, &a);
	c = accept(s, (void *)&peer, &l);
	t_say("peer len %d family %d", (int)l, peer.sun_family);
	R(recv(c, b, 32, MSG_WAITALL));
	t_say("%s", b);
	R(read(c, b, 32));
	R(ioctl(c, FIONREAD, &n));
	R(send(c, "reply", 5, 0));
	l = sizeof(peer);
	R(getsockname(c, (void *)&peer, &l));
	t_say("%d %s", (int)l, peer.sun_path);
	pthread_join(t, NULL);
	R(read(c, b, 32));
	signal(SIGPIPE, SIG_IGN);
	R(write(c, "x", 1));
	R(send(c, "x", 1, MSG_NOSIGNAL));
	R(unlink("sock"));
}

static void abstract(void)
{
	struct sockaddr_un a = { AF_UNIX, "\0guest-abstract" }, g;
	socklen_t l = offsetof(struct sockaddr_un, sun_path) + 15, gl;
	int s = socket(AF_UNIX, SOCK_SEQPACKET, 0), c = socket(AF_UNIX, SOCK_SEQPACKET, 0), d;
	char b[16];

	R(bind(s, (void *)&a, l));
	R(listen(s, 5));
	R(connect(c, (void *)&a, l));
	d = accept4(s, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	Y(fcntl(d, F_GETFL) & O_NONBLOCK);
	R(send(c, "first", 5, 0));
	R(send(c, "second message", 14, 0));
	R(recv(d, b, 3, 0));
	R(recv(d, b, 16, MSG_PEEK | MSG_TRUNC));
	R(recv(d, b, 4, MSG_TRUNC));
	R(recv(d, b, 16, 0));
	close(c);
	R(recv(d, b, 16, 0));
	gl = sizeof(g);
	R(getpeername(d, (void *)&g, &gl));
	gl = sizeof(g);
	R(getsockname(s, (void *)&g, &gl));
	t_say("len %d nul %d %.14s", (int)gl, g.sun_path[0], g.sun_path + 1);
	d = socket(AF_UNIX, SOCK_DGRAM, 0);
	gl = sizeof(g);
	R(bind(d, (void *)&a, sizeof(sa_family_t)));
	R(getsockname(d, (void *)&g, &gl));
	t_say("autobind len %d", (int)gl);
}

static void dgram(void)
{
	struct sockaddr_un a = { AF_UNIX, "dg" }, from;
	socklen_t l = sizeof(from);
	int s = socket(AF_UNIX, SOCK_DGRAM, 0), c = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0), n;
	char b[16];

	bind(s, (void *)&a, sizeof(a));
	R(sendto(c, "one", 3, 0, (void *)&a, sizeof(a)));
	R(sendto(c, "", 0, 0, (void *)&a, sizeof(a)));
	R(recvfrom(s, b, 16, 0, (void *)&from, &l));
	t_say("from len %d", (int)l);
	R(recv(s, b, 16, 0));
	R(recv(s, b, 16, MSG_DONTWAIT));
	R(send(c, "x", 1, 0));
	for (n = 0; n < 10000 && sendto(c, "x", 1, 0, (void *)&a, sizeof(a)) == 1; n++)
		;
	t_say("full %s bounded %d", strerrorname_np(errno), n < 10000);
	close(s);
	R(sendto(c, "x", 1, 0, (void *)&a, sizeof(a)));
	R(socket(AF_UNIX, SOCK_RAW + 10, 0));
	R(socket(77, SOCK_STREAM, 0));
	R(socket(AF_UNIX, SOCK_STREAM, 7));
	R(socketpair(AF_INET, SOCK_STREAM, 0, (int[2]){ 0, 0 }));
	R(listen(c, 1));
	R(bind(0, (void *)&a, sizeof(a)));
}

int main(void)
{
	rights();
	creds();
	stream();
	abstract();
	dgram();
	return 0;
}
