/* SPDX-License-Identifier: MIT */
/* The overlay over a real host directory: what shows through, copy-up, whiteouts, renames, listings, identity. */
#include "tests/unit/fs/fs_test.h"
#include <linux/fs.h>
#include <stdio.h>

static void setup(void)
{
	t_host("mkdir -p d/sub e empty; echo -n low > d/f; echo -n two > d/g; ln -s d/f link; echo -n deep > d/sub/x; "
	       "echo -n hard > h1; ln h1 h2; chmod 640 d/g; touch -d 2001-02-03 d/f; printf '%0300000d' 7 > big");
	t_mount_overlay();
}
static void host_is_untouched(void)
{
	t_host("test \"$(ls -R | tr '\\n' ' ')\" = '.: big d e empty h1 h2 link  ./d: f g sub  ./d/sub: x  ./e:  ./empty: ' && "
	       "test $(cat d/f) = low && test $(cat d/g) = two && test $(cat d/sub/x) = deep && test $(cat h1) = hard");
}

START_TEST(lower_files_show_through)
{
	struct kstat st;

	ck_assert_str_eq(t_ls("/"), "big d e empty h1 h2 link");
	ck_assert_str_eq(t_get("/d/f"), "low");
	ck_assert_str_eq(t_get("/link"), "low");
	ck_assert_int_eq(t_stat("/d/g", &st), 0);
	ck_assert_uint_eq(st.mode, S_IFREG | 0640);
	ck_assert_int_eq(t_stat("/h1", &st), 0);
	ck_assert_uint_eq(st.nlink, 2);
	ck_assert_int_eq(t_walk("/nope", 0), -ENOENT);
}
END_TEST

START_TEST(write_copies_up_and_keeps_identity)
{
	struct kstat a, b;

	ck_assert_int_eq(t_stat("/d/g", &a), 0);
	ck_assert_int_eq(t_append("/d/g", "+more"), 0);
	ck_assert_str_eq(t_get("/d/g"), "two+more");
	ck_assert_int_eq(t_stat("/d/g", &b), 0);
	ck_assert_uint_eq(a.ino, b.ino);
	ck_assert_uint_eq(a.dev, b.dev);
	ck_assert_uint_eq(b.mode, S_IFREG | 0640);
	ck_assert_uint_eq(b.size, 8);
	dcache_shrink(~0u); /* forget everything that is not upper */
	ck_assert_int_eq(t_stat("/d/g", &b), 0);
	ck_assert_uint_eq(a.ino, b.ino);
	ck_assert_str_eq(t_get("/d/g"), "two+more");
	ck_assert_str_eq(t_ls("/d"), "f g sub");
	ck_assert_int_eq(t_put("/big", "short"), 0);
	ck_assert_str_eq(t_get("/big"), "short");
	host_is_untouched();
}
END_TEST

START_TEST(copy_up_of_large_file_and_attributes)
{
	struct kstat a, b;
	struct path p;
	char c;

	ck_assert_int_eq(t_stat("/big", &a), 0);
	ck_assert_int_eq(t_chmod("/big", 0600), 0);
	ck_assert_int_eq(t_stat("/big", &b), 0);
	ck_assert_uint_eq(b.size, 300000);
	ck_assert_int_eq(b.mtime_ns, a.mtime_ns);
	ck_assert_uint_eq(b.mode & 07777, 0600);
	ck_assert_int_eq(path_walk(&w, "/big", 0, &p, NULL), 0);
	ck_assert_int_eq(t_read_at(path_inode(&p), 299999, &c, 1), 1);
	ck_assert_int_eq(c, '7');
	path_put(&p);
	ck_assert_int_eq(t_truncate("/d/f", 1), 0);
	ck_assert_str_eq(t_get("/d/f"), "l");
	host_is_untouched();
}
END_TEST

START_TEST(open_file_goes_on_after_copy_up)
{
	struct path p;
	enum map_kind kind;
	int fd;

	ck_assert_int_eq(vfs_open(&w, "/d/f", O_RDONLY, 0, 0, &p), 0);
	ck_assert_int_eq(path_inode(&p)->ops->open(path_inode(&p), O_RDONLY), 0);
	ck_assert_int_eq(path_inode(&p)->ops->map(path_inode(&p), false, true, &kind, &fd), 0);
	ck_assert_int_eq(kind, MAP_KIND_HOST);
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(t_put("/d/f", "changed"), 0);
	ck_assert_str_eq(t_get_inode(path_inode(&p)), "changed");
	ck_assert_int_eq(path_inode(&p)->ops->map(path_inode(&p), true, false, &kind, &fd), 0);
	ck_assert_int_eq(kind, MAP_KIND_ARENA);
	ck_assert_int_eq(vfs_unlink(&w, "/d/f"), 0);
	ck_assert_str_eq(t_get_inode(path_inode(&p)), "changed");
	path_inode(&p)->ops->release(path_inode(&p), O_RDONLY);
	path_put(&p);
}
END_TEST

START_TEST(unlink_leaves_whiteout)
{
	ck_assert_int_eq(vfs_unlink(&w, "/d/f"), 0);
	ck_assert_int_eq(t_walk("/d/f", 0), -ENOENT);
	ck_assert_str_eq(t_ls("/d"), "g sub");
	dcache_shrink(~0u);
	ck_assert_int_eq(t_walk("/d/f", 0), -ENOENT);
	ck_assert_int_eq(vfs_unlink(&w, "/d/f"), -ENOENT);
	ck_assert_int_eq(t_put("/d/f", "new"), 0);
	ck_assert_str_eq(t_get("/d/f"), "new");
	ck_assert_str_eq(t_ls("/d"), "f g sub");
	ck_assert_int_eq(vfs_unlink(&w, "/d/f"), 0);
	ck_assert_int_eq(t_walk("/d/f", 0), -ENOENT);
	ck_assert_int_eq(t_put("/own", "o"), 0);
	ck_assert_int_eq(vfs_unlink(&w, "/own"), 0);
	ck_assert_int_eq(t_walk("/own", 0), -ENOENT);
	host_is_untouched();
}
END_TEST

START_TEST(rmdir_needs_merged_emptiness_and_new_dir_is_opaque)
{
	ck_assert_int_eq(vfs_rmdir(&w, "/d"), -ENOTEMPTY);
	ck_assert_int_eq(vfs_unlink(&w, "/d/f"), 0);
	ck_assert_int_eq(vfs_unlink(&w, "/d/g"), 0);
	ck_assert_int_eq(vfs_rmdir(&w, "/d"), -ENOTEMPTY);
	ck_assert_int_eq(vfs_unlink(&w, "/d/sub/x"), 0);
	ck_assert_int_eq(vfs_rmdir(&w, "/d/sub"), 0);
	ck_assert_int_eq(vfs_rmdir(&w, "/d"), 0);
	ck_assert_int_eq(t_walk("/d", 0), -ENOENT);
	ck_assert_int_eq(vfs_mkdir(&w, "/d", 0755), 0);
	ck_assert_str_eq(t_ls("/d"), "");
	ck_assert_int_eq(t_walk("/d/f", 0), -ENOENT);
	dcache_shrink(~0u);
	ck_assert_str_eq(t_ls("/d"), "");
	ck_assert_int_eq(vfs_mkdir(&w, "/d/sub", 0755), 0);
	ck_assert_str_eq(t_ls("/d/sub"), "");
	ck_assert_int_eq(vfs_rmdir(&w, "/empty"), 0);
	ck_assert_int_eq(t_put("/empty", "now a file"), 0);
	ck_assert_str_eq(t_get("/empty"), "now a file");
	host_is_untouched();
}
END_TEST

START_TEST(rename_of_lower_files)
{
	struct kstat a, b;

	ck_assert_int_eq(t_stat("/d/f", &a), 0);
	ck_assert_int_eq(vfs_rename(&w, "/d/f", &w, "/e/moved", 0), 0);
	ck_assert_int_eq(t_walk("/d/f", 0), -ENOENT);
	ck_assert_str_eq(t_get("/e/moved"), "low");
	ck_assert_int_eq(t_stat("/e/moved", &b), 0);
	ck_assert_uint_eq(a.ino, b.ino);
	ck_assert_int_eq(vfs_rename(&w, "/d/g", &w, "/d/f", 0), 0); /* onto a whiteout */
	ck_assert_str_eq(t_get("/d/f"), "two");
	ck_assert_str_eq(t_ls("/d"), "f sub");
	ck_assert_int_eq(vfs_rename(&w, "/e/moved", &w, "/h1", 0), 0); /* over a lower file */
	ck_assert_str_eq(t_get("/h1"), "low");
	ck_assert_str_eq(t_get("/h2"), "hard");
	ck_assert_int_eq(vfs_rename(&w, "/h1", &w, "/h2", RENAME_EXCHANGE), 0);
	ck_assert_str_eq(t_get("/h1"), "hard");
	ck_assert_str_eq(t_get("/h2"), "low");
	ck_assert_int_eq(vfs_rename(&w, "/h1", &w, "/link", RENAME_NOREPLACE), -EEXIST);
	ck_assert_int_eq(vfs_unlink(&w, "/h1"), 0);
	ck_assert_int_eq(vfs_rename(&w, "/h2", &w, "/h1", RENAME_NOREPLACE), 0);
	dcache_shrink(~0u);
	ck_assert_str_eq(t_ls("/"), "big d e empty h1 link");
	host_is_untouched();
}
END_TEST

START_TEST(rename_of_lower_and_merged_directories)
{
	struct kstat a, b;

	ck_assert_int_eq(t_stat("/d", &a), 0);
	ck_assert_int_eq(vfs_rename(&w, "/d", &w, "/e/d2", 0), 0);
	ck_assert_int_eq(t_walk("/d", 0), -ENOENT);
	ck_assert_str_eq(t_get("/e/d2/f"), "low");
	ck_assert_str_eq(t_get("/e/d2/sub/x"), "deep");
	ck_assert_int_eq(t_stat("/e/d2", &b), 0);
	ck_assert_uint_eq(a.ino, b.ino);
	ck_assert_int_eq(t_put("/e/d2/sub/y", "y"), 0);
	dcache_shrink(~0u);
	ck_assert_str_eq(t_ls("/e/d2/sub"), "x y");
	ck_assert_int_eq(vfs_rename(&w, "/e/d2", &w, "/d", 0), 0); /* back, onto its whiteout */
	ck_assert_str_eq(t_ls("/d/sub"), "x y");
	ck_assert_str_eq(t_ls("/"), "big d e empty h1 h2 link");
	ck_assert_int_eq(vfs_mkdir(&w, "/m", 0755), 0);
	ck_assert_int_eq(vfs_rename(&w, "/m", &w, "/empty", 0), 0);
	ck_assert_int_eq(vfs_rename(&w, "/empty", &w, "/d", 0), -ENOTEMPTY);
	ck_assert_int_eq(vfs_rename(&w, "/d", &w, "/empty", 0), 0);
	ck_assert_str_eq(t_get("/empty/f"), "low");
	ck_assert_str_eq(t_name("/empty/sub/.."), "/empty");
	ck_assert_int_eq(vfs_rename(&w, "/empty", &w, "/e", RENAME_EXCHANGE), 0);
	ck_assert_str_eq(t_ls("/e"), "f g sub");
	ck_assert_str_eq(t_ls("/empty"), "");
	host_is_untouched();
}
END_TEST

START_TEST(hard_links_below_stay_one_file)
{
	struct kstat a, b;
	struct path p;

	ck_assert_int_eq(t_put("/h1", "written"), 0);
	dcache_shrink(~0u);
	ck_assert_str_eq(t_get("/h2"), "written");
	ck_assert_int_eq(t_stat("/h1", &a), 0);
	ck_assert_int_eq(t_stat("/h2", &b), 0);
	ck_assert_uint_eq(a.ino, b.ino);
	ck_assert_int_eq(vfs_unlink(&w, "/h1"), 0);
	ck_assert_str_eq(t_get("/h2"), "written");
	ck_assert_int_eq(vfs_rename(&w, "/h2", &w, "/h3", 0), 0);
	ck_assert_str_eq(t_get("/h3"), "written");
	ck_assert_int_eq(t_walk("/h2", 0), -ENOENT);
	ck_assert_int_eq(path_walk(&w, "/d/g", 0, &p, NULL), 0);
	ck_assert_int_eq(vfs_link(&p, &w, "/e/g2"), 0);
	path_put(&p);
	ck_assert_int_eq(t_append("/e/g2", "!"), 0);
	ck_assert_str_eq(t_get("/d/g"), "two!");
	host_is_untouched();
}
END_TEST

START_TEST(listing_merges_and_survives_copy_up_in_the_middle)
{
	char name[32], want[8192] = "";

	t_host("mkdir many; for i in $(seq 100 299); do : > many/$i; done");
	for (int n = 100; n < 300; n += 3) {
		snprintf(name, sizeof(name), "/many/%d", n);
		ck_assert_int_eq(vfs_unlink(&w, name), 0);
	}
	for (int n = 101; n < 300; n += 3) {
		snprintf(name, sizeof(name), "/many/%d", n);
		ck_assert_int_eq(t_put(name, "up"), 0);
	}
	for (int n = 300; n < 350; n++) {
		snprintf(name, sizeof(name), "/many/%d", n);
		ck_assert_int_eq(t_put(name, "up"), 0);
	}
	for (int n = 100; n < 350; n++)
		if (n >= 300 || (n - 100) % 3) {
			snprintf(name, sizeof(name), "%s%d", want[0] ? " " : "", n);
			strcat(want, name);
		}
	ck_assert_str_eq(t_ls("/many"), want);
}
END_TEST

struct chmod_scan {
	struct dir_ctx ctx;
	char name[300][16];
	int n, budget;
};
static bool chmod_emit(struct dir_ctx *c, const char *name, unsigned len, u64 ino, unsigned type, s64 next)
{
	struct chmod_scan *s = container_of(c, struct chmod_scan, ctx);

	(void)ino;
	(void)type;
	(void)next;
	if (!s->budget)
		return false;
	s->budget--;
	if (name[0] == '.')
		return true;
	memcpy(s->name[s->n], name, len);
	s->name[s->n++][len] = 0;
	return true;
}

START_TEST(scan_that_copies_up_ahead_of_itself_sees_each_name_once)
{
	struct chmod_scan *s = calloc(1, sizeof(*s));
	char name[32];
	struct path d;
	int last = -1;

	t_host("mkdir many; for i in $(seq 100 199); do : > many/$i; done");
	ck_assert_int_eq(path_walk(&w, "/many", 0, &d, NULL), 0);
	s->ctx.emit = chmod_emit;
	while (s->n > last) {
		last = s->n;
		s->budget = 7;
		ck_assert_int_eq(vfs_readdir(&d, &s->ctx), 0);
		for (int n = 100 + 2 * last; n < 200 && n < 110 + 2 * last; n++) {
			snprintf(name, sizeof(name), "/many/%d", 299 - n);
			ck_assert_int_eq(t_chmod(name, 0600), 0);
		}
		if (last < 0)
			last = 0;
		if (s->n == 0)
			last = -1;
	}
	ck_assert_int_eq(s->n, 100);
	qsort(s->name, (size_t)s->n, 16, (int (*)(const void *, const void *))strcmp);
	for (int n = 1; n < s->n; n++)
		ck_assert_str_ne(s->name[n - 1], s->name[n]);
	path_put(&d);
	free(s);
}
END_TEST

START_TEST(host_changes_are_seen)
{
	struct kstat st;

	ck_assert_str_eq(t_get("/d/f"), "low");
	t_host("echo -n longer-now > d/f; echo -n n > d/new; rm d/g");
	sim_clock_advance(2000000000);
	ck_assert_str_eq(t_get("/d/f"), "longer-now");
	ck_assert_int_eq(t_stat("/d/f", &st), 0);
	ck_assert_uint_eq(st.size, 10);
	ck_assert_str_eq(t_get("/d/new"), "n");
	ck_assert_int_eq(t_walk("/d/g", 0), -ENOENT);
	t_host("mv d/new d/f");
	ck_assert_str_eq(t_get("/d/f"), "n");
}
END_TEST

START_TEST(special_files_and_errors)
{
	struct kstat st;

	ck_assert_int_eq(vfs_mknod(&w, "/fifo", S_IFIFO | 0600, 0, NULL), 0);
	ck_assert_int_eq(t_lstat("/fifo", &st), 0);
	ck_assert_uint_eq(st.mode, S_IFIFO | 0600);
	ck_assert_int_eq(vfs_mknod(&w, "/d/null", S_IFCHR | 0666, RDEV(1, 3), NULL), 0);
	ck_assert_int_eq(t_lstat("/d/null", &st), 0);
	ck_assert_uint_eq(st.rdev, RDEV(1, 3));
	ck_assert_int_eq(vfs_symlink(&w, "d/f", "/sl"), 0);
	ck_assert_str_eq(t_get("/sl"), "low");
	ck_assert_int_eq(vfs_mkdir(&w, "/d", 0755), -EEXIST);
	ck_assert_int_eq(vfs_mkdir(&w, "/d/sub/deeper", 0755), 0);
	ck_assert_str_eq(t_ls("/d/sub"), "deeper x");
	ck_assert_int_eq(vfs_rename(&w, "/d", &w, "/d/sub/deeper/no", 0), -EINVAL);
	host_is_untouched();
}
END_TEST

START_TEST(no_memory_during_copy_up_changes_nothing)
{
	for (int n = 1; n < 80; n++) {
		int err;

		dcache_shrink(~0u);
		sim_fail_after = n;
		err = vfs_rename(&w, "/d", &w, "/renamed", 0);
		sim_fail_after = 0;
		if (!err)
			ck_assert_int_eq(vfs_rename(&w, "/renamed", &w, "/d", 0), 0);
		else
			ck_assert(err == -ENOMEM || err == -ENOSPC);
		sim_fail_after = n;
		err = t_append("/d/f", "x");
		sim_fail_after = 0;
		ck_assert(err == 0 || err == -ENOMEM || err == -ENOSPC);
		ck_assert_str_eq(t_ls("/d"), "f g sub");
	}
	host_is_untouched();
}
END_TEST

START_TEST(cached_path_asks_the_host_once)
{
	u64 before;
	struct kstat st;

	ck_assert_int_eq(t_stat("/d/sub/x", &st), 0);
	before = sim_host_calls;
	ck_assert_int_eq(t_stat("/d/sub/x", &st), 0);
	ck_assert_uint_le(sim_host_calls - before, 2); /* one; two when the sanitizers are slow */
	before = sim_host_calls;
	ck_assert_int_eq(t_walk("/d/sub", 0), 0);
	ck_assert_uint_eq(sim_host_calls - before, 0);
}
END_TEST

START_TEST(whole_root_layout)
{
	struct fs_volume v[2];
	struct fs_root_cfg cfg = { .mode = FS_ROOT_OVERLAY, .source = "/", .volumes = v, .nr_volumes = 2 };
	struct path root;
	char name[128];

	t_host("mkdir vol; echo -n v > vol/in; echo -n single > one");
	cfg.host_dir_fd = open(host_dir, O_PATH | O_DIRECTORY);
	snprintf(name, sizeof(name), "%s/vol", host_dir);
	v[0] = (struct fs_volume){ .host_fd = open(name, O_PATH | O_DIRECTORY), .dst = "/mnt/a/b", .src = name };
	snprintf(name, sizeof(name), "%s/one", host_dir);
	v[1] = (struct fs_volume){ .host_fd = open(name, O_RDONLY), .dst = "/etc/one", .src = name, .ro = true, .is_file = true };
	fs_init();
	ck_assert_int_eq(fs_build_root(&cfg, &root), 0);
	w.root = w.cwd = root;
	ck_assert_str_eq(t_get("/mnt/a/b/in"), "v");
	ck_assert_int_eq(t_put("/mnt/a/b/out", "back"), 0);
	t_host("test $(cat vol/out) = back && test ! -e dev && test ! -e mnt");
	ck_assert_str_eq(t_get("/etc/one"), "single");
	ck_assert_int_eq(t_put("/etc/one", "no"), -EROFS);
	ck_assert_int_eq(t_walk("/dev/null", 0), 0);
	ck_assert_int_eq(t_put("/dev/shm/x", "x"), 0);
}
END_TEST

Suite *overlay_suite(void)
{
	Suite *s = suite_create("overlay");
	TCase *t = tcase_create("overlay");

	tcase_add_checked_fixture(t, setup, NULL);
	tcase_set_timeout(t, 60);
	tcase_add_test(t, lower_files_show_through);
	tcase_add_test(t, write_copies_up_and_keeps_identity);
	tcase_add_test(t, copy_up_of_large_file_and_attributes);
	tcase_add_test(t, open_file_goes_on_after_copy_up);
	tcase_add_test(t, unlink_leaves_whiteout);
	tcase_add_test(t, rmdir_needs_merged_emptiness_and_new_dir_is_opaque);
	tcase_add_test(t, rename_of_lower_files);
	tcase_add_test(t, rename_of_lower_and_merged_directories);
	tcase_add_test(t, hard_links_below_stay_one_file);
	tcase_add_test(t, listing_merges_and_survives_copy_up_in_the_middle);
	tcase_add_test(t, scan_that_copies_up_ahead_of_itself_sees_each_name_once);
	tcase_add_test(t, host_changes_are_seen);
	tcase_add_test(t, special_files_and_errors);
	tcase_add_test(t, no_memory_during_copy_up_changes_nothing);
	tcase_add_test(t, cached_path_asks_the_host_once);
	tcase_add_test(t, whole_root_layout);
	suite_add_tcase(s, t);
	return s;
}
