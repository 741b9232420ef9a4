/* SPDX-License-Identifier: MIT */
/*
 * Frames as pcapng (draft-ietf-opsawg-pcapng), with times in nanoseconds and the direction: those of the Ethernet interface to a host file
 * (--pcap), those of both interfaces to a ring that a reader outside maps (jctl pcap, jabi_ctl.h). Frames that leave have their checksum and
 * segmentation still to be done where the link does them, as captures on Linux do. Under net_lock. A file that cannot be written ends its
 * capture, not the traffic; so does a reader that no longer reads: its full ring counts drops, and after a while it is freed.
 */
#include "jabi/jabi_ctl.h"
#include "net/stack.h"
#include "userlib/base/log.h"
#include "userlib/base/mem.h"
#include "userlib/base/string.h"
#include "userlib/rt/clock.h"
#include "userlib/rt/host.h"

#define BUF_ORDER 5
#define RING_ORDER_MAX 10 /* 4 MiB; less where memory is short */
#define RING_ORDER_MIN 6
#define BLOCK_SECTION 0x0a0d0d0au
#define BLOCK_INTERFACE 1u
#define BLOCK_PACKET 6u
#define LINKTYPE_ETHERNET 1
#define LINKTYPE_RAW 101 /* IPv4 or IPv6 without a header before it */
#define OPT_IF_NAME 2
#define OPT_TSRESOL 9
#define OPT_PACKET_FLAGS 2

bool net_pcap_on;
static int file_fd = -1;
static struct jabi_capture *shared; /* of the ring; NULL: none */
static u8 *ring;
static u64 ring_bytes, ring_head; /* ours; the reader's copies are only told */
static unsigned ring_order;
static u8 *buf; /* the block under construction */
static u32 at;

static void put32(u32 v)
{
	memcpy(buf + at, &v, 4);
	at += 4;
}

static void put_bytes(const void *p, u32 len)
{
	u32 padded = (len + 3) & ~3u;

	if (padded)
		memset(buf + at + padded - 4, 0, 4);
	memcpy(buf + at, p, len);
	at += padded;
}

static void put_option(u16 code, const void *p, u16 len)
{
	put32(code | (u32)len << 16);
	put_bytes(p, len);
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
}

static void to_file(void)
{
	if (host_write(file_fd, buf, at) == (long)at)
		return;
	log_msg(LOG_WARN, "--pcap: the file cannot be written: the capture has ended");
	file_fd = -1;
	net_pcap_on = shared != NULL;
}

/* False: no room. The reader's tail is a guest's word: whatever it says, what is written stays inside the ring. */
static bool to_ring(void)
{
	u64 used = ring_head - READ_ONCE(shared->tail), pos = ring_head & (ring_bytes - 1), first = MIN((u64)at, ring_bytes - pos);

	if (used > ring_bytes || at > ring_bytes - used)
		return false;
	full_fence(); /* the reader has done with the room before it moved its tail */
	memcpy(ring + pos, buf, first);
	memcpy(ring, buf + first, at - first);
	ring_head += at;
	store_release(&shared->head, ring_head);
	if (READ_ONCE(shared->waiting) && used + at > ring_bytes / 2) {
		shared->waiting = 0;
		atomic_fetch_add(&shared->head_word, 1u);
		host_futex_wake(&shared->head_word, 1);
	}
	return true;
}

static bool need_buf(void)
{
	if (!buf)
		buf = page_alloc(BUF_ORDER);
	return buf != NULL;
}

static void section_block(void)
{
	block_begin(BLOCK_SECTION);
	put32(0x1a2b3c4d); /* byte order */
	put32(1);	   /* version 1.0 */
	put32(~0u);	   /* length of the section: not given */
	put32(~0u);
	block_end();
}

static void interface_block(u32 linktype, const char *name)
{
	u8 nanoseconds = 9;

	block_begin(BLOCK_INTERFACE);
	put32(linktype);
	put32(0); /* no limit on length */
	put_option(OPT_IF_NAME, name, (u16)strnlen(name, 15));
	put_option(OPT_TSRESOL, &nanoseconds, 1);
	put32(0); /* end of options */
	block_end();
}

static void packet_block(u32 interface, const u8 *frame, u32 len, bool out)
{
	u64 ns = (u64)clock_realtime_ns();
	u32 flags = out ? 2 : 1;

	block_begin(BLOCK_PACKET);
	put32(interface);
	put32((u32)(ns >> 32));
	put32((u32)ns);
	put32(len);
	put32(len);
	put_bytes(frame, len);
	put_option(OPT_PACKET_FLAGS, &flags, 4);
	put32(0);
	block_end();
}

void pcap_start(int fd)
{
	if (fd < 0 || !need_buf())
		return;
	file_fd = fd;
	net_pcap_on = true;
	section_block();
	to_file();
	if (file_fd < 0)
		return;
	interface_block(LINKTYPE_ETHERNET, net_eth.name);
	to_file();
}

/* [net_lock] */
static void ring_free(void)
{
	if (!shared)
		return;
	shared->running = 0;
	full_fence(); /* a reader looks there after it has copied */
	shared = NULL;
	page_free(ring, ring_order);
	ring = NULL;
	net_pcap_on = file_fd >= 0;
}

static void frame_to_ring(u32 interface, const u8 *frame, u32 len, bool out)
{
	s64 age;

	if (!READ_ONCE(shared->running))
		return;
	age = clock_monotonic_ns() - (s64)READ_ONCE(shared->beat);
	if (age > (s64)JABI_CAPTURE_STALE_NS || age < -(s64)JABI_CAPTURE_STALE_NS) {
		ring_free();
		return;
	}
	packet_block(interface, frame, len, out);
	if (to_ring())
		shared->frames++;
	else
		shared->dropped++;
}

void pcap_frame_slow(const u8 *frame, u32 len, bool out)
{
	if (len > NET_FRAME_MAX)
		return;
	if (file_fd >= 0) {
		packet_block(0, frame, len, out);
		to_file();
	}
	if (shared)
		frame_to_ring(0, frame, len, out);
}

void pcap_loop_slow(const u8 *packet, u32 len)
{
	if (shared && len <= NET_FRAME_MAX)
		frame_to_ring(1, packet, len, false);
}

int net_capture_start(struct jabi_capture *c, void **out, u64 *bytes)
{
	int r = -ENOMEM;

	net_lock_get();
	ring_free(); /* of a reader that has died: the lock of jabi_ctl.h says that there is no other */
	for (ring_order = RING_ORDER_MAX; !(ring = page_alloc(ring_order)) && ring_order > RING_ORDER_MIN;)
		ring_order--;
	if (ring && need_buf()) {
		ring_bytes = PAGE_SIZE << ring_order;
		ring_head = 0;
		*c = (struct jabi_capture){ .running = 1, .beat = (u64)clock_monotonic_ns() };
		shared = c;
		net_pcap_on = true;
		section_block();
		(void)to_ring();
		interface_block(LINKTYPE_ETHERNET, net_eth.index ? net_eth.name : "eth0");
		(void)to_ring();
		interface_block(LINKTYPE_RAW, net_lo.name);
		(void)to_ring();
		*out = ring;
		*bytes = ring_bytes;
		r = 0;
	} else if (ring) {
		page_free(ring, ring_order);
		ring = NULL;
	}
	net_lock_put();
	return r;
}

void net_capture_stop(bool forget)
{
	net_lock_get();
	if (shared)
		shared->running = 0;
	if (forget)
		ring_free();
	net_lock_put();
}
