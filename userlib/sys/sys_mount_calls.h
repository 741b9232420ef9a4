/* SPDX-License-Identifier: MIT */
/* mount(2), umount2(2), pivot_root(2). Bodies in sys_mount.c. */
#ifndef USERLIB_SYS_SYS_MOUNT_CALLS_H
#define USERLIB_SYS_SYS_MOUNT_CALLS_H

#include "base/types.h"

long sys_mount(const char __app *source, const char __app *target, const char __app *type, unsigned long flags, const char __app *data);
long sys_umount2(const char __app *target, int flags);
long sys_pivot_root(const char __app *new_root, const char __app *put_old);

#endif
