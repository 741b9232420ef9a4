/* SPDX-License-Identifier: MIT */
/*
 * One measured operation per run: "bench NAME" prints nanoseconds for one
 * operation, the median of several rounds. The same binary runs on Linux and
 * in an instance; tests/run_bench.sh makes the table. "bench -l" lists names.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define ROUNDS 7

struct row {
	const char *name;
	long n; /* operations of one round */
	void (*prepare)(void);
	void (*run)(long n);
};

static int fd_zero, fd_file, epfd, p1[2], p2[2];
static char buf[65536];
static unsigned turn;

static uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

static void die(const char *what)
{
	fprintf(stderr, "bench: %s: %s\n", what, strerror(errno));
	exit(1);
}

static void run_getppid(long n)
{
	while (n--)
		getppid();
}

static void run_clock(long n)
{
	struct timespec ts;

	while (n--)
		clock_gettime(CLOCK_MONOTONIC, &ts);
}

static void prep_zero(void)
{
	fd_zero = open("/dev/zero", O_RDONLY);
	if (fd_zero < 0)
		die("/dev/zero");
}

static void run_read1(long n)
{
	while (n--)
		if (read(fd_zero, buf, 1) != 1)
			die("read");
}

static void make_file(const char *name)
{
	int fd = open(name, O_CREAT | O_TRUNC | O_RDWR, 0600);

	if (fd < 0)
		die(name);
	for (int i = 0; i < 16; i++)
		if (write(fd, buf, sizeof(buf)) != (ssize_t)sizeof(buf))
			die("write");
	close(fd);
}

static void prep_file(void)
{
	make_file("bench.tmp");
	fd_file = open("bench.tmp", O_RDONLY);
	unlink("bench.tmp");
}

/* A file of the distribution: on the host's disk below the overlay. */
static void prep_hostfile(void)
{
	fd_file = open("/usr/bin/bash", O_RDONLY);
	if (fd_file < 0)
		die("/usr/bin/bash");
}

static void run_pread(long n)
{
	while (n--)
		if (pread(fd_file, buf, 4096, (n & 127) * 4096) != 4096)
			die("pread");
}

static void run_pwrite(long n)
{
	while (n--)
		if (pwrite(fd_file, buf, 4096, (n & 127) * 4096) != 4096)
			die("pwrite");
}

static void prep_wfile(void)
{
	fd_file = open("benchw.tmp", O_CREAT | O_RDWR, 0600);
	unlink("benchw.tmp");
}

static void run_open(long n)
{
	struct stat st;

	while (n--) {
		int fd = open("/etc/passwd", O_RDONLY);

		if (fd < 0 || fstat(fd, &st))
			die("open");
		close(fd);
	}
}

static void run_stat(long n)
{
	struct stat st;

	while (n--)
		if (stat("/usr/bin/env", &st))
			die("stat");
}

static void run_mmap(long n)
{
	while (n--) {
		char *p = mmap(NULL, 16384, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

		if (p == MAP_FAILED)
			die("mmap");
		for (int i = 0; i < 4; i++)
			p[i * 4096] = 1;
		munmap(p, 16384);
	}
}

static void *pipe_echo(void *arg)
{
	char c;

	(void)arg;
	while (read(p1[0], &c, 1) == 1 && c != 'q')
		if (write(p2[1], &c, 1) != 1)
			break;
	return NULL;
}

static void run_pipe(long n)
{
	pthread_t t;
	char c = 'x';

	if (pipe(p1) || pipe(p2))
		die("pipe");
	pthread_create(&t, NULL, pipe_echo, NULL);
	while (n--)
		if (write(p1[1], &c, 1) != 1 || read(p2[0], &c, 1) != 1)
			die("pipe");
	write(p1[1], "q", 1);
	pthread_join(t, NULL);
	for (int i = 0; i < 2; i++) {
		close(p1[i]);
		close(p2[i]);
	}
}

static void futex_wait_for(unsigned want)
{
	unsigned v;

	while ((v = __atomic_load_n(&turn, __ATOMIC_ACQUIRE)) != want)
		syscall(SYS_futex, &turn, FUTEX_WAIT_PRIVATE, v, NULL, NULL, 0);
}

static void futex_set(unsigned v)
{
	__atomic_store_n(&turn, v, __ATOMIC_RELEASE);
	syscall(SYS_futex, &turn, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
}

static void *futex_peer(void *arg)
{
	for (long n = (long)arg; n--;) {
		futex_wait_for(1);
		futex_set(0);
	}
	return NULL;
}

static void run_futex(long n)
{
	pthread_t t;

	pthread_create(&t, NULL, futex_peer, (void *)n);
	while (n--) {
		futex_set(1);
		futex_wait_for(0);
	}
	pthread_join(t, NULL);
}

static void *yielder(void *arg)
{
	for (long n = (long)arg; n--;)
		sched_yield();
	return NULL;
}

static void run_yield(long n)
{
	pthread_t t;

	pthread_create(&t, NULL, yielder, (void *)n);
	for (long i = n; i--;)
		sched_yield();
	pthread_join(t, NULL);
}

static void *nothing(void *arg)
{
	return arg;
}

static void run_thread(long n)
{
	pthread_t t;

	while (n--) {
		if (pthread_create(&t, NULL, nothing, NULL))
			die("pthread_create");
		pthread_join(t, NULL);
	}
}

static void on_sig(int s)
{
	(void)s;
}

static void prep_signal(void)
{
	signal(SIGUSR1, on_sig);
}

static void run_signal(long n)
{
	while (n--)
		raise(SIGUSR1);
}

static void prep_epoll(void)
{
	struct epoll_event ev = { .events = EPOLLIN };

	epfd = epoll_create1(0);
	if (epoll_ctl(epfd, EPOLL_CTL_ADD, eventfd(1, 0), &ev))
		die("epoll_ctl");
}

static void run_epoll(long n)
{
	struct epoll_event ev;

	while (n--)
		if (epoll_wait(epfd, &ev, 1, -1) != 1)
			die("epoll_wait");
}

static void run_spawn(long n)
{
	char *av[] = { "true", NULL }, *ev[] = { NULL };

	while (n--) {
		pid_t pid;
		int st;

		if (posix_spawn(&pid, "/bin/true", NULL, NULL, av, ev) || waitpid(pid, &st, 0) != pid || st)
			die("posix_spawn");
	}
}

static void run_fork(long n)
{
	while (n--) {
		pid_t pid = fork();
		int st;

		if (pid == 0)
			_exit(0);
		if (pid < 0 || waitpid(pid, &st, 0) != pid)
			die("fork");
	}
}

static const struct row rows[] = {
	{ "getppid", 500000, NULL, run_getppid },
	{ "clock_gettime", 500000, NULL, run_clock },
	{ "read-1-dev-zero", 300000, prep_zero, run_read1 },
	{ "pread-4k-cached", 200000, prep_file, run_pread },
	{ "pread-4k-host-file", 200000, prep_hostfile, run_pread },
	{ "pwrite-4k", 50000, prep_wfile, run_pwrite },
	{ "open-fstat-close", 50000, NULL, run_open },
	{ "stat", 50000, NULL, run_stat },
	{ "mmap-touch-munmap", 10000, NULL, run_mmap },
	{ "pipe-ping-pong", 5000, NULL, run_pipe },
	{ "futex-ping-pong", 5000, NULL, run_futex },
	{ "thread-switch-yield", 50000, NULL, run_yield },
	{ "pthread-create-join", 2000, NULL, run_thread },
	{ "signal-to-self", 50000, prep_signal, run_signal },
	{ "epoll-wait-ready", 200000, prep_epoll, run_epoll },
	{ "posix-spawn-true", 20, NULL, run_spawn },
	{ "fork-exit-wait", 50, NULL, run_fork },
};

static int cmp(const void *a, const void *b)
{
	const double *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

int main(int argc, char **argv)
{
	const size_t nrows = sizeof(rows) / sizeof(rows[0]);
	double t[ROUNDS];

	if (argc == 2 && strcmp(argv[1], "-l") == 0) {
		for (size_t i = 0; i < nrows; i++)
			puts(rows[i].name);
		return 0;
	}
	for (size_t i = 0; i < nrows; i++) {
		if (argc != 2 || strcmp(argv[1], rows[i].name) != 0)
			continue;
		if (rows[i].prepare)
			rows[i].prepare();
		rows[i].run(rows[i].n / 10 + 1);
		for (int r = 0; r < ROUNDS; r++) {
			uint64_t t0 = now_ns();

			rows[i].run(rows[i].n);
			t[r] = (double)(now_ns() - t0) / (double)rows[i].n;
		}
		qsort(t, ROUNDS, sizeof(t[0]), cmp);
		printf("%.1f\n", t[ROUNDS / 2]);
		return 0;
	}
	fprintf(stderr, "usage: bench NAME | -l\n");
	return 2;
}
