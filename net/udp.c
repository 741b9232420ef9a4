/* SPDX-License-Identifier: MIT */
/* UDP (RFC 768), UDP-Lite (RFC 3828) and ICMP echo sockets ("ping"): datagrams in and out, queued per socket up to its receive buffer. Under net_lock. */
#include "net/stack.h"
#include "net/tcp/tcp.h"
#include "userlib/base/mem.h"
#include "userlib/base/string.h"
#include <linux/in.h>
#include <linux/in6.h>

struct udp_hdr {
	u16 sport, dport, len, csum;
} attr_packed;

/* Counted per protocol and family, under net.h's names. */
#define COUNT(proto, v6, what)                                                                             \
	((proto) == IPPROTO_UDPLITE ? (v6) ? NET_INC(UdpLite6##what) : NET_INC(UdpLite##what) : (v6) ? NET_INC(Udp6##what) : NET_INC(Udp##what))

#define UDP_HASH 256
static struct list ports[UDP_HASH];

static struct list *bucket(u16 port)
{
	struct list *b = &ports[port % UDP_HASH];

	if (!b->next)
		list_init(b);
	return b;
}

int udp_bind(struct sock *s, struct ip_addr ip, u16 port)
{
	int r = 0;

	s->lip = ip;
	if (!port)
		r = tcp_pick_port(s, ip, NULL, 0);
	else if (!tcp_port_free(s, ip, port))
		r = -EADDRINUSE;
	else
		s->lport = port;
	if (!r && sock_is_udp(s)) {
		list_del(&s->hash_link);
		list_add(bucket(s->lport), &s->hash_link);
	}
	s->bound |= !r;
	return r;
}

/* ---- in ---- */

void dgram_deliver(struct sock *s, const struct ip_rx *rx, u16 sport, const u8 *data, u32 len)
{
	u32 keep = len;
	struct dgram *d;

	if (s->filter) {
		keep = MIN(filter_run(s->filter, data, len, len, (u16)(ip_is4(rx->dst) ? ETH_TYPE_IP : ETH_TYPE_IP6), 0, rx->in->index), len);
		if (!keep)
			return;
	}
	if (s->dgram_bytes + keep + sizeof(*d) > s->rcvbuf && s->dgram_bytes) {
		s->dgram_drops++;
		if (sock_is_udp(s))
			COUNT(s->protocol, !ip_is4(rx->dst), RcvbufErrors);
		return net_drop(NET_DROP_rcvbuf);
	}
	d = kmem_alloc(sizeof(*d) + keep);
	if (!d)
		return net_drop(NET_DROP_no_memory);
	*d = (struct dgram){ .ip = rx->src, .dst = rx->dst, .port = sport, .ttl = rx->ttl, .tos = rx->tos, .ifindex = rx->in->index,
			     .flow = rx->flow, .full_len = keep, .drops = s->dgram_drops, .len = keep };
	if (s->rx_opts & (RX_STAMP | RX_STAMPNS))
		d->stamp_ns = clock_realtime_ns();
	memcpy(d->data, data, keep);
	list_add_tail(&s->dgrams, &d->link);
	s->dgram_bytes += keep + (u32)sizeof(*d);
	sock_wake(s, EPOLLIN);
}

/* IP_MULTICAST_ALL: without it only the groups that the socket itself has joined. */
bool dgram_wants_group(const struct sock *s, const struct ip_rx *rx)
{
	if (!ip_is_multicast(rx->dst) || (ip_is4(rx->dst) ? s->mc_all : s->mc_all6))
		return true;
	for (u32 i = 0; i < s->nr_member; i++)
		if (s->member[i].ifindex == rx->in->index && ip_eq(s->member[i].group, rx->dst))
			return true;
	return false;
}

/* A datagram whose checksum covers `cover` of its `total` bytes; the receiver may ask for more (udplite(7)). */
static void udp_deliver(struct sock *s, const struct ip_rx *rx, const struct udp_hdr *h, const u8 *p, u32 total, u32 cover)
{
	if (cover < total && s->cov_recv_set && (!s->cov_recv || cover < s->cov_recv)) {
		COUNT(rx->proto, !ip_is4(rx->dst), InErrors);
		return net_drop(NET_DROP_csum);
	}
	dgram_deliver(s, rx, be16(h->sport), p + sizeof(*h), total - (u32)sizeof(*h));
}

/* How well a socket fits, 0 = not: connected before bound to the address before its own family's before any. */
static int match(const struct sock *s, const struct ip_rx *rx, u16 sport, u16 dport)
{
	if (s->protocol != rx->proto || s->lport != dport || !sock_covers(s, rx->dst) || (s->bound_if && s->bound_if != rx->in->index))
		return 0;
	if (s->connected && (!ip_eq(s->rip, rx->src) || s->rport != sport))
		return 0;
	return 1 + (ip_is4(rx->dst) == (s->family == 2)) + 2 * !ip_is_any(s->lip) + 4 * (s->bound_if != 0) + 8 * s->connected;
}

static void input_group(const struct ip_rx *rx, const struct udp_hdr *h, const u8 *p, u32 total, u32 cover)
{
	u16 sport = be16(h->sport), dport = be16(h->dport);
	struct sock *s;
	bool any = false;

	list_for_each(s, bucket(dport), hash_link)
		if (match(s, rx, sport, dport) && dgram_wants_group(s, rx)) {
			any = true;
			udp_deliver(s, rx, h, p, total, cover);
		}
	if (!any)
		net_drop(NET_DROP_no_socket);
	else
		COUNT(rx->proto, !ip_is4(rx->dst), InDatagrams);
}

/*
 * The length that the header gives and what of it the checksum covers. IPv6 (RFC 8200 8.1) and UDP-Lite have always one. UDP-Lite's is
 * always looked at: no sender leaves it to a link.
 */
static bool header_ok(const struct ip_rx *rx, const struct udp_hdr *h, const u8 *p, u32 len, u32 *total, u32 *cover)
{
	bool lite = rx->proto == IPPROTO_UDPLITE, v6 = !ip_is4(rx->dst);

	*total = lite ? len : be16(h->len);
	*cover = lite && h->len ? be16(h->len) : *total;
	if (*total < sizeof(*h) || *total > len || *cover < sizeof(*h) || *cover > *total || ((v6 || lite) && !h->csum)) {
		COUNT(rx->proto, v6, InErrors);
		net_drop(NET_DROP_bad_header);
		return false;
	}
	if (h->csum && (lite || !rx->csum_ok) && csum_fold(csum_add(p, *cover, csum_pseudo(rx->src, rx->dst, rx->proto, *total))) != 0xffff) {
		COUNT(rx->proto, v6, InErrors);
		COUNT(rx->proto, v6, InCsumErrors);
		net_drop(NET_DROP_csum);
		return false;
	}
	return true;
}

/* The socket for a datagram to us alone; NULL: none. */
static struct sock *find(const struct ip_rx *rx, u16 sport, u16 dport)
{
	struct sock *s, *best[16];
	u32 nr = 0;
	int score = 0;

	list_for_each(s, bucket(dport), hash_link) {
		int m = match(s, rx, sport, dport);

		if (m > score) {
			score = m;
			nr = 0;
		}
		if (m && m == score && nr < ARRAY_SIZE(best))
			best[nr++] = s;
	}
	if (!nr)
		return NULL;
	return best[best[0]->reuseport ? (ip_hash(rx->src) + sport * 2654435761u) % nr : 0];
}

bool udp_input_shared(const struct ip_rx *rx, u8 *p, u32 len)
{
	struct udp_hdr h;
	struct sock *s;
	u32 total;

	if (len < sizeof(h))
		return false;
	memcpy(&h, p, sizeof(h));
	total = be16(h.len);
	if (total < sizeof(h) || total > len || (!h.csum && !ip_is4(rx->dst)))
		return false;
	if (h.csum && !rx->csum_ok && csum_fold(csum_add(p, total, csum_pseudo(rx->src, rx->dst, rx->proto, total))) != 0xffff)
		return false;
	s = find(rx, be16(h.sport), be16(h.dport));
	if (!s)
		return false;
	COUNT(rx->proto, !ip_is4(rx->dst), InDatagrams);
	spin_lock(&s->lock);
	udp_deliver(s, rx, &h, p, total, total);
	spin_unlock(&s->lock);
	return true;
}

void udp_input(const struct ip_rx *rx, u8 *p, u32 len)
{
	bool v6 = !ip_is4(rx->dst);
	u32 total, cover;
	struct udp_hdr h;
	struct sock *s;
	u16 sport, dport;

	if (len < sizeof(h)) {
		COUNT(rx->proto, v6, InErrors);
		return net_drop(NET_DROP_runt);
	}
	memcpy(&h, p, sizeof(h));
	if (!header_ok(rx, &h, p, len, &total, &cover))
		return;
	sport = be16(h.sport);
	dport = be16(h.dport);
	if (rx->multicast)
		return input_group(rx, &h, p, total, cover);
	s = find(rx, sport, dport);
	if (!s) {
		COUNT(rx->proto, v6, NoPorts);
		net_drop(NET_DROP_no_socket);
		return icmp_send_error(rx, v6 ? 1 : 3, v6 ? 4 : 3, 0); /* port unreachable */
	}
	COUNT(rx->proto, v6, InDatagrams);
	udp_deliver(s, rx, &h, p, total, cover);
}

/* To the sockets that may have sent the packet: connected ones hear hard errors, those with IP_RECVERR all. */
static void error_to(struct sock *s, const struct icmp_error *e, u32 l4_hdr)
{
	bool want = ip_is4(e->remote) ? s->recv_err : s->recv_err6;

	if (s->dead || s->lport != e->lport || !sock_covers(s, e->local))
		return;
	if (s->connected && (!ip_eq(s->rip, e->remote) || (sock_is_udp(s) && s->rport != e->rport)))
		return;
	if (want)
		sock_err_add(s, e, e->quoted + MIN(l4_hdr, e->quoted_len), e->quoted_len - MIN(l4_hdr, e->quoted_len));
	else if (!s->connected || !e->hard || (e->err == EMSGSIZE && (ip_is4(e->remote) ? s->pmtudisc : s->pmtudisc6) == 0))
		return;
	s->error = e->err;
	sock_wake(s, EPOLLERR);
}

void udp_icmp_error(const struct icmp_error *e)
{
	struct sock *s;

	if (e->err == EMSGSIZE && e->info) /* ports and addresses fit a socket of ours: believed */
		list_for_each(s, &net_socks, all_link)
			if (!s->dead && s->type != 1 && s->protocol == e->proto && s->lport == e->lport && sock_covers(s, e->local)) {
				pmtu_set(e->remote, e->info);
				break;
			}
	if (e->proto == IPPROTO_UDP || e->proto == IPPROTO_UDPLITE) {
		list_for_each(s, bucket(e->lport), hash_link)
			if (s->protocol == e->proto)
				error_to(s, e, 8);
	} else if (e->proto == IPPROTO_ICMP || e->proto == IPPROTO_ICMPV6) {
		list_for_each(s, &net_socks, all_link)
			if (s->type == 2 && s->protocol == e->proto)
				error_to(s, e, 0);
	}
}

void ping_input(const struct ip_rx *rx, const u8 *icmp, u32 len)
{
	struct sock *s;
	u16 id;

	memcpy(&id, icmp + 4, 2);
	list_for_each(s, &net_socks, all_link)
		if (!s->dead && s->type == 2 && s->protocol == rx->proto && s->lport == be16(id) && sock_covers(s, rx->dst) &&
		    (!s->connected || ip_eq(s->rip, rx->src)))
			dgram_deliver(s, rx, 0, icmp, len);
}

/* ---- out ---- */

static void send_ctl_tx(const struct sock *s, const struct send_ctl *c, struct ip_tx *t)
{
	bool v4 = ip_is4(c->dst), group = ip_is_multicast(c->dst);
	int dev = c->ifindex ? c->ifindex : s->bound_if ? s->bound_if : group ? (v4 ? s->mc_if : s->mc_if6) : 0;

	*t = (struct ip_tx){ .src = ip_is_any(c->src) ? s->lip : c->src, .dst = c->dst, .proto = (u8)s->protocol, .tos = c->tos,
			     .pmtu = v4 ? s->pmtudisc : s->pmtudisc6, .csum_at = 0xffff, .via = netif_by_index(dev),
			     .loop = v4 ? s->mc_loop : s->mc_loop6, .no_route = s->dontroute };
	t->ttl = !c->ttl_set && group ? (v4 ? s->mc_ttl : s->mc_hops) : c->ttl;
	if (ip_is_multicast(t->src) || ip_is_broadcast(t->src))
		t->src = v4 ? IP4_ANY : IP6_ANY;
}

int dgram_send_prepare(const struct sock *s, const struct iov_iter *it, u32 max, const struct send_ctl *c, struct ip_tx *t, struct ip_addr *src)
{
	if (it->count > max)
		return -EMSGSIZE;
	send_ctl_tx(s, c, t);
	if (!ip_route_via(t->via, c->dst, src))
		return -ENETUNREACH;
	return ip_is_broadcast(c->dst) && !s->broadcast ? -EACCES : 0;
}

static ssize send_ping(struct sock *s, const struct send_ctl *c, u8 *p, u32 len)
{
	bool v6 = s->protocol == IPPROTO_ICMPV6;
	struct ip_tx t;
	u16 v;
	int r;

	if (len < 8 || p[0] != (v6 ? 128 : 8) || p[1])
		return -EINVAL;
	if (!s->lport) {
		r = tcp_pick_port(s, s->lip, NULL, 0);
		if (r)
			return r;
	}
	v = be16(s->lport);
	memcpy(p + 4, &v, 2);
	v = 0;
	memcpy(p + 2, &v, 2);
	send_ctl_tx(s, c, &t);
	if (v6) {
		t.csum_at = 2;
	} else {
		v = (u16)~csum_fold(csum_add(p, len, 0));
		memcpy(p + 2, &v, 2);
	}
	return ip_send(&t, p, len);
}

static ssize too_long(struct sock *s, const struct send_ctl *c, u32 mtu)
{
	if (ip_is4(c->dst) ? s->recv_err : s->recv_err6)
		sock_err_local(s, EMSGSIZE, mtu, c->dst, c->port);
	return -EMSGSIZE;
}

ssize udp_send(struct sock *s, struct iov_iter *it, const struct send_ctl *c)
{
	u8 *p = net_tx + NET_HEADROOM;
	bool lite = s->protocol == IPPROTO_UDPLITE;
	u32 len = (u32)it->count, total;
	struct ip_addr src;
	struct ip_tx t;
	ssize r = dgram_send_prepare(s, it, 65507, c, &t, &src);

	if (r)
		return r;
	if (!sock_is_udp(s)) {
		if (len && iter_copy_from(it, p, len) != (ssize)len)
			return -EFAULT;
		r = send_ping(s, c, p, len);
		return r == -EMSGSIZE ? too_long(s, c, ip_mtu(c->dst)) : r < 0 ? r : (ssize)len;
	}
	if (!s->lport) {
		r = udp_bind(s, s->lip, 0);
		if (r)
			return r;
	}
	if (len && iter_copy_from(it, p + sizeof(struct udp_hdr), len) != (ssize)len)
		return -EFAULT;
	COUNT(s->protocol, !ip_is4(c->dst), OutDatagrams);
	total = len + (u32)sizeof(struct udp_hdr);
	if (lite && s->cov_send_set && s->cov_send < total)
		t.csum_len = s->cov_send;
	*(struct udp_hdr *)p = (struct udp_hdr){ be16(s->lport), be16(c->port), be16(lite && s->cov_send_set ? MIN(s->cov_send, (u16)total) : (u16)total), 0 };
	if (ip_is_any(t.src))
		t.src = src;
	t.csum_at = s->no_check && ip_is4(c->dst) && !lite ? 0xffff : 6;
	r = ip_send(&t, p, total);
	if (r == -EMSGSIZE)
		return too_long(s, c, ip_mtu(c->dst));
	return r < 0 && r != -EAGAIN ? r : (ssize)len;
}
