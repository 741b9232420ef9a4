/* SPDX-License-Identifier: MIT */
/* Puts the host-call filter, made at build time (filter_gen.c), into the boot pages. */
#include <linux/filter.h>

#include "tools/jctl/filter_programs.h"
#include "tools/jctl/launch.h"

int filter_add(struct launch *l)
{
	bool is_writable = l->boot.flags & JABI_F_WRITABLE;
	size_t bytes = is_writable ? sizeof(filter_writing) : sizeof(filter_reading);

	l->boot.filter.len = (u32)(bytes / sizeof(struct sock_filter));
	return boot_add_bytes(l, is_writable ? filter_writing : filter_reading, bytes,
			      &l->boot.filter.off);
}
