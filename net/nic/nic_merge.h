/* SPDX-License-Identifier: MIT */
/*
 * Frames of one TCP stream that came one after another, made one large frame before the stack sees them: one pass and one acknowledgment for all.
 * For links that deliver single frames. Rules as in Linux's GRO: the headers are the same but for length, IPv4 identification, sequence number
 * and PSH, every part but the last is as long as the first, and each part's checksum was good.
 */
#ifndef NET_NIC_NIC_MERGE_H
#define NET_NIC_NIC_MERGE_H

#include "base/types.h"

struct nic_merge {
	u8 *buf;	/* NET_FRAME_MAX bytes: the large frame */
	const u8 *head; /* the first frame where it lies until a second one comes; NULL: nothing is held */
	u32 len;	/* of what is held */
	u32 l4, hdr, part, next_seq, parts;
	bool is_v6, ended;
};

/* f of len bytes may be the first of several: it is held, must stay where it is until something is added or the end. */
bool nic_merge_start(struct nic_merge *m, const u8 *f, u32 len, bool csum_ok);
/* f continues what is held, and was copied: its memory is free. */
bool nic_merge_add(struct nic_merge *m, const u8 *f, u32 len, bool csum_ok);
/* What is held, to be handed on with its checksum taken as good; NULL: nothing is. */
const u8 *nic_merge_end(struct nic_merge *m, u32 *len);

#endif
