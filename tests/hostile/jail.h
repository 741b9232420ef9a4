/* SPDX-License-Identifier: MIT */
/* What the files of the hostile program share. */
#ifndef TESTS_HOSTILE_JAIL_H
#define TESTS_HOSTILE_JAIL_H

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/* host_call.S: the first stub as a function, and the addresses just behind the three syscall instructions. */
extern long (*stub_syscall)(long nr, long a, long b, long c, long d, long e, long f);
extern char *kernel_entry, *stub_syscall_ret, *stub_restorer_ret, *stub_clone_ret;

long stub(long nr, long a, long b, long c, long d, long e, long f);
void say(const char *what, long result); /* -errno by name */

struct attempt {
	const char *name;
	void (*run)(char **args);
};
extern const struct attempt attempts[]; /* ends with a NULL name */

/* gates.c */
void by_int80(char **args);
void by_sysenter(char **args);
void by_compat_code(char **args);
void by_patched_site(char **args);
void by_own_code(char **args);
void by_vsyscall(char **args);
void by_middle_of_stub(char **args);
void by_x32_number(char **args);
void by_uretprobe(char **args);
void by_clone_stub(char **args);
void by_restorer_stub(char **args);
void by_forged_sigreturn(char **args);
void by_own_handler(char **args);
void by_lost_gs(char **args);

#endif
