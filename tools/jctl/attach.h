/* SPDX-License-Identifier: MIT */
/* A running instance as a command sees it: its arena, its control block and requests to it (jabi_ctl.h). */
#ifndef TOOLS_JCTL_ATTACH_H
#define TOOLS_JCTL_ATTACH_H

#include "base/types.h"
#include "jabi/jabi_ctl.h"

struct attach {
	int arena_fd, wake_fd, pidfd; /* pidfd: of the launcher, which ends with the instance */
	u64 arena_bytes;
	struct jabi_ctl *ctl; /* shared with the instance, which may write anything there */
	char name[128];
};

/* name NULL: the only one that runs. -1 after a message. */
int attach_open(struct attach *a, const char *name) must_check;
/*
 * One request; waits for its answer for some seconds, or the instance's end. 0; or -errno: of the instance, -ESRCH when that has ended,
 * -ETIMEDOUT. *p: the answer, mapped (munmap it), at least one page; checked to lie in the arena. p may be NULL. Under the lock.
 */
int attach_request(struct attach *a, u32 op, void **p, u64 *bytes) must_check;
bool attach_has_ended(const struct attach *a);
/* Record lock on one of JABI_CTL_LOCK_*: waits if `wait`. 0 or -errno; gone with us. */
int attach_lock(const struct attach *a, int byte, bool wait) must_check;
void attach_unlock(const struct attach *a, int byte);

#endif
