/* SPDX-License-Identifier: MIT */
/* Connections: life, look-up tables, ports, the keyed hash and initial sequence numbers (RFC 6528). Under net_lock. */
#include "net/tcp/tcp.h"
#include "userlib/base/mem.h"
#include "userlib/base/string.h"

#define CONN_HASH 1024
#define LISTEN_HASH 64

static struct slab conn_slab = SLAB_INIT("tcp", struct tcp_conn);
static struct list conns[CONN_HASH], listeners[LISTEN_HASH];
static u64 secret[2];

static struct list *bucket(struct list *table, u32 n, u32 i)
{
	struct list *b = &table[i % n];

	if (!b->next)
		list_init(b);
	return b;
}

static void sip_round(u64 v[4])
{
	v[0] += v[1];
	v[1] = (v[1] << 13 | v[1] >> 51) ^ v[0];
	v[0] = v[0] << 32 | v[0] >> 32;
	v[2] += v[3];
	v[3] = (v[3] << 16 | v[3] >> 48) ^ v[2];
	v[0] += v[3];
	v[3] = (v[3] << 21 | v[3] >> 43) ^ v[0];
	v[2] += v[1];
	v[1] = (v[1] << 17 | v[1] >> 47) ^ v[2];
	v[2] = v[2] << 32 | v[2] >> 32;
}

/* SipHash-2-4: a peer cannot aim at one bucket, nor guess sequence numbers, ports or cookies. */
u64 tcp_keyed_hash(struct ip_addr lip, u16 lport, struct ip_addr rip, u16 rport, u64 extra)
{
	u64 in[] = { lip.q[0], lip.q[1], rip.q[0], rip.q[1], (u64)lport << 16 | rport, extra, 48ull << 56 }, v[4];

	if (!secret[0])
		random_bytes(secret, sizeof(secret));
	v[0] = secret[0] ^ 0x736f6d6570736575ull;
	v[1] = secret[1] ^ 0x646f72616e646f6dull;
	v[2] = secret[0] ^ 0x6c7967656e657261ull;
	v[3] = secret[1] ^ 0x7465646279746573ull;
	for (u32 i = 0; i < ARRAY_SIZE(in); i++) {
		v[3] ^= in[i];
		sip_round(v);
		sip_round(v);
		v[0] ^= in[i];
	}
	v[2] ^= 0xff;
	for (u32 i = 0; i < 4; i++)
		sip_round(v);
	return v[0] ^ v[1] ^ v[2] ^ v[3];
}

static u32 tuple_hash(struct ip_addr lip, u16 lport, struct ip_addr rip, u16 rport)
{
	return (u32)tcp_keyed_hash(lip, lport, rip, rport, 0);
}

struct tcp_conn *tcp_conn_alloc(struct sock *s)
{
	struct tcp_conn *c = slab_zalloc(&conn_slab);

	if (!c)
		return NULL;
	c->s = s;
	s->tcp = c;
	list_init(&c->recs);
	list_init(&c->tx_order);
	list_init(&c->tw_link);
	list_init(&c->tx_wait);
	list_init(&c->accept_link);
	list_init(&c->accept_queue);
	timer_init(&c->timer, tcp_timer_fn);
	c->mss = c->rcv_mss = c->adv_mss = 536;
	c->cc = &tcp_cc_cubic;
	c->rto = TCP_RTO_INIT_NS;
	c->keep_idle_s = 7200;
	c->keep_intvl_s = 75;
	c->keep_cnt = 9;
	tcp_cc_init(c);
	return c;
}

void tcp_drop_data(struct tcp_conn *c)
{
	tcp_recs_free(c);
	c->nr_ooo = 0;
	ring_free(&c->snd);
	ring_free(&c->rcv);
}

void tcp_conn_free(struct tcp_conn *c)
{
	tcp_drop_data(c);
	list_del(&c->tx_wait);
	slab_free(&conn_slab, c);
}

struct sock *tcp_find(struct ip_addr lip, u16 lport, struct ip_addr rip, u16 rport)
{
	struct sock *s;

	if (unlikely(!secret[0])) /* nothing was ever hashed; and only a writer may choose it */
		return NULL;
	list_for_each(s, bucket(conns, CONN_HASH, tuple_hash(lip, lport, rip, rport)), hash_link)
		if (s->lport == lport && s->rport == rport && ip_eq(s->rip, rip) && ip_eq(s->lip, lip))
			return s;
	return NULL;
}

void tcp_hash_conn(struct sock *s)
{
	list_del(&s->hash_link);
	list_add(bucket(conns, CONN_HASH, tuple_hash(s->lip, s->lport, s->rip, s->rport)), &s->hash_link);
}

void tcp_hash_listener(struct sock *s)
{
	list_del(&s->hash_link);
	list_add(bucket(listeners, LISTEN_HASH, s->lport), &s->hash_link);
}

/* A specific address beats any; among SO_REUSEPORT listeners the flow's hash chooses. */
struct sock *tcp_find_listener(struct ip_addr lip, u16 lport, u32 hash)
{
	struct sock *s, *best[16];
	u32 n = 0;
	bool specific = false;

	list_for_each(s, bucket(listeners, LISTEN_HASH, lport), hash_link) {
		bool exact = ip_eq(s->lip, lip);

		if (s->lport != lport || !sock_covers(s, lip))
			continue;
		if (exact && !specific) {
			specific = true;
			n = 0;
		}
		if (exact == specific && n < ARRAY_SIZE(best))
			best[n++] = s;
	}
	return n ? best[hash % n] : NULL;
}

/* bind(2) rules: taken unless both allow it. */
bool tcp_port_free(struct sock *s, struct ip_addr ip, u16 port)
{
	struct sock *o;

	list_for_each(o, &net_socks, all_link) {
		bool listening;

		if (o == s || o->dead || o->type != s->type || o->lport != port || !o->lport || o->protocol != s->protocol)
			continue;
		if (!sock_overlaps(s, ip, o))
			continue;
		if (s->reuseport && o->reuseport && s->uid == o->uid)
			continue;
		listening = o->tcp && o->tcp->state == TCP_LISTEN;
		if (s->reuseaddr && o->reuseaddr && !listening)
			continue;
		if (o->tcp && o->tcp->state == TCP_TIME_WAIT && s->reuseaddr)
			continue;
		return false;
	}
	return true;
}

/* RFC 6056: random start, then upwards. */
int tcp_pick_port(struct sock *s, struct ip_addr ip, const struct ip_addr *rip, u16 rport)
{
	u32 base = 32768, n = 60999 - 32768 + 1, start = random_u32() % n;

	for (u32 i = 0; i < n; i++) {
		u16 p = (u16)(base + (start + i) % n);

		if (rip ? !tcp_find(ip, p, *rip, rport) && !tcp_find_listener(ip, p, 0) : tcp_port_free(s, ip, p)) {
			s->lport = p;
			return 0;
		}
	}
	return rip ? -EADDRNOTAVAIL : -EADDRINUSE;
}

/* RFC 6528: a clock of 4 us plus a keyed hash of the connection. */
u32 tcp_new_iss(const struct sock *s)
{
	return (u32)tcp_keyed_hash(s->lip, s->lport, s->rip, s->rport, 1) + (u32)(clock_monotonic_ns() / 4000);
}
