/* SPDX-License-Identifier: MIT */
/*
 * The system-call dispatcher and the work on the way out. The table is made from table.h, where every call is one row. Unknown calls
 * return ENOSYS and are named once.
 */
#include "userlib/sys/dispatch.h"
#include "userlib/base/log.h"
#include "userlib/file/file_internal.h"
#include "userlib/proc/proc.h"
#include "userlib/rt/kthread.h"
#include "userlib/rt/trap.h"
#include "userlib/sys/table.h"
#include <asm/unistd_64.h>

bool sys_trace_on, sys_stats_on;
u64 sys_counts[SYS_NR_MAX];
u64 sys_unknown;

/* One thunk per row: casts the six register values to the declared types. */
#define THUNK0(name) \
	static long thunk_##name(u64 a, u64 b, u64 c, u64 d, u64 e, u64 f) \
	{ (void)a; (void)b; (void)c; (void)d; (void)e; (void)f; return sys_##name(); }
#define THUNK1(name, t1, n1) \
	static long thunk_##name(u64 a, u64 b, u64 c, u64 d, u64 e, u64 f) \
	{ (void)b; (void)c; (void)d; (void)e; (void)f; return sys_##name((t1)a); }
#define THUNK2(name, t1, n1, t2, n2) \
	static long thunk_##name(u64 a, u64 b, u64 c, u64 d, u64 e, u64 f) \
	{ (void)c; (void)d; (void)e; (void)f; return sys_##name((t1)a, (t2)b); }
#define THUNK3(name, t1, n1, t2, n2, t3, n3) \
	static long thunk_##name(u64 a, u64 b, u64 c, u64 d, u64 e, u64 f) \
	{ (void)d; (void)e; (void)f; return sys_##name((t1)a, (t2)b, (t3)c); }
#define THUNK4(name, t1, n1, t2, n2, t3, n3, t4, n4) \
	static long thunk_##name(u64 a, u64 b, u64 c, u64 d, u64 e, u64 f) \
	{ (void)e; (void)f; return sys_##name((t1)a, (t2)b, (t3)c, (t4)d); }
#define THUNK5(name, t1, n1, t2, n2, t3, n3, t4, n4, t5, n5) \
	static long thunk_##name(u64 a, u64 b, u64 c, u64 d, u64 e, u64 f) \
	{ (void)f; return sys_##name((t1)a, (t2)b, (t3)c, (t4)d, (t5)e); }
#define THUNK6(name, t1, n1, t2, n2, t3, n3, t4, n4, t5, n5, t6, n6) \
	static long thunk_##name(u64 a, u64 b, u64 c, u64 d, u64 e, u64 f) \
	{ return sys_##name((t1)a, (t2)b, (t3)c, (t4)d, (t5)e, (t6)f); }
#define SYS(n, name, flags, ...) THUNK##n(name __VA_OPT__(, ) __VA_ARGS__)
SYSCALL_TABLE
#undef SYS

#define SYS(n, nm, fl, ...) \
	[__NR_##nm] = { .fn = thunk_##nm, .name = #nm, .args = #__VA_ARGS__, .nr_args = n, .flags = fl },
const struct sys_row sys_table[SYS_NR_MAX] = { SYSCALL_TABLE };
#undef SYS

/* Numbers that Linux itself answers with ENOSYS: old names without a body, and what never was on this architecture. */
static bool is_nothing(u64 nr)
{
	static const u16 gone[] = { 156, 174, 177, 178, 180, 181, 182, 183, 184, 185, 205, 211, 212, 214, 215, 236 };

	for (size_t i = 0; i < ARRAY_SIZE(gone); i++)
		if (gone[i] == nr)
			return true;
	return nr >= 335 && nr < 424;
}

static noinline_fn long unknown_call(u64 nr)
{
	static u64 named[8];

	if (is_nothing(nr))
		return -ENOSYS;

	atomic_add_relaxed(&sys_unknown, 1);
	if (nr < 512 && !(atomic_fetch_or(&named[nr / 64], 1ull << nr % 64) & 1ull << nr % 64))
		log_msg(LOG_WARN, "system call %lu is not implemented (ENOSYS)", nr);
	return -ENOSYS;
}

/* What the arguments point to, should they be pointers; buffers of any length are looked at when their iterators are made. */
#define PREPARE_LEN (64 * KiB)

static void prepare_args(const struct sys_row *row, const u64 args[6])
{
	for (unsigned i = 0; row && i < row->nr_args; i++)
		uaccess_prepare(args[i], PREPARE_LEN);
}

static noinline_fn void dispatch_observed(struct trapframe *tf, u64 nr)
{
	const struct sys_row *row = nr < SYS_NR_MAX ? &sys_table[nr] : NULL;
	u64 args[6] = { tf->rdi, tf->rsi, tf->rdx, tf->r10, tf->r8, tf->r9 };
	long r;

	if (nr < SYS_NR_MAX)
		atomic_add_relaxed(&sys_counts[nr], 1);
	if (uaccess_prepare)
		prepare_args(row, args);
	if (sys_trace_on)
		strace_enter(row, nr, args);
	if (nr == __NR_rt_sigreturn)
		r = signal_sigreturn(tf);
	else
		r = row && row->fn ? row->fn(args[0], args[1], args[2], args[3], args[4], args[5]) : unknown_call(nr);
	if (sys_trace_on)
		strace_exit(row, nr, args, r);
	tf->rax = (u64)r;
}

void syscall_dispatch(struct trapframe *tf)
{
	u64 nr = tf->rax;

	if (unlikely(sys_trace_on || sys_stats_on || uaccess_prepare))
		dispatch_observed(tf, nr);
	else if (likely(nr < SYS_NR_MAX && sys_table[nr].fn))
		tf->rax = (u64)sys_table[nr].fn(tf->rdi, tf->rsi, tf->rdx, tf->r10, tf->r8, tf->r9);
	else if (nr == __NR_rt_sigreturn)
		tf->rax = (u64)signal_sigreturn(tf);
	else
		tf->rax = (u64)unknown_call(nr);
	/* Kernel-internal restart codes never reach the program: the way out turns them into EINTR or a restart. */
	if (unlikely(tf->rax >= (u64)-516 && tf->rax <= (u64)-512 && tf->orig_rax != ~0ull))
		store_relaxed(&kt_self()->work, 1u);
}

static bool wants_restart(const struct trapframe *tf)
{
	return tf->orig_rax != ~0ull && tf->rax >= (u64)-516 && tf->rax <= (u64)-512;
}

void exit_work(struct trapframe *tf)
{
	struct thread *t = thread_self();

	for (;;) {
		store_relaxed(&kt_self()->work, 0u);
		full_fence(); /* pairs with sched_kick: clear first, then look */
		host_signals_run();
		file_async_run();
		sched_check_resched();
		if (unlikely(t->ut.lost_flags)) {
			sigframe_set_flags(tf, t->ut.lost_flags);
			t->ut.lost_flags = 0;
		}
		if (load_acquire(&t->ut.signal_pending) || wants_restart(tf)) {
			rseq_resume(t, tf);
			signal_deliver_on_exit(tf);
		}
		if (!t->restart_now)
			break;
		t->restart_now = 0;
		syscall_dispatch(tf);
	}
	rseq_resume(t, tf);
	if (t->ut.xstate_in_memory)
		xstate_load_current();
}
