/* SPDX-License-Identifier: MIT */
/* The launcher: what it opens for an instance, and the steps from a configuration to an exit code. Private to tools/jctl. */
#ifndef TOOLS_JCTL_LAUNCH_H
#define TOOLS_JCTL_LAUNCH_H

#include <signal.h>
#include <sys/types.h>

#include "jabi/jabi_boot.h"
#include "jabi/jabi_queues.h"
#include "tools/jctl/config.h"

/* Everything the launcher holds for one instance. Descriptors are close-on-exec; -1 = absent. */
struct launch {
	const struct run_config *cfg;
	struct jabi_boot boot;
	char *pages; /* boot pages under construction; boot itself is copied to their start at the end */
	size_t pages_len, pages_cap;
	int kernel_fd, arena_fd, root_fd, cache_dir_fd, wake_fd, log_fd, strace_fd, tap_fd, ring_fd;
	int pcap_fd, kmod_fd, core_bell, ctl_sock;
	char ctl_path[256];
	struct jabi_queues queues; /* of a TAP with several, or AF_XDP; nr 0: none. A TAP's first is tap_fd */
	int passt_sock;	   /* passt's end while it has not been started, else -1 */
	int passt_err;	   /* what it says */
	pid_t passt;	   /* 0: not our child */
	int port_sock;	   /* to junctiond */
	int port_fd[3];	   /* link, bell, switch's bell (jabi_port.h, ATTACHED) */
	int patch_sock[2]; /* [0] launcher's end, [1] instance's */
	int volume_fd[CONFIG_MAX_VOLUMES];
	u32 volume_flags[CONFIG_MAX_VOLUMES];
	char root_path[4096];
	char cache_path[4096];
	sigset_t caller_mask; /* to be restored in the instance */
	pid_t child;	      /* the instance's oldest process: gets the signals */
	bool has_first_ended;
};

/* boot.c: appends to the boot pages; -1 after a message. */
int boot_create_arena(struct launch *l) must_check;
int boot_add_bytes(struct launch *l, const void *data, size_t len, u32 *off) must_check;
int boot_add_string(struct launch *l, const char *s, struct jabi_str *out) must_check;
int boot_fill(struct launch *l) must_check;
int boot_write(struct launch *l) must_check;

/* host_files.c: the kernel binary, root, volumes, log and strace files. */
int host_files_open(struct launch *l) must_check;

/* tap.c */
int tap_create(struct launch *l) must_check;

/* xdp.c: --net xdp */
int xdp_attach(struct launch *l) must_check;

/* ring.c: the restricted io_uring and its geometry into the boot block; none if the host has none. */
int ring_create(struct launch *l) must_check;
void ring_close(struct launch *l);
/* The same for the doctor: 0 or -errno of the step that failed. */
int ring_probe(const char **step);

/* kmod.c: an instance file of the kernel module, junctiond's if that grants cores, else an own one; runs without where there is none. */
int kmod_attach(struct launch *l) must_check;
/* For the doctor: JABI_KMOD_FEAT_* or -errno. */
int kmod_probe(void);
/* The same for cores of the default junctiond: 2 granted by the module, 0 as affinity; -errno: none. */
int cores_probe(void);

/* switch.c: --net switch: a port of the switch, which is started if need be. */
int port_attach(struct launch *l) must_check;

/* passt.c: --net passt: a passt process at the other end of a stream socket. */
int passt_start(struct launch *l) must_check;
/* passt_sock is readable: starts it, as a child. Or the instance is over without having sent a frame. */
void passt_wake(struct launch *l);
void passt_ended(struct launch *l, int status);
/* --net auto: the best that the caller may use; says which on stderr. Changes c->net. */
int net_choose(struct run_config *c) must_check;
/* publish.c: -p for the kinds of network that do not do it themselves: a process that passes connections on. */
int publish_start(struct launch *l) must_check;

/* confine.c, in the instance's process before the exec. -errno; *step names what failed. */
int confine_drop_privilege(const struct launch *l, const char **step) must_check;
int confine_landlock(const struct launch *l, const char **step) must_check;
/* Highest Landlock ABI of the host, 0 = none. */
int confine_landlock_abi(void);

/* filter.c: the host-call allow-list as BPF into the boot pages. */
int filter_add(struct launch *l) must_check;

/* supervise.c: forks, execs the instance, serves it until it ends. Returns jctl's exit code. */
int supervise_run(struct launch *l);

/*
 * control.c: the socket where `jctl net` and `jctl pcap` get the running instance (jabi_ctl.h). None where it cannot be made: the instance
 * runs without. handle: one caller, does not wait.
 */
void control_open(struct launch *l);
void control_handle(const struct launch *l);
void control_close(struct launch *l);

/* patch_service.c: one message on the socket. False when the instance has closed its end. */
bool patch_service_handle(struct launch *l);

#endif
