/* SPDX-License-Identifier: MIT */
/* The table. Adding a call: one row here with the tightest conditions it lives with, one wrapper in userlib/rt/host.c. */
#include "tools/jctl/host_calls.h"
#include "jabi/jabi_boot.h"

#include <fcntl.h>
#include <linux/fs.h>
#include <linux/futex.h>
#include <linux/io_uring.h>
#include <linux/sched.h>
#include <linux/stat.h>
#include <asm/termbits.h>
#include <asm/ioctls.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#define NR_CACHESTAT	      451 /* newer than Debian 12's headers */
#define PR_SET_PDEATHSIG      1
#define SIGKILL		      9
#define SIGCHLD		      17
#define CLOCK_PROCESS_CPUTIME 2
#define CLOCK_THREAD_CPUTIME  3

/* Only these bits. */
#define WITHIN(n, name, bits)                                          \
	{                                                              \
		COND_MASKED, n, ~(u64)(bits), 0, name " within " #bits \
	}
/* All of `must`, perhaps some of `may`, nothing else. */
#define HAS(n, name, must, may)                                                         \
	{                                                                               \
		COND_MASKED, n, ~((u64)(must) | (u64)(may)) | (u64)(must), (u64)(must), \
			name " = " #must " and at most " #may                           \
	}
#define EXACTLY(n, name, v)                               \
	{                                                 \
		COND_EQUAL, n, 0, (u64)(v), name " = " #v \
	}
#define UP_TO(n, name, v)                                    \
	{                                                    \
		COND_AT_MOST, n, 0, (u64)(v), name " <= " #v \
	}
/* A descriptor, so never AT_FDCWD: every path is looked up beneath a directory that was handed over. */
#define FD(n, name)                                                                   \
	{                                                                             \
		COND_AT_MOST, n, 0, 0x7fffffff, name " is a descriptor, not AT_FDCWD" \
	}
#define PATCH_SOCK(n)                                                        \
	{                                                                    \
		COND_PATCH_SOCK, n, 0, 0, "fd is the patch service's socket" \
	}

#define CALL(call, use, ...)                         \
	{                                            \
		SYS_##call, #call, CALL_ALWAYS, use, \
		{                                    \
			__VA_ARGS__                  \
		}                                    \
	}
#define WRITE_CALL(call, use, ...)                     \
	{                                              \
		SYS_##call, #call, CALL_WRITABLE, use, \
		{                                      \
			__VA_ARGS__                    \
		}                                      \
	}

/* clang-format off: one row, one call */
const struct host_call host_calls[] = {
	/* memory: at addresses the instance chose */
	CALL(mmap, "program memory, files, arena",
	     WITHIN(2, "prot", PROT_READ | PROT_WRITE | PROT_EXEC),
	     HAS(3, "flags", MAP_FIXED,
		 MAP_SHARED | MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_POPULATE |
			 MAP_STACK | MAP_LOCKED)),
	CALL(mmap, "the same, refusing to replace",
	     WITHIN(2, "prot", PROT_READ | PROT_WRITE | PROT_EXEC),
	     HAS(3, "flags", MAP_FIXED_NOREPLACE,
		 MAP_SHARED | MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_POPULATE |
			 MAP_STACK | MAP_LOCKED)),
	CALL(munmap, "program memory", { 0 }),
	CALL(mprotect, "program memory", WITHIN(2, "prot", PROT_READ | PROT_WRITE | PROT_EXEC)),
	CALL(mremap, "program memory",
	     WITHIN(3, "flags", MREMAP_MAYMOVE | MREMAP_FIXED | MREMAP_DONTUNMAP)),
	CALL(madvise, "program memory; never the HWPOISON advices", UP_TO(2, "advice", 25)),
	CALL(msync, "shared file mappings", WITHIN(2, "flags", MS_ASYNC | MS_INVALIDATE | MS_SYNC)),
	CALL(mincore, "program memory", { 0 }),
	CALL(mlock, "program memory", { 0 }),
	CALL(munlock, "program memory", { 0 }),

	/* files: handed over, or beneath a directory handed over (Landlock holds whatever the path says) */
	CALL(openat2, "host files", FD(0, "dirfd"), EXACTLY(3, "size", 24)),
	CALL(close, "host files", { 0 }),
	CALL(read, "TAP, stdin", { 0 }),
	CALL(write, "TAP, stdout", { 0 }),
	CALL(pread64, "host files", { 0 }),
	CALL(preadv2, "host files, only what is in memory", EXACTLY(5, "flags", RWF_NOWAIT)),
	CALL(io_uring_enter, "reads and syncs that wait for a disk",
	     EXACTLY(0, "fd", JABI_RING_FD), UP_TO(1, "to_submit", 1), EXACTLY(3, "flags", 0)),
	CALL(io_uring_register, "a file into the ring's table", EXACTLY(0, "fd", JABI_RING_FD),
	     EXACTLY(1, "opcode", IORING_REGISTER_FILES_UPDATE)),
	CALL(pwrite64, "host files", { 0 }),
	CALL(lseek, "holes in host files, stdin", UP_TO(2, "whence", SEEK_HOLE)),
	CALL(statx, "host files", FD(0, "dirfd"),
	     WITHIN(2, "flags",
		    AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT | AT_STATX_SYNC_TYPE)),
	CALL(fstatfs, "host files", { 0 }),
	CALL(getdents64, "host directories", { 0 }),
	CALL(readlinkat, "host links", FD(0, "dirfd")),
	CALL(fgetxattr, "host files", { 0 }),
	CALL(flistxattr, "host files", { 0 }),
	{ NR_CACHESTAT,
	  "cachestat",
	  CALL_ALWAYS,
	  "is file data resident",
	  { EXACTLY(3, "flags", 0) } },
	CALL(ftruncate, "memory files", { 0 }),
	CALL(fallocate, "arena memory back to the host",
	     WITHIN(1, "mode",
		    FALLOC_FL_KEEP_SIZE | FALLOC_FL_PUNCH_HOLE | FALLOC_FL_COLLAPSE_RANGE |
			    FALLOC_FL_ZERO_RANGE | FALLOC_FL_INSERT_RANGE)),
	CALL(fsync, "host files", { 0 }),
	CALL(fdatasync, "host files", { 0 }),
	CALL(ioctl, "terminal on stdio", EXACTLY(1, "request", TCGETS)),
	CALL(ioctl, "terminal on stdio", EXACTLY(1, "request", TCSETS)),
	CALL(ioctl, "terminal on stdio", EXACTLY(1, "request", TCSETSW)),
	CALL(ioctl, "terminal on stdio", EXACTLY(1, "request", TCSETSF)),
	CALL(ioctl, "terminal on stdio", EXACTLY(1, "request", TIOCGWINSZ)),
	CALL(ioctl, "bytes waiting on stdin", EXACTLY(1, "request", FIONREAD)),
	CALL(ioctl, "the kernel module: user interrupts, page cache", EXACTLY(0, "fd", JABI_KMOD_FD),
	     HAS(1, "request", 'J' << 8, 0xffff00ff)),
	CALL(ppoll, "waiting for TAP, stdio, wake-ups", { 0 }),
	CALL(recvmsg, "answers of the patch service", PATCH_SOCK(0)),
	CALL(recvmsg, "messages of the switch", EXACTLY(0, "fd", JABI_PORT_SOCK_FD)),
	CALL(sendto, "AF_XDP: the send ring has frames", EXACTLY(1, "buf", 0), EXACTLY(2, "len", 0),
	     EXACTLY(3, "flags", MSG_DONTWAIT), EXACTLY(4, "addr", 0)),
	CALL(sendmsg, "requests to the patch service", PATCH_SOCK(0)),

	/* threads, signals, time */
	CALL(futex, "parking kThreads",
	     WITHIN(1, "op", FUTEX_WAKE | FUTEX_PRIVATE_FLAG)), /* FUTEX_WAIT is 0 */
	CALL(futex, "parking kThreads",
	     HAS(1, "op", FUTEX_WAIT_BITSET, FUTEX_PRIVATE_FLAG | FUTEX_CLOCK_REALTIME)),
	CALL(sched_yield, "contended spin locks", { 0 }),
	CALL(sched_setaffinity, "kThreads to granted cores", EXACTLY(0, "pid", 0)),
	CALL(clone, "a kThread",
	     HAS(0, "flags", CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD,
		 CLONE_SYSVSEM | CLONE_PARENT_SETTID | CLONE_CHILD_SETTID | CLONE_CHILD_CLEARTID)),
	CALL(clone, "a kProc (fork)",
	     HAS(0, "flags", CLONE_FILES | SIGCHLD,
		 CLONE_PARENT | CLONE_FS | CLONE_PARENT_SETTID | CLONE_CHILD_SETTID |
			 CLONE_CHILD_CLEARTID)),
	CALL(prctl, "a kProc dies with the launcher", EXACTLY(0, "option", PR_SET_PDEATHSIG),
	     EXACTLY(1, "signal", SIGKILL)),
	CALL(exit, "a kThread", { 0 }),
	CALL(exit_group, "a kProc", { 0 }),
	CALL(wait4, "kProcs", { 0 }),
	CALL(getpid, "own number", { 0 }),
	CALL(gettid, "own number", { 0 }),
	CALL(tgkill, "preempting kThreads; Landlock keeps signals inside the instance (ABI 6)",
	     UP_TO(2, "sig", 64)),
	CALL(rt_sigaction, "faults, traps, preemption", UP_TO(0, "sig", 64)),
	CALL(rt_sigprocmask, "faults, traps, preemption", { 0 }),
	CALL(rt_sigreturn, "faults, traps, preemption", { 0 }),
	CALL(sigaltstack, "faults, traps, preemption", { 0 }),
	CALL(arch_prctl, "FS and GS where FSGSBASE is off", HAS(0, "code", 0x1000, 7)),
	CALL(timer_create, "the slice timer", EXACTLY(0, "clock", CLOCK_PROCESS_CPUTIME)),
	CALL(timer_create, "the slice timer", EXACTLY(0, "clock", CLOCK_THREAD_CPUTIME)),
	CALL(timer_settime, "the slice timer", { 0 }),
	CALL(timer_delete, "the slice timer", { 0 }),
	CALL(clock_gettime, "clocks the vDSO lacks", { 0 }),
	CALL(getrusage, "CPU time", WITHIN(0, "who", 1)),
	CALL(getrandom, "randomness", { 0 }),
	CALL(restart_syscall, "the host kernel's own restart of an interrupted wait", { 0 }),

	/* only when the root or a volume is writable */
	WRITE_CALL(mkdirat, "host directories", FD(0, "dirfd")),
	WRITE_CALL(unlinkat, "host files", FD(0, "dirfd"), WITHIN(2, "flags", AT_REMOVEDIR)),
	WRITE_CALL(renameat2, "host files", FD(0, "olddirfd"), FD(2, "newdirfd"),
		   WITHIN(4, "flags", RENAME_NOREPLACE | RENAME_EXCHANGE | RENAME_WHITEOUT)),
	WRITE_CALL(linkat, "host files", FD(0, "olddirfd"), FD(2, "newdirfd"),
		   WITHIN(4, "flags", AT_SYMLINK_FOLLOW | AT_EMPTY_PATH)),
	WRITE_CALL(symlinkat, "host links", FD(1, "dirfd")),
	WRITE_CALL(fchmod, "host files; never set-user-ID or set-group-ID",
		   WITHIN(1, "mode", 01777)),
	WRITE_CALL(fchownat, "host files", FD(0, "dirfd"),
		   WITHIN(4, "flags", AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW)),
	WRITE_CALL(utimensat, "host files", FD(0, "dirfd"),
		   WITHIN(3, "flags", AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW)),
	WRITE_CALL(fsetxattr, "host files", WITHIN(4, "flags", 3)),
	WRITE_CALL(fremovexattr, "host files", { 0 }),
};

/* clang-format on */
const size_t nr_host_calls = ARRAY_SIZE(host_calls);
