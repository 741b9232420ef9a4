/* SPDX-License-Identifier: MIT */
/* What CPUID says, for /proc/cpuinfo and /sys/devices/system/cpu. */
#ifndef USERLIB_PROC_CPU_INFO_H
#define USERLIB_PROC_CPU_INFO_H

#include "base/types.h"

struct cpu_info {
	char vendor[13], brand[49];
	u32 family, model, stepping, max_leaf, khz, cache_kb, phys_bits, virt_bits;
};
void cpu_info_init(void); /* at boot */
void cpu_info_read(struct cpu_info *c);
/* Feature names as Linux's "flags" line has them, those that programs may use. */
void cpu_info_flags(char *buf, size_t size);
/* The index-th cache of a core, false = no more. type: 1 data, 2 instruction, 3 unified. */
struct cpu_cache {
	u32 level, type, line, ways, sets, size_kb;
};
bool cpu_info_cache(unsigned index, struct cpu_cache *c);

#endif
