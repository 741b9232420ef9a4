/* SPDX-License-Identifier: MIT */
/*
 * Reading host files. Data in the host's page cache is copied from a shared read-only mapping of the calling kProc (fs_map_window), which
 * costs no host call, for 64 KiB windows that are read often; whether one is resident is asked and believed for a second. Everything else, and whatever goes wrong
 * there (truncation under the copy), is a pread that parks the uThread when a disk is to be waited for (host_ring.h). Sizes are the host's, not remembered.
 */
#include "fs/hostfs.h"
#include "fs/vfs_internal.h"
#include "userlib/base/log.h"
#include "userlib/rt/clock.h"
#include "userlib/rt/host.h"
#include "userlib/rt/host_ring.h"
#include "userlib/rt/kmod.h"

#define WINDOW (1ul << RES_WINDOW_SHIFT)
#define BELIEVE_NS NSEC_PER_SEC
#define HOT_READS 16 /* mapping a window costs about that many small preads: only what is read again and again is worth it */

/* An open file keeps its descriptor: the pin is given back by release. */
int hostfs_open(struct inode *i, unsigned open_flags)
{
	struct host_inode *hi = host_i(i);
	bool write = (open_flags & O_ACCMODE) != O_RDONLY;
	int fd;

	if (write && !host_sb(hi)->writable)
		return -EROFS;
	fd = hfd_get(hi, write ? HFD_WRITE : HFD_READ);
	if (fd == -EACCES && write && (open_flags & O_ACCMODE) == O_RDWR)
		return -EACCES;
	return fd < 0 ? fd : 0;
}

void hostfs_release(struct inode *i, unsigned open_flags)
{
	(void)open_flags;
	hfd_put(host_i(i));
}

int hostfs_map(struct inode *i, bool shared, bool write, enum map_kind *kind, int *host_fd)
{
	struct host_inode *hi = host_i(i);
	int fd = hfd_get(hi, shared && write ? HFD_WRITE : HFD_READ);

	if (fd < 0)
		return fd;
	spin_lock(&hfs_lock);
	hi->keep = true;
	spin_unlock(&hfs_lock);
	hfd_put(hi);
	*kind = MAP_KIND_HOST;
	*host_fd = fd;
	return 0;
}

/* The module knows; without it, or for file systems it does not take, the host's cachestat does if it is new enough. */
static bool in_page_cache(struct host_inode *hi, int fd, u64 off, u64 len)
{
	int id = hfd_kmod_id(hi, fd);

	if (id > 0)
		return kmod_file_resident(id, off, len) == 1;
	return host_cachestat_resident(fd, off, len) >= (long)((len + PAGE_SIZE - 1) >> PAGE_SHIFT);
}

/* Is the whole window (up to the end of the file) read often, and in the page cache as far as we know? */
static bool window_hot(struct host_inode *hi, int fd, u64 win, u64 size)
{
	struct host_window *r = &hi->res[win % RES_WINDOWS];
	u64 len = MIN((u64)WINDOW, size - win * WINDOW);
	s64 now;

	if (load_relaxed(&r->win) != win + 1) {
		store_relaxed(&r->win, win + 1);
		store_relaxed(&r->reads, 1u);
		store_relaxed(&r->until_ns, (s64)0);
		return false;
	}
	if (load_relaxed(&r->reads) < HOT_READS) {
		store_relaxed(&r->reads, r->reads + 1); /* an estimate: lost counts do no harm */
		return false;
	}
	now = clock_monotonic_ns();
	if (now < load_relaxed(&r->until_ns))
		return true;
	if (!in_page_cache(hi, fd, win * WINDOW, len))
		return false;
	store_relaxed(&r->until_ns, now + BELIEVE_NS);
	return true;
}

/* The size to trust for reads that stay inside the file: at most a second old. */
static u64 known_size(struct host_inode *hi)
{
	struct kstat st = { .size = 0 };

	if (clock_monotonic_ns() - load_relaxed(&hi->st_ns) > BELIEVE_NS && hostfs_getattr(&hi->vfs, &st))
		return 0;
	return load_relaxed(&hi->st.size);
}

/* Copies from mapped windows as long as that goes. Returns bytes copied, maybe 0. */
static ssize read_windows(struct host_inode *hi, int fd, struct iov_iter *it, u64 pos)
{
	const void *(*map)(struct inode *, int, int, u64, u64) = load_acquire(&fs_map_window);
	u64 size;
	ssize done = 0;

	if (!map)
		return 0;
	size = known_size(hi);
	while (it->count && pos + it->count <= size) {
		u64 win = pos >> RES_WINDOW_SHIFT, off = pos & (WINDOW - 1);
		size_t want = MIN(it->count, WINDOW - off);
		const char *p;
		ssize n;

		if (!window_hot(hi, fd, win, size))
			break;
		p = map(&hi->vfs, fd, load_relaxed(&hi->kmod_id), win * WINDOW, MIN((u64)WINDOW, size - win * WINDOW));
		if (!p)
			break;
		n = iter_copy_to(it, p + off, want);
		if (fs_unmap_window)
			fs_unmap_window(p);
		if (n <= 0)
			break; /* truncated under us, or a bad program pointer: pread tells which */
		done += n;
		pos += (u64)n;
		if ((size_t)n < want) {
			store_relaxed(&hi->res[win % RES_WINDOWS].win, 0);
			break;
		}
	}
	return done;
}

ssize hostfs_read(struct inode *i, struct iov_iter *it, u64 pos)
{
	struct host_inode *hi = host_i(i);
	int fd = hfd_get(hi, HFD_READ);
	ssize done;

	if (fd < 0)
		return fd;
	done = read_windows(hi, fd, it, pos);
	while (it->count) {
		size_t len = MIN(it->seg->len - it->seg_offset, it->count);
		long n;

		if (!len) {
			iter_advance(it, 0);
			len = MIN(it->seg->len - it->seg_offset, it->count);
			if (!len) { /* an empty segment */
				it->seg++;
				it->nr_segs--;
				it->seg_offset = 0;
				continue;
			}
		}
		n = host_pread_park(fd, (char *)it->seg->base + it->seg_offset, len, pos + (u64)done, &hi->read_mode);
		if (n <= 0) {
			if (n < 0 && !done)
				done = n;
			break;
		}
		iter_advance(it, (size_t)n);
		done += n;
		if ((size_t)n < len)
			break;
	}
	hfd_put(hi);
	return done;
}

s64 hostfs_seek_data(struct inode *i, s64 off, bool hole)
{
	struct host_inode *hi = host_i(i);
	int fd = hfd_get(hi, HFD_READ);
	s64 r;

	if (fd < 0)
		return fd;
	r = host_lseek(fd, off, hole ? 4 /* SEEK_HOLE */ : 3 /* SEEK_DATA */);
	hfd_put(hi);
	return r;
}

/* By the kernel module. The host's own calls for it are not on the allow-list: without the module reads find out by themselves. */
void hostfs_prefetch(struct inode *i, u64 off, u64 len)
{
	struct host_inode *hi = host_i(i);
	int fd = kmod_present() ? hfd_get(hi, HFD_READ) : -1, id;

	if (fd < 0)
		return;
	id = hfd_kmod_id(hi, fd);
	while (id > 0 && len) {
		u64 part = MIN(len, KMOD_PREFETCH_MAX);

		if (kmod_file_prefetch(id, off, part))
			break; /* enough is under way */
		off += part;
		len -= part;
	}
	hfd_put(hi);
}

ssize hostfs_getxattr(struct inode *i, const char *name, void *buf, size_t size)
{
	struct host_inode *hi = host_i(i);
	int fd = hfd_get(hi, HFD_READ);
	ssize n;

	if (fd < 0)
		return -ENODATA; /* unreadable for us: as if it had none */
	n = host_fgetxattr(fd, name, buf, size);
	hfd_put(hi);
	return n;
}

ssize hostfs_listxattr(struct inode *i, char *buf, size_t size)
{
	struct host_inode *hi = host_i(i);
	int fd = hfd_get(hi, HFD_READ);
	ssize n;

	if (fd < 0)
		return 0;
	n = host_flistxattr(fd, buf, size);
	hfd_put(hi);
	return n == -EOPNOTSUPP ? 0 : n;
}
