/* SPDX-License-Identifier: MIT */
/*
 * Descriptors inherited from the launcher's caller: stdin, stdout, stderr as they are on the host (file, pipe, socket, terminal).
 * Never blocks a kThread: the host is asked whether the descriptor is ready, and the uThread parks until it is.
 * The instance's controlling terminal, if a standard descriptor is one, is the host's: foreground group kept here.
 */
#include "userlib/file/hostfile.h"
#include "userlib/base/string.h"
#include "userlib/rt/host.h"
#include <asm/ioctls.h>
#include <linux/poll.h>

struct hostfile {
	int fd;
	u32 mode; /* st_mode */
	bool tty, seekable;
	struct kstat st;
};

struct host_tty host_tty = { .fd = -1 };

#define CHUNK 65536ul

static ssize wait_ready(struct file *f, struct hostfile *h, short events)
{
	struct pollfd p = { .fd = h->fd, .events = events };

	if (S_ISREG(h->mode) || host_ppoll(&p, 1, 0, NULL) != 0)
		return 0;
	if (f->flags & O_NONBLOCK)
		return -EAGAIN;
	return host_fd_wait(h->fd, (u32)events, TIME_FOREVER);
}

/* A background job that reads or writes its terminal is stopped (termios(3), TOSTOP only for output and left to the host). */
static int check_background(struct hostfile *h, bool reading)
{
	int pg;

	if (!h->tty || !reading || proc_hooks->current_ctty() != &host_tty)
		return 0;
	pg = proc_hooks->current_pgrp();
	if (pg == host_tty.foreground || host_tty.foreground == 0)
		return 0;
	if (proc_hooks->signal_is_ignored_or_blocked(21 /* SIGTTIN */) || proc_hooks->pgrp_is_orphaned(pg))
		return -EIO;
	proc_hooks->send_signal_owner(-pg, 21, 0, 0, 0);
	return -ERESTARTSYS;
}

static ssize hf_read(struct file *f, struct iov_iter *it, s64 *pos, u32 rwf)
{
	struct hostfile *h = f->private;
	size_t cap = MIN(it->count, CHUNK);
	ssize total = 0;
	void *buf;
	int r = check_background(h, true);

	(void)rwf;
	if (r)
		return r;
	if (!it->count)
		return 0;
	buf = kmem_alloc(cap);
	if (!buf)
		return -ENOMEM;
	while (it->count) {
		size_t want = MIN(it->count, CHUNK);
		ssize n = wait_ready(f, h, POLLIN), c;

		if (!n)
			n = h->seekable ? host_pread(h->fd, buf, want, (u64)*pos) : host_read(h->fd, buf, want);
		if (n <= 0) {
			total = total ? total : n;
			break;
		}
		c = iter_copy_to(it, buf, (size_t)n);
		if (c < 0) {
			total = total ? total : c;
			break;
		}
		total += c;
		if (h->seekable)
			*pos += c;
		if (!h->seekable || (size_t)n < want)
			break;
	}
	kmem_free(buf, cap);
	return total;
}

static ssize hf_write(struct file *f, struct iov_iter *it, s64 *pos, u32 rwf)
{
	struct hostfile *h = f->private;
	size_t cap = MIN(it->count, CHUNK);
	ssize total = 0;
	char *buf;

	(void)rwf;
	if (!it->count)
		return 0;
	buf = kmem_alloc(cap);
	if (!buf)
		return -ENOMEM;
	while (it->count) {
		ssize c = iter_copy_from(it, buf, cap), n = 0;
		size_t done = 0;

		if (c <= 0) {
			total = total ? total : c;
			break;
		}
		while (done < (size_t)c) {
			n = wait_ready(f, h, POLLOUT);
			if (!n && h->seekable && !(f->flags & O_APPEND))
				n = host_pwrite(h->fd, buf + done, (size_t)c - done, (u64)*pos);
			else if (!n) /* a pipe takes at least PIPE_BUF when it polls writable */
				n = host_write(h->fd, buf + done,
					       S_ISREG(h->mode) ? (size_t)c - done : MIN((size_t)c - done, 4096ul));
			if (n <= 0)
				break;
			done += (size_t)n;
			if (h->seekable)
				*pos += n;
		}
		total += (ssize)done;
		if (done < (size_t)c) {
			iter_revert(it, (size_t)c - done);
			if (n == -EPIPE && !total)
				proc_hooks->send_signal_self(13 /* SIGPIPE */);
			total = total ? total : n;
			break;
		}
	}
	kmem_free(buf, cap);
	return total;
}

static s64 hf_seek(struct file *f, s64 off, int whence)
{
	struct hostfile *h = f->private;
	s64 r;

	if (!h->seekable)
		return -ESPIPE;
	if (whence == 1) {
		off += f->pos;
		whence = 0;
	}
	if (whence == 0) {
		if (off < 0)
			return -EINVAL;
		f->pos = off;
		return off;
	}
	r = host_lseek(h->fd, off, whence);
	if (r >= 0)
		f->pos = r;
	return r;
}

static u32 hf_poll(struct file *f, struct poll_table *pt)
{
	struct hostfile *h = f->private;
	struct pollfd p = { .fd = h->fd, .events = POLLIN | POLLOUT | POLLRDHUP };

	(void)pt;
	if (S_ISREG(h->mode))
		return EPOLLIN | EPOLLOUT | EPOLLRDNORM | EPOLLWRNORM;
	if (host_ppoll(&p, 1, 0, NULL) < 0)
		return EPOLLERR;
	return (u32)(u16)p.revents | (p.revents & POLLIN ? EPOLLRDNORM : 0) | (p.revents & POLLOUT ? EPOLLWRNORM : 0);
}

static long tty_ioctl(struct hostfile *h, unsigned cmd, unsigned long arg)
{
	char buf[64];
	int pg, r;

	switch (cmd) {
	case TCGETS:
	case TIOCGWINSZ:
		r = host_ioctl(h->fd, cmd, buf);
		if (r < 0)
			return r;
		return copy_to_app((void __app *)arg, buf, cmd == TCGETS ? 36 : 8);
	case TCSETS:
	case TCSETSW:
	case TCSETSF:
		if (copy_from_app(buf, (void __app *)arg, 36))
			return -EFAULT;
		return host_ioctl(h->fd, cmd, buf);
	case TIOCGPGRP:
		return put_app(host_tty.foreground, (int __app *)arg);
	case TIOCSPGRP:
		if (get_app(pg, (int __app *)arg))
			return -EFAULT;
		if (!proc_hooks->pgrp_in_session(pg, proc_hooks->current_session()))
			return -EPERM;
		host_tty.foreground = pg;
		return 0;
	case TIOCGSID:
		return put_app(host_tty.session, (int __app *)arg);
	case TIOCSCTTY:
		if (proc_hooks->current_ctty() == &host_tty)
			return 0;
		host_tty.session = proc_hooks->current_session();
		host_tty.foreground = proc_hooks->current_pgrp();
		proc_hooks->set_ctty(host_tty.session, &host_tty);
		return 0;
	case TIOCNOTTY:
		proc_hooks->set_ctty(proc_hooks->current_session(), NULL);
		return 0;
	default:
		return -ENOTTY;
	}
}

static long hf_ioctl(struct file *f, unsigned cmd, unsigned long arg)
{
	struct hostfile *h = f->private;
	int n, r;

	if (cmd == FIONREAD && !S_ISREG(h->mode)) {
		r = host_ioctl(h->fd, cmd, &n);
		return r < 0 ? r : put_app(n, (int __app *)arg);
	}
	return h->tty ? tty_ioctl(h, cmd, arg) : -ENOTTY;
}

static int hf_getattr(struct file *f, struct kstat *out)
{
	struct hostfile *h = f->private;
	struct statx sx;
	int r = host_statx(h->fd, "", 0x1000 /* AT_EMPTY_PATH */, 0xfff, &sx);

	if (r) {
		*out = h->st;
		return 0;
	}
	*out = (struct kstat){
		.dev = (u64)sx.stx_dev_major << 8 | sx.stx_dev_minor,
		.ino = sx.stx_ino,
		.rdev = (u64)sx.stx_rdev_major << 8 | sx.stx_rdev_minor,
		.mode = sx.stx_mode,
		.nlink = sx.stx_nlink,
		.uid = sx.stx_uid,
		.gid = sx.stx_gid,
		.blksize = sx.stx_blksize,
		.size = sx.stx_size,
		.blocks = sx.stx_blocks,
		.atime_ns = sx.stx_atime.tv_sec * NSEC_PER_SEC + sx.stx_atime.tv_nsec,
		.mtime_ns = sx.stx_mtime.tv_sec * NSEC_PER_SEC + sx.stx_mtime.tv_nsec,
		.ctime_ns = sx.stx_ctime.tv_sec * NSEC_PER_SEC + sx.stx_ctime.tv_nsec,
		.btime_ns = -1,
	};
	return 0;
}

static int hf_fsync(struct file *f, bool data_only)
{
	struct hostfile *h = f->private;

	return data_only ? host_fdatasync(h->fd) : host_fsync(h->fd);
}

static int hf_link_name(struct file *f, char *buf, size_t size)
{
	struct hostfile *h = f->private;

	if (h->tty)
		return fmt(buf, size, "/dev/tty");
	return fmt(buf, size, S_ISFIFO(h->mode) ? "pipe:[%lu]" : S_ISSOCK(h->mode) ? "socket:[%lu]" : "/dev/fd/host-%lu", h->st.ino);
}

static void hf_release(struct file *f)
{
	kmem_free(f->private, sizeof(struct hostfile));
}

static const struct file_ops host_stream_ops = {
	.name = "host", .read = hf_read, .write = hf_write, .poll = hf_poll, .ioctl = hf_ioctl,
	.getattr = hf_getattr, .fsync = hf_fsync, .link_name = hf_link_name, .release = hf_release,
};
static const struct file_ops host_seekable_ops = {
	.name = "host", .read = hf_read, .write = hf_write, .seek = hf_seek, .poll = hf_poll, .ioctl = hf_ioctl,
	.getattr = hf_getattr, .fsync = hf_fsync, .link_name = hf_link_name, .release = hf_release,
};

int hostfile_open(int host_fd, u32 mode, unsigned oflags, bool tty, struct file **out)
{
	struct hostfile *h = kmem_zalloc(sizeof(*h));
	int r;

	if (!h)
		return -ENOMEM;
	h->fd = host_fd;
	h->mode = mode;
	h->tty = tty;
	h->seekable = S_ISREG(mode) || S_ISBLK(mode);
	h->st.mode = mode;
	r = file_alloc(h->seekable ? &host_seekable_ops : &host_stream_ops, oflags, h, out);
	if (r) {
		kmem_free(h, sizeof(*h));
		return r;
	}
	if (h->seekable) {
		s64 at = host_lseek(host_fd, 0, 1);

		(*out)->pos = at > 0 ? at : 0;
	}
	if (tty && host_tty.fd < 0)
		host_tty.fd = host_fd;
	return 0;
}
