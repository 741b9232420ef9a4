/* SPDX-License-Identifier: MIT */
/* The VMA tree against a plain array of pages. */
#include "userlib/base/log.h"
#include "userlib/base/log_sink.h"
#include "userlib/proc/vma.h"
#include <check.h>
#include <stdlib.h>

#define PAGES 512u
#define FLOOR 0x100000ull
#define AT(p) (FLOOR + (u64)(p) * 4096)

static struct vma_tree tree;
static struct vma *owner[PAGES];
static unsigned seed = 1;

static unsigned rnd(unsigned n)
{
	seed = seed * 1103515245u + 12345u;
	return (seed >> 8) % n;
}

static void setup(void)
{
	log_sink = NULL;
	panic_end = abort;
	vma_tree_init(&tree, FLOOR, AT(PAGES));
	for (unsigned i = 0; i < PAGES; i++)
		owner[i] = NULL;
}

static void teardown(void)
{
	while (!list_empty(&tree.all)) {
		struct vma *v = list_first(&tree.all, struct vma, link);

		vma_remove(&tree, v);
		free(v);
	}
	ck_assert(!tree.root && !tree.count);
}

static struct vma *put(unsigned first, unsigned n)
{
	struct vma *v = calloc(1, sizeof(*v));

	v->start = AT(first);
	v->end = AT(first + n);
	vma_insert(&tree, v);
	for (unsigned i = first; i < first + n; i++)
		owner[i] = v;
	return v;
}

static u64 model_top(unsigned n, unsigned align, unsigned low, unsigned high)
{
	for (unsigned s = high - n + 1; n <= high && s-- > low;) {
		unsigned k;

		if (AT(s) & ((u64)align * 4096 - 1))
			continue;
		for (k = 0; k < n && !owner[s + k]; k++)
			;
		if (k == n)
			return AT(s);
	}
	return 0;
}

static u64 model_bottom(unsigned n, unsigned align, unsigned low, unsigned high)
{
	for (unsigned s = low; s + n <= high; s++) {
		unsigned k;

		if (AT(s) & ((u64)align * 4096 - 1))
			continue;
		for (k = 0; k < n && !owner[s + k]; k++)
			;
		if (k == n)
			return AT(s);
	}
	return 0;
}

static void random_step(void)
{
	unsigned first = rnd(PAGES), n = 1 + rnd(12), i;
	struct vma *v = owner[first];

	if (v && rnd(3)) {
		for (i = 0; i < PAGES; i++)
			if (owner[i] == v)
				owner[i] = NULL;
		vma_remove(&tree, v);
		free(v);
	} else if (v && v->end - v->start > 4096) {
		unsigned cut = (unsigned)((v->start - FLOOR) / 4096);

		vma_set_bounds(&tree, v, v->start + 4096, v->end);
		owner[cut] = NULL;
	} else if (!v) {
		for (i = first; i < PAGES && i < first + n && !owner[i]; i++)
			;
		put(first, i - first);
	}
}

START_TEST(vma_tree_random_changes_agree_with_a_page_array)
{
	for (int round = 0; round < 6000; round++) {
		unsigned p = rnd(PAGES), low = rnd(PAGES / 2), high = low + rnd(PAGES - low) + 1, n = 1 + rnd(20), align = 1u << rnd(4);
		struct vma *v;
		unsigned k;

		random_step();
		if (round % 16 == 0)
			ck_assert(vma_tree_valid(&tree));
		v = vma_find(&tree, AT(p));
		for (k = p; k < PAGES && !owner[k]; k++)
			;
		ck_assert_ptr_eq(v, k < PAGES ? owner[k] : NULL);
		ck_assert_uint_eq(vma_find_gap_top(&tree, n * 4096ull, align * 4096ull, AT(low), AT(high)),
				  n <= high - low ? model_top(n, align, low, high) : 0);
		ck_assert_uint_eq(vma_find_gap_bottom(&tree, n * 4096ull, align * 4096ull, AT(low), AT(high)),
				  n <= high - low ? model_bottom(n, align, low, high) : 0);
	}
}
END_TEST

START_TEST(vma_tree_sequential_fill_stays_shallow)
{
	unsigned depth = 0, max = 0;

	for (unsigned i = 0; i < PAGES; i++)
		put(i, 1);
	ck_assert(vma_tree_valid(&tree));
	ck_assert_uint_eq(vma_find_gap_top(&tree, 4096, 4096, 0, ~0ull), 0);
	for (unsigned i = 0; i < PAGES; i++) {
		depth = 0;
		for (struct vma *v = owner[i]; v; v = v->parent)
			depth++;
		max = depth > max ? depth : max;
	}
	ck_assert_uint_lt(max, 64);
}
END_TEST

START_TEST(vma_find_gap_top_empty_tree_gives_the_top)
{
	ck_assert_uint_eq(vma_find_gap_top(&tree, 4096, 4096, 0, ~0ull), AT(PAGES - 1));
	ck_assert_uint_eq(vma_find_gap_bottom(&tree, 4096, 4096, 0, ~0ull), FLOOR);
	ck_assert(vma_range_free(&tree, FLOOR, AT(PAGES)));
}
END_TEST

int main(void)
{
	Suite *s = suite_create("vma");
	TCase *t = tcase_create("tree");
	SRunner *r;
	int failed;

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_set_timeout(t, 30);
	tcase_add_test(t, vma_tree_random_changes_agree_with_a_page_array);
	tcase_add_test(t, vma_tree_sequential_fill_stays_shallow);
	tcase_add_test(t, vma_find_gap_top_empty_tree_gives_the_top);
	suite_add_tcase(s, t);
	r = srunner_create(s);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed != 0;
}
