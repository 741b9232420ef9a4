/* SPDX-License-Identifier: MIT */
/* Socket options that are told again, that change what reads do, and that are refused where they mean nothing. */
#include "t.h"
#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <sys/socket.h>

static void set_get(int s, const char *what, int level, int name, int v)
{
	socklen_t len = sizeof(v);

	printf("%s: ", what);
	t_val("set", setsockopt(s, level, name, &v, sizeof(v)));
	v = -1;
	if (!getsockopt(s, level, name, &v, &len))
		printf("  get %d, %u bytes\n", v, len);
	else
		t_val("  get", -1);
}

static void *late_writer(void *arg)
{
	int fd = *(int *)arg;

	usleep(100000);
	write(fd, "cd", 2);
	usleep(100000);
	write(fd, "ef", 2);
	return NULL;
}

static void unix_options(void)
{
	struct linger l = { 1, 7 };
	socklen_t len = sizeof(l);
	pthread_t t;
	char b[16];
	int p[2];

	socketpair(AF_UNIX, SOCK_STREAM, 0, p);
	set_get(p[0], "unix reuseaddr", SOL_SOCKET, SO_REUSEADDR, 1);
	set_get(p[0], "unix reuseaddr", SOL_SOCKET, SO_REUSEADDR, 0);
	set_get(p[0], "unix keepalive", SOL_SOCKET, SO_KEEPALIVE, 5);
	set_get(p[0], "unix broadcast", SOL_SOCKET, SO_BROADCAST, 1);
	set_get(p[0], "unix priority", SOL_SOCKET, SO_PRIORITY, 3);
	set_get(p[0], "unix rcvbuf", SOL_SOCKET, SO_RCVBUF, 1);
	set_get(p[0], "unix sndbuf", SOL_SOCKET, SO_SNDBUF, 1);
	t_val("linger", setsockopt(p[0], SOL_SOCKET, SO_LINGER, &l, sizeof(l)));
	memset(&l, 0, sizeof(l));
	getsockopt(p[0], SOL_SOCKET, SO_LINGER, &l, &len);
	printf("linger %d %d, %u bytes\n", l.l_onoff, l.l_linger, len);
	t_val("short linger", setsockopt(p[0], SOL_SOCKET, SO_LINGER, &l, 4));
	set_get(p[1], "unix rcvlowat", SOL_SOCKET, SO_RCVLOWAT, 4);
	write(p[0], "ab", 2);
	pthread_create(&t, NULL, late_writer, &p[0]);
	t_val("does not wait", recv(p[1], b, sizeof(b), MSG_DONTWAIT));
	t_val("waits for four", recv(p[1], b, sizeof(b), 0));
	pthread_join(t, NULL);
	write(p[0], "xyz", 3);
	t_val("room for two only", recv(p[1], b, 2, 0));
	set_get(p[1], "unix rcvlowat", SOL_SOCKET, SO_RCVLOWAT, 0);
	t_val("the rest", recv(p[1], b, sizeof(b), 0));
}

static void overflow(void)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t al = sizeof(a);
	int s = socket(AF_INET, SOCK_DGRAM, 0), c = socket(AF_INET, SOCK_DGRAM, 0), small = 2304, on = 1, told = 0, n = 0;
	static char big[1000];
	char control[128];
	struct iovec iov = { big, sizeof(big) };

	setsockopt(s, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small));
	set_get(s, "rxq_ovfl", SOL_SOCKET, SO_RXQ_OVFL, on);
	bind(s, (void *)&a, sizeof(a));
	getsockname(s, (void *)&a, &al);
	for (int i = 0; i < 100; i++)
		sendto(c, big, sizeof(big), 0, (void *)&a, sizeof(a));
	while (recv(s, big, sizeof(big), MSG_DONTWAIT) >= 0)
		n++;
	printf("some were lost %d\n", n < 100);
	sendto(c, big, 10, 0, (void *)&a, sizeof(a));
	struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof(control) };
	t_val("recvmsg", recvmsg(s, &m, MSG_DONTWAIT));
	for (struct cmsghdr *h = CMSG_FIRSTHDR(&m); h; h = CMSG_NXTHDR(&m, h))
		if (h->cmsg_level == SOL_SOCKET && h->cmsg_type == SO_RXQ_OVFL)
			memcpy(&told, CMSG_DATA(h), sizeof(told));
	printf("all accounted for %d\n", told + n == 100);
}

static void inet_options(void)
{
	int s = socket(AF_INET, SOCK_STREAM, 0), u = socket(AF_INET6, SOCK_DGRAM, 0);
	unsigned long long a = 0, b = 0;
	unsigned mem[9] = { 0 };
	socklen_t len = sizeof(a);

	set_get(s, "bind_address_no_port", IPPROTO_IP, 24, 1);
	set_get(s, "sndlowat", SOL_SOCKET, SO_SNDLOWAT, 2);
	set_get(s, "level 7 of tcp", 7, 1, 1);
	set_get(s, "udp of tcp", IPPROTO_UDP, 1, 1);
	set_get(s, "ipv6 of ipv4", IPPROTO_IPV6, IPV6_UNICAST_HOPS, 1);
	set_get(u, "level 7 of udp", 7, 1, 1);
	set_get(u, "tcp of udp", IPPROTO_TCP, 1, 1);
	t_val("cookie", getsockopt(s, SOL_SOCKET, SO_COOKIE, &a, &len));
	t_val("cookie", getsockopt(u, SOL_SOCKET, SO_COOKIE, &b, &len));
	printf("two cookies %d, %u bytes\n", a && b && a != b, len);
	len = 4;
	t_val("short cookie", getsockopt(u, SOL_SOCKET, SO_COOKIE, &b, &len));
	len = sizeof(mem);
	t_val("meminfo", getsockopt(u, SOL_SOCKET, SO_MEMINFO, mem, &len));
	printf("%u bytes, buffers %d %d\n", len, mem[1] > 0, mem[3] > 0);
}

static void wrong_family(void)
{
	int r6 = socket(AF_INET6, SOCK_RAW, IPPROTO_ICMPV6), p = socket(AF_PACKET, SOCK_RAW, 0);

	if (r6 < 0 || p < 0)
		return;
	set_get(r6, "ttl of raw ipv6", IPPROTO_IP, IP_TTL, 9);
	set_get(r6, "pktinfo of raw ipv6", IPPROTO_IP, IP_PKTINFO, 1);
	set_get(p, "hops of packet", IPPROTO_IPV6, IPV6_UNICAST_HOPS, 9);
	set_get(p, "ttl of packet", IPPROTO_IP, IP_TTL, 9);
	set_get(p, "recverr of packet", IPPROTO_IP, IP_RECVERR, 1);
}

int main(void)
{
	unix_options();
	overflow();
	inet_options();
	wrong_family();
	return 0;
}
