/* SPDX-License-Identifier: MIT */
/*
 * The program's registers while its uThread is in the kernel, and the GS offsets that asm uses. Shared by .S and C; C asserts each.
 * One trapframe per uThread, at the top of its kernel stack.
 */
#ifndef ARCH_TRAPFRAME_H
#define ARCH_TRAPFRAME_H

#define TF_R15 0
#define TF_R14 8
#define TF_R13 16
#define TF_R12 24
#define TF_RBP 32
#define TF_RBX 40
#define TF_R11 48
#define TF_R10 56
#define TF_R9 64
#define TF_R8 72
#define TF_RAX 80
#define TF_RCX 88
#define TF_RDX 96
#define TF_RSI 104
#define TF_RDI 112
#define TF_ORIG_RAX 120
#define TF_AHFLAGS 128
#define TF_KIND 136
#define TF_RIP 144
#define TF_CS 152
#define TF_RFLAGS 160
#define TF_RSP 168
#define TF_SS 176
#define TF_SIZE 192

/* How the frame came to be, and so how it may be left. */
#define TF_SYSCALL 0 /* fast exit: rcx, r11 are scratch, flags from TF_AHFLAGS */
#define TF_FULL 1    /* every register counts: leave by iretq */

#define GS_SELF 0x00
#define GS_KSTACK 0x08	/* trapframe of the current uThread */
#define GS_ENTRY 0x10	/* patched sites jump through here (JABI_GS_SYSCALL_ENTRY) */
#define GS_USER_RSP 0x18
#define GS_WORK 0x20	/* u32: look before returning to the program */
#define GS_CURRENT 0x28
#define GS_CPU 0x30	/* u32: index shown as CPU number (getcpu) */
#define GS_VDSO 0x38	/* host vDSO clock_gettime, or our fallback */

#define GS_UI_LINE 0x40	/* the page that is shared with the kernel module: `masked` at 0, `pending` at 8 (jabi_kmod.h) */
#define GS_UI_RAX 0x48	/* scratch of the way out of a user interrupt */

#ifndef __ASSEMBLER__
#include "base/types.h"
struct trapframe {
	u64 r15, r14, r13, r12, rbp, rbx, r11, r10, r9, r8, rax, rcx, rdx, rsi, rdi;
	u64 orig_rax; /* system-call number, -1 if not in a system call */
	u64 ahflags;  /* low byte OF, next byte as LAHF leaves it */
	u64 kind;
	u64 rip, cs, rflags, rsp, ss;
	u64 pad;
};
_Static_assert(sizeof(struct trapframe) == TF_SIZE, "trapframe");
_Static_assert(offsetof(struct trapframe, rip) == TF_RIP, "trapframe");
_Static_assert(offsetof(struct trapframe, rax) == TF_RAX, "trapframe");
_Static_assert(offsetof(struct trapframe, ss) == TF_SS, "trapframe");
#endif

#endif
