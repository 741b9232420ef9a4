/* SPDX-License-Identifier: MIT */
/* Pipes: atomic writes, many readers and writers, sizes, SIGPIPE, O_DIRECT, EOF, fifos. */
#include "t.h"
#include <pthread.h>
#include <sys/ioctl.h>

static int p[2];

static void *writer(void *arg)
{
	char rec[100];

	memset(rec, 'a' + (int)(long)arg, sizeof(rec));
	for (int i = 0; i < 200; i++)
		if (write(p[1], rec, sizeof(rec)) != sizeof(rec))
			return (void *)1;
	return NULL;
}

static void *reader(void *arg)
{
	char rec[100];
	long bad = 0;
	ssize_t n;

	(void)arg;
	while ((n = read(p[0], rec, sizeof(rec))) > 0) {
		if (n != 100)
			bad++;
		for (int i = 1; i < n; i++)
			bad += rec[i] != rec[0];
	}
	return (void *)bad;
}

static void atomicity(void)
{
	pthread_t w[6], r[3];
	long bad = 0;
	void *v;

	pipe(p);
	for (long i = 0; i < 6; i++)
		pthread_create(&w[i], NULL, writer, (void *)i);
	for (long i = 0; i < 3; i++)
		pthread_create(&r[i], NULL, reader, NULL);
	for (int i = 0; i < 6; i++) {
		pthread_join(w[i], &v);
		bad += (long)v;
	}
	close(p[1]);
	for (int i = 0; i < 3; i++) {
		pthread_join(r[i], &v);
		bad += (long)v;
	}
	t_say("torn records: %ld", bad);
	close(p[0]);
}

static void *drain(void *arg)
{
	static char b[300000];
	long total = 0;
	ssize_t n;

	t_sleep_ms(20);
	while ((n = read(*(int *)arg, b, 7000)) > 0)
		total += n;
	return (void *)total;
}

static void pipe_write_to_closed(void)
{
	int q[2];

	pipe(q);
	close(q[0]);
	if (write(q[1], "x", 1) == -1)
		_exit(9);
}

int main(void)
{
	static char big[300000];
	char b[100];
	int n, q[2];
	pthread_t t;
	void *v;

	R(pipe(p));
	R(write(p[1], "hello", 5));
	R(ioctl(p[0], FIONREAD, &n));
	R(n);
	R(read(p[0], b, 2));
	R(read(p[0], b, 100));
	R(read(p[1], b, 1));
	R(write(p[0], b, 1));
	R(lseek(p[0], 0, SEEK_SET));
	R(pread(p[0], b, 1, 0));
	R(fcntl(p[0], F_GETPIPE_SZ));
	R(fcntl(p[0], F_SETFL, O_NONBLOCK));
	R(read(p[0], b, 1));
	R(fcntl(p[1], F_SETFL, O_NONBLOCK));
	R(write(p[1], big, 65536));
	R(write(p[1], big, 1));
	R(read(p[0], big, 4096));
	R(write(p[1], big, 4097));
	R(write(p[1], big, 10000));
	R(fcntl(p[1], F_SETPIPE_SZ, 4096));
	while (read(p[0], big, sizeof(big)) > 0)
		;
	R(fcntl(p[1], F_SETPIPE_SZ, 4096));
	R(fcntl(p[1], F_SETPIPE_SZ, 5000));
	R(fcntl(p[1], F_GETPIPE_SZ));
	close(p[1]);
	R(read(p[0], b, 1));
	close(p[0]);
	pipe(p);
	pthread_create(&t, NULL, drain, &p[0]);
	R(write(p[1], big, sizeof(big)));
	close(p[1]);
	pthread_join(t, &v);
	t_say("drained %ld", (long)v);
	close(p[0]);
	atomicity();
	t_child("write to closed pipe", pipe_write_to_closed);
	signal(SIGPIPE, SIG_IGN);
	pipe(q);
	close(q[0]);
	R(write(q[1], "x", 1));
	R(write(q[1], "x", 0));
	R(pipe2(q, O_DIRECT | O_NONBLOCK));
	R(write(q[1], "packet1", 7));
	R(write(q[1], "packet2x", 8));
	R(read(q[0], b, 3));
	R(read(q[0], b, 100));
	R(read(q[0], b, 100));
	R(pipe2(q, 0x3));
	R(pipe((int *)8));
	unlink("fifo");
	R(mkfifo("fifo", 0600));
	R(open("fifo", O_WRONLY | O_NONBLOCK));
	n = open("fifo", O_RDONLY | O_NONBLOCK);
	Y(n >= 0);
	R(read(n, b, 1));
	q[1] = open("fifo", O_WRONLY | O_NONBLOCK);
	Y(q[1] >= 0);
	R(read(n, b, 1));
	R(write(q[1], "z", 1));
	R(read(n, b, 1));
	return 0;
}
