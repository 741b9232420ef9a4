/* SPDX-License-Identifier: MIT */
/* Extended attributes (xattr(7)). */
#include "userlib/sys/sys_xattr_calls.h"
#include "userlib/sys/sys_util.h"

#define XATTR_NAME_LEN 255
#define XATTR_VALUE_MAX (64 * KiB)

/* What a call is about: a path, or a descriptor. */
struct target {
	struct path p;
	struct file *f;
};

static long by_path(struct target *t, const char __app *name, bool follow)
{
	struct at_path a;
	long r = at_get(&a, AT_FDCWD, name, 0);

	t->f = NULL;
	if (r)
		return r;
	r = at_resolve(&a, follow, &t->p);
	at_put(&a);
	return r;
}

static long by_fd(struct target *t, int fd)
{
	t->f = fd_file(fd);
	if (!t->f)
		return -EBADF;
	if (!t->f->path.mnt) {
		file_put(t->f);
		return -EOPNOTSUPP;
	}
	t->p = t->f->path;
	path_get(&t->p);
	return 0;
}

static void target_put(struct target *t)
{
	path_put(&t->p);
	if (t->f)
		file_put(t->f);
}

static long get_key(char key[XATTR_NAME_LEN + 2], const char __app *ukey)
{
	ssize n = strncpy_from_app(key, ukey, XATTR_NAME_LEN + 1);

	return n == -ENAMETOOLONG || n == 0 ? -ERANGE : n < 0 ? n : 0;
}

static long do_get(struct target *t, const char __app *ukey, void __app *val, size_t size)
{
	char key[XATTR_NAME_LEN + 2];
	void *buf = NULL;
	long r = get_key(key, ukey);

	if (r)
		return r;
	size = MIN(size, XATTR_VALUE_MAX);
	if (size) {
		buf = kmem_alloc(size);
		if (!buf)
			return -ENOMEM;
	}
	r = vfs_getxattr(&t->p, key, buf, size);
	if (r > 0 && size && copy_to_app(val, buf, (size_t)r))
		r = -EFAULT;
	if (buf)
		kmem_free(buf, size);
	return r;
}

static long do_set(struct target *t, const char __app *ukey, const void __app *val, size_t size, int flags)
{
	char key[XATTR_NAME_LEN + 2];
	void *buf = NULL;
	long r;

	if (flags & ~3)
		return -EINVAL;
	r = get_key(key, ukey);
	if (r)
		return r;
	if (size > XATTR_VALUE_MAX)
		return -E2BIG;
	if (size) {
		buf = kmem_alloc(size);
		if (!buf)
			return -ENOMEM;
		if (copy_from_app(buf, val, size)) {
			kmem_free(buf, size);
			return -EFAULT;
		}
	}
	r = vfs_setxattr(&t->p, key, buf, size, flags, &uproc_self()->cred);
	if (buf)
		kmem_free(buf, size);
	return r;
}

static long do_list(struct target *t, char __app *list, size_t size)
{
	char *buf = NULL;
	long r;

	size = MIN(size, XATTR_VALUE_MAX);
	if (size) {
		buf = kmem_alloc(size);
		if (!buf)
			return -ENOMEM;
	}
	r = vfs_listxattr(&t->p, buf, size);
	if (r > 0 && size && copy_to_app(list, buf, (size_t)r))
		r = -EFAULT;
	if (buf)
		kmem_free(buf, size);
	return r;
}

static long do_remove(struct target *t, const char __app *ukey)
{
	char key[XATTR_NAME_LEN + 2];
	long r = get_key(key, ukey);

	return r ? r : vfs_removexattr(&t->p, key, &uproc_self()->cred);
}

/* Resolves with `find`, runs `op`, lets go. */
#define ON_TARGET(find, op)                 \
	do {                                \
		struct target t;            \
		long ot_r_ = (find);        \
		if (ot_r_)                  \
			return ot_r_;       \
		ot_r_ = (op);               \
		target_put(&t);             \
		return ot_r_;               \
	} while (0)

long sys_getxattr(const char __app *path, const char __app *key, void __app *val, size_t size)
{
	ON_TARGET(by_path(&t, path, true), do_get(&t, key, val, size));
}
long sys_lgetxattr(const char __app *path, const char __app *key, void __app *val, size_t size)
{
	ON_TARGET(by_path(&t, path, false), do_get(&t, key, val, size));
}
long sys_fgetxattr(int fd, const char __app *key, void __app *val, size_t size)
{
	ON_TARGET(by_fd(&t, fd), do_get(&t, key, val, size));
}
long sys_setxattr(const char __app *path, const char __app *key, const void __app *val, size_t size, int flags)
{
	ON_TARGET(by_path(&t, path, true), do_set(&t, key, val, size, flags));
}
long sys_lsetxattr(const char __app *path, const char __app *key, const void __app *val, size_t size, int flags)
{
	ON_TARGET(by_path(&t, path, false), do_set(&t, key, val, size, flags));
}
long sys_fsetxattr(int fd, const char __app *key, const void __app *val, size_t size, int flags)
{
	ON_TARGET(by_fd(&t, fd), do_set(&t, key, val, size, flags));
}
long sys_listxattr(const char __app *path, char __app *list, size_t size)
{
	ON_TARGET(by_path(&t, path, true), do_list(&t, list, size));
}
long sys_llistxattr(const char __app *path, char __app *list, size_t size)
{
	ON_TARGET(by_path(&t, path, false), do_list(&t, list, size));
}
long sys_flistxattr(int fd, char __app *list, size_t size)
{
	ON_TARGET(by_fd(&t, fd), do_list(&t, list, size));
}
long sys_removexattr(const char __app *path, const char __app *key)
{
	ON_TARGET(by_path(&t, path, true), do_remove(&t, key));
}
long sys_lremovexattr(const char __app *path, const char __app *key)
{
	ON_TARGET(by_path(&t, path, false), do_remove(&t, key));
}
long sys_fremovexattr(int fd, const char __app *key)
{
	ON_TARGET(by_fd(&t, fd), do_remove(&t, key));
}
