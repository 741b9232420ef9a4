/* SPDX-License-Identifier: MIT */
/* TF and AC in the program's flags: traps after each instruction, over system calls and returns from handlers, and both still set. */
#include "t.h"
#include <ucontext.h>

#define TF 0x100ul
#define AC 0x40000ul
#define NT 0x4000ul
#define DF 0x400ul

static volatile unsigned long traps, had_tf;
static volatile int code_ok = 1;

static unsigned long flags_get(void)
{
	unsigned long f;

	__asm__ volatile("pushfq; popq %0" : "=r"(f));
	return f;
}

static void flags_set(unsigned long f)
{
	__asm__ volatile("pushq %0; popfq" : : "r"(f) : "memory", "cc");
}

static void on_trap(int sig, siginfo_t *si, void *ctx)
{
	ucontext_t *uc = ctx;

	(void)sig;
	traps++;
	had_tf += (uc->uc_mcontext.gregs[REG_EFL] & (long)TF) != 0;
	if (si->si_code != TRAP_TRACE || flags_get() & TF)
		code_ok = 0;
}

static void steps_over(const char *what, unsigned long bits, long nr)
{
	unsigned long f = flags_get(), after, before;
	long r;

	traps = had_tf = 0;
	flags_set(f | bits);
	r = nr < 0 ? 0 : syscall(nr);
	after = flags_get();
	before = traps;
	flags_set(f);
	t_say("%s: call %s, flags %lx, traps %s, all with TF %d", what, r >= 0 ? "works" : "fails", after & (TF | AC | NT | DF), before ? "yes" : "no",
	      had_tf == traps);
}

static void in_child(void)
{
	steps_over("child", TF, SYS_getppid);
}

int main(void)
{
	struct sigaction sa = { .sa_sigaction = on_trap, .sa_flags = SA_SIGINFO };

	sigaction(SIGTRAP, &sa, NULL);
	steps_over("nothing", 0, SYS_getpid);
	steps_over("TF, no call", TF, -1);
	steps_over("TF", TF, SYS_getpid);
	steps_over("AC", AC, SYS_getpid);
	steps_over("TF and AC", TF | AC, SYS_getpid);
	steps_over("NT", NT, SYS_getpid);
	steps_over("TF and NT", TF | NT, SYS_getpid);
	steps_over("TF and DF", TF | DF, -1);
	steps_over("TF, a call that switches", TF, SYS_sched_yield);
	steps_over("TF, unknown call", TF, 999);
	t_child("in a child", in_child);
	t_say("codes %d", code_ok);
	/* A handler's frame may set and clear them. */
	signal(SIGTRAP, SIG_DFL);
	flags_set(flags_get() & ~TF);
	t_say("end");
	return 0;
}
