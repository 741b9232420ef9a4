/* SPDX-License-Identifier: MIT */
/*
 * spinlock: short critical sections, works between kProcs (the word is in the arena); spins a little, then naps in the host, since the
 * holder's kThread may have lost its core. Nobody is woken from a nap, it ends by itself: so an unlock is a plain store, a third of a
 * locked exchange, on every path there is. Kernel code is never preempted by a uThread switch, only by the host.
 * Nothing may park with a spinlock held. mutex: may be held across park; uThread context only.
 */
#ifndef USERLIB_RT_LOCK_H
#define USERLIB_RT_LOCK_H

#include "base/atomic.h"
#include "base/list.h"

struct spinlock {
	u32 word; /* 0 free, 1 held */
};
#define SPINLOCK_INIT { 0 }
void spin_lock_slow(struct spinlock *l);
static inline void spin_init(struct spinlock *l)
{
	store_relaxed(&l->word, 0);
}
static inline bool spin_trylock(struct spinlock *l)
{
	return load_relaxed(&l->word) == 0 && atomic_cas(&l->word, 0u, 1u);
}
static inline void spin_lock(struct spinlock *l)
{
	if (unlikely(!atomic_cas(&l->word, 0u, 1u)))
		spin_lock_slow(l);
}
static inline void spin_unlock(struct spinlock *l)
{
	store_release(&l->word, 0u);
}
static inline bool spin_is_locked(struct spinlock *l)
{
	return load_relaxed(&l->word) != 0;
}

struct uthread;
#define MUTEX_INIT(m) { 0, SPINLOCK_INIT, LIST_INIT((m).waiters) }
struct mutex {
	u64 owner;	       /* [a] the owning uThread's address, bit 0: somebody waits; 0 = free */
	struct spinlock lock;
	struct list waiters;   /* [lock] */
};
void mutex_init(struct mutex *m);
void mutex_lock(struct mutex *m);
bool mutex_trylock(struct mutex *m);
void mutex_unlock(struct mutex *m);

#endif
