/* SPDX-License-Identifier: MIT */
/*
 * What the core files of fs/ (dentry.c mount.c path.c inode.c vfs_*.c) share with one another and no file system needs.
 *
 * Locks, outermost first: vfs_rename_lock (mutex, cross-directory renames), inode->lock of directories (mutex; ancestor before
 * descendant), the file systems' own locks, mount_lock (mutex), dcache_lock (spinlock; "tree lock" in vfs.h).
 */
#ifndef FS_VFS_INTERNAL_H
#define FS_VFS_INTERNAL_H

#include "fs/vfs.h"
#include "userlib/base/string.h"
#include <linux/capability.h>

#define MAY_EXEC 1u
#define MAY_WRITE 2u
#define MAY_READ 4u

#define S_ISREG_(m) (((m)&S_IFMT) == S_IFREG)
#define S_ISDIR_(m) (((m)&S_IFMT) == S_IFDIR)
#define S_ISLNK_(m) (((m)&S_IFMT) == S_IFLNK)

static inline bool cred_has_cap(const struct cred *c, unsigned cap)
{
	return (c->cap_effective >> cap) & 1;
}
bool cred_in_group(const struct cred *c, u32 gid);

/* dentry.c */
extern struct spinlock dcache_lock;
extern struct mutex vfs_rename_lock;
extern u64 dentry_moves; /* [dcache_lock] renames so far: a confined walk that sees one cannot trust ".." */
struct dentry *dentry_get(struct dentry *d);
void dentry_put(struct dentry *d);
/* A parentless dentry: a mount's root or an anonymous file. Consumes the inode reference on success. NULL: no memory. */
struct dentry *dentry_alloc_root(struct inode *i, const char *name);
/* The child by name: from the cache if still valid, else through ops->lookup. 0 with *out referenced, -ENOENT, ... */
int dentry_lookup(struct dentry *parent, const char *name, unsigned len, struct dentry **out);
int dentry_lookup_locked(struct dentry *parent, const char *name, unsigned len, struct dentry **out); /* parent->inode->lock held */
/* The child by name if it is in the cache, without a reference, valid or not. dcache_lock held. */
struct dentry *dentry_cached_locked(struct dentry *parent, const char *name, unsigned len);
struct dentry *dentry_get_cached_locked(struct dentry *d); /* a reference to one found so */
/* Is it believed without asking its file system? *now: the time, 0 = to be asked. Takes no lock. */
bool dentry_is_fresh(const struct dentry *parent, const struct dentry *d, s64 *now);
/* New child for an inode just made; consumes the inode reference always. parent->inode->lock held. */
int dentry_insert(struct dentry *parent, const char *name, unsigned len, struct inode *i, struct dentry **out);
void dentry_delete(struct dentry *d); /* the name is gone */
int dentry_move(struct dentry *d, struct dentry *new_parent, const char *name, unsigned len);
void dentry_exchange(struct dentry *a, struct dentry *b);
bool dentry_is_ancestor(struct dentry *a, struct dentry *d); /* a == d or above it; dcache_lock not held */

/* inode.c */
int inode_permission(struct inode *i, unsigned mask, const struct cred *c);
int inode_permission_quick(struct inode *i, unsigned mask, const struct cred *c); /* the same without asking the file system, else -EAGAIN */
bool inode_owner_or_capable(struct inode *i, const struct cred *c);
void inode_owner(struct inode *i, u32 *mode, u32 *uid, u32 *gid);
/* Owner and mode of a new inode below dir: fsuid/fsgid, set-group-id directories. */
void inode_new_owner(const struct inode *dir, u32 *mode, const struct cred *c, u32 *uid, u32 *gid);
void fs_notify(struct inode *dir, struct inode *i, const char *name, unsigned len, u32 event, u32 cookie);

/* mount.c */
extern struct mutex mount_lock;
/* The mount covering (m, d), referenced, or NULL. */
struct mount *mount_lookup(struct mount *m, struct dentry *d);
bool dentry_is_mountpoint(const struct dentry *d);
static inline bool mount_is_readonly(const struct mount *m)
{
	return ((m->flags | m->sb->flags) & 1u /* MS_RDONLY */) != 0;
}

/* path.c: a walk in progress. */
#define WALK_MAX_LINKS 40
enum last_type { LAST_NORM, LAST_DOT, LAST_DOTDOT, LAST_ROOT };
struct walk {
	const struct walk_ctx *w;
	struct path cur;	/* referenced */
	struct path root;	/* borrowed: where "/" and ".." stop */
	u64 moves;		/* dentry_moves at the start */
	unsigned flags, nr_links, depth;
	bool want_dir, is_last, scoped;
	enum last_type type;
	const char *rest;	/* what is left of the current string */
	struct {
		char *buf;	/* owned text of a symlink, PATH_MAX_LEN bytes; NULL for the caller's string */
		const char *rest;
	} stack[WALK_MAX_LINKS + 1];
	struct qstr last;
};
int walk_start(struct walk *k, const struct walk_ctx *w, const char *name, unsigned flags);
/* Goes on up to the last component: k->cur is the directory (or the result for LAST_ROOT), k->last the name. */
int walk_to_last(struct walk *k);
/* Takes one step from k->cur by k->last. follow: enters symlinks; then 1 = "text pushed, walk again", else 0. */
int walk_step(struct walk *k, bool follow);
/* A symlink dentry just found below k->cur is to be followed. */
int walk_follow(struct walk *k, struct dentry *link);
void walk_end(struct walk *k); /* frees everything incl. k->cur */

/* vfs_name.c: for vfs_open.c and vfs_rename.c. */
int vfs_create_at(struct path *dir, struct qstr *name, u32 mode, u64 rdev, const struct cred *c, struct dentry **out);
int vfs_may_delete(struct inode *dir, struct inode *victim, bool is_dir, const struct cred *c);
int vfs_may_create(const struct path *dir, const struct cred *c);

#endif
