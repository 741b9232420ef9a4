/* SPDX-License-Identifier: MIT */
/*
 * Sockets as open files. A family fills struct sock_ops; system calls (sys_socket.c) and read/write/poll come in here. Names of unix sockets
 * are resolved by the caller (paths are a matter of the process), everything else is bytes.
 */
#ifndef USERLIB_FILE_SOCKET_H
#define USERLIB_FILE_SOCKET_H

#include "userlib/file/file.h"

#define SOCK_ADDR_MAX 128u
#define SCM_MAX_FDS 253

struct sock_addr {
	u8 bytes[SOCK_ADDR_MAX];
	u32 len;
	struct path path; /* AF_UNIX path names: resolved (connect, send) or just made (bind); mnt NULL otherwise; borrowed */
};

struct sock_cred {
	int pid;
	u32 uid, gid;
};

/* One message, either way. */
struct sock_msg {
	struct iov_iter *it;
	struct sock_addr *addr; /* send: where to, or NULL; recv: filled if not NULL (len 0 = none) */
	u32 flags;		/* MSG_* */
	u32 out_flags;		/* recv: MSG_TRUNC, MSG_EOR, ... */
	bool nonblock;
	/* Descriptors: send: taken if the call succeeds; recv: the caller's from then on. */
	struct file **files;	/* SCM_MAX_FDS slots, or NULL: arriving ones are closed */
	u32 nr_files;
	struct sock_cred cred;	/* send: of the sender; recv: valid if has_cred */
	bool has_cred;
	u64 groups;		/* recv: netlink */
	/* Control data of the network families, as in struct msghdr but in kernel memory. */
	const u8 *ctl;		/* send: whole cmsgs */
	u32 ctl_len;
	u8 *ctl_out;		/* recv: NULL or room for them */
	u32 ctl_room, ctl_used;
};

struct socket;
struct sock_ops {
	int (*bind)(struct socket *s, const struct sock_addr *a);
	int (*connect)(struct socket *s, const struct sock_addr *a, bool nonblock, const struct sock_cred *c);
	int (*listen)(struct socket *s, int backlog, const struct sock_cred *c);
	int (*accept)(struct socket *s, bool nonblock, unsigned file_flags, struct file **out);
	int (*name)(struct socket *s, bool peer, struct sock_addr *out);
	ssize (*send)(struct socket *s, struct sock_msg *m); /* -EPIPE: the caller sends SIGPIPE */
	ssize (*recv)(struct socket *s, struct sock_msg *m);
	int (*shutdown)(struct socket *s, int how);
	int (*setopt)(struct socket *s, int level, int name, const void *val, u32 len);
	int (*getopt)(struct socket *s, int level, int name, void *val, u32 *len);
	u32 (*poll)(struct socket *s, struct poll_table *pt);
	int (*bytes)(struct socket *s, bool output);
	long (*ioctl)(struct socket *s, unsigned cmd, unsigned long arg); /* NULL: -ENOTTY */
	void (*release)(struct socket *s);
};

struct socket {
	const struct sock_ops *ops; /* [I] */
	int family, type, protocol; /* [I] */
	u64 id;			    /* [I] inode number */
	void *priv;
};

bool file_is_socket(const struct file *f);
static inline struct socket *file_socket(const struct file *f)
{
	return f->private;
}
/* The file of a new socket; priv is taken on success. */
int socket_file_create(const struct sock_ops *ops, int family, int type, int protocol, void *priv, unsigned flags, struct file **out);

int inet_socket_create(int family, int type, int protocol, unsigned flags, struct file **out);
int unix_socket_create(int type, int protocol, unsigned flags, struct file **out);
int unix_show(char *buf, size_t size); /* /proc/net/unix: at most size bytes written, the full length returned */
int unix_socket_pair(int type, unsigned flags, const struct sock_cred *c, struct file **a, struct file **b);
int netlink_socket_create(int type, int protocol, unsigned flags, struct file **out);

/* Interface requests (netdevice(7)) any socket answers; -ENOTTY if it is none. */
long netdev_ioctl(unsigned cmd, unsigned long arg);

#endif
