/* SPDX-License-Identifier: MIT */
/* The arena memfd and its first pages: struct jabi_boot, strings and tables (include/jabi/jabi_boot.h). */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/sysinfo.h>
#include <unistd.h>
#include <asm/termbits.h>

#include "jabi/jabi_ctl.h"
#include "tools/jctl/jctl.h"
#include "tools/jctl/launch.h"

#define ARENA_BYTES (64 * GiB)
#define ARENA_LOW   0x600000000000ull
#define ARENA_HIGH  0x6fff00000000ull

extern char **environ;

static u64 random_u64(void)
{
	u64 v;

	if (getrandom(&v, sizeof(v), 0) != sizeof(v))
		abort();
	return v;
}

/* ftruncate under the hard file-size limit; the soft one is the program's affair. */
static int truncate_arena(int fd, u64 size)
{
	struct rlimit r, up;
	int err = 0;

	if (getrlimit(RLIMIT_FSIZE, &r))
		return errno;
	up.rlim_cur = up.rlim_max = r.rlim_max;
	(void)setrlimit(RLIMIT_FSIZE, &up);
	if (ftruncate(fd, (off_t)size))
		err = errno;
	(void)setrlimit(RLIMIT_FSIZE, &r);
	return err;
}

int boot_create_arena(struct launch *l)
{
	u64 size = ARENA_BYTES;
	int fd, err;

	while (size < l->boot.mem_limit)
		size *= 2;
	fd = memfd_create("junction-arena", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (fd < 0)
		return jctl_fail_errno(errno, "free memory or descriptors",
				       "no memory for the arena");
	err = truncate_arena(fd, size);
	if (err) {
		close(fd);
		return jctl_fail_errno(err, "raise the file-size limit (ulimit -f unlimited)",
				       "no memory for the arena (%llu GiB, sparse)",
				       (unsigned long long)(size / GiB));
	}
	/* A shrunk arena would be a way to hurt the launcher; best effort. */
	(void)fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL);
	l->arena_fd = fd;
	l->boot.arena_size = size;
	l->boot.arena_base =
		ARENA_LOW + random_u64() % ((ARENA_HIGH - ARENA_LOW - size) / GiB) * GiB;
	return 0;
}

int boot_add_bytes(struct launch *l, const void *data, size_t len, u32 *off)
{
	size_t at = ROUND_UP(l->pages_len, (size_t)8);

	if (!at)
		at = sizeof(l->boot);
	if (at + len > l->pages_cap) {
		size_t cap = ROUND_UP(at + len, (size_t)65536) * 2;
		char *p = cap <= 64 * MiB ? realloc(l->pages, cap) : NULL;

		if (!p)
			return jctl_fail("pass fewer arguments or a smaller environment",
					 "no memory for the boot pages");
		memset(p + l->pages_cap, 0, cap - l->pages_cap);
		l->pages = p;
		l->pages_cap = cap;
	}
	memcpy(l->pages + at, data, len);
	l->pages_len = at + len;
	*off = (u32)at;
	return 0;
}

int boot_add_string(struct launch *l, const char *s, struct jabi_str *out)
{
	out->len = (u32)strlen(s);
	return boot_add_bytes(l, s, (size_t)out->len + 1, &out->off);
}

static int add_strings(struct launch *l, const char *const *v, size_t n, struct jabi_strings *out)
{
	size_t len = 0, at = 0;
	char *block;
	int r;

	for (size_t i = 0; i < n; i++)
		len += strlen(v[i]) + 1;
	block = malloc(len + 1);
	if (!block)
		return jctl_fail(NULL, "out of memory");
	for (size_t i = 0; i < n; i++) {
		size_t k = strlen(v[i]) + 1;

		memcpy(block + at, v[i], k);
		at += k;
	}
	out->len = (u32)len;
	out->count = (u32)n;
	r = boot_add_bytes(l, block, len, &out->off);
	free(block);
	return r;
}

/* The caller's environment with the --env entries replacing or following it. */
static int add_environment(struct launch *l)
{
	const struct run_config *c = l->cfg;
	size_t n = 0, cap = c->nr_env;
	const char **v;
	int r;

	for (char **e = environ; e && *e; e++)
		cap++;
	v = calloc(cap + 1, sizeof(*v));
	if (!v)
		return jctl_fail(NULL, "out of memory");
	for (char **e = environ; e && *e; e++)
		v[n++] = *e;
	for (unsigned i = 0; i < c->nr_env; i++) {
		size_t name = strcspn(c->env[i], "=") + 1, k;

		for (k = 0; k < n && strncmp(v[k], c->env[i], name); k++)
			;
		v[k] = c->env[i];
		if (k == n)
			n++;
	}
	r = add_strings(l, v, n, &l->boot.envp);
	free(v);
	return r;
}

static int add_volumes(struct launch *l)
{
	struct jabi_volume v[CONFIG_MAX_VOLUMES];
	const struct run_config *c = l->cfg;

	memset(v, 0, sizeof(v));
	for (unsigned i = 0; i < c->nr_volumes; i++) {
		v[i].fd = l->volume_fd[i];
		v[i].flags = l->volume_flags[i];
		if (boot_add_string(l, c->volumes[i].dst, &v[i].dst) ||
		    boot_add_string(l, c->volumes[i].src, &v[i].src))
			return -1;
	}
	l->boot.nr_volumes = c->nr_volumes;
	return boot_add_bytes(l, v, sizeof(v[0]) * c->nr_volumes, &l->boot.volumes_off);
}

static void fill_stdio(struct jabi_boot *b)
{
	for (int fd = 0; fd < 3; fd++) {
		struct jabi_stdio *s = &b->stdio[fd];
		int fl = fcntl(fd, F_GETFL);
		struct stat st;

		if (fl < 0 || (fl & O_PATH) ||
		    fstat(fd, &st)) /* O_PATH: our placeholder for a closed one */
			continue;
		s->oflags = (u32)fl;
		s->mode = st.st_mode;
		s->dev = st.st_dev;
		s->ino = st.st_ino;
		s->rdev = st.st_rdev;
		if (S_ISCHR(st.st_mode))
			s->kind = isatty(fd) ? JABI_STDIO_TTY : JABI_STDIO_CHARDEV;
		else
			s->kind = S_ISFIFO(st.st_mode)	 ? JABI_STDIO_PIPE
				  : S_ISSOCK(st.st_mode) ? JABI_STDIO_SOCKET
				  : S_ISDIR(st.st_mode)	 ? JABI_STDIO_DIR
							 : JABI_STDIO_FILE;
		if (s->kind == JABI_STDIO_TTY && !b->tty_isset) {
			struct winsize ws = { 0 };
			struct termios t;

			b->tty_isset = 1;
			b->tty_fd = (u32)fd;
			if (!ioctl(fd, TIOCGWINSZ, &ws)) {
				b->tty_rows = ws.ws_row;
				b->tty_cols = ws.ws_col;
			}
			_Static_assert(sizeof(t) <= sizeof(b->tty_termios), "termios fits");
			if (!ioctl(fd, TCGETS, &t))
				memcpy(b->tty_termios, &t, sizeof(t));
			b->tty_foreground = tcgetpgrp(fd) == getpgrp();
		}
	}
}

static int fill_caller(struct launch *l)
{
	struct jabi_boot *b = &l->boot;
	gid_t groups[1024];
	u32 groups32[1024];
	int n = getgroups(1024, groups);

	b->uid = getuid();
	b->gid = getgid();
	b->euid = geteuid();
	b->egid = getegid();
	b->ppid = (u32)getppid();
	b->pgid = (u32)getpgrp();
	b->sid = (u32)getsid(0);
	b->launcher_pid = (u32)getpid();
	b->umask = umask(0);
	umask((mode_t)b->umask);
	errno = 0;
	b->nice = getpriority(PRIO_PROCESS, 0);
	/* Our parent is of our session and not of our group: a shell that waits for stops. */
	if (getsid(getppid()) == getsid(0) && getpgid(getppid()) != getpgrp())
		b->flags |= JABI_F_JOB_CONTROL;
	for (int sig = 1; sig < 64; sig++) {
		struct sigaction sa;

		if (!sigaction(sig, NULL, &sa) && sa.sa_handler == SIG_IGN)
			b->sig_ignored |= 1ull << (sig - 1);
		if (sigismember(&l->caller_mask, sig) == 1)
			b->sig_blocked |= 1ull << (sig - 1);
	}
	for (int i = 0; i < JABI_NR_RLIMITS; i++) {
		struct rlimit r;

		if (getrlimit((__rlimit_resource_t)i, &r))
			continue;
		b->rlimit[i].cur = r.rlim_cur;
		b->rlimit[i].max = r.rlim_max;
	}
	for (int i = 0; i < n; i++)
		groups32[i] = groups[i];
	b->nr_groups = n > 0 ? (u32)n : 0;
	fill_stdio(b);
	return boot_add_bytes(l, groups32, sizeof(u32) * b->nr_groups, &b->groups_off);
}

static void fill_cores(struct launch *l)
{
	cpu_set_t set;
	unsigned n = 0;

	CPU_ZERO(&set);
	if (sched_getaffinity(0, sizeof(set), &set))
		CPU_SET(0, &set);
	for (unsigned i = 0; i < 64; i++)
		if (CPU_ISSET(i, &set)) {
			l->boot.cpu_mask |= 1ull << i;
			n++;
		}
	l->boot.nr_cores = l->cfg->cores ? l->cfg->cores : n ? n : 1;
}

static void fill_memory(struct launch *l)
{
	struct sysinfo si;

	l->boot.mem_limit = l->cfg->mem_bytes;
	if (!l->boot.mem_limit && !sysinfo(&si))
		l->boot.mem_limit = (u64)si.totalram * si.mem_unit;
}

/* The caller's directory when / is the host's, else /. */
static int add_cwd(struct launch *l)
{
	char cwd[4096];

	if (l->cfg->workdir)
		return boot_add_string(l, l->cfg->workdir, &l->boot.cwd);
	if (strcmp(l->root_path, "/") || !getcwd(cwd, sizeof(cwd)) || cwd[0] != '/')
		strcpy(cwd, "/");
	return boot_add_string(l, cwd, &l->boot.cwd);
}

static int add_names(struct launch *l)
{
	const struct run_config *c = l->cfg;
	char host[65] = "localhost", name[96];
	const char *base = strrchr(c->argv[0], '/');

	if (!c->hostname)
		(void)gethostname(host, sizeof(host) - 1);
	snprintf(name, sizeof(name), "%.64s-%d", base ? base + 1 : c->argv[0], (int)getpid());
	if (boot_add_string(l, c->argv[0], &l->boot.program) || add_cwd(l) ||
	    boot_add_string(l, c->hostname ? c->hostname : host, &l->boot.hostname) ||
	    boot_add_string(l, c->name ? c->name : name, &l->boot.name) ||
	    boot_add_string(l, l->root_path, &l->boot.root_path))
		return -1;
	return 0;
}

/* For commands that look into the running instance. */
static int add_ctl(struct launch *l)
{
	struct jabi_ctl c = { .magic = JABI_CTL_MAGIC, .version = JABI_CTL_VERSION, .size = sizeof(c) };

	return boot_add_bytes(l, &c, sizeof(c), &l->boot.ctl_off);
}

int boot_fill(struct launch *l)
{
	const struct run_config *c = l->cfg;
	struct jabi_boot *b = &l->boot;

	b->magic = JABI_BOOT_MAGIC;
	b->version = JABI_BOOT_VERSION;
	b->size = sizeof(*b);
	fill_memory(l);
	fill_cores(l);
	b->root_mode = c->is_rw ? JABI_ROOT_RW : c->is_ro ? JABI_ROOT_RO : JABI_ROOT_OVERLAY;
	b->flags = (c->has_strace ? JABI_F_STRACE : 0) | (c->has_stats ? JABI_F_STATS : 0) |
		   (geteuid() == 0 ? JABI_F_AS_ROOT : 0) | JABI_F_CONFINE_REQUIRED;
	if (c->is_rw)
		b->flags |= JABI_F_WRITABLE;
	for (unsigned i = 0; i < c->nr_volumes; i++)
		if (!(l->volume_flags[i] & JABI_VOL_RO))
			b->flags |= JABI_F_WRITABLE;
	if (confine_landlock_abi() > 0)
		b->flags |= JABI_F_LANDLOCK;
	if (getrandom(b->random, sizeof(b->random), 0) != sizeof(b->random))
		return jctl_fail_errno(errno, NULL, "no random bytes");
	b->arena_fd = JABI_ARENA_FD;
	b->root_fd = l->root_fd;
	b->cache_dir_fd = l->cache_dir_fd;
	b->patch_sock_fd = JABI_PATCH_SOCK_FD;
	b->wake_eventfd = l->wake_fd;
	b->log_fd = l->log_fd;
	b->strace_fd = c->has_strace ? l->strace_fd : -1;
	b->stats_fd = c->has_stats ? l->log_fd : -1;
	b->ring_fd = l->ring_fd >= 0 ? JABI_RING_FD : -1;
	b->kmod_fd = l->kmod_fd >= 0 ? JABI_KMOD_FD : -1;
	if (l->queues.nr && boot_add_bytes(l, &l->queues, sizeof(l->queues), &b->queues_off))
		return -1;
	if (add_names(l) || add_strings(l, c->argv, c->argc, &b->argv) || add_environment(l) ||
	    add_volumes(l) || add_ctl(l) || fill_caller(l))
		return -1;
	return boot_create_arena(l);
}

int boot_write(struct launch *l)
{
	size_t at = 0;

	l->boot.boot_bytes = ROUND_UP(l->pages_len, PAGE_SIZE);
	memcpy(l->pages, &l->boot, sizeof(l->boot));
	while (at < l->pages_len) {
		ssize_t n = pwrite(l->arena_fd, l->pages + at, l->pages_len - at, (off_t)at);

		if (n <= 0)
			return jctl_fail_errno(n ? errno : ENOSPC, "free memory",
					       "no memory for the arena");
		at += (size_t)n;
	}
	return 0;
}
