/* SPDX-License-Identifier: MIT */
/* netdevice(7): the read-only interface requests of any socket. Changing interfaces is not a program's business here: -EPERM. */
#include "net/net.h"
#include "userlib/base/string.h"
#include "userlib/file/socket.h"
#include <linux/sockios.h>

#define F_INET 2
#define IFF_BROADCAST_BIT 2u

struct app_ifreq {
	char name[16];
	union {
		struct {
			u16 family, port;
			u32 ip;
			u8 zero[8];
		} in;
		struct {
			u16 family;
			u8 mac[14];
		} hw;
		s16 flags;
		s32 n;
		u8 raw[24];
	};
};
_Static_assert(sizeof(struct app_ifreq) == 40, "ifreq");

static int find(const char *name, struct net_ifinfo *ii)
{
	for (int i = 1; !net_ifinfo(i, ii); i++)
		if (!strncmp(ii->name, name, 16))
			return 0;
	return -ENODEV;
}

static void put_in(struct app_ifreq *r, u32 ip)
{
	memset(r->raw, 0, sizeof(r->raw));
	r->in.family = F_INET;
	r->in.ip = ip;
}

/* SIOCGIFCONF: all interfaces with an address. */
static long ifconf(unsigned long arg)
{
	struct {
		s32 len, pad;
		u64 buf;
	} c;
	struct net_ifinfo ii;
	s32 used = 0;

	if (copy_from_app(&c, (void __app *)arg, sizeof(c)))
		return -EFAULT;
	for (int i = 1; !net_ifinfo(i, &ii); i++) {
		struct app_ifreq r;

		if (!ii.ip)
			continue;
		if (c.buf && used + (s32)sizeof(r) > c.len)
			break;
		memset(&r, 0, sizeof(r));
		str_copy(r.name, ii.name, sizeof(r.name));
		put_in(&r, ii.ip);
		if (c.buf && copy_to_app((char __app *)c.buf + used, &r, sizeof(r)))
			return -EFAULT;
		used += (s32)sizeof(r);
	}
	c.len = used;
	return copy_to_app((void __app *)arg, &c, sizeof(c));
}

static long fill(struct app_ifreq *r, unsigned cmd, const struct net_ifinfo *ii)
{
	u32 mask = ii->prefix_len ? __builtin_bswap32(~0u << (32 - ii->prefix_len)) : 0;

	switch (cmd) {
	case SIOCGIFFLAGS:
		r->flags = (s16)ii->flags;
		return 0;
	case SIOCGIFINDEX:
		r->n = ii->index;
		return 0;
	case SIOCGIFMTU:
		r->n = (s32)ii->mtu;
		return 0;
	case SIOCGIFMETRIC:
		r->n = 0;
		return 0;
	case SIOCGIFTXQLEN:
		r->n = 1000;
		return 0;
	case SIOCGIFHWADDR:
		memset(r->raw, 0, sizeof(r->raw));
		r->hw.family = ii->flags & 8 ? 772 : 1;
		memcpy(r->hw.mac, ii->mac, 6);
		return 0;
	case SIOCGIFADDR:
	case SIOCGIFDSTADDR:
	case SIOCGIFNETMASK:
	case SIOCGIFBRDADDR:
		if (!ii->ip)
			return -EADDRNOTAVAIL;
		put_in(r, cmd == SIOCGIFNETMASK ? mask : cmd != SIOCGIFBRDADDR ? ii->ip : ii->flags & IFF_BROADCAST_BIT ? ii->ip | ~mask : 0);
		return 0;
	default:
		return -EOPNOTSUPP;
	}
}

long netdev_ioctl(unsigned cmd, unsigned long arg)
{
	struct app_ifreq r;
	struct net_ifinfo ii;
	long err;

	if (cmd == SIOCGIFCONF)
		return ifconf(arg);
	if (cmd < 0x8900 || cmd > 0x89ff)
		return -ENOTTY;
	if (copy_from_app(&r, (void __app *)arg, sizeof(r)))
		return -EFAULT;
	r.name[15] = 0;
	if (cmd == SIOCGIFNAME) {
		err = net_ifinfo(r.n, &ii);
		if (!err)
			str_copy(r.name, ii.name, sizeof(r.name));
	} else {
		err = find(r.name, &ii);
		if (!err && (cmd == SIOCSIFFLAGS || cmd == SIOCSIFADDR || cmd == SIOCSIFMTU || cmd == SIOCSIFNETMASK || cmd == SIOCSIFHWADDR))
			err = -EPERM;
		if (!err)
			err = fill(&r, cmd, &ii);
	}
	return err ? err : copy_to_app((void __app *)arg, &r, sizeof(r));
}
