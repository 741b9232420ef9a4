/* SPDX-License-Identifier: MIT */
/* The kernel module, where the host has it: makes the instance's file. Without it an instance runs on signals and plain mappings. */
#include <errno.h>
#include <fcntl.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "jabi/jabi_kmod.h"
#include "tools/jctl/launch.h"

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

/* Without a daemon nobody grants cores: the control file is not kept. The instance gives no rights away. */
int kmod_attach(struct launch *l)
{
	struct jabi_kmod_info info = { 0 };
	struct jabi_kmod_rights r = { .size = sizeof(r), .rights = JABI_KMOD_RIGHT_ALL & ~JABI_KMOD_RIGHT_SHARE };
	int fd = open_control(&info);

	if (fd < 0)
		return 0; /* `jctl doctor` says why */
	l->kmod_fd = ioctl(fd, JABI_KMOD_INSTANCE, &r);
	close(fd);
	return 0;
}
