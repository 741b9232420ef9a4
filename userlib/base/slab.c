/* SPDX-License-Identifier: MIT */
/*
 * Typed caches and size classes on pages. Free objects form a list per cache; a cache grows by one page (or an order that holds four
 * objects). Pages of a cache are not given back: the peak of small kernel objects is small beside program memory.
 */
#include "base/atomic.h"
#include "userlib/base/log.h"
#include "userlib/base/mem.h"
#include "userlib/base/string.h"
#include "userlib/rt/lock.h"

bool alloc_should_fail(void);

static u64 objects_in_use;

static struct spinlock *lock_of(struct slab *s)
{
	return (struct spinlock *)&s->lock;
}

static bool grow_locked(struct slab *s)
{
	unsigned order = 0;
	size_t bytes;
	char *p;

	while ((PAGE_SIZE << order) < 4ul * s->size && order < 4 && s->size > PAGE_SIZE / 4)
		order++;
	bytes = PAGE_SIZE << order;
	p = page_alloc(order);
	if (!p)
		return false;
	for (size_t off = bytes / s->size; off-- > 0;) {
		void **obj = (void **)(p + off * s->size);

		*obj = s->free;
		s->free = obj;
		s->nr_total++;
	}
	return true;
}

void *slab_alloc(struct slab *s)
{
	void **obj = NULL;

	if (alloc_should_fail())
		return NULL;
	spin_lock(lock_of(s));
	if (s->free || grow_locked(s)) {
		obj = s->free;
		s->free = *obj;
		s->nr_used++;
	}
	spin_unlock(lock_of(s));
	if (obj)
		atomic_add_relaxed(&objects_in_use, 1);
	return obj;
}

void *slab_zalloc(struct slab *s)
{
	void *p = slab_alloc(s);

	if (p)
		memset(p, 0, s->size);
	return p;
}

void slab_free(struct slab *s, void *obj)
{
	if (!obj)
		return;
	spin_lock(lock_of(s));
	*(void **)obj = s->free;
	s->free = obj;
	s->nr_used--;
	spin_unlock(lock_of(s));
	atomic_add_relaxed(&objects_in_use, -1ull);
}

u64 slab_objects_in_use(void)
{
	return load_relaxed(&objects_in_use);
}

#define CLASS(n) { .name = "kmem-" #n, .size = n }
static struct slab classes[] = { CLASS(32),  CLASS(64),	 CLASS(96),   CLASS(128), CLASS(192), CLASS(256),
				 CLASS(384), CLASS(512), CLASS(768), CLASS(1024), CLASS(1536), CLASS(2048) };

static struct slab *class_for(size_t size)
{
	for (size_t i = 0; i < ARRAY_SIZE(classes); i++)
		if (size <= classes[i].size)
			return &classes[i];
	return NULL;
}

static unsigned order_for(size_t size)
{
	unsigned o = 0;

	while ((PAGE_SIZE << o) < size)
		o++;
	return o;
}

void *kmem_alloc(size_t size)
{
	struct slab *s = class_for(size);

	if (s)
		return slab_alloc(s);
	if (size > PAGE_SIZE << PAGE_ORDER_MAX)
		return NULL;
	return page_alloc(order_for(size));
}

void *kmem_zalloc(size_t size)
{
	void *p = kmem_alloc(size);

	if (p)
		memset(p, 0, size);
	return p;
}

void kmem_free(void *p, size_t size)
{
	struct slab *s = class_for(size);

	if (!p)
		return;
	if (s)
		slab_free(s, p);
	else
		page_free(p, order_for(size));
}

char *kmem_strdup(const char *s, size_t len)
{
	char *p = kmem_alloc(len + 1);

	if (p) {
		memcpy(p, s, len);
		p[len] = 0;
	}
	return p;
}
