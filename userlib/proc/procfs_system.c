/* SPDX-License-Identifier: MIT */
/* /proc files about the whole instance: CPUs, memory, load, uptime. What programs are told is the instance's share of the host. */
#include "userlib/base/string.h"
#include "userlib/proc/cpu_info.h"
#include "userlib/proc/procfs_internal.h"
#include "userlib/proc/timer_calls.h"
#include "userlib/proc/uts.h"

#define NSEC_PER_TICK (1000000000ul / 100)

int procfs_show_cpuinfo(struct ptext *o, const struct pinode *pi)
{
	struct cpu_info c;
	char flags[1536];

	(void)pi;
	cpu_info_read(&c);
	cpu_info_flags(flags, sizeof(flags));
	for (u32 i = 0; i < sched_nr_cores; i++) {
		ptext_printf(o, "processor\t: %u\nvendor_id\t: %s\ncpu family\t: %u\nmodel\t\t: %u\nmodel name\t: %s\nstepping\t: %u\n", i,
			     c.vendor, c.family, c.model, c.brand, c.stepping);
		ptext_printf(o, "cpu MHz\t\t: %u.%03u\ncache size\t: %u KB\nphysical id\t: 0\nsiblings\t: %u\ncore id\t\t: %u\n", c.khz / 1000,
			     c.khz % 1000, c.cache_kb, sched_nr_cores, i);
		ptext_printf(o, "cpu cores\t: %u\napicid\t\t: %u\ninitial apicid\t: %u\nfpu\t\t: yes\nfpu_exception\t: yes\n", sched_nr_cores,
			     i, i);
		ptext_printf(o, "cpuid level\t: %u\nwp\t\t: yes\nflags\t\t: %s\nbugs\t\t:\nbogomips\t: %u.%02u\n", c.max_leaf, flags,
			     c.khz / 500, c.khz / 5 % 100);
		ptext_printf(o, "clflush size\t: 64\ncache_alignment\t: 64\naddress sizes\t: %u bits physical, %u bits virtual\n"
				"power management:\n\n", c.phys_bits, c.virt_bits);
	}
	return 0;
}

int procfs_show_meminfo(struct ptext *o, const struct pinode *pi)
{
	u64 total = mem_limit_bytes(), kernel = page_used_bytes(), used = mem_charged_bytes() + kernel;
	u64 avail = total > used ? total - used : 0;

	(void)pi;
	ptext_printf(o, "MemTotal:       %8lu kB\nMemFree:        %8lu kB\nMemAvailable:   %8lu kB\n", total / KiB, avail / KiB, avail / KiB);
	ptext_printf(o, "Buffers:        %8u kB\nCached:         %8u kB\nSwapCached:     %8u kB\n", 0, 0, 0);
	ptext_printf(o, "Active:         %8lu kB\nInactive:       %8u kB\nSwapTotal:      %8u kB\nSwapFree:       %8u kB\n", used / KiB, 0,
		     0, 0);
	ptext_printf(o, "Dirty:          %8u kB\nWriteback:      %8u kB\nAnonPages:      %8lu kB\nMapped:         %8u kB\n", 0, 0,
		     mem_charged_bytes() / KiB, 0);
	ptext_printf(o, "Shmem:          %8u kB\nSlab:           %8lu kB\nSReclaimable:   %8u kB\nSUnreclaim:     %8lu kB\n", 0,
		     kernel / KiB, 0, kernel / KiB);
	ptext_printf(o, "CommitLimit:    %8lu kB\nCommitted_AS:   %8lu kB\nVmallocTotal:   34359738367 kB\n", total / KiB, used / KiB);
	ptext_printf(o, "HugePages_Total:   %5u\nHugePages_Free:    %5u\nHugePages_Rsvd:    %5u\nHugePages_Surp:    %5u\n"
			"Hugepagesize:   %8u kB\n", 0, 0, 0, 0, 2048);
	return 0;
}

/* Sums over all processes: CPU time, threads, runnable threads. */
struct totals {
	u64 user_ns, sys_ns, nr_switches, nr_forks;
	unsigned threads, running;
	int last_pid;
};

static void collect(struct totals *s)
{
	struct uproc *p;
	struct thread *t;

	memset(s, 0, sizeof(*s));
	spin_lock(&proc_table_lock);
	list_for_each(p, &uproc_all, all_link) {
		u64 user, sys;

		proc_cpu_split(p, &user, &sys);
		s->user_ns += user + p->ru_children_utime_ns;
		s->sys_ns += sys + p->ru_children_stime_ns;
		s->nr_forks += p->nr_forks;
		s->last_pid = MAX(s->last_pid, p->pid);
		spin_lock(&p->lock);
		list_for_each(t, &p->threads, group_link) {
			s->threads++;
			s->running += load_relaxed(&t->ut.state) != UT_PARKED;
			s->nr_switches += t->ut.nr_switches;
		}
		spin_unlock(&p->lock);
	}
	spin_unlock(&proc_table_lock);
}

int procfs_show_stat(struct ptext *o, const struct pinode *pi)
{
	u64 up = (u64)clock_boottime_ns(), n = sched_nr_cores, used, idle;
	struct totals s;

	(void)pi;
	collect(&s);
	used = s.user_ns + s.sys_ns;
	idle = up * n > used ? up * n - used : 0;
	ptext_printf(o, "cpu  %lu 0 %lu %lu 0 0 0 0 0 0\n", s.user_ns / NSEC_PER_TICK, s.sys_ns / NSEC_PER_TICK, idle / NSEC_PER_TICK);
	for (u64 i = 0; i < n; i++) /* not accounted by core: equal shares */
		ptext_printf(o, "cpu%lu %lu 0 %lu %lu 0 0 0 0 0 0\n", i, s.user_ns / n / NSEC_PER_TICK, s.sys_ns / n / NSEC_PER_TICK,
			     idle / n / NSEC_PER_TICK);
	ptext_printf(o, "intr 0\nctxt %lu\nbtime %ld\nprocesses %lu\nprocs_running %u\nprocs_blocked 0\nsoftirq 0 0 0 0 0 0 0 0 0 0 0\n",
		     s.nr_switches, (long)((clock_realtime_ns() - clock_boottime_ns()) / NSEC_PER_SEC), s.nr_forks + 1, s.running);
	return 0;
}

int procfs_show_uptime(struct ptext *o, const struct pinode *pi)
{
	u64 up = (u64)clock_boottime_ns(), used, idle;
	struct totals s;

	(void)pi;
	collect(&s);
	used = s.user_ns + s.sys_ns;
	idle = up * sched_nr_cores > used ? up * sched_nr_cores - used : 0;
	ptext_printf(o, "%lu.%02lu %lu.%02lu\n", up / 1000000000, up / 10000000 % 100, idle / 1000000000, idle / 10000000 % 100);
	return 0;
}

int procfs_show_loadavg(struct ptext *o, const struct pinode *pi)
{
	struct totals s;

	(void)pi;
	collect(&s);
	/* no history is kept: what runs now stands for the averages */
	ptext_printf(o, "%u.00 %u.00 %u.00 %u/%u %d\n", s.running, s.running, s.running, s.running, s.threads, s.last_pid);
	return 0;
}

int procfs_show_version(struct ptext *o, const struct pinode *pi)
{
	(void)pi;
	ptext_printf(o, "Linux version " UTS_RELEASE " (junction@junction) (gcc) " UTS_VERSION "\n");
	return 0;
}

int procfs_show_vmstat(struct ptext *o, const struct pinode *pi)
{
	u64 used = mem_charged_bytes() + page_used_bytes(), total = mem_limit_bytes();

	(void)pi;
	ptext_printf(o, "nr_free_pages %lu\nnr_anon_pages %lu\npgfault 0\npgmajfault 0\npswpin 0\npswpout 0\n",
		     (total > used ? total - used : 0) / PAGE_SIZE, mem_charged_bytes() / PAGE_SIZE);
	return 0;
}
