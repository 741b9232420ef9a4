/* SPDX-License-Identifier: MIT */
/* The client's side of the switch's control socket (include/jabi/jabi_port.h). */
#ifndef TOOLS_JCTL_SWITCH_H
#define TOOLS_JCTL_SWITCH_H

#include <sys/types.h>

#include "jabi/jabi_port.h"

/* A connection, or -errno. */
int switch_connect(const char *path);
/* One message and the descriptors (3 at most) that come with it. Its size or -errno; -ECONNRESET: the switch hung up. */
ssize_t switch_recv(int fd, struct jabi_port_msg *m, int *fds, unsigned *nr_fds);

#endif
