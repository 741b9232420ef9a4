/* SPDX-License-Identifier: MIT */
/*
 * Inodes in general: life, owner, permission checks, who writes or executes, event reports. Knows no names.
 */
#include "fs/flock.h"
#include "fs/vfs_internal.h"
#include "userlib/base/log.h"

void (*fs_notify_hook)(struct inode *dir, struct inode *i, const char *name, unsigned len, u32 in_event, u32 cookie);
const void *(*fs_map_window)(struct inode *i, int host_fd, int kmod_id, u64 off, u64 len);
void (*fs_unmap_window)(const void *p);
void (*fs_truncate_hook)(struct inode *i, u64 new_size);

static u64 next_unique_id = 1;

/* The caller's memory becomes an inode with one reference. The file system sets rdev, uid, gid, flags, fs_private afterwards. */
void inode_init(struct inode *i, struct super *sb, const struct inode_ops *ops, u32 mode, u64 ino)
{
	memset(i, 0, sizeof(*i));
	ref_init(&i->ref);
	i->mode = mode;
	i->ino = ino;
	i->sb = sb;
	i->ops = ops;
	mutex_init(&i->lock);
	list_init(&i->flocks);
	spin_init(&i->flock_lock);
	waitq_init(&i->flock_wait);
	list_init(&i->watches);
	spin_init(&i->watch_lock);
	i->unique_id = atomic_fetch_add(&next_unique_id, 1);
}

void inode_put(struct inode *i)
{
	if (!i || !ref_put(&i->ref))
		return;
	flock_inode_gone(i);
	if (i->ops->evict)
		i->ops->evict(i);
}

int inode_write_get(struct inode *i)
{
	s32 n = load_relaxed(&i->writers);

	for (;;) {
		if (n < 0)
			return -ETXTBSY;
		if (atomic_cas(&i->writers, n, n + 1))
			return 0;
		n = load_relaxed(&i->writers);
	}
}

void inode_write_put(struct inode *i)
{
	(void)atomic_fetch_sub(&i->writers, 1);
}

int inode_deny_write(struct inode *i)
{
	s32 n = load_relaxed(&i->writers);

	for (;;) {
		if (n > 0)
			return -ETXTBSY;
		if (atomic_cas(&i->writers, n, n - 1))
			return 0;
		n = load_relaxed(&i->writers);
	}
}

void inode_allow_write(struct inode *i)
{
	(void)atomic_fetch_add(&i->writers, 1);
}

bool cred_in_group(const struct cred *c, u32 gid)
{
	if (c->fsgid == gid)
		return true;
	for (u32 n = 0; n < c->nr_groups && n < ARRAY_SIZE(c->groups); n++)
		if (c->groups[n] == gid)
			return true;
	return false;
}

void inode_owner(struct inode *i, u32 *mode, u32 *uid, u32 *gid)
{
	struct kstat st = { .mode = load_relaxed(&i->mode) };

	if (!(i->flags & INODE_OWNER) && i->ops->getattr && i->ops->getattr(i, &st) == 0) {
		*mode = st.mode;
		*uid = st.uid;
		*gid = st.gid;
		return;
	}
	*mode = load_relaxed(&i->mode);
	*uid = load_relaxed(&i->uid);
	*gid = load_relaxed(&i->gid);
}

bool inode_owner_or_capable(struct inode *i, const struct cred *c)
{
	u32 mode, uid, gid;

	if (cred_has_cap(c, CAP_FOWNER))
		return true;
	inode_owner(i, &mode, &uid, &gid);
	return uid == c->fsuid;
}

/* The classic check of rwx bits with the two overriding capabilities. mask: MAY_*. 0 or -EACCES. */
int inode_permission(struct inode *i, unsigned mask, const struct cred *c)
{
	u32 mode = load_relaxed(&i->mode), uid, gid;

	if (!mask)
		return 0;
	if (cred_has_cap(c, CAP_DAC_OVERRIDE)) {
		if (!(mask & MAY_EXEC) || S_ISDIR_(mode))
			return 0;
		if (i->flags & INODE_OWNER)
			return mode & 0111 ? 0 : -EACCES;
		inode_owner(i, &mode, &uid, &gid);
		return mode & 0111 ? 0 : -EACCES;
	}
	inode_owner(i, &mode, &uid, &gid);
	if (uid == c->fsuid)
		mode >>= 6;
	else if (cred_in_group(c, gid))
		mode >>= 3;
	if ((mode & mask & 7) == mask)
		return 0;
	if (cred_has_cap(c, CAP_DAC_READ_SEARCH) && (mask == MAY_READ || (S_ISDIR_(i->mode) && !(mask & MAY_WRITE))))
		return 0;
	return -EACCES;
}

int inode_permission_quick(struct inode *i, unsigned mask, const struct cred *c)
{
	return i->flags & INODE_OWNER || cred_has_cap(c, CAP_DAC_OVERRIDE) ? inode_permission(i, mask, c) : -EAGAIN;
}

void inode_new_owner(const struct inode *dir, u32 *mode, const struct cred *c, u32 *uid, u32 *gid)
{
	*uid = c->fsuid;
	*gid = c->fsgid;
	if (dir && (load_relaxed(&dir->mode) & S_ISGID)) {
		*gid = load_relaxed(&dir->gid);
		if (S_ISDIR_(*mode))
			*mode |= S_ISGID;
		else if ((*mode & (S_ISGID | 010)) == (S_ISGID | 010) && !cred_in_group(c, *gid) && !cred_has_cap(c, CAP_FSETID))
			*mode &= ~(u32)S_ISGID;
	}
}

void fs_notify(struct inode *dir, struct inode *i, const char *name, unsigned len, u32 event, u32 cookie)
{
	void (*hook)(struct inode *, struct inode *, const char *, unsigned, u32, u32) = load_acquire(&fs_notify_hook);

	if (unlikely(hook != NULL))
		hook(dir, i, name, len, event, cookie);
}
