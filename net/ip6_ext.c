/* SPDX-License-Identifier: MIT */
/* IPv6 extension headers (RFC 8200 4, RFC 5095): walked with bounds and limits, options judged by their type's two high bits. No state. */
#include "net/stack.h"
#include <linux/in.h>
#include <linux/in6.h>

#define HEADERS_MAX 8u
#define OPTIONS_MAX 64u

#define DROP (-EINVAL)
#define ANSWER(code) ((code) + 1)

static int bad(enum net_drop why)
{
	net_drop(why);
	return DROP;
}

/* Options between at and end. 0, DROP or ANSWER with *where at the option. */
static int walk_options(const u8 *p, u32 at, u32 end, bool multicast, u32 *where)
{
	for (u32 n = 0; at < end; n++) {
		u8 type = p[at];
		u32 len;

		if (n >= OPTIONS_MAX)
			return bad(NET_DROP_bad_header);
		if (type == 0) { /* Pad1 */
			at++;
			continue;
		}
		if (end - at < 2 || (len = p[at + 1] + 2u) > end - at)
			return bad(NET_DROP_bad_header);
		if (type != 1 && type != 5 /* PadN, router alert */) {
			*where = at;
			NET_ADD(drop_bad_header, type >> 6 != 0);
			switch (type >> 6) {
			case 0:
				break;
			case 1:
				return DROP;
			case 2:
				return ANSWER(2);
			default:
				return multicast ? DROP : ANSWER(2);
			}
		}
		at += len;
	}
	return 0;
}

int ip6_skip_ext(const u8 *p, u32 len, u8 *next, u32 *off, bool multicast, bool first_walk)
{
	u32 where = 0;
	int r;

	for (u32 n = 0; n <= HEADERS_MAX; n++) {
		u32 hlen;

		if (*next != IPPROTO_HOPOPTS && *next != IPPROTO_ROUTING && *next != IPPROTO_DSTOPTS)
			return 0;
		if (len - *off < 8 || (hlen = (p[*off + 1] + 1u) * 8) > len - *off)
			return bad(NET_DROP_bad_header);
		if (*next == IPPROTO_HOPOPTS && (n || !first_walk)) { /* only right after the header */
			*off = 6;
			net_drop(NET_DROP_bad_header);
			return ANSWER(1);
		}
		if (*next == IPPROTO_ROUTING) {
			if (p[*off + 3]) { /* segments left: we forward nothing */
				net_drop(NET_DROP_bad_header);
				*off += 2;
				return ANSWER(0);
			}
		} else {
			r = walk_options(p, *off + 2, *off + hlen, multicast, &where);
			if (r) {
				*off = where;
				return r;
			}
		}
		*next = p[*off];
		*off += hlen;
	}
	return bad(NET_DROP_bad_header); /* too many */
}
