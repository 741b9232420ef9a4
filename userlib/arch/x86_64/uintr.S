/* SPDX-License-Identifier: MIT */
/*
 * Handler of user interrupts, software delivery (jabi_kmod.h): the module has pushed vector, RIP, RFLAGS and RSP at the top of the kThread's
 * interrupt stack and masked further ones. uintr_handle() does not return if the program was interrupted.
 *
 * The way back to kernel code leaves the interrupt stack before it unmasks: what is needed for the last three instructions lies on the
 * interrupted stack, below the red zone (the host's vDSO has one). So the next user interrupt, or a host signal, may come at any point.
 */
#include "userlib/arch/x86_64/trapframe.h"
	.text
	.globl uintr_entry

	.p2align 6
uintr_entry:
	push %rdi	/* struct uintr_regs: here its pad, so that rsp is a multiple of 16 at the call */
	push %rdi
	push %rsi
	push %rdx
	push %rcx
	push %rax
	push %r8
	push %r9
	push %r10
	push %r11
	push %rbx
	push %rbp
	push %r12
	push %r13
	push %r14
	push %r15
	pushfq		/* DF, AC and NT are the program's */
	andl $~0x44400, (%rsp)
	popfq
	mov %rsp, %rdi
	call uintr_handle
	pop %r15
	pop %r14
	pop %r13
	pop %r12
	pop %rbp
	pop %rbx
	pop %r11
	pop %r10
	pop %r9
	pop %r8
	pop %rax
	pop %rcx
	pop %rdx
	pop %rsi
	pop %rdi
	lea 8(%rsp), %rsp
	mov %rax, %gs:GS_UI_RAX
	mov 24(%rsp), %rax
	lea -152(%rax), %rax
	pushq 16(%rsp)
	popq 8(%rax)
	pushq 8(%rsp)
	popq 16(%rax)
	pushq %gs:GS_UI_RAX
	popq (%rax)
	mov %rax, %rsp
	mov %gs:GS_UI_LINE, %rax
	movl $0, (%rax)
	cmpq $0, 8(%rax)
	jne 1f
2:	pop %rax
	popfq
	ret $128
1:	push %rcx
	push %rdx
	push %rsi
	push %rdi
	push %r8
	push %r9
	push %r10
	push %r11
	call uintr_more
	pop %r11
	pop %r10
	pop %r9
	pop %r8
	pop %rdi
	pop %rsi
	pop %rdx
	pop %rcx
	jmp 2b
	.section .note.GNU-stack,"",@progbits
