/* SPDX-License-Identifier: MIT */
/*
 * Inside net/: the internet layer. Interfaces' addresses, neighbours, routes, path MTUs, IPv4 and IPv6 in and out, ICMP, fragments,
 * multicast groups. Everything under net_lock. Files: csum.c, eth.c, neigh.c (ARP, RFC 4861 cache and NUD), ip.c, ip6.c (+ ip6_ext.c),
 * ip_frag.c, icmp.c, icmp6.c, nd.c (RFC 4861/4862), mcast.c (IGMPv2, MLD), pmtu.c.
 */
#ifndef NET_IP_H
#define NET_IP_H

#include "net/ip_addr.h"

struct netif;
struct tx_meta;

#define ETH_TYPE_IP 0x0800
#define ETH_TYPE_ARP 0x0806
#define ETH_TYPE_IP6 0x86dd
#define ETH_HLEN 14u

struct ip_hdr {
	u8 vihl, tos;
	u16 len, id, frag;
	u8 ttl, proto;
	u16 csum;
	u32 src, dst;
} attr_packed;
struct ip6_hdr {
	u32 vtf; /* version, traffic class, flow label */
	u16 len;
	u8 next, hops;
	struct ip_addr src, dst;
} attr_packed;
struct icmp_hdr {
	u8 type, code;
	u16 csum;
	u16 id, seq;
} attr_packed;

#define IP6_MTU_MIN 1280u
#define IP4_MTU_MIN 552u

/* ---- csum.c (RFC 1071) ---- */
u16 csum_fold(u64 sum);
u64 csum_add(const void *p, u32 len, u64 sum);
u64 csum_pseudo(struct ip_addr src, struct ip_addr dst, u8 proto, u32 len);

/* ---- eth.c ---- */
void eth_input(struct netif *n, const u8 *frame, u32 len, bool csum_ok);
/* As a reader: data for an established connection or a UDP socket. False: something else, untouched; eth_input takes it, as a writer. */
bool eth_input_shared(struct netif *n, const u8 *frame, u32 len, bool csum_ok);
int eth_out(struct netif *n, u8 *frame, u32 len, const struct tx_meta *m); /* to the link, one at a time if it needs that */
/* Pushes an Ethernet header (14 bytes of room, and the link's own before it) and sends. m's offsets count from `l3`. */
int eth_frame(struct netif *n, const u8 *dst, u16 type, u8 *l3, u32 len, const struct tx_meta *m);
/* To the IP next hop on an Ethernet: multicast and broadcast at once, others through neigh.c. */
int eth_send(struct netif *n, struct ip_addr hop, u8 *l3, u32 len, const struct tx_meta *m);

/* ---- neigh.c ---- */
void arp_input(struct netif *n, const u8 *p, u32 len);
int neigh_send(struct netif *n, struct ip_addr hop, u8 *l3, u32 len, const struct tx_meta *m);
/* What a received neighbour message says (RFC 4861 7.2.3-7.2.5). */
#define NEIGH_MAKE	1 /* enter it if unknown */
#define NEIGH_SOLICITED 2 /* an answer: reachable now */
#define NEIGH_OVERRIDE	4 /* may replace another address */
#define NEIGH_ROUTER	8
void neigh_learn(struct netif *n, struct ip_addr ip, const u8 *mac, u32 flags);
void neigh_flush(const struct netif *n); /* forget all of an interface */
u32 neigh_waiting(void); /* bytes of packets that wait for an answer */
bool neigh_is_usable(struct ip_addr ip); /* known, or not yet known to be dead */
void neigh_confirm(struct ip_addr ip);	 /* forward progress seen: reachable */

/* ---- ip.c: both families ---- */
struct ip_tx {
	struct ip_addr src, dst; /* src any: by route */
	u8 proto, ttl, tos;
	u8 pmtu;	    /* IP_PMTUDISC_*; 1 (WANT) for most */
	u16 csum_at;	    /* offset of the checksum field in the payload, 0xffff none */
	u16 csum_len;	    /* how much of the payload it covers; 0 all */
	u16 gso_size, l4_hdr_len;
	struct netif *via;  /* NULL: by route */
	bool loop;	    /* multicast: local members hear it too */
	bool no_route;	    /* SO_DONTROUTE: neighbours only */
	bool router_alert;
	u32 flow;	    /* IPv6 flow label, host order */
};
void ip_input(struct netif *n, const u8 *pkt, u32 len, bool csum_ok);
bool ip_input_shared(struct netif *n, const u8 *pkt, u32 len, bool csum_ok); /* as eth_input_shared */
/* NULL: no route; *src: the address to use (RFC 6724 for IPv6). */
struct netif *ip_route(struct ip_addr dst, struct ip_addr *src);
struct netif *ip_route_via(struct netif *via, struct ip_addr dst, struct ip_addr *src);
u32 ip_mtu(struct ip_addr dst); /* path MTU as known */
u32 ip_mss(struct ip_addr dst);
bool ip_is_local(struct ip_addr ip);
bool ip_is_broadcast(struct ip_addr ip); /* IPv4: limited or of our subnet */
/* payload: transport header + data in net_tx, NET_HEADROOM before it. Returns 0, -ENETUNREACH, -EMSGSIZE, -EHOSTUNREACH or the link's error. */
int ip_send(const struct ip_tx *t, u8 *payload, u32 len);
/* The same for TCP: path-MTU discovery on, never in fragments. */
int ip_output(struct ip_addr src, struct ip_addr dst, u8 proto, u8 ttl, u8 tos, u8 *payload, u32 len, u16 csum_at, u16 gso_size, u16 l4_hdr_len);
/* A whole IP packet (IP_HDRINCL) at p: routed by its destination. */
int ip_send_raw4(struct netif *via, u8 *p, u32 len);
/* For the families' files: fills the transport checksum, or leaves it to the link. hdr: length of the IP header. */
void ip_fill_csum(const struct netif *n, const struct ip_tx *t, struct ip_addr src, u8 *payload, u32 len, u32 hdr, bool cut, struct tx_meta *m);

/* What a transport sees of a received packet besides its addresses. */
struct ip_rx {
	struct netif *in;
	struct ip_addr src, dst;
	const u8 *hdr; /* the IP header */
	u32 hdr_len;   /* with extension headers */
	u8 proto, ttl, tos;
	bool csum_ok, multicast; /* multicast: or broadcast */
	u32 flow;	/* IPv6 flow information, network order */
};
/* Hands a checked payload to its protocol; false: no such protocol here. */
bool ip_deliver(const struct ip_rx *rx, u8 *payload, u32 len);
bool ip_deliver_shared(const struct ip_rx *rx, u8 *p, u32 len);

/* ---- ip6.c, ip6_ext.c ---- */
void ip6_input(struct netif *n, const u8 *pkt, u32 len, bool csum_ok);
bool ip6_input_shared(struct netif *n, const u8 *pkt, u32 len, bool csum_ok);
void ip6_whole(struct netif *n, u8 *pkt, u32 len, bool csum_ok, bool reassembled); /* from the first header on */
bool ip6_is_local(struct ip_addr ip);
struct netif *ip6_route(struct netif *via, struct ip_addr dst, struct ip_addr *src, struct ip_addr *hop);
int ip6_send(const struct ip_tx *t, u8 *payload, u32 len);
/*
 * Walks extension headers from *next at *off; stops at a transport, a fragment header or "no next header". 0; -EINVAL: drop (counted);
 * > 0: answer with parameter problem code - 1 pointing at *off.
 */
int ip6_skip_ext(const u8 *pkt, u32 len, u8 *next, u32 *off, bool multicast, bool first_walk);

/* ---- ip_frag.c ---- */
void ip_frag_input(struct netif *n, const u8 *p, u32 hlen, u32 len);
void ip6_frag_input(struct netif *n, const u8 *p, u32 off, u32 len);
u32 ip_frag_next(u32 off, u32 len, u32 max, u16 *field);

/* ---- icmp.c, icmp6.c ---- */
void icmp_input(const struct ip_rx *rx, const u8 *p, u32 len);
void icmp6_input(const struct ip_rx *rx, const u8 *p, u32 len);
/* An error about a received packet; rate-limited, never about errors or multicast. extra: MTU or pointer. */
void icmp_send_error(const struct ip_rx *rx, u8 type, u8 code, u32 extra);
bool icmp_may_send(void); /* the rate limit */
/* An error that came in, or was made here, about a packet of ours. */
struct icmp_error {
	struct ip_addr local, remote;
	u16 lport, rport;
	u8 proto, type, code, origin; /* SO_EE_ORIGIN_* */
	int err;
	bool hard;
	u32 info;		      /* MTU */
	struct ip_addr offender;
	const u8 *quoted; /* transport header and what follows of our packet */
	u32 quoted_len;
};
void icmp_error_deliver(struct icmp_error *e); /* reads the ports from quoted */
int icmp_error_of(bool v6, u8 type, u8 code, bool *hard);

/* ---- nd.c ---- */
void nd_start(struct netif *n, bool slaac);
void nd_input(const struct ip_rx *rx, const u8 *p, u32 len);
void nd_solicit(struct netif *n, struct ip_addr target, const u8 *to_mac);
bool nd_on_link(struct ip_addr ip);
bool nd_router(struct ip_addr *out); /* the default router to use now */
int nd_route(unsigned n, struct ip_addr *dst, u32 *prefix_len, struct ip_addr *gw);

/* ---- mcast.c ---- */
int mcast_join(struct netif *n, struct ip_addr group);
void mcast_leave(struct netif *n, struct ip_addr group);
bool mcast_is_member(const struct netif *n, struct ip_addr group);
void igmp_input(const struct ip_rx *rx, const u8 *p, u32 len);
void mld_input(const struct ip_rx *rx, const u8 *p, u32 len);
int mcast_nth(unsigned n, int *ifindex, struct ip_addr *group, u32 *users);

/* ---- pmtu.c ---- */
u32 pmtu_get(struct ip_addr dst); /* 0: nothing known */
void pmtu_set(struct ip_addr dst, u32 mtu);

#endif
