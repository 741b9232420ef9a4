/* SPDX-License-Identifier: MIT */
/*
 * AF_XDP on an interface of the host: for jctl (--net xdp) and junctiond (--uplink xdp), which must attach alike. Makes the sockets, their
 * memory and rings and attaches the program that leads the interface's frames to them; does not touch a ring itself.
 */
#ifndef SCHEDULER_XDP_LINK_H
#define SCHEDULER_XDP_LINK_H

#include <net/if.h>

#include "base/types.h"
#include "jabi/jabi_queues.h"

enum xdp_mode { XDP_LINK_AUTO, XDP_LINK_NATIVE, XDP_LINK_GENERIC };
enum xdp_choice { XDP_LINK_MAY, XDP_LINK_NO, XDP_LINK_MUST };

struct xdp_wish {
	char ifname[IFNAMSIZ];
	unsigned queues; /* 0: all that the interface has */
	enum xdp_mode mode;
	enum xdp_choice zerocopy;
	enum xdp_choice trust_csum; /* MAY: where the driver is veth */
	bool is_promiscuous;	    /* the caller's: not part of the text */
	bool takes_several;	    /* likewise: it understands frames of several chunks (JABI_XDP_SG) */
};

struct xdp_link {
	struct jabi_queues q;
	int link_fd;   /* the program is attached as long as this is open, in whatever process */
	int member_fd; /* likewise, the interface takes all multicast, or everything */
	unsigned nr_device_queues;
	u32 mtu;
	u8 mac[6];
	char driver[32];
};

/*
 * "IF[,queues=N][,mode=auto|native|generic][,zerocopy=auto|no|yes][,csum=auto|verify|trust]". 0, or -1 with *why.
 * In generic mode the host's own packets come as large as it made them, which is fast where frames may take several chunks (Linux 6.6), but what
 * a program cut with UDP_SEGMENT comes as one datagram: AF_XDP does not say where to cut. Native mode on veth makes the other end cut itself.
 */
int xdp_wish_parse(const char *text, struct xdp_wish *w, const char **why);
/* 0, or -errno with the step that failed in *step and advice in *mend (or NULL). Nothing is left behind then. */
int xdp_link_open(const struct xdp_wish *w, struct xdp_link *x, const char **step, const char **mend);
void xdp_link_close(struct xdp_link *x);
/* "native, copy, 2 queues of 2" */
void xdp_link_describe(const struct xdp_link *x, char *buf, size_t size);

#endif
