/* SPDX-License-Identifier: MIT */
/* System calls on program memory that a fault would have to bring first: mappings behind the old end of a file that grew since. */
#include "t.h"
#include <poll.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/uio.h>

#define PG 4096

static char *mapped(int fd, int how, size_t pages)
{
	return mmap(NULL, pages * PG, PROT_READ | PROT_WRITE, how, fd, 0);
}

/* A file of one page mapped with 8, then grown to 8: nothing of the rest has been touched. */
static char *grown(int *fd, int how)
{
	char *m;

	*fd = memfd_create("m", 0);
	ftruncate(*fd, PG);
	m = mapped(*fd, how, 8);
	ftruncate(*fd, 8 * PG);
	return m;
}

static void data(int how)
{
	int fd, p[2], sv[2], big = open("big", O_RDWR | O_CREAT | O_TRUNC, 0600);
	char *m, *src = malloc(8 * PG);
	struct iovec v[3];

	memset(src, 'x', 8 * PG);
	pipe(p);
	socketpair(AF_UNIX, SOCK_STREAM, 0, sv);
	R(write(big, src, 8 * PG));
	m = grown(&fd, how);
	R(pread(big, m + 3 * PG + 5, 100, 0));
	Y(m[3 * PG + 5] == 'x' && m[3 * PG + 104] == 'x' && m[3 * PG + 105] == 0);
	m = grown(&fd, how);
	R(pread(big, m, 8 * PG, 0));
	Y(!memcmp(m, src, 8 * PG));
	m = grown(&fd, how);
	R(pread(big, m + PG - 10, 2 * PG, 0));
	m = grown(&fd, how);
	R(pwrite(big, m + 2 * PG - 10, 3 * PG, 0));
	m = grown(&fd, how);
	R(write(p[1], m + 2 * PG, 10));
	m = grown(&fd, how);
	R(read(p[0], m + 4 * PG - 5, 10));
	m = grown(&fd, how);
	R(send(sv[0], m + 2 * PG, 5000, 0));
	m = grown(&fd, how);
	R(recv(sv[1], m + 2 * PG, 5000, 0));
	m = grown(&fd, how);
	v[0] = (struct iovec){ m + 10, 10 };
	v[1] = (struct iovec){ m + 5 * PG, 10 };
	v[2] = (struct iovec){ m + 8 * PG - 10, 10 };
	R(preadv(big, v, 3, 0));
	R(pread(big, m + 8 * PG - 10, 20, 0));
	free(src);
	close(big);
}

static void structures(int how)
{
	struct timespec *ts;
	struct pollfd *pf;
	char *m;
	int fd, p[2], *st;

	m = grown(&fd, how);
	R(fstat(fd, (struct stat *)(m + 2 * PG)));
	R(((struct stat *)(m + 2 * PG))->st_size);
	m = grown(&fd, how);
	R(clock_gettime(CLOCK_MONOTONIC, (struct timespec *)(m + 3 * PG - 8)));
	m = grown(&fd, how);
	R(access(m + 2 * PG, F_OK));
	m = grown(&fd, how);
	pf = (struct pollfd *)(m + 2 * PG - 16);
	R(poll(pf, 600, 0));
	m = grown(&fd, how);
	R(pipe((int *)(m + PG - 4)));
	m = grown(&fd, how);
	if (fork() == 0)
		_exit(5);
	st = (int *)(m + 4 * PG);
	wait(st);
	R(WEXITSTATUS(*st));
	m = grown(&fd, how);
	ts = (struct timespec *)(m + 4 * PG);
	R(nanosleep(ts, NULL));
	pipe(p);
	m = grown(&fd, how);
	R(getrandom(m + PG, 6 * PG, 0));
	/* in a child, whose mappings came with the fork */
	m = grown(&fd, how);
	if (fork() == 0) {
		R(write(p[1], m + 3 * PG, 100));
		R(read(p[0], m + 5 * PG, 100));
		_exit(0);
	}
	wait(NULL);
	/* behind the end of the file it stays a fault */
	m = mapped(fd, how, 10);
	R(write(p[1], m + 8 * PG, 100));
	R(write(p[1], m + 8 * PG - 10, 100));
	R(ftruncate(fd, PG));
	R(write(p[1], m + 3 * PG, 100));
	R(ftruncate(fd, 4 * PG));
	R(write(p[1], m + 3 * PG, 100));
}

int main(void)
{
	t_say("-- private");
	data(MAP_PRIVATE);
	structures(MAP_PRIVATE);
	t_say("-- shared");
	data(MAP_SHARED);
	structures(MAP_SHARED);
	return 0;
}
