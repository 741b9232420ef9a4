/* SPDX-License-Identifier: MIT */
/* The patcher: shapes of sites, what must be left alone, real libraries, patched code really run, the cache's trust. */
#include <check.h>
#include <dirent.h>
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <Zydis/Zydis.h>

#include "jabi/jabi_boot.h"
#include "tools/patch/cache.h"
#include "tools/patch/image.h"

#define CODE_AT	 0x10000000ull
#define STUBS_AT 0x10010000ull

static void scan(struct patch_set *s, const void *code, size_t len)
{
	memset(s, 0, sizeof(*s));
	s->stub_vaddr = STUBS_AT;
	ck_assert_int_eq(patch_code(s, code, len, CODE_AT), 0);
}

START_TEST(number_then_syscall_becomes_jump_before)
{
	static const unsigned char code[] = "\xb8\x27\x00\x00\x00\x0f\x05\xc3";
	struct patch_set s;

	scan(&s, code, 8);
	ck_assert_uint_eq(s.nr_before, 1);
	ck_assert_uint_eq(s.edits[0].vaddr, CODE_AT);
	ck_assert_uint_eq(s.edits[0].len, 5);
	ck_assert_uint_eq(s.edits[0].bytes[0], 0xe9);
	ck_assert_mem_eq(s.stubs, code, 5); /* the stub begins with the displaced mov */
	patch_set_free(&s);
}
END_TEST

START_TEST(result_test_behind_is_displaced_when_nothing_before_is_long_enough)
{
	/* mov %edx,%eax; syscall; cmp $-4096,%rax; ret */
	static const unsigned char code[] = "\x89\xd0\x0f\x05\x48\x3d\x00\xf0\xff\xff\xc3";
	struct patch_set s;

	scan(&s, code, 11);
	ck_assert_uint_eq(s.nr_after, 1);
	ck_assert_uint_eq(s.edits[0].vaddr, CODE_AT + 2);
	ck_assert_uint_eq(s.edits[0].len, 8);
	/* the two bytes before the return address are a syscall */
	ck_assert_mem_eq(s.stubs + 15, "\x0f\x05\x48\x3d", 4);
	patch_set_free(&s);
}
END_TEST

START_TEST(branch_into_displaced_bytes_leaves_site_alone)
{
	/* mov %edx,%eax; syscall; L: cmp $-4096,%rax; jmp L */
	static const unsigned char code[] = "\x89\xd0\x0f\x05\x48\x3d\x00\xf0\xff\xff\xeb\xf8";
	struct patch_set s;

	scan(&s, code, 12);
	ck_assert_uint_eq(s.nr_sites, 1);
	ck_assert_uint_eq(s.nr_edits, 0);
	patch_set_free(&s);
}
END_TEST

START_TEST(stray_bytes_and_restorer_are_left_alone)
{
	static const unsigned char data[] = "\x0f\x05\x90\x90\x90\x90\x90\xc3";
	static const unsigned char restorer[] =
		"\x48\xc7\xc0\x0f\x00\x00\x00\x0f\x05\x90\x90\x90\x90\x90";
	struct patch_set s;

	scan(&s, data, 8);
	ck_assert_uint_eq(s.nr_edits, 0);
	patch_set_free(&s);
	scan(&s, restorer, 14);
	ck_assert_uint_eq(s.nr_sites, 1);
	ck_assert_uint_eq(s.nr_edits, 0);
	patch_set_free(&s);
}
END_TEST

/* What patched code finds at GS: the entry, and room for the return address. */
static struct {
	u64 pad[2];
	void *entry;
	u64 ret, count;
} gs_area;

__asm__(".globl test_entry\n"
	"test_entry:\n"
	"	incq %gs:0x20\n"
	"	mov %rcx, %gs:0x18\n"
	"	syscall\n"
	"	jmp *%gs:0x18\n");
extern char test_entry[];

/* Code as a function of (edi..) returning rax; patched and run. */
static long run_patched(const void *code, size_t len, u32 *nr_edits)
{
	char *base = mmap((void *)CODE_AT, 0x20000, PROT_READ | PROT_WRITE | PROT_EXEC,
			  MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
	struct patch_set s;
	long r;

	ck_assert_ptr_eq(base, (void *)CODE_AT);
	memcpy(base, code, len);
	scan(&s, code, len);
	*nr_edits = s.nr_edits;
	for (u32 i = 0; i < s.nr_edits; i++)
		memcpy(base + (s.edits[i].vaddr - CODE_AT), s.edits[i].bytes, s.edits[i].len);
	memcpy((void *)STUBS_AT, s.stubs, s.stub_len);
	gs_area.entry = test_entry;
	gs_area.count = 0;
	syscall(SYS_arch_prctl, 0x1001, &gs_area); /* ARCH_SET_GS */
	r = ((long (*)(long))base)(-1);
	patch_set_free(&s);
	munmap(base, 0x20000);
	return r;
}

START_TEST(patched_code_gives_the_same_result)
{
	/* mov 0x2(%rip),%ecx is RIP-relative (6 bytes): reads the constant behind; mov %ecx,%eax; syscall; cmp; jmp +4; .long 39; ret */
	static const unsigned char rip[] = "\x8b\x0d\x0c\x00\x00\x00\x89\xc8\x0f\x05\x48\x3d\x01"
					   "\xf0\xff\xff\xeb\x04\x27\x00\x00\x00\xc3";
	static const unsigned char before[] = "\xb8\x27\x00\x00\x00\x48\x89\xff\x0f\x05\xc3";
	/* mov $3,%al style: xor eax,eax; mov $3,%al; syscall; cmp $-4095,%rax; sbb: setae %dl; neg %rax; ret: close(-1) = -EBADF */
	static const unsigned char after[] =
		"\x31\xc0\xb0\x03\x0f\x05\x48\x3d\x01\xf0\xff\xff\x73\x01\xc3\x48\xf7\xd8\xc3";
	u32 n;

	ck_assert_int_eq(run_patched(before, sizeof(before), &n), getpid());
	ck_assert_uint_eq(n, 1);
	ck_assert_uint_eq(gs_area.count, 1);
	ck_assert_int_eq(run_patched(rip, sizeof(rip), &n), getpid());
	ck_assert_uint_eq(n, 1);
	ck_assert_uint_eq(gs_area.count, 1);
	ck_assert_int_eq(run_patched(after, sizeof(after), &n), EBADF);
	ck_assert_uint_eq(n, 1);
	ck_assert_uint_eq(gs_area.count, 1);
}
END_TEST

static bool in_edit(const struct patch_set *s, const u64 *edit_off, u64 off)
{
	for (u32 i = 0; i < s->nr_edits; i++)
		if (off >= edit_off[i] && off < edit_off[i] + s->edits[i].len)
			return true;
	return false;
}

static u64 file_offset(const unsigned char *elf, u64 vaddr)
{
	const Elf64_Ehdr *eh = (const void *)elf;
	const Elf64_Phdr *ph = (const void *)(elf + eh->e_phoff);

	for (int i = 0; i < eh->e_phnum; i++)
		if (ph[i].p_type == PT_LOAD && vaddr >= ph[i].p_vaddr &&
		    vaddr - ph[i].p_vaddr < ph[i].p_filesz)
			return vaddr - ph[i].p_vaddr + ph[i].p_offset;
	ck_abort_msg("edit outside the file");
	return 0;
}

static void check_file(const char *path, double least)
{
	int fd = open(path, O_RDONLY), out = memfd_create("image", 0);
	struct jabi_patch_trailer t = { 0 };
	struct patch_set s;
	struct stat st;
	unsigned char *a, *b;
	u64 differ = 0, *off;

	if (fd < 0)
		return; /* not installed */
	ck_assert_int_eq(fstat(fd, &st), 0);
	ck_assert_int_eq(image_scan(fd, (u64)st.st_size, &s), 0);
	t.file_size = (u64)st.st_size;
	ck_assert_int_eq(image_write(fd, out, &s, &t), 0);
	printf("%s: %u of %u sites patched (%u before, %u after), %zu bytes of stubs\n", path,
	       s.nr_before + s.nr_after, s.nr_sites, s.nr_before, s.nr_after, s.stub_len);
	ck_assert(s.nr_edits == s.nr_before + s.nr_after);
	ck_assert((double)s.nr_edits >= least * s.nr_sites);
	a = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	b = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, out, 0);
	ck_assert(a != MAP_FAILED && b != MAP_FAILED);
	off = calloc(s.nr_edits, sizeof(*off));
	for (u32 i = 0; i < s.nr_edits; i++) {
		off[i] = file_offset(a, s.edits[i].vaddr);
		ck_assert_mem_eq(b + off[i], s.edits[i].bytes, s.edits[i].len);
	}
	for (u64 k = 0; k < (u64)st.st_size; k++)
		if (a[k] != b[k]) {
			differ++;
			ck_assert_msg(in_edit(&s, off, k), "%s: byte %llx changed", path,
				      (unsigned long long)k);
		}
	ck_assert(differ > 0);
	free(off);
	patch_set_free(&s);
	close(fd);
	close(out);
}

/* Every stub, decoded again, ends in the jump through GS, and every edit's jump lands on the start of one. */
static void check_stubs(const char *path)
{
	int fd = open(path, O_RDONLY);
	ZydisDecoder d;
	struct patch_set s;
	struct stat st;

	if (fd < 0)
		return;
	ZydisDecoderInit(&d, ZYDIS_MACHINE_MODE_LONG_64, ZYDIS_STACK_WIDTH_64);
	ck_assert_int_eq(fstat(fd, &st), 0);
	ck_assert_int_eq(image_scan(fd, (u64)st.st_size, &s), 0);
	for (u32 i = 0; i < s.nr_edits; i++) {
		ZydisDecodedInstruction in;
		s32 rel;
		u64 at;
		int k;

		memcpy(&rel, s.edits[i].bytes + 1, 4);
		at = s.edits[i].vaddr + 5 + (u64)(s64)rel - s.stub_vaddr;
		ck_assert(at < s.stub_len && at % 16 == 0);
		for (k = 0; k < 16; k++) {
			ck_assert(ZYAN_SUCCESS(ZydisDecoderDecodeInstruction(
				&d, NULL, s.stubs + at, s.stub_len - at, &in)));
			at += in.length;
			if (in.mnemonic == ZYDIS_MNEMONIC_JMP)
				break;
		}
		ck_assert(k < 16 && !memcmp(s.stubs + at - 8, "\x65\xff\x24\x25\x10\0\0\0", 8));
	}
	patch_set_free(&s);
	close(fd);
}

START_TEST(real_files_change_only_at_patched_sites)
{
	check_file("/lib/x86_64-linux-gnu/libc.so.6", 0.95);
	check_file("/lib64/ld-linux-x86-64.so.2", 0.90);
	check_file("/usr/bin/busybox", 0.90);
	check_stubs("/lib/x86_64-linux-gnu/libc.so.6");
	check_stubs("/usr/bin/busybox");
}
END_TEST

START_TEST(malformed_elf_is_refused)
{
	unsigned char junk[4096];
	struct patch_set s;
	int fd = memfd_create("junk", 0), libc = open("/lib/x86_64-linux-gnu/libc.so.6", O_RDONLY);

	ck_assert(libc >= 0 && pread(libc, junk, sizeof(junk), 0) == (ssize_t)sizeof(junk));
	srand(1);
	for (int round = 0; round < 20000;
	     round++) { /* headers of libc with a few bytes changed: no crash, no hang */
		unsigned char copy[4096];

		memcpy(copy, junk, sizeof(copy));
		for (int k = 0; k < 4; k++)
			copy[rand() % 1024] = (unsigned char)rand();
		ck_assert(pwrite(fd, copy, sizeof(copy), 0) == (ssize_t)sizeof(copy));
		(void)!image_scan(fd, sizeof(copy), &s);
		patch_set_free(&s);
	}
	ck_assert_int_eq(image_scan(fd, 10, &s), -ENOEXEC);
	close(fd);
	close(libc);
}
END_TEST

static int count_files(const char *path)
{
	DIR *d = opendir(path);
	const struct dirent *e;
	int n = 0;

	ck_assert_ptr_nonnull(d);
	while ((e = readdir(d)))
		n += e->d_name[0] != '.';
	closedir(d);
	return n;
}

START_TEST(cache_is_made_found_and_distrusted)
{
	char root[] = "/tmp/jcache.XXXXXX", path[4096], libc[] = "/lib/x86_64-linux-gnu/libc.so.6",
	     copy[64];
	struct jabi_patch_trailer t, t2;
	int dir, fd = open(libc, O_RDONLY), a, b;

	ck_assert_ptr_nonnull(mkdtemp(root));
	dir = open(root, O_RDONLY | O_DIRECTORY);
	a = cache_get_image(dir, fd, &t);
	ck_assert_int_ge(a, 0);
	ck_assert_int_eq(fcntl(a, F_GETFL) & O_ACCMODE, O_RDONLY);
	b = cache_get_image(dir, fd, &t2);
	ck_assert_int_ge(b, 0);
	ck_assert_mem_eq(&t, &t2, sizeof(t));
	cache_trim(dir, CACHE_LIMIT_BYTES);
	ck_assert_int_eq(count_files(root), 1);
	cache_trim(dir, 4096);
	ck_assert_int_eq(count_files(root), 0);
	/* a file just written is not cached */
	snprintf(copy, sizeof(copy), "%s/fresh", root);
	close(fd);
	fd = open(copy, O_RDWR | O_CREAT, 0755);
	ck_assert_int_eq(write(fd, "x", 1), 1);
	ck_assert_int_eq(cache_get_image(dir, fd, &t), -EAGAIN);
	/* a directory that others may write is refused */
	setenv("XDG_CACHE_HOME", root, 1);
	if (geteuid() != 0) {
		int c = cache_open_dir(path, sizeof(path));

		ck_assert_int_ge(c, 0);
		ck_assert_int_eq(fchmod(c, 0777), 0);
		ck_assert_int_eq(cache_open_dir(path, sizeof(path)), -EPERM);
	}
	close(a);
	close(b);
	close(fd);
	close(dir);
	snprintf(path, sizeof(path), "rm -rf %s", root);
	ck_assert_int_eq(system(path), 0);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("patch");
	TCase *tc = tcase_create("patch");
	SRunner *r;
	int failed;

	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, number_then_syscall_becomes_jump_before);
	tcase_add_test(tc, result_test_behind_is_displaced_when_nothing_before_is_long_enough);
	tcase_add_test(tc, branch_into_displaced_bytes_leaves_site_alone);
	tcase_add_test(tc, stray_bytes_and_restorer_are_left_alone);
	tcase_add_test(tc, patched_code_gives_the_same_result);
	tcase_add_test(tc, real_files_change_only_at_patched_sites);
	tcase_add_test(tc, malformed_elf_is_refused);
	tcase_add_test(tc, cache_is_made_found_and_distrusted);
	suite_add_tcase(s, tc);
	r = srunner_create(s);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? 1 : 0;
}
