/* SPDX-License-Identifier: MIT */
/*
 * Timers of a connection: retransmission, persist (zero window), delayed ACK, keep-alive, life (TIME-WAIT, FIN-WAIT-2 of closed
 * sockets). One kernel timer per connection serves the earliest; it is moved earlier at once, later only when it fires.
 */
#include "net/tcp/tcp.h"

static s64 earliest(const struct tcp_conn *c)
{
	const s64 *t[] = { &c->t_rexmit, &c->t_probe, &c->t_persist, &c->t_delack, &c->t_keep, &c->t_life };
	s64 e = 0;

	for (u32 i = 0; i < ARRAY_SIZE(t); i++)
		if (*t[i] && (!e || *t[i] < e))
			e = *t[i];
	return e;
}

void tcp_timer_update(struct tcp_conn *c)
{
	s64 e = earliest(c);

	if (e && (!timer_is_armed(&c->timer) || e < c->timer.expires_ns))
		timer_start(&c->timer, e);
}

void tcp_rexmit_start(struct tcp_conn *c)
{
	u32 shift = MIN(c->retries, 10u);

	s64 now = clock_monotonic_ns(), probe = 2 * c->srtt + 2 * NSEC_PER_MSEC;

	c->t_rexmit = now + MIN(c->rto << shift, (s64)TCP_RTO_MAX_NS);
	c->t_probe = 0;
	if (c->state >= TCP_ESTABLISHED && c->sack_ok && c->srtt && !c->retries && !c->in_recovery && !c->rto_recovery && !c->probed) {
		if (c->snd_max - c->snd_una <= c->mss)
			probe += TCP_DELACK_NS + 5 * NSEC_PER_MSEC; /* a single one may wait for the peer's delayed ACK */
		if (now + probe < c->t_rexmit)
			c->t_probe = now + probe;
	}
	tcp_timer_update(c);
}

/* Tail-loss probe (RFC 8985 7): the last segment again, so that its SACK shows what else is missing, long before the timeout. */
static void tail_probe(struct tcp_conn *c)
{
	u32 len = MIN(c->snd_max - c->snd_una, c->mss);

	c->t_probe = 0;
	if (!len || c->in_recovery)
		return;
	NET_INC(TCPLossProbes);
	c->probed = true;
	(void)tcp_resend(c, c->snd_max - len, len);
}

void tcp_enter_time_wait(struct tcp_conn *c)
{
	tcp_set_state(c, TCP_TIME_WAIT);
	c->t_rexmit = c->t_probe = c->t_persist = c->t_keep = 0;
	c->t_life = clock_monotonic_ns() + 2 * TCP_MSL_NS;
	tcp_timer_update(c);
}

static void retransmit(struct tcp_conn *c)
{
	u32 max = c->state == TCP_SYN_SENT || c->state == TCP_SYN_RECEIVED ? TCP_SYN_RETRIES : TCP_MAX_RETRIES;

	c->t_rexmit = c->t_probe = 0;
	if (c->snd_una == c->snd_max)
		return;
	if (c->s->user_gone && !c->listener)
		max = MIN(max, TCP_ORPHAN_RETRIES);
	if (!c->retries)
		c->stalled_ns = clock_monotonic_ns();
	if (c->retries >= max || (c->user_timeout_ms && clock_monotonic_ns() - c->stalled_ns >= c->user_timeout_ms * NSEC_PER_MSEC)) {
		tcp_abort(c, ETIMEDOUT);
		return;
	}
	NET_INC(TCPTimeouts);
	tcp_cc_timeout(c);
	c->retries++;
	c->total_retrans++;
	c->rtt_start = 0; /* Karn */
	if (c->state == TCP_SYN_SENT || c->state == TCP_SYN_RECEIVED) {
		tcp_send_syn(c);
	} else {
		c->snd_nxt = c->snd_una;
		tcp_output(c);
	}
	tcp_rexmit_start(c);
}

static void persist(struct tcp_conn *c)
{
	c->t_persist = 0;
	if (!c->snd.len || c->snd_max != c->snd_una)
		return;
	if (c->snd_wnd) { /* held back by Nagle, cork or a small window: long enough (RFC 9293 3.8.6.2.1, override) */
		c->push = true;
		tcp_output(c);
		c->push = false;
		return;
	}
	if (c->s->user_gone && c->persist_shift >= 8) { /* nobody reads there and nobody waits here */
		tcp_send_rst(c);
		tcp_abort(c, ETIMEDOUT);
		return;
	}
	tcp_send_probe(c);
	if (c->persist_shift < 8)
		c->persist_shift++;
	c->t_persist = clock_monotonic_ns() + (c->rto << c->persist_shift);
}

static void keepalive(struct tcp_conn *c, s64 now)
{
	s64 idle = now - c->last_rx;

	c->t_keep = 0;
	if (!c->s->keepalive || c->state < TCP_ESTABLISHED || c->state == TCP_TIME_WAIT)
		return;
	if (idle < c->keep_idle_s * NSEC_PER_SEC) {
		c->keep_probes = 0;
		c->t_keep = c->last_rx + c->keep_idle_s * NSEC_PER_SEC;
		return;
	}
	if (c->keep_probes >= c->keep_cnt) {
		tcp_send_rst(c);
		tcp_abort(c, ETIMEDOUT);
		return;
	}
	NET_INC(TCPKeepAlive);
	c->keep_probes++;
	tcp_send_probe(c);
	c->t_keep = now + c->keep_intvl_s * NSEC_PER_SEC;
}

void tcp_timer_fn(struct timer *t)
{
	struct tcp_conn *c = container_of(t, struct tcp_conn, timer);
	s64 now = clock_monotonic_ns();

	net_lock_get();
	if (!c->s->dead) {
		if (c->t_delack && c->t_delack <= now) {
			c->t_delack = 0;
			if (c->delack) {
				NET_INC(DelayedACKs);
				tcp_send_ack(c);
			}
		}
		if (c->t_probe && c->t_probe <= now)
			tail_probe(c);
		if (c->t_rexmit && c->t_rexmit <= now)
			retransmit(c);
		if (c->t_persist && c->t_persist <= now)
			persist(c);
		if (c->t_keep && c->t_keep <= now)
			keepalive(c, now);
		if (c->t_life && c->t_life <= now) {
			c->t_life = 0;
			list_del(&c->s->hash_link);
			tcp_set_state(c, TCP_CLOSED);
			if (c->s->user_gone)
				tcp_destroy(c);
		}
		if (!c->s->dead && c->state != TCP_CLOSED)
			tcp_timer_update(c);
	}
	net_lock_put();
}
