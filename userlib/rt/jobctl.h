/* SPDX-License-Identifier: MIT */
/* The instance as one job of the host's shell. */
#ifndef USERLIB_RT_JOBCTL_H
#define USERLIB_RT_JOBCTL_H

#include "base/types.h"

/* Set at boot when a job-control shell launched us and would notice. */
extern bool jobctl_enabled;
extern int jobctl_launcher_pid;
/*
 * A signal sent to our process group reaches us twice: directly, and passed on by the launcher, who cannot know. True for the second of
 * such a pair. Called from the host signal handler.
 */
bool jobctl_is_echo(int sig, int code, int sender_pid);
/* Stops every kProc of the instance on the host; returns when the shell has continued it. */
void jobctl_stop_instance(void);

#endif
