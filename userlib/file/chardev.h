/* SPDX-License-Identifier: MIT */
#ifndef USERLIB_FILE_CHARDEV_H
#define USERLIB_FILE_CHARDEV_H

/* Registers the memory devices (major 1). Once at boot. */
void chardev_init(void);

#endif
