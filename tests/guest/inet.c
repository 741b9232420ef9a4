/* SPDX-License-Identifier: MIT */
/* TCP and UDP over the loopback interface. */
#include "t.h"
#include <arpa/inet.h>
#include <ifaddrs.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <net/if.h>
#include <poll.h>
#include <pthread.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/uio.h>

static struct sockaddr_in lo(int port)
{
	return (struct sockaddr_in){ .sin_family = AF_INET, .sin_port = htons((uint16_t)port),
				     .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
}

static int listener(struct sockaddr_in *a, int backlog)
{
	int s = socket(AF_INET, SOCK_STREAM, 0), one = 1;
	socklen_t l = sizeof(*a);

	*a = lo(0);
	setsockopt(s, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	bind(s, (void *)a, sizeof(*a));
	listen(s, backlog);
	getsockname(s, (void *)a, &l);
	return s;
}

static int sopt(int fd, int level, int name)
{
	int v = -77;
	socklen_t l = sizeof(v);

	if (getsockopt(fd, level, name, &v, &l) == -1)
		return -errno;
	return v;
}

static char sunk[100]; /* said after the join: the sender speaks meanwhile */
static void *sink(void *arg)
{
	static char b[65536];
	unsigned sum = 0;
	long total = 0;
	ssize_t n;

	while ((n = read(*(int *)arg, b, sizeof(b))) > 0) {
		for (ssize_t i = 0; i < n; i++)
			sum = sum * 31 + (unsigned char)b[i];
		total += n;
	}
	snprintf(sunk, sizeof(sunk), "sink %ld bytes sum %u end %zd", total, sum, n);
	return NULL;
}

static void tcp_basic(void)
{
	struct sockaddr_in a, p;
	socklen_t l = sizeof(p);
	int s = listener(&a, 10), c = socket(AF_INET, SOCK_STREAM, 0), d, n;
	static char big[3000000];
	char b[100];
	pthread_t t;
	struct tcp_info ti;
	struct pollfd pf;

	R(connect(c, (void *)&a, sizeof(a)));
	R(connect(c, (void *)&a, sizeof(a)));
	d = accept(s, (void *)&p, &l);
	t_say("peer family %d len %d addr %s", p.sin_family, (int)l, inet_ntoa(p.sin_addr));
	l = sizeof(p);
	R(getpeername(c, (void *)&p, &l));
	Y(p.sin_port == a.sin_port);
	R(send(c, "hello", 5, 0));
	pf = (struct pollfd){ d, POLLIN, 0 };
	R(poll(&pf, 1, 2000));
	R(ioctl(d, FIONREAD, &n));
	R(n);
	R(recv(d, b, 3, MSG_PEEK));
	R(recv(d, b, 100, 0));
	R(recv(d, b, 100, MSG_DONTWAIT));
	R(sopt(c, SOL_SOCKET, SO_TYPE));
	R(sopt(c, SOL_SOCKET, SO_ERROR));
	R(sopt(s, SOL_SOCKET, SO_ACCEPTCONN));
	R(sopt(c, SOL_SOCKET, SO_ACCEPTCONN));
	R(sopt(c, SOL_SOCKET, SO_DOMAIN));
	R(sopt(c, SOL_SOCKET, SO_PROTOCOL));
	R(sopt(c, IPPROTO_TCP, TCP_NODELAY));
	n = 1;
	R(setsockopt(c, IPPROTO_TCP, TCP_NODELAY, &n, sizeof(n)));
	R(setsockopt(c, IPPROTO_TCP, TCP_NODELAY, &n, 1));
	R(setsockopt(c, IPPROTO_TCP, 9999, &n, sizeof(n)));
	R(setsockopt(c, SOL_SOCKET, 9999, &n, sizeof(n)));
	R(sopt(c, IPPROTO_TCP, TCP_NODELAY));
	R(setsockopt(c, SOL_SOCKET, SO_KEEPALIVE, &n, sizeof(n)));
	R(sopt(c, SOL_SOCKET, SO_KEEPALIVE));
	l = sizeof(ti);
	R(getsockopt(c, IPPROTO_TCP, TCP_INFO, &ti, &l));
	t_say("state %d", ti.tcpi_state);
	for (size_t i = 0; i < sizeof(big); i++)
		big[i] = (char)(i * 7 + i / 1000);
	pthread_create(&t, NULL, sink, &d);
	R(write(c, big, sizeof(big)));
	R(shutdown(c, SHUT_WR));
	pthread_join(t, NULL);
	t_say("%s", sunk);
	R(write(d, "back", 4));
	R(read(c, b, 100));
	signal(SIGPIPE, SIG_IGN);
	R(write(c, "x", 1));
	close(d);
	R(read(c, b, 100));
	close(c);
	R(shutdown(s, 99));
	close(s);
}

static void tcp_errors(void)
{
	struct sockaddr_in a, b;
	struct linger lg = { 1, 0 };
	int s = listener(&a, 10), c, d, e;
	char buf[10];
	struct pollfd pf;

	c = socket(AF_INET, SOCK_STREAM, 0);
	R(read(c, buf, 1));
	R(send(c, "x", 1, MSG_NOSIGNAL));
	R(shutdown(c, SHUT_WR));
	R(getpeername(c, (void *)&b, &(socklen_t){ sizeof(b) }));
	R(accept(c, NULL, NULL));
	connect(c, (void *)&a, sizeof(a));
	d = accept(s, NULL, NULL);
	setsockopt(d, SOL_SOCKET, SO_LINGER, &lg, sizeof(lg));
	close(d);
	pf = (struct pollfd){ c, POLLIN, 0 };
	poll(&pf, 1, 1000);
	t_say("after rst %x", pf.revents);
	R(read(c, buf, 1));
	R(read(c, buf, 1));
	R(send(c, "x", 1, MSG_NOSIGNAL));
	close(c);
	close(s);
	c = socket(AF_INET, SOCK_STREAM, 0);
	R(connect(c, (void *)&a, sizeof(a)));
	close(c);
	c = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
	if (connect(c, (void *)&a, sizeof(a)) == -1 && errno == EINPROGRESS) {
		pf = (struct pollfd){ c, POLLOUT, 0 };
		poll(&pf, 1, 1000);
		t_say("refused %x", pf.revents);
	}
	R(sopt(c, SOL_SOCKET, SO_ERROR) != 0 || 1);
	R(sopt(c, SOL_SOCKET, SO_ERROR));
	close(c);
	s = listener(&a, 10);
	c = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
	R(connect(c, (void *)&a, sizeof(a)));
	pf = (struct pollfd){ c, POLLOUT, 0 };
	R(poll(&pf, 1, 2000));
	t_say("%x err %d", pf.revents, sopt(c, SOL_SOCKET, SO_ERROR));
	e = socket(AF_INET, SOCK_STREAM, 0);
	R(bind(e, (void *)&a, sizeof(a)));
	R(listen(e, 5));
	b = lo(0);
	b.sin_addr.s_addr = htonl(0x08080808);
	R(bind(e, (void *)&b, sizeof(b)));
	R(bind(e, (void *)&a, 3));
	b.sin_family = 77;
	R(bind(e, (void *)&b, sizeof(b)));
	R(connect(e, (void *)&b, sizeof(b)));
	R(accept4(s, NULL, NULL, 0x1));
	d = accept4(s, NULL, NULL, SOCK_CLOEXEC);
	Y(fcntl(d, F_GETFD) == FD_CLOEXEC);
	Y(!(fcntl(d, F_GETFL) & O_NONBLOCK));
	fcntl(s, F_SETFL, O_NONBLOCK);
	R(accept(s, NULL, NULL));
	setsockopt(d, SOL_SOCKET, SO_RCVTIMEO, &(struct timeval){ 0, 30000 }, sizeof(struct timeval));
	R(read(d, buf, 1));
	R(socket(AF_INET, SOCK_STREAM, IPPROTO_UDP));
	R(socket(AF_INET, 99, 0));
	R(connect(1, (void *)&a, sizeof(a)));
}

static void reuseport(void)
{
	struct sockaddr_in a = lo(0);
	int s1 = socket(AF_INET, SOCK_STREAM, 0), s2 = socket(AF_INET, SOCK_STREAM, 0), one = 1, got = 0;

	setsockopt(s1, SOL_SOCKET, SO_REUSEPORT, &one, sizeof(one));
	R(bind(s1, (void *)&a, sizeof(a)));
	getsockname(s1, (void *)&a, &(socklen_t){ sizeof(a) });
	R(bind(s2, (void *)&a, sizeof(a)));
	setsockopt(s2, SOL_SOCKET, SO_REUSEPORT, &one, sizeof(one));
	R(bind(s2, (void *)&a, sizeof(a)));
	R(listen(s1, 50));
	R(listen(s2, 50));
	for (int i = 0; i < 40; i++)
		connect(socket(AF_INET, SOCK_STREAM, 0), (void *)&a, sizeof(a));
	fcntl(s1, F_SETFL, O_NONBLOCK);
	fcntl(s2, F_SETFL, O_NONBLOCK);
	t_sleep_ms(20);
	for (int k = 0; k < 2; k++)
		while (accept(k ? s2 : s1, NULL, NULL) >= 0)
			got++;
	t_say("both listeners together accepted %d", got);
}

static void udp(void)
{
	struct sockaddr_in a = lo(0), f;
	socklen_t l = sizeof(f);
	int s = socket(AF_INET, SOCK_DGRAM, 0), c = socket(AF_INET, SOCK_DGRAM, 0);
	char b[20], big[70000] = "";
	struct iovec v[2] = { { "ab", 2 }, { "cde", 3 } };
	struct iovec rv[2] = { { b, 5 }, { b + 10, 5 } };
	struct mmsghdr mm[2] = { { .msg_hdr = { .msg_iov = v, .msg_iovlen = 2 } },
				 { .msg_hdr = { .msg_iov = v, .msg_iovlen = 1 } } };
	struct pollfd pf;

	bind(s, (void *)&a, sizeof(a));
	getsockname(s, (void *)&a, &l);
	R(sendto(c, "hello", 5, 0, (void *)&a, sizeof(a)));
	R(recvfrom(s, b, 3, MSG_TRUNC, (void *)&f, &l));
	t_say("from %s", inet_ntoa(f.sin_addr));
	R(send(c, "x", 1, 0));
	R(connect(c, (void *)&a, sizeof(a)));
	R(send(c, "", 0, 0));
	R(recv(s, b, 20, 0));
	R(sendmmsg(c, mm, 2, 0));
	R(mm[0].msg_len);
	mm[0].msg_hdr.msg_iov = rv;
	mm[0].msg_hdr.msg_iovlen = 1;
	mm[1].msg_hdr.msg_iov = rv + 1;
	R(recvmmsg(s, mm, 2, 0, NULL));
	t_say("%u %u", mm[0].msg_len, mm[1].msg_len);
	R(send(c, big, 65508, 0));
	R(send(c, big, 60000, 0));
	R(recv(s, big, 70000, 0));
	close(s);
	R(send(c, "x", 1, 0));
	pf = (struct pollfd){ c, POLLIN, 0 };
	R(poll(&pf, 1, 1000));
	t_say("%x", pf.revents);
	R(recv(c, b, 1, MSG_DONTWAIT));
	R(recv(c, b, 1, MSG_DONTWAIT));
	f.sin_family = AF_UNSPEC;
	R(connect(c, (void *)&f, sizeof(f)));
	R(send(c, "x", 1, 0));
}

static void interfaces(void)
{
	struct ifaddrs *ifa = NULL;
	struct ifreq ifr = { .ifr_name = "lo" };
	int s = socket(AF_INET, SOCK_DGRAM, 0), n = 0;

	R(getifaddrs(&ifa));
	for (struct ifaddrs *i = ifa; i; i = i->ifa_next)
		if (!strcmp(i->ifa_name, "lo") && i->ifa_addr && i->ifa_addr->sa_family == AF_INET)
			n++;
	t_say("lo with IPv4: %d", n);
	R(ioctl(s, SIOCGIFADDR, &ifr));
	t_say("%s", inet_ntoa(((struct sockaddr_in *)&ifr.ifr_addr)->sin_addr));
	R(ioctl(s, SIOCGIFFLAGS, &ifr));
	Y(ifr.ifr_flags & IFF_UP);
	Y(ifr.ifr_flags & IFF_LOOPBACK);
	R(if_nametoindex("lo"));
	R(if_nametoindex("nothere"));
}

int main(void)
{
	tcp_basic();
	tcp_errors();
	reuseport();
	udp();
	interfaces();
	return 0;
}
