/* SPDX-License-Identifier: MIT */
/* jctl: picks the command. Nothing else. */
#include "tools/jctl/jctl.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static const struct jctl_cmd commands[] = {
#define CMD(name, summary) { #name, cmd_##name, summary },
#include "tools/jctl/cmd_list.h"
#undef CMD
};

/* One write, so that lines of several processes do not mix. Control characters from arguments are made harmless. */
static void print_line(const char *text, const char *tail, const char *mend)
{
	char line[1024];
	int n = snprintf(line, sizeof(line) - 1, "jctl: %s%s%s%s%s", text, tail ? ": " : "", tail ? tail : "",
			 mend ? "; " : "", mend ? mend : "");

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
	print_line(text, strerror(err), mend);
	return -1;
}

static void usage(FILE *to)
{
	fprintf(to, "usage: jctl COMMAND [ARG...]\n\n");
	for (size_t i = 0; i < ARRAY_SIZE(commands); i++)
		fprintf(to, "  %-8s %s\n", commands[i].name, commands[i].summary);
	fprintf(to, "\n`jctl COMMAND --help` says more.\n");
}

int main(int argc, char **argv)
{
	if (argc < 2) {
		usage(stderr);
		return EXIT_JCTL;
	}
	if (!strcmp(argv[1], "--help") || !strcmp(argv[1], "-h") || !strcmp(argv[1], "help")) {
		usage(stdout);
		return 0;
	}
	for (size_t i = 0; i < ARRAY_SIZE(commands); i++)
		if (!strcmp(argv[1], commands[i].name))
			return commands[i].run(argc - 1, argv + 1);
	jctl_fail("`jctl --help` lists the commands", "unknown command \"%s\"", argv[1]);
	return EXIT_JCTL;
}
