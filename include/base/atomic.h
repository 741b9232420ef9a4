/* SPDX-License-Identifier: MIT */
/* Atomics with the memory order in the name. Every barrier at a use names its partner. */
#ifndef BASE_ATOMIC_H
#define BASE_ATOMIC_H

#include "base/types.h"

#define READ_ONCE(x) (*(const volatile __typeof__(x) *)&(x))
#define WRITE_ONCE(x, v) (*(volatile __typeof__(x) *)&(x) = (v))
#define load_relaxed(p) __atomic_load_n(p, __ATOMIC_RELAXED)
#define load_acquire(p) __atomic_load_n(p, __ATOMIC_ACQUIRE)
#define store_relaxed(p, v) __atomic_store_n(p, v, __ATOMIC_RELAXED)
#define store_release(p, v) __atomic_store_n(p, v, __ATOMIC_RELEASE)
#define atomic_xchg(p, v) __atomic_exchange_n(p, v, __ATOMIC_SEQ_CST)
#define atomic_fetch_add(p, v) __atomic_fetch_add(p, v, __ATOMIC_SEQ_CST)
#define atomic_fetch_sub(p, v) __atomic_fetch_sub(p, v, __ATOMIC_SEQ_CST)
#define atomic_fetch_or(p, v) __atomic_fetch_or(p, v, __ATOMIC_SEQ_CST)
#define atomic_fetch_and(p, v) __atomic_fetch_and(p, v, __ATOMIC_SEQ_CST)
#define atomic_add_relaxed(p, v) ((void)__atomic_fetch_add(p, v, __ATOMIC_RELAXED))
/* Full barrier on success; *p unchanged on failure. True when the exchange happened. */
#define atomic_cas(p, old, new)                                                                 \
	({                                                                                      \
		__typeof__(*(p)) cas_old_ = (old);                                              \
		__atomic_compare_exchange_n(p, &cas_old_, (new), false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST); \
	})
#define full_fence() __atomic_thread_fence(__ATOMIC_SEQ_CST)
#define cpu_pause() __builtin_ia32_pause()

/* Reference count: starts at 1, the last put returns true. */
struct ref {
	u32 count;
};
static inline void ref_init(struct ref *r)
{
	store_relaxed(&r->count, 1);
}
static inline void ref_get(struct ref *r)
{
	(void)__atomic_fetch_add(&r->count, 1, __ATOMIC_RELAXED);
}
/* Takes a reference unless the count is already zero (the object is dying). */
static inline bool ref_get_unless_zero(struct ref *r)
{
	u32 c = load_relaxed(&r->count);

	while (c)
		if (__atomic_compare_exchange_n(&r->count, &c, c + 1, false, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED))
			return true;
	return false;
}
static inline bool ref_put(struct ref *r)
{
	return __atomic_fetch_sub(&r->count, 1, __ATOMIC_ACQ_REL) == 1;
}

#endif
