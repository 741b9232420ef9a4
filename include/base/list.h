/* SPDX-License-Identifier: MIT */
/* Intrusive circular doubly linked list; a head is a node of its own. No locking. */
#ifndef BASE_LIST_H
#define BASE_LIST_H

#include "base/types.h"

struct list {
	struct list *next, *prev;
};

#define LIST_INIT(name) { &(name), &(name) }

static inline void list_init(struct list *l)
{
	l->next = l->prev = l;
}
static inline bool list_empty(const struct list *l)
{
	return l->next == l;
}
static inline void list_insert__(struct list *n, struct list *prev, struct list *next)
{
	n->next = next;
	n->prev = prev;
	next->prev = n;
	prev->next = n;
}
static inline void list_add(struct list *head, struct list *n)
{
	list_insert__(n, head, head->next);
}
static inline void list_add_tail(struct list *head, struct list *n)
{
	list_insert__(n, head->prev, head);
}
/* Removes and re-initialises, so that a second del is harmless and list_empty(n) says "not linked". */
static inline void list_del(struct list *n)
{
	n->prev->next = n->next;
	n->next->prev = n->prev;
	list_init(n);
}
/* Moves all of `from` to the tail of `to`. */
static inline void list_splice_tail(struct list *to, struct list *from)
{
	if (list_empty(from))
		return;
	from->next->prev = to->prev;
	to->prev->next = from->next;
	from->prev->next = to;
	to->prev = from->prev;
	list_init(from);
}

#define list_entry(p, type, member) container_of(p, type, member)
#define list_first(head, type, member) list_entry((head)->next, type, member)
#define list_last(head, type, member) list_entry((head)->prev, type, member)
#define list_next(e, member) list_entry((e)->member.next, __typeof__(*(e)), member)
#define list_for_each(e, head, member)                                                  \
	for ((e) = list_first(head, __typeof__(*(e)), member); &(e)->member != (head); \
	     (e) = list_next(e, member))
#define list_for_each_safe(e, n, head, member)                                                      \
	for ((e) = list_first(head, __typeof__(*(e)), member), (n) = list_next(e, member); \
	     &(e)->member != (head); (e) = (n), (n) = list_next(e, member))

#endif
