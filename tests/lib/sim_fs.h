/* SPDX-License-Identifier: MIT */
/*
 * Hosted stand-ins for userlib/base/mem.h and userlib/rt, for unit tests of fs/: memory from malloc (so the sanitizers see every object),
 * uThreads are pthreads, the clock is the host's plus an offset. Host calls are in sim_host.c.
 */
#ifndef TESTS_LIB_SIM_FS_H
#define TESTS_LIB_SIM_FS_H

#include "base/types.h"

struct uthread;
void sim_clock_advance(s64 ns);
void sim_mem_set_limit(u64 bytes);
u64 sim_mem_live(void);			/* allocations not freed */
extern int sim_fail_after;		/* > 0: that many allocations succeed, then one fails */
void sim_signal(struct uthread *ut, bool pending); /* makes waits of that uThread end with -ERESTARTSYS */
extern bool sim_kmod;
extern u64 sim_kmod_prefetched; /* bytes */
extern int sim_kmod_files, sim_kmod_asked; /* registered now; residency queries */
extern u64 sim_host_calls;		/* host calls made so far (sim_host.c) */

#endif
