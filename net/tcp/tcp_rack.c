/* SPDX-License-Identifier: MIT */
/*
 * RACK-TLP (RFC 8985): a segment is lost when one sent later has arrived and a reordering window has passed; a tail-loss probe makes the
 * peer speak when the last segments of a flight are lost. Without SACK: three duplicates (RFC 6582). Under net_lock.
 */
#include "net/tcp/tcp.h"

static bool sent_after(s64 t1, u32 end1, s64 t2, u32 end2)
{
	return t1 > t2 || (t1 == t2 && SEQ_GT(end1, end2));
}

/* Step 2 of 6.2: r has arrived. A retransmission that "arrives" sooner than any round trip was the original. */
void tcp_rack_update(struct tcp_conn *c, const struct tcp_rec *r, struct tcp_delivery *d)
{
	s64 rtt = d->now - r->sent_ns;

	if (r->flags & REC_RETRANS && rtt < c->min_rtt)
		return;
	c->rack_rtt = rtt;
	if (!c->rack_sent || sent_after(r->sent_ns, r->end, c->rack_sent, c->rack_end)) {
		c->rack_sent = r->sent_ns;
		c->rack_end = r->end;
	}
}

/* A duplicate was reported: we were too quick. The window widens by a quarter of the shortest RTT, once per round, for 16 recoveries. */
void tcp_rack_dsack(struct tcp_conn *c)
{
	if (c->dsack_seen && SEQ_LT(c->snd_una, c->reo_round))
		return;
	c->dsack_seen = true;
	c->reo_round = c->snd_nxt;
	c->reo_mult = MIN(c->reo_mult + 1, 16u);
	c->reo_persist = 16;
}

static s64 reo_wnd(const struct tcp_conn *c)
{
	if (!c->reordering && (c->ca >= CA_RECOVERY || c->sacked_bytes >= TCP_DUPTHRESH * c->mss))
		return 0;
	return MIN((c->reo_mult + 1) * c->min_rtt / 4, c->srtt);
}

static void detect_by_dupacks(struct tcp_conn *c, struct tcp_delivery *d)
{
	struct tcp_rec *r;

	if (list_empty(&c->recs))
		return;
	r = list_first(&c->recs, struct tcp_rec, link);
	if (c->ca < CA_RECOVERY ? c->dup_acks < TCP_DUPTHRESH : !d->acked) /* in recovery each partial ACK shows the next hole */
		return;
	if (r->flags & (REC_LOST | (c->ca < CA_RECOVERY ? REC_RETRANS : 0)) || (c->ca >= CA_RECOVERY && SEQ_GEQ(c->snd_una, c->recover)))
		return;
	if (r->end - r->seq > c->mss && tcp_rec_split(c, r, r->seq + c->mss))
		return;
	d->newly_lost += r->end - r->seq;
	tcp_rec_lost(c, r);
}

/* Step 5: marks what is lost; arms the reordering timer for what may still come. */
void tcp_rack_detect(struct tcp_conn *c, struct tcp_delivery *d)
{
	struct tcp_rec *r, *next;
	s64 wnd = reo_wnd(c), wait = 0;

	c->t_reo = 0;
	if (!c->sack_ok)
		return detect_by_dupacks(c, d);
	if (!c->rack_sent)
		return;
	list_for_each_safe(r, next, &c->tx_order, tx_link) {
		s64 remaining;

		if (!sent_after(c->rack_sent, c->rack_end, r->sent_ns, r->end))
			break;
		remaining = r->sent_ns + c->rack_rtt + wnd - d->now;
		if (remaining <= 0) {
			d->newly_lost += r->end - r->seq;
			tcp_rec_lost(c, r);
		} else {
			wait = MAX(wait, remaining);
		}
	}
	if (wait) {
		c->t_reo = d->now + wait;
		tcp_timer_update(c);
	}
}

/* A timeout: all that has not arrived goes again. If even the first was sacked once, the peer has thrown it away (RFC 2018 8). */
void tcp_mark_all_lost(struct tcp_conn *c)
{
	struct tcp_rec *r;
	bool renege = !list_empty(&c->recs) && list_first(&c->recs, struct tcp_rec, link)->flags & REC_SACKED;

	if (renege)
		NET_INC(TCPSACKReneging);
	list_for_each(r, &c->recs, link) {
		if (renege && r->flags & REC_SACKED) {
			r->flags &= (u8)~REC_SACKED;
			c->sacked_bytes -= r->end - r->seq;
		}
		tcp_rec_lost(c, r);
	}
	c->dup_acks = 0;
	c->t_reo = 0;
}

/* 7.2: after new data was sent or acknowledged; not while something is being repaired. */
void tcp_tlp_arm(struct tcp_conn *c)
{
	s64 now = clock_monotonic_ns(), pto;
	u32 flight = c->snd_nxt - c->snd_una;

	c->t_probe = 0;
	if (!c->sack_ok || !c->srtt || c->state < TCP_ESTABLISHED || c->ca >= CA_RECOVERY || c->tlp_out || !flight || c->retries ||
	    c->sacked_bytes || c->lost_bytes)
		return;
	pto = 2 * c->srtt + 2 * NSEC_PER_MSEC;
	if (flight <= c->mss)
		pto += TCP_DELACK_NS + 5 * NSEC_PER_MSEC; /* a single one may wait for the peer's delayed ACK */
	if (now + pto < c->t_rexmit)
		c->t_probe = now + pto;
}

/*
 * 7.4: the probe's fate. A repeated segment that was acknowledged without a D-SACK repaired a loss, which asks for a reduction; as long
 * as the D-SACK may still come (nothing beyond is acknowledged) the question is open.
 */
void tcp_tlp_acked(struct tcp_conn *c, const struct tcp_seg *g, const struct tcp_delivery *d)
{
	if (!c->tlp_out || SEQ_LT(g->ack, c->tlp_end))
		return;
	if (!c->tlp_is_rtx || d->dsack) {
		c->tlp_out = false;
	} else if (SEQ_GT(g->ack, c->tlp_end)) {
		c->tlp_out = false;
		NET_INC(TCPLossProbeRecovery);
		tcp_cc_reduce(c);
	} else if (!d->acked && !d->newly_sacked) {
		c->tlp_out = false; /* a plain duplicate: both arrived */
	}
}
