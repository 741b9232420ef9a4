/* SPDX-License-Identifier: MIT */
/*
 * Inside net/: the stack's lock, interfaces, sockets as the protocols see them, and the functions protocols call on one another.
 * One spinlock (net_lock) covers all state in this first form: packets are processed to completion under it, from whichever kThread polls;
 * sends go out under it. Packet memory is two static frames (one in, one out): nothing is allocated per packet but out-of-order and loopback data.
 */
#ifndef NET_STACK_H
#define NET_STACK_H

#include "base/list.h"
#include "net/ip_addr.h"
#include "net/net.h"
#include "userlib/rt/lock.h"
#include "userlib/rt/timer.h"
#include "userlib/rt/uthread.h"
#include <linux/eventpoll.h>

#define NET_FRAME_MAX (65536 + 256)
#define NET_HEADROOM 128 /* virtio + Ethernet + IP + TCP options */

extern struct spinlock net_lock;
void net_lock_get(void);
void net_lock_put(void); /* delivers loopback packets first */

/* [net_lock] Everything that net.h counts. */
extern u64 net_stats[NET_COUNTER_COUNT];
#define NET_INC(name) ((void)net_stats[NET_##name]++)

/* Why a packet was dropped; counted. */
#define NET_DROPS(X) X(runt) X(not_ours) X(csum) X(bad_header) X(fragment) X(no_socket) X(rcvbuf) X(no_memory) X(no_route) X(no_neighbour) \
	X(link) X(accept_queue) X(paws) X(window) X(ooo) X(bad_ack) X(bad_rst) X(unexpected) X(ack_limit) X(icmp) X(spoofed)
enum net_drop {
#define X(n) NET_DROP_##n = NET_drop_##n,
	NET_DROPS(X)
#undef X
};
static inline void net_drop(enum net_drop why)
{
	net_stats[why]++;
}

/* An IPv6 address of an interface. */
struct ifaddr6 {
	struct ip_addr ip;
	u32 prefix_len;
};
#define IFADDR6_MAX 8
struct netif {
	char name[16];
	int index;
	u32 flags, mtu;
	u8 mac[6];
	u32 ip, prefix_len, mask; /* IPv4; network order, mask too */
	struct ifaddr6 addr6[IFADDR6_MAX];
	u32 nr_addr6;
	bool csum_offload, tso;	  /* transmit: the link fills checksums, cuts large segments */
	u64 rx_packets, rx_bytes, rx_dropped, tx_packets, tx_bytes, tx_dropped;
	const struct nic_ops *ops;
	void *nic;
};
/* One back end: a file in net/nic/. send: a whole frame (L2 if the link has it), offsets for partial checksum if csum_start. */
struct tx_meta {
	u16 csum_start, csum_offset; /* from the frame's start; 0 = complete */
	u16 gso_size, hdr_len;	     /* TCP payload per segment, headers in all; 0 = no GSO */
};
struct nic_ops {
	const char *name;
	bool ethernet;
	int (*send)(struct netif *n, u8 *frame, u32 len, const struct tx_meta *m);
};
extern struct netif net_lo, net_eth;
extern u32 net_gateway;
int nic_tap_attach(struct netif *n, const struct net_config *c);
int nic_port_attach(struct netif *n, const struct net_config *c);
/* stack.c, [net_lock]: the link of n is gone for good: no route leads there, its TCP connections end with ENETDOWN. */
void net_link_down(struct netif *n);
/* tcp_out.c, [net_lock]: a link that answered -EAGAIN has room again. */
bool tcp_link_room(void);

/* stack.c: the outgoing frame under construction: payload is written at net_tx + NET_HEADROOM, headers are pushed before it. */
extern u8 net_tx[NET_FRAME_MAX];
void net_loop_queue(const u8 *ip_packet, u32 len);

/* ip.c. csum_ok: the link vouches for the transport checksum. */
void eth_input(struct netif *n, const u8 *frame, u32 len, bool csum_ok);
void ip_input(struct netif *n, const u8 *pkt, u32 len, bool csum_ok);
/* ip_frag.c */
void ip_frag_input(struct netif *n, const u8 *p, u32 hlen, u32 len);
u32 ip_frag_next(u32 off, u32 len, u32 mtu, u16 *field);
/* ip6.c */
void ip6_input(struct netif *n, const u8 *pkt, u32 len, bool csum_ok);
struct netif *ip6_route(struct ip_addr dst, struct ip_addr *src);
bool ip6_is_local(struct ip_addr ip);
int ip6_output(struct ip_addr src, struct ip_addr dst, u8 proto, u8 hops, u8 tclass, u8 *payload, u32 len, u16 csum_at, u16 gso_size, u16 l4_hdr_len);

struct netif *ip_route(struct ip_addr dst, struct ip_addr *src); /* NULL: no route; *src: address to use */
u32 ip_mss(struct ip_addr dst);
bool ip_is_local(struct ip_addr ip);
bool ip_is_broadcast(struct ip_addr ip); /* IPv4: limited or of our subnet */
/* payload: transport header + data, at least NET_HEADROOM - 60 bytes of room before it in net_tx. csum_at: offset of the checksum field, 0xffff none. */
int ip_output(struct ip_addr src, struct ip_addr dst, u8 proto, u8 ttl, u8 tos, u8 *payload, u32 len, u16 csum_at, u16 gso_size, u16 l4_hdr_len);
u16 csum_fold(u64 sum);
u64 csum_add(const void *p, u32 len, u64 sum);
u64 csum_pseudo(struct ip_addr src, struct ip_addr dst, u8 proto, u32 len);
static inline u16 be16(u16 v)
{
	return __builtin_bswap16(v);
}
static inline u32 be32(u32 v)
{
	return __builtin_bswap32(v);
}

/* ---- sockets ---- */
struct dgram {
	struct list link;
	struct ip_addr ip;
	u16 port;
	u32 len;
	u8 data[];
};

struct tcp_conn;
struct sock {
	struct list hash_link; /* [net_lock] protocol's table */
	struct list all_link;  /* [net_lock] */
	struct waitq wq;
	int family, type, protocol; /* [I] */
	struct ip_addr lip, rip;    /* IP4_ANY or IP6_ANY: none */
	u16 lport, rport;	    /* host order */
	bool bound, connected, user_gone, dead;
	bool reuseaddr, reuseport, broadcast, keepalive, v6only, nodelay, cork, oobinline, recv_err, pktinfo, timestamp;
	u8 ttl, tos, shut; /* shut: 1 read, 2 write */
	int error;	   /* SO_ERROR, positive */
	bool linger_on;
	int linger_s;
	s64 rcvtimeo, sndtimeo; /* ns, 0 = none */
	u32 rcvbuf, sndbuf, rcvlowat;
	bool rcvbuf_set, sndbuf_set; /* by the user: not tuned */
	u32 uid;
	u64 inode;
	s64 dead_since;
	/* datagrams */
	struct list dgrams;
	u32 dgram_bytes;
	/* TCP */
	struct tcp_conn *tcp;
};
extern struct list net_socks; /* [net_lock] all */
struct sock *sock_alloc(int family, int type, int protocol);
void sock_bury(struct sock *s); /* unlinks; freed a while later, when no timer callback can still look at it */
void sock_wake(struct sock *s, u32 events);
void sock_from_addr(const struct net_addr *a, struct ip_addr *ip, u16 *port);
void sock_to_addr(int family, struct ip_addr ip, u16 port, struct net_addr *a);
int addr_check(const struct sock *s, const struct net_addr *a);
bool sock_covers(const struct sock *s, struct ip_addr ip); /* is `ip` one of the addresses that s is bound to? */
bool sock_overlaps(const struct sock *s, struct ip_addr ip, const struct sock *o); /* s bound to ip and o: any address in common? */

/* udp.c; also ICMP echo ("ping") sockets */
void udp_input(struct netif *n, struct ip_addr src, struct ip_addr dst, u8 *seg, u32 len, bool csum_ok);
void ping_input(struct ip_addr src, const u8 *icmp, u32 len);
int udp_bind(struct sock *s, struct ip_addr ip, u16 port);
ssize udp_send(struct sock *s, struct iov_iter *it, struct ip_addr ip, u16 port, u32 flags);
void udp_icmp_error(struct ip_addr dst, u16 lport, u16 rport, int err);

/* tcp/ */
void tcp_input(struct netif *n, struct ip_addr src, struct ip_addr dst, u8 *seg, u32 len, u8 tos, bool csum_ok);
void tcp_icmp_error(struct ip_addr lip, struct ip_addr rip, const u8 *l4, u32 len, int err, u32 mtu);
u32 tcp_poll(struct sock *s);
bool net_dead_sweep(s64 now); /* true: some are still too fresh to free */

#endif
