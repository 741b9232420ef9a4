/* SPDX-License-Identifier: MIT */
/*
 * Finding system-call sites in x86-64 code and turning them into jumps to stubs. Pure: works on memory, opens nothing.
 *
 * A site is patched in one of two shapes. BEFORE: one instruction of five bytes or more, before the `syscall` in the same straight line
 * of code, becomes `jmp stub`; the stub runs that instruction and those that follow, then enters the kernel with rcx = the address behind
 * the `syscall`. The `syscall` stays, so code that jumps into the line still works (it traps). AFTER: the `syscall` and the instructions
 * behind it become `jmp stub`; the stub enters the kernel, runs the displaced instructions and jumps back. Only where no branch of the
 * section leads into the displaced bytes. In both, the two bytes before the return address are a `syscall`: a restarted call re-executes it.
 */
#ifndef TOOLS_PATCH_PATCH_H
#define TOOLS_PATCH_PATCH_H

#include "base/types.h"

#define PATCH_EDIT_MAX 16
struct patch_edit {
	u64 vaddr;
	u8 len;
	u8 bytes[PATCH_EDIT_MAX];
};

struct patch_set {
	u64 stub_vaddr; /* where stubs will run; set before patch_code */
	u8 *stubs;
	size_t stub_len, stub_cap;
	struct patch_edit *edits;
	u32 nr_edits, edits_cap;
	u32 nr_sites, nr_before, nr_after;
};

/* Sweeps `len` bytes of code that run at `vaddr`; adds edits and stubs to *s. Code is not changed. 0, -ENOMEM, or -ELIBACC without libZydis. */
int patch_code(struct patch_set *s, const u8 *code, size_t len, u64 vaddr) must_check;
void patch_set_free(struct patch_set *s);

#endif
