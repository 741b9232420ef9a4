/* SPDX-License-Identifier: MIT */
/* Data in and out of descriptors: read(2) and its family, sendfile, ioctl, sync, truncation, directory entries. */
#include "userlib/sys/sys_file_calls.h"
#include "userlib/sys/sys_util.h"
#include <asm/ioctls.h>
#include <linux/fadvise.h>
#include <linux/fs.h>

long sys_read(int fd, void __app *buf, size_t len)
{
	bool owned;
	struct file *f = fd_borrow(fd, &owned);
	struct iov_iter it;
	long r;

	if (!f)
		return -EBADF;
	iter_init_app(&it, buf, MIN(len, RW_COUNT_MAX));
	r = (s64)len < 0 && f->mode_rw & 1 ? -EFAULT : io_count(false, file_read(f, &it, NULL, 0));
	fd_return(f, owned);
	return r;
}

long sys_write(int fd, const void __app *buf, size_t len)
{
	bool owned;
	struct file *f = fd_borrow(fd, &owned);
	struct iov_iter it;
	long r;

	if (!f)
		return -EBADF;
	iter_init_app(&it, (void __app *)buf, MIN(len, RW_COUNT_MAX));
	r = (s64)len < 0 && f->mode_rw & 2 ? -EFAULT : io_count(true, file_write(f, &it, NULL, 0));
	fd_return(f, owned);
	return r;
}

/* pos_given: positional calls need a seekable file. pos -1 with the v2 calls = the file position. */
static long do_iter(int fd, struct iov_iter *it, s64 pos, bool pos_given, bool write, u32 rwf)
{
	bool owned;
	struct file *f = fd_borrow(fd, &owned);
	long r;

	if (!f)
		return -EBADF;
	if (rwf & ~0x1fu)
		r = -EOPNOTSUPP;
	else if (pos_given && pos < 0)
		r = -EINVAL;
	else if (pos_given && !f->ops->seek)
		r = -ESPIPE;
	else if (write)
		r = io_count(true, file_write(f, it, pos_given ? &pos : NULL, rwf));
	else
		r = io_count(false, file_read(f, it, pos_given ? &pos : NULL, rwf));
	fd_return(f, owned);
	return r;
}

long sys_pread64(int fd, void __app *buf, size_t len, s64 pos)
{
	struct iov_iter it;

	iter_init_app(&it, buf, MIN(len, RW_COUNT_MAX));
	return do_iter(fd, &it, pos, true, false, 0);
}

long sys_pwrite64(int fd, const void __app *buf, size_t len, s64 pos)
{
	struct iov_iter it;

	iter_init_app(&it, (void __app *)buf, MIN(len, RW_COUNT_MAX));
	return do_iter(fd, &it, pos, true, true, 0);
}

static long do_vector(int fd, const void __app *iov, u64 nr, s64 pos, bool pos_given, bool write, u32 rwf)
{
	struct app_iov v;
	long r = iov_get(&v, iov, nr);

	if (r)
		return r;
	r = do_iter(fd, &v.it, pos, pos_given, write, rwf);
	iov_free(&v);
	return r;
}

long sys_readv(int fd, const void __app *iov, u64 nr)
{
	return do_vector(fd, iov, nr, 0, false, false, 0);
}
long sys_writev(int fd, const void __app *iov, u64 nr)
{
	return do_vector(fd, iov, nr, 0, false, true, 0);
}
long sys_preadv(int fd, const void __app *iov, u64 nr, s64 pos)
{
	return do_vector(fd, iov, nr, pos, true, false, 0);
}
long sys_pwritev(int fd, const void __app *iov, u64 nr, s64 pos)
{
	return do_vector(fd, iov, nr, pos, true, true, 0);
}
long sys_preadv2(int fd, const void __app *iov, u64 nr, s64 pos, u64 pos_high, int rwf)
{
	(void)pos_high;
	return do_vector(fd, iov, nr, pos, pos != -1, false, (u32)rwf);
}
long sys_pwritev2(int fd, const void __app *iov, u64 nr, s64 pos, u64 pos_high, int rwf)
{
	(void)pos_high;
	return do_vector(fd, iov, nr, pos, pos != -1, true, (u32)rwf);
}

long sys_lseek(int fd, s64 off, int whence)
{
	bool owned;
	struct file *f = fd_borrow(fd, &owned);
	long r;

	if (!f)
		return -EBADF;
	if (!f->ops->seek) {
		r = -ESPIPE;
	} else if ((unsigned)whence > 4) {
		r = -EINVAL;
	} else {
		mutex_lock(&f->pos_lock);
		r = f->ops->seek(f, off, whence);
		mutex_unlock(&f->pos_lock);
	}
	fd_return(f, owned);
	return r;
}

#define COPY_CHUNK 65536ul

/* Moves up to len bytes through a kernel buffer. NULL positions: the files' own. */
static long copy_between(struct file *in, s64 *in_pos, struct file *out, s64 *out_pos, size_t len)
{
	void *buf = kmem_alloc(COPY_CHUNK);
	long total = 0;

	if (!buf)
		return -ENOMEM;
	while (len) {
		struct iov_iter it;
		s64 at = in_pos ? *in_pos : in->pos;
		ssize n, w = 0;

		iter_init_kernel(&it, buf, MIN(len, COPY_CHUNK));
		n = file_read(in, &it, in_pos || in->ops->seek ? &at : NULL, 0);
		if (n <= 0) {
			total = total ? total : n;
			break;
		}
		iter_init_kernel(&it, buf, (size_t)n);
		while (it.count) {
			ssize one = file_write(out, &it, out_pos, 0);

			if (one <= 0) {
				total = total || w ? total : one;
				break;
			}
			w += one;
		}
		if (w > 0) {
			if (in_pos)
				*in_pos += w;
			else
				in->pos += in->ops->seek ? w : 0;
			total += w;
			len -= (size_t)w;
		}
		if (w < n)
			break;
	}
	kmem_free(buf, COPY_CHUNK);
	(void)io_count(false, total);
	return io_count(true, total);
}

long sys_sendfile(int out_fd, int in_fd, s64 __app *upos, size_t count)
{
	struct file *in = fd_file(in_fd), *out = fd_file(out_fd);
	s64 pos;
	long r = -EBADF;

	if (!in || !out)
		goto out;
	r = -EFAULT;
	if (upos && get_app(pos, upos))
		goto out;
	r = -EINVAL;
	if (!in->ops->seek || (upos && pos < 0) || out->flags & O_APPEND)
		goto out;
	r = copy_between(in, upos ? &pos : NULL, out, NULL, MIN(count, RW_COUNT_MAX));
	if (upos && r > 0 && put_app(pos, upos))
		r = -EFAULT;
out:
	if (in)
		file_put(in);
	if (out)
		file_put(out);
	return r;
}

long sys_copy_file_range(int in_fd, s64 __app *in_upos, int out_fd, s64 __app *out_upos, size_t len, unsigned flags)
{
	struct file *in = fd_file(in_fd), *out = fd_file(out_fd);
	s64 ip, op;
	long r = -EBADF;

	if (!in || !out)
		goto out;
	r = -EINVAL;
	if (flags)
		goto out;
	if (!in->inode || !out->inode || !S_ISREG(in->inode->mode) || !S_ISREG(out->inode->mode)) {
		r = in->inode && out->inode && (S_ISDIR(in->inode->mode) || S_ISDIR(out->inode->mode)) ? -EISDIR : -EINVAL;
		goto out;
	}
	r = -EBADF;
	if (out->flags & O_APPEND || !(in->mode_rw & 1) || !(out->mode_rw & 2))
		goto out;
	r = -EFAULT;
	if ((in_upos && get_app(ip, in_upos)) || (out_upos && get_app(op, out_upos)))
		goto out;
	r = copy_between(in, in_upos ? &ip : NULL, out, out_upos ? &op : NULL, MIN(len, RW_COUNT_MAX));
	if (r > 0 && ((in_upos && put_app(ip, in_upos)) || (out_upos && put_app(op, out_upos))))
		r = -EFAULT;
out:
	if (in)
		file_put(in);
	if (out)
		file_put(out);
	return r;
}

long sys_ioctl(int fd, unsigned cmd, unsigned long arg)
{
	struct file *f = fd_file(fd);
	long r = 0;
	int on;

	if (!f)
		return -EBADF;
	switch (cmd) {
	case FIOCLEX:
	case FIONCLEX:
		r = fdtab_set_cloexec(uproc_self()->files, fd, cmd == FIOCLEX);
		break;
	case FIONBIO:
		if (get_app(on, (int __app *)arg))
			r = -EFAULT;
		else if (on)
			atomic_fetch_or(&f->flags, (u32)O_NONBLOCK);
		else
			atomic_fetch_and(&f->flags, ~(u32)O_NONBLOCK);
		break;
	case FIONREAD:
		if (f->inode && S_ISREG(f->inode->mode)) {
			struct kstat st;

			r = vfs_getattr(&f->path, &st);
			if (!r)
				r = put_app((int)MAX((s64)st.size - f->pos, 0l), (int __app *)arg);
			break;
		}
		/* fall through */
	default:
		r = f->ops->ioctl ? f->ops->ioctl(f, cmd, arg) : -ENOTTY;
	}
	file_put(f);
	return r;
}

static long do_fsync(int fd, bool data_only)
{
	struct file *f = fd_file(fd);
	long r;

	if (!f)
		return -EBADF;
	r = f->ops->fsync ? f->ops->fsync(f, data_only) : -EINVAL;
	file_put(f);
	return r;
}
long sys_fsync(int fd)
{
	return do_fsync(fd, false);
}
long sys_fdatasync(int fd)
{
	return do_fsync(fd, true);
}
/* Memory file systems have nothing to flush; host files are written through, their durability is fsync's business. */
long sys_sync(void)
{
	return 0;
}
long sys_syncfs(int fd)
{
	struct file *f = fd_file(fd);

	if (!f)
		return -EBADF;
	file_put(f);
	return 0;
}
long sys_sync_file_range(int fd, s64 off, s64 len, unsigned flags)
{
	if (off < 0 || len < 0 || flags & ~7u)
		return -EINVAL;
	return do_fsync(fd, true);
}

long sys_fallocate(int fd, int mode, s64 off, s64 len)
{
	struct file *f = fd_file(fd);
	long r;

	if (!f)
		return -EBADF;
	if (off < 0 || len <= 0)
		r = -EINVAL;
	else if (!(f->mode_rw & 2))
		r = -EBADF;
	else if (off > INT64_MAX - len)
		r = -EFBIG;
	else if (!f->inode || !S_ISREG(f->inode->mode))
		r = f->inode && S_ISDIR(f->inode->mode) ? -EISDIR : f->inode && S_ISFIFO(f->inode->mode) ? -ESPIPE : -ENODEV;
	else
		r = f->inode->ops->fallocate ? vfs_drop_suid(f->inode, &uproc_self()->cred) : -EOPNOTSUPP;
	if (!r)
		r = f->inode->ops->fallocate(f->inode, mode, (u64)off, (u64)len);
	file_put(f);
	return r;
}

long sys_ftruncate(int fd, s64 len)
{
	struct file *f = fd_file(fd);
	long r;

	if (!f)
		return -EBADF;
	if (len < 0 || !(f->mode_rw & 2) || !f->inode || !S_ISREG(f->inode->mode))
		r = -EINVAL;
	else
		r = vfs_drop_suid(f->inode, &uproc_self()->cred);
	if (!r)
		r = vfs_truncate(f->inode, (u64)len);
	if (!r)
		fs_notify_path(&f->path, 2 /* IN_MODIFY */);
	file_put(f);
	return r;
}

long sys_truncate(const char __app *path, s64 len)
{
	struct at_path a;
	struct path p;
	long r;

	if (len < 0)
		return -EINVAL;
	r = at_get(&a, AT_FDCWD, path, 0);
	if (r)
		return r;
	r = at_resolve(&a, true, &p);
	if (!r) {
		struct inode *i = path_inode(&p);

		r = S_ISDIR(i->mode) ? -EISDIR : !S_ISREG(i->mode) ? -EINVAL : vfs_permission(&p, 2, a.w.cred);
		if (!r)
			r = vfs_drop_suid(i, a.w.cred);
		if (!r)
			r = vfs_truncate(i, (u64)len);
		if (!r)
			fs_notify_path(&p, 2 /* IN_MODIFY */);
		path_put(&p);
	}
	at_put(&a);
	return r;
}

#define PREFETCH_MAX (256 * MiB) /* of one call: the rest is read when it is needed */

static void prefetch(struct file *f, s64 off, u64 len)
{
	struct kstat st;

	if (off < 0 || !S_ISREG(f->inode->mode) || !f->inode->ops->prefetch || f->inode->ops->getattr(f->inode, &st) ||
	    (u64)off >= st.size)
		return;
	len = MIN(len, st.size - (u64)off);
	f->inode->ops->prefetch(f->inode, (u64)off, MIN(len, (u64)PREFETCH_MAX));
}

long sys_fadvise64(int fd, s64 off, s64 len, int advice)
{
	struct file *f = fd_file(fd);
	long r = 0;

	if (!f)
		return -EBADF;
	if (!f->inode || S_ISFIFO(f->inode->mode))
		r = -ESPIPE;
	else if (len < 0 || advice < POSIX_FADV_NORMAL || advice > POSIX_FADV_NOREUSE)
		r = -EINVAL;
	else if (advice == POSIX_FADV_WILLNEED && (f->mode_rw & 1))
		prefetch(f, off, len ? (u64)len : (u64)INT64_MAX);
	file_put(f);
	return r;
}

long sys_readahead(int fd, s64 off, size_t len)
{
	struct file *f = fd_file(fd);
	long r;

	if (!f)
		return -EBADF;
	r = !(f->mode_rw & 1) ? -EBADF : f->inode && S_ISREG(f->inode->mode) ? 0 : -EINVAL;
	if (!r)
		prefetch(f, off, len);
	file_put(f);
	return r;
}

/* ---- directory entries ---- */

struct dents {
	struct dir_ctx ctx;
	char __app *buf;
	size_t left, used;
	bool old_layout; /* getdents(2): d_type in the last byte */
	int error;
	s64 next;
};

static bool emit_dent(struct dir_ctx *c, const char *name, unsigned len, u64 ino, unsigned d_type, s64 next)
{
	struct dents *d = container_of(c, struct dents, ctx);
	size_t head = d->old_layout ? 18 : 19, size = ROUND_UP(head + len + (d->old_layout ? 2 : 1), 8ul);
	char rec[320];

	if (len > NAME_MAX_LEN) {
		d->error = -EIO;
		return false;
	}
	if (size > d->left) {
		if (!d->used)
			d->error = -EINVAL;
		return false;
	}
	memset(rec, 0, size);
	memcpy(rec, &ino, 8);
	memcpy(rec + 8, &next, 8);
	*(u16 *)(rec + 16) = (u16)size;
	if (!d->old_layout)
		rec[18] = (char)d_type;
	else
		rec[size - 1] = (char)d_type;
	memcpy(rec + head, name, len);
	if (copy_to_app(d->buf + d->used, rec, size)) {
		d->error = -EFAULT;
		return false;
	}
	d->used += size;
	d->left -= size;
	d->next = next;
	return true;
}

static long do_getdents(int fd, void __app *buf, unsigned size, bool old_layout)
{
	struct file *f = fd_file(fd);
	struct dents d = { .ctx = { .emit = emit_dent }, .buf = buf, .left = size, .old_layout = old_layout };
	long r;

	if (!f)
		return -EBADF;
	if (!f->ops->readdir) {
		file_put(f);
		return -ENOTDIR;
	}
	mutex_lock(&f->pos_lock);
	d.ctx.cookie = d.next = f->pos;
	r = f->ops->readdir(f, &d.ctx);
	if (d.used)
		f->pos = d.next;
	mutex_unlock(&f->pos_lock);
	file_put(f);
	if (d.used)
		return (long)d.used;
	return d.error ? d.error : r < 0 ? r : 0;
}

long sys_getdents64(int fd, void __app *buf, unsigned size)
{
	return do_getdents(fd, buf, size, false);
}
long sys_getdents(int fd, void __app *buf, unsigned size)
{
	return do_getdents(fd, buf, size, true);
}
