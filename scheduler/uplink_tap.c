/* SPDX-License-Identifier: MIT */
/*
 * An uplink over TAP: the host's own stack (or a bridge it belongs to) is the other side. Frames carry virtio_net_hdr, so checksums stay
 * partial and segments large both ways.
 */
#include "scheduler/switch.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <linux/virtio_net.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

struct tap {
	u8 frame[JABI_FRAME_MAX];
};

static void from_virtio(const struct virtio_net_hdr *v, struct jabi_desc *d)
{
	memset(d, 0, sizeof(*d));
	if (v->flags & VIRTIO_NET_HDR_F_NEEDS_CSUM) {
		d->flags |= JABI_DESC_CSUM_PARTIAL;
		d->csum_start = v->csum_start;
		d->csum_offset = v->csum_offset;
	}
	if (v->flags & VIRTIO_NET_HDR_F_DATA_VALID)
		d->flags |= JABI_DESC_CSUM_GOOD;
	if (v->gso_type) {
		d->flags |= (v->gso_type & ~VIRTIO_NET_HDR_GSO_ECN) == VIRTIO_NET_HDR_GSO_TCPV6 ? JABI_DESC_GSO_TCP6 : JABI_DESC_GSO_TCP4;
		d->gso_size = v->gso_size;
		d->hdr_len = v->hdr_len;
	}
}

static void to_virtio(const struct jabi_desc *d, struct virtio_net_hdr *v)
{
	memset(v, 0, sizeof(*v));
	if (d->flags & JABI_DESC_CSUM_PARTIAL) {
		v->flags = VIRTIO_NET_HDR_F_NEEDS_CSUM;
		v->csum_start = d->csum_start;
		v->csum_offset = d->csum_offset;
	} else if (d->flags & JABI_DESC_CSUM_GOOD) {
		v->flags = VIRTIO_NET_HDR_F_DATA_VALID;
	}
	if (d->flags & (JABI_DESC_GSO_TCP4 | JABI_DESC_GSO_TCP6)) {
		v->gso_type = d->flags & JABI_DESC_GSO_TCP6 ? VIRTIO_NET_HDR_GSO_TCPV6 : VIRTIO_NET_HDR_GSO_TCPV4;
		v->gso_size = d->gso_size;
		v->hdr_len = d->hdr_len;
	}
}

static unsigned tap_pull(struct port *p, unsigned budget)
{
	struct tap *t = p->uplink;
	unsigned n = 0;

	for (; n < budget; n++) {
		struct virtio_net_hdr v;
		struct iovec iov[2] = { { &v, sizeof(v) }, { t->frame, sizeof(t->frame) } };
		ssize_t got = readv(p->kick.fd, iov, 2);
		struct frame f;

		if (got < (ssize_t)(sizeof(v) + JABI_FRAME_MIN))
			break;
		f.len = (u32)(got - (ssize_t)sizeof(v));
		f.head_len = MIN(f.len, (u32)LANE_GUARD_BYTES);
		memcpy(f.head, t->frame, f.head_len);
		f.rest = t->frame + f.head_len;
		from_virtio(&v, &f.meta);
		p->stats.rx_frames++;
		p->stats.rx_bytes += f.len;
		forward(p, &f);
	}
	return n;
}

static bool tap_deliver(struct port *p, const struct frame *f)
{
	struct virtio_net_hdr v;
	struct iovec iov[3] = { { &v, sizeof(v) }, { (void *)f->head, f->head_len }, { (void *)f->rest, f->len - f->head_len } };

	to_virtio(&f->meta, &v);
	return writev(p->kick.fd, iov, 3) > 0;
}

static bool tap_arm(struct port *p)
{
	(void)p;
	return false; /* epoll reports it by level */
}

static void tap_destroy(struct port *p)
{
	free(p->uplink);
}

static const struct port_ops tap_ops = {
	.kind = 1, .is_uplink = true, .pull = tap_pull, .deliver = tap_deliver, .arm = tap_arm, .destroy = tap_destroy
};

static void tap_ready(struct source *s, u32 events)
{
	struct port *p = container_of(s, struct port, kick);

	if (events & (EPOLLERR | EPOLLHUP))
		port_kill(p); /* the interface was deleted */
	else
		port_activate(p);
}

static int bring_up(const char *name)
{
	int s = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), r = 0;
	struct ifreq ifr;

	if (s < 0)
		return -errno;
	memset(&ifr, 0, sizeof(ifr));
	snprintf(ifr.ifr_name, IFNAMSIZ, "%s", name);
	if (ioctl(s, SIOCGIFFLAGS, &ifr))
		r = -errno;
	ifr.ifr_flags |= IFF_UP;
	if (!r && ioctl(s, SIOCSIFFLAGS, &ifr))
		r = -errno;
	close(s);
	return r;
}

int uplink_tap_open(const char *ifname)
{
	int fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC | O_NONBLOCK), hdr = sizeof(struct virtio_net_hdr), r;
	struct ifreq ifr;
	struct port *p;

	if (fd < 0)
		return -errno;
	memset(&ifr, 0, sizeof(ifr));
	ifr.ifr_flags = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR;
	snprintf(ifr.ifr_name, IFNAMSIZ, "%s", ifname);
	if (ioctl(fd, TUNSETIFF, &ifr) || ioctl(fd, TUNSETVNETHDRSZ, &hdr) ||
	    ioctl(fd, TUNSETOFFLOAD, (unsigned long)(TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6))) {
		r = -errno;
		close(fd);
		return r;
	}
	r = bring_up(ifr.ifr_name);
	p = r ? NULL : port_create(&tap_ops);
	if (!r && (!p || !(p->uplink = malloc(sizeof(struct tap)))))
		r = -ENOMEM;
	if (r) {
		close(fd);
		return r;
	}
	snprintf(p->name, sizeof(p->name), "%s", ifr.ifr_name);
	p->kick.ready = tap_ready;
	return loop_watch(&p->kick, fd, EPOLLIN);
}
