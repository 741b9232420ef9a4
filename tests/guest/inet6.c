/* SPDX-License-Identifier: MIT */
/* IPv6 over the loopback interface, what received datagrams tell, error queues, options. */
#include "t.h"
#include <arpa/inet.h>
#include <linux/errqueue.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <net/if.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/time.h>

static struct sockaddr_in6 a6(const char *s, int port)
{
	struct sockaddr_in6 a = { .sin6_family = AF_INET6, .sin6_port = htons((uint16_t)port) };

	inet_pton(AF_INET6, s, &a.sin6_addr);
	return a;
}

static struct sockaddr_in a4(const char *s, int port)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = htons((uint16_t)port) };

	inet_pton(AF_INET, s, &a.sin_addr);
	return a;
}

static const char *name(int fd, int peer)
{
	static char out[4][80];
	static int n;
	struct sockaddr_in6 a;
	socklen_t l = sizeof(a);
	char b[64], *o = out[n++ % 4];

	if ((peer ? getpeername : getsockname)(fd, (void *)&a, &l)) {
		snprintf(o, 80, "errno %d", errno);
		return o;
	}
	inet_ntop(a.sin6_family, a.sin6_family == AF_INET6 ? (void *)&a.sin6_addr : (void *)((char *)&a + 4), b, sizeof(b));
	snprintf(o, 80, "%d %s", (int)l, b);
	return o;
}

static int port_of(int fd)
{
	struct sockaddr_in6 a;
	socklen_t l = sizeof(a);

	getsockname(fd, (void *)&a, &l);
	return ntohs(a.sin6_port);
}

static int opt(int fd, int level, int o, int v)
{
	return setsockopt(fd, level, o, &v, sizeof(v)) ? -errno : 0;
}

static int get(int fd, int level, int o)
{
	int v = -77;
	socklen_t l = sizeof(v);

	return getsockopt(fd, level, o, &v, &l) ? -errno : v;
}

static int bound(int family, int type, const char *ip)
{
	int s = socket(family, type, 0);
	struct sockaddr_in6 a = a6(ip, 0);
	struct sockaddr_in b = a4(ip, 0);

	if (family == AF_INET6 ? bind(s, (void *)&a, sizeof(a)) : bind(s, (void *)&b, sizeof(b)))
		t_say("bind %s: %d", ip, errno);
	return s;
}

static void tcp(void)
{
	static const char *const to[] = { "::1", "::", "::ffff:127.0.0.1" };
	int l = bound(AF_INET6, SOCK_STREAM, "::"), d, c;
	char b[10];

	listen(l, 5);
	for (int i = 0; i < 3; i++) {
		struct sockaddr_in6 a = a6(to[i], port_of(l));

		c = socket(AF_INET6, SOCK_STREAM, 0);
		R(connect(c, (void *)&a, sizeof(a)));
		d = accept(l, NULL, NULL);
		t_say("%s: %s, %s; %s, %s", to[i], name(c, 0), name(c, 1), name(d, 0), name(d, 1));
		R(write(c, "hello", 5));
		R(read(d, b, 10));
		close(c);
		close(d);
	}
	struct sockaddr_in a = a4("127.0.0.1", port_of(l));
	c = socket(AF_INET, SOCK_STREAM, 0);
	R(connect(c, (void *)&a, sizeof(a)));
	d = accept(l, NULL, NULL);
	t_say("v4: %s, %s; %s, %s", name(c, 0), name(c, 1), name(d, 0), name(d, 1));
	close(c);
	close(d);
	close(l);
	l = bound(AF_INET6, SOCK_STREAM, "::1");
	listen(l, 5);
	c = socket(AF_INET, SOCK_STREAM, 0);
	a = a4("127.0.0.1", port_of(l));
	R(connect(c, (void *)&a, sizeof(a)));
	close(c);
	c = socket(AF_INET6, SOCK_STREAM, 0);
	R(connect(c, (void *)&a, sizeof(a)));
	close(c);
	close(l);
}

static void binding(void)
{
	int s = socket(AF_INET6, SOCK_STREAM, 0), t;
	struct sockaddr_in6 a = a6("2001:db8::77", 0);
	struct sockaddr_in b = a4("127.0.0.1", 0);

	R(bind(s, (void *)&a, sizeof(a)));
	R(bind(s, (void *)&b, sizeof(b)));
	R(bind(s, (void *)&b, sizeof(struct sockaddr_in6)));
	a = a6("::ffff:127.0.0.1", 0);
	R(opt(s, IPPROTO_IPV6, IPV6_V6ONLY, 1));
	R(bind(s, (void *)&a, sizeof(a)));
	R(bind(s, (void *)&a, 20));
	a = a6("::1", 0);
	R(bind(s, (void *)&a, 24));
	R(opt(s, IPPROTO_IPV6, IPV6_V6ONLY, 0));
	t_say("%s", name(s, 0));
	t = socket(AF_INET6, SOCK_STREAM, 0);
	a = a6("::", port_of(s));
	R(bind(t, (void *)&a, sizeof(a)));
	close(t);
	t = socket(AF_INET, SOCK_STREAM, 0);
	b = a4("0.0.0.0", port_of(s));
	R(bind(t, (void *)&b, sizeof(b)));
	close(t);
	close(s);
}

static void controls(struct msghdr *m)
{
	for (struct cmsghdr *c = CMSG_FIRSTHDR(m); c; c = CMSG_NXTHDR(m, c)) {
		char ip[64] = "";
		int v = 0;

		if (c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_PKTINFO)
			inet_ntop(AF_INET6, CMSG_DATA(c), ip, sizeof(ip));
		else if (c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_PKTINFO)
			inet_ntop(AF_INET, CMSG_DATA(c) + 8, ip, sizeof(ip));
		else if (c->cmsg_level == SOL_SOCKET)
			v = 0; /* a time */
		else
			memcpy(&v, CMSG_DATA(c), c->cmsg_len - CMSG_LEN(0) < 4 ? c->cmsg_len - CMSG_LEN(0) : 4);
		t_say("  cmsg %d %d len %d: %d %s", c->cmsg_level, c->cmsg_type, (int)c->cmsg_len, v, ip);
	}
}

static ssize_t rmsg(int s, int flags, struct msghdr *m)
{
	static char data[3000], ctl[400];
	static struct sockaddr_in6 from;
	static struct iovec v = { data, sizeof(data) };
	ssize_t n;

	*m = (struct msghdr){ &from, sizeof(from), &v, 1, ctl, sizeof(ctl), 0 };
	n = recvmsg(s, m, flags);
	t_say("recvmsg %zd errno %d flags %x from %d", n, n < 0 ? errno : 0, n < 0 ? 0 : m->msg_flags, n < 0 ? 0 : (int)m->msg_namelen);
	if (n >= 0)
		controls(m);
	return n;
}

static void udp(void)
{
	int s = bound(AF_INET6, SOCK_DGRAM, "::"), c = bound(AF_INET6, SOCK_DGRAM, "::1"), c4 = bound(AF_INET, SOCK_DGRAM, "127.0.0.1");
	struct sockaddr_in6 a = a6("::1", port_of(s)), m6 = a6("::ffff:127.0.0.1", port_of(s));
	struct sockaddr_in b = a4("127.0.0.1", port_of(s));
	struct msghdr m;

	R(opt(s, IPPROTO_IPV6, IPV6_RECVPKTINFO, 1));
	R(opt(s, IPPROTO_IPV6, IPV6_RECVHOPLIMIT, 1));
	R(opt(s, IPPROTO_IPV6, IPV6_RECVTCLASS, 1));
	R(opt(s, SOL_SOCKET, SO_TIMESTAMP, 1));
	R(opt(c, IPPROTO_IPV6, IPV6_UNICAST_HOPS, 33));
	R(opt(c, IPPROTO_IPV6, IPV6_TCLASS, 0x28));
	R(sendto(c, "one", 3, 0, (void *)&a, sizeof(a)));
	rmsg(s, 0, &m);
	R(opt(s, SOL_SOCKET, SO_TIMESTAMP, 0));
	R(opt(s, IPPROTO_IP, IP_PKTINFO, 1));
	R(opt(s, IPPROTO_IP, IP_RECVTTL, 1));
	R(opt(s, IPPROTO_IP, IP_RECVTOS, 1));
	R(opt(c4, IPPROTO_IP, IP_TTL, 44));
	R(opt(c4, IPPROTO_IP, IP_TOS, 0x10));
	R(sendto(c4, "four", 4, 0, (void *)&b, sizeof(b)));
	rmsg(s, 0, &m);
	R(sendto(c, "x", 1, 0, (void *)&m6, sizeof(m6)));
	close(c);
	c = socket(AF_INET6, SOCK_DGRAM, 0);
	R(sendto(c, "x", 1, 0, (void *)&m6, sizeof(m6)));
	rmsg(s, MSG_DONTWAIT, &m);
	R(sendto(c, "y", 1, 0, (void *)&b, sizeof(b)));
	rmsg(s, MSG_DONTWAIT, &m);
	R(opt(c, IPPROTO_IPV6, IPV6_V6ONLY, 1));
	close(c);
	close(c4);
	close(s);
}

static void errors(void)
{
	struct sockaddr_in a = a4("127.0.0.1", 9);
	struct sockaddr_in6 b = a6("::1", 9);
	int s = socket(AF_INET, SOCK_DGRAM, 0), t = socket(AF_INET6, SOCK_DGRAM, 0);
	struct pollfd p = { s, POLLIN, 0 };
	struct msghdr m;
	char big[3000] = { 0 };

	R(opt(s, IPPROTO_IP, IP_RECVERR, 1));
	R(sendto(s, "hi", 2, 0, (void *)&a, sizeof(a)));
	R(poll(&p, 1, 1000));
	R(p.revents);
	R(recv(s, big, 10, MSG_DONTWAIT));
	if (rmsg(s, MSG_ERRQUEUE, &m) >= 0) {
		struct sock_extended_err *e = (void *)CMSG_DATA(CMSG_FIRSTHDR(&m));

		t_say("error %u origin %u type %u code %u", e->ee_errno, e->ee_origin, e->ee_type, e->ee_code);
	}
	rmsg(s, MSG_ERRQUEUE, &m);
	R(opt(t, IPPROTO_IPV6, IPV6_RECVERR, 1));
	R(connect(t, (void *)&b, sizeof(b)));
	R(send(t, "hi", 2, 0));
	usleep(20000);
	R(send(t, "hi", 2, 0));
	if (rmsg(t, MSG_ERRQUEUE, &m) >= 0) {
		struct sock_extended_err *e = (void *)CMSG_DATA(CMSG_FIRSTHDR(&m));

		t_say("error %u origin %u type %u code %u", e->ee_errno, e->ee_origin, e->ee_type, e->ee_code);
	}
	close(s);
	close(t);
	s = socket(AF_INET, SOCK_DGRAM, 0);
	R(connect(s, (void *)&a, sizeof(a)));
	R(send(s, "hi", 2, 0));
	usleep(20000);
	R(send(s, "hi", 2, 0));
	R(get(s, SOL_SOCKET, SO_ERROR));
	R(get(s, IPPROTO_IP, IP_MTU));
	close(s);
}

static void options(void)
{
	int u = socket(AF_INET, SOCK_DGRAM, 0), v = socket(AF_INET6, SOCK_DGRAM, 0), t = socket(AF_INET6, SOCK_STREAM, 0);
	struct ip_mreq mr = { .imr_multiaddr.s_addr = inet_addr("239.1.2.3"), .imr_interface.s_addr = inet_addr("127.0.0.1") };
	char name[16] = "";
	socklen_t l = sizeof(name);

	for (int i = 0; i < 7; i++)
		t_say("IP_MTU_DISCOVER %d: %d", i, opt(u, IPPROTO_IP, IP_MTU_DISCOVER, i));
	R(get(u, IPPROTO_IP, IP_MTU_DISCOVER));
	R(get(u, IPPROTO_IP, IP_MTU));
	R(get(u, IPPROTO_IP, IP_MULTICAST_TTL));
	R(get(u, IPPROTO_IP, IP_MULTICAST_LOOP));
	R(get(u, IPPROTO_IP, IP_TTL));
	R(opt(u, IPPROTO_IP, IP_TTL, 0));
	R(opt(u, IPPROTO_IP, IP_TTL, 256));
	R(opt(u, IPPROTO_IP, IP_HDRINCL, 1));
	R(opt(u, IPPROTO_IPV6, IPV6_V6ONLY, 1));
	R(get(u, IPPROTO_IPV6, IPV6_V6ONLY));
	R(get(v, IPPROTO_IPV6, IPV6_V6ONLY));
	R(get(v, IPPROTO_IPV6, IPV6_UNICAST_HOPS));
	R(get(v, IPPROTO_IPV6, IPV6_MULTICAST_HOPS));
	R(get(v, IPPROTO_IPV6, IPV6_TCLASS));
	R(opt(v, IPPROTO_IPV6, IPV6_TCLASS, 256));
	R(opt(v, IPPROTO_IPV6, IPV6_UNICAST_HOPS, 256));
	R(opt(v, IPPROTO_IPV6, IPV6_MULTICAST_IF, 77));
	R(get(v, IPPROTO_IPV6, IPV6_RECVPKTINFO));
	R(get(t, IPPROTO_IPV6, IPV6_MTU));
	R(opt(u, SOL_SOCKET, SO_PRIORITY, 6));
	R(get(u, SOL_SOCKET, SO_PRIORITY));
	R(opt(u, SOL_SOCKET, SO_DONTROUTE, 1));
	R(get(u, SOL_SOCKET, SO_DONTROUTE));
	R(opt(u, SOL_SOCKET, SO_RCVLOWAT, 5));
	R(get(u, SOL_SOCKET, SO_RCVLOWAT));
	R(setsockopt(u, SOL_SOCKET, SO_BINDTODEVICE, "lo", 3));
	R(getsockopt(u, SOL_SOCKET, SO_BINDTODEVICE, name, &l));
	t_say("device %s %d", name, (int)l);
	R(setsockopt(u, SOL_SOCKET, SO_BINDTODEVICE, "nosuch0", 8));
	R(setsockopt(u, IPPROTO_IP, IP_ADD_MEMBERSHIP, &mr, sizeof(mr)));
	R(setsockopt(u, IPPROTO_IP, IP_ADD_MEMBERSHIP, &mr, sizeof(mr)));
	R(setsockopt(u, IPPROTO_IP, IP_DROP_MEMBERSHIP, &mr, sizeof(mr)));
	R(setsockopt(u, IPPROTO_IP, IP_DROP_MEMBERSHIP, &mr, sizeof(mr)));
	mr.imr_multiaddr.s_addr = inet_addr("10.1.2.3");
	R(setsockopt(u, IPPROTO_IP, IP_ADD_MEMBERSHIP, &mr, sizeof(mr)));
	R(opt(t, SOL_SOCKET, SO_ZEROCOPY, 1));
	R(opt(t, SOL_SOCKET, SO_ZEROCOPY, 2));
	R(opt(t, IPPROTO_TCP, TCP_DEFER_ACCEPT, 5) == 0);
	close(u);
	close(v);
	close(t);
}

static void groups(void)
{
	int s = socket(AF_INET, SOCK_DGRAM, 0), c = socket(AF_INET, SOCK_DGRAM, 0), one = 1;
	struct ip_mreq mr = { .imr_multiaddr.s_addr = inet_addr("239.1.2.3"), .imr_interface.s_addr = inet_addr("127.0.0.1") };
	struct sockaddr_in a = a4("0.0.0.0", 0);
	struct msghdr m;

	setsockopt(s, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	R(bind(s, (void *)&a, sizeof(a)));
	R(setsockopt(s, IPPROTO_IP, IP_ADD_MEMBERSHIP, &mr, sizeof(mr)));
	R(opt(s, IPPROTO_IP, IP_PKTINFO, 1));
	R(setsockopt(c, IPPROTO_IP, IP_MULTICAST_IF, &mr.imr_interface, 4));
	a = a4("239.1.2.3", port_of(s));
	R(sendto(c, "group", 5, 0, (void *)&a, sizeof(a)));
	rmsg(s, MSG_DONTWAIT, &m);
	R(setsockopt(s, IPPROTO_IP, IP_DROP_MEMBERSHIP, &mr, sizeof(mr)));
	R(sendto(c, "group", 5, 0, (void *)&a, sizeof(a)));
	rmsg(s, MSG_DONTWAIT, &m);
	close(s);
	close(c);
}

int main(void)
{
	tcp();
	binding();
	udp();
	errors();
	options();
	groups();
	return 0;
}
