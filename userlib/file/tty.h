/* SPDX-License-Identifier: MIT */
/* Terminals: job control common to host terminals and ptys; the line discipline (tty.c) and its pty ends (pty.c). */
#ifndef USERLIB_FILE_TTY_H
#define USERLIB_FILE_TTY_H

#include "userlib/file/file.h"

/* What a controlling terminal knows of processes. Its address is the session's ctty. */
struct tty_job {
	int session, pgrp; /* [a] 0 = none */
	bool is_host;	   /* [I] */
	void *tty;	   /* [I] struct tty of a pty */
};
/* SIGTTIN / SIGTTOU rules: 0, -EIO or -ERESTARTSYS (the signal has been sent). always: tcsetattr, which ignores TOSTOP being off. */
int tty_job_check_read(struct tty_job *j);
int tty_job_check_write(struct tty_job *j, bool always);
/* TIOC[GS]PGRP, TIOCGSID, TIOCSCTTY, TIOCNOTTY; -ENOTTY for anything else. */
long tty_job_ioctl(struct tty_job *j, struct file *f, unsigned cmd, unsigned long arg);
/* A new session leader opens a terminal without O_NOCTTY. */
void tty_job_maybe_acquire(struct tty_job *j);
/* The leader of session sid exits (called by proc/ with its ctty): the foreground group gets SIGHUP; the terminal is free. */
void tty_session_leader_exit(void *ctty, int sid);
/* vhangup(2): open slave ends see the end of file for ever, the session is told and let go. ctty NULL or the host's: only the latter. */
void tty_vhangup(void *ctty);
void pty_hang_up(void *tty); /* pty.c: its part */
/* hostfile.c: the host terminal once more. pty.c: the slave end once more; boot. */
int host_tty_open(unsigned flags, struct file **out);
int pty_open_slave(void *tty, unsigned flags, struct file **out);
void pty_init(void);
bool file_is_host_tty(const struct file *f);

#endif
