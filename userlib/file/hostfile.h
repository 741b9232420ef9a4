/* SPDX-License-Identifier: MIT */
/* Host descriptors as files: what the launcher's caller handed over as stdin, stdout, stderr. */
#ifndef USERLIB_FILE_HOSTFILE_H
#define USERLIB_FILE_HOSTFILE_H

#include "userlib/file/file.h"

/* The host terminal as controlling terminal of the instance's first session. */
struct host_tty {
	int fd;		/* a host descriptor of it, -1 = none */
	int foreground; /* [a] process group that gets SIGINT and may read */
	int session;	/* [a] */
};
extern struct host_tty host_tty;

/* mode: st_mode on the host; oflags: F_GETFL. The host descriptor stays the launcher's to close. */
int hostfile_open(int host_fd, u32 mode, unsigned oflags, bool tty, struct file **out) must_check;

#endif
