/* SPDX-License-Identifier: MIT */
/*
 * Cutting a large TCP segment into frames, and completing checksums, in software: for links that do neither (AF_XDP). For the instance kernel and
 * junctiond. The headers are parsed in memory that nobody else writes; no state.
 */
#ifndef BASE_CUT_H
#define BASE_CUT_H

#include "base/csum_mark.h"

#define CUT_FIN 0x01
#define CUT_PSH 0x08
#define CUT_CWR 0x80

struct cut {
	u32 l4, hdr; /* where the TCP header starts, and ends */
	u32 seq;
	u16 id;
	bool is_v6;
};

static inline void cut_put16(u8 *p, u32 v)
{
	p[0] = (u8)(v >> 8);
	p[1] = (u8)v;
}

/* The 16-bit words of any memory, network order, folded; an odd byte is the first of a word. */
static inline u32 csum_bulk(const u8 *p, u32 n)
{
	u64 sum = 0, v = 0;

	for (; n >= 8; n -= 8, p += 8) {
		__builtin_memcpy(&v, p, 8);
		sum += v;
		sum += sum < v;
	}
	v = 0;
	for (u32 i = 0; i < n; i++)
		v |= (u64)p[i] << 8 * i;
	sum += v;
	sum += sum < v;
	sum = (sum & 0xffffffff) + (sum >> 32);
	sum = (sum & 0xffffffff) + (sum >> 32);
	sum = csum_fold16((u32)((sum & 0xffff) + (sum >> 16)));
	return (sum & 0xff) << 8 | sum >> 8;
}

/* h: the first head_len bytes of an Ethernet frame of len. False: not a TCP packet with payload. */
static inline bool cut_parse(const u8 *h, u32 head_len, u32 len, bool is_v6, struct cut *c)
{
	if (head_len < 14 + 20 + 20 || h[12] != (is_v6 ? 0x86 : 8) || h[13] != (is_v6 ? 0xdd : 0) || h[14] >> 4 != (is_v6 ? 6 : 4) ||
	    h[is_v6 ? 20 : 23] != 6)
		return false;
	c->is_v6 = is_v6;
	c->l4 = is_v6 ? 54 : 14 + (h[14] & 15u) * 4;
	if (c->l4 < 34 || c->l4 + 20 > head_len)
		return false;
	c->hdr = c->l4 + (u32)(h[c->l4 + 12] >> 4) * 4;
	c->id = (u16)(h[18] << 8 | h[19]);
	c->seq = (u32)h[c->l4 + 4] << 24 | (u32)h[c->l4 + 5] << 16 | (u32)h[c->l4 + 6] << 8 | h[c->l4 + 7];
	return c->hdr >= c->l4 + 20 && c->hdr <= head_len && c->hdr < len;
}

/*
 * p: c->hdr bytes of headers, copied from the large frame. They become those of a frame of len bytes whose payload starts `off` into the large
 * one's; payload_sum: its csum_bulk().
 */
static inline void cut_headers(u8 *p, const struct cut *c, u32 len, u32 off, u32 index, bool is_last, u32 payload_sum)
{
	u8 *tcp = p + c->l4;
	u32 l4_len = len - c->l4, sum, seq = c->seq + off;

	if (c->is_v6) {
		cut_put16(p + 18, len - 54);
		sum = csum_words(p + 22, 32, 0);
	} else {
		cut_put16(p + 16, len - 14);
		cut_put16(p + 18, c->id + index);
		cut_put16(p + 24, 0);
		cut_put16(p + 24, ~csum_fold16(csum_words(p + 14, c->l4 - 14, 0)));
		sum = csum_words(p + 26, 8, 0);
	}
	cut_put16(tcp + 4, seq >> 16);
	cut_put16(tcp + 6, seq);
	if (!is_last)
		tcp[13] &= (u8)~(CUT_FIN | CUT_PSH);
	if (index)
		tcp[13] &= (u8)~CUT_CWR;
	cut_put16(tcp + 16, 0);
	cut_put16(tcp + 16, ~csum_fold16(csum_words(tcp, c->hdr - c->l4, sum + 6 + l4_len + payload_sum)));
}

/* The pseudo-header's sum stands in the checksum's place. False: the place is not in the frame. */
static inline bool cut_finish_csum(u8 *f, u32 len, u32 start, u32 offset)
{
	u32 at = start + offset, sum;

	if (start < 14 || at + 2 > len)
		return false;
	sum = ~csum_bulk(f + start, len - start) & 0xffff;
	cut_put16(f + at, sum ? sum : 0xffff); /* 0 would mean none in UDP, and is the same in TCP */
	return true;
}

#endif
