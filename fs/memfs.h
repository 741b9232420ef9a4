/* SPDX-License-Identifier: MIT */
/*
 * The memory file system: tmpfs of the instance, upper layer of the overlay, memfd, /dev. The type is registered as "tmpfs".
 * Files of fs/ may use the inner functions below; others mount it or call memfs_new_file.
 *
 * Locks: sb->dir_lock (spinlock) covers all directories' contents, link counts and times of the sb; mem_inode.lock (spinlock) a file's page
 * tree, size and extended attributes; inode->lock (mutex) serialises writers of a file. Order: inode->lock, dir_lock, mem_inode.lock.
 */
#ifndef FS_MEMFS_H
#define FS_MEMFS_H

#include "fs/radix.h"
#include "fs/vfs.h"

/* 64 KiB of a file: pages one by one, or all in one block of order 4 (`chunk`), which mappings can take as one piece. */
#define WIN_ORDER 4
#define WIN_PAGES 16u
#define WIN_BYTES (PAGE_SIZE * WIN_PAGES)
struct memwin {
	void *page[WIN_PAGES];	  /* NULL: hole */
	u32 refs[WIN_PAGES];	  /* mappings and copies in flight: such a page is never taken out of the file */
	char *chunk;
	u32 used;		  /* non-NULL pages */
};

struct memdirent {
	struct memdirent *hash_next;
	struct inode *inode; /* referenced */
	u64 cookie;
	u32 hash;
	u32 len;
	char name[];
};
struct memdir {
	struct memdirent **table;
	u32 nr_buckets, count;
	struct radix by_cookie;
	u64 next_cookie;
	u64 parent_ino;
	bool dead; /* removed: nothing can be created in it any more */
};

struct memxattr {
	struct list link;
	char *value;
	u32 size, name_len;
	char name[];
};

struct memfs_sb {
	struct super sb;
	struct spinlock dir_lock;
	u64 next_ino;		/* [a] */
	u64 used_pages;		/* [a] data pages */
	u64 max_pages;		/* [I] "size=" option; 0 = bounded only by the instance's memory */
	u64 nr_inodes;		/* [a] */
	struct inode *whiteout; /* [dir_lock] made on first use */
};

struct mem_inode {
	struct inode vfs;
	struct spinlock lock;
	u32 nlink;		      /* [dir_lock] */
	s64 atime, mtime, ctime, btime; /* [a] */
	u64 size;		      /* [lock to change; a to read] */
	u64 nr_pages;		      /* [lock] */
	u32 map_refs;		      /* [lock] references held by mappings */
	u32 seals;		      /* [lock] F_SEAL_* */
	struct list xattrs;	      /* [lock] */
	union {
		struct radix data;    /* [lock] struct memwin by window index */
		struct memdir dir;    /* [dir_lock] */
		struct { char *text; size_t len; } link; /* [I] */
	};
	/* Overlay: what a copied-up inode was below, so that st_dev and st_ino stay; of a directory the lower one merged into it. */
	u64 origin_dev, origin_ino;
	struct inode *lower;	      /* [I] after publishing; referenced */
};
static inline struct mem_inode *mem_i(struct inode *i)
{
	return container_of(i, struct mem_inode, vfs);
}
static inline struct memfs_sb *mem_sb(struct super *sb)
{
	return container_of(sb, struct memfs_sb, sb);
}

/* memfs.c. A new unlinked inode (nlink 0). */
extern const struct fs_type memfs_type;
int memfs_inode_new(struct memfs_sb *sb, u32 mode, u64 rdev, u32 uid, u32 gid, struct inode **out);
int memfs_symlink_new(struct memfs_sb *sb, const char *target, u32 uid, u32 gid, struct inode **out);
void memfs_evict(struct inode *i);
int memfs_getattr(struct inode *i, struct kstat *st);
int memfs_setattr(struct inode *i, const struct iattr *a);
/* A nameless file for memfd_create and shared anonymous memory; name as /proc/PID/fd shows it. Seals as fcntl(2). */
int memfs_new_file(const char *name, u32 mode, u32 uid, u32 gid, struct path *out);
int memfs_get_seals(struct inode *i);		 /* -EINVAL: not such a file */
int memfs_add_seals(struct inode *i, u32 seals);
void memfs_allow_sealing(struct inode *i); /* memfd_create(MFD_ALLOW_SEALING), before anybody else sees the file */
bool inode_is_memfs(const struct inode *i);

/* memfs_data.c */
extern const struct inode_ops memfs_file_ops;
void memfs_data_free(struct mem_inode *mi);
int memfs_resize(struct mem_inode *mi, u64 size); /* inode->lock held */

/* memfs_xattr.c */
ssize memfs_getxattr(struct inode *i, const char *name, void *buf, size_t size);
int memfs_setxattr(struct inode *i, const char *name, const void *buf, size_t size, int flags);
ssize memfs_listxattr(struct inode *i, char *buf, size_t size);
int memfs_removexattr(struct inode *i, const char *name);
void memfs_xattr_free(struct mem_inode *mi);

/* memfs_dir.c */
extern const struct inode_ops memfs_dir_ops;
void memfs_dir_free(struct mem_inode *dir);
/* Puts an inode under a name (nlink + 1). -EEXIST, -ENOENT (dir removed), -ENOMEM. */
int memfs_enter(struct inode *dir, const char *name, unsigned len, struct inode *i);
int memfs_lookup(struct inode *dir, const char *name, unsigned len, struct inode **out);
/* Overlay's whiteout under that name, replacing nothing / taking the place of an entry. */
int memfs_whiteout(struct inode *dir, const char *name, unsigned len);
static inline bool inode_is_whiteout(const struct inode *i)
{
	return (i->mode & S_IFMT) == S_IFCHR && i->rdev == 0;
}
/* Does the directory hold anything but whiteouts? And: drops them all. */
bool memfs_dir_has_real_entries(struct inode *dir);
void memfs_dir_drop_whiteouts(struct inode *dir);
/* The first entry with cookie >= *cookie: name (NAME_MAX_LEN + 1 bytes), inode (referenced); *cookie is its cookie. -ENOENT: no more. */
int memfs_dir_next(struct inode *dir, u64 *cookie, char *name, unsigned *len, struct inode **out);

#endif
