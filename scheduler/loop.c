/* SPDX-License-Identifier: MIT */
/*
 * The switch's one thread: polls the ports that have traffic, sleeps in epoll otherwise. A port without traffic is armed and leaves the list
 * of active ports, so that a frame costs the same however many idle ports there are.
 */
#include "scheduler/switch.h"

#include "scheduler/core.h"

#include <errno.h>
#include <sys/epoll.h>
#include <unistd.h>

#define BUDGET	    32 /* frames of one port before the next has its turn */
#define FIRST_PORT_MS 10000
#define EPOLL_EVERY 64 /* busy rounds between looks at armed ports and sockets */

int loop_watch(struct source *s, int fd, u32 events)
{
	struct epoll_event e = { .events = events, .data.ptr = s };

	s->fd = fd;
	if (!epoll_ctl(sw.epoll_fd, EPOLL_CTL_ADD, fd, &e))
		return 0;
	s->fd = -1;
	return -errno;
}

void loop_unwatch(struct source *s)
{
	if (s->fd >= 0) {
		(void)epoll_ctl(sw.epoll_fd, EPOLL_CTL_DEL, s->fd, NULL);
		close(s->fd);
	}
	s->fd = -1;
}

/* One turn for every active port; those that stay quiet are armed. */
static void poll_active(void)
{
	struct port *p, *next;

	list_for_each_safe(p, next, &sw.active, active_link) {
		if (p->is_dead) /* of an earlier one's frames: port_bury_dead unlinks it */
			continue;
		if (p->ops->pull(p, BUDGET)) {
			p->idle_rounds = 0;
		} else if (p->idle_rounds++ >= sw.spin_rounds) {
			list_del(&p->active_link);
			if (p->ops->arm(p))
				port_activate(p);
		}
	}
}

static void handle_events(int timeout)
{
	struct epoll_event e[64];
	int n = epoll_wait(sw.epoll_fd, e, 64, timeout);

	if (!n && timeout == FIRST_PORT_MS)
		sw.had_port = true; /* who started us has not come: over */
	for (int i = 0; i < n; i++) {
		struct source *s = e[i].data.ptr;

		if (s->fd >= 0) /* else its owner died earlier in this batch */
			s->ready(s, e[i].events);
	}
}

/* Returns the exit code. */
int loop_run(void)
{
	unsigned round = 0;
	int cores_ms = -1;

	for (;;) {
		bool is_busy = !list_empty(&sw.active);

		if (!is_busy || ++round % EPOLL_EVERY == 0)
			handle_events(is_busy ? 0 : cores_ms >= 0 ? cores_ms : sw.is_auto && !sw.had_port ? FIRST_PORT_MS : -1);
		if (core_serve_active() && (!is_busy || round % EPOLL_EVERY == 0))
			cores_ms = core_serve_run();
		poll_active();
		port_bury_dead();
		if (sw.is_auto && sw.had_port && !sw.nr_instances) {
			unlink(sw.socket_path);
			return 0;
		}
	}
}
