/* SPDX-License-Identifier: MIT */
/*
 * relay: carries Ethernet frames between two ports and impairs them, from a
 * seed. A port is "tap:NAME" (a TAP device, made when absent) or "packet:NAME"
 * (AF_PACKET on an interface, e.g. one end of a veth pair). A port may be in
 * another network namespace: "tap:NAME@/run/netns/X".
 *
 *   relay [options] PORT_A PORT_B
 *     --seed N        same seed and traffic, same decisions     (default 1)
 *     --loss P        percent of frames lost
 *     --dup P         percent sent twice
 *     --corrupt P     percent with one flipped bit
 *     --reorder P     percent that overtake those waiting (go out at once)
 *     --delay MS      each frame waits so long (fractions allowed)
 *     --jitter MS     plus up to this, evenly spread (keeps the order)
 *     --rate MBIT     megabits per second, per direction
 *     --limit N       frames waiting per direction, more are lost (default 2000)
 *     --stats         print counters on stderr at the end
 *
 * Both directions are impaired alike. Ends on SIGTERM or SIGINT.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define FRAME_MAX 2048

struct frame {
	uint64_t due_ns;
	uint32_t len;
	uint8_t data[FRAME_MAX];
};

/* A direction: a ring of waiting frames in order of their due time. */
struct dir {
	int from, to;
	struct frame *ring;
	uint32_t head, count;
	uint64_t rng, line_free_ns, last_due_ns;
	uint64_t in, out, lost, duplicated, corrupted, reordered, overflow;
};

static struct {
	uint64_t seed;
	double loss, dup, corrupt, reorder, delay_ms, jitter_ms, rate_mbit;
	uint32_t limit;
	bool stats;
} opt = { .seed = 1, .limit = 2000 };

static volatile sig_atomic_t stop;

static void on_stop(int sig)
{
	(void)sig;
	stop = 1;
}

static void die(const char *what)
{
	fprintf(stderr, "relay: %s: %s\n", what, strerror(errno));
	exit(1);
}

static uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

/* splitmix64 */
static uint64_t next_random(struct dir *d)
{
	uint64_t z = (d->rng += 0x9e3779b97f4a7c15u);

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
	return z ^ (z >> 31);
}

static bool chance(struct dir *d, double percent)
{
	/* always drawn, so that one option does not shift the others' decisions */
	return (double)(next_random(d) >> 11) * 0x1p-53 * 100.0 < percent;
}

static int open_tap(const char *name)
{
	struct ifreq ifr = { .ifr_flags = IFF_TAP | IFF_NO_PI };
	int fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK), s;

	if (fd < 0)
		die("/dev/net/tun");
	snprintf(ifr.ifr_name, sizeof(ifr.ifr_name), "%s", name);
	if (ioctl(fd, TUNSETIFF, &ifr) < 0)
		die(name);
	s = socket(AF_INET, SOCK_DGRAM, 0);
	if (ioctl(s, SIOCGIFFLAGS, &ifr) == 0) {
		ifr.ifr_flags |= IFF_UP;
		ioctl(s, SIOCSIFFLAGS, &ifr);
	}
	close(s);
	return fd;
}

static int open_packet(const char *name)
{
	struct sockaddr_ll ll = { .sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_ALL) };
	struct packet_mreq mr = { .mr_type = PACKET_MR_PROMISC };
	int fd = socket(AF_PACKET, SOCK_RAW | SOCK_NONBLOCK, htons(ETH_P_ALL)), one = 1;

	if (fd < 0)
		die("AF_PACKET");
	ll.sll_ifindex = (int)if_nametoindex(name);
	mr.mr_ifindex = ll.sll_ifindex;
	if (ll.sll_ifindex == 0 || bind(fd, (void *)&ll, sizeof(ll)))
		die(name);
	setsockopt(fd, SOL_PACKET, PACKET_ADD_MEMBERSHIP, &mr, sizeof(mr));
	setsockopt(fd, SOL_PACKET, PACKET_IGNORE_OUTGOING, &one, sizeof(one));
	return fd;
}

static int open_port(char *spec)
{
	char *ns = strchr(spec, '@'), *name = strchr(spec, ':');
	int own = open("/proc/self/ns/net", O_RDONLY), fd, nsfd;

	if (!name || own < 0) {
		fprintf(stderr, "relay: a port is tap:NAME or packet:NAME, not %s\n", spec);
		exit(2);
	}
	*name++ = 0;
	if (ns) {
		*ns++ = 0;
		nsfd = open(ns, O_RDONLY);
		if (nsfd < 0 || setns(nsfd, CLONE_NEWNET))
			die(ns);
		close(nsfd);
	}
	fd = strcmp(spec, "tap") == 0 ? open_tap(name) : open_packet(name);
	if (ns && setns(own, CLONE_NEWNET))
		die("setns back");
	close(own);
	return fd;
}

static void emit(struct dir *d, const uint8_t *data, uint32_t len)
{
	if (write(d->to, data, len) == (ssize_t)len)
		d->out++;
	else
		d->overflow++;
}

/* Put a frame in the queue, or send it now when nothing asks it to wait. */
static void enqueue(struct dir *d, const uint8_t *data, uint32_t len, bool overtake)
{
	uint64_t now = now_ns(), due = now;
	struct frame *f;

	if (overtake) {
		d->reordered++;
		emit(d, data, len);
		return;
	}
	if (opt.rate_mbit > 0) {
		if (d->line_free_ns < now)
			d->line_free_ns = now;
		d->line_free_ns += (uint64_t)((double)len * 8000.0 / opt.rate_mbit);
		due = d->line_free_ns;
	}
	due += (uint64_t)(opt.delay_ms * 1e6);
	if (opt.jitter_ms > 0)
		due += (uint64_t)(opt.jitter_ms * 1e6 * ((double)(next_random(d) >> 11) * 0x1p-53));
	if (due < d->last_due_ns)
		due = d->last_due_ns;
	d->last_due_ns = due;
	if (due <= now && d->count == 0) {
		emit(d, data, len);
		return;
	}
	if (d->count == opt.limit) {
		d->overflow++;
		return;
	}
	f = &d->ring[(d->head + d->count++) % opt.limit];
	f->due_ns = due;
	f->len = len;
	memcpy(f->data, data, len);
}

static void take(struct dir *d)
{
	uint8_t data[FRAME_MAX];

	for (int burst = 0; burst < 64; burst++) {
		ssize_t n = read(d->from, data, sizeof(data));
		bool lost, dup, bad, over;
		uint64_t bit;

		if (n <= 0)
			return;
		d->in++;
		lost = chance(d, opt.loss);
		dup = chance(d, opt.dup);
		bad = chance(d, opt.corrupt);
		over = chance(d, opt.reorder);
		bit = next_random(d);
		if (lost) {
			d->lost++;
			continue;
		}
		if (bad && n > ETH_HLEN) {
			bit %= (uint64_t)(n - ETH_HLEN) * 8;
			data[ETH_HLEN + bit / 8] ^= (uint8_t)(1u << bit % 8);
			d->corrupted++;
		}
		enqueue(d, data, (uint32_t)n, over);
		if (dup) {
			d->duplicated++;
			enqueue(d, data, (uint32_t)n, false);
		}
	}
}

/* Send what is due; returns when the next frame is, or 0. */
static uint64_t flush_due(struct dir *d)
{
	while (d->count > 0) {
		struct frame *f = &d->ring[d->head];

		if (f->due_ns > now_ns())
			return f->due_ns;
		emit(d, f->data, f->len);
		d->head = (d->head + 1) % opt.limit;
		d->count--;
	}
	return 0;
}

static void loop(struct dir *d)
{
	struct pollfd pf[2] = { { d[0].from, POLLIN, 0 }, { d[1].from, POLLIN, 0 } };

	while (!stop) {
		uint64_t a = flush_due(&d[0]), b = flush_due(&d[1]), now = now_ns();
		uint64_t next = a && (!b || a < b) ? a : b;
		struct timespec ts = { 1, 0 };

		if (next) {
			uint64_t left = next > now ? next - now : 0;

			ts.tv_sec = (time_t)(left / 1000000000);
			ts.tv_nsec = (long)(left % 1000000000);
		}
		if (ppoll(pf, 2, &ts, NULL) < 0 && errno != EINTR)
			die("ppoll");
		for (int i = 0; i < 2; i++)
			if (pf[i].revents)
				take(&d[i]);
	}
}

static void parse(int argc, char **argv)
{
	static const struct option names[] = {
		{ "seed", 1, NULL, 's' }, { "loss", 1, NULL, 'l' }, { "dup", 1, NULL, 'd' },
		{ "corrupt", 1, NULL, 'c' }, { "reorder", 1, NULL, 'o' }, { "delay", 1, NULL, 'y' },
		{ "jitter", 1, NULL, 'j' }, { "rate", 1, NULL, 'r' }, { "limit", 1, NULL, 'n' },
		{ "stats", 0, NULL, 'S' }, { NULL, 0, NULL, 0 },
	};
	int c;

	while ((c = getopt_long(argc, argv, "", names, NULL)) != -1) {
		switch (c) {
		case 's': opt.seed = strtoull(optarg, NULL, 0); break;
		case 'l': opt.loss = atof(optarg); break;
		case 'd': opt.dup = atof(optarg); break;
		case 'c': opt.corrupt = atof(optarg); break;
		case 'o': opt.reorder = atof(optarg); break;
		case 'y': opt.delay_ms = atof(optarg); break;
		case 'j': opt.jitter_ms = atof(optarg); break;
		case 'r': opt.rate_mbit = atof(optarg); break;
		case 'n': opt.limit = (uint32_t)atoi(optarg); break;
		case 'S': opt.stats = true; break;
		default: exit(2);
		}
	}
	if (argc - optind != 2 || opt.limit == 0) {
		fprintf(stderr, "usage: relay [options] PORT_A PORT_B (see the head of relay.c)\n");
		exit(2);
	}
}

int main(int argc, char **argv)
{
	struct dir d[2] = { 0 };
	struct sigaction sa = { .sa_handler = on_stop };

	parse(argc, argv);
	d[0].from = d[1].to = open_port(argv[optind]);
	d[1].from = d[0].to = open_port(argv[optind + 1]);
	for (int i = 0; i < 2; i++) {
		d[i].rng = opt.seed * 2 + (uint64_t)i;
		d[i].ring = calloc(opt.limit, sizeof(struct frame));
		if (!d[i].ring)
			die("memory");
	}
	sigaction(SIGTERM, &sa, NULL);
	sigaction(SIGINT, &sa, NULL);
	loop(d);
	for (int i = 0; opt.stats && i < 2; i++)
		fprintf(stderr,
			"relay %s: in %lu out %lu lost %lu dup %lu corrupt %lu reorder %lu overflow %lu\n",
			i ? "B>A" : "A>B", (unsigned long)d[i].in, (unsigned long)d[i].out,
			(unsigned long)d[i].lost, (unsigned long)d[i].duplicated,
			(unsigned long)d[i].corrupted, (unsigned long)d[i].reordered,
			(unsigned long)d[i].overflow);
	return 0;
}
