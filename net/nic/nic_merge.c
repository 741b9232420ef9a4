/* SPDX-License-Identifier: MIT */
/*
 * See nic_merge.h. A frame is looked at where the host kernel put it, which does not write there any more. No locks: the caller's. A large frame is
 * what a link with offloads would have delivered: lengths rewritten, the sum of the pseudo-header in the checksum's place.
 */
#include "net/nic/nic_merge.h"
#include "base/cut.h"
#include "net/stack.h"
#include "userlib/base/string.h"

#define TCP_ACK	 0x10
#define LEN_MAX	 (14 + 65535)
#define PART_MIN 256 /* what is shorter is rarely bulk */

static bool same(const u8 *a, const u8 *b, u32 from, u32 to)
{
	return !memcmp(a + from, b + from, to - from);
}

/* A plain TCP data segment: nothing that the stack must see by itself. */
static bool look_at(const u8 *f, u32 len, bool csum_ok, struct cut *c)
{
	struct csum_place p;
	bool is_v6 = len >= 54 && f[12] == 0x86;

	if (!cut_parse(f, len, len, is_v6, c) || !csum_place(f, len, &p) || p.l4 != c->l4 || (f[c->l4 + 13] & ~CUT_PSH) != TCP_ACK)
		return false;
	if (is_v6)
		return 54 + ((u32)f[18] << 8 | f[19]) == len && (csum_ok || csum_fold16(p.pseudo + csum_bulk(f + 54, len - 54)) == 0xffff);
	return c->l4 == 34 && 14 + ((u32)f[16] << 8 | f[17]) == len && csum_fold16(csum_words(f + 14, 20, 0)) == 0xffff &&
	       (csum_ok || csum_fold16(p.pseudo + csum_bulk(f + 34, len - 34)) == 0xffff);
}

bool nic_merge_start(struct nic_merge *m, const u8 *f, u32 len, bool csum_ok)
{
	struct cut c;

	if (!look_at(f, len, csum_ok, &c) || len - c.hdr < PART_MIN || f[c.l4 + 13] & CUT_PSH)
		return false;
	m->head = f;
	m->len = len;
	m->l4 = c.l4;
	m->hdr = c.hdr;
	m->is_v6 = c.is_v6;
	m->part = len - c.hdr;
	m->next_seq = c.seq + m->part;
	m->parts = 1;
	m->ended = false;
	return true;
}

/* The headers of f fit what is held. */
static bool fits(const struct nic_merge *m, const u8 *f)
{
	const u8 *h = m->head;

	/* IPv4: not the length, the identification, the header's sum. IPv6: not the length. */
	if (m->is_v6 ? !same(h, f, 0, 18) || !same(h, f, 20, 54) : !same(h, f, 0, 16) || !same(h, f, 20, 24) || !same(h, f, 26, 34))
		return false;
	/* Ports; acknowledgment and header length; window; urgent pointer and options. */
	return same(h, f, m->l4, m->l4 + 4) && same(h, f, m->l4 + 8, m->l4 + 13) && same(h, f, m->l4 + 14, m->l4 + 16) &&
	       same(h, f, m->l4 + 18, m->hdr);
}

bool nic_merge_add(struct nic_merge *m, const u8 *f, u32 len, bool csum_ok)
{
	struct cut c;
	u32 part;

	if (!m->head || m->ended || !look_at(f, len, csum_ok, &c) || c.hdr != m->hdr || c.is_v6 != m->is_v6 || c.seq != m->next_seq)
		return false;
	part = len - c.hdr;
	if (part > m->part || m->len + part > LEN_MAX || !fits(m, f))
		return false;
	if (m->parts++ == 1) {
		memcpy(m->buf, m->head, m->len);
		m->head = m->buf;
	}
	memcpy(m->buf + m->len, f + c.hdr, part);
	m->len += part;
	m->next_seq += part;
	m->buf[m->l4 + 13] |= f[c.l4 + 13] & CUT_PSH;
	m->ended = part < m->part || f[c.l4 + 13] & CUT_PSH;
	return true;
}

const u8 *nic_merge_end(struct nic_merge *m, u32 *len)
{
	const u8 *f = m->head;
	u8 *b = m->buf;
	struct csum_place p;

	*len = m->len;
	m->head = NULL;
	if (f != b)
		return f;
	cut_put16(b + (m->is_v6 ? 18 : 16), m->len - (m->is_v6 ? 54 : 14));
	if (!m->is_v6) {
		cut_put16(b + 24, 0);
		cut_put16(b + 24, ~csum_fold16(csum_words(b + 14, 20, 0)));
	}
	if (csum_place(b, m->len, &p))
		cut_put16(b + p.at, p.pseudo);
	return f;
}
