/* SPDX-License-Identifier: MIT */
/*
 * Patched images: when a program maps an ELF file executable, map the launcher's cached copy whose system-call sites jump to us instead.
 * The instance only asks and maps; finding and changing the sites is the launcher's work (tools/patch), so a hostile program cannot
 * poison what others map. One question per state of a file and instance: the answer is kept by inode, size and times, and asked for anew
 * when the file has changed, or when it was too fresh to be patched (its next change might not show in its times).
 */
#include "userlib/entry/entry.h"
#include "jabi/jabi_patch.h"
#include "userlib/base/log.h"
#include "userlib/base/string.h"
#include "userlib/rt/host.h"
#include "userlib/rt/sched.h"
#include <linux/elf.h>
#include <linux/fcntl.h>
#include <linux/poll.h>
#include <linux/stat.h>

#define ANSWER_HASH 64
#define SETTLE_NS (100 * NSEC_PER_MSEC) /* the launcher's: younger files are not patched */
#define REPLY_TIMEOUT_NS (10 * NSEC_PER_SEC)

struct answer {
	struct answer *next;
	u64 inode_id;
	struct file_state {
		u64 size, mtime_ns, ctime_ns;
	} state;
	s64 retry_ns; /* when to ask again; TIME_FOREVER: final */
	int fd;	      /* -1: nothing to patch */
	u64 stub_offset, stub_len, stub_vaddr;
	u64 text_off, text_vaddr; /* page-aligned file offset and address of the first executable segment */
	u64 text_end;		  /* file offset behind it */
};

static struct answer *answers[ANSWER_HASH]; /* [answers_lock] newest first, never removed: somebody may be mapping it */
static struct mutex answers_lock;
static u64 request_id;

struct host_msghdr { /* struct user_msghdr */
	void *name;
	s32 namelen, pad;
	struct { void *base; u64 len; } *iov;
	u64 iovlen;
	void *control;
	u64 controllen;
	u32 flags, pad2;
};
struct rights { /* one SCM_RIGHTS control message */
	u64 len;
	s32 level, type;
	s32 fd, pad;
};

/* Is this an ELF program or library with text? Fills the text fields. */
static bool read_text_segment(int fd, struct answer *a)
{
	Elf64_Ehdr eh;
	Elf64_Phdr ph[16];
	unsigned n;

	if (host_pread(fd, &eh, sizeof(eh), 0) != (long)sizeof(eh) || memcmp(eh.e_ident, "\177ELF\2\1", 6) ||
	    eh.e_machine != EM_X86_64 || eh.e_phentsize != sizeof(ph[0]))
		return false;
	n = MIN((unsigned)eh.e_phnum, (unsigned)ARRAY_SIZE(ph));
	if (host_pread(fd, ph, n * sizeof(ph[0]), eh.e_phoff) != (long)(n * sizeof(ph[0])))
		return false;
	for (unsigned i = 0; i < n; i++) {
		if (ph[i].p_type != PT_LOAD || !(ph[i].p_flags & PF_X))
			continue;
		a->text_off = ph[i].p_offset & PAGE_MASK;
		a->text_vaddr = ph[i].p_vaddr & PAGE_MASK;
		a->text_end = ph[i].p_offset + ph[i].p_filesz;
		return true;
	}
	return false;
}

static int send_request(int sock, int fd, u64 id)
{
	struct jabi_patch_req req = { .id = id, .version = JABI_PATCH_VERSION };
	struct rights r = { .len = 20, .level = 1 /* SOL_SOCKET */, .type = 1 /* SCM_RIGHTS */, .fd = fd };
	struct { void *base; u64 len; } iov = { &req, sizeof(req) };
	struct host_msghdr m = { .iov = (void *)&iov, .iovlen = 1, .control = &r, .controllen = sizeof(r) };

	return host_sendmsg(sock, &m, 0x4000 /* MSG_NOSIGNAL */) == (long)sizeof(req) ? 0 : -EIO;
}

static int receive_reply(int sock, u64 id, struct jabi_patch_reply *reply, int *fd)
{
	s64 deadline = clock_monotonic_ns() + REPLY_TIMEOUT_NS;

	for (;;) {
		struct rights r = { 0 };
		struct { void *base; u64 len; } iov = { reply, sizeof(*reply) };
		struct host_msghdr m = { .iov = (void *)&iov, .iovlen = 1, .control = &r, .controllen = sizeof(r) };
		long n = host_recvmsg(sock, &m, 0x40 /* MSG_DONTWAIT */ | 0x40000000 /* MSG_CMSG_CLOEXEC */);

		if (n == -EAGAIN) {
			int e = host_fd_wait(sock, POLLIN, deadline);

			if (e == -ETIMEDOUT)
				return -ETIMEDOUT;
			if (e == -ERESTARTSYS)
				uthread_yield(); /* the answer comes soon; signals wait until then */
			continue;
		}
		if (n != (long)sizeof(*reply))
			return -EIO;
		*fd = m.controllen >= 20 && r.type == 1 ? r.fd : -1;
		if (reply->id == id)
			return 0;
		if (*fd >= 0)
			host_close(*fd); /* the late answer to a request that gave up */
	}
}

/*
 * Looks into the cache directory ourselves: saves the round trip to the launcher for what was patched before. Only the launcher's user can
 * write there. 0 = *a is the answer; -ENOENT = ask.
 */
static int look_up(struct answer *a, int host_fd)
{
	struct jabi_patch_trailer t;
	struct statx st;
	char name[112];
	u64 dev, mtime, ctime;
	int fd;

	if (boot->cache_dir_fd < 0 || host_statx(host_fd, "", AT_EMPTY_PATH, STATX_BASIC_STATS, &st))
		return -ENOENT;
	dev = (u64)st.stx_dev_major << 32 | st.stx_dev_minor;
	mtime = (u64)st.stx_mtime.tv_sec * 1000000000ull + st.stx_mtime.tv_nsec;
	ctime = (u64)st.stx_ctime.tv_sec * 1000000000ull + st.stx_ctime.tv_nsec;
	fmt(name, sizeof(name), JABI_PATCH_NAME_FORMAT, (unsigned long long)dev, (unsigned long long)st.stx_ino,
	    (unsigned long long)st.stx_size, (unsigned long long)mtime, (unsigned long long)ctime, JABI_PATCH_VERSION);
	fd = host_openat2(boot->cache_dir_fd, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC, 0);
	if (fd < 0)
		return -ENOENT;
	if (host_statx(fd, "", AT_EMPTY_PATH, STATX_SIZE, &st) || st.stx_size < sizeof(t) ||
	    host_pread(fd, &t, sizeof(t), st.stx_size - sizeof(t)) != (long)sizeof(t) || t.magic != JABI_PATCH_MAGIC ||
	    t.version != JABI_PATCH_VERSION || t.dev != dev || t.mtime_ns != mtime || t.ctime_ns != ctime)
		goto unusable;
	if (!t.stub_len) {
		host_close(fd);
		return 0;
	}
	if (st.stx_size != t.stub_offset + t.stub_len + sizeof(t))
		goto unusable;
	a->fd = fd;
	a->stub_offset = t.stub_offset;
	a->stub_len = t.stub_len;
	a->stub_vaddr = t.stub_vaddr;
	return 0;
unusable:
	host_close(fd);
	return -ENOENT;
}

static void ask(struct answer *a, int host_fd)
{
	struct jabi_patch_reply reply;
	int sock = boot->patch_sock_fd, fd = -1;
	u64 id = ++request_id;

	a->fd = -1;
	a->retry_ns = TIME_FOREVER;
	if (!read_text_segment(host_fd, a) || !look_up(a, host_fd))
		return;
	if (sock < 0 || send_request(sock, host_fd, id) ||
	    receive_reply(sock, id, &reply, &fd))
		return;
	if (reply.status == JABI_PATCH_REFUSED && reply.err == 11 /* EAGAIN: too fresh */)
		a->retry_ns = clock_monotonic_ns() + SETTLE_NS;
	if (reply.status != JABI_PATCH_OK || fd < 0)
		return;
	a->fd = fd;
	a->stub_offset = reply.stub_offset;
	a->stub_len = reply.stub_len;
	a->stub_vaddr = reply.stub_vaddr;
}

static int read_state(int host_fd, struct file_state *s)
{
	struct statx st;
	int r = host_statx(host_fd, "", AT_EMPTY_PATH, STATX_BASIC_STATS, &st);

	if (r)
		return r;
	*s = (struct file_state){ st.stx_size, (u64)st.stx_mtime.tv_sec * 1000000000ull + st.stx_mtime.tv_nsec,
				  (u64)st.stx_ctime.tv_sec * 1000000000ull + st.stx_ctime.tv_nsec };
	return 0;
}

static struct answer *find(struct answer *a, u64 inode_id, const struct file_state *s)
{
	while (a && (a->inode_id != inode_id || memcmp(&a->state, s, sizeof(*s))))
		a = a->next;
	return a && (a->retry_ns == TIME_FOREVER || clock_monotonic_ns() < a->retry_ns) ? a : NULL;
}

static struct answer *answer_for(struct inode *inode, int host_fd)
{
	struct answer **slot = &answers[inode->unique_id % ANSWER_HASH], *a;
	struct file_state s;

	if (read_state(host_fd, &s))
		return NULL;
	a = find(load_acquire(slot), inode->unique_id, &s);
	if (a)
		return a;
	mutex_lock(&answers_lock);
	a = find(*slot, inode->unique_id, &s);
	if (!a) {
		a = kmem_zalloc(sizeof(*a));
		if (a) {
			a->inode_id = inode->unique_id;
			a->state = s;
			ask(a, host_fd);
			a->next = *slot;
			store_release(slot, a);
		}
	}
	mutex_unlock(&answers_lock);
	return a;
}

static int exec_map(struct mm *mm, struct inode *inode, int host_fd, u64 off, u64 len, struct mm_exec_patch *out)
{
	struct answer *a = answer_for(inode, host_fd);

	(void)mm;
	if (!a || a->fd < 0 || off < a->text_off || off >= a->text_end || off + len > ROUND_UP(a->text_end, PAGE_SIZE))
		return -ENOENT;
	*out = (struct mm_exec_patch){ .fd = a->fd,
				       .stub_off = a->stub_offset,
				       .stub_len = a->stub_len,
				       .stub_delta = (s64)(a->stub_vaddr - (a->text_vaddr + (off - a->text_off))) };
	return 0;
}

static u64 reserve_behind(struct inode *inode, int host_fd, u64 off, u64 len)
{
	struct answer *a;

	if (off || len < 2 * PAGE_SIZE)
		return 0;
	a = answer_for(inode, host_fd);
	if (!a || a->fd < 0 || a->stub_vaddr < ROUND_UP(len, PAGE_SIZE))
		return 0;
	return a->stub_vaddr + a->stub_len - ROUND_UP(len, PAGE_SIZE);
}

void patch_init(void)
{
	if (boot->patch_sock_fd < 0 && boot->cache_dir_fd < 0)
		return;
	mm_exec_map_hook = exec_map;
	mm_reserve_hook = reserve_behind;
}
