/* SPDX-License-Identifier: MIT */
/* Path walking, mounts, open(2)'s path half, permissions: on memfs. */
#include "fs/vfs_internal.h"
#include "tests/unit/fs/fs_test.h"
#include <linux/fs.h>
#include <linux/inotify.h>

static void setup(void)
{
	t_mount_memfs();
	ck_assert_int_eq(vfs_mkdir(&w, "/d", 0755), 0);
	ck_assert_int_eq(vfs_mkdir(&w, "/d/e", 0755), 0);
	ck_assert_int_eq(t_put("/d/f", "text"), 0);
}

START_TEST(walk_names_dots_and_slashes)
{
	struct kstat a, b;

	ck_assert_int_eq(t_stat("/d/e/../../d/./e", &a), 0);
	ck_assert_int_eq(t_stat("//d///e/", &b), 0);
	ck_assert_uint_eq(a.ino, b.ino);
	ck_assert_int_eq(t_stat("/..", &a), 0);
	ck_assert_int_eq(t_stat("/", &b), 0);
	ck_assert_uint_eq(a.ino, b.ino);
	ck_assert_int_eq(t_walk("", 0), -ENOENT);
	ck_assert_int_eq(t_walk("/none", 0), -ENOENT);
	ck_assert_int_eq(t_walk("/none/x", 0), -ENOENT);
	ck_assert_int_eq(t_walk("/d/f/x", 0), -ENOTDIR);
	ck_assert_int_eq(t_walk("/d/f/", 0), -ENOTDIR);
	ck_assert_int_eq(t_walk("/d/f/.", 0), -ENOTDIR);
	ck_assert_int_eq(t_walk("/d/f/..", 0), -ENOTDIR);
	ck_assert_int_eq(t_walk("/d/f", WALK_DIRECTORY), -ENOTDIR);
	ck_assert_int_eq(t_walk("d/f", 0), 0);
}
END_TEST

START_TEST(walk_long_names)
{
	char name[5000];

	memset(name, 'x', sizeof(name));
	name[0] = '/';
	name[256] = 0;
	ck_assert_int_eq(t_walk(name, 0), -ENOENT);
	ck_assert_int_eq(t_put(name, "long"), 0);
	ck_assert_str_eq(t_get(name), "long");
	name[256] = 'x';
	name[257] = 0;
	ck_assert_int_eq(t_walk(name, 0), -ENAMETOOLONG);
	memset(name, '/', sizeof(name));
	name[4096] = 0;
	ck_assert_int_eq(t_walk(name, 0), -ENAMETOOLONG);
	name[4095] = 0;
	ck_assert_int_eq(t_walk(name, 0), 0);
}
END_TEST

START_TEST(symlinks_are_followed_in_every_position)
{
	struct kstat st;

	ck_assert_int_eq(vfs_symlink(&w, "/d", "/abs"), 0);
	ck_assert_int_eq(vfs_symlink(&w, "../d/f", "/d/rel"), 0);
	ck_assert_int_eq(vfs_symlink(&w, "rel", "/d/chain"), 0);
	ck_assert_int_eq(vfs_symlink(&w, "/", "/root"), 0);
	ck_assert_int_eq(vfs_symlink(&w, "d/", "/slash"), 0);
	ck_assert_str_eq(t_get("/abs/chain"), "text");
	ck_assert_str_eq(t_get("/root/root/abs/f"), "text");
	ck_assert_int_eq(t_walk("/root", WALK_DIRECTORY), 0);
	ck_assert_int_eq(t_lstat("/abs", &st), 0);
	ck_assert_uint_eq(st.mode & S_IFMT, S_IFLNK);
	ck_assert_int_eq(t_lstat("/abs/", &st), 0); /* the slash means "follow" */
	ck_assert_uint_eq(st.mode & S_IFMT, S_IFDIR);
	ck_assert_int_eq(t_walk("/slash", 0), 0);
	ck_assert_int_eq(t_walk("/d/chain/", 0), -ENOTDIR);
	ck_assert_int_eq(t_walk("/abs/../abs/e/..", 0), 0);
	ck_assert_str_eq(t_name("/abs/chain"), "/d/f");
}
END_TEST

START_TEST(symlink_loops_and_depth_limit)
{
	char a[16], b[16];

	ck_assert_int_eq(vfs_symlink(&w, "self", "/self"), 0);
	ck_assert_int_eq(t_walk("/self", 0), -ELOOP);
	ck_assert_int_eq(t_walk("/self", WALK_NOFOLLOW), 0);
	ck_assert_int_eq(t_walk("/self/x", 0), -ELOOP);
	ck_assert_int_eq(vfs_symlink(&w, "d/f", "/l0"), 0);
	for (int n = 1; n <= 40; n++) {
		snprintf(a, sizeof(a), "l%d", n - 1);
		snprintf(b, sizeof(b), "/l%d", n);
		ck_assert_int_eq(vfs_symlink(&w, a, b), 0);
	}
	ck_assert_str_eq(t_get("/l39"), "text"); /* 40 links */
	ck_assert_int_eq(t_walk("/l40", 0), -ELOOP);
}
END_TEST

START_TEST(open_creates_through_dangling_link)
{
	struct path p;

	ck_assert_int_eq(vfs_symlink(&w, "d/new", "/dangling"), 0);
	ck_assert_int_eq(t_walk("/dangling", 0), -ENOENT);
	ck_assert_int_eq(vfs_open(&w, "/dangling", O_WRONLY | O_CREAT | O_EXCL, 0600, 0, &p), -EEXIST);
	ck_assert_int_eq(vfs_open(&w, "/dangling", O_WRONLY | O_CREAT | O_NOFOLLOW, 0600, 0, &p), -ELOOP);
	ck_assert_int_eq(t_put("/dangling", "made"), 0);
	ck_assert_str_eq(t_get("/d/new"), "made");
	ck_assert_int_eq(vfs_symlink(&w, "nodir/new", "/dangling2"), 0);
	ck_assert_int_eq(t_put("/dangling2", "x"), -ENOENT);
}
END_TEST

START_TEST(open_flag_errors)
{
	struct path p;

	ck_assert_int_eq(vfs_open(&w, "/d", O_WRONLY, 0, 0, &p), -EISDIR);
	ck_assert_int_eq(vfs_open(&w, "/d", O_RDONLY | O_CREAT, 0, 0, &p), -EISDIR);
	ck_assert_int_eq(vfs_open(&w, "/", O_RDONLY | O_CREAT, 0, 0, &p), -EISDIR);
	ck_assert_int_eq(vfs_open(&w, "/d/f/", O_RDONLY | O_CREAT, 0, 0, &p), -EISDIR);
	ck_assert_int_eq(vfs_open(&w, "/d/f", O_RDONLY | O_DIRECTORY, 0, 0, &p), -ENOTDIR);
	ck_assert_int_eq(vfs_open(&w, "/d/f", O_RDONLY | O_CREAT | O_EXCL, 0, 0, &p), -EEXIST);
	ck_assert_int_eq(vfs_open(&w, "/d", O_RDONLY | 020000000 | O_DIRECTORY, 0, 0, &p), -EINVAL);
	ck_assert_int_eq(vfs_open(&w, "/d", O_RDWR | 020000000 | O_DIRECTORY | O_CREAT, 0600, 0, &p), -EINVAL);
	ck_assert_int_eq(vfs_symlink(&w, "f", "/d/l"), 0);
	ck_assert_int_eq(vfs_open(&w, "/d/l", O_RDONLY | O_NOFOLLOW, 0, 0, &p), -ELOOP);
	ck_assert_int_eq(vfs_open(&w, "/d/l", O_PATH | O_NOFOLLOW, 0, 0, &p), 0);
	path_put(&p);
	ck_assert_int_eq(inode_deny_write(({ ck_assert_int_eq(path_walk(&w, "/d/f", 0, &p, NULL), 0); path_inode(&p); })), 0);
	ck_assert_int_eq(t_put("/d/f", "x"), -ETXTBSY);
	inode_allow_write(path_inode(&p));
	path_put(&p);
}
END_TEST

START_TEST(tmpfile_has_no_name_until_linked)
{
	struct kstat st;
	struct path p;

	ck_assert_int_eq(vfs_open(&w, "/d", O_RDWR | 020000000 | O_DIRECTORY, 0640, 0, &p), 0);
	ck_assert_int_eq(t_write_at(path_inode(&p), 0, "tmp", 3), 3);
	ck_assert_int_eq(vfs_getattr(&p, &st), 0);
	ck_assert_uint_eq(st.nlink, 0);
	ck_assert_uint_eq(st.mode, S_IFREG | 0640);
	ck_assert_str_eq(t_ls("/d"), "e f");
	ck_assert_int_eq(vfs_link(&p, &w, "/d/named"), 0);
	path_put(&p);
	ck_assert_str_eq(t_get("/d/named"), "tmp");
}
END_TEST

START_TEST(resolve_flags)
{
	struct walk_ctx in = w;
	struct path p;

	ck_assert_int_eq(path_walk(&w, "/d", 0, &in.cwd, NULL), 0);
	ck_assert_int_eq(vfs_symlink(&w, "/f", "/d/abs"), 0);
	ck_assert_int_eq(vfs_symlink(&w, "..", "/d/up"), 0);
	ck_assert_int_eq(path_walk(&in, "../d/f", WALK_BENEATH, &p, NULL), -EXDEV);
	ck_assert_int_eq(path_walk(&in, "/f", WALK_BENEATH, &p, NULL), -EXDEV);
	ck_assert_int_eq(path_walk(&in, "abs", WALK_BENEATH, &p, NULL), -EXDEV);
	ck_assert_int_eq(path_walk(&in, "up/d/f", WALK_BENEATH, &p, NULL), -EXDEV);
	ck_assert_int_eq(path_walk(&in, "e/../f", WALK_BENEATH, &p, NULL), 0);
	path_put(&p);
	ck_assert_int_eq(path_walk(&in, "/../../f", WALK_IN_ROOT, &p, NULL), 0);
	path_put(&p);
	ck_assert_int_eq(path_walk(&in, "abs", WALK_IN_ROOT, &p, NULL), 0);
	path_put(&p);
	ck_assert_int_eq(path_walk(&in, "up/e", WALK_IN_ROOT, &p, NULL), 0);
	path_put(&p);
	ck_assert_int_eq(path_walk(&in, "abs", WALK_NO_SYMLINKS, &p, NULL), -ELOOP);
	ck_assert_int_eq(path_walk(&in, "abs", WALK_NO_SYMLINKS | WALK_NOFOLLOW, &p, NULL), 0);
	path_put(&p);
	path_put(&in.cwd);
}
END_TEST

/* A directory moved out of the confined tree while the walk stands in it must not become a way out. */
START_TEST(confined_walk_ends_at_a_rename)
{
	struct walk_ctx in = w;
	struct walk k;

	ck_assert_int_eq(path_walk(&w, "/d", 0, &in.cwd, NULL), 0);
	for (unsigned n = 0; n < 2; n++) {
		ck_assert_int_eq(walk_start(&k, &in, "e/../../f", n ? WALK_IN_ROOT : WALK_BENEATH), 0);
		ck_assert_int_eq(vfs_rename(&w, n ? "/moved" : "/d/e", &w, n ? "/d/e" : "/moved", 0), 0);
		if (!n)
			ck_assert_int_eq(vfs_mkdir(&w, "/d/e", 0755), 0);
		ck_assert_int_eq(walk_to_last(&k), -EAGAIN);
		walk_end(&k);
		if (!n)
			ck_assert_int_eq(vfs_rmdir(&w, "/d/e"), 0);
	}
	ck_assert_int_eq(walk_start(&k, &w, "d/e/../f", 0), 0); /* an ordinary walk does not mind */
	ck_assert_int_eq(vfs_rename(&w, "/d/f", &w, "/d/g", 0), 0);
	ck_assert_int_eq(walk_to_last(&k), 0);
	walk_end(&k);
	path_put(&in.cwd);
}
END_TEST

START_TEST(mounts_are_crossed_both_ways)
{
	struct path at, p;
	struct kstat st, root;

	ck_assert_int_eq(path_walk(&w, "/d/e", 0, &at, NULL), 0);
	ck_assert_int_eq(vfs_mount(&memfs_type, "tmpfs", "mode=0700,size=64k", NULL, 0, &at), 0);
	path_put(&at);
	ck_assert_int_eq(t_put("/d/e/inside", "in"), 0);
	ck_assert_str_eq(t_get("/d/e/inside"), "in");
	ck_assert_str_eq(t_get("/d/e/../f"), "text");
	ck_assert_str_eq(t_name("/d/e/inside"), "/d/e/inside");
	ck_assert_int_eq(t_stat("/d/e", &st), 0);
	ck_assert_int_eq(t_stat("/", &root), 0);
	ck_assert_uint_ne(st.dev, root.dev);
	ck_assert_uint_eq(st.mode & 07777, 0700);
	ck_assert_int_eq(t_walk("/d/e/inside", WALK_NO_XDEV), -EXDEV);
	ck_assert_int_eq(vfs_rmdir(&w, "/d/e"), -EBUSY);
	ck_assert_int_eq(vfs_rename(&w, "/d/e", &w, "/x", 0), -EBUSY);
	ck_assert_int_eq(vfs_rename(&w, "/d/e/inside", &w, "/x", 0), -EXDEV);
	ck_assert_int_eq(path_walk(&w, "/d/e/inside", 0, &p, NULL), 0);
	ck_assert_int_eq(vfs_link(&p, &w, "/x"), -EXDEV);
	ck_assert_int_eq(path_walk(&w, "/d/e", 0, &at, NULL), 0);
	ck_assert_int_eq(vfs_umount(&at, 0), -EBUSY);
	path_put(&p);
	ck_assert_int_eq(vfs_umount(&at, 0), 0);
	path_put(&at);
	ck_assert_int_eq(t_walk("/d/e/inside", 0), -ENOENT);
	ck_assert_int_eq(vfs_rmdir(&w, "/d/e"), 0);
}
END_TEST

START_TEST(bind_mount_of_a_file_and_read_only)
{
	struct path from, at;

	ck_assert_int_eq(t_put("/target", "old"), 0);
	ck_assert_int_eq(path_walk(&w, "/d/f", 0, &from, NULL), 0);
	ck_assert_int_eq(path_walk(&w, "/target", 0, &at, NULL), 0);
	ck_assert_int_eq(vfs_bind(&from, &at, 1 /* MS_RDONLY */), 0);
	ck_assert_str_eq(t_get("/target"), "text");
	ck_assert_int_eq(t_put("/target", "no"), -EROFS);
	ck_assert_int_eq(t_chmod("/target", 0600), -EROFS);
	ck_assert_int_eq(t_put("/d/f", "yes"), 0);
	ck_assert_str_eq(t_get("/target"), "yes");
	path_put(&from);
	path_put(&at);
}
END_TEST

START_TEST(names_of_deleted_and_unreachable)
{
	char buf[64];
	struct path p, d;

	ck_assert_int_eq(path_walk(&w, "/d/f", 0, &p, NULL), 0);
	ck_assert_int_eq(vfs_unlink(&w, "/d/f"), 0);
	ck_assert_int_gt(path_name(&p, &w.root, buf, sizeof(buf), true), 0);
	ck_assert_str_eq(buf, "/d/f (deleted)");
	path_put(&p);
	ck_assert_int_eq(path_walk(&w, "/d/e", 0, &p, NULL), 0);
	ck_assert_int_eq(path_walk(&w, "/d", 0, &d, NULL), 0);
	ck_assert_int_gt(path_name(&p, &d, buf, sizeof(buf), false), 0);
	ck_assert_str_eq(buf, "/e");
	ck_assert_int_gt(path_name(&d, &p, buf, sizeof(buf), false), 0);
	ck_assert_str_eq(buf, "(unreachable)/d");
	ck_assert_int_eq(path_name(&p, &w.root, buf, 4, false), -ENAMETOOLONG);
	ck_assert_int_eq(vfs_rmdir(&w, "/d/e"), 0);
	struct walk_ctx gone = { .root = w.root, .cwd = p, .cred = &cred };
	ck_assert_int_eq(vfs_mkdir(&gone, "new", 0755), -ENOENT);
	ck_assert_int_eq(path_walk(&gone, "..", 0, &d, NULL), 0);
	path_put(&p);
}
END_TEST

START_TEST(permissions_of_an_ordinary_user)
{
	struct path p;

	ck_assert_int_eq(t_put("/d/secret", "s"), 0);
	ck_assert_int_eq(t_chmod("/d/secret", 0600), 0);
	ck_assert_int_eq(vfs_mkdir(&w, "/closed", 0700), 0);
	ck_assert_int_eq(t_put("/closed/x", "x"), 0);
	ck_assert_int_eq(vfs_mkdir(&w, "/sticky", 01777), 0);
	ck_assert_int_eq(t_put("/sticky/roots", "r"), 0);
	t_user(1000);
	ck_assert_str_eq(t_get("/d/f"), "text");
	ck_assert_str_eq(t_get("/d/secret"), "!EACCES");
	ck_assert_str_eq(t_get("/closed/x"), "!EACCES");
	ck_assert_int_eq(t_put("/d/f", "x"), -EACCES);
	ck_assert_int_eq(t_put("/d/mine", "x"), -EACCES);
	ck_assert_int_eq(vfs_unlink(&w, "/d/f"), -EACCES);
	ck_assert_int_eq(t_chmod("/d/f", 0777), -EPERM);
	ck_assert_int_eq(t_put("/sticky/mine", "m"), 0);
	ck_assert_int_eq(vfs_unlink(&w, "/sticky/roots"), -EPERM);
	ck_assert_int_eq(vfs_rename(&w, "/sticky/roots", &w, "/sticky/stolen", 0), -EPERM);
	ck_assert_int_eq(vfs_rename(&w, "/sticky/mine", &w, "/sticky/roots", 0), -EPERM);
	ck_assert_int_eq(vfs_mknod(&w, "/sticky/dev", S_IFCHR | 0666, RDEV(1, 3), NULL), -EPERM);
	ck_assert_int_eq(path_walk(&w, "/sticky/mine", 0, &p, NULL), 0);
	ck_assert_int_eq(vfs_setattr(&p, &(struct iattr){ .valid = ATTR_UID, .uid = 0 }, &cred), -EPERM);
	ck_assert_int_eq(vfs_permission(&p, 2, &cred), 0);
	ck_assert_int_eq(vfs_permission(&p, 1, &cred), -EACCES);
	path_put(&p);
	ck_assert_int_eq(vfs_unlink(&w, "/sticky/mine"), 0);
	t_user(0);
	ck_assert_int_eq(path_walk(&w, "/d/f", 0, &p, NULL), 0);
	ck_assert_int_eq(vfs_permission(&p, 1, &cred), -EACCES); /* root too needs some x bit */
	path_put(&p);
}
END_TEST

START_TEST(set_group_id_directories_and_chown)
{
	struct kstat st;
	struct path p;

	ck_assert_int_eq(path_walk(&w, "/d", 0, &p, NULL), 0);
	ck_assert_int_eq(vfs_setattr(&p, &(struct iattr){ .valid = ATTR_GID, .gid = 77 }, &cred), 0);
	ck_assert_int_eq(vfs_setattr(&p, &(struct iattr){ .valid = ATTR_MODE, .mode = 02775 }, &cred), 0);
	path_put(&p);
	ck_assert_int_eq(vfs_mkdir(&w, "/d/sub", 0755), 0);
	ck_assert_int_eq(t_stat("/d/sub", &st), 0);
	ck_assert_uint_eq(st.gid, 77);
	ck_assert_uint_eq(st.mode, S_IFDIR | 02755);
	ck_assert_int_eq(t_put("/d/suid", ""), 0);
	ck_assert_int_eq(t_chmod("/d/suid", 06755), 0);
	ck_assert_int_eq(path_walk(&w, "/d/suid", 0, &p, NULL), 0);
	ck_assert_int_eq(vfs_setattr(&p, &(struct iattr){ .valid = ATTR_UID, .uid = 5 }, &cred), 0);
	path_put(&p);
	ck_assert_int_eq(t_stat("/d/suid", &st), 0);
	ck_assert_uint_eq(st.mode, S_IFREG | 0755);
	ck_assert_uint_eq(st.uid, 5);
}
END_TEST

START_TEST(rename_matrix)
{
	struct kstat a, b;

	ck_assert_int_eq(t_put("/a", "A"), 0);
	ck_assert_int_eq(t_put("/b", "B"), 0);
	ck_assert_int_eq(vfs_mkdir(&w, "/empty", 0755), 0);
	ck_assert_int_eq(vfs_rename(&w, "/none", &w, "/x", 0), -ENOENT);
	ck_assert_int_eq(vfs_rename(&w, "/a", &w, "/none/x", 0), -ENOENT);
	ck_assert_int_eq(vfs_rename(&w, "/a", &w, "/d", 0), -EISDIR);
	ck_assert_int_eq(vfs_rename(&w, "/d", &w, "/a", 0), -ENOTDIR);
	ck_assert_int_eq(vfs_rename(&w, "/d", &w, "/d/e/x", 0), -EINVAL);
	ck_assert_int_eq(vfs_rename(&w, "/d/e", &w, "/d", 0), -ENOTEMPTY);
	ck_assert_int_eq(vfs_rename(&w, "/empty", &w, "/d", 0), -ENOTEMPTY);
	ck_assert_int_eq(vfs_rename(&w, "/a", &w, "/x/", 0), -ENOTDIR);
	ck_assert_int_eq(vfs_rename(&w, "/a/", &w, "/x", 0), -ENOTDIR);
	ck_assert_int_eq(vfs_rename(&w, "/d/.", &w, "/x", 0), -EBUSY);
	ck_assert_int_eq(vfs_rename(&w, "/", &w, "/x", 0), -EBUSY);
	ck_assert_int_eq(vfs_rename(&w, "/a", &w, "/b", RENAME_NOREPLACE), -EEXIST);
	ck_assert_int_eq(vfs_rename(&w, "/a", &w, "/zz", RENAME_EXCHANGE), -ENOENT);
	ck_assert_int_eq(vfs_rename(&w, "/a", &w, "/b", RENAME_EXCHANGE | RENAME_NOREPLACE), -EINVAL);
	ck_assert_int_eq(vfs_rename(&w, "/a", &w, "/b", 0x80), -EINVAL);
	ck_assert_int_eq(vfs_rename(&w, "/a", &w, "/d", RENAME_EXCHANGE), 0);
	ck_assert_str_eq(t_get("/d"), "A");
	ck_assert_str_eq(t_ls("/a"), "e f");
	ck_assert_int_eq(vfs_rename(&w, "/a", &w, "/d", RENAME_EXCHANGE), 0);
	ck_assert_int_eq(vfs_rename(&w, "/a", &w, "/d/e/moved-to-a-rather-long-name", 0), 0);
	ck_assert_str_eq(t_get("/d/e/moved-to-a-rather-long-name"), "A");
	ck_assert_int_eq(t_walk("/a", 0), -ENOENT);
	ck_assert_int_eq(vfs_rename(&w, "/d/e/moved-to-a-rather-long-name", &w, "/b", 0), 0);
	ck_assert_str_eq(t_get("/b"), "A");
	ck_assert_int_eq(vfs_rename(&w, "/d", &w, "/empty", 0), 0);
	ck_assert_str_eq(t_ls("/empty"), "e f");
	ck_assert_str_eq(t_name("/empty/e/.."), "/empty");
	ck_assert_int_eq(vfs_rename(&w, "/empty/e", &w, "/e2/", 0), 0);
	ck_assert_int_eq(t_stat("/e2/..", &a), 0);
	ck_assert_int_eq(t_stat("/", &b), 0);
	ck_assert_uint_eq(a.ino, b.ino);
	ck_assert_uint_eq(b.nlink, 4);
	ck_assert_int_eq(vfs_rename(&w, "/b", &w, "/b", 0), 0);
	ck_assert_int_eq(vfs_rename(&w, "/b", &w, "/c", RENAME_WHITEOUT), 0);
	ck_assert_int_eq(t_lstat("/b", &a), 0);
	ck_assert_uint_eq(a.mode & S_IFMT, S_IFCHR);
}
END_TEST

START_TEST(hard_links_share_everything)
{
	struct kstat st;
	struct path p;

	ck_assert_int_eq(path_walk(&w, "/d/f", 0, &p, NULL), 0);
	ck_assert_int_eq(vfs_link(&p, &w, "/g"), 0);
	ck_assert_int_eq(vfs_link(&p, &w, "/g"), -EEXIST);
	ck_assert_int_eq(t_stat("/g", &st), 0);
	ck_assert_uint_eq(st.nlink, 2);
	ck_assert_uint_eq(st.ino, path_inode(&p)->ino);
	ck_assert_int_eq(vfs_rename(&w, "/g", &w, "/d/f", 0), 0); /* same file: nothing happens */
	ck_assert_int_eq(t_walk("/g", 0), 0);
	ck_assert_int_eq(vfs_unlink(&w, "/d/f"), 0);
	path_put(&p);
	ck_assert_str_eq(t_get("/g"), "text");
	ck_assert_int_eq(path_walk(&w, "/d", 0, &p, NULL), 0);
	ck_assert_int_eq(vfs_link(&p, &w, "/h"), -EPERM);
	path_put(&p);
}
END_TEST

START_TEST(removal_errors)
{
	ck_assert_int_eq(vfs_rmdir(&w, "/d"), -ENOTEMPTY);
	ck_assert_int_eq(vfs_rmdir(&w, "/d/f"), -ENOTDIR);
	ck_assert_int_eq(vfs_rmdir(&w, "/d/e/."), -EINVAL);
	ck_assert_int_eq(vfs_rmdir(&w, "/d/e/.."), -ENOTEMPTY);
	ck_assert_int_eq(vfs_rmdir(&w, "/"), -EBUSY);
	ck_assert_int_eq(vfs_unlink(&w, "/d"), -EISDIR);
	ck_assert_int_eq(vfs_unlink(&w, "/d/f/"), -ENOTDIR);
	ck_assert_int_eq(vfs_unlink(&w, "/none"), -ENOENT);
	ck_assert_int_eq(vfs_mkdir(&w, "/d", 0755), -EEXIST);
	ck_assert_int_eq(vfs_mkdir(&w, "/", 0755), -EEXIST);
	ck_assert_int_eq(vfs_mkdir(&w, "/n/", 0755), 0);
	ck_assert_int_eq(vfs_symlink(&w, "", "/s"), -ENOENT);
	ck_assert_int_eq(vfs_rmdir(&w, "/d/e/"), 0);
}
END_TEST

static char events[1024];
static void record(struct inode *dir, struct inode *i, const char *name, unsigned len, u32 event, u32 cookie)
{
	char line[128];

	(void)i;
	(void)cookie;
	snprintf(line, sizeof(line), "%x:%.*s%s ", event, (int)len, name ? name : "", dir ? "" : "-");
	strncat(events, line, sizeof(events) - strlen(events) - 1);
}

START_TEST(events_are_reported)
{
	fs_notify_hook = record;
	ck_assert_int_eq(t_put("/d/n", "x"), 0);
	ck_assert_int_eq(vfs_rename(&w, "/d/n", &w, "/m", 0), 0);
	ck_assert_int_eq(t_chmod("/m", 0600), 0);
	ck_assert_int_eq(vfs_unlink(&w, "/m"), 0);
	ck_assert_int_eq(vfs_mkdir(&w, "/k", 0700), 0);
	fs_notify_hook = NULL;
	ck_assert_str_eq(events, "100:n 2:n 40:n 80:m 800:- 4:m 400:- 200:m 40000100:k ");
}
END_TEST

START_TEST(no_memory_fails_cleanly_everywhere)
{
	for (int n = 1; n < 60; n++) {
		int err;

		sim_fail_after = n;
		err = t_put("/oom", "data");
		if (!err)
			err = vfs_mkdir(&w, "/oomdir", 0755);
		if (!err)
			err = vfs_symlink(&w, "oom", "/oomdir/a-symlink-with-a-long-name-indeed");
		if (!err)
			err = vfs_rename(&w, "/oom", &w, "/oomdir/new-name-that-is-rather-long-too", 0);
		sim_fail_after = 0;
		ck_assert(err == 0 || err == -ENOMEM || err == -ENOSPC);
		(void)vfs_unlink(&w, "/oom");
		(void)vfs_unlink(&w, "/oomdir/new-name-that-is-rather-long-too");
		(void)vfs_unlink(&w, "/oomdir/a-symlink-with-a-long-name-indeed");
		(void)vfs_rmdir(&w, "/oomdir");
		ck_assert_str_eq(t_ls("/"), "d");
	}
}
END_TEST

START_TEST(nothing_leaks)
{
	u64 before;

	dcache_shrink(~0u);
	before = sim_mem_live();
	ck_assert_int_eq(vfs_mkdir(&w, "/t", 0755), 0);
	for (int n = 0; n < 200; n++) {
		char name[64];

		snprintf(name, sizeof(name), "/t/file-with-a-name-longer-than-inline-%d", n);
		ck_assert_int_eq(t_put(name, "data"), 0);
	}
	for (int n = 0; n < 200; n++) {
		char name[64];

		snprintf(name, sizeof(name), "/t/file-with-a-name-longer-than-inline-%d", n);
		ck_assert_int_eq(vfs_unlink(&w, name), 0);
	}
	ck_assert_int_eq(vfs_rmdir(&w, "/t"), 0);
	dcache_shrink(~0u);
	ck_assert_uint_eq(sim_mem_live(), before);
}
END_TEST

Suite *path_suite(void)
{
	Suite *s = suite_create("path");
	TCase *t = tcase_create("path");

	tcase_add_checked_fixture(t, setup, NULL);
	tcase_set_timeout(t, 20);
	tcase_add_test(t, walk_names_dots_and_slashes);
	tcase_add_test(t, walk_long_names);
	tcase_add_test(t, symlinks_are_followed_in_every_position);
	tcase_add_test(t, symlink_loops_and_depth_limit);
	tcase_add_test(t, open_creates_through_dangling_link);
	tcase_add_test(t, open_flag_errors);
	tcase_add_test(t, tmpfile_has_no_name_until_linked);
	tcase_add_test(t, resolve_flags);
	tcase_add_test(t, confined_walk_ends_at_a_rename);
	tcase_add_test(t, mounts_are_crossed_both_ways);
	tcase_add_test(t, bind_mount_of_a_file_and_read_only);
	tcase_add_test(t, names_of_deleted_and_unreachable);
	tcase_add_test(t, permissions_of_an_ordinary_user);
	tcase_add_test(t, set_group_id_directories_and_chown);
	tcase_add_test(t, rename_matrix);
	tcase_add_test(t, hard_links_share_everything);
	tcase_add_test(t, removal_errors);
	tcase_add_test(t, events_are_reported);
	tcase_add_test(t, no_memory_fails_cleanly_everywhere);
	tcase_add_test(t, nothing_leaks);
	suite_add_tcase(s, t);
	return s;
}
