/* SPDX-License-Identifier: MIT */
/* mmap and its family over real host mappings of the test process: results, errors, and that memory is what the map says. */
#include "tests/unit/proc/stub_rt.h"
#include <check.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define PG 4096ull
#define RW (PROT_READ | PROT_WRITE)
#define ANON (MAP_PRIVATE | MAP_ANONYMOUS)

static struct uproc proc;
static struct mm *mm;
static sigjmp_buf jb;
static u64 objects_before;

static void on_fault(int sig)
{
	siglongjmp(jb, sig);
}

/* 0 = works, else the signal. */
static int touch(u64 addr, bool write)
{
	int sig = sigsetjmp(jb, 1);

	if (sig)
		return sig;
	if (write)
		*(volatile char *)addr = 1;
	else
		(void)*(volatile char *)addr;
	return 0;
}

static char text[65536];
static size_t text_len;
static int emit(struct mm_text *t, const char *s, size_t len)
{
	(void)t;
	memcpy(text + text_len, s, len);
	text_len += len;
	text[text_len] = 0;
	return 0;
}
static unsigned nr_lines(void)
{
	struct mm_text t = { .emit = emit };
	unsigned n = 0;

	text_len = 0;
	text[0] = 0;
	ck_assert_int_eq(mm_print_maps(mm, &t), 0);
	for (char *p = text; *p; p++)
		n += *p == '\n';
	return n;
}

static void setup(void)
{
	struct aspace_range reserved = { 0x550000000000ull, 0x570000000000ull };

	stub_init(32 * MiB);
	stub_thread_start(&proc, 100);
	signal(SIGSEGV, on_fault);
	signal(SIGBUS, on_fault);
	objects_before = slab_objects_in_use();
	stub_aspace = aspace_create(&reserved, 1);
	mm = mm_create(stub_aspace);
	proc.mm = mm;
}

static void teardown(void)
{
	mm_release(mm);
	mm_put(mm);
	ck_assert(vma_tree_valid(&stub_aspace->tree));
	ck_assert_uint_eq(stub_aspace->committed, 0);
	aspace_put(stub_aspace);
	ck_assert_uint_eq(mem_charged_bytes(), 0);
	ck_assert_uint_eq(slab_objects_in_use(), objects_before);
}

/* --- files --- */

static int host_fd_of_file;
static int map_host(struct inode *i, bool shared, bool write, enum map_kind *kind, int *fd)
{
	(void)i;
	(void)shared;
	(void)write;
	*kind = MAP_KIND_HOST;
	*fd = host_fd_of_file;
	return 0;
}
static int map_arena_kind(struct inode *i, bool shared, bool write, enum map_kind *kind, int *fd)
{
	(void)i;
	(void)shared;
	(void)write;
	(void)fd;
	*kind = MAP_KIND_ARENA;
	return 0;
}
static void *file_pages[16];
static int page_refs[16];
static u64 file_size;
static int get_page(struct inode *i, u64 index, bool create, void **page)
{
	(void)i;
	if (!file_pages[index] && create)
		file_pages[index] = page_alloc_zero(0);
	*page = file_pages[index];
	if (*page)
		page_refs[index]++;
	return 0;
}
static void put_page(struct inode *i, u64 index, void *page)
{
	(void)i;
	(void)page;
	page_refs[index]--;
}
static int getattr(struct inode *i, struct kstat *st)
{
	(void)i;
	memset(st, 0, sizeof(*st));
	st->size = file_size;
	return 0;
}
static const struct inode_ops host_ops = { .map = map_host, .getattr = getattr };
static const struct inode_ops arena_ops = { .map = map_arena_kind, .getattr = getattr, .get_page = get_page, .put_page = put_page };
static struct super sb = { .dev = 0x801 };
static struct inode inode;
static struct mount mount;
static struct file file;

static const struct file_ops plain_ops = { .name = "test" };
static struct file *open_file(const struct inode_ops *ops, u32 mode_rw)
{
	memset(&inode, 0, sizeof(inode));
	ref_init(&inode.ref);
	inode.ops = ops;
	inode.sb = &sb;
	inode.ino = 42;
	inode.unique_id = 7;
	memset(&file, 0, sizeof(file));
	file.inode = &inode;
	file.ops = &plain_ops;
	file.mode_rw = mode_rw;
	file.path.mnt = &mount;
	return &file;
}

/* --- tests --- */

START_TEST(mmap_bad_arguments_give_linux_errors)
{
	u64 a = (u64)mm_mmap(mm, 0, 16 * PG, RW, ANON, NULL, 0);

	ck_assert_int_gt((long)a, 0);
	ck_assert_int_eq(mm_mmap(mm, 0, 0, RW, ANON, NULL, 0), -EINVAL);
	ck_assert_int_eq(mm_mmap(mm, 0, PG, RW, MAP_ANONYMOUS, NULL, 0), -EINVAL);
	ck_assert_int_eq(mm_mmap(mm, a + 1, PG, RW, ANON | MAP_FIXED, NULL, 0), -EINVAL);
	ck_assert_int_eq(mm_mmap(mm, ~(PG - 1), PG, RW, ANON | MAP_FIXED, NULL, 0), -ENOMEM);
	ck_assert_int_eq(mm_mmap(mm, a, PG, RW, ANON | MAP_FIXED_NOREPLACE, NULL, 0), -EEXIST);
	ck_assert_int_eq(mm_mmap(mm, 0, 1ull << 60, RW, ANON, NULL, 0), -ENOMEM);
	ck_assert_int_eq(mm_mmap(mm, 0x550000000000ull, PG, RW, ANON | MAP_FIXED, NULL, 0), -ENOMEM);
	ck_assert_int_eq(mm_mmap(mm, 0, PG, RW, ANON | MAP_FIXED, NULL, 0), -EPERM);
	ck_assert_int_eq(mm_munmap(mm, a + 1, PG), -EINVAL);
	ck_assert_int_eq(mm_munmap(mm, a, 0), -EINVAL);
	ck_assert_int_eq(mm_mprotect(mm, a, PG, 0x100), -EINVAL);
	ck_assert_int_eq(mm_mprotect(mm, a + 15 * PG, 2 * PG, PROT_READ), -ENOMEM);
	ck_assert_int_eq(mm_madvise(mm, a, PG, 999), -EINVAL);
	ck_assert_int_eq(mm_madvise(mm, a + 15 * PG, 2 * PG, MADV_DONTNEED), -ENOMEM);
	ck_assert_int_eq(mm_msync(mm, a, PG, MS_ASYNC | MS_SYNC), -EINVAL);
	ck_assert_int_eq(mm_mremap(mm, a, PG, 0, 0, 0), -EINVAL);
	ck_assert_int_eq(mm_mremap(mm, 0x1000000, PG, 2 * PG, MREMAP_MAYMOVE, 0), -EFAULT);
}
END_TEST

START_TEST(mmap_neighbours_merge_and_holes_split)
{
	u64 a = (u64)mm_mmap(mm, 0, 4 * PG, RW, ANON, NULL, 0), b = (u64)mm_mmap(mm, 0, 4 * PG, RW, ANON, NULL, 0);

	ck_assert_uint_eq(b, a - 4 * PG);
	ck_assert_uint_eq(nr_lines(), 1);
	ck_assert_int_eq(mm_munmap(mm, a, PG), 0);
	ck_assert_uint_eq(nr_lines(), 2);
	ck_assert_int_eq(touch(a, false), SIGSEGV);
	ck_assert_int_eq(mm_mprotect(mm, b + PG, PG, PROT_READ), 0);
	ck_assert_uint_eq(nr_lines(), 4);
	ck_assert_int_eq(touch(b + PG, true), SIGSEGV);
	ck_assert_int_eq(mm_mprotect(mm, b + PG, PG, RW), 0);
	ck_assert_uint_eq(nr_lines(), 2);
	ck_assert_int_eq(touch(b + PG, true), 0);
	ck_assert_int_eq(mm_mmap(mm, a, PG, RW, ANON | MAP_FIXED, NULL, 0), (long)a);
	ck_assert_uint_eq(nr_lines(), 1);
}
END_TEST

START_TEST(mmap_fixed_over_part_of_a_map_replaces_it)
{
	u64 a = (u64)mm_mmap(mm, 0, 8 * PG, RW, ANON, NULL, 0);

	memset((void *)a, 'x', 8 * PG);
	ck_assert_int_eq(mm_munmap(mm, a, 2 * PG), 0);
	ck_assert_int_eq(mm_mmap(mm, a + PG, 4 * PG, RW, ANON | MAP_FIXED, NULL, 0), (long)(a + PG));
	ck_assert_int_eq(*(char *)(a + PG), 0);
	ck_assert_int_eq(*(char *)(a + 4 * PG), 0);
	ck_assert_int_eq(*(char *)(a + 5 * PG), 'x');
	ck_assert_int_eq(touch(a, false), SIGSEGV);
}
END_TEST

START_TEST(mmap_does_not_overwrite_what_the_host_has)
{
	u64 a = (u64)mm_mmap(mm, 0, PG, RW, ANON, NULL, 0), b;
	char *host = mmap((void *)(a - 3 * PG), PG, RW, ANON | MAP_FIXED_NOREPLACE, -1, 0);

	ck_assert_ptr_eq(host, (void *)(a - 3 * PG));
	*host = 'h';
	b = (u64)mm_mmap(mm, 0, 8 * PG, RW, ANON, NULL, 0);
	ck_assert_int_gt((long)b, 0);
	memset((void *)b, 1, 8 * PG);
	ck_assert_int_eq(*host, 'h');
	ck_assert_int_eq(mm_mmap(mm, a - 4 * PG, 4 * PG, RW, ANON | MAP_FIXED, NULL, 0), -ENOMEM);
	ck_assert_int_eq(*host, 'h');
	munmap(host, PG);
}
END_TEST

START_TEST(reservations_cost_nothing_and_excess_is_refused)
{
	u64 a = (u64)mm_mmap(mm, 0, 512 * GiB, PROT_NONE, ANON, NULL, 0), b;

	ck_assert_int_gt((long)a, 0);
	b = (u64)mm_mmap(mm, 0, 256 * GiB, RW, ANON | MAP_NORESERVE, NULL, 0);
	ck_assert_int_gt((long)b, 0);
	ck_assert_int_eq(touch(b + 200 * GiB, true), 0);
	ck_assert_uint_eq(mem_charged_bytes(), 0);
	ck_assert_int_eq(mm_mmap(mm, 0, 33 * MiB, RW, ANON, NULL, 0), -ENOMEM);
	ck_assert_int_eq(mm_mprotect(mm, a, 33 * MiB, RW), -ENOMEM);
	/* many untouched stacks fit although their sum does not */
	for (int i = 0; i < 40; i++)
		ck_assert_int_gt(mm_mmap(mm, 0, 8 * MiB, RW, ANON | MAP_STACK, NULL, 0), 0);
}
END_TEST

START_TEST(touched_memory_beyond_the_limit_gives_enomem)
{
	long a = 0;
	int i;

	for (i = 0; i < 100; i++) {
		a = mm_mmap(mm, 0, MiB, RW, ANON, NULL, 0);
		if (a < 0)
			break;
		memset((void *)a, 1, MiB);
	}
	ck_assert_int_eq(a, -ENOMEM);
	ck_assert_int_ge(i, 24);
	ck_assert_int_le(i, 32);
}
END_TEST

START_TEST(rlimit_as_is_kept)
{
	stub_rlimit[RLIMIT_AS] = MiB;
	ck_assert_int_eq(mm_mmap(mm, 0, 2 * MiB, RW, ANON, NULL, 0), -ENOMEM);
	ck_assert_int_gt(mm_mmap(mm, 0, MiB / 2, RW, ANON, NULL, 0), 0);
	ck_assert_int_eq(mm_mmap(mm, 0, MiB / 2 + PG, RW, ANON, NULL, 0), -ENOMEM);
}
END_TEST

START_TEST(brk_grows_shrinks_and_stops_at_a_neighbour)
{
	u64 base = 0x10000000, r;

	mm->start_brk = mm->brk = base;
	ck_assert_uint_eq(mm_brk(mm, 0), base);
	ck_assert_uint_eq(mm_brk(mm, base + 100), base + 100);
	ck_assert_int_eq(touch(base + 99, true), 0);
	ck_assert_uint_eq(mm_brk(mm, base + 3 * PG), base + 3 * PG);
	nr_lines();
	ck_assert_ptr_nonnull(strstr(text, "[heap]"));
	ck_assert_uint_eq(nr_lines(), 1);
	ck_assert_uint_eq(mm_brk(mm, base + PG), base + PG);
	ck_assert_int_eq(touch(base + 2 * PG, true), SIGSEGV);
	ck_assert_int_gt(mm_mmap(mm, base + 4 * PG, PG, RW, ANON | MAP_FIXED, NULL, 0), 0);
	r = mm_brk(mm, base + 8 * PG);
	ck_assert_uint_eq(r, base + PG);
}
END_TEST

START_TEST(mremap_grows_moves_shrinks_and_keeps_contents)
{
	u64 top = (u64)mm_mmap(mm, 0, PG, PROT_READ, ANON, NULL, 0), a = (u64)mm_mmap(mm, 0, 4 * PG, RW, ANON, NULL, 0), b, c;

	ck_assert_uint_eq(top, a + 4 * PG);
	memset((void *)a, 'a', 4 * PG);
	ck_assert_int_eq(mm_mprotect(mm, a + 2 * PG, PG, PROT_READ), 0);
	ck_assert_int_eq(mm_mprotect(mm, a + 2 * PG, PG, RW), 0);
	ck_assert_int_eq(mm_mremap(mm, a, 4 * PG, 2 * PG, 0, 0), (long)a);
	ck_assert_int_eq(touch(a + 2 * PG, false), SIGSEGV);
	ck_assert_int_eq(mm_mremap(mm, a, 2 * PG, 4 * PG, 0, 0), (long)a);
	ck_assert_int_eq(*(char *)(a + 3 * PG), 0);
	ck_assert_int_eq(mm_mremap(mm, a, 4 * PG, 64 * PG, 0, 0), -ENOMEM);
	b = (u64)mm_mremap(mm, a, 4 * PG, 64 * PG, MREMAP_MAYMOVE, 0);
	ck_assert_int_gt((long)b, 0);
	ck_assert_uint_ne(a, b);
	ck_assert_int_eq(*(char *)b, 'a');
	ck_assert_int_eq(touch(b + 63 * PG, true), 0);
	ck_assert_int_eq(touch(a, false), SIGSEGV);
	ck_assert_uint_eq(nr_lines(), 2);
	c = b - 512 * PG;
	ck_assert_int_eq(mm_mremap(mm, b, 64 * PG, 64 * PG, MREMAP_MAYMOVE | MREMAP_FIXED, c), (long)c);
	ck_assert_int_eq(*(char *)c, 'a');
	ck_assert_uint_eq(stub_aspace->committed, 64 * PG);
	ck_assert_uint_eq(mm->total_vm, 65 * PG);
	b = (u64)mm_mremap(mm, c, 64 * PG, 64 * PG, MREMAP_MAYMOVE | MREMAP_DONTUNMAP, 0);
	ck_assert_int_gt((long)b, 0);
	ck_assert_int_eq(*(char *)b, 'a');
	ck_assert_int_eq(*(char *)c, 0);
}
END_TEST

START_TEST(shared_anonymous_memory_is_shared_through_fork_and_mremap)
{
	u64 a = (u64)mm_mmap(mm, 0, 2 * PG, RW, MAP_SHARED | MAP_ANONYMOUS, NULL, 0), b, off = 1;
	int st;

	ck_assert_int_gt((long)a, 0);
	ck_assert_uint_ne(mm_shared_key(mm, a + PG + 8, &off), 0);
	ck_assert_uint_eq(off, PG + 8);
	if (!fork()) {
		*(char *)a = 'k';
		_exit(0);
	}
	wait(&st);
	ck_assert_int_eq(*(char *)a, 'k');
	b = (u64)mm_mremap(mm, a, 0, 2 * PG, MREMAP_MAYMOVE, 0);
	ck_assert_int_gt((long)b, 0);
	*(char *)b = 'm';
	ck_assert_int_eq(*(char *)a, 'm');
	ck_assert_int_eq(mm_mremap(mm, (u64)mm_mmap(mm, 0, PG, RW, ANON, NULL, 0), 0, PG, MREMAP_MAYMOVE, 0), -EINVAL);
}
END_TEST

START_TEST(host_file_private_and_shared)
{
	struct file *f = open_file(&host_ops, 1);
	u64 a, b;

	host_fd_of_file = memfd_create("f", 0);
	file_size = 3 * PG;
	ck_assert_int_eq(ftruncate(host_fd_of_file, 3 * PG), 0);
	ck_assert_int_eq(pwrite(host_fd_of_file, "zwei", 4, PG), 4);
	a = (u64)mm_mmap(mm, 0, 3 * PG, RW, MAP_PRIVATE, f, 0);
	ck_assert_int_gt((long)a, 0);
	ck_assert_int_eq(memcmp((void *)(a + PG), "zwei", 4), 0);
	*(char *)(a + PG) = 'Z';
	ck_assert_int_eq(mm_mmap(mm, 0, PG, RW, MAP_SHARED, f, 0), -EACCES);
	b = (u64)mm_mmap(mm, 0, PG, PROT_READ, MAP_SHARED, f, PG);
	ck_assert_int_eq(*(char *)b, 'z');
	ck_assert_int_eq(mm_mprotect(mm, b, PG, RW), -EACCES);
	ck_assert_int_eq(mm_mmap(mm, 0, PG, RW, MAP_PRIVATE, f, 5), -EINVAL);
	ck_assert_int_eq(mm_mprotect(mm, a + PG, PG, PROT_READ), 0);
	nr_lines();
	ck_assert_ptr_nonnull(strstr(text, " 00001000 08:01 42"));
	ck_assert_ptr_nonnull(strstr(text, "/file\n"));
	close(host_fd_of_file);
}
END_TEST

START_TEST(memfs_file_shared_private_late_pages_and_truncation)
{
	struct file *f = open_file(&arena_ops, 3);
	u64 a, p;

	memset(file_pages, 0, sizeof(file_pages));
	memset(page_refs, 0, sizeof(page_refs));
	file_size = 2 * PG + 100;
	a = (u64)mm_mmap(mm, 0, 5 * PG, RW, MAP_SHARED, f, 0);
	ck_assert_int_gt((long)a, 0);
	*(char *)(a + PG) = 'q';
	ck_assert_int_eq(*(char *)file_pages[1], 'q');
	p = (u64)mm_mmap(mm, 0, 3 * PG, RW, MAP_PRIVATE, f, 0);
	ck_assert_int_eq(*(char *)(p + PG), 'q');
	*(char *)(p + PG) = 'r';
	ck_assert_int_eq(*(char *)file_pages[1], 'q');
	/* behind the end: SIGBUS, until the file grows */
	ck_assert_int_ne(touch(a + 3 * PG, true), 0);
	ck_assert_int_eq(mm_fault(mm, a + 3 * PG, true, false), MM_FAULT_SIGBUS);
	file_size = 4 * PG;
	ck_assert_int_eq(mm_fault(mm, a + 3 * PG, true, false), MM_FAULT_RETRY);
	ck_assert_int_eq(touch(a + 3 * PG, true), 0);
	ck_assert_int_eq(*(char *)file_pages[3], 1);
	/* it shrinks */
	file_size = PG;
	mm_inode_truncated(&inode, PG);
	ck_assert_int_eq(touch(a, true), 0);
	ck_assert_int_ne(touch(a + PG, false), 0);
	ck_assert_int_eq(mm_fault(mm, a + PG, false, false), MM_FAULT_SIGBUS);
	ck_assert_int_eq(mm_mprotect(mm, a, 5 * PG, PROT_READ), 0);
	ck_assert_int_ne(touch(a + PG, false), 0);
	ck_assert_int_eq(mm_munmap(mm, a, 5 * PG), 0);
	ck_assert_int_eq(mm_munmap(mm, p, 3 * PG), 0);
	for (int i = 0; i < 16; i++)
		ck_assert_int_eq(page_refs[i], 0);
	for (int i = 0; i < 16; i++)
		if (file_pages[i])
			page_free(file_pages[i], 0);
}
END_TEST

START_TEST(fault_is_classified)
{
	u64 a = (u64)mm_mmap(mm, 0, PG, PROT_READ, ANON, NULL, 0);

	ck_assert_int_eq(mm_fault(mm, a, true, false), MM_FAULT_ACCERR);
	ck_assert_int_eq(mm_fault(mm, a, false, true), MM_FAULT_ACCERR);
	ck_assert_int_eq(mm_fault(mm, 0, false, false), MM_FAULT_MAPERR);
	ck_assert_int_eq(mm_fault(mm, a - 64 * PG, false, false), MM_FAULT_MAPERR);
	a = (u64)mm_mmap(mm, 0x20000000, PG, RW, ANON | MAP_GROWSDOWN | MAP_FIXED, NULL, 0);
	ck_assert_int_eq(mm_fault(mm, a - 3 * PG, true, false), MM_FAULT_RETRY);
	ck_assert_int_eq(touch(a - 3 * PG, true), 0);
}
END_TEST

START_TEST(fork_copies_the_map_of_one_program_and_drops_others)
{
	struct mm *other = mm_create(stub_aspace), *child;
	struct aspace *nas;
	u64 mine = (u64)mm_mmap(mm, 0, PG, RW, ANON, NULL, 0), theirs = (u64)mm_mmap(other, 0, PG, RW, ANON, NULL, 0);
	int st;

	ck_assert_int_eq(touch(theirs, true), 0);
	ck_assert(!mm_is_alone(mm));
	ck_assert_int_eq(mm_munmap(mm, theirs, PG), 0);
	ck_assert_int_eq(touch(theirs, true), 0);
	ck_assert_int_eq(aspace_fork_begin(mm, &nas, &child), 0);
	if (!fork()) {
		mm_after_fork_child(child);
		_exit(touch(mine, true) == 0 && touch(theirs, false) == SIGSEGV && vma_tree_valid(&nas->tree) ? 0 : 1);
	}
	aspace_fork_end(mm, NULL);
	wait(&st);
	ck_assert_int_eq(st, 0);
	objects_before++; /* the child freed one in its own copy of the slab's counters */
	mm_put(child);
	aspace_put(nas);
	mm_release(other);
	ck_assert(mm_is_alone(mm));
	ck_assert_int_eq(touch(theirs, false), SIGSEGV);
	mm_put(other);
}
END_TEST

START_TEST(madvise_flags_split_and_dontneed_clears)
{
	u64 a = (u64)mm_mmap(mm, 0, 4 * PG, RW, ANON, NULL, 0);

	memset((void *)a, 'x', 4 * PG);
	ck_assert_int_eq(mm_madvise(mm, a + PG, PG, MADV_DONTNEED), 0);
	ck_assert_int_eq(*(char *)(a + PG), 0);
	ck_assert_int_eq(*(char *)a, 'x');
	ck_assert_int_eq(mm_madvise(mm, a + PG, PG, MADV_DONTFORK), 0);
	ck_assert_uint_eq(nr_lines(), 3);
	ck_assert_int_eq(mm_madvise(mm, a + PG, PG, MADV_DOFORK), 0);
	ck_assert_uint_eq(nr_lines(), 1);
	ck_assert_int_eq(mm_madvise(mm, a, 4 * PG, MADV_WIPEONFORK), 0);
	if (!fork())
		_exit(*(char *)a);
	int st;
	wait(&st);
	ck_assert_int_eq(st, 0);
}
END_TEST

START_TEST(mincore_tells_touched_pages)
{
	u64 a = (u64)mm_mmap(mm, 0, 4 * PG, RW, ANON, NULL, 0);
	unsigned char vec[4];

	touch(a + 2 * PG, true);
	ck_assert_int_eq(mm_mincore(mm, a, 4 * PG, vec), 0);
	ck_assert_int_eq(vec[2] & 1, 1);
	ck_assert_int_eq(vec[1] & 1, 0);
	ck_assert_int_eq(mm_mincore(mm, a, 4 * PG, (unsigned char *)8), -EFAULT);
	ck_assert_int_eq(mm_munmap(mm, a + PG, PG), 0);
	ck_assert_int_eq(mm_mincore(mm, a, 4 * PG, vec), -ENOMEM);
}
END_TEST

START_TEST(every_failed_allocation_leaves_the_map_whole)
{
	u64 a = (u64)mm_mmap(mm, 0, 8 * PG, RW, ANON, NULL, 0);

	for (u64 n = 1; n < 12; n++) {
		alloc_fail_after(n);
		mm_mprotect(mm, a + 2 * PG, PG, PROT_READ);
		mm_mmap(mm, a + 5 * PG, PG, PROT_READ, ANON | MAP_FIXED, NULL, 0);
		mm_mremap(mm, a, 2 * PG, 4 * PG, MREMAP_MAYMOVE, 0);
		mm_munmap(mm, a + PG, PG);
		mm_mmap(mm, 0, PG, RW, MAP_SHARED | MAP_ANONYMOUS, NULL, 0);
		alloc_fail_after(0);
		ck_assert(vma_tree_valid(&stub_aspace->tree));
		mm_mmap(mm, a, 8 * PG, RW, ANON | MAP_FIXED, NULL, 0);
	}
}
END_TEST

START_TEST(image_stack_and_vdso_places)
{
	u64 img = mm_reserve_image(mm, 10 * PG, PG, true);
	long v;

	ck_assert_uint_ne(img, 0);
	ck_assert_uint_eq(nr_lines(), 0);
	ck_assert_int_eq(mm_map_anon_at(mm, img, 2 * PG, RW, 0), 0);
	ck_assert_int_eq(mm_map_stack(mm, MiB, false), 0);
	ck_assert_int_eq(touch(mm->stack_high - 1, true), 0);
	ck_assert_int_eq(touch(mm->stack_low, true), 0);
	void *page = page_alloc_zero(0);
	strcpy(page, "vdso");
	v = mm_map_vdso(mm, page, PG);
	ck_assert_int_gt(v, 0);
	ck_assert_str_eq((char *)v, "vdso");
	ck_assert_uint_eq(nr_lines(), 3);
	ck_assert_ptr_nonnull(strstr(text, "[stack]"));
	ck_assert_ptr_nonnull(strstr(text, "[vdso]"));
	ck_assert(!aspace_range_available(stub_aspace, img, img + PG, NULL));
	ck_assert(aspace_range_available(stub_aspace, img, img + PG, mm));
	ck_assert_int_eq(mm_reserve_image_at(mm, img, PG), -EADDRINUSE);
	page_free(page, 0);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("mm");
	TCase *t = tcase_create("mmap");
	SRunner *r;
	int failed;

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_set_timeout(t, 30);
	tcase_add_test(t, mmap_bad_arguments_give_linux_errors);
	tcase_add_test(t, mmap_neighbours_merge_and_holes_split);
	tcase_add_test(t, mmap_fixed_over_part_of_a_map_replaces_it);
	tcase_add_test(t, mmap_does_not_overwrite_what_the_host_has);
	tcase_add_test(t, reservations_cost_nothing_and_excess_is_refused);
	tcase_add_test(t, touched_memory_beyond_the_limit_gives_enomem);
	tcase_add_test(t, rlimit_as_is_kept);
	tcase_add_test(t, brk_grows_shrinks_and_stops_at_a_neighbour);
	tcase_add_test(t, mremap_grows_moves_shrinks_and_keeps_contents);
	tcase_add_test(t, shared_anonymous_memory_is_shared_through_fork_and_mremap);
	tcase_add_test(t, host_file_private_and_shared);
	tcase_add_test(t, memfs_file_shared_private_late_pages_and_truncation);
	tcase_add_test(t, fault_is_classified);
	tcase_add_test(t, fork_copies_the_map_of_one_program_and_drops_others);
	tcase_add_test(t, madvise_flags_split_and_dontneed_clears);
	tcase_add_test(t, mincore_tells_touched_pages);
	tcase_add_test(t, every_failed_allocation_leaves_the_map_whole);
	tcase_add_test(t, image_stack_and_vdso_places);
	suite_add_tcase(s, t);
	r = srunner_create(s);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed != 0;
}
