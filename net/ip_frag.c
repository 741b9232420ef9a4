/* SPDX-License-Identifier: MIT */
/*
 * Fragments of IPv4 datagrams: reassembly (RFC 791 in bounded memory: FRAG_SLOTS datagrams at a time, 30 s each) and cutting. Under
 * net_lock. A fragment that overlaps what is already there is dropped.
 */
#include "net/stack.h"
#include "userlib/base/mem.h"
#include "userlib/base/string.h"

#define FRAG_SLOTS 16
#define FRAG_LIFE_NS (30 * NSEC_PER_SEC)
#define FRAG_BUF (20 + 65536)
#define IP_MF 0x2000

struct reassembly {
	u8 key[11]; /* src, dst, id, protocol */
	bool used;
	u8 *buf; /* FRAG_BUF bytes: a header without options, then the data */
	u64 have[8192 / 64]; /* a bit per 8 bytes */
	u32 total; /* units of 8; 0 = the last fragment has not come */
	u32 bytes;	     /* of data, known with the last fragment */
	s64 since;
};
static struct reassembly slots[FRAG_SLOTS];
static struct timer expiry;

static void slot_free(struct reassembly *r)
{
	kmem_free(r->buf, FRAG_BUF);
	memset(r, 0, sizeof(*r));
}

static void expire(struct timer *t)
{
	s64 now = clock_monotonic_ns();
	bool left = false;

	net_lock_get();
	for (u32 i = 0; i < FRAG_SLOTS; i++) {
		if (slots[i].used && now - slots[i].since >= FRAG_LIFE_NS) {
			NET_INC(IpReasmFails);
			slot_free(&slots[i]);
		}
		left |= slots[i].used;
	}
	if (left)
		timer_start(t, now + FRAG_LIFE_NS / 2);
	net_lock_put();
}

static struct reassembly *slot_for(const u8 *key)
{
	struct reassembly *r = &slots[0];

	for (u32 i = 0; i < FRAG_SLOTS; i++)
		if (slots[i].used && !memcmp(slots[i].key, key, sizeof(slots[i].key)))
			return &slots[i];
	for (u32 i = 0; i < FRAG_SLOTS; i++)
		if (!slots[i].used || (r->used && slots[i].since < r->since))
			r = &slots[i];
	if (r->used) { /* the oldest makes room */
		NET_INC(IpReasmFails);
		slot_free(r);
	}
	r->buf = kmem_alloc(FRAG_BUF);
	if (!r->buf)
		return NULL;
	r->used = true;
	memcpy(r->key, key, sizeof(r->key));
	r->since = clock_monotonic_ns();
	if (!timer_is_armed(&expiry)) {
		timer_init(&expiry, expire);
		timer_start(&expiry, r->since + FRAG_LIFE_NS);
	}
	return r;
}

/* p: a whole, checked header of hlen bytes, then len - hlen bytes of a fragment. Delivers the datagram when it is complete. */
void ip_frag_input(struct netif *n, const u8 *p, u32 hlen, u32 len)
{
	u32 field = (u32)(p[6] << 8 | p[7]), unit = field & 0x1fff, data = len - hlen, units = (data + 7) / 8;
	bool more = field & IP_MF;
	struct reassembly *r;
	u8 key[11];

	memcpy(key, p + 12, 8);
	memcpy(key + 8, p + 4, 2);
	key[10] = p[9];
	if (!data || (more && data % 8) || unit * 8 + data > 65515)
		return net_drop(NET_DROP_fragment);
	r = slot_for(key);
	if (!r)
		return net_drop(NET_DROP_no_memory);
	for (u32 u = unit; u < unit + units; u++)
		if (r->have[u / 64] >> (u % 64) & 1 || (r->total && u >= r->total))
			return net_drop(NET_DROP_fragment);
	for (u32 u = unit; u < unit + units; u++)
		r->have[u / 64] |= 1ull << (u % 64);
	memcpy(r->buf + 20 + unit * 8, p + hlen, data);
	if (!unit)
		memcpy(r->buf, p, 20);
	if (!more) {
		r->total = unit + units;
		r->bytes = unit * 8 + data;
	}
	for (u32 u = 0; u < r->total; u++)
		if (!(r->have[u / 64] >> (u % 64) & 1))
			return;
	if (r->total) {
		u8 *b = r->buf;
		u32 whole = 20 + r->bytes;
		u16 c = 0;

		b[0] = 0x45;
		b[2] = (u8)(whole >> 8);
		b[3] = (u8)whole;
		b[6] = b[7] = 0;
		memcpy(b + 10, &c, 2);
		c = (u16)~csum_fold(csum_add(b, 20, 0));
		memcpy(b + 10, &c, 2);
		r->buf = NULL;
		slot_free(r);
		NET_INC(IpReasmOKs);
		ip_input(n, b, whole, false);
		kmem_free(b, FRAG_BUF);
	}
}

/* The data length of fragment at `off` of `len` bytes on a link of `mtu`, and its flags-and-offset field (host order). */
u32 ip_frag_next(u32 off, u32 len, u32 mtu, u16 *field)
{
	u32 max = (mtu - 20) & ~7u, n = MIN(len - off, max);

	*field = (u16)(off / 8 | (off + n < len ? IP_MF : 0));
	return n;
}
