/* SPDX-License-Identifier: MIT */
/*
 * Host signals as traps. What upper layers plug in, and the three ways an interrupted point is classified: in the program, in the
 * kernel, or completing the way out (arch/x86_64/entry.S).
 */
#ifndef USERLIB_RT_TRAP_H
#define USERLIB_RT_TRAP_H

#include "userlib/arch/x86_64/trapframe.h"

/* Upper layer (entry/): a program's system call; the work before going back to the program; a program's fault. On the uThread's stack. */
void syscall_dispatch(struct trapframe *tf);
void exit_work(struct trapframe *tf);
extern void (*trap_fault_hook)(struct trapframe *tf, u64 sig, u64 addr, u64 code);
/* A trapped call site: may be patched later. NULL = nobody cares. */
extern void (*trap_site_hook)(u64 rip);
/* Stacks the seccomp program that lets only the host-call stubs through on the already installed list. 0 or -errno. */
int trap_install_filter(void);

#endif
