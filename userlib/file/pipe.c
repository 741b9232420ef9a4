/* SPDX-License-Identifier: MIT */
/*
 * Pipes and fifos (pipe(7)): a ring of page buffers, pages allocated when written and freed when read, so an idle pipe has none.
 * The mutex is held over copies from and to program memory (which may fault); waiting is done without it. splice's halves are here,
 * the calls in splice.c.
 */
#include "userlib/file/file_internal.h"
#include "userlib/base/string.h"

#define DEFAULT_SLOTS 16u
#define MAX_SLOTS_USER 256u
#define MAX_SLOTS 16384u
#define SIGPIPE_NR 13
#define BUF_PACKET 1u

struct pipe_buf {
	char *page;
	u16 off, flags;
	u32 len;
};
struct pipe {
	struct mutex lock;
	u32 refs;		/* [inode->lock for fifos, a] open files */
	u32 head, tail;		/* [lock to change] head - tail buffers are filled */
	u32 nr_slots;		/* [lock] power of two */
	struct pipe_buf *bufs;	/* [lock] NULL until the first write */
	u32 readers, writers;	/* [lock to change] */
	u32 r_counter, w_counter; /* [lock] opens so far: fifo open waits for a change */
	struct waitq rd, wr, open_wait;
	struct inode *inode;	/* [I] fifo, borrowed from the open files' paths */
	u64 id;
};
static struct slab pipe_slab = SLAB_INIT("pipe", struct pipe);
static const struct file_ops pipe_ops;

static struct pipe *pipe_alloc(struct inode *fifo)
{
	struct pipe *p = slab_zalloc(&pipe_slab);

	if (!p)
		return NULL;
	mutex_init(&p->lock);
	waitq_init(&p->rd);
	waitq_init(&p->wr);
	waitq_init(&p->open_wait);
	p->nr_slots = DEFAULT_SLOTS;
	p->inode = fifo;
	p->id = file_next_id();
	return p;
}

static void pipe_free(struct pipe *p)
{
	for (u32 i = p->tail; i != p->head; i++)
		page_free(p->bufs[i & (p->nr_slots - 1)].page, 0);
	if (p->bufs)
		kmem_free(p->bufs, p->nr_slots * sizeof(*p->bufs));
	slab_free(&pipe_slab, p);
}

static bool pipe_is_empty(const struct pipe *p)
{
	return READ_ONCE(p->head) == READ_ONCE(p->tail);
}
static bool pipe_is_full(const struct pipe *p)
{
	return READ_ONCE(p->head) - READ_ONCE(p->tail) >= READ_ONCE(p->nr_slots);
}
static struct pipe_buf *slot(struct pipe *p, u32 i)
{
	return &p->bufs[i & (p->nr_slots - 1)];
}

static int need_bufs(struct pipe *p)
{
	if (!p->bufs)
		p->bufs = kmem_zalloc(p->nr_slots * sizeof(*p->bufs));
	return p->bufs ? 0 : -ENOMEM;
}

/* Frees the oldest buffer. Lock held. */
static void drop_tail(struct pipe *p)
{
	page_free(slot(p, p->tail)->page, 0);
	WRITE_ONCE(p->tail, p->tail + 1);
}

/* ---- reading ---- */

/* Copies what is there. Lock held. Bytes, 0 if empty, -EFAULT. */
static ssize take_data(struct pipe *p, struct iov_iter *it)
{
	ssize done = 0;

	while (it->count && !pipe_is_empty(p)) {
		struct pipe_buf *b = slot(p, p->tail);
		size_t want = MIN((size_t)b->len, it->count);
		ssize n = iter_copy_to(it, b->page + b->off, want);
		bool packet = b->flags & BUF_PACKET;

		if (n < (ssize)want) { /* what does not fit the caller's memory stays in the pipe, also the part that would */
			if (n > 0)
				iter_revert(it, (size_t)n);
			return done ? done : -EFAULT;
		}
		b->off = (u16)(b->off + n);
		b->len -= (u32)n;
		done += n;
		if (!b->len || packet)
			drop_tail(p);
		if (packet)
			break;
	}
	return done;
}

static int wait_readable(struct pipe *p)
{
	int r = wait_event(&p->rd, EPOLLIN | EPOLLHUP | WAKE_PASS_ON, true, !pipe_is_empty(p) || !READ_ONCE(p->writers), TIME_FOREVER, true);

	if (r && !pipe_is_empty(p))
		waitq_wake(&p->rd, WAKE_PASS_ON);
	return r;
}

static ssize pipe_read(struct file *f, struct iov_iter *it, s64 *pos, u32 rwf)
{
	struct pipe *p = f->private;
	ssize n;
	int r;

	(void)pos;
	if (!it->count)
		return 0;
	for (;;) {
		bool was_full, more;

		mutex_lock(&p->lock);
		was_full = pipe_is_full(p);
		n = take_data(p, it);
		more = !pipe_is_empty(p);
		r = !p->writers;
		mutex_unlock(&p->lock);
		if (n > 0 && was_full)
			waitq_wake_unlocked(&p->wr, POLL_OUT);
		if (more)
			waitq_wake_unlocked(&p->rd, WAKE_PASS_ON);
		if (n || r)
			return n;
		if (file_nonblock(f, rwf))
			return -EAGAIN;
		r = wait_readable(p);
		if (r)
			return r;
	}
}

/* ---- writing ---- */

/* Adds to the last buffer if all of n fits there. Lock held. 1 done, 0 no, -EFAULT. */
static int merge(struct pipe *p, struct iov_iter *it, size_t n)
{
	struct pipe_buf *b;
	ssize c;

	if (pipe_is_empty(p))
		return 0;
	b = slot(p, p->head - 1);
	if ((b->flags & BUF_PACKET) || b->off + b->len + n > PAGE_SIZE)
		return 0;
	c = iter_copy_from(it, b->page + b->off + b->len, n);
	if (c < (ssize)n) {
		if (c > 0)
			iter_revert(it, (size_t)c);
		return -EFAULT;
	}
	b->len += (u32)n;
	return 1;
}

static int push_page(struct pipe *p, char *page, u32 len, bool packet)
{
	int err = need_bufs(p);

	if (err)
		return err;
	*slot(p, p->head) = (struct pipe_buf){ .page = page, .len = len, .flags = packet ? BUF_PACKET : 0 };
	barrier();
	WRITE_ONCE(p->head, p->head + 1);
	return 0;
}

/* Fills free buffers. Lock held. Bytes, or -errno if none. Stops when full. */
static ssize put_data(struct pipe *p, struct iov_iter *it, bool packet)
{
	ssize done = 0, n;

	while (it->count && !pipe_is_full(p)) {
		size_t want = MIN(it->count, PAGE_SIZE);
		char *page = page_alloc(0);
		int err = -EFAULT;

		if (!page)
			return done ? done : -ENOMEM;
		n = iter_copy_from(it, page, want);
		if (n == (ssize)want)
			err = push_page(p, page, (u32)n, packet);
		if (err) {
			page_free(page, 0);
			if (n > 0)
				iter_revert(it, (size_t)n);
			return done ? done : err;
		}
		done += n;
	}
	return done;
}

static ssize write_some(struct pipe *p, struct iov_iter *it, bool packet, bool *was_empty)
{
	size_t before = it->count;
	ssize n;

	if (!p->readers)
		return -EPIPE;
	*was_empty = pipe_is_empty(p);
	if (!packet && (it->count & (PAGE_SIZE - 1))) {
		int m = merge(p, it, it->count & (PAGE_SIZE - 1));

		if (m < 0)
			return before != it->count ? (ssize)(before - it->count) : m;
	}
	n = it->count ? put_data(p, it, packet) : 0;
	return before != it->count ? (ssize)(before - it->count) : n;
}

static int wait_writable(struct pipe *p)
{
	int r = wait_event(&p->wr, EPOLLOUT | EPOLLERR | WAKE_PASS_ON, true, !pipe_is_full(p) || !READ_ONCE(p->readers), TIME_FOREVER, true);

	if (r && !pipe_is_full(p))
		waitq_wake(&p->wr, WAKE_PASS_ON);
	return r;
}

static ssize pipe_write(struct file *f, struct iov_iter *it, s64 *pos, u32 rwf)
{
	struct pipe *p = f->private;
	bool packet = load_relaxed(&f->flags) & FLAG_DIRECT, more;
	ssize done = 0, n;

	(void)pos;
	if (!it->count)
		return 0;
	for (;;) {
		bool was_empty = false;

		mutex_lock(&p->lock);
		n = write_some(p, it, packet, &was_empty);
		more = !pipe_is_full(p);
		mutex_unlock(&p->lock);
		if (n > 0) {
			waitq_wake_unlocked(&p->rd, POLL_IN);
			done += n;
		}
		if (n == -EPIPE && !done)
			proc_hooks->send_signal_self(SIGPIPE_NR);
		if (n < 0 || !it->count) {
			if (more)
				waitq_wake_unlocked(&p->wr, WAKE_PASS_ON);
			return done ? done : n;
		}
		if (more && n > 0)
			continue; /* the copy stopped early at a fault: the next round reports it */
		if (file_nonblock(f, rwf))
			return done ? done : -EAGAIN;
		n = wait_writable(p);
		if (n)
			return done ? done : n;
	}
}

/* ---- splice's halves ---- */

bool file_is_pipe(const struct file *f)
{
	return f->ops == &pipe_ops;
}

ssize pipe_drain(struct file *f, size_t len, bool nonblock, ssize (*fn)(void *arg, void *mem, size_t n), void *arg)
{
	struct pipe *p = f->private;
	ssize done = 0, n = 0;
	bool eof;

	for (;;) {
		mutex_lock(&p->lock);
		while (len && !pipe_is_empty(p)) {
			struct pipe_buf *b = slot(p, p->tail);
			size_t want = MIN((size_t)b->len, len);

			n = fn(arg, b->page + b->off, want);
			if (n <= 0)
				break;
			b->off = (u16)(b->off + n);
			b->len -= (u32)n;
			done += n;
			len -= (size_t)n;
			if (!b->len)
				drop_tail(p);
			if ((size_t)n < want)
				break;
		}
		eof = !p->writers;
		mutex_unlock(&p->lock);
		if (done)
			waitq_wake(&p->wr, POLL_OUT);
		if (done || n < 0 || eof || !len)
			return done ? done : n;
		if (nonblock || file_nonblock(f, 0))
			return -EAGAIN;
		n = wait_readable(p);
		if (n)
			return n;
	}
}

/* One page from fn into the pipe; waits for room first. Bytes or -errno. */
static ssize fill_one(struct file *f, size_t len, bool nonblock, ssize (*fn)(void *, void *, size_t), void *arg)
{
	struct pipe *p = f->private;
	char *page = NULL;
	ssize n = 0;
	int err;

	for (;;) {
		mutex_lock(&p->lock);
		if (!p->readers) {
			err = -EPIPE;
		} else if (pipe_is_full(p)) {
			err = nonblock || file_nonblock(f, 0) ? -EAGAIN : 1;
		} else {
			err = page ? push_page(p, page, (u32)n, false) : 2;
		}
		mutex_unlock(&p->lock);
		if (err == 0) {
			waitq_wake(&p->rd, POLL_IN);
			return n;
		}
		if (err == 2) {
			page = page_alloc(0);
			n = page ? fn(arg, page, MIN(len, PAGE_SIZE)) : -ENOMEM;
			nonblock = false; /* what has been taken must arrive */
			if (n > 0)
				continue;
			err = (int)n;
		}
		if (err == 1) {
			err = wait_writable(p);
			if (!err)
				continue;
		}
		break;
	}
	if (page)
		page_free(page, 0);
	if (err == -EPIPE)
		proc_hooks->send_signal_self(SIGPIPE_NR);
	return err;
}

ssize pipe_fill(struct file *f, size_t len, bool nonblock, ssize (*fn)(void *arg, void *mem, size_t n), void *arg)
{
	ssize done = 0, n;

	while (len) {
		size_t want = MIN(len, PAGE_SIZE);

		n = fill_one(f, len, nonblock || done, fn, arg);
		if (n <= 0)
			return done ? done : n;
		done += n;
		len -= (size_t)n;
		if ((size_t)n < want)
			break;
	}
	return done;
}

struct tee_state {
	struct pipe *p;
	size_t skip;
};

static ssize tee_peek(void *arg, void *mem, size_t len)
{
	struct tee_state *t = arg;
	size_t skip = t->skip, n = 0;

	mutex_lock(&t->p->lock);
	for (u32 i = t->p->tail; i != t->p->head && !n; i++) {
		struct pipe_buf *b = slot(t->p, i);

		if (skip >= b->len) {
			skip -= b->len;
			continue;
		}
		n = MIN(len, b->len - skip);
		memcpy(mem, b->page + b->off + skip, n);
	}
	mutex_unlock(&t->p->lock);
	t->skip += n;
	return (ssize)n;
}

ssize pipe_tee(struct file *in, struct file *out, size_t len, bool nonblock)
{
	struct pipe *p = in->private;
	struct tee_state t = { p, 0 };
	ssize done = 0, n;

	if (p == out->private)
		return -EINVAL;
	if (pipe_is_empty(p)) {
		if (!READ_ONCE(p->writers))
			return 0;
		if (nonblock || file_nonblock(in, 0))
			return -EAGAIN;
		n = wait_readable(p);
		if (n)
			return n;
	}
	while (len) {
		n = pipe_fill(out, MIN(len, PAGE_SIZE), nonblock || done, tee_peek, &t);
		if (n <= 0)
			return done ? done : n;
		done += n;
		len -= (size_t)n;
	}
	return done;
}

/* ---- the rest of the operations ---- */

static u32 pipe_poll(struct file *f, struct poll_table *pt)
{
	struct pipe *p = f->private;
	u32 ev = 0;

	if (f->mode_rw & FMODE_READ)
		poll_wait(pt, &p->rd);
	if (f->mode_rw & FMODE_WRITE)
		poll_wait(pt, &p->wr);
	if (f->mode_rw & FMODE_READ) {
		if (!pipe_is_empty(p))
			ev |= POLL_IN;
		if (!READ_ONCE(p->writers) && (u32)f->pos != READ_ONCE(p->w_counter))
			ev |= EPOLLHUP;
	}
	if (f->mode_rw & FMODE_WRITE) {
		if (!pipe_is_full(p))
			ev |= POLL_OUT;
		if (!READ_ONCE(p->readers))
			ev |= EPOLLERR;
	}
	return ev;
}

static long pipe_ioctl(struct file *f, unsigned cmd, unsigned long arg)
{
	struct pipe *p = f->private;
	int n = 0;

	if (cmd != 0x541b) /* FIONREAD */
		return -ENOTTY;
	mutex_lock(&p->lock);
	for (u32 i = p->tail; i != p->head; i++)
		n += (int)slot(p, i)->len;
	mutex_unlock(&p->lock);
	return copy_to_app((void __app *)arg, &n, sizeof(n));
}

static int pipe_getattr(struct file *f, struct kstat *st)
{
	struct pipe *p = f->private;

	st->mode = S_IFIFO | 0600;
	st->ino = p->id;
	return 0;
}

static int pipe_link_name(struct file *f, char *buf, size_t size)
{
	struct pipe *p = f->private;

	if (f->path.mnt) {
		ssize n = path_name(&f->path, NULL, buf, size, true);

		return n > 0 ? (int)n - 1 : (int)n;
	}
	return fmt(buf, size, "pipe:[%llu]", (unsigned long long)p->id);
}

static void pipe_unref(struct pipe *p)
{
	struct inode *i = p->inode;
	bool last;

	if (i)
		mutex_lock(&i->lock);
	last = atomic_fetch_sub(&p->refs, 1u) == 1;
	if (i && last)
		i->pipe = NULL;
	if (i)
		mutex_unlock(&i->lock);
	if (last)
		pipe_free(p);
}

static void drop_end(struct pipe *p, u32 mode)
{
	mutex_lock(&p->lock);
	if (mode & FMODE_READ)
		p->readers--;
	if (mode & FMODE_WRITE)
		p->writers--;
	mutex_unlock(&p->lock);
	waitq_wake_everyone(&p->rd);
	waitq_wake_everyone(&p->wr);
}

static void pipe_release(struct file *f)
{
	drop_end(f->private, f->mode_rw);
	pipe_unref(f->private);
}

long pipe_get_size(struct file *f)
{
	return (long)(((struct pipe *)f->private)->nr_slots * PAGE_SIZE);
}

long pipe_set_size(struct file *f, u64 bytes, bool privileged)
{
	struct pipe *p = f->private;
	struct pipe_buf *n = NULL;
	u32 slots = 1, used;
	long r;

	if (bytes > (1ull << 31))
		return -EINVAL;
	while (slots * PAGE_SIZE < bytes)
		slots *= 2;
	if (slots > MAX_SLOTS_USER && !privileged)
		return -EPERM;
	if (slots > MAX_SLOTS)
		return -ENOMEM;
	mutex_lock(&p->lock);
	used = p->head - p->tail;
	r = -EBUSY;
	if (used > slots)
		goto out;
	if (p->bufs) {
		r = -ENOMEM;
		n = kmem_zalloc(slots * sizeof(*n));
		if (!n)
			goto out;
		for (u32 i = 0; i < used; i++)
			n[i] = *slot(p, p->tail + i);
		kmem_free(p->bufs, p->nr_slots * sizeof(*n));
		p->bufs = n;
		p->tail = 0;
		p->head = used;
	}
	p->nr_slots = slots;
	r = (long)(slots * PAGE_SIZE);
out:
	mutex_unlock(&p->lock);
	if (r > 0)
		waitq_wake(&p->wr, POLL_OUT);
	return r;
}

/* *peer_opens (may be NULL): how often the other side had been opened before this end was added, not counting a peer still there. */
static int add_end(struct pipe *p, unsigned flags, struct file **out, u32 *peer_opens)
{
	int err = file_alloc(&pipe_ops, flags, p, out);

	if (err)
		return err;
	(*out)->pos = -1;
	atomic_fetch_add(&p->refs, 1u);
	mutex_lock(&p->lock);
	if (peer_opens)
		*peer_opens = (*out)->mode_rw & FMODE_READ ? p->w_counter - (p->writers != 0) : p->r_counter - (p->readers != 0);
	if ((*out)->mode_rw & FMODE_READ) {
		p->readers++;
		p->r_counter++;
	}
	if ((*out)->mode_rw & FMODE_WRITE) {
		p->writers++;
		p->w_counter++;
	}
	mutex_unlock(&p->lock);
	return 0;
}

static int pipe_reopen(struct file *f, unsigned flags, struct file **out)
{
	return add_end(f->private, flags & (O_ACCMODE | FLAG_NONBLOCK | FLAG_DIRECT), out, NULL);
}

static const struct file_ops pipe_ops = {
	.can_async = true,
	.name = "pipe",
	.read = pipe_read,
	.write = pipe_write,
	.poll = pipe_poll,
	.ioctl = pipe_ioctl,
	.getattr = pipe_getattr,
	.link_name = pipe_link_name,
	.reopen = pipe_reopen,
	.release = pipe_release,
};

int pipe_create(unsigned flags, struct file **rd, struct file **wr)
{
	struct pipe *p = pipe_alloc(NULL);
	unsigned fl = flags & (FLAG_NONBLOCK | FLAG_DIRECT);
	int err;

	if (!p)
		return -ENOMEM;
	err = add_end(p, O_RDONLY | fl, rd, NULL);
	if (err) {
		pipe_free(p);
		return err;
	}
	err = add_end(p, O_WRONLY | fl, wr, NULL);
	if (err)
		file_put(*rd);
	return err;
}

/* ---- fifos ---- */

/*
 * Blocks until the other side is there, or has been since this end was added (it may be gone again by now). On error the caller puts the
 * file.
 */
static int fifo_wait_peer(struct pipe *p, struct file *f, u32 peer_opens)
{
	if ((f->mode_rw & 3) == 3)
		return 0;
	if (f->mode_rw & FMODE_READ) {
		if (READ_ONCE(p->writers) || READ_ONCE(p->w_counter) != peer_opens)
			return 0;
		if (file_nonblock(f, 0)) {
			f->pos = p->w_counter; /* no HUP before a writer has been here */
			return 0;
		}
		return wait_event(&p->open_wait, WAKE_ALL, false, READ_ONCE(p->writers) || READ_ONCE(p->w_counter) != peer_opens,
				  TIME_FOREVER, true);
	}
	if (READ_ONCE(p->readers) || READ_ONCE(p->r_counter) != peer_opens)
		return 0;
	if (file_nonblock(f, 0))
		return -ENXIO;
	return wait_event(&p->open_wait, WAKE_ALL, false, READ_ONCE(p->readers) || READ_ONCE(p->r_counter) != peer_opens, TIME_FOREVER, true);
}

static int fifo_open(struct inode *i, struct path *path, unsigned flags, const struct cred *c, struct file **out)
{
	struct file *f;
	struct pipe *p;
	u32 peer_opens;
	int err = -ENOMEM;

	(void)c;
	mutex_lock(&i->lock);
	p = i->pipe;
	if (!p) {
		p = pipe_alloc(i);
		i->pipe = p;
	}
	if (p) {
		atomic_fetch_add(&p->refs, 1u); /* ours while opening */
		err = 0;
	}
	mutex_unlock(&i->lock);
	if (err)
		return err;
	err = add_end(p, flags & ~FLAG_DIRECT, &f, &peer_opens);
	if (err)
		goto out;
	f->path = *path;
	f->inode = i;
	path_get(path);
	waitq_wake_everyone(&p->open_wait);
	err = fifo_wait_peer(p, f, peer_opens);
	if (err)
		file_put(f);
	else
		*out = f;
out:
	pipe_unref(p);
	return err;
}

void pipe_init(void)
{
	store_release(&fifo_open_hook, fifo_open);
}
