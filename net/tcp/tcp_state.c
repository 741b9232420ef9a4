/* SPDX-License-Identifier: MIT */
/*
 * States of a connection from the end of the handshake on: established, our FIN, the peer's FIN, TIME-WAIT (bounded, reusable where
 * RFC 6191 allows), abort. Under net_lock.
 */
#include "net/tcp/tcp.h"

static struct list tw_list = LIST_INIT(tw_list); /* TIME-WAIT without a descriptor, oldest first */
static u32 nr_tw;

void tcp_set_state(struct tcp_conn *c, enum tcp_state st)
{
	if ((c->state == TCP_SYN_RECEIVED) != (st == TCP_SYN_RECEIVED)) {
		tcp_half_open += st == TCP_SYN_RECEIVED ? 1u : -1u;
		if (c->listener && c->listener->tcp)
			c->listener->tcp->nr_half += st == TCP_SYN_RECEIVED ? 1u : -1u;
	}
	if (c->state == TCP_TIME_WAIT && st != TCP_TIME_WAIT && !list_empty(&c->tw_link)) {
		list_del(&c->tw_link);
		nr_tw--;
	}
	c->state = st;
}

void tcp_established(struct tcp_conn *c)
{
	struct sock *l = c->listener;

	c->retries = 0;
	c->t_rexmit = 0;
	c->s->connected = true;
	tcp_set_state(c, TCP_ESTABLISHED);
	c->last_rx = c->last_ack_rx = clock_monotonic_ns();
	c->quick = 16;
	tcp_tune_start(c);
	if (c->s->keepalive) {
		c->t_keep = c->last_rx + c->keep_idle_s * NSEC_PER_SEC;
		tcp_timer_update(c);
	}
	if (l && l->tcp) {
		list_add_tail(&l->tcp->accept_queue, &c->accept_link);
		l->tcp->nr_accept++;
		sock_wake(l, EPOLLIN);
	}
	sock_wake(c->s, EPOLLOUT);
}

bool tcp_fin_acked(struct tcp_conn *c)
{
	switch (c->state) {
	case TCP_FIN_WAIT_1:
		tcp_set_state(c, TCP_FIN_WAIT_2);
		sock_wake(c->s, EPOLLOUT);
		if (tcp_is_orphan(c)) { /* nobody will read: do not wait for ever */
			if (c->linger2_s < 0) {
				tcp_send_rst(c);
				tcp_destroy(c);
				return false;
			}
			c->t_life = clock_monotonic_ns() + (c->linger2_s ? c->linger2_s * NSEC_PER_SEC : 2 * TCP_MSL_NS);
			tcp_timer_update(c);
		}
		return true;
	case TCP_CLOSING:
		tcp_enter_time_wait(c);
		return true;
	case TCP_LAST_ACK:
		tcp_set_state(c, TCP_CLOSED);
		list_del(&c->s->hash_link);
		c->t_rexmit = c->t_probe = c->t_reo = c->t_persist = c->t_keep = c->t_delack = 0;
		sock_wake(c->s, EPOLLOUT | EPOLLHUP);
		if (c->s->user_gone)
			tcp_destroy(c);
		return false;
	default:
		return true;
	}
}

void tcp_fin_input(struct tcp_conn *c)
{
	c->rcv_nxt++;
	c->fin_received = true;
	c->ack_now = true;
	switch (c->state) {
	case TCP_ESTABLISHED:
		tcp_set_state(c, TCP_CLOSE_WAIT);
		break;
	case TCP_FIN_WAIT_1:
		tcp_set_state(c, TCP_CLOSING);
		break;
	case TCP_FIN_WAIT_2:
		tcp_enter_time_wait(c);
		break;
	default:
		break;
	}
	sock_wake(c->s, EPOLLIN | EPOLLRDHUP | (c->s->shut & 2 ? EPOLLHUP : 0));
}

static void forget_oldest(void)
{
	struct tcp_conn *old = list_first(&tw_list, struct tcp_conn, tw_link);

	NET_INC(TCPTimeWaitOverflow);
	tcp_time_wait_end(old->s);
}

void tcp_enter_time_wait(struct tcp_conn *c)
{
	tcp_set_state(c, TCP_TIME_WAIT);
	NET_INC(TCPTimeWaits);
	c->t_rexmit = c->t_probe = c->t_reo = c->t_persist = c->t_keep = 0;
	c->t_life = clock_monotonic_ns() + 2 * TCP_MSL_NS;
	ring_free(&c->snd);
	tcp_recs_free(c);
	if (tcp_is_orphan(c)) {
		ring_free(&c->rcv);
		list_add_tail(&tw_list, &c->tw_link);
		if (++nr_tw > TCP_TW_MAX)
			forget_oldest();
	}
	tcp_timer_update(c);
}

/* The pair is free again. */
void tcp_time_wait_end(struct sock *s)
{
	struct tcp_conn *c = s->tcp;

	list_del(&s->hash_link);
	tcp_set_state(c, TCP_CLOSED);
	c->t_life = 0;
	if (s->user_gone)
		tcp_destroy(c);
}

/*
 * An active open of a pair in TIME-WAIT: with timestamps, which grow, old segments are told apart (RFC 6191, 7323 5.) once a second has
 * passed; the new connection's sequence numbers start beyond the old one's all the same.
 */
bool tcp_time_wait_reuse(struct sock *s, u32 *iss)
{
	struct tcp_conn *c = s->tcp;

	if (c->state != TCP_TIME_WAIT || !c->ts_ok || clock_monotonic_ns() - c->ts_recent_ns <= NSEC_PER_SEC)
		return false;
	*iss = c->snd_nxt + 65537;
	NET_INC(TWRecycled);
	tcp_time_wait_end(s);
	return true;
}

void tcp_abort(struct tcp_conn *c, int err)
{
	struct sock *s = c->s;

	if (c->state == TCP_SYN_SENT || c->state == TCP_SYN_RECEIVED)
		NET_INC(TcpAttemptFails);
	else if (c->state == TCP_ESTABLISHED || c->state == TCP_CLOSE_WAIT)
		NET_INC(TcpEstabResets);
	tcp_set_state(c, TCP_CLOSED);
	if (list_empty(&c->accept_link))
		c->listener = NULL; /* a half-open child; one that waits for accept stays there */
	s->error = err;
	s->shut = 3;
	c->t_rexmit = c->t_probe = c->t_reo = c->t_persist = c->t_delack = c->t_keep = c->t_life = c->t_trim = 0;
	(void)timer_stop(&c->timer);
	ring_free(&c->snd);
	tcp_recs_free(c);
	list_del(&s->hash_link);
	sock_wake(s, EPOLLIN | EPOLLOUT | EPOLLERR | EPOLLHUP | EPOLLRDHUP);
	if (tcp_is_orphan(c))
		tcp_destroy(c);
}

void tcp_destroy(struct tcp_conn *c)
{
	(void)timer_stop(&c->timer);
	tcp_drop_data(c);
	if (!list_empty(&c->accept_link)) {
		list_del(&c->accept_link);
		if (c->listener && c->listener->tcp)
			c->listener->tcp->nr_accept--;
	}
	tcp_set_state(c, TCP_CLOSED);
	c->listener = NULL;
	if (!c->s->dead)
		sock_bury(c->s);
}
