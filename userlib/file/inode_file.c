/* SPDX-License-Identifier: MIT */
/* Ordinary files and directories: file_ops over inode_ops. Position and append semantics are here, data is the file system's. */
#include "userlib/file/file_internal.h"
#include <linux/fs.h>
#include <linux/inotify.h>

static ssize ino_read(struct file *f, struct iov_iter *it, s64 *pos, u32 rwf)
{
	ssize n;

	if (rwf & ~(u32)(RWF_HIPRI | RWF_NOWAIT))
		return -EOPNOTSUPP;
	if (S_ISDIR(f->inode->mode))
		return -EISDIR;
	if (!f->inode->ops->read)
		return -EINVAL;
	if (*pos < 0)
		return -EINVAL;
	n = f->inode->ops->read(f->inode, it, (u64)*pos);
	if (n > 0)
		*pos += n;
	return n;
}

static ssize ino_write(struct file *f, struct iov_iter *it, s64 *pos, u32 rwf)
{
	bool append = f->flags & O_APPEND || rwf & RWF_APPEND;
	u64 at = (u64)*pos, limit;
	ssize n;

	if (rwf & ~(u32)(RWF_HIPRI | RWF_DSYNC | RWF_SYNC | RWF_APPEND))
		return -EOPNOTSUPP;
	if (!f->inode->ops->write)
		return S_ISDIR(f->inode->mode) ? -EISDIR : -EINVAL;
	if (*pos < 0)
		return -EINVAL;
	limit = proc_hooks ? proc_hooks->rlimit(1 /* RLIMIT_FSIZE */) : ~0ull;
	if (limit != ~0ull && !append && at + it->count > limit) {
		if (at >= limit) {
			proc_hooks->send_signal_self(25 /* SIGXFSZ */);
			return -EFBIG;
		}
		it->count = limit - at;
	}
	n = f->inode->ops->write(f->inode, it, &at, append);
	if (n > 0) {
		*pos = (s64)at + n;
		if ((f->flags & O_DSYNC || rwf & (RWF_DSYNC | RWF_SYNC)) && f->inode->ops->fsync)
			(void)f->inode->ops->fsync(f->inode, true);
	}
	return n;
}

static s64 ino_seek(struct file *f, s64 off, int whence)
{
	struct kstat st;
	s64 base = 0, r;

	switch (whence) {
	case 0:
		break;
	case 1:
		base = f->pos;
		break;
	case 2:
		if (S_ISDIR(f->inode->mode))
			return -EINVAL;
		r = vfs_getattr(&f->path, &st);
		if (r)
			return r;
		base = (s64)st.size;
		break;
	case 3: /* SEEK_DATA */
	case 4: /* SEEK_HOLE */
		if (f->inode->ops->seek_data) {
			r = f->inode->ops->seek_data(f->inode, off, whence == 4);
		} else {
			r = vfs_getattr(&f->path, &st);
			if (!r)
				r = off < 0 || off >= (s64)st.size ? -ENXIO : whence == 3 ? off : (s64)st.size;
		}
		if (r >= 0)
			f->pos = r;
		return r;
	default:
		return -EINVAL;
	}
	if (__builtin_add_overflow(base, off, &r))
		return -EOVERFLOW;
	if (r < 0)
		return -EINVAL;
	f->pos = r;
	return r;
}

static int ino_readdir(struct file *f, struct dir_ctx *ctx)
{
	return f->inode->ops->readdir ? f->inode->ops->readdir(f->inode, ctx) : -ENOTDIR;
}

static int ino_getattr(struct file *f, struct kstat *st)
{
	return vfs_getattr(&f->path, st);
}

static int ino_fsync(struct file *f, bool data_only)
{
	return f->inode->ops->fsync ? f->inode->ops->fsync(f->inode, data_only) : 0;
}

static void ino_release(struct file *f)
{
	bool wrote = f->mode_rw & 2;

	if (fs_notify_hook)
		fs_notify_hook(NULL, f->inode, NULL, 0, wrote ? IN_CLOSE_WRITE : IN_CLOSE_NOWRITE, 0);
	if (wrote && S_ISREG(f->inode->mode))
		__atomic_fetch_sub(&f->inode->writers, 1, __ATOMIC_SEQ_CST);
	if (f->inode->ops->release)
		f->inode->ops->release(f->inode, f->flags);
}

static const struct file_ops inode_file_ops = {
	.name = "inode",
	.read = ino_read,
	.write = ino_write,
	.seek = ino_seek,
	.readdir = ino_readdir,
	.getattr = ino_getattr,
	.fsync = ino_fsync,
	.release = ino_release,
};

int inode_file_open(struct inode *i, unsigned open_flags, struct file **out)
{
	unsigned acc = open_flags & O_ACCMODE;
	bool write = acc == O_WRONLY || acc == O_RDWR;
	int r;

	if (write && S_ISREG(i->mode)) {
		if (load_acquire(&i->writers) < 0)
			return -ETXTBSY;
		__atomic_fetch_add(&i->writers, 1, __ATOMIC_SEQ_CST);
	}
	r = i->ops->open ? i->ops->open(i, open_flags) : 0;
	if (!r) {
		r = file_alloc(&inode_file_ops, open_flags, NULL, out);
		if (r && i->ops->release)
			i->ops->release(i, open_flags);
	}
	if (r && write && S_ISREG(i->mode))
		__atomic_fetch_sub(&i->writers, 1, __ATOMIC_SEQ_CST);
	if (!r && fs_notify_hook)
		fs_notify_hook(NULL, i, NULL, 0, IN_OPEN, 0);
	return r;
}

const struct file_ops path_file_ops = {
	.name = "path",
	.getattr = ino_getattr,
};
