/* SPDX-License-Identifier: MIT */
/* What many system calls start with: descriptors, paths and vectors of the caller. Inline; each fails before anything has changed. */
#ifndef USERLIB_SYS_SYS_UTIL_H
#define USERLIB_SYS_SYS_UTIL_H

#include "userlib/base/string.h"
#include "userlib/file/file.h"
#include "userlib/proc/proc.h"

#define IOV_MAX_SEGS 1024
#define RW_COUNT_MAX 0x7ffff000ul

/* A referenced file or NULL (EBADF). O_PATH files only where `path_ok`. */
static inline struct file *fd_file(int fd)
{
	struct file *f = fdtab_get(uproc_self()->files, fd);

	if (f && f->flags & O_PATH) {
		file_put(f);
		return NULL;
	}
	return f;
}
static inline struct file *fd_file_any(int fd)
{
	return fdtab_get(uproc_self()->files, fd);
}
/*
 * For calls that are over before they return: as fd_file, and fd_return instead of file_put. The only thread of a process with a table of
 * its own needs no reference: nobody else can close the descriptor meanwhile.
 */
static inline struct file *fd_borrow_any(int fd, bool *is_owned)
{
	struct uproc *p = uproc_self();
	struct fdtab *t = p->files;

	*is_owned = load_relaxed(&p->nr_threads) != 1 || load_relaxed(&t->ref.count) != 1;
	if (*is_owned)
		return fdtab_get(t, fd);
	return fd >= 0 && (u32)fd < t->size ? t->files[fd] : NULL;
}
static inline void fd_return(struct file *f, bool is_owned)
{
	if (is_owned)
		file_put(f);
}
static inline struct file *fd_borrow(int fd, bool *is_owned)
{
	struct file *f = fd_borrow_any(fd, is_owned);

	if (f && f->flags & O_PATH) {
		fd_return(f, *is_owned);
		return NULL;
	}
	return f;
}
/* One reading (or writing) call with that result, for /proc/PID/io. */
static inline long io_count(bool write, long r)
{
	struct io_counts *c = &thread_self()->io;

	if (r != -EBADF) /* not open for that: Linux does not get as far as counting */
		*(write ? &c->syscw : &c->syscr) += 1;
	if (r > 0)
		*(write ? &c->wchar : &c->rchar) += (u64)r;
	return r;
}
static inline u64 nofile_limit(void)
{
	return uproc_self()->rlim[RLIMIT_NOFILE].rlim_cur;
}
/* Installs a new file; drops the reference when that fails. */
static inline long fd_install(struct file *f, bool cloexec)
{
	int fd = fdtab_install(uproc_self()->files, f, 0, nofile_limit(), cloexec);

	if (fd < 0)
		file_put(f);
	return fd;
}

/*
 * Where a *at() call starts: the caller's root and cwd (or the directory dirfd), and the name copied in. Release with at_put.
 * flags: AT_EMPTY_PATH allows an empty name, then .empty is set and .self is dirfd's path (or the cwd).
 */
struct at_path {
	struct walk_ctx w;
	struct file *dir;
	bool empty;
	struct path self; /* borrowed, valid if empty */
	char *name;	  /* short_name, or PATH_MAX_LEN bytes of kmem */
	char short_name[256];
};
int at_get(struct at_path *a, int dirfd, const char __app *name, int flags) must_check;
void at_put(struct at_path *a);
/* Resolves to a referenced path; follow = not O_NOFOLLOW. */
int at_resolve(struct at_path *a, bool follow, struct path *out) must_check;

/* Copies and checks an iovec array; *segs is `fixed` if it fits (8), else kmem to be freed with iov_free. Total at most RW_COUNT_MAX. */
struct app_iov {
	struct iov_seg fixed[8];
	struct iov_seg *segs;
	u32 nr;
	struct iov_iter it;
};
int iov_get(struct app_iov *v, const void __app *iov, u64 nr) must_check;
void iov_free(struct app_iov *v);

#endif
