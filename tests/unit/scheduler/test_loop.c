/* SPDX-License-Identifier: MIT */
/* The switch's rounds when ports die in them: a client that stops reading its messages is killed while another port's frames are handled. */
#include <check.h>

#include "scheduler/loop.c"

#include <stdlib.h>

#define PORTS 4
static struct port *ports[PORTS];
static int killer, victim;
static unsigned pulls[PORTS], destroyed;

static int index_of(const struct port *p)
{
	for (int i = 0; i < PORTS; i++)
		if (ports[i] == p)
			return i;
	return -1;
}

static unsigned pull(struct port *p, unsigned budget)
{
	int i = index_of(p);

	(void)budget;
	ck_assert(!p->is_dead);
	ck_assert_uint_lt(++pulls[i], 10000);
	if (i == killer)
		port_kill(ports[victim]);
	return i % 2; /* the quiet ones are armed */
}
static bool arm(struct port *p)
{
	(void)p;
	return false;
}
static void destroy(struct port *p)
{
	(void)p;
	destroyed++;
}
static const struct port_ops ops = { .is_uplink = true, .pull = pull, .arm = arm, .destroy = destroy };

START_TEST(a_port_that_dies_in_anothers_turn_is_gone_and_the_others_go_on)
{
	killer = _i / PORTS;
	victim = _i % PORTS;
	list_init(&sw.ports);
	list_init(&sw.active);
	list_init(&sw.dead);
	sw.spin_rounds = 0;
	for (int i = 0; i < PORTS; i++) {
		ports[i] = port_create(&ops);
		port_activate(ports[i]);
	}
	poll_active();
	port_bury_dead();
	ck_assert_uint_eq(destroyed, 1);
	for (int i = 0; i < PORTS; i++)
		ck_assert_uint_eq(pulls[i], i != victim || victim <= killer);
	for (struct list *l = sw.active.next; l != &sw.active; l = l->next) {
		int i = index_of(container_of(l, struct port, active_link));

		ck_assert(i % 2 == 1 && i != victim);
	}
	killer = -1;
	poll_active();
}
END_TEST

TCase *loop_case(void);
TCase *loop_case(void)
{
	TCase *t = tcase_create("loop");

	tcase_set_timeout(t, 10);
	tcase_add_loop_test(t, a_port_that_dies_in_anothers_turn_is_gone_and_the_others_go_on, 0, PORTS * PORTS);
	return t;
}
