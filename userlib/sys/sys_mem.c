/* SPDX-License-Identifier: MIT */
/* System calls on memory: decoding only; the work is proc/mm_*.c. */
#include "userlib/proc/mm.h"
#include "userlib/proc/proc.h"
#include "userlib/sys/sys_mem_calls.h"
#include <linux/mman.h>

static struct mm *my_mm(void)
{
	return uproc_self()->mm; /* a thread's mm changes only by its own exec */
}

long sys_mmap(u64 addr, u64 len, int prot, int flags, int fd, u64 off)
{
	struct file *f;
	long r;

	if (off & (PAGE_SIZE - 1))
		return -EINVAL;
	if (flags & MAP_ANONYMOUS)
		return mm_mmap(my_mm(), addr, len, prot, flags, NULL, 0);
	f = fdtab_get(uproc_self()->files, fd);
	if (!f)
		return -EBADF;
	r = f->flags & O_PATH ? -EBADF : mm_mmap(my_mm(), addr, len, prot, flags, f, off);
	file_put(f);
	return r;
}

long sys_munmap(u64 addr, u64 len)
{
	return mm_munmap(my_mm(), addr, len);
}

long sys_mprotect(u64 addr, u64 len, int prot)
{
	return mm_mprotect(my_mm(), addr, len, prot);
}

/* No protection keys here: key -1 is plain mprotect, any other was never allocated. */
long sys_pkey_mprotect(u64 addr, u64 len, int prot, int pkey)
{
	return pkey == -1 ? mm_mprotect(my_mm(), addr, len, prot) : -EINVAL;
}

/* As on a CPU without protection keys. */
long sys_pkey_alloc(u64 flags, u64 rights)
{
	return flags || rights & ~3ull ? -EINVAL : -ENOSPC;
}

long sys_pkey_free(int pkey)
{
	(void)pkey;
	return -EINVAL;
}

long sys_mremap(u64 addr, u64 old_len, u64 new_len, int flags, u64 new_addr)
{
	return mm_mremap(my_mm(), addr, old_len, new_len, flags, new_addr);
}

long sys_madvise(u64 addr, u64 len, int advice)
{
	return mm_madvise(my_mm(), addr, len, advice);
}

long sys_mincore(u64 addr, u64 len, void __app *vec)
{
	return mm_mincore(my_mm(), addr, len, vec);
}

long sys_msync(u64 addr, u64 len, int flags)
{
	return mm_msync(my_mm(), addr, len, flags);
}

long sys_mlock(u64 addr, u64 len)
{
	return mm_mlock(my_mm(), addr, len, 0);
}

long sys_mlock2(u64 addr, u64 len, unsigned flags)
{
	return mm_mlock(my_mm(), addr, len, flags);
}

long sys_munlock(u64 addr, u64 len)
{
	return mm_munlock(my_mm(), addr, len);
}

long sys_mlockall(int flags)
{
	return mm_mlockall(my_mm(), flags);
}

long sys_munlockall(void)
{
	return mm_munlockall(my_mm());
}

long sys_brk(u64 addr)
{
	return (long)mm_brk(my_mm(), addr);
}
