/* SPDX-License-Identifier: MIT */
/* System calls on pipes, event descriptors and polling: bodies in sys_pipe.c, sys_event.c, sys_poll.c. */
#ifndef USERLIB_SYS_SYS_EVENT_CALLS_H
#define USERLIB_SYS_SYS_EVENT_CALLS_H

#include "base/types.h"

/* sys_pipe.c */
long sys_pipe(int __app *fds);
long sys_pipe2(int __app *fds, int flags);
long sys_splice(int in, s64 __app *in_pos, int out, s64 __app *out_pos, size_t len, unsigned flags);
long sys_tee(int in, int out, size_t len, unsigned flags);
long sys_vmsplice(int fd, const void __app *iov, unsigned long n, unsigned flags);

/* sys_event.c */
long sys_eventfd(unsigned count);
long sys_eventfd2(unsigned count, int flags);
long sys_timerfd_create(int clockid, int flags);
long sys_timerfd_settime(int fd, int flags, const void __app *value, void __app *old);
long sys_timerfd_gettime(int fd, void __app *value);
long sys_signalfd(int fd, const u64 __app *mask, size_t size);
long sys_signalfd4(int fd, const u64 __app *mask, size_t size, int flags);
long sys_inotify_init(void);
long sys_inotify_init1(int flags);
long sys_inotify_add_watch(int fd, const char __app *name, u32 mask);
long sys_inotify_rm_watch(int fd, int wd);
long sys_memfd_create(const char __app *name, unsigned flags);

/* sys_poll.c */
long sys_poll(void __app *fds, unsigned n, int timeout_ms);
long sys_ppoll(void __app *fds, unsigned n, void __app *timeout, const u64 __app *mask, size_t size);
long sys_select(int n, void __app *rd, void __app *wr, void __app *ex, void __app *timeout);
long sys_pselect6(int n, void __app *rd, void __app *wr, void __app *ex, void __app *timeout, const void __app *sig);
long sys_epoll_create(int size);
long sys_epoll_create1(int flags);
long sys_epoll_ctl(int epfd, int op, int fd, void __app *event);
long sys_epoll_wait(int epfd, void __app *events, int max, int timeout_ms);
long sys_epoll_pwait(int epfd, void __app *events, int max, int timeout_ms, const u64 __app *mask, size_t size);
long sys_epoll_pwait2(int epfd, void __app *events, int max, const void __app *timeout, const u64 __app *mask, size_t size);

#endif
