/* SPDX-License-Identifier: MIT */
/*
 * Direct links: two instances of the same owner that keep talking through the switch get lanes of their own, and the switch is out of
 * their way. It only makes the memory and introduces them; each checks the other's source addresses from then on.
 */
#include "scheduler/switch.h"

#include <string.h>
#include <unistd.h>

#define ENOUGH_FRAMES 4

static u32 slot_of(const struct port *a, const struct port *b)
{
	for (u32 i = 1; i < JABI_LINKS_MAX; i++)
		if (a->peers[i] == b)
			return i;
	return 0;
}

static bool introduce(struct port *to, const struct port *peer, u32 slot, u32 side, int link)
{
	struct jabi_port_msg m = { .type = JABI_PORT_PEER_ADD, .slot = slot, .side = side, .ip4 = peer->guard.ip4, .mtu = sw.mtu };
	int fds[2] = { link, peer->bell };

	memcpy(m.mac, peer->guard.mac, 6);
	memcpy(m.ip6, peer->guard.ip6, 16);
	memcpy(m.name, peer->name, sizeof(m.name));
	if (!control_send(to, &m, fds, 2))
		return false;
	port_ring(to);
	return true;
}

static void make_link(struct port *a, struct port *b)
{
	u32 slot_a = slot_of(a, NULL), slot_b = slot_of(b, NULL);
	int link;

	if (!slot_a || !slot_b)
		return; /* enough of them: the switch goes on carrying these two */
	link = link_create();
	if (link < 0)
		return;
	a->peers[slot_a] = b;
	b->peers[slot_b] = a;
	a->nr_peers++;
	b->nr_peers++;
	/* b first: it then knows what a's first frame belongs to. A port that does not read its messages is killed by control_send. */
	if (introduce(b, a, slot_b, 1, link) && !a->is_dead)
		(void)introduce(a, b, slot_a, 0, link);
	close(link);
}

void direct_consider(struct port *a, struct port *b)
{
	u8 *score = &a->score[b->number % PEER_SCORES];

	if (!sw.direct || a->ops->is_uplink || b->ops->is_uplink || a->uid != b->uid || !(a->flags & b->flags & JABI_PORT_F_DIRECT))
		return;
	if (*score < ENOUGH_FRAMES) {
		++*score;
		return;
	}
	if (!slot_of(a, b))
		make_link(a, b);
}

void direct_forget(struct port *p)
{
	for (u32 i = 1; i < JABI_LINKS_MAX; i++) {
		struct port *o = p->peers[i];
		u32 slot = o ? slot_of(o, p) : 0;
		struct jabi_port_msg m = { .type = JABI_PORT_PEER_DEL, .slot = slot };

		if (!slot)
			continue;
		p->peers[i] = NULL;
		o->peers[slot] = NULL;
		o->nr_peers--;
		if (control_send(o, &m, NULL, 0))
			port_ring(o);
	}
}
