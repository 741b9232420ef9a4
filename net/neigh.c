/* SPDX-License-Identifier: MIT */
/*
 * The neighbour cache of both families with neighbour unreachability detection (RFC 4861 7.3; ARP uses the same machine, RFC 1122
 * 2.3.2.1), and ARP itself. Bounded: NEIGH_MAX entries, the least useful makes room; packets that wait for an answer share
 * QUEUE_BYTES. Under net_lock; one timer, armed only while an entry waits for something.
 */
#include "net/stack.h"
#include "userlib/base/mem.h"
#include "userlib/base/string.h"
#include <linux/icmp.h>
#include <linux/icmpv6.h>
#include <linux/in.h>
#include <linux/neighbour.h>

#define NEIGH_MAX 256u
#define NEIGH_HASH 64u
#define QUEUE_BYTES (256u * 1024)
#define RETRANS_NS NSEC_PER_SEC
#define REACHABLE_NS (30 * NSEC_PER_SEC)
#define DELAY_NS (5 * NSEC_PER_SEC)
#define PROBES 3u

struct arp_pkt {
	u16 htype, ptype;
	u8 hlen, plen;
	u16 op;
	u8 sha[6];
	u32 spa;
	u8 tha[6];
	u32 tpa;
} attr_packed;

struct waiting { /* a packet that waits for an address */
	struct list link;
	struct tx_meta meta;
	u32 len;
	u8 data[]; /* NET_HEADROOM, then the packet */
};
struct neigh {
	struct list hash_link, all_link;
	struct ip_addr ip;
	struct netif *on;
	u8 mac[6], state; /* NUD_* */
	u8 probes;
	bool is_router;
	s64 deadline, used_ns; /* deadline: of REACHABLE, DELAY and each probe */
	struct list queue;
};
static struct slab neigh_slab = SLAB_INIT("neigh", struct neigh);
static struct list hash[NEIGH_HASH], all = LIST_INIT(all);
static u32 nr_neigh, queued_bytes;
static struct timer timer;

static struct list *bucket(struct ip_addr ip)
{
	struct list *b = &hash[ip_hash(ip) % NEIGH_HASH];

	if (!b->next)
		list_init(b);
	return b;
}

static struct neigh *find(struct ip_addr ip)
{
	struct neigh *n;

	list_for_each(n, bucket(ip), hash_link)
		if (ip_eq(n->ip, ip))
			return n;
	return NULL;
}

u32 neigh_waiting(void)
{
	return queued_bytes;
}

static void drop_first(struct neigh *n)
{
	struct waiting *w = list_first(&n->queue, struct waiting, link);

	list_del(&w->link);
	queued_bytes -= w->len;
	kmem_free(w, sizeof(*w) + NET_HEADROOM + w->len);
}

static void drop_queue(struct neigh *n)
{
	while (!list_empty(&n->queue)) {
		net_drop(NET_DROP_no_neighbour);
		drop_first(n);
	}
}

static void set_state(struct neigh *n, u8 state)
{
	if (n->state != state)
		net_changed(NET_CHANGE_NEIGH);
	n->state = state;
}

static void forget(struct neigh *n)
{
	net_changed(NET_CHANGE_NEIGH);
	drop_queue(n);
	list_del(&n->hash_link);
	list_del(&n->all_link);
	nr_neigh--;
	slab_free(&neigh_slab, n);
}

void neigh_flush(const struct netif *on)
{
	struct neigh *n, *next;

	list_for_each_safe(n, next, &all, all_link)
		if (n->on == on)
			forget(n);
}

/* Unresolved entries go first (a scan must not push out the neighbours in use), then the one not used longest. */
static void make_room(void)
{
	struct neigh *n, *worst = NULL;

	list_for_each(n, &all, all_link) {
		bool bad = n->state & (NUD_INCOMPLETE | NUD_FAILED), worst_bad = worst && worst->state & (NUD_INCOMPLETE | NUD_FAILED);

		if (!worst || bad > worst_bad || (bad == worst_bad && n->used_ns < worst->used_ns))
			worst = n;
	}
	if (worst)
		forget(worst);
}

static struct neigh *make(struct netif *on, struct ip_addr ip)
{
	struct neigh *n;

	if (nr_neigh >= NEIGH_MAX)
		make_room();
	n = slab_zalloc(&neigh_slab);
	if (!n)
		return NULL;
	n->ip = ip;
	n->on = on;
	n->state = NUD_NONE;
	n->used_ns = clock_monotonic_ns();
	list_init(&n->queue);
	list_add(bucket(ip), &n->hash_link);
	list_add_tail(&all, &n->all_link);
	nr_neigh++;
	return n;
}

/* ---- asking ---- */

static u8 arp_frame[NET_HEADROOM + sizeof(struct arp_pkt)];

static void arp_send(struct netif *n, u16 op, const u8 *to, u32 ip)
{
	static const u8 everybody[6] = { 255, 255, 255, 255, 255, 255 };
	struct arp_pkt *a = (struct arp_pkt *)(arp_frame + NET_HEADROOM);
	struct tx_meta m = { 0 };

	*a = (struct arp_pkt){ .htype = be16(1), .ptype = be16(ETH_TYPE_IP), .hlen = 6, .plen = 4, .op = be16(op), .spa = n->ip, .tpa = ip };
	memcpy(a->sha, n->mac, 6);
	if (op != 1)
		memcpy(a->tha, to, 6);
	(void)eth_frame(n, to ? to : everybody, ETH_TYPE_ARP, (u8 *)a, sizeof(*a), &m);
}

/* RFC 5227, 2.3: our address is ours; switches and peers learn where it is. */
void arp_announce(struct netif *n)
{
	if (n->ip)
		arp_send(n, 1, NULL, n->ip);
}

static void ask(struct neigh *n)
{
	const u8 *to = n->state == NUD_PROBE ? n->mac : NULL;

	n->probes++;
	n->deadline = clock_monotonic_ns() + RETRANS_NS;
	if (ip_is4(n->ip))
		arp_send(n->on, 1, to, ip4_of(n->ip));
	else
		nd_solicit(n->on, n->ip, to);
}

static void arm(s64 when)
{
	if (!timer.fn || (timer_is_armed(&timer) && timer.expires_ns <= when))
		return;
	timer_start(&timer, when);
}

/* RFC 4861 7.2.2: senders of what waited are told. */
static void unreachable(struct neigh *n)
{
	struct waiting *w, *next;
	bool v6 = !ip_is4(n->ip);
	struct list told;

	list_init(&told);
	list_splice_tail(&told, &n->queue);
	list_for_each_safe(w, next, &told, link) {
		const u8 *p = w->data + NET_HEADROOM;
		struct icmp_error e = { .origin = EE_LOCAL, .err = EHOSTUNREACH, .hard = true };
		u32 off = v6 ? sizeof(struct ip6_hdr) : (p[0] & 15) * 4u;

		e.proto = v6 ? p[6] : p[9];
		e.local = v6 ? ip6_addr(p + 8) : ip4_addr(((const struct ip_hdr *)p)->src);
		e.remote = v6 ? ip6_addr(p + 24) : ip4_addr(((const struct ip_hdr *)p)->dst);
		e.offender = e.local;
		e.quoted = p + off;
		e.quoted_len = w->len > off ? w->len - off : 0;
		list_del(&w->link);
		queued_bytes -= w->len;
		net_drop(NET_DROP_no_neighbour);
		icmp_error_deliver(&e);
		kmem_free(w, sizeof(*w) + NET_HEADROOM + w->len);
	}
}

static void step(struct neigh *n, s64 now)
{
	switch (n->state) {
	case NUD_DELAY:
		set_state(n, NUD_PROBE);
		n->probes = 0;
		ask(n);
		break;
	case NUD_PROBE:
	case NUD_INCOMPLETE:
		if (n->probes < PROBES) {
			ask(n);
			break;
		}
		set_state(n, NUD_FAILED);
		n->deadline = now + 3 * RETRANS_NS; /* asked again only after a pause */
		unreachable(n);
		break;
	default:
		break;
	}
}

static void expire(struct timer *t)
{
	s64 now = clock_monotonic_ns(), next = TIME_FOREVER;
	struct neigh *n, *nn;

	(void)t;
	net_lock_get();
	list_for_each_safe(n, nn, &all, all_link) {
		if (!(n->state & (NUD_DELAY | NUD_PROBE | NUD_INCOMPLETE)))
			continue;
		if (n->deadline <= now)
			step(n, now);
		if (n->state & (NUD_DELAY | NUD_PROBE | NUD_INCOMPLETE))
			next = MIN(next, n->deadline);
	}
	if (next != TIME_FOREVER)
		timer_start(&timer, next);
	net_lock_put();
}

/* ---- sending ---- */

static void keep(struct neigh *n, const u8 *l3, u32 len, const struct tx_meta *m)
{
	struct waiting *w;

	while (queued_bytes + len > QUEUE_BYTES && !list_empty(&n->queue)) {
		net_drop(NET_DROP_no_neighbour);
		drop_first(n);
	}
	w = queued_bytes + len > QUEUE_BYTES ? NULL : kmem_alloc(sizeof(*w) + NET_HEADROOM + len);
	if (!w)
		return net_drop(NET_DROP_no_neighbour);
	w->meta = *m;
	w->len = len;
	memcpy(w->data + NET_HEADROOM, l3, len);
	queued_bytes += len;
	list_add_tail(&n->queue, &w->link);
}

static void age(struct neigh *n, s64 now)
{
	if (n->state == NUD_REACHABLE && now >= n->deadline)
		set_state(n, NUD_STALE);
}

/* The address is known, and using it changes nothing: what a reader may do. */
static bool is_settled(const struct neigh *n, s64 now)
{
	return n && (n->state & (NUD_DELAY | NUD_PROBE) || (n->state == NUD_REACHABLE && now < n->deadline));
}

int neigh_send(struct netif *on, struct ip_addr hop, u8 *l3, u32 len, const struct tx_meta *m)
{
	struct neigh *n = find(hop);
	s64 now = clock_monotonic_ns();

	if (net_is_reader()) {
		if (n && n->state == NUD_FAILED && now < n->deadline) {
			net_drop(NET_DROP_no_neighbour);
			return -EHOSTUNREACH;
		}
		if (!is_settled(n, now))
			return net_defer_send(on, hop, l3, len, m);
		store_relaxed(&n->used_ns, now);
		return eth_frame(on, n->mac, ip_is4(hop) ? ETH_TYPE_IP : ETH_TYPE_IP6, l3, len, m);
	}
	if (!timer.fn)
		timer_init(&timer, expire);
	if (!n)
		n = make(on, hop);
	if (!n) {
		net_drop(NET_DROP_no_memory);
		return -ENOBUFS;
	}
	n->used_ns = now;
	age(n, now);
	if (n->state == NUD_FAILED && now < n->deadline) {
		net_drop(NET_DROP_no_neighbour);
		return -EHOSTUNREACH;
	}
	if (n->state & (NUD_NONE | NUD_FAILED) || !n->state) {
		set_state(n, NUD_INCOMPLETE);
		n->probes = 0;
		keep(n, l3, len, m); /* before asking: the request is built elsewhere, but an answer may come at once */
		ask(n);
		arm(n->deadline);
		return 0;
	}
	if (n->state == NUD_INCOMPLETE) {
		keep(n, l3, len, m);
		return 0;
	}
	if (n->state == NUD_STALE) {
		set_state(n, NUD_DELAY);
		n->deadline = now + DELAY_NS;
		arm(n->deadline);
	}
	return eth_frame(on, n->mac, ip_is4(hop) ? ETH_TYPE_IP : ETH_TYPE_IP6, l3, len, m);
}

bool neigh_is_usable(struct ip_addr ip)
{
	struct neigh *n = find(ip);

	return !n || n->state != NUD_FAILED;
}

void neigh_confirm(struct ip_addr ip)
{
	struct neigh *n = find(ip);

	if (n && n->state & (NUD_REACHABLE | NUD_STALE | NUD_DELAY | NUD_PROBE)) {
		set_state(n, NUD_REACHABLE);
		n->deadline = clock_monotonic_ns() + REACHABLE_NS;
	}
}

/* ---- learning ---- */

static void flush(struct neigh *n)
{
	struct list go;
	struct waiting *w, *next;

	list_init(&go);
	list_splice_tail(&go, &n->queue);
	list_for_each_safe(w, next, &go, link) {
		list_del(&w->link);
		queued_bytes -= w->len;
		(void)eth_frame(n->on, n->mac, ip_is4(n->ip) ? ETH_TYPE_IP : ETH_TYPE_IP6, w->data + NET_HEADROOM, w->len, &w->meta);
		kmem_free(w, sizeof(*w) + NET_HEADROOM + w->len);
	}
}

void neigh_learn(struct netif *on, struct ip_addr ip, const u8 *mac, u32 flags)
{
	struct neigh *n = find(ip);
	s64 now = clock_monotonic_ns();
	bool differs;

	if (mac && (mac[0] & 1 || ip_is_multicast(ip) || ip_is_any(ip) || ip_is_loopback(ip) || ip_is_broadcast(ip)))
		return; /* a group is nobody's address */
	if (!n && mac && flags & NEIGH_MAKE)
		n = make(on, ip);
	if (!n)
		return;
	n->is_router = flags & NEIGH_ROUTER;
	if (n->state & (NUD_NONE | NUD_INCOMPLETE | NUD_FAILED) || !n->state) {
		if (!mac)
			return;
		memcpy(n->mac, mac, 6);
		set_state(n, flags & NEIGH_SOLICITED ? NUD_REACHABLE : NUD_STALE);
		n->deadline = now + REACHABLE_NS;
		flush(n);
		return;
	}
	differs = mac && memcmp(n->mac, mac, 6);
	if (differs && !(flags & NEIGH_OVERRIDE)) {
		if (n->state == NUD_REACHABLE)
			set_state(n, NUD_STALE);
		return;
	}
	if (differs)
		memcpy(n->mac, mac, 6);
	if (flags & NEIGH_SOLICITED) {
		set_state(n, NUD_REACHABLE);
		n->deadline = now + REACHABLE_NS;
	} else if (differs) {
		set_state(n, NUD_STALE);
	}
}

/* RFC 826; an entry is made only for who speaks to us, so that a scan of the subnet fills no table. */
void arp_input(struct netif *n, const u8 *p, u32 len)
{
	struct arp_pkt a;
	bool for_us;

	if (len < sizeof(a))
		return net_drop(NET_DROP_runt);
	memcpy(&a, p, sizeof(a));
	if (a.htype != be16(1) || a.ptype != be16(ETH_TYPE_IP) || a.hlen != 6 || a.plen != 4 || (a.op != be16(1) && a.op != be16(2)))
		return net_drop(NET_DROP_bad_header);
	for_us = n->ip && a.tpa == n->ip;
	if (a.spa == n->ip)
		return net_drop(NET_DROP_not_ours);
	if (a.spa && (n->ip & n->mask) == (a.spa & n->mask))
		neigh_learn(n, ip4_addr(a.spa), a.sha, (for_us ? NEIGH_MAKE : 0u) | NEIGH_OVERRIDE | (for_us && a.op == be16(2) ? NEIGH_SOLICITED : 0u));
	if (a.op == be16(1) && for_us)
		arp_send(n, 2, a.sha, a.spa);
}

int net_neighinfo(unsigned i, struct net_neighinfo *out)
{
	s64 now = clock_monotonic_ns();
	struct neigh *n;
	int r = -ENOENT;

	net_lock_get();
	list_for_each(n, &all, all_link) {
		if (i--)
			continue;
		age(n, now);
		*out = (struct net_neighinfo){ .ip = n->ip, .ifindex = n->on->index, .nud_state = n->state, .is_router = n->is_router };
		memcpy(out->mac, n->mac, 6);
		r = 0;
		break;
	}
	net_lock_put();
	return r;
}
