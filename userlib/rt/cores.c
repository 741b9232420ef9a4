/* SPDX-License-Identifier: MIT */
/*
 * See cores.h. The bell tells the daemon that a kThread wants a CPU; that it waits, or was taken off its CPU, the daemon sees by itself.
 * What a kThread holds is its own business: another one never acquires or releases for it. Takes no locks.
 */
#include "userlib/rt/cores.h"
#include "jabi/jabi_kmod.h"
#include "userlib/base/log.h"
#include "userlib/rt/host.h"
#include "userlib/rt/kmod.h"

static int bell_fd = -1;	      /* [I] after boot */
static const struct park_ops *active; /* [a] NULL: host */

static void nothing(struct kthread *kt)
{
	(void)kt;
}

const struct park_ops cores_host_ops = { "host", nothing, nothing, nothing };

const struct park_ops *cores_ops(void)
{
	const struct park_ops *ops = load_acquire(&active);

	return ops ? ops : &cores_host_ops;
}

/* PARKs until a CPU is held. A signal's handler has left its flag for when we get there. */
static void park(struct kthread *kt)
{
	u32 want[2] = { kt->kmod_slot, 0 };
	int r;

	kt->core_held = 0;
	do {
		long n = host_write(bell_fd, want, sizeof(want));

		/* Full: the daemon is behind by thousands of messages. Not granted, we run where Linux puts us. */
		if (n == -EAGAIN)
			return;
		r = n < 0 ? (int)n : kmod_park(kt, false);
	} while (r == -EINTR);
	if (!r) {
		kt->core_held = 1;
		return;
	}
	if (atomic_xchg(&active, (const struct park_ops *)NULL))
		log_msg(LOG_INFO, "cores are granted no longer (%d): scheduled by the host", r);
}

static void kmod_acquire(struct kthread *kt)
{
	if (kt->kmod_slot && !kt->core_held)
		park(kt);
}

static void kmod_release(struct kthread *kt)
{
	if (!kt->core_held)
		return;
	kt->core_held = kt->core_yield = 0;
	(void)kmod_park(kt, true); /* -EPIPE: nobody manages us any more */
}

static void kmod_yield(struct kthread *kt)
{
	if (!kt->core_yield)
		return;
	kt->core_yield = 0;
	if (kt->core_held)
		park(kt);
}

static const struct park_ops cores_kmod_ops = { "kmod", kmod_acquire, kmod_release, kmod_yield };

void cores_boot(int bell)
{
	bell_fd = bell;
	if (bell >= 0 && kmod_present())
		store_release(&active, &cores_kmod_ops);
}
