/* SPDX-License-Identifier: MIT */
/* mmap(2) and brk(2), and the loader's ways to make mappings. */
#include "userlib/proc/mm_internal.h"
#include "userlib/proc/proc.h"
#include <linux/mount.h>

struct map_req {
	u64 addr, len, off;
	int prot;
	u32 vmf;
	struct vm_object *obj; /* owned by the caller */
	int fd;		       /* instead of the object's, or -1 */
	bool fixed, noreplace, populate, low32;
	u64 extra;	       /* to reserve behind for stubs */
};

static bool over_limit(u64 used, u64 more, int resource)
{
	u64 lim = proc_rlimit(resource);

	return lim != (u64)RLIM64_INFINITY && (more > lim || used > lim - more);
}

/* RLIMIT_AS and RLIMIT_DATA of the caller. */
static int check_limits(struct mm *mm, u64 more, bool is_data)
{
	if (over_limit(mm->total_vm, more, RLIMIT_AS))
		return -ENOMEM;
	if (is_data && over_limit(mm->data_vm, more, RLIMIT_DATA))
		return -ENOMEM;
	return 0;
}

/* Everything in [start, end) is free or mm's own. */
static int check_owned_or_free(struct mm *mm, u64 start, u64 end, bool must_be_free)
{
	struct vma *v;

	for (v = vma_find(&mm->as->tree, start); v && v->start < end; v = vma_next(&mm->as->tree, v)) {
		if (must_be_free)
			return -EEXIST;
		if (v->mm != mm)
			return -EADDRINUSE;
	}
	return 0;
}

/* Host-reserves the free parts of a partly mapped range, so that MAP_FIXED over all of it hits nothing of the host's. */
static int fill_gaps(struct mm *mm, u64 start, u64 end)
{
	struct vma *v = vma_find(&mm->as->tree, start);
	u64 at = start, stop;
	int r;

	while (at < end) {
		stop = v && v->start < end ? v->start : end;
		if (stop > at) {
			r = hm_reserve(at, stop - at);
			if (r)
				break;
		}
		if (stop == end)
			return 0;
		at = v->end;
		v = vma_next(&mm->as->tree, v);
	}
	if (at >= end)
		return 0;
	/* undo what was filled below `at` */
	end = at;
	at = start;
	for (v = vma_find(&mm->as->tree, start); at < end; v = vma_next(&mm->as->tree, v)) {
		stop = v && v->start < end ? v->start : end;
		if (stop > at)
			host_munmap((void *)at, stop - at);
		if (!v || v->start >= end)
			break;
		at = v->end;
	}
	return r == -EEXIST ? -EADDRINUSE : r;
}

/* Replaces whatever mm has in the fixed range. */
static int map_fixed(struct mm *mm, const struct map_req *q, struct vma *v)
{
	struct aspace *as = mm->as;
	u64 end = q->addr + q->len, old, new;
	bool empty = vma_range_free(&as->tree, q->addr, end);
	int r = check_owned_or_free(mm, q->addr, end, q->noreplace);

	if (!r)
		r = mm_isolate(mm, q->addr, end);
	if (r)
		return r;
	old = mm_committed_in(mm, q->addr, end);
	new = v->flags & VMF_CHARGED ? q->len : 0;
	r = as_charge(as, new > old ? new - old : 0);
	if (r)
		return r;
	if (!empty)
		r = fill_gaps(mm, q->addr, end);
	if (!r)
		r = hm_map(q->addr, q->len, q->prot, q->vmf, q->obj, q->off, q->fd, empty ? HM_NOREPLACE : HM_FIXED, q->populate);
	if (r) {
		as_uncharge(as, new > old ? new - old : 0);
		return r == -EEXIST ? (q->noreplace ? -EEXIST : -EADDRINUSE) : r;
	}
	mm_forget_range(mm, q->addr, end);
	as_uncharge(as, old > new ? old - new : 0);
	v->start = q->addr;
	v->end = end;
	return 0;
}

/* Keeps room for the stubs behind a new file mapping. */
static void reserve_stub_room(struct mm *mm, u64 start, u64 len)
{
	struct vma *s = mm_vma_alloc();

	if (!s) {
		host_munmap((void *)start, len);
		return;
	}
	s->start = start;
	s->end = start + len;
	s->flags = VMF_STUB;
	mm_vma_link(mm, s);
}

/*
 * Host-maps q at `at`, which our tree believes free. Plain mappings take one host call; memfs files and room for stubs need the whole
 * range reserved first.
 */
static int map_at(const struct map_req *q, u64 at)
{
	u64 total = q->len + q->extra;
	int r;

	if (!q->extra)
		return hm_map(at, q->len, q->prot, q->vmf, q->obj, q->off, q->fd, HM_NOREPLACE, q->populate);
	r = hm_reserve(at, total);
	if (r)
		return r;
	r = hm_map(at, q->len, q->prot, q->vmf, q->obj, q->off, q->fd, HM_FIXED, q->populate);
	if (r)
		host_munmap((void *)at, total);
	return r;
}

static bool hint_usable(const struct mm *mm, const struct map_req *q, u64 hint)
{
	u64 total = q->len + q->extra;

	return hint >= MM_LOW && hint < MM_TASK_SIZE && total <= MM_TASK_SIZE - hint && !q->low32 &&
	       vma_range_free(&mm->as->tree, hint, hint + total);
}

/* Finds a place and maps: the hint if it is free, else top-down. *at: where. */
static int place(struct mm *mm, const struct map_req *q, u64 *at)
{
	u64 hint = ROUND_UP(q->addr, PAGE_SIZE), total = q->len + q->extra;
	u64 low = q->low32 ? 0x40000000 : MM_LOW, high = q->low32 ? 0x80000000 : mm->as->tree.ceil;
	unsigned tries;
	int r;

	for (tries = 0; tries < MM_HOST_TRIES; tries++) {
		if (!tries && hint_usable(mm, q, hint))
			*at = hint;
		else
			*at = mm_find_gap(mm, total, PAGE_SIZE, low, high);
		if (!*at)
			return -ENOMEM;
		r = map_at(q, *at);
		if (r != -EEXIST)
			return r;
		as_note_conflict(mm->as, *at, total);
	}
	return -ENOMEM;
}

static int map_anywhere(struct mm *mm, struct map_req *q, struct vma *v)
{
	u64 charge = v->flags & VMF_CHARGED ? q->len : 0, at = 0;
	int r = as_charge(mm->as, charge);

	if (r)
		return r;
	r = place(mm, q, &at);
	if (r) {
		as_uncharge(mm->as, charge);
		return r;
	}
	if (q->extra)
		reserve_stub_room(mm, at + q->len, q->extra);
	v->start = at;
	v->end = at + q->len;
	return 0;
}

/* [as->lock] The mapping as asked; its address or -errno. */
static long map_locked(struct mm *mm, struct map_req *q)
{
	struct vma *v = mm_vma_alloc();
	u64 at;
	int r;

	if (!v)
		return -ENOMEM;
	v->prot = (u32)q->prot;
	v->flags = q->vmf;
	v->obj = q->obj;
	v->off = q->off;
	if (vma_wants_charge(v))
		v->flags |= VMF_CHARGED;
	r = q->fixed ? map_fixed(mm, q, v) : map_anywhere(mm, q, v);
	if (r) {
		mm_vma_free(v);
		return r;
	}
	vmo_get(v->obj);
	at = v->start;
	mm_vma_link(mm, v);
	mm_merge_range(mm, at, at + q->len);
	return (long)at;
}

/* Stubs of a patched image; false = their place is taken. */
static bool map_stubs(struct mm *mm, u64 addr, const struct mm_exec_patch *p)
{
	struct vma *v, *s = mm_vma_alloc();
	u64 end = addr + p->stub_len;

	if (!s)
		return false;
	for (v = vma_find(&mm->as->tree, addr); v && v->start < end; v = vma_next(&mm->as->tree, v)) {
		if (v->mm != mm || !(v->flags & VMF_STUB))
			goto taken;
	}
	if (mm_isolate(mm, addr, end) || fill_gaps(mm, addr, end))
		goto taken;
	if (host_mmap((void *)addr, p->stub_len, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_FIXED, p->fd, p->stub_off) < 0)
		goto taken;
	mm_forget_range(mm, addr, end);
	s->start = addr;
	s->end = end;
	s->prot = PROT_READ | PROT_EXEC;
	s->flags = VMF_STUB;
	mm_vma_link(mm, s);
	return true;
taken:
	mm_vma_free(s);
	return false;
}

/* After an executable private file mapping was made at addr: switch it to the patched image if there is room for the stubs. */
static void use_patched(struct mm *mm, u64 addr, const struct map_req *q, const struct mm_exec_patch *p)
{
	u64 stubs = addr + (u64)p->stub_delta;

	if (p->stub_len && (stubs < MM_LOW || stubs >= MM_TASK_SIZE || (stubs & (PAGE_SIZE - 1)) || !map_stubs(mm, stubs, p)))
		return;
	if (host_mmap((void *)addr, q->len, q->prot, MAP_PRIVATE | MAP_FIXED | MAP_NORESERVE, p->fd, q->off) < 0)
		log_once(LOG_WARN, "mm: cannot map a patched image: its program runs by traps");
}

static bool patchable(const struct map_req *q)
{
	return q->obj && q->obj->kind == VMO_HOST && !(q->vmf & VMF_SHARED) && (q->prot & PROT_EXEC);
}

/* Maps with the hooks around it. Takes and releases the lock. */
static long map_with_hooks(struct mm *mm, struct map_req *q, bool check)
{
	struct mm_exec_patch patch = { .fd = -1 };
	bool patched = false;
	long r = 0;

	if (patchable(q) && mm_exec_map_hook)
		patched = mm_exec_map_hook(mm, q->obj->inode, q->obj->host_fd, q->off, q->len, &patch) == 0;
	if (!q->fixed && !q->addr && !q->off && q->obj && q->obj->kind == VMO_HOST && !(q->vmf & VMF_SHARED) && mm_reserve_hook)
		q->extra = mm_reserve_hook(q->obj->inode, q->obj->host_fd, q->off, q->len);
	as_lock(mm->as);
	if (check)
		r = check_limits(mm, q->len, (q->prot & PROT_WRITE) && !(q->vmf & VMF_SHARED));
	if (!r)
		r = map_locked(mm, q);
	if (r > 0 && patched)
		use_patched(mm, (u64)r, q, &patch);
	as_unlock(mm->as);
	if (r > 0 && (q->prot & PROT_EXEC) && !patched && mm_text_changed_hook)
		mm_text_changed_hook(mm, (u64)r, (u64)r + q->len);
	return r;
}

/* Flags of mmap that need no action here, or have their own field. */
#define MMAP_KNOWN (MAP_TYPE | MAP_FIXED | MAP_ANONYMOUS | MAP_32BIT | MAP_GROWSDOWN | MAP_DENYWRITE | MAP_EXECUTABLE | MAP_LOCKED | \
		    MAP_NORESERVE | MAP_POPULATE | MAP_NONBLOCK | MAP_STACK | MAP_HUGETLB | MAP_FIXED_NOREPLACE | MAP_UNINITIALIZED)

static int file_checks(struct file *f, int prot, u32 *vmf)
{
	bool shared = *vmf & VMF_SHARED;
	u32 mnt_flags = f->path.mnt ? f->path.mnt->flags : 0;

	if (!(f->mode_rw & 1))
		return -EACCES;
	if (shared && (prot & PROT_WRITE) && !(f->mode_rw & 2))
		return -EACCES;
	if (mnt_flags & MS_NOEXEC) {
		if (prot & PROT_EXEC)
			return -EPERM;
		*vmf |= VMF_MAYNOTEXEC;
	}
	if (!shared || (f->mode_rw & 2))
		*vmf |= VMF_MAYWRITE;
	return 0;
}

static int decode_flags(struct map_req *q, int flags, bool anon)
{
	int type = flags & MAP_TYPE;

	if (type == MAP_SHARED_VALIDATE) {
		if (anon)
			return -EINVAL;
		if (flags & ~MMAP_KNOWN)
			return -EOPNOTSUPP;
	} else if (type != MAP_SHARED && type != MAP_PRIVATE) {
		return -EINVAL;
	}
	q->vmf = type == MAP_PRIVATE ? 0 : VMF_SHARED;
	if (flags & MAP_HUGETLB)
		return -ENOMEM; /* no huge page pool, as on a host with nr_hugepages 0 */
	if (flags & MAP_NORESERVE)
		q->vmf |= VMF_NORESERVE;
	if ((flags & MAP_GROWSDOWN) && anon) {
		if (type != MAP_PRIVATE)
			return -EINVAL;
		q->vmf |= VMF_GROWSDOWN;
	}
	q->fixed = flags & (MAP_FIXED | MAP_FIXED_NOREPLACE);
	q->noreplace = flags & MAP_FIXED_NOREPLACE;
	q->populate = (flags & (MAP_POPULATE | MAP_NONBLOCK)) == MAP_POPULATE || (flags & MAP_LOCKED);
	q->low32 = flags & MAP_32BIT;
	return 0;
}

static int check_range(struct map_req *q)
{
	if (!q->len)
		return -EINVAL;
	if (q->len > MM_TASK_SIZE)
		return -ENOMEM;
	q->len = ROUND_UP(q->len, PAGE_SIZE);
	if (q->off & (PAGE_SIZE - 1))
		return -EINVAL;
	if (q->off + q->len < q->off || q->off + q->len > (u64)INT64_MAX)
		return -EOVERFLOW;
	if (q->fixed) {
		if (q->addr & (PAGE_SIZE - 1))
			return -EINVAL;
		if (q->addr > MM_TASK_SIZE - q->len)
			return -ENOMEM;
		if (q->addr < MM_LOW)
			return -EPERM;
	}
	return 0;
}

long mm_mmap(struct mm *mm, u64 addr, u64 len, int prot, int flags, struct file *f, u64 off)
{
	struct map_req q = { .addr = addr, .len = len, .off = off, .prot = prot & PROT_RWX, .fd = -1 };
	long r = decode_flags(&q, flags, !f);

	if (!r)
		r = check_range(&q);
	if (r)
		return r;
	if ((flags & MAP_LOCKED) || mm->lock_future) {
		if (over_limit(mm->locked_vm, q.len, RLIMIT_MEMLOCK))
			return -EAGAIN;
		q.vmf |= VMF_LOCKED;
		q.populate = true;
	}
	if (f) {
		r = file_checks(f, q.prot, &q.vmf);
		if (!r)
			r = vmo_new_file(f, q.vmf & VMF_SHARED, (q.vmf & VMF_SHARED) && (q.vmf & VMF_MAYWRITE), q.off, q.len, &q.obj);
		if (r)
			return r;
	}
	if (!q.obj) { /* anonymous, or /dev/zero */
		q.vmf |= VMF_MAYWRITE;
		q.off = 0;
		if (q.vmf & VMF_SHARED) {
			q.obj = vmo_new_anon();
			if (!q.obj)
				return -ENOMEM;
		}
	}
	if (q.prot == PROT_NONE)
		q.populate = false;
	r = map_with_hooks(mm, &q, true);
	vmo_put(q.obj);
	return r == -EADDRINUSE ? -ENOMEM : r;
}

/* --- objects --- */

long mm_map_object(struct mm *mm, u64 addr, u64 len, int prot, struct vm_object *o, bool replace)
{
	struct map_req q = { .addr = addr, .len = len, .prot = prot, .fd = -1, .obj = o, .fixed = addr != 0, .noreplace = !replace,
			     .vmf = VMF_SHARED | (prot & PROT_WRITE ? VMF_MAYWRITE : 0) };
	long r = check_range(&q);

	if (!r)
		r = map_with_hooks(mm, &q, true);
	return r == -EADDRINUSE || r == -EEXIST || r == -EPERM ? -EINVAL : r;
}

int mm_unmap_object(struct mm *mm, u64 addr, void (*gone)(void *owner), struct vm_object **out)
{
	struct vm_object *o = NULL;
	struct vma *v, *next;
	u64 start, end;
	int r = -EINVAL;

	as_lock(mm->as);
	for (v = vma_find(&mm->as->tree, addr); v; v = next) {
		next = vma_next(&mm->as->tree, v);
		start = v->start;
		end = v->end;
		if (o && start - addr >= o->nr_pages << PAGE_SHIFT)
			break;
		if (v->mm != mm || !v->obj || v->obj->gone != gone || start - addr != v->off || (o && v->obj != o))
			continue;
		if (!o)
			o = vmo_get(v->obj);
		r = mm_unmap_locked(mm, start, end);
		if (r)
			break;
		next = vma_find(&mm->as->tree, end);
	}
	as_unlock(mm->as);
	*out = o;
	if (r && o)
		vmo_put(o);
	return r;
}

/* --- brk --- */

u64 mm_brk(struct mm *mm, u64 addr)
{
	u64 old_end, new_end;
	struct map_req q = { .prot = PROT_READ | PROT_WRITE, .vmf = VMF_MAYWRITE, .fd = -1, .fixed = true, .noreplace = true };

	as_lock(mm->as);
	if (addr < mm->start_brk || addr >= MM_TASK_SIZE - PAGE_SIZE)
		goto out;
	old_end = ROUND_UP(mm->brk, PAGE_SIZE);
	new_end = ROUND_UP(addr, PAGE_SIZE);
	if (new_end < old_end) {
		if (mm_unmap_locked(mm, new_end, old_end))
			goto out;
	} else if (new_end > old_end) {
		if (over_limit(mm->brk - mm->start_brk + (mm->end_data - mm->start_data), addr - mm->brk, RLIMIT_DATA))
			goto out;
		q.addr = old_end;
		q.len = new_end - old_end;
		q.populate = mm->lock_future;
		if (check_limits(mm, q.len, false) || map_locked(mm, &q) < 0)
			goto out;
	}
	mm->brk = addr;
out:
	addr = mm->brk;
	as_unlock(mm->as);
	return addr;
}

/* --- for the loader --- */

int mm_map_anon_at(struct mm *mm, u64 addr, u64 len, int prot, u32 vmf)
{
	struct map_req q = { .addr = addr, .len = len, .prot = prot, .vmf = vmf | VMF_MAYWRITE, .fd = -1, .fixed = true };
	long r = check_range(&q);

	if (r)
		return (int)r;
	as_lock(mm->as);
	r = map_locked(mm, &q);
	as_unlock(mm->as);
	return r < 0 ? (int)r : 0;
}

int mm_map_file_at(struct mm *mm, u64 addr, u64 len, int prot, struct file *f, u64 off)
{
	struct map_req q = { .addr = addr, .len = len, .off = off, .prot = prot, .vmf = VMF_MAYWRITE, .fd = -1, .fixed = true };
	long r = check_range(&q);

	if (!r)
		r = vmo_new_file(f, false, false, q.off, q.len, &q.obj);
	if (r)
		return (int)r;
	r = q.obj ? map_with_hooks(mm, &q, false) : -ENODEV;
	vmo_put(q.obj);
	return r < 0 ? (int)r : 0;
}

#define IMAGE_LOW 0x550000000000ull
#define IMAGE_SPAN 0x020000000000ull /* 2 TiB of places for programs */
#define BRK_ROOM (64ull * GiB)

static u64 reserve_program(struct mm *mm, u64 len, u64 align)
{
	unsigned tries;
	u64 at, rnd;

	for (tries = 0; tries < MM_HOST_TRIES; tries++) {
		random_bytes(&rnd, sizeof(rnd));
		at = ROUND_UP(IMAGE_LOW + (rnd % IMAGE_SPAN & PAGE_MASK), align);
		if (vma_range_free(&mm->as->tree, at, at + len + BRK_ROOM) && !hm_reserve(at, len))
			return at;
	}
	return 0;
}

u64 mm_reserve_image(struct mm *mm, u64 len, u64 align, bool is_program)
{
	struct vma *v = mm_vma_alloc();
	u64 at = 0;

	if (!v)
		return 0;
	len = ROUND_UP(len, PAGE_SIZE);
	align = MAX(align, PAGE_SIZE);
	as_lock(mm->as);
	if (is_program)
		at = reserve_program(mm, len, align);
	if (!at)
		at = mm_find_and_reserve(mm, len, align, MM_LOW, mm->as->tree.ceil);
	if (at) {
		v->start = at;
		v->end = at + len;
		v->flags = VMF_STUB; /* room; segments replace it, what is left stays reserved */
		mm_vma_link(mm, v);
	} else {
		mm_vma_free(v);
	}
	as_unlock(mm->as);
	return at;
}

int mm_reserve_image_at(struct mm *mm, u64 start, u64 len)
{
	struct vma *v = mm_vma_alloc();
	u64 end = ROUND_UP(start + len, PAGE_SIZE);
	int r = -EADDRINUSE;

	if (!v)
		return -ENOMEM;
	start = ROUND_DOWN(start, PAGE_SIZE);
	as_lock(mm->as);
	if (start >= MM_LOW && end <= MM_TASK_SIZE && vma_range_free(&mm->as->tree, start, end))
		r = hm_reserve(start, end - start);
	if (!r) {
		v->start = start;
		v->end = end;
		v->flags = VMF_STUB;
		mm_vma_link(mm, v);
	} else {
		mm_vma_free(v);
	}
	as_unlock(mm->as);
	return r == -EEXIST ? -EADDRINUSE : r;
}

u64 mm_stub_room(struct file *f, u64 len)
{
	enum map_kind kind;
	int host_fd = -1;

	if (!mm_reserve_hook || !f->inode->ops->map || f->inode->ops->map(f->inode, false, false, &kind, &host_fd) || kind != MAP_KIND_HOST)
		return 0;
	return ROUND_UP(mm_reserve_hook(f->inode, host_fd, 0, len), PAGE_SIZE);
}

int mm_map_stack(struct mm *mm, u64 len, bool executable)
{
	struct map_req q = { .len = ROUND_UP(len, PAGE_SIZE), .prot = PROT_READ | PROT_WRITE | (executable ? PROT_EXEC : 0),
			     .vmf = VMF_MAYWRITE | VMF_STACK | VMF_NORESERVE, .fd = -1, .fixed = true };
	u64 rnd, guard = 256 * PAGE_SIZE, at;
	long r = -ENOMEM;

	random_bytes(&rnd, sizeof(rnd));
	as_lock(mm->as);
	at = mm_find_and_reserve(mm, q.len + guard + ((rnd & 0x3fff) << PAGE_SHIFT), PAGE_SIZE, MM_LOW, mm->as->tree.ceil);
	if (at) {
		host_munmap((void *)at, q.len + guard + ((rnd & 0x3fff) << PAGE_SHIFT));
		q.addr = at + guard;
		r = map_locked(mm, &q);
	}
	if (r > 0) {
		mm->stack_low = (u64)r;
		mm->stack_high = (u64)r + q.len;
	}
	as_unlock(mm->as);
	return r < 0 ? (int)r : 0;
}

long mm_map_vdso(struct mm *mm, const void *image, u64 len)
{
	struct vma *v = mm_vma_alloc();
	long r = -ENOMEM;
	u64 at;

	if (!v)
		return -ENOMEM;
	len = ROUND_UP(len, PAGE_SIZE);
	as_lock(mm->as);
	at = mm_find_and_reserve(mm, len, PAGE_SIZE, MM_LOW, mm->as->tree.ceil);
	if (at) {
		r = host_mmap((void *)at, len, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_FIXED, arena.fd, arena_offset(image));
		if (r < 0)
			host_munmap((void *)at, len);
	}
	if (r > 0) {
		v->start = at;
		v->end = at + len;
		v->prot = PROT_READ | PROT_EXEC;
		v->flags = VMF_VDSO;
		mm_vma_link(mm, v);
		mm->vdso = at;
	} else {
		mm_vma_free(v);
	}
	as_unlock(mm->as);
	return r < 0 ? r : (long)at;
}

bool aspace_range_available(struct aspace *as, u64 start, u64 end, const struct mm *except)
{
	struct vma *v;
	bool ok = start >= MM_LOW && end <= MM_TASK_SIZE && start < end;

	as_lock(as);
	for (v = vma_find(&as->tree, start); ok && v && v->start < end; v = vma_next(&as->tree, v))
		ok = except && v->mm == except;
	as_unlock(as);
	return ok;
}
