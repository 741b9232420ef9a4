/* SPDX-License-Identifier: MIT */
/* Between pty.c and devpts.c. */
#ifndef USERLIB_FILE_PTY_H
#define USERLIB_FILE_PTY_H

/* The first pty with an index >= from, or -1. */
int pty_next(int from);
void devpts_init(void);
/* The host terminal gets a place among the ptys, at its own number if that is free. Once. */
unsigned pty_adopt_host(unsigned wanted);
/* What stat(2) of /dev/pts/index says of its identity. */
struct kstat;
void devpts_identity(unsigned index, struct kstat *st);

#endif
