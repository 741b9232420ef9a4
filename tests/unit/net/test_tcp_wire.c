/* SPDX-License-Identifier: MIT */
/* TCP as seen on the wire and by the user: opening, closing, resets, windows, timers, ports. */
#include "tests/unit/net/suites.h"
#include <linux/in.h>
#include <linux/sockios.h>

#define SO_KEEPALIVE_ 9
#define SO_REUSEPORT_ 15
#define SO_RCVBUF_ 8
#define SO_LINGER_ 13

static struct net_addr name_of(struct sock *s, bool peer)
{
	struct net_addr a;

	ck_assert_int_eq(net_sock_name(s, peer, &a), 0);
	return a;
}

START_TEST(handshake_gives_both_ends_names_and_readiness)
{
	struct sock *l = listener(80, 4), *c = tcp_sock(), *d;
	struct net_addr a = addr4(0x7f000001, 80), x, y;

	ck_assert_int_eq(net_sock_accept(l, true, &d), -EAGAIN);
	ck_assert_int_eq(net_sock_connect(c, &a, true), -EINPROGRESS);
	ck_assert_int_eq(net_sock_connect(c, &a, true), -EALREADY);
	ck_assert(!(net_sock_poll(c) & EPOLLOUT));
	sim_run_for(10 * MS);
	ck_assert(net_sock_poll(c) & EPOLLOUT);
	ck_assert(net_sock_poll(l) & EPOLLIN);
	ck_assert_int_eq(net_sock_accept(l, true, &d), 0);
	x = name_of(c, false);
	y = name_of(d, true);
	ck_assert_mem_eq(&x, &y, sizeof(x));
	ck_assert_int_eq(put(c, "hello", 5), 5);
	sim_run_for(10 * MS);
	ck_assert_int_eq(net_sock_bytes(d, false), 5);
	ck_assert(net_sock_poll(d) & EPOLLIN);
	net_sock_close(c);
	net_sock_close(d);
	net_sock_close(l);
}
END_TEST

START_TEST(closed_port_refuses)
{
	struct sock *c = tcp_sock();
	struct net_addr a = addr4(0x7f000001, 81);

	ck_assert_int_eq(net_sock_connect(c, &a, false), -ECONNREFUSED);
	net_sock_close(c);
	c = tcp_sock();
	ck_assert_int_eq(net_sock_connect(c, &a, true), -EINPROGRESS);
	sim_run_for(10 * MS);
	ck_assert_uint_eq(net_sock_poll(c) & (EPOLLERR | EPOLLHUP), EPOLLERR | EPOLLHUP);
	ck_assert_int_eq(net_sock_connect(c, &a, true), -ECONNREFUSED);
	ck_assert_int_eq(net_sock_connect(c, &a, true), -EINPROGRESS); /* and again */
	net_sock_close(c);
}
END_TEST

static s64 syn_times[16];
static u32 nr_syns;
static bool swallow_syns(const u8 *p, u32 len)
{
	(void)len;
	if (p[9] == 6 && nr_syns < 16)
		syn_times[nr_syns++] = sim_now();
	return false;
}

START_TEST(silent_peer_times_out_with_doubling_waits)
{
	struct sock *c = tcp_sock();
	struct net_addr a = addr4(0x7f000001, 81);

	nr_syns = 0;
	nic_pair_watch = swallow_syns;
	ck_assert_int_eq(net_sock_connect(c, &a, false), -ETIMEDOUT);
	ck_assert_uint_eq(nr_syns, 7); /* net.ipv4.tcp_syn_retries 6 */
	for (u32 i = 1; i < nr_syns; i++)
		ck_assert_int_eq((syn_times[i] - syn_times[i - 1]) / SEC, 1 << (i - 1));
	net_sock_close(c);
}
END_TEST

START_TEST(half_close_still_receives)
{
	struct sock *c, *d;
	char b[8];

	connected_pair(&c, &d);
	ck_assert_int_eq(net_sock_shutdown(c, 1), 0);
	ck_assert_int_eq(put(c, "x", 1), -EPIPE);
	sim_run_for(10 * MS);
	ck_assert_int_eq(get(d, b, 8), 0);
	ck_assert(net_sock_poll(d) & EPOLLRDHUP);
	ck_assert_int_eq(put(d, "back", 4), 4);
	sim_run_for(10 * MS);
	ck_assert_int_eq(get(c, b, 8), 4);
	net_sock_close(d);
	sim_run_for(10 * MS);
	ck_assert_int_eq(get(c, b, 8), 0);
	net_sock_close(c);
}
END_TEST

START_TEST(close_with_unread_data_resets)
{
	struct sock *c, *d;
	char b[8];

	connected_pair(&c, &d);
	put(c, "unread", 6);
	sim_run_for(10 * MS);
	net_sock_close(d);
	sim_run_for(10 * MS);
	ck_assert(net_sock_poll(c) & EPOLLERR);
	ck_assert_int_eq(get(c, b, 8), -ECONNRESET);
	ck_assert_int_eq(get(c, b, 8), 0);
	ck_assert_int_eq(put(c, b, 8), -EPIPE);
	net_sock_close(c);
}
END_TEST

START_TEST(linger_zero_resets)
{
	struct sock *c, *d;
	int lg[2] = { 1, 0 };
	char b[8];

	connected_pair(&c, &d);
	ck_assert_int_eq(net_sock_setopt(c, 1, SO_LINGER_, lg, sizeof(lg)), 0);
	net_sock_close(c);
	sim_run_for(10 * MS);
	ck_assert_int_eq(get(d, b, 8), -ECONNRESET);
	net_sock_close(d);
}
END_TEST

START_TEST(linger_waits_for_the_last_ack)
{
	struct sock *c, *d;
	int lg[2] = { 1, 5 };
	static u8 b[100000];
	s64 t;
	ssize r;
	u64 got = 0;

	connected_pair(&c, &d);
	ck_assert_int_eq(net_sock_setopt(c, 1, SO_LINGER_, lg, sizeof(lg)), 0);
	ck_assert_int_eq(put(c, b, sizeof(b)), sizeof(b));
	t = sim_now();
	net_sock_close(c);
	ck_assert_int_lt(sim_now() - t, SEC);
	while ((r = get(d, b, sizeof(b))) > 0)
		got += (u64)r;
	ck_assert_int_eq(r, 0);
	ck_assert_uint_eq(got, sizeof(b));
	net_sock_close(d);
	connected_pair(&c, &d);
	ck_assert_int_eq(net_sock_setopt(c, 1, SO_LINGER_, lg, sizeof(lg)), 0);
	nic_pair.cut = true;
	put(c, b, 10);
	t = sim_now();
	net_sock_close(c);
	ck_assert_int_eq((sim_now() - t) / SEC, 5);
	net_sock_close(d);
}
END_TEST

START_TEST(user_timeout_ends_silence)
{
	struct sock *c, *d;
	char b[8];

	connected_pair(&c, &d);
	set_int(c, 6, 18 /* TCP_USER_TIMEOUT */, 3000);
	nic_pair.cut = true;
	put(c, "x", 1);
	sim_run_for(2 * SEC);
	ck_assert_int_eq(get(c, b, 8), -EAGAIN);
	sim_run_for(8 * SEC);
	ck_assert_int_eq(get(c, b, 8), -ETIMEDOUT);
	net_sock_close(c);
	net_sock_close(d);
}
END_TEST

START_TEST(close_of_listener_resets_waiting_children)
{
	struct sock *l = listener(80, 4), *c = tcp_sock();
	struct net_addr a = addr4(0x7f000001, 80);
	char b[8];

	ck_assert_int_eq(net_sock_connect(c, &a, false), 0);
	sim_run_for(10 * MS);
	net_sock_close(l);
	sim_run_for(10 * MS);
	ck_assert_int_eq(get(c, b, 8), -ECONNRESET);
	net_sock_close(c);
}
END_TEST

/* A reader that sleeps: the window closes, is probed, and opens again even if every update is lost once. */
START_TEST(zero_window_is_probed_and_reopens)
{
	struct sock *c, *d;
	static u8 b[65536];
	u64 sent = 0, got = 0;
	u64 before;
	ssize r;

	connected_pair(&c, &d);
	while ((r = put(c, b, sizeof(b))) > 0 || sim_step())
		if (r > 0)
			sent += (u64)r;
		else if (sim_now() > 1020 * SEC)
			break;
	ck_assert_int_ge(net_sock_bytes(d, false), 65536);
	before = nic_pair_sent;
	sim_run_for(60 * SEC);
	ck_assert_uint_gt(nic_pair_sent, before + 1); /* probes */
	ck_assert_uint_lt(nic_pair_sent, before + 400);
	nic_pair.cut = true;
	while ((r = get(d, b, sizeof(b))) > 0)
		got += (u64)r;
	nic_pair.cut = false;
	sim_run_for(130 * SEC); /* the next probe finds the window */
	while ((r = get(d, b, sizeof(b))) > 0) {
		got += (u64)r;
		sim_run_for(MS);
	}
	sim_run_for(SEC);
	while ((r = get(d, b, sizeof(b))) > 0) {
		got += (u64)r;
		sim_run_for(10 * MS);
	}
	ck_assert_uint_eq(got, sent);
	net_sock_close(c);
	net_sock_close(d);
}
END_TEST

START_TEST(keepalive_ends_dead_connection)
{
	struct sock *c, *d;
	char b[8];

	connected_pair(&c, &d);
	set_int(c, 1, SO_KEEPALIVE_, 1);
	set_int(c, 6, 4 /* TCP_KEEPIDLE */, 10);
	set_int(c, 6, 5 /* TCP_KEEPINTVL */, 2);
	set_int(c, 6, 6 /* TCP_KEEPCNT */, 3);
	sim_run_for(60 * SEC);
	ck_assert_int_eq(get(c, b, 8), -EAGAIN); /* answered */
	nic_pair.cut = true;
	sim_run_for(4 * SEC);
	ck_assert_int_eq(get(c, b, 8), -EAGAIN);
	sim_run_for(13 * SEC);
	ck_assert_int_eq(get(c, b, 8), -ETIMEDOUT);
	net_sock_close(c);
	net_sock_close(d);
}
END_TEST

START_TEST(data_to_dead_peer_times_out)
{
	struct sock *c, *d;
	char b[8];

	connected_pair(&c, &d);
	nic_pair.cut = true;
	put(c, "x", 1);
	sim_run_for(800 * SEC);
	ck_assert_int_eq(get(c, b, 8), -EAGAIN);
	sim_run_for(400 * SEC);
	ck_assert_int_eq(get(c, b, 8), -ETIMEDOUT);
	net_sock_close(c);
	net_sock_close(d);
}
END_TEST

START_TEST(time_wait_pair_is_reused_by_new_connection)
{
	struct sock *c, *d, *l;
	struct net_addr a = addr4(0x7f000001, 80), mine;

	connected_pair(&c, &d);
	mine = name_of(c, false);
	net_sock_close(c); /* active close: c's end waits */
	sim_run_for(10 * MS);
	net_sock_close(d);
	sim_run_for(2 * SEC);
	l = listener(80, 4);
	c = tcp_sock();
	set_int(c, 1, 2 /* SO_REUSEADDR */, 1);
	ck_assert_int_eq(net_sock_bind(c, &mine), 0);
	(void)!net_sock_connect(c, &a, true);
	sim_run_for(10 * SEC);
	net_sock_close(c);
	net_sock_close(l);
}
END_TEST

START_TEST(buffers_stay_while_data_flows_and_go_at_rest)
{
	static u8 block[40000];
	struct sock *c, *d;
	u8 *snd, *rcv;

	connected_pair(&c, &d);
	for (int i = 0; i < 2; i++) {
		ck_assert_int_eq(put(c, block, sizeof(block)), sizeof(block));
		sim_run_for(50 * MS);
		ck_assert_int_eq(get(d, block, sizeof(block)), sizeof(block));
		ck_assert_uint_eq(c->tcp->snd.len + d->tcp->rcv.len, 0);
		if (i) {
			ck_assert_ptr_eq(c->tcp->snd.buf, snd);
			ck_assert_ptr_eq(d->tcp->rcv.buf, rcv);
		}
		snd = c->tcp->snd.buf;
		rcv = d->tcp->rcv.buf;
		ck_assert(snd && rcv);
	}
	sim_run_for(2 * SEC);
	ck_assert(!c->tcp->snd.buf && !d->tcp->rcv.buf);
	ck_assert_int_eq(put(c, "once more", 9), 9);
	sim_run_for(50 * MS);
	ck_assert_int_eq(get(d, block, sizeof(block)), 9);
	net_sock_close(c);
	net_sock_close(d);
}
END_TEST

START_TEST(bind_conflicts)
{
	struct sock *a = listener(90, 4), *b = tcp_sock(), *x, *y;
	struct net_addr any = addr4(0, 90), lo = addr4(0x7f000001, 90), foreign = addr4(0x08080808, 90);

	ck_assert_int_eq(net_sock_bind(b, &any), -EADDRINUSE);
	ck_assert_int_eq(net_sock_bind(b, &lo), -EADDRINUSE);
	ck_assert_int_eq(net_sock_bind(b, &foreign), -EADDRNOTAVAIL);
	net_sock_close(a);
	ck_assert_int_eq(net_sock_bind(b, &lo), 0);
	ck_assert_int_eq(net_sock_bind(b, &lo), -EINVAL);
	net_sock_close(b);
	x = tcp_sock();
	y = tcp_sock();
	set_int(x, 1, SO_REUSEPORT_, 1);
	set_int(y, 1, SO_REUSEPORT_, 1);
	ck_assert_int_eq(net_sock_bind(x, &any), 0);
	ck_assert_int_eq(net_sock_bind(y, &any), 0);
	net_sock_close(x);
	net_sock_close(y);
}
END_TEST

START_TEST(reuseport_listeners_share_connections)
{
	struct sock *l[2], *c[40], *d;
	struct net_addr any = addr4(0, 90), to = addr4(0x7f000001, 90);
	int got[2] = { 0, 0 };

	for (int i = 0; i < 2; i++) {
		l[i] = tcp_sock();
		set_int(l[i], 1, SO_REUSEPORT_, 1);
		ck_assert_int_eq(net_sock_bind(l[i], &any), 0);
		ck_assert_int_eq(net_sock_listen(l[i], 64), 0);
	}
	for (int i = 0; i < 40; i++) {
		c[i] = tcp_sock();
		ck_assert_int_eq(net_sock_connect(c[i], &to, false), 0);
	}
	sim_run_for(10 * MS);
	for (int i = 0; i < 2; i++)
		while (net_sock_accept(l[i], true, &d) == 0) {
			got[i]++;
			net_sock_close(d);
		}
	ck_assert_int_eq(got[0] + got[1], 40);
	ck_assert_int_gt(got[0], 5);
	ck_assert_int_gt(got[1], 5);
	for (int i = 0; i < 40; i++)
		net_sock_close(c[i]);
	net_sock_close(l[0]);
	net_sock_close(l[1]);
}
END_TEST

START_TEST(syn_flood_is_bounded)
{
	struct sock *l = listener(80, 16);
	u64 before = sim_mem_live();

	for (u32 i = 0; i < 2000; i++) {
		u8 p[40] = { 0x45, 0, 0, 40, 0, 0, 0, 0, 64, 6, 0, 0, 127, 1, (u8)(i >> 8), (u8)i, 127, 0, 0, 1 };
		struct tcp_hdr h = { .sport = be16((u16)(1024 + i)), .dport = be16(80), .seq = be32(i * 77), .off = 5 << 4,
				     .flags = TH_SYN, .wnd = 0xffff };
		u32 src, dst;
		u16 c;

		memcpy(&src, p + 12, 4);
		memcpy(&dst, p + 16, 4);
		c = (u16)~csum_fold(csum_add(p, 20, 0));
		memcpy(p + 10, &c, 2);
		memcpy(p + 20, &h, 20);
		h.csum = (u16)~csum_fold(csum_add(p + 20, 20, csum_pseudo(ip4_addr(src), ip4_addr(dst), 6, 20)));
		memcpy(p + 20, &h, 20);
		nic_pair_inject(p, 40);
	}
	ck_assert_uint_lt(sim_mem_live(), before + 2000);
	sim_run_for(200 * SEC);
	ck_assert_uint_le(sim_mem_live(), before + 2);
	net_sock_close(l);
}
END_TEST

START_TEST(udp_echo_and_unreachable)
{
	struct sock *a, *b;
	struct net_addr aa = addr4(0x7f000001, 0), ba = addr4(0x7f000001, 53), from;
	struct iov_iter it;
	char buf[16];
	u32 fl = 0;

	ck_assert_int_eq(net_sock_create(AF_INET, SOCK_DGRAM, 0, &a), 0);
	ck_assert_int_eq(net_sock_create(AF_INET, SOCK_DGRAM, 0, &b), 0);
	ck_assert_int_eq(net_sock_bind(a, &aa), 0);
	ck_assert_int_eq(net_sock_bind(b, &ba), 0);
	iter_init_kernel(&it, "question", 8);
	ck_assert_int_eq(net_sock_send(a, &it, &ba, 0, true), 8);
	sim_run_for(MS);
	iter_init_kernel(&it, buf, 4);
	ck_assert_int_eq(net_sock_recv(b, &it, &from, 0x20 /* MSG_TRUNC */, true, &fl), 8);
	ck_assert_uint_eq(fl & 0x20, 0x20);
	aa = name_of(a, false);
	ck_assert_mem_eq(&from, &aa, sizeof(from));
	net_sock_close(b);
	ck_assert_int_eq(net_sock_connect(a, &ba, true), 0);
	ck_assert_int_eq(put(a, "x", 1), 1);
	sim_run_for(MS);
	ck_assert_int_eq(get(a, buf, 4), -ECONNREFUSED);
	ck_assert_int_eq(get(a, buf, 4), -EAGAIN);
	net_sock_close(a);
}
END_TEST

/* Large datagrams go in fragments, over a link that reorders, and come out whole; pieces that never meet are forgotten. */
START_TEST(udp_in_fragments)
{
	static u8 out[60000], in[60000];
	struct sock *a, *b;
	struct net_addr ba = addr4(0x7f000001, 53);
	struct iov_iter it;
	int whole = 0;

	ck_assert_int_eq(net_sock_create(AF_INET, SOCK_DGRAM, 0, &a), 0);
	ck_assert_int_eq(net_sock_create(AF_INET, SOCK_DGRAM, 0, &b), 0);
	ck_assert_int_eq(net_sock_bind(b, &ba), 0);
	for (u32 i = 0; i < sizeof(out); i++)
		out[i] = (u8)(i * 13 + i / 300);
	nic_pair.reorder = 3000;
	for (int i = 0; i < 60; i++) {
		size_t n = 1 + sim_random() % sizeof(out);

		nic_pair.loss = i < 30 ? 0 : 500;
		iter_init_kernel(&it, out, n);
		ck_assert_int_eq(net_sock_send(a, &it, &ba, 0, true), (ssize)n);
		sim_run_for(20 * MS);
		ssize r = get(b, in, sizeof(in));
		if (r == -EAGAIN && i >= 30)
			continue;
		ck_assert_int_eq(r, (ssize)n);
		ck_assert_mem_eq(in, out, n);
		whole++;
	}
	ck_assert_int_ge(whole, 30);
	ck_assert_int_lt(whole, 60);
	net_sock_close(a);
	net_sock_close(b);
}
END_TEST

START_TEST(ping_of_self)
{
	struct sock *p;
	struct net_addr lo = addr4(0x7f000001, 0);
	struct iov_iter it;
	u8 b[64] = { 8, 0, 0, 0, 0, 0, 0, 1, 'x' };

	ck_assert_int_eq(net_sock_create(AF_INET, SOCK_DGRAM, IPPROTO_ICMP, &p), 0);
	iter_init_kernel(&it, b, 20);
	ck_assert_int_eq(net_sock_send(p, &it, &lo, 0, true), 20);
	sim_run_for(MS);
	ck_assert_int_eq(get(p, b, 64), 20);
	ck_assert_int_eq(b[0], 0);
	ck_assert_int_eq(b[8], 'x');
	net_sock_close(p);
}
END_TEST

START_TEST(v6_sockets_carry_v4)
{
	struct sock *l, *c = tcp_sock(), *c6, *d;
	struct net_addr any6, lo6, to = addr4(0x7f000001, 80), n;

	sock_to_addr(AF_INET6, IP6_ANY, 80, &any6);
	sock_to_addr(AF_INET6, IP6_LOOPBACK, 80, &lo6);
	ck_assert_int_eq(net_sock_create(AF_INET6, SOCK_STREAM, 0, &l), 0);
	ck_assert_int_eq(net_sock_bind(l, &any6), 0);
	ck_assert_int_eq(net_sock_listen(l, 5), 0);
	ck_assert_int_eq(net_sock_connect(c, &to, false), 0);
	ck_assert_int_eq(net_sock_create(AF_INET6, SOCK_STREAM, 0, &c6), 0);
	ck_assert_int_eq(net_sock_connect(c6, &lo6, false), 0);
	sim_run_for(10 * MS);
	ck_assert_int_eq(net_sock_accept(l, true, &d), 0);
	n = name_of(d, true);
	ck_assert_uint_eq(n.len, 28);
	net_sock_close(d);
	ck_assert_int_eq(net_sock_accept(l, true, &d), 0);
	net_sock_close(d);
	net_sock_close(c);
	net_sock_close(c6);
	net_sock_close(l);
}
END_TEST

START_TEST(v6only_and_v4_share_a_port)
{
	struct sock *l4 = listener(80, 5), *l6, *c6, *x, *d;
	struct net_addr any6, lo6, n;
	int one = 1;

	sock_to_addr(AF_INET6, IP6_ANY, 80, &any6);
	sock_to_addr(AF_INET6, IP6_LOOPBACK, 80, &lo6);
	ck_assert_int_eq(lo6.bytes[23], 1);
	ck_assert_int_eq(net_sock_create(AF_INET6, SOCK_STREAM, 0, &x), 0);
	ck_assert_int_eq(net_sock_bind(x, &any6), -EADDRINUSE);
	net_sock_close(x);
	ck_assert_int_eq(net_sock_create(AF_INET6, SOCK_STREAM, 0, &l6), 0);
	ck_assert_int_eq(net_sock_setopt(l6, 41, 26 /* IPV6_V6ONLY */, &one, sizeof(one)), 0);
	ck_assert_int_eq(net_sock_bind(l6, &any6), 0);
	ck_assert_int_eq(net_sock_listen(l6, 5), 0);
	ck_assert_int_eq(net_sock_create(AF_INET6, SOCK_STREAM, 0, &c6), 0);
	ck_assert_int_eq(net_sock_connect(c6, &lo6, false), 0);
	n = name_of(c6, true);
	ck_assert_mem_eq(n.bytes, lo6.bytes, 28);
	sim_run_for(10 * MS);
	ck_assert_int_eq(net_sock_accept(l4, true, &d), -EAGAIN);
	ck_assert_int_eq(net_sock_accept(l6, true, &d), 0);
	net_sock_close(d);
	net_sock_close(c6);
	net_sock_close(l4);
	net_sock_close(l6);
}
END_TEST

/* Each allocation of a connect, transfer, close fails in turn: errors, never a crash nor a leak. */
START_TEST(allocation_failures)
{
	struct sock *l = NULL, *c = NULL, *d = NULL;
	struct net_addr a = addr4(0, 80), to = addr4(0x7f000001, 80);
	u8 b[5000] = { 0 };

	sim_fail_after((u64)_i + 1);
	if (net_sock_create(AF_INET, SOCK_STREAM, 0, &l) || net_sock_create(AF_INET, SOCK_STREAM, 0, &c))
		goto out;
	if (!net_sock_bind(l, &a) && !net_sock_listen(l, 4) && !net_sock_connect(c, &to, false)) {
		sim_run_for(10 * MS);
		if (!net_sock_accept(l, true, &d)) {
			(void)!put(c, b, sizeof(b));
			sim_run_for(SEC);
			(void)!get(d, b, sizeof(b));
		}
	}
out:
	sim_fail_after(0);
	if (d)
		net_sock_close(d);
	if (c)
		net_sock_close(c);
	if (l)
		net_sock_close(l);
}
END_TEST

Suite *tcp_wire_suite(void)
{
	Suite *s = suite_create("tcp_wire");
	TCase *t = tcase_create("wire");

	tcase_add_checked_fixture(t, net_up, net_down);
	tcase_set_timeout(t, 20);
	tcase_add_test(t, handshake_gives_both_ends_names_and_readiness);
	tcase_add_test(t, closed_port_refuses);
	tcase_add_test(t, silent_peer_times_out_with_doubling_waits);
	tcase_add_test(t, half_close_still_receives);
	tcase_add_test(t, close_with_unread_data_resets);
	tcase_add_test(t, linger_zero_resets);
	tcase_add_test(t, linger_waits_for_the_last_ack);
	tcase_add_test(t, user_timeout_ends_silence);
	tcase_add_test(t, close_of_listener_resets_waiting_children);
	tcase_add_test(t, zero_window_is_probed_and_reopens);
	tcase_add_test(t, keepalive_ends_dead_connection);
	tcase_add_test(t, data_to_dead_peer_times_out);
	tcase_add_test(t, time_wait_pair_is_reused_by_new_connection);
	tcase_add_test(t, buffers_stay_while_data_flows_and_go_at_rest);
	tcase_add_test(t, bind_conflicts);
	tcase_add_test(t, reuseport_listeners_share_connections);
	tcase_add_test(t, syn_flood_is_bounded);
	tcase_add_test(t, udp_echo_and_unreachable);
	tcase_add_test(t, udp_in_fragments);
	tcase_add_test(t, ping_of_self);
	tcase_add_test(t, v6_sockets_carry_v4);
	tcase_add_test(t, v6only_and_v4_share_a_port);
	tcase_add_loop_test(t, allocation_failures, 0, 16);
	suite_add_tcase(s, t);
	return s;
}
