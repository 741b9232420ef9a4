/* SPDX-License-Identifier: MIT */
/*
 * Signal frames on the program's stack, byte-compatible with Linux's x86-64 struct rt_sigframe, and the way back (rt_sigreturn).
 * Vector state: in the registers while we are here; goes through ut->xsave in the standard XSAVE format.
 */
#include "userlib/base/log.h"
#include "userlib/base/string.h"
#include "userlib/proc/signal_internal.h"
#include "userlib/rt/kthread.h"

#define FP_MAGIC1 0x46505853u
#define FP_MAGIC2 0x46505845u
#define FX_SW_OFFSET 464     /* struct _fpx_sw_bytes within the legacy area */
#define XHDR_OFFSET 512
#define XLEGACY_SIZE 576     /* legacy area and header */
#define UC_FP_XSTATE 1
#define UC_SIGCONTEXT_SS 2
#define UC_STRICT_RESTORE_SS 4
#define RED_ZONE 128
#define USER_CS 0x33
#define USER_TOP (1ull << 47) /* iretq to a rip beyond would fault on our side */
#define USER_SS 0x2b
#define FLAGS_USER 0x50dd5ull /* AC, RF, OF, DF, TF, SF, ZF, AF, PF, CF */
#define FLAGS_ALWAYS 0x202ull
/* In reserved1[0] of a frame whose system call is to be made again although no `syscall` instruction precedes its rip. */
#define RESTART_MARK 0x6a72657374617274ull

struct sig_ucontext {
	u64 uc_flags, uc_link;
	u64 ss_sp;
	u32 ss_flags, ss_pad;
	u64 ss_size;
	/* struct sigcontext */
	u64 r8, r9, r10, r11, r12, r13, r14, r15, rdi, rsi, rbp, rbx, rdx, rax, rcx, rsp, rip, eflags;
	u16 cs, gs, fs, ss;
	u64 err, trapno, oldmask, cr2;
	u64 fpstate;
	u64 reserved[8];
	u64 sigmask;
};
struct rt_sigframe {
	u64 pretcode;
	struct sig_ucontext uc;
	struct ksiginfo info;
};
_Static_assert(sizeof(struct sig_ucontext) == 304, "ucontext");
_Static_assert(sizeof(struct rt_sigframe) == 440, "rt_sigframe");

struct fx_sw_bytes {
	u32 magic1, extended_size;
	u64 xfeatures;
	u32 xstate_size, pad[7];
};

static u64 xfeatures(void)
{
	return XSAVE_MASK & kthread_xcr0;
}

/* Bytes of a standard-format image with our components (CPUID leaf 0xd). */
static u32 xstate_size(void)
{
	static u32 size; /* [a] the same whoever computes it */
	u32 s = load_relaxed(&size);

	if (s)
		return s;
	s = XLEGACY_SIZE;
	for (u32 i = 2; i < 32; i++) {
		u32 eax = 0xd, ebx, ecx = i, edx;

		if (!(xfeatures() & 1ull << i))
			continue;
		__asm__ volatile("cpuid" : "+a"(eax), "=b"(ebx), "+c"(ecx), "=d"(edx));
		s = MAX(s, ebx + eax);
	}
	ASSERT(s <= XSAVE_SIZE);
	store_relaxed(&size, s);
	return s;
}

bool sigframe_on_altstack(const struct thread *t, u64 sp)
{
	if (t->altstack_flags & SS_AUTODISARM_FLAG)
		return false;
	return sp > t->altstack_sp && sp - t->altstack_sp <= t->altstack_size;
}

/* Standard-format image of the program's vector state in ut->xsave. */
static void *xstate_image(struct thread *t)
{
	u8 *x = t->ut.xsave;

	if (t->ut.xstate_in_memory && *(u64 *)(x + XHDR_OFFSET + 8) >> 63) /* compacted */
		xstate_load_current();
	xstate_save_current();
	return x;
}

/* What a handler starts with: the initial state. */
static void xstate_reset(struct thread *t)
{
	u8 *x = t->ut.xsave;

	memset(x, 0, XLEGACY_SIZE);
	*(u16 *)x = 0x37f;
	*(u32 *)(x + 24) = 0x1f80;
	*(u64 *)(x + XHDR_OFFSET) = 0; /* nothing in use: all initial; MXCSR comes from the image */
	t->ut.xstate_light = 0;
	xstate_load_current();
}

static int push_xstate(struct thread *t, u64 at)
{
	u8 *x = xstate_image(t);
	u32 size = xstate_size(), magic2 = FP_MAGIC2;
	struct fx_sw_bytes sw = {
		.magic1 = FP_MAGIC1, .extended_size = size + 4, .xfeatures = xfeatures(), .xstate_size = size
	};

	memcpy(x + FX_SW_OFFSET, &sw, sizeof(sw));
	if (copy_to_app((void __app *)at, x, size) || copy_to_app((void __app *)(at + size), &magic2, 4))
		return -EFAULT;
	return 0;
}

static void flags_complete(struct trapframe *tf)
{
	if (tf->kind != TF_SYSCALL)
		return;
	tf->rflags = FLAGS_ALWAYS | (tf->rflags & 0x44400) /* AC, NT, DF */ | (tf->ahflags >> 8 & 0xd5) | (tf->ahflags & 1) << 11;
	tf->cs = USER_CS;
	tf->ss = USER_SS;
	tf->rcx = tf->rip;
	tf->r11 = tf->rflags;
}

void sigframe_set_flags(struct trapframe *tf, u64 flags)
{
	flags_complete(tf);
	if (tf->kind == TF_SYSCALL)
		tf->r11 |= flags;
	tf->rflags |= flags;
	tf->kind = TF_FULL;
}

static void fill_registers(struct sig_ucontext *uc, const struct thread *t, const struct trapframe *tf)
{
	uc->r8 = tf->r8;
	uc->r9 = tf->r9;
	uc->r10 = tf->r10;
	uc->r11 = tf->r11;
	uc->r12 = tf->r12;
	uc->r13 = tf->r13;
	uc->r14 = tf->r14;
	uc->r15 = tf->r15;
	uc->rdi = tf->rdi;
	uc->rsi = tf->rsi;
	uc->rbp = tf->rbp;
	uc->rbx = tf->rbx;
	uc->rdx = tf->rdx;
	uc->rax = tf->rax;
	uc->rcx = tf->rcx;
	uc->rsp = tf->rsp;
	uc->rip = tf->rip;
	uc->eflags = tf->rflags;
	uc->cs = USER_CS;
	uc->ss = USER_SS;
	uc->err = t->fault_err;
	uc->trapno = t->fault_trap;
	uc->cr2 = t->fault_addr;
}

/* The saved context makes the system call again: at the instruction if there is one before rip, else when sigreturn sees the mark. */
static void fill_restart(struct sig_ucontext *uc, const struct trapframe *tf)
{
	u8 insn[2];

	uc->rax = tf->orig_rax;
	if (copy_from_app(insn, (const void __app *)(tf->rip - 2), 2) == 0 && insn[0] == 0x0f && insn[1] == 0x05)
		uc->rip = tf->rip - 2;
	else
		uc->reserved[0] = RESTART_MARK;
}

/* Where the frame goes; *fp: of the vector state. 0 = no room on the alternate stack. */
static u64 frame_address(const struct thread *t, const struct trapframe *tf, const struct ksigaction *act, u64 *fp)
{
	bool nested = sigframe_on_altstack(t, tf->rsp), entering = false;
	u64 sp = tf->rsp - RED_ZONE;

	if (act->flags & SA_ONSTACK && !nested && t->altstack_size) {
		sp = t->altstack_sp + t->altstack_size;
		entering = true;
	}
	*fp = (sp - (xstate_size() + 4)) & ~63ull;
	sp = ((*fp - sizeof(struct rt_sigframe)) & ~15ull) - 8;
	if ((nested || entering) && (sp <= t->altstack_sp || sp - t->altstack_sp > t->altstack_size))
		return 0;
	return sp;
}

int sigframe_push(struct trapframe *tf, int sig, const struct ksiginfo *info, const struct ksigaction *act, u64 old_mask,
		  bool restart)
{
	struct thread *t = thread_self();
	struct rt_sigframe f;
	u64 fp, sp = frame_address(t, tf, act, &fp);

	if (!sp || !(act->flags & SA_RESTORER) || act->handler >= USER_TOP)
		return -EFAULT;
	flags_complete(tf);
	memset(&f, 0, sizeof(f));
	f.pretcode = act->restorer;
	f.uc.uc_flags = UC_FP_XSTATE | UC_SIGCONTEXT_SS | UC_STRICT_RESTORE_SS;
	f.uc.ss_sp = t->altstack_sp;
	f.uc.ss_flags = t->altstack_flags;
	f.uc.ss_size = t->altstack_size;
	fill_registers(&f.uc, t, tf);
	f.uc.fpstate = fp;
	f.uc.oldmask = old_mask;
	f.uc.sigmask = old_mask;
	if (restart)
		fill_restart(&f.uc, tf);
	f.info = *info;
	if (push_xstate(t, fp) || copy_to_app((void __app *)sp, &f, sizeof(f)))
		return -EFAULT;
	xstate_reset(t);
	if (t->altstack_flags & SS_AUTODISARM_FLAG) {
		t->altstack_sp = t->altstack_size = 0;
		t->altstack_flags = SS_DISABLE;
	}
	tf->rip = act->handler;
	tf->rsp = sp;
	tf->rdi = (u64)sig;
	tf->rsi = sp + offsetof(struct rt_sigframe, info);
	tf->rdx = sp + offsetof(struct rt_sigframe, uc);
	tf->rax = 0;
	tf->rflags = (tf->rflags & (FLAGS_USER | 0x4000) & ~0x10500ull) | FLAGS_ALWAYS; /* RF, DF, TF off */
	tf->cs = USER_CS;
	tf->ss = USER_SS;
	tf->orig_rax = ~0ull;
	tf->kind = TF_FULL;
	return 0;
}

/* ---- the way back ---- */

/* Vector state from a frame at fp; the frame is the program's, so nothing in it is believed. 0 or -EFAULT. */
static int pop_xstate(struct thread *t, u64 fp)
{
	u8 *x = t->ut.xsave;
	struct fx_sw_bytes sw;
	u32 size = xstate_size(), magic2;
	u64 *hdr = (u64 *)(x + XHDR_OFFSET);
	bool full;

	if (!fp) {
		xstate_reset(t);
		return 0;
	}
	xstate_save_current(); /* so that a failure leaves something valid */
	if (copy_from_app(x, (const void __app *)fp, XHDR_OFFSET))
		goto err_reset;
	memcpy(&sw, x + FX_SW_OFFSET, sizeof(sw));
	full = sw.magic1 == FP_MAGIC1 && sw.xstate_size >= XLEGACY_SIZE && sw.xstate_size <= size &&
	       sw.extended_size >= sw.xstate_size;
	if (full) {
		if (copy_from_app(&magic2, (const void __app *)(fp + sw.xstate_size), 4))
			goto err_reset;
		full = magic2 == FP_MAGIC2;
	}
	memset(hdr, 0, XLEGACY_SIZE - XHDR_OFFSET);
	if (full) {
		u64 bv;

		if (copy_from_app(&bv, (const void __app *)(fp + XHDR_OFFSET), 8) ||
		    copy_from_app(x + XLEGACY_SIZE, (const void __app *)(fp + XLEGACY_SIZE), sw.xstate_size - XLEGACY_SIZE))
			goto err_reset;
		hdr[0] = bv & sw.xfeatures & xfeatures();
		if (sw.xstate_size < size)
			memset(x + sw.xstate_size, 0, size - sw.xstate_size);
	} else {
		hdr[0] = 3;
	}
	*(u32 *)(x + 24) &= 0xffff; /* MXCSR: reserved bits would fault */
	xstate_load_current();
	return 0;
err_reset:
	xstate_reset(t);
	return -EFAULT;
}

static void take_registers(struct trapframe *tf, const struct sig_ucontext *uc)
{
	tf->r8 = uc->r8;
	tf->r9 = uc->r9;
	tf->r10 = uc->r10;
	tf->r11 = uc->r11;
	tf->r12 = uc->r12;
	tf->r13 = uc->r13;
	tf->r14 = uc->r14;
	tf->r15 = uc->r15;
	tf->rdi = uc->rdi;
	tf->rsi = uc->rsi;
	tf->rbp = uc->rbp;
	tf->rbx = uc->rbx;
	tf->rdx = uc->rdx;
	tf->rax = uc->rax;
	tf->rcx = uc->rcx;
	tf->rsp = uc->rsp;
	tf->rip = uc->rip;
	tf->rflags = (tf->rflags & 0x4000) | (uc->eflags & FLAGS_USER) | FLAGS_ALWAYS; /* NT stays as it is, as on Linux */
	tf->cs = USER_CS;
	tf->ss = USER_SS;
	tf->orig_rax = ~0ull;
	tf->kind = TF_FULL;
}

/* The alternate stack as the frame has it, if it is a legal one. */
static void restore_altstack(struct thread *t, const struct sig_ucontext *uc, u64 sp)
{
	u32 mode = uc->ss_flags & ~SS_AUTODISARM_FLAG;

	if (sigframe_on_altstack(t, sp))
		return;
	if (mode == SS_DISABLE) {
		t->altstack_sp = t->altstack_size = 0;
		t->altstack_flags = uc->ss_flags;
	} else if ((mode == 0 || mode == SS_ONSTACK) && uc->ss_size >= MINSIGSTKSZ) {
		t->altstack_sp = uc->ss_sp;
		t->altstack_size = uc->ss_size;
		t->altstack_flags = uc->ss_flags;
	}
}

/* Returns the value for rax; the frame is TF_FULL afterwards. A bad frame ends in SIGSEGV. */
long signal_sigreturn(struct trapframe *tf)
{
	struct thread *t = thread_self();
	struct ksiginfo segv = { .si_signo = SIGSEGV, .si_code = SIGINFO_KERNEL };
	struct rt_sigframe __app *f = (struct rt_sigframe __app *)(tf->rsp - 8);
	struct sig_ucontext uc;

	if (copy_from_app(&uc, &f->uc, sizeof(uc)))
		goto err_segv;
	t->ut.lost_flags = 0; /* the frame has its own */
	sigmask_set(uc.sigmask);
	if (pop_xstate(t, uc.fpstate))
		goto err_segv;
	take_registers(tf, &uc);
	restore_altstack(t, &uc, tf->rsp);
	if (uc.reserved[0] == RESTART_MARK) {
		tf->orig_rax = tf->rax;
		t->restart_now = 1;
		store_relaxed(&kt_self()->work, 1u);
	}
	if (tf->rip >= USER_TOP) /* never reached: the signal's handler or death comes first */
		signal_force_self(SIGSEGV, &segv);
	return (long)tf->rax;
err_segv:
	flags_complete(tf);
	tf->kind = TF_FULL;
	tf->orig_rax = ~0ull;
	signal_force_self(SIGSEGV, &segv);
	return (long)tf->rax;
}
