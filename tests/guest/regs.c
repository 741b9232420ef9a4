/* SPDX-License-Identifier: MIT */
/*
 * Raw system calls keep every register but rax, rcx and r11, the direction
 * and carry flags' meaning, vector state and the red zone; from the shape the
 * loader patches and from odd shapes; unknown numbers give ENOSYS.
 */
/* guest: nostderr */
#include "t.h"

#define NREG 14

/* BODY leaves the number in eax and executes syscall; edi is 0 and the buffers NULL. */
#define RAW(name, before, body)                                                                  \
	__attribute__((noinline)) static void name(void)                                         \
	{                                                                                        \
		__asm__ volatile(                                                                \
			"sub $256,%%rsp\n\tpush %%rbx\n\tpush %%rbp\n\tpush %%r12\n\tpush %%r13\n\t" \
			"push %%r14\n\tpush %%r15\n\t"                                           \
			"lea vec_in_sym(%%rip),%%rax\n\t"                                        \
			"movdqu (%%rax),%%xmm0\n\tmovdqu 16(%%rax),%%xmm1\n\t"                    \
			"movdqu 112(%%rax),%%xmm7\n\tmovdqu 240(%%rax),%%xmm15\n\t"               \
			"mov $0x101,%%rbx\n\tmov $0x202,%%rbp\n\tmov $0x303,%%r12\n\t"            \
			"mov $0x404,%%r13\n\tmov $0x505,%%r14\n\tmov $0x606,%%r15\n\t"            \
			"xor %%edi,%%edi\n\txor %%esi,%%esi\n\tmov $0x909,%%rdx\n\t"              \
			"mov $0xa0a,%%r10\n\tmov $0xb0b,%%r8\n\tmov $0xc0c,%%r9\n\t"              \
			"movq $0x7ed20e,-8(%%rsp)\n\tmovq $0x7ed21e,-128(%%rsp)\n\t" before       \
			"std\n\tstc\n\t" body "\n\t"                                             \
			"mov %%rax,rax_sym(%%rip)\n\tlea out_sym(%%rip),%%rax\n\t"                \
			"mov %%rbx,(%%rax)\n\tmov %%rbp,8(%%rax)\n\tmov %%r12,16(%%rax)\n\t"       \
			"mov %%r13,24(%%rax)\n\tmov %%r14,32(%%rax)\n\tmov %%r15,40(%%rax)\n\t"    \
			"mov %%rdi,48(%%rax)\n\tmov %%rsi,56(%%rax)\n\tmov %%rdx,64(%%rax)\n\t"    \
			"mov %%r10,72(%%rax)\n\tmov %%r8,80(%%rax)\n\tmov %%r9,88(%%rax)\n\t"      \
			"mov -8(%%rsp),%%rcx\n\tmov %%rcx,96(%%rax)\n\t"                     \
			"mov -128(%%rsp),%%rcx\n\tmov %%rcx,104(%%rax)\n\t"                   \
			"pushf\n\tpop %%rcx\n\tmov %%rcx,flags_sym(%%rip)\n\tcld\n\t"             \
			"lea vec_out_sym(%%rip),%%rax\n\t"                                       \
			"movdqu %%xmm0,(%%rax)\n\tmovdqu %%xmm1,16(%%rax)\n\t"                    \
			"movdqu %%xmm7,112(%%rax)\n\tmovdqu %%xmm15,240(%%rax)\n\t"               \
			"pop %%r15\n\tpop %%r14\n\tpop %%r13\n\tpop %%r12\n\tpop %%rbp\n\tpop %%rbx\n\t" \
			"add $256,%%rsp"                                                         \
			::: "rax", "rcx", "rdx", "rsi", "rdi", "r8", "r9", "r10", "r11", "memory", \
			  "cc", "xmm0", "xmm1", "xmm7", "xmm15");                                \
	}

unsigned long out_sym[NREG] __attribute__((visibility("hidden")));
unsigned long rax_sym __attribute__((visibility("hidden")));
unsigned long flags_sym __attribute__((visibility("hidden")));
unsigned char vec_in_sym[256] __attribute__((visibility("hidden")));
unsigned char vec_out_sym[256] __attribute__((visibility("hidden")));

RAW(plain, "", "mov $110,%%eax\n\tsyscall")
RAW(with_cmp, "", "mov $110,%%eax\n\tsyscall\n\tcmp $-4095,%%rax\n\tstc")
RAW(mov_rax, "", "mov $110,%%rax\n\tsyscall")
RAW(from_reg, "mov $110,%%r11d\n\t", "mov %%r11d,%%eax\n\tsyscall")
RAW(zero_nr, "", "push $110\n\tpop %%rax\n\tmovq $0x7ed20e,-8(%%rsp)\n\tsyscall")
RAW(gap, "", "mov $110,%%eax\n\tnop\n\tnop\n\tsyscall")
RAW(jump_in, "mov $110,%%eax\n\t", "jmp 2f\n\tmov $39,%%eax\n2:\tsyscall")
RAW(xor_nr, "", "xor %%eax,%%eax\n\tmov $-1,%%edi\n\tsyscall\n\tmov $0,%%edi\n\tstc")
RAW(unknown, "", "mov $1000,%%eax\n\tsyscall")
RAW(unknown_neg, "", "mov $-5,%%rax\n\tsyscall")
RAW(getpid_nr, "", "mov $39,%%eax\n\tsyscall")
RAW(yield_nr, "", "mov $24,%%eax\n\tsyscall")
RAW(efault, "", "mov $4,%%eax\n\tsyscall")
RAW(rcx_rip, "", "mov $110,%%eax\n\tsyscall\n3:\tlea 3b(%%rip),%%r11\n\tsub %%r11,%%rcx\n\tmov %%rcx,%%rax\n\tstc")

static void run(const char *what, void (*fn)(void), int show)
{
	static const unsigned long want[12] = { 0x101, 0x202, 0x303, 0x404, 0x505, 0x606,
						0, 0, 0x909, 0xa0a, 0xb0b, 0xc0c };
	int bad = 0;
	int lanes[] = { 0, 16, 112, 240 };

	for (int i = 0; i < 256; i++)
		vec_in_sym[i] = (unsigned char)(i * 3 + 1);
	memset(vec_out_sym, 0, 256);
	for (int round = 0; round < 3; round++) {
		fn();
		for (int i = 0; i < 12; i++)
			bad += out_sym[i] != want[i];
		bad += out_sym[12] != 0x7ed20e || out_sym[13] != 0x7ed21e;
		for (int i = 0; i < 4; i++)
			bad += memcmp(vec_in_sym + lanes[i], vec_out_sym + lanes[i], 16) != 0;
		bad += !(flags_sym & 0x400);
		bad += !(flags_sym & 1);
	}
	if (show)
		t_say("%s: rax %ld, %d spoilt", what, (long)rax_sym, bad);
	else
		t_say("%s: rax %s, %d spoilt", what, (long)rax_sym > 0 ? "positive" : "bad", bad);
}

int main(void)
{
	run("mov imm; syscall", plain, 0);
	run("mov imm; syscall; cmp", with_cmp, 0);
	run("mov rax imm", mov_rax, 0);
	run("number from a register", from_reg, 0);
	run("push/pop", zero_nr, 0);
	run("gap", gap, 0);
	run("jump onto syscall", jump_in, 0);
	run("read of fd -1", xor_nr, 1);
	run("unknown 1000", unknown, 1);
	run("unknown -5", unknown_neg, 1);
	run("getpid", getpid_nr, 0);
	run("sched_yield", yield_nr, 1);
	run("stat of NULL", efault, 1);
	run("rcx is the return address", rcx_rip, 1);
	for (long nr = 500; nr < 600; nr += 17)
		R(syscall(nr, 0, 0, 0) == -1 && errno == ENOSYS);
	R(syscall(-1L));
	R(syscall(100000000L));
	return 0;
}
