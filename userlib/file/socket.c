/* SPDX-License-Identifier: MIT */
/* Sockets as files: read, write, poll, ioctl by the family's operations. See socket.h. */
#include "userlib/file/socket.h"
#include "userlib/base/string.h"
#include "userlib/file/file_internal.h"
#include <asm/ioctls.h>

#define SIGPIPE_NR 13

static struct slab socket_slab = SLAB_INIT("socket", struct socket);

static ssize socket_read(struct file *f, struct iov_iter *it, s64 *pos, u32 rwf)
{
	struct socket *s = f->private;
	struct sock_msg m = { .it = it, .nonblock = file_nonblock(f, rwf) };

	(void)pos;
	if (!it->count && s->type == 1)
		return 0;
	return s->ops->recv(s, &m);
}

static ssize socket_write(struct file *f, struct iov_iter *it, s64 *pos, u32 rwf)
{
	struct socket *s = f->private;
	struct sock_msg m = { .it = it, .nonblock = file_nonblock(f, rwf) };
	const struct cred *c = proc_hooks->current_cred();
	ssize r;

	(void)pos;
	m.cred = (struct sock_cred){ proc_hooks->current_tgid(), c->uid, c->gid };
	r = s->ops->send(s, &m);
	if (r == -EPIPE && s->type != 2 /* datagrams have no pipe */)
		proc_hooks->send_signal_self(SIGPIPE_NR);
	return r;
}

static u32 socket_poll(struct file *f, struct poll_table *pt)
{
	struct socket *s = f->private;

	return s->ops->poll(s, pt);
}

static long socket_ioctl(struct file *f, unsigned cmd, unsigned long arg)
{
	struct socket *s = f->private;
	int n;

	if (cmd == FIONREAD || cmd == TIOCOUTQ) {
		n = s->ops->bytes ? s->ops->bytes(s, cmd == TIOCOUTQ) : -ENOTTY;
		return n < 0 ? n : copy_to_app((void __app *)arg, &n, sizeof(n));
	}
	if (s->ops->ioctl)
		return s->ops->ioctl(s, cmd, arg);
	return -ENOTTY;
}

static int socket_getattr(struct file *f, struct kstat *st)
{
	struct socket *s = f->private;

	st->mode = S_IFSOCK | 0777;
	st->dev = RDEV(0, 8);
	st->ino = s->id;
	return 0;
}

static int socket_link_name(struct file *f, char *buf, size_t size)
{
	struct socket *s = f->private;

	return fmt(buf, size, "socket:[%llu]", (unsigned long long)s->id);
}

static void socket_release(struct file *f)
{
	struct socket *s = f->private;

	s->ops->release(s);
	slab_free(&socket_slab, s);
}

static const struct file_ops socket_file_ops = {
	.can_async = true,
	.name = "socket",
	.read = socket_read,
	.write = socket_write,
	.poll = socket_poll,
	.ioctl = socket_ioctl,
	.getattr = socket_getattr,
	.link_name = socket_link_name,
	.release = socket_release,
};

bool file_is_socket(const struct file *f)
{
	return f->ops == &socket_file_ops;
}

int socket_file_create(const struct sock_ops *ops, int family, int type, int protocol, void *priv, unsigned flags, struct file **out)
{
	struct socket *s = slab_zalloc(&socket_slab);
	int err;

	if (!s)
		return -ENOMEM;
	*s = (struct socket){ .ops = ops, .family = family, .type = type, .protocol = protocol, .priv = priv };
	err = file_alloc(&socket_file_ops, O_RDWR | (flags & FLAG_NONBLOCK), s, out);
	if (err) {
		slab_free(&socket_slab, s);
		return err;
	}
	s->id = (*out)->id;
	return 0;
}
