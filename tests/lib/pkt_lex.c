/* SPDX-License-Identifier: MIT */
/* See pkt_lex.h. */
#include "tests/lib/pkt_lex.h"
#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

jmp_buf lex_out;
char lex_error[512];
int lex_line;
const char *lex_file;

void lex_fail(const char *f, ...)
{
	va_list ap;
	int n = snprintf(lex_error, sizeof(lex_error), "%s:%d: ", lex_file, lex_line);

	va_start(ap, f);
	vsnprintf(lex_error + n, sizeof(lex_error) - (size_t)n, f, ap);
	va_end(ap);
	longjmp(lex_out, 1);
}

void lex_skip(const char **p)
{
	while (isspace((unsigned char)**p))
		++*p;
}

bool lex_word(const char **p, const char *w)
{
	size_t n = strlen(w);

	lex_skip(p);
	if (strncmp(*p, w, n) || (isalnum((unsigned char)w[n - 1]) && isalnum((unsigned char)(*p)[n])))
		return false;
	*p += n;
	return true;
}

void lex_need(const char **p, const char *w)
{
	if (!lex_word(p, w))
		lex_fail("'%s' expected at '%s'", w, *p);
}

s64 lex_number(const char **p)
{
	char *end;
	s64 v;

	lex_skip(p);
	v = strtoll(*p, &end, 10);
	if (end == *p)
		lex_fail("number expected at '%s'", *p);
	*p = end;
	return v;
}

void lex_name(const char **p, char *to, size_t size)
{
	size_t n = 0;

	lex_skip(p);
	while ((isalnum((unsigned char)**p) || **p == '_' || **p == '-') && n + 1 < size)
		to[n++] = *(*p)++;
	to[n] = 0;
	if (!n)
		lex_fail("name expected at '%s'", *p);
}

bool lex_compare(const char **p, s64 have, s64 *want)
{
	char op[3] = { 0 };

	lex_skip(p);
	for (int i = 0; i < 2 && **p && strchr("=<>!", **p); i++)
		op[i] = *(*p)++;
	*want = lex_number(p);
	if (!strcmp(op, "=="))
		return have == *want;
	if (!strcmp(op, "!="))
		return have != *want;
	if (!strcmp(op, "<"))
		return have < *want;
	if (!strcmp(op, ">"))
		return have > *want;
	if (!strcmp(op, "<="))
		return have <= *want;
	if (!strcmp(op, ">="))
		return have >= *want;
	lex_fail("operator '%s'", op);
}
