/* SPDX-License-Identifier: MIT */
/* AF_INET, AF_INET6 and AF_PACKET sockets: descriptors for the stack's own sockets (net/net.h). */
#include "net/net.h"
#include "userlib/base/string.h"
#include "userlib/file/file_internal.h"
#include "userlib/file/socket.h"

static const struct sock_ops inet_ops;

static int to_net(const struct sock_addr *a, struct net_addr *n)
{
	if (a->len > sizeof(n->bytes)) {
		memcpy(n->bytes, a->bytes, sizeof(n->bytes));
		n->len = sizeof(n->bytes);
		return 0;
	}
	memset(n->bytes, 0, sizeof(n->bytes));
	memcpy(n->bytes, a->bytes, a->len);
	n->len = a->len;
	return 0;
}

static void from_net(struct sock_addr *a, const struct net_addr *n)
{
	a->len = MIN(n->len, (u32)sizeof(n->bytes));
	memcpy(a->bytes, n->bytes, a->len);
}

static int inet_bind(struct socket *s, const struct sock_addr *a)
{
	struct net_addr n;

	to_net(a, &n);
	return net_sock_bind(s->priv, &n);
}

static int inet_connect(struct socket *s, const struct sock_addr *a, bool nonblock, const struct sock_cred *c)
{
	struct net_addr n;

	(void)c;
	to_net(a, &n);
	return net_sock_connect(s->priv, &n, nonblock);
}

static int inet_listen(struct socket *s, int backlog, const struct sock_cred *c)
{
	(void)c;
	return net_sock_listen(s->priv, backlog);
}

static void set_owner(struct file *f)
{
	struct socket *s = f->private;

	net_sock_set_owner(s->priv, proc_hooks->current_cred()->euid, s->id);
}

static int inet_accept(struct socket *s, bool nonblock, unsigned flags, struct file **out)
{
	struct sock *n;
	int err = net_sock_accept(s->priv, nonblock, &n);

	if (err)
		return err;
	err = socket_file_create(&inet_ops, s->family, s->type, s->protocol, n, flags, out);
	if (err)
		net_sock_close(n);
	else
		set_owner(*out);
	return err;
}

static int inet_name(struct socket *s, bool peer, struct sock_addr *out)
{
	struct net_addr n;
	int err = net_sock_name(s->priv, peer, &n);

	if (!err)
		from_net(out, &n);
	return err;
}

static ssize inet_send(struct socket *s, struct sock_msg *m)
{
	struct net_addr to;

	if (m->nr_files)
		return -EINVAL;
	if (m->addr)
		to_net(m->addr, &to);
	return net_sock_sendmsg(s->priv, m->it, m->addr ? &to : NULL, m->flags, m->nonblock, m->ctl, m->ctl_len);
}

static ssize inet_recv(struct socket *s, struct sock_msg *m)
{
	struct net_addr from = { .len = 0 };
	struct net_cmsgs cm = { .buf = m->ctl_out, .room = m->ctl_room };
	ssize r = net_sock_recvmsg(s->priv, m->it, m->addr ? &from : NULL, m->flags, m->nonblock, &m->out_flags, m->ctl_out ? &cm : NULL);

	m->ctl_used = cm.len;
	if (r >= 0 && m->addr) {
		m->addr->len = 0;
		if (s->type != 1 || m->flags & 0x2000 /* MSG_ERRQUEUE */)
			from_net(m->addr, &from);
	}
	return r;
}

static int inet_shutdown(struct socket *s, int how)
{
	return net_sock_shutdown(s->priv, how);
}

static int inet_setopt(struct socket *s, int level, int name, const void *val, u32 len)
{
	return net_sock_setopt(s->priv, level, name, val, len);
}

static int inet_getopt(struct socket *s, int level, int name, void *val, u32 *len)
{
	return net_sock_getopt(s->priv, level, name, val, len);
}

static u32 inet_poll(struct socket *s, struct poll_table *pt)
{
	poll_wait(pt, net_sock_waitq(s->priv));
	return net_sock_poll(s->priv);
}

static int inet_bytes(struct socket *s, bool output)
{
	return net_sock_bytes(s->priv, output);
}

#define SIOCATMARK 0x8905
static long inet_ioctl(struct socket *s, unsigned cmd, unsigned long arg)
{
	if (cmd == SIOCATMARK) {
		int v = net_sock_at_mark(s->priv);

		return copy_to_app((void __app *)arg, &v, sizeof(v));
	}
	return netdev_ioctl(cmd, arg);
}

static void inet_release(struct socket *s)
{
	net_sock_close(s->priv);
}

static const struct sock_ops inet_ops = {
	.bind = inet_bind,
	.connect = inet_connect,
	.listen = inet_listen,
	.accept = inet_accept,
	.name = inet_name,
	.send = inet_send,
	.recv = inet_recv,
	.shutdown = inet_shutdown,
	.setopt = inet_setopt,
	.getopt = inet_getopt,
	.poll = inet_poll,
	.bytes = inet_bytes,
	.ioctl = inet_ioctl,
	.release = inet_release,
};

int inet_socket_create(int family, int type, int protocol, unsigned flags, struct file **out)
{
	struct sock *s;
	int err;

	if ((type == 3 || family == 17) && proc_hooks->current_cred()->euid) /* CAP_NET_RAW */
		return -EPERM;
	err = net_sock_create(family, type, protocol, &s);
	if (err)
		return err;
	err = socket_file_create(&inet_ops, family, type, net_sock_protocol(s), s, flags, out);
	if (err)
		net_sock_close(s);
	else
		set_owner(*out);
	return err;
}
