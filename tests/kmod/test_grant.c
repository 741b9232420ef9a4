/* SPDX-License-Identifier: MIT */
/*
 * junction.ko: core grants. CPU 1 is claimed, the test's main thread is the daemon and stays on CPU 0; kThreads are threads or children.
 */
#include "tests/kmod/kt.h"

#define CPU 1

static int fd, inst;
static volatile struct jabi_kmod_cpu *cp;

struct shared {
	volatile unsigned int slot[4];
	volatile unsigned long rounds[4];
	volatile unsigned long wrong_cpu;
	volatile int error, stop;
};
static struct shared *sh;


static void setup(void)
{
	memset(sh, 0, sizeof(*sh));
	fd = kt_open();
	inst = kt_instance(fd);
	CHECK(inst >= 0);
	CHECK(kt_claim(fd, CPU, 2000, 0) == 0);
	cp = kt_cpu(fd, CPU);
	CHECK(cp != MAP_FAILED);
}

static void teardown(void)
{
	munmap((void *)cp, 4096);
	close(inst);
	close(fd);
}

static bool acked(unsigned int gen)
{
	return WAIT_FOR(cp->gen == gen);
}

/* An order that is kicked and carried out. */
static void grant(unsigned int slot)
{
	unsigned int gen = kt_order(cp, slot);

	CHECK(kt_cpus(fd, JABI_KMOD_KICK, CPU, 0) == 0);
	CHECK(acked(gen), "gen %u of %u", cp->gen, gen);
	CHECK(cp->error == 0, "error %u", cp->error);
}

/* ---- rounds ---- */

static void *parker(void *arg)
{
	unsigned int me = (unsigned long)arg, slot;
	struct jabi_kmod_park p;

	if (kt_register(inst, &slot)) {
		sh->error = errno;
		return NULL;
	}
	sh->slot[me] = slot;
	while (!sh->stop) {
		if (kt_park(inst, slot, &p)) {
			sh->error = errno;
			break;
		}
		if (sched_getcpu() != CPU || p.cpu != CPU)
			sh->wrong_cpu++;
		sh->rounds[me]++;
	}
	kt_unregister(inst, slot);
	return NULL;
}

/* The daemon grants, the thread parks again: each of them an order with a KICK. */
static void test_rounds(void)
{
	unsigned long n = kt_rounds(10000);
	pthread_t t;

	setup();
	pthread_create(&t, NULL, parker, (void *)0);
	CHECK(WAIT_FOR(sh->slot[0]));
	for (unsigned long i = 0; i < n && !kt_bad; i++) {
		while (!kt_parked(fd, sh->slot[0]) && !sh->error)
			sched_yield();
		grant(sh->slot[0]);
		CHECK(WAIT_FOR(sh->rounds[0] == i + 1), "round %lu: %lu, error %d, state %u", i, sh->rounds[0], sh->error, cp->state);
	}
	sh->stop = 1;
	grant(sh->slot[0]);
	pthread_join(t, NULL);
	CHECK(sh->wrong_cpu == 0, "%lu", sh->wrong_cpu);
	CHECK(sh->error == 0, "%d", sh->error);
	CHECK(cp->grants >= n + 1, "%llu", cp->grants);
	CHECK(WAIT_FOR(cp->state == JABI_KMOD_CPU_IDLE && cp->slot == 0));
	teardown();
}

static void *handing(void *arg)
{
	unsigned int me = (unsigned long)arg, slot;
	unsigned long n = kt_rounds(10000);

	if (kt_register(inst, &slot)) {
		sh->error = errno;
		return NULL;
	}
	sh->slot[me] = slot;
	while (!sh->error) {
		if (kt_park(inst, slot, NULL)) {
			sh->error = errno;
			break;
		}
		if (sched_getcpu() != CPU)
			sh->wrong_cpu++;
		if (++sh->rounds[me] > n)
			break;
		kt_order(cp, sh->slot[!me]);
	}
	kt_order(cp, sh->slot[!me]);
	kt_unregister(inst, slot);
	return NULL;
}

/* Two threads give the CPU to one another: no call of the daemon's at all. */
static void test_handover(void)
{
	unsigned long n = kt_rounds(10000);
	pthread_t t[2];

	setup();
	for (unsigned long i = 0; i < 2; i++)
		pthread_create(&t[i], NULL, handing, (void *)i);
	CHECK(WAIT_FOR(sh->slot[0] && sh->slot[1] && kt_parked(fd, sh->slot[0]) && kt_parked(fd, sh->slot[1])));
	unsigned long long kicks = cp->kicks;
	kt_order(cp, sh->slot[0]);
	CHECK(kt_cpus(fd, JABI_KMOD_KICK, CPU, 0) == 0);
	pthread_join(t[0], NULL);
	CHECK(WAIT_FOR(sh->rounds[1] >= n), "%lu %lu error %d", sh->rounds[0], sh->rounds[1], sh->error);
	if (WAIT_FOR(cp->state == JABI_KMOD_CPU_IDLE) && kt_parked(fd, sh->slot[1]))
		grant(sh->slot[1]);
	pthread_join(t[1], NULL);
	CHECK(sh->wrong_cpu == 0 && sh->error == 0, "%lu %d", sh->wrong_cpu, sh->error);
	CHECK(cp->handovers >= 2 * n - 2, "%llu", cp->handovers);
	CHECK(cp->kicks - kicks <= 2, "%llu", cp->kicks - kicks);
	teardown();
}

/* ---- rights ---- */

static void drop_sys_nice(void)
{
	struct { unsigned int version; int pid; } h = { 0x20080522, 0 };
	struct { unsigned int effective, permitted, inheritable; } d[2];

	syscall(SYS_capget, &h, d);
	d[0].effective &= ~(1u << 23);
	d[0].permitted &= ~(1u << 23);
	if (syscall(SYS_capset, &h, d))
		_exit(90);
}

static void test_owners(void)
{
	int other, other_inst, pid, st;
	unsigned int mine, foreign, gen;
	struct jabi_kmod_slot s;

	setup();
	other = kt_open();
	other_inst = kt_instance(other);
	CHECK(kt_register(other_inst, &foreign) == 0);
	CHECK_ERR(kt_register(inst, &mine), EBUSY);
	CHECK_ERR(kt_claim(other, CPU, 0, 0), EBUSY);
	CHECK_ERR(kt_claim(fd, CPU, 0, 0), EBUSY);
	CHECK_ERR(kt_cpus(other, JABI_KMOD_KICK, CPU, 0), EPERM);
	CHECK_ERR(kt_cpus(other, JABI_KMOD_RELEASE, CPU, 0), EPERM);
	CHECK_ERR(kt_cpus(fd, JABI_KMOD_KICK, 0, 0), EPERM);
	CHECK(kt_cpu(other, CPU) == MAP_FAILED && errno == ENXIO);
	CHECK(kt_cpu(fd, 0) == MAP_FAILED && errno == ENXIO);
	CHECK(kt_cpu(fd, 100000) == MAP_FAILED);
	CHECK(kt_line(inst, foreign) == MAP_FAILED && errno == ENXIO);
	CHECK(kt_line(inst, 0) == MAP_FAILED && errno == ENXIO);
	CHECK_ERR(kt_slot(fd, foreign, &s), ENOENT);
	CHECK_ERR(kt_slot(fd, 0, &s), ENOENT);
	CHECK(kt_slot(other, foreign, &s) == 0 && s.tid == getpid() && !s.parked && s.cpu == ~0u);
	CHECK_ERR(kt_park(inst, foreign, NULL), EPERM);
	CHECK_ERR(kt_park(other_inst, foreign + 1, NULL), EPERM);
	CHECK_ERR(kt_park(other_inst, foreign, NULL), EPIPE); /* its control file has claimed nothing */
	CHECK_ERR(kt_send(inst, foreign, 1), ENOENT);
	/* another daemon's slot, nobody's slot: acknowledged with an error, the CPU stays idle */
	gen = kt_order(cp, foreign);
	CHECK(kt_cpus(fd, JABI_KMOD_KICK, CPU, 0) == 0 && acked(gen) && cp->error == EPERM && cp->slot == 0, "%u %u", cp->error, cp->slot);
	gen = kt_order(cp, 60000);
	CHECK(kt_cpus(fd, JABI_KMOD_KICK, CPU, 0) == 0 && acked(gen) && cp->error == EPERM && cp->slot == 0, "%u %u", cp->error, cp->slot);
	pid = fork();
	if (!pid) { /* a child is nobody, and its memory does not have the pages */
		kt_bad = 0;
		CHECK_ERR(kt_park(other_inst, foreign, NULL), EPERM);
		CHECK_ERR(kt_unregister(other_inst, foreign), EPERM);
		drop_sys_nice();
		int weak = kt_open();
		CHECK_ERR(kt_claim(weak, 0, 0, 0), EPERM);
		_exit(kt_bad != 0);
	}
	waitpid(pid, &st, 0);
	CHECK(st == 0, "child %x", st);
	CHECK(kt_unregister(other_inst, foreign) == 0);
	CHECK_ERR(kt_unregister(other_inst, foreign), EPERM);
	close(other_inst);
	close(other);
	teardown();
}

/* A slot cannot hold two CPUs. */
static void test_two_cpus(void)
{
	volatile struct jabi_kmod_cpu *c0;
	unsigned int gen;
	pthread_t t;

	setup();
	CHECK(kt_claim(fd, 0, 2000, 0) == 0);
	c0 = kt_cpu(fd, 0);
	pthread_create(&t, NULL, parker, (void *)0);
	CHECK(WAIT_FOR(sh->slot[0] && kt_parked(fd, sh->slot[0])));
	sh->stop = 1; /* it ends when it has been granted once; it must not before CPU 0 has been refused */

	gen = kt_order(c0, sh->slot[0]);
	unsigned int gen1 = kt_order(cp, sh->slot[0]);
	CHECK(kt_cpus(fd, JABI_KMOD_KICK, 0, 0) == 0 && kt_cpus(fd, JABI_KMOD_KICK, CPU, 0) == 0);
	CHECK(WAIT_FOR(c0->gen == gen && cp->gen == gen1));
	pthread_join(t, NULL);
	CHECK(c0->grants + cp->grants <= 2);
	CHECK(c0->error == 0 || c0->error == EBUSY || c0->error == EPERM, "%u", c0->error);
	CHECK(cp->error == 0 || cp->error == EBUSY || cp->error == EPERM, "%u", cp->error);
	munmap((void *)c0, 4096);
	teardown();
}

/* ---- ends ---- */

/* A child that has the CPU and counts. exec: it becomes another program when told. */
static pid_t spinner(void)
{
	pid_t pid;

	sh->slot[0] = 0;
	sh->stop = 0;
	pid = fork();
	if (!pid) {
		unsigned int slot;

		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (kt_register(inst, &slot))
			_exit(2);
		sh->slot[0] = slot;
		if (kt_park(inst, slot, NULL))
			_exit(3);
		for (;;) {
			sh->rounds[0]++;
			if (sh->stop == 1)
				execl("/bin/busybox", "sleep", "100", NULL);
			if (sh->stop == 2) {
				pid_t p = fork(); /* the child holds nothing; when it registers it may run where the instance may */
				unsigned int own;
				cpu_set_t s;

				if (!p)
					_exit(kt_park(inst, slot, NULL) == 0 || kt_register(inst, &own) ||
					      sched_getaffinity(0, sizeof(s), &s) || CPU_COUNT(&s) < 2);
				waitpid(p, &p, 0);
				sh->error = p;
				sh->stop = 0;
			}
		}
	}
	CHECK(WAIT_FOR(sh->slot[0] && kt_parked(fd, sh->slot[0])));
	grant(sh->slot[0]);
	unsigned long was = sh->rounds[0];
	CHECK(WAIT_FOR(sh->rounds[0] > was));
	CHECK(cp->slot == sh->slot[0] && cp->state == JABI_KMOD_CPU_RUN, "%u %u", cp->slot, cp->state);
	return pid;
}

static bool stands_still(void)
{
	unsigned long was = sh->rounds[0];

	kt_sleep_us(20000);
	return sh->rounds[0] == was;
}

static void test_killed(void)
{
	struct jabi_kmod_slot s;

	setup();
	for (unsigned long i = 0; i < kt_rounds(20); i++) {
		pid_t pid = spinner();
		unsigned long long lost = cp->lost;

		kt_sleep_us(rand() % 3000);
		kill(pid, SIGKILL);
		waitpid(pid, NULL, 0);
		CHECK(WAIT_FOR(cp->state == JABI_KMOD_CPU_IDLE && cp->slot == 0), "%u %u", cp->state, cp->slot);
		CHECK(cp->lost == lost + 1, "%llu %llu", cp->lost, lost);
		CHECK(WAIT_FOR(kt_slot(fd, sh->slot[0], &s) == -1 && errno == ENOENT)); /* it may be reaped before its last switch */
	}
	teardown();
}

static void test_stopped(void)
{
	struct jabi_kmod_slot s;
	pid_t pid;

	setup();
	pid = spinner();
	kill(pid, SIGSTOP);
	CHECK(WAIT_FOR(cp->state == JABI_KMOD_CPU_IDLE), "%u", cp->state);
	CHECK(cp->lost == 1 && cp->slot == 0, "%llu", cp->lost);
	kill(pid, SIGCONT);
	CHECK(WAIT_FOR(kt_slot(fd, sh->slot[0], &s) == 0 && s.parked));
	CHECK(WAIT_FOR(stands_still()), "runs without a grant");
	grant(sh->slot[0]);
	CHECK(WAIT_FOR(!stands_still()), "does not run with a grant");
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	pid = spinner();
	sh->stop = 2;
	CHECK(WAIT_FOR(sh->stop == 0));
	CHECK(sh->error == 0, "forked child: %d", sh->error);
	CHECK(WAIT_FOR(cp->slot == sh->slot[0]));
	sh->stop = 1;
	CHECK(WAIT_FOR(cp->state == JABI_KMOD_CPU_IDLE && cp->slot == 0), "after exec: %u %u", cp->state, cp->slot);
	CHECK(WAIT_FOR(kt_slot(fd, sh->slot[0], &s) == -1 && errno == ENOENT)); /* when it is switched to next */
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	teardown();
}

/* No handler: after the deadline the module takes the CPU, the thread goes on where it was when granted again. */
static void test_forced(void)
{
	pid_t pid;

	setup();
	pid = spinner();
	for (unsigned long i = 0; i < kt_rounds(50); i++) {
		unsigned long long forced = cp->forced;

		grant(0);
		CHECK(cp->forced == forced + 1 && cp->slot == 0, "%llu", cp->forced);
		CHECK(WAIT_FOR(kt_parked(fd, sh->slot[0])));
		unsigned long was = sh->rounds[0];
		kt_sleep_us(3000);
		CHECK(sh->rounds[0] == was, "runs on");
		grant(sh->slot[0]);
		CHECK(WAIT_FOR(sh->rounds[0] > was));
	}
	CHECK(kt_cpus(fd, JABI_KMOD_RELEASE, CPU, 0) == 0);
	CHECK(WAIT_FOR(kt_parked(fd, sh->slot[0])));
	CHECK(kt_claim(fd, CPU, 2000, 0) == 0);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	teardown();
}

/* A signal ends PARK with EINTR. */
static void nothing(int sig)
{
	(void)sig;
}

static void test_signal(void)
{
	pid_t pid;
	int st;

	setup();
	pid = fork();
	if (!pid) {
		struct sigaction sa = { .sa_handler = nothing };
		unsigned int slot;

		sigaction(SIGUSR1, &sa, NULL);
		if (kt_register(inst, &slot))
			_exit(2);
		sh->slot[0] = slot;
		_exit(!(kt_park(inst, slot, NULL) == -1 && errno == EINTR));
	}
	CHECK(WAIT_FOR(sh->slot[0] && kt_parked(fd, sh->slot[0])));
	kill(pid, SIGUSR1);
	waitpid(pid, &st, 0);
	CHECK(st == 0, "%x", st);
	teardown();
}

/* ---- the daemon dies at any point ---- */

static void daemon_and_threads(void)
{
	unsigned int slot;

	setup();
	for (int i = 0; i < 2; i++) {
		pid_t pid = fork();

		if (pid)
			continue;
		munmap((void *)cp, 4096);
		close(fd); /* else it would live on */
		if (kt_register(inst, &slot))
			_exit(2);
		sh->slot[i] = slot;
		while (kt_park(inst, slot, NULL) == 0)
			sh->rounds[i]++;
		int e = errno;
		kt_sleep_us(100);
		sh->rounds[2 + i] = e; /* it runs on, and knows why */
		_exit(0);
	}
	while (!sh->slot[0] || !sh->slot[1])
		sched_yield();
	for (unsigned int i = 0;; i++) {
		kt_order(cp, sh->slot[i % 3 == 2 ? 0 : i % 2]);
		kt_cpus(fd, JABI_KMOD_KICK, CPU, 0);
		if (i % 3 == 1)
			sched_yield();
		if (i % 16 == 0)
			kt_order(cp, 0);
	}
}

/* Parks, leaves, works for a while with no CPU of its own, parks again. */
static void *leaver(void *arg)
{
	struct jabi_kmod_park p;
	unsigned int slot;

	(void)arg;
	if (kt_register(inst, &slot)) {
		sh->error = errno;
		return NULL;
	}
	sh->slot[0] = slot;
	for (unsigned long i = 0; i < kt_rounds(1000) && !sh->error; i++) {
		if (kt_park(inst, slot, &p) || p.cpu != CPU || sched_getcpu() != CPU) {
			sh->error = errno ? errno : -1;
			break;
		}
		p = (struct jabi_kmod_park){ .size = sizeof(p), .slot = slot, .flags = JABI_KMOD_PARK_LEAVE };
		if (ioctl(inst, JABI_KMOD_PARK, &p) || p.cpu != ~0u)
			sh->error = errno ? errno : -2;
		for (int j = 0; j < 3; j++)
			kt_sleep_us(10); /* it is not stopped when it wakes */
		sh->rounds[0]++;
	}
	sh->stop = 1;
	kt_unregister(inst, slot);
	return NULL;
}

static void test_leave(void)
{
	pthread_t t;

	setup();
	pthread_create(&t, NULL, leaver, NULL);
	CHECK(WAIT_FOR(sh->slot[0]));
	while (!sh->stop) {
		unsigned long round = sh->rounds[0];

		if (!kt_parked(fd, sh->slot[0])) {
			sched_yield();
			continue;
		}
		grant(sh->slot[0]);
		if (kt_bad)
			break;
		CHECK(WAIT_FOR(sh->rounds[0] > round || sh->stop));
	}
	sh->stop = 1;
	if (kt_bad) {
		close(fd); /* EPIPE for who waits */
		fd = -1;
	}
	pthread_join(t, NULL);
	CHECK(sh->error == 0, "%d", sh->error);
	CHECK(sh->rounds[0] == kt_rounds(1000), "%lu", sh->rounds[0]);
	CHECK(WAIT_FOR(cp->state == JABI_KMOD_CPU_IDLE && cp->slot == 0));
	teardown();
}

static void test_daemon_killed(void)
{
	int free_fd;

	prctl(PR_SET_CHILD_SUBREAPER, 1);
	for (unsigned long i = 0; i < kt_rounds(30); i++) {
		memset(sh, 0, sizeof(*sh));
		pid_t pid = fork();

		if (!pid)
			daemon_and_threads();
		CHECK(WAIT_FOR(sh->slot[0] && sh->slot[1]));
		kt_sleep_us(rand() % 20000);
		kill(pid, SIGKILL);
		CHECK(WAIT_FOR(sh->rounds[2] && sh->rounds[3]), "round %lu hangs: %lu %lu", i, sh->rounds[2], sh->rounds[3]);
		CHECK(sh->rounds[2] == EPIPE && sh->rounds[3] == EPIPE, "%lu %lu", sh->rounds[2], sh->rounds[3]);
		while (waitpid(-1, NULL, 0) > 0)
			;
		free_fd = kt_open();
		CHECK(WAIT_FOR(kt_claim(free_fd, CPU, 0, 0) == 0), "the CPU is still claimed");
		close(free_fd);
	}
}

int main(void)
{
	sh = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	kt_run("grants with KICK", test_rounds);
	kt_run("hand-over without the daemon", test_handover);
	kt_run("wrong owners", test_owners);
	kt_run("one slot, two CPUs", test_two_cpus);
	kt_run("holder killed", test_killed);
	kt_run("holder stopped, forks, execs", test_stopped);
	kt_run("CPU taken after the deadline", test_forced);
	kt_run("PARK and a signal", test_signal);
	kt_run("PARK_LEAVE", test_leave);
	kt_run("daemon killed at any point", test_daemon_killed);
	return kt_end();
}
