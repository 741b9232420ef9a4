/* SPDX-License-Identifier: MIT */
/*
 * Reads ELF headers and code with pread (a file that shrinks meanwhile is an error, not a SIGBUS), writes patched images. Every number of
 * the file is checked before use: the file may come from a hostile instance.
 */
#include "tools/patch/image.h"

#include <elf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MAX_PHDRS 256
#define MAX_SHDRS 4096

struct elf_view {
	int fd;
	u64 size;
	Elf64_Ehdr eh;
	Elf64_Phdr ph[MAX_PHDRS];
	Elf64_Shdr *sh;
	unsigned nr_sh;
};

static int read_at(const struct elf_view *v, void *buf, u64 len, u64 off)
{
	u64 at = 0;

	if (off > v->size || len > v->size - off)
		return -ENOEXEC;
	while (at < len) {
		ssize_t n = pread(v->fd, (char *)buf + at, len - at, (off_t)(off + at));

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n ? -errno : -ENOEXEC;
		at += (u64)n;
	}
	return 0;
}

static int read_headers(struct elf_view *v)
{
	const Elf64_Ehdr *eh = &v->eh;
	int r = read_at(v, &v->eh, sizeof(v->eh), 0);

	if (r)
		return r;
	if (memcmp(eh->e_ident, ELFMAG, SELFMAG) || eh->e_ident[EI_CLASS] != ELFCLASS64 ||
	    eh->e_ident[EI_DATA] != ELFDATA2LSB || eh->e_machine != EM_X86_64 ||
	    (eh->e_type != ET_EXEC && eh->e_type != ET_DYN) ||
	    eh->e_phentsize != sizeof(Elf64_Phdr) || !eh->e_phnum || eh->e_phnum > MAX_PHDRS)
		return -ENOEXEC;
	r = read_at(v, v->ph, sizeof(v->ph[0]) * eh->e_phnum, eh->e_phoff);
	if (r)
		return r;
	/* Section headers are a help, not a need. */
	if (eh->e_shentsize != sizeof(Elf64_Shdr) || !eh->e_shnum || eh->e_shnum > MAX_SHDRS)
		return 0;
	v->sh = calloc(eh->e_shnum, sizeof(*v->sh));
	if (!v->sh)
		return -ENOMEM;
	if (!read_at(v, v->sh, sizeof(*v->sh) * eh->e_shnum, eh->e_shoff))
		v->nr_sh = eh->e_shnum;
	return 0;
}

/* Behind the last loaded byte, a guard, then stubs. All segments must be sane, since the loader trusts the same numbers. */
static int place_stubs(const struct elf_view *v, u64 *stub_vaddr)
{
	u64 low = ~0ull, high = 0;

	for (unsigned i = 0; i < v->eh.e_phnum; i++) {
		const Elf64_Phdr *p = &v->ph[i];
		u64 end;

		if (p->p_type != PT_LOAD)
			continue;
		if (__builtin_add_overflow(p->p_vaddr, p->p_memsz, &end) || end > 1ull << 46 ||
		    p->p_filesz > p->p_memsz || p->p_offset > v->size ||
		    p->p_filesz > v->size - p->p_offset ||
		    ((p->p_vaddr ^ p->p_offset) & (PAGE_SIZE - 1)))
			return -ENOEXEC;
		low = MIN(low, (u64)p->p_vaddr);
		high = MAX(high, end);
	}
	if (!high || high - low > 1ull << 30) /* stubs must reach all of it with 31 bits */
		return -ENOEXEC;
	*stub_vaddr = ROUND_UP(high, (u64)PAGE_SIZE) + JABI_PATCH_GUARD;
	return 0;
}

/* Code of one section or segment: [off, off+len) of the file at vaddr. */
static int scan_piece(const struct elf_view *v, struct patch_set *s, u64 off, u64 len, u64 vaddr)
{
	u8 *code;
	int r;

	if (len < 2)
		return 0;
	code = malloc(len);
	if (!code)
		return -ENOMEM;
	r = read_at(v, code, len, off);
	if (!r)
		r = patch_code(s, code, len, vaddr);
	free(code);
	return r;
}

/* The executable sections inside one executable segment; the whole segment when there are none. */
static int scan_segment(const struct elf_view *v, struct patch_set *s, const Elf64_Phdr *p)
{
	bool has_section = false;

	for (unsigned i = 0; i < v->nr_sh; i++) {
		const Elf64_Shdr *h = &v->sh[i];
		int r;

		if (h->sh_type != SHT_PROGBITS || !(h->sh_flags & SHF_EXECINSTR) ||
		    h->sh_offset < p->p_offset || h->sh_offset - p->p_offset > p->p_filesz ||
		    h->sh_size > p->p_filesz - (h->sh_offset - p->p_offset) ||
		    h->sh_addr != p->p_vaddr + (h->sh_offset - p->p_offset))
			continue;
		has_section = true;
		r = scan_piece(v, s, h->sh_offset, h->sh_size, h->sh_addr);
		if (r)
			return r;
	}
	return has_section ? 0 : scan_piece(v, s, p->p_offset, p->p_filesz, p->p_vaddr);
}

int image_scan(int fd, u64 file_size, struct patch_set *s)
{
	struct elf_view v = { .fd = fd, .size = file_size };
	int r;

	memset(s, 0, sizeof(*s));
	r = read_headers(&v);
	if (!r)
		r = place_stubs(&v, &s->stub_vaddr);
	for (unsigned i = 0; !r && i < v.eh.e_phnum; i++)
		if (v.ph[i].p_type == PT_LOAD && (v.ph[i].p_flags & PF_X))
			r = scan_segment(&v, s, &v.ph[i]);
	free(v.sh);
	if (!r && !s->nr_edits)
		r = -ENOENT;
	return r;
}

/* File offset of a code address. -ENOEXEC if the file says otherwise than during the scan. */
static int vaddr_to_offset(const struct elf_view *v, u64 vaddr, u64 len, u64 *off)
{
	for (unsigned i = 0; i < v->eh.e_phnum; i++) {
		const Elf64_Phdr *p = &v->ph[i];

		if (p->p_type != PT_LOAD || !(p->p_flags & PF_X) || vaddr < p->p_vaddr ||
		    vaddr - p->p_vaddr > p->p_filesz || len > p->p_filesz - (vaddr - p->p_vaddr))
			continue;
		*off = p->p_offset + (vaddr - p->p_vaddr);
		return 0;
	}
	return -ENOEXEC;
}

static int write_at(int fd, const void *buf, u64 len, u64 off)
{
	u64 at = 0;

	while (at < len) {
		ssize_t n = pwrite(fd, (const char *)buf + at, len - at, (off_t)(off + at));

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n ? -errno : -ENOSPC;
		at += (u64)n;
	}
	return 0;
}

static int copy_file(int fd, int out_fd, u64 size)
{
	u64 at = 0;
	char *buf;
	int r = 0;

	while (at < size) {
		off_t from = (off_t)at, to = (off_t)at;
		ssize_t n = copy_file_range(fd, &from, out_fd, &to, size - at, 0);

		if (n <= 0)
			break; /* other file system, or no support: by hand */
		at += (u64)n;
	}
	if (at == size)
		return 0;
	buf = malloc(1 << 20);
	if (!buf)
		return -ENOMEM;
	while (!r && at < size) {
		ssize_t n = pread(fd, buf, MIN(size - at, (u64)1 << 20), (off_t)at);

		if (n < 0 && errno == EINTR)
			continue;
		r = n <= 0 ? (n ? -errno : -ESTALE) : write_at(out_fd, buf, (u64)n, at);
		at += n > 0 ? (u64)n : 0;
	}
	free(buf);
	return r;
}

int image_write(int fd, int out_fd, const struct patch_set *s, struct jabi_patch_trailer *t)
{
	struct elf_view v = { .fd = fd, .size = t->file_size };
	int r = read_headers(&v);

	free(v.sh);
	if (!r)
		r = copy_file(fd, out_fd, t->file_size);
	for (u32 i = 0; !r && i < s->nr_edits; i++) {
		const struct patch_edit *e = &s->edits[i];
		u64 off;

		r = vaddr_to_offset(&v, e->vaddr, e->len, &off);
		if (!r)
			r = write_at(out_fd, e->bytes, e->len, off);
	}
	t->magic = JABI_PATCH_MAGIC;
	t->version = JABI_PATCH_VERSION;
	t->trailer_bytes = sizeof(*t);
	t->stub_offset = ROUND_UP(t->file_size, (u64)PAGE_SIZE);
	t->stub_len = ROUND_UP((u64)s->stub_len, (u64)PAGE_SIZE);
	t->stub_vaddr = s->stub_vaddr;
	t->nr_sites = s->nr_sites;
	t->nr_patched = s->nr_before + s->nr_after;
	if (!r)
		r = write_at(out_fd, s->stubs, s->stub_len, t->stub_offset);
	/* stubs end in a page of zeroes up to stub_len; the trailer stands behind it */
	if (!r)
		r = write_at(out_fd, t, sizeof(*t), t->stub_offset + t->stub_len);
	return r;
}
