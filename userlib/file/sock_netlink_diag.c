/* SPDX-License-Identifier: MIT */
/*
 * NETLINK_SOCK_DIAG, as ss(8) asks: TCP and UDP sockets of both families by state and ports, with the attributes that are asked for. Sockets
 * of other families are found in /proc (-ENOENT). Filter programs are left to the asker (ss applies them again); destroying is refused.
 */
#include "userlib/base/string.h"
#include "userlib/file/netlink_internal.h"
#include <linux/inet_diag.h>
#include <linux/sock_diag.h>
#include <linux/tcp.h>

#define AF_MAX_NR 46
#define STATE_CLOSE 7
#define STATE_LISTEN 10

struct asked {
	struct reply *r;
	struct inet_diag_req_v2 q;
	bool one; /* not a dump: the socket that q.id names */
	bool found;
};

static bool wants(const struct asked *a, u32 ext)
{
	return a->q.idiag_ext >> (ext - 1) & 1;
}

static void put_memory(struct reply *r, const struct asked *a, const struct net_sockinfo *si)
{
	u32 mem[9] = { si->state == STATE_LISTEN ? 0 : si->rx_queue, si->rcvbuf, 0, si->sndbuf, 0, si->state == STATE_LISTEN ? 0 : si->tx_queue,
		       0, 0, si->drops };

	if (wants(a, INET_DIAG_MEMINFO)) {
		struct inet_diag_meminfo m = { .idiag_rmem = mem[0], .idiag_wmem = mem[5], .idiag_tmem = mem[5] };

		nl_attr(r, INET_DIAG_MEMINFO, &m, sizeof(m));
	}
	if (wants(a, INET_DIAG_SKMEMINFO))
		nl_attr(r, INET_DIAG_SKMEMINFO, mem, sizeof(mem));
}

static void put_diag(const struct asked *a, const struct net_sockinfo *si, const struct tcp_info *ti)
{
	bool v4 = si->family == NL_F_INET;
	struct reply *r = a->r;
	struct inet_diag_msg m = { .idiag_family = (u8)si->family, .idiag_state = (u8)si->state, .idiag_rqueue = si->rx_queue,
				   .idiag_wqueue = si->tx_queue, .idiag_uid = si->uid, .idiag_inode = (u32)si->inode };

	m.id.idiag_sport = __builtin_bswap16(si->lport);
	m.id.idiag_dport = __builtin_bswap16(si->rport);
	memcpy(m.id.idiag_src, v4 ? &si->lip.w[3] : &si->lip.w[0], v4 ? 4 : 16);
	memcpy(m.id.idiag_dst, v4 ? &si->rip.w[3] : &si->rip.w[0], v4 ? 4 : 16);
	m.id.idiag_cookie[0] = (u32)si->inode;
	m.id.idiag_cookie[1] = (u32)(si->inode >> 32);
	nl_begin(r, SOCK_DIAG_BY_FAMILY, &m, sizeof(m));
	nl_attr_u8(r, INET_DIAG_SHUTDOWN, si->shut);
	if (wants(a, INET_DIAG_TOS))
		nl_attr_u8(r, v4 ? INET_DIAG_TOS : INET_DIAG_TCLASS, si->tos);
	if (!v4 && (si->state == STATE_LISTEN || si->state == STATE_CLOSE))
		nl_attr_u8(r, INET_DIAG_SKV6ONLY, si->v6only);
	put_memory(r, a, si);
	if (ti && wants(a, INET_DIAG_INFO))
		nl_attr(r, INET_DIAG_INFO, ti, sizeof(*ti));
	if (si->congestion && wants(a, INET_DIAG_CONG))
		nl_attr(r, INET_DIAG_CONG, si->congestion, (u32)strnlen(si->congestion, 15) + 1);
	nl_end(r);
}

static bool same_ip(const __be32 *want, struct ip_addr ip, bool v4)
{
	return !memcmp(want, v4 ? &ip.w[3] : &ip.w[0], v4 ? 4 : 16);
}

/* net_sock_each's, under net_lock. */
static void look_at(const struct net_sockinfo *si, const struct tcp_info *ti, void *arg)
{
	struct asked *a = arg;
	const struct inet_diag_sockid *id = &a->q.id;
	u16 sport = __builtin_bswap16(id->idiag_sport), dport = __builtin_bswap16(id->idiag_dport);
	bool v4 = si->family == NL_F_INET;

	if (si->family != a->q.sdiag_family)
		return;
	if (a->one) {
		if (a->found || sport != si->lport || dport != si->rport || !same_ip(id->idiag_src, si->lip, v4) ||
		    !same_ip(id->idiag_dst, si->rip, v4))
			return;
		a->found = true;
	} else if (!(a->q.idiag_states >> si->state & 1) || (sport && sport != si->lport) || (dport && dport != si->rport)) {
		return;
	}
	put_diag(a, si, ti);
}

int nl_diag_request(struct reply *r, const struct nlmsghdr *h, const u8 *body, u32 len)
{
	struct asked a = { .r = r };

	if (h->nlmsg_type == SOCK_DESTROY)
		return -EOPNOTSUPP;
	if (h->nlmsg_type != SOCK_DIAG_BY_FAMILY || len < 1)
		return -EINVAL;
	if (body[0] >= AF_MAX_NR)
		return -EINVAL;
	if (body[0] != NL_F_INET && body[0] != NL_F_INET6)
		return -ENOENT;
	if (len < sizeof(a.q))
		return -EINVAL;
	memcpy(&a.q, body, sizeof(a.q));
	if (a.q.sdiag_protocol != 6 && a.q.sdiag_protocol != 17)
		return -ENOENT;
	if ((h->nlmsg_flags & NLM_F_DUMP) == NLM_F_DUMP) {
		r->flags = NLM_F_MULTI;
		net_sock_each(a.q.sdiag_protocol, look_at, &a);
		nl_done(r, 0);
		return 0;
	}
	a.one = true;
	net_sock_each(a.q.sdiag_protocol, look_at, &a);
	return a.found ? 0 : -ENOENT;
}
