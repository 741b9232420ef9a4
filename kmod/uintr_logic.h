/* SPDX-License-Identifier: MIT */
/*
 * The arithmetic of user interrupts, without a kernel under it: frames, posted-interrupt descriptors and target tables as the Intel SDM
 * (volume 3, chapter "User interrupts") lays them out. tests/unit/kmod runs it in user space. Nothing here has side effects beyond
 * its arguments.
 */
#ifndef KMOD_UINTR_LOGIC_H
#define KMOD_UINTR_LOGIC_H

#include "jabi/jabi_kmod.h"

#define JK_RFLAGS_TF (1ull << 8)
#define JK_RFLAGS_RF (1ull << 16)

/* Errors that only the signal code of the system-call exit path may see (include/linux/errno.h of the kernel): -512 .. -516. */
#define JK_ERESTART_FIRST 512
#define JK_ERESTART_LAST  516
#define JK_ENOSYS	  38

/* Where a delivery pushes: the address of the jabi_kmod_frame, below `sp` or at the absolute stack. */
static inline __u64 jk_frame_address(__u64 sp, __u64 stack)
{
	__u64 top = (stack & 1) ? (stack & ~1ull) : sp - stack;

	return (top & ~15ull) - sizeof(struct jabi_kmod_frame);
}

static inline __u64 jk_handler_flags(__u64 rflags)
{
	return rflags & ~(JK_RFLAGS_TF | JK_RFLAGS_RF);
}

/* Highest vector of a set that is not empty. */
static inline unsigned int jk_highest(__u64 bits)
{
	return 63 - (unsigned int)__builtin_clzll(bits);
}

static inline int jk_in_return(__u64 ip, __u64 begin, __u64 end)
{
	return ip >= begin && ip < end;
}

/*
 * On the way out to user mode: may RIP be changed? After an interrupt or exception (orig_ax == -1) yes. After a system call only when its
 * result is final: a restart code still to be turned into EINTR or a restart must keep RIP, and -ENOSYS is also what ax holds while
 * the call is under way (task work may run in its middle).
 */
static inline int jk_exit_is_final(__s64 orig_ax, __s64 ax)
{
	if (orig_ax == -1)
		return 1;
	return ax != -JK_ENOSYS && !(ax <= -JK_ERESTART_FIRST && ax >= -JK_ERESTART_LAST);
}

/* ---- hardware structures ---- */

/* User posted-interrupt descriptor: 16 bytes, aligned to 64. `status`: bit 0 ON, bit 1 SN, 23:16 notification vector, 63:32 destination. */
struct jk_upid {
	__u64 status;
	__u64 pir;
} __attribute__((aligned(64)));

#define JK_UPID_ON 1ull
#define JK_UPID_SN 2ull

/* APIC ids go to bits 63:32 in x2APIC mode, to bits 47:40 in xAPIC mode. */
static inline __u64 jk_upid_status(unsigned int vector, __u32 apic_id, int x2apic, __u64 on_sn)
{
	__u64 dest = x2apic ? (__u64)apic_id << 32 : (__u64)(apic_id & 0xff) << 40;

	return dest | (__u64)(vector & 0xff) << 16 | (on_sn & (JK_UPID_ON | JK_UPID_SN));
}

/* User-interrupt target table entry: 16 bytes, aligned to 16. */
struct jk_uitte {
	__u8 valid;
	__u8 vector;
	__u8 zero[6];
	__u64 upid;
} __attribute__((aligned(16)));

/* IA32_UINTR_TT: address with bit 0 = SENDUIPI allowed. IA32_UINTR_MISC: 31:0 index of the last entry, 39:32 notification vector. */
static inline __u64 jk_msr_tt(__u64 table)
{
	return table ? table | 1 : 0;
}

static inline __u64 jk_msr_misc(__u32 last_index, unsigned int uinv)
{
	return last_index | (__u64)(uinv & 0xff) << 32;
}

/* What UIRR holds when a thread comes back: what it had, what was posted to its descriptor and what the module kept for it. */
static inline __u64 jk_uirr_restore(__u64 saved, __u64 pir, __u64 posted)
{
	return saved | pir | posted;
}

#endif
