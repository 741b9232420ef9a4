/* SPDX-License-Identifier: MIT */
/*
 * AF_XDP back end: the rings and packet memory of sockets that the launcher bound to queues of an interface (jabi_queues.h), mapped here. A
 * frame is parsed where the host kernel put it, those of one stream in a batch merged (nic_merge.h); what comes in several chunks is put together.
 * One to be sent is copied into a chunk of the queue, a large segment cut into many, and its checksum completed: the link does neither.
 * The only host calls are a send of nothing, which makes the kernel look at the send ring, and the poll of the watcher.
 *
 * A queue is received from by one poller at a time; sending is under its tx_lock. The rings are shared with the host kernel alone;
 * what it says is bounded nevertheless. The mappings are made before the first fork, so every kProc has them.
 */
#include "net/stack.h"
#include "base/cut.h"
#include "base/xsk_ring.h"
#include "jabi/jabi_boot.h"
#include "net/nic/nic_merge.h"
#include "net/nic/nic_queue.h"
#include "userlib/base/log.h"
#include "userlib/base/mem.h"
#include "userlib/base/string.h"
#include "userlib/rt/host.h"
#include <linux/mman.h>
#include <linux/poll.h>

#define RX_BATCH   64
#define RX_ORDER   5 /* NET_FRAME_MAX */
#define KICKS_MAX  64 /* of one burst: the host kernel takes a few dozen frames each */
#define RING_BYTES (128 * KiB) /* at most, of one ring's mapping */
#define QUEUE_AREA (14 * MiB)  /* addresses of one queue: four rings, then its chunks */
#define QUIET_WAKES 4	       /* wake-ups without a frame before the socket is looked at */

struct xq {
	int fd;
	struct xsk_ring rx, fill;     /* the poller's */
	struct xsk_ring tx, completion; /* [tx_lock] */
	u8 *mem;
	u32 rx_frames, tx_frames;
	u32 quiet_wakes;
	struct nic_merge merge; /* the poller's; its buffer also holds a frame of several chunks, of which so much is there: */
	u32 gathered;
	bool gather_bad;
	struct spinlock tx_lock;
	bool deferred;	 /* [tx_lock] the poller kicks when it is through its batch */
	bool want_kick;	 /* [tx_lock] frames are in the ring that the kernel was not told of, or had no room for */
	bool blocked;	 /* [tx_lock] somebody found no chunk */
	u32 nr_free;	 /* [tx_lock] */
	u32 *free;	 /* [tx_lock] offsets of chunks */
	struct poll_source source;
};

static struct {
	struct netif *nif;
	u32 nr, chunk;
	bool trust_csum, several, down;
	struct xq *q[JABI_QUEUES_MAX];
} xdp;

/* ---- out ---- */

/* [tx_lock] Chunks whose frames have left are free again. */
static void reclaim(struct xq *q)
{
	u32 n = xsk_ring_ready(&q->completion), first = q->rx_frames * xdp.chunk;

	for (u32 i = 0; i < n; i++) {
		u64 at = *xsk_ring_addr(&q->completion, q->completion.own++);

		at -= at % xdp.chunk;
		if (at >= first && at < first + (u64)q->tx_frames * xdp.chunk && q->nr_free < q->tx_frames)
			q->free[q->nr_free++] = (u32)at;
	}
	if (n)
		xsk_ring_release(&q->completion);
}

/* [tx_lock] Tells the host kernel; false: it is gone for good. */
static bool kick(struct xq *q)
{
	int r = -EAGAIN;

	/* It takes a few dozen frames, then says EAGAIN; it does so too when it takes none. */
	for (int i = 0; i < KICKS_MAX && r == -EAGAIN; i++) {
		u32 taken = load_acquire(q->tx.consumer);

		r = host_send_nothing(q->fd);
		if (load_acquire(q->tx.consumer) == taken)
			break;
	}
	/* No memory or no budget now: the poller tries again, the watcher's poll sends as well. */
	q->want_kick = r == -EAGAIN || r == -ENOBUFS || r == -EBUSY;
	WRITE_ONCE(q->source.also, q->want_kick || q->blocked ? POLLOUT : 0);
	return r != -ENXIO;
}

/* [tx_lock] Chunks and places for n frames. */
static bool has_room(struct xq *q, u32 n)
{
	if (q->nr_free < MAX(n, q->tx_frames / 2))
		reclaim(q);
	if (q->nr_free >= n && xsk_ring_room_for(&q->tx, n))
		return true;
	q->blocked = true;
	WRITE_ONCE(q->source.also, POLLOUT);
	return false;
}

/* [tx_lock] The next chunk, entered into the ring, which is not yet submitted. */
static u8 *next_chunk(struct xq *q, u32 len, bool more)
{
	struct xdp_desc *d = xsk_ring_desc(&q->tx, q->tx.own++);

	d->addr = q->free[--q->nr_free];
	d->len = len;
	d->options = more ? XSK_PKT_CONTD : 0;
	return q->mem + d->addr;
}

/* [tx_lock] A frame of headers and a payload in as many chunks as it takes, for which there is room. Returns the first one. */
static u8 *put_chunks(struct xq *q, const u8 *hdr, u32 hdr_len, const u8 *payload, u32 len)
{
	u32 part = MIN(len, xdp.chunk - hdr_len);
	u8 *first = next_chunk(q, hdr_len + part, part < len);

	memcpy(first, hdr, hdr_len);
	memcpy(first + hdr_len, payload, part);
	while (part < len) {
		payload += part;
		len -= part;
		part = MIN(len, xdp.chunk);
		memcpy(next_chunk(q, part, part < len), payload, part);
	}
	return first;
}

/* 0: too long for this link. */
static u32 chunks_of(u32 len)
{
	return len <= xdp.chunk ? 1 : xdp.several ? (len + xdp.chunk - 1) / xdp.chunk : 0;
}

static int put_frame(struct xq *q, u8 *frame, u32 len, const struct tx_meta *m)
{
	u32 n = chunks_of(len);

	if (!n)
		return -EMSGSIZE;
	if (!has_room(q, n))
		return -EAGAIN;
	if (m->csum_start)
		(void)cut_finish_csum(frame, len, m->csum_start, m->csum_offset);
	put_chunks(q, frame, 0, frame, len);
	return 1;
}

static int put_large(struct xq *q, const u8 *frame, u32 len, const struct tx_meta *m)
{
	u32 payload, n, each, off = 0;
	struct cut c;

	if (!cut_parse(frame, len, len, m->gso_v6, &c) || c.hdr > xdp.chunk / 2)
		return -EMSGSIZE;
	each = chunks_of(c.hdr + m->gso_size);
	if (!each)
		return -EMSGSIZE;
	payload = len - c.hdr;
	/* More than the ring has places for, with a tiny MSS: the rest is lost, as on any link that is full. */
	n = MIN((payload + m->gso_size - 1) / m->gso_size, q->tx_frames / each);
	if (!has_room(q, n * each))
		return -EAGAIN;
	for (u32 i = 0; i < n; i++, off += m->gso_size) {
		u32 part = MIN((u32)m->gso_size, payload - off);
		const u8 *from = frame + c.hdr + off;
		u8 *p = put_chunks(q, frame, c.hdr, from, part);

		cut_headers(p, &c, c.hdr + part, off, i, off + part == payload, csum_bulk(from, part));
	}
	return (int)n;
}

static int xdp_send(struct netif *n, u8 *frame, u32 len, const struct tx_meta *m)
{
	struct xq *q = xdp.q[nic_queue_of(frame, len, xdp.nr)];
	int r = -ENETDOWN;

	spin_lock(&q->tx_lock);
	if (likely(!xdp.down))
		r = m->gso_size ? put_large(q, frame, len, m) : put_frame(q, frame, len, m);
	if (r > 0) {
		xsk_ring_submit(&q->tx);
		q->want_kick = true;
		if (!q->deferred)
			(void)kick(q);
	}
	spin_unlock(&q->tx_lock);
	if (r < 0) {
		n->tx_dropped++;
		net_drop(NET_DROP_link);
		return r;
	}
	n->tx_packets += (u32)r;
	n->tx_bytes += len + ((u32)r - 1) * m->hdr_len;
	return 0;
}

static const struct nic_ops xdp_ops = { .name = "xdp", .ethernet = true, .send = xdp_send };

/* ---- in ---- */

/* [net_lock] */
static void merge_out(struct xq *q)
{
	u32 len;
	const u8 *f = nic_merge_end(&q->merge, &len);

	if (f)
		eth_input(xdp.nif, f, len, true);
}

static bool is_trusted(const u8 *f, u32 len)
{
	struct csum_place c;

	return xdp.trust_csum && csum_is_partial(f, len, &c);
}

/* [net_lock] A chunk of a frame that has several: copied behind the others. */
static void gather(struct xq *q, const u8 *f, u32 len, bool is_last)
{
	merge_out(q);
	q->gather_bad |= len > NET_FRAME_MAX - q->gathered;
	if (!q->gather_bad) {
		memcpy(q->merge.buf + q->gathered, f, len);
		q->gathered += len;
	}
	if (!is_last)
		return;
	xdp.nif->rx_packets++;
	if (q->gather_bad)
		net_drop(NET_DROP_bad_header);
	else
		eth_input(xdp.nif, q->merge.buf, q->gathered, is_trusted(q->merge.buf, q->gathered));
	q->gathered = 0;
	q->gather_bad = false;
}

/* [net_lock] The chunk is the host's again when the fill ring is submitted, not before. */
static void frame_in(struct xq *q, const struct xdp_desc *d, bool more)
{
	struct netif *n = xdp.nif;
	u64 chunk = d->addr - d->addr % xdp.chunk;
	const u8 *f = q->mem + d->addr;
	bool csum_ok;

	/* Beyond the receive chunks: not ours to give back. */
	if (d->addr >= (u64)q->rx_frames * xdp.chunk)
		return net_drop(NET_DROP_bad_header);
	*xsk_ring_addr(&q->fill, q->fill.own++) = chunk;
	n->rx_bytes += d->len;
	if (d->len > xdp.chunk - (d->addr - chunk)) {
		q->gather_bad = q->gathered || d->options & XSK_PKT_CONTD;
		return net_drop(NET_DROP_bad_header);
	}
	if (unlikely(d->options & XSK_PKT_CONTD || q->gathered || q->gather_bad))
		return gather(q, f, d->len, !(d->options & XSK_PKT_CONTD));
	n->rx_packets++;
	csum_ok = is_trusted(f, d->len);
	if (nic_merge_add(&q->merge, f, d->len, csum_ok))
		return;
	merge_out(q);
	if (!more || !nic_merge_start(&q->merge, f, d->len, csum_ok))
		eth_input(n, f, d->len, csum_ok);
}

static void rx_some(struct xq *q, u32 n)
{
	n = MIN(n, (u32)RX_BATCH);
	n = MIN(n, xsk_ring_room(&q->fill)); /* always: no more chunks than places */
	spin_lock(&q->tx_lock);
	q->deferred = true;
	spin_unlock(&q->tx_lock);
	net_lock_get();
	for (u32 i = 0; i < n; i++) {
		struct xdp_desc d = *xsk_ring_desc(&q->rx, q->rx.own++);

		frame_in(q, &d, i + 1 < n);
	}
	merge_out(q);
	net_lock_put();
	xsk_ring_release(&q->rx);
	xsk_ring_submit(&q->fill);
}

static void link_lost(void)
{
	if (xdp.down)
		return;
	WRITE_ONCE(xdp.down, true);
	for (u32 i = 0; i < xdp.nr; i++)
		xdp.q[i]->source.host_fd = -1;
	log_msg(LOG_WARN, "the host's interface is gone: %s is down", xdp.nif->name);
	net_lock_get();
	net_link_down(xdp.nif);
	net_lock_put();
}

/* Sends what waits; true if those who found no chunk may go on. */
static bool tx_again(struct xq *q, bool *lost)
{
	bool room = false;

	spin_lock(&q->tx_lock);
	q->deferred = false;
	if (q->want_kick)
		*lost |= !kick(q);
	if (q->blocked) {
		reclaim(q);
		room = q->nr_free >= q->tx_frames / 4 && xsk_ring_room(&q->tx);
		if (room)
			q->blocked = false;
		WRITE_ONCE(q->source.also, q->want_kick || q->blocked ? POLLOUT : 0);
	}
	spin_unlock(&q->tx_lock);
	return room;
}

/* Awake, and nothing there: is the socket still bound, or does it only report that it is not? */
static bool is_lost(struct xq *q)
{
	if (q->quiet_wakes < QUIET_WAKES)
		return false;
	q->quiet_wakes = 0;
	return host_send_nothing(q->fd) == -ENXIO;
}

static bool xq_poll(void *arg)
{
	struct xq *q = arg;
	u32 n;
	bool lost = false, did;

	if (unlikely(xdp.down))
		return false;
	n = xsk_ring_ready(&q->rx);
	did = n;
	if (n) {
		q->quiet_wakes = 0;
		rx_some(q, n);
	} else if (unlikely(xsk_ring_wants_wakeup(&q->fill)) && load_relaxed(&q->source.also) == 0) {
		/* Zero-copy: the driver ran out of chunks and sleeps. */
		(void)host_ppoll(&(struct pollfd){ .fd = q->fd, .events = POLLIN }, 1, 0, NULL);
	}
	if (n || unlikely(load_relaxed(&q->source.also))) {
		if (tx_again(q, &lost)) {
			net_lock_get();
			did |= tcp_link_room();
			net_lock_put();
		}
	}
	if (unlikely(lost || is_lost(q)))
		link_lost();
	return did;
}

static bool xq_arm(void *arg, bool on)
{
	struct xq *q = arg;

	if (!on)
		q->quiet_wakes++;
	return false;
}

/* ---- at boot ---- */

static int map_at(char *at, size_t len, int fd, u64 off)
{
	long r = host_mmap(at, len, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED_NOREPLACE | MAP_POPULATE, fd, off);

	return r == (long)at ? 0 : r < 0 ? (int)r : -ENOMEM;
}

static int map_ring(struct xsk_ring *r, char *at, int fd, const struct jabi_xsk_offsets *o, u32 entries, u32 entry, u64 which)
{
	size_t len = o->desc + (u64)entries * entry;
	int err;

	if (len > RING_BYTES || !entries || entries & (entries - 1))
		return -EINVAL;
	err = map_at(at, ROUND_UP(len, (size_t)PAGE_SIZE), fd, which);
	if (!err)
		xsk_ring_init(r, at, o, entries);
	return err;
}

static int map_queue(struct xq *q, const struct jabi_queues *j, u32 i)
{
	char *at = arena.base + arena.size + i * QUEUE_AREA;
	size_t part = (size_t)(j->rx_frames + j->tx_frames) * j->chunk;
	int r;

	if (part > QUEUE_AREA - 4 * RING_BYTES)
		return -EINVAL;
	r = map_ring(&q->rx, at, q->fd, &j->rx, j->rx_frames, sizeof(struct xdp_desc), XDP_PGOFF_RX_RING);
	if (!r)
		r = map_ring(&q->tx, at + RING_BYTES, q->fd, &j->tx, j->tx_frames, sizeof(struct xdp_desc), XDP_PGOFF_TX_RING);
	if (!r)
		r = map_ring(&q->fill, at + 2 * RING_BYTES, q->fd, &j->fill, j->rx_frames, 8, XDP_UMEM_PGOFF_FILL_RING);
	if (!r)
		r = map_ring(&q->completion, at + 3 * RING_BYTES, q->fd, &j->completion, j->tx_frames, 8,
			     XDP_UMEM_PGOFF_COMPLETION_RING);
	q->mem = (u8 *)at + 4 * RING_BYTES;
	if (!r)
		r = map_at((char *)q->mem, part, j->umem_fd, i * part);
	return r;
}

static int queue_start(const struct jabi_queues *j, u32 i)
{
	struct xq *q = kmem_zalloc(sizeof(*q));
	int r;

	if (!q)
		return -ENOMEM;
	q->fd = j->fd[i];
	q->rx_frames = j->rx_frames;
	q->tx_frames = j->tx_frames;
	q->free = kmem_zalloc(q->tx_frames * sizeof(u32));
	q->merge.buf = page_alloc(RX_ORDER);
	if (!q->free || !q->merge.buf)
		return -ENOMEM;
	r = map_queue(q, j, i);
	if (r)
		return r;
	for (u32 k = 0; k < q->rx_frames; k++)
		*xsk_ring_addr(&q->fill, q->fill.own++) = (u64)k * j->chunk;
	xsk_ring_submit(&q->fill);
	while (q->nr_free < q->tx_frames) {
		q->free[q->nr_free] = (q->rx_frames + q->nr_free) * j->chunk;
		q->nr_free++;
	}
	q->source = (struct poll_source){ .poll = xq_poll, .arm = xq_arm, .arg = q, .host_fd = q->fd };
	xdp.q[i] = q;
	poll_source_register(&q->source);
	return 0;
}

int nic_xdp_attach(struct netif *n, const struct net_config *c)
{
	const struct jabi_queues *j = c->queues;

	_Static_assert(NET_FRAME_MAX <= PAGE_SIZE << RX_ORDER, "fits");
	_Static_assert(JABI_QUEUES_MAX * QUEUE_AREA <= JABI_PORT_AREA, "fits");
	if (!j || !j->nr || j->nr > JABI_QUEUES_MAX || (j->chunk != 2048 && j->chunk != 4096))
		return -EINVAL;
	xdp.nif = n;
	xdp.chunk = j->chunk;
	xdp.trust_csum = j->flags & JABI_XDP_TRUST_CSUM;
	xdp.several = j->flags & JABI_XDP_SG;
	n->ops = &xdp_ops;
	n->csum_offload = n->tso = n->tso6 = true;
	for (u32 i = 0; i < j->nr; i++) {
		int r = queue_start(j, i);

		if (r)
			return r;
		xdp.nr = i + 1;
	}
	(void)host_close(j->umem_fd);
	return 0;
}
