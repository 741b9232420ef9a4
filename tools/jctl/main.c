/* SPDX-License-Identifier: MIT */
/* jctl: picks the command. Nothing else. */
#include "tools/jctl/jctl.h"

#include <stdio.h>
#include <string.h>

static const struct jctl_cmd commands[] = {
#define CMD(name, summary) { #name, cmd_##name, summary },
#include "tools/jctl/cmd_list.h"
#undef CMD
};

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
