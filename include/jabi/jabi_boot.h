/* SPDX-License-Identifier: MIT */
/*
 * What the launcher (tools/jctl) hands to the instance kernel: one struct jabi_boot at offset 0 of the arena memfd, followed in the
 * same first `boot_bytes` bytes by the strings and tables it points to. The kernel binary is exec'd with the arena on fd JABI_ARENA_FD
 * and needs neither arguments nor environment. Offsets count from the start of the arena.
 *
 * Writers: the launcher writes everything before the exec; afterwards only the last cache line is written, by the instance, and read by
 * the launcher. The launcher trusts nothing it reads there but the exit status, and bounds that.
 */
#ifndef JABI_JABI_BOOT_H
#define JABI_JABI_BOOT_H

#include <linux/types.h>

#define JABI_BOOT_MAGIC	      0x746f6f626e756aull /* "junboot" */
#define JABI_BOOT_VERSION     1
#define JABI_ARENA_FD	      3
#define JABI_PATCH_SOCK_FD    4 /* the filter names it */
#define JABI_RING_FD	      5 /* so does it this one; open only if ring_fd names it */
#define JABI_RING_ENTRIES     64
#define JABI_PORT_SOCK_FD     6 /* likewise: the control socket of a port of the switch */
#define JABI_KMOD_FD	      7 /* likewise: the instance's file of the kernel module (jabi_kmod.h) */
#define JABI_LAST_FD	      JABI_KMOD_FD
#define JABI_PORT_AREA	      (128ull << 20) /* addresses after the arena that are kept free for the links of a port */
#define JABI_KMOD_AREA	      (64ull << 12) /* addresses after that: one page per kThread of a kProc */
/* The one GS offset that patched text knows: stubs leave by `jmp *%gs:JABI_GS_SYSCALL_ENTRY` with the return address in rcx. */
#define JABI_GS_SYSCALL_ENTRY 0x10

/* A string in the boot pages: len bytes, then a zero that is not counted. off == 0: absent. */
struct jabi_str {
	__u32 off;
	__u32 len;
};

/* Strings one after the other, each ended by a zero: `count` of them in `len` bytes at `off`. */
struct jabi_strings {
	__u32 off;
	__u32 len;
	__u32 count;
	__u32 pad;
};

/* A classic BPF program: len struct sock_filter at off. */
struct jabi_bpf {
	__u32 off;
	__u32 len;
};

#define JABI_ROOT_OVERLAY 0 /* host directory read-only below, memory above */
#define JABI_ROOT_RO	  1
#define JABI_ROOT_RW	  2

#define JABI_VOL_RO	 1 /* refuse writes */
#define JABI_VOL_IS_FILE 2 /* fd is a regular file, not a directory: bind it over the path dst */
struct jabi_volume {
	__s32 fd; /* O_PATH directory, or a file opened for reading (and writing unless JABI_VOL_RO) */
	__u32 flags;
	struct jabi_str dst; /* absolute path in the instance */
	struct jabi_str src; /* host path, for /proc/mounts */
};

/* What a standard descriptor is on the host. */
#define JABI_STDIO_CLOSED  0
#define JABI_STDIO_TTY	   1
#define JABI_STDIO_PIPE	   2
#define JABI_STDIO_FILE	   3
#define JABI_STDIO_CHARDEV 4
#define JABI_STDIO_SOCKET  5
#define JABI_STDIO_DIR	   6
struct jabi_stdio {
	__u32 kind;
	__u32 oflags; /* F_GETFL */
	__u32 mode;   /* st_mode */
	__u32 pad;
	__u64 dev;
	__u64 ino;
	__u64 rdev;
};

#define JABI_NET_NONE 0 /* loopback only */
#define JABI_NET_TAP  1
#define JABI_NET_STREAM 3 /* tap_fd: stream socket, each frame behind its length (4 bytes, network order) */
#define JABI_NET_XDP  4 /* queues_off */
#define JABI_NET_PORT 2 /* of the switch (jabi_port.h); the port_* descriptors */
struct jabi_net {
	__u32 kind;
	__s32 tap_fd; /* -1 without TAP; O_NONBLOCK */
	__u32 mtu;
	__u32 vnet_hdr;	  /* bytes of struct virtio_net_hdr before each frame, 0 = none */
	__u32 offload;	  /* TUN_F_* bits accepted by the host, 0 if vnet_hdr is 0 */
	__u32 prefix_len; /* of ip4 */
	__u8 mac[6];	  /* the instance's own */
	__u8 ifname[16];  /* of the TAP, on the host side */
	__u8 is_quiet;	  /* no frame is sent before the program wants one: the other end starts with it */
	__u8 pad[1];
	__u32 ip4; /* network byte order, 0 = not configured */
	__u32 gw4; /* network byte order, 0 = none */
};

struct jabi_net6 { /* all zeros: autoconfiguration */
	__u8 ip[16];
	__u8 gw[16];
	__u32 prefix_len;
	__u32 pad;
};

/* Where the words of the io_uring behind ring_fd lie in its first mapping (struct io_uring_params). Entries are powers of two. */
struct jabi_ring {
	__u32 sq_entries, cq_entries;
	__u32 sq_head, sq_tail, sq_array;
	__u32 cq_head, cq_tail, cqes;
	__u32 ring_bytes; /* of the first mapping */
	__u32 pad;
};

struct jabi_rlimit {
	__u64 cur;
	__u64 max;
};
#define JABI_NR_RLIMITS 16

#define JABI_F_STRACE		1
#define JABI_F_STATS		2 /* print counters on stats_fd at exit */
#define JABI_F_WRITABLE		4 /* the filter has the writing file calls (--rw or a writable volume) */
#define JABI_F_LANDLOCK		8  /* a Landlock domain is in force */
#define JABI_F_AS_ROOT		16 /* launched by uid 0 */
#define JABI_F_JOB_CONTROL 64 /* launched from a job-control shell that would see the launcher stop */
#define JABI_F_CONFINE_REQUIRED 32 /* the filters below must be installed, failure is fatal */

struct jabi_boot {
	__u64 magic;
	__u32 version;
	__u32 size;	  /* sizeof(struct jabi_boot) of the writer */
	__u64 arena_base; /* where every kProc maps the arena (MAP_SHARED|MAP_FIXED_NOREPLACE) */
	__u64 arena_size; /* of the sparse memfd */
	__u64 mem_limit;  /* --mem: program and kernel memory, bytes */
	__u64 boot_bytes; /* page multiple: the kernel's memory begins here */
	__u32 nr_cores;	  /* --cores: kThreads per kProc at most */
	__u32 flags;	  /* JABI_F_* */
	__u64 cpu_mask;	  /* host CPUs the launcher was allowed (first 64) */

	/* host descriptors; -1 = absent */
	__s32 arena_fd;
	__s32 root_fd;	     /* O_PATH directory that becomes / */
	__s32 cache_dir_fd;  /* patched images, read-only use; -1 = no cache */
	__s32 patch_sock_fd; /* unix SEQPACKET to the launcher's patch service (jabi_patch.h) */
	__s32 wake_eventfd;  /* shared watcher wake-up; O_NONBLOCK */
	__s32 log_fd;	     /* the instance kernel's own messages (a duplicate of stderr) */
	__s32 strace_fd;
	__s32 stats_fd;
	__s32 ring_fd;	   /* restricted io_uring (JABI_RING_FD), -1: the host has none */
	__u32 root_mode;   /* JABI_ROOT_* */
	__u32 volumes_off; /* struct jabi_volume[nr_volumes] */
	__u32 nr_volumes;

	struct jabi_str program; /* as given: looked up in PATH of envp when it has no slash */
	struct jabi_str cwd;	 /* absolute, in the instance */
	struct jabi_str hostname;
	struct jabi_str name;
	struct jabi_str root_path; /* host path of root_fd */
	struct jabi_str resolv;	   /* spare */
	struct jabi_strings argv;
	struct jabi_strings envp;

	/* Filters, installed by the instance kernel before the first program instruction. filter: the allow-list. */
	struct jabi_bpf filter;

	struct jabi_net net;

	/* the caller */
	__u32 uid, gid, euid, egid;
	__u32 ppid, pgid, sid, umask; /* host numbers, for information; umask is inherited */
	__u32 launcher_pid;
	__s32 nice;
	__u64 sig_ignored; /* bit N-1: signal N was ignored (nohup) */
	__u64 sig_blocked;
	__u32 groups_off; /* __u32[nr_groups] */
	__u32 nr_groups;
	struct jabi_rlimit rlimit[JABI_NR_RLIMITS]; /* RLIMIT_* order */
	struct jabi_stdio stdio[3];
	__u16 tty_rows,
		tty_cols; /* of the first standard descriptor that is a terminal; 0 = none */
	__u32 tty_fd;	  /* which one, valid if tty_rows or tty_isset */
	__u32 tty_isset;
	__u32 tty_foreground; /* the launcher's process group is the terminal's foreground group */
	__u8 tty_termios[64]; /* struct termios of TCGETS at start */
	__u8 random[64];      /* seed, fresh */
	struct jabi_ring ring;
	__s32 port_link_fd, port_bell_fd, port_kick_fd; /* JABI_NET_PORT: jabi_port.h, ATTACHED */
	__s32 kmod_fd; /* instance file of the kernel module (JABI_KMOD_FD), -1: none */
	struct jabi_net6 net6;
	__s32 pcap_fd; /* a file that the interface's frames go to (--pcap); -1 = none */
	__s32 core_bell_fd; /* of the daemon that grants cores (jabi_port.h, CORES), -1: none */
	__u32 queues_off; /* struct jabi_queues (jabi_queues.h); 0 = jabi_net.tap_fd is the only queue */
	__u32 ctl_off; /* struct jabi_ctl (jabi_ctl.h) */
	__u8 reserved[8];

	/* Written by the instance. exit_set: 0 = not yet, 1 = exit_status is valid (store-release). */
	__u32 exit_set;
	__u32 exit_status; /* wait(2) status of the first program: (code << 8) or signal, core flag 0x80 */
	__u32 boot_stage; /* diagnostic: how far the kernel came; see JABI_STAGE_* */
	__u32 boot_error; /* errno of a failed boot */
	__u8 line_pad[48];
};

#define JABI_STAGE_EXEC	   0 /* not a single kernel instruction has run */
#define JABI_STAGE_ARENA   1 /* arena mapped */
#define JABI_STAGE_LOCKED  2 /* filters installed */
#define JABI_STAGE_PROGRAM 3 /* the program's first instruction may run */

_Static_assert(sizeof(struct jabi_str) == 8, "layout");
_Static_assert(sizeof(struct jabi_strings) == 16, "layout");
_Static_assert(sizeof(struct jabi_volume) == 24, "layout");
_Static_assert(sizeof(struct jabi_stdio) == 40, "layout");
_Static_assert(sizeof(struct jabi_net) == 56, "layout");
_Static_assert(sizeof(struct jabi_ring) == 40, "layout");
_Static_assert(sizeof(struct jabi_net6) == 40, "layout");
_Static_assert(__builtin_offsetof(struct jabi_boot, arena_base) == 16, "layout");
_Static_assert(__builtin_offsetof(struct jabi_boot, arena_fd) == 64, "layout");
_Static_assert(__builtin_offsetof(struct jabi_boot, exit_set) == 960, "a cache line of its own");
_Static_assert(sizeof(struct jabi_boot) == 1024, "layout");

#endif
