/* SPDX-License-Identifier: MIT */
/* The engine of poll(2) and select(2): registers with every file's queues, parks, looks again. */
#include "userlib/file/file_internal.h"

#define INLINE_ENTRIES 12

struct poll_block {
	struct poll_block *next;
	u32 used;
	struct waitq_entry e[(PAGE_SIZE - 16) / sizeof(struct waitq_entry)];
};
struct poll_state {
	struct poll_table pt;
	struct uthread *self;
	u32 nr_first;
	bool no_memory;
	struct waitq_entry first[INLINE_ENTRIES];
	struct poll_block *blocks;
};
_Static_assert(sizeof(struct poll_block) <= PAGE_SIZE, "one page");

static struct waitq_entry *new_entry(struct poll_state *s)
{
	struct poll_block *b = s->blocks;

	if (s->nr_first < INLINE_ENTRIES)
		return &s->first[s->nr_first++];
	if (!b || b->used == ARRAY_SIZE(b->e)) {
		b = page_alloc_zero(0);
		if (!b)
			return NULL;
		b->next = s->blocks;
		s->blocks = b;
	}
	return &b->e[b->used++];
}

/* Not waitq_unpark_fn: the entries stay registered over wake-ups that turn out to be for nothing. */
static bool wake_poller(struct waitq_entry *e, u32 events)
{
	(void)events;
	uthread_unpark(e->arg);
	return true;
}

static void queue_poll(struct poll_table *pt, struct waitq *q)
{
	struct poll_state *s = container_of(pt, struct poll_state, pt);
	struct waitq_entry *e = new_entry(s);

	if (!e) {
		s->no_memory = true;
		return;
	}
	*e = (struct waitq_entry){ .fn = wake_poller, .arg = s->self, .mask = pt->mask };
	waitq_add(q, e);
}

static void unregister(struct poll_state *s)
{
	for (u32 i = 0; i < s->nr_first; i++)
		waitq_del(&s->first[i]);
	while (s->blocks) {
		struct poll_block *b = s->blocks;

		s->blocks = b->next;
		for (u32 i = 0; i < b->used; i++)
			waitq_del(&b->e[i]);
		page_free(b, 0);
	}
}

static int scan(struct poll_ent *e, u32 n, struct poll_state *s)
{
	int found = 0;

	for (u32 i = 0; i < n; i++) {
		if (e[i].f) {
			u32 mask = e[i].events | EPOLLERR | EPOLLHUP;

			if (s)
				s->pt.mask = mask;
			e[i].revents = file_poll(e[i].f, s && !found ? &s->pt : NULL) & mask;
		}
		found += e[i].revents != 0;
	}
	return found;
}

int poll_files(struct poll_ent *e, u32 n, s64 deadline_ns)
{
	struct poll_state s;
	int found;

	if (!deadline_ns) {
		found = scan(e, n, NULL);
		return found || !uthread_signal_pending() ? found : -EINTR;
	}
	s.pt.queue = queue_poll;
	s.self = uthread_self();
	s.nr_first = 0;
	s.no_memory = false;
	s.blocks = NULL;
	found = scan(e, n, &s);
	while (!found) {
		if (s.no_memory) {
			found = -ENOMEM;
		} else if (uthread_signal_pending()) {
			found = -EINTR;
		} else {
			bool late = uthread_park(deadline_ns) == -ETIMEDOUT;

			found = scan(e, n, NULL);
			if (late)
				break;
		}
	}
	unregister(&s);
	return found;
}
