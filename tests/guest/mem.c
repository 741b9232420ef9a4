/* SPDX-License-Identifier: MIT */
/* mmap family: placement, protections, remapping, sharing, memfd, big reservations, brk. */
#include "t.h"
#include <setjmp.h>
#include <sys/resource.h>

#define PG 4096UL
#define RW (PROT_READ | PROT_WRITE)
#define ANON (MAP_PRIVATE | MAP_ANONYMOUS)

static sigjmp_buf jb;
static void seg(int s) { (void)s; siglongjmp(jb, 1); }

static const char *can(volatile char *p, int wr)
{
	if (sigsetjmp(jb, 1))
		return "faults";
	if (wr)
		*p = 1;
	else
		(void)*p;
	return "works";
}

static long M(void *p) { return p == MAP_FAILED ? -1 : 0; }

static void basics(void)
{
	char *a = mmap(NULL, 16 * PG, RW, ANON, -1, 0), *b, *c;

	Y(a != MAP_FAILED && ((uintptr_t)a & (PG - 1)) == 0);
	R(M(mmap(NULL, 0, RW, ANON, -1, 0)));
	R(M(mmap(NULL, PG, RW, MAP_ANONYMOUS, -1, 0)));
	R(M(mmap(NULL, PG, RW, MAP_PRIVATE, 99, 0)));
	R(M(mmap(NULL, PG, RW, ANON, -1, 5)));
	R(M(mmap(a + 1, PG, RW, ANON | MAP_FIXED, -1, 0)));
	R(M(mmap((void *)~(PG - 1), PG, RW, ANON | MAP_FIXED, -1, 0)));
	R(M(mmap(a, PG, RW, ANON | MAP_FIXED_NOREPLACE, -1, 0)));
	R(M(mmap(NULL, 1UL << 60, RW, ANON, -1, 0)));
	b = mmap(a + 4 * PG, PG, RW, ANON, -1, 0);
	Y(b != MAP_FAILED && b != a + 4 * PG);
	a[4 * PG] = 'x';
	c = mmap(a + 4 * PG, PG, RW, ANON | MAP_FIXED, -1, 0);
	Y(c == a + 4 * PG && *c == 0);
	R(munmap(a + 4 * PG, PG));
	c = mmap(a + 4 * PG, PG, RW, ANON | MAP_FIXED_NOREPLACE, -1, 0);
	Y(c == a + 4 * PG);
	R(munmap(a + 1, PG));
	R(munmap(a, 0));
	R(munmap(a, 1));
	t_say("%s %s", can(a, 0), can(a + PG, 0));
	R(munmap(a, 16 * PG));
	R(munmap(a, 16 * PG));
}

static void protect(void)
{
	char *a = mmap(NULL, 4 * PG, RW, ANON, -1, 0);

	a[PG] = 7;
	R(mprotect(a + PG, PG, PROT_READ));
	t_say("%s %s %s", can(a + PG, 0), can(a + PG, 1), can(a + 2 * PG, 1));
	R(mprotect(a + PG, PG, PROT_NONE));
	t_say("%s", can(a + PG, 0));
	R(mprotect(a, 4 * PG, RW));
	Y(a[PG] == 7);
	R(mprotect(a + 1, PG, RW));
	R(mprotect(a, PG, 0x80));
	R(munmap(a + 2 * PG, PG));
	R(mprotect(a, 4 * PG, PROT_READ));
	t_say("%s", can(a, 1));
	R(madvise(a, 2 * PG, MADV_DONTNEED));
	Y(a[PG] == 0);
	R(madvise(a, 4 * PG, MADV_DONTNEED));
	R(madvise(a + 1, PG, MADV_DONTNEED));
	R(madvise(a, PG, 9999));
	R(msync(a, PG, MS_SYNC));
	R(msync(a, PG, MS_SYNC | MS_ASYNC));
	R(mlock(a, PG));
	R(munlock(a, PG));
	R(mincore(a, 4 * PG, (unsigned char[4]){ 0 }));
	R(mincore(a, PG, (void *)8));
}

static void remap(void)
{
	char *a = mmap(NULL, 8 * PG, RW, ANON, -1, 0), *b;

	for (int i = 0; i < 8; i++)
		a[(unsigned long)i * PG] = (char)('a' + i);
	R(M(mremap(a, 8 * PG, 4 * PG, 0)));
	t_say("%s", can(a + 5 * PG, 0));
	mmap(a + 4 * PG, PG, RW, ANON | MAP_FIXED, -1, 0);
	mprotect(a + 4 * PG, PG, PROT_READ);
	R(M(mremap(a, 4 * PG, 8 * PG, 0)));
	b = mremap(a, 4 * PG, 8 * PG, MREMAP_MAYMOVE);
	Y(b != MAP_FAILED && b != a && b[3 * PG] == 'd' && b[7 * PG] == 0);
	t_say("old %s", can(a, 0));
	a = mmap(NULL, 8 * PG, PROT_NONE, ANON, -1, 0);
	Y(mremap(b, 2 * PG, 2 * PG, MREMAP_MAYMOVE | MREMAP_FIXED, a + PG) == a + PG && a[PG] == 'a');
	R(M(mremap(a + PG, PG, PG, MREMAP_FIXED, b)));
	R(M(mremap(a + 1, PG, PG, 0)));
	R(M(mremap((void *)PG, PG, 2 * PG, MREMAP_MAYMOVE)));
	R(M(mremap(b + 2 * PG, 0, PG, MREMAP_MAYMOVE)));
	b = mremap(b + 2 * PG, PG, PG, MREMAP_MAYMOVE | MREMAP_DONTUNMAP, 0);
	Y(b != MAP_FAILED && *b == 'c');
}

static void files(void)
{
	int fd = open("mf", O_CREAT | O_RDWR, 0600), ro, m;
	char *s, *p, *s2, b[8] = "";
	struct stat st;

	ftruncate(fd, 10000);
	s = mmap(NULL, 10000, RW, MAP_SHARED, fd, 0);
	p = mmap(NULL, 10000, RW, MAP_PRIVATE, fd, 0);
	s2 = mmap(NULL, PG, RW, MAP_SHARED, fd, (off_t)PG);
	strcpy(s + PG, "shared");
	t_say("second mapping \"%s\" private \"%s\"", s2, p + PG);
	strcpy(p + PG, "private");
	t_say("shared still \"%s\"", s + PG);
	R(pread(fd, b, 6, (off_t)PG));
	t_say("%s", b);
	pwrite(fd, "WRITE", 5, (off_t)PG);
	t_say("after write \"%s\" private \"%s\"", s2, p + PG);
	R(msync(s, 10000, MS_SYNC));
	fflush(stdout);
	if (fork() == 0) {
		strcpy(s + 100, "child");
		strcpy(p + 100, "child");
		_exit(0);
	}
	wait(NULL);
	t_say("shared \"%s\" private \"%s\"", s + 100, p + 100);
	close(fd);
	s[0] = 'z';
	ro = open("mf", O_RDONLY);
	R(read(ro, b, 1));
	t_say("%c", b[0]);
	R(M(mmap(NULL, PG, RW, MAP_SHARED, ro, 0)));
	R(M(mmap(NULL, PG, RW, MAP_PRIVATE, ro, 0)));
	R(M(mmap(NULL, PG, PROT_READ, MAP_SHARED, ro, 100)));
	R(M(mmap(NULL, PG, PROT_READ, MAP_SHARED, open(".", O_RDONLY), 0)));
	R(mprotect(mmap(NULL, PG, PROT_READ, MAP_SHARED, ro, 0), PG, RW));
	m = memfd_create("mine", MFD_ALLOW_SEALING | MFD_CLOEXEC);
	Y(m >= 0);
	R(memfd_create("x", 0x8000));
	R(write(m, "12345", 5));
	R(fcntl(m, F_ADD_SEALS, F_SEAL_GROW | F_SEAL_SHRINK));
	R(fcntl(m, F_GET_SEALS));
	R(ftruncate(m, 3));
	R(ftruncate(m, 30));
	R(write(m, "x", 1));
	R(fcntl(m, F_ADD_SEALS, F_SEAL_WRITE));
	R(pwrite(m, "x", 1, 0));
	R(M(mmap(NULL, PG, RW, MAP_SHARED, m, 0)));
	fstat(m, &st);
	t_say("size %ld mode %o", (long)st.st_size, st.st_mode);
	R(fcntl(ro, F_GET_SEALS));
}

static void sharing(void)
{
	int *s = mmap(NULL, PG, RW, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	int *p = mmap(NULL, PG, RW, ANON, -1, 0);

	*s = *p = 1;
	fflush(stdout);
	for (int i = 0; i < 4; i++)
		if (fork() == 0) {
			__atomic_add_fetch(s, 10, __ATOMIC_SEQ_CST);
			*p += 10;
			if (fork() == 0) {
				__atomic_add_fetch(s, 100, __ATOMIC_SEQ_CST);
				_exit(0);
			}
			wait(NULL);
			_exit(0);
		}
	while (wait(NULL) > 0)
		;
	t_say("shared %d private %d", *s, *p);
}

static void huge(void)
{
	size_t big = 256UL << 30;
	char *a = mmap(NULL, big, PROT_NONE, ANON | MAP_NORESERVE, -1, 0), *b;

	Y(a != MAP_FAILED);
	R(mprotect(a + (100UL << 30), 1 << 20, RW));
	strcpy(a + (100UL << 30), "middle");
	t_say("%s", a + (100UL << 30));
	b = mmap(a + (200UL << 30), 1 << 20, RW, ANON | MAP_FIXED | MAP_NORESERVE, -1, 0);
	Y(b == a + (200UL << 30));
	b[5] = 5;
	R(munmap(a, big));
	for (int i = 0; i < 2000; i++) {
		b = mmap(NULL, PG, RW, ANON, -1, 0);
		if (i % 2 && b != MAP_FAILED)
			munmap(b, PG);
	}
	t_say("many small maps");
}

static void brks(void)
{
	char *b0 = sbrk(0);

	Y(sbrk(100000) == b0);
	memset(b0, 7, 100000);
	Y((char *)sbrk(0) == b0 + 100000);
	R(brk(b0 + 50));
	Y(b0[10] == 7);
	Y(brk(b0 + 100000) == 0 && b0[90000] == 0);
	R(brk((void *)PG));
	R(brk((void *)0x7ffffffff000));
}

static void limits(void)
{
	struct rlimit r = { 64 << 20, 64 << 20 };

	R(setrlimit(RLIMIT_AS, &r));
	R(M(mmap(NULL, 1UL << 30, RW, ANON, -1, 0)));
	Y(malloc(1UL << 30) == NULL);
	Y(malloc(1000) != NULL);
}

int main(void)
{
	signal(SIGSEGV, seg);
	signal(SIGBUS, seg);
	basics();
	protect();
	remap();
	files();
	sharing();
	huge();
	brks();
	t_child("address space limit", limits);
	return 0;
}
