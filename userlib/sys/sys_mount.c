/* SPDX-License-Identifier: MIT */
/*
 * Mounting inside the instance: file systems that fs/ and the layers above registered, and bind mounts. There is one mount name space,
 * so propagation types are accepted and mean nothing. Not here: moving and changing mounts, block devices, pivot_root.
 */
#include "userlib/sys/sys_mount_calls.h"
#include "userlib/sys/sys_util.h"
#include <linux/mount.h>

#define UMOUNT_FORCE_BIT 1
#define UMOUNT_DETACH_BIT 2
#define UMOUNT_EXPIRE_BIT 4
#define UMOUNT_NOFOLLOW_BIT 8
#define MS_PROPAGATION (MS_SHARED | MS_PRIVATE | MS_SLAVE | MS_UNBINDABLE)
#define MS_KEPT (MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC)

/* One page of text at most, as the caller's; *out NULL if there is none. Freed with kmem_free(, PATH_MAX_LEN). */
static long get_text(const char __app *text, char **out)
{
	ssize n;

	*out = NULL;
	if (!text)
		return 0;
	*out = kmem_alloc(PATH_MAX_LEN);
	if (!*out)
		return -ENOMEM;
	n = strncpy_from_app(*out, text, PATH_MAX_LEN);
	return n < 0 ? n : 0;
}

static void put_text(char *text)
{
	if (text)
		kmem_free(text, PATH_MAX_LEN);
}

static long bind_mount(const char __app *source, unsigned long flags, const struct path *at)
{
	struct at_path a;
	struct path from;
	long r = at_get(&a, AT_FDCWD, source, 0);

	if (r)
		return r;
	r = at_resolve(&a, true, &from);
	if (!r) {
		r = vfs_bind(&from, at, (u32)(flags & MS_KEPT));
		path_put(&from);
	}
	at_put(&a);
	return r;
}

static long new_mount(const char __app *source, const char __app *type, unsigned long flags, const char __app *data, const struct path *at)
{
	char *src = NULL, *name = NULL, *options = NULL;
	const struct fs_type *t;
	long r = get_text(type, &name);

	if (!r && !name)
		r = -EINVAL;
	if (!r)
		r = get_text(source, &src);
	if (!r)
		r = get_text(data, &options);
	if (!r) {
		t = fs_type_find(name);
		r = t ? vfs_mount(t, src, options, NULL, (u32)(flags & MS_KEPT), at) : -ENODEV;
	}
	put_text(options);
	put_text(src);
	put_text(name);
	return r;
}

long sys_mount(const char __app *source, const char __app *target, const char __app *type, unsigned long flags, const char __app *data)
{
	struct at_path a;
	struct path at;
	long r = at_get(&a, AT_FDCWD, target, 0);

	if (r)
		return r;
	if ((flags & MS_MGC_MSK) == MS_MGC_VAL)
		flags &= ~MS_MGC_MSK;
	r = at_resolve(&a, true, &at);
	if (!r) {
		if (!(cred_capable(&uproc_self()->cred, CAP_SYS_ADMIN)))
			r = -EPERM;
		else if (flags & (MS_REMOUNT | MS_MOVE))
			r = -EINVAL;
		else if (flags & MS_BIND)
			r = bind_mount(source, flags, &at);
		else if (flags & MS_PROPAGATION)
			r = at.dentry == at.mnt->root ? 0 : -EINVAL;
		else
			r = new_mount(source, type, flags, data, &at);
		path_put(&at);
	}
	at_put(&a);
	return r;
}

long sys_umount2(const char __app *target, int flags)
{
	struct at_path a;
	struct path at;
	long r;

	if (flags & ~(UMOUNT_FORCE_BIT | UMOUNT_DETACH_BIT | UMOUNT_EXPIRE_BIT | UMOUNT_NOFOLLOW_BIT))
		return -EINVAL;
	if (flags & UMOUNT_EXPIRE_BIT && flags & (UMOUNT_FORCE_BIT | UMOUNT_DETACH_BIT))
		return -EINVAL;
	if (!(cred_capable(&uproc_self()->cred, CAP_SYS_ADMIN)))
		return -EPERM;
	r = at_get(&a, AT_FDCWD, target, 0);
	if (r)
		return r;
	r = at_resolve(&a, !(flags & UMOUNT_NOFOLLOW_BIT), &at);
	if (!r) {
		/* Expiry takes two calls without use between; there is nobody to count them, so a first call says busy. */
		r = flags & UMOUNT_EXPIRE_BIT ? -EAGAIN : vfs_umount(&at, (unsigned)flags & UMOUNT_DETACH_BIT);
		path_put(&at);
	}
	at_put(&a);
	return r;
}

/* Refused: the root of an instance is the launcher's decision. */
long sys_pivot_root(const char __app *new_root, const char __app *put_old)
{
	(void)new_root;
	(void)put_old;
	return cred_capable(&uproc_self()->cred, CAP_SYS_ADMIN) ? -EINVAL : -EPERM;
}
