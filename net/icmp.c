/* SPDX-License-Identifier: MIT */
/* ICMP (RFC 792, 1122): echo, errors in and out; and what both families' errors mean to sockets. Under net_lock. */
#include "net/stack.h"
#include "net/tcp/tcp.h"
#include "userlib/base/string.h"
#include <linux/in.h>
#include <linux/in6.h>

#define ERRORS_PER_S 100 /* that we send */

bool icmp_may_send(void)
{
	static s64 last;
	static s64 credit = ERRORS_PER_S;
	s64 now = clock_monotonic_ns(), earned = (now - last) / (NSEC_PER_SEC / ERRORS_PER_S);

	if (earned > 0) {
		credit = MIN(credit + earned, (s64)ERRORS_PER_S);
		last = now;
	}
	return credit > 0 && credit-- > 0;
}

/* Linux's icmp_err_convert and icmpv6_err_convert. */
int icmp_error_of(bool v6, u8 type, u8 code, bool *hard)
{
	static const u8 err4[] = { ENETUNREACH, EHOSTUNREACH, ENOPROTOOPT, ECONNREFUSED, EMSGSIZE, EOPNOTSUPP, ENETUNREACH, EHOSTDOWN, ENONET,
				   ENETUNREACH, EHOSTUNREACH, ENETUNREACH, EHOSTUNREACH, EHOSTUNREACH, EHOSTUNREACH, EHOSTUNREACH };
	static const u8 err6[] = { ENETUNREACH, EACCES, EHOSTUNREACH, EHOSTUNREACH, ECONNREFUSED, EACCES, EACCES };

	*hard = false;
	if (v6) {
		if (type == 1 && code < ARRAY_SIZE(err6)) {
			*hard = code == 1 || code == 4 || code >= 5;
			return err6[code];
		}
		*hard = type == 4;
		return type == 2 ? EMSGSIZE : type == 3 ? EHOSTUNREACH : EPROTO;
	}
	if (type == 3 && code < ARRAY_SIZE(err4)) {
		*hard = code == 2 || code == 3 || (code >= 6 && code <= 10);
		return err4[code];
	}
	*hard = type == 12;
	return type == 12 ? EPROTO : EHOSTUNREACH;
}

void icmp_error_deliver(struct icmp_error *e)
{
	u16 ports[2];

	if (e->proto == IPPROTO_ICMP || e->proto == IPPROTO_ICMPV6) {
		if (e->quoted_len < 6)
			return;
		memcpy(&e->lport, e->quoted + 4, 2); /* echo's identifier */
		e->lport = be16(e->lport);
		e->rport = 0;
	} else {
		if (e->quoted_len < 4)
			return;
		memcpy(ports, e->quoted, 4);
		e->lport = be16(ports[0]);
		e->rport = be16(ports[1]);
	}
	if (e->proto == IPPROTO_TCP)
		tcp_icmp_error(e->local, e->remote, e->quoted, e->quoted_len, e->err, e->info);
	else
		udp_icmp_error(e);
	raw_icmp_error(e);
}

/* p: an ICMP error; the packet it quotes must be one that we could have sent. */
static void error_input(const struct ip_rx *rx, const u8 *p, u32 len)
{
	struct icmp_error e = { .type = p[0], .code = p[1], .origin = EE_ICMP, .offender = rx->src };
	struct ip_hdr in;
	u16 mtu;
	u32 hlen;

	if (len < 8 + sizeof(in))
		return net_drop(NET_DROP_runt);
	memcpy(&in, p + 8, sizeof(in));
	hlen = (in.vihl & 15) * 4u;
	if (in.vihl >> 4 != 4 || hlen < 20 || len < 8 + hlen + 8)
		return net_drop(NET_DROP_bad_header);
	e.local = ip4_addr(in.src);
	if (!ip_is_local(e.local) || in.frag & be16(0x1fff))
		return net_drop(NET_DROP_not_ours);
	e.remote = ip4_addr(in.dst);
	e.proto = in.proto;
	e.err = icmp_error_of(false, p[0], p[1], &e.hard);
	if (p[0] == 3 && p[1] == 4) {
		memcpy(&mtu, p + 6, 2);
		e.info = be16(mtu);
		if (e.info < 68)
			e.info = MAX(be16(in.len) / 2u, IP4_MTU_MIN); /* a router of before RFC 1191 */
	}
	e.quoted = p + 8 + hlen;
	e.quoted_len = len - 8 - hlen;
	icmp_error_deliver(&e);
}

static void echo_reply(const struct ip_rx *rx, const u8 *p, u32 len)
{
	struct ip_tx t = { .src = rx->dst, .dst = rx->src, .proto = IPPROTO_ICMP, .pmtu = 1, .ttl = 64, .tos = rx->tos, .csum_at = 0xffff };
	u8 *out = net_tx + NET_HEADROOM;
	struct icmp_hdr h;

	if (rx->multicast)
		return; /* icmp_echo_ignore_broadcasts */
	NET_INC(IcmpInEchos);
	NET_INC(IcmpOutMsgs);
	NET_INC(IcmpOutEchoReps);
	memcpy(out, p, len);
	memcpy(&h, p, sizeof(h));
	h.type = 0;
	h.csum = 0;
	memcpy(out, &h, sizeof(h));
	h.csum = (u16)~csum_fold(csum_add(out, len, 0));
	memcpy(out, &h, sizeof(h));
	(void)ip_send(&t, out, len);
}

void icmp_input(const struct ip_rx *rx, const u8 *p, u32 len)
{
	NET_INC(IcmpInMsgs);
	if (len < sizeof(struct icmp_hdr))
		return net_drop(NET_DROP_runt);
	if (csum_fold(csum_add(p, len, 0)) != 0xffff)
		return net_drop(NET_DROP_csum);
	switch (p[0]) {
	case 0:
		return ping_input(rx, p, len);
	case 3:
	case 11:
	case 12:
		return error_input(rx, p, len);
	case 8:
		return echo_reply(rx, p, len);
	default:
		return; /* raw sockets have seen it */
	}
}

/* RFC 1122 3.2.2, RFC 4443 2.4: not about errors, groups, fragments but the first, or nobody in particular. */
void icmp_send_error(const struct ip_rx *rx, u8 type, u8 code, u32 extra)
{
	bool v6 = !ip_is4(rx->dst);
	const u8 *l4 = rx->hdr + rx->hdr_len;
	struct ip_tx t = { .src = rx->multicast ? (v6 ? IP6_ANY : IP4_ANY) : rx->dst, .dst = rx->src, .proto = v6 ? IPPROTO_ICMPV6 : IPPROTO_ICMP,
			   .ttl = 64, .tos = v6 ? 0 : 0xc0, .pmtu = 0, .csum_at = v6 ? 2 : 0xffff };
	u8 *out = net_tx + NET_HEADROOM;
	u32 total = v6 ? 40u + (u32)(rx->hdr[4] << 8 | rx->hdr[5]) : (u32)(rx->hdr[2] << 8 | rx->hdr[3]), room, v = be32(extra);
	u16 sum;

	if (ip_is_any(rx->src) || ip_is_multicast(rx->src) || ip_is_broadcast(rx->src))
		return;
	if (rx->multicast && !(v6 && (type == 2 || (type == 4 && code == 2))))
		return;
	if (total > rx->hdr_len && (v6 ? rx->proto == IPPROTO_ICMPV6 && l4[0] < 128 : rx->proto == IPPROTO_ICMP && l4[0] != 8 && l4[0] != 0 && l4[0] != 13))
		return;
	if (rx->in != &net_lo && !icmp_may_send())
		return;
	room = v6 ? IP6_MTU_MIN - 48 : 576 - 28;
	total = MIN(total, room);
	memset(out, 0, 8);
	out[0] = type;
	out[1] = code;
	if (!v6 && type == 12)
		out[4] = (u8)extra;
	else
		memcpy(out + 4, &v, 4);
	memmove(out + 8, rx->hdr, total);
	if (!v6) {
		sum = (u16)~csum_fold(csum_add(out, 8 + total, 0));
		memcpy(out + 2, &sum, 2);
		NET_INC(IcmpOutMsgs);
		if (type == 3)
			NET_INC(IcmpOutDestUnreachs);
	} else {
		NET_INC(Icmp6OutMsgs);
		if (type == 1)
			NET_INC(Icmp6OutDestUnreachs);
	}
	(void)ip_send(&t, out, 8 + total);
}
