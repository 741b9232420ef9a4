/* SPDX-License-Identifier: MIT */
/* The slow halves of spinlock (host futex after a short spin) and the parking mutex. */
#include "userlib/rt/lock.h"
#include "userlib/base/log.h"
#include "userlib/rt/host.h"
#include "userlib/rt/uthread.h"

#define SPIN_TRIES 200

void spin_lock_slow(struct spinlock *l)
{
	for (int i = 0; i < SPIN_TRIES; i++) {
		if (spin_trylock(l))
			return;
		cpu_pause();
	}
	while (atomic_xchg(&l->word, 2u) != 0)
		host_futex_wait(&l->word, 2, -1);
}

void spin_unlock_slow(struct spinlock *l)
{
	host_futex_wake(&l->word, 1);
}

struct mutex_waiter {
	struct list link;
	struct uthread *ut;
	bool granted;
};

void mutex_init(struct mutex *m)
{
	spin_init(&m->lock);
	m->owner = NULL;
	list_init(&m->waiters);
}

bool mutex_trylock(struct mutex *m)
{
	bool got;

	spin_lock(&m->lock);
	got = !m->owner;
	if (got)
		m->owner = uthread_self();
	spin_unlock(&m->lock);
	return got;
}

/* The unlocker hands over, so a woken waiter owns the mutex: fair, and no thundering. */
void mutex_lock(struct mutex *m)
{
	struct mutex_waiter w = { .ut = uthread_self() };

	spin_lock(&m->lock);
	if (!m->waiters.next)
		list_init(&m->waiters); /* zeroed memory is a valid unlocked mutex */
	ASSERT(m->owner != w.ut);
	if (!m->owner) {
		m->owner = w.ut;
		spin_unlock(&m->lock);
		return;
	}
	list_add_tail(&m->waiters, &w.link);
	spin_unlock(&m->lock);
	while (!load_acquire(&w.granted))
		uthread_park(TIME_FOREVER);
	/* The unlocker unparks us under the lock: once we have had it, it no longer touches us. */
	spin_lock(&m->lock);
	spin_unlock(&m->lock);
}

void mutex_unlock(struct mutex *m)
{
	struct mutex_waiter *w;

	spin_lock(&m->lock);
	ASSERT(m->owner == uthread_self());
	if (!m->waiters.next || list_empty(&m->waiters)) {
		m->owner = NULL;
	} else {
		w = list_first(&m->waiters, struct mutex_waiter, link);
		list_del(&w->link);
		m->owner = w->ut;
		store_release(&w->granted, true);
		uthread_unpark(w->ut);
	}
	spin_unlock(&m->lock);
}
