/* SPDX-License-Identifier: MIT */
/*
 * Inside the AF_NETLINK files: the socket, and replies while they are written. sock_netlink.c is the socket, sock_netlink_route.c and
 * sock_netlink_diag.c are what its protocols answer and tell.
 */
#ifndef USERLIB_FILE_NETLINK_INTERNAL_H
#define USERLIB_FILE_NETLINK_INTERNAL_H

#include "net/net.h"
#include "userlib/file/file_internal.h"
#include "userlib/file/socket.h"
#include <linux/netlink.h>

#define NL_CHUNK_BYTES 8192u
#define NL_F_INET 2
#define NL_F_INET6 10

struct chunk { /* one datagram */
	struct list link;
	u32 len;
	u32 group; /* 1.. of a notice; 0 of a reply */
	u8 data[NL_CHUNK_BYTES - 24];
};
struct nlsock {
	struct list all_link; /* [nl_lock] */
	struct spinlock lock;
	struct list queue; /* [lock] */
	u32 nr;		   /* [lock] */
	u32 port;	   /* [a] */
	u64 groups; /* [nl_lock] bit N-1: member of group N */
	bool overrun;	  /* [lock] a notice did not fit: ENOBUFS is to be told */
	u32 options;	  /* [a] bit NETLINK_CAP_ACK etc.: what SOL_NETLINK has switched on */
	int protocol; /* [I] */
	u32 rcvbuf, sndbuf;
	s64 rcvtimeo;
	struct waitq wait;
};
/* A reply being written; s NULL: a notice. */
struct reply {
	struct nlsock *s;
	struct list chunks;
	struct chunk *c;
	struct nlmsghdr *h; /* the message being written */
	u32 seq, flags;
	int err;
};

/*
 * Writing: nl_begin, attributes, nl_end; an error of memory or room stays in r->err. One message is well below 1 KiB, as nl_begin leaves
 * that much in a chunk.
 */
void *nl_put_raw(struct reply *r, const void *p, u32 len);
void nl_begin(struct reply *r, u16 type, const void *body, u32 len);
void nl_end(struct reply *r);
void nl_attr(struct reply *r, u16 type, const void *p, u32 len);
static inline void nl_attr_u32(struct reply *r, u16 type, u32 v)
{
	nl_attr(r, type, &v, sizeof(v));
}
static inline void nl_attr_u8(struct reply *r, u16 type, u8 v)
{
	nl_attr(r, type, &v, sizeof(v));
}

/* One request of NETLINK_ROUTE or NETLINK_SOCK_DIAG: 0, or the errno to answer. A dump ends by itself with NLMSG_DONE. */
int nl_route_request(struct reply *r, const struct nlmsghdr *h, const u8 *body, u32 len);
int nl_diag_request(struct reply *r, const struct nlmsghdr *h, const u8 *body, u32 len);
/* The end of a dump; err: why it is not whole, as NLMSG_DONE carries it. */
void nl_done(struct reply *r, int err);
/* The payload of the first attribute of this type among len bytes of them, and its size; NULL without one. Not aligned. */
const void *nl_find_attr(const u8 *p, u32 len, u16 type, u32 *size);

/* sock_netlink.c: what r holds, to each member of the group (RTNLGRP_*). r is empty afterwards. Does not block. */
void nl_multicast(struct reply *r, u32 group);
bool nl_has_members(void);
/* sock_netlink_route.c: the first member has come: changes are told from now on. May spin. */
void nl_route_watch(void);

#endif
