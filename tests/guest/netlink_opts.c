/* SPDX-License-Identifier: MIT */
/* netlink(7): what the options of SOL_NETLINK do: they are told again, NETLINK_CAP_ACK shortens errors, NETLINK_PKTINFO names the group,
 * NETLINK_GET_STRICT_CHK has the headers of dumps looked at and filters by interface; requests for one link or route by attributes in any
 * order. On the loopback interface. */
#include "t.h"
#include <arpa/inet.h>
#include <linux/if_addr.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sys/socket.h>

static union {
	struct nlmsghdr h;
	char b[32768];
} in;
static struct {
	struct nlmsghdr h;
	char b[256];
} out;

static void start(int type, int flags, const void *hdr, unsigned len)
{
	memset(&out, 0, sizeof(out));
	out.h = (struct nlmsghdr){ .nlmsg_len = NLMSG_LENGTH(len), .nlmsg_type = type, .nlmsg_flags = NLM_F_REQUEST | flags, .nlmsg_seq = 5 };
	memcpy(out.b, hdr, len);
}

static void attr(int type, const void *p, unsigned len)
{
	struct rtattr a = { .rta_len = RTA_LENGTH(len), .rta_type = type };

	memcpy((char *)&out + NLMSG_ALIGN(out.h.nlmsg_len), &a, sizeof(a));
	memcpy((char *)&out + NLMSG_ALIGN(out.h.nlmsg_len) + sizeof(a), p, len);
	out.h.nlmsg_len = NLMSG_ALIGN(out.h.nlmsg_len) + RTA_SPACE(len);
}

/* Sends what is in out; shows errors, and how many messages of what type with which interface came. */
static void ask(int s, const char *what)
{
	int n = 0, index = 0, done = 0, filtered = 0;

	printf("%s:", what);
	if (send(s, &out, out.h.nlmsg_len, 0) != (ssize_t)out.h.nlmsg_len) {
		printf(" send: %s\n", strerror(errno));
		return;
	}
	while (!done) {
		int len = (int)recv(s, &in, sizeof(in), 0);

		if (len <= 0)
			break;
		for (struct nlmsghdr *h = &in.h; NLMSG_OK(h, (unsigned)len); h = NLMSG_NEXT(h, len)) {
			if (h->nlmsg_type == NLMSG_ERROR) {
				struct nlmsgerr *e = NLMSG_DATA(h);

				printf(" error %d, length %u, flags %x, of type %u length %u", e->error, h->nlmsg_len, h->nlmsg_flags & NLM_F_CAPPED,
				       e->msg.nlmsg_type, e->msg.nlmsg_len);
			}
			if (h->nlmsg_type < NLMSG_MIN_TYPE) {
				if (h->nlmsg_type == NLMSG_DONE && *(int *)NLMSG_DATA(h))
					printf(" ended with %d", *(int *)NLMSG_DATA(h));
				done = 1;
				continue;
			}
			n++;
			filtered |= h->nlmsg_flags & NLM_F_DUMP_FILTERED;
			index |= h->nlmsg_type == RTM_NEWADDR ? (int)((struct ifaddrmsg *)NLMSG_DATA(h))->ifa_index :
				 h->nlmsg_type == RTM_NEWLINK ? ((struct ifinfomsg *)NLMSG_DATA(h))->ifi_index : 0;
			done |= !(h->nlmsg_flags & NLM_F_MULTI);
		}
	}
	printf(" %s", n ? "some" : "none");
	if (index == 1 && (filtered || n == 1))
		printf(" of lo only");
	printf("%s\n", filtered ? ", filtered" : "");
}

static void options(void)
{
	static const int names[] = { NETLINK_PKTINFO, NETLINK_BROADCAST_ERROR, NETLINK_NO_ENOBUFS, NETLINK_CAP_ACK, NETLINK_EXT_ACK,
				     NETLINK_GET_STRICT_CHK };
	int s = socket(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE), v;
	socklen_t len;

	for (unsigned i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		len = sizeof(v);
		v = 7;
		R(getsockopt(s, SOL_NETLINK, names[i], &v, &len));
		printf("option %d: %d, %u bytes\n", names[i], v, len);
		R(setsockopt(s, SOL_NETLINK, names[i], &(int){ 5 }, sizeof(int)));
		len = 8;
		R(getsockopt(s, SOL_NETLINK, names[i], &v, &len));
		printf("option %d: %d, %u bytes\n", names[i], v, len);
		len = 2;
		R(getsockopt(s, SOL_NETLINK, names[i], &v, &len));
		R(setsockopt(s, SOL_NETLINK, names[i], &(int){ 0 }, 2));
	}
	R(setsockopt(s, SOL_NETLINK, 99, &(int){ 1 }, sizeof(int)));
	len = sizeof(v);
	R(getsockopt(s, SOL_NETLINK, 99, &v, &len));
	close(s);
}

static void acks(void)
{
	struct ifinfomsg m = { .ifi_index = 987654 };
	int s = socket(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE);

	start(RTM_GETLINK, NLM_F_ACK, &m, sizeof(m));
	ask(s, "no such link");
	R(setsockopt(s, SOL_NETLINK, NETLINK_CAP_ACK, &(int){ 1 }, sizeof(int)));
	ask(s, "no such link, capped");
	start(RTM_GETLINK, 0, &(struct ifinfomsg){ 0 }, sizeof(m));
	ask(s, "neither index nor name");
	attr(IFLA_EXT_MASK, &(int){ 1 }, 4);
	attr(IFLA_IFNAME, "lo", 3);
	ask(s, "by name, second attribute");
	close(s);
}

static void strict(void)
{
	int s = socket(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE);
	struct ifaddrmsg a = { .ifa_index = 1 };
	struct rtmsg r = { .rtm_family = AF_INET, .rtm_dst_len = 8 };
	struct ifinfomsg l = { .ifi_index = 1 };
	struct ndmsg d = { .ndm_ifindex = 1 };

	for (int on = 0; on < 2; on++) {
		printf("-- strict %d\n", on);
		R(setsockopt(s, SOL_NETLINK, NETLINK_GET_STRICT_CHK, &on, sizeof(on)));
		start(RTM_GETADDR, NLM_F_DUMP, &a, sizeof(a));
		if (on)
			ask(s, "addresses of lo");
		a.ifa_prefixlen = 8;
		start(RTM_GETADDR, NLM_F_DUMP, &a, sizeof(a));
		ask(s, "addresses, a prefix length");
		a.ifa_prefixlen = 0;
		a.ifa_index = 987654;
		start(RTM_GETADDR, NLM_F_DUMP, &a, sizeof(a));
		ask(s, "addresses of no interface");
		a.ifa_index = 1;
		start(RTM_GETADDR, NLM_F_DUMP, &a, 1);
		ask(s, "addresses, short");
		start(RTM_GETLINK, NLM_F_DUMP, &l, sizeof(l));
		if (on)
			ask(s, "links, an index");
		if (on) {
			start(RTM_GETROUTE, NLM_F_DUMP, &r, sizeof(r));
			ask(s, "routes, a destination length");
			start(RTM_GETNEIGH, NLM_F_DUMP, &d, sizeof(d));
			ask(s, "neighbours, an index");
		}
	}
	close(s);
}

static void pktinfo(void)
{
	struct rtgenmsg g = { .rtgen_family = AF_INET };
	int s = socket(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE);
	char control[128];
	struct iovec v = { &in, sizeof(in) };
	struct msghdr m = { .msg_iov = &v, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof(control) };

	R(setsockopt(s, SOL_NETLINK, NETLINK_PKTINFO, &(int){ 1 }, sizeof(int)));
	start(RTM_GETADDR, NLM_F_DUMP, &g, sizeof(g));
	R(send(s, &out, out.h.nlmsg_len, 0) > 0);
	printf("received some: %d\n", recvmsg(s, &m, 0) > 0);
	for (struct cmsghdr *c = CMSG_FIRSTHDR(&m); c; c = CMSG_NXTHDR(&m, c))
		printf("level %d type %d length %zu group %u\n", c->cmsg_level, c->cmsg_type, c->cmsg_len, *(unsigned *)CMSG_DATA(c));
	m.msg_controllen = 8;
	R(send(s, &out, out.h.nlmsg_len, 0) > 0);
	printf("received some: %d\n", recvmsg(s, &m, 0) > 0);
	printf("truncated: %d\n", (m.msg_flags & MSG_CTRUNC) != 0);
	close(s);
}

int main(void)
{
	options();
	acks();
	strict();
	pktinfo();
	return 0;
}
