// SPDX-License-Identifier: MIT
/*
 * User interrupts, software delivery: vectors are posted to a thread and become frames on its stack, from an interrupt that found it in
 * user mode or on its way out of the kernel. The masking protocol with the thread is in jabi_kmod.h. The hardware's way is uintr_hw.c;
 * posting and time slices are common to both.
 *
 * Nothing is lost: a vector is in t->posted until it is in a frame, in the page's `pending`, or in UIRR. Whoever posts sets the bit first
 * and looks then where the thread runs; who schedules the thread in says where it runs first and looks at the bits then.
 */
#include <asm/irq_regs.h>
#include <asm/prctl.h>
#include <asm/ptrace.h>
#include <linux/mm.h>
#include <linux/sched/signal.h>
#include <linux/sched/task_stack.h>
#include <linux/uaccess.h>

#include "compat.h"
#include "junction.h"
#include "uintr_logic.h"

#define RETRY_NS 20000

/* Debuggers' single steps and 32-bit code: the vector waits for a later switch or post. */
static bool can_take(const struct jk_thread *t, const struct pt_regs *regs)
{
	return regs->cs == __USER_CS && !test_thread_flag(TIF_SINGLESTEP) && current->mm == t->mm;
}

/* Into the page's word: the thread looks at it when it unmasks. */
static void hold(struct jk_thread *t, u64 bits)
{
	atomic64_or(bits, (atomic64_t *)&t->line->pending);
	WRITE_ONCE(t->line->held, ++t->n_held);
}

static bool push_frame(struct jk_thread *t, struct pt_regs *regs, unsigned int vector, bool may_fault)
{
	struct jabi_kmod_frame f = { .vector = vector, .rip = regs->ip, .rflags = regs->flags, .rsp = regs->sp };
	u64 at = jk_frame_address(regs->sp, t->ui.stack);
	void __user *to = (void __user *)(unsigned long)at;

	long left;

	if (may_fault) {
		left = (long)copy_to_user(to, &f, sizeof(f));
	} else {
		pagefault_disable(); /* in an interrupt access_ok() wants it before */
		left = copy_to_user_nofault(to, &f, sizeof(f));
		pagefault_enable();
	}
	if (left)
		return false;
	regs->sp = at;
	regs->ip = t->ui.handler;
	regs->flags = jk_handler_flags(regs->flags);
	return true;
}

/*
 * Delivers what is posted by changing `regs`, the user registers of the current thread. Returns false if the stack could not be written;
 * all is posted still then.
 */
static bool deliver(struct jk_thread *t, struct pt_regs *regs, bool may_fault)
{
	u64 bits;
	unsigned int v;

	if (!can_take(t, regs))
		return true;
	bits = atomic64_xchg(&t->posted, 0);
	if (!bits)
		return true;
	if (jk_in_return(regs->ip, t->ui.ret_begin, t->ui.ret_end)) {
		hold(t, bits);
		regs->ip = t->ui.ret_begin;
		WRITE_ONCE(t->line->restarted, ++t->n_restarted);
		return true;
	}
	if (READ_ONCE(t->line->masked)) {
		hold(t, bits);
		return true;
	}
	v = jk_highest(bits);
	if (!push_frame(t, regs, v, may_fault)) {
		atomic64_or(bits, &t->posted);
		return false;
	}
	WRITE_ONCE(t->line->masked, 1);
	bits &= ~(1ull << v);
	if (bits)
		atomic64_or(bits, (atomic64_t *)&t->line->pending);
	WRITE_ONCE(t->line->delivered, ++t->n_delivered);
	if (may_fault)
		WRITE_ONCE(t->line->deferred, ++t->n_deferred);
	return true;
}

/* In an interrupt on the CPU where t is current, interrupts off. */
static void try_here(struct jk_thread *t)
{
	struct pt_regs *regs = get_irq_regs();

	if (!atomic64_read(&t->posted))
		return;
	if (t->ui.delivery == JABI_KMOD_DELIVERY_HW) {
		jk_hw_raise(t, atomic64_xchg(&t->posted, 0));
		return;
	}
	if (t->ui.delivery == JABI_KMOD_DELIVERY_NONE)
		return;
	if (!regs || !user_mode(regs) || !deliver(t, regs, false))
		jk_thread_queue_work(t);
}

/* This interrupt keeps no registers for get_irq_regs(): in user mode the frame is pushed by task work as it returns. */
static void kicked(void *info)
{
	struct jk_thread *t = info;

	clear_bit(JK_WORK_KICKED, &t->work);
	smp_mb__after_atomic(); /* a post after this sends again */
	if (READ_ONCE(t->on_cpu) == smp_processor_id() && t->task == current)
		try_here(t);
	jk_thread_put(t);
}

void jk_uintr_post(struct jk_thread *t, u64 vectors)
{
	int cpu;

	if (READ_ONCE(t->ui.delivery) == JABI_KMOD_DELIVERY_NONE)
		return;
	atomic64_or(vectors, &t->posted);
	smp_mb(); /* pairs with jk_uintr_sched_in */
	cpu = READ_ONCE(t->on_cpu);
	if (cpu < 0 || test_and_set_bit(JK_WORK_KICKED, &t->work))
		return;
	jk_thread_get(t);
	if (smp_call_function_single_async(cpu, &t->csd)) {
		/* the CPU is going away: the thread is going to be scheduled in elsewhere */
		clear_bit(JK_WORK_KICKED, &t->work);
		jk_thread_put(t);
	}
}

void jk_uintr_post_here(struct jk_thread *t, u64 vectors)
{
	if (t->task != current) {
		jk_uintr_post(t, vectors);
		return;
	}
	if (t->ui.delivery == JABI_KMOD_DELIVERY_NONE)
		return;
	atomic64_or(vectors, &t->posted);
	try_here(t);
}

/*
 * Task work: on the way out to user mode, or, rarely, in the middle of a system call or of signal delivery, where the registers must be left
 * alone. Then a timer looks again soon: it finds user mode or brings us back here.
 */
void jk_uintr_work(struct jk_thread *t)
{
	struct pt_regs *regs = task_pt_regs(current);

	if (t->ui.delivery != JABI_KMOD_DELIVERY_SW || !atomic64_read(&t->posted))
		return;
	if (signal_pending(current) || !jk_exit_is_final((s64)regs->orig_ax, (s64)regs->ax)) {
		hrtimer_start(&t->retry, RETRY_NS, HRTIMER_MODE_REL_PINNED_HARD);
		return;
	}
	if (!deliver(t, regs, true))
		force_sig(SIGSEGV);
}

static enum hrtimer_restart retry_fires(struct hrtimer *timer)
{
	struct jk_thread *t = container_of(timer, struct jk_thread, retry);

	/* Moved meanwhile, and perhaps the new CPU could not start this timer while it was firing here: nothing is left but to call. */
	if (t->task == current && READ_ONCE(t->on_cpu) == smp_processor_id())
		try_here(t);
	else if (atomic64_read(&t->posted))
		jk_uintr_post(t, 0);
	return HRTIMER_NORESTART;
}

/* The slice timer runs only while the thread does, on its CPU. */
static enum hrtimer_restart slice_ends(struct hrtimer *timer)
{
	struct jk_thread *t = container_of(timer, struct jk_thread, slice);

	if (t->task != current || !t->ui.slice_ns)
		return HRTIMER_NORESTART;
	WRITE_ONCE(t->line->slices, ++t->n_slices);
	jk_uintr_post_here(t, 1ull << t->ui.slice_vector);
	hrtimer_forward_now(timer, t->ui.slice_ns);
	return HRTIMER_RESTART;
}

void jk_uintr_sched_in(struct jk_thread *t)
{
	if (t->hw)
		jk_hw_sched_in(t);
	if (t->ui.delivery == JABI_KMOD_DELIVERY_SW && atomic64_read(&t->posted))
		jk_thread_queue_work(t);
	if (t->ui.slice_ns)
		hrtimer_start(&t->slice, t->slice_left, HRTIMER_MODE_REL_PINNED_HARD);
}

void jk_uintr_sched_out(struct jk_thread *t)
{
	if (t->ui.slice_ns) {
		ktime_t left = hrtimer_get_remaining(&t->slice);

		/* On this CPU with interrupts off the callback cannot be running. */
		hrtimer_try_to_cancel(&t->slice);
		t->slice_left = clamp_t(s64, left, 1000, t->ui.slice_ns);
	}
	if (t->hw)
		jk_hw_sched_out(t);
}

void jk_uintr_init(struct jk_thread *t)
{
	INIT_CSD(&t->csd, kicked, t);
	jk_hrtimer_setup(&t->slice, slice_ends, HRTIMER_MODE_REL_PINNED_HARD);
	jk_hrtimer_setup(&t->retry, retry_fires, HRTIMER_MODE_REL_PINNED_HARD);
}

/* The handler is taken away and nothing of the thread is under way in timers. Own task, or a dead one. */
void jk_uintr_exit(struct jk_thread *t)
{
	unsigned long flags;

	local_irq_save(flags);
	if (t->task == current && t->hw)
		jk_hw_stop(t);
	WRITE_ONCE(t->ui.delivery, JABI_KMOD_DELIVERY_NONE);
	t->ui.slice_ns = 0;
	local_irq_restore(flags);
	hrtimer_cancel(&t->slice);
	hrtimer_cancel(&t->retry);
}

static bool mapped_with(u64 addr, unsigned long vm_flags)
{
	struct vm_area_struct *vma;
	bool good;

	if (mmap_read_lock_killable(current->mm))
		return false;
	vma = find_vma(current->mm, addr);
	good = vma && vma->vm_start <= addr && (vma->vm_flags & vm_flags) == vm_flags;
	mmap_read_unlock(current->mm);
	return good;
}

static int check(const struct jabi_kmod_uintr *a)
{
	u64 top = a->stack & ~1ull;

	if (a->ret_begin > a->ret_end || a->ret_end - a->ret_begin > 4096 || a->slice_vector > 63)
		return -EINVAL;
	if (a->slice_ns && (a->slice_ns < 100000 || a->slice_ns > 1000000000))
		return -EINVAL;
	if (a->handler >= TASK_SIZE_MAX || a->ret_end > TASK_SIZE_MAX || !mapped_with(a->handler, VM_EXEC))
		return -EFAULT;
	if (!(a->stack & 1))
		return a->stack > 4096 ? -EINVAL : 0;
	if (top >= TASK_SIZE_MAX || top < PAGE_SIZE || !mapped_with(jk_frame_address(0, a->stack), VM_WRITE))
		return -EFAULT;
	return 0;
}

static bool shadow_stack(void)
{
#ifdef CONFIG_X86_USER_SHADOW_STACK
	return current->thread.features & ARCH_SHSTK_SHSTK;
#else
	return false;
#endif
}

int jk_uintr_set(struct jk_thread *t, struct jabi_kmod_uintr *a)
{
	struct jk_uintr ui = { .handler = a->handler, .stack = a->stack, .ret_begin = a->ret_begin, .ret_end = a->ret_end,
			       .slice_ns = a->slice_ns, .slice_vector = a->slice_vector };
	unsigned long flags;
	int r;

	if (!a->handler) {
		if (a->stack || a->ret_begin || a->ret_end || a->slice_ns || a->slice_vector)
			return -EINVAL;
		jk_uintr_exit(t);
		atomic64_set(&t->posted, 0);
		a->delivery = JABI_KMOD_DELIVERY_NONE;
		return 0;
	}
	r = check(a);
	if (r)
		return r;
	if (shadow_stack())
		return -EOPNOTSUPP;
	ui.delivery = jk_hw_usable() && !(a->flags & JABI_KMOD_UINTR_SOFT) ? JABI_KMOD_DELIVERY_HW : JABI_KMOD_DELIVERY_SW;
	r = ui.delivery == JABI_KMOD_DELIVERY_HW ? jk_hw_prepare(t) : 0;
	if (r)
		return r;
	jk_uintr_exit(t);
	/* From here the scheduler, interrupts and posters see the new handler. */
	local_irq_save(flags);
	t->slice_left = ui.slice_ns;
	t->ui = ui;
	if (ui.delivery == JABI_KMOD_DELIVERY_HW)
		jk_hw_start(t);
	if (ui.slice_ns)
		hrtimer_start(&t->slice, t->slice_left, HRTIMER_MODE_REL_PINNED_HARD);
	local_irq_restore(flags);
	if (atomic64_read(&t->posted)) /* what came while there was no handler, or lost its timer above */
		jk_thread_queue_work(t);
	a->delivery = ui.delivery;
	return 0;
}
