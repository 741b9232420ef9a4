/* SPDX-License-Identifier: MIT */
/*
 * Program memory: life of address spaces and views, and the surgery on VMAs that the other mm_*.c files build on (split, merge, link,
 * forget). System calls are in mm_map.c (mmap, brk), mm_change.c (munmap, mprotect, mremap) and mm_advise.c; objects and host mappings
 * in mm_object.c; fork and exec in mm_fork.c.
 */
#include "userlib/proc/mm_internal.h"

struct slab vma_slab = SLAB_INIT("vma", struct vma);
static struct slab aspace_slab = SLAB_INIT("aspace", struct aspace);
static struct slab mm_slab = SLAB_INIT("mm", struct mm);
static u64 mm_next_id = 1;

int (*mm_exec_map_hook)(struct mm *mm, struct inode *inode, int host_fd, u64 off, u64 len, struct mm_exec_patch *out);
u64 (*mm_reserve_hook)(struct inode *inode, int host_fd, u64 off, u64 len);
void (*mm_text_changed_hook)(struct mm *mm, u64 start, u64 end);

void as_lock(struct aspace *as)
{
	mutex_lock(&as->lock);
}

void as_unlock(struct aspace *as)
{
	struct vm_object *dead = as->dead, *next;

	as->dead = NULL;
	mutex_unlock(&as->lock);
	for (; dead; dead = next) {
		next = dead->next_dead;
		ref_init(&dead->ref); /* vmo_put_locked saw zero; nobody else has it */
		vmo_put(dead);
	}
}

struct vma *mm_vma_alloc(void)
{
	return slab_zalloc(&vma_slab);
}

void mm_vma_free(struct vma *v)
{
	slab_free(&vma_slab, v);
}

/* A range that nobody may touch: owner NULL. */
static int add_kernel_range(struct aspace *as, u64 start, u64 end)
{
	struct vma *v;

	start = MAX(ROUND_DOWN(start, PAGE_SIZE), as->tree.floor);
	end = MIN(ROUND_UP(end, PAGE_SIZE), as->tree.ceil);
	if (start >= end || !vma_range_free(&as->tree, start, end))
		return 0;
	v = mm_vma_alloc();
	if (!v)
		return -ENOMEM;
	v->start = start;
	v->end = end;
	v->flags = VMF_KERNEL;
	vma_insert(&as->tree, v);
	return 0;
}

static void free_all_vmas(struct aspace *as)
{
	struct vma *v;

	while (!list_empty(&as->tree.all)) {
		v = list_first(&as->tree.all, struct vma, link);
		mm_vma_unlink(as, v);
	}
}

/* Top of mmap searches: random, and well below where the host puts its own stack, vDSO and libraries of a static PIE. */
struct aspace *aspace_create(const struct aspace_range *reserved, unsigned nr_reserved)
{
	struct aspace *as = slab_zalloc(&aspace_slab);
	u64 rnd;
	unsigned i;

	if (!as)
		return NULL;
	ref_init(&as->ref);
	mutex_init(&as->lock);
	list_init(&as->mms);
	vma_tree_init(&as->tree, MM_LOW, MM_TASK_SIZE);
	random_bytes(&rnd, sizeof(rnd));
	as->mmap_base = 0x7e0000000000ull - ((rnd & 0xfffffff) << PAGE_SHIFT);
	for (i = 0; i < nr_reserved; i++) {
		if (add_kernel_range(as, reserved[i].start, reserved[i].end)) {
			aspace_put(as);
			return NULL;
		}
	}
	return as;
}

void aspace_put(struct aspace *as)
{
	if (!ref_put(&as->ref))
		return;
	free_all_vmas(as); /* of no program: those went with their mm's, which hold references; so nothing here parks */
	mem_uncharge(as->charged);
	slab_free(&aspace_slab, as);
}

struct mm *mm_create(struct aspace *as)
{
	struct mm *mm = slab_zalloc(&mm_slab);

	if (!mm)
		return NULL;
	ref_init(&mm->ref);
	mm->as = aspace_get(as);
	mm->id = atomic_fetch_add(&mm_next_id, 1ull);
	as_lock(as);
	list_add_tail(&as->mms, &mm->link);
	as_unlock(as);
	return mm;
}

static void forget_all(struct mm *mm)
{
	struct aspace *as = mm->as;
	struct vma *v, *n;
	u64 committed = 0;

	list_for_each_safe(v, n, &as->tree.all, link) {
		if (v->mm != mm)
			continue;
		if (v->flags & VMF_CHARGED)
			committed += vma_len(v);
		mm_vma_unlink(as, v);
	}
	as_uncharge(as, committed);
}

/* [lock] The host side of losing all of mm. */
static void unmap_all(struct mm *mm)
{
	struct vma *v;
	u64 run_start = 0, run_end = 0;

	list_for_each(v, &mm->as->tree.all, link) {
		if (v->mm != mm)
			continue;
		if (v->start != run_end) {
			if (run_end)
				host_munmap((void *)run_start, run_end - run_start);
			run_start = v->start;
		}
		run_end = v->end;
	}
	if (run_end)
		host_munmap((void *)run_start, run_end - run_start);
}

void mm_release(struct mm *mm)
{
	as_lock(mm->as);
	unmap_all(mm);
	forget_all(mm);
	mm->released = 1;
	as_unlock(mm->as);
}

static bool has_company(const struct mm *mm)
{
	struct mm *o;

	list_for_each(o, &mm->as->mms, link)
		if (o != mm && !o->released)
			return true;
	return false;
}

void mm_put(struct mm *mm)
{
	struct aspace *as = mm->as;

	if (!ref_put(&mm->ref))
		return;
	as_lock(as);
	if (!mm->released && as == mm_current_aspace() && has_company(mm))
		unmap_all(mm); /* someone (a reader of /proc) held it beyond its owner's end */
	forget_all(mm);
	list_del(&mm->link);
	as_unlock(as);
	mm_set_exe(mm, NULL);
	slab_free(&mm_slab, mm);
	aspace_put(as);
}

/* While a program runs, its file cannot be opened for writing (ETXTBSY). */
void mm_set_exe(struct mm *mm, const struct path *exe)
{
	if (mm->exe_denies)
		inode_allow_write(path_inode(&mm->exe));
	if (mm->exe.mnt)
		path_put(&mm->exe);
	mm->exe_denies = 0;
	mm->exe = (struct path){ NULL, NULL };
	if (!exe || !exe->mnt)
		return;
	mm->exe = *exe;
	path_get(&mm->exe);
	mm->exe_denies = inode_deny_write(path_inode(exe)) == 0;
}

bool mm_is_alone(struct mm *mm)
{
	bool alone;

	as_lock(mm->as);
	alone = !has_company(mm);
	as_unlock(mm->as);
	return alone;
}

/* --- counting --- */

static void count_vma(struct mm *mm, const struct vma *v, bool add)
{
	u64 len = add ? vma_len(v) : -vma_len(v);

	if (v->flags & VMF_STUB)
		return;
	mm->total_vm += len;
	if (v->flags & (VMF_STACK | VMF_GROWSDOWN))
		mm->stack_vm += len;
	else if ((v->prot & (PROT_EXEC | PROT_WRITE)) == PROT_EXEC)
		mm->exec_vm += len;
	else if ((v->prot & PROT_WRITE) && !(v->flags & VMF_SHARED))
		mm->data_vm += len;
	if (v->flags & VMF_LOCKED)
		mm->locked_vm += len;
	if (mm->total_vm > mm->hiwater_vm)
		mm->hiwater_vm = mm->total_vm;
}

void mm_vma_recount(struct mm *mm, struct vma *v, int new_prot, u32 new_flags)
{
	count_vma(mm, v, false);
	v->prot = (u32)new_prot;
	v->flags = new_flags;
	count_vma(mm, v, true);
}

void mm_vma_link(struct mm *mm, struct vma *v)
{
	v->mm = mm;
	vma_insert(&mm->as->tree, v);
	count_vma(mm, v, true);
	mm_note_late(mm, v);
}

void mm_vma_unlink(struct aspace *as, struct vma *v)
{
	if (v->mm)
		count_vma(v->mm, v, false);
	vma_remove(&as->tree, v);
	vmo_put_locked(as, v->obj);
	mm_vma_free(v);
}

bool vma_wants_charge(const struct vma *v)
{
	if (v->flags & (VMF_NORESERVE | VMF_KERNEL | VMF_STUB | VMF_VDSO | VMF_STACK))
		return false;
	if (v->flags & VMF_SHARED)
		return v->obj && v->obj->kind == VMO_SHARED_ANON;
	return v->prot & PROT_WRITE;
}

/* --- surgery --- */

/* v keeps [start, at), a new VMA gets [at, end). */
static int split_vma(struct aspace *as, struct vma *v, u64 at)
{
	struct vma *n = mm_vma_alloc();

	if (!n)
		return -ENOMEM;
	n->start = at;
	n->end = v->end;
	n->prot = v->prot;
	n->flags = v->flags;
	n->mm = v->mm;
	n->obj = vmo_get(v->obj);
	n->off = v->off + (at - v->start);
	vma_set_bounds(&as->tree, v, v->start, at);
	vma_insert(&as->tree, n);
	return 0;
}

static int split_at(struct mm *mm, u64 at)
{
	struct vma *v = vma_find(&mm->as->tree, at);

	if (!v || v->start >= at || v->mm != mm)
		return 0;
	return split_vma(mm->as, v, at);
}

int mm_isolate(struct mm *mm, u64 start, u64 end)
{
	int r = split_at(mm, start);

	return r ? r : split_at(mm, end);
}

static bool can_merge(const struct vma *a, const struct vma *b)
{
	if (a->end != b->start || a->mm != b->mm || !a->mm || a->prot != b->prot || a->flags != b->flags)
		return false;
	if (a->flags & (VMF_STUB | VMF_VDSO | VMF_STACK))
		return false;
	if (!a->obj || !b->obj)
		return !a->obj && !b->obj;
	return vmo_same(a->obj, b->obj) && a->off + vma_len(a) == b->off;
}

void mm_merge_range(struct mm *mm, u64 start, u64 end)
{
	struct aspace *as = mm->as;
	struct vma *v = vma_find(&as->tree, start ? start - 1 : 0), *n;

	while (v && v->start < end) {
		n = vma_next(&as->tree, v);
		if (!n || n->start > end)
			return;
		if (can_merge(v, n)) {
			u64 new_end = n->end;

			vma_remove(&as->tree, n);
			vmo_put_locked(as, n->obj);
			mm_vma_free(n);
			vma_set_bounds(&as->tree, v, v->start, new_end);
		} else {
			v = n;
		}
	}
}

u64 mm_committed_in(struct mm *mm, u64 start, u64 end)
{
	struct vma *v;
	u64 sum = 0;

	for (v = vma_find(&mm->as->tree, start); v && v->start < end; v = vma_next(&mm->as->tree, v))
		if (v->mm == mm && (v->flags & VMF_CHARGED))
			sum += MIN(v->end, end) - MAX(v->start, start);
	return sum;
}

void mm_forget_range(struct mm *mm, u64 start, u64 end)
{
	struct vma *v, *n;

	for (v = vma_find(&mm->as->tree, start); v && v->start < end; v = n) {
		n = vma_next(&mm->as->tree, v);
		if (v->mm == mm)
			mm_vma_unlink(mm->as, v);
	}
}

/* Stubs directly behind a mapping that went away have no user any more. */
static u64 trailing_stubs(struct mm *mm, u64 end)
{
	struct vma *v = vma_find(&mm->as->tree, end);

	while (v && v->start == end && v->mm == mm && (v->flags & VMF_STUB)) {
		end = v->end;
		v = vma_next(&mm->as->tree, v);
	}
	return end;
}

int mm_unmap_locked(struct mm *mm, u64 start, u64 end)
{
	struct vma *v;
	u64 committed;
	bool mapped_last;
	int r = mm_isolate(mm, start, end);

	if (r)
		return r;
	v = vma_find(&mm->as->tree, end - 1);
	mapped_last = v && v->start < end && v->mm == mm && !(v->flags & VMF_STUB) && v->obj;
	if (mapped_last)
		end = trailing_stubs(mm, end);
	committed = mm_committed_in(mm, start, end);
	for (v = vma_find(&mm->as->tree, start); v && v->start < end; v = vma_next(&mm->as->tree, v))
		if (v->mm == mm)
			host_munmap((void *)v->start, vma_len(v));
	mm_forget_range(mm, start, end);
	as_uncharge(mm->as, committed);
	return 0;
}

/* --- charging --- */

#define MINCORE_PAGES 4096ull
#define MEASURE_MAX (256ull * GiB) /* larger maps are reservations; walking them would take long */

/* Resident bytes by mincore. Wrong for private file pages that are only in the page cache: used for anonymous maps. */
u64 vma_resident(const struct vma *v)
{
	unsigned char *vec = page_alloc(0);
	u64 at, n, i, pages = 0;

	if (!vec)
		return 0;
	for (at = v->start; at < v->end; at += n) {
		n = MIN(v->end - at, MINCORE_PAGES * PAGE_SIZE);
		if (host_mincore((void *)at, n, vec) < 0)
			continue;
		for (i = 0; i < n >> PAGE_SHIFT; i++)
			pages += vec[i] & 1;
	}
	page_free(vec, 0);
	return pages << PAGE_SHIFT;
}

/* Corrects the charge to what is really there. */
static void measure(struct aspace *as)
{
	struct vma *v;
	u64 resident = 0;

	as->measured_commit = as->committed;
	if (mm_current_aspace() != as)
		return;
	list_for_each(v, &as->tree.all, link) {
		if (!v->mm || (v->flags & (VMF_STUB | VMF_VDSO)) || v->prot == PROT_NONE || vma_len(v) > MEASURE_MAX)
			continue;
		if (!v->obj || v->obj->kind == VMO_SHARED_ANON)
			resident += vma_resident(v);
	}
	resident -= MIN(resident, as->fork_shared);
	if (resident < as->charged)
		mem_uncharge(as->charged - resident);
	else if (mem_charge(resident - as->charged))
		return; /* over the limit already: keep the old charge, new requests fail */
	as->charged = resident;
}

int as_charge(struct aspace *as, u64 bytes)
{
	u64 limit = mem_limit_bytes();

	if (!bytes)
		return 0;
	if (bytes > limit)
		return -ENOMEM;
	if (mem_charge(bytes)) {
		measure(as);
		if (mem_charge(bytes))
			return -ENOMEM;
	}
	as->charged += bytes;
	as->committed += bytes;
	if (mem_charged_bytes() + page_used_bytes() > limit / 4 * 3 && as->committed > as->measured_commit + limit / 32)
		measure(as);
	return 0;
}

/* The charge shrinks in proportion: nobody knows which of the committed pages were resident. */
void as_uncharge(struct aspace *as, u64 bytes)
{
	u64 part;

	if (!bytes)
		return;
	if (bytes >= as->committed)
		part = as->charged;
	else
		part = (as->charged >> PAGE_SHIFT) * (bytes >> PAGE_SHIFT) / (as->committed >> PAGE_SHIFT) << PAGE_SHIFT;
	part = MIN(part, as->charged);
	mem_uncharge(part);
	as->charged -= part;
	as->committed -= MIN(bytes, as->committed);
	as->measured_commit = MIN(as->measured_commit, as->committed);
}
