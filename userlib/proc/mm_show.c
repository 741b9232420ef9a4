/* SPDX-License-Identifier: MIT */
/* Program memory as /proc shows it: maps, smaps, the sums of statm and status. Works for programs of any kProc; residency only at home. */
#include "userlib/proc/mm_internal.h"

#define NAME_COLUMN 73
#define LINE_MAX_LEN (PATH_MAX_LEN + 128)

int mm_for_each_vma(struct mm *mm, int (*fn)(const struct mm *mm, const struct vma *v, void *arg), void *arg)
{
	struct vma *v;
	int r = 0;

	as_lock(mm->as);
	list_for_each(v, &mm->as->tree.all, link) {
		if (v->mm != mm || !vma_visible(v))
			continue;
		r = fn(mm, v, arg);
		if (r)
			break;
	}
	as_unlock(mm->as);
	return r;
}

void mm_vma_name(const struct mm *mm, const struct vma *v, const struct path *root, char *buf, size_t size)
{
	buf[0] = 0;
	if (v->flags & VMF_VDSO) {
		str_copy(buf, "[vdso]", size);
	} else if (v->flags & VMF_STACK) {
		str_copy(buf, "[stack]", size);
	} else if (v->obj && v->obj->path.mnt) {
		if (path_name(&v->obj->path, root, buf, size, true) < 0)
			str_copy(buf, "(unknown)", size);
	} else if (v->obj) {
		str_copy(buf, v->obj->kind == VMO_SHARED_ANON ? "/dev/zero (deleted)" : "/memfd: (deleted)", size);
	} else if (v->start < mm->brk && v->end > mm->start_brk) {
		str_copy(buf, "[heap]", size);
	}
}

/* One line of maps without the name, padded if there is one. Returns its length. */
static int vma_line(const struct mm *mm, const struct vma *v, const struct path *root, char *buf)
{
	const struct inode *i = v->obj ? v->obj->inode : NULL;
	u64 dev = i ? i->sb->dev : 0, ino = i ? i->ino : 0, off = v->obj ? v->off : 0;
	char *name = buf + NAME_COLUMN + 16;
	int n;

	if (v->obj && v->obj->kind == VMO_SHARED_ANON) {
		dev = 1;
		ino = v->obj->id & 0xffffffff;
	}
	n = fmt(buf, NAME_COLUMN + 16, "%08lx-%08lx %c%c%c%c %08lx %02x:%02x %lu ", v->start, v->end, v->prot & PROT_READ ? 'r' : '-',
		v->prot & PROT_WRITE ? 'w' : '-', v->prot & PROT_EXEC ? 'x' : '-', v->flags & VMF_SHARED ? 's' : 'p', off,
		(unsigned)((dev >> 8) & 0xfff), (unsigned)((dev & 0xff) | ((dev >> 12) & 0xfff00)), ino);
	mm_vma_name(mm, v, root, name, PATH_MAX_LEN);
	if (name[0]) {
		while (n < NAME_COLUMN)
			buf[n++] = ' ';
		memmove(buf + n, name, strlen(name) + 1);
		n += (int)strlen(buf + n);
	}
	buf[n++] = '\n';
	buf[n] = 0;
	return n;
}

struct show {
	struct mm_text *text;
	char *line;
	bool rollup, at_home;
	u64 rss, size, anon, shared;
	u64 first, last;
};

static int show_line(const struct mm *mm, const struct vma *v, void *arg)
{
	struct show *s = arg;
	int n = vma_line(mm, v, s->text->root, s->line);

	return s->text->emit(s->text, s->line, (size_t)n);
}

static int with_line(struct mm *mm, struct show *s, int (*fn)(const struct mm *, const struct vma *, void *))
{
	int r;

	s->line = kmem_alloc(LINE_MAX_LEN);
	if (!s->line)
		return -ENOMEM;
	s->at_home = mm_current_aspace() == mm->as;
	r = mm_for_each_vma(mm, fn, s);
	if (r || !s->rollup) {
		kmem_free(s->line, LINE_MAX_LEN);
		s->line = NULL;
	}
	return r;
}

int mm_print_maps(struct mm *mm, struct mm_text *t)
{
	struct show s = { .text = t };

	return with_line(mm, &s, show_line);
}

static u64 rss_of(const struct vma *v, bool at_home)
{
	if (v->prot == PROT_NONE || (v->obj && v->obj->kind == VMO_ARENA))
		return v->obj && v->obj->kind == VMO_ARENA ? MIN(vma_len(v), v->obj->nr_pages << PAGE_SHIFT) : 0;
	if (at_home && vma_len(v) < 256 * GiB)
		return vma_resident(v);
	return v->flags & (VMF_NORESERVE | VMF_STACK) ? 0 : vma_len(v);
}

static int show_sizes(struct show *s, u64 size, u64 rss, u64 anon, u64 shared, bool whole)
{
	int n = 0;

	if (!whole)
		n = fmt(s->line, LINE_MAX_LEN, "Size:           %8lu kB\nKernelPageSize:        4 kB\nMMUPageSize:           4 kB\n", size >> 10);
	n += fmt(s->line + n, LINE_MAX_LEN - (size_t)n,
		 "Rss:            %8lu kB\nPss:            %8lu kB\nPss_Dirty:      %8lu kB\n"
		 "Shared_Clean:   %8lu kB\nShared_Dirty:          0 kB\nPrivate_Clean:  %8lu kB\nPrivate_Dirty:  %8lu kB\n"
		 "Referenced:     %8lu kB\nAnonymous:      %8lu kB\nKSM:                   0 kB\nLazyFree:              0 kB\n"
		 "AnonHugePages:         0 kB\nShmemPmdMapped:        0 kB\nFilePmdMapped:         0 kB\n"
		 "Shared_Hugetlb:        0 kB\nPrivate_Hugetlb:       0 kB\nSwap:                  0 kB\nSwapPss:               0 kB\n"
		 "Locked:                0 kB\n",
		 rss >> 10, rss >> 10, anon >> 10, shared >> 10, (rss - anon - shared) >> 10, anon >> 10, rss >> 10, anon >> 10);
	return s->text->emit(s->text, s->line, (size_t)n);
}

static int show_flags(struct show *s, const struct vma *v)
{
	static const struct { u32 flag; const char *name; } names[] = {
		{ VMF_SHARED, " sh" }, { VMF_GROWSDOWN | VMF_STACK, " gd" }, { VMF_LOCKED, " lo" }, { VMF_SEQ, " sr" }, { VMF_RAND, " rr" },
		{ VMF_DONTFORK, " dc" }, { VMF_CHARGED, " ac" }, { VMF_NORESERVE, " nr" }, { VMF_WIPEONFORK, " wf" }, { VMF_DONTDUMP, " dd" },
		{ VMF_HUGEPAGE, " hg" }, { VMF_NOHUGEPAGE, " nh" }, { VMF_MERGEABLE, " mg" },
	};
	int n = fmt(s->line, LINE_MAX_LEN, "THPeligible:           0\nVmFlags:%s%s%s mr%s me", v->prot & PROT_READ ? " rd" : "",
		    v->prot & PROT_WRITE ? " wr" : "", v->prot & PROT_EXEC ? " ex" : "", v->flags & VMF_MAYWRITE ? " mw" : "");
	unsigned i;

	for (i = 0; i < ARRAY_SIZE(names); i++)
		if (v->flags & names[i].flag)
			n += (int)str_copy(s->line + n, names[i].name, 8);
	n += (int)str_copy(s->line + n, " \n", 8);
	return s->text->emit(s->text, s->line, (size_t)n);
}

static int show_smaps(const struct mm *mm, const struct vma *v, void *arg)
{
	struct show *s = arg;
	u64 rss = rss_of(v, s->at_home), anon = v->obj ? 0 : rss, shared = v->obj ? rss : 0;
	int r;

	if (!s->first)
		s->first = v->start;
	s->last = v->end;
	s->size += vma_len(v);
	s->rss += rss;
	s->anon += anon;
	s->shared += shared;
	if (s->rollup)
		return 0;
	r = show_line(mm, v, s);
	if (!r)
		r = show_sizes(s, vma_len(v), rss, anon, shared, false);
	return r ? r : show_flags(s, v);
}

int mm_print_smaps(struct mm *mm, struct mm_text *t, bool rollup)
{
	struct show s = { .text = t, .rollup = rollup };
	int r = with_line(mm, &s, show_smaps), n;

	if (r || !rollup)
		return r;
	n = fmt(s.line, LINE_MAX_LEN, "%08lx-%08lx ---p 00000000 00:00 0 ", s.first, s.last);
	while (n < NAME_COLUMN)
		s.line[n++] = ' ';
	n += (int)str_copy(s.line + n, "[rollup]\n", 16);
	r = t->emit(t, s.line, (size_t)n);
	if (!r)
		r = show_sizes(&s, s.size, s.rss, s.anon, s.shared, true);
	kmem_free(s.line, LINE_MAX_LEN);
	return r;
}

struct sum {
	struct mm_usage *u;
	bool at_home;
};

static int add_usage(const struct mm *mm, const struct vma *v, void *arg)
{
	struct sum *s = arg;
	u64 rss = rss_of(v, s->at_home);

	(void)mm;
	s->u->resident += rss;
	if (v->obj) {
		s->u->shared += rss;
		if (v->prot & PROT_EXEC)
			s->u->lib += vma_len(v);
	}
	return 0;
}

static void look_up_resident(struct mm *mm, bool at_home, struct mm_usage *u)
{
	struct sum s = { .u = u, .at_home = at_home };

	memset(u, 0, sizeof(*u));
	mm_for_each_vma(mm, add_usage, &s);
}

static void resident_usage(struct mm *mm, struct mm_usage *u)
{
	u64 changes = load_acquire(&host_map_changes), faults;
	bool known;

	if (mm_current_aspace() != mm->as)
		return look_up_resident(mm, false, u);
	faults = host_page_faults();
	spin_lock(&mm->usage_lock);
	known = faults && mm->usage_faults == faults && mm->usage_changes == changes;
	if (known)
		*u = mm->usage;
	spin_unlock(&mm->usage_lock);
	if (known)
		return;
	look_up_resident(mm, true, u);
	spin_lock(&mm->usage_lock);
	mm->usage = *u;
	mm->usage_changes = changes;
	mm->usage_faults = faults;
	spin_unlock(&mm->usage_lock);
}

void mm_usage(struct mm *mm, struct mm_usage *u)
{
	resident_usage(mm, u);
	u->size = mm->total_vm;
	u->peak = mm->hiwater_vm;
	u->text = mm->end_code - mm->start_code;
	u->data = mm->data_vm;
	u->stack = mm->stack_vm;
	u->locked = mm->locked_vm;
	u->lib -= MIN(u->lib, u->text);
}
