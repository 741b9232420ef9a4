/* SPDX-License-Identifier: MIT */
/*
 * From a locked-in host process to the first program: the table of inits, the first process with its descriptors and root, its exec.
 * Also what happens to host signals for the instance (Ctrl-C, SIGTERM) and the counters at the end.
 */
#include "fs/rootfs.h"
#include "net/net.h"
#include "userlib/base/log.h"
#include "userlib/base/string.h"
#include "userlib/entry/entry.h"
#include "userlib/file/file_internal.h"
#include "userlib/file/host_tty.h"
#include "userlib/proc/elf.h"
#include "userlib/proc/exec.h"
#include "userlib/proc/futex.h"
#include "userlib/proc/hooks.h"
#include "userlib/proc/proc_internal.h"
#include "userlib/proc/procfs.h"
#include "userlib/proc/uts.h"
#include "userlib/rt/host_ring.h"
#include "userlib/rt/host.h"
#include "userlib/rt/kthread.h"
#include "userlib/rt/trap.h"
#include "userlib/sys/dispatch.h"
#include <linux/signal.h>

static struct fs_ctx *first_fs;

static noreturn_fn void fail(int code, const char *what, int err)
{
	log_msg(LOG_ERR, "%s: error %d", what, -err);
	boot->boot_error = (u32)-err;
	boot->exit_status = (u32)code << 8;
	store_release(&boot->exit_set, 1u);
	host_exit_group(code);
}

/* ---- host signals ---- */

/* The terminal's keys go to its foreground group, the rest to the first program. */
static void on_host_signal(int sig)
{
	struct ksiginfo info = { .si_signo = sig, .si_code = 0x80 /* SI_KERNEL */ };
	int group = host_tty_foreground();

	if ((sig == SIGINT || sig == SIGQUIT || sig == SIGTERM || sig == SIGHUP) && instance_hurry())
		return;
	if ((sig == SIGINT || sig == SIGQUIT || sig == SIGTSTP || sig == SIGWINCH) && group > 0)
		(void)signal_send_pgrp(group, sig, &info);
	else
		(void)signal_send_proc(proc_init, sig, &info);
}

/* ---- the first process ---- */

static int build_root(struct path *root)
{
	const struct jabi_volume *jv = (const void *)((char *)boot + boot->volumes_off);
	struct fs_volume vols[32];
	struct fs_root_cfg cfg = { .host_dir_fd = boot->root_fd,
				   .mode = (enum fs_root_mode)boot->root_mode,
				   .source = boot_str(boot->root_path),
				   .volumes = vols };

	for (u32 i = 0; i < boot->nr_volumes && i < ARRAY_SIZE(vols); i++) {
		vols[i] = (struct fs_volume){ .host_fd = jv[i].fd,
					      .dst = boot_str(jv[i].dst),
					      .src = boot_str(jv[i].src),
					      .ro = jv[i].flags & JABI_VOL_RO,
					      .is_file = jv[i].flags & JABI_VOL_IS_FILE };
		cfg.nr_volumes++;
	}
	return fs_build_root(&cfg, root);
}

static int setup_net(void)
{
	const struct jabi_net *n = &boot->net;
	struct net_config c = { .tap_fd = n->kind == JABI_NET_TAP || n->kind == JABI_NET_STREAM ? n->tap_fd : -1,
				.pcap_fd = boot->pcap_fd,
				.queues = boot->queues_off ? (const void *)((const char *)boot + boot->queues_off) : NULL,
				.is_xdp = n->kind == JABI_NET_XDP,
				.is_stream = n->kind == JABI_NET_STREAM,
				.is_quiet = n->is_quiet,
				.mtu = n->mtu,
				.vnet_hdr = n->vnet_hdr,
				.offload = n->offload,
				.ip = n->ip4,
				.gateway = n->gw4,
				.prefix_len = n->prefix_len,
				.ip6 = ip6_addr(boot->net6.ip),
				.gateway6 = ip6_addr(boot->net6.gw),
				.prefix_len6 = boot->net6.prefix_len,
				.port_ctl_fd = n->kind == JABI_NET_PORT ? JABI_PORT_SOCK_FD : -1,
				.port_link_fd = boot->port_link_fd,
				.port_bell_fd = boot->port_bell_fd,
				.port_kick_fd = boot->port_kick_fd };

	memcpy(c.mac, n->mac, sizeof(c.mac));
	return net_configure(&c);
}

static int open_stdio(struct uproc *p)
{
	for (int fd = 0; fd < 3; fd++) {
		const struct jabi_stdio *s = &boot->stdio[fd];
		struct file *f;
		int r;

		if (s->kind == JABI_STDIO_CLOSED)
			continue;
		r = hostfile_create(fd, s->kind, s->oflags, s->mode, s->dev, s->ino, s->rdev, &f);
		if (r)
			return r;
		r = fdtab_install_at(p->files, f, fd, 1024, false);
		if (r < 0)
			return r;
	}
	return 0;
}

static void set_identity(struct uproc *p)
{
	const u32 *groups = (const u32 *)((char *)boot + boot->groups_off);
	struct cred *c = &p->cred;

	c->uid = c->suid = boot->uid;
	c->gid = c->sgid = boot->gid;
	c->euid = c->fsuid = boot->euid;
	c->egid = c->fsgid = boot->egid;
	c->nr_groups = MIN(boot->nr_groups, (u32)ARRAY_SIZE(c->groups));
	for (u32 i = 0; i < c->nr_groups; i++)
		c->groups[i] = groups[i];
	cred_init_caps(c);
	for (int i = 0; i < JABI_NR_RLIMITS; i++)
		p->rlim[i] = (struct rlimit64){ boot->rlimit[i].cur, boot->rlimit[i].max };
}

static int make_first_process(struct kproc *kp)
{
	struct uproc *p = uproc_alloc();
	struct thread *t;

	if (!p)
		return -ENOMEM;
	(void)pid_alloc(); /* 1 is nobody: orphans are reaped by the kernel */
	p->pid = p->pgid = p->sid = pid_alloc();
	p->kproc = kp;
	p->files = fdtab_create();
	p->fs = first_fs;
	p->sighand = kmem_zalloc(sizeof(*p->sighand));
	p->mm = mm_create(kp->aspace);
	t = thread_alloc(p, p->pid);
	if (!p->files || !p->sighand || !p->mm || !t)
		return -ENOMEM;
	ref_init(&p->sighand->ref);
	set_identity(p);
	for (int sig = 1; sig <= 64; sig++)
		if (boot->sig_ignored & SIG_BIT(sig))
			p->sighand->action[sig - 1].handler = (u64)SIG_IGN;
	signal_init_proc(p);
	t->sigmask = boot->sig_blocked;
	str_copy(t->ut.name, "init", sizeof(t->ut.name));
	proc_init = p;
	proc_get(p);
	proc_publish(p, t, NULL);
	return uthread_init(&t->ut, kp, entry_first_thread, NULL);
}

/* PATH look-up as execvp(3): first match that may be executed; remembers EACCES. */
static int find_program(const struct walk_ctx *w, const char *name, const char *path_env, char *out, struct path *found)
{
	int r, result = -ENOENT;

	if (strchr(name, '/')) {
		str_copy(out, name, PATH_MAX_LEN);
		return path_walk(w, name, 0, found, NULL);
	}
	for (const char *p = path_env; *name && p;) {
		const char *end = strchr(p, ':');
		size_t len = end ? (size_t)(end - p) : strlen(p);

		fmt(out, PATH_MAX_LEN, "%.*s/%s", (int)len, len ? p : ".", name);
		r = path_walk(w, out, 0, found, NULL);
		if (!r) {
			if (S_ISREG(path_inode(found)->mode) && !vfs_permission(found, 1, w->cred))
				return 0;
			path_put(found);
			result = -EACCES;
		}
		p = end ? end + 1 : NULL;
	}
	return result;
}

static void add_strings(struct str_block *b, struct jabi_strings s)
{
	const char *p = (const char *)boot + s.off;

	for (u32 i = 0; i < s.count; i++) {
		size_t len = strlen(p);
		int r = str_block_add(b, p, len, false);

		if (r)
			fail(126, "arguments", r);
		p += len + 1;
	}
}

static const char *env_value(struct jabi_strings s, const char *key)
{
	const char *p = (const char *)boot + s.off;
	size_t n = strlen(key);

	for (u32 i = 0; i < s.count; i++, p += strlen(p) + 1)
		if (!strncmp(p, key, n) && p[n] == '=')
			return p + n + 1;
	return NULL;
}

static const char *explain(int err)
{
	switch (-err) {
	case ENOENT:
		return "No such file or directory";
	case EACCES:
		return "Permission denied";
	case ENOEXEC:
		return "Exec format error";
	case EISDIR:
		return "Is a directory";
	case ENOMEM:
		return "Cannot allocate memory (see --mem)";
	default:
		return "cannot be run";
	}
}

static noreturn_fn void no_program(const char *name, int err)
{
	int code = err == -ENOENT || err == -ENOTDIR ? 127 : 126;

	if (code == 127 && !strchr(name, '/'))
		log_msg(LOG_ERR, "%s: command not found in PATH", name);
	else if (err == -ENOENT || err == -EACCES || err == -ENOEXEC || err == -EISDIR || err == -ENOMEM)
		log_msg(LOG_ERR, "%s: %s", name, explain(err));
	else
		log_msg(LOG_ERR, "%s: cannot be run (error %d)", name, -err);
	boot->exit_status = (u32)code << 8;
	store_release(&boot->exit_set, 1u);
	host_exit_group(code);
}

static void set_cwd(struct uproc *p)
{
	struct walk_ctx w = proc_walk_ctx_get(p);
	struct path cwd;
	int r = path_walk(&w, boot_str(boot->cwd), WALK_DIRECTORY, &cwd, NULL);

	proc_walk_ctx_put(&w);
	if (r) /* the directory is not in this root: start at / like container runtimes */
		return;
	path_put(&p->fs->cwd);
	p->fs->cwd = cwd;
}

void entry_first_thread(void *arg)
{
	struct thread *t = thread_self();
	struct uproc *p = t->proc;
	struct exec_ctx *x = kmem_zalloc(sizeof(*x));
	const char *name = boot_str(boot->program), *path_env = env_value(boot->envp, "PATH");
	struct walk_ctx w;
	struct path file, root;
	int r;

	(void)arg;
	r = x ? build_root(&root) : -ENOMEM;
	if (r)
		fail(125, "cannot set up the root file system", r);
	p->fs->root = p->fs->cwd = root;
	path_get(&root);
	r = open_stdio(p);
	if (r)
		fail(125, "cannot take over standard input and output", r);
	if (boot->tty_isset && boot->tty_foreground)
		host_tty_attach((int)boot->tty_fd, p->sid, p->pgid);
	set_cwd(p);
	r = setup_net();
	if (r)
		fail(125, "cannot bring up the network", r);
	w = proc_walk_ctx_get(p);
	r = find_program(&w, name, path_env ? path_env : "/usr/local/bin:/usr/bin:/bin", x->execfn, &file);
	if (r)
		no_program(name, r);
	x->walk = &w;
	x->cred = p->cred;
	x->stack_limit = p->rlim[RLIMIT_STACK].rlim_cur;
	add_strings(&x->argv, boot->argv);
	add_strings(&x->envp, boot->envp);
	r = elf_prepare(x, &file);
	if (!r)
		r = exec_first(x);
	if (r)
		no_program(name, r);
	elf_free(x);
	kmem_free(x, sizeof(*x));
	proc_walk_ctx_put(&w);
	boot->boot_stage = JABI_STAGE_PROGRAM;
	return_to_user();
}

/* ---- boot ---- */

static void on_fault(struct trapframe *tf, u64 sig, u64 addr, u64 code)
{
	fault_from_host((int)sig, addr, (int)code, tf);
}

static void strace_and_stats(void)
{
	sys_trace_on = boot->flags & JABI_F_STRACE;
	sys_stats_on = boot->flags & JABI_F_STATS;
	strace_fd = boot->strace_fd;
	uts_set_hostname(boot_str(boot->hostname), boot->hostname.len);
}

/* In dependency order. */
static void (*const boot_steps[])(void) = {
	strace_and_stats, proc_tables_init, mm_init, futex_init, proc_hooks_init, fs_init, net_init, file_init,
	procfs_init, netproc_init, patch_init, ctl_init,
};

void entry_start_first(const struct entry_facts *f)
{
	struct kproc *kp;
	int r;

	sched_tsc_init();
	for (size_t i = 0; i < ARRAY_SIZE(boot_steps); i++)
		boot_steps[i]();
	elf_vdso = (struct elf_vdso){ f->vdso, f->vdso_len };
	elf_hwcap = f->hwcap;
	elf_minsigstksz = f->minsigstksz;
	instance_exit_hook = instance_exit;
	host_signal_hook = on_host_signal;
	trap_fault_hook = on_fault;
	kp = kproc_create();
	first_fs = kmem_zalloc(sizeof(*first_fs));
	if (!kp || !first_fs || !kthread_create(kp))
		fail(125, "no memory to boot (see --mem)", -ENOMEM);
	kthread_adopt(kp->kthreads[0]);
	ref_init(&first_fs->ref);
	first_fs->umask = boot->umask;
	kp->aspace = aspace_create(f->reserved, f->nr_reserved);
	r = kp->aspace ? make_first_process(kp) : -ENOMEM;
	if (r)
		fail(125, "no memory to boot (see --mem)", r);
	sched_boot(kp, &proc_init->leader->ut);
}

/* ---- --stats ---- */

static void stat_line(const char *f, ...) printf_like(1, 2);
static void stat_line(const char *f, ...)
{
	char line[160];
	va_list ap;
	int n;

	va_start(ap, f);
	n = fmt_v(line, sizeof(line), f, ap);
	va_end(ap);
	host_write(boot->stats_fd, line, MIN((size_t)n, sizeof(line) - 1));
}

void entry_print_stats(void)
{
	u64 traps = 0, parks = 0, switches = 0, steals = 0, ticks = 0, preempts = 0, calls = 0;
	struct kproc *kp;

	if (!(boot->flags & JABI_F_STATS))
		return;
	list_for_each(kp, &kproc_list, link)
		for (u32 i = 0; i < kp->nr_kthreads; i++) {
			struct kthread *kt = kp->kthreads[i];

			traps += kt->nr_traps;
			parks += kt->nr_parks;
			switches += kt->nr_switches;
			steals += kt->nr_steals;
			ticks += kt->nr_ticks;
			preempts += kt->nr_preempts;
		}
	for (int i = 0; i < SYS_NR_MAX; i++)
		calls += sys_counts[i];
	stat_line("junction: %lu system calls, %lu of them trapped, %lu unknown\n", calls, traps, sys_unknown);
	stat_line("junction: %lu switches, %lu parks, %lu steals, %lu ticks, %lu preemptions\n", switches, parks, steals,
		  ticks, preempts);
	stat_line("junction: %lu reads and %lu syncs through the ring\n", host_ring_reads, host_ring_fsyncs);
	stat_line("junction: kernel memory %lu KiB, program memory charged %lu KiB\n", page_used_bytes() >> 10,
		  mem_charged_bytes() >> 10);
	for (int i = 0; i < SYS_NR_MAX; i++)
		if (sys_counts[i])
			stat_line("junction: %10lu %s\n", sys_counts[i], sys_table[i].name ? sys_table[i].name : "(unknown)");
}
