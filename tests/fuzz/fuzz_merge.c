/* SPDX-License-Identifier: MIT */
/*
 * libFuzzer target: merging received frames (nic_merge.c), against base/cut.h: what was merged, cut again, is byte for byte what came, but for
 * IPv4's identification. The input is a row of steps, each u8 control and its arguments. Control: bit 0: the frame continues the last one
 * (else u16 length and so many bytes are a frame of its own); bit 1: lengths and checksums are made right; bit 2: the link vouches for
 * checksums; bit 3: two bytes, an offset and a value, change one byte before that; bit 4: the payload is a byte shorter; bit 5: what is held
 * is handed on first.
 */
#include "base/cut.h"
#include "net/nic/nic_merge.h"
#include "tests/fuzz/world.h"
#include <stdlib.h>
#include <string.h>

#define PARTS 512
#define FRAME_LEN 2048

static u8 room[NET_FRAME_MAX];
static struct nic_merge m;
static struct {
	u8 *f;
	u32 len;
	bool vouched;
} held[PARTS];
static u32 nr;
static u8 last[FRAME_LEN];
static u32 last_len;
static const u8 *in, *in_end;

static u8 byte(void)
{
	return in < in_end ? *in++ : 0;
}

/* A first frame that can be merged, so that not every input has to find one. */
static void template(bool v6)
{
	u32 l4 = v6 ? 54 : 34;

	last_len = l4 + 20 + 300;
	memset(last, 0, sizeof(last));
	last[12] = v6 ? 0x86 : 8;
	last[13] = v6 ? 0xdd : 0;
	last[14] = v6 ? 0x60 : 0x45;
	last[v6 ? 20 : 23] = 6;
	last[l4 + 12] = 0x50;
	last[l4 + 13] = 0x10;
	memset(last + l4 + 20, 0xa5, 300);
}

/* The next frame, in memory of its exact size. */
static u8 *next_frame(u8 ctl, u32 *len)
{
	u32 l4 = last[12] == 0x86 ? 54 : 34;
	u8 *f;

	if (ctl & 1) {
		u32 hdr = l4 + (u32)(last[l4 + 12] >> 4) * 4, seq;

		if (last_len > hdr) {
			memcpy(&seq, last + l4 + 4, 4);
			seq = __builtin_bswap32(__builtin_bswap32(seq) + last_len - hdr);
			memcpy(last + l4 + 4, &seq, 4);
		}
		if (ctl & 0x10 && last_len > 1)
			last_len--;
	} else {
		u32 n = (u32)byte() << 8 | byte();

		if (!n) {
			template(byte() & 1);
		} else {
			last_len = MIN(MIN(n, (u32)(in_end - in)), FRAME_LEN);
			memcpy(last, in, last_len);
			memset(last + last_len, 0, sizeof(last) - last_len);
			in += last_len;
		}
	}
	if (ctl & 8) {
		u8 at = byte();

		last[at] = byte();
	}
	if (ctl & 2 && last_len > 14)
		world_fix_sums(last + 14, last_len - 14);
	*len = last_len;
	f = malloc(last_len ? last_len : 1);
	memcpy(f, last, last_len);
	return f;
}

static void check_part(const u8 *whole, const struct cut *c, u32 i, u32 off)
{
	u32 hdr = c->hdr, len = held[i].len;
	u8 *f = held[i].f, p[14 + 60 + 60];

	/* All parts but the last are as long as the first: the stack takes its length for the sender's. */
	if (i && (len > held[0].len || (i + 1 < nr && len != held[0].len)))
		abort();
	if (len <= hdr || hdr > sizeof(p) || memcmp(f + hdr, whole + hdr + off, len - hdr))
		abort();
	memcpy(p, whole, hdr);
	cut_headers(p, c, len, off, i, i + 1 == nr, csum_bulk(f + hdr, len - hdr));
	if (!c->is_v6) {
		f[18] = p[18];
		f[19] = p[19];
		cut_put16(f + 24, 0);
		cut_put16(f + 24, ~csum_fold16(csum_words(f + 14, 20, 0)));
	}
	if (held[i].vouched)
		memcpy(f + c->l4 + 16, p + c->l4 + 16, 2);
	else if (memcmp(f + c->l4 + 16, p + c->l4 + 16, 2)) { /* 0 and 0xffff are the same number */
		u32 a = (u32)f[c->l4 + 16] << 8 | f[c->l4 + 17], b = (u32)p[c->l4 + 16] << 8 | p[c->l4 + 17];

		if (a % 0xffff != b % 0xffff)
			abort();
		memcpy(f + c->l4 + 16, p + c->l4 + 16, 2);
	}
	if (memcmp(f, p, hdr))
		abort();
}

static void hand_on(void)
{
	u32 len, off = 0, sum = 0;
	const u8 *whole = nic_merge_end(&m, &len);
	struct cut c;

	if (!whole != !nr)
		abort();
	if (nr == 1 && (whole != held[0].f || len != held[0].len))
		abort();
	if (nr > 1) {
		if (whole != room || !cut_parse(whole, len, len, whole[12] == 0x86, &c))
			abort();
		for (u32 i = 0; i < nr; i++) {
			check_part(whole, &c, i, off);
			off += held[i].len - c.hdr;
		}
		sum = c.hdr + off;
		if (sum != len || (!c.is_v6 && csum_fold16(csum_words(whole + 14, 20, 0)) != 0xffff))
			abort();
	}
	for (u32 i = 0; i < nr; i++)
		free(held[i].f);
	nr = 0;
}

static void hold(u8 *f, u32 len, bool vouched)
{
	held[nr].f = f;
	held[nr].len = len;
	held[nr++].vouched = vouched;
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	in = data;
	in_end = data + size;
	memset(&m, 0, sizeof(m));
	m.buf = room;
	template(false);
	while (in < in_end) {
		u8 ctl = byte(), *f;
		bool vouched = ctl & 4;
		u32 len;

		f = next_frame(ctl, &len);
		if (ctl & 0x20)
			hand_on();
		if (nr && nr < PARTS && nic_merge_add(&m, f, len, vouched)) {
			u8 *copy = malloc(len); /* the merger has its own now: whoever reads f later is seen */

			memcpy(copy, f, len);
			free(f);
			hold(copy, len, vouched);
			continue;
		}
		hand_on();
		if (nic_merge_start(&m, f, len, vouched))
			hold(f, len, vouched);
		else
			free(f);
	}
	hand_on();
	return 0;
}
