/* SPDX-License-Identifier: MIT */
#ifndef NET_NIC_NIC_QUEUE_H
#define NET_NIC_NIC_QUEUE_H

#include "base/types.h"

/* Below nr. frame: an Ethernet frame of len bytes. No locks. */
u32 nic_queue_of(const u8 *frame, u32 len, u32 nr);

#endif
