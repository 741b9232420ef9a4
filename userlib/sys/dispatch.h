/* SPDX-License-Identifier: MIT */
/* The dispatcher's data: one row per system call, made from table.h. */
#ifndef USERLIB_SYS_DISPATCH_H
#define USERLIB_SYS_DISPATCH_H

#include "base/types.h"

#define SYS_NR_MAX 464

struct sys_row {
	long (*fn)(u64, u64, u64, u64, u64, u64); /* NULL = not implemented */
	const char *name;
	const char *args; /* the argument declarations as text, for strace */
	u8 nr_args;
	u8 flags;
};
extern const struct sys_row sys_table[SYS_NR_MAX];
extern u64 sys_counts[SYS_NR_MAX]; /* [a] calls per number, counted while --stats is on */
extern u64 sys_unknown;
extern bool sys_trace_on, sys_stats_on;
/* strace.c */
void strace_enter(const struct sys_row *row, u64 nr, const u64 args[6]);
void strace_exit(const struct sys_row *row, u64 nr, const u64 args[6], long ret);
extern int strace_fd;

#endif
