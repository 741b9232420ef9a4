/* SPDX-License-Identifier: MIT */
/* System calls on process groups and sessions (setpgid(2), setsid(2)). */
#ifndef USERLIB_PROC_PGRP_H
#define USERLIB_PROC_PGRP_H

long sys_setpgid(int pid, int pgid);
long sys_getpgid(int pid);
long sys_getpgrp(void);
long sys_getsid(int pid);
long sys_setsid(void);

#endif
