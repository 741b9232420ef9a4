/* SPDX-License-Identifier: MIT */
/* /proc/PID and /proc/PID/task/TID: what processes and threads tell of themselves. Formats: proc(5). */
#include "userlib/base/string.h"
#include "userlib/proc/mm.h"
#include "userlib/proc/procfs_internal.h"
#include "userlib/proc/signal_internal.h"
#include "userlib/proc/timer_calls.h"

#define NSEC_PER_TICK (1000000000ul / 100)

struct uproc *procfs_proc(const struct pinode *pi)
{
	struct uproc *p = proc_find(pi->pid);

	if (p && p->start_ns != pi->start_ns) {
		proc_put(p);
		p = NULL;
	}
	return p;
}

struct thread *procfs_thread(const struct pinode *pi)
{
	struct thread *t = thread_find(pi->tid);

	if (t && t->proc->pid != pi->pid) {
		thread_put(t);
		t = NULL;
	}
	return t;
}

struct mm *procfs_mm(struct uproc *p)
{
	struct mm *mm;

	spin_lock(&p->lock);
	mm = p->mm ? mm_get(p->mm) : NULL;
	spin_unlock(&p->lock);
	return mm;
}

char procfs_state(const struct uproc *p, const struct thread *t)
{
	if (p->zombie || (!t && !p->nr_threads))
		return 'Z';
	if (p->stopped)
		return 'T';
	return t && load_relaxed(&t->ut.state) == UT_PARKED ? 'S' : 'R';
}

/* What stat and status show, collected with the locks held once. */
struct view {
	int ppid, pgid, sid;
	char comm[16], state;
	u32 nr_threads;
	u64 utime, stime, start_ns;
	u64 pend, shpend, blocked, ignored, caught;
	int nice;
	u32 policy, cpu;
	u64 nvcsw;
	bool has_tty;
	struct cred cred;
	struct mm_usage mem;
	struct mm *mm; /* reference or NULL */
};

static void collect_signals(struct view *v, struct uproc *p, struct thread *t)
{
	spin_lock(&p->sighand->lock);
	v->shpend = p->pending.set;
	v->pend = t ? t->pending.set : 0;
	v->blocked = t ? t->sigmask : 0;
	for (int i = 0; i < NSIG_MAX; i++) {
		u64 h = p->sighand->action[i].handler;

		if (h == (u64)SIG_IGN)
			v->ignored |= 1ull << i;
		else if (h != (u64)SIG_DFL)
			v->caught |= 1ull << i;
	}
	spin_unlock(&p->sighand->lock);
}

/* one_thread: times of t only. p and t as the caller holds them. */
static void collect(struct view *v, struct uproc *p, struct thread *t, bool one_thread)
{
	memset(v, 0, sizeof(*v));
	spin_lock(&proc_table_lock);
	v->ppid = p->parent ? p->parent->pid : 0;
	v->pgid = p->pgid;
	v->sid = p->sid;
	v->has_tty = p->ctty != NULL;
	spin_unlock(&proc_table_lock);
	if (one_thread && t) {
		thread_cpu_split(t, &v->utime, &v->stime);
	} else {
		proc_cpu_split(p, &v->utime, &v->stime);
	}
	spin_lock(&p->lock);
	v->nr_threads = p->nr_threads;
	v->cred = p->cred;
	if (!t && p->leader && !list_empty(&p->leader->group_link))
		t = p->leader;
	if (t) {
		memcpy(v->comm, t->ut.name, sizeof(v->comm));
		v->nice = t->nice;
		v->policy = t->sched_policy;
		v->nvcsw = t->ut.nr_switches;
		v->cpu = t->ut.kt ? t->ut.kt->cpu : 0;
	}
	v->state = procfs_state(p, t);
	collect_signals(v, p, t);
	spin_unlock(&p->lock);
	v->start_ns = (u64)p->start_ns;
	v->mm = procfs_mm(p);
	if (v->mm)
		mm_usage(v->mm, &v->mem);
}

static int with_view(const struct pinode *pi, struct view *v, bool one_thread)
{
	struct uproc *p = procfs_proc(pi);
	struct thread *t;

	if (!p)
		return -ESRCH;
	t = procfs_thread(pi);
	if (one_thread && !t) {
		proc_put(p);
		return -ESRCH;
	}
	collect(v, p, t, one_thread);
	if (t)
		thread_put(t);
	proc_put(p);
	return 0;
}

static void view_put(struct view *v)
{
	if (v->mm)
		mm_put(v->mm);
}

static int stat_line(struct ptext *o, const struct pinode *pi, bool one_thread)
{
	struct view v;
	const struct mm *mm;
	int r = with_view(pi, &v, one_thread);

	if (r)
		return r;
	mm = v.mm;
	ptext_printf(o, "%d (%s) %c %d %d %d %d %d %u 0 0 0 0 %lu %lu 0 0 ", one_thread ? pi->tid : pi->pid, v.comm, v.state, v.ppid,
		     v.pgid, v.sid, v.has_tty ? 0x8800 : 0, v.has_tty ? v.pgid : -1, 0x400000u, v.utime / NSEC_PER_TICK,
		     v.stime / NSEC_PER_TICK);
	ptext_printf(o, "%d %d %u 0 %lu %lu %lu %lu ", 20 + v.nice, v.nice, v.nr_threads, v.start_ns / NSEC_PER_TICK, v.mem.size,
		     v.mem.resident / PAGE_SIZE, ~0ul);
	ptext_printf(o, "%lu %lu %lu 0 0 %lu %lu %lu %lu 0 0 0 17 %u 0 %u 0 0 0 ", mm ? mm->start_code : 0, mm ? mm->end_code : 0,
		     mm ? mm->start_stack : 0, (v.pend | v.shpend) & INT32_MAX, v.blocked & INT32_MAX, v.ignored & INT32_MAX,
		     v.caught & INT32_MAX, v.cpu, v.policy);
	ptext_printf(o, "%lu %lu %lu %lu %lu %lu %lu 0\n", mm ? mm->start_data : 0, mm ? mm->end_data : 0, mm ? mm->start_brk : 0,
		     mm ? mm->arg_start : 0, mm ? mm->arg_end : 0, mm ? mm->env_start : 0, mm ? mm->env_end : 0);
	view_put(&v);
	return 0;
}

static int show_stat(struct ptext *o, const struct pinode *pi)
{
	return stat_line(o, pi, false);
}
static int show_task_stat(struct ptext *o, const struct pinode *pi)
{
	return stat_line(o, pi, true);
}

static const char *state_name(char c)
{
	switch (c) {
	case 'R':
		return "R (running)";
	case 'T':
		return "T (stopped)";
	case 'Z':
		return "Z (zombie)";
	default:
		return "S (sleeping)";
	}
}

static void status_memory(struct ptext *o, const struct view *v)
{
	const struct mm_usage *u = &v->mem;

	if (!v->mm)
		return;
	ptext_printf(o, "VmPeak:\t%8lu kB\nVmSize:\t%8lu kB\nVmLck:\t%8lu kB\nVmPin:\t%8lu kB\n", MAX(u->peak, u->size) / KiB,
		     u->size / KiB, u->locked / KiB, 0ul);
	ptext_printf(o, "VmHWM:\t%8lu kB\nVmRSS:\t%8lu kB\nRssAnon:\t%8lu kB\nRssFile:\t%8lu kB\nRssShmem:\t%8lu kB\n",
		     u->resident / KiB, u->resident / KiB, (u->resident - MIN(u->shared, u->resident)) / KiB, u->shared / KiB, 0ul);
	ptext_printf(o, "VmData:\t%8lu kB\nVmStk:\t%8lu kB\nVmExe:\t%8lu kB\nVmLib:\t%8lu kB\nVmPTE:\t%8lu kB\nVmSwap:\t%8lu kB\n",
		     u->data / KiB, u->stack / KiB, u->text / KiB, u->lib / KiB, u->size / (512 * KiB), 0ul);
}

static int status_text(struct ptext *o, const struct pinode *pi, bool one_thread)
{
	u64 cores = sched_nr_cores >= 64 ? ~0ull : (1ull << sched_nr_cores) - 1;
	struct uproc *p;
	struct view v;
	int r = with_view(pi, &v, one_thread);

	if (r)
		return r;
	ptext_printf(o, "Name:\t%s\nUmask:\t0022\nState:\t%s\nTgid:\t%d\nNgid:\t0\nPid:\t%d\nPPid:\t%d\nTracerPid:\t0\n", v.comm,
		     state_name(v.state), pi->pid, one_thread ? pi->tid : pi->pid, v.ppid);
	ptext_printf(o, "Uid:\t%u\t%u\t%u\t%u\nGid:\t%u\t%u\t%u\t%u\n", v.cred.uid, v.cred.euid, v.cred.suid, v.cred.fsuid,
		     v.cred.gid, v.cred.egid, v.cred.sgid, v.cred.fsgid);
	ptext_printf(o, "FDSize:\t256\nGroups:\t");
	for (u32 i = 0; i < v.cred.nr_groups; i++)
		ptext_printf(o, "%u ", v.cred.groups[i]);
	ptext_printf(o, "\nNStgid:\t%d\nNSpid:\t%d\nNSpgid:\t%d\nNSsid:\t%d\n", pi->pid, one_thread ? pi->tid : pi->pid, v.pgid,
		     v.sid);
	status_memory(o, &v);
	ptext_printf(o, "CoreDumping:\t0\nTHP_enabled:\t1\nThreads:\t%u\nSigQ:\t0/31381\nSigPnd:\t%016lx\nShdPnd:\t%016lx\n",
		     v.nr_threads, v.pend, v.shpend);
	ptext_printf(o, "SigBlk:\t%016lx\nSigIgn:\t%016lx\nSigCgt:\t%016lx\n", v.blocked, v.ignored, v.caught);
	ptext_printf(o, "CapInh:\t%016lx\nCapPrm:\t%016lx\nCapEff:\t%016lx\nCapBnd:\t%016lx\nCapAmb:\t%016lx\n", v.cred.cap_inheritable,
		     v.cred.cap_permitted, v.cred.cap_effective, v.cred.cap_bounding, v.cred.cap_ambient);
	p = procfs_proc(pi);
	ptext_printf(o, "NoNewPrivs:\t%u\nSeccomp:\t0\nSeccomp_filters:\t0\n", p ? p->no_new_privs : 0);
	if (p)
		proc_put(p);
	ptext_printf(o, "Cpus_allowed:\t%lx\nCpus_allowed_list:\t0", cores);
	if (sched_nr_cores > 1)
		ptext_printf(o, "-%u", sched_nr_cores - 1);
	ptext_printf(o, "\nMems_allowed:\t1\nMems_allowed_list:\t0\nvoluntary_ctxt_switches:\t%lu\nnonvoluntary_ctxt_switches:\t0\n",
		     v.nvcsw);
	view_put(&v);
	return 0;
}

static int show_status(struct ptext *o, const struct pinode *pi)
{
	return status_text(o, pi, false);
}
static int show_task_status(struct ptext *o, const struct pinode *pi)
{
	return status_text(o, pi, true);
}

static int show_statm(struct ptext *o, const struct pinode *pi)
{
	struct view v;
	const struct mm_usage *u = &v.mem;
	int r = with_view(pi, &v, false);

	if (r)
		return r;
	ptext_printf(o, "%lu %lu %lu %lu 0 %lu 0\n", u->size / PAGE_SIZE, u->resident / PAGE_SIZE, u->shared / PAGE_SIZE,
		     u->text / PAGE_SIZE, (u->data + u->stack) / PAGE_SIZE);
	view_put(&v);
	return 0;
}

/* ---- memory maps ---- */

struct map_text {
	struct mm_text t;
	struct ptext *o;
};

static int emit_map(struct mm_text *t, const char *s, size_t len)
{
	struct ptext *o = container_of(t, struct map_text, t)->o;

	ptext_add(o, s, len);
	return o->err;
}

static int show_map(struct ptext *o, const struct pinode *pi, int kind)
{
	struct uproc *p = procfs_proc(pi);
	struct mm *mm = p ? procfs_mm(p) : NULL;
	struct walk_ctx w;
	struct map_text m = { .t = { .emit = emit_map, .root = &w.root }, .o = o };
	int r = 0;

	if (mm) {
		w = proc_walk_ctx_get(uproc_self());
		r = kind == 0 ? mm_print_maps(mm, &m.t) : mm_print_smaps(mm, &m.t, kind == 2);
		proc_walk_ctx_put(&w);
		mm_put(mm);
	}
	if (!p)
		return -ESRCH;
	proc_put(p);
	return r;
}

static int show_maps(struct ptext *o, const struct pinode *pi)
{
	return show_map(o, pi, 0);
}
static int show_smaps(struct ptext *o, const struct pinode *pi)
{
	return show_map(o, pi, 1);
}
static int show_smaps_rollup(struct ptext *o, const struct pinode *pi)
{
	return show_map(o, pi, 2);
}

static int show_auxv(struct ptext *o, const struct pinode *pi)
{
	struct uproc *p = procfs_proc(pi);
	struct mm *mm;

	if (!p)
		return -ESRCH;
	mm = procfs_mm(p);
	if (mm) {
		ptext_add(o, (const char *)mm->auxv, MIN(mm->auxv_len, (u32)sizeof(mm->auxv)));
		mm_put(mm);
	}
	proc_put(p);
	return 0;
}

/* ---- names and settings ---- */

static int show_comm(struct ptext *o, const struct pinode *pi)
{
	struct thread *t = procfs_thread(pi);

	if (!t)
		return -ESRCH;
	ptext_printf(o, "%.15s\n", t->ut.name);
	thread_put(t);
	return 0;
}

static ssize store_comm(const struct pinode *pi, const char *s, size_t len)
{
	struct thread *t = procfs_thread(pi);
	char name[16] = { 0 };

	if (!t)
		return -ESRCH;
	if (t->proc != uproc_self()) {
		thread_put(t);
		return -EINVAL;
	}
	for (size_t i = 0; i < len && i < 15 && s[i] && s[i] != '\n'; i++)
		name[i] = s[i];
	memcpy(t->ut.name, name, sizeof(name));
	thread_put(t);
	return (ssize)len;
}

/* What went to and came from disks is not known here: the host does that. */
static void io_text(struct ptext *o, const struct io_counts *c)
{
	ptext_printf(o, "rchar: %lu\nwchar: %lu\nsyscr: %lu\nsyscw: %lu\nread_bytes: 0\nwrite_bytes: 0\ncancelled_write_bytes: 0\n",
		     c->rchar, c->wchar, c->syscr, c->syscw);
}

static int show_io(struct ptext *o, const struct pinode *pi)
{
	struct uproc *p = procfs_proc(pi);
	struct io_counts sum;
	struct thread *t;

	if (!p)
		return -ESRCH;
	spin_lock(&p->lock);
	sum = p->io;
	list_for_each(t, &p->threads, group_link)
		io_counts_add(&sum, &t->io);
	spin_unlock(&p->lock);
	io_text(o, &sum);
	proc_put(p);
	return 0;
}

static int show_task_io(struct ptext *o, const struct pinode *pi)
{
	struct thread *t = procfs_thread(pi);

	if (!t)
		return -ESRCH;
	io_text(o, &t->io);
	thread_put(t);
	return 0;
}

static int show_oom_adj(struct ptext *o, const struct pinode *pi)
{
	struct uproc *p = procfs_proc(pi);

	if (!p)
		return -ESRCH;
	ptext_printf(o, "%d\n", p->oom_score_adj);
	proc_put(p);
	return 0;
}

static ssize store_oom_adj(const struct pinode *pi, const char *s, size_t len)
{
	struct uproc *p;
	bool neg = s[0] == '-';
	char num[16];
	u64 v;
	size_t n = 0;
	int adj;

	for (s += neg; n < sizeof(num) - 1 && *s && *s != '\n'; n++)
		num[n] = *s++;
	num[n] = 0;
	if (parse_u64(num, 10, &v) || v > 1000)
		return -EINVAL;
	adj = neg ? -(int)v : (int)v;
	p = procfs_proc(pi);
	if (!p)
		return -ESRCH;
	if (adj < p->oom_score_adj && !cred_capable(&uproc_self()->cred, CAP_SYS_RESOURCE)) {
		proc_put(p);
		return -EACCES;
	}
	p->oom_score_adj = adj;
	proc_put(p);
	return (ssize)len;
}

static int show_limits(struct ptext *o, const struct pinode *pi)
{
	static const char *const names[16][2] = {
		{ "Max cpu time", "seconds" }, { "Max file size", "bytes" }, { "Max data size", "bytes" },
		{ "Max stack size", "bytes" }, { "Max core file size", "bytes" }, { "Max resident set", "bytes" },
		{ "Max processes", "processes" }, { "Max open files", "files" }, { "Max locked memory", "bytes" },
		{ "Max address space", "bytes" }, { "Max file locks", "locks" }, { "Max pending signals", "signals" },
		{ "Max msgqueue size", "bytes" }, { "Max nice priority", "" }, { "Max realtime priority", "" },
		{ "Max realtime timeout", "us" },
	};
	struct uproc *p = procfs_proc(pi);
	char cur[24], max[24];

	if (!p)
		return -ESRCH;
	ptext_printf(o, "%-25s %-20s %-20s %-10s\n", "Limit", "Soft Limit", "Hard Limit", "Units");
	for (int i = 0; i < 16; i++) {
		struct rlimit64 l = p->rlim[i];

		if (l.rlim_cur == ~0ull)
			str_copy(cur, "unlimited", sizeof(cur));
		else
			fmt(cur, sizeof(cur), "%llu", (unsigned long long)l.rlim_cur);
		if (l.rlim_max == ~0ull)
			str_copy(max, "unlimited", sizeof(max));
		else
			fmt(max, sizeof(max), "%llu", (unsigned long long)l.rlim_max);
		ptext_printf(o, "%-25s %-20s %-20s %-10s\n", names[i][0], cur, max, names[i][1]);
	}
	proc_put(p);
	return 0;
}

static int show_schedstat(struct ptext *o, const struct pinode *pi)
{
	struct thread *t = procfs_thread(pi);

	if (!t)
		return -ESRCH;
	ptext_printf(o, "%ld 0 %lu\n", thread_cpu_ns(t), t->ut.nr_switches);
	thread_put(t);
	return 0;
}

/* ---- links to paths ---- */

enum which_path { PATH_EXE, PATH_CWD, PATH_ROOT };

static int get_path(const struct pinode *pi, enum which_path which, struct path *out)
{
	struct uproc *p = procfs_proc(pi);
	int r = 0;

	if (!p)
		return -ENOENT;
	spin_lock(&p->lock);
	if (which == PATH_EXE) {
		*out = p->exe;
	} else if (p->fs) {
		spin_lock(&p->fs->lock);
		*out = which == PATH_CWD ? p->fs->cwd : p->fs->root;
	} else {
		*out = (struct path){ 0 };
	}
	if (out->mnt)
		path_get(out);
	else
		r = -ENOENT;
	if (which != PATH_EXE && p->fs)
		spin_unlock(&p->fs->lock);
	spin_unlock(&p->lock);
	proc_put(p);
	return r;
}

static int show_path(struct ptext *o, const struct pinode *pi, enum which_path which)
{
	struct walk_ctx w;
	struct path path;
	char *buf;
	ssize n = -ENOMEM;
	int r = get_path(pi, which, &path);

	if (r)
		return r;
	w = proc_walk_ctx_get(uproc_self());
	buf = kmem_alloc(PATH_MAX_LEN);
	if (buf) {
		n = path_name(&path, &w.root, buf, PATH_MAX_LEN, true);
		if (n > 0)
			ptext_add(o, buf, (size_t)n - 1);
		kmem_free(buf, PATH_MAX_LEN);
	}
	proc_walk_ctx_put(&w);
	path_put(&path);
	return n < 0 ? (int)n : 0;
}

static int show_exe(struct ptext *o, const struct pinode *pi)
{
	return show_path(o, pi, PATH_EXE);
}
static int show_cwd(struct ptext *o, const struct pinode *pi)
{
	return show_path(o, pi, PATH_CWD);
}
static int show_root(struct ptext *o, const struct pinode *pi)
{
	return show_path(o, pi, PATH_ROOT);
}
static int follow_exe(const struct pinode *pi, struct path *out)
{
	return get_path(pi, PATH_EXE, out);
}
static int follow_cwd(const struct pinode *pi, struct path *out)
{
	return get_path(pi, PATH_CWD, out);
}
static int follow_root(const struct pinode *pi, struct path *out)
{
	return get_path(pi, PATH_ROOT, out);
}

/* ---- tables ---- */

#define P_MAGIC(nm, fn, to) { .name = nm, .mode = S_IFLNK | 0777, .show = fn, .follow = to }
#define P_IO(fn) { .name = "io", .mode = S_IFREG | 0400, .show = fn }
#define P_COMMON                                                                                              \
	P_FILE("cmdline", procfs_show_cmdline),                                                               \
	{ .name = "environ", .mode = S_IFREG | 0400, .show = procfs_show_environ },                           \
	{ .name = "auxv", .mode = S_IFREG | 0400, .show = show_auxv },                                        \
	{ .name = "comm", .mode = S_IFREG | 0644, .show = show_comm, .store = store_comm },                   \
	P_FILE("maps", show_maps), P_FILE("smaps", show_smaps), P_FILE("smaps_rollup", show_smaps_rollup),    \
	P_FILE("statm", show_statm), P_FILE("limits", show_limits), P_FILE("mounts", procfs_show_mounts),     \
	P_FILE("mountinfo", procfs_show_mountinfo), P_FILE("schedstat", show_schedstat),                      \
	P_TEXT("cgroup", "0::/\n"), P_TEXT("wchan", "0"), P_TEXT("oom_score", "0\n"),                         \
	{ .name = "oom_score_adj", .mode = S_IFREG | 0644, .show = show_oom_adj, .store = store_oom_adj },    \
	P_MAGIC("exe", show_exe, follow_exe), P_MAGIC("cwd", show_cwd, follow_cwd),                           \
	P_MAGIC("root", show_root, follow_root),                                                              \
	{ .name = "net", .mode = S_IFDIR | 0555, .dyn = &procfs_net_dyn },                                    \
	{ .name = "fd", .mode = S_IFDIR | 0500, .dyn = &procfs_fd_dyn },                                      \
	{ .name = "fdinfo", .mode = S_IFDIR | 0555, .dyn = &procfs_fdinfo_dyn },                              \
	P_TEXT("uid_map", "         0          0 4294967295\n"),                                              \
	P_TEXT("gid_map", "         0          0 4294967295\n"), P_TEXT("personality", "00000000\n")

static const struct pnode tid_children[] = {
	P_FILE("stat", show_task_stat),
	P_FILE("status", show_task_status),
	P_IO(show_task_io),
	P_COMMON,
	P_END,
};

static const struct pnode tid_node = { .name = "tid", .mode = S_IFDIR | 0555, .flags = PN_TID, .children = tid_children };

static int task_lookup(const struct pinode *dir, const char *name, const struct pnode **node, int *key)
{
	struct thread *t;
	bool ours;
	u64 n;

	if (parse_u64(name, 10, &n) || n > INT32_MAX || !n)
		return -ENOENT;
	t = thread_find((int)n);
	if (!t)
		return -ENOENT;
	ours = t->proc->pid == dir->pid;
	thread_put(t);
	if (!ours)
		return -ENOENT;
	*node = &tid_node;
	*key = (int)n;
	return 0;
}

static bool task_next(const struct pinode *dir, int *key, char *name, size_t size, const struct pnode **node)
{
	struct uproc *p = procfs_proc(dir);
	struct thread *t;
	int best = INT32_MAX;

	if (!p)
		return false;
	spin_lock(&p->lock);
	list_for_each(t, &p->threads, group_link)
		if (t->tid >= *key && t->tid < best)
			best = t->tid;
	spin_unlock(&p->lock);
	proc_put(p);
	if (best == INT32_MAX)
		return false;
	*key = best;
	*node = &tid_node;
	fmt(name, size, "%d", best);
	return true;
}

static const struct pdyn task_dyn = { .lookup = task_lookup, .next = task_next };

static const struct pnode pid_children[] = {
	P_FILE("stat", show_stat),
	P_FILE("status", show_status),
	P_IO(show_io),
	P_COMMON,
	{ .name = "task", .mode = S_IFDIR | 0555, .dyn = &task_dyn },
	P_END,
};

static const struct pnode pid_node = { .name = "pid", .mode = S_IFDIR | 0555, .flags = PN_PID, .children = pid_children };

static int root_lookup(const struct pinode *dir, const char *name, const struct pnode **node, int *key)
{
	struct uproc *p;
	u64 n;

	(void)dir;
	if (name[0] < '1' || name[0] > '9' || parse_u64(name, 10, &n) || n > INT32_MAX)
		return -ENOENT;
	p = proc_find((int)n);
	if (!p)
		return -ENOENT;
	proc_put(p);
	*node = &pid_node;
	*key = (int)n;
	return 0;
}

static bool root_next(const struct pinode *dir, int *key, char *name, size_t size, const struct pnode **node)
{
	struct uproc *p;
	int best = INT32_MAX;

	(void)dir;
	spin_lock(&proc_table_lock);
	list_for_each(p, &uproc_all, all_link)
		if (p->pid >= *key && p->pid < best)
			best = p->pid;
	spin_unlock(&proc_table_lock);
	if (best == INT32_MAX)
		return false;
	*key = best;
	*node = &pid_node;
	fmt(name, size, "%d", best);
	return true;
}

const struct pdyn procfs_root_dyn = { .lookup = root_lookup, .next = root_next };
