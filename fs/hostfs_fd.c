/* SPDX-License-Identifier: MIT */
/*
 * Host descriptors of hostfs inodes: opened on demand from the nearest ancestor that has one, pinned while used, then kept on an LRU of
 * bounded length. What is opened by name is checked to be the inode meant (the host may have renamed things): else -ESTALE.
 */
#include "fs/hostfs.h"
#include "fs/vfs_internal.h"
#include "userlib/base/log.h"
#include "userlib/rt/host.h"
#include "userlib/rt/kmod.h"
#include <asm/statfs.h>
#include <linux/stat.h>

#define IDLE_MAX 512
#define KEPT_DIRS_MAX 256 /* directories whose descriptor stays: look-ups take it without lock and pin */

struct spinlock hfs_lock;
static struct list idle = LIST_INIT(idle); /* [hfs_lock] inodes with descriptors and no pins, oldest first */
static u32 nr_idle, nr_kept_dirs; /* [hfs_lock] */

static void unidle_locked(struct host_inode *hi)
{
	if (!list_empty(&hi->lru)) {
		list_del(&hi->lru);
		nr_idle--;
	}
}

static bool has_fd(const struct host_inode *hi)
{
	return hi->fd[HFD_PATH] >= 0 || hi->fd[HFD_READ] >= 0 || hi->fd[HFD_WRITE] >= 0;
}

#define KMOD_ID	  HFD_KINDS /* in what take_fds_locked takes */
#define NR_TAKEN (HFD_KINDS + 1)

/* Takes all descriptors, and the module's id, away into fds[]; the caller closes them without the lock. */
static void take_fds_locked(struct host_inode *hi, int fds[NR_TAKEN])
{
	fds[KMOD_ID] = hi->kmod_id;
	hi->kmod_id = 0;
	for (int k = 0; k < HFD_KINDS; k++) {
		fds[k] = hi->fd[k];
		hi->fd[k] = -1;
	}
	if (fds[HFD_READ] == fds[HFD_WRITE]) /* a mounted file: one descriptor for both */
		fds[HFD_READ] = -1;
}

static void close_fds(const int fds[NR_TAKEN])
{
	if (fds[KMOD_ID] > 0)
		kmod_file_del(fds[KMOD_ID]);
	for (int k = 0; k < HFD_KINDS; k++)
		if (fds[k] >= 0)
			host_close(fds[k]);
}

void hfd_put(struct host_inode *hi)
{
	int fds[NR_TAKEN] = { -1, -1, -1, 0 };

	if (load_acquire(&hi->is_kept_dir)) /* pins are not counted any more, at worst one too many */
		return;
	spin_lock(&hfs_lock);
	if (--hi->pins == 0 && !hi->keep && has_fd(hi) && list_empty(&hi->lru)) {
		list_add_tail(&idle, &hi->lru);
		if (++nr_idle > IDLE_MAX) {
			struct host_inode *old = list_first(&idle, struct host_inode, lru);

			unidle_locked(old);
			take_fds_locked(old, fds);
		}
	}
	spin_unlock(&hfs_lock);
	close_fds(fds);
}

void hfd_close_all(struct host_inode *hi)
{
	int fds[NR_TAKEN];

	spin_lock(&hfs_lock);
	nr_kept_dirs -= hi->is_kept_dir;
	unidle_locked(hi);
	take_fds_locked(hi, fds);
	spin_unlock(&hfs_lock);
	close_fds(fds);
}

int hfd_kmod_id(struct host_inode *hi, int fd)
{
	int id = load_acquire(&hi->kmod_id), other;

	if (id || !kmod_present())
		return id;
	id = kmod_file_add(fd);
	spin_lock(&hfs_lock);
	other = hi->kmod_id;
	if (!other)
		store_release(&hi->kmod_id, id);
	spin_unlock(&hfs_lock);
	if (!other)
		return id;
	if (id > 0)
		kmod_file_del(id);
	return other;
}

int hfd_any(struct host_inode *hi)
{
	int fd = -1;

	spin_lock(&hfs_lock);
	for (int k = HFD_KINDS - 1; k >= 0 && fd < 0; k--)
		fd = hi->fd[k];
	if (fd >= 0) {
		hi->pins++;
		unidle_locked(hi);
	}
	spin_unlock(&hfs_lock);
	return fd;
}

void hfd_adopt(struct host_inode *hi, enum hfd_kind kind, int fd)
{
	int old;

	spin_lock(&hfs_lock);
	hi->pins++;
	unidle_locked(hi);
	old = hi->fd[kind];
	if (old < 0)
		hi->fd[kind] = fd;
	spin_unlock(&hfs_lock);
	if (old >= 0)
		host_close(fd);
	hfd_put(hi);
}

/*
 * The path of hi from its nearest ancestor (or itself) with an open directory, into buf (PATH_MAX_LEN). The ancestor is pinned; its descriptor is
 * returned. hfs_lock is taken inside.
 */
static int path_from_ancestor(struct host_inode *hi, char *buf, char **path, struct host_inode **ancestor)
{
	char *at = buf + PATH_MAX_LEN - 1;
	struct host_inode *a = hi;
	int fd = -ESTALE;

	*at = 0;
	spin_lock(&hfs_lock);
	if (S_ISDIR_(hi->vfs.mode) && hi->fd[HFD_PATH] >= 0) { /* to be opened for reading: from itself */
		*--at = '.';
		fd = hi->fd[HFD_PATH];
	}
	while (fd < 0) {
		if (!a->parent || (size_t)(at - buf) < a->name_len + 1u) {
			fd = a->parent ? -ENAMETOOLONG : -ESTALE;
			break;
		}
		if (*at)
			*--at = '/';
		at -= a->name_len;
		memcpy(at, a->name, a->name_len);
		a = a->parent;
		fd = a->fd[HFD_PATH] >= 0 ? a->fd[HFD_PATH] : a->fd[HFD_READ];
	}
	if (fd >= 0) {
		a->pins++;
		unidle_locked(a);
		inode_get(&a->vfs);
	}
	spin_unlock(&hfs_lock);
	*path = at;
	*ancestor = a;
	return fd;
}

/* File systems whose content means something only to the host are not entered. */
static int check_enterable(struct host_inode *hi, int fd)
{
	static const u32 refused[] = { 0x9fa0, 0x62656572, 0x1cd1, 0x27e0eb, 0x63677270, 0x64626720, 0x74726163, 0x73636673,
				       0xcafe4a11, 0x19800202, 0x6e736673, 0x42494e4d, 0x62656570, 0x6165676c };
	struct statfs sf;

	if (load_relaxed(&hi->is_path_fd_checked))
		return 0;
	if (hi->parent && hi->parent->dev != hi->dev) {
		int err = host_statfs(fd, &sf);

		if (err)
			return err;
		for (size_t n = 0; n < ARRAY_SIZE(refused); n++)
			if ((u32)sf.f_type == refused[n])
				return -EACCES;
	}
	store_relaxed(&hi->is_path_fd_checked, true);
	return 0;
}

static u64 open_flags_of(const struct host_inode *hi, enum hfd_kind kind)
{
	u64 dir = S_ISDIR_(hi->vfs.mode) ? O_DIRECTORY : 0;

	switch (kind) {
	case HFD_PATH:
		return O_PATH | O_NOFOLLOW | O_CLOEXEC | dir;
	case HFD_READ:
		return O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK | O_NOCTTY | dir;
	default:
		return O_RDWR | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK | O_NOCTTY;
	}
}

static int open_by_name(struct host_inode *hi, enum hfd_kind kind)
{
	char *buf = kmem_alloc(PATH_MAX_LEN), *path;
	struct host_inode *a;
	struct statx stx;
	int dirfd, fd, err;

	if (!buf)
		return -ENOMEM;
	dirfd = path_from_ancestor(hi, buf, &path, &a);
	if (dirfd < 0) {
		kmem_free(buf, PATH_MAX_LEN);
		return dirfd;
	}
	fd = host_openat2(dirfd, path, open_flags_of(hi, kind), 0);
	if (fd == -EACCES && kind == HFD_WRITE)
		fd = host_openat2(dirfd, path, (open_flags_of(hi, kind) & ~(u64)O_RDWR) | O_WRONLY, 0);
	hfd_put(a);
	inode_put(&a->vfs);
	kmem_free(buf, PATH_MAX_LEN);
	if (fd < 0)
		return fd == -ENOENT || fd == -ELOOP || fd == -ENOTDIR ? -ESTALE : fd;
	err = hostfs_statx(fd, NULL, &stx);
	if (!err && !hostfs_same(hi, &stx))
		err = -ESTALE;
	if (!err && S_ISDIR_(hi->vfs.mode))
		err = check_enterable(hi, fd);
	if (err) {
		host_close(fd);
		return err;
	}
	return fd;
}

int hfd_get(struct host_inode *hi, enum hfd_kind kind)
{
	u32 fmt = hi->vfs.mode & S_IFMT;
	int fd, mine;

	if (kind == HFD_PATH && load_acquire(&hi->is_kept_dir))
		return hi->fd[HFD_PATH];
	spin_lock(&hfs_lock);
	hi->pins++;
	unidle_locked(hi);
	fd = hi->fd[kind];
	spin_unlock(&hfs_lock);
	if (fd >= 0)
		return fd;
	if (kind != HFD_PATH && fmt != S_IFREG && fmt != S_IFDIR)
		mine = -ENXIO; /* host devices and pipes are never opened */
	else
		mine = open_by_name(hi, kind);
	if (mine < 0) {
		hfd_put(hi);
		return mine;
	}
	spin_lock(&hfs_lock);
	fd = hi->fd[kind];
	if (fd < 0)
		fd = hi->fd[kind] = mine;
	if (kind == HFD_PATH && fmt == S_IFDIR && !hi->is_kept_dir && nr_kept_dirs < KEPT_DIRS_MAX) {
		nr_kept_dirs++;
		hi->keep = true;
		store_release(&hi->is_kept_dir, true);
	}
	spin_unlock(&hfs_lock);
	if (fd != mine)
		host_close(mine);
	return fd;
}

int hfd_parent(struct host_inode *hi, char *name, struct host_inode **parent)
{
	struct host_inode *p;
	int fd;

	spin_lock(&hfs_lock);
	p = hi->parent;
	if (p) {
		inode_get(&p->vfs);
		memcpy(name, hi->name, hi->name_len);
		name[hi->name_len] = 0;
	}
	spin_unlock(&hfs_lock);
	if (!p)
		return -ESTALE;
	fd = hfd_get(p, HFD_PATH);
	if (fd < 0) {
		inode_put(&p->vfs);
		return fd;
	}
	*parent = p;
	return fd;
}

void hfd_unparent(struct host_inode *parent)
{
	hfd_put(parent);
	inode_put(&parent->vfs);
}
