/* SPDX-License-Identifier: MIT */
/* `jctl switch [NAME]`: the ports of a running switch, and what it dropped of each and why. */
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "scheduler/sock_path.h"
#include "tools/jctl/jctl.h"
#include "tools/jctl/switch.h"

static void print_port(const struct jabi_port_msg *m)
{
	static const char *const kinds[] = { "instance", "tap", "af_xdp" };
	char ip[INET_ADDRSTRLEN] = "-";

	if (m->ip4)
		inet_ntop(AF_INET, &m->ip4, ip, sizeof(ip));
	printf("%5u %-8s %-15s %02x:%02x:%02x:%02x:%02x:%02x %5u %5u %12llu %15llu %12llu %15llu %8llu %9llu %8llu %8llu  %s\n", m->slot,
	       m->kind < ARRAY_SIZE(kinds) ? kinds[m->kind] : "?", ip, m->mac[0], m->mac[1], m->mac[2], m->mac[3], m->mac[4], m->mac[5],
	       m->uid, m->peers, (unsigned long long)m->rx_frames, (unsigned long long)m->rx_bytes, (unsigned long long)m->tx_frames,
	       (unsigned long long)m->tx_bytes, (unsigned long long)m->spoofed, (unsigned long long)m->malformed,
	       (unsigned long long)m->full, (unsigned long long)m->unknown_dst, m->name);
}

int cmd_switch(int argc, char **argv)
{
	struct jabi_port_hello h = { .magic = JABI_PORT_MAGIC, .version = JABI_PORT_VERSION, .op = JABI_PORT_STATUS };
	const char *name = argc > 1 ? argv[1] : "default";
	struct jabi_port_msg m;
	char path[256];
	int fd, r, fds[3];
	unsigned nr;

	if (argc > 1 && (!strcmp(name, "--help") || !strcmp(name, "-h"))) {
		printf("usage: jctl switch [NAME]\n\nThe ports of the switch NAME (default \"default\") and their counters: from and to the port,\n"
		       "then what was dropped: spoofed sources, malformed descriptors, port full, unknown destination.\n");
		return 0;
	}
	r = argc > 2 || !*name || *name == '.' || strchr(name, '/') ? -EINVAL : switch_socket_path(name, path, sizeof(path));
	if (r)
		return jctl_fail_errno(-r, "`jctl switch --help`", "switch %s", name), EXIT_JCTL;
	fd = switch_connect(path);
	if (fd < 0)
		return jctl_fail_errno(-fd, "`jctl run --net switch` starts one", "switch %s", path), EXIT_JCTL;
	if (send(fd, &h, sizeof(h), MSG_NOSIGNAL) != (ssize_t)sizeof(h))
		return jctl_fail_errno(errno, NULL, "switch %s", path), EXIT_JCTL;
	printf("%5s %-8s %-15s %-17s %5s %5s %12s %15s %12s %15s %8s %9s %8s %8s  %s\n", "port", "kind", "address", "mac", "uid", "links",
	       "rx frames", "rx bytes", "tx frames", "tx bytes", "spoofed", "malformed", "full", "unknown", "name");
	while ((r = (int)switch_recv(fd, &m, fds, &nr)) > 0 && m.type == JABI_PORT_STATUS_PORT)
		print_port(&m);
	close(fd);
	if (r > 0 && m.type == JABI_PORT_STATUS_END)
		return 0;
	return jctl_fail_errno(r < 0 ? -r : (int)m.error, NULL, "switch %s", path), EXIT_JCTL;
}
