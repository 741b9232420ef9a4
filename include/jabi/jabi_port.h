/* SPDX-License-Identifier: MIT */
/*
 * A port of the switch: the memory that an instance shares with junctiond, and the messages on its control socket.
 *
 * LINK. One memfd (sealed against shrinking and growing) of JABI_LINK_BYTES joins two sides and carries two lanes: lane 0 from side 0 to
 * side 1, lane 1 back. On a port's link side 0 is the instance and side 1 the switch; a direct link joins two instances. Layout:
 *
 *	0				struct jabi_link_head, with both lanes' control words
 *	JABI_LINK_DESC(lane)		struct jabi_desc[JABI_LANE_DESCS]
 *	JABI_LINK_DATA(lane)		JABI_LANE_DATA bytes: frames
 *
 * LANE. Single producer, single consumer, frames in order. The n-th frame (n counts from 0, modulo 2^32) has descriptor n %
 * JABI_LANE_DESCS. The producer puts the frame at any 64-byte aligned place of the data area that no unconsumed frame occupies, fills the
 * descriptor and last stores seq = n + 1 (release). The consumer polls seq of the descriptor it expects next (acquire), takes a copy of
 * descriptor and frame, and stores cons = n + 1 (release), which gives place and descriptor back. Nobody else's word says how full a
 * lane is: the producer keeps the places of its frames privately and believes of cons only a value between the last one and its own count.
 *
 * SLEEP. A consumer that stops polling stores armed = 1, fences, and looks at the lane once more. A producer that has stored seq fences and,
 * if it finds armed = 1, exchanges it for 0 and rings the consumer's bell once. So an idle lane costs nobody anything.
 *
 * BELLS. Of an instance: a pipe whose read end only the instance has (one byte or more: look at your lanes and at the control socket).
 * Of the switch: one eventfd per port.
 *
 * TRUST. The other side is hostile: every word is loaded once, checked, and the copy used. A descriptor out of bounds is skipped and
 * counted. The switch drops (and counts) frames whose source is not the port's own address; on a direct link the receiver does.
 *
 * CONTROL SOCKET. Unix SOCK_SEQPACKET; the peer's credentials at connect decide. The client sends one struct jabi_port_hello; the switch
 * answers ATTACHED with the descriptors link, bell (read end), switch's bell; or REFUSED. Afterwards only the switch speaks: PEER_ADD with
 * the descriptors link and peer's bell (write end), PEER_DEL. Closing the socket gives the port up; when the switch closes it, the link is
 * down for good. JABI_PORT_STATUS is answered by one STATUS_PORT each and STATUS_END.
 *
 * CORES. JABI_PORT_CORES asks for CPUs instead of a port. CORES_GIVEN carries an instance file of the kernel module (jabi_kmod.h) and the
 * write end of a pipe, O_NONBLOCK: a thread that has work writes {slot, 0}, two words, before it PARKs. Without descriptors the CPUs of
 * the mask are for the instance's affinity. REFUSED with ENODEV: the daemon has no CPUs to give.
 */
#ifndef JABI_JABI_PORT_H
#define JABI_JABI_PORT_H

#include <linux/types.h>

#define JABI_LANE_DESCS 512u
#define JABI_LANE_DATA	(1024u * 1024u)
#define JABI_FRAME_MAX	(65536u + 256u)
#define JABI_FRAME_MIN	14u

#define JABI_LINK_MAGIC	       0x6b6e696cu /* "link" */
#define JABI_LINK_DESC_BYTES   (JABI_LANE_DESCS * 32u)
#define JABI_LINK_DESC(lane)   (4096u + (lane) * JABI_LINK_DESC_BYTES)
#define JABI_LINK_DATA(lane)   (4096u + 2u * JABI_LINK_DESC_BYTES + (lane) * JABI_LANE_DATA)
#define JABI_LINK_BYTES	       JABI_LINK_DATA(2u)
#define JABI_LINKS_MAX	       33u /* of an instance: the switch's (0) and direct ones */

/* Frame needs its checksum filled in at csum_start + csum_offset (pseudo header already summed); or it has been verified. */
#define JABI_DESC_CSUM_PARTIAL 1
#define JABI_DESC_CSUM_GOOD    2
/* To be cut into segments of gso_size payload bytes, hdr_len bytes of headers each, where the next link cannot carry it whole. */
#define JABI_DESC_GSO_TCP4     4
#define JABI_DESC_GSO_TCP6     8

struct jabi_desc {
	__u32 seq;
	__u32 off; /* from the start of the lane's data area */
	__u32 len; /* an Ethernet frame without preamble and FCS */
	__u16 flags;
	__u16 csum_start, csum_offset;
	__u16 gso_size, hdr_len;
	__u16 cpu; /* the producer ran there: a hint whether to poll or to sleep */
	__u16 pad[4];
};

struct jabi_lane_ctl {
	__u32 armed; /* written by both */
	__u32 pad0[15];
	__u32 cons; /* written by the consumer */
	__u32 pad1[15];
};

struct jabi_link_head {
	__u32 magic;
	__u32 bytes; /* JABI_LINK_BYTES of the maker */
	__u32 pad[62];
	struct jabi_lane_ctl lane[2];
};

#define JABI_PORT_MAGIC	  0x74726f706a75ull /* "juport" */
#define JABI_PORT_VERSION 1

#define JABI_PORT_ATTACH 1
#define JABI_PORT_STATUS 2
#define JABI_PORT_CORES	 3

#define JABI_PORT_F_DIRECT 1 /* direct links to ports of the same owner are welcome */

struct jabi_port_hello {
	__u64 magic;
	__u32 version;
	__u32 op;
	__u32 flags;
	__u32 ip4; /* wish, network byte order; 0 = any */
	__u8 ip6[16]; /* wish; zeros = none but the link-local and EUI-64 ones */
	char name[40]; /* for people; ends with a zero */
};

#define JABI_PORT_ATTACHED    1
#define JABI_PORT_REFUSED     2
#define JABI_PORT_PEER_ADD    3
#define JABI_PORT_PEER_DEL    4
#define JABI_PORT_STATUS_PORT 5
#define JABI_PORT_STATUS_END  6
#define JABI_PORT_CORES_GIVEN 7

struct jabi_port_msg {
	__u32 type;
	__u32 error; /* REFUSED: errno */
	__u32 slot;  /* PEER_*: the receiver's link number, 1..JABI_LINKS_MAX-1; STATUS_PORT: port number */
	__u32 side;  /* PEER_ADD: which side of the link the receiver is */
	__u8 mac[6]; /* ATTACHED: own; PEER_ADD: the peer's */
	__u16 prefix_len;
	__u32 ip4, gw4; /* network byte order, 0 = none */
	__u8 ip6[16];
	__u32 mtu;
	__u32 uid; /* STATUS_PORT */
	__u64 rx_frames, rx_bytes;		   /* STATUS_PORT: from the port; CORES_GIVEN: rx_frames is the mask of CPUs 0..63 */
	__u64 tx_frames, tx_bytes;		   /* to the port */
	__u64 spoofed, malformed, full, unknown_dst; /* dropped: bad source, bad descriptor or header, no room at the port, nobody there */
	__u32 peers;				   /* direct links */
	__u32 kind;				   /* 0 instance, 1 TAP, 2 AF_XDP */
	char name[40];
};

_Static_assert(sizeof(struct jabi_desc) == 32, "layout");
_Static_assert(sizeof(struct jabi_lane_ctl) == 128, "layout");
_Static_assert(sizeof(struct jabi_link_head) == 512, "layout");
_Static_assert(JABI_LINK_BYTES % 4096 == 0, "pages");
_Static_assert(sizeof(struct jabi_port_hello) == 80, "layout");
_Static_assert(sizeof(struct jabi_port_msg) == 168, "layout");

#endif
