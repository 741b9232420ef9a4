/* SPDX-License-Identifier: MIT */
/*
 * The virtual file system: inodes, dentries, mounts and path walking. Knows no fds and no processes: who asks comes in as struct cred,
 * where relative paths start as struct path. All functions return 0/positive or -errno and may park (uThread context) unless said.
 *
 * References: a dentry holds its inode and its parent; a path holds mount + dentry. inode_ops callbacks get referenced, live arguments.
 */
#ifndef FS_VFS_H
#define FS_VFS_H

#include "base/atomic.h"
#include "base/list.h"
#include "userlib/base/mem.h"
#include "userlib/rt/lock.h"
#include "userlib/rt/uaccess.h"
#include "userlib/rt/waitq.h"
#include <linux/fcntl.h>
#include <linux/stat.h>
#if __STDC_HOSTED__ /* unit tests: with glibc the kernel's header leaves the S_ names to this one */
#include <sys/stat.h>
#endif

#define NAME_MAX_LEN 255
#define PATH_MAX_LEN 4096

struct cred {
	u32 uid, gid, euid, egid, suid, sgid, fsuid, fsgid;
	u32 nr_groups;
	u32 groups[32];
	/* capabilities(7): bit per capability; ids never stand for them, so root that gave some up is without them */
	u64 cap_permitted, cap_effective, cap_inheritable, cap_bounding, cap_ambient;
	u32 securebits; /* <linux/securebits.h> */
};

struct kstat {
	u64 dev, ino, rdev;
	u32 mode, nlink, uid, gid, blksize;
	u64 size, blocks; /* blocks of 512 bytes */
	s64 atime_ns, mtime_ns, ctime_ns, btime_ns; /* since the epoch; btime -1 = unknown */
	u64 attributes;
	u64 mnt_id;
};

/* setattr: `valid` says which. */
#define ATTR_MODE 0x01
#define ATTR_UID 0x02
#define ATTR_GID 0x04
#define ATTR_SIZE 0x08
#define ATTR_ATIME 0x10
#define ATTR_MTIME 0x20
#define ATTR_TOUCH 0x40 /* with ATTR_ATIME|ATTR_MTIME: both mean "now" (utimensat NULL, UTIME_NOW), so write permission suffices */
struct iattr {
	u32 valid;
	u32 mode, uid, gid;
	u64 size;
	s64 atime_ns, mtime_ns;
};

struct inode;
struct dentry;
struct mount;
struct super;
struct file; /* userlib/file; opaque here */
struct path;
struct kstatfs;
struct fs_type;

/* What a file's data is backed by, for mmap (userlib/proc/mm.c). */
enum map_kind {
	MAP_KIND_HOST,	/* host_fd + offset: a host mapping of that file */
	MAP_KIND_ARENA, /* memfs data: pages of the arena, page by page through ops->get_page */
	MAP_KIND_ZERO,	/* /dev/zero: anonymous */
};

/* Emits one directory entry; false = buffer full, stop. next_cookie: where to go on after this entry. */
struct dir_ctx {
	bool (*emit)(struct dir_ctx *c, const char *name, unsigned len, u64 ino, unsigned d_type, s64 next_cookie);
	s64 cookie; /* in/out: where to start, where to go on */
};

/*
 * Any callback may be NULL: -ENOTDIR / -EINVAL / -EPERM / -EOPNOTSUPP as Linux gives for that operation.
 * Permission checks are done by vfs.c before (inode_permission), not by file systems.
 */
struct inode_ops {
	/* Directories. lookup: *out gets a new reference; -ENOENT. */
	int (*lookup)(struct inode *dir, const char *name, unsigned len, struct inode **out);
	int (*create)(struct inode *dir, const char *name, unsigned len, u32 mode, u64 rdev, const struct cred *c, struct inode **out); /* S_IFREG, S_IFIFO, S_IFSOCK, S_IFCHR, S_IFDIR */
	int (*symlink)(struct inode *dir, const char *name, unsigned len, const char *target, const struct cred *c, struct inode **out);
	int (*link)(struct inode *dir, const char *name, unsigned len, struct inode *target);
	int (*unlink)(struct inode *dir, const char *name, unsigned len, struct inode *victim); /* not directories */
	int (*rmdir)(struct inode *dir, const char *name, unsigned len, struct inode *victim);
	int (*rename)(struct inode *od, const char *on, unsigned ol, struct inode *nd, const char *nn, unsigned nl, u32 flags);
	int (*tmpfile)(struct inode *dir, u32 mode, const struct cred *c, struct inode **out);
	int (*readdir)(struct inode *dir, struct dir_ctx *ctx);
	/* Is the cached (dentry) result of an earlier lookup of this name still right? NULL = always. */
	bool (*revalidate)(struct inode *dir, const char *name, unsigned len, struct inode *child);
	/* All. */
	int (*getattr)(struct inode *i, struct kstat *st);
	int (*setattr)(struct inode *i, const struct iattr *a);
	ssize (*readlink)(struct inode *i, char *buf, size_t size);
	/* Magic links (/proc/PID/fd/N, exe, cwd): jump straight to a path. For targets without a name see vfs_anon_path. */
	int (*follow)(struct inode *i, const struct cred *c, struct path *out);
	/* Data. Offsets are explicit; append: the write goes to the end atomically and *pos is set. Short counts at EOF / on EFAULT. */
	ssize (*read)(struct inode *i, struct iov_iter *it, u64 pos);
	ssize (*write)(struct inode *i, struct iov_iter *it, u64 *pos, bool append);
	int (*fallocate)(struct inode *i, int mode, u64 off, u64 len);
	int (*fsync)(struct inode *i, bool data_only);
	s64 (*seek_data)(struct inode *i, s64 off, bool hole); /* SEEK_DATA / SEEK_HOLE */
	void (*prefetch)(struct inode *i, u64 off, u64 len); /* starts reading, waits for nothing; NULL: nothing to be done ahead */
	/* First open for this access; may refuse. Last close of a writer. */
	int (*open)(struct inode *i, unsigned open_flags);
	void (*release)(struct inode *i, unsigned open_flags);
	/* mmap: how; HOST: *host_fd (borrowed, kept open while the inode lives). */
	int (*map)(struct inode *i, bool shared, bool write, enum map_kind *kind, int *host_fd);
	/* ARENA: the page (allocated if create), with a page reference the mapping gives back by put_page. */
	int (*get_page)(struct inode *i, u64 index, bool create, void **page);
	void (*put_page)(struct inode *i, u64 index, void *page);
	ssize (*getxattr)(struct inode *i, const char *name, void *buf, size_t size);
	int (*setxattr)(struct inode *i, const char *name, const void *buf, size_t size, int flags);
	ssize (*listxattr)(struct inode *i, char *buf, size_t size);
	int (*removexattr)(struct inode *i, const char *name);
	/* Last reference gone. */
	void (*evict)(struct inode *i);
	/*
	 * Inodes with their own file behaviour (devices, ptys, fifos, sockets, procfs seq files): the upper layer's open. Stored by
	 * userlib/file when it registers such inodes or file systems; NULL = ordinary file by read/write above.
	 */
	int (*open_file)(struct inode *i, struct path *p, unsigned open_flags, const struct cred *c, struct file **out);
};

struct inode {
	struct ref ref;
	u32 mode;		     /* [a] type bits immutable */
	u64 ino;		     /* [I] */
	struct super *sb;	     /* [I] */
	const struct inode_ops *ops; /* [I] */
	u64 rdev;		     /* [I] devices */
	struct mutex lock;	     /* directories: name changes; files: writes and size */
	void *fs_private;	     /* the file system's */
	void *pipe;		     /* fifo: the live pipe (userlib/file/pipe.c) [lock] */
	void *bound_sock;	     /* S_IFSOCK: the unix socket bound here (userlib/file/sock_unix.c) [lock] */
	struct list flocks;	     /* [flock_lock] fs/flock.c */
	struct spinlock flock_lock;
	void *flock_posix;	     /* [flock_lock] record locks */
	struct waitq flock_wait;
	struct list watches;	     /* inotify marks [watch_lock] */
	struct spinlock watch_lock;
	s32 writers;		     /* [a] open for write; < 0 while executed (ETXTBSY) */
	u64 unique_id;		     /* [I] never reused: futex keys, patch cache, map cache */
	u32 uid, gid;		     /* [a] owner, if flags has INODE_OWNER; else permission checks ask getattr */
	u32 flags;		     /* [I] INODE_* */
	void *overlay;		     /* fs/overlay.c: the overlay inode on top of this one [its lock] */
};
#define INODE_OWNER 1 /* the file system keeps mode, uid, gid above current */
void inode_init(struct inode *i, struct super *sb, const struct inode_ops *ops, u32 mode, u64 ino);
static inline struct inode *inode_get(struct inode *i)
{
	ref_get(&i->ref);
	return i;
}
void inode_put(struct inode *i);
/* ETXTBSY bookkeeping (inode.writers). write_get: 0 or -ETXTBSY; deny: 0 or -ETXTBSY when open for write. */
int inode_write_get(struct inode *i);
void inode_write_put(struct inode *i);
int inode_deny_write(struct inode *i);
void inode_allow_write(struct inode *i);

struct super {
	const struct fs_type *type;
	u64 dev;    /* st_dev */
	u32 flags;  /* MS_RDONLY, MS_NOEXEC ... */
	u32 magic;  /* statfs f_type */
	void *fs_private;
	int (*statfs)(struct super *sb, struct kstatfs *st);
	struct inode *root;
	void (*kill)(struct super *sb); /* last mount gone, all inodes put; frees sb. NULL = never unmounted */
	s64 dir_valid_ns;  /* how long a name of a directory or symlink is believed before ops->revalidate is asked again */
	u32 refs;	   /* [mount lock] mounts of it */
};
u64 vfs_alloc_dev(void); /* a new anonymous device number for st_dev */
struct kstatfs {
	u64 type, bsize, blocks, bfree, bavail, files, ffree, namelen, frsize, flags;
};
struct fs_type {
	const char *name;
	/* source and options as in mount(2); hostfs: private = (long) host directory fd. */
	int (*mount)(const char *source, const char *options, u32 flags, void *private, struct super **out);
};

struct path {
	struct mount *mnt;
	struct dentry *dentry;
};
void path_get(const struct path *p);
void path_put(struct path *p);

/* Flags of path_walk. Trailing-symlink following is the default. */
#define WALK_NOFOLLOW 0x01  /* the last component, if a symlink, is the result */
#define WALK_DIRECTORY 0x02 /* must be a directory */
#define WALK_PARENT 0x04    /* stop at the parent; *last gets the final name (WALK results "." ".." "/" => -EEXIST/-EINVAL by caller) */
#define WALK_BENEATH 0x08   /* openat2 RESOLVE_* */
#define WALK_IN_ROOT 0x10
#define WALK_NO_XDEV 0x20
#define WALK_NO_SYMLINKS 0x40
#define WALK_NO_MAGICLINKS 0x80
struct walk_ctx {
	struct path root, cwd;	  /* borrowed: the process's root; where relative names start */
	const struct cred *cred;
	bool is_borrowed;	  /* proc_walk_ctx_get's: no references were taken */
};
struct qstr {
	char name[NAME_MAX_LEN + 1];
	unsigned len;
	bool trailing_slash;
};
/* mknod-like callers check last->name for "." and "..", and len 0 = "/". */
int path_walk(const struct walk_ctx *w, const char *name, unsigned flags, struct path *out, struct qstr *last);

/* One function per operation; all check permissions with w->cred, apply sticky bits, read-only mounts, inotify events. */
int vfs_open(const struct walk_ctx *w, const char *name, unsigned open_flags, u32 mode, unsigned walk_flags, struct path *out); /* O_CREAT, O_EXCL, O_TRUNC, O_TMPFILE, O_PATH, O_NOFOLLOW, O_DIRECTORY; mode already umasked. Result: path whose inode passed the permission check. */
int vfs_mknod(const struct walk_ctx *w, const char *name, u32 mode, u64 rdev, struct path *out /* may be NULL */);
int vfs_mkdir(const struct walk_ctx *w, const char *name, u32 mode);
int vfs_symlink(const struct walk_ctx *w, const char *target, const char *name);
int vfs_link(const struct path *target, const struct walk_ctx *w, const char *name);
int vfs_unlink(const struct walk_ctx *w, const char *name);
int vfs_rmdir(const struct walk_ctx *w, const char *name);
int vfs_rename(const struct walk_ctx *wo, const char *on, const struct walk_ctx *wn, const char *nn, u32 flags);
ssize vfs_readlink(const struct path *p, char *buf, size_t size);
int vfs_getattr(const struct path *p, struct kstat *st);
int vfs_setattr(const struct path *p, const struct iattr *a, const struct cred *c); /* owner checks, suid clearing */
int vfs_truncate(struct inode *i, u64 size);
int vfs_drop_suid(struct inode *i, const struct cred *c); /* before a change of data by c; 0 or -errno */
int vfs_statfs(const struct path *p, struct kstatfs *st);
int vfs_permission(const struct path *p, unsigned mask /* 4 r 2 w 1 x */, const struct cred *c);
ssize vfs_getxattr(const struct path *p, const char *name, void *buf, size_t size);
int vfs_setxattr(const struct path *p, const char *name, const void *buf, size_t size, int flags, const struct cred *c);
ssize vfs_listxattr(const struct path *p, char *buf, size_t size);
int vfs_removexattr(const struct path *p, const char *name, const struct cred *c);
/* Absolute name of p as seen from root, into buf; returns length with the zero; -ENAMETOOLONG (→ ERANGE by getcwd), "(unreachable)" prefix as Linux; " (deleted)" suffix if asked. */
ssize path_name(const struct path *p, const struct path *root, char *buf, size_t size, bool mark_deleted);

/* Takes a nameless inode (a pipe, an anonymous file) into a path: path_name gives `name`. Consumes the inode reference on success. */
int vfs_anon_path(struct inode *i, const char *name, struct path *out);

/*
 * Data through a path: what ops->read/write do, plus the read-only check of nothing (that was open's) and IN_ACCESS/IN_MODIFY events.
 * userlib/file uses these for plain files; -EISDIR / -EINVAL where there is no operation.
 */
ssize vfs_read(const struct path *p, struct iov_iter *it, u64 pos);
ssize vfs_write(const struct path *p, struct iov_iter *it, u64 *pos, bool append);
int vfs_readdir(const struct path *p, struct dir_ctx *ctx); /* takes the directory's lock where needed; -ENOENT if removed */
int vfs_fallocate(const struct path *p, int mode, u64 off, u64 len);
/* Reports `event` (IN_OPEN, IN_CLOSE_WRITE, ...) on p and its parent directory, if anybody listens. */
void fs_notify_path(const struct path *p, u32 event);

/* Mounts. The first mount makes the root. */
int vfs_mount_root(const struct fs_type *t, const char *source, void *private, u32 flags, struct path *out);
int vfs_mount(const struct fs_type *t, const char *source, const char *options, void *private, u32 flags, const struct path *at);
int vfs_bind(const struct path *from, const struct path *at, u32 flags);
int vfs_umount(const struct path *at, unsigned flags);
/* For /proc/mounts and mountinfo: calls fn for each, in order, until it returns non-zero. */
int vfs_for_each_mount(int (*fn)(struct mount *m, void *arg), void *arg);
const struct fs_type *fs_type_find(const char *name);
void fs_type_register(const struct fs_type *t);

static inline struct inode *path_inode(const struct path *p);

/* inotify: fs reports, userlib/file/inotify.c listens through this hook (NULL until set). Called without locks. */
/* dir/name: the parent and the name in it (dir NULL: only i itself). i may be NULL (a name that is gone). The name is `len` bytes, unterminated. */
extern void (*fs_notify_hook)(struct inode *dir, struct inode *i, const char *name, unsigned len, u32 in_event, u32 cookie);

/*
 * Devices and fifos in memfs, overlay and hostfs inodes: their open_file. minor count 0 = all minors. fifo_open_hook NULL: -ENXIO.
 * A device without registration: -ENXIO.
 */
typedef int open_file_fn(struct inode *i, struct path *p, unsigned open_flags, const struct cred *c, struct file **out);
void chrdev_register(u32 major, u32 minor_first, u32 count, open_file_fn *open_file);
extern open_file_fn *fifo_open_hook;
#define RDEV(maj, min) ((u64)((((u64)(min)) & 0xff) | (((u64)(maj)&0xfff) << 8) | (((u64)(min) & ~0xffull) << 12)))
#define RDEV_MAJOR(d) ((u32)(((d) >> 8) & 0xfff))
#define RDEV_MINOR(d) ((u32)(((d)&0xff) | (((d) >> 12) & 0xfff00)))

/*
 * Read-only windows onto host file data for the copy path of hostfs; set by proc/mm, NULL = host_pread only. Returns the address at which
 * [off, off+len) of the inode's host fd is mapped read-only in the calling kProc, or NULL; may fault (SIGBUS) past a truncation.
 * kmod_id > 0: the kernel module knows the file by this id and maps it (rt/kmod.h).
 */
extern const void *(*fs_map_window)(struct inode *i, int host_fd, int kmod_id, u64 off, u64 len);
/* Gives the window back: it may show another file from then on. */
extern void (*fs_unmap_window)(const void *p);
/* After a regular file was set to a (maybe smaller) size by truncate, ftruncate or O_TRUNC; set by proc/mm. Called without locks. */
extern void (*fs_truncate_hook)(struct inode *i, u64 new_size);

/* Gives cached names (and through them host fds, inodes) back: on memory pressure. Returns how many were dropped. */
unsigned dcache_shrink(unsigned n);

struct dentry {
	struct ref ref;
	u32 flags;		   /* [tree lock] DENTRY_* of dentry.c */
	struct list lru;	   /* [tree lock] unused, kept for the next look-up */
	s64 checked_ns;		   /* [a] when revalidate last said yes */
	struct super *sb;	   /* [I] */
	struct dentry *parent;	   /* [tree lock] */
	struct inode *inode;	   /* [I] NULL = negative, not cached */
	struct list children, sibling; /* [tree lock] */
	struct dentry *hash_next;  /* [tree lock] */
	struct mount *mounted;	   /* [tree lock] the mount whose root covers this */
	u32 hash;
	bool deleted;		   /* [tree lock] */
	u16 name_len;
	char *name;		   /* [tree lock] inline_name or kmem */
	char inline_name[24];
};
static inline struct inode *path_inode(const struct path *p)
{
	return p->dentry->inode;
}
struct mount {
	struct ref ref;
	struct super *sb;
	struct dentry *root;
	struct path at;	 /* where it is mounted; mnt NULL for the root mount */
	u32 flags;
	u32 id, parent_id;
	char source[64];
	struct list link;     /* [mount lock] */
	struct mount *hash_next; /* [tree lock] */
	bool detached;	      /* [tree lock] */
};
static inline void mount_get(struct mount *m)
{
	ref_get(&m->ref);
}
void mount_put(struct mount *m);

#endif
