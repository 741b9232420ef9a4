/* SPDX-License-Identifier: MIT */
/*
 * AF_XDP has no flag for a checksum that was left to the hardware (CHECKSUM_PARTIAL): the frame has the sum of the pseudo-header in its
 * place (RFC 9293, 3.1; RFC 8200, 8.1). This finds that mark. For the instance kernel and junctiond.
 */
#ifndef BASE_CSUM_MARK_H
#define BASE_CSUM_MARK_H

#include "base/types.h"

/* The 16-bit words of a frame, network order, n even. Not folded. */
static inline u32 csum_words(const u8 *p, u32 n, u32 sum)
{
	for (u32 i = 0; i < n; i += 2)
		sum += (u32)p[i] << 8 | p[i + 1];
	return sum;
}

static inline u32 csum_fold16(u32 sum)
{
	sum = (sum & 0xffff) + (sum >> 16);
	return (sum & 0xffff) + (sum >> 16);
}

struct csum_place {
	u32 l4; /* where the transport header starts */
	u32 at; /* the checksum's place */
	u32 pseudo; /* sum of the pseudo-header, folded */
};

/* Of an unfragmented TCP or UDP packet whose headers lie in f, an Ethernet frame of len bytes. False: none, or something is odd. */
static inline bool csum_place(const u8 *f, u32 len, struct csum_place *c)
{
	u32 l4_len, sum;
	u8 proto;

	if (len >= 34 && f[12] == 8 && f[13] == 0 && f[14] >> 4 == 4) {
		u32 total = (u32)f[16] << 8 | f[17], ihl = (f[14] & 15u) * 4;

		if (ihl < 20 || 14 + total > len || total < ihl || (f[20] & 0x3f) | f[21])
			return false;
		c->l4 = 14 + ihl;
		l4_len = total - ihl;
		proto = f[23];
		sum = csum_words(f + 26, 8, 0);
	} else if (len >= 54 && f[12] == 0x86 && f[13] == 0xdd && f[14] >> 4 == 6) {
		c->l4 = 54;
		l4_len = (u32)f[18] << 8 | f[19];
		proto = f[20];
		sum = csum_words(f + 22, 32, 0);
	} else {
		return false;
	}
	if ((proto != 6 && proto != 17) || l4_len < (proto == 6 ? 20u : 8u) || c->l4 + l4_len > len)
		return false;
	c->at = c->l4 + (proto == 6 ? 16 : 6);
	c->pseudo = csum_fold16(sum + proto + l4_len);
	return true;
}

static inline bool csum_is_partial(const u8 *f, u32 len, struct csum_place *c)
{
	return csum_place(f, len, c) && ((u32)f[c->at] << 8 | f[c->at + 1]) == c->pseudo;
}

#endif
