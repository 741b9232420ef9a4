/* SPDX-License-Identifier: MIT */
/*
 * Host descriptors handed over as stdin, stdout, stderr. Data go through a bounce buffer; a kThread is never blocked: readiness is
 * asked first, and host_fd_wait() parks. Pollers are served by a kernel uThread that waits for the host only while somebody listens.
 */
#include "userlib/file/file_internal.h"
#include "jabi/jabi_boot.h"
#include "userlib/base/string.h"
#include "userlib/file/host_tty.h"
#include "userlib/file/pty.h"
#include "userlib/file/tty.h"
#include "userlib/rt/host.h"
#include "userlib/rt/host_ring.h"
#include <asm/poll.h>
#include <asm/termbits.h>
#include <asm/ioctls.h>
#include <linux/fs.h>

#define BOUNCE_MAX (64 * KiB)
#define SIGPIPE_NR 13

struct hostfile {
	struct ref ref;
	int fd;
	u32 kind, mode;
	u8 read_mode; /* [a] enum host_read_mode */
	u64 dev, ino, rdev;
	struct waitq wait;
	u32 watching; /* [a] the waiting uThread's events, 0 = none */
	struct tty_job *job;
};
struct host_pollfd {
	int fd;
	s16 events, revents;
};
static struct slab hostfile_slab = SLAB_INIT("hostfile", struct hostfile);
static int host_tty_fd = -1;
static unsigned host_tty_index;	   /* its name is /dev/pts/index */
static bool host_tty_named;
static struct tty_job host_tty_job; /* all host terminal descriptors are taken to be the same terminal */
static const struct file_ops host_seek_ops, host_stream_ops;

static bool always_ready(const struct hostfile *h)
{
	return h->kind == JABI_STDIO_FILE || h->kind == JABI_STDIO_DIR;
}

static u32 ready_now(struct hostfile *h, u32 events)
{
	struct host_pollfd p = { .fd = h->fd, .events = (s16)events };

	if (always_ready(h))
		return events;
	return host_ppoll(&p, 1, 0, NULL) > 0 ? (u16)p.revents : 0;
}

static void hostfile_put(struct hostfile *h)
{
	if (ref_put(&h->ref))
		slab_free(&hostfile_slab, h);
}

static void watch_main(void *arg)
{
	struct hostfile *h = arg;
	u32 ev = load_relaxed(&h->watching);

	host_fd_wait(h->fd, ev, TIME_FOREVER);
	store_release(&h->watching, 0u);
	waitq_wake(&h->wait, POLL_IN | POLL_OUT | EPOLLHUP | EPOLLERR);
	hostfile_put(h);
}

/* Sees to it that pollers hear of `events`. */
static void watch(struct hostfile *h, u32 events)
{
	if (always_ready(h) || waitq_is_empty(&h->wait) || !atomic_cas(&h->watching, 0u, events))
		return;
	ref_get(&h->ref);
	if (uthread_start_kernel("hostfd", watch_main, h)) {
		store_release(&h->watching, 0u);
		hostfile_put(h);
	}
}

static int wait_ready(struct file *f, u32 rwf, u32 events)
{
	struct hostfile *h = f->private;

	while (!ready_now(h, events)) {
		int r;

		if (file_nonblock(f, rwf)) {
			watch(h, events);
			return -EAGAIN;
		}
		r = host_fd_wait(h->fd, events, TIME_FOREVER);
		if (r)
			return r;
	}
	return 0;
}

static ssize host_file_read(struct file *f, struct iov_iter *it, s64 *pos, u32 rwf)
{
	struct hostfile *h = f->private;
	size_t size = MIN(it->count, BOUNCE_MAX);
	bool explicit_pos = h->kind == JABI_STDIO_FILE && pos != &f->pos;
	ssize n;
	char *buf;
	int r;

	if (!size)
		return 0;
	if (h->job) {
		r = tty_job_check_read(h->job);
		if (r)
			return r;
	}
	r = wait_ready(f, rwf, POLLIN);
	if (r)
		return r;
	buf = kmem_alloc(size);
	if (!buf)
		return -ENOMEM;
	if (h->kind == JABI_STDIO_FILE)
		n = host_pread_park(h->fd, buf, size, explicit_pos ? (u64)*pos : ~0ull, &h->read_mode);
	else
		n = host_read(h->fd, buf, size);
	if (n > 0) {
		ssize c = iter_copy_to(it, buf, (size_t)n);

		if (explicit_pos && c > 0)
			*pos += c;
		if (h->kind == JABI_STDIO_FILE && !explicit_pos && c < n)
			(void)host_lseek(h->fd, (c > 0 ? c : 0) - n, SEEK_CUR);
		n = c;
	}
	kmem_free(buf, size);
	return n;
}

/* One piece of at most BOUNCE_MAX (one page for streams: that much a ready pipe takes without blocking). */
static ssize write_piece(struct file *f, struct iov_iter *it, s64 *pos, char *buf, size_t size)
{
	struct hostfile *h = f->private;
	bool explicit_pos = h->kind == JABI_STDIO_FILE && pos != &f->pos;
	ssize n = iter_copy_from(it, buf, size), w;

	if (n <= 0)
		return n;
	w = explicit_pos ? host_pwrite(h->fd, buf, (size_t)n, (u64)*pos) : host_write(h->fd, buf, (size_t)n);
	if (explicit_pos && w > 0)
		*pos += w;
	if (w < n)
		iter_revert(it, (size_t)(n - (w > 0 ? w : 0)));
	return w;
}

static ssize host_file_write(struct file *f, struct iov_iter *it, s64 *pos, u32 rwf)
{
	struct hostfile *h = f->private;
	size_t size = MIN(it->count, h->kind == JABI_STDIO_FILE || h->kind == JABI_STDIO_CHARDEV ? BOUNCE_MAX : PAGE_SIZE);
	ssize done = 0, n = 0;
	char *buf;

	if (!size)
		return 0;
	if (h->job) {
		n = tty_job_check_write(h->job, false);
		if (n)
			return n;
	}
	buf = kmem_alloc(size);
	if (!buf)
		return -ENOMEM;
	while (it->count) {
		size_t want = MIN(it->count, size);

		n = wait_ready(f, rwf, POLLOUT);
		if (!n)
			n = write_piece(f, it, pos, buf, want);
		if (n <= 0)
			break;
		done += n;
	}
	kmem_free(buf, size);
	if (n == -EPIPE && !done)
		proc_hooks->send_signal_self(SIGPIPE_NR);
	return done ? done : n;
}

static s64 host_file_seek(struct file *f, s64 off, int whence)
{
	struct hostfile *h = f->private;

	return host_lseek(h->fd, off, whence);
}

static u32 host_file_poll(struct file *f, struct poll_table *pt)
{
	struct hostfile *h = f->private;
	u32 ev = (f->mode_rw & FMODE_READ ? POLLIN : 0) | (f->mode_rw & FMODE_WRITE ? POLLOUT : 0), now, want, r = 0;

	if (always_ready(h))
		return POLL_IN | POLL_OUT;
	poll_wait(pt, &h->wait);
	now = ready_now(h, ev);
	want = ev & ~now & (pt ? pt->mask : ~0u);
	if (want)
		watch(h, want);
	if (now & POLLIN)
		r |= POLL_IN;
	if (now & POLLOUT)
		r |= POLL_OUT;
	return r | (now & (POLLHUP | POLLERR));
}

static long host_tty_ioctl(struct file *f, unsigned cmd, unsigned long arg)
{
	struct hostfile *h = f->private;
	u8 data[64];
	size_t len;
	bool in = false;
	long r;

	switch (cmd) {
	case TCSETS:
	case TCSETSW:
	case TCSETSF:
		in = true;
		/* fall through */
	case TCGETS:
		len = 36; /* the kernel's struct termios */
		break;
	case TIOCGWINSZ:
		len = 8;
		break;
	case FIONREAD:
		len = 4;
		break;
	default:
		return tty_job_ioctl(h->job, f, cmd, arg);
	}
	memset(data, 0, sizeof(data));
	if (in) {
		r = tty_job_check_write(h->job, true);
		if (r)
			return r;
		if (copy_from_app(data, (void __app *)arg, len))
			return -EFAULT;
	}
	r = host_ioctl(h->fd, cmd, data);
	if (r >= 0 && !in && copy_to_app((void __app *)arg, data, len))
		return -EFAULT;
	return r;
}

static long host_file_ioctl(struct file *f, unsigned cmd, unsigned long arg)
{
	struct hostfile *h = f->private;
	int n = 0;
	long r;

	if (h->job)
		return host_tty_ioctl(f, cmd, arg);
	if (cmd != FIONREAD || h->kind == JABI_STDIO_CHARDEV)
		return -ENOTTY;
	r = host_ioctl(h->fd, FIONREAD, &n);
	return r < 0 ? r : copy_to_app((void __app *)arg, &n, sizeof(n));
}

static int host_file_getattr(struct file *f, struct kstat *st)
{
	struct hostfile *h = f->private;
	struct statx sx;

	st->mode = h->mode;
	st->dev = h->dev;
	st->ino = h->ino;
	st->rdev = h->rdev;
	if (host_statx(h->fd, "", 0x1000 /* AT_EMPTY_PATH */, 0x7ff, &sx) == 0) {
		st->size = sx.stx_size;
		st->blocks = sx.stx_blocks;
		st->blksize = sx.stx_blksize;
		st->nlink = sx.stx_nlink;
		st->uid = sx.stx_uid;
		st->gid = sx.stx_gid;
		st->atime_ns = sx.stx_atime.tv_sec * NSEC_PER_SEC + sx.stx_atime.tv_nsec;
		st->mtime_ns = sx.stx_mtime.tv_sec * NSEC_PER_SEC + sx.stx_mtime.tv_nsec;
		st->ctime_ns = sx.stx_ctime.tv_sec * NSEC_PER_SEC + sx.stx_ctime.tv_nsec;
	}
	if (h->kind == JABI_STDIO_TTY) /* as stat(2) of its name, or ttyname(3) does not know it */
		devpts_identity(host_tty_index, st);
	return 0;
}

static int host_file_link_name(struct file *f, char *buf, size_t size)
{
	struct hostfile *h = f->private;

	switch (h->kind) {
	case JABI_STDIO_TTY:
		return f->path.mnt ? -ENODATA : fmt(buf, size, "/dev/pts/%u", host_tty_index);
	case JABI_STDIO_PIPE:
		return fmt(buf, size, "pipe:[%llu]", (unsigned long long)h->ino);
	case JABI_STDIO_SOCKET:
		return fmt(buf, size, "socket:[%llu]", (unsigned long long)h->ino);
	case JABI_STDIO_CHARDEV:
		return fmt(buf, size, RDEV_MAJOR(h->rdev) == 1 && RDEV_MINOR(h->rdev) == 3 ? "/dev/null" : "/dev/host");
	default:
		return fmt(buf, size, "/host:[%llu]", (unsigned long long)h->ino);
	}
}

static int host_file_fsync(struct file *f, bool data_only)
{
	struct hostfile *h = f->private;

	if (h->kind != JABI_STDIO_FILE)
		return -EINVAL;
	return host_fsync_park(h->fd, data_only);
}

static int new_file(struct hostfile *h, unsigned flags, struct file **out)
{
	return file_alloc(h->kind == JABI_STDIO_FILE ? &host_seek_ops : &host_stream_ops, flags, h, out);
}

static int host_file_reopen(struct file *f, unsigned flags, struct file **out)
{
	struct hostfile *h = f->private;
	u32 want = (flags & O_ACCMODE) == O_RDONLY ? FMODE_READ : (flags & O_ACCMODE) == O_WRONLY ? FMODE_WRITE : 3;
	int err;

	if ((want & f->mode_rw) != want)
		return -EACCES;
	err = new_file(h, flags & (O_ACCMODE | FLAG_NONBLOCK | FLAG_APPEND), out);
	if (!err)
		ref_get(&h->ref);
	return err;
}

static void host_file_release(struct file *f)
{
	hostfile_put(f->private); /* the host descriptor stays: the other kProcs share the table */
}

#define HOST_OPS                                                                                                       \
	.name = "host", .read = host_file_read, .write = host_file_write, .poll = host_file_poll, .ioctl = host_file_ioctl, \
	.getattr = host_file_getattr, .link_name = host_file_link_name, .fsync = host_file_fsync, .reopen = host_file_reopen, \
	.release = host_file_release
static const struct file_ops host_stream_ops = { HOST_OPS };
static const struct file_ops host_seek_ops = { HOST_OPS, .seek = host_file_seek };

int hostfile_create(int host_fd, u32 kind, u32 oflags, u32 mode, u64 dev, u64 ino, u64 rdev, struct file **out)
{
	struct hostfile *h = slab_zalloc(&hostfile_slab);
	int err;

	if (!h)
		return -ENOMEM;
	ref_init(&h->ref);
	waitq_init(&h->wait);
	h->fd = host_fd;
	h->kind = kind;
	h->mode = mode;
	h->dev = dev;
	h->ino = ino;
	h->rdev = rdev;
	if (kind == JABI_STDIO_TTY) {
		h->job = &host_tty_job;
		h->job->is_host = true;
		if (host_tty_fd < 0)
			host_tty_fd = host_fd;
		if (!host_tty_named) {
			u32 major = RDEV_MAJOR(rdev);

			host_tty_index = pty_adopt_host(major >= 136 && major < 144 ? (major - 136) * 256 + RDEV_MINOR(rdev) : 0);
			host_tty_named = true;
		}
	}
	err = new_file(h, oflags & (O_ACCMODE | FLAG_APPEND | FLAG_NONBLOCK), out);
	if (err)
		slab_free(&hostfile_slab, h);
	return err;
}

bool file_is_host_tty(const struct file *f)
{
	return (f->ops == &host_stream_ops || f->ops == &host_seek_ops) && ((struct hostfile *)f->private)->job;
}

int host_tty_open(unsigned flags, struct file **out)
{
	return host_tty_fd < 0 ? -ENXIO : hostfile_create(host_tty_fd, JABI_STDIO_TTY, flags, S_IFCHR | 0620, 0, 0, RDEV(5, 0), out);
}

void host_tty_attach(int fd, int sid, int pgid)
{
	host_tty_fd = fd;
	host_tty_job.is_host = true;
	store_relaxed(&host_tty_job.session, sid);
	store_relaxed(&host_tty_job.pgrp, pgid);
	proc_hooks->set_ctty(sid, &host_tty_job);
}

int host_tty_foreground(void)
{
	return load_relaxed(&host_tty_job.pgrp);
}
