/* SPDX-License-Identifier: MIT */
/*
 * The only `syscall` instructions of an instance. The seccomp program lets exactly the three return addresses below through.
 * Anything a hostile program reaches by jumping here is still limited by the allow-list.
 */
	.text
	.globl host_syscall6, host_syscall_ret, host_restorer, host_restorer_ret, host_clone_asm, host_clone_ret

/* long host_syscall6(nr, a, b, c, d, e, f) */
host_syscall6:
	mov %rdi, %rax
	mov %rsi, %rdi
	mov %rdx, %rsi
	mov %rcx, %rdx
	mov %r8, %r10
	mov %r9, %r8
	mov 8(%rsp), %r9
	syscall
host_syscall_ret:
	ret

/* sa_restorer of the host signal handlers */
host_restorer:
	mov $15, %eax
	syscall
host_restorer_ret:
	ud2

/* int host_clone_asm(flags, stack, ptid, ctid, fn, arg, gs): the child calls fn(arg) on `stack` with GS base = gs */
host_clone_asm:
	push %rbx
	push %r12
	push %r13
	mov %r8, %rbx
	mov %r9, %r12
	mov 32(%rsp), %r13
	mov %rcx, %r10
	xor %r8d, %r8d
	mov $56, %eax
	syscall
host_clone_ret:
	test %eax, %eax
	jz 1f
	pop %r13
	pop %r12
	pop %rbx
	ret
1:	xor %ebp, %ebp
	wrgsbase %r13
	mov %r12, %rdi
	call *%rbx
	ud2
	.section .note.GNU-stack,"",@progbits
