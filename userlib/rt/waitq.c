/* SPDX-License-Identifier: MIT */
/* Wait queues. See waitq.h for the protocol. */
#include "userlib/rt/waitq.h"

void waitq_init(struct waitq *q)
{
	spin_init(&q->lock);
	list_init(&q->entries);
}

void waitq_add(struct waitq *q, struct waitq_entry *e)
{
	spin_lock(&q->lock);
	if (!q->entries.next)
		list_init(&q->entries); /* zeroed memory is a valid empty queue */
	e->queue = q;
	if (e->exclusive)
		list_add_tail(&q->entries, &e->node);
	else
		list_add(&q->entries, &e->node);
	spin_unlock(&q->lock); /* the caller checks its condition after this; pairs with the fence in waitq_wake */
	full_fence();
}

void waitq_del(struct waitq_entry *e)
{
	struct waitq *q = load_acquire(&e->queue);

	if (!q)
		return;
	spin_lock(&q->lock);
	if (e->queue == q) {
		list_del(&e->node);
		e->queue = NULL;
	}
	spin_unlock(&q->lock);
}

void waitq_wake_n(struct waitq *q, u32 events, unsigned nr_exclusive)
{
	struct waitq_entry *e, *n;

	spin_lock(&q->lock);
	if (q->entries.next) {
		list_for_each_safe(e, n, &q->entries, node) {
			bool excl = e->exclusive;

			if (!(e->mask & events))
				continue;
			if (!e->fn(e, events))
				continue;
			if (e->fn == waitq_unpark_fn) {
				/* Its owner is awake: off the queue here, so that waitq_del need not lock. e is not ours after the store. */
				list_del(&e->node);
				store_release(&e->queue, (struct waitq *)NULL);
			}
			if (excl && --nr_exclusive == 0)
				break;
		}
	}
	spin_unlock(&q->lock);
}

bool waitq_unpark_fn(struct waitq_entry *e, u32 events)
{
	(void)events;
	uthread_unpark(e->arg);
	return true;
}
