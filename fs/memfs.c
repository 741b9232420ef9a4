/* SPDX-License-Identifier: MIT */
/*
 * memfs: super blocks, inodes, attributes, symlinks, nameless files with seals. Directories: memfs_dir.c; data: memfs_data.c.
 * A directory entry holds a reference to its inode; so an inode lives as long as a name, an open file or a cached dentry needs it.
 */
#include "fs/memfs.h"
#include "fs/special.h"
#include "fs/vfs_internal.h"
#include "userlib/base/log.h"
#include "userlib/rt/clock.h"
#include <linux/fcntl.h>

#define TMPFS_MAGIC 0x01021994
#define SEAL_EXEC 0x20u /* F_SEAL_EXEC, newer than some headers */

static struct slab inode_slab = SLAB_INIT("memfs_inode", struct mem_inode);

static ssize link_readlink(struct inode *i, char *buf, size_t size)
{
	struct mem_inode *mi = mem_i(i);
	size_t n = MIN(size, mi->link.len);

	memcpy(buf, mi->link.text, n);
	return (ssize)n;
}

static const struct inode_ops memfs_link_ops = {
	.readlink = link_readlink,
	.getattr = memfs_getattr,
	.setattr = memfs_setattr,
	.getxattr = memfs_getxattr,
	.setxattr = memfs_setxattr,
	.listxattr = memfs_listxattr,
	.removexattr = memfs_removexattr,
	.evict = memfs_evict,
};

static const struct inode_ops memfs_special_ops = {
	.open_file = special_open_file,
	.getattr = memfs_getattr,
	.setattr = memfs_setattr,
	.getxattr = memfs_getxattr,
	.setxattr = memfs_setxattr,
	.listxattr = memfs_listxattr,
	.removexattr = memfs_removexattr,
	.evict = memfs_evict,
};

int memfs_inode_new(struct memfs_sb *sb, u32 mode, u64 rdev, u32 uid, u32 gid, struct inode **out)
{
	struct mem_inode *mi = slab_zalloc(&inode_slab);
	const struct inode_ops *ops = &memfs_special_ops;

	if (!mi)
		return -ENOSPC;
	if (S_ISREG_(mode))
		ops = &memfs_file_ops;
	else if (S_ISDIR_(mode))
		ops = &memfs_dir_ops;
	else if (S_ISLNK_(mode))
		ops = &memfs_link_ops;
	inode_init(&mi->vfs, &sb->sb, ops, mode, atomic_fetch_add(&sb->next_ino, 1));
	mi->vfs.rdev = rdev;
	mi->vfs.uid = uid;
	mi->vfs.gid = gid;
	mi->vfs.flags = INODE_OWNER;
	spin_init(&mi->lock);
	list_init(&mi->xattrs);
	mi->atime = mi->mtime = mi->ctime = mi->btime = clock_realtime_ns();
	if (S_ISDIR_(mode))
		mi->nlink = 2;
	(void)atomic_fetch_add(&sb->nr_inodes, 1);
	*out = &mi->vfs;
	return 0;
}

int memfs_symlink_new(struct memfs_sb *sb, const char *target, u32 uid, u32 gid, struct inode **out)
{
	size_t len = strlen(target);
	char *text;
	int err;

	if (len >= PATH_MAX_LEN)
		return -ENAMETOOLONG;
	text = kmem_strdup(target, len);
	if (!text)
		return -ENOSPC;
	err = memfs_inode_new(sb, S_IFLNK | 0777, 0, uid, gid, out);
	if (err) {
		kmem_free(text, len + 1);
		return err;
	}
	mem_i(*out)->link.text = text;
	mem_i(*out)->link.len = len;
	mem_i(*out)->size = len;
	return 0;
}

void memfs_evict(struct inode *i)
{
	struct mem_inode *mi = mem_i(i);
	struct memfs_sb *sb = mem_sb(i->sb);

	if (S_ISREG_(i->mode))
		memfs_data_free(mi);
	else if (S_ISDIR_(i->mode))
		memfs_dir_free(mi);
	else if (S_ISLNK_(i->mode))
		kmem_free(mi->link.text, mi->link.len + 1);
	memfs_xattr_free(mi);
	inode_put(mi->lower);
	slab_free(&inode_slab, mi);
	(void)atomic_fetch_sub(&sb->nr_inodes, 1);
}

int memfs_getattr(struct inode *i, struct kstat *st)
{
	struct mem_inode *mi = mem_i(i);

	st->ino = i->ino;
	st->rdev = i->rdev;
	st->mode = load_relaxed(&i->mode);
	st->uid = load_relaxed(&i->uid);
	st->gid = load_relaxed(&i->gid);
	st->nlink = load_relaxed(&mi->nlink);
	st->size = load_relaxed(&mi->size);
	st->blocks = load_relaxed(&mi->nr_pages) * (PAGE_SIZE / 512);
	st->blksize = PAGE_SIZE;
	if (S_ISDIR_(st->mode))
		st->size = (u64)load_relaxed(&mi->dir.count) * 20 + 40; /* as tmpfs: 20 per entry */
	st->atime_ns = load_relaxed(&mi->atime);
	st->mtime_ns = load_relaxed(&mi->mtime);
	st->ctime_ns = load_relaxed(&mi->ctime);
	st->btime_ns = mi->btime;
	return 0;
}

int memfs_setattr(struct inode *i, const struct iattr *a)
{
	struct mem_inode *mi = mem_i(i);
	s64 now = clock_realtime_ns();

	if (a->valid & ATTR_SIZE) {
		int err;

		mutex_lock(&i->lock);
		err = memfs_resize(mi, a->size);
		mutex_unlock(&i->lock);
		if (err)
			return err;
		store_relaxed(&mi->mtime, now);
	}
	if (a->valid & ATTR_MODE)
		store_relaxed(&i->mode, (i->mode & S_IFMT) | (a->mode & 07777));
	if (a->valid & ATTR_UID)
		store_relaxed(&i->uid, a->uid);
	if (a->valid & ATTR_GID)
		store_relaxed(&i->gid, a->gid);
	if (a->valid & ATTR_ATIME)
		store_relaxed(&mi->atime, a->atime_ns);
	if (a->valid & ATTR_MTIME)
		store_relaxed(&mi->mtime, a->mtime_ns);
	store_relaxed(&mi->ctime, now);
	return 0;
}

static int memfs_statfs(struct super *sb, struct kstatfs *st)
{
	struct memfs_sb *ms = mem_sb(sb);
	u64 limit = mem_limit_bytes() / PAGE_SIZE, used = (page_used_bytes() + mem_charged_bytes()) / PAGE_SIZE;
	u64 room = used < limit ? limit - used : 0, mine = load_relaxed(&ms->used_pages);

	st->blocks = mine + room;
	st->bfree = room;
	if (ms->max_pages) {
		st->blocks = ms->max_pages;
		st->bfree = MIN(room, mine < ms->max_pages ? ms->max_pages - mine : 0);
	}
	st->bavail = st->bfree;
	st->files = load_relaxed(&ms->nr_inodes) + room;
	st->ffree = room;
	return 0;
}

static void memfs_kill(struct super *sb)
{
	struct memfs_sb *ms = mem_sb(sb);

	inode_put(ms->whiteout);
	kmem_free(ms, sizeof(*ms));
}

/* "12k", "1g", "50%" (of the instance's memory) to pages; 0 on nonsense. */
static u64 parse_size(const char *s)
{
	u64 v = 0;

	for (; *s >= '0' && *s <= '9'; s++)
		v = v * 10 + (u64)(*s - '0');
	switch (*s) {
	case '%':
		return mem_limit_bytes() / 100 * v / PAGE_SIZE;
	case 'g':
	case 'G':
		v *= KiB; /* fallthrough */
		__attribute__((fallthrough));
	case 'm':
	case 'M':
		v *= KiB;
		__attribute__((fallthrough));
	case 'k':
	case 'K':
		v *= KiB;
	}
	return (v + PAGE_SIZE - 1) / PAGE_SIZE;
}

/* Options as tmpfs(5): size=, mode=, uid=, gid=; others are ignored as unknown sizes of inode tables would be. */
static int parse_options(struct memfs_sb *ms, const char *o, u32 *mode, u32 *uid, u32 *gid)
{
	while (o && *o) {
		const char *e = strchr(o, ',');
		char word[48];
		size_t len = e ? (size_t)(e - o) : strlen(o);
		u64 v;

		if (len >= sizeof(word))
			return -EINVAL;
		memcpy(word, o, len);
		word[len] = 0;
		o = e ? e + 1 : NULL;
		if (strncmp(word, "size=", 5) == 0)
			ms->max_pages = parse_size(word + 5);
		else if (strncmp(word, "mode=", 5) == 0 && parse_u64(word + 5, 8, &v) == 0)
			*mode = (u32)v & 07777;
		else if (strncmp(word, "uid=", 4) == 0 && parse_u64(word + 4, 10, &v) == 0)
			*uid = (u32)v;
		else if (strncmp(word, "gid=", 4) == 0 && parse_u64(word + 4, 10, &v) == 0)
			*gid = (u32)v;
		else if (word[0] && strncmp(word, "nr_", 3) != 0 && strncmp(word, "huge=", 5) != 0 && strncmp(word, "inode", 5) != 0)
			return -EINVAL;
	}
	return 0;
}

static int memfs_mount(const char *source, const char *options, u32 flags, void *private, struct super **out)
{
	struct memfs_sb *ms = kmem_zalloc(sizeof(*ms));
	u32 mode = 01777, uid = 0, gid = 0;
	int err;

	(void)source;
	(void)private;
	if (!ms)
		return -ENOMEM;
	ms->sb.type = &memfs_type;
	ms->sb.dev = vfs_alloc_dev();
	ms->sb.flags = flags & 1u;
	ms->sb.magic = TMPFS_MAGIC;
	ms->sb.statfs = memfs_statfs;
	ms->sb.kill = memfs_kill;
	spin_init(&ms->dir_lock);
	ms->next_ino = 1;
	err = parse_options(ms, options, &mode, &uid, &gid);
	if (!err)
		err = memfs_inode_new(ms, S_IFDIR | mode, 0, uid, gid, &ms->sb.root);
	if (err) {
		kmem_free(ms, sizeof(*ms));
		return err == -ENOSPC ? -ENOMEM : err;
	}
	*out = &ms->sb;
	return 0;
}

const struct fs_type memfs_type = { "tmpfs", memfs_mount };

/* The file system of nameless files, never mounted. */
static struct memfs_sb anon_sb = {
	.sb = { .type = &memfs_type, .magic = TMPFS_MAGIC, .refs = 1, .statfs = memfs_statfs, .dev = 1 /* 0:1, as the kernel's own shmem mount */ },
	.next_ino = 1024,
};

int memfs_new_file(const char *name, u32 mode, u32 uid, u32 gid, struct path *out)
{
	struct inode *i;
	int err = memfs_inode_new(&anon_sb, S_IFREG | (mode & 07777), 0, uid, gid, &i);

	if (err)
		return err == -ENOSPC ? -ENOMEM : err;
	mem_i(i)->seals = F_SEAL_SEAL;
	err = vfs_anon_path(i, name, out);
	if (err)
		inode_put(i);
	return err;
}

bool inode_is_memfs(const struct inode *i)
{
	return i->sb && i->sb->type == &memfs_type;
}

int memfs_get_seals(struct inode *i)
{
	return inode_is_memfs(i) && S_ISREG_(i->mode) && i->sb == &anon_sb.sb ? (int)load_relaxed(&mem_i(i)->seals) : -EINVAL;
}

/* Files start with F_SEAL_SEAL set; memfd_create(MFD_ALLOW_SEALING) calls memfs_allow_sealing first. */
int memfs_add_seals(struct inode *i, u32 seals)
{
	struct mem_inode *mi = mem_i(i);
	int err = 0;

	if (memfs_get_seals(i) < 0 || (seals & ~(u32)(F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_FUTURE_WRITE | SEAL_EXEC)))
		return -EINVAL;
	mutex_lock(&i->lock);
	spin_lock(&mi->lock);
	if (mi->seals & F_SEAL_SEAL)
		err = -EPERM;
	else if ((seals & F_SEAL_WRITE) && mi->map_refs)
		err = -EBUSY;
	else
		mi->seals |= seals;
	spin_unlock(&mi->lock);
	mutex_unlock(&i->lock);
	return err;
}

void memfs_allow_sealing(struct inode *i)
{
	if (memfs_get_seals(i) >= 0)
		mem_i(i)->seals &= ~(u32)F_SEAL_SEAL;
}
