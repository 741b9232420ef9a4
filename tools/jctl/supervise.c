/* SPDX-License-Identifier: MIT */
/*
 * The launcher's life after the preparations: it forks the instance, stays as its parent, passes signals on, answers patch requests,
 * reaps and, at the end, kills whatever is left of it. One thread; everything arrives through poll(2).
 *
 * Terminal signals (Ctrl-C, Ctrl-\, hang-up, window size) reach the instance by themselves, since it is in the launcher's process
 * group; the launcher passes on only what a process sent to it.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include <linux/close_range.h>

#include "tools/jctl/jctl.h"
#include "tools/jctl/launch.h"

static void keep_open(int fd)
{
	if (fd >= 0)
		(void)fcntl(fd, F_SETFD, 0);
}

/* RLIMIT_NOFILE as high as allowed: host descriptors are the instance's currency, the program sees its own limit. */
static void raise_nofile(void)
{
	struct rlimit r;
	unsigned long long most = 1024 * 1024;

	if (getrlimit(RLIMIT_NOFILE, &r))
		return;
	if (r.rlim_max < most) {
		struct rlimit up = { most, most };

		if (!setrlimit(RLIMIT_NOFILE, &up))
			return;
	}
	r.rlim_cur = r.rlim_max;
	(void)setrlimit(RLIMIT_NOFILE, &r);
}

/* In the child. Only descriptors named in the boot block survive the exec. */
static int prepare_descriptors(const struct launch *l, const char **step)
{
	*step = "descriptors";
	if (dup2(l->arena_fd, JABI_ARENA_FD) < 0 || dup2(l->patch_sock[1], JABI_PATCH_SOCK_FD) < 0)
		return -errno;
	if (l->ring_fd >= 0 && dup2(l->ring_fd, JABI_RING_FD) < 0)
		return -errno;
	if (l->port_sock >= 0 && dup2(l->port_sock, JABI_PORT_SOCK_FD) < 0)
		return -errno;
	if (l->kmod_fd >= 0 && dup2(l->kmod_fd, JABI_KMOD_FD) < 0)
		return -errno;
	/* What holds an unused number among these closes at the exec, too. */
	if (close_range(JABI_LAST_FD + 1, ~0u, CLOSE_RANGE_CLOEXEC))
		return -errno;
	keep_open(l->root_fd);
	keep_open(l->cache_dir_fd);
	keep_open(l->wake_fd);
	keep_open(l->log_fd);
	keep_open(l->strace_fd);
	keep_open(l->tap_fd);
	keep_open(l->pcap_fd);
	keep_open(l->core_bell);
	for (unsigned i = 0; i < l->queues.nr; i++)
		keep_open(l->queues.fd[i]);
	keep_open(l->queues.umem_fd);
	for (unsigned i = 0; i < 3; i++)
		keep_open(l->port_fd[i]);
	for (unsigned i = 0; i < l->cfg->nr_volumes; i++)
		keep_open(l->volume_fd[i]);
	return 0;
}

struct child_args {
	const struct launch *l;
	pid_t parent;
	int err;	  /* of the step that failed; written by the child in our memory */
	const char *step; /* its name */
};

static int enter_confinement(struct child_args *a)
{
	const struct launch *l = a->l;
	int r = prepare_descriptors(l, &a->step);

	raise_nofile();
	if (!r)
		r = confine_drop_privilege(l, &a->step);
	if (!r)
		r = confine_landlock(l, &a->step);
	if (r)
		return r;
	a->step = "parent-death signal";
	if (prctl(PR_SET_PDEATHSIG, SIGKILL))
		return -errno;
	return getppid() == a->parent ? 0 : -ESRCH;
}

/* In the child, in the launcher's memory (vfork): nothing here may change what the launcher uses later, but *a. */
static int become_instance(void *arg)
{
	struct child_args *a = arg;
	const struct launch *l = a->l;
	char title[128];
	char *const argv[] = { title, NULL }, *const no_env[] = { NULL };
	int r = enter_confinement(a);

	if (!r) {
		sigprocmask(SIG_SETMASK, &l->caller_mask, NULL);
		a->step = "exec of junction-kernel";
		/* the title is for ps(1) only */
		snprintf(title, sizeof(title), "junction: %s", l->pages + l->boot.name.off);
		syscall(SYS_execveat, l->kernel_fd, "", argv, no_env, AT_EMPTY_PATH);
		r = -errno;
	}
	a->err = -r;
	_exit(EXIT_JCTL);
}

/* 0 when the exec happened. A vfork: copying the launcher's page tables would take longer than all it does. */
static int start_instance(struct launch *l)
{
	static char stack[64 * 1024] __attribute__((aligned(64)));
	struct child_args args = { .l = l, .parent = getpid() };

	fflush(NULL);
	l->child = clone(become_instance, stack + sizeof(stack), CLONE_VM | CLONE_VFORK | SIGCHLD,
			 &args);
	if (l->child < 0)
		return jctl_fail_errno(errno, "raise the process limit (ulimit -u)",
				       "cannot start a process");
	if (args.err) {
		waitpid(l->child, NULL, 0);
		return jctl_fail_errno(args.err, "`jctl doctor` shows what this host lacks",
				       "cannot start the instance: %s", args.step);
	}
	return 0;
}

/* The instance has these now; a TAP must vanish with it. */
static void close_instance_side(struct launch *l)
{
	int *fds[] = { &l->kernel_fd, &l->root_fd, &l->patch_sock[1], &l->tap_fd, &l->pcap_fd,
			&l->port_sock, &l->port_fd[0], &l->port_fd[1], &l->port_fd[2] };

	ring_close(l);
	if (l->strace_fd != l->log_fd && l->strace_fd >= 0)
		close(l->strace_fd);
	for (size_t i = 0; i < ARRAY_SIZE(fds); i++) {
		if (*fds[i] >= 0)
			close(*fds[i]);
		*fds[i] = -1;
	}
	for (unsigned i = 0; i < l->queues.nr; i++)
		if (l->queues.fd[i] != l->boot.net.tap_fd)
			close(l->queues.fd[i]);
	if (l->queues.umem_fd >= 0)
		close(l->queues.umem_fd);
	for (unsigned i = 0; i < l->cfg->nr_volumes; i++)
		close(l->volume_fd[i]);
	free(l->pages);
	l->pages = NULL;
}

static bool read_exit(const struct launch *l, struct jabi_boot *b)
{
	if (pread(l->arena_fd, b, sizeof(*b), 0) != (ssize_t)sizeof(*b))
		memset(b, 0, sizeof(*b));
	return b->exit_set == 1;
}

/* Kills and reaps every child. As subreaper we inherit orphans of the instance, so this ends with none. */
static void kill_leftovers(void)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/self/task/%d/children", (int)getpid());
	for (int round = 0; round < 10000; round++) {
		FILE *f = fopen(path, "re");
		int pid, killed = 0;

		while (f && fscanf(f, "%d", &pid) == 1)
			if (pid > 1 && !kill(pid, SIGKILL))
				killed++;
		if (f)
			fclose(f);
		while (waitpid(-1, NULL, killed-- > 0 ? 0 : WNOHANG) > 0)
			;
		if (waitpid(-1, NULL, WNOHANG) < 0 && errno == ECHILD)
			return;
		usleep(1000);
	}
}

/* What a shell would print about a child killed by a signal, and its code. */
static int killed_code(int sig, bool has_core)
{
	if (sig != SIGINT && sig != SIGPIPE)
		fprintf(stderr, "%s%s\n", strsignal(sig), has_core ? " (core dumped)" : "");
	return 128 + sig;
}

/* From the program's wait status, or from the way the host process ended when the kernel could not report one. */
static int exit_code(const struct launch *l, int host_status)
{
	struct jabi_boot b;

	if (read_exit(l, &b)) {
		int sig = (int)(b.exit_status & 0x7f);

		return sig && sig <= 64 ? killed_code(sig, false)
					: (int)(b.exit_status >> 8 & 0xff);
	}
	if (WIFSIGNALED(host_status)) {
		int sig = WTERMSIG(host_status);

		if (sig == SIGKILL || sig == SIGTERM || sig == SIGINT || sig == SIGHUP)
			return killed_code(sig, false);
		jctl_fail("please report it with the program's command line",
			  "the instance kernel died of signal %d (%s), stage %u", sig,
			  strsignal(sig), b.boot_stage);
		return b.boot_stage < JABI_STAGE_PROGRAM ? EXIT_JCTL : 128 + sig;
	}
	return WIFEXITED(host_status) ? WEXITSTATUS(host_status) : EXIT_JCTL;
}

/* The instance stopped (job control): so do we, for the shell to see; when continued, so is it. */
static void follow_stop(const struct launch *l)
{
	kill(getpid(), SIGSTOP);
	kill(l->child, SIGCONT);
}

/* The instance's oldest process: the one that takes signals. 0: none is left. */
static pid_t oldest_child(const struct launch *l)
{
	char path[64];
	FILE *f;
	int pid = 0;

	snprintf(path, sizeof(path), "/proc/self/task/%d/children", (int)getpid());
	f = fopen(path, "re");
	do {
		if (!f || fscanf(f, "%d", &pid) != 1)
			pid = 0;
	} while (pid && pid == l->passt);
	if (f)
		fclose(f);
	return pid;
}

/* Reaps. True when the instance is over; *status is the first process's. */
static bool reap(struct launch *l, int *status)
{
	struct jabi_boot b;
	bool any = false;
	int st;
	pid_t pid;

	while ((pid = waitpid(-1, &st, WNOHANG | WUNTRACED)) > 0) {
		if (WIFSTOPPED(st)) {
			if (pid == l->child)
				follow_stop(l);
			continue;
		}
		if (pid == l->passt) {
			passt_ended(l, st);
			continue;
		}
		any = true;
		if (pid != l->child)
			continue;
		if (!l->has_first_ended)
			*status = st;
		if (!l->has_first_ended && WIFSIGNALED(st))
			return true;
		l->has_first_ended = true;
		l->child = oldest_child(l);
	}
	return (pid < 0 && errno == ECHILD) || (any && ((l->has_first_ended && !l->child) || read_exit(l, &b)));
}

static void forward_signal(const struct launch *l, const struct signalfd_siginfo *si)
{
	if (si->ssi_code == SI_KERNEL || si->ssi_pid == (u32)getpid() || si->ssi_signo == SIGCHLD ||
	    !l->child)
		return;
	(void)kill(l->child, (int)si->ssi_signo);
}

static int serve(struct launch *l, int sig_fd)
{
	struct pollfd p[4] = { { .fd = sig_fd, .events = POLLIN },
			       { .fd = l->patch_sock[0], .events = POLLIN },
			       { .fd = l->ctl_sock, .events = POLLIN },
			       { .fd = l->passt_sock, .events = POLLIN } };
	int status = 0;

	for (;;) {
		struct signalfd_siginfo si;

		if (poll(p, 4, -1) < 0 && errno != EINTR)
			return jctl_fail_errno(errno, NULL, "poll");
		while (read(sig_fd, &si, sizeof(si)) == (ssize_t)sizeof(si))
			forward_signal(l, &si);
		if (reap(l, &status))
			return status;
		if (p[1].revents && !patch_service_handle(l))
			p[1].fd = -1;
		if (p[2].revents)
			control_handle(l);
		if (p[3].revents) {
			passt_wake(l);
			p[3].fd = -1;
		}
	}
}

int supervise_run(struct launch *l)
{
	sigset_t all;
	int sig_fd, status;

	sigfillset(&all);
	sigdelset(&all, SIGSEGV);
	sigdelset(&all, SIGBUS);
	sigdelset(&all, SIGFPE);
	sigdelset(&all, SIGILL);
	sigdelset(&all, SIGABRT);
	sigprocmask(SIG_BLOCK, &all, NULL);
	signal(SIGCHLD, SIG_DFL);
	sig_fd = signalfd(-1, &all, SFD_CLOEXEC | SFD_NONBLOCK);
	if (sig_fd < 0) {
		jctl_fail_errno(errno, NULL, "signalfd");
		return EXIT_JCTL;
	}
	if (prctl(PR_SET_CHILD_SUBREAPER, 1))
		jctl_fail_errno(errno, NULL, "PR_SET_CHILD_SUBREAPER");
	if (start_instance(l))
		return EXIT_JCTL;
	close_instance_side(l);
	control_open(l);
	status = serve(l, sig_fd);
	control_close(l);
	kill_leftovers();
	return exit_code(l, status);
}
