/* SPDX-License-Identifier: MIT */
/*
 * Directories of the overlay: look-up through both layers, changes of names in the upper one with whiteouts for what shows through from
 * below, merged listings. Listing order: lower names first at their lower positions (whether copied up meanwhile or not), then names that
 * exist only above; so a copy-up in the middle of a listing moves nothing.
 */
#include "fs/hostfs.h"
#include "fs/overlay.h"
#include "fs/vfs_internal.h"
#include "userlib/base/log.h"
#include <linux/fs.h>

#define PHASE_UPPER (1ll << 40) /* bit in cookies: position among the upper names */
#define COOKIE_FIRST 2

/* The lower inode of that name, referenced; -ENOENT also when there is no lower directory. */
static int lower_lookup(struct ovl_inode *od, const char *name, unsigned len, struct inode **out)
{
	if (!od->lower)
		return -ENOENT;
	return od->lower->ops->lookup(od->lower, name, len, out);
}

/* Would the name show through from below if the upper directory did not have it? */
static bool shows_through(struct ovl_inode *od, const char *name, unsigned len)
{
	struct inode *l;

	if (lower_lookup(od, name, len, &l))
		return false;
	inode_put(l);
	return true;
}

static int ovl_lookup(struct inode *dir, const char *name, unsigned len, struct inode **out)
{
	struct ovl_inode *od = ovl_i(dir);
	struct inode *up = ovl_upper(od), *u = NULL, *l = NULL;
	int err = up ? memfs_lookup(up, name, len, &u) : -ENOENT;

	if (!err && inode_is_whiteout(u)) {
		inode_put(u);
		return -ENOENT;
	}
	if (err == -ENOENT) {
		err = lower_lookup(od, name, len, &l);
		/* A copy-up may have been finished between the two looks. */
		if (!err && (up = ovl_upper(od)) != NULL && memfs_lookup(up, name, len, &u) == 0) {
			inode_put(l);
			l = NULL;
			if (inode_is_whiteout(u)) {
				inode_put(u);
				return -ENOENT;
			}
		}
	}
	if (err)
		return err;
	if (u && S_ISDIR_(u->mode) && mem_i(u)->lower)
		l = inode_get(mem_i(u)->lower);
	return ovl_inode_for(ovl_sb(od), u, l, od, name, len, out);
}

static bool ovl_revalidate(struct inode *dir, const char *name, unsigned len, struct inode *child)
{
	struct ovl_inode *od = ovl_i(dir), *oi = ovl_i(child);

	if (ovl_upper(oi) || !od->lower || !od->lower->ops->revalidate)
		return true;
	if (!od->lower->ops->revalidate(od->lower, name, len, oi->lower))
		return false;
	ovl_sync_owner(oi);
	return true;
}

/* ov->lock held, od is up. Takes a whiteout of that name away; true if there was one. */
static bool lift_whiteout(struct ovl_inode *od, const char *name, unsigned len)
{
	struct inode *u;
	bool is;

	if (memfs_lookup(od->upper, name, len, &u))
		return false;
	is = inode_is_whiteout(u);
	inode_put(u);
	if (is)
		(void)memfs_dir_ops.unlink(od->upper, name, len, NULL);
	return is;
}

/* What create, symlink and link have in common: od up and locked; finish puts a lifted whiteout back on failure. */
static int begin_name(struct ovl_inode *od, const char *name, unsigned len, bool *lifted)
{
	int err = ovl_copy_up(od, ~0ull);

	if (err)
		return err;
	mutex_lock(&ovl_sb(od)->lock);
	*lifted = lift_whiteout(od, name, len);
	return 0;
}

static int finish_name(struct ovl_inode *od, const char *name, unsigned len, bool lifted, int err)
{
	if (err && lifted)
		(void)memfs_whiteout(od->upper, name, len);
	mutex_unlock(&ovl_sb(od)->lock);
	return err;
}

static int ovl_create(struct inode *dir, const char *name, unsigned len, u32 mode, u64 rdev, const struct cred *c, struct inode **out)
{
	struct ovl_inode *od = ovl_i(dir);
	struct inode *u;
	bool lifted;
	int err = begin_name(od, name, len, &lifted);

	if (err)
		return err;
	err = memfs_dir_ops.create(od->upper, name, len, mode, rdev, c, &u);
	err = finish_name(od, name, len, lifted, err);
	return err ? err : ovl_inode_for(ovl_sb(od), u, NULL, NULL, NULL, 0, out);
}

static int ovl_symlink(struct inode *dir, const char *name, unsigned len, const char *target, const struct cred *c, struct inode **out)
{
	struct ovl_inode *od = ovl_i(dir);
	struct inode *u;
	bool lifted;
	int err = begin_name(od, name, len, &lifted);

	if (err)
		return err;
	err = memfs_dir_ops.symlink(od->upper, name, len, target, c, &u);
	err = finish_name(od, name, len, lifted, err);
	return err ? err : ovl_inode_for(ovl_sb(od), u, NULL, NULL, NULL, 0, out);
}

static int ovl_link(struct inode *dir, const char *name, unsigned len, struct inode *target)
{
	struct ovl_inode *od = ovl_i(dir), *ot = ovl_i(target);
	bool lifted;
	int err = ovl_copy_up(ot, ~0ull);

	if (!err)
		err = begin_name(od, name, len, &lifted);
	if (err)
		return err;
	err = memfs_dir_ops.link(od->upper, name, len, ot->upper);
	return finish_name(od, name, len, lifted, err);
}

static int ovl_tmpfile(struct inode *dir, u32 mode, const struct cred *c, struct inode **out)
{
	struct ovl_inode *od = ovl_i(dir);
	struct inode *u;
	u32 uid, gid;
	int err;

	inode_new_owner(dir, &mode, c, &uid, &gid);
	err = memfs_inode_new(ovl_sb(od)->upper_sb, mode, 0, uid, gid, &u);
	return err ? err : ovl_inode_for(ovl_sb(od), u, NULL, NULL, NULL, 0, out);
}

/* Is the merged directory empty? */
struct empty_ctx {
	struct dir_ctx ctx;
	struct inode *upper;
	bool found;
};

static bool emit_check_empty(struct dir_ctx *c, const char *name, unsigned len, u64 ino, unsigned d_type, s64 next)
{
	struct empty_ctx *e = container_of(c, struct empty_ctx, ctx);
	struct inode *u;

	(void)ino;
	(void)d_type;
	(void)next;
	if (name[0] == '.' && (len == 1 || (len == 2 && name[1] == '.')))
		return true;
	if (e->upper && memfs_lookup(e->upper, name, len, &u) == 0) {
		inode_put(u); /* a whiteout: real entries have been looked for before */
		return true;
	}
	e->found = true;
	return false;
}

/* ov->lock held. 0 or -ENOTEMPTY. Leaves the upper part without whiteouts. */
static int require_empty(struct ovl_inode *oi)
{
	struct empty_ctx e = { .ctx = { .emit = emit_check_empty }, .upper = oi->upper };
	int err = 0;

	if (oi->upper && memfs_dir_has_real_entries(oi->upper))
		return -ENOTEMPTY;
	if (oi->lower)
		err = oi->lower->ops->readdir(oi->lower, &e.ctx);
	if (err || e.found)
		return err ? err : -ENOTEMPTY;
	if (oi->upper)
		memfs_dir_drop_whiteouts(oi->upper);
	return 0;
}

static int remove_name(struct inode *dir, const char *name, unsigned len, struct inode *victim, bool is_dir)
{
	struct ovl_inode *od = ovl_i(dir), *ov = ovl_i(victim);
	bool below = shows_through(od, name, len);
	int err = below ? ovl_copy_up(od, ~0ull) : 0;

	if (err)
		return err;
	mutex_lock(&ovl_sb(od)->lock);
	if (is_dir)
		err = require_empty(ov);
	if (!err) {
		if (below)
			err = memfs_whiteout(od->upper, name, len);
		else if (is_dir)
			err = memfs_dir_ops.rmdir(od->upper, name, len, NULL);
		else
			err = memfs_dir_ops.unlink(od->upper, name, len, NULL);
	}
	if (!err)
		ovl_clear_place(ov, od, name, len);
	mutex_unlock(&ovl_sb(od)->lock);
	return err;
}

static int ovl_unlink(struct inode *dir, const char *name, unsigned len, struct inode *victim)
{
	return remove_name(dir, name, len, victim, false);
}

static int ovl_rmdir(struct inode *dir, const char *name, unsigned len, struct inode *victim)
{
	return remove_name(dir, name, len, victim, true);
}

/* Makes dir/name an entry of the upper layer; *out is its overlay inode, referenced. */
static int bring_up(struct ovl_inode *od, const char *name, unsigned len, struct ovl_inode **out)
{
	struct inode *i, *u;
	int err = ovl_lookup(&od->vfs, name, len, &i);

	if (err)
		return err;
	err = ovl_copy_up(od, ~0ull);
	if (!err)
		err = ovl_copy_up(ovl_i(i), ~0ull);
	if (!err && memfs_lookup(od->upper, name, len, &u) == 0)
		inode_put(u);
	else if (!err) /* a further lower name of a hard-linked file that was copied up under another */
		err = memfs_enter(od->upper, name, len, ovl_i(i)->upper);
	if (err) {
		inode_put(i);
		return err;
	}
	*out = ovl_i(i);
	return 0;
}

/* ov->lock held. A directory about to be replaced must be empty; a lower one that is only below needs nothing removed above. */
static int prepare_target(struct ovl_inode *nd, const char *nn, unsigned nl, bool exchange)
{
	struct inode *t;
	int err;

	if (exchange)
		return 0;
	err = ovl_lookup(&nd->vfs, nn, nl, &t);
	if (err)
		return err == -ENOENT ? 0 : err;
	if (S_ISDIR_(t->mode))
		err = require_empty(ovl_i(t));
	if (!err)
		ovl_clear_place(ovl_i(t), nd, nn, nl);
	inode_put(t);
	return err;
}

static int ovl_rename(struct inode *odir, const char *on, unsigned ol, struct inode *ndir, const char *nn, unsigned nl, u32 flags)
{
	struct ovl_inode *od = ovl_i(odir), *nd = ovl_i(ndir), *oi = NULL, *ni = NULL;
	struct ovl_sb *ov = ovl_sb(od);
	int err = bring_up(od, on, ol, &oi);

	if (err)
		return err;
	err = flags & RENAME_EXCHANGE ? bring_up(nd, nn, nl, &ni) : ovl_copy_up(nd, ~0ull);
	if (!err) {
		u32 mf = flags & (RENAME_EXCHANGE | RENAME_WHITEOUT);

		if (!(flags & RENAME_EXCHANGE) && shows_through(od, on, ol))
			mf |= RENAME_WHITEOUT;
		mutex_lock(&ov->lock);
		err = prepare_target(nd, nn, nl, (flags & RENAME_EXCHANGE) != 0);
		if (!err)
			err = memfs_dir_ops.rename(od->upper, on, ol, nd->upper, nn, nl, mf);
		mutex_unlock(&ov->lock);
	}
	if (ni)
		inode_put(&ni->vfs);
	inode_put(&oi->vfs);
	return err;
}

/* Listings. */
struct merge_ctx {
	struct dir_ctx ctx; /* given to the lower directory */
	struct dir_ctx *outer;
	struct inode *upper;
	bool full;
};

static bool emit_lower(struct dir_ctx *c, const char *name, unsigned len, u64 ino, unsigned d_type, s64 next)
{
	struct merge_ctx *m = container_of(c, struct merge_ctx, ctx);
	struct inode *u;

	if (next <= COOKIE_FIRST) /* "." and "..": emitted already */
		return true;
	if (m->upper && memfs_lookup(m->upper, name, len, &u) == 0) {
		bool gone = inode_is_whiteout(u);

		ino = ovl_shown_ino(u);
		d_type = (u->mode >> 12) & 15;
		inode_put(u);
		if (gone)
			return true;
	}
	m->full = !m->outer->emit(m->outer, name, len, ino, d_type, next);
	return !m->full;
}

static void list_upper(struct ovl_inode *od, struct inode *upper, struct dir_ctx *ctx)
{
	u64 cookie = (u64)(ctx->cookie & ~PHASE_UPPER);
	char name[NAME_MAX_LEN + 1];
	struct inode *u;
	unsigned len;

	while (memfs_dir_next(upper, &cookie, name, &len, &u) == 0) {
		bool skip = inode_is_whiteout(u) || (od->lower && hostfs_listed(od->lower, name, len)), more = true;

		cookie++;
		if (!skip)
			more = ctx->emit(ctx, name, len, ovl_shown_ino(u), (u->mode >> 12) & 15, (s64)cookie | PHASE_UPPER);
		inode_put(u);
		if (!more)
			return;
		ctx->cookie = (s64)cookie | PHASE_UPPER;
	}
}

static u64 dotdot_ino(struct ovl_inode *od)
{
	struct ovl_sb *ov = ovl_sb(od);
	u64 ino = od->vfs.ino;

	spin_lock(&ov->link_lock);
	if (od->parent)
		ino = od->parent->vfs.ino;
	else if (od->upper && mem_i(od->upper)->dir.parent_ino)
		ino = mem_i(od->upper)->dir.parent_ino;
	spin_unlock(&ov->link_lock);
	return ino;
}

static int ovl_readdir(struct inode *dir, struct dir_ctx *ctx)
{
	struct ovl_inode *od = ovl_i(dir);
	struct inode *upper = ovl_upper(od);

	if (ctx->cookie < 0)
		return -EINVAL;
	if (ctx->cookie == 0) {
		if (!ctx->emit(ctx, ".", 1, dir->ino, 4, 1))
			return 0;
		ctx->cookie = 1;
	}
	if (ctx->cookie == 1) {
		if (!ctx->emit(ctx, "..", 2, dotdot_ino(od), 4, COOKIE_FIRST))
			return 0;
		ctx->cookie = COOKIE_FIRST;
	}
	if (!(ctx->cookie & PHASE_UPPER)) {
		if (od->lower) {
			/* From position 2 the scan is new: cookie 0 makes the lower directory look whether its listing is still right. */
			struct merge_ctx m = { .ctx = { .emit = emit_lower, .cookie = ctx->cookie == COOKIE_FIRST ? 0 : ctx->cookie },
					       .outer = ctx, .upper = upper };
			int err = od->lower->ops->readdir(od->lower, &m.ctx);

			if (err)
				return err;
			ctx->cookie = MAX(m.ctx.cookie, ctx->cookie);
			if (m.full)
				return 0;
		}
		ctx->cookie = PHASE_UPPER;
	}
	if (upper)
		list_upper(od, upper, ctx);
	return 0;
}

const struct inode_ops ovl_dir_ops = {
	.lookup = ovl_lookup,
	.create = ovl_create,
	.symlink = ovl_symlink,
	.link = ovl_link,
	.unlink = ovl_unlink,
	.rmdir = ovl_rmdir,
	.rename = ovl_rename,
	.tmpfile = ovl_tmpfile,
	.readdir = ovl_readdir,
	.revalidate = ovl_revalidate,
	.getattr = ovl_getattr,
	.setattr = ovl_setattr,
	.getxattr = ovl_getxattr,
	.setxattr = ovl_setxattr,
	.listxattr = ovl_listxattr,
	.removexattr = ovl_removexattr,
	.evict = ovl_evict,
};
