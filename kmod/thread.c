// SPDX-License-Identifier: MIT
/*
 * Registered threads: slots, preempt notifiers, task work, and their end. The notifiers are the only hook into the scheduler and are on
 * registered threads alone.
 *
 * Only the task itself can take its preempt notifier off. When its instance goes first, the thread is `gone`: it is told by task work,
 * and waits on jk_strays, with a reference to the module, until it has done so or is dead. A dead task is seen in its last sched_out;
 * nothing can be freed there, so a slot of a dead thread is collected by the next registration or by the end of the instance.
 */
#include <linux/module.h>
#include <linux/sched/mm.h>
#include <linux/sched/signal.h>
#include <linux/sched/task.h>
#include <linux/slab.h>
#include <linux/workqueue.h>

#include "compat.h"
#include "junction.h"

DEFINE_MUTEX(jk_lock);
static struct workqueue_struct *jk_wq;
static DEFINE_XARRAY_ALLOC1(slots); /* changed with jk_lock held, read under RCU */
static u32 next_slot;
static LIST_HEAD(jk_strays); /* jk_lock */

static void reap(struct work_struct *work);
static DECLARE_DELAYED_WORK(reap_work, reap);
#define REAP_JIFFIES (HZ / 50 + 1)

static struct preempt_ops notifier_ops;

/* ---- the scheduler's call of preempt notifiers ---- */

/*
 * Turning it on or off patches the running kernel on all CPUs: not for each thread, then. It is on from the first registration until some
 * time after the last has ended.
 */
static DEFINE_MUTEX(hooks_lock); /* outside jk_lock there is the CPU hotplug lock, which patching takes: so never both */
static bool hooks_on;	       /* hooks_lock */
static atomic_t nr_hooked;

static void hooks_idle(struct work_struct *work);
static DECLARE_DELAYED_WORK(hooks_work, hooks_idle);
#define HOOKS_JIFFIES (10 * HZ)

/* Before jk_lock. */
static void hooks_get(void)
{
	atomic_inc(&nr_hooked);
	mutex_lock(&hooks_lock);
	if (!hooks_on)
		preempt_notifier_inc();
	hooks_on = true;
	mutex_unlock(&hooks_lock);
}

static void hooks_put(void)
{
	if (atomic_dec_and_test(&nr_hooked))
		mod_delayed_work(jk_wq, &hooks_work, HOOKS_JIFFIES);
}

static void hooks_idle(struct work_struct *work)
{
	mutex_lock(&hooks_lock);
	if (hooks_on && !atomic_read(&nr_hooked)) {
		preempt_notifier_dec();
		hooks_on = false;
	}
	mutex_unlock(&hooks_lock);
}

/* ---- references ---- */

/* A worker's work, after the grace period: the last mmdrop frees page tables, which interrupts must not do. */
static void free_work(struct work_struct *work)
{
	struct jk_thread *t = container_of(to_rcu_work(work), struct jk_thread, free);

	free_page((unsigned long)t->hw);
	mmdrop(t->mm);
	put_task_struct(t->task);
	__free_page(t->page);
	jk_control_put(t->ctl);
	kfree(t);
}

static void last_put(struct kref *ref)
{
	queue_rcu_work(jk_wq, &container_of(ref, struct jk_thread, ref)->free);
}

void jk_thread_get(struct jk_thread *t)
{
	kref_get(&t->ref);
}

void jk_thread_put(struct jk_thread *t)
{
	kref_put(&t->ref, last_put);
}

struct jk_thread *jk_thread_find(u32 slot)
{
	struct jk_thread *t;

	rcu_read_lock();
	t = xa_load(&slots, slot);
	if (t && (READ_ONCE(t->dead) || READ_ONCE(t->gone) || !kref_get_unless_zero(&t->ref)))
		t = NULL;
	rcu_read_unlock();
	return t;
}

struct jk_thread *jk_thread_self(struct jk_instance *inst, u32 slot)
{
	struct jk_thread *t = jk_thread_find(slot);

	if (!t)
		return ERR_PTR(-EPERM);
	if (t->task != current || t->inst != inst || t->mm != current->mm) {
		jk_thread_put(t);
		return ERR_PTR(-EPERM);
	}
	return t;
}

struct jk_thread *jk_thread_of_current(struct jk_instance *inst)
{
	struct jk_thread *t;
	unsigned long slot;

	rcu_read_lock();
	xa_for_each(&slots, slot, t)
		if (t->task == current && t->inst == inst && !READ_ONCE(t->gone) && kref_get_unless_zero(&t->ref))
			break;
	rcu_read_unlock();
	return t;
}

void jk_thread_pin(struct jk_thread *t, int cpu)
{
	const struct cpumask *mask = cpu < 0 ? &t->base : cpumask_of(cpu);

	/* Fails only if no CPU of the mask is active: then any CPU is as good. */
	if (!cpumask_equal(t->task->cpus_ptr, mask))
		set_cpus_allowed_ptr(t->task, mask);
}

/* ---- the end of a registration ---- */

/* The task has taken its notifier off, or is dead: what it held of the module goes back. Process context. */
static void detached(struct jk_thread *t)
{
	hooks_put();
	jk_hw_drop_targets(t);
	jk_thread_put(t);
	module_put(THIS_MODULE);
}

/* In the task itself. Returns with the task's reference given back. */
static void detach_self(struct jk_thread *t)
{
	jk_uintr_exit(t);
	local_irq_disable();
	if (t->hw)
		jk_hw_sched_out(t);
	preempt_notifier_unregister(&t->pn);
	WRITE_ONCE(t->on_cpu, -1);
	local_irq_enable();
	if (!(current->flags & PF_EXITING))
		jk_thread_pin(t, -1);
	detached(t);
}

/* The notifiers have seen the exec or the instance has gone: the last task work of this registration. */
static void bye_work(struct callback_head *head)
{
	struct jk_thread *t = container_of(head, struct jk_thread, bye);
	bool mine;

	mutex_lock(&jk_lock);
	mine = !list_empty(&t->node); /* not collected meanwhile */
	list_del_init(&t->node);
	mutex_unlock(&jk_lock);
	if (mine)
		detach_self(t);
	jk_thread_put(t); /* of the queue */
}

/* Takes the thread out of its instance: no look-up finds it, it holds no CPU. jk_lock held. */
static void remove_locked(struct jk_thread *t)
{
	xa_erase(&slots, t->slot);
	WRITE_ONCE(t->gone, true);
	jk_grant_lose(t);
	list_del_init(&t->node);
	atomic_dec(&t->inst->nr_threads);
	atomic_dec(&t->ctl->nr_threads);
}

/* The instance's reference goes; the task has to end its part. jk_lock held. */
static void drop_locked(struct jk_thread *t)
{
	remove_locked(t);
	if (t->task == current) {
		detach_self(t);
	} else if (READ_ONCE(t->dead)) {
		jk_uintr_exit(t);
		detached(t);
	} else {
		list_add(&t->node, &jk_strays);
		jk_thread_get(t);
		/* Refused when it is past its last task work: it will be seen dead. */
		if (task_work_add(t->task, &t->bye, TWA_SIGNAL))
			jk_thread_put(t);
		if (READ_ONCE(t->parked))
			wake_up_process(t->task); /* TWA_SIGNAL does not end a killable wait */
		queue_delayed_work(jk_wq, &reap_work, REAP_JIFFIES);
	}
	jk_thread_put(t);
}

static void reap(struct work_struct *work)
{
	struct jk_thread *t, *next;

	mutex_lock(&jk_lock);
	list_for_each_entry_safe(t, next, &jk_strays, node) {
		if (!READ_ONCE(t->dead))
			continue;
		list_del_init(&t->node);
		jk_uintr_exit(t);
		detached(t);
	}
	if (!list_empty(&jk_strays))
		queue_delayed_work(jk_wq, &reap_work, REAP_JIFFIES);
	mutex_unlock(&jk_lock);
}

void jk_thread_drop_all(struct jk_instance *inst)
{
	struct jk_thread *t, *next;

	list_for_each_entry_safe(t, next, &inst->threads, node)
		drop_locked(t);
}

void jk_thread_free_all(struct jk_control *ctl)
{
	struct jk_thread *t;
	unsigned long slot;

	xa_for_each(&slots, slot, t) {
		if (t->ctl != ctl || READ_ONCE(t->dead))
			continue;
		WRITE_ONCE(t->line->granted, 1);
		jk_thread_pin(t, -1);
		if (READ_ONCE(t->parked))
			wake_up_process(t->task);
	}
}

/* ---- notifiers and task work ---- */

static void thread_work(struct callback_head *head)
{
	struct jk_thread *t = container_of(head, struct jk_thread, tw);

	clear_bit(JK_WORK_QUEUED, &t->work);
	smp_mb__after_atomic(); /* what is posted after this queues again */
	if (current->mm != t->mm) {
		if (!(current->flags & PF_EXITING))
			jk_thread_pin(t, -1); /* it has exec'd */
	} else if (!READ_ONCE(t->gone)) {
		if (jk_grant_must_stop(t))
			jk_grant_stop_here(t);
		jk_uintr_work(t);
	}
	jk_thread_put(t);
}

void jk_thread_queue_work(struct jk_thread *t)
{
	if (test_and_set_bit(JK_WORK_QUEUED, &t->work))
		return;
	jk_thread_get(t);
	if (task_work_add(t->task, &t->tw, TWA_RESUME)) {
		clear_bit(JK_WORK_QUEUED, &t->work);
		jk_thread_put(t);
	}
}

/* exec, or exit: no look-up finds it any more. Interrupts off, perhaps a run queue locked. */
static void left_mm(struct jk_thread *t)
{
	WRITE_ONCE(t->gone, true);
	jk_grant_lose(t);
	jk_thread_queue_work(t);
}

static void sched_in(struct preempt_notifier *pn, int cpu)
{
	struct jk_thread *t = container_of(pn, struct jk_thread, pn);
	unsigned long flags;

	local_irq_save(flags);
	WRITE_ONCE(t->on_cpu, cpu);
	smp_mb(); /* pairs with jk_uintr_post and jk_grant_orders: they write first, then look where we are */
	WRITE_ONCE(t->asleep, false);
	if (!READ_ONCE(t->gone) && current->mm != t->mm)
		left_mm(t);
	if (READ_ONCE(t->gone)) {
		local_irq_restore(flags);
		return;
	}
	jk_grant_blocked(t, false);
	if (jk_grant_must_stop(t))
		jk_thread_queue_work(t);
	jk_uintr_sched_in(t);
	local_irq_restore(flags);
}

/* A run queue is locked and interrupts are off. */
static void sched_out(struct preempt_notifier *pn, struct task_struct *next)
{
	struct jk_thread *t = container_of(pn, struct jk_thread, pn);
	unsigned int state = READ_ONCE(current->__state);

	jk_uintr_sched_out(t);
	WRITE_ONCE(t->on_cpu, -1);
	if (!READ_ONCE(t->gone) && current->mm != t->mm && state != TASK_DEAD)
		left_mm(t);
	else if (state == TASK_DEAD || (state & (__TASK_STOPPED | __TASK_TRACED)))
		jk_grant_lose(t);
	else if (state != TASK_RUNNING)
		jk_grant_blocked(t, true);
	WRITE_ONCE(t->asleep, state != TASK_RUNNING);
	if (state == TASK_DEAD)
		smp_store_release(&t->dead, true); /* the last access; RCU keeps t until the notifier has returned */
}

static struct preempt_ops notifier_ops = { .sched_in = sched_in, .sched_out = sched_out };

/* ---- registration ---- */

/*
 * Slots of dead threads of this daemon, and of the caller if it has exec'd since (it registers anew: the old notifier must go first).
 * -EBUSY: the caller is registered. jk_lock held.
 */
static int collect_locked(struct jk_control *ctl)
{
	struct jk_thread *t;
	unsigned long slot;
	int r = 0;

	xa_for_each(&slots, slot, t) {
		if (t->task == current && t->mm == current->mm)
			r = -EBUSY;
		else if (t->task == current || (t->ctl == ctl && READ_ONCE(t->dead)))
			drop_locked(t);
	}
	return r;
}

void jk_thread_collect(struct jk_control *ctl)
{
	mutex_lock(&jk_lock);
	collect_locked(ctl);
	mutex_unlock(&jk_lock);
}

static struct jk_thread *make_thread(struct jk_instance *inst)
{
	struct jk_thread *t = kzalloc(sizeof(*t), GFP_KERNEL_ACCOUNT);

	if (!t)
		return NULL;
	t->page = alloc_page(GFP_KERNEL_ACCOUNT | __GFP_ZERO);
	if (!t->page) {
		kfree(t);
		return NULL;
	}
	t->line = page_address(t->page);
	kref_init(&t->ref);
	INIT_RCU_WORK(&t->free, free_work);
	init_task_work(&t->tw, thread_work);
	init_task_work(&t->bye, bye_work);
	t->inst = inst;
	t->inst_id = inst->id;
	t->ctl = inst->ctl;
	jk_control_get(t->ctl);
	cpumask_copy(&t->base, &inst->base);
	t->task = get_task_struct(current);
	t->mm = current->mm;
	mmgrab(t->mm);
	t->cpu = -1;
	t->on_cpu = -1;
	t->line->granted = 1;
	t->line->cpu = ~0u;
	jk_uintr_init(t);
	preempt_notifier_init(&t->pn, &notifier_ops);
	return t;
}

int jk_thread_register(struct jk_instance *inst, u32 *slot)
{
	struct jk_thread *t;
	int r;

	if (!current->mm || current->flags & (PF_KTHREAD | PF_EXITING))
		return -EINVAL;
	t = make_thread(inst);
	if (!t)
		return -ENOMEM;
	hooks_get();
	mutex_lock(&jk_lock);
	r = collect_locked(inst->ctl);
	if (!r) {
		r = xa_alloc_cyclic(&slots, &t->slot, t, XA_LIMIT(1, JABI_KMOD_MAX_SLOTS - 1), &next_slot, GFP_KERNEL);
		r = r == -EBUSY ? -ENOSPC : r;
	}
	if (r < 0) {
		mutex_unlock(&jk_lock);
		hooks_put();
		jk_thread_put(t);
		return r;
	}
	list_add(&t->node, &inst->threads);
	atomic_inc(&inst->nr_threads);
	atomic_inc(&t->ctl->nr_threads);
	__module_get(THIS_MODULE);
	kref_get(&t->ref); /* the task's */
	preempt_disable();
	WRITE_ONCE(t->on_cpu, smp_processor_id());
	preempt_notifier_register(&t->pn);
	preempt_enable();
	*slot = t->slot;
	mutex_unlock(&jk_lock);
	jk_thread_pin(t, -1);
	return 0;
}

int jk_thread_unregister(struct jk_instance *inst, u32 slot)
{
	struct jk_thread *t = jk_thread_self(inst, slot);

	if (IS_ERR(t))
		return PTR_ERR(t);
	mutex_lock(&jk_lock);
	if (!READ_ONCE(t->gone))
		drop_locked(t);
	mutex_unlock(&jk_lock);
	jk_thread_put(t);
	return 0;
}

int jk_thread_init(void)
{
	jk_wq = alloc_workqueue("junction", WQ_MEM_RECLAIM, 0);
	return jk_wq ? 0 : -ENOMEM;
}

/* No file is open and no thread holds the module: what is left is under way in RCU, or in code of ours that a task is about to leave. */
void jk_thread_exit(void)
{
	cancel_delayed_work_sync(&reap_work);
	cancel_delayed_work_sync(&hooks_work);
	hooks_idle(NULL);
	synchronize_rcu_tasks();
	rcu_barrier();
	destroy_workqueue(jk_wq);
	xa_destroy(&slots);
}
