/* SPDX-License-Identifier: MIT */
/* Messages of jctl: one line each, cause then mend. */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "tools/jctl/jctl.h"

/* One write, so that lines of several processes do not mix. Control characters from arguments are made harmless. */
static void print_line(const char *text, const char *tail, const char *mend)
{
	char line[1024];
	int n = snprintf(line, sizeof(line) - 1, "jctl: %s%s%s%s%s", text, tail ? ": " : "",
			 tail ? tail : "", mend ? "; " : "", mend ? mend : "");

	if (n > (int)sizeof(line) - 2)
		n = (int)sizeof(line) - 2;
	for (int i = 0; i < n; i++)
		if ((unsigned char)line[i] < 0x20 || line[i] == 0x7f)
			line[i] = '?';
	line[n] = '\n';
	line[n + 1] = 0;
	fputs(line, stderr);
}

int jctl_fail(const char *mend, const char *cause, ...)
{
	char text[768];
	va_list ap;

	va_start(ap, cause);
	vsnprintf(text, sizeof(text), cause, ap);
	va_end(ap);
	print_line(text, NULL, mend);
	return -1;
}

int jctl_fail_errno(int err, const char *mend, const char *what, ...)
{
	char text[768];
	va_list ap;

	va_start(ap, what);
	vsnprintf(text, sizeof(text), what, ap);
	va_end(ap);
	if (err == EMFILE || err == ENFILE)
		mend = "raise the descriptor limit (ulimit -n)";
	print_line(text, strerror(err), mend);
	return -1;
}
