/* SPDX-License-Identifier: MIT */
/* TAP back end: plain read and write on a host descriptor the launcher made, with virtio_net_hdr for checksum and segmentation offload. */
#include "net/stack.h"
#include "userlib/base/string.h"
#include "userlib/rt/host.h"
#include <linux/if_tun.h>
#include <linux/virtio_net.h>

#define RX_BATCH 64

static struct {
	int fd;
	u32 hdr; /* bytes of virtio_net_hdr */
	struct poll_source source;
	u8 rx[NET_FRAME_MAX]; /* touched by one poller at a time */
} tap;

static int tap_send(struct netif *n, u8 *frame, u32 len, const struct tx_meta *m)
{
	u8 *start = frame - tap.hdr;
	long r;

	if (tap.hdr) {
		struct virtio_net_hdr h = { 0 };

		if (m->csum_start) {
			h.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM;
			h.csum_start = m->csum_start;
			h.csum_offset = m->csum_offset;
		}
		if (m->gso_size) {
			h.gso_type = m->gso_v6 ? VIRTIO_NET_HDR_GSO_TCPV6 : VIRTIO_NET_HDR_GSO_TCPV4;
			h.gso_size = m->gso_size;
			h.hdr_len = m->hdr_len;
		}
		memset(start, 0, tap.hdr);
		memcpy(start, &h, sizeof(h));
	}
	r = host_write(tap.fd, start, len + tap.hdr);
	if (r < 0) {
		n->tx_dropped++;
		net_drop(NET_DROP_link);
		return (int)r;
	}
	n->tx_packets++;
	n->tx_bytes += len;
	return 0;
}

static const struct nic_ops tap_ops = { .name = "tap", .ethernet = true, .send = tap_send };

static bool tap_poll(void *arg)
{
	struct netif *n = arg;
	bool did = false;

	for (int i = 0; i < RX_BATCH; i++) {
		long r = host_read(tap.fd, tap.rx, sizeof(tap.rx));
		struct virtio_net_hdr h = { 0 };

		if (r <= (long)tap.hdr)
			break;
		if (tap.hdr)
			memcpy(&h, tap.rx, sizeof(h));
		if (!did)
			net_lock_get();
		did = true;
		n->rx_packets++;
		n->rx_bytes += (u64)r - tap.hdr;
		eth_input(n, tap.rx + tap.hdr, (u32)r - tap.hdr,
			  h.flags & (VIRTIO_NET_HDR_F_NEEDS_CSUM | VIRTIO_NET_HDR_F_DATA_VALID));
	}
	if (did)
		net_lock_put();
	return did;
}

int nic_tap_attach(struct netif *n, const struct net_config *c)
{
	tap.fd = c->tap_fd;
	tap.hdr = c->vnet_hdr;
	if (tap.hdr && tap.hdr < sizeof(struct virtio_net_hdr))
		return -EINVAL;
	n->ops = &tap_ops;
	n->csum_offload = c->offload & TUN_F_CSUM;
	n->tso = c->offload & TUN_F_TSO4;
	n->tso6 = c->offload & TUN_F_TSO6;
	tap.source = (struct poll_source){ .poll = tap_poll, .arg = n, .host_fd = c->tap_fd };
	poll_source_register(&tap.source);
	return 0;
}
