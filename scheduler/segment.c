/* SPDX-License-Identifier: MIT */
/*
 * Software segmentation and checksums (see segment.h). The headers are parsed in the private copy that struct frame has of a frame's start; what
 * the descriptor says of them is compared, not believed.
 */
#include "scheduler/segment.h"

#include <string.h>

#include "base/cut.h"
#include "scheduler/switch.h"

static void copy_part(const struct frame *f, u32 from, u32 len, u8 *to)
{
	if (from < f->head_len) {
		u32 n = MIN(len, f->head_len - from);

		memcpy(to, f->head + from, n);
		from += n;
		len -= n;
		to += n;
	}
	if (len)
		memcpy(to, f->rest + (from - f->head_len), len);
}

static unsigned cut_frame(const struct frame *f, struct segment_sink *s)
{
	struct cut c;
	u32 payload, n = 0;

	if (!f->meta.gso_size || !cut_parse(f->head, f->head_len, f->len, f->meta.flags & JABI_DESC_GSO_TCP6, &c) ||
	    c.hdr + f->meta.gso_size > s->max)
		return 0;
	payload = f->len - c.hdr;
	for (u32 off = 0; off < payload; n++) {
		u32 part = MIN((u32)f->meta.gso_size, payload - off);
		u8 *p = s->take(s);

		if (!p)
			return 0;
		memcpy(p, f->head, c.hdr);
		copy_part(f, c.hdr + off, part, p + c.hdr);
		cut_headers(p, &c, c.hdr + part, off, n, off + part == payload, csum_bulk(p + c.hdr, part));
		s->put(s, p, c.hdr + part);
		off += part;
	}
	return n;
}

unsigned segment_frame(const struct frame *f, struct segment_sink *s)
{
	u8 *p;

	if (f->meta.flags & (JABI_DESC_GSO_TCP4 | JABI_DESC_GSO_TCP6))
		return cut_frame(f, s);
	if (f->len > s->max)
		return 0;
	p = s->take(s);
	if (!p)
		return 0;
	copy_part(f, 0, f->len, p);
	if (f->meta.flags & JABI_DESC_CSUM_PARTIAL && !cut_finish_csum(p, f->len, f->meta.csum_start, f->meta.csum_offset)) {
		s->put(s, p, 0);
		return 0;
	}
	s->put(s, p, f->len);
	return 1;
}
