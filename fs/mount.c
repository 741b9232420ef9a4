/* SPDX-License-Identifier: MIT */
/*
 * Mounts: the list of them, mounting, binding, unmounting, and the registry of file system types. A dentry's `mounted` field is only the
 * hint that some mount covers it; which one, seen from which mount, is in a small hash.
 */
#include "fs/vfs_internal.h"
#include "base/hash.h"
#include "userlib/base/log.h"

#define MNT_DETACH 2u
#define MNT_HASH 64

struct mutex mount_lock = MUTEX_INIT(mount_lock);

static struct slab mount_slab = SLAB_INIT("mount", struct mount);
static struct list mounts = LIST_INIT(mounts);	/* [mount_lock] in order of mounting */
static struct mount *mount_table[MNT_HASH];	/* [dcache_lock] by (at.mnt, at.dentry), newest first */
static u32 next_mount_id = 20;			/* [mount_lock] */
static u32 next_dev = 20;			/* [a] */

#define MAX_FS_TYPES 16
static const struct fs_type *fs_types[MAX_FS_TYPES];
static u32 nr_fs_types;

void fs_type_register(const struct fs_type *t)
{
	u32 n = atomic_fetch_add(&nr_fs_types, 1);

	if (n >= MAX_FS_TYPES)
		panic("too many file system types");
	store_release(&fs_types[n], t);
}

const struct fs_type *fs_type_find(const char *name)
{
	u32 n = MIN(load_acquire(&nr_fs_types), (u32)MAX_FS_TYPES);

	for (u32 k = 0; k < n; k++) {
		const struct fs_type *t = load_acquire(&fs_types[k]);

		if (t && strcmp(t->name, name) == 0)
			return t;
	}
	return NULL;
}

u64 vfs_alloc_dev(void)
{
	return RDEV(0, atomic_fetch_add(&next_dev, 1));
}

static unsigned slot(const struct mount *m, const struct dentry *d)
{
	return (unsigned)(hash_u64((u64)(uintptr_t)m ^ ((u64)(uintptr_t)d >> 4)) % MNT_HASH);
}

struct mount *mount_lookup(struct mount *m, struct dentry *d)
{
	struct mount *c;

	spin_lock(&dcache_lock);
	for (c = mount_table[slot(m, d)]; c; c = c->hash_next)
		if (c->at.mnt == m && c->at.dentry == d)
			break;
	if (c)
		mount_get(c);
	spin_unlock(&dcache_lock);
	return c;
}

bool dentry_is_mountpoint(const struct dentry *d)
{
	return load_acquire(&d->mounted) != NULL;
}

void mount_put(struct mount *m)
{
	struct super *sb = m->sb;
	bool last;

	if (!ref_put(&m->ref))
		return;
	dentry_put(m->root);
	mutex_lock(&mount_lock);
	last = --sb->refs == 0;
	mutex_unlock(&mount_lock);
	slab_free(&mount_slab, m);
	if (last && sb->kill) {
		dcache_shrink(~0u); /* no cached name may keep an inode of it */
		inode_put(sb->root);
		sb->kill(sb);
	}
}

/* A mount of sb whose root is `root` (reference taken). at: NULL for the root mount. Consumes nothing; sb->refs counts it. */
static int attach(struct super *sb, struct dentry *root, const char *source, u32 flags, const struct path *at, struct mount **out)
{
	struct mount *m = slab_zalloc(&mount_slab);

	if (!m)
		return -ENOMEM;
	ref_init(&m->ref);
	m->sb = sb;
	m->root = dentry_get(root);
	m->flags = flags;
	str_copy(m->source, source ? source : "none", sizeof(m->source));
	mutex_lock(&mount_lock);
	sb->refs++;
	m->id = next_mount_id++;
	m->parent_id = at ? at->mnt->id : m->id;
	list_add_tail(&mounts, &m->link);
	if (at) {
		path_get(at);
		spin_lock(&dcache_lock);
		m->at = *at;
		m->hash_next = mount_table[slot(at->mnt, at->dentry)];
		mount_table[slot(at->mnt, at->dentry)] = m;
		store_release(&at->dentry->mounted, m);
		spin_unlock(&dcache_lock);
	}
	mutex_unlock(&mount_lock);
	if (out)
		*out = m;
	return 0;
}

static int mount_new(const struct fs_type *t, const char *source, const char *options, void *private, u32 flags, const struct path *at,
		     struct mount **out)
{
	struct dentry *root;
	struct super *sb;
	int err = t->mount(source, options, flags, private, &sb);

	if (err)
		return err;
	sb->flags |= flags & 1u;
	root = dentry_alloc_root(inode_get(sb->root), "");
	if (!root) {
		inode_put(sb->root);
		return -ENOMEM;
	}
	err = attach(sb, root, source, flags, at, out);
	dentry_put(root);
	return err;
}

int vfs_mount_root(const struct fs_type *t, const char *source, void *private, u32 flags, struct path *out)
{
	struct mount *m;
	int err = mount_new(t, source, NULL, private, flags, NULL, &m);

	if (err)
		return err;
	*out = (struct path){ m, m->root };
	path_get(out);
	return 0;
}

/* Directories over directories, everything else over everything else. */
static int mount_shapes_match(const struct inode *root, const struct path *at)
{
	if (S_ISDIR_(root->mode) != S_ISDIR_(path_inode(at)->mode))
		return -ENOTDIR;
	return load_relaxed(&at->dentry->deleted) ? -ENOENT : 0;
}

int vfs_mount(const struct fs_type *t, const char *source, const char *options, void *private, u32 flags, const struct path *at)
{
	struct mount *m;
	int err = mount_new(t, source, options, private, flags, at, &m);

	if (err)
		return err;
	err = mount_shapes_match(m->root->inode, at);
	if (err) {
		struct path p = { m, m->root };

		(void)vfs_umount(&p, MNT_DETACH);
	}
	return err;
}

int vfs_bind(const struct path *from, const struct path *at, u32 flags)
{
	int err = mount_shapes_match(path_inode(from), at);

	if (err)
		return err;
	return attach(from->mnt->sb, from->dentry, from->mnt->source, flags | from->mnt->flags, at, NULL);
}

/* mount_lock and dcache_lock held. */
static bool has_child_mounts(const struct mount *m)
{
	struct mount *c;

	list_for_each(c, &mounts, link)
		if (c->at.mnt == m)
			return true;
	return false;
}

int vfs_umount(const struct path *at, unsigned flags)
{
	struct mount *m = at->mnt, **pp, *c;
	struct path was;

	if (at->dentry != m->root || !m->at.mnt)
		return -EINVAL;
	mutex_lock(&mount_lock);
	spin_lock(&dcache_lock);
	/* One reference is the mount's own, one the caller's path. */
	if (m->detached || (!(flags & MNT_DETACH) && (has_child_mounts(m) || load_relaxed(&m->ref.count) > 2))) {
		bool gone = m->detached;

		spin_unlock(&dcache_lock);
		mutex_unlock(&mount_lock);
		return gone ? -EINVAL : -EBUSY;
	}
	was = m->at;
	for (pp = &mount_table[slot(was.mnt, was.dentry)]; *pp != m; pp = &(*pp)->hash_next)
		;
	*pp = m->hash_next;
	m->at = (struct path){ NULL, NULL };
	m->detached = true;
	list_del(&m->link);
	c = NULL;
	list_for_each(c, &mounts, link)
		if (c->at.dentry == was.dentry)
			break;
	store_release(&was.dentry->mounted, &c->link == &mounts ? NULL : c);
	spin_unlock(&dcache_lock);
	mutex_unlock(&mount_lock);
	path_put(&was);
	mount_put(m);
	return 0;
}

/* Works on a referenced copy of the list, so fn may do anything, also with mounts. */
int vfs_for_each_mount(int (*fn)(struct mount *m, void *arg), void *arg)
{
	struct mount *m, **copy;
	size_t n = 0, cap = 0;
	int r = 0;

	mutex_lock(&mount_lock);
	list_for_each(m, &mounts, link)
		cap++;
	copy = kmem_alloc(MAX(cap, (size_t)1) * sizeof(*copy));
	if (copy)
		list_for_each(m, &mounts, link) {
			mount_get(m);
			copy[n++] = m;
		}
	mutex_unlock(&mount_lock);
	if (!copy)
		return -ENOMEM;
	for (size_t k = 0; k < n; k++) {
		if (!r)
			r = fn(copy[k], arg);
		mount_put(copy[k]);
	}
	kmem_free(copy, MAX(cap, (size_t)1) * sizeof(*copy));
	return r;
}

static int anon_mount(const char *source, const char *options, u32 flags, void *private, struct super **out)
{
	(void)source;
	(void)options;
	(void)flags;
	(void)private;
	(void)out;
	return -EINVAL; /* exists only inside vfs_anon_path */
}
static const struct fs_type anon_type = { "anon_inodefs", anon_mount };
static struct super anon_sb = { .type = &anon_type, .magic = 0x09041934, .refs = 1 };
static struct mount anon_mnt = { .ref = { 1 }, .sb = &anon_sb, .id = 1, .parent_id = 1, .source = "anon_inodefs", .link = LIST_INIT(anon_mnt.link) };

int vfs_anon_path(struct inode *i, const char *name, struct path *out)
{
	struct dentry *d = dentry_alloc_root(i, name);

	if (!d)
		return -ENOMEM;
	mount_get(&anon_mnt);
	*out = (struct path){ &anon_mnt, d };
	return 0;
}
