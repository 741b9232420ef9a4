/* SPDX-License-Identifier: MIT */
/* Merging received frames (nic_merge.c), by cutting large frames (base/cut.h) and putting them together again; and what must not be merged. */
#include "tests/unit/net/suites.h"
#include "base/cut.h"
#include "net/nic/nic_merge.h"

#define PARTS 64

static u8 whole[NET_FRAME_MAX], cut_frames[PARTS][2048], room[NET_FRAME_MAX];
static u32 cut_len[PARTS], nr, whole_len;
static struct nic_merge m;

/* A TCP frame with 12 bytes of options and so much payload, cut every `mss` bytes. */
static void make(bool v6, u32 payload, u32 mss)
{
	u32 l4 = v6 ? 54 : 34, hdr = l4 + 32;
	struct cut c;

	memset(whole, 0, hdr);
	memset(&m, 0, sizeof(m));
	m.buf = room;
	for (u32 i = 0; i < 12; i++)
		whole[i] = (u8)(i * 3);
	cut_put16(whole + 12, v6 ? 0x86dd : 0x0800);
	whole_len = hdr + payload;
	if (v6) {
		whole[14] = 0x60;
		cut_put16(whole + 18, whole_len - 54);
		whole[20] = 6;
	} else {
		whole[14] = 0x45;
		cut_put16(whole + 16, whole_len - 14);
		whole[23] = 6;
	}
	for (u32 i = v6 ? 22 : 26; i < l4; i++)
		whole[i] = (u8)(i * 7);
	cut_put16(whole + l4 + 6, 60000); /* the sequence number runs over its low half */
	whole[l4 + 12] = 0x80;
	whole[l4 + 13] = 0x18;
	for (u32 i = 0; i < payload; i++)
		whole[hdr + i] = (u8)(i * 13 + i / 255);
	ck_assert(cut_parse(whole, whole_len, whole_len, v6, &c));
	nr = 0;
	for (u32 off = 0; off < payload; off += mss, nr++) {
		u32 part = MIN(mss, payload - off);
		u8 *p = cut_frames[nr];

		memcpy(p, whole, hdr);
		memcpy(p + hdr, whole + hdr + off, part);
		cut_len[nr] = hdr + part;
		cut_headers(p, &c, hdr + part, off, nr, off + part == payload,
			    csum_bulk(p + hdr, part));
	}
}

/* Sum over the transport part, which is 0xffff when its checksum is right. */
static u32 verify(const u8 *f, u32 len)
{
	struct csum_place c;

	ck_assert(csum_place(f, len, &c));
	return csum_fold16(c.pseudo + csum_bulk(f + c.l4, len - c.l4));
}

START_TEST(what_was_cut_comes_together)
{
	bool v6 = _i & 1;
	u32 l4 = v6 ? 54 : 34, len;
	struct csum_place c;
	const u8 *f;

	make(v6, _i < 2 ? 60000 : 4 * 1447, 1447 + (_i & 1));
	for (u32 i = 0; i < nr; i++)
		ck_assert_uint_eq(verify(cut_frames[i], cut_len[i]), 0xffff);
	ck_assert(nic_merge_start(&m, cut_frames[0], cut_len[0], false));
	for (u32 i = 1; i < nr; i++)
		ck_assert(nic_merge_add(&m, cut_frames[i], cut_len[i], false));
	f = nic_merge_end(&m, &len);
	ck_assert_uint_eq(len, whole_len);
	ck_assert(!memcmp(f, whole, 14) && !memcmp(f + l4, whole + l4, 16) &&
		  !memcmp(f + l4 + 18, whole + l4 + 18, len - l4 - 18));
	ck_assert(csum_is_partial(f, len, &c));
	ck_assert(v6 || csum_fold16(csum_words(f + 14, 20, 0)) == 0xffff);
	ck_assert_ptr_null(nic_merge_end(&m, &len));
}
END_TEST

START_TEST(a_single_frame_is_not_copied)
{
	u32 len;

	make(false, 3000, 1000);
	ck_assert(nic_merge_start(&m, cut_frames[0], cut_len[0], false));
	ck_assert_ptr_eq(nic_merge_end(&m, &len), cut_frames[0]);
	ck_assert_uint_eq(len, cut_len[0]);
}
END_TEST

/* Offsets from the start of the second frame; the checksums are taken as good, so that only the change counts. */
static const struct {
	const char *what;
	bool v6;
	u32 at;
	u8 flip;
} changes[] = {
	{ "another host", false, 7, 1 },
	{ "TOS", false, 15, 3 },
	{ "a fragment", false, 20, 0x20 },
	{ "TTL", false, 22, 1 },
	{ "address", false, 29, 1 },
	{ "port", false, 35, 1 },
	{ "sequence", false, 41, 1 },
	{ "acknowledgment", false, 45, 1 },
	{ "FIN", false, 47, 1 },
	{ "URG", false, 47, 0x20 },
	{ "CWR", false, 47, 0x80 },
	{ "no ACK", false, 47, 0x10 },
	{ "window", false, 49, 1 },
	{ "urgent pointer", false, 53, 1 },
	{ "timestamp", false, 60, 1 },
	{ "header length", false, 46, 0x10 },
	{ "UDP", false, 23, 6 ^ 17 },
	{ "length", false, 17, 1 },
	{ "traffic class", true, 15, 0x10 },
	{ "flow", true, 17, 1 },
	{ "hop limit", true, 21, 1 },
	{ "address", true, 53, 1 },
	{ "next header", true, 20, 1 },
	{ "length", true, 19, 1 },
};
START_TEST(what_differs_is_not_merged)
{
	u8 *f;

	make(changes[_i].v6, 3000, 1000);
	f = cut_frames[1];
	f[changes[_i].at] ^= changes[_i].flip;
	if (!changes[_i].v6) { /* its header's sum is right */
		cut_put16(f + 24, 0);
		cut_put16(f + 24, ~csum_fold16(csum_words(f + 14, 20, 0)));
	}
	ck_assert(nic_merge_start(&m, cut_frames[0], cut_len[0], true));
	ck_assert_msg(!nic_merge_add(&m, f, cut_len[1], true), "%s", changes[_i].what);
	f[changes[_i].at] ^= changes[_i].flip;
	if (!changes[_i].v6) {
		cut_put16(f + 24, 0);
		cut_put16(f + 24, ~csum_fold16(csum_words(f + 14, 20, 0)));
	}
	ck_assert(nic_merge_add(&m, f, cut_len[1], true));
}
END_TEST

START_TEST(wrong_sums_are_left_to_the_stack)
{
	make(_i, 3000, 1000);
	cut_frames[0][100] ^= 1;
	ck_assert(!nic_merge_start(&m, cut_frames[0], cut_len[0], false));
	cut_frames[0][100] ^= 1;
	ck_assert(nic_merge_start(&m, cut_frames[0], cut_len[0], false));
	cut_frames[1][cut_len[1] - 1] ^= 4;
	ck_assert(!nic_merge_add(&m, cut_frames[1], cut_len[1], false));
	cut_frames[1][cut_len[1] - 1] ^= 4;
	if (!_i) {
		cut_frames[1][25] ^=
			1; /* of the IPv4 header, even where the transport's is trusted */
		ck_assert(!nic_merge_add(&m, cut_frames[1], cut_len[1], true));
	}
}
END_TEST

START_TEST(nothing_after_a_short_one_or_a_push)
{
	make(false, 2500, 1000);
	ck_assert(nic_merge_start(&m, cut_frames[0], cut_len[0], false));
	cut_frames[1][47] |= 8;
	ck_assert(nic_merge_add(&m, cut_frames[1], cut_len[1], true));
	ck_assert(!nic_merge_add(&m, cut_frames[2], cut_len[2], true));
	ck_assert_uint_eq(room[47], 0x18);
	/* Longer than the first: a new beginning. */
	make(false, 2500, 1000);
	ck_assert(nic_merge_start(&m, cut_frames[2], cut_len[2], true) == false); /* has PSH */
	for (u32 len = 0; len < 80; len++)
		ck_assert(!nic_merge_start(&m, cut_frames[0], len, true));
}
END_TEST

Suite *merge_suite(void)
{
	Suite *s = suite_create("merge");
	TCase *t = tcase_create("merge");

	tcase_add_loop_test(t, what_was_cut_comes_together, 0, 4);
	tcase_add_test(t, a_single_frame_is_not_copied);
	tcase_add_loop_test(t, what_differs_is_not_merged, 0, sizeof(changes) / sizeof(changes[0]));
	tcase_add_loop_test(t, wrong_sums_are_left_to_the_stack, 0, 2);
	tcase_add_test(t, nothing_after_a_short_one_or_a_push);
	suite_add_tcase(s, t);
	return s;
}
