// SPDX-License-Identifier: MIT
/*
 * Claimed CPUs: one page each, shared with the daemon, and the interrupt that makes a CPU look at it. Nothing is done to a CPU that is not
 * claimed; a claimed one is not offlined.
 */
#include <linux/cpu.h>
#include <linux/cpuhotplug.h>
#include <linux/mm.h>
#include <linux/percpu.h>

#include "compat.h"
#include "junction.h"

static DEFINE_PER_CPU(struct jk_cpu, cpus);
static int hotplug_state;

struct jk_cpu *jk_cpu_of(int cpu)
{
	return per_cpu_ptr(&cpus, cpu);
}

static void kicked(void *info)
{
	struct jk_cpu *c = info;
	u64 vectors;

	clear_bit(0, &c->kicked);
	smp_mb__after_atomic(); /* what is written after this kicks again */
	vectors = atomic64_xchg(&c->vectors, 0);
	jk_grant_orders(c, JK_ORDER_IPI);
	if (vectors)
		jk_grant_vectors(c, vectors);
}

/* The words as a mask of possible CPUs; -ENODEV for others, -EINVAL for none. */
static int to_mask(const u64 *words, cpumask_var_t *out)
{
	unsigned int cpu;
	bool any = false;
	int r = -ENODEV;

	if (!zalloc_cpumask_var(out, GFP_KERNEL))
		return -ENOMEM;
	for (cpu = 0; cpu < JABI_KMOD_CPU_WORDS * 64; cpu++) {
		if (!(words[cpu / 64] >> cpu % 64 & 1))
			continue;
		if (cpu >= nr_cpu_ids || !cpu_possible(cpu))
			goto err_free;
		cpumask_set_cpu(cpu, *out);
		any = true;
	}
	r = -EINVAL;
	if (!any)
		goto err_free;
	return 0;
err_free:
	free_cpumask_var(*out);
	return r;
}

/* All CPUs of the mask belong to ctl. Stays so unless the daemon itself releases them meanwhile. */
static int check_owned(struct jk_control *ctl, const struct cpumask *mask)
{
	unsigned int cpu;

	for_each_cpu(cpu, mask)
		if (READ_ONCE(jk_cpu_of(cpu)->ctl) != ctl)
			return -EPERM;
	return 0;
}

/* ---- claim and release: jk_lock held ---- */

static int claim_one(struct jk_control *ctl, struct jk_cpu *c, const struct jabi_kmod_claim *a)
{
	struct page *page = alloc_page(GFP_KERNEL_ACCOUNT | __GFP_ZERO);
	unsigned long flags;
	int r;

	if (!page)
		return -ENOMEM;
	raw_spin_lock_irqsave(&c->lock, flags);
	c->page = page;
	c->line = page_address(page);
	c->cur = NULL;
	c->ack = 0;
	c->state = JABI_KMOD_CPU_IDLE;
	c->deadline_ns = (u64)(a->deadline_us ? a->deadline_us : 1000) * 1000;
	c->n_grants = c->n_handovers = c->n_yields = c->n_forced = c->n_lost = c->n_kicks = 0;
	atomic64_set(&c->vectors, 0);
	c->ctl = ctl;
	raw_spin_unlock_irqrestore(&c->lock, flags);
	if (!(a->flags & JABI_KMOD_CLAIM_WATCH))
		return 0;
	r = jk_watch_start(c);
	if (!r)
		return 0;
	raw_spin_lock_irqsave(&c->lock, flags);
	c->ctl = NULL;
	raw_spin_unlock_irqrestore(&c->lock, flags);
	c->page = NULL;
	__free_page(page);
	return r;
}

static void nothing(void *info)
{
}

static void release_one(struct jk_cpu *c)
{
	struct page *page = c->page;

	jk_grant_take(c);
	jk_watch_stop(c);
	hrtimer_cancel(&c->deadline);
	/* An interrupt on its way looks at c->ctl under the lock; only then the page is free to go. */
	smp_call_function_single(c->cpu, nothing, NULL, 1);
	c->page = NULL;
	c->line = NULL;
	__free_page(page); /* mappings keep it */
}

int jk_cpu_claim(struct jk_control *ctl, const struct jabi_kmod_claim *a)
{
	cpumask_var_t mask;
	unsigned int cpu, undo;
	int r;

	if (!ctl->may_claim)
		return -EPERM;
	if (a->deadline_us > 1000000)
		return -EINVAL;
	if ((a->flags & JABI_KMOD_CLAIM_WATCH) && !jk_watch_supported())
		return -EOPNOTSUPP;
	r = to_mask(a->cpus, &mask);
	if (r)
		return r;
	cpus_read_lock();
	mutex_lock(&jk_lock);
	for_each_cpu(cpu, mask) {
		r = !cpu_online(cpu) ? -ENODEV : jk_cpu_of(cpu)->ctl ? -EBUSY : 0;
		if (r)
			goto out;
	}
	for_each_cpu(cpu, mask) {
		r = claim_one(ctl, jk_cpu_of(cpu), a);
		if (r)
			goto err_undo;
	}
	WRITE_ONCE(ctl->claimed, true);
	goto out;

err_undo:
	for_each_cpu(undo, mask) {
		if (undo == cpu)
			break;
		release_one(jk_cpu_of(undo));
	}
out:
	mutex_unlock(&jk_lock);
	cpus_read_unlock();
	free_cpumask_var(mask);
	return r;
}

int jk_cpu_release(struct jk_control *ctl, const u64 *words)
{
	cpumask_var_t mask;
	unsigned int cpu;
	int r = to_mask(words, &mask);

	if (r)
		return r == -ENODEV ? -EPERM : r;
	mutex_lock(&jk_lock);
	r = check_owned(ctl, mask);
	if (!r)
		for_each_cpu(cpu, mask)
			release_one(jk_cpu_of(cpu));
	mutex_unlock(&jk_lock);
	free_cpumask_var(mask);
	return r;
}

void jk_cpu_release_all(struct jk_control *ctl)
{
	unsigned int cpu;

	mutex_lock(&jk_lock);
	for_each_possible_cpu(cpu)
		if (jk_cpu_of(cpu)->ctl == ctl)
			release_one(jk_cpu_of(cpu));
	mutex_unlock(&jk_lock);
}

struct page *jk_cpu_page(struct jk_control *ctl, unsigned long cpu)
{
	struct page *page = NULL;

	if (cpu >= nr_cpu_ids || !cpu_possible(cpu))
		return NULL;
	mutex_lock(&jk_lock);
	if (jk_cpu_of(cpu)->ctl == ctl) {
		page = jk_cpu_of(cpu)->page;
		get_page(page);
	}
	mutex_unlock(&jk_lock);
	return page;
}

/* A thread that sleeps in PARK costs nothing to move before it is woken; the interrupt could not do that. */
static void move_ahead(struct jk_control *ctl, struct jk_cpu *c)
{
	struct jk_thread *t = NULL;
	unsigned long flags;
	u32 slot = 0;

	raw_spin_lock_irqsave(&c->lock, flags);
	if (c->ctl == ctl)
		slot = lower_32_bits(READ_ONCE(*(u64 *)&c->line->want));
	raw_spin_unlock_irqrestore(&c->lock, flags);
	if (slot)
		t = jk_thread_find(slot);
	if (!t)
		return;
	if (t->ctl == ctl && READ_ONCE(t->parked) && READ_ONCE(t->cpu) < 0)
		jk_thread_pin(t, c->cpu);
	jk_thread_put(t);
}

int jk_cpu_kick(struct jk_control *ctl, const struct jabi_kmod_cpus *a)
{
	cpumask_var_t mask;
	unsigned int cpu;
	struct jk_cpu *c;
	int r = to_mask(a->cpus, &mask);

	if (r)
		return r == -ENODEV ? -EPERM : r;
	r = check_owned(ctl, mask);
	if (r)
		goto out;
	for_each_cpu(cpu, mask) {
		c = jk_cpu_of(cpu);
		move_ahead(ctl, c);
		atomic64_or(a->vectors, &c->vectors);
		/* A full barrier with a return value: the daemon's stores and ours come before the interrupt looks. */
		if (!test_and_set_bit(0, &c->kicked) && smp_call_function_single_async(cpu, &c->csd))
			clear_bit(0, &c->kicked);
	}
out:
	free_cpumask_var(mask);
	return r;
}

static int come_up(unsigned int cpu)
{
	jk_hw_cpu_up(cpu);
	return 0;
}

/* Refused for claimed CPUs, except when the module goes: then none is claimed. */
static int going_down(unsigned int cpu)
{
	if (READ_ONCE(jk_cpu_of(cpu)->ctl))
		return -EBUSY;
	jk_hw_cpu_down(cpu);
	return 0;
}

int jk_cpu_init(void)
{
	unsigned int cpu;

	for_each_possible_cpu(cpu) {
		struct jk_cpu *c = jk_cpu_of(cpu);

		raw_spin_lock_init(&c->lock);
		c->cpu = cpu;
		INIT_CSD(&c->csd, kicked, c);
		jk_hrtimer_setup(&c->deadline, jk_grant_deadline, HRTIMER_MODE_REL_PINNED_HARD);
	}
	hotplug_state = cpuhp_setup_state(CPUHP_AP_ONLINE_DYN, "junction:claimed", come_up, going_down);
	return hotplug_state < 0 ? hotplug_state : 0;
}

void jk_cpu_exit(void)
{
	cpuhp_remove_state(hotplug_state);
}
