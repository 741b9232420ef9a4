/* SPDX-License-Identifier: MIT */
/*
 * Reads of file data that the host has to fetch from its disk: right data, in threads and forked processes at once, and other threads go
 * on meanwhile. Without arguments: the data part on a file just written (differential). tests/run_jctl.sh uses the rest:
 *   misses make FILE      writes the file and drops it from the page cache; exit code 77: it cannot be dropped there, or nobody could tell
 *   misses read FILE      random reads in a thread beside one that counts: in how many of the reads the count went on
 *   misses fork FILE      random reads in four processes of two threads each
 *   misses sync FILE      writes with fdatasync beside a counting thread
 */
/* guest: opts=--rw */
#include "t.h"
#include <pthread.h>
#include <sched.h>
#include <sys/uio.h>

#define FILE_BYTES (64l << 20)
#define PIECE 4096
#define READS 200

static const char *path = "misses.dat";
static long file_bytes = FILE_BYTES;
static volatile unsigned long count;
static volatile int stop;

static uint64_t word_at(long off)
{
	return (uint64_t)off * 0x9e3779b97f4a7c15ull + 1;
}

static int make_file(void)
{
	static uint64_t buf[1 << 14];
	int fd = open(path, O_CREAT | O_TRUNC | O_RDWR, 0644);

	for (long off = 0; off < file_bytes; off += (long)sizeof(buf)) {
		for (size_t i = 0; i < sizeof(buf) / 8; i++)
			buf[i] = word_at(off + (long)i * 8);
		if (write(fd, buf, sizeof(buf)) != (ssize_t)sizeof(buf))
			return -1;
	}
	return fd;
}

static int make_cold(void)
{
	struct iovec iov;
	char c;
	int fd = make_file();

	iov = (struct iovec){ &c, 1 };
	if (fd < 0 || fsync(fd))
		return 77;
	for (int tries = 0; tries < 100; tries++) { /* pages on a CPU's private list do not go at once */
		ssize_t n;

		posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
		n = preadv2(fd, &iov, 1, file_bytes / 2, RWF_NOWAIT);
		if (n < 0 && errno == EAGAIN)
			return posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED) ? 77 : 0;
		if (n < 0)
			return 77;
		usleep(20000);
	}
	return 77;
}

/* A piece at a random place, each read at most once: 0 if the data are right. */
static int read_one(int fd, unsigned *seed, long reads, long n)
{
	static __thread uint64_t buf[PIECE / 8];
	long stride = file_bytes / reads / PIECE * PIECE, off;

	*seed = *seed * 1103515245u + 12345u;
	off = n * stride + (long)(*seed >> 8) % (stride / PIECE) * PIECE;
	memset(buf, 0, sizeof(buf));
	if (pread(fd, buf, PIECE, off) != PIECE)
		return 1;
	for (int i = 0; i < PIECE / 8; i++)
		if (buf[i] != word_at(off + i * 8))
			return 1;
	return 0;
}

static void *count_main(void *arg)
{
	(void)arg;
	while (!stop) {
		count++;
		sched_yield();
	}
	return NULL;
}

static int read_beside_counter(void)
{
	int fd = open(path, O_RDONLY), bad = 0, went_on = 0;
	unsigned seed = 7;
	pthread_t t;

	posix_fadvise(fd, 0, 0, POSIX_FADV_RANDOM);
	pthread_create(&t, NULL, count_main, NULL);
	while (!count)
		sched_yield();
	for (long n = 0; n < READS; n++) {
		unsigned long before = count;

		bad += read_one(fd, &seed, READS, n);
		went_on += count != before;
	}
	stop = 1;
	pthread_join(t, NULL);
	printf("%d bad, the counter went on in %d of %d\n", bad, went_on, READS);
	return bad != 0;
}

static int sync_beside_counter(void)
{
	int fd = open(path, O_RDWR), bad = 0, went_on = 0;
	pthread_t t;

	pthread_create(&t, NULL, count_main, NULL);
	while (!count)
		sched_yield();
	for (int n = 0; n < 20; n++) {
		uint64_t v = word_at(n * 8);
		unsigned long before = count;

		bad += pwrite(fd, &v, 8, n * 8) != 8;
		bad += n % 2 ? fsync(fd) : fdatasync(fd);
		went_on += count != before;
	}
	bad += fsync(-1) != -1 || errno != EBADF;
	stop = 1;
	pthread_join(t, NULL);
	printf("%d bad, the counter went on in %d of 20\n", bad, went_on);
	return bad != 0;
}

static void *reader_main(void *arg)
{
	unsigned seed = (unsigned)(long)arg;
	int fd = open(path, O_RDONLY);
	long bad = 0;

	for (long n = 0; n < READS / 4; n++)
		bad += read_one(fd, &seed, READS / 4, n);
	close(fd);
	return (void *)bad;
}

/* All processes and threads read their own random places at once, into their own memory. */
static int read_in_forks(void)
{
	int bad = 0, status;

	for (long p = 0; p < 4; p++) {
		if (fork() == 0) {
			pthread_t t[2];
			void *r;

			for (long k = 0; k < 2; k++)
				pthread_create(&t[k], NULL, reader_main, (void *)(p * 100 + k * 10 + 1));
			for (int k = 0; k < 2; k++) {
				pthread_join(t[k], &r);
				bad += r != NULL;
			}
			_exit(bad);
		}
	}
	while (wait(&status) > 0)
		bad += status != 0;
	printf("forks: %d bad\n", bad);
	return bad;
}

/* Addresses where the data cannot go, wholly or in part; the end of the file. */
static void edges(void)
{
	char *page = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	int fd = open(path, O_RDONLY);

	munmap(page + 4096, 4096);
	t_val("pread to a hole", pread(fd, page + 4096, 100, 4096));
	t_val("pread of nothing", pread(fd, page, 0, 4096));
	t_val("pread at the end", pread(fd, page, 4096, file_bytes - 100));
	t_val("pread past the end", pread(fd, page, 4096, file_bytes + 1));
	t_val("read all", read(fd, page, 4096));
	close(fd);
}

int main(int argc, char **argv)
{
	int (*const fn[])(void) = { make_cold, read_beside_counter, read_in_forks, sync_beside_counter };
	static const char *const name[] = { "make", "read", "fork", "sync" };
	int fd;

	if (argc == 3) {
		path = argv[2];
		for (int i = 0; i < 4; i++)
			if (!strcmp(argv[1], name[i]))
				return fn[i]();
		return 2;
	}
	file_bytes = 4l << 20;
	fd = make_file();
	t_val("fdatasync", fdatasync(fd));
	t_val("fsync", fsync(fd));
	t_val("fadvise", posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED));
	close(fd);
	read_in_forks();
	edges();
	unlink(path);
	return 0;
}
