/* SPDX-License-Identifier: MIT */
/* See world.h. */
#include "tests/fuzz/world.h"
#include "net/tcp/tcp.h"
#include "tests/lib/nic_pair.h"
#include "tests/lib/sim_rt.h"
#include <linux/filter.h>
#include <linux/in.h>
#include <stdlib.h>
#include <string.h>

#define INET 2
#define INET6 10
#define NR_SOCKS 10
/* Out of order data, fragments, neighbours and receive queues together, however the packets come. */
#define MEM_BOUND (16 * MiB)

static const u8 own_mac[6] = { 2, 0, 0, 0, 0, 1 }, peer_mac[6] = { 2, 0, 0, 0, 0, 2 };
static const struct ip_addr own6 = { .b = { 0x20, 1, 0xd, 0xb8, [15] = 2 } };
static struct sock *socks[NR_SOCKS];
static u32 nr_socks;

static int swallow_frame(struct netif *n, u8 *f, u32 len, const struct tx_meta *m)
{
	u8 sum = 0;

	(void)n, (void)m;
	for (u32 i = 0; i < len; i++)
		sum ^= f[i]; /* the sanitizer's look at it */
	return len < 14 || sum == 0xffff ? -EINVAL : 0;
}
static const struct nic_ops swallow_ops = { .name = "swallow", .ethernet = true, .send = swallow_frame };

static struct sock *sock(int family, int type, int protocol, struct ip_addr ip, u16 port)
{
	struct sock *s;
	struct net_addr a;

	if (net_sock_create(family, type, protocol, &s))
		abort();
	sock_to_addr(family, ip, port, &a);
	if (port && net_sock_bind(s, &a))
		abort();
	return socks[nr_socks++] = s;
}

static void set(struct sock *s, int level, int name, int v)
{
	if (net_sock_setopt(s, level, name, &v, sizeof(v)))
		abort();
}

static void groups(struct sock *s4, struct sock *s6)
{
	u8 mreq4[12] = { 224, 1, 2, 3, [8] = 2 };
	u8 mreq6[20] = { 0xff, 2, [14] = 1, 3, [16] = 2 };

	if (net_sock_setopt(s4, 0, 35 /* IP_ADD_MEMBERSHIP */, mreq4, sizeof(mreq4)) ||
	    net_sock_setopt(s6, 41, 20 /* IPV6_ADD_MEMBERSHIP */, mreq6, sizeof(mreq6)))
		abort();
}

static void open_sockets(void)
{
	/* the low byte of the type of an Ethernet frame, else 20 bytes */
	struct sock_filter prog[] = { BPF_STMT(BPF_LD | BPF_B | BPF_ABS, 13), BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 6, 0, 1),
				      BPF_STMT(BPF_RET | BPF_K, 20), BPF_STMT(BPF_RET | BPF_K, 0xffff) };
	struct sock *s4 = sock(INET, 2, 0, IP4_ANY, 5000), *s6 = sock(INET6, 2, 0, IP6_ANY, 5001), *p, *l;

	set(s4, 0, IP_RECVERR, 1);
	set(s6, 41, 25 /* IPV6_RECVERR */, 1);
	set(s6, 41, 49 /* IPV6_RECVPKTINFO */, 1);
	groups(s4, s6);
	(void)sock(INET, 3, IPPROTO_ICMP, IP4_ANY, 0);
	(void)sock(INET6, 3, 58, IP6_ANY, 0);
	(void)sock(INET, 2, IPPROTO_ICMP, IP4_ANY, 77);
	(void)sock(INET6, 2, 58, IP6_ANY, 78);
	p = sock(17, 3, 0x300 /* ETH_P_ALL */, IP4_ANY, 0);
	if (filter_attach(p, prog, sizeof(prog)))
		abort();
	l = sock(INET6, 1, 0, IP6_ANY, 80);
	if (net_sock_listen(l, 4))
		abort();
}

void world_up(void)
{
	static bool done;

	if (!done) {
		net_init();
		nic_pair_start(1500);
		done = true;
	}
	sim_seed(1);
	net_eth = (struct netif){ .name = "eth0", .index = 2, .mtu = 1500, .flags = 1 | 2 | 0x1000 | 0x40, .ip = be32(0x0a000002), .prefix_len = 24,
				  .mask = be32(0xffffff00), .ops = &swallow_ops };
	memcpy(net_eth.mac, own_mac, 6);
	net_eth.addr6[net_eth.nr_addr6++] = (struct ifaddr6){ .ip = own6, .prefix_len = 64 };
	net_gateway = be32(0x0a000001);
	net_lock_get();
	nd_start(&net_eth, true);
	net_lock_put();
	nr_socks = 0;
	open_sockets();
	sim_run_for(3 * NSEC_PER_SEC);
}

void world_read_some(void)
{
	static u8 buf[70000];
	u8 ctl[512];

	for (u32 i = 0; i < nr_socks; i++) {
		struct net_cmsgs cm = { .buf = ctl, .room = sizeof(ctl) };
		struct net_addr from;
		struct iov_iter it;
		struct sock *c;
		u32 out = 0;

		if (socks[i]->tcp) {
			if (!net_sock_accept(socks[i], true, &c))
				net_sock_close(c);
			continue;
		}
		iter_init_kernel(&it, buf, sizeof(buf));
		(void)!net_sock_recvmsg(socks[i], &it, &from, i & 1 ? 2 : 0, true, &out, &cm);
		iter_init_kernel(&it, buf, sizeof(buf));
		cm.len = 0;
		(void)!net_sock_recvmsg(socks[i], &it, &from, 0x2000 /* MSG_ERRQUEUE */, true, &out, &cm);
	}
}

void world_down(void)
{
	if (sim_mem_live_bytes() > MEM_BOUND)
		abort();
	world_read_some();
	for (u32 i = 0; i < nr_socks; i++)
		net_sock_close(socks[i]);
	sim_run_for(2000 * NSEC_PER_SEC);
	net_lock_get();
	neigh_flush(&net_eth);
	net_lock_put();
	sim_run_for(10 * NSEC_PER_SEC);
	if (sim_mem_live())
		abort();
}

void world_frame(const u8 *frame, u32 len)
{
	u8 *f = malloc(len ? len : 1);

	memcpy(f, frame, len);
	net_lock_get();
	eth_input(&net_eth, f, len, false);
	net_lock_put();
	free(f);
}

void world_packet(const u8 *l3, u32 len, bool to_all)
{
	u8 *f = malloc(14 + len);

	memset(f, 0xff, 6);
	if (!to_all)
		memcpy(f, own_mac, 6);
	memcpy(f + 6, peer_mac, 6);
	f[12] = len && l3[0] >> 4 == 6 ? 0x86 : 8;
	f[13] = len && l3[0] >> 4 == 6 ? 0xdd : len && l3[0] >> 4 == 4 ? 0 : 6;
	memcpy(f + 14, l3, len);
	net_lock_get();
	eth_input(&net_eth, f, 14 + len, false);
	net_lock_put();
	free(f);
}

void world_pass(u32 ms)
{
	sim_run_for((s64)ms * NSEC_PER_MSEC);
}

static void fix_transport(u8 *l4, u32 len, u8 proto, struct ip_addr src, struct ip_addr dst)
{
	u32 at = proto == 6 ? 16 : proto == 17 ? 6 : 2;
	bool pseudo = proto != 1;
	u16 v = 0;

	if ((proto != 6 && proto != 17 && proto != 1 && proto != 58) || len < at + 2)
		return;
	memcpy(l4 + at, &v, 2);
	v = (u16)~csum_fold(csum_add(l4, len, pseudo ? csum_pseudo(src, dst, proto, len) : 0));
	memcpy(l4 + at, &v, 2);
}

static void fix6(u8 *p, u32 len)
{
	struct ip_addr src = ip6_addr(p + 8), dst = ip6_addr(p + 24);
	u32 at = 40;
	u8 next = p[6];

	p[4] = (u8)((len - 40) >> 8);
	p[5] = (u8)(len - 40);
	while ((next == 0 || next == 60 || next == 43) && at + 8 <= len) {
		next = p[at];
		at += (p[at + 1] + 1u) * 8;
	}
	if (at < len)
		fix_transport(p + at, len - at, next, src, dst);
}

void world_fix_sums(u8 *p, u32 len)
{
	u32 ihl = len ? (p[0] & 15) * 4u : 0, src, dst;
	u16 v = 0;

	if (len >= 40 && p[0] >> 4 == 6)
		return fix6(p, len);
	if (len < 20 || p[0] >> 4 != 4 || ihl < 20 || ihl > len)
		return;
	p[2] = (u8)(len >> 8);
	p[3] = (u8)len;
	memcpy(p + 10, &v, 2);
	v = (u16)~csum_fold(csum_add(p, ihl, 0));
	memcpy(p + 10, &v, 2);
	memcpy(&src, p + 12, 4);
	memcpy(&dst, p + 16, 4);
	if (!(p[6] & 0x3f) && !p[7])
		fix_transport(p + ihl, len - ihl, p[9], ip4_addr(src), ip4_addr(dst));
}
