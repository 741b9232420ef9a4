/* SPDX-License-Identifier: MIT */
/* Shared inside entry/: boot facts, the first program, the end of the instance. */
#ifndef USERLIB_ENTRY_ENTRY_H
#define USERLIB_ENTRY_ENTRY_H

#include "jabi/jabi_boot.h"
#include "userlib/proc/mm.h"

extern struct jabi_boot *boot; /* at the start of the arena */

struct entry_facts {
	const struct aspace_range *reserved;
	unsigned nr_reserved;
	void *vdso; /* in the arena */
	u64 vdso_len, hwcap, minsigstksz;
};
/* Runs the inits, makes the first process and enters the scheduler. */
noreturn_fn void entry_start_first(const struct entry_facts *f);
void entry_print_stats(void);
/* exit.c: the first process has ended, its files are closed. */
noreturn_fn void instance_exit(int wait_status);
void instance_kill_hosts(void); /* at once */
bool instance_hurry(void);	/* somebody wants the end: false if the first process has not ended yet */
void entry_first_thread(void *arg);
/* patch.c: patched images through the launcher's cache. */
void patch_init(void);
/* ctl.c: answers to commands that look into the running instance. */
void ctl_init(void);
/* netproc.c: /proc/net and /sys/class/net. After procfs_init. */
void netproc_init(void);

static inline const char *boot_str(struct jabi_str s)
{
	return s.off ? (const char *)boot + s.off : "";
}

#endif
