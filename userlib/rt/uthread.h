/* SPDX-License-Identifier: MIT */
/*
 * uThreads as the lower layers (net, fs, file) see them: park, unpark, yield, kernel-internal threads. The struct itself and the
 * scheduler are in sched.h. Unit tests link a hosted replacement (tests/lib/sim_rt.c).
 *
 * park/unpark is a permit of one: unpark before park makes the park return at once; park may return without cause, so every caller
 * loops over its condition.
 */
#ifndef USERLIB_RT_UTHREAD_H
#define USERLIB_RT_UTHREAD_H

#include "base/types.h"
#include "userlib/rt/clock.h"

struct uthread;
struct uthread *uthread_self(void);
/* 0 = woken (or nothing), -ETIMEDOUT = the deadline (absolute, CLOCK_MONOTONIC) has passed. No spinlock may be held. */
int uthread_park(s64 deadline_ns);
void uthread_unpark(struct uthread *ut);
void uthread_yield(void);
/* A signal is pending that would interrupt a blocking call of this uThread (or it is being killed). */
bool uthread_signal_pending(void);
/* Starts a kernel-internal uThread in the instance's first kProc; it ends by returning. 0 or -ENOMEM. */
int uthread_start_kernel(const char *name, void (*fn)(void *arg), void *arg) must_check;

/* Poll sources: called by the scheduler loop of whichever kThread is there first (never by two at once). Returns whether it did work. */
struct poll_source {
	bool (*poll)(void *arg);
	bool (*arm)(void *arg, bool on); /* may be NULL; the sleeper calls it with true first (true: there is work), with false when awake */
	bool (*may_spin)(void *arg); /* may be NULL; false: polling on would keep the other side from running */
	void *arg;
	int host_fd;	/* also waited for (POLLIN) when the whole instance sleeps; -1 if none */
	u16 also;	/* [a] poll(2) events waited for beside POLLIN */
	u32 busy;	/* scheduler's own */
	struct poll_source *next;
};
/* Permanent. Called at boot. */
void poll_source_register(struct poll_source *s);

/*
 * Waits until host fd `fd` is ready for `events` (POLLIN/POLLOUT...) without blocking a kThread: for host terminals, pipes and
 * sockets handed over as stdin/stdout. 0, -ERESTARTSYS, -ETIMEDOUT.
 */
int host_fd_wait(int fd, u32 events, s64 deadline_ns);

#endif
