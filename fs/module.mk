fs-objs := fs/inode.o fs/dentry.o fs/mount.o fs/path.o fs/vfs_open.o fs/vfs_name.o fs/vfs_rename.o fs/vfs_attr.o fs/special.o
