/* SPDX-License-Identifier: MIT */
/* System calls on sockets: bodies in sys_socket.c and sys_sockmsg.c. */
#ifndef USERLIB_SYS_SYS_SOCKET_CALLS_H
#define USERLIB_SYS_SYS_SOCKET_CALLS_H

#include "base/types.h"

long sys_socket(int family, int type, int protocol);
long sys_socketpair(int family, int type, int protocol, int __app *fds);
long sys_bind(int fd, const void __app *addr, int len);
long sys_listen(int fd, int backlog);
long sys_accept(int fd, void __app *addr, int __app *len);
long sys_accept4(int fd, void __app *addr, int __app *len, int flags);
long sys_connect(int fd, const void __app *addr, int len);
long sys_getsockname(int fd, void __app *addr, int __app *len);
long sys_getpeername(int fd, void __app *addr, int __app *len);
long sys_shutdown(int fd, int how);
long sys_setsockopt(int fd, int level, int name, const void __app *val, int len);
long sys_getsockopt(int fd, int level, int name, void __app *val, int __app *len);

/* sys_sockmsg.c */
long sys_sendto(int fd, const void __app *buf, size_t len, unsigned flags, const void __app *addr, int addr_len);
long sys_recvfrom(int fd, void __app *buf, size_t len, unsigned flags, void __app *addr, int __app *addr_len);
long sys_sendmsg(int fd, const void __app *msg, unsigned flags);
long sys_recvmsg(int fd, void __app *msg, unsigned flags);
long sys_sendmmsg(int fd, void __app *vec, unsigned n, unsigned flags);
long sys_recvmmsg(int fd, void __app *vec, unsigned n, unsigned flags, void __app *timeout);

/* Shared by the two. -ENOTSOCK, -EBADF; the file is referenced. */
struct file;
struct sock_addr;
long sock_get(int fd, struct file **out);
/* Copies a name in and, for unix path names, resolves it (walks as the caller). addr_put in case of success. */
long sock_addr_get(struct file *f, struct sock_addr *a, const void __app *addr, int len);
void sock_addr_put(struct sock_addr *a);
long sock_addr_put_user(const struct sock_addr *a, void __app *addr, int __app *len);

#endif
