/* SPDX-License-Identifier: MIT */
/*
 * Software segmentation and checksums (see segment.h). The headers are parsed in the private copy that struct frame has of a frame's start; what
 * the descriptor says of them is compared, not believed.
 */
#include "scheduler/segment.h"

#include <string.h>

#include "base/csum_mark.h"
#include "scheduler/switch.h"

#define TCP_FIN 0x01
#define TCP_PSH 0x08
#define TCP_CWR 0x80

static void put16(u8 *p, u32 v)
{
	p[0] = (u8)(v >> 8);
	p[1] = (u8)v;
}

/* Any length. Sums of 64 KiB fit. */
static u32 sum_of(const u8 *p, u32 len, u32 sum)
{
	sum = csum_words(p, len & ~1u, sum);
	return len & 1 ? sum + ((u32)p[len - 1] << 8) : sum;
}

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

static bool finish_csum(u8 *f, u32 len, u32 start, u32 offset)
{
	u32 at = start + offset, sum;

	if (start < 14 || at + 2 > len)
		return false;
	sum = csum_fold16(sum_of(f + start, len - start, 0)); /* the pseudo-header's sum stands in the place */
	sum = ~sum & 0xffff;
	put16(f + at, sum ? sum : 0xffff); /* 0 would mean none in UDP, and is the same in TCP */
	return true;
}

struct cut {
	u32 l4, hdr, seq;
	bool is_v6;
	u16 id;
};

static bool parse(const struct frame *f, struct cut *c)
{
	const u8 *h = f->head;

	c->is_v6 = f->meta.flags & JABI_DESC_GSO_TCP6;
	if (f->head_len < 14 + 20 + 20 || !f->meta.gso_size || h[12] != (c->is_v6 ? 0x86 : 8) || h[13] != (c->is_v6 ? 0xdd : 0) ||
	    h[14] >> 4 != (c->is_v6 ? 6 : 4) || h[c->is_v6 ? 20 : 23] != 6)
		return false;
	c->l4 = c->is_v6 ? 54 : 14 + (h[14] & 15u) * 4;
	if (c->l4 < 34 || c->l4 + 20 > f->head_len)
		return false;
	c->hdr = c->l4 + (u32)(h[c->l4 + 12] >> 4) * 4;
	c->id = (u16)(h[18] << 8 | h[19]);
	c->seq = (u32)h[c->l4 + 4] << 24 | (u32)h[c->l4 + 5] << 16 | (u32)h[c->l4 + 6] << 8 | h[c->l4 + 7];
	return c->hdr >= c->l4 + 20 && c->hdr <= f->head_len && c->hdr < f->len;
}

/* One segment's headers, for len bytes in all that start `off` into the payload. */
static void fix_headers(u8 *p, const struct cut *c, u32 len, u32 off, u32 index, bool is_last)
{
	u8 *tcp = p + c->l4;
	u32 l4_len = len - c->l4, sum, seq = c->seq + off;

	if (c->is_v6) {
		put16(p + 18, len - 54);
		sum = csum_words(p + 22, 32, 0);
	} else {
		put16(p + 16, len - 14);
		put16(p + 18, c->id + index);
		put16(p + 24, 0);
		put16(p + 24, ~csum_fold16(csum_words(p + 14, c->l4 - 14, 0)));
		sum = csum_words(p + 26, 8, 0);
	}
	put16(tcp + 4, seq >> 16);
	put16(tcp + 6, seq);
	if (!is_last)
		tcp[13] &= (u8)~(TCP_FIN | TCP_PSH);
	if (index)
		tcp[13] &= (u8)~TCP_CWR;
	put16(tcp + 16, csum_fold16(sum + 6 + l4_len));
	(void)finish_csum(p, len, c->l4, 16);
}

static unsigned cut_frame(const struct frame *f, struct segment_sink *s)
{
	struct cut c;
	u32 payload, n = 0;

	if (!parse(f, &c) || c.hdr + f->meta.gso_size > s->max)
		return 0;
	payload = f->len - c.hdr;
	for (u32 off = 0; off < payload; n++) {
		u32 part = MIN((u32)f->meta.gso_size, payload - off);
		u8 *p = s->take(s);

		if (!p)
			return 0;
		memcpy(p, f->head, c.hdr);
		copy_part(f, c.hdr + off, part, p + c.hdr);
		fix_headers(p, &c, c.hdr + part, off, n, off + part == payload);
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
	if (f->meta.flags & JABI_DESC_CSUM_PARTIAL && !finish_csum(p, f->len, f->meta.csum_start, f->meta.csum_offset)) {
		s->put(s, p, 0);
		return 0;
	}
	s->put(s, p, f->len);
	return 1;
}
