/* SPDX-License-Identifier: MIT */
/*
 * The control socket: who may have a port, the hello, the messages. A connection becomes a port's own, or serves one status request.
 * Nothing here waits for a client: a socket that would block ends its port.
 */
#include "scheduler/switch.h"

#include "scheduler/core.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

/* A connection without a port: before its hello, or being told the status. */
struct conn {
	struct source source;
	u32 uid;
	u32 told; /* STATUS: number of the last port that went out */
	bool is_status;
};
#define MAX_CONNS 64
static unsigned nr_conns;

static bool send_msg(int fd, const struct jabi_port_msg *m, const int *fds, unsigned nr_fds)
{
	union {
		char bytes[CMSG_SPACE(3 * sizeof(int))];
		struct cmsghdr align;
	} control;
	struct iovec iov = { (void *)m, sizeof(*m) };
	struct msghdr h = { .msg_iov = &iov, .msg_iovlen = 1 };

	if (nr_fds) {
		struct cmsghdr *c;

		memset(&control, 0, sizeof(control));
		h.msg_control = control.bytes;
		h.msg_controllen = CMSG_SPACE(nr_fds * sizeof(int));
		c = CMSG_FIRSTHDR(&h);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(nr_fds * sizeof(int));
		memcpy(CMSG_DATA(c), fds, nr_fds * sizeof(int));
	}
	return sendmsg(fd, &h, MSG_DONTWAIT | MSG_NOSIGNAL) == (ssize_t)sizeof(*m);
}

bool control_send(struct port *p, const struct jabi_port_msg *m, const int *fds, unsigned nr_fds)
{
	if (p->is_dead)
		return false;
	if (send_msg(p->ctl.fd, m, fds, nr_fds))
		return true;
	port_kill(p); /* it does not read what it is told */
	return false;
}

/* An attached port has nothing to say: what is readable is its end. */
void control_port_ready(struct source *s, u32 events)
{
	(void)events;
	port_kill(container_of(s, struct port, ctl));
}

static void conn_close(struct conn *c)
{
	loop_unwatch(&c->source);
	free(c);
	nr_conns--;
}

static void refuse(struct conn *c, int err)
{
	struct jabi_port_msg m = { .type = JABI_PORT_REFUSED, .error = (u32)err };

	(void)send_msg(c->source.fd, &m, NULL, 0);
	conn_close(c);
}

static void attach(struct conn *c, const struct jabi_port_hello *h)
{
	struct jabi_port_msg m = { .type = JABI_PORT_ATTACHED, .mtu = sw.mtu, .gw4 = sw.gw4, .prefix_len = (u16)sw.prefix_len };
	struct port *p;
	int r = port_create_lane(h, c->uid, &p), fds[3], fd;

	if (r)
		return refuse(c, -r);
	memcpy(m.mac, p->guard.mac, 6);
	m.ip4 = p->guard.ip4;
	memcpy(m.ip6, p->guard.ip6, 16);
	fds[0] = p->memfd;
	fds[1] = p->bell_read;
	fds[2] = p->kick.fd;
	fd = dup(c->source.fd);
	p->ctl.ready = control_port_ready;
	if (fd < 0 || loop_watch(&p->ctl, fd, EPOLLIN | EPOLLRDHUP) || !control_send(p, &m, fds, 3)) {
		if (fd >= 0 && p->ctl.fd < 0 && !p->is_dead)
			close(fd);
		port_kill(p);
		return conn_close(c);
	}
	close(p->memfd);
	close(p->bell_read);
	p->memfd = p->bell_read = -1;
	sw.had_port = true;
	conn_close(c);
}

/* Once told the connection is not needed: the bell lives as long as the instance. */
static void give_cores(struct conn *c)
{
	struct jabi_port_msg m = { .type = JABI_PORT_CORES_GIVEN };
	int fds[2], nr = core_serve_attach(fds, (u64 *)&m.rx_frames);

	if (nr < 0)
		return refuse(c, -nr);
	(void)send_msg(c->source.fd, &m, fds, (unsigned)nr); /* failing: the bell has lost its writer, that ends it */
	for (int i = 0; i < nr; i++)
		close(fds[i]);
	conn_close(c);
}

static void tell_status(struct conn *c)
{
	struct jabi_port_msg end = { .type = JABI_PORT_STATUS_END };
	struct port *p;

	list_for_each(p, &sw.ports, link) {
		struct jabi_port_msg m = p->stats;

		if (p->number <= c->told)
			continue;
		m.type = JABI_PORT_STATUS_PORT;
		m.slot = p->number;
		m.uid = p->uid;
		m.ip4 = p->guard.ip4;
		memcpy(m.mac, p->guard.mac, 6);
		memcpy(m.ip6, p->guard.ip6, 16);
		m.kind = p->ops->kind;
		m.peers = p->nr_peers;
		m.mtu = sw.mtu;
		memcpy(m.name, p->name, sizeof(m.name));
		if (!send_msg(c->source.fd, &m, NULL, 0))
			return; /* full: on at the next EPOLLOUT */
		c->told = p->number;
	}
	if (send_msg(c->source.fd, &end, NULL, 0))
		conn_close(c);
}

static void conn_ready(struct source *s, u32 events)
{
	struct conn *c = container_of(s, struct conn, source);
	struct epoll_event e = { .events = EPOLLOUT, .data.ptr = s };
	struct jabi_port_hello h;
	ssize_t n;

	if (c->is_status) {
		if (events & (EPOLLERR | EPOLLHUP))
			return conn_close(c);
		return tell_status(c);
	}
	n = recv(s->fd, &h, sizeof(h), MSG_DONTWAIT);
	if (n < 0 && errno == EAGAIN)
		return;
	if (n != (ssize_t)sizeof(h))
		return conn_close(c);
	h.name[sizeof(h.name) - 1] = 0;
	if (h.magic != JABI_PORT_MAGIC || h.version != JABI_PORT_VERSION)
		return refuse(c, EPROTO);
	if (h.op == JABI_PORT_ATTACH)
		return attach(c, &h);
	if (h.op == JABI_PORT_CORES)
		return give_cores(c);
	if (h.op != JABI_PORT_STATUS)
		return refuse(c, EINVAL);
	c->is_status = true;
	if (epoll_ctl(sw.epoll_fd, EPOLL_CTL_MOD, s->fd, &e))
		conn_close(c);
}

static bool may_connect(int fd, u32 *uid)
{
	struct ucred cred;
	socklen_t len = sizeof(cred);

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &len))
		return false;
	*uid = cred.uid;
	if (cred.uid == 0 || cred.uid == geteuid())
		return true;
	for (unsigned i = 0; i < sw.nr_allowed; i++)
		if (cred.uid == sw.allowed[i])
			return true;
	return false;
}

static void accept_ready(struct source *s, u32 events)
{
	int fd = accept4(s->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	struct conn *c = fd >= 0 ? calloc(1, sizeof(*c)) : NULL;

	(void)events;
	if (!c) {
		if (fd >= 0)
			close(fd);
		return;
	}
	nr_conns++;
	c->source.fd = fd;
	c->source.ready = conn_ready;
	if (nr_conns > MAX_CONNS)
		return refuse(c, EAGAIN);
	if (!may_connect(fd, &c->uid))
		return refuse(c, EACCES);
	if (loop_watch(&c->source, fd, EPOLLIN)) {
		close(fd);
		free(c);
		nr_conns--;
	}
}

/* The caller holds the lock file: a socket that is there is a dead daemon's. */
int control_open(const char *path)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	int fd, r = 0;

	if (strlen(path) >= sizeof(a.sun_path))
		return -ENAMETOOLONG;
	strcpy(a.sun_path, path);
	fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -errno;
	unlink(path);
	if (bind(fd, (struct sockaddr *)&a, sizeof(a)) || chmod(path, sw.nr_allowed ? 0666 : 0600) || listen(fd, 64))
		r = -errno;
	sw.listener.ready = accept_ready;
	if (!r)
		r = loop_watch(&sw.listener, fd, EPOLLIN);
	if (r)
		close(fd);
	return r;
}
