/* SPDX-License-Identifier: MIT */
/* Plain files and directories: the position, O_APPEND, RLIMIT_FSIZE, lseek(2). The data are fs/'s. */
#include "userlib/file/file_internal.h"
#include "userlib/base/string.h"
#include <linux/fs.h>

#define RLIMIT_FSIZE_NR 1
#define SIGXFSZ_NR 25

static ssize file_data_read(struct file *f, struct iov_iter *it, s64 *pos, u32 rwf)
{
	ssize n;

	(void)rwf;
	if ((f->inode->mode & S_IFMT) == S_IFDIR)
		return -EISDIR;
	n = vfs_read(&f->path, it, (u64)*pos);
	if (n > 0)
		*pos += n;
	return n;
}

/* Cuts a write at RLIMIT_FSIZE: what was cut, or -EFBIG if nothing may be written (and the signal is sent). */
static s64 limit_write(struct file *f, struct iov_iter *it, s64 pos)
{
	u64 lim = proc_hooks ? proc_hooks->rlimit(RLIMIT_FSIZE_NR) : ~0ull;
	s64 cut;

	(void)f;
	if (lim > INT64_MAX || !it->count)
		return 0;
	if ((u64)pos >= lim) {
		proc_hooks->send_signal_self(SIGXFSZ_NR);
		return -EFBIG;
	}
	cut = (s64)it->count - (s64)(lim - (u64)pos);
	if (cut <= 0)
		return 0;
	it->count -= (size_t)cut;
	return cut;
}

static ssize file_data_write(struct file *f, struct iov_iter *it, s64 *pos, u32 rwf)
{
	bool append = (load_relaxed(&f->flags) & FLAG_APPEND) || (rwf & RWF_APPEND_BIT);
	u64 at = (u64)*pos;
	s64 cut;
	ssize n;

	if ((f->inode->mode & S_IFMT) == S_IFDIR)
		return -EISDIR;
	cut = limit_write(f, it, append ? inode_file_size(f) : (s64)at);
	if (cut < 0)
		return cut;
	n = it->count && proc_hooks ? vfs_drop_suid(f->inode, proc_hooks->current_cred()) : 0;
	if (!n)
		n = vfs_write(&f->path, it, &at, append);
	it->count += (size_t)cut;
	if (n <= 0)
		return n;
	*pos = (s64)at;
	if (((rwf & RWF_SYNC_BITS) || (f->flags & (O_SYNC | O_DSYNC))) && f->inode->ops->fsync) {
		int err = f->inode->ops->fsync(f->inode, !(f->flags & (O_SYNC & ~O_DSYNC)));

		if (err)
			return err;
	}
	return n;
}

s64 inode_file_size(struct file *f)
{
	struct kstat st;
	int err = vfs_getattr(&f->path, &st);

	return err ? err : (s64)st.size;
}

static s64 seek_hole_data(struct file *f, s64 off, bool hole)
{
	s64 size = inode_file_size(f);

	if (size < 0)
		return size;
	if (off < 0 || off >= size)
		return -ENXIO;
	if (f->inode->ops->seek_data)
		return f->inode->ops->seek_data(f->inode, off, hole);
	return hole ? size : off;
}

static s64 file_data_seek(struct file *f, s64 off, int whence)
{
	s64 base = 0, r;

	switch (whence) { /* pos_lock held by the caller */
	case SEEK_SET:
		break;
	case SEEK_CUR:
		base = f->pos;
		break;
	case SEEK_END:
		base = (f->inode->mode & S_IFMT) == S_IFDIR ? 0 : inode_file_size(f);
		break;
	case SEEK_DATA:
	case SEEK_HOLE:
		r = seek_hole_data(f, off, whence == SEEK_HOLE);
		if (r >= 0)
			f->pos = r;
		return r;
	default:
		base = -EINVAL;
	}
	if (base < 0)
		return base;
	if (__builtin_add_overflow(base, off, &r))
		return -EOVERFLOW;
	if (r < 0)
		return -EINVAL;
	f->pos = r;
	return r;
}

static int file_data_readdir(struct file *f, struct dir_ctx *ctx)
{
	return vfs_readdir(&f->path, ctx);
}

static int file_data_fsync(struct file *f, bool data_only)
{
	if (!f->inode->ops->fsync)
		return (f->inode->mode & S_IFMT) == S_IFREG || (f->inode->mode & S_IFMT) == S_IFDIR ? 0 : -EINVAL;
	return f->inode->ops->fsync(f->inode, data_only);
}

static long file_data_ioctl(struct file *f, unsigned cmd, unsigned long arg)
{
	s64 size;
	int v;

	if ((f->inode->mode & S_IFMT) != S_IFREG || cmd != 0x541b /* FIONREAD */)
		return -ENOTTY;
	size = inode_file_size(f);
	if (size < 0)
		return size;
	v = (int)(size - f->pos);
	return copy_to_app((void __app *)arg, &v, sizeof(v));
}

const struct file_ops inode_file_ops = {
	.name = "file",
	.read = file_data_read,
	.write = file_data_write,
	.seek = file_data_seek,
	.ioctl = file_data_ioctl,
	.readdir = file_data_readdir,
	.fsync = file_data_fsync,
};
