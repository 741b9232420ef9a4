/* SPDX-License-Identifier: MIT */
/* System calls on memory (sys_mem.c) and futexes (sys_futex.c). */
#ifndef USERLIB_SYS_MEM_CALLS_H
#define USERLIB_SYS_MEM_CALLS_H

#include "base/types.h"

/* sys_mem.c */
long sys_mmap(u64 addr, u64 len, int prot, int flags, int fd, u64 off);
long sys_munmap(u64 addr, u64 len);
long sys_mprotect(u64 addr, u64 len, int prot);
long sys_pkey_mprotect(u64 addr, u64 len, int prot, int pkey);
long sys_pkey_alloc(u64 flags, u64 rights);
long sys_pkey_free(int pkey);
long sys_mremap(u64 addr, u64 old_len, u64 new_len, int flags, u64 new_addr);
long sys_madvise(u64 addr, u64 len, int advice);
long sys_mincore(u64 addr, u64 len, void __app *vec);
long sys_msync(u64 addr, u64 len, int flags);
long sys_mlock(u64 addr, u64 len);
long sys_mlock2(u64 addr, u64 len, unsigned flags);
long sys_munlock(u64 addr, u64 len);
long sys_mlockall(int flags);
long sys_munlockall(void);
long sys_brk(u64 addr);

/* sys_vm.c */
long sys_process_vm_readv(int pid, const void __app *lvec, u64 nl, const void __app *rvec, u64 nr, u64 flags);
long sys_process_vm_writev(int pid, const void __app *lvec, u64 nl, const void __app *rvec, u64 nr, u64 flags);

/* sys_futex.c */
long sys_futex(u32 __app *uaddr, int op, u32 val, u64 timeout, u32 __app *uaddr2, u32 val3);
long sys_futex_waitv(void __app *waiters, u32 nr, u32 flags, void __app *timeout, int clockid);
long sys_set_robust_list(void __app *head, u64 len);
long sys_get_robust_list(int tid, void __app *__app *head, u64 __app *len);

#endif
