/* SPDX-License-Identifier: MIT */
/* Every script of tests/unit/net/scripts, each a test of its own (tests/lib/pkt_script.h). */
#include "tests/lib/pkt_script.h"
#include "tests/unit/net/suites.h"
#include <glob.h>
#include <stdio.h>

static glob_t scripts;

START_TEST(script_runs_as_written)
{
	const char *what = pkt_script_run(scripts.gl_pathv[_i]);

	ck_assert_msg(!what, "%s", what);
}
END_TEST

Suite *tcp_script_suite(void)
{
	Suite *s = suite_create("tcp_script");
	TCase *t = tcase_create("scripts");

	if (glob(SCRIPT_DIR "/*.pkt", 0, NULL, &scripts) || scripts.gl_pathc < 20) {
		fprintf(stderr, "no scripts in " SCRIPT_DIR "\n");
		exit(1);
	}
	tcase_add_checked_fixture(t, net_up, net_down);
	tcase_set_timeout(t, 20);
	tcase_add_loop_test(t, script_runs_as_written, 0, (int)scripts.gl_pathc);
	suite_add_tcase(s, t);
	return s;
}
