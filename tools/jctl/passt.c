/* SPDX-License-Identifier: MIT */
/*
 * --net passt: the network of an ordinary user. passt (Debian's package) translates the instance's frames, which come over a stream socket,
 * to sockets of the host and back; -p ports are its -t and -u. It puts itself into the background when it is ready and ends
 * with the socket. Where no network was asked for it is started by the instance's first frame and is a child of the launcher.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tools/jctl/jctl.h"
#include "tools/jctl/launch.h"

#define PASST_MTU 65520 /* its largest */
#define PASST_IP  "10.0.2.15"
#define PASST_GW  "10.0.2.2"
#define PASST_LEN 24

static bool has_program(const char *name)
{
	const char *path = getenv("PATH");
	char file[4096];

	while (path && *path) {
		size_t len = strcspn(path, ":");

		snprintf(file, sizeof(file), "%.*s/%s", (int)len, path, name);
		if (len && !access(file, X_OK))
			return true;
		path += len + (path[len] == ':');
	}
	return false;
}

/* passt needs a default route to copy what it needs. */
static bool has_default_route(void)
{
	FILE *f = fopen("/proc/net/route", "re");
	char line[256], iface[32];
	unsigned long dst;
	bool found = false;

	while (f && !found && fgets(line, sizeof(line), f))
		found = sscanf(line, "%31s %lx", iface, &dst) == 2 && !dst;
	if (f)
		fclose(f);
	return found;
}

int net_choose(struct run_config *c)
{
	const char *why;

	if (!c->is_net_auto)
		return 0;
	if (!c->has_net && !c->ip4 && !c->has_ip6 && !c->nr_publish && !c->pcap_file) {
		/* Nothing was asked for: what costs nothing until it is used, and no word. */
		bool can = has_program("passt") && has_default_route();

		c->net = can ? JABI_NET_STREAM : JABI_NET_NONE;
		c->is_passt_lazy = can;
		if (c->is_verbose)
			fprintf(stderr, "jctl: --net auto: %s\n", can ? "passt, when the program uses the network" :
				"none (passt is not installed, or this host has no default route)");
		return 0;
	}
	if ((c->ip4 || c->has_ip6) && !access("/dev/net/tun", R_OK | W_OK) && !geteuid()) {
		c->net = JABI_NET_TAP;
		why = "tap (--ip was given, and root may make the interface)";
	} else if (has_program("passt") && has_default_route()) {
		c->net = JABI_NET_STREAM;
		why = "passt (this host's connections, no privilege)";
	} else if (!c->nr_publish) {
		c->net = JABI_NET_PORT;
		c->switch_name = "default";
		why = has_program("passt") ? "switch (this host has no default route: only other instances)" :
					     "switch (passt is not installed: only other instances)";
	} else {
		return jctl_fail("install passt, and have a default route", "--net auto: nothing here can publish ports");
	}
	fprintf(stderr, "jctl: --net auto: %s\n", why);
	return 0;
}

/* The argument of -t or -u for one port. */
static char *port_spec(const struct config_publish *p)
{
	char addr[INET_ADDRSTRLEN], *s;
	int n;

	if (p->host_ip)
		n = asprintf(&s, "%s/%u:%u", inet_ntop(AF_INET, &p->host_ip, addr, sizeof(addr)), p->host_port, p->port);
	else
		n = asprintf(&s, "%u:%u", p->host_port, p->port);
	return n < 0 ? NULL : s;
}

static void exec_passt(const struct launch *l, int sock, int err, bool in_foreground)
{
	const struct run_config *c = l->cfg;
	char fd[16], len[8], mtu[8], ip[INET_ADDRSTRLEN], gw[INET_ADDRSTRLEN];
	char *argv[32 + 2 * CONFIG_MAX_PORTS] = { "passt", "-q", "-4", "-F", fd, "-a", ip, "-n", len, "-g", gw, "-m", mtu };
	unsigned n = 13;
	sigset_t none;

	snprintf(fd, sizeof(fd), "%d", sock);
	snprintf(len, sizeof(len), "%u", l->boot.net.prefix_len);
	snprintf(mtu, sizeof(mtu), "%d", PASST_MTU);
	inet_ntop(AF_INET, &l->boot.net.ip4, ip, sizeof(ip));
	inet_ntop(AF_INET, &l->boot.net.gw4, gw, sizeof(gw));
	for (unsigned i = 0; i < c->nr_publish; i++) {
		argv[n++] = c->publish[i].is_udp ? "-u" : "-t";
		argv[n] = port_spec(&c->publish[i]);
		if (!argv[n++])
			_exit(1);
	}
	/* The gateway's address stands for the host's loopback: connections to published ports come from there, else it is none of theirs. */
	if (!c->nr_publish)
		argv[n++] = "--no-map-gw";
	if (in_foreground)
		argv[n++] = "-f";
	(void)fcntl(sock, F_SETFD, 0);
	(void)dup2(open("/dev/null", O_RDWR | O_CLOEXEC), 0);
	(void)dup2(err, 1);
	(void)dup2(err, 2);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	execvp("passt", argv);
	dprintf(2, "%s\n", strerror(errno));
	_exit(127);
}

/* What it said last, for the message. */
static void last_line(int fd, char *buf, size_t size)
{
	ssize_t n = pread(fd, buf, size - 1, 0);
	char *at;

	buf[n > 0 ? n : 0] = 0;
	while (n > 0 && buf[n - 1] == '\n')
		buf[--n] = 0;
	at = strrchr(buf, '\n');
	if (at)
		memmove(buf, at + 1, strlen(at));
}

/* 0 when passt is ready; *why is what it said otherwise. */
static int run_passt(const struct launch *l, int sock, char *why, size_t size)
{
	int err = memfd_create("passt-messages", MFD_CLOEXEC), status = 0;
	pid_t pid;

	fflush(NULL);
	pid = fork();
	if (!pid)
		exec_passt(l, sock, err, false);
	if (pid < 0 || waitpid(pid, &status, 0) != pid)
		status = -1;
	last_line(err, why, size);
	close(err);
	return status;
}

int passt_start(struct launch *l)
{
	struct jabi_net *n = &l->boot.net;
	const struct run_config *c = l->cfg;
	char why[1024];
	int s[2], size = 1 << 20;

	if (c->net != JABI_NET_STREAM)
		return 0;
	if (c->has_ip6 || c->has_gw6)
		return jctl_fail("use --net tap or switch for IPv6", "--net passt has IPv4 only");
	if (!has_program("passt"))
		return jctl_fail("install it (apt-get install passt)", "--net passt: passt is not in PATH");
	n->ip4 = c->ip4 ? c->ip4 : inet_addr(PASST_IP);
	n->prefix_len = c->ip4 ? c->prefix_len : PASST_LEN;
	n->gw4 = c->gw4 ? c->gw4 : c->ip4 ? 0 : inet_addr(PASST_GW);
	if (!n->gw4)
		return jctl_fail("add --gw, or leave --ip out", "--net passt: --ip needs --gw");
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, s))
		return jctl_fail_errno(errno, NULL, "--net passt");
	(void)setsockopt(s[0], SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
	(void)setsockopt(s[1], SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
	if (c->is_passt_lazy) {
		l->passt_sock = s[1];
	} else if (run_passt(l, s[1], why, sizeof(why))) {
		close(s[0]);
		close(s[1]);
		return jctl_fail("it needs a host with a default route, and free ports", "--net passt: %s", *why ? why : "it ended");
	}
	if (!c->is_passt_lazy)
		close(s[1]);
	if (getrandom(n->mac, 6, 0) != 6 || fcntl(s[0], F_SETFL, O_NONBLOCK))
		return jctl_fail_errno(errno, NULL, "--net passt");
	n->mac[0] = (u8)((n->mac[0] & 0xfc) | 0x02);
	n->kind = JABI_NET_STREAM;
	n->is_quiet = c->is_passt_lazy;
	n->mtu = PASST_MTU;
	n->tap_fd = l->tap_fd = s[0];
	return 0;
}

void passt_wake(struct launch *l)
{
	pid_t pid = 0;
	char c;

	if (recv(l->passt_sock, &c, 1, MSG_PEEK | MSG_DONTWAIT) > 0) {
		l->passt_err = memfd_create("passt-messages", MFD_CLOEXEC);
		fflush(NULL);
		pid = fork();
		if (!pid)
			exec_passt(l, l->passt_sock, l->passt_err, true);
	}
	if (pid < 0)
		jctl_fail_errno(errno, "raise the process limit (ulimit -u)", "cannot start passt");
	l->passt = pid > 0 ? pid : 0;
	close(l->passt_sock);
	l->passt_sock = -1;
}

void passt_ended(struct launch *l, int status)
{
	char why[1024];

	l->passt = 0;
	if (!WIFEXITED(status) || WEXITSTATUS(status)) {
		last_line(l->passt_err, why, sizeof(why));
		(void)jctl_fail("--net none is without, --net passt says so at the start", "the network is gone: passt: %s", *why ? why : "it ended");
	}
	close(l->passt_err);
	l->passt_err = -1;
}
