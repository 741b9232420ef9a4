/* SPDX-License-Identifier: MIT */
/* Non-cryptographic hashes for tables whose keys an attacker does not choose; net has its own keyed hash. */
#ifndef BASE_HASH_H
#define BASE_HASH_H

#include "base/types.h"

static inline u64 hash_u64(u64 x)
{
	x ^= x >> 33;
	x *= 0xff51afd7ed558ccdull;
	x ^= x >> 33;
	x *= 0xc4ceb9fe1a85ec53ull;
	return x ^ (x >> 33);
}
/* FNV-1a. */
static inline u64 hash_bytes(const void *p, size_t n)
{
	const u8 *b = p;
	u64 h = 0xcbf29ce484222325ull;

	while (n--)
		h = (h ^ *b++) * 0x100000001b3ull;
	return h;
}

#endif
