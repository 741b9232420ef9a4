/* SPDX-License-Identifier: MIT */
/*
 * The instance kernel's memory: everything lives in the arena, one shared mapping at the same address in every kProc, so that any
 * pointer from here is good in all of them. page.c: a buddy allocator; slab.c: typed caches and size classes on top.
 * All allocators return NULL on exhaustion (the --mem limit) and every caller handles it. All are callable with spinlocks held;
 * none blocks. Sizes in bytes unless a name says pages. Hosted unit tests replace the arena with one anonymous mapping (arena_init).
 */
#ifndef USERLIB_BASE_MEM_H
#define USERLIB_BASE_MEM_H

#include "base/types.h"

/* The arena's mapping: page-aligned base, reserved size, limit on bytes in use. fd is the memfd behind it (or -1 in unit tests). */
struct arena_info {
	char *base;
	u64 size;
	u64 limit;
	int fd;
};
extern struct arena_info arena;

/* Hands [base+used, base+size) to the page allocator. Once, before anything else. punch: gives a page range back to the host. */
void page_init(void *base, u64 used, u64 size, u64 limit, int fd, void (*punch)(u64 offset, u64 len));
static inline u64 arena_offset(const void *p)
{
	return (u64)((const char *)p - arena.base);
}
static inline bool in_arena(const void *p)
{
	return (const char *)p >= arena.base && (const char *)p < arena.base + arena.size;
}

/* 2^order contiguous pages, not cleared; order <= PAGE_ORDER_MAX. Free with the same order. */
#define PAGE_ORDER_MAX 10
void *page_alloc(unsigned order) must_check;
/* Cleared. */
void *page_alloc_zero(unsigned order) must_check;
void page_free(void *p, unsigned order);
/* Bytes in use by the kernel and memfs, and the limit: for meminfo and --stats. */
u64 page_used_bytes(void);
/* Charges program memory against the same limit; 0 or -ENOMEM. Uncharge never fails. */
int mem_charge(u64 bytes) must_check;
void mem_uncharge(u64 bytes);
u64 mem_limit_bytes(void);
u64 mem_charged_bytes(void);

/* A cache of equal objects. Static storage; SLAB_INIT or slab_init. Objects are not cleared unless slab_zalloc. */
struct slab {
	const char *name;
	u32 size;	    /* [I] object size, rounded up to 16 */
	u32 lock;	    /* spin word for what follows */
	void *free;	    /* singly linked free objects */
	u64 nr_used, nr_total;
	struct slab *next_slab;
};
#define SLAB_INIT(nm, type) { .name = nm, .size = (sizeof(type) + 15) & ~15u }
void *slab_alloc(struct slab *s) must_check;
void *slab_zalloc(struct slab *s) must_check;
void slab_free(struct slab *s, void *obj);

/* Variable sizes up to 4 MiB (size classes below a page, page orders above). The size is given back at free. */
void *kmem_alloc(size_t size) must_check;
void *kmem_zalloc(size_t size) must_check;
void kmem_free(void *p, size_t size);
char *kmem_strdup(const char *s, size_t len) must_check; /* terminated; free with len + 1 */

/* Tests: the n-th allocation from now fails, then all work again; 0 switches off. And what is not yet freed. */
void alloc_fail_after(u64 n);
u64 slab_objects_in_use(void);

#endif
