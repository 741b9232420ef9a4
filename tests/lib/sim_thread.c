/* SPDX-License-Identifier: MIT */
/* See sim_thread.h. */
#include "tests/lib/sim_thread.h"
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

void sim_thread_init(struct kthread *kt)
{
	kt->self = kt;
	if (syscall(SYS_arch_prctl, 0x1001 /* ARCH_SET_GS */, kt))
		abort();
}

static struct kthread main_kthread;
__attribute__((constructor)) static void main_thread(void)
{
	sim_thread_init(&main_kthread);
}
