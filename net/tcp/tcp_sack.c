/* SPDX-License-Identifier: MIT */
/*
 * Selective acknowledgment (RFC 2018) and what the sender does with it (RFC 6675 in simple form): a scoreboard of sacked runs, the pipe
 * estimate, and retransmission of the holes below the highest sacked byte. All under net_lock.
 */
#include "net/tcp/tcp.h"
#include "userlib/base/string.h"

/* ---- receiver ---- */

static u8 *put_block(u8 *p, u32 start, u32 end)
{
	u32 v[2] = { be32(start), be32(end) };

	memcpy(p, v, 8);
	return p + 8;
}

/* The run of queued data that contains the entry `o`; its end. */
static u32 run_end(const struct tcp_conn *c, const struct tcp_ooo **o)
{
	u32 end = (*o)->seq + (*o)->len;

	for (;;) {
		const struct tcp_ooo *n = list_entry((*o)->link.next, struct tcp_ooo, link);

		if (&n->link == &c->ooo || SEQ_GT(n->seq, end))
			return end;
		end = SEQ_GT(n->seq + n->len, end) ? n->seq + n->len : end;
		*o = n;
	}
}

/* Writes the SACK option for at most `max` blocks, the one with the newest segment first. Bytes written. */
u32 tcp_sack_option(const struct tcp_conn *c, u8 *out, u32 max)
{
	u8 *p = out + 4;
	const struct tcp_ooo *o;

	if (!c->sack_ok || list_empty(&c->ooo) || !max)
		return 0;
	for (int pass = 0; pass < 2; pass++)
		for (o = list_first(&c->ooo, struct tcp_ooo, link); &o->link != &c->ooo; o = list_entry(o->link.next, struct tcp_ooo, link)) {
			u32 start = o->seq, end = run_end(c, &o);
			bool newest = SEQ_LEQ(start, c->last_ooo) && SEQ_LT(c->last_ooo, end);

			if (newest == (pass == 0) && start != end && (u32)(p - out - 4) < 8 * max)
				p = put_block(p, start, end);
		}
	if (p == out + 4)
		return 0;
	memcpy(out, (u8[]){ 1, 1, 5, (u8)(p - out - 2) }, 4);
	return (u32)(p - out);
}

/* ---- sender ---- */

static void drop_acked(struct tcp_conn *c)
{
	u32 n = 0;

	for (u32 i = 0; i < c->nr_sacked; i++) {
		struct tcp_run r = c->sacked[i];

		if (SEQ_LEQ(r.end, c->snd_una))
			continue;
		if (SEQ_LT(r.start, c->snd_una))
			r.start = c->snd_una;
		c->sacked[n++] = r;
	}
	c->nr_sacked = n;
}

static void add_run(struct tcp_conn *c, struct tcp_run r)
{
	u32 i = 0, k;

	while (i < c->nr_sacked && SEQ_LT(c->sacked[i].end, r.start))
		i++;
	for (k = i; k < c->nr_sacked && SEQ_LEQ(c->sacked[k].start, r.end); k++) { /* swallow what it touches */
		if (SEQ_LT(c->sacked[k].start, r.start))
			r.start = c->sacked[k].start;
		if (SEQ_GT(c->sacked[k].end, r.end))
			r.end = c->sacked[k].end;
	}
	if (k == i) {
		if (c->nr_sacked == TCP_RUNS)
			return; /* forgotten: will be sent again */
		memmove(&c->sacked[i + 1], &c->sacked[i], (c->nr_sacked - i) * sizeof(r));
		c->nr_sacked++;
	} else {
		memmove(&c->sacked[i + 1], &c->sacked[k], (c->nr_sacked - k) * sizeof(r));
		c->nr_sacked -= k - i - 1;
	}
	c->sacked[i] = r;
}

/* Sacked bytes below `limit`. */
static u32 sacked_below(const struct tcp_conn *c, u32 limit)
{
	u32 sum = 0;

	for (u32 i = 0; i < c->nr_sacked && SEQ_LT(c->sacked[i].start, limit); i++)
		sum += (SEQ_LT(c->sacked[i].end, limit) ? c->sacked[i].end : limit) - c->sacked[i].start;
	return sum;
}

/* Takes in a segment's blocks, after snd_una has moved. Returns bytes that were not sacked before. */
u32 tcp_sack_input(struct tcp_conn *c, const struct tcp_seg *g)
{
	u32 before;

	drop_acked(c);
	before = sacked_below(c, c->snd_max);
	for (u32 i = 0; i < g->nr_sack; i++) {
		struct tcp_run r = g->sack[i];

		if (SEQ_LT(r.start, r.end) && SEQ_GT(r.start, c->snd_una) && SEQ_LEQ(r.end, c->snd_max))
			add_run(c, r); /* else a D-SACK or nonsense */
	}
	return sacked_below(c, c->snd_max) - before;
}

u32 tcp_sack_bytes(const struct tcp_conn *c)
{
	return sacked_below(c, c->snd_max);
}

/* Of the bytes between snd_una and snd_nxt, those that are no longer in the network: sacked, or lost and not yet sent again. */
u32 tcp_sack_credit(const struct tcp_conn *c)
{
	u32 credit, from, hi;

	if (!c->nr_sacked)
		return 0;
	credit = sacked_below(c, c->snd_nxt);
	hi = c->sacked[c->nr_sacked - 1].end;
	if (!c->in_recovery || SEQ_GT(hi, c->snd_nxt))
		return credit;
	from = SEQ_GT(c->rtx_nxt, c->snd_una) ? c->rtx_nxt : c->snd_una;
	if (SEQ_LT(from, hi))
		credit += hi - from - (sacked_below(c, hi) - sacked_below(c, from));
	return credit;
}

/* The first run that is sacked at or after seq: where sending from seq must stop (*start) and may go on (*end). */
bool tcp_sack_next(const struct tcp_conn *c, u32 seq, struct tcp_run *out)
{
	for (u32 i = 0; i < c->nr_sacked; i++)
		if (SEQ_GT(c->sacked[i].end, seq)) {
			*out = c->sacked[i];
			return true;
		}
	return false;
}

/* In recovery: sends holes again as far as the congestion window allows; at least one if `force`. */
void tcp_sack_retransmit(struct tcp_conn *c, bool force)
{
	if (SEQ_LT(c->rtx_nxt, c->snd_una))
		c->rtx_nxt = c->snd_una;
	for (;;) {
		u32 flight = c->snd_nxt - c->snd_una, credit = tcp_sack_credit(c), pipe = flight - MIN(credit, flight), len;
		struct tcp_run r;

		if (!force && pipe + c->mss > c->cwnd)
			return;
		while (tcp_sack_next(c, c->rtx_nxt, &r) && SEQ_LEQ(r.start, c->rtx_nxt))
			c->rtx_nxt = r.end;
		if (!tcp_sack_next(c, c->rtx_nxt, &r)) { /* no hole left below what is sacked */
			if (!force || c->rtx_nxt != c->snd_una)
				return;
			r.start = c->snd_una + c->mss; /* no scoreboard: the first segment */
		}
		len = tcp_resend(c, c->rtx_nxt, MIN(r.start - c->rtx_nxt, c->mss));
		if (!len)
			return;
		c->rtx_nxt += len;
		force = false;
	}
}
