// SPDX-License-Identifier: MIT
/*
 * Control objects, instances and their files: who may do what. A control file is /dev/junction opened; an instance file is an anonymous
 * one that INSTANCE or SHARE makes. Closing undoes, in mirror order of making.
 */
#include <linux/anon_inodes.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/module.h>
#include <linux/slab.h>

#include "junction.h"

static atomic_t next_instance = ATOMIC_INIT(0);

struct jk_control *jk_control_create(bool may_claim)
{
	struct jk_control *ctl = kzalloc(sizeof(*ctl), GFP_KERNEL_ACCOUNT);

	if (!ctl)
		return NULL;
	kref_init(&ctl->ref);
	ctl->may_claim = may_claim;
	return ctl;
}

static void control_free(struct kref *ref)
{
	kfree(container_of(ref, struct jk_control, ref));
}

void jk_control_get(struct jk_control *ctl)
{
	kref_get(&ctl->ref);
}

void jk_control_put(struct jk_control *ctl)
{
	kref_put(&ctl->ref, control_free);
}

static void instance_free(struct kref *ref)
{
	struct jk_instance *inst = container_of(ref, struct jk_instance, ref);

	mutex_lock(&jk_lock);
	jk_thread_drop_all(inst);
	mutex_unlock(&jk_lock);
	jk_pc_drop_all(inst);
	jk_control_put(inst->ctl);
	kfree(inst);
}

static int inst_file_release(struct inode *inode, struct file *file)
{
	struct jk_inst_file *f = file->private_data;

	kref_put(&f->inst->ref, instance_free);
	kfree(f);
	return 0;
}

static int inst_file_mmap(struct file *file, struct vm_area_struct *vma)
{
	struct jk_inst_file *f = file->private_data;
	struct jk_thread *t;
	int r = -ENXIO;

	if (!(READ_ONCE(f->rights) & JABI_KMOD_RIGHT_THREAD))
		return -EPERM;
	if (vma->vm_pgoff >= JABI_KMOD_MAX_SLOTS)
		return -ENXIO;
	t = jk_thread_find(vma->vm_pgoff);
	if (!t)
		return -ENXIO;
	if (t->inst == f->inst)
		r = jk_insert_line_page(vma, t->page);
	jk_thread_put(t);
	return r;
}

static const struct file_operations inst_fops = {
	.owner = THIS_MODULE,
	.release = inst_file_release,
	.mmap = inst_file_mmap,
	.unlocked_ioctl = jk_inst_ioctl,
};

/* A descriptor of a new file; takes over the caller's reference of inst, also on error. */
static int make_file(struct jk_instance *inst, u32 rights)
{
	struct jk_inst_file *f = kzalloc(sizeof(*f), GFP_KERNEL_ACCOUNT);
	struct file *file;
	int fd = -ENOMEM;

	if (!f)
		goto err_inst;
	f->inst = inst;
	f->rights = rights;
	fd = get_unused_fd_flags(O_CLOEXEC);
	if (fd < 0)
		goto err_free;
	file = anon_inode_getfile("[junction]", &inst_fops, f, O_RDWR);
	if (IS_ERR(file)) {
		put_unused_fd(fd);
		fd = PTR_ERR(file);
		goto err_free;
	}
	fd_install(fd, file);
	return fd;

err_free:
	kfree(f);
err_inst:
	kref_put(&inst->ref, instance_free);
	return fd;
}

int jk_instance_create(struct jk_control *ctl, u32 rights, u32 *id)
{
	struct jk_instance *inst = kzalloc(sizeof(*inst), GFP_KERNEL_ACCOUNT);

	if (!inst)
		return -ENOMEM;
	kref_init(&inst->ref);
	do
		inst->id = atomic_inc_return(&next_instance);
	while (!inst->id);
	inst->ctl = ctl;
	jk_control_get(ctl);
	INIT_LIST_HEAD(&inst->threads);
	xa_init_flags(&inst->files, XA_FLAGS_ALLOC1);
	cpumask_copy(&inst->base, current->cpus_ptr);
	*id = inst->id;
	return make_file(inst, rights);
}

int jk_instance_share(struct jk_inst_file *f, u32 rights)
{
	if (rights & ~READ_ONCE(f->rights))
		return -EPERM;
	kref_get(&f->inst->ref);
	return make_file(f->inst, rights);
}
