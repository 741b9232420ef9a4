/* SPDX-License-Identifier: MIT */
/*
 * Which queue of a link a frame leaves by: the same for all packets of a flow and for both directions, so that a TAP, which answers on the
 * queue that a flow was last sent from, gives each flow one queue. Reads the headers only; anything odd goes by queue 0.
 */
#include "net/nic/nic_queue.h"
#include "net/stack.h"
#include "userlib/base/string.h"

static u32 mix(u32 h, u32 v)
{
	h ^= v;
	h *= 0x9e3779b1u;
	return h ^ h >> 15;
}

u32 nic_queue_of(const u8 *f, u32 len, u32 nr)
{
	u32 w[8], h = 0, l4;
	u16 port[2] = { 0, 0 };
	u8 proto;

	if (nr < 2 || len < 14 + 20)
		return 0;
	if (f[12] == 8 && f[13] == 0) {
		memcpy(w, f + 26, 8);
		h = w[0] ^ w[1];
		proto = f[23];
		l4 = 14 + (f[14] & 15u) * 4;
		if ((f[20] & 0x3f) | f[21]) /* fragments have no ports but in the first */
			proto = 0;
	} else if (f[12] == 0x86 && f[13] == 0xdd && len >= 14 + 40) {
		memcpy(w, f + 22, 32);
		for (int i = 0; i < 8; i++)
			h ^= w[i];
		proto = f[20];
		l4 = 14 + 40;
	} else {
		return 0;
	}
	if ((proto == 6 || proto == 17) && len >= l4 + 4)
		memcpy(port, f + l4, 4);
	h = mix(mix(0, h), (u32)(port[0] ^ port[1]));
	return (u32)((u64)h * nr >> 32);
}
