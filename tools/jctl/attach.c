/* SPDX-License-Identifier: MIT */
/* See attach.h. The instance is hostile input: what it names is checked against the memfd's size, which it cannot change. */
#include "tools/jctl/attach.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "base/atomic.h"
#include "jabi/jabi_boot.h"
#include "scheduler/sock_path.h"
#include "tools/jctl/jctl.h"
#include "tools/jctl/switch.h"

#define ANSWER_MS 5000
#define PREFIX "instance-"

static int lock_op(const struct attach *a, int cmd, int type, int byte)
{
	struct flock l = { .l_type = (short)type, .l_whence = SEEK_SET, .l_start = byte, .l_len = 1 };

	return fcntl(a->arena_fd, cmd, &l) ? -errno : 0;
}

int attach_lock(const struct attach *a, int byte, bool wait)
{
	return lock_op(a, wait ? F_SETLKW : F_SETLK, F_WRLCK, byte);
}

void attach_unlock(const struct attach *a, int byte)
{
	(void)lock_op(a, F_SETLK, F_UNLCK, byte);
}

bool attach_has_ended(const struct attach *a)
{
	struct pollfd p = { .fd = a->pidfd, .events = POLLIN };

	return poll(&p, 1, 0) > 0;
}

/* The names of the running instances of this user; the first is copied. How many. */
static unsigned list_instances(char *first, size_t size, bool print)
{
	char dir[200], path[512];
	struct dirent *e;
	unsigned n = 0;
	DIR *d;

	if (junction_run_dir(dir, sizeof(dir)) || !(d = opendir(dir)))
		return 0;
	while ((e = readdir(d))) {
		struct stat st;
		int fd;

		if (strncmp(e->d_name, PREFIX, strlen(PREFIX)))
			continue;
		snprintf(path, sizeof(path), "%s/%s", dir, e->d_name);
		fd = switch_connect(path);
		if (fd < 0) { /* its launcher was killed; a young one may be about to listen */
			if (fd == -ECONNREFUSED && !stat(path, &st) && time(NULL) - st.st_ctime > 10)
				unlink(path);
			continue;
		}
		close(fd);
		if (!n++)
			snprintf(first, size, "%s", e->d_name + strlen(PREFIX));
		if (print)
			fprintf(stderr, "  %s\n", e->d_name + strlen(PREFIX));
	}
	closedir(d);
	return n;
}

static int receive(int sock, struct attach *a, u32 *pid)
{
	union {
		char bytes[CMSG_SPACE(2 * sizeof(int))];
		struct cmsghdr align;
	} control;
	struct jabi_ctl_hello hello = { 0 };
	struct iovec iov = { &hello, sizeof(hello) };
	struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = control.bytes, .msg_controllen = sizeof(control.bytes) };
	struct pollfd p = { .fd = sock, .events = POLLIN };
	struct cmsghdr *c;
	int fds[2];

	if (poll(&p, 1, ANSWER_MS) <= 0)
		return -ETIMEDOUT;
	if (recvmsg(sock, &m, MSG_CMSG_CLOEXEC) != (ssize_t)sizeof(hello))
		return -EACCES;
	c = CMSG_FIRSTHDR(&m);
	if (!c || c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS || c->cmsg_len != CMSG_LEN(sizeof(fds)))
		return -EPROTO;
	memcpy(fds, CMSG_DATA(c), sizeof(fds));
	a->arena_fd = fds[0];
	a->wake_fd = fds[1];
	*pid = hello.launcher_pid;
	return hello.magic == JABI_CTL_MAGIC && hello.version == JABI_CTL_VERSION ? 0 : -EPROTONOSUPPORT;
}

/* Finds the control block by the boot block and maps it. */
static int map_ctl(struct attach *a)
{
	struct jabi_boot b;
	struct stat st;
	u64 page, end;
	char *p;

	if (fstat(a->arena_fd, &st) || pread(a->arena_fd, &b, sizeof(b), 0) != (ssize_t)sizeof(b))
		return -EIO;
	a->arena_bytes = (u64)st.st_size;
	if (b.magic != JABI_BOOT_MAGIC || b.version != JABI_BOOT_VERSION || !b.ctl_off || b.ctl_off % 8 ||
	    b.ctl_off + sizeof(struct jabi_ctl) > a->arena_bytes)
		return -EPROTONOSUPPORT;
	page = ROUND_DOWN((u64)b.ctl_off, PAGE_SIZE);
	end = ROUND_UP((u64)b.ctl_off + sizeof(struct jabi_ctl), PAGE_SIZE);
	p = mmap(NULL, end - page, PROT_READ | PROT_WRITE, MAP_SHARED, a->arena_fd, (off_t)page);
	if (p == MAP_FAILED)
		return -errno;
	a->ctl = (struct jabi_ctl *)(p + (b.ctl_off - page));
	return a->ctl->magic == JABI_CTL_MAGIC && a->ctl->version == JABI_CTL_VERSION ? 0 : -EPROTONOSUPPORT;
}

static int open_named(struct attach *a, const char *name)
{
	char path[256];
	int sock, r;
	u32 pid = 0;

	if (!*name || *name == '.' || strchr(name, '/'))
		return -EINVAL;
	r = instance_socket_path(name, path, sizeof(path));
	if (r)
		return r;
	sock = switch_connect(path);
	if (sock < 0)
		return sock;
	r = receive(sock, a, &pid);
	close(sock);
	if (!r)
		r = map_ctl(a);
	if (!r) {
		a->pidfd = (int)syscall(SYS_pidfd_open, (pid_t)pid, 0);
		r = a->pidfd < 0 ? -errno : 0;
	}
	return r;
}

int attach_open(struct attach *a, const char *name)
{
	unsigned n;
	int r;

	*a = (struct attach){ .arena_fd = -1, .wake_fd = -1, .pidfd = -1 };
	if (name) {
		snprintf(a->name, sizeof(a->name), "%s", name);
	} else {
		n = list_instances(a->name, sizeof(a->name), false);
		if (!n)
			return jctl_fail("`jctl run --name NAME PROGRAM` starts one", "no instance of yours is running");
		if (n > 1) {
			jctl_fail("name one of these", "%u instances are running", n);
			(void)list_instances(a->name, sizeof(a->name), true);
			return -1;
		}
	}
	r = open_named(a, a->name);
	if (r)
		return jctl_fail_errno(-r, r == -ENOENT || r == -ECONNREFUSED ? "no instance of yours with that name is running" : NULL,
				       "instance %s", a->name);
	return 0;
}

static int wait_answer(struct attach *a, u32 request)
{
	struct timespec slice = { .tv_nsec = 100000000 };

	for (unsigned i = 0; i < ANSWER_MS / 100; i++) {
		u32 seen = __atomic_load_n(&a->ctl->answered, __ATOMIC_ACQUIRE);

		if (seen == request)
			return 0;
		if (attach_has_ended(a))
			return -ESRCH;
		syscall(SYS_futex, &a->ctl->answered, FUTEX_WAIT, seen, &slice, NULL, 0);
	}
	return -ETIMEDOUT;
}

static int map_answer(struct attach *a, void **p, u64 *bytes)
{
	u64 off = READ_ONCE(a->ctl->off), len = READ_ONCE(a->ctl->bytes);

	if (off % PAGE_SIZE || !len || len > 64 * MiB || off > a->arena_bytes || len > a->arena_bytes - off)
		return -EPROTO;
	*p = mmap(NULL, len, PROT_READ, MAP_SHARED, a->arena_fd, (off_t)off);
	*bytes = len;
	return *p == MAP_FAILED ? -errno : 0;
}

int attach_request(struct attach *a, u32 op, void **p, u64 *bytes)
{
	u64 one = 1;
	u32 request;
	int r;

	a->ctl->op = op;
	request = __atomic_add_fetch(&a->ctl->request, 1, __ATOMIC_RELEASE);
	if (write(a->wake_fd, &one, sizeof(one)) < 0 && errno != EAGAIN)
		return -errno;
	r = wait_answer(a, request);
	if (!r) {
		r = READ_ONCE(a->ctl->error);
		r = r > 0 || r < -4095 ? -EPROTO : r;
	}
	return r || !p ? r : map_answer(a, p, bytes);
}
