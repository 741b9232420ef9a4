/* SPDX-License-Identifier: MIT */
/* guest: time=40 */
/* Restartable sequences: glibc's registration, the core number, aborts by preemption and by signals, per-core counting without locks. */
#include "t.h"
#include <linux/rseq.h>
#include <pthread.h>
#include <sched.h>
#include <sys/time.h>
#include <stddef.h>

extern const ptrdiff_t __rseq_offset;
extern const unsigned __rseq_size;

#define SIG 0x53053053
#define THREADS 4
#define ROUNDS 300000

static struct rseq *area(void)
{
	return (struct rseq *)((char *)__builtin_thread_pointer() + __rseq_offset);
}

static struct { long n; char pad[56]; } counters[1024];
static long aborts;

/* counters[cpu].n += 1 as one restartable sequence with `spin` turns of a loop in it. 0 done, 1 aborted. */
static int add_one(unsigned cpu, long spin)
{
	struct rseq *r = area();
	int failed;

	__asm__ volatile(".pushsection __rseq_cs, \"aw\"\n"
			 ".balign 32\n"
			 "3: .long 0, 0\n"
			 ".quad 1f, (2f - 1f), 4f\n"
			 ".popsection\n"
			 "leaq 3b(%%rip), %%rax\n"
			 "movq %%rax, 8(%[r])\n"
			 "1:\n"
			 "cmpl %[cpu], 4(%[r])\n"
			 "jne 5f\n"
			 "movq (%[c]), %%rcx\n"
			 "6: subq $1, %[spin]\n"
			 "jg 6b\n"
			 "addq $1, %%rcx\n"
			 "movq %%rcx, (%[c])\n"
			 "2:\n"
			 "xorl %[f], %[f]\n"
			 "jmp 7f\n"
			 ".long 0x53053053\n"
			 "4:\n"
			 "5:\n"
			 "movl $1, %[f]\n"
			 "7:\n"
			 : [f] "=&r"(failed), [spin] "+r"(spin)
			 : [r] "r"(r), [cpu] "r"(cpu), [c] "r"(&counters[cpu].n)
			 : "rax", "rcx", "memory", "cc");
	return failed;
}

static void *count(void *arg)
{
	long bad = 0;

	for (long i = 0; i < ROUNDS; i++) {
		unsigned cpu;

		do
			cpu = area()->cpu_id_start;
		while (add_one(cpu, i % 64 == 0 ? 2000 : 1) && ++bad);
	}
	__atomic_fetch_add(&aborts, bad, __ATOMIC_SEQ_CST);
	return arg;
}

static void per_core(void)
{
	pthread_t t[THREADS];
	long sum = 0;

	for (int i = 0; i < THREADS; i++)
		pthread_create(&t[i], NULL, count, NULL);
	for (int i = 0; i < THREADS; i++)
		pthread_join(t[i], NULL);
	for (int i = 0; i < 1024; i++)
		sum += counters[i].n;
	Y(sum == (long)THREADS * ROUNDS);
	(void)aborts; /* none where every thread has a core of its own */
}

static volatile sig_atomic_t alarms;

static void on_alarm(int sig)
{
	(void)sig;
	alarms++;
}

/* A sequence that never ends by itself: a signal must break it. */
static void by_signal(void)
{
	struct itimerval it = { .it_value.tv_usec = 30000 };

	alarms = 0;
	signal(SIGALRM, on_alarm);
	setitimer(ITIMER_REAL, &it, NULL);
	R(add_one(area()->cpu_id_start, 1L << 60));
	for (int i = 0; i < 200 && !alarms; i++) /* a preemption may have come first */
		t_sleep_ms(5);
	R(alarms);
}

static long rseq(void *p, unsigned len, int flags, unsigned sig)
{
	return syscall(SYS_rseq, p, len, flags, sig);
}

static void *registration(void *arg)
{
	static struct rseq other __attribute__((aligned(32)));
	struct rseq *r = area();

	R(rseq(r, 32, 0, SIG));
	R(rseq(r, 32, 0, 1));
	R(rseq(&other, 32, 0, SIG));
	R(rseq(r, 32, RSEQ_FLAG_UNREGISTER, 1));
	R(rseq(&other, 32, RSEQ_FLAG_UNREGISTER, SIG));
	R(rseq(r, 32, 4, SIG));
	R(rseq(r, 32, RSEQ_FLAG_UNREGISTER, SIG));
	R((int)r->cpu_id);
	R(rseq((char *)&other + 1, 32, 0, SIG));
	R(rseq((void *)32, 32, 0, SIG));
	R(rseq(r, 32, 0, SIG));
	Y(r->cpu_id == r->cpu_id_start && (int)r->cpu_id >= 0);
	return arg;
}

int main(void)
{
	pthread_t t;
	int st;

	Y(__rseq_size >= 20);
	Y((int)area()->cpu_id >= 0 && (int)area()->cpu_id == sched_getcpu());
	pthread_create(&t, NULL, registration, NULL);
	pthread_join(t, NULL);
	per_core();
	by_signal();
	fflush(stdout);
	if (fork() == 0) { /* the child's copy goes on working */
		Y((int)area()->cpu_id >= 0);
		by_signal();
		_exit(0);
	}
	wait(&st);
	t_status("child", st);
	fflush(stdout);
	if (fork() == 0) {
		area()->rseq_cs = 8; /* no such sequence */
		t_sleep_ms(10);
		for (volatile long i = 0; i < 1000000000000; i++)
			;
		_exit(0);
	}
	wait(&st);
	t_status("bad pointer", st);
	return 0;
}
