/* SPDX-License-Identifier: MIT */
/* What the network shows of itself in /proc/net and /sys/class/net. In entry/, as only here net/ and proc/ are both below. */
#include "net/net.h"
#include "userlib/base/string.h"
#include "userlib/entry/entry.h"
#include "userlib/file/socket.h"
#include "userlib/proc/pseudo.h"

#define PROTO_TCP 6
#define PROTO_UDP 17
#define PROTO_UDPLITE 136
#define FAMILY_INET 2
#define FAMILY_INET6 10
#define TCP_STATE_LISTEN 10

/* Text into a caller's buffer; len is what it would be with room for all. */
struct out {
	char *buf;
	size_t size, len;
};

static void put(struct out *o, const char *f, ...) printf_like(2, 3);
static void put(struct out *o, const char *f, ...)
{
	bool room = o->len < o->size;
	va_list ap;
	int n;

	va_start(ap, f);
	n = fmt_v(room ? o->buf + o->len : NULL, room ? o->size - o->len : 0, f, ap);
	va_end(ap);
	o->len += n > 0 ? (size_t)n : 0;
}

/* A line of fixed width, padded with blanks, as Linux pads socket lines. */
static void end_line(struct out *o, size_t start, size_t width)
{
	while (o->len < start + width)
		put(o, " ");
	put(o, "\n");
}

static int show_dev(char *buf, size_t size)
{
	struct out o = { buf, size, 0 };
	struct net_ifinfo ii;

	put(&o, "Inter-|   Receive                                                |  Transmit\n"
		" face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo colls carrier compressed\n");
	for (int i = 1; !net_ifinfo(i, &ii); i++)
		put(&o, "%6s: %7lu %7lu %4lu %4lu %4lu %5lu %10lu %9lu %8lu %7lu %4lu %4lu %4lu %5lu %7lu %10lu\n", ii.name, ii.rx_bytes,
		    ii.rx_packets, 0ul, ii.rx_dropped, 0ul, 0ul, 0ul, 0ul, ii.tx_bytes, ii.tx_packets, 0ul, ii.tx_dropped, 0ul, 0ul, 0ul, 0ul);
	return (int)o.len;
}

/* Hexadecimal digits, word by word in host order, as Linux prints addresses. */
static void put_addr(struct out *o, int family, struct ip_addr ip, u16 port)
{
	if (family == FAMILY_INET6)
		put(o, "%08X%08X%08X", ip.w[0], ip.w[1], ip.w[2]);
	put(o, "%08X:%04X", ip.w[3], port);
}

static int show_sockets(char *buf, size_t size, int protocol, int family)
{
	struct out o = { buf, size, 0 };
	bool tcp = protocol == PROTO_TCP;
	struct net_sockinfo si;
	size_t start = 0;
	unsigned line = 0;

	if (family == FAMILY_INET6)
		put(&o, "  sl  local_address                         remote_address                        st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode%s",
		    tcp ? "" : " ref pointer drops");
	else
		put(&o, "%s", tcp ? "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode" :
				   "   sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode ref pointer drops");
	if (family == FAMILY_INET)
		end_line(&o, start, tcp ? 149 : 127);
	else
		put(&o, "\n");
	for (unsigned n = 0; !net_sockinfo(n, protocol, &si); n++) {
		if (si.family != family)
			continue;
		start = o.len;
		put(&o, tcp ? "%4u: " : "%5u: ", line++);
		put_addr(&o, family, si.lip, si.lport);
		put(&o, " ");
		put_addr(&o, family, si.rip, si.rport);
		put(&o, " %02X %08X:%08X 00:00000000 00000000 %5u        0 %lu %d %016lx", (unsigned)si.state, si.state == TCP_STATE_LISTEN ? 0 : si.tx_queue, si.rx_queue, si.uid,
		    si.inode, tcp ? 1 : 2, 0ul);
		put(&o, "%s", !tcp ? " 0" : si.state == TCP_STATE_LISTEN ? " 100 0 0 10 0" : " 20 4 0 10 -1");
		end_line(&o, start, family == FAMILY_INET6 ? 0 : tcp ? 149 : 127);
	}
	return (int)o.len;
}

static int show_tcp(char *buf, size_t size)
{
	return show_sockets(buf, size, PROTO_TCP, FAMILY_INET);
}
static int show_tcp6(char *buf, size_t size)
{
	return show_sockets(buf, size, PROTO_TCP, FAMILY_INET6);
}
static int show_udp(char *buf, size_t size)
{
	return show_sockets(buf, size, PROTO_UDP, FAMILY_INET);
}
static int show_udp6(char *buf, size_t size)
{
	return show_sockets(buf, size, PROTO_UDP, FAMILY_INET6);
}

static int show_udplite(char *buf, size_t size)
{
	return show_sockets(buf, size, PROTO_UDPLITE, FAMILY_INET);
}
static int show_udplite6(char *buf, size_t size)
{
	return show_sockets(buf, size, PROTO_UDPLITE, FAMILY_INET6);
}

static u32 prefix_mask(u32 len)
{
	return len ? __builtin_bswap32(~0u << (32 - len)) : 0;
}

static int show_route(char *buf, size_t size)
{
	struct out o = { buf, size, 0 };
	struct net_routeinfo ri;
	struct net_ifinfo ii;
	size_t start = o.len;

	put(&o, "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT");
	end_line(&o, start, 127);
	for (unsigned n = 0; !net_routeinfo(n, &ri); n++) {
		if (ri.v6 || net_ifinfo(ri.ifindex, &ii) || ii.flags & 8u /* IFF_LOOPBACK: in the local table */)
			continue;
		start = o.len;
		put(&o, "%s\t%08X\t%08X\t%04X\t0\t0\t0\t%08X\t0\t0\t0", ii.name, ip4_of(ri.dst), ip4_of(ri.gateway),
		    1u | (ip4_of(ri.gateway) ? 2u : 0) | (ri.prefix_len == 32 ? 4u : 0), prefix_mask(ri.prefix_len));
		end_line(&o, start, 127);
	}
	return (int)o.len;
}

static int show_arp(char *buf, size_t size)
{
	struct out o = { buf, size, 0 };
	struct net_neighinfo ni;
	struct net_ifinfo ii;

	put(&o, "IP address       HW type     Flags       HW address            Mask     Device\n");
	for (unsigned n = 0; !net_neighinfo(n, &ni); n++) {
		const u8 *a = ni.ip.b + 12;
		char ip[16];

		if (!ip_is4(ni.ip))
			continue;
		fmt(ip, sizeof(ip), "%u.%u.%u.%u", a[0], a[1], a[2], a[3]);
		put(&o, "%-16s 0x1         0x%x         %02x:%02x:%02x:%02x:%02x:%02x     *        %s\n", ip,
		    ni.nud_state & 0xde /* NUD_VALID */ ? 2 : 0, ni.mac[0], ni.mac[1], ni.mac[2], ni.mac[3], ni.mac[4], ni.mac[5],
		    net_ifinfo(ni.ifindex, &ii) ? "?" : ii.name);
	}
	return (int)o.len;
}

/* One pair of lines of names and values: a group of counters. Names without a counter here are 0. */
static u64 counter(const char *group, const char *name)
{
	size_t len = strlen(group);

	for (int n = 0; n < NET_COUNTER_COUNT; n++) {
		const char *have = net_counter_name((enum net_counter)n);

		if (!strncmp(have, group, len) && !strcmp(have + len, name))
			return net_counter((enum net_counter)n);
	}
	return 0;
}

static void put_group(struct out *o, const char *title, const char *group, const char *const *names, size_t nr)
{
	put(o, "%s:", title);
	for (size_t i = 0; i < nr; i++)
		put(o, " %s", names[i]);
	put(o, "\n%s:", title);
	for (size_t i = 0; i < nr; i++)
		put(o, " %lu", counter(group, names[i]));
	put(o, "\n");
}

static u64 established(void)
{
	struct net_sockinfo si;
	u64 sum = 0;

	for (unsigned n = 0; !net_sockinfo(n, PROTO_TCP, &si); n++)
		sum += si.state == 1;
	return sum;
}

static int show_snmp(char *buf, size_t size)
{
	static const char *const ip[] = { "InReceives", "InHdrErrors", "InDelivers", "OutRequests", "ReasmOKs", "ReasmFails", "FragCreates" };
	static const char *const icmp[] = { "InMsgs", "OutMsgs", "InEchos", "OutEchoReps", "OutDestUnreachs" };
	static const char *const udp[] = { "InDatagrams", "NoPorts", "InErrors", "OutDatagrams", "RcvbufErrors", "SndbufErrors", "InCsumErrors" };
	struct out o = { buf, size, 0 };

	put_group(&o, "Ip", "Ip", ip, ARRAY_SIZE(ip));
	put_group(&o, "Icmp", "Icmp", icmp, ARRAY_SIZE(icmp));
	put(&o, "Tcp: RtoAlgorithm RtoMin RtoMax MaxConn ActiveOpens PassiveOpens AttemptFails EstabResets CurrEstab InSegs OutSegs "
		"RetransSegs InErrs OutRsts InCsumErrors\n");
	put(&o, "Tcp: 1 200 120000 -1 %lu %lu %lu %lu %lu %lu %lu %lu %lu %lu %lu\n", net_counter(NET_TcpActiveOpens),
	    net_counter(NET_TcpPassiveOpens), net_counter(NET_TcpAttemptFails), net_counter(NET_TcpEstabResets), established(),
	    net_counter(NET_TcpInSegs), net_counter(NET_TcpOutSegs), net_counter(NET_TcpRetransSegs), net_counter(NET_TcpInErrs),
	    net_counter(NET_TcpOutRsts), net_counter(NET_TcpInCsumErrors));
	put_group(&o, "Udp", "Udp", udp, ARRAY_SIZE(udp));
	put_group(&o, "UdpLite", "UdpLite", udp, ARRAY_SIZE(udp));
	return (int)o.len;
}

/* A counter a line, under Linux's names. */
static int show_snmp6(char *buf, size_t size)
{
	static const struct { const char *group, *name; } rows[] = {
		{ "Ip6", "InReceives" }, { "Ip6", "InHdrErrors" }, { "Ip6", "InDelivers" }, { "Ip6", "OutRequests" }, { "Ip6", "FragCreates" },
		{ "Icmp6", "InMsgs" }, { "Icmp6", "InErrors" }, { "Icmp6", "OutMsgs" }, { "Icmp6", "InEchos" }, { "Icmp6", "OutEchoReplies" },
		{ "Icmp6", "OutDestUnreachs" }, { "Udp6", "InDatagrams" }, { "Udp6", "NoPorts" }, { "Udp6", "InErrors" },
		{ "Udp6", "OutDatagrams" }, { "Udp6", "RcvbufErrors" }, { "Udp6", "InCsumErrors" }, { "UdpLite6", "InDatagrams" },
		{ "UdpLite6", "NoPorts" }, { "UdpLite6", "InErrors" }, { "UdpLite6", "OutDatagrams" }, { "UdpLite6", "RcvbufErrors" },
		{ "UdpLite6", "InCsumErrors" },
	};
	struct out o = { buf, size, 0 };
	char name[40];

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		fmt(name, sizeof(name), "%s%s", rows[i].group, rows[i].name);
		put(&o, "%-32s\t%lu\n", name, counter(rows[i].group, rows[i].name));
	}
	return (int)o.len;
}

static void put_hex(struct out *o, struct ip_addr a)
{
	for (int i = 0; i < 16; i++)
		put(o, "%02x", a.b[i]);
}

static int show_ipv6_route(char *buf, size_t size)
{
	struct out o = { buf, size, 0 };
	struct net_routeinfo ri;
	struct net_ifinfo ii;

	for (unsigned n = 0; !net_routeinfo(n, &ri); n++) {
		if (!ri.v6 || net_ifinfo(ri.ifindex, &ii))
			continue;
		put_hex(&o, ri.dst);
		put(&o, " %02x 00000000000000000000000000000000 00 ", ri.prefix_len);
		put_hex(&o, ri.gateway);
		put(&o, " 00000100 00000001 00000000 %08x %8s\n", 1u | (ip_is_any(ri.gateway) ? 0 : 2u), ii.name);
	}
	return (int)o.len;
}

static int show_netstat(char *buf, size_t size)
{
	static const char *const tcp[] = { "TCPTimeouts",	 "TCPLossProbes", "TCPFastRetrans",  "TCPSackRecovery", "TCPRenoRecovery",
					   "TCPOFOQueue", "TCPChallengeACK", "TCPKeepAlive", "DelayedACKs",	"TCPDelivered" };
	struct out o = { buf, size, 0 };

	put_group(&o, "TcpExt", "", tcp, ARRAY_SIZE(tcp));
	return (int)o.len;
}

static unsigned count_sockets(int protocol, int family)
{
	struct net_sockinfo si;
	unsigned sum = 0;

	for (unsigned n = 0; !net_sockinfo(n, protocol, &si); n++)
		sum += si.family == family;
	return sum;
}

static int show_sockstat(char *buf, size_t size)
{
	struct out o = { buf, size, 0 };
	unsigned tcp = count_sockets(PROTO_TCP, FAMILY_INET), udp = count_sockets(PROTO_UDP, FAMILY_INET);

	put(&o, "sockets: used %u\nTCP: inuse %u orphan 0 tw 0 alloc %u mem 0\nUDP: inuse %u mem 0\n", tcp + udp, tcp, tcp, udp);
	put(&o, "UDPLITE: inuse %u\nRAW: inuse 0\nFRAG: inuse 0 memory 0\n", count_sockets(PROTO_UDPLITE, FAMILY_INET));
	return (int)o.len;
}

static int show_sockstat6(char *buf, size_t size)
{
	struct out o = { buf, size, 0 };

	put(&o, "TCP6: inuse %u\nUDP6: inuse %u\nUDPLITE6: inuse %u\nRAW6: inuse 0\nFRAG6: inuse 0 memory 0\n",
	    count_sockets(PROTO_TCP, FAMILY_INET6), count_sockets(PROTO_UDP, FAMILY_INET6), count_sockets(PROTO_UDPLITE, FAMILY_INET6));
	return (int)o.len;
}

static int show_if_inet6(char *buf, size_t size)
{
	struct out o = { buf, size, 0 };
	struct net_addrinfo ai;
	struct net_ifinfo ii;

	for (unsigned n = 0; !net_addrinfo(n, &ai); n++) {
		if (ip_is4(ai.ip) || net_ifinfo(ai.ifindex, &ii))
			continue;
		for (int i = 0; i < 16; i++)
			put(&o, "%02x", ai.ip.b[i]);
		put(&o, " %02x %02x %02x 80 %8s\n", (unsigned)ai.ifindex, ai.prefix_len,
		    ip_is_loopback(ai.ip) ? 0x10u : ip_is_link_local(ai.ip) ? 0x20u : 0u, ii.name);
	}
	return (int)o.len;
}

static bool netif(unsigned index, struct sysfs_netif *n)
{
	struct net_ifinfo ii;

	memset(n, 0, sizeof(*n));
	if (net_ifinfo((int)index + 1, &ii))
		return false;
	str_copy(n->name, ii.name, sizeof(n->name));
	memcpy(n->mac, ii.mac, sizeof(n->mac));
	n->ifindex = (u32)ii.index;
	n->mtu = ii.mtu;
	n->flags = ii.flags;
	n->type = ii.flags & 8u ? 772 : 1; /* ARPHRD_LOOPBACK, ARPHRD_ETHER */
	n->rx_bytes = ii.rx_bytes;
	n->rx_packets = ii.rx_packets;
	n->rx_dropped = ii.rx_dropped;
	n->tx_bytes = ii.tx_bytes;
	n->tx_packets = ii.tx_packets;
	n->tx_dropped = ii.tx_dropped;
	return true;
}

void netproc_init(void)
{
	procfs_register_net("arp", show_arp);
	procfs_register_net("dev", show_dev);
	procfs_register_net("if_inet6", show_if_inet6);
	procfs_register_net("ipv6_route", show_ipv6_route);
	procfs_register_net("netstat", show_netstat);
	procfs_register_net("route", show_route);
	procfs_register_net("snmp", show_snmp);
	procfs_register_net("snmp6", show_snmp6);
	procfs_register_net("unix", unix_show);
	procfs_register_net("sockstat", show_sockstat);
	procfs_register_net("sockstat6", show_sockstat6);
	procfs_register_net("tcp", show_tcp);
	procfs_register_net("tcp6", show_tcp6);
	procfs_register_net("udp", show_udp);
	procfs_register_net("udp6", show_udp6);
	procfs_register_net("udplite", show_udplite);
	procfs_register_net("udplite6", show_udplite6);
	sysfs_netif_hook = netif;
}
