/* SPDX-License-Identifier: MIT */
/*
 * Run by the build: makes the seccomp allow-lists of host_calls.c with libseccomp and prints them as C arrays of struct sock_filter, one
 * without and one with the writing calls. Doing this at every start would cost an instance half a millisecond. They are the second of two
 * stacked filters: the instance kernel's own traps every call that does not come from its stubs, and a trap outranks the EPERM given here.
 */
#include <errno.h>
#include <linux/filter.h>
#include <seccomp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "jabi/jabi_boot.h"
#include "tools/jctl/host_calls.h"

#define FILTER_MAX_INSNS 4096 /* BPF_MAXINSNS */

static int add_row(scmp_filter_ctx ctx, const struct host_call *h)
{
	struct scmp_arg_cmp cmp[HOST_CALL_MAX_CONDS];
	unsigned n = 0;

	for (; n < HOST_CALL_MAX_CONDS && h->cond[n].kind != COND_END; n++) {
		const struct arg_cond *c = &h->cond[n];

		cmp[n].arg = c->arg;
		cmp[n].datum_a = c->value;
		cmp[n].datum_b = 0;
		switch ((enum cond_kind)c->kind) {
		case COND_MASKED:
			cmp[n].op = SCMP_CMP_MASKED_EQ;
			cmp[n].datum_a = c->mask;
			cmp[n].datum_b = c->value;
			break;
		case COND_AT_MOST:
			cmp[n].op = SCMP_CMP_LE;
			break;
		case COND_PATCH_SOCK:
			cmp[n].datum_a = JABI_PATCH_SOCK_FD;
			cmp[n].op = SCMP_CMP_EQ;
			break;
		case COND_EQUAL:
		case COND_END:
			cmp[n].op = SCMP_CMP_EQ;
			break;
		}
	}
	return seccomp_rule_add_array(ctx, SCMP_ACT_ALLOW, h->nr, n, cmp);
}

static int build(scmp_filter_ctx ctx, bool is_writable)
{
	/* int 0x80 and x32: the trap filter has them first; never KILL, the program gets its ENOSYS. */
	int r = seccomp_attr_set(ctx, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_ERRNO(ENOSYS));

	if (!r)
		r = seccomp_attr_set(ctx, SCMP_FLTATR_CTL_OPTIMIZE,
				     2); /* binary tree: host calls are on the data path */
	for (size_t i = 0; !r && i < nr_host_calls; i++)
		if (host_calls[i].group == CALL_ALWAYS || is_writable)
			r = add_row(ctx, &host_calls[i]);
	return r;
}

/* libseccomp 2.5 exports to a descriptor only. */
static int export_program(scmp_filter_ctx ctx, struct sock_filter *insns, ssize_t *len)
{
	int fd = memfd_create("junction-filter", MFD_CLOEXEC), r;

	if (fd < 0)
		return -errno;
	r = seccomp_export_bpf(ctx, fd);
	if (!r) {
		*len = pread(fd, insns, FILTER_MAX_INSNS * sizeof(*insns), 0);
		if (*len <= 0 || *len % (ssize_t)sizeof(*insns) ||
		    *len == (ssize_t)(FILTER_MAX_INSNS * sizeof(*insns)))
			r = -E2BIG;
	}
	close(fd);
	return r;
}

static int print_program(bool is_writable, const char *name)
{
	static struct sock_filter insns[FILTER_MAX_INSNS];
	scmp_filter_ctx ctx = seccomp_init(SCMP_ACT_ERRNO(EPERM));
	ssize_t len = 0;
	int r = ctx ? build(ctx, is_writable) : -ENOMEM;

	if (!r)
		r = export_program(ctx, insns, &len);
	seccomp_release(ctx);
	if (r)
		return r;
	printf("static const struct sock_filter %s[] = {\n", name);
	for (size_t i = 0; i < (size_t)len / sizeof(insns[0]); i++)
		printf("\t{ 0x%x, %u, %u, 0x%x },\n", insns[i].code, insns[i].jt, insns[i].jf,
		       insns[i].k);
	printf("};\n");
	return 0;
}

int main(void)
{
	int r;

	printf("/* Made by tools/jctl/filter_gen.c. */\n");
	r = print_program(false, "filter_reading");
	if (!r)
		r = print_program(true, "filter_writing");
	if (r)
		fprintf(stderr, "filter_gen: error %d\n", -r);
	return r ? 1 : 0;
}
