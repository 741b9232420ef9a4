/* SPDX-License-Identifier: MIT */
/* /proc/PID/fd and /proc/PID/fdinfo: one entry per descriptor. */
#include "userlib/base/string.h"
#include "userlib/proc/procfs_internal.h"

/* The descriptor table (reference), NULL if the process is gone. */
static struct fdtab *files_of(const struct pinode *pi)
{
	struct uproc *p = procfs_proc(pi);
	struct fdtab *t = NULL;

	if (!p)
		return NULL;
	spin_lock(&p->lock);
	if (p->files)
		t = fdtab_share(p->files);
	spin_unlock(&p->lock);
	proc_put(p);
	return t;
}

static struct file *file_of(const struct pinode *pi, int fd)
{
	struct fdtab *t = files_of(pi);
	struct file *f;

	if (!t)
		return NULL;
	f = fdtab_get(t, fd);
	fdtab_put(t);
	return f;
}

static int show_link(struct ptext *o, const struct pinode *pi)
{
	struct walk_ctx w = proc_walk_ctx_get(uproc_self());
	struct file *f = file_of(pi, pi->key);
	char *buf = kmem_alloc(PATH_MAX_LEN);
	int n = -ENOENT;

	if (f && buf) {
		n = file_link_name(f, &w.root, buf, PATH_MAX_LEN);
		if (n >= 0)
			ptext_add(o, buf, strnlen(buf, PATH_MAX_LEN));
	}
	if (buf)
		kmem_free(buf, PATH_MAX_LEN);
	if (f)
		file_put(f);
	proc_walk_ctx_put(&w);
	return n < 0 ? n : 0;
}

static int follow_fd(const struct pinode *pi, struct path *out)
{
	struct file *f = file_of(pi, pi->key);
	int r = 0;

	if (!f)
		return -ENOENT;
	if (f->path.mnt && !f->ops->reopen) {
		*out = f->path;
		path_get(out);
	} else {
		r = pseudo_reopen_path(pi->vfs.sb, f, out);
	}
	file_put(f);
	return r;
}

static int show_fdinfo(struct ptext *o, const struct pinode *pi)
{
	struct fdtab *t = files_of(pi);
	struct file *f = t ? fdtab_get(t, pi->key) : NULL;
	u32 flags;
	char *buf;

	if (!f) {
		if (t)
			fdtab_put(t);
		return -ENOENT;
	}
	flags = load_relaxed(&f->flags) | (fdtab_get_cloexec(t, pi->key) > 0 ? (u32)O_CLOEXEC : 0) | 0100000 /* O_LARGEFILE */;
	ptext_printf(o, "pos:\t%ld\nflags:\t0%o\nmnt_id:\t%u\nino:\t%lu\n", f->pos, flags, f->path.mnt ? f->path.mnt->id : 14,
		     f->inode ? f->inode->ino : f->id);
	buf = kmem_zalloc(PAGE_SIZE);
	if (f->ops->fdinfo && buf) {
		f->ops->fdinfo(f, buf, PAGE_SIZE);
		ptext_add(o, buf, strnlen(buf, PAGE_SIZE));
	}
	if (buf)
		kmem_free(buf, PAGE_SIZE);
	file_put(f);
	fdtab_put(t);
	return 0;
}

static const struct pnode fd_node = { .name = "fd", .mode = S_IFLNK | 0700, .show = show_link, .follow = follow_fd };
static const struct pnode fdinfo_node = { .name = "fdinfo", .mode = S_IFREG | 0400, .show = show_fdinfo };

static int lookup(const struct pinode *dir, const char *name, int *key)
{
	struct file *f;
	u64 n;

	if (parse_u64(name, 10, &n) || n > INT32_MAX || (name[0] == '0' && name[1]))
		return -ENOENT;
	f = file_of(dir, (int)n);
	if (!f)
		return -ENOENT;
	file_put(f);
	*key = (int)n;
	return 0;
}

static bool next(const struct pinode *dir, int *key, char *name, size_t size)
{
	struct fdtab *t = files_of(dir);

	if (!t)
		return false;
	*key = fdtab_next(t, *key);
	fdtab_put(t);
	if (*key < 0)
		return false;
	fmt(name, size, "%d", *key);
	return true;
}

static int fd_lookup(const struct pinode *dir, const char *name, const struct pnode **node, int *key)
{
	*node = &fd_node;
	return lookup(dir, name, key);
}
static int fdinfo_lookup(const struct pinode *dir, const char *name, const struct pnode **node, int *key)
{
	*node = &fdinfo_node;
	return lookup(dir, name, key);
}
static bool fd_next(const struct pinode *dir, int *key, char *name, size_t size, const struct pnode **node)
{
	*node = &fd_node;
	return next(dir, key, name, size);
}
static bool fdinfo_next(const struct pinode *dir, int *key, char *name, size_t size, const struct pnode **node)
{
	*node = &fdinfo_node;
	return next(dir, key, name, size);
}

const struct pdyn procfs_fd_dyn = { .lookup = fd_lookup, .next = fd_next };
const struct pdyn procfs_fdinfo_dyn = { .lookup = fdinfo_lookup, .next = fdinfo_next };
