/* SPDX-License-Identifier: MIT */
/*
 * How a command looks into a running instance (`jctl net`, `jctl pcap`): one struct jabi_ctl in the arena, at jabi_boot.ctl_off. The command
 * gets the arena's memfd and the instance's wake-up from the launcher's socket (one struct jabi_ctl_hello with two descriptors to whoever
 * has the launcher's user id, or is root), writes `op`, adds one to `request` and wakes the instance; a kThread that polls answers in memory
 * of the arena that it names, adds one to `answered` and wakes a futex wait there. One command at a time: a record lock (fcntl(2))
 * on byte JABI_CTL_LOCK_REQUEST of the memfd while it asks, on byte JABI_CTL_LOCK_CAPTURE as long as it captures.
 *
 * The command trusts nothing it reads here: offsets and lengths are checked against the memfd's size, what it prints is made printable.
 */
#ifndef JABI_JABI_CTL_H
#define JABI_JABI_CTL_H

#include <linux/types.h>

#define JABI_CTL_MAGIC	 0x6c7463756aull /* "juctl" */
#define JABI_CTL_VERSION 1
#define JABI_CTL_LOCK_REQUEST 0
#define JABI_CTL_LOCK_CAPTURE 1

#define JABI_CTL_NET	       1 /* answer: records, in memory that is the instance's again at JABI_CTL_DONE */
#define JABI_CTL_DONE	       2
#define JABI_CTL_CAPTURE       3 /* frames into a ring; answer: the ring */
#define JABI_CTL_CAPTURE_STOP  4 /* no more frames; what is in the ring stays */
#define JABI_CTL_CAPTURE_FREE  5

/* A capture: pcapng in a ring of `bytes` bytes; positions only grow. Whole blocks: at `head` one has ended. */
struct jabi_capture {
	__u64 head;	/* written by the instance */
	__u64 tail;	/* by the reader */
	__u64 frames, dropped; /* by the instance: in the ring; no room */
	__u64 beat;	/* by the reader, at least every JABI_CAPTURE_BEAT_NS: CLOCK_MONOTONIC; an old one ends the capture */
	__u32 waiting;	/* by the reader: it sleeps on head_word until the ring is half full */
	__u32 head_word; /* futex */
	__u32 running;	/* by the instance */
	__u32 pad;
};
#define JABI_CAPTURE_BEAT_NS  500000000ull
#define JABI_CAPTURE_STALE_NS 10000000000ull

struct jabi_ctl {
	__u64 magic; /* the launcher */
	__u32 version, size;
	__u32 op, request;
	__u32 answered; /* futex */
	__s32 error;	/* of the answer: 0 or -errno */
	__u64 off, bytes; /* of the answer, from the start of the arena */
	__u32 cut; /* it did not fit */
	__u32 pad;
	struct jabi_capture capture;
};

struct jabi_ctl_hello {
	__u64 magic;
	__u32 version, launcher_pid;
	__u64 arena_bytes;
};

/* The records of JABI_CTL_NET; len counts all of one and is a multiple of 8. */
#define JABI_CTL_IF	 1
#define JABI_CTL_ADDR	 2
#define JABI_CTL_ROUTE	 3
#define JABI_CTL_SOCK	 4
#define JABI_CTL_OWNER	 5 /* of the socket with that inode */
#define JABI_CTL_COUNTER 6
struct jabi_ctl_rec {
	__u32 type, len;
};
struct jabi_ctl_if {
	struct jabi_ctl_rec r;
	char name[16];
	char nic[16]; /* the back end */
	__u32 index, flags, mtu;
	__u8 mac[6], pad[2];
	__u64 rx_packets, rx_bytes, rx_dropped, tx_packets, tx_bytes, tx_dropped;
};
struct jabi_ctl_addr { /* and route */
	struct jabi_ctl_rec r;
	__u8 ip[16], gateway[16]; /* IPv4 as ::ffff:a.b.c.d; the gateway zeros: none */
	__u32 prefix_len, index;  /* prefix_len: of the family */
};
#define JABI_CTL_INFO_BYTES 256
struct jabi_ctl_sock {
	struct jabi_ctl_rec r;
	__u8 lip[16], rip[16];
	__u16 family, protocol, lport, rport; /* ports in host order */
	__u32 state, rx_queue, tx_queue, uid; /* Linux's numbers of states */
	__u64 inode;
	__u32 drops;	/* datagrams that did not fit */
	__u32 info_len; /* struct tcp_info in info; 0: none */
	char congestion[16];
	__u8 info[JABI_CTL_INFO_BYTES];
};
struct jabi_ctl_owner {
	struct jabi_ctl_rec r;
	__u64 inode;
	__s32 pid, fd;
	char comm[16];
};
struct jabi_ctl_counter {
	struct jabi_ctl_rec r;
	char name[32];
	__u64 value;
};

_Static_assert(sizeof(struct jabi_capture) == 56, "layout");
_Static_assert(sizeof(struct jabi_ctl) == 112, "layout");
_Static_assert(sizeof(struct jabi_ctl_hello) == 24, "layout");
_Static_assert(sizeof(struct jabi_ctl_if) == 108 + 4, "layout");
_Static_assert(sizeof(struct jabi_ctl_addr) == 48, "layout");
_Static_assert(sizeof(struct jabi_ctl_sock) == 8 + 32 + 8 + 16 + 8 + 8 + 16 + 256, "layout");
_Static_assert(sizeof(struct jabi_ctl_owner) == 40, "layout");
_Static_assert(sizeof(struct jabi_ctl_counter) == 48, "layout");

#endif
