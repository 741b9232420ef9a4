/* SPDX-License-Identifier: MIT */
/* guest: opts=-v $dir:$dir */
/* Files of the host with several names: each name works whatever became of the others. */
#include "t.h"

int main(void)
{
	char name[40], b[10] = "";
	struct stat st;
	int fd = open("first", O_RDWR | O_CREAT, 0600), bad = 0;

	write(fd, "data", 4);
	close(fd);
	for (int i = 0; i < 50; i++) {
		snprintf(name, sizeof(name), "link%d", i);
		bad += link("first", name);
		bad += stat(name, &st);
	}
	R(bad);
	R(stat("first", &st));
	R(st.st_nlink);
	for (int i = 0; i < 50; i++) {
		snprintf(name, sizeof(name), "link%d", i);
		bad += unlink(name);
	}
	R(bad);
	R(link("first", "again"));
	R(chmod("first", 0640));
	R(stat("again", &st));
	R(st.st_mode & 0777);
	R(unlink("again"));
	fd = open("first", O_RDONLY);
	R(read(fd, b, 10));
	R(truncate("first", 2));
	R(stat("first", &st));
	R(st.st_size);
	R(rename("first", "second"));
	R(link("second", "third"));
	R(unlink("second"));
	R(access("third", R_OK));
	R(stat("third", &st));
	R(st.st_nlink);
	return 0;
}
