/* SPDX-License-Identifier: MIT */
/*
 * `jctl net [NAME]`: the network of a running instance: interfaces, addresses, routes, sockets as `ss -tnpi` shows them with their
 * owners, drops by cause and what else was counted. The records are the instance's (jabi_ctl.h): checked, copied, made printable.
 */
#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <linux/if.h>
#include <linux/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>

#include "tools/jctl/attach.h"
#include "tools/jctl/jctl.h"

struct view {
	u8 *bytes; /* our copy */
	u64 len;
};

/* The next record of that type from *at on with its fixed size, or NULL. */
static const void *next_rec(const struct view *v, u64 *at, u32 type, u32 size)
{
	while (v->len - *at >= sizeof(struct jabi_ctl_rec)) {
		struct jabi_ctl_rec r;
		const void *p = v->bytes + *at;

		memcpy(&r, p, sizeof(r));
		if (r.len < sizeof(r) || r.len % 8 || r.len > v->len - *at)
			break;
		*at += r.len;
		if (r.type == type && r.len == size)
			return p;
	}
	return NULL;
}
#define each_rec(v, at, p, type, T) for (u64 at = 0; ((p) = next_rec(v, &at, type, sizeof(T)));)

/* A text of the instance: ended, printable. */
static const char *clean(const char *s, size_t size)
{
	static char out[4][40];
	static unsigned turn;
	char *o = out[turn++ % 4];
	size_t n = 0;

	while (n < size && n < 39 && s[n]) {
		o[n] = isprint((unsigned char)s[n]) && s[n] != '"' ? s[n] : '?';
		n++;
	}
	o[n] = 0;
	return o;
}

static const char *ip_text(const u8 *ip, bool brackets)
{
	static const u8 mapped[12] = { [10] = 0xff, [11] = 0xff };
	static char out[4][INET6_ADDRSTRLEN + 2];
	static unsigned turn;
	char *o = out[turn++ % 4], t[INET6_ADDRSTRLEN];

	if (!memcmp(ip, mapped, sizeof(mapped)))
		inet_ntop(AF_INET, ip + 12, o, INET6_ADDRSTRLEN);
	else
		snprintf(o, sizeof(out[0]), brackets ? "[%s]" : "%s", inet_ntop(AF_INET6, ip, t, sizeof(t)));
	return o;
}

static const char *link_name(const struct view *v, u32 index)
{
	const struct jabi_ctl_if *i;

	each_rec(v, at, i, JABI_CTL_IF, struct jabi_ctl_if)
		if (i->index == index)
			return clean(i->name, sizeof(i->name));
	return "?";
}

static void print_links(const struct view *v)
{
	const struct jabi_ctl_if *i;
	const struct jabi_ctl_addr *a;

	each_rec(v, at, i, JABI_CTL_IF, struct jabi_ctl_if) {
		printf("%u: %s (%s) %s%s mtu %u", i->index, clean(i->name, sizeof(i->name)), clean(i->nic, sizeof(i->nic)),
		       i->flags & IFF_UP ? "up" : "down", i->flags & IFF_RUNNING ? "" : " no-carrier", i->mtu);
		if (!(i->flags & IFF_LOOPBACK))
			printf(" mac %02x:%02x:%02x:%02x:%02x:%02x", i->mac[0], i->mac[1], i->mac[2], i->mac[3], i->mac[4], i->mac[5]);
		printf("\n");
		each_rec(v, at2, a, JABI_CTL_ADDR, struct jabi_ctl_addr)
			if (a->index == i->index)
				printf("    addr %s/%u\n", ip_text(a->ip, false), a->prefix_len);
		printf("    rx %llu packets %llu bytes %llu dropped\n    tx %llu packets %llu bytes %llu dropped\n",
		       (unsigned long long)i->rx_packets, (unsigned long long)i->rx_bytes, (unsigned long long)i->rx_dropped,
		       (unsigned long long)i->tx_packets, (unsigned long long)i->tx_bytes, (unsigned long long)i->tx_dropped);
	}
	each_rec(v, at3, a, JABI_CTL_ROUTE, struct jabi_ctl_addr) {
		static const u8 none[16];

		printf("route %s/%u", ip_text(a->ip, false), a->prefix_len);
		if (memcmp(a->gateway, none, sizeof(none)))
			printf(" via %s", ip_text(a->gateway, false));
		printf(" dev %s\n", link_name(v, a->index));
	}
}

static void print_info(const struct jabi_ctl_sock *s)
{
	struct tcp_info t;

	memcpy(&t, s->info, sizeof(t));
	printf("\t %s", clean(s->congestion, sizeof(s->congestion)));
	if (t.tcpi_options & TCPI_OPT_TIMESTAMPS)
		printf(" ts");
	if (t.tcpi_options & TCPI_OPT_SACK)
		printf(" sack");
	if (t.tcpi_options & TCPI_OPT_ECN)
		printf(" ecn");
	if (t.tcpi_options & TCPI_OPT_WSCALE)
		printf(" wscale:%d,%d", t.tcpi_snd_wscale, t.tcpi_rcv_wscale);
	if (t.tcpi_rto)
		printf(" rto:%g", t.tcpi_rto / 1000.0);
	if (t.tcpi_rtt)
		printf(" rtt:%g/%g", t.tcpi_rtt / 1000.0, t.tcpi_rttvar / 1000.0);
	if (t.tcpi_ato)
		printf(" ato:%g", t.tcpi_ato / 1000.0);
	printf(" mss:%u pmtu:%u rcvmss:%u advmss:%u cwnd:%u", t.tcpi_snd_mss, t.tcpi_pmtu, t.tcpi_rcv_mss, t.tcpi_advmss, t.tcpi_snd_cwnd);
	if (t.tcpi_snd_ssthresh < 0xffff)
		printf(" ssthresh:%u", t.tcpi_snd_ssthresh);
	printf(" bytes_sent:%llu bytes_acked:%llu bytes_received:%llu segs_out:%u segs_in:%u", (unsigned long long)t.tcpi_bytes_sent,
	       (unsigned long long)t.tcpi_bytes_acked, (unsigned long long)t.tcpi_bytes_received, t.tcpi_segs_out, t.tcpi_segs_in);
	if (t.tcpi_unacked)
		printf(" unacked:%u", t.tcpi_unacked);
	if (t.tcpi_lost)
		printf(" lost:%u", t.tcpi_lost);
	if (t.tcpi_total_retrans)
		printf(" retrans:%u/%u", t.tcpi_retrans, t.tcpi_total_retrans);
	if (t.tcpi_min_rtt)
		printf(" minrtt:%g", t.tcpi_min_rtt / 1000.0);
	printf(" snd_wnd:%u\n", t.tcpi_snd_wnd);
}

static void print_sock(const struct view *v, const struct jabi_ctl_sock *s)
{
	static const char *const states[] = { "?", "ESTAB", "SYN-SENT", "SYN-RECV", "FIN-WAIT-1", "FIN-WAIT-2", "TIME-WAIT", "UNCONN",
					      "CLOSE-WAIT", "LAST-ACK", "LISTEN", "CLOSING" };
	const struct jabi_ctl_owner *o;
	char local[80], remote[80], port[8] = "*";
	bool first = true;

	if (s->rport)
		snprintf(port, sizeof(port), "%u", s->rport);
	snprintf(local, sizeof(local), "%s:%u", ip_text(s->lip, true), s->lport);
	snprintf(remote, sizeof(remote), "%s:%s", ip_text(s->rip, true), port);
	printf("%-5s %-10s %6u %6u %25s %25s", s->protocol == IPPROTO_TCP ? "tcp" : "udp",
	       s->state < ARRAY_SIZE(states) ? states[s->state] : "?", s->rx_queue, s->tx_queue, local, remote);
	each_rec(v, at, o, JABI_CTL_OWNER, struct jabi_ctl_owner) {
		if (o->inode != s->inode || !s->inode)
			continue;
		printf("%s(\"%s\",pid=%d,fd=%d)", first ? " users:(" : ",", clean(o->comm, sizeof(o->comm)), o->pid, o->fd);
		first = false;
	}
	printf("%s", first ? "" : ")");
	if (s->drops)
		printf(" drops:%u", s->drops);
	printf("\n");
	if (s->protocol == IPPROTO_TCP && s->state != 10 && s->info_len == sizeof(struct tcp_info))
		print_info(s);
}

static void print_counters(const struct view *v, bool drops)
{
	const struct jabi_ctl_counter *c;
	bool any = false;

	each_rec(v, at, c, JABI_CTL_COUNTER, struct jabi_ctl_counter) {
		bool is_drop = !strncmp(c->name, "drop_", 5);

		if (is_drop != drops || !c->value)
			continue;
		printf("%s%s %llu", any ? ", " : "", clean(c->name + (drops ? 5 : 0), sizeof(c->name) - 5), (unsigned long long)c->value);
		any = true;
	}
	printf("%s\n", any ? "" : "none");
}

/* Takes a copy, so that the instance's memory is its own again at once. */
static int fetch(struct attach *a, struct view *v, bool *cut)
{
	void *p;
	int r = attach_lock(a, JABI_CTL_LOCK_REQUEST, true);

	if (!r)
		r = attach_request(a, JABI_CTL_NET, &p, &v->len);
	if (r)
		return r;
	v->bytes = malloc(v->len);
	if (v->bytes)
		memcpy(v->bytes, p, v->len);
	*cut = a->ctl->cut;
	munmap(p, v->len);
	r = attach_request(a, JABI_CTL_DONE, NULL, NULL);
	attach_unlock(a, JABI_CTL_LOCK_REQUEST);
	return v->bytes ? r : -ENOMEM;
}

int cmd_net(int argc, char **argv)
{
	const struct jabi_ctl_sock *s;
	struct attach a;
	struct view v = { 0 };
	bool cut;
	int r;

	if (argc > 1 && (!strcmp(argv[1], "--help") || !strcmp(argv[1], "-h"))) {
		printf("usage: jctl net [NAME]\n\nThe network of the running instance NAME (`jctl run --name`; without one the only instance that runs):\n"
		       "interfaces, addresses and routes, sockets with their owners as `ss -tnpi` shows them, packets dropped by cause, counters.\n");
		return 0;
	}
	if (argc > 2 || (argc == 2 && *argv[1] == '-')) {
		jctl_fail("`jctl net --help`", "bad argument \"%s\"", argv[argc - 1]);
		return EXIT_JCTL;
	}
	if (attach_open(&a, argc > 1 ? argv[1] : NULL))
		return EXIT_JCTL;
	r = fetch(&a, &v, &cut);
	if (r) {
		jctl_fail_errno(-r, NULL, "instance %s does not answer", a.name);
		return EXIT_JCTL;
	}
	print_links(&v);
	printf("%-5s %-10s %6s %6s %25s %25s\n", "Netid", "State", "Recv-Q", "Send-Q", "Local Address:Port", "Peer Address:Port");
	each_rec(&v, at, s, JABI_CTL_SOCK, struct jabi_ctl_sock)
		print_sock(&v, s);
	printf("drops: ");
	print_counters(&v, true);
	printf("counters: ");
	print_counters(&v, false);
	if (cut)
		printf("(cut: there are more sockets than an answer holds)\n");
	return 0;
}
