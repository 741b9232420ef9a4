/* SPDX-License-Identifier: MIT */
/*
 * File locks: BSD flock(2), POSIX record locks and open-file-description locks (fcntl(2), F_SETLK and F_OFD_SETLK). Owners are opaque:
 * the descriptor table for POSIX locks, the open file for the other two. Ranges are inclusive bytes; end INT64_MAX = to the end.
 */
#ifndef FS_FLOCK_H
#define FS_FLOCK_H

#include "fs/vfs.h"

struct posix_lock {
	struct list link; /* [inode->flock_lock] */
	s16 type;	  /* F_RDLCK, F_WRLCK, F_UNLCK */
	s64 start, end;
	void *owner;
	int pid;
};

/* op: LOCK_SH, LOCK_EX, LOCK_UN, with LOCK_NB. Blocks; -EWOULDBLOCK, -ERESTARTSYS, -EINVAL, -ENOLCK. */
int flock_bsd(struct inode *i, void *owner, int op) must_check;
/* Sets or clears (F_UNLCK) l's range for l->owner. -EAGAIN if taken and !wait; -EDEADLK; -ERESTARTSYS. */
int flock_posix_set(struct inode *i, const struct posix_lock *l, bool wait) must_check;
/* The first lock that would stop *l, or type F_UNLCK. */
int flock_posix_get(struct inode *i, struct posix_lock *l) must_check;
/* All record locks of this owner on i go. Cheap when there are none. */
void flock_posix_release_owner(struct inode *i, void *owner);
/* Last close of an open file: its flock(2) lock and OFD locks go. */
void flock_release_file(struct inode *i, void *file);
/* The inode dies: what the lists themselves take. All locks are gone by then. */
void flock_inode_gone(struct inode *i);

#endif
