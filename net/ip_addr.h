/* SPDX-License-Identifier: MIT */
/*
 * One address type for both families: 16 bytes in network order, IPv4 as ::ffff:a.b.c.d. The unspecified addresses stay two: :: (any of
 * either family, unless its socket is IPV6_V6ONLY) and ::ffff:0.0.0.0 (any of IPv4). Passed by value: two registers.
 */
#ifndef NET_IP_ADDR_H
#define NET_IP_ADDR_H

#include "base/types.h"

struct ip_addr {
	union {
		u8 b[16];
		u32 w[4];
		u64 q[2];
	};
};
_Static_assert(sizeof(struct ip_addr) == 16, "an address");

#define IP4_PREFIX __builtin_bswap32(0xffffu)

/* From and to IPv4 in network byte order. */
static inline struct ip_addr ip4_addr(u32 v4)
{
	return (struct ip_addr){ .w = { 0, 0, IP4_PREFIX, v4 } };
}
static inline u32 ip4_of(struct ip_addr a)
{
	return a.w[3];
}
static inline struct ip_addr ip6_addr(const void *bytes)
{
	struct ip_addr a;

	__builtin_memcpy(&a, bytes, sizeof(a));
	return a;
}
#define IP6_ANY ((struct ip_addr){ .w = { 0, 0, 0, 0 } })
#define IP6_LOOPBACK ((struct ip_addr){ .w = { 0, 0, 0, __builtin_bswap32(1u) } })
#define IP4_ANY ip4_addr(0)
#define IP4_LOOPBACK ip4_addr(__builtin_bswap32(0x7f000001u))

static inline bool ip_is4(struct ip_addr a)
{
	return !a.q[0] && a.w[2] == IP4_PREFIX;
}
static inline bool ip_eq(struct ip_addr a, struct ip_addr b)
{
	return a.q[0] == b.q[0] && a.q[1] == b.q[1];
}
static inline bool ip_is_any(struct ip_addr a) /* of either kind */
{
	return !a.q[0] && !a.w[3] && (!a.w[2] || a.w[2] == IP4_PREFIX);
}
static inline bool ip_is_any6(struct ip_addr a)
{
	return !(a.q[0] | a.q[1]);
}
static inline bool ip_is_multicast(struct ip_addr a)
{
	return ip_is4(a) ? a.b[12] >> 4 == 14 : a.b[0] == 0xff;
}
static inline bool ip_is_loopback(struct ip_addr a)
{
	return ip_is4(a) ? a.b[12] == 127 : ip_eq(a, IP6_LOOPBACK);
}
static inline bool ip_is_link_local(struct ip_addr a) /* fe80::/10, or a multicast group of link scope or less */
{
	return (a.b[0] == 0xfe && (a.b[1] & 0xc0) == 0x80) || (a.b[0] == 0xff && (a.b[1] & 15) <= 2 && (a.b[1] & 15));
}
/* Do the first `bits` bits agree? bits counts within the family: 0..32 for two IPv4 addresses. */
static inline bool ip_in_prefix(struct ip_addr a, struct ip_addr net, u32 bits)
{
	if (ip_is4(a) != ip_is4(net))
		return false;
	if (ip_is4(net))
		bits += 96;
	for (u32 i = 0; i < bits / 8; i++)
		if (a.b[i] != net.b[i])
			return false;
	return !(bits % 8) || !((a.b[bits / 8] ^ net.b[bits / 8]) >> (8 - bits % 8));
}
/* Not keyed: for spreading, not against an adversary. */
static inline u32 ip_hash(struct ip_addr a)
{
	u64 h = (a.q[0] * 0x9e3779b97f4a7c15ull ^ a.q[1]) * 0xd6e8feb86659fd93ull;

	return (u32)(h >> 32);
}

#endif
