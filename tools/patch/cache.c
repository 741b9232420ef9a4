/* SPDX-License-Identifier: MIT */
/*
 * The cache of patched images. An entry is named after the identity of the original (device, inode, size, times) and the patcher's
 * version, appears complete or not at all, and is believed only if nobody but its user could have written it.
 */
#include "tools/patch/cache.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <time.h>
#include <unistd.h>

#include "tools/patch/image.h"

#define NAME_BYTES 112
/* A file changed this recently may change again without its times showing it: not cached yet. */
#define SETTLE_NS  100000000ll

static bool is_ours(const struct stat *st)
{
	return st->st_uid == geteuid() && !(st->st_mode & 022);
}

static int open_checked_dir(const char *path, mode_t mode)
{
	struct stat st;
	int fd;

	if (mkdir(path, mode) && errno != EEXIST)
		return -errno;
	fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	if (fstat(fd, &st) || !is_ours(&st)) {
		close(fd);
		return -EPERM;
	}
	return fd;
}

int cache_open_dir(char *path, size_t size)
{
	const char *base = getenv("XDG_CACHE_HOME"), *home = getenv("HOME");
	int n;

	if (geteuid() == 0) {
		snprintf(path, size, "/var/cache/junction");
		return open_checked_dir(path, 0755);
	}
	if (base && *base == '/') {
		n = snprintf(path, size, "%s", base);
	} else if (home && *home == '/') {
		n = snprintf(path, size, "%s/.cache", home);
	} else {
		return -ENOENT;
	}
	if (n + sizeof("/junction") > size)
		return -ENAMETOOLONG;
	if (mkdir(path, 0700) && errno != EEXIST)
		return -errno;
	strcat(path, "/junction");
	return open_checked_dir(path, 0700);
}

static u64 ns_of(struct timespec t)
{
	return (u64)t.tv_sec * 1000000000ull + (u64)t.tv_nsec;
}

static void fill_key(const struct stat *st, struct jabi_patch_trailer *t)
{
	memset(t, 0, sizeof(*t));
	t->dev = (u64)major(st->st_dev) << 32 | minor(st->st_dev);
	t->ino = st->st_ino;
	t->file_size = (u64)st->st_size;
	t->mtime_ns = ns_of(st->st_mtim);
	t->ctime_ns = ns_of(st->st_ctim);
}

static bool is_same_key(const struct jabi_patch_trailer *a, const struct jabi_patch_trailer *b)
{
	return a->dev == b->dev && a->ino == b->ino && a->file_size == b->file_size &&
	       a->mtime_ns == b->mtime_ns && a->ctime_ns == b->ctime_ns;
}

static void entry_name(const struct jabi_patch_trailer *k, char *name)
{
	snprintf(name, NAME_BYTES, JABI_PATCH_NAME_FORMAT, (unsigned long long)k->dev,
		 (unsigned long long)k->ino, (unsigned long long)k->file_size,
		 (unsigned long long)k->mtime_ns, (unsigned long long)k->ctime_ns,
		 JABI_PATCH_VERSION);
}

/* The trailer's numbers agree with the key and with the entry's own size. */
static bool is_sound(const struct jabi_patch_trailer *t, const struct jabi_patch_trailer *key,
		     u64 entry_size)
{
	if (t->magic != JABI_PATCH_MAGIC || t->version != JABI_PATCH_VERSION ||
	    t->trailer_bytes != sizeof(*t) || !is_same_key(t, key))
		return false;
	if (!t->stub_len)
		return entry_size == sizeof(*t);
	return t->stub_offset == ROUND_UP(t->file_size, (u64)PAGE_SIZE) &&
	       t->stub_len % PAGE_SIZE == 0 && t->stub_vaddr % PAGE_SIZE == 0 &&
	       entry_size == t->stub_offset + t->stub_len + sizeof(*t);
}

/* A read-only descriptor of a sound entry, *t filled; -ENOENT otherwise. */
static int open_entry(int dir_fd, const char *name, const struct jabi_patch_trailer *key,
		      struct jabi_patch_trailer *t)
{
	int fd = openat(dir_fd, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	struct stat st;

	if (fd < 0)
		return -ENOENT;
	if (fstat(fd, &st) || !S_ISREG(st.st_mode) || !is_ours(&st) ||
	    st.st_size < (off_t)sizeof(*t) ||
	    pread(fd, t, sizeof(*t), st.st_size - (off_t)sizeof(*t)) != (ssize_t)sizeof(*t) ||
	    !is_sound(t, key, (u64)st.st_size)) {
		close(fd);
		return -ENOENT;
	}
	return fd;
}

static int write_note(int out_fd, struct jabi_patch_trailer *t, u32 nr_sites)
{
	t->magic = JABI_PATCH_MAGIC;
	t->version = JABI_PATCH_VERSION;
	t->trailer_bytes = sizeof(*t);
	t->nr_sites = nr_sites;
	return pwrite(out_fd, t, sizeof(*t), 0) == (ssize_t)sizeof(*t) ? 0 : -EIO;
}

/* The original must be what it was when its key was taken. */
static int check_unchanged(int fd, const struct jabi_patch_trailer *key)
{
	struct jabi_patch_trailer now;
	struct stat st;

	if (fstat(fd, &st))
		return -errno;
	fill_key(&st, &now);
	return is_same_key(&now, key) ? 0 : -ESTALE;
}

static int make_content(int fd, int out_fd, const struct jabi_patch_trailer *key)
{
	struct jabi_patch_trailer t = *key;
	struct patch_set set;
	int r = image_scan(fd, key->file_size, &set);

	if (!r)
		r = image_write(fd, out_fd, &set, &t);
	else if (r == -ENOENT || r == -ENOEXEC)
		r = write_note(out_fd, &t, set.nr_sites);
	patch_set_free(&set);
	return r ? r : check_unchanged(fd, key);
}

/* Makes the entry under a temporary name, then renames it. */
static int make_entry(int dir_fd, int fd, const char *name, const struct jabi_patch_trailer *key,
		      bool is_public)
{
	char tmp[NAME_BYTES + 32];
	u64 salt = 0;
	int out_fd, r;

	if (getrandom(&salt, sizeof(salt), 0) != sizeof(salt))
		return -EIO;
	snprintf(tmp, sizeof(tmp), "tmp-%d-%016llx", (int)getpid(), (unsigned long long)salt);
	out_fd = openat(dir_fd, tmp, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (out_fd < 0)
		return -errno;
	r = make_content(fd, out_fd, key);
	/* A private program's text stays private. */
	if (!r && is_public && fchmod(out_fd, 0644))
		r = -errno;
	close(out_fd);
	if (!r && renameat(dir_fd, tmp, dir_fd, name))
		r = -errno;
	if (r)
		(void)unlinkat(dir_fd, tmp, 0);
	return r;
}

int cache_get_image(int dir_fd, int fd, struct jabi_patch_trailer *t)
{
	struct jabi_patch_trailer key;
	struct timespec now;
	char name[NAME_BYTES];
	struct stat st;
	int entry, r;

	if (fstat(fd, &st))
		return -errno;
	if (!S_ISREG(st.st_mode) || !st.st_nlink)
		return -EINVAL;
	if (st.st_size > (off_t)JABI_PATCH_MAX_FILE)
		return -EFBIG;
	fill_key(&st, &key);
	entry_name(&key, name);
	entry = open_entry(dir_fd, name, &key, t);
	if (entry == -ENOENT) {
		clock_gettime(CLOCK_REALTIME, &now);
		if ((s64)(ns_of(now) - key.ctime_ns) < SETTLE_NS)
			return -EAGAIN;
		r = make_entry(dir_fd, fd, name, &key, st.st_mode & S_IROTH);
		if (r)
			return r;
		entry = open_entry(dir_fd, name, &key, t);
		cache_trim(dir_fd, CACHE_LIMIT_BYTES);
	}
	if (entry >= 0 && !t->stub_len) {
		close(entry);
		return -ENOENT;
	}
	return entry;
}
