/* SPDX-License-Identifier: MIT */
/*
 * The io_uring of an instance: file reads and syncs that wait for a disk without a host thread of the instance waiting. Made here and
 * restricted before the instance sees it, since a ring obeys no seccomp filter: two operations, on files of its own table only, and one
 * register call that puts the instance's own descriptors there. So it can do no more than pread(2) and fsync(2), which it may do anyway.
 * Never SQPOLL: the host would act with the launcher's rights. A host without io_uring runs instances without a ring.
 */
#include <liburing.h>
#include <string.h>

#include "tools/jctl/launch.h"

static struct io_uring ring; /* one instance per launcher */

static int restrict_ring(struct io_uring *r)
{
	struct io_uring_restriction allowed[] = {
		{ .opcode = IORING_RESTRICTION_SQE_OP, .sqe_op = IORING_OP_READ },
		{ .opcode = IORING_RESTRICTION_SQE_OP, .sqe_op = IORING_OP_FSYNC },
		{ .opcode = IORING_RESTRICTION_SQE_FLAGS_ALLOWED, .sqe_flags = IOSQE_FIXED_FILE },
		{ .opcode = IORING_RESTRICTION_SQE_FLAGS_REQUIRED, .sqe_flags = IOSQE_FIXED_FILE },
		{ .opcode = IORING_RESTRICTION_REGISTER_OP,
		  .register_op = IORING_REGISTER_FILES_UPDATE },
	};

	return io_uring_register_restrictions(r, allowed, ARRAY_SIZE(allowed));
}

/* 0 or -errno with *step naming what the host refused. */
static int make(struct io_uring *r, struct io_uring_params *p, const char **step)
{
	int err;

	memset(p, 0, sizeof(*p));
	p->flags = IORING_SETUP_R_DISABLED; /* not COOP_TASKRUN: a busy core would complete only at its next tick */
	*step = "io_uring_setup";
	err = io_uring_queue_init_params(JABI_RING_ENTRIES, r, p);
	if (err)
		return err;
	*step = "sparse file table";
	err = io_uring_register_files_sparse(r, JABI_RING_ENTRIES);
	if (!err) {
		*step = "restrictions";
		err = restrict_ring(r);
	}
	if (!err) {
		*step = "enabling";
		err = io_uring_enable_rings(r);
	}
	if (err)
		io_uring_queue_exit(r);
	return err;
}

int ring_create(struct launch *l)
{
	struct jabi_ring *g = &l->boot.ring;
	struct io_uring_params p;
	const char *step;

	if (make(&ring, &p, &step))
		return 0; /* `jctl doctor` says why */
	g->sq_entries = p.sq_entries;
	g->cq_entries = p.cq_entries;
	g->sq_head = p.sq_off.head;
	g->sq_tail = p.sq_off.tail;
	g->sq_array = p.sq_off.array;
	g->cq_head = p.cq_off.head;
	g->cq_tail = p.cq_off.tail;
	g->cqes = p.cq_off.cqes;
	g->ring_bytes = (u32)MAX(p.sq_off.array + p.sq_entries * sizeof(u32),
				 p.cq_off.cqes + p.cq_entries * sizeof(struct io_uring_cqe));
	l->ring_fd = ring.ring_fd;
	return 0;
}

void ring_close(struct launch *l)
{
	if (l->ring_fd >= 0)
		io_uring_queue_exit(&ring);
	l->ring_fd = -1;
}

int ring_probe(const char **step)
{
	struct io_uring_params p;
	struct io_uring r;
	int err = make(&r, &p, step);

	if (!err)
		io_uring_queue_exit(&r);
	return err;
}
