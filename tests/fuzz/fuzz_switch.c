/* SPDX-License-Identifier: MIT */
/*
 * libFuzzer target: what clients send to junctiond: hellos, connections that come and go, the words of their links, frames (scheduler/).
 * The daemon's real code runs round by round with a stand-in for its uplink. The input is a row of operations, each u8: bits 0-2 what, bits
 * 3-5 which client, and its arguments (see step). After each input every client goes: the switch must be empty and hold no descriptor.
 */
#include "scheduler/loop.c"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define CLIENTS 8
#define FRAME_BYTES 64u

static struct client {
	int fd, kick;
	void *map;
	struct lane_tx tx;
	u8 mac[6];
	u32 ip4;
} clients[CLIENTS];

static struct port *uplink;
static char path[64];
static const u8 *in, *in_end;

static u8 byte(void)
{
	return in < in_end ? *in++ : 0;
}

static void must(bool ok)
{
	if (!ok)
		abort();
}

/* ---- the uplink's stand-in ---- */

static unsigned no_pull(struct port *p, unsigned budget)
{
	(void)p, (void)budget;
	return 0;
}
static bool no_arm(struct port *p)
{
	(void)p;
	return false;
}
static bool swallow(struct port *p, const struct frame *f)
{
	volatile u8 last = 0;

	(void)p;
	must(f->len >= f->head_len && f->len <= JABI_FRAME_MAX);
	for (u32 i = 0; i < f->len - f->head_len; i++)
		last = (u8)(last + f->rest[i]);
	return f->len % 7 != 0;
}
static void no_destroy(struct port *p)
{
	(void)p;
}
static const struct port_ops uplink_ops = { .kind = 1, .is_uplink = true, .pull = no_pull, .deliver = swallow, .arm = no_arm, .destroy = no_destroy };

static void from_uplink(void)
{
	u8 bytes[FRAME_BYTES];
	struct frame f = { .len = 14 + byte() % (FRAME_BYTES - 14) };
	const struct client *to = &clients[byte() % CLIENTS];

	for (u32 i = 0; i < sizeof(bytes); i++)
		bytes[i] = byte();
	if (bytes[13] & 1)
		memcpy(bytes, to->mac, 6);
	f.head_len = MIN(f.len, (u32)LANE_GUARD_BYTES);
	memcpy(f.head, bytes, f.head_len);
	f.rest = bytes + f.head_len;
	forward(uplink, &f);
}

/* ---- the world ---- */

static void world_start(void)
{
	list_init(&sw.ports);
	list_init(&sw.active);
	list_init(&sw.dead);
	signal(SIGPIPE, SIG_IGN);
	sw.listener.fd = -1;
	sw.direct = true;
	sw.mtu = 1500;
	sw.spin_rounds = 1;
	sw.prefix_len = 29; /* few addresses: they run out */
	sw.net4 = 0x0a770000;
	sw.epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	snprintf(path, sizeof(path), "fuzz-switch-%d", (int)getpid());
	must(sw.epoll_fd >= 0 && !control_open(path));
	uplink = port_create(&uplink_ops);
	must(uplink != NULL);
	for (int i = 0; i < CLIENTS; i++)
		clients[i].fd = clients[i].kick = -1;
}

static void rounds(unsigned n)
{
	while (n--) {
		handle_events(0);
		poll_active();
		port_bury_dead();
	}
}

static void client_close(struct client *c)
{
	if (c->fd >= 0)
		close(c->fd);
	if (c->kick >= 0)
		close(c->kick);
	if (c->map)
		munmap(c->map, JABI_LINK_BYTES);
	*c = (struct client){ .fd = -1, .kick = -1 };
}

static void client_open(struct client *c)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };

	client_close(c);
	strcpy(a.sun_path, path);
	c->fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	must(c->fd >= 0);
	if (connect(c->fd, (struct sockaddr *)&a, sizeof(a))) {
		close(c->fd);
		c->fd = -1;
	}
}

/* u8: bit 0: a good magic and version, bit 1: attach, direct links welcome, any address; bits 2-7 length cut by; then bytes over the rest. */
static void hello(struct client *c)
{
	struct jabi_port_hello h = { 0 };
	u8 how = byte(), *raw = (u8 *)&h;
	u32 len = sizeof(h) - (how >> 2 > 48 ? how >> 2 : 0);

	for (u32 i = how & 2 ? 24 : 12; i < sizeof(h); i++)
		raw[i] = byte();
	if (how & 1) {
		h.magic = JABI_PORT_MAGIC;
		h.version = JABI_PORT_VERSION;
	}
	if (how & 2) {
		h.op = JABI_PORT_ATTACH;
		h.flags = JABI_PORT_F_DIRECT;
		h.ip4 = 0;
	}
	if (c->fd >= 0)
		(void)!send(c->fd, raw, len, MSG_NOSIGNAL | MSG_DONTWAIT);
}

static void attached(struct client *c, const struct jabi_port_msg *m, int *fds)
{
	must(!c->map);
	c->map = mmap(NULL, JABI_LINK_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, fds[0], 0);
	must(c->map != MAP_FAILED);
	lane_tx_init(&c->tx, c->map, 0);
	c->kick = dup(fds[2]);
	c->ip4 = m->ip4;
	memcpy(c->mac, m->mac, 6);
}

/* The switch's messages: whole, of a type, with the descriptors that belong to it. */
static void listen_to(struct client *c)
{
	union {
		char bytes[CMSG_SPACE(8 * sizeof(int))];
		struct cmsghdr align;
	} control;
	struct jabi_port_msg m;
	struct iovec iov = { &m, sizeof(m) };
	ssize_t n;

	for (;;) {
		struct msghdr h = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = control.bytes, .msg_controllen = sizeof(control.bytes) };
		struct cmsghdr *cm;
		unsigned nr = 0;
		int fds[8];

		n = c->fd >= 0 ? recvmsg(c->fd, &h, MSG_DONTWAIT | MSG_CMSG_CLOEXEC) : -1;
		if (n <= 0)
			return;
		must(n == (ssize_t)sizeof(m) && m.type >= JABI_PORT_ATTACHED && m.type <= JABI_PORT_CORES_GIVEN);
		cm = CMSG_FIRSTHDR(&h);
		if (cm) {
			nr = (unsigned)((cm->cmsg_len - CMSG_LEN(0)) / sizeof(int));
			memcpy(fds, CMSG_DATA(cm), nr * sizeof(int));
		}
		must(nr == (m.type == JABI_PORT_ATTACHED ? 3u : m.type == JABI_PORT_PEER_ADD ? 2u : 0u));
		must((m.type != JABI_PORT_PEER_ADD && m.type != JABI_PORT_PEER_DEL) || (m.slot >= 1 && m.slot < JABI_LINKS_MAX));
		must(m.type != JABI_PORT_REFUSED || m.error);
		if (m.type == JABI_PORT_ATTACHED)
			attached(c, &m, fds);
		for (unsigned i = 0; i < nr; i++)
			close(fds[i]);
	}
}

/* u8 region, u16 offset, u8 length, bytes: into the head or a lane's descriptors. */
static void scribble(struct client *c)
{
	u8 region = byte();
	u32 at = (u32)(byte() << 8 | byte()), len = byte() & 63;

	if (region % 3)
		at = JABI_LINK_DESC(region % 3 - 1) + at % (JABI_LANE_DESCS * 32u - 64);
	else
		at %= 512;
	for (u32 i = 0; i < len; i++) {
		u8 b = byte();

		if (c->map)
			((volatile u8 *)c->map)[at + i] = b;
	}
}

/* u8 to whom, u8 how: a frame with good addresses, some words of its descriptor from the input. */
static void frame(struct client *c)
{
	u8 to = byte(), how = byte();
	u32 len = how & 1 ? 60 : 14 + (u32)byte() * 255;
	struct jabi_desc d = { 0 };
	u8 *f;

	for (unsigned i = 0; c->map && i <= how >> 4; i++) {
		f = lane_tx_reserve(&c->tx, len);
		if (!f)
			return;
		memset(f, 0, len);
		memcpy(f, clients[to % CLIENTS].mac, 6);
		if (to & 0x80)
			memset(f, 0xff, 6);
		memcpy(f + 6, c->mac, 6);
		if (how & 2) {
			f[12] = 8; /* an ARP request */
			f[13] = 6;
			if (len >= 42) {
				f[21] = 1;
				memcpy(f + 22, c->mac, 6);
				memcpy(f + 28, &c->ip4, 4);
				memcpy(f + 38, &clients[to % CLIENTS].ip4, 4);
			}
		}
		d.len = len;
		if (how & 4) {
			d.flags = byte();
			d.csum_start = byte();
			d.gso_size = byte();
			d.hdr_len = byte();
		}
		(void)lane_tx_publish(&c->tx, &d);
	}
}

static void kick(struct client *c)
{
	u64 one = 1;

	if (c->kick >= 0)
		(void)!write(c->kick, &one, sizeof(one));
}

static void step(void)
{
	u8 op = byte();
	struct client *c = &clients[op >> 3 & 7];

	switch (op & 7) {
	case 0:
		client_open(c);
		break;
	case 1:
		hello(c);
		break;
	case 2:
		client_close(c);
		break;
	case 3:
		kick(c);
		rounds(1 + (op >> 6));
		break;
	case 4:
		scribble(c);
		break;
	case 5:
		frame(c);
		break;
	case 6:
		listen_to(c);
		break;
	case 7:
		from_uplink();
		break;
	}
}

/* Attached at once, so that few bytes lead to talking. */
static void attach_first(unsigned n)
{
	struct jabi_port_hello h = { .magic = JABI_PORT_MAGIC, .version = JABI_PORT_VERSION, .op = JABI_PORT_ATTACH, .flags = JABI_PORT_F_DIRECT };

	for (unsigned i = 0; i < n; i++) {
		client_open(&clients[i]);
		(void)!send(clients[i].fd, &h, sizeof(h), MSG_NOSIGNAL);
	}
	rounds(3);
	for (unsigned i = 0; i < n; i++)
		listen_to(&clients[i]);
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	int fd, first_fd;

	if (!uplink)
		world_start();
	first_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	close(first_fd);
	in = data;
	in_end = data + size;
	attach_first(byte() & 3);
	for (unsigned n = 0; in < in_end && n < 500; n++)
		step();
	for (int i = 0; i < CLIENTS; i++)
		client_close(&clients[i]);
	fdb_forget(uplink);
	rounds(80); /* one connection is accepted per round; the listener's queue holds 64 */
	must(!sw.nr_instances && list_empty(&sw.dead) && list_first(&sw.ports, struct port, link) == uplink &&
	     uplink->link.next == &sw.ports && list_empty(&sw.active));
	fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	must(fd == first_fd); /* none is left open */
	close(fd);
	return 0;
}
