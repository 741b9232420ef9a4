/* SPDX-License-Identifier: MIT */
/* jctl's option parsing, and the host-call filter as the host enforces it. */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/io_uring.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tools/jctl/config.h"
#include "tools/jctl/launch.h"

static struct run_config config;

static int parse(const char *line)
{
	static char copy[512];
	static char *argv[32];
	int argc = 0;

	snprintf(copy, sizeof(copy), "%s", line);
	for (char *p = strtok(copy, " "); p; p = strtok(NULL, " "))
		argv[argc++] = p;
	argv[argc] = NULL;
	return config_parse(&config, argc, argv);
}

START_TEST(config_takes_options_before_the_program_only)
{
	ck_assert_int_eq(parse("run --cores 2 --mem=512M -v /a:/b:ro -eX=1 -w /tmp --net tap:t0 "
			       "--ip 10.0.0.2/24 --gw 10.0.0.1 "
			       "--strace=/tmp/s --stats -- prog --cores 9"),
			 0);
	ck_assert_uint_eq(config.cores, 2);
	ck_assert_uint_eq(config.mem_bytes, 512 * MiB);
	ck_assert_uint_eq(config.nr_volumes, 1);
	ck_assert(config.volumes[0].is_ro);
	ck_assert_str_eq(config.volumes[0].dst, "/b");
	ck_assert_str_eq(config.env[0], "X=1");
	ck_assert_str_eq(config.tap_name, "t0");
	ck_assert_uint_eq(config.prefix_len, 24);
	ck_assert_uint_eq(config.argc, 3);
	ck_assert_str_eq(config.argv[1], "--cores");
}
END_TEST

START_TEST(config_refuses_what_it_does_not_understand)
{
	static const char *const bad[] = {
		"run",
		"run --nope x",
		"run --cores 0 x",
		"run --cores 2x x",
		"run --mem 1 x",
		"run --mem 99999999999999999999G x",
		"run --mem -5M x",
		"run -v /a x",
		"run -v :/b x",
		"run -v /a:b x",
		"run -v /a:/b:rx x",
		"run -w tmp x",
		"run --net bridge x",
		"run --net tap:0123456789abcdef x",
		"run --net tap x",
		"run --net none --ip 1.2.3.4/24 x",
		"run --net tap --ip 1.2.3.4 x",
		"run --net tap --ip 1.2.3.4/33 x",
		"run --net tap --ip 10.0.0.2/24 --gw 10.0.1.1 x",
		"run --rw=1 x",
		"run --rw --ro x",
		"run --name a/b x",
		"run --config /nonexistent x",
		"run --cores",
	};

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		ck_assert_msg(parse(bad[i]) == -1, "accepted: %s", bad[i]);
}
END_TEST

static int parse_json(const char *text)
{
	char path[] = "/tmp/jctl-test.XXXXXX", line[128];
	int fd = mkstemp(path), r;

	ck_assert_int_eq(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	close(fd);
	snprintf(line, sizeof(line), "run --cores 1 --config %s prog", path);
	r = parse(line);
	unlink(path);
	return r;
}

START_TEST(config_file_has_the_same_names_and_the_command_line_wins)
{
	static const char *const bad[] = { "[",
					   "[]",
					   "{\"nope\":1}",
					   "{\"cores\":true}",
					   "{\"cores\":\"x\"}",
					   "{\"rw\":1}",
					   "{\"volume\":{\"a\":1}}",
					   "{\"args\":[\"x\"]}",
					   "{\"env\":[{}]}",
					   "{\"mem\":null}" };

	ck_assert_int_eq(parse_json("{\"cores\":4,\"mem\":\"64M\",\"env\":{\"A\":\"b\"},\"volume\":"
				    "[\"/x:/y\"],\"rw\":true,"
				    "\"program\":\"p\",\"args\":[\"1\"]}"),
			 0);
	ck_assert_uint_eq(config.cores, 1);
	ck_assert_uint_eq(config.mem_bytes, 64 * MiB);
	ck_assert_str_eq(config.env[0], "A=b");
	ck_assert(config.is_rw);
	ck_assert_str_eq(config.argv[0], "prog");
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		ck_assert_msg(parse_json(bad[i]) == -1, "accepted: %s", bad[i]);
}
END_TEST


#define AT	   ((void *)0x10000000000)

/* Exit code of a child that installs the filter and makes one call: its errno, 0 for success, 255 when killed. */
static int call_errno(bool is_writable, long nr, long a, long b, long c, long d, long e, long f)
{
	struct launch l;
	struct sock_fprog prog;
	pid_t pid;
	int status;

	memset(&l, 0, sizeof(l));
	l.boot.flags = is_writable ? JABI_F_WRITABLE : 0;
	ck_assert_int_eq(filter_add(&l), 0);
	prog.len = (unsigned short)l.boot.filter.len;
	prog.filter = (struct sock_filter *)(void *)(l.pages + l.boot.filter.off);
	pid = fork();
	if (!pid) {
		prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
		if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &prog))
			_exit(254);
		errno = 0;
		if (nr == -80) { /* int 0x80: getpid */
			long r = 20;

			__asm__ volatile("int $0x80"
					 : "+a"(r)
					 :
					 : "memory", "r8", "r9", "r10", "r11");
			_exit(r < 0 ? (int)-r : 0);
		}
		_exit(syscall(nr, a, b, c, d, e, f) == -1 ? errno : 0);
	}
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	free(l.pages);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 255;
}

START_TEST(filter_lets_listed_calls_through_with_good_arguments)
{
	int anon = MAP_PRIVATE | MAP_ANONYMOUS;

	ck_assert_int_eq(call_errno(false, SYS_mmap, (long)AT, 4096, 7, anon | MAP_FIXED, -1, 0),
			 0);
	ck_assert_int_eq(
		call_errno(false, SYS_mmap, (long)AT, 4096, 3, anon | MAP_FIXED_NOREPLACE, -1, 0),
		0);
	ck_assert_int_eq(call_errno(false, SYS_getpid, 0, 0, 0, 0, 0, 0), 0);
	ck_assert_int_eq(call_errno(false, SYS_openat2, 999, 0, 0, 24, 0, 0),
			 EFAULT); /* passes the filter */
	ck_assert_int_ne(call_errno(false, SYS_sendmsg, JABI_PATCH_SOCK_FD, 0, 0, 0, 0, 0), EPERM);
	ck_assert_int_eq(
		call_errno(false, SYS_clone, CLONE_FILES | CLONE_PARENT | SIGCHLD, 0, 0, 0, 0, 0),
		0);
	ck_assert_int_eq(call_errno(false, 451, 999, (long)&config, (long)&config, 0, 0, 0), EBADF);
	ck_assert_int_ne(call_errno(false, SYS_io_uring_enter, JABI_RING_FD, 1, 0, 0, 0, 0), EPERM);
	ck_assert_int_eq(call_errno(false, SYS_io_uring_enter, JABI_RING_FD, 1, 1, 1, 0, 0), EPERM);
	ck_assert_int_eq(call_errno(false, SYS_io_uring_enter, 0, 1, 0, 0, 0, 0), EPERM);
	ck_assert_int_ne(call_errno(false, SYS_io_uring_register, JABI_RING_FD, 6, 0, 0, 0, 0), EPERM);
	for (int op = 0; op < 40; op++)
		if (op != 6)
			ck_assert_int_eq(call_errno(false, SYS_io_uring_register, JABI_RING_FD, op, 0, 0, 0, 0), EPERM);
	ck_assert_int_eq(call_errno(false, SYS_preadv2, 0, 0, 0, 0, 0, 0), EPERM);
	ck_assert_int_eq(call_errno(true, SYS_mkdirat, 999, (long)"x", 0755, 0, 0, 0), EBADF);
}
END_TEST

START_TEST(filter_refuses_the_rest)
{
	static const long forbidden[] = { SYS_open,
					  SYS_openat,
					  SYS_socket,
					  SYS_connect,
					  SYS_execve,
					  SYS_execveat,
					  SYS_fork,
					  SYS_vfork,
					  SYS_clone3,
					  SYS_ptrace,
					  SYS_process_vm_readv,
					  SYS_kill,
					  SYS_setuid,
					  SYS_unshare,
					  SYS_setns,
					  SYS_mount,
					  SYS_chroot,
					  SYS_bpf,
					  SYS_userfaultfd,
					  SYS_io_uring_setup,
					  SYS_io_uring_enter,
					  SYS_seccomp,
					  SYS_perf_event_open,
					  SYS_keyctl,
					  SYS_pidfd_getfd,
					  SYS_memfd_create,
					  SYS_dup2,
					  SYS_fcntl,
					  SYS_mkdirat };
	int anon = MAP_PRIVATE | MAP_ANONYMOUS;

	for (size_t i = 0; i < ARRAY_SIZE(forbidden); i++)
		ck_assert_msg(call_errno(false, forbidden[i], 0, 0, 0, 0, 0, 0) == EPERM,
			      "call %ld", forbidden[i]);
	ck_assert_int_eq(call_errno(false, SYS_mmap, 0, 4096, 3, anon, -1, 0), EPERM);
	ck_assert_int_eq(call_errno(false, SYS_mmap, (long)AT, 4096, 3,
				    anon | MAP_FIXED | MAP_HUGETLB, -1, 0),
			 EPERM);
	ck_assert_int_eq(
		call_errno(false, SYS_mmap, (long)AT, 4096, 0x1000003, anon | MAP_FIXED, -1, 0),
		EPERM);
	ck_assert_int_eq(call_errno(false, SYS_openat2, AT_FDCWD, (long)"/", 0, 24, 0, 0), EPERM);
	ck_assert_int_eq(call_errno(false, SYS_sendmsg, 1, 0, 0, 0, 0, 0), EPERM);
	ck_assert_int_eq(call_errno(false, SYS_ioctl, 0, 0x5412 /* TIOCSTI */, 0, 0, 0, 0), EPERM);
	ck_assert_int_eq(call_errno(false, SYS_prctl, PR_SET_DUMPABLE, 1, 0, 0, 0, 0), EPERM);
	ck_assert_int_eq(call_errno(false, SYS_clone, SIGCHLD, 0, 0, 0, 0, 0), EPERM);
	ck_assert_int_eq(
		call_errno(false, SYS_clone, CLONE_FILES | CLONE_NEWUSER | SIGCHLD, 0, 0, 0, 0, 0),
		EPERM);
	ck_assert_int_eq(call_errno(false, SYS_sched_setaffinity, 1, 8, (long)AT, 0, 0, 0), EPERM);
	ck_assert_int_eq(call_errno(false, SYS_madvise, (long)AT, 4096, 100, 0, 0, 0), EPERM);
	ck_assert_int_eq(call_errno(true, SYS_fchmod, 999, 04755, 0, 0, 0, 0), EPERM);
	ck_assert_int_eq(call_errno(false, 0x40000000 | SYS_getpid, 0, 0, 0, 0, 0, 0),
			 ENOSYS); /* x32 */
	ck_assert_int_eq(call_errno(false, -80, 0, 0, 0, 0, 0, 0), ENOSYS);
}
END_TEST

/* One request with file `fd` of the table (or that descriptor without IOSQE_FIXED_FILE): its result. */
static int ring_result(const struct launch *l, char *rings, struct io_uring_sqe *sqes, int op, int flags, int fd, void *buf)
{
	const struct jabi_ring *g = &l->boot.ring;
	u32 *tail = (u32 *)(rings + g->sq_tail), *head = (u32 *)(rings + g->cq_head), at = *tail & (g->sq_entries - 1);
	struct io_uring_cqe *c = (struct io_uring_cqe *)(rings + g->cqes) + (*head & (g->cq_entries - 1));

	sqes[at] = (struct io_uring_sqe){ .opcode = (u8)op, .flags = (u8)flags, .fd = fd, .addr = (u64)buf, .len = 4 };
	((u32 *)(rings + g->sq_array))[at] = at;
	*tail += 1;
	ck_assert_int_eq(syscall(SYS_io_uring_enter, l->ring_fd, 1, 1, IORING_ENTER_GETEVENTS, NULL, 0), 1);
	*head += 1;
	return c->res;
}

START_TEST(ring_reads_and_syncs_files_of_its_table_and_does_nothing_else)
{
	static struct launch l;
	struct io_uring_sqe *sqes;
	char *rings, buf[8] = "";
	s32 fd = memfd_create("x", 0);
	struct io_uring_files_update up = { .offset = 3, .fds = (u64)&fd };

	l.ring_fd = -1;
	ck_assert_int_eq(ring_create(&l), 0);
	if (l.ring_fd < 0)
		return; /* a host without io_uring */
	rings = mmap(NULL, l.boot.ring.ring_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, l.ring_fd, IORING_OFF_SQ_RING);
	sqes = mmap(NULL, l.boot.ring.sq_entries * sizeof(*sqes), PROT_READ | PROT_WRITE, MAP_SHARED, l.ring_fd, IORING_OFF_SQES);
	ck_assert(rings != MAP_FAILED && (void *)sqes != MAP_FAILED);
	ck_assert_int_eq(write(fd, "text", 4), 4);
	ck_assert_int_eq(syscall(SYS_io_uring_register, l.ring_fd, IORING_REGISTER_FILES_UPDATE, &up, 1), 1);
	ck_assert_int_eq(ring_result(&l, rings, sqes, IORING_OP_READ, IOSQE_FIXED_FILE, 3, buf), 4);
	ck_assert_str_eq(buf, "text");
	ck_assert_int_eq(ring_result(&l, rings, sqes, IORING_OP_READ, 0, fd, buf), -EACCES);
	ck_assert_int_eq(ring_result(&l, rings, sqes, IORING_OP_READ, IOSQE_FIXED_FILE, 4, buf), -EBADF);
	ck_assert_int_eq(ring_result(&l, rings, sqes, IORING_OP_READ, IOSQE_FIXED_FILE | IOSQE_ASYNC, 3, buf), -EACCES);
	for (int op = 0; op < IORING_OP_LAST; op++)
		if (op != IORING_OP_READ && op != IORING_OP_FSYNC)
			ck_assert_int_eq(ring_result(&l, rings, sqes, op, IOSQE_FIXED_FILE, 3, buf), -EACCES);
	ck_assert_int_eq(syscall(SYS_io_uring_register, l.ring_fd, IORING_REGISTER_PERSONALITY, NULL, 0), -1);
	ck_assert_int_eq(errno, EACCES);
	ring_close(&l);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("jctl");
	TCase *tc = tcase_create("jctl");
	SRunner *r;
	int failed;

	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, config_takes_options_before_the_program_only);
	tcase_add_test(tc, config_refuses_what_it_does_not_understand);
	tcase_add_test(tc, config_file_has_the_same_names_and_the_command_line_wins);
	tcase_add_test(tc, filter_lets_listed_calls_through_with_good_arguments);
	tcase_add_test(tc, filter_refuses_the_rest);
	tcase_add_test(tc, ring_reads_and_syncs_files_of_its_table_and_does_nothing_else);
	suite_add_tcase(s, tc);
	r = srunner_create(s);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? 1 : 0;
}
