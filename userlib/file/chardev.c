/* SPDX-License-Identifier: MIT */
/* The memory devices (mem(4), null(4), random(4)). Terminals are in tty.c. */
#include "userlib/file/file_internal.h"
#include "userlib/base/string.h"

static s64 zero_seek(struct file *f, s64 off, int whence)
{
	(void)off;
	(void)whence;
	f->pos = 0;
	return 0;
}

static ssize null_read(struct file *f, struct iov_iter *it, s64 *pos, u32 rwf)
{
	(void)f, (void)it, (void)pos, (void)rwf;
	return 0;
}

static ssize null_write(struct file *f, struct iov_iter *it, s64 *pos, u32 rwf)
{
	ssize n = (ssize)it->count;

	(void)f, (void)pos, (void)rwf;
	iter_advance(it, it->count);
	return n;
}

static ssize zero_read(struct file *f, struct iov_iter *it, s64 *pos, u32 rwf)
{
	(void)f, (void)pos, (void)rwf;
	return it->count ? iter_zero(it, it->count) : 0;
}

static ssize full_write(struct file *f, struct iov_iter *it, s64 *pos, u32 rwf)
{
	(void)f, (void)pos, (void)rwf;
	return it->count ? -ENOSPC : 0;
}

static ssize random_read(struct file *f, struct iov_iter *it, s64 *pos, u32 rwf)
{
	u8 buf[512];
	ssize done = 0;

	(void)f, (void)pos, (void)rwf;
	while (it->count) {
		size_t n = MIN(it->count, sizeof(buf));
		ssize c;

		random_bytes(buf, n);
		c = iter_copy_to(it, buf, n);
		if (c < 0)
			return done ? done : c;
		done += c;
		if ((size_t)c < n)
			break;
	}
	return done;
}

static long random_ioctl(struct file *f, unsigned cmd, unsigned long arg)
{
	int bits = 256;

	(void)f;
	if (cmd == 0x80045200) /* RNDGETENTCNT */
		return copy_to_app((void __app *)arg, &bits, sizeof(bits));
	return -ENOTTY;
}

static const struct file_ops null_ops = { .name = "null", .read = null_read, .write = null_write, .seek = zero_seek };
static const struct file_ops zero_ops = { .name = "zero", .read = zero_read, .write = null_write, .seek = zero_seek, .maps_zero = true };
static const struct file_ops full_ops = { .name = "full", .read = zero_read, .write = full_write, .seek = zero_seek };
static const struct file_ops random_ops = {
	.name = "random", .read = random_read, .write = null_write, .seek = zero_seek, .ioctl = random_ioctl
};

static int mem_open(struct inode *i, struct path *p, unsigned flags, const struct cred *c, struct file **out)
{
	const struct file_ops *ops;

	(void)p, (void)c;
	switch (RDEV_MINOR(i->rdev)) {
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
	chrdev_register(1, 0, 0, mem_open);
}
