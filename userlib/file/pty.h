/* SPDX-License-Identifier: MIT */
/* Between pty.c and devpts.c. */
#ifndef USERLIB_FILE_PTY_H
#define USERLIB_FILE_PTY_H

/* The first pty with an index >= from, or -1. */
int pty_next(int from);
void devpts_init(void);

#endif
