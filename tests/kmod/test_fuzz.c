/* SPDX-License-Identifier: MIT */
/*
 * junction.ko: a seeded fuzzer. Processes of several threads make requests, half of them sensible and half of them not, map pages and write
 * into them, fork, exec, stop and end; all are killed at a random moment, and after that the device must be as free as before. What may not
 * happen shows in the kernel log. KT_FUZZ_S: seconds; KT_SEED: repeat a run (as far as scheduling lets it).
 */
#include "tests/kmod/kt.h"

#define CPU	1
#define WORKERS 4
#define GROUPS	3
#define NR_OPS	18

struct shared {
	unsigned long tried[NR_OPS], done[NR_OPS];
};
static struct shared *sh;
static int ctl, inst[2], data;
static volatile struct jabi_kmod_cpu *cp;
static volatile unsigned int recent[8]; /* slots */
static const unsigned long edges[] = { 0, 1, 4095, 4096, 65536, 0xffffffff, 0x7ffffffff000, 0x800000000000, 0xffffffff81000000, -1ul };
extern char fuzz_handler[];
asm(".text\nfuzz_handler: add $8, %rsp\n popf\n ud2\n"); /* whoever is interrupted dies */

static unsigned long rnd(unsigned long *seed)
{
	*seed ^= *seed << 13;
	*seed ^= *seed >> 7;
	*seed ^= *seed << 17;
	return *seed;
}

static unsigned long odd(unsigned long *seed)
{
	return rnd(seed) % 3 ? edges[rnd(seed) % (sizeof(edges) / sizeof(edges[0]))] : rnd(seed);
}

static unsigned int any_slot(unsigned long *s)
{
	return rnd(s) % 8 ? recent[rnd(s) % 8] : rnd(s) % 65537;
}

/* A request of any number, with any content, on any file. */
static long anything(unsigned long *s)
{
	unsigned long a[130];
	unsigned int nr = rnd(s) % 0x38, size = 8 * (1 + rnd(s) % 20), cmd = _IOC(rnd(s) % 4, 'J', nr, size);

	for (unsigned int i = 0; i < 130; i++)
		a[i] = odd(s);
	if (rnd(s) % 2)
		a[0] = size;
	return ioctl(rnd(s) % 3 ? inst[rnd(s) % 2] : ctl, cmd, rnd(s) % 16 ? a : (void *)odd(s));
}

static long files(unsigned long *s)
{
	struct jabi_kmod_file f = { .size = sizeof(f), .fd = rnd(s) % 2 ? data : (int)(rnd(s) % 16) };
	struct jabi_kmod_map m = { .size = sizeof(m), .offset = rnd(s) % 8 * 4096, .length = 1 + rnd(s) % 65536 };
	struct jabi_kmod_resident r = { .size = sizeof(r), .nr_pages = rnd(s) % 5000, .offset = rnd(s) % 8 * 4096 };
	struct jabi_kmod_prefetch p = { .size = sizeof(p), .offset = rnd(s) % 100000, .length = rnd(s) % 1000000 };

	if (ioctl(inst[0], JABI_KMOD_FILE_ADD, &f))
		return -1;
	m.id = r.id = p.id = f.id;
	ioctl(inst[rnd(s) % 2], JABI_KMOD_RESIDENT, &r);
	ioctl(inst[rnd(s) % 2], JABI_KMOD_PREFETCH, &p);
	if (!ioctl(inst[0], JABI_KMOD_MAP, &m)) {
		mprotect((void *)m.addr, 4096, PROT_READ | PROT_WRITE);
		munmap((void *)m.addr, rnd(s) % 2 ? 4096 : 131072);
	}
	return rnd(s) % 4 ? ioctl(inst[0], JABI_KMOD_FILE_DEL, &f) : 0;
}

static long handler(unsigned long *s, unsigned int slot)
{
	struct jabi_kmod_uintr u = { .size = sizeof(u), .flags = rnd(s) % 2, .slot = slot, .stack = 128, .handler = (unsigned long)fuzz_handler };

	switch (rnd(s) % 4) {
	case 0:
		u = (struct jabi_kmod_uintr){ .size = sizeof(u), .slot = slot };
		break;
	case 1:
		u.handler = odd(s);
		u.stack = odd(s);
		break;
	case 2:
		u.ret_begin = odd(s);
		u.ret_end = odd(s);
		u.slice_ns = odd(s);
		u.slice_vector = rnd(s) % 70;
		break;
	}
	return ioctl(inst[rnd(s) % 2], JABI_KMOD_UINTR, &u);
}

static long reclaim(unsigned long *s)
{
	long r = kt_cpus(ctl, JABI_KMOD_RELEASE, CPU, 0);

	return r ? r : kt_claim(ctl, CPU, rnd(s) % 2000, 0);
}

static long page(unsigned long *s)
{
	volatile int *p = (volatile int *)kt_line(inst[rnd(s) % 2], any_slot(s));

	if (p == MAP_FAILED)
		return -1;
	for (int i = 0; i < 16; i++)
		p[rnd(s) % 48] = (int)rnd(s);
	return munmap((void *)p, 4096);
}

static long child(unsigned long *s)
{
	pid_t p = fork();

	if (!p) {
		if (rnd(s) % 2)
			execl("/bin/busybox", "true", NULL);
		kt_park(inst[0], 1, NULL);
		_exit(0);
	}
	return p < 0 ? -1 : waitpid(p, NULL, 0) < 0;
}

static long stop(unsigned long *s)
{
	switch (rnd(s) % 64) {
	case 0:
		pthread_exit(NULL);
	case 1:
		execl("/bin/busybox", "sleep", "0.05", NULL);
		break;
	case 2:
		return kill(getpid(), SIGSTOP); /* for good: nobody sends SIGCONT but the end */
	}
	return -1;
}

static long order(unsigned long *s)
{
	if (!cp)
		return -1;
	kt_order(cp, any_slot(s));
	return rnd(s) % 4 ? kt_cpus(ctl, JABI_KMOD_KICK, CPU, rnd(s) % 4 ? 0 : odd(s)) : 0;
}

static long one(unsigned int op, unsigned long *s, unsigned int *slot)
{
	struct jabi_kmod_rights r = { .size = sizeof(r), .rights = rnd(s) % 32 };
	struct jabi_kmod_park p = { .size = sizeof(p), .slot = *slot, .flags = rnd(s) % 4, .gen = rnd(s) % 8 };
	struct jabi_kmod_slot q;
	unsigned int other = any_slot(s);
	long n;

	switch (op) {
	case 0:
		n = kt_register(inst[rnd(s) % 2], slot);
		if (!n)
			recent[*slot % 8] = *slot;
		return n;
	case 1:
		return rnd(s) % 8 ? -1 : kt_unregister(inst[rnd(s) % 2], *slot);
	case 2:
		return ioctl(inst[rnd(s) % 2], JABI_KMOD_PARK, &p);
	case 3:
	case 4:
	case 5:
		return order(s);
	case 6:
		return kt_send(rnd(s) % 2 ? ctl : inst[rnd(s) % 2], other, odd(s));
	case 7:
		return kt_slot(ctl, other, &q);
	case 8:
		return handler(s, *slot);
	case 9:
		return files(s);
	case 10:
		return page(s);
	case 11:
		return rnd(s) % 8 ? -1 : reclaim(s);
	case 12:
		return rnd(s) % 32 ? -1 : child(s);
	case 13:
		return stop(s);
	case 14:
		n = ioctl(inst[0], JABI_KMOD_SHARE, &r);
		if (n >= 0) {
			ioctl((int)n, JABI_KMOD_RESTRICT, &r);
			close((int)n);
		}
		return n < 0 ? -1 : 0;
	default:
		return anything(s);
	}
}

static void *worker(void *arg)
{
	unsigned long s = (unsigned long)arg;
	unsigned int slot = 0;

	for (;;) {
		unsigned int op = rnd(&s) % NR_OPS;

		__atomic_fetch_add(&sh->tried[op], 1, __ATOMIC_RELAXED);
		if (!one(op, &s, &slot))
			__atomic_fetch_add(&sh->done[op], 1, __ATOMIC_RELAXED);
	}
	return NULL;
}

static void group(unsigned long seed)
{
	pthread_t t;

	setpgid(0, 0); /* children too are killed */
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	ctl = kt_open();
	inst[0] = kt_instance(ctl);
	inst[1] = kt_instance(ctl);
	data = open("/tests/test_fuzz", O_RDONLY | O_CLOEXEC);
	kt_claim(ctl, CPU, 500, 0); /* one of the groups gets it */
	cp = kt_cpu(ctl, CPU);
	if (cp == MAP_FAILED)
		cp = NULL;
	for (unsigned long i = 0; i < WORKERS; i++)
		pthread_create(&t, NULL, worker, (void *)((seed * WORKERS + i) * 0x9e3779b97f4a7c15ul | 1));
	for (;;)
		pause();
}

/* All of it gone: the CPU can be claimed again. */
static void is_free(unsigned int round)
{
	int f = kt_open();

	CHECK(WAIT_FOR(kt_claim(f, CPU, 0, 0) == 0), "round %u: the CPU is still claimed", round);
	close(f);
}

static void test_fuzz(void)
{
	const char *secs = getenv("KT_FUZZ_S"), *given = getenv("KT_SEED");
	unsigned long seed = (given && *given ? strtoul(given, NULL, 0) : kt_now_ns()) | 1, s = seed;
	unsigned long long end = kt_now_ns() + (secs ? strtoul(secs, NULL, 10) : 60) * 1000000000ull;
	unsigned int rounds = 0;

	sh = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	kt_say("# seed %#lx\n", seed);
	for (; kt_now_ns() < end && !kt_bad; rounds++) {
		pid_t pids[GROUPS];

		for (int i = 0; i < GROUPS; i++) {
			unsigned long mine = rnd(&s);

			pids[i] = fork();
			if (!pids[i])
				group(mine);
			setpgid(pids[i], pids[i]);
		}
		kt_sleep_us(50000 + rnd(&s) % 500000);
		for (int i = 0; i < GROUPS; i++) {
			kill(pids[i], SIGKILL);
			kill(-pids[i], SIGKILL);
		}
		while (waitpid(-1, NULL, 0) > 0)
			;
		is_free(rounds);
	}
	for (unsigned int i = 0; i < NR_OPS; i++)
		kt_say("# op %u: %lu of %lu succeeded\n", i, sh->done[i], sh->tried[i]);
	kt_say("# %u rounds\n", rounds);
	CHECK(rounds > 5);
	for (unsigned int i = 0; i < 15; i++) /* some are rare, and a debug kernel is slow */
		CHECK(sh->done[i] > 0 || sh->tried[i] < 1000 || i == 1 || i == 11 || i == 12 || i == 13, "request %u never succeeded", i);
}

int main(void)
{
	kt_run("random requests", test_fuzz);
	return kt_end();
}
