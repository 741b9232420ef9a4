/* SPDX-License-Identifier: MIT */
/* Segmentation and checksums of the switch's AF_XDP uplink: every cut is checked as a receiver would, byte by byte. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "base/csum_mark.h"
#include "scheduler/segment.h"
#include "scheduler/switch.h"

#define ROOM 4096

static struct sink {
	struct segment_sink s;
	u8 got[128][ROOM];
	u32 len[128], nr, limit;
} sink;

static u8 *take(struct segment_sink *s)
{
	(void)s;
	return sink.nr < sink.limit ? sink.got[sink.nr] : NULL;
}

static void put(struct segment_sink *s, u8 *at, u32 len)
{
	(void)s;
	ck_assert_ptr_eq(at, sink.got[sink.nr]);
	ck_assert_uint_le(len, sink.s.max);
	if (len)
		sink.len[sink.nr++] = len;
}

static u32 get16(const u8 *p)
{
	return (u32)p[0] << 8 | p[1];
}
static void set16(u8 *p, u32 v)
{
	p[0] = (u8)(v >> 8);
	p[1] = (u8)v;
}

static u8 whole[65536];
static struct frame f;

/* A TCP frame of so many payload bytes with `opts` bytes of options, unfinished as an instance sends it. */
static void make(bool v6, u32 payload, u32 opts)
{
	u32 l4 = v6 ? 54 : 34, hdr = l4 + 20 + opts;
	struct csum_place c;

	memset(&sink, 0, sizeof(sink));
	sink.s = (struct segment_sink){ .take = take, .put = put, .max = 1514 };
	sink.limit = 128;
	memset(whole, 0, hdr);
	for (u32 i = 0; i < 12; i++)
		whole[i] = (u8)(i * 3);
	set16(whole + 12, v6 ? 0x86dd : 0x0800);
	whole[14] = v6 ? 0x60 : 0x45;
	for (u32 i = 0; i < (v6 ? 32u : 8u); i++)
		whole[(v6 ? 22 : 26) + i] = (u8)(7 + i * 5);
	whole[v6 ? 20 : 23] = 6;
	if (v6) {
		set16(whole + 18, (20 + opts + payload) & 0xffff);
	} else {
		set16(whole + 16, hdr - 14 + payload);
		set16(whole + 18, 0xfffe); /* the identification wraps */
		whole[20] = 0x40;
		whole[22] = 64;
	}
	set16(whole + l4, 4000);
	set16(whole + l4 + 2, 80);
	set16(whole + l4 + 4, 0xffff); /* the sequence number wraps */
	set16(whole + l4 + 6, 0xff00);
	whole[l4 + 12] = (u8)((20 + opts) / 4 << 4);
	whole[l4 + 13] = 0x99; /* CWR ACK PSH FIN */
	for (u32 i = 0; i < payload; i++)
		whole[hdr + i] = (u8)(i * 31 + i / 251);
	memset(&f, 0, sizeof(f));
	f.len = hdr + payload;
	ck_assert(csum_place(whole, f.len, &c));
	set16(whole + c.at, c.pseudo);
	f.head_len = f.len < LANE_GUARD_BYTES ? f.len : LANE_GUARD_BYTES;
	memcpy(f.head, whole, f.head_len);
	f.rest = whole + f.head_len;
	f.meta.flags = JABI_DESC_CSUM_PARTIAL | (v6 ? JABI_DESC_GSO_TCP6 : JABI_DESC_GSO_TCP4);
	f.meta.csum_start = (u16)l4;
	f.meta.csum_offset = 16;
	f.meta.gso_size = 1400;
	f.meta.hdr_len = (u16)hdr;
}

static bool csum_good(const u8 *p, u32 len)
{
	struct csum_place c;
	u32 sum;

	ck_assert(csum_place(p, len, &c));
	if (p[12] == 8)
		ck_assert_uint_eq(csum_fold16(csum_words(p + 14, 20, 0)), 0xffff);
	sum = csum_words(p + c.l4, (len - c.l4) & ~1u, c.pseudo);
	if ((len - c.l4) & 1)
		sum += (u32)p[len - 1] << 8;
	return csum_fold16(sum) == 0xffff;
}

static void cut(bool v6, u32 payload, u32 opts)
{
	u32 l4 = v6 ? 54 : 34, hdr = l4 + 20 + opts, off = 0, want = (payload + 1399) / 1400;

	make(v6, payload, opts);
	ck_assert_uint_eq(segment_frame(&f, &sink.s), want);
	ck_assert_uint_eq(sink.nr, want);
	for (u32 i = 0; i < want; i++) {
		const u8 *p = sink.got[i];
		u32 part = sink.len[i] - hdr, seq = (u32)get16(p + l4 + 4) << 16 | get16(p + l4 + 6);

		ck_assert_uint_eq(part, payload - off < 1400 ? payload - off : 1400);
		ck_assert(!memcmp(p, whole, 12) && !memcmp(p + hdr, whole + hdr + off, part));
		ck_assert_uint_eq(seq, 0xffffff00u + off);
		ck_assert_uint_eq(p[l4 + 13], 0x10u | (i ? 0 : 0x80) | (i + 1 == want ? 0x09 : 0));
		ck_assert(csum_good(p, sink.len[i]));
		if (!v6)
			ck_assert_uint_eq(get16(p + 18), (0xfffe + i) & 0xffff);
		off += part;
	}
	ck_assert_uint_eq(off, payload);
}

START_TEST(segments)
{
	static const u32 payloads[] = { 1, 2, 127, 1399, 1400, 1401, 4201, 30001, 64000 };

	for (u32 i = 0; i < ARRAY_SIZE(payloads); i++)
		for (u32 opts = 0; opts <= 40; opts += 20) {
			cut(false, payloads[i], opts);
			cut(true, payloads[i], opts);
		}
}
END_TEST

START_TEST(whole_frames)
{
	make(false, 333, 12);
	f.meta.flags = JABI_DESC_CSUM_PARTIAL;
	ck_assert_uint_eq(segment_frame(&f, &sink.s), 1);
	ck_assert_uint_eq(sink.len[0], f.len);
	whole[24] = sink.got[0][24]; /* an instance finishes the IPv4 header's itself */
	set16(whole + 24, ~csum_fold16(csum_words(whole + 14, 20, 0)));
	memcpy(sink.got[0] + 24, whole + 24, 2);
	ck_assert(csum_good(sink.got[0], f.len));
	/* too long and not to be cut; a checksum outside the frame */
	make(false, 3000, 0);
	f.meta.flags = JABI_DESC_CSUM_PARTIAL;
	ck_assert_uint_eq(segment_frame(&f, &sink.s), 0);
	for (u32 i = 0; i < 2; i++) {
		make(false, 333, 0);
		f.meta.flags = JABI_DESC_CSUM_PARTIAL;
		f.meta.csum_start = i ? 65535 : 3;
		f.meta.csum_offset = i ? 65535 : 16;
		ck_assert_uint_eq(segment_frame(&f, &sink.s), 0);
		ck_assert_uint_eq(sink.nr, 0);
	}
}
END_TEST

START_TEST(no_room)
{
	make(true, 30000, 0);
	sink.limit = 3;
	ck_assert_uint_eq(segment_frame(&f, &sink.s), 0);
	ck_assert_uint_eq(sink.nr, 3);
}
END_TEST

/* Headers and descriptors at random: nothing is read or written outside (ASan), nothing longer than the room comes out. */
START_TEST(hostile)
{
	srandom(5);
	for (u32 n = 0; n < 200000; n++) {
		static u8 exact[4096];
		u32 len = JABI_FRAME_MIN + (u32)random() % 400;
		u8 *rest;

		make(random() & 1, 300, 0);
		for (u32 k = (u32)random() % 6; k; k--)
			f.head[random() % 80] = (u8)random();
		for (u32 i = 0; i < sizeof(exact); i++)
			exact[i] = (u8)i;
		f.len = len;
		f.head_len = len < LANE_GUARD_BYTES ? len : LANE_GUARD_BYTES;
		rest = malloc(len - f.head_len + 1);
		memcpy(rest, exact, len - f.head_len);
		f.rest = rest;
		f.meta.gso_size = (u16)(random() % 4 ? random() % 100 : random());
		f.meta.csum_start = (u16)(random() % 2 ? random() % 500 : random());
		f.meta.csum_offset = (u16)(random() % 2 ? random() % 20 : random());
		f.meta.flags = (u16)(random() % 16);
		sink.nr = 0;
		sink.limit = 128;
		(void)segment_frame(&f, &sink.s);
		free(rest);
	}
}
END_TEST

TCase *segment_case(void);
TCase *segment_case(void)
{
	TCase *t = tcase_create("segment");

	tcase_set_timeout(t, 60);
	tcase_add_test(t, segments);
	tcase_add_test(t, whole_frames);
	tcase_add_test(t, no_room);
	tcase_add_test(t, hostile);
	return t;
}
