/* SPDX-License-Identifier: MIT */
/*
 * Run queues, dispatch, park and unpark: who runs next on a kThread. How a kThread sleeps and polls is in kthread.c; how the
 * program's registers come and go is in arch/ and trap.c.
 */
#include "userlib/rt/sched.h"
#include "userlib/rt/cores.h"
#include "userlib/base/log.h"
#include "userlib/base/mem.h"
#include "userlib/base/string.h"
#include "userlib/rt/kthread.h"

enum { PREV_NONE, PREV_PARK, PREV_YIELD, PREV_EXIT };

#define LONG_WAIT_CYCLES 300000 /* about 0.1 ms */
#define LONG_RUN_CYCLES 10000000 /* about a tick */
#define EAGER_WAKES 256
#define POLL_EVERY 64 /* direct switches between two visits to the idle loop, which polls */

u32 sched_nr_cores = 1;

static u64 tsc(void)
{
	return __builtin_ia32_rdtsc();
}

struct uthread *uthread_self(void)
{
	return kt_self()->current;
}

bool uthread_signal_pending(void)
{
	return load_acquire(&uthread_self()->signal_pending) != 0;
}

/* `now`: TSC, near enough */
static void runq_push(struct kthread *kt, struct uthread *ut, u64 now)
{
	spin_lock(&kt->runq_lock);
	if (!kt->runq_len)
		kt->runq_since = now;
	list_add_tail(&kt->runq, &ut->run_node);
	store_release(&kt->runq_len, kt->runq_len + 1);
	spin_unlock(&kt->runq_lock);
}

struct uthread *runq_pop(struct kthread *kt)
{
	struct uthread *ut = NULL;

	if (!load_acquire(&kt->runq_len))
		return NULL;
	spin_lock(&kt->runq_lock);
	if (!list_empty(&kt->runq)) {
		ut = list_first(&kt->runq, struct uthread, run_node);
		list_del(&ut->run_node);
		store_release(&kt->runq_len, kt->runq_len - 1);
	}
	spin_unlock(&kt->runq_lock);
	return ut;
}

/* Where a woken uThread goes: here if this kThread is of its kProc, else to the least sleepy kThread there. */
void sched_enqueue(struct uthread *ut)
{
	struct kthread *kt = kt_self();
	struct kproc *kp = ut->kproc;

	if (kt->kproc == kp) {
		runq_push(kt, ut, tsc());
		/*
		 * One waiting uThread is usually taken over when the current one blocks, without an interrupt to another core; a second
		 * is surplus. Where the tick has lately seen one wait long, wake-ups are eager for a while.
		 */
		if (load_relaxed(&kt->runq_len) > 1) {
			sched_wake_idle(kp);
		} else if (kt->eager) {
			kt->eager--;
			sched_wake_idle(kp);
		}
		return;
	}
	kt = kp->kthreads[0];
	for (u32 i = 0; i < load_acquire(&kp->nr_kthreads); i++)
		if (load_relaxed(&kp->kthreads[i]->sleeping)) {
			kt = kp->kthreads[i];
			break;
		}
	runq_push(kt, ut, tsc());
	full_fence(); /* pairs with kthread_sleep: queue first, then look whether it sleeps */
	kthread_wake(kt);
}

void uthread_unpark(struct uthread *ut)
{
	u32 s;

	do {
		/* A locked exchange, failed or not, is the fence between the caller's change of the condition and our look at the state. */
		if (atomic_cas(&ut->state, (u32)UT_PARKED, (u32)UT_RUNNABLE)) {
			sched_enqueue(ut);
			return;
		}
		if (atomic_cas(&ut->state, (u32)UT_RUNNING, (u32)UT_NOTIFIED))
			return;
		s = load_acquire(&ut->state);
	} while (s == UT_PARKED || s == UT_RUNNING);
}

/* Runs on whatever context comes after a switch: the previous uThread's registers are saved now. */
void finish_switch(void)
{
	struct kthread *kt = kt_self();
	struct uthread *ut = kt->prev;
	u32 action = kt->prev_action;

	kt->prev = NULL;
	if (!ut)
		return;
	switch (action) {
	case PREV_PARK:
		if (atomic_cas(&ut->state, (u32)UT_RUNNING, (u32)UT_PARKED))
			break;
		/* notified meanwhile */
		store_release(&ut->state, UT_RUNNABLE);
		runq_push(kt, ut, kt->switch_tsc);
		break;
	case PREV_YIELD:
		store_release(&ut->state, UT_RUNNABLE);
		runq_push(kt, ut, kt->switch_tsc);
		break;
	case PREV_EXIT:
		((void (*)(struct uthread *))ut->karg)(ut);
		break;
	default:
		break;
	}
}

/* CPU time is counted in TSC cycles (one rdtsc a switch) and turned into ns when somebody asks (uthread_cpu_ns). */
static struct {
	u64 tsc;
	s64 ns;
} tsc_base;

void sched_tsc_init(void)
{
	tsc_base.tsc = tsc();
	tsc_base.ns = clock_monotonic_ns();
}

u64 uthread_cpu_ns(const struct uthread *ut)
{
	u64 now = tsc(), cycles = ut->cpu_cycles, span = now - tsc_base.tsc;
	s64 ns = clock_monotonic_ns() - tsc_base.ns;

	if (load_relaxed(&ut->state) <= UT_NOTIFIED && ut->run_start && now > ut->run_start)
		cycles += now - ut->run_start;
	/* ns per cycle as 32.32 fixed point; both sides shifted so that the dividend fits */
	while (ns >> 31) {
		ns >>= 1;
		span >>= 1;
	}
	return span ? (u64)((unsigned __int128)cycles * (((u64)ns << 32) / span) >> 32) : 0;
}

/* Makes `ut` current on kt; the caller then switches to ut->ctx_rsp. */
void sched_show_cpu(struct kthread *kt, const struct uthread *ut)
{
	u64 mask = load_relaxed(&ut->affinity);
	u32 cpu = kthread_core(kt);

	if (mask && !(mask >> (cpu & 63) & 1))
		cpu = (u32)__builtin_ctzll(mask);
	kt->cpu = cpu;
}

void sched_set_current(struct kthread *kt, struct uthread *ut)
{
	sched_show_cpu(kt, ut);
	store_release(&ut->kt, kt);
	kt->current = ut;
	kt->kstack_tf = ut->tf;
	kt->nr_switches++;
	ut->nr_switches++;
	/* pairs with uthread_unpark, and with sched_kick: current is visible before signal_pending is read */
	atomic_xchg(&ut->state, (u32)UT_RUNNING);
	store_relaxed(&kt->work, load_acquire(&ut->signal_pending) || kt->need_resched || ut->lost_flags ||
				 (ut->told_cpu && ut->told_cpu != kthread_core(kt) + 1));
}

/* On ut's own stack after a switch: per-CPU program state. */
static void restore_program_state(struct uthread *ut)
{
	struct kthread *kt = kt_self();

	if (ut->flags & UTF_KERNEL)
		return;
	ut->run_start = kt->switch_tsc;
	__asm__ volatile("wrfsbase %0" ::"r"(ut->fs_base));
	if (kt->fpu_owner == ut && ut->xstate_in_memory == 2)
		ut->xstate_in_memory = ut->xstate_light = 0; /* nobody else used this kThread's registers, and we used no other's */
	else
		xstate_load_current();
	kt->fpu_owner = ut;
}

static void save_program_state(struct uthread *ut)
{
	struct kthread *kt = kt_self();

	if (ut->flags & UTF_KERNEL)
		return;
	__asm__ volatile("rdfsbase %0" : "=r"(ut->fs_base));
	if (!ut->xstate_in_memory) {
		const struct xlight *x = &kthread_xlight;

		ut->xstate_light = x->usable && xsave_light(ut->xsave, x->opmask_offset, x->hi16_offset);
		if (!ut->xstate_light && x->xsavec)
			xsave_compact(ut->xsave, XSAVE_MASK & kthread_xcr0);
		else if (!ut->xstate_light)
			xsave_standard(ut->xsave, XSAVE_MASK & kthread_xcr0);
		ut->xstate_in_memory = 2; /* also still in this kThread's registers */
		kt->fpu_owner = ut;
	}
	kt->switch_tsc = tsc();
	ut->cpu_cycles += kt->switch_tsc - ut->run_start;
}

static void switch_out(u32 action)
{
	struct kthread *kt = kt_self();
	struct uthread *ut = kt->current, *next = NULL;

	save_program_state(ut);
	kt->prev = ut;
	kt->prev_action = action;
	if (kt->nr_switches % POLL_EVERY)
		next = runq_pop(kt);
	if (next) {
		sched_set_current(kt, next);
		ctx_switch(&ut->ctx_rsp, next->ctx_rsp);
	} else {
		kt->current = &kt->idle_ut;
		ctx_switch(&ut->ctx_rsp, kt->idle_rsp);
	}
	finish_switch();
	restore_program_state(ut);
}

struct park_timer {
	struct timer timer;
	struct uthread *ut;
	u32 fired;
};

static void park_timeout(struct timer *t)
{
	struct park_timer *p = container_of(t, struct park_timer, timer);
	struct uthread *ut = p->ut;

	store_release(&p->fired, 1u);
	uthread_unpark(ut);
}

int uthread_park(s64 deadline_ns)
{
	struct uthread *ut = uthread_self();
	struct park_timer p;
	int r = 0;

	ASSERT(ut != &kt_self()->idle_ut);
	if (load_relaxed(&ut->state) == UT_NOTIFIED) { /* only we leave that state */
		atomic_xchg(&ut->state, (u32)UT_RUNNING);
		return 0;
	}
	if (deadline_ns == TIME_FOREVER) {
		switch_out(PREV_PARK);
		return 0;
	}
	if (deadline_ns <= clock_monotonic_ns())
		return -ETIMEDOUT;
	timer_init(&p.timer, park_timeout);
	p.ut = ut;
	p.fired = 0;
	timer_start(&p.timer, deadline_ns);
	switch_out(PREV_PARK);
	timer_stop_sync(&p.timer);
	if (load_acquire(&p.fired))
		r = -ETIMEDOUT;
	return r;
}

void uthread_yield(void)
{
	switch_out(PREV_YIELD);
}

void sched_exit(void (*reap)(struct uthread *))
{
	struct uthread *ut = uthread_self();

	ut->karg = (void *)reap;
	store_release(&ut->state, UT_DEAD);
	if (!(ut->flags & UTF_KERNEL) && kt_self()->fpu_owner == ut)
		kt_self()->fpu_owner = NULL;
	ut->flags |= UTF_KERNEL; /* nothing to save */
	switch_out(PREV_EXIT);
	panic("dead thread scheduled");
}

static void first_run(void)
{
	struct uthread *ut;

	finish_switch();
	ut = uthread_self();
	restore_program_state(ut);
	ut->kfn(ut->karg);
	panic("thread function returned");
}

int uthread_init(struct uthread *ut, struct kproc *kp, void (*fn)(void *), void *arg)
{
	u64 *sp;
	char *top;

	ut->kstack = page_alloc(KSTACK_ORDER);
	if (!ut->kstack)
		return -ENOMEM;
	top = ut->kstack + KSTACK_SIZE;
	ut->xsave = top - XSAVE_SIZE;
	memset(ut->xsave, 0, (size_t)(top - (char *)ut->xsave));
	((u32 *)ut->xsave)[6] = 0x1f80; /* MXCSR */
	ut->tf = (struct trapframe *)((char *)ut->xsave - 256);
	memset(ut->tf, 0, sizeof(*ut->tf));
	ut->xstate_in_memory = 1;
	ut->kproc = kp;
	ut->state = UT_RUNNABLE;
	ut->kfn = fn;
	ut->karg = arg;
	list_init(&ut->run_node);
	sp = (u64 *)((char *)ut->tf - 64);
	*--sp = 0; /* as if first_run had been called: alignment */
	*--sp = (u64)first_run;
	for (int i = 0; i < 6; i++)
		*--sp = 0;
	ut->ctx_rsp = (u64)sp;
	atomic_fetch_add(&kp->nr_uthreads, 1u);
	return 0;
}

void uthread_destroy_stack(struct uthread *ut)
{
	page_free(ut->kstack, KSTACK_ORDER);
	ut->kstack = NULL;
}

struct kernel_start {
	void (*fn)(void *arg);
	void *arg;
};

static void reap_kernel(struct uthread *ut)
{
	struct kproc *kp = ut->kproc;

	uthread_destroy_stack(ut);
	kmem_free(ut, sizeof(*ut));
	atomic_fetch_sub(&kp->nr_uthreads, 1u);
}

static void kernel_main_fn(void *arg)
{
	struct kernel_start s = *(struct kernel_start *)arg;

	kmem_free(arg, sizeof(s));
	s.fn(s.arg);
	sched_exit(reap_kernel);
}

int uthread_start_kernel(const char *name, void (*fn)(void *arg), void *arg)
{
	return uthread_start_in(list_first(&kproc_list, struct kproc, link), name, fn, arg);
}

int uthread_start_in(struct kproc *kp, const char *name, void (*fn)(void *arg), void *arg)
{
	struct uthread *ut = kmem_zalloc(sizeof(*ut));
	struct kernel_start *s = kmem_alloc(sizeof(*s));

	if (!ut || !s)
		goto err_free;
	*s = (struct kernel_start){ fn, arg };
	ut->flags = UTF_KERNEL;
	if (uthread_init(ut, kp, kernel_main_fn, s))
		goto err_free;
	str_copy(ut->name, name, sizeof(ut->name));
	sched_enqueue(ut);
	return 0;
err_free:
	kmem_free(ut, sizeof(*ut));
	kmem_free(s, sizeof(*s));
	return -ENOMEM;
}

void sched_check_resched(void)
{
	struct kthread *kt = kt_self();

	cores_ops()->yield(kt);
	if (!kt->need_resched)
		return;
	kt->need_resched = 0;
	kthread_poll_once(false);
	if (tsc() - kt->switch_tsc > LONG_RUN_CYCLES)
		kthread_want_watcher(kt);
	if (load_acquire(&kt->runq_len)) {
		if (tsc() - kt->runq_since > LONG_WAIT_CYCLES)
			kt->eager = EAGER_WAKES;
		kt->nr_preempts++;
		sched_wake_idle(kt->kproc);
		uthread_yield();
	}
}

void xstate_save_current(void)
{
	struct uthread *ut = uthread_self();

	if (ut->xstate_in_memory && !ut->xstate_light)
		return;
	if (ut->xstate_in_memory)
		xstate_load_current();
	xsave_standard(ut->xsave, XSAVE_MASK & kthread_xcr0);
}

void xstate_load_current(void)
{
	struct uthread *ut = uthread_self();
	const struct xlight *x = &kthread_xlight;

	if (ut->xstate_light && xrestore_light(ut->xsave, x->opmask_offset, x->hi16_offset)) {
		/* done */
	} else if (xstate_restore(ut->xsave, XSAVE_MASK & kthread_xcr0)) {
		/* A frame the program built: reset to the initial state, as good as any. */
		memset((char *)ut->xsave, 0, 576);
		((u32 *)ut->xsave)[6] = 0x1f80;
		(void)xstate_restore(ut->xsave, XSAVE_MASK & kthread_xcr0);
	}
	ut->xstate_in_memory = 0;
	ut->xstate_light = 0;
	kt_self()->fpu_owner = ut;
}
