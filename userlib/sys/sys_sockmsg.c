/* SPDX-License-Identifier: MIT */
/* sendmsg(2), recvmsg(2) and their shorter and longer forms; ancillary data (cmsg(3)). */
#include "userlib/file/file_internal.h"
#include "userlib/file/socket.h"
#include "userlib/sys/sys_socket_calls.h"
#include "userlib/sys/sys_util.h"

#define SIGPIPE_NR 13
#define MSG_CTRUNC_BIT 0x8u
#define MSG_NOSIGNAL_BIT 0x4000u
#define MSG_CMSG_CLOEXEC_BIT 0x40000000u
#define MSG_WAITFORONE_BIT 0x10000u
#define SEND_KNOWN 0x2400c8c5u /* OOB DONTROUTE DONTWAIT EOR CONFIRM NOSIGNAL MORE ZEROCOPY FASTOPEN */
#define RECV_KNOWN 0x40012163u /* OOB PEEK TRUNC DONTWAIT WAITALL ERRQUEUE WAITFORONE CMSG_CLOEXEC */
#define DONTWAIT_BIT 0x40u
#define CONTROL_MAX (16 * KiB)
#define NET_CTL_MAX 512u /* more than all that a packet can tell */
#define SOL_SOCKET_NR 1
#define SCM_RIGHTS_NR 1
#define SCM_CREDS_NR 2

struct app_msghdr { /* struct user_msghdr */
	u64 name;
	s32 namelen, pad1;
	u64 iov, iovlen;
	u64 control, controllen;
	u32 flags, pad2;
};
struct app_mmsghdr {
	struct app_msghdr h;
	u32 len, pad;
};
struct cmsg {
	u64 len;
	s32 level, type;
};
#define CMSG_ALIGN8(n) ROUND_UP((u64)(n), 8ull)

/* ---- sending ---- */

static long do_send(struct file *f, struct sock_msg *m, unsigned flags)
{
	struct socket *s = file_socket(f);
	struct uproc *p = uproc_self();
	long r;

	m->flags = flags;
	m->nonblock = file_nonblock(f, 0) || (flags & DONTWAIT_BIT);
	if (!m->has_cred)
		m->cred = (struct sock_cred){ p->pid, p->cred.uid, p->cred.gid };
	r = s->ops->send(s, m);
	if (r == -EPIPE && !(flags & MSG_NOSIGNAL_BIT) && s->type != 2)
		proc_hooks->send_signal_self(SIGPIPE_NR);
	return r;
}

long sys_sendto(int fd, const void __app *buf, size_t len, unsigned flags, const void __app *addr, int addr_len)
{
	struct sock_msg m = { 0 };
	struct sock_addr a;
	struct iov_iter it;
	struct file *f;
	long r = sock_get(fd, &f);

	if (r)
		return r;
	if (addr) {
		r = sock_addr_get(f, &a, addr, addr_len);
		if (r)
			goto out;
		m.addr = &a;
	}
	iter_init_app(&it, (void __app *)buf, MIN(len, RW_COUNT_MAX));
	m.it = &it;
	r = flags & ~SEND_KNOWN ? -EINVAL : do_send(f, &m, flags);
	if (addr)
		sock_addr_put(&a);
out:
	file_put(f);
	return r;
}

static void drop_files(struct sock_msg *m)
{
	while (m->nr_files)
		file_put(m->files[--m->nr_files]);
}

static long take_rights(struct sock_msg *m, const int *fds, u64 n)
{
	if (n > SCM_MAX_FDS || m->nr_files + n > SCM_MAX_FDS)
		return -EINVAL;
	for (u64 i = 0; i < n; i++) {
		struct file *f = fd_file_any(fds[i]);

		if (!f)
			return -EBADF;
		m->files[m->nr_files++] = f;
	}
	return 0;
}

static long take_creds(struct sock_msg *m, const struct sock_cred *c)
{
	struct uproc *p = uproc_self();
	struct cred *own = &p->cred;

	if (!(cred_capable(own, CAP_SYS_ADMIN) && cred_capable(own, CAP_SETUID) && cred_capable(own, CAP_SETGID)) && (c->pid != p->pid || (c->uid != own->uid && c->uid != own->euid && c->uid != own->suid) ||
				   (c->gid != own->gid && c->gid != own->egid && c->gid != own->sgid)))
		return -EPERM;
	m->cred = *c;
	m->has_cred = true;
	return 0;
}

/* Control data of a message to be sent. Files taken so far are in m even on error. */
static long parse_control(struct file *f, struct sock_msg *m, const u8 *buf, u64 len)
{
	bool is_unix = file_socket(f)->family == 1;
	u64 at = 0;

	while (len - at >= sizeof(struct cmsg)) {
		struct cmsg c;
		long r = 0;

		memcpy(&c, buf + at, sizeof(c));
		if (c.len < sizeof(c) || c.len > len - at)
			return -EINVAL;
		if (c.level == SOL_SOCKET_NR && is_unix) {
			if (c.type == SCM_RIGHTS_NR)
				r = take_rights(m, (const int *)(buf + at + sizeof(c)), (c.len - sizeof(c)) / 4);
			else if (c.type == SCM_CREDS_NR && c.len == sizeof(c) + sizeof(struct sock_cred))
				r = take_creds(m, (const struct sock_cred *)(buf + at + sizeof(c)));
			else
				r = -EINVAL;
		} else if (c.level == SOL_SOCKET_NR && file_socket(f)->family == 16) {
			r = -EINVAL;
		}
		if (r)
			return r;
		at += CMSG_ALIGN8(c.len);
		if (at > len)
			break;
	}
	return 0;
}

/* Families whose control data the network stack reads itself. */
static bool is_net(const struct file *f)
{
	int family = file_socket(f)->family;

	return family == 2 || family == 10 || family == 17;
}

static long control_in(struct file *f, struct sock_msg *m, const struct app_msghdr *h)
{
	u8 *buf;
	long r;

	if (h->controllen > CONTROL_MAX)
		return -ENOBUFS;
	if (h->controllen < sizeof(struct cmsg))
		return 0;
	buf = kmem_alloc(h->controllen);
	if (is_net(f)) {
		m->ctl = buf; /* send_one frees it */
		m->ctl_len = (u32)h->controllen;
		return !buf ? -ENOBUFS : copy_from_app(buf, (void __app *)h->control, h->controllen) ? -EFAULT : 0;
	}
	m->files = kmem_alloc(SCM_MAX_FDS * sizeof(*m->files));
	r = -ENOBUFS;
	if (buf && m->files)
		r = copy_from_app(buf, (void __app *)h->control, h->controllen) ? -EFAULT : parse_control(f, m, buf, h->controllen);
	if (buf)
		kmem_free(buf, h->controllen);
	return r;
}

static long send_one(struct file *f, const struct app_msghdr *h, unsigned flags)
{
	struct sock_msg m = { 0 };
	struct sock_addr a;
	struct app_iov v;
	long r;

	if (flags & ~SEND_KNOWN)
		return -EINVAL;
	if (h->name && h->namelen) {
		r = sock_addr_get(f, &a, (void __app *)h->name, MIN(h->namelen, 128));
		if (r)
			return r;
		m.addr = &a;
	}
	r = h->iovlen > IOV_MAX_SEGS ? -EMSGSIZE : iov_get(&v, (void __app *)h->iov, h->iovlen);
	if (r)
		goto out_addr;
	m.it = &v.it;
	r = h->control && h->controllen ? control_in(f, &m, h) : 0;
	if (!r)
		r = do_send(f, &m, flags);
	if (m.files) {
		drop_files(&m);
		kmem_free(m.files, SCM_MAX_FDS * sizeof(*m.files));
	}
	if (m.ctl)
		kmem_free((void *)(u64)m.ctl, m.ctl_len);
	iov_free(&v);
out_addr:
	if (m.addr)
		sock_addr_put(&a);
	return r;
}

long sys_sendmsg(int fd, const void __app *msg, unsigned flags)
{
	struct app_msghdr h;
	struct file *f;
	long r = sock_get(fd, &f);

	if (r)
		return r;
	r = copy_from_app(&h, msg, sizeof(h)) ? -EFAULT : send_one(f, &h, flags);
	file_put(f);
	return r;
}

long sys_sendmmsg(int fd, void __app *vec, unsigned n, unsigned flags)
{
	struct app_mmsghdr __app *v = vec;
	struct file *f;
	unsigned i;
	long r = sock_get(fd, &f);

	if (r)
		return r;
	n = MIN(n, (unsigned)IOV_MAX_SEGS);
	for (i = 0; i < n; i++) {
		struct app_msghdr h;

		r = copy_from_app(&h, &v[i].h, sizeof(h)) ? -EFAULT : send_one(f, &h, flags);
		if (r < 0)
			break;
		if (put_app((u32)r, &v[i].len)) {
			r = -EFAULT;
			break;
		}
	}
	file_put(f);
	return i ? (long)i : r;
}

/* ---- receiving ---- */

static long do_recv(struct file *f, struct sock_msg *m, unsigned flags)
{
	struct socket *s = file_socket(f);

	if (flags & ~RECV_KNOWN)
		return -EINVAL;
	m->flags = flags & ~(MSG_CMSG_CLOEXEC_BIT | MSG_WAITFORONE_BIT);
	m->nonblock = file_nonblock(f, 0) || (flags & DONTWAIT_BIT);
	return s->ops->recv(s, m);
}

long sys_recvfrom(int fd, void __app *buf, size_t len, unsigned flags, void __app *addr, int __app *addr_len)
{
	struct sock_msg m = { 0 };
	struct sock_addr a;
	struct iov_iter it;
	struct file *f;
	long r = sock_get(fd, &f);

	if (r)
		return r;
	memset(&a, 0, sizeof(a));
	iter_init_app(&it, buf, MIN(len, RW_COUNT_MAX));
	m.it = &it;
	m.addr = addr ? &a : NULL;
	r = do_recv(f, &m, flags);
	if (r >= 0 && addr && sock_addr_put_user(&a, addr, addr_len))
		r = -EFAULT;
	file_put(f);
	return r;
}

struct control_out {
	char __app *at;
	u64 room, used;
	u32 flags;
};

/* Header and `len` bytes; cut short (MSG_CTRUNC) where the room ends. */
static void put_cmsg(struct control_out *o, int level, int type, const void *data, u64 len)
{
	struct cmsg c = { sizeof(c) + len, level, type };

	if (o->room - o->used < sizeof(c)) {
		o->flags |= MSG_CTRUNC_BIT;
		return;
	}
	if (c.len > o->room - o->used) {
		o->flags |= MSG_CTRUNC_BIT;
		c.len = o->room - o->used;
	}
	if (copy_to_app(o->at + o->used, &c, sizeof(c)) || copy_to_app(o->at + o->used + sizeof(c), data, c.len - sizeof(c)))
		return;
	o->used += MIN(CMSG_ALIGN8(c.len), o->room - o->used);
}

static void put_rights(struct control_out *o, struct sock_msg *m, bool cloexec)
{
	int fds[SCM_MAX_FDS];
	u64 fit = o->room - o->used > sizeof(struct cmsg) ? (o->room - o->used - sizeof(struct cmsg)) / 4 : 0;
	u32 n = 0, total = m->nr_files;

	for (u32 i = 0; i < total; i++) {
		long fd = -1;

		if (n < fit && n == i)
			fd = fd_install(m->files[i], cloexec);
		else
			file_put(m->files[i]);
		if (fd >= 0)
			fds[n++] = (int)fd;
	}
	m->nr_files = 0;
	if (n)
		put_cmsg(o, SOL_SOCKET_NR, SCM_RIGHTS_NR, fds, n * 4ull);
	if (n < total)
		o->flags |= MSG_CTRUNC_BIT;
}

static void control_put(struct control_out *o, struct sock_msg *m, bool cloexec)
{
	if (m->has_cred)
		put_cmsg(o, SOL_SOCKET_NR, SCM_CREDS_NR, &m->cred, sizeof(m->cred));
	if (m->nr_files)
		put_rights(o, m, cloexec);
}

static long recv_into(struct file *f, struct app_msghdr *h, struct sock_msg *m, struct sock_addr *a, unsigned flags)
{
	struct control_out o = { (char __app *)h->control, h->control ? h->controllen : 0, 0, 0 };
	long r = do_recv(f, m, flags);

	if (r < 0)
		return r;
	control_put(&o, m, flags & MSG_CMSG_CLOEXEC_BIT);
	if (m->ctl_used) {
		if (copy_to_app(o.at, m->ctl_out, m->ctl_used))
			return -EFAULT;
		o.used = m->ctl_used;
	}
	if (h->name) {
		u32 room = h->namelen < 0 ? 0 : (u32)h->namelen;

		if (copy_to_app((void __app *)h->name, a->bytes, MIN(room, a->len)))
			return -EFAULT;
		h->namelen = (s32)a->len;
	}
	h->controllen = o.used;
	h->flags = m->out_flags | o.flags | (flags & MSG_CMSG_CLOEXEC_BIT);
	return r;
}

static long recv_one(struct file *f, struct app_msghdr __app *uh, unsigned flags)
{
	u8 ctl[NET_CTL_MAX];
	struct sock_msg m = { 0 };
	struct app_msghdr h;
	struct sock_addr a;
	struct app_iov v;
	long r;

	if (copy_from_app(&h, uh, sizeof(h)))
		return -EFAULT;
	if (h.namelen < 0)
		return -EINVAL;
	r = h.iovlen > IOV_MAX_SEGS ? -EMSGSIZE : iov_get(&v, (void __app *)h.iov, h.iovlen);
	if (r)
		return r;
	a.len = 0;
	m.it = &v.it;
	m.addr = h.name ? &a : NULL;
	if (file_socket(f)->family == 1)
		m.files = kmem_alloc(SCM_MAX_FDS * sizeof(*m.files));
	if ((is_net(f) || file_socket(f)->family == 16) && h.control && h.controllen) {
		m.ctl_out = ctl;
		m.ctl_room = (u32)MIN(h.controllen, (u64)NET_CTL_MAX);
	}
	r = recv_into(f, &h, &m, &a, flags);
	if (m.files) {
		drop_files(&m);
		kmem_free(m.files, SCM_MAX_FDS * sizeof(*m.files));
	}
	iov_free(&v);
	if (r >= 0 && (put_app(h.namelen, &uh->namelen) || put_app(h.controllen, &uh->controllen) || put_app(h.flags, &uh->flags)))
		return -EFAULT;
	return r;
}

long sys_recvmsg(int fd, void __app *msg, unsigned flags)
{
	struct file *f;
	long r = sock_get(fd, &f);

	if (r)
		return r;
	r = recv_one(f, msg, flags);
	file_put(f);
	return r;
}

long sys_recvmmsg(int fd, void __app *vec, unsigned n, unsigned flags, void __app *timeout)
{
	struct app_mmsghdr __app *v = vec;
	s64 ts[2], until = TIME_FOREVER;
	struct file *f;
	unsigned i;
	long r;

	if (timeout) {
		if (copy_from_app(ts, timeout, sizeof(ts)))
			return -EFAULT;
		if (ts[0] < 0 || ts[1] < 0 || ts[1] >= NSEC_PER_SEC)
			return -EINVAL;
		if (ts[0] < 1000000000)
			until = clock_monotonic_ns() + ts[0] * NSEC_PER_SEC + ts[1];
	}
	r = sock_get(fd, &f);
	if (r)
		return r;
	n = MIN(n, (unsigned)IOV_MAX_SEGS);
	for (i = 0; i < n; i++) {
		r = recv_one(f, &v[i].h, flags);
		if (r < 0)
			break;
		if (put_app((u32)r, &v[i].len)) {
			r = -EFAULT;
			break;
		}
		if (flags & MSG_WAITFORONE_BIT)
			flags |= DONTWAIT_BIT;
		if (clock_monotonic_ns() >= until) { /* as on Linux, looked at after each datagram */
			i++;
			break;
		}
	}
	file_put(f);
	return i ? (long)i : r;
}
