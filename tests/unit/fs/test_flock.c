/* SPDX-License-Identifier: MIT */
/* File locks: conflicts, splitting and merging, blocking with signals, circles. */
#include "tests/unit/fs/fs_test.h"
#include <pthread.h>
#include <unistd.h>
#include "userlib/rt/uthread.h"

#define SH 1
#define EX 2
#define NB 4
#define UN 8

static struct path file, file2;
static int A, B, C; /* owners: their addresses */

static void setup(void)
{
	t_mount_memfs();
	ck_assert_int_eq(vfs_open(&w, "/f", O_RDWR | O_CREAT, 0644, 0, &file), 0);
	ck_assert_int_eq(vfs_open(&w, "/g", O_RDWR | O_CREAT, 0644, 0, &file2), 0);
}
static int lock_in(struct path *p, int *owner, int type, s64 start, s64 end, bool wait)
{
	struct posix_lock l = { .type = (s16)type, .start = start, .end = end, .owner = owner, .pid = (int)(owner - &A) + 100 };

	return flock_posix_set(path_inode(p), &l, wait);
}
static int lock(int *owner, int type, s64 start, s64 end)
{
	return lock_in(&file, owner, type, start, end, false);
}
static struct posix_lock get(int *owner, int type, s64 start, s64 end)
{
	struct posix_lock l = { .type = (s16)type, .start = start, .end = end, .owner = owner };

	ck_assert_int_eq(flock_posix_get(path_inode(&file), &l), 0);
	return l;
}

START_TEST(record_locks_conflict_split_and_merge)
{
	struct posix_lock l;

	ck_assert_int_eq(lock(&A, F_WRLCK, 0, 99), 0);
	ck_assert_int_eq(lock(&B, F_RDLCK, 50, 60), -EAGAIN);
	ck_assert_int_eq(lock(&B, F_RDLCK, 100, 110), 0);
	ck_assert_int_eq(lock(&A, F_RDLCK, 100, 120), 0);
	ck_assert_int_eq(lock(&A, F_WRLCK, 100, 120), -EAGAIN);
	ck_assert_int_eq(lock(&A, F_UNLCK, 40, 59), 0);
	ck_assert_int_eq(lock(&B, F_WRLCK, 40, 59), 0);
	l = get(&C, F_WRLCK, 60, INT64_MAX);
	ck_assert_int_eq(l.type, F_WRLCK);
	ck_assert_int_eq(l.start, 60);
	ck_assert_int_eq(l.end, 99);
	ck_assert_int_eq(lock(&B, F_UNLCK, 0, INT64_MAX), 0);
	ck_assert_int_eq(lock(&A, F_WRLCK, 40, 59), 0);
	l = get(&C, F_RDLCK, 0, 10);
	ck_assert_int_eq(l.end, 99); /* three pieces became one again */
	ck_assert_int_eq(lock(&A, F_RDLCK, 0, 99), 0);
	l = get(&C, F_WRLCK, 0, 10);
	ck_assert_int_eq(l.type, F_RDLCK);
	ck_assert_int_eq(l.end, 120);
	ck_assert_int_eq(get(&A, F_WRLCK, 0, 10).type, F_UNLCK);
	flock_posix_release_owner(path_inode(&file), &A);
	ck_assert_int_eq(get(&C, F_WRLCK, 0, INT64_MAX).type, F_UNLCK);
}
END_TEST

START_TEST(flock_shared_exclusive_and_conversion)
{
	struct inode *i = path_inode(&file);

	ck_assert_int_eq(flock_bsd(i, &A, SH), 0);
	ck_assert_int_eq(flock_bsd(i, &B, SH), 0);
	ck_assert_int_eq(flock_bsd(i, &C, EX | NB), -EAGAIN);
	ck_assert_int_eq(flock_bsd(i, &A, EX | NB), -EAGAIN); /* and A's shared lock is gone, flock(2) */
	ck_assert_int_eq(flock_bsd(i, &B, EX | NB), 0);
	ck_assert_int_eq(flock_bsd(i, &A, SH | NB), -EAGAIN);
	ck_assert_int_eq(flock_bsd(i, &B, UN), 0);
	ck_assert_int_eq(flock_bsd(i, &A, 3), -EINVAL);
	ck_assert_int_eq(flock_bsd(i, &A, EX), 0);
	flock_release_file(i, &A);
	ck_assert_int_eq(flock_bsd(i, &B, EX | NB), 0);
	flock_release_file(i, &B);
}
END_TEST

struct waiter {
	struct path *file;
	int *owner;
	struct uthread *ut;
	int result;
	bool started;
	bool bsd;
};
static void *wait_for_lock(void *arg)
{
	struct waiter *x = arg;

	x->ut = uthread_self();
	store_release(&x->started, true);
	x->result = x->bsd ? flock_bsd(path_inode(x->file), x->owner, EX) : lock_in(x->file, x->owner, F_WRLCK, 0, 10, true);
	return NULL;
}
static pthread_t start(struct waiter *x)
{
	pthread_t t;

	pthread_create(&t, NULL, wait_for_lock, x);
	while (!load_acquire(&x->started))
		usleep(1000);
	usleep(50000);
	return t;
}

START_TEST(blocked_request_gets_the_lock_when_it_is_given_up)
{
	struct waiter x = { .file = &file, .owner = &B };
	struct waiter y = { .file = &file, .owner = &B, .bsd = true };
	pthread_t t, u;

	ck_assert_int_eq(lock(&A, F_WRLCK, 5, 6), 0);
	ck_assert_int_eq(flock_bsd(path_inode(&file), &A, SH), 0);
	t = start(&x);
	u = start(&y);
	flock_posix_release_owner(path_inode(&file), &A);
	pthread_join(t, NULL);
	ck_assert_int_eq(x.result, 0);
	ck_assert_int_eq(lock(&A, F_RDLCK, 5, 6), -EAGAIN);
	flock_release_file(path_inode(&file), &A);
	pthread_join(u, NULL);
	ck_assert_int_eq(y.result, 0);
}
END_TEST

START_TEST(signal_ends_the_wait)
{
	struct waiter x = { .file = &file, .owner = &B };
	pthread_t t;

	ck_assert_int_eq(lock(&A, F_WRLCK, 5, 6), 0);
	t = start(&x);
	sim_signal(x.ut, true);
	pthread_join(t, NULL);
	ck_assert_int_eq(x.result, -ERESTARTSYS);
	ck_assert_int_eq(lock(&A, F_UNLCK, 5, 6), 0);
	ck_assert_int_eq(lock(&C, F_WRLCK, 0, 10), 0);
}
END_TEST

START_TEST(circles_are_refused)
{
	struct waiter x = { .file = &file2, .owner = &A };
	pthread_t t;

	ck_assert_int_eq(lock_in(&file, &A, F_WRLCK, 0, 10, false), 0);
	ck_assert_int_eq(lock_in(&file2, &B, F_WRLCK, 0, 10, false), 0);
	t = start(&x); /* A waits for B */
	ck_assert_int_eq(lock_in(&file, &B, F_WRLCK, 0, 10, true), -EDEADLK);
	flock_posix_release_owner(path_inode(&file2), &B);
	pthread_join(t, NULL);
	ck_assert_int_eq(x.result, 0);
}
END_TEST


static void *churn(void *arg)
{
	char a[32], b[32];

	for (int n = 0; n < 300; n++) {
		snprintf(a, sizeof(a), "/c/%ld-%d", (long)(intptr_t)arg, n % 5);
		snprintf(b, sizeof(b), "/c/%d", n % 7);
		(void)t_walk(b, 0);
		if (vfs_mkdir(&w, a, 0755) == 0)
			(void)vfs_rename(&w, a, &w, b, 0);
		(void)vfs_symlink(&w, b, a);
		(void)t_walk(a, 0);
		(void)vfs_unlink(&w, a);
		(void)vfs_rmdir(&w, b);
		(void)vfs_rmdir(&w, a);
	}
	return NULL;
}

START_TEST(threads_in_one_directory)
{
	pthread_t t[4];

	ck_assert_int_eq(vfs_mkdir(&w, "/c", 0777), 0);
	for (long n = 0; n < 4; n++)
		pthread_create(&t[n], NULL, churn, (void *)(intptr_t)n);
	for (long n = 0; n < 4; n++)
		pthread_join(t[n], NULL);
	for (int n = 0; n < 7; n++) {
		char b[32];

		snprintf(b, sizeof(b), "/c/%d", n);
		(void)vfs_rmdir(&w, b);
	}
	ck_assert_str_eq(t_ls("/c"), "");
	ck_assert_int_eq(vfs_rmdir(&w, "/c"), 0);
}
END_TEST

Suite *flock_suite(void)
{
	Suite *s = suite_create("flock");
	TCase *t = tcase_create("flock");

	tcase_add_checked_fixture(t, setup, NULL);
	tcase_set_timeout(t, 30);
	tcase_add_test(t, record_locks_conflict_split_and_merge);
	tcase_add_test(t, flock_shared_exclusive_and_conversion);
	tcase_add_test(t, blocked_request_gets_the_lock_when_it_is_given_up);
	tcase_add_test(t, signal_ends_the_wait);
	tcase_add_test(t, circles_are_refused);
	tcase_add_test(t, threads_in_one_directory);
	suite_add_tcase(s, t);
	return s;
}
