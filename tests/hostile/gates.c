/* SPDX-License-Identifier: MIT */
/* Every way into the host kernel that is not a call of the stub as its authors meant it. */
#include "tests/hostile/jail.h"
#include <time.h>
#include <ucontext.h>

static unsigned char *code_page(int low)
{
	unsigned char *p = mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS | (low ? MAP_32BIT : 0), -1, 0);

	if (p == MAP_FAILED)
		exit(3);
	return p;
}

/* A child does it; what becomes of the child is said. */
static void in_child(const char *what, void (*fn)(void))
{
	int st;
	pid_t pid = fork();

	if (!pid) {
		fn();
		_exit(0);
	}
	waitpid(pid, &st, 0);
	if (WIFSIGNALED(st))
		printf("%s: SIG%s\n", what, sigabbrev_np(WTERMSIG(st)));
	else
		printf("%s: exit %d\n", what, WEXITSTATUS(st));
}

static long int80(long nr, long a, long b)
{
	long r;

	__asm__ volatile("int $0x80" : "=a"(r) : "a"(nr), "b"(a), "c"(b), "d"(0) : "memory", "r8", "r9", "r10", "r11");
	return (int)r;
}

void by_int80(char **args)
{
	char *low = (char *)code_page(1);

	strcpy(low, "/etc/passwd");
	say("int80 getpid", int80(20, 0, 0));
	say("int80 open", int80(5, (long)low, 0));
	say("int80 mkdir", int80(39, (long)strcpy(low, args[0]), 0700));
	say("int80 kill", int80(37, 1, 0));
	say("int80 exit", int80(1, 9, 0));
}

static void sysenter(void)
{
	char *low = (char *)code_page(1);

	__asm__ volatile("mov %0, %%rbp; mov $1, %%eax; mov $9, %%ebx; sysenter" : : "r"(low + 4000) : "memory", "rax", "rbx");
}

void by_sysenter(char **args)
{
	(void)args;
	in_child("sysenter exit(9)", sysenter);
}

/* 32-bit code: mov $1,%eax; mov $9,%ebx; int $0x80; hlt */
static void compat(void)
{
	static const unsigned char code[] = { 0xb8, 1, 0, 0, 0, 0xbb, 9, 0, 0, 0, 0xcd, 0x80, 0xf4 };
	unsigned char *p = code_page(1);
	struct { uint32_t ip; uint16_t cs; } __attribute__((packed)) to = { (uint32_t)(uintptr_t)p, 0x23 };

	memcpy(p, code, sizeof(code));
	__asm__ volatile("mov %1, %%rsp; ljmp *%0" : : "m"(to), "r"(p + 4000) : "memory", "rax", "rbx");
}

void by_compat_code(char **args)
{
	(void)args;
	in_child("32-bit exit(9)", compat);
}

/* The second half of a patched `mov $nr, %eax; syscall`, reached with a number of our own. */
void by_patched_site(char **args)
{
	unsigned char *p = (unsigned char *)getppid;
	long r = -1;

	(void)args;
	for (int i = 0; i < 64; i++) {
		if (p[i] != 0x0f || p[i + 1] != 0x05)
			continue;
		printf("site: %s\n", p[i - 5] == 0xe9 ? "patched" : "not patched");
		__asm__ volatile("call *%1" : "=a"(r) : "r"(p + i), "a"(SYS_getpid) : "memory", "rcx", "r11");
		say("getpid there is ours", r == getpid());
		__asm__ volatile("call *%1" : "=a"(r) : "r"(p + i), "a"(SYS_unshare), "D"(CLONE_NEWUSER) : "memory", "rcx", "r11");
		printf("unshare there: %s\n", r < 0 ? "refused" : "done");
		return;
	}
	printf("no site\n");
}

static long own(unsigned char *page, long nr, long a, long b, long c)
{
	/* mov %rdi,%rax; mov %rsi,%rdi; mov %rdx,%rsi; mov %rcx,%rdx; syscall; ret */
	static const unsigned char code[] = { 0x48, 0x89, 0xf8, 0x48, 0x89, 0xf7, 0x48, 0x89, 0xd6, 0x48, 0x89, 0xca, 0x0f, 0x05, 0xc3 };

	memcpy(page, code, sizeof(code));
	return ((long (*)(long, long, long, long))(void *)page)(nr, a, b, c);
}

void by_own_code(char **args)
{
	unsigned char *p = code_page(0);

	say("getpid is ours", own(p, SYS_getpid, 0, 0, 0) == getpid());
	say("kill of a host process", own(p, SYS_kill, atoi(args[0]), 0, 0));
	printf("ptrace: %s\n", own(p, SYS_ptrace, 16, 1, 0) < 0 ? "refused" : "done");
	say("x32 getpid", own(p, 0x40000000 | SYS_getpid, 0, 0, 0));
}

void by_vsyscall(char **args)
{
	long (*vtime)(long *) = (void *)0xffffffffff600400;
	long t = vtime(NULL);

	(void)args;
	printf("vsyscall time: %s\n", t >= time(NULL) - 2 && t <= time(NULL) ? "the time" : "something else");
}

static long raw_at(char *syscall_end, long nr, long a, long b, long c, long d, long e)
{
	register long r10 __asm__("r10") = d;
	register long r8 __asm__("r8") = e;
	long r;

	__asm__ volatile("call *%1" : "=a"(r) : "r"(syscall_end - 2), "a"(nr), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8) : "memory", "rcx", "r11");
	return r;
}

void by_middle_of_stub(char **args)
{
	(void)args;
	say("execve", raw_at(stub_syscall_ret, SYS_execve, (long)"/bin/true", 0, 0, 0, 0));
	say("socket", raw_at(stub_syscall_ret, SYS_socket, AF_INET, SOCK_STREAM, 0, 0, 0));
	say("openat2 at the host's cwd", raw_at(stub_syscall_ret, SYS_openat2, AT_FDCWD, (long)"/etc/passwd", 0, 24, 0));
}

void by_x32_number(char **args)
{
	say("x32 mkdir", raw_at(stub_syscall_ret, 0x40000000 | SYS_mkdir, (long)args[0], 0700, 0, 0, 0));
}

void by_uretprobe(char **args)
{
	(void)args;
	say("uretprobe", raw_at(stub_syscall_ret, 335, 0, 0, 0, 0, 0));
}

/* The clone stub's syscall instruction: it pops three registers before it returns to us. */
static long clone_stub(long nr, long a, long b, long c)
{
	long r;

	__asm__ volatile("lea 1f(%%rip), %%r11; push %%r11; push %%rbx; push %%r12; push %%r13; jmp *%1; 1:"
			 : "=a"(r) : "r"(stub_clone_ret - 2), "a"(nr), "D"(a), "S"(b), "d"(c) : "memory", "rcx", "r11", "r8", "r10");
	return r;
}

void by_clone_stub(char **args)
{
	(void)args;
	say("unshare", clone_stub(SYS_unshare, CLONE_NEWUSER, 0, 0));
	say("clone into a user namespace", clone_stub(SYS_clone, CLONE_FILES | CLONE_NEWUSER | SIGCHLD, 0, 0));
	say("clone without shared files", clone_stub(SYS_clone, SIGCHLD, 0, 0));
	say("clone that shares memory only", clone_stub(SYS_clone, CLONE_VM | CLONE_FILES | SIGCHLD, 0, 0));
	say("clone untraced", clone_stub(SYS_clone, CLONE_FILES | CLONE_UNTRACED | SIGCHLD, 0, 0));
}

/* A number of our own in the sigreturn stub; behind its syscall there is only ud2. */
void by_restorer_stub(char **args)
{
	raw_at(stub_restorer_ret, SYS_mkdir, (long)args[0], 0700, 0, 0, 0);
}

/* rt_sigreturn with a frame of our own: registers of our choice, and a mask that blocks everything. */
static void landed(void)
{
	long r;

	/* no stack of ours to trust: straight to a forbidden call through the stub */
	__asm__ volatile("call *%1" : "=a"(r) : "r"(stub_syscall_ret - 2), "a"(SYS_execve), "D"("/bin/true"), "S"(0), "d"(0) : "memory", "rcx", "r11");
	say("execve after a forged sigreturn", r);
	_exit(0);
}

void by_forged_sigreturn(char **args)
{
	static char frame[4096] __attribute__((aligned(64)));
	static char stack[65536] __attribute__((aligned(64)));
	ucontext_t *uc = (void *)(frame + 8);

	(void)args;
	uc->uc_mcontext.gregs[REG_RIP] = (long)landed;
	uc->uc_mcontext.gregs[REG_RSP] = (long)(stack + sizeof(stack) - 72);
	uc->uc_mcontext.gregs[REG_CSGSFS] = 0x002b000000000033;
	uc->uc_mcontext.gregs[REG_EFL] = 0x202;
	memset(&uc->uc_sigmask, 0xff, 8);
	__asm__ volatile("mov %0, %%rsp; mov $15, %%eax; jmp *%1" : : "r"(uc), "r"(stub_restorer_ret - 2) : "memory", "rax");
}

static void on_sys(int sig, siginfo_t *si, void *ctx)
{
	(void)ctx;
	printf("own handler: signal %d for call %d\n", sig, si->si_syscall);
}

/* Our handler for the host's SIGSYS: traps come to us, and still nothing happens. */
void by_own_handler(char **args)
{
	struct { void *handler; unsigned long flags; void *restorer; uint64_t mask; } sa = {
		(void *)on_sys, SA_SIGINFO | SA_NODEFER | 0x04000000, stub_restorer_ret - 7, 0
	};
	unsigned char *p = code_page(0);

	say("rt_sigaction", stub(SYS_rt_sigaction, SIGSYS, (long)&sa, 0, 8, 0, 0));
	own(p, SYS_mkdir, (long)args[0], 0700, 0);
	_exit(0);
}

/* The kernel's base register lost: it can only die. */
void by_lost_gs(char **args)
{
	(void)args;
	__asm__ volatile("wrgsbase %0" : : "r"(0ul));
	getppid();
}
