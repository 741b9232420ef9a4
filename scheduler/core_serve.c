/* SPDX-License-Identifier: MIT */
/*
 * junctiond --cores LIST: claims CPUs with the kernel module and serves the instances that ask for them; each gets its file of the module
 * and a bell, a pipe into which its threads write their slot when they have work. What comes out of the pipe is hostile: a slot that is not
 * of that instance is ignored. Without the module the instances get the CPUs as their affinity.
 */
#include "scheduler/core.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <time.h>
#include <unistd.h>

#include "scheduler/switch.h"

struct bell {
	struct source source;
	u32 instance;
};

static u64 cpus;
static bool by_module;

static s64 now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (s64)ts.tv_sec * 1000000000 + ts.tv_nsec;
}

/* "1,3-5" */
static int parse_list(const char *s, u64 *out)
{
	for (*out = 0; *s;) {
		char *end;
		unsigned long a = strtoul(s, &end, 10), b = a;

		if (end == s || *s < '0' || *s > '9')
			return -EINVAL;
		if (*end == '-') {
			s = end + 1;
			b = strtoul(s, &end, 10);
			if (end == s || *s < '0' || *s > '9')
				return -EINVAL;
		}
		if (b >= CORE_MAX_CPUS || a > b || (*end && (*end != ',' || !end[1])))
			return -EINVAL;
		for (; a <= b; a++)
			*out |= 1ull << a;
		s = *end ? end + 1 : end;
	}
	return *out ? 0 : -EINVAL;
}

static bool may_run_on(u64 mask)
{
	cpu_set_t set;

	if (sched_getaffinity(0, sizeof(set), &set))
		return false;
	for (unsigned i = 0; i < CORE_MAX_CPUS; i++)
		if (mask >> i & 1 && !CPU_ISSET(i, &set))
			return false;
	return true;
}

int core_serve_open(const char *list)
{
	int r = parse_list(list, &cpus);

	if (r)
		return r;
	if (!may_run_on(cpus))
		return -ENODEV;
	r = core_kmod_open(cpus);
	by_module = !r;
	if (by_module)
		core_init(&core_kmod_ops, cpus);
	else if (r == -EBUSY || r == -EPROTO) /* it is there and means something */
		return r;
	fprintf(stderr, "junctiond: cores %s: %s\n", list,
		by_module ? "granted by the kernel module" : "as affinity, the kernel module is not usable");
	return 0;
}

bool core_serve_active(void)
{
	return cpus;
}

static void bell_ready(struct source *s, u32 events)
{
	struct bell *b = container_of(s, struct bell, source);
	u32 slots[128][2];
	ssize_t n = read(s->fd, slots, sizeof(slots));

	(void)events;
	if (n < 0 && errno == EAGAIN)
		return;
	if (n <= 0) { /* the last writer has gone, its threads with it */
		loop_unwatch(s);
		free(b);
		return;
	}
	for (size_t i = 0; i < (size_t)n / sizeof(slots[0]); i++)
		core_want(b->instance, slots[i][0], now_ns());
}

int core_serve_attach(int *fds, u64 *mask)
{
	struct bell *b;
	int p[2], r;

	*mask = cpus;
	if (!cpus)
		return -ENODEV;
	if (!by_module)
		return 0;
	if (pipe2(p, O_CLOEXEC | O_NONBLOCK))
		return -errno;
	b = calloc(1, sizeof(*b));
	r = -ENOMEM;
	if (!b)
		goto err_pipe;
	fds[0] = core_kmod_instance(&b->instance);
	r = fds[0];
	if (r < 0)
		goto err_bell;
	fds[1] = p[1];
	b->source.ready = bell_ready;
	r = loop_watch(&b->source, p[0], EPOLLIN);
	if (r)
		goto err_instance;
	return 2;
err_instance:
	close(fds[0]);
err_bell:
	free(b);
err_pipe:
	close(p[0]);
	close(p[1]);
	return r;
}

int core_serve_run(void)
{
	return by_module ? core_run(now_ns()) : -1;
}
