/* SPDX-License-Identifier: MIT */
/* The host calls of userlib/rt/host.h that fs/ uses, by libc's syscall(). Counted, so that tests can see what a path costs. */
#include <errno.h>
#include <linux/fcntl.h>
#include <linux/openat2.h>
#include <sys/syscall.h>
#include <unistd.h>
#include "tests/lib/sim_fs.h"
#include "userlib/rt/host.h"
#include "userlib/rt/host_ring.h"
#undef ERESTARTSYS

u64 sim_host_calls;

static long result(long r)
{
	__atomic_fetch_add(&sim_host_calls, 1, __ATOMIC_RELAXED);
	return r < 0 ? -(long)errno : r;
}
#define CALL(...) result(syscall(__VA_ARGS__))

int host_openat2(int dirfd, const char *path, u64 flags, u64 mode)
{
	struct open_how how = { .flags = flags, .mode = mode, .resolve = RESOLVE_IN_ROOT };

	return (int)CALL(SYS_openat2, dirfd, path, &how, sizeof(how));
}
int host_close(int fd)
{
	return (int)CALL(SYS_close, fd);
}
long host_pread(int fd, void *buf, size_t len, u64 off)
{
	return CALL(SYS_pread64, fd, buf, len, off);
}
long host_pwrite(int fd, const void *buf, size_t len, u64 off)
{
	return CALL(SYS_pwrite64, fd, buf, len, off);
}
/* No ring here: what a host without io_uring gives. */
long host_pread_park(int fd, void *buf, size_t len, u64 off, u8 *mode)
{
	(void)mode;
	return host_pread(fd, buf, len, off);
}
int host_fsync_park(int fd, bool data_only)
{
	return data_only ? host_fdatasync(fd) : host_fsync(fd);
}
int host_statx(int dirfd, const char *path, int flags, u32 mask, void *stx)
{
	return (int)CALL(SYS_statx, dirfd, path, flags, mask, stx);
}
int host_statfs(int fd, void *buf)
{
	return (int)CALL(SYS_fstatfs, fd, buf);
}
long host_getdents64(int fd, void *buf, size_t len)
{
	return CALL(SYS_getdents64, fd, buf, len);
}
long host_readlinkat(int dirfd, const char *path, char *buf, size_t len)
{
	return CALL(SYS_readlinkat, dirfd, path, buf, len);
}
long host_lseek(int fd, s64 off, int whence)
{
	return CALL(SYS_lseek, fd, off, whence);
}
int host_ftruncate(int fd, u64 len)
{
	return (int)CALL(SYS_ftruncate, fd, len);
}
int host_fallocate(int fd, int mode, u64 off, u64 len)
{
	return (int)CALL(SYS_fallocate, fd, mode, off, len);
}
int host_fsync(int fd)
{
	return (int)CALL(SYS_fsync, fd);
}
int host_fdatasync(int fd)
{
	return (int)CALL(SYS_fdatasync, fd);
}
int host_mkdirat(int dirfd, const char *path, u32 mode)
{
	return (int)CALL(SYS_mkdirat, dirfd, path, mode);
}
int host_unlinkat(int dirfd, const char *path, int flags)
{
	return (int)CALL(SYS_unlinkat, dirfd, path, flags);
}
int host_renameat2(int od, const char *op, int nd, const char *np, u32 flags)
{
	return (int)CALL(SYS_renameat2, od, op, nd, np, flags);
}
int host_linkat(int od, const char *op, int nd, const char *np, int flags)
{
	return (int)CALL(SYS_linkat, od, op, nd, np, flags);
}
int host_symlinkat(const char *target, int dirfd, const char *path)
{
	return (int)CALL(SYS_symlinkat, target, dirfd, path);
}
int host_fchmod(int fd, u32 mode)
{
	return (int)CALL(SYS_fchmod, fd, mode);
}
int host_fchownat(int dirfd, const char *path, u32 uid, u32 gid, int flags)
{
	return (int)CALL(SYS_fchownat, dirfd, path, uid, gid, flags);
}
int host_utimensat(int dirfd, const char *path, const void *ts2, int flags)
{
	return (int)CALL(SYS_utimensat, dirfd, path, ts2, flags);
}
long host_fgetxattr(int fd, const char *name, void *buf, size_t len)
{
	return CALL(SYS_fgetxattr, fd, name, buf, len);
}
long host_flistxattr(int fd, char *buf, size_t len)
{
	return CALL(SYS_flistxattr, fd, buf, len);
}
int host_fsetxattr(int fd, const char *name, const void *buf, size_t len, int flags)
{
	return (int)CALL(SYS_fsetxattr, fd, name, buf, len, flags);
}
int host_fremovexattr(int fd, const char *name)
{
	return (int)CALL(SYS_fremovexattr, fd, name);
}
long host_cachestat_resident(int fd, u64 off, u64 len)
{
	u64 range[2] = { off, len }, stat[5] = { 0 };
	long r = CALL(451, fd, range, stat, 0);

	return r < 0 ? r : (long)stat[0];
}

/* The kernel module: absent unless a test sets sim_kmod. Ids are descriptors plus 100; all that is asked about is in the page cache. */
bool sim_kmod;
int sim_kmod_files, sim_kmod_asked;
bool kmod_present(void)
{
	return sim_kmod;
}
/* declared in userlib/rt/kmod.h, which needs the scheduler */
int kmod_file_add(int fd)
{
	sim_kmod_files++;
	return fd + 100;
}
void kmod_file_del(int id)
{
	(void)id;
	sim_kmod_files--;
}
int kmod_file_resident(int id, u64 off, u64 len)
{
	(void)off;
	(void)len;
	sim_kmod_asked++;
	return id > 100;
}
u64 sim_kmod_prefetched;
int kmod_file_prefetch(int id, u64 off, u64 len)
{
	(void)off;
	if (id <= 100 || len > 64 * MiB)
		return -EINVAL;
	sim_kmod_prefetched += len;
	return 0;
}
