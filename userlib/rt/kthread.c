/* SPDX-License-Identifier: MIT */
/*
 * Host threads: their start, their loop (run, poll, steal, sleep) and how they are woken. Without a scheduler daemon an instance runs
 * by itself: idle kThreads sleep in the host. One of the sleepers, of whatever kProc, is the watcher: it waits for packets, host fds
 * and the next timer; the others wait on their own word in the arena.
 */
#include "userlib/rt/kthread.h"
#include "userlib/rt/clock_vdso.h"
#include "userlib/rt/cores.h"
#include "userlib/rt/ctl.h"
#include "userlib/base/log.h"
#include "userlib/base/mem.h"
#include "userlib/base/string.h"
#include "userlib/rt/host.h"
#include "userlib/rt/host_ring.h"
#include "userlib/rt/host_thread.h"
#include "userlib/rt/kmod.h"
#include <linux/sched.h>
#include <linux/signal.h>
#include <linux/poll.h>

#define SCHED_STACK_ORDER 3
#define ALT_STACK_ORDER 3 /* 32 KiB: frames with AVX-512 and AMX state are 12 KB */
#define SPIN_NS 30000	  /* polled after the last work before sleeping */
#define MAX_POLL_FDS 64
#define MAX_SOURCES  12	  /* whose descriptors the watcher waits for: a link has up to eight queues */

struct list kproc_list = LIST_INIT(kproc_list);
struct spinlock kproc_list_lock;
u64 kthread_xcr0;
struct xlight kthread_xlight;
int kthread_wake_fd = -1;
void (*host_signal_hook)(int sig);

static struct poll_source *sources;  /* [I] after boot */
static struct kthread *watcher;	     /* [a] who sleeps on behalf of all, or NULL */
static s64 watcher_deadline;	     /* [a] of a sleeping watcher */
static u64 host_signals;	     /* [a] bit per host signal that arrived for the instance */
static struct list graveyard = LIST_INIT(graveyard); /* [kproc_list_lock] dead kProcs not yet freed */
static u32 kproc_ids;

struct fd_waiter {
	struct list link;
	struct uthread *ut;
	int fd;
	u32 events;
	u32 ready;
};
static struct spinlock fd_wait_lock;
static struct list fd_waiters = LIST_INIT(fd_waiters);
static u32 nr_fd_waiters; /* [a] */

void poll_source_register(struct poll_source *s)
{
	s->next = sources;
	sources = s;
}

void watcher_kick(void)
{
	u64 one = 1;

	if (load_acquire(&watcher))
		host_write(kthread_wake_fd, &one, 8);
}

void kthread_wake(struct kthread *kt)
{
	if (atomic_xchg(&kt->park_word, 1u))
		return;
	if (load_acquire(&kt->sleeping) == KT_FUTEX)
		host_futex_wake(&kt->park_word, 1);
	else if (load_acquire(&kt->sleeping) == KT_WATCHER)
		watcher_kick();
}

void sched_wake_idle(struct kproc *kp)
{
	u64 idle = load_acquire(&kp->idle_mask);
	u32 nr = load_acquire(&kp->nr_kthreads);

	if (idle) {
		kthread_wake(kp->kthreads[__builtin_ctzll(idle)]);
		return;
	}
	if (nr < sched_nr_cores && kt_self()->kproc == kp) {
		struct kthread *kt = kthread_create(kp);

		if (kt && kthread_start(kt))
			log_once(LOG_WARN, "no further host thread: running on %u", nr);
	}
}

void kthread_want_watcher(struct kthread *kt)
{
	if (sources && !load_relaxed(&watcher))
		sched_wake_idle(kt->kproc);
}

void sched_kick(struct uthread *ut)
{
	struct kthread *kt = load_acquire(&ut->kt);

	full_fence(); /* pairs with sched_set_current */
	if (!kt || kt == kt_self() || READ_ONCE(kt->current) != ut) {
		if (kt == kt_self() && kt->current == ut)
			store_release(&kt->work, 1u);
		return;
	}
	/* Already set: it is in the kernel and will look, or another's kick is on its way. A flood of kicks would overrun its signal stack. */
	if (!atomic_xchg(&kt->work, 1u) && kmod_interrupt(kt))
		host_tgkill(kt->kproc->host_pid, kt->host_tid, TRAP_SIG_KICK);
}

/* ---- host fds (stdio handed over by the launcher) ---- */

static u32 collect_fds(struct pollfd *p, u32 n, u32 max)
{
	struct fd_waiter *w;

	spin_lock(&fd_wait_lock);
	list_for_each(w, &fd_waiters, link) {
		if (n == max)
			break;
		p[n++] = (struct pollfd){ .fd = w->fd, .events = (short)w->events };
	}
	spin_unlock(&fd_wait_lock);
	return n;
}

static bool deliver_fds(const struct pollfd *p, u32 n)
{
	struct fd_waiter *w;
	bool did = false;

	spin_lock(&fd_wait_lock);
	list_for_each(w, &fd_waiters, link) {
		for (u32 i = 0; i < n; i++) {
			if (p[i].fd == w->fd && p[i].revents) {
				store_release(&w->ready, 1u);
				uthread_unpark(w->ut);
				did = true;
				break;
			}
		}
	}
	spin_unlock(&fd_wait_lock);
	return did;
}

int host_fd_wait(int fd, u32 events, s64 deadline_ns)
{
	struct fd_waiter w = { .ut = uthread_self(), .fd = fd, .events = events };
	int r = 0;

	spin_lock(&fd_wait_lock);
	list_add_tail(&fd_waiters, &w.link);
	spin_unlock(&fd_wait_lock);
	atomic_fetch_add(&nr_fd_waiters, 1u);
	watcher_kick();
	while (!load_acquire(&w.ready)) {
		if (uthread_signal_pending()) {
			r = -ERESTARTSYS;
			break;
		}
		if (uthread_park(deadline_ns) == -ETIMEDOUT) {
			r = load_acquire(&w.ready) ? 0 : -ETIMEDOUT;
			break;
		}
	}
	spin_lock(&fd_wait_lock);
	list_del(&w.link);
	spin_unlock(&fd_wait_lock);
	atomic_fetch_sub(&nr_fd_waiters, 1u);
	return r;
}

/* ---- host signals for the instance ---- */

void host_signal_note(int sig)
{
	u64 one = 1;

	atomic_fetch_or(&host_signals, 1ull << (sig - 1));
	if (load_acquire(&watcher))
		host_write(kthread_wake_fd, &one, 8);
}

bool host_signals_run(void)
{
	u64 set;

	if (likely(!load_relaxed(&host_signals)))
		return false;
	set = atomic_xchg(&host_signals, 0ull);
	for (int sig = 1; sig <= 64; sig++)
		if (set & 1ull << (sig - 1) && host_signal_hook)
			host_signal_hook(sig);
	return set != 0;
}

/* ---- the loop ---- */

bool kthread_poll_once(bool host_fds)
{
	bool did = host_signals_run();

	did |= ctl_poll();
	did |= host_ring_poll();
	for (struct poll_source *s = sources; s; s = s->next) {
		if (load_relaxed(&s->busy) || atomic_xchg(&s->busy, 1u))
			continue;
		did |= s->poll(s->arg);
		store_release(&s->busy, 0u);
	}
	if (timer_next_expiry() != TIME_FOREVER)
		did |= timer_run_expired(clock_monotonic_ns());
	if (host_fds && load_acquire(&nr_fd_waiters)) {
		struct pollfd p[MAX_POLL_FDS];
		u32 n = collect_fds(p, 0, MAX_POLL_FDS);

		if (host_ppoll(p, n, 0, NULL) > 0)
			did |= deliver_fds(p, n);
	}
	return did;
}

static struct uthread *steal(struct kthread *me)
{
	struct kproc *kp = me->kproc;
	u32 n = load_acquire(&kp->nr_kthreads);

	for (u32 i = 1; i < n; i++) {
		struct uthread *ut = runq_pop(kp->kthreads[(me->index + i) % n]);

		if (ut) {
			me->nr_steals++;
			return ut;
		}
	}
	return NULL;
}

static bool anything_runnable(struct kproc *kp)
{
	for (u32 i = 0; i < load_acquire(&kp->nr_kthreads); i++)
		if (load_acquire(&kp->kthreads[i]->runq_len))
			return true;
	return load_acquire(&kp->dying);
}

static bool arm_sources(bool on)
{
	bool some = false;

	for (struct poll_source *s = sources; s; s = s->next)
		if (s->arm)
			some |= s->arm(s->arg, on);
	return some;
}

static void sleep_as_watcher(struct kthread *kt)
{
	struct pollfd p[MAX_POLL_FDS + MAX_SOURCES + 2];
	s64 deadline = timer_next_expiry(), timeout = -1;
	u32 n = 0, first_waiter;
	bool some;
	u64 count;

	store_release(&watcher_deadline, deadline);
	p[n++] = (struct pollfd){ .fd = kthread_wake_fd, .events = POLLIN };
	if (host_ring_fd >= 0)
		p[n++] = (struct pollfd){ .fd = host_ring_fd, .events = POLLIN };
	for (struct poll_source *s = sources; s && n < MAX_SOURCES + 2; s = s->next)
		if (s->host_fd >= 0)
			p[n++] = (struct pollfd){ .fd = s->host_fd, .events = (short)(POLLIN | load_relaxed(&s->also)) };
	some = arm_sources(true);
	first_waiter = n;
	n = collect_fds(p, n, ARRAY_SIZE(p));
	if (deadline != TIME_FOREVER) {
		timeout = deadline - clock_monotonic_ns();
		if (timeout < 0)
			timeout = 0;
	}
	full_fence(); /* pairs with kthread_wake and host_signal_note */
	if (some || load_acquire(&kt->park_word) || load_acquire(&host_signals) || anything_runnable(kt->kproc) ||
	    timer_next_expiry() < deadline)
		timeout = 0;
	if (host_ppoll(p, n, timeout, NULL) > 0) {
		if (p[0].revents)
			host_read(kthread_wake_fd, &count, 8);
		if (n > first_waiter)
			deliver_fds(p + first_waiter, n - first_waiter);
	}
	(void)arm_sources(false);
}

/* Sleeps until woken, or as the watcher until there is something to poll. */
static void kthread_sleep(struct kthread *kt)
{
	u64 bit = 1ull << kt->index;
	bool watch = load_relaxed(&watcher) == NULL && atomic_cas(&watcher, (struct kthread *)NULL, kt);

	kt->nr_parks++;
	cores_ops()->release(kt);
	store_release(&kt->sleeping, watch ? KT_WATCHER : KT_FUTEX);
	atomic_fetch_or(&kt->kproc->idle_mask, bit);
	full_fence(); /* pairs with sched_enqueue: announce first, then look at the queues */
	if (watch) {
		sleep_as_watcher(kt);
		store_release(&watcher, NULL);
	} else if (!anything_runnable(kt->kproc)) {
		/* A timer earlier than the watcher knows of: it must look again. */
		if (timer_next_expiry() < load_acquire(&watcher_deadline))
			watcher_kick();
		host_futex_wait(&kt->park_word, 0, -1);
	}
	store_release(&kt->sleeping, KT_AWAKE);
	atomic_fetch_and(&kt->kproc->idle_mask, ~bit);
	store_release(&kt->park_word, 0u);
	cores_ops()->acquire(kt);
}

static void kthread_exit(struct kthread *kt)
{
	struct kproc *kp = kt->kproc;
	bool last;

	spin_lock(&kp->lock);
	last = --kp->nr_live == 0;
	spin_unlock(&kp->lock);
	if (!last) {
		for (u32 i = 0; i < load_acquire(&kp->nr_kthreads); i++)
			kthread_wake(kp->kthreads[i]);
		host_exit_thread(0);
	}
	/* The last one: the address space goes with the host process, the objects when it has been reaped. */
	spin_lock(&kproc_list_lock);
	list_del(&kp->link);
	list_add_tail(&graveyard, &kp->link);
	spin_unlock(&kproc_list_lock);
	host_exit_group(0);
}

/* False: who we would wait for runs on this very CPU, so only sleeping lets it go on. */
static bool may_spin(void)
{
	for (struct poll_source *s = sources; s; s = s->next)
		if (s->may_spin && !s->may_spin(s->arg))
			return false;
	return true;
}

static noreturn_fn void idle_loop(struct kthread *kt)
{
	s64 idle_since = 0;

	cores_ops()->acquire(kt);
	for (;;) {
		cores_ops()->yield(kt);

		struct uthread *ut = runq_pop(kt);
		bool did = kthread_poll_once(false);

		if (!ut)
			ut = runq_pop(kt);
		if (!ut)
			ut = steal(kt);
		if (ut) {
			idle_since = 0;
			kt->switch_tsc = __builtin_ia32_rdtsc();
			sched_set_current(kt, ut);
			ctx_switch(&kt->idle_rsp, ut->ctx_rsp);
			finish_switch();
			continue;
		}
		if (load_acquire(&kt->kproc->dying) || load_acquire(&kt->kproc->nr_uthreads) == 0) {
			store_release(&kt->kproc->dying, 1u);
			if (load_relaxed(&watcher) == kt)
				store_release(&watcher, NULL);
			kthread_exit(kt);
		}
		if (did) {
			idle_since = 0;
			continue;
		}
		if (sources && load_relaxed(&watcher) == NULL) {
			s64 now = clock_monotonic_ns();

			if (!idle_since)
				idle_since = now;
			if (now - idle_since < SPIN_NS && may_spin()) {
				cpu_pause();
				continue;
			}
		}
		idle_since = 0;
		kthread_sleep(kt);
	}
}

/* ---- creation ---- */

/* Frees kProcs whose host process the launcher has reaped: only then is nobody on their stacks. */
static void graveyard_sweep(void)
{
	struct kproc *kp;

	for (;;) {
		spin_lock(&kproc_list_lock);
		kp = list_empty(&graveyard) ? NULL : list_first(&graveyard, struct kproc, link);
		if (kp && host_tgkill(kp->host_pid, kp->host_pid, 0) == -ESRCH)
			list_del(&kp->link);
		else
			kp = NULL;
		spin_unlock(&kproc_list_lock);
		if (!kp)
			return;
		kproc_free(kp);
	}
}

struct kproc *kproc_create(void)
{
	struct kproc *kp;

	graveyard_sweep();
	kp = kmem_zalloc(sizeof(*kp));

	if (kp) {
		kp->id = atomic_fetch_add(&kproc_ids, 1u);
		list_init(&kp->link);
	}
	return kp;
}

struct kthread *kthread_create(struct kproc *kp)
{
	struct kthread *kt = kmem_zalloc(sizeof(*kt));

	if (!kt)
		return NULL;
	kt->sched_stack = page_alloc(SCHED_STACK_ORDER);
	kt->alt_stack = page_alloc(ALT_STACK_ORDER);
	if (!kt->sched_stack || !kt->alt_stack || kmod_thread_alloc(kt))
		goto err_free;
	kt->self = kt;
	kt->kproc = kp;
	kt->entry = (void *)kernel_entry_syscall;
	kt->vdso_clock_gettime = (void *)clock_host_vdso;
	kt->idle_ut.kproc = kp;
	kt->idle_ut.flags = UTF_KERNEL;
	kt->current = &kt->idle_ut;
	list_init(&kt->runq);
	spin_lock(&kp->lock);
	if (kp->nr_kthreads == MAX_CORES) {
		spin_unlock(&kp->lock);
		goto err_free;
	}
	kt->index = kp->nr_kthreads;
	kt->cpu = kthread_core(kt);
	kp->kthreads[kt->index] = kt;
	kp->nr_live++;
	store_release(&kp->nr_kthreads, kt->index + 1);
	spin_unlock(&kp->lock);
	return kt;
err_free:
	if (kt->sched_stack)
		page_free(kt->sched_stack, SCHED_STACK_ORDER);
	if (kt->alt_stack)
		page_free(kt->alt_stack, ALT_STACK_ORDER);
	kmod_thread_free(kt);
	kmem_free(kt, sizeof(*kt));
	return NULL;
}

void (*kproc_gone_hook)(struct kproc *kp);

/* Memory of a kProc whose host process is gone or never came to be. */
void kproc_free(struct kproc *kp)
{
	if (kproc_gone_hook)
		kproc_gone_hook(kp);
	for (u32 i = 0; i < kp->nr_kthreads; i++) {
		page_free(kp->kthreads[i]->sched_stack, SCHED_STACK_ORDER);
		page_free(kp->kthreads[i]->alt_stack, ALT_STACK_ORDER);
		kmod_thread_free(kp->kthreads[i]);
		kmem_free(kp->kthreads[i], sizeof(struct kthread));
	}
	kmem_free(kp, sizeof(*kp));
}

static char *stack_top(struct kthread *kt)
{
	return kt->sched_stack + (PAGE_SIZE << SCHED_STACK_ORDER) - 64;
}

static noreturn_fn void kthread_main(void *arg)
{
	struct kthread *kt = arg;

	kt->host_tid = host_gettid();
	trap_thread_init(kt);
	idle_loop(kt);
}

int kthread_start(struct kthread *kt)
{
	u64 all = ~0ull, old;
	int r;

	host_rt_sigprocmask(SIG_BLOCK, &all, &old);
	r = host_clone_call(CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD | CLONE_SYSVSEM,
			    stack_top(kt), (void (*)(void *))kthread_main, kt, NULL, kt);
	host_rt_sigprocmask(SIG_SETMASK, &old, NULL);
	return r < 0 ? r : 0;
}

struct fork_start {
	struct kthread *kt;
	struct uthread *first;
};

static noreturn_fn void forked_main(void *arg)
{
	struct fork_start *s = arg;
	struct kthread *kt = s->kt;

	host_die_with_launcher();
	kt->kproc->host_pid = host_getpid();
	kt->host_tid = kt->kproc->host_pid;
	spin_lock(&kt->runq_lock);
	list_add_tail(&kt->runq, &s->first->run_node);
	kt->runq_len++;
	spin_unlock(&kt->runq_lock);
	kmem_free(s, sizeof(*s));
	trap_thread_init(kt);
	idle_loop(kt);
}

int kthread_fork(struct kthread *kt, struct uthread *first)
{
	u64 all = ~0ull, old;
	struct fork_start *s = kmem_alloc(sizeof(*s));
	struct kproc *kp = kt->kproc;
	int r;

	if (!s)
		return -ENOMEM;
	*s = (struct fork_start){ kt, first };
	spin_lock(&kproc_list_lock);
	list_add_tail(&kproc_list, &kp->link);
	spin_unlock(&kproc_list_lock);
	host_rt_sigprocmask(SIG_BLOCK, &all, &old);
	/* CLONE_PARENT: the launcher reaps every kProc. CLONE_FILES: host fd numbers mean the same in all of them. */
	r = host_clone_call(CLONE_FILES | CLONE_PARENT | 17 /* SIGCHLD */, stack_top(kt),
			    (void (*)(void *))forked_main, s, NULL, kt);
	host_rt_sigprocmask(SIG_SETMASK, &old, NULL);
	if (r < 0) {
		spin_lock(&kproc_list_lock);
		list_del(&kp->link);
		spin_unlock(&kproc_list_lock);
		kmem_free(s, sizeof(*s));
		return r;
	}
	return 0;
}

static noreturn_fn void boot_main(void *arg)
{
	struct kthread *kt = arg;

	trap_process_init();
	trap_thread_init(kt);
	idle_loop(kt);
}

void kthread_adopt(struct kthread *kt)
{
	kt->kproc->host_pid = host_getpid();
	kt->host_tid = host_gettid();
	__asm__ volatile("wrgsbase %0" ::"r"(kt));
}

void sched_boot(struct kproc *kp, struct uthread *first)
{
	struct kthread *kt = kp->kthreads[0];

	spin_lock(&kproc_list_lock);
	list_add_tail(&kproc_list, &kp->link);
	spin_unlock(&kproc_list_lock);
	first->kt = kt;
	list_add_tail(&kt->runq, &first->run_node);
	kt->runq_len = 1;
	__asm__ volatile("mov %1, %%rsp\n\txor %%ebp, %%ebp\n\tmov %0, %%rdi\n\tcall *%2\n\tud2"
			 :
			 : "r"(kt), "r"(stack_top(kt)), "r"(boot_main)
			 : "rdi", "memory");
	__builtin_unreachable();
}
