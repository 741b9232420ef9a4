/* SPDX-License-Identifier: MIT */
/* Operations on something already resolved: attributes, data through a path, links' text, extended attributes, statfs, events. */
#include "fs/vfs_internal.h"
#include "userlib/base/log.h"
#include <linux/inotify.h>
#include <linux/limits.h>
#include <linux/xattr.h>

void fs_notify_path(const struct path *p, u32 event)
{
	struct dentry *d = p->dentry, *parent = NULL;
	char name[NAME_MAX_LEN + 1];
	unsigned len = 0;

	if (likely(load_relaxed(&fs_notify_hook) == NULL))
		return;
	spin_lock(&dcache_lock);
	if (d->parent && !d->deleted) {
		parent = dentry_get(d->parent);
		len = d->name_len;
		memcpy(name, d->name, len);
	}
	spin_unlock(&dcache_lock);
	if (S_ISDIR_(d->inode->mode))
		event |= IN_ISDIR;
	fs_notify(parent ? parent->inode : NULL, d->inode, name, len, event, 0);
	if (parent)
		dentry_put(parent);
}

ssize vfs_read(const struct path *p, struct iov_iter *it, u64 pos)
{
	struct inode *i = path_inode(p);
	ssize n;

	if (S_ISDIR_(i->mode))
		return -EISDIR;
	if (!i->ops->read)
		return -EINVAL;
	n = i->ops->read(i, it, pos);
	if (n > 0)
		fs_notify_path(p, IN_ACCESS);
	return n;
}

ssize vfs_write(const struct path *p, struct iov_iter *it, u64 *pos, bool append)
{
	struct inode *i = path_inode(p);
	ssize n;

	if (!i->ops->write)
		return -EINVAL;
	n = i->ops->write(i, it, pos, append);
	if (n > 0)
		fs_notify_path(p, IN_MODIFY);
	return n;
}

int vfs_readdir(const struct path *p, struct dir_ctx *ctx)
{
	struct inode *i = path_inode(p);

	if (!S_ISDIR_(i->mode) || !i->ops->readdir)
		return -ENOTDIR;
	if (load_relaxed(&p->dentry->deleted))
		return -ENOENT;
	return i->ops->readdir(i, ctx);
}

int vfs_fallocate(const struct path *p, int mode, u64 off, u64 len)
{
	struct inode *i = path_inode(p);
	int err;

	if ((s64)off < 0 || (s64)len <= 0)
		return -EINVAL;
	if (S_ISDIR_(i->mode))
		return -EISDIR;
	if (!S_ISREG_(i->mode))
		return (i->mode & S_IFMT) == S_IFIFO ? -ESPIPE : -ENODEV;
	if ((s64)(off + len) < 0)
		return -EFBIG;
	err = i->ops->fallocate ? i->ops->fallocate(i, mode, off, len) : -EOPNOTSUPP;
	if (!err)
		fs_notify_path(p, IN_MODIFY);
	return err;
}

ssize vfs_readlink(const struct path *p, char *buf, size_t size)
{
	struct inode *i = path_inode(p);

	if (!S_ISLNK_(i->mode) || !i->ops->readlink)
		return -EINVAL;
	return i->ops->readlink(i, buf, size);
}

int vfs_getattr(const struct path *p, struct kstat *st)
{
	struct inode *i = path_inode(p);

	memset(st, 0, sizeof(*st));
	st->dev = i->sb ? i->sb->dev : 0;
	st->ino = i->ino;
	st->mode = load_relaxed(&i->mode);
	st->nlink = 1;
	st->uid = load_relaxed(&i->uid);
	st->gid = load_relaxed(&i->gid);
	st->rdev = i->rdev;
	st->blksize = PAGE_SIZE;
	st->btime_ns = -1;
	st->mnt_id = p->mnt->id;
	return i->ops->getattr ? i->ops->getattr(i, st) : 0;
}

int vfs_truncate(struct inode *i, u64 size)
{
	struct iattr a = { .valid = ATTR_SIZE, .size = size };
	int err;

	if (S_ISDIR_(i->mode))
		return -EISDIR;
	if (!S_ISREG_(i->mode) || !i->ops->setattr)
		return -EINVAL;
	if ((s64)size < 0)
		return -EINVAL;
	err = i->ops->setattr(i, &a);
	if (!err && fs_truncate_hook)
		fs_truncate_hook(i, size);
	return err;
}

/* A write or truncation by somebody without CAP_FSETID takes set-user-ID, and set-group-ID where it has its meaning for programs. */
int vfs_drop_suid(struct inode *i, const struct cred *c)
{
	u32 mode = load_relaxed(&i->mode), uid, gid, kill;
	struct iattr a = { .valid = ATTR_MODE };

	if (likely(!(mode & (S_ISUID | S_ISGID))) && i->flags & INODE_OWNER)
		return 0;
	if (!S_ISREG_(mode) || !i->ops->setattr || cred_has_cap(c, CAP_FSETID))
		return 0;
	inode_owner(i, &mode, &uid, &gid);
	kill = (mode & S_ISUID) | ((mode & 010) || !cred_in_group(c, gid) ? mode & S_ISGID : 0u);
	if (!kill)
		return 0;
	a.mode = mode & ~kill;
	return i->ops->setattr(i, &a);
}

/* Changes of the mode by chmod, or as chown's side effect. */
static void fix_mode(struct iattr *a, u32 mode, u32 gid, const struct cred *c)
{
	if (a->valid & ATTR_MODE) {
		u32 g = a->valid & ATTR_GID ? a->gid : gid;

		a->mode = (a->mode & 07777) | (mode & S_IFMT);
		if (!cred_in_group(c, g) && !cred_has_cap(c, CAP_FSETID))
			a->mode &= ~(u32)S_ISGID;
	} else if ((a->valid & (ATTR_UID | ATTR_GID)) && !S_ISDIR_(mode)) {
		u32 kill = S_ISUID | ((mode & 010) ? S_ISGID : 0u);

		if (mode & kill) {
			a->valid |= ATTR_MODE;
			a->mode = mode & ~kill;
		}
	}
}

static int may_setattr(struct inode *i, const struct iattr *a, u32 uid, u32 gid, const struct cred *c)
{
	if ((a->valid & ATTR_UID) && (uid != c->fsuid || a->uid != uid) && !cred_has_cap(c, CAP_CHOWN))
		return -EPERM;
	if ((a->valid & ATTR_GID) && (uid != c->fsuid || (!cred_in_group(c, a->gid) && a->gid != gid)) && !cred_has_cap(c, CAP_CHOWN))
		return -EPERM;
	if ((a->valid & ATTR_MODE) && uid != c->fsuid && !cred_has_cap(c, CAP_FOWNER))
		return -EPERM;
	if ((a->valid & (ATTR_ATIME | ATTR_MTIME)) && uid != c->fsuid && !cred_has_cap(c, CAP_FOWNER)) {
		if (!(a->valid & ATTR_TOUCH))
			return -EPERM;
		return inode_permission(i, MAY_WRITE, c);
	}
	return 0;
}

/* chmod, chown, truncate by path, utimens. Checks ownership; truncation needs write permission. */
int vfs_setattr(const struct path *p, const struct iattr *attr, const struct cred *c)
{
	struct inode *i = path_inode(p);
	struct iattr a = *attr;
	u32 mode, uid, gid;
	int err;

	if (mount_is_readonly(p->mnt))
		return -EROFS;
	if (a.valid & ATTR_SIZE) {
		if (S_ISDIR_(i->mode))
			return -EISDIR;
		if (!S_ISREG_(i->mode) || (s64)a.size < 0)
			return -EINVAL;
		err = inode_permission(i, MAY_WRITE, c);
		if (err)
			return err;
		if (load_relaxed(&i->writers) < 0)
			return -ETXTBSY;
	}
	if (!i->ops->setattr)
		return -EPERM;
	inode_owner(i, &mode, &uid, &gid);
	err = may_setattr(i, &a, uid, gid, c);
	if (err)
		return err;
	fix_mode(&a, mode, gid, c);
	if (S_ISLNK_(i->mode) && (attr->valid & ATTR_MODE))
		return -EOPNOTSUPP;
	err = i->ops->setattr(i, &a);
	if (!err && (a.valid & ATTR_SIZE) && fs_truncate_hook)
		fs_truncate_hook(i, a.size);
	if (!err)
		fs_notify_path(p, a.valid & ATTR_SIZE ? IN_MODIFY : IN_ATTRIB);
	return err;
}

int vfs_statfs(const struct path *p, struct kstatfs *st)
{
	struct super *sb = p->mnt->sb;
	int err = 0;

	memset(st, 0, sizeof(*st));
	st->type = sb->magic;
	st->bsize = st->frsize = PAGE_SIZE;
	st->namelen = NAME_MAX_LEN;
	if (sb->statfs)
		err = sb->statfs(sb, st);
	st->flags |= (p->mnt->flags | sb->flags) & 0x400fu;
	st->flags |= 0x20; /* ST_VALID */
	return err;
}

int vfs_permission(const struct path *p, unsigned mask, const struct cred *c)
{
	u32 fmt = path_inode(p)->mode & S_IFMT;

	if ((mask & MAY_WRITE) && mount_is_readonly(p->mnt) && (fmt == S_IFREG || fmt == S_IFDIR || fmt == S_IFLNK))
		return -EROFS;
	if ((mask & MAY_EXEC) && fmt == S_IFREG && (p->mnt->flags & 8u /* MS_NOEXEC */))
		return -EACCES;
	return inode_permission(path_inode(p), mask & 7, c);
}

static bool has_prefix(const char *s, const char *prefix)
{
	return strncmp(s, prefix, strlen(prefix)) == 0;
}

/* Name space rules of xattr(7). write: setting or removing. */
static int xattr_may(const struct path *p, const char *name, bool write, const struct cred *c)
{
	struct inode *i = path_inode(p);
	size_t len = strnlen(name, XATTR_NAME_MAX + 1);

	if (len == 0 || len > XATTR_NAME_MAX)
		return -ERANGE;
	if (write && mount_is_readonly(p->mnt))
		return -EROFS;
	if (has_prefix(name, "user.")) {
		if (!S_ISREG_(i->mode) && !S_ISDIR_(i->mode))
			return write ? -EPERM : -ENODATA;
		if (write && S_ISDIR_(i->mode) && (i->mode & S_ISVTX) && !inode_owner_or_capable(i, c))
			return -EPERM;
		return c ? inode_permission(i, write ? MAY_WRITE : MAY_READ, c) : 0;
	}
	if (has_prefix(name, "trusted."))
		return c && write && !cred_has_cap(c, CAP_SYS_ADMIN) ? -EPERM : 0;
	if (has_prefix(name, "security."))
		return c && write && !cred_has_cap(c, CAP_SYS_ADMIN) && !inode_owner_or_capable(i, c) ? -EPERM : 0;
	return -EOPNOTSUPP;
}

ssize vfs_getxattr(const struct path *p, const char *name, void *buf, size_t size)
{
	struct inode *i = path_inode(p);
	int err = xattr_may(p, name, false, NULL);

	if (err)
		return err;
	return i->ops->getxattr ? i->ops->getxattr(i, name, buf, size) : -EOPNOTSUPP;
}

int vfs_setxattr(const struct path *p, const char *name, const void *buf, size_t size, int flags, const struct cred *c)
{
	struct inode *i = path_inode(p);
	int err = xattr_may(p, name, true, c);

	if (err)
		return err;
	if (flags & ~(XATTR_CREATE | XATTR_REPLACE))
		return -EINVAL;
	if (size > XATTR_SIZE_MAX)
		return -E2BIG;
	err = i->ops->setxattr ? i->ops->setxattr(i, name, buf, size, flags) : -EOPNOTSUPP;
	if (!err)
		fs_notify_path(p, IN_ATTRIB);
	return err;
}

ssize vfs_listxattr(const struct path *p, char *buf, size_t size)
{
	struct inode *i = path_inode(p);

	return i->ops->listxattr ? i->ops->listxattr(i, buf, size) : 0;
}

int vfs_removexattr(const struct path *p, const char *name, const struct cred *c)
{
	struct inode *i = path_inode(p);
	int err = xattr_may(p, name, true, c);

	if (err)
		return err;
	err = i->ops->removexattr ? i->ops->removexattr(i, name) : -EOPNOTSUPP;
	if (!err)
		fs_notify_path(p, IN_ATTRIB);
	return err;
}
