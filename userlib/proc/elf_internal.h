/* SPDX-License-Identifier: MIT */
/* Shared by elf.c (checks) and elf_load.c (mapping). */
#ifndef USERLIB_PROC_ELF_INTERNAL_H
#define USERLIB_PROC_ELF_INTERNAL_H

#include "userlib/base/string.h"
#include "userlib/proc/elf.h"
#include <linux/auxvec.h>
#include <linux/elf.h>
#include <linux/mman.h>
#include <linux/mount.h>

struct elf_file {
	struct file *f;
	Elf64_Ehdr eh;
	Elf64_Phdr *ph;
	u32 nph;
	u64 lo, hi;	  /* page bounds of the segments, unbiased */
	u64 last_end;
	u64 align;
	u64 phdr_vaddr;	  /* of the header table in memory, unbiased; 0 = not loaded */
	u64 bias;
	bool exec_stack;
	char *interp_name; /* PATH_MAX_LEN bytes */
};

struct elf_image {
	struct elf_file prog, interp;
	bool has_interp;
};

#endif
