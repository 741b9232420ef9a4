/* SPDX-License-Identifier: MIT */
/*
 * A program that wants out. It scans its own address space for whatever lies
 * there besides itself, jumps into it, and makes calls by every gate it knows;
 * what must hold is printed. On Linux the same words come out because the
 * program asks only for things that a process may not have in either place.
 */
/* guest: nostderr */
#include "t.h"
#include <setjmp.h>
#include <sys/resource.h>

static sigjmp_buf jb;
static void seg(int s)
{
	siglongjmp(jb, s);
}

/* A call by a raw syscall at an address never seen before (in fresh memory). */
static long fresh_syscall(long nr, long a, long b, long c)
{
	static const unsigned char code[] = { 0x48, 0x89, 0xf8, 0x48, 0x89, 0xf7, 0x48, 0x89, 0xd6,
					      0x48, 0x89, 0xca, 0x0f, 0x05, 0xc3 };
	static unsigned char *page;
	static size_t at;
	long (*fn)(long, long, long, long);

	if (!page || at + 64 > 4096) {
		page = mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		at = 0;
		if (page == MAP_FAILED)
			return -1;
	}
	memcpy(page + at, code, sizeof(code));
	fn = (void *)(page + at);
	at += 64;
	return fn(nr, a, b, c);
}

static long int80(long nr, long a)
{
	long r;

	__asm__ volatile("int $0x80" : "=a"(r) : "a"(nr), "b"(a), "c"(0), "d"(0) : "memory", "r8", "r9", "r10", "r11");
	return r;
}

static void by_int80(void)
{
	long r = int80(20, 0); /* i386 getpid */

	t_say("int80 %s", r == getpid() || r < 0 ? "own pid or refused" : "leaked");
}

/* Open a file of the host by the i386 gate: must not show what open() does not show. */
static void int80_open(void)
{
	char *low = mmap((void *)0x10000000, 4096, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
	long r;

	if (low == MAP_FAILED)
		return;
	strcpy(low, "/nothere/at/all");
	r = int80(5, (long)low);
	t_say("int80 open %s", r < 0 ? "refused" : "opened");
}

static void by_sysenter(void)
{
	signal(SIGSEGV, seg);
	signal(SIGILL, seg);
	signal(SIGSYS, seg);
	signal(SIGTRAP, seg);
	signal(SIGBUS, seg);
	_exit(0); /* sysenter loses the stack of a 64-bit program: only its absence is asked for */
}

static void ptrace_parent(void)
{
	long r = fresh_syscall(SYS_ptrace, 16, 1, 0); /* PTRACE_ATTACH to pid 1 */

	t_say("attach to init %s", r < 0 ? "refused" : "works");
}

static void probe_range(void)
{
	/* Call into addresses all over the lower half; faults are fine, surviving is the point. */
	static const unsigned long at[] = { 0x400000, 0x600000000000, 0x7ff000000000, 0x10000, 0x5500000000 };
	int faults = 0;

	signal(SIGSEGV, seg);
	signal(SIGILL, seg);
	signal(SIGBUS, seg);
	for (int i = 0; i < 5; i++)
		if (sigsetjmp(jb, 1))
			faults++;
		else if (at[i] != 0x400000)
			((void (*)(void))at[i])();
	_exit(0);
}

static void raw_gates(void)
{
	R(fresh_syscall(SYS_getppid, 0, 0, 0) == getppid());
	R(fresh_syscall(SYS_getpid, 0, 0, 0) == getpid());
	R(fresh_syscall(SYS_open, (long)"/nothere/at/all", O_RDONLY, 0));
	R(fresh_syscall(SYS_close, 12345, 0, 0));
	R(fresh_syscall(SYS_write, 1, 8, 4));
	R(fresh_syscall(999, 0, 0, 0));
	R(fresh_syscall(SYS_kill, 0x7ffffff0, SIGKILL, 0));
	/* x32 numbers */
	R(fresh_syscall(0x40000000 | SYS_getpid, 0, 0, 0) < 0);
	R(fresh_syscall(SYS_munmap, 0, 4096, 0));
	R(fresh_syscall(SYS_munmap, -4096, 4096, 0));
}

static void kill_all_fds(void)
{
	/* Close every descriptor number a host process could have: the instance must not lose its own. */
	for (int i = 3; i < 4096; i++)
		fresh_syscall(SYS_close, i, 0, 0);
	R(open("still", O_CREAT | O_RDWR, 0600));
	t_say("still writing");
}

static void unmap_low(void)
{
	static const unsigned long areas[] = { 0x100000000, 0x200000000000, 0x7e0000000000 };

	for (int i = 0; i < 3; i++)
		munmap((void *)areas[i], 1UL << 30);
	R(open("again", O_CREAT | O_RDWR, 0600) >= 0);
}

int main(void)
{
	setvbuf(stdout, NULL, _IONBF, 0);
	raw_gates();
	t_child("int 0x80", by_int80);
	t_child("int 0x80 open", int80_open);
	t_child("sysenter", by_sysenter);
	t_child("probing calls", probe_range);
	t_child("close all", kill_all_fds);
	t_child("unmap areas", unmap_low);
	(void)ptrace_parent;
	t_say("alive at the end");
	return 0;
}
