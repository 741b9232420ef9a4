/* SPDX-License-Identifier: MIT */
/* process_vm_readv and process_vm_writev: own memory, a child's, a stopped child's, after exec; faults and errors. membarrier. */
#include "t.h"
#include <linux/membarrier.h>
#include <sys/uio.h>

#define SIZE 300000

static char *big, own[SIZE];
static int word = 1;

static ssize_t get(pid_t pid, void *to, void *from, size_t n)
{
	struct iovec l = { to, n }, r = { from, n };

	return process_vm_readv(pid, &l, 1, &r, 1, 0);
}

static ssize_t put(pid_t pid, void *to, void *from, size_t n)
{
	struct iovec l = { from, n }, r = { to, n };

	return process_vm_writev(pid, &l, 1, &r, 1, 0);
}

static void child_memory(void)
{
	struct iovec l[3], r[3];
	int go[2], back[2], st, v = 0;
	char c, *hole;
	pid_t pid;

	pipe(go);
	pipe(back);
	hole = mmap(NULL, 3 * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	munmap(hole + 4096, 4096);
	fflush(stdout);
	pid = fork();
	if (pid == 0) {
		word = 42;
		for (int i = 0; i < SIZE; i++)
			big[i] = (char)(i * 7);
		write(back[1], "r", 1);
		read(go[0], &c, 1);
		write(back[1], word == 77 && big[1000] == 'P' ? "y" : "n", 1);
		read(go[0], &c, 1);
		_exit(0);
	}
	read(back[0], &c, 1);
	R(get(pid, &v, &word, sizeof(v)));
	R(v);
	R(word);
	R(get(pid, own, big, SIZE));
	Y(own[12345] == (char)(12345 * 7) && own[SIZE - 1] == (char)((SIZE - 1) * 7) && big[12345] == 0);
	v = 77;
	R(put(pid, &word, &v, sizeof(v)));
	R(put(pid, big + 1000, "P", 1));
	write(go[1], "g", 1);
	read(back[0], &c, 1);
	t_say("the child saw it: %c", c);
	/* stopped */
	kill(pid, SIGSTOP);
	waitpid(pid, &st, WUNTRACED);
	R(get(pid, &v, &word, sizeof(v)));
	R(v);
	kill(pid, SIGCONT);
	/* vectors of different shapes */
	l[0] = (struct iovec){ own, 3 };
	l[1] = (struct iovec){ own + 10, 0 };
	l[2] = (struct iovec){ own + 20, 10 };
	r[0] = (struct iovec){ big, 5 };
	r[1] = (struct iovec){ big + 100, 6 };
	R(process_vm_readv(pid, l, 3, r, 2, 0));
	Y(own[2] == (char)14 && own[20] == (char)21 && own[22] == (char)700);
	R(process_vm_readv(pid, l, 3, r, 0, 0));
	R(process_vm_readv(pid, l, 0, r, 2, 0));
	/* faults */
	R(get(pid, own, hole + 4096, 10));
	R(get(pid, own, hole, 2 * 4096));
	R(get(pid, hole + 4096, big, 10));
	R(get(pid, own, (void *)-4096L, 10));
	R(put(pid, (void *)"constant", "x", 1));
	R(get(0x7ffffff0, own, own, 1));
	R(process_vm_readv(pid, l, 1, r, 1, 5));
	R(process_vm_readv(pid, l, 2000, r, 1, 0));
	R(process_vm_readv(pid, l, 1, r, 2000, 0));
	R(process_vm_readv(pid, l, 1, (void *)8, 1, 0));
	if (geteuid() == 0) {
		fflush(stdout);
		if (fork() == 0) {
			setresuid(1000, 1000, 1000);
			R(get(pid, &v, &word, sizeof(v)));
			_exit(0);
		}
		wait(&st);
	}
	write(go[1], "e", 1);
	waitid(P_PID, pid, &(siginfo_t){ 0 }, WEXITED | WNOWAIT);
	R(get(pid, &v, &word, sizeof(v)));
	waitpid(pid, &st, 0);
	R(get(getpid(), &v, &word, sizeof(v)));
	R(v);
	R(get(getpid(), own, big, SIZE));
}

/* Many at once, while the other side maps and unmaps. */
static void busy(void)
{
	pid_t pid = fork(), readers[3];
	int st, bad = 0;

	if (pid == 0) {
		for (;;) {
			char *p = mmap(NULL, 65536, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

			p[0] = 1;
			munmap(p, 65536);
		}
	}
	for (int i = 0; i < 3; i++) {
		readers[i] = fork();
		if (readers[i] == 0) {
			for (int k = 0; k < 300; k++)
				bad += get(pid, own, big, 20000) != 20000;
			_exit(bad != 0);
		}
	}
	for (int i = 0; i < 3; i++) {
		waitpid(readers[i], &st, 0);
		bad += st != 0;
	}
	R(bad);
	kill(pid, SIGKILL);
	waitpid(pid, &st, 0);
}

static void barriers(void)
{
	int q = syscall(SYS_membarrier, MEMBARRIER_CMD_QUERY, 0, 0);

	Y(q & MEMBARRIER_CMD_PRIVATE_EXPEDITED && q & MEMBARRIER_CMD_PRIVATE_EXPEDITED_RSEQ);
	R(syscall(SYS_membarrier, MEMBARRIER_CMD_PRIVATE_EXPEDITED_RSEQ, 0, 0));
	R(syscall(SYS_membarrier, MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED_RSEQ, 0, 0));
	R(syscall(SYS_membarrier, MEMBARRIER_CMD_PRIVATE_EXPEDITED_RSEQ, 0, 0));
	R(syscall(SYS_membarrier, MEMBARRIER_CMD_PRIVATE_EXPEDITED_RSEQ, MEMBARRIER_CMD_FLAG_CPU, 0));
	R(syscall(SYS_membarrier, MEMBARRIER_CMD_PRIVATE_EXPEDITED, 0, 0));
	R(syscall(SYS_membarrier, MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED, 0, 0));
	R(syscall(SYS_membarrier, MEMBARRIER_CMD_PRIVATE_EXPEDITED, 0, 0));
	R(syscall(SYS_membarrier, MEMBARRIER_CMD_PRIVATE_EXPEDITED, 1, 0));
	R(syscall(SYS_set_thread_area, NULL));
	R(syscall(SYS_get_thread_area, NULL));
}

int main(void)
{
	big = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	child_memory();
	busy();
	barriers();
	return 0;
}
