/* SPDX-License-Identifier: MIT */
/* /dev/null, zero, full, random, urandom, and /dev/tty as a way to the caller's terminal. */
#include "userlib/file/chardev.h"
#include "userlib/file/hostfile.h"
#include "userlib/rt/clock.h"

static ssize null_read(struct file *f, struct iov_iter *it, s64 *pos, u32 rwf)
{
	(void)f, (void)it, (void)pos, (void)rwf;
	return 0;
}
static ssize null_write(struct file *f, struct iov_iter *it, s64 *pos, u32 rwf)
{
	size_t n = it->count;

	(void)f, (void)pos, (void)rwf;
	iter_advance(it, n);
	return (ssize)n;
}
static ssize zero_read(struct file *f, struct iov_iter *it, s64 *pos, u32 rwf)
{
	(void)f, (void)pos, (void)rwf;
	return iter_zero(it, it->count);
}
static ssize full_write(struct file *f, struct iov_iter *it, s64 *pos, u32 rwf)
{
	(void)f, (void)pos, (void)rwf;
	return it->count ? -ENOSPC : 0;
}
static ssize random_read(struct file *f, struct iov_iter *it, s64 *pos, u32 rwf)
{
	u8 buf[256];
	ssize total = 0;

	(void)f, (void)pos, (void)rwf;
	while (it->count) {
		size_t n = MIN(it->count, sizeof(buf));
		ssize c;

		random_bytes(buf, n);
		c = iter_copy_to(it, buf, n);
		if (c <= 0)
			return total ? total : c;
		total += c;
	}
	return total;
}
static s64 null_seek(struct file *f, s64 off, int whence)
{
	(void)f, (void)off, (void)whence;
	return 0;
}
static int dev_getattr(struct file *f, struct kstat *st)
{
	return vfs_getattr(&f->path, st);
}

#define DEV(nm, rd, wr) { .name = nm, .read = rd, .write = wr, .seek = null_seek, .getattr = dev_getattr }
static const struct file_ops null_ops = DEV("null", null_read, null_write);
static const struct file_ops zero_ops = DEV("zero", zero_read, null_write);
static const struct file_ops full_ops = DEV("full", zero_read, full_write);
static const struct file_ops random_ops = DEV("random", random_read, null_write);

static int open_mem(struct inode *i, struct path *p, unsigned flags, const struct cred *c, struct file **out)
{
	const struct file_ops *ops;

	(void)p, (void)c;
	switch (i->rdev & 0xff) {
	case 3:
		ops = &null_ops;
		break;
	case 5:
		ops = &zero_ops;
		break;
	case 7:
		ops = &full_ops;
		break;
	case 8:
	case 9:
		ops = &random_ops;
		break;
	default:
		return -ENXIO;
	}
	return file_alloc(ops, flags, NULL, out);
}

void chardev_init(void)
{
	chrdev_register(1, 0, 0, open_mem);
}
