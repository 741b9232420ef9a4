/* SPDX-License-Identifier: MIT */
/*
 * See xdp_link.h. The program is five instructions that look the receive queue up in a map of sockets and pass what has none; libbpf loads and
 * attaches it. libbpf itself is loaded only here: a jctl that starts no XDP instance does not pay for it. libxdp's dispatcher is
 * not used: it pins programs that outlive a killed owner, whereas a bpf_link ends with its descriptor.
 */
#include "scheduler/xdp_link.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <linux/ethtool.h>
#include <linux/if_link.h>
#include <linux/if_packet.h>
#include <linux/if_xdp.h>
#include <linux/sockios.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/xsk_ring.h"

#define RX_FRAMES     2048
#define TX_FRAMES     1024
#define MTU_MAX	      65000
#define XDP_HEADROOM  256 /* that the kernel keeps before each received frame */
#define BIND_TRIES    80  /* of 25 ms: a queue that a killed process had is free only when its work queue has run */

static struct {
	__typeof__(&bpf_map_create) map_create;
	__typeof__(&bpf_map_update_elem) map_update_elem;
	__typeof__(&bpf_prog_load) prog_load;
	__typeof__(&bpf_link_create) link_create;
} lib;

static int load_libbpf(void)
{
	void *so = lib.link_create ? NULL : dlopen("libbpf.so.1", RTLD_NOW);

	if (lib.link_create)
		return 0;
	if (!so)
		return -ENOENT;
	*(void **)&lib.map_create = dlsym(so, "bpf_map_create");
	*(void **)&lib.map_update_elem = dlsym(so, "bpf_map_update_elem");
	*(void **)&lib.prog_load = dlsym(so, "bpf_prog_load");
	*(void **)&lib.link_create = dlsym(so, "bpf_link_create");
	return lib.map_create && lib.map_update_elem && lib.prog_load && lib.link_create ? 0 : -ENOENT;
}

/* ---- what the user wrote ---- */

static int parse_choice(const char *v, const char *no, const char *must, enum xdp_choice *out)
{
	*out = !strcmp(v, no) ? XDP_LINK_NO : !strcmp(v, must) ? XDP_LINK_MUST : XDP_LINK_MAY;
	return *out == XDP_LINK_MAY && strcmp(v, "auto") ? -1 : 0;
}

static int parse_setting(struct xdp_wish *w, const char *key, const char *v)
{
	char *end;

	if (!strcmp(key, "queues")) {
		w->queues = (unsigned)strtoul(v, &end, 10);
		return *v >= '1' && *v <= '9' && !*end && w->queues <= JABI_QUEUES_MAX ? 0 : -1;
	}
	if (!strcmp(key, "mode")) {
		w->mode = !strcmp(v, "native") ? XDP_LINK_NATIVE : !strcmp(v, "generic") ? XDP_LINK_GENERIC : XDP_LINK_AUTO;
		return w->mode == XDP_LINK_AUTO && strcmp(v, "auto") ? -1 : 0;
	}
	if (!strcmp(key, "zerocopy"))
		return parse_choice(v, "no", "yes", &w->zerocopy);
	if (!strcmp(key, "csum"))
		return parse_choice(v, "verify", "trust", &w->trust_csum);
	return -1;
}

int xdp_wish_parse(const char *text, struct xdp_wish *w, const char **why)
{
	char copy[128], *save, *part, *value;

	memset(w, 0, sizeof(*w));
	*why = "write IF[,queues=N][,mode=auto|native|generic][,zerocopy=auto|no|yes][,csum=auto|verify|trust], N from 1 to 8";
	if (strlen(text) >= sizeof(copy))
		return -1;
	strcpy(copy, text);
	part = strtok_r(copy, ",", &save);
	if (!part || strlen(part) >= IFNAMSIZ || strpbrk(part, "/ \t\n:%="))
		return -1;
	strcpy(w->ifname, part);
	while ((part = strtok_r(NULL, ",", &save))) {
		value = strchr(part, '=');
		if (!value)
			return -1;
		*value++ = 0;
		if (parse_setting(w, part, value))
			return -1;
	}
	return 0;
}

void xdp_link_describe(const struct xdp_link *x, char *buf, size_t size)
{
	snprintf(buf, size, "%s, %s%s, %u of %u queues, checksums %s", x->q.flags & JABI_XDP_NATIVE ? "native" : "generic",
		 x->q.flags & JABI_XDP_ZEROCOPY ? "zero-copy" : "copy", x->q.flags & JABI_XDP_SG ? ", large frames" : "", x->q.nr, x->nr_device_queues,
		 x->q.flags & JABI_XDP_TRUST_CSUM ? "of the host's own packets trusted" : "verified");
}

/* ---- the interface ---- */

static int ethtool(int s, struct ifreq *ifr, void *arg)
{
	ifr->ifr_data = arg;
	return ioctl(s, SIOCETHTOOL, ifr) ? -errno : 0;
}

/* What it is, brought up. */
static int look_at(const struct xdp_wish *w, struct xdp_link *x, int s)
{
	struct ethtool_channels ch = { .cmd = ETHTOOL_GCHANNELS };
	struct ethtool_drvinfo drv = { .cmd = ETHTOOL_GDRVINFO };
	struct ifreq ifr;

	memset(&ifr, 0, sizeof(ifr));
	strcpy(ifr.ifr_name, w->ifname);
	if (ioctl(s, SIOCGIFHWADDR, &ifr))
		return -errno;
	memcpy(x->mac, ifr.ifr_hwaddr.sa_data, 6);
	if (ioctl(s, SIOCGIFMTU, &ifr))
		return -errno;
	x->mtu = (u32)ifr.ifr_mtu;
	if (!ethtool(s, &ifr, &drv))
		snprintf(x->driver, sizeof(x->driver), "%s", drv.driver);
	x->nr_device_queues = 1;
	if (!ethtool(s, &ifr, &ch) && ch.combined_count + ch.rx_count)
		x->nr_device_queues = MAX(ch.combined_count, ch.rx_count);
	if (ioctl(s, SIOCGIFFLAGS, &ifr))
		return -errno;
	if (ifr.ifr_flags & IFF_UP)
		return 0;
	ifr.ifr_flags |= IFF_UP;
	return ioctl(s, SIOCSIFFLAGS, &ifr) ? -errno : 0;
}

static int take_more(const struct xdp_wish *w, struct xdp_link *x, int ifindex)
{
	struct packet_mreq m = { .mr_ifindex = ifindex, .mr_type = w->is_promiscuous ? PACKET_MR_PROMISC : PACKET_MR_ALLMULTI };

	x->member_fd = socket(AF_PACKET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (x->member_fd < 0 || setsockopt(x->member_fd, SOL_PACKET, PACKET_ADD_MEMBERSHIP, &m, sizeof(m)))
		return -errno;
	return 0;
}

/* ---- the program ---- */

static int load_program(int map_fd, bool is_several)
{
	const struct bpf_insn insns[] = {
		/* r2 = ctx->rx_queue_index */
		{ .code = BPF_LDX | BPF_MEM | BPF_W, .dst_reg = 2, .src_reg = 1, .off = offsetof(struct xdp_md, rx_queue_index) },
		{ .code = BPF_LD | BPF_IMM | BPF_DW, .dst_reg = 1, .src_reg = BPF_PSEUDO_MAP_FD, .imm = map_fd },
		{ .imm = 0 },
		{ .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = 3, .imm = XDP_PASS }, /* for a queue without a socket */
		{ .code = BPF_JMP | BPF_CALL, .imm = BPF_FUNC_redirect_map },
		{ .code = BPF_JMP | BPF_EXIT },
	};

	LIBBPF_OPTS(bpf_prog_load_opts, o, .prog_flags = is_several ? 1U << 5 /* BPF_F_XDP_HAS_FRAGS */ : 0);

	return lib.prog_load(BPF_PROG_TYPE_XDP, "junction_xsk", "Dual MIT/GPL", insns, sizeof(insns) / sizeof(insns[0]), &o);
}

static int attach(struct xdp_link *x, enum xdp_mode mode, int prog_fd, int ifindex)
{
	LIBBPF_OPTS(bpf_link_create_opts, o, .flags = XDP_FLAGS_DRV_MODE);

	if (mode != XDP_LINK_GENERIC) {
		x->link_fd = lib.link_create(prog_fd, ifindex, BPF_XDP, &o);
		if (x->link_fd >= 0)
			x->q.flags |= JABI_XDP_NATIVE;
		if (x->link_fd >= 0 || x->link_fd == -EBUSY || mode == XDP_LINK_NATIVE)
			return MIN(x->link_fd, 0);
	}
	o.flags = XDP_FLAGS_SKB_MODE;
	x->link_fd = lib.link_create(prog_fd, ifindex, BPF_XDP, &o);
	return MIN(x->link_fd, 0);
}

/* ---- sockets ---- */

static int make_umem(struct jabi_queues *q)
{
	off_t size = (off_t)q->nr * (q->rx_frames + q->tx_frames) * q->chunk;

	q->umem_fd = memfd_create("junction-umem", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (q->umem_fd < 0 || ftruncate(q->umem_fd, size))
		return -errno;
	return 0;
}

static void copy_offsets(struct jabi_xsk_offsets *to, const struct xdp_ring_offset *from)
{
	*to = (struct jabi_xsk_offsets){ .producer = from->producer, .consumer = from->consumer, .desc = from->desc, .flags = from->flags };
}

static int set_rings(int fd, struct jabi_queues *q)
{
	static const int opts[] = { XDP_UMEM_FILL_RING, XDP_RX_RING, XDP_UMEM_COMPLETION_RING, XDP_TX_RING };
	struct xdp_mmap_offsets off;
	socklen_t len = sizeof(off);

	for (int i = 0; i < 4; i++)
		if (setsockopt(fd, SOL_XDP, opts[i], i < 2 ? &q->rx_frames : &q->tx_frames, sizeof(u32)))
			return -errno;
	if (getsockopt(fd, SOL_XDP, XDP_MMAP_OFFSETS, &off, &len))
		return -errno;
	if (len != sizeof(off))
		return -EPROTO;
	copy_offsets(&q->rx, &off.rx);
	copy_offsets(&q->tx, &off.tx);
	copy_offsets(&q->fill, &off.fr);
	copy_offsets(&q->completion, &off.cr);
	return 0;
}

static int bind_queue(int fd, const struct xdp_wish *w, const struct xdp_link *x, int ifindex, unsigned i)
{
	struct sockaddr_xdp a = { .sxdp_family = AF_XDP, .sxdp_ifindex = (u32)ifindex, .sxdp_queue_id = i };

	a.sxdp_flags = (u16)(XDP_USE_NEED_WAKEUP | (w->zerocopy == XDP_LINK_NO ? XDP_COPY : w->zerocopy == XDP_LINK_MUST ? XDP_ZEROCOPY : 0));
	if (x->q.flags & JABI_XDP_SG)
		a.sxdp_flags |= XSK_USE_SG;
	for (int try = 0; bind(fd, (struct sockaddr *)&a, sizeof(a)); try++) {
		if (errno != EBUSY || try == BIND_TRIES)
			return -errno;
		usleep(25000);
	}
	return 0;
}

/* Socket i with its part of the memory, bound. */
static int open_queue(const struct xdp_wish *w, struct xdp_link *x, unsigned i, int ifindex, const char **step)
{
	struct jabi_queues *q = &x->q;
	size_t part = (size_t)(q->rx_frames + q->tx_frames) * q->chunk;
	void *at = mmap(NULL, part, PROT_READ | PROT_WRITE, MAP_SHARED, q->umem_fd, (off_t)(i * part));
	struct xdp_umem_reg reg = { .addr = (u64)(uintptr_t)at, .len = part, .chunk_size = q->chunk };
	struct xdp_options o = { 0 };
	socklen_t len = sizeof(o);
	int r = 0;

	*step = "no AF_XDP socket";
	q->fd[i] = at == MAP_FAILED ? -1 : socket(AF_XDP, SOCK_RAW | SOCK_CLOEXEC, 0);
	if (q->fd[i] < 0)
		return -errno;
	*step = "cannot register the packet memory";
	if (setsockopt(q->fd[i], SOL_XDP, XDP_UMEM_REG, &reg, sizeof(reg)))
		r = -errno;
	munmap(at, part); /* the kernel has pinned its pages */
	if (!r)
		*step = "cannot make the rings";
	if (!r)
		r = set_rings(q->fd[i], q);
	if (!r)
		*step = "cannot bind to a queue";
	if (!r)
		r = bind_queue(q->fd[i], w, x, ifindex, i);
	if (!r && !getsockopt(q->fd[i], SOL_XDP, XDP_OPTIONS, &o, &len) && o.flags & XDP_OPTIONS_ZEROCOPY)
		q->flags |= JABI_XDP_ZEROCOPY;
	return r;
}

static int open_queues(const struct xdp_wish *w, struct xdp_link *x, int ifindex, int map_fd, const char **step)
{
	int r = make_umem(&x->q);

	*step = "no packet memory";
	for (u32 i = 0; !r && i < x->q.nr; i++) {
		r = open_queue(w, x, i, ifindex, step);
		if (!r && lib.map_update_elem(map_fd, &i, &x->q.fd[i], BPF_ANY)) {
			*step = "cannot enter the socket into the map";
			r = -errno;
		}
	}
	/* Its pages are the kernel's and the instance's for good: neither cut short nor grown. */
	if (!r)
		(void)fcntl(x->q.umem_fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL);
	return r;
}

static const char *advice(int r, const char *step)
{
	if (r == -EPERM || r == -EACCES)
		return "run as root (CAP_NET_ADMIN, CAP_BPF, CAP_NET_RAW)";
	if (r == -EBUSY)
		return strstr(step, "queue") ? "another process has the queue" : "another XDP program is attached: `ip link set dev IF xdp off`";
	if (r == -EOPNOTSUPP)
		return "this driver cannot: leave mode= or zerocopy= out";
	if (r == -ENODEV)
		return "no such interface: `ip link` lists them";
	if (r == -EAFNOSUPPORT)
		return "use a kernel with CONFIG_XDP_SOCKETS";
	return NULL;
}

static int check_fit(const struct xdp_wish *w, struct xdp_link *x, const char **step, const char **mend)
{
	x->q.nr = w->queues ? w->queues : MIN(x->nr_device_queues, (unsigned)JABI_QUEUES_MAX);
	*step = "more queues than the interface has";
	*mend = "`ethtool -l IF` shows them";
	if (x->q.nr > x->nr_device_queues)
		return -EINVAL;
	x->q.chunk = x->mtu + 18 + XDP_HEADROOM <= 2048 ? 2048 : 4096;
	if (x->mtu + 18 + XDP_HEADROOM > x->q.chunk || (w->mode == XDP_LINK_GENERIC && w->takes_several))
		x->q.flags |= JABI_XDP_SG;
	*step = "its MTU does not fit into a page";
	*mend = "set it to 3800 or less";
	if (x->mtu + 18 + XDP_HEADROOM > x->q.chunk && !w->takes_several)
		return -EMSGSIZE;
	*step = "its MTU is too large";
	*mend = "set it to 65000 or less";
	if (x->mtu > MTU_MAX)
		return -EMSGSIZE;
	x->q.rx_frames = RX_FRAMES;
	x->q.tx_frames = TX_FRAMES;
	if (w->trust_csum == XDP_LINK_MUST || (w->trust_csum == XDP_LINK_MAY && !strcmp(x->driver, "veth")))
		x->q.flags |= JABI_XDP_TRUST_CSUM;
	return 0;
}

/* Sockets first, the program last: no frame is led to a queue that is not there. */
static int set_up(const struct xdp_wish *w, struct xdp_link *x, int ifindex, const char **step)
{
	int map_fd, prog_fd, r;

	*step = "libbpf.so.1 (Debian: libbpf1) is missing";
	r = load_libbpf();
	if (r)
		return r;
	*step = "cannot make the map of sockets";
	map_fd = lib.map_create(BPF_MAP_TYPE_XSKMAP, "junction_xsks", sizeof(u32), sizeof(u32), JABI_QUEUES_MAX, NULL);
	if (map_fd < 0)
		return map_fd;
	*step = "cannot load the program";
	prog_fd = r = load_program(map_fd, x->q.flags & JABI_XDP_SG);
	if (r < 0)
		goto out;
	r = open_queues(w, x, ifindex, map_fd, step);
	if (!r) {
		*step = "cannot attach the program";
		r = attach(x, w->mode, prog_fd, ifindex);
	}
	close(prog_fd);
out:
	close(map_fd); /* the program holds it */
	return r;
}

static void close_sockets(struct xdp_link *x)
{
	for (u32 i = 0; i < JABI_QUEUES_MAX; i++) {
		if (x->q.fd[i] >= 0)
			close(x->q.fd[i]);
		x->q.fd[i] = -1;
	}
	if (x->q.umem_fd >= 0)
		close(x->q.umem_fd);
	x->q.umem_fd = -1;
}

/* What the user left open: native rather than generic, which merges frames, so that they need several chunks where the kernel has that. */
static int set_up_best(const struct xdp_wish *w, struct xdp_link *x, int ifindex, const char **step)
{
	struct xdp_wish t = *w;
	bool choose = w->mode == XDP_LINK_AUTO && w->takes_several;
	int r;

	if (choose)
		t.mode = XDP_LINK_NATIVE;
	r = set_up(&t, x, ifindex, step);
	if (r && choose && r != -EBUSY && r != -EPERM) {
		close_sockets(x);
		t.mode = XDP_LINK_GENERIC;
		x->q.flags |= JABI_XDP_SG;
		r = set_up(&t, x, ifindex, step);
	}
	if (r == -EINVAL && x->q.flags & JABI_XDP_SG && x->mtu + 18 + XDP_HEADROOM <= x->q.chunk) {
		close_sockets(x); /* before Linux 6.6 */
		x->q.flags &= (u32)~JABI_XDP_SG;
		r = set_up(&t, x, ifindex, step);
	}
	return r;
}

int xdp_link_open(const struct xdp_wish *w, struct xdp_link *x, const char **step, const char **mend)
{
	int s = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), ifindex = (int)if_nametoindex(w->ifname), r;

	memset(x, 0, sizeof(*x));
	x->link_fd = x->member_fd = x->q.umem_fd = -1;
	for (int i = 0; i < JABI_QUEUES_MAX; i++)
		x->q.fd[i] = -1;
	*mend = NULL;
	*step = "cannot look at the interface";
	r = !ifindex ? -ENODEV : s < 0 ? -errno : look_at(w, x, s);
	if (s >= 0)
		close(s);
	if (!r)
		r = check_fit(w, x, step, mend);
	if (!r)
		r = set_up_best(w, x, ifindex, step);
	if (!r) {
		*step = "cannot take multicast";
		r = take_more(w, x, ifindex);
	}
	if (r) {
		if (r != -EINVAL && r != -EMSGSIZE)
			*mend = advice(r, *step);
		xdp_link_close(x);
	}
	return r;
}

void xdp_link_close(struct xdp_link *x)
{
	close_sockets(x);
	if (x->link_fd >= 0)
		close(x->link_fd);
	if (x->member_fd >= 0)
		close(x->member_fd);
}
