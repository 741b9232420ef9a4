/* SPDX-License-Identifier: MIT */
/* The smallest program: one line on stdout, one on stderr, an exit code. */
#include "t.h"

int main(void)
{
	puts("hello");
	fputs("to stderr\n", stderr);
	return 42;
}
