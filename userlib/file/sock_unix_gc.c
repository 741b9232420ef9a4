/* SPDX-License-Identifier: MIT */
/*
 * Descriptors in messages of unix sockets: their bound, and the collection of sockets that nobody can reach any more because only
 * messages in one another's queues hold them (a socket sent over itself and closed). Not here: the queues themselves (sock_unix_io.c).
 *
 * A socket all whose references are messages is a candidate. Messages in candidates' own queues are taken off its count; one that has
 * a count left is named by a message somebody can read, and so is all that its queue names, and so on. The rest is garbage: its queues
 * are emptied of messages with descriptors. Nothing can get a reference to garbage meanwhile, for a reader takes a descriptor out of a
 * message with flight_lock (spin; above unix_lock and the sockets' qlock). Cost: all sockets in flight and their queues, at the close
 * of a unix socket; when many are in flight only at every so many closes, so that the cost per close stays bounded; and when the bound
 * is reached.
 */
#include "userlib/base/string.h"
#include "userlib/file/file_internal.h"
#include "userlib/file/sock_unix.h"

#define MAX_INFLIGHT 16384u
#define EVERY_CLOSE 64u /* so many sockets are looked at at every close */

static struct spinlock flight_lock = SPINLOCK_INIT;
static struct list in_flight = LIST_INIT(in_flight); /* [flight_lock] sockets, usock.flight_node */
static u32 nr_files, nr_socks;			     /* [flight_lock] */
static u32 nr_closes;				     /* [a] since the last collection */

static void collect_now(void);

int unix_flight_begin(struct file **files, u32 n)
{
	if (load_relaxed(&nr_files) + n > MAX_INFLIGHT)
		collect_now();
	spin_lock(&flight_lock);
	if (nr_files + n > MAX_INFLIGHT) {
		spin_unlock(&flight_lock);
		return -ETOOMANYREFS;
	}
	nr_files += n;
	for (u32 i = 0; i < n; i++) {
		struct usock *u = unix_of_file(files[i]);

		if (!u || u->flights++)
			continue;
		u->flight_file = files[i];
		list_add_tail(&in_flight, &u->flight_node);
		nr_socks++;
	}
	spin_unlock(&flight_lock);
	return 0;
}

void unix_flight_end(struct file **files, u32 n)
{
	spin_lock(&flight_lock);
	nr_files -= n;
	for (u32 i = 0; i < n; i++) {
		struct usock *u = unix_of_file(files[i]);

		if (!u || --u->flights)
			continue;
		list_del(&u->flight_node);
		nr_socks--;
	}
	spin_unlock(&flight_lock);
}

/* Calls fn for every socket named by a message in u's queue, or in those of the connections u has not accepted. [flight_lock] */
static void for_queue(struct usock *u, void (*fn)(struct usock *named, struct list *found), struct list *found)
{
	struct umsg *b;

	spin_lock(&u->qlock);
	list_for_each(b, &u->queue, link)
		for (u32 i = 0; i < b->nr_files; i++) {
			struct usock *n = unix_of_file(b->files[i]);

			if (n && n->flight_scan != ~0u)
				fn(n, found);
		}
	spin_unlock(&u->qlock);
}

static void for_named(struct usock *u, void (*fn)(struct usock *named, struct list *found), struct list *found)
{
	struct usock *n;

	for_queue(u, fn, found);
	spin_lock(&unix_lock);
	list_for_each(n, &u->pending, pending_node)
		for_queue(n, fn, found);
	spin_unlock(&unix_lock);
}

/* flight_scan: ~0 = no candidate, else the messages of others that name it. */
static void discount(struct usock *n, struct list *found)
{
	(void)found;
	if (n->flight_scan)
		n->flight_scan--;
}

static void reach(struct usock *n, struct list *found)
{
	n->flight_scan = ~0u;
	list_del(&n->flight_node);
	list_add_tail(found, &n->flight_node);
}

/* Moves the messages with descriptors out of u's queue. Bytes stay counted: nobody writes there any more. */
static void take_messages(struct usock *u, struct list *dead)
{
	struct umsg *b, *n;

	spin_lock(&u->qlock);
	list_for_each_safe(b, n, &u->queue, link)
		if (b->nr_files) {
			list_del(&b->link);
			list_add_tail(dead, &b->link);
			WRITE_ONCE(u->nr_queued, u->nr_queued - 1);
			WRITE_ONCE(u->queued, u->queued - (b->size + 256));
		}
	spin_unlock(&u->qlock);
}

/* [flight_lock] Leaves in in_flight what is garbage, in `live` the others. */
static void sort_out(struct list *live)
{
	struct usock *u, *n;

	list_for_each(u, &in_flight, flight_node)
		u->flight_scan = load_relaxed(&u->flight_file->ref.count) == u->flights ? u->flights : ~0u;
	list_for_each(u, &in_flight, flight_node)
		if (u->flight_scan != ~0u)
			for_named(u, discount, NULL);
	list_for_each_safe(u, n, &in_flight, flight_node)
		if (u->flight_scan && u->flight_scan != ~0u)
			reach(u, live);
	list_for_each(u, live, flight_node) /* grows at its end */
		for_named(u, reach, live);
	list_for_each_safe(u, n, &in_flight, flight_node)
		if (u->flight_scan)
			reach(u, live);
}

static void collect_now(void)
{
	struct list live, dead;
	struct usock *u, *n;

	store_relaxed(&nr_closes, 0u);
	list_init(&live);
	list_init(&dead);
	spin_lock(&flight_lock);
	sort_out(&live);
	list_for_each(u, &in_flight, flight_node) {
		take_messages(u, &dead);
		spin_lock(&unix_lock);
		list_for_each(n, &u->pending, pending_node)
			take_messages(n, &dead);
		spin_unlock(&unix_lock);
	}
	list_splice_tail(&in_flight, &live);
	spin_unlock(&flight_lock);
	while (!list_empty(&dead)) {
		struct umsg *b = list_first(&dead, struct umsg, link);

		list_del(&b->link);
		unix_free_msg(b);
	}
}

void unix_collect(void)
{
	u32 n = load_relaxed(&nr_socks);

	if (n && atomic_fetch_add(&nr_closes, 1u) + 1 >= n / EVERY_CLOSE)
		collect_now();
}
