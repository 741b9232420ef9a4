/* SPDX-License-Identifier: MIT */
/* The error queue of a socket with IP_RECVERR or IPV6_RECVERR (ip(7)), read with MSG_ERRQUEUE. Bounded. Under net_lock. */
#include "net/stack.h"
#include "userlib/base/mem.h"
#include "userlib/base/string.h"
#include <linux/in.h>
#include <linux/in6.h>

#define MSG_TRUNC 0x20
#define MSG_ERRQUEUE 0x2000
#define QUOTE_MAX 1280u

static void add(struct sock *s, const struct sock_err *head, const u8 *data, u32 len)
{
	struct sock_err *q;

	len = MIN(len, QUOTE_MAX);
	q = s->nr_err < ERRQ_MAX ? kmem_alloc(sizeof(*q) + len) : NULL;
	if (!q)
		return net_drop(NET_DROP_rcvbuf);
	*q = *head;
	q->stamp_ns = clock_realtime_ns();
	q->len = len;
	memcpy(q->data, data, len);
	list_add_tail(&s->errq, &q->link);
	s->nr_err++;
}

void sock_err_add(struct sock *s, const struct icmp_error *e, const u8 *data, u32 len)
{
	struct sock_err q = { .ee = { .err = (u32)e->err, .origin = e->origin, .type = e->type, .code = e->code, .info = e->info },
			      .offender = e->offender, .remote = e->remote, .rport = e->rport };

	add(s, &q, data, len);
}

void sock_err_local(struct sock *s, int err, u32 info, struct ip_addr to, u16 port)
{
	struct sock_err q = { .ee = { .err = (u32)err, .origin = EE_LOCAL, .info = info }, .offender = to, .remote = to, .rport = port };

	add(s, &q, NULL, 0);
	sock_wake(s, EPOLLERR);
}

/* Runs of numbers share an entry, as on Linux. */
void sock_err_zerocopy(struct sock *s)
{
	struct sock_err q = { .ee = { .origin = EE_ZEROCOPY, .code = 1 /* copied */, .info = s->zc_next, .data = s->zc_next }, .remote = s->rip };
	struct sock_err *last = list_empty(&s->errq) ? NULL : list_last(&s->errq, struct sock_err, link);

	s->zc_next++;
	if (last && last->ee.origin == EE_ZEROCOPY && last->ee.data + 1 == q.ee.info)
		last->ee.data++;
	else
		add(s, &q, NULL, 0);
	sock_wake(s, EPOLLERR);
}

static struct sock_err *take(struct sock *s)
{
	struct sock_err *q = list_first(&s->errq, struct sock_err, link);

	list_del(&q->link);
	s->nr_err--;
	return q;
}

void sock_err_drop_all(struct sock *s)
{
	while (!list_empty(&s->errq)) {
		struct sock_err *q = take(s);

		kmem_free(q, sizeof(*q) + q->len);
	}
}

ssize sock_err_recv(struct sock *s, struct iov_iter *it, struct net_addr *from, u32 *out_flags, struct net_cmsgs *cm)
{
	struct {
		struct sock_ee ee;
		u8 addr[28];
	} c;
	struct net_addr offender;
	struct sock_err *q;
	bool v4;
	ssize r = 0;

	if (list_empty(&s->errq))
		return -EAGAIN;
	q = take(s);
	v4 = ip_is4(q->remote);
	if (q->len && it->count)
		r = iter_copy_to(it, q->data, q->len);
	if (r >= 0 && (u32)r < q->len)
		*out_flags |= MSG_TRUNC;
	*out_flags |= MSG_ERRQUEUE;
	if (from && q->ee.origin != EE_ZEROCOPY)
		sock_to_addr(s->family, q->remote, q->rport, from);
	memset(&c, 0, sizeof(c));
	c.ee = q->ee;
	if (q->ee.origin != EE_LOCAL && q->ee.origin != EE_ZEROCOPY) {
		sock_to_addr(v4 && s->family == 2 ? 2 : 10, q->offender, 0, &offender);
		memcpy(c.addr, offender.bytes, offender.len);
	}
	if (cm) {
		if (s->rx_opts & RX_STAMPNS || s->rx_opts & RX_STAMP) {
			s64 tv[2] = { q->stamp_ns / NSEC_PER_SEC, q->stamp_ns % NSEC_PER_SEC };

			if (!(s->rx_opts & RX_STAMPNS))
				tv[1] /= 1000;
			cmsg_put(cm, 1, s->rx_opts & RX_STAMPNS ? 35 : 29, tv, sizeof(tv));
		}
		cmsg_put(cm, s->family == 2 ? IPPROTO_IP : IPPROTO_IPV6, s->family == 2 ? IP_RECVERR : IPV6_RECVERR, &c,
			 (u32)sizeof(c.ee) + (s->family == 2 ? 16u : 28u));
	}
	kmem_free(q, sizeof(*q) + q->len);
	if (!s->tcp) /* the next one's, or none */
		s->error = list_empty(&s->errq) ? 0 : (int)list_first(&s->errq, struct sock_err, link)->ee.err;
	return r;
}
