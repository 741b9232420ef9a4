/* SPDX-License-Identifier: MIT */
/*
 * A port of the switch (include/jabi/jabi_port.h): frames through lanes in shared memory, to junctiond (link 0) or straight to another
 * instance (direct links, which junctiond hands over at run time). Sends come under net_lock; tx_lock makes them safe against changes of
 * the links, which the one poller makes. A link's memory is mapped by each kProc when it first needs it: a private page says which are.
 */
#include "net/stack.h"
#include "base/lane.h"
#include "base/lane_guard.h"
#include "userlib/base/log.h"
#include "userlib/base/mem.h"
#include "userlib/base/string.h"
#include "userlib/rt/host.h"
#include <linux/if.h>
#include <linux/mman.h>
#include <linux/socket.h>

#define RX_BATCH   64
#define RX_BYTES   (128 * KiB) /* of one poll: then whoever waits for them runs, while the sender goes on */
#define CTL_POLLS  64			/* polls between looks at the clock */
#define CTL_NS	   (5 * NSEC_PER_MSEC)	/* between looks at the control socket while busy */
#define STRIDE	   (JABI_LINK_BYTES + PAGE_SIZE)
#define RX_ORDER   5

struct plink {
	u32 gen; /* of what the slot holds: tells a kProc that its mapping is old */
	int fd;	 /* kept: kProcs map it later */
	int bell;
	struct lane_guard peer;
	struct lane_tx tx;
	struct lane_rx rx;
};

static struct {
	struct netif *nif;
	char *area; /* marks page, then one stride per link */
	int ctl_fd;
	bool down, ctl_look;
	bool full; /* [tx_lock] to set: a lane had no room, and somebody waits for it */
	u16 peer_cpu; /* where the producer of the last frame ran */
	u32 polls, gens, nr; /* nr: links in use lie below */
	s64 ctl_next;
	u8 *rx;
	struct spinlock tx_lock;
	struct plink *link[JABI_LINKS_MAX]; /* [tx_lock] to change */
	struct poll_source lanes, control;
} port;

static void *link_addr(u32 i)
{
	return port.area + PAGE_SIZE + i * STRIDE;
}

/* The calling kProc has link i mapped afterwards. The marks are private memory, so a fork's child has those that go with its mappings. */
static bool link_mapped(u32 i)
{
	u32 *marks = (u32 *)port.area;
	const struct plink *l = port.link[i];

	if (likely(READ_ONCE(marks[i]) == l->gen))
		return true;
	if (host_mmap(link_addr(i), JABI_LINK_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, l->fd, 0) != (long)link_addr(i))
		return false;
	WRITE_ONCE(marks[i], l->gen);
	return true;
}

static int link_add(u32 i, int fd, int bell, u32 side, const struct lane_guard *peer)
{
	struct plink *l = kmem_zalloc(sizeof(*l));

	if (!l)
		return -ENOMEM;
	l->gen = ++port.gens;
	l->fd = fd;
	l->bell = bell;
	l->peer = *peer;
	lane_tx_init(&l->tx, link_addr(i), side);
	lane_rx_init(&l->rx, link_addr(i), !side);
	spin_lock(&port.tx_lock);
	port.link[i] = l;
	port.nr = MAX(port.nr, i + 1);
	spin_unlock(&port.tx_lock);
	return 0;
}

static void link_del(u32 i)
{
	struct plink *l;

	spin_lock(&port.tx_lock);
	l = port.link[i];
	port.link[i] = NULL;
	while (port.nr && !port.link[port.nr - 1])
		port.nr--;
	spin_unlock(&port.tx_lock);
	if (!l)
		return;
	host_close(l->fd);
	host_close(l->bell);
	kmem_free(l, sizeof(*l));
}

/* ---- out ---- */

static void fill_desc(struct jabi_desc *d, const u8 *frame, u32 len, const struct tx_meta *m)
{
	*d = (struct jabi_desc){ .len = len };
	if (m->csum_start) {
		d->flags = JABI_DESC_CSUM_PARTIAL;
		d->csum_start = m->csum_start;
		d->csum_offset = m->csum_offset;
	}
	if (m->gso_size) {
		d->flags |= frame[12] == 0x86 ? JABI_DESC_GSO_TCP6 : JABI_DESC_GSO_TCP4;
		d->gso_size = m->gso_size;
		d->hdr_len = m->hdr_len;
	}
}

static u32 link_for(const u8 *mac)
{
	if (!(mac[0] & 1))
		for (u32 i = 1; i < port.nr; i++)
			if (port.link[i] && !memcmp(port.link[i]->peer.mac, mac, 6))
				return i;
	return 0;
}

static int put_frame(u32 i, const u8 *frame, u32 len, const struct tx_meta *m)
{
	struct plink *l = port.link[i];
	struct jabi_desc d;
	u64 one = 1;
	u8 *to;

	if (!l || port.down)
		return -ENETDOWN;
	if (len > JABI_FRAME_MAX)
		return -EMSGSIZE;
	if (!link_mapped(i))
		return -ENOMEM;
	to = lane_tx_reserve(&l->tx, len);
	if (!to) {
		port.full = true;
		return -EAGAIN;
	}
	memcpy(to, frame, len);
	fill_desc(&d, frame, len, m);
	if (lane_tx_publish(&l->tx, &d))
		(void)host_write(l->bell, &one, i ? 1 : 8); /* a pipe, or the switch's eventfd */
	return 0;
}

static int port_send(struct netif *n, u8 *frame, u32 len, const struct tx_meta *m)
{
	int r;

	spin_lock(&port.tx_lock);
	r = put_frame(link_for(frame), frame, len, m);
	n->tx_dropped += r != 0;
	n->tx_packets += r == 0;
	n->tx_bytes += r ? 0 : len;
	spin_unlock(&port.tx_lock);
	if (r)
		net_drop(NET_DROP_link);
	return r;
}

static const struct nic_ops port_ops = { .name = "port", .ethernet = true, .send = port_send, .own_lock = true };

/* ---- in ---- */

static void frame_in(u32 i, const struct jabi_desc *d, enum net_section *in)
{
	struct netif *n = port.nif;

	n->rx_packets++;
	n->rx_bytes += d->len;
	port.peer_cpu = d->cpu;
	net_section_enter(in);
	if (i && !lane_guard_passes(&port.link[i]->peer, port.rx, d->len)) {
		net_drop(NET_DROP_spoofed); /* the switch checks what it carries; here that is us */
		return;
	}
	net_frame_in(n, port.rx, d->len, d->flags & (JABI_DESC_CSUM_PARTIAL | JABI_DESC_CSUM_GOOD), in);
}

/* Only a copy is looked at: the lane's memory stays the other side's to change. */
static bool lane_input(u32 i, enum net_section *in)
{
	struct plink *l = port.link[i];
	u32 n = 0, bytes = 0;

	if (!l || !link_mapped(i))
		return false;
	for (; n < RX_BATCH && bytes < RX_BYTES; n++) {
		struct jabi_desc d;
		int r = lane_rx_peek(&l->rx, &d);

		if (!r)
			break;
		if (r > 0) {
			memcpy(port.rx, l->rx.data + d.off, d.len);
			bytes += d.len;
		}
		lane_rx_done(&l->rx);
		if (r > 0) {
			frame_in(i, &d, in);
		} else {
			net_section_enter(in);
			net_drop(NET_DROP_bad_header);
		}
	}
	return n;
}

/* After a full lane: room for a few large frames in each. */
static bool lanes_have_room(void)
{
	bool yes = true;

	spin_lock(&port.tx_lock);
	for (u32 i = 0; i < port.nr && yes; i++) {
		struct lane_tx *t = port.link[i] ? &port.link[i]->tx : NULL;

		if (!t || !link_mapped(i))
			continue;
		lane_tx_refresh(t);
		yes = t->prod - t->cons <= JABI_LANE_DESCS / 2 && lane_tx_place(t, 4 * JABI_FRAME_MAX);
	}
	if (yes)
		port.full = false;
	spin_unlock(&port.tx_lock);
	return yes;
}

static bool lanes_poll(void *arg)
{
	enum net_section in = NET_OUTSIDE;
	bool did = false;

	(void)arg;
	if (unlikely(port.down))
		return false;
	for (u32 i = 0; i < port.nr; i++)
		did |= lane_input(i, &in);
	net_section_leave(&in);
	if (unlikely(port.full) && lanes_have_room()) {
		net_lock_get();
		did |= tcp_link_room();
		net_lock_put();
	}
	return did;
}

/* The watcher goes to sleep: whoever sends from now on rings; or it woke up. */
static bool lanes_arm(void *arg, bool on)
{
	bool some = false;
	char bell[64];

	(void)arg;
	if (port.down)
		return false;
	if (on && port.full && lanes_have_room()) {
		port.full = true; /* the poll that follows tells who waits */
		some = true;
	}
	spin_lock(&port.tx_lock); /* another kThread may be polling, and changing links */
	for (u32 i = 0; i < port.nr; i++) {
		if (!port.link[i] || !link_mapped(i))
			continue;
		if (on)
			some |= lane_rx_arm(&port.link[i]->rx);
		else
			lane_rx_disarm(&port.link[i]->rx);
	}
	spin_unlock(&port.tx_lock);
	if (!on)
		(void)host_read(port.lanes.host_fd, bell, sizeof(bell));
	return some;
}

/* ---- the control socket ---- */

static void peer_add(const struct jabi_port_msg *m, const int *fds, u32 nr_fds)
{
	struct lane_guard g = { .ip4 = m->ip4 };

	memcpy(g.mac, m->mac, 6);
	memcpy(g.ip6, m->ip6, 16);
	if (nr_fds == 2 && m->slot && m->slot < JABI_LINKS_MAX && m->side < 2) {
		link_del(m->slot);
		if (!link_add(m->slot, fds[0], fds[1], m->side, &g))
			return;
	}
	for (u32 i = 0; i < nr_fds; i++)
		host_close(fds[i]);
}

/* The switch is gone: for good, so nobody shall wait for what cannot come. */
static void link_down(void)
{
	port.down = true;
	port.lanes.host_fd = port.control.host_fd = -1;
	for (u32 i = 1; i < JABI_LINKS_MAX; i++)
		link_del(i);
	log_msg(LOG_WARN, "the switch has ended: %s is down", port.nif->name);
	net_lock_get();
	net_link_down(port.nif);
	net_lock_put();
}

/* True: a message was there. */
static bool control_read(void)
{
	struct {
		struct {
			u64 len;
			int level, type;
			int fds[4];
		} control;
	} c = { 0 };
	struct jabi_port_msg m;
	struct {
		void *base;
		u64 len;
	} iov = { &m, sizeof(m) };
	struct {
		void *name;
		u32 namelen, pad;
		void *iov;
		u64 iovlen;
		void *control;
		u64 controllen;
		int flags, pad2;
	} h = { .iov = &iov, .iovlen = 1, .control = &c, .controllen = sizeof(c) };
	long r = host_recvmsg(port.ctl_fd, &h, 0x40 /* MSG_DONTWAIT */);
	u32 nr_fds = 0;

	if (r == -EAGAIN || r == -EINTR)
		return false;
	if (r <= 0) {
		link_down();
		return false;
	}
	if (h.controllen >= 20 && c.control.level == 1 /* SOL_SOCKET */ && c.control.type == 1 /* SCM_RIGHTS */ && c.control.len >= 20)
		nr_fds = (u32)MIN((c.control.len - 16) / 4, (u64)ARRAY_SIZE(c.control.fds));
	if (r == (long)sizeof(m) && m.type == JABI_PORT_PEER_ADD) {
		peer_add(&m, c.control.fds, nr_fds);
		return true;
	}
	for (u32 i = 0; i < nr_fds; i++)
		host_close(c.control.fds[i]);
	if (r == (long)sizeof(m) && m.type == JABI_PORT_PEER_DEL && m.slot && m.slot < JABI_LINKS_MAX)
		link_del(m.slot);
	return true;
}

/* A host call, so: after each sleep, and now and then while busy. Lanes and control have one poller at a time: both hang on `lanes`. */
static bool control_due(void)
{
	s64 now;

	if (port.down)
		return false;
	if (port.ctl_look) {
		port.ctl_look = false;
		return true;
	}
	if (likely(++port.polls % CTL_POLLS))
		return false;
	now = clock_monotonic_ns();
	if (now < port.ctl_next)
		return false;
	port.ctl_next = now + CTL_NS;
	return true;
}

static bool port_poll(void *arg)
{
	if (unlikely(control_due()))
		while (!port.down && control_read())
			;
	return lanes_poll(arg);
}

static bool lanes_may_spin(void *arg)
{
	(void)arg;
	return lane_cpu() != port.peer_cpu;
}

static bool nothing_poll(void *arg)
{
	(void)arg;
	return false;
}

static bool control_arm(void *arg, bool on)
{
	(void)arg;
	if (!on)
		port.ctl_look = true;
	return false;
}

int nic_port_attach(struct netif *n, const struct net_config *c)
{
	struct lane_guard none = { 0 };
	int r;

	port.nif = n;
	port.peer_cpu = 0xffff;
	port.area = arena.base + arena.size;
	port.ctl_fd = c->port_ctl_fd;
	port.rx = page_alloc(RX_ORDER);
	if (!port.rx)
		return -ENOMEM;
	if (host_mmap(port.area, PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0) !=
	    (long)port.area)
		return -ENOMEM;
	r = link_add(0, c->port_link_fd, c->port_kick_fd, 0, &none);
	if (r)
		return r;
	if (!link_mapped(0))
		return -ENOMEM;
	n->ops = &port_ops;
	n->csum_offload = n->tso = n->tso6 = true;
	port.control = (struct poll_source){ .poll = nothing_poll, .arm = control_arm, .host_fd = c->port_ctl_fd };
	port.lanes = (struct poll_source){ .poll = port_poll, .arm = lanes_arm, .may_spin = lanes_may_spin, .host_fd = c->port_bell_fd };
	poll_source_register(&port.control);
	poll_source_register(&port.lanes);
	return 0;
}
