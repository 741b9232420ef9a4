/* SPDX-License-Identifier: MIT */
/*
 * What `jctl net` and `jctl pcap` ask of the running instance (jabi_ctl.h). In scheduler context: spinlocks only, nothing parks, no references
 * are taken whose end could. One answer at a time is in memory, until the next request; what does not fit is cut.
 */
#include "net/net.h"
#include "userlib/base/string.h"
#include "userlib/entry/entry.h"
#include "userlib/proc/proc.h"
#include "userlib/rt/ctl.h"
#include <linux/tcp.h>

#define ANSWER_ORDER_MAX 10 /* 4 MiB; less where memory is short */
#define ANSWER_ORDER_MIN 3

static struct {
	u8 *p; /* NULL: none */
	unsigned order;
	u64 len;
	bool cut;
	int pid; /* of the process whose descriptors are being listed */
	const char *comm;
} answer; /* [one request at a time] */

static void add(void *rec, u32 type, u32 len)
{
	struct jabi_ctl_rec r = { .type = type, .len = len };

	if (answer.len + len > PAGE_SIZE << answer.order) {
		answer.cut = true;
		return;
	}
	memcpy(rec, &r, sizeof(r));
	memcpy(answer.p + answer.len, rec, len);
	answer.len += len;
}

static void add_links(void)
{
	struct net_ifinfo ii;

	for (int i = 1; !net_ifinfo(i, &ii); i++) {
		struct jabi_ctl_if o = { .index = (u32)ii.index, .flags = ii.flags, .mtu = ii.mtu, .rx_packets = ii.rx_packets,
					 .rx_bytes = ii.rx_bytes, .rx_dropped = ii.rx_dropped, .tx_packets = ii.tx_packets,
					 .tx_bytes = ii.tx_bytes, .tx_dropped = ii.tx_dropped };

		memcpy(o.name, ii.name, strnlen(ii.name, sizeof(o.name) - 1));
		memcpy(o.nic, ii.nic, strnlen(ii.nic, sizeof(o.nic) - 1));
		memcpy(o.mac, ii.mac, sizeof(o.mac));
		add(&o, JABI_CTL_IF, sizeof(o));
	}
}

static void add_addresses(void)
{
	struct net_addrinfo ai;
	struct net_routeinfo ri;

	for (unsigned i = 0; !net_addrinfo(i, &ai); i++) {
		struct jabi_ctl_addr o = { .prefix_len = ai.prefix_len, .index = (u32)ai.ifindex };

		memcpy(o.ip, &ai.ip, sizeof(o.ip));
		add(&o, JABI_CTL_ADDR, sizeof(o));
	}
	for (unsigned i = 0; !net_routeinfo(i, &ri); i++) {
		struct jabi_ctl_addr o = { .prefix_len = ri.prefix_len, .index = (u32)ri.ifindex };

		memcpy(o.ip, &ri.dst, sizeof(o.ip));
		if (!ip_is_any(ri.gateway))
			memcpy(o.gateway, &ri.gateway, sizeof(o.gateway));
		add(&o, JABI_CTL_ROUTE, sizeof(o));
	}
}

static void add_sock(const struct net_sockinfo *si, const struct tcp_info *ti, void *arg)
{
	struct jabi_ctl_sock o = { .family = (u16)si->family, .protocol = (u16)si->protocol, .lport = si->lport, .rport = si->rport,
				   .state = (u32)si->state, .rx_queue = si->rx_queue, .tx_queue = si->tx_queue, .uid = si->uid,
				   .inode = si->inode, .drops = si->drops };

	(void)arg;
	memcpy(o.lip, &si->lip, sizeof(o.lip));
	memcpy(o.rip, &si->rip, sizeof(o.rip));
	if (si->congestion)
		memcpy(o.congestion, si->congestion, strnlen(si->congestion, sizeof(o.congestion) - 1));
	if (ti) {
		_Static_assert(sizeof(*ti) <= sizeof(o.info), "tcp_info fits");
		memcpy(o.info, ti, sizeof(*ti));
		o.info_len = sizeof(*ti);
	}
	add(&o, JABI_CTL_SOCK, sizeof(o));
}

static void add_owner(int fd, u64 ino, void *arg)
{
	struct jabi_ctl_owner o = { .inode = ino, .pid = answer.pid, .fd = fd };

	(void)arg;
	memcpy(o.comm, answer.comm, strnlen(answer.comm, sizeof(o.comm) - 1));
	add(&o, JABI_CTL_OWNER, sizeof(o));
}

static void add_owners(void)
{
	struct uproc *p;

	spin_lock(&proc_table_lock);
	list_for_each(p, &uproc_all, all_link) {
		spin_lock(&p->lock);
		answer.pid = p->pid;
		answer.comm = p->leader ? p->leader->ut.name : "?";
		if (p->files)
			fdtab_each_socket(p->files, add_owner, NULL);
		spin_unlock(&p->lock);
	}
	spin_unlock(&proc_table_lock);
}

static void add_counters(void)
{
	for (u32 i = 0; i < NET_COUNTER_COUNT; i++) {
		struct jabi_ctl_counter o = { .value = net_counter(i) };
		const char *name = net_counter_name(i);

		memcpy(o.name, name, strnlen(name, sizeof(o.name) - 1));
		add(&o, JABI_CTL_COUNTER, sizeof(o));
	}
}

static void forget_answer(void)
{
	if (answer.p)
		page_free(answer.p, answer.order);
	answer.p = NULL;
}

static int answer_net(struct jabi_ctl *c)
{
	forget_answer();
	for (answer.order = ANSWER_ORDER_MAX; !(answer.p = page_alloc(answer.order)) && answer.order > ANSWER_ORDER_MIN;)
		answer.order--;
	if (!answer.p)
		return -ENOMEM;
	answer.len = 0;
	answer.cut = false;
	add_links();
	add_addresses();
	add_counters();
	net_sock_each(6, add_sock, NULL);
	net_sock_each(17, add_sock, NULL);
	add_owners();
	c->off = arena_offset(answer.p);
	c->bytes = answer.len;
	c->cut = answer.cut;
	return 0;
}

static int answer_capture(struct jabi_ctl *c)
{
	void *ring;
	u64 bytes;
	int r = net_capture_start(&c->capture, &ring, &bytes);

	if (!r) {
		c->off = arena_offset(ring);
		c->bytes = bytes;
	}
	return r;
}

static int serve(struct jabi_ctl *c, u32 op)
{
	switch (op) {
	case JABI_CTL_NET:
		return answer_net(c);
	case JABI_CTL_DONE:
		forget_answer();
		return 0;
	case JABI_CTL_CAPTURE:
		return answer_capture(c);
	case JABI_CTL_CAPTURE_STOP:
	case JABI_CTL_CAPTURE_FREE:
		net_capture_stop(op == JABI_CTL_CAPTURE_FREE);
		return 0;
	default:
		return -EOPNOTSUPP;
	}
}

void ctl_init(void)
{
	ctl_hook = serve;
	if (boot->ctl_off)
		ctl_block = (void *)((char *)boot + boot->ctl_off);
}
