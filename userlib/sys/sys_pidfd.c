/* SPDX-License-Identifier: MIT */
/* System calls on process descriptors. */
#include "userlib/proc/pidfd.h"
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
