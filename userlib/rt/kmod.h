/* SPDX-License-Identifier: MIT */
/*
 * The kernel module as an instance uses it (jabi_kmod.h): ticks and kicks as user interrupts instead of host signals, and the page cache.
 * Everything here may be absent: callers have a way without.
 */
#ifndef USERLIB_RT_KMOD_H
#define USERLIB_RT_KMOD_H

#include "userlib/rt/sched.h"

#define KMOD_VEC_TICK 0
#define KMOD_VEC_KICK 1

/* Boot, once: the instance file that the launcher handed over (-1: none) and free addresses for one page per kThread of a kProc. */
void kmod_boot(int fd, void *pages);
bool kmod_present(void);

/* With the kThread's memory, by any kProc. -ENOMEM. */
int kmod_thread_alloc(struct kthread *kt);
void kmod_thread_free(struct kthread *kt);
/* The calling host thread, which is kt: from here its ticks, each tick_ns of its CPU time, and kicks come as user interrupts. -errno: they do not. */
int kmod_thread_init(struct kthread *kt, s64 tick_ns);
/* Interrupts kt if it is running program code. -errno: send a signal. */
int kmod_interrupt(struct kthread *kt);
/*
 * The caller's PARK: gives up the CPU that it holds, waits for a grant. leave: does not wait, is not managed any more. -EPIPE: nobody grants
 * CPUs; -EINTR: a signal came, it runs ungranted.
 */
int kmod_park(struct kthread *kt, bool leave);

/* Host files that are asked about or mapped often: an id for a descriptor, > 0, or -errno where the host file system is not plain page cache. */
int kmod_file_add(int fd);
void kmod_file_del(int id);
/* Are all pages of [off, off + len) in the page cache? off is a page multiple, len at most 16 MiB. 1, 0 or -errno. */
int kmod_file_resident(int id, u64 off, u64 len);
/* Maps read-only at addr, replacing what is there. */
int kmod_file_map(int id, void *addr, u64 off, u64 len);
/* Starts reading; len at most KMOD_PREFETCH_MAX. -EAGAIN: too much is under way. */
#define KMOD_PREFETCH_MAX (64ul << 20)
int kmod_file_prefetch(int id, u64 off, u64 len);

#endif
