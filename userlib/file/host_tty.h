/* SPDX-License-Identifier: MIT */
/* The host terminal as controlling terminal of the instance's first session. */
#ifndef USERLIB_FILE_HOST_TTY_H
#define USERLIB_FILE_HOST_TTY_H

/* Boot: the first session's terminal is the host's. fd: a host descriptor of it. */
void host_tty_attach(int fd, int sid, int pgid);
/* Who gets its keys' signals: a process group, 0 = nobody. */
int host_tty_foreground(void);

#endif
