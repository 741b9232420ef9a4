/* SPDX-License-Identifier: MIT */
/* Between the procfs*.c files only. */
#ifndef USERLIB_PROC_PROCFS_INTERNAL_H
#define USERLIB_PROC_PROCFS_INTERNAL_H

#include "userlib/proc/proc.h"
#include "userlib/proc/pseudo.h"

/* The process an entry is about: reference, or NULL if it is gone. */
struct uproc *procfs_proc(const struct pinode *pi);
struct thread *procfs_thread(const struct pinode *pi); /* reference or NULL */
struct mm *procfs_mm(struct uproc *p);		      /* reference, NULL for zombies */

int procfs_show_cmdline(struct ptext *o, const struct pinode *pi);
int procfs_show_environ(struct ptext *o, const struct pinode *pi);

extern const struct pdyn procfs_root_dyn;
/* procfs.c */
extern const struct pdyn procfs_net_dyn;
/* procfs_system.c */
int procfs_show_cpuinfo(struct ptext *o, const struct pinode *pi);
int procfs_show_meminfo(struct ptext *o, const struct pinode *pi);
int procfs_show_stat(struct ptext *o, const struct pinode *pi);
int procfs_show_uptime(struct ptext *o, const struct pinode *pi);
int procfs_show_loadavg(struct ptext *o, const struct pinode *pi);
int procfs_show_version(struct ptext *o, const struct pinode *pi);
int procfs_show_vmstat(struct ptext *o, const struct pinode *pi);
/* procfs_fd.c */
extern const struct pdyn procfs_fd_dyn, procfs_fdinfo_dyn;
/* procfs_mounts.c */
int procfs_show_mounts(struct ptext *o, const struct pinode *pi);
int procfs_show_mountinfo(struct ptext *o, const struct pinode *pi);

/* One letter as in /proc/PID/stat. */
char procfs_state(const struct uproc *p, const struct thread *t);

#endif
