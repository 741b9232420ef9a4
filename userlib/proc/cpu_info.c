/* SPDX-License-Identifier: MIT */
/* CPUID, decoded. */
#include "userlib/proc/cpu_info.h"
#include "userlib/base/string.h"
#include "userlib/rt/clock.h"

struct regs {
	u32 a, b, c, d;
};

static struct regs cpuid(u32 leaf, u32 sub)
{
	struct regs r = { leaf, 0, sub, 0 };

	__asm__ volatile("cpuid" : "+a"(r.a), "=b"(r.b), "+c"(r.c), "=d"(r.d));
	return r;
}

/* Where the time-stamp counter and the clock stood at boot: its rate, if CPUID does not tell. */
static u64 tsc_at_boot;
static s64 ns_at_boot;

static u64 rdtsc(void)
{
	u32 lo, hi;

	__asm__ volatile("rdtsc" : "=a"(lo), "=d"(hi));
	return (u64)hi << 32 | lo;
}

void cpu_info_init(void)
{
	tsc_at_boot = rdtsc();
	ns_at_boot = clock_monotonic_ns();
}

static u32 measured_khz(void)
{
	u64 us = (u64)(clock_monotonic_ns() - ns_at_boot) / 1000;

	return us < 100 ? 0 : (u32)((rdtsc() - tsc_at_boot) * 1000 / us);
}

void cpu_info_read(struct cpu_info *c)
{
	struct regs r = cpuid(0, 0);
	u32 max_ext = cpuid(0x80000000, 0).a;
	struct cpu_cache cache;

	memset(c, 0, sizeof(*c));
	c->max_leaf = r.a;
	memcpy(c->vendor, &r.b, 4);
	memcpy(c->vendor + 4, &r.d, 4);
	memcpy(c->vendor + 8, &r.c, 4);
	r = cpuid(1, 0);
	c->stepping = r.a & 15;
	c->family = r.a >> 8 & 15;
	c->model = r.a >> 4 & 15;
	if (c->family == 15)
		c->family += r.a >> 20 & 255;
	if (c->family >= 6)
		c->model += (r.a >> 16 & 15) << 4;
	for (u32 i = 0; i < 3 && max_ext >= 0x80000004; i++) {
		r = cpuid(0x80000002 + i, 0);
		memcpy(c->brand + 16 * i, &r, 16);
	}
	c->phys_bits = 40;
	c->virt_bits = 48;
	if (max_ext >= 0x80000008) {
		r = cpuid(0x80000008, 0);
		c->phys_bits = r.a & 255;
		c->virt_bits = r.a >> 8 & 255;
	}
	if (c->max_leaf >= 0x16)
		c->khz = (cpuid(0x16, 0).a & 0xffff) * 1000;
	if (!c->khz && c->max_leaf >= 0x15) {
		r = cpuid(0x15, 0);
		if (r.a && r.b && r.c)
			c->khz = (u32)((u64)r.c * r.b / r.a / 1000);
	}
	if (!c->khz)
		c->khz = measured_khz();
	for (unsigned i = 0; cpu_info_cache(i, &cache); i++)
		c->cache_kb = MAX(c->cache_kb, cache.size_kb);
}

/* Feature bits: leaf, sub-leaf, register (0 = a ... 3 = d), bit. */
struct feature {
	u32 leaf;
	u8 sub, reg, bit;
	const char *name;
};
static const struct feature features[] = {
	{ 1, 0, 3, 0, "fpu" }, { 1, 0, 3, 3, "pse" }, { 1, 0, 3, 4, "tsc" }, { 1, 0, 3, 5, "msr" }, { 1, 0, 3, 6, "pae" },
	{ 1, 0, 3, 8, "cx8" }, { 1, 0, 3, 9, "apic" }, { 1, 0, 3, 11, "sep" }, { 1, 0, 3, 13, "pge" }, { 1, 0, 3, 15, "cmov" },
	{ 1, 0, 3, 16, "pat" }, { 1, 0, 3, 19, "clflush" }, { 1, 0, 3, 23, "mmx" }, { 1, 0, 3, 24, "fxsr" },
	{ 1, 0, 3, 25, "sse" }, { 1, 0, 3, 26, "sse2" }, { 1, 0, 3, 27, "ss" }, { 1, 0, 3, 28, "ht" },
	{ 0x80000001, 0, 3, 11, "syscall" }, { 0x80000001, 0, 3, 20, "nx" }, { 0x80000001, 0, 3, 26, "pdpe1gb" },
	{ 0x80000001, 0, 3, 27, "rdtscp" }, { 0x80000001, 0, 3, 29, "lm" },
	{ 1, 0, 2, 0, "pni" }, { 1, 0, 2, 1, "pclmulqdq" }, { 1, 0, 2, 9, "ssse3" }, { 1, 0, 2, 12, "fma" },
	{ 1, 0, 2, 13, "cx16" }, { 1, 0, 2, 17, "pcid" }, { 1, 0, 2, 19, "sse4_1" }, { 1, 0, 2, 20, "sse4_2" },
	{ 1, 0, 2, 21, "x2apic" }, { 1, 0, 2, 22, "movbe" }, { 1, 0, 2, 23, "popcnt" }, { 1, 0, 2, 25, "aes" },
	{ 1, 0, 2, 26, "xsave" }, { 1, 0, 2, 28, "avx" }, { 1, 0, 2, 29, "f16c" }, { 1, 0, 2, 30, "rdrand" },
	{ 1, 0, 2, 31, "hypervisor" }, { 0x80000001, 0, 2, 0, "lahf_lm" }, { 0x80000001, 0, 2, 5, "abm" },
	{ 0x80000001, 0, 2, 6, "sse4a" }, { 0x80000001, 0, 2, 8, "3dnowprefetch" },
	{ 7, 0, 1, 0, "fsgsbase" }, { 7, 0, 1, 3, "bmi1" }, { 7, 0, 1, 5, "avx2" }, { 7, 0, 1, 7, "smep" }, { 7, 0, 1, 8, "bmi2" },
	{ 7, 0, 1, 9, "erms" }, { 7, 0, 1, 16, "avx512f" }, { 7, 0, 1, 17, "avx512dq" }, { 7, 0, 1, 18, "rdseed" },
	{ 7, 0, 1, 19, "adx" }, { 7, 0, 1, 20, "smap" }, { 7, 0, 1, 21, "avx512ifma" }, { 7, 0, 1, 23, "clflushopt" },
	{ 7, 0, 1, 24, "clwb" }, { 7, 0, 1, 28, "avx512cd" }, { 7, 0, 1, 29, "sha_ni" }, { 7, 0, 1, 30, "avx512bw" },
	{ 7, 0, 1, 31, "avx512vl" }, { 0xd, 1, 0, 0, "xsaveopt" }, { 0xd, 1, 0, 1, "xsavec" }, { 0xd, 1, 0, 2, "xgetbv1" },
	{ 7, 0, 2, 1, "avx512vbmi" }, { 7, 0, 2, 6, "avx512_vbmi2" }, { 7, 0, 2, 8, "gfni" }, { 7, 0, 2, 9, "vaes" },
	{ 7, 0, 2, 10, "vpclmulqdq" }, { 7, 0, 2, 11, "avx512_vnni" }, { 7, 0, 2, 12, "avx512_bitalg" },
	{ 7, 0, 2, 14, "avx512_vpopcntdq" }, { 7, 0, 2, 22, "rdpid" }, { 7, 0, 3, 4, "fsrm" },
};

void cpu_info_flags(char *buf, size_t size)
{
	u32 max = cpuid(0, 0).a, max_ext = cpuid(0x80000000, 0).a, leaf = ~0u, sub = 0;
	struct regs r = { 0, 0, 0, 0 };
	size_t len = 0;

	buf[0] = 0;
	for (size_t i = 0; i < ARRAY_SIZE(features); i++) {
		const struct feature *f = &features[i];
		u32 reg;

		if (f->leaf > (f->leaf >> 31 ? max_ext : max))
			continue;
		if (f->leaf != leaf || f->sub != sub) {
			leaf = f->leaf;
			sub = f->sub;
			r = cpuid(leaf, sub);
		}
		reg = f->reg == 0 ? r.a : f->reg == 1 ? r.b : f->reg == 2 ? r.c : r.d;
		if (reg >> f->bit & 1 && len < size)
			len += (size_t)fmt(buf + len, size - len, "%s%s", len ? " " : "", f->name);
	}
}

bool cpu_info_cache(unsigned index, struct cpu_cache *c)
{
	u32 leaf = cpuid(0x80000000, 0).a >= 0x8000001d && cpuid(0x80000001, 0).c >> 22 & 1 ? 0x8000001d : 4; /* AMD : Intel */
	struct regs r;

	if (leaf == 4 && cpuid(0, 0).a < 4)
		return false;
	r = cpuid(leaf, index);
	if (!(r.a & 31) || index > 7)
		return false;
	*c = (struct cpu_cache){ .type = r.a & 31, .level = r.a >> 5 & 7, .line = (r.b & 0xfff) + 1, .ways = (r.b >> 22) + 1,
				 .sets = r.c + 1 };
	c->size_kb = (u32)((u64)c->line * c->ways * ((r.b >> 12 & 0x3ff) + 1) * c->sets / KiB);
	return true;
}
