/* SPDX-License-Identifier: MIT */
/*
 * The host calls of an instance: one table, from which the seccomp allow-list is built and `jctl doctor --host-calls` prints. It is the
 * launcher's half of the contract in userlib/rt/host.h. Several rows of one call are alternatives; the conditions of a row hold together.
 */
#ifndef TOOLS_JCTL_HOST_CALLS_H
#define TOOLS_JCTL_HOST_CALLS_H

#include "base/types.h"

enum cond_kind {
	COND_END,
	COND_MASKED,	 /* (arg & mask) == value */
	COND_EQUAL,	 /* arg == value */
	COND_AT_MOST,	 /* arg <= value */
	COND_PATCH_SOCK, /* arg == the patch service's socket of this instance */
};

struct arg_cond {
	u8 kind;
	u8 arg;
	u64 mask, value;
	const char *text; /* for people */
};

/* When a row is in the filter. */
enum call_group { CALL_ALWAYS, CALL_WRITABLE };

#define HOST_CALL_MAX_CONDS 4
struct host_call {
	int nr;
	const char *name;
	enum call_group group;
	const char *use; /* what the instance does with it */
	struct arg_cond cond[HOST_CALL_MAX_CONDS];
};

extern const struct host_call host_calls[];
extern const size_t nr_host_calls;

#endif
