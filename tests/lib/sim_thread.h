/* SPDX-License-Identifier: MIT */
/* Host threads of unit tests as kThreads: kernel code that looks for struct kthread through GS finds one. The main thread has one from the start. */
#ifndef TESTS_LIB_SIM_THREAD_H
#define TESTS_LIB_SIM_THREAD_H

#include "userlib/rt/sched.h"

void sim_thread_init(struct kthread *kt); /* the calling host thread is kt; zeroed memory that outlives it */

#endif
