/* SPDX-License-Identifier: MIT */
/*
 * --pcap: the frames of the Ethernet interface, both ways, to a host file in pcapng (draft-ietf-opsawg-pcapng), with times in nanoseconds and
 * the direction. Frames that leave have their checksum and segmentation still to be done where the link does them, as captures on Linux do.
 * Under net_lock. A file that cannot be written ends the capture, not the traffic.
 */
#include "net/stack.h"
#include "userlib/base/log.h"
#include "userlib/base/mem.h"
#include "userlib/base/string.h"
#include "userlib/rt/clock.h"
#include "userlib/rt/host.h"

#define BUF_ORDER 5
#define BLOCK_SECTION 0x0a0d0d0au
#define BLOCK_INTERFACE 1u
#define BLOCK_PACKET 6u
#define OPT_TSRESOL 9
#define OPT_PACKET_FLAGS 2

int net_pcap_fd = -1;
static u8 *buf;
static u32 at;

static void put32(u32 v)
{
	memcpy(buf + at, &v, 4);
	at += 4;
}

static void put_option(u16 code, u16 len, u32 value)
{
	put32(code | (u32)len << 16);
	put32(value);
}

static void block_begin(u32 type)
{
	at = 0;
	put32(type);
	put32(0); /* the length, when it is known */
}

static void block_end(void)
{
	u32 len = at + 4;

	put32(len);
	memcpy(buf + 4, &len, 4);
	if (host_write(net_pcap_fd, buf, len) != (long)len) {
		log_msg(LOG_WARN, "--pcap: the file cannot be written: the capture has ended");
		net_pcap_fd = -1;
	}
}

void pcap_start(int fd)
{
	buf = fd >= 0 ? page_alloc(BUF_ORDER) : NULL;
	if (!buf)
		return;
	net_pcap_fd = fd;
	block_begin(BLOCK_SECTION);
	put32(0x1a2b3c4d); /* byte order */
	put32(1);	   /* version 1.0 */
	put32(~0u);	   /* length of the section: not given */
	put32(~0u);
	block_end();
	if (net_pcap_fd < 0)
		return;
	block_begin(BLOCK_INTERFACE);
	put32(1); /* LINKTYPE_ETHERNET */
	put32(0); /* no limit on length */
	put_option(OPT_TSRESOL, 1, 9);
	put32(0); /* end of options */
	block_end();
}

void pcap_frame_slow(const u8 *frame, u32 len, bool out)
{
	u64 ns = (u64)clock_realtime_ns();
	u32 padded = (len + 3) & ~3u;

	if (len > NET_FRAME_MAX)
		return;
	block_begin(BLOCK_PACKET);
	put32(0); /* the interface */
	put32((u32)(ns >> 32));
	put32((u32)ns);
	put32(len);
	put32(len);
	memset(buf + at + padded - (padded ? 4 : 0), 0, padded ? 4 : 0);
	memcpy(buf + at, frame, len);
	at += padded;
	put_option(OPT_PACKET_FLAGS, 4, out ? 2 : 1);
	put32(0);
	block_end();
}
