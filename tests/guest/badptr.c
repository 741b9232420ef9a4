/* SPDX-License-Identifier: MIT */
/* Bad pointers everywhere: each call gets unmapped, PROT_NONE and read-only memory and must say EFAULT. */
#include "t.h"
#include <poll.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/utsname.h>
#include <netinet/in.h>

static void *bad[6];
static const char *const badname[] = { "low", "none", "ro", "end", "kernel", "noncanon" };

#define S(call)                                                                      \
	do {                                                                         \
		printf("%s:", #call);                                                \
		for (int i = 0; i < 6; i++) {                                        \
			void *B = bad[i];                                            \
			long r;                                                      \
			if (i == 3) /* what a failed call left there is nobody's promise */ \
				*(char *)B = 'x';                                    \
			errno = 0;                                                   \
			r = (call);                                                  \
			printf(" %s %s", badname[i], r == -1 ? strerrorname_np(errno) : "ok"); \
		}                                                                    \
		puts("");                                                            \
		fflush(stdout);                                                      \
	} while (0)

int main(void)
{
	char *page = mmap(NULL, 3 * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	int fd, p[2], sv[2], zero = open("/dev/zero", O_RDONLY), ep = epoll_create1(0), u;
	char okbuf[4096] = "";
	struct timespec nowait = { 0, 0 };
	struct sockaddr_in sin = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t sl = sizeof(sin);

	mprotect(page, 4096, PROT_READ);
	munmap(page + 2 * 4096, 4096);
	bad[0] = (void *)64;
	bad[1] = mmap(NULL, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	bad[2] = page;
	bad[3] = page + 2 * 4096 - 1; /* one good byte, then nothing */
	bad[4] = (void *)0xffff800000000000UL;
	bad[5] = (void *)0x1000000000000000UL;
	fd = open("f", O_CREAT | O_RDWR, 0600);
	write(fd, okbuf, 4096);
	pipe(p);
	write(p[1], okbuf, 100);
	socketpair(AF_UNIX, SOCK_STREAM, 0, sv);
	write(sv[0], okbuf, 100);
	u = socket(AF_INET, SOCK_DGRAM, 0);
	bind(u, (void *)&sin, sizeof(sin));
	getsockname(u, (void *)&sin, &sl);
#define C(nr, ...) syscall(SYS_##nr, __VA_ARGS__)
	S(C(pread64, fd, B, 16, 0));
	S(C(read, zero, B, 16));
	S(C(read, p[0], B, 4));
	S(C(write, p[1], B, 4));
	S(C(pwrite64, fd, B, 4, 0));
	S(C(readv, zero, B, 1));
	S(C(open, B, O_RDONLY, 0));
	S(C(stat, B, okbuf));
	S(C(stat, "f", B));
	S(C(fstat, fd, B));
	S(C(newfstatat, AT_FDCWD, "f", B, 0));
	S(C(statx, AT_FDCWD, "f", 0, 0xfff, B));
	S(C(access, B, 0));
	S(C(readlink, "/proc/self/exe", B, 10));
	S(C(getcwd, B, 4096));
	S(C(chdir, B));
	S(C(mkdir, B, 0700));
	S(C(unlink, B));
	S(C(rename, "f", B));
	S(C(symlink, B, "q"));
	S(C(pipe2, B, 0));
	S(C(poll, B, 1, 0));
	S(C(ppoll, NULL, 0, B, NULL, 8));
	S(C(ppoll, NULL, 0, &nowait, B, 8));
	S(C(select, 1, B, NULL, NULL, &nowait));
	S(C(epoll_ctl, ep, EPOLL_CTL_ADD, p[0], B));
	S(C(nanosleep, B, NULL));
	S(C(clock_gettime, 1, B));
	S(C(clock_getres, 1, B));
	S(C(gettimeofday, B, NULL));
	S(C(time, B));
	S(C(times, B));
	S(C(getrusage, 0, B));
	S(C(uname, B));
	S(C(sysinfo, B));
	S(C(getrlimit, 0, B));
	S(C(setrlimit, RLIMIT_CORE, B));
	S(C(getrandom, B, 16, 0));
	S(C(rt_sigaction, SIGUSR1, B, NULL, 8));
	S(C(rt_sigaction, SIGUSR1, NULL, B, 8));
	S(C(rt_sigprocmask, 0, B, NULL, 8));
	S(C(rt_sigprocmask, 0, NULL, B, 8));
	S(C(rt_sigpending, B, 8));
	S(C(sigaltstack, NULL, B));
	S(C(rt_sigtimedwait, B, NULL, &nowait, 8));
	S(C(timer_create, CLOCK_MONOTONIC, NULL, B));
	S(C(setitimer, 0, B, NULL));
	S(C(getitimer, 0, B));
	S(C(socketpair, AF_UNIX, SOCK_STREAM, 0, B));
	S(C(bind, u, B, 16));
	S(C(connect, u, B, 16));
	S(C(getsockname, u, B, &sl));
	S(C(getsockname, u, okbuf, B));
	S(C(getsockopt, u, SOL_SOCKET, SO_TYPE, B, &sl));
	S(C(setsockopt, u, SOL_SOCKET, SO_REUSEADDR, B, 4));
	S(C(sendto, u, B, 16, 0, &sin, sizeof(sin)));
	S(C(sendto, u, okbuf, 16, 0, B, sizeof(sin)));
	S(C(sendmsg, u, B, 0));
	S(C(recvmsg, sv[1], B, MSG_DONTWAIT));
	S(C(recvfrom, sv[1], B, 4, MSG_DONTWAIT, NULL, NULL));
	S(C(getdents64, open(".", O_RDONLY | O_DIRECTORY), B, 4096));
	S(C(futex, B, 128, 1, NULL, NULL, 0));
	S(C(futex, B, 129, 1, NULL, NULL, 0) >= 0 ? 0 : -1);
	S(C(sched_getaffinity, 0, 128, B));
	S(C(sched_setaffinity, 0, 8, B));
	S(C(prctl, 15, B, 0, 0, 0));
	S(C(execve, B, NULL, NULL));
	S(C(mincore, page, 4096, B));
	S(C(sendfile, p[1], fd, B, 10));
	S(C(inotify_add_watch, C(inotify_init1, 0), B, 0xfff));
	S(C(fcntl, fd, F_SETLK, B));
	S(C(fcntl, fd, F_GETLK, B));
	S(C(ioctl, p[0], 0x541b, B));
	S(C(utimensat, AT_FDCWD, "f", B, 0));
	S(C(getgroups, 0, B));
	S(C(getresuid, B, B, B));
	S(C(memfd_create, B, 0));
	S(C(eventfd2, 0, 0) >= 0 ? write((int)C(eventfd2, 0, 0), B, 8) : 0);
	S(C(signalfd4, -1, B, 8, 0));
	S(C(timerfd_settime, C(timerfd_create, 1, 0), 0, B, NULL));
	S(C(wait4, -1, B, 0, NULL));
	S(C(prlimit64, 0, RLIMIT_CORE, B, NULL));
	S(C(setxattr, "f", B, "v", 1, 0));
	S(C(set_robust_list, B, 24));
	return 0;
}
