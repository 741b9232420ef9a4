/* SPDX-License-Identifier: MIT */
/*
 * Host signal handlers: SIGSYS (a system call that was not patched), faults, kicks and ticks. Handlers run on the kThread's alternate
 * stack with host registers in a ucontext. If the program was interrupted its registers move to the uThread's trapframe, and we leave
 * the frame behind without sigreturn: no signal is masked while we are in a handler, and vector state is restored by hand.
 */
#include "userlib/rt/clock_vdso.h"
#include "userlib/rt/jobctl.h"
#include "userlib/rt/trap.h"
#include "userlib/base/log.h"
#include "userlib/base/mem.h"
#include "userlib/base/string.h"
#include "userlib/rt/host.h"
#include "userlib/rt/host_thread.h"
#include "userlib/rt/kmod.h"
#include "userlib/rt/kthread.h"
#include <asm/unistd_64.h>
#include <linux/signal.h>

void (*trap_fault_hook)(struct trapframe *tf, u64 sig, u64 addr, u64 code);
void (*trap_site_hook)(u64 rip);

#define TICK_NS (4 * NSEC_PER_MSEC)

struct host_ucontext { /* <asm/ucontext.h>, <asm/sigcontext.h> */
	u64 uc_flags;
	struct host_ucontext *uc_link;
	u64 ss_sp;
	u32 ss_flags, ss_pad;
	u64 ss_size;
	u64 r8, r9, r10, r11, r12, r13, r14, r15, rdi, rsi, rbp, rbx, rdx, rax, rcx, rsp, rip, eflags;
	u16 cs, gs, fs, ss;
	u64 err, trapno, oldmask, cr2;
	char *fpstate;
	u64 reserved[8];
	u64 sigmask;
};
struct host_siginfo {
	s32 signo, err, code, pad;
	union {
		u64 addr;
		struct { u64 call_addr; s32 syscall; u32 arch; } sys;
		struct { s32 pid; u32 uid; } sender;
	};
};

/* linker.ld and asm labels */
extern char __kernel_text_start[], __kernel_text_end[];
extern char exit_check[], exit_jmp[], exit_iret[], exit_end[];
extern u64 __start_ex_table[], __stop_ex_table[];
void trap_run_syscall(struct trapframe *tf) noreturn_fn;

static bool in_text(u64 ip)
{
	return ip >= (u64)__kernel_text_start && ip < (u64)__kernel_text_end;
}

/* In the kernel, unless at the very last instruction of the fast way out. */
bool trap_in_kernel(u64 rip, u64 rsp)
{
	if (rip == (u64)exit_jmp)
		return false;
	return in_text(rip) || in_arena((void *)rsp);
}

static bool from_kernel(struct host_ucontext *uc)
{
	return trap_in_kernel(uc->rip, uc->rsp);
}

/* Completing the way out: everything is still in the trapframe, so start over and look at the work flag again. */
void trap_rewind_exit(u64 *rip, u64 *rsp)
{
	if (*rip >= (u64)exit_check && *rip < (u64)exit_end && *rip != (u64)exit_jmp) {
		*rip = (u64)exit_check;
		*rsp = (u64)kt_self()->kstack_tf;
	}
}

static void rewind_exit(struct host_ucontext *uc)
{
	trap_rewind_exit(&uc->rip, &uc->rsp);
}

static bool fixup(struct host_ucontext *uc)
{
	for (u64 *e = __start_ex_table; e < __stop_ex_table; e += 2) {
		if (e[0] == uc->rip) {
			uc->rip = e[1];
			return true;
		}
	}
	return false;
}

static void frame_from_host(struct trapframe *tf, struct host_ucontext *uc)
{
	tf->r15 = uc->r15;
	tf->r14 = uc->r14;
	tf->r13 = uc->r13;
	tf->r12 = uc->r12;
	tf->rbp = uc->rbp;
	tf->rbx = uc->rbx;
	tf->r11 = uc->r11;
	tf->r10 = uc->r10;
	tf->r9 = uc->r9;
	tf->r8 = uc->r8;
	tf->rax = uc->rax;
	tf->rcx = uc->rcx;
	tf->rdx = uc->rdx;
	tf->rsi = uc->rsi;
	tf->rdi = uc->rdi;
	tf->rip = uc->rip == (u64)exit_jmp ? uc->rcx : uc->rip;
	tf->cs = uc->cs;
	tf->rflags = uc->eflags;
	tf->rsp = uc->rsp;
	tf->ss = uc->ss ? uc->ss : 0x2b;
	tf->orig_rax = ~0ull;
	tf->kind = TF_FULL;
	tf->pad = uc->trapno << 32 | (u32)uc->err; /* fault_from_host */
}

/*
 * The host marks x87 as in use in every frame. If it is in its initial state the mark goes: who restores the image then keeps the
 * x87 out of the registers that are in use, and the next switch is a light one.
 */
static void trim_x87(void *image)
{
	const u64 *x = image;
	u64 any = x[1] | x[2];

	for (int i = 4; i < 20; i++)
		any |= x[i];
	if (!any && x[0] == 0x37f && x[64] & ~1ull)
		((u64 *)image)[64] &= ~1ull;
}

static void trim_host_frame(struct host_ucontext *uc)
{
	if (*(u32 *)(uc->fpstate + 464) == 0x46505853) /* FP_XSTATE_MAGIC1: there is a header */
		trim_x87(uc->fpstate);
}

/* The vector registers of an interrupted program, out of the host's frame into the uThread's save area. */
static void save_vector_state(struct uthread *ut, struct host_ucontext *uc)
{
	u32 size = *(u32 *)(uc->fpstate + 464 + 4 * 4); /* fx_sw_reserved.xstate_size */
	u32 magic = *(u32 *)(uc->fpstate + 464);

	if (magic != 0x46505853) /* FP_XSTATE_MAGIC1 */
		size = 512;
	if (size > XSAVE_SIZE)
		size = XSAVE_SIZE;
	memcpy(ut->xsave, uc->fpstate, size);
	if (size == 512)
		memset((char *)ut->xsave + 512, 0, 64);
	else
		trim_x87(ut->xsave);
	*(u64 *)((char *)ut->xsave + 512) &= XSAVE_MASK;
	ut->xstate_in_memory = 1;
	ut->xstate_light = 0;
	kt_self()->fpu_owner = NULL;
}

/* ahflags from rflags, for the fast way out. */
static u64 to_ahflags(u64 rflags)
{
	return (rflags & 0xd5) << 8 | 2 << 8 | ((rflags >> 11) & 1);
}

static void on_sigsys(int sig, struct host_siginfo *si, struct host_ucontext *uc)
{
	struct kthread *kt = kt_self();
	struct trapframe *tf = kt->kstack_tf;

	(void)sig;
	if (in_arena((void *)uc->rsp) || in_text(uc->rip)) {
		/* The host's vDSO fell back to the real call while we used it. */
		if (si->sys.syscall == __NR_clock_gettime || si->sys.syscall == __NR_gettimeofday) {
			uc->rax = (u64)host_syscall6(si->sys.syscall, (long)uc->rdi, (long)uc->rsi, 0, 0, 0, 0);
			return;
		}
		panic("host refused system call %d at %p", si->sys.syscall, (void *)uc->rip);
	}
	kt->nr_traps++;
	frame_from_host(tf, uc);
	trim_host_frame(uc);
	xstate_restore(uc->fpstate, XSAVE_MASK & kthread_xcr0);
	kt->fpu_owner = kt->current;
	tf->rax = tf->orig_rax = (u64)(s64)si->sys.syscall;
	if (si->sys.arch != 0xc000003e || (u32)si->sys.syscall & 0x40000000) /* int 0x80, sysenter, x32: not offered */
		tf->rax = tf->orig_rax = 0xffff;
	tf->rcx = tf->rip;
	tf->r11 = tf->rflags;
	tf->ahflags = to_ahflags(tf->rflags);
	if (trap_site_hook)
		trap_site_hook(tf->rip);
	trap_run_syscall(tf);
}

static void on_fault(int sig, struct host_siginfo *si, struct host_ucontext *uc)
{
	struct kthread *kt = kt_self();
	struct trapframe *tf = kt->kstack_tf;

	__asm__ volatile("pushfq; andl $~0x40000, (%%rsp); popfq" ::: "memory", "cc"); /* AC of the program: we access unaligned data */
	if (from_kernel(uc) && ((sig == SIGTRAP && uc->eflags & 0x100) || (sig == SIGBUS && uc->eflags & 0x40000))) {
		kt->current->lost_flags |= (u32)uc->eflags & 0x40100; /* TF or AC that the program left set when it called us */
		uc->eflags &= ~0x40100ull;
		store_release(&kt->work, 1u);
		return;
	}
	if (from_kernel(uc)) {
		if (fixup(uc))
			return;
		panic("kernel fault: signal %d code %d address %p at +%p (%p), thread %s", sig, si->code, (void *)si->addr,
		      (void *)(uc->rip - (u64)__kernel_text_start), (void *)uc->rip, kt->current->name);
	}
	if (si->code <= 0 && !(sig == SIGTRAP)) /* sent by kill(2) from the host, not a fault */
		return host_signal_note(sig);
	frame_from_host(tf, uc);
	save_vector_state(kt->current, uc);
	trap_run_call(tf, (void *)trap_fault_hook, (u64)sig, si->addr, (u64)(s64)si->code);
}

static void nothing(struct trapframe *tf)
{
	(void)tf;
}

static void interrupt_program(struct host_ucontext *uc)
{
	struct kthread *kt = kt_self();
	struct trapframe *tf = kt->kstack_tf;

	frame_from_host(tf, uc);
	save_vector_state(kt->current, uc);
	store_release(&kt->work, 1u);
	trap_run_call(tf, (void *)nothing, 0, 0, 0);
}

static void on_kick(int sig, struct host_siginfo *si, struct host_ucontext *uc)
{
	struct kthread *kt = kt_self();

	(void)si;
	if (sig == TRAP_SIG_TICK) {
		kt->nr_ticks++;
		kt->need_resched = 1;
		*(from_kernel(uc) ? &kt->current->ticks_sys : &kt->current->ticks_user) += 1;
	}
	if (from_kernel(uc)) {
		if (kt->current != &kt->idle_ut)
			store_release(&kt->work, 1u);
		trim_host_frame(uc);
		rewind_exit(uc);
		return;
	}
	interrupt_program(uc);
}

/* SIGTERM and the like, sent to the instance: noted, handled at a scheduling point. */
static void on_external(int sig, struct host_siginfo *si, struct host_ucontext *uc)
{
	struct kthread *kt = kt_self();

	/* The terminal signals every kProc of the group: one report is enough. The oldest kProc is also whom the launcher signals. */
	if (kt->kproc != list_first(&kproc_list, struct kproc, link) || jobctl_is_echo(sig, si->code, si->sender.pid))
		return;
	host_signal_note(sig);
	kt->need_resched = 1;
	if (from_kernel(uc)) {
		if (kt->current != &kt->idle_ut)
			store_release(&kt->work, 1u);
		trim_host_frame(uc);
		rewind_exit(uc);
		return;
	}
	interrupt_program(uc);
}

#define SA_FLAGS (SA_SIGINFO | SA_ONSTACK | SA_NODEFER | SA_RESTORER)

static void set_handler(int sig, void *fn)
{
	struct host_sigaction sa = { .handler = fn, .flags = SA_FLAGS, .restorer = host_restorer };

	if (host_rt_sigaction(sig, &sa))
		panic("cannot handle host signal %d", sig);
}

static u32 cpuid_part(u32 leaf, u32 sub, int part)
{
	u32 r[4] = { leaf, 0, sub, 0 };

	__asm__ volatile("cpuid" : "+a"(r[0]), "=b"(r[1]), "+c"(r[2]), "=d"(r[3]));
	return r[part];
}

/* XGETBV(1) must exist; with AVX-512 state also the byte/word instructions, for 64-bit mask moves. */
static void find_light_image(void)
{
	struct xlight *x = &kthread_xlight;

	x->usable = cpuid_part(0xd, 1, 0) & 4 && (!(kthread_xcr0 & 0xe0) || cpuid_part(7, 0, 1) & 1u << 30);
	x->xsavec = cpuid_part(0xd, 1, 0) & 2;
	if (kthread_xcr0 & 0x20)
		x->opmask_offset = cpuid_part(0xd, 5, 1);
	if (kthread_xcr0 & 0x80)
		x->hi16_offset = cpuid_part(0xd, 7, 1);
}

void trap_process_init(void)
{
	static const u8 faults[] = { SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP };
	static const u8 external[] = { SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2, SIGWINCH, SIGTSTP, SIGCONT, SIGALRM };
	u32 lo, hi;

	__asm__ volatile("xgetbv" : "=a"(lo), "=d"(hi) : "c"(0));
	kthread_xcr0 = (u64)hi << 32 | lo;
	find_light_image();
	set_handler(SIGSYS, (void *)on_sigsys);
	clock_use_vdso();
	for (size_t i = 0; i < ARRAY_SIZE(faults); i++)
		set_handler(faults[i], (void *)on_fault);
	for (size_t i = 0; i < ARRAY_SIZE(external); i++)
		set_handler(external[i], (void *)on_external);
	set_handler(TRAP_SIG_KICK, (void *)on_kick);
	set_handler(TRAP_SIG_TICK, (void *)on_kick);
	struct host_sigaction ign = { .handler = (void *)1, .flags = SA_RESTORER, .restorer = host_restorer };

	host_rt_sigaction(SIGPIPE, &ign);
}

void trap_thread_init(struct kthread *kt)
{
	struct host_altstack ss = { .sp = kt->alt_stack, .size = 32768 };
	u64 none = 0;
	int r = host_sigaltstack(&ss);

	if (r)
		panic("sigaltstack: %d", r);
	r = kmod_thread_init(kt, TICK_NS);
	if (r)
		r = host_cpu_tick_start(kt->host_tid, TRAP_SIG_TICK, TICK_NS);
	if (r)
		log_once(LOG_WARN, "no CPU-time tick (%d): a spinning thread is not preempted", r);
	host_rt_sigprocmask(SIG_SETMASK, &none, NULL);
}
