/* SPDX-License-Identifier: MIT */
/*
 * Scheduling parameters as programs set and read them. The scheduler treats all uThreads alike: normal policies and nice values are kept
 * and told back; real-time policies would be a false promise and are refused.
 */
#include "userlib/sys/sys_signal_calls.h"
#include "userlib/base/string.h"
#include "userlib/proc/proc.h"
#include <linux/sched.h>
#include <linux/sched/types.h>
#include <linux/time_types.h>

#define PRIO_PROCESS 0
#define PRIO_PGRP 1
#define PRIO_USER 2

/* pid 0 = the caller. Reference. */
static int find_thread(int pid, struct thread **out)
{
	if (pid < 0)
		return -EINVAL;
	*out = pid ? thread_find(pid) : thread_self();
	if (!*out)
		return -ESRCH;
	if (!pid)
		ref_get(&(*out)->ref);
	return 0;
}

static bool may_change(const struct thread *t)
{
	const struct cred *c = &uproc_self()->cred, *o = &t->proc->cred;

	return cred_capable(c, CAP_SYS_NICE) || c->euid == o->uid || c->euid == o->euid;
}

static bool prio_matches(const struct uproc *p, int which, int who)
{
	const struct uproc *self = uproc_self();

	if (which == PRIO_PGRP)
		return p->pgid == (who ? who : self->pgid);
	return p->cred.uid == (who ? (u32)who : self->cred.uid);
}

long sys_getpriority(int which, int who)
{
	struct thread *t;
	struct uproc *p;
	int best = 20, r;

	if (which == PRIO_PROCESS) {
		r = find_thread(who, &t);
		if (r)
			return -ESRCH;
		best = t->nice;
		thread_put(t);
		return 20 - best;
	}
	if (which != PRIO_PGRP && which != PRIO_USER)
		return -EINVAL;
	spin_lock(&proc_table_lock);
	list_for_each(p, &uproc_all, all_link)
		if (prio_matches(p, which, who) && p->leader && !p->zombie)
			best = MIN(best, p->leader->nice);
	spin_unlock(&proc_table_lock);
	return best == 20 ? -ESRCH : 20 - best;
}

static int set_nice(struct thread *t, int nice)
{
	const struct cred *c = &uproc_self()->cred;

	if (!may_change(t))
		return -EPERM;
	if (nice < t->nice && !cred_capable(c, CAP_SYS_NICE) && 20 - nice > (s64)uproc_self()->rlim[RLIMIT_NICE].rlim_cur)
		return -EACCES;
	t->nice = nice;
	return 0;
}

long sys_setpriority(int which, int who, int nice)
{
	struct thread *t;
	struct uproc *p;
	int r = -ESRCH;

	nice = MAX(-20, MIN(19, nice));
	if (which == PRIO_PROCESS) {
		if (find_thread(who, &t))
			return -ESRCH;
		r = set_nice(t, nice);
		thread_put(t);
		return r;
	}
	if (which != PRIO_PGRP && which != PRIO_USER)
		return -EINVAL;
	spin_lock(&proc_table_lock);
	list_for_each(p, &uproc_all, all_link) {
		if (!prio_matches(p, which, who) || p->zombie)
			continue;
		spin_lock(&p->lock);
		list_for_each(t, &p->threads, group_link) {
			int e = set_nice(t, nice);

			if (e || r == -ESRCH)
				r = e;
		}
		spin_unlock(&p->lock);
	}
	spin_unlock(&proc_table_lock);
	return r;
}

/* ---- policies ---- */

static bool is_normal(int policy)
{
	return policy == SCHED_NORMAL || policy == SCHED_BATCH || policy == SCHED_IDLE;
}

long sys_sched_getscheduler(int pid)
{
	struct thread *t;
	int r = find_thread(pid, &t);

	if (r)
		return r;
	r = (int)t->sched_policy;
	thread_put(t);
	return r;
}

static int set_policy(struct thread *t, int policy, int prio)
{
	if (policy == SCHED_FIFO || policy == SCHED_RR)
		return prio < 1 || prio > 99 ? -EINVAL : -EPERM;
	if (policy == SCHED_DEADLINE)
		return -EPERM;
	if (!is_normal(policy) || prio)
		return -EINVAL;
	if (!may_change(t))
		return -EPERM;
	t->sched_policy = (u32)policy;
	return 0;
}

long sys_sched_setscheduler(int pid, int policy, const void __app *param)
{
	struct thread *t;
	s32 prio;
	int r;

	if (policy < 0 || !param)
		return -EINVAL;
	if (copy_from_app(&prio, param, sizeof(prio)))
		return -EFAULT;
	r = find_thread(pid, &t);
	if (r)
		return r;
	r = set_policy(t, policy & ~SCHED_RESET_ON_FORK, prio);
	thread_put(t);
	return r;
}

long sys_sched_getparam(int pid, void __app *param)
{
	struct thread *t;
	s32 prio;
	int r;

	if (!param)
		return -EINVAL;
	r = find_thread(pid, &t);
	if (r)
		return r;
	prio = (s32)t->sched_priority;
	thread_put(t);
	return copy_to_app(param, &prio, sizeof(prio));
}

long sys_sched_setparam(int pid, const void __app *param)
{
	struct thread *t;
	s32 prio;
	int r;

	if (!param)
		return -EINVAL;
	if (copy_from_app(&prio, param, sizeof(prio)))
		return -EFAULT;
	r = find_thread(pid, &t);
	if (r)
		return r;
	r = set_policy(t, (int)t->sched_policy, prio);
	thread_put(t);
	return r;
}

long sys_sched_getattr(int pid, void __app *uattr, unsigned size, unsigned flags)
{
	struct sched_attr a;
	struct thread *t;
	int r;

	if (flags || !uattr || size < SCHED_ATTR_SIZE_VER0 || size > PAGE_SIZE)
		return -EINVAL;
	r = find_thread(pid, &t);
	if (r)
		return r;
	memset(&a, 0, sizeof(a));
	a.size = MIN(size, (unsigned)sizeof(a));
	a.sched_policy = t->sched_policy;
	a.sched_nice = t->nice;
	if (size >= SCHED_ATTR_SIZE_VER1)
		a.sched_util_max = 1024;
	thread_put(t);
	return copy_to_app(uattr, &a, a.size);
}

long sys_sched_setattr(int pid, void __app *uattr, unsigned flags)
{
	struct sched_attr a;
	struct thread *t;
	u32 size;
	int r;

	if (flags || !uattr)
		return -EINVAL;
	if (get_app(size, (u32 __app *)uattr))
		return -EFAULT;
	if (!size)
		size = SCHED_ATTR_SIZE_VER0;
	if (size < SCHED_ATTR_SIZE_VER0 || size > PAGE_SIZE)
		return -E2BIG;
	memset(&a, 0, sizeof(a));
	if (copy_from_app(&a, uattr, MIN(size, (u32)sizeof(a))))
		return -EFAULT;
	if (a.sched_flags & ~(u64)SCHED_FLAG_ALL)
		return -EINVAL;
	r = find_thread(pid, &t);
	if (r)
		return r;
	r = set_policy(t, a.sched_flags & SCHED_FLAG_KEEP_POLICY ? (int)t->sched_policy : (int)a.sched_policy,
		       (int)a.sched_priority);
	if (!r && !(a.sched_flags & SCHED_FLAG_KEEP_PARAMS))
		r = set_nice(t, MAX(-20, MIN(19, a.sched_nice)));
	thread_put(t);
	return r == -EACCES ? -EPERM : r;
}

long sys_sched_get_priority_max(int policy)
{
	if (policy == SCHED_FIFO || policy == SCHED_RR)
		return 99;
	return is_normal(policy) || policy == SCHED_DEADLINE ? 0 : -EINVAL;
}

long sys_sched_get_priority_min(int policy)
{
	if (policy == SCHED_FIFO || policy == SCHED_RR)
		return 1;
	return is_normal(policy) || policy == SCHED_DEADLINE ? 0 : -EINVAL;
}

long sys_sched_rr_get_interval(int pid, void __app *uts)
{
	struct __kernel_timespec ts = { .tv_nsec = 4 * NSEC_PER_MSEC };
	struct thread *t;
	int r = find_thread(pid, &t);

	if (r)
		return r;
	thread_put(t);
	return copy_to_app(uts, &ts, sizeof(ts));
}

/* ---- affinity: a view of the instance's cores ---- */

static u64 all_cores(void)
{
	return sched_nr_cores >= 64 ? ~0ull : (1ull << sched_nr_cores) - 1;
}

long sys_sched_getaffinity(int pid, unsigned len, void __app *umask)
{
	struct thread *t;
	u64 mask;
	int r;

	if (len < sizeof(mask) || len % sizeof(mask))
		return -EINVAL;
	r = find_thread(pid, &t);
	if (r)
		return r;
	mask = load_relaxed(&t->ut.affinity);
	mask = mask ? mask & all_cores() : all_cores();
	thread_put(t);
	return copy_to_app(umask, &mask, sizeof(mask)) ? -EFAULT : (long)sizeof(mask);
}

long sys_sched_setaffinity(int pid, unsigned len, const void __app *umask)
{
	struct thread *t;
	u64 mask = 0;
	int r;

	if (copy_from_app(&mask, umask, MIN(len, (unsigned)sizeof(mask))))
		return -EFAULT;
	r = find_thread(pid, &t);
	if (r)
		return r;
	mask &= all_cores();
	if (!may_change(t))
		r = -EPERM;
	else if (!mask)
		r = -EINVAL;
	else
		store_relaxed(&t->ut.affinity, mask); /* told back; uThreads still run where there is work */
	if (!r && t == thread_self())
		sched_show_cpu(kt_self(), &t->ut); /* another thread shows it from its next switch on */
	thread_put(t);
	return r;
}

/* ---- I/O priority: one class for all ---- */

long sys_ioprio_get(int which, int who)
{
	struct thread *t;
	int r;

	if (which < 1 || which > 3)
		return -EINVAL;
	if (which != 1)
		return 0;
	r = find_thread(who, &t);
	if (r)
		return r;
	thread_put(t);
	return 0; /* IOPRIO_CLASS_NONE */
}

long sys_ioprio_set(int which, int who, int prio)
{
	struct thread *t;
	int class = prio >> 13, r;

	if (which < 1 || which > 3 || class < 0 || class > 3 || (prio & 7) != (prio & 0x1fff))
		return -EINVAL;
	if (class == 1 && !cred_capable(&uproc_self()->cred, CAP_SYS_NICE))
		return -EPERM;
	if (which != 1)
		return 0;
	r = find_thread(who, &t);
	if (r)
		return r;
	thread_put(t);
	return 0;
}
