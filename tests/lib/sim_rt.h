/* SPDX-License-Identifier: MIT */
/*
 * Hosted stand-ins for userlib/rt and userlib/base/mem.h on a simulated clock, for unit tests of code driven by packets and timers. One
 * host thread; nothing happens but what the test asks for, so a run is a function of its seed. Linked with the real timer.c, waitq.c,
 * lock.c and uaccess.c. Memory comes from malloc (the sanitizers see every object). uthread_park runs the simulation (poll sources, then
 * the next timer) until the permit comes or the deadline passes; nothing left to run then is a deadlock, and fails the test.
 */
#ifndef TESTS_LIB_SIM_RT_H
#define TESTS_LIB_SIM_RT_H

#include "base/types.h"

void sim_seed(u64 seed);		/* random_bytes and sim_random start over */
u64 sim_random(void);
s64 sim_now(void);
bool sim_step(void);			/* poll sources until quiet, then the next timer; false: nothing to do */
void sim_run_for(s64 ns);		/* everything due within ns; the clock ends exactly ns later */
bool sim_run_until(bool (*cond)(void *arg), void *arg, s64 max_ns);
void sim_signal(bool pending);		/* interruptible waits end with -ERESTARTSYS */
extern bool sim_many_threads;		/* of the host are at work: locks may be found taken */
u64 sim_mem_live(void);			/* allocations not freed */
u64 sim_mem_live_bytes(void);
void sim_fail_after(u64 n);		/* the n-th allocation from now fails; 0 = none */

#endif
