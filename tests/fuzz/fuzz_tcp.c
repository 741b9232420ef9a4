/* SPDX-License-Identifier: MIT */
/*
 * libFuzzer target: TCP input. The input is a row of segments for a listener and a connection to it; sequence and acknowledgment numbers
 * are relative to what the connection expects, so that the fuzzer gets past the window checks. Each segment: u16 seq, u16 ack (signed
 * distances), u8 flags, u8 target (bit 0: listener; rest: ms that pass), u16 window, u8 option bytes, u8 payload bytes, then those.
 * The stack's own packets are swallowed. Nothing may crash, leak, or read beyond the segment.
 */
#include "net/stack.h"
#include "net/tcp/tcp.h"
#include "tests/lib/nic_pair.h"
#include "tests/lib/sim_rt.h"
#include <stdlib.h>
#include <string.h>

#define PEER ip4_addr(be32(0x7f000002))
#define SELF ip4_addr(be32(0x7f000001))

int LLVMFuzzerTestOneInput(const u8 *data, size_t size);

static bool swallow(const u8 *p, u32 len)
{
	(void)p, (void)len;
	return false;
}

static void segment(const struct tcp_hdr *h, const u8 *rest, u32 opts, u32 payload)
{
	u32 room = (opts + 3) & ~3u, len = (u32)sizeof(*h) + room + payload;
	u8 *p = malloc(len); /* exact: the sanitizer sees each byte read beyond it */

	memcpy(p, h, sizeof(*h));
	memset(p + sizeof(*h), 0, room);
	memcpy(p + sizeof(*h), rest, opts);
	memcpy(p + sizeof(*h) + room, rest + opts, payload);
	net_lock_get();
	tcp_input(&net_lo, PEER, SELF, p, len, rest[0] & 3, true);
	net_lock_put();
	free(p);
}

static struct sock *child_of(struct sock *l)
{
	static const u8 opts[] = { 2, 4, 5, 0xb4, 1, 3, 3, 7, 4, 2, 8, 10, 0, 0, 0, 1, 0, 0, 0, 0 };
	struct tcp_hdr h = { .sport = be16(5000), .dport = be16(80), .seq = be32(1000), .off = 10 << 4, .flags = TH_SYN, .wnd = 0xffff };
	struct sock *s;

	segment(&h, opts, sizeof(opts), 0);
	s = tcp_find(SELF, 80, PEER, 5000);
	if (!s)
		return NULL;
	h = (struct tcp_hdr){ .sport = h.sport, .dport = h.dport, .seq = be32(1001), .ack = be32(s->tcp->iss + 1), .off = 5 << 4,
			      .flags = TH_ACK, .wnd = 0xffff };
	segment(&h, opts, 0, 0);
	return net_sock_accept(l, true, &s) ? NULL : s;
}

static void play(struct sock *s, const u8 *data, size_t size)
{
	static u8 buf[4096];
	struct iov_iter it;
	u32 out = 0;

	while (size >= 10) {
		u32 opts = data[8] % 41, payload = data[9], room = (opts + 3) & ~3u;
		struct tcp_conn *c = s->tcp;
		u16 seq = (u16)(data[0] << 8 | data[1]), ack = (u16)(data[2] << 8 | data[3]);
		struct tcp_hdr h = { .sport = be16(data[5] & 1 ? 5001 : 5000), .dport = be16(80), .seq = be32(c->rcv_nxt + (u32)(s16)seq),
				     .ack = be32(c->snd_nxt + (u32)(s16)ack), .off = (u8)((sizeof(h) + room) << 2), .flags = data[4],
				     .wnd = (u16)(data[6] | data[7] << 8), .urg = be16(payload) };

		data += 10;
		size -= 10;
		if (size < opts + payload || size == 0)
			return;
		segment(&h, data, opts, payload);
		iter_init_kernel(&it, buf, data[0] % 64 ? 300 : sizeof(buf));
		if (data[0] & 1)
			(void)!net_sock_send(s, &it, NULL, data[0] & 2, true);
		else
			(void)!net_sock_recv(s, &it, NULL, data[0] & 2, true, &out);
		sim_run_for((s64)(h.dport & 0xff ? data[0] : 1) * NSEC_PER_MSEC);
		data += opts + payload;
		size -= opts + payload;
	}
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	static bool up;
	struct sock *l = NULL, *s;
	struct net_addr a;

	if (!up) {
		net_init();
		nic_pair_start(1500);
		up = true;
	}
	nic_pair_watch = swallow;
	sim_seed(1);
	sock_to_addr(2, IP4_ANY, 80, &a);
	if (net_sock_create(2, 1, 0, &l) || net_sock_bind(l, &a) || net_sock_listen(l, 2))
		abort();
	s = child_of(l);
	if (s) {
		play(s, data, size);
		net_sock_close(s);
	}
	net_sock_close(l);
	sim_run_for(2000 * NSEC_PER_SEC); /* orphans give up, everything is freed */
	if (sim_mem_live())
		abort();
	return 0;
}
