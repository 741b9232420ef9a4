/* SPDX-License-Identifier: MIT */
/* include/base/lane.h and lane_guard.h: frames arrive whole and in order through any fill level; what a hostile side writes stays harmless. */
#include <check.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "base/lane.h"
#include "base/lane_guard.h"

static void *link_mem;
static struct lane_tx tx;
static struct lane_rx rx;

static void setup(void)
{
	link_mem = mmap(NULL, JABI_LINK_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	ck_assert_ptr_ne(link_mem, MAP_FAILED);
	memset(&tx, 0, sizeof(tx));
	lane_tx_init(&tx, link_mem, 0);
	lane_rx_init(&rx, link_mem, 0);
}

static void teardown(void)
{
	munmap(link_mem, JABI_LINK_BYTES);
}

static u8 byte_of(u32 frame, u32 at)
{
	return (u8)(frame * 131 + at * 7 + (at >> 8));
}

static bool put(u32 nr, u32 len)
{
	u8 *p = lane_tx_reserve(&tx, len);
	struct jabi_desc d = { .len = len, .flags = (u16)nr };

	if (!p)
		return false;
	ck_assert(p >= tx.data && p + len <= tx.data + JABI_LANE_DATA);
	for (u32 i = 0; i < len; i++)
		p[i] = byte_of(nr, i);
	(void)lane_tx_publish(&tx, &d);
	return true;
}

static bool take(u32 nr, u32 len)
{
	struct jabi_desc d;
	int r = lane_rx_peek(&rx, &d);

	if (!r)
		return false;
	ck_assert_int_eq(r, 1);
	ck_assert_uint_eq(d.len, len);
	ck_assert_uint_eq(d.flags, (u16)nr);
	for (u32 i = 0; i < len; i++)
		if (rx.data[d.off + i] != byte_of(nr, i))
			ck_abort_msg("frame %u of %u bytes: byte %u was overwritten", nr, len, i);
	lane_rx_done(&rx);
	return true;
}

/* Random bursts both ways against a model: nothing is lost, reordered or overwritten, and a full lane says so. */
START_TEST(random_bursts_arrive_whole)
{
	static u32 len_of[1 << 16];
	u32 in = 0, out = 0, fulls = 0;

	srandom((unsigned)_i + 1);
	while (in < 5000) {
		for (long n = random() % 200; n > 0; n--) {
			u32 len = random() % 8 ? JABI_FRAME_MIN + (u32)random() % 1500 : JABI_FRAME_MIN + (u32)random() % (JABI_FRAME_MAX - 14);

			len_of[in & 0xffff] = len;
			if (!put(in, len)) {
				fulls++;
				break;
			}
			in++;
		}
		for (long n = random() % 200; n > 0 && take(out, len_of[out & 0xffff]); n--)
			out++;
		ck_assert_uint_le(in - out, JABI_LANE_DESCS);
	}
	while (out < in)
		ck_assert(take(out, len_of[out & 0xffff])), out++;
	ck_assert(!take(out, 0));
	ck_assert_uint_gt(fulls, 0);
}
END_TEST

START_TEST(empty_lane_reuses_the_same_place)
{
	u32 highest = 0;

	for (u32 i = 0; i < 5000; i++) {
		ck_assert(put(i, 100));
		highest = MAX(highest, tx.start[(tx.prod - 1) & LANE_MASK]);
		ck_assert(take(i, 100));
	}
	ck_assert_uint_lt(highest, 4096); /* memory follows what is in flight, not what has ever passed */
}
END_TEST

START_TEST(armed_consumer_is_rung_once)
{
	struct jabi_desc d = { .len = 64 };

	ck_assert(!lane_rx_arm(&rx));
	ck_assert_ptr_nonnull(lane_tx_reserve(&tx, 64));
	ck_assert(lane_tx_publish(&tx, &d));
	ck_assert_ptr_nonnull(lane_tx_reserve(&tx, 64));
	ck_assert(!lane_tx_publish(&tx, &d));
	ck_assert(lane_rx_arm(&rx)); /* something is there: do not sleep */
}
END_TEST

START_TEST(descriptor_out_of_bounds_is_refused)
{
	static const struct jabi_desc bad[] = {
		{ .off = 0, .len = 0 },
		{ .off = 0, .len = JABI_FRAME_MIN - 1 },
		{ .off = 0, .len = JABI_FRAME_MAX + 1 },
		{ .off = JABI_LANE_DATA - 63, .len = 64 },
		{ .off = JABI_LANE_DATA + 1, .len = 64 },
		{ .off = 0xffffffff, .len = 64 },
		{ .off = 0xffffffc0, .len = 0xffffffff },
		{ .off = 64, .len = 0xffffffff },
	};

	for (u32 i = 0; i < ARRAY_SIZE(bad); i++) {
		struct jabi_desc d;

		tx.desc[i] = bad[i];
		tx.desc[i].seq = i + 1;
		ck_assert_int_eq(lane_rx_peek(&rx, &d), -EBADMSG);
		lane_rx_done(&rx);
	}
}
END_TEST

/* The consumer claims what it likes: the producer never writes over frames it did not see consumed, nor outside. */
START_TEST(lying_consumer_gains_nothing)
{
	u32 n = 0;

	srandom(7);
	for (u32 i = 0; i < 200000; i++) {
		tx.ctl->cons = (u32)random() * 2 + (u32)random() % 2;
		if (put(n, JABI_FRAME_MIN + (u32)random() % 3000))
			n++;
		ck_assert_uint_le(tx.prod - tx.cons, JABI_LANE_DESCS);
		ck_assert_uint_le(tx.head, JABI_LANE_DATA);
	}
	tx.ctl->cons = tx.prod; /* and an honest one again */
	ck_assert(put(n, 1000));
}
END_TEST

/* ---- lane_guard.h ---- */

static const struct lane_guard guard = { .mac = { 2, 1, 10, 0, 0, 5 }, .ip4 = 0x0500000a };

static void base_frame(u8 *f, u16 type)
{
	memset(f, 0, 128);
	memset(f, 0xff, 6);
	memcpy(f + 6, guard.mac, 6);
	f[12] = (u8)(type >> 8);
	f[13] = (u8)type;
}

START_TEST(own_sources_pass)
{
	u8 f[128];
	static const u8 eui[8] = { 0, 1, 10, 0xff, 0xfe, 0, 0, 5 };

	base_frame(f, 0x0800);
	memcpy(f + 26, &guard.ip4, 4);
	ck_assert(lane_guard_passes(&guard, f, 60));
	memset(f + 26, 0, 4); /* DHCP's */
	ck_assert(lane_guard_passes(&guard, f, 60));
	base_frame(f, 0x0806);
	memcpy(f + 22, guard.mac, 6);
	memcpy(f + 28, &guard.ip4, 4);
	ck_assert(lane_guard_passes(&guard, f, 42));
	base_frame(f, 0x86dd);
	f[22] = 0xfe;
	f[23] = 0x80;
	memcpy(f + 30, eui, 8);
	ck_assert(lane_guard_passes(&guard, f, 128));
}
END_TEST

START_TEST(foreign_sources_do_not)
{
	u8 f[128];

	base_frame(f, 0x0800);
	memcpy(f + 26, &guard.ip4, 4);
	f[11]++;
	ck_assert(!lane_guard_passes(&guard, f, 60)); /* MAC */
	base_frame(f, 0x0800);
	f[26] = 10;
	f[29] = 6;
	ck_assert(!lane_guard_passes(&guard, f, 60)); /* IPv4 */
	memcpy(f + 26, &guard.ip4, 4);
	ck_assert(!lane_guard_passes(&guard, f, 33)); /* too short to tell */
	base_frame(f, 0x0806);
	memcpy(f + 22, guard.mac, 6);
	f[28] = 10;
	f[31] = 1;
	ck_assert(!lane_guard_passes(&guard, f, 42)); /* ARP for another's address */
	memcpy(f + 28, &guard.ip4, 4);
	f[27]++;
	ck_assert(!lane_guard_passes(&guard, f, 42)); /* ARP with another's MAC */
	base_frame(f, 0x86dd);
	f[22] = 0xfd;
	f[37] = 9;
	ck_assert(!lane_guard_passes(&guard, f, 128)); /* IPv6 */
	memset(f + 22, 0, 16);
	f[20] = 58;
	f[54] = 136;
	f[62] = 0xfd;
	f[77] = 9;
	ck_assert(!lane_guard_passes(&guard, f, 86)); /* advertises another's address */
	base_frame(f, 0x8100);
	ck_assert(!lane_guard_passes(&guard, f, 128)); /* VLAN */
}
END_TEST

int main(void)
{
	Suite *s = suite_create("lane");
	TCase *t = tcase_create("lane"), *g = tcase_create("guard");
	SRunner *r;
	int failed;

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_set_timeout(t, 60);
	tcase_add_loop_test(t, random_bursts_arrive_whole, 0, 3);
	tcase_add_test(t, empty_lane_reuses_the_same_place);
	tcase_add_test(t, armed_consumer_is_rung_once);
	tcase_add_test(t, descriptor_out_of_bounds_is_refused);
	tcase_add_test(t, lying_consumer_gains_nothing);
	tcase_add_test(g, own_sources_pass);
	tcase_add_test(g, foreign_sources_do_not);
	suite_add_tcase(s, t);
	suite_add_tcase(s, g);
	r = srunner_create(s);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed != 0;
}
