/* SPDX-License-Identifier: MIT */
/* Runner of the net suites and their fixture. */
#include "tests/unit/net/suites.h"

bool pair_over_ipv6;

void net_up(void)
{
	pair_over_ipv6 = false;
	sim_seed(1);
	net_init();
	nic_pair_start(1500);
}

void net_down(void)
{
	struct sock *s;
	u32 open = 0;

	nic_pair.cut = false;
	sim_run_for(400 * SEC); /* TIME-WAIT, orphans, the sweep */
	list_for_each(s, &net_socks, all_link)
		open++;
	ck_assert_uint_eq(open, 0);
	ck_assert_uint_eq(sim_mem_live(), 0);
	ck_assert_uint_eq(nic_pair_breaches, 0);
	ck_assert(!spin_is_locked(&net_lock));
}

struct net_addr addr4(u32 ip, u16 port)
{
	struct net_addr a;

	sock_to_addr(AF_INET, ip4_addr(be32(ip)), port, &a);
	return a;
}

struct sock *tcp_sock(void)
{
	struct sock *s = NULL;

	ck_assert_int_eq(net_sock_create(AF_INET, SOCK_STREAM, 0, &s), 0);
	return s;
}

static struct sock *listen_on(int family, const struct net_addr *a, int backlog)
{
	struct sock *s = NULL;

	ck_assert_int_eq(net_sock_create(family, SOCK_STREAM, 0, &s), 0);
	set_int(s, 1, 2 /* SO_REUSEADDR */, 1);
	ck_assert_int_eq(net_sock_bind(s, a), 0);
	ck_assert_int_eq(net_sock_listen(s, backlog), 0);
	return s;
}

struct sock *listener(u16 port, int backlog)
{
	struct net_addr a = addr4(0, port);

	return listen_on(AF_INET, &a, backlog);
}

void connected_pair(struct sock **client, struct sock **server)
{
	int family = pair_over_ipv6 ? AF_INET6 : AF_INET;
	struct net_addr a;
	struct sock *l;

	sock_to_addr(family, pair_over_ipv6 ? IP6_LOOPBACK : IP4_LOOPBACK, 80, &a);
	l = listen_on(family, &a, 16);
	ck_assert_int_eq(net_sock_create(family, SOCK_STREAM, 0, client), 0);
	ck_assert_int_eq(net_sock_connect(*client, &a, false), 0);
	ck_assert_int_eq(net_sock_accept(l, false, server), 0);
	net_sock_close(l);
}

ssize put(struct sock *s, const void *p, size_t n)
{
	struct iov_iter it;

	iter_init_kernel(&it, (void *)(u64)p, n);
	return net_sock_send(s, &it, NULL, 0, true);
}

ssize get(struct sock *s, void *p, size_t n)
{
	struct iov_iter it;
	u32 out = 0;

	iter_init_kernel(&it, p, n);
	return net_sock_recv(s, &it, NULL, 0, true, &out);
}

void set_int(struct sock *s, int level, int name, int v)
{
	ck_assert_int_eq(net_sock_setopt(s, level, name, &v, sizeof(v)), 0);
}

int main(void)
{
	SRunner *r = srunner_create(tcp_link_suite());
	int failed;

	srunner_add_suite(r, lock_suite());
	srunner_add_suite(r, tcp_wire_suite());
	srunner_add_suite(r, input_suite());
	srunner_add_suite(r, ip6_suite());
	srunner_add_suite(r, tcp_script_suite());
	srunner_add_suite(r, merge_suite());
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? 1 : 0;
}
