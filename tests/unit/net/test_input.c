/* SPDX-License-Identifier: MIT */
/* Garbage on the wire: random packets, random options, mutated segments of a live connection. No crash, no read beyond the packet. */
#include "tests/unit/net/suites.h"

static void fix_sums(u8 *p, u32 len)
{
	u32 ihl = (p[0] & 15) * 4u, src, dst;
	u16 v = 0, at = p[9] == 6 ? 16 : 6;

	p[2] = (u8)(len >> 8);
	p[3] = (u8)len;
	if (ihl < 20 || ihl > len)
		return;
	memcpy(p + 10, &v, 2);
	v = (u16)~csum_fold(csum_add(p, ihl, 0));
	memcpy(p + 10, &v, 2);
	if ((p[9] != 6 && p[9] != 17) || len < ihl + at + 2)
		return;
	memcpy(&src, p + 12, 4);
	memcpy(&dst, p + 16, 4);
	v = 0;
	memcpy(p + ihl + at, &v, 2);
	v = (u16)~csum_fold(csum_add(p + ihl, len - ihl, csum_pseudo(ip4_addr(src), ip4_addr(dst), p[9], len - ihl)));
	memcpy(p + ihl + at, &v, 2);
}

static void random_fill(u8 *p, u32 len)
{
	for (u32 i = 0; i < len; i++)
		p[i] = (u8)sim_random();
}

START_TEST(random_packets_do_no_harm)
{
	struct sock *l = listener(80, 100), *u;
	struct net_addr a = addr4(0, 80);
	u8 p[200];

	ck_assert_int_eq(net_sock_create(AF_INET, SOCK_DGRAM, 0, &u), 0);
	ck_assert_int_eq(net_sock_bind(u, &a), 0);
	sim_seed((u64)_i + 1);
	for (int i = 0; i < 20000; i++) {
		u32 len = (u32)(sim_random() % sizeof(p));
		static const u8 protos[] = { 1, 6, 17, 6 };

		random_fill(p, len);
		if (len >= 24 && sim_random() % 8) {
			p[0] = sim_random() % 8 ? 0x45 : (u8)(0x40 | sim_random() % 16);
			p[6] = sim_random() % 8 ? 0 : p[6];
			p[7] = sim_random() % 8 ? 0 : p[7];
			p[9] = protos[sim_random() % 4];
			memcpy(p + 12, (u8[]){ 127, 0, 0, (u8)(1 + sim_random() % 3), 127, 0, 0, 1 }, 8);
			p[22] = 0;
			p[23] = 80;
			if (p[9] == 6 && len > 33)
				p[32] = (u8)((5 + sim_random() % 11) << 4);
			fix_sums(p, len);
		}
		nic_pair_inject(p, len);
	}
	net_sock_close(l);
	net_sock_close(u);
}
END_TEST

static u8 last[2000];
static u32 last_len;
static bool keep_last(const u8 *p, u32 len)
{
	if (len <= sizeof(last) && p[9] == 6 && sim_random() % 3 == 0) {
		memcpy(last, p, len);
		last_len = len;
	}
	return true;
}

/* Segments of a live connection come again with bits changed but right checksums: the connection may end, nothing else. */
START_TEST(mutated_segments_of_live_connection)
{
	struct sock *c, *d;
	u8 b[3000] = { 0 };

	connected_pair(&c, &d);
	sim_seed((u64)_i + 1);
	nic_pair_watch = keep_last;
	for (int i = 0; i < 2000; i++) {
		u8 m[2000];

		(void)!put(c, b, 1 + sim_random() % sizeof(b));
		(void)!put(d, b, 1 + sim_random() % 100);
		sim_run_for(MS);
		(void)!get(d, b, sizeof(b));
		(void)!get(c, b, sizeof(b));
		if (!last_len)
			continue;
		memcpy(m, last, last_len);
		for (u64 n = sim_random() % 4; n; n--)
			m[20 + sim_random() % MIN(40u, last_len - 20)] ^= (u8)(1u << sim_random() % 8);
		fix_sums(m, last_len);
		nic_pair_inject(m, last_len);
	}
	nic_pair_breaches = 0; /* a mutated window is not ours */
	net_sock_close(c);
	net_sock_close(d);
}
END_TEST

START_TEST(csum_matches_plain_sum)
{
	u8 b[300];

	for (int i = 0; i < 2000; i++) {
		u32 len = (u32)(sim_random() % sizeof(b)), sum = 0;

		random_fill(b, len);
		for (u32 k = 0; k < len; k++)
			sum += k & 1 ? (u32)b[k] << 8 : b[k];
		while (sum >> 16)
			sum = (sum & 0xffff) + (sum >> 16);
		ck_assert_uint_eq(csum_fold(csum_add(b, len, 0)), sum);
	}
}
END_TEST

Suite *input_suite(void)
{
	Suite *s = suite_create("net_input");
	TCase *t = tcase_create("garbage");

	tcase_add_checked_fixture(t, net_up, net_down);
	tcase_set_timeout(t, 30);
	tcase_add_loop_test(t, random_packets_do_no_harm, 0, 4);
	tcase_add_loop_test(t, mutated_segments_of_live_connection, 0, 6);
	tcase_add_test(t, csum_matches_plain_sum);
	suite_add_tcase(s, t);
	return s;
}
