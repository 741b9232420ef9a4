/* SPDX-License-Identifier: MIT */
/* `jctl run`: from the options to the exit code, step by step. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tools/jctl/jctl.h"
#include "tools/jctl/launch.h"

/*
 * Descriptors above stderr that we inherited do not reach the instance; a closed standard descriptor is held by a placeholder
 * (O_PATH), so that none of ours lands there, and so are the numbers that the arena, the patch socket, the ring, the switch's socket
 * and the kernel module's file get at the exec.
 */
static int tidy_descriptors(void)
{
	if (close_range(3, ~0u, 0))
		return jctl_fail_errno(errno, "use Linux 5.9 or later", "close_range");
	for (int fd = 0; fd <= JABI_LAST_FD; fd++)
		if (fcntl(fd, F_GETFD) < 0 && open("/", O_PATH | O_CLOEXEC) != fd)
			return jctl_fail_errno(errno, NULL, "cannot hold descriptor %d", fd);
	return 0;
}

static void launch_init(struct launch *l, const struct run_config *c)
{
	sigset_t xfsz;

	memset(l, 0, sizeof(*l));
	l->cfg = c;
	l->kernel_fd = l->arena_fd = l->root_fd = l->cache_dir_fd = l->wake_fd = -1;
	l->log_fd = l->strace_fd = l->tap_fd = l->ring_fd = l->kmod_fd = l->patch_sock[0] = l->patch_sock[1] = -1;
	l->boot.net.tap_fd = -1;
	l->boot.pcap_fd = l->pcap_fd = l->boot.core_bell_fd = l->core_bell = l->ctl_sock = l->passt_sock = l->passt_err = -1;
	l->queues.umem_fd = -1;
	l->port_sock = l->port_fd[0] = l->port_fd[1] = l->port_fd[2] = -1;
	l->boot.port_link_fd = l->boot.port_bell_fd = l->boot.port_kick_fd = -1;
	for (unsigned i = 0; i < CONFIG_MAX_VOLUMES; i++)
		l->volume_fd[i] = -1;
	/* A file-size limit shall be an error of the call that meets it, not our death. */
	sigemptyset(&xfsz);
	sigaddset(&xfsz, SIGXFSZ);
	sigprocmask(SIG_BLOCK, &xfsz, &l->caller_mask);
}

int cmd_run(int argc, char **argv)
{
	static struct run_config config;
	static struct launch l;
	int r = config_parse(&config, argc, argv);

	if (r)
		return r > 0 ? 0 : EXIT_JCTL;
	if (tidy_descriptors())
		return EXIT_JCTL;
	launch_init(&l, &config);
	if (host_files_open(&l) || net_choose(&config) || tap_create(&l) || xdp_attach(&l) || port_attach(&l) || passt_start(&l) || publish_start(&l) || ring_create(&l) ||
	    kmod_attach(&l) || boot_fill(&l) || filter_add(&l) ||
	    boot_write(&l))
		return EXIT_JCTL;
	return supervise_run(&l);
}
