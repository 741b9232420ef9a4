/* SPDX-License-Identifier: MIT */
#ifndef TESTS_UNIT_PROC_STUB_RT_H
#define TESTS_UNIT_PROC_STUB_RT_H

#include "userlib/base/mem.h"
#include "userlib/base/string.h"
#include "userlib/proc/mm.h"
#include "userlib/proc/proc.h"

extern struct aspace *stub_aspace;
extern u64 stub_rlimit[];
void stub_init(u64 limit);
struct thread *stub_thread_start(struct uproc *p, int tid); /* the calling pthread becomes a uThread */
void stub_thread_gone(struct thread *t);

#endif
