/* SPDX-License-Identifier: MIT */
/*
 * -p with --net tap or switch: a process of the launcher's that accepts on the host's ports and passes bytes to and from the instance's, whose
 * address the host must be able to reach (TAP: it is on the same link; switch: through an uplink). TCP only; --net passt does both itself.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tools/jctl/jctl.h"
#include "tools/jctl/launch.h"

#define PIPE_BYTES 65536
#define MAX_CONNS  1024

/* One direction of a connection. */
struct flow {
	int from, to;
	u32 at, len;
	bool is_over; /* end of file was seen */
	bool is_told; /* and passed on */
	char buf[PIPE_BYTES];
};
struct conn {
	int fd[2];
	bool is_connecting;
	struct flow flow[2];
};

static struct conn *conns[MAX_CONNS];
static int listeners[CONFIG_MAX_PORTS];
static unsigned nr_listeners;

static int open_listener(const struct config_publish *p)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = htons(p->host_port), .sin_addr.s_addr = p->host_ip };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), one = 1, err;

	if (fd < 0)
		return -errno;
	(void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (bind(fd, (struct sockaddr *)&a, sizeof(a)) || listen(fd, 128)) {
		err = -errno;
		close(fd);
		return err;
	}
	return fd;
}

static void close_conn(unsigned i)
{
	close(conns[i]->fd[0]);
	close(conns[i]->fd[1]);
	free(conns[i]);
	conns[i] = NULL;
}

static void accept_one(int listener, u32 ip, u16 port)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = ip };
	int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK), out;
	struct conn *c;
	unsigned i = 0;

	if (fd < 0)
		return;
	while (i < MAX_CONNS && conns[i])
		i++;
	c = i < MAX_CONNS ? malloc(sizeof(*c)) : NULL;
	out = c ? socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0) : -1;
	if (out < 0 || (connect(out, (struct sockaddr *)&a, sizeof(a)) && errno != EINPROGRESS)) {
		close(fd);
		if (out >= 0)
			close(out);
		free(c);
		return;
	}
	c->fd[0] = fd;
	c->fd[1] = out;
	c->is_connecting = true;
	for (int d = 0; d < 2; d++) {
		c->flow[d].from = c->fd[d];
		c->flow[d].to = c->fd[!d];
		c->flow[d].at = c->flow[d].len = 0;
		c->flow[d].is_over = c->flow[d].is_told = false;
	}
	conns[i] = c;
}

/* As much as goes now. False: the connection is broken. */
static bool pump(struct flow *f)
{
	for (;;) {
		ssize_t n;

		if (!f->len && !f->is_over) {
			n = recv(f->from, f->buf, sizeof(f->buf), 0);
			if (n < 0)
				return errno == EAGAIN || errno == EINTR;
			f->is_over = !n;
			f->at = 0;
			f->len = (u32)n;
		}
		if (!f->len) {
			if (!f->is_told)
				shutdown(f->to, SHUT_WR);
			f->is_told = true;
			return true;
		}
		n = send(f->to, f->buf + f->at, f->len, MSG_NOSIGNAL);
		if (n < 0)
			return errno == EAGAIN || errno == EINTR;
		f->at += (u32)n;
		f->len -= (u32)n;
	}
}

static short wanted(const struct conn *c, int side)
{
	const struct flow *in = &c->flow[side], *out = &c->flow[!side];

	if (c->is_connecting)
		return side ? POLLOUT : 0;
	return (short)((!in->is_over && !in->len ? POLLIN : 0) | (out->len ? POLLOUT : 0));
}

static void serve_conn(unsigned i, short events)
{
	struct conn *c = conns[i];
	int err = 0;
	socklen_t len = sizeof(err);

	if (!events)
		return;
	if (c->is_connecting && (getsockopt(c->fd[1], SOL_SOCKET, SO_ERROR, &err, &len) || err)) {
		close_conn(i);
		return;
	}
	c->is_connecting = false;
	if (!pump(&c->flow[0]) || !pump(&c->flow[1]) || (c->flow[0].is_told && c->flow[1].is_told))
		close_conn(i);
}

/* All else belongs to the launcher and the instance: what we held would outlive them. */
static void keep_only(int life)
{
	for (int fd = 3; fd < 1024; fd++) {
		bool is_ours = fd == life;

		for (unsigned i = 0; i < nr_listeners; i++)
			is_ours |= fd == listeners[i];
		if (!is_ours)
			close(fd);
	}
}

/* Until the launcher's end of `life` is closed. */
static void serve(const struct run_config *c, u32 ip, int life)
{
	static struct pollfd p[CONFIG_MAX_PORTS + 2 * MAX_CONNS + 1];
	static unsigned which[MAX_CONNS];

	for (;;) {
		unsigned n = 0, k = 0;

		for (; n < nr_listeners; n++)
			p[n] = (struct pollfd){ .fd = listeners[n], .events = POLLIN };
		for (unsigned i = 0; i < MAX_CONNS; i++) {
			if (!conns[i])
				continue;
			which[k++] = i;
			for (int side = 0; side < 2; side++)
				p[n++] = (struct pollfd){ .fd = wanted(conns[i], side) ? conns[i]->fd[side] : -1, .events = wanted(conns[i], side) };
		}
		p[n] = (struct pollfd){ .fd = life, .events = POLLIN };
		if (poll(p, n + 1, -1) < 0)
			continue;
		if (p[n].revents)
			_exit(0);
		for (unsigned i = 0; i < k; i++)
			serve_conn(which[i], (short)(p[nr_listeners + 2 * i].revents | p[nr_listeners + 2 * i + 1].revents));
		for (unsigned i = 0; i < nr_listeners; i++)
			if (p[i].revents)
				accept_one(listeners[i], ip, c->publish[i].port);
	}
}

int publish_start(struct launch *l)
{
	const struct run_config *c = l->cfg;
	pid_t pid;
	sigset_t none;
	int life[2];

	if (!c->nr_publish || c->net == JABI_NET_STREAM)
		return 0;
	for (unsigned i = 0; i < c->nr_publish; i++) {
		int fd = c->publish[i].is_udp ? -EPROTONOSUPPORT : open_listener(&c->publish[i]);

		if (fd == -EPROTONOSUPPORT)
			return jctl_fail("use --net passt", "-p: UDP ports are published by passt only");
		if (fd < 0)
			return jctl_fail_errno(-fd, "choose a free port", "-p %u", c->publish[i].host_port);
		listeners[nr_listeners++] = fd;
	}
	if (pipe2(life, O_CLOEXEC))
		return jctl_fail_errno(errno, NULL, "-p");
	fflush(NULL);
	pid = fork();
	if (pid < 0)
		return jctl_fail_errno(errno, NULL, "-p");
	if (!pid) {
		/* No child of the launcher's: those are the instance. It ends when the launcher's end of the pipe is closed. */
		if (fork())
			_exit(0);
		sigemptyset(&none);
		sigprocmask(SIG_SETMASK, &none, NULL);
		signal(SIGINT, SIG_IGN);
		keep_only(life[0]);
		serve(c, l->boot.net.ip4, life[0]);
	}
	for (unsigned i = 0; i < nr_listeners; i++)
		close(listeners[i]);
	close(life[0]);
	waitpid(pid, NULL, 0);
	return 0; /* life[1] stays open as long as we live */
}
