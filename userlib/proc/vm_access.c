/* SPDX-License-Identifier: MIT */
/*
 * Memory of other processes. Program memory is private to its kProc, so a kernel-internal uThread is sent there that moves the bytes
 * through a buffer in the arena; within one kProc the caller does it itself.
 */
#include "userlib/proc/vm_access.h"
#include "userlib/proc/mm.h"

struct job {
	struct uproc *p;
	u64 addr;
	void *buf;
	size_t len;
	bool write;
	ssize result;
	u32 done; /* [a] */
	struct thread *waiter; /* reference: it may be gone before it is woken */
};

/* In p's kProc. */
static ssize move_here(struct uproc *p, u64 addr, void *buf, size_t len, bool write)
{
	struct mm *mm;
	ssize r;

	spin_lock(&p->lock);
	mm = p->mm && p->kproc == kt_self()->kproc ? mm_get(p->mm) : NULL;
	spin_unlock(&p->lock);
	if (!mm)
		return -ESRCH;
	r = (ssize)mm_copy(mm, addr, buf, len, write);
	mm_put(mm);
	return r;
}

static void run_job(void *arg)
{
	struct job *j = arg;
	struct thread *waiter = j->waiter;

	j->result = move_here(j->p, j->addr, j->buf, j->len, j->write);
	store_release(&j->done, 1u); /* from here on j may be gone; the waiter looks at it before it leaves */
	uthread_unpark(&waiter->ut);
	thread_put(waiter);
}

ssize vm_access(struct uproc *p, u64 addr, void *buf, size_t len, bool write)
{
	struct thread *self = thread_self();
	struct job j = { .p = p, .addr = addr, .buf = buf, .len = len, .write = write, .waiter = self };
	int r = -ESRCH;

	if (READ_ONCE(p->kproc) == self->ut.kproc)
		return move_here(p, addr, buf, len, write);
	ref_get(&self->ref);
	spin_lock(&p->lock);
	if (!list_empty(&p->threads)) /* they keep the kProc until ours counts, too */
		r = uthread_start_in(p->kproc, "vm_access", run_job, &j);
	spin_unlock(&p->lock);
	if (r) {
		thread_put(self);
		return r;
	}
	while (!load_acquire(&j.done))
		uthread_park(TIME_FOREVER);
	return j.result;
}

bool proc_may_access(const struct uproc *p)
{
	const struct cred *c = &uproc_self()->cred, *o = &p->cred;

	if (p == uproc_self() || cred_capable(c, CAP_SYS_PTRACE))
		return true;
	return p->dumpable && c->uid == o->uid && c->uid == o->euid && c->uid == o->suid && c->gid == o->gid && c->gid == o->egid &&
	       c->gid == o->sgid;
}
