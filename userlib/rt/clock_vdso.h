/* SPDX-License-Identifier: MIT */
/* Boot and vDSO side of clock.c. */
#ifndef USERLIB_RT_CLOCK_VDSO_H
#define USERLIB_RT_CLOCK_VDSO_H

#include "base/types.h"

/* Finds the host's vDSO. Clocks are read by host calls until clock_use_vdso. */
void clock_init(u64 host_vdso_base);
/*
 * Once SIGSYS is handled: where the host's clock source has no user-space reading its vDSO makes the real call, from an address that
 * the filter does not let through (trap.c: on_sigsys).
 */
void clock_use_vdso(void);
/* Any clock id the host's vDSO or clock_gettime(2) serves; 0 if it does not. */
s64 clock_read_ns(int clk);
extern u64 clock_host_vdso; /* the host's __vdso_clock_gettime, 0 if none */

#endif
