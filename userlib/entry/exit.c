/* SPDX-License-Identifier: MIT */
/*
 * The end of the instance, which is the end of its first process: pid_namespaces(7). How one process ends is proc/exit.c. The others are
 * killed and get a moment to close what they have open; what was handed to the stack goes out as it would from Linux, whose kernel
 * outlives its programs: as long as peers take it, but not for ever, and not if a signal says that somebody does not want to wait.
 */
#include "net/net.h"
#include "userlib/entry/entry.h"
#include "userlib/proc/proc_internal.h"
#include "userlib/rt/host.h"
#include "userlib/rt/uthread.h"
#include <linux/signal.h>

#define OTHERS_NS  (500 * NSEC_PER_MSEC) /* for all others to end */
#define SILENCE_NS (5 * NSEC_PER_SEC)	 /* peers that acknowledge nothing */
#define LINGER_NS  (60 * NSEC_PER_SEC)	 /* peers that acknowledge little */
#define NAP_MIN_NS (50 * NSEC_PER_USEC)
#define NAP_MAX_NS (5 * NSEC_PER_MSEC)

static u32 ending, in_a_hurry; /* [a] */

bool instance_hurry(void)
{
	if (!load_acquire(&ending))
		return false;
	store_release(&in_a_hurry, 1u);
	return true;
}

static void nap(s64 *ns)
{
	s64 until = clock_monotonic_ns() + *ns;

	while (clock_monotonic_ns() < until && uthread_park(until) != -ETIMEDOUT)
		;
	*ns = MIN(*ns * 2, NAP_MAX_NS);
}

static bool others_left(bool kill)
{
	struct ksiginfo info = { .si_signo = SIGKILL, .si_code = 0x80 /* SI_KERNEL */ };
	bool left = false;
	struct uproc *p;

	spin_lock(&proc_table_lock);
	list_for_each(p, &uproc_all, all_link) {
		if (p == proc_init || p->zombie)
			continue;
		left = true;
		if (kill)
			(void)signal_send_proc(p, SIGKILL, &info);
	}
	spin_unlock(&proc_table_lock);
	return left;
}

static void end_others(void)
{
	s64 ns = NAP_MIN_NS, deadline = clock_monotonic_ns() + OTHERS_NS;

	for (bool left = others_left(true); left && clock_monotonic_ns() < deadline; left = others_left(true))
		nap(&ns);
}

static void let_out(void)
{
	s64 now = clock_monotonic_ns(), ns = NAP_MIN_NS, silence = now + SILENCE_NS, deadline = now + LINGER_NS;
	u64 before = ~0ull, n;

	while ((n = net_unsent()) != 0 && now < MIN(silence, deadline) && !load_acquire(&in_a_hurry)) {
		if (n < before)
			silence = now + SILENCE_NS;
		before = n;
		nap(&ns);
		now = clock_monotonic_ns();
	}
}

void instance_kill_hosts(void)
{
	struct kproc *kp;
	int me = host_getpid();

	/* No lock: whoever dies now must not be waited for. The launcher sweeps up what this misses. */
	for (struct list *l = kproc_list.next; l && l != &kproc_list; l = l->next) {
		kp = list_entry(l, struct kproc, link);
		if (kp->host_pid && kp->host_pid != me)
			host_tgkill(kp->host_pid, kp->host_pid, 9);
	}
}

void instance_exit(int wait_status)
{
	store_release(&ending, 1u);
	end_others();
	let_out();
	entry_print_stats();
	boot->exit_status = (u32)wait_status;
	store_release(&boot->exit_set, 1u);
	instance_kill_hosts();
	host_exit_group(wait_status & 0x7f ? 128 + (wait_status & 0x7f) : wait_status >> 8 & 0xff);
}
