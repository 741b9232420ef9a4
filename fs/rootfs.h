/* SPDX-License-Identifier: MIT */
/* The tree that programs see at start: the root, volumes, /dev, /proc, /sys. Built once at boot by entry/. */
#ifndef FS_ROOTFS_H
#define FS_ROOTFS_H

#include "fs/vfs.h"

enum fs_root_mode { FS_ROOT_OVERLAY, FS_ROOT_RO, FS_ROOT_RW }; /* same numbers as JABI_ROOT_* */

struct fs_volume {
	int host_fd;	    /* O_PATH directory, or a regular file opened for what is allowed */
	const char *dst;    /* absolute */
	const char *src;    /* host path, for /proc/mounts */
	bool ro, is_file;
};
struct fs_root_cfg {
	int host_dir_fd; /* O_PATH directory */
	enum fs_root_mode mode;
	const char *source; /* host path, for /proc/mounts; may be NULL */
	const struct fs_volume *volumes;
	u32 nr_volumes;
};

/* Registers the file systems of fs/ ("tmpfs", "ramfs", "hostfs", "overlay"). fs_build_root does it if nobody has. */
void fs_init(void);
/*
 * Mounts everything; call after userlib/proc and userlib/file have registered "proc", "sysfs" and "devpts" (those not registered are left
 * out). *out is the root, referenced. The host descriptors belong to the mounts from then on. On error the instance cannot start.
 */
int fs_build_root(const struct fs_root_cfg *cfg, struct path *out);

/* devfs.c: nodes and links of /dev, and /dev/shm, in a memory file system just mounted at dev. */
int devfs_populate(const struct path *dev);

#endif
