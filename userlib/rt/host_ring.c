/* SPDX-License-Identifier: MIT */
/*
 * Requests on the restricted io_uring: one at a time is written into the submission queue and handed over under submit_lock, since the
 * host reads program memory of whoever enters; the uThread then parks. Completions are taken by whichever kThread polls
 * and matched by slot number and generation: the queues are memory that the program can write, so everything read there is checked.
 *
 * A request needs a file of the ring's table: slot n's is put there before the submission and taken out after the completion, since a
 * request that the host hands to a worker of its own looks it up late. Requests are not interruptible, as file I/O on Linux is not.
 * Locks: submit_lock (mutex); cq_lock (spin, a leaf); slot_lock (spin, a leaf but for unpark).
 */
#include "userlib/rt/host_ring.h"
#include "base/atomic.h"
#include "userlib/base/string.h"
#include "userlib/rt/host.h"
#include "userlib/rt/lock.h"
#include "userlib/rt/sched.h"
#include "userlib/rt/waitq.h"
#include <linux/io_uring.h>
#include <linux/mman.h>

#define POLL_BATCH 16

enum slot_state { SLOT_FREE, SLOT_PENDING, SLOT_DONE };
struct ring_slot {
	u32 state;	    /* [a] changed under slot_lock */
	u32 generation;	    /* [slot_lock] */
	s32 res;	    /* [slot_lock] */
	struct uthread *ut; /* [slot_lock] */
};

static struct jabi_ring geo; /* [I] after attach */
static char *rings;	     /* [I] NULL = no ring */
static struct io_uring_sqe *sqes;
int host_ring_fd = -1;
static struct mutex submit_lock = MUTEX_INIT(submit_lock);
static struct spinlock slot_lock;
static struct waitq slot_wait = WAITQ_INIT(slot_wait);
static struct spinlock cq_lock; /* taking completions out */
static struct ring_slot slots[JABI_RING_ENTRIES];
static u32 nr_pending; /* [a] */
u64 host_ring_reads, host_ring_fsyncs;

static u32 *word(u32 off)
{
	return (u32 *)(rings + off);
}

static void complete(u64 user_data, s32 res)
{
	u32 n = (u32)user_data;
	struct ring_slot *s = &slots[n % JABI_RING_ENTRIES];

	spin_lock(&slot_lock);
	if (n < JABI_RING_ENTRIES && s->state == SLOT_PENDING && s->generation == (u32)(user_data >> 32)) {
		s->res = res;
		store_release(&s->state, SLOT_DONE);
		atomic_fetch_sub(&nr_pending, 1u);
		uthread_unpark(s->ut); /* under the lock: it cannot return and be gone before */
	}
	spin_unlock(&slot_lock);
}

/*
 * Not a poll_source: those are one kThread's at a time, and while that one has lost its core, the watcher would find the ring readable
 * again and again. Here completions leave the queue under a short lock and wake-ups come after it.
 */
bool host_ring_poll(void)
{
	struct io_uring_cqe c[POLL_BATCH];
	u32 head, n = 0;

	if (likely(!load_relaxed(&nr_pending)) || load_relaxed(word(geo.cq_head)) == load_acquire(word(geo.cq_tail)))
		return false;
	spin_lock(&cq_lock);
	for (head = load_relaxed(word(geo.cq_head)); n < POLL_BATCH && head != load_acquire(word(geo.cq_tail)); head++)
		c[n++] = ((struct io_uring_cqe *)(rings + geo.cqes))[head & (geo.cq_entries - 1)];
	store_release(word(geo.cq_head), head);
	spin_unlock(&cq_lock);
	for (u32 i = 0; i < n; i++)
		complete(c[i].user_data, c[i].res);
	return n != 0;
}

int host_ring_attach(int fd, const struct jabi_ring *g, void *map[2], size_t len[2])
{
	long a, b;

	if (fd < 0 || g->sq_entries < JABI_RING_ENTRIES || g->ring_bytes > 1u << 20)
		return -ENOSYS;
	len[0] = ROUND_UP((size_t)g->ring_bytes, PAGE_SIZE);
	len[1] = ROUND_UP((size_t)g->sq_entries * sizeof(struct io_uring_sqe), PAGE_SIZE);
	/* At addresses of the host's choice: it accepts no others for a ring. */
	a = host_mmap(NULL, len[0], PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, fd, IORING_OFF_SQ_RING);
	if (a < 0)
		return (int)a;
	b = host_mmap(NULL, len[1], PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, fd, IORING_OFF_SQES);
	if (b < 0) {
		host_munmap((void *)a, len[0]);
		return (int)b;
	}
	geo = *g;
	host_ring_fd = fd;
	rings = map[0] = (char *)a;
	map[1] = (void *)b;
	sqes = map[1];
	return 0;
}

static int take_slot(struct uthread *ut)
{
	int n = -1;

	spin_lock(&slot_lock);
	for (u32 i = 0; i < JABI_RING_ENTRIES && n < 0; i++)
		if (slots[i].state == SLOT_FREE)
			n = (int)i;
	if (n >= 0) {
		slots[n].ut = ut;
		slots[n].generation++;
		store_release(&slots[n].state, SLOT_PENDING);
		atomic_fetch_add(&nr_pending, 1u);
	}
	spin_unlock(&slot_lock);
	return n;
}

static void free_slot(u32 n)
{
	spin_lock(&slot_lock);
	if (slots[n].state == SLOT_PENDING) /* never submitted */
		atomic_fetch_sub(&nr_pending, 1u);
	store_release(&slots[n].state, SLOT_FREE);
	spin_unlock(&slot_lock);
	waitq_wake(&slot_wait, WAKE_ALL);
}

static int set_file(u32 n, int fd)
{
	int r = host_ring_set_file(host_ring_fd, n, fd);

	return r == 1 ? 0 : r < 0 ? r : -EBADF;
}

/* submit_lock held. 0: the host has it. */
static int submit_locked(u32 n, const struct io_uring_sqe *sqe, int fd)
{
	u32 tail = load_relaxed(word(geo.sq_tail)), at = tail & (geo.sq_entries - 1);
	int r = set_file(n, fd);

	if (r)
		return r;
	sqes[at] = *sqe;
	word(geo.sq_array)[at] = at;
	store_release(word(geo.sq_tail), tail + 1);
	r = host_ring_enter(host_ring_fd, 1);
	if (r != 1)
		store_release(word(geo.sq_tail), tail); /* not taken: the host looks at it only inside the call */
	return r == 1 ? 0 : r < 0 ? r : -EAGAIN;
}

/* -ENOSYS: nothing was done. Else *res is the operation's result. */
static int run(struct io_uring_sqe *sqe, int fd, s32 *res)
{
	struct uthread *ut;
	int n, r;

	if (!rings)
		return -ENOSYS;
	ut = uthread_self();
	if (ut == &kt_self()->idle_ut)
		return -ENOSYS;
	(void)wait_event(&slot_wait, WAKE_ALL, false, (n = take_slot(ut)) >= 0, TIME_FOREVER, false);
	sqe->flags = IOSQE_FIXED_FILE;
	sqe->fd = n;
	sqe->user_data = (u64)slots[n].generation << 32 | (u32)n;
	mutex_lock(&submit_lock);
	r = submit_locked((u32)n, sqe, fd);
	mutex_unlock(&submit_lock);
	while (!r && load_acquire(&slots[n].state) != SLOT_DONE)
		(void)uthread_park(TIME_FOREVER);
	(void)set_file((u32)n, -1);
	*res = slots[n].res;
	free_slot((u32)n);
	return r ? -ENOSYS : 0;
}

long host_ring_read(int fd, void *buf, size_t len, u64 off)
{
	struct io_uring_sqe sqe = { .opcode = IORING_OP_READ, .addr = (u64)buf, .len = (u32)MIN(len, (size_t)1 << 30), .off = off };
	s32 res;
	int r = run(&sqe, fd, &res);

	if (r)
		return r;
	atomic_fetch_add(&host_ring_reads, 1ull);
	return res;
}

int host_ring_fsync(int fd, bool data_only)
{
	struct io_uring_sqe sqe = { .opcode = IORING_OP_FSYNC, .fsync_flags = data_only ? IORING_FSYNC_DATASYNC : 0 };
	s32 res;
	int r = run(&sqe, fd, &res);

	if (r)
		return r;
	atomic_fetch_add(&host_ring_fsyncs, 1ull);
	return res;
}

static long plain_read(int fd, void *buf, size_t len, u64 off)
{
	return off == ~0ull ? host_read(fd, buf, len) : host_pread(fd, buf, len, off);
}

long host_pread_park(int fd, void *buf, size_t len, u64 off, u8 *mode)
{
	size_t done = 0;
	long n;

	if (!rings || load_relaxed(mode) == HOST_READ_PLAIN)
		return plain_read(fd, buf, len, off);
	while (done < len) {
		u64 at = off == ~0ull ? off : off + done;

		n = host_pread_nowait(fd, (char *)buf + done, len - done, at);
		if (n == -EAGAIN) {
			n = host_ring_read(fd, (char *)buf + done, len - done, at);
		} else if (n == -EOPNOTSUPP) { /* tmpfs: memory; others without it: nothing better is known */
			store_relaxed(mode, (u8)HOST_READ_PLAIN);
			n = -ENOSYS;
		} else if (n > 0) {
			store_relaxed(mode, (u8)HOST_READ_NOWAIT);
		}
		if (n == -ENOSYS || n == -EAGAIN || n == -EINTR || n == -ECANCELED || n == -EFAULT) /* what a plain read says, counts */
			n = plain_read(fd, (char *)buf + done, len - done, at);
		if (n <= 0)
			return done ? (long)done : n;
		done += (size_t)n;
	}
	return (long)done;
}

int host_fsync_park(int fd, bool data_only)
{
	int r = host_ring_fsync(fd, data_only);

	if (r == -ENOSYS || r == -ECANCELED || r == -EINTR)
		r = data_only ? host_fdatasync(fd) : host_fsync(fd);
	return r;
}
