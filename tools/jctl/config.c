/* SPDX-License-Identifier: MIT */
/* Options of `jctl run`: one table for the command line, the JSON file and --help. */
#include "tools/jctl/config.h"

#include <arpa/inet.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "scheduler/xdp_link.h"
#include "tools/jctl/jctl.h"

/* How a row takes its value: none, one, or one only as --key=VALUE. */
enum arity { FLAG, VALUE, OPTIONAL };

struct option_row {
	const char *key;
	char letter;
	enum arity arity;
	int (*set)(struct run_config *c, const char *value, const char *where);
	const char *value_name;
	const char *help;
};

/* Sizes as "512M", "2G", "65536". */
static int parse_size(const char *s, u64 *out)
{
	char *end;
	u64 v, unit = 1;

	if (*s < '0' || *s > '9')
		return -1;
	v = strtoull(s, &end, 10);
	switch (*end) {
	case 'k':
	case 'K':
		unit = KiB;
		end++;
		break;
	case 'm':
	case 'M':
		unit = MiB;
		end++;
		break;
	case 'g':
	case 'G':
		unit = GiB;
		end++;
		break;
	case 't':
	case 'T':
		unit = 1024 * GiB;
		end++;
		break;
	}
	if (unit > 1 && *end == 'i')
		end++;
	if (*end == 'b' || *end == 'B')
		end++;
	if (*end || __builtin_mul_overflow(v, unit, out))
		return -1;
	return 0;
}

static int set_cores(struct run_config *c, const char *v, const char *where)
{
	char *end;
	unsigned long n = strtoul(v, &end, 10);

	if (*v < '0' || *v > '9' || *end || n < 1 || n > 64)
		return jctl_fail("give a number from 1 to 64",
				 "%s: \"%s\" is not a number of cores", where, v);
	c->cores = (unsigned)n;
	return 0;
}

static int set_mem(struct run_config *c, const char *v, const char *where)
{
	u64 n;

	if (parse_size(v, &n))
		return jctl_fail("write it like 512M or 4G", "%s: \"%s\" is not a size", where, v);
	if (n < 16 * MiB || n > 1024 * GiB)
		return jctl_fail("give between 16M and 1024G", "%s: %s is out of range", where, v);
	c->mem_bytes = n;
	return 0;
}

static int set_root(struct run_config *c, const char *v, const char *where)
{
	if (!*v)
		return jctl_fail("name a directory", "%s: empty path", where);
	c->root = v;
	return 0;
}

static int set_volume(struct run_config *c, const char *v, const char *where)
{
	const char *mend = "write SRC:DST or SRC:DST:ro, DST absolute";
	char *copy = strdup(v), *dst, *mode;
	struct config_volume *vol;

	if (!copy)
		return jctl_fail(NULL, "out of memory");
	dst = strchr(copy, ':');
	if (!dst || dst == copy)
		goto err_syntax;
	*dst++ = 0;
	mode = strchr(dst, ':');
	if (mode)
		*mode++ = 0;
	if (*dst != '/' || !dst[1] || (mode && strcmp(mode, "ro") && strcmp(mode, "rw")))
		goto err_syntax;
	if (c->nr_volumes == CONFIG_MAX_VOLUMES) {
		free(copy);
		return jctl_fail(NULL, "%s: more than %d volumes", where, CONFIG_MAX_VOLUMES);
	}
	vol = &c->volumes[c->nr_volumes++];
	vol->src = copy;
	vol->dst = dst;
	vol->is_ro = mode && !strcmp(mode, "ro");
	return 0;

err_syntax:
	free(copy);
	return jctl_fail(mend, "%s: bad volume \"%s\"", where, v);
}

static int set_rw(struct run_config *c, const char *v, const char *where)
{
	(void)v;
	(void)where;
	c->is_rw = true;
	return 0;
}

static int set_ro(struct run_config *c, const char *v, const char *where)
{
	(void)v;
	(void)where;
	c->is_ro = true;
	return 0;
}

/* K=V, or K alone: the caller's value, as docker does. */
static int set_env(struct run_config *c, const char *v, const char *where)
{
	char *copy = NULL;

	if (*v == '=' || !*v)
		return jctl_fail("write NAME=VALUE", "%s: bad environment entry \"%s\"", where, v);
	if (strchr(v, '=')) {
		copy = strdup(v);
	} else if (getenv(v)) {
		if (asprintf(&copy, "%s=%s", v, getenv(v)) < 0)
			copy = NULL;
	} else {
		return 0;
	}
	if (!copy)
		return jctl_fail(NULL, "out of memory");
	if (c->nr_env == CONFIG_MAX_ENV) {
		free(copy);
		return jctl_fail(NULL, "%s: more than %d entries", where, CONFIG_MAX_ENV);
	}
	c->env[c->nr_env++] = copy;
	return 0;
}

static int set_workdir(struct run_config *c, const char *v, const char *where)
{
	if (*v != '/')
		return jctl_fail("give an absolute path in the instance",
				 "%s: \"%s\" is not absolute", where, v);
	c->workdir = v;
	return 0;
}

static int set_hostname(struct run_config *c, const char *v, const char *where)
{
	if (!*v || strlen(v) > 64)
		return jctl_fail("give 1 to 64 characters", "%s: bad host name \"%s\"", where, v);
	c->hostname = v;
	return 0;
}

static int set_name(struct run_config *c, const char *v, const char *where)
{
	if (!*v || strlen(v) > 64 ||
	    v[strspn(v, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-")] ||
	    *v == '.')
		return jctl_fail("use letters, digits, _ . - (64 at most)", "%s: bad name \"%s\"",
				 where, v);
	c->name = v;
	return 0;
}

static int set_net(struct run_config *c, const char *v, const char *where)
{
	c->has_net = true;
	if (!strcmp(v, "none")) {
		c->net = JABI_NET_NONE;
		return 0;
	}
	if (!strcmp(v, "tap")) {
		c->net = JABI_NET_TAP;
		c->tap_name = NULL;
		return 0;
	}
	if (!strncmp(v, "tap:", 4) && v[4] && strlen(v + 4) < IFNAMSIZ &&
	    !strpbrk(v + 4, "/ \t\n:%")) {
		c->net = JABI_NET_TAP;
		c->tap_name = v + 4;
		return 0;
	}
	if (!strncmp(v, "xdp:", 4)) {
		struct xdp_wish w;
		const char *mend;

		if (xdp_wish_parse(v + 4, &w, &mend))
			return jctl_fail(mend, "%s: bad network \"%s\"", where, v);
		c->net = JABI_NET_XDP;
		c->xdp = v + 4;
		return 0;
	}
	c->is_net_auto = !strcmp(v, "auto");
	if (c->is_net_auto || !strcmp(v, "passt")) {
		c->net = JABI_NET_STREAM;
		return 0;
	}
	if (!strcmp(v, "switch")) {
		c->net = JABI_NET_PORT;
		c->switch_name = "default";
		return 0;
	}
	if (!strncmp(v, "switch:", 7) && v[7] && v[7] != '.' && strlen(v + 7) <= 32 && !strpbrk(v + 7, "/ \t\n")) {
		c->net = JABI_NET_PORT;
		c->switch_name = v + 7;
		return 0;
	}
	return jctl_fail("give none, tap, tap:IF, xdp:IF, switch, switch:NAME, passt or auto (IF up to 15, NAME up to 32 characters)",
			 "%s: bad network \"%s\"", where, v);
}

static int parse_port(const char *s, u16 *out)
{
	char *end;
	unsigned long n = strtoul(s, &end, 10);

	if (*s < '0' || *s > '9' || *end || n < 1 || n > 65535)
		return -1;
	*out = (u16)n;
	return 0;
}

/* [ADDR:]HOSTPORT:PORT[/udp] */
static int set_publish(struct run_config *c, const char *v, const char *where)
{
	struct config_publish *p = &c->publish[c->nr_publish];
	char text[64], *slash, *port, *host;
	struct in_addr in = { 0 };

	if (c->nr_publish == CONFIG_MAX_PORTS)
		return jctl_fail(NULL, "%s: more than %d ports", where, CONFIG_MAX_PORTS);
	if (strlen(v) >= sizeof(text))
		goto err_syntax;
	strcpy(text, v);
	slash = strchr(text, '/');
	if (slash)
		*slash++ = 0;
	p->is_udp = slash && !strcmp(slash, "udp");
	port = strrchr(text, ':');
	if (!port || (slash && !p->is_udp && strcmp(slash, "tcp")))
		goto err_syntax;
	*port++ = 0;
	host = strrchr(text, ':');
	if (host) {
		*host++ = 0;
		if (inet_pton(AF_INET, text, &in) != 1)
			goto err_syntax;
	}
	p->host_ip = in.s_addr;
	if (parse_port(host ? host : text, &p->host_port) || parse_port(port, &p->port))
		goto err_syntax;
	c->nr_publish++;
	return 0;

err_syntax:
	return jctl_fail("write [ADDR:]HOSTPORT:PORT or the same with /udp", "%s: bad port \"%s\"", where, v);
}

static int set_ip(struct run_config *c, const char *v, const char *where)
{
	char addr[INET6_ADDRSTRLEN];
	const char *slash = strchr(v, '/');
	char *end;
	unsigned long len;
	struct in_addr in;
	struct in6_addr in6;

	if (!slash || (size_t)(slash - v) >= sizeof(addr))
		goto err_syntax;
	memcpy(addr, v, (size_t)(slash - v));
	addr[slash - v] = 0;
	len = strtoul(slash + 1, &end, 10);
	if (slash[1] < '0' || slash[1] > '9' || *end || len < 1 || len > 128)
		goto err_syntax;
	if (inet_pton(AF_INET6, addr, &in6) == 1) {
		if (IN6_IS_ADDR_UNSPECIFIED(&in6) || IN6_IS_ADDR_MULTICAST(&in6) || IN6_IS_ADDR_LOOPBACK(&in6) ||
		    IN6_IS_ADDR_V4MAPPED(&in6) || IN6_IS_ADDR_LINKLOCAL(&in6))
			return jctl_fail("give a global or unique local one, like 2001:db8::2/64",
					 "%s: \"%s\" cannot be the address of an instance", where, v);
		memcpy(c->ip6, &in6, sizeof(c->ip6));
		c->prefix_len6 = (u32)len;
		c->has_ip6 = true;
		return 0;
	}
	if (len > 32 || inet_pton(AF_INET, addr, &in) != 1)
		goto err_syntax;
	c->ip4 = in.s_addr;
	c->prefix_len = (u32)len;
	return 0;

err_syntax:
	return jctl_fail("write it like 10.0.0.2/24 or 2001:db8::2/64", "%s: bad address \"%s\"", where, v);
}

static int set_gw(struct run_config *c, const char *v, const char *where)
{
	struct in_addr in;

	if (inet_pton(AF_INET6, v, c->gw6) == 1) {
		c->has_gw6 = true;
		return 0;
	}
	if (inet_pton(AF_INET, v, &in) != 1)
		return jctl_fail("write it like 10.0.0.1 or 2001:db8::1", "%s: bad gateway \"%s\"", where, v);
	c->gw4 = in.s_addr;
	return 0;
}

static int set_strace(struct run_config *c, const char *v, const char *where)
{
	(void)where;
	c->has_strace = true;
	c->strace_file = v && *v ? v : NULL;
	return 0;
}

static int set_pcap(struct run_config *c, const char *v, const char *where)
{
	if (!*v)
		return jctl_fail("name a file", "%s: empty name", where);
	c->pcap_file = v;
	return 0;
}

static int set_verbose(struct run_config *c, const char *v, const char *where)
{
	(void)v;
	(void)where;
	c->is_verbose = true;
	return 0;
}

static int set_stats(struct run_config *c, const char *v, const char *where)
{
	(void)v;
	(void)where;
	c->has_stats = true;
	return 0;
}

static int set_config(struct run_config *c, const char *v, const char *where)
{
	(void)where;
	return config_load_json(c, v);
}

static const struct option_row rows[] = {
	{ "cores", 0, VALUE, set_cores, "N", "kThreads, and CPUs the program sees (default: all)" },
	{ "mem", 0, VALUE, set_mem, "SIZE", "limit on program and kernel memory, e.g. 512M" },
	{ "root", 0, VALUE, set_root, "DIR",
	  "directory that becomes / (default /): read-only below, memory above" },
	{ "volume", 'v', VALUE, set_volume, "SRC:DST[:ro]", "a host file or directory at DST" },
	{ "rw", 0, FLAG, set_rw, NULL, "writes to / go to the host" },
	{ "ro", 0, FLAG, set_ro, NULL, "no writes to / at all" },
	{ "env", 'e', VALUE, set_env, "K=V", "an environment entry" },
	{ "workdir", 'w', VALUE, set_workdir, "DIR", "working directory in the instance" },
	{ "hostname", 0, VALUE, set_hostname, "NAME", "host name the program sees" },
	{ "name", 0, VALUE, set_name, "NAME", "name of the instance" },
	{ "net", 0, VALUE, set_net, "KIND",
	  "none (loopback only), tap[:IF], xdp:IF, switch[:NAME], passt or auto (default)" },
	{ "publish", 'p', VALUE, set_publish, "[ADDR:]PORT:PORT[/udp]", "a port of the host leads to one of the instance" },
	{ "ip", 0, VALUE, set_ip, "ADDR/LEN", "address of the instance; again for the other family" },
	{ "gw", 0, VALUE, set_gw, "ADDR", "default gateway, of either family" },
	{ "pcap", 0, VALUE, set_pcap, "FILE", "copy the interface's frames to FILE (pcapng)" },
	{ "strace", 0, OPTIONAL, set_strace, "FILE", "print system calls (to FILE)" },
	{ "stats", 0, FLAG, set_stats, NULL, "print counters at the end" },
	{ "verbose", 0, FLAG, set_verbose, NULL, "say on stderr what was chosen" },
	{ "config", 0, VALUE, set_config, "FILE", "take options from a JSON file" },
};

static const struct option_row *find_row(const char *key, size_t len)
{
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		if ((strlen(rows[i].key) == len && !memcmp(rows[i].key, key, len)) ||
		    (len == 1 && rows[i].letter == *key))
			return &rows[i];
	return NULL;
}

bool config_key_exists(const char *key)
{
	return find_row(key, strlen(key)) && strcmp(key, "config");
}

bool config_key_is_flag(const char *key)
{
	const struct option_row *row = find_row(key, strlen(key));

	return row && row->arity != VALUE;
}

int config_set(struct run_config *c, const char *key, const char *value, const char *where)
{
	return find_row(key, strlen(key))->set(c, value, where);
}

static void print_help(void)
{
	printf("usage: jctl run [OPTION...] [--] PROGRAM [ARG...]\n\n");
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		char left[64], letter[8] = "";

		if (rows[i].letter)
			snprintf(letter, sizeof(letter), "-%c, ", rows[i].letter);
		snprintf(left, sizeof(left), "%s--%s%s%s%s", letter, rows[i].key,
			 rows[i].arity == OPTIONAL ? "[="
			 : rows[i].arity == VALUE  ? " "
						   : "",
			 rows[i].value_name ? rows[i].value_name : "",
			 rows[i].arity == OPTIONAL ? "]" : "");
		printf("  %-28s %s\n", left, rows[i].help);
	}
	printf("\nExit code: the program's; 128+N if signal N killed it; 125 jctl failed; 126 not "
	       "executable; 127 not found.\n");
}

/* Consumes one option at argv[*i] and its value. 0, or -1 after a message. */
static int parse_option(struct run_config *c, int argc, char **argv, int *i)
{
	char *arg = argv[*i], where[80];
	const char *value = NULL;
	const struct option_row *row;

	if (arg[1] == '-') {
		size_t len = strcspn(arg + 2, "=");

		row = len > 1 ? find_row(arg + 2, len) : NULL;
		if (arg[2 + len] == '=')
			value = arg + 2 + len + 1;
		snprintf(where, sizeof(where), "%.*s", (int)len + 2, arg);
	} else {
		row = find_row(arg + 1, 1);
		value = row && arg[2] ? arg + 2 : NULL; /* -eK=V */
		snprintf(where, sizeof(where), "%.2s", arg);
	}
	if (!row)
		return jctl_fail("`jctl run --help` lists the options; put -- before a program "
				 "whose name begins with -",
				 "unknown option %s", where);
	if (row->arity == FLAG && value)
		return jctl_fail("leave it out", "%s takes no value", where);
	if (row->arity == VALUE && !value) {
		if (*i + 1 >= argc)
			return jctl_fail("`jctl run --help` shows how it is written",
					 "%s needs a value", where);
		value = argv[++*i];
	}
	return row->set(c, value, where);
}

/* A configuration file comes first, wherever it stands, so that the command line has the last word. */
static int load_config_files(struct run_config *c, int argc, char **argv)
{
	for (int i = 1; i < argc && argv[i][0] == '-' && strcmp(argv[i], "--"); i++) {
		size_t len = strcspn(argv[i], "=");
		const struct option_row *row;

		if (argv[i][1] == '-')
			row = len > 3 ? find_row(argv[i] + 2, len - 2) : NULL;
		else
			row = argv[i][1] ? find_row(argv[i] + 1, 1) : NULL;
		if (!row)
			continue;
		if (row->set == set_config && (argv[i][len] || i + 1 < argc)) {
			if (set_config(c, argv[i][len] ? argv[i] + len + 1 : argv[i + 1],
				       "--config"))
				return -1;
		}
		if (row->arity == VALUE && (argv[i][1] == '-' ? !argv[i][len] : !argv[i][2]))
			i++;
	}
	return 0;
}

static int check_whole(struct run_config *c)
{
	if (!c->has_net) {
		c->is_net_auto = true;
		c->net = JABI_NET_STREAM;
	}
	if (!c->argc)
		return jctl_fail("write `jctl run [OPTION...] PROGRAM [ARG...]`",
				 "no program given");
	if (c->is_rw && c->is_ro)
		return jctl_fail("leave one out", "--rw and --ro exclude each other");
	if ((c->net == JABI_NET_TAP || c->net == JABI_NET_XDP) && !c->ip4 && !c->has_ip6)
		return jctl_fail("add --ip ADDR/LEN", "--net %s without an address", c->net == JABI_NET_TAP ? "tap" : "xdp");
	if (c->net == JABI_NET_NONE && (c->ip4 || c->gw4 || c->has_ip6 || c->has_gw6))
		return jctl_fail("add --net tap, switch or passt, or leave it out",
				 "--ip and --gw mean nothing without a network");
	if (c->has_gw6 && !c->has_ip6)
		return jctl_fail("add --ip with an IPv6 address, or leave the gateway to router advertisements", "--gw is of IPv6, --ip is not");
	if (c->pcap_file && c->net == JABI_NET_NONE)
		return jctl_fail("add --net", "--pcap means nothing without a network");
	if (c->nr_publish && c->net == JABI_NET_NONE)
		return jctl_fail("add --net passt", "-p means nothing without a network");
	if (c->gw4 && c->ip4 && c->prefix_len < 32 &&
	    ((ntohl(c->gw4) ^ ntohl(c->ip4)) >> (32 - c->prefix_len)))
		return jctl_fail("give a gateway in the subnet of --ip",
				 "--gw is not reachable from --ip");
	return 0;
}

int config_parse(struct run_config *c, int argc, char **argv)
{
	int i;

	memset(c, 0, sizeof(*c));
	c->root = "/";
	if (load_config_files(c, argc, argv))
		return -1;
	for (i = 1; i < argc && argv[i][0] == '-' && argv[i][1]; i++) {
		if (!strcmp(argv[i], "--")) {
			i++;
			break;
		}
		if (!strcmp(argv[i], "--help") || !strcmp(argv[i], "-h")) {
			print_help();
			return 1;
		}
		if (!strcmp(argv[i], "--config") || !strncmp(argv[i], "--config=", 9)) {
			if (!argv[i][8] && ++i >= argc)
				return jctl_fail("name a JSON file", "--config needs a value");
			continue;
		}
		if (parse_option(c, argc, argv, &i))
			return -1;
	}
	if (i < argc) {
		c->argv = (const char **)argv + i;
		c->argc = (unsigned)(argc - i);
	}
	return check_whole(c);
}
