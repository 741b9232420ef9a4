/* SPDX-License-Identifier: MIT */
/* Devices, fifos and sockets among the inodes of ordinary file systems: the open_file that asks the registry. */
#ifndef FS_SPECIAL_H
#define FS_SPECIAL_H

#include "fs/vfs.h"

int special_open_file(struct inode *i, struct path *p, unsigned open_flags, const struct cred *c, struct file **out);

#endif
