/* SPDX-License-Identifier: MIT */
/* The TAP interface of an instance: made (or attached to) by the launcher, gone when the last descriptor closes. */
#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <linux/virtio_net.h>
#include <net/if.h>
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

static int set_iff(int fd, const char *name, struct ifreq *ifr)
{
	memset(ifr, 0, sizeof(*ifr));
	ifr->ifr_flags = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR;
	snprintf(ifr->ifr_name, IFNAMSIZ, "%s", name ? name : "junction%d");
	return ioctl(fd, TUNSETIFF, ifr);
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
		mend = "the interface exists and is no TAP with IFF_VNET_HDR and one queue: choose "
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
	struct ifreq ifr;
	int fd, r;

	if (l->cfg->net != JABI_NET_TAP)
		return 0;
	n->kind = JABI_NET_TAP;
	fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0)
		return fail(-1, errno, "/dev/net/tun", name);
	if (set_iff(fd, name, &ifr))
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
	return 0;
}
