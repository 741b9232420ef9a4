/* SPDX-License-Identifier: MIT */
/* Copy-up: a lower file, link or directory gets its twin in memory, under the same name, with the same attributes and inode number. */
#include "fs/overlay.h"
#include "fs/vfs_internal.h"
#include "userlib/base/log.h"
#include "userlib/rt/clock.h"

#define COPY_ORDER 4
#define COPY_BYTES (PAGE_SIZE << COPY_ORDER)

/* Remembers by which name a lower inode is reached now. Without memory the old one stays. */
void ovl_set_place(struct ovl_inode *oi, struct ovl_inode *dir, const char *name, unsigned len)
{
	struct ovl_sb *ov = ovl_sb(oi);
	struct ovl_inode *old_parent;
	char *text, *old;
	u32 old_len;
	bool same;

	spin_lock(&ov->link_lock);
	same = oi->parent == dir && oi->name_len == len && memcmp(oi->name, name, len) == 0;
	spin_unlock(&ov->link_lock);
	if (same)
		return;
	text = kmem_strdup(name, len);
	if (!text)
		return;
	inode_get(&dir->vfs);
	spin_lock(&ov->link_lock);
	old = oi->name;
	old_len = oi->name_len;
	old_parent = oi->parent;
	oi->name = text;
	oi->name_len = len;
	oi->parent = dir;
	spin_unlock(&ov->link_lock);
	if (old)
		kmem_free(old, old_len + 1);
	if (old_parent)
		inode_put(&old_parent->vfs);
}

/* That name is removed: a copy made from now on goes nowhere. ov->lock held. */
void ovl_clear_place(struct ovl_inode *oi, struct ovl_inode *dir, const char *name, unsigned len)
{
	struct ovl_sb *ov = ovl_sb(oi);
	bool was;

	spin_lock(&ov->link_lock);
	was = oi->parent == dir && oi->name_len == len && memcmp(oi->name, name, len) == 0;
	if (was)
		oi->parent = NULL;
	spin_unlock(&ov->link_lock);
	if (was)
		inode_put(&dir->vfs);
}

/* Copies [pos, end) where the lower file has data. */
static int copy_data(struct inode *from, struct inode *to, u64 end)
{
	char *buf = page_alloc(COPY_ORDER);
	struct iov_iter it;
	u64 pos = 0;
	ssize n = 0;

	if (!buf)
		return -ENOMEM;
	while (pos < end) {
		s64 data = from->ops->seek_data ? from->ops->seek_data(from, (s64)pos, false) : (s64)pos;

		if (data == -ENXIO)
			break;
		if (data > (s64)pos)
			pos = (u64)data & PAGE_MASK;
		if (pos >= end)
			break;
		iter_init_kernel(&it, buf, MIN(COPY_BYTES, end - pos));
		n = from->ops->read(from, &it, pos);
		if (n <= 0)
			break;
		iter_init_kernel(&it, buf, (size_t)n);
		n = to->ops->write(to, &it, &pos, false);
		if (n <= 0)
			break;
	}
	page_free(buf, COPY_ORDER);
	return n < 0 ? (int)n : 0;
}

/* Extended attributes; those that cannot be read are left behind. */
static int copy_xattrs(struct inode *from, struct inode *to)
{
	char *names, *value;
	ssize n;
	int err = 0;

	if (!from->ops->listxattr || S_ISLNK_(from->mode))
		return 0;
	n = from->ops->listxattr(from, NULL, 0);
	if (n <= 0)
		return 0;
	names = kmem_alloc(64 * KiB);
	value = kmem_alloc(64 * KiB);
	if (!names || !value)
		err = -ENOMEM;
	n = err ? 0 : from->ops->listxattr(from, names, 64 * KiB);
	for (char *s = names; !err && s < names + n; s += strlen(s) + 1) {
		ssize len = from->ops->getxattr(from, s, value, 64 * KiB);

		if (len >= 0)
			err = to->ops->setxattr(to, s, value, (size_t)len, 0);
	}
	if (names)
		kmem_free(names, 64 * KiB);
	if (value)
		kmem_free(value, 64 * KiB);
	return err;
}

/* The nameless twin of oi->lower, complete but for its name. */
static int make_twin(struct ovl_inode *oi, u64 limit, struct kstat *st, struct inode **out)
{
	struct inode *lower = oi->lower, *u;
	struct mem_inode *mu;
	char *text;
	int err = lower->ops->getattr(lower, st);

	if (err)
		return err;
	if (S_ISLNK_(st->mode)) {
		ssize n;

		text = kmem_alloc(PATH_MAX_LEN);
		n = text ? lower->ops->readlink(lower, text, PATH_MAX_LEN - 1) : -ENOMEM;
		if (n >= 0)
			text[n] = 0;
		err = n < 0 ? (int)n : memfs_symlink_new(ovl_sb(oi)->upper_sb, text, st->uid, st->gid, &u);
		if (text)
			kmem_free(text, PATH_MAX_LEN);
	} else {
		err = memfs_inode_new(ovl_sb(oi)->upper_sb, st->mode, st->rdev, st->uid, st->gid, &u);
	}
	if (err)
		return err;
	mu = mem_i(u);
	if (S_ISREG_(st->mode)) {
		err = copy_data(lower, u, MIN(st->size, limit));
		if (!err) {
			mutex_lock(&u->lock);
			err = memfs_resize(mu, MIN(st->size, limit));
			mutex_unlock(&u->lock);
		}
	}
	if (!err)
		err = copy_xattrs(lower, u);
	if (err) {
		inode_put(u);
		return err;
	}
	mu->origin_dev = st->dev;
	mu->origin_ino = st->ino;
	if (S_ISDIR_(st->mode))
		mu->lower = inode_get(lower);
	mu->atime = st->atime_ns;
	mu->mtime = st->mtime_ns;
	mu->ctime = st->ctime_ns;
	mu->btime = st->btime_ns;
	*out = u;
	return 0;
}

/* Puts the twin under the name that the inode has now, and from then on the inode is the twin. */
static int publish(struct ovl_inode *oi, struct inode *u, u32 nlink)
{
	struct ovl_sb *ov = ovl_sb(oi);
	s64 mtime = 0;
	int err = 0;

	mutex_lock(&ov->lock);
	spin_lock(&ov->link_lock);
	u->overlay = oi;
	spin_unlock(&ov->link_lock);
	if (oi->parent) { /* changes only under ov->lock, or to another name of the same file */
		struct inode *up = ovl_upper(oi->parent);

		mtime = mem_i(up)->mtime;
		err = memfs_enter(up, oi->name, oi->name_len, u);
		store_relaxed(&mem_i(up)->mtime, mtime); /* copying up is not a change that programs should see */
	}
	if (!err) {
		if (!S_ISDIR_(u->mode) && nlink > 1)
			inode_get(&oi->vfs); /* other lower names lead here: never forget that it was copied */
		store_release(&oi->upper, u);
	} else {
		spin_lock(&ov->link_lock);
		u->overlay = NULL;
		spin_unlock(&ov->link_lock);
	}
	mutex_unlock(&ov->lock);
	return err;
}

/* One inode whose parent (if any) is up already. */
static int copy_one(struct ovl_inode *oi, u64 limit)
{
	struct kstat st = { .size = 0 };
	struct inode *u;
	int err = 0;

	mutex_lock(&oi->copy_lock);
	if (!oi->upper) {
		err = make_twin(oi, limit, &st, &u);
		if (!err) {
			err = publish(oi, u, st.nlink);
			if (err)
				inode_put(u);
		}
	}
	mutex_unlock(&oi->copy_lock);
	if (!err)
		ovl_sync_owner(oi);
	return err;
}

int ovl_copy_up(struct ovl_inode *oi, u64 limit)
{
	struct ovl_sb *ov = ovl_sb(oi);

	while (!ovl_upper(oi)) {
		struct ovl_inode *p = oi;
		int err;

		spin_lock(&ov->link_lock);
		while (p->parent && !ovl_upper(p->parent))
			p = p->parent;
		inode_get(&p->vfs);
		spin_unlock(&ov->link_lock);
		err = copy_one(p, p == oi ? limit : ~0ull);
		inode_put(&p->vfs);
		if (err)
			return err;
	}
	return 0;
}
