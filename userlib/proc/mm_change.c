/* SPDX-License-Identifier: MIT */
/* munmap(2), mprotect(2), mremap(2). */
#include "userlib/proc/mm_internal.h"
#include "userlib/proc/proc.h"

/* Page-aligned [addr, addr+len) with len rounded up; -EINVAL for an unaligned address, -ENOMEM beyond the address space. */
static int range_of(u64 addr, u64 *len)
{
	if (addr & (PAGE_SIZE - 1))
		return -EINVAL;
	if (*len > MM_TASK_SIZE || addr > MM_TASK_SIZE - *len)
		return -ENOMEM;
	*len = ROUND_UP(*len, PAGE_SIZE);
	return 0;
}

int mm_munmap(struct mm *mm, u64 addr, u64 len)
{
	int r;

	if (range_of(addr, &len) || !len)
		return -EINVAL;
	as_lock(mm->as);
	r = mm_unmap_locked(mm, addr, addr + len);
	as_unlock(mm->as);
	return r;
}

/* --- mprotect --- */

static int may_protect(const struct vma *v, int prot)
{
	if (!vma_visible(v))
		return -ENOMEM;
	if ((prot & PROT_WRITE) && !(v->flags & VMF_MAYWRITE))
		return -EACCES;
	if ((prot & PROT_EXEC) && (v->flags & VMF_MAYNOTEXEC))
		return -EACCES;
	return 0;
}

/* v lies wholly in the range. */
static int protect_vma(struct mm *mm, struct vma *v, int prot)
{
	struct vma probe = *v;
	u32 flags = v->flags;
	int r;

	probe.prot = (u32)prot;
	if (!(flags & VMF_CHARGED) && vma_wants_charge(&probe)) {
		r = as_charge(mm->as, vma_len(v));
		if (r)
			return r;
		flags |= VMF_CHARGED;
	}
	r = hm_protect(v, v->start, v->end, prot);
	if (r) {
		if (flags != v->flags)
			as_uncharge(mm->as, vma_len(v));
		return r;
	}
	mm_vma_recount(mm, v, prot, flags);
	return 0;
}

static int protect_range(struct mm *mm, u64 start, u64 end, int prot)
{
	struct vma *v;
	u64 at = start;
	int r = mm_isolate(mm, start, end);

	if (r)
		return r;
	for (v = vma_find(&mm->as->tree, start); at < end; v = vma_next(&mm->as->tree, v)) {
		if (!v || v->start > at || v->mm != mm) {
			r = -ENOMEM;
			break;
		}
		at = v->end;
		r = may_protect(v, prot);
		if (!r && v->prot != (u32)prot)
			r = protect_vma(mm, v, prot);
		if (r)
			break;
	}
	mm_merge_range(mm, start, end);
	return r;
}

int mm_mprotect(struct mm *mm, u64 addr, u64 len, int prot)
{
	int grows = prot & (PROT_GROWSDOWN | PROT_GROWSUP), r;
	struct vma *v;
	u64 end;

	prot &= ~(PROT_GROWSDOWN | PROT_GROWSUP);
	if (grows == (PROT_GROWSDOWN | PROT_GROWSUP) || (addr & (PAGE_SIZE - 1)))
		return -EINVAL;
	if (!len)
		return 0;
	r = range_of(addr, &len);
	if (r)
		return r;
	if ((prot & ~(PROT_RWX | PROT_SEM)) || (grows & PROT_GROWSUP))
		return -EINVAL;
	prot &= PROT_RWX;
	end = addr + len;
	as_lock(mm->as);
	if (grows) {
		v = vma_find(&mm->as->tree, addr);
		if (!v || v->start >= end || v->mm != mm)
			r = -ENOMEM;
		else if (!(v->flags & (VMF_GROWSDOWN | VMF_STACK)))
			r = -EINVAL;
		else
			addr = v->start;
	}
	if (!r)
		r = protect_range(mm, addr, end, prot);
	as_unlock(mm->as);
	if (!r && (prot & PROT_EXEC) && mm_text_changed_hook)
		mm_text_changed_hook(mm, addr, end);
	return r;
}

/* --- mremap --- */

struct remap {
	struct mm *mm;
	u64 old, old_len, new_len, new_addr;
	int flags;
	struct vm_object *tail; /* for the grown part of memfs files: made before the lock */
};

/* The host may see several mappings where we see one: moves by halves if it refuses. */
static int move_host(u64 from, u64 len, u64 to, int extra_flags)
{
	long r = host_mremap((void *)from, len, len, MREMAP_MAYMOVE | MREMAP_FIXED | extra_flags, (void *)to);
	u64 half;
	int e;

	if (r >= 0)
		return 0;
	if (r != -EFAULT || len <= PAGE_SIZE)
		return (int)r;
	half = ROUND_UP(len / 2, PAGE_SIZE);
	e = move_host(from, half, to, extra_flags);
	return e ? e : move_host(from + half, len - half, to + half, extra_flags);
}

/* A new VMA with the attributes of v. */
static struct vma *like(const struct vma *v, u64 start, u64 end, struct vm_object *obj, u64 off)
{
	struct vma *n = mm_vma_alloc();

	if (!n)
		return NULL;
	n->start = start;
	n->end = end;
	n->prot = v->prot;
	n->flags = v->flags;
	n->obj = vmo_get(obj);
	n->off = off;
	return n;
}

/* Maps the grown part at `at`, whose range is reserved by us (fixed) or believed free. The old VMA's object goes on, or q->tail. */
static int map_growth(struct remap *q, const struct vma *v, u64 at, u64 off, u64 len, int how)
{
	struct vm_object *obj = q->tail ? q->tail : v->obj;
	struct vma *n = like(v, at, at + len, obj, off);
	int r;

	if (!n)
		return -ENOMEM;
	r = hm_map(at, len, (int)v->prot, v->flags, obj, off, -1, how, v->flags & VMF_LOCKED);
	if (r) {
		vmo_put_locked(q->mm->as, n->obj);
		mm_vma_free(n);
		return r;
	}
	mm_vma_link(q->mm, n);
	return 0;
}

/* Shared anonymous memory cannot be mapped a second time by name: the host grows it. */
static bool host_must_grow(const struct vma *v)
{
	return v->obj && v->obj->kind == VMO_SHARED_ANON;
}

static int grow_in_place(struct remap *q, struct vma *v)
{
	struct aspace *as = q->mm->as;
	u64 end = q->old + q->old_len, more = q->new_len - q->old_len, off = v->off + (end - v->start);
	long r;

	if (v->end != end || end + more > MM_TASK_SIZE || !vma_range_free(&as->tree, end, end + more))
		return -ENOMEM;
	if (!host_must_grow(v))
		return map_growth(q, v, end, off, more, HM_NOREPLACE);
	r = host_mremap((void *)q->old, q->old_len, q->new_len, 0, NULL);
	if (r < 0)
		return (int)r;
	mm_vma_recount(q->mm, v, (int)v->prot, v->flags);
	vma_set_bounds(&as->tree, v, v->start, end + more);
	q->mm->total_vm += more;
	return 0;
}

/* Where it goes: q->new_addr cleared for it, or a free range; host-reserved. */
static long destination(struct remap *q)
{
	int r;
	u64 at;

	if (!(q->flags & MREMAP_FIXED)) {
		at = mm_find_and_reserve(q->mm, q->new_len, PAGE_SIZE, MM_LOW, q->mm->as->tree.ceil);
		return at ? (long)at : -ENOMEM;
	}
	r = mm_unmap_locked(q->mm, q->new_addr, q->new_addr + q->new_len);
	if (r)
		return r;
	if (!vma_range_free(&q->mm->as->tree, q->new_addr, q->new_addr + q->new_len))
		return -ENOMEM;
	r = hm_reserve(q->new_addr, q->new_len);
	return r ? (r == -EEXIST ? -ENOMEM : r) : (long)q->new_addr;
}

/* v covers [old, old+old_len) exactly (isolated). Moves it to `at` and maps the growth. */
static int move_to(struct remap *q, struct vma *v, u64 at)
{
	struct mm *mm = q->mm;
	u64 keep = MIN(q->old_len, q->new_len), off = v->off;
	bool dont_unmap = q->flags & MREMAP_DONTUNMAP;
	struct vma *n = like(v, at, at + keep, v->obj, off);
	int r;

	if (!n)
		return -ENOMEM;
	if (host_must_grow(v) && q->new_len > keep) {
		long m = host_mremap((void *)q->old, keep, q->new_len, MREMAP_MAYMOVE | MREMAP_FIXED, (void *)at);

		r = m < 0 ? (int)m : 0;
		n->end = at + q->new_len;
	} else {
		r = move_host(q->old, keep, at, dont_unmap ? MREMAP_DONTUNMAP : 0);
		if (!r && q->new_len > keep) {
			r = map_growth(q, v, at + keep, off + keep, q->new_len - keep, HM_FIXED);
			if (r && move_host(at, keep, q->old, 0))
				panic("mremap: cannot move back");
		}
	}
	if (r) {
		vmo_put_locked(mm->as, n->obj);
		mm_vma_free(n);
		return r;
	}
	if (dont_unmap)
		v->flags &= ~(u32)VMF_LOCKED;
	else
		mm_vma_unlink(mm->as, v);
	mm_vma_link(mm, n);
	return 0;
}

/* old_len 0: a second mapping of the same shared pages. */
static long duplicate(struct remap *q, struct vma *v)
{
	long at, r;
	struct vma *n;

	if (!(v->flags & VMF_SHARED))
		return -EINVAL;
	at = destination(q);
	if (at < 0)
		return at;
	v = vma_find(&q->mm->as->tree, q->old);
	if (!v || v->start > q->old || v->mm != q->mm)
		return -EFAULT;
	n = like(v, (u64)at, (u64)at + q->new_len, v->obj, v->off + (q->old - v->start));
	if (!n)
		return -ENOMEM;
	r = host_mremap((void *)q->old, 0, q->new_len, MREMAP_MAYMOVE | MREMAP_FIXED, (void *)at);
	if (r < 0) {
		host_munmap((void *)at, q->new_len);
		vmo_put_locked(q->mm->as, n->obj);
		mm_vma_free(n);
		return r;
	}
	n->flags &= ~(u32)VMF_CHARGED;
	mm_vma_link(q->mm, n);
	return at;
}

static long move(struct remap *q, u64 more_charge)
{
	long at;
	struct vma *v;
	int r;

	at = destination(q);
	if (at < 0)
		return at;
	r = mm_isolate(q->mm, q->old, q->old + q->old_len);
	v = vma_find(&q->mm->as->tree, q->old);
	if (!r && (!v || v->start != q->old || v->mm != q->mm || v->end != q->old + q->old_len))
		r = -EFAULT;
	if (!r)
		r = as_charge(q->mm->as, more_charge);
	if (!r) {
		r = move_to(q, v, (u64)at);
		if (r)
			as_uncharge(q->mm->as, more_charge);
	}
	if (r) {
		host_munmap((void *)at, q->new_len);
		return r;
	}
	mm_merge_range(q->mm, (u64)at, (u64)at + q->new_len);
	return at;
}

/* [lock] The checked request. */
static long remap_locked(struct remap *q)
{
	struct vma *v = vma_find(&q->mm->as->tree, q->old);
	u64 more = q->new_len > q->old_len ? q->new_len - q->old_len : 0, charge, lim;
	int r;

	if (!v || v->start > q->old || v->mm != q->mm || !vma_visible(v))
		return -EFAULT;
	if (!q->old_len)
		return duplicate(q, v);
	if (q->old_len > v->end - q->old) {
		/* Linux: only a shrink may cross mappings */
		if (more || (q->flags & (MREMAP_FIXED | MREMAP_DONTUNMAP)))
			return -EFAULT;
	}
	lim = proc_rlimit(RLIMIT_AS);
	if (more && lim != (u64)RLIM64_INFINITY && q->mm->total_vm + more > lim)
		return -ENOMEM;
	if (!(q->flags & (MREMAP_FIXED | MREMAP_DONTUNMAP)) && !more) {
		r = q->new_len < q->old_len ? mm_unmap_locked(q->mm, q->old + q->new_len, q->old + q->old_len) : 0;
		return r ? r : (long)q->old;
	}
	if (q->new_len < q->old_len) { /* moved and shrunk: the tail goes first */
		r = mm_unmap_locked(q->mm, q->old + q->new_len, q->old + q->old_len);
		if (r)
			return r;
		q->old_len = q->new_len;
	}
	charge = v->flags & VMF_CHARGED ? (q->flags & MREMAP_DONTUNMAP ? q->new_len : more) : 0;
	if (!(q->flags & (MREMAP_FIXED | MREMAP_DONTUNMAP))) {
		r = as_charge(q->mm->as, charge);
		if (r)
			return r;
		r = grow_in_place(q, v);
		if (!r) {
			mm_merge_range(q->mm, q->old, q->old + q->new_len);
			return (long)q->old;
		}
		as_uncharge(q->mm->as, charge);
	}
	return q->flags & MREMAP_MAYMOVE ? move(q, charge) : -ENOMEM;
}

static int check_remap(struct remap *q)
{
	if (q->flags & ~(MREMAP_MAYMOVE | MREMAP_FIXED | MREMAP_DONTUNMAP))
		return -EINVAL;
	if ((q->flags & (MREMAP_FIXED | MREMAP_DONTUNMAP)) && !(q->flags & MREMAP_MAYMOVE))
		return -EINVAL;
	if ((q->flags & MREMAP_DONTUNMAP) && q->old_len != q->new_len)
		return -EINVAL;
	if ((q->old & (PAGE_SIZE - 1)) || q->new_len > MM_TASK_SIZE || q->old_len > MM_TASK_SIZE || q->old > MM_TASK_SIZE - q->old_len)
		return -EINVAL;
	q->old_len = ROUND_UP(q->old_len, PAGE_SIZE);
	q->new_len = ROUND_UP(q->new_len, PAGE_SIZE);
	if (!q->new_len)
		return -EINVAL;
	if (q->flags & MREMAP_FIXED) {
		if ((q->new_addr & (PAGE_SIZE - 1)) || q->new_addr > MM_TASK_SIZE - q->new_len)
			return -EINVAL;
		if (q->new_addr < MM_LOW)
			return -EPERM;
		if (q->new_addr < q->old + q->old_len && q->old < q->new_addr + q->new_len)
			return -EINVAL;
	}
	return 0;
}

/* memfs pages of the grown part: taken without the lock. */
static int prepare_tail(struct remap *q)
{
	struct vm_object *o = NULL;
	u64 off = 0;
	bool shared = false;
	struct vma *v;
	int r = 0;

	if (q->new_len <= q->old_len || !q->old_len)
		return 0;
	as_lock(q->mm->as);
	v = vma_find(&q->mm->as->tree, q->old);
	if (v && v->start <= q->old && v->mm == q->mm && v->obj && v->obj->kind == VMO_ARENA) {
		o = vmo_get(v->obj);
		off = v->off + (q->old - v->start) + q->old_len;
		shared = v->flags & VMF_SHARED;
	}
	as_unlock(q->mm->as);
	if (o) {
		r = vmo_new_like(o, shared, off, q->new_len - q->old_len, &q->tail);
		vmo_put(o);
	}
	return r;
}

long mm_mremap(struct mm *mm, u64 old, u64 old_len, u64 new_len, int flags, u64 new_addr)
{
	struct remap q = { .mm = mm, .old = old, .old_len = old_len, .new_len = new_len, .flags = flags, .new_addr = new_addr };
	long r = check_remap(&q);

	if (!r)
		r = prepare_tail(&q);
	if (r)
		return r;
	as_lock(mm->as);
	r = remap_locked(&q);
	as_unlock(mm->as);
	vmo_put(q.tail);
	return r;
}
