/* SPDX-License-Identifier: MIT */
/*
 * `jctl pcap [NAME] [-w FILE]`: the packets of a running instance as pcapng (readable by tshark), until Ctrl-C, -c packets, or the
 * instance's end. The instance writes blocks into a ring of its memory (jabi_ctl.h), we copy them out; what does not fit while we are
 * slower is dropped, counted, told at the end and written into the file (an interface statistics block).
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <linux/futex.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "base/atomic.h"
#include "tools/jctl/attach.h"
#include "tools/jctl/jctl.h"

#define SLICE_NS 50000000l /* how old a packet may get before it is in the file */

struct capture {
	struct attach a;
	const u8 *ring;
	u8 *copy;
	u64 bytes, tail;
	int out;
	u64 limit; /* frames; 0: none */
};
static volatile sig_atomic_t is_over;

static void on_signal(int sig)
{
	(void)sig;
	is_over = 1;
}

static u64 now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (u64)t.tv_sec * 1000000000u + (u64)t.tv_nsec;
}

static int write_all(int fd, const u8 *p, u64 len)
{
	while (len) {
		ssize_t n = write(fd, p, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		p += n;
		len -= (u64)n;
	}
	return 0;
}

/* A piece of our copy; a slow file is no reason for the instance to give us up, one that takes nothing is. */
static int write_copy(struct capture *c, u64 len)
{
	int r = 0;

	for (u64 at = 0; !r && at < len; at += 65536) {
		r = write_all(c->out, c->copy + at, len - at < 65536 ? len - at : 65536);
		c->a.ctl->capture.beat = now_ns();
	}
	return r;
}

/* What is in the ring, to the file; through a copy, as the instance may take the ring back when it has given us up. 1: some; 0: nothing; -errno: it cannot be written, or the instance says what cannot be. */
static int drain(struct capture *c, bool stopped)
{
	struct jabi_capture *s = &c->a.ctl->capture;
	u64 head = __atomic_load_n(&s->head, __ATOMIC_ACQUIRE), pos = c->tail & (c->bytes - 1), n = head - c->tail, first;
	int r;

	if (n > c->bytes)
		return -EPROTO;
	first = n < c->bytes - pos ? n : c->bytes - pos;
	memcpy(c->copy, c->ring + pos, first);
	memcpy(c->copy + first, c->ring, n - first);
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	if (!stopped && !READ_ONCE(s->running))
		return 0;
	c->tail = head;
	__atomic_store_n(&s->tail, head, __ATOMIC_SEQ_CST);
	r = write_copy(c, n);
	return r ? r : n != 0;
}

/* Until there is more than half a ring, or for a slice. */
static void rest(struct capture *c)
{
	struct jabi_capture *s = &c->a.ctl->capture;
	struct timespec slice = { .tv_nsec = SLICE_NS };
	u32 word = __atomic_load_n(&s->head_word, __ATOMIC_ACQUIRE);

	__atomic_store_n(&s->waiting, 1, __ATOMIC_SEQ_CST);
	if (__atomic_load_n(&s->head, __ATOMIC_SEQ_CST) - c->tail <= c->bytes / 2)
		syscall(SYS_futex, &s->head_word, FUTEX_WAIT, word, &slice, NULL, 0);
	s->waiting = 0;
}

/* 0, or -errno of writing; the reason of a good end is *why. */
static int follow(struct capture *c, const char **why)
{
	struct jabi_capture *s = &c->a.ctl->capture;
	int r;

	for (;;) {
		s->beat = now_ns();
		r = drain(c, attach_has_ended(&c->a));
		if (r < 0)
			return r;
		if (is_over)
			return *why = "stopped", 0;
		if (c->limit && READ_ONCE(s->frames) >= c->limit)
			return *why = "enough", 0;
		if (attach_has_ended(&c->a))
			return *why = "the instance has ended", 0;
		if (!READ_ONCE(s->running))
			return *why = "the instance has ended the capture", 0;
		rest(c);
	}
}

static int request(struct capture *c, u32 op, void **p, u64 *bytes)
{
	int r = attach_lock(&c->a, JABI_CTL_LOCK_REQUEST, true);

	if (!r)
		r = attach_request(&c->a, op, p, bytes);
	attach_unlock(&c->a, JABI_CTL_LOCK_REQUEST);
	return r;
}

/* pcapng's interface statistics: what interface 0 dropped. The count is of both. */
static int put_statistics(const struct capture *c)
{
	struct timespec t;
	u64 ns, dropped = READ_ONCE(c->a.ctl->capture.dropped);
	u32 b[10] = { 5, sizeof(b), 0, 0, 0, 5 | 8 << 16 /* isb_ifdrop */, 0, 0, 0, sizeof(b) };

	clock_gettime(CLOCK_REALTIME, &t);
	ns = (u64)t.tv_sec * 1000000000u + (u64)t.tv_nsec;
	b[3] = (u32)(ns >> 32);
	b[4] = (u32)ns;
	memcpy(b + 6, &dropped, sizeof(dropped));
	return write_all(c->out, (const u8 *)b, sizeof(b));
}

static int run(struct capture *c)
{
	const char *why = "";
	void *ring;
	int r, end = 0;

	if (attach_lock(&c->a, JABI_CTL_LOCK_CAPTURE, false)) {
		jctl_fail("wait for its end", "instance %s is being captured already", c->a.name);
		return EXIT_JCTL;
	}
	r = request(c, JABI_CTL_CAPTURE, &ring, &c->bytes);
	if (!r && (c->bytes & (c->bytes - 1)))
		r = -EPROTO;
	if (r) {
		jctl_fail_errno(-r, NULL, "instance %s does not answer", c->a.name);
		return EXIT_JCTL;
	}
	c->ring = ring;
	c->copy = malloc(c->bytes);
	if (!c->copy)
		return jctl_fail(NULL, "out of memory"), EXIT_JCTL;
	r = follow(c, &why);
	if (!attach_has_ended(&c->a))
		end = request(c, JABI_CTL_CAPTURE_STOP, NULL, NULL);
	if (!r && !end)
		r = drain(c, true);
	if (r >= 0)
		r = put_statistics(c);
	if (!end && !attach_has_ended(&c->a))
		end = request(c, JABI_CTL_CAPTURE_FREE, NULL, NULL);
	fprintf(stderr, "%llu packets captured, %llu dropped: %s\n", (unsigned long long)c->a.ctl->capture.frames,
		(unsigned long long)c->a.ctl->capture.dropped, r < 0 ? strerror(-r) : why);
	return r < 0 ? EXIT_JCTL : 0;
}

static const char help[] =
	"usage: jctl pcap [NAME] [-w FILE] [-c PACKETS]\n\n"
	"Captures the packets of the running instance NAME (without one the only instance that runs), on its interface and its loopback, as pcapng to\n"
	"FILE or standard output (`jctl pcap NAME | tshark -r -`), until Ctrl-C, at least PACKETS packets, or the instance's end.\n";

int cmd_pcap(int argc, char **argv)
{
	struct sigaction sa = { .sa_handler = on_signal };
	struct capture c = { .out = STDOUT_FILENO };
	const char *file = NULL, *name = NULL;
	char *end;

	if (argc > 1 && !strcmp(argv[1], "--help")) {
		fputs(help, stdout);
		return 0;
	}
	for (int opt; (opt = getopt(argc, argv, "hw:c:")) != -1;) {
		if (opt == 'h') {
			fputs(help, stdout);
			return 0;
		}
		if (opt == 'w')
			file = optarg;
		if (opt == 'c')
			c.limit = strtoull(optarg, &end, 10);
		if (opt == '?' || (opt == 'c' && (*end || !c.limit)))
			return jctl_fail("`jctl pcap --help`", "bad option"), EXIT_JCTL;
	}
	if (optind < argc)
		name = argv[optind++];
	if (optind < argc)
		return jctl_fail("`jctl pcap --help`", "bad argument \"%s\"", argv[optind]), EXIT_JCTL;
	if (!file && isatty(STDOUT_FILENO))
		return jctl_fail("give -w FILE, or `| tshark -r -`", "a capture is not for a terminal"), EXIT_JCTL;
	if (attach_open(&c.a, name))
		return EXIT_JCTL;
	if (file && (c.out = open(file, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600)) < 0)
		return jctl_fail_errno(errno, NULL, "%s", file), EXIT_JCTL;
	sigaction(SIGINT, &sa, NULL);
	sigaction(SIGTERM, &sa, NULL);
	signal(SIGPIPE, SIG_IGN);
	return run(&c);
}
