/* SPDX-License-Identifier: MIT */
/* What is in /dev: names, numbers, modes. How the devices behave is userlib/file's business (chrdev_register). */
#include "fs/memfs.h"
#include "fs/rootfs.h"
#include "fs/vfs_internal.h"

static const struct {
	const char *name;
	u32 mode, major, minor;
} nodes[] = {
	{ "null", 0666, 1, 3 },	  { "zero", 0666, 1, 5 },    { "full", 0666, 1, 7 },	{ "random", 0666, 1, 8 },
	{ "urandom", 0666, 1, 9 }, { "tty", 0666, 5, 0 }, { "console", 0600, 5, 1 }, { "ptmx", 0666, 5, 2 },
};

static const struct {
	const char *name, *target;
} links[] = {
	{ "fd", "/proc/self/fd" },
	{ "stdin", "/proc/self/fd/0" },
	{ "stdout", "/proc/self/fd/1" },
	{ "stderr", "/proc/self/fd/2" },
};

static int mount_below(const struct walk_ctx *w, const char *name, const char *type, const char *options)
{
	const struct fs_type *t = fs_type_find(type);
	struct path p;
	int err = vfs_mkdir(w, name, 0755);

	if (err || !t)
		return err;
	err = path_walk(w, name, WALK_DIRECTORY, &p, NULL);
	if (err)
		return err;
	err = vfs_mount(t, type, options, NULL, 2u | 8u /* nosuid, noexec */, &p);
	path_put(&p);
	return err;
}

int devfs_populate(const struct path *dev)
{
	const struct cred root = { .cap_effective = ~0ull };
	struct walk_ctx w = { .root = *dev, .cwd = *dev, .cred = &root };
	int err = 0;

	for (size_t n = 0; n < ARRAY_SIZE(nodes) && !err; n++)
		err = vfs_mknod(&w, nodes[n].name, S_IFCHR | nodes[n].mode, RDEV(nodes[n].major, nodes[n].minor), NULL);
	for (size_t n = 0; n < ARRAY_SIZE(links) && !err; n++)
		err = vfs_symlink(&w, links[n].target, links[n].name);
	if (!err)
		err = mount_below(&w, "shm", "tmpfs", "mode=1777");
	if (!err)
		err = mount_below(&w, "pts", "devpts", NULL);
	return err;
}
