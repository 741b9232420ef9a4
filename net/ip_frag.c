/* SPDX-License-Identifier: MIT */
/*
 * Fragments of both families: reassembly (RFC 791, RFC 8200 4.5, RFC 5722) in bounded memory: FRAG_SLOTS datagrams at a time, 30 s (IPv4) or 60 s
 * each, and cutting. Under net_lock. Overlap: a fragment that repeats known bytes is dropped in IPv4, and ends the whole datagram in IPv6.
 */
#include "net/stack.h"
#include "userlib/base/mem.h"
#include "userlib/base/string.h"
#include <linux/in.h>

#define FRAG_SLOTS 16
#define FRAG_LIFE4_NS (30 * NSEC_PER_SEC)
#define FRAG_LIFE6_NS (60 * NSEC_PER_SEC)
#define HEAD_MAX 256u /* headers before the fragment header that are kept */
#define FRAG_BUF (HEAD_MAX + 65536u)
#define IP_MF 0x2000

struct key {
	struct ip_addr src, dst;
	u32 id;
	u8 proto;
};
struct reassembly {
	struct key key;
	struct netif *in;
	bool used, have_head;
	u8 tos, ecn_seen; /* IPv4: of the first; bits 1 << ecn of all */
	u8 *buf; /* FRAG_BUF bytes: HEAD_MAX of room, then the data */
	u8 head[HEAD_MAX];
	u32 head_len;
	u8 next;
	u64 have[8192 / 64]; /* a bit per 8 bytes */
	u32 total; /* units of 8; 0 = the last fragment has not come */
	u32 bytes; /* of data, known with the last fragment */
	u32 seen, top; /* units that are here, one past the highest */
	s64 until;
};
static struct reassembly *slots[FRAG_SLOTS];
static struct timer expiry;

static void slot_free(u32 i)
{
	kmem_free(slots[i]->buf, FRAG_BUF);
	kmem_free(slots[i], sizeof(*slots[i]));
	slots[i] = NULL;
}

static void expire(struct timer *t)
{
	s64 now = clock_monotonic_ns(), next = TIME_FOREVER;

	net_lock_get();
	for (u32 i = 0; i < FRAG_SLOTS; i++) {
		struct reassembly *r = slots[i];

		if (!r)
			continue;
		if (now >= r->until) {
			NET_INC(IpReasmFails);
			if (r->have_head) { /* time exceeded, fragment reassembly */
				struct ip_rx rx = { .in = r->in, .src = r->key.src, .dst = r->key.dst, .hdr = r->buf + HEAD_MAX - r->head_len,
						    .hdr_len = r->head_len, .proto = r->next };

				memcpy(r->buf + HEAD_MAX - r->head_len, r->head, r->head_len);
				icmp_send_error(&rx, ip_is4(rx.dst) ? 11 : 3, 1, 0);
			}
			slot_free(i);
			continue;
		}
		next = MIN(next, r->until);
	}
	if (next != TIME_FOREVER)
		timer_start(t, next);
	net_lock_put();
}

static bool same(const struct key *a, const struct key *b)
{
	return ip_eq(a->src, b->src) && ip_eq(a->dst, b->dst) && a->id == b->id && a->proto == b->proto;
}

static struct reassembly *slot_for(struct netif *n, const struct key *k, u32 *at)
{
	struct reassembly *r;
	u32 i, oldest = 0;

	for (i = 0; i < FRAG_SLOTS; i++)
		if (slots[i] && same(&slots[i]->key, k)) {
			*at = i;
			return slots[i];
		}
	for (i = 0; i < FRAG_SLOTS && slots[i]; i++)
		if (slots[i]->until < slots[oldest]->until)
			oldest = i;
	if (i == FRAG_SLOTS) { /* the oldest makes room */
		NET_INC(IpReasmFails);
		slot_free(i = oldest);
	}
	r = kmem_zalloc(sizeof(*r));
	if (!r)
		return NULL;
	r->buf = kmem_alloc(FRAG_BUF);
	if (!r->buf) {
		kmem_free(r, sizeof(*r));
		return NULL;
	}
	r->key = *k;
	r->in = n;
	r->until = clock_monotonic_ns() + (ip_is4(k->dst) ? FRAG_LIFE4_NS : FRAG_LIFE6_NS);
	slots[i] = r;
	*at = i;
	if (!expiry.fn)
		timer_init(&expiry, expire);
	if (!timer_is_armed(&expiry))
		timer_start(&expiry, r->until);
	return r;
}

static bool has(const struct reassembly *r, u32 u)
{
	return r->have[u / 64] >> (u % 64) & 1;
}

/* Adds data; true if the datagram is complete. *clash: it contradicts what is there. */
static bool add(struct reassembly *r, u32 unit, const u8 *data, u32 len, bool more, bool *clash)
{
	u32 units = (len + 7) / 8;

	*clash = false;
	for (u32 u = unit; u < unit + units; u++)
		*clash |= has(r, u);
	if ((r->total && (unit + units > r->total || (!more && unit + units != r->total))) || (!more && r->top > unit + units))
		*clash = true;
	if (*clash)
		return false;
	for (u32 u = unit; u < unit + units; u++)
		r->have[u / 64] |= 1ull << (u % 64);
	r->seen += units;
	r->top = MAX(r->top, unit + units);
	memcpy(r->buf + HEAD_MAX + unit * 8, data, len);
	if (!more) {
		r->total = unit + units;
		r->bytes = unit * 8 + len;
	}
	return r->total && r->seen == r->total;
}

static u8 *finish(u32 at, u32 *len)
{
	struct reassembly *r = slots[at];
	u8 *p = r->buf + HEAD_MAX - r->head_len;

	memcpy(p, r->head, r->head_len);
	*len = r->head_len + r->bytes;
	NET_INC(IpReasmOKs);
	return p;
}

/* p: a whole, checked header of hlen bytes, then len - hlen bytes of a fragment. Delivers the datagram when it is complete. */
void ip_frag_input(struct netif *n, const u8 *p, u32 hlen, u32 len)
{
	u32 field = (u32)(p[6] << 8 | p[7]), unit = field & 0x1fff, data = len - hlen, at;
	bool more = field & IP_MF, clash;
	struct reassembly *r;
	struct key k = { .proto = p[9] };
	u16 c;
	u8 *b, *buf;

	memcpy(&c, p + 4, 2);
	k.id = c;
	k.src = ip4_addr(((const struct ip_hdr *)p)->src);
	k.dst = ip4_addr(((const struct ip_hdr *)p)->dst);
	if (!data || (more && data % 8) || unit * 8 + data > 65515)
		return net_drop(NET_DROP_fragment);
	r = slot_for(n, &k, &at);
	if (!r)
		return net_drop(NET_DROP_no_memory);
	r->ecn_seen |= (u8)(1u << (p[1] & 3));
	if (!unit) {
		memcpy(r->head, p, 20);
		r->head_len = 20;
		r->next = p[9];
		r->have_head = true;
	}
	if (!add(r, unit, p + hlen, data, more, &clash)) {
		if (clash)
			net_drop(NET_DROP_fragment);
		return;
	}
	b = finish(at, &len);
	buf = r->buf;
	b[0] = 0x45;
	b[2] = (u8)(len >> 8);
	b[3] = (u8)len;
	b[6] = b[7] = 0;
	if (r->ecn_seen & 8) /* RFC 3168 5.3: congestion marked on a piece is marked on the whole */
		b[1] |= 3;
	c = 0;
	memcpy(b + 10, &c, 2);
	c = (u16)~csum_fold(csum_add(b, 20, 0));
	memcpy(b + 10, &c, 2);
	r->buf = NULL;
	slot_free(at);
	ip_input(n, b, len, false);
	kmem_free(buf, FRAG_BUF);
}

/* p: a whole packet whose fragment header is at off. */
void ip6_frag_input(struct netif *n, const u8 *p, u32 off, u32 len)
{
	u32 field, unit, data = len - off - 8, at, prev = 6;
	struct key k = { .proto = 0 };
	struct reassembly *r;
	bool more, clash;
	u8 *b, *buf;

	if (len - off < 8)
		return net_drop(NET_DROP_runt);
	field = (u32)(p[off + 2] << 8 | p[off + 3]);
	unit = field >> 3;
	more = field & 1;
	k.src = ip6_addr(p + 8);
	k.dst = ip6_addr(p + 24);
	memcpy(&k.id, p + off + 4, 4);
	if ((!data && (more || unit)) || (more && data % 8) || unit * 8 + data > 65535 - (off - 40) || off > HEAD_MAX)
		return net_drop(NET_DROP_fragment);
	for (u32 o = 40; o < off; o += (p[o + 1] + 1u) * 8) /* the field that says "fragment" */
		prev = o;
	if (!unit && !more) { /* atomic (RFC 6946): by itself */
		b = kmem_alloc(len - 8);
		if (!b)
			return net_drop(NET_DROP_no_memory);
		memcpy(b, p, off);
		memcpy(b + off, p + off + 8, data);
		b[prev] = p[off];
		b[4] = (u8)((len - 48) >> 8);
		b[5] = (u8)(len - 48);
		ip6_whole(n, b, len - 8, false, true);
		return kmem_free(b, len - 8);
	}
	r = slot_for(n, &k, &at);
	if (!r)
		return net_drop(NET_DROP_no_memory);
	if (!unit) {
		memcpy(r->head, p, off);
		r->head[prev] = p[off];
		r->head_len = off;
		r->next = p[off];
		r->have_head = true;
	}
	if (!add(r, unit, p + off + 8, data, more, &clash)) {
		if (clash) { /* RFC 5722 */
			net_drop(NET_DROP_fragment);
			NET_INC(IpReasmFails);
			slot_free(at);
		}
		return;
	}
	b = finish(at, &len);
	buf = r->buf;
	b[4] = (u8)((len - 40) >> 8);
	b[5] = (u8)(len - 40);
	r->buf = NULL;
	slot_free(at);
	ip6_whole(n, b, len, false, true);
	kmem_free(buf, FRAG_BUF);
}

/* The data length of the fragment at `off` of `len` bytes, at most max, and IPv4's flags-and-offset field (host order). */
u32 ip_frag_next(u32 off, u32 len, u32 max, u16 *field)
{
	u32 n = MIN(len - off, max & ~7u);

	*field = (u16)(off / 8 | (off + n < len ? IP_MF : 0));
	return n;
}
