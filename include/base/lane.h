/* SPDX-License-Identifier: MIT */
/*
 * One end of a lane of jabi_port.h, for the producer and for the consumer: used by the instance kernel and by junctiond alike. The memory
 * is shared with a hostile other side; what decides anything here is private. No locking: one caller at a time per end. Does not
 * copy frames and rings no bells; the caller does.
 */
#ifndef BASE_LANE_H
#define BASE_LANE_H

#include "base/atomic.h"
#include "jabi/jabi_port.h"

struct lane_tx {
	struct jabi_lane_ctl *ctl;
	struct jabi_desc *desc;
	u8 *data;
	u32 prod, cons; /* frames published; of those, known to be consumed */
	u32 head;	/* where free space begins */
	u32 start[JABI_LANE_DESCS];
};

struct lane_rx {
	struct jabi_lane_ctl *ctl;
	const struct jabi_desc *desc;
	const u8 *data;
	u32 cons;
};

#define LANE_MASK (JABI_LANE_DESCS - 1)

/* link: the mapping, JABI_LINK_BYTES long. A fresh link's words are zero. */
static inline void lane_tx_init(struct lane_tx *t, void *link, u32 lane)
{
	t->ctl = &((struct jabi_link_head *)link)->lane[lane];
	t->desc = (struct jabi_desc *)((u8 *)link + JABI_LINK_DESC(lane));
	t->data = (u8 *)link + JABI_LINK_DATA(lane);
	t->prod = t->cons = t->head = 0;
}
static inline void lane_rx_init(struct lane_rx *r, void *link, u32 lane)
{
	r->ctl = &((struct jabi_link_head *)link)->lane[lane];
	r->desc = (const struct jabi_desc *)((u8 *)link + JABI_LINK_DESC(lane));
	r->data = (const u8 *)link + JABI_LINK_DATA(lane);
	r->cons = 0;
}

/* What the consumer says it has taken; a claim beyond what was published is ignored. */
static inline void lane_tx_refresh(struct lane_tx *t)
{
	u32 cons = load_acquire(&t->ctl->cons);

	if (cons - t->cons <= t->prod - t->cons)
		t->cons = cons;
	if (t->cons == t->prod)
		t->head = 0; /* everything free: reuse the warm place */
}

static inline bool lane_tx_place(struct lane_tx *t, u32 need)
{
	u32 tail;

	if (t->prod - t->cons == JABI_LANE_DESCS)
		return false;
	if (t->prod == t->cons)
		return t->head + need <= JABI_LANE_DATA || ((t->head = 0), need <= JABI_LANE_DATA);
	tail = t->start[t->cons & LANE_MASK];
	if (t->head <= tail) /* equal: full */
		return need <= tail - t->head;
	if (need <= JABI_LANE_DATA - t->head)
		return true;
	if (need > tail)
		return false;
	t->head = 0;
	return true;
}

/* Room for a frame of len bytes, or NULL: the lane is full. Nothing is taken before lane_tx_publish. */
static inline u8 *lane_tx_reserve(struct lane_tx *t, u32 len)
{
	u32 need = (len + 63) & ~63u;

	/* The consumer's line is read seldom: in a ping-pong it would be a cache miss each time. */
	if (t->prod - t->cons >= 16)
		lane_tx_refresh(t);
	if (!lane_tx_place(t, need)) {
		lane_tx_refresh(t);
		if (!lane_tx_place(t, need))
			return NULL;
	}
	return t->data + t->head;
}

/* The CPU we run on; stale at once. */
static inline u16 lane_cpu(void)
{
	u32 aux;

	(void)__builtin_ia32_rdtscp(&aux); /* Linux keeps node << 12 | cpu there */
	return (u16)(aux & 0xfff);
}

/* d: off, seq and cpu are filled in. True: ring the consumer's bell. */
static inline bool lane_tx_publish(struct lane_tx *t, const struct jabi_desc *d)
{
	struct jabi_desc *to = &t->desc[t->prod & LANE_MASK];

	t->start[t->prod & LANE_MASK] = t->head;
	to->off = t->head;
	to->len = d->len;
	to->flags = d->flags;
	to->csum_start = d->csum_start;
	to->csum_offset = d->csum_offset;
	to->gso_size = d->gso_size;
	to->hdr_len = d->hdr_len;
	to->cpu = lane_cpu();
	t->head += (d->len + 63) & ~63u;
	t->prod++;
	store_release(&to->seq, t->prod); /* pairs with lane_rx_peek */
	full_fence();			  /* pairs with lane_rx_arm */
	return load_relaxed(&t->ctl->armed) && atomic_xchg(&t->ctl->armed, 0u);
}

static inline bool lane_rx_ready(const struct lane_rx *r)
{
	return load_acquire(&r->desc[r->cons & LANE_MASK].seq) == r->cons + 1;
}

/* 1: *d is a copy of the next descriptor, in bounds; 0: nothing there; -EBADMSG: it is out of bounds, lane_rx_done skips it. */
static inline int lane_rx_peek(const struct lane_rx *r, struct jabi_desc *d)
{
	const struct jabi_desc *from = &r->desc[r->cons & LANE_MASK];

	if (!lane_rx_ready(r))
		return 0;
	__builtin_memcpy(d, (const void *)from, sizeof(*d));
	barrier(); /* the copy is what is checked and used */
	if (d->len < JABI_FRAME_MIN || d->len > JABI_FRAME_MAX || d->off > JABI_LANE_DATA || d->len > JABI_LANE_DATA - d->off)
		return -EBADMSG;
	return 1;
}

static inline void lane_rx_done(struct lane_rx *r)
{
	r->cons++;
	store_release(&r->ctl->cons, r->cons); /* pairs with lane_tx_refresh */
}

/* Before sleeping; true: there is something after all (the caller disarms and goes on). */
static inline bool lane_rx_arm(struct lane_rx *r)
{
	store_relaxed(&r->ctl->armed, 1u);
	full_fence(); /* pairs with lane_tx_publish */
	return lane_rx_ready(r);
}
static inline void lane_rx_disarm(struct lane_rx *r)
{
	store_relaxed(&r->ctl->armed, 0u);
}

#endif
