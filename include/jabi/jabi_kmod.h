/* SPDX-License-Identifier: MIT */
/*
 * /dev/junction: what the kernel module (kmod/) promises to junctiond, to the launcher and to instances. This comment is the
 * specification; kmod/ implements it and tests/kmod checks it.
 *
 * COMMON RULES. Every ioctl takes one struct that begins with `size` (sizeof the struct, else EINVAL) and `flags`; unknown flag bits,
 * non-zero padding and non-zero reserved fields give EINVAL; an unknown request gives ENOTTY; a bad pointer EFAULT. On error nothing has
 * changed and the struct is not written. Fields marked (out) are ignored on the way in. Shared pages are words that the other side may
 * change at any time: the module loads a word once, checks it, uses it; what it needs to trust it keeps elsewhere. Everything that was
 * done through a file is undone when its last reference goes, whatever killed the owner. Files are O_CLOEXEC.
 *
 * FILES AND RIGHTS. open(/dev/junction, O_RDWR) gives a control file (the device is 0600; a udev rule gives it a group). It can query
 * (INFO), make instances (INSTANCE) and, with CAP_SYS_NICE in the opener's credentials, become a daemon file by claiming CPUs (CLAIM).
 * INSTANCE returns a new instance file. The instance belongs to the control file it was made from: the threads of an instance may only
 * be granted CPUs claimed on that file. An instance file carries rights (JABI_KMOD_RIGHT_*): RESTRICT takes rights away from the file
 * for good, SHARE makes another file of the same instance with some of the rights. So the launcher keeps one with all of them and hands
 * the instance one without JABI_KMOD_RIGHT_FILES and JABI_KMOD_RIGHT_SHARE. A request without its right gives EPERM, a request on the
 * wrong kind of file ENOTTY. The instance is undone when the last of its files is closed.
 *
 * THREADS. A host thread (kThread) REGISTERs itself and gets a slot, a number that is unique while the module is loaded; slot 0 is
 * nobody. Registration is per thread: a forked child, a cloned thread are not registered, and a thread that execs is registered no
 * longer. REGISTER sets the thread's CPU affinity to what it was for the maker of the instance (so that children of a granted thread do
 * not stay on its CPU). mmap of an instance file at offset slot * 4096, one page, MAP_SHARED, gives the thread's page (struct
 * jabi_kmod_thread); it is not inherited by fork. A thread can be registered with one instance at a time (EBUSY).
 *
 * GRANTS. mmap of the daemon file at offset cpu * 4096, one page, MAP_SHARED, gives the page of a claimed CPU (struct jabi_kmod_cpu).
 * The daemon grants a CPU to a thread by storing the slot, then a new generation (or both as one 64-bit store) in `want`, then - unless
 * the module's line says JABI_KMOD_CPU_WATCH - one KICK for any number of CPUs. Slot 0 takes the CPU back. The module compares the
 * generation with the one it acknowledged last; the same generation is no new order. It refuses a slot that is not registered or not of
 * this daemon (EPERM) and a slot that holds another CPU (EBUSY): the errno goes to `error`, the generation is acknowledged, the CPU
 * stays as it was.
 *   A thread gives its CPU up with PARK, which returns when it has been granted one and runs there. PARK reads the line itself: a hand-
 * over from the thread that parks to the one that the daemon has written needs no KICK. A thread that parks for the first time becomes
 * managed: from then on it runs only while granted.
 *   If the CPU is held by a running thread when another is wanted, that thread is asked: if it has a user-interrupt handler it gets vector
 * JABI_KMOD_VEC_YIELD, and should PARK. When it has not done so after the deadline of CLAIM, the module takes the CPU: the thread is
 * stopped on its next way out to user mode, inside the host kernel, until it is granted a CPU again; nothing of its state is lost. A
 * holder that is asleep in a host call (JABI_KMOD_CPU_BLOCKED) loses the CPU at once and is stopped in the same way when it wakes.
 *   A holder that dies, execs, or is stopped (SIGSTOP, ptrace) frees the CPU: state IDLE, slot 0, counter `lost`. A forked child never
 * holds anything. A CPU with no holder belongs to Linux. When the daemon file is closed all its CPUs are released; parked and stopped
 * threads of its instances run under plain Linux scheduling with the affinity they had, PARK gives EPIPE from then on and the instances
 * fall back to scheduling themselves. PARK on an instance whose control file never claimed a CPU gives EPIPE too. A signal makes PARK
 * return EINTR: the thread runs, not granted, on wherever it may, until it parks again. PARK with JABI_KMOD_PARK_LEAVE gives the CPU up
 * in the same way but returns at once: the thread is no longer managed and runs or sleeps under plain Linux scheduling, with the affinity
 * it had, until it parks again.
 *   JABI_KMOD_CLAIM_WATCH: an idle CPU of this claim waits on its line with MONITOR/MWAIT (a low-priority kernel thread, so other work
 * still runs) and takes a grant without KICK; EOPNOTSUPP where the CPU has no MWAIT.
 *
 * USER INTERRUPTS. A registered thread gives a handler with UINTR. Vectors are 0..63; a vector posted twice before it is delivered is
 * delivered once. Delivery is what the hardware does: with M = the stack word, if bit 0 of M is set RSP := M & ~1 else RSP := RSP - M;
 * RSP is rounded down to 16; pushed are the old RSP, RFLAGS, RIP and the vector; RFLAGS.TF and RF are cleared, user interrupts are
 * masked, RIP := handler. So at the handler's first instruction RSP is a multiple of 16 and points to struct jabi_kmod_frame. M = 128
 * keeps the red zone. The highest posted vector goes first.
 *   JABI_KMOD_DELIVERY_HW: CLUI, STUI, TESTUI, UIRET as in the SDM (the handler drops the vector first).
 *   JABI_KMOD_DELIVERY_SW: the mask is the word `masked` of the thread's page. The module sets it to 1 at delivery. While it is not 0 what
 * comes is or-ed into `pending` of the same page, and it is the thread's duty to look at `pending` after it has stored 0 to `masked`; it
 * takes vectors from there with an atomic and/exchange. The equivalent of UIRET is a piece of code [ret_begin, ret_end) that may be
 * started again from its first instruction at any point: interrupted there, the module or-s into `pending`, sets RIP := ret_begin and
 * delivers nothing.
 *
 *	ret_begin:				# RSP -> RIP, CS, RFLAGS, RSP, SS: a frame for IRETQ made from jabi_kmod_frame
 *		movl	$0, masked		# all other registers hold the interrupted program's values
 *		cmpq	$0, pending
 *		jne	again			# outside the range: masks, handles the pending vectors, comes back to ret_begin
 *		iretq
 *	ret_end:
 *
 * The frame for IRETQ must not lie where the next delivery would push (with an absolute stack: not at its top).
 *   A vector that arrives while the thread runs in user mode, unmasked, is delivered there and then. In kernel mode, when not running, or
 * when the stack page is not resident it stays with the module and is delivered on the way out to user mode: system calls in flight are
 * not disturbed and not restarted. A stack that cannot be written gives SIGSEGV. Not delivered but kept: while a debugger single-steps
 * the thread, while it runs 32-bit code. TF set by the program itself is kept in the frame. A thread with a user shadow stack is refused
 * (EOPNOTSUPP).
 *   Vectors are posted by UINTR_SEND (thread of the same instance, or the daemon to any of its instances), by KICK (to the holders of the
 * CPUs), by the module (JABI_KMOD_VEC_YIELD, and slice_vector each slice_ns of the thread's time on a CPU), and with DELIVERY_HW by
 * SENDUIPI with the index that UINTR_TARGET gave to the calling thread. A user interrupt does not interrupt a sleep in the kernel.
 *
 * PAGE CACHE. FILE_ADD takes a descriptor open for reading on a regular file and gives an id; only local file systems whose files are
 * plain page-cache files are taken (else EOPNOTSUPP; a file open only for writing: EBADF). MAP maps part of it into the caller, shared
 * and read-only, for good: mprotect to writable gives EACCES. Beyond the end of file it is SIGBUS as with any mapping. Unmap with
 * munmap. RESIDENT sets bit i where page i of the range is in the page cache and up to date; it never faults or reads. PREFETCH starts
 * reading and returns (EAGAIN when too much is under way). An id that is not of this instance: ENOENT. FILE_DEL forgets an id; mappings
 * stay.
 */
#ifndef JABI_JABI_KMOD_H
#define JABI_JABI_KMOD_H

#include <linux/ioctl.h>
#include <linux/types.h>

#define JABI_KMOD_DEVICE    "/dev/junction"
#define JABI_KMOD_VERSION   1
#define JABI_KMOD_CPU_WORDS 16 /* CPU masks name CPUs 0..1023 */
#define JABI_KMOD_MAX_SLOTS 65536

/* ---- shared pages ---- */

/* The daemon's order: loaded as one 64-bit word. */
struct jabi_kmod_want {
	__u32 slot; /* 0: nobody */
	__u32 gen;
} __attribute__((aligned(8)));

#define JABI_KMOD_CPU_IDLE    0 /* nobody holds it */
#define JABI_KMOD_CPU_RUN     1 /* the holder runs, or is on its way from PARK */
#define JABI_KMOD_CPU_BLOCKED 2 /* the holder sleeps in a host call */
#define JABI_KMOD_CPU_YIELD   3 /* the holder has been asked to park, or is being taken off */
#define JABI_KMOD_CPU_WATCH   4 /* nobody holds it and a new `want` is seen without KICK */

/* One page per claimed CPU. First line: written by the daemon. Second and third: by the module (never read back by it). */
struct jabi_kmod_cpu {
	struct jabi_kmod_want want;
	__u64 pad0[7];
	__u32 state; /* JABI_KMOD_CPU_* */
	__u32 slot;  /* holder */
	__u32 gen;   /* acknowledged */
	__u32 error; /* of the order acknowledged last: 0 or an errno */
	__u64 pad1[6];
	__u64 grants;	/* orders carried out */
	__u64 handovers; /* of these: by PARK of the holder before */
	__u64 yields;	/* holders asked */
	__u64 forced;	/* holders taken off after the deadline or while blocked */
	__u64 lost;	/* holders that died, exec'd or were stopped */
	__u64 kicks;	/* interrupts taken for KICK */
	__u64 pad2[2];
};

/* One page per registered thread. First line: shared; second and third: written by the module. */
struct jabi_kmod_thread {
	__u32 masked; /* DELIVERY_SW: not 0 = user interrupts are masked */
	__u32 pad0;
	__u64 pending; /* DELIVERY_SW: bit v = vector v waits for the thread to unmask */
	__u64 pad1[6];
	__u32 granted; /* 1 = holds a CPU or needs none (not managed) */
	__u32 cpu;     /* the CPU it holds; ~0 = none */
	__u32 gen;     /* of the grant it holds */
	__u32 pad2;
	__u64 pad3[6];
	__u64 delivered;     /* frames pushed */
	__u64 deferred;	     /* of these: on the way out of the kernel */
	__u64 held;	     /* arrivals or-ed into `pending` (masked) */
	__u64 restarted;     /* of these: within [ret_begin, ret_end) */
	__u64 slices;	     /* ends of slice_ns */
	__u64 pad4[3];
};

/* What a handler finds at RSP. */
struct jabi_kmod_frame {
	__u64 vector;
	__u64 rip;
	__u64 rflags;
	__u64 rsp;
};

#define JABI_KMOD_VEC_YIELD 63

/* ---- requests on any file ---- */

#define JABI_KMOD_FEAT_UINTR_HW 1 /* the CPU has user interrupts and the module uses them */
#define JABI_KMOD_FEAT_UINTR_SW 2
#define JABI_KMOD_FEAT_MWAIT	4 /* CLAIM_WATCH is possible */
#define JABI_KMOD_FEAT_FILES	8
struct jabi_kmod_info {
	__u32 size;
	__u32 flags;
	__u32 version;	/* (out) JABI_KMOD_VERSION */
	__u32 features; /* (out) */
	__u32 rights;	/* (out) of this file; 0 on a control file */
	__u32 instance; /* (out) id; 0 on a control file */
	__u32 nr_cpus;	/* (out) possible CPUs */
	__u32 nr_slots; /* (out) registered threads of this instance (of all instances of this control file) */
};
#define JABI_KMOD_INFO _IOWR('J', 0x00, struct jabi_kmod_info)

/* ---- requests on a control file ---- */

#define JABI_KMOD_CLAIM_WATCH 1
/*
 * Claims CPUs (adds to those of this file). EPERM without CAP_SYS_NICE, EINVAL for an empty mask, ENODEV for a CPU that is not online,
 * EBUSY if any is claimed already. A claimed CPU cannot go offline. `pid` namespaces do not matter here: CPUs are the host's.
 */
struct jabi_kmod_claim {
	__u32 size;
	__u32 flags;
	__u32 deadline_us; /* 0 = 1000; at most 1000000 */
	__u32 pad;
	__u64 cpus[JABI_KMOD_CPU_WORDS];
};
#define JABI_KMOD_CLAIM _IOW('J', 0x01, struct jabi_kmod_claim)

/* RELEASE gives CPUs back (their holders are stopped as if slot 0 had been ordered and the deadline had passed). KICK: see above;
 * `vectors` are posted to the holders of these CPUs besides. EPERM if any CPU is not claimed by this file; nothing is done then. */
struct jabi_kmod_cpus {
	__u32 size;
	__u32 flags;
	__u64 vectors; /* KICK: bit v = vector v. RELEASE: 0 */
	__u64 cpus[JABI_KMOD_CPU_WORDS];
};
#define JABI_KMOD_RELEASE _IOW('J', 0x02, struct jabi_kmod_cpus)
#define JABI_KMOD_KICK	  _IOW('J', 0x03, struct jabi_kmod_cpus)

#define JABI_KMOD_RIGHT_THREAD 1  /* REGISTER, UNREGISTER, PARK, mmap of thread pages */
#define JABI_KMOD_RIGHT_UINTR  2  /* UINTR, UINTR_SEND, UINTR_TARGET */
#define JABI_KMOD_RIGHT_MAP    4  /* MAP, RESIDENT, PREFETCH */
#define JABI_KMOD_RIGHT_FILES  8  /* FILE_ADD, FILE_DEL */
#define JABI_KMOD_RIGHT_SHARE  16 /* SHARE */
#define JABI_KMOD_RIGHT_ALL    31

/* INSTANCE returns the new file's descriptor; EINVAL for no rights. RESTRICT and SHARE (on an instance file) use it too: RESTRICT leaves
 * only `rights` of the file's (0 is allowed), SHARE returns a descriptor of a new file; rights the caller's file has not: EPERM. */
struct jabi_kmod_rights {
	__u32 size;
	__u32 flags;
	__u32 rights;
	__u32 instance; /* (out) id, unique while the module is loaded */
};
#define JABI_KMOD_INSTANCE _IOWR('J', 0x04, struct jabi_kmod_rights)

/* What a slot is, for the daemon. ENOENT: not registered, or not of an instance of this control file. */
struct jabi_kmod_slot {
	__u32 size;
	__u32 flags;
	__u32 slot;
	__u32 instance; /* (out) */
	__s32 tid;	/* (out) in the caller's pid namespace, 0 = none there */
	__u32 parked;	/* (out) 1 = waits in PARK or is stopped by the module; 2 = managed and without a CPU: will be */
	__u32 cpu;	/* (out) the CPU it holds, ~0 = none */
	__u32 pad;
};
#define JABI_KMOD_SLOT _IOWR('J', 0x05, struct jabi_kmod_slot)

/* ---- requests on an instance file ---- */

#define JABI_KMOD_RESTRICT _IOW('J', 0x10, struct jabi_kmod_rights)
#define JABI_KMOD_SHARE	   _IOWR('J', 0x11, struct jabi_kmod_rights)

/* REGISTER: the calling thread; slot (out). EBUSY: it is registered already; ENOSPC: no slots. UNREGISTER: the calling thread, ENOENT if
 * it is not registered here; slot must be its own (EPERM). */
struct jabi_kmod_register {
	__u32 size;
	__u32 flags;
	__u32 slot;
	__u32 pad;
};
#define JABI_KMOD_REGISTER   _IOWR('J', 0x12, struct jabi_kmod_register)
#define JABI_KMOD_UNREGISTER _IOW('J', 0x13, struct jabi_kmod_register)

/* PARK: `slot` must be the caller's (EPERM). If the thread holds a CPU by a grant newer than `gen` it returns at once (so that a grant
 * that was acknowledged between the caller's last look and the call is not given away). */
#define JABI_KMOD_PARK_IF_GEN 1 /* compare with gen; else gen is ignored on the way in */
#define JABI_KMOD_PARK_LEAVE  2 /* not together with IF_GEN: EINVAL. (out) cpu ~0 */
struct jabi_kmod_park {
	__u32 size;
	__u32 flags;
	__u32 slot;
	__u32 gen; /* in: see above; (out) of the grant */
	__u32 cpu; /* (out) */
	__u32 pad;
};
#define JABI_KMOD_PARK _IOWR('J', 0x14, struct jabi_kmod_park)

#define JABI_KMOD_DELIVERY_NONE 0
#define JABI_KMOD_DELIVERY_SW	1
#define JABI_KMOD_DELIVERY_HW	2
/*
 * Sets or replaces the calling thread's handler; handler 0 removes it (other fields 0 then; what is pending is dropped). EFAULT: the
 * handler is not in user memory that is mapped executable, an absolute stack not in writable memory. EINVAL: ret_begin > ret_end or a
 * range beyond 4096 bytes, slice_ns below 100,000 and not 0, a vector above 63.
 */
#define JABI_KMOD_UINTR_SOFT 1 /* software delivery even where the CPU can do it */
struct jabi_kmod_uintr {
	__u32 size;
	__u32 flags;
	__u32 slot;
	__u32 delivery; /* (out) JABI_KMOD_DELIVERY_* */
	__u64 handler;
	__u64 stack; /* as the SDM's UISTACKADJUST: bit 0 set = load, else subtract */
	__u64 ret_begin;
	__u64 ret_end;
	__u64 slice_ns; /* 0 = no slices */
	__u32 slice_vector;
	__u32 pad;
};
#define JABI_KMOD_UINTR _IOWR('J', 0x20, struct jabi_kmod_uintr)

/* UINTR_SEND: on an instance file to a slot of this instance, on a control file to a slot of any of its instances. ENOENT: no such slot
 * there, or it has no handler. UINTR_TARGET: makes (slot, one vector) a target of the calling thread's SENDUIPI; index (out). EOPNOTSUPP
 * without hardware user interrupts. The calling thread need not have a handler but must be registered. */
struct jabi_kmod_send {
	__u32 size;
	__u32 flags;
	__u32 slot;
	__u32 index;   /* UINTR_TARGET (out) */
	__u64 vectors; /* bit v = vector v; none: EINVAL; UINTR_TARGET: exactly one */
};
#define JABI_KMOD_UINTR_SEND   _IOW('J', 0x21, struct jabi_kmod_send)
#define JABI_KMOD_UINTR_TARGET _IOWR('J', 0x22, struct jabi_kmod_send)

struct jabi_kmod_file {
	__u32 size;
	__u32 flags;
	__s32 fd; /* FILE_ADD */
	__u32 id; /* FILE_ADD (out), FILE_DEL; never 0 */
};
#define JABI_KMOD_FILE_ADD _IOWR('J', 0x30, struct jabi_kmod_file)
#define JABI_KMOD_FILE_DEL _IOW('J', 0x31, struct jabi_kmod_file)

#define JABI_KMOD_MAP_FIXED	    1 /* at addr, replacing what is there */
#define JABI_KMOD_MAP_FIXED_NOREPLACE 2 /* at addr or EEXIST */
struct jabi_kmod_map {
	__u32 size;
	__u32 flags;
	__u32 id;
	__u32 pad;
	__u64 offset; /* page multiple */
	__u64 length; /* not 0; rounded up to pages */
	__u64 addr;   /* hint, or the place with a FIXED flag; (out) where it is */
};
#define JABI_KMOD_MAP _IOWR('J', 0x32, struct jabi_kmod_map)

#define JABI_KMOD_RESIDENT_WORDS 64 /* 4096 pages a call */
struct jabi_kmod_resident {
	__u32 size;
	__u32 flags;
	__u32 id;
	__u32 nr_pages; /* 1..4096 */
	__u64 offset;	/* page multiple */
	__u64 bitmap[JABI_KMOD_RESIDENT_WORDS]; /* (out) bits beyond nr_pages are 0 */
};
#define JABI_KMOD_RESIDENT _IOWR('J', 0x33, struct jabi_kmod_resident)

#define JABI_KMOD_PREFETCH_MAX (64u << 20)
struct jabi_kmod_prefetch {
	__u32 size;
	__u32 flags;
	__u32 id;
	__u32 pad;
	__u64 offset;
	__u64 length; /* 1..JABI_KMOD_PREFETCH_MAX */
};
#define JABI_KMOD_PREFETCH _IOW('J', 0x34, struct jabi_kmod_prefetch)

_Static_assert(sizeof(struct jabi_kmod_cpu) == 192, "lines of a CPU page");
_Static_assert(sizeof(struct jabi_kmod_thread) == 192, "lines of a thread page");
_Static_assert(sizeof(struct jabi_kmod_want) == 8, "one word");

#endif
