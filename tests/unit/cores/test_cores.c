/* SPDX-License-Identifier: MIT */
/* A kThread and its granted CPU (rt/cores.c), with a simulated bell and module: what is asked for when, and the way back when nobody grants. */
#include <check.h>
#include <stdarg.h>
#include <string.h>

#include "userlib/base/log.h"
#include "userlib/rt/cores.h"
#include "userlib/rt/host.h"
#include "userlib/rt/kmod.h"

static struct kthread kt;
static unsigned rings, parks, leaves;
static u32 rung;
static long write_result;
static int park_results[4]; /* one after the other */

long host_write(int fd, const void *buf, size_t len)
{
	ck_assert_int_eq(fd, 9);
	ck_assert_uint_eq(len, 8);
	memcpy(&rung, buf, 4);
	rings++;
	return write_result;
}

int kmod_park(struct kthread *k, bool leave)
{
	ck_assert_ptr_eq(k, &kt);
	if (leave) {
		leaves++;
		return 0;
	}
	ck_assert_uint_eq(rings, parks + 1); /* the bell first: the daemon may not know us */
	return park_results[parks++];
}

bool kmod_present(void)
{
	return true;
}

void log_msg(enum log_level level, const char *fmt, ...)
{
	(void)level, (void)fmt;
}

static void setup(void)
{
	memset(&kt, 0, sizeof(kt));
	memset(park_results, 0, sizeof(park_results));
	rings = parks = leaves = 0;
	write_result = 8;
	kt.kmod_slot = 77;
	cores_boot(9);
}

START_TEST(acquired_once_and_released_once)
{
	ck_assert_str_eq(cores_ops()->name, "kmod");
	cores_ops()->acquire(&kt);
	cores_ops()->acquire(&kt);
	ck_assert_uint_eq(parks, 1);
	ck_assert_uint_eq(rung, 77);
	cores_ops()->release(&kt);
	cores_ops()->release(&kt);
	ck_assert_uint_eq(leaves, 1);
	cores_ops()->acquire(&kt);
	ck_assert_uint_eq(parks, 2);
}
END_TEST

START_TEST(yields_when_asked_and_only_what_it_holds)
{
	cores_ops()->acquire(&kt);
	cores_ops()->yield(&kt);
	ck_assert_uint_eq(parks, 1);
	kt.core_yield = 1;
	cores_ops()->yield(&kt);
	cores_ops()->yield(&kt);
	ck_assert_uint_eq(parks, 2);
	cores_ops()->release(&kt);
	kt.core_yield = 1;
	cores_ops()->yield(&kt);
	ck_assert_uint_eq(parks, 2);
}
END_TEST

START_TEST(signal_makes_it_ask_again)
{
	park_results[0] = park_results[1] = -EINTR;
	cores_ops()->acquire(&kt);
	ck_assert_uint_eq(parks, 3);
	ck_assert_uint_eq(kt.core_held, 1);
}
END_TEST

START_TEST(dead_daemon_leaves_it_to_the_host)
{
	cores_ops()->acquire(&kt);
	park_results[1] = -EPIPE;
	kt.core_yield = 1;
	cores_ops()->yield(&kt);
	ck_assert_str_eq(cores_ops()->name, "host");
	ck_assert_uint_eq(kt.core_held, 0);
	cores_ops()->release(&kt);
	cores_ops()->acquire(&kt);
	ck_assert_uint_eq(parks + leaves, 2);
}
END_TEST

START_TEST(bell_without_reader_leaves_it_to_the_host)
{
	write_result = -EPIPE;
	cores_ops()->acquire(&kt);
	ck_assert_uint_eq(parks, 0);
	ck_assert_str_eq(cores_ops()->name, "host");
}
END_TEST

START_TEST(full_bell_does_not_stop_it)
{
	write_result = -EAGAIN;
	cores_ops()->acquire(&kt);
	ck_assert_uint_eq(parks + kt.core_held, 0);
	ck_assert_str_eq(cores_ops()->name, "kmod");
}
END_TEST

START_TEST(thread_without_slot_is_the_hosts)
{
	kt.kmod_slot = 0;
	cores_ops()->acquire(&kt);
	cores_ops()->release(&kt);
	ck_assert_uint_eq(rings + parks + leaves, 0);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("cores");
	TCase *t = tcase_create("cores");
	SRunner *r;
	int failed;

	tcase_add_checked_fixture(t, setup, NULL);
	tcase_add_test(t, acquired_once_and_released_once);
	tcase_add_test(t, yields_when_asked_and_only_what_it_holds);
	tcase_add_test(t, signal_makes_it_ask_again);
	tcase_add_test(t, dead_daemon_leaves_it_to_the_host);
	tcase_add_test(t, bell_without_reader_leaves_it_to_the_host);
	tcase_add_test(t, full_bell_does_not_stop_it);
	tcase_add_test(t, thread_without_slot_is_the_hosts);
	suite_add_tcase(s, t);
	r = srunner_create(s);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed != 0;
}
