/* SPDX-License-Identifier: MIT */
/* Connections: life, look-up tables, ports, initial sequence numbers, byte rings. */
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

static void mix(u64 v[2], u32 rounds)
{
	u64 a = v[0], b = v[1];

	for (u32 i = 0; i < rounds; i++) {
		a += b;
		b = (b << 13 | b >> 51) ^ a;
		a = (a << 32 | a >> 32) * 0x9e3779b97f4a7c15ull;
		b = (b << 17 | b >> 47) + secret[i & 1];
	}
	v[0] = a;
	v[1] = b;
}

/* Keyed so that a peer cannot aim at one bucket or guess sequence numbers (SipHash-like mixing of the 4-tuple). */
static u64 tuple_hash(struct ip_addr lip, u16 lport, struct ip_addr rip, u16 rport)
{
	u64 v[2];

	if (!secret[0])
		random_bytes(secret, sizeof(secret));
	v[0] = secret[0] ^ lip.q[1];
	v[1] = secret[1] ^ rip.q[1];
	if (lip.q[0] | rip.q[0]) { /* not IPv4 */
		mix(v, 2);
		v[0] ^= lip.q[0];
		v[1] ^= rip.q[0];
	}
	mix(v, 2);
	v[0] ^= (u64)lport << 16 | rport;
	mix(v, 4);
	return v[0] ^ v[1];
}

struct tcp_conn *tcp_conn_alloc(struct sock *s)
{
	struct tcp_conn *c = slab_zalloc(&conn_slab);

	if (!c)
		return NULL;
	c->s = s;
	s->tcp = c;
	list_init(&c->ooo);
	list_init(&c->accept_link);
	list_init(&c->accept_queue);
	timer_init(&c->timer, tcp_timer_fn);
	c->mss = c->rcv_mss = 536;
	c->rto = TCP_RTO_INIT_NS;
	c->keep_idle_s = 7200;
	c->keep_intvl_s = 75;
	c->keep_cnt = 9;
	tcp_cc_init(c);
	return c;
}

static void drop_data(struct tcp_conn *c)
{
	struct tcp_ooo *o, *n;

	list_for_each_safe(o, n, &c->ooo, link) {
		list_del(&o->link);
		kmem_free(o, sizeof(*o) + o->len);
	}
	c->nr_ooo = c->ooo_bytes = 0;
	ring_free(&c->snd);
	ring_free(&c->rcv);
}

void tcp_conn_free(struct tcp_conn *c)
{
	drop_data(c);
	slab_free(&conn_slab, c);
}

void tcp_set_state(struct tcp_conn *c, enum tcp_state st)
{
	c->state = st;
}

struct sock *tcp_find(struct ip_addr lip, u16 lport, struct ip_addr rip, u16 rport)
{
	struct sock *s;

	list_for_each(s, bucket(conns, CONN_HASH, (u32)tuple_hash(lip, lport, rip, rport)), hash_link)
		if (s->lport == lport && s->rport == rport && ip_eq(s->rip, rip) && ip_eq(s->lip, lip))
			return s;
	return NULL;
}

void tcp_hash_conn(struct sock *s)
{
	list_del(&s->hash_link);
	list_add(bucket(conns, CONN_HASH, (u32)tuple_hash(s->lip, s->lport, s->rip, s->rport)), &s->hash_link);
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

u32 tcp_ts_now(void)
{
	return (u32)(clock_monotonic_ns() / NSEC_PER_MSEC);
}

/* RFC 6528: a clock of 4 us plus a keyed hash of the connection. */
u32 tcp_new_iss(const struct sock *s)
{
	return (u32)(tuple_hash(s->lip, s->lport, s->rip, s->rport) >> 32) + (u32)(clock_monotonic_ns() / 4000);
}

void tcp_abort(struct tcp_conn *c, int err)
{
	struct sock *s = c->s;

	if (c->listener && list_empty(&c->accept_link) && c->listener->tcp) {
		c->listener->tcp->nr_queue--; /* a half-open child */
		c->listener = NULL;
	}
	if (c->state == TCP_SYN_SENT || c->state == TCP_SYN_RECEIVED)
		NET_INC(TcpAttemptFails);
	else if (c->state == TCP_ESTABLISHED || c->state == TCP_CLOSE_WAIT)
		NET_INC(TcpEstabResets);
	tcp_set_state(c, TCP_CLOSED);
	s->error = err;
	s->shut = 3;
	c->t_rexmit = c->t_probe = c->t_persist = c->t_delack = c->t_keep = c->t_life = 0;
	(void)timer_stop(&c->timer);
	ring_free(&c->snd);
	list_del(&s->hash_link);
	sock_wake(s, EPOLLIN | EPOLLOUT | EPOLLERR | EPOLLHUP | EPOLLRDHUP);
	if (s->user_gone)
		tcp_destroy(c);
}

void tcp_destroy(struct tcp_conn *c)
{
	(void)timer_stop(&c->timer);
	drop_data(c);
	tcp_set_state(c, TCP_CLOSED);
	if (!c->s->dead)
		sock_bury(c->s);
}

/* ---- rings ---- */

u32 ring_space(const struct tcp_ring *r, u32 limit)
{
	return r->len < limit ? limit - r->len : 0;
}

int ring_reserve(struct tcp_ring *r, u32 extra, u32 limit)
{
	u32 cap = r->cap ? r->cap : TCP_BUF_MIN;
	u8 *buf;

	if (r->len + extra <= r->cap)
		return 0;
	while (cap < r->len + extra)
		cap *= 2;
	(void)limit;
	buf = kmem_alloc(cap);
	if (!buf)
		return -ENOMEM;
	ring_peek(r, 0, buf, r->len);
	kmem_free(r->buf, r->cap);
	r->buf = buf;
	r->cap = cap;
	r->start = 0;
	return 0;
}

static u32 ring_run(const struct tcp_ring *r, u32 off, u32 len, u32 *at)
{
	*at = (r->start + off) % r->cap;
	return MIN(len, r->cap - *at);
}

void ring_peek(const struct tcp_ring *r, u32 off, u8 *dst, u32 len)
{
	while (len) {
		u32 at, n = ring_run(r, off, len, &at);

		memcpy(dst, r->buf + at, n);
		dst += n;
		off += n;
		len -= n;
	}
}

void ring_put(struct tcp_ring *r, const u8 *src, u32 len)
{
	while (len) {
		u32 at, n = ring_run(r, r->len, len, &at);

		memcpy(r->buf + at, src, n);
		src += n;
		r->len += n;
		len -= n;
	}
}

ssize ring_put_iter(struct tcp_ring *r, struct iov_iter *it, u32 len)
{
	ssize total = 0;

	while (len) {
		u32 at, n = ring_run(r, r->len, len, &at);
		ssize c = iter_copy_from(it, r->buf + at, n);

		if (c <= 0)
			return total ? total : c;
		r->len += (u32)c;
		total += c;
		len -= (u32)c;
		if ((u32)c < n)
			break;
	}
	return total;
}

ssize ring_get_iter(struct tcp_ring *r, u32 off, struct iov_iter *it, u32 len)
{
	ssize total = 0;

	while (len) {
		u32 at, n = ring_run(r, off, len, &at);
		ssize c = iter_copy_to(it, r->buf + at, n);

		if (c <= 0)
			return total ? total : c;
		off += (u32)c;
		total += c;
		len -= (u32)c;
		if ((u32)c < n)
			break;
	}
	return total;
}

void ring_drop(struct tcp_ring *r, u32 len)
{
	r->len -= len;
	r->start = r->cap ? (r->start + len) % r->cap : 0;
	if (!r->len && r->cap > TCP_BUF_MIN)
		ring_free(r);
}

void ring_free(struct tcp_ring *r)
{
	kmem_free(r->buf, r->cap);
	*r = (struct tcp_ring){ 0 };
}
