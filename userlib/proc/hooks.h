/* SPDX-License-Identifier: MIT */
/* Boot: gives file/ its services of proc/ (struct proc_hooks). */
#ifndef USERLIB_PROC_HOOKS_H
#define USERLIB_PROC_HOOKS_H

void proc_hooks_init(void);

#endif
