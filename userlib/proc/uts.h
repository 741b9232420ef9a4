/* SPDX-License-Identifier: MIT */
/* The names of the system: uname(2), /proc/sys/kernel. */
#ifndef USERLIB_PROC_UTS_H
#define USERLIB_PROC_UTS_H

#include "base/types.h"

#define UTS_SYSNAME "Linux"
#define UTS_RELEASE "6.1.0-junction"
#define UTS_VERSION "#1 SMP Junction"
#define UTS_LEN 64

/* Host name: set once from the boot data, later by sethostname(2); at most UTS_LEN bytes, cut. */
void uts_set_hostname(const char *name, size_t len);
void uts_set_domainname(const char *name, size_t len);
/* Copies into a buffer of UTS_LEN + 1 bytes, zero-padded. */
void uts_get_hostname(char *buf);
void uts_get_domainname(char *buf);

#endif
