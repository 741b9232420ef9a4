/* SPDX-License-Identifier: MIT */
/* Core grants by the kernel module: the daemon file, the pages of its CPUs. Orders are words there; a KICK is one call for all of them. */
#include "scheduler/core.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "jabi/jabi_kmod.h"

#define DEADLINE_US 10000 /* a holder may be in the instance kernel with a lock: it has that long to come to an end there */

static int daemon_fd = -1;
static volatile struct jabi_kmod_cpu *line[CORE_MAX_CPUS];

static int claim(int fd, u64 cpus)
{
	struct jabi_kmod_info info = { .size = sizeof(info) };
	struct jabi_kmod_claim c = { .size = sizeof(c), .deadline_us = DEADLINE_US, .cpus = { cpus } };

	if (ioctl(fd, JABI_KMOD_INFO, &info))
		return -errno;
	if (info.version != JABI_KMOD_VERSION)
		return -EPROTO;
	if (ioctl(fd, JABI_KMOD_CLAIM, &c))
		return -errno;
	for (u32 i = 0; i < CORE_MAX_CPUS; i++) {
		if (!(cpus >> i & 1))
			continue;
		line[i] = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, (off_t)i * 4096);
		if (line[i] == MAP_FAILED)
			return -errno;
	}
	return 0;
}

/* On error the claim goes with the file; the pages stay until we end. */
int core_kmod_open(u64 cpus)
{
	int r;

	daemon_fd = open(JABI_KMOD_DEVICE, O_RDWR | O_CLOEXEC);
	if (daemon_fd < 0)
		return -errno;
	r = claim(daemon_fd, cpus);
	if (r) {
		close(daemon_fd);
		daemon_fd = -1;
	}
	return r;
}

/* The instance gives no rights away. */
int core_kmod_instance(u32 *id)
{
	struct jabi_kmod_rights r = { .size = sizeof(r), .rights = JABI_KMOD_RIGHT_ALL & ~JABI_KMOD_RIGHT_SHARE };
	int fd = ioctl(daemon_fd, JABI_KMOD_INSTANCE, &r);

	*id = r.instance;
	return fd < 0 ? -errno : fd;
}

static int kmod_slot(u32 slot, struct core_slot *out)
{
	struct jabi_kmod_slot s = { .size = sizeof(s), .slot = slot };

	if (ioctl(daemon_fd, JABI_KMOD_SLOT, &s))
		return -errno;
	*out = (struct core_slot){ s.instance, s.parked, s.cpu != ~0u };
	return 0;
}

static void kmod_look(u32 cpu, struct core_line *out)
{
	volatile struct jabi_kmod_cpu *l = line[cpu];

	out->gen = __atomic_load_n(&l->gen, __ATOMIC_ACQUIRE); /* the module stores it last */
	*out = (struct core_line){ l->state, l->slot, out->gen, l->error };
}

static void kmod_order(u32 cpu, u32 slot, u32 gen)
{
	__atomic_store_n((volatile u64 *)&line[cpu]->want, (u64)gen << 32 | slot, __ATOMIC_RELEASE);
}

static void kmod_kick(u64 cpus)
{
	struct jabi_kmod_cpus k = { .size = sizeof(k), .cpus = { cpus } };

	(void)ioctl(daemon_fd, JABI_KMOD_KICK, &k); /* the CPUs are ours: nothing to refuse */
}

const struct core_ops core_kmod_ops = { .slot = kmod_slot, .look = kmod_look, .order = kmod_order, .kick = kmod_kick };
