/* SPDX-License-Identifier: MIT */
/*
 * Host directory trees as a file system (type "hostfs"). Inner interface of fs/hostfs*.c, plus what the overlay needs.
 *
 * An inode is one host file, unique per (host dev, ino, birth time) within the mount; it knows one name to reach it by (parent inode + name) and
 * opens host descriptors only when needed. Idle descriptors stay open on an LRU of bounded length.
 * Locks: hfs_lock (spinlock, all mounts): inode tables, names, descriptors, LRU. Never held over a host call.
 */
#ifndef FS_HOSTFS_H
#define FS_HOSTFS_H

#include "fs/vfs.h"

struct statx;

enum hfd_kind { HFD_PATH, HFD_READ, HFD_WRITE, HFD_KINDS }; /* directories: PATH and READ */

struct hostfs_sb {
	struct super sb;
	int root_fd;
	bool writable;
	u64 host_dev[32];  /* [hfs_lock] host devices seen below the root ... */
	u64 shown_dev[32]; /* ... and the st_dev shown for them */
	u32 nr_devs;
	struct super *local_sb; /* [a] hostfs_local.c */
	struct host_inode **table; /* [hfs_lock] */
};

#define RES_WINDOW_SHIFT 16
#define RES_WINDOWS 8
struct host_window {
	u64 win;      /* number + 1 */
	s64 until_ns; /* believed to be in the page cache */
	u32 reads;
};
struct host_inode {
	struct inode vfs;
	struct host_inode *hash_next; /* [hfs_lock] */
	u64 dev, ino;		      /* [I] */
	s64 btime;		      /* [I] */
	struct host_inode *parent;    /* [hfs_lock] referenced; NULL for the root */
	char *name;		      /* [hfs_lock] */
	u32 name_len;
	int fd[HFD_KINDS];	      /* [hfs_lock] -1 = not open */
	int kmod_id;		      /* [hfs_lock, to read: pinned] the module's name for it; 0 = not asked, < 0 = not for this file */
	u8 read_mode;		      /* [a] enum host_read_mode */
	u32 pins;		      /* [hfs_lock] users of the descriptors */
	bool keep;		      /* [hfs_lock] mapped or root: descriptors stay while the inode lives */
	bool is_kept_dir;	      /* [a] set once, under hfs_lock: fd[HFD_PATH] stays while the inode lives */
	bool is_path_fd_checked;      /* [a] the directory's file system may be entered */
	struct list lru;	      /* [hfs_lock] */
	struct kstat st;	      /* [hfs_lock] as of st_ns */
	s64 st_ns;
	struct inode *local;	      /* [a] referenced: hidden directory of fifos and sockets (hostfs_local.c) */
	char *link_text;	      /* [hfs_lock] symlinks: their content, read once */
	struct host_snap *snap;	      /* [hfs_lock] referenced */
	struct list snap_lru;	      /* [hfs_lock] */
	struct host_window res[RES_WINDOWS]; /* [a] windows lately read, by number modulo RES_WINDOWS */
};
static inline struct host_inode *host_i(struct inode *i)
{
	return container_of(i, struct host_inode, vfs);
}
static inline struct hostfs_sb *host_sb(struct host_inode *hi)
{
	return container_of(hi->vfs.sb, struct hostfs_sb, sb);
}
extern struct spinlock hfs_lock;
extern const struct fs_type hostfs_type;

/* What vfs_mount's `private` points to. The descriptor becomes the mount's. root may be a regular file. */
struct hostfs_params {
	int fd;
	bool writable;
};

/* hostfs.c */
int hostfs_getattr(struct inode *i, struct kstat *st);
int hostfs_statx(int dirfd, const char *name, struct statx *stx); /* name NULL: dirfd itself */
/* The inode for what statx found under dir/name; new or known. Consumes nothing. */
int hostfs_inode_for(struct hostfs_sb *sb, struct host_inode *dir, const char *name, unsigned len, const struct statx *stx,
		     struct inode **out);
void hostfs_set_stat(struct host_inode *hi, const struct statx *stx);
bool hostfs_same(const struct host_inode *hi, const struct statx *stx);
void hostfs_rename_inode(struct host_inode *hi, struct host_inode *parent, const char *name, unsigned len);
extern const struct inode_ops hostfs_dir_ops, hostfs_file_ops, hostfs_link_ops, hostfs_special_ops;

/* hostfs_fd.c: a descriptor of that kind, good until hfd_put. -errno. */
int hfd_get(struct host_inode *hi, enum hfd_kind kind);
void hfd_put(struct host_inode *hi);
/* The kernel module's id of the file whose descriptor `fd` is pinned, made at the first call; <= 0: there is none. */
int hfd_kmod_id(struct host_inode *hi, int fd);
void hfd_close_all(struct host_inode *hi);
void hfd_adopt(struct host_inode *hi, enum hfd_kind kind, int fd); /* a descriptor just opened elsewhere */
/* Any open descriptor of it, pinned; -1: none (nothing pinned). */
int hfd_any(struct host_inode *hi);
/* (directory descriptor, name) to reach it by; name into buf of NAME_MAX_LEN+1; *parent is pinned and referenced: release with hfd_unparent. */
int hfd_parent(struct host_inode *hi, char *name, struct host_inode **parent);
void hfd_unparent(struct host_inode *parent);

/* hostfs_data.c */
ssize hostfs_read(struct inode *i, struct iov_iter *it, u64 pos);
int hostfs_open(struct inode *i, unsigned open_flags);
void hostfs_release(struct inode *i, unsigned open_flags);
s64 hostfs_seek_data(struct inode *i, s64 off, bool hole);
void hostfs_prefetch(struct inode *i, u64 off, u64 len);
int hostfs_map(struct inode *i, bool shared, bool write, enum map_kind *kind, int *host_fd);
ssize hostfs_getxattr(struct inode *i, const char *name, void *buf, size_t size);
ssize hostfs_listxattr(struct inode *i, char *buf, size_t size);

/* hostfs_dir.c */
int hostfs_readdir(struct inode *dir, struct dir_ctx *ctx);
/* Did the listing that readdir last used contain this name? Makes one if there is none. */
bool hostfs_listed(struct inode *dir, const char *name, unsigned len);
void hostfs_snap_drop(struct host_inode *hi);

/* hostfs_local.c: special files that exist only in the instance. */
bool hostfs_is_local(const struct inode *i);
int hostfs_local_create(struct inode *dir, const char *name, unsigned len, u32 mode, u64 rdev, const struct cred *c, struct inode **out);
int hostfs_local_lookup(struct inode *dir, const char *name, unsigned len, struct inode **out);
bool hostfs_local_has(struct inode *dir, const char *name, unsigned len);
int hostfs_local_link(struct inode *dir, const char *name, unsigned len, struct inode *target);
int hostfs_local_unlink(struct inode *dir, const char *name, unsigned len);
int hostfs_local_rename(struct inode *od, const char *on, unsigned ol, struct inode *nd, const char *nn, unsigned nl, u32 flags);
bool hostfs_local_empty(struct inode *dir);
bool hostfs_local_phase(s64 cookie);
void hostfs_local_readdir(struct inode *dir, struct dir_ctx *ctx);

/* hostfs_write.c */
int hostfs_create(struct inode *dir, const char *name, unsigned len, u32 mode, u64 rdev, const struct cred *c, struct inode **out);
int hostfs_tmpfile(struct inode *dir, u32 mode, const struct cred *c, struct inode **out);
int hostfs_symlink(struct inode *dir, const char *name, unsigned len, const char *target, const struct cred *c, struct inode **out);
int hostfs_link(struct inode *dir, const char *name, unsigned len, struct inode *target);
int hostfs_unlink(struct inode *dir, const char *name, unsigned len, struct inode *victim);
int hostfs_rmdir(struct inode *dir, const char *name, unsigned len, struct inode *victim);
int hostfs_rename(struct inode *od, const char *on, unsigned ol, struct inode *nd, const char *nn, unsigned nl, u32 flags);
int hostfs_setattr(struct inode *i, const struct iattr *a);
ssize hostfs_write(struct inode *i, struct iov_iter *it, u64 *pos, bool append);
int hostfs_fallocate(struct inode *i, int mode, u64 off, u64 len);
int hostfs_fsync(struct inode *i, bool data_only);
int hostfs_setxattr(struct inode *i, const char *name, const void *buf, size_t size, int flags);
int hostfs_removexattr(struct inode *i, const char *name);

#endif
