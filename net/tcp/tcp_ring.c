/* SPDX-License-Identifier: MIT */
/* Byte rings of a connection: what is to be sent, what was received (also out of order, ahead of its place). Under net_lock. */
#include "net/tcp/tcp.h"
#include "userlib/base/mem.h"
#include "userlib/base/string.h"

u32 ring_space(const struct tcp_ring *r, u32 limit)
{
	return r->len < limit ? limit - r->len : 0;
}

static u32 ring_run(const struct tcp_ring *r, u32 off, u32 len, u32 *at)
{
	*at = (r->start + off) % r->cap;
	return MIN(len, r->cap - *at);
}

int ring_reserve(struct tcp_ring *r, u32 extra)
{
	u32 cap = r->cap ? r->cap : TCP_BUF_MIN;
	u8 *buf;

	if (r->len + extra <= r->cap)
		return 0;
	while (cap < r->len + extra)
		cap *= 2;
	buf = kmem_alloc(cap);
	if (!buf)
		return -ENOMEM;
	ring_peek(r, 0, buf, r->len + r->ahead);
	kmem_free(r->buf, r->cap);
	r->buf = buf;
	r->cap = cap;
	r->start = 0;
	return 0;
}

void ring_peek(const struct tcp_ring *r, u32 off, u8 *dst, u32 len)
{
	while (len) {
		u32 at, n = ring_run(r, off, len, &at);

		memcpy(dst, r->buf + at, n);
		dst += n;
		off += n;
		len -= n;
	}
}

void ring_put_ahead(struct tcp_ring *r, u32 off, const u8 *src, u32 len)
{
	u32 pos = r->len + off;

	r->ahead = MAX(r->ahead, off + len);
	while (len) {
		u32 at, n = ring_run(r, pos, len, &at);

		memcpy(r->buf + at, src, n);
		src += n;
		pos += n;
		len -= n;
	}
}

void ring_take_ahead(struct tcp_ring *r, u32 len)
{
	r->len += len;
	r->ahead -= len;
}

ssize ring_put_iter(struct tcp_ring *r, struct iov_iter *it, u32 len)
{
	ssize total = 0;

	while (len) {
		u32 at, n = ring_run(r, r->len, len, &at);
		ssize c = iter_copy_from(it, r->buf + at, n);

		if (c <= 0)
			return total ? total : c;
		r->len += (u32)c;
		total += c;
		len -= (u32)c;
		if ((u32)c < n)
			break;
	}
	return total;
}

ssize ring_get_iter(struct tcp_ring *r, u32 off, struct iov_iter *it, u32 len)
{
	ssize total = 0;

	while (len) {
		u32 at, n = ring_run(r, off, len, &at);
		ssize c = iter_copy_to(it, r->buf + at, n);

		if (c <= 0)
			return total ? total : c;
		off += (u32)c;
		total += c;
		len -= (u32)c;
		if ((u32)c < n)
			break;
	}
	return total;
}

void ring_drop(struct tcp_ring *r, u32 len)
{
	r->len -= len;
	r->start = ring_is_empty(r) ? 0 : (r->start + len) % r->cap; /* from the front again: that memory is in the cache */
}

void ring_free(struct tcp_ring *r)
{
	kmem_free(r->buf, r->cap);
	*r = (struct tcp_ring){ 0 };
}
