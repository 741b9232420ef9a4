/* SPDX-License-Identifier: MIT */
/*
 * All system calls: one row each, sorted by name. SYS(number of arguments, name, flags, type, name, ...). Prototypes are in the headers
 * below, numbers are the target's __NR_name. From this list dispatch.c makes thunks and the dispatch table, strace.c the argument
 * printing. To add one: write sys_name() in the sys_*.c of its subject (decode, then commit), declare it in that subject's _calls.h,
 * add the row here, write tests/guest/name.c.
 */
#ifndef USERLIB_SYS_TABLE_H
#define USERLIB_SYS_TABLE_H

#include "userlib/sys/sys_event_calls.h"
#include "userlib/sys/sys_file_calls.h"
#include "userlib/sys/sys_handle_calls.h"
#include "userlib/sys/sys_mem_calls.h"
#include "userlib/sys/sys_mount_calls.h"
#include "userlib/sys/sys_signal_calls.h"
#include "userlib/sys/sys_socket_calls.h"
#include "userlib/sys/sys_xattr_calls.h"
#include "userlib/proc/clone.h"
#include "userlib/proc/exec.h"
#include "userlib/proc/ipc.h"
#include "userlib/proc/mqueue.h"
#include "userlib/proc/wait.h"
#include "userlib/proc/pgrp.h"
#include "userlib/proc/rseq.h"

/* clang-format off */
#define SYSCALL_TABLE \
	SYS(3, accept, 0, int, fd, void __app *, addr, int __app *, len) \
	SYS(4, accept4, 0, int, fd, void __app *, addr, int __app *, len, int, flags) \
	SYS(2, access, 0, const char __app *, path, int, mode) \
	SYS(1, adjtimex, 0, void __app *, tx) \
	SYS(1, alarm, 0, unsigned, seconds) \
	SYS(2, arch_prctl, 0, int, code, u64, addr) \
	SYS(3, bind, 0, int, fd, const void __app *, addr, int, len) \
	SYS(1, brk, 0, u64, addr) \
	SYS(2, capget, 0, void __app *, hdr, void __app *, data) \
	SYS(2, capset, 0, void __app *, hdr, const void __app *, data) \
	SYS(1, chdir, 0, const char __app *, path) \
	SYS(2, chmod, 0, const char __app *, path, unsigned, mode) \
	SYS(3, chown, 0, const char __app *, path, unsigned, uid, unsigned, gid) \
	SYS(1, chroot, 0, const char __app *, path) \
	SYS(2, clock_adjtime, 0, int, clock, void __app *, tx) \
	SYS(2, clock_getres, 0, int, clock, void __app *, ts) \
	SYS(2, clock_gettime, 0, int, clock, void __app *, ts) \
	SYS(4, clock_nanosleep, 0, int, clock, int, flags, const void __app *, req, void __app *, rem) \
	SYS(2, clock_settime, 0, int, clock, const void __app *, ts) \
	SYS(5, clone, 0, u64, flags, u64, stack, int __app *, parent_tid, int __app *, child_tid, u64, tls) \
	SYS(2, clone3, 0, void __app *, args, size_t, size) \
	SYS(1, close, 0, int, fd) \
	SYS(3, close_range, 0, unsigned, first, unsigned, last, unsigned, flags) \
	SYS(3, connect, 0, int, fd, const void __app *, addr, int, len) \
	SYS(6, copy_file_range, 0, int, in_fd, s64 __app *, in_pos, int, out_fd, s64 __app *, out_pos, size_t, len, unsigned, flags) \
	SYS(2, creat, 0, const char __app *, path, unsigned, mode) \
	SYS(1, dup, 0, int, fd) \
	SYS(2, dup2, 0, int, fd, int, to) \
	SYS(3, dup3, 0, int, fd, int, to, int, flags) \
	SYS(1, epoll_create, 0, int, size) \
	SYS(1, epoll_create1, 0, int, flags) \
	SYS(4, epoll_ctl, 0, int, epfd, int, op, int, fd, void __app *, event) \
	SYS(6, epoll_pwait, 0, int, epfd, void __app *, events, int, max, int, timeout_ms, const u64 __app *, mask, size_t, size) \
	SYS(6, epoll_pwait2, 0, int, epfd, void __app *, events, int, max, const void __app *, timeout, const u64 __app *, mask, size_t, size) \
	SYS(4, epoll_wait, 0, int, epfd, void __app *, events, int, max, int, timeout_ms) \
	SYS(1, eventfd, 0, unsigned, count) \
	SYS(2, eventfd2, 0, unsigned, count, int, flags) \
	SYS(3, execve, 0, const char __app *, path, const char __app *const __app *, argv, const char __app *const __app *, envp) \
	SYS(5, execveat, 0, int, dirfd, const char __app *, path, const char __app *const __app *, argv, const char __app *const __app *, envp, int, flags) \
	SYS(1, exit, 0, int, code) \
	SYS(1, exit_group, 0, int, code) \
	SYS(3, faccessat, 0, int, dirfd, const char __app *, path, int, mode) \
	SYS(4, faccessat2, 0, int, dirfd, const char __app *, path, int, mode, int, flags) \
	SYS(4, fadvise64, 0, int, fd, s64, off, s64, len, int, advice) \
	SYS(4, fallocate, 0, int, fd, int, mode, s64, off, s64, len) \
	SYS(1, fchdir, 0, int, fd) \
	SYS(2, fchmod, 0, int, fd, unsigned, mode) \
	SYS(3, fchmodat, 0, int, dirfd, const char __app *, path, unsigned, mode) \
	SYS(3, fchown, 0, int, fd, unsigned, uid, unsigned, gid) \
	SYS(5, fchownat, 0, int, dirfd, const char __app *, path, unsigned, uid, unsigned, gid, int, flags) \
	SYS(3, fcntl, 0, int, fd, unsigned, cmd, unsigned long, arg) \
	SYS(1, fdatasync, 0, int, fd) \
	SYS(4, fgetxattr, 0, int, fd, const char __app *, name, void __app *, value, size_t, size) \
	SYS(3, flistxattr, 0, int, fd, char __app *, list, size_t, size) \
	SYS(2, flock, 0, int, fd, int, op) \
	SYS(0, fork, 0) \
	SYS(2, fremovexattr, 0, int, fd, const char __app *, name) \
	SYS(5, fsetxattr, 0, int, fd, const char __app *, name, const void __app *, value, size_t, size, int, flags) \
	SYS(2, fstat, 0, int, fd, void __app *, st) \
	SYS(2, fstatfs, 0, int, fd, void __app *, buf) \
	SYS(1, fsync, 0, int, fd) \
	SYS(2, ftruncate, 0, int, fd, s64, len) \
	SYS(6, futex, 0, u32 __app *, uaddr, int, op, u32, val, u64, timeout, u32 __app *, uaddr2, u32, val3) \
	SYS(5, futex_waitv, 0, void __app *, waiters, u32, nr, u32, flags, void __app *, timeout, int, clockid) \
	SYS(3, futimesat, 0, int, dirfd, const char __app *, path, const s64 __app *, times) \
	SYS(3, get_robust_list, 0, int, tid, void __app *__app *, head, u64 __app *, len) \
	SYS(3, getcpu, 0, u32 __app *, cpu, u32 __app *, node, void __app *, cache) \
	SYS(2, getcwd, 0, char __app *, buf, size_t, size) \
	SYS(3, getdents, 0, int, fd, void __app *, buf, unsigned, size) \
	SYS(3, getdents64, 0, int, fd, void __app *, buf, unsigned, size) \
	SYS(0, getegid, 0) \
	SYS(0, geteuid, 0) \
	SYS(0, getgid, 0) \
	SYS(2, getgroups, 0, int, n, u32 __app *, list) \
	SYS(2, getitimer, 0, int, which, void __app *, cur) \
	SYS(3, getpeername, 0, int, fd, void __app *, addr, int __app *, len) \
	SYS(1, getpgid, 0, int, pid) \
	SYS(0, getpgrp, 0) \
	SYS(0, getpid, 0) \
	SYS(0, getppid, 0) \
	SYS(2, getpriority, 0, int, which, int, who) \
	SYS(3, getrandom, 0, void __app *, buf, size_t, len, unsigned, flags) \
	SYS(3, getresgid, 0, u32 __app *, r, u32 __app *, e, u32 __app *, s) \
	SYS(3, getresuid, 0, u32 __app *, r, u32 __app *, e, u32 __app *, s) \
	SYS(2, getrlimit, 0, unsigned, res, void __app *, rl) \
	SYS(2, getrusage, 0, int, who, void __app *, ru) \
	SYS(1, getsid, 0, int, pid) \
	SYS(3, getsockname, 0, int, fd, void __app *, addr, int __app *, len) \
	SYS(5, getsockopt, 0, int, fd, int, level, int, name, void __app *, val, int __app *, len) \
	SYS(0, gettid, 0) \
	SYS(2, gettimeofday, 0, void __app *, tv, void __app *, tz) \
	SYS(0, getuid, 0) \
	SYS(4, getxattr, 0, const char __app *, path, const char __app *, name, void __app *, value, size_t, size) \
	SYS(3, inotify_add_watch, 0, int, fd, const char __app *, name, u32, mask) \
	SYS(0, inotify_init, 0) \
	SYS(1, inotify_init1, 0, int, flags) \
	SYS(2, inotify_rm_watch, 0, int, fd, int, wd) \
	SYS(3, ioctl, 0, int, fd, unsigned, cmd, unsigned long, arg) \
	SYS(3, ioperm, 0, u64, from, u64, num, int, on) \
	SYS(1, iopl, 0, unsigned, level) \
	SYS(2, ioprio_get, 0, int, which, int, who) \
	SYS(3, ioprio_set, 0, int, which, int, who, int, prio) \
	SYS(2, kill, 0, int, pid, int, sig) \
	SYS(3, lchown, 0, const char __app *, path, unsigned, uid, unsigned, gid) \
	SYS(4, lgetxattr, 0, const char __app *, path, const char __app *, name, void __app *, value, size_t, size) \
	SYS(2, link, 0, const char __app *, from, const char __app *, to) \
	SYS(5, linkat, 0, int, fromfd, const char __app *, from, int, tofd, const char __app *, to, int, flags) \
	SYS(2, listen, 0, int, fd, int, backlog) \
	SYS(3, listxattr, 0, const char __app *, path, char __app *, list, size_t, size) \
	SYS(3, llistxattr, 0, const char __app *, path, char __app *, list, size_t, size) \
	SYS(2, lremovexattr, 0, const char __app *, path, const char __app *, name) \
	SYS(3, lseek, 0, int, fd, s64, off, int, whence) \
	SYS(5, lsetxattr, 0, const char __app *, path, const char __app *, name, const void __app *, value, size_t, size, int, flags) \
	SYS(2, lstat, 0, const char __app *, path, void __app *, st) \
	SYS(3, madvise, 0, u64, addr, u64, len, int, advice) \
	SYS(3, membarrier, 0, int, cmd, unsigned, flags, int, cpu) \
	SYS(2, memfd_create, 0, const char __app *, name, unsigned, flags) \
	SYS(3, mincore, 0, u64, addr, u64, len, void __app *, vec) \
	SYS(2, mkdir, 0, const char __app *, path, unsigned, mode) \
	SYS(3, mkdirat, 0, int, dirfd, const char __app *, path, unsigned, mode) \
	SYS(3, mknod, 0, const char __app *, path, unsigned, mode, u64, dev) \
	SYS(4, mknodat, 0, int, dirfd, const char __app *, path, unsigned, mode, u64, dev) \
	SYS(2, mlock, 0, u64, addr, u64, len) \
	SYS(3, mlock2, 0, u64, addr, u64, len, unsigned, flags) \
	SYS(1, mlockall, 0, int, flags) \
	SYS(6, mmap, 0, u64, addr, u64, len, int, prot, int, flags, int, fd, u64, off) \
	SYS(5, mount, 0, const char __app *, source, const char __app *, target, const char __app *, type, unsigned long, flags, const char __app *, data) \
	SYS(3, mprotect, 0, u64, addr, u64, len, int, prot) \
	SYS(3, mq_getsetattr, 0, int, fd, const void __app *, new_attr, void __app *, old_attr) \
	SYS(2, mq_notify, 0, int, fd, const void __app *, sev) \
	SYS(4, mq_open, 0, const char __app *, name, int, flags, unsigned, mode, const void __app *, attr) \
	SYS(5, mq_timedreceive, 0, int, fd, char __app *, msg, size_t, len, unsigned __app *, prio, const void __app *, timeout) \
	SYS(5, mq_timedsend, 0, int, fd, const char __app *, msg, size_t, len, unsigned, prio, const void __app *, timeout) \
	SYS(1, mq_unlink, 0, const char __app *, name) \
	SYS(5, mremap, 0, u64, addr, u64, old_len, u64, new_len, int, flags, u64, new_addr) \
	SYS(3, msgctl, 0, int, id, int, cmd, void __app *, buf) \
	SYS(2, msgget, 0, int, key, int, flags) \
	SYS(5, msgrcv, 0, int, id, void __app *, msg, size_t, size, s64, type, int, flags) \
	SYS(4, msgsnd, 0, int, id, const void __app *, msg, size_t, size, int, flags) \
	SYS(3, msync, 0, u64, addr, u64, len, int, flags) \
	SYS(2, munlock, 0, u64, addr, u64, len) \
	SYS(0, munlockall, 0) \
	SYS(2, munmap, 0, u64, addr, u64, len) \
	SYS(5, name_to_handle_at, 0, int, dirfd, const char __app *, path, void __app *, handle, int __app *, mount_id, int, flags) \
	SYS(2, nanosleep, 0, const void __app *, req, void __app *, rem) \
	SYS(4, newfstatat, 0, int, dirfd, const char __app *, path, void __app *, st, int, flags) \
	SYS(3, open, 0, const char __app *, path, int, flags, unsigned, mode) \
	SYS(3, open_by_handle_at, 0, int, mount_fd, void __app *, handle, int, flags) \
	SYS(4, openat, 0, int, dirfd, const char __app *, path, int, flags, unsigned, mode) \
	SYS(4, openat2, 0, int, dirfd, const char __app *, path, const void __app *, how, size_t, size) \
	SYS(0, pause, 0) \
	SYS(1, personality, 0, u64, persona) \
	SYS(3, pidfd_getfd, 0, int, pidfd, int, target, unsigned, flags) \
	SYS(2, pidfd_open, 0, int, pid, unsigned, flags) \
	SYS(4, pidfd_send_signal, 0, int, pidfd, int, sig, const void __app *, info, unsigned, flags) \
	SYS(1, pipe, 0, int __app *, fds) \
	SYS(2, pipe2, 0, int __app *, fds, int, flags) \
	SYS(2, pivot_root, 0, const char __app *, new_root, const char __app *, put_old) \
	SYS(2, pkey_alloc, 0, u64, flags, u64, rights) \
	SYS(1, pkey_free, 0, int, pkey) \
	SYS(4, pkey_mprotect, 0, u64, addr, u64, len, int, prot, int, pkey) \
	SYS(3, poll, 0, void __app *, fds, unsigned, n, int, timeout_ms) \
	SYS(5, ppoll, 0, void __app *, fds, unsigned, n, void __app *, timeout, const u64 __app *, mask, size_t, size) \
	SYS(5, prctl, 0, int, op, u64, a2, u64, a3, u64, a4, u64, a5) \
	SYS(4, pread64, 0, int, fd, void __app *, buf, size_t, len, s64, pos) \
	SYS(4, preadv, 0, int, fd, const void __app *, iov, u64, nr, s64, pos) \
	SYS(6, preadv2, 0, int, fd, const void __app *, iov, u64, nr, s64, pos, u64, pos_high, int, rwf) \
	SYS(4, prlimit64, 0, int, pid, unsigned, res, const void __app *, new_rl, void __app *, old_rl) \
	SYS(6, process_vm_readv, 0, int, pid, const void __app *, lvec, u64, nl, const void __app *, rvec, u64, nr, u64, flags) \
	SYS(6, process_vm_writev, 0, int, pid, const void __app *, lvec, u64, nl, const void __app *, rvec, u64, nr, u64, flags) \
	SYS(6, pselect6, 0, int, n, void __app *, rd, void __app *, wr, void __app *, ex, void __app *, timeout, const void __app *, sig) \
	SYS(4, pwrite64, 0, int, fd, const void __app *, buf, size_t, len, s64, pos) \
	SYS(4, pwritev, 0, int, fd, const void __app *, iov, u64, nr, s64, pos) \
	SYS(6, pwritev2, 0, int, fd, const void __app *, iov, u64, nr, s64, pos, u64, pos_high, int, rwf) \
	SYS(3, read, 0, int, fd, void __app *, buf, size_t, len) \
	SYS(3, readahead, 0, int, fd, s64, off, size_t, len) \
	SYS(3, readlink, 0, const char __app *, path, char __app *, buf, int, size) \
	SYS(4, readlinkat, 0, int, dirfd, const char __app *, path, char __app *, buf, int, size) \
	SYS(3, readv, 0, int, fd, const void __app *, iov, u64, nr) \
	SYS(6, recvfrom, 0, int, fd, void __app *, buf, size_t, len, unsigned, flags, void __app *, addr, int __app *, addr_len) \
	SYS(5, recvmmsg, 0, int, fd, void __app *, vec, unsigned, n, unsigned, flags, void __app *, timeout) \
	SYS(3, recvmsg, 0, int, fd, void __app *, msg, unsigned, flags) \
	SYS(2, removexattr, 0, const char __app *, path, const char __app *, name) \
	SYS(2, rename, 0, const char __app *, from, const char __app *, to) \
	SYS(4, renameat, 0, int, fromfd, const char __app *, from, int, tofd, const char __app *, to) \
	SYS(5, renameat2, 0, int, fromfd, const char __app *, from, int, tofd, const char __app *, to, unsigned, flags) \
	SYS(0, restart_syscall, 0) \
	SYS(1, rmdir, 0, const char __app *, path) \
	SYS(4, rseq, 0, void __app *, rseq, u32, len, int, flags, u32, sig) \
	SYS(4, rt_sigaction, 0, int, sig, const void __app *, act, void __app *, old, size_t, size) \
	SYS(2, rt_sigpending, 0, u64 __app *, set, size_t, size) \
	SYS(4, rt_sigprocmask, 0, int, how, const u64 __app *, set, u64 __app *, old, size_t, size) \
	SYS(3, rt_sigqueueinfo, 0, int, pid, int, sig, const void __app *, info) \
	SYS(2, rt_sigsuspend, 0, const u64 __app *, set, size_t, size) \
	SYS(4, rt_sigtimedwait, 0, const u64 __app *, set, void __app *, info, const void __app *, timeout, size_t, size) \
	SYS(4, rt_tgsigqueueinfo, 0, int, tgid, int, tid, int, sig, const void __app *, info) \
	SYS(1, sched_get_priority_max, 0, int, policy) \
	SYS(1, sched_get_priority_min, 0, int, policy) \
	SYS(3, sched_getaffinity, 0, int, pid, unsigned, len, void __app *, mask) \
	SYS(4, sched_getattr, 0, int, pid, void __app *, attr, unsigned, size, unsigned, flags) \
	SYS(2, sched_getparam, 0, int, pid, void __app *, param) \
	SYS(1, sched_getscheduler, 0, int, pid) \
	SYS(2, sched_rr_get_interval, 0, int, pid, void __app *, ts) \
	SYS(3, sched_setaffinity, 0, int, pid, unsigned, len, const void __app *, mask) \
	SYS(3, sched_setattr, 0, int, pid, void __app *, attr, unsigned, flags) \
	SYS(2, sched_setparam, 0, int, pid, const void __app *, param) \
	SYS(3, sched_setscheduler, 0, int, pid, int, policy, const void __app *, param) \
	SYS(0, sched_yield, 0) \
	SYS(5, select, 0, int, n, void __app *, rd, void __app *, wr, void __app *, ex, void __app *, timeout) \
	SYS(4, semctl, 0, int, id, int, num, int, cmd, u64, arg) \
	SYS(3, semget, 0, int, key, int, nsems, int, flags) \
	SYS(3, semop, 0, int, id, void __app *, sops, unsigned, n) \
	SYS(4, semtimedop, 0, int, id, void __app *, sops, unsigned, n, const void __app *, timeout) \
	SYS(4, sendfile, 0, int, out_fd, int, in_fd, s64 __app *, pos, size_t, count) \
	SYS(4, sendmmsg, 0, int, fd, void __app *, vec, unsigned, n, unsigned, flags) \
	SYS(3, sendmsg, 0, int, fd, const void __app *, msg, unsigned, flags) \
	SYS(6, sendto, 0, int, fd, const void __app *, buf, size_t, len, unsigned, flags, const void __app *, addr, int, addr_len) \
	SYS(2, set_robust_list, 0, void __app *, head, u64, len) \
	SYS(1, set_tid_address, 0, u32 __app *, p) \
	SYS(2, setdomainname, 0, const char __app *, name, int, len) \
	SYS(1, setfsgid, 0, u32, gid) \
	SYS(1, setfsuid, 0, u32, uid) \
	SYS(1, setgid, 0, u32, gid) \
	SYS(2, setgroups, 0, int, n, const u32 __app *, list) \
	SYS(2, sethostname, 0, const char __app *, name, int, len) \
	SYS(3, setitimer, 0, int, which, const void __app *, val, void __app *, old) \
	SYS(2, setpgid, 0, int, pid, int, pgid) \
	SYS(3, setpriority, 0, int, which, int, who, int, nice) \
	SYS(2, setregid, 0, u32, r, u32, e) \
	SYS(3, setresgid, 0, u32, r, u32, e, u32, s) \
	SYS(3, setresuid, 0, u32, r, u32, e, u32, s) \
	SYS(2, setreuid, 0, u32, r, u32, e) \
	SYS(2, setrlimit, 0, unsigned, res, const void __app *, rl) \
	SYS(0, setsid, 0) \
	SYS(5, setsockopt, 0, int, fd, int, level, int, name, const void __app *, val, int, len) \
	SYS(2, settimeofday, 0, const void __app *, tv, const void __app *, tz) \
	SYS(1, setuid, 0, u32, uid) \
	SYS(5, setxattr, 0, const char __app *, path, const char __app *, name, const void __app *, value, size_t, size, int, flags) \
	SYS(3, shmat, 0, int, id, u64, addr, int, flags) \
	SYS(3, shmctl, 0, int, id, int, cmd, void __app *, buf) \
	SYS(1, shmdt, 0, u64, addr) \
	SYS(3, shmget, 0, int, key, size_t, size, int, flags) \
	SYS(2, shutdown, 0, int, fd, int, how) \
	SYS(2, sigaltstack, 0, const void __app *, ss, void __app *, old) \
	SYS(3, signalfd, 0, int, fd, const u64 __app *, mask, size_t, size) \
	SYS(4, signalfd4, 0, int, fd, const u64 __app *, mask, size_t, size, int, flags) \
	SYS(3, socket, 0, int, family, int, type, int, protocol) \
	SYS(4, socketpair, 0, int, family, int, type, int, protocol, int __app *, fds) \
	SYS(6, splice, 0, int, in, s64 __app *, in_pos, int, out, s64 __app *, out_pos, size_t, len, unsigned, flags) \
	SYS(2, stat, 0, const char __app *, path, void __app *, st) \
	SYS(2, statfs, 0, const char __app *, path, void __app *, buf) \
	SYS(5, statx, 0, int, dirfd, const char __app *, path, int, flags, unsigned, mask, void __app *, stx) \
	SYS(2, symlink, 0, const char __app *, target, const char __app *, path) \
	SYS(3, symlinkat, 0, const char __app *, target, int, dirfd, const char __app *, path) \
	SYS(0, sync, 0) \
	SYS(4, sync_file_range, 0, int, fd, s64, off, s64, len, unsigned, flags) \
	SYS(1, syncfs, 0, int, fd) \
	SYS(1, sysinfo, 0, void __app *, info) \
	SYS(3, syslog, 0, int, type, char __app *, buf, int, len) \
	SYS(4, tee, 0, int, in, int, out, size_t, len, unsigned, flags) \
	SYS(3, tgkill, 0, int, tgid, int, tid, int, sig) \
	SYS(1, time, 0, s64 __app *, t) \
	SYS(3, timer_create, 0, int, clock, const void __app *, sev, int __app *, id) \
	SYS(1, timer_delete, 0, int, id) \
	SYS(1, timer_getoverrun, 0, int, id) \
	SYS(2, timer_gettime, 0, int, id, void __app *, cur) \
	SYS(4, timer_settime, 0, int, id, int, flags, const void __app *, val, void __app *, old) \
	SYS(2, timerfd_create, 0, int, clockid, int, flags) \
	SYS(2, timerfd_gettime, 0, int, fd, void __app *, value) \
	SYS(4, timerfd_settime, 0, int, fd, int, flags, const void __app *, value, void __app *, old) \
	SYS(1, times, 0, void __app *, tms) \
	SYS(2, tkill, 0, int, tid, int, sig) \
	SYS(2, truncate, 0, const char __app *, path, s64, len) \
	SYS(1, umask, 0, unsigned, mask) \
	SYS(2, umount2, 0, const char __app *, target, int, flags) \
	SYS(1, uname, 0, void __app *, buf) \
	SYS(1, unlink, 0, const char __app *, path) \
	SYS(3, unlinkat, 0, int, dirfd, const char __app *, path, int, flags) \
	SYS(1, unshare, 0, u64, flags) \
	SYS(2, utime, 0, const char __app *, path, const s64 __app *, times) \
	SYS(4, utimensat, 0, int, dirfd, const char __app *, path, const s64 __app *, times, int, flags) \
	SYS(2, utimes, 0, const char __app *, path, const s64 __app *, times) \
	SYS(0, vfork, 0) \
	SYS(0, vhangup, 0) \
	SYS(4, vmsplice, 0, int, fd, const void __app *, iov, unsigned long, n, unsigned, flags) \
	SYS(4, wait4, 0, int, pid, int __app *, status, int, options, void __app *, rusage) \
	SYS(5, waitid, 0, int, which, int, pid, void __app *, info, int, options, void __app *, rusage) \
	SYS(3, write, 0, int, fd, const void __app *, buf, size_t, len) \
	SYS(3, writev, 0, int, fd, const void __app *, iov, u64, nr) \
	/* end */
/* clang-format on */

#endif
