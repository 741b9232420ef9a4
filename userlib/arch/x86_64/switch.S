/* SPDX-License-Identifier: MIT */
/* Kernel-stack switch and vector state. */
	.text
	.globl ctx_switch, xsave_compact, xsave_standard, xstate_restore

/* void ctx_switch(u64 *save_rsp, u64 load_rsp): pop+jmp instead of ret, which the return predictor would miss */
ctx_switch:
	push %rbp
	push %rbx
	push %r12
	push %r13
	push %r14
	push %r15
	mov %rsp, (%rdi)
	mov %rsi, %rsp
	pop %r15
	pop %r14
	pop %r13
	pop %r12
	pop %rbx
	pop %rbp
	pop %rcx
	jmp *%rcx

/* void xsave_compact(void *area, u64 mask) */
xsave_compact:
	mov %esi, %eax
	mov %rsi, %rdx
	shr $32, %rdx
	xsavec64 (%rdi)
	ret

/* void xsave_standard(void *area, u64 mask): header cleared first, XSAVE only ORs into it */
xsave_standard:
	xor %eax, %eax
	mov %rax, 512(%rdi)
	mov %rax, 520(%rdi)
	mov %rax, 528(%rdi)
	mov %rax, 536(%rdi)
	mov %rax, 544(%rdi)
	mov %rax, 552(%rdi)
	mov %rax, 560(%rdi)
	mov %rax, 568(%rdi)
	mov %esi, %eax
	mov %rsi, %rdx
	shr $32, %rdx
	xsave64 (%rdi)
	ret

/* long xstate_restore(const void *area, u64 mask): 0, or -EFAULT (-14) if the image is malformed (#GP) */
xstate_restore:
	mov %esi, %eax
	mov %rsi, %rdx
	shr $32, %rdx
1:	xrstor64 (%rdi)
	xor %eax, %eax
	ret
2:	mov $-14, %rax
	ret
	.section __ex_table,"aw",@progbits
	.quad 1b, 2b
	.section .note.GNU-stack,"",@progbits
