/* SPDX-License-Identifier: MIT */
/*
 * The launcher's socket for commands that look into the running instance (jabi_ctl.h). Whoever connects and has our user id, or is root, is
 * sent the arena and the wake-up; nothing is read from it. The socket's name goes with the instance; one that a killed launcher left behind
 * is replaced. Called by supervise.c's one thread: nothing here waits.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "jabi/jabi_ctl.h"
#include "scheduler/sock_path.h"
#include "tools/jctl/launch.h"
#include "tools/jctl/switch.h"

static int listen_at(const char *path)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	int fd;

	if (strlen(path) >= sizeof(a.sun_path))
		return -1;
	strcpy(a.sun_path, path);
	fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -1;
	if (!bind(fd, (struct sockaddr *)&a, sizeof(a)) && !listen(fd, 8))
		return fd;
	close(fd);
	return -1;
}

void control_open(struct launch *l)
{
	const struct run_config *c = l->cfg;
	const char *base = strrchr(c->argv[0], '/');
	char name[96];
	int other;

	if (c->name)
		snprintf(name, sizeof(name), "%s", c->name);
	else
		snprintf(name, sizeof(name), "%.64s-%d", base ? base + 1 : c->argv[0], (int)getpid());
	if (instance_socket_path(name, l->ctl_path, sizeof(l->ctl_path)))
		return;
	l->ctl_sock = listen_at(l->ctl_path);
	if (l->ctl_sock >= 0 || errno != EADDRINUSE)
		return;
	other = switch_connect(l->ctl_path);
	if (other >= 0) { /* a running instance has that name: this one has its number, too */
		size_t len = strlen(l->ctl_path);

		close(other);
		snprintf(l->ctl_path + len, sizeof(l->ctl_path) - len, "-%d", (int)getpid());
	}
	unlink(l->ctl_path);
	l->ctl_sock = listen_at(l->ctl_path);
}

void control_handle(const struct launch *l)
{
	struct jabi_ctl_hello h = { .magic = JABI_CTL_MAGIC, .version = JABI_CTL_VERSION, .launcher_pid = (u32)getpid(),
				    .arena_bytes = l->boot.arena_size };
	union {
		char bytes[CMSG_SPACE(2 * sizeof(int))];
		struct cmsghdr align;
	} control;
	struct iovec iov = { &h, sizeof(h) };
	struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = control.bytes, .msg_controllen = sizeof(control.bytes) };
	int fd = accept4(l->ctl_sock, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK), fds[2] = { l->arena_fd, l->wake_fd };
	struct cmsghdr *c;
	struct ucred who;
	socklen_t len = sizeof(who);

	if (fd < 0)
		return;
	memset(&control, 0, sizeof(control));
	c = CMSG_FIRSTHDR(&m);
	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(sizeof(fds));
	memcpy(CMSG_DATA(c), fds, sizeof(fds));
	if (!getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &len) && (who.uid == geteuid() || !who.uid))
		(void)sendmsg(fd, &m, MSG_DONTWAIT | MSG_NOSIGNAL);
	close(fd);
}

void control_close(struct launch *l)
{
	if (l->ctl_sock < 0)
		return;
	unlink(l->ctl_path);
	close(l->ctl_sock);
	l->ctl_sock = -1;
}
