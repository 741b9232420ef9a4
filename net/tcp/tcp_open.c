/* SPDX-License-Identifier: MIT */
/*
 * Opening: connect (active), listen and accept (passive). A listener has at most backlog half-open children and the instance
 * TCP_HALF_OPEN_MAX; beyond that SYNs get cookies (tcp_syncookie.c). A full accept queue lets SYNs wait at the peer. Takes net_lock.
 */
#include "net/tcp/tcp.h"

#define BACKLOG_MAX 4096u

u32 tcp_half_open;

static s64 deadline_of(s64 timeo)
{
	return timeo ? clock_monotonic_ns() + timeo : TIME_FOREVER;
}

int tcp_connect(struct sock *s, struct ip_addr ip, u16 port, bool nonblock)
{
	struct tcp_conn *c = s->tcp;
	struct ip_addr src;
	u32 iss = 0;
	int r = 0;

	net_lock_get();
	if (c->state == TCP_SYN_SENT || c->state == TCP_SYN_RECEIVED) {
		r = -EALREADY;
	} else if (s->error) { /* how the last attempt ended */
		r = -s->error;
		s->error = 0;
	} else if (c->state != TCP_CLOSED || s->connected) {
		r = -EISCONN;
	} else if (!ip_route(ip, &src)) {
		r = -ENETUNREACH;
	} else {
		if (ip_is_any(s->lip))
			s->lip = src;
		s->rip = ip;
		s->rport = port;
		if (!s->lport)
			r = tcp_pick_port(s, s->lip, &ip, port);
		else if (tcp_find(s->lip, s->lport, ip, port) && !tcp_time_wait_reuse(tcp_find(s->lip, s->lport, ip, port), &iss))
			r = -EADDRNOTAVAIL;
	}
	if (r) {
		net_lock_put();
		if (r != -EALREADY || nonblock)
			return r;
		goto wait;
	}
	NET_INC(TcpActiveOpens);
	s->shut = 0;
	s->error = 0;
	tcp_hash_conn(s);
	c->iss = c->snd_una = c->snd_nxt = iss ? iss : tcp_new_iss(s);
	c->ts_offset = (u32)tcp_keyed_hash(s->lip, 0, ip, 0, 4);
	c->retries = 0;
	c->soft_error = 0;
	c->rcv_wscale = TCP_WSCALE;
	c->fin_received = c->fin_queued = false;
	tcp_mss_update(c);
	tcp_set_state(c, TCP_SYN_SENT);
	tcp_send_syn(c);
	tcp_rexmit_start(c);
	net_lock_put();
	if (nonblock)
		return -EINPROGRESS; /* even if the loopback has answered by now, as on Linux */
wait:
	r = wait_event(&s->wq, WAKE_ALL, false, READ_ONCE(c->state) != TCP_SYN_SENT && READ_ONCE(c->state) != TCP_SYN_RECEIVED,
		       deadline_of(s->sndtimeo), true);
	if (r == -ETIMEDOUT)
		return -EINPROGRESS;
	if (r)
		return r == -ERESTARTSYS && s->sndtimeo ? -EINTR : r;
	if (s->error) {
		r = -s->error;
		s->error = 0;
		return r;
	}
	return c->state == TCP_CLOSED ? -ECONNABORTED : 0;
}

int tcp_listen(struct sock *s, int backlog)
{
	struct tcp_conn *c = s->tcp;
	int r = 0;

	net_lock_get();
	if (c->state == TCP_LISTEN) {
		c->backlog = MIN((u32)MAX(backlog, 0), BACKLOG_MAX) + 1;
	} else if (c->state != TCP_CLOSED || s->connected) {
		r = -EINVAL;
	} else {
		if (!s->lport)
			r = tcp_pick_port(s, s->lip, NULL, 0);
		if (!r) {
			c->backlog = MIN((u32)MAX(backlog, 0), BACKLOG_MAX) + 1;
			tcp_set_state(c, TCP_LISTEN);
			tcp_hash_listener(s);
		}
	}
	net_lock_put();
	return r;
}

int tcp_accept(struct sock *s, bool nonblock, struct sock **out)
{
	struct tcp_conn *c = s->tcp, *child;
	int r;

	if (c->state != TCP_LISTEN)
		return -EINVAL;
	for (;;) {
		net_lock_get();
		if (!list_empty(&c->accept_queue)) {
			child = list_first(&c->accept_queue, struct tcp_conn, accept_link);
			list_del(&child->accept_link);
			child->listener = NULL;
			child->s->user_gone = false;
			c->nr_accept--;
			net_lock_put();
			*out = child->s;
			return 0;
		}
		net_lock_put();
		if (nonblock)
			return -EAGAIN;
		r = wait_event(&s->wq, EPOLLIN, true, !list_empty(&c->accept_queue) || c->state != TCP_LISTEN,
			       deadline_of(s->rcvtimeo), true);
		if (r)
			return r == -ETIMEDOUT ? -EAGAIN : s->rcvtimeo ? -EINTR : r;
		if (c->state != TCP_LISTEN)
			return -EINVAL;
	}
}

bool tcp_accept_full(const struct tcp_conn *l)
{
	return l->nr_accept >= l->backlog;
}

static void inherit(struct sock *s, const struct sock *l)
{
	struct tcp_conn *c = s->tcp;
	const struct tcp_conn *lc = l->tcp;

	s->uid = l->uid;
	s->reuseaddr = l->reuseaddr;
	s->nodelay = l->nodelay;
	s->keepalive = l->keepalive;
	s->oobinline = l->oobinline;
	s->rcvbuf = l->rcvbuf;
	s->rcvbuf_set = l->rcvbuf_set;
	s->sndbuf = l->sndbuf;
	s->sndbuf_set = l->sndbuf_set;
	s->rcvlowat = l->rcvlowat;
	s->rcvtimeo = l->rcvtimeo;
	s->sndtimeo = l->sndtimeo;
	s->ttl = l->ttl;
	s->tos = l->tos;
	s->linger_on = l->linger_on;
	s->linger_s = l->linger_s;
	s->v6only = l->v6only;
	c->keep_idle_s = lc->keep_idle_s;
	c->keep_intvl_s = lc->keep_intvl_s;
	c->keep_cnt = lc->keep_cnt;
	c->user_timeout_ms = lc->user_timeout_ms;
	c->user_mss = lc->user_mss;
	c->notsent_lowat = lc->notsent_lowat;
	c->linger2_s = lc->linger2_s;
	c->cc = lc->cc;
}

/* A child in SYN_RECEIVED, hashed, with what the SYN in g agreed on; nothing is sent. NULL: no memory, counted. */
struct tcp_conn *tcp_child_create(struct sock *l, const struct tcp_seg *g)
{
	struct sock *s = sock_alloc(l->family, l->type, l->protocol);
	struct tcp_conn *c = s ? tcp_conn_alloc(s) : NULL;

	if (!c) {
		if (s)
			sock_bury(s);
		net_drop(NET_DROP_no_memory);
		return NULL;
	}
	s->lip = g->dst;
	s->lport = g->dport;
	s->rip = g->src;
	s->rport = g->sport;
	s->bound = s->user_gone = true; /* nobody's until accepted */
	inherit(s, l);
	c->listener = l;
	NET_INC(TcpPassiveOpens);
	c->rcv_wscale = TCP_WSCALE;
	c->ts_offset = (u32)tcp_keyed_hash(s->lip, 0, s->rip, 0, 4);
	c->iss = c->snd_una = c->snd_nxt = tcp_new_iss(s);
	tcp_opt_agree(c, g);
	c->ecn_ok = tcp_ecn_mode && (g->flags & (TH_ECE | TH_CWR)) == (TH_ECE | TH_CWR);
	tcp_hash_conn(s);
	tcp_set_state(c, TCP_SYN_RECEIVED);
	return c;
}

static void syn_input(struct sock *l, const struct tcp_seg *g)
{
	struct tcp_conn *lc = l->tcp, *c;

	if (tcp_accept_full(lc)) {
		NET_INC(ListenOverflows);
		NET_INC(ListenDrops);
		return net_drop(NET_DROP_accept_queue); /* the peer tries again */
	}
	if (lc->nr_half >= lc->backlog || tcp_half_open >= TCP_HALF_OPEN_MAX) {
		NET_INC(TCPReqQFullDoCookies);
		return tcp_cookie_send(l, g);
	}
	c = tcp_child_create(l, g);
	if (!c) {
		NET_INC(ListenDrops);
		return;
	}
	tcp_send_syn(c);
	tcp_rexmit_start(c);
}

/* A segment for a listener: only a SYN makes a child (RFC 9293 3.10.7.2), or an ACK of a cookie. */
void tcp_listen_input(struct sock *l, struct tcp_seg *g)
{
	struct tcp_conn *c;

	if (g->flags & TH_RST)
		return net_drop(NET_DROP_bad_rst);
	if (g->flags & TH_ACK) {
		if (tcp_accept_full(l->tcp) && l->tcp->cookie_ns)
			return net_drop(NET_DROP_accept_queue);
		c = tcp_cookie_check(l, g);
		if (!c)
			return tcp_reply_rst(g);
		if (tcp_ack_input(c, g)) {
			tcp_data_input(c, g);
			if (c->state != TCP_CLOSED)
				tcp_output(c);
		}
		return;
	}
	if (!(g->flags & TH_SYN) || g->flags & TH_FIN)
		return net_drop(NET_DROP_unexpected);
	syn_input(l, g);
}
