/* SPDX-License-Identifier: MIT */
/*
 * The kernel module, where the host has it: makes the instance's file, or has it made by the junctiond that grants cores. Without it an
 * instance runs on signals and plain mappings.
 */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "jabi/jabi_kmod.h"
#include "jabi/jabi_port.h"
#include "scheduler/sock_path.h"
#include "tools/jctl/jctl.h"
#include "tools/jctl/launch.h"
#include "tools/jctl/switch.h"

/* A control file of a module that speaks our version, or -errno. */
static int open_control(struct jabi_kmod_info *info)
{
	int fd = open(JABI_KMOD_DEVICE, O_RDWR | O_CLOEXEC), err;

	if (fd < 0)
		return -errno;
	info->size = sizeof(*info);
	if (ioctl(fd, JABI_KMOD_INFO, info))
		err = -errno;
	else if (info->version != JABI_KMOD_VERSION)
		err = -EPROTO;
	else
		return fd;
	close(fd);
	return err;
}

int kmod_probe(void)
{
	struct jabi_kmod_info info = { 0 };
	int fd = open_control(&info);

	if (fd < 0)
		return fd;
	close(fd);
	return (int)info.features;
}

/* Asks junctiond for cores: 2 descriptors (instance file, bell), 0 for the mask, or -errno. Does not start it. */
static int ask_cores(const char *switch_name, int *fds, __u64 *mask)
{
	struct jabi_port_hello h = { .magic = JABI_PORT_MAGIC, .version = JABI_PORT_VERSION, .op = JABI_PORT_CORES };
	struct jabi_port_msg m;
	char path[256];
	unsigned nr = 0;
	int r = switch_socket_path(switch_name, path, sizeof(path)), fd;

	if (r)
		return r;
	fd = switch_connect(path);
	if (fd < 0)
		return fd;
	r = send(fd, &h, sizeof(h), MSG_NOSIGNAL) == (ssize_t)sizeof(h) ? (int)switch_recv(fd, &m, fds, &nr) : -errno;
	close(fd);
	if (r < 0)
		return r;
	*mask = m.rx_frames;
	if (m.type == JABI_PORT_CORES_GIVEN && (!nr || nr == 2))
		return (int)nr;
	for (unsigned i = 0; i < nr; i++)
		close(fds[i]);
	return m.type == JABI_PORT_REFUSED && m.error ? -(int)m.error : -EPROTO;
}

int cores_probe(void)
{
	int fds[3], r;
	__u64 mask;

	r = ask_cores("default", fds, &mask);
	for (int i = 0; i < r; i++)
		close(fds[i]);
	return r;
}

static int run_on(__u64 mask)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	for (unsigned i = 0; i < 64; i++)
		if (mask >> i & 1)
			CPU_SET(i, &set);
	return sched_setaffinity(0, sizeof(set), &set);
}

/* A control file of our own is not kept: on it nobody grants cores. The instance gives no rights away. */
int kmod_attach(struct launch *l)
{
	struct jabi_kmod_info info = { 0 };
	struct jabi_kmod_rights r = { .size = sizeof(r), .rights = JABI_KMOD_RIGHT_ALL & ~JABI_KMOD_RIGHT_SHARE };
	__u64 mask;
	int fds[3], given = l->cfg->net == JABI_NET_PORT ? ask_cores(l->cfg->switch_name, fds, &mask) : -ENOTCONN, fd;

	if (given == 2) {
		l->kmod_fd = fds[0];
		l->boot.core_bell_fd = l->core_bell = fds[1];
		return 0;
	}
	if (!given && run_on(mask))
		return jctl_fail_errno(errno, NULL, "cannot run on the cores of junctiond");
	fd = open_control(&info);

	if (fd < 0)
		return 0; /* `jctl doctor` says why */
	l->kmod_fd = ioctl(fd, JABI_KMOD_INSTANCE, &r);
	close(fd);
	return 0;
}
