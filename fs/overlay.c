/* SPDX-License-Identifier: MIT */
/* The overlay: mount, inodes and their identity, attributes and data. Names: overlay_dir.c; copying up: overlay_copy.c. */
#include "fs/overlay.h"
#include "fs/hostfs.h"
#include "fs/special.h"
#include "fs/vfs_internal.h"
#include "userlib/base/log.h"
#include "userlib/rt/clock.h"

#define OVERLAYFS_MAGIC 0x794c7630
#define UPPER_INO_BASE (1ull << 48) /* inode numbers of files that were never below */

static struct slab inode_slab = SLAB_INIT("overlay_inode", struct ovl_inode);
static const struct inode_ops ovl_file_ops, ovl_link_ops, ovl_special_ops;

static const struct inode_ops *ops_for(u32 mode)
{
	switch (mode & S_IFMT) {
	case S_IFDIR:
		return &ovl_dir_ops;
	case S_IFREG:
		return &ovl_file_ops;
	case S_IFLNK:
		return &ovl_link_ops;
	default:
		return &ovl_special_ops;
	}
}

/* Permission checks read mode and owner from the overlay inode. */
void ovl_sync_owner(struct ovl_inode *oi)
{
	struct inode *real = ovl_real(oi);

	store_relaxed(&oi->vfs.mode, load_relaxed(&real->mode));
	store_relaxed(&oi->vfs.uid, load_relaxed(&real->uid));
	store_relaxed(&oi->vfs.gid, load_relaxed(&real->gid));
}

u64 ovl_shown_ino(struct inode *upper)
{
	return mem_i(upper)->origin_ino ? mem_i(upper)->origin_ino : upper->ino;
}

/* link_lock held. */
static struct ovl_inode *find_locked(struct inode *key)
{
	struct ovl_inode *oi = key->overlay;

	return oi && ref_get_unless_zero(&oi->vfs.ref) ? oi : NULL;
}

int ovl_inode_for(struct ovl_sb *ov, struct inode *upper, struct inode *lower, struct ovl_inode *dir, const char *name, unsigned len,
		  struct inode **out)
{
	struct inode *key = upper ? upper : lower;
	struct ovl_inode *oi, *fresh = NULL;

	spin_lock(&ov->link_lock);
	oi = find_locked(key);
	spin_unlock(&ov->link_lock);
	if (!oi) {
		fresh = slab_zalloc(&inode_slab);
		if (!fresh) {
			inode_put(upper);
			inode_put(lower);
			return -ENOMEM;
		}
		inode_init(&fresh->vfs, &ov->sb, ops_for(key->mode), key->mode, upper ? ovl_shown_ino(upper) : lower->ino);
		fresh->vfs.rdev = key->rdev;
		fresh->vfs.flags = INODE_OWNER;
		fresh->upper = upper;
		fresh->lower = lower;
		mutex_init(&fresh->copy_lock);
		spin_lock(&ov->link_lock);
		oi = find_locked(key);
		if (!oi) {
			oi = fresh;
			fresh = NULL;
			key->overlay = oi;
			upper = lower = NULL; /* now its own */
		}
		spin_unlock(&ov->link_lock);
	}
	if (fresh)
		slab_free(&inode_slab, fresh);
	inode_put(upper);
	inode_put(lower);
	if (dir && !ovl_upper(oi))
		ovl_set_place(oi, dir, name, len);
	ovl_sync_owner(oi);
	*out = &oi->vfs;
	return 0;
}

void ovl_evict(struct inode *i)
{
	struct ovl_inode *oi = ovl_i(i);
	struct ovl_sb *ov = ovl_sb(oi);

	spin_lock(&ov->link_lock);
	if (oi->upper && oi->upper->overlay == oi)
		oi->upper->overlay = NULL;
	if (oi->lower && oi->lower->overlay == oi)
		oi->lower->overlay = NULL;
	spin_unlock(&ov->link_lock);
	inode_put(oi->upper);
	inode_put(oi->lower);
	if (oi->parent)
		inode_put(&oi->parent->vfs);
	if (oi->name)
		kmem_free(oi->name, oi->name_len + 1);
	slab_free(&inode_slab, oi);
}

int ovl_getattr(struct inode *i, struct kstat *st)
{
	struct ovl_inode *oi = ovl_i(i);
	struct inode *u = ovl_upper(oi);
	int err;

	if (!u) {
		err = oi->lower->ops->getattr(oi->lower, st);
		if (!err)
			ovl_sync_owner(oi);
		return err;
	}
	err = memfs_getattr(u, st);
	st->ino = ovl_shown_ino(u);
	st->dev = mem_i(u)->origin_dev ? mem_i(u)->origin_dev : i->sb->dev;
	if (S_ISDIR_(st->mode)) { /* as the disk file systems below would say */
		st->size = PAGE_SIZE;
		st->blocks = PAGE_SIZE / 512;
	}
	if (S_ISDIR_(st->mode) && oi->lower)
		st->nlink = 1; /* "not known": nobody counts merged subdirectories */
	else if (st->nlink == 0 && oi->lower && !S_ISDIR_(st->mode))
		st->nlink = oi->parent ? 1 : 0;
	return err;
}

int ovl_setattr(struct inode *i, const struct iattr *a)
{
	struct ovl_inode *oi = ovl_i(i);
	int err = ovl_copy_up(oi, a->valid & ATTR_SIZE ? a->size : ~0ull);

	if (err)
		return err;
	err = memfs_setattr(oi->upper, a);
	ovl_sync_owner(oi);
	return err;
}

ssize ovl_getxattr(struct inode *i, const char *name, void *buf, size_t size)
{
	struct inode *r = ovl_real(ovl_i(i));

	return r->ops->getxattr ? r->ops->getxattr(r, name, buf, size) : -EOPNOTSUPP;
}

ssize ovl_listxattr(struct inode *i, char *buf, size_t size)
{
	struct inode *r = ovl_real(ovl_i(i));

	return r->ops->listxattr ? r->ops->listxattr(r, buf, size) : 0;
}

int ovl_setxattr(struct inode *i, const char *name, const void *buf, size_t size, int flags)
{
	int err = ovl_copy_up(ovl_i(i), ~0ull);

	return err ? err : memfs_setxattr(ovl_i(i)->upper, name, buf, size, flags);
}

int ovl_removexattr(struct inode *i, const char *name)
{
	ssize n = ovl_getxattr(i, name, NULL, 0);
	int err = n < 0 ? (int)n : ovl_copy_up(ovl_i(i), ~0ull);

	return err ? err : memfs_removexattr(ovl_i(i)->upper, name);
}

static ssize ovl_readlink(struct inode *i, char *buf, size_t size)
{
	struct inode *r = ovl_real(ovl_i(i));

	return r->ops->readlink(r, buf, size);
}

static ssize ovl_read(struct inode *i, struct iov_iter *it, u64 pos)
{
	struct inode *r = ovl_real(ovl_i(i));

	return r->ops->read(r, it, pos);
}

static ssize ovl_write(struct inode *i, struct iov_iter *it, u64 *pos, bool append)
{
	int err = ovl_copy_up(ovl_i(i), ~0ull);
	struct inode *u = ovl_i(i)->upper;

	return err ? err : u->ops->write(u, it, pos, append);
}

static int ovl_fallocate(struct inode *i, int mode, u64 off, u64 len)
{
	int err = ovl_copy_up(ovl_i(i), ~0ull);
	struct inode *u = ovl_i(i)->upper;

	return err ? err : u->ops->fallocate(u, mode, off, len);
}

static int ovl_fsync(struct inode *i, bool data_only)
{
	(void)i;
	(void)data_only;
	return 0; /* memory, or a file that we cannot have changed */
}

static s64 ovl_seek_data(struct inode *i, s64 off, bool hole)
{
	struct inode *r = ovl_real(ovl_i(i));

	return r->ops->seek_data(r, off, hole);
}

static void ovl_prefetch(struct inode *i, u64 off, u64 len)
{
	struct inode *r = ovl_real(ovl_i(i));

	if (r->ops->prefetch)
		r->ops->prefetch(r, off, len);
}

static int ovl_open(struct inode *i, unsigned open_flags)
{
	struct ovl_inode *oi = ovl_i(i);
	int err;

	if ((open_flags & O_ACCMODE) != O_RDONLY)
		return ovl_copy_up(oi, open_flags & O_TRUNC ? 0 : ~0ull);
	if (ovl_upper(oi) || !oi->lower->ops->open)
		return 0;
	err = oi->lower->ops->open(oi->lower, open_flags);
	if (!err) {
		spin_lock(&ovl_sb(oi)->link_lock);
		oi->lower_opens++;
		spin_unlock(&ovl_sb(oi)->link_lock);
	}
	return err;
}

/* Opens of the lower file are only counted: after a copy-up nobody reads it through us, so it does not matter which one this was. */
static void ovl_release(struct inode *i, unsigned open_flags)
{
	struct ovl_inode *oi = ovl_i(i);
	bool lower;

	spin_lock(&ovl_sb(oi)->link_lock);
	lower = oi->lower_opens && (ovl_upper(oi) || (open_flags & O_ACCMODE) == O_RDONLY);
	if (lower)
		oi->lower_opens--;
	spin_unlock(&ovl_sb(oi)->link_lock);
	if (lower)
		oi->lower->ops->release(oi->lower, O_RDONLY);
}

static int ovl_map(struct inode *i, bool shared, bool write, enum map_kind *kind, int *host_fd)
{
	struct inode *r;

	if (shared && write) {
		int err = ovl_copy_up(ovl_i(i), ~0ull);

		if (err)
			return err;
	}
	r = ovl_real(ovl_i(i));
	return r->ops->map(r, shared, write, kind, host_fd);
}

static int ovl_get_page(struct inode *i, u64 index, bool create, void **page)
{
	struct inode *u = ovl_upper(ovl_i(i));

	return u ? u->ops->get_page(u, index, create, page) : -EINVAL;
}

static void ovl_put_page(struct inode *i, u64 index, void *page)
{
	struct inode *u = ovl_upper(ovl_i(i));

	u->ops->put_page(u, index, page);
}

static const struct inode_ops ovl_file_ops = {
	.read = ovl_read,
	.write = ovl_write,
	.fallocate = ovl_fallocate,
	.fsync = ovl_fsync,
	.seek_data = ovl_seek_data,
	.prefetch = ovl_prefetch,
	.open = ovl_open,
	.release = ovl_release,
	.map = ovl_map,
	.get_page = ovl_get_page,
	.put_page = ovl_put_page,
	.getattr = ovl_getattr,
	.setattr = ovl_setattr,
	.getxattr = ovl_getxattr,
	.setxattr = ovl_setxattr,
	.listxattr = ovl_listxattr,
	.removexattr = ovl_removexattr,
	.evict = ovl_evict,
};

static const struct inode_ops ovl_link_ops = {
	.readlink = ovl_readlink,
	.getattr = ovl_getattr,
	.setattr = ovl_setattr,
	.getxattr = ovl_getxattr,
	.setxattr = ovl_setxattr,
	.listxattr = ovl_listxattr,
	.removexattr = ovl_removexattr,
	.evict = ovl_evict,
};

static const struct inode_ops ovl_special_ops = {
	.open_file = special_open_file,
	.getattr = ovl_getattr,
	.setattr = ovl_setattr,
	.getxattr = ovl_getxattr,
	.setxattr = ovl_setxattr,
	.listxattr = ovl_listxattr,
	.removexattr = ovl_removexattr,
	.evict = ovl_evict,
};

static int ovl_statfs(struct super *sb, struct kstatfs *st)
{
	struct ovl_sb *ov = container_of(sb, struct ovl_sb, sb);
	int err = ov->upper_sb->sb.statfs(&ov->upper_sb->sb, st);

	st->type = OVERLAYFS_MAGIC;
	return err;
}

/* private: struct ovl_params. The overlay owns a hostfs and a memfs of its own. */
static int ovl_mount(const char *source, const char *options, u32 flags, void *private, struct super **out)
{
	const struct ovl_params *p = private;
	struct super *low, *up;
	struct hostfs_params hp;
	struct ovl_inode *root;
	struct inode *ri;
	struct ovl_sb *ov;
	int err;

	(void)options;
	if (!p)
		return -EPERM;
	hp = (struct hostfs_params){ .fd = p->fd, .writable = false };
	err = hostfs_type.mount(source, NULL, 1, &hp, &low);
	if (err)
		return err;
	err = memfs_type.mount(source, "mode=0755", 0, NULL, &up);
	if (err)
		return err;
	ov = kmem_zalloc(sizeof(*ov));
	if (!ov)
		return -ENOMEM;
	ov->upper_sb = mem_sb(up);
	ov->upper_sb->next_ino += UPPER_INO_BASE;
	ov->lower_root = low->root;
	ov->sb.type = &overlay_type;
	ov->sb.dev = low->dev;
	ov->sb.flags = flags & 1u;
	ov->sb.magic = OVERLAYFS_MAGIC;
	ov->sb.statfs = ovl_statfs;
	ov->sb.dir_valid_ns = NSEC_PER_SEC;
	mutex_init(&ov->lock);
	spin_init(&ov->link_lock);
	err = ovl_inode_for(ov, NULL, inode_get(low->root), NULL, NULL, 0, &ri);
	if (!err) { /* the root is up from the start: an empty twin of the lower root */
		root = ovl_i(ri);
		err = ovl_copy_up(root, ~0ull);
	}
	if (err)
		return err;
	ov->sb.root = ri;
	*out = &ov->sb;
	return 0;
}

const struct fs_type overlay_type = { "overlay", ovl_mount };
