/* SPDX-License-Identifier: MIT */
/*
 * execve: everything that can fail is done first (elf_prepare), then the point of no return: other threads end, the old program's memory
 * goes, the new one is loaded. A program with fixed addresses that are taken by a neighbour in this kProc moves to a fresh kProc.
 */
#include "userlib/proc/exec.h"
#include "userlib/base/log.h"
#include "userlib/base/string.h"
#include "userlib/proc/clone.h"
#include "userlib/proc/proc_internal.h"
#include <linux/signal.h>

#define ARG_STRING_MAX (128 * KiB)

static int copy_strings(struct str_block *b, const char __app *const __app *list, char *tmp)
{
	for (u64 i = 0; list; i++) {
		const char __app *s;
		ssize n;
		int r;

		if (get_app(s, list + i))
			return -EFAULT;
		if (!s)
			break;
		n = strncpy_from_app(tmp, s, ARG_STRING_MAX);
		if (n < 0)
			return n == -ENAMETOOLONG ? -E2BIG : (int)n;
		r = str_block_add(b, tmp, (size_t)n, false);
		if (r)
			return r;
	}
	return 0;
}

static void reset_registers(struct thread *t, const struct exec_result *res)
{
	struct trapframe *tf = t->ut.tf;

	memset(tf, 0, sizeof(*tf));
	tf->rip = res->entry;
	tf->rsp = res->sp;
	tf->cs = 0x33;
	tf->ss = 0x2b;
	tf->rflags = 0x202;
	tf->kind = TF_FULL;
	tf->orig_rax = ~0ull;
	memset(t->ut.xsave, 0, 576);
	((u32 *)t->ut.xsave)[6] = 0x1f80;
	*(u16 *)t->ut.xsave = 0x37f;
	*(u64 *)((char *)t->ut.xsave + 512) = 0; /* XSTATE_BV: nothing in use, so all initial; MXCSR comes from the image */
	xstate_load_current();
	__asm__ volatile("wrfsbase %0" ::"r"(0ul));
}

/* After the new image is in place: what execve(2) says changes. */
static void commit_process(struct thread *t, struct exec_ctx *x)
{
	struct uproc *p = t->proc;
	struct path old_exe;

	spin_lock(&p->lock);
	old_exe = p->exe;
	p->exe = x->exe;
	path_get(&p->exe);
	memcpy(t->ut.name, x->comm, sizeof(t->ut.name));
	p->cred = x->cred;
	p->did_exec = 1;
	p->dumpable = !x->secure;
	p->exit_signal = SIGCHLD;
	spin_unlock(&p->lock);
	if (old_exe.mnt)
		path_put(&old_exe);
	if (t->tid != p->pid)
		thread_take_tid(t, p->pid);
	p->leader = t;
	proc_args_capture(p);
	signal_flush_exec(p);
	fdtab_close_on_exec(p->files);
	t->altstack_flags = 2;
	t->altstack_sp = t->altstack_size = 0;
	t->clear_child_tid = NULL;
	t->robust_list = NULL;
	t->rseq = NULL;
	t->ut.told_cpu = 0;
	t->ut.lost_flags = 0;
	proc_wake_vfork_parent(p);
}

static int unshare_files(struct uproc *p)
{
	struct fdtab *copy;

	if (p->files->ref.count == 1)
		return 0;
	copy = fdtab_clone(p->files);
	if (!copy)
		return -ENOMEM;
	fdtab_put(p->files);
	p->files = copy;
	return 0;
}

static int unshare_sighand(struct uproc *p)
{
	struct sighand *copy;

	if (p->sighand->ref.count == 1)
		return 0;
	copy = kmem_zalloc(sizeof(*copy));
	if (!copy)
		return -ENOMEM;
	ref_init(&copy->ref);
	memcpy(copy->action, p->sighand->action, sizeof(copy->action));
	if (ref_put(&p->sighand->ref))
		kmem_free(p->sighand, sizeof(*p->sighand));
	p->sighand = copy;
	return 0;
}

static int load_into(struct thread *t, struct exec_ctx *x, struct mm *mm)
{
	struct exec_result res;
	int r = elf_load(x, mm, &res);

	if (r)
		return r;
	reset_registers(t, &res);
	commit_process(t, x);
	return 0;
}

int exec_first(struct exec_ctx *x)
{
	return load_into(thread_self(), x, uproc_self()->mm);
}

/* Death past the point of no return: the old program is gone, the new one did not fit. */
static noreturn_fn void exec_die(struct exec_ctx *x, int r)
{
	log_info("exec of %s failed after the old program was gone: %d", x->execfn, r);
	elf_free(x);
	kmem_free(x, sizeof(*x));
	proc_exit_group(SIGKILL);
}

/* ---- a fresh kProc ---- */

struct move {
	struct exec_ctx *x;
	struct mm *mm;
};

static void moved_start(void *arg)
{
	struct move m = *(struct move *)arg;
	struct thread *t = thread_self();
	struct uproc *p = t->proc;
	int r;

	kmem_free(arg, sizeof(m));
	mm_after_fork_child(m.mm);
	mm_release(m.mm);
	mm_put(m.mm);
	m.mm = mm_create(p->kproc->aspace);
	if (!m.mm)
		exec_die(m.x, -ENOMEM);
	p->mm = m.mm;
	r = load_into(t, m.x, m.mm);
	if (r)
		exec_die(m.x, r);
	elf_free(m.x);
	kmem_free(m.x, sizeof(*m.x));
	return_to_user();
}

static void reap_moved(struct uthread *ut)
{
	struct thread *t = (struct thread *)ut;
	struct kproc *kp = ut->kproc;

	uthread_destroy_stack(ut);
	thread_put(t);
	atomic_fetch_sub(&kp->nr_uthreads, 1u);
}

/* The calling thread goes on as a new uThread in a new host process. Returns only on failure, with nothing changed. */
static int move_to_fresh_kproc(struct exec_ctx *x)
{
	struct thread *self = thread_self(), *t;
	struct uproc *p = self->proc;
	struct kproc *kp = kproc_create();
	struct move *m = kmem_zalloc(sizeof(*m));
	struct walk_ctx *walk = (struct walk_ctx *)x->walk; /* ours: x is the child's once it runs, and loading no longer walks */
	struct mm *old_mm = p->mm, *new_mm;
	struct aspace *as;
	int r = -ENOMEM;

	t = thread_alloc(p, self->tid);
	if (!kp || !m || !t || !kthread_create(kp))
		goto err_free;
	r = aspace_fork_begin(old_mm, &as, &new_mm);
	if (r)
		goto err_free;
	kp->aspace = as;
	*m = (struct move){ x, new_mm };
	if (uthread_init(&t->ut, kp, moved_start, m)) {
		aspace_fork_end(old_mm, new_mm);
		goto err_free;
	}
	memcpy(t->ut.name, self->ut.name, sizeof(t->ut.name));
	t->sigmask = self->sigmask;
	spin_lock(&p->sighand->lock);
	list_splice_tail(&t->pending.queue, &self->pending.queue);
	t->pending.set = self->pending.set;
	self->pending.set = 0;
	spin_unlock(&p->sighand->lock);
	p->kproc = kp;
	p->mm = new_mm;
	thread_unpublish(self);
	spin_lock(&p->lock);
	list_del(&self->group_link);
	t->io = self->io;
	p->nr_threads--;
	spin_unlock(&p->lock);
	p->leader = t;
	thread_publish(t);
	r = kthread_fork(kp->kthreads[0], &t->ut);
	aspace_fork_end(old_mm, NULL);
	if (r)
		panic("no host process for exec: %d", r);
	if (old_mm->ref.count == 1 && load_acquire(&self->ut.kproc->nr_uthreads) > 1)
		mm_release(old_mm);
	mm_put(old_mm);
	proc_walk_ctx_put(walk);
	sched_exit(reap_moved);
err_free:
	if (kp)
		kproc_free(kp);
	kmem_free(m, sizeof(*m));
	if (t)
		thread_put(t);
	return r;
}

/* ---- in place ---- */

static int exec_commit(struct exec_ctx *x)
{
	struct thread *t = thread_self();
	struct uproc *p = t->proc;
	struct mm *old = p->mm, *mm;
	bool shared = old->ref.count > 1 && p->vfork_waiter; /* vfork child */
	int r;

	proc_kill_other_threads();
	r = unshare_files(p);
	if (!r)
		r = unshare_sighand(p);
	if (r)
		return r;
	if (elf_conflict(x, p->kproc->aspace, shared ? NULL : old))
		return move_to_fresh_kproc(x);
	mm = mm_create(p->kproc->aspace);
	if (!mm)
		return -ENOMEM;
	spin_lock(&p->lock);
	p->mm = mm;
	spin_unlock(&p->lock);
	if (old->ref.count == 1)
		mm_release(old);
	mm_put(old);
	r = load_into(t, x, mm);
	if (r)
		exec_die(x, r);
	return 0;
}

/* Resolves what to run: a path, one relative to dirfd, or dirfd itself (AT_EMPTY_PATH). */
static int exec_open(struct walk_ctx *w, int dirfd, char *name, int flags, struct path *out)
{
	struct walk_ctx at = *w;
	struct file *f = NULL;
	int r;

	if (dirfd != AT_FDCWD && name[0] != '/') {
		f = fdtab_get(uproc_self()->files, dirfd);
		if (!f)
			return -EBADF;
		if (!f->path.mnt) {
			file_put(f);
			return name[0] ? -ENOTDIR : -EACCES;
		}
		if (!name[0] && flags & AT_EMPTY_PATH) {
			*out = f->path;
			path_get(out);
			file_put(f);
			fmt(name, PATH_MAX_LEN, "/dev/fd/%d", dirfd);
			return 0;
		}
		at.cwd = f->path;
	}
	r = name[0] ? path_walk(&at, name, flags & AT_SYMLINK_NOFOLLOW ? WALK_NOFOLLOW : 0, out, NULL) : -ENOENT;
	if (!r && flags & AT_SYMLINK_NOFOLLOW && (path_inode(out)->mode & S_IFMT) == S_IFLNK) {
		path_put(out);
		*out = (struct path){ 0 };
		r = -ELOOP;
	}
	if (f)
		file_put(f);
	return r;
}

/* execve(2): set-id bits, unless the process has renounced them; saved ids follow the effective ones. */
static void new_ids(struct exec_ctx *x, bool no_new_privs)
{
	struct cred *c = &x->cred;
	bool set_id;

	if (x->setuid && !no_new_privs)
		c->euid = x->file_uid;
	if (x->setgid && !no_new_privs)
		c->egid = x->file_gid;
	set_id = (x->setuid || x->setgid) && !no_new_privs;
	c->suid = c->fsuid = c->euid;
	c->sgid = c->fsgid = c->egid;
	cred_fix_caps_exec(c, set_id, no_new_privs);
	x->secure = c->euid != c->uid || c->egid != c->gid;
}

static long do_exec(int dirfd, const char __app *upath, const char __app *const __app *argv,
		    const char __app *const __app *envp, int flags)
{
	struct uproc *p = uproc_self();
	struct exec_ctx *x = kmem_zalloc(sizeof(*x));
	char *tmp = kmem_alloc(ARG_STRING_MAX);
	struct walk_ctx w = proc_walk_ctx_get(p);
	struct path path = { 0 };
	ssize n;
	int r = -ENOMEM;

	if (!x || !tmp)
		goto out;
	x->walk = &w;
	x->cred = p->cred;
	x->stack_limit = p->rlim[RLIMIT_STACK].rlim_cur;
	n = strncpy_from_app(x->execfn, upath, sizeof(x->execfn));
	r = n < 0 ? (int)n : 0;
	if (!r)
		r = exec_open(&w, dirfd, x->execfn, flags, &path);
	if (!r)
		r = copy_strings(&x->argv, argv, tmp);
	if (!r)
		r = copy_strings(&x->envp, envp, tmp);
	if (!r && !x->argv.count)
		r = str_block_add(&x->argv, "", 0, false);
	kmem_free(tmp, ARG_STRING_MAX);
	tmp = NULL;
	if (r) {
		if (path.mnt)
			path_put(&path);
		goto out_free;
	}
	r = elf_prepare(x, &path);
	if (!r) {
		new_ids(x, p->no_new_privs);
		r = exec_commit(x);
	}
out_free:
	elf_free(x);
out:
	kmem_free(x, sizeof(*x));
	kmem_free(tmp, ARG_STRING_MAX);
	proc_walk_ctx_put(&w);
	return r;
}

long sys_execve(const char __app *path, const char __app *const __app *argv, const char __app *const __app *envp)
{
	return do_exec(AT_FDCWD, path, argv, envp, 0);
}

long sys_execveat(int dirfd, const char __app *path, const char __app *const __app *argv,
		  const char __app *const __app *envp, int flags)
{
	if (flags & ~(AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW))
		return -EINVAL;
	return do_exec(dirfd, path, argv, envp, flags);
}
