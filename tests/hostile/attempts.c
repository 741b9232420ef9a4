/* SPDX-License-Identifier: MIT */
/* What is tried through the stub as a function: numbers that are not listed, arguments that are not, and listed calls put to bad use. */
#include "tests/hostile/jail.h"
#include "jabi/jabi_boot.h"
#include <linux/futex.h>
#include <linux/io_uring.h>
#include <linux/time_types.h>
#include <sys/prctl.h>
#include <sys/uio.h>

static const short listed[] = {
#include "listed.h" /* made by hostile.sh from jctl doctor --host-calls */
};

#define AT (1l << 40)

/* Every number that is not listed: all must give EPERM. Only the others are named. */
static void sweep(char **args)
{
	int refused = 0, asked = 0;

	(void)args;
	for (long nr = 0; nr < 1024; nr++) {
		int is_listed = 0;
		char what[32];
		long r;

		for (size_t i = 0; i < sizeof(listed) / sizeof(listed[0]); i++)
			is_listed |= listed[i] == nr;
		if (is_listed || nr == 335 || nr == 336) /* uretprobe, uprobe: pass no filter, kill a caller that is no probe */
			continue;
		asked++;
		r = stub(nr, 0, 0, 0, 0, 0, 0);
		if (r == -EPERM) {
			refused++;
			continue;
		}
		snprintf(what, sizeof(what), "call %ld", nr);
		say(what, r);
	}
	printf("listed %zu, refused %s\n", sizeof(listed) / sizeof(listed[0]), refused == asked ? "all others" : "not all others");
}

/* Listed numbers, arguments that are not. */
static void arguments(char **args)
{
	struct { const char *what; long nr, a, b, c, d, e, f; } t[] = {
		{ "mmap anywhere", SYS_mmap, 0, 4096, 3, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0 },
		{ "mmap huge", SYS_mmap, AT, 4096, 3, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED | MAP_HUGETLB, -1, 0 },
		{ "mmap grows down", SYS_mmap, AT, 4096, 3, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED | MAP_GROWSDOWN, -1, 0 },
		{ "mmap odd prot", SYS_mmap, AT, 4096, 0x1000003, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0 },
		{ "mprotect odd prot", SYS_mprotect, AT, 4096, 0x1000001, 0, 0, 0 },
		{ "mremap odd flags", SYS_mremap, AT, 4096, 4096, 8, 0, 0 },
		{ "madvise hwpoison", SYS_madvise, AT, 4096, 100, 0, 0, 0 },
		{ "madvise soft offline", SYS_madvise, AT, 4096, 101, 0, 0, 0 },
		{ "openat2 at cwd", SYS_openat2, AT_FDCWD, (long)"/etc/passwd", (long)listed, 24, 0, 0 },
		{ "openat2 odd size", SYS_openat2, 0, (long)"x", (long)listed, 32, 0, 0 },
		{ "statx at cwd", SYS_statx, AT_FDCWD, (long)"/", 0, 0, 0, 0 },
		{ "readlinkat at cwd", SYS_readlinkat, AT_FDCWD, (long)"/proc/1/exe", 0, 0, 0, 0 },
		{ "lseek odd whence", SYS_lseek, 0, 0, 5, 0, 0, 0 },
		{ "fallocate odd mode", SYS_fallocate, 3, 0x80, 0, 0, 0, 0 },
		{ "ioctl TIOCSTI", SYS_ioctl, 0, 0x5412, (long)"x", 0, 0, 0 },
		{ "ioctl TIOCSCTTY", SYS_ioctl, 0, 0x540e, 0, 0, 0, 0 },
		{ "ioctl TUNSETIFF", SYS_ioctl, 3, 0x400454ca, 0, 0, 0, 0 },
		{ "ioctl TIOCLINUX", SYS_ioctl, 0, 0x541c, 0, 0, 0, 0 },
		{ "sendmsg elsewhere", SYS_sendmsg, 1, 0, 0, 0, 0, 0 },
		{ "recvmsg elsewhere", SYS_recvmsg, 0, 0, 0, 0, 0, 0 },
		{ "futex requeue", SYS_futex, (long)listed, FUTEX_CMP_REQUEUE, 0, 0, 0, 0 },
		{ "futex lock_pi", SYS_futex, (long)listed, FUTEX_LOCK_PI, 0, 0, 0, 0 },
		{ "clone plain fork", SYS_clone, SIGCHLD, 0, 0, 0, 0, 0 },
		{ "clone new user namespace", SYS_clone, CLONE_FILES | CLONE_NEWUSER | SIGCHLD, 0, 0, 0, 0, 0 },
		{ "clone new mount namespace", SYS_clone, CLONE_FILES | CLONE_NEWNS | SIGCHLD, 0, 0, 0, 0, 0 },
		{ "prctl dumpable", SYS_prctl, PR_SET_DUMPABLE, 1, 0, 0, 0, 0 },
		{ "prctl seccomp", SYS_prctl, PR_SET_SECCOMP, 0, 0, 0, 0, 0 },
		{ "prctl subreaper", SYS_prctl, PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0, 0 },
		{ "prctl no death signal", SYS_prctl, PR_SET_PDEATHSIG, 0, 0, 0, 0, 0 },
		{ "tgkill odd signal", SYS_tgkill, 1, 1, 65, 0, 0, 0 },
		{ "affinity of another process", SYS_sched_setaffinity, atoi(args[0]), 8, (long)(long[]){ 1 }, 0, 0, 0 },
		{ "arch_prctl cpuid", SYS_arch_prctl, 0x1012, 0, 0, 0, 0, 0 },
		{ "timer_create realtime", SYS_timer_create, 0, 0, 0, 0, 0, 0 },
		{ "getrusage children", SYS_getrusage, -1, 0, 0, 0, 0, 0 },
		{ "io_uring_enter elsewhere", SYS_io_uring_enter, 0, 1, 0, 0, 0, 0 },
		{ "io_uring_register buffers", SYS_io_uring_register, 5, 0, 0, 0, 0, 0 },
		{ "io_uring_register restrictions", SYS_io_uring_register, 5, 11, 0, 0, 0, 0 },
		{ "preadv2 waiting", 327, 0, 0, 0, 0, 0, 0 },
	};

	for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++)
		say(t[i].what, stub(t[i].nr, t[i].a, t[i].b, t[i].c, t[i].d, t[i].e, t[i].f));
}

/* Opens the paths at every descriptor the host process could have; says how often it went well, and the errors that are not plain. */
static void files(char **args)
{
	static const struct { unsigned long flags; const char *word; } how[] = {
		{ O_RDONLY, "read" }, { O_WRONLY, "write" }, { O_RDWR | O_CREAT, "create" }, { O_WRONLY | O_TRUNC, "truncate" }
	};

	for (size_t h = 0; h < 4; h++)
		for (char **path = args; *path; path++) {
			int opened = 0;

			for (int fd = 0; fd < 256; fd++) {
				struct open_how oh = { .flags = how[h].flags, .mode = how[h].flags & O_CREAT ? 0600 : 0 };
				long r = stub(SYS_openat2, fd, (long)*path, (long)&oh, 24, 0, 0);

				if (r >= 0) {
					opened++;
					stub(SYS_close, r, 0, 0, 0, 0, 0);
				}
			}
			printf("%s %s: %s\n", how[h].word, *path, opened ? "opened" : "refused");
		}
}

/* Signals to processes outside: each of the pids given. */
static void signals(char **args)
{
	static const int sig[] = { 0, SIGTERM, SIGKILL, SIGSTOP };

	for (char **pid = args; *pid; pid++)
		for (size_t i = 0; i < 4; i++) {
			char what[32];

			snprintf(what, sizeof(what), "signal %d", sig[i]);
			say(what, stub(SYS_tgkill, atoi(*pid), atoi(*pid), sig[i], 0, 0, 0));
		}
}

/* The patch service's socket, fed with what it does not expect. */
static void patch_garbage(char **args)
{
	static char junk[8192];
	struct iovec iov = { junk, 0 };
	char control[CMSG_SPACE(sizeof(int))] = { 0 };
	struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1 };
	static const size_t len[] = { 0, 1, 4, 8, 16, 24, 32, 40, 48, 64, 100, 4096, 8192 };
	int sent = 0;

	(void)args;
	for (unsigned round = 0; round < 40; round++) {
		struct cmsghdr *c;

		for (size_t i = 0; i < sizeof(junk); i++)
			junk[i] = round == 0 ? 0 : round == 1 ? -1 : (char)(i * round * 31 + (i >> 3) + round);
		iov.iov_len = len[round % 13];
		m.msg_control = round & 1 ? control : NULL;
		m.msg_controllen = round & 1 ? sizeof(control) : 0;
		c = (struct cmsghdr *)(void *)control;
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(sizeof(int));
		*(int *)(void *)CMSG_DATA(c) = (int)(round % 4);
		sent += stub(SYS_sendmsg, 4, (long)&m, MSG_DONTWAIT | MSG_NOSIGNAL, 0, 0, 0) >= 0;
	}
	printf("sent %s\n", sent ? "some" : "none");
}

/* Everything in the arena overwritten, the launcher's exit status with it. */
static void arena_garbage(char **args)
{
	unsigned long word = strtoul(args[0], NULL, 0);
	volatile unsigned long *p = (void *)0x600000000000;

	for (size_t i = 0; i < (1ul << 20) / 8; i++)
		p[i] = word;
	getppid();
}

/* Host processes of our own making, which nobody told to end. */
static void strays(char **args)
{
	(void)args;
	for (int i = 0; i < 3; i++) {
		long r = stub(SYS_clone, CLONE_FILES | SIGCHLD | (i & 1 ? CLONE_PARENT : 0), 0, 0, 0, 0, 0);

		if (!r) {
			struct __kernel_timespec long_time = { 3600, 0 };

			for (;;)
				stub(SYS_ppoll, 0, 0, (long)&long_time, 0, 8, 0);
		}
		printf("clone: %s\n", r > 0 ? "done" : "refused");
	}
}

/* The ring made for reads and syncs: other requests, written into its queue behind the kernel's back. */
static void ring(char **args)
{
	const struct jabi_ring *g = (void *)(kernel_entry + atol(args[0]));
	char *r = *(char **)(void *)(kernel_entry + atol(args[1]));
	struct io_uring_sqe *sqes = *(void **)(kernel_entry + atol(args[2]));
	int denied = 0, other = 0, done = 0;

	if (!r) {
		printf("no ring: refused\n");
		return;
	}
	for (unsigned op = 0; op < 64; op++) {
		unsigned *sq_tail = (void *)(r + g->sq_tail), *cq_head = (void *)(r + g->cq_head), *cq_tail = (void *)(r + g->cq_tail);
		unsigned slot = *sq_tail & (g->sq_entries - 1);
		struct io_uring_cqe *c = (void *)(r + g->cqes);
		int res = -ETIME;

		if (op == IORING_OP_READ || op == IORING_OP_FSYNC)
			continue;
		memset(&sqes[slot], 0, sizeof(sqes[slot]));
		sqes[slot].opcode = (unsigned char)op;
		sqes[slot].flags = op & 1 ? IOSQE_FIXED_FILE : 0;
		sqes[slot].fd = op & 1 ? 0 : AT_FDCWD;
		sqes[slot].addr = sqes[slot].addr2 = (uint64_t)(uintptr_t)"/etc/passwd";
		((unsigned *)(void *)(r + g->sq_array))[slot] = slot;
		__atomic_store_n(sq_tail, *sq_tail + 1, __ATOMIC_RELEASE);
		(void)stub(SYS_io_uring_enter, 5, 1, 0, 0, 0, 0);
		if (*cq_head != __atomic_load_n(cq_tail, __ATOMIC_ACQUIRE)) {
			res = c[*cq_head & (g->cq_entries - 1)].res;
			__atomic_store_n(cq_head, *cq_head + 1, __ATOMIC_RELEASE);
		}
		if (res == -EACCES || res == -EINVAL) /* restricted; not known to this host */
			denied++;
		else if (res >= 0)
			done++;
		else
			other++;
	}
	if (done || other)
		printf("denied %d, done %d, other %d\n", denied, done, other);
	printf("requests that are not reads or syncs: %s\n", denied == 62 ? "refused" : "not all refused");
}

const struct attempt attempts[] = {
	{ "sweep", sweep },
	{ "arguments", arguments },
	{ "files", files },
	{ "signals", signals },
	{ "patch_garbage", patch_garbage },
	{ "arena_garbage", arena_garbage },
	{ "strays", strays },
	{ "ring", ring },
	{ "int80", by_int80 },
	{ "sysenter", by_sysenter },
	{ "compat", by_compat_code },
	{ "site", by_patched_site },
	{ "own_code", by_own_code },
	{ "vsyscall", by_vsyscall },
	{ "middle", by_middle_of_stub },
	{ "x32", by_x32_number },
	{ "uretprobe", by_uretprobe },
	{ "clone_stub", by_clone_stub },
	{ "restorer", by_restorer_stub },
	{ "sigreturn", by_forged_sigreturn },
	{ "handler", by_own_handler },
	{ "lost_gs", by_lost_gs },
	{ NULL, NULL },
};
