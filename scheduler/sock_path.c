/* SPDX-License-Identifier: MIT */
/* See sock_path.h. */
#include "scheduler/sock_path.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

int junction_run_dir(char *dir, size_t size)
{
	const char *run = getenv("XDG_RUNTIME_DIR");
	struct stat st;
	int n;

	if (run && *run == '/')
		n = snprintf(dir, size, "%s/junction", run);
	else if (!geteuid())
		n = snprintf(dir, size, "/run/junction");
	else
		n = snprintf(dir, size, "/tmp/junction-%u", (unsigned)geteuid());
	if (n >= (int)size)
		return -ENAMETOOLONG;
	/* A service of root's lets others look the socket up; who may connect it decides by their credentials. */
	if (mkdir(dir, geteuid() ? 0700 : 0755) && errno != EEXIST)
		return -errno;
	if (lstat(dir, &st))
		return -errno;
	if (!S_ISDIR(st.st_mode) || st.st_uid != geteuid() || (st.st_mode & 022))
		return -EPERM;
	return 0;
}

static int in_run_dir(const char *kind, const char *name, char *path, size_t size)
{
	char dir[200];
	int n = junction_run_dir(dir, sizeof(dir));

	if (n)
		return n;
	n = snprintf(path, size, "%s/%s-%s", dir, kind, name);
	return n < (int)size ? 0 : -ENAMETOOLONG;
}

int switch_socket_path(const char *name, char *path, size_t size)
{
	return in_run_dir("switch", name, path, size);
}

int instance_socket_path(const char *name, char *path, size_t size)
{
	return in_run_dir("instance", name, path, size);
}
