/* SPDX-License-Identifier: MIT */
/*
 * An intrusive pairing heap under one spinlock. One kThread at a time runs callbacks (timer_running), which makes timer_stop_sync simple.
 * The next expiry is published for lock-free looks by the idle loops.
 */
#include "userlib/rt/timer.h"
#include "userlib/base/log.h"
#include "userlib/rt/clock.h"
#include "userlib/rt/host.h"
#include "userlib/rt/lock.h"

static struct spinlock timer_lock;
static struct timer *root;
static s64 next_expiry = TIME_FOREVER; /* [a] */
static struct timer *running;	       /* [a] whose callback is being called */
static u32 runner_busy;		       /* [a] */

static struct timer *meld(struct timer *a, struct timer *b)
{
	if (!a)
		return b;
	if (!b)
		return a;
	if (b->expires_ns < a->expires_ns) {
		struct timer *t = a;

		a = b;
		b = t;
	}
	b->prev = a;
	b->next = a->child;
	if (a->child)
		a->child->prev = b;
	a->child = b;
	return a;
}

/* Two-pass pairing of a sibling list; recursion-free. */
static struct timer *merge_pairs(struct timer *t)
{
	struct timer *pairs = NULL, *r = NULL;

	while (t) {
		struct timer *a = t, *b = t->next, *rest = b ? b->next : NULL;

		a->next = a->prev = NULL;
		if (b)
			b->next = b->prev = NULL;
		a = meld(a, b);
		a->next = pairs;
		pairs = a;
		t = rest;
	}
	while (pairs) {
		struct timer *n = pairs->next;

		pairs->next = NULL;
		r = meld(r, pairs);
		pairs = n;
	}
	return r;
}

static void remove_locked(struct timer *t)
{
	struct timer *sub = merge_pairs(t->child);

	t->child = NULL;
	if (t == root) {
		root = sub;
		if (root)
			root->prev = root->next = NULL;
	} else {
		if (t->prev->child == t)
			t->prev->child = t->next;
		else
			t->prev->next = t->next;
		if (t->next)
			t->next->prev = t->prev;
		if (sub)
			sub->prev = sub->next = NULL;
		root = meld(root, sub);
	}
	t->next = t->prev = NULL;
	t->armed = false;
	store_release(&next_expiry, root ? root->expires_ns : TIME_FOREVER);
}

void timer_init(struct timer *t, void (*fn)(struct timer *t))
{
	*t = (struct timer){ .fn = fn };
}

void timer_start(struct timer *t, s64 expires_ns)
{
	spin_lock(&timer_lock);
	if (t->armed)
		remove_locked(t);
	t->expires_ns = expires_ns;
	t->child = t->next = t->prev = NULL;
	t->armed = true;
	root = meld(root, t);
	store_release(&next_expiry, root->expires_ns);
	spin_unlock(&timer_lock);
}

bool timer_stop(struct timer *t)
{
	bool was;

	spin_lock(&timer_lock);
	was = t->armed;
	if (was)
		remove_locked(t);
	spin_unlock(&timer_lock);
	return was;
}

bool timer_stop_sync(struct timer *t)
{
	bool was = timer_stop(t);

	for (int spins = 0; load_acquire(&running) == t; spins++) {
		if (spins < 1000)
			cpu_pause();
		else
			host_sched_yield();
	}
	return was;
}

s64 timer_next_expiry(void)
{
	return load_acquire(&next_expiry);
}

bool timer_run_expired(s64 now_ns)
{
	bool did = false;

	if (timer_next_expiry() > now_ns || atomic_xchg(&runner_busy, 1u))
		return false;
	for (;;) {
		struct timer *t;

		spin_lock(&timer_lock);
		t = root;
		if (!t || t->expires_ns > now_ns) {
			spin_unlock(&timer_lock);
			break;
		}
		remove_locked(t);
		store_release(&running, t);
		spin_unlock(&timer_lock);
		t->fn(t);
		store_release(&running, NULL);
		did = true;
	}
	store_release(&runner_busy, 0u);
	return did;
}
