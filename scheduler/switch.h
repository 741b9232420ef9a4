/* SPDX-License-Identifier: MIT */
/*
 * Inside junctiond: the switch, its ports, and the functions its files call on one another. One thread: no locks. Everything that comes
 * out of a port's memory is hostile (include/jabi/jabi_port.h, TRUST).
 */
#ifndef SCHEDULER_SWITCH_H
#define SCHEDULER_SWITCH_H

#include <netinet/in.h>
#include <sys/types.h>

#include "base/lane.h"
#include "base/lane_guard.h"
#include "base/list.h"

/* Something epoll watches. */
struct source {
	void (*ready)(struct source *s, u32 events);
	int fd;
};

/* A frame on its way: a checked copy of its start, and the rest where it lies. */
struct frame {
	u8 head[LANE_GUARD_BYTES];
	const u8 *rest;
	u32 head_len, len;
	struct jabi_desc meta; /* flags and offsets for checksum and segmentation */
};

struct port;
struct port_ops {
	u32 kind; /* jabi_port_msg.kind */
	bool is_uplink;
	/* Takes up to budget frames from the port and forwards them; their number. */
	unsigned (*pull)(struct port *p, unsigned budget);
	/* Copies the frame to the port; false if it has no room. */
	bool (*deliver)(struct port *p, const struct frame *f);
	/* Before the switch sleeps: true if there is something after all. */
	bool (*arm)(struct port *p);
	void (*destroy)(struct port *p); /* its memory and descriptors, when nobody looks at them any more */
};

#define PEER_SCORES 64
struct port {
	struct list link;	 /* sw.ports, by ascending number; or sw.dead */
	struct list active_link; /* sw.active while it is polled */
	const struct port_ops *ops;
	struct source ctl, kick;
	u32 number, uid, flags;
	struct lane_guard guard; /* its own addresses */
	struct lane_tx tx;
	struct lane_rx rx;
	void *map;
	int bell; /* write end of its pipe */
	int memfd; /* until it is attached */
	int bell_read; /* likewise */
	bool is_dead;
	unsigned idle_rounds;
	struct port *peers[JABI_LINKS_MAX]; /* direct links by slot; 0 unused */
	u32 nr_peers;
	u8 score[PEER_SCORES]; /* frames forwarded to other instances, by hash of their number */
	struct jabi_port_msg stats;
	char name[40];
	void *uplink;
};

struct sw {
	struct list ports, active, dead;
	int epoll_fd;
	struct source listener;
	u32 nr_instances; /* ports that are not uplinks */
	u32 next_number;
	u32 net4, prefix_len, gw4, mtu; /* host order net4; gw4 network order */
	u32 next_host;
	u8 mac_byte;
	u32 allowed[32]; /* uids beside our own and root */
	unsigned nr_allowed;
	bool is_auto;	 /* ends with its last port */
	bool had_port;
	bool direct;	 /* direct links are made */
	unsigned spin_rounds;
	const char *socket_path;
};
extern struct sw sw;

/* port.c */
struct port *port_create(const struct port_ops *ops);
/* An instance's port: memory, bell, addresses. 0 or -errno. */
int port_create_lane(const struct jabi_port_hello *h, u32 uid, struct port **out) must_check;
void port_kill(struct port *p); /* unlinked now, freed by port_bury_dead at a safe place */
void port_bury_dead(void);
void port_activate(struct port *p);
int link_create(void); /* a fresh sealed memfd, armed both ways, or -errno */
void port_ring(struct port *p);
extern const struct port_ops lane_ops;

/* forward.c */
void forward(struct port *from, const struct frame *f);
int fdb_add_port(struct port *p) must_check; /* its MAC, for good */
void fdb_forget(struct port *p);
struct port *fdb_find(const u8 *mac);

/* direct.c */
void direct_consider(struct port *a, struct port *b);
void direct_forget(struct port *p);

/* control.c */
int control_open(const char *path) must_check;
bool control_send(struct port *p, const struct jabi_port_msg *m, const int *fds, unsigned nr_fds);
void control_port_ready(struct source *s, u32 events);

/* loop.c */
int loop_watch(struct source *s, int fd, u32 events) must_check;
void loop_unwatch(struct source *s);
int loop_run(void);

/* uplink_tap.c */
int uplink_tap_open(const char *ifname) must_check;

/* uplink_xdp.c: text as xdp_wish_parse reads it; -errno with the step that failed and, or NULL, advice. */
int uplink_xdp_open(const char *text, const char **step, const char **mend) must_check;

#endif
