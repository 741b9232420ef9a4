/* SPDX-License-Identifier: MIT */
/* System calls that make, name and end threads and processes (clone(2), fork(2), exit(2), arch_prctl(2)). */
#ifndef USERLIB_PROC_CLONE_H
#define USERLIB_PROC_CLONE_H

#include "base/types.h"

long sys_clone(u64 flags, u64 stack, int __app *parent_tid, int __app *child_tid, u64 tls);
long sys_clone3(void __app *args, size_t size);
long sys_unshare(u64 flags);
long sys_fork(void);
long sys_vfork(void);
long sys_set_tid_address(u32 __app *p);
long sys_gettid(void);
long sys_getpid(void);
long sys_getppid(void);
long sys_exit(int code);
long sys_exit_group(int code);
long sys_sched_yield(void);
long sys_arch_prctl(int code, u64 addr);

#endif
