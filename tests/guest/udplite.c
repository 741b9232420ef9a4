/* SPDX-License-Identifier: MIT */
/* UDP-Lite (RFC 3828, udplite(7)): coverage on both sides, what is on the wire, and which hand-made packets are taken. */
#include "t.h"
#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdint.h>
#include <sys/socket.h>

#define SEND_CSCOV 10
#define RECV_CSCOV 11

static int v6;
static struct sockaddr_storage at; /* the receiver's */
static socklen_t at_len;

static void set_port(struct sockaddr_storage *a, in_port_t p)
{
	if (v6)
		((struct sockaddr_in6 *)a)->sin6_port = p;
	else
		((struct sockaddr_in *)a)->sin_port = p;
}

static in_port_t port_of(const struct sockaddr_storage *a)
{
	return v6 ? ((const struct sockaddr_in6 *)a)->sin6_port : ((const struct sockaddr_in *)a)->sin_port;
}

static void loopback(struct sockaddr_storage *a)
{
	memset(a, 0, sizeof(*a));
	at_len = v6 ? sizeof(struct sockaddr_in6) : sizeof(struct sockaddr_in);
	a->ss_family = v6 ? AF_INET6 : AF_INET;
	if (v6)
		((struct sockaddr_in6 *)a)->sin6_addr = in6addr_loopback;
	else
		((struct sockaddr_in *)a)->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
}

static void options(int s)
{
	static const int values[] = { 0, 1, 8, 20, 65535, 70000, -5 };
	socklen_t len;
	int v, u;

	for (int name = SEND_CSCOV; name <= RECV_CSCOV; name++)
		for (unsigned i = 0; i < sizeof(values) / sizeof(*values); i++) {
			t_val("set", setsockopt(s, IPPROTO_UDPLITE, name, &values[i], sizeof(int)));
			v = -1;
			len = sizeof(v);
			t_val("get", getsockopt(s, IPPROTO_UDPLITE, name, &v, &len));
			t_val("value", v);
		}
	t_val("short", setsockopt(s, IPPROTO_UDPLITE, SEND_CSCOV, &v, 2));
	t_val("no such option", setsockopt(s, IPPROTO_UDPLITE, 77, &v, 4));
	u = socket(v6 ? AF_INET6 : AF_INET, SOCK_DGRAM, 0);
	t_val("on UDP", setsockopt(u, IPPROTO_UDPLITE, SEND_CSCOV, &v, 4));
	t_val("its port is another's", bind(u, (struct sockaddr *)&at, at_len));
	close(u);
	len = sizeof(v);
	t_val("SO_PROTOCOL", getsockopt(s, SOL_SOCKET, SO_PROTOCOL, &v, &len));
	t_val("is", v);
}

/* What is there to read within a moment: its length, or -1. */
static void got(int s, const char *what)
{
	struct pollfd p = { s, POLLIN, 0 };
	char buf[128];

	if (poll(&p, 1, 100) == 1)
		t_val(what, recv(s, buf, sizeof(buf), 0));
	else
		printf("%s: nothing\n", what);
}

static void coverage(int r)
{
	static const int pairs[][2] = { { 0, 0 }, { 8, 0 }, { 8, 8 }, { 8, 20 }, { 20, 20 }, { 25, 20 }, { 28, 20 }, { 100, 20 }, { 0, 20 }, { 0, 200 } };
	int s = socket(at.ss_family, SOCK_DGRAM, IPPROTO_UDPLITE);

	t_val("connect", connect(s, (struct sockaddr *)&at, at_len));
	t_val("no coverage set", send(s, "01234567890123456789", 20, 0));
	got(r, "no coverage set");
	for (unsigned i = 0; i < sizeof(pairs) / sizeof(*pairs); i++) {
		t_val("pair", pairs[i][0] * 1000 + pairs[i][1]);
		t_val("send", setsockopt(s, IPPROTO_UDPLITE, SEND_CSCOV, &pairs[i][0], 4));
		t_val("recv", setsockopt(r, IPPROTO_UDPLITE, RECV_CSCOV, &pairs[i][1], 4));
		t_val("sent", send(s, "01234567890123456789", 20, 0));
		got(r, "taken");
	}
	close(s);
}

static uint16_t sum(const uint8_t *p, unsigned n, unsigned cover)
{
	uint32_t s = (v6 ? 1 + 1 : 2 * (0x7f00 + 1)) + IPPROTO_UDPLITE + n;

	for (unsigned i = 0; i < cover; i++)
		s += (uint32_t)(i & 1 ? p[i] : p[i] << 8);
	while (s >> 16)
		s = (s & 0xffff) + (s >> 16);
	s = ~s & 0xffff;
	return (uint16_t)(s ? s : 0xffff);
}

/* Packets by hand: `field` in the header, `cover` bytes in the checksum, then the byte at `spoil` changed. */
static void by_hand(int r)
{
	static const struct {
		const char *what;
		unsigned field, cover;
		int spoil;
	} c[] = {
		{ "all", 0, 28, -1 },	     { "all, said", 28, 28, -1 },	 { "wrong", 0, 28, 20 },
		{ "behind", 12, 12, 20 },    { "before", 12, 12, 9 },		 { "odd", 13, 13, 13 },
		{ "odd, before", 13, 13, 12 }, { "header", 8, 8, 8 },		 { "less than the header", 7, 7, -1 },
		{ "more than there is", 29, 28, -1 }, { "no checksum", 0, 0, -1 }, { "no checksum, header", 8, 0, -1 },
	};
	int raw = socket(at.ss_family, SOCK_RAW, IPPROTO_UDPLITE), zero = 0, eight = 8;
	struct sockaddr_storage to = at;
	uint8_t p[28];

	t_val("raw", raw < 0);
	set_port(&to, 0);
	for (unsigned i = 0; i < sizeof(c) / sizeof(*c); i++) {
		in_port_t port = port_of(&at);
		uint16_t v = htons((uint16_t)c[i].field);

		for (unsigned k = 0; k < sizeof(p); k++)
			p[k] = (uint8_t)(k * 7);
		memcpy(p + 2, &port, 2);
		memcpy(p + 4, &v, 2);
		p[6] = p[7] = 0;
		v = c[i].cover ? htons(sum(p, sizeof(p), c[i].cover)) : 0;
		memcpy(p + 6, &v, 2);
		if (c[i].spoil >= 0)
			p[c[i].spoil] ^= 0x55;
		setsockopt(r, IPPROTO_UDPLITE, RECV_CSCOV, &eight, 4);
		t_val(c[i].what, sendto(raw, p, sizeof(p), 0, (struct sockaddr *)&to, at_len));
		got(r, c[i].what);
	}
	setsockopt(r, IPPROTO_UDPLITE, RECV_CSCOV, &zero, 4);
	t_val("runt", sendto(raw, p, 7, 0, (struct sockaddr *)&to, at_len));
	got(r, "runt");
	close(raw);
}

/* The header that our own socket sends: the coverage field, and the checksum over as much. */
static void on_the_wire(void)
{
	static const int covers[] = { 0, 8, 13, 28, 500 };
	int raw = socket(at.ss_family, SOCK_RAW, IPPROTO_UDPLITE), s = socket(at.ss_family, SOCK_DGRAM, IPPROTO_UDPLITE);
	uint8_t b[128], *p;
	uint16_t field, had;

	for (unsigned i = 0; i <= sizeof(covers) / sizeof(*covers); i++) {
		if (i)
			setsockopt(s, IPPROTO_UDPLITE, SEND_CSCOV, &covers[i - 1], 4);
		t_val("sent", sendto(s, "abcdefghijklmnopqrst", 20, 0, (struct sockaddr *)&at, at_len));
		t_val("whole", recv(raw, b, sizeof(b), 0) - (v6 ? 0 : 20));
		p = b + (v6 ? 0 : 20);
		memcpy(&field, p + 4, 2);
		memcpy(&had, p + 6, 2);
		p[6] = p[7] = 0;
		field = ntohs(field);
		t_val("field", field);
		t_val("sum fits", sum(p, 28, field && field <= 28 ? field : 28) == ntohs(had));
	}
	close(raw);
	close(s);
}

static void refused(void)
{
	struct sockaddr_storage to = at;
	int s = socket(at.ss_family, SOCK_DGRAM, IPPROTO_UDPLITE), u = socket(at.ss_family, SOCK_DGRAM, 0);
	struct pollfd p = { s, 0, 0 };

	/* UDP hears on this port; UDP-Lite does not. */
	set_port(&to, 0);
	t_val("bind", bind(u, (struct sockaddr *)&to, at_len));
	t_val("name", getsockname(u, (struct sockaddr *)&to, &at_len));
	t_val("connect", connect(s, (struct sockaddr *)&to, at_len));
	t_val("send", send(s, "x", 1, 0));
	t_val("told", poll(&p, 1, 1000));
	t_val("refused", send(s, "x", 1, 0));
	got(u, "nothing at the UDP socket");
	close(s);
	close(u);
}

int main(void)
{
	int r;

	t_val("stream", socket(AF_INET, SOCK_STREAM, IPPROTO_UDPLITE));
	if (geteuid())
		return 0;
	for (v6 = 0; v6 < 2; v6++) {
		loopback(&at);
		r = socket(at.ss_family, SOCK_DGRAM, IPPROTO_UDPLITE);
		t_val("socket", r < 0);
		t_val("bind", bind(r, (struct sockaddr *)&at, at_len));
		t_val("name", getsockname(r, (struct sockaddr *)&at, &at_len));
		coverage(r);
		by_hand(r);
		refused();
		on_the_wire();
		options(r);
		close(r);
	}
	return 0;
}
