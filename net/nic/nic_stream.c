/* SPDX-License-Identifier: MIT */
/*
 * Frames over a stream socket, each behind its length (four bytes, network order): what qemu's socket back end and passt speak. No
 * offloads; a large MTU stands in for them. A frame that the socket took in part is finished before the next one. A stream that
 * breaks the framing or ends is a link that is down for good.
 */
#include "net/stack.h"
#include "userlib/base/log.h"
#include "userlib/base/mem.h"
#include "userlib/base/string.h"
#include "userlib/rt/host.h"
#include <linux/poll.h>

#define RX_ORDER 6
#define RX_BYTES (PAGE_SIZE << RX_ORDER)
#define TX_ORDER 5
#define HEAD	 4

static struct {
	int fd;
	bool down;
	bool blocked; /* [net_lock] somebody found `rest` unfinished */
	u8 *rx;
	u32 rx_len; /* bytes in rx: at most one unfinished frame between polls */
	u8 *rest;   /* [net_lock] of a frame that went out in part */
	u32 rest_at, rest_len;
	struct poll_source source;
} stream;

static void stream_down(struct netif *n, const char *why)
{
	if (stream.down)
		return;
	stream.down = true;
	stream.source.host_fd = -1;
	log_msg(LOG_WARN, "%s: %s is down", why, n->name);
	net_link_down(n);
}

/* [net_lock] True: nothing is left over. */
static bool flush_rest(void)
{
	while (stream.rest_len) {
		long r = host_write(stream.fd, stream.rest + stream.rest_at, stream.rest_len);

		if (r <= 0)
			return false;
		stream.rest_at += (u32)r;
		stream.rest_len -= (u32)r;
	}
	stream.source.also = 0;
	return true;
}

static int send_frame(u8 *frame, u32 len)
{
	u32 head = be32(len), whole = len + HEAD;
	long r;

	if (stream.down)
		return -ENETDOWN;
	if (!flush_rest())
		return -EAGAIN;
	memcpy(frame - HEAD, &head, HEAD);
	r = host_write(stream.fd, frame - HEAD, whole);
	if (r < 0)
		return (int)r;
	if ((u32)r < whole) {
		memcpy(stream.rest, frame - HEAD + r, whole - (u32)r);
		stream.rest_at = 0;
		stream.rest_len = whole - (u32)r;
		stream.source.also = POLLOUT;
	}
	return 0;
}

static int stream_send(struct netif *n, u8 *frame, u32 len, const struct tx_meta *m)
{
	int r = send_frame(frame, len);

	(void)m;
	if (r) {
		if (r == -EAGAIN) {
			stream.blocked = true;
			stream.source.also = POLLOUT;
		}
		n->tx_dropped++;
		net_drop(NET_DROP_link);
		return r;
	}
	n->tx_packets++;
	n->tx_bytes += len;
	return 0;
}

static const struct nic_ops stream_ops = { .name = "stream", .ethernet = true, .send = stream_send };

/* Whole frames in; what is left moves to the front. False: that is no stream of frames. */
static bool frames_in(struct netif *n)
{
	enum net_section in = NET_OUTSIDE;
	u32 at = 0, len = 0;

	while (stream.rx_len - at >= HEAD) {
		memcpy(&len, stream.rx + at, HEAD);
		len = be32(len);
		if (len > NET_FRAME_MAX)
			break;
		if (stream.rx_len - at - HEAD < len)
			break;
		n->rx_packets++;
		n->rx_bytes += len;
		net_frame_in(n, stream.rx + at + HEAD, len, false, &in);
		at += HEAD + len;
	}
	net_section_leave(&in);
	memmove(stream.rx, stream.rx + at, stream.rx_len - at);
	stream.rx_len -= at;
	return len <= NET_FRAME_MAX;
}

static bool stream_poll(void *arg)
{
	struct netif *n = arg;
	bool did = false;
	long r;

	if (stream.down)
		return false;
	if (unlikely(READ_ONCE(stream.source.also))) {
		net_lock_get();
		if (flush_rest() && stream.blocked) {
			stream.blocked = false;
			did = tcp_link_room();
		}
		net_lock_put();
	}
	r = host_read(stream.fd, stream.rx + stream.rx_len, RX_BYTES - stream.rx_len);
	if (r == -EAGAIN || r == -EINTR)
		return did;
	if (r > 0) {
		stream.rx_len += (u32)r;
		if (frames_in(n))
			return true;
	}
	net_lock_get();
	stream_down(n, r > 0 ? "a frame longer than any" : "the other end of the link has closed it");
	net_lock_put();
	return true;
}

int nic_stream_attach(struct netif *n, const struct net_config *c)
{
	stream.fd = c->tap_fd;
	stream.rx = page_alloc(RX_ORDER);
	stream.rest = page_alloc(TX_ORDER);
	if (!stream.rx || !stream.rest)
		return -ENOMEM;
	n->ops = &stream_ops;
	stream.source = (struct poll_source){ .poll = stream_poll, .arg = n, .host_fd = c->tap_fd };
	poll_source_register(&stream.source);
	return 0;
}
