/* SPDX-License-Identifier: MIT */
/*
 * junction.ko: every request with every field at its edges, on the right and on the wrong kind of file. Nothing may hang, and what is refused
 * has changed nothing.
 */
#include <stddef.h>

#include "tests/kmod/kt.h"

struct request {
	const char *name;
	unsigned int cmd;
	unsigned int known_flags;
	int control; /* 1: of control files, 2: of instance files, 3: of both */
	unsigned int right;
	int pad; /* offset of a u32 that must be 0 */
};

#define R(name, flags, control, right, pad) { #name, JABI_KMOD_##name, flags, control, right, pad }
#define PAD(type) ((int)offsetof(struct jabi_kmod_##type, pad))
static const struct request requests[] = {
	R(INFO, 0, 3, 0, -1),
	R(CLAIM, JABI_KMOD_CLAIM_WATCH, 1, 0, PAD(claim)),
	R(RELEASE, 0, 1, 0, -1),
	R(KICK, 0, 1, 0, -1),
	R(INSTANCE, 0, 1, 0, -1),
	R(SLOT, 0, 1, 0, PAD(slot)),
	R(RESTRICT, 0, 2, 0, -1),
	R(SHARE, 0, 2, JABI_KMOD_RIGHT_SHARE, -1),
	R(REGISTER, 0, 2, JABI_KMOD_RIGHT_THREAD, PAD(register)),
	R(UNREGISTER, 0, 2, JABI_KMOD_RIGHT_THREAD, PAD(register)),
	R(PARK, JABI_KMOD_PARK_IF_GEN | JABI_KMOD_PARK_LEAVE, 2, JABI_KMOD_RIGHT_THREAD, PAD(park)),
	R(UINTR, JABI_KMOD_UINTR_SOFT, 2, JABI_KMOD_RIGHT_UINTR, PAD(uintr)),
	R(UINTR_SEND, 0, 3, JABI_KMOD_RIGHT_UINTR, -1),
	R(UINTR_TARGET, 0, 2, JABI_KMOD_RIGHT_UINTR, -1),
	R(FILE_ADD, 0, 2, JABI_KMOD_RIGHT_FILES, -1),
	R(FILE_DEL, 0, 2, JABI_KMOD_RIGHT_FILES, -1),
	R(MAP, 3, 2, JABI_KMOD_RIGHT_MAP, PAD(map)),
	R(RESIDENT, 0, 2, JABI_KMOD_RIGHT_MAP, -1),
	R(PREFETCH, 0, 2, JABI_KMOD_RIGHT_MAP, PAD(prefetch)),
};
#define NR (sizeof(requests) / sizeof(requests[0]))

static int fd, inst;
static const unsigned long long edges[] = { 0, 1, 2, 3, 63, 64, 127, 128, 4095, 4096, 4097, 65535, 65536, 0x7fffffff, 0x80000000, 0xfffff000, 0xffffffff,
					    0x100000000, 0x7fffffffe000, 0x7ffffffff000, 0x800000000000, 0x7fffffffffffffff, 0x8000000000000000,
					    0xffff800000000000, 0xffffffff81000000, 0xfffffffffffff000, 0xffffffffffffffff };
#define NR_EDGES (sizeof(edges) / sizeof(edges[0]))

static int call(int f, const struct request *q, void *a)
{
	return ioctl(f, q->cmd, a);
}

static void setup(void)
{
	fd = kt_open();
	inst = kt_instance(fd);
}

static void teardown(void)
{
	close(inst);
	close(fd);
}

static void test_size_and_flags(void)
{
	unsigned int a[1024], before[1024];

	setup();
	for (unsigned int i = 0; i < NR; i++) {
		const struct request *q = &requests[i];
		unsigned int size = _IOC_SIZE(q->cmd);
		int f = q->control & 1 ? fd : inst;

		memset(a, 0, sizeof(a));
		for (unsigned int e = 0; e < NR_EDGES; e++) {
			a[0] = edges[e];
			if (a[0] == size)
				continue;
			memcpy(before, a, sizeof(a));
			CHECK(call(f, q, a) == -1 && errno == EINVAL, "%s: size %u", q->name, a[0]);
			CHECK(!memcmp(a, before, sizeof(a)), "%s wrote on error", q->name);
		}
		for (unsigned int b = 0; b < 32; b++) {
			memset(a, 0, sizeof(a));
			a[0] = size;
			a[1] = 1u << b;
			if (a[1] & q->known_flags)
				continue;
			CHECK(call(f, q, a) == -1 && errno == EINVAL, "%s: flag %u", q->name, b);
		}
		if (q->pad >= 0) {
			memset(a, 0, sizeof(a));
			a[0] = size;
			a[q->pad / 4] = 0x10000;
			CHECK(call(f, q, a) == -1 && errno == EINVAL, "%s: padding", q->name);
		}
	}
	teardown();
}

static void test_pointers(void)
{
	char *area = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	char *ro = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct jabi_kmod_info info;
	unsigned int slot;

	munmap(area + 4096, 4096);
	setup();
	for (unsigned int i = 0; i < NR; i++) {
		const struct request *q = &requests[i];
		unsigned int size = _IOC_SIZE(q->cmd);
		int f = q->control & 1 ? fd : inst;

		CHECK(call(f, q, NULL) == -1 && errno == EFAULT, "%s: NULL", q->name);
		CHECK(call(f, q, (void *)0xffffffff81000000ul) == -1 && errno == EFAULT, "%s: kernel", q->name);
		CHECK(call(f, q, (void *)0x7ffffffffff0ul) == -1 && errno == EFAULT, "%s: edge", q->name);
		*(unsigned int *)(area + 4096 - 4) = size;
		CHECK(call(f, q, area + 4096 - 4) == -1 && errno == EFAULT, "%s: half", q->name);
		/* an answer that cannot be given has no effects */
		memset(ro, 0, 4096);
		*(unsigned int *)ro = size;
		mprotect(ro, 4096, PROT_READ);
		if (_IOC_DIR(q->cmd) & _IOC_READ)
			CHECK(call(f, q, ro) == -1 && (errno == EFAULT), "%s: read-only", q->name);
		mprotect(ro, 4096, PROT_READ | PROT_WRITE);
	}
	CHECK(kt_info(inst, &info) == 0 && info.nr_slots == 0, "%u", info.nr_slots);
	CHECK(kt_register(inst, &slot) == 0);
	CHECK(kt_info(inst, &info) == 0 && info.nr_slots == 1 && info.version == JABI_KMOD_VERSION && info.rights == JABI_KMOD_RIGHT_ALL);
	CHECK(kt_info(fd, &info) == 0 && info.nr_slots == 1 && info.rights == 0 && info.instance == 0);
	CHECK(kt_unregister(inst, slot) == 0);
	CHECK(kt_info(fd, &info) == 0 && info.nr_slots == 0);
	munmap(area, 4096);
	munmap(ro, 4096);
	teardown();
}

static void test_wrong_files(void)
{
	unsigned int a[1024] = { 0 };
	int null = open("/dev/null", O_RDWR);

	setup();
	for (unsigned int i = 0; i < NR; i++) {
		const struct request *q = &requests[i];

		a[0] = _IOC_SIZE(q->cmd);
		if (!(q->control & 1))
			CHECK(call(fd, q, a) == -1 && errno == ENOTTY, "%s on a control file", q->name);
		if (!(q->control & 2))
			CHECK(call(inst, q, a) == -1 && errno == ENOTTY, "%s on an instance file", q->name);
		CHECK(call(null, q, a) == -1 && errno == ENOTTY, "%s on /dev/null", q->name);
	}
	for (unsigned int nr = 0; nr < 256; nr++)
		for (unsigned int d = 0; d < 4; d++) {
			CHECK_ERR(ioctl(fd, _IOC(d, 'J', nr, 0), a), ENOTTY);
			CHECK_ERR(ioctl(inst, _IOC(d, 'J', nr, 8), a), ENOTTY);
			CHECK_ERR(ioctl(inst, _IOC(d, 'K', nr, 16), a), ENOTTY);
		}
	close(null);
	teardown();
}

/* A file without the right: EPERM for what needs it. Rights only shrink. */
static void test_rights(void)
{
	setup();
	for (unsigned int bit = 1; bit < 32; bit <<= 1) {
		struct jabi_kmod_rights r = { .size = sizeof(r), .rights = JABI_KMOD_RIGHT_ALL & ~bit };
		struct jabi_kmod_info info;
		int f = ioctl(inst, JABI_KMOD_SHARE, &r);

		CHECK(f >= 0 && fcntl(f, F_GETFD) == FD_CLOEXEC);
		CHECK(kt_info(f, &info) == 0 && info.rights == (JABI_KMOD_RIGHT_ALL & ~bit) && info.instance == r.instance);
		for (unsigned int i = 0; i < NR; i++) {
			unsigned int a[1024] = { _IOC_SIZE(requests[i].cmd) };

			if (requests[i].right != bit)
				continue;
			CHECK(call(f, &requests[i], a) == -1 && errno == EPERM, "%s without %u", requests[i].name, bit);
		}
		if (bit == JABI_KMOD_RIGHT_THREAD) {
			unsigned int slot;

			CHECK(kt_register(inst, &slot) == 0);
			CHECK(kt_line(f, slot) == MAP_FAILED && errno == EPERM);
			CHECK(kt_unregister(inst, slot) == 0);
		}
		r.rights = JABI_KMOD_RIGHT_ALL;
		CHECK_ERR(ioctl(f, JABI_KMOD_RESTRICT, &r), EPERM);
		if (bit != JABI_KMOD_RIGHT_SHARE)
			CHECK_ERR(ioctl(f, JABI_KMOD_SHARE, &r), EPERM);
		r.rights = 0;
		CHECK(ioctl(f, JABI_KMOD_RESTRICT, &r) == 0 && kt_info(f, &info) == 0 && info.rights == 0);
		CHECK_ERR(ioctl(f, JABI_KMOD_SHARE, &r), EPERM);
		close(f);
	}
	for (unsigned int e = 0; e < NR_EDGES; e++) {
		struct jabi_kmod_rights r = { .size = sizeof(r), .rights = edges[e] };
		bool good = r.rights && r.rights <= JABI_KMOD_RIGHT_ALL;
		int f = ioctl(fd, JABI_KMOD_INSTANCE, &r);

		CHECK(good ? f >= 0 : f == -1 && errno == EINVAL, "rights %x", r.rights);
		close(f);
	}
	teardown();
}

/* Each 32-bit and each 64-bit field of every request in turn takes every edge. REGISTER would make PARK wait: nobody is registered. */
static void test_edges(void)
{
	struct jabi_kmod_info info;
	unsigned long calls = 0;

	for (unsigned int i = 0; i < NR; i++) {
		const struct request *q = &requests[i];
		unsigned int size = _IOC_SIZE(q->cmd);
		unsigned int words = size / 4 < 24 ? size / 4 : 24;

		setup();
		for (unsigned int w = 2; w < words; w++)
			for (unsigned int e = 0; e < NR_EDGES; e++)
				for (int wide = 0; wide < 2; wide++) {
					unsigned long long a[512] = { 0 };

					if (wide && (w & 1))
						continue;
					((unsigned int *)a)[0] = size;
					if (wide)
						a[w / 2] = edges[e];
					else
						((unsigned int *)a)[w] = edges[e];
					if (q->control & 1)
						calls += call(fd, q, a) != -2;
					if (q->control & 2) {
						int r = call(inst, q, a);

						calls++;
						if (q->cmd == JABI_KMOD_REGISTER && r == 0)
							CHECK(kt_unregister(inst, ((struct jabi_kmod_register *)a)->slot) == 0);
						if (q->cmd == JABI_KMOD_SHARE && r >= 0)
							close(r);
					}
					if (q->cmd == JABI_KMOD_INSTANCE)
						for (int f = inst + 1; f < inst + 4; f++)
							close(f);
				}
		CHECK(kt_info(fd, &info) == 0 && info.nr_slots == 0, "%s: %u", q->name, info.nr_slots);
		teardown();
	}
	kt_say("# report: %lu requests\n", calls);
}

/* CPU masks: nobody's CPUs, CPUs that do not exist, too many. */
static void test_masks(void)
{
	struct jabi_kmod_claim c;
	struct jabi_kmod_cpus k;

	setup();
	for (unsigned int cpu = 0; cpu < JABI_KMOD_CPU_WORDS * 64; cpu += cpu < 16 ? 1 : 61) {
		c = (struct jabi_kmod_claim){ .size = sizeof(c) };
		c.cpus[cpu / 64] = 1ull << cpu % 64;
		int r = ioctl(fd, JABI_KMOD_CLAIM, &c);
		CHECK(r == 0 ? cpu < sysconf(_SC_NPROCESSORS_ONLN) : errno == ENODEV, "cpu %u", cpu);
		k = (struct jabi_kmod_cpus){ .size = sizeof(k) };
		k.cpus[cpu / 64] = 1ull << cpu % 64;
		CHECK(ioctl(fd, JABI_KMOD_KICK, &k) == (r ? -1 : 0) && (!r || errno == EPERM), "cpu %u", cpu);
		k.vectors = 1;
		CHECK_ERR(ioctl(fd, JABI_KMOD_RELEASE, &k), r ? EINVAL : EINVAL);
		k.vectors = 0;
		CHECK(ioctl(fd, JABI_KMOD_RELEASE, &k) == (r ? -1 : 0) && (!r || errno == EPERM), "cpu %u", cpu);
	}
	c = (struct jabi_kmod_claim){ .size = sizeof(c) };
	CHECK_ERR(ioctl(fd, JABI_KMOD_CLAIM, &c), EINVAL);
	memset(c.cpus, 0xff, sizeof(c.cpus));
	CHECK_ERR(ioctl(fd, JABI_KMOD_CLAIM, &c), ENODEV);
	c = (struct jabi_kmod_claim){ .size = sizeof(c), .deadline_us = 1000001, .cpus = { 1 } };
	CHECK_ERR(ioctl(fd, JABI_KMOD_CLAIM, &c), EINVAL);
	c.deadline_us = 1000000;
	CHECK(ioctl(fd, JABI_KMOD_CLAIM, &c) == 0);
	/* one that is claimed and one that is not: nothing is done */
	k = (struct jabi_kmod_cpus){ .size = sizeof(k), .cpus = { 3 } };
	CHECK_ERR(ioctl(fd, JABI_KMOD_RELEASE, &k), EPERM);
	CHECK(kt_cpus(fd, JABI_KMOD_KICK, 0, 0) == 0);
	/* a claimed CPU does not go away */
	int f = open("/sys/devices/system/cpu/cpu1/online", O_WRONLY);
	if (f >= 0) {
		CHECK(kt_claim(fd, 1, 0, 0) == 0);
		CHECK_ERR(write(f, "0", 1), EBUSY);
		CHECK(kt_cpus(fd, JABI_KMOD_RELEASE, 1, 0) == 0);
		CHECK(write(f, "0", 1) == 1);
		CHECK_ERR(kt_claim(fd, 1, 0, 0), ENODEV);
		CHECK(write(f, "1", 1) == 1);
		CHECK(kt_claim(fd, 1, 0, 0) == 0);
		close(f);
	}
	teardown();
}

int main(void)
{
	kt_run("sizes, flags, padding", test_size_and_flags);
	kt_run("pointers", test_pointers);
	kt_run("wrong files, unknown requests", test_wrong_files);
	kt_run("rights", test_rights);
	kt_run("every field at its edges", test_edges);
	kt_run("CPU masks", test_masks);
	return kt_end();
}
