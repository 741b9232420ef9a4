/* SPDX-License-Identifier: MIT */
/*
 * --net xdp:IF: the frames of a host interface straight into rings that the instance maps. The launcher keeps what holds the program
 * attached, so that it ends with the launcher however that ends; the sockets go to the instance.
 */
#include <stdio.h>
#include <string.h>

#include "scheduler/xdp_link.h"
#include "tools/jctl/jctl.h"
#include "tools/jctl/launch.h"

int xdp_attach(struct launch *l)
{
	struct jabi_net *n = &l->boot.net;
	const struct run_config *c = l->cfg;
	const char *step, *mend;
	char text[128];
	struct xdp_link x;
	struct xdp_wish w;
	int r;

	if (c->net != JABI_NET_XDP)
		return 0;
	if (xdp_wish_parse(c->xdp, &w, &mend))
		return jctl_fail(mend, "--net xdp:%s", c->xdp);
	w.takes_several = true;
	r = xdp_link_open(&w, &x, &step, &mend);
	if (r)
		return jctl_fail_errno(-r, mend, "--net xdp:%s: %s", w.ifname, step);
	n->kind = JABI_NET_XDP;
	n->mtu = x.mtu;
	memcpy(n->mac, x.mac, 6);
	memcpy(n->ifname, w.ifname, IFNAMSIZ);
	n->ip4 = c->ip4;
	n->gw4 = c->gw4;
	n->prefix_len = c->prefix_len;
	memcpy(l->boot.net6.ip, c->ip6, 16);
	memcpy(l->boot.net6.gw, c->gw6, 16);
	l->boot.net6.prefix_len = c->prefix_len6;
	l->queues = x.q;
	if (x.q.nr < x.nr_device_queues)
		fprintf(stderr, "jctl: --net xdp:%s: %u of %u queues: frames of the others stay the host's (`ethtool -L %s` sets how many there are)\n",
			w.ifname, x.q.nr, x.nr_device_queues, w.ifname);
	if (c->is_verbose) {
		xdp_link_describe(&x, text, sizeof(text));
		fprintf(stderr, "jctl: --net xdp:%s: %s (%s)\n", w.ifname, text, x.driver);
	}
	return 0;
}
