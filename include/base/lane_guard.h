/* SPDX-License-Identifier: MIT */
/*
 * May this frame come from that port? Source MAC, IPv4 source, ARP sender, IPv6 source and neighbour advertisements must be the port's own.
 * Used by junctiond on every frame and by an instance on its direct links. Works on a private copy of the frame's first bytes.
 */
#ifndef BASE_LANE_GUARD_H
#define BASE_LANE_GUARD_H

#include "base/types.h"

struct lane_guard {
	u8 mac[6];
	u32 ip4;    /* network byte order */
	u8 ip6[16]; /* zeros: only addresses made from the MAC */
};

#define LANE_GUARD_BYTES 128 /* of the frame's start, or all of a shorter one */

static inline bool lane_guard_ip6(const struct lane_guard *g, const u8 *a)
{
	u8 eui[8] = { (u8)(g->mac[0] ^ 2), g->mac[1], g->mac[2], 0xff, 0xfe, g->mac[3], g->mac[4], g->mac[5] };
	static const u8 none[16];

	return !__builtin_memcmp(a, none, 16) || !__builtin_memcmp(a + 8, eui, 8) || !__builtin_memcmp(a, g->ip6, 16);
}

/* f: the first MIN(len, LANE_GUARD_BYTES) bytes of a frame of len bytes, len >= 14. */
static inline bool lane_guard_passes(const struct lane_guard *g, const u8 *f, u32 len)
{
	static const u8 nobody[4];
	u16 type = (u16)(f[12] << 8 | f[13]);

	if (__builtin_memcmp(f + 6, g->mac, 6))
		return false;
	switch (type) {
	case 0x0800:
		return len >= 34 && (!__builtin_memcmp(f + 26, &g->ip4, 4) || !__builtin_memcmp(f + 26, nobody, 4));
	case 0x0806:
		return len >= 42 && !__builtin_memcmp(f + 22, g->mac, 6) &&
		       (!__builtin_memcmp(f + 28, &g->ip4, 4) || !__builtin_memcmp(f + 28, nobody, 4));
	case 0x86dd:
		if (len < 54 || !lane_guard_ip6(g, f + 22))
			return false;
		/* A neighbour advertisement is about its target (RFC 4861, 4.4). */
		return f[20] != 58 || len < 78 || f[54] != 136 || lane_guard_ip6(g, f + 62);
	default:
		return false; /* VLANs and what else could carry a source unseen */
	}
}

#endif
