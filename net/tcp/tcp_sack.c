/* SPDX-License-Identifier: MIT */
/*
 * What is outstanding and what has arrived of it. Receiver: SACK and D-SACK blocks (RFC 2018, 2883). Sender: one record per transmission,
 * marked sacked or lost (by tcp_rack.c), and the pipe estimate that follows (RFC 6675, in bytes). All under net_lock.
 * Invariants: records cover [snd_una, snd_nxt) in order once established; sacked_bytes and lost_bytes are the sums of the marked ones;
 * tx_order holds exactly the records that are neither sacked nor lost, by time of their last transmission.
 */
#include "net/tcp/tcp.h"
#include "userlib/base/mem.h"
#include "userlib/base/string.h"

static struct slab rec_slab = SLAB_INIT("tcp_rec", struct tcp_rec);

/* ---- receiver ---- */

static u8 *put_block(u8 *p, struct tcp_run r)
{
	u32 v[2] = { be32(r.start), be32(r.end) };

	memcpy(p, v, 8);
	return p + 8;
}

/* Writes the SACK option for at most `max` blocks: a duplicate first, then the run with the newest segment. Bytes written. */
u32 tcp_sack_option(struct tcp_conn *c, u8 *out, u32 max)
{
	u8 *p = out + 4;
	u32 n = 0;

	if (!c->sack_ok || (!c->nr_ooo && !c->has_dsack) || !max)
		return 0;
	if (c->has_dsack) {
		p = put_block(p, c->dsack);
		c->has_dsack = false;
		n++;
	}
	for (int pass = 0; pass < 2; pass++)
		for (u32 i = 0; i < c->nr_ooo && n < max; i++) {
			struct tcp_run r = c->ooo[i];
			bool newest = SEQ_LEQ(r.start, c->last_ooo) && SEQ_LT(c->last_ooo, r.end);

			if (newest == (pass == 0)) {
				p = put_block(p, r);
				n++;
			}
		}
	memcpy(out, (u8[]){ 1, 1, 5, (u8)(p - out - 2) }, 4);
	return (u32)(p - out);
}

/* ---- sender: records ---- */

static u32 rec_len(const struct tcp_rec *r)
{
	return r->end - r->seq;
}

struct tcp_rec *tcp_rec_add(struct tcp_conn *c, u32 seq, u32 end)
{
	struct tcp_rec *r = slab_alloc(&rec_slab);

	if (!r)
		return NULL;
	*r = (struct tcp_rec){ .seq = seq, .end = end, .sent_ns = clock_monotonic_ns() };
	list_add_tail(&c->recs, &r->link);
	list_add_tail(&c->tx_order, &r->tx_link);
	c->nr_recs++;
	return r;
}

/* Cuts r at `at`; the part behind becomes a record of its own with the same history. */
int tcp_rec_split(struct tcp_conn *c, struct tcp_rec *r, u32 at)
{
	struct tcp_rec *n = slab_alloc(&rec_slab);

	if (!n)
		return -ENOMEM;
	*n = *r;
	n->seq = r->end = at;
	list_add(&r->link, &n->link);
	if (list_empty(&r->tx_link))
		list_init(&n->tx_link);
	else
		list_add(&r->tx_link, &n->tx_link);
	c->nr_recs++;
	return 0;
}

void tcp_rec_del(struct tcp_conn *c, struct tcp_rec *r)
{
	list_del(&r->link);
	list_del(&r->tx_link);
	c->nr_recs--;
	slab_free(&rec_slab, r);
}

void tcp_recs_free(struct tcp_conn *c)
{
	while (!list_empty(&c->recs))
		tcp_rec_del(c, list_first(&c->recs, struct tcp_rec, link));
	c->sacked_bytes = c->lost_bytes = c->dup_acks = 0;
}

void tcp_rec_lost(struct tcp_conn *c, struct tcp_rec *r)
{
	if (r->flags & (REC_SACKED | REC_LOST))
		return;
	if (r->flags & REC_RETRANS)
		NET_INC(TCPLostRetransmit);
	r->flags |= REC_LOST;
	c->lost_bytes += rec_len(r);
	list_del(&r->tx_link);
}

void tcp_rec_sent_again(struct tcp_conn *c, struct tcp_rec *r)
{
	if (r->flags & REC_LOST)
		c->lost_bytes -= rec_len(r);
	r->flags = (u8)((r->flags & ~REC_LOST) | REC_RETRANS);
	r->sent_ns = clock_monotonic_ns();
	if (!(r->flags & REC_SACKED)) {
		list_del(&r->tx_link);
		list_add_tail(&c->tx_order, &r->tx_link);
	}
}

u32 tcp_pipe(const struct tcp_conn *c)
{
	u32 flight = c->snd_nxt - c->snd_una, gone = c->sacked_bytes + c->lost_bytes;

	if (!c->sack_ok) /* each duplicate says that one segment has left (RFC 5681 3.2) */
		gone += MIN(c->dup_acks * c->mss, flight > c->lost_bytes + c->mss ? flight - c->lost_bytes - c->mss : 0);
	return flight - MIN(gone, flight);
}

/* Reordering: something arrived that was sent once, before what had arrived already. */
static void check_reordering(struct tcp_conn *c, const struct tcp_rec *r, struct tcp_delivery *d)
{
	if (SEQ_GT(r->end, c->rack_fack))
		c->rack_fack = r->end;
	else if (!(r->flags & REC_RETRANS) && SEQ_LT(r->end, c->rack_fack)) {
		if (!c->reordering)
			NET_INC(TCPSACKReorder);
		c->reordering = d->reordered = true;
		c->reord_seen++;
	}
}

static void rec_delivered(struct tcp_conn *c, struct tcp_rec *r, struct tcp_delivery *d)
{
	d->delivered += rec_len(r);
	if (r->flags & REC_LOST)
		c->lost_bytes -= rec_len(r);
	if (r->flags & REC_RETRANS)
		d->rtx_acked = true;
	r->flags &= (u8)~REC_LOST;
	if (c->sack_ok) {
		tcp_rack_update(c, r, d);
		check_reordering(c, r, d);
	}
}

/* The cumulative acknowledgment: records below it go; RTT from what was sent once (Karn). */
void tcp_recs_acked(struct tcp_conn *c, u32 ack, struct tcp_delivery *d)
{
	while (!list_empty(&c->recs)) {
		struct tcp_rec *r = list_first(&c->recs, struct tcp_rec, link);
		bool part = SEQ_GT(r->end, ack), sacked = r->flags & REC_SACKED;
		u32 cut = part ? ack - r->seq : rec_len(r);

		if (SEQ_GEQ(r->seq, ack))
			break;
		if (!sacked && !(r->flags & REC_RETRANS) && d->rtt < 0)
			d->rtt = d->now - r->sent_ns;
		if (part) { /* account for the front, keep the rest */
			struct tcp_rec front = *r;

			front.end = ack;
			list_init(&front.tx_link);
			if (!sacked)
				rec_delivered(c, &front, d);
			else
				c->sacked_bytes -= cut;
			r->seq = ack;
			break;
		}
		if (sacked)
			c->sacked_bytes -= cut;
		else
			rec_delivered(c, r, d);
		tcp_rec_del(c, r);
	}
}

/* ---- sender: blocks that came ---- */

static void rec_sacked(struct tcp_conn *c, struct tcp_rec *r, struct tcp_delivery *d)
{
	if (!(r->flags & REC_RETRANS))
		d->sack_rtt = d->now - r->sent_ns;
	rec_delivered(c, r, d);
	r->flags |= REC_SACKED;
	c->sacked_bytes += rec_len(r);
	d->newly_sacked += rec_len(r);
	list_del(&r->tx_link);
	if (SEQ_GT(r->end, c->high_sacked))
		c->high_sacked = r->end;
}

static void take_block(struct tcp_conn *c, struct tcp_run b, struct tcp_delivery *d)
{
	struct tcp_rec *r, *next;

	for (r = list_first(&c->recs, struct tcp_rec, link); &r->link != &c->recs && SEQ_LT(r->seq, b.end); r = next) {
		next = list_next(r, link);
		if (SEQ_LEQ(r->end, b.start) || r->flags & REC_SACKED)
			continue;
		if (SEQ_LT(r->seq, b.start)) {
			if (tcp_rec_split(c, r, b.start))
				return; /* no memory: it will be sent again for nothing */
			next = list_next(r, link);
			continue;
		}
		if (SEQ_GT(r->end, b.end) && tcp_rec_split(c, r, b.end))
			return;
		rec_sacked(c, r, d);
		next = list_next(r, link);
	}
}

/* RFC 2883 4: below the cumulative ACK, or inside the second block. */
static bool is_dsack(const struct tcp_conn *c, const struct tcp_seg *g)
{
	const struct tcp_run *b = g->o.sack;

	if (SEQ_GEQ(b[0].start, b[0].end) || SEQ_LT(b[0].start, g->ack - MAX(c->max_wnd, 65536u)))
		return false;
	if (SEQ_LT(b[0].start, g->ack))
		return true;
	return g->o.nr_sack > 1 && SEQ_GEQ(b[0].start, b[1].start) && SEQ_LEQ(b[0].end, b[1].end);
}

/* After the cumulative ACK has been taken. Blocks outside what is outstanding are nonsense and counted. */
void tcp_sack_input(struct tcp_conn *c, const struct tcp_seg *g, struct tcp_delivery *d)
{
	u32 i = 0;

	if (!c->sack_ok || !g->o.nr_sack)
		return;
	if (is_dsack(c, g)) {
		d->dsack = true;
		c->dsack_dups++;
		NET_INC(TCPDSACKRecv);
		tcp_rack_dsack(c);
		i = 1;
	}
	for (; i < g->o.nr_sack; i++) {
		struct tcp_run b = g->o.sack[i];

		if (SEQ_LT(b.start, b.end) && SEQ_GT(b.end, c->snd_una) && SEQ_GT(b.start, c->snd_una) && SEQ_LEQ(b.end, c->snd_nxt))
			take_block(c, b, d);
		else if (SEQ_GEQ(b.start, b.end) || SEQ_GT(b.end, c->snd_nxt))
			NET_INC(TCPSACKDiscard);
	}
}
