// SPDX-License-Identifier: MIT
/*
 * CLAIM_WATCH: one low-priority kernel thread per claimed CPU. While nobody holds the CPU it waits on the daemon's word with MONITOR/MWAIT, so
 * that a grant costs the daemon a store and no system call. While somebody does it sleeps. Linux may run other work on the CPU meanwhile.
 */
#include <asm/cpufeature.h>
#include <asm/mwait.h>
#include <linux/kthread.h>
#include <linux/sched/task.h>

#include "junction.h"

bool jk_watch_supported(void)
{
	return boot_cpu_has(X86_FEATURE_MWAIT);
}

/* With interrupts off from the look to the wait: whatever makes us runnable after the look is an interrupt that ends the wait. */
static void wait_on_line(struct jk_cpu *c)
{
	local_irq_disable();
	asm volatile("monitor" ::"a"(&c->line->want), "c"(0UL), "d"(0UL));
	if (upper_32_bits(READ_ONCE(*(u64 *)&c->line->want)) == READ_ONCE(c->ack) && !need_resched() && !kthread_should_stop())
		asm volatile("sti; mwait" ::"a"(0UL), "c"(0UL) : "memory");
	else
		local_irq_enable();
}

/* Says in the line that no KICK is needed, or no more; false if somebody holds the CPU. */
static bool announce(struct jk_cpu *c, bool watching)
{
	unsigned long flags;
	bool idle;

	raw_spin_lock_irqsave(&c->lock, flags);
	idle = !c->cur && c->ctl;
	if (idle) {
		c->state = watching ? JABI_KMOD_CPU_WATCH : JABI_KMOD_CPU_IDLE;
		WRITE_ONCE(c->line->state, c->state);
	}
	raw_spin_unlock_irqrestore(&c->lock, flags);
	return idle;
}

static int watch(void *arg)
{
	struct jk_cpu *c = arg;

	while (!kthread_should_stop()) {
		set_current_state(TASK_INTERRUPTIBLE);
		if (!announce(c, true)) {
			if (!kthread_should_stop())
				schedule();
			continue;
		}
		__set_current_state(TASK_RUNNING);
		wait_on_line(c);
		jk_grant_orders(c, JK_ORDER_PROCESS);
		cond_resched();
	}
	__set_current_state(TASK_RUNNING);
	announce(c, false);
	return 0;
}

void jk_watch_wake(struct jk_cpu *c)
{
	struct task_struct *w = NULL;
	unsigned long flags;

	raw_spin_lock_irqsave(&c->lock, flags);
	if (c->watcher && c->watcher != current)
		w = get_task_struct(c->watcher);
	raw_spin_unlock_irqrestore(&c->lock, flags);
	if (w) {
		wake_up_process(w);
		put_task_struct(w);
	}
}

int jk_watch_start(struct jk_cpu *c)
{
	struct task_struct *w = kthread_create_on_cpu(watch, c, c->cpu, "junction/%u");
	unsigned long flags;

	if (IS_ERR(w))
		return PTR_ERR(w);
	set_user_nice(w, MAX_NICE);
	raw_spin_lock_irqsave(&c->lock, flags);
	c->watcher = w;
	raw_spin_unlock_irqrestore(&c->lock, flags);
	wake_up_process(w);
	return 0;
}

void jk_watch_stop(struct jk_cpu *c)
{
	struct task_struct *w = c->watcher;
	unsigned long flags;

	if (!w)
		return;
	raw_spin_lock_irqsave(&c->lock, flags);
	c->watcher = NULL;
	raw_spin_unlock_irqrestore(&c->lock, flags);
	kthread_stop(w);
}
