/* SPDX-License-Identifier: MIT */
/*
 * One ring of an AF_XDP socket (fill, completion, rx, tx), for the instance kernel and for junctiond. The other side is the host kernel,
 * which is trusted, but may be ahead of what we think: its index is loaded once, bounded by the ring's size, and our own is kept
 * here. No locking: one caller at a time.
 */
#ifndef BASE_XSK_RING_H
#define BASE_XSK_RING_H

#include "base/atomic.h"
#include "base/types.h"
#include "jabi/jabi_queues.h"
#include <linux/if_xdp.h>

/* linux/if_xdp.h since 6.6 */
#define XSK_USE_SG    (1 << 4) /* sxdp_flags: frames may take several chunks */
#define XSK_PKT_CONTD (1 << 0) /* xdp_desc.options: the next descriptor has more of it */

struct xsk_ring {
	u32 *producer, *consumer, *flags;
	void *desc; /* u64 in fill and completion rings, struct xdp_desc in rx and tx */
	u32 mask;
	u32 own, seen; /* our index; the kernel's as last loaded */
};

static inline void xsk_ring_init(struct xsk_ring *r, void *map, const struct jabi_xsk_offsets *o, u32 entries)
{
	r->producer = (u32 *)((char *)map + o->producer);
	r->consumer = (u32 *)((char *)map + o->consumer);
	r->flags = (u32 *)((char *)map + o->flags);
	r->desc = (char *)map + o->desc;
	r->mask = entries - 1;
	r->own = r->seen = 0;
}

/* Entries that the kernel has made and we have not taken. */
static inline u32 xsk_ring_ready(struct xsk_ring *r)
{
	if (r->seen == r->own)
		r->seen = load_acquire(r->producer);
	return r->seen - r->own <= r->mask + 1 ? r->seen - r->own : 0;
}

/* We are the producer: places that are free. */
static inline u32 xsk_ring_room(struct xsk_ring *r)
{
	u32 used = r->own - r->seen;

	if (used > r->mask) {
		r->seen = load_acquire(r->consumer);
		used = r->own - r->seen;
	}
	return used <= r->mask ? r->mask + 1 - used : 0;
}

/* We are the producer: are n places free? */
static inline bool xsk_ring_room_for(struct xsk_ring *r, u32 n)
{
	if (r->mask + 1 - (r->own - r->seen) < n)
		r->seen = load_acquire(r->consumer);
	return r->own - r->seen <= r->mask + 1 && r->mask + 1 - (r->own - r->seen) >= n;
}

static inline bool xsk_ring_wants_wakeup(const struct xsk_ring *r)
{
	return __atomic_load_n(r->flags, __ATOMIC_RELAXED) & XDP_RING_NEED_WAKEUP;
}

/* What was taken is the kernel's again; what was put is now its. */
static inline void xsk_ring_release(struct xsk_ring *r)
{
	store_release(r->consumer, r->own);
}
static inline void xsk_ring_submit(struct xsk_ring *r)
{
	store_release(r->producer, r->own);
}

static inline u64 *xsk_ring_addr(const struct xsk_ring *r, u32 i)
{
	return &((u64 *)r->desc)[i & r->mask];
}
static inline struct xdp_desc *xsk_ring_desc(const struct xsk_ring *r, u32 i)
{
	return &((struct xdp_desc *)r->desc)[i & r->mask];
}

#endif
