/* SPDX-License-Identifier: MIT */
/*
 * The program loader, first half: opening and checking what is to be executed (ELF64 x86-64, #! scripts, interpreters). Nothing here
 * touches program memory; mapping and the initial stack are in elf_load.c. Every field of the file is checked before it is used.
 */
#include "userlib/proc/elf_internal.h"

#define SCRIPT_DEPTH_MAX 5
#define SCRIPT_HEAD 256
#define PHDR_BYTES_MAX 65536u
#define ARG_BYTES_MAX (2 * MiB)
#define ARG_STRLEN_MAX (128 * KiB)

/* --- argument blocks --- */

static int block_grow(struct str_block *b, size_t need)
{
	size_t cap = b->cap ? b->cap : 4096;
	char *n;

	while (cap < need)
		cap *= 2;
	if (cap == b->cap)
		return 0;
	n = kmem_alloc(cap);
	if (!n)
		return -ENOMEM;
	memcpy(n, b->data, b->len);
	if (b->data)
		kmem_free(b->data, b->cap);
	b->data = n;
	b->cap = cap;
	return 0;
}

int str_block_add(struct str_block *b, const char *s, size_t len, bool front)
{
	int r;

	if (len >= ARG_STRLEN_MAX || b->len + len + 1 > ARG_BYTES_MAX)
		return -E2BIG;
	r = block_grow(b, b->len + len + 1);
	if (r)
		return r;
	if (front) {
		memmove(b->data + len + 1, b->data, b->len);
		memcpy(b->data, s, len);
		b->data[len] = 0;
	} else {
		memcpy(b->data + b->len, s, len);
		b->data[b->len + len] = 0;
	}
	b->len += len + 1;
	b->count++;
	return 0;
}

void str_block_free(struct str_block *b)
{
	if (b->data)
		kmem_free(b->data, b->cap);
	memset(b, 0, sizeof(*b));
}

static void drop_first(struct str_block *b)
{
	size_t n;

	if (!b->count)
		return;
	n = strnlen(b->data, b->len - 1) + 1;
	memmove(b->data, b->data + n, b->len - n);
	b->len -= n;
	b->count--;
}

/* --- files --- */

/* Opens a file for execution by the caller. path is borrowed. */
static int open_exec(struct exec_ctx *x, struct path *path, struct file **out, struct kstat *st)
{
	int r = vfs_getattr(path, st);

	if (r)
		return r;
	if (!S_ISREG(st->mode) || (path->mnt->flags & MS_NOEXEC))
		return -EACCES;
	r = vfs_permission(path, 1, x->walk->cred);
	if (r)
		return r;
	if ((s32)load_relaxed(&path_inode(path)->writers) > 0)
		return -ETXTBSY;
	return file_open_path(path, O_RDONLY, &x->open_cred, out);
}

/* Exactly len bytes at pos, or -ENOEXEC (short file). */
static int read_exact(struct file *f, void *buf, size_t len, u64 pos)
{
	struct iov_iter it;
	s64 at = (s64)pos;
	ssize n;

	iter_init_kernel(&it, buf, len);
	while (it.count) {
		n = file_read(f, &it, &at, 0);
		if (n < 0)
			return (int)n;
		if (!n)
			return -ENOEXEC;
	}
	return 0;
}

static ssize read_some(struct file *f, void *buf, size_t len)
{
	struct iov_iter it;
	s64 at = 0;
	ssize n;

	iter_init_kernel(&it, buf, len);
	do {
		n = file_read(f, &it, &at, 0);
	} while (n > 0 && it.count);
	return n < 0 ? n : (ssize)(len - it.count);
}

/* --- checks --- */

static int bad(struct exec_ctx *x, const char *why)
{
	x->why = why;
	return -ENOEXEC;
}

static int check_header(struct exec_ctx *x, const Elf64_Ehdr *h)
{
	if (memcmp(h->e_ident, ELFMAG, SELFMAG))
		return bad(x, "not an ELF file nor a script");
	if (h->e_ident[EI_CLASS] != ELFCLASS64)
		return bad(x, "not a 64-bit program");
	if (h->e_ident[EI_DATA] != ELFDATA2LSB || h->e_machine != EM_X86_64)
		return bad(x, "built for another processor");
	if (h->e_type != ET_EXEC && h->e_type != ET_DYN)
		return bad(x, "an ELF file, but no program");
	if (h->e_phentsize != sizeof(Elf64_Phdr) || !h->e_phnum || h->e_phnum * sizeof(Elf64_Phdr) > PHDR_BYTES_MAX)
		return bad(x, "corrupt program header table");
	return 0;
}

static int check_load(struct exec_ctx *x, struct elf_file *e, const Elf64_Phdr *p, u64 file_size)
{
	u64 lo = ROUND_DOWN(p->p_vaddr, PAGE_SIZE), end;

	if (p->p_filesz > p->p_memsz || p->p_memsz > MM_TASK_SIZE || p->p_vaddr > MM_TASK_SIZE - p->p_memsz)
		return bad(x, "segment outside the address space");
	if ((p->p_vaddr ^ p->p_offset) & (PAGE_SIZE - 1))
		return bad(x, "segment not aligned to a page in the file");
	if (p->p_filesz && (p->p_offset > file_size || p->p_filesz > file_size - p->p_offset))
		return bad(x, "truncated file");
	end = ROUND_UP(p->p_vaddr + p->p_memsz, PAGE_SIZE);
	if (e->hi && lo < ROUND_DOWN(e->last_end, PAGE_SIZE))
		return bad(x, "segments out of order");
	if (!e->hi)
		e->lo = lo;
	e->hi = MAX(e->hi, end);
	e->last_end = p->p_vaddr + p->p_memsz;
	if (p->p_align > PAGE_SIZE && !(p->p_align & (p->p_align - 1)) && p->p_align <= GiB)
		e->align = MAX(e->align, p->p_align);
	if (e->eh.e_phoff >= p->p_offset && e->eh.e_phoff - p->p_offset < p->p_filesz)
		e->phdr_vaddr = p->p_vaddr + (e->eh.e_phoff - p->p_offset);
	return 0;
}

static int read_interp_name(struct exec_ctx *x, struct elf_file *e, const Elf64_Phdr *p)
{
	int r;

	if (p->p_filesz < 2 || p->p_filesz > PATH_MAX_LEN)
		return bad(x, "corrupt interpreter name");
	e->interp_name = kmem_alloc(PATH_MAX_LEN);
	if (!e->interp_name)
		return -ENOMEM;
	r = read_exact(e->f, e->interp_name, p->p_filesz, p->p_offset);
	if (r)
		return r == -ENOEXEC ? bad(x, "truncated file") : r;
	if (e->interp_name[p->p_filesz - 1])
		return bad(x, "corrupt interpreter name");
	return 0;
}

/* Reads and checks the headers of e->f. */
static int parse(struct exec_ctx *x, struct elf_file *e, u64 file_size)
{
	const Elf64_Phdr *p;
	u32 i;
	int r = read_exact(e->f, &e->eh, sizeof(e->eh), 0);

	if (r)
		return r == -ENOEXEC ? bad(x, "too short for a program") : r;
	r = check_header(x, &e->eh);
	if (r)
		return r;
	e->nph = e->eh.e_phnum;
	e->align = PAGE_SIZE;
	e->ph = kmem_alloc(e->nph * sizeof(Elf64_Phdr));
	if (!e->ph)
		return -ENOMEM;
	if (e->eh.e_phoff > file_size)
		return bad(x, "truncated file");
	r = read_exact(e->f, e->ph, e->nph * sizeof(Elf64_Phdr), e->eh.e_phoff);
	if (r)
		return r == -ENOEXEC ? bad(x, "truncated file") : r;
	for (i = 0; i < e->nph; i++) {
		p = &e->ph[i];
		r = 0;
		if (p->p_type == PT_LOAD && p->p_memsz)
			r = check_load(x, e, p, file_size);
		else if (p->p_type == PT_INTERP && !e->interp_name)
			r = read_interp_name(x, e, p);
		else if (p->p_type == PT_GNU_STACK)
			e->exec_stack = p->p_flags & PF_X;
		if (r)
			return r;
	}
	if (!e->hi)
		return bad(x, "nothing to load");
	if (e->eh.e_type == ET_EXEC && e->lo < MM_LOW)
		return bad(x, "segment in the lowest pages");
	return 0;
}

/* --- scripts --- */

/* Splits "#!interp [arg]" in place. line: head of the file, terminated. */
static int parse_script(struct exec_ctx *x, char *line, bool whole, char **interp, char **arg)
{
	char *p = line + 2, *end = strchr(p, '\n'), *e;

	*arg = NULL;
	while (*p == ' ' || *p == '\t')
		p++;
	if (!end) {
		/* no line end in the head: a cut name would run something else */
		end = p + strlen(p);
		e = p;
		while (e < end && *e != ' ' && *e != '\t')
			e++;
		if (e == end && !whole)
			return bad(x, "interpreter line too long");
	}
	*end = 0;
	while (end > p && (end[-1] == ' ' || end[-1] == '\t'))
		*--end = 0;
	if (!*p)
		return bad(x, "script without an interpreter");
	*interp = p;
	while (*p && *p != ' ' && *p != '\t')
		p++;
	if (*p) {
		*p++ = 0;
		while (*p == ' ' || *p == '\t')
			p++;
		if (*p)
			*arg = p;
	}
	return 0;
}

/* argv := interpreter, optional argument, script name, old argv[1...]; name := interpreter. */
static int script_args(struct exec_ctx *x, char *name, const char *interp, const char *arg)
{
	int r;

	drop_first(&x->argv);
	r = str_block_add(&x->argv, name, strlen(name), true);
	if (!r && arg)
		r = str_block_add(&x->argv, arg, strlen(arg), true);
	if (!r)
		r = str_block_add(&x->argv, interp, strlen(interp), true);
	if (!r)
		str_copy(name, interp, PATH_MAX_LEN);
	return r;
}

/* Follows #! lines until x->exe and e->f are the real program. name: PATH_MAX_LEN bytes of scratch. */
static int resolve_scripts(struct exec_ctx *x, struct elf_file *e, char *name, struct kstat *st)
{
	char head[SCRIPT_HEAD + 1], *interp, *arg;
	unsigned depth;
	struct path next;
	ssize n;
	int r;

	str_copy(name, x->execfn, PATH_MAX_LEN);
	for (depth = 0;; depth++) {
		r = open_exec(x, &x->exe, &e->f, st);
		if (r)
			return r;
		n = read_some(e->f, head, SCRIPT_HEAD);
		if (n < 0)
			return (int)n;
		head[n] = 0;
		if (n < 2 || head[0] != '#' || head[1] != '!')
			return 0;
		if (depth >= SCRIPT_DEPTH_MAX)
			return -ELOOP;
		r = parse_script(x, head, n < SCRIPT_HEAD, &interp, &arg);
		if (!r)
			r = script_args(x, name, interp, arg);
		if (!r)
			r = path_walk(x->walk, name, 0, &next, NULL);
		if (r)
			return r;
		file_put(e->f);
		e->f = NULL;
		path_put(&x->exe);
		x->exe = next;
	}
}

/* --- the whole --- */

static int open_interp(struct exec_ctx *x, struct elf_image *im)
{
	struct elf_file *e = &im->interp;
	struct kstat st;
	struct path p;
	int r = path_walk(x->walk, im->prog.interp_name, 0, &p, NULL);

	if (r)
		return r;
	r = open_exec(x, &p, &e->f, &st);
	path_put(&p);
	if (!r)
		r = parse(x, e, st.size);
	if (r == -ENOEXEC) {
		x->why = "its interpreter is no valid program";
		return -ELIBBAD;
	}
	im->has_interp = !r;
	return r;
}

static void set_comm(struct exec_ctx *x)
{
	const char *base = strrchr(x->execfn, '/');

	str_copy(x->comm, base ? base + 1 : x->execfn, sizeof(x->comm));
}

int elf_prepare(struct exec_ctx *x, const struct path *file)
{
	struct elf_image *im = kmem_zalloc(sizeof(*im));
	struct kstat st;
	char *name;
	int r;

	x->why = NULL;
	x->exe = *file;
	x->image = im;
	x->open_cred = *x->walk->cred;
	if (!im)
		return -ENOMEM;
	if (!x->argv.count) { /* as Linux since 5.18: argc is never 0 */
		r = str_block_add(&x->argv, "", 0, true);
		if (r)
			return r;
	}
	name = kmem_alloc(PATH_MAX_LEN);
	if (!name)
		return -ENOMEM;
	r = resolve_scripts(x, &im->prog, name, &st);
	kmem_free(name, PATH_MAX_LEN);
	if (!r)
		r = parse(x, &im->prog, st.size);
	if (!r && im->prog.interp_name)
		r = open_interp(x, im);
	if (r)
		return r;
	if (!(x->exe.mnt->flags & MS_NOSUID)) {
		x->setuid = st.mode & S_ISUID;
		x->setgid = (st.mode & (S_ISGID | S_IXGRP)) == (S_ISGID | S_IXGRP);
	}
	x->file_uid = st.uid;
	x->file_gid = st.gid;
	set_comm(x);
	return 0;
}

static void free_elf_file(struct elf_file *e)
{
	if (e->f)
		file_put(e->f);
	if (e->ph)
		kmem_free(e->ph, e->nph * sizeof(Elf64_Phdr));
	if (e->interp_name)
		kmem_free(e->interp_name, PATH_MAX_LEN);
}

void elf_free(struct exec_ctx *x)
{
	if (x->image) {
		free_elf_file(&x->image->prog);
		free_elf_file(&x->image->interp);
		kmem_free(x->image, sizeof(*x->image));
		x->image = NULL;
	}
	if (x->exe.mnt) {
		path_put(&x->exe);
		x->exe.mnt = NULL;
	}
	str_block_free(&x->argv);
	str_block_free(&x->envp);
}

static bool file_conflicts(const struct elf_file *e, struct aspace *as, const struct mm *except)
{
	return e->eh.e_type == ET_EXEC && !aspace_range_available(as, e->lo, e->hi, except);
}

bool elf_conflict(struct exec_ctx *x, struct aspace *as, const struct mm *except)
{
	return file_conflicts(&x->image->prog, as, except) || (x->image->has_interp && file_conflicts(&x->image->interp, as, except));
}
