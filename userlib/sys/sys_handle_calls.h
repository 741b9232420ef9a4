/* SPDX-License-Identifier: MIT */
/* System calls on file handles (sys_handle.c). */
#ifndef USERLIB_SYS_HANDLE_CALLS_H
#define USERLIB_SYS_HANDLE_CALLS_H

#include "base/types.h"

long sys_name_to_handle_at(int dirfd, const char __app *path, void __app *handle, int __app *mount_id, int flags);
long sys_open_by_handle_at(int mount_fd, void __app *handle, int flags);

#endif
