/* SPDX-License-Identifier: MIT */
/*
 * `jctl doctor`: what of this host an instance can use. One row per facility: found or not, what it means, how to get it. Probes change
 * nothing: what they make is gone when they return. `--host-calls` prints the filter's table instead.
 */
#include <cpuid.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/if_tun.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/sysinfo.h>
#include <unistd.h>

#include "tools/jctl/host_calls.h"
#include "tools/jctl/jctl.h"
#include "jabi/jabi_kmod.h"
#include "tools/jctl/launch.h"
#include "tools/patch/cache.h"

#define DETAIL 160

enum verdict { ABSENT, PRESENT };

struct probe {
	const char *name;
	bool is_needed; /* instances do not start without it */
	enum verdict (*look)(char *detail);
	const char *meaning;
	const char *mend; /* printed when absent */
};

static void say(char *detail, const char *fmt, ...) printf_like(2, 3);
static void say(char *detail, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(detail, DETAIL, fmt, ap);
	va_end(ap);
}

static enum verdict look_fsgsbase(char *detail)
{
	(void)detail;
	return getauxval(AT_HWCAP2) & 2 ? PRESENT : ABSENT; /* HWCAP2_FSGSBASE */
}

static enum verdict look_seccomp(char *detail)
{
	u32 action = SECCOMP_RET_TRAP;

	if (syscall(SYS_seccomp, SECCOMP_GET_ACTION_AVAIL, 0, &action)) {
		say(detail, "%s", strerror(errno));
		return ABSENT;
	}
	return PRESENT;
}

static enum verdict look_sud(char *detail)
{
	(void)detail;
	/* PR_SET_SYSCALL_USER_DISPATCH, PR_SYS_DISPATCH_OFF */
	return prctl(59, 0, 0, 0, 0) ? ABSENT : PRESENT;
}

static enum verdict look_landlock(char *detail)
{
	int abi = confine_landlock_abi();

	if (!abi)
		return ABSENT;
	say(detail, "ABI %d%s", abi,
	    abi >= 6   ? ""
	    : abi >= 4 ? ": no signal scope"
		       : ": files only");
	return PRESENT;
}

static enum verdict look_io_uring(char *detail)
{
	const char *step;
	int r = ring_probe(&step);

	if (r)
		say(detail, "%s: %s", step, strerror(-r));
	return r ? ABSENT : PRESENT;
}

/* Opens the clone device only: an interface is made when one is asked for. */
static enum verdict look_tun(char *detail)
{
	unsigned int features = 0;
	int fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC);

	if (fd < 0) {
		say(detail, "/dev/net/tun: %s", strerror(errno));
		return ABSENT;
	}
	if (ioctl(fd, TUNGETFEATURES, &features))
		features = 0;
	close(fd);
	say(detail, "%s%s%s", features & IFF_VNET_HDR ? "vnet_hdr " : "",
	    features & IFF_MULTI_QUEUE ? "multi_queue " : "",
	    geteuid() == 0 ? "" : "(making one needs CAP_NET_ADMIN)");
	return features & IFF_VNET_HDR ? PRESENT : ABSENT;
}

static enum verdict look_af_xdp(char *detail)
{
	int fd = socket(AF_XDP, SOCK_RAW | SOCK_CLOEXEC, 0);

	if (fd < 0) {
		say(detail, "%s", strerror(errno));
		return errno == EPERM ? PRESENT : ABSENT;
	}
	close(fd);
	return PRESENT;
}

static enum verdict look_uintr(char *detail)
{
	unsigned a, b, c, d;

	(void)detail;
	return __get_cpuid_count(7, 0, &a, &b, &c, &d) && (d & (1u << 5)) ? PRESENT : ABSENT;
}

static enum verdict look_kmod(char *detail)
{
	int features = kmod_probe();

	if (features < 0) {
		say(detail, "%s", features == -EPROTO ? "the module is of another version" : strerror(-features));
		return ABSENT;
	}
	say(detail, "user interrupts by %s, page cache%s", features & JABI_KMOD_FEAT_UINTR_HW ? "the CPU" : "software",
	    features & JABI_KMOD_FEAT_MWAIT ? ", watched cores" : "");
	return PRESENT;
}

static enum verdict look_granted(char *detail)
{
	int r = cores_probe();

	if (r < 0) {
		say(detail, "scheduled by the host: %s", r == -ENODEV ? "junctiond has no --cores" : "no junctiond");
		return ABSENT;
	}
	say(detail, "%s", r ? "granted by junctiond and the module" : "as affinity: junctiond has no module");
	return PRESENT;
}

static enum verdict look_rdma(char *detail)
{
	DIR *d = opendir("/sys/class/infiniband");
	const struct dirent *e;
	int n = 0;

	while (d && (e = readdir(d)))
		n += e->d_name[0] != '.';
	if (d)
		closedir(d);
	say(detail, "%d device%s", n, n == 1 ? "" : "s");
	return n ? PRESENT : ABSENT;
}

static long read_number(const char *path)
{
	FILE *f = fopen(path, "re");
	long n = -1;

	if (f && fscanf(f, "%ld", &n) != 1)
		n = -1;
	if (f)
		fclose(f);
	return n;
}

static enum verdict look_hugepages(char *detail)
{
	char line[80] = "";
	FILE *f = fopen("/sys/kernel/mm/transparent_hugepage/enabled", "re");
	long n = read_number("/sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages");

	if (f && !fgets(line, sizeof(line), f))
		line[0] = 0;
	if (f)
		fclose(f);
	line[strcspn(line, "\n")] = 0;
	say(detail, "transparent: %s; reserved 2 MiB pages: %ld", line[0] ? line : "no",
	    n < 0 ? 0 : n);
	return (line[0] && !strstr(line, "[never]")) || n > 0 ? PRESENT : ABSENT;
}

static enum verdict look_memlock(char *detail)
{
	struct rlimit r;

	if (getrlimit(RLIMIT_MEMLOCK, &r))
		return ABSENT;
	if (r.rlim_cur == RLIM_INFINITY)
		say(detail, "unlimited");
	else
		say(detail, "%llu KiB", (unsigned long long)r.rlim_cur / 1024);
	return r.rlim_cur >= 8 * MiB ? PRESENT : ABSENT;
}

static enum verdict look_memfd(char *detail)
{
	int fd = memfd_create("doctor", MFD_CLOEXEC);
	enum verdict v = PRESENT;

	if (fd < 0 || ftruncate(fd, (off_t)(64 * GiB))) {
		say(detail, "%s", strerror(errno));
		v = ABSENT;
	}
	if (fd >= 0)
		close(fd);
	return v;
}

static enum verdict look_cachestat(char *detail)
{
	(void)detail;
	return syscall(451, -1, NULL, NULL, 0) && errno == ENOSYS ? ABSENT : PRESENT;
}

static enum verdict look_cache(char *detail)
{
	char path[4096];
	int fd = cache_open_dir(path, sizeof(path));

	say(detail, "%.150s", fd >= 0 || fd == -EPERM || fd == -EACCES ? path : strerror(-fd));
	if (fd < 0)
		return ABSENT;
	close(fd);
	return PRESENT;
}

static enum verdict look_cores(char *detail)
{
	cpu_set_t set;
	struct sysinfo si;

	CPU_ZERO(&set);
	if (sched_getaffinity(0, sizeof(set), &set) || sysinfo(&si))
		return ABSENT;
	say(detail, "%d CPUs, %llu MiB of memory", CPU_COUNT(&set),
	    (unsigned long long)si.totalram * si.mem_unit / MiB);
	return PRESENT;
}

static const struct probe probes[] = {
	{ "cores and memory", true, look_cores, "what --cores and --mem default to",
	  "allow this process a CPU" },
	{ "sparse memfd", true, look_memfd, "the arena of an instance",
	  "raise `ulimit -f`, use Linux 3.17 or later" },
	{ "seccomp filter", true, look_seccomp, "traps unpatched system calls, limits host calls",
	  "use a kernel with CONFIG_SECCOMP_FILTER; in a container allow seccomp(2)" },
	{ "FSGSBASE", true, look_fsgsbase, "the kernel's per-thread state hangs off GS",
	  "use Linux 5.9 or later on an Intel Ivy Bridge / AMD Zen or later, without "
	  "`nofsgsbase`" },
	{ "syscall user dispatch", false, look_sud,
	  "the other way to trap; not used while seccomp works", "use Linux 5.11 or later" },
	{ "Landlock", false, look_landlock,
	  "confines an instance to its root and volumes, even if it takes over its host process",
	  "use a kernel with CONFIG_SECURITY_LANDLOCK and `lsm=landlock,...` on its command line" },
	{ "cachestat", false, look_cachestat,
	  "tells resident file pages, so that a read need not block", "use Linux 6.5 or later" },
	{ "patch cache", false, look_cache,
	  "patched program text, shared by all instances; without it every call traps (0.9 us)",
	  "make the directory yours, writable by you alone; set HOME or XDG_CACHE_HOME" },
	{ "io_uring", false, look_io_uring, "reads of files that are not in memory wait without blocking a core",
	  "use Linux 5.19 or later with sysctl kernel.io_uring_disabled=0; in a container allow "
	  "io_uring_setup(2)" },
	{ "TUN/TAP", false, look_tun, "--net tap",
	  "load the tun module; run as root, or have root make a persistent TAP for you" },
	{ "AF_XDP", false, look_af_xdp, "packet queues of a real NIC; not used yet",
	  "use a kernel with CONFIG_XDP_SOCKETS" },
	{ "user interrupts", false, look_uintr, "preemption without the host; not used yet",
	  "needs a CPU with UINTR (Sapphire Rapids or later) not hidden by a hypervisor" },
	{ "/dev/junction", false, look_kmod, "kernel module: ticks and kicks without signals, page cache",
	  "make kmod && insmod build/kmod/junction.ko; be root or in its group (docs/KMOD.md)" },
	{ "core grants", false, look_granted, "CPUs given to instances on the switch by load",
	  "junctiond --cores LIST" },
	{ "RDMA devices", false, look_rdma, "verbs queues; not used yet",
	  "needs an RDMA NIC, or soft-RoCE: `rdma link add`" },
	{ "huge pages", false, look_hugepages, "fewer TLB misses in big programs",
	  "echo madvise > /sys/kernel/mm/transparent_hugepage/enabled" },
	{ "memory-lock limit", false, look_memlock,
	  "how much mlock(2) of a program can be honoured", "raise `ulimit -l`" },
};

static int print_probes(void)
{
	int missing = 0;

	for (size_t i = 0; i < ARRAY_SIZE(probes); i++) {
		const struct probe *p = &probes[i];
		char detail[DETAIL] = "";
		bool has = p->look(detail) == PRESENT;

		printf("%-4s %-22s %s%s%s%s\n",
		       has	      ? "yes"
		       : p->is_needed ? "NO"
				      : "no",
		       p->name, p->meaning, detail[0] ? " [" : "", detail, detail[0] ? "]" : "");
		if (!has)
			printf("     %-22s -> %s\n", "", p->mend);
		missing += !has && p->is_needed;
	}
	printf("\n%s\n", missing ? "Instances cannot run here: see the lines marked NO."
				 : "Instances can run here.");
	return missing ? 1 : 0;
}

static void print_group(enum call_group group)
{
	for (size_t i = 0; i < nr_host_calls; i++) {
		const struct host_call *h = &host_calls[i];

		if (h->group != group)
			continue;
		printf("  %-18s %s\n", h->name, h->use);
		for (int k = 0; k < HOST_CALL_MAX_CONDS && h->cond[k].kind != COND_END; k++)
			printf("  %-18s   if %s\n", "", h->cond[k].text);
	}
}

static int print_host_calls(void)
{
	printf("Host calls an instance may make, from its host-call stubs only. A call from "
	       "anywhere else traps to the instance's\n"
	       "own kernel; a stub call that is not listed, or breaks a condition, gets EPERM. "
	       "Several lines of a call: any of them.\n\n");
	printf("Always:\n");
	print_group(CALL_ALWAYS);
	printf("\nOnly with --rw or a writable volume:\n");
	print_group(CALL_WRITABLE);
	return 0;
}

int cmd_doctor(int argc, char **argv)
{
	if (argc == 1)
		return print_probes();
	if (argc == 2 && !strcmp(argv[1], "--host-calls"))
		return print_host_calls();
	if (argc == 2 && (!strcmp(argv[1], "--help") || !strcmp(argv[1], "-h"))) {
		printf("usage: jctl doctor [--host-calls]\n\nWithout option: what this host "
		       "offers. --host-calls: the allow-list of the filter.\n"
		       "Exit code: 0 if instances can run, 1 if not.\n");
		return 0;
	}
	jctl_fail("`jctl doctor --help`", "doctor: unknown option %s", argv[1]);
	return EXIT_JCTL;
}
