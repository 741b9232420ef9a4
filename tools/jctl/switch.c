/* SPDX-License-Identifier: MIT */
/* --net switch: a port of junctiond's switch. Connects, starting the daemon if nobody answers, and takes what it hands over. */
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

#include "jabi/jabi_port.h"
#include "scheduler/sock_path.h"
#include "tools/jctl/jctl.h"
#include "tools/jctl/launch.h"
#include "tools/jctl/switch.h"

#define ATTEMPTS     20 /* a daemon that is just ending may have been met */
#define READY_MS     5000

/* In the forked child: the daemon beside us (build tree), or where `make install` puts it. */
static void exec_daemon(const char *path, const char *subnet, int ready)
{
	static const char *const places[] = { "/junctiond", "/../libexec/junction/junctiond" };
	char self[3900], file[4096], fd_text[16];
	ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);
	sigset_t none;
	char *slash;

	if (n < 0)
		_exit(127);
	self[n] = 0;
	slash = strrchr(self, '/');
	if (slash)
		*slash = 0;
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	if (fork()) /* not our child: who starts it first must not be its parent at the end */
		_exit(0);
	snprintf(fd_text, sizeof(fd_text), "%d", ready);
	(void)fcntl(ready, F_SETFD, 0);
	for (size_t i = 0; i < ARRAY_SIZE(places); i++) {
		snprintf(file, sizeof(file), "%s%s", self, places[i]);
		execl(file, "junctiond", "--auto", "--socket", path, "--ready-fd", fd_text, subnet ? "--subnet" : NULL, subnet, NULL);
	}
	_exit(127);
}

/* Waits until it listens, or has found that another one does. */
static int start_daemon(const char *path, const char *subnet)
{
	int ready[2];
	struct pollfd p;
	pid_t pid;
	char c;

	if (pipe2(ready, O_CLOEXEC))
		return -errno;
	fflush(NULL);
	pid = fork();
	if (!pid)
		exec_daemon(path, subnet, ready[1]);
	close(ready[1]);
	if (pid > 0)
		waitpid(pid, NULL, 0);
	p = (struct pollfd){ .fd = ready[0], .events = POLLIN };
	if (poll(&p, 1, READY_MS) > 0 && read(ready[0], &c, 1) < 0) {
		/* it has ended without a word: the next connect decides */
	}
	close(ready[0]);
	return pid < 0 ? -EAGAIN : 0;
}

static int say_hello(const struct launch *l, int fd, struct jabi_port_msg *m, int *fds)
{
	struct jabi_port_hello h = { .magic = JABI_PORT_MAGIC,
				     .version = JABI_PORT_VERSION,
				     .op = JABI_PORT_ATTACH,
				     .flags = JABI_PORT_F_DIRECT,
				     .ip4 = l->cfg->ip4 };
	const char *base = strrchr(l->cfg->argv[0], '/');
	unsigned nr = 0;
	ssize_t n;

	memcpy(h.ip6, l->cfg->ip6, sizeof(h.ip6));
	snprintf(h.name, sizeof(h.name), "%.39s", l->cfg->name ? l->cfg->name : base ? base + 1 : l->cfg->argv[0]);
	if (send(fd, &h, sizeof(h), MSG_NOSIGNAL) != (ssize_t)sizeof(h))
		return -errno;
	n = switch_recv(fd, m, fds, &nr);
	if (n < 0)
		return (int)n;
	if (m->type == JABI_PORT_ATTACHED && nr == 3)
		return 0;
	for (unsigned i = 0; i < nr; i++)
		close(fds[i]);
	return m->type == JABI_PORT_REFUSED ? (int)m->error : -EPROTO;
}

/* 0, a refusal (> 0, errno), or -errno. */
static int attach_at(struct launch *l, const char *path, struct jabi_port_msg *m)
{
	char subnet[INET_ADDRSTRLEN + 4], addr[INET_ADDRSTRLEN];
	bool has_subnet = l->cfg->ip4 && l->cfg->prefix_len >= 8 && l->cfg->prefix_len <= 30;
	int r = -ECONNREFUSED;

	if (has_subnet)
		snprintf(subnet, sizeof(subnet), "%s/%u", inet_ntop(AF_INET, &l->cfg->ip4, addr, sizeof(addr)), l->cfg->prefix_len);
	for (int i = 0; i < ATTEMPTS; i++) {
		int fd = switch_connect(path);

		r = fd;
		if (fd >= 0) {
			r = say_hello(l, fd, m, l->port_fd);
			if (!r)
				l->port_sock = fd;
			else
				close(fd);
		}
		if (r != -ECONNREFUSED && r != -ENOENT && r != -ECONNRESET && r != -EPIPE)
			return r;
		if (i)
			usleep(20000u * (unsigned)i);
		if (start_daemon(path, has_subnet ? subnet : NULL))
			return -EAGAIN;
	}
	return r;
}

int port_attach(struct launch *l)
{
	const struct run_config *c = l->cfg;
	struct jabi_net *n = &l->boot.net;
	struct jabi_port_msg m;
	char path[256];
	int r;

	if (c->net != JABI_NET_PORT)
		return 0;
	r = switch_socket_path(c->switch_name, path, sizeof(path));
	if (r)
		return jctl_fail_errno(-r, "set XDG_RUNTIME_DIR to a directory of yours", "--net switch: no place for its socket");
	r = attach_at(l, path, &m);
	if (r == EADDRINUSE)
		return jctl_fail("leave --ip out, or choose another", "--net switch: the address is taken or not of the switch's subnet");
	if (r)
		return jctl_fail_errno(r < 0 ? -r : r, NULL, "--net switch: %s", path);
	n->kind = JABI_NET_PORT;
	n->mtu = m.mtu;
	n->ip4 = m.ip4;
	n->prefix_len = m.prefix_len;
	n->gw4 = c->gw4 ? c->gw4 : m.gw4;
	memcpy(n->mac, m.mac, 6);
	memcpy(l->boot.net6.ip, c->ip6, 16);
	memcpy(l->boot.net6.gw, c->gw6, 16);
	l->boot.net6.prefix_len = c->prefix_len6;
	l->boot.port_link_fd = l->port_fd[0];
	l->boot.port_bell_fd = l->port_fd[1];
	l->boot.port_kick_fd = l->port_fd[2];
	return 0;
}
