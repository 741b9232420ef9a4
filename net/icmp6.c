/* SPDX-License-Identifier: MIT */
/* ICMPv6 (RFC 4443): echo, errors in, and the hand-over to neighbour discovery and MLD. Errors out are icmp.c's. Under net_lock. */
#include "net/stack.h"
#include "userlib/base/string.h"
#include <linux/in.h>
#include <linux/in6.h>

static void echo_reply(const struct ip_rx *rx, const u8 *p, u32 len)
{
	struct ip_tx t = { .src = rx->multicast ? IP6_ANY : rx->dst, .dst = rx->src, .proto = IPPROTO_ICMPV6, .ttl = 64, .tos = rx->tos,
			   .pmtu = 1, .csum_at = 2, .via = rx->in == &net_lo ? NULL : rx->in };
	u8 *out = net_tx + NET_HEADROOM;

	NET_INC(Icmp6InEchos);
	if (ip_is_any(rx->src))
		return;
	NET_INC(Icmp6OutMsgs);
	NET_INC(Icmp6OutEchoReplies);
	memcpy(out, p, len);
	out[0] = 129;
	(void)ip_send(&t, out, len);
}

static void error_input(const struct ip_rx *rx, const u8 *p, u32 len)
{
	struct icmp_error e = { .type = p[0], .code = p[1], .origin = EE_ICMP6, .offender = rx->src };
	const u8 *in = p + 8;
	u32 room = len - 8, off = 40, info;
	u8 next;

	if (room < 48 || in[0] >> 4 != 6)
		return net_drop(NET_DROP_bad_header);
	e.local = ip6_addr(in + 8);
	e.remote = ip6_addr(in + 24);
	if (!ip6_is_local(e.local))
		return net_drop(NET_DROP_not_ours);
	next = in[6];
	if (ip6_skip_ext(in, room, &next, &off, true, true))
		return;
	if (next == IPPROTO_FRAGMENT) {
		if (room - off < 8 || (in[off + 2] << 8 | in[off + 3]) >> 3)
			return;
		next = in[off];
		off += 8;
	}
	e.proto = next;
	e.err = icmp_error_of(true, p[0], p[1], &e.hard);
	if (p[0] == 2) {
		memcpy(&info, p + 4, 4);
		e.info = be32(info);
		if (e.info < IP6_MTU_MIN)
			e.info = IP6_MTU_MIN; /* RFC 8201 4: never less */
	}
	e.quoted = in + off;
	e.quoted_len = room - off;
	icmp_error_deliver(&e);
}

void icmp6_input(const struct ip_rx *rx, const u8 *p, u32 len)
{
	NET_INC(Icmp6InMsgs);
	if (len < 8)
		return net_drop(NET_DROP_runt);
	if (!rx->csum_ok && csum_fold(csum_add(p, len, csum_pseudo(rx->src, rx->dst, IPPROTO_ICMPV6, len))) != 0xffff) {
		NET_INC(Icmp6InErrors);
		return net_drop(NET_DROP_csum);
	}
	switch (p[0]) {
	case 1:
	case 2:
	case 3:
	case 4:
		return error_input(rx, p, len);
	case 128:
		return echo_reply(rx, p, len);
	case 129:
		return ping_input(rx, p, len);
	case 130:
	case 131:
	case 132:
		return mld_input(rx, p, len);
	case 133:
	case 134:
	case 135:
	case 136:
	case 137:
		return nd_input(rx, p, len);
	default:
		return;
	}
}
