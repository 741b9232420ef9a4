/* SPDX-License-Identifier: MIT */
/* Opening: connect (active), listen and accept (passive). SYN_RECEIVED children count against the backlog, so a flood is bounded. */
#include "net/tcp/tcp.h"

#define SYN_QUEUE_MAX 4096u

static s64 deadline_of(s64 timeo)
{
	return timeo ? clock_monotonic_ns() + timeo : TIME_FOREVER;
}

int tcp_connect(struct sock *s, struct ip_addr ip, u16 port, bool nonblock)
{
	struct tcp_conn *c = s->tcp;
	struct ip_addr src;
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
		else if (tcp_find(s->lip, s->lport, ip, port))
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
	c->iss = c->snd_una = tcp_new_iss(s);
	c->snd_nxt = c->snd_max = c->iss;
	c->retries = 0;
	c->rcv_wscale = TCP_WSCALE;
	tcp_set_state(c, TCP_SYN_SENT);
	tcp_send_syn(c);
	c->rtt_start = clock_monotonic_ns();
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
		c->backlog = (u32)MAX(backlog, 0) + 1;
	} else if (c->state != TCP_CLOSED || s->connected) {
		r = -EINVAL;
	} else {
		if (!s->lport)
			r = tcp_pick_port(s, s->lip, NULL, 0);
		if (!r) {
			c->backlog = MIN((u32)MAX(backlog, 0) + 1, SYN_QUEUE_MAX);
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
			c->nr_queue--;
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

/* A segment for a listener: only a SYN makes a child (RFC 9293 3.10.7.2). */
void tcp_listen_input(struct sock *l, const struct tcp_seg *g)
{
	struct tcp_conn *lc = l->tcp, *c;
	struct sock *s;

	if (g->flags & TH_RST)
		return;
	if (g->flags & TH_ACK)
		return tcp_reply_rst(g);
	if (!(g->flags & TH_SYN))
		return;
	if (lc->nr_queue >= lc->backlog)
		return net_drop(NET_DROP_syn_queue); /* the peer tries again */
	s = sock_alloc(l->family, l->type, l->protocol);
	c = s ? tcp_conn_alloc(s) : NULL;
	if (!c) {
		if (s)
			sock_bury(s);
		return net_drop(NET_DROP_no_memory);
	}
	s->lip = g->dst;
	s->lport = g->dport;
	s->rip = g->src;
	s->rport = g->sport;
	s->bound = s->user_gone = true; /* nobody's until accepted */
	s->uid = l->uid;
	s->reuseaddr = l->reuseaddr;
	s->nodelay = l->nodelay;
	s->keepalive = l->keepalive;
	s->rcvbuf = l->rcvbuf;
	s->sndbuf = l->sndbuf;
	s->ttl = l->ttl;
	s->tos = l->tos;
	s->linger_on = l->linger_on;
	s->linger_s = l->linger_s;
	c->keep_idle_s = lc->keep_idle_s;
	c->keep_intvl_s = lc->keep_intvl_s;
	c->keep_cnt = lc->keep_cnt;
	c->listener = l;
	NET_INC(TcpPassiveOpens);
	lc->nr_queue++;
	c->irs = g->seq;
	c->rcv_nxt = c->rcv_adv = g->seq + 1;
	c->snd_wnd = g->wnd;
	c->mss = MIN((u32)(g->opt_mss ? MAX(g->opt_mss, TCP_MSS_MIN) : 536), ip_mss(g->src));
	c->sack_ok = g->opt_sack;
	c->rcv_mss = c->mss;
	c->wscale_ok = g->opt_wscale >= 0;
	c->snd_wscale = c->wscale_ok ? (u8)MIN(g->opt_wscale, 14) : 0;
	c->rcv_wscale = TCP_WSCALE;
	c->ts_ok = g->has_ts;
	c->ts_recent = g->ts_val;
	if (c->ts_ok)
		c->mss -= 12;
	tcp_cc_init(c);
	c->iss = c->snd_una = tcp_new_iss(s);
	c->snd_nxt = c->snd_max = c->iss;
	tcp_hash_conn(s);
	tcp_set_state(c, TCP_SYN_RECEIVED);
	tcp_send_syn(c);
	tcp_rexmit_start(c);
}
