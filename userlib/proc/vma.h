/* SPDX-License-Identifier: MIT */
/*
 * The map of one host address space: an ordered tree of mappings with the largest free gap of every subtree, so that top-down
 * first-fit search is logarithmic. Pure data structure: no host calls, no locks (the aspace lock of mm.h covers it).
 */
#ifndef USERLIB_PROC_VMA_H
#define USERLIB_PROC_VMA_H

#include "base/atomic.h"
#include "base/list.h"
#include "fs/vfs.h"

struct mm;

/* What a mapping shows. Shared by VMAs split from one mapping and by those of forked children; refcounted. */
enum vmo_kind {
	VMO_SHARED_ANON, /* MAP_SHARED|MAP_ANONYMOUS: host memory shared through fork */
	VMO_HOST,	 /* a host file: mapped straight from its descriptor */
	VMO_ARENA,	 /* memfs pages: mapped from the arena's descriptor, page by page */
};
struct vm_object {
	struct ref ref;
	u32 kind;	     /* [I] */
	u64 id;		     /* [I] futex keys: inode->unique_id, or a fresh number for shared anonymous memory */
	struct inode *inode; /* [I] reference; NULL for shared anonymous */
	struct path path;    /* [I] for /proc/PID/maps; mnt NULL = none (anonymous, or "memfd:" by name) */
	int host_fd;	     /* [I] VMO_HOST: borrowed, lives as long as the inode */
	u64 first_page, nr_pages; /* [I] VMO_ARENA: file pages covered by pages[]; what lies behind was beyond the end of file */
	void **pages;	     /* [I] VMO_ARENA: referenced pages; NULL = a hole (private mappings only) */
	void (*gone)(void *owner); /* [I] NULL or called without locks before the object is freed */
	void *owner;
	struct vm_object *next_dead;
};

#define VMF_SHARED 0x0001     /* MAP_SHARED */
#define VMF_NORESERVE 0x0002
#define VMF_GROWSDOWN 0x0004
#define VMF_STACK 0x0008      /* main stack */
#define VMF_DONTFORK 0x0010
#define VMF_WIPEONFORK 0x0020
#define VMF_LOCKED 0x0040
#define VMF_DONTDUMP 0x0080
#define VMF_HUGEPAGE 0x0100
#define VMF_NOHUGEPAGE 0x0200
#define VMF_CHARGED 0x0400    /* counts in the aspace's committed bytes */
#define VMF_MAYWRITE 0x0800   /* mprotect may make it writable (shared file mappings opened for writing; all private ones) */
#define VMF_VDSO 0x1000
#define VMF_STUB 0x2000	      /* patched-code stubs and the room kept for them: not shown to programs */
#define VMF_KERNEL 0x4000     /* arena, kernel image, host's own ranges, file windows: untouchable, owner NULL */
#define VMF_FOREIGN 0x8000    /* just after a fork: mapping of another mm that the child drops */
#define VMF_SEQ 0x10000	      /* MADV_SEQUENTIAL / RANDOM: shown in smaps only */
#define VMF_RAND 0x20000
#define VMF_MERGEABLE 0x40000
#define VMF_MAYNOTEXEC 0x80000 /* file from a noexec mount */

struct vma {
	u64 start, end;	       /* page-aligned */
	u32 prot;	       /* PROT_* */
	u32 flags;	       /* VMF_* */
	struct mm *mm;	       /* owner; NULL for VMF_KERNEL and VMF_FOREIGN */
	struct vm_object *obj; /* reference; NULL = private anonymous */
	u64 off;	       /* bytes into obj of `start` */
	/* tree and list */
	struct vma *left, *right, *parent;
	struct list link;      /* by address */
	u32 prio;	       /* treap */
	u64 gap;	       /* free bytes between the previous mapping's end (or tree->floor) and start */
	u64 max_gap;	       /* of the subtree */
};

struct vma_tree {
	struct vma *root;
	struct list all; /* by address */
	u64 floor, ceil; /* searched range: [floor, ceil) */
	u32 count;
	u64 seed;
};

void vma_tree_init(struct vma_tree *t, u64 floor, u64 ceil);
/* The range must be free (asserted). */
void vma_insert(struct vma_tree *t, struct vma *v);
void vma_remove(struct vma_tree *t, struct vma *v);
/* Changes bounds without passing a neighbour. */
void vma_set_bounds(struct vma_tree *t, struct vma *v, u64 start, u64 end);
/* First mapping with end > addr, or NULL. */
struct vma *vma_find(const struct vma_tree *t, u64 addr);
struct vma *vma_next(const struct vma_tree *t, const struct vma *v);
struct vma *vma_prev(const struct vma_tree *t, const struct vma *v);
bool vma_range_free(const struct vma_tree *t, u64 start, u64 end);
/*
 * Highest free range of len bytes that ends at or below `high` and starts at or above `low`, aligned to `align` (power of two, >= page).
 * Its start, or 0 if there is none.
 */
u64 vma_find_gap_top(const struct vma_tree *t, u64 len, u64 align, u64 low, u64 high);
/* Lowest such range. */
u64 vma_find_gap_bottom(const struct vma_tree *t, u64 len, u64 align, u64 low, u64 high);
/* Consistency check for tests: order, gaps, heap property. */
bool vma_tree_valid(const struct vma_tree *t);

static inline u64 vma_len(const struct vma *v)
{
	return v->end - v->start;
}


#endif
