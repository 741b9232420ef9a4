/* SPDX-License-Identifier: MIT */
/*
 * Directories of memfs: a hash of names plus the entries in order of their cookies. An entry keeps its cookie for life and cookies are never
 * reused, so a reader that goes on from a cookie neither misses nor repeats entries, whatever was removed meanwhile.
 * One spinlock per file system (dir_lock) covers all of it: every operation is short.
 */
#include "fs/memfs.h"
#include "base/hash.h"
#include "fs/vfs_internal.h"
#include "userlib/base/log.h"
#include "userlib/rt/clock.h"
#include <linux/fs.h>

#define COOKIE_FIRST 2 /* 0 and 1 are "." and ".." */

static u32 hash_of(const char *name, unsigned len)
{
	return (u32)hash_u64(hash_bytes(name, len));
}

/* All functions *_locked: dir_lock held. */
static struct memdirent *find_locked(struct memdir *d, const char *name, unsigned len)
{
	u32 h = hash_of(name, len);
	struct memdirent *e;

	if (!d->nr_buckets)
		return NULL;
	for (e = d->table[h & (d->nr_buckets - 1)]; e; e = e->hash_next)
		if (e->hash == h && e->len == len && memcmp(e->name, name, len) == 0)
			return e;
	return NULL;
}

static void grow_table_locked(struct memdir *d)
{
	u32 nr = d->nr_buckets ? d->nr_buckets * 4 : 8;
	struct memdirent **t;

	if (nr * sizeof(*t) > 4 * MiB)
		return;
	t = kmem_zalloc(nr * sizeof(*t));
	if (!t)
		return; /* longer chains, unless there is no table at all */
	for (u32 b = 0; b < d->nr_buckets; b++)
		while (d->table[b]) {
			struct memdirent *e = d->table[b];

			d->table[b] = e->hash_next;
			e->hash_next = t[e->hash & (nr - 1)];
			t[e->hash & (nr - 1)] = e;
		}
	if (d->table)
		kmem_free(d->table, d->nr_buckets * sizeof(*t));
	d->table = t;
	d->nr_buckets = nr;
}

static struct memdirent *entry_alloc(const char *name, unsigned len)
{
	struct memdirent *e = kmem_alloc(sizeof(*e) + len);

	if (!e)
		return NULL;
	e->len = len;
	e->hash = hash_of(name, len);
	memcpy(e->name, name, len);
	return e;
}

static void entry_free(struct memdirent *e)
{
	kmem_free(e, sizeof(*e) + e->len);
}

static int link_locked(struct memdir *d, struct memdirent *e, struct inode *i)
{
	if (d->count >= d->nr_buckets)
		grow_table_locked(d);
	if (!d->nr_buckets)
		return -ENOSPC;
	if (!d->next_cookie)
		d->next_cookie = COOKIE_FIRST;
	if (radix_set(&d->by_cookie, d->next_cookie, e))
		return -ENOSPC;
	e->cookie = d->next_cookie++;
	e->inode = i;
	e->hash_next = d->table[e->hash & (d->nr_buckets - 1)];
	d->table[e->hash & (d->nr_buckets - 1)] = e;
	d->count++;
	return 0;
}

static void unlink_locked(struct memdir *d, struct memdirent *e)
{
	struct memdirent **pp = &d->table[e->hash & (d->nr_buckets - 1)];

	while (*pp != e)
		pp = &(*pp)->hash_next;
	*pp = e->hash_next;
	(void)radix_del(&d->by_cookie, e->cookie);
	d->count--;
}

/* The number that programs see: the overlay shows a copied-up inode under its lower one's. */
static u64 shown_ino(struct inode *i)
{
	return mem_i(i)->origin_ino ? mem_i(i)->origin_ino : i->ino;
}

static void touch(struct inode *dir)
{
	s64 now = clock_realtime_ns();

	store_relaxed(&mem_i(dir)->mtime, now);
	store_relaxed(&mem_i(dir)->ctime, now);
}

int memfs_enter(struct inode *dir, const char *name, unsigned len, struct inode *i)
{
	struct memfs_sb *sb = mem_sb(dir->sb);
	struct memdir *d = &mem_i(dir)->dir;
	struct memdirent *e = entry_alloc(name, len);
	int err;

	if (!e)
		return -ENOSPC;
	spin_lock(&sb->dir_lock);
	if (d->dead)
		err = -ENOENT;
	else if (find_locked(d, name, len))
		err = -EEXIST;
	else
		err = link_locked(d, e, i);
	if (!err) {
		inode_get(i);
		mem_i(i)->nlink++;
		if (S_ISDIR_(i->mode)) {
			mem_i(i)->nlink = 2;
			mem_i(i)->dir.parent_ino = shown_ino(dir);
			mem_i(dir)->nlink++;
		}
	}
	spin_unlock(&sb->dir_lock);
	if (err) {
		entry_free(e);
		return err;
	}
	touch(dir);
	return 0;
}

int memfs_lookup(struct inode *dir, const char *name, unsigned len, struct inode **out)
{
	struct memfs_sb *sb = mem_sb(dir->sb);
	struct memdirent *e;

	spin_lock(&sb->dir_lock);
	e = find_locked(&mem_i(dir)->dir, name, len);
	if (e)
		*out = inode_get(e->inode);
	spin_unlock(&sb->dir_lock);
	return e ? 0 : -ENOENT;
}

static int memfs_create(struct inode *dir, const char *name, unsigned len, u32 mode, u64 rdev, const struct cred *c, struct inode **out)
{
	u32 uid, gid;
	struct inode *i;
	int err;

	inode_new_owner(dir, &mode, c, &uid, &gid);
	err = memfs_inode_new(mem_sb(dir->sb), mode, rdev, uid, gid, &i);
	if (err)
		return err;
	err = memfs_enter(dir, name, len, i);
	if (err) {
		inode_put(i);
		return err;
	}
	*out = i;
	return 0;
}

static int memfs_symlink(struct inode *dir, const char *name, unsigned len, const char *target, const struct cred *c, struct inode **out)
{
	u32 mode = S_IFLNK | 0777, uid, gid;
	struct inode *i;
	int err;

	inode_new_owner(dir, &mode, c, &uid, &gid);
	err = memfs_symlink_new(mem_sb(dir->sb), target, uid, gid, &i);
	if (err)
		return err;
	err = memfs_enter(dir, name, len, i);
	if (err) {
		inode_put(i);
		return err;
	}
	*out = i;
	return 0;
}

static int memfs_tmpfile(struct inode *dir, u32 mode, const struct cred *c, struct inode **out)
{
	u32 uid, gid;

	inode_new_owner(dir, &mode, c, &uid, &gid);
	return memfs_inode_new(mem_sb(dir->sb), mode, 0, uid, gid, out);
}

static int memfs_link(struct inode *dir, const char *name, unsigned len, struct inode *target)
{
	int err = memfs_enter(dir, name, len, target);

	if (!err)
		store_relaxed(&mem_i(target)->ctime, clock_realtime_ns());
	return err;
}

/* The victim loses a name. */
static void drop_link_locked(struct inode *dir, struct inode *victim)
{
	struct mem_inode *v = mem_i(victim);

	if (S_ISDIR_(victim->mode)) {
		v->nlink = 0;
		v->dir.dead = true;
		mem_i(dir)->nlink--;
	} else {
		v->nlink--;
	}
}

/* Removes the entry; -ENOTEMPTY for directories with anything in them. */
static int remove_name(struct inode *dir, const char *name, unsigned len, bool is_dir)
{
	struct memfs_sb *sb = mem_sb(dir->sb);
	struct memdir *d = &mem_i(dir)->dir;
	struct memdirent *e;
	struct inode *victim;
	int err = 0;

	spin_lock(&sb->dir_lock);
	e = find_locked(d, name, len);
	if (!e)
		err = -ENOENT;
	else if (is_dir != S_ISDIR_(e->inode->mode))
		err = is_dir ? -ENOTDIR : -EISDIR;
	else if (is_dir && mem_i(e->inode)->dir.count)
		err = -ENOTEMPTY;
	if (!err) {
		unlink_locked(d, e);
		drop_link_locked(dir, e->inode);
	}
	spin_unlock(&sb->dir_lock);
	if (err)
		return err;
	victim = e->inode;
	entry_free(e);
	store_relaxed(&mem_i(victim)->ctime, clock_realtime_ns());
	touch(dir);
	inode_put(victim);
	return 0;
}

static int memfs_unlink(struct inode *dir, const char *name, unsigned len, struct inode *victim)
{
	(void)victim;
	return remove_name(dir, name, len, false);
}

static int memfs_rmdir(struct inode *dir, const char *name, unsigned len, struct inode *victim)
{
	(void)victim;
	return remove_name(dir, name, len, true);
}

static struct inode *whiteout_inode(struct memfs_sb *sb)
{
	struct inode *w, *mine = NULL;

	spin_lock(&sb->dir_lock);
	w = sb->whiteout;
	spin_unlock(&sb->dir_lock);
	if (w)
		return w;
	if (memfs_inode_new(sb, S_IFCHR, 0, 0, 0, &mine))
		return NULL;
	spin_lock(&sb->dir_lock);
	if (!sb->whiteout) {
		sb->whiteout = mine;
		mine = NULL;
	}
	w = sb->whiteout;
	spin_unlock(&sb->dir_lock);
	inode_put(mine);
	return w;
}

int memfs_whiteout(struct inode *dir, const char *name, unsigned len)
{
	struct memfs_sb *sb = mem_sb(dir->sb);
	struct inode *w = whiteout_inode(sb), *old = NULL;
	struct memdirent *e;

	if (!w)
		return -ENOSPC;
	spin_lock(&sb->dir_lock);
	e = find_locked(&mem_i(dir)->dir, name, len);
	if (e) {
		old = e->inode;
		drop_link_locked(dir, old);
		e->inode = inode_get(w);
		mem_i(w)->nlink++;
	}
	spin_unlock(&sb->dir_lock);
	if (!e)
		return memfs_enter(dir, name, len, w);
	touch(dir);
	inode_put(old);
	return 0;
}

/* What a rename has found and prepared; dir_lock held while it is used. */
struct memren {
	struct inode *od, *nd;
	struct memdirent *oe, *ne; /* ne: NULL if the new name is free */
	struct memdirent *fresh;   /* entry for the new name */
	struct inode *whiteout;	   /* for RENAME_WHITEOUT */
};

static void move_parent_locked(struct memren *r, struct inode *moved, struct inode *from, struct inode *to)
{
	(void)r;
	if (S_ISDIR_(moved->mode) && from != to) {
		mem_i(from)->nlink--;
		mem_i(to)->nlink++;
		mem_i(moved)->dir.parent_ino = shown_ino(to);
	}
}

static void swap_locked(struct memren *r)
{
	struct inode *a = r->oe->inode, *b = r->ne->inode;

	move_parent_locked(r, a, r->od, r->nd);
	move_parent_locked(r, b, r->nd, r->od);
	r->oe->inode = b;
	r->ne->inode = a;
}

/* The plain rename; *victim is the replaced inode, *gone the entry to free. */
static int move_locked(struct memren *r, struct inode **victim, struct memdirent **gone)
{
	struct inode *i = r->oe->inode;
	int err;

	if (r->ne) {
		struct inode *v = r->ne->inode;

		if (S_ISDIR_(i->mode) && !S_ISDIR_(v->mode) && !inode_is_whiteout(v))
			return -ENOTDIR;
		if (!S_ISDIR_(i->mode) && S_ISDIR_(v->mode))
			return -EISDIR;
		if (S_ISDIR_(v->mode) && mem_i(v)->dir.count)
			return -ENOTEMPTY;
		drop_link_locked(r->nd, v);
		*victim = v;
		r->ne->inode = i;
	} else {
		err = link_locked(&mem_i(r->nd)->dir, r->fresh, i);
		if (err)
			return err;
		r->fresh = NULL;
	}
	move_parent_locked(r, i, r->od, r->nd);
	if (r->whiteout) {
		r->oe->inode = inode_get(r->whiteout);
		mem_i(r->whiteout)->nlink++;
	} else {
		unlink_locked(&mem_i(r->od)->dir, r->oe);
		*gone = r->oe;
	}
	return 0;
}

static int memfs_rename(struct inode *od, const char *on, unsigned ol, struct inode *nd, const char *nn, unsigned nl, u32 flags)
{
	struct memfs_sb *sb = mem_sb(od->sb);
	struct memren r = { .od = od, .nd = nd };
	struct memdirent *gone = NULL;
	struct inode *victim = NULL, *moved = NULL;
	int err = 0;

	r.fresh = entry_alloc(nn, nl);
	if (!r.fresh)
		return -ENOSPC;
	if (flags & RENAME_WHITEOUT) {
		r.whiteout = whiteout_inode(sb);
		if (!r.whiteout) {
			entry_free(r.fresh);
			return -ENOSPC;
		}
	}
	spin_lock(&sb->dir_lock);
	r.oe = find_locked(&mem_i(od)->dir, on, ol);
	r.ne = find_locked(&mem_i(nd)->dir, nn, nl);
	if (!r.oe || ((flags & RENAME_EXCHANGE) && !r.ne) || mem_i(nd)->dir.dead)
		err = -ENOENT;
	else if (r.ne && (flags & RENAME_NOREPLACE))
		err = -EEXIST;
	else if (r.ne && r.ne->inode == r.oe->inode)
		goto unlock; /* two names of one file: nothing happens */
	if (!err) {
		moved = inode_get(r.oe->inode);
		if (flags & RENAME_EXCHANGE)
			swap_locked(&r);
		else
			err = move_locked(&r, &victim, &gone);
	}
unlock:
	spin_unlock(&sb->dir_lock);
	if (!err && moved) {
		touch(od);
		touch(nd);
		store_relaxed(&mem_i(moved)->ctime, clock_realtime_ns());
	}
	inode_put(moved);
	inode_put(victim);
	if (gone)
		entry_free(gone);
	if (r.fresh)
		entry_free(r.fresh);
	return err;
}

int memfs_dir_next(struct inode *dir, u64 *cookie, char *name, unsigned *len, struct inode **out)
{
	struct memfs_sb *sb = mem_sb(dir->sb);
	struct memdirent *e;

	spin_lock(&sb->dir_lock);
	e = radix_next(&mem_i(dir)->dir.by_cookie, cookie);
	if (e) {
		*len = e->len;
		memcpy(name, e->name, e->len);
		name[e->len] = 0;
		*out = inode_get(e->inode);
	}
	spin_unlock(&sb->dir_lock);
	return e ? 0 : -ENOENT;
}

static int memfs_readdir(struct inode *dir, struct dir_ctx *ctx)
{
	u64 cookie = (u64)ctx->cookie;
	char name[NAME_MAX_LEN + 1];
	struct inode *i;
	unsigned len;

	if (ctx->cookie < 0)
		return -EINVAL;
	if (cookie == 0) {
		if (!ctx->emit(ctx, ".", 1, dir->ino, 4, 1))
			return 0;
		ctx->cookie = (s64)(cookie = 1);
	}
	if (cookie == 1) {
		u64 up = mem_i(dir)->dir.parent_ino;

		if (!ctx->emit(ctx, "..", 2, up ? up : dir->ino, 4, COOKIE_FIRST))
			return 0;
		ctx->cookie = (s64)(cookie = COOKIE_FIRST);
	}
	while (memfs_dir_next(dir, &cookie, name, &len, &i) == 0) {
		bool more = ctx->emit(ctx, name, len, i->ino, (i->mode >> 12) & 15, (s64)cookie + 1);

		inode_put(i);
		if (!more)
			return 0;
		ctx->cookie = (s64)++cookie;
	}
	return 0;
}

bool memfs_dir_has_real_entries(struct inode *dir)
{
	struct memfs_sb *sb = mem_sb(dir->sb);
	struct memdirent *e;
	bool real = false;
	u64 c = 0;

	spin_lock(&sb->dir_lock);
	while (!real && (e = radix_next(&mem_i(dir)->dir.by_cookie, &c)) != NULL) {
		real = !inode_is_whiteout(e->inode);
		c++;
	}
	spin_unlock(&sb->dir_lock);
	return real;
}

/* Frees every entry that `all` or being a whiteout condemns. */
static void drop_entries(struct inode *dir, bool all)
{
	struct memfs_sb *sb = mem_sb(dir->sb);
	struct memdir *d = &mem_i(dir)->dir;
	u64 c = 0;

	for (;;) {
		struct memdirent *e;
		bool condemned;

		spin_lock(&sb->dir_lock);
		e = radix_next(&d->by_cookie, &c);
		condemned = e && (all || inode_is_whiteout(e->inode));
		if (condemned) {
			unlink_locked(d, e);
			drop_link_locked(dir, e->inode);
		}
		spin_unlock(&sb->dir_lock);
		if (!e)
			return;
		c++;
		if (condemned) {
			inode_put(e->inode);
			entry_free(e);
		}
	}
}

void memfs_dir_drop_whiteouts(struct inode *dir)
{
	drop_entries(dir, false);
}

/* At eviction. Only a dying file system frees a directory that still has entries; the recursion is as deep as the tree. */
void memfs_dir_free(struct mem_inode *dir)
{
	drop_entries(&dir->vfs, true);
	if (dir->dir.table)
		kmem_free(dir->dir.table, dir->dir.nr_buckets * sizeof(*dir->dir.table));
}

const struct inode_ops memfs_dir_ops = {
	.lookup = memfs_lookup,
	.create = memfs_create,
	.symlink = memfs_symlink,
	.link = memfs_link,
	.unlink = memfs_unlink,
	.rmdir = memfs_rmdir,
	.rename = memfs_rename,
	.tmpfile = memfs_tmpfile,
	.readdir = memfs_readdir,
	.getattr = memfs_getattr,
	.setattr = memfs_setattr,
	.getxattr = memfs_getxattr,
	.setxattr = memfs_setxattr,
	.listxattr = memfs_listxattr,
	.removexattr = memfs_removexattr,
	.evict = memfs_evict,
};
