/* SPDX-License-Identifier: MIT */
/* The arithmetic of user interrupts in the kernel module (kmod/uintr_logic.h), against the numbers of the Intel SDM. */
#include <check.h>
#include <stdlib.h>

#include "kmod/uintr_logic.h"

START_TEST(frame_keeps_the_red_zone_and_is_aligned)
{
	for (__u64 sp = 0x7fff0000; sp < 0x7fff0040; sp++) {
		__u64 at = jk_frame_address(sp, 128);

		ck_assert_uint_eq(at % 16, 0);
		ck_assert_uint_le(at + sizeof(struct jabi_kmod_frame), sp - 128);
		ck_assert_uint_gt(at + sizeof(struct jabi_kmod_frame) + 16, sp - 128);
	}
}
END_TEST

START_TEST(frame_on_an_absolute_stack_ignores_rsp)
{
	ck_assert_uint_eq(jk_frame_address(0xdeadbeef, 0x10000 | 1), 0x10000 - 32);
	ck_assert_uint_eq(jk_frame_address(0, 0x1000e | 1), 0x10000 - 32);
	ck_assert_uint_eq(sizeof(struct jabi_kmod_frame), 32);
}
END_TEST

START_TEST(handler_runs_without_tf_and_rf)
{
	ck_assert_uint_eq(jk_handler_flags(0x10346), 0x246);
	ck_assert_uint_eq(jk_handler_flags(0x246), 0x246);
	ck_assert_uint_eq(jk_handler_flags(0x40400), 0x40400); /* AC and DF stay */
}
END_TEST

START_TEST(highest_vector_goes_first)
{
	for (unsigned v = 0; v < 64; v++) {
		ck_assert_uint_eq(jk_highest(1ull << v), v);
		ck_assert_uint_eq(jk_highest(1ull << v | 1), v);
		ck_assert_uint_eq(jk_highest(~0ull >> (63 - v)), v);
	}
}
END_TEST

START_TEST(return_range_is_half_open)
{
	ck_assert(!jk_in_return(99, 100, 110));
	ck_assert(jk_in_return(100, 100, 110));
	ck_assert(jk_in_return(109, 100, 110));
	ck_assert(!jk_in_return(110, 100, 110));
	ck_assert(!jk_in_return(0, 0, 0)); /* none registered */
}
END_TEST

/* Interrupts and exceptions always; system calls with a final result only. */
START_TEST(system_calls_in_flight_are_left_alone)
{
	ck_assert(jk_exit_is_final(-1, -512));
	ck_assert(jk_exit_is_final(-1, -38));
	ck_assert(jk_exit_is_final(0, 4096));
	ck_assert(jk_exit_is_final(0, -4));    /* EINTR */
	ck_assert(!jk_exit_is_final(0, -38));  /* ENOSYS, or not yet run */
	ck_assert(jk_exit_is_final(0, -511));
	for (int e = 512; e <= 516; e++)
		ck_assert(!jk_exit_is_final(35, -e));
	ck_assert(jk_exit_is_final(0, -517));
}
END_TEST

/* UPID: ON bit 0, SN bit 1, NV 23:16, NDST 63:32; in xAPIC mode the 8-bit id is in NDST bits 15:8. */
START_TEST(descriptor_fields_are_where_the_cpu_looks)
{
	ck_assert_uint_eq(jk_upid_status(0xec, 0x12345678, 1, 0), 0x1234567800ec0000ull);
	ck_assert_uint_eq(jk_upid_status(0xec, 0x05, 0, 0), 0x0000050000ec0000ull);
	ck_assert_uint_eq(jk_upid_status(0, 0, 1, ~0ull), 3);
	ck_assert_uint_eq(jk_upid_status(0x1ff, 0, 1, 0), 0xff0000);
	ck_assert_uint_eq(sizeof(struct jk_upid), 64);
	ck_assert_uint_eq(_Alignof(struct jk_upid), 64);
	ck_assert_uint_eq(__builtin_offsetof(struct jk_upid, pir), 8);
	ck_assert_uint_eq(sizeof(struct jk_uitte), 16);
	ck_assert_uint_eq(__builtin_offsetof(struct jk_uitte, vector), 1);
	ck_assert_uint_eq(__builtin_offsetof(struct jk_uitte, upid), 8);
}
END_TEST

START_TEST(msr_values)
{
	ck_assert_uint_eq(jk_msr_tt(0xffff888000001000ull), 0xffff888000001001ull);
	ck_assert_uint_eq(jk_msr_tt(0), 0); /* SENDUIPI faults */
	ck_assert_uint_eq(jk_msr_misc(63, 0xec), 0xec0000003full);
	ck_assert_uint_eq(jk_msr_misc(63, 0), 63); /* UINV = 0: nothing is taken for ours */
}
END_TEST

START_TEST(nothing_is_lost_over_a_switch)
{
	ck_assert_uint_eq(jk_uirr_restore(1, 2, 4), 7);
	ck_assert_uint_eq(jk_uirr_restore(1, 1, 1), 1);
	ck_assert_uint_eq(jk_uirr_restore(0, 0, 0), 0);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("kmod");
	TCase *t = tcase_create("uintr_logic");
	SRunner *r = srunner_create(s);
	int failed;

	tcase_add_test(t, frame_keeps_the_red_zone_and_is_aligned);
	tcase_add_test(t, frame_on_an_absolute_stack_ignores_rsp);
	tcase_add_test(t, handler_runs_without_tf_and_rf);
	tcase_add_test(t, highest_vector_goes_first);
	tcase_add_test(t, return_range_is_half_open);
	tcase_add_test(t, system_calls_in_flight_are_left_alone);
	tcase_add_test(t, descriptor_fields_are_where_the_cpu_looks);
	tcase_add_test(t, msr_values);
	tcase_add_test(t, nothing_is_lost_over_a_switch);
	suite_add_tcase(s, t);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
