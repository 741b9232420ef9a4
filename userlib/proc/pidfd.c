/* SPDX-License-Identifier: MIT */
/* Process descriptors: pidfd_open(2), pidfd_send_signal(2), poll for the end of the process. */
#include "userlib/proc/pidfd.h"
#include "userlib/base/string.h"

static u32 pidfd_poll(struct file *f, struct poll_table *pt)
{
	struct uproc *p = f->private;

	poll_wait(pt, &p->signal_wait); /* exit.c wakes it at the end */
	return load_acquire(&p->zombie) ? EPOLLIN : 0;
}

static int pidfd_link_name(struct file *f, char *buf, size_t size)
{
	(void)f;
	return fmt(buf, size, "anon_inode:[pidfd]");
}

static void pidfd_fdinfo(struct file *f, char *buf, size_t size)
{
	struct uproc *p = f->private;

	fmt(buf, size, "Pid:\t%d\nNSpid:\t%d\n", p->pid, p->pid);
}

static void pidfd_release(struct file *f)
{
	proc_put(f->private);
}

static const struct file_ops pidfd_ops = {
	.name = "pidfd",
	.poll = pidfd_poll,
	.link_name = pidfd_link_name,
	.fdinfo = pidfd_fdinfo,
	.release = pidfd_release,
};

struct uproc *pidfd_proc(struct file *f)
{
	return f->ops == &pidfd_ops ? proc_get(f->private) : NULL;
}

int pidfd_create(struct uproc *p, unsigned flags)
{
	struct file *f;
	int r = file_alloc(&pidfd_ops, O_RDWR | flags, p, &f);

	if (r)
		return r;
	proc_get(p);
	r = fdtab_install(uproc_self()->files, f, 0, proc_rlimit(RLIMIT_NOFILE), true);
	if (r < 0)
		file_put(f);
	return r;
}
