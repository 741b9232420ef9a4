/* SPDX-License-Identifier: MIT */
/*
 * An uplink over AF_XDP: a whole interface of the host, past its stack. Frames come as they are on the wire; those that go out are segmented and
 * their checksums completed here. What is queued is announced to the host kernel once per round of the loop.
 */
#include "scheduler/switch.h"

#include <errno.h>
#include <linux/if_xdp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/csum_mark.h"
#include "base/xsk_ring.h"
#include "scheduler/segment.h"
#include "scheduler/xdp_link.h"

#define KICKS_MAX 64 /* of one round: the kernel takes a batch each */

struct xq {
	struct source source;
	struct port *port;
	struct segment_sink sink;
	struct xsk_ring rx, tx, fill, completion;
	u8 *mem;
	u32 *free, nr_free;
	bool want_kick;
};

struct xdp {
	struct xdp_link link;
	struct xq q[JABI_QUEUES_MAX];
};

/* ---- out ---- */

static void reclaim(struct xq *q, const struct jabi_queues *j)
{
	u64 first = (u64)j->rx_frames * j->chunk, end = first + (u64)j->tx_frames * j->chunk;

	for (u32 n = xsk_ring_ready(&q->completion); n; n--) {
		u64 at = *xsk_ring_addr(&q->completion, q->completion.own++);

		at -= at % j->chunk;
		if (at >= first && at < end && q->nr_free < j->tx_frames)
			q->free[q->nr_free++] = (u32)at;
	}
	xsk_ring_release(&q->completion);
}

static u8 *sink_take(struct segment_sink *s)
{
	struct xq *q = container_of(s, struct xq, sink);
	struct xdp *x = q->port->uplink;

	if (!q->nr_free)
		reclaim(q, &x->link.q);
	return q->nr_free && xsk_ring_room(&q->tx) ? q->mem + q->free[--q->nr_free] : NULL;
}

static void sink_put(struct segment_sink *s, u8 *at, u32 len)
{
	struct xq *q = container_of(s, struct xq, sink);
	struct xdp_desc *d;

	if (!len) {
		q->free[q->nr_free++] = (u32)(at - q->mem);
		return;
	}
	d = xsk_ring_desc(&q->tx, q->tx.own++);
	d->addr = (u64)(at - q->mem);
	d->len = len;
	d->options = 0;
	xsk_ring_submit(&q->tx);
	q->want_kick = true;
}

/* The same for all packets between two addresses and ports. */
static u32 queue_of(const struct frame *f, u32 nr)
{
	struct csum_place c;
	u32 h;

	if (nr < 2 || !csum_place(f->head, f->len, &c))
		return 0;
	h = csum_words(f->head + c.l4, 4, c.pseudo) * 0x9e3779b1u;
	return (u32)((u64)h * nr >> 32);
}

static bool xdp_deliver(struct port *p, const struct frame *f)
{
	struct xdp *x = p->uplink;
	struct xq *q = &x->q[queue_of(f, x->link.q.nr)];
	bool sent = segment_frame(f, &q->sink) > 0;

	port_activate(p); /* which kicks */
	return sent;
}

/* False: the interface is gone. */
static bool kick(struct xq *q)
{
	int r = -1;

	for (int i = 0; i < KICKS_MAX && r; i++) {
		r = sendto(q->source.fd, NULL, 0, MSG_DONTWAIT, NULL, 0) < 0 ? -errno : 0;
		if (r && r != -EAGAIN && r != -EBUSY && r != -ENOBUFS)
			break;
	}
	q->want_kick = r == -EAGAIN || r == -EBUSY || r == -ENOBUFS;
	return r != -ENXIO;
}

/* ---- in ---- */

static void frame_in(struct port *p, struct xq *q, const struct xdp_desc *d)
{
	struct xdp *x = p->uplink;
	const struct jabi_queues *j = &x->link.q;
	u64 chunk = d->addr - d->addr % j->chunk;
	struct csum_place c;
	struct frame f;

	if (d->addr >= (u64)j->rx_frames * j->chunk)
		return;
	if (d->len >= JABI_FRAME_MIN && d->len <= j->chunk - (d->addr - chunk)) {
		f.len = d->len;
		f.head_len = MIN(f.len, (u32)LANE_GUARD_BYTES);
		memcpy(f.head, q->mem + d->addr, f.head_len);
		f.rest = q->mem + d->addr + f.head_len;
		memset(&f.meta, 0, sizeof(f.meta));
		if (j->flags & JABI_XDP_TRUST_CSUM && csum_is_partial(q->mem + d->addr, d->len, &c)) {
			f.meta.flags = JABI_DESC_CSUM_PARTIAL;
			f.meta.csum_start = (u16)c.l4;
			f.meta.csum_offset = (u16)(c.at - c.l4);
		}
		p->stats.rx_frames++;
		p->stats.rx_bytes += f.len;
		forward(p, &f);
	}
	*xsk_ring_addr(&q->fill, q->fill.own++) = chunk;
}

static unsigned pull_queue(struct port *p, struct xq *q, unsigned budget)
{
	u32 n = MIN(xsk_ring_ready(&q->rx), (u32)budget);

	n = MIN(n, xsk_ring_room(&q->fill)); /* always: no more chunks than places */
	for (u32 i = 0; i < n; i++) {
		struct xdp_desc d = *xsk_ring_desc(&q->rx, q->rx.own++);

		frame_in(p, q, &d);
	}
	if (n) {
		xsk_ring_release(&q->rx);
		xsk_ring_submit(&q->fill);
	}
	return n;
}

static unsigned xdp_pull(struct port *p, unsigned budget)
{
	struct xdp *x = p->uplink;
	unsigned n = 0;
	bool alive = true;

	for (u32 i = 0; i < x->link.q.nr; i++)
		n += pull_queue(p, &x->q[i], budget);
	for (u32 i = 0; i < x->link.q.nr; i++)
		if (x->q[i].want_kick) {
			alive &= kick(&x->q[i]);
			n++;
		}
	if (!alive)
		port_kill(p);
	return n;
}

static bool xdp_arm(struct port *p)
{
	struct xdp *x = p->uplink;
	bool some = false;

	for (u32 i = 0; i < x->link.q.nr; i++)
		some |= x->q[i].want_kick;
	return some; /* epoll reports what comes in by level */
}

static void xdp_ready(struct source *s, u32 events)
{
	struct xq *q = container_of(s, struct xq, source);

	(void)events;
	port_activate(q->port);
}

static void xdp_destroy(struct port *p)
{
	struct xdp *x = p->uplink;

	for (u32 i = 0; i < JABI_QUEUES_MAX; i++) {
		loop_unwatch(&x->q[i].source);
		free(x->q[i].free);
		x->link.q.fd[i] = -1;
	}
	xdp_link_close(&x->link);
	free(x);
}

static const struct port_ops xdp_ops = {
	.kind = 2, .is_uplink = true, .pull = xdp_pull, .deliver = xdp_deliver, .arm = xdp_arm, .destroy = xdp_destroy
};

/* ---- at start ---- */

static int map_ring(struct xsk_ring *r, int fd, const struct jabi_xsk_offsets *o, u32 entries, u32 entry, off_t which)
{
	void *at = mmap(NULL, o->desc + (size_t)entries * entry, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, fd, which);

	if (at == MAP_FAILED)
		return -errno;
	xsk_ring_init(r, at, o, entries);
	return 0;
}

static int queue_open(struct xdp *x, u32 i, struct port *p)
{
	const struct jabi_queues *j = &x->link.q;
	struct xq *q = &x->q[i];
	size_t part = (size_t)(j->rx_frames + j->tx_frames) * j->chunk;
	int r;

	q->port = p;
	q->sink = (struct segment_sink){ .take = sink_take, .put = sink_put, .max = j->chunk };
	q->free = calloc(j->tx_frames, sizeof(u32));
	q->mem = mmap(NULL, part, PROT_READ | PROT_WRITE, MAP_SHARED, j->umem_fd, (off_t)(i * part));
	if (!q->free || q->mem == MAP_FAILED)
		return -ENOMEM;
	r = map_ring(&q->rx, j->fd[i], &j->rx, j->rx_frames, sizeof(struct xdp_desc), XDP_PGOFF_RX_RING);
	if (!r)
		r = map_ring(&q->tx, j->fd[i], &j->tx, j->tx_frames, sizeof(struct xdp_desc), XDP_PGOFF_TX_RING);
	if (!r)
		r = map_ring(&q->fill, j->fd[i], &j->fill, j->rx_frames, 8, XDP_UMEM_PGOFF_FILL_RING);
	if (!r)
		r = map_ring(&q->completion, j->fd[i], &j->completion, j->tx_frames, 8, (off_t)XDP_UMEM_PGOFF_COMPLETION_RING);
	if (r)
		return r;
	for (u32 k = 0; k < j->rx_frames; k++)
		*xsk_ring_addr(&q->fill, q->fill.own++) = (u64)k * j->chunk;
	xsk_ring_submit(&q->fill);
	for (u32 k = 0; k < j->tx_frames; k++)
		q->free[q->nr_free++] = (j->rx_frames + k) * j->chunk;
	q->source.ready = xdp_ready;
	return loop_watch(&q->source, j->fd[i], EPOLLIN);
}

/* The mappings stay: a switch has its uplinks until it ends. */
int uplink_xdp_open(const char *text, const char **step, const char **mend)
{
	struct xdp *x = calloc(1, sizeof(*x));
	struct xdp_wish w;
	struct port *p;
	int r;

	*step = "no memory";
	*mend = NULL;
	if (!x)
		return -ENOMEM;
	for (u32 i = 0; i < JABI_QUEUES_MAX; i++)
		x->q[i].source.fd = -1;
	*step = "bad value";
	r = xdp_wish_parse(text, &w, mend) ? -EINVAL : 0;
	w.is_promiscuous = true; /* behind us are many addresses */
	if (!r)
		r = xdp_link_open(&w, &x->link, step, mend);
	if (r) {
		free(x);
		return r;
	}
	*step = "its MTU is less than --mtu";
	r = x->link.mtu < sw.mtu ? -EMSGSIZE : 0;
	p = r ? NULL : port_create(&xdp_ops);
	if (!p) {
		xdp_link_close(&x->link);
		free(x);
		return r ? r : -ENOMEM;
	}
	p->uplink = x;
	snprintf(p->name, sizeof(p->name), "%s", w.ifname);
	*step = "cannot map its rings";
	for (u32 i = 0; !r && i < x->link.q.nr; i++)
		r = queue_open(x, i, p);
	return r;
}
