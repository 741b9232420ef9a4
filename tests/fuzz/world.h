/* SPDX-License-Identifier: MIT */
/*
 * What the packet targets share: the stack with an Ethernet that swallows what is sent, sockets of every kind that packets may reach, and
 * frames of exact size, so that the sanitizer sees each byte read beyond the end. 10.0.0.2/24 and 2001:db8::2/64; the peer has .1.
 */
#ifndef TESTS_FUZZ_WORLD_H
#define TESTS_FUZZ_WORLD_H

#include "net/stack.h"

int LLVMFuzzerTestOneInput(const u8 *data, size_t size);

void world_up(void);	/* a fresh stack */
void world_down(void);	/* reads and closes all; aborts if memory is still held or a bound was broken */
void world_frame(const u8 *frame, u32 len);
/* The same from an IP packet, or else the body of an ARP packet. */
void world_packet(const u8 *l3, u32 len, bool to_all);
void world_pass(u32 ms);
void world_read_some(void); /* what the sockets have got */
/* Makes lengths and checksums of an IP packet right, as far as its headers are there. */
void world_fix_sums(u8 *p, u32 len);

#endif
