/* SPDX-License-Identifier: MIT */
/* struct file: allocation, references, the read/write/poll wrappers every caller goes through. What a file does is in its ops. */
#include "userlib/file/file.h"
#include "userlib/base/string.h"
#include "userlib/file/epoll.h"
#include "userlib/file/file_internal.h"
#include <linux/fs.h>

const struct proc_hooks *proc_hooks;

static struct slab file_slab = SLAB_INIT("file", struct file);
static u64 last_id = 1000;

int file_alloc(const struct file_ops *ops, unsigned flags, void *private, struct file **out)
{
	struct file *f = slab_zalloc(&file_slab);
	unsigned acc = flags & O_ACCMODE;

	if (!f)
		return -ENFILE;
	ref_init(&f->ref);
	f->ops = ops;
	f->flags = flags & ~(O_CREAT | O_EXCL | O_NOCTTY | O_TRUNC | O_CLOEXEC);
	f->mode_rw = flags & O_PATH ? 0 : acc == O_RDONLY ? 1 : acc == O_WRONLY ? 2 : acc == O_RDWR ? 3 : 0;
	f->private = private;
	mutex_init(&f->pos_lock);
	list_init(&f->epoll_items);
	f->id = atomic_fetch_add(&last_id, 1ull);
	*out = f;
	return 0;
}

void file_put(struct file *f)
{
	if (!ref_put(&f->ref))
		return;
	if (!list_empty(&f->epoll_items))
		epoll_file_release(f);
	if (f->ops->release)
		f->ops->release(f);
	if (f->path.mnt)
		path_put(&f->path);
	slab_free(&file_slab, f);
}

int file_open_path(struct path *p, unsigned open_flags, const struct cred *c, struct file **out)
{
	struct inode *i = path_inode(p);
	struct file *f;
	int r;

	if (open_flags & O_PATH) {
		r = file_alloc(&path_file_ops, open_flags & (O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC), NULL, &f);
	} else if (i->ops->open_file && (S_ISCHR(i->mode) || S_ISFIFO(i->mode) || S_ISREG(i->mode) || S_ISDIR(i->mode))) {
		r = i->ops->open_file(i, p, open_flags, c, &f);
		if (r == -ENXIO && (S_ISREG(i->mode) || S_ISDIR(i->mode)))
			r = inode_file_open(i, open_flags, &f);
	} else if (S_ISREG(i->mode) || S_ISDIR(i->mode)) {
		r = inode_file_open(i, open_flags, &f);
	} else {
		r = S_ISLNK(i->mode) ? -ELOOP : -ENXIO;
	}
	if (r)
		return r;
	if (!f->path.mnt) {
		f->path = *p;
		path_get(&f->path);
		f->inode = i;
	}
	*out = f;
	return 0;
}

static ssize check_io(struct file *f, unsigned need, bool has_op)
{
	if (!(f->mode_rw & need))
		return -EBADF;
	return has_op ? 0 : -EINVAL;
}

ssize file_read(struct file *f, struct iov_iter *it, s64 *pos, u32 rwf_flags)
{
	ssize r = check_io(f, 1, f->ops->read != NULL);
	bool own_pos = !pos && f->ops->seek;

	if (r)
		return r;
	if (!own_pos)
		return f->ops->read(f, it, pos ? pos : &f->pos, rwf_flags);
	mutex_lock(&f->pos_lock);
	r = f->ops->read(f, it, &f->pos, rwf_flags);
	mutex_unlock(&f->pos_lock);
	return r;
}

ssize file_write(struct file *f, struct iov_iter *it, s64 *pos, u32 rwf_flags)
{
	ssize r = check_io(f, 2, f->ops->write != NULL);
	bool own_pos = !pos && f->ops->seek;

	if (r)
		return r;
	if (!own_pos)
		return f->ops->write(f, it, pos ? pos : &f->pos, rwf_flags);
	mutex_lock(&f->pos_lock);
	r = f->ops->write(f, it, &f->pos, rwf_flags);
	mutex_unlock(&f->pos_lock);
	return r;
}

u32 file_poll(struct file *f, struct poll_table *pt)
{
	if (f->flags & O_PATH)
		return EPOLLNVAL;
	return f->ops->poll ? f->ops->poll(f, pt) : EPOLLIN | EPOLLOUT | EPOLLRDNORM | EPOLLWRNORM;
}
