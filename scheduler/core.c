/* SPDX-License-Identifier: MIT */
/*
 * The policy of core grants. A waiting thread gets an idle CPU at once. If there is none its order is written to a CPU that is held,
 * without a KICK: should the holder park or leave by itself the module hands the CPU over. The KICK, by which the holder is asked, follows when it
 * has had its quantum; at once if its instance has two CPUs more than the waiter's (fairness), if it sleeps in a host call, or if another
 * CPU is idle (the holder goes there). Waiters of instances with fewer CPUs come first, then who has waited longest.
 */
#include "scheduler/core.h"

#include <errno.h>
#include <string.h>

#include "jabi/jabi_kmod.h"

struct thread {
	u32 slot, instance;
	bool wants, holds, due; /* due: stopped or about to be, and has not said that it waits */
	bool ordered;
	s64 since; /* it waits */
};

struct cpu {
	u32 cpu, ordered, gen; /* ordered: slot of the open order, 0 = none */
	struct core_line line;
	s64 since; /* of the grant */
	bool kicked;
};

static const struct core_ops *ops;
static struct thread threads[CORE_MAX_THREADS];
static u32 nr_threads;
static struct cpu cpus[CORE_MAX_CPUS];
static u32 nr_cpus, last_gen;
static u64 to_kick;

void core_init(const struct core_ops *o, u64 mask)
{
	ops = o;
	nr_threads = nr_cpus = last_gen = 0;
	memset(cpus, 0, sizeof(cpus));
	for (u32 i = 0; i < CORE_MAX_CPUS; i++)
		if (mask >> i & 1)
			cpus[nr_cpus++].cpu = i;
}

static struct thread *find(u32 slot)
{
	for (u32 i = 0; i < nr_threads; i++)
		if (threads[i].slot == slot)
			return &threads[i];
	return NULL;
}

void core_want(u32 instance, u32 slot, s64 now)
{
	struct thread *t = find(slot);
	struct core_slot s;

	if (!slot || ops->slot(slot, &s) || s.instance != instance)
		return;
	if (!t) {
		if (nr_threads == CORE_MAX_THREADS)
			return;
		t = &threads[nr_threads++];
		*t = (struct thread){ .slot = slot, .instance = instance };
	}
	if (!t->wants)
		t->since = now;
	t->wants = true;
}

/* What has become of the orders. */
static void look_cpus(s64 now)
{
	for (u32 i = 0; i < nr_cpus; i++) {
		struct cpu *c = &cpus[i];
		struct thread *t = c->ordered ? find(c->ordered) : NULL;

		ops->look(c->cpu, &c->line);
		if (!c->ordered || c->line.gen != c->gen)
			continue;
		if (t)
			t->wants = t->ordered = false; /* refused: it is gone, or holds another */
		if (!c->line.error)
			c->since = now;
		c->ordered = 0;
		c->kicked = false;
	}
}

static void look_threads(s64 now)
{
	for (u32 i = 0; i < nr_threads; i++) {
		struct thread *t = &threads[i];
		struct core_slot s;

		if (ops->slot(t->slot, &s)) {
			*t = threads[--nr_threads];
			i--;
			continue;
		}
		t->holds = s.holds;
		t->due = s.parked == 2;
		if (s.holds && !t->ordered)
			t->wants = false;
		if (s.parked == 1 && !s.holds && !t->wants) {
			t->wants = true;
			t->since = now;
		}
	}
}

/* CPUs that it holds or is about to get. */
static u32 share(u32 instance)
{
	u32 n = 0;

	for (u32 i = 0; i < nr_threads; i++)
		n += threads[i].instance == instance && (threads[i].holds || threads[i].ordered);
	return n;
}

static bool is_idle(const struct cpu *c)
{
	return !c->line.slot && !c->ordered;
}

static struct thread *next_waiter(void)
{
	struct thread *best = NULL;
	u32 best_share = 0;

	for (u32 i = 0; i < nr_threads; i++) {
		struct thread *t = &threads[i];
		u32 n;

		if (!t->wants || t->ordered || t->holds)
			continue;
		n = share(t->instance);
		if (!best || n < best_share || (n == best_share && t->since < best->since)) {
			best = t;
			best_share = n;
		}
	}
	return best;
}

static u32 holders_share(const struct cpu *c)
{
	struct thread *h = find(c->line.slot);

	return h ? share(h->instance) : 0;
}

/* An idle CPU, else one of the instance that has most, held longest; NULL: all have an open order. */
static struct cpu *place(void)
{
	struct cpu *best = NULL;
	u32 best_share = 0;

	for (u32 i = 0; i < nr_cpus; i++) {
		struct cpu *c = &cpus[i];
		u32 n;

		if (is_idle(c))
			return c;
		if (c->ordered)
			continue;
		n = holders_share(c);
		if (!best || n > best_share || (n == best_share && c->since < best->since)) {
			best = c;
			best_share = n;
		}
	}
	return best;
}

static void kick(struct cpu *c)
{
	c->kicked = true;
	to_kick |= 1ull << c->cpu;
}

static void order(struct cpu *c, struct thread *t)
{
	bool now = is_idle(c) || holders_share(c) >= share(t->instance) + 2;

	if (!++last_gen)
		last_gen = 1;
	c->ordered = t->slot;
	c->gen = last_gen;
	c->kicked = false;
	t->ordered = true;
	ops->order(c->cpu, t->slot, last_gen);
	if (now)
		kick(c);
}

static bool any_idle(void)
{
	for (u32 i = 0; i < nr_cpus; i++)
		if (is_idle(&cpus[i]))
			return true;
	return false;
}

static void kick_due(s64 now)
{
	bool idle = any_idle();

	for (u32 i = 0; i < nr_cpus; i++) {
		struct cpu *c = &cpus[i];

		if (c->ordered && !c->kicked &&
		    (idle || !c->line.slot || c->line.state == JABI_KMOD_CPU_BLOCKED || now - c->since >= CORE_QUANTUM_NS))
			kick(c);
	}
}

int core_run(s64 now)
{
	bool busy = false, held = false;
	struct thread *t;
	struct cpu *c;

	to_kick = 0;
	look_cpus(now);
	look_threads(now);
	while ((t = next_waiter()) && (c = place()))
		order(c, t);
	kick_due(now);
	if (to_kick)
		ops->kick(to_kick);
	for (u32 i = 0; i < nr_threads; i++) {
		busy |= threads[i].wants;
		held |= threads[i].holds || threads[i].due;
	}
	for (u32 i = 0; i < nr_cpus; i++) {
		busy |= cpus[i].ordered != 0;
		held |= cpus[i].line.slot != 0;
	}
	return busy ? CORE_BUSY_MS : held ? CORE_HELD_MS : -1;
}
