/* SPDX-License-Identifier: MIT */
/* Radix tree of 64-way nodes that grows upwards only as far as the largest key needs. Empty nodes are freed at once. */
#include "fs/radix.h"
#include "userlib/base/mem.h"

#define BITS 6
#define SLOTS (1u << BITS)
#define MAX_HEIGHT 11

struct node {
	void *slot[SLOTS];
	u32 used;
};
static struct slab node_slab = SLAB_INIT("radix_node", struct node);

static bool fits(const struct radix *r, u64 key)
{
	return r->height * BITS >= 64 || key >> (r->height * BITS) == 0;
}

void *radix_get(const struct radix *r, u64 key)
{
	void *p = r->root;

	if (!fits(r, key))
		return NULL;
	for (unsigned h = r->height; p && h; h--)
		p = ((struct node *)p)->slot[(key >> ((h - 1) * BITS)) & (SLOTS - 1)];
	return p;
}

static int grow(struct radix *r, u64 key)
{
	while (!fits(r, key)) {
		if (r->root) {
			struct node *n = slab_zalloc(&node_slab);

			if (!n)
				return -ENOMEM;
			n->slot[0] = r->root;
			n->used = 1;
			r->root = n;
		}
		r->height++;
	}
	return 0;
}

/* Takes one level off wherever a path of empty nodes ends; path[h] is the node at height h. */
static void prune(struct radix *r, struct node **path, u64 key, unsigned h)
{
	for (; h <= r->height; h++) {
		struct node *n = path[h];

		if (n->used)
			return;
		slab_free(&node_slab, n);
		if (h == r->height) {
			r->root = NULL;
			r->height = 0;
			return;
		}
		path[h + 1]->slot[(key >> (h * BITS)) & (SLOTS - 1)] = NULL;
		path[h + 1]->used--;
	}
}

int radix_set(struct radix *r, u64 key, void *item)
{
	struct node *path[MAX_HEIGHT + 1], *parent = NULL;
	void **where = &r->root;

	if (grow(r, key))
		return -ENOMEM;
	for (unsigned h = r->height; h; h--) {
		if (!*where) {
			struct node *n = slab_zalloc(&node_slab);

			if (!n) {
				if (h < r->height)
					prune(r, path, key, h + 1);
				return -ENOMEM;
			}
			*where = n;
			if (parent)
				parent->used++;
		}
		parent = *where;
		path[h] = parent;
		where = &parent->slot[(key >> ((h - 1) * BITS)) & (SLOTS - 1)];
	}
	if (!*where && parent)
		parent->used++;
	*where = item;
	return 0;
}

void *radix_del(struct radix *r, u64 key)
{
	struct node *path[MAX_HEIGHT + 1], *n = NULL;
	void **where = &r->root, *item;

	if (!fits(r, key))
		return NULL;
	for (unsigned h = r->height; h; h--) {
		n = *where;
		if (!n)
			return NULL;
		path[h] = n;
		where = &n->slot[(key >> ((h - 1) * BITS)) & (SLOTS - 1)];
	}
	item = *where;
	if (!item)
		return NULL;
	*where = NULL;
	if (n) {
		n->used--;
		prune(r, path, key, 1);
	}
	return item;
}

void *radix_next(const struct radix *r, u64 *key)
{
	u64 k = *key;

	while (r->root && fits(r, k)) {
		void *p = r->root;
		unsigned h = r->height, shift;

		while (h && p) {
			p = ((struct node *)p)->slot[(k >> ((h - 1) * BITS)) & (SLOTS - 1)];
			h--;
		}
		if (p) {
			*key = k;
			return p;
		}
		/* The subtree of height h that k lies in is empty: on to the first key behind it. */
		shift = h * BITS;
		if (shift >= 64)
			return NULL;
		k = ((k >> shift) + 1) << shift;
		if (k == 0)
			return NULL;
	}
	return NULL;
}
