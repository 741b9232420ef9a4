/* SPDX-License-Identifier: MIT */
/*
 * User interrupts on kThreads, and the page-cache requests, through the instance file of the kernel module. A user interrupt arrives on a
 * stack page of its own (arch/x86_64/uintr.S). It never switches: if it hit the program, the program's registers go to the trapframe
 * and the kThread enters the kernel as if by a system call; if it hit the kernel, it leaves a flag behind. Vector registers stay as they are.
 */
#include "userlib/rt/kmod.h"
#include "jabi/jabi_kmod.h"
#include "userlib/base/log.h"
#include "userlib/base/mem.h"
#include "userlib/base/string.h"
#include "userlib/rt/host.h"
#include "userlib/rt/kthread.h"
#include <linux/mman.h>

/* As uintr.S pushes them, below the module's frame. */
struct uintr_regs {
	u64 r15, r14, r13, r12, rbp, rbx, r11, r10, r9, r8, rax, rcx, rdx, rsi, rdi;
	u64 pad;
	u64 vector, rip, rflags, rsp; /* struct jabi_kmod_frame */
};

static int kmod_fd = -1; /* [I] after boot */
static char *line_pages; /* [I] addresses: page i is that of kThread i of whatever kProc looks */

extern char kernel_entry_stacked[], exit_jmp[], uintr_entry[];
void uintr_handle(struct uintr_regs *r);
void uintr_more(void);

_Static_assert(offsetof(struct kthread, ui_line) == GS_UI_LINE && offsetof(struct kthread, ui_rax) == GS_UI_RAX, "GS offsets");
_Static_assert(KMOD_PREFETCH_MAX == JABI_KMOD_PREFETCH_MAX, "one limit");
_Static_assert(offsetof(struct jabi_kmod_thread, masked) == 0 && offsetof(struct jabi_kmod_thread, pending) == 8, "uintr.S");

void kmod_boot(int fd, void *pages)
{
	kmod_fd = fd;
	line_pages = pages;
}

bool kmod_present(void)
{
	return kmod_fd >= 0;
}

/* ---- user interrupts ---- */

static void note_vectors(struct kthread *kt, u64 vectors)
{
	if (vectors & 1ull << KMOD_VEC_TICK) {
		kt->nr_ticks++;
		kt->need_resched = 1;
	}
	if (vectors & 1ull << JABI_KMOD_VEC_YIELD)
		kt->core_yield = 1;
}

/* Unmasked first, then looked: what came while masked waits in `pending`. */
static void unmask(struct kthread *kt)
{
	struct jabi_kmod_thread *l = kt->ui_line;

	store_release(&l->masked, 0u);
	barrier(); /* same thread: the module interrupts us between the two or not at all */
	if (load_relaxed(&l->pending))
		note_vectors(kt, atomic_xchg(&l->pending, 0ull));
}

/* On the uThread's kernel stack: the program has been left. */
static void program_left(struct trapframe *tf)
{
	(void)tf;
	unmask(kt_self());
}

/* uintr.S found something pending on its way back to interrupted kernel code. */
void uintr_more(void)
{
	struct kthread *kt = kt_self();

	note_vectors(kt, atomic_xchg(&kt->ui_line->pending, 0ull));
	if (kt->current != &kt->idle_ut)
		store_release(&kt->work, 1u);
}

static void to_trapframe(struct trapframe *tf, const struct uintr_regs *r)
{
	tf->r15 = r->r15;
	tf->r14 = r->r14;
	tf->r13 = r->r13;
	tf->r12 = r->r12;
	tf->rbp = r->rbp;
	tf->rbx = r->rbx;
	tf->r11 = r->r11;
	tf->r10 = r->r10;
	tf->r9 = r->r9;
	tf->r8 = r->r8;
	tf->rax = r->rax;
	tf->rcx = r->rcx;
	tf->rdx = r->rdx;
	tf->rsi = r->rsi;
	tf->rdi = r->rdi;
	tf->rip = r->rip == (u64)exit_jmp ? r->rcx : r->rip;
	tf->cs = 0x33;
	tf->rflags = r->rflags;
	tf->rsp = r->rsp;
	tf->ss = 0x2b;
	tf->orig_rax = ~0ull;
	tf->kind = TF_FULL;
	tf->pad = 0;
}

/*
 * On the interrupt stack, masked. Returns to go back to interrupted kernel code, for which the way back uses that code's own stack: so
 * the two instructions of the entry that are still on the program's stack are done here.
 */
void uintr_handle(struct uintr_regs *r)
{
	struct kthread *kt = kt_self();

	note_vectors(kt, 1ull << (r->vector & 63));
	if (r->rip >= (u64)kernel_entry_syscall && r->rip < (u64)kernel_entry_stacked) {
		kt->user_rsp = r->rsp;
		r->rsp = (u64)kt->kstack_tf;
		r->rip = (u64)kernel_entry_stacked;
	}
	if (trap_in_kernel(r->rip, r->rsp)) {
		if (kt->current != &kt->idle_ut)
			store_release(&kt->work, 1u);
		trap_rewind_exit(&r->rip, &r->rsp);
		return;
	}
	to_trapframe(kt->kstack_tf, r);
	store_release(&kt->work, 1u);
	trap_run_call(kt->kstack_tf, (void *)program_left, 0, 0, 0);
}

int kmod_thread_alloc(struct kthread *kt)
{
	if (kmod_fd < 0)
		return 0;
	kt->ui_stack = page_alloc(0);
	return kt->ui_stack ? 0 : -ENOMEM;
}

void kmod_thread_free(struct kthread *kt)
{
	if (kt->ui_stack)
		page_free(kt->ui_stack, 0);
	kt->ui_stack = NULL;
}

int kmod_thread_init(struct kthread *kt, s64 tick_ns)
{
	struct jabi_kmod_register reg = { .size = sizeof(reg) };
	struct jabi_kmod_uintr ui = { .size = sizeof(ui), .flags = JABI_KMOD_UINTR_SOFT, .handler = (u64)uintr_entry,
				      .stack = (u64)(kt->ui_stack + PAGE_SIZE) | 1, .slice_ns = (u64)tick_ns,
				      .slice_vector = KMOD_VEC_TICK };
	char *line = line_pages + kt->index * PAGE_SIZE;
	long r;

	if (kmod_fd < 0)
		return -ENODEV;
	r = host_ioctl(kmod_fd, JABI_KMOD_REGISTER, &reg);
	if (r)
		return (int)r;
	r = host_mmap(line, PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, kmod_fd, (u64)reg.slot << PAGE_SHIFT);
	if (r != (long)line)
		goto err_unregister;
	kt->ui_line = (struct jabi_kmod_thread *)line;
	ui.slot = reg.slot;
	r = host_ioctl(kmod_fd, JABI_KMOD_UINTR, &ui);
	if (r)
		goto err_unregister;
	store_release(&kt->kmod_slot, reg.slot);
	return 0;
err_unregister:
	host_ioctl(kmod_fd, JABI_KMOD_UNREGISTER, &reg);
	return r < 0 ? (int)r : -EIO;
}

int kmod_interrupt(struct kthread *kt)
{
	struct jabi_kmod_send s = { .size = sizeof(s), .slot = load_acquire(&kt->kmod_slot), .vectors = 1ull << KMOD_VEC_KICK };

	return s.slot ? host_ioctl(kmod_fd, JABI_KMOD_UINTR_SEND, &s) : -ENODEV;
}

/* By generation: a grant that came after the last one that we know of is not given away. */
int kmod_park(struct kthread *kt, bool leave)
{
	struct jabi_kmod_park p = { .size = sizeof(p), .flags = leave ? JABI_KMOD_PARK_LEAVE : JABI_KMOD_PARK_IF_GEN, .slot = kt->kmod_slot,
				    .gen = leave ? 0 : kt->core_gen };
	int r = host_ioctl(kmod_fd, JABI_KMOD_PARK, &p);

	if (!r)
		kt->core_gen = p.gen;
	return r;
}

/* ---- page cache ---- */

int kmod_file_add(int fd)
{
	struct jabi_kmod_file f = { .size = sizeof(f), .fd = fd };
	int r = kmod_fd < 0 ? -ENODEV : host_ioctl(kmod_fd, JABI_KMOD_FILE_ADD, &f);

	return r < 0 ? r : (int)f.id;
}

void kmod_file_del(int id)
{
	struct jabi_kmod_file f = { .size = sizeof(f), .id = (u32)id };

	host_ioctl(kmod_fd, JABI_KMOD_FILE_DEL, &f);
}

int kmod_file_resident(int id, u64 off, u64 len)
{
	struct jabi_kmod_resident q = { .size = sizeof(q), .id = (u32)id, .offset = off,
					.nr_pages = (u32)((len + PAGE_SIZE - 1) >> PAGE_SHIFT) };
	int r = host_ioctl(kmod_fd, JABI_KMOD_RESIDENT, &q);

	for (u32 i = 0; !r && i < q.nr_pages; i++)
		if (!(q.bitmap[i / 64] >> i % 64 & 1))
			return 0;
	return r ? r : 1;
}

int kmod_file_map(int id, void *addr, u64 off, u64 len)
{
	struct jabi_kmod_map m = { .size = sizeof(m), .flags = JABI_KMOD_MAP_FIXED, .id = (u32)id, .offset = off, .length = len,
				   .addr = (u64)addr };

	return host_ioctl(kmod_fd, JABI_KMOD_MAP, &m);
}

int kmod_file_prefetch(int id, u64 off, u64 len)
{
	struct jabi_kmod_prefetch p = { .size = sizeof(p), .id = (u32)id, .offset = off, .length = len };

	return host_ioctl(kmod_fd, JABI_KMOD_PREFETCH, &p);
}
