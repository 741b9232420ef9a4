/* SPDX-License-Identifier: MIT */
/* fork from a thread while others run; the child is whole: malloc, threads, stdio. */
#include "t.h"
#include <pthread.h>
#include <sched.h>

static volatile int stop;

static void *worker(void *arg)
{
	(void)arg;
	while (!stop) {
		free(malloc(100));
		sched_yield();
	}
	return NULL;
}

static void *forker(void *arg)
{
	int st, bad = 0;

	(void)arg;
	for (int i = 0; i < 20; i++) {
		pid_t p = fork();

		if (p == 0) {
			pthread_t t;

			stop = 1;
			if (!malloc(1000) || pthread_create(&t, NULL, worker, NULL) ||
			    pthread_join(t, NULL))
				_exit(1);
			_exit(getpid() == gettid() ? 0 : 2);
		}
		waitpid(p, &st, 0);
		bad += st != 0;
	}
	return (void *)(long)bad;
}

int main(void)
{
	pthread_t w[3], f;
	void *v;

	for (int i = 0; i < 3; i++)
		pthread_create(&w[i], NULL, worker, NULL);
	pthread_create(&f, NULL, forker, NULL);
	pthread_join(f, &v);
	stop = 1;
	for (int i = 0; i < 3; i++)
		pthread_join(w[i], NULL);
	t_say("forks from a thread: %ld bad", (long)v);
	return 0;
}
