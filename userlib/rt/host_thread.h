/* SPDX-License-Identifier: MIT */
/* Host calls that only rt/ itself uses: host threads, host signal handlers, the CPU-time tick. */
#ifndef USERLIB_RT_HOST_THREAD_H
#define USERLIB_RT_HOST_THREAD_H

#include "base/types.h"

struct host_sigaction { /* rt_sigaction(2) */
	void *handler;
	u64 flags;
	void (*restorer)(void);
	u64 mask;
};
struct host_altstack {
	void *sp;
	s32 flags, pad;
	u64 size;
};
int host_rt_sigaction(int sig, const struct host_sigaction *sa);
int host_rt_sigprocmask(int how, const u64 *set, u64 *old);
int host_sigaltstack(const struct host_altstack *ss);
int host_cpu_tick_start(int tid, int sig, s64 interval_ns);
int host_clone_asm(u64 flags, void *stack, int *ptid, int *ctid, void (*fn)(void *), void *arg, void *gs);
void host_restorer(void);

#endif
