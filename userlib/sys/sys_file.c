/* SPDX-License-Identifier: MIT */
/* Opening, closing and duplicating descriptors, fcntl(2) and flock(2). */
#include "fs/flock.h"
#include "userlib/file/file_internal.h"
#include "userlib/sys/sys_file_calls.h"
#include "userlib/sys/sys_util.h"
#include <linux/close_range.h>
#include <linux/fcntl.h>
#include <linux/openat2.h>

#define OPEN_KNOWN                                                                                              \
	(O_ACCMODE | O_CREAT | O_EXCL | O_NOCTTY | O_TRUNC | O_APPEND | O_NONBLOCK | O_SYNC | O_DSYNC | FASYNC | \
	 O_DIRECT | O_LARGEFILE | O_DIRECTORY | O_NOFOLLOW | O_NOATIME | O_CLOEXEC | O_PATH | O_TMPFILE)

static long do_open(int dirfd, const char __app *path, unsigned flags, unsigned mode, unsigned walk_flags)
{
	struct uproc *p = uproc_self();
	struct at_path a;
	struct path where;
	struct file *f;
	long r = at_get(&a, dirfd, path, 0);

	if (r)
		return r;
	if (flags & O_PATH)
		flags &= O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
	r = vfs_open(&a.w, a.name, flags, mode & 07777 & ~p->fs->umask, walk_flags, &where);
	if (!r) {
		r = file_open_path(&where, flags, a.w.cred, &f);
		path_put(&where);
		if (!r)
			r = fd_install(f, flags & O_CLOEXEC);
	}
	at_put(&a);
	return r;
}

long sys_openat(int dirfd, const char __app *path, int flags, unsigned mode)
{
	return do_open(dirfd, path, (unsigned)flags & OPEN_KNOWN, mode, 0);
}

long sys_open(const char __app *path, int flags, unsigned mode)
{
	return sys_openat(AT_FDCWD, path, flags, mode);
}

long sys_creat(const char __app *path, unsigned mode)
{
	return sys_openat(AT_FDCWD, path, O_CREAT | O_WRONLY | O_TRUNC, mode);
}

long sys_openat2(int dirfd, const char __app *path, const void __app *uhow, size_t size)
{
	static const struct { u64 resolve; unsigned walk; } map[] = {
		{ RESOLVE_BENEATH, WALK_BENEATH }, { RESOLVE_IN_ROOT, WALK_IN_ROOT }, { RESOLVE_NO_XDEV, WALK_NO_XDEV },
		{ RESOLVE_NO_SYMLINKS, WALK_NO_SYMLINKS }, { RESOLVE_NO_MAGICLINKS, WALK_NO_MAGICLINKS },
	};
	struct open_how how;
	unsigned walk = 0;
	u64 rest;

	if (size < sizeof(how))
		return -EINVAL;
	if (size > PAGE_SIZE)
		return -E2BIG;
	if (copy_from_app(&how, uhow, sizeof(how)))
		return -EFAULT;
	for (size_t off = sizeof(how); off < size; off += 8) {
		rest = 0;
		if (copy_from_app(&rest, (const char __app *)uhow + off, MIN(size - off, 8ul)))
			return -EFAULT;
		if (rest)
			return -E2BIG;
	}
	if (how.flags & ~(u64)OPEN_KNOWN || how.mode & ~07777ull || how.resolve & ~0x3full ||
	    (how.mode && !(how.flags & (O_CREAT | (O_TMPFILE & ~O_DIRECTORY)))))
		return -EINVAL;
	if (how.flags & O_PATH && how.flags & ~(u64)(O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC))
		return -EINVAL;
	if ((how.resolve & RESOLVE_BENEATH && how.resolve & RESOLVE_IN_ROOT))
		return -EINVAL;
	if (how.resolve & RESOLVE_CACHED)
		return -EAGAIN;
	for (size_t i = 0; i < ARRAY_SIZE(map); i++)
		if (how.resolve & map[i].resolve)
			walk |= map[i].walk;
	return do_open(dirfd, path, (unsigned)how.flags, (unsigned)how.mode, walk);
}

long sys_close(int fd)
{
	return fdtab_close(uproc_self()->files, fd);
}

long sys_close_range(unsigned first, unsigned last, unsigned flags)
{
	struct uproc *p = uproc_self();

	if (flags & ~(CLOSE_RANGE_UNSHARE | CLOSE_RANGE_CLOEXEC))
		return -EINVAL;
	if (flags & CLOSE_RANGE_UNSHARE && p->files->ref.count > 1) {
		struct fdtab *t = fdtab_clone(p->files);

		if (!t)
			return -ENOMEM;
		fdtab_put(p->files);
		p->files = t;
	}
	return fdtab_close_range(p->files, first, last, flags & CLOSE_RANGE_CLOEXEC);
}

long sys_dup(int fd)
{
	struct file *f = fd_file_any(fd);

	return f ? fd_install(f, false) : -EBADF;
}

static long do_dup3(int fd, int to, bool cloexec)
{
	struct file *f = fd_file_any(fd);
	int r;

	if (!f)
		return -EBADF;
	r = fdtab_install_at(uproc_self()->files, f, to, nofile_limit(), cloexec);
	if (r < 0)
		file_put(f);
	return r;
}

long sys_dup2(int fd, int to)
{
	if (fd == to) {
		struct file *f = fd_file_any(fd);

		if (!f)
			return -EBADF;
		file_put(f);
		return to;
	}
	return do_dup3(fd, to, false);
}

long sys_dup3(int fd, int to, int flags)
{
	if (flags & ~O_CLOEXEC || fd == to)
		return -EINVAL;
	return do_dup3(fd, to, flags & O_CLOEXEC);
}

/* ---- locks ---- */

long sys_flock(int fd, int op)
{
	struct file *f = fd_file(fd);
	long r;

	if (!f)
		return -EBADF;
	if (!f->inode) {
		file_put(f);
		return 0;
	}
	r = flock_bsd(f->inode, f, op);
	file_put(f);
	return r;
}

struct app_flock { /* struct flock, x86-64 */
	s16 type, whence;
	s32 pad;
	s64 start, len;
	s32 pid, pad2;
};

static long posix_lock(struct file *f, unsigned cmd, unsigned long arg)
{
	bool ofd = cmd == F_OFD_GETLK || cmd == F_OFD_SETLK || cmd == F_OFD_SETLKW;
	bool get = cmd == F_GETLK || cmd == F_OFD_GETLK, wait = cmd == F_SETLKW || cmd == F_OFD_SETLKW;
	void *owner = ofd ? (void *)f : (void *)uproc_self()->files;
	struct app_flock l;
	struct posix_lock pl;
	struct kstat st;
	s64 base = 0, end;
	long r;

	if (copy_from_app(&l, (void __app *)arg, sizeof(l)))
		return -EFAULT;
	if (!f->inode)
		return -EBADF;
	if (ofd && l.pid)
		return -EINVAL;
	if (l.whence == 1) {
		base = f->pos;
	} else if (l.whence == 2) {
		r = vfs_getattr(&f->path, &st);
		if (r)
			return r;
		base = (s64)st.size;
	} else if (l.whence) {
		return -EINVAL;
	}
	base += l.start;
	end = l.len ? base + l.len - 1 : INT64_MAX;
	if (l.len < 0) {
		end = base - 1;
		base += l.len;
	}
	if (base < 0 || end < base)
		return -EINVAL;
	if (l.type != F_RDLCK && l.type != F_WRLCK && l.type != F_UNLCK)
		return -EINVAL;
	if (!get && ((l.type == F_RDLCK && !(f->mode_rw & 1)) || (l.type == F_WRLCK && !(f->mode_rw & 2))))
		return -EBADF;
	pl = (struct posix_lock){ .type = l.type, .start = base, .end = end, .owner = owner, .pid = ofd ? -1 : uproc_self()->pid };
	if (!get)
		return flock_posix_set(f->inode, &pl, wait);
	r = flock_posix_get(f->inode, &pl);
	if (r)
		return r;
	l.type = (s16)pl.type;
	if (pl.type != F_UNLCK) {
		l.whence = 0;
		l.start = pl.start;
		l.len = pl.end == INT64_MAX ? 0 : pl.end - pl.start + 1;
		l.pid = pl.pid;
	}
	return copy_to_app((void __app *)arg, &l, sizeof(l));
}

#define SETFL_BITS (O_APPEND | O_NONBLOCK | O_DIRECT | O_NOATIME | FASYNC)

static long set_status_flags(struct file *f, int fd, unsigned flags)
{
	u32 old, new;
	int r = f->ops->set_flags ? f->ops->set_flags(f, flags & SETFL_BITS) : 0;

	if (!r && flags & ~f->flags & FASYNC)
		r = file_async_start(f, fd);
	if (r)
		return r;
	if (f->flags & ~flags & FASYNC)
		file_async_stop(f);
	do {
		old = load_relaxed(&f->flags);
		new = (old & ~(u32)SETFL_BITS) | (flags & SETFL_BITS);
	} while (!atomic_cas(&f->flags, old, new));
	return 0;
}

static long dup_from(struct file *f, unsigned long min, bool cloexec)
{
	long r;

	if (min >= nofile_limit())
		return -EINVAL;
	r = fdtab_install(uproc_self()->files, file_get(f), (int)min, nofile_limit(), cloexec);
	if (r < 0)
		file_put(f);
	return r;
}

/* Is there such a thread, process or group? */
static bool owner_exists(const struct file_owner *o)
{
	struct thread *t = NULL;
	struct uproc *p;
	bool found = false;

	if (o->type == F_OWNER_PGRP) {
		spin_lock(&proc_table_lock);
		list_for_each(p, &uproc_all, all_link)
			found |= p->pgid == o->pid;
		spin_unlock(&proc_table_lock);
		return found;
	}
	if (o->type == F_OWNER_TID)
		t = thread_find(o->pid);
	p = t ? NULL : proc_find(o->pid);
	found = t || p;
	if (t)
		thread_put(t);
	if (p)
		proc_put(p);
	return found;
}

static long set_owner(struct file *f, int type, int pid)
{
	const struct cred *c = &uproc_self()->cred;
	struct file_owner o = { .pid = pid, .type = type, .uid = c->uid, .euid = c->euid };

	if (pid && !owner_exists(&o))
		return -ESRCH;
	file_async_owner(f, &o, true);
	return 0;
}

static long owner_call(struct file *f, unsigned cmd, unsigned long arg)
{
	struct f_owner_ex ex;
	int v = (int)arg;

	switch (cmd) {
	case F_SETOWN:
		if (v == INT32_MIN)
			return -EINVAL;
		return set_owner(f, v < 0 ? F_OWNER_PGRP : F_OWNER_PID, v < 0 ? -v : v);
	case F_GETOWN:
		return f->async.type == F_OWNER_PGRP ? -f->async.pid : f->async.pid;
	case F_SETOWN_EX:
		if (copy_from_app(&ex, (void __app *)arg, sizeof(ex)))
			return -EFAULT;
		if (ex.type < F_OWNER_TID || ex.type > F_OWNER_PGRP || ex.pid < 0)
			return -EINVAL;
		return set_owner(f, ex.type, ex.pid);
	default:
		ex = (struct f_owner_ex){ .type = f->async.type, .pid = f->async.pid };
		return copy_to_app((void __app *)arg, &ex, sizeof(ex));
	}
}

static long fcntl_on(struct file *f, int fd, unsigned cmd, unsigned long arg)
{
	switch (cmd) {
	case F_DUPFD:
	case F_DUPFD_CLOEXEC:
		return dup_from(f, arg, cmd == F_DUPFD_CLOEXEC);
	case F_GETFD:
		return fdtab_get_cloexec(uproc_self()->files, fd);
	case F_SETFD:
		return fdtab_set_cloexec(uproc_self()->files, fd, arg & FD_CLOEXEC);
	case F_GETFL:
		return (long)(f->flags | (f->flags & O_PATH ? 0 : O_LARGEFILE));
	}
	if (f->flags & O_PATH)
		return -EBADF;
	switch (cmd) {
	case F_SETFL:
		return set_status_flags(f, fd, (unsigned)arg);
	case F_GETLK:
	case F_SETLK:
	case F_SETLKW:
	case F_OFD_GETLK:
	case F_OFD_SETLK:
	case F_OFD_SETLKW:
		return posix_lock(f, cmd, arg);
	case F_SETOWN:
	case F_GETOWN:
	case F_SETOWN_EX:
	case F_GETOWN_EX:
		return owner_call(f, cmd, arg);
	case F_NOTIFY:
		if (!f->async.pid)
			(void)set_owner(f, F_OWNER_PID, uproc_self()->pid);
		return file_dnotify(f, fd, (unsigned)arg);
	case F_SETSIG:
		if (arg > 64)
			return -EINVAL;
		file_async_owner(f, &(struct file_owner){ .sig = (int)arg }, false);
		return 0;
	case F_GETSIG:
		return f->async.sig;
	case F_SETPIPE_SZ:
		return file_is_pipe(f) ? pipe_set_size(f, (unsigned)arg, cred_capable(&uproc_self()->cred, CAP_SYS_RESOURCE)) : -EBADF;
	case F_GETPIPE_SZ:
		return file_is_pipe(f) ? pipe_get_size(f) : -EBADF;
	case F_ADD_SEALS:
		return f->mode_rw & FMODE_WRITE ? memfd_fcntl_seals(f, true, (u32)arg) : -EPERM;
	case F_GET_SEALS:
		return memfd_fcntl_seals(f, false, 0);
	default:
		return -EINVAL;
	}
}

long sys_fcntl(int fd, unsigned cmd, unsigned long arg)
{
	struct file *f = fd_file_any(fd);
	long r;

	if (!f)
		return -EBADF;
	r = fcntl_on(f, fd, cmd, arg);
	file_put(f);
	return r;
}
