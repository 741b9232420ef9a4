/* SPDX-License-Identifier: MIT */
/* Ports of instances: their memory, bells and addresses, and what the switch takes from and puts into their lanes. */
#include "scheduler/switch.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>

struct sw sw;

int link_create(void)
{
	int fd = memfd_create("junction-link", MFD_CLOEXEC | MFD_ALLOW_SEALING), err;
	struct jabi_link_head h = { .magic = JABI_LINK_MAGIC, .bytes = JABI_LINK_BYTES };

	if (fd < 0)
		return -errno;
	h.lane[0].armed = h.lane[1].armed = 1;
	/* Sealed, so that no holder can shorten it under the others. */
	if (ftruncate(fd, JABI_LINK_BYTES) || pwrite(fd, &h, sizeof(h), 0) != (ssize_t)sizeof(h) ||
	    fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL)) {
		err = -errno;
		close(fd);
		return err;
	}
	return fd;
}

void port_ring(struct port *p)
{
	char one = 1;

	if (write(p->bell, &one, 1) < 0) {
		/* Full: it has been rung and did not come yet. Nobody reads: its control socket tells. */
	}
}

/* ---- frames ---- */

static unsigned lane_pull(struct port *p, unsigned budget)
{
	unsigned n = 0;

	for (; n < budget && !p->is_dead; n++) {
		struct frame f;
		int r = lane_rx_peek(&p->rx, &f.meta);

		if (!r)
			break;
		if (r > 0) {
			const u8 *at = p->rx.data + f.meta.off;

			f.len = f.meta.len;
			f.head_len = MIN(f.len, (u32)LANE_GUARD_BYTES);
			memcpy(f.head, at, f.head_len);
			f.rest = at + f.head_len;
			p->stats.rx_frames++;
			p->stats.rx_bytes += f.len;
			if (lane_guard_passes(&p->guard, f.head, f.len))
				forward(p, &f);
			else
				p->stats.spoofed++;
		} else {
			p->stats.malformed++;
		}
		lane_rx_done(&p->rx);
	}
	return n;
}

static bool lane_deliver(struct port *p, const struct frame *f)
{
	u8 *to = lane_tx_reserve(&p->tx, f->len);
	struct jabi_desc d = f->meta;

	if (!to)
		return false;
	memcpy(to, f->head, f->head_len);
	memcpy(to + f->head_len, f->rest, f->len - f->head_len);
	d.len = f->len;
	if (lane_tx_publish(&p->tx, &d))
		port_ring(p);
	return true;
}

static bool lane_arm(struct port *p)
{
	if (!lane_rx_arm(&p->rx))
		return false;
	lane_rx_disarm(&p->rx);
	return true;
}

static void lane_destroy(struct port *p)
{
	if (p->map)
		munmap(p->map, JABI_LINK_BYTES);
	if (p->bell >= 0)
		close(p->bell);
	if (p->bell_read >= 0)
		close(p->bell_read);
	if (p->memfd >= 0)
		close(p->memfd);
}

const struct port_ops lane_ops = { .kind = 0, .pull = lane_pull, .deliver = lane_deliver, .arm = lane_arm, .destroy = lane_destroy };

static void kicked(struct source *s, u32 events)
{
	struct port *p = container_of(s, struct port, kick);
	u64 count;

	(void)events;
	if (read(s->fd, &count, sizeof(count)) < 0) {
		/* the port's other holder took it: nothing is lost, we look anyway */
	}
	port_activate(p);
}

void port_activate(struct port *p)
{
	if (p->is_dead)
		return;
	p->idle_rounds = 0;
	if (list_empty(&p->active_link)) {
		list_add_tail(&sw.active, &p->active_link);
		if (!p->ops->is_uplink)
			lane_rx_disarm(&p->rx);
	}
}

/* ---- life ---- */

struct port *port_create(const struct port_ops *ops)
{
	struct port *p = calloc(1, sizeof(*p));

	if (!p)
		return NULL;
	p->ops = ops;
	p->number = ++sw.next_number;
	p->ctl.fd = p->kick.fd = p->bell = p->bell_read = p->memfd = -1;
	list_init(&p->active_link);
	list_add_tail(&sw.ports, &p->link);
	return p;
}

static void mac_for(u32 ip4, u8 *mac)
{
	mac[0] = 0x02; /* unicast, locally administered */
	mac[1] = sw.mac_byte;
	memcpy(mac + 2, &ip4, 4);
}

/* The wish if it is of our net and free, else the next free address. 0: none. */
static u32 choose_ip4(u32 wish)
{
	u32 hosts = sw.prefix_len < 31 ? (1u << (32 - sw.prefix_len)) - 2 : 0;
	u8 mac[6];

	if (wish) {
		u32 host = ntohl(wish) - sw.net4;

		mac_for(wish, mac);
		return host >= 1 && host <= hosts && wish != sw.gw4 && !fdb_find(mac) ? wish : 0;
	}
	for (u32 i = 0; i < hosts; i++) {
		u32 ip;

		sw.next_host = sw.next_host % hosts + 1;
		if (sw.next_host == 1)
			continue; /* by custom the router's */
		ip = htonl(sw.net4 + sw.next_host);
		mac_for(ip, mac);
		if (ip != sw.gw4 && !fdb_find(mac))
			return ip;
	}
	return 0;
}

static int open_memory(struct port *p)
{
	int pipe_fd[2], kick;

	p->memfd = link_create();
	if (p->memfd < 0)
		return p->memfd;
	p->map = mmap(NULL, JABI_LINK_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, p->memfd, 0);
	if (p->map == MAP_FAILED) {
		p->map = NULL;
		return -errno;
	}
	lane_rx_init(&p->rx, p->map, 0);
	lane_tx_init(&p->tx, p->map, 1);
	if (pipe2(pipe_fd, O_CLOEXEC | O_NONBLOCK))
		return -errno;
	p->bell_read = pipe_fd[0];
	p->bell = pipe_fd[1];
	(void)fcntl(p->bell, F_SETPIPE_SZ, 4096); /* a user's pipes are counted in pages */
	kick = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (kick < 0)
		return -errno;
	p->kick.ready = kicked;
	if (loop_watch(&p->kick, kick, 1 /* EPOLLIN */)) {
		close(kick);
		return -ENOMEM;
	}
	return 0;
}

int port_create_lane(const struct jabi_port_hello *h, u32 uid, struct port **out)
{
	struct port *p;
	u32 ip = choose_ip4(h->ip4);
	int r;

	if (!ip)
		return h->ip4 ? -EADDRINUSE : -EADDRNOTAVAIL;
	p = port_create(&lane_ops);
	if (!p)
		return -ENOMEM;
	sw.nr_instances++;
	p->uid = uid;
	p->flags = h->flags;
	p->guard.ip4 = ip;
	memcpy(p->guard.ip6, h->ip6, 16);
	mac_for(ip, p->guard.mac);
	memcpy(p->name, h->name, sizeof(p->name));
	p->name[sizeof(p->name) - 1] = 0;
	r = open_memory(p);
	if (!r)
		r = fdb_add_port(p);
	if (r) {
		port_kill(p);
		return r;
	}
	*out = p;
	return 0;
}

void port_kill(struct port *p)
{
	if (p->is_dead)
		return;
	p->is_dead = true;
	fdb_forget(p);
	loop_unwatch(&p->ctl);
	loop_unwatch(&p->kick);
	/* active_link stays until it is buried: whoever walks the active ports may stand on it */
	list_del(&p->link);
	list_add_tail(&sw.dead, &p->link);
	if (!p->ops->is_uplink)
		sw.nr_instances--;
	direct_forget(p);
}

/* Only between rounds of the loop: nobody holds a pointer then. */
void port_bury_dead(void)
{
	struct port *p, *next;

	list_for_each_safe(p, next, &sw.dead, link) {
		list_del(&p->link);
		list_del(&p->active_link);
		p->ops->destroy(p);
		free(p);
	}
}
