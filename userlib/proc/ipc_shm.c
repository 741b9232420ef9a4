/* SPDX-License-Identifier: MIT */
/*
 * System V shared memory: shmget(2), shmat(2), shmdt(2), shmctl(2). A segment is a memory object of arena pages like that of a memfd, so
 * every kProc can map it. Its mappings are the object's references: that is how nattch is known, through fork, exec and exit. A removed
 * segment loses the table's reference and goes with its last mapping.
 */
#include "userlib/base/string.h"
#include "userlib/proc/ipc.h"
#include "userlib/proc/mm.h"
#include "userlib/proc/pseudo.h"
#include "fs/memfs.h"
#include <linux/mman.h>
#include <linux/shm.h>

#define SEG_MAX (2 * GiB) /* pages are taken when the segment is made */
#define SHM_DEST_BIT 01000u
#define SHM_LOCKED_BIT 02000u

struct shm_seg {
	struct ipc_obj ipc; /* first */
	u64 size;
	struct vm_object *obj; /* [lock] reference unless SHM_DEST */
	s64 atime, dtime, ctime;
	int cpid, lpid;
};
static struct ipc_table shms = IPC_TABLE_INIT(shms);
static u64 total_pages; /* [lock] */

static struct shm_seg *find(int id)
{
	return (struct shm_seg *)ipc_find(&shms, id);
}

static u64 nattch(const struct shm_seg *s)
{
	u32 refs = vmo_refs(s->obj);

	return refs && !(s->ipc.mode & SHM_DEST_BIT) ? refs - 1 : refs;
}

static void forget(struct shm_seg *s) /* [lock] */
{
	ipc_del(&shms, &s->ipc);
	total_pages -= ROUND_UP(s->size, PAGE_SIZE) / PAGE_SIZE;
	kmem_free(s, sizeof(*s));
}

/* The object's last reference is gone. */
static void object_gone(void *owner)
{
	mutex_lock(&shms.lock);
	forget(owner);
	mutex_unlock(&shms.lock);
}

static int make_object(struct shm_seg *s, int key)
{
	const struct cred *c = &uproc_self()->cred;
	struct file *f;
	struct path p;
	char name[24];
	int r;

	fmt(name, sizeof(name), "/SYSV%08x", (unsigned)key);
	r = memfs_new_file(name, 0777, c->fsuid, c->fsgid, &p);
	if (r)
		return r;
	r = file_open_path(&p, O_RDWR, c, &f);
	path_put(&p);
	if (r)
		return r;
	r = vfs_truncate(f->inode, ROUND_UP(s->size, PAGE_SIZE));
	if (!r)
		r = vmo_new_owned(f, ROUND_UP(s->size, PAGE_SIZE), object_gone, s, &s->obj);
	file_put(f);
	return r;
}

/* [lock] */
static long create(int key, size_t size, int flags)
{
	struct shm_seg *s;
	int r;

	if (!size || size > SEG_MAX)
		return size ? -ENOMEM : -EINVAL;
	if (flags & SHM_HUGETLB)
		return -ENOMEM; /* no huge page pool */
	s = kmem_zalloc(sizeof(*s));
	if (!s)
		return -ENOMEM;
	s->size = size;
	r = make_object(s, key);
	if (r) {
		kmem_free(s, sizeof(*s));
		return r == -ENXIO ? -ENOMEM : r;
	}
	r = ipc_add(&shms, &s->ipc, key, flags);
	if (r) {
		vmo_disown_put(s->obj);
		kmem_free(s, sizeof(*s));
		return r;
	}
	s->ctime = ipc_now();
	s->cpid = uproc_self()->pid;
	total_pages += ROUND_UP(size, PAGE_SIZE) / PAGE_SIZE;
	return s->ipc.id;
}

long sys_shmget(int key, size_t size, int flags)
{
	struct shm_seg *s;
	long r;

	mutex_lock(&shms.lock);
	s = (struct shm_seg *)ipc_find_key(&shms, key);
	if (!s)
		r = key == IPC_PRIVATE || flags & IPC_CREAT ? create(key, size, flags) : -ENOENT;
	else if ((flags & (IPC_CREAT | IPC_EXCL)) == (IPC_CREAT | IPC_EXCL))
		r = -EEXIST;
	else if (s->size < size)
		r = -EINVAL;
	else
		r = ipc_allowed(&s->ipc, (u32)flags) ? s->ipc.id : -EACCES;
	mutex_unlock(&shms.lock);
	return r;
}

/* A reference on the object of a segment the caller may attach. */
static int get_object(int id, int flags, struct vm_object **out, u64 *size)
{
	u32 need = flags & SHM_RDONLY ? 0444 : 0666;
	struct shm_seg *s;
	int r = 0;

	if (flags & SHM_EXEC)
		need |= 0111;
	mutex_lock(&shms.lock);
	s = find(id);
	if (!s)
		r = -EINVAL;
	else if (!ipc_allowed(&s->ipc, need))
		r = -EACCES;
	else if (!vmo_get_unless_gone(s->obj))
		r = -EIDRM;
	if (!r) {
		*out = s->obj;
		*size = ROUND_UP(s->size, PAGE_SIZE);
	}
	mutex_unlock(&shms.lock);
	return r;
}

static void stamp(struct vm_object *o, bool attach)
{
	struct shm_seg *s;

	mutex_lock(&shms.lock);
	for (u32 i = 0; i < IPC_SLOTS; i++) {
		s = (struct shm_seg *)ipc_at(&shms, i);
		if (!s || s->obj != o)
			continue;
		*(attach ? &s->atime : &s->dtime) = ipc_now();
		s->lpid = uproc_self()->pid;
		break;
	}
	mutex_unlock(&shms.lock);
}

long sys_shmat(int id, u64 addr, int flags)
{
	int prot = PROT_READ | (flags & SHM_RDONLY ? 0 : PROT_WRITE) | (flags & SHM_EXEC ? PROT_EXEC : 0), r;
	struct vm_object *o;
	u64 size;
	long at;

	if (id < 0)
		return -EINVAL;
	if (addr & (PAGE_SIZE - 1)) {
		if (!(flags & SHM_RND))
			return -EINVAL;
		addr &= ~(u64)(PAGE_SIZE - 1);
		if (!addr && flags & SHM_REMAP)
			return -EINVAL;
	} else if (!addr && flags & SHM_REMAP) {
		return -EINVAL;
	}
	r = get_object(id, flags, &o, &size);
	if (r)
		return r;
	at = mm_map_object(uproc_self()->mm, addr, size, prot, o, flags & SHM_REMAP);
	if (at > 0)
		stamp(o, true);
	vmo_drop(o);
	return at;
}

long sys_shmdt(u64 addr)
{
	struct vm_object *o;
	int r = addr & (PAGE_SIZE - 1) ? -EINVAL : mm_unmap_object(uproc_self()->mm, addr, object_gone, &o);

	if (r)
		return r;
	stamp(o, false);
	vmo_drop(o);
	return 0;
}

static void fill_ds(const struct shm_seg *s, struct shmid64_ds *ds)
{
	memset(ds, 0, sizeof(*ds));
	ipc_fill_perm(&s->ipc, &ds->shm_perm);
	ds->shm_segsz = s->size;
	ds->shm_atime = s->atime;
	ds->shm_dtime = s->dtime;
	ds->shm_ctime = s->ctime;
	ds->shm_cpid = s->cpid;
	ds->shm_lpid = s->lpid;
	ds->shm_nattch = nattch(s);
}

static long stat(int id, int cmd, struct shmid64_ds *ds)
{
	struct shm_seg *s;
	long r;

	mutex_lock(&shms.lock);
	s = cmd == IPC_STAT ? find(id) : (struct shm_seg *)(id < 0 ? NULL : ipc_at(&shms, (u32)id));
	if (!s)
		r = -EINVAL;
	else if (cmd != SHM_STAT_ANY && !ipc_allowed(&s->ipc, 0444))
		r = -EACCES;
	else
		r = cmd == IPC_STAT ? 0 : s->ipc.id;
	if (r >= 0)
		fill_ds(s, ds);
	mutex_unlock(&shms.lock);
	return r;
}

static long change(int id, int cmd, const struct shmid64_ds *ds)
{
	struct vm_object *drop = NULL;
	struct shm_seg *s;
	long r = 0;

	mutex_lock(&shms.lock);
	s = find(id);
	if (!s) {
		r = -EINVAL;
	} else if (!ipc_is_owner(&s->ipc)) {
		r = -EPERM;
	} else if (cmd == IPC_SET) {
		r = ipc_set_perm(&s->ipc, &ds->shm_perm);
		if (!r)
			s->ctime = ipc_now();
	} else if (cmd == SHM_LOCK) { /* arena memory stays where it is */
		s->ipc.mode |= SHM_LOCKED_BIT;
	} else if (cmd == SHM_UNLOCK) {
		s->ipc.mode &= ~SHM_LOCKED_BIT;
	} else if (!(s->ipc.mode & SHM_DEST_BIT)) { /* IPC_RMID */
		s->ipc.key = IPC_PRIVATE;
		s->ipc.mode |= SHM_DEST_BIT;
		drop = s->obj;
	}
	mutex_unlock(&shms.lock);
	if (drop)
		vmo_drop(drop);
	return r;
}

static long info(int cmd, void __app *buf)
{
	struct shminfo64 i = { .shmmax = SEG_MAX, .shmmin = 1, .shmmni = IPC_SLOTS, .shmseg = IPC_SLOTS, .shmall = mem_limit_bytes() / PAGE_SIZE };
	struct shm_info si = { 0 };
	long r;

	mutex_lock(&shms.lock);
	si.used_ids = (int)shms.used;
	si.shm_tot = si.shm_rss = total_pages;
	r = ipc_highest(&shms);
	mutex_unlock(&shms.lock);
	if (cmd == IPC_INFO ? copy_to_app(buf, &i, sizeof(i)) : copy_to_app(buf, &si, sizeof(si)))
		return -EFAULT;
	return r;
}

long sys_shmctl(int id, int cmd, void __app *buf)
{
	struct shmid64_ds ds;
	long r;

	if (cmd < 0 || id < 0)
		return -EINVAL;
	switch (cmd) {
	case IPC_INFO:
	case SHM_INFO:
		return info(cmd, buf);
	case IPC_STAT:
	case SHM_STAT:
	case SHM_STAT_ANY:
		r = stat(id, cmd, &ds);
		return r >= 0 && copy_to_app(buf, &ds, sizeof(ds)) ? -EFAULT : r;
	case IPC_SET:
		if (copy_from_app(&ds, buf, sizeof(ds)))
			return -EFAULT;
		/* fall through */
	case IPC_RMID:
	case SHM_LOCK:
	case SHM_UNLOCK:
		return change(id, cmd, &ds);
	default:
		return -EINVAL;
	}
}

int ipc_shm_show(struct ptext *o)
{
	ptext_printf(o, "       key      shmid perms                  size  cpid  lpid nattch   uid   gid  cuid  cgid"
			"      atime      dtime      ctime                   rss                  swap\n");
	mutex_lock(&shms.lock);
	for (u32 i = 0; i < IPC_SLOTS; i++) {
		struct shm_seg *s = (struct shm_seg *)ipc_at(&shms, i);

		if (s)
			ptext_printf(o, "%10d %10d  %4o %21lu %5d %5d  %5lu %5u %5u %5u %5u %10ld %10ld %10ld %21lu %21lu\n", s->ipc.key,
				     s->ipc.id, s->ipc.mode, s->size, s->cpid, s->lpid, nattch(s), s->ipc.uid, s->ipc.gid, s->ipc.cuid,
				     s->ipc.cgid, s->atime, s->dtime, s->ctime, ROUND_UP(s->size, PAGE_SIZE), 0ul);
	}
	mutex_unlock(&shms.lock);
	return 0;
}
