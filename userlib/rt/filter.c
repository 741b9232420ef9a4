/* SPDX-License-Identifier: MIT */
/*
 * The instruction-pointer filter: a seccomp program of our own (libseccomp cannot match the instruction pointer) stacked on the
 * launcher's allow-list. Calls from the three host-call stubs pass on to the list, everything else traps to the instance kernel.
 */
#include "userlib/rt/host.h"
#include "userlib/rt/trap.h"
#include <asm/unistd_64.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>

extern char host_syscall_ret[], host_restorer_ret[], host_clone_ret[];

#define LD(field) { BPF_LD | BPF_W | BPF_ABS, 0, 0, offsetof(struct seccomp_data, field) }
#define LD_HI(field) { BPF_LD | BPF_W | BPF_ABS, 0, 0, offsetof(struct seccomp_data, field) + 4 }
#define JEQ(v, t, f) { BPF_JMP | BPF_JEQ | BPF_K, t, f, (u32)(v) }
#define JGE(v, t, f) { BPF_JMP | BPF_JGE | BPF_K, t, f, (u32)(v) }
#define RET(v) { BPF_RET | BPF_K, 0, 0, v }

int trap_install_filter(void)
{
	u64 a = (u64)host_syscall_ret, b = (u64)host_restorer_ret, c = (u64)host_clone_ret;
	struct sock_filter prog[] = {
		LD(arch),		  JEQ(AUDIT_ARCH_X86_64, 0, 8),
		LD(nr),			  JGE(0x40000000, 6, 0),
		LD_HI(instruction_pointer), JEQ(a >> 32, 0, 4),
		LD(instruction_pointer),  JEQ(a, 3, 0),
		JEQ(b, 2, 0),		  JEQ(c, 1, 0),
		RET(SECCOMP_RET_TRAP),	  RET(SECCOMP_RET_ALLOW),
	};
	struct sock_fprog fprog = { .len = sizeof(prog) / sizeof(prog[0]), .filter = prog };

	if (b >> 32 != a >> 32 || c >> 32 != a >> 32)
		return -ERANGE;
	return (int)host_syscall6(__NR_seccomp, SECCOMP_SET_MODE_FILTER, 0, (long)&fprog, 0, 0, 0);
}
