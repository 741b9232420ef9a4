/* SPDX-License-Identifier: MIT */
/* Path MTUs smaller than the link's, learnt from ICMP (RFC 1191, RFC 8201): bounded, each for ten minutes. Under net_lock. */
#include "net/stack.h"

#define PMTU_MAX 64
#define PMTU_LIFE_NS (600 * NSEC_PER_SEC)

static struct {
	struct ip_addr dst;
	u32 mtu;
	s64 until;
} table[PMTU_MAX];
static u32 nr;

u32 pmtu_get(struct ip_addr dst)
{
	for (u32 i = 0; i < nr; i++)
		if (ip_eq(table[i].dst, dst))
			return table[i].until > clock_monotonic_ns() ? table[i].mtu : 0;
	return 0;
}

void pmtu_set(struct ip_addr dst, u32 mtu)
{
	s64 now = clock_monotonic_ns();
	u32 at = 0;

	mtu = MAX(mtu, ip_is4(dst) ? IP4_MTU_MIN : IP6_MTU_MIN);
	for (u32 i = 0; i < nr; i++) {
		if (ip_eq(table[i].dst, dst)) {
			at = i;
			goto set;
		}
		if (table[i].until < table[at].until)
			at = i;
	}
	if (nr < PMTU_MAX)
		at = nr++;
set:
	table[at].dst = dst;
	table[at].mtu = mtu;
	table[at].until = now + PMTU_LIFE_NS;
}
