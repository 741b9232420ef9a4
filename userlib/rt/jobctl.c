/* SPDX-License-Identifier: MIT */
/*
 * Ctrl-Z on an instance that runs in a shell's foreground: when its first program group stops, the host processes stop, the launcher sees
 * it and stops too, and the shell shows a stopped job. `fg` continues them all, since they share the launcher's process group.
 */
#include "userlib/rt/jobctl.h"
#include "userlib/rt/clock.h"
#include "userlib/rt/host.h"
#include "userlib/rt/sched.h"
#include <asm/signal.h>

#define ECHO_NS (50 * NSEC_PER_MSEC)

bool jobctl_enabled;
int jobctl_launcher_pid;

bool jobctl_is_echo(int sig, int code, int sender_pid)
{
	static s64 last_ns[65][2]; /* [oldest kProc's handlers] by signal; direct, passed on */
	bool passed_on = code <= 0 && sender_pid == jobctl_launcher_pid;
	s64 now = clock_monotonic_ns(), *other = &last_ns[sig][!passed_on];

	if (*other && now - *other < ECHO_NS) {
		*other = 0;
		return true;
	}
	last_ns[sig][passed_on] = now;
	return false;
}

void jobctl_stop_instance(void)
{
	int self = host_getpid(), pids[64];
	unsigned n = 0;
	struct kproc *kp;

	spin_lock(&kproc_list_lock);
	list_for_each(kp, &kproc_list, link)
		if (n < ARRAY_SIZE(pids) && kp->host_pid > 0 && kp->host_pid != self)
			pids[n++] = kp->host_pid;
	spin_unlock(&kproc_list_lock);
	while (n-- > 0)
		host_tgkill(pids[n], pids[n], SIGSTOP);
	host_tgkill(self, host_gettid(), SIGSTOP);
}
