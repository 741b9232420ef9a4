/* SPDX-License-Identifier: MIT */
/*
 * The launcher's end of the patch socket, and `jctl patch`. A request brings a descriptor that the instance opened; only its content
 * matters, and only the cache directory is written. Requests come from a possibly hostile instance: bad ones are refused, never fatal.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "jabi/jabi_patch.h"
#include "tools/jctl/jctl.h"
#include "tools/jctl/launch.h"
#include "tools/patch/cache.h"

union fd_control {
	char buf[CMSG_SPACE(sizeof(int))];
	struct cmsghdr align;
};

/* A truncated control message has its surplus descriptors closed by the host. */
static int take_descriptor(struct msghdr *m)
{
	struct cmsghdr *c = CMSG_FIRSTHDR(m);
	int fd = -1;

	if (c && c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS &&
	    c->cmsg_len >= CMSG_LEN(sizeof(int)))
		memcpy(&fd, CMSG_DATA(c), sizeof(fd));
	return fd;
}

static void send_reply(int sock, const struct jabi_patch_reply *reply, int fd)
{
	struct iovec iov = { .iov_base = (void *)reply, .iov_len = sizeof(*reply) };
	struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1 };
	union fd_control ctl;

	if (fd >= 0) {
		struct cmsghdr *c;

		memset(&ctl, 0, sizeof(ctl));
		m.msg_control = ctl.buf;
		m.msg_controllen = sizeof(ctl.buf);
		c = CMSG_FIRSTHDR(&m);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(c), &fd, sizeof(fd));
	}
	/* An instance that does not read its answers loses them; the launcher never waits for it. */
	(void)sendmsg(sock, &m, MSG_NOSIGNAL | MSG_DONTWAIT);
}

/* Readable for its sender, as it was opened: an O_PATH or write-only descriptor proves nothing. */
static bool may_read(int fd)
{
	int fl = fcntl(fd, F_GETFL);

	return fl >= 0 && !(fl & O_PATH) && (fl & O_ACCMODE) != O_WRONLY;
}

static void answer(const struct launch *l, const struct jabi_patch_req *req, int fd)
{
	struct jabi_patch_reply reply = { .id = req->id, .status = JABI_PATCH_REFUSED };
	struct jabi_patch_trailer t;
	int image = -EINVAL;

	if (l->cache_dir_fd < 0)
		image = -ENOTDIR;
	else if (fd >= 0 && req->version == JABI_PATCH_VERSION && !req->flags && may_read(fd))
		image = cache_get_image(l->cache_dir_fd, fd, &t);
	if (image >= 0) {
		reply.status = JABI_PATCH_OK;
		reply.stub_offset = t.stub_offset;
		reply.stub_len = t.stub_len;
		reply.stub_vaddr = t.stub_vaddr;
		reply.nr_sites = t.nr_sites;
		reply.nr_patched = t.nr_patched;
	} else if (image == -ENOENT) {
		reply.status = JABI_PATCH_NONE;
	} else {
		reply.err = (u32)-image;
	}
	send_reply(l->patch_sock[0], &reply, image);
	if (image >= 0)
		close(image);
}

bool patch_service_handle(struct launch *l)
{
	struct jabi_patch_req req;
	struct iovec iov = { .iov_base = &req, .iov_len = sizeof(req) };
	union fd_control ctl;
	struct msghdr m = { .msg_iov = &iov,
			    .msg_iovlen = 1,
			    .msg_control = ctl.buf,
			    .msg_controllen = sizeof(ctl.buf) };
	ssize_t n = recvmsg(l->patch_sock[0], &m, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
	int fd;

	if (n < 0)
		return errno == EAGAIN || errno == EINTR;
	fd = take_descriptor(&m);
	if (n == 0 && fd < 0) { /* end, or an empty message */
		struct pollfd p = { .fd = l->patch_sock[0], .events = POLLIN };

		return poll(&p, 1, 0) < 0 || !(p.revents & POLLHUP);
	}
	if (n == (ssize_t)sizeof(req) && !(m.msg_flags & MSG_TRUNC))
		answer(l, &req, fd);
	if (fd >= 0)
		close(fd);
	return true;
}

static int patch_one(int dir_fd, const char *path)
{
	struct jabi_patch_trailer t;
	struct timespec a, b;
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK), image;

	if (fd < 0)
		return jctl_fail_errno(errno, "name an ELF file you may read", "%s", path);
	clock_gettime(CLOCK_MONOTONIC, &a);
	image = cache_get_image(dir_fd, fd, &t);
	clock_gettime(CLOCK_MONOTONIC, &b);
	close(fd);
	if (image == -ENOENT) {
		printf("%s: nothing to patch (%u sites)\n", path, t.nr_sites);
		return 0;
	}
	if (image < 0)
		return jctl_fail_errno(-image, NULL, "%s", path);
	close(image);
	printf("%s: %u of %u sites patched, %llu KiB of stubs, %.1f ms\n", path, t.nr_patched,
	       t.nr_sites, (unsigned long long)t.stub_len / 1024,
	       (double)(b.tv_sec - a.tv_sec) * 1e3 + (double)(b.tv_nsec - a.tv_nsec) / 1e6);
	return 0;
}

int cmd_patch(int argc, char **argv)
{
	char path[4096];
	int dir_fd, failed = 0;

	if (argc < 2 || argv[1][0] == '-') {
		printf("usage: jctl patch FILE...\n\nPatches the system-call sites of ELF files "
		       "into the cache, as `jctl run` does on first use.\n");
		return argc < 2 || strcmp(argv[1], "--help") ? EXIT_JCTL : 0;
	}
	dir_fd = cache_open_dir(path, sizeof(path));
	if (dir_fd < 0) {
		jctl_fail_errno(-dir_fd, "it must be yours and writable by you alone",
				"cache directory %s", path);
		return EXIT_JCTL;
	}
	for (int i = 1; i < argc; i++)
		failed |= patch_one(dir_fd, argv[i]);
	close(dir_fd);
	return failed ? EXIT_JCTL : 0;
}
