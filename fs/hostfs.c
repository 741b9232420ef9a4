/* SPDX-License-Identifier: MIT */
/*
 * hostfs: mounting, inodes, look-up, attributes, symlinks. A look-up is one statx relative to the parent's O_PATH descriptor; no
 * descriptor is opened for the file itself. Names are believed for a second if directories or symlinks, else asked for again.
 */
#include "fs/hostfs.h"
#include "base/hash.h"
#include "fs/special.h"
#include "fs/vfs_internal.h"
#include "userlib/base/log.h"
#include "userlib/rt/clock.h"
#include "userlib/rt/host.h"
#include <asm/statfs.h>

#define TABLE_BITS 10
#define TABLE_SIZE (1u << TABLE_BITS)
#define FRESH_NS 5000 /* a statx this recent is "now": the one that the path walk has just done */
#define NAME_VALID_NS NSEC_PER_SEC

static struct slab inode_slab = SLAB_INIT("hostfs_inode", struct host_inode);

int hostfs_statx(int dirfd, const char *name, struct statx *stx)
{
	int flags = AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT | (name ? 0 : AT_EMPTY_PATH);

	return host_statx(dirfd, name ? name : "", flags, STATX_BASIC_STATS | STATX_BTIME, stx);
}

static s64 to_ns(const struct statx_timestamp *t)
{
	return t->tv_sec * NSEC_PER_SEC + t->tv_nsec;
}

static u64 host_dev_of(const struct statx *stx)
{
	return RDEV(stx->stx_dev_major, stx->stx_dev_minor);
}

static s64 btime_of(const struct statx *stx)
{
	return stx->stx_mask & STATX_BTIME ? to_ns(&stx->stx_btime) : -1;
}

bool hostfs_same(const struct host_inode *hi, const struct statx *stx)
{
	return hi->ino == stx->stx_ino && hi->dev == host_dev_of(stx) && hi->btime == btime_of(stx) &&
	       (hi->vfs.mode & S_IFMT) == (stx->stx_mode & S_IFMT);
}

/* hfs_lock held. The st_dev that stands for a host device in this mount. */
static u64 shown_dev_locked(struct hostfs_sb *sb, u64 dev)
{
	for (u32 n = 0; n < sb->nr_devs; n++)
		if (sb->host_dev[n] == dev)
			return sb->shown_dev[n];
	if (sb->nr_devs == ARRAY_SIZE(sb->host_dev))
		return sb->sb.dev;
	sb->host_dev[sb->nr_devs] = dev;
	sb->shown_dev[sb->nr_devs] = sb->nr_devs ? vfs_alloc_dev() : sb->sb.dev;
	return sb->shown_dev[sb->nr_devs++];
}

void hostfs_set_stat(struct host_inode *hi, const struct statx *stx)
{
	struct kstat *st = &hi->st;

	spin_lock(&hfs_lock);
	st->dev = shown_dev_locked(host_sb(hi), host_dev_of(stx));
	st->ino = stx->stx_ino;
	st->rdev = RDEV(stx->stx_rdev_major, stx->stx_rdev_minor);
	st->mode = stx->stx_mode;
	st->nlink = stx->stx_nlink;
	st->uid = stx->stx_uid;
	st->gid = stx->stx_gid;
	st->blksize = stx->stx_blksize;
	st->size = stx->stx_size;
	st->blocks = stx->stx_blocks;
	st->atime_ns = to_ns(&stx->stx_atime);
	st->mtime_ns = to_ns(&stx->stx_mtime);
	st->ctime_ns = to_ns(&stx->stx_ctime);
	st->btime_ns = btime_of(stx);
	st->attributes = stx->stx_attributes & ~(u64)STATX_ATTR_MOUNT_ROOT;
	hi->st_ns = clock_monotonic_ns();
	spin_unlock(&hfs_lock);
	store_relaxed(&hi->vfs.mode, (hi->vfs.mode & S_IFMT) | (stx->stx_mode & 07777u));
	store_relaxed(&hi->vfs.uid, stx->stx_uid);
	store_relaxed(&hi->vfs.gid, stx->stx_gid);
}

static unsigned slot_of(u64 dev, u64 ino)
{
	return (unsigned)(hash_u64(ino ^ (dev << 40)) & (TABLE_SIZE - 1));
}

static const struct inode_ops *ops_for(u32 mode)
{
	switch (mode & S_IFMT) {
	case S_IFDIR:
		return &hostfs_dir_ops;
	case S_IFREG:
		return &hostfs_file_ops;
	case S_IFLNK:
		return &hostfs_link_ops;
	default:
		return &hostfs_special_ops;
	}
}

/* hfs_lock held. A live inode for that host file, referenced, or NULL. */
static struct host_inode *find_locked(struct hostfs_sb *sb, const struct statx *stx)
{
	struct host_inode *hi;

	for (hi = sb->table[slot_of(host_dev_of(stx), stx->stx_ino)]; hi; hi = hi->hash_next)
		if (hostfs_same(hi, stx) && ref_get_unless_zero(&hi->vfs.ref))
			return hi;
	return NULL;
}

static struct host_inode *inode_alloc(struct hostfs_sb *sb, const struct statx *stx)
{
	struct host_inode *hi = slab_zalloc(&inode_slab);

	if (!hi)
		return NULL;
	inode_init(&hi->vfs, &sb->sb, ops_for(stx->stx_mode), stx->stx_mode, stx->stx_ino);
	hi->vfs.flags = INODE_OWNER;
	hi->vfs.rdev = RDEV(stx->stx_rdev_major, stx->stx_rdev_minor);
	hi->dev = host_dev_of(stx);
	hi->ino = stx->stx_ino;
	hi->btime = btime_of(stx);
	for (int k = 0; k < HFD_KINDS; k++)
		hi->fd[k] = -1;
	list_init(&hi->lru);
	list_init(&hi->snap_lru);
	return hi;
}

/* Where the inode can be reached from now on. Consumes nothing; without memory the old name stays. */
void hostfs_rename_inode(struct host_inode *hi, struct host_inode *parent, const char *name, unsigned len)
{
	char *text = kmem_strdup(name, len), *old;
	struct host_inode *old_parent;
	u32 old_len;

	if (!text)
		return;
	inode_get(&parent->vfs);
	spin_lock(&hfs_lock);
	old = hi->name;
	old_len = hi->name_len;
	old_parent = hi->parent;
	hi->name = text;
	hi->name_len = len;
	hi->parent = parent;
	spin_unlock(&hfs_lock);
	if (old)
		kmem_free(old, old_len + 1);
	if (old_parent)
		inode_put(&old_parent->vfs);
}

static bool reached_by(const struct host_inode *hi, const struct host_inode *parent, const char *name, unsigned len)
{
	bool same;

	spin_lock(&hfs_lock);
	same = hi->parent == parent && hi->name_len == len && memcmp(hi->name, name, len) == 0;
	spin_unlock(&hfs_lock);
	return same;
}

int hostfs_inode_for(struct hostfs_sb *sb, struct host_inode *dir, const char *name, unsigned len, const struct statx *stx,
		     struct inode **out)
{
	unsigned s = slot_of(host_dev_of(stx), stx->stx_ino);
	struct host_inode *hi, *fresh = NULL;

	spin_lock(&hfs_lock);
	hi = find_locked(sb, stx);
	spin_unlock(&hfs_lock);
	if (!hi) {
		fresh = inode_alloc(sb, stx);
		if (!fresh)
			return -ENOMEM;
		if (dir) {
			hostfs_rename_inode(fresh, dir, name, len);
			if (!fresh->name) {
				slab_free(&inode_slab, fresh);
				return -ENOMEM;
			}
		}
		spin_lock(&hfs_lock);
		hi = find_locked(sb, stx);
		if (!hi) {
			hi = fresh;
			fresh = NULL;
			hi->hash_next = sb->table[s];
			sb->table[s] = hi;
		}
		spin_unlock(&hfs_lock);
	}
	if (fresh) { /* somebody else made it meanwhile */
		if (dir) {
			inode_put(&dir->vfs);
			kmem_free(fresh->name, fresh->name_len + 1);
		}
		slab_free(&inode_slab, fresh);
	}
	if (dir && !reached_by(hi, dir, name, len))
		hostfs_rename_inode(hi, dir, name, len); /* the name seen last is the likeliest to be good */
	hostfs_set_stat(hi, stx);
	*out = &hi->vfs;
	return 0;
}

static void hostfs_evict(struct inode *i)
{
	struct host_inode *hi = host_i(i), **pp;
	struct hostfs_sb *sb = host_sb(hi);

	spin_lock(&hfs_lock);
	for (pp = &sb->table[slot_of(hi->dev, hi->ino)]; *pp != hi; pp = &(*pp)->hash_next)
		;
	*pp = hi->hash_next;
	spin_unlock(&hfs_lock);
	hfd_close_all(hi);
	hostfs_snap_drop(hi);
	if (hi->name)
		kmem_free(hi->name, hi->name_len + 1);
	if (hi->link_text)
		kmem_free(hi->link_text, strlen(hi->link_text) + 1);
	if (hi->parent)
		inode_put(&hi->parent->vfs);
	slab_free(&inode_slab, hi);
}

static int hostfs_lookup(struct inode *dir, const char *name, unsigned len, struct inode **out)
{
	struct host_inode *hd = host_i(dir);
	struct statx stx;
	int fd = hfd_get(hd, HFD_PATH), err;

	if (fd < 0)
		return fd == -ESTALE ? -ENOENT : fd;
	err = hostfs_statx(fd, name, &stx);
	hfd_put(hd);
	if (err == -ENOENT)
		return hostfs_local_lookup(dir, name, len, out);
	if (err)
		return err;
	return hostfs_inode_for(host_sb(hd), hd, name, len, &stx, out);
}

static bool hostfs_revalidate(struct inode *dir, const char *name, unsigned len, struct inode *child)
{
	struct host_inode *hd = host_i(dir), *hi = host_i(child);
	struct statx stx;
	int fd, err;

	if (hostfs_is_local(child))
		return true;
	fd = hfd_get(hd, HFD_PATH);
	if (fd < 0)
		return false;
	err = hostfs_statx(fd, name, &stx);
	hfd_put(hd);
	if (err || !hostfs_same(hi, &stx))
		return false;
	hostfs_set_stat(hi, &stx);
	/* Of several links this one exists now; the one that was looked up last may be gone. */
	if (!S_ISDIR_(child->mode) && !reached_by(hi, hd, name, len))
		hostfs_rename_inode(hi, hd, name, len);
	return true;
}

/* Asks the host, unless it was asked microseconds ago. */
int hostfs_getattr(struct inode *i, struct kstat *st)
{
	struct host_inode *hi = host_i(i), *parent;
	char name[NAME_MAX_LEN + 1];
	u64 mnt_id = st->mnt_id;
	struct statx stx;
	int fd, err = 0;

	if (clock_monotonic_ns() - load_relaxed(&hi->st_ns) > FRESH_NS) {
		fd = hfd_any(hi);
		if (fd >= 0) {
			err = hostfs_statx(fd, NULL, &stx);
			hfd_put(hi);
		} else {
			fd = hfd_parent(hi, name, &parent);
			if (fd < 0)
				return fd;
			err = hostfs_statx(fd, name, &stx);
			hfd_unparent(parent);
			if (!err && !hostfs_same(hi, &stx))
				err = -ESTALE;
		}
		if (err)
			return err == -ENOENT ? -ESTALE : err;
		hostfs_set_stat(hi, &stx);
	}
	spin_lock(&hfs_lock);
	*st = hi->st;
	spin_unlock(&hfs_lock);
	st->mnt_id = mnt_id;
	return 0;
}

/* A symlink's text never changes while it is the same inode: read once. */
static ssize hostfs_readlink(struct inode *i, char *buf, size_t size)
{
	struct host_inode *hi = host_i(i), *parent;
	char name[NAME_MAX_LEN + 1], *text, *known;
	size_t len;
	ssize n;
	int fd;

	known = load_acquire(&hi->link_text);
	if (!known) {
		fd = hfd_parent(hi, name, &parent);
		if (fd < 0)
			return fd;
		text = kmem_alloc(PATH_MAX_LEN);
		n = text ? host_readlinkat(fd, name, text, PATH_MAX_LEN) : -ENOMEM;
		hfd_unparent(parent);
		known = n > 0 && n < (ssize)PATH_MAX_LEN ? kmem_strdup(text, (size_t)n) : NULL;
		if (text)
			kmem_free(text, PATH_MAX_LEN);
		if (!known)
			return n < 0 ? n : n == 0 ? -ENOENT : n < (ssize)PATH_MAX_LEN ? -ENOMEM : -ENAMETOOLONG;
		text = known;
		spin_lock(&hfs_lock);
		if (!hi->link_text) {
			store_release(&hi->link_text, text);
			text = NULL;
		}
		known = hi->link_text;
		spin_unlock(&hfs_lock);
		if (text)
			kmem_free(text, (size_t)n + 1);
	}
	len = strlen(known);
	memcpy(buf, known, MIN(size, len));
	return (ssize)MIN(size, len);
}

static int hostfs_statfs(struct super *sb, struct kstatfs *st)
{
	struct hostfs_sb *hs = container_of(sb, struct hostfs_sb, sb);
	struct statfs sf;
	int err = host_statfs(hs->root_fd, &sf);

	if (err)
		return err;
	st->type = (u64)sf.f_type;
	st->bsize = (u64)sf.f_bsize;
	st->frsize = (u64)sf.f_frsize;
	st->blocks = (u64)sf.f_blocks;
	st->bfree = (u64)sf.f_bfree;
	st->bavail = (u64)sf.f_bavail;
	st->files = (u64)sf.f_files;
	st->ffree = (u64)sf.f_ffree;
	st->namelen = (u64)sf.f_namelen;
	return 0;
}

static void hostfs_kill(struct super *sb)
{
	struct hostfs_sb *hs = container_of(sb, struct hostfs_sb, sb);

	kmem_free(hs->table, TABLE_SIZE * sizeof(*hs->table));
	kmem_free(hs, sizeof(*hs));
}

/* source: text for /proc/mounts; private: struct hostfs_params. */
static int hostfs_mount(const char *source, const char *options, u32 flags, void *private, struct super **out)
{
	const struct hostfs_params *p = private;
	struct hostfs_sb *hs;
	struct statx stx;
	int err;

	(void)source;
	(void)options;
	if (!p)
		return -EPERM; /* mount(2) by a program: it has no host directory to give */
	err = hostfs_statx(p->fd, NULL, &stx);
	if (err)
		return err;
	hs = kmem_zalloc(sizeof(*hs));
	if (!hs)
		return -ENOMEM;
	hs->table = kmem_zalloc(TABLE_SIZE * sizeof(*hs->table));
	if (!hs->table) {
		kmem_free(hs, sizeof(*hs));
		return -ENOMEM;
	}
	hs->root_fd = p->fd;
	hs->writable = p->writable && !(flags & 1u);
	hs->sb.type = &hostfs_type;
	hs->sb.dev = vfs_alloc_dev();
	hs->sb.flags = hs->writable ? 0 : 1u;
	hs->sb.magic = 0xef53;
	hs->sb.statfs = hostfs_statfs;
	hs->sb.kill = hostfs_kill;
	hs->sb.dir_valid_ns = NAME_VALID_NS;
	err = hostfs_inode_for(hs, NULL, NULL, 0, &stx, &hs->sb.root);
	if (err) {
		hostfs_kill(&hs->sb);
		return err;
	}
	host_i(hs->sb.root)->keep = true;
	host_i(hs->sb.root)->fd[S_ISDIR_(stx.stx_mode) ? HFD_PATH : hs->writable ? HFD_WRITE : HFD_READ] = p->fd;
	if (!S_ISDIR_(stx.stx_mode))
		host_i(hs->sb.root)->fd[HFD_READ] = p->fd;
	*out = &hs->sb;
	return 0;
}

const struct fs_type hostfs_type = { "hostfs", hostfs_mount };

const struct inode_ops hostfs_dir_ops = {
	.lookup = hostfs_lookup,
	.revalidate = hostfs_revalidate,
	.create = hostfs_create,
	.tmpfile = hostfs_tmpfile,
	.symlink = hostfs_symlink,
	.link = hostfs_link,
	.unlink = hostfs_unlink,
	.rmdir = hostfs_rmdir,
	.rename = hostfs_rename,
	.readdir = hostfs_readdir,
	.open = hostfs_open,
	.release = hostfs_release,
	.getattr = hostfs_getattr,
	.setattr = hostfs_setattr,
	.fsync = hostfs_fsync,
	.getxattr = hostfs_getxattr,
	.listxattr = hostfs_listxattr,
	.setxattr = hostfs_setxattr,
	.removexattr = hostfs_removexattr,
	.evict = hostfs_evict,
};

const struct inode_ops hostfs_link_ops = {
	.readlink = hostfs_readlink,
	.getattr = hostfs_getattr,
	.setattr = hostfs_setattr,
	.evict = hostfs_evict,
};

const struct inode_ops hostfs_special_ops = {
	.open_file = special_open_file,
	.getattr = hostfs_getattr,
	.setattr = hostfs_setattr,
	.evict = hostfs_evict,
};

const struct inode_ops hostfs_file_ops = {
	.read = hostfs_read,
	.write = hostfs_write,
	.fallocate = hostfs_fallocate,
	.fsync = hostfs_fsync,
	.seek_data = hostfs_seek_data,
	.prefetch = hostfs_prefetch,
	.open = hostfs_open,
	.release = hostfs_release,
	.map = hostfs_map,
	.getattr = hostfs_getattr,
	.setattr = hostfs_setattr,
	.getxattr = hostfs_getxattr,
	.listxattr = hostfs_listxattr,
	.setxattr = hostfs_setxattr,
	.removexattr = hostfs_removexattr,
	.evict = hostfs_evict,
};
