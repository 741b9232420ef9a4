/* SPDX-License-Identifier: MIT */
/* pipe(2), splice(2), tee(2), vmsplice(2). */
#include "userlib/file/file_internal.h"
#include "userlib/sys/sys_event_calls.h"
#include "userlib/sys/sys_util.h"

#define SPLICE_NONBLOCK 2u
#define SPLICE_KNOWN 0xfu

long sys_pipe2(int __app *fds, int flags)
{
	bool cloexec = flags & O_CLOEXEC;
	struct file *rd, *wr;
	int fd[2];
	long r;

	if (flags & ~(O_CLOEXEC | O_NONBLOCK | O_DIRECT))
		return -EINVAL;
	r = pipe_create((unsigned)flags, &rd, &wr);
	if (r)
		return r;
	r = fd_install(rd, cloexec);
	if (r < 0) {
		file_put(wr);
		return r;
	}
	fd[0] = (int)r;
	r = fd_install(wr, cloexec);
	if (r < 0)
		goto err_rd;
	fd[1] = (int)r;
	if (!copy_to_app(fds, fd, sizeof(fd)))
		return 0;
	(void)fdtab_close(uproc_self()->files, fd[1]);
	r = -EFAULT;
err_rd:
	(void)fdtab_close(uproc_self()->files, fd[0]);
	return r;
}

long sys_pipe(int __app *fds)
{
	return sys_pipe2(fds, 0);
}

struct xfer {
	struct file *f;
	s64 *pos; /* NULL: file position */
	u32 rwf;
};

static ssize xfer_read(void *arg, void *mem, size_t n)
{
	struct xfer *x = arg;
	struct iov_iter it;

	iter_init_kernel(&it, mem, n);
	return file_read(x->f, &it, x->pos, x->rwf);
}

static ssize xfer_write(void *arg, void *mem, size_t n)
{
	struct xfer *x = arg;
	struct iov_iter it;

	iter_init_kernel(&it, mem, n);
	return file_write(x->f, &it, x->pos, x->rwf);
}

static int get_pair(int in, int out, struct file **fi, struct file **fo)
{
	*fi = fd_file(in);
	*fo = *fi ? fd_file(out) : NULL;
	if (*fo && ((*fi)->mode_rw & FMODE_READ) && ((*fo)->mode_rw & FMODE_WRITE))
		return 0;
	if (*fo)
		file_put(*fo);
	if (*fi)
		file_put(*fi);
	return -EBADF;
}

static long splice_pos(struct file *f, s64 __app *upos, s64 *pos)
{
	if (!upos)
		return 0;
	if (f->mode_rw & FMODE_STREAM)
		return -ESPIPE;
	if (copy_from_app(pos, upos, sizeof(*pos)))
		return -EFAULT;
	return *pos < 0 ? -EINVAL : 0;
}

static long splice_check(struct file *fi, struct file *fo)
{
	if (!file_is_pipe(fi) && !file_is_pipe(fo))
		return -EINVAL;
	if (file_is_pipe(fi) && file_is_pipe(fo) && fi->private == fo->private)
		return -EINVAL;
	return !file_is_pipe(fo) && (fo->flags & O_APPEND) ? -EINVAL : 0;
}

long sys_splice(int in, s64 __app *in_pos, int out, s64 __app *out_pos, size_t len, unsigned flags)
{
	bool nb = flags & SPLICE_NONBLOCK;
	s64 ipos = 0, opos = 0;
	struct file *fi, *fo;
	long r;

	if (!len)
		return 0;
	if (flags & ~SPLICE_KNOWN)
		return -EINVAL;
	r = get_pair(in, out, &fi, &fo);
	if (r)
		return r;
	r = splice_pos(fi, in_pos, &ipos);
	if (!r)
		r = splice_pos(fo, out_pos, &opos);
	if (!r)
		r = splice_check(fi, fo);
	if (!r) {
		struct xfer i = { fi, in_pos ? &ipos : NULL, nb && file_is_pipe(fi) ? RWF_NOWAIT_BIT : 0 };
		struct xfer o = { fo, out_pos ? &opos : NULL, 0 };

		len = MIN(len, RW_COUNT_MAX);
		r = file_is_pipe(fo) ? pipe_fill(fo, len, nb, xfer_read, &i) : pipe_drain(fi, len, nb, xfer_write, &o);
		if (r >= 0 && ((in_pos && copy_to_app(in_pos, &ipos, sizeof(ipos))) ||
			       (out_pos && copy_to_app(out_pos, &opos, sizeof(opos)))))
			r = -EFAULT;
	}
	file_put(fi);
	file_put(fo);
	return r;
}

long sys_tee(int in, int out, size_t len, unsigned flags)
{
	struct file *fi, *fo;
	long r;

	if (flags & ~SPLICE_KNOWN)
		return -EINVAL;
	if (!len)
		return 0;
	r = get_pair(in, out, &fi, &fo);
	if (r)
		return r;
	r = file_is_pipe(fi) && file_is_pipe(fo) ? pipe_tee(fi, fo, MIN(len, RW_COUNT_MAX), flags & SPLICE_NONBLOCK) : -EINVAL;
	file_put(fi);
	file_put(fo);
	return r;
}

long sys_vmsplice(int fd, const void __app *iov, unsigned long n, unsigned flags)
{
	u32 rwf = flags & SPLICE_NONBLOCK ? RWF_NOWAIT_BIT : 0;
	struct app_iov v;
	struct file *f;
	long r;

	if (flags & ~SPLICE_KNOWN)
		return -EINVAL;
	f = fd_file(fd);
	if (!f)
		return -EBADF;
	r = file_is_pipe(f) ? iov_get(&v, iov, n) : -EBADF;
	if (!r) {
		r = f->mode_rw & FMODE_WRITE ? file_write(f, &v.it, NULL, rwf) : file_read(f, &v.it, NULL, rwf);
		iov_free(&v);
	}
	file_put(f);
	return r;
}
