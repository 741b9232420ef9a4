/* SPDX-License-Identifier: MIT */
/*
 * Inner interfaces of junction.ko. What it does is written in include/jabi/jabi_kmod.h; here is how.
 *
 * Locks, outermost first: jk_lock (mutex: claims, registrations, slots, strays), [a run queue's lock], jk_cpu.lock (raw, with interrupts
 * off: who holds a CPU). The scheduler calls the preempt notifiers with a run queue locked, so nothing is woken or freed under jk_cpu.lock:
 * functions that take it hand back whom to wake.
 *
 * A jk_thread is found by slot under RCU and freed after a grace period. References: the instance's list, the task (from REGISTER until
 * the task itself has taken the preempt notifier off or is dead), a CPU that it holds, every queued task work.
 */
#ifndef KMOD_JUNCTION_H
#define KMOD_JUNCTION_H

#include <linux/cpumask.h>
#include <linux/hrtimer.h>
#include <linux/kref.h>
#include <linux/list.h>
#include <linux/mutex.h>
#include <linux/preempt.h>
#include <linux/sched.h>
#include <linux/smp.h>
#include <linux/spinlock.h>
#include <linux/task_work.h>
#include <linux/workqueue.h>
#include <linux/xarray.h>

#include "jabi/jabi_kmod.h"

/* What a control file refers to. Stays after the file is closed (dead) while instances made from it exist. */
struct jk_control {
	struct kref ref;
	bool may_claim;	       /* [I] the opener had CAP_SYS_NICE */
	bool claimed;	       /* [a] has claimed CPUs at some time: threads park */
	bool dead;	       /* [a] the file is closed */
	atomic_t nr_threads;
};

struct jk_instance {
	struct kref ref; /* one per file */
	u32 id;		 /* [I] */
	struct jk_control *ctl; /* [I] ref */
	struct list_head threads; /* [jk_lock] */
	atomic_t nr_threads;
	struct xarray files; /* id -> struct file */
	cpumask_t base;	     /* [I] affinity of threads that hold no CPU */
};

/* private_data of an instance file */
struct jk_inst_file {
	struct jk_instance *inst;
	u32 rights; /* [a] */
};

/* User interrupts of a thread: written by itself with interrupts off, read on its CPU with interrupts off. */
struct jk_uintr {
	u32 delivery; /* JABI_KMOD_DELIVERY_*; NONE: no handler */
	u32 slice_vector;
	u64 handler, stack, ret_begin, ret_end;
	u64 slice_ns;
};

struct jk_uintr_hw; /* uintr_hw.c */

/* bits of jk_thread.work */
#define JK_WORK_QUEUED 0 /* tw is on its way */
#define JK_WORK_KICKED 1 /* csd is on its way */

struct jk_thread {
	struct preempt_notifier pn;
	struct kref ref;
	struct rcu_work free;
	struct list_head node; /* [jk_lock] in jk_instance.threads or jk_strays */
	struct jk_instance *inst; /* [I]; compared only, once gone */
	u32 inst_id;		  /* [I] */
	struct jk_control *ctl;	  /* [I] ref */
	struct task_struct *task; /* [I] ref */
	struct mm_struct *mm;	  /* [I] grabbed: compared only */
	u32 slot;		  /* [I] */
	cpumask_t base;		  /* [I] affinity while it holds no CPU */
	struct page *page;
	struct jabi_kmod_thread *line; /* shared with the program: written, and masked/pending taken as hints about itself */

	bool gone;  /* [a] unregistered; the task has still to take the notifier off */
	bool dead;  /* [a] the task has been scheduled for the last time */
	bool managed; /* [a] written by the task: runs only while granted */
	bool parked;  /* [a] written by the task: waits in the module */
	bool asleep;  /* [a] off its CPU and not runnable, as of the last switch */
	int cpu;      /* [jk_cpu.lock of that cpu to clear; cmpxchg from -1 to set] CPU held */
	u32 gen;      /* of that grant */
	int on_cpu;   /* [a] where it runs now, -1 = nowhere */

	unsigned long work; /* [a] JK_WORK_* */
	struct callback_head tw, bye;
	call_single_data_t csd;
	atomic64_t posted; /* vectors that wait */
	struct jk_uintr ui;
	struct jk_uintr_hw *hw;
	struct hrtimer slice, retry;
	ktime_t slice_left;
	u64 n_delivered, n_deferred, n_held, n_restarted, n_slices; /* own CPU */
};

struct jk_cpu {
	raw_spinlock_t lock;
	int cpu;		/* [I] */
	struct jk_control *ctl; /* [lock] claimed by; no ref: cleared before the control goes */
	struct page *page;	/* [lock to change] */
	struct jabi_kmod_cpu *line;
	struct jk_thread *cur; /* [lock] ref */
	u32 ack;	       /* [lock] generation */
	u32 state;	       /* [lock] as published */
	struct hrtimer deadline;
	ktime_t deadline_at; /* [lock] */
	u64 deadline_ns;     /* [lock] */
	call_single_data_t csd;
	unsigned long kicked; /* [a] bit 0: csd is on its way */
	atomic64_t vectors;   /* of KICK */
	struct task_struct *watcher; /* [jk_lock to change, lock to use] */
	u64 n_grants, n_handovers, n_yields, n_forced, n_lost, n_kicks; /* [lock] */
};

extern struct mutex jk_lock;

/* instance.c */
int jk_instance_create(struct jk_control *ctl, u32 rights, u32 *id);
int jk_instance_share(struct jk_inst_file *f, u32 rights);
struct jk_control *jk_control_create(bool may_claim);
void jk_control_get(struct jk_control *ctl);
void jk_control_put(struct jk_control *ctl);

/* ioctl.c: dispatch, one table per kind of file. */
long jk_control_ioctl(struct file *file, unsigned int cmd, unsigned long arg);
long jk_inst_ioctl(struct file *file, unsigned int cmd, unsigned long arg);
int jk_insert_line_page(struct vm_area_struct *vma, struct page *page); /* main.c */

/* thread.c. A look-up takes a reference. */
int jk_thread_init(void);
void jk_thread_exit(void);
struct jk_thread *jk_thread_find(u32 slot);
void jk_thread_get(struct jk_thread *t);
void jk_thread_put(struct jk_thread *t); /* any context but under a run queue's lock */
int jk_thread_register(struct jk_instance *inst, u32 *slot);
int jk_thread_unregister(struct jk_instance *inst, u32 slot);
struct jk_thread *jk_thread_self(struct jk_instance *inst, u32 slot); /* ref, or ERR_PTR */
struct jk_thread *jk_thread_of_current(struct jk_instance *inst); /* ref, or NULL */
void jk_thread_drop_all(struct jk_instance *inst);			  /* jk_lock held */
void jk_thread_queue_work(struct jk_thread *t);				  /* any context, the task is current or asleep */
void jk_thread_collect(struct jk_control *ctl);				  /* slots of the dead */
void jk_thread_free_all(struct jk_control *ctl);			  /* the daemon is dead: wake, give affinity back */
void jk_thread_pin(struct jk_thread *t, int cpu);			  /* process context; cpu -1: base */

/* cpu.c: claims */
int jk_cpu_init(void);
void jk_cpu_exit(void);
int jk_cpu_claim(struct jk_control *ctl, const struct jabi_kmod_claim *a);
int jk_cpu_release(struct jk_control *ctl, const u64 *cpus);
void jk_cpu_release_all(struct jk_control *ctl);
int jk_cpu_kick(struct jk_control *ctl, const struct jabi_kmod_cpus *a);
struct page *jk_cpu_page(struct jk_control *ctl, unsigned long cpu); /* ref, or NULL */
struct jk_cpu *jk_cpu_of(int cpu);

/* grant.c: who holds a CPU */
#define JK_ORDER_IPI	  0 /* interrupts off, on that CPU */
#define JK_ORDER_DEADLINE 1 /* the same, and the holder has had its time */
#define JK_ORDER_PROCESS  2 /* elsewhere: no holder, or one that gives up */
void jk_grant_orders(struct jk_cpu *c, int how);
void jk_grant_give_up(struct jk_cpu *c, struct jk_thread *t); /* PARK: drop, hand over */
void jk_grant_lose(struct jk_thread *t);		      /* died, stopped or gone: any context; nobody is woken */
void jk_grant_take(struct jk_cpu *c);			      /* RELEASE: the holder is stopped */
void jk_grant_blocked(struct jk_thread *t, bool blocked);     /* from the notifiers */
int jk_grant_park(struct jk_thread *t, struct jabi_kmod_park *a);
int jk_grant_leave(struct jk_thread *t, struct jabi_kmod_park *a);
void jk_grant_stop_here(struct jk_thread *t); /* task work: wait until granted */
bool jk_grant_must_stop(struct jk_thread *t);
void jk_grant_vectors(struct jk_cpu *c, u64 vectors);
enum hrtimer_restart jk_grant_deadline(struct hrtimer *timer);

/* watch.c */
int jk_watch_start(struct jk_cpu *c); /* jk_lock */
void jk_watch_stop(struct jk_cpu *c); /* jk_lock */
void jk_watch_wake(struct jk_cpu *c); /* not under a run queue's lock */
bool jk_watch_supported(void);

/* uintr.c */
void jk_uintr_init(struct jk_thread *t);
void jk_uintr_exit(struct jk_thread *t); /* in the task itself, or when it is dead */
int jk_uintr_set(struct jk_thread *t, struct jabi_kmod_uintr *a);
void jk_uintr_post(struct jk_thread *t, u64 vectors);	  /* any context, not under jk_cpu.lock */
void jk_uintr_post_here(struct jk_thread *t, u64 vectors); /* interrupts off, in an interrupt */
void jk_uintr_work(struct jk_thread *t);		  /* task work */
void jk_uintr_sched_in(struct jk_thread *t);
void jk_uintr_sched_out(struct jk_thread *t);

/* uintr_hw.c. sched_in, sched_out, start, stop, raise: interrupts off, the thread is current. */
void jk_hw_init(void); /* before jk_cpu_init */
void jk_hw_exit(void);
void jk_hw_cpu_up(unsigned int cpu);
void jk_hw_cpu_down(unsigned int cpu);
bool jk_hw_usable(void);
int jk_hw_prepare(struct jk_thread *t); /* the thread itself; may sleep */
void jk_hw_start(struct jk_thread *t);	/* t->ui is the handler */
void jk_hw_stop(struct jk_thread *t);	/* no handler; may still send */
void jk_hw_sched_in(struct jk_thread *t);
void jk_hw_sched_out(struct jk_thread *t); /* leaves nothing on the CPU */
void jk_hw_raise(struct jk_thread *t, u64 vectors);
int jk_hw_target(struct jk_thread *me, struct jk_thread *t, u64 vectors, u32 *index);
void jk_hw_drop_targets(struct jk_thread *t); /* it sends no more */

/* pagecache.c */
int jk_pc_init(void);
void jk_pc_exit(void);
int jk_pc_add(struct jk_instance *inst, int fd, u32 *id);
int jk_pc_del(struct jk_instance *inst, u32 id);
int jk_pc_map(struct jk_instance *inst, struct jabi_kmod_map *a);
int jk_pc_resident(struct jk_instance *inst, struct jabi_kmod_resident *a);
int jk_pc_prefetch(struct jk_instance *inst, const struct jabi_kmod_prefetch *a);
void jk_pc_drop_all(struct jk_instance *inst);

#endif
