// SPDX-License-Identifier: MIT
/*
 * junction.ko: /dev/junction, the control file. Loads and unloads; everything else is reached through an open file. See jabi_kmod.h for what
 * it does and junction.h for how.
 */
#include <linux/capability.h>
#include <linux/fs.h>
#include <linux/miscdevice.h>
#include <linux/mm.h>
#include <linux/module.h>

#include "compat.h"
#include "junction.h"

static int control_open(struct inode *inode, struct file *file)
{
	struct jk_control *ctl = jk_control_create(file_ns_capable(file, &init_user_ns, CAP_SYS_NICE));

	if (!ctl)
		return -ENOMEM;
	file->private_data = ctl;
	return 0;
}

static int control_release(struct inode *inode, struct file *file)
{
	struct jk_control *ctl = file->private_data;

	WRITE_ONCE(ctl->dead, true);
	jk_cpu_release_all(ctl);
	mutex_lock(&jk_lock);
	jk_thread_free_all(ctl);
	mutex_unlock(&jk_lock);
	jk_control_put(ctl);
	return 0;
}

/* One page, shared, and never executable. */
int jk_insert_line_page(struct vm_area_struct *vma, struct page *page)
{
	if (vma->vm_end - vma->vm_start != PAGE_SIZE || !(vma->vm_flags & VM_SHARED) || (vma->vm_flags & VM_EXEC))
		return -EINVAL;
	jk_vma_flags(vma, VM_DONTCOPY | VM_DONTEXPAND | VM_DONTDUMP, VM_MAYEXEC);
	return vm_insert_page(vma, vma->vm_start, page);
}

static int control_mmap(struct file *file, struct vm_area_struct *vma)
{
	struct page *page = jk_cpu_page(file->private_data, vma->vm_pgoff);
	int r;

	if (!page)
		return -ENXIO;
	r = jk_insert_line_page(vma, page);
	put_page(page);
	return r;
}

static const struct file_operations control_fops = {
	.owner = THIS_MODULE,
	.open = control_open,
	.release = control_release,
	.mmap = control_mmap,
	.unlocked_ioctl = jk_control_ioctl,
};

static struct miscdevice device = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = "junction",
	.mode = 0600,
	.fops = &control_fops,
};

static int __init junction_init(void)
{
	int r = jk_pc_init();

	if (r)
		return r;
	r = jk_thread_init();
	if (r)
		goto err_pc;
	jk_hw_init();
	r = jk_cpu_init();
	if (r)
		goto err_hw;
	r = misc_register(&device);
	if (r)
		goto err_cpu;
	return 0;

err_cpu:
	jk_cpu_exit();
err_hw:
	jk_hw_exit();
	jk_thread_exit();
err_pc:
	jk_pc_exit();
	return r;
}

static void __exit junction_exit(void)
{
	misc_deregister(&device);
	jk_thread_exit();
	jk_cpu_exit();
	jk_hw_exit();
	jk_pc_exit();
}

module_init(junction_init);
module_exit(junction_exit);
MODULE_LICENSE("Dual MIT/GPL");
MODULE_DESCRIPTION("Junction: core grants, user interrupts, page-cache mapping");
MODULE_VERSION("1");
