/* SPDX-License-Identifier: MIT */
/* The user's side of a connection: send, receive, shutdown, close, readiness. */
#include "net/tcp/tcp.h"
#include <linux/socket.h>

#ifndef MSG_DONTWAIT
#define MSG_OOB 1
#define MSG_PEEK 2
#define MSG_TRUNC 0x20
#define MSG_WAITALL 0x100
#define MSG_MORE 0x8000
#endif

static s64 deadline_of(s64 timeo)
{
	return timeo ? clock_monotonic_ns() + timeo : TIME_FOREVER;
}

static bool can_write_state(const struct tcp_conn *c)
{
	return c->state == TCP_ESTABLISHED || c->state == TCP_CLOSE_WAIT;
}

static int take_error(struct sock *s)
{
	int e = s->error;

	s->error = 0;
	return -e;
}

static bool send_ready(struct sock *s)
{
	struct tcp_conn *c = s->tcp;

	return s->error || s->shut & 2 || (!can_write_state(c) && c->state != TCP_SYN_SENT && c->state != TCP_SYN_RECEIVED) ||
	       (can_write_state(c) && ring_space(&c->snd, s->sndbuf) > 0);
}

/* The buffer has to hold what is in flight and what follows it, unless SO_SNDBUF says otherwise. */
static void tune_sndbuf(struct tcp_conn *c)
{
	struct sock *s = c->s;

	if (!s->sndbuf_set && s->sndbuf < 2 * c->cwnd && c->ca == CA_OPEN)
		s->sndbuf = MIN(2 * c->cwnd, TCP_BUF_MAX);
}

/* One round under the lock: bytes queued, 0 = no room now, or -errno. */
static ssize send_some(struct sock *s, struct iov_iter *it, u32 flags)
{
	struct tcp_conn *c = s->tcp;
	u32 n;
	ssize r;

	if (s->error)
		return take_error(s);
	if (s->shut & 2)
		return -EPIPE;
	if (c->state == TCP_SYN_SENT || c->state == TCP_SYN_RECEIVED)
		return 0;
	if (!can_write_state(c))
		return -EPIPE; /* Linux says so of a socket that never was connected too */
	tune_sndbuf(c);
	n = (u32)MIN((size_t)ring_space(&c->snd, s->sndbuf), it->count);
	n = MIN(n, 262144u);
	if (!n)
		return 0;
	if (ring_reserve(&c->snd, n))
		return -ENOBUFS;
	r = ring_put_iter(&c->snd, it, n);
	if (r > 0) {
		bool cork = s->cork;

		if (flags & MSG_OOB && !it->count) { /* the last byte is urgent */
			c->snd_urg = true;
			c->snd_up = c->snd_una + c->snd.len;
		}

		s->cork = cork || flags & MSG_MORE;
		tcp_output(c);
		s->cork = cork;
	}
	return r;
}

ssize tcp_send(struct sock *s, struct iov_iter *it, u32 flags, bool nonblock)
{
	s64 deadline = deadline_of(s->sndtimeo);
	ssize total = 0, r;

	do {
		net_sock_lock(s);
		r = send_some(s, it, flags);
		net_sock_unlock(s);
		if (r < 0)
			break;
		total += r;
		if (!it->count)
			return total;
		if (r > 0)
			continue;
		if (nonblock) {
			r = -EAGAIN;
			break;
		}
		r = wait_event(&s->wq, EPOLLOUT | EPOLLERR | EPOLLHUP, false, send_ready(s), deadline, true);
		if (r == -ERESTARTSYS && s->sndtimeo)
			r = -EINTR; /* signal(7): never restarted with a timeout set */
		if (r == -ETIMEDOUT)
			r = -EAGAIN;
	} while (r >= 0);
	return total ? total : r;
}

static bool recv_ready(struct sock *s)
{
	struct tcp_conn *c = s->tcp;

	return tcp_readable(c) || s->error || c->fin_received || s->shut & 1 || c->state == TCP_CLOSED;
}

static void window_opened(struct tcp_conn *c)
{
	u32 w = tcp_rcv_window(c), adv = SEQ_GT(c->rcv_adv, c->rcv_nxt) ? c->rcv_adv - c->rcv_nxt : 0;

	if (c->state < TCP_ESTABLISHED || c->fin_received)
		return;
	if (w >= adv + MIN(2 * c->rcv_mss, c->s->rcvbuf / 2) && (adv < c->s->rcvbuf / 2 || c->ack_now))
		tcp_send_ack(c);
}

/* At the mark: the urgent byte is stepped over, unless it is inline. What follows the mark is a read of its own. */
static void pass_mark(struct tcp_conn *c)
{
	if (!tcp_at_mark(c->s) || !c->rcv.len)
		return;
	if (!c->s->oobinline)
		ring_drop(&c->rcv, 1);
	c->rcv_urg = false;
}

static ssize recv_some(struct sock *s, struct iov_iter *it, u32 flags, u32 peek_off)
{
	struct tcp_conn *c = s->tcp;
	u32 hole = tcp_at_mark(s) && c->rcv.len && !s->oobinline, have = tcp_readable(c), n;
	ssize r;

	have = have > peek_off ? have - peek_off : 0;
	r = n = (u32)MIN((size_t)have, it->count);
	if (!n)
		return 0;
	if (flags & MSG_PEEK)
		return flags & MSG_TRUNC ? (iter_advance(it, n), r) : ring_get_iter(&c->rcv, peek_off + hole, it, n);
	pass_mark(c);
	if (flags & MSG_TRUNC)
		iter_advance(it, n);
	else
		r = ring_get_iter(&c->rcv, 0, it, n);
	if (r > 0) {
		ring_drop(&c->rcv, (u32)r);
		tcp_trim_later(c);
		tcp_tune_copied(c, (u32)r);
		window_opened(c);
	}
	return r;
}

/* MSG_OOB: the urgent byte, out of its place. Linux's errors: EINVAL nothing urgent or inline, EAGAIN announced and not there yet. */
static ssize recv_urgent(struct sock *s, struct iov_iter *it, u32 flags, u32 *out_flags)
{
	struct tcp_conn *c = s->tcp;
	ssize r = -EINVAL;
	u32 off;

	net_sock_lock(s);
	if (s->oobinline || !c->rcv_urg || c->rcv_urg_read) {
		;
	} else if (SEQ_GEQ(c->rcv_up, c->rcv_nxt)) {
		r = c->state == TCP_CLOSED || s->shut & 1 ? 0 : -EAGAIN;
	} else {
		off = c->rcv.len - (c->rcv_nxt - c->fin_received - c->rcv_up);
		r = it->count ? ring_get_iter(&c->rcv, off, it, 1) : 0;
		*out_flags |= MSG_OOB | (it->count || r ? 0 : MSG_TRUNC);
		c->rcv_urg_read = !(flags & MSG_PEEK) && r >= 0;
	}
	net_sock_unlock(s);
	return r;
}

ssize tcp_recv(struct sock *s, struct iov_iter *it, u32 flags, bool nonblock, u32 *out_flags)
{
	struct tcp_conn *c = s->tcp;
	s64 deadline = deadline_of(s->rcvtimeo);
	size_t want = flags & MSG_WAITALL ? it->count : MIN((size_t)MAX(s->rcvlowat, 1u), it->count);
	ssize total = 0, r = 0;

	if (c->state == TCP_LISTEN || (c->state == TCP_CLOSED && !s->connected && !s->error))
		return -ENOTCONN;
	if (flags & MSG_OOB)
		return recv_urgent(s, it, flags, out_flags);
	if (!it->count)
		return 0;
	for (;;) {
		bool end, mark;

		net_sock_lock(s);
		r = recv_some(s, it, flags, flags & MSG_PEEK ? (u32)total : 0);
		end = c->fin_received || s->shut & 1 || c->state == TCP_CLOSED;
		if (!r && !total && s->error)
			r = take_error(s);
		mark = total + MAX(r, 0) > 0 && tcp_at_mark(s); /* a read does not go over it */
		if (!r && end && !total)
			pass_mark(c); /* nothing but the urgent byte was left */
		net_sock_unlock(s);
		if (r > 0)
			total += r;
		if (r < 0 || (size_t)total >= want || !it->count || mark || (end && !tcp_readable(c)))
			break;
		if (end)
			continue;
		if (nonblock) {
			r = -EAGAIN;
			break;
		}
		if (flags & MSG_PEEK && total)
			break;
		r = wait_event(&s->wq, EPOLLIN | EPOLLERR | EPOLLHUP | EPOLLRDHUP, false, recv_ready(s), deadline, true);
		if (r) {
			if (r == -ETIMEDOUT)
				r = -EAGAIN;
			else if (s->rcvtimeo)
				r = -EINTR;
			break;
		}
	}
	return total ? total : r;
}

u32 tcp_poll(struct sock *s)
{
	struct tcp_conn *c = s->tcp;
	u32 m = 0;

	if (c->state == TCP_LISTEN)
		return list_empty(&c->accept_queue) ? 0 : EPOLLIN | EPOLLRDNORM;
	if (s->error || !list_empty(&s->errq))
		m |= EPOLLERR;
	if (c->state == TCP_CLOSED && !c->rcv.len)
		return m | EPOLLHUP | EPOLLOUT | EPOLLWRNORM | (s->connected || s->error ? EPOLLIN | EPOLLRDNORM | EPOLLRDHUP : 0);
	if (c->state == TCP_SYN_SENT || c->state == TCP_SYN_RECEIVED)
		return m;
	if (tcp_readable(c) >= MAX(s->rcvlowat, 1u) || c->fin_received || s->shut & 1 || (c->state == TCP_CLOSED))
		m |= EPOLLIN | EPOLLRDNORM;
	if (c->rcv_urg && !c->rcv_urg_read && SEQ_LT(c->rcv_up, c->rcv_nxt))
		m |= EPOLLPRI;
	if (c->fin_received || s->shut & 1)
		m |= EPOLLRDHUP;
	if (c->fin_received && s->shut & 2)
		m |= EPOLLHUP;
	if (s->shut & 2 || (ring_space(&c->snd, s->sndbuf) >= s->sndbuf / 3 &&
			    (!c->notsent_lowat || c->snd.len - MIN(c->snd.len, c->snd_nxt - c->snd_una) < c->notsent_lowat)))
		m |= EPOLLOUT | EPOLLWRNORM;
	return m;
}

static void queue_fin(struct tcp_conn *c)
{
	if (c->state == TCP_ESTABLISHED || c->state == TCP_SYN_RECEIVED)
		tcp_set_state(c, TCP_FIN_WAIT_1);
	else if (c->state == TCP_CLOSE_WAIT)
		tcp_set_state(c, TCP_LAST_ACK);
	else
		return;
	c->fin_queued = true;
	tcp_output(c);
}

int tcp_shutdown(struct sock *s, int how)
{
	struct tcp_conn *c = s->tcp;
	int r = 0;

	net_lock_get();
	if (c->state == TCP_LISTEN && how != 1) {
		list_del(&s->hash_link);
		tcp_set_state(c, TCP_CLOSED);
		sock_wake_all(s, EPOLLIN | EPOLLHUP);
	} else if (c->state < TCP_ESTABLISHED) {
		r = -ENOTCONN;
	} else {
		if (how != 1)
			s->shut |= 1;
		if (how != 0 && !(s->shut & 2)) {
			s->shut |= 2;
			queue_fin(c);
		}
		sock_wake(s, EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLHUP);
	}
	net_lock_put();
	return r;
}

static void close_listener(struct tcp_conn *c)
{
	struct sock *s, *n;

	tcp_set_state(c, TCP_CLOSED);
	list_del(&c->s->hash_link);
	list_for_each_safe(s, n, &net_socks, all_link) {
		struct tcp_conn *k = s->tcp;

		if (!k || s->dead || k->listener != c->s)
			continue;
		list_del(&k->accept_link);
		k->listener = NULL;
		if (k->state > TCP_SYN_RECEIVED) /* not one that was reset while it waited */
			tcp_send_rst(k);
		tcp_destroy(k);
		n = list_first(&net_socks, struct sock, all_link); /* the list changed: from the start */
	}
	tcp_destroy(c);
}

/* SO_LINGER with a time: close waits until all is sent and acknowledged. Entered and left with net_lock; the sock stays ours. */
static void linger(struct sock *s)
{
	struct tcp_conn *c = s->tcp;
	s64 deadline = clock_monotonic_ns() + s->linger_s * NSEC_PER_SEC;

	s->user_gone = false; /* not to be freed meanwhile */
	net_lock_put();
	(void)wait_event(&s->wq, WAKE_ALL, false, (!READ_ONCE(c->snd.len) && READ_ONCE(c->snd_una) == READ_ONCE(c->snd_nxt)) || c->state == TCP_CLOSED,
			 deadline, true);
	net_lock_get();
	s->user_gone = true;
	if (c->state == TCP_CLOSED)
		tcp_destroy(c);
}

void tcp_close(struct sock *s)
{
	struct tcp_conn *c = s->tcp;

	net_lock_get();
	s->user_gone = true;
	switch (c->state) {
	case TCP_LISTEN:
		close_listener(c);
		break;
	case TCP_CLOSED:
	case TCP_SYN_SENT:
		tcp_destroy(c);
		break;
	default:
		if (c->state == TCP_TIME_WAIT) { /* from now on it is nobody's: it counts, and may be the oldest */
			tcp_enter_time_wait(c);
			break;
		}
		if (c->rcv.len || (s->linger_on && !s->linger_s)) { /* unread data or SO_LINGER 0: RFC 1122 4.2.2.13 */
			if (c->rcv.len)
				NET_INC(TCPAbortOnClose);
			else
				NET_INC(TCPAbortOnLinger);
			tcp_send_rst(c);
			tcp_destroy(c);
			break;
		}
		queue_fin(c);
		if (s->linger_on)
			linger(s);
		if (s->dead)
			break;
		if (c->state == TCP_FIN_WAIT_2 && c->linger2_s < 0) {
			tcp_send_rst(c);
			tcp_destroy(c);
		} else if (c->state == TCP_FIN_WAIT_2) {
			c->t_life = clock_monotonic_ns() + (c->linger2_s ? c->linger2_s * NSEC_PER_SEC : 2 * TCP_MSL_NS);
			tcp_timer_update(c);
		}
	}
	net_lock_put();
}
