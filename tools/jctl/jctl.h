/* SPDX-License-Identifier: MIT */
/* What every part of jctl shares: the command type, messages and exit codes. */
#ifndef TOOLS_JCTL_JCTL_H
#define TOOLS_JCTL_JCTL_H

#include "base/types.h"

#define EXIT_JCTL      125 /* jctl itself could not do it (docker's and env's convention) */
#define EXIT_NOT_EXEC  126 /* found, not executable: reported by the instance */
#define EXIT_NOT_FOUND 127 /* not found: reported by the instance */

struct jctl_cmd {
	const char *name;
	int (*run)(int argc,
		   char **argv); /* argv[0] is the command's name; returns the exit code */
	const char *summary;
};

#define CMD(name, summary) int cmd_##name(int argc, char **argv);
#include "tools/jctl/cmd_list.h"
#undef CMD

/* One line on stderr: "jctl: <cause>; <mend>". mend may be NULL. Always returns -1. */
int jctl_fail(const char *mend, const char *cause, ...) printf_like(2, 3);
/* The same from errno: "jctl: <what>: <strerror>; <mend>". */
int jctl_fail_errno(int err, const char *mend, const char *what, ...) printf_like(3, 4);

#endif
