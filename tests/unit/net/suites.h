/* SPDX-License-Identifier: MIT */
/* The suites of net/, and what they share. */
#ifndef TESTS_UNIT_NET_SUITES_H
#define TESTS_UNIT_NET_SUITES_H

#include "net/stack.h"
#include "net/tcp/tcp.h"
#include "tests/lib/nic_pair.h"
#include "tests/lib/sim_rt.h"
#include <check.h>
#include <stdlib.h>
#include <string.h>

#define AF_INET 2
#define AF_INET6 10
#define SOCK_STREAM 1
#define SOCK_DGRAM 2
#define MS NSEC_PER_MSEC
#define SEC NSEC_PER_SEC

Suite *tcp_link_suite(void);
Suite *tcp_wire_suite(void);
Suite *input_suite(void);
Suite *ip6_suite(void);
Suite *tcp_script_suite(void);
Suite *lock_suite(void);
Suite *merge_suite(void);

void net_up(void);	   /* checked fixture: fresh stack on a 1500-byte wire */
void net_down(void);	   /* everything freed, no breach on the wire */
struct net_addr addr4(u32 host_order_ip, u16 port);
struct sock *tcp_sock(void);
struct sock *listener(u16 port, int backlog);
/* Both ends of an established connection to a listener that is closed again. */
void connected_pair(struct sock **client, struct sock **server);
extern bool pair_over_ipv6; /* connected_pair uses ::1; net_up clears it */
ssize put(struct sock *s, const void *p, size_t n); /* non-blocking send and receive */
ssize get(struct sock *s, void *p, size_t n);
void set_int(struct sock *s, int level, int name, int v);

#endif
