/* SPDX-License-Identifier: MIT */
/* Arguments of path and vector calls. */
#include "userlib/sys/sys_util.h"

static void free_name(struct at_path *a)
{
	if (a->name != a->short_name)
		kmem_free(a->name, PATH_MAX_LEN);
}

int at_get(struct at_path *a, int dirfd, const char __app *name, int flags)
{
	ssize n;
	int r;

	a->dir = NULL;
	a->name = a->short_name;
	a->short_name[0] = 0;
	n = name ? strncpy_from_app(a->name, name, sizeof(a->short_name)) : flags & AT_EMPTY_PATH ? 0 : -EFAULT;
	if (n == -ENAMETOOLONG) {
		a->name = kmem_alloc(PATH_MAX_LEN);
		if (!a->name)
			return -ENOMEM;
		n = strncpy_from_app(a->name, name, PATH_MAX_LEN);
	}
	r = n < 0 ? (int)n : n == 0 && !(flags & AT_EMPTY_PATH) ? -ENOENT : 0;
	if (r)
		goto err_name;
	a->w = proc_walk_ctx_get(uproc_self());
	a->self = a->w.cwd;
	a->empty = n == 0;
	if (a->name[0] == '/' || dirfd == AT_FDCWD)
		return 0;
	a->dir = fd_file_any(dirfd);
	r = !a->dir ? -EBADF : 0;
	if (!r && !a->empty && !a->dir->path.mnt)
		r = -ENOTDIR;
	if (r)
		goto err_walk;
	a->self = a->dir->path;
	if (a->dir->path.mnt && a->w.is_borrowed) {
		a->w.cwd = a->dir->path;
	} else if (a->dir->path.mnt) {
		path_put(&a->w.cwd);
		a->w.cwd = a->dir->path;
		path_get(&a->w.cwd);
	}
	return 0;

err_walk:
	if (a->dir)
		file_put(a->dir);
	proc_walk_ctx_put(&a->w);
err_name:
	free_name(a);
	return r;
}

void at_put(struct at_path *a)
{
	proc_walk_ctx_put(&a->w);
	if (a->dir)
		file_put(a->dir);
	free_name(a);
}

int at_resolve(struct at_path *a, bool follow, struct path *out)
{
	if (a->empty) {
		if (!a->self.mnt)
			return -ENOENT;
		*out = a->self;
		path_get(out);
		return 0;
	}
	return path_walk(&a->w, a->name, follow ? 0 : WALK_NOFOLLOW, out, NULL);
}

int iov_get(struct app_iov *v, const void __app *iov, u64 nr)
{
	u64 total = 0;

	v->segs = v->fixed;
	v->nr = (u32)nr;
	if (nr > IOV_MAX_SEGS)
		return -EINVAL;
	if (nr > ARRAY_SIZE(v->fixed)) {
		v->segs = kmem_alloc(nr * sizeof(v->segs[0]));
		if (!v->segs)
			return -ENOMEM;
	}
	if (copy_from_app(v->segs, iov, nr * sizeof(v->segs[0]))) {
		iov_free(v);
		return -EFAULT;
	}
	for (u64 i = 0; i < nr; i++) {
		if ((s64)v->segs[i].len < 0) {
			iov_free(v);
			return -EINVAL;
		}
		if (v->segs[i].len > RW_COUNT_MAX - total)
			v->segs[i].len = RW_COUNT_MAX - total;
		total += v->segs[i].len;
	}
	iter_init(&v->it, v->segs, v->nr, false);
	return 0;
}

void iov_free(struct app_iov *v)
{
	if (v->segs != v->fixed)
		kmem_free(v->segs, v->nr * sizeof(v->segs[0]));
}
