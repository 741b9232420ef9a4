/* SPDX-License-Identifier: MIT */
/* Descriptor tables. Grows by doubling; look-up takes a reference under the lock. */
#include "userlib/base/string.h"
#include "userlib/file/file.h"
#include "userlib/file/fdlock.h"

#define FD_MIN_SIZE 64
#define FD_MAX_SIZE (1u << 19) /* 4 MiB of pointers, the largest kmem block */

static size_t words(u32 size)
{
	return size / 64;
}

static struct fdtab *create_sized(u32 size)
{
	struct fdtab *t = kmem_zalloc(sizeof(*t));

	if (!t)
		return NULL;
	ref_init(&t->ref);
	t->size = size;
	t->files = kmem_zalloc(size * sizeof(t->files[0]));
	t->cloexec = kmem_zalloc(words(size) * 8);
	if (t->files && t->cloexec)
		return t;
	kmem_free(t->files, size * sizeof(t->files[0]));
	kmem_free(t->cloexec, words(size) * 8);
	kmem_free(t, sizeof(*t));
	return NULL;
}

struct fdtab *fdtab_create(void)
{
	return create_sized(FD_MIN_SIZE);
}

struct fdtab *fdtab_clone(struct fdtab *o)
{
	struct fdtab *t;

again:
	t = create_sized(READ_ONCE(o->size));
	if (!t)
		return NULL;
	spin_lock(&o->lock);
	if (o->size != t->size) {
		spin_unlock(&o->lock);
		fdtab_put(t);
		goto again;
	}
	for (u32 i = 0; i < o->size; i++) {
		t->files[i] = o->files[i];
		if (t->files[i])
			file_get(t->files[i]);
	}
	memcpy(t->cloexec, o->cloexec, words(o->size) * 8);
	t->count = o->count;
	t->first_free = o->first_free;
	spin_unlock(&o->lock);
	return t;
}

static void close_file(struct fdtab *t, struct file *f)
{
	fd_release_locks(f, t);
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
	kmem_free(t->files, t->size * sizeof(t->files[0]));
	kmem_free(t->cloexec, words(t->size) * 8);
	kmem_free(t, sizeof(*t));
}

struct file *fdtab_get(struct fdtab *t, int fd)
{
	struct file *f = NULL;

	spin_lock(&t->lock);
	if (fd >= 0 && (u32)fd < t->size && t->files[fd])
		f = file_get(t->files[fd]);
	spin_unlock(&t->lock);
	return f;
}

/* Makes room for slot fd. Called without the lock; somebody else may grow first. */
static int grow(struct fdtab *t, u32 fd)
{
	u32 size = READ_ONCE(t->size), old_size;
	struct file **files, **old_files;
	u64 *cloexec, *old_cloexec;

	if (fd >= FD_MAX_SIZE)
		return -EMFILE;
	while (size <= fd)
		size *= 2;
	files = kmem_zalloc(size * sizeof(files[0]));
	cloexec = kmem_zalloc(words(size) * 8);
	if (!files || !cloexec) {
		kmem_free(files, size * sizeof(files[0]));
		kmem_free(cloexec, words(size) * 8);
		return -ENOMEM;
	}
	spin_lock(&t->lock);
	old_size = t->size;
	if (old_size >= size) { /* lost the race: theirs is large enough */
		spin_unlock(&t->lock);
		kmem_free(files, size * sizeof(files[0]));
		kmem_free(cloexec, words(size) * 8);
		return 0;
	}
	memcpy(files, t->files, old_size * sizeof(files[0]));
	memcpy(cloexec, t->cloexec, words(old_size) * 8);
	old_files = t->files;
	old_cloexec = t->cloexec;
	t->files = files;
	t->cloexec = cloexec;
	t->size = size;
	spin_unlock(&t->lock);
	kmem_free(old_files, old_size * sizeof(files[0]));
	kmem_free(old_cloexec, words(old_size) * 8);
	return 0;
}

static void set_bit_locked(struct fdtab *t, u32 fd, bool on)
{
	if (on)
		t->cloexec[fd / 64] |= 1ull << fd % 64;
	else
		t->cloexec[fd / 64] &= ~(1ull << fd % 64);
}

int fdtab_install(struct fdtab *t, struct file *f, int min, u64 limit, bool cloexec)
{
	if (min < 0 || (u64)min >= limit)
		return min < 0 || limit > FD_MAX_SIZE ? -EINVAL : min ? -EINVAL : -EMFILE;
	for (;;) {
		u32 fd;
		int r;

		spin_lock(&t->lock);
		fd = MAX((u32)min, t->first_free);
		while (fd < t->size && t->files[fd])
			fd++;
		if (fd >= limit) {
			spin_unlock(&t->lock);
			return -EMFILE;
		}
		if (fd < t->size) {
			t->files[fd] = f;
			set_bit_locked(t, fd, cloexec);
			if ((u32)min <= t->first_free)
				t->first_free = fd + 1;
			t->count++;
			spin_unlock(&t->lock);
			return (int)fd;
		}
		spin_unlock(&t->lock);
		r = grow(t, fd);
		if (r)
			return r;
	}
}

int fdtab_install_at(struct fdtab *t, struct file *f, int fd, u64 limit, bool cloexec)
{
	struct file *old;
	int r;

	if (fd < 0 || (u64)fd >= limit)
		return -EBADF;
	if ((u32)fd >= READ_ONCE(t->size)) {
		r = grow(t, (u32)fd);
		if (r)
			return r;
	}
	spin_lock(&t->lock);
	old = t->files[fd];
	t->files[fd] = f;
	set_bit_locked(t, (u32)fd, cloexec);
	if (!old)
		t->count++;
	spin_unlock(&t->lock);
	if (old)
		close_file(t, old);
	return fd;
}

static struct file *take(struct fdtab *t, u32 fd)
{
	struct file *f = NULL;

	spin_lock(&t->lock);
	if (fd < t->size) {
		f = t->files[fd];
		t->files[fd] = NULL;
		if (f) {
			t->count--;
			set_bit_locked(t, fd, false);
			if (fd < t->first_free)
				t->first_free = fd;
		}
	}
	spin_unlock(&t->lock);
	return f;
}

int fdtab_close(struct fdtab *t, int fd)
{
	struct file *f = fd < 0 ? NULL : take(t, (u32)fd);

	if (!f)
		return -EBADF;
	close_file(t, f);
	return 0;
}

int fdtab_close_range(struct fdtab *t, u32 first, u32 last, bool set_cloexec)
{
	if (first > last)
		return -EINVAL;
	for (u32 fd = first; fd <= last && fd < READ_ONCE(t->size); fd++) {
		if (set_cloexec)
			(void)fdtab_set_cloexec(t, (int)fd, true);
		else
			(void)fdtab_close(t, (int)fd);
	}
	return 0;
}

void fdtab_close_on_exec(struct fdtab *t)
{
	for (u32 fd = 0; fd < t->size; fd++)
		if (fdtab_get_cloexec(t, (int)fd) == 1)
			(void)fdtab_close(t, (int)fd);
}

int fdtab_get_cloexec(struct fdtab *t, int fd)
{
	int r = -EBADF;

	spin_lock(&t->lock);
	if (fd >= 0 && (u32)fd < t->size && t->files[fd])
		r = t->cloexec[fd / 64] >> fd % 64 & 1;
	spin_unlock(&t->lock);
	return r;
}

int fdtab_set_cloexec(struct fdtab *t, int fd, bool on)
{
	int r = -EBADF;

	spin_lock(&t->lock);
	if (fd >= 0 && (u32)fd < t->size && t->files[fd]) {
		set_bit_locked(t, (u32)fd, on);
		r = 0;
	}
	spin_unlock(&t->lock);
	return r;
}

int fdtab_next(struct fdtab *t, int from)
{
	int r = -1;

	spin_lock(&t->lock);
	for (u32 fd = (u32)MAX(from, 0); fd < t->size; fd++) {
		if (t->files[fd]) {
			r = (int)fd;
			break;
		}
	}
	spin_unlock(&t->lock);
	return r;
}
