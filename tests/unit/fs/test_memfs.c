/* SPDX-License-Identifier: MIT */
/* memfs: data (sparse files, truncation, mappings' pages), directories while being read, attributes, limits, seals. */
#include "tests/unit/fs/fs_test.h"
#include <linux/falloc.h>
#include <stdio.h>

static struct path file;

static void setup(void)
{
	t_mount_memfs();
	ck_assert_int_eq(vfs_open(&w, "/file", O_RDWR | O_CREAT, 0644, 0, &file), 0);
}
static u64 blocks(void)
{
	struct kstat st;

	ck_assert_int_eq(vfs_getattr(&file, &st), 0);
	return st.blocks;
}
static u64 size(void)
{
	struct kstat st;

	ck_assert_int_eq(vfs_getattr(&file, &st), 0);
	return st.size;
}
static bool all_zero(const char *p, size_t n)
{
	while (n--)
		if (*p++)
			return false;
	return true;
}

START_TEST(sparse_file_over_a_gigabyte)
{
	struct inode *i = path_inode(&file);
	char buf[8192];

	ck_assert_int_eq(t_write_at(i, 5 * GiB + 100, "far", 3), 3);
	ck_assert_uint_eq(size(), 5 * GiB + 103);
	ck_assert_uint_le(blocks(), 16 * 8);
	memset(buf, 1, sizeof(buf));
	ck_assert_int_eq(t_read_at(i, 3 * GiB + 1, buf, sizeof(buf)), sizeof(buf));
	ck_assert(all_zero(buf, sizeof(buf)));
	ck_assert_int_eq(t_read_at(i, 5 * GiB + 98, buf, sizeof(buf)), 5);
	ck_assert_mem_eq(buf, "\0\0far", 5);
	ck_assert_int_eq(t_read_at(i, 5 * GiB + 103, buf, 1), 0);
	ck_assert_int_eq(i->ops->seek_data(i, 0, false), 5 * GiB);
	ck_assert_int_eq(i->ops->seek_data(i, 0, true), 0);
	ck_assert_int_eq(i->ops->seek_data(i, 5 * GiB + 5, true), 5 * GiB + 103);
	ck_assert_int_eq(i->ops->seek_data(i, 6 * GiB, true), -ENXIO);
	ck_assert_int_eq(t_write_at(i, INT64_MAX - 1, "xy", 2), 1);
	ck_assert_int_eq(t_write_at(i, INT64_MAX, "x", 1), -EFBIG);
}
END_TEST

START_TEST(data_round_trip_at_odd_offsets)
{
	struct inode *i = path_inode(&file);
	size_t n = 700001;
	char *in = malloc(n), *out = malloc(n);

	for (size_t k = 0; k < n; k++)
		in[k] = (char)(k * 7 + k / 4096);
	for (size_t at = 0; at < n;) {
		size_t len = MIN((size_t)(at % 9 == 0 ? 200000 : 1 + at % 12345), n - at);

		ck_assert_int_eq(t_write_at(i, at + 3, in + at, len), (ssize)len);
		at += len;
	}
	ck_assert_int_eq(t_read_at(i, 3, out, n), (ssize)n);
	ck_assert_mem_eq(in, out, n);
	ck_assert_int_eq(t_truncate("/file", 5), 0);
	ck_assert_int_eq(t_truncate("/file", 300000), 0);
	ck_assert_int_eq(t_read_at(i, 0, out, n), 300000);
	ck_assert_mem_eq(out + 3, in, 2);
	ck_assert(all_zero(out + 5, 299995));
	ck_assert_int_eq(t_truncate("/file", 0), 0);
	ck_assert_uint_eq(blocks(), 0);
	free(in);
	free(out);
}
END_TEST

START_TEST(truncate_returns_pages)
{
	static char big[4 * 1024 * 1024];
	u64 before = page_used_bytes();

	memset(big, 'x', sizeof(big));
	ck_assert_int_eq(t_write_at(path_inode(&file), 0, big, sizeof(big)), sizeof(big));
	ck_assert_uint_ge(page_used_bytes() - before, sizeof(big));
	ck_assert_int_eq(t_truncate("/file", 1), 0);
	ck_assert_uint_le(page_used_bytes() - before, 65536 + 4096);
	ck_assert_int_eq(vfs_unlink(&w, "/file"), 0);
	path_put(&file);
	ck_assert_uint_eq(page_used_bytes(), before);
}
END_TEST

START_TEST(bad_program_memory_gives_short_counts)
{
	struct iov_seg seg[3] = { { "abc", 3 }, { (void *)8, 100 }, { "def", 3 } };
	struct iov_iter it;
	u64 pos = 0;

	iter_init(&it, seg, 3, false);
	ck_assert_int_eq(vfs_write(&file, &it, &pos, false), 3);
	ck_assert_uint_eq(pos, 3);
	ck_assert_int_eq(vfs_write(&file, &it, &pos, false), -EFAULT);
	ck_assert_uint_eq(size(), 3);
	pos = 4096; /* a whole page beyond the end, of which nothing comes */
	iter_init(&it, &seg[1], 1, false);
	seg[1].len = 4096;
	ck_assert_int_eq(vfs_write(&file, &it, &pos, false), -EFAULT);
	ck_assert_uint_eq(size(), 3);
	iter_init(&it, &seg[1], 1, false);
	ck_assert_int_eq(vfs_read(&file, &it, 0), -EFAULT);
}
END_TEST

START_TEST(append_goes_to_the_end)
{
	ck_assert_int_eq(t_append("/file", "one"), 0);
	ck_assert_int_eq(t_append("/file", "two"), 0);
	ck_assert_str_eq(t_get("/file"), "onetwo");
}
END_TEST

START_TEST(punch_zero_and_preallocate)
{
	struct inode *i = path_inode(&file);
	static char buf[256 * 1024];

	memset(buf, 'a', sizeof(buf));
	ck_assert_int_eq(t_write_at(i, 0, buf, sizeof(buf)), sizeof(buf));
	ck_assert_int_eq(vfs_fallocate(&file, FALLOC_FL_PUNCH_HOLE, 0, 4096), -EOPNOTSUPP);
	ck_assert_int_eq(vfs_fallocate(&file, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 100, 70000), 0);
	ck_assert_int_eq(t_read_at(i, 0, buf, 80000), 80000);
	ck_assert(buf[99] == 'a' && all_zero(buf + 100, 70000) && buf[70100] == 'a');
	ck_assert_int_eq(i->ops->seek_data(i, 0, true), 4096);
	ck_assert_int_eq(i->ops->seek_data(i, 4096, false), 69632);
	ck_assert_int_eq(vfs_fallocate(&file, FALLOC_FL_ZERO_RANGE, 80000, 1000), 0);
	ck_assert_int_eq(t_read_at(i, 80000, buf, 1001), 1001);
	ck_assert(all_zero(buf, 1000) && buf[1000] == 'a');
	ck_assert_int_eq(t_truncate("/file", 10), 0);
	ck_assert_int_eq(vfs_fallocate(&file, FALLOC_FL_KEEP_SIZE, 0, 100000), 0);
	ck_assert_uint_eq(size(), 10);
	ck_assert_uint_ge(blocks(), 100000 / 512);
	ck_assert_int_eq(vfs_fallocate(&file, 0, 0, 100000), 0);
	ck_assert_uint_eq(size(), 100000);
	ck_assert_int_eq(vfs_fallocate(&file, FALLOC_FL_COLLAPSE_RANGE, 0, 4096), -EOPNOTSUPP);
	ck_assert_int_eq(vfs_fallocate(&file, 0, 0, 0), -EINVAL);
}
END_TEST

START_TEST(mapped_pages_stay_the_file_through_truncation)
{
	struct inode *i = path_inode(&file);
	enum map_kind kind;
	int fd;
	void *p, *q, *hole;
	char c;

	ck_assert_int_eq(i->ops->map(i, true, true, &kind, &fd), 0);
	ck_assert_int_eq(kind, MAP_KIND_ARENA);
	ck_assert_int_eq(i->ops->get_page(i, 0, true, &p), -ENXIO);
	ck_assert_int_eq(t_truncate("/file", 1 << 20), 0);
	ck_assert_int_eq(i->ops->get_page(i, 3, false, &hole), 0);
	ck_assert_ptr_null(hole);
	ck_assert_int_eq(i->ops->get_page(i, 3, true, &p), 0);
	ck_assert_int_eq(i->ops->get_page(i, 4, true, &q), 0);
	ck_assert_ptr_eq((char *)p + 4096, q); /* contiguous, so that a mapping is one piece */
	strcpy(p, "hello");
	ck_assert_int_eq(t_read_at(i, 3 * 4096 + 1, &c, 1), 1);
	ck_assert_int_eq(c, 'e');
	ck_assert_int_eq(t_write_at(i, 3 * 4096, "J", 1), 1);
	ck_assert_str_eq(p, "Jello");
	ck_assert_int_eq(t_truncate("/file", 0), 0);
	ck_assert(all_zero(p, 4096));
	strcpy(p, "beyond");
	ck_assert_int_eq(t_truncate("/file", 1 << 20), 0);
	i->ops->put_page(i, 3, p);
	i->ops->put_page(i, 4, q);
	ck_assert_int_eq(t_truncate("/file", 0), 0);
	ck_assert_uint_eq(blocks(), 0);
}
END_TEST

START_TEST(limits_give_enospc)
{
	static char buf[128 * 1024];
	struct path at, p;
	struct kstatfs st;

	ck_assert_int_eq(vfs_mkdir(&w, "/small", 0755), 0);
	ck_assert_int_eq(path_walk(&w, "/small", 0, &at, NULL), 0);
	ck_assert_int_eq(vfs_mount(&memfs_type, "tmpfs", "size=96k", NULL, 0, &at), 0);
	path_put(&at);
	ck_assert_int_eq(vfs_open(&w, "/small/f", O_RDWR | O_CREAT, 0644, 0, &p), 0);
	memset(buf, 1, sizeof(buf));
	ck_assert_int_eq(t_write_at(path_inode(&p), 0, buf, sizeof(buf)), 96 * 1024);
	ck_assert_int_eq(t_write_at(path_inode(&p), 96 * 1024, buf, 1), -ENOSPC);
	ck_assert_int_eq(vfs_statfs(&p, &st), 0);
	ck_assert_uint_eq(st.blocks, 24);
	ck_assert_uint_eq(st.bfree, 0);
	path_put(&p);
	ck_assert_int_eq(vfs_unlink(&w, "/small/f"), 0);
	ck_assert_int_eq(vfs_open(&w, "/small", O_RDONLY, 0644, 0, &p), 0);
	ck_assert_int_eq(vfs_statfs(&p, &st), 0);
	ck_assert_uint_eq(st.bfree, 24);
	path_put(&p);
	sim_mem_set_limit(page_used_bytes() + 300 * 1024);
	for (int n = 0; n < 3; n++)
		(void)t_write_at(path_inode(&file), (u64)n * sizeof(buf), buf, sizeof(buf));
	ck_assert_int_eq(t_write_at(path_inode(&file), 3 * sizeof(buf), buf, sizeof(buf)), -ENOSPC);
}
END_TEST

struct scan {
	struct dir_ctx ctx;
	int seen[3000];
	int n;
	int budget;
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

START_TEST(readdir_while_removing_misses_and_repeats_nothing)
{
	struct scan *s = calloc(1, sizeof(*s));
	struct path d;
	char name[32];
	int last;

	ck_assert_int_eq(vfs_mkdir(&w, "/many", 0755), 0);
	for (int n = 0; n < 2000; n++) {
		snprintf(name, sizeof(name), "/many/%d", n);
		ck_assert_int_eq(t_put(name, ""), 0);
	}
	ck_assert_int_eq(path_walk(&w, "/many", 0, &d, NULL), 0);
	s->ctx.emit = scan_emit;
	do { /* as rm -r does, and with new files coming */
		last = s->n;
		s->budget = 100;
		ck_assert_int_eq(vfs_readdir(&d, &s->ctx), 0);
		for (int n = 0; n < 2000; n++)
			if (s->seen[n] == 1 && n % 2 == 0) {
				snprintf(name, sizeof(name), "/many/%d", n);
				(void)vfs_unlink(&w, name);
			}
		if (s->n < 500) {
			snprintf(name, sizeof(name), "/many/%d", 2000 + s->n);
			ck_assert_int_eq(t_put(name, ""), 0);
		}
	} while (s->n > last);
	for (int n = 0; n < 2000; n++)
		ck_assert_int_eq(s->seen[n], 1);
	for (int n = 2000; n < 3000; n++)
		ck_assert_int_le(s->seen[n], 1);
	path_put(&d);
	free(s);
}
END_TEST

START_TEST(extended_attributes)
{
	char buf[64];

	ck_assert_int_eq(vfs_setxattr(&file, "user.a", "1", 1, 0, &cred), 0);
	ck_assert_int_eq(vfs_setxattr(&file, "user.a", "22", 2, 1 /* CREATE */, &cred), -EEXIST);
	ck_assert_int_eq(vfs_setxattr(&file, "user.b", "22", 2, 2 /* REPLACE */, &cred), -ENODATA);
	ck_assert_int_eq(vfs_setxattr(&file, "trusted.t", "", 0, 0, &cred), 0);
	ck_assert_int_eq(vfs_setxattr(&file, "bogus.t", "", 0, 0, &cred), -EOPNOTSUPP);
	ck_assert_int_eq(vfs_getxattr(&file, "user.a", buf, 64), 1);
	ck_assert_int_eq(vfs_getxattr(&file, "user.a", NULL, 0), 1);
	ck_assert_int_eq(vfs_setxattr(&file, "user.a", "longer", 6, 0, &cred), 0);
	ck_assert_int_eq(vfs_getxattr(&file, "user.a", buf, 3), -ERANGE);
	ck_assert_int_eq(vfs_getxattr(&file, "user.zz", buf, 3), -ENODATA);
	ck_assert_int_eq(vfs_listxattr(&file, buf, 64), 7 + 10);
	ck_assert_int_eq(vfs_listxattr(&file, buf, 5), -ERANGE);
	ck_assert_int_eq(vfs_removexattr(&file, "user.a", &cred), 0);
	ck_assert_int_eq(vfs_removexattr(&file, "user.a", &cred), -ENODATA);
}
END_TEST

START_TEST(sealed_nameless_files)
{
	struct path p;
	char buf[64];

	ck_assert_int_eq(memfs_new_file("/memfd:x", 0777, 0, 0, &p), 0);
	ck_assert_int_gt(path_name(&p, &w.root, buf, sizeof(buf), true), 0);
	ck_assert_str_eq(buf, "/memfd:x (deleted)");
	ck_assert_int_eq(memfs_add_seals(path_inode(&p), F_SEAL_WRITE), -EPERM);
	memfs_allow_sealing(path_inode(&p));
	ck_assert_int_eq(t_write_at(path_inode(&p), 0, "abc", 3), 3);
	ck_assert_int_eq(memfs_add_seals(path_inode(&p), F_SEAL_GROW | F_SEAL_SHRINK), 0);
	ck_assert_int_eq(t_write_at(path_inode(&p), 0, "abcd", 4), -EPERM);
	ck_assert_int_eq(vfs_truncate(path_inode(&p), 1), -EPERM);
	ck_assert_int_eq(memfs_add_seals(path_inode(&p), F_SEAL_WRITE | F_SEAL_SEAL), 0);
	ck_assert_int_eq(t_write_at(path_inode(&p), 0, "x", 1), -EPERM);
	ck_assert_int_eq(memfs_get_seals(path_inode(&p)), F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_WRITE | F_SEAL_SEAL);
	ck_assert_int_eq(memfs_get_seals(path_inode(&file)), -EINVAL);
	path_put(&p);
}
END_TEST

START_TEST(device_tree)
{
	struct path at;
	struct kstat st;

	ck_assert_int_eq(vfs_mkdir(&w, "/dev", 0755), 0);
	ck_assert_int_eq(path_walk(&w, "/dev", 0, &at, NULL), 0);
	fs_init();
	ck_assert_int_eq(vfs_mount(&memfs_type, "devtmpfs", "mode=0755", NULL, 0, &at), 0);
	path_put(&at);
	ck_assert_int_eq(path_walk(&w, "/dev", 0, &at, NULL), 0);
	ck_assert_int_eq(devfs_populate(&at), 0);
	path_put(&at);
	ck_assert_str_eq(t_ls("/dev"), "console fd full null ptmx pts random shm stderr stdin stdout tty urandom zero");
	ck_assert_int_eq(t_stat("/dev/urandom", &st), 0);
	ck_assert_uint_eq(st.rdev, RDEV(1, 9));
	ck_assert_uint_eq(st.mode, S_IFCHR | 0666);
	ck_assert_int_eq(t_stat("/dev/shm", &st), 0);
	ck_assert_uint_eq(st.mode, S_IFDIR | 01777);
	ck_assert_int_eq(t_put("/dev/shm/s", "shared"), 0);
	ck_assert_str_eq(t_get("/dev/shm/s"), "shared");
}
END_TEST

Suite *memfs_suite(void)
{
	Suite *s = suite_create("memfs");
	TCase *t = tcase_create("memfs");

	tcase_add_checked_fixture(t, setup, NULL);
	tcase_set_timeout(t, 30);
	tcase_add_test(t, sparse_file_over_a_gigabyte);
	tcase_add_test(t, data_round_trip_at_odd_offsets);
	tcase_add_test(t, truncate_returns_pages);
	tcase_add_test(t, bad_program_memory_gives_short_counts);
	tcase_add_test(t, append_goes_to_the_end);
	tcase_add_test(t, punch_zero_and_preallocate);
	tcase_add_test(t, mapped_pages_stay_the_file_through_truncation);
	tcase_add_test(t, limits_give_enospc);
	tcase_add_test(t, readdir_while_removing_misses_and_repeats_nothing);
	tcase_add_test(t, extended_attributes);
	tcase_add_test(t, sealed_nameless_files);
	tcase_add_test(t, device_tree);
	suite_add_tcase(s, t);
	return s;
}
