/* SPDX-License-Identifier: MIT */
/* rename, renameat2: locking two directories, the checks of both ends, and what happens to the dentries. */
#include "fs/vfs_internal.h"
#include "userlib/base/log.h"
#include <linux/fs.h>
#include <linux/inotify.h>

/* One rename in progress; both parents and both dentries referenced (new dentry may be NULL). */
struct ren {
	struct path od, nd;
	struct qstr on, nn;
	struct dentry *old, *new;
	unsigned flags;
	const struct cred *cred;
};

static void lock_dirs(struct ren *r)
{
	struct inode *a = path_inode(&r->od), *b = path_inode(&r->nd);

	if (a == b) {
		mutex_lock(&a->lock);
		return;
	}
	mutex_lock(&vfs_rename_lock);
	if (dentry_is_ancestor(r->nd.dentry, r->od.dentry)) {
		mutex_lock(&b->lock);
		mutex_lock(&a->lock);
	} else {
		mutex_lock(&a->lock);
		mutex_lock(&b->lock);
	}
}

static void unlock_dirs(struct ren *r)
{
	struct inode *a = path_inode(&r->od), *b = path_inode(&r->nd);

	mutex_unlock(&a->lock);
	if (a == b)
		return;
	mutex_unlock(&b->lock);
	mutex_unlock(&vfs_rename_lock);
}

static bool is_special_name(const struct qstr *q)
{
	return q->len == 0 || strcmp(q->name, ".") == 0 || strcmp(q->name, "..") == 0;
}

static int lookup_both(struct ren *r)
{
	int err = dentry_lookup_locked(r->od.dentry, r->on.name, r->on.len, &r->old);

	if (err)
		return err;
	err = dentry_lookup_locked(r->nd.dentry, r->nn.name, r->nn.len, &r->new);
	if (err == -ENOENT)
		return r->flags & RENAME_EXCHANGE ? -ENOENT : 0;
	if (!err && (r->flags & RENAME_NOREPLACE))
		return -EEXIST;
	return err;
}

/* Loops in the tree, trailing slashes, mount points. */
static int check_shape(struct ren *r)
{
	bool old_dir = S_ISDIR_(r->old->inode->mode);

	if (dentry_is_ancestor(r->old, r->nd.dentry))
		return -EINVAL;
	if (r->new && dentry_is_ancestor(r->new, r->od.dentry))
		return r->flags & RENAME_EXCHANGE ? -EINVAL : -ENOTEMPTY;
	if (!old_dir && (r->on.trailing_slash || (r->nn.trailing_slash && !(r->flags & RENAME_EXCHANGE))))
		return -ENOTDIR;
	if ((r->flags & RENAME_EXCHANGE) && r->nn.trailing_slash && !S_ISDIR_(r->new->inode->mode))
		return -ENOTDIR;
	if (load_relaxed(&r->nd.dentry->deleted))
		return -ENOENT;
	return 0;
}

static int check_permissions(struct ren *r)
{
	struct inode *od = path_inode(&r->od), *nd = path_inode(&r->nd), *old = r->old->inode;
	bool old_dir = S_ISDIR_(old->mode), exch = (r->flags & RENAME_EXCHANGE) != 0;
	int err;

	if (mount_is_readonly(r->od.mnt))
		return -EROFS;
	err = vfs_may_delete(od, old, old_dir, r->cred);
	if (err)
		return err;
	if (!r->new)
		err = vfs_may_create(&r->nd, r->cred);
	else if (exch)
		err = vfs_may_delete(nd, r->new->inode, S_ISDIR_(r->new->inode->mode), r->cred);
	else
		err = vfs_may_delete(nd, r->new->inode, old_dir, r->cred);
	if (err)
		return err;
	if (od != nd && old_dir) {
		err = inode_permission(old, MAY_WRITE, r->cred);
		if (err)
			return err;
	}
	if (od != nd && exch && S_ISDIR_(r->new->inode->mode)) {
		err = inode_permission(r->new->inode, MAY_WRITE, r->cred);
		if (err)
			return err;
	}
	if (dentry_is_mountpoint(r->old) || (r->new && dentry_is_mountpoint(r->new)))
		return -EBUSY;
	return 0;
}

/* Both directories locked. 1: nothing to do (two names of one file). */
static int rename_locked(struct ren *r)
{
	struct inode *od = path_inode(&r->od), *nd = path_inode(&r->nd);
	int err = lookup_both(r);

	if (!err)
		err = check_shape(r);
	if (err)
		return err;
	if (r->new && r->new->inode == r->old->inode)
		return 1;
	err = check_permissions(r);
	if (err)
		return err;
	if (!od->ops->rename)
		return -EPERM;
	err = od->ops->rename(od, r->on.name, r->on.len, nd, r->nn.name, r->nn.len, r->flags);
	if (err)
		return err;
	if (r->flags & RENAME_EXCHANGE) {
		dentry_exchange(r->old, r->new);
		return 0;
	}
	if (r->new)
		dentry_delete(r->new);
	(void)dentry_move(r->old, r->nd.dentry, r->nn.name, r->nn.len); /* out of memory: merely not cached any more */
	return 0;
}

static void notify_rename(struct ren *r)
{
	static u32 next_cookie;
	u32 isdir, cookie;

	if (likely(load_relaxed(&fs_notify_hook) == NULL))
		return;
	isdir = S_ISDIR_(r->old->inode->mode) ? IN_ISDIR : 0;
	cookie = atomic_fetch_add(&next_cookie, 1) + 1;
	fs_notify(path_inode(&r->od), NULL, r->on.name, r->on.len, IN_MOVED_FROM | isdir, cookie);
	fs_notify(path_inode(&r->nd), NULL, r->nn.name, r->nn.len, IN_MOVED_TO | isdir, cookie);
	fs_notify(NULL, r->old->inode, NULL, 0, IN_MOVE_SELF, 0);
	if (r->new && !(r->flags & RENAME_EXCHANGE))
		fs_notify(NULL, r->new->inode, NULL, 0, IN_DELETE_SELF, 0);
	if (r->new && (r->flags & RENAME_EXCHANGE)) {
		isdir = S_ISDIR_(r->new->inode->mode) ? IN_ISDIR : 0;
		cookie = atomic_fetch_add(&next_cookie, 1) + 1;
		fs_notify(path_inode(&r->nd), NULL, r->nn.name, r->nn.len, IN_MOVED_FROM | isdir, cookie);
		fs_notify(path_inode(&r->od), NULL, r->on.name, r->on.len, IN_MOVED_TO | isdir, cookie);
		fs_notify(NULL, r->new->inode, NULL, 0, IN_MOVE_SELF, 0);
	}
}

/* rename/renameat2. wo->cred counts. May park; on error nothing has changed. */
int vfs_rename(const struct walk_ctx *wo, const char *on, const struct walk_ctx *wn, const char *nn, u32 flags)
{
	struct ren *r;
	int err;

	if (flags & ~(u32)(RENAME_NOREPLACE | RENAME_EXCHANGE | RENAME_WHITEOUT))
		return -EINVAL;
	if ((flags & RENAME_EXCHANGE) && (flags & (RENAME_NOREPLACE | RENAME_WHITEOUT)))
		return -EINVAL;
	r = kmem_zalloc(sizeof(*r));
	if (!r)
		return -ENOMEM;
	r->flags = flags;
	r->cred = wo->cred;
	err = path_walk(wo, on, WALK_PARENT, &r->od, &r->on);
	if (err)
		goto out_free;
	err = path_walk(wn, nn, WALK_PARENT, &r->nd, &r->nn);
	if (err)
		goto out_od;
	if (r->od.mnt != r->nd.mnt)
		err = -EXDEV;
	else if (is_special_name(&r->on))
		err = -EBUSY;
	else if (is_special_name(&r->nn))
		err = flags & RENAME_NOREPLACE ? -EEXIST : -EBUSY;
	if (!err) {
		lock_dirs(r);
		err = rename_locked(r);
		unlock_dirs(r);
	}
	if (!err)
		notify_rename(r);
	if (r->old)
		dentry_put(r->old);
	if (r->new)
		dentry_put(r->new);
	path_put(&r->nd);
out_od:
	path_put(&r->od);
out_free:
	kmem_free(r, sizeof(*r));
	return err > 0 ? 0 : err;
}
