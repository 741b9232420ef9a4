/* SPDX-License-Identifier: MIT */
/*
 * Buddy allocator over the arena. Orders 0..PAGE_ORDER_MAX. Memory never used yet is one "virgin" tail from which blocks of the largest
 * order are cut as wanted, so neither time nor pages are spent on what is not used. Large free blocks go back to the host (punch).
 * Metadata: one byte per page (order+1 of a free block's head, else 0), at the start of the managed range, itself sparse.
 */
#include "userlib/base/mem.h"
#include "base/list.h"
#include "userlib/base/log.h"
#include "userlib/base/string.h"
#include "userlib/rt/lock.h"

struct arena_info arena;

/* A free block's first page holds its links. */
struct free_block {
	struct list link;
};

#define NR_HOT 32
#define PUNCH_ORDER 6 /* 256 KiB and up are given back at once */

static struct {
	struct spinlock lock;
	struct list free[PAGE_ORDER_MAX + 1];
	void *hot[NR_HOT]; /* [lock] single pages freed last, not merged: cheap to hand out again, and still in the cache */
	u32 nr_hot;
	u8 *order_of; /* [lock] per page: order + 1 if the head of a free block */
	char *base;   /* first managed page, aligned to the largest order relative to arena.base */
	u64 nr_pages;
	u64 virgin;   /* [lock] index of the first page never handed out */
	u64 used_pages;
	void (*punch)(u64 offset, u64 len);
} pg;

static u64 charged_bytes; /* [a] program memory */
static u64 fail_after;	  /* tests */

void alloc_fail_after(u64 n)
{
	store_relaxed(&fail_after, n);
}

bool alloc_should_fail(void);
bool alloc_should_fail(void)
{
	u64 n = load_relaxed(&fail_after);

	if (likely(n == 0))
		return false;
	store_relaxed(&fail_after, n - 1);
	return n == 1;
}

void page_init(void *base, u64 used, u64 size, u64 limit, int fd, void (*punch)(u64 offset, u64 len))
{
	u64 meta;

	arena = (struct arena_info){ .base = base, .size = size, .limit = limit, .fd = fd };
	for (int i = 0; i <= PAGE_ORDER_MAX; i++)
		list_init(&pg.free[i]);
	used = ROUND_UP(used, PAGE_SIZE);
	pg.order_of = (u8 *)base + used;
	meta = ROUND_UP(size / PAGE_SIZE, PAGE_SIZE);
	used = ROUND_UP(used + meta, PAGE_SIZE << PAGE_ORDER_MAX);
	pg.base = (char *)base + used;
	pg.nr_pages = (size - used) / PAGE_SIZE;
	pg.virgin = 0;
	pg.punch = punch;
}

static void free_list_add(u64 idx, unsigned order)
{
	struct free_block *b = (void *)(pg.base + idx * PAGE_SIZE);

	pg.order_of[idx] = (u8)(order + 1);
	list_add(&pg.free[order], &b->link);
}

static bool over_limit(unsigned order)
{
	return pg.used_pages * PAGE_SIZE + (PAGE_SIZE << order) + load_relaxed(&charged_bytes) > arena.limit;
}

/* Takes a block of exactly `order`, splitting larger ones; ~0 if there is none. */
static u64 take_locked(unsigned order)
{
	unsigned o = order;
	u64 idx;

	while (o <= PAGE_ORDER_MAX && list_empty(&pg.free[o]))
		o++;
	if (o > PAGE_ORDER_MAX) {
		if (pg.virgin + (1ul << PAGE_ORDER_MAX) > pg.nr_pages)
			return ~0ull;
		idx = pg.virgin;
		pg.virgin += 1ul << PAGE_ORDER_MAX;
		o = PAGE_ORDER_MAX;
	} else {
		struct free_block *b = list_first(&pg.free[o], struct free_block, link);

		list_del(&b->link);
		idx = (u64)((char *)b - pg.base) / PAGE_SIZE;
		pg.order_of[idx] = 0;
	}
	while (o > order) {
		o--;
		free_list_add(idx + (1ul << o), o);
	}
	return idx;
}

static void free_locked(u64 idx, unsigned order)
{
	while (order < PAGE_ORDER_MAX) {
		u64 buddy = idx ^ (1ul << order);
		struct free_block *b = (void *)(pg.base + buddy * PAGE_SIZE);

		if (pg.order_of[buddy] != order + 1)
			break;
		list_del(&b->link);
		pg.order_of[buddy] = 0;
		idx &= ~(1ul << order);
		order++;
	}
	free_list_add(idx, order);
}

static u64 page_index(const void *p)
{
	return (u64)((const char *)p - pg.base) / PAGE_SIZE;
}

/* The hot pages may be what is missing to a larger block. */
static u64 take_or_merge_locked(unsigned order)
{
	u64 idx = take_locked(order);

	if (likely(idx != ~0ull) || !pg.nr_hot)
		return idx;
	while (pg.nr_hot)
		free_locked(page_index(pg.hot[--pg.nr_hot]), 0);
	return take_locked(order);
}

void *page_alloc(unsigned order)
{
	u64 idx;

	ASSERT(order <= PAGE_ORDER_MAX);
	if (alloc_should_fail())
		return NULL;
	spin_lock(&pg.lock);
	if (over_limit(order))
		idx = ~0ull;
	else if (order == 0 && pg.nr_hot)
		idx = page_index(pg.hot[--pg.nr_hot]);
	else
		idx = take_or_merge_locked(order);
	if (idx != ~0ull)
		pg.used_pages += 1ul << order;
	spin_unlock(&pg.lock);
	return idx == ~0ull ? NULL : pg.base + idx * PAGE_SIZE;
}

void *page_alloc_zero(unsigned order)
{
	void *p = page_alloc(order);

	if (p)
		memset(p, 0, PAGE_SIZE << order);
	return p;
}

void page_free(void *p, unsigned order)
{
	u64 idx = page_index(p);

	ASSERT((char *)p >= pg.base && idx + (1ul << order) <= pg.nr_pages && !(idx & ((1ul << order) - 1)));
	/* Before the block becomes visible as free: nobody may use it while the host drops its pages. */
	if (order >= PUNCH_ORDER && pg.punch)
		pg.punch(arena_offset(p), PAGE_SIZE << order);
	spin_lock(&pg.lock);
	pg.used_pages -= 1ul << order;
	if (order == 0 && pg.nr_hot < NR_HOT)
		pg.hot[pg.nr_hot++] = p;
	else
		free_locked(idx, order);
	spin_unlock(&pg.lock);
}

u64 page_used_bytes(void)
{
	return READ_ONCE(pg.used_pages) * PAGE_SIZE;
}

int mem_charge(u64 bytes)
{
	if (atomic_fetch_add(&charged_bytes, bytes) + bytes + page_used_bytes() > arena.limit) {
		atomic_fetch_sub(&charged_bytes, bytes);
		return -ENOMEM;
	}
	return 0;
}

void mem_uncharge(u64 bytes)
{
	atomic_fetch_sub(&charged_bytes, bytes);
}

u64 mem_limit_bytes(void)
{
	return arena.limit;
}

u64 mem_charged_bytes(void)
{
	return load_relaxed(&charged_bytes);
}
