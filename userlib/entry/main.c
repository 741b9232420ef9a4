/* SPDX-License-Identifier: MIT */
/*
 * Boot of the instance kernel: relocate, map the arena, move .data/.bss into it, lock the host out, then the table of inits, then the
 * first program. Reading boot_steps[] tells the boot. Nothing here runs again after the scheduler has started, but instance_exit.
 */
#include "userlib/entry/entry.h"
#include "base/atomic.h"
#include "userlib/base/log.h"
#include "userlib/base/log_sink.h"
#include "userlib/base/mem.h"
#include "userlib/base/string.h"
#include "userlib/rt/clock_vdso.h"
#include "userlib/rt/host.h"
#include "userlib/rt/host_ring.h"
#include "userlib/rt/jobctl.h"
#include "userlib/rt/cores.h"
#include "userlib/rt/kmod.h"
#include "userlib/rt/kthread.h"
#include "userlib/rt/trap.h"
#include <asm/unistd_64.h>
#include <linux/auxvec.h>
#include <linux/elf.h>
#include <linux/filter.h>
#include <linux/mman.h>
#include <linux/falloc.h>
#include <linux/seccomp.h>
#include <linux/signal.h>

extern char __data_start[], __data_end[], __image_start[], vdso_image[], vdso_image_end[];
noreturn_fn void kernel_main(u64 *sp, const Elf64_Dyn *dyn, char *image);

struct jabi_boot *boot;
static u64 host_hwcap, host_minsigstksz, host_vdso;

static void relocate(const Elf64_Dyn *dyn, char *image)
{
	const Elf64_Rela *rela = NULL;
	u64 size = 0;

	for (; dyn->d_tag; dyn++) {
		if (dyn->d_tag == DT_RELA)
			rela = (void *)(image + dyn->d_un.d_ptr);
		else if (dyn->d_tag == DT_RELASZ)
			size = dyn->d_un.d_val;
	}
	for (u64 i = 0; i < size / sizeof(*rela); i++)
		if (ELF64_R_TYPE(rela[i].r_info) == 8 /* R_X86_64_RELATIVE */)
			*(u64 *)(image + rela[i].r_offset) = (u64)image + (u64)rela[i].r_addend;
}

static void to_log_fd(const char *line, size_t len)
{
	(void)host_write(boot ? boot->log_fd : 2, line, len);
}

static void end_of_panic(void)
{
	if (boot) {
		boot->exit_status = 125 << 8;
		store_release(&boot->exit_set, 1u);
	}
	instance_kill_hosts();
	host_exit_group(125);
}

static noreturn_fn void die(const char *what, long err)
{
	log_msg(LOG_ERR, "%s: error %d", what, (int)-err);
	if (boot)
		boot->boot_error = (u32)-err;
	host_exit_group(125);
}

static void punch(u64 offset, u64 len)
{
	host_fallocate(boot->arena_fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (s64)offset, (s64)len);
}

static void map_arena(void)
{
	static struct jabi_boot head; /* .bss is still private: goes away with the remapping below */
	u64 data_len = (u64)(__data_end - __data_start), data_off;
	long r = host_pread(JABI_ARENA_FD, &head, sizeof(head), 0);

	if (r != (long)sizeof(head) || head.magic != JABI_BOOT_MAGIC || head.version != JABI_BOOT_VERSION ||
	    head.size != sizeof(head)) {
		log_msg(LOG_ERR, "not started by jctl: this program is run by `jctl run`, not by hand");
		host_exit_group(125);
	}
	r = host_mmap((void *)head.arena_base, head.arena_size, PROT_READ | PROT_WRITE,
		      MAP_SHARED | MAP_FIXED_NOREPLACE | MAP_NORESERVE, head.arena_fd, 0);
	if (r != (long)head.arena_base)
		die("cannot map the arena", r);
	data_off = ROUND_UP(head.boot_bytes, PAGE_SIZE);
	boot = (struct jabi_boot *)head.arena_base;
	memcpy((char *)boot + data_off, __data_start, data_len);
	r = host_mmap(__data_start, data_len, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, boot->arena_fd, data_off);
	if (r != (long)__data_start)
		die("cannot share the kernel's data", r);
	page_init(boot, data_off + data_len, boot->arena_size, boot->mem_limit, boot->arena_fd, punch);
	boot->boot_stage = JABI_STAGE_ARENA;
}

static void lock_in(void)
{
	struct sock_fprog prog = { .len = (u16)boot->filter.len,
				   .filter = (struct sock_filter *)((char *)boot + boot->filter.off) };
	long r = trap_install_filter();

	if (r)
		die("cannot install the trap filter", r);
	if (prog.len) {
		r = host_syscall6(__NR_seccomp, SECCOMP_SET_MODE_FILTER, 0, (long)&prog, 0, 0, 0);
		if (r)
			die("cannot install the allow-list", r);
	}
	boot->boot_stage = JABI_STAGE_LOCKED;
}

static void read_auxv(u64 *sp)
{
	u64 *p = sp + 1 + sp[0] + 1;

	while (*p)
		p++;
	for (p++; p[0] != AT_NULL; p += 2) {
		if (p[0] == AT_SYSINFO_EHDR)
			host_vdso = p[1];
		else if (p[0] == AT_HWCAP)
			host_hwcap = p[1];
		else if (p[0] == 51 /* AT_MINSIGSTKSZ */)
			host_minsigstksz = p[1];
	}
}

void kernel_main(u64 *sp, const Elf64_Dyn *dyn, char *image)
{
	struct aspace_range reserved[5];
	void *ring_map[2] = { NULL, NULL };
	size_t ring_len[2] = { 0, 0 };
	u64 vdso_len = (u64)(vdso_image_end - vdso_image);
	void *vdso;

	relocate(dyn, image);
	log_sink = to_log_fd;
	panic_end = end_of_panic;
	read_auxv(sp);
	map_arena();
	clock_init(host_vdso);
	if (boot->ring_fd >= 0 && host_ring_attach(boot->ring_fd, &boot->ring, ring_map, ring_len))
		log_msg(LOG_WARN, "cannot map the io_uring: reads of files that are not in memory block a core");
	lock_in();
	kthread_wake_fd = boot->wake_eventfd;
	kmod_boot(boot->kmod_fd, (char *)boot + boot->arena_size + JABI_PORT_AREA);
	cores_boot(boot->kmod_fd >= 0 ? boot->core_bell_fd : -1);
	jobctl_launcher_pid = (int)boot->launcher_pid;
	jobctl_enabled = boot->flags & JABI_F_JOB_CONTROL;
	sched_nr_cores = boot->nr_cores < 1 ? 1 : MIN(boot->nr_cores, (u32)MAX_CORES);
	vdso = page_alloc(0);
	if (!vdso || vdso_len > PAGE_SIZE)
		die("no memory to boot", -ENOMEM);
	memcpy(vdso, vdso_image, vdso_len);
	reserved[0] = (struct aspace_range){ boot->arena_base, boot->arena_base + boot->arena_size + JABI_PORT_AREA +
								     JABI_KMOD_AREA };
	reserved[1] = (struct aspace_range){ ROUND_DOWN((u64)__image_start, PAGE_SIZE), ROUND_UP((u64)__data_end, PAGE_SIZE) };
	reserved[2] = (struct aspace_range){ host_vdso ? host_vdso - 16 * PAGE_SIZE : 0, host_vdso ? host_vdso + 2 * PAGE_SIZE : 0 };
	for (int i = 0; i < 2; i++)
		reserved[3 + i] = (struct aspace_range){ (u64)ring_map[i], (u64)ring_map[i] + ring_len[i] };
	entry_start_first(&(struct entry_facts){ .reserved = reserved,
						 .nr_reserved = ring_map[0] ? 5 : 3,
						 .vdso = vdso,
						 .vdso_len = vdso_len,
						 .hwcap = host_hwcap,
						 .minsigstksz = host_minsigstksz });
}
