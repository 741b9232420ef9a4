/* SPDX-License-Identifier: MIT */
/* Between sock_unix.c (names, connections) and sock_unix_io.c (queues of messages). */
#ifndef USERLIB_FILE_SOCK_UNIX_H
#define USERLIB_FILE_SOCK_UNIX_H

#include "userlib/file/socket.h"

enum { US_STREAM = 1, US_DGRAM = 2, US_SEQPACKET = 5 };
#define US_SHUT_RD 1u
#define US_SHUT_WR 2u

struct umsg {
	struct list link;
	u32 len, off, size; /* size: of data[] */
	u32 nr_files;
	struct file **files; /* kmem, SCM_MAX_FDS slots at most: nr_files of them */
	struct sock_cred cred;
	u8 from[110];	    /* datagrams: the sender's name */
	u32 from_len;
	struct usock *sender; /* datagrams: reference; the message counts in its wmem */
	char data[];
};

struct usock {
	struct ref ref;
	int type;		/* [I] */
	u64 ino;		/* [a] of its file, 0 = not accepted yet */
	struct list all_node;	/* [unix_lock] */
	u32 shut;		/* [a] US_SHUT_*, changed under unix_lock */
	struct usock *peer;	/* [unix_lock] reference */
	u32 was_connected;	/* [a] */
	u32 closed;		/* [a] descriptor gone */
	int err;		/* [a] positive pending error */
	/* received messages */
	struct spinlock qlock;
	struct list queue;	/* [qlock] */
	u32 queued;		/* [qlock] bytes with overhead */
	u32 nr_queued;		/* [qlock] */
	struct mutex read_lock; /* one reader copies at a time */
	struct waitq wait;	/* everything poll tells of */
	struct waitq space;	/* datagram senders waiting for room in this queue */
	u32 wmem;		/* [a] datagrams: bytes of ours in others' queues */
	u32 rcvbuf, sndbuf;
	s64 rcvtimeo, sndtimeo; /* ns, 0 = none */
	/* datagram sockets connected to this one that poll for room in its queue; our place in such a list */
	struct list wake_list, wake_node; /* [unix_lock] */
	/* in flight: in messages (sock_unix_gc.c) */
	struct list flight_node;	/* [flight_lock] */
	struct file *flight_file;	/* [flight_lock] borrowed: a message holds it */
	u32 flights, flight_scan;	/* [flight_lock] how many messages name us; scratch of the collector */
	/* listening */
	u32 listening;		/* [a] */
	u32 backlog, nr_pending;/* [unix_lock] */
	struct list pending;	/* [unix_lock] struct usock.pending_node, referenced */
	struct list pending_node;
	/* name */
	u8 name[110];		/* [unix_lock] sockaddr_un; name_len 0 = none */
	u32 name_len;
	struct list hash_node;	/* [unix_lock] abstract names */
	struct path path;	/* bound path: reference */
	struct sock_cred peer_cred, own_cred;
	u32 passcred;
	u32 rcvlowat;		/* [a] streams: bytes that a blocking read waits for */
	u32 told_opts;		/* [a] bit N: SO_ option N was switched on; means nothing here but is told again */
	u32 priority;		/* [a] likewise */
	s32 linger[2];
};

extern struct spinlock unix_lock;
struct usock *unix_peer_get(struct usock *u); /* referenced, or NULL */
void unix_put(struct usock *u);
int unix_lookup(const struct sock_addr *a, struct usock **out);

ssize unix_send(struct socket *s, struct sock_msg *m);
ssize unix_recv(struct socket *s, struct sock_msg *m);
u32 unix_poll(struct socket *s, struct poll_table *pt);
int unix_bytes(struct socket *s, bool output);
/* Throws away what is queued. True if there was anything. */
bool unix_purge(struct usock *u);
void unix_free_msg(struct umsg *b);
/* unix_lock not held: senders connected to u that poll for room hear of it. */
void unix_wake_writers(struct usock *u);
/* The unix socket behind f, or NULL. */
struct usock *unix_of_file(const struct file *f);

/* sock_unix_gc.c. Descriptors enter and leave messages; none locked. begin: -ETOOMANYREFS. */
int unix_flight_begin(struct file **files, u32 n);
void unix_flight_end(struct file **files, u32 n);
/* Frees sockets that only messages in one another's queues hold. After a unix socket was closed; may close files. */
void unix_collect(void);

#endif
