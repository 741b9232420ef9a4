/* SPDX-License-Identifier: MIT */
/* Congestion control: Reno (RFC 5681) with NewReno (RFC 6582) or SACK recovery (RFC 6675), initial window of ten (RFC 6928), RTO estimation (RFC 6298). */
#include "net/tcp/tcp.h"

void tcp_cc_init(struct tcp_conn *c)
{
	c->cwnd = 10 * c->mss;
	c->ssthresh = 0x7fffffff;
}

/* In recovery: what is missing goes again, then new data as far as the window allows. */
static void recovery_send(struct tcp_conn *c, bool force)
{
	if (c->sack_ok)
		tcp_sack_retransmit(c, force);
	else if (force)
		tcp_resend_first(c);
	tcp_output(c);
}

static void recovery_ack(struct tcp_conn *c, u32 acked)
{
	if (SEQ_GEQ(c->snd_una, c->recover)) { /* full acknowledgment */
		c->in_recovery = false;
		c->cwnd = MAX(c->ssthresh, 2 * c->mss);
		c->dupacks = 0;
		return;
	}
	if (c->sack_ok) { /* a partial one without a scoreboard: the next segment is lost too */
		recovery_send(c, !c->nr_sacked && SEQ_LEQ(c->rtx_nxt, c->snd_una));
		return;
	}
	c->cwnd = c->cwnd > acked ? c->cwnd - acked + c->mss : c->mss; /* deflate, RFC 6582 */
	recovery_send(c, true);
}

void tcp_cc_ack(struct tcp_conn *c, u32 acked)
{
	if (c->rto_recovery && SEQ_GEQ(c->snd_una, c->recover))
		c->rto_recovery = false;
	if (c->in_recovery)
		return recovery_ack(c, acked);
	c->dupacks = 0;
	if (c->cwnd < c->ssthresh) {
		c->cwnd += MIN(acked, 2 * c->mss);
		return;
	}
	c->cwnd_acc += acked;
	if (c->cwnd_acc >= c->cwnd) {
		c->cwnd_acc -= c->cwnd;
		c->cwnd += c->mss;
	}
}

static u32 half_flight(const struct tcp_conn *c)
{
	return MAX((c->snd_max - c->snd_una) / 2, 2 * c->mss);
}

static bool is_lost(const struct tcp_conn *c)
{
	if (c->rto_recovery)
		return false; /* all is sent again anyway (RFC 6582, 3.2 step 2) */
	if (c->dupacks >= 3)
		return true;
	return c->sack_ok && c->nr_sacked && (c->probed || tcp_sack_bytes(c) >= 3 * c->mss);
}

void tcp_cc_dupack(struct tcp_conn *c)
{
	c->dupacks++;
	if (c->in_recovery) {
		if (!c->sack_ok)
			c->cwnd += c->mss;
		recovery_send(c, false);
		return;
	}
	if (is_lost(c)) {
		if (c->sack_ok)
			NET_INC(TCPSackRecovery);
		else
			NET_INC(TCPRenoRecovery);
		NET_INC(TCPFastRetrans);
		c->ssthresh = half_flight(c);
		c->recover = c->snd_max;
		c->rtx_nxt = c->snd_una;
		c->in_recovery = true;
		c->t_probe = 0;
		c->cwnd = c->ssthresh + (c->sack_ok ? 0 : 3 * c->mss);
		recovery_send(c, true);
		return;
	}
	if (c->sack_ok) {
		tcp_output(c); /* what was sacked has left the network */
	} else if (c->dupacks < 3) { /* limited transmit, RFC 3042 */
		u32 cwnd = c->cwnd;

		c->cwnd += c->dupacks * c->mss;
		tcp_output(c);
		c->cwnd = cwnd;
	}
}

void tcp_cc_timeout(struct tcp_conn *c)
{
	if (c->retries == 0)
		c->ssthresh = half_flight(c);
	else
		c->nr_sacked = 0; /* the peer may have thrown it away (RFC 2018 8) */
	c->cwnd = c->mss;
	c->in_recovery = false;
	c->rto_recovery = true;
	c->probed = false;
	c->dupacks = 0;
	c->recover = c->snd_max;
}

void tcp_rtt_sample(struct tcp_conn *c, s64 rtt)
{
	if (rtt < 0)
		return;
	if (!c->srtt) {
		c->srtt = rtt ? rtt : 1;
		c->rttvar = rtt / 2;
	} else {
		s64 d = c->srtt > rtt ? c->srtt - rtt : rtt - c->srtt;

		c->rttvar += (d - c->rttvar) / 4;
		c->srtt += (rtt - c->srtt) / 8;
	}
	c->rto = c->srtt + MAX(4 * c->rttvar, NSEC_PER_MSEC);
	c->rto = MAX(c->rto, (s64)TCP_RTO_MIN_NS);
	c->rto = MIN(c->rto, (s64)TCP_RTO_MAX_NS);
}
