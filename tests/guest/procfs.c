/* SPDX-License-Identifier: MIT */
/* /proc, /dev and /sys as runtimes read them: presence, shape and consistency, never values. */
#include "t.h"
#include <sys/uio.h>
#include <ctype.h>
#include <dirent.h>
#include <pthread.h>
#include <sys/ioctl.h>

static char buf[1 << 20];

static long slurp(const char *path)
{
	int fd = open(path, O_RDONLY);
	long n = 0, r;

	if (fd < 0)
		return -1;
	while (n < (long)sizeof(buf) - 1 && (r = read(fd, buf + n, sizeof(buf) - 1 - (size_t)n)) > 0)
		n += r;
	buf[n] = 0;
	close(fd);
	return n;
}

static void has(const char *path, const char *const *keys)
{
	if (slurp(path) < 0) {
		t_val(path, -1);
		return;
	}
	for (; *keys; keys++)
		t_say("%s has \"%s\": %s", path, *keys, strstr(buf, *keys) ? "yes" : "no");
}

static void numbers(const char *path)
{
	long n = slurp(path), digits = 0;

	for (long i = 0; i < n; i++)
		digits += isdigit((unsigned char)buf[i]) != 0;
	t_say("%s: %s, ends in newline %d", path, digits > 0 ? "a number" : "no number",
	      n > 0 && buf[n - 1] == '\n');
}

static void fields(const char *path)
{
	int n = 0, in = 0;
	char *p;

	if (slurp(path) < 0) {
		t_val(path, -1);
		return;
	}
	p = strrchr(buf, ')');
	for (p = p ? p + 1 : buf; *p && *p != '\n'; p++) {
		if (*p != ' ' && !in)
			n++;
		in = *p != ' ';
	}
	t_say("%s: %d fields", path, n);
}

#define K(...) ((const char *const[]){ __VA_ARGS__, NULL })

static void maps(void)
{
	void *a = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	char line[512];
	FILE *f;
	unsigned long lo, hi, last = 0;
	char perm[5];
	int found = 0, sorted = 1, stack = 0, heap = 0, exe = 0, code = 0;

	mprotect(a, 4096, PROT_READ);
	free(malloc(100));
	f = fopen("/proc/self/maps", "r");
	while (f && fgets(line, sizeof(line), f)) {
		if (sscanf(line, "%lx-%lx %4s", &lo, &hi, perm) != 3)
			continue;
		sorted &= lo >= last;
		last = hi;
		if (lo <= (unsigned long)a && hi > (unsigned long)a)
			found += strcmp(perm, "r--p") == 0;
		if (lo <= (unsigned long)a + 4096 && hi > (unsigned long)a + 4096)
			found += strcmp(perm, "rw-p") == 0;
		stack += strstr(line, "[stack]") != NULL;
		heap += strstr(line, "[heap]") != NULL;
		exe += strstr(line, "/procfs") != NULL;
		code += lo <= (unsigned long)maps && hi > (unsigned long)maps && perm[2] == 'x';
	}
	t_say("maps: mapping right %d sorted %d stack %d heap %d exe %d code %d", found, sorted, stack,
	      heap, exe > 0, code);
}

static void links(void)
{
	char b[4096], c[4096];
	ssize_t n = readlink("/proc/self/exe", b, sizeof(b) - 1);
	int fd, p[2];

	b[n > 0 ? n : 0] = 0;
	Y(n > 0 && strstr(b, "procfs"));
	n = readlink("/proc/self/cwd", b, sizeof(b) - 1);
	b[n > 0 ? n : 0] = 0;
	Y(getcwd(c, sizeof(c)) && strcmp(b, c) == 0);
	R(readlink("/proc/self/root", b, sizeof(b)));
	n = readlink("/proc/self", b, sizeof(b) - 1);
	b[n > 0 ? n : 0] = 0;
	Y(atoi(b) == getpid());
	fd = open("file", O_CREAT | O_RDWR, 0600);
	snprintf(c, sizeof(c), "/proc/self/fd/%d", fd);
	n = readlink(c, b, sizeof(b) - 1);
	b[n > 0 ? n : 0] = 0;
	Y(n > 5 && strcmp(b + n - 5, "/file") == 0);
	write(fd, "text", 4);
	fd = open(c, O_RDONLY);
	R(read(fd, b, 10));
	pipe(p);
	snprintf(c, sizeof(c), "/proc/self/fd/%d", p[0]);
	n = readlink(c, b, sizeof(b) - 1);
	b[n > 0 ? n : 0] = 0;
	t_say("pipe link %.6s", b);
	R(readlink("/proc/self/fd/999", b, sizeof(b)));
	R(open("/proc/self/nothere", O_RDONLY));
	R(open("/proc/999999999/stat", O_RDONLY));
	R(mkdir("/proc/x", 0755));
	snprintf(c, sizeof(c), "/proc/self/fdinfo/%d", fd);
	has(c, K("pos:", "flags:"));
}

static void *idle(void *a)
{
	pause();
	return a;
}

static int count(const char *dir)
{
	DIR *d = opendir(dir);
	struct dirent *e;
	int n = 0;

	while (d && (e = readdir(d)))
		n += e->d_name[0] != '.';
	if (d)
		closedir(d);
	return n;
}

static void devices(void)
{
	struct stat st;
	const char *const dev[] = { "/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom",
				    "/dev/tty", "/dev/ptmx" };
	char b[8] = "xxxxxxx";
	int fd;

	for (int i = 0; i < 7; i++)
		if (stat(dev[i], &st) == 0)
			t_say("%s %x:%x chr %d", dev[i], (unsigned)(st.st_rdev >> 8),
			      (unsigned)(st.st_rdev & 255), S_ISCHR(st.st_mode));
		else
			t_val(dev[i], -1);
	fd = open("/dev/null", O_RDWR);
	R(read(fd, b, 4));
	R(write(fd, b, 4));
	R(ioctl(fd, TCGETS, b));
	fd = open("/dev/zero", O_RDWR);
	R(read(fd, b, 4));
	Y(memcmp(b, "\0\0\0\0xx", 6) == 0);
	Y(mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0) != MAP_FAILED);
	fd = open("/dev/full", O_RDWR);
	R(read(fd, b, 4));
	R(write(fd, b, 4));
	fd = open("/dev/urandom", O_RDONLY);
	R(read(fd, buf, 1000));
	fd = open("/dev/shm/guest-test", O_CREAT | O_RDWR, 0600);
	Y(fd >= 0);
	R(unlink("/dev/shm/guest-test"));
	R(access("/dev/fd/0", F_OK));
	R(access("/dev/stdin", F_OK));
}

/* Counts of /proc/self/io; the length of its text. */
static long io_now(const char *name, unsigned long v[4])
{
	char text[400];
	int fd = open(name, O_RDONLY);
	long n = read(fd, text, sizeof(text) - 1);

	text[n < 0 ? 0 : n] = 0;
	close(fd);
	if (sscanf(text, "rchar: %lu\nwchar: %lu\nsyscr: %lu\nsyscw: %lu\nread_bytes: ", &v[0], &v[1], &v[2], &v[3]) != 4)
		printf("io: unexpected text\n");
	return n;
}

static void *io_thread(void *fd)
{
	t_val("thread writes", write((int)(long)fd, "0123456789", 10));
	return NULL;
}

static void io_counts(void)
{
	static const char *const name[] = { "/proc/self/io", "/proc/thread-self/io" };
	int null = open("/dev/null", O_RDWR), zero = open("/dev/zero", O_RDONLY);
	unsigned long a[4], b[4];
	pthread_t t;
	char buf[64];
	long len;

	for (int k = 0; k < 2; k++) {
		struct iovec v[2] = { { buf, 10 }, { buf, 20 } };

		len = io_now(name[k], a);
		for (int i = 0; i < 5; i++)
			write(null, buf, 7);
		writev(null, v, 2);
		read(zero, buf, 33);
		read(null, buf, 5);
		readv(zero, v, 2);
		write(zero, buf, 1);
		pthread_create(&t, NULL, io_thread, (void *)(long)null);
		pthread_join(t, NULL);
		if (fork() == 0) {
			write(null, buf, 40);
			_exit(0);
		}
		wait(NULL);
		io_now(name[k], b);
		printf("%s: rchar %lu wchar %lu syscr %lu syscw %lu\n", name[k], b[0] - a[0] - (unsigned long)len, b[1] - a[1], b[2] - a[2],
		       b[3] - a[3]);
	}
	close(null);
	close(zero);
}

int main(void)
{
	pthread_t t[3];

	has("/proc/self/status", K("Name:\tprocfs", "State:\t", "Tgid:", "Pid:", "PPid:", "Uid:", "Gid:",
				   "FDSize:", "VmPeak:", "VmSize:", "VmRSS:", "Threads:\t1\n", "SigQ:",
				   "SigPnd:", "ShdPnd:", "SigBlk:", "SigIgn:", "SigCgt:", "CapEff:",
				   "Cpus_allowed:", "Cpus_allowed_list:", "voluntary_ctxt_switches:"));
	fields("/proc/self/stat");
	fields("/proc/self/statm");
	Y(slurp("/proc/self/cmdline") > 0 && strlen(buf) > 0);
	Y(slurp("/proc/self/environ") > 0 && memmem(buf, sizeof(buf), "T_GUEST=yes", 11));
	Y(slurp("/proc/self/comm") == 7 && strcmp(buf, "procfs\n") == 0);
	has("/proc/self/limits", K("Max open files", "Max stack size", "Limit"));
	has("/proc/self/mounts", K(" / ", " /proc "));
	has("/proc/self/mountinfo", K(" / ", " /proc "));
	has("/proc/self/smaps", K("Size:", "Rss:", "Pss:", "VmFlags:"));
	has("/proc/self/cgroup", K(":"));
	has("/proc/meminfo", K("MemTotal:", "MemFree:", "MemAvailable:", "Buffers:", "Cached:",
			       "SwapTotal:", "SwapFree:"));
	has("/proc/cpuinfo", K("processor\t: 0", "model name", "flags", "cpu MHz"));
	has("/proc/stat", K("cpu ", "cpu0 ", "ctxt ", "btime ", "processes "));
	has("/proc/version", K("Linux version"));
	has("/proc/filesystems", K("proc"));
	fields("/proc/loadavg");
	fields("/proc/uptime");
	numbers("/proc/sys/kernel/pid_max");
	numbers("/proc/sys/kernel/threads-max");
	numbers("/proc/sys/vm/overcommit_memory");
	numbers("/proc/sys/vm/max_map_count");
	numbers("/proc/sys/net/core/somaxconn");
	numbers("/proc/sys/fs/file-max");
	numbers("/proc/sys/fs/pipe-max-size");
	numbers("/sys/devices/system/cpu/online");
	numbers("/sys/devices/system/cpu/possible");
	has("/proc/sys/kernel/ostype", K("Linux"));
	has("/proc/net/dev", K("lo:"));
	has("/proc/net/tcp", K("local_address"));
	maps();
	links();
	for (int i = 0; i < 3; i++)
		pthread_create(&t[i], NULL, idle, NULL);
	t_say("tasks %d", count("/proc/self/task"));
	has("/proc/self/status", K("Threads:\t4\n"));
	Y(count("/proc/self/fd") >= 3);
	devices();
	io_counts();
	return 0;
}
