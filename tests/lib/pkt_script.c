/* SPDX-License-Identifier: MIT */
/* See pkt_script.h. The parser keeps to one line at a time; every deviation is an error with its line. */
#include "tests/lib/pkt_script.h"
#include "net/stack.h"
#include "net/tcp/tcp.h"
#include "tests/lib/nic_pair.h"
#include "tests/lib/sim_rt.h"
#include <ctype.h>
#include <setjmp.h>
#include <stdarg.h>
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
static char error[512];
static jmp_buf out;
static int line_nr;
static const char *file_name;

static struct sock *lsock, *conn;
static u16 our_port, peer_port, peer_base;
static u32 our_isn, last_ts_out, last_ts_in, ts_in_base;
static s64 ts_in_when;
static bool know_isn;
static s64 clock_ns; /* the script's own time */
static u64 counters[NET_COUNTER_COUNT];

static void bad(const char *f, ...) __attribute__((noreturn, format(printf, 1, 2)));
static void bad(const char *f, ...)
{
	va_list ap;
	int n = snprintf(error, sizeof(error), "%s:%d: ", file_name, line_nr);

	va_start(ap, f);
	vsnprintf(error + n, sizeof(error) - (size_t)n, f, ap);
	va_end(ap);
	longjmp(out, 1);
}

/* ---- text ---- */

static void skip(const char **p)
{
	while (isspace((unsigned char)**p))
		++*p;
}

static bool word(const char **p, const char *w)
{
	size_t n = strlen(w);

	skip(p);
	if (strncmp(*p, w, n) || (isalnum((unsigned char)w[n - 1]) && isalnum((unsigned char)(*p)[n])))
		return false;
	*p += n;
	return true;
}

static void need(const char **p, const char *w)
{
	if (!word(p, w))
		bad("'%s' expected at '%s'", w, *p);
}

static s64 number(const char **p)
{
	char *end;
	s64 v;

	skip(p);
	v = strtoll(*p, &end, 10);
	if (end == *p)
		bad("number expected at '%s'", *p);
	*p = end;
	return v;
}

static void name(const char **p, char *to, size_t size)
{
	size_t n = 0;

	skip(p);
	while ((isalnum((unsigned char)**p) || **p == '_' || **p == '-') && n + 1 < size)
		to[n++] = *(*p)++;
	to[n] = 0;
	if (!n)
		bad("name expected at '%s'", *p);
}

static bool compare(const char **p, s64 have, s64 *want)
{
	char op[3] = { 0 };

	skip(p);
	for (int i = 0; i < 2 && **p && strchr("=<>!", **p); i++)
		op[i] = *(*p)++;
	*want = number(p);
	if (!strcmp(op, "=="))
		return have == *want;
	if (!strcmp(op, "!="))
		return have != *want;
	if (!strcmp(op, "<"))
		return have < *want;
	if (!strcmp(op, ">"))
		return have > *want;
	if (!strcmp(op, "<="))
		return have <= *want;
	if (!strcmp(op, ">="))
		return have >= *want;
	bad("operator '%s'", op);
}

/* ---- segments as text ---- */

static u32 star_or_number(const char **p, bool *star)
{
	*star = word(p, "*");
	return *star ? 0 : (u32)number(p);
}

static void parse_options(const char **p, struct pkt *k)
{
	k->has_opts = true;
	k->o.wscale = -1;
	while (!word(p, ">")) {
		if (word(p, "mss"))
			k->o.mss = (u16)number(p);
		else if (word(p, "wscale"))
			k->o.wscale = (s8)number(p);
		else if (word(p, "!sackOK"))
			k->no_sack_ok = true;
		else if (word(p, "!sack"))
			k->no_sack = true;
		else if (word(p, "!TS"))
			k->no_ts = true;
		else if (word(p, "!wscale"))
			k->no_wscale = true;
		else if (word(p, "sackOK"))
			k->o.sack_ok = true;
		else if (word(p, "TS")) {
			k->o.has_ts = true;
			need(p, "val");
			k->o.ts_val = star_or_number(p, &k->any_val);
			need(p, "ecr");
			k->o.ts_ecr = star_or_number(p, &k->any_ecr);
		} else if (word(p, "sack")) {
			do {
				struct tcp_run *r = &k->o.sack[k->o.nr_sack++];

				r->start = (u32)number(p);
				need(p, ":");
				r->end = (u32)number(p);
				skip(p);
			} while (isdigit((unsigned char)**p) && k->o.nr_sack < 4);
		} else if (!word(p, "nop") && !word(p, ",")) {
			bad("option '%s'", *p);
		}
	}
}

static void parse_segment(const char **p, struct pkt *k)
{
	static const char letters[] = "FSRP.UEC";

	*k = (struct pkt){ .ecn = 255, .o.wscale = -1, .any_val = true, .any_ecr = true };
	if (word(p, "[ect0]"))
		k->ecn = 2;
	else if (word(p, "[ce]"))
		k->ecn = 3;
	else if (word(p, "[noecn]"))
		k->ecn = 0;
	skip(p);
	for (const char *l; **p && (l = strchr(letters, **p)) != NULL; ++*p)
		k->flags |= (u8)(1u << (l - letters));
	k->seq = (u32)number(p);
	need(p, ":");
	(void)number(p);
	need(p, "(");
	k->len = (u32)number(p);
	need(p, ")");
	if (word(p, "ack")) {
		k->has_ack = true;
		k->ack = (u32)number(p);
	}
	if (word(p, "win")) {
		k->has_win = true;
		k->win = (u32)number(p);
	}
	if (word(p, "urg")) {
		k->has_urg = true;
		k->urg = (u32)number(p);
	}
	if (word(p, "<"))
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

	name(p, type, sizeof(type));
	memset(m, 0, sizeof(m));
	m[20] = 3;
	m[21] = strstr(type, "too-big") ? 4 : !strcmp(type, "port") ? 3 : !strcmp(type, "host") ? 1 : 255;
	if (m[21] == 255)
		bad("icmp type '%s'", type);
	if (m[21] == 4)
		mtu = (u32)number(p);
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
		bad("unexpected segment %s, %.3f s before", show(&captured[next_captured % CAPTURED]),
		    (double)(sim_now() - captured[next_captured % CAPTURED].when) / 1e9);
}

static void expect(const struct pkt *want, bool any_time)
{
	s64 late = any_time ? 1000 * NSEC_PER_SEC : clock_ns + TOLERANCE - sim_now();
	struct pkt *got;
	const char *d;

	if (!have_packet(NULL) && !sim_run_until(have_packet, NULL, late))
		bad("no segment, expected %s", show(want));
	got = &captured[next_captured++ % CAPTURED];
	if (!any_time && (got->when < clock_ns - TOLERANCE || got->when > clock_ns + TOLERANCE))
		bad("%+.3f s off: %s", (double)(got->when - clock_ns) / 1e9, show(got));
	d = differs(want, got);
	if (d)
		bad("%s: got %s, expected %s", d, show(got), show(want));
	if (any_time)
		clock_ns = got->when;
	last_out = *got;
}
