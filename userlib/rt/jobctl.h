/* SPDX-License-Identifier: MIT */
/* The instance as one job of the host's shell. */
#ifndef USERLIB_RT_JOBCTL_H
#define USERLIB_RT_JOBCTL_H

#include "base/types.h"

/* Set at boot when a job-control shell launched us and would notice. */
extern bool jobctl_enabled;
/* Stops every kProc of the instance on the host; returns when the shell has continued it. */
void jobctl_stop_instance(void);

#endif
