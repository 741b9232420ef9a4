/* SPDX-License-Identifier: MIT */
/* AF_PACKET on the loopback (packet(7)): what addresses are taken for sending and binding; checksums that were made by hand. */
#include "t.h"
#include <arpa/inet.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <poll.h>
#include <stddef.h>
#include <sys/socket.h>

static unsigned short sum(const unsigned char *p, int n)
{
	unsigned int s = 0;

	for (int i = 0; i < n; i += 2)
		s += (unsigned int)(p[i] << 8 | p[i + 1]);
	while (s >> 16)
		s = (s & 0xffff) + (s >> 16);
	return htons((unsigned short)~s);
}

/* Ethernet, IPv4 and UDP without a checksum to the loopback's port. */
static int make_frame(unsigned char *f, unsigned short port, const char *text)
{
	int n = (int)strlen(text);
	unsigned short ip_sum;

	memset(f, 0, 42);
	f[12] = 8;
	f[14] = 0x45;
	f[17] = (unsigned char)(28 + n);
	f[22] = 64;
	f[23] = 17;
	memcpy(f + 26, "\x7f\0\0\1\x7f\0\0\1", 8);
	ip_sum = sum(f + 14, 20);
	memcpy(f + 24, &ip_sum, 2);
	f[34] = 0x20;
	memcpy(f + 36, &port, 2);
	f[39] = (unsigned char)(8 + n);
	memcpy(f + 42, text, (size_t)n);
	return 42 + n;
}

static void heard(int u, const char *what)
{
	struct pollfd p = { u, POLLIN, 0 };
	char buf[64];

	if (poll(&p, 1, 100) == 1)
		t_val(what, recv(u, buf, sizeof(buf), 0));
	else
		printf("%s: nothing\n", what);
}

/* What comes by hand over the loopback is looked at as from any other link: none, a right and a wrong UDP checksum. */
static void checksums(int s, int u, const struct sockaddr_ll *ll, unsigned short port)
{
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	unsigned char f[128], pseudo[128] = { 127, 0, 0, 1, 127, 0, 0, 1, 0, 17, 0, 12 };
	int raw = socket(AF_INET, SOCK_RAW, IPPROTO_UDP), n = make_frame(f, port, "sums");
	char rest[64];
	unsigned short v;

	while (recv(u, rest, sizeof(rest), MSG_DONTWAIT) >= 0)
		;
	memcpy(pseudo + 12, f + 34, 12);
	v = sum(pseudo, 24);
	for (int wrong = -1; wrong < 2; wrong++) {
		unsigned short put = wrong < 0 ? 0 : (unsigned short)(v ^ wrong << 5);

		memcpy(f + 40, &put, 2);
		t_val("frame", sendto(s, f, (size_t)n, 0, (const struct sockaddr *)ll, sizeof(*ll)));
		heard(u, wrong < 0 ? "no checksum" : wrong ? "wrong" : "right");
		t_val("raw", sendto(raw, f + 34, 12, 0, (struct sockaddr *)&to, sizeof(to)));
		heard(u, wrong < 0 ? "raw, no checksum" : wrong ? "raw, wrong" : "raw, right");
	}
	close(raw);
}

int main(void)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	struct sockaddr_ll ll = { .sll_ifindex = (int)if_nametoindex("lo"), .sll_halen = 6 };
	static unsigned char f[70000];
	socklen_t len = sizeof(a);
	int s, u, n;

	if (geteuid())
		return 0;
	u = socket(AF_INET, SOCK_DGRAM, 0);
	t_val("bind udp", bind(u, (struct sockaddr *)&a, sizeof(a)));
	t_val("name", getsockname(u, (struct sockaddr *)&a, &len));
	s = socket(AF_PACKET, SOCK_RAW, htons(ETH_P_ALL));
	t_val("raw packet socket", s < 0 ? -1 : 0);
	n = make_frame(f, a.sin_port, "by hand");
	t_val("no address", send(s, f, (size_t)n, 0));
	t_val("short address", sendto(s, f, (size_t)n, 0, (struct sockaddr *)&ll, offsetof(struct sockaddr_ll, sll_addr)));
	t_val("too long a frame", sendto(s, f, sizeof(f), 0, (struct sockaddr *)&ll, sizeof(ll)));
	t_val("no family", sendto(s, f, (size_t)n, 0, (struct sockaddr *)&ll, sizeof(ll)));
	t_val("bind, no family", bind(s, (struct sockaddr *)&ll, sizeof(ll)));
	checksums(s, u, &ll, a.sin_port);
	ll.sll_family = AF_PACKET;
	t_val("bind, short", bind(s, (struct sockaddr *)&ll, offsetof(struct sockaddr_ll, sll_addr)));
	ll.sll_ifindex = 9999;
	t_val("bind, no such interface", bind(s, (struct sockaddr *)&ll, sizeof(ll)));
	n = make_frame(f, a.sin_port, "x");
	t_val("send, no such interface", sendto(s, f, (size_t)n, 0, (struct sockaddr *)&ll, sizeof(ll)));
	ll.sll_ifindex = (int)if_nametoindex("lo");
	t_val("bind", bind(s, (struct sockaddr *)&ll, sizeof(ll)));
	t_val("send", send(s, f, (size_t)n, 0));
	return 0;
}
