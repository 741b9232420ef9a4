/* SPDX-License-Identifier: MIT */
/* execve, vfork, posix_spawn, scripts, close-on-exec, and their errors. */
/* guest: time=30 */
#include "t.h"
#include <pthread.h>
#include <spawn.h>
#include <sys/resource.h>

extern char **environ;
static char self[4096];

static int role(int argc, char **argv)
{
	if (!strcmp(argv[1], "show")) {
		t_say("argc %d argv0 %s env %s", argc, strrchr(argv[0], '/') ? "path" : argv[0],
		      getenv("X") ? getenv("X") : "none");
		for (int i = 2; i < argc; i++)
			t_say("arg %s", argv[i]);
		return 11;
	}
	if (!strcmp(argv[1], "fds")) {
		t_say("plain %d cloexec %d", fcntl(20, F_GETFD), fcntl(21, F_GETFD));
		return 0;
	}
	if (!strcmp(argv[1], "sigs")) {
		struct sigaction a, b;
		sigset_t m;

		sigaction(SIGUSR1, NULL, &a);
		sigaction(SIGUSR2, NULL, &b);
		sigprocmask(SIG_BLOCK, NULL, &m);
		t_say("usr1 %s usr2 %s hup blocked %d term blocked %d",
		      a.sa_handler == SIG_IGN ? "ign" : "dfl", b.sa_handler == SIG_DFL ? "dfl" : "other",
		      sigismember(&m, SIGHUP), sigismember(&m, SIGTERM));
		return 0;
	}
	if (!strcmp(argv[1], "pid"))
		return getpid() == atoi(argv[2]) ? 0 : 1;
	return 99;
}

static void exec_show(void)
{
	char *av[] = { "given-name", "show", "a b", "", NULL }, *ev[] = { "X=1", NULL };

	execve(self, av, ev);
}

static void exec_fds(void)
{
	char *av[] = { self, "fds", NULL };
	int fd = open("/dev/null", O_RDONLY);

	dup2(fd, 20);
	dup3(fd, 21, O_CLOEXEC);
	execv(self, av);
}

static void handler(int s) { (void)s; }

static void exec_sigs(void)
{
	char *av[] = { self, "sigs", NULL };
	sigset_t m;

	signal(SIGUSR1, SIG_IGN);
	signal(SIGUSR2, handler);
	sigemptyset(&m);
	sigaddset(&m, SIGHUP);
	sigprocmask(SIG_BLOCK, &m, NULL);
	execv(self, av);
}

static void exec_pid(void)
{
	char b[20];
	char *av[] = { self, "pid", b, NULL };

	snprintf(b, sizeof(b), "%d", getpid());
	execv(self, av);
}

static void *exec_it(void *arg)
{
	(void)arg;
	exec_pid();
	return NULL;
}
static void *sleeper(void *arg)
{
	(void)arg;
	pause();
	return NULL;
}
static void exec_from_thread(void)
{
	pthread_t t, u;

	pthread_create(&u, NULL, sleeper, NULL);
	pthread_create(&t, NULL, exec_it, NULL);
	pause();
}

static void put(const char *name, const char *text, mode_t mode)
{
	int fd = open(name, O_CREAT | O_TRUNC | O_WRONLY, mode);

	write(fd, text, strlen(text));
	close(fd);
}

static void script(void)
{
	char b[8192];
	char *av[] = { "zero", "one", "two", NULL }, *ev[] = { "X=script", NULL };

	snprintf(b, sizeof(b), "#! %s show\nanything\n", self);
	put("script", b, 0755);
	execve("script", av, ev);
	_exit(77);
}
static void script_sh(void)
{
	char *av[] = { "zero", "one", NULL };

	put("sh1", "#!/bin/sh\necho sh: $0 $1 $#\nexit 4\n", 0755);
	execv("./sh1", av);
	_exit(77);
}
static void script_execvp(void)
{
	char *av[] = { "./plain", "one", NULL };

	put("plain", "echo no header: $1\n", 0755);
	execvp("./plain", av);
	_exit(77);
}

static void errors(void)
{
	char *av[] = { "x", NULL }, *big[] = { "x", NULL, NULL };
	char *huge = malloc(200000);

	put("text", "plain text", 0755);
	put("noexec", "#!/bin/sh\n", 0644);
	put("badint", "#!/nothere/at/all\n", 0755);
	put("elf", "\177ELF\2\1\1 nonsense that is not an ELF header at all, but long enough to be one", 0755);
	put("empty", "", 0755);
	put("loopsh", "#! ./loopsh\n", 0755);
	R(execv("nothere", av));
	R(execv("noexec", av));
	R(execv("badint", av));
	R(execv("elf", av));
	R(execv("text", av));
	R(execv("empty", av));
	R(execv(".", av));
	R(execv("text/x", av));
	R(execv("loopsh", av));
	R(execv("", av));
	R(execve((char *)8, av, av));
	R(execve("/bin/true", (char **)8, av));
	memset(huge, 'a', 199999);
	huge[199999] = 0;
	big[1] = huge;
	R(execv("/bin/true", big));
	R(execv("", NULL));
	R(syscall(SYS_execveat, 99, "x", av, av, 0));
	R(syscall(SYS_execveat, open("noexec", O_RDONLY), "", av, av, AT_EMPTY_PATH));
	R(syscall(SYS_execveat, AT_FDCWD, "text", av, av, 0x77));
}

static void spawns(void)
{
	char *av[] = { self, "show", "spawned", NULL }, *ev[] = { "X=sp", NULL }, b[100] = "";
	pid_t p;
	int st, out;
	posix_spawn_file_actions_t fa;
	posix_spawnattr_t at;

	out = posix_spawn(&p, self, NULL, NULL, av, ev);
	waitpid(p, &st, 0); /* before saying anything: both run at once */
	t_say("posix_spawn %d", out);
	t_status("spawn", st);
	posix_spawn_file_actions_init(&fa);
	posix_spawn_file_actions_addopen(&fa, 1, "spawn.out", O_CREAT | O_WRONLY | O_TRUNC, 0600);
	posix_spawnattr_init(&at);
	posix_spawnattr_setflags(&at, POSIX_SPAWN_SETPGROUP);
	E(posix_spawn(&p, self, &fa, &at, av, ev));
	waitpid(p, &st, 0);
	out = open("spawn.out", O_RDONLY);
	R(read(out, b, 99));
	E(posix_spawn(&p, "nothere", NULL, NULL, av, ev));
	E(posix_spawnp(&p, "true", NULL, NULL, av, environ));
	waitpid(p, &st, 0);
	t_status("true", st);
	for (int i = st = 0; i < 30; i++) {
		int s;

		posix_spawn(&p, "/bin/true", NULL, NULL, av, environ);
		waitpid(p, &s, 0);
		st += s;
	}
	t_say("30 spawns %d", st);
	R(system("exit 3") >> 8);
	{
		FILE *f = popen("echo from popen; exit 6", "r");

		t_say("%s", fgets(b, 99, f));
		R(pclose(f) >> 8);
	}
}

static void vforks(void)
{
	volatile int v = 1;
	int st;
	pid_t p = vfork();

	if (p == 0) {
		v = 2;
		_exit(8);
	}
	waitpid(p, &st, 0);
	t_status("vfork", st);
	t_say("memory shared: %d", v);
	p = vfork();
	if (p == 0) {
		execl("/bin/sh", "sh", "-c", "exit 9", (char *)NULL);
		_exit(1);
	}
	waitpid(p, &st, 0);
	t_status("vfork and exec", st);
}

int main(int argc, char **argv)
{
	ssize_t n;

	if (argc > 1)
		return role(argc, argv);
	n = readlink("/proc/self/exe", self, sizeof(self) - 1);
	if (n < 0)
		return 1;
	t_child("exec", exec_show);
	t_child("close-on-exec", exec_fds);
	t_child("signals", exec_sigs);
	t_child("pid kept", exec_pid);
	t_child("exec from a thread", exec_from_thread);
	t_child("script", script);
	t_child("shell script", script_sh);
	t_child("no header, execvp", script_execvp);
	errors();
	spawns();
	vforks();
	return 0;
}
