/* SPDX-License-Identifier: MIT */
/* Sparse files, fallocate, statx, iov edge cases, sendfile, copy_file_range, xattr, utimens, locks. */
#include "t.h"
#include <limits.h>
#include <linux/falloc.h>
#include <sys/file.h>
#include <sys/sendfile.h>
#include <sys/uio.h>
#include <sys/xattr.h>

static unsigned sum(int fd)
{
	unsigned char b[4096];
	unsigned s = 0;
	ssize_t n;

	lseek(fd, 0, SEEK_SET);
	while ((n = read(fd, b, sizeof(b))) > 0)
		for (ssize_t i = 0; i < n; i++)
			s = s * 31 + b[i];
	return s;
}

static void iov(void)
{
	char a[4] = "", b[4] = "", c[8] = "";
	struct iovec v[3] = { { a, 4 }, { b, 4 }, { c, 8 } };
	struct iovec many[2000];
	int fd = open("iov", O_CREAT | O_RDWR | O_TRUNC, 0644);

	R(write(fd, "abcdefghij", 10));
	R(preadv(fd, v, 3, 0));
	t_say("%.4s|%.4s|%.2s", a, b, c);
	R(preadv(fd, v, 0, 0));
	R(preadv(fd, v, -1, 0));
	R(preadv(fd, v, 2000, 0));
	for (int i = 0; i < 2000; i++)
		many[i] = (struct iovec){ a, 0 };
	R(writev(fd, many, 1024));
	R(writev(fd, many, 1025));
	v[1].iov_len = (size_t)-1;
	R(preadv(fd, v, 3, 0));
	v[1].iov_len = 4;
	v[1].iov_base = (void *)8;
	R(preadv(fd, v, 3, 0));
	v[0].iov_base = (void *)8;
	R(preadv(fd, v, 1, 0));
	v[0] = (struct iovec){ NULL, 0 };
	v[1] = (struct iovec){ b, 4 };
	R(preadv(fd, v, 2, 2));
	t_say("%.4s", b);
	R(preadv(fd, v, 2, -5));
	R(preadv2(fd, v, 2, 0, 0x40000000));
	R(preadv2(fd, v, 2, -1, 0));
	R(pread(fd, a, 4, -1));
	R(pread(fd, a, 0, 0));
	R(pwritev2(fd, v + 1, 1, 0, RWF_APPEND));
	R(lseek(fd, 0, SEEK_END));
	R(read(fd, a, (size_t)SSIZE_MAX + 5));
	close(fd);
}

static void sparse(void)
{
	struct stat st;
	struct statx sx;
	char b[10] = "xxxxxxxxx";
	int fd = open("sparse", O_CREAT | O_RDWR | O_TRUNC, 0644);

	R(pwrite(fd, "end", 3, 1 << 20));
	fstat(fd, &st);
	t_say("size %ld", (long)st.st_size);
	Y(st.st_blocks < 64);
	R(pread(fd, b, 5, 1000));
	Y(memcmp(b, "\0\0\0\0\0", 5) == 0);
	R(lseek(fd, 0, SEEK_DATA));
	R(lseek(fd, 0, SEEK_HOLE));
	R(lseek(fd, 1 << 20, SEEK_HOLE));
	R(lseek(fd, 2 << 20, SEEK_DATA));
	R(fallocate(fd, 0, 0, 2 << 20));
	fstat(fd, &st);
	t_say("size %ld", (long)st.st_size);
	R(fallocate(fd, FALLOC_FL_KEEP_SIZE, 0, 4 << 20));
	fstat(fd, &st);
	t_say("size %ld", (long)st.st_size);
	R(fallocate(fd, 0, -1, 10));
	R(fallocate(fd, 0, 0, 0));
	R(fallocate(fd, FALLOC_FL_PUNCH_HOLE, 0, 10));
	R(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 1 << 20, 4096));
	R(pread(fd, b, 3, 1 << 20));
	Y(memcmp(b, "\0\0\0", 3) == 0);
	E(posix_fallocate(fd, 0, 5 << 20));
	R(ftruncate(fd, 100));
	R(ftruncate(fd, 1L << 32));
	R(pwrite(fd, "big", 3, (1L << 32) - 3));
	R(lseek(fd, 0, SEEK_END));
	R(statx(fd, "", AT_EMPTY_PATH, STATX_BASIC_STATS, &sx));
	t_say("statx size %llu mode %o", (unsigned long long)sx.stx_size, sx.stx_mode);
	Y((sx.stx_mask & STATX_BASIC_STATS) == STATX_BASIC_STATS);
	R(statx(AT_FDCWD, "nothere", 0, STATX_ALL, &sx));
	R(statx(AT_FDCWD, "", 0, STATX_ALL, &sx));
	R(statx(fd, "", AT_EMPTY_PATH, 0x80000000u, &sx));
	R(statx(fd, "", 0x1, STATX_ALL, &sx));
	R(truncate("sparse", 0));
	R(truncate(".", 0));
	R(fsync(fd));
	R(fdatasync(fd));
	R(sync_file_range(fd, 0, 0, 0));
	R(posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED));
	R(posix_fadvise(fd, 0, 0, 99) ? 1 : 0);
	R(posix_fadvise(fd, 0, 0, POSIX_FADV_WILLNEED));
	R(posix_fadvise(fd, 1 << 30, 4096, POSIX_FADV_WILLNEED));
	close(fd);
}

static void copies(void)
{
	char b[5000];
	int in = open("in", O_CREAT | O_RDWR | O_TRUNC, 0644);
	int out = open("out", O_CREAT | O_RDWR | O_TRUNC, 0644);
	int p[2];
	off_t off = 0;
	loff_t lo = 100;

	for (int i = 0; i < 5000; i++)
		b[i] = (char)('a' + i % 26);
	R(write(in, b, 5000));
	lseek(in, 0, SEEK_SET);
	R(sendfile(out, in, NULL, 3000));
	R(lseek(in, 0, SEEK_CUR));
	off = 4000;
	R(sendfile(out, in, &off, 3000));
	R(off);
	R(sendfile(out, in, &off, 3000));
	off = 9000;
	R(sendfile(out, in, &off, 10));
	t_say("sum %u", sum(out));
	R(copy_file_range(in, &lo, out, NULL, 1000, 0));
	R(lo);
	R(copy_file_range(in, &lo, out, NULL, 100000, 0));
	R(copy_file_range(in, &lo, out, NULL, 100000, 1));
	t_say("sum %u", sum(out));
	pipe(p);
	lo = 0;
	R(splice(in, &lo, p[1], NULL, 2000, 0));
	R(splice(p[0], NULL, out, NULL, 1500, 0));
	R(splice(in, NULL, out, NULL, 10, 0));
	R(read(p[0], b, 5000));
	t_say("sum %u", sum(out));
	R(write(p[1], "teetee", 6));
	{
		int q[2];

		pipe(q);
		R(tee(p[0], q[1], 100, 0));
		R(read(q[0], b, 100));
		R(read(p[0], b, 100));
		R(tee(p[0], p[1], 100, 0));
		R(splice(p[0], NULL, q[1], NULL, 100, SPLICE_F_NONBLOCK));
	}
	close(in);
	close(out);
}

static void xattrs(void)
{
	char b[100];
	int fd = open("xa", O_CREAT | O_RDWR, 0644);

	R(getxattr("xa", "user.k", b, sizeof(b)));
	R(setxattr("xa", "user.k", "value", 5, XATTR_REPLACE));
	R(setxattr("xa", "user.k", "value", 5, XATTR_CREATE));
	R(setxattr("xa", "user.k", "value", 5, XATTR_CREATE));
	R(getxattr("xa", "user.k", b, sizeof(b)));
	R(fgetxattr(fd, "user.k", NULL, 0));
	R(fgetxattr(fd, "user.k", b, 2));
	R(setxattr("xa", "nonsense", "v", 1, 0));
	R(setxattr("xa", "", "v", 1, 0));
	R(fremovexattr(fd, "user.k"));
	R(fremovexattr(fd, "user.k"));
	close(fd);
}

static void times(void)
{
	struct timespec ts[2] = { { 1000, 5 }, { 2000, 7 } };
	struct stat st;
	int fd = open("ut", O_CREAT | O_RDWR, 0644);

	R(utimensat(AT_FDCWD, "ut", ts, 0));
	fstat(fd, &st);
	t_say("%ld.%ld %ld.%ld", st.st_atim.tv_sec, st.st_atim.tv_nsec, st.st_mtim.tv_sec,
	      st.st_mtim.tv_nsec);
	ts[0].tv_nsec = UTIME_OMIT;
	ts[1].tv_nsec = UTIME_NOW;
	R(futimens(fd, ts));
	fstat(fd, &st);
	Y(st.st_atim.tv_sec == 1000);
	Y(st.st_mtim.tv_sec > 100000);
	ts[0].tv_nsec = 2000000000;
	R(futimens(fd, ts));
	R(write(fd, "x", 1));
	close(fd);
}

static void locks(void)
{
	int fd = open("lk", O_CREAT | O_RDWR, 0644), fd2 = open("lk", O_RDWR), st;
	struct flock fl = { .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = 10, .l_len = 10 };
	pid_t pid;

	R(flock(fd, LOCK_EX));
	R(flock(fd2, LOCK_SH | LOCK_NB));
	R(flock(fd, LOCK_SH));
	R(flock(fd2, LOCK_SH | LOCK_NB));
	R(flock(fd2, LOCK_EX | LOCK_NB));
	R(flock(fd, LOCK_UN));
	R(flock(fd2, LOCK_EX | LOCK_NB));
	R(flock(fd, 77));
	R(fcntl(fd, F_SETLK, &fl));
	R(fcntl(fd2, F_SETLK, &fl));
	fflush(stdout);
	pid = fork();
	if (pid == 0) {
		struct flock q = { .l_type = F_RDLCK, .l_whence = SEEK_SET, .l_start = 15, .l_len = 1 };

		R(fcntl(fd, F_SETLK, &q));
		R(fcntl(fd, F_GETLK, &q));
		t_say("type %d start %ld len %ld", q.l_type, (long)q.l_start, (long)q.l_len);
		Y(q.l_pid == getppid());
		_exit(0);
	}
	waitpid(pid, &st, 0);
	fl.l_type = F_RDLCK;
	fl.l_pid = 0;
	R(fcntl(fd2, F_OFD_SETLK, &fl));
	fl.l_type = F_UNLCK;
	R(fcntl(fd, F_SETLK, &fl));
	fl.l_type = F_WRLCK;
	R(fcntl(fd, F_OFD_SETLK, &fl));
	R(fcntl(fd2, F_OFD_SETLK, &fl));
	fl.l_pid = 5;
	R(fcntl(fd2, F_OFD_SETLK, &fl));
	close(fd2);
	fl.l_type = 99;
	R(fcntl(fd, F_SETLK, &fl));
	close(fd);
}

/* What changes of the data do to set-user-ID and set-group-ID, by root and by the owner who is not. */
static void suid_try(const char *what, unsigned mode, int how, bool as_root)
{
	char label[100];
	struct stat st;
	int fd = open("suid", O_CREAT | O_EXCL | O_RDWR, 0600);

	t_val("write", write(fd, "0123", 4));
	fchown(fd, 1000, 1000);
	fchmod(fd, mode);
	if (!as_root && (setegid(1000) || seteuid(1000)))
		printf("seteuid failed\n");
	switch (how) {
	case 0:
		t_val("write", write(fd, "x", 1));
		break;
	case 1:
		t_val("write of nothing", write(fd, "x", 0));
		break;
	case 2:
		t_val("ftruncate", ftruncate(fd, 1));
		break;
	case 3:
		t_val("truncate", truncate("suid", 100));
		break;
	case 4:
		close(fd);
		fd = t_ok("open", open("suid", O_WRONLY | O_TRUNC));
		break;
	case 5:
		t_val("fallocate", posix_fallocate(fd, 0, 100));
		break;
	case 6:
		t_val("pwritev", pwrite(fd, "x", 1, 2));
		break;
	}
	if (!as_root && (seteuid(0) || setegid(0)))
		printf("back failed\n");
	fstat(fd, &st);
	snprintf(label, sizeof(label), "%s %o as %s: now %o", what, mode, as_root ? "root" : "owner", st.st_mode & 07777);
	puts(label);
	close(fd);
	unlink("suid");
}

static void suid_drops(void)
{
	static const unsigned modes[] = { 04755, 06755, 02755, 02644, 02745, 0755 };
	char dir[] = "suid.XXXXXX", *d = mkdtemp(dir);

	chmod(".", 0777);
	chmod(d, 0777);
	if (geteuid() || chdir(d)) {
		puts("not root: set-user-ID not looked at");
		return;
	}
	for (size_t m = 0; m < sizeof(modes) / sizeof(modes[0]); m++)
		for (int how = 0; how < 7; how++)
			for (int root = 0; root < 2; root++)
				suid_try("after a change", modes[m], how, root);
	chdir("..");
	rmdir(d);
}

int main(void)
{
	iov();
	sparse();
	copies();
	xattrs();
	times();
	locks();
	suid_drops();
	return 0;
}
