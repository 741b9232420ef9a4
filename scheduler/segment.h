/* SPDX-License-Identifier: MIT */
/* Frames for links that carry neither large segments nor unfinished checksums. */
#ifndef SCHEDULER_SEGMENT_H
#define SCHEDULER_SEGMENT_H

#include "base/types.h"

struct frame;

/* Where the frames go: take gives room for `max` bytes or NULL, put says how many were written there. */
struct segment_sink {
	u8 *(*take)(struct segment_sink *s);
	void (*put)(struct segment_sink *s, u8 *at, u32 len);
	u32 max;
};

/*
 * f as frames of at most s->max bytes with all checksums complete. Returns how many were put, 0 if f is malformed, too long and not to be cut, or
 * there was no room; some of its segments may have been put and the rest not. f->rest may change while this runs: it is copied once.
 */
unsigned segment_frame(const struct frame *f, struct segment_sink *s);

#endif
