/* SPDX-License-Identifier: MIT */
/* The slow half of spinlock (naps in the host after a short spin) and the parking mutex. */
#include "userlib/rt/lock.h"
#include "userlib/base/log.h"
#include "userlib/rt/host.h"
#include "userlib/rt/uthread.h"

#define SPIN_TRIES 200
#define NAP_MIN_NS 20000
#define NAP_MAX_NS 500000

void spin_lock_slow(struct spinlock *l)
{
	s64 nap = NAP_MIN_NS;

	for (;;) {
		for (int i = 0; i < SPIN_TRIES; i++) {
			if (spin_trylock(l))
				return;
			cpu_pause();
		}
		host_futex_wait(&l->word, 1, nap); /* returns at once if the lock was freed meanwhile */
		nap = MIN(nap * 2, (s64)NAP_MAX_NS);
	}
}

struct mutex_waiter {
	struct list link;
	struct uthread *ut;
	bool granted;
};

void mutex_init(struct mutex *m)
{
	spin_init(&m->lock);
	m->owner = 0;
	list_init(&m->waiters);
}

bool mutex_trylock(struct mutex *m)
{
	return atomic_cas(&m->owner, 0ull, (u64)uthread_self());
}

/* Under m->lock: owns it now (true), or the waiter bit is set so that the owner will hand over. */
static bool take_or_mark(struct mutex *m, struct mutex_waiter *w)
{
	for (;;) {
		u64 o = load_acquire(&m->owner);

		if (!o) {
			if (atomic_cas(&m->owner, 0ull, (u64)w->ut))
				return true;
		} else if (o & 1 || atomic_cas(&m->owner, o, o | 1)) {
			list_add_tail(&m->waiters, &w->link);
			return false;
		}
	}
}

/* The unlocker hands over, so a woken waiter owns the mutex: fair, and no thundering. */
void mutex_lock(struct mutex *m)
{
	struct mutex_waiter w = { .ut = uthread_self() };

	if (likely(atomic_cas(&m->owner, 0ull, (u64)w.ut)))
		return;
	ASSERT((load_relaxed(&m->owner) & ~1ull) != (u64)w.ut);
	spin_lock(&m->lock);
	if (!m->waiters.next)
		list_init(&m->waiters); /* zeroed memory is a valid unlocked mutex */
	if (take_or_mark(m, &w)) {
		spin_unlock(&m->lock);
		return;
	}
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
	u64 self = (u64)uthread_self();

	if (likely(atomic_cas(&m->owner, self, 0ull)))
		return;
	spin_lock(&m->lock);
	ASSERT(load_relaxed(&m->owner) == (self | 1));
	w = list_first(&m->waiters, struct mutex_waiter, link);
	list_del(&w->link);
	store_release(&m->owner, (u64)w->ut | !list_empty(&m->waiters));
	store_release(&w->granted, true);
	uthread_unpark(w->ut);
	spin_unlock(&m->lock);
}
