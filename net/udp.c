/* SPDX-License-Identifier: MIT */
/* UDP (RFC 768) and ICMP echo sockets: datagrams in and out, queued per socket up to its receive buffer. */
#include "net/stack.h"
#include "net/tcp/tcp.h"
#include "userlib/base/mem.h"
#include "userlib/base/string.h"
#include <linux/in.h>

struct udp_hdr {
	u16 sport, dport, len, csum;
} attr_packed;

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
	if (!r) {
		list_del(&s->hash_link);
		list_add(bucket(s->lport), &s->hash_link);
		s->bound = true;
	}
	return r;
}

static void deliver(struct sock *s, struct ip_addr src, u16 sport, const u8 *data, u32 len)
{
	struct dgram *d;

	if (s->dgram_bytes + len + sizeof(*d) > s->rcvbuf && s->dgram_bytes)
		return net_drop(NET_DROP_rcvbuf);
	d = kmem_alloc(sizeof(*d) + len);
	if (!d)
		return net_drop(NET_DROP_no_memory);
	d->ip = src;
	d->port = sport;
	d->len = len;
	memcpy(d->data, data, len);
	NET_INC(UdpInDatagrams);
	list_add_tail(&s->dgrams, &d->link);
	s->dgram_bytes += len + (u32)sizeof(*d);
	sock_wake(s, EPOLLIN);
}

static int match(const struct sock *s, struct ip_addr src, u16 sport, struct ip_addr dst, u16 dport)
{
	if (s->lport != dport || !sock_covers(s, dst))
		return 0;
	if (s->connected && (!ip_eq(s->rip, src) || s->rport != sport))
		return 0;
	return 1 + !ip_is_any(s->lip) + 2 * s->connected;
}

void udp_input(struct netif *n, struct ip_addr src, struct ip_addr dst, u8 *p, u32 len, bool csum_ok)
{
	struct sock *s, *best[16];
	int score = 0;
	u32 nr = 0, total;
	struct udp_hdr h;

	if (len < sizeof(h))
		return net_drop(NET_DROP_runt);
	memcpy(&h, p, sizeof(h));
	total = be16(h.len);
	if (total < sizeof(h) || total > len)
		return net_drop(NET_DROP_bad_header);
	if (h.csum && !csum_ok && csum_fold(csum_add(p, total, csum_pseudo(src, dst, IPPROTO_UDP, total))) != 0xffff)
		return net_drop(NET_DROP_csum);
	list_for_each(s, bucket(be16(h.dport)), hash_link) {
		int m = match(s, src, be16(h.sport), dst, be16(h.dport));

		if (m > score) {
			score = m;
			nr = 0;
		}
		if (m && m == score && nr < ARRAY_SIZE(best))
			best[nr++] = s;
	}
	if (!nr) {
		NET_INC(UdpNoPorts);
		net_drop(NET_DROP_no_socket);
		if (n == &net_lo) /* as ICMP port unreachable would */
			udp_icmp_error(dst, be16(h.sport), be16(h.dport), ECONNREFUSED);
		return;
	}
	deliver(best[nr > 1 ? (ip_hash(src) + h.sport * 31u) % nr : 0], src, be16(h.sport), p + sizeof(h), total - (u32)sizeof(h));
}

void udp_icmp_error(struct ip_addr dst, u16 lport, u16 rport, int err)
{
	struct sock *s;

	list_for_each(s, bucket(lport), hash_link)
		if (s->lport == lport && s->connected && ip_eq(s->rip, dst) && s->rport == rport) {
			s->error = err;
			sock_wake(s, EPOLLERR);
		}
}

void ping_input(struct ip_addr src, const u8 *icmp, u32 len)
{
	struct sock *s;
	u16 id;

	memcpy(&id, icmp + 4, 2);
	list_for_each(s, &net_socks, all_link)
		if (!s->dead && s->protocol == IPPROTO_ICMP && s->lport == be16(id))
			deliver(s, src, 0, icmp, len);
}

static ssize send_ping(struct sock *s, struct ip_addr ip, u8 *p, u32 len)
{
	u16 v = 0;

	if (len < 8 || p[0] != 8)
		return -EINVAL;
	if (!s->lport)
		s->lport = (u16)(random_u32() | 1);
	v = be16(s->lport);
	memcpy(p + 4, &v, 2);
	v = 0;
	memcpy(p + 2, &v, 2);
	v = (u16)~csum_fold(csum_add(p, len, 0));
	memcpy(p + 2, &v, 2);
	return ip_output(s->lip, ip, IPPROTO_ICMP, s->ttl, s->tos, p, len, 0xffff, 0, 0);
}

ssize udp_send(struct sock *s, struct iov_iter *it, struct ip_addr ip, u16 port, u32 flags)
{
	u8 *p = net_tx + NET_HEADROOM;
	u32 len = (u32)it->count;
	struct ip_addr src;
	ssize r;

	(void)flags;
	if (it->count > 65507)
		return -EMSGSIZE;
	if (!ip_route(ip, &src))
		return -ENETUNREACH;
	if (ip_eq(ip, ip4_addr(0xffffffff)) && !s->broadcast)
		return -EACCES;
	if (s->protocol == IPPROTO_ICMP) {
		if (len && iter_copy_from(it, p, len) != (ssize)len)
			return -EFAULT;
		r = send_ping(s, ip, p, len);
		return r < 0 ? r : (ssize)len;
	}
	if (!s->lport) {
		r = udp_bind(s, s->lip, 0);
		if (r)
			return r;
	}
	if (len && iter_copy_from(it, p + sizeof(struct udp_hdr), len) != (ssize)len)
		return -EFAULT;
	NET_INC(UdpOutDatagrams);
	*(struct udp_hdr *)p = (struct udp_hdr){ be16(s->lport), be16(port), be16((u16)(len + sizeof(struct udp_hdr))), 0 };
	r = ip_output(ip_is_any(s->lip) ? src : s->lip, ip, IPPROTO_UDP, s->ttl, s->tos, p, len + (u32)sizeof(struct udp_hdr), 6, 0, 0);
	return r < 0 && r != -EAGAIN ? r : (ssize)len;
}
