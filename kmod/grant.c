// SPDX-License-Identifier: MIT
/*
 * Who holds a claimed CPU. Orders come from the daemon's word in the CPU's page; they are carried out by an interrupt on that CPU (KICK, a
 * deadline), by the thread that parks there, or by the watcher. Nothing sleeps here but PARK and jk_grant_stop_here.
 *
 * c->cur and t->cpu point at each other: both are set and cleared under c->lock, t->cpu is claimed first by compare and exchange, since
 * two CPUs may be ordered to take the same thread. t->cpu says whether the thread may run; it is looked at by the thread on its way
 * out to user mode, after every schedule, and by PARK.
 */
#include <linux/sched/signal.h>
#include <linux/sched/task.h>

#include "junction.h"

/* What remains to be done when c->lock has been dropped. All are references, or NULL. */
struct after {
	struct jk_thread *wake; /* granted: may wait in PARK */
	struct jk_thread *ask;	/* to be posted the yield vector */
	struct jk_thread *stop; /* lost its CPU, may be running */
	struct jk_thread *put;
	bool idle; /* the CPU has no holder */
};

static void publish(struct jk_cpu *c)
{
	struct jabi_kmod_cpu *l = c->line;

	WRITE_ONCE(l->slot, c->cur ? c->cur->slot : 0);
	WRITE_ONCE(l->state, c->state);
	WRITE_ONCE(l->grants, c->n_grants);
	WRITE_ONCE(l->handovers, c->n_handovers);
	WRITE_ONCE(l->yields, c->n_yields);
	WRITE_ONCE(l->forced, c->n_forced);
	WRITE_ONCE(l->lost, c->n_lost);
	WRITE_ONCE(l->kicks, c->n_kicks);
	smp_store_release(&l->gen, c->ack); /* whoever sees it sees the words above */
}

static void acknowledge(struct jk_cpu *c, u32 gen, u32 error)
{
	WRITE_ONCE(c->line->error, error);
	c->ack = gen;
	if (c->state == JABI_KMOD_CPU_YIELD) {
		c->state = JABI_KMOD_CPU_RUN;
		hrtimer_try_to_cancel(&c->deadline); /* if it is on its way it finds nothing to do */
	}
	publish(c);
}

/* The holder goes. Returns its reference. The caller publishes. */
static struct jk_thread *drop(struct jk_cpu *c)
{
	struct jk_thread *t = c->cur;

	c->cur = NULL;
	c->state = JABI_KMOD_CPU_IDLE;
	hrtimer_try_to_cancel(&c->deadline);
	WRITE_ONCE(t->line->granted, !t->managed);
	WRITE_ONCE(t->line->cpu, ~0u);
	smp_store_release(&t->cpu, -1); /* from here another CPU may take it */
	return t;
}

/* The holder leaves by itself: is an order waiting? Its execution must wait until the run queue is unlocked. */
static void orders_soon(struct jk_cpu *c)
{
	if (upper_32_bits(READ_ONCE(*(u64 *)&c->line->want)) != c->ack)
		hrtimer_start(&c->deadline, 0, HRTIMER_MODE_REL_PINNED_HARD);
}

static void ask(struct jk_cpu *c, struct after *a)
{
	if (c->state == JABI_KMOD_CPU_YIELD)
		return;
	c->state = JABI_KMOD_CPU_YIELD;
	c->n_yields++;
	c->deadline_at = ktime_add_ns(ktime_get(), c->deadline_ns);
	hrtimer_start(&c->deadline, c->deadline_ns, HRTIMER_MODE_REL_PINNED_HARD);
	jk_thread_get(c->cur);
	a->ask = c->cur;
	publish(c);
}

/* c->lock held. a->put takes over the reference of `next` where it is not used. */
static void orders_locked(struct jk_cpu *c, int how, struct after *a)
{
	u64 want = READ_ONCE(*(u64 *)&c->line->want);
	u32 slot = lower_32_bits(want), gen = upper_32_bits(want);
	struct jk_thread *next = NULL;

	if (gen == c->ack)
		return;
	if (c->cur && c->cur->slot == slot) {
		c->cur->gen = gen;
		WRITE_ONCE(c->cur->line->gen, gen);
		acknowledge(c, gen, 0);
		return;
	}
	if (slot) {
		next = jk_thread_find(slot);
		a->put = next;
		if (!next || next->ctl != c->ctl) {
			acknowledge(c, gen, EPERM);
			return;
		}
		if (READ_ONCE(next->cpu) >= 0) {
			acknowledge(c, gen, EBUSY);
			return;
		}
	}
	if (c->cur && c->state != JABI_KMOD_CPU_BLOCKED &&
	    (how != JK_ORDER_DEADLINE || c->state != JABI_KMOD_CPU_YIELD || ktime_before(ktime_get(), c->deadline_at))) {
		ask(c, a);
		return;
	}
	if (next && cmpxchg(&next->cpu, -1, c->cpu) != -1) {
		acknowledge(c, gen, EBUSY);
		return;
	}
	if (c->cur) {
		a->stop = drop(c);
		c->n_forced++;
	}
	if (next) {
		a->put = NULL;
		c->cur = next;
		c->state = JABI_KMOD_CPU_RUN;
		c->n_grants++;
		next->gen = gen;
		WRITE_ONCE(next->line->gen, gen);
		WRITE_ONCE(next->line->cpu, c->cpu);
		WRITE_ONCE(next->line->granted, 1);
		jk_thread_get(next);
		a->wake = next;
	}
	acknowledge(c, gen, 0);
}

static void finish(struct jk_cpu *c, struct after *a, bool in_process)
{
	if (a->wake) {
		/* Its affinity while it sleeps costs nothing; else it moves itself. The exchange of t->cpu orders this with PARK. */
		if (READ_ONCE(a->wake->parked)) {
			if (in_process)
				jk_thread_pin(a->wake, c->cpu);
			wake_up_process(a->wake->task);
		}
		jk_thread_put(a->wake);
	}
	if (a->ask) {
		if (in_process)
			jk_uintr_post(a->ask, 1ull << JABI_KMOD_VEC_YIELD);
		else
			jk_uintr_post_here(a->ask, 1ull << JABI_KMOD_VEC_YIELD);
		jk_thread_put(a->ask);
	}
	if (a->stop) {
		if (jk_grant_must_stop(a->stop))
			jk_thread_queue_work(a->stop);
		jk_thread_put(a->stop);
	}
	if (a->put)
		jk_thread_put(a->put);
	if (a->idle)
		jk_watch_wake(c);
}

void jk_grant_orders(struct jk_cpu *c, int how)
{
	struct after a = {};
	unsigned long flags;

	raw_spin_lock_irqsave(&c->lock, flags);
	if (c->ctl) {
		if (how == JK_ORDER_IPI)
			c->n_kicks++;
		orders_locked(c, how, &a);
		a.idle = !c->cur;
	}
	raw_spin_unlock_irqrestore(&c->lock, flags);
	finish(c, &a, how == JK_ORDER_PROCESS);
}

enum hrtimer_restart jk_grant_deadline(struct hrtimer *timer)
{
	jk_grant_orders(container_of(timer, struct jk_cpu, deadline), JK_ORDER_DEADLINE);
	return HRTIMER_NORESTART;
}

/* The vectors of a KICK, for whoever holds the CPU. On that CPU, interrupts off. */
void jk_grant_vectors(struct jk_cpu *c, u64 vectors)
{
	struct jk_thread *t;
	unsigned long flags;

	raw_spin_lock_irqsave(&c->lock, flags);
	t = c->cur;
	if (t)
		jk_thread_get(t);
	raw_spin_unlock_irqrestore(&c->lock, flags);
	if (t) {
		jk_uintr_post_here(t, vectors);
		jk_thread_put(t);
	}
}

enum event { EV_LOST, EV_BLOCKED, EV_RUNS };

/* Something happened to t that its CPU must know of, if it holds one. */
static void holder_event(struct jk_thread *t, enum event ev)
{
	int cpu = READ_ONCE(t->cpu);
	struct jk_thread *ref = NULL;
	struct jk_cpu *c;
	unsigned long flags;

	if (cpu < 0)
		return;
	c = jk_cpu_of(cpu);
	raw_spin_lock_irqsave(&c->lock, flags);
	if (c->cur != t || (ev == EV_RUNS && c->state != JABI_KMOD_CPU_BLOCKED))
		goto out;
	if (ev == EV_LOST) {
		ref = drop(c);
		c->n_lost++;
	} else {
		c->state = ev == EV_BLOCKED ? JABI_KMOD_CPU_BLOCKED : JABI_KMOD_CPU_RUN;
	}
	publish(c);
	if (ev != EV_RUNS)
		orders_soon(c);
out:
	raw_spin_unlock_irqrestore(&c->lock, flags);
	/* Not the last: the task's own reference is there. */
	if (ref)
		jk_thread_put(ref);
}

void jk_grant_lose(struct jk_thread *t)
{
	holder_event(t, EV_LOST);
}

void jk_grant_blocked(struct jk_thread *t, bool blocked)
{
	holder_event(t, blocked ? EV_BLOCKED : EV_RUNS);
}

void jk_grant_take(struct jk_cpu *c)
{
	struct after a = {};
	unsigned long flags;

	raw_spin_lock_irqsave(&c->lock, flags);
	if (c->cur) {
		a.stop = drop(c);
		c->n_forced++;
	}
	c->state = JABI_KMOD_CPU_IDLE;
	publish(c);
	c->ctl = NULL;
	raw_spin_unlock_irqrestore(&c->lock, flags);
	finish(c, &a, true);
}

/* ---- the thread's side ---- */

static bool has_daemon(const struct jk_thread *t)
{
	return READ_ONCE(t->ctl->claimed) && !READ_ONCE(t->ctl->dead) && !READ_ONCE(t->gone);
}

bool jk_grant_must_stop(struct jk_thread *t)
{
	return READ_ONCE(t->managed) && READ_ONCE(t->cpu) < 0 && has_daemon(t);
}

static void give_up(struct jk_cpu *c, struct jk_thread *t)
{
	struct after a = {};
	unsigned long flags;

	raw_spin_lock_irqsave(&c->lock, flags);
	if (c->cur == t) {
		a.stop = drop(c); /* it parks by itself: nothing is queued while t->parked */
		orders_locked(c, JK_ORDER_PROCESS, &a);
		if (a.wake)
			c->n_handovers++;
		publish(c);
		a.idle = !c->cur;
	}
	raw_spin_unlock_irqrestore(&c->lock, flags);
	if (a.stop) {
		jk_thread_put(a.stop);
		a.stop = NULL;
	}
	finish(c, &a, true);
}

/* Sleeps until granted and on that CPU. -EPIPE: nobody grants any more. -EINTR: a signal that `state` lets through. */
static int wait_grant(struct jk_thread *t, unsigned int state)
{
	int cpu, r = 0;

	for (;;) {
		WRITE_ONCE(t->parked, true);
		for (;;) {
			set_current_state(state); /* orders parked and state before the look at t->cpu */
			if (READ_ONCE(t->cpu) >= 0)
				break;
			r = !has_daemon(t) ? -EPIPE : signal_pending_state(state, current) ? -EINTR : 0;
			if (r)
				break;
			schedule();
		}
		__set_current_state(TASK_RUNNING);
		WRITE_ONCE(t->parked, false);
		if (r)
			return r;
		cpu = READ_ONCE(t->cpu);
		if (cpu < 0)
			continue;
		jk_thread_pin(t, cpu);
		if (READ_ONCE(t->cpu) == cpu)
			return 0;
	}
}

int jk_grant_park(struct jk_thread *t, struct jabi_kmod_park *a)
{
	int cpu = READ_ONCE(t->cpu), r;

	if (!has_daemon(t)) {
		WRITE_ONCE(t->managed, false);
		return -EPIPE;
	}
	WRITE_ONCE(t->managed, true);
	if (cpu >= 0 && !((a->flags & JABI_KMOD_PARK_IF_GEN) && READ_ONCE(t->gen) != a->gen))
		give_up(jk_cpu_of(cpu), t);
	r = wait_grant(t, TASK_INTERRUPTIBLE);
	if (r) {
		WRITE_ONCE(t->managed, false);
		WRITE_ONCE(t->line->granted, 1);
		/* It may wait for whatever CPU the signal's handler gets. */
		jk_thread_pin(t, -1);
		return r;
	}
	a->gen = READ_ONCE(t->gen);
	a->cpu = READ_ONCE(t->cpu);
	return 0;
}

/* A grant that arrives meanwhile stays: the next PARK finds it. */
int jk_grant_leave(struct jk_thread *t, struct jabi_kmod_park *a)
{
	int cpu = READ_ONCE(t->cpu);

	WRITE_ONCE(t->managed, false); /* first: once dropped it is not to be stopped */
	if (cpu >= 0)
		give_up(jk_cpu_of(cpu), t);
	WRITE_ONCE(t->line->granted, 1);
	jk_thread_pin(t, -1);
	a->gen = READ_ONCE(t->gen);
	a->cpu = ~0u;
	return has_daemon(t) ? 0 : -EPIPE;
}

void jk_grant_stop_here(struct jk_thread *t)
{
	wait_grant(t, TASK_KILLABLE | TASK_NOLOAD | TASK_FREEZABLE);
}
