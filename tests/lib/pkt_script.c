/* SPDX-License-Identifier: MIT */
/* See pkt_script.h. The parser keeps to one line at a time; every deviation is an error with its line. */
#include "tests/lib/pkt_script.h"
#include "net/stack.h"
#include "net/tcp/tcp.h"
#include "tests/lib/nic_pair.h"
#include "tests/lib/pkt_lex.h"
#include "tests/lib/sim_rt.h"
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PEER_IP 0x7f000002u
#define OUR_IP 0x7f000001u
#define PEER_ISN 1000000u
#define TOLERANCE (2 * NSEC_PER_MSEC)
#define CAPTURED 512

struct pkt { /* one TCP segment, in the script's numbers */
	u8 flags, ecn; /* ecn 255: not given */
	u32 seq, len, ack, win, urg;
	bool has_ack, has_win, has_urg, has_opts;
	struct tcp_opts o;
	bool no_sack, no_ts, no_wscale, no_sack_ok, any_val, any_ecr;
	s64 when;
	u8 raw[128];
	u32 raw_len, ip_len;
};

static struct pkt captured[CAPTURED];
static u32 nr_captured, next_captured;
static struct pkt last_out;

static struct sock *lsock, *conn;
static u16 our_port, peer_port, peer_base;
static u32 our_isn, last_ts_out, last_ts_in, ts_in_base;
static s64 ts_in_when;
static bool know_isn;
static s64 clock_ns; /* the script's own time */
static u64 counters[NET_COUNTER_COUNT];

/* ---- segments as text ---- */

static u32 star_or_number(const char **p, bool *star)
{
	*star = lex_word(p, "*");
	return *star ? 0 : (u32)lex_number(p);
}

static void parse_options(const char **p, struct pkt *k)
{
	k->has_opts = true;
	k->o.wscale = -1;
	while (!lex_word(p, ">")) {
		if (lex_word(p, "mss"))
			k->o.mss = (u16)lex_number(p);
		else if (lex_word(p, "wscale"))
			k->o.wscale = (s8)lex_number(p);
		else if (lex_word(p, "!sackOK"))
			k->no_sack_ok = true;
		else if (lex_word(p, "!sack"))
			k->no_sack = true;
		else if (lex_word(p, "!TS"))
			k->no_ts = true;
		else if (lex_word(p, "!wscale"))
			k->no_wscale = true;
		else if (lex_word(p, "sackOK"))
			k->o.sack_ok = true;
		else if (lex_word(p, "TS")) {
			k->o.has_ts = true;
			lex_need(p, "val");
			k->o.ts_val = star_or_number(p, &k->any_val);
			lex_need(p, "ecr");
			k->o.ts_ecr = star_or_number(p, &k->any_ecr);
		} else if (lex_word(p, "sack")) {
			do {
				struct tcp_run *r = &k->o.sack[k->o.nr_sack++];

				r->start = (u32)lex_number(p);
				lex_need(p, ":");
				r->end = (u32)lex_number(p);
				lex_skip(p);
			} while (isdigit((unsigned char)**p) && k->o.nr_sack < 4);
		} else if (!lex_word(p, "nop") && !lex_word(p, ",")) {
			lex_fail("option '%s'", *p);
		}
	}
}

static void parse_segment(const char **p, struct pkt *k)
{
	static const char letters[] = "FSRP.UEC";

	*k = (struct pkt){ .ecn = 255, .o.wscale = -1, .any_val = true, .any_ecr = true };
	if (lex_word(p, "[ect0]"))
		k->ecn = 2;
	else if (lex_word(p, "[ce]"))
		k->ecn = 3;
	else if (lex_word(p, "[noecn]"))
		k->ecn = 0;
	lex_skip(p);
	for (const char *l; **p && (l = strchr(letters, **p)) != NULL; ++*p)
		k->flags |= (u8)(1u << (l - letters));
	k->seq = (u32)lex_number(p);
	lex_need(p, ":");
	(void)lex_number(p);
	lex_need(p, "(");
	k->len = (u32)lex_number(p);
	lex_need(p, ")");
	if (lex_word(p, "ack")) {
		k->has_ack = true;
		k->ack = (u32)lex_number(p);
	}
	if (lex_word(p, "win")) {
		k->has_win = true;
		k->win = (u32)lex_number(p);
	}
	if (lex_word(p, "urg")) {
		k->has_urg = true;
		k->urg = (u32)lex_number(p);
	}
	if (lex_word(p, "<"))
		parse_options(p, k);
}

/* ---- segments on the wire ---- */

static bool capture(const u8 *p, u32 len)
{
	u32 ihl = (p[0] & 15) * 4u, hlen;
	struct tcp_hdr h;
	struct pkt *k = &captured[nr_captured % CAPTURED];

	if (p[9] != 6 || memcmp(p + 16, (u8[]){ 127, 0, 0, 2 }, 4))
		return false;
	memcpy(&h, p + ihl, sizeof(h));
	hlen = (h.off >> 4) * 4u;
	*k = (struct pkt){ .flags = h.flags, .ecn = p[1] & 3, .len = len - ihl - hlen, .win = be16(h.wnd), .urg = be16(h.urg),
			   .when = sim_now(), .ip_len = len };
	our_port = be16(h.sport);
	if (!peer_port)
		peer_port = be16(h.dport);
	if (h.flags & TH_SYN) {
		our_isn = be32(h.seq);
		know_isn = true;
	}
	k->seq = be32(h.seq) - our_isn;
	k->ack = h.flags & TH_ACK ? be32(h.ack) - PEER_ISN : 0;
	tcp_opt_parse(&k->o, p + ihl + sizeof(h), hlen - (u32)sizeof(h));
	for (u32 i = 0; i < k->o.nr_sack; i++) {
		k->o.sack[i].start -= PEER_ISN;
		k->o.sack[i].end -= PEER_ISN;
	}
	if (k->o.has_ts)
		last_ts_out = k->o.ts_val;
	k->raw_len = MIN(len, (u32)sizeof(k->raw));
	memcpy(k->raw, p, k->raw_len);
	nr_captured++;
	return false;
}

static void put_ip(u8 *p, u32 len, u8 proto, u8 tos)
{
	u16 c;

	memset(p, 0, 20);
	p[0] = 0x45;
	p[1] = tos;
	p[2] = (u8)(len >> 8);
	p[3] = (u8)len;
	p[8] = 64;
	p[9] = proto;
	memcpy(p + 12, (u8[]){ 127, 0, 0, 2, 127, 0, 0, 1 }, 8);
	c = (u16)~csum_fold(csum_add(p, 20, 0));
	memcpy(p + 10, &c, 2);
}

static u8 *put32(u8 *p, u32 v)
{
	v = be32(v);
	memcpy(p, &v, 4);
	return p + 4;
}

static u32 put_options(const struct pkt *k, u8 *p)
{
	u8 *start = p;
	u32 now = ts_in_base + (u32)((sim_now() - ts_in_when) / NSEC_PER_MSEC);

	if (k->o.mss)
		p = put32(p, 2u << 24 | 4u << 16 | k->o.mss);
	if (k->o.wscale >= 0)
		p = put32(p, 1u << 24 | 3u << 16 | 3u << 8 | (u32)k->o.wscale);
	if (k->o.sack_ok)
		p = put32(p, 1u << 24 | 1u << 16 | 4u << 8 | 2u);
	if (k->o.has_ts) {
		last_ts_in = k->any_val ? now : k->o.ts_val;
		p = put32(p, 1u << 24 | 1u << 16 | 8u << 8 | 10u);
		p = put32(p, last_ts_in);
		p = put32(p, k->any_ecr ? last_ts_out : k->o.ts_ecr);
	}
	if (k->o.nr_sack) {
		p = put32(p, 1u << 24 | 1u << 16 | 5u << 8 | (2u + 8u * k->o.nr_sack));
		for (u32 i = 0; i < k->o.nr_sack; i++) {
			p = put32(p, our_isn + k->o.sack[i].start);
			p = put32(p, our_isn + k->o.sack[i].end);
		}
	}
	return (u32)(p - start);
}

static void inject(const struct pkt *k)
{
	static u8 p[70000];
	u8 opts[60];
	u32 olen = put_options(k, opts), hlen = (u32)sizeof(struct tcp_hdr) + olen, tcp = hlen + k->len;
	struct tcp_hdr h = { .sport = be16(peer_port), .dport = be16(our_port), .seq = be32(PEER_ISN + k->seq),
			     .ack = k->flags & TH_ACK ? be32(our_isn + k->ack) : 0, .off = (u8)(hlen << 2), .flags = k->flags,
			     .wnd = be16((u16)(k->has_win ? k->win : 65535)), .urg = be16((u16)k->urg) };

	put_ip(p, 20 + tcp, 6, k->ecn == 255 ? 0 : k->ecn);
	memcpy(p + 20, &h, sizeof(h));
	memcpy(p + 20 + sizeof(h), opts, olen);
	for (u32 i = 0; i < k->len; i++)
		p[20 + hlen + i] = (u8)((k->seq + i) * 7);
	h.csum = (u16)~csum_fold(csum_add(p + 20, tcp, csum_pseudo(ip4_addr(be32(PEER_IP)), ip4_addr(be32(OUR_IP)), 6, tcp)));
	memcpy(p + 20, &h, sizeof(h));
	nic_pair_inject(p, 20 + tcp);
}

static void icmp(const char **p)
{
	u8 m[200];
	u32 quoted = MIN(last_out.raw_len, 60u), mtu = 0;
	char type[24];
	u16 c;

	lex_name(p, type, sizeof(type));
	memset(m, 0, sizeof(m));
	m[20] = 3;
	m[21] = strstr(type, "too-big") ? 4 : !strcmp(type, "port") ? 3 : !strcmp(type, "host") ? 1 : 255;
	if (m[21] == 255)
		lex_fail("icmp type '%s'", type);
	if (m[21] == 4)
		mtu = (u32)lex_number(p);
	m[26] = (u8)(mtu >> 8);
	m[27] = (u8)mtu;
	memcpy(m + 28, last_out.raw, quoted);
	if (!strncmp(type, "stale", 5))
		(void)put32(m + 28 + 24, our_isn - 5000);
	c = (u16)~csum_fold(csum_add(m + 20, 8 + quoted, 0));
	memcpy(m + 22, &c, 2);
	put_ip(m, 28 + quoted, 1, 0);
	nic_pair_inject(m, 28 + quoted);
}

static const char *show(const struct pkt *k)
{
	static char buf[2][256];
	static int which;
	char *b = buf[which ^= 1];
	int n = 0;

	for (int i = 0; i < 8; i++)
		if (k->flags & 1 << i)
			b[n++] = "FSRP.UEC"[i];
	n += snprintf(b + n, 200, " %u:%u(%u) ack %u win %u urg %u", k->seq, k->seq + k->len, k->len, k->ack, k->win, k->urg);
	if (k->o.mss)
		n += snprintf(b + n, 40, " mss %u", k->o.mss);
	for (u32 i = 0; i < k->o.nr_sack; i++)
		n += snprintf(b + n, 40, " sack %u:%u", k->o.sack[i].start, k->o.sack[i].end);
	return b;
}

static const char *differs(const struct pkt *want, const struct pkt *got)
{
	if ((want->flags ^ got->flags) & ~TH_PSH)
		return "flags";
	if (want->seq != got->seq)
		return "sequence number";
	if (want->len != got->len)
		return "length";
	if (want->has_ack && want->ack != got->ack)
		return "ack";
	if (want->has_win && want->win != got->win)
		return "window";
	if (want->has_urg && want->urg != got->urg)
		return "urgent pointer";
	if (want->ecn != 255 && want->ecn != got->ecn)
		return "ECN bits";
	if (!want->has_opts)
		return NULL;
	if ((want->o.mss && want->o.mss != got->o.mss) || (want->o.wscale >= 0 && want->o.wscale != got->o.wscale) ||
	    (want->o.sack_ok && !got->o.sack_ok) || (want->o.has_ts && !got->o.has_ts) || (want->no_ts && got->o.has_ts) ||
	    (want->no_sack && got->o.nr_sack) || (want->no_sack_ok && got->o.sack_ok) || (want->no_wscale && got->o.wscale >= 0))
		return "options";
	if (want->o.has_ts && ((!want->any_val && want->o.ts_val != got->o.ts_val) || (!want->any_ecr && want->o.ts_ecr != got->o.ts_ecr)))
		return "timestamps";
	if (want->o.nr_sack && (want->o.nr_sack != got->o.nr_sack || memcmp(want->o.sack, got->o.sack, want->o.nr_sack * sizeof(got->o.sack[0]))))
		return "SACK blocks";
	return NULL;
}

static bool have_packet(void *arg)
{
	(void)arg;
	return next_captured < nr_captured;
}

static void quiet(void)
{
	if (have_packet(NULL))
		lex_fail("unexpected segment %s, %.3f s before", show(&captured[next_captured % CAPTURED]),
		    (double)(sim_now() - captured[next_captured % CAPTURED].when) / 1e9);
}

static void expect(const struct pkt *want, bool any_time)
{
	s64 late = any_time ? 1000 * NSEC_PER_SEC : clock_ns + TOLERANCE - sim_now();
	struct pkt *got;
	const char *d;

	if (!have_packet(NULL) && !sim_run_until(have_packet, NULL, late))
		lex_fail("no segment, expected %s", show(want));
	got = &captured[next_captured++ % CAPTURED];
	if (!any_time && (got->when < clock_ns - TOLERANCE || got->when > clock_ns + TOLERANCE))
		lex_fail("%+.3f s off: %s", (double)(got->when - clock_ns) / 1e9, show(got));
	d = differs(want, got);
	if (d)
		lex_fail("%s: got %s, expected %s", d, show(got), show(want));
	if (any_time)
		clock_ns = got->when;
	last_out = *got;
}

/* ---- calls ---- */

static const struct {
	const char *name;
	int level, opt;
} sockopts[] = {
	{ "SO_REUSEADDR", 1, 2 }, { "SO_SNDBUF", 1, 7 }, { "SO_RCVBUF", 1, 8 }, { "SO_KEEPALIVE", 1, 9 }, { "SO_OOBINLINE", 1, 10 },
	{ "SO_LINGER", 1, 13 }, { "SO_RCVLOWAT", 1, 18 }, { "TCP_NODELAY", 6, 1 }, { "TCP_MAXSEG", 6, 2 }, { "TCP_CORK", 6, 3 },
	{ "TCP_KEEPIDLE", 6, 4 }, { "TCP_KEEPINTVL", 6, 5 }, { "TCP_KEEPCNT", 6, 6 }, { "TCP_SYNCNT", 6, 7 }, { "TCP_LINGER2", 6, 8 },
	{ "TCP_DEFER_ACCEPT", 6, 9 }, { "TCP_QUICKACK", 6, 12 }, { "TCP_USER_TIMEOUT", 6, 18 }, { "TCP_NOTSENT_LOWAT", 6, 25 },
};
static const struct {
	const char *name;
	int value;
} errnos[] = {
	{ "EAGAIN", EAGAIN }, { "EPIPE", EPIPE }, { "ECONNRESET", ECONNRESET }, { "ECONNREFUSED", ECONNREFUSED }, { "ETIMEDOUT", ETIMEDOUT },
	{ "EINPROGRESS", EINPROGRESS }, { "EHOSTUNREACH", EHOSTUNREACH }, { "EINVAL", EINVAL }, { "EADDRNOTAVAIL", EADDRNOTAVAIL },
	{ "ENOENT", ENOENT }, { "ENOTCONN", ENOTCONN },
};

static s64 field(const char *f)
{
	const struct tcp_conn *c = conn ? conn->tcp : NULL;

	if (!strcmp(f, "half_open"))
		return lsock->tcp->nr_half;
	if (!strcmp(f, "waiting"))
		return lsock->tcp->nr_accept;
	if (!c)
		lex_fail("no connection for '%s'", f);
#define F(n, expr)             \
	if (!strcmp(f, n))     \
		return (s64)(expr)
	F("state", c->state);
	F("cwnd", c->cwnd / c->mss);
	F("cwnd_bytes", c->cwnd);
	F("ssthresh", c->ssthresh / c->mss);
	F("mss", c->mss);
	F("rto_ms", c->rto / NSEC_PER_MSEC);
	F("srtt_ms", c->srtt / NSEC_PER_MSEC);
	F("ca", c->ca);
	F("rcvbuf", conn->rcvbuf);
	F("unsent", c->snd.len - (c->snd_nxt - c->snd_una));
	F("queued", c->snd.len);
	F("readable", tcp_readable(c));
	F("atmark", tcp_at_mark(conn));
	F("ecn", c->ecn_ok);
	F("sack", c->sack_ok);
	F("lost", c->lost_bytes);
	F("reo_mult", c->reo_mult);
	F("error", conn->error);
#undef F
	lex_fail("field '%s'", f);
}

static s64 info(const char *f)
{
	union {
		u8 bytes[512];
		u64 align;
	} ti;
	static const struct {
		const char *name;
		u32 off, size;
	} at[] = { /* linux/tcp.h, struct tcp_info */
		{ "info.state", 0, 1 }, { "info.ca_state", 1, 1 }, { "info.retransmits", 2, 1 }, { "info.probes", 3, 1 }, { "info.options", 5, 1 },
		{ "info.rto", 8, 4 }, { "info.snd_mss", 16, 4 }, { "info.rcv_mss", 20, 4 }, { "info.unacked", 24, 4 }, { "info.sacked", 28, 4 },
		{ "info.lost", 32, 4 }, { "info.retrans", 36, 4 }, { "info.pmtu", 60, 4 }, { "info.rtt", 68, 4 }, { "info.snd_ssthresh", 76, 4 },
		{ "info.snd_cwnd", 80, 4 }, { "info.advmss", 84, 4 }, { "info.total_retrans", 100, 4 }, { "info.bytes_acked", 120, 8 },
		{ "info.bytes_received", 128, 8 }, { "info.segs_out", 136, 4 }, { "info.segs_in", 140, 4 }, { "info.notsent_bytes", 144, 4 },
		{ "info.min_rtt", 148, 4 }, { "info.bytes_sent", 200, 8 }, { "info.bytes_retrans", 208, 8 }, { "info.dsack_dups", 216, 4 },
	};
	u32 len = sizeof(ti);
	u64 v = 0;

	if (net_sock_getopt(conn, 6, 11 /* TCP_INFO */, &ti, &len))
		lex_fail("TCP_INFO");
	for (u32 i = 0; i < ARRAY_SIZE(at); i++)
		if (!strcmp(at[i].name, f)) {
			memcpy(&v, ti.bytes + at[i].off, at[i].size);
			return (s64)v;
		}
	lex_fail("field '%s'", f);
}

static void result(const char **p, ssize have)
{
	char e[24];
	s64 want;

	lex_skip(p);
	if (!**p) {
		if (have < 0)
			lex_fail("error %zd", have);
		return;
	}
	(void)lex_word(p, "=");
	lex_skip(p);
	if (isdigit((unsigned char)**p)) {
		want = lex_number(p);
	} else {
		lex_name(p, e, sizeof(e));
		want = 0;
		for (u32 i = 0; i < ARRAY_SIZE(errnos); i++)
			if (!strcmp(errnos[i].name, e))
				want = -errnos[i].value;
		if (!want)
			lex_fail("errno '%s'", e);
	}
	if (want != have)
		lex_fail("result %zd, expected %ld", have, (long)want);
}

static ssize send_bytes(u32 n, u32 flags)
{
	static u8 buf[1 << 22];
	struct iov_iter it;

	iter_init_kernel(&it, buf, MIN(n, (u32)sizeof(buf)));
	return net_sock_send(conn, &it, NULL, flags, true);
}

static ssize recv_bytes(u32 n, u32 flags)
{
	static u8 buf[1 << 20];
	struct iov_iter it;
	u32 fl = 0;

	iter_init_kernel(&it, buf, MIN(n, (u32)sizeof(buf)));
	return net_sock_recv(conn, &it, NULL, flags, true, &fl);
}

static void set_option(const char **p)
{
	char n[24];
	int v[2] = { 1, 0 };

	lex_name(p, n, sizeof(n));
	v[!strcmp(n, "SO_LINGER")] = (int)lex_number(p);
	for (u32 i = 0; i < ARRAY_SIZE(sockopts); i++)
		if (!strcmp(sockopts[i].name, n)) {
			struct sock *s = conn ? conn : lsock;

			if (net_sock_setopt(s, sockopts[i].level, sockopts[i].opt, v, sockopts[i].opt == 13 ? 8 : 4))
				lex_fail("setsockopt %s", n);
			return;
		}
	lex_fail("option '%s'", n);
}

static void new_socket(struct sock **s)
{
	if (!*s && net_sock_create(2, 1, 0, s))
		lex_fail("socket");
}

static void do_listen(const char **p)
{
	struct net_addr a;
	int backlog = 16;

	sock_to_addr(2, IP4_ANY, 80, &a);
	lex_skip(p);
	if (isdigit((unsigned char)**p))
		backlog = (int)lex_number(p);
	new_socket(&lsock);
	if (net_sock_bind(lsock, &a) || net_sock_listen(lsock, backlog))
		lex_fail("listen");
	our_port = 80;
	peer_port = peer_base = 5000;
}

static void do_accept(const char **p)
{
	struct sock *s = NULL;
	int r = net_sock_accept(lsock, true, &s);

	if (!r)
		conn = s;
	result(p, r);
}

static void do_connect(const char **p)
{
	struct net_addr a;
	int r;

	sock_to_addr(2, ip4_addr(be32(PEER_IP)), 80, &a);
	new_socket(&conn);
	r = net_sock_connect(conn, &a, true);
	lex_skip(p);
	if (!**p && r == -EINPROGRESS)
		return;
	result(p, r);
}

static void do_poll(const char **p)
{
	static const struct {
		const char *n;
		u32 bit;
	} bits[] = { { "IN", EPOLLIN }, { "OUT", EPOLLOUT }, { "PRI", EPOLLPRI }, { "ERR", EPOLLERR }, { "HUP", EPOLLHUP }, { "RDHUP", EPOLLRDHUP } };
	u32 want = 0, all = 0, have = net_sock_poll(conn);

	for (u32 i = 0; i < ARRAY_SIZE(bits); i++)
		all |= bits[i].bit;
	for (lex_skip(p); **p; lex_skip(p)) {
		char n[16];

		lex_name(p, n, sizeof(n));
		for (u32 i = 0; i < ARRAY_SIZE(bits); i++)
			want |= strcmp(bits[i].n, n) ? 0 : bits[i].bit;
	}
	if ((have & all) != want)
		lex_fail("poll says 0x%x, expected 0x%x", have & all, want);
}

static void do_check(const char **p, bool counter)
{
	char n[32], *dot;
	s64 have = -1, want;

	lex_name(p, n, sizeof(n));
	if (counter) {
		for (int i = 0; i < NET_COUNTER_COUNT; i++)
			if (!strcmp(net_counter_name((enum net_counter)i), n))
				have = (s64)(net_counter((enum net_counter)i) - counters[i]);
		if (have < 0)
			lex_fail("counter '%s'", n);
	} else {
		dot = n + strlen(n);
		if (lex_word(p, ".")) {
			*dot++ = '.';
			lex_name(p, dot, sizeof(n) - (size_t)(dot - n));
		}
		have = !strncmp(n, "info.", 5) ? info(n) : field(n);
	}
	if (!lex_compare(p, have, &want))
		lex_fail("%s is %ld, expected other: %ld", n, (long)have, (long)want);
}

static void do_shutdown(const char **p)
{
	int how = lex_word(p, "rdwr") ? 2 : lex_word(p, "rd") ? 0 : (lex_need(p, "wr"), 1);

	result(p, net_sock_shutdown(conn, how));
}

static void call(const char **p)
{
	char n[16];
	ssize r = 0;

	lex_name(p, n, sizeof(n));
	if (!strcmp(n, "listen"))
		return do_listen(p);
	if (!strcmp(n, "accept"))
		return do_accept(p);
	if (!strcmp(n, "connect"))
		return do_connect(p);
	if (!strcmp(n, "shutdown"))
		return do_shutdown(p);
	if (!strcmp(n, "sockopt"))
		return set_option(p);
	if (!strcmp(n, "check"))
		return do_check(p, false);
	if (!strcmp(n, "count"))
		return do_check(p, true);
	if (!strcmp(n, "poll"))
		return do_poll(p);
	if (!strcmp(n, "icmp"))
		return icmp(p);
	if (!strcmp(n, "nothing"))
		return quiet();
	if (!strcmp(n, "newpeer")) {
		peer_port++;
		return;
	}
	if (!strcmp(n, "ecn")) {
		tcp_ecn_mode = (int)lex_number(p);
		return;
	}
	if (!strcmp(n, "close")) {
		net_sock_close(conn);
		conn = NULL;
		return;
	}
	if (!strcmp(n, "cc")) {
		char cc[16];

		new_socket(conn ? &conn : &lsock);
		lex_name(p, cc, sizeof(cc));
		return result(p, net_sock_setopt(conn ? conn : lsock, 6, 13, cc, (u32)strlen(cc)));
	}
	if (!strcmp(n, "socket")) {
		new_socket(&conn);
		return;
	}
	if (!strcmp(n, "lsocket")) {
		new_socket(&lsock);
		return;
	}
	if (!strcmp(n, "write")) {
		u32 len = (u32)lex_number(p);

		r = send_bytes(len, lex_word(p, "more") ? 0x8000 : 0);
	} else if (!strcmp(n, "writeoob"))
		r = send_bytes((u32)lex_number(p), 1);
	else if (!strcmp(n, "read"))
		r = recv_bytes((u32)lex_number(p), 0);
	else if (!strcmp(n, "peek"))
		r = recv_bytes((u32)lex_number(p), 2);
	else if (!strcmp(n, "readoob"))
		r = recv_bytes(1, 1);
	else
		lex_fail("statement '%s'", n);
	result(p, r);
}

/* ---- lines ---- */

static void run_line(const char *p)
{
	bool any_time = false;
	struct pkt k;

	lex_skip(&p);
	if (!*p)
		return;
	if (lex_word(&p, "*")) {
		any_time = true;
	} else {
		char *end;
		double secs;

		lex_need(&p, "+");
		secs = strtod(p, &end);
		if (end == p)
			lex_fail("time expected at '%s'", p);
		p = end;
		clock_ns += (s64)(secs * 1e9 + 0.5);
	}
	if (lex_word(&p, ">")) {
		parse_segment(&p, &k);
		expect(&k, any_time);
	} else {
		if (clock_ns > sim_now())
			sim_run_for(clock_ns - sim_now());
		if (lex_word(&p, "<")) {
			quiet();
			parse_segment(&p, &k);
			inject(&k);
		} else {
			if (strncmp(p, " check", 6) && strncmp(p, " count", 6))
				quiet();
			call(&p);
		}
	}
	lex_skip(&p);
	if (*p)
		lex_fail("what is '%s'?", p);
}

static void start(void)
{
	lsock = conn = NULL;
	nr_captured = next_captured = 0;
	our_port = peer_port = 0;
	last_ts_out = last_ts_in = 0;
	ts_in_base = 1000;
	ts_in_when = clock_ns = sim_now();
	lex_line = 0;
	tcp_ecn_mode = 2;
	nic_pair_watch = capture;
	for (int i = 0; i < NET_COUNTER_COUNT; i++)
		counters[i] = net_counter((enum net_counter)i);
}

/* Ends what is open without another word on the wire. */
static void finish(void)
{
	int linger[2] = { 1, 0 };

	tcp_ecn_mode = 2;
	if (conn) {
		(void)!net_sock_setopt(conn, 1, 13, linger, sizeof(linger));
		net_sock_close(conn);
	}
	if (lsock)
		net_sock_close(lsock);
}

const char *pkt_script_run(const char *path)
{
	static char line[1024];
	FILE *f = fopen(path, "r");

	lex_file = strrchr(path, '/') ? strrchr(path, '/') + 1 : path;
	start();
	lex_error[0] = 0;
	if (!f) {
		snprintf(lex_error, sizeof(lex_error), "%s: cannot be read", path);
		return lex_error;
	}
	if (!setjmp(lex_out)) {
		while (fgets(line, sizeof(line), f)) {
			lex_line++;
			line[strcspn(line, "#\n")] = 0;
			run_line(line);
		}
		quiet();
	}
	fclose(f);
	finish();
	return lex_error[0] ? lex_error : NULL;
}
