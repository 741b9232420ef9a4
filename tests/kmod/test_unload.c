/* SPDX-License-Identifier: MIT */
/* junction.ko: a hundred times unloaded and loaded: refused while in use, whatever the use is, and accepted after. Ends with it loaded. */
#include "tests/kmod/kt.h"

static int unload(void)
{
	return syscall(SYS_delete_module, "junction", O_NONBLOCK);
}

static int load(void)
{
	int f = open("/modules/junction.ko", O_RDONLY | O_CLOEXEC);
	int r = syscall(SYS_finit_module, f, "", 0);

	close(f);
	return r;
}

static void *registered(void *arg)
{
	unsigned int slot;

	kt_register(*(int *)arg, &slot);
	return NULL;
}

static void cycle(unsigned int use)
{
	int fd, inst = -1;
	unsigned int slot;
	void *page = MAP_FAILED;
	pthread_t t;

	fd = kt_open();
	CHECK_ERR(unload(), EWOULDBLOCK);
	switch (use) {
	case 1: /* an instance alone */
		inst = kt_instance(fd);
		close(fd);
		fd = -1;
		break;
	case 2: /* a mapping of a CPU's page alone */
		CHECK(kt_claim(fd, 1, 0, 0) == 0);
		page = (void *)kt_cpu(fd, 1);
		close(fd);
		fd = -1;
		break;
	case 3: /* a registered thread's page, and the thread */
		inst = kt_instance(fd);
		CHECK(kt_register(inst, &slot) == 0);
		page = (void *)kt_line(inst, slot);
		close(inst);
		inst = -1;
		break;
	case 4: /* a thread that died registered */
		inst = kt_instance(fd);
		pthread_create(&t, NULL, registered, &inst);
		pthread_join(t, NULL);
		break;
	}
	CHECK_ERR(unload(), EWOULDBLOCK);
	if (page != MAP_FAILED)
		munmap(page, 4096);
	close(inst);
	close(fd);
	/* a thread that is to take its notifier off does so on its next way out of the kernel */
	CHECK(WAIT_FOR(unload() == 0));
	CHECK(access(JABI_KMOD_DEVICE, F_OK) == -1);
	CHECK_ERR(unload(), ENOENT);
	CHECK(load() == 0);
	CHECK(WAIT_FOR(access(JABI_KMOD_DEVICE, F_OK) == 0));
}

static void test_cycles(void)
{
	unsigned long n = kt_rounds(100);

	for (unsigned long i = 0; i < n && !kt_bad; i++)
		cycle(i % 5);
}

int main(void)
{
	kt_run("100 unloads: refused in use, accepted idle", test_cycles);
	return kt_end();
}
