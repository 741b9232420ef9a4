/* SPDX-License-Identifier: MIT */
/* Restartable sequences (rseq(2)). */
#ifndef USERLIB_PROC_RSEQ_H
#define USERLIB_PROC_RSEQ_H

#include "userlib/proc/proc.h"

long sys_rseq(void __app *rseq, u32 len, int flags, u32 sig);
/*
 * On the way back to the program, from exit work: a sequence that was interrupted starts over at its abort handler, and the program
 * learns the core it is on. Called before a signal frame is built (which is to hold the handler's address) and at the end.
 */
void rseq_resume(struct thread *t, struct trapframe *tf);

#endif
