/* SPDX-License-Identifier: MIT */
/*
 * Restartable sequences (rseq(2), Linux's include/uapi/linux/rseq.h). What may break a sequence (preemption, a signal, a move to another
 * kThread) all passes exit_work, a call that merely parked does not: then only the core number may be new, and the scheduler asks for
 * exit work when it is (uthread.told_cpu). The core number is unique among the kThreads of a kProc, which is all a program can share
 * unlocked data with.
 */
#include "userlib/proc/rseq.h"
#include "userlib/proc/signal_internal.h"
#include <linux/rseq.h>
#include <linux/signal.h>

#define RSEQ_LEN 32u
#define TASK_SIZE 0x7ffffffff000ull

/* struct rseq by offsets: cpu_id_start 0, cpu_id 4, rseq_cs 8, flags 16, node_id 20, mm_cid 24 */
static int tell_cpu(struct thread *t, u32 cpu_start, u32 cpu)
{
	u32 v[2] = { cpu_start, cpu }, ids[2] = { 0, cpu_start };

	return copy_to_app(t->rseq, v, sizeof(v)) || copy_to_app((char __app *)t->rseq + 20, ids, sizeof(ids)) ? -EFAULT : 0;
}

static int abort_sequence(struct thread *t, struct trapframe *tf, u64 at)
{
	struct rseq_cs cs;
	u32 sig;

	if (at >= TASK_SIZE || copy_from_app(&cs, (void __app *)at, sizeof(cs)))
		return -EFAULT;
	if (cs.start_ip >= TASK_SIZE || cs.start_ip + cs.post_commit_offset >= TASK_SIZE || cs.abort_ip >= TASK_SIZE || cs.version > 0 ||
	    cs.start_ip + cs.post_commit_offset < cs.start_ip || cs.abort_ip - cs.start_ip < cs.post_commit_offset)
		return -EINVAL;
	if (get_app(sig, (u32 __app *)(cs.abort_ip - sizeof(u32))))
		return -EFAULT;
	if (sig != t->rseq_sig)
		return -EINVAL;
	if (put_app((u64)0, (u64 __app *)((char __app *)t->rseq + 8)))
		return -EFAULT;
	if (tf->rip - cs.start_ip < cs.post_commit_offset)
		tf->rip = cs.abort_ip;
	return 0;
}

void rseq_resume(struct thread *t, struct trapframe *tf)
{
	struct ksiginfo info = { .si_signo = SIGSEGV, .si_code = SIGINFO_KERNEL };
	u32 cpu = kthread_core(kt_self()); /* not what an affinity shows: two threads may be shown one core */
	u64 cs;
	int r;

	if (!t->rseq)
		return;
	r = get_app(cs, (u64 __app *)((char __app *)t->rseq + 8));
	if (!r && cs)
		r = abort_sequence(t, tf, cs);
	if (!r && t->ut.told_cpu != cpu + 1) {
		r = tell_cpu(t, cpu, cpu);
		t->ut.told_cpu = cpu + 1;
	}
	if (r) { /* the program broke the contract */
		t->rseq = NULL;
		t->ut.told_cpu = 0;
		signal_force_self(SIGSEGV, &info);
	}
}

long sys_rseq(void __app *rseq, u32 len, int flags, u32 sig)
{
	struct thread *t = thread_self();

	if (flags & RSEQ_FLAG_UNREGISTER) {
		if (flags & ~RSEQ_FLAG_UNREGISTER || t->rseq != rseq || !rseq || len != t->rseq_len)
			return -EINVAL;
		if (t->rseq_sig != sig)
			return -EPERM;
		if (tell_cpu(t, 0, (u32)RSEQ_CPU_ID_UNINITIALIZED))
			return -EFAULT;
		t->rseq = NULL;
		t->ut.told_cpu = 0;
		return 0;
	}
	if (flags)
		return -EINVAL;
	if (t->rseq) {
		if (t->rseq != rseq || t->rseq_len != len)
			return -EINVAL;
		return t->rseq_sig != sig ? -EPERM : -EBUSY;
	}
	if ((u64)rseq & (RSEQ_LEN - 1) || len != RSEQ_LEN)
		return -EINVAL;
	if (clear_app((char __app *)rseq + 8, 8) || copy_to_app(rseq, &(u64){ 0 }, 8))
		return -EFAULT;
	t->rseq = rseq;
	t->rseq_len = len;
	t->rseq_sig = sig;
	t->ut.told_cpu = ~0u; /* the way out tells */
	store_relaxed(&kt_self()->work, 1u);
	return 0;
}
