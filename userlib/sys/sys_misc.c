/* SPDX-License-Identifier: MIT */
/* System calls that tell about the system or set odds and ends: uname, sysinfo, prctl, limits, randomness, membarrier. */
#include "userlib/sys/sys_signal_calls.h"
#include "userlib/base/string.h"
#include "userlib/file/tty.h"
#include "userlib/proc/proc.h"
#include "userlib/proc/timer_calls.h"
#include "userlib/proc/uts.h"
#include "userlib/rt/host.h"
#include <linux/capability.h>
#include <linux/membarrier.h>
#include <linux/prctl.h>
#include <linux/random.h>
#include <linux/sysinfo.h>
#include <linux/utsname.h>

/* ---- names ---- */

long sys_uname(void __app *buf)
{
	struct new_utsname u;

	memset(&u, 0, sizeof(u));
	str_copy(u.sysname, UTS_SYSNAME, sizeof(u.sysname));
	str_copy(u.release, UTS_RELEASE, sizeof(u.release));
	str_copy(u.version, UTS_VERSION, sizeof(u.version));
	str_copy(u.machine, "x86_64", sizeof(u.machine));
	uts_get_hostname(u.nodename);
	uts_get_domainname(u.domainname);
	return copy_to_app(buf, &u, sizeof(u));
}

static long set_name(void (*set)(const char *, size_t), const char __app *name, int len)
{
	char tmp[UTS_LEN];

	if (!cred_capable(&uproc_self()->cred, CAP_SYS_ADMIN))
		return -EPERM;
	if (len < 0 || len > UTS_LEN)
		return -EINVAL;
	if (copy_from_app(tmp, name, (size_t)len))
		return -EFAULT;
	set(tmp, (size_t)len);
	return 0;
}

long sys_sethostname(const char __app *name, int len)
{
	return set_name(uts_set_hostname, name, len);
}
long sys_setdomainname(const char __app *name, int len)
{
	return set_name(uts_set_domainname, name, len);
}

long sys_sysinfo(void __app *buf)
{
	u64 used = mem_charged_bytes() + page_used_bytes(), total = mem_limit_bytes();
	struct sysinfo si;
	struct uproc *p;

	memset(&si, 0, sizeof(si));
	si.uptime = clock_boottime_ns() / NSEC_PER_SEC;
	si.totalram = total;
	si.freeram = total > used ? total - used : 0;
	si.mem_unit = 1;
	spin_lock(&proc_table_lock);
	list_for_each(p, &uproc_all, all_link)
		si.procs = (u16)(si.procs + p->nr_threads);
	spin_unlock(&proc_table_lock);
	return copy_to_app(buf, &si, sizeof(si));
}

long sys_getrandom(void __app *buf, size_t len, unsigned flags)
{
	u8 chunk[256];
	size_t done = 0, got;

	if (flags & ~(unsigned)(GRND_NONBLOCK | GRND_RANDOM | GRND_INSECURE) ||
	    (flags & (GRND_RANDOM | GRND_INSECURE)) == (GRND_RANDOM | GRND_INSECURE))
		return -EINVAL;
	len = MIN(len, (size_t)INT32_MAX);
	while (done < len) {
		size_t n = MIN(len - done, sizeof(chunk));

		random_bytes(chunk, n);
		got = copy_to_app_partial((char __app *)buf + done, chunk, n);
		done += got;
		if (got < n)
			return done ? (long)done : -EFAULT;
		if (uthread_signal_pending())
			break;
	}
	memset(chunk, 0, sizeof(chunk));
	return (long)done;
}

/* ---- prctl ---- */

static long prctl_name(int op, char __app *user)
{
	struct thread *t = thread_self();
	char name[16] = { 0 };

	if (op == PR_GET_NAME)
		return copy_to_app(user, t->ut.name, sizeof(name));
	for (size_t i = 0; i < sizeof(name) - 1; i++) {
		if (get_app(name[i], user + i))
			return -EFAULT;
		if (!name[i])
			break;
	}
	memcpy(t->ut.name, name, sizeof(name));
	return 0;
}

static long prctl_flags(int op, u64 a2, u64 a3, u64 a4, u64 a5)
{
	struct uproc *p = uproc_self();

	switch (op) {
	case PR_SET_NO_NEW_PRIVS:
		if (a2 != 1 || a3 || a4 || a5)
			return -EINVAL;
		p->no_new_privs = 1;
		return 0;
	case PR_GET_NO_NEW_PRIVS:
		return a2 || a3 || a4 || a5 ? -EINVAL : (long)p->no_new_privs;
	case PR_SET_CHILD_SUBREAPER:
		p->child_subreaper = !!a2;
		return 0;
	case PR_GET_CHILD_SUBREAPER:
		return put_app((int)p->child_subreaper, (int __app *)a2);
	case PR_SET_DUMPABLE:
		if (a2 > 1)
			return -EINVAL;
		p->dumpable = (u32)a2;
		return 0;
	case PR_GET_DUMPABLE:
		return (long)p->dumpable;
	default:
		return -EINVAL;
	}
}

long sys_prctl(int op, u64 a2, u64 a3, u64 a4, u64 a5)
{
	struct thread *t = thread_self();

	switch (op) {
	case PR_SET_NAME:
	case PR_GET_NAME:
		return prctl_name(op, (char __app *)a2);
	case PR_SET_PDEATHSIG:
		if (a2 > NSIG_MAX)
			return -EINVAL;
		t->proc->pdeath_signal = (int)a2;
		return 0;
	case PR_GET_PDEATHSIG:
		return put_app(t->proc->pdeath_signal, (int __app *)a2);
	case PR_SET_TIMERSLACK:
		t->timer_slack_ns = a2 ? a2 : 50000;
		return 0;
	case PR_GET_TIMERSLACK:
		return (long)t->timer_slack_ns;
	case PR_GET_SECCOMP: /* the host's filter is below the instance */
	case PR_GET_THP_DISABLE:
	case PR_GET_TIMING:
		return 0;
	case PR_GET_TSC:
		return put_app((int)PR_TSC_ENABLE, (int __app *)a2);
	case PR_SET_TSC:
		return a2 == PR_TSC_ENABLE ? 0 : -EINVAL;
	case PR_SET_TIMING:
		return a2 == PR_TIMING_STATISTICAL ? 0 : -EINVAL;
	case PR_SET_KEEPCAPS:
	case PR_GET_KEEPCAPS:
	case PR_SET_SECUREBITS:
	case PR_GET_SECUREBITS:
	case PR_CAPBSET_READ:
	case PR_CAPBSET_DROP:
	case PR_CAP_AMBIENT:
		return prctl_caps(op, a2, a3, a4, a5);
	default:
		return prctl_flags(op, a2, a3, a4, a5);
	}
}

/* ---- limits ---- */

#define NR_OPEN_MAX (1024 * 1024ul)

static int do_prlimit(struct uproc *p, unsigned res, const struct rlimit64 *new_rl, struct rlimit64 *old_rl)
{
	struct rlimit64 *l = &p->rlim[res];
	int r = 0;

	if (new_rl && new_rl->rlim_cur > new_rl->rlim_max)
		return -EINVAL;
	if (new_rl && res == RLIMIT_NOFILE && new_rl->rlim_max > NR_OPEN_MAX)
		return -EPERM;
	spin_lock(&p->lock);
	if (old_rl)
		*old_rl = *l;
	if (new_rl && new_rl->rlim_max > l->rlim_max && !cred_capable(&uproc_self()->cred, CAP_SYS_RESOURCE))
		r = -EPERM;
	else if (new_rl)
		*l = *new_rl;
	spin_unlock(&p->lock);
	if (!r && new_rl && res == RLIMIT_CPU)
		cpu_limit_watch(p);
	return r;
}

long sys_prlimit64(int pid, unsigned res, const void __app *unew, void __app *uold)
{
	struct uproc *self = uproc_self(), *p = self;
	const struct cred *c = &self->cred;
	struct rlimit64 n, o;
	int r;

	if (res >= RLIM_NLIMITS)
		return -EINVAL;
	if (unew && copy_from_app(&n, unew, sizeof(n)))
		return -EFAULT;
	if (pid) {
		p = proc_find(pid);
		if (!p)
			return -ESRCH;
	} else {
		proc_get(p);
	}
	if (p != self && !cred_capable(c, CAP_SYS_RESOURCE) && (c->uid != p->cred.uid || c->uid != p->cred.suid || c->uid != p->cred.euid))
		r = -EPERM;
	else
		r = do_prlimit(p, res, unew ? &n : NULL, &o);
	proc_put(p);
	if (!r && uold && copy_to_app(uold, &o, sizeof(o)))
		return -EFAULT;
	return r;
}

long sys_getrlimit(unsigned res, void __app *rl)
{
	return sys_prlimit64(0, res, NULL, rl);
}

long sys_setrlimit(unsigned res, const void __app *rl)
{
	return rl ? sys_prlimit64(0, res, rl, NULL) : -EFAULT;
}

/* ---- cores ---- */

long sys_getcpu(u32 __app *cpu, u32 __app *node, void __app *cache)
{
	(void)cache; /* unused since Linux 2.6.24 */
	if (cpu && put_app(kt_self()->cpu, cpu))
		return -EFAULT;
	return node && put_app(0u, node) ? -EFAULT : 0;
}

/* Every kThread that runs a program of this address space passes the kernel, where it executes a full fence (exit_work). */
static void fence_all(void)
{
	/* two callers would wait for each other to leave the kernel */
	static struct mutex one_at_a_time = { .waiters = LIST_INIT(one_at_a_time.waiters) };
	struct kthread *self;
	struct kproc *kp = kproc_self();

	mutex_lock(&one_at_a_time);
	full_fence();
	self = kt_self();
	for (u32 i = 0; i < load_acquire(&kp->nr_kthreads); i++) {
		struct kthread *kt = kp->kthreads[i];
		struct uthread *ut = READ_ONCE(kt->current);

		if (kt == self || load_acquire(&kt->sleeping) || !ut || ut == &kt->idle_ut)
			continue;
		sched_kick(ut);
		for (int spins = 0; load_acquire(&kt->work) && READ_ONCE(kt->current) == ut; spins++) {
			if (spins < 200)
				cpu_pause();
			else
				host_sched_yield();
		}
	}
	full_fence();
	mutex_unlock(&one_at_a_time);
}

long sys_membarrier(int cmd, unsigned flags, int cpu)
{
	struct uproc *p = uproc_self();
	u32 kind = 0;

	if (flags && (cmd != MEMBARRIER_CMD_PRIVATE_EXPEDITED_RSEQ || flags != MEMBARRIER_CMD_FLAG_CPU))
		return -EINVAL;
	if (flags && (cpu < 0 || (u32)cpu >= sched_nr_cores))
		return cpu < 0 ? -EINVAL : 0;
	switch (cmd) {
	case MEMBARRIER_CMD_QUERY:
		return MEMBARRIER_CMD_PRIVATE_EXPEDITED | MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED | MEMBARRIER_CMD_PRIVATE_EXPEDITED_RSEQ |
		       MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED_RSEQ;
	case MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED:
	case MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED_RSEQ:
		atomic_fetch_or(&p->membarrier_ok, (u32)cmd);
		return 0;
	case MEMBARRIER_CMD_PRIVATE_EXPEDITED:
		kind = MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED;
		break;
	case MEMBARRIER_CMD_PRIVATE_EXPEDITED_RSEQ: /* whoever passes the kernel starts its sequence over (rseq.c) */
		kind = MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED_RSEQ;
		break;
	default:
		return -EINVAL;
	}
	if (!(load_relaxed(&p->membarrier_ok) & kind))
		return -EPERM;
	fence_all();
	return 0;
}

/* Root's session loses its terminal as if it had been unplugged. */
long sys_vhangup(void)
{
	if (!cred_capable(&uproc_self()->cred, CAP_SYS_TTY_CONFIG))
		return -EPERM;
	tty_vhangup(proc_hooks->current_ctty());
	return 0;
}

/* ---- refused ---- */

long sys_syslog(int type, char __app *buf, int len)
{
	(void)type;
	(void)buf;
	(void)len;
	return -EPERM;
}

long sys_personality(u64 persona)
{
	return persona == 0 || (u32)persona == 0xffffffffu ? 0 : -EINVAL;
}

long sys_iopl(unsigned level)
{
	return level > 3 ? -EINVAL : level ? -EPERM : 0;
}

long sys_ioperm(u64 from, u64 num, int on)
{
	if (from + num <= from || from + num > 65536)
		return -EINVAL;
	return on ? -EPERM : 0;
}
