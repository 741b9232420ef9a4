/* SPDX-License-Identifier: MIT */
/*
 * Path walking: text to (mount, dentry), with symlinks, "..", mounts, magic links and the openat2(2) RESOLVE_* limits; and back, path_name.
 * A walk is a struct walk: the current place plus a stack of texts still to be walked (the caller's string and symlink contents),
 * so nested links need no recursion.
 */
#include "fs/vfs_internal.h"
#include "userlib/base/log.h"

void path_get(const struct path *p)
{
	mount_get(p->mnt);
	dentry_get(p->dentry);
}

void path_put(struct path *p)
{
	if (p->dentry)
		dentry_put(p->dentry);
	if (p->mnt)
		mount_put(p->mnt);
	p->dentry = NULL;
	p->mnt = NULL;
}

/* To a dentry of the same mount; takes over the caller's reference. */
static void move_cur(struct walk *k, struct dentry *d)
{
	dentry_put(k->cur.dentry);
	k->cur.dentry = d;
}

static void set_cur(struct walk *k, const struct path *p)
{
	struct path old = k->cur;

	path_get(p);
	k->cur = *p;
	path_put(&old);
}

int walk_start(struct walk *k, const struct walk_ctx *w, const char *name, unsigned flags)
{
	size_t len = strnlen(name, PATH_MAX_LEN);

	k->w = w;
	k->flags = flags;
	k->nr_links = k->depth = 0;
	k->want_dir = (flags & WALK_DIRECTORY) != 0;
	k->scoped = (flags & (WALK_BENEATH | WALK_IN_ROOT)) != 0;
	k->root = k->scoped ? w->cwd : w->root;
	k->moves = load_relaxed(&dentry_moves);
	k->rest = name;
	k->stack[0].buf = NULL;
	k->cur = (struct path){ NULL, NULL };
	if (len == 0)
		return -ENOENT;
	if (len >= PATH_MAX_LEN)
		return -ENAMETOOLONG;
	if (name[0] == '/') {
		if (flags & WALK_BENEATH)
			return -EXDEV;
		if ((flags & WALK_NO_XDEV) && !k->scoped && k->root.mnt != w->cwd.mnt)
			return -EXDEV;
		k->cur = k->root;
	} else {
		k->cur = w->cwd;
	}
	path_get(&k->cur);
	return 0;
}

void walk_end(struct walk *k)
{
	for (unsigned n = 0; n <= k->depth; n++)
		if (k->stack[n].buf)
			kmem_free(k->stack[n].buf, PATH_MAX_LEN);
	path_put(&k->cur);
}

static const char *skip_slashes(const char *s)
{
	while (*s == '/')
		s++;
	return s;
}

/* Is there any name left in the texts below the current one? */
static bool stack_has_names(const struct walk *k)
{
	for (unsigned n = 0; n < k->depth; n++)
		if (*skip_slashes(k->stack[n].rest))
			return true;
	return false;
}

static bool stack_has_slash(const struct walk *k)
{
	for (unsigned n = 0; n < k->depth; n++)
		if (k->stack[n].rest[0] == '/')
			return true;
	return false;
}

/* Cuts the next name into k->last. 1 = there is one, 0 = the texts are used up, or -ENAMETOOLONG. */
static int next_name(struct walk *k)
{
	const char *s = skip_slashes(k->rest), *e;
	unsigned len;

	while (!*s && k->depth) {
		kmem_free(k->stack[k->depth].buf, PATH_MAX_LEN);
		k->stack[k->depth].buf = NULL;
		k->depth--;
		s = skip_slashes(k->stack[k->depth].rest);
	}
	k->rest = s;
	if (!*s)
		return 0;
	for (e = s; *e && *e != '/'; e++)
		;
	if (e - s > NAME_MAX_LEN)
		return -ENAMETOOLONG;
	len = (unsigned)(e - s);
	memcpy(k->last.name, s, len);
	k->last.name[len] = 0;
	k->last.len = len;
	k->rest = e;
	k->is_last = !*skip_slashes(e) && !stack_has_names(k);
	k->last.trailing_slash = k->is_last && (*e == '/' || stack_has_slash(k));
	k->type = LAST_NORM;
	if (len == 1 && s[0] == '.')
		k->type = LAST_DOT;
	else if (len == 2 && s[0] == '.' && s[1] == '.')
		k->type = LAST_DOTDOT;
	return 1;
}

/* One step of the quick walk: the cached directory below `dir` that may be entered without asking anybody, or NULL. dcache_lock held. */
static struct dentry *quick_step(struct walk *k, struct dentry *dir, s64 *now)
{
	struct dentry *d;

	if (k->is_last || k->type != LAST_NORM || inode_permission_quick(dir->inode, MAY_EXEC, k->w->cred))
		return NULL;
	d = dentry_cached_locked(dir, k->last.name, k->last.len);
	if (!d || !S_ISDIR_(d->inode->mode) || load_relaxed(&d->mounted) || !dentry_is_fresh(dir, d, now))
		return NULL;
	return d;
}

/*
 * Through the directories that are in the cache and need no question to their file system, under one hold of dcache_lock and without
 * references in between. As next_name: 1 with k->last the first name that this could not pass, to be taken in the ordinary way.
 */
static int walk_quick(struct walk *k)
{
	struct dentry *start = k->cur.dentry, *at = start, *d;
	bool text_ends = false;
	s64 now = 0;
	int r = next_name(k);

	if (r != 1 || k->is_last || k->type != LAST_NORM || !S_ISDIR_(start->inode->mode))
		return r;
	spin_lock(&dcache_lock);
	while (r == 1 && !text_ends && (d = quick_step(k, at, &now)) != NULL) {
		at = d;
		text_ends = k->depth && !*skip_slashes(k->rest); /* next_name would free it: not under the lock */
		if (!text_ends)
			r = next_name(k);
	}
	if (at != start)
		dentry_get_cached_locked(at);
	spin_unlock(&dcache_lock);
	if (at != start)
		move_cur(k, at);
	return text_ends ? next_name(k) : r;
}

int walk_to_last(struct walk *k)
{
	for (;;) {
		struct inode *dir;
		int r = walk_quick(k);

		if (r < 0)
			return r;
		if (r == 0) {
			k->type = LAST_ROOT;
			k->last.len = 0;
			k->last.name[0] = 0;
			k->last.trailing_slash = false;
			return 0;
		}
		dir = k->cur.dentry->inode;
		if (!S_ISDIR_(dir->mode))
			return -ENOTDIR;
		r = inode_permission(dir, MAY_EXEC, k->w->cred);
		if (r)
			return r;
		if (k->is_last) {
			if (k->last.trailing_slash)
				k->want_dir = true;
			return 0;
		}
		r = walk_step(k, true);
		if (r < 0)
			return r;
	}
}

/* Down into whatever is mounted on k->cur. */
static int cross_mounts(struct walk *k)
{
	while (load_relaxed(&k->cur.dentry->mounted)) {
		struct mount *m = mount_lookup(k->cur.mnt, k->cur.dentry);
		struct path p;

		if (!m)
			break;
		if (k->flags & WALK_NO_XDEV) {
			mount_put(m);
			return -EXDEV;
		}
		p = (struct path){ m, m->root };
		set_cur(k, &p);
		mount_put(m);
	}
	return 0;
}

static bool at_root(const struct walk *k)
{
	return k->cur.mnt == k->root.mnt && k->cur.dentry == k->root.dentry;
}

static int step_dotdot(struct walk *k)
{
	struct path p;
	bool moved;

	for (;;) {
		if (at_root(k))
			return k->flags & WALK_BENEATH ? -EXDEV : cross_mounts(k);
		if (k->cur.dentry != k->cur.mnt->root)
			break;
		spin_lock(&dcache_lock);
		p = k->cur.mnt->at;
		if (p.mnt)
			path_get(&p);
		spin_unlock(&dcache_lock);
		if (!p.mnt)
			return 0; /* the top of everything */
		if (k->flags & WALK_NO_XDEV) {
			path_put(&p);
			return -EXDEV;
		}
		set_cur(k, &p);
		path_put(&p);
	}
	spin_lock(&dcache_lock);
	p = (struct path){ k->cur.mnt, k->cur.dentry->parent };
	moved = k->scoped && dentry_moves != k->moves;
	if (p.dentry && !moved)
		path_get(&p);
	spin_unlock(&dcache_lock);
	if (moved)
		return -EAGAIN; /* where we are may have been moved out of the tree we must not leave (openat2(2)) */
	if (!p.dentry)
		return 0;
	set_cur(k, &p);
	path_put(&p);
	return cross_mounts(k);
}

static int follow_magic(struct walk *k, struct inode *link)
{
	struct path p = { NULL, NULL };
	int err;

	if (k->flags & WALK_NO_MAGICLINKS)
		return -ELOOP;
	if (k->scoped)
		return -EXDEV;
	err = link->ops->follow(link, k->w->cred, &p);
	if (err)
		return err;
	if ((k->flags & WALK_NO_XDEV) && p.mnt != k->cur.mnt) {
		path_put(&p);
		return -EXDEV;
	}
	path_put(&k->cur);
	k->cur = p;
	return 1;
}

int walk_follow(struct walk *k, struct dentry *d)
{
	struct inode *link = d->inode;
	char *buf;
	ssize n;

	if (k->flags & WALK_NO_SYMLINKS)
		return -ELOOP;
	if (k->nr_links++ >= WALK_MAX_LINKS)
		return -ELOOP;
	if (link->ops->follow)
		return follow_magic(k, link);
	if (!link->ops->readlink)
		return -EINVAL;
	buf = kmem_alloc(PATH_MAX_LEN);
	if (!buf)
		return -ENOMEM;
	n = link->ops->readlink(link, buf, PATH_MAX_LEN);
	if (n <= 0 || n >= (ssize)PATH_MAX_LEN) {
		kmem_free(buf, PATH_MAX_LEN);
		return n < 0 ? (int)n : n == 0 ? -ENOENT : -ENAMETOOLONG;
	}
	buf[n] = 0;
	k->stack[k->depth].rest = k->rest;
	k->depth++;
	k->stack[k->depth].buf = buf;
	k->rest = buf;
	if (buf[0] == '/') {
		if (k->flags & WALK_BENEATH)
			return -EXDEV;
		if ((k->flags & WALK_NO_XDEV) && k->root.mnt != k->cur.mnt)
			return -EXDEV;
		set_cur(k, &k->root);
	}
	return 1;
}

int walk_step(struct walk *k, bool follow)
{
	struct dentry *d;
	int err;

	if (k->type == LAST_DOT || k->type == LAST_ROOT)
		return 0;
	if (k->type == LAST_DOTDOT)
		return step_dotdot(k);
	err = dentry_lookup(k->cur.dentry, k->last.name, k->last.len, &d);
	if (err)
		return err;
	if (S_ISLNK_(d->inode->mode) && follow) {
		err = walk_follow(k, d);
		dentry_put(d);
		return err;
	}
	move_cur(k, d);
	return cross_mounts(k);
}

/* Walks `name`. See vfs.h. On success *out is referenced; on error it is untouched. */
int path_walk(const struct walk_ctx *w, const char *name, unsigned flags, struct path *out, struct qstr *last)
{
	struct walk k;
	int err = walk_start(&k, w, name, flags);

	while (!err) {
		err = walk_to_last(&k);
		if (err || (flags & WALK_PARENT))
			break;
		err = walk_step(&k, !(flags & WALK_NOFOLLOW) || k.last.trailing_slash);
		if (err == 1) {
			err = 0;
			continue;
		}
		if (!err && k.want_dir && !S_ISDIR_(k.cur.dentry->inode->mode))
			err = -ENOTDIR;
		break;
	}
	if (!err) {
		if (last)
			*last = k.last;
		*out = k.cur; /* with its reference */
		k.cur = (struct path){ NULL, NULL };
	}
	walk_end(&k);
	return err;
}

/* Puts text before *at; false when it does not fit. */
static bool prepend(char *buf, char **at, const char *s, size_t len)
{
	if ((size_t)(*at - buf) < len)
		return false;
	*at -= len;
	memcpy(*at, s, len);
	return true;
}

/* dcache_lock held. 1: reached root; 0: reached the top without meeting root; or -ENAMETOOLONG. */
static int prepend_path(const struct path *p, const struct path *root, char *buf, char **at)
{
	struct mount *m = p->mnt;
	struct dentry *d = p->dentry;

	while (!(root->dentry == d && root->mnt == m)) {
		if (d == m->root || !d->parent) {
			if (d != m->root || !m->at.mnt)
				return 0;
			d = m->at.dentry;
			m = m->at.mnt;
			continue;
		}
		if (!prepend(buf, at, d->name, d->name_len) || !prepend(buf, at, "/", 1))
			return -ENAMETOOLONG;
		d = d->parent;
	}
	return 1;
}

ssize path_name(const struct path *p, const struct path *root, char *buf, size_t size, bool mark_deleted)
{
	char *end = buf + size, *at = end;
	int r;

	if (!prepend(buf, &at, "", 1))
		return -ENAMETOOLONG;
	spin_lock(&dcache_lock);
	if (!p->dentry->parent && p->dentry != p->mnt->root) { /* vfs_anon_path */
		bool file = mark_deleted && p->dentry->name[0] == '/'; /* memfd: a file that never had a name */

		r = (!file || prepend(buf, &at, " (deleted)", 10)) && prepend(buf, &at, p->dentry->name, p->dentry->name_len) ? 2 :
																 -ENAMETOOLONG;
	} else {
		bool gone = mark_deleted && p->dentry->deleted;

		r = !gone || prepend(buf, &at, " (deleted)", 10) ? 0 : -ENAMETOOLONG;
		if (!r)
			r = prepend_path(p, root, buf, &at);
		if (r >= 0 && (*at == 0 || *at == ' ') && !prepend(buf, &at, "/", 1))
			r = -ENAMETOOLONG;
		if (r == 0 && !prepend(buf, &at, "(unreachable)", 13))
			r = -ENAMETOOLONG;
	}
	spin_unlock(&dcache_lock);
	if (r < 0)
		return r;
	memmove(buf, at, (size_t)(end - at));
	return end - at;
}
