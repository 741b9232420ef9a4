/* SPDX-License-Identifier: MIT */
/* See nic_pair.h. */
#include "tests/lib/nic_pair.h"
#include "net/stack.h"
#include "net/tcp/tcp.h"
#include "tests/lib/sim_rt.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void __wrap_net_loop_queue(const u8 *p, u32 len, const struct tx_meta *m);

struct nic_pair_cfg nic_pair;
u64 nic_pair_sent, nic_pair_lost, nic_pair_breaches, nic_pair_data_segs, nic_pair_rsts;
bool (*nic_pair_watch)(const u8 *ip, u32 len);

struct frame {
	struct timer timer;
	u32 len;
	u8 data[];
};

/* What one end has promised to the other: by its own port and the other's. */
#define FLOWS 64
static struct flow {
	u16 from, to;
	u32 edge; /* right edge advertised by `from` */
	bool known, scaled;
} flows[FLOWS];
static u32 nr_flows;
static s64 last_arrival;

static struct flow *flow(u16 from, u16 to)
{
	for (u32 i = 0; i < nr_flows; i++)
		if (flows[i].from == from && flows[i].to == to)
			return &flows[i];
	if (nr_flows == FLOWS)
		return NULL;
	flows[nr_flows] = (struct flow){ .from = from, .to = to };
	return &flows[nr_flows++];
}

static void breach(const char *what, u32 a, u32 b)
{
	nic_pair_breaches++;
	fprintf(stderr, "wire: %s (%u, %u)\n", what, a, b);
}

static void check_segment(const u8 *p, u32 len)
{
	struct tcp_hdr h;
	bool v6 = p[0] >> 4 == 6;
	u32 ihl = v6 ? 40 : (p[0] & 15) * 4u, hlen, data, seq, ack, wnd;
	struct flow *mine, *theirs;

	if (p[v6 ? 6 : 9] != 6 || len < ihl + sizeof(h))
		return;
	memcpy(&h, p + ihl, sizeof(h));
	hlen = (h.off >> 4) * 4u;
	data = len - ihl - hlen;
	seq = be32(h.seq);
	ack = be32(h.ack);
	mine = flow(h.sport, h.dport);
	theirs = flow(h.dport, h.sport);
	if (len > net_lo.mtu)
		breach("larger than the link", len, net_lo.mtu);
	nic_pair_data_segs += data != 0;
	nic_pair_rsts += !!(h.flags & TH_RST);
	if (!mine || !theirs)
		return;
	if (h.flags & TH_SYN) {
		struct tcp_opts o;

		tcp_opt_parse(&o, p + ihl + sizeof(h), hlen - (u32)sizeof(h));
		mine->known = false;
		mine->scaled = o.wscale >= 0;
		if (h.flags & TH_ACK)
			theirs->scaled = mine->scaled;
	}
	if (data && theirs->known && SEQ_GT(seq + data, theirs->edge))
		breach("data beyond the window", seq + data, theirs->edge);
	if (h.flags & TH_ACK && !(h.flags & TH_RST)) {
		wnd = (u32)be16(h.wnd) << (h.flags & TH_SYN || !mine->scaled ? 0 : TCP_WSCALE);
		if (mine->known && SEQ_LT(ack + wnd, mine->edge - (1u << TCP_WSCALE)) && SEQ_GEQ(ack + wnd, mine->edge - (1u << 24)))
			breach("the window shrank", ack + wnd, mine->edge);
		if (!mine->known || SEQ_GT(ack + wnd, mine->edge))
			mine->edge = ack + wnd;
		mine->known = true;
	}
}

void nic_pair_inject(const u8 *ip, u32 len)
{
	u8 *copy = malloc(len ? len : 1); /* exact size: the sanitizer sees each byte read beyond it */

	memcpy(copy, ip, len);
	net_lock_get();
	ip_input(&net_lo, copy, len, false);
	net_lock_put();
	free(copy);
}

static void arrive(struct timer *t)
{
	struct frame *f = container_of(t, struct frame, timer);

	nic_pair_inject(f->data, f->len);
	free(f);
}

static bool chance(u32 per_10000)
{
	return per_10000 && sim_random() % 10000 < per_10000;
}

static void put(const u8 *p, u32 len)
{
	struct frame *f = malloc(sizeof(*f) + len);
	s64 when = sim_now() + nic_pair.delay_ns;

	if (nic_pair.jitter_ns)
		when += (s64)(sim_random() % (u64)nic_pair.jitter_ns);
	if (!nic_pair.jitter_ns) { /* in order, as on a link of 10 Gbit/s */
		when = MAX(when, last_arrival + (s64)len * 8 / 10);
		last_arrival = when;
	}
	if (chance(nic_pair.reorder))
		when += (s64)(sim_random() % (u64)(4 * nic_pair.delay_ns + NSEC_PER_MSEC));
	timer_init(&f->timer, arrive);
	f->len = len;
	memcpy(f->data, p, len);
	if (chance(nic_pair.corrupt))
		f->data[sim_random() % len] ^= (u8)(1u << sim_random() % 8);
	timer_start(&f->timer, when);
}

void __wrap_net_loop_queue(const u8 *p, u32 len, const struct tx_meta *m)
{
	(void)m;
	nic_pair_sent++;
	check_segment(p, len);
	if (nic_pair_watch && !nic_pair_watch(p, len))
		return;
	if (nic_pair.cut || chance(nic_pair.loss)) {
		nic_pair_lost++;
		return;
	}
	put(p, len);
	if (chance(nic_pair.dup))
		put(p, len);
}

void nic_pair_start(u32 mtu)
{
	nic_pair = (struct nic_pair_cfg){ .delay_ns = 100 * NSEC_PER_USEC };
	nic_pair_sent = nic_pair_lost = nic_pair_breaches = nic_pair_data_segs = nic_pair_rsts = 0;
	nic_pair_watch = NULL;
	nr_flows = 0;
	net_lo.mtu = mtu;
	net_lo.csum_offload = net_lo.tso = false;
}
