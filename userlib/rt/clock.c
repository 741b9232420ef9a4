/* SPDX-License-Identifier: MIT */
/* Time through the host's vDSO (plain function calls), randomness through a small pool of host getrandom(2). */
#include "userlib/rt/clock.h"
#include "userlib/rt/clock_vdso.h"
#include "userlib/base/string.h"
#include "userlib/rt/host.h"
#include "userlib/rt/lock.h"
#include <linux/time_types.h>
#include <linux/elf.h>

static int raw_gettime(int clk, struct __kernel_timespec *ts)
{
	s64 ns;
	int r = host_clock_gettime_raw(clk, &ns);

	ts->tv_sec = ns / NSEC_PER_SEC;
	ts->tv_nsec = ns % NSEC_PER_SEC;
	return r;
}

static int (*vdso_gettime)(int clk, struct __kernel_timespec *ts) = raw_gettime;
u64 clock_host_vdso;

void clock_use_vdso(void)
{
	if (clock_host_vdso)
		vdso_gettime = (void *)clock_host_vdso;
}

/* Finds __vdso_clock_gettime in the host's vDSO image. */
void clock_init(u64 vdso_base)
{
	const Elf64_Ehdr *eh = (void *)vdso_base;
	const Elf64_Phdr *ph;
	const Elf64_Dyn *dyn = NULL;
	const Elf64_Sym *sym = NULL;
	const char *str = NULL;
	const u32 *hash = NULL;
	u64 bias = vdso_base;

	if (!vdso_base)
		return;
	ph = (void *)(vdso_base + eh->e_phoff);
	for (int i = 0; i < eh->e_phnum; i++) {
		if (ph[i].p_type == PT_LOAD)
			bias = vdso_base + ph[i].p_offset - ph[i].p_vaddr;
		if (ph[i].p_type == PT_DYNAMIC)
			dyn = (void *)(vdso_base + ph[i].p_offset);
	}
	for (; dyn && dyn->d_tag; dyn++) {
		if (dyn->d_tag == DT_STRTAB)
			str = (void *)(dyn->d_un.d_ptr + bias);
		else if (dyn->d_tag == DT_SYMTAB)
			sym = (void *)(dyn->d_un.d_ptr + bias);
		else if (dyn->d_tag == DT_HASH)
			hash = (void *)(dyn->d_un.d_ptr + bias);
	}
	if (!str || !sym || !hash)
		return;
	for (u32 i = 0; i < hash[1]; i++) {
		if (!strcmp(str + sym[i].st_name, "__vdso_clock_gettime") && sym[i].st_shndx) {
			clock_host_vdso = sym[i].st_value + bias;
			return;
		}
	}
}

static s64 read_clock(int clk)
{
	struct __kernel_timespec ts;

	if (vdso_gettime(clk, &ts))
		return 0;
	return ts.tv_sec * NSEC_PER_SEC + ts.tv_nsec;
}

s64 clock_monotonic_ns(void)
{
	return read_clock(1);
}
s64 clock_realtime_ns(void)
{
	return read_clock(0);
}
s64 clock_boottime_ns(void)
{
	return read_clock(7);
}
s64 clock_read_ns(int clk)
{
	return read_clock(clk);
}

static struct {
	struct spinlock lock;
	u32 left;
	u8 bytes[256];
} pool;

void random_bytes(void *buf, size_t len)
{
	u8 *p = buf;

	if (len > sizeof(pool.bytes)) {
		while (len) {
			long n = host_getrandom(p, len);

			if (n > 0) {
				p += n;
				len -= (size_t)n;
			}
		}
		return;
	}
	spin_lock(&pool.lock);
	while (len--) {
		if (!pool.left && host_getrandom(pool.bytes, sizeof(pool.bytes)) == sizeof(pool.bytes))
			pool.left = sizeof(pool.bytes);
		*p++ = pool.bytes[--pool.left];
		pool.bytes[pool.left] = 0;
	}
	spin_unlock(&pool.lock);
}
