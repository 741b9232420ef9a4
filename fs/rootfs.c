/* SPDX-License-Identifier: MIT */
/* Builds the initial tree of mounts from what the launcher handed over. */
#include "fs/rootfs.h"
#include "fs/hostfs.h"
#include "fs/memfs.h"
#include "fs/overlay.h"
#include "fs/vfs_internal.h"
#include "userlib/base/log.h"

#define MNT_RDONLY 1u
#define MNT_NOSUID 2u
#define MNT_NODEV 4u
#define MNT_NOEXEC 8u

static int ramfs_mount(const char *source, const char *options, u32 flags, void *private, struct super **out)
{
	return memfs_type.mount(source, options, flags, private, out);
}
static const struct fs_type ramfs_type = { "ramfs", ramfs_mount };
static const struct cred root_cred = { .cap_effective = ~0ull };

void fs_init(void)
{
	static u32 done;

	if (atomic_xchg(&done, 1u))
		return;
	fs_type_register(&memfs_type);
	fs_type_register(&ramfs_type);
	fs_type_register(&hostfs_type);
	fs_type_register(&overlay_type);
}

static int mount_root(const struct fs_root_cfg *cfg, struct path *out)
{
	struct hostfs_params hp = { .fd = cfg->host_dir_fd, .writable = cfg->mode == FS_ROOT_RW };
	struct ovl_params op = { .fd = cfg->host_dir_fd };

	if (cfg->mode == FS_ROOT_OVERLAY)
		return vfs_mount_root(&overlay_type, "overlay", &op, 0, out);
	return vfs_mount_root(&hostfs_type, cfg->source ? cfg->source : "host", &hp, cfg->mode == FS_ROOT_RO ? MNT_RDONLY : 0, out);
}

/* Makes the directories above `name`, and name itself: a directory or an empty file. */
static int make_mount_point(const struct walk_ctx *w, const char *name, bool is_file)
{
	char buf[PATH_MAX_LEN / 4];
	size_t len = strlen(name);
	struct path p;
	int err;

	if (len >= sizeof(buf))
		return -ENAMETOOLONG;
	if (path_walk(w, name, 0, &p, NULL) == 0) {
		path_put(&p);
		return 0;
	}
	for (size_t n = 1; n <= len; n++) {
		if (name[n] != '/' && name[n])
			continue;
		memcpy(buf, name, n);
		buf[n] = 0;
		if (n == len && is_file)
			err = vfs_mknod(w, buf, S_IFREG | 0644, 0, NULL);
		else
			err = vfs_mkdir(w, buf, 0755);
		if (err && err != -EEXIST)
			return err;
	}
	return 0;
}

static int mount_at(const struct walk_ctx *w, const struct fs_type *t, const char *source, const char *options, void *private, u32 flags,
		    const char *dst, bool is_file)
{
	struct path p;
	int err = make_mount_point(w, dst, is_file);

	if (err)
		return err;
	err = path_walk(w, dst, 0, &p, NULL);
	if (err)
		return err;
	err = vfs_mount(t, source, options, private, flags, &p);
	path_put(&p);
	return err;
}

/* One of the file systems that upper layers provide; a missing place for it in a read-only root is not fatal. */
static int mount_pseudo(const struct walk_ctx *w, const char *type, const char *dst)
{
	const struct fs_type *t = fs_type_find(type);
	int err;

	if (!t)
		return 0;
	err = mount_at(w, t, type, NULL, NULL, MNT_NOSUID | MNT_NODEV | MNT_NOEXEC, dst, false);
	if (err == -EROFS || err == -ENOENT) {
		log_warn("the root directory has no %s: programs will not find it", dst);
		return 0;
	}
	return err;
}

static int mount_dev(const struct walk_ctx *w)
{
	struct path p;
	int err = mount_at(w, &memfs_type, "devtmpfs", "mode=0755", NULL, MNT_NOSUID, "/dev", false);

	if (err == -EROFS || err == -ENOENT) {
		log_warn("the root directory has no /dev: programs will not find devices");
		return 0;
	}
	if (err)
		return err;
	err = path_walk(w, "/dev", WALK_DIRECTORY, &p, NULL);
	if (err)
		return err;
	err = devfs_populate(&p);
	path_put(&p);
	return err;
}

int fs_build_root(const struct fs_root_cfg *cfg, struct path *out)
{
	struct walk_ctx w;
	struct path root;
	int err;

	fs_init();
	err = mount_root(cfg, &root);
	if (err)
		return err;
	w = (struct walk_ctx){ .root = root, .cwd = root, .cred = &root_cred };
	err = mount_dev(&w);
	if (!err)
		err = mount_pseudo(&w, "proc", "/proc");
	if (!err)
		err = mount_pseudo(&w, "sysfs", "/sys");
	if (!err)
		err = mount_pseudo(&w, "cgroup2", "/sys/fs/cgroup");
	for (u32 n = 0; n < cfg->nr_volumes && !err; n++) {
		const struct fs_volume *v = &cfg->volumes[n];
		struct hostfs_params hp = { .fd = v->host_fd, .writable = !v->ro };

		err = mount_at(&w, &hostfs_type, v->src, NULL, &hp, v->ro ? MNT_RDONLY : 0, v->dst, v->is_file);
		if (err)
			log_err("volume %s: cannot be mounted at %s: error %d", v->src, v->dst, -err);
	}
	if (err) {
		path_put(&root);
		return err;
	}
	*out = root;
	return 0;
}
