// SPDX-License-Identifier: MIT
/*
 * User interrupts by the CPU (Intel SDM volume 3, "User interrupts"; volume 4 for the MSRs). The state of a registered thread is in the
 * CPU's MSRs while the thread runs and here while it does not; the preempt notifiers move it. Nobody else's context switch does anything.
 *
 *   While it runs: UPID.SN = 0, NV and NDST name this CPU, UINV = this CPU's vector. A SENDUIPI sets a PIR bit and interrupts us; the CPU moves
 * PIR to UIRR by itself. While it does not: SN = 1, senders only set PIR bits.
 *   Leaving: SN first, then UINV = 0 (from here an interrupt that is still on its way is an ordinary one, whose handler does nothing: its bit
 * waits in PIR), then UIRR is read, so nothing moves into it behind our back. Coming: the other MSRs, UINV, SN = 0, then what PIR holds goes to
 * UIRR by our own hand, which may race with the hardware's move of the same bits: both take them with one atomic exchange.
 *
 * The notification vector is an ordinary interrupt per CPU from the vector domain. CR4.UINTR is set on a CPU when the first registered thread
 * runs there and cleared when the module goes. UIF is kept with TESTUI, STUI and CLUI, which are allowed at any privilege level. With page-
 * table isolation the descriptors would not be mapped in user mode: not used then.
 */
#include <asm/apic.h>
#include <asm/cpufeature.h>
#include <asm/hw_irq.h>
#include <asm/irqdomain.h>
#include <asm/msr.h>
#include <asm/tlbflush.h>
#include <linux/cpu.h>
#include <linux/interrupt.h>
#include <linux/irq.h>
#include <linux/irqdomain.h>
#include <linux/slab.h>

#include "junction.h"
#include "uintr_logic.h"

#define MSR_UINTR_RR	      0x985
#define MSR_UINTR_HANDLER     0x986
#define MSR_UINTR_STACKADJUST 0x987
#define MSR_UINTR_MISC	      0x988
#define MSR_UINTR_PD	      0x989
#define MSR_UINTR_TT	      0x98a
#define CR4_UINTR	      (1ul << 25)
#define CPUID_7_EDX_UINTR     (1u << 5)

#define NR_TARGETS 64 /* per sender */

struct jk_uintr_hw {
	struct jk_upid upid;
	struct jk_uitte table[NR_TARGETS];
	struct jk_thread *targets[NR_TARGETS]; /* refs: their descriptors must stay */
	unsigned int nr_targets;
	bool has_handler; /* written by the thread, interrupts off */
	u64 uirr;
	bool uif;
};

struct hw_cpu {
	int irq; /* 0: none */
	unsigned int vector;
	bool cr4; /* interrupts off */
};

static DEFINE_PER_CPU(struct hw_cpu, hw_cpus);
static bool usable, x2apic; /* [I] after init */

bool jk_hw_usable(void)
{
	return usable;
}

static bool testui(void)
{
	bool uif;

	asm volatile(".byte 0xf3, 0x0f, 0x01, 0xed" : "=@ccc"(uif)); /* testui */
	return uif;
}

static void set_uif(bool on)
{
	if (on)
		asm volatile(".byte 0xf3, 0x0f, 0x01, 0xef" ::: "memory"); /* stui */
	else
		asm volatile(".byte 0xf3, 0x0f, 0x01, 0xee" ::: "memory"); /* clui */
}

static void load_receiver(struct jk_thread *t, struct jk_uintr_hw *h, const struct hw_cpu *c)
{
	u64 now;

	wrmsrl(MSR_UINTR_HANDLER, t->ui.handler);
	wrmsrl(MSR_UINTR_STACKADJUST, t->ui.stack);
	wrmsrl(MSR_UINTR_PD, (u64)&h->upid);
	wrmsrl(MSR_UINTR_MISC, jk_msr_misc(NR_TARGETS - 1, c->vector));
	/* Senders write this word only while SN is clear, so it is ours until here. Without a vector on this CPU SN stays. */
	smp_store_release(&h->upid.status, jk_upid_status(c->vector, per_cpu(x86_cpu_to_apicid, smp_processor_id()), x2apic,
							  c->vector ? 0 : JK_UPID_SN));
	smp_mb(); /* who sets a PIR bit from here on notifies us */
	rdmsrl(MSR_UINTR_RR, now);
	wrmsrl(MSR_UINTR_RR, now | jk_uirr_restore(h->uirr, xchg(&h->upid.pir, 0), atomic64_xchg(&t->posted, 0)));
	h->uirr = 0;
	set_uif(h->uif);
}

void jk_hw_sched_in(struct jk_thread *t)
{
	struct jk_uintr_hw *h = t->hw;
	struct hw_cpu *c = this_cpu_ptr(&hw_cpus);

	if (!c->cr4) {
		cr4_set_bits_irqsoff(CR4_UINTR);
		c->cr4 = true;
	}
	wrmsrl(MSR_UINTR_TT, jk_msr_tt(h->nr_targets ? (u64)h->table : 0));
	if (h->has_handler)
		load_receiver(t, h, c);
	else
		wrmsrl(MSR_UINTR_MISC, jk_msr_misc(NR_TARGETS - 1, 0));
}

void jk_hw_sched_out(struct jk_thread *t)
{
	struct jk_uintr_hw *h = t->hw;

	if (h->has_handler) {
		atomic64_or(JK_UPID_SN, (atomic64_t *)&h->upid.status);
		wrmsrl(MSR_UINTR_MISC, jk_msr_misc(NR_TARGETS - 1, 0));
		rdmsrl(MSR_UINTR_RR, h->uirr);
		h->uif = testui();
		wrmsrl(MSR_UINTR_RR, 0);
		wrmsrl(MSR_UINTR_PD, 0);
		wrmsrl(MSR_UINTR_HANDLER, 0);
		set_uif(false);
	}
	wrmsrl(MSR_UINTR_TT, 0);
}

/* Recognised when the thread is back in user mode with UIF set. */
void jk_hw_raise(struct jk_thread *t, u64 vectors)
{
	u64 now;

	if (!vectors || !t->hw || !t->hw->has_handler)
		return;
	rdmsrl(MSR_UINTR_RR, now);
	wrmsrl(MSR_UINTR_RR, now | vectors);
}

int jk_hw_prepare(struct jk_thread *t)
{
	struct jk_uintr_hw *h;

	if (t->hw)
		return 0;
	BUILD_BUG_ON(offsetof(struct jk_uintr_hw, upid) != 0);
	h = (void *)__get_free_page(GFP_KERNEL_ACCOUNT | __GFP_ZERO); /* aligned for the descriptor */
	BUILD_BUG_ON(sizeof(*h) > PAGE_SIZE);
	if (!h)
		return -ENOMEM;
	h->upid.status = JK_UPID_SN;
	/* Seen by our own notifiers only. */
	WRITE_ONCE(t->hw, h);
	return 0;
}

void jk_hw_start(struct jk_thread *t)
{
	t->hw->has_handler = true;
	t->hw->uif = false; /* the thread says STUI */
	jk_hw_sched_in(t);
}

/* What was on its way is posted again: to the next handler, or dropped with the last. */
void jk_hw_stop(struct jk_thread *t)
{
	struct jk_uintr_hw *h = t->hw;

	jk_hw_sched_out(t);
	if (h->has_handler)
		atomic64_or(jk_uirr_restore(h->uirr, xchg(&h->upid.pir, 0), 0), &t->posted);
	h->has_handler = false;
	h->uirr = 0;
	jk_hw_sched_in(t);
}

int jk_hw_target(struct jk_thread *me, struct jk_thread *t, u64 vectors, u32 *index)
{
	unsigned long flags;
	struct jk_uintr_hw *h;
	struct jk_uitte *e;
	int r;

	if (!vectors || (vectors & (vectors - 1)))
		return -EINVAL;
	if (READ_ONCE(t->ui.delivery) != JABI_KMOD_DELIVERY_HW)
		return -ENOENT;
	r = jk_hw_prepare(me);
	if (r)
		return r;
	h = me->hw;
	if (h->nr_targets == NR_TARGETS)
		return -ENOSPC;
	jk_thread_get(t);
	*index = h->nr_targets;
	h->targets[*index] = t;
	e = &h->table[*index];
	e->vector = jk_highest(vectors);
	e->upid = (u64)&t->hw->upid;
	smp_store_release(&e->valid, 1); /* the CPU reads the entry at SENDUIPI only */
	local_irq_save(flags);
	h->nr_targets++;
	jk_hw_sched_out(me);
	jk_hw_sched_in(me);
	local_irq_restore(flags);
	return 0;
}

/* Also cuts cycles of threads that send to one another, and to themselves. */
void jk_hw_drop_targets(struct jk_thread *t)
{
	if (!t->hw)
		return;
	while (t->hw->nr_targets)
		jk_thread_put(t->hw->targets[--t->hw->nr_targets]);
}

/* ---- one interrupt per CPU ---- */

/* Arrives here only when the thread that it was for has just left: the bit is in its descriptor. */
static irqreturn_t stray(int irq, void *data)
{
	return IRQ_HANDLED;
}

/* A CPU without a vector is slower, not wrong: threads there find their bits at the next switch. */
void jk_hw_cpu_up(unsigned int cpu)
{
	struct hw_cpu *c = per_cpu_ptr(&hw_cpus, cpu);
	struct irq_alloc_info info = {};
	int irq;

	if (!usable)
		return;
	info.mask = cpumask_of(cpu);
	irq = __irq_domain_alloc_irqs(x86_vector_domain, -1, 1, cpu_to_node(cpu), &info, false, NULL);
	if (irq < 0)
		return;
	__irq_set_handler(irq, handle_edge_irq, 0, "junction");
	if (request_irq(irq, stray, IRQF_NOBALANCING | IRQF_NO_THREAD, "junction", c))
		goto err_free;
	if (irq_set_affinity(irq, cpumask_of(cpu)))
		goto err_request;
	c->irq = irq;
	WRITE_ONCE(c->vector, irqd_cfg(irq_get_irq_data(irq))->vector);
	return;

err_request:
	free_irq(irq, c);
err_free:
	irq_dispose_mapping(irq);
}

void jk_hw_cpu_down(unsigned int cpu)
{
	struct hw_cpu *c = per_cpu_ptr(&hw_cpus, cpu);

	if (!c->irq)
		return;
	WRITE_ONCE(c->vector, 0);
	free_irq(c->irq, c);
	irq_dispose_mapping(c->irq);
	c->irq = 0;
	c->cr4 = false; /* it comes back with what the kernel sets */
}

static void clear_cr4(void *info)
{
	struct hw_cpu *c = this_cpu_ptr(&hw_cpus);

	if (c->cr4)
		cr4_clear_bits_irqsoff(CR4_UINTR);
	c->cr4 = false;
}

static bool cpu_has_uintr(void)
{
	return boot_cpu_data.cpuid_level >= 7 && (cpuid_edx(7) & CPUID_7_EDX_UINTR) && !boot_cpu_has(X86_FEATURE_PTI);
}

/* The vectors come and go with the CPUs: jk_hw_cpu_up, jk_hw_cpu_down. */
void jk_hw_init(void)
{
	u64 base;

	if (!cpu_has_uintr())
		return;
	rdmsrl(MSR_IA32_APICBASE, base);
	x2apic = base & X2APIC_ENABLE;
	usable = true;
}

void jk_hw_exit(void)
{
	if (usable)
		on_each_cpu(clear_cr4, NULL, 1);
}
