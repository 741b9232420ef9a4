/* SPDX-License-Identifier: MIT */
/* Shared inside proc/ only: creation and removal of processes and threads. */
#ifndef USERLIB_PROC_PROC_INTERNAL_H
#define USERLIB_PROC_PROC_INTERNAL_H

#include "userlib/proc/proc.h"

extern struct uproc *proc_init; /* [I] after boot: the program that was asked for; the instance ends with it */

void proc_tables_init(void);
struct uproc *proc_find_locked(int pid);
struct uproc *uproc_alloc(void);
struct thread *thread_alloc(struct uproc *p, int tid);
void proc_publish(struct uproc *p, struct thread *t, struct uproc *parent);
void thread_publish(struct thread *t);
void thread_unpublish(struct thread *t);
void thread_take_tid(struct thread *t, int tid);
void proc_remove_locked(struct uproc *p);
struct fs_ctx *fs_ctx_copy(struct fs_ctx *from);
void fs_ctx_put(struct fs_ctx *fs);

/* exit.c: ends all other threads of the caller's process and waits until they are gone (exec). */
void proc_kill_other_threads(void);
void proc_wake_vfork_parent(struct uproc *p);
/* pgrp.c: after a change of parents, orphaned stopped groups get SIGHUP and SIGCONT. */
void pgrp_check_orphaned(struct uproc *leaving);
/* exit.c: who gets p's children, or NULL. [proc_table_lock] */
struct uproc *proc_reaper_locked(const struct uproc *p);
bool pgrp_is_orphaned(int pgid, struct uproc *ignoring);
/* The end of the instance: status of the first program. Set by entry/. */
extern void (*instance_exit_hook)(int wait_status);

#endif
