/* SPDX-License-Identifier: MIT */
/* Signals of input and output: O_ASYNC, F_SETOWN, F_SETOWN_EX, F_SETSIG on pipes, sockets and ptys. */
#include "t.h"
#include <netinet/in.h>
#include <pthread.h>
#include <pty.h>
#include <sys/socket.h>
#include <termios.h>

static volatile sig_atomic_t count[65], last_code, last_fd, last_band;
static volatile pid_t on_thread;

static void on_io(int sig, siginfo_t *si, void *u)
{
	(void)u;
	count[sig]++;
	last_code = si->si_code;
	last_fd = si->si_fd;
	last_band = si->si_band;
	on_thread = gettid();
}

static void expect(const char *what, int sig, int want)
{
	for (int i = 0; i < 400 && count[sig] < want; i++)
		t_sleep_ms(2);
	t_say("%s: signal %s, code %d, band %x", what, count[sig] >= want ? "came" : "missing", sig >= SIGRTMIN ? (int)last_code : 0,
	      sig >= SIGRTMIN ? (int)last_band : 0);
	count[sig] = 0;
}

static void quiet(const char *what, int sig)
{
	t_sleep_ms(20);
	t_say("%s: %s", what, count[sig] ? "a signal" : "nothing");
	count[sig] = 0;
}

static void set_async(int fd, bool on)
{
	int fl = fcntl(fd, F_GETFL);

	R(fcntl(fd, F_SETFL, on ? fl | O_ASYNC : fl & ~O_ASYNC));
}

static void plain(void)
{
	int p[2], sv[2];
	char b[10];

	t_say("-- plain SIGIO");
	pipe(p);
	set_async(p[0], true);
	write(p[1], "x", 1);
	quiet("no owner", SIGIO);
	R(fcntl(p[0], F_GETOWN));
	R(fcntl(p[0], F_SETOWN, getpid()));
	Y(fcntl(p[0], F_GETOWN) == getpid());
	read(p[0], b, 10);
	write(p[1], "x", 1);
	expect("pipe written", SIGIO, 1);
	set_async(p[0], false);
	read(p[0], b, 10);
	write(p[1], "x", 1);
	quiet("switched off", SIGIO);
	read(p[0], b, 10);
	set_async(p[0], true);
	close(p[1]);
	expect("writer closed", SIGIO, 1);
	close(p[0]);
	socketpair(AF_UNIX, SOCK_STREAM, 0, sv);
	R(fcntl(sv[0], F_SETOWN, -getpgrp()));
	Y(fcntl(sv[0], F_GETOWN) == -getpgrp());
	set_async(sv[0], true);
	count[SIGIO] = 0;
	write(sv[1], "x", 1);
	expect("socket written, to the group", SIGIO, 1);
	close(sv[0]);
	close(sv[1]);
	R(fcntl(0, F_SETOWN, 0x7ffffff0));
}

static void detailed(void)
{
	struct f_owner_ex ex;
	int p[2], sv[2], m, s;
	struct termios t;
	char b[10];

	t_say("-- F_SETSIG");
	pipe(p);
	R(fcntl(p[0], F_SETOWN, getpid()));
	R(fcntl(p[0], F_SETSIG, 100));
	R(fcntl(p[0], F_SETSIG, SIGRTMIN));
	R(fcntl(p[0], F_GETSIG) == SIGRTMIN);
	set_async(p[0], true);
	write(p[1], "x", 1);
	expect("pipe", SIGRTMIN, 1);
	Y(last_fd == p[0]);
	read(p[0], b, 1);
	count[SIGRTMIN] = 0;
	/* the other end: room */
	R(fcntl(p[1], F_SETOWN, getpid()));
	R(fcntl(p[1], F_SETSIG, SIGRTMIN + 1));
	fcntl(p[1], F_SETFL, O_NONBLOCK);
	while (write(p[1], b, sizeof(b)) > 0)
		;
	set_async(p[1], true);
	for (int i = 0; i < 500; i++)
		read(p[0], b, 10);
	expect("room in the pipe", SIGRTMIN + 1, 1);
	close(p[0]);
	close(p[1]);
	socketpair(AF_UNIX, SOCK_DGRAM, 0, sv);
	R(fcntl(sv[0], F_SETOWN, getpid()));
	R(fcntl(sv[0], F_SETSIG, SIGRTMIN + 2));
	set_async(sv[0], true);
	send(sv[1], "abc", 3, 0);
	expect("datagram", SIGRTMIN + 2, 1);
	Y(last_fd == sv[0]);
	ex = (struct f_owner_ex){ F_OWNER_TID, gettid() };
	R(fcntl(sv[0], F_SETOWN_EX, &ex));
	ex.pid = 0;
	R(fcntl(sv[0], F_GETOWN_EX, &ex));
	Y(ex.type == F_OWNER_TID && ex.pid == gettid());
	ex.type = 7;
	R(fcntl(sv[0], F_SETOWN_EX, &ex));
	on_thread = 0;
	send(sv[1], "abc", 3, 0);
	expect("to a thread", SIGRTMIN + 2, 1);
	Y(on_thread == gettid());
	close(sv[0]);
	close(sv[1]);
	openpty(&m, &s, NULL, NULL, NULL);
	tcgetattr(s, &t);
	cfmakeraw(&t);
	tcsetattr(s, TCSANOW, &t);
	R(fcntl(s, F_SETOWN, getpid()));
	R(fcntl(s, F_SETSIG, SIGRTMIN + 3));
	set_async(s, true);
	write(m, "x", 1);
	expect("terminal", SIGRTMIN + 3, 1);
	close(s);
	close(m);
}

/* UDP over the loopback: told by the network. */
static void udp(void)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(a);
	int r = socket(AF_INET, SOCK_DGRAM, 0), s = socket(AF_INET, SOCK_DGRAM, 0);

	t_say("-- udp");
	bind(r, (struct sockaddr *)&a, sizeof(a));
	getsockname(r, (struct sockaddr *)&a, &len);
	R(fcntl(r, F_SETOWN, getpid()));
	R(fcntl(r, F_SETSIG, SIGRTMIN + 4));
	set_async(r, true);
	sendto(s, "x", 1, 0, (struct sockaddr *)&a, sizeof(a));
	expect("udp", SIGRTMIN + 4, 1);
	close(r);
	close(s);
}

/* Directories that change. */
static void directories(void)
{
	int d, f;

	t_say("-- F_NOTIFY");
	mkdir("d", 0700);
	d = open("d", O_RDONLY);
	f = open("plain", O_RDWR | O_CREAT, 0600);
	R(fcntl(f, F_NOTIFY, DN_CREATE));
	R(fcntl(d, F_SETSIG, SIGRTMIN + 5));
	R(fcntl(d, F_NOTIFY, DN_CREATE | DN_DELETE));
	close(open("d/a", O_RDWR | O_CREAT, 0600));
	expect("created", SIGRTMIN + 5, 1);
	Y(last_fd == d);
	close(open("d/b", O_RDWR | O_CREAT, 0600));
	quiet("only once", SIGRTMIN + 5);
	R(fcntl(d, F_NOTIFY, DN_CREATE | DN_DELETE | DN_MULTISHOT));
	unlink("d/a");
	expect("deleted", SIGRTMIN + 5, 1);
	close(open("d/c", O_RDWR | O_CREAT, 0600));
	expect("created again", SIGRTMIN + 5, 1);
	chmod("d/b", 0640);
	quiet("attributes", SIGRTMIN + 5);
	R(fcntl(d, F_NOTIFY, DN_ATTRIB | DN_MODIFY | DN_MULTISHOT));
	chmod("d/b", 0600);
	expect("attributes", SIGRTMIN + 5, 1);
	f = open("d/b", O_WRONLY);
	write(f, "x", 1);
	expect("written", SIGRTMIN + 5, 1);
	rename("d/c", "e");
	expect("moved out", SIGRTMIN + 5, 1);
	R(fcntl(d, F_NOTIFY, 0));
	unlink("d/b");
	quiet("given up", SIGRTMIN + 5);
	close(d);
}

int main(void)
{
	struct sigaction sa = { .sa_sigaction = on_io, .sa_flags = SA_SIGINFO | SA_RESTART };

	setpgid(0, 0);
	sigaction(SIGIO, &sa, NULL);
	for (int i = 0; i < 6; i++)
		sigaction(SIGRTMIN + i, &sa, NULL);
	plain();
	detailed();
	udp();
	directories();
	return 0;
}
