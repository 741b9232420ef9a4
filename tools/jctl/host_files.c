/* SPDX-License-Identifier: MIT */
/* What the launcher opens on the host for an instance: kernel binary, root, volumes, log. Each failure is one line with its mend. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tools/jctl/jctl.h"
#include "tools/jctl/launch.h"
#include "tools/patch/cache.h"

/* Next to jctl (build tree), else where `make install` puts it. */
static int open_kernel(struct launch *l)
{
	static const char *const places[] = { "/junction-kernel",
					      "/../libexec/junction/junction-kernel" };
	char self[PATH_MAX - 64], path[PATH_MAX];
	ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);
	char *slash;

	if (n < 0)
		return jctl_fail_errno(errno, "mount /proc", "cannot find the instance kernel");
	self[n] = 0;
	slash = strrchr(self, '/');
	if (slash)
		*slash = 0;
	for (size_t i = 0; i < ARRAY_SIZE(places); i++) {
		snprintf(path, sizeof(path), "%s%s", self, places[i]);
		l->kernel_fd = open(path, O_RDONLY | O_CLOEXEC);
		if (l->kernel_fd >= 0)
			return 0;
	}
	return jctl_fail_errno(errno, "run `make`, or install jctl with `make install`",
			       "no junction-kernel beside %s", self);
}

static int open_root(struct launch *l)
{
	const char *root = l->cfg->root;
	int probe;

	l->root_fd = open(root, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (l->root_fd < 0)
		return jctl_fail_errno(errno, "name a directory you may read", "--root %s", root);
	probe = openat(l->root_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (probe < 0)
		return jctl_fail_errno(errno, "name a directory you may read", "--root %s", root);
	close(probe);
	if (!realpath(root, l->root_path))
		return jctl_fail_errno(errno, "name a directory you may read", "--root %s", root);
	return 0;
}

static int open_volume(struct launch *l, unsigned i)
{
	const struct config_volume *v = &l->cfg->volumes[i];
	struct stat st;
	int fd;

	l->volume_flags[i] = v->is_ro ? JABI_VOL_RO : 0;
	if (stat(v->src, &st))
		return jctl_fail_errno(errno, "name a file or directory that exists", "volume %s",
				       v->src);
	if (S_ISDIR(st.st_mode)) {
		fd = open(v->src, O_PATH | O_DIRECTORY | O_CLOEXEC);
	} else if (S_ISREG(st.st_mode)) {
		l->volume_flags[i] |= JABI_VOL_IS_FILE;
		fd = open(v->src, (v->is_ro ? O_RDONLY : O_RDWR) | O_CLOEXEC | O_NOCTTY);
	} else {
		return jctl_fail("name a regular file or a directory",
				 "volume %s is neither file nor directory", v->src);
	}
	if (fd < 0)
		return jctl_fail_errno(errno,
				       v->is_ro ? "name one you may read"
						: "append :ro, or name one you may write",
				       "volume %s", v->src);
	l->volume_fd[i] = fd;
	return 0;
}

static int open_log(struct launch *l)
{
	const char *file = l->cfg->strace_file;

	l->log_fd = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3);
	if (l->log_fd < 0)
		return jctl_fail_errno(errno, NULL, "cannot duplicate stderr");
	l->strace_fd = l->log_fd;
	if (!l->cfg->has_strace || !file)
		return 0;
	l->strace_fd =
		open(file, O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC | O_NOCTTY, 0666);
	if (l->strace_fd < 0)
		return jctl_fail_errno(errno, "name a file you may write", "--strace=%s", file);
	return 0;
}

static int open_pcap(struct launch *l)
{
	const char *file = l->cfg->pcap_file;

	if (!file)
		return 0;
	l->pcap_fd = open(file, O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC | O_NOCTTY, 0600);
	if (l->pcap_fd < 0)
		return jctl_fail_errno(errno, "name a file you may write", "--pcap %s", file);
	l->boot.pcap_fd = l->pcap_fd;
	return 0;
}

int host_files_open(struct launch *l)
{
	if (open_kernel(l) || open_root(l) || open_log(l) || open_pcap(l))
		return -1;
	for (unsigned i = 0; i < l->cfg->nr_volumes; i++)
		if (open_volume(l, i))
			return -1;
	l->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (l->wake_fd < 0)
		return jctl_fail_errno(errno, "raise the descriptor limit (ulimit -n)",
				       "cannot make an eventfd");
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, l->patch_sock))
		return jctl_fail_errno(errno, "raise the descriptor limit (ulimit -n)",
				       "cannot make a socket pair");
	/* Without a cache the instance patches privately or traps: slower, not wrong. */
	l->cache_dir_fd = cache_open_dir(l->cache_path, sizeof(l->cache_path));
	return 0;
}
