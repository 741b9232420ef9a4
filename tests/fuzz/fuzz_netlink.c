/* SPDX-License-Identifier: MIT */
/*
 * libFuzzer target: netlink requests (userlib/file/sock_netlink*.c over the stack). The input is a row of: u8 control, u16 length (high byte
 * first), those bytes, sent as one datagram. Control: bit 0: NETLINK_SOCK_DIAG, else NETLINK_ROUTE; bit 1: the first message's length is made
 * right; bit 2: replies stay in the queue; bits 3-7: type of the first message, RTM_NEWLINK and up, 0: as it is. Every reply must be well-formed.
 */
#include "tests/fuzz/world.h"
#include "tests/lib/sim_rt.h"
#include "userlib/file/file_internal.h"
#include "userlib/file/socket.h"
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <stdlib.h>
#include <string.h>

static struct socket so;
static const struct sock_ops *ops;

int socket_file_create(const struct sock_ops *o, int family, int type, int protocol, void *priv, unsigned flags, struct file **out)
{
	(void)flags;
	so = (struct socket){ .ops = ops = o, .family = family, .type = type, .protocol = protocol, .priv = priv };
	*out = NULL;
	return 0;
}
long netdev_ioctl(unsigned cmd, unsigned long arg)
{
	(void)cmd, (void)arg;
	return -ENOTTY;
}
static int tgid(void)
{
	return 42;
}
static const struct cred *root(void)
{
	static struct cred c;

	return &c;
}
static const struct proc_hooks hooks = { .current_tgid = tgid, .current_cred = root };
const struct proc_hooks *proc_hooks = &hooks;
static void check_reply(const u8 *p, size_t len)
{
	struct nlmsghdr h;
	size_t at = 0;

	while (at < len) {
		if (len - at < sizeof(h))
			abort();
		memcpy(&h, p + at, sizeof(h));
		if (h.nlmsg_len < sizeof(h) || h.nlmsg_len > len - at)
			abort();
		at += NLMSG_ALIGN(h.nlmsg_len);
	}
}

static void drain(void)
{
	static u8 buf[32768];

	for (;;) {
		struct iov_iter it;
		struct sock_msg m = { .it = &it, .nonblock = true };
		ssize n;

		iter_init_kernel(&it, buf, sizeof(buf));
		n = ops->recv(&so, &m);
		if (n < 0)
			return;
		check_reply(buf, (size_t)n);
	}
}

static void request(const u8 *data, u32 len, u8 ctl)
{
	u8 *p = malloc(len ? len : 1);
	struct iov_iter it;
	struct sock_msg m = { .it = &it, .nonblock = true };
	struct nlmsghdr h;

	memcpy(p, data, len);
	if (len >= sizeof(h)) {
		memcpy(&h, p, sizeof(h));
		if (ctl & 2) {
			h.nlmsg_len = len;
			h.nlmsg_flags |= NLM_F_REQUEST;
		}
		if (ctl >> 3)
			h.nlmsg_type = (u16)(RTM_BASE + (ctl >> 3) - 1 + (ctl >> 3 > 20 ? 40 : 0));
		if (ctl & 1)
			h.nlmsg_type = 20; /* SOCK_DIAG_BY_FAMILY */
		memcpy(p, &h, sizeof(h));
	}
	iter_init_kernel(&it, p, len);
	(void)!ops->send(&so, &m);
	free(p);
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	struct file *f;

	if (!size)
		return 0;
	world_up();
	if (netlink_socket_create(3, data[0] & 1 ? NETLINK_SOCK_DIAG : NETLINK_ROUTE, 0, &f))
		abort();
	while (size >= 3) {
		u8 ctl = data[0];
		u32 len = (u32)(data[1] << 8 | data[2]);

		data += 3;
		size -= 3;
		len = (u32)MIN(size, (size_t)len);
		request(data, len, (u8)((ctl & ~1u) | (so.protocol == NETLINK_SOCK_DIAG)));
		if (!(ctl & 4))
			drain();
		data += len;
		size -= len;
	}
	drain();
	ops->release(&so);
	world_down();
	return 0;
}
