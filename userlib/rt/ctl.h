/* SPDX-License-Identifier: MIT */
/* Requests from outside to the running instance (jabi_ctl.h): seen by whoever polls, answered by the layer that stored the hook. */
#ifndef USERLIB_RT_CTL_H
#define USERLIB_RT_CTL_H

#include "base/types.h"
#include "jabi/jabi_ctl.h"
#include "userlib/rt/lock.h"

extern struct jabi_ctl *ctl_block; /* [I] after boot; NULL: none */
extern u32 ctl_served;		   /* [a] the last request that was answered */
/* Answers c->op in scheduler context: may take spinlocks, must not park. The block is another's to write: each field is read once. */
extern int (*ctl_hook)(struct jabi_ctl *c, u32 op);

/* True: a request was answered. Costs one load while there is none. */
bool ctl_poll_slow(u32 request);
static inline bool ctl_poll(void)
{
	struct jabi_ctl *c = ctl_block;
	u32 request = c ? load_acquire(&c->request) : 0;

	return unlikely(c && request != load_relaxed(&ctl_served)) && ctl_poll_slow(request);
}

#endif
