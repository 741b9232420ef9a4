/* SPDX-License-Identifier: MIT */
/*
 * Read-only views of host files for fs/: a few 2 MiB windows per address space, replaced least recently used first. They lie among the
 * program's mappings but belong to no program and show in no map.
 */
#include "userlib/proc/mm_internal.h"
#include "userlib/rt/kmod.h"
#include "userlib/rt/kthread.h"

struct aspace *mm_current_aspace(void)
{
	return kproc_self()->aspace;
}

/* [lock] Address space for a slot that has none yet. */
static u64 window_place(struct aspace *as)
{
	struct mm anyone = { .as = as };
	struct vma *v = mm_vma_alloc();
	u64 at = 0;

	if (v)
		at = mm_find_and_reserve(&anyone, MM_WINDOW_SIZE, MM_WINDOW_SIZE, MM_LOW, as->tree.ceil);
	if (!at) {
		if (v)
			mm_vma_free(v);
		return 0;
	}
	v->start = at;
	v->end = at + MM_WINDOW_SIZE;
	v->flags = VMF_KERNEL;
	vma_insert(&as->tree, v);
	return at;
}

static struct mm_window *pick_slot(struct aspace *as, u64 id, u64 off)
{
	struct mm_window *best = NULL, *w;
	unsigned i;

	for (i = 0; i < MM_NR_WINDOWS; i++) {
		w = &as->windows[i];
		if (w->addr && w->id == id && w->off == off)
			return w;
		if (!w->users && (!best || (best->addr && (!w->addr || w->stamp < best->stamp))))
			best = w;
	}
	return best;
}

/* The module's mapping is the page cache's just like the plain one, and can never be made writable. */
static int show(u64 addr, int host_fd, int kmod_id, u64 base)
{
	if (kmod_id > 0 && kmod_file_map(kmod_id, (void *)addr, base, MM_WINDOW_SIZE) == 0)
		return 0;
	return host_mmap((void *)addr, MM_WINDOW_SIZE, PROT_READ, MAP_SHARED | MAP_FIXED, host_fd, base) < 0 ? -ENOMEM : 0;
}

const void *mm_window_get(int host_fd, int kmod_id, u64 inode_id, u64 off, u64 *avail)
{
	struct aspace *as = mm_current_aspace();
	u64 base = ROUND_DOWN(off, MM_WINDOW_SIZE);
	const void *p = NULL;
	struct mm_window *w;

	if (!as || uthread_self()->flags & UTF_KERNEL)
		return NULL; /* kernel threads read by host calls: they have no program to be mapped among */
	as_lock(as);
	w = pick_slot(as, inode_id, base);
	if (!w)
		goto out;
	if (!w->addr || w->id != inode_id || w->off != base) {
		if (!w->addr)
			w->addr = window_place(as);
		if (!w->addr)
			goto out;
		w->id = 0;
		if (show(w->addr, host_fd, kmod_id, base))
			goto out;
		w->id = inode_id;
		w->off = base;
	}
	w->users++;
	w->stamp = ++as->window_clock;
	*avail = base + MM_WINDOW_SIZE - off;
	p = (const void *)(w->addr + (off - base));
out:
	as_unlock(as);
	return p;
}

void mm_window_put(const void *p)
{
	struct aspace *as = mm_current_aspace();
	u64 addr = ROUND_DOWN((u64)p, MM_WINDOW_SIZE);
	unsigned i;

	as_lock(as);
	for (i = 0; i < MM_NR_WINDOWS; i++)
		if (as->windows[i].addr == addr && as->windows[i].users)
			as->windows[i].users--;
	as_unlock(as);
}

void mm_window_drop(u64 inode_id)
{
	struct aspace *as = mm_current_aspace();
	struct mm_window *w;
	unsigned i;

	if (!as)
		return;
	as_lock(as);
	for (i = 0; i < MM_NR_WINDOWS; i++) {
		w = &as->windows[i];
		if (!w->addr || w->id != inode_id || w->users)
			continue;
		w->id = 0;
		if (host_mmap((void *)w->addr, MM_WINDOW_SIZE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1, 0) < 0)
			log_once(LOG_WARN, "mm: cannot drop a file window");
	}
	as_unlock(as);
}

static const void *window_for_fs(struct inode *i, int host_fd, int kmod_id, u64 off, u64 len)
{
	u64 avail;
	const void *p = mm_window_get(host_fd, kmod_id, i->unique_id, off, &avail);

	if (p && avail < len) {
		mm_window_put(p);
		return NULL;
	}
	return p;
}

static void kproc_gone(struct kproc *kp)
{
	if (kp->aspace)
		aspace_put(kp->aspace);
	kp->aspace = NULL;
}

void mm_init(void)
{
	kproc_gone_hook = kproc_gone;
	fs_unmap_window = mm_window_put;
	store_release(&fs_map_window, window_for_fs);
	fs_truncate_hook = mm_inode_truncated;
}
