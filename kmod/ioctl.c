// SPDX-License-Identifier: MIT
/*
 * The requests: one table per kind of file. The struct is copied in, its size, flags and padding are checked here, and it is copied out only
 * after success. What a request means is elsewhere.
 */
#include <linux/fs.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "junction.h"

union arg {
	struct {
		u32 size;
		u32 flags;
	};
	struct jabi_kmod_info info;
	struct jabi_kmod_claim claim;
	struct jabi_kmod_cpus cpus;
	struct jabi_kmod_rights rights;
	struct jabi_kmod_slot slot;
	struct jabi_kmod_register reg;
	struct jabi_kmod_park park;
	struct jabi_kmod_uintr uintr;
	struct jabi_kmod_send send;
	struct jabi_kmod_file file;
	struct jabi_kmod_map map;
	struct jabi_kmod_resident resident;
	struct jabi_kmod_prefetch prefetch;
};

struct request {
	unsigned int cmd;
	u32 flags; /* that it knows */
	u32 right;
	int pad; /* offset of a u32 that must be 0; -1 = none */
	int (*fn)(void *of, union arg *a); /* `of`: jk_control or jk_inst_file */
};

static long run(const struct request *table, unsigned int n, void *of, u32 rights, unsigned int cmd, void __user *user)
{
	unsigned int size = _IOC_SIZE(cmd);
	const struct request *q;
	union arg *a;
	long r;

	for (q = table; q < table + n && q->cmd != cmd; q++)
		;
	if (q == table + n)
		return -ENOTTY;
	if (q->right & ~rights)
		return -EPERM;
	a = memdup_user(user, size);
	if (IS_ERR(a))
		return PTR_ERR(a);
	r = -EINVAL;
	if (a->size != size || (a->flags & ~q->flags) || (q->pad >= 0 && *(u32 *)((char *)a + q->pad)))
		goto out;
	/* What was read is written back first: an answer that nobody can be given must not have had effects. */
	r = -EFAULT;
	if ((_IOC_DIR(cmd) & _IOC_READ) && copy_to_user(user, a, size))
		goto out;
	r = q->fn(of, a);
	if (r >= 0 && (_IOC_DIR(cmd) & _IOC_READ) && copy_to_user(user, a, size))
		r = -EFAULT;
out:
	kfree(a);
	return r;
}

static void fill_info(struct jabi_kmod_info *i)
{
	i->version = JABI_KMOD_VERSION;
	i->features = JABI_KMOD_FEAT_UINTR_SW | JABI_KMOD_FEAT_FILES;
	if (jk_hw_usable())
		i->features |= JABI_KMOD_FEAT_UINTR_HW;
	if (jk_watch_supported())
		i->features |= JABI_KMOD_FEAT_MWAIT;
	i->nr_cpus = num_possible_cpus();
}

/* ---- control file ---- */

static int c_info(void *of, union arg *a)
{
	struct jk_control *ctl = of;

	jk_thread_collect(ctl);
	fill_info(&a->info);
	a->info.rights = 0;
	a->info.instance = 0;
	a->info.nr_slots = atomic_read(&ctl->nr_threads);
	return 0;
}

static int c_claim(void *of, union arg *a)
{
	return jk_cpu_claim(of, &a->claim);
}

static int c_release(void *of, union arg *a)
{
	return a->cpus.vectors ? -EINVAL : jk_cpu_release(of, a->cpus.cpus);
}

static int c_kick(void *of, union arg *a)
{
	return jk_cpu_kick(of, &a->cpus);
}

static int c_instance(void *of, union arg *a)
{
	if (!a->rights.rights || (a->rights.rights & ~JABI_KMOD_RIGHT_ALL))
		return -EINVAL;
	return jk_instance_create(of, a->rights.rights, &a->rights.instance);
}

static int c_slot(void *of, union arg *a)
{
	struct jk_thread *t = jk_thread_find(a->slot.slot);
	int r = -ENOENT;

	if (t && t->ctl == of) {
		a->slot.instance = t->inst_id;
		a->slot.tid = task_pid_vnr(t->task);
		a->slot.parked = READ_ONCE(t->parked) ? 1 : jk_grant_must_stop(t) ? 2 : 0;
		a->slot.cpu = READ_ONCE(t->cpu);
		r = 0;
	}
	if (t)
		jk_thread_put(t);
	return r;
}

static int send(struct jk_thread *t, bool allowed, u64 vectors)
{
	int r = -ENOENT;

	if (t && allowed && READ_ONCE(t->ui.delivery) != JABI_KMOD_DELIVERY_NONE) {
		r = vectors ? 0 : -EINVAL;
		if (!r)
			jk_uintr_post(t, vectors);
	}
	if (t)
		jk_thread_put(t);
	return r;
}

static int c_send(void *of, union arg *a)
{
	struct jk_thread *t = jk_thread_find(a->send.slot);

	return send(t, t && t->ctl == of, a->send.vectors);
}

#define ROW(cmd, flags, right, type, padfield, fn) { cmd, flags, right, offsetof(struct jabi_kmod_##type, padfield), fn }
#define ROW_(cmd, flags, right, fn) { cmd, flags, right, -1, fn }

static const struct request control_table[] = {
	ROW_(JABI_KMOD_INFO, 0, 0, c_info),
	ROW(JABI_KMOD_CLAIM, JABI_KMOD_CLAIM_WATCH, 0, claim, pad, c_claim),
	ROW_(JABI_KMOD_RELEASE, 0, 0, c_release),
	ROW_(JABI_KMOD_KICK, 0, 0, c_kick),
	ROW_(JABI_KMOD_INSTANCE, 0, 0, c_instance),
	ROW(JABI_KMOD_SLOT, 0, 0, slot, pad, c_slot),
	ROW(JABI_KMOD_UINTR_SEND, 0, 0, send, index, c_send),
};

long jk_control_ioctl(struct file *file, unsigned int cmd, unsigned long arg)
{
	return run(control_table, ARRAY_SIZE(control_table), file->private_data, 0, cmd, (void __user *)arg);
}

/* ---- instance file ---- */

static int i_info(void *of, union arg *a)
{
	struct jk_inst_file *f = of;

	jk_thread_collect(f->inst->ctl);
	fill_info(&a->info);
	a->info.rights = READ_ONCE(f->rights);
	a->info.instance = f->inst->id;
	a->info.nr_slots = atomic_read(&f->inst->nr_threads);
	return 0;
}

static int i_restrict(void *of, union arg *a)
{
	struct jk_inst_file *f = of;
	u32 has = READ_ONCE(f->rights);

	do {
		if (a->rights.rights & ~has)
			return -EPERM;
	} while (!try_cmpxchg(&f->rights, &has, a->rights.rights));
	return 0;
}

static int i_share(void *of, union arg *a)
{
	struct jk_inst_file *f = of;

	if (!a->rights.rights || (a->rights.rights & ~JABI_KMOD_RIGHT_ALL))
		return -EINVAL;
	a->rights.instance = f->inst->id;
	return jk_instance_share(f, a->rights.rights);
}

static int i_register(void *of, union arg *a)
{
	return jk_thread_register(((struct jk_inst_file *)of)->inst, &a->reg.slot);
}

static int i_unregister(void *of, union arg *a)
{
	return jk_thread_unregister(((struct jk_inst_file *)of)->inst, a->reg.slot);
}

static int i_park(void *of, union arg *a)
{
	struct jk_thread *t = jk_thread_self(((struct jk_inst_file *)of)->inst, a->park.slot);
	int r;

	if (IS_ERR(t))
		return PTR_ERR(t);
	if (!(a->park.flags & JABI_KMOD_PARK_LEAVE))
		r = jk_grant_park(t, &a->park);
	else
		r = a->park.flags & JABI_KMOD_PARK_IF_GEN ? -EINVAL : jk_grant_leave(t, &a->park);
	jk_thread_put(t);
	return r;
}

static int i_uintr(void *of, union arg *a)
{
	struct jk_thread *t = jk_thread_self(((struct jk_inst_file *)of)->inst, a->uintr.slot);
	int r;

	if (IS_ERR(t))
		return PTR_ERR(t);
	r = jk_uintr_set(t, &a->uintr);
	jk_thread_put(t);
	return r;
}

static int i_send(void *of, union arg *a)
{
	struct jk_thread *t = jk_thread_find(a->send.slot);

	if (a->send.index) {
		if (t)
			jk_thread_put(t);
		return -EINVAL;
	}
	return send(t, t && t->inst == ((struct jk_inst_file *)of)->inst, a->send.vectors);
}

static int i_target(void *of, union arg *a)
{
	struct jk_inst_file *f = of;
	struct jk_thread *t, *me;
	int r = -ENOENT;

	if (!jk_hw_usable())
		return -EOPNOTSUPP;
	me = jk_thread_of_current(f->inst);
	if (!me)
		return -ENOENT;
	t = jk_thread_find(a->send.slot);
	if (t && t->inst == f->inst)
		r = jk_hw_target(me, t, a->send.vectors, &a->send.index);
	if (t)
		jk_thread_put(t);
	jk_thread_put(me);
	return r;
}

static int i_file_add(void *of, union arg *a)
{
	return jk_pc_add(((struct jk_inst_file *)of)->inst, a->file.fd, &a->file.id);
}

static int i_file_del(void *of, union arg *a)
{
	return jk_pc_del(((struct jk_inst_file *)of)->inst, a->file.id);
}

static int i_map(void *of, union arg *a)
{
	return jk_pc_map(((struct jk_inst_file *)of)->inst, &a->map);
}

static int i_resident(void *of, union arg *a)
{
	return jk_pc_resident(((struct jk_inst_file *)of)->inst, &a->resident);
}

static int i_prefetch(void *of, union arg *a)
{
	return jk_pc_prefetch(((struct jk_inst_file *)of)->inst, &a->prefetch);
}

#define R(x) JABI_KMOD_RIGHT_##x
static const struct request inst_table[] = {
	ROW_(JABI_KMOD_INFO, 0, 0, i_info),
	ROW_(JABI_KMOD_RESTRICT, 0, 0, i_restrict),
	ROW_(JABI_KMOD_SHARE, 0, R(SHARE), i_share),
	ROW(JABI_KMOD_REGISTER, 0, R(THREAD), register, pad, i_register),
	ROW(JABI_KMOD_UNREGISTER, 0, R(THREAD), register, pad, i_unregister),
	ROW(JABI_KMOD_PARK, JABI_KMOD_PARK_IF_GEN | JABI_KMOD_PARK_LEAVE, R(THREAD), park, pad, i_park),
	ROW(JABI_KMOD_UINTR, JABI_KMOD_UINTR_SOFT, R(UINTR), uintr, pad, i_uintr),
	ROW_(JABI_KMOD_UINTR_SEND, 0, R(UINTR), i_send),
	ROW_(JABI_KMOD_UINTR_TARGET, 0, R(UINTR), i_target),
	ROW_(JABI_KMOD_FILE_ADD, 0, R(FILES), i_file_add),
	ROW_(JABI_KMOD_FILE_DEL, 0, R(FILES), i_file_del),
	ROW(JABI_KMOD_MAP, JABI_KMOD_MAP_FIXED | JABI_KMOD_MAP_FIXED_NOREPLACE, R(MAP), map, pad, i_map),
	ROW_(JABI_KMOD_RESIDENT, 0, R(MAP), i_resident),
	ROW(JABI_KMOD_PREFETCH, 0, R(MAP), prefetch, pad, i_prefetch),
};

long jk_inst_ioctl(struct file *file, unsigned int cmd, unsigned long arg)
{
	struct jk_inst_file *f = file->private_data;

	return run(inst_table, ARRAY_SIZE(inst_table), f, READ_ONCE(f->rights), cmd, (void __user *)arg);
}
