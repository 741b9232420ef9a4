/* SPDX-License-Identifier: MIT */
/*
 * TAP back end: plain read and write on host descriptors the launcher made, with virtio_net_hdr for checksum and segmentation offload. With
 * several descriptors (IFF_MULTI_QUEUE) a flow is written to one of them by its hash, and the host, which notes where a flow came from,
 * answers on the same. Each queue has one poller at a time.
 */
#include "net/nic/nic_queue.h"
#include "net/stack.h"
#include "jabi/jabi_queues.h"
#include "userlib/base/mem.h"
#include "userlib/base/string.h"
#include "userlib/rt/host.h"
#include <linux/if_tun.h>
#include <linux/virtio_net.h>

#define RX_BATCH 64
#define RX_ORDER 5 /* NET_FRAME_MAX and a header */

struct tapq {
	int fd;
	u8 *rx; /* touched by one poller at a time */
	struct poll_source source;
};

static struct {
	struct netif *nif;
	u32 hdr; /* bytes of virtio_net_hdr */
	u32 nr;
	u8 rx[NET_FRAME_MAX]; /* of queue 0 */
	struct tapq q[JABI_QUEUES_MAX];
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
	r = host_write(tap.q[nic_queue_of(frame, len, tap.nr)].fd, start, len + tap.hdr);
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
	struct tapq *q = arg;
	enum net_section in = NET_OUTSIDE;
	struct netif *n = tap.nif;
	bool did = false;

	for (int i = 0; i < RX_BATCH; i++) {
		long r = host_read(q->fd, q->rx, NET_FRAME_MAX);
		struct virtio_net_hdr h = { 0 };

		if (r <= (long)tap.hdr)
			break;
		if (tap.hdr)
			memcpy(&h, q->rx, sizeof(h));
		did = true;
		atomic_add_relaxed(&n->rx_packets, 1ull); /* queues have pollers of their own */
		atomic_add_relaxed(&n->rx_bytes, (u64)r - tap.hdr);
		net_frame_in(n, q->rx + tap.hdr, (u32)r - tap.hdr, h.flags & (VIRTIO_NET_HDR_F_NEEDS_CSUM | VIRTIO_NET_HDR_F_DATA_VALID), &in);
	}
	net_section_leave(&in);
	return did;
}

static int queue_start(u32 i, int fd)
{
	struct tapq *q = &tap.q[i];

	_Static_assert(NET_FRAME_MAX <= PAGE_SIZE << RX_ORDER, "fits");
	q->rx = i ? page_alloc(RX_ORDER) : tap.rx;
	if (!q->rx)
		return -ENOMEM;
	q->fd = fd;
	q->source = (struct poll_source){ .poll = tap_poll, .arg = q, .host_fd = fd };
	poll_source_register(&q->source);
	tap.nr = i + 1;
	return 0;
}

int nic_tap_attach(struct netif *n, const struct net_config *c)
{
	const struct jabi_queues *j = c->queues;
	int r = 0;

	tap.nif = n;
	tap.hdr = c->vnet_hdr;
	if ((tap.hdr && tap.hdr < sizeof(struct virtio_net_hdr)) || (j && (!j->nr || j->nr > JABI_QUEUES_MAX)))
		return -EINVAL;
	n->ops = &tap_ops;
	n->csum_offload = c->offload & TUN_F_CSUM;
	n->tso = c->offload & TUN_F_TSO4;
	n->tso6 = c->offload & TUN_F_TSO6;
	for (u32 i = 0; !r && i < (j ? j->nr : 1); i++)
		r = queue_start(i, j ? j->fd[i] : c->tap_fd);
	return r;
}
