/* SPDX-License-Identifier: MIT */
/* inotify: events of create, write, rename, delete, and removal of watches. */
#include "t.h"
#include <sys/inotify.h>

static int in;

static void drain(const char *what)
{
	char b[4096] __attribute__((aligned(8)));
	ssize_t n;

	printf("%s:", what);
	while ((n = read(in, b, sizeof(b))) > 0)
		for (char *p = b; p < b + n;) {
			struct inotify_event *e = (void *)p;

			printf(" %x%s%s%s", e->mask, e->len ? "=" : "", e->len ? e->name : "",
			       e->cookie ? "+" : "");
			p += sizeof(*e) + e->len;
		}
	printf(" %s\n", n == -1 ? strerrorname_np(errno) : "eof");
}

int main(void)
{
	int w, w2, fd;
	char b[8];

	R(inotify_init1(3));
	in = inotify_init1(IN_NONBLOCK);
	drain("nothing");
	mkdir("d", 0755);
	R(inotify_add_watch(in, "nothere", IN_CREATE));
	R(inotify_add_watch(in, "d", 0));
	R(w = inotify_add_watch(in, "d", IN_ALL_EVENTS));
	R(inotify_add_watch(in, "d", IN_ALL_EVENTS));
	fd = open("d/f", O_CREAT | O_RDWR, 0644);
	drain("create");
	write(fd, "x", 1);
	drain("write");
	pread(fd, b, 1, 0);
	drain("read");
	ftruncate(fd, 0);
	drain("truncate");
	close(fd);
	drain("close");
	chmod("d/f", 0600);
	drain("chmod");
	rename("d/f", "d/g");
	drain("rename");
	mkdir("d/sub", 0755);
	drain("mkdir");
	rmdir("d/sub");
	drain("rmdir");
	R(w2 = inotify_add_watch(in, "d/g", IN_DELETE_SELF | IN_ATTRIB));
	unlink("d/g");
	drain("unlink");
	R(inotify_rm_watch(in, w2));
	R(inotify_rm_watch(in, w));
	drain("rm_watch");
	inotify_add_watch(in, "d", IN_CREATE | IN_ONESHOT | IN_ONLYDIR);
	mkdir("d/1", 0755);
	mkdir("d/2", 0755);
	drain("oneshot");
	R(inotify_add_watch(in, "d/1", IN_DELETE_SELF));
	rmdir("d/1");
	drain("delete_self");
	return 0;
}
