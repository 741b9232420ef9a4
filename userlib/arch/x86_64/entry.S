/* SPDX-License-Identifier: MIT */
/*
 * The program's way in and out. In: patched sites come through kernel_entry_syscall as a jump with rcx = return address; traps come
 * through trap.c, which fills the trapframe and jumps to one of the trap_* labels. Out: exit_check.
 *
 * Between exit_check and the last instruction a host signal may say "look again" (GS_WORK): the handler then sends us back to exit_check,
 * which is legal because until exit_jmp/exit_iret everything is re-read from the trapframe.
 */
#include "userlib/arch/x86_64/trapframe.h"
	.text
	.globl kernel_entry_syscall, kernel_entry_stacked, exit_check, exit_jmp, exit_iret, exit_end
	.globl trap_run_syscall, trap_run_call, return_to_user, kernel_start

	.p2align 6
kernel_entry_syscall:
	mov %rsp, %gs:GS_USER_RSP
	mov %gs:GS_KSTACK, %rsp
kernel_entry_stacked:
	mov %rax, TF_RAX(%rsp)
	mov %rax, TF_ORIG_RAX(%rsp)
	lahf
	seto %al
	mov %ax, TF_AHFLAGS(%rsp)
	pushfq
	popq TF_RFLAGS(%rsp)
	mov %rcx, TF_RIP(%rsp)
	mov %gs:GS_USER_RSP, %rax
	mov %rax, TF_RSP(%rsp)
	mov %rdi, TF_RDI(%rsp)
	mov %rsi, TF_RSI(%rsp)
	mov %rdx, TF_RDX(%rsp)
	mov %r10, TF_R10(%rsp)
	mov %r8, TF_R8(%rsp)
	mov %r9, TF_R9(%rsp)
	mov %rbx, TF_RBX(%rsp)
	mov %rbp, TF_RBP(%rsp)
	mov %r12, TF_R12(%rsp)
	mov %r13, TF_R13(%rsp)
	mov %r14, TF_R14(%rsp)
	mov %r15, TF_R15(%rsp)
	movq $TF_SYSCALL, TF_KIND(%rsp)
	mov %rsp, %rdi
	cld
	call syscall_dispatch
exit_check:
	cmpl $0, %gs:GS_WORK
	jne exit_slow
	cmpq $TF_SYSCALL, TF_KIND(%rsp)
	jne exit_full
	testb $4, TF_RFLAGS+1(%rsp) /* the direction flag is not in ahflags, and hardly ever set */
	jnz exit_df
	movzwl TF_AHFLAGS(%rsp), %eax
	add $0x7f, %al
	sahf
	mov TF_RDI(%rsp), %rdi
	mov TF_RSI(%rsp), %rsi
	mov TF_RDX(%rsp), %rdx
	mov TF_R10(%rsp), %r10
	mov TF_R8(%rsp), %r8
	mov TF_R9(%rsp), %r9
	mov TF_RBX(%rsp), %rbx
	mov TF_RBP(%rsp), %rbp
	mov TF_R12(%rsp), %r12
	mov TF_R13(%rsp), %r13
	mov TF_R14(%rsp), %r14
	mov TF_R15(%rsp), %r15
	mov TF_RAX(%rsp), %rax
	mov TF_RIP(%rsp), %rcx
	mov TF_RSP(%rsp), %rsp
exit_jmp:
	jmp *%rcx
exit_df:
	movq $0x33, TF_CS(%rsp)
	movq $0x2b, TF_SS(%rsp)
	mov TF_RIP(%rsp), %rcx
	mov %rcx, TF_RCX(%rsp)
exit_full:
	pushfq			/* iretq faults if the program left NT set */
	andl $~0x4000, (%rsp)
	popfq
	mov TF_RDI(%rsp), %rdi
	mov TF_RSI(%rsp), %rsi
	mov TF_RDX(%rsp), %rdx
	mov TF_R10(%rsp), %r10
	mov TF_R8(%rsp), %r8
	mov TF_R9(%rsp), %r9
	mov TF_RBX(%rsp), %rbx
	mov TF_RBP(%rsp), %rbp
	mov TF_R11(%rsp), %r11
	mov TF_R12(%rsp), %r12
	mov TF_R13(%rsp), %r13
	mov TF_R14(%rsp), %r14
	mov TF_R15(%rsp), %r15
	mov TF_RAX(%rsp), %rax
	mov TF_RCX(%rsp), %rcx
	lea TF_RIP(%rsp), %rsp
exit_iret:
	iretq
exit_end:
exit_slow:
	mov %rsp, %rdi
	call exit_work
	jmp exit_check

/* void return_to_user(void): through the current trapframe, after a first look at the work flag */
return_to_user:
	mov %gs:GS_KSTACK, %rsp
	jmp exit_slow

/* void trap_run_syscall(struct trapframe *tf): on the uThread's kernel stack */
trap_run_syscall:
	mov %rdi, %rsp
	call syscall_dispatch
	jmp exit_check

/* void trap_run_call(struct trapframe *tf, void (*fn)(tf, a, b, c), a, b, c) */
trap_run_call:
	mov %rdi, %rsp
	mov %rsi, %rax
	mov %rdx, %rsi
	mov %rcx, %rdx
	mov %r8, %rcx
	call *%rax
	mov %rsp, %rdi
	jmp exit_slow

/* Host entry point of the kernel image: the host's stack holds argc, argv, envp, auxv */
kernel_start:
	xor %ebp, %ebp
	mov %rsp, %rdi
	lea _DYNAMIC(%rip), %rsi
	lea __image_start(%rip), %rdx
	and $-16, %rsp
	call kernel_main
	ud2
	.section .note.GNU-stack,"",@progbits
