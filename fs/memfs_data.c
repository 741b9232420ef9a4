/* SPDX-License-Identifier: MIT */
/*
 * File data of memfs. A tree of 64 KiB windows; in a window single pages, or one contiguous block when the file is large or written in
 * large pieces. Copies run without the spinlock: a page in use carries a reference and such a page is never removed, only cleared, so
 * mappings and files stay the same thing through truncation. Writers are serialised by inode->lock.
 */
#include "fs/memfs.h"
#include "fs/vfs_internal.h"
#include "userlib/base/log.h"
#include "userlib/rt/clock.h"
#include <linux/falloc.h>
#include <linux/fcntl.h>

#define BIG_FILE MiB		      /* from this size on, windows are allocated whole */
#define MAX_FILE_SIZE ((u64)INT64_MAX)

static struct slab win_slab = SLAB_INIT("memfs_window", struct memwin);

static u64 pages_of(u64 bytes)
{
	return (bytes + PAGE_SIZE - 1) >> PAGE_SHIFT;
}

/* May the file system take n more data pages? Leaves the instance kernel itself some room. Counts them if so. */
static bool charge(struct memfs_sb *sb, u64 n)
{
	u64 limit = mem_limit_bytes(), reserve = MIN(limit / 32, 4 * MiB);

	if (page_used_bytes() + mem_charged_bytes() + n * PAGE_SIZE + reserve > limit)
		return false;
	if (atomic_fetch_add(&sb->used_pages, n) + n > sb->max_pages && sb->max_pages) {
		(void)atomic_fetch_sub(&sb->used_pages, n);
		return false;
	}
	return true;
}

static void uncharge(struct memfs_sb *sb, u64 n)
{
	(void)atomic_fetch_sub(&sb->used_pages, n);
}

/* mi->lock held. The window, made if absent. NULL: no memory. */
static struct memwin *window_locked(struct mem_inode *mi, u64 win)
{
	struct memwin *w = radix_get(&mi->data, win);

	if (w)
		return w;
	w = slab_zalloc(&win_slab);
	if (w && radix_set(&mi->data, win, w)) {
		slab_free(&win_slab, w);
		w = NULL;
	}
	return w;
}

/* mi->lock held. An empty window goes. */
static void window_release_locked(struct mem_inode *mi, struct memwin *w, u64 win)
{
	if (w->used)
		return;
	(void)radix_del(&mi->data, win);
	if (w->chunk) {
		page_free(w->chunk, WIN_ORDER);
		uncharge(mem_sb(mi->vfs.sb), WIN_PAGES);
	}
	slab_free(&win_slab, w);
}

/* mi->lock held. Removes page k unless it is in use; then it is cleared. The window may be left empty. */
static void drop_page_locked(struct mem_inode *mi, struct memwin *w, unsigned k)
{
	if (!w->page[k])
		return;
	if (w->refs[k]) {
		memset(w->page[k], 0, PAGE_SIZE);
		return;
	}
	if (!w->chunk) {
		page_free(w->page[k], 0);
		uncharge(mem_sb(mi->vfs.sb), 1);
	}
	w->page[k] = NULL;
	w->used--;
	mi->nr_pages--;
}

/* Turns pages [from, to) into holes, a window at a time. */
static void drop_range(struct mem_inode *mi, u64 from, u64 to)
{
	while (from < to) {
		u64 win = from / WIN_PAGES;
		struct memwin *w;

		spin_lock(&mi->lock);
		w = radix_next(&mi->data, &win);
		if (!w || win * WIN_PAGES >= to) {
			spin_unlock(&mi->lock);
			return;
		}
		from = MAX(from, win * WIN_PAGES);
		for (; from < to && from / WIN_PAGES == win; from++)
			drop_page_locked(mi, w, from % WIN_PAGES);
		window_release_locked(mi, w, win);
		spin_unlock(&mi->lock);
	}
}

/* Clears bytes [off, off+len) within one page, if the page is there. */
static void zero_partial(struct mem_inode *mi, u64 off, u64 len)
{
	u64 idx = off >> PAGE_SHIFT;
	struct memwin *w;

	spin_lock(&mi->lock);
	w = radix_get(&mi->data, idx / WIN_PAGES);
	if (w && w->page[idx % WIN_PAGES])
		memset((char *)w->page[idx % WIN_PAGES] + (off & ~PAGE_MASK), 0, len);
	spin_unlock(&mi->lock);
}

void memfs_data_free(struct mem_inode *mi)
{
	drop_range(mi, 0, ~0ull);
	if (mi->data.root) /* a page still referenced: a mapping outlived its inode reference */
		log_once(LOG_ERR, "memfs: pages in use at eviction");
}

int memfs_resize(struct mem_inode *mi, u64 size)
{
	u64 old = mi->size;

	if (size > MAX_FILE_SIZE)
		return -EFBIG;
	if ((size < old && (mi->seals & F_SEAL_SHRINK)) || (size > old && (mi->seals & F_SEAL_GROW)))
		return -EPERM;
	store_release(&mi->size, size);
	if (size < old) {
		if (size & ~PAGE_MASK)
			zero_partial(mi, size, PAGE_SIZE - (size & ~PAGE_MASK));
		drop_range(mi, pages_of(size), ~0ull);
	}
	return 0;
}

/* mi->lock held. Gives the empty window a contiguous block, if memory allows. */
static void try_chunk_locked(struct mem_inode *mi, struct memwin *w)
{
	struct memfs_sb *sb = mem_sb(mi->vfs.sb);

	if (w->used || w->chunk || !charge(sb, WIN_PAGES))
		return;
	w->chunk = page_alloc(WIN_ORDER);
	if (!w->chunk)
		uncharge(sb, WIN_PAGES);
}

/*
 * mi->lock held. Page idx, made if absent and cleared then, unless `raw`: the caller overwrites all of a page that lies beyond the end of
 * the file, where nobody can see it yet. Takes a reference. NULL: no memory.
 */
static void *grab_page_locked(struct mem_inode *mi, u64 idx, bool want_chunk, bool raw)
{
	struct memfs_sb *sb = mem_sb(mi->vfs.sb);
	struct memwin *w = window_locked(mi, idx / WIN_PAGES);
	unsigned k = idx % WIN_PAGES;

	if (!w)
		return NULL;
	if (!w->page[k]) {
		char *p;

		if (want_chunk)
			try_chunk_locked(mi, w);
		if (w->chunk) {
			p = w->chunk + k * PAGE_SIZE;
		} else {
			p = charge(sb, 1) ? page_alloc(0) : NULL;
			if (!p) {
				window_release_locked(mi, w, idx / WIN_PAGES);
				return NULL;
			}
		}
		if (!raw)
			memset(p, 0, PAGE_SIZE);
		w->page[k] = p;
		w->used++;
		mi->nr_pages++;
	}
	w->refs[k]++;
	return w->page[k];
}

static void ungrab(struct mem_inode *mi, u64 idx, unsigned n, bool mapping)
{
	struct memwin *w;
	u64 end;

	spin_lock(&mi->lock);
	w = radix_get(&mi->data, idx / WIN_PAGES);
	end = pages_of(load_relaxed(&mi->size));
	for (; w && n; n--, idx++) {
		unsigned k = idx % WIN_PAGES;

		ASSERT(w->refs[k]);
		if (--w->refs[k] == 0 && idx >= end)
			drop_page_locked(mi, w, k);
	}
	if (mapping)
		mi->map_refs--;
	if (w)
		window_release_locked(mi, w, (idx - 1) / WIN_PAGES);
	spin_unlock(&mi->lock);
}

/* A run of contiguous present pages from idx on, within its window and at most max; referenced. 0: a hole, *n pages long at least 1. */
static char *grab_run(struct mem_inode *mi, u64 idx, unsigned max, unsigned *n)
{
	unsigned k = idx % WIN_PAGES, end = MIN(k + max, WIN_PAGES), e = k + 1;
	struct memwin *w;
	char *p = NULL;

	spin_lock(&mi->lock);
	w = radix_get(&mi->data, idx / WIN_PAGES);
	if (!w) {
		e = end;
	} else if (w->page[k]) {
		p = w->page[k];
		while (e < end && w->page[e] == p + (e - k) * PAGE_SIZE)
			e++;
		for (unsigned j = k; j < e; j++)
			w->refs[j]++;
	} else {
		while (e < end && !w->page[e])
			e++;
	}
	spin_unlock(&mi->lock);
	*n = e - k;
	return p;
}

static ssize memfs_read(struct inode *i, struct iov_iter *it, u64 pos)
{
	struct mem_inode *mi = mem_i(i);
	ssize done = 0;

	while (it->count) {
		u64 size = load_acquire(&mi->size), off = pos & ~PAGE_MASK, idx = pos >> PAGE_SHIFT;
		size_t want;
		unsigned n;
		char *p;
		ssize r;

		if (pos >= size)
			break;
		want = MIN(it->count, size - pos);
		p = grab_run(mi, idx, (unsigned)MIN((u64)WIN_PAGES, pages_of(off + want)), &n);
		want = MIN(want, (size_t)n * PAGE_SIZE - off);
		r = p ? iter_copy_to(it, p + off, want) : iter_zero(it, want);
		if (p)
			ungrab(mi, idx, n, false);
		if (r <= 0)
			return done ? done : r;
		done += r;
		pos += (u64)r;
		if ((size_t)r < want)
			break;
	}
	if (done && load_relaxed(&mi->atime) <= load_relaxed(&mi->mtime))
		store_relaxed(&mi->atime, clock_realtime_ns());
	return done;
}

/* inode->lock held. */
static ssize write_locked(struct mem_inode *mi, struct iov_iter *it, u64 pos)
{
	ssize done = 0;

	while (it->count) {
		u64 off = pos & ~PAGE_MASK, idx = pos >> PAGE_SHIFT;
		size_t want = MIN(it->count, PAGE_SIZE - off);
		bool chunk = mi->size >= BIG_FILE || (idx % WIN_PAGES == 0 && off == 0 && it->count >= WIN_BYTES);
		bool raw = want == PAGE_SIZE && idx >= pages_of(mi->size);
		char *p;
		ssize r;

		spin_lock(&mi->lock);
		p = grab_page_locked(mi, idx, chunk, raw);
		spin_unlock(&mi->lock);
		if (!p)
			return done ? done : -ENOSPC;
		r = iter_copy_from(it, p + off, want);
		if (raw && (r < 0 || (size_t)r < want))
			memset(p + MAX(r, (ssize)0), 0, PAGE_SIZE - (size_t)MAX(r, (ssize)0));
		if (r > 0) {
			done += r;
			pos += (u64)r;
			if (pos > mi->size)
				store_release(&mi->size, pos);
		}
		ungrab(mi, idx, 1, false);
		if (r <= 0)
			return done ? done : r;
		if ((size_t)r < want)
			break;
	}
	return done;
}

static ssize memfs_write(struct inode *i, struct iov_iter *it, u64 *pos, bool append)
{
	struct mem_inode *mi = mem_i(i);
	ssize n;

	mutex_lock(&i->lock);
	if (append)
		*pos = mi->size;
	if (mi->seals & (F_SEAL_WRITE | F_SEAL_FUTURE_WRITE)) {
		n = -EPERM;
	} else if ((mi->seals & F_SEAL_GROW) && *pos + it->count > mi->size) {
		n = -EPERM;
	} else if (*pos >= MAX_FILE_SIZE && it->count) {
		n = -EFBIG;
	} else {
		size_t excess = it->count > MAX_FILE_SIZE - *pos ? it->count - (MAX_FILE_SIZE - *pos) : 0;

		it->count -= excess;
		n = it->count ? write_locked(mi, it, *pos) : 0;
		it->count += excess;
	}
	if (n > 0) {
		s64 now = clock_realtime_ns();

		*pos += (u64)n;
		store_relaxed(&mi->mtime, now);
		store_relaxed(&mi->ctime, now);
	}
	mutex_unlock(&i->lock);
	return n;
}

/* Makes [off, off+len) exist. inode->lock held. On -ENOSPC what was made stays, as on tmpfs only its own kind. */
static int fill_range(struct mem_inode *mi, u64 off, u64 len)
{
	u64 idx = off >> PAGE_SHIFT, end = pages_of(off + len);

	for (; idx < end; idx++) {
		void *p;

		spin_lock(&mi->lock);
		p = grab_page_locked(mi, idx, idx % WIN_PAGES == 0 && end - idx >= WIN_PAGES, false);
		if (p) {
			struct memwin *w = radix_get(&mi->data, idx / WIN_PAGES);

			w->refs[idx % WIN_PAGES]--;
		}
		spin_unlock(&mi->lock);
		if (!p)
			return -ENOSPC;
	}
	return 0;
}

static void punch(struct mem_inode *mi, u64 off, u64 len)
{
	u64 end = off + len, first = pages_of(off), last = end >> PAGE_SHIFT;

	if (first > last) { /* inside one page */
		zero_partial(mi, off, len);
		return;
	}
	if (off & ~PAGE_MASK)
		zero_partial(mi, off, (first << PAGE_SHIFT) - off);
	if (end & ~PAGE_MASK)
		zero_partial(mi, last << PAGE_SHIFT, end & ~PAGE_MASK);
	drop_range(mi, first, last);
}

static int memfs_fallocate(struct inode *i, int mode, u64 off, u64 len)
{
	struct mem_inode *mi = mem_i(i);
	int err = 0;

	if (mode & ~(FALLOC_FL_KEEP_SIZE | FALLOC_FL_PUNCH_HOLE | FALLOC_FL_ZERO_RANGE))
		return -EOPNOTSUPP;
	if ((mode & FALLOC_FL_PUNCH_HOLE) && (mode & (FALLOC_FL_ZERO_RANGE | FALLOC_FL_KEEP_SIZE)) != FALLOC_FL_KEEP_SIZE)
		return -EOPNOTSUPP;
	mutex_lock(&i->lock);
	if (mi->seals & (F_SEAL_WRITE | F_SEAL_FUTURE_WRITE) && (mode & (FALLOC_FL_PUNCH_HOLE | FALLOC_FL_ZERO_RANGE))) {
		err = -EPERM;
	} else if ((mi->seals & F_SEAL_GROW) && off + len > mi->size && !(mode & FALLOC_FL_KEEP_SIZE)) {
		err = -EPERM;
	} else {
		if (mode & (FALLOC_FL_PUNCH_HOLE | FALLOC_FL_ZERO_RANGE))
			punch(mi, off, len);
		if (!(mode & FALLOC_FL_PUNCH_HOLE))
			err = fill_range(mi, off, len);
		if (!err && !(mode & (FALLOC_FL_KEEP_SIZE | FALLOC_FL_PUNCH_HOLE)) && off + len > mi->size)
			store_release(&mi->size, off + len);
	}
	if (!err) {
		s64 now = clock_realtime_ns();

		store_relaxed(&mi->mtime, now);
		store_relaxed(&mi->ctime, now);
	}
	mutex_unlock(&i->lock);
	return err;
}

static s64 memfs_seek_data(struct inode *i, s64 off, bool hole)
{
	struct mem_inode *mi = mem_i(i);
	u64 size = load_acquire(&mi->size), idx, end = pages_of(size);
	s64 r;

	if (off < 0 || (u64)off >= size)
		return -ENXIO;
	idx = (u64)off >> PAGE_SHIFT;
	spin_lock(&mi->lock);
	while (idx < end) {
		u64 win = idx / WIN_PAGES;
		struct memwin *w = hole ? radix_get(&mi->data, win) : radix_next(&mi->data, &win);

		if (!w) {
			if (!hole)
				idx = end;
			break;
		}
		idx = MAX(idx, win * WIN_PAGES);
		while (idx < end && idx / WIN_PAGES == win && !w->page[idx % WIN_PAGES] != hole)
			idx++;
		if (idx / WIN_PAGES == win)
			break;
	}
	spin_unlock(&mi->lock);
	r = (s64)MAX((u64)off, idx << PAGE_SHIFT);
	if (idx >= end)
		return hole ? (s64)size : -ENXIO;
	return r;
}

static int memfs_map(struct inode *i, bool shared, bool write, enum map_kind *kind, int *host_fd)
{
	if (shared && write && (load_relaxed(&mem_i(i)->seals) & (F_SEAL_WRITE | F_SEAL_FUTURE_WRITE)))
		return -EPERM;
	*kind = MAP_KIND_ARENA;
	*host_fd = -1;
	return 0;
}

/* See vfs.h. -ENXIO: beyond the end of the file. Without create a hole gives 0 and *page NULL. */
static int memfs_get_page(struct inode *i, u64 index, bool create, void **page)
{
	struct mem_inode *mi = mem_i(i);
	u64 size = load_acquire(&mi->size);
	u64 win_end = (index / WIN_PAGES + 1) * WIN_BYTES;
	int err = 0;

	*page = NULL;
	spin_lock(&mi->lock);
	if (index >= pages_of(mi->size)) {
		err = -ENXIO;
	} else if (create) {
		*page = grab_page_locked(mi, index, win_end <= size, false);
		err = *page ? 0 : -ENOMEM;
	} else {
		struct memwin *w = radix_get(&mi->data, index / WIN_PAGES);

		if (w && w->page[index % WIN_PAGES]) {
			*page = w->page[index % WIN_PAGES];
			w->refs[index % WIN_PAGES]++;
		}
	}
	if (*page)
		mi->map_refs++;
	spin_unlock(&mi->lock);
	return err;
}

static void memfs_put_page(struct inode *i, u64 index, void *page)
{
	(void)page;
	ungrab(mem_i(i), index, 1, true);
}

static int memfs_fsync(struct inode *i, bool data_only)
{
	(void)i;
	(void)data_only;
	return 0;
}

const struct inode_ops memfs_file_ops = {
	.read = memfs_read,
	.write = memfs_write,
	.fallocate = memfs_fallocate,
	.fsync = memfs_fsync,
	.seek_data = memfs_seek_data,
	.map = memfs_map,
	.get_page = memfs_get_page,
	.put_page = memfs_put_page,
	.getattr = memfs_getattr,
	.setattr = memfs_setattr,
	.getxattr = memfs_getxattr,
	.setxattr = memfs_setxattr,
	.listxattr = memfs_listxattr,
	.removexattr = memfs_removexattr,
	.evict = memfs_evict,
};
