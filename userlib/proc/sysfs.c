/* SPDX-License-Identifier: MIT */
/*
 * /sys as far as run-time systems read it: CPU topology and caches, NUMA nodes, huge pages, network interfaces; and the cgroup2 tree whose
 * limits say what --mem and --cores gave.
 */
#include "userlib/base/string.h"
#include "userlib/proc/cpu_info.h"
#include "userlib/proc/procfs_internal.h"

#define SYSFS_MAGIC 0x62656572
#define CGROUP2_MAGIC 0x63677270

bool (*sysfs_netif_hook)(unsigned index, struct sysfs_netif *out);

static const struct pnode no_children[] = { P_END };

/* ---- CPUs ---- */

static int show_cpu_list(struct ptext *o, const struct pinode *pi)
{
	(void)pi;
	if (sched_nr_cores > 1)
		ptext_printf(o, "0-%u\n", sched_nr_cores - 1);
	else
		ptext_printf(o, "0\n");
	return 0;
}

static int show_cpu_mask(struct ptext *o, const struct pinode *pi)
{
	u64 m = sched_nr_cores >= 64 ? ~0ull : (1ull << sched_nr_cores) - 1;

	(void)pi;
	if (m >> 32)
		ptext_printf(o, "%08x,%08x\n", (u32)(m >> 32), (u32)m);
	else
		ptext_printf(o, "%x\n", (u32)m);
	return 0;
}

/* The core number is the key that the cpuN directory passed down. */
static int show_core_id(struct ptext *o, const struct pinode *pi)
{
	ptext_printf(o, "%d\n", pi->key);
	return 0;
}
static int show_own_list(struct ptext *o, const struct pinode *pi)
{
	return show_core_id(o, pi);
}
static int show_own_mask(struct ptext *o, const struct pinode *pi)
{
	if (pi->key >= 32)
		ptext_printf(o, "%08x,00000000\n", 1u << (pi->key - 32));
	else
		ptext_printf(o, "%x\n", 1u << pi->key);
	return 0;
}

static const struct pnode topology_children[] = {
	P_FILE("core_id", show_core_id), P_TEXT("physical_package_id", "0\n"), P_TEXT("die_id", "0\n"),
	P_FILE("thread_siblings", show_own_mask), P_FILE("thread_siblings_list", show_own_list),
	P_FILE("core_cpus", show_own_mask), P_FILE("core_cpus_list", show_own_list), P_FILE("core_siblings", show_cpu_mask),
	P_FILE("core_siblings_list", show_cpu_list), P_FILE("package_cpus", show_cpu_mask),
	P_FILE("package_cpus_list", show_cpu_list), P_FILE("die_cpus", show_cpu_mask), P_FILE("die_cpus_list", show_cpu_list), P_END,
};

/* cache/indexN: the key is cpu << 8 | index. */
static bool cache_of(const struct pinode *pi, struct cpu_cache *c)
{
	return cpu_info_cache((unsigned)pi->key & 255, c);
}
static int show_cache_level(struct ptext *o, const struct pinode *pi)
{
	struct cpu_cache c = { 0 };

	(void)cache_of(pi, &c);
	ptext_printf(o, "%u\n", c.level);
	return 0;
}
static int show_cache_type(struct ptext *o, const struct pinode *pi)
{
	struct cpu_cache c = { 0 };

	(void)cache_of(pi, &c);
	ptext_printf(o, "%s\n", c.type == 1 ? "Data" : c.type == 2 ? "Instruction" : "Unified");
	return 0;
}
static int show_cache_size(struct ptext *o, const struct pinode *pi)
{
	struct cpu_cache c = { 0 };

	(void)cache_of(pi, &c);
	ptext_printf(o, "%uK\n", c.size_kb);
	return 0;
}
static int show_cache_line(struct ptext *o, const struct pinode *pi)
{
	struct cpu_cache c = { 0 };

	(void)cache_of(pi, &c);
	ptext_printf(o, "%u\n", c.line);
	return 0;
}
static int show_cache_ways(struct ptext *o, const struct pinode *pi)
{
	struct cpu_cache c = { 0 };

	(void)cache_of(pi, &c);
	ptext_printf(o, "%u\n", c.ways);
	return 0;
}
static int show_cache_sets(struct ptext *o, const struct pinode *pi)
{
	struct cpu_cache c = { 0 };

	(void)cache_of(pi, &c);
	ptext_printf(o, "%u\n", c.sets);
	return 0;
}
static int show_cache_shared(struct ptext *o, const struct pinode *pi)
{
	struct cpu_cache c = { 0 };

	(void)cache_of(pi, &c);
	if (c.level >= 3)
		return show_cpu_list(o, pi);
	ptext_printf(o, "%d\n", pi->key >> 8);
	return 0;
}
static const struct pnode cache_children[] = {
	P_FILE("level", show_cache_level), P_FILE("type", show_cache_type), P_FILE("size", show_cache_size),
	P_FILE("coherency_line_size", show_cache_line), P_FILE("ways_of_associativity", show_cache_ways),
	P_FILE("number_of_sets", show_cache_sets), P_FILE("shared_cpu_list", show_cache_shared), P_END,
};
static const struct pnode cache_node = { .name = "index", .mode = S_IFDIR | 0555, .children = cache_children };

/* "prefixN": N, or -1. */
static int parse_indexed(const char *name, const char *prefix)
{
	size_t n = strlen(prefix);
	u64 v;

	if (strncmp(name, prefix, n) || (name[n] == '0' && name[n + 1]) || parse_u64(name + n, 10, &v) || v > 255)
		return -1;
	return (int)v;
}

static int cache_lookup(const struct pinode *dir, const char *name, const struct pnode **node, int *key)
{
	int i = parse_indexed(name, "index");
	struct cpu_cache c;

	if (i < 0 || !cpu_info_cache((unsigned)i, &c))
		return -ENOENT;
	*node = &cache_node;
	*key = dir->key << 8 | i;
	return 0;
}
static bool cache_next(const struct pinode *dir, int *key, char *name, size_t size, const struct pnode **node)
{
	struct cpu_cache c;
	int i = *key >> 8 == dir->key ? *key & 255 : 0;

	if (*key >> 8 > dir->key || !cpu_info_cache((unsigned)i, &c))
		return false;
	*key = dir->key << 8 | i;
	*node = &cache_node;
	fmt(name, size, "index%d", i);
	return true;
}
static const struct pdyn cache_dyn = { .lookup = cache_lookup, .next = cache_next };

static const struct pnode cpu_n_children[] = {
	P_DIR("topology", topology_children),
	{ .name = "cache", .mode = S_IFDIR | 0555, .dyn = &cache_dyn },
	P_TEXT("online", "1\n"), P_END,
};
static const struct pnode cpu_node = { .name = "cpu", .mode = S_IFDIR | 0555, .children = cpu_n_children };

static int cpu_lookup(const struct pinode *dir, const char *name, const struct pnode **node, int *key)
{
	int i = parse_indexed(name, "cpu");

	(void)dir;
	if (i < 0 || (u32)i >= sched_nr_cores)
		return -ENOENT;
	*node = &cpu_node;
	*key = i;
	return 0;
}
static bool cpu_next(const struct pinode *dir, int *key, char *name, size_t size, const struct pnode **node)
{
	(void)dir;
	if ((u32)*key >= sched_nr_cores)
		return false;
	*node = &cpu_node;
	fmt(name, size, "cpu%d", *key);
	return true;
}
static const struct pdyn cpu_dyn = { .lookup = cpu_lookup, .next = cpu_next };
static const struct pnode cpu_children[] = {
	P_FILE("online", show_cpu_list), P_FILE("possible", show_cpu_list), P_FILE("present", show_cpu_list),
	P_TEXT("offline", "\n"), P_TEXT("isolated", "\n"), P_TEXT("kernel_max", "63\n"), P_END,
};

/* ---- memory nodes ---- */

static int show_node_meminfo(struct ptext *o, const struct pinode *pi)
{
	u64 total = mem_limit_bytes(), used = mem_charged_bytes() + page_used_bytes();

	(void)pi;
	ptext_printf(o, "Node 0 MemTotal:       %8lu kB\nNode 0 MemFree:        %8lu kB\nNode 0 MemUsed:        %8lu kB\n", total / KiB,
		     (total > used ? total - used : 0) / KiB, used / KiB);
	return 0;
}
static const struct pnode node0_children[] = {
	P_FILE("cpulist", show_cpu_list), P_FILE("cpumap", show_cpu_mask), P_FILE("meminfo", show_node_meminfo),
	P_TEXT("distance", "10\n"), P_END,
};
static const struct pnode nodes_children[] = {
	P_TEXT("online", "0\n"), P_TEXT("possible", "0\n"), P_TEXT("has_cpu", "0\n"), P_TEXT("has_memory", "0\n"),
	P_DIR("node0", node0_children), P_END,
};

/* ---- network interfaces ---- */

static bool get_netif(unsigned index, struct sysfs_netif *n)
{
	memset(n, 0, sizeof(*n));
	if (sysfs_netif_hook)
		return sysfs_netif_hook(index, n);
	if (index)
		return false;
	str_copy(n->name, "lo", sizeof(n->name));
	n->ifindex = 1;
	n->mtu = 65536;
	n->flags = 0x49; /* IFF_UP | IFF_LOOPBACK | IFF_RUNNING */
	n->type = 772;	 /* ARPHRD_LOOPBACK */
	return true;
}

static int show_net_address(struct ptext *o, const struct pinode *pi)
{
	struct sysfs_netif n;

	(void)get_netif((unsigned)pi->key, &n);
	ptext_printf(o, "%02x:%02x:%02x:%02x:%02x:%02x\n", n.mac[0], n.mac[1], n.mac[2], n.mac[3], n.mac[4], n.mac[5]);
	return 0;
}
static int show_net_mtu(struct ptext *o, const struct pinode *pi)
{
	struct sysfs_netif n;

	(void)get_netif((unsigned)pi->key, &n);
	ptext_printf(o, "%u\n", n.mtu);
	return 0;
}
static int show_net_ifindex(struct ptext *o, const struct pinode *pi)
{
	struct sysfs_netif n;

	(void)get_netif((unsigned)pi->key, &n);
	ptext_printf(o, "%u\n", n.ifindex);
	return 0;
}
static int show_net_flags(struct ptext *o, const struct pinode *pi)
{
	struct sysfs_netif n;

	(void)get_netif((unsigned)pi->key, &n);
	ptext_printf(o, "0x%x\n", n.flags);
	return 0;
}
static int show_net_type(struct ptext *o, const struct pinode *pi)
{
	struct sysfs_netif n;

	(void)get_netif((unsigned)pi->key, &n);
	ptext_printf(o, "%u\n", n.type);
	return 0;
}
static int show_net_operstate(struct ptext *o, const struct pinode *pi)
{
	struct sysfs_netif n;

	(void)get_netif((unsigned)pi->key, &n);
	ptext_printf(o, "%s\n", n.type == 772 ? "unknown" : n.flags & 1 ? "up" : "down");
	return 0;
}

static int show_net_counter(struct ptext *o, const struct pinode *pi)
{
	const char *name = pi->node->name;
	struct sysfs_netif n;
	u64 v = 0;

	(void)get_netif((unsigned)pi->key, &n);
	if (!strcmp(name, "rx_bytes"))
		v = n.rx_bytes;
	else if (!strcmp(name, "rx_packets"))
		v = n.rx_packets;
	else if (!strcmp(name, "rx_dropped"))
		v = n.rx_dropped;
	else if (!strcmp(name, "tx_bytes"))
		v = n.tx_bytes;
	else if (!strcmp(name, "tx_packets"))
		v = n.tx_packets;
	else
		v = n.tx_dropped;
	ptext_printf(o, "%lu\n", v);
	return 0;
}
static const struct pnode net_counters[] = {
	P_FILE("rx_bytes", show_net_counter), P_FILE("rx_packets", show_net_counter), P_FILE("rx_dropped", show_net_counter),
	P_FILE("tx_bytes", show_net_counter), P_FILE("tx_packets", show_net_counter), P_FILE("tx_dropped", show_net_counter), P_END,
};
static const struct pnode netif_children[] = {
	P_FILE("address", show_net_address), P_FILE("mtu", show_net_mtu), P_FILE("ifindex", show_net_ifindex),
	P_FILE("iflink", show_net_ifindex), P_FILE("flags", show_net_flags), P_FILE("type", show_net_type),
	P_FILE("operstate", show_net_operstate), P_TEXT("carrier", "1\n"), P_TEXT("addr_len", "6\n"),
	P_TEXT("tx_queue_len", "1000\n"), P_TEXT("dev_id", "0x0\n"), P_DIR("statistics", net_counters), P_END,
};
static const struct pnode netif_node = { .name = "if", .mode = S_IFDIR | 0555, .children = netif_children };

static int netif_lookup(const struct pinode *dir, const char *name, const struct pnode **node, int *key)
{
	struct sysfs_netif n;

	(void)dir;
	for (unsigned i = 0; get_netif(i, &n); i++)
		if (!strcmp(n.name, name)) {
			*node = &netif_node;
			*key = (int)i;
			return 0;
		}
	return -ENOENT;
}
static bool netif_next(const struct pinode *dir, int *key, char *name, size_t size, const struct pnode **node)
{
	struct sysfs_netif n;

	(void)dir;
	if (!get_netif((unsigned)*key, &n))
		return false;
	*node = &netif_node;
	str_copy(name, n.name, size);
	return true;
}
static const struct pdyn netif_dyn = { .lookup = netif_lookup, .next = netif_next };

/* ---- cgroup2 ---- */

static int show_mem_max(struct ptext *o, const struct pinode *pi)
{
	(void)pi;
	ptext_printf(o, "%lu\n", mem_limit_bytes());
	return 0;
}
static int show_mem_current(struct ptext *o, const struct pinode *pi)
{
	(void)pi;
	ptext_printf(o, "%lu\n", mem_charged_bytes() + page_used_bytes());
	return 0;
}
static int show_mem_stat(struct ptext *o, const struct pinode *pi)
{
	(void)pi;
	ptext_printf(o, "anon %lu\nfile 0\nkernel %lu\nshmem 0\ninactive_file 0\nactive_file 0\n", mem_charged_bytes(), page_used_bytes());
	return 0;
}
static int show_cpu_max(struct ptext *o, const struct pinode *pi)
{
	(void)pi;
	ptext_printf(o, "%u 100000\n", sched_nr_cores * 100000);
	return 0;
}
static int show_procs(struct ptext *o, const struct pinode *pi)
{
	struct uproc *p;

	(void)pi;
	spin_lock(&proc_table_lock);
	list_for_each(p, &uproc_all, all_link)
		if (!p->zombie)
			ptext_printf(o, "%d\n", p->pid);
	spin_unlock(&proc_table_lock);
	return 0;
}
static int show_nr_procs(struct ptext *o, const struct pinode *pi)
{
	struct uproc *p;
	unsigned n = 0;

	(void)pi;
	spin_lock(&proc_table_lock);
	list_for_each(p, &uproc_all, all_link)
		n += p->nr_threads;
	spin_unlock(&proc_table_lock);
	ptext_printf(o, "%u\n", n);
	return 0;
}
static const struct pnode cgroup_children[] = {
	P_TEXT("cgroup.controllers", "cpuset cpu memory pids\n"), P_TEXT("cgroup.subtree_control", ""), P_FILE("cgroup.procs", show_procs),
	P_TEXT("cgroup.type", "domain\n"), P_FILE("memory.max", show_mem_max), P_TEXT("memory.high", "max\n"),
	P_TEXT("memory.low", "0\n"), P_TEXT("memory.min", "0\n"), P_FILE("memory.current", show_mem_current),
	P_FILE("memory.stat", show_mem_stat), P_TEXT("memory.swap.max", "0\n"), P_TEXT("memory.swap.current", "0\n"),
	P_FILE("cpu.max", show_cpu_max), P_TEXT("cpu.weight", "100\n"), P_FILE("cpuset.cpus.effective", show_cpu_list),
	P_FILE("cpuset.cpus", show_cpu_list), P_TEXT("cpuset.mems.effective", "0\n"), P_TEXT("pids.max", "max\n"),
	P_FILE("pids.current", show_nr_procs), P_END,
};
static const struct pnode cgroup_root = { .name = "cgroup", .mode = S_IFDIR | 0555, .children = cgroup_children };

/* ---- the tree ---- */

static const struct pnode thp_children[] = {
	P_TEXT("enabled", "always [madvise] never\n"), P_TEXT("defrag", "always defer defer+madvise [madvise] never\n"),
	P_TEXT("shmem_enabled", "always within_size advise [never] deny force\n"), P_TEXT("hpage_pmd_size", "2097152\n"), P_END,
};
static const struct pnode mm_children[] = {
	P_DIR("transparent_hugepage", thp_children), P_DIR("hugepages", no_children), P_END,
};
static const struct pnode kernel_children[] = { P_DIR("mm", mm_children), P_DIR("debug", no_children), P_END };
static const struct pnode system_children[] = {
	{ .name = "cpu", .mode = S_IFDIR | 0555, .children = cpu_children, .dyn = &cpu_dyn },
	P_DIR("node", nodes_children), P_END,
};
static const struct pnode devices_children[] = {
	P_DIR("system", system_children), P_DIR("virtual", no_children), P_END,
};
static const struct pnode class_children[] = {
	{ .name = "net", .mode = S_IFDIR | 0555, .dyn = &netif_dyn },
	P_DIR("block", no_children), P_DIR("tty", no_children), P_END,
};
static const struct pnode fs_children[] = { P_DIR("cgroup", cgroup_children), P_END };
static const struct pnode sys_root_children[] = {
	P_DIR("devices", devices_children), P_DIR("class", class_children), P_DIR("fs", fs_children), P_DIR("kernel", kernel_children),
	P_DIR("block", no_children), P_DIR("bus", no_children), P_DIR("dev", no_children), P_DIR("module", no_children),
	P_DIR("firmware", no_children), P_END,
};
static const struct pnode sys_root = { .name = "sysfs", .mode = S_IFDIR | 0555, .children = sys_root_children };

static int mount_sysfs(const char *source, const char *options, u32 flags, void *private, struct super **out);
static int mount_cgroup2(const char *source, const char *options, u32 flags, void *private, struct super **out);
static const struct fs_type sysfs_type = { .name = "sysfs", .mount = mount_sysfs };
static const struct fs_type cgroup2_type = { .name = "cgroup2", .mount = mount_cgroup2 };

static int mount_sysfs(const char *source, const char *options, u32 flags, void *private, struct super **out)
{
	(void)source;
	(void)options;
	(void)flags;
	(void)private;
	return pseudo_mount(&sys_root, SYSFS_MAGIC, &sysfs_type, out);
}
static int mount_cgroup2(const char *source, const char *options, u32 flags, void *private, struct super **out)
{
	(void)source;
	(void)options;
	(void)flags;
	(void)private;
	return pseudo_mount(&cgroup_root, CGROUP2_MAGIC, &cgroup2_type, out);
}

void sysfs_init(void)
{
	fs_type_register(&sysfs_type);
	fs_type_register(&cgroup2_type);
}
