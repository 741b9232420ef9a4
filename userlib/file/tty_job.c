/* SPDX-License-Identifier: MIT */
/* Job control of terminals: controlling terminal, foreground group, background reads and writes (tty_ioctl(4), credentials(7)). */
#include "userlib/file/tty.h"
#include "userlib/file/file_internal.h"
#include <asm/ioctls.h>

#define SIGHUP_NR 1
#define SIGCONT_NR 18
#define SIGTTIN_NR 21
#define SIGTTOU_NR 22

/* The caller is in the terminal's session but not in its foreground group. */
static bool in_background(struct tty_job *j)
{
	int fg = load_relaxed(&j->pgrp);

	return proc_hooks && load_relaxed(&j->session) && fg && proc_hooks->current_session() == load_relaxed(&j->session) &&
	       proc_hooks->current_pgrp() != fg;
}

static int stop_background(int sig)
{
	int pgrp = proc_hooks->current_pgrp();

	if (proc_hooks->signal_is_ignored_or_blocked(sig))
		return sig == SIGTTIN_NR ? -EIO : 0;
	if (proc_hooks->pgrp_is_orphaned(pgrp))
		return -EIO;
	proc_hooks->send_signal_owner(-pgrp, sig, 0x80 /* SI_KERNEL */, 0, 0);
	return -ERESTARTSYS;
}

int tty_job_check_read(struct tty_job *j)
{
	return in_background(j) ? stop_background(SIGTTIN_NR) : 0;
}

int tty_job_check_write(struct tty_job *j, bool always)
{
	return always && in_background(j) ? stop_background(SIGTTOU_NR) : 0;
}

/* A host terminal belongs to the first session that asks: the one of the instance's first program. */
static void adopt_host(struct tty_job *j)
{
	int sid = proc_hooks->current_session();

	if (j->is_host && !load_relaxed(&j->session) && sid > 0 && !proc_hooks->current_ctty() && atomic_cas(&j->session, 0, sid)) {
		proc_hooks->set_ctty(sid, j);
		store_relaxed(&j->pgrp, proc_hooks->current_pgrp());
	}
}

static long set_ctty(struct tty_job *j, unsigned long steal)
{
	int sid = proc_hooks->current_session();

	if (load_relaxed(&j->session) == sid)
		return 0;
	if (proc_hooks->current_tgid() != sid || proc_hooks->current_ctty())
		return -EPERM;
	if (load_relaxed(&j->session)) {
		if (steal != 1 || proc_hooks->current_cred()->euid != 0)
			return -EPERM;
		proc_hooks->set_ctty(load_relaxed(&j->session), NULL);
	}
	store_relaxed(&j->session, sid);
	store_relaxed(&j->pgrp, proc_hooks->current_pgrp());
	proc_hooks->set_ctty(sid, j);
	return 0;
}

void tty_job_maybe_acquire(struct tty_job *j)
{
	if (proc_hooks && !load_relaxed(&j->session))
		(void)set_ctty(j, 0);
}

static void signal_fg(struct tty_job *j, int sig)
{
	int fg = load_relaxed(&j->pgrp);

	if (fg > 0)
		proc_hooks->send_signal_owner(-fg, sig, 0x80, 0, 0);
}

/* As Linux does it: at exit stopped groups get their SIGCONT by being orphaned, not here. */
static void session_lets_go(struct tty_job *j, bool exiting)
{
	int sid = load_relaxed(&j->session);

	signal_fg(j, SIGHUP_NR);
	if (!exiting)
		signal_fg(j, SIGCONT_NR);
	store_relaxed(&j->pgrp, 0);
	store_relaxed(&j->session, 0);
	proc_hooks->set_ctty(sid, NULL);
}

void tty_session_leader_exit(void *ctty, int sid)
{
	struct tty_job *j = ctty;

	if (j && load_relaxed(&j->session) == sid)
		session_lets_go(j, true);
}

void tty_vhangup(void *ctty)
{
	struct tty_job *j = ctty;
	int leader = j ? load_relaxed(&j->session) : 0;

	if (!j)
		return;
	if (j->tty)
		pty_hang_up(j->tty);
	if (leader) {
		proc_hooks->send_signal_owner(leader, SIGHUP_NR, 0x80, 0, 0);
		proc_hooks->send_signal_owner(leader, SIGCONT_NR, 0x80, 0, 0);
		session_lets_go(j, true);
	}
}

static long give_up(struct tty_job *j)
{
	if (proc_hooks->current_ctty() != (void *)j)
		return -ENOTTY;
	if (proc_hooks->current_tgid() == proc_hooks->current_session())
		session_lets_go(j, false);
	return 0;
}

static long set_pgrp(struct tty_job *j, unsigned long arg)
{
	int pgrp, r;

	if (copy_from_app(&pgrp, (void __app *)arg, sizeof(pgrp)))
		return -EFAULT;
	if (proc_hooks->current_ctty() != (void *)j)
		return -ENOTTY;
	r = tty_job_check_write(j, true);
	if (r)
		return r;
	if (pgrp < 0)
		return -EINVAL;
	if (!proc_hooks->pgrp_in_session(pgrp, load_relaxed(&j->session)))
		return -EPERM;
	store_relaxed(&j->pgrp, pgrp);
	return 0;
}

long tty_job_ioctl(struct tty_job *j, struct file *f, unsigned cmd, unsigned long arg)
{
	int v;

	(void)f;
	if (!proc_hooks)
		return -ENOTTY;
	adopt_host(j);
	switch (cmd) {
	case TIOCGPGRP:
	case TIOCGSID:
		if (proc_hooks->current_ctty() != (void *)j)
			return -ENOTTY;
		v = cmd == TIOCGSID ? load_relaxed(&j->session) : load_relaxed(&j->pgrp);
		return copy_to_app((void __app *)arg, &v, sizeof(v));
	case TIOCSPGRP:
		return set_pgrp(j, arg);
	case TIOCSCTTY:
		return set_ctty(j, arg);
	case TIOCNOTTY:
		return give_up(j);
	default:
		return -ENOTTY;
	}
}

/* /dev/tty: the caller's controlling terminal. */
static int dev_tty_open(struct inode *i, struct path *p, unsigned flags, const struct cred *c, struct file **out)
{
	struct tty_job *j = proc_hooks ? proc_hooks->current_ctty() : NULL;

	(void)i, (void)p, (void)c;
	if (!j)
		return -ENXIO;
	return j->is_host ? host_tty_open(flags, out) : pty_open_slave(j->tty, flags, out);
}

void tty_init(void)
{
	chrdev_register(5, 0, 1, dev_tty_open);
	pty_init();
}
