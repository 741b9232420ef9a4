/* SPDX-License-Identifier: MIT */
/* See ldisc.h. N_TTY's rules as termios(3) tells them. */
#include "userlib/file/ldisc.h"
#include "userlib/base/string.h"
#include "userlib/file/file_internal.h"

#define SIGINT_NR 2
#define SIGQUIT_NR 3
#define SIGTSTP_NR 20

void ldisc_init(struct tty *t)
{
	static const u8 cc[] = { 3, 28, 127, 21, 4, 0, 1, 0, 17, 19, 26, 0, 18, 15, 23, 22, 0 };

	t->tio.c_iflag = ICRNL | IXON;
	t->tio.c_oflag = OPOST | ONLCR;
	t->tio.c_cflag = B38400 | CS8 | CREAD;
	t->tio.c_lflag = ISIG | ICANON | ECHO | ECHOE | ECHOK | ECHOCTL | ECHOKE | IEXTEN;
	memcpy(t->tio.c_cc, cc, sizeof(cc));
}

static bool flag_i(const struct tty *t, u32 f)
{
	return t->tio.c_iflag & f;
}
static bool flag_l(const struct tty *t, u32 f)
{
	return t->tio.c_lflag & f;
}
static bool is_cc(const struct tty *t, int which, u8 c)
{
	return t->tio.c_cc[which] && t->tio.c_cc[which] == c;
}

/* ---- output ---- */

static bool out_raw(struct tty *t, u8 c)
{
	if (!t->out) {
		t->out = page_alloc(2);
		if (!t->out)
			return false;
	}
	if (!tty_out_room(t))
		return false;
	t->out[t->out_head++ & (TTY_OUT - 1)] = c;
	return true;
}

/* One byte with OPOST; false: no room (nothing was put). */
static bool out_char(struct tty *t, u8 c)
{
	u32 o = t->tio.c_oflag;

	if (!(o & OPOST))
		return out_raw(t, c);
	if (tty_out_room(t) < 8)
		return false;
	switch (c) {
	case '\n':
		if (o & ONLRET)
			t->column = 0;
		if (o & ONLCR) {
			t->column = 0;
			(void)out_raw(t, '\r');
		}
		break;
	case '\r':
		if ((o & ONOCR) && !t->column)
			return true;
		t->column = 0;
		if (o & OCRNL)
			c = '\n';
		break;
	case '\t':
		if ((o & TABDLY) == XTABS) {
			u32 n = 8 - (t->column & 7);

			t->column += n;
			while (n--)
				(void)out_raw(t, ' ');
			return true;
		}
		t->column = (t->column | 7) + 1;
		break;
	case '\b':
		if (t->column)
			t->column--;
		break;
	default:
		if ((o & OLCUC) && c >= 'a' && c <= 'z')
			c = (u8)(c - 32);
		if (c >= ' ' && (c & 0xc0) != 0x80)
			t->column++;
	}
	return out_raw(t, c);
}

u32 ldisc_output(struct tty *t, const u8 *buf, u32 len)
{
	u32 n = 0;

	while (n < len && !t->stopped && out_char(t, buf[n]))
		n++;
	return n;
}

static void echo(struct tty *t, u8 c)
{
	if (!flag_l(t, ECHO) && !(c == '\n' && flag_l(t, ECHONL) && flag_l(t, ICANON)))
		return;
	if (flag_l(t, ECHOCTL) && (c < ' ' || c == 127) && c != '\t' && c != '\n' && c != t->tio.c_cc[VSTART] &&
	    c != t->tio.c_cc[VSTOP]) {
		(void)out_char(t, '^');
		(void)out_char(t, c ^ 0x40);
	} else {
		(void)out_char(t, c);
	}
}

static void rub_out(struct tty *t, u8 c)
{
	u32 n = flag_l(t, ECHOCTL) && (c < ' ' || c == 127) ? 2 : 1;

	if (!flag_l(t, ECHO))
		return;
	if (!flag_l(t, ECHOE)) {
		echo(t, t->tio.c_cc[VERASE]);
		return;
	}
	if ((c & 0xc0) == 0x80)
		return; /* inside a UTF-8 sequence: the first byte wipes the column */
	while (n--) {
		(void)out_char(t, '\b');
		(void)out_char(t, ' ');
		(void)out_char(t, '\b');
	}
}

/* ---- input ---- */

static u32 in_used(const struct tty *t)
{
	return t->in_head - t->in_tail;
}

static void set_mark(struct tty *t, u32 at, bool on)
{
	at &= TTY_BUF - 1;
	if (on)
		t->eol[at / 8] |= (u8)(1u << (at % 8));
	else
		t->eol[at / 8] &= (u8)~(1u << (at % 8));
}

static bool is_mark(const struct tty *t, u32 at)
{
	at &= TTY_BUF - 1;
	return t->eol[at / 8] >> (at % 8) & 1;
}

static void store(struct tty *t, u8 c, bool eof_mark)
{
	if (in_used(t) >= TTY_BUF - 1)
		return;
	set_mark(t, t->in_head, eof_mark);
	t->in[t->in_head++ & (TTY_BUF - 1)] = c;
}

static void signal_fg(struct tty *t, int sig)
{
	int fg = load_relaxed(&t->job.pgrp);

	if (!flag_l(t, NOFLSH)) {
		ldisc_flush_input(t);
		t->out_tail = t->out_head;
	}
	if (fg > 0)
		proc_hooks->send_signal_owner(-fg, sig, 0x80, 0, 0);
}

static bool isig(struct tty *t, u8 c)
{
	int sig = is_cc(t, VINTR, c) ? SIGINT_NR : is_cc(t, VQUIT, c) ? SIGQUIT_NR : is_cc(t, VSUSP, c) ? SIGTSTP_NR : 0;

	if (!flag_l(t, ISIG) || !sig)
		return false;
	signal_fg(t, sig);
	t->stopped = false;
	echo(t, c);
	return true;
}

static void erase_one(struct tty *t)
{
	u8 c;

	do { /* a whole UTF-8 character if IUTF8 */
		if (t->in_head == t->in_canon)
			return;
		c = t->in[--t->in_head & (TTY_BUF - 1)];
		rub_out(t, c);
	} while (flag_i(t, IUTF8) && (c & 0xc0) == 0x80);
}

static bool word_char(u8 c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || c >= 0x80;
}

static void erase_word(struct tty *t)
{
	bool seen = false;

	while (t->in_head != t->in_canon) {
		bool w = word_char(t->in[(t->in_head - 1) & (TTY_BUF - 1)]);

		if (seen && !w)
			break;
		seen |= w;
		erase_one(t);
	}
}

static void kill_line(struct tty *t)
{
	if (!(flag_l(t, ECHOKE) && flag_l(t, ECHOE))) {
		t->in_head = t->in_canon;
		echo(t, t->tio.c_cc[VKILL]);
		if (flag_l(t, ECHOK))
			echo(t, '\n');
		return;
	}
	while (t->in_head != t->in_canon)
		erase_one(t);
}

static void reprint(struct tty *t, u8 c)
{
	echo(t, c);
	(void)out_char(t, '\n');
	for (u32 i = t->in_canon; i != t->in_head; i++)
		echo(t, t->in[i & (TTY_BUF - 1)]);
}

/* A byte in canonical mode that is not plain data: true if dealt with. */
static bool edit(struct tty *t, u8 c)
{
	bool ext = flag_l(t, IEXTEN);

	if (is_cc(t, VERASE, c)) {
		erase_one(t);
	} else if (is_cc(t, VKILL, c)) {
		kill_line(t);
	} else if (ext && is_cc(t, VWERASE, c)) {
		erase_word(t);
	} else if (ext && is_cc(t, VREPRINT, c)) {
		reprint(t, c);
	} else if (is_cc(t, VEOF, c)) {
		store(t, 0, true);
		t->in_canon = t->in_head;
	} else if (c == '\n' || is_cc(t, VEOL, c) || (ext && is_cc(t, VEOL2, c))) {
		echo(t, c);
		store(t, c, false);
		t->in_canon = t->in_head;
	} else {
		return false;
	}
	return true;
}

static bool map_cr(struct tty *t, u8 *c)
{
	if (flag_i(t, ISTRIP))
		*c &= 0x7f;
	if (*c == '\r') {
		if (flag_i(t, IGNCR))
			return false;
		if (flag_i(t, ICRNL))
			*c = '\n';
	} else if (*c == '\n' && flag_i(t, INLCR)) {
		*c = '\r';
	}
	return true;
}

static bool flow(struct tty *t, u8 c)
{
	if (!flag_i(t, IXON))
		return false;
	if (is_cc(t, VSTART, c)) {
		t->stopped = false;
		return true;
	}
	if (is_cc(t, VSTOP, c)) {
		t->stopped = true;
		return true;
	}
	return false;
}

static void one(struct tty *t, u8 c)
{
	if (t->literal) {
		t->literal = false;
	} else {
		if (flow(t, c) || isig(t, c))
			return;
		if (t->stopped && flag_i(t, IXANY))
			t->stopped = false;
		if (!map_cr(t, &c))
			return;
		if (flag_l(t, ICANON) && flag_l(t, IEXTEN) && is_cc(t, VLNEXT, c)) {
			t->literal = true;
			if (flag_l(t, ECHO) && flag_l(t, ECHOCTL)) {
				(void)out_char(t, '^');
				(void)out_char(t, '\b');
			}
			return;
		}
		if (flag_l(t, ICANON) && edit(t, c))
			return;
	}
	echo(t, c);
	store(t, c, false);
	if (!flag_l(t, ICANON))
		t->in_canon = t->in_head;
}

u32 ldisc_input(struct tty *t, const u8 *buf, u32 len)
{
	u32 n;

	for (n = 0; n < len; n++) {
		/* A full raw buffer holds the writer up; a full line goes on being edited and ended. */
		if (!flag_l(t, ICANON) && in_used(t) >= TTY_BUF - 1)
			break;
		if (flag_l(t, ICANON) && in_used(t) >= TTY_BUF - 2 && t->in_canon != t->in_tail)
			break;
		one(t, buf[n]);
	}
	return n;
}

u32 ldisc_input_bytes(const struct tty *t)
{
	return t->in_canon - t->in_tail;
}

bool ldisc_readable(const struct tty *t)
{
	return t->in_canon != t->in_tail;
}

u32 ldisc_read(struct tty *t, u8 *buf, u32 len, bool *eof)
{
	bool canon = flag_l(t, ICANON);
	u32 n = 0;

	*eof = false;
	while (t->in_tail != t->in_canon) {
		u8 c = t->in[t->in_tail & (TTY_BUF - 1)];

		if (is_mark(t, t->in_tail)) {
			t->in_tail++;
			*eof = canon && !n;
			if (canon)
				break;
			continue;
		}
		if (n == len)
			break;
		buf[n++] = c;
		t->in_tail++;
		if (canon && (c == '\n' || is_cc(t, VEOL, c) || is_cc(t, VEOL2, c)))
			break;
	}
	return n;
}

void ldisc_flush_input(struct tty *t)
{
	t->in_tail = t->in_canon = t->in_head;
	t->literal = false;
}

void ldisc_mode_changed(struct tty *t)
{
	if (!flag_l(t, ICANON))
		t->in_canon = t->in_head;
	if (!flag_i(t, IXON))
		t->stopped = false;
}
