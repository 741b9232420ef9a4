/* SPDX-License-Identifier: MIT */
/*
 * The queues of an interface that has more than one descriptor: AF_XDP sockets (JABI_NET_XDP), or a TAP with IFF_MULTI_QUEUE. Lies in the
 * boot pages at jabi_boot.queues_off; 0 there: jabi_net.tap_fd is the only queue.
 *
 * AF_XDP: one memory (umem_fd) of nr * (rx_frames + tx_frames) chunks, registered queue by queue with the host kernel, which alone
 * shares it with the instance. In a queue's part, the first rx_frames chunks are for receiving. All four rings of a queue have
 * rx_frames (fill, rx) or tx_frames (completion, tx) entries, powers of two, and are mapped from the queue's socket.
 */
#ifndef JABI_JABI_QUEUES_H
#define JABI_JABI_QUEUES_H

#include <linux/types.h>

#define JABI_QUEUES_MAX 8

#define JABI_XDP_TRUST_CSUM 1 /* the other end is this host's kernel: a checksum it left partial is as good as a full one */
#define JABI_XDP_ZEROCOPY   2
#define JABI_XDP_NATIVE	    4
#define JABI_XDP_SG	    8 /* frames may take several chunks, in both directions */

struct jabi_xsk_offsets { /* of the words of one ring in its mapping */
	__u64 producer, consumer, desc, flags;
};
struct jabi_queues {
	__u32 nr;
	__u32 flags; /* JABI_XDP_* */
	__s32 fd[JABI_QUEUES_MAX];
	__s32 umem_fd;
	__u32 chunk; /* 2048 or 4096 */
	__u32 rx_frames, tx_frames;
	struct jabi_xsk_offsets rx, tx, fill, completion;
};

_Static_assert(sizeof(struct jabi_queues) == 184, "layout");

#endif
