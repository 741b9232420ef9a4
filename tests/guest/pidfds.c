/* SPDX-License-Identifier: MIT */
/* Process descriptors in full (CLONE_PIDFD, waitid, pidfd_getfd, /proc/PID as one), unshare, vhangup and other small calls. */
#include "t.h"
#include <linux/sched.h>
#include <poll.h>
#include <pthread.h>
#include <pty.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#ifndef P_PIDFD
#define P_PIDFD 3
#endif

static long fork_pidfd(int *fd)
{
	return syscall(SYS_clone, CLONE_PIDFD | SIGCHLD, 0, fd, NULL, 0);
}

static int send_signal(int fd, int sig)
{
	return syscall(SYS_pidfd_send_signal, fd, sig, NULL, 0);
}

static void descriptors(void)
{
	struct clone_args ca = { 0 };
	struct pollfd p;
	siginfo_t si;
	int fd = -1, fd2 = -1, st, ends[2], got, dir;
	char name[40], c;
	long pid;

	pipe(ends);
	fflush(stdout);
	pid = fork_pidfd(&fd);
	if (pid == 0) {
		read(ends[0], &c, 1);
		_exit(7);
	}
	Y(fd > 2 && fcntl(fd, F_GETFD) == FD_CLOEXEC);
	p = (struct pollfd){ fd, POLLIN, 0 };
	R(poll(&p, 1, 0));
	R(waitid(P_PIDFD, fd, &si, WEXITED | WNOHANG));
	Y(si.si_pid == 0);
	R(send_signal(fd, 0));
	write(ends[1], "x", 1);
	R(poll(&p, 1, 5000));
	R(waitid(P_PIDFD, fd, &si, WEXITED | WNOWAIT));
	Y(si.si_pid == pid && si.si_status == 7 && si.si_code == CLD_EXITED);
	R(waitid(P_PIDFD, fd, &si, WEXITED));
	R(waitid(P_PIDFD, fd, &si, WEXITED));
	R(send_signal(fd, 0));
	R(waitid(P_PIDFD, 0, &si, WEXITED));
	R(waitid(P_PIDFD, -1, &si, WEXITED));
	R(waitid(P_PIDFD, 99, &si, WEXITED));
	close(fd);
	/* clone3, a non-blocking one, taking a descriptor */
	ca.flags = CLONE_PIDFD;
	ca.pidfd = (uint64_t)&fd;
	ca.exit_signal = SIGCHLD;
	pid = syscall(SYS_clone3, &ca, sizeof(ca));
	if (pid == 0) {
		dup2(ends[1], 50);
		write(50, "y", 1);
		pause();
		_exit(0);
	}
	read(ends[0], &c, 1);
	OK(got = syscall(SYS_pidfd_getfd, fd, 50, 0));
	Y(fcntl(got, F_GETFD) == FD_CLOEXEC);
	write(got, "z", 1);
	R(read(ends[0], &c, 1) == 1 && c == 'z');
	R(syscall(SYS_pidfd_getfd, fd, 51, 0));
	R(syscall(SYS_pidfd_getfd, fd, 50, 1));
	R(syscall(SYS_pidfd_getfd, ends[0], 50, 0));
	fd2 = syscall(SYS_pidfd_open, pid, O_NONBLOCK);
	R(waitid(P_PIDFD, fd2, &si, WEXITED));
	snprintf(name, sizeof(name), "/proc/%ld", pid);
	dir = open(name, O_RDONLY | O_DIRECTORY);
	R(send_signal(dir, 0));
	R(send_signal(open("/proc", O_RDONLY), 0));
	R(send_signal(ends[0], 0));
	R(send_signal(dir, SIGTERM));
	R(waitid(P_PIDFD, fd2, &si, WEXITED | WNOWAIT) == 0 || errno == EAGAIN);
	waitpid(pid, &st, 0);
	t_status("it", st);
	R(syscall(SYS_pidfd_getfd, fd, 50, 0));
	R(syscall(SYS_clone, CLONE_PIDFD | CLONE_PARENT_SETTID | SIGCHLD, 0, &fd, NULL, 0));
	ca.pidfd = 1;
	R(syscall(SYS_clone3, &ca, sizeof(ca)));
}

static void *idle(void *arg)
{
	pause();
	return arg;
}

static int in_child_fds(void *arg)
{
	int *p = arg;

	if (unshare(CLONE_FILES))
		return 1;
	close(p[0]);
	return chdir("/") || umask(077) == 077;
}

static void unsharing(void)
{
	static char stack[65536] __attribute__((aligned(16)));
	char cwd[100] = "", now[100] = "";
	pthread_t t;
	int p[2], st;

	pipe(p);
	getcwd(cwd, sizeof(cwd));
	R(unshare(0));
	R(unshare(CLONE_FILES | CLONE_FS));
	R(unshare(CLONE_SYSVSEM));
	R(unshare(CLONE_THREAD));
	R(unshare(CLONE_VM));
	R(unshare(0x1));
	fflush(stdout);
	/* a process that shares the table leaves it */
	clone(in_child_fds, stack + sizeof(stack), CLONE_FILES | CLONE_VM | CLONE_VFORK | SIGCHLD, p);
	wait(&st);
	t_status("sharer", st);
	R(fcntl(p[0], F_GETFD));
	getcwd(now, sizeof(now));
	Y(!strcmp(cwd, now));
	if (fork() == 0) {
		pthread_create(&t, NULL, idle, NULL);
		R(unshare(CLONE_THREAD));
		R(unshare(CLONE_VM));
		_exit(0);
	}
	wait(&st);
}

static void hang_up(void)
{
	int m, s, st;
	char name[64], b[10];

	openpty(&m, &s, name, NULL, NULL);
	fflush(stdout);
	if (fork() == 0) {
		setsid();
		close(s);
		s = open(name, O_RDWR);
		signal(SIGHUP, SIG_IGN);
		if (setresuid(1000, 1000, 0))
			_exit(1);
		R(syscall(SYS_vhangup));
		if (setresuid(0, 0, 0))
			_exit(2);
		R(syscall(SYS_vhangup));
		R(read(s, b, 10));
		R(write(s, "x", 1));
		R(open("/dev/tty", O_RDWR));
		R(tcgetpgrp(s));
		close(s);
		s = open(name, O_RDWR);
		R(write(s, "x", 1));
		_exit(0);
	}
	close(s);
	wait(&st);
	t_status("session", st);
	close(m);
}

/* A file system without file handles. */
static void handles(void)
{
	struct { struct file_handle h; char room[128]; } u = { .h.handle_bytes = 128 };
	int mnt;

	R(name_to_handle_at(AT_FDCWD, "/proc/self/stat", &u.h, &mnt, 0));
	R(name_to_handle_at(AT_FDCWD, "/proc/self/none", &u.h, &mnt, 0));
	R(name_to_handle_at(AT_FDCWD, "/proc/self/stat", &u.h, &mnt, 0x77));
	R(name_to_handle_at(99, "x", &u.h, &mnt, 0));
	R(open_by_handle_at(AT_FDCWD, (void *)1, 0));
}

int main(void)
{
	descriptors();
	unsharing();
	if (geteuid() == 0)
		hang_up();
	handles();
	R(syscall(SYS_pkey_alloc, 1, 0));
	R(syscall(SYS_pkey_alloc, 0, 8));
	R(syscall(SYS_pkey_free, 77));
	return 0;
}
