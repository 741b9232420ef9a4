/* SPDX-License-Identifier: MIT */
/*
 * Command lines and environments for /proc/PID. A reader in the same address space sees the program's memory as it is now (programs
 * rewrite their titles there); a reader elsewhere gets the copy taken at exec.
 */
#include "userlib/base/string.h"
#include "userlib/proc/mm.h"
#include "userlib/proc/procfs_internal.h"

#define ARGS_MAX (128 * KiB)

void proc_args_drop(struct uproc *p)
{
	struct proc_args *a;

	spin_lock(&p->lock);
	a = p->args;
	p->args = NULL;
	spin_unlock(&p->lock);
	if (a && ref_put(&a->ref))
		kmem_free(a, sizeof(*a) + a->arg_len + a->env_len);
}

/* Without memory for a copy others see an empty command line: no reason to fail an exec. */
void proc_args_capture(struct uproc *p)
{
	struct mm *mm = p->mm;
	u64 arg_len = MIN(mm->arg_end - mm->arg_start, (u64)ARGS_MAX), env_len = MIN(mm->env_end - mm->env_start, (u64)ARGS_MAX);
	struct proc_args *a = kmem_zalloc(sizeof(*a) + arg_len + env_len);

	proc_args_drop(p);
	if (!a)
		return;
	ref_init(&a->ref);
	a->arg_len = (u32)arg_len;
	a->env_len = (u32)env_len;
	(void)copy_from_app_partial(a->data, (const void __app *)mm->arg_start, arg_len);
	(void)copy_from_app_partial(a->data + arg_len, (const void __app *)mm->env_start, env_len);
	spin_lock(&p->lock);
	p->args = a;
	spin_unlock(&p->lock);
}

void proc_args_share(struct uproc *child, struct uproc *parent)
{
	spin_lock(&parent->lock);
	child->args = parent->args;
	if (child->args)
		ref_get(&child->args->ref);
	spin_unlock(&parent->lock);
}

static void add_memory(struct ptext *o, u64 start, u64 end)
{
	char chunk[512];

	while (start < end && end - start <= ARGS_MAX * 16) {
		size_t n = MIN(end - start, (u64)sizeof(chunk)), got = copy_from_app_partial(chunk, (const void __app *)start, n);

		ptext_add(o, chunk, got);
		if (got < n)
			return;
		start += n;
	}
}

static int show_strings(struct ptext *o, const struct pinode *pi, bool env)
{
	struct uproc *p = procfs_proc(pi);
	struct proc_args *a;
	struct mm *mm;

	if (!p)
		return -ESRCH;
	mm = procfs_mm(p);
	spin_lock(&p->lock);
	a = p->args;
	if (a)
		ref_get(&a->ref);
	spin_unlock(&p->lock);
	if (mm && mm->as == kproc_self()->aspace)
		add_memory(o, env ? mm->env_start : mm->arg_start, env ? mm->env_end : mm->arg_end);
	else if (mm && a)
		ptext_add(o, env ? a->data + a->arg_len : a->data, env ? a->env_len : a->arg_len);
	if (a && ref_put(&a->ref))
		kmem_free(a, sizeof(*a) + a->arg_len + a->env_len);
	if (mm)
		mm_put(mm);
	proc_put(p);
	return 0;
}

int procfs_show_cmdline(struct ptext *o, const struct pinode *pi)
{
	return show_strings(o, pi, false);
}
int procfs_show_environ(struct ptext *o, const struct pinode *pi)
{
	return show_strings(o, pi, true);
}
