/* SPDX-License-Identifier: MIT */
/*
 * The program loader, second half: mapping the segments of a checked image into an empty mm, and the initial stack (System V ABI
 * AMD64, 3.4.1). Runs on a uThread of the mm's own kProc.
 */
#include "userlib/proc/elf_internal.h"
#include "userlib/rt/clock.h"

struct elf_vdso elf_vdso;
u64 elf_hwcap = 0xbfebfbff, elf_minsigstksz = 2048;

#define STACK_MIN (256 * KiB)
#define STACK_MAX GiB /* what an unlimited stack gets */
#define HWCAP2_FSGSBASE 2

static int seg_prot(const Elf64_Phdr *p)
{
	return (p->p_flags & PF_R ? PROT_READ : 0) | (p->p_flags & PF_W ? PROT_WRITE : 0) | (p->p_flags & PF_X ? PROT_EXEC : 0);
}

/* File part, zeroed rest of its last page, anonymous rest. */
static int map_segment(struct mm *mm, struct elf_file *e, const Elf64_Phdr *p)
{
	u64 start = e->bias + ROUND_DOWN(p->p_vaddr, PAGE_SIZE), file_end = e->bias + p->p_vaddr + p->p_filesz;
	u64 end = ROUND_UP(e->bias + p->p_vaddr + p->p_memsz, PAGE_SIZE), file_page_end = ROUND_UP(file_end, PAGE_SIZE);
	int prot = seg_prot(p), r;

	if (p->p_filesz) {
		r = mm_map_file_at(mm, start, file_page_end - start, prot, e->f, ROUND_DOWN(p->p_offset, PAGE_SIZE));
		if (r)
			return r;
		if (p->p_memsz > p->p_filesz && (prot & PROT_WRITE) && file_page_end > file_end) {
			r = clear_app((void __app *)file_end, file_page_end - file_end);
			if (r)
				return r;
		}
	} else {
		file_page_end = start;
	}
	if (end > file_page_end)
		return mm_map_anon_at(mm, file_page_end, end - file_page_end, prot, 0);
	return 0;
}

static void note_ranges(struct mm *mm, const struct elf_file *e)
{
	u64 at, end;
	u32 i;

	for (i = 0; i < e->nph; i++) {
		if (e->ph[i].p_type != PT_LOAD)
			continue;
		at = e->bias + e->ph[i].p_vaddr;
		end = at + e->ph[i].p_filesz;
		if (e->ph[i].p_flags & PF_X) {
			if (!mm->start_code || at < mm->start_code)
				mm->start_code = at;
			mm->end_code = MAX(mm->end_code, end);
		}
		if (at >= mm->start_data) {
			mm->start_data = at;
			mm->end_data = MAX(mm->end_data, end);
		}
	}
}

/* Finds the place and maps all segments. *room: bytes kept behind for stubs. */
static int load_file(struct mm *mm, struct elf_file *e, bool is_program, u64 *room)
{
	u64 len = e->hi - e->lo, at;
	u32 i;
	int r;

	*room = mm_stub_room(e->f, len);
	if (e->eh.e_type == ET_EXEC) {
		r = mm_reserve_image_at(mm, e->lo, len + *room);
		if (r == -EADDRINUSE && *room) {
			*room = 0;
			r = mm_reserve_image_at(mm, e->lo, len);
		}
		if (r)
			return r;
		e->bias = 0;
	} else {
		at = mm_reserve_image(mm, len + *room, e->align, is_program);
		if (!at)
			return -ENOMEM;
		e->bias = at - e->lo;
	}
	for (i = 0; i < e->nph; i++) {
		if (e->ph[i].p_type != PT_LOAD || !e->ph[i].p_memsz)
			continue;
		r = map_segment(mm, e, &e->ph[i]);
		if (r)
			return r;
	}
	return 0;
}

static void set_brk(struct mm *mm, const struct elf_file *e, u64 room)
{
	u64 end = e->bias + e->hi + room;

	mm->start_brk = mm->brk = end + ((u64)(random_u32() & 0x1fff) << PAGE_SHIFT);
}

/* --- the initial stack --- */

struct stack_out {
	u64 at;	  /* next address to write */
	int err;
	u64 buf[256];
	u32 n;
};

static void out_flush(struct stack_out *o)
{
	if (!o->err && o->n)
		o->err = copy_to_app((void __app *)o->at, o->buf, o->n * sizeof(u64));
	o->at += o->n * sizeof(u64);
	o->n = 0;
}

static void out_word(struct stack_out *o, u64 w)
{
	if (o->n == ARRAY_SIZE(o->buf))
		out_flush(o);
	o->buf[o->n++] = w;
}

/* The addresses of the strings of a block that was copied to `at`, and a NULL. */
static void out_pointers(struct stack_out *o, const struct str_block *b, u64 at)
{
	size_t pos = 0;
	u32 i;

	for (i = 0; i < b->count; i++) {
		out_word(o, at + pos);
		pos += strlen(b->data + pos) + 1;
	}
	out_word(o, 0);
}

static void auxv_put(struct mm *mm, u64 type, u64 value)
{
	u64 *p = mm->auxv + mm->auxv_len / sizeof(u64);

	p[0] = type;
	p[1] = value;
	mm->auxv_len += 2 * sizeof(u64);
}

static void make_auxv(const struct exec_ctx *x, struct mm *mm, u64 execfn, u64 platform, u64 rnd)
{
	const struct elf_image *im = x->image;
	const struct elf_file *e = &im->prog;

	mm->auxv_len = 0;
	if (mm->vdso)
		auxv_put(mm, AT_SYSINFO_EHDR, mm->vdso);
	auxv_put(mm, AT_MINSIGSTKSZ, elf_minsigstksz);
	auxv_put(mm, AT_HWCAP, elf_hwcap);
	auxv_put(mm, AT_PAGESZ, PAGE_SIZE);
	auxv_put(mm, AT_CLKTCK, 100);
	auxv_put(mm, AT_PHDR, e->phdr_vaddr ? e->bias + e->phdr_vaddr : 0);
	auxv_put(mm, AT_PHENT, sizeof(Elf64_Phdr));
	auxv_put(mm, AT_PHNUM, e->nph);
	auxv_put(mm, AT_BASE, im->has_interp ? im->interp.bias : 0);
	auxv_put(mm, AT_FLAGS, 0);
	auxv_put(mm, AT_ENTRY, e->bias + e->eh.e_entry);
	auxv_put(mm, AT_UID, x->cred.uid);
	auxv_put(mm, AT_EUID, x->cred.euid);
	auxv_put(mm, AT_GID, x->cred.gid);
	auxv_put(mm, AT_EGID, x->cred.egid);
	auxv_put(mm, AT_SECURE, x->secure);
	auxv_put(mm, AT_RANDOM, rnd);
	auxv_put(mm, AT_HWCAP2, HWCAP2_FSGSBASE);
	auxv_put(mm, AT_EXECFN, execfn);
	auxv_put(mm, AT_PLATFORM, platform);
	auxv_put(mm, AT_NULL, 0);
}

static int put_bytes(u64 at, const void *data, size_t len)
{
	return copy_to_app((void __app *)at, data, len);
}

/* From the top: 8 zero bytes, execfn, environment, arguments, platform, random; then, 16-aligned, argc, argv, envp, auxv at sp. */
static int build_stack(struct exec_ctx *x, struct mm *mm, u64 *sp_out)
{
	static const char platform[] = "x86_64";
	size_t fn_len = strlen(x->execfn) + 1;
	u64 execfn = mm->stack_high - 8 - fn_len, env = execfn - x->envp.len, args = env - x->argv.len;
	u64 plat = args - sizeof(platform), rnd = (plat - 16) & ~15ull, words, sp;
	struct stack_out *o;
	u8 seed[16];
	u32 i;
	int r;

	if (x->envp.len + x->argv.len > (mm->stack_high - mm->stack_low) / 4 * 3)
		return -E2BIG;
	make_auxv(x, mm, execfn, plat, rnd);
	words = 1 + x->argv.count + 1 + x->envp.count + 1 + mm->auxv_len / sizeof(u64);
	sp = (rnd - words * sizeof(u64)) & ~15ull;
	if (sp < mm->stack_low + 64 * KiB || sp > rnd)
		return -E2BIG;
	random_bytes(seed, sizeof(seed));
	r = put_bytes(execfn, x->execfn, fn_len);
	if (!r && x->envp.len)
		r = put_bytes(env, x->envp.data, x->envp.len);
	if (!r)
		r = put_bytes(args, x->argv.data, x->argv.len);
	if (!r)
		r = put_bytes(plat, platform, sizeof(platform));
	if (!r)
		r = put_bytes(rnd, seed, sizeof(seed));
	if (r)
		return r;
	o = kmem_zalloc(sizeof(*o));
	if (!o)
		return -ENOMEM;
	o->at = sp;
	out_word(o, x->argv.count);
	out_pointers(o, &x->argv, args);
	out_pointers(o, &x->envp, env);
	for (i = 0; i < mm->auxv_len / sizeof(u64); i++)
		out_word(o, mm->auxv[i]);
	out_flush(o);
	r = o->err;
	kmem_free(o, sizeof(*o));
	mm->arg_start = args;
	mm->arg_end = mm->env_start = env;
	mm->env_end = execfn;
	mm->start_stack = sp;
	*sp_out = sp;
	return r;
}

int elf_load(struct exec_ctx *x, struct mm *mm, struct exec_result *out)
{
	struct elf_image *im = x->image;
	u64 room, ignored, stack = MIN(MAX(x->stack_limit, STACK_MIN), STACK_MAX);
	int r;

	r = load_file(mm, &im->prog, true, &room);
	if (r)
		return r;
	if (im->has_interp) {
		r = load_file(mm, &im->interp, false, &ignored);
		if (r)
			return r;
	}
	note_ranges(mm, &im->prog);
	set_brk(mm, &im->prog, room);
	r = mm_map_stack(mm, stack, im->prog.exec_stack);
	if (r)
		return r;
	if (elf_vdso.image) {
		long v = mm_map_vdso(mm, elf_vdso.image, elf_vdso.len);

		if (v < 0)
			return (int)v;
	}
	r = build_stack(x, mm, &out->sp);
	if (r)
		return r;
	mm_set_exe(mm, &x->exe);
	out->entry = im->has_interp ? im->interp.bias + im->interp.eh.e_entry : im->prog.bias + im->prog.eh.e_entry;
	return 0;
}
