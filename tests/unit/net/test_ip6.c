/* SPDX-License-Identifier: MIT */
/*
 * The internet layer on an Ethernet that the test plays: neighbours, autoconfiguration, fragments of both families, extension headers, ICMP
 * errors, groups, filters; and what must be dropped and counted. Frames out are kept in `out`; frames in are copies of exact size.
 */
#include "tests/unit/net/suites.h"
#include <linux/filter.h>
#include <linux/in.h>
#include <linux/in6.h>

static struct { u8 b[2000]; u32 len; } out[64];
static u32 nr_out;
static const u8 own_mac[6] = { 2, 0, 0, 0, 0, 1 }, peer_mac[6] = { 2, 0, 0, 0, 0, 2 };
static const struct ip_addr own = { .b = { 0x20, 1, 0xd, 0xb8, [15] = 2 } }, peer = { .b = { 0x20, 1, 0xd, 0xb8, [15] = 1 } },
			    peer_ll = { .b = { 0xfe, 0x80, [15] = 0x99 } }, own_ll = { .b = { 0xfe, 0x80, [8] = 0, 0, 0, 0xff, 0xfe, 0, 0, 1 } };

static int fake_send(struct netif *n, u8 *f, u32 len, const struct tx_meta *m)
{
	(void)n, (void)m;
	ck_assert_uint_le(len, 1514);
	memcpy(out[nr_out % 64].b, f, len);
	out[nr_out++ % 64].len = len;
	return 0;
}
static const struct nic_ops fake_ops = { .name = "fake", .ethernet = true, .send = fake_send };

static void eth_up(bool slaac)
{
	net_up();
	nr_out = 0;
	net_eth = (struct netif){ .name = "eth0", .index = 2, .mtu = 1500, .flags = 1 /* IFF_UP */, .ip = be32(0x0a000002), .prefix_len = 24,
				  .mask = be32(0xffffff00), .ops = &fake_ops };
	memcpy(net_eth.mac, own_mac, 6);
	net_gateway = net_gateway6.w[0] = 0;
	if (!slaac)
		net_eth.addr6[net_eth.nr_addr6++] = (struct ifaddr6){ .ip = own, .prefix_len = 64 };
	net_lock_get();
	nd_start(&net_eth, slaac);
	net_lock_put();
	sim_run_for(10 * SEC); /* duplicate detection, reports */
	nr_out = 0;
}
static void up_static(void)
{
	eth_up(false);
}
static void up_slaac(void)
{
	eth_up(true);
}
static void down(void)
{
	sim_run_for(100 * SEC);
	net_lock_get();
	neigh_flush(&net_eth);
	net_lock_put();
	net_down();
}

static void inject(const u8 *l3, u32 len, u16 type, const u8 *dst)
{
	u8 *f = malloc(14 + len);

	memcpy(f, dst, 6);
	memcpy(f + 6, peer_mac, 6);
	f[12] = (u8)(type >> 8);
	f[13] = (u8)type;
	memcpy(f + 14, l3, len);
	net_lock_get();
	eth_input(&net_eth, f, 14 + len, false);
	net_lock_put();
	free(f);
}

/* An IPv6 packet around payload; next: its type. csum_at: of the transport checksum, or -1. */
static u32 make6(u8 *p, struct ip_addr src, struct ip_addr dst, u8 next, u8 hops, const void *payload, u32 len, int csum_at)
{
	u16 v = 0;

	memset(p, 0, 40);
	p[0] = 0x60;
	p[4] = (u8)(len >> 8);
	p[5] = (u8)len;
	p[6] = next;
	p[7] = hops;
	memcpy(p + 8, &src, 16);
	memcpy(p + 24, &dst, 16);
	memmove(p + 40, payload, len);
	if (csum_at >= 0) {
		memcpy(p + 40 + csum_at, &v, 2);
		v = (u16)~csum_fold(csum_add(p + 40, len, csum_pseudo(src, dst, next, len)));
		memcpy(p + 40 + csum_at, &v, 2);
	}
	return len + 40;
}

static void inject6(struct ip_addr src, struct ip_addr dst, u8 next, u8 hops, const void *payload, u32 len, int csum_at)
{
	u8 p[3000];

	inject(p, make6(p, src, dst, next, hops, payload, len, csum_at), 0x86dd, own_mac);
}

static u64 drops(enum net_drop d)
{
	return net_counter((enum net_counter)d);
}

/* The last frame out, of ICMPv6 type t (hop-by-hop aside), or NULL. */
static const u8 *sent_icmp6(u8 t)
{
	for (u32 i = nr_out; i-- > 0 && nr_out - i <= 64;) {
		const u8 *f = out[i % 64].b;

		if (f[12] == 0x86 && f[20] == 58 && f[54] == t)
			return f + 14;
	}
	return NULL;
}

static void answer_ns(void)
{
	u8 na[32] = { 136, 0, 0, 0, 0x60, [24] = 2, 1 };

	memcpy(na + 8, &peer, 16);
	memcpy(na + 26, peer_mac, 6);
	inject6(peer, own, 58, 255, na, 32, 2);
}

static struct sock *udp6(u16 port)
{
	struct sock *s;
	struct net_addr a;

	ck_assert_int_eq(net_sock_create(AF_INET6, SOCK_DGRAM, 0, &s), 0);
	sock_to_addr(AF_INET6, IP6_ANY, port, &a);
	ck_assert_int_eq(net_sock_bind(s, &a), 0);
	return s;
}

static ssize send_to(struct sock *s, struct ip_addr ip, u16 port, const void *p, size_t n)
{
	struct iov_iter it;
	struct net_addr a;

	sock_to_addr(AF_INET6, ip, port, &a);
	iter_init_kernel(&it, (void *)(u64)p, n);
	return net_sock_send(s, &it, &a, 0, true);
}

START_TEST(neighbour_is_asked_and_what_waited_is_sent)
{
	struct sock *s = udp6(1000);
	const u8 *ns;

	ck_assert_int_eq(send_to(s, peer, 53, "hello", 5), 5);
	ns = sent_icmp6(135);
	ck_assert_ptr_nonnull(ns);
	ck_assert_mem_eq(ns + 48, &peer, 16);
	ck_assert_uint_eq(ns[24], 0xff); /* to the solicited-node group */
	ck_assert_uint_eq(ns[7], 255);
	nr_out = 0;
	answer_ns();
	ck_assert_uint_eq(nr_out, 1);
	ck_assert_mem_eq(out[0].b, peer_mac, 6);
	ck_assert_mem_eq(out[0].b + 14 + 48, "hello", 5);
	net_sock_close(s);
}
END_TEST

START_TEST(silent_neighbour_fails_the_sender)
{
	struct sock *s = udp6(1000);
	struct net_addr a;
	char b[8];

	sock_to_addr(AF_INET6, peer, 53, &a);
	ck_assert_int_eq(net_sock_connect(s, &a, false), 0);
	ck_assert_int_eq(put(s, "x", 1), 1);
	sim_run_for(10 * SEC);
	ck_assert_uint_eq(nr_out, 3);
	ck_assert_int_eq(get(s, b, 8), -EHOSTUNREACH);
	net_sock_close(s);
}
END_TEST

START_TEST(neighbour_table_is_bounded)
{
	struct net_neighinfo ni;
	unsigned n = 0;

	for (u32 i = 0; i < 5000; i++) {
		struct ip_addr src = peer;
		u8 ns[32] = { 135, [24] = 1, 1, 2, 9, 9, 9, 9, 9 };

		src.w[2] = i + 1;
		memcpy(ns + 8, &own, 16);
		inject6(src, own, 58, 255, ns, 32, 2);
	}
	while (!net_neighinfo(n, &ni))
		n++;
	ck_assert_uint_eq(n, 256);
}
END_TEST

START_TEST(advertisement_off_link_or_malformed_is_dropped)
{
	u8 ra[64] = { 134, 0, 0, 0, 64, 0, 7, 8, [16] = 3, 4, 64, 0xc0, 0, 1, 0, 0, 0, 0, 0x80, 0 };
	u64 was = drops(NET_DROP_bad_header);
	struct net_routeinfo ri;

	memcpy(ra + 32, &peer, 8);
	inject6(peer_ll, own_ll, 58, 64, ra, 48, 2);  /* hop limit */
	inject6(peer, own_ll, 58, 255, ra, 48, 2);    /* not from a link-local address */
	ra[17] = 0;
	inject6(peer_ll, own_ll, 58, 255, ra, 48, 2); /* option of length 0 */
	ra[17] = 40;
	inject6(peer_ll, own_ll, 58, 255, ra, 48, 2); /* option beyond the end */
	inject6(peer_ll, own_ll, 58, 255, ra, 12, 2); /* short */
	ck_assert_uint_eq(drops(NET_DROP_bad_header), was + 5);
	ck_assert_uint_eq(net_eth.nr_addr6, 1);
	ck_assert_int_eq(net_route_get(peer, &ri), -ENETUNREACH);
}
END_TEST

START_TEST(advertisement_configures_and_expires)
{
	u8 ra[56] = { 134, 0, 0, 0, 64, 0, 7, 8, [16] = 3, 4, 64, 0xc0, 0, 0, 0x1c, 0x20, 0, 0, 0x0e, 0x10, [48] = 5, 1, 0, 0, 0, 0, 5, 0x78 };
	struct ip_addr far = { .b = { 0x20, 1, 0x48, 0x60, [15] = 0x88 } };
	struct net_routeinfo ri;

	memcpy(ra + 32, &peer, 8);
	inject6(peer_ll, own_ll, 58, 255, ra, 56, 2);
	ck_assert_uint_eq(net_eth.nr_addr6, 2);
	ck_assert_mem_eq(net_eth.addr6[1].ip.b, peer.b, 8);
	ck_assert_mem_eq(net_eth.addr6[1].ip.b + 8, own_ll.b + 8, 8);
	ck_assert_uint_eq(net_eth.mtu, 1400);
	ck_assert_int_eq(net_route_get(far, &ri), 0);
	ck_assert(ip_eq(ri.gateway, peer_ll));
	ck_assert(ip_eq(ri.prefsrc, net_eth.addr6[1].ip));
	ck_assert_int_eq(net_route_get(peer, &ri), 0);
	ck_assert(ip_is_any(ri.gateway));
	sim_run_for(7210 * SEC); /* valid for 7200, the router for 1800 */
	ck_assert_uint_eq(net_eth.nr_addr6, 1);
	ck_assert_int_eq(net_route_get(far, &ri), -ENETUNREACH);
	net_eth.mtu = 1500;
}
END_TEST

START_TEST(duplicate_address_is_given_up)
{
	u8 na[32] = { 136, 0, 0, 0, 0x20, [24] = 2, 1, 2, 0, 0, 0, 0, 9 };

	net_lock_get();
	net_eth.nr_addr6 = 0;
	net_eth.addr6[net_eth.nr_addr6++] = (struct ifaddr6){ .ip = own, .prefix_len = 64 };
	nd_start(&net_eth, false);
	net_lock_put();
	ck_assert_uint_eq(net_eth.nr_addr6, 2);
	memcpy(na + 8, &own, 16);
	inject6(own, (struct ip_addr){ .b = { 0xff, 2, [15] = 1 } }, 58, 255, na, 32, 2);
	ck_assert_uint_eq(net_eth.nr_addr6, 1);
	ck_assert(!ip_is_local(own));
}
END_TEST

/* ---- fragments ---- */

static u8 whole[4000];
static void fragment(u32 id, u32 off, u32 len, bool more)
{
	u8 p[2000] = { 17, 0, (u8)(off >> 8), (u8)((off & 0xf8) | more), (u8)(id >> 24), (u8)(id >> 16), (u8)(id >> 8), (u8)id };

	memcpy(p + 8, whole + off, len);
	inject6(peer, own, 44, 64, p, len + 8, -1);
}

static void make_udp(u32 len)
{
	u8 p[4100];

	for (u32 i = 0; i < len; i++)
		whole[i] = (u8)(i * 7);
	memcpy(whole, (u8[]){ 0, 53, 3, 0xe8, (u8)(len >> 8), (u8)len, 0, 0 }, 8);
	make6(p, peer, own, 17, 64, whole, len, 6);
	memcpy(whole, p + 40, len);
}

START_TEST(fragments_in_any_order_make_the_datagram)
{
	struct sock *s = udp6(1000);
	u8 b[4000];

	make_udp(3000);
	fragment(7, 2000, 1000, false);
	fragment(7, 0, 1000, true);
	ck_assert_int_eq(get(s, b, sizeof(b)), -EAGAIN);
	fragment(7, 1000, 1000, true);
	ck_assert_int_eq(get(s, b, sizeof(b)), 2992);
	ck_assert_mem_eq(b, whole + 8, 2992);
	net_sock_close(s);
}
END_TEST

START_TEST(overlapping_fragments_end_the_datagram)
{
	struct sock *s = udp6(1000);
	u64 was = drops(NET_DROP_fragment);
	u8 b[4000];

	make_udp(3000);
	fragment(8, 0, 1000, true);
	fragment(8, 992, 1000, true); /* RFC 5722 */
	fragment(8, 1000, 1000, true);
	fragment(8, 2000, 1000, false);
	ck_assert_int_eq(get(s, b, sizeof(b)), -EAGAIN);
	ck_assert_uint_eq(drops(NET_DROP_fragment), was + 1);
	fragment(9, 0, 1001, true);	   /* not a multiple of 8 */
	fragment(9, 65528, 1000, false);   /* beyond 65535 */
	ck_assert_uint_eq(drops(NET_DROP_fragment), was + 3);
	net_sock_close(s);
}
END_TEST

START_TEST(fragment_flood_is_bounded)
{
	u64 before = sim_mem_live_bytes();

	make_udp(3000);
	for (u32 i = 0; i < 3000; i++)
		fragment(i, 0, 1000, true);
	ck_assert_uint_le(sim_mem_live_bytes() - before, 16 * 70000);
	nr_out = 0;
	sim_run_for(80 * SEC); /* and the answers that waited for the neighbour */
	ck_assert_uint_eq(sim_mem_live_bytes() <= before + 1000, 1);
}
END_TEST

START_TEST(large_datagram_leaves_in_fragments_that_fit)
{
	struct sock *s = udp6(1000);
	u32 data = 0;

	make_udp(3900);
	ck_assert_int_eq(send_to(s, peer, 53, whole, 3900), 3900);
	nr_out = 0;
	answer_ns();
	ck_assert_uint_eq(nr_out, 3);
	for (u32 i = 0; i < 3; i++) {
		const u8 *f = out[i].b + 14;

		ck_assert_uint_eq(f[6], 44);
		ck_assert_uint_eq((u32)(f[42] << 8 | (f[43] & 0xf8)), data);
		ck_assert_uint_eq(f[43] & 1, i < 2);
		data += out[i].len - 14 - 48;
	}
	ck_assert_uint_eq(data, 3908);
	net_sock_close(s);
}
END_TEST

/* ---- headers ---- */

START_TEST(extension_headers_are_judged)
{
	struct sock *s = udp6(1000);
	u8 p[200], b[100];
	u64 was;

	make_udp(20);
	/* destination options (pad), routing header with nothing left: passed over */
	memcpy(p, (u8[]){ 43, 0, 1, 4, 0, 0, 0, 0, 17, 0, 4, 0, 0, 0, 0, 0 }, 16);
	memcpy(p + 16, whole, 20);
	inject6(peer, own, 60, 64, p, 36, -1);
	ck_assert_int_eq(get(s, b, sizeof(b)), 12);
	p[8 + 3] = 1; /* segments left */
	inject6(peer, own, 60, 64, p, 36, -1);
	ck_assert_int_eq(get(s, b, sizeof(b)), -EAGAIN);
	p[8 + 3] = 0;
	p[2] = 0x40; /* unknown option: drop */
	was = drops(NET_DROP_bad_header);
	inject6(peer, own, 60, 64, p, 36, -1);
	p[2] = 1;
	p[3] = 200; /* option beyond the header */
	inject6(peer, own, 60, 64, p, 36, -1);
	p[3] = 4;
	p[1] = 30; /* header beyond the packet */
	inject6(peer, own, 60, 64, p, 36, -1);
	for (u32 i = 0; i < 20; i++) /* too many */
		memcpy(p + i * 8, (u8[]){ 60, 0, 1, 4, 0, 0, 0, 0 }, 8);
	inject6(peer, own, 60, 64, p, 160, -1);
	ck_assert_int_eq(get(s, b, sizeof(b)), -EAGAIN);
	ck_assert_uint_eq(drops(NET_DROP_bad_header), was + 4);
	net_sock_close(s);
}
END_TEST

START_TEST(unknown_option_and_header_are_answered)
{
	u8 p[8] = { 17, 0, 0x80, 4, 0, 0, 0, 0 };
	const u8 *f;

	inject6(peer, own, 60, 64, p, 8, -1);
	answer_ns();
	f = sent_icmp6(4);
	ck_assert_ptr_nonnull(f);
	ck_assert_uint_eq(f[41], 2);
	ck_assert_uint_eq(f[47], 42); /* where the option is */
	nr_out = 0;
	inject6(peer, own, 200, 64, p, 8, -1);
	f = sent_icmp6(4);
	ck_assert_ptr_nonnull(f);
	ck_assert_uint_eq(f[41], 1);
	nr_out = 0;
	inject6(peer, own, 17, 64, (u8[]){ 0, 1, 0, 99, 0, 8, 0, 0 }, 8, 6); /* closed port */
	f = sent_icmp6(1);
	ck_assert_ptr_nonnull(f);
	ck_assert_uint_eq(f[41], 4);
}
END_TEST

START_TEST(impossible_sources_are_dropped)
{
	u8 echo[8] = { 128, 0, 0, 0, 0, 1, 0, 1 };
	const struct ip_addr bad[] = { IP6_LOOPBACK, { .b = { 0xff, 2, [15] = 1 } }, { .b = { [10] = 0xff, 0xff, 10, 0, 0, 1 } } };
	u64 was = drops(NET_DROP_not_ours);

	for (u32 i = 0; i < ARRAY_SIZE(bad); i++)
		inject6(bad[i], own, 58, 64, echo, 8, 2);
	inject6(peer, IP6_LOOPBACK, 58, 64, echo, 8, 2);
	inject6(peer, peer_ll, 58, 64, echo, 8, 2); /* not our address */
	ck_assert_uint_eq(drops(NET_DROP_not_ours), was + 5);
	was = drops(NET_DROP_csum);
	inject6(peer, own, 58, 64, echo, 8, -1);
	ck_assert_uint_eq(drops(NET_DROP_csum), was + 1);
	ck_assert_uint_eq(nr_out, 0);
	inject6(peer, own, 58, 64, echo, 8, 2);
	answer_ns();
	ck_assert_ptr_nonnull(sent_icmp6(129));
}
END_TEST

START_TEST(too_big_lowers_the_path_only_if_ours)
{
	struct sock *s = udp6(1000);
	u8 e[200] = { 2, 0, 0, 0, 0, 0, 5, 0x14 /* 1300 */ };

	make_udp(20);
	memcpy(whole, (u8[]){ 3, 0xe9, 0, 53 }, 4); /* port 1001: nobody's */
	make6(e + 8, own, peer, 17, 64, whole, 20, -1);
	inject6(peer, own, 58, 64, e, 68, 2);
	ck_assert_uint_eq(ip_mtu(peer), 1500);
	e[8 + 40 + 1] = 0xe8; /* 1000 */
	inject6(peer, own, 58, 64, e, 68, 2);
	ck_assert_uint_eq(ip_mtu(peer), 1300);
	e[6] = 0;
	inject6(peer, own, 58, 64, e, 68, 2);
	ck_assert_uint_eq(ip_mtu(peer), 1280); /* never less */
	for (u32 n = 0; n < 68; n++)
		inject6(peer, own, 58, 64, e, n, n >= 4 ? 2 : -1);
	net_sock_close(s);
}
END_TEST

/* Garbage with right checksums under right headers, through everything that parses. */
START_TEST(random_frames_do_no_harm)
{
	struct sock *s = udp6(1000);
	u8 p[300];

	sim_seed((u64)_i + 1);
	for (int i = 0; i < 20000; i++) {
		static const u8 next[] = { 58, 58, 58, 17, 6, 44, 0, 60, 43 };
		u8 n = next[sim_random() % sizeof(next)], b[200];
		u32 len = (u32)(sim_random() % sizeof(b)), at = n == 58 ? 2 : n == 17 ? 6 : 16;

		for (u32 k = 0; k < len; k++)
			b[k] = (u8)sim_random();
		if (len && n == 58)
			b[0] = (u8)(sim_random() % 2 ? 128 + sim_random() % 10 : sim_random() % 6);
		if (len > 1)
			b[1] = sim_random() % 4 ? 0 : b[1];
		len = make6(p, sim_random() % 2 ? peer_ll : peer, sim_random() % 2 ? own : own_ll, n, 255, b, len,
			    (n == 58 || n == 17 || n == 6) && len >= at + 2 ? (int)at : -1);
		inject(p, len, sim_random() % 50 ? 0x86dd : 0x0806, own_mac);
		nr_out = 0;
	}
	net_sock_close(s);
	net_eth.mtu = 1500;
}
END_TEST

START_TEST(filters_are_checked_and_run)
{
	struct sock *s = udp6(1000);
	struct sock_filter good[] = { { BPF_LD | BPF_B | BPF_ABS, 0, 0, 0 }, { BPF_JMP | BPF_JEQ | BPF_K, 0, 1, 'y' },
				      { BPF_RET | BPF_K, 0, 0, 3 }, { BPF_RET | BPF_K, 0, 0, 0 } };
	struct sock_filter bad[] = { { BPF_JMP | BPF_JA, 0, 0, 5 }, { BPF_RET | BPF_K, 0, 0, 0 } };
	char b[20];

	ck_assert_int_eq(net_sock_setopt(s, 1, 26, bad, sizeof(bad)), -EINVAL);
	ck_assert_int_eq(net_sock_setopt(s, 1, 26, good, sizeof(good) - 8 * 2), -EINVAL); /* no return at the end */
	ck_assert_int_eq(net_sock_setopt(s, 1, 26, good, sizeof(good)), 0);
	ck_assert_int_eq(send_to(s, IP6_LOOPBACK, 1000, "no", 2), 2);
	ck_assert_int_eq(send_to(s, IP6_LOOPBACK, 1000, "yes, cut", 8), 8);
	sim_run_for(10 * MS);
	ck_assert_int_eq(get(s, b, sizeof(b)), 3);
	ck_assert_int_eq(get(s, b, sizeof(b)), -EAGAIN);
	net_sock_close(s);
}
END_TEST

Suite *ip6_suite(void)
{
	Suite *s = suite_create("net_ip6");
	TCase *t = tcase_create("static"), *a = tcase_create("slaac");

	tcase_add_checked_fixture(t, up_static, down);
	tcase_set_timeout(t, 30);
	tcase_add_test(t, neighbour_is_asked_and_what_waited_is_sent);
	tcase_add_test(t, silent_neighbour_fails_the_sender);
	tcase_add_test(t, neighbour_table_is_bounded);
	tcase_add_test(t, duplicate_address_is_given_up);
	tcase_add_test(t, fragments_in_any_order_make_the_datagram);
	tcase_add_test(t, overlapping_fragments_end_the_datagram);
	tcase_add_test(t, fragment_flood_is_bounded);
	tcase_add_test(t, large_datagram_leaves_in_fragments_that_fit);
	tcase_add_test(t, extension_headers_are_judged);
	tcase_add_test(t, unknown_option_and_header_are_answered);
	tcase_add_test(t, impossible_sources_are_dropped);
	tcase_add_test(t, too_big_lowers_the_path_only_if_ours);
	tcase_add_loop_test(t, random_frames_do_no_harm, 0, 4);
	tcase_add_test(t, filters_are_checked_and_run);
	tcase_add_checked_fixture(a, up_slaac, down);
	tcase_add_test(a, advertisement_off_link_or_malformed_is_dropped);
	tcase_add_test(a, advertisement_configures_and_expires);
	tcase_add_loop_test(a, random_frames_do_no_harm, 4, 6);
	suite_add_tcase(s, t);
	suite_add_tcase(s, a);
	return s;
}
