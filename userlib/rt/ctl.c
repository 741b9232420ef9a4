/* SPDX-License-Identifier: MIT */
/* See ctl.h. One kThread answers at a time; no locks but the busy word. */
#include "userlib/rt/ctl.h"
#include "userlib/rt/host.h"

struct jabi_ctl *ctl_block;
u32 ctl_served;
int (*ctl_hook)(struct jabi_ctl *c, u32 op);

bool ctl_poll_slow(u32 request)
{
	static u32 busy; /* [a] */
	struct jabi_ctl *c = ctl_block;

	if (atomic_xchg(&busy, 1u))
		return false;
	if (request == load_acquire(&ctl_served)) {
		store_release(&busy, 0u);
		return false;
	}
	c->error = ctl_hook ? ctl_hook(c, READ_ONCE(c->op)) : -ENOSYS;
	store_release(&ctl_served, request);
	store_release(&c->answered, request);
	host_futex_wake(&c->answered, 1);
	store_release(&busy, 0u);
	return true;
}
