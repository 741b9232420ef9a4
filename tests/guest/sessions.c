/* SPDX-License-Identifier: MIT */
/* What a session leader's end does to its terminal's foreground group, and to stopped groups that lose their last tie. */
#include "t.h"
#include <poll.h>
#include <pty.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <termios.h>

static int tell[2];

static void on_signal(int sig)
{
	char c = sig == SIGHUP ? 'H' : sig == SIGCONT ? 'C' : '?';

	write(tell[1], &c, 1);
}

/* What was told within ms; ends when `want` letters came. */
static void show(const char *what, int want, int ms)
{
	struct pollfd p = { tell[0], POLLIN, 0 };
	char b[16];
	int n = 0;

	while (n < want && poll(&p, 1, ms) == 1)
		n += read(tell[0], b + n, sizeof(b) - n);
	if (!want && poll(&p, 1, ms) == 1)
		n += read(tell[0], b, sizeof(b));
	for (int i = 0; i < n; i++) /* two signals at once are handled in any order */
		for (int k = i; k > 0 && b[k - 1] > b[k]; k--) {
			char x = b[k];

			b[k] = b[k - 1];
			b[k - 1] = x;
		}
	t_say("%s: %.*s", what, n, b);
}

static void catch(void)
{
	signal(SIGHUP, on_signal);
	signal(SIGCONT, on_signal);
}

/* A leader with a controlling pty, a foreground child in its own group and a background one. */
static void leader(int m, const char *name, bool give_up)
{
	int s;
	pid_t fg, bg;

	setsid();
	s = open(name, O_RDWR);
	signal(SIGTTOU, SIG_IGN);
	close(m);
	fg = fork();
	if (fg == 0) {
		setpgid(0, 0);
		catch();
		write(tell[1], "f", 1);
		t_sleep_ms(600);
		t_sleep_ms(600);
		t_sleep_ms(600);
		_exit(0);
	}
	setpgid(fg, fg);
	Y(tcsetpgrp(s, fg) == 0);
	bg = fork();
	if (bg == 0) {
		setpgid(0, 0);
		catch();
		write(tell[1], "b", 1);
		t_sleep_ms(700);
		write(tell[1], open("/dev/tty", O_RDWR) < 0 && errno == ENXIO ? "n" : "t", 1);
		_exit(0);
	}
	show("started", 2, 3000);
	if (give_up) {
		signal(SIGHUP, SIG_IGN);
		R(ioctl(s, TIOCNOTTY));
		show("after TIOCNOTTY", 2, 3000);
	}
	t_sleep_ms(50);
	_exit(0);
}

static void leader_ends(bool give_up)
{
	int m, s, st;
	char name[64];
	pid_t c;

	openpty(&m, &s, name, NULL, NULL);
	fflush(stdout);
	c = fork();
	if (c == 0) {
		close(s);
		leader(m, name, give_up);
	}
	close(s);
	waitpid(c, &st, 0);
	t_status("leader", st);
	show("after its end", give_up ? 0 : 1, 300);
	show("background's terminal", 1, 3000);
	close(m);
	while (waitpid(-1, &st, WNOHANG) > 0)
		;
}

/* A stopped grandchild in a group of its own: when the child ends the group is orphaned. */
static void orphaned(void)
{
	int st, r;
	pid_t c, g;

	fflush(stdout);
	c = fork();
	if (c == 0) {
		g = fork();
		if (g == 0) {
			setpgid(0, 0);
			catch();
			raise(SIGSTOP);
			write(tell[1], "r", 1);
			_exit(0);
		}
		setpgid(g, g);
		waitpid(g, &st, WUNTRACED);
		_exit(WIFSTOPPED(st) ? 0 : 1);
	}
	waitpid(c, &st, 0);
	t_status("its parent", st);
	show("stopped group, orphaned by its parent", 3, 3000);
	/* the leader of the group is what ties it to the session: its child is stopped when it ends */
	c = fork();
	if (c == 0) {
		setpgid(0, 0);
		g = fork();
		if (g == 0) {
			catch();
			raise(SIGSTOP);
			write(tell[1], "r", 1);
			_exit(0);
		}
		waitpid(g, &st, WUNTRACED);
		_exit(0);
	}
	setpgid(c, c);
	r = waitpid(c, &st, 0) == c;
	Y(r);
	show("stopped group, orphaned by its leader", 3, 3000);
}

/* A reaper in the session keeps the group tied to it. */
static void adopted(void)
{
	int st;
	pid_t c, g;

	prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
	fflush(stdout);
	c = fork();
	if (c == 0) {
		g = fork();
		if (g == 0) {
			setpgid(0, 0);
			catch();
			raise(SIGSTOP);
			write(tell[1], "r", 1);
			_exit(0);
		}
		setpgid(g, g);
		waitpid(g, &st, WUNTRACED);
		write(tell[1], &g, sizeof(g));
		_exit(0);
	}
	waitpid(c, &st, 0);
	read(tell[0], &g, sizeof(g));
	show("stopped group with a reaper", 0, 200);
	kill(g, SIGCONT);
	show("continued", 2, 3000);
	Y(waitpid(g, &st, 0) == g);
	t_status("it", st);
}

int main(void)
{
	pipe(tell);
	leader_ends(false);
	leader_ends(true);
	orphaned();
	adopted();
	return 0;
}
