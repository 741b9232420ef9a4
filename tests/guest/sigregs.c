/* SPDX-License-Identifier: MIT */
/*
 * Asynchronous signals do not disturb registers: general, flags, x87/SSE,
 * AVX and AVX-512 state survive handlers that overwrite them, and
 * edits made by the handler take effect.
 */
#include "t.h"
#include <immintrin.h>
#include <pthread.h>
#include <sys/time.h>
#include <ucontext.h>

static volatile int ticks, stop;

__attribute__((target("avx512f"))) static void dirty512(void)
{
	__m512i v = _mm512_set1_epi32(0x55555555);

	__asm__ volatile("vmovdqa64 %0,%%zmm1\n\tvmovdqa64 %0,%%zmm17\n\tvmovdqa64 %0,%%zmm31\n\t"
			 "kxnorw %%k1,%%k1,%%k1" ::"v"(v)
			 : "xmm1", "xmm17", "xmm31", "k1");
}

__attribute__((target("avx"))) static void dirty256(void)
{
	__asm__ volatile("vxorps %%ymm1,%%ymm1,%%ymm1\n\tvxorps %%ymm2,%%ymm2,%%ymm2" ::: "xmm1", "xmm2");
}

static int has512, has256;

static void on_tick(int s)
{
	(void)s;
	__asm__ volatile("pxor %%xmm1,%%xmm1\n\tpxor %%xmm9,%%xmm9" ::: "xmm1", "xmm9");
	if (has256)
		dirty256();
	if (has512)
		dirty512();
	ticks++;
}

/* Spin with known values in all registers until ten more ticks came; count differences. */
static long spin_gp(void)
{
	long bad = 0;
	int until = ticks + 10;
	uint64_t end = t_now_ns(CLOCK_MONOTONIC) + 3000000000u;

	while (ticks < until && t_now_ns(CLOCK_MONOTONIC) < end) {
		unsigned long a, b, c, d;

		__asm__ volatile("mov $0x1111,%%r8\n\tmov $0x2222,%%r9\n\tmov $0x3333,%%r10\n\t"
				 "mov $0x4444,%%r15\n\tmov $20000,%%rcx\n"
				 "1:\tdec %%rcx\n\tjnz 1b\n\t"
				 "mov %%r8,%0\n\tmov %%r9,%1\n\tmov %%r10,%2\n\tmov %%r15,%3"
				 : "=r"(a), "=r"(b), "=r"(c), "=r"(d)
				 :
				 : "r8", "r9", "r10", "r15", "rcx", "cc");
		bad += a != 0x1111 || b != 0x2222 || c != 0x3333 || d != 0x4444;
	}
	return bad + (ticks < until ? 1000 : 0);
}

static long spin_sse(void)
{
	long bad = 0;
	int until = ticks + 10;
	uint64_t end = t_now_ns(CLOCK_MONOTONIC) + 3000000000u;

	while (ticks < until && t_now_ns(CLOCK_MONOTONIC) < end) {
		__m128i v = _mm_set1_epi32(0x12345678), o1, o2;
		unsigned mx = 0x7f80, m2;

		__asm__ volatile("ldmxcsr %4\n\tmovdqa %3,%%xmm1\n\tmovdqa %3,%%xmm9\n\tmov $20000,%%rcx\n"
				 "1:\tdec %%rcx\n\tjnz 1b\n\tmovdqa %%xmm1,%0\n\tmovdqa %%xmm9,%1\n\t"
				 "stmxcsr %2"
				 : "=x"(o1), "=x"(o2), "=m"(m2)
				 : "x"(v), "m"(mx)
				 : "xmm1", "xmm9", "rcx", "cc");
		bad += _mm_movemask_epi8(_mm_cmpeq_epi8(o1, v)) != 0xffff;
		bad += _mm_movemask_epi8(_mm_cmpeq_epi8(o2, v)) != 0xffff;
		bad += m2 != mx;
	}
	return bad + (ticks < until ? 1000 : 0);
}

__attribute__((target("avx512f,avx512bw"))) static long spin_512(void)
{
	long bad = 0;
	int until = ticks + 10;
	uint64_t end = t_now_ns(CLOCK_MONOTONIC) + 3000000000u;
	unsigned in[16], o1[16], o17[16], o31[16], k;

	for (int i = 0; i < 16; i++)
		in[i] = 0xabc00000u + (unsigned)i;
	while (ticks < until && t_now_ns(CLOCK_MONOTONIC) < end) {
		__asm__ volatile("vmovdqu64 %4,%%zmm1\n\tvmovdqu64 %4,%%zmm17\n\tvmovdqu64 %4,%%zmm31\n\t"
				 "mov $0x2a55,%%eax\n\tkmovw %%eax,%%k1\n\tmov $20000,%%rcx\n"
				 "1:\tdec %%rcx\n\tjnz 1b\n\t"
				 "vmovdqu64 %%zmm1,%0\n\tvmovdqu64 %%zmm17,%1\n\tvmovdqu64 %%zmm31,%2\n\t"
				 "kmovw %%k1,%%eax\n\tmov %%eax,%3"
				 : "=m"(o1), "=m"(o17), "=m"(o31), "=m"(k)
				 : "m"(in)
				 : "xmm1", "xmm17", "xmm31", "k1", "rax", "rcx", "cc", "memory");
		bad += memcmp(in, o1, 64) != 0;
		bad += memcmp(in, o17, 64) != 0;
		bad += memcmp(in, o31, 64) != 0;
		bad += k != 0x2a55;
	}
	return bad + (ticks < until ? 1000 : 0);
}

static void *spinner(void *arg)
{
	(void)arg;
	while (!stop)
		__asm__ volatile("pause");
	return NULL;
}

static void edit(int s, siginfo_t *si, void *p)
{
	ucontext_t *uc = p;

	(void)s, (void)si;
	uc->uc_mcontext.gregs[REG_R12] = 777;
}

static void edits(void)
{
	struct sigaction sa = { .sa_sigaction = edit, .sa_flags = SA_SIGINFO };
	unsigned long v = 0;
	struct itimerval it = { { 0, 0 }, { 0, 10000 } };

	sigaction(SIGALRM, &sa, NULL);
	setitimer(ITIMER_REAL, &it, NULL);
	/* nothing but an edit of r12 ends this loop */
	__asm__ volatile("xor %%r12,%%r12\n1:\tpause\n\ttest %%r12,%%r12\n\tjz 1b\n\tmov %%r12,%0"
			 : "=r"(v)::"r12", "cc");
	t_say("loop ended by edit of r12: %lu", v);
}

static ucontext_t c1, c2;
static volatile int hops;

static void hop(void)
{
	for (;;) {
		hops++;
		swapcontext(&c2, &c1);
	}
}

int main(void)
{
	struct sigaction sa = { .sa_handler = on_tick, .sa_flags = SA_RESTART };
	struct itimerval it = { { 0, 2000 }, { 0, 2000 } };
	static char stack[65536];
	pthread_t t[3];

	has256 = __builtin_cpu_supports("avx");
	has512 = __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw");
	sigaction(SIGALRM, &sa, NULL);
	setitimer(ITIMER_REAL, &it, NULL);
	t_say("general registers spoilt: %ld", spin_gp());
	t_say("sse spoilt: %ld", spin_sse());
	if (has512)
		t_say("avx512 spoilt: %ld", spin_512());
	for (int i = 0; i < 3; i++)
		pthread_create(&t[i], NULL, spinner, NULL);
	t_say("with spinning threads: %ld %ld %ld", spin_gp(), spin_sse(), has512 ? spin_512() : 0);
	stop = 1;
	for (int i = 0; i < 3; i++)
		pthread_join(t[i], NULL);
	it = (struct itimerval){ { 0, 0 }, { 0, 0 } };
	setitimer(ITIMER_REAL, &it, NULL);
	edits();
	getcontext(&c2);
	c2.uc_stack.ss_sp = stack;
	c2.uc_stack.ss_size = sizeof(stack);
	makecontext(&c2, hop, 0);
	for (int i = 0; i < 1000; i++)
		swapcontext(&c1, &c2);
	t_say("hops %d", hops);
	return 0;
}
