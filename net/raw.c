/* SPDX-License-Identifier: MIT */
/* Raw sockets (raw(7), RFC 3542): every packet of their protocol comes in; packets go out below our header or with their own. Under net_lock. */
#include "net/stack.h"
#include "userlib/base/string.h"
#include <linux/icmp.h>
#include <linux/in.h>
#include <linux/in6.h>

#define TYPE_RAW 3

static bool filtered(const struct sock *s, const struct ip_rx *rx, const u8 *p, u32 len)
{
	if (!len || (rx->proto != IPPROTO_ICMP && rx->proto != IPPROTO_ICMPV6))
		return false;
	if (rx->proto == IPPROTO_ICMP && p[0] >= 32)
		return false;
	return s->icmp_filter[p[0] / 32] >> (p[0] % 32) & 1;
}

/* A broken checksum of a packet that asks for one is not passed on (IPV6_CHECKSUM; ICMPv6 always). */
static bool csum_bad(const struct sock *s, const struct ip_rx *rx, const u8 *p, u32 len)
{
	if (s->csum_at < 0 || rx->csum_ok || ip_is4(rx->dst))
		return false;
	return len < (u32)s->csum_at + 2 || csum_fold(csum_add(p, len, csum_pseudo(rx->src, rx->dst, rx->proto, len))) != 0xffff;
}

bool raw_input(const struct ip_rx *rx, const u8 *p, u32 len)
{
	bool v4 = ip_is4(rx->dst), any = false;
	struct sock *s;

	if (!net_raw_socks)
		return false;
	list_for_each(s, &net_socks, all_link) {
		if (s->dead || s->type != TYPE_RAW || s->protocol != rx->proto || (s->family == 2) != v4)
			continue;
		if ((!ip_is_any(s->lip) && !ip_eq(s->lip, rx->dst)) || (!ip_is_any(s->rip) && !ip_eq(s->rip, rx->src)) ||
		    (s->bound_if && s->bound_if != rx->in->index) || !dgram_wants_group(s, rx))
			continue;
		any = true;
		if (filtered(s, rx, p, len) || csum_bad(s, rx, p, len))
			continue;
		if (v4)
			dgram_deliver(s, rx, 0, rx->hdr, rx->hdr_len + len);
		else
			dgram_deliver(s, rx, 0, p, len);
	}
	return any;
}

void raw_icmp_error(const struct icmp_error *e)
{
	bool v4 = ip_is4(e->remote);
	struct sock *s;

	if (!net_raw_socks)
		return;
	list_for_each(s, &net_socks, all_link) {
		if (s->dead || s->type != TYPE_RAW || s->protocol != e->proto || (s->family == 2) != v4)
			continue;
		if ((!ip_is_any(s->lip) && !ip_eq(s->lip, e->local)) || (!ip_is_any(s->rip) && !ip_eq(s->rip, e->remote)))
			continue;
		if (v4 ? s->recv_err : s->recv_err6)
			sock_err_add(s, e, e->quoted, e->quoted_len);
		else if (!s->connected || !e->hard)
			continue;
		s->error = e->err;
		sock_wake(s, EPOLLERR);
	}
}

ssize raw_send(struct sock *s, struct iov_iter *it, const struct send_ctl *c)
{
	u8 *p = net_tx + NET_HEADROOM;
	u32 len = (u32)it->count;
	struct ip_addr src;
	struct ip_tx t;
	int r = dgram_send_prepare(s, it, 65535, c, &t, &src);

	if (r)
		return r;
	if (len && iter_copy_from(it, p, len) != (ssize)len)
		return -EFAULT;
	if (s->hdrincl && s->family == 2) {
		r = ip_send_raw4(t.via, p, len);
		return r < 0 ? r : (ssize)len;
	}
	if (s->csum_at >= 0 && s->family != 2) {
		if ((u32)s->csum_at + 2 > len)
			return -EINVAL;
		t.csum_at = (u16)s->csum_at;
		if (ip_is_any(t.src))
			t.src = src;
	}
	r = ip_send(&t, p, len);
	return r < 0 ? r : (ssize)len;
}
