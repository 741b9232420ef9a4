/* SPDX-License-Identifier: MIT */
/*
 * Where a kThread gets its CPU from. "host": Linux schedules it, there is nothing to ask for. "kmod": junctiond grants CPUs through the
 * kernel module (jabi_kmod.h); a kThread with work acquires one, an idle one releases it before it sleeps in futex or ppoll. When the daemon
 * ends the instance goes on with "host".
 */
#ifndef USERLIB_RT_CORES_H
#define USERLIB_RT_CORES_H

#include "userlib/rt/sched.h"

struct park_ops {
	const char *name;
	void (*acquire)(struct kthread *kt); /* may wait; kt is the caller in all three, no spinlock held */
	void (*release)(struct kthread *kt); /* does not wait */
	void (*yield)(struct kthread *kt);   /* somebody else is to run here: gives the CPU up, waits for one */
};

/* Before the first kThread starts. bell: of the daemon (jabi_port.h, CORES), -1 = none. */
void cores_boot(int bell);
const struct park_ops *cores_ops(void);
extern const struct park_ops cores_host_ops;

#endif
