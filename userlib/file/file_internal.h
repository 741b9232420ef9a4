/* SPDX-License-Identifier: MIT */
/* Between the files of userlib/file and the system-call bodies of userlib/sys: constructors and operations on special files. */
#ifndef USERLIB_FILE_FILE_INTERNAL_H
#define USERLIB_FILE_FILE_INTERNAL_H

#include "userlib/file/file.h"

/* file.mode_rw beyond read (1) and write (2). */
#define FMODE_READ 1u
#define FMODE_WRITE 2u
#define FMODE_PATH 4u	    /* O_PATH */
#define FMODE_OPENED 8u	    /* inode ops->open was called */
#define FMODE_WRITE_REF 16u /* inode_write_get was called */
#define FMODE_STREAM 32u    /* no position */
#define FMODE_EPOLL 64u	    /* has been watched by an epoll */

#define RWF_APPEND_BIT 0x10u
#define RWF_NOWAIT_BIT 0x08u
#define RWF_SYNC_BITS 0x06u

#define FLAG_NONBLOCK 04000u
#define FLAG_APPEND 02000u
#define FLAG_DIRECT 040000u
#define FLAG_ASYNC 020000u
#define FLAG_PATH 010000000u
#define FLAG_CLOEXEC 02000000u
#define FLAG_NOATIME 01000000u

#define POLL_IN (EPOLLIN | EPOLLRDNORM)
/* Wakes only blocked readers or writers that another one passes its wake-up on to; no poller hears of it. */
#define WAKE_PASS_ON (1u << 24)
#define POLL_OUT (EPOLLOUT | EPOLLWRNORM)

u64 file_next_id(void); /* inode numbers of anonymous files */
static inline bool file_nonblock(const struct file *f, u32 rwf)
{
	return (load_relaxed(&f->flags) & FLAG_NONBLOCK) || (rwf & RWF_NOWAIT_BIT);
}
/* fasync.c. fcntl's work; stop: also at the last reference. */
int file_async_start(struct file *f, int fd);
void file_async_stop(struct file *f);
void file_async_owner(struct file *f, const struct file_owner *o, bool set); /* !set: only the signal */
int file_dnotify(struct file *f, int fd, unsigned mask); /* F_NOTIFY */
u32 inotify_discard(struct file *f); /* drops what is queued: IN_* of the events with names; under the queue's lock */
void file_async_run(void); /* signals that are due, from a uThread or timer without locks */
void file_async_run_due(void);

extern const struct file_ops inode_file_ops, path_only_ops;
s64 inode_file_size(struct file *f);

/* epoll.c */
extern const struct file_ops epoll_file_ops;
void epoll_file_release(struct file *f);
int epoll_create(unsigned flags, struct file **out);
struct epoll_event;
int epoll_ctl_file(struct file *ep, int op, int fd, struct file *target, u32 events, u64 data);
/* Fills up to max events; deadline absolute (0 = do not wait). Count or -EINTR. */
int epoll_wait_file(struct file *ep, struct epoll_event *evs, int max, s64 deadline_ns);

/* pipe.c */
int pipe_create(unsigned flags, struct file **rd, struct file **wr);
bool file_is_pipe(const struct file *f);
long pipe_get_size(struct file *f);
long pipe_set_size(struct file *f, u64 bytes, bool privileged);
/* splice(2)'s halves; nonblock as SPLICE_F_NONBLOCK. fn consumes kernel memory, returns bytes taken or -errno. */
ssize pipe_drain(struct file *f, size_t len, bool nonblock, ssize (*fn)(void *arg, void *mem, size_t n), void *arg);
ssize pipe_fill(struct file *f, size_t len, bool nonblock, ssize (*fn)(void *arg, void *mem, size_t n), void *arg);
ssize pipe_tee(struct file *in, struct file *out, size_t len, bool nonblock);

/* poll.c: one file of a poll call. */
struct poll_ent {
	struct file *f; /* referenced by the caller; NULL: revents as set */
	u32 events, revents;
};
/* Waits until an entry has revents, up to deadline (0: only looks). How many; -EINTR, -ENOMEM. */
int poll_files(struct poll_ent *e, u32 n, s64 deadline_ns);

/* eventfd.c, timerfd.c, signalfd.c, inotify.c, memfd.c */
int eventfd_create(u64 count, bool semaphore, unsigned flags, struct file **out);
int timerfd_create_file(int clockid, unsigned flags, struct file **out);
bool file_is_timerfd(const struct file *f);
int timerfd_set(struct file *f, int flags, s64 value_ns, s64 interval_ns, s64 *old_value, s64 *old_interval);
void timerfd_get(struct file *f, s64 *value_ns, s64 *interval_ns);
int signalfd_create(u64 mask, unsigned flags, struct file **out);
bool file_is_signalfd(const struct file *f);
void signalfd_set_mask(struct file *f, u64 mask);
int inotify_create(unsigned flags, struct file **out);
bool file_is_inotify(const struct file *f);
int inotify_add(struct file *f, const struct path *p, u32 mask);
int inotify_rm(struct file *f, int wd);
int memfd_create_file(const char *name, unsigned flags, const struct cred *c, struct file **out);
long memfd_fcntl_seals(struct file *f, bool add, u32 seals);

/* Boot: registers devices and hooks. After fs/ is up, before the first open. */
void file_init(void);
void chardev_init(void);
void pipe_init(void);
void tty_init(void);

/* hostfile.c: a host descriptor as a file. kind: JABI_STDIO_*. */
int hostfile_create(int host_fd, u32 kind, u32 oflags, u32 mode, u64 dev, u64 ino, u64 rdev, struct file **out);

#endif
