/* SPDX-License-Identifier: MIT */
/* wait4 and waitid: finding a child in a reportable state, telling about it, reaping it. */
#include "userlib/proc/wait.h"
#include "userlib/base/string.h"
#include "userlib/proc/pidfd.h"
#include "userlib/proc/proc_internal.h"
#include <linux/signal.h>
#include <linux/wait.h>

/* waitid(2) si_code values for SIGCHLD (<asm-generic/siginfo.h>) */
enum { CHLD_EXITED = 1, CHLD_KILLED, CHLD_DUMPED, CHLD_TRAPPED, CHLD_STOPPED, CHLD_CONTINUED };

void wait_fill_siginfo(struct uproc *p, struct ksiginfo *info)
{
	memset(info, 0, sizeof(*info));
	info->si_signo = SIGCHLD;
	info->chld.pid = p->pid;
	info->chld.uid = p->cred.uid;
	info->chld.utime = (s64)(p->ru_utime_ns / 10000000);
	info->chld.stime = (s64)(p->ru_stime_ns / 10000000);
	if (p->zombie || p->exiting) {
		bool signalled = p->exit_status & 0x7f;

		info->si_code = signalled ? CHLD_KILLED : CHLD_EXITED;
		info->chld.status = signalled ? p->exit_status & 0x7f : p->exit_status >> 8;
	} else if (p->stopped) {
		info->si_code = CHLD_STOPPED;
		info->chld.status = (s32)p->stop_sig;
	} else {
		info->si_code = CHLD_CONTINUED;
		info->chld.status = SIGCONT;
	}
}

void wait_notify_stop(struct uproc *p, int stop_sig)
{
	struct uproc *parent;
	struct ksiginfo info;

	spin_lock(&proc_table_lock);
	p->stop_report = stop_sig ? 1 : 0;
	p->cont_report = stop_sig ? 0 : 1;
	parent = p->parent;
	if (parent)
		proc_get(parent);
	spin_unlock(&proc_table_lock);
	if (!parent)
		return;
	wait_fill_siginfo(p, &info);
	if (!(parent->sighand->action[SIGCHLD - 1].flags & SA_NOCLDSTOP))
		(void)signal_send_proc(parent, SIGCHLD, &info);
	waitq_wake_everyone(&parent->wait_children);
	proc_put(parent);
}

#define NO_CHILD_IS_EAGAIN 0x10000000 /* with WNOHANG: an option of ours */

struct wait_args {
	int which, id; /* P_ALL, P_PID, P_PGID */
	int options;   /* WEXITED WSTOPPED WCONTINUED WNOHANG WNOWAIT __W* */
	/* results */
	int pid, status;
	struct ksiginfo info;
	u64 utime, stime, maxrss, nvcsw;
	struct uproc *reaped;
};

static bool child_matches(const struct wait_args *w, const struct uproc *c)
{
	bool clone_child = c->exit_signal != SIGCHLD;

	if (!(w->options & __WALL) && clone_child != !!(w->options & __WCLONE))
		return false;
	switch (w->which) {
	case P_PID:
		return c->pid == w->id;
	case P_PGID:
		return c->pgid == w->id;
	default:
		return true;
	}
}

static bool take_report_locked(struct wait_args *w, struct uproc *parent, struct uproc *c)
{
	bool consume = !(w->options & WNOWAIT);

	if (c->zombie && w->options & WEXITED) {
		w->status = c->exit_status;
		if (consume) {
			parent->ru_children_utime_ns += c->ru_utime_ns + c->ru_children_utime_ns;
			parent->ru_children_stime_ns += c->ru_stime_ns + c->ru_children_stime_ns;
			spin_lock(&parent->lock);
			io_counts_add(&parent->io, &c->io);
			spin_unlock(&parent->lock);
			proc_remove_locked(c);
			w->reaped = c;
		}
	} else if (c->stop_report && w->options & WSTOPPED && !c->zombie) {
		w->status = (int)(c->stop_sig << 8 | 0x7f);
		if (consume)
			c->stop_report = 0;
	} else if (c->cont_report && w->options & WCONTINUED && !c->zombie) {
		w->status = 0xffff;
		if (consume)
			c->cont_report = 0;
	} else {
		return false;
	}
	w->pid = c->pid;
	w->utime = c->ru_utime_ns + c->ru_children_utime_ns;
	w->stime = c->ru_stime_ns + c->ru_children_stime_ns;
	w->maxrss = c->ru_maxrss;
	w->nvcsw = c->ru_nvcsw;
	wait_fill_siginfo(c, &w->info);
	return true;
}

/* 1 = found, 0 = children but nothing to report, -ECHILD */
static int scan_children(struct wait_args *w)
{
	struct uproc *parent = uproc_self(), *c, *n;
	int r = -ECHILD;

	spin_lock(&proc_table_lock);
	list_for_each_safe(c, n, &parent->children, sibling) {
		if (!child_matches(w, c))
			continue;
		r = 0;
		if (take_report_locked(w, parent, c)) {
			r = 1;
			break;
		}
	}
	spin_unlock(&proc_table_lock);
	if (w->reaped)
		proc_put(w->reaped);
	return r;
}

static int do_wait(struct wait_args *w)
{
	struct uproc *p = uproc_self();
	int r = scan_children(w), e;

	if (r || w->options & WNOHANG)
		return r;
	e = wait_event(&p->wait_children, WAKE_ALL, false, (r = scan_children(w)) != 0, TIME_FOREVER, true);
	return r ? r : e;
}

struct linux_rusage { /* getrusage(2) */
	s64 utime_s, utime_us, stime_s, stime_us, maxrss, pad[11], nvcsw, nivcsw;
};
_Static_assert(sizeof(struct linux_rusage) == 144, "rusage");

static int put_rusage(const struct wait_args *w, void __app *dst)
{
	struct linux_rusage ru = {
		.utime_s = (s64)(w->utime / NSEC_PER_SEC), .utime_us = (s64)(w->utime % NSEC_PER_SEC / 1000),
		.stime_s = (s64)(w->stime / NSEC_PER_SEC), .stime_us = (s64)(w->stime % NSEC_PER_SEC / 1000),
		.maxrss = (s64)w->maxrss, .nvcsw = (s64)w->nvcsw,
	};

	return dst ? copy_to_app(dst, &ru, sizeof(ru)) : 0;
}

long sys_wait4(int pid, int __app *status, int options, void __app *rusage)
{
	struct wait_args w = { .options = (options & ~WUNTRACED) | WEXITED | (options & WUNTRACED ? WSTOPPED : 0) };
	int r;

	if (options & ~(WNOHANG | WUNTRACED | WCONTINUED | __WNOTHREAD | __WCLONE | __WALL))
		return -EINVAL;
	if (pid == (int)0x80000000)
		return -ESRCH;
	w.which = pid == -1 ? P_ALL : pid > 0 ? P_PID : P_PGID;
	w.id = pid > 0 ? pid : pid == 0 ? uproc_self()->pgid : -pid;
	r = do_wait(&w);
	if (r <= 0)
		return r;
	if ((status && put_app(w.status, status)) || put_rusage(&w, rusage))
		return -EFAULT;
	return w.pid;
}

static long wait_for_info(struct wait_args *w, void __app *info, void __app *rusage)
{
	int r = do_wait(w);

	if (r < 0)
		return r;
	if (info) {
		if (r == 0)
			memset(&w->info, 0, sizeof(w->info));
		if (copy_to_app(info, &w->info, sizeof(w->info)))
			return -EFAULT;
	}
	if (r > 0 && put_rusage(w, rusage))
		return -EFAULT;
	return r > 0 ? 0 : w->options & NO_CHILD_IS_EAGAIN ? -EAGAIN : 0;
}

/* P_PIDFD: w->id is the descriptor. A non-blocking one never waits. */
static long wait_pidfd(struct wait_args *w, void __app *info, void __app *rusage)
{
	struct file *f = w->id < 0 ? NULL : fdtab_get(uproc_self()->files, w->id);
	struct uproc *p = f ? pidfd_proc(f) : NULL;
	bool nonblock = f && load_relaxed(&f->flags) & O_NONBLOCK;
	long r;

	if (f)
		file_put(f);
	if (!p)
		return w->id < 0 ? -EINVAL : -EBADF;
	if (nonblock && !(w->options & WNOHANG))
		w->options |= WNOHANG | NO_CHILD_IS_EAGAIN;
	w->which = P_PID;
	w->id = p->pid;
	r = load_acquire(&p->zombie) && list_empty(&p->hash_link) ? -ECHILD : wait_for_info(w, info, rusage);
	proc_put(p);
	return r;
}

long sys_waitid(int which, int id, void __app *info, int options, void __app *rusage)
{
	struct wait_args w = { .which = which, .id = id, .options = options };

	if (options & ~(WNOHANG | WNOWAIT | WEXITED | WSTOPPED | WCONTINUED | __WNOTHREAD | __WCLONE | __WALL) ||
	    !(options & (WEXITED | WSTOPPED | WCONTINUED)))
		return -EINVAL;
	if (which == P_PGID && id == 0)
		w.id = uproc_self()->pgid;
	else if (which == P_PIDFD)
		return wait_pidfd(&w, info, rusage);
	else if (which != P_ALL && (which != P_PID && which != P_PGID))
		return -EINVAL;
	else if (which != P_ALL && id <= 0)
		return -EINVAL;
	return wait_for_info(&w, info, rusage);
}
