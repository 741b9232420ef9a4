/* SPDX-License-Identifier: MIT */
/* hostfs mounted writable: every change goes to the host. A read-only mount refuses here too, whatever the callers checked. */
#include "fs/hostfs.h"
#include "fs/vfs_internal.h"
#include "userlib/base/log.h"
#include "userlib/rt/clock.h"
#include "userlib/rt/host.h"
#include "userlib/rt/host_ring.h"

#define HOST_AT_REMOVEDIR 0x200
#define HOST_O_TMPFILE 020000000

static bool is_writable(struct inode *i)
{
	return host_sb(host_i(i))->writable;
}

/* The next getattr asks the host. */
static void forget_stat(struct inode *i)
{
	store_relaxed(&host_i(i)->st_ns, (s64)0);
}

/* A fresh name becomes an inode with the mode and owner asked for (the host process has its own umask and ids). */
static int adopt_name(struct inode *dir, int dirfd, const char *name, unsigned len, u32 mode, const struct cred *c, struct inode **out)
{
	struct host_inode *hd = host_i(dir);
	struct statx stx;
	u32 uid, gid;
	int err = hostfs_statx(dirfd, name, &stx);

	if (err)
		return err;
	inode_new_owner(dir, &mode, c, &uid, &gid);
	if (stx.stx_uid != uid || stx.stx_gid != gid)
		(void)host_fchownat(dirfd, name, uid, gid, AT_SYMLINK_NOFOLLOW); /* refused to ordinary users: the file is the launcher's */
	err = hostfs_inode_for(host_sb(hd), hd, name, len, &stx, out);
	if (err)
		return err;
	if (!S_ISLNK_(mode) && ((stx.stx_mode ^ mode) & 07777)) {
		int fd = hfd_get(host_i(*out), HFD_READ);

		if (fd >= 0) {
			(void)host_fchmod(fd, mode & 07777);
			hfd_put(host_i(*out));
		}
	}
	forget_stat(*out);
	return hostfs_getattr(*out, &(struct kstat){ .size = 0 });
}

int hostfs_create(struct inode *dir, const char *name, unsigned len, u32 mode, u64 rdev, const struct cred *c, struct inode **out)
{
	int dirfd, fd = -1, err;

	if (!is_writable(dir))
		return -EROFS;
	if (!S_ISREG_(mode) && !S_ISDIR_(mode))
		return hostfs_local_create(dir, name, len, mode, rdev, c, out);
	dirfd = hfd_get(host_i(dir), HFD_PATH);
	if (dirfd < 0)
		return dirfd;
	if (S_ISDIR_(mode)) {
		err = host_mkdirat(dirfd, name, (mode & 07777) | 0700);
	} else {
		/* Readable by us whatever its mode, so that descriptors can be opened again later. */
		fd = host_openat2(dirfd, name, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC | O_NOCTTY, mode & 07777);
		err = fd < 0 ? fd : 0;
	}
	if (!err)
		err = adopt_name(dir, dirfd, name, len, mode, c, out);
	if (!err && fd >= 0)
		hfd_adopt(host_i(*out), HFD_WRITE, fd);
	else if (fd >= 0)
		host_close(fd);
	hfd_put(host_i(dir));
	forget_stat(dir);
	return err;
}

/* A file without a name: reached by its one descriptor, which stays while the inode lives. */
int hostfs_tmpfile(struct inode *dir, u32 mode, const struct cred *c, struct inode **out)
{
	struct host_inode *hi;
	struct statx stx;
	u32 uid, gid;
	int dirfd, fd, err;

	if (!is_writable(dir))
		return -EROFS;
	dirfd = hfd_get(host_i(dir), HFD_PATH);
	if (dirfd < 0)
		return dirfd;
	fd = host_openat2(dirfd, ".", HOST_O_TMPFILE | O_DIRECTORY | O_RDWR | O_CLOEXEC, mode & 0777);
	hfd_put(host_i(dir));
	if (fd < 0)
		return fd;
	inode_new_owner(dir, &mode, c, &uid, &gid);
	(void)host_fchownat(fd, "", uid, gid, AT_EMPTY_PATH); /* refused to ordinary users, as for named files */
	(void)host_fchmod(fd, mode & 01777);		       /* the host process has its own umask */
	err = hostfs_statx(fd, NULL, &stx);
	if (!err)
		err = hostfs_inode_for(host_sb(host_i(dir)), NULL, NULL, 0, &stx, out);
	if (err) {
		host_close(fd);
		return err;
	}
	hi = host_i(*out);
	spin_lock(&hfs_lock);
	hi->fd[HFD_READ] = hi->fd[HFD_WRITE] = fd;
	hi->keep = true;
	spin_unlock(&hfs_lock);
	return 0;
}

/* Gives one a name: the host lets the opener of the file do that (Linux 6.10; before, it wants a capability that we do not have). */
static int link_nameless(struct inode *dir, const char *name, unsigned len, struct host_inode *hi)
{
	int dirfd, fd = hfd_any(hi), err;

	if (fd < 0)
		return -ENOENT;
	dirfd = hfd_get(host_i(dir), HFD_PATH);
	err = dirfd;
	if (dirfd >= 0) {
		err = host_linkat(fd, "", dirfd, name, AT_EMPTY_PATH);
		hfd_put(host_i(dir));
	}
	hfd_put(hi);
	if (!err)
		hostfs_rename_inode(hi, host_i(dir), name, len);
	forget_stat(&hi->vfs);
	forget_stat(dir);
	return err;
}

int hostfs_symlink(struct inode *dir, const char *name, unsigned len, const char *target, const struct cred *c, struct inode **out)
{
	int dirfd, err;

	if (!is_writable(dir))
		return -EROFS;
	dirfd = hfd_get(host_i(dir), HFD_PATH);
	if (dirfd < 0)
		return dirfd;
	err = host_symlinkat(target, dirfd, name);
	if (!err)
		err = adopt_name(dir, dirfd, name, len, S_IFLNK | 0777, c, out);
	hfd_put(host_i(dir));
	forget_stat(dir);
	return err;
}

int hostfs_link(struct inode *dir, const char *name, unsigned len, struct inode *target)
{
	char old[NAME_MAX_LEN + 1];
	struct host_inode *parent;
	int dirfd, oldfd, err;

	if (!is_writable(dir))
		return -EROFS;
	if (hostfs_is_local(target))
		return hostfs_local_link(dir, name, len, target);
	if (!load_relaxed(&host_i(target)->name))
		return link_nameless(dir, name, len, host_i(target));
	oldfd = hfd_parent(host_i(target), old, &parent);
	if (oldfd < 0)
		return oldfd == -ESTALE ? -ENOENT : oldfd;
	dirfd = hfd_get(host_i(dir), HFD_PATH);
	err = dirfd;
	if (dirfd >= 0) {
		err = host_linkat(oldfd, old, dirfd, name, 0);
		hfd_put(host_i(dir));
	}
	hfd_unparent(parent);
	forget_stat(target);
	forget_stat(dir);
	return err;
}

static int remove_name(struct inode *dir, const char *name, struct inode *victim, int flags)
{
	int dirfd, fd, err;

	if (!is_writable(dir))
		return -EROFS;
	dirfd = hfd_get(host_i(dir), HFD_PATH);
	if (dirfd < 0)
		return dirfd;
	/* Other users of the inode go on with a descriptor; once the name is gone none could be opened. */
	fd = S_ISREG_(victim->mode) ? hfd_get(host_i(victim), HFD_READ) : -1;
	err = host_unlinkat(dirfd, name, flags);
	if (fd >= 0)
		hfd_put(host_i(victim));
	hfd_put(host_i(dir));
	forget_stat(dir);
	forget_stat(victim);
	return err;
}

int hostfs_unlink(struct inode *dir, const char *name, unsigned len, struct inode *victim)
{
	if (hostfs_is_local(victim))
		return hostfs_local_unlink(dir, name, len);
	return remove_name(dir, name, victim, 0);
}

int hostfs_rmdir(struct inode *dir, const char *name, unsigned len, struct inode *victim)
{
	(void)len;
	if (!hostfs_local_empty(victim))
		return -ENOTEMPTY;
	return remove_name(dir, name, victim, HOST_AT_REMOVEDIR);
}

/* The inode now called dir/name is told so. */
static void renamed_to(struct inode *dir, int dirfd, const char *name, unsigned len)
{
	struct host_inode *hd = host_i(dir);
	struct inode *i;
	struct statx stx;

	if (hostfs_statx(dirfd, name, &stx) == 0 && hostfs_inode_for(host_sb(hd), hd, name, len, &stx, &i) == 0)
		inode_put(i);
}

/* A local file moves; a host file of the new name is replaced. */
static int rename_local(struct inode *od, const char *on, unsigned ol, struct inode *nd, const char *nn, unsigned nl, u32 flags)
{
	int fd = hfd_get(host_i(nd), HFD_PATH), err;

	if (fd < 0)
		return fd;
	err = hostfs_local_rename(od, on, ol, nd, nn, nl, flags);
	if (!err)
		(void)host_unlinkat(fd, nn, 0); /* mostly there is none */
	hfd_put(host_i(nd));
	return err;
}

int hostfs_rename(struct inode *od, const char *on, unsigned ol, struct inode *nd, const char *nn, unsigned nl, u32 flags)
{
	int ofd, nfd, err;

	if (!is_writable(od))
		return -EROFS;
	if (hostfs_local_has(od, on, ol))
		return rename_local(od, on, ol, nd, nn, nl, flags);
	ofd = hfd_get(host_i(od), HFD_PATH);
	if (ofd < 0)
		return ofd;
	nfd = hfd_get(host_i(nd), HFD_PATH);
	err = nfd;
	if (nfd >= 0) {
		err = host_renameat2(ofd, on, nfd, nn, flags);
		if (!err) {
			renamed_to(nd, nfd, nn, nl);
			(void)hostfs_local_unlink(nd, nn, nl); /* replaced, if there was one */
			if (flags)
				renamed_to(od, ofd, on, ol);
		}
		hfd_put(host_i(nd));
	}
	hfd_put(host_i(od));
	forget_stat(od);
	forget_stat(nd);
	return err;
}

static int set_times(struct inode *i, const struct iattr *a)
{
	struct { s64 sec, nsec; } ts[2];
	char name[NAME_MAX_LEN + 1];
	struct host_inode *parent;
	int fd, err;

	for (int k = 0; k < 2; k++) {
		s64 ns = k ? a->mtime_ns : a->atime_ns;

		ts[k].sec = ns / NSEC_PER_SEC;
		ts[k].nsec = ns % NSEC_PER_SEC;
		if (ts[k].nsec < 0) {
			ts[k].sec--;
			ts[k].nsec += NSEC_PER_SEC;
		}
		if (!(a->valid & (k ? ATTR_MTIME : ATTR_ATIME)))
			ts[k].nsec = 0x3ffffffe; /* UTIME_OMIT */
	}
	fd = hfd_parent(host_i(i), name, &parent);
	if (fd < 0)
		return fd;
	err = host_utimensat(fd, name, ts, AT_SYMLINK_NOFOLLOW);
	hfd_unparent(parent);
	return err;
}

static int set_owner(struct inode *i, const struct iattr *a)
{
	char name[NAME_MAX_LEN + 1];
	struct host_inode *parent;
	int fd = hfd_parent(host_i(i), name, &parent), err;

	if (fd < 0)
		return fd;
	err = host_fchownat(fd, name, a->valid & ATTR_UID ? a->uid : ~0u, a->valid & ATTR_GID ? a->gid : ~0u, AT_SYMLINK_NOFOLLOW);
	hfd_unparent(parent);
	return err;
}

static int with_fd(struct inode *i, enum hfd_kind kind, int (*fn)(int fd, const struct iattr *a), const struct iattr *a)
{
	int fd = hfd_get(host_i(i), kind), err;

	if (fd < 0)
		return fd;
	err = fn(fd, a);
	hfd_put(host_i(i));
	return err;
}

static int set_size_fd(int fd, const struct iattr *a)
{
	return host_ftruncate(fd, a->size);
}

static int set_mode_fd(int fd, const struct iattr *a)
{
	return host_fchmod(fd, a->mode & 07777);
}

int hostfs_setattr(struct inode *i, const struct iattr *a)
{
	int err = 0;

	if (!is_writable(i))
		return -EROFS;
	if (a->valid & ATTR_SIZE)
		err = with_fd(i, HFD_WRITE, set_size_fd, a);
	if (!err && (a->valid & (ATTR_UID | ATTR_GID)))
		err = set_owner(i, a);
	if (!err && (a->valid & ATTR_MODE))
		err = with_fd(i, HFD_READ, set_mode_fd, a);
	if (!err && (a->valid & (ATTR_ATIME | ATTR_MTIME)))
		err = set_times(i, a);
	forget_stat(i);
	/* Permission checks use what the inode remembers. */
	(void)hostfs_getattr(i, &(struct kstat){ .size = 0 });
	return err;
}

ssize hostfs_write(struct inode *i, struct iov_iter *it, u64 *pos, bool append)
{
	struct host_inode *hi = host_i(i);
	struct kstat st = { .size = 0 };
	ssize done = 0;
	int fd;

	if (!is_writable(i))
		return -EROFS;
	fd = hfd_get(hi, HFD_WRITE);
	if (fd < 0)
		return fd;
	mutex_lock(&i->lock);
	if (append) {
		forget_stat(i);
		done = hostfs_getattr(i, &st);
		*pos = st.size;
	}
	while (!done && it->nr_segs && it->count && it->seg->len == it->seg_offset) { /* leading empty segments */
		it->seg++;
		it->nr_segs--;
		it->seg_offset = 0;
	}
	while (done >= 0 && it->count) {
		size_t len = MIN(it->seg->len - it->seg_offset, it->count);
		long n;

		if (!len) {
			it->seg++;
			it->nr_segs--;
			it->seg_offset = 0;
			continue;
		}
		n = host_pwrite(fd, (const char *)it->seg->base + it->seg_offset, len, *pos);
		if (n <= 0) {
			if (!done)
				done = n;
			break;
		}
		iter_advance(it, (size_t)n);
		done += n;
		*pos += (u64)n;
		if ((size_t)n < len)
			break;
	}
	forget_stat(i);
	mutex_unlock(&i->lock);
	hfd_put(hi);
	return done;
}

int hostfs_fallocate(struct inode *i, int mode, u64 off, u64 len)
{
	int fd, err;

	if (!is_writable(i))
		return -EROFS;
	fd = hfd_get(host_i(i), HFD_WRITE);
	if (fd < 0)
		return fd;
	err = host_fallocate(fd, mode, off, len);
	hfd_put(host_i(i));
	forget_stat(i);
	return err;
}

int hostfs_fsync(struct inode *i, bool data_only)
{
	int fd, err;

	if (!is_writable(i))
		return 0; /* nothing of ours is dirty */
	fd = hfd_get(host_i(i), S_ISDIR_(i->mode) ? HFD_READ : HFD_WRITE);
	if (fd < 0)
		return fd;
	err = host_fsync_park(fd, data_only);
	hfd_put(host_i(i));
	return err;
}

int hostfs_setxattr(struct inode *i, const char *name, const void *buf, size_t size, int flags)
{
	int fd, err;

	if (!is_writable(i))
		return -EROFS;
	fd = hfd_get(host_i(i), HFD_READ);
	if (fd < 0)
		return fd;
	err = host_fsetxattr(fd, name, buf, size, flags);
	hfd_put(host_i(i));
	return err;
}

int hostfs_removexattr(struct inode *i, const char *name)
{
	int fd, err;

	if (!is_writable(i))
		return -EROFS;
	fd = hfd_get(host_i(i), HFD_READ);
	if (fd < 0)
		return fd;
	err = host_fremovexattr(fd, name);
	hfd_put(host_i(i));
	return err;
}
