/* SPDX-License-Identifier: MIT */
/* Descriptor tables: an array of file pointers under a spinlock, grown by doubling. close-on-exec is a bitmap beside it. */
#include "userlib/file/file_internal.h"
#include "userlib/file/socket.h"
#include "fs/flock.h"
#include "userlib/base/string.h"

#define FIRST_SIZE 256u
#define MAX_SIZE (512u * 1024) /* kmem's largest block holds that many pointers */

static struct slab fdtab_slab = SLAB_INIT("fdtab", struct fdtab);

static size_t bitmap_bytes(u32 size)
{
	return size / 8;
}

static int alloc_arrays(u32 size, struct file ***files, u64 **bits)
{
	*files = kmem_zalloc(size * sizeof(**files));
	*bits = kmem_zalloc(bitmap_bytes(size));
	if (*files && *bits)
		return 0;
	if (*files)
		kmem_free(*files, size * sizeof(**files));
	if (*bits)
		kmem_free(*bits, bitmap_bytes(size));
	return -ENOMEM;
}

static void free_arrays(u32 size, struct file **files, u64 *bits)
{
	kmem_free(files, size * sizeof(*files));
	kmem_free(bits, bitmap_bytes(size));
}

static struct fdtab *create_sized(u32 size)
{
	struct fdtab *t = slab_zalloc(&fdtab_slab);

	if (!t)
		return NULL;
	if (alloc_arrays(size, &t->files, &t->cloexec)) {
		slab_free(&fdtab_slab, t);
		return NULL;
	}
	ref_init(&t->ref);
	spin_init(&t->lock);
	t->size = size;
	return t;
}

struct fdtab *fdtab_create(void)
{
	return create_sized(FIRST_SIZE);
}

static bool bit_get(const u64 *map, u32 n)
{
	return map[n / 64] >> (n % 64) & 1;
}

static void bit_put(u64 *map, u32 n, bool on)
{
	if (on)
		map[n / 64] |= 1ull << (n % 64);
	else
		map[n / 64] &= ~(1ull << (n % 64));
}

struct fdtab *fdtab_clone(struct fdtab *t)
{
	for (;;) {
		u32 size = load_relaxed(&t->size);
		struct fdtab *n = create_sized(size);

		if (!n)
			return NULL;
		spin_lock(&t->lock);
		if (t->size == size) {
			for (u32 i = 0; i < size; i++)
				if (t->files[i])
					n->files[i] = file_get(t->files[i]);
			memcpy(n->cloexec, t->cloexec, bitmap_bytes(size));
			n->first_free = t->first_free;
			n->count = t->count;
			spin_unlock(&t->lock);
			return n;
		}
		spin_unlock(&t->lock);
		free_arrays(size, n->files, n->cloexec);
		slab_free(&fdtab_slab, n);
	}
}

/* What every close(2) does, then the reference. */
static void close_file(struct fdtab *t, struct file *f)
{
	if (f->inode)
		flock_posix_release_owner(f->inode, t);
	if (f->ops->flush)
		f->ops->flush(f, t);
	file_put(f);
}

void fdtab_put(struct fdtab *t)
{
	if (!ref_put(&t->ref))
		return;
	for (u32 i = 0; i < t->size; i++)
		if (t->files[i])
			close_file(t, t->files[i]);
	free_arrays(t->size, t->files, t->cloexec);
	slab_free(&fdtab_slab, t);
}

struct file *fdtab_get(struct fdtab *t, int fd)
{
	struct file *f = NULL;

	if (fd < 0)
		return NULL;
	spin_lock(&t->lock);
	if ((u32)fd < t->size && t->files[fd])
		f = file_get(t->files[fd]);
	spin_unlock(&t->lock);
	return f;
}

/* Makes slot `fd` exist. Called and returns with the lock held, but drops it in between: the caller looks again. */
static int grow_locked(struct fdtab *t, u32 fd)
{
	u32 size = t->size, old;
	struct file **files, **old_files;
	u64 *bits, *old_bits;
	int err;

	while (size <= fd)
		size *= 2;
	if (size > MAX_SIZE)
		return -EMFILE;
	spin_unlock(&t->lock);
	err = alloc_arrays(size, &files, &bits);
	spin_lock(&t->lock);
	if (err)
		return err;
	if (t->size >= size) {
		free_arrays(size, files, bits);
		return 0;
	}
	old = t->size;
	old_files = t->files;
	old_bits = t->cloexec;
	memcpy(files, old_files, old * sizeof(*files));
	memcpy(bits, old_bits, bitmap_bytes(old));
	t->files = files;
	t->cloexec = bits;
	t->size = size;
	free_arrays(old, old_files, old_bits);
	return 0;
}

int fdtab_install(struct fdtab *t, struct file *f, int min, u64 limit, bool cloexec)
{
	u32 fd;
	int err;

	if (min < 0 || (u64)min >= limit)
		return -EINVAL;
	spin_lock(&t->lock);
	for (;;) {
		fd = MAX((u32)min, t->first_free);
		while (fd < t->size && t->files[fd])
			fd++;
		if (fd >= limit) {
			err = -EMFILE;
			break;
		}
		if (fd < t->size) {
			t->files[fd] = f;
			bit_put(t->cloexec, fd, cloexec);
			t->count++;
			if ((u32)min <= t->first_free)
				t->first_free = fd + 1;
			err = (int)fd;
			break;
		}
		err = grow_locked(t, fd);
		if (err)
			break;
	}
	spin_unlock(&t->lock);
	return err;
}

int fdtab_install_at(struct fdtab *t, struct file *f, int fd, u64 limit, bool cloexec)
{
	struct file *old = NULL;
	int err = 0;

	if (fd < 0 || (u64)fd >= limit)
		return -EBADF;
	spin_lock(&t->lock);
	while ((u32)fd >= t->size && !err)
		err = grow_locked(t, (u32)fd);
	if (!err) {
		old = t->files[fd];
		t->files[fd] = f;
		bit_put(t->cloexec, (u32)fd, cloexec);
		if (!old)
			t->count++;
		err = fd;
	}
	spin_unlock(&t->lock);
	if (old)
		close_file(t, old);
	return err == -EMFILE ? -EBADF : err;
}

static struct file *take_locked(struct fdtab *t, u32 fd)
{
	struct file *f = t->files[fd];

	if (f) {
		t->files[fd] = NULL;
		bit_put(t->cloexec, fd, false);
		t->count--;
		if (fd < t->first_free)
			t->first_free = fd;
	}
	return f;
}

int fdtab_close(struct fdtab *t, int fd)
{
	struct file *f = NULL;

	spin_lock(&t->lock);
	if (fd >= 0 && (u32)fd < t->size)
		f = take_locked(t, (u32)fd);
	spin_unlock(&t->lock);
	if (!f)
		return -EBADF;
	close_file(t, f);
	return 0;
}

int fdtab_close_range(struct fdtab *t, u32 first, u32 last, bool set_cloexec)
{
	for (u64 fd = first; fd <= last; fd++) {
		struct file *f = NULL;

		spin_lock(&t->lock);
		if (fd >= t->size) {
			spin_unlock(&t->lock);
			break;
		}
		if (set_cloexec && t->files[fd])
			bit_put(t->cloexec, (u32)fd, true);
		else if (!set_cloexec)
			f = take_locked(t, (u32)fd);
		spin_unlock(&t->lock);
		if (f)
			close_file(t, f);
	}
	return 0;
}

void fdtab_close_on_exec(struct fdtab *t)
{
	for (u32 fd = 0; fd < load_relaxed(&t->size); fd++) {
		struct file *f = NULL;

		spin_lock(&t->lock);
		if (!t->cloexec[fd / 64]) {
			spin_unlock(&t->lock);
			fd |= 63;
			continue;
		}
		if (bit_get(t->cloexec, fd))
			f = take_locked(t, fd);
		spin_unlock(&t->lock);
		if (f)
			close_file(t, f);
	}
}

int fdtab_get_cloexec(struct fdtab *t, int fd)
{
	int r = -EBADF;

	spin_lock(&t->lock);
	if (fd >= 0 && (u32)fd < t->size && t->files[fd])
		r = bit_get(t->cloexec, (u32)fd);
	spin_unlock(&t->lock);
	return r;
}

int fdtab_set_cloexec(struct fdtab *t, int fd, bool on)
{
	int r = -EBADF;

	spin_lock(&t->lock);
	if (fd >= 0 && (u32)fd < t->size && t->files[fd]) {
		bit_put(t->cloexec, (u32)fd, on);
		r = 0;
	}
	spin_unlock(&t->lock);
	return r;
}

int fdtab_next(struct fdtab *t, int from)
{
	int r = -1;

	spin_lock(&t->lock);
	for (u32 fd = from < 0 ? 0 : (u32)from; fd < t->size; fd++) {
		if (t->files[fd]) {
			r = (int)fd;
			break;
		}
	}
	spin_unlock(&t->lock);
	return r;
}

void fdtab_each_socket(struct fdtab *t, void (*fn)(int fd, u64 ino, void *arg), void *arg)
{
	spin_lock(&t->lock);
	for (u32 fd = 0; fd < t->size; fd++)
		if (t->files[fd] && file_is_socket(t->files[fd]))
			fn((int)fd, t->files[fd]->id, arg);
	spin_unlock(&t->lock);
}
