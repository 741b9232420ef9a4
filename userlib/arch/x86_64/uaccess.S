/* SPDX-License-Identifier: MIT */
/* Fault-tolerant accesses to program memory. Each instruction that may fault has a row in __ex_table {ip, where to go on}. */
	.text
	.globl uaccess_copy, uaccess_clear, uaccess_load32, uaccess_cas32, uaccess_load8

#define EX(from, to) .section __ex_table,"aw",@progbits; .quad from, to; .text

/* size_t uaccess_copy(dst, src, n): bytes not copied */
uaccess_copy:
	mov %rdx, %rcx
	cmp $64, %rcx
	jae 3f
1:	cmp $8, %rcx
	jb 2f
10:	mov (%rsi), %rax
11:	mov %rax, (%rdi)
	add $8, %rsi
	add $8, %rdi
	sub $8, %rcx
	jmp 1b
2:	test %rcx, %rcx
	jz 4f
12:	movb (%rsi), %al
13:	movb %al, (%rdi)
	inc %rsi
	inc %rdi
	dec %rcx
	jmp 2b
3:	rep movsb
4:	mov %rcx, %rax
	ret
	EX(10b, 2b)
	EX(11b, 2b)
	EX(12b, 4b)
	EX(13b, 4b)
	EX(3b, 4b)

/* size_t uaccess_clear(dst, n): bytes not cleared */
uaccess_clear:
	mov %rsi, %rcx
	xor %eax, %eax
1:	rep stosb
2:	mov %rcx, %rax
	ret
	EX(1b, 2b)

/* int uaccess_load32(const u32 *p, u32 *out) */
uaccess_load32:
1:	mov (%rdi), %eax
	mov %eax, (%rsi)
	xor %eax, %eax
	ret
2:	mov $-14, %eax
	ret
	EX(1b, 2b)

/* int uaccess_cas32(u32 *p, u32 expected, u32 desired, u32 *old) */
uaccess_cas32:
	mov %esi, %eax
1:	lock cmpxchg %edx, (%rdi)
	mov %eax, (%rcx)
	mov $0, %eax
	jz 3f
	mov $-11, %eax
3:	ret
2:	mov $-14, %eax
	ret
	EX(1b, 2b)

/* int uaccess_load8(const u8 *p): the byte or -EFAULT */
uaccess_load8:
1:	movzbl (%rdi), %eax
	ret
2:	mov $-14, %eax
	ret
	EX(1b, 2b)
	.section .note.GNU-stack,"",@progbits
