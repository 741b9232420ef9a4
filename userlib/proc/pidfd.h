/* SPDX-License-Identifier: MIT */
/* Process descriptors. */
#ifndef USERLIB_PROC_PIDFD_H
#define USERLIB_PROC_PIDFD_H

#include "userlib/proc/proc.h"

/* A new descriptor (close-on-exec) of the caller for p; flags: O_NONBLOCK or 0. The descriptor or -errno. */
int pidfd_create(struct uproc *p, unsigned flags);
/* Reference to the process behind f, or NULL if f is no pidfd. */
struct uproc *pidfd_proc(struct file *f);

#endif
