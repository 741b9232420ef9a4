/* SPDX-License-Identifier: MIT */
/*
 * make bench-kmod: what a grant and a preemption cost, with junction.ko and with what Linux has, as counts: on an emulated CPU times mean
 * nothing. System calls are counted here, interrupts read from /proc/interrupts. Entries: system calls and IPIs; timer interrupts are
 * apart, since those of the clock are among them.
 */
#include <linux/futex.h>

#include "tests/kmod/uentry.h"

#define CPU    1
#define ROUNDS 2000ul

static int fd, inst;
static volatile struct jabi_kmod_cpu *cp;
static volatile unsigned int slot[2];
static volatile int ready, stop;
static volatile unsigned long rounds;
static unsigned long calls; /* system calls of the operation, both sides */

static void pin(int cpu)
{
	cpu_set_t s;

	CPU_ZERO(&s);
	CPU_SET(cpu, &s);
	CHECK(sched_setaffinity(0, sizeof(s), &s) == 0);
}

/* Interrupts of a kind on all CPUs, by /proc/interrupts' names. */
static unsigned long interrupts(const char *kind)
{
	FILE *f = fopen("/proc/interrupts", "r");
	char line[512], name[16];
	unsigned long a, b, n = 0;

	while (fgets(line, sizeof(line), f))
		if (sscanf(line, " %15[^:]: %lu %lu", name, &a, &b) == 3 && strstr(kind, name))
			n += a + b;
	fclose(f);
	return n;
}

static unsigned long i0, l0;

static void begin(void)
{
	calls = 0;
	i0 = interrupts("CAL RES");
	l0 = interrupts("LOC");
}

static void end(const char *name, unsigned long n)
{
	unsigned long ipis = interrupts("CAL RES") - i0, ticks = interrupts("LOC") - l0;

	kt_say("# %-46s %8.2f %8.2f %8.2f %8.2f\n", name, (double)calls / n, (double)ipis / n, (double)ticks / n, (double)(calls + ipis) / n);
}

static long futex(volatile unsigned int *at, int op, unsigned int v)
{
	__atomic_fetch_add(&calls, 1, __ATOMIC_RELAXED);
	return syscall(SYS_futex, at, op | FUTEX_PRIVATE_FLAG, v, NULL, NULL, 0);
}

/* ---- hand-over of a CPU between two threads ---- */

static void *hand(void *arg)
{
	unsigned int me = (unsigned long)arg, own;

	kt_register(inst, &own);
	slot[me] = own;
	while (!stop) {
		__atomic_fetch_add(&calls, 1, __ATOMIC_RELAXED);
		if (kt_park(inst, own, NULL) || ++rounds > ROUNDS)
			break;
		kt_order(cp, slot[!me]);
	}
	stop = 1;
	kt_order(cp, slot[!me]);
	kt_unregister(inst, own);
	return NULL;
}

static void handover_module(void)
{
	pthread_t t[2];

	rounds = stop = 0;
	for (unsigned long i = 0; i < 2; i++)
		pthread_create(&t[i], NULL, hand, (void *)i);
	CHECK(WAIT_FOR(slot[0] && slot[1] && kt_parked(fd, slot[0]) && kt_parked(fd, slot[1])));
	begin();
	kt_order(cp, slot[0]);
	kt_cpus(fd, JABI_KMOD_KICK, CPU, 0);
	pthread_join(t[0], NULL);
	end("hand-over: PARK", ROUNDS);
	pthread_join(t[1], NULL);
}

static volatile unsigned int turn[2];

static void *hand_futex(void *arg)
{
	unsigned int me = (unsigned long)arg;

	pin(CPU);
	__atomic_fetch_add(&ready, 1, __ATOMIC_SEQ_CST);
	while (!stop) {
		while (!turn[me] && !stop)
			futex(&turn[me], FUTEX_WAIT, 0);
		turn[me] = 0;
		if (++rounds > ROUNDS)
			stop = 1;
		turn[!me] = 1;
		futex(&turn[!me], FUTEX_WAKE, 1);
	}
	return NULL;
}

static void handover_futex(void)
{
	pthread_t t[2];

	rounds = stop = ready = 0;
	for (unsigned long i = 0; i < 2; i++)
		pthread_create(&t[i], NULL, hand_futex, (void *)i);
	CHECK(WAIT_FOR(ready == 2));
	kt_sleep_us(20000);
	begin();
	turn[0] = 1;
	futex(&turn[0], FUTEX_WAKE, 1);
	pthread_join(t[0], NULL);
	end("hand-over: futex wake and wait", ROUNDS);
	pthread_join(t[1], NULL);
}

/* ---- a grant from another CPU ---- */

static void *granted(void *arg)
{
	unsigned int own;

	(void)arg;
	kt_register(inst, &own);
	slot[0] = own;
	while (!stop) {
		__atomic_fetch_add(&calls, 1, __ATOMIC_RELAXED);
		kt_park(inst, own, NULL);
		rounds++;
	}
	kt_unregister(inst, own);
	return NULL;
}

static void until(unsigned long n)
{
	while (rounds < n)
		asm volatile("pause");
}

static void grant_module(void)
{
	pthread_t t;

	rounds = stop = slot[0] = 0;
	pthread_create(&t, NULL, granted, NULL);
	CHECK(WAIT_FOR(slot[0] && kt_parked(fd, slot[0])));
	begin();
	for (unsigned long i = 1; i <= ROUNDS / 4; i++) {
		unsigned int gen = kt_order(cp, slot[0]);

		calls++;
		kt_cpus(fd, JABI_KMOD_KICK, CPU, 0);
		until(i);
		while (cp->gen != gen || cp->slot)
			asm volatile("pause"); /* parked again */
	}
	end("grant: order, KICK, PARK", ROUNDS / 4);
	stop = 1;
	kt_order(cp, slot[0]);
	kt_cpus(fd, JABI_KMOD_KICK, CPU, 0);
	pthread_join(t, NULL);
}

static volatile int tid;

static void *granted_futex(void *arg)
{
	(void)arg;
	tid = (int)syscall(SYS_gettid);
	for (;;) {
		while (!turn[0])
			futex(&turn[0], FUTEX_WAIT, 0);
		turn[0] = 0;
		rounds++;
		if (stop)
			return NULL;
	}
}

static void grant_futex(void)
{
	cpu_set_t s;
	pthread_t t;

	rounds = stop = tid = turn[0] = 0;
	pthread_create(&t, NULL, granted_futex, NULL);
	CHECK(WAIT_FOR(tid));
	kt_sleep_us(20000);
	CPU_ZERO(&s);
	CPU_SET(CPU, &s);
	begin();
	for (unsigned long i = 1; i <= ROUNDS / 4; i++) {
		calls++;
		sched_setaffinity(tid, sizeof(s), &s);
		turn[0] = 1;
		futex(&turn[0], FUTEX_WAKE, 1);
		until(i);
	}
	end("grant: sched_setaffinity, futex wake and wait", ROUNDS / 4);
	stop = 1;
	turn[0] = 1;
	futex(&turn[0], FUTEX_WAKE, 1);
	pthread_join(t, NULL);
}

/* ---- preemption of a thread that computes on CPU 1 ---- */

static void *spin_uintr(void *arg)
{
	unsigned int own = 0;

	(void)arg;
	pin(CPU);
	CHECK(kt_receive(inst, &own, 128, 0, 0) == 0);
	pin(CPU);
	slot[0] = own;
	while (!stop)
		asm volatile("pause");
	kt_unregister(inst, own);
	munmap((void *)KT_PAGE, 4096);
	return NULL;
}

static void preempt_module(void)
{
	pthread_t t;

	stop = slot[0] = 0;
	pthread_create(&t, NULL, spin_uintr, NULL);
	CHECK(WAIT_FOR(slot[0]));
	begin();
	for (unsigned long i = 1; i <= ROUNDS; i++) {
		calls++;
		kt_send(fd, slot[0], 1);
		while (kt_hits[0] < i)
			asm volatile("pause");
	}
	end("preemption: UINTR_SEND, return in user mode", ROUNDS);
	stop = 1;
	pthread_join(t, NULL);
}

static void on_signal(int sig)
{
	(void)sig;
	rounds++;
	calls++; /* rt_sigreturn */
}

static void *spin_signal(void *arg)
{
	(void)arg;
	pin(CPU);
	tid = (int)syscall(SYS_gettid);
	while (!stop)
		asm volatile("pause");
	return NULL;
}

static void preempt_signal(void)
{
	struct sigaction sa = { .sa_handler = on_signal };
	pthread_t t;

	sigaction(SIGUSR1, &sa, NULL);
	rounds = stop = tid = 0;
	pthread_create(&t, NULL, spin_signal, NULL);
	CHECK(WAIT_FOR(tid));
	begin();
	for (unsigned long i = 1; i <= ROUNDS; i++) {
		calls++;
		syscall(SYS_tgkill, getpid(), tid, SIGUSR1);
		until(i);
	}
	end("preemption: tgkill, rt_sigreturn", ROUNDS);
	stop = 1;
	pthread_join(t, NULL);
}

static void all(void)
{
	pin(0);
	fd = kt_open();
	inst = kt_instance(fd);
	kt_say("# per operation %40s %8s %8s %8s\n", "calls", "IPIs", "timers", "entries");
	preempt_module();
	preempt_signal();
	grant_futex();
	handover_futex();
	CHECK(kt_claim(fd, CPU, 2000, 0) == 0);
	cp = kt_cpu(fd, CPU);
	grant_module();
	slot[0] = slot[1] = 0;
	handover_module();
	close(inst);
	close(fd);
}

int main(void)
{
	kt_run("grants and preemptions counted", all);
	return kt_end();
}
