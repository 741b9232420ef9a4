/* SPDX-License-Identifier: MIT */
/* See fs_test.h; and the main program of the fs/ unit tests. */

#include <stdio.h>
#include <unistd.h>
#include "tests/unit/fs/fs_test.h"

struct cred cred = { .cap_effective = ~0ull };
struct walk_ctx w = { .cred = &cred };
char host_dir[64];

static void set_root(struct path root)
{
	w.root = w.cwd = root;
}
static void make_host_dir(void)
{
	strcpy(host_dir, "/tmp/fstestXXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(host_dir));
}
static int open_host_dir(void)
{
	int fd = open(host_dir, O_PATH | O_DIRECTORY | O_CLOEXEC);

	ck_assert_int_ge(fd, 0);
	return fd;
}
void t_host(const char *command)
{
	char cmd[4096];

	if (!host_dir[0])
		make_host_dir();
	snprintf(cmd, sizeof(cmd), "cd %s && { %s; }", host_dir, command);
	ck_assert_int_eq(system(cmd), 0);
}
static void remove_host_dir(void)
{
	char cmd[128];

	if (!host_dir[0])
		return;
	snprintf(cmd, sizeof(cmd), "rm -rf %s", host_dir);
	ck_assert_int_eq(system(cmd), 0);
}
void t_mount_memfs(void)
{
	struct path root;

	ck_assert_int_eq(vfs_mount_root(&memfs_type, "tmpfs", NULL, 0, &root), 0);
	set_root(root);
}
void t_mount_overlay(void)
{
	struct ovl_params p = { .fd = open_host_dir() };
	struct path root;

	ck_assert_int_eq(vfs_mount_root(&overlay_type, "overlay", &p, 0, &root), 0);
	set_root(root);
}
void t_mount_host(bool writable)
{
	struct hostfs_params p = { .fd = open_host_dir(), .writable = writable };
	struct path root;

	ck_assert_int_eq(vfs_mount_root(&hostfs_type, host_dir, &p, writable ? 0 : 1, &root), 0);
	set_root(root);
}
void t_user(u32 uid)
{
	memset(&cred, 0, sizeof(cred));
	cred.uid = cred.euid = cred.suid = cred.fsuid = uid;
	cred.gid = cred.egid = cred.sgid = cred.fsgid = uid;
	if (!uid)
		cred.cap_effective = ~0ull;
}
ssize t_write_at(struct inode *i, u64 pos, const void *buf, size_t len)
{
	struct iov_iter it;

	iter_init_kernel(&it, (void *)(uintptr_t)buf, len);
	return i->ops->write(i, &it, &pos, false);
}
ssize t_read_at(struct inode *i, u64 pos, void *buf, size_t len)
{
	struct iov_iter it;

	iter_init_kernel(&it, buf, len);
	return i->ops->read(i, &it, pos);
}
static int put(const char *name, const char *text, unsigned flags)
{
	struct path p;
	struct inode *i;
	struct iov_iter it;
	u64 pos = 0;
	ssize n = 0;
	int err = vfs_open(&w, name, O_WRONLY | O_CREAT | flags, 0644, 0, &p);

	if (err)
		return err;
	i = path_inode(&p);
	if (i->ops->open)
		err = i->ops->open(i, O_WRONLY | flags);
	if (!err) {
		iter_init_kernel(&it, (void *)(uintptr_t)text, strlen(text));
		n = strlen(text) ? vfs_write(&p, &it, &pos, (flags & O_APPEND) != 0) : 0;
		if (i->ops->release)
			i->ops->release(i, O_WRONLY | flags);
	}
	path_put(&p);
	return err ? err : n < 0 ? (int)n : 0;
}
int t_put(const char *name, const char *text)
{
	return put(name, text, O_TRUNC);
}
int t_append(const char *name, const char *text)
{
	return put(name, text, O_APPEND);
}
const char *t_get_inode(struct inode *i)
{
	static char buf[65536];
	ssize n = t_read_at(i, 0, buf, sizeof(buf) - 1);

	if (n < 0)
		snprintf(buf, sizeof(buf), "!%s", strerrorname_np((int)-n));
	else
		buf[n] = 0;
	return buf;
}
const char *t_get(const char *name)
{
	static char e[64];
	struct path p;
	const char *s;
	int err = vfs_open(&w, name, O_RDONLY, 0, 0, &p);

	if (!err && path_inode(&p)->ops->open) {
		err = path_inode(&p)->ops->open(path_inode(&p), O_RDONLY);
		if (err)
			path_put(&p);
	}
	if (err) {
		snprintf(e, sizeof(e), "!%s", strerrorname_np(-err));
		return e;
	}
	s = t_get_inode(path_inode(&p));
	if (path_inode(&p)->ops->release)
		path_inode(&p)->ops->release(path_inode(&p), O_RDONLY);
	path_put(&p);
	return s;
}
struct ls {
	struct dir_ctx ctx;
	char names[512][64];
	unsigned n, budget, dots;
};
static bool ls_emit(struct dir_ctx *c, const char *name, unsigned len, u64 ino, unsigned type, s64 next)
{
	struct ls *l = container_of(c, struct ls, ctx);

	(void)type;
	ck_assert_int_gt(next, c->cookie);
	ck_assert(ino != 0);
	if (!l->budget)
		return false;
	l->budget--;
	if ((len == 1 && name[0] == '.') || (len == 2 && !memcmp(name, "..", 2))) {
		l->dots++;
		return true;
	}
	ck_assert_uint_lt(l->n, ARRAY_SIZE(l->names));
	memcpy(l->names[l->n], name, len);
	l->names[l->n++][len] = 0;
	return true;
}
static int by_name(const void *a, const void *b)
{
	return strcmp(a, b);
}
const char *t_ls(const char *name)
{
	static char out[32768];
	struct ls *l = calloc(1, sizeof(*l));
	struct path p;
	unsigned before;
	int err = path_walk(&w, name, WALK_DIRECTORY, &p, NULL);

	l->ctx.emit = ls_emit;
	while (!err) { /* three entries a call, as with a tiny buffer */
		before = l->n + l->dots;
		l->budget = 3;
		err = vfs_readdir(&p, &l->ctx);
		if (err || l->n + l->dots == before)
			break;
	}
	out[0] = 0;
	if (err) {
		snprintf(out, sizeof(out), "!%s", strerrorname_np(-err));
	} else {
		ck_assert_uint_eq(l->dots, 2);
		qsort(l->names, l->n, sizeof(l->names[0]), by_name);
		for (unsigned k = 0; k < l->n; k++) {
			strcat(out, k ? " " : "");
			strcat(out, l->names[k]);
		}
		path_put(&p);
	}
	free(l);
	return out;
}
static int do_stat(const char *name, unsigned flags, struct kstat *st)
{
	struct path p;
	int err = path_walk(&w, name, flags, &p, NULL);

	if (err)
		return err;
	err = vfs_getattr(&p, st);
	path_put(&p);
	return err;
}
int t_stat(const char *name, struct kstat *st)
{
	return do_stat(name, 0, st);
}
int t_lstat(const char *name, struct kstat *st)
{
	return do_stat(name, WALK_NOFOLLOW, st);
}
int t_walk(const char *name, unsigned flags)
{
	struct path p;
	int err = path_walk(&w, name, flags, &p, NULL);

	if (!err)
		path_put(&p);
	return err;
}
static int set(const char *name, const struct iattr *a)
{
	struct path p;
	int err = path_walk(&w, name, 0, &p, NULL);

	if (err)
		return err;
	err = vfs_setattr(&p, a, &cred);
	path_put(&p);
	return err;
}
int t_chmod(const char *name, u32 mode)
{
	return set(name, &(struct iattr){ .valid = ATTR_MODE, .mode = mode });
}
int t_truncate(const char *name, u64 size)
{
	return set(name, &(struct iattr){ .valid = ATTR_SIZE, .size = size });
}
const char *t_name(const char *name)
{
	static char buf[4096];
	struct path p;
	ssize n;

	ck_assert_int_eq(path_walk(&w, name, 0, &p, NULL), 0);
	n = path_name(&p, &w.root, buf, sizeof(buf), true);
	path_put(&p);
	ck_assert_int_eq(n, (ssize)strlen(buf) + 1);
	return buf;
}

int main(int argc, char **argv)
{
	SRunner *r = srunner_create(path_suite());
	int failed;

	srunner_add_suite(r, memfs_suite());
	srunner_add_suite(r, overlay_suite());
	srunner_add_suite(r, hostfs_suite());
	srunner_add_suite(r, flock_suite());
	atexit(remove_host_dir); /* in every test's own process */
	if (argc > 1)
		srunner_run(r, argv[1], NULL, CK_NORMAL);
	else
		srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed != 0;
}
