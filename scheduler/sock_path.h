/* SPDX-License-Identifier: MIT */
/* Where the control socket of a user's switch lies; for junctiond and for jctl, which must agree. */
#ifndef SCHEDULER_SOCK_PATH_H
#define SCHEDULER_SOCK_PATH_H

#include <stddef.h>

/*
 * XDG_RUNTIME_DIR/junction/switch-NAME, or in /run/junction for root, or in /tmp/junction-UID. The directory is made if need be and must
 * be ours and closed to others' writing. 0 or -errno.
 */
int switch_socket_path(const char *name, char *path, size_t size);
/* The same directory, and in it instance-NAME: where the launcher of a running instance is asked for it (jabi_ctl.h). */
int junction_run_dir(char *dir, size_t size);
int instance_socket_path(const char *name, char *path, size_t size);

#endif
