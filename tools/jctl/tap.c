/* SPDX-License-Identifier: MIT */
/* The TAP interface of an instance: made (or attached to) by the launcher, gone when the last descriptor closes. */
#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <linux/virtio_net.h>
#include <net/if.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tools/jctl/jctl.h"
#include "tools/jctl/launch.h"

static const char need_right[] = "run as root (CAP_NET_ADMIN), or attach to a persistent TAP of "
				 "yours: `ip tuntap add NAME mode tap user $USER`";

static int set_iff(int fd, const char *name, int more, struct ifreq *ifr)
{
	memset(ifr, 0, sizeof(*ifr));
	ifr->ifr_flags = (short)(IFF_TAP | IFF_NO_PI | IFF_VNET_HDR | more);
	snprintf(ifr->ifr_name, IFNAMSIZ, "%s", name ? name : "junction%d");
	return ioctl(fd, TUNSETIFF, ifr);
}

/* A persistent interface was made with several queues or with one, and is attached to only in the same way. */
static int set_iff_either(int fd, const char *name, bool is_multi, struct ifreq *ifr, bool *got_multi)
{
	for (int i = 0; i < 2; i++) {
		*got_multi = is_multi == !i;
		if (!set_iff(fd, name, *got_multi ? IFF_MULTI_QUEUE : 0, ifr))
			return 0;
		if (errno != EINVAL)
			return -1;
	}
	return -1;
}

/* All the descriptors of one interface; what a host refuses beyond the first is not there. */
static void add_queues(struct launch *l, const char *ifname, unsigned want)
{
	struct jabi_net *n = &l->boot.net;
	struct jabi_queues *q = &l->queues;
	struct ifreq ifr;

	q->fd[0] = l->tap_fd;
	for (q->nr = 1; q->nr < want; q->nr++) {
		int fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC | O_NONBLOCK);

		if (fd < 0 || set_iff(fd, ifname, IFF_MULTI_QUEUE, &ifr) || ioctl(fd, TUNSETVNETHDRSZ, &n->vnet_hdr)) {
			if (fd >= 0)
				close(fd);
			break;
		}
		q->fd[q->nr] = fd;
	}
	if (q->nr == 1)
		q->nr = 0;
}

/* A queue for each core that the instance may use. */
static unsigned wanted_queues(const struct run_config *c)
{
	cpu_set_t set;
	unsigned n = c->cores;

	if (!n && !sched_getaffinity(0, sizeof(set), &set))
		n = (unsigned)CPU_COUNT(&set);
	return MIN(MAX(n, 1u), (unsigned)JABI_QUEUES_MAX);
}

/* Up, and its MTU. */
static int bring_up(const char *name, u32 *mtu)
{
	int sock = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), err = 0;
	struct ifreq ifr;

	if (sock < 0)
		return -errno;
	memset(&ifr, 0, sizeof(ifr));
	snprintf(ifr.ifr_name, IFNAMSIZ, "%s", name);
	if (ioctl(sock, SIOCGIFMTU, &ifr)) {
		err = -errno;
		goto out;
	}
	*mtu = (u32)ifr.ifr_mtu;
	if (ioctl(sock, SIOCGIFFLAGS, &ifr)) {
		err = -errno;
		goto out;
	}
	if (!(ifr.ifr_flags & IFF_UP)) {
		ifr.ifr_flags |= IFF_UP;
		if (ioctl(sock, SIOCSIFFLAGS, &ifr))
			err = -errno;
	}
out:
	close(sock);
	return err;
}

static int fail(int fd, int err, const char *what, const char *name)
{
	const char *mend = NULL;

	if (err == EPERM || err == EACCES)
		mend = need_right;
	else if (err == EBUSY)
		mend = "another process holds it: choose another name";
	else if (err == ENOENT || err == ENODEV || err == ENXIO)
		mend = "load the tun module, or use --net none";
	else if (err == EINVAL)
		mend = "the interface exists and is no TAP with IFF_VNET_HDR: choose "
		       "another name";
	if (fd >= 0)
		close(fd);
	return jctl_fail_errno(err, mend, "--net tap%s%s: %s", name ? ":" : "", name ? name : "",
			       what);
}

int tap_create(struct launch *l)
{
	static const u32 offloads[] = { TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6, TUN_F_CSUM };
	struct jabi_net *n = &l->boot.net;
	const char *name = l->cfg->tap_name;
	unsigned want = wanted_queues(l->cfg);
	struct ifreq ifr;
	bool is_multi;
	int fd, r;

	if (l->cfg->net != JABI_NET_TAP)
		return 0;
	n->kind = JABI_NET_TAP;
	fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0)
		return fail(-1, errno, "/dev/net/tun", name);
	if (set_iff_either(fd, name, want > 1, &ifr, &is_multi))
		return fail(fd, errno, "cannot make the interface", name);
	n->vnet_hdr = sizeof(struct virtio_net_hdr);
	if (ioctl(fd, TUNSETVNETHDRSZ, &n->vnet_hdr))
		return fail(fd, errno, "cannot set the header size", name);
	for (size_t i = 0; i < ARRAY_SIZE(offloads) && !n->offload; i++)
		if (!ioctl(fd, TUNSETOFFLOAD, (unsigned long)offloads[i]))
			n->offload = offloads[i];
	r = bring_up(ifr.ifr_name, &n->mtu);
	if (r)
		return fail(fd, -r, "cannot bring it up", name);
	memcpy(n->ifname, ifr.ifr_name, IFNAMSIZ);
	if (getrandom(n->mac, 6, 0) != 6)
		return fail(fd, errno, "no random bytes", name);
	n->mac[0] = (u8)((n->mac[0] & 0xfc) | 0x02); /* unicast, locally administered */
	n->ip4 = l->cfg->ip4;
	n->gw4 = l->cfg->gw4;
	n->prefix_len = l->cfg->prefix_len;
	memcpy(l->boot.net6.ip, l->cfg->ip6, 16);
	memcpy(l->boot.net6.gw, l->cfg->gw6, 16);
	l->boot.net6.prefix_len = l->cfg->prefix_len6;
	n->tap_fd = l->tap_fd = fd;
	if (is_multi && want > 1)
		add_queues(l, ifr.ifr_name, want);
	if (l->cfg->is_verbose)
		fprintf(stderr, "jctl: --net tap:%s: %u queues\n", ifr.ifr_name, MAX(l->queues.nr, 1u));
	return 0;
}
