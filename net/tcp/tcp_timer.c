/* SPDX-License-Identifier: MIT */
/*
 * Timers of a connection: retransmission (RFC 6298), tail-loss probe, reordering, persist (zero window), delayed ACK, keep-alive, life
 * (TIME-WAIT, FIN-WAIT-2 of closed sockets), rest (empty rings are freed). One kernel timer per connection serves the earliest; it is moved earlier at once, later
 * only when it fires. Callbacks take net_lock: its shared half for those that leave the state alone.
 */
#include "net/tcp/tcp.h"

static s64 earliest(const struct tcp_conn *c)
{
	const s64 *t[] = { &c->t_rexmit, &c->t_probe, &c->t_reo, &c->t_persist, &c->t_delack, &c->t_keep, &c->t_life, &c->t_trim };
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

static bool is_opening(const struct tcp_conn *c)
{
	return c->state == TCP_SYN_SENT || c->state == TCP_SYN_RECEIVED;
}

void tcp_rexmit_start(struct tcp_conn *c)
{
	s64 now = clock_monotonic_ns(), end = c->stalled_ns + c->user_timeout_ms * NSEC_PER_MSEC;
	u32 shift = MIN(c->retries, 10u);

	c->t_rexmit = now + MIN(c->rto << shift, (s64)TCP_RTO_MAX_NS);
	if (c->retries && c->user_timeout_ms && c->stalled_ns && end < c->t_rexmit)
		c->t_rexmit = MAX(end, now + NSEC_PER_MSEC);
	tcp_timer_update(c);
}

void tcp_persist_start(struct tcp_conn *c)
{
	s64 now = clock_monotonic_ns();

	if (!c->snd_wnd && !c->persist_probes && !c->persist_shift)
		c->stalled_ns = now;
	c->t_persist = now + (c->snd_wnd ? (s64)TCP_RTO_MIN_NS : MIN(c->rto << c->persist_shift, (s64)TCP_RTO_MAX_NS));
	tcp_timer_update(c);
}

static void give_up(struct tcp_conn *c)
{
	NET_INC(TCPAbortOnTimeout);
	tcp_abort(c, c->soft_error ? c->soft_error : ETIMEDOUT);
}

static u32 max_retries(const struct tcp_conn *c)
{
	u32 max = TCP_MAX_RETRIES;

	if (c->state == TCP_SYN_SENT)
		max = c->syn_cnt ? c->syn_cnt : TCP_SYN_RETRIES;
	else if (c->state == TCP_SYN_RECEIVED)
		max = TCP_SYNACK_RETRIES;
	else if (tcp_is_orphan(c))
		max = TCP_ORPHAN_RETRIES;
	return max;
}

static void retransmit(struct tcp_conn *c, s64 now)
{
	c->t_rexmit = c->t_probe = 0;
	if (c->snd_una == c->snd_nxt)
		return;
	if (!c->retries)
		c->stalled_ns = list_empty(&c->recs) ? now : list_first(&c->recs, struct tcp_rec, link)->sent_ns;
	if (c->retries >= max_retries(c) || (c->user_timeout_ms && now - c->stalled_ns >= c->user_timeout_ms * NSEC_PER_MSEC))
		return give_up(c);
	NET_INC(TCPTimeouts);
	if (is_opening(c)) {
		c->retries++;
		c->total_retrans++;
		tcp_send_syn(c);
	} else {
		tcp_cc_timeout(c);
		c->retries++;
		if (c->retries >= 3)
			tcp_pmtu_black_hole(c);
		tcp_mark_all_lost(c);
		tcp_output(c);
	}
	tcp_rexmit_start(c);
}

static void probe(struct tcp_conn *c)
{
	c->t_probe = 0;
	if (c->ca >= CA_RECOVERY || c->snd_una == c->snd_nxt)
		return;
	if (tcp_tail_probe(c)) {
		NET_INC(TCPLossProbes);
		tcp_rexmit_start(c);
	}
}

static void reordering_over(struct tcp_conn *c, s64 now)
{
	struct tcp_delivery d = { .now = now, .rtt = -1, .sack_rtt = -1, .prior_una = c->snd_una };

	c->t_reo = 0;
	tcp_rack_detect(c, &d);
	if (!d.newly_lost)
		return;
	tcp_cc_ack(c, &d);
	tcp_output(c);
}

static void persist(struct tcp_conn *c, s64 now)
{
	c->t_persist = 0;
	if (!c->snd.len || c->snd_nxt != c->snd_una)
		return;
	if (c->snd_wnd) { /* held back by Nagle, cork or a small window: long enough (RFC 9293 3.8.6.2.1, override) */
		c->push = true;
		tcp_output(c);
		c->push = false;
		return;
	}
	if (c->persist_probes >= TCP_MAX_RETRIES || (c->user_timeout_ms && now - c->stalled_ns >= c->user_timeout_ms * NSEC_PER_MSEC))
		return give_up(c);
	if (tcp_is_orphan(c) && c->persist_shift >= 8) { /* nobody reads there and nobody waits here */
		tcp_send_rst(c);
		return give_up(c);
	}
	NET_INC(TCPWinProbe);
	c->persist_probes++;
	tcp_send_probe(c);
	if (c->persist_shift < 9)
		c->persist_shift++;
	tcp_persist_start(c);
}

static void keepalive(struct tcp_conn *c, s64 now)
{
	s64 idle = now - c->last_rx, idle_max = c->keep_idle_s * NSEC_PER_SEC;

	c->t_keep = 0;
	if (!c->s->keepalive || c->state < TCP_ESTABLISHED || c->state == TCP_TIME_WAIT)
		return;
	if (idle < idle_max || c->snd_una != c->snd_nxt || c->snd.len) { /* alive, or other timers ask */
		c->keep_probes = 0;
		c->t_keep = MAX(c->last_rx, now - idle_max + NSEC_PER_SEC) + idle_max;
		return;
	}
	if (c->user_timeout_ms ? c->keep_probes && idle >= c->user_timeout_ms * NSEC_PER_MSEC : c->keep_probes >= c->keep_cnt) {
		tcp_send_rst(c);
		return give_up(c);
	}
	NET_INC(TCPKeepAlive);
	c->keep_probes++;
	tcp_send_probe(c);
	c->t_keep = now + c->keep_intvl_s * NSEC_PER_SEC;
}

static void delayed_ack(struct tcp_conn *c)
{
	c->t_delack = 0;
	if (!c->delack)
		return;
	NET_INC(DelayedACKs);
	c->pingpong = false; /* no answer came that it could have gone with */
	tcp_send_ack(c);
}

static void trim_rings(struct tcp_conn *c)
{
	if (ring_is_empty(&c->snd))
		ring_free(&c->snd);
	if (ring_is_empty(&c->rcv))
		ring_free(&c->rcv);
}

void tcp_trim_later(struct tcp_conn *c)
{
	if (c->t_trim || (!ring_is_empty(&c->snd) && !ring_is_empty(&c->rcv)))
		return;
	if (c->state == TCP_CLOSED) /* no timer runs any more */
		return trim_rings(c);
	c->t_trim = clock_monotonic_ns() + TCP_REST_NS;
	tcp_timer_update(c);
}

static void trim(struct tcp_conn *c, s64 now)
{
	s64 rest = MAX(c->last_rx, c->last_tx_data) + TCP_REST_NS;

	c->t_trim = rest > now ? rest : 0;
	if (!c->t_trim)
		trim_rings(c);
}

static void life_over(struct tcp_conn *c)
{
	c->t_life = 0;
	list_del(&c->s->hash_link);
	tcp_set_state(c, TCP_CLOSED);
	if (c->s->user_gone)
		tcp_destroy(c);
}

static bool due(const struct tcp_conn *c, s64 t, s64 now)
{
	return !c->s->dead && c->state != TCP_CLOSED && t && t <= now;
}

/* What is due of the timers that cannot end the connection; true: nothing else is due. */
static bool short_timers(struct tcp_conn *c, s64 now)
{
	if (!tcp_is_plain(c) || due(c, c->t_rexmit, now) || due(c, c->t_persist, now) || due(c, c->t_keep, now) || due(c, c->t_life, now))
		return false;
	if (due(c, c->t_delack, now))
		delayed_ack(c);
	if (due(c, c->t_reo, now))
		reordering_over(c, now);
	if (due(c, c->t_probe, now))
		probe(c);
	if (due(c, c->t_trim, now))
		trim(c, now);
	tcp_timer_update(c);
	return true;
}

void tcp_timer_fn(struct timer *t)
{
	struct tcp_conn *c = container_of(t, struct tcp_conn, timer);
	s64 now = clock_monotonic_ns();
	bool done;

	net_sock_lock(c->s);
	done = short_timers(c, now);
	net_sock_unlock(c->s);
	if (done)
		return;
	net_lock_get();
	if (due(c, c->t_delack, now))
		delayed_ack(c);
	if (due(c, c->t_reo, now))
		reordering_over(c, now);
	if (due(c, c->t_probe, now))
		probe(c);
	if (due(c, c->t_rexmit, now))
		retransmit(c, now);
	if (due(c, c->t_persist, now))
		persist(c, now);
	if (due(c, c->t_keep, now))
		keepalive(c, now);
	if (due(c, c->t_trim, now))
		trim(c, now);
	if (due(c, c->t_life, now))
		life_over(c);
	if (!c->s->dead && c->state != TCP_CLOSED)
		tcp_timer_update(c);
	net_lock_put();
}
