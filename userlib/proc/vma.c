/* SPDX-License-Identifier: MIT */
/*
 * The map of an address space: a treap ordered by address, threaded by a list, augmented with the largest free gap of each subtree.
 * A node's gap is the free room between its predecessor (or the floor) and itself; the room behind the last node is looked at apart.
 * Expected depth is logarithmic, so the recursive searches need little stack.
 */
#include "userlib/proc/vma.h"
#include "userlib/base/log.h"

void vma_tree_init(struct vma_tree *t, u64 floor, u64 ceil)
{
	t->root = NULL;
	list_init(&t->all);
	t->floor = floor;
	t->ceil = ceil;
	t->count = 0;
	t->seed = 0x9e3779b97f4a7c15ull ^ (u64)(uintptr_t)t;
}

static u32 next_prio(struct vma_tree *t)
{
	t->seed ^= t->seed << 13;
	t->seed ^= t->seed >> 7;
	t->seed ^= t->seed << 17;
	return (u32)(t->seed >> 16);
}

struct vma *vma_next(const struct vma_tree *t, const struct vma *v)
{
	return v->link.next == &t->all ? NULL : list_entry(v->link.next, struct vma, link);
}

struct vma *vma_prev(const struct vma_tree *t, const struct vma *v)
{
	return v->link.prev == &t->all ? NULL : list_entry(v->link.prev, struct vma, link);
}

static u64 prev_end(const struct vma_tree *t, const struct vma *v)
{
	struct vma *p = vma_prev(t, v);

	return p ? p->end : t->floor;
}

static u64 computed_max(const struct vma *v)
{
	u64 m = v->gap;

	if (v->left && v->left->max_gap > m)
		m = v->left->max_gap;
	if (v->right && v->right->max_gap > m)
		m = v->right->max_gap;
	return m;
}

static void propagate(struct vma *v)
{
	for (; v; v = v->parent)
		v->max_gap = computed_max(v);
}

static void regap(struct vma_tree *t, struct vma *v)
{
	u64 below = prev_end(t, v);

	v->gap = v->start > below ? v->start - below : 0;
	propagate(v);
}

static void replace_child(struct vma_tree *t, struct vma *old, struct vma *new)
{
	if (!old->parent)
		t->root = new;
	else if (old->parent->left == old)
		old->parent->left = new;
	else
		old->parent->right = new;
	if (new)
		new->parent = old->parent;
}

/* Moves child c of its parent p above p. */
static void rotate_up(struct vma_tree *t, struct vma *c)
{
	struct vma *p = c->parent;

	replace_child(t, p, c);
	if (p->left == c) {
		p->left = c->right;
		if (p->left)
			p->left->parent = p;
		c->right = p;
	} else {
		p->right = c->left;
		if (p->right)
			p->right->parent = p;
		c->left = p;
	}
	p->parent = c;
	p->max_gap = computed_max(p);
	c->max_gap = computed_max(c);
}

void vma_insert(struct vma_tree *t, struct vma *v)
{
	struct vma *parent = NULL, *cur = t->root, *below = NULL, *above;

	while (cur) {
		parent = cur;
		if (cur->start < v->start) {
			below = cur;
			cur = cur->right;
		} else {
			cur = cur->left;
		}
	}
	list_add(below ? &below->link : &t->all, &v->link);
	above = vma_next(t, v);
	ASSERT(v->start < v->end && (!below || below->end <= v->start) && (!above || v->end <= above->start));
	v->left = v->right = NULL;
	v->parent = parent;
	v->prio = next_prio(t);
	if (!parent)
		t->root = v;
	else if (parent->start < v->start)
		parent->right = v;
	else
		parent->left = v;
	regap(t, v);
	while (v->parent && v->parent->prio < v->prio)
		rotate_up(t, v);
	propagate(v);
	if (above)
		regap(t, above);
	t->count++;
}

void vma_remove(struct vma_tree *t, struct vma *v)
{
	struct vma *above = vma_next(t, v), *parent;

	while (v->left && v->right)
		rotate_up(t, v->left->prio > v->right->prio ? v->left : v->right);
	parent = v->parent;
	replace_child(t, v, v->left ? v->left : v->right);
	list_del(&v->link);
	v->left = v->right = v->parent = NULL;
	propagate(parent);
	if (above)
		regap(t, above);
	t->count--;
}

void vma_set_bounds(struct vma_tree *t, struct vma *v, u64 start, u64 end)
{
	struct vma *above = vma_next(t, v);

	ASSERT(start < end && prev_end(t, v) <= start && (!above || end <= above->start));
	v->start = start;
	v->end = end;
	regap(t, v);
	if (above)
		regap(t, above);
}

struct vma *vma_find(const struct vma_tree *t, u64 addr)
{
	struct vma *cur = t->root, *best = NULL;

	while (cur) {
		if (cur->end > addr) {
			best = cur;
			cur = cur->left;
		} else {
			cur = cur->right;
		}
	}
	return best;
}

bool vma_range_free(const struct vma_tree *t, u64 start, u64 end)
{
	struct vma *v = vma_find(t, start);

	return !v || v->start >= end;
}

/* The highest fitting start inside the free range [from, to) cut to [low, high], or 0. */
static u64 fit_top(u64 from, u64 to, u64 len, u64 align, u64 low, u64 high)
{
	u64 s;

	from = MAX(from, low);
	to = MIN(to, high);
	if (to < from || to - from < len)
		return 0;
	s = ROUND_DOWN(to - len, align);
	return s >= from ? s : 0;
}

static u64 fit_bottom(u64 from, u64 to, u64 len, u64 align, u64 low, u64 high)
{
	u64 s;

	from = MAX(from, low);
	to = MIN(to, high);
	if (to < from || to - from < len)
		return 0;
	s = ROUND_UP(from, align);
	return s >= from && s <= to && to - s >= len ? s : 0;
}

static u64 search_top(const struct vma *v, u64 len, u64 align, u64 low, u64 high)
{
	u64 s;

	for (; v && v->max_gap >= len; v = v->left) {
		if (v->start - v->gap < high) {
			s = search_top(v->right, len, align, low, high);
			if (!s)
				s = fit_top(v->start - v->gap, v->start, len, align, low, high);
			if (s)
				return s;
		}
		if (v->start - v->gap <= low)
			return 0;
	}
	return 0;
}

u64 vma_find_gap_top(const struct vma_tree *t, u64 len, u64 align, u64 low, u64 high)
{
	u64 s, last_end;

	low = MAX(low, t->floor);
	high = MIN(high, t->ceil);
	last_end = list_empty(&t->all) ? t->floor : list_last(&t->all, struct vma, link)->end;
	s = fit_top(last_end, t->ceil, len, align, low, high);
	return s ? s : search_top(t->root, len, align, low, high);
}

static u64 search_bottom(const struct vma *v, u64 len, u64 align, u64 low, u64 high)
{
	u64 s;

	for (; v && v->max_gap >= len; v = v->right) {
		if (v->start > low) {
			s = search_bottom(v->left, len, align, low, high);
			if (!s)
				s = fit_bottom(v->start - v->gap, v->start, len, align, low, high);
			if (s)
				return s;
		}
		if (v->start >= high)
			return 0;
	}
	return 0;
}

u64 vma_find_gap_bottom(const struct vma_tree *t, u64 len, u64 align, u64 low, u64 high)
{
	u64 s, last_end;

	low = MAX(low, t->floor);
	high = MIN(high, t->ceil);
	s = search_bottom(t->root, len, align, low, high);
	if (s)
		return s;
	last_end = list_empty(&t->all) ? t->floor : list_last(&t->all, struct vma, link)->end;
	return fit_bottom(last_end, t->ceil, len, align, low, high);
}

static bool subtree_valid(const struct vma *v, u32 *n)
{
	if (!v)
		return true;
	(*n)++;
	if (v->max_gap != computed_max(v))
		return false;
	if (v->left && (v->left->parent != v || v->left->prio > v->prio || v->left->start >= v->start))
		return false;
	if (v->right && (v->right->parent != v || v->right->prio > v->prio || v->right->start <= v->start))
		return false;
	return subtree_valid(v->left, n) && subtree_valid(v->right, n);
}

bool vma_tree_valid(const struct vma_tree *t)
{
	u64 at = t->floor;
	struct vma *v;
	u32 n = 0, listed = 0;

	list_for_each(v, &t->all, link) {
		if (v->start < at || v->gap != v->start - at || v->end <= v->start)
			return false;
		at = v->end;
		listed++;
	}
	return subtree_valid(t->root, &n) && n == t->count && listed == n;
}
