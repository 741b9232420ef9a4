/* SPDX-License-Identifier: MIT */
/* Extended attributes: get, set, list, remove, each by path, by path without following, by descriptor. The rules are fs/vfs_attr.c's. */
#include "userlib/sys/sys_file_calls.h"
#include "userlib/sys/sys_util.h"
#include <linux/limits.h>

/* What a call works on: a referenced path. The two ways to get one: */
static int by_path(const char __app *name, bool follow, struct path *out)
{
	struct at_path a;
	int r = at_get(&a, AT_FDCWD, name, 0);

	if (r)
		return r;
	r = at_resolve(&a, follow, out);
	at_put(&a);
	return r;
}

static int by_fd(int fd, struct path *out)
{
	struct file *f = fd_file(fd);
	int r = 0;

	if (!f)
		return -EBADF;
	if (f->path.mnt) {
		*out = f->path;
		path_get(out);
	} else {
		r = -EOPNOTSUPP;
	}
	file_put(f);
	return r;
}

static int name_in(char *buf, const char __app *name)
{
	ssize n = strncpy_from_app(buf, name, XATTR_NAME_MAX + 1);

	return n == -ENAMETOOLONG || n == 0 ? -ERANGE : n < 0 ? (int)n : 0;
}

/* All consume the path; r is what resolving gave. */
static long do_get(int r, struct path *p, const char __app *uname, void __app *value, size_t size)
{
	char name[XATTR_NAME_MAX + 1], *buf = NULL;
	long n;

	if (r)
		return r;
	size = MIN(size, (size_t)XATTR_SIZE_MAX);
	n = name_in(name, uname);
	if (!n && size && !(buf = kmem_alloc(size)))
		n = -ENOMEM;
	if (!n)
		n = vfs_getxattr(p, name, buf, size);
	if (n > 0 && size && copy_to_app(value, buf, (size_t)n))
		n = -EFAULT;
	if (buf)
		kmem_free(buf, size);
	path_put(p);
	return n;
}

static long do_set(int r, struct path *p, const char __app *uname, const void __app *value, size_t size, int flags)
{
	char name[XATTR_NAME_MAX + 1], *buf = NULL;

	if (r)
		return r;
	r = size > XATTR_SIZE_MAX ? -E2BIG : name_in(name, uname);
	if (!r && size && !(buf = kmem_alloc(size)))
		r = -ENOMEM;
	if (!r && size && copy_from_app(buf, value, size))
		r = -EFAULT;
	if (!r)
		r = vfs_setxattr(p, name, buf, size, flags, &uproc_self()->cred);
	if (buf)
		kmem_free(buf, size);
	path_put(p);
	return r;
}

static long do_list(int r, struct path *p, char __app *list, size_t size)
{
	char *buf = NULL;
	long n = 0;

	if (r)
		return r;
	size = MIN(size, (size_t)XATTR_LIST_MAX);
	if (size && !(buf = kmem_alloc(size)))
		n = -ENOMEM;
	if (!n)
		n = vfs_listxattr(p, buf, size);
	if (n > 0 && size && copy_to_app(list, buf, (size_t)n))
		n = -EFAULT;
	if (buf)
		kmem_free(buf, size);
	path_put(p);
	return n;
}

static long do_remove(int r, struct path *p, const char __app *uname)
{
	char name[XATTR_NAME_MAX + 1];

	if (r)
		return r;
	r = name_in(name, uname);
	if (!r)
		r = vfs_removexattr(p, name, &uproc_self()->cred);
	path_put(p);
	return r;
}

long sys_getxattr(const char __app *path, const char __app *name, void __app *value, size_t size)
{
	struct path p;

	return do_get(by_path(path, true, &p), &p, name, value, size);
}
long sys_lgetxattr(const char __app *path, const char __app *name, void __app *value, size_t size)
{
	struct path p;

	return do_get(by_path(path, false, &p), &p, name, value, size);
}
long sys_fgetxattr(int fd, const char __app *name, void __app *value, size_t size)
{
	struct path p;

	return do_get(by_fd(fd, &p), &p, name, value, size);
}
long sys_setxattr(const char __app *path, const char __app *name, const void __app *value, size_t size, int flags)
{
	struct path p;

	return do_set(by_path(path, true, &p), &p, name, value, size, flags);
}
long sys_lsetxattr(const char __app *path, const char __app *name, const void __app *value, size_t size, int flags)
{
	struct path p;

	return do_set(by_path(path, false, &p), &p, name, value, size, flags);
}
long sys_fsetxattr(int fd, const char __app *name, const void __app *value, size_t size, int flags)
{
	struct path p;

	return do_set(by_fd(fd, &p), &p, name, value, size, flags);
}
long sys_listxattr(const char __app *path, char __app *list, size_t size)
{
	struct path p;

	return do_list(by_path(path, true, &p), &p, list, size);
}
long sys_llistxattr(const char __app *path, char __app *list, size_t size)
{
	struct path p;

	return do_list(by_path(path, false, &p), &p, list, size);
}
long sys_flistxattr(int fd, char __app *list, size_t size)
{
	struct path p;

	return do_list(by_fd(fd, &p), &p, list, size);
}
long sys_removexattr(const char __app *path, const char __app *name)
{
	struct path p;

	return do_remove(by_path(path, true, &p), &p, name);
}
long sys_lremovexattr(const char __app *path, const char __app *name)
{
	struct path p;

	return do_remove(by_path(path, false, &p), &p, name);
}
long sys_fremovexattr(int fd, const char __app *name)
{
	struct path p;

	return do_remove(by_fd(fd, &p), &p, name);
}
