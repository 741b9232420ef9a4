/* SPDX-License-Identifier: MIT */
/* The wishes of one `jctl run`, from the command line and a JSON file. Parsing only: no file of the host is opened but the JSON. */
#ifndef TOOLS_JCTL_CONFIG_H
#define TOOLS_JCTL_CONFIG_H

#include "base/types.h"
#include "jabi/jabi_boot.h"

#define CONFIG_MAX_VOLUMES 64
#define CONFIG_MAX_ENV	   1024
#define CONFIG_MAX_PORTS   64

struct config_volume {
	char *src, *dst;
	bool is_ro;
};

/* -p: a port of the host that leads to one of the instance. */
struct config_publish {
	u32 host_ip; /* network byte order, 0 = all */
	u16 host_port, port;
	bool is_udp;
};

struct run_config {
	unsigned cores; /* 0 = all */
	u64 mem_bytes;	/* 0 = what the host has */
	const char *root;
	struct config_volume volumes[CONFIG_MAX_VOLUMES];
	unsigned nr_volumes;
	bool is_rw;
	bool is_ro;
	char *env[CONFIG_MAX_ENV];
	unsigned nr_env;
	const char *workdir;
	const char *hostname;
	const char *name;
	u32 net; /* JABI_NET_* */
	const char *tap_name;
	const char *xdp; /* as written behind "xdp:" (scheduler/xdp_link.h) */
	const char *switch_name;
	struct config_publish publish[CONFIG_MAX_PORTS];
	unsigned nr_publish;
	bool has_net;	      /* --net was given; else it is auto, without a word, and costs nothing until a frame is sent */
	bool is_net_auto;
	bool is_passt_lazy;   /* passt starts with the first frame; set by net_choose */
	bool is_verbose;
	const char *pcap_file;
	u32 ip4, gw4; /* network byte order */
	u32 prefix_len;
	u8 ip6[16], gw6[16]; /* all zeros: none */
	u32 prefix_len6;
	bool has_ip6, has_gw6;
	bool has_strace;
	const char *strace_file;
	bool has_stats;
	const char **argv; /* program and arguments, NULL-terminated */
	unsigned argc;
};

/* Fills *c. 0; 1 = --help was printed; -1 = said why on stderr. Strings point into argv or live for ever. */
int config_parse(struct run_config *c, int argc, char **argv) must_check;
/* One option by its long name; value NULL for flags. Used by both sources. 0 or -1 after a message naming `where`. */
int config_set(struct run_config *c, const char *key, const char *value,
	       const char *where) must_check;
int config_load_json(struct run_config *c, const char *path) must_check;
bool config_key_is_flag(const char *key);
bool config_key_exists(const char *key);

#endif
