/* SPDX-License-Identifier: MIT */
/*
 * Congestion control that all algorithms share: slow start (with HyStart++, RFC 9406), recovery with proportional rate reduction (RFC
 * 6937), reaction to ECN (RFC 3168), timeouts, undoing what was spurious (RFC 3522, 3708), idleness (RFC 5681 4.1), and RTT and RTO (RFC
 * 6298). The window's growth and cut are the algorithm's: cc_ops. Windows are in bytes. Under net_lock.
 */
#include "net/tcp/tcp.h"
#include "userlib/base/string.h"

#define CWND_MAX (1u << 30)
#define SSTHRESH_NONE 0x7fffffffu

int tcp_ecn_mode = 2;

static const struct tcp_cc_ops *const algorithms[] = { &tcp_cc_cubic, &tcp_cc_reno };

int tcp_cc_select(struct tcp_conn *c, const char *name)
{
	for (u32 i = 0; i < ARRAY_SIZE(algorithms); i++)
		if (!strcmp(algorithms[i]->name, name)) {
			if (c->cc != algorithms[i]) {
				c->cc = algorithms[i];
				c->cc->init(c);
			}
			return 0;
		}
	return -ENOENT;
}

void tcp_cc_init(struct tcp_conn *c)
{
	c->cwnd = TCP_INIT_CWND * c->mss;
	c->ssthresh = SSTHRESH_NONE;
	c->ca = CA_OPEN;
	c->recover = c->rack_fack = c->high_sacked = c->iss;
	c->hy_last_min = c->hy_now_min = TIME_FOREVER;
	c->hy_end = c->iss;
	c->cc->init(c);
}

/* ---- slow start ---- */

/* In slow start: has the RTT risen over a round? Then grow a quarter as fast for five rounds, unless it falls again. */
static void hystart(struct tcp_conn *c, s64 rtt)
{
	s64 thresh;

	if (SEQ_GEQ(c->snd_una, c->hy_end)) { /* a round ends */
		c->hy_end = c->snd_nxt;
		if (c->hy_now_min != TIME_FOREVER)
			c->hy_last_min = c->hy_now_min;
		c->hy_now_min = TIME_FOREVER;
		c->hy_count = 0;
		if (c->hy_css && --c->hy_css == 0) {
			c->ssthresh = c->cwnd;
			return;
		}
	}
	if (rtt < 0)
		return;
	c->hy_now_min = MIN(c->hy_now_min, rtt);
	if (++c->hy_count < 8 || c->hy_last_min == TIME_FOREVER)
		return;
	thresh = MIN(MAX(c->hy_last_min / 8, 4 * NSEC_PER_MSEC), 16 * NSEC_PER_MSEC);
	if (c->hy_css) {
		if (c->hy_now_min < c->hy_css_base)
			c->hy_css = 0;
	} else if (c->hy_now_min >= c->hy_last_min + thresh) {
		c->hy_css_base = c->hy_now_min;
		c->hy_css = 5;
	}
}

static void grow(struct tcp_conn *c, u32 acked, s64 rtt)
{
	if (!c->cwnd_limited || !acked)
		return;
	if (c->cwnd < c->ssthresh) {
		u32 n = MIN(acked, 8 * c->mss), left;

		if (c->ssthresh == SSTHRESH_NONE || c->hy_css)
			hystart(c, rtt);
		n = c->hy_css ? n / 4 : n;
		left = c->ssthresh - c->cwnd;
		c->cwnd += MIN(n, left);
		c->cwnd = MIN(c->cwnd, CWND_MAX);
	} else {
		c->cc->avoid(c, acked);
		c->cwnd = MIN(c->cwnd, CWND_MAX);
	}
}

/* ---- reductions ---- */

static void begin(struct tcp_conn *c, enum tcp_ca ca)
{
	c->prior_cwnd = c->cwnd;
	c->prior_ssthresh = c->ssthresh;
	c->undo_una = c->snd_una;
	c->undo_rtx = 0;
	c->rtx_ts = 0;
	c->can_undo = ca != CA_CWR;
	c->hy_css = 0;
	c->ssthresh = MAX(c->cc->ssthresh(c), 2 * c->mss);
}

static void begin_prr(struct tcp_conn *c, enum tcp_ca ca)
{
	if (c->ca != CA_CWR)
		begin(c, ca);
	c->ca = ca;
	c->recover = c->snd_nxt;
	c->prr_delivered = c->prr_out = 0;
	c->recover_fs = MAX(c->snd_nxt - c->snd_una, 1u);
	c->t_probe = 0;
	if (c->ecn_ok)
		c->ecn_cwr_owed = true;
}

void tcp_cc_reduce(struct tcp_conn *c)
{
	if (c->ca < CA_CWR)
		begin_prr(c, CA_CWR);
}

static void prr(struct tcp_conn *c, const struct tcp_delivery *d)
{
	u32 pipe = tcp_pipe(c);
	s64 n;

	c->prr_delivered += d->delivered;
	if (pipe > c->ssthresh) {
		n = (s64)(((u64)c->prr_delivered * c->ssthresh + c->recover_fs - 1) / c->recover_fs) - c->prr_out;
	} else {
		n = MAX((s64)c->prr_delivered - c->prr_out, (s64)d->delivered);
		if (d->acked && !d->newly_lost)
			n += c->mss;
		n = MIN((s64)c->ssthresh - pipe, n);
	}
	if (!c->prr_out && c->lost_bytes)
		n = MAX(n, (s64)c->mss); /* the fast retransmission itself */
	c->cwnd = pipe + (u32)MAX(n, 0);
	c->cwnd = MAX(c->cwnd, c->mss);
}

static void end_reduction(struct tcp_conn *c)
{
	if (c->ca != CA_LOSS)
		c->cwnd = MAX(c->ssthresh, 2 * c->mss);
	if (c->ca == CA_RECOVERY && c->reo_persist && --c->reo_persist == 0)
		c->reo_mult = 0;
	c->ca = CA_OPEN;
}

static void undo(struct tcp_conn *c)
{
	struct tcp_rec *r;

	c->can_undo = false;
	c->cwnd = MAX(c->cwnd, c->prior_cwnd);
	c->ssthresh = MAX(c->ssthresh, c->prior_ssthresh);
	c->cc->restart(c, false);
	if (c->ca < CA_CWR)
		return;
	if (c->ca == CA_LOSS)
		NET_INC(TCPLossUndo);
	else
		NET_INC(TCPFullUndo);
	c->ca = CA_OPEN;
	list_for_each(r, &c->recs, link)
		if (r->flags & REC_LOST) { /* it is on its way after all */
			r->flags &= (u8)~REC_LOST;
			c->lost_bytes -= r->end - r->seq;
			list_add(&c->tx_order, &r->tx_link);
		}
}

/* An ACK that echoes a time before the first retransmission answers the original (Eifel); so do D-SACKs for all retransmissions. */
static void check_undo(struct tcp_conn *c, const struct tcp_delivery *d, u32 ecr)
{
	bool was = c->undo_rtx > 0;

	if (!c->can_undo)
		return;
	if (d->dsack && c->undo_rtx)
		c->undo_rtx--;
	if (was && !c->undo_rtx)
		return undo(c);
	if (c->ca >= CA_RECOVERY && d->acked && d->rtx_acked && c->ts_ok && c->rtx_ts && ecr && (s32)(ecr - c->rtx_ts) < 0)
		undo(c);
}

void tcp_cc_ack(struct tcp_conn *c, struct tcp_delivery *d)
{
	c->delivered += (d->delivered + c->mss - 1) / c->mss;
	if (d->ece)
		c->delivered_ce += (d->delivered + c->mss - 1) / c->mss;
	check_undo(c, d, c->last_ecr_acked);
	if (c->ca >= CA_CWR && SEQ_GEQ(c->snd_una, c->recover))
		end_reduction(c);
	if (d->ece && c->ca < CA_CWR)
		tcp_cc_reduce(c);
	if (c->lost_bytes && c->ca < CA_RECOVERY && (c->sack_ok || SEQ_GT(c->snd_una, c->recover))) {
		if (c->sack_ok)
			NET_INC(TCPSackRecovery);
		else
			NET_INC(TCPRenoRecovery);
		NET_INC(TCPFastRetrans);
		begin_prr(c, CA_RECOVERY);
	}
	if (c->ca == CA_RECOVERY || c->ca == CA_CWR)
		return prr(c, d);
	if (c->ca <= CA_DISORDER)
		c->ca = c->sacked_bytes || c->dup_acks ? CA_DISORDER : CA_OPEN;
	grow(c, d->acked, d->rtt);
}

void tcp_cc_sent(struct tcp_conn *c, u32 len)
{
	c->prr_out += len;
}

void tcp_cc_timeout(struct tcp_conn *c)
{
	if (c->ca < CA_CWR || SEQ_GEQ(c->snd_una, c->recover))
		begin(c, CA_LOSS);
	c->ca = CA_LOSS;
	c->cwnd = c->mss;
	c->recover = c->snd_nxt;
	c->tlp_out = false;
	c->t_probe = c->t_reo = 0;
	c->ecn_cwr_owed = c->ecn_ok;
	c->cc->restart(c, true);
}

/* Data after idleness: the old window says little about the path now. */
void tcp_cc_idle(struct tcp_conn *c)
{
	s64 idle = clock_monotonic_ns() - c->last_tx_data;
	u32 floor = MIN(TCP_INIT_CWND * c->mss, c->cwnd);

	if (!c->last_tx_data || idle <= c->rto || c->ca != CA_OPEN)
		return;
	c->ssthresh = c->ssthresh == SSTHRESH_NONE ? c->ssthresh : MAX(c->ssthresh, c->cwnd / 4 * 3);
	for (; idle > c->rto && c->cwnd > floor; idle -= c->rto)
		c->cwnd = MAX(c->cwnd / 2, floor);
	c->cc->restart(c, false);
}

/* ---- RTT ---- */

void tcp_rtt_sample(struct tcp_conn *c, s64 rtt)
{
	s64 now = clock_monotonic_ns();

	if (rtt < 0)
		return;
	rtt = MAX(rtt, 1);
	if (!c->min_rtt || rtt <= c->min_rtt || now - c->min_rtt_ns > 300 * NSEC_PER_SEC) {
		c->min_rtt = rtt;
		c->min_rtt_ns = now;
	}
	if (!c->srtt) {
		c->srtt = rtt;
		c->rttvar = rtt / 2;
	} else {
		s64 diff = c->srtt > rtt ? c->srtt - rtt : rtt - c->srtt;

		c->rttvar += (diff - c->rttvar) / 4;
		c->srtt += (rtt - c->srtt) / 8;
	}
	/* The floor under the variance leaves room for a peer's delayed ACK. */
	c->rto = MIN(c->srtt + MAX(4 * c->rttvar, (s64)TCP_RTO_MIN_NS), (s64)TCP_RTO_MAX_NS);
}
