/* SPDX-License-Identifier: MIT */
/*
 * junction.ko: mappings of the page cache, on tmpfs, on the initramfs and - where the kernel has it - on a file system on a loop device.
 */
#include <setjmp.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/vfs.h>

#include "tests/kmod/kt.h"

#define PAGE  4096ul
#define PAGES 64ul

static int fd, inst;
static const char *dir = "/tmp";
static char path[64];
static sigjmp_buf *bus_at;
static volatile int bus_signal;

static void setup(void)
{
	fd = kt_open();
	inst = kt_instance(fd);
	CHECK(inst >= 0);
	snprintf(path, sizeof(path), "%s/pc", dir);
}

static void teardown(void)
{
	unlink(path);
	close(inst);
	close(fd);
}

static void fill(char *p, unsigned long page, unsigned int seed)
{
	for (unsigned long i = 0; i < PAGE / 8; i++)
		((unsigned long *)p)[i] = (page * 1000003 + i) * 0x9e3779b97f4a7c15ul + seed;
}

static int make_file(unsigned long pages, unsigned int seed)
{
	int f = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	char b[PAGE];

	for (unsigned long i = 0; i < pages; i++) {
		fill(b, i, seed);
		if (write(f, b, PAGE) != (long)PAGE)
			kt_say("# write: errno %d\n", errno);
	}
	return f;
}

static int file_add(int file, unsigned int *id)
{
	struct jabi_kmod_file a = { .size = sizeof(a), .fd = file };
	int r = ioctl(inst, JABI_KMOD_FILE_ADD, &a);

	*id = a.id;
	return r;
}

static int file_del(unsigned int id)
{
	struct jabi_kmod_file a = { .size = sizeof(a), .id = id };

	return ioctl(inst, JABI_KMOD_FILE_DEL, &a);
}

static void *map(unsigned int id, unsigned long offset, unsigned long length, void *at, unsigned int flags)
{
	struct jabi_kmod_map a = { .size = sizeof(a), .flags = flags, .id = id, .offset = offset, .length = length,
				   .addr = (unsigned long)at };

	return ioctl(inst, JABI_KMOD_MAP, &a) ? MAP_FAILED : (void *)a.addr;
}

static void on_fault(int sig)
{
	bus_signal = sig;
	siglongjmp(*bus_at, 1);
}

/* The signal that a touch gives, or 0. */
static int touch(volatile char *p, bool write)
{
	struct sigaction sa = { .sa_handler = on_fault }, bus, segv;
	sigjmp_buf b;

	bus_at = &b;
	bus_signal = 0;
	sigaction(SIGBUS, &sa, &bus);
	sigaction(SIGSEGV, &sa, &segv);
	if (!sigsetjmp(b, 1)) {
		if (write)
			*p = 1;
		else
			(void)*p;
	}
	sigaction(SIGBUS, &bus, NULL);
	sigaction(SIGSEGV, &segv, NULL);
	return bus_signal;
}

static void test_contents(void)
{
	unsigned int id, id2;
	char want[PAGE], *p, *q;
	int f;

	setup();
	f = make_file(PAGES, 1);
	CHECK(file_add(f, &id) == 0 && id);
	CHECK(file_add(f, &id2) == 0 && id2 && id2 != id);
	p = map(id, 0, PAGES * PAGE, NULL, 0);
	CHECK(p != MAP_FAILED);
	for (unsigned long i = 0; i < PAGES; i++) {
		fill(want, i, 1);
		CHECK(!memcmp(p + i * PAGE, want, PAGE), "page %lu", i);
	}
	q = map(id2, 3 * PAGE, 100, NULL, 0);
	CHECK(q != MAP_FAILED && !memcmp(q, p + 3 * PAGE, PAGE));
	/* coherent with a writer, both ways of writing, and through a mapping */
	CHECK(pwrite(f, "written", 7, 5 * PAGE + 11) == 7 && !memcmp(p + 5 * PAGE + 11, "written", 7));
	char *w = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, f, 3 * PAGE);
	memcpy(w, "mapped", 6);
	CHECK(!memcmp(q, "mapped", 6));
	/* the file's id goes, the mapping stays */
	CHECK(file_del(id) == 0);
	CHECK_ERR(file_del(id), ENOENT);
	CHECK(map(id, 0, PAGE, NULL, 0) == MAP_FAILED && errno == ENOENT);
	close(f);
	fill(want, 9, 1);
	CHECK(!memcmp(p + 9 * PAGE, want, PAGE));
	munmap(w, PAGE);
	munmap(q, PAGE);
	munmap(p, PAGES * PAGE);
	teardown();
}

/* No way leads to a page that can be written. */
static void test_read_only(void)
{
	unsigned int id;
	char *p, *q;
	int f, st;

	setup();
	f = make_file(PAGES, 2);
	CHECK(file_add(f, &id) == 0);
	p = map(id, 0, PAGES * PAGE, NULL, 0);
	CHECK_ERR(mprotect(p, PAGE, PROT_READ | PROT_WRITE), EACCES);
	CHECK_ERR(mprotect(p, PAGES * PAGE, PROT_WRITE), EACCES);
	CHECK(touch(p, true) == SIGSEGV);
	q = mremap(p, 4 * PAGE, 8 * PAGE, MREMAP_MAYMOVE);
	CHECK(q != MAP_FAILED, "mremap: errno %d", errno);
	CHECK_ERR(mprotect(q, PAGE, PROT_READ | PROT_WRITE), EACCES);
	CHECK(touch(q, true) == SIGSEGV);
	pid_t pid = fork();
	if (!pid) {
		int r = mprotect(q, PAGE, PROT_READ | PROT_WRITE) == 0;
		int mem = open("/proc/self/mem", O_RDWR);

		r |= (touch(q + PAGE, true) != SIGSEGV) << 1;
		r |= (pwrite(mem, "x", 1, (long)q) > 0) << 2;
		_exit(r);
	}
	waitpid(pid, &st, 0);
	CHECK(st == 0, "child %x", st);
	/* through the kernel: read() into it, and a debugger's write */
	CHECK_ERR(pread(f, q, PAGE, 0), EFAULT);
	int mem = open("/proc/self/mem", O_RDWR);
	CHECK(pwrite(mem, "hacked", 6, (long)q) <= 0);
	close(mem);
	char b[PAGE], want[PAGE];
	fill(want, 0, 2);
	CHECK(pread(f, b, PAGE, 0) == (long)PAGE && !memcmp(b, want, PAGE));
	/* splitting keeps it so */
	munmap(q + 2 * PAGE, PAGE);
	CHECK_ERR(mprotect(q + 3 * PAGE, PAGE, PROT_WRITE), EACCES);
	munmap(q, 8 * PAGE);
	munmap(p + 4 * PAGE, (PAGES - 4) * PAGE);
	close(f);
	teardown();
}

static void test_places(void)
{
	char *area = mmap(NULL, 8 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), want[PAGE];
	unsigned int id;
	int f;

	setup();
	f = make_file(PAGES, 3);
	CHECK(file_add(f, &id) == 0);
	CHECK(map(id, 0, PAGE, area + PAGE, JABI_KMOD_MAP_FIXED_NOREPLACE) == MAP_FAILED && errno == EEXIST);
	area[PAGE] = 7;
	CHECK(map(id, 2 * PAGE, 2 * PAGE, area + PAGE, JABI_KMOD_MAP_FIXED) == area + PAGE);
	fill(want, 2, 3);
	CHECK(!memcmp(area + PAGE, want, PAGE));
	munmap(area, 8 * PAGE);
	CHECK(map(id, 0, PAGE, area + PAGE, JABI_KMOD_MAP_FIXED_NOREPLACE) == area + PAGE);
	munmap(area, 8 * PAGE);
	CHECK(map(id, 1, PAGE, NULL, 0) == MAP_FAILED && errno == EINVAL);
	CHECK(map(id, 0, 0, NULL, 0) == MAP_FAILED && errno == EINVAL);
	CHECK(map(id, ~0ul & ~4095ul, PAGE, NULL, 0) == MAP_FAILED);
	CHECK(map(id, 0, ~0ul, NULL, 0) == MAP_FAILED);
	CHECK(map(id, 0, PAGE, (void *)0xffff888000000000ul, JABI_KMOD_MAP_FIXED) == MAP_FAILED);
	CHECK(map(id, 0, PAGE, (void *)1, JABI_KMOD_MAP_FIXED) == MAP_FAILED);
	CHECK(map(id, 0, PAGE, NULL, 3) == MAP_FAILED && errno == EINVAL);
	CHECK(map(id, 0, PAGE, NULL, 4) == MAP_FAILED && errno == EINVAL);
	close(f);
	teardown();
}

static void test_truncation(void)
{
	unsigned int id;
	char *p, want[PAGE];
	int f;

	setup();
	f = make_file(PAGES, 4);
	CHECK(file_add(f, &id) == 0);
	p = map(id, 0, (PAGES + 4) * PAGE, NULL, 0);
	CHECK(touch(p + (PAGES - 1) * PAGE, false) == 0);
	CHECK(touch(p + PAGES * PAGE, false) == SIGBUS);
	CHECK(ftruncate(f, 10 * PAGE + 5) == 0);
	CHECK(touch(p + 11 * PAGE, false) == SIGBUS);
	CHECK(touch(p + 9 * PAGE, false) == 0);
	CHECK(p[10 * PAGE + 5] == 0);
	CHECK(ftruncate(f, PAGES * PAGE) == 0);
	CHECK(touch(p + 11 * PAGE, false) == 0 && p[11 * PAGE] == 0);
	fill(want, 9, 4);
	CHECK(!memcmp(p + 9 * PAGE, want, PAGE));
	munmap(p, (PAGES + 4) * PAGE);
	close(f);
	teardown();
}

/* Compares RESIDENT with mincore of an ordinary mapping. Where pages come and go meanwhile (mincore differs before and after) it tries again. */
static unsigned int compare_residency(unsigned int id, int f, unsigned long pages)
{
	struct jabi_kmod_resident r = { .size = sizeof(r), .id = id, .nr_pages = pages };
	unsigned char core[4096], after[4096];
	unsigned int n = 0, differ = 0, tries = 0;
	void *p = mmap(NULL, pages * PAGE, PROT_READ, MAP_SHARED, f, 0);

	do {
		kt_sleep_us(tries * 1000);
		CHECK(mincore(p, pages * PAGE, core) == 0);
		CHECK(ioctl(inst, JABI_KMOD_RESIDENT, &r) == 0);
		CHECK(mincore(p, pages * PAGE, after) == 0);
	} while (memcmp(core, after, pages) && tries++ < 100);
	for (unsigned long i = 0; i < pages; i++) {
		bool in = r.bitmap[i / 64] >> i % 64 & 1;

		n += in;
		differ += in != (core[i] & 1);
	}
	CHECK(differ == 0, "%u of %lu pages", differ, pages);
	for (unsigned long i = pages; i < 4096; i++)
		CHECK(!(r.bitmap[i / 64] >> i % 64 & 1), "bit %lu", i);
	munmap(p, pages * PAGE);
	return n;
}

static void test_residency(void)
{
	unsigned int id, n;
	int f;

	setup();
	f = make_file(PAGES, 5);
	CHECK(file_add(f, &id) == 0);
	n = compare_residency(id, f, PAGES);
	CHECK(n == PAGES, "%u", n);
	close(f);
	unlink(path);
	f = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600); /* holes */
	CHECK(file_add(f, &id) == 0);
	CHECK(ftruncate(f, 500 * PAGE) == 0);
	for (int i = 0; i < 500; i += 7)
		CHECK(pwrite(f, "x", 1, i * PAGE) == 1);
	n = compare_residency(id, f, 500);
	CHECK(n >= 72 && n < 500, "%u", n);
	compare_residency(id, f, 1);
	compare_residency(id, f, 65);
	close(f);
	teardown();
}

/* On a disk pages go and come: dropped, read ahead by PREFETCH, under memory pressure. */
static void test_disk(void)
{
	struct jabi_kmod_prefetch a = { .size = sizeof(a), .length = 256 * PAGE };
	unsigned long pages = 2048;
	unsigned int id, n;
	char want[PAGE], *p;
	int f, drop;

	setup();
	f = make_file(pages, 6);
	CHECK(file_add(f, &id) == 0);
	fsync(f);
	sync();
	drop = open("/proc/sys/vm/drop_caches", O_WRONLY);
	CHECK(write(drop, "1", 1) == 1);
	n = compare_residency(id, f, pages);
	CHECK(n < pages / 2, "%u are still there", n);
	a.id = id;
	CHECK(ioctl(inst, JABI_KMOD_PREFETCH, &a) == 0);
	CHECK(WAIT_FOR(compare_residency(id, f, pages) >= 32), "%u", compare_residency(id, f, pages));
	p = map(id, 0, pages * PAGE, NULL, 0);
	/* memory pressure: pages are dropped and read again while they are looked at */
	for (int round = 0; round < 3; round++) {
		pid_t hog = fork();

		if (!hog) {
			unsigned long size = 600ul << 20;
			char *m = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
			int adj = open("/proc/self/oom_score_adj", O_WRONLY);

			if (write(adj, "1000", 4) != 4)
				_exit(1);
			for (unsigned long i = 0; i < size; i += PAGE)
				m[i] = 1;
			_exit(0);
		}
		CHECK(write(drop, "1", 1) == 1);
		for (unsigned long i = 0; i < pages; i += 1 + round * 3) {
			fill(want, i, 6);
			CHECK(!memcmp(p + i * PAGE, want, PAGE), "page %lu", i);
		}
		kill(hog, SIGKILL);
		waitpid(hog, NULL, 0);
	}
	close(drop);
	munmap(p, pages * PAGE);
	close(f);
	teardown();
}

static void test_refused(void)
{
	struct jabi_kmod_resident r = { .size = sizeof(r), .id = 77, .nr_pages = 1 };
	int p[2], f;
	unsigned int id;

	setup();
	CHECK_ERR(file_add(-1, &id), EBADF);
	CHECK_ERR(file_add(9999, &id), EBADF);
	CHECK_ERR(file_add(0x7fffffff, &id), EBADF);
	CHECK(pipe(p) == 0);
	CHECK_ERR(file_add(p[0], &id), EOPNOTSUPP);
	CHECK_ERR(file_add(p[1], &id), EBADF);
	CHECK_ERR(file_add(fd, &id), EOPNOTSUPP);
	CHECK_ERR(file_add(inst, &id), EOPNOTSUPP);
	f = open("/proc/self/maps", O_RDONLY);
	CHECK_ERR(file_add(f, &id), EOPNOTSUPP);
	close(f);
	f = open("/sys/kernel/notes", O_RDONLY);
	CHECK(f < 0 || (file_add(f, &id) == -1 && errno == EOPNOTSUPP));
	close(f);
	f = open("/tmp", O_RDONLY);
	CHECK_ERR(file_add(f, &id), EOPNOTSUPP);
	close(f);
	f = open(path, O_WRONLY | O_CREAT, 0600);
	CHECK_ERR(file_add(f, &id), EBADF);
	close(f);
	f = open(path, O_PATH);
	CHECK_ERR(file_add(f, &id), EBADF);
	close(f);
	CHECK_ERR(ioctl(inst, JABI_KMOD_RESIDENT, &r), ENOENT);
	/* another instance's id is nothing here */
	int other = kt_instance(fd), mine = inst;
	f = make_file(1, 1);
	CHECK(file_add(f, &id) == 0);
	inst = other;
	CHECK(map(id, 0, PAGE, NULL, 0) == MAP_FAILED && errno == ENOENT);
	CHECK_ERR(file_del(id), ENOENT);
	inst = mine;
	r.id = id;
	CHECK(ioctl(inst, JABI_KMOD_RESIDENT, &r) == 0);
	r.nr_pages = 0;
	CHECK_ERR(ioctl(inst, JABI_KMOD_RESIDENT, &r), EINVAL);
	r.nr_pages = 4097;
	CHECK_ERR(ioctl(inst, JABI_KMOD_RESIDENT, &r), EINVAL);
	r.nr_pages = 4096;
	r.offset = 1;
	CHECK_ERR(ioctl(inst, JABI_KMOD_RESIDENT, &r), EINVAL);
	close(other);
	close(f);
	close(p[0]);
	close(p[1]);
	teardown();
}

static void test_unmount(void)
{
	CHECK(WAIT_FOR(umount("/mnt") == 0));
}

int main(void)
{
	kt_run("contents and coherence", test_contents);
	kt_run("never writable", test_read_only);
	kt_run("places", test_places);
	kt_run("truncation", test_truncation);
	kt_run("residency against mincore", test_residency);
	kt_run("files that are refused", test_refused);
	/* mke2fs writes ext2; the ext4 driver or ext2 mounts it */
	if (system("dd if=/dev/zero of=/tmp/disk bs=1M count=32 2>/dev/null && mke2fs -F /tmp/disk >/dev/null 2>&1 && "
		   "for t in ext4 ext2; do mount -t $t -o loop /tmp/disk /mnt 2>/dev/null && break; done")) {
		kt_say("not ok %d a disk can be mounted\n", ++kt_no);
		return 1;
	}
	dir = "/mnt";
	kt_run("disk: contents and coherence", test_contents);
	kt_run("disk: never writable", test_read_only);
	kt_run("disk: truncation", test_truncation);
	kt_run("disk: residency, read-ahead, memory pressure", test_disk);
	kt_run("disk: unmounts, nothing holds it", test_unmount);
	unlink("/tmp/disk");
	return kt_end();
}
