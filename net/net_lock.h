/* SPDX-License-Identifier: MIT */
/*
 * The stack's lock, and what whoever is in the stack has for itself.
 *
 * net_lock_get: alone in the stack. Everything in net/ may be read and changed.
 * net_read_get: together with others that read. Nothing changes that is not the caller's own: look-up tables, addresses, routes,
 * neighbours and the lives of sockets stand still until net_read_put. A socket's own state (its connection, its queues) is changed under
 * its `lock`; two sockets are never locked at once: what one sends another lies in `loop` until the first is let go.
 * net_sock_lock: both. This is how data is sent and received.
 *
 * A section never parks. A reader marks a line of its own (no other kThread writes there), so readers on several cores share nothing but
 * a look at one word; a writer takes that word and waits until no line is marked. What a section needs apart - the frame under
 * construction, its packets for ourselves, its counters - goes with the line.
 */
#ifndef NET_NET_LOCK_H
#define NET_NET_LOCK_H

#include "base/list.h"
#include "net/net.h"
#include "userlib/rt/lock.h"
#include "userlib/rt/sched.h"

#define NET_READERS 8u /* at once; more of them wait */

struct net_ctx {
	u32 busy;	  /* [a] a reader is in */
	u32 pad;
	u8 *tx;		  /* [I] the outgoing frame under construction */
	struct list loop; /* packets for ourselves, and frames that need the writer (stack.c); in order */
	u64 lo_rx_packets, lo_rx_bytes, lo_tx_packets, lo_tx_bytes;
	u64 stats[NET_COUNTER_COUNT];
} __attribute__((aligned(64)));

extern struct spinlock net_lock;
extern struct net_ctx net_writer; /* of who holds net_lock */

/* Of the section that the caller is in. */
static inline struct net_ctx *net_ctx(void)
{
	struct net_ctx *c = kt_self()->net;

	return c ? c : &net_writer;
}
static inline bool net_is_reader(void)
{
	return net_ctx() != &net_writer;
}

void net_lock_get(void);
void net_lock_put(void); /* delivers loopback packets first */
/* Where something looks at every packet (a capture, packet and raw sockets) this is net_lock_get: see net_is_reader. */
void net_read_get(void);
void net_read_put(void); /* delivers loopback packets first: those that a reader may take; if there are others, as a writer */
struct sock;
void net_sock_lock(struct sock *s);
void net_sock_unlock(struct sock *s);
u64 net_ctx_sum(size_t offset); /* of a u64 in struct net_ctx, over all */

/* The lock alone, without the stack (net_lock.c). */
void net_writer_enter(void);
void net_writer_leave(void);
void net_reader_enter(void);
void net_reader_leave(void);

#endif
