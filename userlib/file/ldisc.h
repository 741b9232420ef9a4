/* SPDX-License-Identifier: MIT */
/*
 * The line discipline of a pty pair (termios(3)): what the master writes becomes input (echo, editing, signals), what the slave writes
 * becomes output (OPOST). struct tty is the pair; pty.c has its two files.
 */
#ifndef USERLIB_FILE_LDISC_H
#define USERLIB_FILE_LDISC_H

#include "userlib/file/tty.h"
#include <asm/termbits.h>

#define TTY_BUF 4096u
#define TTY_OUT 16384u

struct tty_winsize {
	u16 row, col, x, y;
};
struct tty {
	struct ref ref;
	u32 index;
	struct mutex lock;	/* all but what is marked */
	struct termios tio;
	struct tty_winsize ws;
	u8 in[TTY_BUF];		/* ring: bytes before in_canon are complete lines (all of them in raw mode) */
	u32 in_head, in_tail, in_canon;
	u8 eol[TTY_BUF / 8];	/* bit per ring slot: VEOF ends a line here, the byte itself is not data */
	u8 *out;		/* [lock] ring of TTY_OUT, allocated when first used */
	u32 out_head, out_tail;
	bool stopped;		/* ^S or TCXONC */
	u32 column;
	bool literal;		/* VLNEXT */
	bool packet;
	u8 packet_status;
	bool locked;		/* TIOCSPTLCK */
	u32 masters, slaves;	/* open files */
	u32 hangups; /* [a] vhangup(2) calls */
	bool slave_seen;
	struct waitq m_wait, s_wait;
	struct tty_job job;
};

void ldisc_init(struct tty *t);
/* The master's bytes arrive. Takes what fits, tells how many. lock held; wakes are the caller's. */
u32 ldisc_input(struct tty *t, const u8 *buf, u32 len);
/* The slave's bytes leave: how many were taken. lock held. */
u32 ldisc_output(struct tty *t, const u8 *buf, u32 len);
/* Bytes a read may take now: canonical: up to the end of the first line. lock held. */
bool ldisc_readable(const struct tty *t);
u32 ldisc_read(struct tty *t, u8 *buf, u32 len, bool *eof);
u32 ldisc_input_bytes(const struct tty *t);
void ldisc_flush_input(struct tty *t);
/* Termios changed: what is pending becomes readable in raw mode. */
void ldisc_mode_changed(struct tty *t);
static inline u32 tty_out_bytes(const struct tty *t)
{
	return t->out_head - t->out_tail;
}
static inline u32 tty_out_room(const struct tty *t)
{
	return TTY_OUT - tty_out_bytes(t);
}

#endif
