/* SPDX-License-Identifier: MIT */
/* Process groups and sessions: setpgid, setsid and their queries, orphaned groups. Controlling terminals are in file/tty.c. */
#include "userlib/proc/pgrp.h"
#include "userlib/proc/proc_internal.h"
#include <linux/signal.h>

static struct uproc *target_locked(int pid)
{
	return pid == 0 || pid == uproc_self()->pid ? uproc_self() : proc_find_locked(pid);
}

static bool pgrp_exists_in_session_locked(int pgid, int sid)
{
	struct uproc *p;

	list_for_each(p, &uproc_all, all_link)
		if (p->pgid == pgid && p->sid == sid)
			return true;
	return false;
}

long sys_setpgid(int pid, int pgid)
{
	struct uproc *self = uproc_self(), *p;
	long r = 0;

	if (pgid < 0)
		return -EINVAL;
	spin_lock(&proc_table_lock);
	p = target_locked(pid);
	if (!p || (p != self && p->parent != self))
		r = -ESRCH;
	else if (p != self && p->did_exec)
		r = -EACCES;
	else if (p->sid == p->pid || p->sid != self->sid)
		r = -EPERM;
	else if (pgid && pgid != p->pid && !pgrp_exists_in_session_locked(pgid, self->sid))
		r = -EPERM;
	else
		p->pgid = pgid ? pgid : p->pid;
	spin_unlock(&proc_table_lock);
	return r;
}

static long query(int pid, bool session)
{
	struct uproc *p;
	long r = -ESRCH;

	spin_lock(&proc_table_lock);
	p = target_locked(pid);
	if (p)
		r = session ? p->sid : p->pgid;
	spin_unlock(&proc_table_lock);
	return r;
}

long sys_getpgid(int pid)
{
	return query(pid, false);
}
long sys_getpgrp(void)
{
	return query(0, false);
}
long sys_getsid(int pid)
{
	return query(pid, true);
}

long sys_setsid(void)
{
	struct uproc *self = uproc_self(), *p;
	long r = self->pid;

	spin_lock(&proc_table_lock);
	list_for_each(p, &uproc_all, all_link)
		if (p->pgid == self->pid)
			r = -EPERM;
	if (r > 0) {
		self->pgid = self->sid = self->pid;
		self->ctty = NULL;
	}
	spin_unlock(&proc_table_lock);
	return r;
}

/* No member has a parent in another group of the same session. `ignoring` is leaving: no member, its children are its reaper's. */
static bool orphaned_locked(int pgid, struct uproc *ignoring)
{
	struct uproc *p, *parent;

	list_for_each(p, &uproc_all, all_link) {
		if (p->pgid != pgid || p == ignoring || p->zombie)
			continue;
		parent = p->parent && p->parent == ignoring ? proc_reaper_locked(ignoring) : p->parent;
		if (parent && parent->pgid != pgid && parent->sid == p->sid)
			return false;
	}
	return true;
}

bool pgrp_is_orphaned(int pgid, struct uproc *ignoring)
{
	bool r;

	spin_lock(&proc_table_lock);
	r = orphaned_locked(pgid, ignoring);
	spin_unlock(&proc_table_lock);
	return r;
}

static bool has_stopped_locked(int pgid)
{
	struct uproc *p;

	list_for_each(p, &uproc_all, all_link)
		if (p->pgid == pgid && p->stopped && !p->zombie)
			return true;
	return false;
}

void pgrp_check_orphaned(struct uproc *leaving)
{
	int groups[16];
	unsigned n = 0;
	struct uproc *c;

	spin_lock(&proc_table_lock);
	/* It may have been what tied its own group to the session. */
	c = leaving->parent;
	if (c && c->pgid != leaving->pgid && c->sid == leaving->sid && has_stopped_locked(leaving->pgid) &&
	    orphaned_locked(leaving->pgid, leaving))
		groups[n++] = leaving->pgid;
	list_for_each(c, &leaving->children, sibling)
		if (n < ARRAY_SIZE(groups) && c->sid == leaving->sid && c->pgid != leaving->pgid &&
		    has_stopped_locked(c->pgid) && orphaned_locked(c->pgid, leaving))
			groups[n++] = c->pgid;
	spin_unlock(&proc_table_lock);
	while (n--) {
		(void)signal_send_pgrp(groups[n], SIGHUP, NULL);
		(void)signal_send_pgrp(groups[n], SIGCONT, NULL);
	}
}
