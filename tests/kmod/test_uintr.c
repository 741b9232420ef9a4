/* SPDX-License-Identifier: MIT */
/*
 * junction.ko: user interrupts by software delivery. The main thread receives; another one sends vector v again only after it has been
 * counted, so that at the end as many must have been handled as were sent, of each vector.
 */
#include <linux/futex.h>
#include <sys/ptrace.h>
#include <sys/user.h>

#include "tests/kmod/uentry.h"

#define VECTORS	    8
#define PATIENCE_NS 20000000000ull

static int fd, inst;
static unsigned int slot;
static volatile unsigned long sent[64];
static volatile unsigned long goal;
static volatile int sending, send_error;

static unsigned long total(volatile unsigned long *v)
{
	unsigned long n = 0;

	for (int i = 0; i < 64; i++)
		n += v[i];
	return n;
}

static void *sender(void *arg)
{
	unsigned long long end;
	unsigned long n = 0;
	unsigned int seed = 7;

	(void)arg;
	/* Mostly one vector that has a frame of its own; now and then several at once, which share one, or the next before the last is handled. */
	while (n < goal && !send_error) {
		bool several = rand_r(&seed) % 32 == 0;
		unsigned long long bits = 0;
		int only = (int)(rand_r(&seed) % VECTORS);

		for (int v = 0; v < VECTORS; v++)
			if ((several || v == only) && kt_hits[v * 9] == sent[v * 9] && n < goal) {
				bits |= 1ull << v * 9;
				sent[v * 9]++;
				n++;
			}
		if (bits && kt_send(n % 2 ? inst : fd, slot, bits))
			send_error = errno;
		for (end = kt_now_ns() + PATIENCE_NS; !several && !send_error && kt_hits[only * 9] != sent[only * 9]; sched_yield())
			if (kt_now_ns() > end)
				send_error = ETIMEDOUT;
		if (rand_r(&seed) % 1024 == 0)
			kt_sleep_us(rand_r(&seed) % 200);
	}
	sending = 0;
	return NULL;
}

static void setup(unsigned long slice_ns)
{
	fd = kt_open();
	inst = kt_instance(fd);
	slot = 0;
	memset((void *)kt_hits, 0, sizeof(kt_hits));
	memset((void *)sent, 0, sizeof(sent));
	kt_in_masked = kt_misaligned = 0;
	CHECK(kt_receive(inst, &slot, 128, slice_ns, 62) == 0);
}

static void teardown(void)
{
	CHECK(kt_unregister(inst, slot) == 0); /* first: a slice may end at any time, and the handler needs the page */
	munmap((void *)KT_PAGE, 4096);
	close(inst);
	close(fd);
}

/* Sends n vectors while `work` is done again and again by the receiver; work returns what went wrong. */
static void deliver_into(unsigned long n, unsigned long (*work)(unsigned long round))
{
	unsigned long wrong = 0, rounds = 0;
	pthread_t t;

	setup(0);
	goal = n;
	sending = 1;
	send_error = 0;
	pthread_create(&t, NULL, sender, NULL);
	while (sending)
		wrong += work(rounds++);
	pthread_join(t, NULL);
	CHECK(WAIT_FOR(total(kt_hits) == total(sent)), "sent %lu, handled %lu", total(sent), total(kt_hits));
	CHECK(send_error == 0, "%d", send_error);
	CHECK(total(sent) == n);
	for (int v = 0; v < 64; v++)
		CHECK(kt_hits[v] == sent[v], "vector %d: sent %lu, handled %lu", v, sent[v], kt_hits[v]);
	CHECK(wrong == 0, "%lu of %lu rounds", wrong, rounds);
	CHECK(kt_in_masked == 0 && kt_misaligned == 0, "%lu %lu", kt_in_masked, kt_misaligned);
	kt_say("# report: %lu sent, %lu rounds, frames %llu (on the way out %llu), held %llu, restarted %llu\n", n, rounds,
	       (unsigned long long)kt_page->delivered, (unsigned long long)kt_page->deferred, (unsigned long long)kt_page->held,
	       (unsigned long long)kt_page->restarted);
	CHECK(kt_page->delivered > 0);
	teardown();
}

/* A leaf function: every general register and the whole red zone hold a value of their own, and the carry flag is set. */
unsigned long kt_leaf(unsigned long seed, unsigned long loops);
asm(".text\n.globl kt_leaf\nkt_leaf:\n"
    "	push %rbx; push %rbp; push %r12; push %r13; push %r14; push %r15\n"
    "	mov %rsi, %rcx\n"
    "	mov %rdi, %rax\n"
    ".irp r, rax,rdx,rbx,rbp,rsi,rdi,r8,r9,r10,r11,r12,r13,r14,r15\n"
    "	.ifnc \\r,rax\n	lea 0x1357(%rax), %\\r\n	imul $0x6b5, %\\r, %\\r\n	mov %\\r, %rax\n	.endif\n"
    ".endr\n"
    "	.set off, -8\n"
    ".irp r, rax,rdx,rbx,rbp,rsi,rdi,r8,r9,r10,r11,r12,r13,r14,r15\n"
    "	mov %\\r, off(%rsp)\n	.set off, off - 8\n"
    ".endr\n"
    "	mov %rax, -120(%rsp); mov %rax, -128(%rsp)\n"
    "1:\n"
    "	.set off, -8\n"
    ".irp r, rax,rdx,rbx,rbp,rsi,rdi,r8,r9,r10,r11,r12,r13,r14,r15\n"
    "	cmp %\\r, off(%rsp)\n	jne 2f\n	.set off, off - 8\n"
    ".endr\n"
    "	cmp %rax, -120(%rsp); jne 2f\n"
    "	cmp %rax, -128(%rsp); jne 2f\n"
    "	stc\n"
    "	lea (%rcx), %rcx; lea (%rcx), %rcx; lea (%rcx), %rcx; lea (%rcx), %rcx\n"
    "	jnc 2f\n"
    "	lea -1(%rcx), %rcx\n"
    "	jrcxz 3f\n"
    "	jmp 1b\n"
    "2:	mov $1, %eax; jmp 4f\n"
    "3:	xor %eax, %eax\n"
    "4:	pop %r15; pop %r14; pop %r13; pop %r12; pop %rbp; pop %rbx\n"
    "	ret\n");

static unsigned long leaf(unsigned long round)
{
	return kt_leaf(round * 77 + 1, 200);
}

/* Sixteen ymm registers in a long dependency; the same without interrupts gives the value to compare with. */
__attribute__((noinline, target("avx2"))) static unsigned long avx_sum(unsigned long seed, int loops)
{
	typedef unsigned long v4 __attribute__((vector_size(32)));
	v4 r[14];
	unsigned long s = 0;

	for (int i = 0; i < 14; i++)
		r[i] = (v4){ seed + i, seed ^ i, seed * 3 + i, i };
	for (int l = 0; l < loops; l++)
		for (int i = 0; i < 14; i++) {
			r[i] = (r[i] << 7) ^ (r[i] >> 3) ^ r[(i + 1) % 14];
			asm volatile("" : "+x"(r[i]));
		}
	for (int i = 0; i < 14; i++)
		s += r[i][0] ^ r[i][1] ^ r[i][2] ^ r[i][3];
	return s;
}

static unsigned long avx_wanted;

static unsigned long avx(unsigned long round)
{
	(void)round;
	return avx_sum(5, 100) != avx_wanted;
}

static int pipes[2];
static unsigned int word;

static unsigned long syscalls(unsigned long round)
{
	char out[16] = "0123456789abcde", in[16] = "";
	struct timespec t = { 0, 30000 };
	unsigned long bad = 0;

	bad += syscall(SYS_getppid) != getppid();
	bad += write(pipes[1], out, 16) != 16;
	bad += read(pipes[0], in, 16) != 16 || memcmp(in, out, 16);
	if (round % 8 == 0) {
		bad += nanosleep(&t, NULL) != 0;
		bad += syscall(SYS_futex, &word, FUTEX_WAIT, 0, &t, NULL, 0) != -1 || errno != ETIMEDOUT;
	}
	bad += syscall(SYS_futex, &word, FUTEX_WAIT, 1, NULL, NULL, 0) != -1 || errno != EAGAIN;
	bad += syscall(-1) != -1 || errno != ENOSYS;
	return bad;
}

static unsigned long masked(unsigned long round)
{
	unsigned long bad = 0;

	kt_mask();
	kt_section = 1;
	asm volatile("" ::: "memory");
	unsigned long before = total(kt_hits);
	kt_leaf(round, 20);
	if (round % 16 == 0)
		sched_yield();
	bad += total(kt_hits) != before;
	asm volatile("" ::: "memory");
	kt_section = 0;
	kt_unmask();
	return bad;
}

static void test_leaf(void)
{
	deliver_into(kt_rounds(30000), leaf);
}

static void test_avx(void)
{
	avx_wanted = avx_sum(5, 100);
	deliver_into(kt_rounds(25000), avx);
}

static void test_syscalls(void)
{
	CHECK(pipe(pipes) == 0);
	deliver_into(kt_rounds(25000), syscalls);
	close(pipes[0]);
	close(pipes[1]);
}

static void test_masked(void)
{
	deliver_into(kt_rounds(20000), masked);
}

/* The slice is the thread's time on its CPU: it ends while it runs, not while it sleeps. */
static void test_slices(void)
{
	unsigned long long end;
	unsigned long ran;

	setup(1000000);
	end = kt_now_ns() + 300000000;
	while (kt_now_ns() < end)
		kt_leaf(1, 100);
	ran = kt_hits[62];
	CHECK(ran >= 3 && ran <= 330, "%lu in 300 ms", ran);
	CHECK(kt_page->slices >= ran);
	kt_sleep_us(200000);
	CHECK(kt_hits[62] - ran < 20, "%lu slices in sleep", kt_hits[62] - ran);
	teardown();
}

/* An absolute stack whose page is not there at first, ever again. */
static void test_far_stack(void)
{
	char *stack = mmap(NULL, 65536, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	unsigned long n = kt_rounds(2000);

	setup(0);
	CHECK(kt_receive(inst, &slot, ((unsigned long)stack + 65536) | 1, 0, 0) == 0);
	for (unsigned long i = 0; i < n; i++) {
		madvise(stack, 65536, MADV_DONTNEED);
		CHECK(kt_send(inst, slot, 4) == 0);
		CHECK(kt_hits[2] == i + 1, "%lu", kt_hits[2]);
		if (kt_bad)
			break;
	}
	teardown();
}

static unsigned long uintr_err(unsigned long handler, unsigned long stack, unsigned long slice_ns, unsigned int vector)
{
	struct jabi_kmod_uintr u = { .size = sizeof(u), .flags = JABI_KMOD_UINTR_SOFT, .slot = slot, .handler = handler, .stack = stack,
				     .slice_ns = slice_ns, .slice_vector = vector };

	return ioctl(inst, JABI_KMOD_UINTR, &u) ? errno : 0;
}

static void test_bad_handlers(void)
{
	char *data = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	char *ro = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	unsigned long good = (unsigned long)kt_entry;

	setup(0);
	CHECK(uintr_err((unsigned long)data, 128, 0, 0) == EFAULT);
	CHECK(uintr_err(0xffffffff81000000ul, 128, 0, 0) == EFAULT);
	CHECK(uintr_err(0x8000000000000000ul, 128, 0, 0) == EFAULT);
	CHECK(uintr_err(1, 128, 0, 0) == EFAULT);
	CHECK(uintr_err(good, ((unsigned long)ro + 4096) | 1, 0, 0) == EFAULT);
	CHECK(uintr_err(good, 0xffff888000001001ul, 0, 0) == EFAULT);
	CHECK(uintr_err(good, 1, 0, 0) == EFAULT);
	CHECK(uintr_err(good, 128, 99999, 0) == EINVAL);
	CHECK(uintr_err(good, 128, 0, 64) == EINVAL);
	CHECK(uintr_err(0, 128, 0, 0) == EINVAL);
	CHECK(kt_send(inst, slot, 0) == -1 && errno == EINVAL);
	CHECK(kt_send(inst, slot, 1) == 0 && kt_hits[0] == 1); /* the old handler is still there */
	CHECK(uintr_err(0, 0, 0, 0) == 0);
	CHECK(kt_send(inst, slot, 1) == -1 && errno == ENOENT);
	CHECK(kt_hits[0] == 1);
	munmap(data, 4096);
	munmap(ro, 4096);
	teardown();
}

/* In a child that the parent watches die: a stack that cannot be written any more, a handler that has gone. */
static int dies_with(void (*spoil)(void))
{
	int st;
	pid_t pid = fork();

	if (!pid) {
		slot = 0;
		inst = kt_instance(kt_open());
		spoil();
		kt_send(inst, slot, 1);
		for (volatile int i = 0; i < 1000000; i++)
			;
		_exit(0);
	}
	waitpid(pid, &st, 0);
	return WIFSIGNALED(st) ? WTERMSIG(st) : -1;
}

static void spoil_stack(void)
{
	char *stack = mmap(NULL, 65536, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (kt_receive(inst, &slot, ((unsigned long)stack + 65536) | 1, 0, 0))
		_exit(1);
	munmap(stack, 65536);
}

static void spoil_handler(void)
{
	char *code = mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (kt_register(inst, &slot) || uintr_err((unsigned long)code, 128, 0, 0))
		_exit(1);
	munmap(code, 4096);
}

static void test_spoiled(void)
{
	CHECK(dies_with(spoil_stack) == SIGSEGV);
	CHECK(dies_with(spoil_handler) == SIGSEGV);
}

/* While a debugger steps the thread nothing is delivered; after that it is. */
static void test_stepped(void)
{
	pid_t pid = fork();
	int st, steps = 0;

	if (!pid) {
		slot = 0;
		inst = kt_instance(kt_open());
		memset((void *)kt_hits, 0, sizeof(kt_hits));
		if (kt_receive(inst, &slot, 128, 0, 0))
			_exit(2);
		ptrace(PTRACE_TRACEME, 0, 0, 0);
		raise(SIGSTOP);
		kt_send(inst, slot, 1);
		raise(SIGSTOP);
		for (volatile int i = 0; i < 3000000 && !kt_hits[0]; i++)
			;
		_exit(kt_hits[0] == 1 ? 42 : 3);
	}
	waitpid(pid, &st, 0);
	CHECK(WIFSTOPPED(st) && WSTOPSIG(st) == SIGSTOP);
	ptrace(PTRACE_SINGLESTEP, pid, 0, 0);
	while (waitpid(pid, &st, 0) == pid && WIFSTOPPED(st) && WSTOPSIG(st) == SIGTRAP && steps++ < 20000) {
		struct user_regs_struct regs;

		ptrace(PTRACE_GETREGS, pid, 0, &regs);
		CHECK(regs.rip != (unsigned long)kt_entry, "step %d is in the handler", steps);
		ptrace(PTRACE_SINGLESTEP, pid, 0, 0);
	}
	CHECK(steps > 10 && WIFSTOPPED(st) && WSTOPSIG(st) == SIGSTOP, "%d steps, %x", steps, st);
	ptrace(PTRACE_CONT, pid, 0, 0);
	waitpid(pid, &st, 0);
	CHECK(WIFEXITED(st) && WEXITSTATUS(st) == 42, "%x", st);
}

int main(void)
{
	kt_run("deliveries into leaf functions that use the red zone", test_leaf);
	kt_run("deliveries into AVX loops", test_avx);
	kt_run("deliveries while system calls are in flight", test_syscalls);
	kt_run("deliveries around masked sections", test_masked);
	kt_run("time slices", test_slices);
	kt_run("a stack that is not resident", test_far_stack);
	kt_run("handlers and stacks that are refused", test_bad_handlers);
	kt_run("a stack or handler that has gone", test_spoiled);
	kt_run("single-stepping", test_stepped);
	return kt_end();
}
