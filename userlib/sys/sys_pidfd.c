/* SPDX-License-Identifier: MIT */
/* System calls on process descriptors. */
#include "userlib/proc/pidfd.h"
#include "userlib/proc/procfs.h"
#include "userlib/proc/vm_access.h"
#include "userlib/sys/sys_signal_calls.h"

long sys_pidfd_open(int pid, unsigned flags)
{
	struct uproc *p;
	long r;

	if (flags & ~(unsigned)O_NONBLOCK || pid <= 0)
		return -EINVAL;
	p = proc_find(pid);
	if (!p)
		return -ESRCH;
	r = pidfd_create(p, flags);
	proc_put(p);
	return r;
}

long sys_pidfd_send_signal(int pidfd, int sig, const void __app *uinfo, unsigned flags)
{
	struct file *f;
	struct uproc *p;
	struct ksiginfo info;
	long r = 0;

	if (flags || sig < 0 || sig > NSIG_MAX)
		return -EINVAL;
	f = fdtab_get(uproc_self()->files, pidfd);
	if (!f)
		return -EBADF;
	p = pidfd_proc(f);
	if (!p)
		p = procfs_proc_of_dir(f); /* an open /proc/PID will do, as on Linux */
	file_put(f);
	if (!p)
		return -EBADF;
	if (uinfo && copy_from_app(&info, uinfo, sizeof(info)))
		r = -EFAULT;
	else if (uinfo && info.si_signo != sig)
		r = -EINVAL;
	else if (uinfo && p != uproc_self() && (info.si_code >= 0 || info.si_code == -6))
		r = -EPERM;
	else if (load_acquire(&p->zombie) && list_empty(&p->hash_link))
		r = -ESRCH;
	else
		r = signal_send_checked(p, sig, uinfo ? &info : NULL);
	proc_put(p);
	return r;
}

static struct file *file_of(struct uproc *p, int fd)
{
	struct fdtab *t;
	struct file *f = NULL;

	spin_lock(&p->lock);
	t = p->files ? fdtab_share(p->files) : NULL;
	spin_unlock(&p->lock);
	if (t) {
		f = fdtab_get(t, fd);
		fdtab_put(t);
	}
	return f;
}

long sys_pidfd_getfd(int pidfd, int target, unsigned flags)
{
	struct file *f;
	struct uproc *p;
	long r;

	if (flags)
		return -EINVAL;
	f = fdtab_get(uproc_self()->files, pidfd);
	p = f ? pidfd_proc(f) : NULL;
	if (f)
		file_put(f);
	if (!p)
		return -EBADF;
	if (load_acquire(&p->zombie) && list_empty(&p->hash_link)) {
		r = -ESRCH;
	} else if (!proc_may_access(p)) {
		r = -EPERM;
	} else {
		f = file_of(p, target);
		r = f ? fdtab_install(uproc_self()->files, f, 0, proc_rlimit(RLIMIT_NOFILE), true) : load_acquire(&p->zombie) ? -ESRCH : -EBADF;
		if (f && r < 0)
			file_put(f);
	}
	proc_put(p);
	return r;
}
