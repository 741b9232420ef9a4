/* SPDX-License-Identifier: MIT */
/* System calls on descriptors and paths: bodies in sys_io.c, sys_file.c, sys_fs.c. */
#ifndef USERLIB_SYS_SYS_FILE_CALLS_H
#define USERLIB_SYS_SYS_FILE_CALLS_H

#include "base/types.h"

/* sys_io.c */
long sys_read(int fd, void __app *buf, size_t len);
long sys_write(int fd, const void __app *buf, size_t len);
long sys_pread64(int fd, void __app *buf, size_t len, s64 pos);
long sys_pwrite64(int fd, const void __app *buf, size_t len, s64 pos);
long sys_readv(int fd, const void __app *iov, u64 nr);
long sys_writev(int fd, const void __app *iov, u64 nr);
long sys_preadv(int fd, const void __app *iov, u64 nr, s64 pos);
long sys_pwritev(int fd, const void __app *iov, u64 nr, s64 pos);
long sys_preadv2(int fd, const void __app *iov, u64 nr, s64 pos, u64 pos_high, int rwf);
long sys_pwritev2(int fd, const void __app *iov, u64 nr, s64 pos, u64 pos_high, int rwf);
long sys_lseek(int fd, s64 off, int whence);
long sys_sendfile(int out_fd, int in_fd, s64 __app *pos, size_t count);
long sys_copy_file_range(int in_fd, s64 __app *in_pos, int out_fd, s64 __app *out_pos, size_t len, unsigned flags);
long sys_ioctl(int fd, unsigned cmd, unsigned long arg);
long sys_fsync(int fd);
long sys_fdatasync(int fd);
long sys_sync(void);
long sys_syncfs(int fd);
long sys_sync_file_range(int fd, s64 off, s64 len, unsigned flags);
long sys_fallocate(int fd, int mode, s64 off, s64 len);
long sys_ftruncate(int fd, s64 len);
long sys_truncate(const char __app *path, s64 len);
long sys_fadvise64(int fd, s64 off, s64 len, int advice);
long sys_readahead(int fd, s64 off, size_t len);
long sys_getdents64(int fd, void __app *buf, unsigned size);
long sys_getdents(int fd, void __app *buf, unsigned size);

/* sys_file.c */
long sys_open(const char __app *path, int flags, unsigned mode);
long sys_openat(int dirfd, const char __app *path, int flags, unsigned mode);
long sys_openat2(int dirfd, const char __app *path, const void __app *how, size_t size);
long sys_creat(const char __app *path, unsigned mode);
long sys_close(int fd);
long sys_close_range(unsigned first, unsigned last, unsigned flags);
long sys_dup(int fd);
long sys_dup2(int fd, int to);
long sys_dup3(int fd, int to, int flags);
long sys_fcntl(int fd, unsigned cmd, unsigned long arg);
long sys_flock(int fd, int op);

/* sys_fs.c */
long sys_stat(const char __app *path, void __app *st);
long sys_lstat(const char __app *path, void __app *st);
long sys_fstat(int fd, void __app *st);
long sys_newfstatat(int dirfd, const char __app *path, void __app *st, int flags);
long sys_statx(int dirfd, const char __app *path, int flags, unsigned mask, void __app *stx);
long sys_access(const char __app *path, int mode);
long sys_faccessat(int dirfd, const char __app *path, int mode);
long sys_faccessat2(int dirfd, const char __app *path, int mode, int flags);
long sys_getcwd(char __app *buf, size_t size);
long sys_chdir(const char __app *path);
long sys_fchdir(int fd);
long sys_chroot(const char __app *path);
long sys_mkdir(const char __app *path, unsigned mode);
long sys_mkdirat(int dirfd, const char __app *path, unsigned mode);
long sys_rmdir(const char __app *path);
long sys_unlink(const char __app *path);
long sys_unlinkat(int dirfd, const char __app *path, int flags);
long sys_rename(const char __app *from, const char __app *to);
long sys_renameat(int fromfd, const char __app *from, int tofd, const char __app *to);
long sys_renameat2(int fromfd, const char __app *from, int tofd, const char __app *to, unsigned flags);
long sys_link(const char __app *from, const char __app *to);
long sys_linkat(int fromfd, const char __app *from, int tofd, const char __app *to, int flags);
long sys_symlink(const char __app *target, const char __app *path);
long sys_symlinkat(const char __app *target, int dirfd, const char __app *path);
long sys_readlink(const char __app *path, char __app *buf, int size);
long sys_readlinkat(int dirfd, const char __app *path, char __app *buf, int size);
long sys_chmod(const char __app *path, unsigned mode);
long sys_fchmod(int fd, unsigned mode);
long sys_fchmodat(int dirfd, const char __app *path, unsigned mode);
long sys_chown(const char __app *path, unsigned uid, unsigned gid);
long sys_lchown(const char __app *path, unsigned uid, unsigned gid);
long sys_fchown(int fd, unsigned uid, unsigned gid);
long sys_fchownat(int dirfd, const char __app *path, unsigned uid, unsigned gid, int flags);
long sys_utime(const char __app *path, const s64 __app *times);
long sys_utimes(const char __app *path, const s64 __app *times);
long sys_futimesat(int dirfd, const char __app *path, const s64 __app *times);
long sys_utimensat(int dirfd, const char __app *path, const s64 __app *times, int flags);
long sys_statfs(const char __app *path, void __app *buf);
long sys_fstatfs(int fd, void __app *buf);
long sys_mknod(const char __app *path, unsigned mode, u64 dev);
long sys_mknodat(int dirfd, const char __app *path, unsigned mode, u64 dev);
long sys_umask(unsigned mask);

/* sys_xattr.c */
long sys_getxattr(const char __app *path, const char __app *name, void __app *value, size_t size);
long sys_lgetxattr(const char __app *path, const char __app *name, void __app *value, size_t size);
long sys_fgetxattr(int fd, const char __app *name, void __app *value, size_t size);
long sys_setxattr(const char __app *path, const char __app *name, const void __app *value, size_t size, int flags);
long sys_lsetxattr(const char __app *path, const char __app *name, const void __app *value, size_t size, int flags);
long sys_fsetxattr(int fd, const char __app *name, const void __app *value, size_t size, int flags);
long sys_listxattr(const char __app *path, char __app *list, size_t size);
long sys_llistxattr(const char __app *path, char __app *list, size_t size);
long sys_flistxattr(int fd, char __app *list, size_t size);
long sys_removexattr(const char __app *path, const char __app *name);
long sys_lremovexattr(const char __app *path, const char __app *name);
long sys_fremovexattr(int fd, const char __app *name);

#endif
