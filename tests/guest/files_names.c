/* SPDX-License-Identifier: MIT */
/* rename and its flags, hard and symbolic links, unlink, rmdir, mkdir, getdents. */
#include "t.h"
#include <dirent.h>

static void touch(const char *p)
{
	close(open(p, O_CREAT | O_WRONLY, 0644));
}

static int byname(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static void list(const char *dir)
{
	char *names[600];
	int n = 0;
	struct dirent *d;
	DIR *dp = opendir(dir);

	if (!dp) {
		t_val(dir, -1);
		return;
	}
	while ((d = readdir(dp)) && n < 600) {
		char t[300];

		snprintf(t, sizeof(t), "%s(%d)", d->d_name, d->d_type);
		names[n++] = strdup(t);
	}
	closedir(dp);
	qsort(names, (size_t)n, sizeof(names[0]), byname);
	printf("%s:", dir);
	for (int i = 0; i < n; i++)
		printf(" %s", names[i]);
	puts("");
}

static void cookies(void)
{
	DIR *dp;
	struct dirent *d;
	long pos[64];
	char want[64][64];
	int n = 0, good = 0;

	mkdir("many", 0755);
	for (int i = 0; i < 500; i++) {
		char p[64];

		snprintf(p, sizeof(p), "many/file%03d", i);
		touch(p);
	}
	dp = opendir("many");
	for (int i = 0; i < 502; i++) {
		long at = telldir(dp);

		d = readdir(dp);
		if (!d)
			break;
		if (i % 8 == 0) {
			pos[n] = at;
			snprintf(want[n++], 64, "%.63s", d->d_name);
		}
	}
	t_yes("end of directory", readdir(dp) == NULL);
	for (int i = n - 1; i >= 0; i--) {
		seekdir(dp, pos[i]);
		d = readdir(dp);
		good += d && strcmp(d->d_name, want[i]) == 0;
	}
	t_say("cookies found again: %d of %d", good, n);
	rewinddir(dp);
	for (n = 0; (d = readdir(dp)); n++)
		if (d->d_name[0] == 'f') {
			char p[300];

			snprintf(p, sizeof(p), "many/%s", d->d_name);
			unlink(p);
		}
	t_say("entries seen while unlinking: %d", n);
	closedir(dp);
	list("many");
	R(rmdir("many"));
}

int main(void)
{
	struct stat st;
	char b[100];
	int fd;

	touch("a");
	R(rename("a", "b"));
	R(rename("a", "b"));
	touch("a");
	R(rename("a", "b"));
	touch("a");
	R(renameat2(AT_FDCWD, "a", AT_FDCWD, "b", RENAME_NOREPLACE));
	R(renameat2(AT_FDCWD, "a", AT_FDCWD, "b", RENAME_EXCHANGE));
	R(renameat2(AT_FDCWD, "a", AT_FDCWD, "zz", RENAME_EXCHANGE));
	R(renameat2(AT_FDCWD, "a", AT_FDCWD, "b", RENAME_EXCHANGE | RENAME_NOREPLACE));
	R(renameat2(AT_FDCWD, "a", AT_FDCWD, "b", 0x100));
	R(mkdir("d", 0755));
	R(mkdir("d", 0755));
	R(mkdir("d/e", 0755));
	R(mkdir("x/y", 0755));
	R(mkdir("a/y", 0755));
	R(rename("d", "d/e/f"));
	R(rename("a", "d"));
	R(rename("d", "a"));
	R(rename("d/.", "q"));
	R(rmdir("d"));
	R(rmdir("a"));
	R(rmdir("d/."));
	R(rmdir("d/e/.."));
	R(unlink("d"));
	R(unlink("nothere"));
	R(link("a", "hard"));
	R(link("a", "hard"));
	R(link("d", "hardd"));
	R(rename("a", "hard"));
	Y(access("a", F_OK) == 0);
	stat("a", &st);
	t_say("nlink %ld", (long)st.st_nlink);
	fd = open("a", O_RDWR);
	R(unlink("hard"));
	fstat(fd, &st);
	t_say("nlink %ld", (long)st.st_nlink);
	R(unlink("a"));
	fstat(fd, &st);
	t_say("nlink %ld", (long)st.st_nlink);
	R(write(fd, "still", 5));
	R(pread(fd, b, 10, 0));
	close(fd);
	R(symlink("b", "s"));
	R(symlink("b", "s"));
	R(symlink("", "s2"));
	R(readlink("s", b, sizeof(b)));
	R(readlink("s", b, 0));
	R(readlink("b", b, sizeof(b)));
	lstat("s", &st);
	t_say("link size %ld is link %d", (long)st.st_size, S_ISLNK(st.st_mode));
	R(link("s", "s3"));
	lstat("s3", &st);
	Y(S_ISLNK(st.st_mode));
	R(linkat(AT_FDCWD, "s", AT_FDCWD, "s4", AT_SYMLINK_FOLLOW));
	lstat("s4", &st);
	Y(S_ISREG(st.st_mode));
	R(symlink("d", "sd"));
	R(rmdir("sd"));
	R(unlink("sd/"));
	R(mkdir("sd/in", 0755));
	R(access("d/in", F_OK));
	list(".");
	list("d");
	list("nothere");
	list("b");
	R(chdir("d"));
	Y(getcwd(b, sizeof(b)) && strcmp(strrchr(b, '/'), "/d") == 0);
	R(chdir("../b"));
	R(chdir("nothere"));
	R(mkdir("gone", 0755));
	R(chdir("gone"));
	R(rmdir("../gone"));
	Y(getcwd(b, sizeof(b)) == NULL);
	R(open("new", O_CREAT | O_RDWR, 0600));
	R(chdir(".."));
	R(chdir(".."));
	Y(syscall(SYS_getcwd, b, 3) == -1 && errno == ERANGE);
	cookies();
	R(rename("/", "q"));
	R(unlink("/"));
	R(rmdir("/"));
	return 0;
}
