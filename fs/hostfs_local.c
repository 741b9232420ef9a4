/* SPDX-License-Identifier: MIT */
/*
 * Fifos, sockets and devices in writable host directories. What they connect is inside the instance, so they are kept in memory: each host
 * directory that has some gets a hidden memfs directory beside it. They are seen by the instance only and vanish with it.
 */
#include "fs/hostfs.h"
#include "fs/memfs.h"
#include "fs/vfs_internal.h"
#include "userlib/base/log.h"

#define PHASE_LOCAL (1ll << 40) /* bit in readdir cookies, above any host listing's position */

bool hostfs_is_local(const struct inode *i)
{
	return inode_is_memfs(i);
}

static struct inode *local_dir(struct inode *dir)
{
	return load_acquire(&host_i(dir)->local);
}

/* The hidden directory, made if absent; the host inode then stays for good. NULL: no memory. */
static struct inode *local_dir_make(struct inode *dir)
{
	struct host_inode *hi = host_i(dir);
	struct hostfs_sb *hs = host_sb(hi);
	struct super *fresh_sb = NULL;
	struct inode *d = local_dir(dir);

	if (d)
		return d;
	if (!load_acquire(&hs->local_sb) && memfs_type.mount("local", NULL, 0, NULL, &fresh_sb))
		return NULL;
	if (fresh_sb && !atomic_cas(&hs->local_sb, (struct super *)NULL, fresh_sb)) {
		inode_put(fresh_sb->root);
		fresh_sb->kill(fresh_sb);
	}
	if (memfs_inode_new(mem_sb(hs->local_sb), S_IFDIR | 0755, 0, 0, 0, &d))
		return NULL;
	if (!atomic_cas(&hi->local, (struct inode *)NULL, d))
		inode_put(d);
	else
		inode_get(dir);
	return local_dir(dir);
}

int hostfs_local_create(struct inode *dir, const char *name, unsigned len, u32 mode, u64 rdev, const struct cred *c, struct inode **out)
{
	struct inode *d = local_dir_make(dir);

	return d ? memfs_dir_ops.create(d, name, len, mode, rdev, c, out) : -ENOSPC;
}

int hostfs_local_lookup(struct inode *dir, const char *name, unsigned len, struct inode **out)
{
	struct inode *d = local_dir(dir);

	return d ? memfs_lookup(d, name, len, out) : -ENOENT;
}

bool hostfs_local_has(struct inode *dir, const char *name, unsigned len)
{
	struct inode *i;

	if (hostfs_local_lookup(dir, name, len, &i))
		return false;
	inode_put(i);
	return true;
}

int hostfs_local_link(struct inode *dir, const char *name, unsigned len, struct inode *target)
{
	struct inode *d = local_dir_make(dir);

	return d ? memfs_dir_ops.link(d, name, len, target) : -ENOSPC;
}

int hostfs_local_unlink(struct inode *dir, const char *name, unsigned len)
{
	struct inode *d = local_dir(dir);

	return d ? memfs_dir_ops.unlink(d, name, len, NULL) : -ENOENT;
}

int hostfs_local_rename(struct inode *od, const char *on, unsigned ol, struct inode *nd, const char *nn, unsigned nl, u32 flags)
{
	struct inode *d = local_dir_make(nd);

	if (flags & ~1u /* RENAME_NOREPLACE */)
		return -EINVAL;
	return d ? memfs_dir_ops.rename(local_dir(od), on, ol, d, nn, nl, flags) : -ENOSPC;
}

bool hostfs_local_empty(struct inode *dir)
{
	struct inode *d = local_dir(dir);

	return !d || !memfs_dir_has_real_entries(d);
}

bool hostfs_local_phase(s64 cookie)
{
	return (cookie & PHASE_LOCAL) != 0;
}

/* The end of a listing: behind the host's names. */
void hostfs_local_readdir(struct inode *dir, struct dir_ctx *ctx)
{
	struct inode *d = local_dir(dir), *i;
	u64 cookie = hostfs_local_phase(ctx->cookie) ? (u64)(ctx->cookie & ~PHASE_LOCAL) : 0;
	char name[NAME_MAX_LEN + 1];
	unsigned len;

	while (d && memfs_dir_next(d, &cookie, name, &len, &i) == 0) {
		bool more = ctx->emit(ctx, name, len, i->ino, (i->mode >> 12) & 15, (s64)++cookie | PHASE_LOCAL);

		inode_put(i);
		if (!more)
			return;
		ctx->cookie = (s64)cookie | PHASE_LOCAL;
	}
}
