/* SPDX-License-Identifier: MIT */
/*
 * What a fault of a program means, mappings that are filled late (memfs pages behind the old end of a file, MAP_GROWSDOWN), and files
 * that shrink under their mappings.
 */
#include "userlib/proc/mm_internal.h"
#include "userlib/proc/proc.h"

#define GROW_GUARD (256 * PAGE_SIZE)
#define PREPARE_TRIES 64

static void mm_prepare(u64 addr, u64 len);

/* Extends a MAP_GROWSDOWN mapping to cover addr. */
static bool grow_down(struct mm *mm, struct vma *v, u64 addr)
{
	u64 start = ROUND_DOWN(addr, PAGE_SIZE), len = v->start - start;
	struct vma *prev = vma_prev(&mm->as->tree, v);
	u64 lim = proc_rlimit(RLIMIT_STACK);

	if (v->mm != mm || !(v->flags & VMF_GROWSDOWN) || start < MM_LOW || v->end - start > lim)
		return false;
	if (prev && prev->prot != PROT_NONE && start < prev->end + GROW_GUARD)
		return false;
	if (prev && start < prev->end)
		return false;
	if ((v->flags & VMF_CHARGED) && as_charge(mm->as, len))
		return false;
	if (hm_map(start, len, (int)v->prot, v->flags, NULL, 0, -1, HM_NOREPLACE, false)) {
		if (v->flags & VMF_CHARGED)
			as_uncharge(mm->as, len);
		return false;
	}
	vma_set_bounds(&mm->as->tree, v, start, v->end);
	mm->total_vm += len;
	mm->stack_vm += len;
	return true;
}

static bool beyond_object(const struct vma *v, u64 addr)
{
	const struct vm_object *o = v->obj;
	u64 index = (v->off + (ROUND_DOWN(addr, PAGE_SIZE) - v->start)) >> PAGE_SHIFT;

	return o && o->kind == VMO_ARENA && (index < o->first_page || index - o->first_page >= o->nr_pages);
}

/* [lock] From now on system calls of mm look at the memory they are about to touch. */
void mm_note_late(struct mm *mm, const struct vma *v)
{
	if (!(v->flags & VMF_GROWSDOWN) && !beyond_object(v, v->end - PAGE_SIZE))
		return;
	store_relaxed(&mm->late, 1u);
	uaccess_prepare = mm_prepare;
}

/* [lock] Gives [start, v->end) of v the object `o` instead. */
static int replace_tail(struct mm *mm, struct vma *v, u64 start, struct vm_object *o)
{
	u64 end = v->end;
	int r = mm_isolate(mm, start, end);

	if (r)
		return r;
	v = vma_find(&mm->as->tree, start);
	r = hm_map(v->start, vma_len(v), (int)v->prot, v->flags, o, v->off, -1, HM_FIXED, false);
	if (r)
		return r;
	vmo_put_locked(mm->as, v->obj);
	v->obj = vmo_get(o);
	mm_note_late(mm, v);
	return 0;
}

/* The file may have grown since the mapping was made. True if addr is backed now. */
static bool fill_late(struct mm *mm, u64 addr)
{
	u64 page = ROUND_DOWN(addr, PAGE_SIZE), off = 0, len = 0;
	struct vm_object *old = NULL, *fresh = NULL;
	bool shared = false, ok = false;
	struct vma *v;

	as_lock(mm->as);
	v = vma_find(&mm->as->tree, addr);
	if (v && v->start <= addr && v->mm == mm && beyond_object(v, addr)) {
		old = vmo_get(v->obj);
		off = v->off + (page - v->start);
		len = v->end - page;
		shared = v->flags & VMF_SHARED;
	}
	as_unlock(mm->as);
	if (!old)
		return true; /* changed meanwhile: look again */
	if (!vmo_new_like(old, shared, off, len, &fresh) && fresh && fresh->kind == VMO_ARENA && fresh->nr_pages) {
		as_lock(mm->as);
		v = vma_find(&mm->as->tree, addr);
		if (v && v->start <= page && v->mm == mm && v->obj == old && v->end == page + len && v->off + (page - v->start) == off)
			ok = replace_tail(mm, v, page, fresh) == 0;
		else
			ok = true;
		as_unlock(mm->as);
	}
	vmo_put(fresh);
	vmo_put(old);
	return ok;
}

static int classify(struct mm *mm, u64 addr, bool write, bool exec, bool *late)
{
	struct vma *v = vma_find(&mm->as->tree, addr);

	*late = false;
	if (!v || addr >= MM_TASK_SIZE)
		return MM_FAULT_MAPERR;
	if (v->start > addr)
		return grow_down(mm, v, addr) ? MM_FAULT_RETRY : MM_FAULT_MAPERR;
	if (v->mm != mm || !vma_visible(v))
		return MM_FAULT_MAPERR;
	if ((write && !(v->prot & PROT_WRITE)) || (exec && !(v->prot & PROT_EXEC)) || v->prot == PROT_NONE)
		return MM_FAULT_ACCERR;
	*late = beyond_object(v, addr);
	return *late ? MM_FAULT_SIGBUS : MM_FAULT_RETRY;
}

int mm_fault(struct mm *mm, u64 addr, bool write, bool exec)
{
	bool late;
	int r;

	as_lock(mm->as);
	r = classify(mm, addr, write, exec, &late);
	as_unlock(mm->as);
	if (late && fill_late(mm, addr))
		return MM_FAULT_RETRY;
	return r;
}

/* Is there anything between addr and end that a kernel access could not use although the program may? */
bool mm_fault_in(struct mm *mm, u64 addr, u64 len, bool write)
{
	u64 at = ROUND_DOWN(addr, PAGE_SIZE), end = addr + len;
	bool late, changed = false;
	struct vma *v;

	if (end < addr || end > MM_TASK_SIZE)
		return false;
	while (at < end) {
		as_lock(mm->as);
		v = vma_find(&mm->as->tree, at);
		if (v && v->start > at && v->start < end && !(v->flags & VMF_GROWSDOWN))
			v = NULL;
		late = false;
		if (v && v->start > at)
			changed |= grow_down(mm, v, at);
		else if (v && v->mm == mm && (!write || (v->prot & PROT_WRITE)))
			late = beyond_object(v, at);
		as_unlock(mm->as);
		if (!v)
			break;
		if (late) {
			if (!fill_late(mm, at))
				break;
			changed = true;
		}
		at += PAGE_SIZE;
	}
	return changed;
}

/* The first page of [at, end) that a fault of the program would have to bring, or 0. */
static u64 first_late(struct mm *mm, u64 at, u64 end)
{
	struct vma *v;
	u64 from, found = 0;

	as_lock(mm->as);
	for (v = vma_find(&mm->as->tree, at); v && v->start < end && !found; v = vma_next(&mm->as->tree, v)) {
		from = MAX(at, v->start);
		if (v->start > at && v->flags & VMF_GROWSDOWN && v->mm == mm)
			(void)grow_down(mm, v, at);
		if (v->mm != mm || !v->obj || v->obj->kind != VMO_ARENA)
			continue;
		for (; from < MIN(end, v->end) && !found; from += PAGE_SIZE) {
			if (beyond_object(v, from))
				found = from;
			else if (!beyond_object(v, MIN(ROUND_UP(end, PAGE_SIZE), v->end) - PAGE_SIZE))
				break;
		}
	}
	as_unlock(mm->as);
	return found;
}

static void bring_in(struct mm *mm, u64 addr, u64 len)
{
	u64 at = ROUND_DOWN(addr, PAGE_SIZE), end = addr + len;

	if (!mm || !load_relaxed(&mm->late) || addr < MM_LOW || end < addr || addr >= MM_TASK_SIZE)
		return;
	for (unsigned tries = 0; tries < PREPARE_TRIES && at < end; tries++) {
		at = first_late(mm, at, MIN(end, MM_TASK_SIZE));
		if (!at || !fill_late(mm, at))
			break;
	}
}

/* uaccess_prepare */
static void mm_prepare(u64 addr, u64 len)
{
	struct uthread *ut = uthread_self();

	if (!(ut->flags & UTF_KERNEL) && ut != &kt_self()->idle_ut)
		bring_in(uproc_self()->mm, addr, len);
}

size_t mm_copy(struct mm *mm, u64 addr, void *buf, size_t len, bool write)
{
	u64 at = addr, end = addr + len, need = write ? PROT_WRITE : PROT_READ;
	struct vma *v;

	if (end < addr || end > MM_TASK_SIZE)
		return 0;
	bring_in(mm, addr, len);
	as_lock(mm->as);
	for (v = vma_find(&mm->as->tree, at); v && at < end; v = vma_next(&mm->as->tree, v)) {
		size_t n = MIN(end, v->end) - at, moved;

		if (v->start > at || v->mm != mm || !vma_visible(v) || !(v->prot & need))
			break;
		if (write)
			moved = copy_to_app_partial((void __app *)at, (char *)buf + (at - addr), n);
		else
			moved = copy_from_app_partial((char *)buf + (at - addr), (const void __app *)at, n);
		at += moved;
		if (moved < n)
			break;
	}
	as_unlock(mm->as);
	return at - addr;
}

/* --- shrinking files --- */

/* First page address of v that lies behind the new end of the file, or v->end. */
static u64 first_behind(const struct vma *v, u64 new_size)
{
	u64 cut = ROUND_UP(new_size, PAGE_SIZE);

	if (cut <= v->off)
		return v->start;
	return cut - v->off >= vma_len(v) ? v->end : v->start + (cut - v->off);
}

void mm_inode_truncated(struct inode *inode, u64 new_size)
{
	struct aspace *as = mm_current_aspace();
	struct vm_object *empty = NULL;
	struct vma *v, *n;
	u64 at;

	if (!as)
		return;
	as_lock(as);
	list_for_each_safe(v, n, &as->tree.all, link) {
		if (!v->mm || !v->obj || v->obj->kind != VMO_ARENA || v->obj->inode != inode || !v->obj->nr_pages)
			continue;
		at = first_behind(v, new_size);
		if (at >= v->end)
			continue;
		if (!empty) {
			empty = slab_zalloc(&vmo_slab);
			if (!empty)
				break;
			ref_init(&empty->ref);
			empty->kind = VMO_ARENA;
			empty->id = inode->unique_id;
			empty->inode = inode_get(inode);
			empty->host_fd = -1;
			empty->path = v->obj->path;
			if (empty->path.mnt)
				path_get(&empty->path);
		}
		if (replace_tail(v->mm, v, at, empty))
			log_once(LOG_WARN, "mm: no memory to cut the mapping of a shrunk file");
	}
	as_unlock(as);
	vmo_put(empty);
}

u64 mm_shared_key(struct mm *mm, u64 addr, u64 *offset)
{
	struct vma *v;
	u64 id = 0;

	as_lock(mm->as);
	v = vma_find(&mm->as->tree, addr);
	if (v && v->start <= addr && v->mm == mm && v->obj && (v->flags & VMF_SHARED)) {
		id = v->obj->id;
		*offset = v->off + (addr - v->start);
	}
	as_unlock(mm->as);
	return id;
}
