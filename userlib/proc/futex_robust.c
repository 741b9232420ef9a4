/* SPDX-License-Identifier: MIT */
/* Robust futex lists (get_robust_list(2)): what a dying thread still held is marked FUTEX_OWNER_DIED and one waiter is told. */
#include "userlib/proc/futex_internal.h"

#define ROBUST_ENTRIES_MAX 2048

struct robust_head { /* struct robust_list_head */
	u64 next;
	s64 futex_offset;
	u64 list_op_pending;
};

/* One held futex of the dying thread. */
static void word_owner_died(struct thread *t, u64 addr, bool pi, bool pending)
{
	u32 __app *word = (u32 __app *)addr;
	u32 v, seen;

	if ((addr & 3) || futex_load(word, &v))
		return;
	/* an unlock was under way: the word is free, but the wake-up may not have happened */
	if (pending && !pi && !v) {
		futex_wake_addr(word, 1);
		return;
	}
	for (;;) {
		int r;

		if ((v & FUTEX_TID_MASK) != (u32)t->tid)
			return;
		r = cas_app_u32(word, v, (v & FUTEX_WAITERS) | FUTEX_OWNER_DIED, &seen);
		if (!r)
			break;
		if (r != -EAGAIN)
			return;
		v = seen;
	}
	if (!pi && (v & FUTEX_WAITERS))
		futex_wake_addr(word, 1);
}

void robust_list_exit(struct thread *t)
{
	u64 head_addr = (u64)t->robust_list, entry, next, pending;
	struct robust_head head;
	unsigned n;

	futex_exit_pi(t);
	t->robust_list = NULL;
	if (!head_addr || copy_from_app(&head, (const void __app *)head_addr, sizeof(head)))
		return;
	pending = head.list_op_pending;
	entry = head.next;
	for (n = 0; (entry & ~1ull) != head_addr && n < ROBUST_ENTRIES_MAX; n++) {
		/* the next pointer first: the entry may be reused as soon as its word is released */
		bool bad = copy_from_app(&next, (const void __app *)(entry & ~1ull), sizeof(next)) != 0;

		if ((entry & ~1ull) != (pending & ~1ull))
			word_owner_died(t, (entry & ~1ull) + (u64)head.futex_offset, entry & 1, false);
		if (bad)
			return;
		entry = next;
	}
	if (pending & ~1ull)
		word_owner_died(t, (pending & ~1ull) + (u64)head.futex_offset, pending & 1, true);
}
