/* SPDX-License-Identifier: MIT */
/*
 * The dentry cache: names already looked up, in one hash table under one spinlock (dcache_lock). Only names that exist are kept. Unused
 * ones wait on an LRU of bounded length. File systems whose names may change behind our back (hostfs, procfs) are asked by
 * ops->revalidate before a cached name is believed; for directories and symlinks at most every super.dir_valid_ns.
 */
#include "fs/vfs_internal.h"
#include "base/hash.h"
#include "userlib/base/log.h"
#include "userlib/rt/clock.h"

#define HASH_BITS 11
#define LRU_MAX 4096
#define DENTRY_HASHED 1u
#define DENTRY_LRU 2u

struct spinlock dcache_lock;
struct mutex vfs_rename_lock = MUTEX_INIT(vfs_rename_lock);
u64 dentry_moves;

static struct slab dentry_slab = SLAB_INIT("dentry", struct dentry);
static struct dentry *table[1 << HASH_BITS]; /* [dcache_lock] */
static struct list lru = LIST_INIT(lru);     /* [dcache_lock] oldest first */
static unsigned lru_len;

static u32 name_hash(const struct dentry *parent, const char *name, unsigned len)
{
	return (u32)hash_u64(hash_bytes(name, len) ^ (u64)(uintptr_t)parent);
}

static struct dentry *alloc_dentry(const char *name, unsigned len, struct inode *i)
{
	struct dentry *d = slab_zalloc(&dentry_slab);

	if (!d)
		return NULL;
	d->name = d->inline_name;
	if (len >= sizeof(d->inline_name)) {
		d->name = kmem_alloc(len + 1);
		if (!d->name) {
			slab_free(&dentry_slab, d);
			return NULL;
		}
	}
	memcpy(d->name, name, len);
	d->name[len] = 0;
	d->name_len = (u16)len;
	ref_init(&d->ref);
	d->inode = i;
	d->sb = i->sb;
	list_init(&d->children);
	list_init(&d->sibling);
	list_init(&d->lru);
	return d;
}

static void free_name(struct dentry *d)
{
	if (d->name != d->inline_name)
		kmem_free(d->name, (size_t)d->name_len + 1);
}

static void hash_locked(struct dentry *d)
{
	d->hash = name_hash(d->parent, d->name, d->name_len);
	d->hash_next = table[d->hash >> (32 - HASH_BITS)];
	table[d->hash >> (32 - HASH_BITS)] = d;
	d->flags |= DENTRY_HASHED;
}

static void unhash_locked(struct dentry *d)
{
	struct dentry **pp = &table[d->hash >> (32 - HASH_BITS)];

	if (!(d->flags & DENTRY_HASHED))
		return;
	while (*pp != d)
		pp = &(*pp)->hash_next;
	*pp = d->hash_next;
	d->flags &= ~DENTRY_HASHED;
}

static void lru_remove_locked(struct dentry *d)
{
	if (d->flags & DENTRY_LRU) {
		list_del(&d->lru);
		d->flags &= ~DENTRY_LRU;
		lru_len--;
	}
}

struct dentry *dentry_get(struct dentry *d)
{
	ref_get(&d->ref);
	return d;
}

/* Drops a reference with the lock held; true if the dentry is now unlinked from everything and must be freed by free_dentry. */
static bool put_locked(struct dentry *d)
{
	if (!ref_put(&d->ref))
		return false;
	if ((d->flags & DENTRY_HASHED) && d->parent) {
		list_add_tail(&lru, &d->lru);
		d->flags |= DENTRY_LRU;
		lru_len++;
		return false;
	}
	unhash_locked(d);
	list_del(&d->sibling);
	return true;
}

/* Frees an unlinked dentry and drops what it held, up the chain of parents that become unused by it. */
static void free_dentry(struct dentry *d)
{
	while (d) {
		struct dentry *parent = d->parent;
		bool more = false;

		inode_put(d->inode);
		free_name(d);
		slab_free(&dentry_slab, d);
		if (parent) {
			spin_lock(&dcache_lock);
			more = put_locked(parent);
			spin_unlock(&dcache_lock);
		}
		d = more ? parent : NULL;
	}
}

unsigned dcache_shrink(unsigned n)
{
	unsigned done = 0;

	while (done < n) {
		struct dentry *d;

		spin_lock(&dcache_lock);
		if (list_empty(&lru)) {
			spin_unlock(&dcache_lock);
			break;
		}
		d = list_first(&lru, struct dentry, lru);
		lru_remove_locked(d);
		unhash_locked(d);
		list_del(&d->sibling);
		spin_unlock(&dcache_lock);
		free_dentry(d);
		done++;
	}
	return done;
}

void dentry_put(struct dentry *d)
{
	u32 c;
	bool dead;

	if (!d)
		return;
	c = load_relaxed(&d->ref.count);
	while (c > 1) {
		if (atomic_cas(&d->ref.count, c, c - 1))
			return;
		c = load_relaxed(&d->ref.count);
	}
	spin_lock(&dcache_lock);
	dead = put_locked(d);
	spin_unlock(&dcache_lock);
	if (dead)
		free_dentry(d);
	else if (load_relaxed(&lru_len) > LRU_MAX)
		dcache_shrink(64);
}

struct dentry *dentry_alloc_root(struct inode *i, const char *name)
{
	return alloc_dentry(name, (unsigned)strlen(name), i);
}

struct dentry *dentry_cached_locked(struct dentry *parent, const char *name, unsigned len)
{
	u32 h = name_hash(parent, name, len);
	struct dentry *d;

	for (d = table[h >> (32 - HASH_BITS)]; d; d = d->hash_next)
		if (d->hash == h && d->parent == parent && d->name_len == len && memcmp(d->name, name, len) == 0)
			return d;
	return NULL;
}

struct dentry *dentry_get_cached_locked(struct dentry *d)
{
	if (d->flags & DENTRY_LRU) {
		lru_remove_locked(d);
		ref_init(&d->ref);
	} else {
		ref_get(&d->ref);
	}
	return d;
}

/* The hashed child, referenced, or NULL. */
static struct dentry *find_cached(struct dentry *parent, const char *name, unsigned len)
{
	struct dentry *d;

	spin_lock(&dcache_lock);
	d = dentry_cached_locked(parent, name, len);
	if (d)
		dentry_get_cached_locked(d);
	spin_unlock(&dcache_lock);
	return d;
}

bool dentry_is_fresh(const struct dentry *parent, const struct dentry *d, s64 *now)
{
	const struct inode *dir = parent->inode;
	u32 fmt = load_relaxed(&d->inode->mode) & S_IFMT;

	if (likely(!dir->ops->revalidate) || load_relaxed(&d->mounted))
		return true;
	if (!dir->sb->dir_valid_ns || (fmt != S_IFDIR && fmt != S_IFLNK))
		return false;
	if (!*now)
		*now = clock_monotonic_ns();
	return *now - load_relaxed(&d->checked_ns) < dir->sb->dir_valid_ns;
}

/* Is the cached child still what the file system has? */
static bool still_valid(struct dentry *parent, const char *name, unsigned len, struct dentry *d)
{
	struct inode *dir = parent->inode;
	s64 now = 0;

	if (dentry_is_fresh(parent, d, &now))
		return true;
	if (!dir->ops->revalidate(dir, name, len, d->inode))
		return false;
	store_relaxed(&d->checked_ns, now);
	return true;
}

static void forget_stale(struct dentry *d)
{
	spin_lock(&dcache_lock);
	unhash_locked(d);
	spin_unlock(&dcache_lock);
	dentry_put(d);
}

int dentry_insert(struct dentry *parent, const char *name, unsigned len, struct inode *i, struct dentry **out)
{
	struct dentry *d = alloc_dentry(name, len, i);

	if (!d) {
		inode_put(i);
		return -ENOMEM;
	}
	if (parent->inode->sb->dir_valid_ns)
		d->checked_ns = clock_monotonic_ns();
	spin_lock(&dcache_lock);
	d->parent = dentry_get(parent);
	list_add(&parent->children, &d->sibling);
	if (!parent->deleted)
		hash_locked(d);
	spin_unlock(&dcache_lock);
	*out = d;
	return 0;
}

int dentry_lookup_locked(struct dentry *parent, const char *name, unsigned len, struct dentry **out)
{
	struct inode *dir = parent->inode, *child;
	struct dentry *d = find_cached(parent, name, len);
	int err;

	if (d) {
		if (still_valid(parent, name, len, d)) {
			*out = d;
			return 0;
		}
		forget_stale(d);
	}
	if (!dir->ops->lookup)
		return S_ISDIR_(dir->mode) ? -ENOENT : -ENOTDIR;
	if (load_relaxed(&parent->deleted))
		return -ENOENT;
	err = dir->ops->lookup(dir, name, len, &child);
	if (err)
		return err;
	return dentry_insert(parent, name, len, child, out);
}

int dentry_lookup(struct dentry *parent, const char *name, unsigned len, struct dentry **out)
{
	struct dentry *d = find_cached(parent, name, len);
	int err;

	if (d) {
		if (still_valid(parent, name, len, d)) {
			*out = d;
			return 0;
		}
		forget_stale(d);
	}
	mutex_lock(&parent->inode->lock);
	err = dentry_lookup_locked(parent, name, len, out);
	mutex_unlock(&parent->inode->lock);
	return err;
}

void dentry_delete(struct dentry *d)
{
	spin_lock(&dcache_lock);
	d->deleted = true;
	unhash_locked(d);
	spin_unlock(&dcache_lock);
}

/* Renames in the tree. Both parents' inode locks held. On -ENOMEM the dentry is dropped from the cache instead (it is looked up anew). */
int dentry_move(struct dentry *d, struct dentry *new_parent, const char *name, unsigned len)
{
	char *text = d->inline_name, *old_text = NULL;
	size_t old_size = 0;
	struct dentry *old_parent = NULL;

	if (len >= sizeof(d->inline_name)) {
		text = kmem_alloc(len + 1);
		if (!text) {
			spin_lock(&dcache_lock);
			unhash_locked(d);
			spin_unlock(&dcache_lock);
			return -ENOMEM;
		}
	}
	spin_lock(&dcache_lock);
	dentry_moves++;
	unhash_locked(d);
	if (d->name != d->inline_name) {
		old_text = d->name;
		old_size = (size_t)d->name_len + 1;
	}
	memcpy(text, name, len);
	text[len] = 0;
	d->name = text;
	d->name_len = (u16)len;
	if (d->parent != new_parent) {
		old_parent = d->parent;
		list_del(&d->sibling);
		d->parent = dentry_get(new_parent);
		list_add(&new_parent->children, &d->sibling);
	}
	hash_locked(d);
	spin_unlock(&dcache_lock);
	if (old_text)
		kmem_free(old_text, old_size);
	if (old_parent)
		dentry_put(old_parent);
	return 0;
}

/* RENAME_EXCHANGE: the two swap places and names. Both parents' inode locks held. */
void dentry_exchange(struct dentry *a, struct dentry *b)
{
	char tmp[sizeof(a->inline_name)];
	struct dentry *p;
	char *name;
	u16 len;

	spin_lock(&dcache_lock);
	dentry_moves++;
	unhash_locked(a);
	unhash_locked(b);
	memcpy(tmp, a->inline_name, sizeof(tmp));
	memcpy(a->inline_name, b->inline_name, sizeof(tmp));
	memcpy(b->inline_name, tmp, sizeof(tmp));
	name = a->name == a->inline_name ? b->inline_name : a->name;
	a->name = b->name == b->inline_name ? a->inline_name : b->name;
	b->name = name;
	len = a->name_len;
	a->name_len = b->name_len;
	b->name_len = len;
	p = a->parent;
	a->parent = b->parent;
	b->parent = p;
	list_del(&a->sibling);
	list_del(&b->sibling);
	list_add(&a->parent->children, &a->sibling);
	list_add(&b->parent->children, &b->sibling);
	hash_locked(a);
	hash_locked(b);
	spin_unlock(&dcache_lock);
}

bool dentry_is_ancestor(struct dentry *a, struct dentry *d)
{
	bool found = false;

	spin_lock(&dcache_lock);
	for (; d; d = d->parent)
		if (d == a) {
			found = true;
			break;
		}
	spin_unlock(&dcache_lock);
	return found;
}
