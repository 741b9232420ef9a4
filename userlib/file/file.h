/* SPDX-License-Identifier: MIT */
/*
 * Open files: struct file, its operations, descriptor tables. What a descriptor refers to; paths are fs/'s business, processes proc/'s.
 * fd look-up takes a reference (close() in another thread while a read blocks is no use-after-free).
 */
#ifndef USERLIB_FILE_FILE_H
#define USERLIB_FILE_FILE_H

#include "fs/vfs.h"
#include <linux/eventpoll.h>

struct vma_backing;
struct file;

/* One poll() call's or epoll item's registration: file_ops.poll calls poll_wait(pt, q) for each queue that may bring a change. */
struct poll_table {
	void (*queue)(struct poll_table *pt, struct waitq *q);
	u32 mask; /* events of interest, always with EPOLLERR|EPOLLHUP */
};
static inline void poll_wait(struct poll_table *pt, struct waitq *q)
{
	if (pt && pt->queue)
		pt->queue(pt, q);
}

/* NULL: read/write -EINVAL, poll: always ready, ioctl: -ENOTTY, mmap: -ENODEV, seek: -ESPIPE. File is referenced throughout. */
struct file_ops {
	const char *name;
	/* pos: explicit offset for seekable files (already resolved for pread/read); *pos is advanced by the callee. Stream files ignore it. */
	ssize (*read)(struct file *f, struct iov_iter *it, s64 *pos, u32 rwf_flags);
	ssize (*write)(struct file *f, struct iov_iter *it, s64 *pos, u32 rwf_flags);
	s64 (*seek)(struct file *f, s64 off, int whence);
	u32 (*poll)(struct file *f, struct poll_table *pt); /* current EPOLL* state; registers if pt */
	long (*ioctl)(struct file *f, unsigned cmd, unsigned long arg);
	int (*readdir)(struct file *f, struct dir_ctx *ctx);
	int (*getattr)(struct file *f, struct kstat *st); /* files without a path: pipes, sockets, eventfds */
	int (*fsync)(struct file *f, bool data_only);
	int (*set_flags)(struct file *f, unsigned new_flags); /* may refuse F_SETFL bits */
	/* Text for /proc/PID/fd/N: "pipe:[7]", "anon_inode:[eventpoll]"; -ENODATA: as files without this. */
	int (*link_name)(struct file *f, char *buf, size_t size);
	void (*fdinfo)(struct file *f, char *buf, size_t size);
	/* Every close(2) of a descriptor (POSIX locks, per owner). */
	void (*flush)(struct file *f, void *owner_files);
	/* Opening /proc/PID/fd/N of a file without a path: a new open file on the same object. NULL: -ENXIO. */
	int (*reopen)(struct file *f, unsigned flags, struct file **out);
	/* Last reference gone. */
	void (*release)(struct file *f);
	bool can_async; /* O_ASYNC has an effect */
	bool maps_zero; /* mmap gives fresh zero pages: /dev/zero */
};

/* Who is signalled of input and output on a file, and with whose rights. */
struct file_owner {
	int pid;   /* of a process, thread or group (type); 0 = nobody */
	int type;  /* F_OWNER_TID, F_OWNER_PID, F_OWNER_PGRP */
	int sig;   /* F_SETSIG: 0 = SIGIO without details */
	u32 uid, euid;
};
struct fasync;

struct file {
	struct ref ref;
	u32 flags;		    /* [a] O_* status flags and access mode */
	const struct file_ops *ops; /* [I] */
	struct path path;	    /* [I] mnt NULL if none */
	struct inode *inode;	    /* [I] of path, or NULL */
	struct mutex pos_lock;	    /* serialises read/write/lseek on pos (POSIX atomicity) */
	s64 pos;		    /* [pos_lock] */
	void *private;
	u64 id;			    /* [I] inode number shown for anonymous files */
	struct list epoll_items;    /* [epitem_lock] epoll.c: who watches this file */
	struct spinlock epitem_lock;
	struct file_owner async;    /* [async_lock] F_SETOWN, F_SETSIG */
	struct fasync *fasync;	    /* [async_lock] O_ASYNC is set */
	u32 mode_rw;		    /* 1 = may read, 2 = may write */
	void *flock_owner;
};
int file_alloc(const struct file_ops *ops, unsigned flags, void *private, struct file **out); /* anonymous file; on error nothing is taken */
static inline struct file *file_get(struct file *f)
{
	ref_get(&f->ref);
	return f;
}
void file_put(struct file *f);
/* Opens what vfs_open resolved (takes its own path reference): inode ops->open_file if there, else the plain inode file. */
int file_open_path(struct path *p, unsigned open_flags, const struct cred *c, struct file **out);

/* Opens anew what f is: by its path, or ops->reopen. For /proc/PID/fd/N and /dev/stdin. */
int file_reopen(struct file *f, unsigned flags, const struct cred *c, struct file **out);
int file_getattr(struct file *f, struct kstat *st);
/* What readlink(/proc/PID/fd/N) says: length without the zero or -errno. */
int file_link_name(struct file *f, const struct path *root, char *buf, size_t size);

/* Descriptor table: shared by CLONE_FILES. */
struct fdtab {
	struct ref ref;
	struct spinlock lock;
	u32 size;	      /* [lock] slots allocated */
	struct file **files;  /* [lock] */
	u64 *cloexec;	      /* [lock] bitmap */
	u32 first_free;	      /* [lock] hint */
	u32 count;
};
struct fdtab *fdtab_create(void);
struct fdtab *fdtab_clone(struct fdtab *t); /* fork: same files, new references */
void fdtab_put(struct fdtab *t);	    /* closes all at the last reference */
static inline struct fdtab *fdtab_share(struct fdtab *t)
{
	ref_get(&t->ref);
	return t;
}
void fdtab_close_on_exec(struct fdtab *t);
/* A referenced file or NULL. */
struct file *fdtab_get(struct fdtab *t, int fd);
/* Lowest free descriptor >= min and < limit (RLIMIT_NOFILE); takes the caller's reference on success. -EMFILE, -EINVAL, -ENOMEM. */
int fdtab_install(struct fdtab *t, struct file *f, int min, u64 limit, bool cloexec);
/* dup2/dup3: replaces. */
int fdtab_install_at(struct fdtab *t, struct file *f, int fd, u64 limit, bool cloexec);
int fdtab_close(struct fdtab *t, int fd);
int fdtab_close_range(struct fdtab *t, u32 first, u32 last, bool set_cloexec);
int fdtab_get_cloexec(struct fdtab *t, int fd);
int fdtab_set_cloexec(struct fdtab *t, int fd, bool on);
/* For /proc/PID/fd: the lowest used descriptor >= from, or -1. */
int fdtab_next(struct fdtab *t, int from);
/* Each socket's descriptor and inode number, under the table's lock: fn takes no lock above it and no reference. */
void fdtab_each_socket(struct fdtab *t, void (*fn)(int fd, u64 ino, void *arg), void *arg);

/* Whole-call helpers used by sys_: blocking reads and writes of any file (loops for pipes are in their ops). */
ssize file_read(struct file *f, struct iov_iter *it, s64 *pos /* NULL: file position */, u32 rwf_flags);
ssize file_write(struct file *f, struct iov_iter *it, s64 *pos, u32 rwf_flags);
u32 file_poll(struct file *f, struct poll_table *pt);

/* Upper-layer services that file/ needs, set once by proc/ at boot (upward calls go through this table only). */
struct proc_hooks {
	void (*send_signal_self)(int sig);				    /* SIGPIPE, SIGXFSZ to the calling thread */
	void (*send_signal_owner)(int owner /* >0 pid, <0 pgrp */, int sig, int code, int fd, int band); /* SIGIO, tty signals */
	void (*send_sigio)(const struct file_owner *to, int poll_code /* POLL_IN ... */, int fd);
	int (*current_tgid)(void);
	const struct cred *(*current_cred)(void);
	u64 (*rlimit)(int resource);
	struct fdtab *(*current_files)(void);
	/* ttys: session and foreground-group business of the caller. */
	int (*current_session)(void);
	int (*current_pgrp)(void);
	bool (*pgrp_in_session)(int pgrp, int session);
	bool (*pgrp_is_orphaned)(int pgrp);
	bool (*signal_is_ignored_or_blocked)(int sig);
	void *(*current_ctty)(void);		 /* the session's controlling tty (struct tty *) */
	void (*set_ctty)(int session, void *tty); /* NULL = give up */
	/* signalfd: takes one pending signal out of `mask` for the caller; fills a siginfo (128 bytes); 0 = none. */
	int (*dequeue_signal)(u64 mask, void *siginfo128);
	u64 (*pending_signals)(void);
	struct waitq *(*signal_waitq)(void); /* woken when a signal for the calling process arrives */
};
extern const struct proc_hooks *proc_hooks;
/* The process that signal_waitq() returned q for is going, nobody else can reach q: signalfds polled by it stop listening. */
void signalfd_forget_queue(struct waitq *q);

#endif
