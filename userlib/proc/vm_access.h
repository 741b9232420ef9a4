/* SPDX-License-Identifier: MIT */
/* Memory of other processes: process_vm_readv(2), process_vm_writev(2). */
#ifndef USERLIB_PROC_VM_ACCESS_H
#define USERLIB_PROC_VM_ACCESS_H

#include "userlib/proc/proc.h"

/*
 * Moves up to len bytes between p's memory at addr and buf (kernel memory): how many before the first that cannot be used, -ESRCH if p
 * has no memory any more. Any kProc; parks. p is referenced by the caller.
 */
ssize vm_access(struct uproc *p, u64 addr, void *buf, size_t len, bool write);
/* Who could trace p (ptrace(2), "Ptrace access mode checking"; the rule without a security module). */
bool proc_may_access(const struct uproc *p);

#endif
