/* SPDX-License-Identifier: MIT */
/* getsockopt and setsockopt (socket(7), ip(7), tcp(7)). An option without a row is refused with ENOPROTOOPT. */
#include "net/stack.h"
#include "net/tcp/tcp.h"
#include "userlib/base/string.h"
#include <asm/socket.h>
#include <linux/in.h>
#include <linux/in6.h>
#include <linux/tcp.h>

static int get_int(const void *val, u32 len, int *out)
{
	if (len < 4)
		return -EINVAL;
	memcpy(out, val, 4);
	return 0;
}

static int get_time(const void *val, u32 len, s64 *out)
{
	s64 tv[2];

	if (len < sizeof(tv))
		return -EINVAL;
	memcpy(tv, val, sizeof(tv));
	if (tv[1] < 0 || tv[1] >= 1000000)
		return -EDOM;
	*out = tv[0] < 0 ? 0 : tv[0] * NSEC_PER_SEC + tv[1] * 1000;
	return 0;
}

static void set_keepalive(struct sock *s, bool on)
{
	s->keepalive = on;
	if (s->tcp && on && s->tcp->state >= TCP_ESTABLISHED) {
		s->tcp->t_keep = clock_monotonic_ns() + s->tcp->keep_idle_s * NSEC_PER_SEC;
		tcp_timer_update(s->tcp);
	}
}

static int bind_to_device(struct sock *s, const void *val, u32 len)
{
	char name[16] = { 0 };
	int index = 0;

	memcpy(name, val, MIN(len, 15u));
	if (name[0]) {
		for (index = 1; index <= 2; index++)
			if (netif_by_index(index) && !strcmp(netif_by_index(index)->name, name))
				break;
		if (index > 2)
			return -ENODEV;
	}
	s->bound_if = index;
	return 0;
}

static void set_stamp(struct sock *s, u32 bit, bool on)
{
	s->rx_opts = (s->rx_opts & ~(RX_STAMP | RX_STAMPNS)) | (on ? bit : 0);
}

static int set_more(struct sock *s, int name, int v)
{
	switch (name) {
	case SO_PRIORITY: /* there is one queue: nothing to order, but it is told again */
		if (v < 0 || v > 6)
			return -EPERM;
		s->priority = (u32)v;
		return 0;
	case SO_MARK:
		s->mark = (u32)v;
		return 0;
	case SO_BUSY_POLL: /* idle kThreads poll anyway */
		if (v < 0)
			return -EINVAL;
		s->busy_poll = (u32)v;
		return 0;
	case SO_DONTROUTE:
		s->dontroute = v;
		return 0;
	case SO_NO_CHECK:
		s->no_check = v;
		return 0;
	case SO_ZEROCOPY:
		if (v < 0 || v > 1)
			return -EINVAL;
		if (!s->tcp && s->protocol != IPPROTO_UDP)
			return -EOPNOTSUPP;
		s->zerocopy = v;
		return 0;
	case SO_BINDTOIFINDEX:
		if (v && !netif_by_index(v))
			return -ENODEV;
		s->bound_if = v;
		return 0;
	case SO_TIMESTAMP_OLD:
		set_stamp(s, RX_STAMP, v);
		return 0;
	case SO_TIMESTAMPNS_OLD:
		set_stamp(s, RX_STAMPNS, v);
		return 0;
	case SO_RXQ_OVFL:
		s->rx_opts = (s->rx_opts & ~RX_DROPS) | (v ? RX_DROPS : 0);
		return 0;
	default:
		return -ENOPROTOOPT;
	}
}

static int set_socket(struct sock *s, int name, const void *val, u32 len)
{
	int v, linger[2];

	if (name == SO_LINGER) {
		if (len < 8)
			return -EINVAL;
		memcpy(linger, val, 8);
		s->linger_on = linger[0];
		s->linger_s = linger[1];
		return 0;
	}
	if (name == SO_RCVTIMEO || name == SO_SNDTIMEO)
		return get_time(val, len, name == SO_RCVTIMEO ? &s->rcvtimeo : &s->sndtimeo);
	if (name == SO_BINDTODEVICE)
		return bind_to_device(s, val, len);
	if (name == SO_ATTACH_FILTER) /* the instructions */
		return s->tcp ? -ENOPROTOOPT : filter_attach(s, val, len);
	if (name == SO_DETACH_FILTER)
		return filter_detach(s);
	if (get_int(val, len, &v))
		return -EINVAL;
	switch (name) {
	case SO_REUSEADDR:
		s->reuseaddr = v;
		return 0;
	case SO_REUSEPORT:
		s->reuseport = v;
		return 0;
	case SO_BROADCAST:
		s->broadcast = v;
		return 0;
	case SO_KEEPALIVE:
		set_keepalive(s, v);
		return 0;
	case SO_OOBINLINE:
		s->oobinline = v;
		return 0;
	case SO_SNDBUF:
	case SO_SNDBUFFORCE:
		v = MAX(v, 0);
		s->sndbuf = (u32)MIN(MAX((u64)v * 2, 4608ull), (u64)TCP_BUF_MAX);
		s->sndbuf_set = true;
		return 0;
	case SO_RCVBUF:
	case SO_RCVBUFFORCE:
		v = MAX(v, 0);
		s->rcvbuf = (u32)MIN(MAX((u64)v * 2, 2304ull), (u64)TCP_BUF_MAX);
		s->rcvbuf_set = true;
		return 0;
	case SO_RCVLOWAT:
		s->rcvlowat = (u32)MAX(v, 1);
		return 0;
	default:
		return set_more(s, name, v);
	}
}

static int set_congestion(struct tcp_conn *c, const void *val, u32 len)
{
	char name[16] = { 0 };

	if (!len)
		return -EINVAL;
	memcpy(name, val, MIN(len, (u32)sizeof(name) - 1));
	return tcp_cc_select(c, name);
}

static int set_maxseg(struct tcp_conn *c, int v)
{
	if (v && (v < TCP_MSS_MIN || v > 32767))
		return -EINVAL;
	c->user_mss = (u32)v;
	if (c->state >= TCP_ESTABLISHED)
		tcp_mss_update(c);
	return 0;
}

static void set_quickack(struct tcp_conn *c, int v)
{
	c->pingpong = !v;
	c->quick = v ? 16 : 0;
	if (v && c->delack)
		tcp_send_ack(c);
}

static int set_tcp(struct sock *s, int name, const void *val, u32 len)
{
	struct tcp_conn *c = s->tcp;
	int v;

	if (!c)
		return -ENOPROTOOPT;
	if (name == TCP_CONGESTION)
		return set_congestion(c, val, len);
	if (get_int(val, len, &v))
		return -EINVAL;
	switch (name) {
	case TCP_NODELAY:
		s->nodelay = v;
		if (v && c->state >= TCP_ESTABLISHED)
			tcp_output(c);
		return 0;
	case TCP_CORK:
		s->cork = v;
		if (!v && c->state >= TCP_ESTABLISHED)
			tcp_output(c);
		return 0;
	case TCP_QUICKACK:
		set_quickack(c, v);
		return 0;
	case TCP_KEEPIDLE:
	case TCP_KEEPINTVL:
	case TCP_KEEPCNT:
		if (v < 1 || v > (name == TCP_KEEPCNT ? 127 : 32767))
			return -EINVAL;
		*(name == TCP_KEEPIDLE ? &c->keep_idle_s : name == TCP_KEEPINTVL ? &c->keep_intvl_s : &c->keep_cnt) = (u32)v;
		set_keepalive(s, s->keepalive);
		return 0;
	case TCP_DEFER_ACCEPT:
		c->defer_accept_s = (u32)MAX(v, 0);
		return 0;
	case TCP_SYNCNT:
		if (v < 1 || v > 127)
			return -EINVAL;
		c->syn_cnt = (u32)v;
		return 0;
	case TCP_LINGER2:
		c->linger2_s = v < 0 ? -1 : v > 120 ? -1 : v;
		return 0;
	case TCP_NOTSENT_LOWAT:
		c->notsent_lowat = (u32)v;
		return 0;
	case TCP_USER_TIMEOUT:
		if (v < 0)
			return -EINVAL;
		c->user_timeout_ms = (u32)v;
		return 0;
	case TCP_MAXSEG:
		return set_maxseg(c, v);
	default:
		return -ENOPROTOOPT;
	}
}

/* RFC 3828's coverage: 0 is everything, the header at least. */
static int set_udp(struct sock *s, int name, const void *val, u32 len)
{
	int v;

	if (!sock_is_udp(s))
		return -ENOPROTOOPT;
	if (get_int(val, len, &v))
		return -EINVAL;
	if (s->protocol != IPPROTO_UDPLITE || (name != UDPLITE_SEND_CSCOV && name != UDPLITE_RECV_CSCOV))
		return -ENOPROTOOPT;
	v = v && v < 8 ? 8 : MIN(v, 0xffff);
	if (name == UDPLITE_SEND_CSCOV) {
		s->cov_send = (u16)v;
		s->cov_send_set = true;
	} else {
		s->cov_recv = (u16)v;
		s->cov_recv_set = true;
	}
	return 0;
}

/* TCP and UDP of IPv6 may speak IPv4, too; raw IPv6 and packet sockets do not. */
static bool knows_ip4(const struct sock *s)
{
	return s->family == 2 || (s->family == 10 && s->type != 3);
}

int net_sock_setopt(struct sock *s, int level, int name, const void *val, u32 len)
{
	int r;

	net_lock_get();
	switch (level) {
	case SOL_SOCKET:
		r = set_socket(s, name, val, len);
		break;
	case IPPROTO_TCP:
		r = set_tcp(s, name, val, len);
		break;
	case IPPROTO_UDP:
	case IPPROTO_UDPLITE:
		r = set_udp(s, name, val, len);
		break;
	case IPPROTO_IP:
		r = knows_ip4(s) ? sock_set_ip(s, name, val, len) : -ENOPROTOOPT;
		break;
	case IPPROTO_IPV6:
		r = sock_set_ip6(s, name, val, len);
		break;
	case IPPROTO_ICMPV6:
	case 255: /* SOL_RAW */
		r = sock_icmp_filter(s, level, name, (void *)(u64)val, &len, true);
		break;
	case 263: /* SOL_PACKET */
		r = s->family == 17 ? packet_setopt(s, name, val, len) : -ENOPROTOOPT;
		break;
	default:
		r = -ENOPROTOOPT;
	}
	net_lock_put();
	return r;
}

static int get_socket(struct sock *s, int name, int *v)
{
	switch (name) {
	case SO_TYPE:
		*v = s->type;
		return 0;
	case SO_DOMAIN:
		*v = s->family;
		return 0;
	case SO_PROTOCOL:
		*v = s->protocol;
		return 0;
	case SO_ERROR:
		*v = s->error;
		s->error = 0;
		return 0;
	case SO_REUSEADDR:
		*v = s->reuseaddr;
		return 0;
	case SO_REUSEPORT:
		*v = s->reuseport;
		return 0;
	case SO_BROADCAST:
		*v = s->broadcast;
		return 0;
	case SO_KEEPALIVE:
		*v = s->keepalive;
		return 0;
	case SO_OOBINLINE:
		*v = s->oobinline;
		return 0;
	case SO_SNDBUF:
		*v = (int)s->sndbuf;
		return 0;
	case SO_RCVBUF:
		*v = (int)s->rcvbuf;
		return 0;
	case SO_RCVLOWAT:
		*v = (int)s->rcvlowat;
		return 0;
	case SO_SNDLOWAT:
		*v = 1;
		return 0;
	case SO_RXQ_OVFL:
		*v = (s->rx_opts & RX_DROPS) != 0;
		return 0;
	case SO_ACCEPTCONN:
		*v = s->tcp && s->tcp->state == TCP_LISTEN;
		return 0;
	case SO_PRIORITY:
		*v = (int)s->priority;
		return 0;
	case SO_MARK:
		*v = (int)s->mark;
		return 0;
	case SO_BUSY_POLL:
		*v = (int)s->busy_poll;
		return 0;
	case SO_DONTROUTE:
		*v = s->dontroute;
		return 0;
	case SO_NO_CHECK:
		*v = s->no_check;
		return 0;
	case SO_ZEROCOPY:
		*v = s->zerocopy;
		return 0;
	case SO_BINDTOIFINDEX:
		*v = s->bound_if;
		return 0;
	case SO_TIMESTAMP_OLD:
		*v = !!(s->rx_opts & RX_STAMP);
		return 0;
	case SO_TIMESTAMPNS_OLD:
		*v = !!(s->rx_opts & RX_STAMPNS);
		return 0;
	default:
		return -ENOPROTOOPT;
	}
}

static int get_tcp(struct sock *s, int name, int *v)
{
	struct tcp_conn *c = s->tcp;

	if (!c)
		return -ENOPROTOOPT;
	switch (name) {
	case TCP_NODELAY:
		*v = s->nodelay;
		return 0;
	case TCP_CORK:
		*v = s->cork;
		return 0;
	case TCP_QUICKACK:
		*v = !c->pingpong;
		return 0;
	case TCP_SYNCNT:
		*v = (int)(c->syn_cnt ? c->syn_cnt : TCP_SYN_RETRIES);
		return 0;
	case TCP_LINGER2:
		*v = c->linger2_s ? c->linger2_s : 60;
		return 0;
	case TCP_NOTSENT_LOWAT:
		*v = (int)c->notsent_lowat;
		return 0;
	case TCP_KEEPIDLE:
		*v = (int)c->keep_idle_s;
		return 0;
	case TCP_KEEPINTVL:
		*v = (int)c->keep_intvl_s;
		return 0;
	case TCP_KEEPCNT:
		*v = (int)c->keep_cnt;
		return 0;
	case TCP_USER_TIMEOUT:
		*v = (int)c->user_timeout_ms;
		return 0;
	case TCP_MAXSEG:
		*v = (int)c->mss;
		return 0;
	case TCP_DEFER_ACCEPT:
		*v = (int)c->defer_accept_s;
		return 0;
	default:
		return -ENOPROTOOPT;
	}
}

static int get_value(struct sock *s, int level, int name, int *v)
{
	switch (level) {
	case SOL_SOCKET:
		return get_socket(s, name, v);
	case IPPROTO_TCP:
		return get_tcp(s, name, v);
	case IPPROTO_UDP:
	case IPPROTO_UDPLITE:
		if (!sock_is_udp(s) || s->protocol != IPPROTO_UDPLITE || (name != UDPLITE_SEND_CSCOV && name != UDPLITE_RECV_CSCOV))
			return -ENOPROTOOPT;
		*v = name == UDPLITE_SEND_CSCOV ? s->cov_send : s->cov_recv;
		return 0;
	case IPPROTO_IP:
		return knows_ip4(s) ? sock_get_ip(s, name, v) : -ENOPROTOOPT;
	case IPPROTO_IPV6:
		return sock_get_ip6(s, name, v);
	default:
		return -ENOPROTOOPT;
	}
}

/* Options that are not one int. -ENOPROTOOPT: it is. */
static int get_struct(struct sock *s, int level, int name, void *val, u32 *len)
{
	union {
		struct tcp_info ti;
		int linger[2];
		s64 tv[2];
		char cc[16];
		u32 mem[9];
	} u;
	u32 n;

	if (level == 263 && s->family == 17)
		return packet_getopt(s, name, val, len);
	if (level == IPPROTO_ICMPV6 || level == 255)
		return sock_icmp_filter(s, level, name, val, len, false);
	if (level == SOL_SOCKET && name == SO_BINDTODEVICE) {
		struct netif *dev = netif_by_index(s->bound_if);

		memset(u.cc, 0, sizeof(u.cc));
		if (dev)
			memcpy(u.cc, dev->name, sizeof(u.cc));
		n = dev ? (u32)strlen(u.cc) + 1 : 0;
		if (*len < 16)
			return -EINVAL;
	} else if (level == SOL_SOCKET && name == SO_COOKIE) {
		if (*len < sizeof(s->inode))
			return -EINVAL;
		memcpy(&u, &s->inode, sizeof(s->inode));
		n = sizeof(s->inode);
	} else if (level == SOL_SOCKET && name == SO_MEMINFO) {
		memcpy(u.mem, (u32[9]){ s->tcp ? s->tcp->rcv.len : s->dgram_bytes, s->rcvbuf, 0, s->sndbuf, 0, s->tcp ? s->tcp->snd.len : 0, 0, 0,
					s->dgram_drops }, sizeof(u.mem));
		n = sizeof(u.mem);
	} else if (level == SOL_SOCKET && name == SO_LINGER) {
		u.linger[0] = s->linger_on;
		u.linger[1] = s->linger_s;
		n = sizeof(u.linger);
	} else if (level == SOL_SOCKET && (name == SO_RCVTIMEO || name == SO_SNDTIMEO)) {
		s64 t = name == SO_RCVTIMEO ? s->rcvtimeo : s->sndtimeo;

		u.tv[0] = t / NSEC_PER_SEC;
		u.tv[1] = t % NSEC_PER_SEC / 1000;
		n = sizeof(u.tv);
	} else if (level == IPPROTO_TCP && name == TCP_INFO && s->tcp) {
		tcp_info_fill(s->tcp, &u.ti);
		n = sizeof(u.ti);
	} else if (level == IPPROTO_TCP && name == TCP_CONGESTION && s->tcp) {
		memset(u.cc, 0, sizeof(u.cc));
		memcpy(u.cc, s->tcp->cc->name, strlen(s->tcp->cc->name));
		n = sizeof(u.cc);
	} else {
		return -ENOPROTOOPT;
	}
	*len = MIN(*len, n);
	memcpy(val, &u, *len);
	return 0;
}

/* Linux's words for a level that is not the socket's own differ by family. 0: it is. */
static int foreign_level(const struct sock *s, int level)
{
	if (s->family == 17)
		return level == IPPROTO_IPV6 ? -ENOPROTOOPT : 0;
	if (s->family != 2 || level == SOL_SOCKET || level == IPPROTO_IP || level == s->protocol || (level == 255 && s->type == 3) ||
	    (sock_is_udp(s) && (level == IPPROTO_UDP || level == IPPROTO_UDPLITE)))
		return 0;
	return -EOPNOTSUPP;
}

int net_sock_getopt(struct sock *s, int level, int name, void *val, u32 *len)
{
	int v = 0, r = foreign_level(s, level);

	if (r)
		return r;
	net_lock_get();
	r = get_struct(s, level, name, val, len);
	if (r == -ENOPROTOOPT) {
		r = get_value(s, level, name, &v);
		if (!r) {
			*len = MIN(*len, 4u);
			memcpy(val, &v, *len);
		}
	}
	net_lock_put();
	return r;
}
