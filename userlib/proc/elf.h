/* SPDX-License-Identifier: MIT */
/*
 * The program loader: ELF64 x86-64 executables (fixed and position-independent), their interpreter, #! scripts, the initial stack.
 * Three steps, so that execve can fail without harm up to its point of no return:
 *   elf_prepare  opens and checks everything; touches no program memory;
 *   elf_conflict tells whether fixed addresses are taken by others (then the program goes to a fresh kProc);
 *   elf_load     maps it into an empty mm.
 */
#ifndef USERLIB_PROC_ELF_H
#define USERLIB_PROC_ELF_H

#include "userlib/proc/mm.h"

/* argv or envp: `count` strings one after the other, each with its zero, in `len` bytes of kernel memory (kmem_alloc, size cap). */
struct str_block {
	char *data;
	size_t len, cap;
	u32 count;
};
/* 0, -ENOMEM, -E2BIG (total above 2 MiB or one string above 128 KiB). front: before the others. */
int str_block_add(struct str_block *b, const char *s, size_t len, bool front) must_check;
void str_block_free(struct str_block *b);

struct elf_image; /* elf.c */

struct exec_ctx {
	/* in, borrowed */
	const struct walk_ctx *walk;	/* opens interpreters as the calling process */
	struct str_block argv, envp;	/* taken: scripts change argv; freed by elf_free */
	char execfn[PATH_MAX_LEN];	/* name as given to execve ("/dev/fd/N/..." for execveat) */
	struct cred cred;		/* of the new program, for AT_UID...; prepare applies no set-id bits: see secure_uid/gid */
	u64 stack_limit;		/* RLIMIT_STACK */
	/* out of prepare */
	struct path exe;		/* final file (scripts resolved), referenced */
	const char *why;		/* for -ENOEXEC and -ELIBBAD: what is wrong with the file, for one clear line; else NULL */
	bool setuid, setgid;		/* the file asks for it; uid/gid of the file */
	u32 file_uid, file_gid;
	char comm[16];			/* name for the thread: last component of the executed file */
	struct cred open_cred;
	struct elf_image *image;
	bool secure;			/* caller sets: AT_SECURE */
};
struct exec_result {
	u64 entry, sp;
};

/* file: referenced path of the file to run (execute permission is checked here); taken. On error everything is released by elf_free. */
int elf_prepare(struct exec_ctx *x, const struct path *file) must_check;
bool elf_conflict(struct exec_ctx *x, struct aspace *as, const struct mm *except);
/* -EADDRINUSE, -ENOMEM, ...; the mm is then to be thrown away. */
int elf_load(struct exec_ctx *x, struct mm *mm, struct exec_result *out) must_check;
void elf_free(struct exec_ctx *x);

/* The vDSO shown to programs (entry/ sets it at boot; image NULL = none): page-aligned, in the arena. */
extern struct elf_vdso {
	const void *image;
	u64 len;
} elf_vdso;
/* AT_HWCAP (CPUID 1 edx) and AT_MINSIGSTKSZ, set by entry/ at boot. */
extern u64 elf_hwcap, elf_minsigstksz;

#endif
