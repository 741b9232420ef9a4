/* SPDX-License-Identifier: MIT */
/* Typed wrappers over host_syscall6: the list of what an instance asks of the host kernel. Nothing here keeps state. */
#include "userlib/rt/host.h"
#include "base/atomic.h"
#include "userlib/rt/host_thread.h"
#include <asm/unistd_64.h>
#include <linux/fs.h>
#include <linux/futex.h>
#include <linux/io_uring.h>
#include <linux/openat2.h>
#include <linux/time_types.h>
#include <linux/uio.h>

#define CALL0(nr) host_syscall6(nr, 0, 0, 0, 0, 0, 0)
#define CALL1(nr, a) host_syscall6(nr, (long)(a), 0, 0, 0, 0, 0)
#define CALL2(nr, a, b) host_syscall6(nr, (long)(a), (long)(b), 0, 0, 0, 0)
#define CALL3(nr, a, b, c) host_syscall6(nr, (long)(a), (long)(b), (long)(c), 0, 0, 0)
#define CALL4(nr, a, b, c, d) host_syscall6(nr, (long)(a), (long)(b), (long)(c), (long)(d), 0, 0)
#define CALL5(nr, a, b, c, d, e) host_syscall6(nr, (long)(a), (long)(b), (long)(c), (long)(d), (long)(e), 0)
#define CALL6(nr, a, b, c, d, e, f) \
	host_syscall6(nr, (long)(a), (long)(b), (long)(c), (long)(d), (long)(e), (long)(f))

#ifndef __NR_cachestat
#define __NR_cachestat 451
#endif

u64 host_map_changes;

static long map_changed(long r)
{
	atomic_add_relaxed(&host_map_changes, 1);
	return r;
}

long host_mmap(void *addr, size_t len, int prot, int flags, int fd, u64 off)
{
	return map_changed(CALL6(__NR_mmap, addr, len, prot, flags, fd, off));
}
int host_munmap(void *addr, size_t len)
{
	return (int)map_changed(CALL2(__NR_munmap, addr, len));
}
int host_mprotect(void *addr, size_t len, int prot)
{
	return (int)map_changed(CALL3(__NR_mprotect, addr, len, prot));
}
int host_madvise(void *addr, size_t len, int advice)
{
	return (int)map_changed(CALL3(__NR_madvise, addr, len, advice));
}
long host_mremap(void *old, size_t old_len, size_t new_len, int flags, void *new_addr)
{
	return map_changed(CALL5(__NR_mremap, old, old_len, new_len, flags, new_addr));
}
int host_msync(void *addr, size_t len, int flags)
{
	return (int)CALL3(__NR_msync, addr, len, flags);
}
int host_mincore(void *addr, size_t len, unsigned char *vec)
{
	return (int)CALL3(__NR_mincore, addr, len, vec);
}
int host_mlock(const void *addr, size_t len)
{
	return (int)map_changed(CALL2(__NR_mlock, addr, len));
}
int host_munlock(const void *addr, size_t len)
{
	return (int)CALL2(__NR_munlock, addr, len);
}

int host_openat2(int dirfd, const char *path, u64 flags, u64 mode)
{
	struct open_how how = { .flags = flags, .mode = mode, .resolve = RESOLVE_IN_ROOT };

	return (int)CALL4(__NR_openat2, dirfd, path, &how, sizeof(how));
}
int host_close(int fd)
{
	return (int)CALL1(__NR_close, fd);
}
long host_pread(int fd, void *buf, size_t len, u64 off)
{
	return CALL4(__NR_pread64, fd, buf, len, off);
}
long host_pread_nowait(int fd, void *buf, size_t len, u64 off)
{
	struct iovec iov = { .iov_base = buf, .iov_len = len };

	return CALL6(__NR_preadv2, fd, &iov, 1, off, 0, RWF_NOWAIT);
}
long host_pwrite(int fd, const void *buf, size_t len, u64 off)
{
	return CALL4(__NR_pwrite64, fd, buf, len, off);
}
long host_read(int fd, void *buf, size_t len)
{
	return CALL3(__NR_read, fd, buf, len);
}
long host_write(int fd, const void *buf, size_t len)
{
	return CALL3(__NR_write, fd, buf, len);
}
int host_statx(int dirfd, const char *path, int flags, u32 mask, void *statx_buf)
{
	return (int)CALL5(__NR_statx, dirfd, path, flags, mask, statx_buf);
}
int host_statfs(int fd, void *statfs_buf)
{
	return (int)CALL2(__NR_fstatfs, fd, statfs_buf);
}
long host_getdents64(int fd, void *buf, size_t len)
{
	return CALL3(__NR_getdents64, fd, buf, len);
}
long host_readlinkat(int dirfd, const char *path, char *buf, size_t len)
{
	return CALL4(__NR_readlinkat, dirfd, path, buf, len);
}
long host_lseek(int fd, s64 off, int whence)
{
	return CALL3(__NR_lseek, fd, off, whence);
}
int host_ftruncate(int fd, u64 len)
{
	return (int)CALL2(__NR_ftruncate, fd, len);
}
int host_fallocate(int fd, int mode, u64 off, u64 len)
{
	return (int)CALL4(__NR_fallocate, fd, mode, off, len);
}
int host_fsync(int fd)
{
	return (int)CALL1(__NR_fsync, fd);
}
int host_fdatasync(int fd)
{
	return (int)CALL1(__NR_fdatasync, fd);
}
int host_mkdirat(int dirfd, const char *path, u32 mode)
{
	return (int)CALL3(__NR_mkdirat, dirfd, path, mode);
}
int host_unlinkat(int dirfd, const char *path, int flags)
{
	return (int)CALL3(__NR_unlinkat, dirfd, path, flags);
}
int host_renameat2(int od, const char *op, int nd, const char *np, u32 flags)
{
	return (int)CALL5(__NR_renameat2, od, op, nd, np, flags);
}
int host_linkat(int od, const char *op, int nd, const char *np, int flags)
{
	return (int)CALL5(__NR_linkat, od, op, nd, np, flags);
}
int host_symlinkat(const char *target, int dirfd, const char *path)
{
	return (int)CALL3(__NR_symlinkat, target, dirfd, path);
}
int host_fchmod(int fd, u32 mode)
{
	return (int)CALL2(__NR_fchmod, fd, mode);
}
int host_fchownat(int dirfd, const char *path, u32 uid, u32 gid, int flags)
{
	return (int)CALL5(__NR_fchownat, dirfd, path, uid, gid, flags);
}
int host_utimensat(int dirfd, const char *path, const void *timespec2, int flags)
{
	return (int)CALL4(__NR_utimensat, dirfd, path, timespec2, flags);
}
long host_fgetxattr(int fd, const char *name, void *buf, size_t len)
{
	return CALL4(__NR_fgetxattr, fd, name, buf, len);
}
long host_flistxattr(int fd, char *buf, size_t len)
{
	return CALL3(__NR_flistxattr, fd, buf, len);
}
int host_fsetxattr(int fd, const char *name, const void *buf, size_t len, int flags)
{
	return (int)CALL5(__NR_fsetxattr, fd, name, buf, len, flags);
}
int host_fremovexattr(int fd, const char *name)
{
	return (int)CALL2(__NR_fremovexattr, fd, name);
}

long host_cachestat_resident(int fd, u64 off, u64 len)
{
	u64 range[2] = { off, len }, stat[5] = { 0 };
	long r = CALL4(__NR_cachestat, fd, range, stat, 0);

	return r < 0 ? r : (long)stat[0];
}
int host_ring_enter(int ring_fd, u32 n)
{
	return (int)CALL6(__NR_io_uring_enter, ring_fd, n, 0, 0, 0, 0);
}
int host_ring_set_file(int ring_fd, u32 n, int fd)
{
	s32 fds[1] = { fd };
	struct io_uring_files_update up = { .offset = n, .fds = (u64)fds };

	return (int)CALL4(__NR_io_uring_register, ring_fd, IORING_REGISTER_FILES_UPDATE, &up, 1);
}
int host_ioctl(int fd, unsigned long req, void *arg)
{
	return (int)CALL3(__NR_ioctl, fd, req, arg);
}
int host_ppoll(void *pollfds, u32 n, s64 timeout_ns, const u64 *sigmask)
{
	struct __kernel_timespec ts = { timeout_ns / 1000000000, timeout_ns % 1000000000 };

	return (int)CALL5(__NR_ppoll, pollfds, n, timeout_ns < 0 ? NULL : &ts, sigmask, 8);
}
long host_recvmsg(int fd, void *msghdr, int flags)
{
	return CALL3(__NR_recvmsg, fd, msghdr, flags);
}
int host_send_nothing(int fd)
{
	return (int)host_syscall6(__NR_sendto, fd, 0, 0, 0x40 /* MSG_DONTWAIT */, 0, 0);
}
long host_sendmsg(int fd, const void *msghdr, int flags)
{
	return CALL3(__NR_sendmsg, fd, msghdr, flags);
}

int host_futex_wait(u32 *word, u32 val, s64 timeout_ns)
{
	struct __kernel_timespec ts = { timeout_ns / 1000000000, timeout_ns % 1000000000 };

	return (int)CALL4(__NR_futex, word, FUTEX_WAIT, val, timeout_ns < 0 ? NULL : &ts);
}
int host_futex_wake(u32 *word, int n)
{
	return (int)CALL3(__NR_futex, word, FUTEX_WAKE, n);
}
int host_sched_yield(void)
{
	return (int)CALL0(__NR_sched_yield);
}
int host_tgkill(int pid, int tid, int sig)
{
	return (int)CALL3(__NR_tgkill, pid, tid, sig);
}
int host_gettid(void)
{
	return (int)CALL0(__NR_gettid);
}
int host_getpid(void)
{
	return (int)CALL0(__NR_getpid);
}
void host_die_with_launcher(void)
{
	CALL2(__NR_prctl, 1 /* PR_SET_PDEATHSIG */, 9 /* SIGKILL */);
}
void host_exit_group(int code)
{
	for (;;)
		CALL1(__NR_exit_group, code);
}
void host_exit_thread(int code)
{
	for (;;)
		CALL1(__NR_exit, code);
}
int host_clone_call(u64 flags, void *stack_top, void (*fn)(void *), void *arg, int *child_tid, void *gs)
{
	return host_clone_asm(flags, stack_top, child_tid, child_tid, fn, arg, gs);
}
int host_wait4(int pid, int *status, int options)
{
	return (int)CALL4(__NR_wait4, pid, status, options, 0);
}
long host_getrandom(void *buf, size_t len)
{
	return CALL3(__NR_getrandom, buf, len, 0);
}
int host_clock_gettime_raw(int clk, s64 *ns)
{
	struct __kernel_timespec ts;
	int r = (int)CALL2(__NR_clock_gettime, clk, &ts);

	if (r == 0)
		*ns = ts.tv_sec * 1000000000ll + ts.tv_nsec;
	return r;
}
u64 host_page_faults(void)
{
	long ru[18] = { 0 }; /* struct rusage: [8] ru_minflt, [9] ru_majflt */

	return CALL2(__NR_getrusage, 0, ru) ? 0 : (u64)(ru[8] + ru[9]);
}
u64 host_peak_rss_kib(void)
{
	long ru[18] = { 0 }; /* [4] ru_maxrss */

	return CALL2(__NR_getrusage, 0, ru) ? 0 : (u64)ru[4];
}
int host_set_affinity(u64 mask)
{
	return (int)CALL3(__NR_sched_setaffinity, 0, 8, &mask);
}

int host_rt_sigaction(int sig, const struct host_sigaction *sa)
{
	return (int)CALL4(__NR_rt_sigaction, sig, sa, 0, 8);
}
int host_rt_sigprocmask(int how, const u64 *set, u64 *old)
{
	return (int)CALL4(__NR_rt_sigprocmask, how, set, old, 8);
}
int host_sigaltstack(const struct host_altstack *ss)
{
	return (int)CALL2(__NR_sigaltstack, ss, 0);
}
int host_cpu_tick_start(int tid, int sig, s64 interval_ns)
{
	/* CLOCK_THREAD_CPUTIME_ID: expires on the host's own tick while the thread burns CPU, costs nothing while it sleeps. */
	struct {
		u64 value;
		int signo, notify, tid, pad[11];
	} ev = { .signo = sig, .notify = 4 /* SIGEV_THREAD_ID */, .tid = tid };
	s64 its[4] = { interval_ns / 1000000000, interval_ns % 1000000000, interval_ns / 1000000000,
		       interval_ns % 1000000000 };
	int id;
	long r = CALL3(__NR_timer_create, 3, &ev, &id);

	if (r < 0)
		return (int)r;
	return (int)CALL4(__NR_timer_settime, id, 0, its, 0);
}
