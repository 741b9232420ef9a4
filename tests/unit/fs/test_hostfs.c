/* SPDX-License-Identifier: MIT */
/* Host directories: read-only, writable, changes under us, the mapped read path, many open names. */
#include "tests/unit/fs/fs_test.h"
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

static void setup(void)
{
	t_host("mkdir -p d/sub; echo -n low > d/f; ln -s f d/l; ln -s ../../../../etc/passwd d/escape; mkfifo pipe; printf '%070000d' 1 > big");
}

START_TEST(read_only_mount_refuses_every_change)
{
	struct path p;

	t_mount_host(false);
	ck_assert_str_eq(t_get("/d/l"), "low");
	ck_assert_str_eq(t_ls("/d"), "escape f l sub");
	ck_assert_int_eq(t_put("/d/f", "x"), -EROFS);
	ck_assert_int_eq(t_put("/d/new", "x"), -EROFS);
	ck_assert_int_eq(vfs_mkdir(&w, "/x", 0755), -EROFS);
	ck_assert_int_eq(vfs_symlink(&w, "x", "/x"), -EROFS);
	ck_assert_int_eq(vfs_unlink(&w, "/d/f"), -EROFS);
	ck_assert_int_eq(vfs_rmdir(&w, "/d/sub"), -EROFS);
	ck_assert_int_eq(vfs_rename(&w, "/d/f", &w, "/x", 0), -EROFS);
	ck_assert_int_eq(t_chmod("/d/f", 0600), -EROFS);
	ck_assert_int_eq(path_walk(&w, "/d/f", 0, &p, NULL), 0);
	ck_assert_int_eq(vfs_link(&p, &w, "/x"), -EROFS);
	ck_assert_int_eq(vfs_setxattr(&p, "user.a", "b", 1, 0, &cred), -EROFS);
	ck_assert_int_eq(path_inode(&p)->ops->open(path_inode(&p), O_RDWR), -EROFS);
	path_put(&p);
	ck_assert_int_eq(t_walk("/d/escape", 0), -ENOENT); /* the link is walked in our tree, not the host's */
	ck_assert_int_eq(t_walk("/../../..", 0), 0);
}
END_TEST

START_TEST(writable_mount_writes_to_the_host)
{
	struct kstat st;
	struct path p;

	t_mount_host(true);
	ck_assert_int_eq(t_put("/d/new", "made"), 0);
	t_host("test $(cat d/new) = made");
	ck_assert_int_eq(t_append("/d/new", "+"), 0);
	t_host("test $(cat d/new) = made+");
	ck_assert_int_eq(vfs_mkdir(&w, "/n", 0750), 0);
	t_host("test $(stat -c %a n) = 750");
	ck_assert_int_eq(vfs_rename(&w, "/d/new", &w, "/n/moved", 0), 0);
	t_host("test $(cat n/moved) = made+ && test ! -e d/new");
	ck_assert_str_eq(t_get("/n/moved"), "made+");
	ck_assert_int_eq(vfs_rename(&w, "/n", &w, "/d/sub/n2", 0), 0);
	sim_clock_advance(2000000000);
	ck_assert_str_eq(t_get("/d/sub/n2/moved"), "made+");
	ck_assert_int_eq(t_chmod("/d/sub/n2/moved", 0400), 0);
	ck_assert_int_eq(t_stat("/d/sub/n2/moved", &st), 0);
	ck_assert_uint_eq(st.mode & 07777, 0400);
	ck_assert_int_eq(t_truncate("/d/sub/n2/moved", 2), 0);
	t_host("test $(cat d/sub/n2/moved) = ma");
	ck_assert_int_eq(vfs_symlink(&w, "f", "/d/l2"), 0);
	ck_assert_str_eq(t_get("/d/l2"), "low");
	ck_assert_int_eq(path_walk(&w, "/d/f", 0, &p, NULL), 0);
	ck_assert_int_eq(vfs_link(&p, &w, "/hard"), 0);
	ck_assert_int_eq(vfs_setattr(&p, &(struct iattr){ .valid = ATTR_MTIME, .mtime_ns = 1000000000123456789 }, &cred), 0);
	ck_assert_int_eq(vfs_getattr(&p, &st), 0);
	ck_assert_int_eq(st.mtime_ns, 1000000000123456789);
	ck_assert_uint_eq(st.nlink, 2);
	ck_assert_int_eq(vfs_unlink(&w, "/d/f"), 0);
	ck_assert_str_eq(t_get_inode(path_inode(&p)), "low");
	path_put(&p);
	ck_assert_int_eq(vfs_rmdir(&w, "/d"), -ENOTEMPTY);
	t_host("test -e hard && test ! -e d/f");
}
END_TEST

START_TEST(special_files_live_in_the_instance)
{
	struct kstat st;
	struct path p;

	t_mount_host(true);
	ck_assert_int_eq(vfs_mknod(&w, "/d/fifo", S_IFIFO | 0600, 0, NULL), 0);
	ck_assert_int_eq(vfs_mknod(&w, "/d/fifo", S_IFIFO | 0600, 0, NULL), -EEXIST);
	dcache_shrink(~0u);
	ck_assert_int_eq(t_lstat("/d/fifo", &st), 0);
	ck_assert_uint_eq(st.mode, S_IFIFO | 0600);
	ck_assert_str_eq(t_ls("/d"), "escape f fifo l sub");
	t_host("test ! -e d/fifo");
	ck_assert_int_eq(vfs_rename(&w, "/d/fifo", &w, "/d/sub/sock", 0), 0);
	ck_assert_str_eq(t_ls("/d/sub"), "sock");
	ck_assert_int_eq(t_walk("/d/fifo", 0), -ENOENT);
	ck_assert_int_eq(vfs_rmdir(&w, "/d/sub"), -ENOTEMPTY);
	ck_assert_int_eq(path_walk(&w, "/d/sub/sock", 0, &p, NULL), 0);
	ck_assert_int_eq(vfs_link(&p, &w, "/linked"), 0);
	path_put(&p);
	ck_assert_int_eq(vfs_rename(&w, "/d/f", &w, "/linked", 0), 0); /* a host file replaces it */
	ck_assert_str_eq(t_get("/linked"), "low");
	ck_assert_int_eq(vfs_rename(&w, "/d/sub/sock", &w, "/linked", 0), 0); /* and it a host file */
	ck_assert_int_eq(t_lstat("/linked", &st), 0);
	ck_assert_uint_eq(st.mode, S_IFIFO | 0600);
	ck_assert_int_eq(vfs_unlink(&w, "/linked"), 0);
	ck_assert_int_eq(t_walk("/linked", 0), -ENOENT);
	ck_assert_int_eq(vfs_rmdir(&w, "/d/sub"), 0);
	t_host("test ! -e linked && test ! -e d/sub");
}
END_TEST

START_TEST(unlinked_open_file_stays_readable)
{
	struct kstat st;
	struct path p;

	t_mount_host(true);
	ck_assert_int_eq(vfs_open(&w, "/d/sub", O_RDONLY, 0, 0, &p), 0);
	ck_assert_int_eq(path_inode(&p)->ops->open(path_inode(&p), O_RDONLY), 0);
	ck_assert_int_eq(vfs_rmdir(&w, "/d/sub"), 0);
	ck_assert_int_eq(vfs_getattr(&p, &st), 0);
	ck_assert_uint_eq(st.nlink, 0);
	path_inode(&p)->ops->release(path_inode(&p), O_RDONLY);
	path_put(&p);
	ck_assert_int_eq(vfs_open(&w, "/d/f", O_RDWR, 0, 0, &p), 0);
	ck_assert_int_eq(path_inode(&p)->ops->open(path_inode(&p), O_RDWR), 0);
	ck_assert_int_eq(vfs_unlink(&w, "/d/f"), 0);
	ck_assert_str_eq(t_get_inode(path_inode(&p)), "low");
	ck_assert_int_eq(t_write_at(path_inode(&p), 0, "LOW", 3), 3);
	ck_assert_str_eq(t_get_inode(path_inode(&p)), "LOW");
	path_inode(&p)->ops->release(path_inode(&p), O_RDWR);
	path_put(&p);
}
END_TEST

START_TEST(size_is_never_frozen)
{
	struct path p;
	struct kstat st;
	char buf[16];

	t_mount_host(false);
	ck_assert_int_eq(vfs_open(&w, "/d/f", O_RDONLY, 0, 0, &p), 0);
	ck_assert_int_eq(path_inode(&p)->ops->open(path_inode(&p), O_RDONLY), 0);
	ck_assert_int_eq(t_read_at(path_inode(&p), 0, buf, 16), 3);
	t_host("echo -n more >> d/f");
	ck_assert_int_eq(t_read_at(path_inode(&p), 3, buf, 16), 4);
	ck_assert_int_eq(vfs_getattr(&p, &st), 0);
	ck_assert_uint_eq(st.size, 7);
	path_inode(&p)->ops->release(path_inode(&p), O_RDONLY);
	path_put(&p);
}
END_TEST

static int maps, map_ids;
static const void *map_window(struct inode *i, int fd, int kmod_id, u64 off, u64 len)
{
	void *p = mmap(NULL, len, PROT_READ, MAP_SHARED, fd, (off_t)off);

	(void)i;
	map_ids += kmod_id == fd + 100;
	maps++;
	return p == MAP_FAILED ? NULL : p;
}

START_TEST(resident_data_comes_from_the_mapping)
{
	static char a[80000];
	struct path p;
	u64 before;

	t_mount_host(false);
	t_host("cat big > /dev/null");
	fs_map_window = map_window;
	ck_assert_int_eq(vfs_open(&w, "/big", O_RDONLY, 0, 0, &p), 0);
	ck_assert_int_eq(path_inode(&p)->ops->open(path_inode(&p), O_RDONLY), 0);
	ck_assert_int_eq(t_read_at(path_inode(&p), 60000, a, 10000), 10000);
	ck_assert_int_eq(maps, 0); /* read once: not worth a mapping */
	for (int n = 0; n < 16; n++) {
		ck_assert_int_eq(t_read_at(path_inode(&p), 100, a, 4096), 4096);
		ck_assert_int_eq(t_read_at(path_inode(&p), 65600, a, 4400), 4400);
	}
	memset(a, 0, sizeof(a));
	ck_assert_int_eq(t_read_at(path_inode(&p), 60000, a, 10000), 10000);
	ck_assert_int_eq(a[9999], '1');
	ck_assert_int_eq(a[0], '0');
	ck_assert_int_ge(maps, 2);
	before = sim_host_calls;
	ck_assert_int_eq(t_read_at(path_inode(&p), 100, a, 4096), 4096);
	ck_assert_uint_eq(sim_host_calls, before); /* no host call at all */
	ck_assert_int_eq(t_read_at(path_inode(&p), 69990, a, 100), 10); /* touches the end: asks */
	ck_assert_int_eq(t_read_at(path_inode(&p), 70000, a, 100), 0);
	path_inode(&p)->ops->release(path_inode(&p), O_RDONLY);
	path_put(&p);
}
END_TEST

/* The module is asked instead of the host, maps, and forgets the file with its descriptor. */
START_TEST(residency_is_the_modules_answer)
{
	static char a[8192];
	struct path p;

	sim_kmod = true;
	t_mount_host(false);
	fs_map_window = map_window;
	maps = map_ids = 0;
	ck_assert_int_eq(vfs_open(&w, "/big", O_RDONLY, 0, 0, &p), 0);
	ck_assert_int_eq(path_inode(&p)->ops->open(path_inode(&p), O_RDONLY), 0);
	for (int n = 0; n < 20; n++)
		ck_assert_int_eq(t_read_at(path_inode(&p), 100, a, 4096), 4096);
	ck_assert_int_eq(sim_kmod_asked, 1);
	ck_assert_int_eq(sim_kmod_files, 1);
	ck_assert_int_ge(maps, 1);
	ck_assert_int_eq(map_ids, maps);
	sim_kmod_prefetched = 0;
	path_inode(&p)->ops->prefetch(path_inode(&p), 0, 130 * MiB);
	ck_assert_uint_eq(sim_kmod_prefetched, 130 * MiB);
	path_inode(&p)->ops->release(path_inode(&p), O_RDONLY);
	path_put(&p);
	dcache_shrink(~0u);
	ck_assert_int_eq(sim_kmod_files, 0);
	sim_kmod = false;
}
END_TEST

START_TEST(more_names_than_descriptors)
{
	char name[64];
	int before = open("/dev/null", O_RDONLY), after;

	close(before);
	t_host("for i in $(seq 700); do mkdir -p t/$i; echo -n $i > t/$i/f; done");
	t_mount_host(false);
	for (int round = 0; round < 2; round++)
		for (int n = 1; n <= 700; n++) {
			snprintf(name, sizeof(name), "/t/%d/f", n);
			ck_assert_int_eq(atoi(t_get(name)), n);
		}
	after = open("/dev/null", O_RDONLY);
	ck_assert_int_le(after, before + 1100); /* at most two for each idle inode */
	close(after);
	dcache_shrink(~0u);
	after = open("/dev/null", O_RDONLY);
	ck_assert_int_le(after, before + 3);
	close(after);
}
END_TEST

START_TEST(names_replaced_on_the_host)
{
	t_mount_host(false);
	ck_assert_str_eq(t_get("/d/f"), "low");
	t_host("mv d d.old; mkdir d; echo -n other > d/f");
	sim_clock_advance(2000000000);
	ck_assert_str_eq(t_get("/d/f"), "other");
	ck_assert_str_eq(t_get("/d.old/f"), "low");
	t_host("rm -r d");
	sim_clock_advance(2000000000);
	ck_assert_str_eq(t_get("/d/f"), "!ENOENT");
}
END_TEST

struct scan {
	struct dir_ctx ctx;
	int seen[400];
	int n, budget;
};
static bool scan_emit(struct dir_ctx *c, const char *name, unsigned len, u64 ino, unsigned type, s64 next)
{
	struct scan *s = container_of(c, struct scan, ctx);

	(void)len;
	(void)ino;
	(void)type;
	(void)next;
	if (!s->budget)
		return false;
	s->budget--;
	s->n++;
	if (name[0] != '.')
		s->seen[atoi(name)]++;
	return true;
}

START_TEST(listing_positions_survive_changes)
{
	struct scan s = { .ctx = { .emit = scan_emit }, .budget = 50 };
	struct path d;

	t_host("mkdir m; for i in $(seq 100 299); do : > m/$i; done");
	t_mount_host(false);
	ck_assert_int_eq(path_walk(&w, "/m", 0, &d, NULL), 0);
	ck_assert_int_eq(vfs_readdir(&d, &s.ctx), 0);
	t_host("cd m; rm 1?0; : > 50; : > 51");
	ck_assert_int_gt(strlen(t_ls("/m")), 100); /* another reader starts over and makes a new listing */
	s.budget = 1000;
	ck_assert_int_eq(vfs_readdir(&d, &s.ctx), 0);
	for (int n = 100; n < 300; n++)
		ck_assert_int_le(s.seen[n], 1);
	for (int n = 200; n < 300; n++)
		ck_assert_int_eq(s.seen[n], 1);
	for (int n = 100; n < 200; n++)
		if (n % 10)
			ck_assert_int_eq(s.seen[n], 1);
	ck_assert_int_eq(s.seen[50], 1);
	path_put(&d);
}
END_TEST

START_TEST(proc_of_the_host_is_not_entered)
{
	struct hostfs_params p = { .fd = open("/", O_PATH | O_DIRECTORY) };
	struct path root;

	ck_assert_int_eq(vfs_mount_root(&hostfs_type, "/", &p, 1, &root), 0);
	w.root = w.cwd = root;
	ck_assert_int_eq(t_walk("/proc", 0), 0);
	ck_assert_int_eq(t_walk("/proc/self", 0), -EACCES);
	ck_assert_str_eq(t_ls("/proc"), "!EACCES");
}
END_TEST

/* A look-up through cached directories asks the host about the last name only, and still sees permissions, links and changes. */
START_TEST(walks_through_cached_directories)
{
	u64 before;

	t_host("chmod 755 .; mkdir -p a/b/c/e; echo -n deep > a/b/c/e/f; ln -s b a/link; ln -s /a/b/c a/b/top; mkdir -m 700 a/b/c/shut; : > a/b/c/shut/x");
	t_mount_host(true);
	ck_assert_int_eq(t_walk("/a/b/c/e/f", 0), 0);
	before = sim_host_calls;
	ck_assert_int_eq(t_walk("/a/b/c/e/f", 0), 0);
	ck_assert_uint_eq(sim_host_calls - before, 1);
	ck_assert_int_eq(t_walk("/a/b/c/e/none", 0), -ENOENT);
	ck_assert_int_eq(t_walk("/a/b/c/e/f/x", 0), -ENOTDIR);
	ck_assert_int_eq(t_walk("/a/b/c/none/f", 0), -ENOENT);
	ck_assert_str_eq(t_get("/a/link/c/./e//f"), "deep");
	ck_assert_str_eq(t_get("/a/link/top/e/f"), "deep");
	ck_assert_str_eq(t_get("/a/b/top/../c/e/../e/f"), "deep");
	ck_assert_int_eq(t_walk("/a/b/c/e/", 0), 0);
	ck_assert_int_eq(t_walk("/a/link/", WALK_NOFOLLOW), 0);
	ck_assert_int_eq(t_walk("/a/b/c/shut/x", 0), 0);
	t_user(1000);
	ck_assert_int_eq(t_walk("/a/b/c/shut/x", 0), -EACCES);
	ck_assert_str_eq(t_get("/a/b/c/e/f"), "deep");
	t_user(0);
	ck_assert_int_eq(t_chmod("/a/b", 0644), 0);
	t_user(1000);
	ck_assert_int_eq(t_walk("/a/b/c/e/f", 0), -EACCES);
	t_user(0);
	ck_assert_int_eq(vfs_rename(&w, "/a/b", &w, "/a/n", 0), 0);
	ck_assert_int_eq(t_walk("/a/b/c/e/f", 0), -ENOENT);
	ck_assert_str_eq(t_get("/a/n/c/e/f"), "deep");
	t_host("mv a/n a/m; mkdir -p a/n/c/e; echo -n other > a/n/c/e/f");
	sim_clock_advance(2000000000);
	ck_assert_str_eq(t_get("/a/n/c/e/f"), "other");
}
END_TEST

START_TEST(nameless_files)
{
	struct kstat st;
	struct path p;

	t_mount_host(true);
	ck_assert_int_eq(vfs_open(&w, "/d/f", 020000000 | O_DIRECTORY | O_RDWR, 0640, 0, &p), -ENOTDIR);
	ck_assert_int_eq(vfs_open(&w, "/d", 020000000 | O_DIRECTORY | O_RDWR, 0640, 0, &p), 0);
	ck_assert_int_eq(path_inode(&p)->ops->open(path_inode(&p), O_RDWR), 0);
	ck_assert_int_eq(t_write_at(path_inode(&p), 0, "hidden", 6), 6);
	ck_assert_str_eq(t_get_inode(path_inode(&p)), "hidden");
	ck_assert_int_eq(vfs_getattr(&p, &st), 0);
	ck_assert_uint_eq(st.nlink, 0);
	ck_assert_uint_eq(st.size, 6);
	ck_assert_uint_eq(st.mode, S_IFREG | 0640);
	t_host("test $(ls d | wc -l) = 4");
	ck_assert_int_eq(vfs_link(&p, &w, "/d/sub/shown"), 0);
	t_host("test $(cat d/sub/shown) = hidden");
	ck_assert_int_eq(vfs_getattr(&p, &st), 0);
	ck_assert_uint_eq(st.nlink, 1);
	path_inode(&p)->ops->release(path_inode(&p), O_RDWR);
	path_put(&p);
	ck_assert_str_eq(t_get("/d/sub/shown"), "hidden");
	ck_assert_int_eq(vfs_open(&w, "/d", 020000000 | O_DIRECTORY | O_RDWR, 0600, 0, &p), 0);
	path_put(&p);
	t_host("test $(ls d | wc -l) = 4 && test $(ls d/sub) = shown");
}
END_TEST

START_TEST(nameless_files_are_refused_read_only)
{
	struct path p;

	t_mount_host(false);
	ck_assert_int_eq(vfs_open(&w, "/d", 020000000 | O_DIRECTORY | O_RDWR, 0600, 0, &p), -EROFS);
}
END_TEST

Suite *hostfs_suite(void)
{
	Suite *s = suite_create("hostfs");
	TCase *t = tcase_create("hostfs");

	tcase_add_checked_fixture(t, setup, NULL);
	tcase_set_timeout(t, 60);
	tcase_add_test(t, read_only_mount_refuses_every_change);
	tcase_add_test(t, writable_mount_writes_to_the_host);
	tcase_add_test(t, special_files_live_in_the_instance);
	tcase_add_test(t, unlinked_open_file_stays_readable);
	tcase_add_test(t, size_is_never_frozen);
	tcase_add_test(t, resident_data_comes_from_the_mapping);
	tcase_add_test(t, residency_is_the_modules_answer);
	tcase_add_test(t, more_names_than_descriptors);
	tcase_add_test(t, names_replaced_on_the_host);
	tcase_add_test(t, listing_positions_survive_changes);
	tcase_add_test(t, proc_of_the_host_is_not_entered);
	tcase_add_test(t, nameless_files);
	tcase_add_test(t, nameless_files_are_refused_read_only);
	tcase_add_test(t, walks_through_cached_directories);
	suite_add_tcase(s, t);
	return s;
}
