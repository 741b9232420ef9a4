/* SPDX-License-Identifier: MIT */
/* What the mm_*.c files share: locking, VMA surgery, host mapping, charging. Everything here wants mm->as->lock held unless said. */
#ifndef USERLIB_PROC_MM_INTERNAL_H
#define USERLIB_PROC_MM_INTERNAL_H

#include "userlib/base/log.h"
#include "userlib/base/string.h"
#include "userlib/proc/mm.h"
#include "userlib/rt/host.h"
#include <linux/mman.h>
#include <linux/resource.h>

#define MM_HOST_TRIES 64
#define PROT_RWX (PROT_READ | PROT_WRITE | PROT_EXEC)
/* Flags that decide whether two neighbours look like one mapping. */
#define VMF_MERGE_MASK (~0u)

void as_lock(struct aspace *as);
void as_unlock(struct aspace *as); /* frees as->dead after releasing */

/* Objects. new: reference for the caller; parks (file system), so no lock may be held. */
struct vm_object *vmo_new_anon(void);
int vmo_new_file(struct file *f, bool shared, bool write, u64 off, u64 len, struct vm_object **out); /* *out NULL: anonymous (/dev/zero) */
int vmo_new_like(const struct vm_object *o, bool shared, u64 off, u64 len, struct vm_object **out);  /* of the same file, as it is now */
static inline struct vm_object *vmo_get(struct vm_object *o)
{
	if (o)
		ref_get(&o->ref);
	return o;
}
void vmo_put(struct vm_object *o);				/* without locks */
void vmo_put_locked(struct aspace *as, struct vm_object *o);	/* with as->lock */
bool vmo_same(const struct vm_object *a, const struct vm_object *b);

/* VMAs. */
struct vma *mm_vma_alloc(void);
void mm_vma_free(struct vma *v); /* unlinked, object already dropped */
/* Links v (bounds, prot, flags, obj reference set) as mm's and counts it. */
void mm_vma_link(struct mm *mm, struct vma *v);
/* New protection and flags of a linked VMA. */
void mm_vma_recount(struct mm *mm, struct vma *v, int new_prot, u32 new_flags);
/* Unlinks, un-counts, drops the object, frees. No host call, no uncharge. */
void mm_vma_unlink(struct aspace *as, struct vma *v);
/* Makes start and end fall on VMA borders of mm. -ENOMEM: nothing changed that matters. */
int mm_isolate(struct mm *mm, u64 start, u64 end) must_check;
void mm_merge_range(struct mm *mm, u64 start, u64 end);
/* Bytes of mm's charged VMAs inside the (isolated) range. */
u64 mm_committed_in(struct mm *mm, u64 start, u64 end);
/* Unlinks all of mm's VMAs inside the isolated range. */
void mm_forget_range(struct mm *mm, u64 start, u64 end);
/* Unmaps what mm has in the range, bookkeeping and host. */
int mm_unmap_locked(struct mm *mm, u64 start, u64 end) must_check;
static inline bool vma_visible(const struct vma *v)
{
	return !(v->flags & (VMF_KERNEL | VMF_STUB | VMF_FOREIGN));
}
bool vma_wants_charge(const struct vma *v);

/* Host mappings. */
#define HM_FIXED 0     /* replaces what is there */
#define HM_NOREPLACE 1 /* -EEXIST if the host has something there */
int hm_map(u64 addr, u64 len, int prot, u32 vmf, const struct vm_object *obj, u64 off, int fd_override, int how, bool populate) must_check;
int hm_reserve(u64 addr, u64 len) must_check; /* PROT_NONE, no replace */
int hm_protect(const struct vma *v, u64 start, u64 end, int prot);
/* The host has something in a range we believed free: remembers where. */
void as_note_conflict(struct aspace *as, u64 start, u64 len);

/* Charging. */
struct aspace *mm_current_aspace(void); /* of the calling kProc (mm_window.c) */
int as_charge(struct aspace *as, u64 bytes) must_check;
void as_uncharge(struct aspace *as, u64 bytes);
void mm_note_late(struct mm *mm, const struct vma *v); /* v, linked or changed, may be filled late (mm_fault.c) */
u64 vma_resident(const struct vma *v); /* own kProc only */

/* A range that the tree says is free: top-down below mmap_base, then bottom-up above it. 0 = none. */
u64 mm_find_gap(struct mm *mm, u64 len, u64 align, u64 low, u64 high);
/* A free range for mm (top-down), host-reserved with PROT_NONE. 0 = none. */
u64 mm_find_and_reserve(struct mm *mm, u64 len, u64 align, u64 low, u64 high);

extern struct slab vma_slab, vmo_slab;

#endif
