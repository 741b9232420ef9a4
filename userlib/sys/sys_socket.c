/* SPDX-License-Identifier: MIT */
/* Creation, naming, connection and options of sockets. */
#include "userlib/sys/sys_socket_calls.h"
#include "userlib/file/file_internal.h"
#include "userlib/file/socket.h"
#include "userlib/sys/sys_util.h"
#include <linux/un.h>

#define F_UNIX 1
#define F_INET 2
#define F_INET6 10
#define F_NETLINK 16
#define F_PACKET 17
#define TYPE_MASK 0xf
#define NAME_HEAD offsetof(struct sockaddr_un, sun_path)
#define OPT_MAX 512
#define SO_ATTACH_FILTER_NR 26

long sock_get(int fd, struct file **out)
{
	*out = fd_file(fd);
	if (!*out)
		return -EBADF;
	if (file_is_socket(*out))
		return 0;
	file_put(*out);
	return -ENOTSOCK;
}

static struct sock_cred own_cred(void)
{
	struct uproc *p = uproc_self();

	return (struct sock_cred){ p->pid, p->cred.uid, p->cred.gid };
}

/* ---- names ---- */

static long copy_addr(struct sock_addr *a, const void __app *addr, int len)
{
	memset(a, 0, sizeof(*a));
	if (len < 0 || len > (int)sizeof(a->bytes))
		return -EINVAL;
	a->len = (u32)len;
	return len && copy_from_app(a->bytes, addr, (size_t)len) ? -EFAULT : 0;
}

static bool is_unix_path(const struct file *f, const struct sock_addr *a)
{
	u16 family;

	memcpy(&family, a->bytes, 2);
	return file_socket(f)->family == F_UNIX && family == F_UNIX && a->len > NAME_HEAD && a->bytes[NAME_HEAD];
}

static long unix_addr_ok(const struct file *f, const struct sock_addr *a)
{
	u16 family;

	memcpy(&family, a->bytes, 2);
	if (file_socket(f)->family != F_UNIX)
		return 0;
	return a->len < NAME_HEAD || a->len > sizeof(struct sockaddr_un) ? -EINVAL : 0;
}

/* The path in a, terminated, in buf. */
static void unix_path(const struct sock_addr *a, char buf[UNIX_PATH_MAX + 1])
{
	size_t n = MIN((size_t)a->len - NAME_HEAD, (size_t)UNIX_PATH_MAX);

	memcpy(buf, a->bytes + NAME_HEAD, n);
	buf[n] = 0;
}

long sock_addr_get(struct file *f, struct sock_addr *a, const void __app *addr, int len)
{
	char name[UNIX_PATH_MAX + 1];
	struct walk_ctx w;
	long r = copy_addr(a, addr, len);

	if (!r)
		r = unix_addr_ok(f, a);
	if (r || !is_unix_path(f, a))
		return r;
	unix_path(a, name);
	w = proc_walk_ctx_get(uproc_self());
	r = path_walk(&w, name, 0, &a->path, NULL);
	if (!r) {
		r = vfs_permission(&a->path, 2, w.cred);
		if (!r && (path_inode(&a->path)->mode & S_IFMT) != S_IFSOCK)
			r = -ECONNREFUSED;
		if (r)
			sock_addr_put(a);
	}
	proc_walk_ctx_put(&w);
	return r;
}

void sock_addr_put(struct sock_addr *a)
{
	if (a->path.mnt)
		path_put(&a->path);
	a->path.mnt = NULL;
}

long sock_addr_put_user(const struct sock_addr *a, void __app *addr, int __app *len)
{
	int room;

	if (copy_from_app(&room, len, sizeof(room)))
		return -EFAULT;
	if (room < 0)
		return -EINVAL;
	if (copy_to_app(addr, a->bytes, MIN((u32)room, a->len)))
		return -EFAULT;
	room = (int)a->len;
	return copy_to_app(len, &room, sizeof(room));
}

/* ---- creation ---- */

static long check_type(int type)
{
	return type & ~(TYPE_MASK | O_CLOEXEC | O_NONBLOCK) || (type & TYPE_MASK) == 0 || (type & TYPE_MASK) > 10 ? -EINVAL : 0;
}

long sys_socket(int family, int type, int protocol)
{
	struct file *f;
	long r = check_type(type);
	int t = type & TYPE_MASK;

	if (r)
		return r;
	switch (family) {
	case F_UNIX:
		r = unix_socket_create(t, protocol, (unsigned)type, &f);
		break;
	case F_INET:
	case F_INET6:
	case F_PACKET:
		r = inet_socket_create(family, t, protocol, (unsigned)type, &f);
		break;
	case F_NETLINK:
		r = netlink_socket_create(t, protocol, (unsigned)type, &f);
		break;
	default:
		r = -EAFNOSUPPORT;
	}
	return r ? r : fd_install(f, type & O_CLOEXEC);
}

long sys_socketpair(int family, int type, int protocol, int __app *fds)
{
	struct sock_cred c = own_cred();
	struct file *a, *b;
	int fd[2];
	long r = check_type(type);

	if (r)
		return r;
	if (family != F_UNIX)
		return family == F_INET || family == F_INET6 ? -EOPNOTSUPP : -EAFNOSUPPORT;
	if (protocol && protocol != F_UNIX)
		return -EPROTONOSUPPORT;
	r = unix_socket_pair(type & TYPE_MASK, (unsigned)type, &c, &a, &b);
	if (r)
		return r;
	r = fd_install(a, type & O_CLOEXEC);
	if (r < 0) {
		file_put(b);
		return r;
	}
	fd[0] = (int)r;
	r = fd_install(b, type & O_CLOEXEC);
	if (r >= 0) {
		fd[1] = (int)r;
		if (!copy_to_app(fds, fd, sizeof(fd)))
			return 0;
		(void)fdtab_close(uproc_self()->files, fd[1]);
		r = -EFAULT;
	}
	(void)fdtab_close(uproc_self()->files, fd[0]);
	return r;
}

/* ---- naming and connecting ---- */

/* bind to a path makes the file; when the socket then refuses, the file goes again. */
static long bind_path(struct file *f, struct sock_addr *a)
{
	char name[UNIX_PATH_MAX + 1];
	struct uproc *p = uproc_self();
	struct walk_ctx w = proc_walk_ctx_get(p);
	struct sock_addr own;
	long r = file_socket(f)->ops->name(file_socket(f), false, &own);

	unix_path(a, name);
	if (!r && own.len > NAME_HEAD)
		r = -EINVAL; /* has a name */
	if (!r)
		r = vfs_mknod(&w, name, S_IFSOCK | (0777 & ~p->fs->umask), 0, &a->path);
	if (!r) {
		r = file_socket(f)->ops->bind(file_socket(f), a);
		if (r)
			(void)vfs_unlink(&w, name);
		sock_addr_put(a);
	}
	proc_walk_ctx_put(&w);
	return r == -EEXIST ? -EADDRINUSE : r;
}

long sys_bind(int fd, const void __app *addr, int len)
{
	struct sock_addr a;
	struct file *f;
	u16 family;
	long r = sock_get(fd, &f);

	if (r)
		return r;
	r = copy_addr(&a, addr, len);
	memcpy(&family, a.bytes, 2);
	if (!r)
		r = unix_addr_ok(f, &a);
	if (!r && file_socket(f)->family == F_UNIX && family != F_UNIX)
		r = -EINVAL;
	if (!r)
		r = is_unix_path(f, &a) ? bind_path(f, &a) : file_socket(f)->ops->bind(file_socket(f), &a);
	file_put(f);
	return r;
}

long sys_connect(int fd, const void __app *addr, int len)
{
	struct sock_cred c = own_cred();
	struct sock_addr a;
	struct file *f;
	long r = sock_get(fd, &f);

	if (r)
		return r;
	r = sock_addr_get(f, &a, addr, len);
	if (!r) {
		r = file_socket(f)->ops->connect(file_socket(f), &a, file_nonblock(f, 0), &c);
		sock_addr_put(&a);
	}
	file_put(f);
	return r;
}

long sys_listen(int fd, int backlog)
{
	struct sock_cred c = own_cred();
	struct file *f;
	long r = sock_get(fd, &f);

	if (r)
		return r;
	r = file_socket(f)->ops->listen ? file_socket(f)->ops->listen(file_socket(f), backlog, &c) : -EOPNOTSUPP;
	file_put(f);
	return r;
}

long sys_accept4(int fd, void __app *addr, int __app *len, int flags)
{
	struct file *f, *n;
	struct sock_addr a;
	long r;

	if (flags & ~(O_CLOEXEC | O_NONBLOCK))
		return -EINVAL;
	r = sock_get(fd, &f);
	if (r)
		return r;
	r = file_socket(f)->ops->accept ?
		    file_socket(f)->ops->accept(file_socket(f), file_nonblock(f, 0), (unsigned)flags, &n) : -EOPNOTSUPP;
	file_put(f);
	if (r)
		return r;
	if (addr) {
		r = file_socket(n)->ops->name(file_socket(n), true, &a);
		if (r == -ENOTCONN)
			r = -ECONNABORTED;
		if (!r)
			r = sock_addr_put_user(&a, addr, len);
		if (r) {
			file_put(n);
			return r;
		}
	}
	return fd_install(n, flags & O_CLOEXEC);
}

long sys_accept(int fd, void __app *addr, int __app *len)
{
	return sys_accept4(fd, addr, len, 0);
}

static long get_name(int fd, bool peer, void __app *addr, int __app *len)
{
	struct sock_addr a;
	struct file *f;
	long r = sock_get(fd, &f);

	if (r)
		return r;
	r = file_socket(f)->ops->name(file_socket(f), peer, &a);
	if (!r)
		r = sock_addr_put_user(&a, addr, len);
	file_put(f);
	return r;
}

long sys_getsockname(int fd, void __app *addr, int __app *len)
{
	return get_name(fd, false, addr, len);
}

long sys_getpeername(int fd, void __app *addr, int __app *len)
{
	return get_name(fd, true, addr, len);
}

long sys_shutdown(int fd, int how)
{
	struct file *f;
	long r = sock_get(fd, &f);

	if (r)
		return r;
	r = how < 0 || how > 2 ? -EINVAL : file_socket(f)->ops->shutdown ? file_socket(f)->ops->shutdown(file_socket(f), how) : -EOPNOTSUPP;
	file_put(f);
	return r;
}

/* ---- options ---- */

/* SO_ATTACH_FILTER names its program by a pointer: the family gets the instructions themselves. */
static long attach_filter(struct file *f, int level, int name, const void __app *val, int len)
{
	struct {
		u16 len;
		u64 insns;
	} prog;
	size_t bytes;
	void *buf;
	long r;

	if (len < (int)sizeof(prog))
		return -EINVAL;
	if (copy_from_app(&prog, val, sizeof(prog)))
		return -EFAULT;
	bytes = prog.len * 8ul;
	if (!bytes || prog.len > 4096)
		return -EINVAL;
	buf = kmem_alloc(bytes);
	if (!buf)
		return -ENOMEM;
	r = copy_from_app(buf, (void __app *)prog.insns, bytes) ? -EFAULT :
	    file_socket(f)->ops->setopt(file_socket(f), level, name, buf, (u32)bytes);
	kmem_free(buf, bytes);
	return r;
}

long sys_setsockopt(int fd, int level, int name, const void __app *val, int len)
{
	u8 buf[OPT_MAX];
	struct file *f;
	long r = sock_get(fd, &f);

	if (r)
		return r;
	if (len < 0)
		r = -EINVAL;
	else if (level == 1 && name == SO_ATTACH_FILTER_NR && (file_socket(f)->family == F_INET || file_socket(f)->family == F_INET6 ||
							     file_socket(f)->family == F_PACKET))
		r = attach_filter(f, level, name, val, len);
	else if (len > OPT_MAX)
		r = -EINVAL;
	else if (len && copy_from_app(buf, val, (size_t)len))
		r = -EFAULT;
	else
		r = file_socket(f)->ops->setopt(file_socket(f), level, name, buf, (u32)len);
	file_put(f);
	return r;
}

long sys_getsockopt(int fd, int level, int name, void __app *val, int __app *ulen)
{
	u8 buf[OPT_MAX];
	struct file *f;
	int room;
	u32 len;
	long r = sock_get(fd, &f);

	if (r)
		return r;
	r = -EFAULT;
	if (copy_from_app(&room, ulen, sizeof(room)))
		goto out;
	r = -EINVAL;
	if (room < 0)
		goto out;
	len = MIN((u32)room, (u32)OPT_MAX);
	r = file_socket(f)->ops->getopt(file_socket(f), level, name, buf, &len);
	if (r)
		goto out;
	room = (int)len;
	if (copy_to_app(val, buf, len) || copy_to_app(ulen, &room, sizeof(room)))
		r = -EFAULT;
out:
	file_put(f);
	return r;
}
