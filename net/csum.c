/* SPDX-License-Identifier: MIT */
/* The Internet checksum (RFC 1071). No state, no locks. */
#include "net/stack.h"
#include "userlib/base/string.h"

u64 csum_add(const void *data, u32 len, u64 sum)
{
	const u8 *p = data;

	for (; len >= 8; len -= 8, p += 8) {
		u64 v;

		__builtin_memcpy(&v, p, 8);
		sum += v;
		sum += sum < v;
	}
	if (len) {
		u64 v = 0;

		memcpy(&v, p, len);
		sum += v;
		sum += sum < v;
	}
	return sum;
}

u16 csum_fold(u64 sum)
{
	sum = (sum >> 32) + (u32)sum;
	sum = (sum >> 32) + (u32)sum;
	sum = (sum >> 16) + (sum & 0xffff);
	sum = (sum >> 16) + (sum & 0xffff);
	sum = (sum >> 16) + (sum & 0xffff);
	return (u16)sum;
}

/* Of either family: what mapping adds to an IPv4 address, 0xffff, is nothing in ones' complement. */
u64 csum_pseudo(struct ip_addr src, struct ip_addr dst, u8 proto, u32 len)
{
	u64 sum = be16(proto) + (u64)be16((u16)len) + be16((u16)(len >> 16));

	for (int i = 0; i < 4; i++)
		sum += (u64)src.w[i] + dst.w[i];
	return sum;
}
