/* SPDX-License-Identifier: MIT */
/*
 * Making and removing names: mknod, mkdir, symlink, link, unlink, rmdir. Each resolves the parent, locks it, checks, calls the file
 * system, keeps the dentry cache right and reports the event. Renames are in vfs_rename.c.
 */
#include "fs/vfs_internal.h"
#include "userlib/base/log.h"
#include <linux/inotify.h>

int vfs_may_create(const struct path *dir, const struct cred *c)
{
	if (mount_is_readonly(dir->mnt))
		return -EROFS;
	return inode_permission(path_inode(dir), MAY_WRITE | MAY_EXEC, c);
}

/* Write permission on the directory, and in a sticky one ownership of the directory or the victim. is_dir: what the caller wants. */
int vfs_may_delete(struct inode *dir, struct inode *victim, bool is_dir, const struct cred *c)
{
	u32 mode, duid, dgid, vmode, vuid, vgid;
	int err = inode_permission(dir, MAY_WRITE | MAY_EXEC, c);

	if (err)
		return err;
	if ((load_relaxed(&dir->mode) & S_ISVTX) && !cred_has_cap(c, CAP_FOWNER)) {
		inode_owner(dir, &mode, &duid, &dgid);
		inode_owner(victim, &vmode, &vuid, &vgid);
		if (vuid != c->fsuid && duid != c->fsuid)
			return -EPERM;
	}
	if (is_dir && !S_ISDIR_(victim->mode))
		return -ENOTDIR;
	if (!is_dir && S_ISDIR_(victim->mode))
		return -EISDIR;
	return 0;
}

/* A new inode of any kind but symlink under `name`. -EEXIST if the name is taken. *out referenced. Takes the directory's lock. */
int vfs_create_at(struct path *dir, struct qstr *name, u32 mode, u64 rdev, const struct cred *c, struct dentry **out)
{
	struct inode *di = path_inode(dir), *i;
	struct dentry *d;
	int err;

	mutex_lock(&di->lock);
	err = dentry_lookup_locked(dir->dentry, name->name, name->len, &d);
	if (!err) {
		dentry_put(d);
		err = -EEXIST;
	} else if (err == -ENOENT) {
		err = load_relaxed(&dir->dentry->deleted) ? -ENOENT : vfs_may_create(dir, c);
		if (!err)
			err = di->ops->create ? di->ops->create(di, name->name, name->len, mode, rdev, c, &i) : -EPERM;
		if (!err)
			err = dentry_insert(dir->dentry, name->name, name->len, i, &d);
		if (!err)
			*out = d;
	}
	mutex_unlock(&di->lock);
	if (!err)
		fs_notify(di, d->inode, name->name, name->len, IN_CREATE | (S_ISDIR_(mode) ? IN_ISDIR : 0), 0);
	return err;
}

/* Resolves the parent for a name to be made. last_dir: a trailing slash is fine (mkdir). */
static int parent_for_new(const struct walk_ctx *w, const char *name, bool last_dir, struct path *dir, struct qstr *last)
{
	int err = path_walk(w, name, WALK_PARENT, dir, last);

	if (err)
		return err;
	if (last->len == 0 || strcmp(last->name, ".") == 0 || strcmp(last->name, "..") == 0) {
		err = -EEXIST;
	} else if (last->trailing_slash && !last_dir) {
		struct dentry *d;

		err = dentry_lookup(dir->dentry, last->name, last->len, &d);
		if (!err) {
			dentry_put(d);
			err = -EEXIST;
		}
	}
	if (err)
		path_put(dir);
	return err;
}

int vfs_mknod(const struct walk_ctx *w, const char *name, u32 mode, u64 rdev, struct path *out)
{
	struct qstr last;
	struct path dir;
	struct dentry *d;
	int err;

	switch (mode & S_IFMT) {
	case 0:
		mode |= S_IFREG;
		break;
	case S_IFREG:
	case S_IFIFO:
	case S_IFSOCK:
		break;
	case S_IFCHR:
	case S_IFBLK:
		if (!cred_has_cap(w->cred, CAP_MKNOD))
			return -EPERM;
		break;
	case S_IFDIR:
		return -EPERM;
	default:
		return -EINVAL;
	}
	err = parent_for_new(w, name, false, &dir, &last);
	if (err)
		return err;
	err = vfs_create_at(&dir, &last, mode, rdev, w->cred, &d);
	if (!err && out) {
		mount_get(dir.mnt);
		*out = (struct path){ dir.mnt, d };
	} else if (!err) {
		dentry_put(d);
	}
	path_put(&dir);
	return err;
}

int vfs_mkdir(const struct walk_ctx *w, const char *name, u32 mode)
{
	struct qstr last;
	struct path dir;
	struct dentry *d;
	int err = parent_for_new(w, name, true, &dir, &last);

	if (err)
		return err;
	err = vfs_create_at(&dir, &last, (mode & 01777) | S_IFDIR, 0, w->cred, &d);
	if (!err)
		dentry_put(d);
	path_put(&dir);
	return err;
}

int vfs_symlink(const struct walk_ctx *w, const char *target, const char *name)
{
	struct inode *di, *i;
	struct qstr last;
	struct path dir;
	struct dentry *d;
	int err;

	if (!target[0])
		return -ENOENT;
	err = parent_for_new(w, name, false, &dir, &last);
	if (err)
		return err;
	di = path_inode(&dir);
	mutex_lock(&di->lock);
	err = dentry_lookup_locked(dir.dentry, last.name, last.len, &d);
	if (!err) {
		dentry_put(d);
		err = -EEXIST;
	} else if (err == -ENOENT) {
		err = load_relaxed(&dir.dentry->deleted) ? -ENOENT : vfs_may_create(&dir, w->cred);
		if (!err)
			err = di->ops->symlink ? di->ops->symlink(di, last.name, last.len, target, w->cred, &i) : -EPERM;
		if (!err)
			err = dentry_insert(dir.dentry, last.name, last.len, i, &d);
		if (!err)
			dentry_put(d);
	}
	mutex_unlock(&di->lock);
	if (!err)
		fs_notify(di, NULL, last.name, last.len, IN_CREATE, 0);
	path_put(&dir);
	return err;
}

/* The locked part of link(2). */
static int link_locked(struct path *dir, struct qstr *last, struct inode *target, const struct cred *c)
{
	struct inode *di = path_inode(dir);
	struct dentry *d;
	int err = dentry_lookup_locked(dir->dentry, last->name, last->len, &d);

	if (!err) {
		dentry_put(d);
		return -EEXIST;
	}
	if (err != -ENOENT)
		return err;
	err = load_relaxed(&dir->dentry->deleted) ? -ENOENT : vfs_may_create(dir, c);
	if (!err)
		err = di->ops->link ? di->ops->link(di, last->name, last->len, target) : -EPERM;
	return err;
}

int vfs_link(const struct path *target, const struct walk_ctx *w, const char *name)
{
	struct inode *i = path_inode(target);
	struct qstr last;
	struct path dir;
	int err = parent_for_new(w, name, false, &dir, &last);

	if (err)
		return err;
	if (dir.mnt != target->mnt)
		err = -EXDEV;
	else if (S_ISDIR_(i->mode))
		err = -EPERM;
	if (!err) {
		mutex_lock(&path_inode(&dir)->lock);
		err = link_locked(&dir, &last, i, w->cred);
		mutex_unlock(&path_inode(&dir)->lock);
	}
	if (!err) {
		fs_notify_path(target, IN_ATTRIB);
		fs_notify(path_inode(&dir), i, last.name, last.len, IN_CREATE, 0);
	}
	path_put(&dir);
	return err;
}

static u32 nlink_of(struct inode *i)
{
	struct kstat st = { .nlink = 0 };

	return i->ops->getattr && i->ops->getattr(i, &st) == 0 ? st.nlink : 0;
}

/* The locked part of unlink and rmdir; *out is the victim, referenced, for the events. */
static int remove_locked(struct path *dir, struct qstr *last, bool is_dir, const struct cred *c, struct dentry **out)
{
	struct inode *di = path_inode(dir), *victim;
	struct dentry *d;
	int err = dentry_lookup_locked(dir->dentry, last->name, last->len, &d);

	if (err)
		return err;
	victim = d->inode;
	if (!is_dir && last->trailing_slash)
		err = S_ISDIR_(victim->mode) ? -EISDIR : -ENOTDIR;
	else if (mount_is_readonly(dir->mnt))
		err = -EROFS;
	else
		err = vfs_may_delete(di, victim, is_dir, c);
	if (!err && dentry_is_mountpoint(d))
		err = -EBUSY;
	if (!err && is_dir)
		err = di->ops->rmdir ? di->ops->rmdir(di, last->name, last->len, victim) : -EPERM;
	else if (!err)
		err = di->ops->unlink ? di->ops->unlink(di, last->name, last->len, victim) : -EPERM;
	if (err) {
		dentry_put(d);
		return err;
	}
	dentry_delete(d);
	*out = d;
	return 0;
}

static int remove(const struct walk_ctx *w, const char *name, bool is_dir)
{
	struct qstr last;
	struct path dir;
	struct dentry *d;
	int err = path_walk(w, name, WALK_PARENT, &dir, &last);

	if (err)
		return err;
	if (last.len == 0)
		err = is_dir ? -EBUSY : -EISDIR;
	else if (strcmp(last.name, ".") == 0)
		err = is_dir ? -EINVAL : -EISDIR;
	else if (strcmp(last.name, "..") == 0)
		err = is_dir ? -ENOTEMPTY : -EISDIR;
	if (!err) {
		mutex_lock(&path_inode(&dir)->lock);
		err = remove_locked(&dir, &last, is_dir, w->cred, &d);
		mutex_unlock(&path_inode(&dir)->lock);
	}
	if (!err) {
		if (unlikely(load_relaxed(&fs_notify_hook) != NULL)) {
			u32 links = is_dir ? 0 : nlink_of(d->inode);

			fs_notify(NULL, d->inode, NULL, 0, links ? IN_ATTRIB : IN_DELETE_SELF | (is_dir ? IN_ISDIR : 0), 0);
			fs_notify(path_inode(&dir), NULL, last.name, last.len, IN_DELETE | (is_dir ? IN_ISDIR : 0), 0);
		}
		dentry_put(d);
	}
	path_put(&dir);
	return err;
}

int vfs_unlink(const struct walk_ctx *w, const char *name)
{
	return remove(w, name, false);
}

int vfs_rmdir(const struct walk_ctx *w, const char *name)
{
	return remove(w, name, true);
}
