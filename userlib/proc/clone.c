/* SPDX-License-Identifier: MIT */
/*
 * clone(2), clone3(2), fork(2), vfork(2). Three forms: a thread (CLONE_THREAD), a process that shares the memory until it execs
 * (CLONE_VM: the same kProc), and a process of its own (a new kProc by host fork over the same arena).
 */
#include "userlib/proc/clone.h"
#include "userlib/base/log.h"
#include "userlib/base/string.h"
#include "userlib/proc/mm.h"
#include "userlib/proc/pidfd.h"
#include "userlib/proc/proc_internal.h"
#include <linux/sched.h>
#include <linux/signal.h>

struct clone_req {
	u64 flags; /* CLONE_* without the exit signal */
	int exit_signal;
	u64 stack_top; /* 0 = the parent's stack pointer */
	u64 tls;
	int __app *parent_tid, __app *child_tid;
	int __app *pidfd; /* CLONE_PIDFD */
	bool set_tls;
};

/* First code of a new thread, on its own kernel stack. */
static void child_start(void *arg)
{
	struct thread *t = thread_self();

	(void)arg;
	if (t->restart_args[0]) /* CLONE_CHILD_SETTID: the address in the child's memory */
		(void)put_app(t->tid, (int __app *)t->restart_args[0]);
	return_to_user();
}

/* First code of a forked process: other programs of the parent's address space are not its business. */
static void forked_child_start(void *arg)
{
	mm_after_fork_child(arg);
	child_start(NULL);
}

/* The program state of the child: the parent's, returning 0. */
static void copy_program_state(struct thread *child, const struct clone_req *rq)
{
	struct thread *self = thread_self();

	*child->ut.tf = *self->ut.tf;
	child->ut.tf->rax = 0;
	if (rq->stack_top)
		child->ut.tf->rsp = rq->stack_top;
	xstate_save_current();
	memcpy(child->ut.xsave, self->ut.xsave, XSAVE_SIZE);
	child->ut.xstate_in_memory = 1;
	if (rq->set_tls)
		child->ut.fs_base = rq->tls;
	else
		__asm__ volatile("rdfsbase %0" : "=r"(child->ut.fs_base));
	child->sigmask = self->sigmask;
	child->ut.affinity = self->ut.affinity;
	child->nice = self->nice;
	child->sched_policy = self->sched_policy;
	child->sched_priority = self->sched_priority;
	child->timer_slack_ns = self->timer_slack_ns;
	memcpy(child->ut.name, self->ut.name, sizeof(child->ut.name));
	if (!(rq->flags & CLONE_VM)) {
		child->rseq = self->rseq;
		child->rseq_len = self->rseq_len;
		child->rseq_sig = self->rseq_sig;
		child->ut.told_cpu = self->rseq ? ~0u : 0;
	}
	if (!(rq->flags & CLONE_VM) || rq->flags & CLONE_VFORK) {
		child->altstack_sp = self->altstack_sp;
		child->altstack_size = self->altstack_size;
		child->altstack_flags = self->altstack_flags;
	}
	if (rq->flags & CLONE_CHILD_CLEARTID)
		child->clear_child_tid = (u32 __app *)rq->child_tid;
	if (rq->flags & CLONE_CHILD_SETTID)
		child->restart_args[0] = (u64)rq->child_tid;
}

static long start_thread(const struct clone_req *rq)
{
	struct uproc *p = uproc_self();
	struct thread *t;
	int tid = pid_alloc();

	t = thread_alloc(p, tid);
	if (!t)
		return -EAGAIN;
	if (uthread_init(&t->ut, uproc_self()->kproc, child_start, NULL)) {
		thread_put(t);
		return -EAGAIN;
	}
	copy_program_state(t, rq);
	if (rq->flags & CLONE_PARENT_SETTID)
		(void)put_app(tid, rq->parent_tid);
	thread_publish(t);
	if (READ_ONCE(p->exiting)) {
		t->killed = 1;
		t->ut.signal_pending = 1;
	}
	sched_enqueue(&t->ut);
	return tid;
}

static int copy_process_parts(struct uproc *c, struct uproc *p, const struct clone_req *rq)
{
	if (rq->flags & CLONE_FILES)
		c->files = fdtab_share(p->files);
	else
		c->files = fdtab_clone(p->files);
	if (!c->files)
		return -ENOMEM;
	if (rq->flags & CLONE_FS) {
		ref_get(&p->fs->ref);
		c->fs = p->fs;
	} else {
		c->fs = fs_ctx_copy(p->fs);
	}
	if (!c->fs)
		return -ENOMEM;
	if (rq->flags & CLONE_SIGHAND) {
		ref_get(&p->sighand->ref);
		c->sighand = p->sighand;
	} else {
		c->sighand = kmem_zalloc(sizeof(*c->sighand));
		if (!c->sighand)
			return -ENOMEM;
		ref_init(&c->sighand->ref);
		spin_lock(&p->sighand->lock);
		memcpy(c->sighand->action, p->sighand->action, sizeof(c->sighand->action));
		spin_unlock(&p->sighand->lock);
		if (rq->flags & CLONE_CLEAR_SIGHAND)
			for (int i = 0; i < NSIG_MAX; i++)
				if (c->sighand->action[i].handler > 1)
					c->sighand->action[i] = (struct ksigaction){ 0 };
	}
	c->cred = p->cred;
	memcpy(c->rlim, p->rlim, sizeof(c->rlim));
	c->pgid = p->pgid;
	c->sid = p->sid;
	c->ctty = p->ctty;
	c->oom_score_adj = p->oom_score_adj;
	proc_args_share(c, p);
	c->dumpable = p->dumpable;
	c->exit_signal = rq->exit_signal;
	c->exe = p->exe;
	if (c->exe.mnt)
		path_get(&c->exe);
	return 0;
}

/* The child's address space: shared (same kProc) or a copy-to-be in a kProc of its own. */
static int make_memory(struct uproc *c, struct uproc *p, const struct clone_req *rq)
{
	struct aspace *as;
	int r;

	if (rq->flags & CLONE_VM) {
		c->mm = mm_get(p->mm);
		c->kproc = p->kproc;
		return 0;
	}
	c->kproc = kproc_create();
	if (!c->kproc || !kthread_create(c->kproc))
		return -ENOMEM;
	/* From here to aspace_fork_end the parent's address space is locked. */
	r = aspace_fork_begin(p->mm, &as, &c->mm);
	if (r)
		return r;
	c->kproc->aspace = as;
	return 0;
}

static void undo_process(struct uproc *c, struct uproc *p, const struct clone_req *rq)
{
	if (c->kproc && c->kproc != p->kproc)
		kproc_free(c->kproc);
	if (c->mm && rq->flags & CLONE_VM)
		mm_put(c->mm);
	else if (c->mm)
		aspace_fork_end(p->mm, c->mm);
	if (c->files)
		fdtab_put(c->files);
	if (c->fs)
		fs_ctx_put(c->fs);
	if (c->exe.mnt)
		path_put(&c->exe);
	proc_put(c);
}

static void wait_for_vfork(struct uproc *c)
{
	struct thread *t = thread_self();

	while (!load_acquire(&c->vfork_done)) {
		if (load_acquire(&t->killed))
			break;
		uthread_park(TIME_FOREVER);
	}
	spin_lock(&c->lock);
	c->vfork_waiter = NULL;
	spin_unlock(&c->lock);
}

/* The parent's descriptor for a child that does not run yet. The descriptor or -errno. */
static int make_pidfd(struct uproc *c, const struct clone_req *rq)
{
	int fd = pidfd_create(c, 0);

	if (fd >= 0 && put_app(fd, rq->pidfd)) {
		(void)fdtab_close(uproc_self()->files, fd);
		return -EFAULT;
	}
	return fd;
}

static long start_process(const struct clone_req *rq)
{
	struct uproc *p = uproc_self(), *c = uproc_alloc();
	struct thread *t = NULL;
	bool own_memory = !(rq->flags & CLONE_VM);
	int pid, r, pidfd = -1;

	if (!c)
		return -ENOMEM;
	pid = pid_alloc();
	c->pid = pid;
	r = copy_process_parts(c, p, rq);
	if (!r && rq->flags & CLONE_PIDFD) {
		pidfd = make_pidfd(c, rq);
		r = MIN(pidfd, 0);
	}
	if (!r)
		r = make_memory(c, p, rq);
	if (r)
		goto err_undo;
	r = -ENOMEM;
	t = thread_alloc(c, pid);
	if (!t || uthread_init(&t->ut, c->kproc, own_memory ? forked_child_start : child_start, c->mm))
		goto err_undo;
	copy_program_state(t, rq);
	if (rq->flags & CLONE_VFORK)
		c->vfork_waiter = thread_self();
	proc_get(c);
	if (rq->flags & CLONE_PARENT_SETTID)
		(void)put_app(pid, rq->parent_tid);
	proc_publish(c, t, rq->flags & CLONE_PARENT ? p->parent : p);
	p->nr_forks++;
	if (own_memory) {
		r = kthread_fork(c->kproc->kthreads[0], &t->ut);
		if (r)
			goto err_unpublish;
		aspace_fork_end(p->mm, NULL);
	} else {
		sched_enqueue(&t->ut);
	}
	if (rq->flags & CLONE_VFORK)
		wait_for_vfork(c);
	proc_put(c);
	return pid;

err_unpublish:
	thread_unpublish(t);
	spin_lock(&proc_table_lock);
	proc_remove_locked(c);
	spin_unlock(&proc_table_lock);
	proc_put(c);
	uthread_destroy_stack(&t->ut);
	thread_put(t);
	t = NULL;
	r = r == -EAGAIN || r == -ENOMEM ? r : -EAGAIN;
err_undo:
	if (pidfd >= 0)
		(void)fdtab_close(p->files, pidfd);
	if (t)
		thread_put(t);
	undo_process(c, p, rq);
	return r;
}

#define CLONE_KNOWN                                                                                          \
	(CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_VFORK | CLONE_PARENT | CLONE_THREAD |     \
	 CLONE_SYSVSEM | CLONE_SETTLS | CLONE_PARENT_SETTID | CLONE_CHILD_CLEARTID | CLONE_DETACHED |        \
	 CLONE_UNTRACED | CLONE_CHILD_SETTID | CLONE_IO | CLONE_CLEAR_SIGHAND | CLONE_PIDFD)
#define CLONE_NAMESPACES                                                                                     \
	(CLONE_NEWNS | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWCGROUP)

static long do_clone(const struct clone_req *rq)
{
	if (rq->flags & CLONE_NAMESPACES)
		return -EPERM; /* no namespaces inside an instance */
	if (rq->flags & ~(u64)CLONE_KNOWN)
		return -EINVAL;
	if (rq->flags & CLONE_SIGHAND && !(rq->flags & CLONE_VM))
		return -EINVAL;
	if (rq->flags & CLONE_THREAD && !(rq->flags & CLONE_SIGHAND))
		return -EINVAL;
	if (rq->flags & CLONE_SIGHAND && rq->flags & CLONE_CLEAR_SIGHAND)
		return -EINVAL;
	if (rq->flags & CLONE_PIDFD && rq->flags & (CLONE_THREAD | CLONE_DETACHED))
		return -EINVAL;
	if (rq->flags & CLONE_THREAD && (rq->flags & (CLONE_FILES | CLONE_FS)) != (CLONE_FILES | CLONE_FS))
		return -EINVAL; /* threads with tables of their own are not offered */
	return rq->flags & CLONE_THREAD ? start_thread(rq) : start_process(rq);
}

long sys_clone(u64 flags, u64 stack, int __app *parent_tid, int __app *child_tid, u64 tls)
{
	struct clone_req rq = { .flags = flags & ~0xffull,
				.exit_signal = (int)(flags & 0xff),
				.stack_top = stack,
				.tls = tls,
				.set_tls = flags & CLONE_SETTLS,
				.parent_tid = parent_tid,
				.child_tid = child_tid,
				.pidfd = parent_tid };

	if (flags & CLONE_PIDFD && flags & CLONE_PARENT_SETTID)
		return -EINVAL;
	return do_clone(&rq);
}

long sys_clone3(void __app *args, size_t size)
{
	u64 a[11] = { 0 }; /* struct clone_args: flags pidfd child_tid parent_tid exit_signal stack stack_size tls set_tid set_tid_size cgroup */
	struct clone_req rq;

	if (size > PAGE_SIZE)
		return -E2BIG;
	if (size < 64)
		return -EINVAL;
	for (size_t off = sizeof(a); off + 8 <= size; off += 8) {
		u64 extra;

		if (copy_from_app(&extra, (char __app *)args + off, 8))
			return -EFAULT;
		if (extra)
			return -E2BIG;
	}
	if (copy_from_app(a, args, MIN(size, sizeof(a))))
		return -EFAULT;
	if (a[0] & (0xff | CLONE_DETACHED) || a[4] > NSIG_MAX || !a[5] != !a[6] || a[9] || a[8])
		return -EINVAL;
	if (a[0] & CLONE_INTO_CGROUP)
		return -EINVAL;
	if (a[0] & (CLONE_THREAD | CLONE_PARENT) && a[4])
		return -EINVAL;
	rq = (struct clone_req){ .flags = a[0],
				 .exit_signal = (int)a[4],
				 .stack_top = a[5] ? a[5] + a[6] : 0,
				 .tls = a[7],
				 .set_tls = a[0] & CLONE_SETTLS,
				 .parent_tid = (int __app *)a[3],
				 .child_tid = (int __app *)a[2],
				 .pidfd = (int __app *)a[1] };
	return do_clone(&rq);
}

/* What the threads of a process share can be taken apart only while there is one thread: it is kept per process. */
#define UNSHARE_KNOWN                                                                                        \
	(CLONE_THREAD | CLONE_FS | CLONE_SIGHAND | CLONE_VM | CLONE_FILES | CLONE_SYSVSEM | CLONE_NAMESPACES | \
	 0x80ull /* CLONE_NEWTIME */)

static int unshare_fs(struct uproc *p)
{
	struct fs_ctx *fs, *old = p->fs;

	if (load_acquire(&old->ref.count) == 1)
		return 0;
	fs = fs_ctx_copy(old);
	if (!fs)
		return -ENOMEM;
	spin_lock(&p->lock);
	p->fs = fs;
	spin_unlock(&p->lock);
	fs_ctx_put(old);
	return 0;
}

static int unshare_files(struct uproc *p)
{
	struct fdtab *files, *old = p->files;

	if (load_acquire(&old->ref.count) == 1)
		return 0;
	files = fdtab_clone(old);
	if (!files)
		return -ENOMEM;
	spin_lock(&p->lock);
	p->files = files;
	spin_unlock(&p->lock);
	fdtab_put(old);
	return 0;
}

long sys_unshare(u64 flags)
{
	struct uproc *p = uproc_self();
	int r = 0;

	if (flags & ~(u64)UNSHARE_KNOWN)
		return -EINVAL;
	if (flags & (CLONE_NAMESPACES | 0x80))
		return -EPERM; /* as do_clone */
	if (flags && READ_ONCE(p->nr_threads) > 1)
		return -EINVAL;
	if (flags & CLONE_VM && load_acquire(&p->vfork_waiter))
		return -EINVAL;
	if (flags & CLONE_FS)
		r = unshare_fs(p);
	if (!r && flags & CLONE_FILES)
		r = unshare_files(p);
	return r;
}

long sys_fork(void)
{
	return sys_clone(SIGCHLD, 0, NULL, NULL, 0);
}

long sys_vfork(void)
{
	return sys_clone(CLONE_VM | CLONE_VFORK | SIGCHLD, 0, NULL, NULL, 0);
}

long sys_set_tid_address(u32 __app *p)
{
	thread_self()->clear_child_tid = p;
	return thread_self()->tid;
}

long sys_gettid(void)
{
	return thread_self()->tid;
}

long sys_getpid(void)
{
	return uproc_self()->pid;
}

long sys_getppid(void)
{
	struct uproc *parent = READ_ONCE(uproc_self()->parent);

	return parent ? READ_ONCE(parent->pid) : 1;
}

long sys_exit(int code)
{
	thread_exit(code);
}

long sys_exit_group(int code)
{
	proc_exit_group((code & 0xff) << 8);
}

long sys_sched_yield(void)
{
	uthread_yield();
	return 0;
}

long sys_arch_prctl(int code, u64 addr)
{
	u64 v;

	switch (code) {
	case 0x1002: /* ARCH_SET_FS */
		if (addr >= 0x7ffffffff000ul)
			return -EPERM;
		__asm__ volatile("wrfsbase %0" ::"r"(addr));
		return 0;
	case 0x1003: /* ARCH_GET_FS */
		__asm__ volatile("rdfsbase %0" : "=r"(v));
		return put_app(v, (u64 __app *)addr);
	case 0x1004: /* ARCH_GET_GS: GS belongs to the instance kernel */
		return put_app((u64)0, (u64 __app *)addr);
	case 0x1001: /* ARCH_SET_GS */
		return -EPERM;
	default:
		return -EINVAL;
	}
}
