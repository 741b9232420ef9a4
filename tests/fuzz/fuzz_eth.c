/* SPDX-License-Identifier: MIT */
/*
 * libFuzzer target: frames of the Ethernet interface, down to ARP, ICMP, IGMP, UDP, raw and packet sockets, and neighbour discovery, MLD and
 * extension headers of IPv6. The input is a row of: u8 control, u16 length (high byte first), those bytes. Control: bit 0: a whole frame, else
 * an IP packet (or ARP body); bit 1: lengths and checksums are made right; bit 2: to everybody; bit 3: the sockets are read; bits 4-7:
 * the time that passes, 0 to 3.7 s.
 */
#include "tests/fuzz/world.h"
#include <string.h>

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	world_up();
	while (size >= 3) {
		u8 ctl = data[0], buf[2048];
		u32 len = (u32)(data[1] << 8 | data[2]);

		data += 3;
		size -= 3;
		if (len > size || len > sizeof(buf))
			len = (u32)MIN(size, sizeof(buf));
		memcpy(buf, data, len);
		data += len;
		size -= len;
		if (ctl & 1) {
			if (ctl & 2 && len > 14)
				world_fix_sums(buf + 14, len - 14);
			world_frame(buf, len);
		} else {
			if (ctl & 2)
				world_fix_sums(buf, len);
			world_packet(buf, len, ctl & 4);
		}
		if (ctl & 8)
			world_read_some();
		world_pass((u32)(ctl >> 4) * (ctl >> 4) * 16);
	}
	world_down();
	return 0;
}
