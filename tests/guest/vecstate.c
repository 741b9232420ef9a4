/* SPDX-License-Identifier: MIT */
/*
 * Vector state over thread switches and signals: threads that use different sets of it (SSE, x87, upper halves, masks, zmm16-31) side by
 * side; each finds its own back after yields, blocking calls and preemption. Registers a CPU does not have are left out on both sides.
 */
/* guest: time=60 */
#include "t.h"
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/time.h>

#define ROUNDS 300
enum { SSE = 1, X87 = 2, YMM = 4, ZMM = 8, HI16 = 16, MASKS = 32 };

struct regs {
	unsigned char z[32][64];
	uint64_t k[8];
	long double st;
	uint32_t mxcsr;
};
static int have512, have_avx;
static int failures;
static volatile int ticks;

static void on_alarm(int s)
{
	(void)s;
	ticks++;
}

/* Loads what `what` names, makes one system call (or spins), stores the same registers again: all in one asm, so nothing else uses them. */
#define XMM_ALL(op) op(0) op(1) op(2) op(3) op(4) op(5) op(6) op(7) op(8) op(9) op(10) op(11) op(12) op(13) op(14) op(15)
#define HI_ALL(op) op(16) op(17) op(18) op(19) op(20) op(21) op(22) op(23) op(24) op(25) op(26) op(27) op(28) op(29) op(30) op(31)
#define K_ALL(op) op(0) op(1) op(2) op(3) op(4) op(5) op(6) op(7)
#define LX(i) "movups 64*" #i "(%[in]), %%xmm" #i "\n\t"
#define SX(i) "movups %%xmm" #i ", 64*" #i "(%[out])\n\t"
#define LY(i) "vmovups 64*" #i "(%[in]), %%ymm" #i "\n\t"
#define SY(i) "vmovups %%ymm" #i ", 64*" #i "(%[out])\n\t"
#define LZ(i) "vmovups 64*" #i "(%[in]), %%zmm" #i "\n\t"
#define SZ(i) "vmovups %%zmm" #i ", 64*" #i "(%[out])\n\t"
#define LK(i) "kmovq 2048+8*" #i "(%[in]), %%k" #i "\n\t"
#define SK(i) "kmovq %%k" #i ", 2048+8*" #i "(%[out])\n\t"
#define CALL "mov $24, %%eax\n\tsyscall\n\t" /* sched_yield */
#define SPIN "mov $200000, %%eax\n1:\tpause\n\tdec %%eax\n\tjnz 1b\n\t"
#define RUN(load, mid, store)                                                                        \
	__asm__ volatile(load mid store                                                              \
			 :                                                                           \
			 : [in] "r"(in), [out] "r"(out)                                              \
			 : "rax", "rcx", "r11", "memory", "cc", "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8", \
			   "xmm9", "xmm10", "xmm11", "xmm12", "xmm13", "xmm14", "xmm15")

static void pass(int what, int spin, const struct regs *in, struct regs *out)
{
	switch (what) {
	case SSE:
		if (spin)
			RUN(XMM_ALL(LX), SPIN, XMM_ALL(SX));
		else
			RUN(XMM_ALL(LX), CALL, XMM_ALL(SX));
		break;
	case YMM:
		if (spin)
			RUN(XMM_ALL(LY), SPIN, XMM_ALL(SY) "vzeroupper\n\t");
		else
			RUN(XMM_ALL(LY), CALL, XMM_ALL(SY) "vzeroupper\n\t");
		break;
	case ZMM:
		if (spin)
			RUN(XMM_ALL(LZ), SPIN, XMM_ALL(SZ) "vzeroupper\n\t");
		else
			RUN(XMM_ALL(LZ), CALL, XMM_ALL(SZ) "vzeroupper\n\t");
		break;
	case HI16:
		if (spin)
			RUN(XMM_ALL(LX) HI_ALL(LZ), SPIN, XMM_ALL(SX) HI_ALL(SZ));
		else
			RUN(XMM_ALL(LX) HI_ALL(LZ), CALL, XMM_ALL(SX) HI_ALL(SZ));
		break;
	case MASKS:
		if (spin)
			RUN(K_ALL(LK), SPIN, K_ALL(SK));
		else
			RUN(K_ALL(LK), CALL, K_ALL(SK));
		break;
	case X87:
		__asm__ volatile("fldt 2112(%0)\n\tmov $24, %%eax\n\tsyscall\n\tfstpt 2112(%1)"
				 :
				 : "r"(in), "r"(out)
				 : "rax", "rcx", "r11", "memory");
		break;
	default:
		break;
	}
}

static void check(int what, const struct regs *in, const struct regs *out)
{
	size_t n = what == SSE ? 16 : what == YMM ? 32 : what == ZMM ? 64 : 0;
	int bad = 0;

	for (int i = 0; i < 16 && n; i++)
		bad |= memcmp(in->z[i], out->z[i], n);
	if (what == HI16) {
		for (int i = 0; i < 16; i++)
			bad |= memcmp(in->z[i], out->z[i], 16);
		bad |= memcmp(in->z[16], out->z[16], sizeof(in->z) / 2);
	}
	if (what == MASKS)
		bad |= memcmp(in->k, out->k, sizeof(in->k));
	if (what == X87)
		bad |= in->st != out->st;
	if (bad)
		__atomic_add_fetch(&failures, 1, __ATOMIC_RELAXED);
}

static void *user(void *arg)
{
	int what = (int)(long)arg;
	static __thread struct regs in, out;
	unsigned seed = (unsigned)what * 2654435761u;

	if ((what >= ZMM && !have512) || (what == YMM && !have_avx))
		what = SSE;
	for (int r = 0; r < ROUNDS; r++) {
		unsigned char *b = (unsigned char *)&in;

		for (size_t i = 0; i < 2112; i++) {
			seed = seed * 1103515245u + 12345u;
			b[i] = (unsigned char)(seed >> 16);
		}
		if (what == X87) /* others must not touch the x87 at all */
			in.st = (long double)(seed >> 1) / 3;
		memset(&out, 0, sizeof(out));
		pass(what, what != X87 && r % 16 == 15, &in, &out);
		check(what, &in, &out);
		if (r % 8 == 3)
			t_sleep_ms(0);
	}
	return NULL;
}

int main(void)
{
	static const int kinds[] = { SSE, X87, YMM, ZMM, HI16, MASKS, SSE, HI16 };
	struct sigaction sa = { .sa_handler = on_alarm, .sa_flags = SA_RESTART };
	struct itimerval it = { { 0, 3000 }, { 0, 3000 } };
	pthread_t t[8];

	_Static_assert(__builtin_offsetof(struct regs, k) == 2048 && __builtin_offsetof(struct regs, st) == 2112, "asm");
	have_avx = __builtin_cpu_supports("avx");
	have512 = __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw");
	sigaction(SIGALRM, &sa, NULL);
	setitimer(ITIMER_REAL, &it, NULL);
	for (int i = 0; i < 8; i++)
		pthread_create(&t[i], NULL, user, (void *)(long)kinds[i]);
	for (int i = 0; i < 8; i++)
		pthread_join(t[i], NULL);
	memset(&it, 0, sizeof(it));
	setitimer(ITIMER_REAL, &it, NULL);
	t_say("wrong %d", failures);
	Y(ticks > 0);
	return 0;
}
