/* SPDX-License-Identifier: MIT */
/* Boot: registers the file systems "proc", "sysfs" and "cgroup2". What else is below them is registered through pseudo.h. */
#ifndef USERLIB_PROC_PROCFS_H
#define USERLIB_PROC_PROCFS_H

struct file;
struct uproc;

void procfs_init(void);
/* The process (reference) whose directory /proc/PID f is, or NULL. */
struct uproc *procfs_proc_of_dir(const struct file *f);

#endif
