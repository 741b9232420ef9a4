/* SPDX-License-Identifier: MIT */
/* File locks, per inode. BSD locks hang on inode->flocks, record locks on a list behind inode->flock_posix. Waiters sit on flock_wait. */
#include "fs/flock.h"
#include <linux/fcntl.h>

#define LOCK_SH 1
#define LOCK_EX 2
#define LOCK_NB 4
#define LOCK_UN 8

struct bsd_lock {
	struct list link;
	void *owner;
	bool exclusive;
};

/* One blocked record-lock request, for deadlock detection. */
struct blocked {
	struct list link;
	void *owner, *waits_for;
};
static struct spinlock blocked_lock;
static struct list blocked_list = LIST_INIT(blocked_list);

static struct list *bsd_list(struct inode *i)
{
	if (!i->flocks.next)
		list_init(&i->flocks);
	return &i->flocks;
}

/* 1 = done, 0 = conflict, -ENOLCK */
static int try_bsd(struct inode *i, void *owner, bool exclusive)
{
	struct bsd_lock *l, *mine = NULL;
	int r = 1;

	spin_lock(&i->flock_lock);
	list_for_each(l, bsd_list(i), link) {
		if (l->owner == owner)
			mine = l;
		else if (exclusive || l->exclusive)
			r = 0;
	}
	if (r && mine) {
		mine->exclusive = exclusive;
	} else if (mine) { /* a conversion that must wait gives the old lock up first (flock(2)), or two upgraders would wait for ever */
		list_del(&mine->link);
		kmem_free(mine, sizeof(*mine));
	} else if (r) {
		l = kmem_alloc(sizeof(*l));
		if (l) {
			*l = (struct bsd_lock){ .owner = owner, .exclusive = exclusive };
			list_add_tail(&i->flocks, &l->link);
		} else {
			r = -ENOLCK;
		}
	}
	spin_unlock(&i->flock_lock);
	return r;
}

static void drop_bsd(struct inode *i, void *owner)
{
	struct bsd_lock *l, *n;

	spin_lock(&i->flock_lock);
	list_for_each_safe(l, n, bsd_list(i), link) {
		if (l->owner == owner) {
			list_del(&l->link);
			kmem_free(l, sizeof(*l));
		}
	}
	spin_unlock(&i->flock_lock);
	waitq_wake_everyone(&i->flock_wait);
}

int flock_bsd(struct inode *i, void *owner, int op)
{
	bool nb = op & LOCK_NB;
	int r = 0, e;

	op &= ~LOCK_NB;
	if (op == LOCK_UN) {
		drop_bsd(i, owner);
		return 0;
	}
	if (op != LOCK_SH && op != LOCK_EX)
		return -EINVAL;
	r = try_bsd(i, owner, op == LOCK_EX);
	if (r <= 0 || op == LOCK_SH)
		waitq_wake_everyone(&i->flock_wait); /* a conversion may have let others in */
	if (r == 0 && nb)
		return -EAGAIN;
	if (r == 0) {
		e = wait_event(&i->flock_wait, WAKE_ALL, false, (r = try_bsd(i, owner, op == LOCK_EX)) != 0, TIME_FOREVER, true);
		if (!r)
			return e;
	}
	return r < 0 ? r : 0;
}

/* ---- record locks ---- */

static struct list *posix_list(struct inode *i)
{
	if (!i->flock_posix) {
		struct list *l = kmem_alloc(sizeof(*l));

		if (!l)
			return NULL;
		list_init(l);
		i->flock_posix = l;
	}
	return i->flock_posix;
}

static struct posix_lock *conflict(struct list *locks, const struct posix_lock *w)
{
	struct posix_lock *l;

	list_for_each(l, locks, link)
		if (l->owner != w->owner && l->start <= w->end && w->start <= l->end &&
		    (l->type == F_WRLCK || w->type == F_WRLCK))
			return l;
	return NULL;
}

/* Stretches *w over the owner's locks of the same type that touch it, so that they become one. */
static void absorb(struct list *locks, struct posix_lock *w)
{
	struct posix_lock *l;
	bool grown = w->type != F_UNLCK;

	while (grown) {
		grown = false;
		list_for_each(l, locks, link) {
			if (l->owner != w->owner || l->type != w->type || (l->start >= w->start && l->end <= w->end))
				continue;
			if ((w->end != INT64_MAX && l->start > w->end + 1) || (l->end != INT64_MAX && w->start > l->end + 1))
				continue;
			w->start = MIN(w->start, l->start);
			w->end = MAX(w->end, l->end);
			grown = true;
		}
	}
}

/* Cuts [start,end] out of the owner's locks, then adds w unless F_UNLCK. `spare` are two preallocated entries. */
static void apply(struct list *locks, const struct posix_lock *want, struct posix_lock *spare[2])
{
	struct posix_lock merged = *want, *w = &merged, *l, *n;

	absorb(locks, w);

	list_for_each_safe(l, n, locks, link) {
		if (l->owner != w->owner || l->end < w->start || l->start > w->end)
			continue;
		if (l->start < w->start && l->end > w->end) {
			*spare[1] = *l;
			spare[1]->start = w->end + 1;
			l->end = w->start - 1;
			list_add(&l->link, &spare[1]->link);
			spare[1] = NULL;
			break;
		}
		if (l->start < w->start) {
			l->end = w->start - 1;
		} else if (l->end > w->end) {
			l->start = w->end + 1;
		} else {
			list_del(&l->link);
			kmem_free(l, sizeof(*l));
		}
	}
	if (w->type == F_UNLCK)
		return;
	*spare[0] = *w;
	list_for_each(l, locks, link)
		if (l->start > w->start)
			break;
	list_add_tail(&l->link, &spare[0]->link);
	spare[0] = NULL;
}

static bool would_deadlock(void *owner, void *holder)
{
	struct blocked *b;
	bool again = true;

	for (int hops = 0; again && hops < 32; hops++) {
		if (holder == owner)
			return true;
		again = false;
		list_for_each(b, &blocked_list, link)
			if (b->owner == holder) {
				holder = b->waits_for;
				again = true;
				break;
			}
	}
	return false;
}

/* 1 = done, 0 = conflict (*holder), -ENOLCK */
static int try_posix(struct inode *i, const struct posix_lock *w, void **holder)
{
	struct posix_lock *spare[2] = { kmem_alloc(sizeof(*w)), kmem_alloc(sizeof(*w)) }, *c = NULL;
	struct list *locks;
	int r = -ENOLCK;

	spin_lock(&i->flock_lock);
	locks = posix_list(i);
	if (spare[0] && spare[1] && locks) {
		c = w->type == F_UNLCK ? NULL : conflict(locks, w);
		r = !c;
		if (c)
			*holder = c->owner;
		else
			apply(locks, w, spare);
	}
	spin_unlock(&i->flock_lock);
	if (spare[0])
		kmem_free(spare[0], sizeof(*w));
	if (spare[1])
		kmem_free(spare[1], sizeof(*w));
	return r;
}

/* Notes in *b whom the request waits for now. False: that would close a circle. OFD locks (pid -1) are not checked, as on Linux. */
static bool wait_on(struct blocked *b, const struct posix_lock *w, void *holder)
{
	bool dead;

	spin_lock(&blocked_lock);
	dead = w->pid != -1 && would_deadlock(w->owner, holder);
	b->waits_for = holder;
	if (!dead && list_empty(&b->link))
		list_add(&blocked_list, &b->link);
	spin_unlock(&blocked_lock);
	return !dead;
}

static void wait_done(struct blocked *b)
{
	spin_lock(&blocked_lock);
	list_del(&b->link);
	spin_unlock(&blocked_lock);
}

/* One attempt of a blocked request: 0 = wait on. */
static int retry_posix(struct inode *i, const struct posix_lock *w, struct blocked *b)
{
	void *holder = NULL;
	int r = try_posix(i, w, &holder);

	return r == 0 && !wait_on(b, w, holder) ? -EDEADLK : r;
}

int flock_posix_set(struct inode *i, const struct posix_lock *w, bool wait)
{
	struct blocked b = { .owner = w->owner };
	void *holder = NULL;
	int r = try_posix(i, w, &holder), e;

	if (r == 1 && w->type != F_WRLCK)
		waitq_wake_everyone(&i->flock_wait);
	if (r)
		return r < 0 ? r : 0;
	if (!wait)
		return -EAGAIN;
	list_init(&b.link);
	if (!wait_on(&b, w, holder)) {
		wait_done(&b);
		return -EDEADLK;
	}
	e = wait_event(&i->flock_wait, WAKE_ALL, false, (r = retry_posix(i, w, &b)) != 0, TIME_FOREVER, true);
	wait_done(&b);
	if (!r)
		return e;
	if (r == 1 && w->type != F_WRLCK)
		waitq_wake_everyone(&i->flock_wait);
	return r < 0 ? r : 0;
}

int flock_posix_get(struct inode *i, struct posix_lock *w)
{
	struct posix_lock *c = NULL;

	spin_lock(&i->flock_lock);
	if (i->flock_posix)
		c = conflict(i->flock_posix, w);
	if (c)
		*w = *c;
	else
		w->type = F_UNLCK;
	spin_unlock(&i->flock_lock);
	return 0;
}

void flock_posix_release_owner(struct inode *i, void *owner)
{
	struct posix_lock *l, *n;
	bool any = false;

	if (!load_acquire(&i->flock_posix))
		return;
	spin_lock(&i->flock_lock);
	list_for_each_safe(l, n, (struct list *)i->flock_posix, link) {
		if (l->owner == owner) {
			list_del(&l->link);
			kmem_free(l, sizeof(*l));
			any = true;
		}
	}
	spin_unlock(&i->flock_lock);
	if (any)
		waitq_wake_everyone(&i->flock_wait);
}

void flock_release_file(struct inode *i, void *file)
{
	if (i->flocks.next && !list_empty(&i->flocks))
		drop_bsd(i, file);
	flock_posix_release_owner(i, file);
}

void flock_inode_gone(struct inode *i)
{
	if (i->flock_posix)
		kmem_free(i->flock_posix, sizeof(struct list));
	i->flock_posix = NULL;
}
