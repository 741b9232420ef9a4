/* SPDX-License-Identifier: MIT */
/* Kernel-stack switch and vector state. */
	.text
	.globl ctx_switch, xsave_compact, xsave_standard, xstate_restore, xsave_light, xrestore_light

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
/*
 * The light image: what most programs have in use is SSE, and with AVX-512 string functions also opmask and zmm16-31 (vzeroupper does not
 * reset those). Plain moves of these three are a quarter of XSAVEC's time. The image is a standard-format one that XRSTOR also takes.
 * XINUSE comes from XGETBV(1); components we do not offer (tiles) are ignored.
 */
#define XF_OURS 0x2e7
#define XF_LIGHT 0xa2
#define XF_SSE 2
#define XF_Z 0xa0
	.macro all_xmm op
	.irp i, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15
	\op \i
	.endr
	.endm
	.macro xmm_out i
	movaps %xmm\i, 160 + 16 * \i(%rdi)
	.endm
	.macro xmm_in i
	movaps 160 + 16 * \i(%rdi), %xmm\i
	.endm

/* u32 xsave_light(void *area, u64 opmask_offset, u64 hi16_offset): 1, or 0 if more than that is in use (nothing saved) */
xsave_light:
	mov %rdx, %r9
	mov $1, %ecx
	xgetbv
	and $XF_OURS, %eax
	test $~XF_LIGHT, %eax
	jnz 9f
	stmxcsr 24(%rdi)
	all_xmm xmm_out
	mov $XF_SSE, %ecx
	test $XF_Z, %eax
	jz 1f
	mov $XF_LIGHT, %ecx
	add %rdi, %r9
	add %rdi, %rsi
	.irp i, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31
	vmovdqa64 %zmm\i, 64 * (\i - 16)(%r9)
	.endr
	.irp i, 0, 1, 2, 3, 4, 5, 6, 7
	kmovq %k\i, 8 * \i(%rsi)
	.endr
1:	mov %rcx, 512(%rdi)
	movq $0, 520(%rdi)
	mov $1, %eax
	ret
9:	xor %eax, %eax
	ret

/* u32 xrestore_light(const void *area, u64 opmask_offset, u64 hi16_offset): 1, or 0 if the registers hold more than the image has */
xrestore_light:
	mov %rdx, %r9
	mov $1, %ecx
	xgetbv
	and $XF_OURS, %eax
	mov 512(%rdi), %ecx
	or $XF_SSE, %ecx
	not %ecx
	test %ecx, %eax
	jnz 9f
	ldmxcsr 24(%rdi)
	all_xmm xmm_in
	test $XF_Z, %ecx
	jnz 1f
	add %rdi, %r9
	add %rdi, %rsi
	.irp i, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31
	vmovdqa64 64 * (\i - 16)(%r9), %zmm\i
	.endr
	.irp i, 0, 1, 2, 3, 4, 5, 6, 7
	kmovq 8 * \i(%rsi), %k\i
	.endr
1:	mov $1, %eax
	ret
9:	xor %eax, %eax
	ret
	.section __ex_table,"aw",@progbits
	.quad 1b, 2b
	.section .note.GNU-stack,"",@progbits
