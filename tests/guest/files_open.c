/* SPDX-License-Identifier: MIT */
/* open(2) flags, O_APPEND, O_TMPFILE, dangling links, access and umask. */
#include "t.h"

static void slurp(const char *path)
{
	char b[200];
	int fd = open(path, O_RDONLY);
	ssize_t n = fd < 0 ? -1 : read(fd, b, sizeof(b) - 1);

	if (n < 0) {
		t_val(path, -1);
		return;
	}
	b[n] = 0;
	t_say("%s: %zd \"%s\"", path, n, b);
	close(fd);
}

static void modes(void)
{
	struct stat st;
	int fd;

	umask(022);
	fd = open("m1", O_CREAT | O_WRONLY, 0666);
	fstat(fd, &st);
	t_say("mode %o", st.st_mode);
	close(fd);
	R(umask(077) == 022);
	fd = open("m2", O_CREAT | O_WRONLY, 0777);
	fstat(fd, &st);
	t_say("mode %o", st.st_mode);
	close(fd);
	umask(022);
	R(mkdir("md", 01777));
	stat("md", &st);
	t_say("dir mode %o nlink %ld", st.st_mode, (long)st.st_nlink);
	R(chmod("m1", 04755));
	stat("m1", &st);
	t_say("mode %o", st.st_mode);
	R(access("m1", X_OK));
	R(access("m2", R_OK));
	R(access("nothere", F_OK));
	R(access("m1/x", F_OK));
	R(access("m1", 99));
	R(faccessat(AT_FDCWD, "m1", R_OK, AT_EACCESS));
	R(mkfifo("ff", 0644));
	stat("ff", &st);
	t_say("fifo mode %o", st.st_mode);
	R(fchmodat(AT_FDCWD, "ff", 0600, 0));
}

int main(void)
{
	char b[64];
	int fd, fd2;

	R(open("nothere", O_RDONLY));
	R(open("", O_RDONLY));
	R(open(".", O_WRONLY));
	R(open(".", O_RDONLY | O_CREAT, 0600));
	R(open("nodir/f", O_CREAT | O_RDWR, 0600));
	R(fd = open("a", O_CREAT | O_EXCL | O_RDWR, 0644));
	R(open("a", O_CREAT | O_EXCL | O_RDWR, 0644));
	R(write(fd, "0123456789", 10));
	R(lseek(fd, 3, SEEK_SET));
	R(read(fd, b, 4));
	t_say("%.4s", b);
	R(lseek(fd, -2, SEEK_END));
	R(lseek(fd, -20, SEEK_END));
	R(lseek(fd, 0, 77));
	R(lseek(fd, 100, SEEK_SET));
	R(read(fd, b, 4));
	R(write(fd, "X", 1));
	R(ftruncate(fd, 5));
	R(lseek(fd, 0, SEEK_CUR));
	R(ftruncate(fd, -1));
	close(fd);
	slurp("a");
	fd = open("a", O_WRONLY | O_APPEND);
	fd2 = open("a", O_WRONLY | O_APPEND);
	R(write(fd, "aa", 2));
	R(write(fd2, "bb", 2));
	R(lseek(fd, 0, SEEK_SET));
	R(write(fd, "cc", 2));
	R(pwrite(fd, "dd", 2, 0));
	R(read(fd, b, 1));
	slurp("a");
	t_say("flags %s", fcntl(fd, F_GETFL) & O_APPEND ? "append" : "no append");
	R(fcntl(fd, F_SETFL, 0));
	R(pwrite(fd, "ee", 2, 0));
	slurp("a");
	close(fd);
	close(fd2);
	R(write(fd, "x", 1));
	R(close(fd));
	fd = open("a", O_WRONLY | O_TRUNC);
	slurp("a");
	close(fd);
	R(symlink("target", "dangling"));
	R(open("dangling", O_RDONLY));
	R(open("dangling", O_CREAT | O_EXCL | O_RDWR, 0644));
	fd = open("dangling", O_CREAT | O_RDWR, 0644);
	Y(fd >= 0);
	R(write(fd, "via link", 8));
	close(fd);
	slurp("target");
	R(open("dangling", O_RDONLY | O_NOFOLLOW));
	fd = open("dangling", O_PATH | O_NOFOLLOW);
	Y(fd >= 0);
	R(read(fd, b, 1));
	R(readlinkat(fd, "", b, sizeof(b)));
	close(fd);
	R(symlink("loop", "loop"));
	R(open("loop", O_RDONLY));
	R(open("a", O_DIRECTORY));
	R(open("a/", O_RDONLY));
	fd = open(".", O_TMPFILE | O_RDWR, 0600);
	Y(fd >= 0);
	R(write(fd, "tmp", 3));
	snprintf(b, sizeof(b), "/proc/self/fd/%d", fd);
	R(linkat(AT_FDCWD, b, AT_FDCWD, "fromtmp", AT_SYMLINK_FOLLOW));
	close(fd);
	slurp("fromtmp");
	memset(b, 'x', sizeof(b));
	modes();
	{
		static char longname[5000];

		memset(longname, 'n', 300);
		R(open(longname, O_RDONLY));
		memset(longname, '/', 4500);
		R(open(longname, O_RDONLY));
	}
	R(openat(99, "a", O_RDONLY));
	R(openat(99, "/dev/null", O_RDONLY) >= 0);
	return 0;
}
