/* SPDX-License-Identifier: MIT */
/* The loader's checks: real programs of this machine pass, damaged ones give ENOEXEC with a reason, scripts resolve as on Linux. */
#include "tests/unit/proc/stub_rt.h"
#include "userlib/proc/elf_internal.h"
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* --- a file system of named memory blocks --- */

struct mem_file {
	char name[64];
	char *data;
	size_t size;
	struct inode inode;
	struct dentry dentry;
	u32 mode;
};
static struct mem_file files[8];
static unsigned nr_files;
static struct mount mount;
static struct cred cred;
static int open_files;

static struct path add(const char *name, const void *data, size_t size)
{
	struct mem_file *m = &files[nr_files++];

	strcpy(m->name, name);
	m->data = malloc(size + 1);
	memcpy(m->data, data, size);
	m->size = size;
	m->mode = S_IFREG | 0755;
	m->dentry.inode = &m->inode;
	ref_init(&m->inode.ref);
	return (struct path){ &mount, &m->dentry };
}
static struct mem_file *of(const struct path *p)
{
	return container_of(p->dentry, struct mem_file, dentry);
}

int path_walk(const struct walk_ctx *w, const char *name, unsigned flags, struct path *out, struct qstr *last)
{
	(void)w;
	(void)flags;
	(void)last;
	for (unsigned i = 0; i < nr_files; i++)
		if (!strcmp(files[i].name, name)) {
			*out = (struct path){ &mount, &files[i].dentry };
			return 0;
		}
	return -ENOENT;
}
int vfs_getattr(const struct path *p, struct kstat *st)
{
	*st = (struct kstat){ .mode = of(p)->mode, .size = of(p)->size, .uid = 5, .gid = 6 };
	return 0;
}
int vfs_permission(const struct path *p, unsigned mask, const struct cred *c)
{
	(void)c;
	return of(p)->mode & mask ? 0 : -EACCES;
}
int file_open_path(struct path *p, unsigned open_flags, const struct cred *c, struct file **out)
{
	(void)open_flags;
	(void)c;
	*out = calloc(1, sizeof(**out));
	(*out)->path = *p;
	(*out)->inode = p->dentry->inode;
	open_files++;
	return 0;
}
void file_put(struct file *f)
{
	open_files--;
	free(f);
}
ssize file_read(struct file *f, struct iov_iter *it, s64 *pos, u32 rwf_flags)
{
	struct mem_file *m = of(&f->path);
	size_t n = it->count;

	(void)rwf_flags;
	if ((u64)*pos >= m->size)
		return 0;
	n = MIN(n, m->size - (size_t)*pos);
	memcpy((char *)it->one.base + it->seg_offset, m->data + *pos, n);
	it->seg_offset += n;
	it->count -= n;
	*pos += (s64)n;
	return (ssize)n;
}
void iter_init_kernel(struct iov_iter *it, void *buf, size_t len)
{
	memset(it, 0, sizeof(*it));
	it->one.base = buf;
	it->one.len = it->count = len;
}
int clear_app(void *dst, size_t len)
{
	memset(dst, 0, len);
	return 0;
}

/* --- helpers --- */

static struct walk_ctx walk = { .cred = &cred };
static struct exec_ctx *x;

static void setup(void)
{
	stub_init(64 * MiB);
	x = calloc(1, sizeof(*x));
	x->walk = &walk;
}
static void teardown(void)
{
	ck_assert_int_eq(open_files, 0);
	free(x);
}

static int prepare(const char *fn, struct path *p)
{
	int r;

	strcpy(x->execfn, fn);
	if (!x->argv.count)
		ck_assert_int_eq(str_block_add(&x->argv, "zero", 4, false), 0);
	r = elf_prepare(x, p);
	if (r)
		elf_free(x);
	return r;
}

static void *slurp(const char *name, size_t *size)
{
	FILE *f = fopen(name, "r");
	char *d = malloc(16 << 20);

	ck_assert_ptr_nonnull(f);
	*size = fread(d, 1, 16 << 20, f);
	fclose(f);
	return d;
}

static const char *arg(unsigned n)
{
	const char *s = x->argv.data;

	while (n--)
		s += strlen(s) + 1;
	return s;
}

/* --- tests --- */

START_TEST(real_program_and_its_interpreter_are_accepted)
{
	size_t n, ni;
	void *d = slurp("/bin/true", &n), *di = slurp("/lib64/ld-linux-x86-64.so.2", &ni);
	struct path p = add("/bin/true", d, n);

	ck_assert_int_eq(prepare("/bin/true", &p), -ENOENT); /* no interpreter yet */
	add("/lib64/ld-linux-x86-64.so.2", di, ni);
	ck_assert_int_eq(prepare("/bin/true", &p), 0);
	ck_assert(x->image->has_interp);
	ck_assert_str_eq(x->comm, "true");
	ck_assert_uint_gt(x->image->prog.phdr_vaddr, 0);
	ck_assert_uint_eq(x->image->prog.lo, 0);
	elf_free(x);
}
END_TEST

START_TEST(truncated_or_foreign_programs_give_enoexec_and_a_reason)
{
	size_t n;
	char *d = slurp("/lib64/ld-linux-x86-64.so.2", &n);
	size_t cuts[] = { 0, 1, 16, 63, 64, 200, n / 2 };
	struct path p = add("p", d, n);

	ck_assert_int_eq(prepare("p", &p), 0);
	elf_free(x);
	for (unsigned i = 0; i < ARRAY_SIZE(cuts); i++) {
		files[0].size = cuts[i];
		ck_assert_int_eq(prepare("p", &p), -ENOEXEC);
		ck_assert_ptr_nonnull(x->why);
	}
	files[0].size = n;
	files[0].data[EI_CLASS] = 1;
	ck_assert_int_eq(prepare("p", &p), -ENOEXEC);
	files[0].data[EI_CLASS] = 2;
	files[0].data[18] = (char)183; /* aarch64 */
	ck_assert_int_eq(prepare("p", &p), -ENOEXEC);
	files[0].mode = S_IFREG | 0644;
	ck_assert_int_eq(prepare("p", &p), -EACCES);
	files[0].mode = S_IFDIR | 0755;
	ck_assert_int_eq(prepare("p", &p), -EACCES);
}
END_TEST

START_TEST(random_damage_is_refused_or_loadable_but_never_fatal)
{
	size_t n;
	char *d = slurp("/lib64/ld-linux-x86-64.so.2", &n);
	struct path p = add("p", d, n);
	unsigned seed = 7;

	for (int round = 0; round < 20000; round++) {
		char saved[4];
		size_t at[4];
		int r, k;

		for (k = 0; k < 4; k++) {
			seed = seed * 1103515245u + 12345u;
			at[k] = (seed >> 8) % (64 + 56 * 11);
			saved[k] = files[0].data[at[k]];
			files[0].data[at[k]] = (char)(seed >> 20);
		}
		r = prepare("p", &p);
		ck_assert(r == 0 || r == -ENOEXEC || r == -ENOENT);
		if (!r) {
			ck_assert_uint_lt(x->image->prog.lo, x->image->prog.hi);
			ck_assert_uint_le(x->image->prog.hi, MM_TASK_SIZE + PAGE_SIZE);
			elf_free(x);
		}
		while (k--)
			files[0].data[at[k]] = saved[k];
	}
}
END_TEST

START_TEST(script_arguments_are_as_on_linux)
{
	static const char script[] = "#! /bin/interp  -a b \t\necho\n";
	size_t n;
	char *d = slurp("/lib64/ld-linux-x86-64.so.2", &n);
	struct path p = add("./s", script, sizeof(script) - 1);

	add("/bin/interp", d, n);
	ck_assert_int_eq(str_block_add(&x->argv, "zero", 4, false), 0);
	ck_assert_int_eq(str_block_add(&x->argv, "one", 3, false), 0);
	ck_assert_int_eq(prepare("./s", &p), 0);
	ck_assert_uint_eq(x->argv.count, 4);
	ck_assert_str_eq(arg(0), "/bin/interp");
	ck_assert_str_eq(arg(1), "-a b");
	ck_assert_str_eq(arg(2), "./s");
	ck_assert_str_eq(arg(3), "one");
	ck_assert_str_eq(x->comm, "s");
	ck_assert_ptr_eq(x->exe.dentry, &files[1].dentry);
	elf_free(x);
}
END_TEST

START_TEST(script_loops_end_and_empty_ones_are_refused)
{
	struct path p = add("loop", "#!loop\n", 7), e = add("e", "#! \n", 4), t = add("t", "plain text\n", 11);

	ck_assert_int_eq(prepare("loop", &p), -ELOOP);
	ck_assert_int_eq(prepare("e", &e), -ENOEXEC);
	ck_assert_int_eq(prepare("t", &t), -ENOEXEC);
	ck_assert_ptr_nonnull(x->why);
}
END_TEST

START_TEST(argument_block_limits)
{
	struct str_block b = { 0 };
	char *big = calloc(1, 200 * 1024);

	memset(big, 'x', 200 * 1024 - 1);
	ck_assert_int_eq(str_block_add(&b, big, 128 * 1024, false), -E2BIG);
	for (int i = 0; i < 16; i++)
		ck_assert_int_eq(str_block_add(&b, big, 128 * 1024 - 1, i & 1), 0);
	ck_assert_int_eq(str_block_add(&b, big, 1, false), -E2BIG);
	ck_assert_uint_eq(b.count, 16);
	str_block_free(&b);
	free(big);
}
END_TEST

START_TEST(failed_allocations_are_reported)
{
	size_t n;
	char *d = slurp("/lib64/ld-linux-x86-64.so.2", &n);
	struct path p = add("p", d, n);

	ck_assert_int_eq(str_block_add(&x->argv, "zero", 4, false), 0);
	for (u64 k = 1; k < 4; k++) {
		alloc_fail_after(k);
		ck_assert_int_eq(prepare("p", &p), -ENOMEM);
		alloc_fail_after(0);
		ck_assert_int_eq(str_block_add(&x->argv, "zero", 4, false), 0);
	}
	elf_free(x);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("elf");
	TCase *t = tcase_create("elf");
	SRunner *r;
	int failed;

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_set_timeout(t, 30);
	tcase_add_test(t, real_program_and_its_interpreter_are_accepted);
	tcase_add_test(t, truncated_or_foreign_programs_give_enoexec_and_a_reason);
	tcase_add_test(t, random_damage_is_refused_or_loadable_but_never_fatal);
	tcase_add_test(t, script_arguments_are_as_on_linux);
	tcase_add_test(t, script_loops_end_and_empty_ones_are_refused);
	tcase_add_test(t, argument_block_limits);
	tcase_add_test(t, failed_allocations_are_reported);
	suite_add_tcase(s, t);
	r = srunner_create(s);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed != 0;
}
