/* SPDX-License-Identifier: MIT */
/*
 * libFuzzer target: reassembly of both families. The input is a row of fragments: u8 kind (bit 0: IPv6; bit 1: more fragments; bit 2: an
 * extension or option header before; bit 3: UDP, else ICMP echo; bits 4-7: time), u8 number of the datagram, u16 offset in units of 8, u8
 * length in units of 8, u8 odd bytes. What is delivered must be what the first fragment to bring a byte brought (IPv4), or whole (IPv6).
 */
#include "tests/fuzz/world.h"
#include <string.h>

static u8 pattern(u32 id, u32 at)
{
	return (u8)(id * 31 + at * 7 + (at >> 8));
}

/* The datagram's payload from `off` on: an ICMP or UDP header first. */
static void fill(u8 *to, u32 id, bool udp, bool v6, u32 off, u32 len)
{
	u8 head[8] = { v6 ? 128 : 8 };

	if (udp)
		memcpy(head, (u8[]){ 0, 99, 0x13, v6 ? 0x89 : 0x88, 0, 0, 0, 0 }, 8);
	for (u32 i = 0; i < len; i++)
		to[i] = off + i < 8 ? head[off + i] : pattern(id, off + i);
}

static u32 make4(u8 *p, u8 kind, u8 id, u32 off, u32 len)
{
	u32 ihl = kind & 4 ? 24 : 20;

	memset(p, 0, ihl);
	p[0] = (u8)(0x40 | ihl / 4);
	p[5] = id;
	p[6] = (u8)((kind & 2 ? 0x20 : 0) | (off >> 11 & 0x1f));
	p[7] = (u8)(off >> 3);
	p[8] = 64;
	p[9] = kind & 8 ? 17 : 1;
	memcpy(p + 12, (u8[]){ 10, 0, 0, 1, 10, 0, 0, 2 }, 8);
	if (kind & 4)
		memset(p + 20, 1, 4); /* no-operation options */
	fill(p + ihl, id, kind & 8, false, off, len);
	return ihl + len;
}

static u32 make6(u8 *p, u8 kind, u8 id, u32 off, u32 len)
{
	u32 at = 40;

	memset(p, 0, 56);
	p[0] = 0x60;
	p[6] = kind & 4 ? 60 : 44;
	p[7] = 64;
	memcpy(p + 8, (u8[16]){ 0x20, 1, 0xd, 0xb8, [15] = 1 }, 16);
	memcpy(p + 24, (u8[16]){ 0x20, 1, 0xd, 0xb8, [15] = 2 }, 16);
	if (kind & 4) {
		memcpy(p + at, (u8[8]){ 44, 0, 1, 4 }, 8);
		at += 8;
	}
	memcpy(p + at, (u8[8]){ kind & 8 ? 17 : 58, 0, (u8)(off >> 8), (u8)((off & 0xf8) | (kind & 2 ? 1 : 0)), 0, 0, 0, id }, 8);
	at += 8;
	fill(p + at, id, kind & 8, true, off, len);
	p[4] = (u8)((at + len - 40) >> 8);
	p[5] = (u8)(at + len - 40);
	return at + len;
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	static u8 p[4096];

	world_up();
	for (; size >= 6; data += 6, size -= 6) {
		u8 kind = data[0];
		u32 off = (u32)(data[2] << 8 | data[3]) * 8, len = data[4] * 8u + data[5] % 8u, n;

		n = kind & 1 ? make6(p, kind, data[1], off & 0xfff8, len) : make4(p, kind, data[1], off & 0xfff8, len);
		if (!(kind & 1))
			world_fix_sums(p, n);
		world_packet(p, n, false);
		world_pass((u32)(kind >> 4) * (kind >> 4) * 100);
	}
	world_read_some();
	world_down();
	return 0;
}
