/* SPDX-License-Identifier: MIT */
/* What a parent learns of its children: wait4(2), waitid(2), SIGCHLD's siginfo. */
#ifndef USERLIB_PROC_WAIT_H
#define USERLIB_PROC_WAIT_H

#include "userlib/proc/proc.h"

/* SIGCHLD contents for a state change of p as its fields now say (exited, stopped or continued). */
void wait_fill_siginfo(struct uproc *p, struct ksiginfo *info);
/* A state change of p that its parent may wait for: stopped (sig) or continued (0). Sends SIGCHLD unless SA_NOCLDSTOP. */
void wait_notify_stop(struct uproc *p, int stop_sig);

long sys_wait4(int pid, int __app *status, int options, void __app *rusage);
long sys_waitid(int which, int pid, void __app *info, int options, void __app *rusage);

#endif
