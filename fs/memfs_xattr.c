/* SPDX-License-Identifier: MIT */
/* Extended attributes of memfs: a short list per inode under its spinlock. Name space rules are vfs_attr.c's. */
#include "fs/memfs.h"
#include "userlib/base/string.h"
#include <linux/xattr.h>

static void xattr_free(struct memxattr *x)
{
	if (x->value)
		kmem_free(x->value, x->size);
	kmem_free(x, sizeof(*x) + x->name_len + 1);
}

static struct memxattr *find(struct mem_inode *mi, const char *name)
{
	struct memxattr *x;

	list_for_each(x, &mi->xattrs, link)
		if (strcmp(x->name, name) == 0)
			return x;
	return NULL;
}

ssize memfs_getxattr(struct inode *i, const char *name, void *buf, size_t size)
{
	struct mem_inode *mi = mem_i(i);
	struct memxattr *x;
	ssize n = -ENODATA;

	spin_lock(&mi->lock);
	x = find(mi, name);
	if (x) {
		n = x->size;
		if (size && size < x->size)
			n = -ERANGE;
		else if (size && x->size)
			memcpy(buf, x->value, x->size);
	}
	spin_unlock(&mi->lock);
	return n;
}

int memfs_setxattr(struct inode *i, const char *name, const void *buf, size_t size, int flags)
{
	struct mem_inode *mi = mem_i(i);
	size_t len = strlen(name);
	struct memxattr *x = kmem_alloc(sizeof(*x) + len + 1), *old;
	int err = 0;

	if (!x)
		return -ENOSPC;
	x->name_len = (u32)len;
	memcpy(x->name, name, len + 1);
	x->size = (u32)size;
	x->value = size ? kmem_alloc(size) : NULL;
	if (size && !x->value) {
		x->size = 0;
		xattr_free(x);
		return -ENOSPC;
	}
	if (size)
		memcpy(x->value, buf, size);
	spin_lock(&mi->lock);
	old = find(mi, name);
	if (old && (flags & XATTR_CREATE))
		err = -EEXIST;
	else if (!old && (flags & XATTR_REPLACE))
		err = -ENODATA;
	if (!err) {
		if (old)
			list_del(&old->link);
		list_add_tail(&mi->xattrs, &x->link);
	}
	spin_unlock(&mi->lock);
	if (err)
		xattr_free(x);
	else if (old)
		xattr_free(old);
	return err;
}

ssize memfs_listxattr(struct inode *i, char *buf, size_t size)
{
	struct mem_inode *mi = mem_i(i);
	struct memxattr *x;
	size_t n = 0;

	spin_lock(&mi->lock);
	list_for_each(x, &mi->xattrs, link) {
		if (size && n + x->name_len + 1 <= size)
			memcpy(buf + n, x->name, x->name_len + 1);
		n += x->name_len + 1;
	}
	spin_unlock(&mi->lock);
	return size && n > size ? -ERANGE : (ssize)n;
}

int memfs_removexattr(struct inode *i, const char *name)
{
	struct mem_inode *mi = mem_i(i);
	struct memxattr *x;

	spin_lock(&mi->lock);
	x = find(mi, name);
	if (x)
		list_del(&x->link);
	spin_unlock(&mi->lock);
	if (!x)
		return -ENODATA;
	xattr_free(x);
	return 0;
}

void memfs_xattr_free(struct mem_inode *mi)
{
	while (!list_empty(&mi->xattrs)) {
		struct memxattr *x = list_first(&mi->xattrs, struct memxattr, link);

		list_del(&x->link);
		xattr_free(x);
	}
}
