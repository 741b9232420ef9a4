/* SPDX-License-Identifier: MIT */
/* System calls that name files: attributes, directories, links, permissions, the working directory. */
#include "userlib/sys/sys_file_calls.h"
#include "userlib/sys/sys_util.h"
#include <asm/stat.h>
#include <asm/statfs.h>
#include <linux/time_types.h>

/* Runs `call` with `a` set up; releases it. */
#define WITH_AT(a, dirfd, upath, flags, call)               \
	({                                                  \
		long wa_r_ = at_get(&(a), dirfd, upath, flags); \
		if (!wa_r_) {                               \
			wa_r_ = (call);                     \
			at_put(&(a));                       \
		}                                           \
		wa_r_;                                      \
	})

/* The second of two, inside WITH_AT. */
#define WITH_AT_TOO(b, dirfd, upath, call)                     \
	({                                                     \
		long wb_r_ = at_get(&(b), dirfd, upath, 0);    \
		if (!wb_r_) {                                  \
			wb_r_ = (call);                        \
			at_put(&(b));                          \
		}                                              \
		wb_r_;                                         \
	})

static unsigned major_of(u64 dev)
{
	return (unsigned)(dev >> 8 & 0xfff) | (unsigned)(dev >> 32 & ~0xfffu);
}
static unsigned minor_of(u64 dev)
{
	return (unsigned)(dev & 0xff) | (unsigned)(dev >> 12 & ~0xffu);
}

/* ---- stat ---- */

static long put_stat(const struct kstat *k, void __app *dst)
{
	struct stat s;

	memset(&s, 0, sizeof(s));
	s.st_dev = k->dev;
	s.st_ino = k->ino;
	s.st_nlink = k->nlink;
	s.st_mode = k->mode;
	s.st_uid = k->uid;
	s.st_gid = k->gid;
	s.st_rdev = k->rdev;
	s.st_size = (long)k->size;
	s.st_blksize = k->blksize ? k->blksize : 4096;
	s.st_blocks = (long)k->blocks;
	s.st_atime = (u64)(k->atime_ns / NSEC_PER_SEC);
	s.st_atime_nsec = (u64)(k->atime_ns % NSEC_PER_SEC);
	s.st_mtime = (u64)(k->mtime_ns / NSEC_PER_SEC);
	s.st_mtime_nsec = (u64)(k->mtime_ns % NSEC_PER_SEC);
	s.st_ctime = (u64)(k->ctime_ns / NSEC_PER_SEC);
	s.st_ctime_nsec = (u64)(k->ctime_ns % NSEC_PER_SEC);
	return copy_to_app(dst, &s, sizeof(s));
}

static int file_stat(struct file *f, struct kstat *k)
{
	return file_getattr(f, k);
}

static int stat_at(struct at_path *a, bool follow, struct kstat *k)
{
	struct path p;
	int r;

	memset(k, 0, sizeof(*k));
	if (a->empty && a->dir)
		return file_stat(a->dir, k);
	r = at_resolve(a, follow, &p);
	if (r)
		return r;
	r = vfs_getattr(&p, k);
	path_put(&p);
	return r;
}

long sys_newfstatat(int dirfd, const char __app *path, void __app *st, int flags)
{
	struct at_path a;
	struct kstat k;
	long r;

	if (flags & ~(AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT | AT_EMPTY_PATH | AT_STATX_SYNC_TYPE))
		return -EINVAL;
	r = WITH_AT(a, dirfd, path, flags, stat_at(&a, !(flags & AT_SYMLINK_NOFOLLOW), &k));
	return r ? r : put_stat(&k, st);
}

long sys_stat(const char __app *path, void __app *st)
{
	return sys_newfstatat(AT_FDCWD, path, st, 0);
}
long sys_lstat(const char __app *path, void __app *st)
{
	return sys_newfstatat(AT_FDCWD, path, st, AT_SYMLINK_NOFOLLOW);
}
long sys_fstat(int fd, void __app *st)
{
	bool owned;
	struct file *f = fd_borrow_any(fd, &owned);
	struct kstat k;
	long r;

	if (!f)
		return -EBADF;
	r = file_stat(f, &k);
	fd_return(f, owned);
	return r ? r : put_stat(&k, st);
}

static struct statx_timestamp stx_time(s64 ns)
{
	return (struct statx_timestamp){ .tv_sec = ns / NSEC_PER_SEC, .tv_nsec = (u32)(ns % NSEC_PER_SEC) };
}

long sys_statx(int dirfd, const char __app *path, int flags, unsigned mask, void __app *ustx)
{
	struct at_path a;
	struct kstat k;
	struct statx s;
	long r;

	if (flags & ~(AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT | AT_EMPTY_PATH | AT_STATX_SYNC_TYPE) || mask & STATX__RESERVED ||
	    (flags & AT_STATX_SYNC_TYPE) == AT_STATX_SYNC_TYPE)
		return -EINVAL;
	r = WITH_AT(a, dirfd, path, flags, stat_at(&a, !(flags & AT_SYMLINK_NOFOLLOW), &k));
	if (r)
		return r;
	memset(&s, 0, sizeof(s));
	s.stx_mask = STATX_BASIC_STATS | STATX_MNT_ID | (k.btime_ns > 0 ? STATX_BTIME : 0);
	s.stx_blksize = k.blksize ? k.blksize : 4096;
	s.stx_attributes = k.attributes;
	s.stx_nlink = k.nlink;
	s.stx_uid = k.uid;
	s.stx_gid = k.gid;
	s.stx_mode = (u16)k.mode;
	s.stx_ino = k.ino;
	s.stx_size = k.size;
	s.stx_blocks = k.blocks;
	s.stx_atime = stx_time(k.atime_ns);
	s.stx_mtime = stx_time(k.mtime_ns);
	s.stx_ctime = stx_time(k.ctime_ns);
	if (k.btime_ns > 0)
		s.stx_btime = stx_time(k.btime_ns);
	s.stx_rdev_major = major_of(k.rdev);
	s.stx_rdev_minor = minor_of(k.rdev);
	s.stx_dev_major = major_of(k.dev);
	s.stx_dev_minor = minor_of(k.dev);
	s.stx_mnt_id = k.mnt_id;
	return copy_to_app(ustx, &s, sizeof(s));
}

/* ---- access ---- */

static long access_at(struct at_path *a, int mode, bool follow, bool effective)
{
	struct cred c = *a->w.cred;
	struct path p;
	long r;

	if (!effective) {
		c.fsuid = c.uid;
		c.fsgid = c.gid;
		c.cap_effective = c.uid ? 0 : c.cap_permitted;
	}
	a->w.cred = &c;
	r = at_resolve(a, follow, &p);
	if (r)
		return r;
	r = mode ? vfs_permission(&p, (unsigned)mode, &c) : 0;
	path_put(&p);
	return r;
}

long sys_faccessat2(int dirfd, const char __app *path, int mode, int flags)
{
	struct at_path a;

	if (mode & ~7 || flags & ~(AT_EACCESS | AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH))
		return -EINVAL;
	return WITH_AT(a, dirfd, path, flags, access_at(&a, mode, !(flags & AT_SYMLINK_NOFOLLOW), flags & AT_EACCESS));
}
long sys_faccessat(int dirfd, const char __app *path, int mode)
{
	return sys_faccessat2(dirfd, path, mode, 0);
}
long sys_access(const char __app *path, int mode)
{
	return sys_faccessat2(AT_FDCWD, path, mode, 0);
}

/* ---- working directory and root ---- */

long sys_getcwd(char __app *ubuf, size_t size)
{
	struct walk_ctx w = proc_walk_ctx_get(uproc_self());
	char *buf = kmem_alloc(PATH_MAX_LEN);
	ssize n = -ENOMEM;

	if (buf) {
		n = w.cwd.dentry->deleted ? -ENOENT : path_name(&w.cwd, &w.root, buf, PATH_MAX_LEN, false);
		if (n > 0)
			n = (size_t)n > size ? -ERANGE : copy_to_app(ubuf, buf, (size_t)n) ? -EFAULT : n;
		kmem_free(buf, PATH_MAX_LEN);
	}
	proc_walk_ctx_put(&w);
	return n;
}

/* Takes over p's reference. */
static long set_dir(struct path *p, bool root)
{
	struct uproc *self = uproc_self();
	struct fs_ctx *fs = self->fs;
	struct path old;
	long r = S_ISDIR(path_inode(p)->mode) ? vfs_permission(p, 1, &self->cred) : -ENOTDIR;

	if (!r && root && self->cred.euid)
		r = -EPERM;
	if (r) {
		path_put(p);
		return r;
	}
	spin_lock(&fs->lock);
	old = root ? fs->root : fs->cwd;
	*(root ? &fs->root : &fs->cwd) = *p;
	spin_unlock(&fs->lock);
	path_put(&old);
	return 0;
}

static long set_dir_at(const char __app *path, bool root)
{
	struct at_path a;
	struct path p;
	long r = WITH_AT(a, AT_FDCWD, path, 0, at_resolve(&a, true, &p));

	return r ? r : set_dir(&p, root);
}
long sys_chdir(const char __app *path)
{
	return set_dir_at(path, false);
}
long sys_chroot(const char __app *path)
{
	return set_dir_at(path, true);
}
long sys_fchdir(int fd)
{
	struct file *f = fd_file_any(fd);
	struct path p;

	if (!f)
		return -EBADF;
	p = f->path;
	if (p.mnt)
		path_get(&p);
	file_put(f);
	return p.mnt ? set_dir(&p, false) : -ENOTDIR;
}

/* ---- names ---- */

static unsigned masked(unsigned mode)
{
	return mode & 07777 & ~uproc_self()->fs->umask;
}

long sys_mkdirat(int dirfd, const char __app *path, unsigned mode)
{
	struct at_path a;

	return WITH_AT(a, dirfd, path, 0, vfs_mkdir(&a.w, a.name, masked(mode & 01777)));
}
long sys_mkdir(const char __app *path, unsigned mode)
{
	return sys_mkdirat(AT_FDCWD, path, mode);
}
long sys_mknodat(int dirfd, const char __app *path, unsigned mode, u64 dev)
{
	unsigned type = mode & S_IFMT ? mode & S_IFMT : S_IFREG;
	struct at_path a;

	if (type == S_IFDIR)
		return -EPERM;
	if (type != S_IFREG && type != S_IFIFO && type != S_IFSOCK && type != S_IFCHR && type != S_IFBLK)
		return -EINVAL;
	if ((type == S_IFCHR || type == S_IFBLK) && uproc_self()->cred.euid)
		return -EPERM;
	return WITH_AT(a, dirfd, path, 0, vfs_mknod(&a.w, a.name, type | masked(mode), dev, NULL));
}
long sys_mknod(const char __app *path, unsigned mode, u64 dev)
{
	return sys_mknodat(AT_FDCWD, path, mode, dev);
}
long sys_unlinkat(int dirfd, const char __app *path, int flags)
{
	struct at_path a;

	if (flags & ~AT_REMOVEDIR)
		return -EINVAL;
	return WITH_AT(a, dirfd, path, 0, flags ? vfs_rmdir(&a.w, a.name) : vfs_unlink(&a.w, a.name));
}
long sys_unlink(const char __app *path)
{
	return sys_unlinkat(AT_FDCWD, path, 0);
}
long sys_rmdir(const char __app *path)
{
	return sys_unlinkat(AT_FDCWD, path, AT_REMOVEDIR);
}
long sys_renameat2(int fromfd, const char __app *from, int tofd, const char __app *to, unsigned flags)
{
	struct at_path a, b;

	if (flags & ~7u || (flags & 2 && flags & 5))
		return -EINVAL;
	return WITH_AT(a, fromfd, from, 0, WITH_AT_TOO(b, tofd, to, vfs_rename(&a.w, a.name, &b.w, b.name, flags)));
}
long sys_renameat(int fromfd, const char __app *from, int tofd, const char __app *to)
{
	return sys_renameat2(fromfd, from, tofd, to, 0);
}
long sys_rename(const char __app *from, const char __app *to)
{
	return sys_renameat2(AT_FDCWD, from, AT_FDCWD, to, 0);
}

static long link_at(struct at_path *a, bool follow, struct at_path *b)
{
	struct path p;
	long r = at_resolve(a, follow, &p);

	if (r)
		return r;
	r = vfs_link(&p, &b->w, b->name);
	path_put(&p);
	return r;
}
long sys_linkat(int fromfd, const char __app *from, int tofd, const char __app *to, int flags)
{
	struct at_path a, b;

	if (flags & ~(AT_SYMLINK_FOLLOW | AT_EMPTY_PATH))
		return -EINVAL;
	return WITH_AT(a, fromfd, from, flags, WITH_AT_TOO(b, tofd, to, link_at(&a, flags & AT_SYMLINK_FOLLOW, &b)));
}
long sys_link(const char __app *from, const char __app *to)
{
	return sys_linkat(AT_FDCWD, from, AT_FDCWD, to, 0);
}
long sys_symlinkat(const char __app *utarget, int dirfd, const char __app *path)
{
	char *target = kmem_alloc(PATH_MAX_LEN);
	struct at_path a;
	ssize n;
	long r;

	if (!target)
		return -ENOMEM;
	n = strncpy_from_app(target, utarget, PATH_MAX_LEN);
	r = n < 0 ? n : n == 0 ? -ENOENT : WITH_AT(a, dirfd, path, 0, vfs_symlink(&a.w, target, a.name));
	kmem_free(target, PATH_MAX_LEN);
	return r;
}
long sys_symlink(const char __app *target, const char __app *path)
{
	return sys_symlinkat(target, AT_FDCWD, path);
}

static long readlink_at(struct at_path *a, char __app *ubuf, int size)
{
	char *buf;
	struct path p;
	long r = at_resolve(a, false, &p);

	if (r)
		return r;
	buf = kmem_alloc(PATH_MAX_LEN);
	r = !buf ? -ENOMEM : !S_ISLNK(path_inode(&p)->mode) ? (a->empty ? -ENOENT : -EINVAL) : vfs_readlink(&p, buf, PATH_MAX_LEN);
	if (r > size)
		r = size;
	if (r > 0 && copy_to_app(ubuf, buf, (size_t)r))
		r = -EFAULT;
	kmem_free(buf, PATH_MAX_LEN);
	path_put(&p);
	return r;
}
long sys_readlinkat(int dirfd, const char __app *path, char __app *buf, int size)
{
	struct at_path a;

	if (size <= 0)
		return -EINVAL;
	return WITH_AT(a, dirfd, path, AT_EMPTY_PATH, a.empty && !a.dir ? -ENOENT : readlink_at(&a, buf, size));
}
long sys_readlink(const char __app *path, char __app *buf, int size)
{
	return sys_readlinkat(AT_FDCWD, path, buf, size);
}

/* ---- attributes ---- */

static long setattr_at(struct at_path *a, bool follow, const struct iattr *at)
{
	struct path p;
	long r = at_resolve(a, follow, &p);

	if (r)
		return r;
	r = vfs_setattr(&p, at, &uproc_self()->cred);
	path_put(&p);
	return r;
}
static long setattr_fd(int fd, const struct iattr *at)
{
	struct file *f = fd_file(fd);
	long r;

	if (!f)
		return -EBADF;
	r = f->path.mnt ? vfs_setattr(&f->path, at, &uproc_self()->cred) : 0;
	file_put(f);
	return r;
}

long sys_fchmodat(int dirfd, const char __app *path, unsigned mode)
{
	struct iattr at = { .valid = ATTR_MODE, .mode = mode & 07777 };
	struct at_path a;

	return WITH_AT(a, dirfd, path, 0, setattr_at(&a, true, &at));
}
long sys_chmod(const char __app *path, unsigned mode)
{
	return sys_fchmodat(AT_FDCWD, path, mode);
}
long sys_fchmod(int fd, unsigned mode)
{
	struct iattr at = { .valid = ATTR_MODE, .mode = mode & 07777 };

	return setattr_fd(fd, &at);
}

static struct iattr owner_attr(unsigned uid, unsigned gid)
{
	return (struct iattr){ .valid = (uid + 1 ? ATTR_UID : 0) | (gid + 1 ? ATTR_GID : 0), .uid = uid, .gid = gid };
}
long sys_fchownat(int dirfd, const char __app *path, unsigned uid, unsigned gid, int flags)
{
	struct iattr at = owner_attr(uid, gid);
	struct at_path a;

	if (flags & ~(AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH))
		return -EINVAL;
	return WITH_AT(a, dirfd, path, flags, setattr_at(&a, !(flags & AT_SYMLINK_NOFOLLOW), &at));
}
long sys_chown(const char __app *path, unsigned uid, unsigned gid)
{
	return sys_fchownat(AT_FDCWD, path, uid, gid, 0);
}
long sys_lchown(const char __app *path, unsigned uid, unsigned gid)
{
	return sys_fchownat(AT_FDCWD, path, uid, gid, AT_SYMLINK_NOFOLLOW);
}
long sys_fchown(int fd, unsigned uid, unsigned gid)
{
	struct iattr at = owner_attr(uid, gid);

	return setattr_fd(fd, &at);
}

#define UTIME_NOW_NS 0x3fffffffl
#define UTIME_OMIT_NS 0x3ffffffel

/* times: {sec, nsec} x 2, already converted; NULL = now. */
static long utimes_common(int dirfd, const char __app *path, const s64 *t, int flags)
{
	struct iattr at = { .valid = ATTR_ATIME | ATTR_MTIME };
	s64 now = clock_realtime_ns();
	struct at_path a;

	at.atime_ns = at.mtime_ns = now;
	for (int i = 0; t && i < 2; i++) {
		s64 ns = t[2 * i + 1], v = t[2 * i] * NSEC_PER_SEC + ns;

		if (ns == UTIME_OMIT_NS) {
			at.valid &= ~(i ? (u32)ATTR_MTIME : (u32)ATTR_ATIME);
			continue;
		}
		if (ns == UTIME_NOW_NS)
			v = now;
		else if (ns < 0 || ns >= NSEC_PER_SEC)
			return -EINVAL;
		*(i ? &at.mtime_ns : &at.atime_ns) = v;
	}
	if (!path && dirfd != AT_FDCWD)
		return setattr_fd(dirfd, &at);
	return WITH_AT(a, dirfd, path, flags, setattr_at(&a, !(flags & AT_SYMLINK_NOFOLLOW), &at));
}
long sys_utimensat(int dirfd, const char __app *path, const s64 __app *times, int flags)
{
	s64 t[4];

	if (flags & ~(AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH))
		return -EINVAL;
	if (times && copy_from_app(t, times, sizeof(t)))
		return -EFAULT;
	return utimes_common(dirfd, path, times ? t : NULL, flags);
}
long sys_futimesat(int dirfd, const char __app *path, const s64 __app *times)
{
	s64 t[4];

	if (times) {
		if (copy_from_app(t, times, sizeof(t)))
			return -EFAULT;
		if (t[1] < 0 || t[1] >= 1000000 || t[3] < 0 || t[3] >= 1000000)
			return -EINVAL;
		t[1] *= 1000;
		t[3] *= 1000;
	}
	return utimes_common(dirfd, path, times ? t : NULL, 0);
}
long sys_utimes(const char __app *path, const s64 __app *times)
{
	return sys_futimesat(AT_FDCWD, path, times);
}
long sys_utime(const char __app *path, const s64 __app *times)
{
	s64 t[4] = { 0 };

	if (times && (get_app(t[0], times) || get_app(t[2], times + 1)))
		return -EFAULT;
	return utimes_common(AT_FDCWD, path, times ? t : NULL, 0);
}

/* ---- file systems ---- */

static long put_statfs(const struct path *p, void __app *dst)
{
	struct kstatfs k;
	struct statfs s;
	long r;

	memset(&k, 0, sizeof(k));
	r = vfs_statfs(p, &k);
	if (r)
		return r;
	memset(&s, 0, sizeof(s));
	s.f_type = (long)k.type;
	s.f_bsize = (long)k.bsize;
	s.f_blocks = k.blocks;
	s.f_bfree = k.bfree;
	s.f_bavail = k.bavail;
	s.f_files = k.files;
	s.f_ffree = k.ffree;
	s.f_namelen = (long)k.namelen;
	s.f_frsize = (long)(k.frsize ? k.frsize : k.bsize);
	s.f_flags = (long)k.flags;
	return copy_to_app(dst, &s, sizeof(s));
}
static long statfs_at(struct at_path *a, void __app *dst)
{
	struct path p;
	long r = at_resolve(a, true, &p);

	if (r)
		return r;
	r = put_statfs(&p, dst);
	path_put(&p);
	return r;
}
long sys_statfs(const char __app *path, void __app *buf)
{
	struct at_path a;

	return WITH_AT(a, AT_FDCWD, path, 0, statfs_at(&a, buf));
}
long sys_fstatfs(int fd, void __app *buf)
{
	struct file *f = fd_file_any(fd);
	long r;

	if (!f)
		return -EBADF;
	r = f->path.mnt ? put_statfs(&f->path, buf) : -ENOSYS;
	file_put(f);
	return r;
}

long sys_umask(unsigned mask)
{
	struct fs_ctx *fs = uproc_self()->fs;
	long old;

	spin_lock(&fs->lock);
	old = fs->umask;
	fs->umask = mask & 0777;
	spin_unlock(&fs->lock);
	return old;
}
