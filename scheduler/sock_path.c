/* SPDX-License-Identifier: MIT */
/* See sock_path.h. */
#include "scheduler/sock_path.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

int switch_socket_path(const char *name, char *path, size_t size)
{
	const char *run = getenv("XDG_RUNTIME_DIR");
	char dir[200];
	struct stat st;
	int n;

	if (run && *run == '/')
		n = snprintf(dir, sizeof(dir), "%s/junction", run);
	else if (!geteuid())
		n = snprintf(dir, sizeof(dir), "/run/junction");
	else
		n = snprintf(dir, sizeof(dir), "/tmp/junction-%u", (unsigned)geteuid());
	if (n >= (int)sizeof(dir))
		return -ENAMETOOLONG;
	/* A service of root's lets others look the socket up; who may connect it decides by their credentials. */
	if (mkdir(dir, geteuid() ? 0700 : 0755) && errno != EEXIST)
		return -errno;
	if (lstat(dir, &st))
		return -errno;
	if (!S_ISDIR(st.st_mode) || st.st_uid != geteuid() || (st.st_mode & 022))
		return -EPERM;
	n = snprintf(path, size, "%s/switch-%s", dir, name);
	return n < (int)size ? 0 : -ENAMETOOLONG;
}
