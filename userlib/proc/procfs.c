/* SPDX-License-Identifier: MIT */
/* The root of /proc, /proc/sys and /proc/net. Processes are procfs_pid.c, system data procfs_system.c; the engine is pseudo.c. */
#include "userlib/proc/procfs.h"
#include "userlib/base/log.h"
#include "userlib/base/string.h"
#include "userlib/proc/cpu_info.h"
#include "userlib/proc/ipc.h"
#include "userlib/proc/procfs_internal.h"
#include "userlib/proc/uts.h"

#define PROC_MAGIC 0x9fa0

/* ---- links to the reader ---- */

static int show_self(struct ptext *o, const struct pinode *pi)
{
	(void)pi;
	ptext_printf(o, "%d", uproc_self()->pid);
	return 0;
}
static int show_thread_self(struct ptext *o, const struct pinode *pi)
{
	(void)pi;
	ptext_printf(o, "%d/task/%d", uproc_self()->pid, thread_self()->tid);
	return 0;
}

/* ---- /proc/sys ---- */

static int show_hostname(struct ptext *o, const struct pinode *pi)
{
	char name[UTS_LEN + 1];

	(void)pi;
	uts_get_hostname(name);
	ptext_printf(o, "%s\n", name);
	return 0;
}
static int show_domainname(struct ptext *o, const struct pinode *pi)
{
	char name[UTS_LEN + 1];

	(void)pi;
	uts_get_domainname(name);
	ptext_printf(o, "%s\n", name);
	return 0;
}

static void show_uuid_bytes(struct ptext *o, const u8 *b)
{
	for (int i = 0; i < 16; i++)
		ptext_printf(o, "%s%02x", i == 4 || i == 6 || i == 8 || i == 10 ? "-" : "", b[i]);
	ptext_add(o, "\n", 1);
}

static void make_uuid(u8 *b)
{
	random_bytes(b, 16);
	b[6] = (b[6] & 15) | 0x40;
	b[8] = (b[8] & 63) | 0x80;
}

static int show_uuid(struct ptext *o, const struct pinode *pi)
{
	u8 b[16];

	(void)pi;
	make_uuid(b);
	show_uuid_bytes(o, b);
	return 0;
}

static int show_boot_id(struct ptext *o, const struct pinode *pi)
{
	static struct spinlock lock;
	static u8 id[16]; /* [lock] */

	(void)pi;
	spin_lock(&lock);
	if (!id[6])
		make_uuid(id);
	spin_unlock(&lock);
	show_uuid_bytes(o, id);
	return 0;
}

static int show_shm(struct ptext *o, const struct pinode *pi)
{
	(void)pi;
	return ipc_shm_show(o);
}
static int show_sem(struct ptext *o, const struct pinode *pi)
{
	(void)pi;
	return ipc_sem_show(o);
}
static int show_msg(struct ptext *o, const struct pinode *pi)
{
	(void)pi;
	return ipc_msg_show(o);
}
static const struct pnode sysvipc_children[] = { P_FILE("shm", show_shm), P_FILE("sem", show_sem), P_FILE("msg", show_msg), P_END };

static const struct pnode random_children[] = {
	P_TEXT("entropy_avail", "256\n"), P_TEXT("poolsize", "256\n"), P_FILE("uuid", show_uuid),
	P_FILE("boot_id", show_boot_id),  P_END,
};
static const struct pnode kernel_children[] = {
	P_TEXT("ostype", UTS_SYSNAME "\n"), P_TEXT("osrelease", UTS_RELEASE "\n"), P_TEXT("version", UTS_VERSION "\n"),
	P_FILE("hostname", show_hostname), P_FILE("domainname", show_domainname), P_TEXT("pid_max", "4194304\n"),
	P_TEXT("threads-max", "63431\n"), P_TEXT("ngroups_max", "32\n"), P_TEXT("cap_last_cap", "40\n"),
	P_TEXT("overflowuid", "65534\n"), P_TEXT("overflowgid", "65534\n"), P_TEXT("randomize_va_space", "2\n"),
	P_TEXT("core_pattern", "core\n"), P_TEXT("core_uses_pid", "0\n"), P_TEXT("dmesg_restrict", "1\n"),
	P_TEXT("kptr_restrict", "1\n"), P_TEXT("perf_event_paranoid", "4\n"), P_TEXT("sched_rt_runtime_us", "950000\n"),
	P_TEXT("sched_rt_period_us", "1000000\n"), P_TEXT("tainted", "0\n"), P_TEXT("msgmax", "8192\n"),
	P_TEXT("msgmnb", "16384\n"), P_TEXT("msgmni", "4096\n"),
	P_TEXT("shmmax", "2147483648\n"), P_TEXT("shmall", "18446744073692774399\n"), P_TEXT("shmmni", "4096\n"),
	P_TEXT("sem", "32000\t1024000000\t500\t4096\n"), P_DIR("random", random_children), P_END,
};
static const struct pnode vm_children[] = {
	P_TEXT("overcommit_memory", "0\n"), P_TEXT("overcommit_ratio", "50\n"), P_TEXT("max_map_count", "65530\n"),
	P_TEXT("swappiness", "60\n"), P_TEXT("mmap_min_addr", "65536\n"), P_TEXT("nr_hugepages", "0\n"),
	P_TEXT("legacy_va_layout", "0\n"), P_TEXT("min_free_kbytes", "16384\n"), P_END,
};
static const struct pnode net_core_children[] = {
	P_TEXT("somaxconn", "4096\n"), P_TEXT("rmem_max", "4194304\n"), P_TEXT("wmem_max", "4194304\n"),
	P_TEXT("rmem_default", "212992\n"), P_TEXT("wmem_default", "212992\n"), P_TEXT("netdev_max_backlog", "1000\n"), P_END,
};
static const struct pnode net_ipv4_children[] = {
	P_TEXT("ip_local_port_range", "32768\t60999\n"), P_TEXT("tcp_rmem", "4096\t131072\t6291456\n"),
	P_TEXT("tcp_wmem", "4096\t16384\t4194304\n"), P_TEXT("tcp_max_syn_backlog", "1024\n"), P_TEXT("tcp_fin_timeout", "60\n"),
	P_TEXT("tcp_keepalive_time", "7200\n"), P_TEXT("tcp_keepalive_intvl", "75\n"), P_TEXT("tcp_keepalive_probes", "9\n"),
	P_TEXT("tcp_timestamps", "1\n"), P_TEXT("tcp_window_scaling", "1\n"), P_TEXT("tcp_sack", "0\n"),
	P_TEXT("tcp_congestion_control", "reno\n"), P_TEXT("tcp_available_congestion_control", "reno\n"),
	P_TEXT("tcp_syncookies", "0\n"), P_TEXT("ip_forward", "0\n"), P_TEXT("ip_default_ttl", "64\n"),
	P_TEXT("ip_unprivileged_port_start", "1024\n"), P_TEXT("ping_group_range", "1\t0\n"), P_END,
};
static const struct pnode net_unix_children[] = { P_TEXT("max_dgram_qlen", "512\n"), P_END };
static const struct pnode sys_net_children[] = {
	P_DIR("core", net_core_children), P_DIR("ipv4", net_ipv4_children), P_DIR("unix", net_unix_children), P_END,
};
static const struct pnode inotify_children[] = {
	P_TEXT("max_queued_events", "16384\n"), P_TEXT("max_user_instances", "128\n"), P_TEXT("max_user_watches", "65536\n"), P_END,
};
static const struct pnode mqueue_children[] = {
	P_TEXT("queues_max", "256\n"), P_TEXT("msg_max", "10\n"), P_TEXT("msgsize_max", "8192\n"), P_TEXT("msg_default", "10\n"),
	P_TEXT("msgsize_default", "8192\n"), P_END,
};
static const struct pnode epoll_children[] = { P_TEXT("max_user_watches", "1000000\n"), P_END };
static const struct pnode sys_fs_children[] = {
	P_TEXT("dir-notify-enable", "1\n"), P_TEXT("file-max", "9223372036854775807\n"), P_TEXT("nr_open", "1048576\n"), P_TEXT("file-nr", "0\t0\t9223372036854775807\n"),
	P_TEXT("pipe-max-size", "1048576\n"), P_TEXT("aio-max-nr", "65536\n"), P_TEXT("protected_symlinks", "0\n"),
	P_TEXT("protected_hardlinks", "0\n"), P_TEXT("suid_dumpable", "0\n"), P_DIR("inotify", inotify_children),
	P_DIR("mqueue", mqueue_children), P_DIR("epoll", epoll_children), P_END,
};
static const struct pnode sys_children[] = {
	P_DIR("kernel", kernel_children), P_DIR("vm", vm_children), P_DIR("net", sys_net_children), P_DIR("fs", sys_fs_children), P_END,
};

struct uproc *procfs_proc_of_dir(const struct file *f)
{
	const struct pinode *pi = pseudo_dir(f->inode);

	return pi && pi->node->flags & PN_PID ? procfs_proc(pi) : NULL;
}

/* ---- /proc/net: whatever the network registered ---- */

#define MAX_NET_FILES 24
static struct net_file {
	struct pnode node;
	int (*show)(char *buf, size_t size);
} net_files[MAX_NET_FILES];
static u32 nr_net_files; /* [I] after boot */

static int show_net(struct ptext *o, const struct pinode *pi)
{
	const struct net_file *f = container_of(pi->node, struct net_file, node);
	size_t size = 16 * KiB;

	for (int tries = 0; tries < 8; tries++) { /* it may grow meanwhile */
		char *buf = kmem_alloc(size);
		int n = buf ? f->show(buf, size) : -ENOMEM;

		if (n >= 0 && (size_t)n < size)
			ptext_add(o, buf, (size_t)n);
		if (buf)
			kmem_free(buf, size);
		if (n < 0)
			return n;
		if ((size_t)n < size)
			return 0;
		size = ROUND_UP((size_t)n + 4096, PAGE_SIZE);
	}
	return -EAGAIN;
}

void procfs_register_net(const char *name, int (*show)(char *buf, size_t size))
{
	struct net_file *f = &net_files[nr_net_files];

	if (nr_net_files == MAX_NET_FILES)
		panic("too many files in /proc/net");
	f->node = (struct pnode)P_FILE(name, show_net);
	f->show = show;
	nr_net_files++;
}

static int net_lookup(const struct pinode *dir, const char *name, const struct pnode **node, int *key)
{
	(void)dir;
	for (u32 i = 0; i < nr_net_files; i++)
		if (!strcmp(net_files[i].node.name, name)) {
			*node = &net_files[i].node;
			*key = (int)i;
			return 0;
		}
	return -ENOENT;
}

static bool net_next(const struct pinode *dir, int *key, char *name, size_t size, const struct pnode **node)
{
	(void)dir;
	if ((u32)*key >= nr_net_files)
		return false;
	*node = &net_files[*key].node;
	str_copy(name, (*node)->name, size);
	return true;
}

const struct pdyn procfs_net_dyn = { .lookup = net_lookup, .next = net_next };

/* ---- the root ---- */

static const struct pnode no_children[] = { P_END };
static int show_filesystems(struct ptext *o, const struct pinode *pi)
{
	(void)pi;
	ptext_printf(o, "nodev\tsysfs\nnodev\ttmpfs\nnodev\tproc\nnodev\tcgroup2\nnodev\tdevpts\nnodev\toverlay\n");
	return 0;
}

static const struct pnode root_children[] = {
	P_LINK("self", show_self), P_LINK("thread-self", show_thread_self),
	{ .name = "mounts", .mode = S_IFLNK | 0777, .show = pseudo_show_text, .text = "self/mounts" },
	{ .name = "net", .mode = S_IFDIR | 0555, .dyn = &procfs_net_dyn },
	P_FILE("cpuinfo", procfs_show_cpuinfo), P_FILE("meminfo", procfs_show_meminfo), P_FILE("stat", procfs_show_stat),
	P_FILE("uptime", procfs_show_uptime), P_FILE("loadavg", procfs_show_loadavg), P_FILE("version", procfs_show_version),
	P_FILE("vmstat", procfs_show_vmstat), P_FILE("filesystems", show_filesystems),
	P_TEXT("cmdline", "junction\n"), P_TEXT("swaps", "Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority\n"),
	P_TEXT("partitions", "major minor  #blocks  name\n\n"), P_TEXT("devices", "Character devices:\n  1 mem\n  5 /dev/tty\n136 pts\n"),
	P_TEXT("modules", ""), P_TEXT("diskstats", ""), P_TEXT("interrupts", ""), P_TEXT("cgroups",
	"#subsys_name\thierarchy\tnum_cgroups\tenabled\ncpuset\t0\t1\t1\ncpu\t0\t1\t1\ncpuacct\t0\t1\t1\nmemory\t0\t1\t1\npids\t0\t1\t1\n"),
	P_DIR("sysvipc", sysvipc_children), P_DIR("sys", sys_children), P_DIR("tty", no_children), P_DIR("bus", no_children), P_END,
};
static const struct pnode root = {
	.name = "proc", .mode = S_IFDIR | 0555, .children = root_children, .dyn = &procfs_root_dyn,
};

static int mount_proc(const char *source, const char *options, u32 flags, void *private, struct super **out);
static const struct fs_type proc_type = { .name = "proc", .mount = mount_proc };

static int mount_proc(const char *source, const char *options, u32 flags, void *private, struct super **out)
{
	(void)source;
	(void)options;
	(void)flags;
	(void)private;
	return pseudo_mount(&root, PROC_MAGIC, &proc_type, out);
}

void procfs_init(void)
{
	fs_type_register(&proc_type);
	sysfs_init();
	cpu_info_init();
}
