/* SPDX-License-Identifier: MIT */
/*
 * The overlay: a memory file system over a read-only host tree (type "overlay"). Inner interface of fs/overlay*.c.
 *
 * An overlay inode stands on an upper (memfs) inode, a lower (hostfs) inode, or both. Copying up gives it an upper one; it stays the same
 * inode with the same st_ino. A directory's lower part hangs on its upper inode by reference (mem_inode.lower), not by name, so renaming a
 * merged directory moves one entry, and a directory made anew is opaque by having none. A removed lower name leaves a whiteout in the upper
 * directory (character device 0:0, as overlayfs).
 *
 * Locks: ovl_inode.copy_lock (mutex: one copy-up at a time), then ovl_sb.lock (mutex: every change of names), then ovl_sb.link_lock
 * (spinlock: inode.overlay back pointers, parent/name of inodes not copied up).
 */
#ifndef FS_OVERLAY_H
#define FS_OVERLAY_H

#include "fs/memfs.h"
#include "fs/vfs.h"

struct ovl_sb {
	struct super sb;
	struct memfs_sb *upper_sb;
	struct inode *lower_root;
	struct mutex lock;
	struct spinlock link_lock;
};

struct ovl_inode {
	struct inode vfs;
	struct inode *upper;	  /* [a] referenced; set once */
	struct inode *lower;	  /* [I] referenced or NULL */
	struct ovl_inode *parent; /* [link_lock] referenced: where a copy goes; NULL: it has no name (any more) */
	char *name;		  /* [link_lock] */
	u32 name_len;
	u32 lower_opens;	  /* [link_lock] opens passed to the lower inode */
	struct mutex copy_lock;
};
static inline struct ovl_inode *ovl_i(struct inode *i)
{
	return container_of(i, struct ovl_inode, vfs);
}
static inline struct ovl_sb *ovl_sb(struct ovl_inode *oi)
{
	return container_of(oi->vfs.sb, struct ovl_sb, sb);
}
static inline struct inode *ovl_upper(struct ovl_inode *oi)
{
	return load_acquire(&oi->upper);
}
/* What reads and attributes come from now. */
static inline struct inode *ovl_real(struct ovl_inode *oi)
{
	struct inode *u = ovl_upper(oi);

	return u ? u : oi->lower;
}

extern const struct fs_type overlay_type;
struct ovl_params {
	int fd; /* the lower directory; becomes the mount's */
};

/* overlay.c: the overlay inode standing on these; consumes the references to upper and lower. dir/name: where a lower one was found. */
int ovl_inode_for(struct ovl_sb *ov, struct inode *upper, struct inode *lower, struct ovl_inode *dir, const char *name, unsigned len,
		  struct inode **out);
void ovl_sync_owner(struct ovl_inode *oi);
u64 ovl_shown_ino(struct inode *upper);
extern const struct inode_ops ovl_dir_ops;
int ovl_getattr(struct inode *i, struct kstat *st);
int ovl_setattr(struct inode *i, const struct iattr *a);
ssize ovl_getxattr(struct inode *i, const char *name, void *buf, size_t size);
int ovl_setxattr(struct inode *i, const char *name, const void *buf, size_t size, int flags);
ssize ovl_listxattr(struct inode *i, char *buf, size_t size);
int ovl_removexattr(struct inode *i, const char *name);
void ovl_evict(struct inode *i);

/* overlay_copy.c: makes sure there is an upper inode, in all ancestors too. Data beyond `limit` bytes is not copied. */
int ovl_copy_up(struct ovl_inode *oi, u64 limit);
void ovl_set_place(struct ovl_inode *oi, struct ovl_inode *dir, const char *name, unsigned len);
void ovl_clear_place(struct ovl_inode *oi, struct ovl_inode *dir, const char *name, unsigned len);

#endif
