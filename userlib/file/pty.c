/* SPDX-License-Identifier: MIT */
/* Pseudo-terminals (pty(7)): /dev/ptmx makes a pair, /dev/pts/N is its terminal. Editing and signals are ldisc.c's. */
#include "userlib/base/string.h"
#include "userlib/file/file_internal.h"
#include "userlib/file/ldisc.h"
#include "userlib/file/pty.h"
#include <asm/ioctls.h>

#define MAX_PTYS 256u
#define SIGHUP_NR 1
#define SIGWINCH_NR 28
#define SIGCONT_NR 18
#define CHUNK 1024u

static struct spinlock table_lock = SPINLOCK_INIT;
static struct tty *table[MAX_PTYS]; /* [table_lock] borrowed; a tty takes itself out */
static int host_index = -1;	   /* [table_lock to change] where the host terminal stands */
static const struct file_ops master_ops, slave_ops;

static struct tty *tty_get(struct tty *t)
{
	ref_get(&t->ref);
	return t;
}

static void tty_put(struct tty *t)
{
	if (!ref_put(&t->ref))
		return;
	spin_lock(&table_lock);
	table[t->index] = NULL;
	spin_unlock(&table_lock);
	if (t->out)
		page_free(t->out, 2);
	kmem_free(t, sizeof(*t));
}

static struct tty *tty_find(u32 index)
{
	struct tty *t = NULL;

	spin_lock(&table_lock);
	if (index < MAX_PTYS && table[index] && ref_get_unless_zero(&table[index]->ref))
		t = table[index];
	spin_unlock(&table_lock);
	return t;
}

static bool is_taken(u32 i) /* [table_lock] */
{
	return table[i] || (int)i == host_index;
}

int pty_next(int from)
{
	int r = -1;

	spin_lock(&table_lock);
	for (u32 i = from < 0 ? 0 : (u32)from; i < MAX_PTYS && r < 0; i++)
		if (is_taken(i))
			r = (int)i;
	spin_unlock(&table_lock);
	return r;
}

unsigned pty_adopt_host(unsigned wanted)
{
	u32 i = wanted < MAX_PTYS ? wanted : 0;

	spin_lock(&table_lock);
	while (i + 1 < MAX_PTYS && table[i])
		i++;
	host_index = (int)i;
	spin_unlock(&table_lock);
	return i;
}

static int tty_create(struct tty **out)
{
	struct tty *t = kmem_zalloc(sizeof(*t));
	u32 i;

	if (!t)
		return -ENOMEM;
	ref_init(&t->ref);
	mutex_init(&t->lock);
	waitq_init(&t->m_wait);
	waitq_init(&t->s_wait);
	t->job.tty = t;
	t->locked = true;
	ldisc_init(t);
	spin_lock(&table_lock);
	for (i = 0; i < MAX_PTYS && is_taken(i); i++)
		;
	if (i < MAX_PTYS) {
		t->index = i;
		table[i] = t;
	}
	spin_unlock(&table_lock);
	if (i == MAX_PTYS) {
		kmem_free(t, sizeof(*t));
		return -ENOSPC;
	}
	*out = t;
	return 0;
}

static void wake_both(struct tty *t)
{
	waitq_wake(&t->m_wait, POLL_IN | POLL_OUT);
	waitq_wake(&t->s_wait, POLL_IN | POLL_OUT);
}

/* ---- master ---- */

static u32 take_output(struct tty *t, u8 *buf, u32 len)
{
	u32 n = 0;

	if (t->packet && len) {
		if (t->packet_status) {
			buf[0] = t->packet_status;
			t->packet_status = 0;
			return 1;
		}
		if (!tty_out_bytes(t))
			return 0;
		buf[n++] = 0; /* TIOCPKT_DATA */
	}
	while (n < len && tty_out_bytes(t))
		buf[n++] = t->out[t->out_tail++ & (TTY_OUT - 1)];
	return n;
}

static bool master_gone(const struct tty *t)
{
	return t->slave_seen && !READ_ONCE(t->slaves);
}

static ssize master_read(struct file *f, struct iov_iter *it, s64 *pos, u32 rwf)
{
	struct tty *t = f->private;
	u8 buf[CHUNK];
	int r;

	(void)pos;
	if (!it->count)
		return 0;
	for (;;) {
		u32 n;

		mutex_lock(&t->lock);
		n = take_output(t, buf, (u32)MIN(it->count, (size_t)CHUNK));
		mutex_unlock(&t->lock);
		if (n) {
			waitq_wake(&t->s_wait, POLL_OUT);
			return iter_copy_to(it, buf, n);
		}
		if (master_gone(t))
			return -EIO;
		if (file_nonblock(f, rwf))
			return -EAGAIN;
		r = wait_event(&t->m_wait, EPOLLIN, false, tty_out_bytes(t) || READ_ONCE(t->packet_status) || master_gone(t),
			       TIME_FOREVER, true);
		if (r)
			return r;
	}
}

static ssize master_write(struct file *f, struct iov_iter *it, s64 *pos, u32 rwf)
{
	struct tty *t = f->private;
	u8 buf[CHUNK];
	ssize done = 0, c;
	int r;

	(void)pos;
	while (it->count) {
		u32 n;

		c = iter_copy_from(it, buf, MIN(it->count, (size_t)CHUNK));
		if (c <= 0)
			return done ? done : c;
		mutex_lock(&t->lock);
		n = ldisc_input(t, buf, (u32)c);
		mutex_unlock(&t->lock);
		iter_revert(it, (size_t)c - n);
		done += n;
		wake_both(t);
		if (n == (u32)c)
			continue;
		if (file_nonblock(f, rwf))
			return done ? done : -EAGAIN;
		r = wait_event(&t->m_wait, EPOLLOUT, false, t->in_head - READ_ONCE(t->in_tail) < TTY_BUF / 2, TIME_FOREVER, true);
		if (r)
			return done ? done : r;
	}
	return done;
}

static u32 master_poll(struct file *f, struct poll_table *pt)
{
	struct tty *t = f->private;
	u32 ev = 0;

	poll_wait(pt, &t->m_wait);
	if (tty_out_bytes(t) || t->packet_status)
		ev |= POLL_IN | (t->packet_status ? EPOLLPRI : 0);
	if (t->in_head - t->in_tail < TTY_BUF - 1)
		ev |= POLL_OUT;
	if (master_gone(t))
		ev |= EPOLLHUP;
	return ev;
}

/* The terminal hangs up: its session is told, its slaves see the end. */
static void master_release(struct file *f)
{
	struct tty *t = f->private;

	mutex_lock(&t->lock);
	WRITE_ONCE(t->masters, 0u);
	mutex_unlock(&t->lock);
	if (load_relaxed(&t->job.session)) {
		int leader = load_relaxed(&t->job.session), fg = load_relaxed(&t->job.pgrp);

		proc_hooks->send_signal_owner(leader, SIGHUP_NR, 0x80, 0, 0);
		proc_hooks->send_signal_owner(leader, SIGCONT_NR, 0x80, 0, 0);
		if (fg > 0 && fg != leader)
			proc_hooks->send_signal_owner(-fg, SIGHUP_NR, 0x80, 0, 0);
		proc_hooks->set_ctty(leader, NULL);
		store_relaxed(&t->job.session, 0);
	}
	waitq_wake_everyone(&t->s_wait);
	tty_put(t);
}

/* ---- slave ---- */

/* The master is closed, or vhangup(2) came after this slave was opened: its position, of no other use, says when. */
static bool hung_up(const struct file *f)
{
	const struct tty *t = f->private;

	return !READ_ONCE(t->masters) || READ_ONCE(t->hangups) != (u32)f->pos;
}

void pty_hang_up(void *tty)
{
	struct tty *t = tty;

	mutex_lock(&t->lock);
	WRITE_ONCE(t->hangups, t->hangups + 1);
	ldisc_flush_input(t);
	mutex_unlock(&t->lock);
	wake_both(t);
	waitq_wake_everyone(&t->s_wait);
}

static bool raw_enough(const struct tty *t, size_t want)
{
	u32 min = t->tio.c_cc[VMIN];

	return ldisc_input_bytes(t) >= MIN((size_t)min, want);
}

/* How long a raw read waits (VMIN/VTIME, termios(3)): absolute; 0 = not at all. */
static s64 raw_deadline(const struct tty *t, bool have)
{
	u32 min = t->tio.c_cc[VMIN], time = t->tio.c_cc[VTIME];

	if (!min)
		return time ? clock_monotonic_ns() + time * 100 * NSEC_PER_MSEC : 0;
	return time && have ? clock_monotonic_ns() + time * 100 * NSEC_PER_MSEC : TIME_FOREVER;
}

static int slave_wait(struct file *f, struct tty *t, size_t want, u32 rwf)
{
	bool canon = t->tio.c_lflag & ICANON;
	u32 seen;
	s64 deadline;
	int r;

	do {
		if (hung_up(f) || (canon ? ldisc_readable(t) : t->tio.c_cc[VMIN] && raw_enough(t, want)))
			return 0;
		seen = ldisc_input_bytes(t);
		if (file_nonblock(f, rwf))
			return seen ? 0 : -EAGAIN;
		if (!canon && !t->tio.c_cc[VMIN] && seen)
			return 0;
		deadline = canon ? TIME_FOREVER : raw_deadline(t, seen);
		if (!deadline)
			return 0;
		r = wait_event(&t->s_wait, EPOLLIN | EPOLLHUP, false,
			       hung_up(f) || ldisc_input_bytes(t) != seen || canon != !!(t->tio.c_lflag & ICANON), deadline, true);
		canon = t->tio.c_lflag & ICANON;
	} while (!r);
	return r == -ETIMEDOUT ? 0 : r;
}

static ssize slave_read(struct file *f, struct iov_iter *it, s64 *pos, u32 rwf)
{
	struct tty *t = f->private;
	u8 buf[CHUNK];
	bool eof;
	u32 n;
	int r;

	(void)pos;
	if (!it->count)
		return 0;
	for (;;) {
		if (hung_up(f))
			return 0;
		r = tty_job_check_read(&t->job);
		if (!r)
			r = slave_wait(f, t, it->count, rwf);
		if (r)
			return r;
		mutex_lock(&t->lock);
		n = ldisc_read(t, buf, (u32)MIN(it->count, (size_t)CHUNK), &eof);
		mutex_unlock(&t->lock);
		if (n || eof || hung_up(f) || !(t->tio.c_lflag & ICANON))
			break;
	}
	waitq_wake(&t->m_wait, POLL_OUT);
	return n ? iter_copy_to(it, buf, n) : 0;
}

static ssize slave_write(struct file *f, struct iov_iter *it, s64 *pos, u32 rwf)
{
	struct tty *t = f->private;
	u8 buf[CHUNK];
	ssize done = 0, c;
	int r = tty_job_check_write(&t->job, t->tio.c_lflag & TOSTOP);

	(void)pos;
	if (r)
		return r;
	while (it->count) {
		u32 n;

		if (hung_up(f))
			return done ? done : -EIO;
		c = iter_copy_from(it, buf, MIN(it->count, (size_t)CHUNK));
		if (c <= 0)
			return done ? done : c;
		mutex_lock(&t->lock);
		n = ldisc_output(t, buf, (u32)c);
		mutex_unlock(&t->lock);
		iter_revert(it, (size_t)c - n);
		done += n;
		if (n)
			waitq_wake(&t->m_wait, POLL_IN);
		if (n == (u32)c)
			continue;
		if (file_nonblock(f, rwf))
			return done ? done : -EAGAIN;
		r = wait_event(&t->s_wait, EPOLLOUT, false, hung_up(f) || (!READ_ONCE(t->stopped) && tty_out_room(t) > 64),
			       TIME_FOREVER, true);
		if (r)
			return done ? done : r;
	}
	return done;
}

static u32 slave_poll(struct file *f, struct poll_table *pt)
{
	struct tty *t = f->private;
	u32 ev = 0;

	poll_wait(pt, &t->s_wait);
	if (hung_up(f))
		return POLL_IN | POLL_OUT | EPOLLHUP;
	if (t->tio.c_lflag & ICANON ? ldisc_readable(t) : ldisc_input_bytes(t) >= (t->tio.c_cc[VTIME] ? 1u : MAX((u32)t->tio.c_cc[VMIN], 1u)))
		ev |= POLL_IN;
	if (!t->stopped && tty_out_room(t) > 64)
		ev |= POLL_OUT;
	return ev;
}

static void slave_release(struct file *f)
{
	struct tty *t = f->private;

	mutex_lock(&t->lock);
	WRITE_ONCE(t->slaves, t->slaves - 1);
	mutex_unlock(&t->lock);
	waitq_wake_everyone(&t->m_wait);
	tty_put(t);
}

/* ---- both ---- */

static void change_termios(struct tty *t, const struct termios *n, bool flush_input)
{
	mutex_lock(&t->lock);
	if (flush_input)
		ldisc_flush_input(t);
	t->tio = *n;
	ldisc_mode_changed(t);
	mutex_unlock(&t->lock);
	wake_both(t);
}

static long set_termios(struct tty *t, unsigned cmd, unsigned long arg)
{
	struct termios n;

	if (copy_from_app(&n, (void __app *)arg, sizeof(n)))
		return -EFAULT;
	change_termios(t, &n, cmd == TCSETSF);
	return 0;
}

/* The older form: 16-bit flags, 8 control characters. */
struct termio_old {
	u16 iflag, oflag, cflag, lflag;
	u8 line, cc[8], pad;
};

static long get_termio(struct tty *t, unsigned long arg)
{
	struct termio_old o = { .iflag = (u16)t->tio.c_iflag, .oflag = (u16)t->tio.c_oflag, .cflag = (u16)t->tio.c_cflag,
				.lflag = (u16)t->tio.c_lflag, .line = t->tio.c_line };

	memcpy(o.cc, t->tio.c_cc, sizeof(o.cc));
	return copy_to_app((void __app *)arg, &o, sizeof(o));
}

static long set_termio(struct tty *t, unsigned cmd, unsigned long arg)
{
	struct termios n = t->tio;
	struct termio_old o;

	if (copy_from_app(&o, (void __app *)arg, sizeof(o)))
		return -EFAULT;
	n.c_iflag = (n.c_iflag & ~0xffffu) | o.iflag;
	n.c_oflag = (n.c_oflag & ~0xffffu) | o.oflag;
	n.c_cflag = (n.c_cflag & ~0xffffu) | o.cflag;
	n.c_lflag = (n.c_lflag & ~0xffffu) | o.lflag;
	n.c_line = o.line;
	memcpy(n.c_cc, o.cc, sizeof(o.cc));
	change_termios(t, &n, cmd == TCSETAF);
	return 0;
}

static long set_winsize(struct tty *t, unsigned long arg)
{
	struct tty_winsize w;
	int fg = load_relaxed(&t->job.pgrp);
	bool changed;

	if (copy_from_app(&w, (void __app *)arg, sizeof(w)))
		return -EFAULT;
	mutex_lock(&t->lock);
	changed = memcmp(&w, &t->ws, sizeof(w));
	t->ws = w;
	mutex_unlock(&t->lock);
	if (changed && fg > 0)
		proc_hooks->send_signal_owner(-fg, SIGWINCH_NR, 0x80, 0, 0);
	return 0;
}

static long flush(struct tty *t, bool master, unsigned long what)
{
	bool in = what == TCIFLUSH || what == TCIOFLUSH, out = what == TCOFLUSH || what == TCIOFLUSH;

	if (!in && !out)
		return -EINVAL;
	mutex_lock(&t->lock);
	if (master ? out : in)
		ldisc_flush_input(t);
	if (master ? in : out)
		t->out_tail = t->out_head;
	mutex_unlock(&t->lock);
	wake_both(t);
	return 0;
}

static long flow_control(struct tty *t, unsigned long what)
{
	if (what > TCION)
		return -EINVAL;
	mutex_lock(&t->lock);
	if (what == TCOOFF)
		t->stopped = true;
	else if (what == TCOON)
		t->stopped = false;
	mutex_unlock(&t->lock);
	wake_both(t);
	return 0;
}

/* What works on either end. -ENOTTY: none of these. */
static long common_ioctl(struct file *f, struct tty *t, unsigned cmd, unsigned long arg, bool master)
{
	int v;
	long r;

	switch (cmd) {
	case TCGETS:
		return copy_to_app((void __app *)arg, &t->tio, 36);
	case TCSETS:
	case TCSETSW:
	case TCSETSF:
		r = master ? 0 : tty_job_check_write(&t->job, true);
		return r ? r : set_termios(t, cmd, arg);
	case TCGETA:
		return get_termio(t, arg);
	case TCSETA:
	case TCSETAW:
	case TCSETAF:
		r = master ? 0 : tty_job_check_write(&t->job, true);
		return r ? r : set_termio(t, cmd, arg);
	case TIOCGLCKTRMIOS: /* nothing is ever locked */
		return clear_app((void __app *)arg, 36);
	case TIOCGWINSZ:
		return copy_to_app((void __app *)arg, &t->ws, sizeof(t->ws));
	case TIOCSWINSZ:
		return set_winsize(t, arg);
	case TCFLSH:
		return flush(t, master, arg);
	case TCXONC:
		return flow_control(t, arg);
	case TCSBRK:
	case TCSBRKP:
		return 0;
	case FIONREAD:
		v = (int)(master ? tty_out_bytes(t) : ldisc_input_bytes(t));
		return copy_to_app((void __app *)arg, &v, sizeof(v));
	case TIOCOUTQ:
		v = (int)(master ? 0 : tty_out_bytes(t));
		return copy_to_app((void __app *)arg, &v, sizeof(v));
	case TIOCGPGRP:
	case TIOCGSID:
		if (!master)
			return tty_job_ioctl(&t->job, f, cmd, arg);
		v = cmd == TIOCGSID ? load_relaxed(&t->job.session) : load_relaxed(&t->job.pgrp);
		return copy_to_app((void __app *)arg, &v, sizeof(v));
	default:
		return master ? -ENOTTY : tty_job_ioctl(&t->job, f, cmd, arg);
	}
}

static long slave_ioctl(struct file *f, unsigned cmd, unsigned long arg)
{
	struct tty *t = f->private;

	return hung_up(f) ? -EIO : common_ioctl(f, t, cmd, arg, false);
}

static long open_peer(struct tty *t, unsigned flags)
{
	struct file *f;
	int r = pty_open_slave(t, flags, &f);

	if (r)
		return r;
	r = fdtab_install(proc_hooks->current_files(), f, 0, proc_hooks->rlimit(7 /* RLIMIT_NOFILE */), flags & FLAG_CLOEXEC);
	if (r < 0)
		file_put(f);
	return r;
}

static long master_ioctl(struct file *f, unsigned cmd, unsigned long arg)
{
	struct tty *t = f->private;
	int v;

	switch (cmd) {
	case TIOCGPTN:
		v = (int)t->index;
		return copy_to_app((void __app *)arg, &v, sizeof(v));
	case TIOCSPTLCK:
		if (copy_from_app(&v, (void __app *)arg, sizeof(v)))
			return -EFAULT;
		t->locked = v != 0;
		return 0;
	case TIOCGPTLCK:
		v = t->locked;
		return copy_to_app((void __app *)arg, &v, sizeof(v));
	case TIOCPKT:
		if (copy_from_app(&v, (void __app *)arg, sizeof(v)))
			return -EFAULT;
		t->packet = v != 0;
		return 0;
	case TIOCGPKT:
		v = t->packet;
		return copy_to_app((void __app *)arg, &v, sizeof(v));
	case TIOCGPTPEER:
		return open_peer(t, (unsigned)arg);
	default:
		return common_ioctl(f, t, cmd, arg, true);
	}
}

static int slave_link_name(struct file *f, char *buf, size_t size)
{
	struct tty *t = f->private;

	return fmt(buf, size, "/dev/pts/%u", t->index);
}

/* Slaves opened without a name: TIOCGPTPEER. ttyname(3) compares this with /dev/pts/N. */
static int slave_getattr(struct file *f, struct kstat *st)
{
	devpts_identity(((struct tty *)f->private)->index, st);
	return 0;
}

static const struct file_ops master_ops = {
	.can_async = true,
	.name = "ptmx",
	.read = master_read,
	.write = master_write,
	.poll = master_poll,
	.ioctl = master_ioctl,
	.release = master_release,
};
static const struct file_ops slave_ops = {
	.can_async = true,
	.name = "pts",
	.read = slave_read,
	.write = slave_write,
	.poll = slave_poll,
	.ioctl = slave_ioctl,
	.getattr = slave_getattr,
	.link_name = slave_link_name,
	.release = slave_release,
};

static int ptmx_open(struct inode *i, struct path *p, unsigned flags, const struct cred *c, struct file **out)
{
	struct tty *t;
	int r = tty_create(&t);

	(void)i, (void)p, (void)c;
	if (r)
		return r;
	t->masters = 1;
	r = file_alloc(&master_ops, flags, t, out);
	if (r)
		tty_put(t);
	return r;
}

int pty_open_slave(void *tty, unsigned flags, struct file **out)
{
	struct tty *t = tty;
	int r = !READ_ONCE(t->masters) ? -EIO : file_alloc(&slave_ops, flags, t, out);

	if (r)
		return r;
	tty_get(t);
	mutex_lock(&t->lock);
	t->slaves++;
	t->slave_seen = true;
	(*out)->pos = t->hangups;
	mutex_unlock(&t->lock);
	if (!(flags & O_NOCTTY) && proc_hooks->current_tgid() == proc_hooks->current_session() && !proc_hooks->current_ctty())
		tty_job_maybe_acquire(&t->job);
	return 0;
}

static int pts_open(struct inode *i, struct path *p, unsigned flags, const struct cred *c, struct file **out)
{
	struct tty *t = tty_find(RDEV_MINOR(i->rdev));
	int r;

	(void)p, (void)c;
	if ((int)RDEV_MINOR(i->rdev) == host_index)
		return host_tty_open(flags, out);
	if (!t)
		return -ENXIO;
	r = t->locked ? -EIO : pty_open_slave(t, flags, out);
	tty_put(t);
	return r;
}

void pty_init(void)
{
	chrdev_register(5, 2, 1, ptmx_open);
	chrdev_register(136, 0, 0, pts_open);
	devpts_init();
}
