/* SPDX-License-Identifier: MIT */
/* Faults of the program: signal, si_code, si_addr, resuming after edits of the saved registers. */
#include "t.h"
#include <setjmp.h>
#include <ucontext.h>

static sigjmp_buf jb;
static volatile int got_sig, got_code;
static void *volatile got_addr;

static void catcher(int s, siginfo_t *si, void *uc)
{
	(void)uc;
	got_sig = s;
	got_code = si->si_code;
	got_addr = si->si_addr;
	siglongjmp(jb, 1);
}

#define TRY(what, expect_addr, code)                                                   \
	do {                                                                           \
		if (!sigsetjmp(jb, 1)) {                                               \
			code;                                                          \
			t_say("%s: no fault", what);                                   \
		} else {                                                               \
			t_say("%s: SIG%s code %d addr %s", what, sigabbrev_np(got_sig), \
			      got_code, got_addr == (void *)(expect_addr) ? "right" : "other"); \
		}                                                                      \
	} while (0)

static void skip2(int s, siginfo_t *si, void *p)
{
	ucontext_t *uc = p;

	(void)s, (void)si;
	uc->uc_mcontext.gregs[REG_RIP] += 2;
	uc->uc_mcontext.gregs[REG_RBX] = 0x1234567;
	uc->uc_mcontext.gregs[REG_EFL] |= 1;
}

static void on(int sig, void (*fn)(int, siginfo_t *, void *))
{
	struct sigaction sa = { .sa_sigaction = fn, .sa_flags = SA_SIGINFO };

	sigaction(sig, &sa, NULL);
}

static int zero(void)
{
	volatile int z = 0;

	return z;
}

static void crash_null(void) { *(volatile int *)8 = 1; }
static void crash_ill(void) { __asm__ volatile("ud2"); }
static void crash_div(void) { volatile int a = 1 / zero(); (void)a; }
static void crash_stack(void)
{
	volatile char b[4096];

	b[0] = 1;
	crash_stack();
	b[1] = 2;
}
static void crash_blocked(void)
{
	sigset_t m;

	sigfillset(&m);
	sigprocmask(SIG_SETMASK, &m, NULL);
	crash_null();
}

int main(void)
{
	char *ro = mmap(NULL, 8192, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	char *none = mmap(NULL, 8192, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	char *nx = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	int fd = open("f", O_CREAT | O_RDWR, 0600);
	char *beyond;
	unsigned long rbx;
	unsigned char carry;

	ftruncate(fd, 100);
	beyond = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	on(SIGSEGV, catcher);
	on(SIGBUS, catcher);
	on(SIGFPE, catcher);
	on(SIGILL, catcher);
	on(SIGTRAP, catcher);
	TRY("null write", 16, *(volatile char *)16 = 1);
	TRY("null read", 0, (void)*(volatile char *)0);
	TRY("read-only write", ro + 5, *(volatile char *)(ro + 5) = 1);
	TRY("PROT_NONE read", none + 4096, (void)*(volatile char *)(none + 4096));
	TRY("non-canonical", 0, (void)*(volatile char *)0x800000000000000UL);
	TRY("kernel address", 0xffff800000000000UL, (void)*(volatile char *)0xffff800000000000UL);
	TRY("jump to no-exec", nx, ((void (*)(void))nx)());
	TRY("jump to null", 0, ((void (*)(void))0)());
	TRY("read past end of file page", beyond + 4096, (void)*(volatile char *)(beyond + 4096));
	TRY("read in last page", 0, (void)*(volatile char *)(beyond + 200));
	ftruncate(fd, 0);
	TRY("after truncation", beyond, (void)*(volatile char *)beyond);
	TRY("unmapped", ro, (munmap(ro, 4096), (void)*(volatile char *)ro));
	TRY("divide", got_addr, { volatile int a = 1 / zero(); (void)a; });
	TRY("ud2", got_addr, __asm__ volatile("ud2"));
	TRY("int3", got_addr, __asm__ volatile("int3"));
	TRY("hlt", got_addr, __asm__ volatile("hlt"));
	TRY("cli", got_addr, __asm__ volatile("cli"));
	TRY("kill by self", 0, raise(SIGSEGV));
	on(SIGILL, skip2);
	__asm__ volatile("clc\n\tud2\n\tsetc %1\n\tmov %%rbx, %0" : "=r"(rbx), "=q"(carry)::"rbx", "cc");
	t_say("resumed with rbx %lx carry %d", rbx, carry);
	for (int s = 1; s < 32; s++)
		signal(s, SIG_DFL);
	t_child("null", crash_null);
	t_child("ill", crash_ill);
	t_child("div", crash_div);
	t_child("stack overflow", crash_stack);
	t_child("fault while blocked", crash_blocked);
	signal(SIGSEGV, SIG_IGN);
	t_child("fault while ignored", crash_null);
	return 0;
}
