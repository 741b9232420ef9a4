/* SPDX-License-Identifier: MIT */
/* Boot and vDSO side of clock.c. */
#ifndef USERLIB_RT_CLOCK_VDSO_H
#define USERLIB_RT_CLOCK_VDSO_H

#include "base/types.h"

void clock_init(u64 host_vdso_base);
/* Any clock id the host's vDSO or clock_gettime(2) serves; 0 if it does not. */
s64 clock_read_ns(int clk);
extern u64 clock_host_vdso; /* the host's __vdso_clock_gettime, 0 if none */

#endif
