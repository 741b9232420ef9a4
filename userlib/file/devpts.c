/* SPDX-License-Identifier: MIT */
/* The file system of /dev/pts: one device per live pty, and ptmx. Inodes are made at look-up; names are believed only while the pty is there. */
#include "userlib/base/string.h"
#include "userlib/file/file_internal.h"
#include "userlib/file/pty.h"
#include "fs/special.h"

#define PTMX_INO 2u
#define FIRST_INO 3u
#define DEVPTS_MAGIC 0x1cd1u

struct pts_inode {
	struct inode vfs; /* first */
	u32 uid, gid, perm;
	s64 time;
};
static struct slab pts_slab = SLAB_INIT("devpts_inode", struct pts_inode);
static const struct inode_ops dev_ops, root_ops;

static int new_inode(struct super *sb, const struct inode_ops *ops, u32 mode, u64 ino, u64 rdev, struct inode **out)
{
	struct pts_inode *p = slab_zalloc(&pts_slab);
	const struct cred *c = proc_hooks ? proc_hooks->current_cred() : NULL;

	if (!p)
		return -ENOMEM;
	inode_init(&p->vfs, sb, ops, mode, ino);
	p->vfs.rdev = rdev;
	if (c && ops == &dev_ops && ino != PTMX_INO) {
		p->uid = c->fsuid;
		p->gid = c->fsgid;
	}
	p->time = clock_realtime_ns();
	*out = &p->vfs;
	return 0;
}

static bool parse_name(const char *name, unsigned len, int *index)
{
	int v = 0;

	if (!len || len > 3 || (len > 1 && name[0] == '0'))
		return false;
	for (unsigned i = 0; i < len; i++) {
		if (name[i] < '0' || name[i] > '9')
			return false;
		v = v * 10 + (name[i] - '0');
	}
	*index = v;
	return true;
}

static int pts_lookup(struct inode *dir, const char *name, unsigned len, struct inode **out)
{
	int n;

	if (len == 4 && !memcmp(name, "ptmx", 4))
		return new_inode(dir->sb, &dev_ops, S_IFCHR | 0666, PTMX_INO, RDEV(5, 2), out);
	if (!parse_name(name, len, &n) || pty_next(n) != n)
		return -ENOENT;
	return new_inode(dir->sb, &dev_ops, S_IFCHR | 0620, FIRST_INO + (u64)n, RDEV(136, n), out);
}

static bool pts_revalidate(struct inode *dir, const char *name, unsigned len, struct inode *child)
{
	int n;

	(void)dir, (void)child;
	return !parse_name(name, len, &n) || pty_next(n) == n;
}

static int pts_readdir(struct inode *dir, struct dir_ctx *ctx)
{
	char name[12];
	int n;

	if (ctx->cookie == 0 && !ctx->emit(ctx, ".", 1, dir->ino, 4, ctx->cookie + 1))
		return 0;
	if (ctx->cookie == 0)
		ctx->cookie = 1;
	if (ctx->cookie == 1) {
		if (!ctx->emit(ctx, "..", 2, dir->ino, 4, 2))
			return 0;
		ctx->cookie = 2;
	}
	if (ctx->cookie == 2) {
		if (!ctx->emit(ctx, "ptmx", 4, PTMX_INO, 2, 3))
			return 0;
		ctx->cookie = 3;
	}
	while ((n = pty_next((int)(ctx->cookie - 3))) >= 0) {
		int len = fmt(name, sizeof(name), "%d", n);

		if (!ctx->emit(ctx, name, (unsigned)len, FIRST_INO + (u64)n, 2, n + 4))
			return 0;
		ctx->cookie = n + 4;
	}
	return 0;
}

static int pts_getattr(struct inode *i, struct kstat *st)
{
	struct pts_inode *p = container_of(i, struct pts_inode, vfs);

	st->dev = i->sb->dev;
	st->ino = i->ino;
	st->mode = i->mode;
	st->nlink = (i->mode & S_IFMT) == S_IFDIR ? 2 : 1;
	st->uid = p->uid;
	st->gid = p->gid;
	st->rdev = i->rdev;
	st->blksize = 1024;
	st->size = st->blocks = 0;
	st->atime_ns = st->mtime_ns = st->ctime_ns = p->time;
	st->btime_ns = -1;
	return 0;
}

static int pts_setattr(struct inode *i, const struct iattr *a)
{
	struct pts_inode *p = container_of(i, struct pts_inode, vfs);

	if (a->valid & ATTR_MODE)
		store_relaxed(&i->mode, (i->mode & S_IFMT) | (a->mode & 07777));
	if (a->valid & ATTR_UID)
		p->uid = a->uid;
	if (a->valid & ATTR_GID)
		p->gid = a->gid;
	return 0;
}

static void pts_evict(struct inode *i)
{
	slab_free(&pts_slab, container_of(i, struct pts_inode, vfs));
}

static const struct inode_ops dev_ops = {
	.getattr = pts_getattr, .setattr = pts_setattr, .open_file = special_open_file, .evict = pts_evict
};
static const struct inode_ops root_ops = {
	.lookup = pts_lookup, .readdir = pts_readdir, .revalidate = pts_revalidate, .getattr = pts_getattr, .evict = pts_evict
};
static const struct fs_type devpts_type;
static struct super devpts_sb; /* all mounts show the same ptys */

static int pts_statfs(struct super *sb, struct kstatfs *st)
{
	*st = (struct kstatfs){ .type = sb->magic, .bsize = PAGE_SIZE, .namelen = 255, .frsize = PAGE_SIZE };
	return 0;
}

static int pts_mount(const char *source, const char *options, u32 flags, void *private, struct super **out)
{
	static u32 made;

	(void)source, (void)options, (void)private;
	if (!atomic_xchg(&made, 1u)) {
		int r;

		devpts_sb = (struct super){ .type = &devpts_type, .dev = vfs_alloc_dev(), .flags = flags, .magic = DEVPTS_MAGIC, .statfs = pts_statfs };
		r = new_inode(&devpts_sb, &root_ops, S_IFDIR | 0755, 1, 0, &devpts_sb.root);
		if (r) {
			store_relaxed(&made, 0u);
			return r;
		}
	}
	*out = &devpts_sb;
	return 0;
}

static const struct fs_type devpts_type = { .name = "devpts", .mount = pts_mount };

void devpts_identity(unsigned index, struct kstat *st)
{
	st->dev = devpts_sb.dev;
	st->ino = FIRST_INO + index;
	st->rdev = RDEV(136, index);
	st->mode = S_IFCHR | 0620;
}

void devpts_init(void)
{
	fs_type_register(&devpts_type);
}
