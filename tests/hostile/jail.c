/* SPDX-License-Identifier: MIT */
/*
 * A program that has taken over its own instance: it knows where the host-call stubs are and jumps into them. Run by tests/hostile.sh,
 * one attempt per run: `jail ATTEMPT [ARG...]`. The stubs' places come in the environment variable STUBS as offsets (nm) from
 * kernel_entry_syscall, whose address every program can read at %gs:0x10. Prints one line per thing tried.
 *
 * `jail watch SECONDS COMMAND...` is the other side, on Linux: it runs a command and says how it ended, so that a killed launcher and
 * a killed program are told apart. An argument @LAUNCHER becomes that command's process id.
 */
#include "tests/hostile/jail.h"

long (*stub_syscall)(long nr, long a, long b, long c, long d, long e, long f);
char *kernel_entry, *stub_syscall_ret, *stub_restorer_ret, *stub_clone_ret;

static void find_stubs(void)
{
	const char *s = getenv("STUBS");
	long at[4];

	if (!s || sscanf(s, "%ld,%ld,%ld,%ld", &at[0], &at[1], &at[2], &at[3]) != 4) {
		printf("no STUBS\n");
		exit(2);
	}
	__asm__("mov %%gs:0x10, %0" : "=r"(kernel_entry));
	stub_syscall = (void *)(kernel_entry + at[0]);
	stub_syscall_ret = kernel_entry + at[1];
	stub_restorer_ret = kernel_entry + at[2];
	stub_clone_ret = kernel_entry + at[3];
}

long stub(long nr, long a, long b, long c, long d, long e, long f)
{
	return stub_syscall(nr, a, b, c, d, e, f);
}

void say(const char *what, long r)
{
	const char *name = r < 0 && r > -4096 ? strerrorname_np((int)-r) : NULL;

	if (name)
		printf("%s: -%s\n", what, name);
	else
		printf("%s: %ld\n", what, r);
	fflush(stdout);
}

static volatile pid_t watched;
static void too_long(int sig)
{
	(void)sig;
	kill(watched, SIGKILL);
}

static int watch(int secs, char **argv)
{
	int st;

	watched = fork();
	if (!watched) {
		char own[20];

		snprintf(own, sizeof(own), "%d", getpid());
		for (char **a = argv; *a; a++)
			if (!strcmp(*a, "@LAUNCHER"))
				*a = own;
		execvp(argv[0], argv);
		_exit(127);
	}
	signal(SIGALRM, too_long);
	alarm((unsigned)secs);
	while (waitpid(watched, &st, 0) < 0)
		;
	if (WIFEXITED(st))
		printf("launcher exited %d\n", WEXITSTATUS(st));
	else
		printf("launcher killed by signal %d\n", WTERMSIG(st));
	return 0;
}

int main(int argc, char **argv)
{
	if (argc < 2)
		return 2;
	setvbuf(stdout, NULL, _IONBF, 0);
	if (!strcmp(argv[1], "watch") && argc > 3)
		return watch(atoi(argv[2]), argv + 3);
	find_stubs();
	for (const struct attempt *a = attempts; a->name; a++)
		if (!strcmp(a->name, argv[1])) {
			a->run(argv + 2);
			printf("still here\n");
			return 0;
		}
	printf("no such attempt\n");
	return 2;
}
