/* SPDX-License-Identifier: MIT */
/* Life of open files, opening by path, and the whole-call read/write/poll entry points. What a kind of file does is in its own .c. */
#include "userlib/file/file_internal.h"
#include "fs/flock.h"
#include "userlib/base/string.h"

static struct slab file_slab = SLAB_INIT("file", struct file);
static u64 next_id = 100;
const struct proc_hooks *proc_hooks;

u64 file_next_id(void)
{
	return atomic_fetch_add(&next_id, 1ull);
}

static u32 mode_of_flags(unsigned flags)
{
	if (flags & FLAG_PATH)
		return FMODE_PATH;
	switch (flags & O_ACCMODE) {
	case O_RDONLY:
		return FMODE_READ;
	case O_WRONLY:
		return FMODE_WRITE;
	case O_RDWR:
		return FMODE_READ | FMODE_WRITE;
	default:
		return 0; /* access mode 3: ioctl only */
	}
}

int file_alloc(const struct file_ops *ops, unsigned flags, void *private, struct file **out)
{
	struct file *f = slab_zalloc(&file_slab);

	if (!f)
		return -ENOMEM;
	ref_init(&f->ref);
	f->ops = ops;
	f->flags = flags & ~(FLAG_CLOEXEC | O_CREAT | O_EXCL | O_NOCTTY | O_TRUNC);
	f->mode_rw = mode_of_flags(flags) | (ops->seek ? 0 : FMODE_STREAM);
	f->private = private;
	f->id = file_next_id();
	mutex_init(&f->pos_lock);
	spin_init(&f->epitem_lock);
	list_init(&f->epoll_items);
	*out = f;
	return 0;
}

void file_put(struct file *f)
{
	struct inode *i = f->inode;

	if (!ref_put(&f->ref))
		return;
	if (f->mode_rw & FMODE_EPOLL)
		epoll_file_release(f);
	if (f->fasync)
		file_async_stop(f);
	if (i && !(f->mode_rw & FMODE_PATH)) {
		flock_release_file(i, f);
		fs_notify_path(&f->path, f->mode_rw & FMODE_WRITE ? 0x8 /* IN_CLOSE_WRITE */ : 0x10 /* IN_CLOSE_NOWRITE */);
	}
	if (f->ops->release)
		f->ops->release(f);
	if (f->mode_rw & FMODE_OPENED && i->ops->release)
		i->ops->release(i, f->flags);
	if (f->mode_rw & FMODE_WRITE_REF)
		inode_write_put(i);
	if (f->path.mnt)
		path_put(&f->path);
	slab_free(&file_slab, f);
}

static void set_path(struct file *f, struct path *p)
{
	if (f->path.mnt)
		return;
	f->path = *p;
	f->inode = path_inode(p);
	path_get(p);
}

const struct file_ops path_only_ops = { .name = "path" };

/* See file.h. The permission check was vfs_open's. */
int file_open_path(struct path *p, unsigned flags, const struct cred *c, struct file **out)
{
	struct inode *i = path_inode(p);
	bool wr = (flags & O_ACCMODE) != O_RDONLY, regular = (i->mode & S_IFMT) == S_IFREG;
	struct file *f;
	int err;

	if (flags & FLAG_PATH) {
		err = file_alloc(&path_only_ops, flags & (FLAG_PATH | O_DIRECTORY | O_NOFOLLOW), NULL, &f);
		if (!err) {
			set_path(f, p);
			*out = f;
		}
		return err;
	}
	if ((i->mode & S_IFMT) == S_IFSOCK)
		return -ENXIO;
	if (i->ops->open_file) {
		err = i->ops->open_file(i, p, flags, c, &f);
		if (err)
			return err;
		set_path(f, p);
	} else {
		if (regular && wr) {
			err = inode_write_get(i);
			if (err)
				return err;
		}
		if (i->ops->open) {
			err = i->ops->open(i, flags);
			if (err)
				goto err_write;
		}
		err = file_alloc(&inode_file_ops, flags, NULL, &f);
		if (err)
			goto err_open;
		set_path(f, p);
		f->mode_rw |= (i->ops->open ? FMODE_OPENED : 0) | (regular && wr ? FMODE_WRITE_REF : 0);
	}
	fs_notify_path(p, 0x20 /* IN_OPEN */);
	*out = f;
	return 0;
err_open:
	if (i->ops->release)
		i->ops->release(i, flags);
err_write:
	if (regular && wr)
		inode_write_put(i);
	return err;
}

int file_reopen(struct file *f, unsigned flags, const struct cred *c, struct file **out)
{
	if (f->ops->reopen)
		return f->ops->reopen(f, flags, out);
	if (f->path.mnt)
		return file_open_path(&f->path, flags, c, out);
	return -ENXIO;
}

int file_getattr(struct file *f, struct kstat *st)
{
	memset(st, 0, sizeof(*st));
	st->btime_ns = -1;
	if (f->path.mnt && !f->ops->getattr)
		return vfs_getattr(&f->path, st);
	if (f->ops->getattr && !f->path.mnt) {
		st->ino = f->id;
		st->dev = RDEV(0, 14);
		st->nlink = 1;
		st->blksize = PAGE_SIZE;
		return f->ops->getattr(f, st);
	}
	if (f->path.mnt)
		return vfs_getattr(&f->path, st);
	st->dev = RDEV(0, 15);
	st->ino = f->id;
	st->mode = 0600;
	st->nlink = 1;
	st->blksize = PAGE_SIZE;
	return 0;
}

int file_link_name(struct file *f, const struct path *root, char *buf, size_t size)
{
	ssize n;

	if (f->ops->link_name) {
		int r = f->ops->link_name(f, buf, size);

		if (r != -ENODATA)
			return r;
	}
	if (f->path.mnt) {
		n = path_name(&f->path, root, buf, size, true);
		return n > 0 ? (int)n - 1 : (int)n;
	}
	return fmt(buf, size, "anon_inode:[%s]", f->ops->name);
}

static bool is_stream(const struct file *f)
{
	return f->mode_rw & FMODE_STREAM;
}

ssize file_read(struct file *f, struct iov_iter *it, s64 *pos, u32 rwf)
{
	s64 none = 0;
	ssize n;

	if (!(f->mode_rw & FMODE_READ))
		return -EBADF;
	if (!f->ops->read)
		return -EINVAL;
	if (is_stream(f))
		return pos ? -ESPIPE : f->ops->read(f, it, &none, rwf);
	if (pos)
		return *pos < 0 ? -EINVAL : f->ops->read(f, it, pos, rwf);
	mutex_lock(&f->pos_lock);
	n = f->ops->read(f, it, &f->pos, rwf);
	mutex_unlock(&f->pos_lock);
	return n;
}

ssize file_write(struct file *f, struct iov_iter *it, s64 *pos, u32 rwf)
{
	s64 none = 0;
	ssize n;

	if (!(f->mode_rw & FMODE_WRITE))
		return -EBADF;
	if (!f->ops->write)
		return -EINVAL;
	if (is_stream(f))
		return pos ? -ESPIPE : f->ops->write(f, it, &none, rwf);
	if (pos)
		return *pos < 0 ? -EINVAL : f->ops->write(f, it, pos, rwf);
	mutex_lock(&f->pos_lock);
	n = f->ops->write(f, it, &f->pos, rwf);
	mutex_unlock(&f->pos_lock);
	return n;
}

u32 file_poll(struct file *f, struct poll_table *pt)
{
	if (!f->ops->poll)
		return POLL_IN | POLL_OUT;
	return f->ops->poll(f, pt);
}

void file_init(void)
{
	pipe_init();
	chardev_init();
	tty_init();
}
