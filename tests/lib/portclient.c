/* SPDX-License-Identifier: MIT */
/*
 * A client of the switch for tests: speaks jabi_port.h without an instance. `portclient SOCKET idle N` holds N ports until stdin ends;
 * `spoof` sends frames with foreign sources; `garbage` fills a port's memory with noise while two others talk. Exit code 0: as it must be.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/lane.h"
#include "tools/jctl/switch.h"

struct client {
	int sock, link, bell, kick;
	struct jabi_port_msg m;
	void *map;
	struct lane_tx tx;
	struct lane_rx rx;
};

static void die(const char *what)
{
	printf("portclient: %s: %s\n", what, strerror(errno));
	exit(1);
}

static void attach(struct client *c, const char *path)
{
	struct jabi_port_hello h = { .magic = JABI_PORT_MAGIC, .version = JABI_PORT_VERSION, .op = JABI_PORT_ATTACH, .name = "client" };
	int fds[3];
	unsigned nr;

	memset(c, 0, sizeof(*c));
	c->sock = switch_connect(path);
	if (c->sock < 0 || send(c->sock, &h, sizeof(h), 0) != (ssize_t)sizeof(h))
		die("connect");
	if (switch_recv(c->sock, &c->m, fds, &nr) <= 0 || c->m.type != JABI_PORT_ATTACHED || nr != 3)
		die("no port");
	c->link = fds[0];
	c->bell = fds[1];
	c->kick = fds[2];
}

static void map_link(struct client *c)
{
	c->map = mmap(NULL, JABI_LINK_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, c->link, 0);
	if (c->map == MAP_FAILED)
		die("mmap");
	lane_tx_init(&c->tx, c->map, 0);
	lane_rx_init(&c->rx, c->map, 1);
}

static void ring(struct client *c)
{
	u64 one = 1;

	if (write(c->kick, &one, 8) != 8)
		die("kick");
}

static bool put(struct client *c, const u8 *frame, u32 len)
{
	u8 *to = lane_tx_reserve(&c->tx, len);
	struct jabi_desc d = { .len = len };

	if (!to)
		return false;
	memcpy(to, frame, len);
	if (lane_tx_publish(&c->tx, &d))
		ring(c);
	return true;
}

/* The next frame within ms, its length; 0: none came. */
static u32 get_any(struct client *c, u8 *frame, int ms)
{
	struct pollfd p = { .fd = c->bell, .events = POLLIN };
	struct jabi_desc d;
	char junk[64];
	int r;

	while (!(r = lane_rx_peek(&c->rx, &d))) {
		if (lane_rx_arm(&c->rx))
			continue;
		if (poll(&p, 1, ms) <= 0)
			return 0;
		if (read(c->bell, junk, sizeof(junk)) <= 0)
			return 0;
	}
	if (r < 0)
		die("the switch wrote a bad descriptor");
	memcpy(frame, c->rx.data + d.off, d.len);
	lane_rx_done(&c->rx);
	return d.len;
}

/* The next one to c alone: instances beside us talk to everybody (neighbour discovery). */
static u32 get(struct client *c, u8 *frame, int ms)
{
	u32 len;

	do
		len = get_any(c, frame, ms);
	while (len && memcmp(frame, c->m.mac, 6));
	return len;
}

/* An IPv4 frame from a to b with a mark at its end. */
static void make_frame(u8 *f, const struct client *a, const struct client *b, u8 mark)
{
	memset(f, 0, 64);
	memcpy(f, b->m.mac, 6);
	memcpy(f + 6, a->m.mac, 6);
	f[12] = 8;
	f[14] = 0x45;
	memcpy(f + 26, &a->m.ip4, 4);
	memcpy(f + 30, &b->m.ip4, 4);
	f[63] = mark;
}

static int idle(const char *path, int n)
{
	struct client *c = calloc((size_t)n, sizeof(*c));
	char byte;

	for (int i = 0; i < n; i++)
		attach(&c[i], path);
	printf("ready\n");
	fflush(stdout);
	while (read(0, &byte, 1) > 0)
		;
	return 0;
}

/* How many frames the switch says it dropped of c's for their source. */
static u64 spoofed(const char *path, const struct client *c)
{
	struct jabi_port_hello h = { .magic = JABI_PORT_MAGIC, .version = JABI_PORT_VERSION, .op = JABI_PORT_STATUS };
	struct jabi_port_msg m;
	u64 n = ~0ull;
	int fd = switch_connect(path), fds[3];
	unsigned nr;

	if (fd < 0 || send(fd, &h, sizeof(h), 0) != (ssize_t)sizeof(h))
		die("status");
	while (switch_recv(fd, &m, fds, &nr) > 0 && m.type == JABI_PORT_STATUS_PORT)
		if (m.ip4 == c->m.ip4)
			n = m.spoofed;
	close(fd);
	return n;
}

static int spoof(const char *path)
{
	struct client a, b;
	u8 f[64], got[JABI_FRAME_MAX];

	attach(&a, path);
	attach(&b, path);
	map_link(&a);
	map_link(&b);
	make_frame(f, &a, &b, 1); /* another's MAC */
	memcpy(f + 6, b.m.mac, 6);
	put(&a, f, 64);
	make_frame(f, &a, &b, 2); /* another's IPv4 address */
	memcpy(f + 26, &b.m.ip4, 4);
	put(&a, f, 64);
	make_frame(f, &a, &b, 3); /* an ARP answer for another's address */
	f[13] = 6;
	f[21] = 2;
	memcpy(f + 22, a.m.mac, 6);
	memcpy(f + 28, &b.m.ip4, 4);
	put(&a, f, 64);
	make_frame(f, &a, &b, 4);
	put(&a, f, 64);
	if (get(&b, got, 3000) != 64 || got[63] != 4) {
		printf("frame %d arrived first\n", got[63]);
		return 1;
	}
	if (get(&b, got, 200))
		return printf("a second frame arrived\n"), 1;
	if (spoofed(path, &a) != 3)
		return printf("%llu frames counted\n", (unsigned long long)spoofed(path, &a)), 1;
	printf("address %u.%u.%u.%u\n", a.m.ip4 & 255, a.m.ip4 >> 8 & 255, a.m.ip4 >> 16 & 255, a.m.ip4 >> 24);
	return 0;
}

static bool exchange(struct client *a, struct client *b, u8 mark)
{
	u8 f[64], got[JABI_FRAME_MAX];

	make_frame(f, a, b, mark);
	return put(a, f, 64) && get(b, got, 3000) == 64 && got[63] == mark;
}

static int garbage(const char *path)
{
	struct client bad, a, b;

	attach(&a, path);
	attach(&b, path);
	map_link(&a);
	map_link(&b);
	srandom(1);
	for (int round = 0; round < 40; round++) {
		attach(&bad, path);
		map_link(&bad);
		for (int i = 0; i < 20; i++) {
			u32 *w = bad.map, from = i & 1 ? 0 : 1024;

			for (u32 k = 0; k < 256 + (u32)i * 1024; k++)
				w[from + k] = random() & 1 ? (u32)random() : (u32)random() % 1024;
			for (u32 k = 0; k < JABI_LANE_DESCS && round & 1; k++) /* sequence numbers that make them valid */
				bad.tx.desc[k].seq = k + 1;
			ring(&bad);
			if (!exchange(&a, &b, (u8)(i + 1)) || !exchange(&b, &a, (u8)(i + 100)))
				return printf("round %d.%d: the others were disturbed\n", round, i), 1;
		}
		munmap(bad.map, JABI_LINK_BYTES);
		close(bad.link);
		close(bad.bell);
		close(bad.kick);
		close(bad.sock);
	}
	return 0;
}

int main(int argc, char **argv)
{
	if (argc == 4 && !strcmp(argv[2], "idle"))
		return idle(argv[1], atoi(argv[3]));
	if (argc == 3 && !strcmp(argv[2], "spoof"))
		return spoof(argv[1]);
	if (argc == 3 && !strcmp(argv[2], "garbage"))
		return garbage(argv[1]);
	fprintf(stderr, "usage: portclient SOCKET idle N | spoof | garbage\n");
	return 2;
}
