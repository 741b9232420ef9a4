/* SPDX-License-Identifier: MIT */
/* memfd_create(2) and file seals over fs/memfs. */
#include "userlib/file/file_internal.h"
#include "fs/memfs.h"
#include "userlib/base/string.h"

#define MFD_SEALING 2u
#define MFD_NOEXEC 8u
#define F_SEAL_EXEC_BIT 0x20u

int memfd_create_file(const char *name, unsigned flags, const struct cred *c, struct file **out)
{
	char shown[270];
	struct path p;
	int err;

	fmt(shown, sizeof(shown), "/memfd:%s", name);
	err = memfs_new_file(shown, flags & MFD_NOEXEC ? 0666 : 0777, c->fsuid, c->fsgid, &p);
	if (err)
		return err;
	if (flags & (MFD_SEALING | MFD_NOEXEC))
		memfs_allow_sealing(path_inode(&p));
	if (flags & MFD_NOEXEC)
		(void)memfs_add_seals(path_inode(&p), F_SEAL_EXEC_BIT);
	err = file_open_path(&p, O_RDWR, c, out);
	path_put(&p);
	return err;
}

long memfd_fcntl_seals(struct file *f, bool add, u32 seals)
{
	if (!f->inode || !inode_is_memfs(f->inode))
		return -EINVAL;
	return add ? memfs_add_seals(f->inode, seals) : memfs_get_seals(f->inode);
}
