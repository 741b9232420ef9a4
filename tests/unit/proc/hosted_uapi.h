/* SPDX-License-Identifier: MIT */
/* Included first (-include): lets kernel headers (linux uapi) and glibc's be used in one file: glibc's definitions win. */
#include <sys/time.h>
#include <sys/resource.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#define _LINUX_TIME_H
#define _LINUX_RESOURCE_H
