/* SPDX-License-Identifier: MIT */
/* Boot: registers the file systems "proc", "sysfs" and "cgroup2". What else is below them is registered through pseudo.h. */
#ifndef USERLIB_PROC_PROCFS_H
#define USERLIB_PROC_PROCFS_H

void procfs_init(void);

#endif
