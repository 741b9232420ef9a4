/* SPDX-License-Identifier: MIT */
/* Congestion control: Reno (RFC 5681) with NewReno recovery (RFC 6582), initial window of ten (RFC 6928), RTO estimation (RFC 6298). */
#include "net/tcp/tcp.h"

void tcp_cc_init(struct tcp_conn *c)
{
	c->cwnd = 10 * c->mss;
	c->ssthresh = 0x7fffffff;
}

void tcp_cc_ack(struct tcp_conn *c, u32 acked)
{
	if (c->in_recovery) {
		if (SEQ_GEQ(c->snd_una, c->recover)) { /* full acknowledgment */
			c->in_recovery = false;
			c->cwnd = MAX(c->ssthresh, 2 * c->mss);
			c->dupacks = 0;
			return;
		}
		/* partial: the next hole is lost too; deflate */
		c->cwnd = c->cwnd > acked ? c->cwnd - acked + c->mss : c->mss;
		tcp_resend_first(c);
		return;
	}
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

void tcp_cc_dupack(struct tcp_conn *c)
{
	c->dupacks++;
	if (c->in_recovery) {
		c->cwnd += c->mss;
		tcp_output(c);
		return;
	}
	if (c->dupacks < 3) { /* limited transmit, RFC 3042 */
		u32 cwnd = c->cwnd;

		c->cwnd += c->dupacks * c->mss;
		tcp_output(c);
		c->cwnd = cwnd;
		return;
	}
	if (c->dupacks != 3)
		return;
	c->ssthresh = half_flight(c);
	c->recover = c->snd_max;
	c->in_recovery = true;
	c->cwnd = c->ssthresh + 3 * c->mss;
	tcp_resend_first(c);
}

void tcp_cc_timeout(struct tcp_conn *c)
{
	if (c->retries == 0)
		c->ssthresh = half_flight(c);
	c->cwnd = c->mss;
	c->in_recovery = false;
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
