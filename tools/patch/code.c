/* SPDX-License-Identifier: MIT */
/*
 * The sweep over one piece of code: one linear decode that collects branch targets and candidate sites, then a decision per site.
 *
 * Text may hold data. A site counts as real only if the code around it says so (a small constant going to eax before, or a test of the
 * result behind): two stray bytes 0f 05 in a table are left alone, and so is anything in doubt. An unpatched site traps, which is slower and right.
 */
#include "tools/patch/patch.h"

#include <dlfcn.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <Zydis/Zydis.h>

#include "jabi/jabi_boot.h"

#define WINDOW	  8    /* instructions looked at before a site */
#define MAX_NR	  1024 /* system-call numbers are smaller */
#define MAX_AFTER 3    /* instructions displaced behind a site */

/* One decoded instruction, as much as is needed to move it. */
struct insn {
	u32 off;
	u8 len;
	u8 rip_disp; /* offset of a RIP-relative disp32 in the instruction, 0 = none */
	bool is_flow;
};

struct site {
	u32 off; /* of the syscall */
	u8 nr_before;
	struct insn before[WINDOW]; /* nearest last */
};

struct sweep {
	ZydisDecoder decoder;
	const u8 *code;
	size_t len;
	u64 vaddr;
	u8 *targets; /* bit per byte */
	struct site *sites;
	u32 nr_sites, sites_cap;
	u32 first_edit; /* of this piece of code in the set */
};

/* Zydis is loaded when first needed: most starts find everything in the cache. */
static __typeof__(ZydisDecoderInit) *decoder_init;
static __typeof__(ZydisDecoderDecodeInstruction) *decoder_decode;

static bool load_decoder(void)
{
	void *lib;

	if (decoder_decode)
		return true;
	lib = dlopen("libZydis.so.4.0", RTLD_NOW | RTLD_LOCAL);
	if (!lib)
		return false;
	decoder_init = (__typeof__(decoder_init))dlsym(lib, "ZydisDecoderInit");
	decoder_decode = (__typeof__(decoder_decode))dlsym(lib, "ZydisDecoderDecodeInstruction");
	if (!decoder_init || !decoder_decode) {
		decoder_decode = NULL;
		dlclose(lib);
		return false;
	}
	return true;
}

static bool is_target(const struct sweep *w, u32 off)
{
	return w->targets[off / 8] >> (off % 8) & 1;
}

static bool is_flow(const ZydisDecodedInstruction *i)
{
	switch (i->meta.category) {
	case ZYDIS_CATEGORY_CALL:
	case ZYDIS_CATEGORY_COND_BR:
	case ZYDIS_CATEGORY_UNCOND_BR:
	case ZYDIS_CATEGORY_RET:
	case ZYDIS_CATEGORY_SYSCALL:
	case ZYDIS_CATEGORY_SYSRET:
	case ZYDIS_CATEGORY_INTERRUPT:
	case ZYDIS_CATEGORY_SYSTEM:
		return true;
	default:
		return i->meta.branch_type != ZYDIS_BRANCH_TYPE_NONE ||
		       i->mnemonic == ZYDIS_MNEMONIC_XBEGIN || i->mnemonic == ZYDIS_MNEMONIC_UD2 ||
		       i->mnemonic == ZYDIS_MNEMONIC_UD1 || i->mnemonic == ZYDIS_MNEMONIC_HLT;
	}
}

static bool decode(const struct sweep *w, u32 off, ZydisDecodedInstruction *i, struct insn *out)
{
	if (off >= w->len || !ZYAN_SUCCESS(decoder_decode(
				     &w->decoder, NULL, w->code + off, w->len - off, i)))
		return false;
	out->off = off;
	out->len = i->length;
	out->is_flow = is_flow(i);
	out->rip_disp = 0;
	if ((i->attributes & ZYDIS_ATTRIB_HAS_MODRM) && i->raw.modrm.mod == 0 &&
	    i->raw.modrm.rm == 5)
		out->rip_disp = i->raw.disp.offset;
	return true;
}

static void note_target(struct sweep *w, const ZydisDecodedInstruction *i, u32 off)
{
	for (int k = 0; k < 2; k++) {
		s64 to;

		if (!i->raw.imm[k].is_relative)
			continue;
		to = (s64)off + i->length + i->raw.imm[k].value.s;
		if (to >= 0 && to < (s64)w->len)
			w->targets[to / 8] |= (u8)(1u << (to % 8));
	}
}

static int add_site(struct sweep *w, u32 off, const struct insn *before, unsigned n)
{
	struct site *s;

	if (w->nr_sites == w->sites_cap) {
		u32 cap = w->sites_cap ? w->sites_cap * 2 : 64;
		struct site *p = realloc(w->sites, cap * sizeof(*p));

		if (!p)
			return -ENOMEM;
		w->sites = p;
		w->sites_cap = cap;
	}
	s = &w->sites[w->nr_sites++];
	s->off = off;
	s->nr_before = (u8)n;
	memcpy(s->before, before, n * sizeof(*before));
	return 0;
}

/* Decodes everything once. `line` holds the straight line of code that leads to the current instruction. */
static int sweep_run(struct sweep *w)
{
	struct insn line[WINDOW];
	unsigned n = 0;
	u32 off = 0;

	while (off < w->len) {
		ZydisDecodedInstruction i;
		struct insn in;
		int r;

		if (!decode(w, off, &i, &in)) {
			off++;
			n = 0;
			continue;
		}
		if (i.mnemonic == ZYDIS_MNEMONIC_SYSCALL && i.length == 2) {
			r = add_site(w, off, line, n);
			if (r)
				return r;
		}
		note_target(w, &i, off);
		if (in.is_flow) {
			n = 0;
		} else {
			if (n == WINDOW)
				memmove(line, line + 1, --n * sizeof(line[0]));
			line[n++] = in;
		}
		off += in.len;
	}
	return 0;
}

/* mov $nr,%eax, mov $nr,%rax (7 bytes), xor %eax,%eax. */
static bool loads_number(const u8 *p, unsigned len)
{
	u32 imm;

	if (len == 2)
		return (p[0] == 0x31 || p[0] == 0x33) && p[1] == 0xc0;
	if (len == 5 && p[0] == 0xb8) {
		memcpy(&imm, p + 1, 4);
		return imm < MAX_NR;
	}
	if (len == 7 && p[0] == 0x48 && p[1] == 0xc7 && p[2] == 0xc0) {
		memcpy(&imm, p + 3, 4);
		return imm < MAX_NR;
	}
	return false;
}

/* cmp $-4095/-4096,%rax (or %eax), test %rax,%rax (or %eax). */
static bool tests_result(const u8 *p, unsigned len)
{
	u32 imm;

	if (len > 1 && p[0] == 0x48) {
		p++;
		len--;
	}
	if (len == 2)
		return p[0] == 0x85 && p[1] == 0xc0;
	if (len != 5 || p[0] != 0x3d)
		return false;
	memcpy(&imm, p + 1, 4);
	return imm == (u32)-4095 || imm == (u32)-4096;
}

static bool is_credible(const struct sweep *w, const struct site *s)
{
	u32 off = s->off + 2;

	for (unsigned k = 0; k < s->nr_before; k++)
		if (loads_number(w->code + s->before[k].off, s->before[k].len))
			return true;
	for (int k = 0; k < 3; k++) {
		ZydisDecodedInstruction i;
		struct insn in;

		if (!decode(w, off, &i, &in))
			return false;
		if (tests_result(w->code + off, in.len))
			return true;
		if (in.is_flow)
			return false;
		off += in.len;
	}
	return false;
}

/* Unwinders know a signal frame by the bytes of its restorer (mov $15,%rax; syscall): those stay. */
static bool is_restorer(const struct sweep *w, const struct site *s)
{
	static const u8 restorer[] = { 0x48, 0xc7, 0xc0, 0x0f, 0, 0, 0, 0x0f, 0x05 };

	return s->off >= 7 && !memcmp(w->code + s->off - 7, restorer, sizeof(restorer));
}

static int grow(struct patch_set *s)
{
	if (s->nr_edits == s->edits_cap) {
		u32 cap = s->edits_cap ? s->edits_cap * 2 : 64;
		struct patch_edit *p = realloc(s->edits, cap * sizeof(*p));

		if (!p)
			return -ENOMEM;
		s->edits = p;
		s->edits_cap = cap;
	}
	if (s->stub_cap - s->stub_len < 512) {
		size_t cap = s->stub_cap ? s->stub_cap * 2 : 4096;
		u8 *p = realloc(s->stubs, cap);

		if (!p)
			return -ENOMEM;
		memset(p + s->stub_cap, 0xcc, cap - s->stub_cap);
		s->stubs = p;
		s->stub_cap = cap;
	}
	return 0;
}

static u64 stub_pc(const struct patch_set *s)
{
	return s->stub_vaddr + s->stub_len;
}

static void emit(struct patch_set *s, const void *bytes, size_t n)
{
	memcpy(s->stubs + s->stub_len, bytes, n);
	s->stub_len += n;
}

/* opcode bytes, then a rel32 to `to`. False when out of reach. */
static bool emit_rel(struct patch_set *s, const void *op, size_t n, u64 to)
{
	s64 rel = (s64)(to - (stub_pc(s) + n + 4));
	s32 rel32 = (s32)rel;

	emit(s, op, n);
	emit(s, &rel32, 4);
	return rel == rel32;
}

/* Copies one instruction, moving a RIP-relative operand along. False when out of reach. */
static bool emit_moved(struct patch_set *s, const struct sweep *w, const struct insn *in)
{
	u64 from = w->vaddr + in->off, at = stub_pc(s);
	u8 copy[16];

	memcpy(copy, w->code + in->off, in->len);
	if (in->rip_disp) {
		s32 disp;
		s64 moved;

		memcpy(&disp, copy + in->rip_disp, 4);
		moved = (s64)disp + (s64)(from - at);
		disp = (s32)moved;
		if (moved != disp)
			return false;
		memcpy(copy + in->rip_disp, &disp, 4);
	}
	emit(s, copy, in->len);
	return true;
}

/* lea ret(%rip),%rcx; jmp *%gs:ENTRY */
static bool emit_enter(struct patch_set *s, u64 ret)
{
	static const u8 jmp_gs[] = { 0x65, 0xff, 0x24, 0x25, JABI_GS_SYSCALL_ENTRY, 0, 0, 0 };

	if (!emit_rel(s, "\x48\x8d\x0d", 3, ret))
		return false;
	emit(s, jmp_gs, sizeof(jmp_gs));
	return true;
}

/* The text's side: jmp to the stub that begins at stub offset `start`, the rest of `len` bytes as nops. */
static bool add_edit(struct patch_set *s, u64 vaddr, unsigned len, size_t start)
{
	struct patch_edit *e = &s->edits[s->nr_edits];
	s64 rel = (s64)(s->stub_vaddr + start - (vaddr + 5));
	s32 rel32 = (s32)rel;

	if (rel != rel32 || len > PATCH_EDIT_MAX)
		return false;
	e->vaddr = vaddr;
	e->len = (u8)len;
	memset(e->bytes, 0x90, sizeof(e->bytes));
	e->bytes[0] = 0xe9;
	memcpy(e->bytes + 1, &rel32, 4);
	s->nr_edits++;
	return true;
}

/* `from`: the instruction that becomes the jump; everything from it to the syscall goes into the stub. */
static bool patch_before(struct patch_set *s, const struct sweep *w, const struct site *site,
			 unsigned from)
{
	size_t start = s->stub_len;

	for (unsigned k = from; k < site->nr_before; k++)
		if (!emit_moved(s, w, &site->before[k]))
			goto undo;
	if (!emit_enter(s, w->vaddr + site->off + 2) ||
	    !add_edit(s, w->vaddr + site->before[from].off, site->before[from].len, start))
		goto undo;
	s->nr_before++;
	return true;
undo:
	s->stub_len = start;
	return false;
}

static bool patch_after(struct patch_set *s, const struct sweep *w, const struct site *site)
{
	struct insn in[MAX_AFTER];
	unsigned n = 0, bytes = 2;
	size_t start = s->stub_len;

	while (bytes < 5) {
		ZydisDecodedInstruction i;

		if (n == MAX_AFTER || !decode(w, site->off + bytes, &i, &in[n]) || in[n].is_flow)
			return false;
		bytes += in[n++].len;
	}
	for (unsigned k = 1; k < bytes; k++)
		if (is_target(w, site->off + k))
			return false;
	/* The syscall after the jump is never reached: it is what a restart (return address - 2) re-executes. */
	if (!emit_enter(s, stub_pc(s) + 7 + 8 + 2))
		goto undo;
	emit(s, "\x0f\x05", 2);
	for (unsigned k = 0; k < n; k++)
		if (!emit_moved(s, w, &in[k]))
			goto undo;
	if (!emit_rel(s, "\xe9", 1, w->vaddr + site->off + bytes) ||
	    !add_edit(s, w->vaddr + site->off, bytes, start))
		goto undo;
	s->nr_after++;
	return true;
undo:
	s->stub_len = start;
	return false;
}

/* Does a branch of this section enter the line behind instruction `from`? Such a path would keep trapping. */
static bool is_entered(const struct sweep *w, const struct site *site, unsigned from)
{
	for (u32 off = site->before[from].off + 1; off <= site->off; off++)
		if (is_target(w, off))
			return true;
	return false;
}

/* Sites come in address order, so only the last edit of this piece of code can reach up to `vaddr`. */
static bool overlaps_last(const struct patch_set *s, const struct sweep *w, u64 vaddr)
{
	return s->nr_edits > w->first_edit &&
	       vaddr < s->edits[s->nr_edits - 1].vaddr + s->edits[s->nr_edits - 1].len;
}

/* Nearest instruction of five bytes that every path runs through; else the bytes behind; else any instruction of five bytes. */
static int patch_site(struct patch_set *s, const struct sweep *w, const struct site *site)
{
	int r = grow(s), from = site->nr_before - 1;

	if (r)
		return r;
	s->nr_sites++;
	if (!is_credible(w, site) || is_restorer(w, site) ||
	    overlaps_last(s, w, w->vaddr + site->off))
		return 0;
	s->stub_len = ROUND_UP(s->stub_len, (size_t)16);
	while (from >= 0 && site->before[from].len < 5)
		from--;
	if (from >= 0 && overlaps_last(s, w, w->vaddr + site->before[from].off))
		from = -1;
	if (from >= 0 && !is_entered(w, site, (unsigned)from) &&
	    patch_before(s, w, site, (unsigned)from))
		return 0;
	if (patch_after(s, w, site))
		return 0;
	if (from >= 0)
		(void)patch_before(s, w, site, (unsigned)from);
	return 0;
}

int patch_code(struct patch_set *s, const u8 *code, size_t len, u64 vaddr)
{
	struct sweep w = { .code = code, .len = len, .vaddr = vaddr, .first_edit = s->nr_edits };
	int r = 0;

	if (len < 2 || len > (size_t)1 << 31 || !memmem(code, len, "\x0f\x05", 2))
		return 0; /* no site, nothing to decode */
	if (!load_decoder())
		return -ELIBACC;
	w.targets = calloc(1, len / 8 + 1);
	if (!w.targets)
		return -ENOMEM;
	decoder_init(&w.decoder, ZYDIS_MACHINE_MODE_LONG_64, ZYDIS_STACK_WIDTH_64);
	r = sweep_run(&w);
	for (u32 i = 0; !r && i < w.nr_sites; i++)
		r = patch_site(s, &w, &w.sites[i]);
	free(w.targets);
	free(w.sites);
	return r;
}

void patch_set_free(struct patch_set *s)
{
	free(s->stubs);
	free(s->edits);
	s->stubs = NULL;
	s->edits = NULL;
}
