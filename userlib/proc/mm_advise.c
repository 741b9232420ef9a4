/* SPDX-License-Identifier: MIT */
/*
 * madvise, mincore, msync, mlock. Locked memory is made resident and locked in the host as far as the host's own limit goes; the
 * program's RLIMIT_MEMLOCK is kept here.
 */
#include "userlib/proc/mm_internal.h"
#include "userlib/proc/proc.h"

#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE 25
#endif
#ifndef MADV_DONTNEED_LOCKED
#define MADV_DONTNEED_LOCKED 24
#endif

static int aligned_range(u64 addr, u64 len, u64 *end)
{
	u64 n = ROUND_UP(len, PAGE_SIZE);

	if ((addr & (PAGE_SIZE - 1)) || (len && !n))
		return -EINVAL;
	if (n > MM_TASK_SIZE || addr > MM_TASK_SIZE - n)
		return -ENOMEM;
	*end = addr + n;
	return 0;
}

/*
 * Calls fn on every piece of mm's mappings in the range, clipped. A hole does not stop it, but makes the result -ENOMEM (Linux:
 * madvise, mlock, msync). An error of fn does.
 */
struct piece {
	struct mm *mm;
	struct vma *v;
	u64 start, end;
	int arg;
};
static int for_pieces(struct mm *mm, u64 start, u64 end, int arg, int (*fn)(struct piece *p))
{
	struct piece p = { .mm = mm, .arg = arg };
	struct vma *v, *next;
	u64 at = start;
	int r, hole = 0;

	for (v = vma_find(&mm->as->tree, start); at < end; v = next) {
		if (!v || v->start >= end)
			return -ENOMEM;
		next = vma_next(&mm->as->tree, v);
		if (v->mm != mm || !vma_visible(v) || v->start > at)
			hole = -ENOMEM;
		at = v->end;
		if (v->mm != mm || !vma_visible(v))
			continue;
		p.v = v;
		p.start = MAX(v->start, start);
		p.end = MIN(v->end, end);
		r = fn(&p);
		if (r)
			return r;
	}
	return hole;
}

/* --- madvise --- */

static int advise_host(struct piece *p)
{
	return host_madvise((void *)p->start, p->end - p->start, p->arg);
}

static int advise_dontneed(struct piece *p)
{
	if ((p->v->flags & VMF_LOCKED) && p->arg == MADV_DONTNEED)
		return -EINVAL;
	/* pages of memfs files go nowhere; private copies of them do, and the host knows */
	return host_madvise((void *)p->start, p->end - p->start, p->arg);
}

static int advise_free(struct piece *p)
{
	if (p->v->obj || (p->v->flags & VMF_SHARED))
		return -EINVAL;
	return host_madvise((void *)p->start, p->end - p->start, MADV_FREE);
}

static int advise_remove(struct piece *p)
{
	if ((p->v->flags & VMF_LOCKED) || !(p->v->flags & VMF_SHARED))
		return -EINVAL;
	if (!(p->v->flags & VMF_MAYWRITE))
		return -EACCES;
	if (p->v->obj->kind != VMO_SHARED_ANON)
		return -EOPNOTSUPP;
	return host_madvise((void *)p->start, p->end - p->start, MADV_REMOVE);
}

/* Advice that needs nothing of the host but a mapping, or that the host may refuse without harm. */
static int advise_hint(struct piece *p)
{
	int r = host_madvise((void *)p->start, p->end - p->start, p->arg);

	return r == -EINVAL || r == -EBADF ? 0 : r;
}

static int advise_populate(struct piece *p)
{
	u32 need = p->arg == MADV_POPULATE_WRITE ? PROT_WRITE : PROT_READ | PROT_WRITE | PROT_EXEC;

	if (!(p->v->prot & need))
		return -EINVAL;
	return host_madvise((void *)p->start, p->end - p->start, p->arg);
}

/* Flags that change what a mapping is: the range becomes VMAs of its own. */
struct flag_change {
	int advice;
	u32 set, clear;
	bool host, host_may_refuse, anon_only;
};
static const struct flag_change flag_changes[] = {
	{ MADV_NORMAL, 0, VMF_SEQ | VMF_RAND, true, true, false },
	{ MADV_RANDOM, VMF_RAND, VMF_SEQ, true, true, false },
	{ MADV_SEQUENTIAL, VMF_SEQ, VMF_RAND, true, true, false },
	{ MADV_DONTFORK, VMF_DONTFORK, 0, true, false, false },
	{ MADV_DOFORK, 0, VMF_DONTFORK, true, false, false },
	{ MADV_WIPEONFORK, VMF_WIPEONFORK, 0, true, false, true },
	{ MADV_KEEPONFORK, 0, VMF_WIPEONFORK, true, false, false },
	{ MADV_HUGEPAGE, VMF_HUGEPAGE, VMF_NOHUGEPAGE, true, false, false },
	{ MADV_NOHUGEPAGE, VMF_NOHUGEPAGE, VMF_HUGEPAGE, true, true, false },
	{ MADV_MERGEABLE, VMF_MERGEABLE, 0, true, true, false },
	{ MADV_UNMERGEABLE, 0, VMF_MERGEABLE, true, true, false },
	{ MADV_DONTDUMP, VMF_DONTDUMP, 0, false, false, false },
	{ MADV_DODUMP, 0, VMF_DONTDUMP, false, false, false },
};

static int change_flags(struct piece *p)
{
	const struct flag_change *c = &flag_changes[p->arg];
	int r = 0;

	if (c->anon_only && p->v->obj)
		return -EINVAL;
	if (c->host)
		r = host_madvise((void *)p->start, p->end - p->start, c->advice);
	if (r && !(c->host_may_refuse && r == -EINVAL))
		return r;
	p->v->flags = (p->v->flags & ~c->clear) | c->set;
	return 0;
}

static int (*advice_fn(int advice))(struct piece *)
{
	switch (advice) {
	case MADV_DONTNEED:
	case MADV_DONTNEED_LOCKED:
		return advise_dontneed;
	case MADV_FREE:
		return advise_free;
	case MADV_REMOVE:
		return advise_remove;
	case MADV_WILLNEED:
	case MADV_COLD:
	case MADV_PAGEOUT:
		return advise_hint;
	case MADV_POPULATE_READ:
	case MADV_POPULATE_WRITE:
		return advise_populate;
	case MADV_COLLAPSE:
		return advise_host;
	}
	return NULL;
}

int mm_madvise(struct mm *mm, u64 addr, u64 len, int advice)
{
	int (*fn)(struct piece *) = advice_fn(advice), r, i, change = -1;
	u64 end;

	for (i = 0; i < (int)ARRAY_SIZE(flag_changes); i++)
		if (flag_changes[i].advice == advice)
			change = i;
	if (!fn && change < 0)
		return -EINVAL;
	r = aligned_range(addr, len, &end);
	if (r || end == addr)
		return r ? -EINVAL : 0;
	as_lock(mm->as);
	if (fn) {
		r = for_pieces(mm, addr, end, advice, fn);
	} else {
		r = mm_isolate(mm, addr, end);
		if (!r)
			r = for_pieces(mm, addr, end, change, change_flags);
		mm_merge_range(mm, addr, end);
	}
	as_unlock(mm->as);
	return r;
}

/* --- mincore --- */

#define MINCORE_CHUNK 4096ul

/* [lock] The residency bytes of at most one chunk; -ENOMEM on a hole. */
static int mincore_chunk(struct mm *mm, u64 start, u64 end, unsigned char *vec)
{
	struct vma *v;
	u64 at = start, stop;
	int r;

	for (v = vma_find(&mm->as->tree, start); at < end; v = vma_next(&mm->as->tree, v)) {
		if (!v || v->start > at || v->mm != mm || !vma_visible(v))
			return -ENOMEM;
		stop = MIN(v->end, end);
		r = host_mincore((void *)at, stop - at, vec + ((at - start) >> PAGE_SHIFT));
		if (r)
			return r;
		at = stop;
	}
	return 0;
}

int mm_mincore(struct mm *mm, u64 addr, u64 len, unsigned char __app *vec)
{
	unsigned char *buf;
	u64 end, n;
	int r = aligned_range(addr, len, &end);

	if (r)
		return r;
	buf = kmem_alloc(MINCORE_CHUNK);
	if (!buf)
		return -EAGAIN;
	for (; !r && addr < end; addr += n << PAGE_SHIFT, vec += n) {
		n = MIN((end - addr) >> PAGE_SHIFT, MINCORE_CHUNK);
		as_lock(mm->as);
		r = mincore_chunk(mm, addr, addr + (n << PAGE_SHIFT), buf);
		as_unlock(mm->as);
		if (!r)
			r = copy_to_app(vec, buf, n);
	}
	kmem_free(buf, MINCORE_CHUNK);
	return r;
}

/* --- msync --- */

static int sync_piece(struct piece *p)
{
	if ((p->arg & MS_INVALIDATE) && (p->v->flags & VMF_LOCKED))
		return -EBUSY;
	if ((p->arg & MS_SYNC) && p->v->obj && p->v->obj->kind == VMO_HOST && (p->v->flags & VMF_SHARED))
		return host_msync((void *)p->start, p->end - p->start, MS_SYNC);
	return 0;
}

int mm_msync(struct mm *mm, u64 addr, u64 len, int flags)
{
	u64 end;
	int r;

	if ((flags & ~(MS_ASYNC | MS_INVALIDATE | MS_SYNC)) || (flags & (MS_ASYNC | MS_SYNC)) == (MS_ASYNC | MS_SYNC))
		return -EINVAL;
	r = aligned_range(addr, len, &end);
	if (r || end == addr)
		return r;
	as_lock(mm->as);
	r = for_pieces(mm, addr, end, flags, sync_piece);
	as_unlock(mm->as);
	return r;
}

/* --- mlock --- */

/* Lock in the host; where its limit forbids, at least bring the pages in. */
static void lock_host(const struct vma *v, bool onfault)
{
	if (v->prot == PROT_NONE || onfault)
		return;
	if (host_mlock((void *)v->start, vma_len(v)) == 0)
		return;
	if (host_madvise((void *)v->start, vma_len(v), v->prot & PROT_WRITE ? MADV_POPULATE_WRITE : MADV_POPULATE_READ))
		log_once(LOG_INFO, "mm: mlock: the host neither locks nor populates");
}

#define LOCK_SET 1
#define LOCK_ONFAULT 2
static int lock_piece(struct piece *p)
{
	struct vma *v = p->v;

	if (p->arg & LOCK_SET) {
		mm_vma_recount(p->mm, v, (int)v->prot, v->flags | VMF_LOCKED);
		lock_host(v, p->arg & LOCK_ONFAULT);
	} else {
		if (v->flags & VMF_LOCKED)
			host_munlock((void *)v->start, vma_len(v));
		mm_vma_recount(p->mm, v, (int)v->prot, v->flags & ~(u32)VMF_LOCKED);
	}
	return 0;
}

static int lock_range(struct mm *mm, u64 addr, u64 end, int arg)
{
	int r = mm_isolate(mm, addr, end);

	if (!r)
		r = for_pieces(mm, addr, end, arg, lock_piece);
	mm_merge_range(mm, addr, end);
	return r;
}

static u64 locked_in(struct mm *mm, u64 start, u64 end)
{
	struct vma *v;
	u64 n = 0;

	for (v = vma_find(&mm->as->tree, start); v && v->start < end; v = vma_next(&mm->as->tree, v))
		if (v->mm == mm && (v->flags & VMF_LOCKED))
			n += MIN(v->end, end) - MAX(v->start, start);
	return n;
}

int mm_mlock(struct mm *mm, u64 addr, u64 len, unsigned flags)
{
	u64 end, lim = proc_rlimit(RLIMIT_MEMLOCK);
	int r;

	if (flags & ~(unsigned)MLOCK_ONFAULT)
		return -EINVAL;
	len += addr & (PAGE_SIZE - 1);
	addr = ROUND_DOWN(addr, PAGE_SIZE);
	r = aligned_range(addr, len, &end);
	if (r || end == addr)
		return r;
	if (!lim && !cred_capable(&uproc_self()->cred, CAP_IPC_LOCK))
		return -EPERM;
	as_lock(mm->as);
	if (!cred_capable(&uproc_self()->cred, CAP_IPC_LOCK) && mm->locked_vm + (end - addr) - locked_in(mm, addr, end) > lim)
		r = -ENOMEM;
	if (!r)
		r = lock_range(mm, addr, end, LOCK_SET | (flags & MLOCK_ONFAULT ? LOCK_ONFAULT : 0));
	as_unlock(mm->as);
	return r;
}

int mm_munlock(struct mm *mm, u64 addr, u64 len)
{
	u64 end;
	int r;

	len += addr & (PAGE_SIZE - 1);
	addr = ROUND_DOWN(addr, PAGE_SIZE);
	r = aligned_range(addr, len, &end);
	if (r || end == addr)
		return r;
	as_lock(mm->as);
	r = lock_range(mm, addr, end, 0);
	as_unlock(mm->as);
	return r;
}

static void lock_all(struct mm *mm, int arg)
{
	struct piece p = { .mm = mm, .arg = arg };
	struct vma *v;

	list_for_each(v, &mm->as->tree.all, link) {
		if (v->mm != mm || !vma_visible(v) || (v->flags & VMF_STACK))
			continue; /* the stack is all of its limit: too much to make resident */
		p.v = v;
		p.start = v->start;
		p.end = v->end;
		lock_piece(&p);
	}
}

int mm_mlockall(struct mm *mm, int flags)
{
	u64 lim = proc_rlimit(RLIMIT_MEMLOCK);
	int r = 0;

	if (!flags || (flags & ~(MCL_CURRENT | MCL_FUTURE | MCL_ONFAULT)) || flags == MCL_ONFAULT)
		return -EINVAL;
	if (!lim && !cred_capable(&uproc_self()->cred, CAP_IPC_LOCK))
		return -EPERM;
	as_lock(mm->as);
	if ((flags & MCL_CURRENT) && mm->total_vm > lim && !cred_capable(&uproc_self()->cred, CAP_IPC_LOCK)) {
		r = -ENOMEM;
	} else {
		mm->lock_future = (flags & MCL_FUTURE) != 0;
		if (flags & MCL_CURRENT)
			lock_all(mm, LOCK_SET | (flags & MCL_ONFAULT ? LOCK_ONFAULT : 0));
	}
	as_unlock(mm->as);
	return r;
}

int mm_munlockall(struct mm *mm)
{
	as_lock(mm->as);
	mm->lock_future = 0;
	lock_all(mm, 0);
	as_unlock(mm->as);
	return 0;
}
