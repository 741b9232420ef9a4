/* SPDX-License-Identifier: MIT */
/* File handles (open_by_handle_at(2)): none of our file systems has any, which these calls say as Linux does of such file systems. */
#include "userlib/sys/sys_handle_calls.h"
#include "userlib/sys/sys_util.h"
#include <linux/capability.h>

#define FOLLOW_BIT 0x400 /* AT_SYMLINK_FOLLOW */

long sys_name_to_handle_at(int dirfd, const char __app *path, void __app *handle, int __app *mount_id, int flags)
{
	struct at_path a;
	struct path p;
	int r;

	(void)handle;
	(void)mount_id;
	if (flags & ~(FOLLOW_BIT | AT_EMPTY_PATH))
		return -EINVAL;
	r = at_get(&a, dirfd, path, flags);
	if (r)
		return r;
	r = at_resolve(&a, flags & FOLLOW_BIT, &p);
	if (!r) {
		path_put(&p);
		r = -EOPNOTSUPP;
	}
	at_put(&a);
	return r;
}

long sys_open_by_handle_at(int mount_fd, void __app *handle, int flags)
{
	struct { u32 bytes; s32 type; } h;

	(void)mount_fd;
	(void)flags;
	if (!cred_capable(&uproc_self()->cred, CAP_DAC_READ_SEARCH))
		return -EPERM;
	if (copy_from_app(&h, handle, sizeof(h)))
		return -EFAULT;
	return h.bytes > 128 || !h.bytes ? -EINVAL : -ESTALE;
}
