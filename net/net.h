/* SPDX-License-Identifier: MIT */
/*
 * The TCP/IP stack's native API: sockets without descriptors. userlib/file/sock_inet.c gives them fds. IPv4 and IPv6 on a loopback
 * interface and one Ethernet interface. Addresses inside are struct ip_addr, which holds both families.
 *
 * Addresses are struct sockaddr_in/in6 images in kernel memory. All calls return >= 0 or -errno; those with `nonblock` may park
 * otherwise and then may return -ERESTARTSYS. -EPIPE is returned without a signal.
 */
#ifndef NET_NET_H
#define NET_NET_H

#include "net/ip_addr.h"
#include "userlib/rt/uaccess.h"
#include "userlib/rt/waitq.h"

struct jabi_queues;
struct sock;

struct net_addr { /* sockaddr_in or sockaddr_in6 */
	u8 bytes[28];
	u32 len;
};

int net_sock_create(int family, int type, int protocol, struct sock **out) must_check;
void net_sock_close(struct sock *s); /* the last descriptor: FIN or RST as SO_LINGER says; s is gone */
int net_sock_bind(struct sock *s, const struct net_addr *a) must_check;
int net_sock_connect(struct sock *s, const struct net_addr *a, bool nonblock) must_check;
int net_sock_listen(struct sock *s, int backlog) must_check;
int net_sock_accept(struct sock *s, bool nonblock, struct sock **out) must_check;
/* flags: MSG_*; `to` may be NULL. Bytes, possibly fewer if nonblock. */
ssize net_sock_send(struct sock *s, struct iov_iter *it, const struct net_addr *to, u32 flags, bool nonblock);
/* *from is filled for datagrams if not NULL. *out_flags gets MSG_TRUNC. MSG_PEEK, MSG_WAITALL, MSG_TRUNC, MSG_DONTWAIT are honoured. */
ssize net_sock_recv(struct sock *s, struct iov_iter *it, struct net_addr *from, u32 flags, bool nonblock, u32 *out_flags);
/* The same with control data (cmsg(3)): ctl holds whole messages; cm receives them, MSG_CTRUNC in *out_flags if it is too small. */
struct net_cmsgs {
	u8 *buf;
	u32 room, len;
	bool cut;
};
ssize net_sock_sendmsg(struct sock *s, struct iov_iter *it, const struct net_addr *to, u32 flags, bool nonblock, const void *ctl, u32 ctl_len);
ssize net_sock_recvmsg(struct sock *s, struct iov_iter *it, struct net_addr *from, u32 flags, bool nonblock, u32 *out_flags,
		       struct net_cmsgs *cm);
int net_sock_shutdown(struct sock *s, int how) must_check;
int net_sock_name(struct sock *s, bool peer, struct net_addr *out) must_check;
int net_sock_setopt(struct sock *s, int level, int name, const void *val, u32 len) must_check;
/* *len in: room, out: bytes of the value. */
int net_sock_getopt(struct sock *s, int level, int name, void *val, u32 *len) must_check;
u32 net_sock_poll(struct sock *s); /* EPOLL* bits now */
struct waitq *net_sock_waitq(struct sock *s);
int net_sock_bytes(struct sock *s, bool output); /* SIOCINQ, SIOCOUTQ */
bool net_sock_at_mark(struct sock *s); /* SIOCATMARK */
int net_sock_type(const struct sock *s);
int net_sock_family(const struct sock *s);
int net_sock_protocol(const struct sock *s);

/* Boot. */
void net_init(void);
struct net_config {
	int tap_fd; /* -1: loopback only */
	u8 mac[6];
	const struct jabi_queues *queues; /* jabi_queues.h: of a TAP with several, or AF_XDP; NULL: tap_fd alone */
	bool is_xdp;			  /* the queues are AF_XDP sockets */
	u32 mtu, vnet_hdr; /* bytes of virtio_net_hdr per frame */
	u32 offload;	   /* TUN_F_* */
	u32 ip, gateway;   /* network byte order, 0 = none */
	u32 prefix_len;
	struct ip_addr ip6, gateway6; /* IP6_ANY: autoconfiguration (RFC 4862) */
	u32 prefix_len6;
	int pcap_fd;	 /* frames are copied there; -1: no */
	bool is_stream;	 /* tap_fd is a stream socket with framed packets */
	bool is_quiet;	 /* nothing is announced: the other end starts with the first frame */
	int port_ctl_fd; /* -1: no port of the switch; else instead of tap_fd */
	int port_link_fd, port_bell_fd, port_kick_fd;
};
int net_configure(const struct net_config *c) must_check;

/* For /proc/net, ioctl and netlink: interfaces in order (index 1 = lo). -ENODEV past the end. */
struct net_ifinfo {
	char name[16];
	const char *nic; /* the back end */
	int index;
	u32 flags, mtu; /* IFF_* */
	u8 mac[6];
	u32 ip, prefix_len, gateway; /* IPv4, network byte order; all addresses: net_addrinfo */
	u64 rx_packets, rx_bytes, rx_dropped, tx_packets, tx_bytes, tx_dropped;
};
int net_ifinfo(int index, struct net_ifinfo *out) must_check;
/* For /proc/net/tcp and udp: the n-th socket; -ENOENT past the end. state: Linux's numbers. */
struct net_sockinfo {
	int protocol, family, state;
	struct ip_addr lip, rip;
	u16 lport, rport; /* host order */
	u32 rx_queue, tx_queue, uid;
	u64 inode;
	u32 rcvbuf, sndbuf, drops; /* drops: datagrams */
	u8 tos, shut;		   /* shut: 1 read, 2 write */
	bool v6only;
	const char *congestion; /* of TCP, or NULL */
};
int net_sockinfo(unsigned n, int protocol, struct net_sockinfo *out) must_check;
/*
 * Bytes that programs which are gone have left to us: not acknowledged by another host, or waiting for a neighbour's address (a FIN counts as
 * one). It becomes less as long as somebody answers.
 */
u64 net_unsent(void);
/* All sockets of the protocol, under net_lock: fn must not call the stack. ti: of TCP, else NULL. */
struct tcp_info;
void net_sock_each(int protocol, void (*fn)(const struct net_sockinfo *si, const struct tcp_info *ti, void *arg), void *arg);
/* What /proc shows of a socket's owner; set by the file layer after create and accept. */
void net_sock_set_owner(struct sock *s, u32 uid, u64 inode);

/* The n-th address, route and neighbour; -ENOENT past the end. prefix_len is the family's own: 0..32 for IPv4. */
struct net_addrinfo {
	struct ip_addr ip;
	u32 prefix_len;
	int ifindex;
	bool optimistic, autoconf;
	s64 valid_s, preferred_s; /* left; -1 for ever */
};
int net_addrinfo(unsigned n, struct net_addrinfo *out) must_check;
struct net_routeinfo {
	bool v6;
	struct ip_addr dst, gateway, prefsrc; /* any: none */
	u32 prefix_len;
	int ifindex;
};
int net_routeinfo(unsigned n, struct net_routeinfo *out) must_check;
struct net_neighinfo {
	struct ip_addr ip;
	u8 mac[6];
	u16 nud_state; /* NUD_* */
	bool is_router;
	int ifindex;
};
int net_neighinfo(unsigned n, struct net_neighinfo *out) must_check;
/* The route a packet to dst would take. */
int net_route_get(struct ip_addr dst, struct net_routeinfo *out) must_check;
/*
 * A capture of both interfaces into a ring that a reader outside maps (jabi_ctl.h); one at a time, a new one ends the old. -ENOMEM.
 * stop: no more frames; forget: the ring's memory is the kernel's again.
 */
struct jabi_capture;
int net_capture_start(struct jabi_capture *c, void **ring, u64 *bytes) must_check;
void net_capture_stop(bool forget);

/* Called, without locks, after addresses, routes or links have changed. */
#define NET_CHANGE_LINK	 1u
#define NET_CHANGE_ADDR	 2u
#define NET_CHANGE_ROUTE 4u
#define NET_CHANGE_NEIGH 8u
extern void (*net_change_hook)(u32 what);

/* Counters for /proc/net/snmp and netstat, under their names there; and drops by cause ("drop_csum"). */
#define NET_COUNTERS(X)                                                                                                        \
	X(IpInReceives) X(IpInDelivers) X(IpOutRequests) X(IpInHdrErrors) X(IpReasmOKs) X(IpReasmFails) X(IpFragCreates)       \
	X(Ip6InReceives) X(Ip6InHdrErrors) X(Ip6InDelivers) X(Ip6OutRequests) X(Ip6FragCreates) X(Icmp6InMsgs) X(Icmp6InErrors) \
	X(Icmp6OutMsgs) X(Icmp6InEchos) X(Icmp6OutEchoReplies) X(Icmp6OutDestUnreachs) X(UdpInErrors) X(UdpInCsumErrors) \
	X(UdpRcvbufErrors) X(Udp6InDatagrams) X(Udp6NoPorts) X(Udp6OutDatagrams) X(IcmpInMsgs) X(IcmpOutMsgs) X(IcmpInEchos) X(IcmpOutEchoReps) X(IcmpOutDestUnreachs)                                  \
	X(TcpActiveOpens) X(TcpPassiveOpens) X(TcpAttemptFails) X(TcpEstabResets) X(TcpInSegs) X(TcpOutSegs) X(TcpRetransSegs) \
	X(TcpInErrs) X(TcpOutRsts) X(UdpInDatagrams) X(UdpNoPorts) X(UdpOutDatagrams)                                          \
	X(TCPTimeouts) X(TCPLossProbes) X(TCPFastRetrans) X(TCPSackRecovery) X(TCPRenoRecovery) X(TCPOFOQueue)                 \
	X(TCPChallengeACK) X(TCPKeepAlive) X(DelayedACKs) X(TCPDelivered) X(TCPTimeWaits) X(TCPTimeWaitOverflow) X(TWRecycled)       \
	X(TCPSYNChallenge) X(PAWSEstab) X(TCPDSACKOldSent) X(TCPDSACKOfoSent) X(TCPDSACKRecv) X(TCPSACKDiscard) X(TCPSACKReorder) \
	X(TCPSACKReneging) X(TCPLostRetransmit) X(TCPLossProbeRecovery) X(TCPLossUndo) X(TCPFullUndo) X(TCPZeroWindowDrop)       \
	X(TCPWinProbe) X(TCPAbortOnTimeout) X(TCPAbortOnData) X(TCPAbortOnClose) X(TCPAbortOnLinger) X(TCPMTUPFail)             \
	X(SyncookiesSent) X(SyncookiesRecv) X(SyncookiesFailed) X(TCPReqQFullDoCookies) X(ListenOverflows) X(ListenDrops)       \
	X(Udp6InErrors) X(Udp6InCsumErrors) X(Udp6RcvbufErrors)                                                                \
	X(UdpLiteInDatagrams) X(UdpLiteNoPorts) X(UdpLiteInErrors) X(UdpLiteOutDatagrams) X(UdpLiteRcvbufErrors) X(UdpLiteInCsumErrors) \
	X(UdpLite6InDatagrams) X(UdpLite6NoPorts) X(UdpLite6InErrors) X(UdpLite6OutDatagrams) X(UdpLite6RcvbufErrors) X(UdpLite6InCsumErrors) \
	X(TcpInCsumErrors)                                                      \
	X(drop_runt) X(drop_not_ours) X(drop_csum) X(drop_bad_header) X(drop_fragment) X(drop_no_socket) X(drop_rcvbuf)        \
	X(drop_no_memory) X(drop_no_route) X(drop_no_neighbour) X(drop_link) X(drop_accept_queue)                     \
	X(drop_paws) X(drop_window) X(drop_ooo) X(drop_bad_ack) X(drop_bad_rst) X(drop_unexpected) X(drop_ack_limit) X(drop_icmp) X(drop_spoofed)
enum net_counter {
#define X(n) NET_##n,
	NET_COUNTERS(X)
#undef X
	NET_COUNTER_COUNT
};
u64 net_counter(enum net_counter n);
const char *net_counter_name(enum net_counter n);

#endif
