/* SPDX-License-Identifier: MIT */
/* Who serves character devices: a small registry filled at boot by userlib/file, looked up at each open. */
#include "fs/special.h"
#include "userlib/base/log.h"

#define MAX_CHRDEVS 32
static struct chrdev {
	u32 major, first, count;
	open_file_fn *open_file;
} chrdevs[MAX_CHRDEVS];
static u32 nr_chrdevs; /* [a] */

open_file_fn *fifo_open_hook;

void chrdev_register(u32 major, u32 minor_first, u32 count, open_file_fn *open_file)
{
	u32 n = atomic_fetch_add(&nr_chrdevs, 1);

	if (n >= MAX_CHRDEVS)
		panic("too many character devices");
	chrdevs[n].major = major;
	chrdevs[n].first = minor_first;
	chrdevs[n].count = count;
	store_release(&chrdevs[n].open_file, open_file);
}

static open_file_fn *find(u64 rdev)
{
	u32 major = RDEV_MAJOR(rdev), minor = RDEV_MINOR(rdev), n = MIN(load_acquire(&nr_chrdevs), (u32)MAX_CHRDEVS);

	for (u32 k = 0; k < n; k++) {
		open_file_fn *fn = load_acquire(&chrdevs[k].open_file);

		if (fn && chrdevs[k].major == major && (!chrdevs[k].count || minor - chrdevs[k].first < chrdevs[k].count))
			return fn;
	}
	return NULL;
}

int special_open_file(struct inode *i, struct path *p, unsigned open_flags, const struct cred *c, struct file **out)
{
	open_file_fn *fn = NULL;

	if ((i->mode & S_IFMT) == S_IFCHR)
		fn = find(i->rdev);
	else if ((i->mode & S_IFMT) == S_IFIFO)
		fn = load_acquire(&fifo_open_hook);
	return fn ? fn(i, p, open_flags, c, out) : -ENXIO;
}
