/* SPDX-License-Identifier: MIT */
/* Words and numbers of the conformance scripts' lines (pkt_script.h). What is not as expected ends the script by a long jump. */
#ifndef TESTS_LIB_PKT_LEX_H
#define TESTS_LIB_PKT_LEX_H

#include "base/types.h"
#include <setjmp.h>

extern jmp_buf lex_out;	    /* where lex_fail goes to */
extern char lex_error[512]; /* and what it leaves: FILE:LINE: why */
extern int lex_line;
extern const char *lex_file;

void lex_fail(const char *f, ...) __attribute__((noreturn, format(printf, 1, 2)));
/* Each moves *p behind what it took, blanks before that included. */
void lex_skip(const char **p);
bool lex_word(const char **p, const char *w); /* false: it is not there */
void lex_need(const char **p, const char *w);
s64 lex_number(const char **p);
void lex_name(const char **p, char *to, size_t size); /* letters, digits, _ and - */
bool lex_compare(const char **p, s64 have, s64 *want); /* "OP NUMBER", true if have OP *want */

#endif
