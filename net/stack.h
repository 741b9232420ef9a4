/* SPDX-License-Identifier: MIT */
/*
 * Inside net/: the stack's lock, interfaces, sockets as the protocols see them, and the functions protocols call on one another.
 * One lock covers all state (net_lock.h): packets are processed to completion under it, from whichever kThread polls; sends go out under it.
 * Data of established connections and of UDP flows under its shared half and their socket's own lock. Each section has its frame to build
 * packets in: nothing is allocated per packet but out-of-order and loopback data.
 */
#ifndef NET_STACK_H
#define NET_STACK_H

#include "base/list.h"
#include "net/ip.h"
#include "net/net.h"
#include "net/net_lock.h"
#include "userlib/rt/lock.h"
#include "userlib/rt/timer.h"
#include "userlib/rt/uthread.h"
#include <linux/eventpoll.h>

#define NET_FRAME_MAX (65536 + 256)
#define NET_HEADROOM 128 /* virtio + Ethernet + IP + TCP options */

/* In a section. Everything that net.h counts. */
#define NET_ADD(name, n) ((void)(net_ctx()->stats[NET_##name] += (n)))
#define NET_INC(name) NET_ADD(name, 1u)

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
	net_ctx()->stats[why]++;
}

/* An IPv6 address of an interface. */
struct ifaddr6 {
	struct ip_addr ip;
	u32 prefix_len;
	bool optimistic, autoconf; /* RFC 4429: duplicate detection not over; from a router's prefix */
	s64 dad_ns, valid_ns, preferred_ns;
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
	bool csum_offload, tso, tso6; /* transmit: the link fills checksums, cuts large segments */
	u64 rx_packets, rx_bytes, rx_dropped, tx_packets, tx_bytes, tx_dropped;
	const struct nic_ops *ops;
	void *nic;
	struct spinlock tx_lock;
};
/* One back end: a file in net/nic/. send: a whole frame (L2 if the link has it), offsets for partial checksum if csum_start. */
struct tx_meta {
	u16 csum_start, csum_offset; /* from the frame's start; 0 = complete */
	u16 gso_size, hdr_len;	     /* TCP payload per segment, headers in all; 0 = no GSO */
	bool gso_v6;
};
struct nic_ops {
	const char *name;
	bool ethernet;
	int (*send)(struct netif *n, u8 *frame, u32 len, const struct tx_meta *m); /* [net_lock, or the netif's tx_lock unless own_lock] */
	bool own_lock;
};
extern struct netif net_lo, net_eth;
extern u32 net_gateway;
extern struct ip_addr net_gateway6; /* configured by hand; IP6_ANY: none */
int nic_xdp_attach(struct netif *n, const struct net_config *c);
int nic_tap_attach(struct netif *n, const struct net_config *c);
/* pcap.c, [net_lock]: frames to the file of --pcap and the ring of jctl pcap. */
extern bool net_pcap_on;
void pcap_start(int fd);
void pcap_frame_slow(const u8 *frame, u32 len, bool out);
static inline void pcap_frame(const u8 *frame, u32 len, bool out)
{
	if (unlikely(net_pcap_on))
		pcap_frame_slow(frame, len, out);
}
void pcap_loop_slow(const u8 *packet, u32 len);
static inline void pcap_loop(const u8 *packet, u32 len) /* of the loopback interface */
{
	if (unlikely(net_pcap_on))
		pcap_loop_slow(packet, len);
}
void arp_announce(struct netif *n); /* neigh.c */
int nic_port_attach(struct netif *n, const struct net_config *c);
int nic_stream_attach(struct netif *n, const struct net_config *c);
/* stack.c, [net_lock]: the link of n is gone for good: no route leads there, its TCP connections end with ENETDOWN. */
void net_link_down(struct netif *n);
/* tcp_out.c, [net_lock]: a link that answered -EAGAIN has room again. */
bool tcp_link_room(void);

/* The outgoing frame under construction: payload is written at net_tx + NET_HEADROOM, headers are pushed before it. */
#define net_tx (net_ctx()->tx)
/* To the loopback; a transport checksum that m leaves to the link is not looked at on the way in. */
void net_loop_queue(const u8 *ip_packet, u32 len, const struct tx_meta *m);
/* A reader has a frame that changes the neighbour cache: it goes as soon as the section ends, from a writer. 0 or -ENOBUFS. */
int net_defer_send(struct netif *n, struct ip_addr hop, const u8 *ip_packet, u32 len, const struct tx_meta *m);
/* A copy of a packet to a group that we are in, as if it came in on n. */
void net_loop_queue_on(struct netif *n, const u8 *ip_packet, u32 len, const struct tx_meta *m);
/* Links: where a poller is while it hands in frames, one after the other. */
enum net_section { NET_OUTSIDE, NET_READING, NET_WRITING };
void net_section_enter(enum net_section *in); /* as a reader if it may; nothing if it is in one */
void net_section_leave(enum net_section *in);
/* A frame, as a reader if that will do. Afterwards the caller is where *in says. */
void net_frame_in(struct netif *n, const u8 *frame, u32 len, bool csum_ok, enum net_section *in);
void net_changed(u32 what); /* NET_CHANGE_*: told to the hook of net.h after the lock is released */

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
	struct ip_addr ip, dst;
	u16 port;
	u8 ttl, tos;
	int ifindex;
	u32 flow;     /* IPv6, network order */
	s64 stamp_ns; /* CLOCK_REALTIME */
	u16 ll_proto; /* AF_PACKET: as in struct sockaddr_ll */
	u8 ll_type, ll_addr[6];
	u32 full_len; /* before truncation by a filter */
	u32 drops;    /* of the socket, when this one came */
	u32 len;
	u8 data[];
};
struct sock_ee { /* struct sock_extended_err of linux/errqueue.h, which needs a libc */
	u32 err;
	u8 origin, type, code, pad;
	u32 info, data;
};
#define EE_LOCAL 1
#define EE_ICMP	 2
#define EE_ICMP6 3
#define EE_ZEROCOPY 5
/* An entry of the error queue (IP_RECVERR). */
struct sock_err {
	struct list link;
	struct sock_ee ee;
	struct ip_addr offender, remote;
	u16 rport;
	s64 stamp_ns;
	u32 len;
	u8 data[];
};
#define ERRQ_MAX 32u /* entries */
struct membership {
	struct ip_addr group;
	int ifindex;
};
#define MEMBERSHIPS 20u /* as net.ipv4.igmp_max_memberships */

/* What recvmsg reports besides the data (struct sock rx_opts). */
#define RX_PKTINFO	1u
#define RX_PKTINFO6	2u
#define RX_TTL		4u
#define RX_TOS		8u
#define RX_HOPS		0x10u
#define RX_TCLASS	0x20u
#define RX_STAMP	0x40u
#define RX_STAMPNS	0x80u
#define RX_ORIGDST	0x100u
#define RX_AUXDATA	0x200u
#define RX_FLOW		0x400u
#define RX_DROPS	0x800u

/* How one message is to be sent: the socket's settings, then control data. */
struct send_ctl {
	struct ip_addr dst, src; /* src any: the socket's */
	u16 port;
	int ifindex; /* 0: by route */
	u8 ttl, tos;
	bool ttl_set;
};

struct tcp_conn;
struct sock {
	struct list hash_link; /* [net_lock] protocol's table */
	struct list all_link;  /* [net_lock] */
	struct spinlock lock;  /* of readers among themselves: whatever is neither [I] nor a matter of tables */
	struct waitq wq;
	int family, type, protocol; /* [I] */
	struct ip_addr lip, rip;    /* IP4_ANY or IP6_ANY: none */
	u16 lport, rport;	    /* host order */
	bool bound, connected, user_gone, dead;
	bool reuseaddr, reuseport, broadcast, keepalive, v6only, nodelay, cork, oobinline, recv_err, recv_err6;
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
	u8 hops, tclass; /* IPv6's own ttl and tos */
	u8 pmtudisc, pmtudisc6; /* IP_PMTUDISC_* */
	int bound_if; /* SO_BINDTODEVICE; 0 none */
	u32 priority, mark, busy_poll;
	bool dontroute, freebind, zerocopy, no_check, bind_no_port;
	/* datagrams */
	u16 cov_send, cov_recv; /* UDP-Lite: checksum coverage; 0 everything */
	bool cov_send_set, cov_recv_set;
	struct list dgrams;
	u32 dgram_bytes, dgram_drops;
	u32 rx_opts;
	bool mc_loop, mc_all, mc_loop6, mc_all6;
	u8 mc_ttl, mc_hops;
	int mc_if, mc_if6;
	struct membership *member; /* MEMBERSHIPS of them, or NULL */
	u32 nr_member;
	struct list errq;
	u32 nr_err, zc_next; /* the number of the next MSG_ZEROCOPY send */
	struct net_filter *filter; /* SO_ATTACH_FILTER */
	/* raw and packet sockets */
	bool hdrincl;
	int csum_at; /* IPV6_CHECKSUM; -1 none */
	u32 icmp_filter[8];
	u16 ll_proto; /* host order */
	u32 ll_seen, ll_drops; /* PACKET_STATISTICS */
	/* TCP */
	struct tcp_conn *tcp;
};
extern struct list net_socks; /* [net_lock] all */
struct sock *sock_alloc(int family, int type, int protocol);
/* A datagram socket with ports: UDP or UDP-Lite (linux/in.h may not be included where this header is). */
static inline bool sock_is_udp(const struct sock *s)
{
	return s->type == 2 && (s->protocol == 17 || s->protocol == 136) && s->family != 17;
}
#define UDPLITE_SEND_CSCOV 10
#define UDPLITE_RECV_CSCOV 11
void sock_bury(struct sock *s); /* unlinks; freed a while later, when no timer callback can still look at it */
void sock_wake(struct sock *s, u32 events);
void sock_wake_all(struct sock *s, u32 events); /* also all of those of whom one would do: what happened is over for each */
void sock_from_addr(const struct net_addr *a, struct ip_addr *ip, u16 *port);
void sock_to_addr(int family, struct ip_addr ip, u16 port, struct net_addr *a);
int addr_check(const struct sock *s, const struct net_addr *a);
/* addr_check, then sock_from_addr, then sock_scope_check: where a program wants to bind, send or connect to. 0 or -errno. */
int sock_take_addr(const struct sock *s, const struct net_addr *a, struct ip_addr *ip, u16 *port);
/* Where that is reached: the unspecified address means ourselves; -ENETUNREACH from an address of the other family. */
int sock_reach(const struct sock *s, struct ip_addr *ip);
int sock_scope_check(const struct sock *s, const struct net_addr *a, struct ip_addr ip);
void sock_drop_dgrams(struct sock *s);
int sock_dgram_connect(struct sock *s, const struct net_addr *a); /* sock_dgram.c: datagram, raw and packet sockets */
bool sock_covers(const struct sock *s, struct ip_addr ip); /* is `ip` one of the addresses that s is bound to? */
bool sock_overlaps(const struct sock *s, struct ip_addr ip, const struct sock *o); /* s bound to ip and o: any address in common? */

/* udp.c; also UDP-Lite and ICMP echo ("ping") sockets */
void udp_input(const struct ip_rx *rx, u8 *seg, u32 len);
bool udp_input_shared(const struct ip_rx *rx, u8 *seg, u32 len); /* as eth_input_shared in ip.h */
void ping_input(const struct ip_rx *rx, const u8 *icmp, u32 len);
int udp_bind(struct sock *s, struct ip_addr ip, u16 port);
ssize udp_send(struct sock *s, struct iov_iter *it, const struct send_ctl *c);
void udp_icmp_error(const struct icmp_error *e);
/* What raw and UDP sending have in common: *t is how, *src the address that the route has; -EMSGSIZE, -ENETUNREACH, -EACCES. */
int dgram_send_prepare(const struct sock *s, const struct iov_iter *it, u32 max, const struct send_ctl *c, struct ip_tx *t, struct ip_addr *src);
void dgram_deliver(struct sock *s, const struct ip_rx *rx, u16 sport, const u8 *data, u32 len);
bool dgram_wants_group(const struct sock *s, const struct ip_rx *rx);
extern u32 net_raw_socks, net_packet_socks; /* how many there are: none costs nothing */
/* raw.c */
bool raw_input(const struct ip_rx *rx, const u8 *p, u32 len); /* true: some raw socket has the protocol */
void raw_icmp_error(const struct icmp_error *e);
ssize raw_send(struct sock *s, struct iov_iter *it, const struct send_ctl *c);
/* packet.c */
void packet_tap(struct netif *n, const u8 *frame, u32 len, bool out);
int packet_bind(struct sock *s, const struct net_addr *a);
ssize packet_send(struct sock *s, struct iov_iter *it, const struct net_addr *to);
void packet_name(const struct sock *s, struct net_addr *out);
void packet_from(const struct sock *s, const struct dgram *d, struct net_addr *from);
int packet_setopt(struct sock *s, int name, const void *val, u32 len);
int packet_getopt(struct sock *s, int name, void *val, u32 *len);
/* filter.c: classic BPF (SO_ATTACH_FILTER) */
int filter_attach(struct sock *s, const void *prog, u32 bytes);
int filter_detach(struct sock *s);
u32 filter_run(const struct net_filter *f, const u8 *p, u32 len, u32 whole, u16 ll_proto, u8 ll_type, int ifindex); /* bytes to keep */
/* sock_err.c: the error queue */
void sock_err_add(struct sock *s, const struct icmp_error *e, const u8 *data, u32 len);
void sock_err_local(struct sock *s, int err, u32 info, struct ip_addr to, u16 port);
void sock_err_zerocopy(struct sock *s); /* a MSG_ZEROCOPY send was done, by copying */
void sock_err_drop_all(struct sock *s);
ssize sock_err_recv(struct sock *s, struct iov_iter *it, struct net_addr *from, u32 *out_flags, struct net_cmsgs *cm);
/* sock_cmsg.c: control data */
void cmsg_put(struct net_cmsgs *cm, int level, int type, const void *data, u32 len);
void cmsg_of_dgram(struct sock *s, const struct dgram *d, struct net_cmsgs *cm);
int cmsg_parse(struct sock *s, const u8 *p, u32 len, struct send_ctl *c);
/* sock_group.c: memberships */
int group_setopt(struct sock *s, int level, int name, const void *val, u32 len);
void group_leave_all(struct sock *s);
struct netif *netif_by_index(int index);
/* sock_opt_ip.c */
int sock_set_ip(struct sock *s, int name, const void *val, u32 len);
int sock_set_ip6(struct sock *s, int name, const void *val, u32 len);
int sock_get_ip(struct sock *s, int name, int *v);
int sock_get_ip6(struct sock *s, int name, int *v);
int sock_icmp_filter(struct sock *s, int level, int name, void *val, u32 *len, bool set);

/* tcp/ */
void tcp_input(struct netif *n, struct ip_addr src, struct ip_addr dst, u8 *seg, u32 len, u8 tos, bool csum_ok);
void tcp_icmp_error(struct ip_addr lip, struct ip_addr rip, const u8 *l4, u32 len, int err, u32 mtu);
bool tcp_input_shared(struct ip_addr src, struct ip_addr dst, u8 *seg, u32 len, u8 tos, bool csum_ok);
u32 tcp_poll(struct sock *s);
bool net_dead_sweep(s64 now); /* true: some are still too fresh to free */

#endif
