/* SPDX-License-Identifier: MIT */
/*
 * Where a frame goes. Instances' addresses are assigned and stand in the table for good; what is behind an uplink is learned and forgotten
 * after five minutes. Broadcasts go to everyone, but a question for an instance's IPv4 address goes to that instance alone.
 */
#include "scheduler/switch.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/hash.h"

#define FDB_BUCKETS	1024
#define FDB_LEARNED_MAX 4096
#define FDB_AGE_S	300

struct fdb_entry {
	struct fdb_entry *next;
	u8 mac[6];
	bool is_static;
	time_t seen;
	struct port *port;
};
static struct fdb_entry *fdb[FDB_BUCKETS];
static unsigned nr_learned;

static struct fdb_entry **bucket(const u8 *mac)
{
	u64 key = 0;

	memcpy(&key, mac, 6);
	return &fdb[hash_u64(key) % FDB_BUCKETS];
}

static time_t now_s(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC_COARSE, &ts);
	return ts.tv_sec;
}

static struct fdb_entry *entry_find(const u8 *mac)
{
	for (struct fdb_entry *e = *bucket(mac); e; e = e->next)
		if (!memcmp(e->mac, mac, 6))
			return e;
	return NULL;
}

struct port *fdb_find(const u8 *mac)
{
	struct fdb_entry *e = entry_find(mac);

	return e && (e->is_static || now_s() - e->seen < FDB_AGE_S) ? e->port : NULL;
}

static int entry_add(const u8 *mac, struct port *p, bool is_static)
{
	struct fdb_entry *e = malloc(sizeof(*e)), **b = bucket(mac);

	if (!e)
		return -ENOMEM;
	*e = (struct fdb_entry){ .next = *b, .is_static = is_static, .seen = now_s(), .port = p };
	memcpy(e->mac, mac, 6);
	*b = e;
	nr_learned += !is_static;
	return 0;
}

/* Entries of `p`, or (NULL) the learned ones that have aged. */
static void sweep(const struct port *p)
{
	time_t now = now_s();

	for (unsigned i = 0; i < FDB_BUCKETS; i++)
		for (struct fdb_entry **at = &fdb[i]; *at;) {
			struct fdb_entry *e = *at;

			if (p ? e->port == p : !e->is_static && now - e->seen >= FDB_AGE_S) {
				*at = e->next;
				nr_learned -= !e->is_static;
				free(e);
			} else {
				at = &e->next;
			}
		}
}

int fdb_add_port(struct port *p)
{
	return entry_add(p->guard.mac, p, true);
}

void fdb_forget(struct port *p)
{
	sweep(p);
}

/* False: the source is an instance's, and the frame came in from outside. */
static bool learn(struct port *from, const u8 *mac)
{
	struct fdb_entry *e;

	if (mac[0] & 1)
		return false;
	e = entry_find(mac);
	if (e) {
		if (e->is_static)
			return false;
		e->port = from;
		e->seen = now_s();
		return true;
	}
	if (nr_learned >= FDB_LEARNED_MAX)
		sweep(NULL);
	if (nr_learned < FDB_LEARNED_MAX)
		(void)entry_add(mac, from, false);
	return true;
}

static void send_to(struct port *to, const struct frame *f)
{
	if (to->is_dead)
		return;
	if (to->ops->deliver(to, f)) {
		to->stats.tx_frames++;
		to->stats.tx_bytes += f->len;
	} else {
		to->stats.full++;
	}
}

/* The instance that an ARP request asks for. */
static struct port *arp_target(const struct frame *f)
{
	u8 mac[6] = { 0x02, sw.mac_byte };

	if (f->len < 42 || f->head[12] != 8 || f->head[13] != 6 || f->head[21] != 1)
		return NULL;
	memcpy(mac + 2, f->head + 38, 4);
	return fdb_find(mac);
}

static void flood(struct port *from, const struct frame *f, bool uplinks_only)
{
	struct port *p;
	bool any = false;

	list_for_each(p, &sw.ports, link) {
		if (p == from || (uplinks_only && !p->ops->is_uplink))
			continue;
		any = true;
		send_to(p, f);
	}
	if (!any)
		from->stats.unknown_dst++;
}

void forward(struct port *from, const struct frame *f)
{
	const u8 *dst = f->head;
	struct port *to;

	if (from->ops->is_uplink && !learn(from, f->head + 6)) {
		from->stats.spoofed++;
		return;
	}
	if (dst[0] & 1) {
		to = arp_target(f);
		if (!to || to == from)
			return flood(from, f, false);
	} else {
		to = fdb_find(dst);
		if (!to)
			return from->ops->is_uplink ? (void)from->stats.unknown_dst++ : flood(from, f, true);
		if (to == from)
			return;
		direct_consider(from, to);
	}
	send_to(to, f);
}
