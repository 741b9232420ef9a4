/* SPDX-License-Identifier: MIT */
/*
 * Policy of core grants with a simulated module: orders are carried out as jabi_kmod.h says: at once on an idle CPU that is kicked, when the
 * holder parks or leaves on others, and at the KICK once the holder has been asked and `obedient` or the deadline has passed.
 */
#include <check.h>
#include <errno.h>
#include <string.h>

#include "jabi/jabi_kmod.h"
#include "scheduler/core.h"

#define MS	  1000000ll
#define NR_CPUS	  4u
#define NR_SLOTS  16u
#define INSTANCES 100u /* instance of slot s: 100 + s / 4 */

static struct {
	u32 want, want_gen;
	struct core_line line;
} cpu[NR_CPUS];
static struct {
	bool there, parked;
	int on; /* CPU, -1 none */
	int taken; /* times it was taken off by a KICK */
} th[NR_SLOTS];
static unsigned kicks;
static bool obedient;
static s64 now;

static void carry_out(u32 c, bool forced)
{
	u32 s = cpu[c].want;

	if (cpu[c].line.gen == cpu[c].want_gen || (cpu[c].line.slot && !forced))
		return;
	cpu[c].line.gen = cpu[c].want_gen;
	cpu[c].line.error = !s || (s < NR_SLOTS && th[s].there) ? 0 : EPERM;
	if (!cpu[c].line.error && s && th[s].on >= 0)
		cpu[c].line.error = EBUSY;
	if (cpu[c].line.error)
		return;
	if (cpu[c].line.slot) {
		th[cpu[c].line.slot].on = -1;
		th[cpu[c].line.slot].parked = true;
		th[cpu[c].line.slot].taken++;
	}
	cpu[c].line.slot = s;
	cpu[c].line.state = s ? JABI_KMOD_CPU_RUN : JABI_KMOD_CPU_IDLE;
	th[s].on = (int)c;
	th[s].parked = false;
}

static int sim_slot(u32 s, struct core_slot *out)
{
	if (s >= NR_SLOTS || !th[s].there)
		return -ENOENT;
	*out = (struct core_slot){ INSTANCES + s / 4, th[s].parked, th[s].on >= 0 };
	return 0;
}

static void sim_look(u32 c, struct core_line *out)
{
	*out = cpu[c].line;
}

static void sim_order(u32 c, u32 s, u32 gen)
{
	ck_assert_uint_ne(gen, cpu[c].line.gen);
	cpu[c].want = s;
	cpu[c].want_gen = gen;
}

static void sim_kick(u64 mask)
{
	for (u32 c = 0; c < NR_CPUS; c++) {
		if (!(mask >> c & 1))
			continue;
		kicks++;
		carry_out(c, obedient);
		if (cpu[c].line.slot && cpu[c].want_gen != cpu[c].line.gen)
			cpu[c].line.state = JABI_KMOD_CPU_YIELD;
	}
}

static const struct core_ops sim = { sim_slot, sim_look, sim_order, sim_kick };

static void setup(void)
{
	memset(cpu, 0, sizeof(cpu));
	memset(th, 0, sizeof(th));
	for (u32 s = 1; s < NR_SLOTS; s++) {
		th[s].there = true;
		th[s].on = -1;
	}
	kicks = 0;
	obedient = true;
	now = 1000 * MS;
}

static void want(u32 s)
{
	core_want(INSTANCES + s / 4, s, now);
	th[s].parked = true;
}

static void leave(u32 s)
{
	int c = th[s].on;

	ck_assert_int_ge(c, 0);
	th[s].on = -1;
	cpu[c].line.slot = 0;
	cpu[c].line.state = JABI_KMOD_CPU_IDLE;
	carry_out((u32)c, false);
}

static int run(int ms)
{
	now += ms * MS;
	return core_run(now);
}

START_TEST(idle_cpu_is_granted_at_once)
{
	core_init(&sim, 3);
	ck_assert_int_eq(core_run(now), -1);
	want(1);
	ck_assert_int_eq(core_run(now), CORE_BUSY_MS);
	ck_assert_int_eq(th[1].on, 0);
	ck_assert_uint_eq(kicks, 1);
	want(4);
	core_run(now);
	ck_assert_int_eq(th[4].on, 1);
	ck_assert_int_eq(run(1), CORE_HELD_MS);
	leave(1);
	leave(4);
	ck_assert_int_eq(run(1), -1); /* all idle: the daemon sleeps */
}
END_TEST

START_TEST(waiter_gets_the_cpu_of_who_leaves_without_a_kick)
{
	core_init(&sim, 1);
	want(1);
	core_run(now);
	want(2);
	run(1);
	ck_assert_int_eq(th[2].on, -1);
	leave(1);
	ck_assert_int_eq(th[2].on, 0);
	ck_assert_uint_eq(kicks, 1);
	run(1);
	ck_assert_int_eq(th[1].taken + th[2].taken, 0);
}
END_TEST

START_TEST(holders_take_turns_by_the_quantum)
{
	int ran[4] = { 0 };

	core_init(&sim, 1);
	for (u32 s = 1; s < 4; s++)
		want(s);
	for (int i = 0; i < 1200; i++) {
		run(1);
		for (u32 s = 1; s < 4; s++)
			ran[s] += th[s].on == 0;
	}
	for (u32 s = 1; s < 4; s++)
		ck_assert_int_ge(ran[s], 350);
}
END_TEST

START_TEST(instances_share_alike)
{
	int ran[2] = { 0 };

	core_init(&sim, 15);
	for (u32 s = 4; s < 8; s++) /* instance 101: four threads, 102: two */
		want(s);
	core_run(now);
	ck_assert_int_ge(th[7].on, 0);
	run(1);
	want(8);
	run(1); /* it has none, the other four: no waiting for a quantum */
	ck_assert_int_ge(th[8].on, 0);
	want(9);
	for (int i = 0; i < 400; i++) {
		run(1);
		for (u32 s = 4; s < 10; s++)
			ran[s >= 8] += th[s].on >= 0;
	}
	ck_assert_int_ge(ran[1], 700); /* of 800 */
	ck_assert_int_ge(ran[0], 700);
}
END_TEST

START_TEST(who_does_not_yield_is_kicked_once_and_waits_are_kept)
{
	core_init(&sim, 1);
	obedient = false;
	want(1);
	core_run(now);
	want(2);
	for (int i = 0; i < 10; i++)
		ck_assert_int_eq(run(1), CORE_BUSY_MS);
	ck_assert_uint_eq(kicks, 2);
	obedient = true;
	carry_out(0, true); /* the deadline */
	run(1);
	ck_assert_int_eq(th[2].on, 0);
	leave(2);
	ck_assert_int_eq(th[1].on, 0); /* it was stopped: nobody had to say so */
}
END_TEST

START_TEST(sleeping_holder_loses_its_cpu_now)
{
	core_init(&sim, 1);
	want(1);
	core_run(now);
	run(1);
	cpu[0].line.state = JABI_KMOD_CPU_BLOCKED;
	want(2);
	core_run(now);
	ck_assert_int_eq(th[2].on, 0);
}
END_TEST

START_TEST(foreign_and_dead_slots_get_nothing)
{
	core_init(&sim, 3);
	core_want(INSTANCES + 1, 1, now); /* of 100 */
	core_want(INSTANCES, 0, now);
	core_want(INSTANCES + 25, 101, now);
	ck_assert_int_eq(core_run(now), -1);
	want(1);
	want(2);
	core_run(now);
	want(3);
	run(1); /* ordered behind one of them */
	th[3].there = false;
	for (int i = 0; i < 8; i++)
		run(1);
	ck_assert_int_eq(th[1].taken + th[2].taken, 0);
	ck_assert_int_eq(run(1), CORE_HELD_MS);
	th[1].there = th[2].there = false;
	cpu[0].line.slot = cpu[1].line.slot = 0;
	ck_assert_int_eq(run(1), -1);
}
END_TEST

TCase *segment_case(void); /* test_segment.c */
TCase *loop_case(void);    /* test_loop.c */

int main(void)
{
	Suite *s = suite_create("scheduler");
	TCase *t = tcase_create("core");
	SRunner *r;
	int failed;

	tcase_add_checked_fixture(t, setup, NULL);
	tcase_add_test(t, idle_cpu_is_granted_at_once);
	tcase_add_test(t, waiter_gets_the_cpu_of_who_leaves_without_a_kick);
	tcase_add_test(t, holders_take_turns_by_the_quantum);
	tcase_add_test(t, instances_share_alike);
	tcase_add_test(t, who_does_not_yield_is_kicked_once_and_waits_are_kept);
	tcase_add_test(t, sleeping_holder_loses_its_cpu_now);
	tcase_add_test(t, foreign_and_dead_slots_get_nothing);
	suite_add_tcase(s, t);
	suite_add_tcase(s, segment_case());
	suite_add_tcase(s, loop_case());
	r = srunner_create(s);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed != 0;
}
