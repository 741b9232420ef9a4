/* SPDX-License-Identifier: MIT */
/*
 * Which kThread gets which CPU: the policy (core.c), and what carries its orders out: the kernel module (core_kmod.c), or a simulated one
 * in tests. One thread, no locks. Words and meanings are those of jabi_kmod.h. Without the module there is nothing to order: instances
 * get the CPUs as their affinity (core_serve.c).
 */
#ifndef SCHEDULER_CORE_H
#define SCHEDULER_CORE_H

#include "base/types.h"
#include <stdbool.h>

#define CORE_MAX_CPUS	 64u
#define CORE_MAX_THREADS 1024u
#define CORE_QUANTUM_NS	 4000000 /* a holder keeps its CPU that long when others wait */
#define CORE_BUSY_MS	 1	 /* between looks while somebody waits or an order is open */
#define CORE_HELD_MS	 20	 /* while CPUs are held: a holder may have been stopped */

struct core_slot {
	u32 instance;
	u32 parked; /* jabi_kmod_slot.parked */
	bool holds; /* a CPU */
};

struct core_line {
	u32 state; /* JABI_KMOD_CPU_* */
	u32 slot, gen, error;
};

struct core_ops {
	int (*slot)(u32 slot, struct core_slot *out); /* 0, or -errno: it is gone */
	void (*look)(u32 cpu, struct core_line *out);
	void (*order)(u32 cpu, u32 slot, u32 gen);
	void (*kick)(u64 cpus);
};

/* Takes over `cpus`, all of them idle. */
void core_init(const struct core_ops *ops, u64 cpus);
/* A thread of this instance says that it has work. Ignored if the slot is not that instance's. */
void core_want(u32 instance, u32 slot, s64 now_ns);
/* Looks at everything, gives orders. Returns the milliseconds after which it wants to be called again, -1: not before core_want. */
int core_run(s64 now_ns);

/* core_kmod.c: claims the CPUs; 0 or -errno. */
int core_kmod_open(u64 cpus) must_check;
extern const struct core_ops core_kmod_ops;
/* A new instance file and the id of its instance; the descriptor or -errno. */
int core_kmod_instance(u32 *id) must_check;

/* core_serve.c: junctiond's --cores. */
int core_serve_open(const char *list) must_check; /* 0 or -errno */
bool core_serve_active(void);
/* Descriptors for an instance: its file of the module, its bell. The number of them, 0 = the CPUs are for its affinity; or -errno. */
int core_serve_attach(int *fds, u64 *cpus) must_check;
int core_serve_run(void); /* as core_run, by the clock */

#endif
