/* SPDX-License-Identifier: MIT */
/* eventfd(2). */
#include "userlib/file/file_internal.h"
#include "userlib/base/string.h"

struct eventfd {
	struct spinlock lock;
	u64 count;	/* [lock] */
	bool semaphore; /* [I] */
	struct waitq wait;
};
static struct slab eventfd_slab = SLAB_INIT("eventfd", struct eventfd);

static bool take(struct eventfd *e, u64 *v)
{
	spin_lock(&e->lock);
	*v = e->count == 0 ? 0 : e->semaphore ? 1 : e->count;
	e->count -= *v;
	spin_unlock(&e->lock);
	return *v != 0;
}

static bool add(struct eventfd *e, u64 v)
{
	bool ok;

	spin_lock(&e->lock);
	ok = ~0ull - e->count > v;
	if (ok)
		e->count += v;
	spin_unlock(&e->lock);
	return ok;
}

static ssize eventfd_read(struct file *f, struct iov_iter *it, s64 *pos, u32 rwf)
{
	struct eventfd *e = f->private;
	u64 v;
	int r;

	(void)pos;
	if (it->count < 8)
		return -EINVAL;
	if (!take(e, &v)) {
		if (file_nonblock(f, rwf))
			return -EAGAIN;
		r = wait_event(&e->wait, EPOLLIN | WAKE_PASS_ON, true, take(e, &v), TIME_FOREVER, true);
		if (r) {
			if (READ_ONCE(e->count))
				waitq_wake(&e->wait, WAKE_PASS_ON);
			return r;
		}
	}
	waitq_wake(&e->wait, POLL_OUT);
	if (READ_ONCE(e->count))
		waitq_wake(&e->wait, WAKE_PASS_ON);
	return iter_copy_to(it, &v, 8);
}

static ssize eventfd_write(struct file *f, struct iov_iter *it, s64 *pos, u32 rwf)
{
	struct eventfd *e = f->private;
	ssize n;
	u64 v;
	int r;

	(void)pos;
	if (it->count < 8)
		return -EINVAL;
	n = iter_copy_from(it, &v, 8);
	if (n != 8)
		return -EFAULT;
	if (v == ~0ull)
		return -EINVAL;
	if (!add(e, v)) {
		if (file_nonblock(f, rwf))
			return -EAGAIN;
		r = wait_event(&e->wait, EPOLLOUT, true, add(e, v), TIME_FOREVER, true);
		if (r)
			return r;
	}
	waitq_wake(&e->wait, POLL_IN);
	return 8;
}

static u32 eventfd_poll(struct file *f, struct poll_table *pt)
{
	struct eventfd *e = f->private;
	u32 ev = 0;
	u64 c;

	poll_wait(pt, &e->wait);
	c = READ_ONCE(e->count);
	if (c > 0)
		ev |= POLL_IN;
	if (c < ~0ull - 1)
		ev |= POLL_OUT;
	return ev;
}

static void eventfd_info(struct file *f, char *buf, size_t size)
{
	struct eventfd *e = f->private;

	fmt(buf, size, "eventfd-count: %16llx\n", (unsigned long long)READ_ONCE(e->count));
}

static void eventfd_release(struct file *f)
{
	slab_free(&eventfd_slab, f->private);
}

static const struct file_ops eventfd_ops = {
	.name = "eventfd",
	.read = eventfd_read,
	.write = eventfd_write,
	.poll = eventfd_poll,
	.fdinfo = eventfd_info,
	.release = eventfd_release,
};

int eventfd_create(u64 count, bool semaphore, unsigned flags, struct file **out)
{
	struct eventfd *e = slab_zalloc(&eventfd_slab);
	int err;

	if (!e)
		return -ENOMEM;
	waitq_init(&e->wait);
	e->count = count;
	e->semaphore = semaphore;
	err = file_alloc(&eventfd_ops, O_RDWR | (flags & FLAG_NONBLOCK), e, out);
	if (err)
		slab_free(&eventfd_slab, e);
	return err;
}
