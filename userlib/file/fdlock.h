/* SPDX-License-Identifier: MIT */
/* Closing any descriptor of a file gives up the process's record locks on it (fcntl(2)); set up by sys_file.c's locking calls. */
#ifndef USERLIB_FILE_FDLOCK_H
#define USERLIB_FILE_FDLOCK_H

struct file;
struct fdtab;
void fd_release_locks(struct file *f, struct fdtab *owner);

#endif
