/* SPDX-License-Identifier: MIT */
/* fork: the copy of an address space's bookkeeping for the child kProc; the host's fork copies the mappings themselves. */
#include "userlib/proc/mm_internal.h"

/* Copies one VMA into `as`, as new_mm's if it was mm's; of others only the place is kept, for the child to unmap. */
static int copy_vma(struct aspace *as, const struct vma *v, const struct mm *mm, struct mm *new_mm)
{
	struct vma *n;

	if (v->mm && (v->flags & VMF_DONTFORK))
		return 0; /* the host was told, too */
	n = mm_vma_alloc();
	if (!n)
		return -ENOMEM;
	n->start = v->start;
	n->end = v->end;
	if (v->mm != mm) {
		n->flags = v->mm || (v->flags & VMF_FOREIGN) ? VMF_FOREIGN : VMF_KERNEL;
		vma_insert(&as->tree, n);
		return 0;
	}
	n->prot = v->prot;
	n->flags = v->flags & ~(u32)VMF_LOCKED;
	n->obj = vmo_get(v->obj);
	n->off = v->off;
	mm_vma_link(new_mm, n);
	if (n->flags & VMF_CHARGED)
		as->committed += vma_len(n);
	return 0;
}

static void copy_mm_fields(struct mm *n, const struct mm *mm)
{
	n->start_code = mm->start_code;
	n->end_code = mm->end_code;
	n->start_data = mm->start_data;
	n->end_data = mm->end_data;
	n->start_brk = mm->start_brk;
	n->brk = mm->brk;
	n->start_stack = mm->start_stack;
	n->stack_low = mm->stack_low;
	n->stack_high = mm->stack_high;
	n->arg_start = mm->arg_start;
	n->arg_end = mm->arg_end;
	n->env_start = mm->env_start;
	n->env_end = mm->env_end;
	n->vdso = mm->vdso;
	memcpy(n->auxv, mm->auxv, sizeof(n->auxv));
	n->auxv_len = mm->auxv_len;
	mm_set_exe(n, &mm->exe);
}

static void copy_windows(struct aspace *to, const struct aspace *from)
{
	unsigned i;

	for (i = 0; i < MM_NR_WINDOWS; i++) {
		to->windows[i] = from->windows[i];
		to->windows[i].users = 0;
	}
	to->window_clock = from->window_clock;
}

int aspace_fork_begin(struct mm *mm, struct aspace **new_as, struct mm **new_mm)
{
	struct aspace *as = mm->as, *nas = aspace_create(NULL, 0);
	struct mm *n = nas ? mm_create(nas) : NULL;
	struct vma *v;
	int r = 0;

	if (!n) {
		if (nas)
			aspace_put(nas);
		return -ENOMEM;
	}
	as_lock(as);
	nas->mmap_base = as->mmap_base;
	list_for_each(v, &as->tree.all, link) {
		r = copy_vma(nas, v, mm, n);
		if (r)
			break;
	}
	if (r) {
		as_unlock(as);
		mm_put(n);
		aspace_put(nas);
		return r;
	}
	copy_windows(nas, as);
	copy_mm_fields(n, mm);
	nas->measured_commit = nas->committed;
	nas->fork_shared = as->charged + as->fork_shared;
	*new_as = nas;
	*new_mm = n;
	return 0;
}

void aspace_fork_end(struct mm *parent, struct mm *failed_new_mm)
{
	as_unlock(parent->as);
	if (failed_new_mm)
		mm_put(failed_new_mm);
}

void mm_after_fork_child(struct mm *mm)
{
	struct aspace *as = mm->as;
	struct vma *v, *n;

	as_lock(as);
	list_for_each_safe(v, n, &as->tree.all, link) {
		if (!(v->flags & VMF_FOREIGN))
			continue;
		host_munmap((void *)v->start, vma_len(v));
		mm_vma_unlink(as, v);
	}
	as_unlock(as);
}
