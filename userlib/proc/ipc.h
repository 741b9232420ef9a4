/* SPDX-License-Identifier: MIT */
/*
 * System V IPC (sysvipc(7)): what shared memory (ipc_shm.c), semaphores (ipc_sem.c) and message queues (ipc_msg.c) have in common:
 * identifiers, keys, permissions. One namespace per instance. Each kind has one mutex over its table and all its objects; nobody parks
 * for an event with it held.
 */
#ifndef USERLIB_PROC_IPC_H
#define USERLIB_PROC_IPC_H

#include "userlib/proc/proc.h"
#include <linux/ipc.h>

struct ptext;

struct ipc_obj { /* first member of every object; all [table lock] */
	struct ref ref;
	int key, id;
	u32 uid, gid, cuid, cgid, mode;
	u32 dead; /* [a] removed */
};

#define IPC_SLOTS 4096u /* of each kind */

struct ipc_table {
	struct mutex lock;
	struct ipc_obj **slots; /* [lock] NULL until the first one is made */
	u32 used, seq;		/* [lock] */
};
#define IPC_TABLE_INIT(t) { .lock = { .waiters = LIST_INIT((t).lock.waiters) } }

/* Puts a new object in the table: id, owner and mode are set here. [lock] */
int ipc_add(struct ipc_table *t, struct ipc_obj *o, int key, int flags);
/* By id or key; borrowed. NULL: none. [lock] */
struct ipc_obj *ipc_find(struct ipc_table *t, int id);
struct ipc_obj *ipc_find_key(struct ipc_table *t, int key);
/* The index-th slot's object, for *_STAT by index and /proc. [lock] */
struct ipc_obj *ipc_at(struct ipc_table *t, u32 index);
u32 ipc_highest(struct ipc_table *t); /* index, 0 if empty [lock] */
/* Takes it out of the table; the table's reference is the caller's to drop. [lock] */
void ipc_del(struct ipc_table *t, struct ipc_obj *o);
/* May the caller use o as flags' permission bits ask? */
bool ipc_allowed(const struct ipc_obj *o, u32 flags);
bool ipc_is_owner(const struct ipc_obj *o); /* for IPC_SET and IPC_RMID */
void ipc_fill_perm(const struct ipc_obj *o, struct ipc64_perm *p);
int ipc_set_perm(struct ipc_obj *o, const struct ipc64_perm *p); /* IPC_SET */
static inline s64 ipc_now(void)
{
	return clock_realtime_ns() / NSEC_PER_SEC;
}

/* ipc_shm.c */
long sys_shmget(int key, size_t size, int flags);
long sys_shmat(int id, u64 addr, int flags);
long sys_shmdt(u64 addr);
long sys_shmctl(int id, int cmd, void __app *buf);
int ipc_shm_show(struct ptext *o);
/* ipc_sem.c */
long sys_semget(int key, int nsems, int flags);
long sys_semop(int id, void __app *sops, unsigned n);
long sys_semtimedop(int id, void __app *sops, unsigned n, const void __app *timeout);
long sys_semctl(int id, int num, int cmd, u64 arg);
int ipc_sem_show(struct ptext *o);
void ipc_sem_exit(struct uproc *p); /* SEM_UNDO */
/* ipc_msg.c */
long sys_msgget(int key, int flags);
long sys_msgsnd(int id, const void __app *msg, size_t size, int flags);
long sys_msgrcv(int id, void __app *msg, size_t size, s64 type, int flags);
long sys_msgctl(int id, int cmd, void __app *buf);
int ipc_msg_show(struct ptext *o);

#endif
