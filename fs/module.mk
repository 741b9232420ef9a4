fs-objs := fs/inode.o fs/dentry.o fs/mount.o fs/path.o fs/vfs_open.o fs/vfs_name.o fs/vfs_rename.o fs/vfs_attr.o fs/special.o fs/flock.o \
	fs/radix.o fs/memfs.o fs/memfs_dir.o fs/memfs_data.o fs/memfs_xattr.o \
	fs/hostfs.o fs/hostfs_fd.o fs/hostfs_data.o fs/hostfs_dir.o fs/hostfs_write.o fs/hostfs_local.o \
	fs/overlay.o fs/overlay_copy.o fs/overlay_dir.o fs/devfs.o fs/rootfs.o
