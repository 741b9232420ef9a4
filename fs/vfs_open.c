/* SPDX-License-Identifier: MIT */
/*
 * The path half of open(2): resolve, create if asked, check permissions, truncate. What an open file does afterwards is userlib/file's.
 */
#include "fs/vfs_internal.h"
#include "userlib/base/log.h"
#include <linux/inotify.h>

#define O_TMPFILE_BIT 020000000u
#define MOUNT_NODEV 4u

static unsigned access_mask(unsigned oflags)
{
	unsigned mask;

	switch (oflags & O_ACCMODE) {
	case O_RDONLY:
		mask = MAY_READ;
		break;
	case O_WRONLY:
		mask = MAY_WRITE;
		break;
	default:
		mask = MAY_READ | MAY_WRITE;
	}
	if (oflags & O_TRUNC)
		mask |= MAY_WRITE;
	return mask;
}

/* Type, mount and permission checks of an existing file. */
static int may_open(const struct path *p, unsigned oflags, const struct cred *c)
{
	struct inode *i = path_inode(p);
	unsigned mask = access_mask(oflags);
	int err;

	switch (i->mode & S_IFMT) {
	case S_IFLNK:
		return -ELOOP;
	case S_IFDIR:
		if (mask & MAY_WRITE)
			return -EISDIR;
		break;
	case S_IFCHR:
	case S_IFBLK:
		if (p->mnt->flags & MOUNT_NODEV)
			return -EACCES;
		break;
	case S_IFREG:
		if ((mask & MAY_WRITE) && mount_is_readonly(p->mnt))
			return -EROFS;
		if ((mask & MAY_WRITE) && load_relaxed(&i->writers) < 0)
			return -ETXTBSY;
		break;
	}
	err = inode_permission(i, mask, c);
	if (err)
		return err;
	if ((oflags & O_NOATIME) && !inode_owner_or_capable(i, c))
		return -EPERM;
	return 0;
}

static int finish_open(const struct path *p, unsigned oflags, const struct cred *c)
{
	int err = may_open(p, oflags, c);

	if (!err && (oflags & O_TRUNC) && S_ISREG_(path_inode(p)->mode)) {
		err = vfs_drop_suid(path_inode(p), c);
		if (!err)
			err = vfs_truncate(path_inode(p), 0);
		if (!err)
			fs_notify_path(p, IN_MODIFY);
	}
	return err;
}

static int open_tmpfile(const struct walk_ctx *w, const char *name, unsigned oflags, u32 mode, unsigned wf, struct path *out)
{
	struct inode *dir, *i;
	struct path p;
	struct dentry *d;
	char num[32];
	int err;

	if ((oflags & (O_DIRECTORY | O_CREAT)) != O_DIRECTORY || !(access_mask(oflags) & MAY_WRITE))
		return -EINVAL;
	err = path_walk(w, name, wf | WALK_DIRECTORY, &p, NULL);
	if (err)
		return err;
	dir = path_inode(&p);
	err = vfs_may_create(&p, w->cred);
	if (!err)
		err = dir->ops->tmpfile ? dir->ops->tmpfile(dir, (mode & 07777) | S_IFREG, w->cred, &i) : -EOPNOTSUPP;
	if (err)
		goto out;
	fmt(num, sizeof(num), "#%llu", (unsigned long long)i->ino);
	d = NULL;
	/* A child for path_name's sake, "deleted" from the start so that no look-up finds it. */
	err = dentry_insert(p.dentry, num, (unsigned)strlen(num), i, &d);
	if (err)
		goto out;
	dentry_delete(d);
	mount_get(p.mnt);
	*out = (struct path){ p.mnt, d };
out:
	path_put(&p);
	return err;
}

/*
 * One attempt at the last component with O_CREAT, the walk standing at its directory. 1: a symlink was entered, go on walking;
 * 0: k->cur is the file; *created says whether it is new.
 */
static int create_last(struct walk *k, unsigned oflags, u32 mode, bool *created)
{
	struct dentry *parent = k->cur.dentry, *d;
	struct path p;
	int err;

	if (k->type != LAST_NORM) {
		if (oflags & O_EXCL)
			return -EEXIST;
		err = walk_step(k, false);
		return err ? err : S_ISDIR_(k->cur.dentry->inode->mode) ? -EISDIR : 0;
	}
	if (k->last.trailing_slash)
		return -EISDIR;
	err = dentry_lookup(parent, k->last.name, k->last.len, &d);
	if (err == -ENOENT) {
		err = vfs_create_at(&k->cur, &k->last, (mode & 07777) | S_IFREG, 0, k->w->cred, &d);
		if (err == -EEXIST && !(oflags & O_EXCL)) /* somebody was faster */
			err = dentry_lookup(parent, k->last.name, k->last.len, &d);
		else if (!err)
			*created = true;
	} else if (!err && (oflags & O_EXCL)) {
		dentry_put(d);
		return -EEXIST;
	}
	if (err)
		return err;
	if (*created) {
		p = (struct path){ k->cur.mnt, d };
		mount_get(p.mnt);
		path_put(&k->cur);
		k->cur = p;
		return 0;
	}
	if (S_ISLNK_(d->inode->mode)) {
		err = oflags & O_NOFOLLOW ? -ELOOP : walk_follow(k, d);
		dentry_put(d);
		return err;
	}
	dentry_put(d);
	return walk_step(k, false);
}

static int open_create(const struct walk_ctx *w, const char *name, unsigned oflags, u32 mode, unsigned wf, struct path *out)
{
	bool created = false;
	struct walk k;
	int err;

	if (oflags & O_DIRECTORY)
		return -EINVAL;
	err = walk_start(&k, w, name, wf);
	while (!err) {
		err = walk_to_last(&k);
		if (err)
			break;
		err = create_last(&k, oflags, mode, &created);
		if (err != 1)
			break;
		err = 0;
	}
	if (!err && !created) {
		if (S_ISDIR_(k.cur.dentry->inode->mode))
			err = -EISDIR;
		else
			err = finish_open(&k.cur, oflags, w->cred);
	}
	if (!err) {
		*out = k.cur; /* with its reference */
		k.cur = (struct path){ NULL, NULL };
	}
	walk_end(&k);
	return err;
}

/* See vfs.h. open_flags are open(2)'s; the result is referenced. May park. */
int vfs_open(const struct walk_ctx *w, const char *name, unsigned oflags, u32 mode, unsigned walk_flags, struct path *out)
{
	unsigned wf = walk_flags;
	struct path p;
	int err;

	if (oflags & O_NOFOLLOW)
		wf |= WALK_NOFOLLOW;
	if (oflags & O_DIRECTORY)
		wf |= WALK_DIRECTORY;
	if (oflags & O_PATH)
		return path_walk(w, name, wf, out, NULL);
	if (oflags & O_TMPFILE_BIT)
		return open_tmpfile(w, name, oflags, mode, wf, out);
	if (oflags & O_CREAT)
		return open_create(w, name, oflags, mode, wf, out);
	err = path_walk(w, name, wf, &p, NULL);
	if (err)
		return err;
	err = finish_open(&p, oflags, w->cred);
	if (err) {
		path_put(&p);
		return err;
	}
	*out = p;
	return 0;
}
