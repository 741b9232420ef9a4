/* SPDX-License-Identifier: MIT */
/*
 * File systems whose files are made up when read: the engine under /proc, /sys and cgroup2. Trees are tables of struct pnode; directories
 * may also have entries that come and go (struct pdyn). Text is made at the first read of an open file and kept until it is read from 0 again.
 */
#ifndef USERLIB_PROC_PSEUDO_H
#define USERLIB_PROC_PSEUDO_H

#include "userlib/file/file.h"

/* Growing text; after an error (no memory) appends do nothing and the read fails. */
struct ptext {
	char *buf;
	size_t len, cap;
	int err;
};
void ptext_printf(struct ptext *o, const char *fmt, ...) printf_like(2, 3);
void ptext_add(struct ptext *o, const char *s, size_t len);
void ptext_free(struct ptext *o);

struct pnode;
struct pinode {
	struct inode vfs; /* first */
	const struct pnode *node;
	int pid, tid;	  /* of the process directory it is below; 0 = none */
	int key;	  /* which dynamic entry */
	s64 start_ns;	  /* of the process: tells a reused pid */
	struct file *target; /* pseudo_reopen_path: reference */
};

#define PN_PID 1 /* the dynamic key is a pid: it and all below carry it */
#define PN_TID 2
struct pnode {
	const char *name; /* NULL ends a table */
	u32 mode;
	u32 flags;
	int (*show)(struct ptext *o, const struct pinode *pi); /* files: the text; links without follow: where they point */
	ssize (*store)(const struct pinode *pi, const char *text, size_t len);
	int (*follow)(const struct pinode *pi, struct path *out);
	const struct pnode *children;
	const struct pdyn *dyn;
	const char *text; /* for pseudo_show_text */
};
struct pdyn {
	/* -ENOENT or 0 with *node and *key. */
	int (*lookup)(const struct pinode *dir, const char *name, const struct pnode **node, int *key);
	/* The entry with the smallest key >= *key: its name, node and key; false = none. */
	bool (*next)(const struct pinode *dir, int *key, char *name, size_t size, const struct pnode **node);
};
int pseudo_show_text(struct ptext *o, const struct pinode *pi);
#define P_DIR(nm, kids) { .name = nm, .mode = S_IFDIR | 0555, .children = kids }
#define P_FILE(nm, fn) { .name = nm, .mode = S_IFREG | 0444, .show = fn }
#define P_TEXT(nm, str) { .name = nm, .mode = S_IFREG | 0444, .show = pseudo_show_text, .text = str }
#define P_LINK(nm, fn) { .name = nm, .mode = S_IFLNK | 0777, .show = fn }
#define P_END { .name = NULL }

/* fs_type.mount of a tree. */
int pseudo_mount(const struct pnode *root, u32 magic, const struct fs_type *type, struct super **out);
/* The directory of one of these file systems that i is, or NULL. */
const struct pinode *pseudo_dir(const struct inode *i);
/* A path that, when opened, opens anew what f is (for files without a name). 0 or -errno. */
int pseudo_reopen_path(struct super *sb, struct file *f, struct path *out);

/* /proc/net: files of the network. show writes at most size bytes and returns the full length. At boot. */
void procfs_register_net(const char *name, int (*show)(char *buf, size_t size));
/* /sys/class/net: the index-th interface, false = no more. NULL: only the loopback. */
struct sysfs_netif {
	char name[16];
	u8 mac[6];
	u32 ifindex, mtu, flags, type; /* IFF_*, ARPHRD_* */
	u64 rx_bytes, rx_packets, rx_dropped, tx_bytes, tx_packets, tx_dropped;
};
extern bool (*sysfs_netif_hook)(unsigned index, struct sysfs_netif *out);

/* Registers "sysfs" and "cgroup2"; called by procfs_init. */
void sysfs_init(void);

#endif
