/* SPDX-License-Identifier: MIT */
/* netlink(7): groups, sock_diag(7) of own sockets found by their inode, its attributes and errors. */
#include "t.h"
#include <arpa/inet.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <linux/sock_diag.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/stat.h>

static unsigned inode_of(int fd)
{
	struct stat st;

	fstat(fd, &st);
	return (unsigned)st.st_ino;
}

static void show(const char *what, const struct nlmsghdr *h)
{
	const struct inet_diag_msg *m = NLMSG_DATA(h);
	const struct rtattr *a = (const void *)(m + 1);
	int len = (int)(h->nlmsg_len - NLMSG_LENGTH(sizeof(*m)));

	printf("%s: family %d state %d", what, m->idiag_family, m->idiag_state);
	if (m->idiag_state != 8) /* Linux counts the FIN */
		printf(" rq %u wq %u", m->idiag_rqueue, m->idiag_wqueue);
	for (; RTA_OK(a, len); a = RTA_NEXT(a, len)) {
		if (a->rta_type == INET_DIAG_SHUTDOWN)
			printf(" shutdown %d", *(unsigned char *)RTA_DATA(a));
		if (a->rta_type == INET_DIAG_SKV6ONLY)
			printf(" v6only %d", *(unsigned char *)RTA_DATA(a));
		if (a->rta_type == INET_DIAG_SKMEMINFO)
			printf(" skmeminfo");
		if (a->rta_type == INET_DIAG_CONG)
			printf(" congestion");
		if (a->rta_type == INET_DIAG_INFO && RTA_PAYLOAD(a) >= 200) {
			const struct tcp_info *t = RTA_DATA(a);

			printf(" info state %d", t->tcpi_state);
			if (m->idiag_state != 8)
				printf(" received %llu", (unsigned long long)t->tcpi_bytes_received);
		}
	}
	printf("\n");
}

/* One dump; what has one of the inodes is shown. */
static void dump(const char *what, int proto, int family, unsigned states, int n, const int *fds)
{
	static char buf[65536];
	struct {
		struct nlmsghdr h;
		struct inet_diag_req_v2 q;
	} r = { .h = { .nlmsg_len = sizeof(r), .nlmsg_type = SOCK_DIAG_BY_FAMILY, .nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP, .nlmsg_seq = 7 },
		.q = { .sdiag_family = family, .sdiag_protocol = proto, .idiag_states = states,
		       .idiag_ext = 1 << (INET_DIAG_INFO - 1) | 1 << (INET_DIAG_CONG - 1) | 1 << (INET_DIAG_SKMEMINFO - 1) } };
	int nl = socket(AF_NETLINK, SOCK_RAW, NETLINK_SOCK_DIAG), found[8] = { 0 }, done = 0;

	printf("-- %s: sent %d\n", what, send(nl, &r, sizeof(r), 0) == sizeof(r));
	while (!done) {
		int len = (int)recv(nl, buf, sizeof(buf), 0);

		if (len <= 0)
			break;
		for (struct nlmsghdr *h = (void *)buf; NLMSG_OK(h, (unsigned)len); h = NLMSG_NEXT(h, len)) {
			if (h->nlmsg_type == NLMSG_ERROR)
				printf("error %d\n", ((struct nlmsgerr *)NLMSG_DATA(h))->error);
			done |= h->nlmsg_type == NLMSG_DONE || h->nlmsg_type == NLMSG_ERROR;
			for (int i = 0; h->nlmsg_type == SOCK_DIAG_BY_FAMILY && i < n; i++)
				if (((struct inet_diag_msg *)NLMSG_DATA(h))->idiag_inode == inode_of(fds[i]) && !found[i]++) {
					char name[8] = { 'f', 'd', (char)('0' + i), 0 };

					show(name, h);
				}
		}
	}
	for (int i = 0; i < n; i++)
		printf("%d", found[i]);
	printf(" found\n");
	close(nl);
}

static void diag(void)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	struct sockaddr_in6 a6 = { .sin6_family = AF_INET6 };
	socklen_t al = sizeof(a);
	int l = socket(AF_INET, SOCK_STREAM, 0), c = socket(AF_INET, SOCK_STREAM, 0), u6 = socket(AF_INET6, SOCK_DGRAM, 0), s;

	bind(l, (void *)&a, sizeof(a));
	listen(l, 5);
	getsockname(l, (void *)&a, &al);
	connect(c, (void *)&a, sizeof(a));
	bind(u6, (void *)&a6, sizeof(a6));
	dump("one not accepted", IPPROTO_TCP, AF_INET, 1 << 10, 1, (int[]){ l });
	s = accept(l, NULL, NULL);
	send(c, "hello", 5, 0);
	usleep(50000);
	dump("listeners", IPPROTO_TCP, AF_INET, 1 << 10, 1, (int[]){ l });
	dump("established", IPPROTO_TCP, AF_INET, 1 << 1, 1, (int[]){ s });
	dump("not these states", IPPROTO_TCP, AF_INET, 1 << 8, 3, (int[]){ l, s, c });
	dump("the other family", IPPROTO_TCP, AF_INET6, ~0u, 3, (int[]){ l, s, c });
	dump("udp", IPPROTO_UDP, AF_INET6, ~0u, 1, (int[]){ u6 });
	shutdown(c, SHUT_WR);
	usleep(50000);
	dump("half closed", IPPROTO_TCP, AF_INET, ~0u, 1, (int[]){ s });
	dump("no such family", IPPROTO_TCP, 99, ~0u, 0, NULL);
}

static void member(int nl, int option, int group)
{
	printf("option %d group %d: %s\n", option, group, setsockopt(nl, SOL_NETLINK, option, &group, sizeof(group)) ? strerror(errno) : "ok");
}

static void groups(void)
{
	int nl = socket(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE);
	struct sockaddr_nl a = { .nl_family = AF_NETLINK, .nl_groups = RTMGRP_LINK | RTMGRP_IPV4_IFADDR }, got;
	socklen_t al = sizeof(got);
	char c;

	printf("bind %d\n", bind(nl, (void *)&a, sizeof(a)));
	member(nl, NETLINK_ADD_MEMBERSHIP, RTNLGRP_IPV6_ROUTE);
	member(nl, NETLINK_DROP_MEMBERSHIP, RTNLGRP_LINK);
	member(nl, NETLINK_ADD_MEMBERSHIP, 0);
	member(nl, NETLINK_ADD_MEMBERSHIP, 10000);
	member(nl, 999, 1);
	getsockname(nl, (void *)&got, &al);
	printf("groups %x\n", got.nl_groups);
	printf("quiet: %s\n", recv(nl, &c, 1, MSG_DONTWAIT) < 0 ? strerror(errno) : "data");
	a.nl_groups = 0;
	printf("bind %d\n", bind(nl, (void *)&a, sizeof(a)));
	getsockname(nl, (void *)&got, &al);
	printf("groups %x\n", got.nl_groups);
	close(nl);
}

int main(void)
{
	groups();
	diag();
	return 0;
}
