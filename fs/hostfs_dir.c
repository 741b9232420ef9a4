/* SPDX-License-Identifier: MIT */
/*
 * Listing host directories. The host's own cookies are opaque and belong to one descriptor's position, so a directory is read as a whole
 * into a snapshot whose cookies are positions in it. A new snapshot keeps the positions of names that the old one had, so that a reader in
 * the middle neither misses nor repeats names. A few snapshots are kept.
 */
#include "fs/hostfs.h"
#include "base/hash.h"
#include "fs/vfs_internal.h"
#include "userlib/base/log.h"
#include "userlib/rt/clock.h"
#include "userlib/rt/host.h"

#define SNAPS_MAX 32
#define BLOCK_ORDER 3
#define BLOCK_SIZE (PAGE_SIZE << BLOCK_ORDER)
#define COOKIE_FIRST 2

struct linux_dirent64 {
	u64 d_ino;
	s64 d_off;
	u16 d_reclen;
	u8 d_type;
	char d_name[];
};

struct snap_entry {
	u64 ino;
	u8 type;
	u8 len; /* 0: the name is gone, its position stays taken */
	char name[];
};
struct snap_block {
	struct snap_block *next;
	u64 used;
	char data[]; /* aligned for entries */
};
struct host_snap {
	struct ref ref;
	struct snap_block *blocks;
	struct snap_entry **entry; /* in cookie order */
	u32 nr, cap, live;
	u32 *table;		   /* name hash: index + 1 into entry */
	u32 table_size;
	s64 mtime_ns, ctime_ns;	   /* of the directory when read */
	s64 read_ns;		   /* realtime */
};
static struct list snap_lru = LIST_INIT(snap_lru); /* [hfs_lock] */
static u32 nr_snaps;

static void snap_free(struct host_snap *s)
{
	while (s->blocks) {
		struct snap_block *b = s->blocks;

		s->blocks = b->next;
		page_free(b, BLOCK_ORDER);
	}
	if (s->entry)
		kmem_free(s->entry, s->cap * sizeof(*s->entry));
	if (s->table)
		kmem_free(s->table, s->table_size * sizeof(*s->table));
	kmem_free(s, sizeof(*s));
}

static void snap_put(struct host_snap *s)
{
	if (s && ref_put(&s->ref))
		snap_free(s);
}

static struct host_snap *snap_get(struct host_inode *hi)
{
	struct host_snap *s;

	spin_lock(&hfs_lock);
	s = hi->snap;
	if (s)
		ref_get(&s->ref);
	spin_unlock(&hfs_lock);
	return s;
}

/* Makes s (NULL: none) the inode's snapshot; takes over the reference. The least recently made of too many goes. */
static void snap_install(struct host_inode *hi, struct host_snap *s)
{
	struct host_snap *old, *excess = NULL;

	spin_lock(&hfs_lock);
	old = hi->snap;
	hi->snap = s;
	if (!list_empty(&hi->snap_lru)) {
		list_del(&hi->snap_lru);
		nr_snaps--;
	}
	if (s) {
		list_add_tail(&snap_lru, &hi->snap_lru);
		if (++nr_snaps > SNAPS_MAX) {
			struct host_inode *first = list_first(&snap_lru, struct host_inode, snap_lru);

			excess = first->snap;
			first->snap = NULL;
			list_del(&first->snap_lru);
			nr_snaps--;
		}
	}
	spin_unlock(&hfs_lock);
	snap_put(old);
	snap_put(excess);
}

void hostfs_snap_drop(struct host_inode *hi)
{
	snap_install(hi, NULL);
}

static int snap_reserve(struct host_snap *s)
{
	struct snap_entry **e;
	u32 cap = s->cap ? s->cap * 2 : 64;

	if (s->nr < s->cap)
		return 0;
	e = kmem_alloc(cap * sizeof(*e));
	if (!e)
		return -ENOMEM;
	if (s->entry) {
		memcpy(e, s->entry, s->nr * sizeof(*e));
		kmem_free(s->entry, s->cap * sizeof(*e));
	}
	s->entry = e;
	s->cap = cap;
	return 0;
}

static int snap_append(struct host_snap *s, u64 ino, u8 type, const char *name, u32 len)
{
	u32 need = (u32)ROUND_UP(sizeof(struct snap_entry) + len, 8ul);
	struct snap_entry *e;

	if (snap_reserve(s))
		return -ENOMEM;
	if (!s->blocks || s->blocks->used + need > BLOCK_SIZE - sizeof(struct snap_block)) {
		struct snap_block *b = page_alloc(BLOCK_ORDER);

		if (!b)
			return -ENOMEM;
		b->next = s->blocks;
		b->used = 0;
		s->blocks = b;
	}
	e = (struct snap_entry *)(void *)(s->blocks->data + s->blocks->used);
	s->blocks->used += need;
	e->ino = ino;
	e->type = type;
	e->len = (u8)len;
	memcpy(e->name, name, len);
	s->entry[s->nr++] = e;
	s->live += len != 0;
	return 0;
}

static int snap_hash(struct host_snap *s)
{
	u32 size = 16;

	if (s->table)
		return 0;
	while (size < s->nr * 2)
		size *= 2;
	s->table = kmem_zalloc(size * sizeof(*s->table));
	if (!s->table)
		return -ENOMEM;
	s->table_size = size;
	for (u32 n = 0; n < s->nr; n++) {
		u32 h = (u32)hash_u64(hash_bytes(s->entry[n]->name, s->entry[n]->len)) & (size - 1);

		if (!s->entry[n]->len)
			continue;
		while (s->table[h])
			h = (h + 1) & (size - 1);
		s->table[h] = n + 1;
	}
	return 0;
}

/* Index + 1, or 0. snap_hash has succeeded. */
static u32 snap_find(const struct host_snap *s, const char *name, u32 len)
{
	u32 h = (u32)hash_u64(hash_bytes(name, len)) & (s->table_size - 1);

	for (; s->table[h]; h = (h + 1) & (s->table_size - 1)) {
		struct snap_entry *e = s->entry[s->table[h] - 1];

		if (e->len == len && memcmp(e->name, name, len) == 0)
			return s->table[h];
	}
	return 0;
}

/* All entries of the directory behind fd, whose offset is moved. */
static int read_all(int fd, struct host_snap *s)
{
	char *buf = page_alloc(BLOCK_ORDER);
	long n;
	int err = 0;

	if (!buf)
		return -ENOMEM;
	n = host_lseek(fd, 0, 0);
	while (n >= 0 && !err && (n = host_getdents64(fd, buf, BLOCK_SIZE)) > 0) {
		for (long at = 0; at < n && !err;) {
			struct linux_dirent64 *d = (struct linux_dirent64 *)(buf + at);
			u32 len = (u32)strlen(d->d_name);

			at += d->d_reclen;
			if (len && len <= NAME_MAX_LEN && strcmp(d->d_name, ".") != 0 && strcmp(d->d_name, "..") != 0)
				err = snap_append(s, d->d_ino, d->d_type, d->d_name, len);
		}
	}
	page_free(buf, BLOCK_ORDER);
	return n < 0 ? (int)n : err;
}

/* `fresh` in the order of `old`, new names behind; consumes fresh. Without memory, or with old full of gaps: fresh as it is. */
static struct host_snap *merge_order(struct host_snap *old, struct host_snap *fresh)
{
	struct host_snap *m;

	if (old->nr > 2 * old->live + 64 || snap_hash(fresh))
		return fresh;
	m = kmem_zalloc(sizeof(*m));
	if (!m)
		return fresh;
	ref_init(&m->ref);
	for (u32 n = 0; n < old->nr; n++) {
		struct snap_entry *o = old->entry[n];
		u32 f = o->len ? snap_find(fresh, o->name, o->len) : 0;
		struct snap_entry *e = f ? fresh->entry[f - 1] : NULL;

		if (snap_append(m, e ? e->ino : 0, e ? e->type : 0, e ? e->name : "", e ? e->len : 0))
			goto fail;
		if (e)
			e->ino = 0; /* taken */
	}
	for (u32 n = 0; n < fresh->nr; n++) {
		struct snap_entry *e = fresh->entry[n];

		if (e->ino && snap_append(m, e->ino, e->type, e->name, e->len))
			goto fail;
	}
	m->mtime_ns = fresh->mtime_ns;
	m->ctime_ns = fresh->ctime_ns;
	m->read_ns = fresh->read_ns;
	snap_free(fresh);
	return m;
fail:
	snap_free(m);
	fresh->live = 0; /* inodes were cleared: not usable */
	return fresh;
}

/* Reads the directory anew; *out referenced, and installed in the inode. */
static int snap_make(struct host_inode *hi, struct host_snap *old, struct host_snap **out)
{
	struct kstat st = { .size = 0 };
	struct host_snap *s;
	int fd, err;

	s = kmem_zalloc(sizeof(*s));
	if (!s)
		return -ENOMEM;
	ref_init(&s->ref);
	mutex_lock(&hi->vfs.lock); /* one user of the descriptor's offset */
	fd = hfd_get(hi, HFD_READ);
	err = fd < 0 ? fd : hostfs_getattr(&hi->vfs, &st);
	s->mtime_ns = st.mtime_ns;
	s->ctime_ns = st.ctime_ns;
	s->read_ns = clock_realtime_ns();
	if (!err)
		err = read_all(fd, s);
	if (fd >= 0)
		hfd_put(hi);
	mutex_unlock(&hi->vfs.lock);
	if (!err && old) {
		bool had = s->nr != 0;

		s = merge_order(old, s);
		if (had && !s->live)
			err = -ENOMEM;
	}
	if (err) {
		snap_free(s);
		return err;
	}
	ref_get(&s->ref);
	snap_install(hi, s);
	*out = s;
	return 0;
}

/* The kept snapshot while the directory has surely not changed since, else a new one. */
static int snap_current(struct host_inode *hi, struct host_snap **out)
{
	struct host_snap *s = snap_get(hi);
	struct kstat st = { .size = 0 };
	int err;

	if (s && hostfs_getattr(&hi->vfs, &st) == 0 && st.mtime_ns == s->mtime_ns && st.ctime_ns == s->ctime_ns &&
	    s->read_ns - st.mtime_ns > NSEC_PER_SEC) {
		*out = s;
		return 0;
	}
	err = snap_make(hi, s, out);
	snap_put(s);
	return err;
}

bool hostfs_listed(struct inode *dir, const char *name, unsigned len)
{
	struct host_inode *hi = host_i(dir);
	struct host_snap *s = snap_get(hi);
	bool found = false;

	if (!s && snap_make(hi, NULL, &s))
		return false;
	mutex_lock(&hi->vfs.lock);
	if (snap_hash(s) == 0)
		found = snap_find(s, name, len) != 0;
	mutex_unlock(&hi->vfs.lock);
	snap_put(s);
	return found;
}

static u64 parent_ino(struct host_inode *hi)
{
	u64 ino;

	spin_lock(&hfs_lock);
	ino = hi->parent ? hi->parent->ino : hi->ino;
	spin_unlock(&hfs_lock);
	return ino;
}

int hostfs_readdir(struct inode *dir, struct dir_ctx *ctx)
{
	struct host_inode *hi = host_i(dir);
	struct host_snap *s = NULL;
	int err = 0;

	if (ctx->cookie < 0)
		return -EINVAL;
	if (hostfs_local_phase(ctx->cookie)) {
		hostfs_local_readdir(dir, ctx);
		return 0;
	}
	if (ctx->cookie == 0) {
		err = snap_current(hi, &s);
	} else {
		s = snap_get(hi);
		if (!s)
			err = snap_make(hi, NULL, &s);
	}
	if (err)
		return err;
	if (ctx->cookie == 0) {
		if (!ctx->emit(ctx, ".", 1, dir->ino, 4, 1))
			goto out;
		ctx->cookie = 1;
	}
	if (ctx->cookie == 1) {
		if (!ctx->emit(ctx, "..", 2, parent_ino(hi), 4, COOKIE_FIRST))
			goto out;
		ctx->cookie = COOKIE_FIRST;
	}
	while ((u64)ctx->cookie - COOKIE_FIRST < s->nr) {
		struct snap_entry *e = s->entry[ctx->cookie - COOKIE_FIRST];

		if (e->len && !ctx->emit(ctx, e->name, e->len, e->ino, e->type, ctx->cookie + 1))
			goto out;
		ctx->cookie++;
	}
	hostfs_local_readdir(dir, ctx);
out:
	snap_put(s);
	return 0;
}
