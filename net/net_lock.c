/* SPDX-License-Identifier: MIT */
/* The lock of net_lock.h: readers' marks and the writer's word. What a section does with packets at its end is stack.c's. */
#include "net/net_lock.h"
#include "net/stack.h"
#include "userlib/base/log.h"
#include "userlib/rt/host.h"

#define SPIN_TRIES 200
#define NAP_MIN_NS 20000
#define NAP_MAX_NS 500000

static u8 frames[NET_READERS + 1][NET_FRAME_MAX];
struct spinlock net_lock __attribute__((aligned(64)));
static u32 lines_used __attribute__((aligned(64))); /* [a] of `lines`, from the first on: a writer looks at no others */
struct net_ctx net_writer = { .tx = frames[NET_READERS], .loop = LIST_INIT(net_writer.loop) };
static struct net_ctx lines[NET_READERS];

/* Waits until *word is 0: a little, then in naps, for its owner may have lost its core. Nobody wakes us. */
static void wait_clear(u32 *word)
{
	s64 nap = NAP_MIN_NS;

	for (;;) {
		for (int i = 0; i < SPIN_TRIES; i++) {
			if (!load_acquire(word))
				return;
			cpu_pause();
		}
		host_futex_wait(word, 1, nap);
		nap = MIN(nap * 2, (s64)NAP_MAX_NS);
	}
}

void net_writer_enter(void)
{
	struct kthread *kt = kt_self();

	ASSERT(!kt->net);
	spin_lock(&net_lock); /* a full fence: pairs with the one of try_line */
	for (u32 i = 0; i < load_relaxed(&lines_used); i++)
		if (unlikely(load_acquire(&lines[i].busy)))
			wait_clear(&lines[i].busy);
	kt->net = &net_writer;
}

void net_writer_leave(void)
{
	kt_self()->net = NULL;
	spin_unlock(&net_lock);
}

static bool try_line(u32 i)
{
	struct net_ctx *c = &lines[i];
	u32 used = load_relaxed(&lines_used);

	while (unlikely(i >= used) && !atomic_cas(&lines_used, used, i + 1)) /* before the mark: who looks for marks looks here first */
		used = load_relaxed(&lines_used);
	if (load_relaxed(&c->busy) || !atomic_cas(&c->busy, 0u, 1u))
		return false;
	if (unlikely(!c->tx)) {
		c->tx = frames[i];
		list_init(&c->loop);
	}
	return true;
}

/* Marks a line: the one this kThread had before, if it is free. */
static struct net_ctx *take_line(struct kthread *kt)
{
	for (u32 i = kt->net_line;; i++) {
		if (try_line(i % NET_READERS)) {
			kt->net_line = i % NET_READERS;
			return &lines[kt->net_line];
		}
		if (i >= 2 * NET_READERS)
			i = 0;
		cpu_pause();
	}
}

void net_reader_enter(void)
{
	struct kthread *kt = kt_self();
	struct net_ctx *c;

	ASSERT(!kt->net);
	for (;;) {
		c = take_line(kt);
		if (likely(!load_acquire(&net_lock.word)))
			break;
		store_release(&c->busy, 0u);
		wait_clear(&net_lock.word);
	}
	kt->net = c;
}

void net_reader_leave(void)
{
	struct kthread *kt = kt_self();
	struct net_ctx *c = kt->net;

	kt->net = NULL;
	store_release(&c->busy, 0u);
}

u64 net_ctx_sum(size_t offset)
{
	u64 sum = load_relaxed((u64 *)((char *)&net_writer + offset));

	for (u32 i = 0; i < load_relaxed(&lines_used); i++)
		sum += load_relaxed((u64 *)((char *)&lines[i] + offset));
	return sum;
}
