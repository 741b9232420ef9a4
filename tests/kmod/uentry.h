/* SPDX-License-Identifier: MIT */
/*
 * The user side of software user interrupts as jabi_kmod.h asks for it, for one receiving thread: its page is mapped at KT_PAGE. The handler
 * saves the vector state, destroys it, counts, and returns by IRETQ in the restartable way.
 */
#ifndef TESTS_KMOD_UENTRY_H
#define TESTS_KMOD_UENTRY_H

#include "tests/kmod/kt.h"

#define KT_PAGE 0x10000000ul
static volatile struct jabi_kmod_thread *const kt_page = (void *)KT_PAGE;
static volatile unsigned long kt_hits[64];
static volatile unsigned long kt_in_masked;  /* handlers that ran in a masked section */
static volatile int kt_section;		     /* the receiver is in one */
static volatile unsigned long kt_misaligned; /* frames not at a multiple of 16 */

void kt_handler(struct jabi_kmod_frame *f);
void kt_take_pending(void);
extern char kt_entry[], kt_ret_begin[], kt_ret_end[];

__attribute__((used, target("general-regs-only"))) void kt_handler(struct jabi_kmod_frame *f)
{
	kt_hits[f->vector & 63]++;
	kt_in_masked += kt_section;
	kt_misaligned += ((unsigned long)f & 15) != 0;
}

/* Called masked. */
__attribute__((used, target("general-regs-only"))) void kt_take_pending(void)
{
	unsigned long bits = __atomic_exchange_n(&kt_page->pending, 0, __ATOMIC_SEQ_CST);

	for (; bits; bits &= bits - 1)
		kt_hits[__builtin_ctzl(bits)]++;
}

static inline void kt_mask(void)
{
	__atomic_store_n(&kt_page->masked, 1, __ATOMIC_SEQ_CST);
}

static inline void kt_unmask(void)
{
	for (;;) {
		__atomic_store_n(&kt_page->masked, 0, __ATOMIC_SEQ_CST);
		if (!__atomic_load_n(&kt_page->pending, __ATOMIC_SEQ_CST))
			return;
		kt_mask();
		kt_take_pending();
	}
}

#define KT_PUSH "push %rax; push %rcx; push %rdx; push %rsi; push %rdi; push %r8; push %r9; push %r10; push %r11; push %rbx; push %rbp\n"
#define KT_POP	"pop %rbp; pop %rbx; pop %r11; pop %r10; pop %r9; pop %r8; pop %rdi; pop %rsi; pop %rdx; pop %rcx; pop %rax\n"

/* At the entry RSP points to the frame: vector, RIP, RFLAGS, RSP. The frame for IRETQ is made in the 48 bytes below it. */
asm(".text\n"
    ".globl kt_entry, kt_ret_begin, kt_ret_end\n"
    "kt_entry:\n"
    "	lea -48(%rsp), %rsp\n" KT_PUSH
    "	lea 136(%rsp), %rdi\n"
    "	mov 8(%rdi), %rax; mov %rax, -48(%rdi)\n"
    "	movq $0x33, -40(%rdi)\n"
    "	mov 16(%rdi), %rax; mov %rax, -32(%rdi)\n"
    "	mov 24(%rdi), %rax; mov %rax, -24(%rdi)\n"
    "	movq $0x2b, -16(%rdi)\n"
    "	mov %rsp, %rbp\n"
    "	sub $4096, %rsp\n"
    "	and $-64, %rsp\n"
    "	xor %eax, %eax; movq %rax, 512(%rsp); movq %rax, 520(%rsp); movq %rax, 528(%rsp); movq %rax, 536(%rsp)\n"
    "	movq %rax, 544(%rsp); movq %rax, 552(%rsp); movq %rax, 560(%rsp); movq %rax, 568(%rsp)\n"
    "	mov $7, %eax; xor %edx, %edx; xsave64 (%rsp)\n"
    "	vpcmpeqd %ymm0, %ymm0, %ymm0; vmovdqa %ymm0, %ymm1; vmovdqa %ymm0, %ymm2; vmovdqa %ymm0, %ymm3; vmovdqa %ymm0, %ymm7\n"
    "	vmovdqa %ymm0, %ymm8; vmovdqa %ymm0, %ymm12; vmovdqa %ymm0, %ymm15; fninit\n"
    "	cld\n"
    "	call kt_handler\n"
    "	mov $7, %eax; xor %edx, %edx; xrstor64 (%rsp)\n"
    "	mov %rbp, %rsp\n" KT_POP
    "kt_ret_begin:\n"
    "	movl $0, 0x10000000\n"
    "	cmpq $0, 0x10000008\n"
    "	jne kt_again\n"
    "	iretq\n"
    "kt_ret_end:\n"
    "kt_again:\n"
    "	movl $1, 0x10000000\n" KT_PUSH
    "	mov %rsp, %rbp\n"
    "	and $-16, %rsp\n"
    "	cld\n"
    "	call kt_take_pending\n"
    "	mov %rbp, %rsp\n" KT_POP
    "	jmp kt_ret_begin\n");

/* Registers the calling thread, maps its page at KT_PAGE and gives it the handler. */
static inline int kt_receive(int inst, unsigned int *slot, unsigned long stack, unsigned long slice_ns, unsigned int slice_vector)
{
	struct jabi_kmod_uintr u = { .size = sizeof(u), .flags = JABI_KMOD_UINTR_SOFT, .handler = (unsigned long)kt_entry, .stack = stack,
				     .ret_begin = (unsigned long)kt_ret_begin, .ret_end = (unsigned long)kt_ret_end,
				     .slice_ns = slice_ns, .slice_vector = slice_vector };

	if (!*slot) {
		if (kt_register(inst, slot))
			return -1;
		if (mmap((void *)KT_PAGE, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, inst, *slot * 4096l) == MAP_FAILED)
			return -1;
	}
	u.slot = *slot;
	if (ioctl(inst, JABI_KMOD_UINTR, &u))
		return -1;
	return u.delivery == JABI_KMOD_DELIVERY_SW ? 0 : -1;
}

#endif
