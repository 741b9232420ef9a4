/* SPDX-License-Identifier: MIT */
/*
 * What mappings show (struct vm_object), and the host mappings made of them. memfs pages are taken when the object is made and kept
 * until its last mapping is gone, so a page never returns to the allocator while some address space still shows it; what lay behind the
 * end of the file then is mapped PROT_NONE, and mm_fault tries again.
 */
#include "userlib/proc/mm_internal.h"

struct slab vmo_slab = SLAB_INIT("vm_object", struct vm_object);
static u64 vmo_next_anon_id = 1;

#define ANON_ID_BIT (1ull << 63) /* ids of inodes never get there */

struct vm_object *vmo_new_anon(void)
{
	struct vm_object *o = slab_zalloc(&vmo_slab);

	if (!o)
		return NULL;
	ref_init(&o->ref);
	o->kind = VMO_SHARED_ANON;
	o->id = ANON_ID_BIT | atomic_fetch_add(&vmo_next_anon_id, 1ull);
	o->host_fd = -1;
	return o;
}

void vmo_put(struct vm_object *o)
{
	u64 i;

	if (!o || !ref_put(&o->ref))
		return;
	if (o->gone)
		o->gone(o->owner);
	for (i = 0; i < o->nr_pages; i++)
		if (o->pages[i])
			o->inode->ops->put_page(o->inode, o->first_page + i, o->pages[i]);
	if (o->pages)
		kmem_free(o->pages, o->nr_pages * sizeof(void *));
	if (o->path.mnt)
		path_put(&o->path);
	if (o->inode)
		inode_put(o->inode);
	slab_free(&vmo_slab, o);
}

void vmo_put_locked(struct aspace *as, struct vm_object *o)
{
	if (!o || !ref_put(&o->ref))
		return;
	o->next_dead = as->dead;
	as->dead = o;
}

bool vmo_same(const struct vm_object *a, const struct vm_object *b)
{
	if (a == b)
		return true;
	return a->kind == VMO_HOST && b->kind == VMO_HOST && a->inode == b->inode && a->host_fd == b->host_fd &&
	       a->path.dentry == b->path.dentry;
}

/* Takes the pages of [off, off+len) that lie before the end of the file. -ENXIO: the file shrank meanwhile. */
static int take_pages(struct vm_object *o, bool shared, u64 off, u64 len)
{
	const struct inode_ops *ops = o->inode->ops;
	struct kstat st;
	u64 first = off >> PAGE_SHIFT, want = len >> PAGE_SHIFT, size_pages, i;
	int r;

	if (!ops->get_page || !ops->put_page || !ops->getattr)
		return -ENODEV;
	r = ops->getattr(o->inode, &st);
	if (r)
		return r;
	size_pages = (st.size >> PAGE_SHIFT) + ((st.size & (PAGE_SIZE - 1)) != 0);
	o->first_page = first;
	if (size_pages <= first)
		return 0;
	want = MIN(want, size_pages - first);
	if (want * sizeof(void *) > 4 * MiB)
		return -ENOMEM;
	o->pages = kmem_zalloc(want * sizeof(void *));
	if (!o->pages)
		return -ENOMEM;
	o->nr_pages = want;
	for (i = 0; i < want; i++) {
		r = ops->get_page(o->inode, first + i, shared, &o->pages[i]);
		if (r) {
			o->pages[i] = NULL;
			return r;
		}
	}
	return 0;
}

static int try_object(struct inode *inode, const struct path *path, bool shared, bool write, u64 off, u64 len, struct vm_object **out)
{
	enum map_kind kind;
	struct vm_object *o;
	int host_fd = -1, r;

	*out = NULL;
	if (!inode || !inode->ops->map)
		return -ENODEV;
	r = inode->ops->map(inode, shared, write, &kind, &host_fd);
	if (r)
		return r;
	if (kind == MAP_KIND_ZERO)
		return 0;
	o = slab_zalloc(&vmo_slab);
	if (!o)
		return -ENOMEM;
	ref_init(&o->ref);
	o->kind = kind == MAP_KIND_HOST ? VMO_HOST : VMO_ARENA;
	o->id = inode->unique_id;
	o->inode = inode_get(inode);
	o->host_fd = host_fd;
	if (path && path->mnt) {
		o->path = *path;
		path_get(&o->path);
	}
	if (o->kind == VMO_ARENA) {
		r = take_pages(o, shared, off, len);
		if (r) {
			vmo_put(o);
			return r;
		}
	}
	*out = o;
	return 0;
}

static int make_object(struct inode *inode, const struct path *path, bool shared, bool write, u64 off, u64 len, struct vm_object **out)
{
	int tries = 0, r;

	do {
		r = try_object(inode, path, shared, write, off, len, out);
	} while (r == -ENXIO && ++tries < 16);
	return r == -ENXIO ? -EAGAIN : r;
}

int vmo_new_file(struct file *f, bool shared, bool write, u64 off, u64 len, struct vm_object **out)
{
	*out = NULL;
	return f->ops->maps_zero ? 0 : make_object(f->inode, &f->path, shared, write, off, len, out);
}

int vmo_new_owned(struct file *f, u64 len, void (*gone)(void *owner), void *owner, struct vm_object **out)
{
	int r = vmo_new_file(f, true, true, 0, len, out);

	if (!r) {
		(*out)->gone = gone;
		(*out)->owner = owner;
	}
	return r;
}

void vmo_disown_put(struct vm_object *o)
{
	o->gone = NULL;
	vmo_put(o);
}

bool vmo_get_unless_gone(struct vm_object *o)
{
	return ref_get_unless_zero(&o->ref);
}

u32 vmo_refs(const struct vm_object *o)
{
	return load_relaxed(&o->ref.count);
}

void vmo_drop(struct vm_object *o)
{
	vmo_put(o);
}

int vmo_new_like(const struct vm_object *o, bool shared, u64 off, u64 len, struct vm_object **out)
{
	return make_object(o->inode, &o->path, shared, false, off, len, out);
}

/* --- host mappings --- */

static int host_err(long r)
{
	return r < 0 ? (int)r : 0;
}

static int map_nothing(u64 addr, u64 len)
{
	return host_err(host_mmap((void *)addr, len, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1, 0));
}

int hm_reserve(u64 addr, u64 len)
{
	return host_err(host_mmap((void *)addr, len, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED_NOREPLACE, -1, 0));
}

/* What one page of an arena object is mapped as. */
enum page_state { PAGE_THERE, PAGE_HOLE, PAGE_BEYOND };

static enum page_state arena_page(const struct vm_object *o, u64 index)
{
	if (index < o->first_page || index - o->first_page >= o->nr_pages)
		return PAGE_BEYOND;
	return o->pages[index - o->first_page] ? PAGE_THERE : PAGE_HOLE;
}

/* Pages from `index` on, at most max, that can be mapped by one host call. */
static u64 arena_run(const struct vm_object *o, u64 index, u64 max)
{
	enum page_state s = arena_page(o, index);
	u64 n = 1;

	if (s == PAGE_BEYOND)
		return index < o->first_page ? 1 : max;
	for (; n < max && arena_page(o, index + n) == s; n++)
		if (s == PAGE_THERE && (char *)o->pages[index + n - o->first_page] !=
					       (char *)o->pages[index - o->first_page] + (n << PAGE_SHIFT))
			break;
	return n;
}

static int map_arena(u64 addr, u64 len, int prot, int flags, const struct vm_object *o, u64 off)
{
	u64 left = len >> PAGE_SHIFT, index = off >> PAGE_SHIFT, n;
	int r;

	for (; left; left -= n, index += n, addr += n << PAGE_SHIFT) {
		n = arena_run(o, index, left);
		switch (arena_page(o, index)) {
		case PAGE_THERE:
			r = host_err(host_mmap((void *)addr, n << PAGE_SHIFT, prot, flags | MAP_FIXED, arena.fd,
					       arena_offset(o->pages[index - o->first_page])));
			break;
		case PAGE_HOLE:
			r = host_err(host_mmap((void *)addr, n << PAGE_SHIFT, prot, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED,
					       -1, 0));
			break;
		default:
			r = map_nothing(addr, n << PAGE_SHIFT);
		}
		if (r)
			return r;
	}
	return 0;
}

int hm_map(u64 addr, u64 len, int prot, u32 vmf, const struct vm_object *obj, u64 off, int fd_override, int how, bool populate)
{
	int flags = vmf & VMF_SHARED ? MAP_SHARED : MAP_PRIVATE | MAP_NORESERVE, fd = -1, r;

	if (obj && obj->kind == VMO_ARENA) {
		if (how == HM_NOREPLACE) {
			r = hm_reserve(addr, len);
			if (r)
				return r;
		}
		r = map_arena(addr, len, prot, flags, obj, off);
		if (r && how == HM_NOREPLACE)
			host_munmap((void *)addr, len);
		return r;
	}
	flags |= how == HM_NOREPLACE ? MAP_FIXED_NOREPLACE : MAP_FIXED;
	if (populate)
		flags |= MAP_POPULATE;
	if (obj && obj->kind == VMO_HOST) {
		fd = fd_override >= 0 ? fd_override : obj->host_fd;
	} else {
		flags |= MAP_ANONYMOUS | MAP_NORESERVE;
		off = 0;
	}
	return host_err(host_mmap((void *)addr, len, prot, flags, fd, off));
}

int hm_protect(const struct vma *v, u64 start, u64 end, int prot)
{
	const struct vm_object *o = v->obj;
	u64 index, left, n;
	int r;

	if (!o || o->kind != VMO_ARENA)
		return host_mprotect((void *)start, end - start, prot);
	index = (v->off + (start - v->start)) >> PAGE_SHIFT;
	for (left = (end - start) >> PAGE_SHIFT; left; left -= n, index += n, start += n << PAGE_SHIFT) {
		n = arena_run(o, index, left);
		if (arena_page(o, index) == PAGE_BEYOND)
			continue;
		r = host_mprotect((void *)start, n << PAGE_SHIFT, prot);
		if (r)
			return r;
	}
	return 0;
}

/* --- places --- */

/* The highest page of [start, start+len) that the host says is taken. */
static u64 highest_taken(u64 start, u64 len)
{
	u64 half, mid;

	while (len > PAGE_SIZE) {
		half = ROUND_UP(len / 2, PAGE_SIZE);
		mid = start + len - half;
		if (hm_reserve(mid, half)) {
			start = mid;
			len = half;
		} else {
			host_munmap((void *)mid, half);
			len -= half;
		}
	}
	return start;
}

void as_note_conflict(struct aspace *as, u64 start, u64 len)
{
	u64 page = highest_taken(start, len), low = ROUND_DOWN(page, MiB), high = page + PAGE_SIZE;
	struct vma *next = vma_find(&as->tree, page), *prev, *v;

	if (next && next->start < high)
		return;
	prev = next ? vma_prev(&as->tree, next) : list_empty(&as->tree.all) ? NULL : list_last(&as->tree.all, struct vma, link);
	if (prev)
		low = MAX(low, prev->end);
	v = mm_vma_alloc();
	if (!v)
		return;
	v->start = MAX(low, as->tree.floor);
	v->end = high;
	v->flags = VMF_KERNEL;
	vma_insert(&as->tree, v);
}

u64 mm_find_gap(struct mm *mm, u64 len, u64 align, u64 low, u64 high)
{
	struct aspace *as = mm->as;
	u64 addr = vma_find_gap_top(&as->tree, len, align, low, MIN(high, as->mmap_base));

	if (addr)
		return addr;
	return vma_find_gap_bottom(&as->tree, len, align, MAX(low, MIN(as->mmap_base, high)), high);
}

u64 mm_find_and_reserve(struct mm *mm, u64 len, u64 align, u64 low, u64 high)
{
	struct aspace *as = mm->as;
	unsigned tries;
	u64 addr;
	int r;

	for (tries = 0; tries < MM_HOST_TRIES; tries++) {
		addr = mm_find_gap(mm, len, align, low, high);
		if (!addr)
			return 0;
		r = hm_reserve(addr, len);
		if (!r)
			return addr;
		if (r != -EEXIST)
			return 0;
		as_note_conflict(as, addr, len);
	}
	return 0;
}
