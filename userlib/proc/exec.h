/* SPDX-License-Identifier: MIT */
/* execve(2), execveat(2), and the start of the first program. */
#ifndef USERLIB_PROC_EXEC_H
#define USERLIB_PROC_EXEC_H

#include "userlib/proc/elf.h"
#include "userlib/proc/proc.h"

long sys_execve(const char __app *path, const char __app *const __app *argv, const char __app *const __app *envp);
long sys_execveat(int dirfd, const char __app *path, const char __app *const __app *argv,
		  const char __app *const __app *envp, int flags);

/* Loads x (already prepared) into the caller's process, which has an empty mm: the first program. 0 or -errno; then return_to_user(). */
int exec_first(struct exec_ctx *x);

#endif
