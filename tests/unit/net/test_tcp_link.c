/* SPDX-License-Identifier: MIT */
/* TCP against itself over a bad link: every byte both ways, whatever the link does, and no longer a stall than the timers allow. */
#include "tests/unit/net/suites.h"
#include <stdio.h>

struct end {
	struct sock *s;
	u64 sent, got, total; /* what it sends in all */
	u8 salt;
	bool shut, eof, bad;
	int error;
};

static u8 byte_at(u64 pos, u8 salt)
{
	return (u8)(pos * 31 + pos / 251 + salt);
}

/* Sends and receives what is possible now, in pieces of random size. */
static void pump(struct end *e, u8 peer_salt)
{
	static u8 buf[32768];
	ssize r;

	while (e->sent < e->total) {
		size_t n = MIN(e->total - e->sent, 1 + sim_random() % sizeof(buf));

		for (size_t i = 0; i < n; i++)
			buf[i] = byte_at(e->sent + i, e->salt);
		r = put(e->s, buf, n);
		if (r == -EAGAIN)
			break;
		if (r < 0) {
			e->error = (int)r;
			return;
		}
		e->sent += (u64)r;
	}
	if (e->sent == e->total && !e->shut) {
		e->shut = true;
		(void)!net_sock_shutdown(e->s, 1);
	}
	while (!e->eof) {
		r = get(e->s, buf, 1 + sim_random() % sizeof(buf));
		if (r == -EAGAIN)
			return;
		if (r < 0) {
			e->error = (int)r;
			return;
		}
		e->eof = r == 0;
		for (ssize i = 0; i < r; i++)
			e->bad |= buf[i] != byte_at(e->got + (u64)i, peer_salt);
		e->got += (u64)r;
	}
}

static bool reno;
static s64 worst_rto = TCP_RTO_MAX_NS;

/* Of every connection, on every packet that leaves: the sequence space, the accounts of what is outstanding, the bounds of the RTO. */
static bool check_invariants(const u8 *pkt, u32 len)
{
	struct sock *s;

	(void)pkt, (void)len;
	list_for_each(s, &net_socks, all_link) {
		const struct tcp_conn *c = s->tcp;
		u32 sacked = 0, lost = 0, nr = 0, at;
		struct tcp_rec *r;

		if (!c || s->dead || c->state < TCP_ESTABLISHED)
			continue;
		ck_assert(SEQ_LEQ(c->snd_una, c->snd_nxt) && SEQ_LEQ(c->rcv_nxt, c->rcv_adv + 1));
		ck_assert(c->rto >= TCP_RTO_MIN_NS && c->rto <= worst_rto);
		ck_assert_uint_ge(c->cwnd, c->mss);
		ck_assert_uint_le(c->rcv.len + c->rcv.ahead, s->rcvbuf);
		ck_assert_uint_le(c->rcv.len + c->rcv.ahead, MAX(c->rcv.cap, 1u));
		at = c->snd_una;
		list_for_each(r, &c->recs, link) {
			ck_assert(r->seq == at && SEQ_LT(r->seq, r->end));
			at = r->end;
			sacked += r->flags & REC_SACKED ? r->end - r->seq : 0;
			lost += r->flags & REC_LOST ? r->end - r->seq : 0;
			nr++;
			ck_assert((r->flags & (REC_SACKED | REC_LOST)) != (REC_SACKED | REC_LOST));
			ck_assert(list_empty(&r->tx_link) == !!(r->flags & (REC_SACKED | REC_LOST)));
		}
		ck_assert_uint_eq(nr, c->nr_recs);
		ck_assert_uint_eq(sacked, c->sacked_bytes);
		ck_assert_uint_eq(lost, c->lost_bytes);
	}
	return true;
}

static void transfer(u64 seed, u64 up, u64 down, s64 limit)
{
	struct end a = { .total = up, .salt = 3 }, b = { .total = down, .salt = 77 };
	s64 end = sim_now() + limit;
	struct nic_pair_cfg bad = nic_pair;

	nic_pair = (struct nic_pair_cfg){ .delay_ns = bad.delay_ns };
	connected_pair(&a.s, &b.s);
	nic_pair = bad;
	if (reno) {
		ck_assert_int_eq(net_sock_setopt(a.s, 6, 13 /* TCP_CONGESTION */, "reno", 4), 0);
		ck_assert_int_eq(net_sock_setopt(b.s, 6, 13, "reno", 4), 0);
	}
	sim_seed(seed);
	nic_pair_watch = up < 200000 ? check_invariants : NULL;
	while (!(a.eof && b.eof) && !a.error && !b.error && sim_now() < end) {
		pump(&a, b.salt);
		pump(&b, a.salt);
		if (!sim_step())
			break;
	}
	ck_assert_msg(!a.error && !b.error, "seed %lu: errors %d %d at %lu/%lu", seed, a.error, b.error, a.got, b.got);
	ck_assert_msg(a.eof && b.eof, "seed %lu: %lu of %lu, %lu of %lu after %ld ms", seed, b.got, up, a.got, down,
		      (long)((sim_now() - end + limit) / MS));
	ck_assert(!a.bad && !b.bad);
	ck_assert_uint_eq(a.got, down);
	ck_assert_uint_eq(b.got, up);
	nic_pair_watch = NULL;
	net_sock_close(a.s);
	net_sock_close(b.s);
}

START_TEST(clean_link)
{
	transfer(1, 3000000, 2000000, 100 * SEC);
	ck_assert_uint_eq(nic_pair_lost, 0);
}
END_TEST

START_TEST(lossy_link_many_seeds)
{
	u64 seed = (u64)_i + 1;

	sim_seed(seed * 7919);
	nic_pair.loss = (u32)(sim_random() % 600);
	nic_pair.dup = (u32)(sim_random() % 300);
	nic_pair.reorder = (u32)(sim_random() % 500);
	nic_pair.corrupt = (u32)(sim_random() % 200);
	nic_pair.delay_ns = (s64)(sim_random() % 20) * MS + 50000;
	nic_pair.jitter_ns = (s64)(sim_random() % 200) * 1000;
	pair_over_ipv6 = seed % 3 == 0;
	tcp_ecn_mode = seed % 4 == 0 ? 1 : 2;
	reno = seed % 5 == 0;
	transfer(seed, sim_random() % 100000, sim_random() % 100000, 3000 * SEC);
	reno = false;
	tcp_ecn_mode = 2;
}
END_TEST

START_TEST(large_segments_on_lossy_link)
{
	net_lo.mtu = 65536;
	nic_pair.loss = 100;
	transfer(5, 8000000, 8000000, 1000 * SEC);
}
END_TEST

/* Small requests and answers on ten connections at 1 % loss and 1 ms delay for a minute: the longest wait for an answer. */
START_TEST(requests_at_one_percent_loss)
{
	enum { N = 10 };
	struct sock *c[N], *d[N];
	s64 asked[N], worst = 0, end;
	u64 done = 0;
	u8 b[64] = { 0 };

	for (int i = 0; i < N; i++) {
		connected_pair(&c[i], &d[i]);
		asked[i] = 0;
	}
	nic_pair.loss = 100;
	nic_pair.delay_ns = MS;
	sim_seed((u64)_i + 1);
	end = sim_now() + 60 * SEC;
	while (sim_now() < end) {
		for (int i = 0; i < N; i++) {
			if (!asked[i]) {
				ck_assert_int_eq(put(c[i], b, 40), 40);
				asked[i] = sim_now();
			}
			if (get(d[i], b, 64) > 0)
				ck_assert_int_eq(put(d[i], b, 30), 30);
			if (get(c[i], b, 64) > 0) {
				worst = MAX(worst, sim_now() - asked[i]);
				asked[i] = 0;
				done++;
			}
		}
		if (!sim_step())
			break;
	}
	for (int i = 0; i < N; i++) {
		net_sock_close(c[i]);
		net_sock_close(d[i]);
	}
	fprintf(stderr, "1%% loss, 1 ms: %lu requests in 60 s, slowest %ld ms\n", done, (long)(worst / MS));
	ck_assert_uint_gt(done, 60000);
	ck_assert_int_lt(worst, 2 * SEC);
}
END_TEST

/* Bulk at 1 % loss and 10 ms round trip: what it achieves. */
START_TEST(bulk_at_one_percent_loss)
{
	s64 start = sim_now();

	nic_pair.loss = 100;
	nic_pair.delay_ns = 5 * MS;
	transfer((u64)_i + 11, 20000000, 0, 1000 * SEC);
	fprintf(stderr, "1%% loss, 10 ms RTT: 20 MB in %ld ms; %lu segments, %lu again, %lu timeouts, %lu recoveries, %lu probes\n",
		(long)((sim_now() - start) / MS), net_counter(NET_TcpOutSegs), net_counter(NET_TcpRetransSegs),
		net_counter(NET_TCPTimeouts), net_counter(NET_TCPFastRetrans), net_counter(NET_TCPLossProbes));
}
END_TEST

Suite *tcp_link_suite(void)
{
	Suite *s = suite_create("tcp_link");
	TCase *t = tcase_create("transfer");
	const char *seeds = getenv("NET_SEEDS"); /* thousands in make check-long */

	tcase_add_checked_fixture(t, net_up, net_down);
	tcase_set_timeout(t, 60);
	tcase_add_test(t, clean_link);
	tcase_add_loop_test(t, lossy_link_many_seeds, 0, seeds ? atoi(seeds) : 120);
	tcase_add_test(t, large_segments_on_lossy_link);
	tcase_add_loop_test(t, requests_at_one_percent_loss, 0, 2);
	tcase_add_loop_test(t, bulk_at_one_percent_loss, 0, 2);
	suite_add_tcase(s, t);
	return s;
}
