/* SPDX-License-Identifier: MIT */
/*
 * The only door to the host kernel. Every host system call of an instance is a wrapper here around host_syscall6() (arch/x86_64/host_call.S),
 * whose one `syscall` instruction is the only address the seccomp filter lets through. All return >= 0 or -errno of the host.
 * The list is the contract with the launcher's filter (tools/jctl/filter.c): adding one means adding it there, with argument checks.
 */
#ifndef USERLIB_RT_HOST_H
#define USERLIB_RT_HOST_H

#include "base/types.h"

long host_syscall6(long nr, long a, long b, long c, long d, long e, long f);

/* Memory. addr is always a fixed address that the instance chose (MAP_FIXED or MAP_FIXED_NOREPLACE in flags). */
extern u64 host_map_changes; /* [a] counts the calls here that change what is mapped or resident, in all kProcs */
long host_mmap(void *addr, size_t len, int prot, int flags, int fd, u64 off);
int host_munmap(void *addr, size_t len);
int host_mprotect(void *addr, size_t len, int prot);
int host_madvise(void *addr, size_t len, int advice);
long host_mremap(void *old, size_t old_len, size_t new_len, int flags, void *new_addr);
int host_msync(void *addr, size_t len, int flags);
int host_mincore(void *addr, size_t len, unsigned char *vec);
int host_mlock(const void *addr, size_t len);
int host_munlock(const void *addr, size_t len);

/* Files: only fds handed over by the launcher or opened beneath a directory handed over. openat2 always with RESOLVE_IN_ROOT. */
int host_openat2(int dirfd, const char *path, u64 flags, u64 mode);
int host_close(int fd);
long host_pread(int fd, void *buf, size_t len, u64 off);
/* Only what is in the page cache: -EAGAIN if the first byte is not, -EOPNOTSUPP where the file system cannot say. off ~0: own position. */
long host_pread_nowait(int fd, void *buf, size_t len, u64 off);
long host_pwrite(int fd, const void *buf, size_t len, u64 off);
long host_read(int fd, void *buf, size_t len);
long host_write(int fd, const void *buf, size_t len);
int host_statx(int dirfd, const char *path, int flags, u32 mask, void *statx_buf);
int host_statfs(int fd, void *statfs_buf);
long host_getdents64(int fd, void *buf, size_t len);
long host_readlinkat(int dirfd, const char *path, char *buf, size_t len);
long host_lseek(int fd, s64 off, int whence);
int host_ftruncate(int fd, u64 len);
int host_fallocate(int fd, int mode, u64 off, u64 len);
int host_fsync(int fd);
int host_fdatasync(int fd);
/* Only for roots and volumes mounted writable; the filter refuses them otherwise. */
int host_mkdirat(int dirfd, const char *path, u32 mode);
int host_unlinkat(int dirfd, const char *path, int flags);
int host_renameat2(int od, const char *op, int nd, const char *np, u32 flags);
int host_linkat(int od, const char *op, int nd, const char *np, int flags);
int host_symlinkat(const char *target, int dirfd, const char *path);
int host_fchmod(int fd, u32 mode);
int host_fchownat(int dirfd, const char *path, u32 uid, u32 gid, int flags);
int host_utimensat(int dirfd, const char *path, const void *timespec2, int flags);
long host_fgetxattr(int fd, const char *name, void *buf, size_t len);
long host_flistxattr(int fd, char *buf, size_t len);
int host_fsetxattr(int fd, const char *name, const void *buf, size_t len, int flags);
int host_fremovexattr(int fd, const char *name);
/* Page-cache residency: pages of [off, off+len) in the cache, or -errno (cachestat(2)). */
long host_cachestat_resident(int fd, u64 off, u64 len);
/* The launcher's io_uring (host_ring.c): hands over `n` requests, how many were taken; puts fd (-1: none) into slot n of its files, 1 = done. */
int host_ring_enter(int ring_fd, u32 n);
int host_ring_set_file(int ring_fd, u32 n, int fd);
/* Terminals handed over as stdio: TCGETS/TCSETS, TCSETSW, TCSETSF, TIOCGWINSZ/FIONREAD only. */
int host_ioctl(int fd, unsigned long req, void *arg);
int host_ppoll(void *pollfds, u32 n, s64 timeout_ns, const u64 *sigmask);
long host_recvmsg(int fd, void *msghdr, int flags);
/* Makes an AF_XDP socket look at its rings: a send of nothing. */
int host_send_nothing(int fd);
long host_sendmsg(int fd, const void *msghdr, int flags);

/* Threads, signals, time. */
int host_futex_wait(u32 *word, u32 val, s64 timeout_ns); /* shared; relative timeout, < 0 = none */
int host_futex_wake(u32 *word, int n);
int host_sched_yield(void);
int host_tgkill(int pid, int tid, int sig);
int host_gettid(void);
int host_getpid(void);
/* The calling host process is killed when the launcher, its parent, ends (clone does not inherit this). */
void host_die_with_launcher(void);
noreturn_fn void host_exit_group(int code);
noreturn_fn void host_exit_thread(int code);
/* clone(2) with a given stack: the child starts at fn(arg) on `stack_top` with GS base = gs. */
int host_clone_call(u64 flags, void *stack_top, void (*fn)(void *), void *arg, int *child_tid, void *gs);
int host_wait4(int pid, int *status, int options);
long host_getrandom(void *buf, size_t len);
int host_clock_gettime_raw(int clk, s64 *ns);
u64 host_page_faults(void); /* of this host process so far */
u64 host_peak_rss_kib(void); /* likewise; kernel memory that it has touched included */
int host_set_affinity(u64 mask); /* of the calling kThread: another process of the same user is out of reach */

#endif
