// SPDX-License-Identifier: MIT
/*
 * Files that an instance may map, ask about and have read ahead. A registered file is opened again, read-only: a shared mapping of that
 * file can never become writable, whatever is done to it, and it is an ordinary mapping of the file system's in every other respect.
 */
#include <linux/file.h>
#include <linux/fadvise.h>
#include <linux/fs.h>
#include <linux/magic.h>
#include <linux/mm.h>
#include <linux/mman.h>
#include <linux/pagemap.h>
#include <linux/pagevec.h>
#include <linux/slab.h>
#include <linux/workqueue.h>

#include "junction.h"

#define XFS_MAGIC      0x58465342 /* in no public header */
#define MAX_PREFETCHES 64

static struct workqueue_struct *prefetch_wq;
static atomic_t nr_prefetches = ATOMIC_INIT(0);

/* File systems whose regular files live in the page cache under the inode's own mapping, on this machine. */
static bool plain_page_cache(struct file *file)
{
	struct inode *inode = file_inode(file);

	if (!S_ISREG(inode->i_mode) || IS_DAX(inode) || !file->f_op->mmap || file->f_mapping != inode->i_mapping)
		return false;
	switch (inode->i_sb->s_magic) {
	case EXT4_SUPER_MAGIC:
	case XFS_MAGIC:
	case BTRFS_SUPER_MAGIC:
	case F2FS_SUPER_MAGIC:
	case TMPFS_MAGIC:
	case RAMFS_MAGIC:
	case EROFS_SUPER_MAGIC_V1:
	case SQUASHFS_MAGIC:
	case ISOFS_SUPER_MAGIC:
		return true;
	default:
		return false;
	}
}

int jk_pc_add(struct jk_instance *inst, int fd, u32 *id)
{
	struct file *given = fget(fd), *file;
	int r = -EBADF;

	if (!given)
		return -EBADF;
	if (!(given->f_mode & FMODE_READ))
		goto out;
	r = -EOPNOTSUPP;
	if (!plain_page_cache(given))
		goto out;
	/* With the credentials of whoever opened it: that it may read was decided then. */
	file = dentry_open(&given->f_path, O_RDONLY | O_LARGEFILE, given->f_cred);
	r = PTR_ERR_OR_ZERO(file);
	if (r)
		goto out;
	r = xa_alloc(&inst->files, id, file, xa_limit_31b, GFP_KERNEL_ACCOUNT);
	if (r)
		fput(file);
out:
	fput(given);
	return r;
}

static struct file *get(struct jk_instance *inst, u32 id)
{
	struct file *file;

	xa_lock(&inst->files);
	file = xa_load(&inst->files, id);
	if (file)
		get_file(file);
	xa_unlock(&inst->files);
	return file;
}

int jk_pc_del(struct jk_instance *inst, u32 id)
{
	struct file *file = xa_erase(&inst->files, id);

	if (!file)
		return -ENOENT;
	fput(file);
	return 0;
}

void jk_pc_drop_all(struct jk_instance *inst)
{
	struct file *file;
	unsigned long id;

	xa_for_each(&inst->files, id, file)
		fput(file);
	xa_destroy(&inst->files);
}

int jk_pc_map(struct jk_instance *inst, struct jabi_kmod_map *a)
{
	unsigned long flags = MAP_SHARED, at;
	struct file *file;

	if (!a->length || a->offset & ~PAGE_MASK || a->offset > MAX_LFS_FILESIZE || a->length > TASK_SIZE_MAX ||
	    a->addr > TASK_SIZE_MAX)
		return -EINVAL;
	switch (a->flags) {
	case 0:
		break;
	case JABI_KMOD_MAP_FIXED:
		flags |= MAP_FIXED;
		break;
	case JABI_KMOD_MAP_FIXED_NOREPLACE:
		flags |= MAP_FIXED_NOREPLACE | MAP_FIXED;
		break;
	default:
		return -EINVAL;
	}
	file = get(inst, a->id);
	if (!file)
		return -ENOENT;
	at = vm_mmap(file, a->addr, a->length, PROT_READ, flags, a->offset);
	fput(file);
	if (IS_ERR_VALUE(at))
		return (int)at;
	a->addr = at;
	return 0;
}

int jk_pc_resident(struct jk_instance *inst, struct jabi_kmod_resident *a)
{
	pgoff_t first = a->offset >> PAGE_SHIFT, next = first, last, i;
	struct folio_batch batch;
	struct file *file;
	unsigned int n;

	if (a->offset & ~PAGE_MASK || a->offset > MAX_LFS_FILESIZE || !a->nr_pages || a->nr_pages > JABI_KMOD_RESIDENT_WORDS * 64)
		return -EINVAL;
	file = get(inst, a->id);
	if (!file)
		return -ENOENT;
	memset(a->bitmap, 0, sizeof(a->bitmap));
	last = first + a->nr_pages - 1;
	folio_batch_init(&batch);
	while (next <= last && filemap_get_folios(file->f_mapping, &next, last, &batch)) {
		for (n = 0; n < folio_batch_count(&batch); n++) {
			struct folio *folio = batch.folios[n];
			pgoff_t begin = max(folio->index, first), end = min(folio->index + folio_nr_pages(folio), last + 1);

			if (folio->mapping != file->f_mapping || !folio_test_uptodate(folio))
				continue;
			for (i = begin; i < end; i++)
				a->bitmap[(i - first) / 64] |= 1ull << (i - first) % 64;
		}
		folio_batch_release(&batch);
		cond_resched();
	}
	fput(file);
	return 0;
}

struct prefetch {
	struct work_struct work;
	struct file *file;
	loff_t offset, length;
};

static void prefetch_work(struct work_struct *work)
{
	struct prefetch *p = container_of(work, struct prefetch, work);

	vfs_fadvise(p->file, p->offset, p->length, POSIX_FADV_WILLNEED);
	fput(p->file);
	kfree(p);
	atomic_dec(&nr_prefetches);
}

/* Read-ahead may wait for memory, request slots and block maps: not in the caller. */
int jk_pc_prefetch(struct jk_instance *inst, const struct jabi_kmod_prefetch *a)
{
	struct prefetch *p;
	int r = -EAGAIN;

	if (!a->length || a->length > JABI_KMOD_PREFETCH_MAX || a->offset > MAX_LFS_FILESIZE - a->length)
		return -EINVAL;
	if (atomic_inc_return(&nr_prefetches) > MAX_PREFETCHES)
		goto err_count;
	r = -ENOMEM;
	p = kmalloc(sizeof(*p), GFP_KERNEL_ACCOUNT);
	if (!p)
		goto err_count;
	r = -ENOENT;
	p->file = get(inst, a->id);
	if (!p->file)
		goto err_free;
	p->offset = a->offset;
	p->length = a->length;
	INIT_WORK(&p->work, prefetch_work);
	queue_work(prefetch_wq, &p->work);
	return 0;

err_free:
	kfree(p);
err_count:
	atomic_dec(&nr_prefetches);
	return r;
}

int jk_pc_init(void)
{
	prefetch_wq = alloc_workqueue("junction", WQ_UNBOUND, 4);
	return prefetch_wq ? 0 : -ENOMEM;
}

void jk_pc_exit(void)
{
	destroy_workqueue(prefetch_wq);
}
