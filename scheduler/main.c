/* SPDX-License-Identifier: MIT */
/*
 * junctiond: the switch between instances. Started by `jctl run --net switch` (--auto: ends with its last port) or by hand as a service.
 * This file: options, the lock that makes it one per user and name, what it gives up before it listens.
 */
#include "scheduler/switch.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/capability.h>
#include <sys/epoll.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "scheduler/core.h"
#include "scheduler/sock_path.h"

static const char *name = "default", *tap, *xdp, *socket_path, *cores;
static int ready_fd = -1;

static int fail(int err, const char *fmt, ...) printf_like(2, 3);
static int fail(int err, const char *fmt, ...)
{
	va_list ap;

	fprintf(stderr, "junctiond: ");
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fprintf(stderr, "%s%s\n", err ? ": " : "", err ? strerror(err) : "");
	return -1;
}

static void usage(FILE *to)
{
	fprintf(to, "usage: junctiond [OPTION...]\n\n"
		    "  --name NAME           one switch per user and name (default \"default\")\n"
		    "  --subnet A.B.C.D/LEN  addresses of the ports (default 10.119.0.0/16)\n"
		    "  --gw A.B.C.D          default gateway the ports are told\n"
		    "  --tap IF              uplink: this TAP interface\n"
		    "  --xdp IF[,SETTING...] uplink: this interface by AF_XDP, whole\n"
		    "  --mtu N               of every port (default 1500)\n"
		    "  --allow-uid UID       this user may have ports, too (repeatable)\n"
		    "  --no-direct           no links between ports that skip the switch\n"
		    "  --spin N              rounds a quiet port is polled before it is armed\n"
		    "  --socket PATH         control socket (default: by name)\n"
		    "  --cores LIST          these CPUs (\"1,4-7\") are for instances, granted and taken by load\n"
		    "  --auto                end with the last port\n"
		    "  --ready-fd FD         a byte is written there when ports can come\n");
}

static int set_subnet(const char *v)
{
	char addr[INET_ADDRSTRLEN];
	const char *slash = strchr(v, '/');
	struct in_addr in;
	int len;

	if (!slash || (size_t)(slash - v) >= sizeof(addr))
		return -1;
	memcpy(addr, v, (size_t)(slash - v));
	addr[slash - v] = 0;
	len = atoi(slash + 1);
	if (len < 8 || len > 30 || inet_pton(AF_INET, addr, &in) != 1)
		return -1;
	sw.prefix_len = (u32)len;
	sw.net4 = ntohl(in.s_addr) & (~0u << (32 - len));
	return 0;
}

static int set_number(const char *v, u32 min, u32 max, u32 *out)
{
	char *end;
	unsigned long n = strtoul(v, &end, 10);

	if (*v < '0' || *v > '9' || *end || n < min || n > max)
		return -1;
	*out = (u32)n;
	return 0;
}

static int set_option(int c, const char *v)
{
	struct in_addr in;
	u32 n = 0;
	int r = 0;

	switch (c) {
	case 'n':
		name = v;
		return !*v || strlen(v) > 64 || strchr(v, '/') || *v == '.' ? -1 : 0;
	case 's':
		return set_subnet(v);
	case 'g':
		r = inet_pton(AF_INET, v, &in) == 1 ? 0 : -1;
		sw.gw4 = r ? 0 : in.s_addr;
		return r;
	case 't':
		tap = v;
		return *v && strlen(v) < 16 ? 0 : -1;
	case 'x':
		xdp = v;
		return 0;
	case 'm':
		return set_number(v, 576, 65535, &sw.mtu);
	case 'u':
		r = sw.nr_allowed == ARRAY_SIZE(sw.allowed) ? -1 : set_number(v, 0, ~0u - 1, &n);
		if (!r)
			sw.allowed[sw.nr_allowed++] = n;
		return r;
	case 'd':
		sw.direct = false;
		return 0;
	case 'p':
		return set_number(v, 0, 100000000, &sw.spin_rounds);
	case 'k':
		socket_path = v;
		return 0;
	case 'c':
		cores = v;
		return *v ? 0 : -1;
	case 'a':
		sw.is_auto = true;
		return 0;
	case 'r':
		r = set_number(v, 3, 1 << 20, &n);
		ready_fd = (int)n;
		return r;
	default:
		return -1;
	}
}

static int parse(int argc, char **argv)
{
	static const struct option options[] = {
		{ "name", 1, 0, 'n' },	  { "subnet", 1, 0, 's' }, { "gw", 1, 0, 'g' },	    { "tap", 1, 0, 't' },
		{ "xdp", 1, 0, 'x' },	  { "mtu", 1, 0, 'm' },	  { "allow-uid", 1, 0, 'u' }, { "no-direct", 0, 0, 'd' }, { "spin", 1, 0, 'p' },
		{ "socket", 1, 0, 'k' },  { "auto", 0, 0, 'a' },   { "cores", 1, 0, 'c' },	   { "ready-fd", 1, 0, 'r' }, { "help", 0, 0, 'h' },
		{ 0 }
	};
	int c, at;

	while ((c = getopt_long(argc, argv, "h", options, &at)) != -1) {
		if (c == 'h') {
			usage(stdout);
			exit(0);
		}
		if (c == '?')
			return -1;
		if (set_option(c, optarg))
			return fail(0, "--%s: bad value \"%s\"", options[at].name, optarg ? optarg : "");
	}
	if (optind < argc)
		return fail(0, "unexpected argument \"%s\"", argv[optind]);
	if (sw.gw4 && (ntohl(sw.gw4) ^ sw.net4) >> (32 - sw.prefix_len))
		return fail(0, "--gw is outside --subnet");
	return 0;
}

/* One daemon per socket: the lock lives as long as we do. 1: another has it. */
static int take_lock(void)
{
	char path[300];
	int fd;

	snprintf(path, sizeof(path), "%s.lock", sw.socket_path);
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return fail(errno, "%s", path);
	if (flock(fd, LOCK_EX | LOCK_NB))
		return errno == EWOULDBLOCK ? 1 : fail(errno, "%s", path);
	return 0;
}

/* Three descriptors per port. */
static void raise_nofile(void)
{
	struct rlimit r;

	if (getrlimit(RLIMIT_NOFILE, &r))
		return;
	r.rlim_cur = r.rlim_max;
	(void)setrlimit(RLIMIT_NOFILE, &r);
}

/* Interfaces are open: from here on the clients' memory and messages are all we touch. */
static int give_up_privilege(void)
{
	cap_t none = cap_init();
	int r;

	if (!none)
		return -ENOMEM;
	r = prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) || cap_set_proc(none) ? -errno : 0;
	cap_free(none);
	return r;
}

static void go_to_background(void)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	(void)setsid();
	if (chdir("/")) {
		/* then some directory stays busy */
	}
	for (int fd = 0; fd < 3 && null >= 0; fd++)
		(void)dup2(null, fd);
}

int main(int argc, char **argv)
{
	static char by_name[256];
	const char *step, *mend;
	int r;

	list_init(&sw.ports);
	list_init(&sw.active);
	list_init(&sw.dead);
	sw.listener.fd = -1;
	sw.direct = true;
	sw.mtu = 1500;
	sw.spin_rounds = sysconf(_SC_NPROCESSORS_ONLN) >= 4 ? 1000 : 50;
	(void)set_subnet("10.119.0.0/16");
	if (parse(argc, argv))
		return 2;
	if (!socket_path) {
		r = switch_socket_path(name, by_name, sizeof(by_name));
		if (r)
			return fail(-r, "no place for the control socket"), 1;
		socket_path = by_name;
	}
	sw.socket_path = socket_path;
	r = take_lock();
	if (r) /* with --auto two starters met: the other one serves both */
		return r > 0 && sw.is_auto ? 0 : r > 0 ? (fail(0, "%s is served already", sw.socket_path), 1) : 1;
	signal(SIGPIPE, SIG_IGN);
	raise_nofile();
	sw.epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (sw.epoll_fd < 0 || getrandom(&sw.mac_byte, 1, 0) != 1)
		return fail(errno, "cannot start"), 1;
	r = tap ? uplink_tap_open(tap) : 0;
	if (r)
		return fail(-r, "--tap %s", tap), 1;
	r = xdp ? uplink_xdp_open(xdp, &step, &mend) : 0;
	if (r)
		return fail(-r, "--xdp %s: %s%s%s%s", xdp, step, mend ? " (" : "", mend ? mend : "", mend ? ")" : ""), 1;
	r = cores ? core_serve_open(cores) : 0;
	if (r)
		return fail(-r, "--cores %s", cores), 1;
	r = control_open(sw.socket_path);
	if (r)
		return fail(-r, "%s", sw.socket_path), 1;
	r = give_up_privilege();
	if (r)
		return fail(-r, "cannot drop privileges"), 1;
	if (ready_fd >= 0) {
		if (write(ready_fd, "", 1) != 1)
			return 1;
		close(ready_fd);
	}
	if (sw.is_auto)
		go_to_background();
	return loop_run();
}
